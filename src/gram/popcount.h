/// Counts of bits that two samples share.
#ifndef WIDTHWISE_GRAM_POPCOUNT_H
#define WIDTHWISE_GRAM_POPCOUNT_H

#include <stdint.h>

/// Bits set in both of left [words] and right [words]. The fastest way of this processor is taken.
typedef int64_t (*ww_common_bits)(const uint64_t *left, const uint64_t *right, int64_t words);

/// The way to be taken on this processor. Pure.
ww_common_bits ww_common_bits_choose(void);

/// The plain way. Pure.
int64_t ww_common_bits_plain(const uint64_t *left, const uint64_t *right, int64_t words);

#endif
