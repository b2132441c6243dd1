/// Random numbers as a pure function of (seed, purpose, substream, index).
///
/// Philox 4x32-10 of Random123 is keyed by the seed; its counter holds the index, the purpose and
/// the substream. So number i of a stream is the same whoever draws it, in whatever order: nothing
/// about the generator is ever saved, and the initial weights are drawn again instead of kept. The
/// transformation to normals uses this code's own polynomials (no libm), without contraction, so
/// the bits are the same for every compiler flag, C library and processor with IEEE arithmetic.
#ifndef WIDTHWISE_RANDOM_H
#define WIDTHWISE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/// What numbers are drawn for. The values are part of every stored result: never renumber.
typedef enum ww_purpose {
    WW_DRAW_HIDDEN_WEIGHTS = 1, ///< of layer l: substream l - 1
    WW_DRAW_OUTPUT_WEIGHTS = 2,
    WW_DRAW_MEANS = 3,
    WW_DRAW_TRAIN_COMPONENTS = 4,
    WW_DRAW_TRAIN_INPUTS = 5,
    WW_DRAW_TEST_COMPONENTS = 6,
    WW_DRAW_TEST_INPUTS = 7,
    WW_DRAW_TRAIN_LABELS = 8,
    WW_DRAW_TEST_LABELS = 9,
    WW_DRAW_BATCHES = 10,
    WW_DRAW_FUNCTION = 11,  ///< directions (substream 0) and factors (1) of the terms of a function
    WW_DRAW_ROW_NORMS = 12, ///< further coordinates of rows that are uniform in a ball
    WW_DRAW_SEPARATOR = 13, ///< the direction that separates a separable source
    WW_DRAW_SUBSET = 14,    ///< the order in which samples are looked at by dual coordinate ascent
    WW_DRAW_CONSTRUCTION = 15, ///< directions of weights that are built (substream 0), those in
                               ///< which they are tried (1), and groupings of samples (2 + t)
    WW_DRAW_SPHERE = 16, ///< points of the source sphere and its targets: substreams in sphere.c
} ww_purpose;

/// One stream of numbers.
typedef struct ww_stream {
    uint64_t seed;
    uint32_t purpose;   ///< a ww_purpose
    uint32_t substream; ///< e.g. the epoch
} ww_stream;

/// Standard normals number first .. first + count - 1 of the stream, into out [count].
void ww_normals(ww_stream stream, uint64_t first, size_t count, double *out);

/// The same numbers, each times `scale`: the bits of a product taken afterwards.
void ww_scaled_normals(ww_stream stream, uint64_t first, size_t count, double scale, double *out);

/// Uniforms in the open interval (0, 1), 53 bits, into out [count].
void ww_uniforms(ww_stream stream, uint64_t first, size_t count, double *out);

/// Integers in [0, bound), into out [count]; bound >= 1. The bias is below bound / 2^64.
void ww_integers(ww_stream stream, uint64_t first, size_t count, int64_t bound, int64_t *out);

/// A uniform permutation of 0 .. count - 1 (Fisher-Yates), into out [count].
void ww_permutation(ww_stream stream, int64_t count, int64_t *out);

#endif
