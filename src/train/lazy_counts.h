/// How many units are active on two samples at once, and what a step does to the outputs by it.
///
/// N = S^T S is of all units of all ranks. Rows of it are divided over the ranks by samples, and a
/// change of a pattern goes to all of them: whole to the rank that has the row of its sample, and
/// as far as it is of their rows, which have a number in that column, to the others. A sum over a
/// row is made by one rank, in an order of its own: the same bits however samples are divided.
#ifndef WIDTHWISE_TRAIN_LAZY_COUNTS_H
#define WIDTHWISE_TRAIN_LAZY_COUNTS_H

#include "train/lazy_pairs.h"

/// Rows of n x n arrays that this rank has, and all ranks.
typedef struct ww_lazy_share {
    int64_t first, rows;
    int *counts, *places; ///< [ranks]
} ww_lazy_share;

/// Changes of one sample, by their sign: units active on each sample [words of 8 bytes], a byte a
/// sample; and how many changes.
typedef struct ww_lazy_pending {
    uint64_t *active[2];
    int32_t count[2];
} ww_lazy_pending;

/// A change of a pattern, as it goes over ranks.
typedef struct ww_lazy_change_seen {
    int sign; ///< 1: it has become active
    /// Of its unit then: whole where the row of the sample is of this rank, else the words that the
    /// rows of this rank lie in.
    const uint64_t *patterns;
} ww_lazy_change_seen;

typedef struct ww_lazy_counts {
    const ww_lazy_pairs *pairs;
    ww_lazy_share share;
    int32_t *counts; ///< N [rows, stride]
    ww_lazy_pending pending;
    int32_t *deltas;      ///< of a block of samples [block, stride]
    int64_t *changes;     ///< those of this rank in this step: 2 i + sign, and the unit's pattern
    int64_t change_count; ///< words of these
    int64_t change_room;
    int64_t *outgoing; ///< the same as they go to each rank [outgoing room]
    int64_t outgoing_room;
    int *outgoing_counts; ///< words for each rank [ranks]
    ww_incoming incoming;
    ww_lazy_change_seen *seen; ///< all changes of a step, by sample: those of i end at ends[i]
    int64_t seen_room;
    int64_t *ends; ///< [n + 1]
} ww_lazy_counts;

/// f of a step.
typedef struct ww_lazy_step {
    const double *factors;  ///< [stride], 0 beyond n
    const int64_t *columns; ///< samples whose f is not 0 [column count], rising
    int64_t column_count;
    double scale; ///< of the product
} ww_lazy_step;

/// Rows that a rank has at most. Pure.
int64_t ww_lazy_share_most_rows(const ww_problem *problem);

/// Not collective. Free with ww_lazy_counts_free, also after a failure.
ww_status ww_lazy_counts_create(const ww_lazy_pairs *pairs, ww_lazy_counts *counts,
                                ww_error *error);
void ww_lazy_counts_free(ww_lazy_counts *counts);
/// Bytes that it takes but for messages. Pure.
int64_t ww_lazy_counts_bytes(const ww_problem *problem);

/// Counts anew from the patterns as they are. WW_FAILED: memory is short. Collective.
ww_status ww_lazy_counts_make(ww_lazy_counts *counts, ww_error *error);

/// The pattern of this pair has changed. WW_FAILED: memory is short. Not collective.
ww_status ww_lazy_counts_change(ww_lazy_counts *counts, int64_t unit, int64_t sample,
                                ww_error *error);
/// After all changes of a step, if there are any on any rank: brings them to where they belong.
/// Collective.
ww_status ww_lazy_counts_settle(ww_lazy_counts *counts, ww_error *error);

/// Units of this rank that are active on each sample [n].
void ww_lazy_count_active(ww_lazy_counts *counts, int64_t *active);

/// scale * sum_j K_ij N_ij f_j of this rank's rows, into values [rows], each below scale m ||K_i||
/// ||f||.
void ww_lazy_counts_product(const ww_lazy_counts *counts, const ww_lazy_step *step, double *values);

#endif
