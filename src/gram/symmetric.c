// Products with the symmetric matrix whose lower triangle lies in blocks, and its norms.

#include "gram/symmetric.h"
#include "gram/largest.h"
#include "gram/replicate.h"
#include "widthwise/block_matrix.h"
#include "widthwise/memory.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>

// Rows that are gone through at a time: they are read twice, the second time from the cache.
enum { ROWS_AT_ONCE = 1024 };

typedef struct product {
    const ww_block_matrix *matrix;
    int64_t columns;    ///< c
    double *row_in;     ///< [local rows, c]
    double *row_out;    ///< [local rows, c]
    double *column_in;  ///< [local columns, c]
    double *column_out; ///< [local columns, c]
} product;

static ww_status allocate(product *work, ww_error *error)
{
    const size_t rows = (size_t)work->matrix->local_rows;
    const size_t columns = (size_t)work->matrix->local_columns;
    const size_t size = (size_t)work->columns * sizeof(double);
    const char *what = "vectors of a product with a distributed matrix";
    const ww_allocation list[] = {{offsetof(product, row_in), rows, size, what},
                                  {offsetof(product, row_out), rows, size, what},
                                  {offsetof(product, column_in), columns, size, what},
                                  {offsetof(product, column_out), columns, size, what}};
    return ww_allocate_all(work, list, sizeof list / sizeof list[0], error);
}

static void release(product *work)
{
    free(work->row_in);
    free(work->row_out);
    free(work->column_in);
    free(work->column_out);
}

/// Local columns `first` .. first + width - 1, one block, with the local rows from `row` on, all
/// below the diagonal: row_out += A column_in, column_out += A' row_in.
static void multiply_below(product *work, int64_t first, int64_t width, int64_t row)
{
    const ww_block_matrix *matrix = work->matrix;
    const int c = ww_int(work->columns);
    const int leading = ww_int(matrix->leading);
    const int w = ww_int(width);
    const double *column_in = work->column_in + first * c;
    double *column_out = work->column_out + first * c;
    for (; row < matrix->local_rows; row += ROWS_AT_ONCE) {
        const int64_t rest = matrix->local_rows - row;
        const int rows = (int)(rest < ROWS_AT_ONCE ? rest : ROWS_AT_ONCE);
        const double *a = matrix->entries + first * matrix->leading + row;
        const double *row_in = work->row_in + row * c;
        double *row_out = work->row_out + row * c;
        if (c == 1) {
            cblas_dgemv(CblasColMajor, CblasNoTrans, rows, w, 1.0, a, leading, column_in, 1, 1.0,
                        row_out, 1);
            cblas_dgemv(CblasColMajor, CblasTrans, rows, w, 1.0, a, leading, row_in, 1, 1.0,
                        column_out, 1);
            continue;
        }
        // By rows, a is its own transpose.
        cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, rows, c, w, 1.0, a, leading, column_in,
                    c, 1.0, row_out, c);
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, w, c, rows, 1.0, a, leading, row_in,
                    c, 1.0, column_out, c);
    }
}

/// The block on the diagonal whose first local column and row are given.
static void multiply_diagonal(product *work, int64_t first, int64_t width, int64_t row)
{
    const ww_block_matrix *matrix = work->matrix;
    const int64_t c = work->columns;
    for (int64_t j = 0; j < width; j++) {
        const double *a = matrix->entries + (first + j) * matrix->leading + row;
        for (int64_t i = j; i < width; i++)
            for (int64_t k = 0; k < c; k++) {
                work->row_out[(row + i) * c + k] += a[i] * work->column_in[(first + j) * c + k];
                if (i > j)
                    work->column_out[(first + j) * c + k] += a[i] * work->row_in[(row + i) * c + k];
            }
    }
}

static void multiply(product *work)
{
    const ww_block_matrix *matrix = work->matrix;
    for (int64_t first = 0; first < matrix->local_columns; first += matrix->block) {
        const int64_t rest = matrix->local_columns - first;
        const int64_t width = rest < matrix->block ? rest : matrix->block;
        const int64_t column = ww_block_global_column(matrix, first);
        int64_t row = ww_block_local_row_from(matrix, column);
        if (ww_block_owns_row(matrix, column)) {
            multiply_diagonal(work, first, width, row);
            row += width;
        }
        multiply_below(work, first, width, row);
    }
}

static void gather(product *work, const double *x)
{
    const int64_t c = work->columns;
    for (int64_t i = 0; i < work->matrix->local_rows; i++)
        for (int64_t k = 0; k < c; k++)
            work->row_in[i * c + k] = x[ww_block_global_row(work->matrix, i) * c + k];
    for (int64_t j = 0; j < work->matrix->local_columns; j++)
        for (int64_t k = 0; k < c; k++)
            work->column_in[j * c + k] = x[ww_block_global_column(work->matrix, j) * c + k];
}

static void scatter(const product *work, double *out)
{
    const int64_t c = work->columns;
    for (int64_t i = 0; i < work->matrix->local_rows; i++)
        for (int64_t k = 0; k < c; k++)
            out[ww_block_global_row(work->matrix, i) * c + k] += work->row_out[i * c + k];
    for (int64_t j = 0; j < work->matrix->local_columns; j++)
        for (int64_t k = 0; k < c; k++)
            out[ww_block_global_column(work->matrix, j) * c + k] += work->column_out[j * c + k];
}

ww_status ww_block_symmetric_apply(const ww_block_matrix *matrix, const double *x, int64_t columns,
                                   double *out, ww_error *error)
{
    WW_ASSERT(matrix->rows == matrix->columns && columns >= 1);
    const ww_parallel *parallel = &matrix->grid->parallel;
    product work = {.matrix = matrix, .columns = columns};
    int ignored = 0;
    ww_status status = ww_to_int(columns, "the number of vectors", &ignored, error);
    if (status == WW_OK)
        status = allocate(&work, error);
    status = ww_agree(parallel, status, error);
    if (status == WW_OK) {
        gather(&work, x);
        multiply(&work);
        for (int64_t i = 0; i < matrix->rows * columns; i++)
            out[i] = 0.0;
        scatter(&work, out);
        status = ww_replicate_sum(parallel, out, (size_t)(matrix->rows * columns), error);
    }
    release(&work);
    return status;
}

static ww_status apply(void *context, const double *x, double *out, ww_error *error)
{
    return ww_block_symmetric_apply(context, x, 1, out, error);
}

ww_status ww_lanczos_symmetric(const ww_block_matrix *matrix, double tolerance, ww_extreme *extreme,
                               ww_error *error)
{
    ww_block_matrix view = *matrix; // the operator's context is not const
    return ww_lanczos(matrix->rows, apply, &view, &matrix->grid->parallel, tolerance, extreme,
                      error);
}

/// Square of the Frobenius norm divided by scale^2, of this rank's entries.
static double local_square(const ww_block_matrix *matrix, double scale)
{
    double sum = 0.0;
    for (int64_t j = 0; j < matrix->local_columns; j++) {
        const int64_t column = ww_block_global_column(matrix, j);
        for (int64_t i = ww_block_local_row_from(matrix, column); i < matrix->local_rows; i++) {
            const double entry = matrix->entries[j * matrix->leading + i] / scale;
            sum += (ww_block_global_row(matrix, i) == column ? 1.0 : 2.0) * entry * entry;
        }
    }
    return sum;
}

static double local_largest(const ww_block_matrix *matrix)
{
    double largest = 0.0;
    for (int64_t j = 0; j < matrix->local_columns; j++) {
        const int64_t from = ww_block_local_row_from(matrix, ww_block_global_column(matrix, j));
        for (int64_t i = from; i < matrix->local_rows; i++)
            largest = ww_larger(largest, fabs(matrix->entries[j * matrix->leading + i]));
    }
    return largest;
}

ww_status ww_gram_norms(const ww_block_matrix *matrix, ww_symmetric_norms *norms, ww_error *error)
{
    // An eigenvalue is as near as the square of the residual over the gap.
    const double tolerance = 1e-8;
    const ww_parallel *parallel = &matrix->grid->parallel;
    *norms = (ww_symmetric_norms){0};
    double largest = ww_nan_as_infinity(local_largest(matrix));
    WW_TRY(ww_maximum(parallel, &largest, 1, error));
    if (!isfinite(largest)) // the same on all ranks
        return ww_fail(error, WW_FAILED, "a matrix whose norms are asked for is not finite");
    if (largest == 0.0)
        return WW_OK;
    double square = local_square(matrix, largest);
    WW_TRY(ww_replicate_sum(parallel, &square, 1, error));
    norms->frobenius = largest * sqrt(square);
    ww_extreme extreme = {0};
    const ww_status status = ww_lanczos_symmetric(matrix, tolerance, &extreme, error);
    norms->spectral = fabs(extreme.value);
    norms->residual = extreme.residual;
    ww_extreme_free(&extreme);
    return status;
}
