/// Hashes of what a member holds, as its commit pages have them.
///
/// Each function adds this rank's share to `*hash`; the sum over ranks is the hash of the whole,
/// however many ranks there are. None is collective. WW_FAILED: data cannot be read.
#ifndef WIDTHWISE_STORE_CONTENTS_H
#define WIDTHWISE_STORE_CONTENTS_H

#include "store/member.h"
#include "widthwise/error.h"
#include "widthwise/parallel.h"

#include <stdbool.h>
#include <stdint.h>

/// The part of a rank.
typedef struct ww_share {
    ww_tiling tiling; ///< of its units
    int rank, size;
} ww_share;

/// The part of `rank` of `size` in an open member.
ww_share ww_share_make(const ww_member *member, int rank, int size);

/// The first `rows` records of the trajectory, or replicas.
ww_status ww_contents_hash_rows(const ww_member *member, int64_t rows, const ww_share *share,
                                uint64_t *hash, ww_error *error);

/// What is recorded for an outside check.
ww_status ww_contents_hash_record(const ww_member *member, const ww_share *share, uint64_t *hash,
                                  ww_error *error);

/// The first `count` snapshots.
ww_status ww_contents_hash_snapshots(const ww_member *member, int64_t count, const ww_share *share,
                                     uint64_t *hash, ww_error *error);

/// What a page vouches for beside checkpoints.
typedef enum ww_part {
    WW_PART_ROWS,
    WW_PART_FINAL,
    WW_PART_THEORY,
    WW_PART_RECORD,
    WW_PART_SNAPSHOTS,
    WW_PART_SPECTRUM, ///< eigenvalues and eigenvectors
    WW_PART_GRAM,     ///< all else that is known of the Gram matrix
    WW_PART_TARGETS,  ///< that were computed
    WW_PARTS
} ww_part;

/// Whether an array of the list of that part belongs to it. What is known of the Gram matrix is one
/// list of two parts: names that begin with "eigen" are of the spectrum, which other labels may use
/// again.
bool ww_belongs_to_part(const ww_array *array, ww_part part);

/// Whether the page vouches for any of that part, and for which hash.
bool ww_part_expected(const ww_page *page, ww_part part, uint64_t *hash);

/// That part as it is in the file; nothing of what the page does not vouch for.
ww_status ww_contents_hash_part(const ww_member *member, const ww_page *page, ww_part part,
                                const ww_share *share, uint64_t *hash, ww_error *error);

/// One checkpoint slot.
ww_status ww_contents_hash_slot(const ww_slot_arrays *slot, const ww_share *share, uint64_t *hash,
                                ww_error *error);

#endif
