/// Inputs that make a Gram matrix hard, and small helpers of its tests.
#ifndef WIDTHWISE_TESTS_GRAM_SUPPORT_H
#define WIDTHWISE_TESTS_GRAM_SUPPORT_H

#include "cmocka_all.h"

#include "widthwise/gram.h"
#include "widthwise/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static inline double *new_doubles(int64_t count)
{
    double *values = calloc((size_t)(count > 0 ? count : 1), sizeof *values);
    assert_non_null(values);
    return values;
}

/// Normals [count], a pure function of `which`.
static inline double *new_normals(int64_t count, uint32_t which)
{
    double *values = new_doubles(count);
    ww_normals((ww_stream){.seed = 17, .purpose = WW_DRAW_TRAIN_INPUTS, .substream = which}, 0,
               (size_t)count, values);
    return values;
}

/// Inputs [n, d] on the unit sphere.
static inline double *new_sphere(int64_t count, int64_t dimension, uint32_t which)
{
    double *inputs = new_normals(count * dimension, which);
    for (int64_t i = 0; i < count; i++) {
        double square = 0.0;
        for (int64_t j = 0; j < dimension; j++)
            square += inputs[i * dimension + j] * inputs[i * dimension + j];
        for (int64_t j = 0; j < dimension; j++)
            inputs[i * dimension + j] /= sqrt(square);
    }
    return inputs;
}

/// Inputs of many norms, and among them: equal ones, equal ones up to a factor, opposite ones,
/// nearly equal and nearly opposite ones at 1e-3 to 1e-12 and less, and a zero vector. n >= 60.
static inline double *new_hard_inputs(int64_t count, int64_t dimension)
{
    assert_true(count >= 60);
    const int64_t d = dimension;
    double *inputs = new_normals(count * d, 1);
    double *noise = new_normals(count * d, 2);
    for (int64_t i = 0; i < count; i++)
        for (int64_t j = 0; j < d; j++)
            inputs[i * d + j] *= pow(10.0, (double)(i % 7) - 3.0);
    for (int64_t j = 0; j < d; j++) {
        const double base = inputs[3 * d + j];
        const double other = noise[j] * 1e0;
        inputs[20 * d + j] = base;
        inputs[21 * d + j] = 2.0 * base;
        inputs[22 * d + j] = 3.0 * base;
        inputs[23 * d + j] = -base;
        inputs[24 * d + j] = -0.3 * base;
        inputs[25 * d + j] = 0.0;
        for (int64_t k = 0; k < 15; k++) { // 1e-3 .. 1e-17
            const double distance = pow(10.0, -3.0 - (double)k);
            inputs[(26 + k) * d + j] = base + distance * other;
            inputs[(41 + k) * d + j] = -base * 1.7 + distance * other;
        }
        inputs[56 * d + j] = base + 0.05 * other; // on both sides of where differences are taken
        inputs[57 * d + j] = base + 0.2 * other;
        inputs[58 * d + j] = -base + 0.2 * other;
        inputs[59 * d + j] = base + 0.3 * other;
    }
    free(noise);
    return inputs;
}

/// Copies the lower triangle, diagonal included, into both of `full` [n, n] on all ranks. Entries
/// that no rank has stay 0.
static inline void gather_lower(const ww_block_matrix *matrix, double *full)
{
    const int64_t n = matrix->rows;
    memset(full, 0, (size_t)(n * n) * sizeof *full);
    for (int64_t j = 0; j < matrix->local_columns; j++)
        for (int64_t i = 0; i < matrix->local_rows; i++) {
            const int64_t row = ww_block_global_row(matrix, i);
            const int64_t column = ww_block_global_column(matrix, j);
            if (row >= column)
                full[row * n + column] = full[column * n + row] =
                    matrix->entries[j * matrix->leading + i] + 0.0; // no -0.0
        }
    assert_int_equal(MPI_Allreduce(MPI_IN_PLACE, full, (int)(n * n), MPI_DOUBLE, MPI_SUM,
                                   matrix->grid->parallel.communicator),
                     MPI_SUCCESS);
}

static inline double largest_difference(const double *a, const double *b, int64_t count)
{
    double largest = 0.0;
    for (int64_t i = 0; i < count; i++) {
        const double difference = fabs(a[i] - b[i]);
        if (!(difference <= largest)) // a NaN comes through
            largest = difference;
    }
    return largest;
}

static inline double largest_magnitude(const double *a, int64_t count)
{
    double largest = 0.0;
    for (int64_t i = 0; i < count; i++)
        largest = fmax(largest, fabs(a[i]));
    return largest;
}

#endif
