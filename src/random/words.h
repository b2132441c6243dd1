/// Random words: what all draws are made of. Private to src/random.
#ifndef WIDTHWISE_RANDOM_WORDS_H
#define WIDTHWISE_RANDOM_WORDS_H

#include "widthwise/random.h"
#include "widthwise/versions.h"

#include <stddef.h>
#include <stdint.h>

/// Blocks that are worth handing over at once: their words stay in the first-level cache.
enum { WW_BLOCKS_AT_ONCE = 512 };

/// Words of 64 bits of the counter blocks first .. first + count - 1: block b holds the words 2 b,
/// in even[b - first], and 2 b + 1, in odd[b - first]. The counter of Philox 4x32-10 is (b low,
/// b high, purpose, substream), its key the seed; even is made of its results 0 (low half) and 1,
/// odd of 2 and 3. Pure.
void ww_random_words(ww_stream stream, uint64_t first, size_t count, uint64_t *even, uint64_t *odd);

/// Normals 2 i and 2 i + 1 from the words even[i] and odd[i], times `scale`, into out [2 count].
/// Pure.
void ww_normals_of_words(const uint64_t *even, const uint64_t *odd, size_t count, double scale,
                         double *out);

/// The versions of both, for tests that compare them.
typedef void (*ww_words_version)(ww_stream stream, uint64_t first, size_t count, uint64_t *even,
                                 uint64_t *odd);
typedef void (*ww_normals_version)(const uint64_t *even, const uint64_t *odd, size_t count,
                                   double scale, double *out);
extern const ww_words_version ww_words_versions[WW_VERSIONS];
extern const ww_normals_version ww_normals_versions[WW_VERSIONS];

#endif
