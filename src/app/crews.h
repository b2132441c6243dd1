/// Crews of ranks that work the members of a session off.
#ifndef WIDTHWISE_APP_CREWS_H
#define WIDTHWISE_APP_CREWS_H

#include "app/division.h"
#include "app/member.h"
#include "app/session.h"

/// Of the memory that is free, what members may take.
#define WW_CREW_MEMORY_SHARE 0.9

/// Members by what became of them in this job. The same on all ranks.
typedef struct ww_crews_result {
    int64_t done, failed, diverged, stopped;
    int64_t advanced; ///< that came on by a step at least, or ended
    int64_t lost;     ///< that found the file removed or replaced
    bool by_time;     ///< the wall time ended the job
} ww_crews_result;

/// Works off all prepared members but those to `skip`. What a member comes to is said, and where it
/// failed marked in the file. WW_FAILED: the crews themselves could not be made, or the only member
/// failed, with its sentence in `error`. Collective.
ww_status ww_crews_run(ww_session *session, const bool *skip, ww_crews_result *result,
                       ww_error *error);

/// What a rank may take of a node of so many gigabytes (0: of what is free on this machine) that it
/// shares with others: `ranks_per_node` (0: as many as this machine has processors), of `ranks`.
int64_t ww_crews_memory(double node_gigabytes, int64_t ranks_per_node, int64_t ranks);

/// `ranks_per_node`, or as many as this machine has processors where it is 0; not more than
/// `ranks`.
int64_t ww_crews_ranks_a_node(int64_t ranks_per_node, int64_t ranks);

/// The division of `ranks` ranks, `ranks_a_node` of them on each node, among members, each of which
/// may take `memory` bytes on a rank.
/// `tasks` [members.count] is filled for those that are not skipped, in their order; `*count` is
/// their number. Not collective. Free the division.
ww_status ww_crews_divide(const ww_app_members *members, const bool *skip, int ranks,
                          int64_t ranks_a_node, int64_t memory, ww_task *tasks, size_t *count,
                          ww_division *division, ww_error *error);

#endif
