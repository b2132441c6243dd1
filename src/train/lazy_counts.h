/// How many of this rank's units are active on two samples at once, and what a step does to the
/// outputs by it. N = S^T S as integers, and products by it that are summed as integers too: the
/// same bits however units are divided.
#ifndef WIDTHWISE_TRAIN_LAZY_COUNTS_H
#define WIDTHWISE_TRAIN_LAZY_COUNTS_H

#include "train/lazy_pairs.h"

/// Words of a value in a product.
enum { WW_LAZY_MOST_SLICES = 3 };

typedef struct ww_lazy_counts {
    const ww_lazy_pairs *pairs;
    /// [n, stride]. A change of a pair writes to the row of its sample alone: N_ij is half of the
    /// sum of entries (i, j) and (j, i), which are even elsewhere than at i = j.
    int32_t *counts;
    int slices, bits; ///< of a value: whole words of so many bits
    double largest;   ///< |K_ij|
    int32_t *row;     ///< [slices, stride], words of a sample
    int32_t *both;    ///< twice N of some samples
    double *weights;  ///< f_j of a column [n]
    /// Of the changes at hand, by their sign: units active on each sample [signs, words of 8
    /// bytes], a byte a sample; how many changes [signs]; and their sample.
    uint64_t *pending[2];
    int32_t pending_count[2];
    int64_t pending_sample;
} ww_lazy_counts;

/// Not collective. Free with ww_lazy_counts_free, also after a failure.
ww_status ww_lazy_counts_create(const ww_lazy_pairs *pairs, ww_lazy_counts *counts,
                                ww_error *error);
void ww_lazy_counts_free(ww_lazy_counts *counts);
/// Bytes that it takes. Pure.
int64_t ww_lazy_counts_bytes(const ww_problem *problem);

/// Counts anew from the patterns as they are. WW_FAILED: memory is short.
ww_status ww_lazy_counts_make(ww_lazy_counts *counts, ww_error *error);

/// The pattern of this pair has changed. Cheap where changes of a sample follow each other; after
/// the last one they are brought to an end.
void ww_lazy_counts_change(ww_lazy_counts *counts, int64_t unit, int64_t sample);
void ww_lazy_counts_settle(ww_lazy_counts *counts);

/// Units of this rank that are active on a sample; and on all of them [n], by the patterns
/// themselves.
int64_t ww_lazy_active(const ww_lazy_counts *counts, int64_t sample);
void ww_lazy_count_active(ww_lazy_counts *counts, int64_t *active);
/// N_ij.
int64_t ww_lazy_both(const ww_lazy_counts *counts, int64_t i, int64_t j);

/// Adds twice the words of the values sum_j K_ij N_ij f_j to words [slices, n]; f [n] is the same
/// on all ranks. The sums of all ranks are words too, and so is what they make.
void ww_lazy_counts_product(ww_lazy_counts *counts, const double *factors, int64_t *words);
/// The same for an f that is 0 but for samples columns [count], which are different ones: the same
/// words.
void ww_lazy_counts_product_of(ww_lazy_counts *counts, const double *factors,
                               const int64_t *columns, int64_t count, int64_t *words);
/// The values [n] of summed words.
void ww_lazy_counts_values(const ww_lazy_counts *counts, const double *factors,
                           const int64_t *words, double *values);

#endif
