/// Products of all train samples with each other, K = X X^T: once in the memory of a node.
#ifndef WIDTHWISE_TRAIN_SAMPLE_PRODUCTS_H
#define WIDTHWISE_TRAIN_SAMPLE_PRODUCTS_H

#include "widthwise/shared.h"
#include "widthwise/train.h"

/// Starts as zeroes. Nobody writes to it.
typedef struct ww_sample_products {
    const double *values; ///< K [n, stride], the same both ways to the last bit; beyond n 0
    int64_t samples;      ///< n
    int64_t stride;       ///< n rounded up to whole words of patterns
    ww_shared shared;
} ww_sample_products;

/// Patterns of a unit, a bit a sample, lie in words of so many.
enum { WW_PATTERN_WORD = 64 };

/// Words of patterns for `samples` samples. Pure.
static inline int64_t ww_pattern_words(int64_t samples)
{
    return (samples + WW_PATTERN_WORD - 1) / WW_PATTERN_WORD;
}

static inline bool ww_pattern_has(const uint64_t *patterns, int64_t sample)
{
    return (patterns[sample / WW_PATTERN_WORD] >> sample % WW_PATTERN_WORD & 1) != 0;
}

/// Columns that a row of K for `samples` samples has. Pure.
static inline int64_t ww_sample_products_stride(int64_t samples)
{
    return WW_PATTERN_WORD * ww_pattern_words(samples);
}

/// Made by all ranks of a node together; the same bits on any number of ranks and threads. Free
/// with ww_sample_products_free, also after a failure. WW_FAILED: memory is short. Collective.
ww_status ww_sample_products_create(const ww_problem *problem, ww_sample_products *products,
                                    ww_error *error);
/// Not collective.
void ww_sample_products_free(ww_sample_products *products);
/// Bytes that a node has of it. Pure.
int64_t ww_sample_products_bytes(const ww_problem *problem);

#endif
