/// Sums over tiles, and over ranks, of the network's outputs on a set of samples. Terms are added
/// by blocks of samples (WW_SAMPLE_BLOCK, kernels.h) as order-independent integers (sum.h).
#ifndef WIDTHWISE_TRAIN_OUTPUT_SUM_H
#define WIDTHWISE_TRAIN_OUTPUT_SUM_H

#include "widthwise/train.h"

typedef struct ww_output_sum {
    const ww_problem *problem;
    int64_t samples;
    int64_t extras; ///< numbers of a sample that are summed beside its outputs
    /// By block: high and low words of outputs [block, k] and of extras [block, extras]; then terms
    /// rejected and requests.
    int64_t *words;
    size_t word_count;
} ww_output_sum;

/// A sum of nothing for `samples` samples. Not collective.
ww_status ww_output_sum_create(ww_output_sum *sum, const ww_problem *problem, int64_t samples,
                               ww_error *error);
/// The same with `extras` more numbers for each sample, in the range of outputs.
ww_status ww_output_sum_create_with(ww_output_sum *sum, const ww_problem *problem, int64_t samples,
                                    int64_t extras, ww_error *error);
/// A sum without extras whose words, [ww_output_sum_words] and all 0, are somebody else's: they are
/// summed over ranks along with others (ww_output_sum_take). Not to be freed.
void ww_output_sum_place(ww_output_sum *sum, const ww_problem *problem, int64_t samples,
                         int64_t *words);
size_t ww_output_sum_words(const ww_problem *problem, int64_t samples);
/// Bytes that they take. Pure.
int64_t ww_output_sum_bytes(const ww_problem *problem, int64_t samples);
int64_t ww_output_sum_bytes_with(const ww_problem *problem, int64_t samples, int64_t extras);
void ww_output_sum_free(ww_output_sum *sum);
void ww_output_sum_clear(ww_output_sum *sum);
/// Makes it a sum of nothing for `samples` samples, no more than it was created for.
void ww_output_sum_restart(ww_output_sum *sum, int64_t samples);

/// Adds one tile's outputs [count, k] of the block of samples that begins at `start`.
void ww_output_sum_add(ww_output_sum *sum, int64_t start, int64_t count, const double *outputs);

/// Adds what another sum has, of samples that begin at `start` here: whole blocks. Before either is
/// finished.
void ww_output_sum_append(ww_output_sum *sum, int64_t start, const ww_output_sum *part);

/// Adds one tile's extras [count, extras] of that block.
void ww_output_sum_add_extras(ww_output_sum *sum, int64_t start, int64_t count,
                              const double *extras);

/// Sums over ranks in one Allreduce, into outputs [samples, k], the same on all ranks. `request` is
/// summed along with them into `*requests`, which may be NULL. WW_DIVERGED when a term was not
/// finite or out of range. Collective.
ww_status ww_output_sum_finish(ww_output_sum *sum, int64_t request, int64_t *requests,
                               double *outputs, ww_error *error);

/// The parts of it: the sum over ranks, then whether terms were rejected, by their number, and the
/// error that this is.
ww_status ww_output_sum_over_ranks(ww_output_sum *sum, int64_t request, int64_t *requests,
                                   ww_error *error);
int64_t ww_output_sum_rejected(const ww_output_sum *sum);
ww_status ww_output_sum_fail(const ww_problem *problem, ww_error *error);

/// The outputs when somebody else has summed the words over ranks. As ww_output_sum_finish
/// otherwise, but not collective: all ranks return the same.
ww_status ww_output_sum_take(const ww_output_sum *sum, double *outputs, ww_error *error);

/// After either: the sums of the extras, [samples, extras], the same on all ranks.
void ww_output_sum_extras(const ww_output_sum *sum, double *extras);

#endif
