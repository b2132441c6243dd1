/// Data sets of which each node has the inputs of some groups of samples alone.
#ifndef WIDTHWISE_APP_DIVIDED_DATA_H
#define WIDTHWISE_APP_DIVIDED_DATA_H

#include "app/member.h"

#include <stdbool.h>

/// What asks for all inputs of a run on each node; NULL: they can be divided where samples are.
/// Pure.
const char *ww_whole_data_reason(const ww_app_member *member);

/// How a job wants it.
typedef struct ww_data_wish {
    const ww_app_members *members;
    int64_t sample_groups; ///< wanted, 0: left open
    bool divides;          ///< even where all inputs would fit on a node (--divide-data)
    int64_t node_bytes;    ///< memory of a node, INT64_MAX: not known
} ww_data_wish;

/// Whether the inputs of a job's data set are to be divided over nodes: of one run on groups of
/// samples that allows it, when more than half of a node would go into them, or always where that
/// is asked for. WW_USAGE: that cannot be. Pure.
ww_status ww_data_is_to_be_divided(const ww_data_wish *wish, bool *divides, ww_error *error);

/// Puts the ranks into the order in which those of a group of samples, of which each has the ranks
/// of a node side by side before, come to be its row of the grid. Destroy `ordered`. Collective.
ww_status ww_order_by_groups(const ww_parallel *parallel, int groups, ww_parallel *ordered,
                             ww_error *error);

#endif
