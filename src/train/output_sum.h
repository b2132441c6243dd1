/// Sums over tiles, and over ranks, of the network's outputs on a set of samples. Terms are added
/// by blocks of samples (WW_SAMPLE_BLOCK, kernels.h) as order-independent integers (sum.h).
#ifndef WIDTHWISE_TRAIN_OUTPUT_SUM_H
#define WIDTHWISE_TRAIN_OUTPUT_SUM_H

#include "widthwise/train.h"

typedef struct ww_output_sum {
    const ww_problem *problem;
    int64_t samples;
    int64_t *words; ///< by block: high and low words [block, k]; then terms rejected and requests
    size_t word_count;
} ww_output_sum;

/// A sum of nothing for `samples` samples. Not collective.
ww_status ww_output_sum_create(ww_output_sum *sum, const ww_problem *problem, int64_t samples,
                               ww_error *error);
/// Bytes that it takes. Pure.
int64_t ww_output_sum_bytes(const ww_problem *problem, int64_t samples);
void ww_output_sum_free(ww_output_sum *sum);
void ww_output_sum_clear(ww_output_sum *sum);

/// Adds one tile's outputs [count, k] of the block of samples that begins at `start`.
void ww_output_sum_add(ww_output_sum *sum, int64_t start, int64_t count, const double *outputs);

/// Sums over ranks in one Allreduce, into outputs [samples, k], the same on all ranks. `request` is
/// summed along with them into `*requests`, which may be NULL. WW_DIVERGED when a term was not
/// finite or out of range. Collective.
ww_status ww_output_sum_finish(ww_output_sum *sum, int64_t request, int64_t *requests,
                               double *outputs, ww_error *error);

#endif
