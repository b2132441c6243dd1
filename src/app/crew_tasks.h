/// Members as tasks that ranks are divided among: what each takes and needs, and the division.
#ifndef WIDTHWISE_APP_CREW_TASKS_H
#define WIDTHWISE_APP_CREW_TASKS_H

#include "app/cost.h"
#include "app/division.h"
#include "app/member.h"

/// Of the memory that is free, what members may take.
#define WW_CREW_MEMORY_SHARE 0.9

/// What a rank may take of a node of so many gigabytes (0: of what is free on this machine) that it
/// shares with others: `ranks_per_node` (0: as many as this machine has processors), of `ranks`.
int64_t ww_crews_memory(double node_gigabytes, int64_t ranks_per_node, int64_t ranks);

/// `ranks_per_node`, or as many as this machine has processors where it is 0; not more than
/// `ranks`.
int64_t ww_crews_ranks_a_node(int64_t ranks_per_node, int64_t ranks);

/// What is to be divided.
typedef struct ww_crews_job {
    const ww_app_members *members;
    const bool *skip;      ///< [members.count], those that are not worked on; NULL: all are
    const bool *only_gram; ///< [members.count], of which only the Gram matrix is wanted; NULL: none
    int ranks;
    int sample_groups;    ///< wanted of each crew (ww_parallel)
    bool divides_data;    ///< the inputs of the only member are divided over nodes (ww_division)
    int64_t ranks_a_node; ///< of each node
    int64_t memory;       ///< bytes that a member may take on a rank
} ww_crews_job;

/// The division of all ranks among the members. A crew has at least the ranks that the member's
/// memory, its gram.grid and the limits of ScaLAPACK ask for.
/// `tasks` [members.count] is filled for those that are not skipped, in their order; `*count` is
/// their number. Not collective. Free the division.
ww_status ww_crews_divide(const ww_crews_job *job, ww_task *tasks, size_t *count,
                          ww_division *division, ww_error *error);

/// Most bytes that its rank 0 has, which none has more than (ww_member_peak). Not collective.
ww_status ww_crews_peak(const ww_crews_job *job, size_t member, int crew, int64_t *peak,
                        ww_error *error);

/// The place of rank `rank` of a crew of `crew` ranks. Pure.
ww_member_place ww_crews_place(const ww_crews_job *job, size_t member, int rank, int crew);

#endif
