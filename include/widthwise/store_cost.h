/// What a file will take, told before anything is made.
#ifndef WIDTHWISE_STORE_COST_H
#define WIDTHWISE_STORE_COST_H

#include "widthwise/store.h"

/// What storing a member needs. Sizes in the file leave out some kilobytes of HDF5's own for each
/// run.
typedef struct ww_store_cost {
    int64_t memory;      ///< bytes that writing allocates on a rank, at most
    int64_t checkpoint;  ///< bytes that one checkpoint writes, on all ranks together
    int64_t checkpoints; ///< bytes in the file of both checkpoint slots
    int64_t snapshots;   ///< of snapshots
    int64_t record;      ///< of what is recorded for an outside check
    int64_t results;     ///< of trajectory, results, predictions and everything else
} ww_store_cost;

/// The cost of a member. `tiling` is that of the rank in question; `pending_rows` are the most rows
/// between two commits. WW_USAGE: more than a file can hold. Not collective.
ww_status ww_store_cost_of(const ww_member_layout *layout, const ww_tiling *tiling,
                           int64_t pending_rows, ww_store_cost *cost, ww_error *error);

/// Bytes in a file beside its members. Not collective.
int64_t ww_store_common_bytes(void);

/// Bytes that the file system of `folder` has free for this user, INT64_MAX where it does not say.
/// Not collective.
int64_t ww_store_free_bytes(const char *folder);

#endif
