#include "measure/triangle.h"

#include "base/lapack.h"
#include "widthwise/memory.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/// Reflectors that are applied together when two triangles are combined.
enum { BLOCK = 32 };

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

static int block_size(int dimension)
{
    return smaller(BLOCK, dimension);
}

static void call_svd(int dimension, int columns, double *matrix, double *values, double *scratch,
                     int scratch_size, int *info)
{
    const int one = 1;
    double unused = 0;
    dgesvd_("N", "N", &dimension, &columns, matrix, &dimension, values, &unused, &one, &unused,
            &one, scratch, &scratch_size, info, 1, 1);
}

/// Doubles of scratch that LAPACK asks for. Always this many are given, so that its blocking, and
/// with it the bits, follow from the shape alone.
static int scratch_needed(int dimension, int most_rows)
{
    const int ask = -1;
    int info = 0;
    double lq_size = 0;
    double unused = 0;
    dgelqf_(&dimension, &most_rows, &unused, &dimension, &unused, &lq_size, &ask, &info);
    WW_ASSERT(info == 0);
    double svd_size = 0;
    call_svd(dimension, smaller(dimension, most_rows), &unused, &unused, &svd_size, ask, &info);
    WW_ASSERT(info == 0);
    const double combine_size = (double)block_size(dimension) * dimension;
    return ww_int((int64_t)fmax(combine_size, fmax(lq_size, svd_size)));
}

enum { WORK_ARRAYS = 4 };

static void list_work(int dimension, int most_rows, int scratch_size,
                      ww_allocation list[WORK_ARRAYS])
{
    const size_t d = (size_t)dimension;
    const char *what = "a step of the singular values";
    const ww_allocation arrays[] = {
        {offsetof(ww_triangle_work, stage), (size_t)most_rows, d * sizeof(double),
         "the rows of one step of the singular values"},
        {offsetof(ww_triangle_work, scales), d, sizeof(double), what},
        {offsetof(ww_triangle_work, blocks), (size_t)block_size(dimension), d * sizeof(double),
         what},
        {offsetof(ww_triangle_work, scratch), (size_t)scratch_size, sizeof(double), what},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == WORK_ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

ww_status ww_triangle_work_create(int dimension, int most_rows, ww_triangle_work *work,
                                  ww_error *error)
{
    *work = (ww_triangle_work){.dimension = dimension,
                               .scratch_size = scratch_needed(dimension, most_rows)};
    ww_allocation list[WORK_ARRAYS];
    list_work(dimension, most_rows, work->scratch_size, list);
    const ww_status status = ww_allocate_all(work, list, WORK_ARRAYS, error);
    if (status != WW_OK)
        ww_triangle_work_free(work);
    return status;
}

int64_t ww_triangle_work_bytes(int dimension, int most_rows)
{
    ww_allocation list[WORK_ARRAYS];
    list_work(dimension, most_rows, scratch_needed(dimension, most_rows), list);
    return ww_allocation_bytes(list, WORK_ARRAYS);
}

void ww_triangle_work_free(ww_triangle_work *work)
{
    free(work->stage);
    free(work->scales);
    free(work->blocks);
    free(work->scratch);
    *work = (ww_triangle_work){0};
}

int64_t ww_triangle_size(int64_t dimension, int64_t columns)
{
    return columns * dimension - columns * (columns - 1) / 2;
}

static void pack(const double *matrix, size_t dimension, size_t columns, double *triangle)
{
    for (size_t j = 0; j < columns; ++j) {
        const size_t length = dimension - j;
        memcpy(triangle, matrix + j * dimension + j, length * sizeof *triangle);
        triangle += length;
    }
}

static void unpack(const double *triangle, size_t dimension, size_t columns, double *matrix)
{
    for (size_t j = 0; j < columns; ++j) {
        const size_t length = dimension - j;
        memset(matrix + j * dimension, 0, j * sizeof *matrix);
        memcpy(matrix + j * dimension + j, triangle, length * sizeof *matrix);
        triangle += length;
    }
}

void ww_triangle_factor(ww_triangle_work *work, int rows, double *triangle)
{
    int info = 0;
    dgelqf_(&work->dimension, &rows, work->stage, &work->dimension, work->scales, work->scratch,
            &work->scratch_size, &info);
    WW_ASSERT(info == 0);
    pack(work->stage, (size_t)work->dimension, (size_t)smaller(rows, work->dimension), triangle);
}

void ww_triangle_combine(ww_triangle_work *work, double *first, const double *second,
                         int second_columns)
{
    const size_t d = (size_t)work->dimension;
    const int block = block_size(work->dimension);
    double *a = work->stage;
    double *b = work->stage + d * d;
    unpack(first, d, d, a);
    unpack(second, d, (size_t)second_columns, b);
    int info = 0;
    // All of b is trapezoid: its zeros are not worked on, a fifth of the time of stacking the two.
    dtplqt_(&work->dimension, &second_columns, &second_columns, &block, a, &work->dimension, b,
            &work->dimension, work->blocks, &block, work->scratch, &info);
    WW_ASSERT(info == 0);
    pack(a, d, d, first);
}

ww_status ww_triangle_singular_values(ww_triangle_work *work, const double *triangle, int columns,
                                      double *values, ww_error *error)
{
    const int64_t size = ww_triangle_size(work->dimension, columns);
    bool finite = true;
    for (int64_t i = 0; i < size; ++i)
        finite = finite && isfinite(triangle[i]);
    if (finite) {
        int info = 0;
        unpack(triangle, (size_t)work->dimension, (size_t)columns, work->stage);
        call_svd(work->dimension, columns, work->stage, values, work->scratch, work->scratch_size,
                 &info);
        WW_ASSERT(info >= 0);
        if (info > 0)
            return ww_fail(error, WW_FAILED,
                           "LAPACK's dgesvd found no singular values of a matrix of %d x %d; try "
                           "another BLAS library, or leave spectra out of measure.final",
                           work->dimension, columns);
        finite = isfinite(values[0]);
    }
    if (!finite)
        return ww_fail(
            error, WW_FAILED,
            "a matrix whose singular values are asked for has entries so large that its "
            "norm overflows; lower training.rate, or leave spectra out of measure.final");
    return WW_OK;
}
