/// A matrix in memory whose rows are divided over ranks, and its singular values found the slow
/// way.
#ifndef WIDTHWISE_TESTS_TALL_MATRIX_H
#define WIDTHWISE_TESTS_TALL_MATRIX_H

#include "cmocka_all.h"

#include "base/lapack.h"
#include "measure/spectrum.h"
#include "widthwise/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct tall_matrix {
    int64_t rows, columns; ///< m, d
    int64_t tile_units;
    double *entries;  ///< [m, d], replicated
    int *calls;       ///< [tiles], how often each tile was asked for
    int64_t bad_tile; ///< a tile that cannot be had; -1: none
} tall_matrix;

static inline int64_t tall_matrix_tiles(const tall_matrix *matrix)
{
    return (matrix->rows + matrix->tile_units - 1) / matrix->tile_units;
}

/// Normals.
static inline tall_matrix tall_matrix_create(int64_t rows, int64_t columns, int64_t tile_units)
{
    tall_matrix matrix = {
        .rows = rows, .columns = columns, .tile_units = tile_units, .bad_tile = -1};
    matrix.entries = malloc((size_t)(rows * columns) * sizeof(double));
    matrix.calls = calloc((size_t)tall_matrix_tiles(&matrix), sizeof(int));
    assert_true(matrix.entries != NULL && matrix.calls != NULL);
    ww_normals((ww_stream){.seed = 9, .purpose = WW_DRAW_HIDDEN_WEIGHTS, .substream = 0}, 0,
               (size_t)(rows * columns), matrix.entries);
    return matrix;
}

static inline void tall_matrix_free(tall_matrix *matrix)
{
    free(matrix->entries);
    free(matrix->calls);
}

/// Tiles smaller than those of ww_tiling_make, so that small matrices have many.
static inline ww_tiling tall_matrix_tiling(const tall_matrix *matrix, int rank, int size)
{
    ww_tiling tiling = {.width = matrix->rows,
                        .tile_units = matrix->tile_units,
                        .tile_count = tall_matrix_tiles(matrix)};
    while (tiling.first_tile < tiling.tile_count &&
           ww_tile_owner(&tiling, tiling.first_tile, size) < rank)
        ++tiling.first_tile;
    int64_t end = tiling.first_tile;
    while (end < tiling.tile_count && ww_tile_owner(&tiling, end, size) == rank)
        ++end;
    tiling.local_tiles = end - tiling.first_tile;
    tiling.first_unit = tiling.first_tile * tiling.tile_units;
    if (tiling.first_unit > tiling.width)
        tiling.first_unit = tiling.width;
    const int64_t end_unit = end * tiling.tile_units;
    tiling.local_units = (end_unit < tiling.width ? end_unit : tiling.width) - tiling.first_unit;
    return tiling;
}

static inline ww_status tall_matrix_rows(void *context, int64_t tile, double *rows, ww_error *error)
{
    tall_matrix *matrix = context;
    ++matrix->calls[tile];
    if (tile == matrix->bad_tile)
        return ww_fail(error, WW_FAILED, "tile %lld cannot be had", (long long)tile);
    const int64_t first = tile * matrix->tile_units;
    const int64_t rest = matrix->rows - first;
    const int64_t units = rest < matrix->tile_units ? rest : matrix->tile_units;
    memcpy(rows, matrix->entries + first * matrix->columns,
           (size_t)(units * matrix->columns) * sizeof *rows);
    return WW_OK;
}

static inline int64_t tall_matrix_values(const tall_matrix *matrix)
{
    return matrix->rows < matrix->columns ? matrix->rows : matrix->columns;
}

static inline double *tall_matrix_new_values(const tall_matrix *matrix)
{
    double *values = calloc((size_t)tall_matrix_values(matrix), sizeof *values);
    assert_non_null(values);
    return values;
}

/// ww_singular_values of the matrix over the ranks of `parallel`.
static inline ww_status tall_matrix_measure(tall_matrix *matrix, const ww_parallel *parallel,
                                            double *values, ww_error *error)
{
    const ww_tiling tiling = tall_matrix_tiling(matrix, parallel->rank, parallel->size);
    return ww_singular_values(&tiling, matrix->columns, tall_matrix_rows, matrix, parallel, values,
                              error);
}

/// Singular values of the whole matrix at once.
static inline void tall_matrix_dense(const tall_matrix *matrix, double *values)
{
    const size_t count = (size_t)(matrix->rows * matrix->columns);
    const int m = (int)matrix->columns; // transposed: the singular values are the same
    const int n = (int)matrix->rows;
    const int one = 1;
    const int work_size = 64 * (m + n);
    int info = 0;
    double unused = 0;
    double *copy = malloc(count * sizeof *copy);
    double *work = malloc((size_t)work_size * sizeof *work);
    assert_true(copy != NULL && work != NULL);
    memcpy(copy, matrix->entries, count * sizeof *copy);
    dgesvd_("N", "N", &m, &n, copy, &m, values, &unused, &one, &unused, &one, work, &work_size,
            &info, 1, 1);
    assert_int_equal(info, 0);
    free(copy);
    free(work);
}

/// Largest difference of two lists of singular values, in units of the largest value.
static inline double largest_difference(const double *values, const double *expected, int64_t count)
{
    double largest = 0;
    for (int64_t i = 0; i < count; ++i) {
        const double difference = fabs(values[i] - expected[i]) / expected[0];
        if (!(difference <= largest)) // a NaN counts too
            largest = difference;
    }
    return largest;
}

#endif
