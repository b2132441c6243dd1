// Products of eigenvectors with vectors that all ranks have.

#include "gram/replicate.h"
#include "widthwise/gram.h"
#include "widthwise/memory.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>

/// Local vectors of a product.
typedef struct pieces {
    double *in;  ///< [local rows or columns, c]
    double *out; ///< [local columns or rows, c]
} pieces;

static ww_status allocate(pieces *work, int64_t in, int64_t out, int64_t columns, ww_error *error)
{
    const size_t size = (size_t)columns * sizeof(double);
    int ignored = 0;
    WW_TRY(ww_to_int(columns, "the number of vectors", &ignored, error));
    work->in = ww_allocate((size_t)in, size, "vectors to be projected", error);
    work->out = ww_allocate((size_t)out, size, "projections", error);
    return work->in == NULL || work->out == NULL ? WW_FAILED : WW_OK;
}

/// Place of an eigenvector among falling eigenvalues.
static int64_t place_of(const ww_spectrum *spectrum, int64_t local_column)
{
    return spectrum->order - 1 - ww_block_global_column(&spectrum->vectors, local_column);
}

ww_status ww_spectrum_project(const ww_spectrum *spectrum, const double *y, int64_t columns,
                              double *out, ww_error *error)
{
    WW_ASSERT(spectrum->has_vectors && columns >= 1);
    const ww_block_matrix *v = &spectrum->vectors;
    const ww_parallel *parallel = &v->grid->parallel;
    const size_t size = (size_t)columns * sizeof(double);
    pieces work = {0};
    ww_status status =
        ww_agree(parallel, allocate(&work, v->local_rows, v->local_columns, columns, error), error);
    if (status == WW_OK) {
        memset(out, 0, (size_t)spectrum->order * size);
        for (int64_t i = 0; i < v->local_rows; i++)
            memcpy(work.in + i * columns, y + ww_block_global_row(v, i) * columns, size);
        if (v->local_rows > 0 && v->local_columns > 0)
            cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, ww_int(v->local_columns),
                        ww_int(columns), ww_int(v->local_rows), 1.0, v->entries, ww_int(v->leading),
                        work.in, ww_int(columns), 0.0, work.out, ww_int(columns));
        for (int64_t j = 0; j < v->local_columns; j++)
            memcpy(out + place_of(spectrum, j) * columns, work.out + j * columns, size);
        status = ww_replicate_sum(parallel, out, (size_t)(spectrum->order * columns), error);
    }
    free(work.in);
    free(work.out);
    return status;
}

ww_status ww_spectrum_combine(const ww_spectrum *spectrum, const double *coefficients,
                              int64_t columns, double *out, ww_error *error)
{
    WW_ASSERT(spectrum->has_vectors && columns >= 1);
    const ww_block_matrix *v = &spectrum->vectors;
    const ww_parallel *parallel = &v->grid->parallel;
    const size_t size = (size_t)columns * sizeof(double);
    pieces work = {0};
    ww_status status =
        ww_agree(parallel, allocate(&work, v->local_columns, v->local_rows, columns, error), error);
    if (status == WW_OK) {
        memset(out, 0, (size_t)spectrum->order * size);
        for (int64_t j = 0; j < v->local_columns; j++)
            memcpy(work.in + j * columns, coefficients + place_of(spectrum, j) * columns, size);
        if (v->local_rows > 0 && v->local_columns > 0)
            cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, ww_int(v->local_rows),
                        ww_int(columns), ww_int(v->local_columns), 1.0, v->entries,
                        ww_int(v->leading), work.in, ww_int(columns), 0.0, work.out,
                        ww_int(columns));
        for (int64_t i = 0; i < v->local_rows; i++)
            memcpy(out + ww_block_global_row(v, i) * columns, work.out + i * columns, size);
        status = ww_replicate_sum(parallel, out, (size_t)(spectrum->order * columns), error);
    }
    free(work.in);
    free(work.out);
    return status;
}
