// The kernel between two sets of inputs, times coefficients: what an infinitely wide network
// predicts. Chunks of rows are divided over ranks; each entry is made by calls of one shape and
// summed in one order, so the bits do not depend on the ranks.

#include "gram/directions.h"
#include "gram/replicate.h"
#include "widthwise/kernel.h"
#include "widthwise/memory.h"

#include <cblas.h>
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef struct application {
    const ww_kernel *kernel;
    ww_directions rows, inputs;
    ww_chunk *left, *right;
    double *values;       ///< [WW_CHUNK, WW_CHUNK]
    double *coefficients; ///< [WW_CHUNK, c], zeroes after the last
    double *sums;         ///< [WW_CHUNK, c]
    int columns;          ///< c
} application;

static ww_status allocate(application *work, const double *rows, int64_t row_count,
                          const double *inputs, int64_t input_count, int64_t dimension,
                          ww_error *error)
{
    WW_TRY(ww_directions_create(rows, row_count, dimension, &work->rows, error));
    WW_TRY(ww_directions_create(inputs, input_count, dimension, &work->inputs, error));
    const double left = ww_directions_largest(&work->rows);
    const double right = ww_directions_largest(&work->inputs);
    if (!(left * right <= DBL_MAX / (double)work->kernel->depth))
        return ww_fail(error, WW_USAGE,
                       "samples have norms up to %g and %g, whose products have no doubles: "
                       "normalise them",
                       left, right);
    const size_t size = (size_t)work->columns * sizeof(double);
    const ww_allocation list[] = {
        {offsetof(application, left), 1, sizeof(ww_chunk), "a chunk of samples"},
        {offsetof(application, right), 1, sizeof(ww_chunk), "a chunk of samples"},
        {offsetof(application, values), (size_t)WW_CHUNK * WW_CHUNK, sizeof(double),
         "a chunk of a kernel"},
        {offsetof(application, coefficients), WW_CHUNK, size, "coefficients of a kernel"},
        {offsetof(application, sums), WW_CHUNK, size, "sums of a kernel"},
    };
    WW_TRY(ww_allocate_all(work, list, sizeof list / sizeof list[0], error));
    WW_TRY(ww_chunk_create(dimension, work->left, error));
    return ww_chunk_create(dimension, work->right, error);
}

static void release(application *work)
{
    if (work->left != NULL)
        ww_chunk_free(work->left);
    if (work->right != NULL)
        ww_chunk_free(work->right);
    free(work->left);
    free(work->right);
    free(work->values);
    free(work->coefficients);
    free(work->sums);
    ww_directions_free(&work->rows);
    ww_directions_free(&work->inputs);
}

/// Loads the chunk of `set` that begins at `start`.
static void load(const ww_directions *set, int64_t start, ww_chunk *chunk)
{
    int64_t indices[WW_CHUNK];
    int64_t count = 0;
    for (; count < WW_CHUNK && start + count < set->count; count++)
        indices[count] = start + count;
    ww_chunk_load(set, indices, count, chunk);
}

/// sums += K(left, right) coefficients.
static void add_chunk(application *work, const double *coefficients)
{
    const size_t size = (size_t)work->columns * sizeof(double);
    const size_t count = (size_t)work->right->count;
    ww_chunk_kernel(work->kernel, work->left, work->right, work->inputs.dimension, work->values);
    memcpy(work->coefficients, coefficients, count * size);
    for (size_t j = count; j < WW_CHUNK; j++) { // nothing stale meets the zeroes
        memset(work->coefficients + j * (size_t)work->columns, 0, size);
        memset(work->values + j * WW_CHUNK, 0, WW_CHUNK * sizeof(double));
    }
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, WW_CHUNK, work->columns, WW_CHUNK, 1.0,
                work->values, WW_CHUNK, work->coefficients, work->columns, 1.0, work->sums,
                work->columns);
}

static void apply(application *work, const double *coefficients, const ww_parallel *parallel,
                  double *out)
{
    const int64_t c = work->columns;
    for (int64_t row = parallel->rank * (int64_t)WW_CHUNK; row < work->rows.count;
         row += parallel->size * (int64_t)WW_CHUNK) {
        load(&work->rows, row, work->left);
        memset(work->sums, 0, (size_t)(WW_CHUNK * c) * sizeof(double));
        for (int64_t start = 0; start < work->inputs.count; start += WW_CHUNK) {
            load(&work->inputs, start, work->right);
            add_chunk(work, coefficients + start * c);
        }
        memcpy(out + row * c, work->sums, (size_t)(work->left->count * c) * sizeof(double));
    }
}

ww_status ww_kernel_apply(const ww_kernel *kernel, const double *rows, int64_t row_count,
                          const double *inputs, int64_t input_count, int64_t dimension,
                          const double *coefficients, int64_t columns, const ww_parallel *parallel,
                          double *out, ww_error *error)
{
    WW_ASSERT(columns >= 1);
    openblas_set_num_threads(1); // one rank, one core
    application work = {.kernel = kernel};
    ww_status status = ww_to_int(columns, "the columns of coefficients", &work.columns, error);
    if (status == WW_OK)
        status = allocate(&work, rows, row_count, inputs, input_count, dimension, error);
    status = ww_agree(parallel, status, error);
    if (status == WW_OK) {
        memset(out, 0, (size_t)(row_count * columns) * sizeof(double));
        apply(&work, coefficients, parallel, out);
        status = ww_replicate_sum(parallel, out, (size_t)(row_count * columns), error);
    }
    release(&work);
    return status;
}

void ww_kernel_apply_cost(int64_t row_count, int64_t input_count, int64_t dimension,
                          int64_t columns, int ranks, int64_t *bytes, double *flops)
{
    *bytes = (2 * dimension + WW_CHUNK + 2 * columns) * WW_CHUNK * 8 +
             (row_count + input_count) * (int64_t)(sizeof(double) + sizeof(int));
    const int64_t chunks = (row_count + WW_CHUNK - 1) / WW_CHUNK;
    const int64_t share = (chunks + ranks - 1) / ranks * WW_CHUNK;
    *flops = 2.0 * (double)(share < row_count ? share : row_count) * (double)input_count *
             (double)(dimension + columns);
}
