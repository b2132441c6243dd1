/// Inputs as directions and norms, and the kernel between chunks of them.
///
/// Chunks have one size whatever the problem: what is missing is filled with zeroes. So every
/// product of BLAS has the same shape, and the bits of an entry do not depend on where in a chunk
/// its two inputs stand, nor on the number of ranks.
#ifndef WIDTHWISE_GRAM_DIRECTIONS_H
#define WIDTHWISE_GRAM_DIRECTIONS_H

#include "widthwise/error.h"
#include "widthwise/kernel.h"

#include <stdint.h>

/// Inputs in a chunk: the product reaches its full rate there.
enum { WW_CHUNK = 256 };

/// Norms of inputs. ||x||^2 = square 4^exponent, so that no input is too large or too small.
typedef struct ww_directions {
    const double *inputs; ///< [n, d], borrowed
    int64_t count, dimension;
    double *squares; ///< [n]
    int *exponents;  ///< [n]
} ww_directions;

/// WW_FAILED: memory is short. Not collective.
ww_status ww_directions_create(const double *inputs, int64_t count, int64_t dimension,
                               ww_directions *directions, ww_error *error);
void ww_directions_free(ww_directions *directions);

/// Largest norm. Pure.
double ww_directions_largest(const ww_directions *directions);

/// Some of the inputs, ready for products.
typedef struct ww_chunk {
    int64_t count; ///< at most WW_CHUNK
    double
        *vectors; ///< [WW_CHUNK, d]: unit vectors, or the inputs themselves; zeroes after `count`
    double norms[WW_CHUNK];
    double squares[WW_CHUNK];
    int exponents[WW_CHUNK];
} ww_chunk;

ww_status ww_chunk_create(int64_t dimension, ww_chunk *chunk, ww_error *error);
void ww_chunk_free(ww_chunk *chunk);

/// Fills a chunk with the unit vectors of `count` inputs whose indices are given.
void ww_chunk_load(const ww_directions *directions, const int64_t *indices, int64_t count,
                   ww_chunk *chunk);

/// The same with the inputs [n, d] as they are; norms are not set.
void ww_chunk_load_inputs(const double *inputs, int64_t dimension, const int64_t *indices,
                          int64_t count, ww_chunk *chunk);

/// values[j * WW_CHUNK + i] = left_i . right_j.
void ww_chunk_products(const ww_chunk *left, const ww_chunk *right, int64_t dimension,
                       double *values);

/// values[j * WW_CHUNK + i] = kernel of left_i and right_j.
void ww_chunk_kernel(const ww_kernel *kernel, const ww_chunk *left, const ww_chunk *right,
                     int64_t dimension, double *values);

/// Kernel of an input with itself.
double ww_chunk_kernel_diagonal(const ww_kernel *kernel, const ww_chunk *chunk, int64_t index);

/// An angle theta in [0, pi], kept with pi - theta, so that neither end loses digits.
typedef struct ww_angle {
    double angle, supplement;
} ww_angle;

/// Angle of two unit vectors [d] from their difference and their sum. Exactly 0 (or pi) when they
/// differ (or add up) to no more than rounding.
ww_angle ww_angle_between(const double *left, const double *right, int64_t dimension);

/// The kernel of two inputs of norm 1 at that angle.
double ww_kernel_at_angle(const ww_kernel *kernel, ww_angle angle);

/// values [WW_CHUNK] in: cosines in [-1, 1]; out: scale norms[i] times the kernel at that angle.
/// Done with vectors, where the maths library has them.
void ww_kernel_at_cosines(const ww_kernel *kernel, double scale, const double *norms,
                          double *values);

#endif
