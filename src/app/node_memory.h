/// Memory of nodes while a member is worked on, and how many ranks fit.
#ifndef WIDTHWISE_APP_NODE_MEMORY_H
#define WIDTHWISE_APP_NODE_MEMORY_H

#include "app/crew_tasks.h"

/// Bytes that the first `count` ranks of a job have at their peaks together, where the first `crew`
/// of them work on a member and the others wait with its data; `overhead` of each besides. Inputs
/// count once a node. Not collective.
ww_status ww_node_memory(const ww_crews_job *job, size_t member, int crew, int64_t count,
                         int64_t overhead, double *bytes, ww_error *error);

/// What has to fit.
typedef struct ww_node_room {
    const ww_app_members *members; ///< each of them, on all ranks
    double bytes;                  ///< of a node
    int64_t overhead;              ///< of a rank
    int sample_groups;             ///< wanted (ww_parallel)
    bool divides_data;             ///< as ww_crews_job has it
} ww_node_room;

/// Ranks that have work in a member at most: by tiles, groups of samples or replicas in training,
/// or by parts of the Gram matrix. Pure.
int64_t ww_node_useful_ranks(const ww_app_member *member, int sample_groups);

/// The smallest number of ranks that fits and can do the work, with `a_node` of them on a node, and
/// what a node then has at most; 0: none does. Not collective.
ww_status ww_node_smallest(const ww_node_room *room, int64_t a_node, int64_t *ranks, double *bytes,
                           ww_error *error);

#endif
