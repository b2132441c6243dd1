// H of the network that is infinitely wide, in place, in chunks of local rows and columns.

#include "gram/blocks.h"
#include "gram/directions.h"
#include "widthwise/gram.h"
#include "widthwise/memory.h"

#include <cblas.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

// Chunks of columns that are kept ready while the rows pass by once.
enum { COLUMN_CHUNKS = 4 };

// Squares of norms below this leave no room for n u lambda_max and for its inverse.
static const double SMALLEST_SQUARE = 1e-280;

typedef struct assembly {
    const ww_kernel *kernel;
    ww_directions directions;
    ww_chunk *left, *right;
    double *values; ///< [WW_CHUNK, WW_CHUNK]
    bool subtracts; ///< H is taken away, not put
    ww_block_matrix *matrix;
} assembly;

static ww_status allocate(const ww_gram_limit *limit, assembly *work, ww_error *error)
{
    WW_TRY(ww_directions_create(limit->inputs, limit->count, limit->dimension, &work->directions,
                                error));
    // Entries are at most the largest squared norm times the layers.
    const double largest = ww_directions_largest(&work->directions);
    if (!(largest * largest <= DBL_MAX / (double)limit->kernel->depth))
        return ww_fail(error, WW_USAGE,
                       "samples have norms up to %g, whose squares have no doubles: normalise them",
                       largest);
    if (largest > 0.0 && largest * largest < SMALLEST_SQUARE)
        return ww_fail(error, WW_USAGE,
                       "samples have norms of at most %g, whose squares are too small for doubles: "
                       "normalise them",
                       largest);
    if (!ww_grid_has_place(work->matrix->grid))
        return WW_OK;
    work->left = ww_allocate(1, sizeof(ww_chunk), "a chunk of samples", error);
    work->right = ww_allocate(COLUMN_CHUNKS, sizeof(ww_chunk), "chunks of samples", error);
    work->values = ww_allocate((size_t)WW_CHUNK * WW_CHUNK, sizeof(double), "a chunk of H", error);
    if (work->left == NULL || work->right == NULL || work->values == NULL)
        return WW_FAILED;
    WW_TRY(ww_chunk_create(limit->dimension, work->left, error));
    for (int k = 0; k < COLUMN_CHUNKS; k++)
        WW_TRY(ww_chunk_create(limit->dimension, &work->right[k], error));
    return WW_OK;
}

static void release(assembly *work)
{
    if (work->left != NULL)
        ww_chunk_free(work->left);
    for (int k = 0; work->right != NULL && k < COLUMN_CHUNKS; k++)
        ww_chunk_free(&work->right[k]);
    free(work->left);
    free(work->right);
    free(work->values);
    ww_directions_free(&work->directions);
}

/// Puts a chunk's values where they belong, diagonal and below.
static void place_chunk(assembly *work, const ww_part *part, const ww_chunk *right)
{
    ww_block_matrix *matrix = work->matrix;
    for (int64_t j = 0; j < part->columns; j++) {
        const int64_t column = ww_block_global_column(matrix, part->first_column + j);
        const int64_t from = ww_block_local_row_from(matrix, column) - part->first_row;
        double *values = work->values + j * WW_CHUNK;
        if (from >= 0 && from < part->rows &&
            ww_block_global_row(matrix, part->first_row + from) == column)
            values[from] = ww_chunk_kernel_diagonal(work->kernel, right, j);
        if (work->subtracts)
            ww_part_column_subtract(matrix, part, j, values);
        else
            ww_part_column_set(matrix, part, j, values);
    }
}

static void fill(assembly *work)
{
    ww_block_matrix *matrix = work->matrix;
    int64_t indices[WW_CHUNK];
    ww_chunk *left = work->left;
    const int64_t d = work->directions.dimension;
    for (int64_t begin = 0; begin < matrix->local_columns;
         begin += (int64_t)COLUMN_CHUNKS * WW_CHUNK) {
        int chunks = 0;
        for (int64_t c = begin; chunks < COLUMN_CHUNKS && c < matrix->local_columns;
             c += WW_CHUNK, chunks++) {
            const int64_t count = ww_part_columns(matrix, c, indices);
            ww_chunk_load(&work->directions, indices, count, &work->right[chunks]);
        }
        int64_t r = ww_block_local_row_from(matrix, ww_block_global_column(matrix, begin));
        for (; r < matrix->local_rows; r += WW_CHUNK) {
            const int64_t count = ww_part_rows(matrix, r, indices);
            ww_chunk_load(&work->directions, indices, count, left);
            for (int k = 0; k < chunks; k++) {
                const ww_part part = {.first_row = r,
                                      .rows = count,
                                      .first_column = begin + (int64_t)k * WW_CHUNK,
                                      .columns = work->right[k].count};
                if (ww_part_is_above(matrix, &part))
                    break;
                ww_chunk_kernel(work->kernel, left, &work->right[k], d, work->values);
                place_chunk(work, &part, &work->right[k]);
            }
        }
    }
}

static ww_status assemble(const ww_gram_limit *limit, bool subtracts, ww_block_matrix *matrix,
                          ww_error *error)
{
    if (matrix->rows != limit->count || matrix->columns != limit->count)
        return ww_fail(
            error, WW_USAGE, "the Gram matrix of %lld samples was asked for as %lld x %lld",
            (long long)limit->count, (long long)matrix->rows, (long long)matrix->columns);
    openblas_set_num_threads(1); // one rank, one core
    assembly work = {.kernel = limit->kernel, .subtracts = subtracts, .matrix = matrix};
    const ww_status status =
        ww_agree(&matrix->grid->parallel, allocate(limit, &work, error), error);
    if (status == WW_OK && ww_grid_has_place(matrix->grid))
        fill(&work);
    release(&work);
    return status;
}

ww_status ww_gram_limit_fill(void *context, ww_block_matrix *matrix, ww_error *error)
{
    return assemble(context, false, matrix, error);
}

ww_status ww_gram_limit_subtract(const ww_gram_limit *limit, ww_block_matrix *matrix,
                                 ww_error *error)
{
    return assemble(limit, true, matrix, error);
}

void ww_gram_limit_cost(const ww_gram_limit *limit, const ww_grid *grid, int64_t *bytes,
                        double *flops)
{
    const double n = (double)limit->count;
    *bytes = limit->count * (int64_t)(sizeof(double) + sizeof(int));
    *flops = 0.0;
    if (!ww_grid_has_place(grid))
        return;
    *bytes += (limit->dimension * WW_CHUNK * (1 + COLUMN_CHUNKS) + (int64_t)WW_CHUNK * WW_CHUNK) *
              (int64_t)sizeof(double);
    *flops = n * n * (double)limit->dimension / ((double)grid->rows * (double)grid->columns);
}
