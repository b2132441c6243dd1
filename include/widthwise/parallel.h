/// Ranks: a communicator of our own, agreement on errors, and the division of hidden units.
#ifndef WIDTHWISE_PARALLEL_H
#define WIDTHWISE_PARALLEL_H

#include "widthwise/error.h"

#include <mpi.h>
#include <stddef.h>
#include <stdint.h>

struct ww_profile;

/// The ranks that work on one thing together.
typedef struct ww_parallel {
    MPI_Comm communicator;      ///< a duplicate of our own; errors return instead of aborting
    struct ww_profile *profile; ///< takes down what the time goes to, NULL: nothing does
    double began;               ///< time at which the program began, before MPI did; 0: not known
    int rank;
    int size;
    int threads;       ///< of this rank, for work on tiles of units; 0 and 1: itself alone
    int sample_groups; ///< groups wanted that samples are divided over (ww_sample_grid); 0: left
                       ///< open
} ww_parallel;

/// Duplicates `parent`. Collective over `parent`.
ww_status ww_parallel_create(MPI_Comm parent, ww_parallel *parallel, ww_error *error);
void ww_parallel_destroy(ww_parallel *parallel);

/// Divides the ranks: those that give the same `number` make a new group, in the order that they
/// had, with the profile of the whole. Collective over `whole`.
ww_status ww_parallel_split(const ww_parallel *whole, int number, ww_parallel *part,
                            ww_error *error);

/// The same ranks in another order: by `place`, and those that give the same in the order that they
/// had. Destroy it. Collective over `whole`.
ww_status ww_parallel_order(const ww_parallel *whole, int place, ww_parallel *ordered,
                            ww_error *error);

/// Waits for all ranks without keeping the processor from others, as a barrier would. `meanwhile`
/// (may be NULL) is called every few milliseconds. Collective.
ww_status ww_wait_for_all(const ww_parallel *parallel, void (*meanwhile)(void *context),
                          void *context, ww_error *error);

/// Memory that is free for each rank: that of its node, shared evenly among the ranks there; the
/// least of all. Collective.
ww_status ww_memory_for_rank(const ww_parallel *parallel, int64_t *bytes, ww_error *error);

/// All ranks leave with the same status and sentence: those of the lowest rank that failed, or
/// WW_OK when none did. `status` is this rank's own, `error` this rank's own sentence. To be called
/// as ww_agree. Collective.
ww_status ww_agree_on(const ww_parallel *parallel, ww_status status, ww_error *error);

static inline ww_status ww_agree(const ww_parallel *parallel, ww_status status, ww_error *error)
{
    const ww_status agreed = ww_agree_on(parallel, status, error);
    // Never better than this rank's own: said here, where readers of the caller (and static
    // analysis) can see that what failed on this rank is not used after.
    return status != WW_OK && agreed == WW_OK ? status : agreed;
}

/// Copies `bytes` bytes from `root` to all ranks, in calls of at most 1 GiB. Collective.
ww_status ww_broadcast(const ww_parallel *parallel, void *data, size_t bytes, int root,
                       ww_error *error);

/// Sums `count` words of 64 bits over all ranks in place, in calls of at most 2^26 words.
/// Collective. Integer sums: the result does not depend on the order.
ww_status ww_sum_words(const ww_parallel *parallel, int64_t *words, size_t count, ww_error *error);

/// Largest of each of `count` doubles over all ranks, in place. Collective. A NaN anywhere must be
/// excluded by the caller (MPI does not say what a maximum with NaN is).
ww_status ww_maximum(const ww_parallel *parallel, double *values, size_t count, ww_error *error);

/// Whether each of `count` flags, 0 or 1, is set on any rank, in place, in calls of at most 1 GiB.
/// Collective.
ww_status ww_any(const ww_parallel *parallel, uint8_t *flags, size_t count, ww_error *error);

/// Gathers an array of rows of `row_bytes` bytes of which each rank has some: counts[r] rows of
/// rank r from row places[r] on ([size] both). This rank's stand in `rows` already; then all do.
/// Collective.
ww_status ww_gather_rows(const ww_parallel *parallel, void *rows, size_t row_bytes,
                         const int *counts, const int *places, ww_error *error);

/// Sums words of 64 bits over all ranks, of which rank r gets counts[r] ([size]), one rank's after
/// the other's: this rank's come to the beginning of `words`, and what else stood there is lost.
/// Integer sums: the result does not depend on the order. Collective.
ww_status ww_scatter_sums(const ww_parallel *parallel, int64_t *words, const int *counts,
                          ww_error *error);

/// Words that came from all ranks, and what it takes to send such.
typedef struct ww_incoming {
    int64_t *words; ///< [count], one rank's after the other's
    int64_t count, room;
    int *routes; ///< words to and from each rank, and where they are [4, size]
} ww_incoming;

/// None yet. Free with ww_incoming_free, also after a failure. Not collective.
ww_status ww_incoming_create(const ww_parallel *parallel, ww_incoming *incoming, ww_error *error);
void ww_incoming_free(ww_incoming *incoming);

/// Sends counts[r] words ([size]) to rank r, one rank's after the other's in `words`, and takes in
/// what all ranks have for this one. `status`: what has come of this rank's preparing them, and
/// `error` its sentence; with any but WW_OK words and counts are not looked at, and all ranks fail
/// alike. WW_FAILED: memory is short. Collective.
ww_status ww_exchange_words(const ww_parallel *parallel, ww_status status, const int64_t *words,
                            const int64_t *counts, ww_incoming *incoming, ww_error *error);

/// Sends `count` words to rank 0, and takes them there from rank `rank`: rank 0 takes them in that
/// order.
void ww_send_words(const ww_parallel *parallel, const int64_t *words, int64_t count, int tag);
void ww_receive_words(const ww_parallel *parallel, int64_t *words, int64_t count, int rank,
                      int tag);

/// Division of the hidden units. Units lie in tiles by *global* index; a rank owns whole,
/// contiguous tiles. The tile size is a function of the width alone, so each tile is computed by
/// calls of the same shape whoever owns it, and the bits do not depend on the number of ranks.
typedef struct ww_tiling {
    int64_t width;       ///< m, all hidden units
    int64_t tile_units;  ///< units in every tile but the last
    int64_t tile_count;  ///< all tiles
    int64_t first_tile;  ///< first tile of this rank
    int64_t local_tiles; ///< tiles of this rank; 0 for a rank that idles
    int64_t first_unit;  ///< first unit of this rank
    int64_t local_units; ///< units of this rank
} ww_tiling;

/// Tiling of `width` units, and the part of `rank` of `size` ranks. Pure.
ww_tiling ww_tiling_make(int64_t width, int rank, int size);

/// Units in tile `tile` (global index): tile_units, or fewer in the last. Pure.
int64_t ww_tile_size(const ww_tiling *tiling, int64_t tile);

/// Rank (of `size`) that owns tile `tile` (global index). Pure.
int ww_tile_owner(const ww_tiling *tiling, int64_t tile, int size);

#endif
