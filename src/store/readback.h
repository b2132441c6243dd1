/// Holding what a member has in the file against what its pages say. Collective.
#ifndef WIDTHWISE_STORE_READBACK_H
#define WIDTHWISE_STORE_READBACK_H

#include "store/contents.h"
#include "store/member.h"
#include "widthwise/error.h"
#include "widthwise/parallel.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Sums shares of hashes over ranks; `read` is this rank's own status of reading each. `readable`
/// is false where one rank could not.
ww_status ww_hashes_sum(const ww_parallel *parallel, const ww_status *read, size_t count,
                        uint64_t *hashes, bool *readable, ww_error *error);

/// Whether the rows, and the snapshots, that a restart from this checkpoint would keep hold. They
/// have to, since results are computed from them.
ww_status ww_measured_check(const ww_member *member, const ww_page_slot *checkpoint,
                            const ww_share *share, const ww_parallel *parallel, bool *rows_hold,
                            bool *snapshots_hold, ww_error *error);

/// Reads everything back that `next` vouches for. WW_FAILED names what is not as it was written.
ww_status ww_store_read_back(const ww_store *store, const ww_page *next, ww_error *error);

#endif
