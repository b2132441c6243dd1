#include "gram/directions.h"

#include "widthwise/memory.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

// Beyond this cosine an arc cosine loses more than two bits, and angles come from differences.
static const double NEAR = 0.98;

ww_status ww_directions_create(const double *inputs, int64_t count, int64_t dimension,
                               ww_directions *directions, ww_error *error)
{
    *directions = (ww_directions){.inputs = inputs, .count = count, .dimension = dimension};
    directions->squares = ww_allocate((size_t)count, sizeof(double), "norms of samples", error);
    directions->exponents = ww_allocate((size_t)count, sizeof(int), "norms of samples", error);
    if (directions->squares == NULL || directions->exponents == NULL)
        return WW_FAILED;
    for (int64_t i = 0; i < count; i++) {
        const double *input = inputs + i * dimension;
        double largest = 0.0;
        for (int64_t j = 0; j < dimension; j++)
            largest = fmax(largest, fabs(input[j]));
        int exponent = 0;
        (void)frexp(largest, &exponent);
        // 2^-exponent has to be a double itself.
        exponent = exponent < -1021 ? -1021 : exponent;
        const double scale = ldexp(1.0, -exponent);
        long double square = 0.0L;
        for (int64_t j = 0; j < dimension; j++) {
            const long double entry = (long double)(input[j] * scale);
            square += entry * entry;
        }
        directions->squares[i] = (double)square;
        directions->exponents[i] = exponent;
    }
    return WW_OK;
}

void ww_directions_free(ww_directions *directions)
{
    free(directions->squares);
    free(directions->exponents);
    *directions = (ww_directions){0};
}

static double norm_of(const ww_directions *directions, int64_t index)
{
    return ldexp(sqrt(directions->squares[index]), directions->exponents[index]);
}

double ww_directions_largest(const ww_directions *directions)
{
    double largest = 0.0;
    for (int64_t i = 0; i < directions->count; i++)
        largest = fmax(largest, norm_of(directions, i));
    return largest;
}

ww_status ww_chunk_create(int64_t dimension, ww_chunk *chunk, ww_error *error)
{
    int ignored = 0;
    memset(chunk, 0, sizeof *chunk);
    WW_TRY(ww_to_int(dimension, "the dimension of the inputs", &ignored, error));
    chunk->vectors =
        ww_allocate((size_t)dimension * WW_CHUNK, sizeof(double), "a chunk of samples", error);
    return chunk->vectors == NULL ? WW_FAILED : WW_OK;
}

void ww_chunk_free(ww_chunk *chunk)
{
    free(chunk->vectors);
    chunk->vectors = NULL;
}

/// Zeroes after the inputs of a chunk.
static void clear_rest(ww_chunk *chunk, int64_t dimension)
{
    const int64_t rest = (WW_CHUNK - chunk->count) * dimension;
    memset(chunk->vectors + chunk->count * dimension, 0, (size_t)rest * sizeof(double));
    for (int64_t i = chunk->count; i < WW_CHUNK; i++) {
        chunk->norms[i] = chunk->squares[i] = 0.0;
        chunk->exponents[i] = 0;
    }
}

void ww_chunk_load(const ww_directions *directions, const int64_t *indices, int64_t count,
                   ww_chunk *chunk)
{
    const int64_t d = directions->dimension;
    chunk->count = count;
    for (int64_t i = 0; i < count; i++) {
        const double *input = directions->inputs + indices[i] * d;
        double *vector = chunk->vectors + i * d;
        const double square = directions->squares[indices[i]];
        const double scale = ldexp(1.0, -directions->exponents[indices[i]]);
        const double inverse = square > 0.0 ? 1.0 / sqrt(square) : 0.0;
        for (int64_t j = 0; j < d; j++)
            vector[j] = input[j] * scale * inverse;
        chunk->norms[i] = norm_of(directions, indices[i]);
        chunk->squares[i] = square;
        chunk->exponents[i] = directions->exponents[indices[i]];
    }
    clear_rest(chunk, d);
}

void ww_chunk_load_inputs(const double *inputs, int64_t dimension, const int64_t *indices,
                          int64_t count, ww_chunk *chunk)
{
    chunk->count = count;
    for (int64_t i = 0; i < count; i++)
        memcpy(chunk->vectors + i * dimension, inputs + indices[i] * dimension,
               (size_t)dimension * sizeof(double));
    clear_rest(chunk, dimension);
}

void ww_chunk_products(const ww_chunk *left, const ww_chunk *right, int64_t dimension,
                       double *values)
{
    const int d = ww_int(dimension);
    cblas_dgemm(CblasColMajor, CblasTrans, CblasNoTrans, WW_CHUNK, WW_CHUNK, d, 1.0, left->vectors,
                d, right->vectors, d, 0.0, values, WW_CHUNK);
}

/// Product of two norms times `value`. For inputs of equal norm it is exactly ||x||^2 value: the
/// root of a square is exact.
static double with_norms(const ww_chunk *left, int64_t i, const ww_chunk *right, int64_t j,
                         double value)
{
    return ldexp(sqrt(left->squares[i] * right->squares[j]) * value,
                 left->exponents[i] + right->exponents[j]);
}

void ww_chunk_kernel(const ww_kernel *kernel, const ww_chunk *left, const ww_chunk *right,
                     int64_t dimension, double *values)
{
    ww_chunk_products(left, right, dimension, values);
    int near[WW_CHUNK];
    for (int64_t j = 0; j < right->count; j++) {
        double *column = values + j * WW_CHUNK;
        int near_count = 0;
        for (int i = 0; i < WW_CHUNK; i++) { // no branch: almost none are near
            near[near_count] = i;
            near_count += fabs(column[i]) > NEAR;
        }
        ww_kernel_at_cosines(kernel, right->norms[j], left->norms, column);
        for (int k = 0; k < near_count; k++) {
            const ww_angle angle = ww_angle_between(left->vectors + near[k] * dimension,
                                                    right->vectors + j * dimension, dimension);
            column[near[k]] =
                with_norms(left, near[k], right, j, ww_kernel_at_angle(kernel, angle));
        }
    }
}

double ww_chunk_kernel_diagonal(const ww_kernel *kernel, const ww_chunk *chunk, int64_t index)
{
    const ww_angle none = ww_angle_between(chunk->vectors, chunk->vectors, 0);
    return with_norms(chunk, index, chunk, index, ww_kernel_at_angle(kernel, none));
}
