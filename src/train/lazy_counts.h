/// How many units are active on two samples at once, and what a step does to the outputs by it.
///
/// N = S^T S is of all units of all ranks. Rows of it are divided over the ranks by samples
/// (lazy_share.h), and a change of a pattern goes to all of them (lazy_changes.h). A sum over a
/// row is made by one rank, in an order of its own: the same bits however samples are divided.
#ifndef WIDTHWISE_TRAIN_LAZY_COUNTS_H
#define WIDTHWISE_TRAIN_LAZY_COUNTS_H

#include "train/lazy_weighed.h"

typedef struct ww_lazy_counts {
    const ww_lazy_pairs *pairs;
    ww_lazy_share share;
    int32_t *counts;         ///< N [rows, stride], unless output weights are weighed ...
    ww_lazy_weighed weighed; ///< ... and if they are
    ww_lazy_changes changes; ///< of this step
    uint64_t *active;        ///< sums of patterns, a byte a sample [threads, 2, stride / 8]
    int32_t *deltas;         ///< of some blocks of samples [samples, stride]
} ww_lazy_counts;

/// f of a step.
typedef struct ww_lazy_step {
    const double *factors;  ///< [k, stride], 0 beyond n
    const int64_t *columns; ///< samples whose f is not 0 [column count], rising; of one output
    int64_t column_count;
    double scale; ///< of the product
} ww_lazy_step;

/// Not collective. Free with ww_lazy_counts_free, also after a failure.
ww_status ww_lazy_counts_create(const ww_lazy_pairs *pairs, ww_lazy_counts *counts,
                                ww_error *error);
void ww_lazy_counts_free(ww_lazy_counts *counts);
/// Bytes that it takes but for messages, counting all units included; and what of them is for that
/// alone. Pure.
int64_t ww_lazy_counts_bytes(const ww_problem *problem);
int64_t ww_lazy_counts_making_bytes(const ww_problem *problem);

/// Counts anew from the patterns as they are. WW_FAILED: memory is short. Collective.
ww_status ww_lazy_counts_make(ww_lazy_counts *counts, ww_error *error);

/// After all changes of a step, `total` of all ranks, of which these have left out `left_out`
/// (lazy_changes.h): brings them to where they belong. `*is_there`: whether they went there. Where
/// they were many they did not, and N is to be made anew: with the same numbers. WW_FAILED: memory
/// is short. Collective.
ww_status ww_lazy_counts_settle(ww_lazy_counts *counts, int64_t total, int64_t left_out,
                                bool *is_there, ww_error *error);

/// Units of this rank that are active on each sample [n].
void ww_lazy_count_active(ww_lazy_counts *counts, int64_t *active);

/// scale * sum_j K_ij N_ij f_j of this rank's rows, into values [rows], each below scale m ||K_i||
/// ||f||. Of output weights that are not weighed.
void ww_lazy_counts_product(const ww_lazy_counts *counts, const ww_lazy_step *step, double *values);

#endif
