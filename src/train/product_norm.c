#include "train/product_norm.h"

#include "base/lapack.h"
#include "parallel/lanczos.h"
#include "widthwise/memory.h"

#include <cblas.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const ww_parallel alone = {.communicator = MPI_COMM_SELF, .rank = 0, .size = 1};

// With the Cholesky factor L of C, L^T A L has the eigenvalues of A C, and is symmetric.
struct ww_product_norm {
    int order, rank; // rank of C, which is the order of L^T A L
    const double *a;
    double *factor; // [order, order]: row i < rank is column i of L, by the order of `pivots`
    int *pivots;    // [order], from 1
    double *work;   // [2 order]
};

enum { ARRAYS = 3 };

static void list_arrays(int64_t order, ww_allocation list[ARRAYS])
{
    static const char what[] = "the norm of an update";
    const size_t n = (size_t)order;
    const ww_allocation arrays[ARRAYS] = {
        {offsetof(ww_product_norm, factor), n * n, sizeof(double), what},
        {offsetof(ww_product_norm, pivots), n, sizeof(int), what},
        {offsetof(ww_product_norm, work), 2 * n, sizeof(double), what},
    };
    memcpy(list, arrays, sizeof arrays);
}

int64_t ww_product_norm_bytes(int64_t order)
{
    ww_allocation list[ARRAYS];
    list_arrays(order, list);
    return ww_allocation_bytes(list, ARRAYS) + ww_lanczos_bytes(order);
}

ww_status ww_product_norm_create(int64_t order, ww_product_norm **norm, ww_error *error)
{
    ww_allocation list[ARRAYS];
    list_arrays(order, list);
    *norm = NULL;
    ww_product_norm *made = ww_allocate(1, sizeof *made, "the norm of an update", error);
    if (made == NULL)
        return WW_FAILED;
    made->order = ww_int(order);
    if (ww_allocate_all(made, list, ARRAYS, error) != WW_OK) {
        ww_product_norm_free(made);
        return WW_FAILED;
    }
    *norm = made;
    return WW_OK;
}

void ww_product_norm_free(ww_product_norm *norm)
{
    if (norm == NULL)
        return;
    free(norm->factor);
    free(norm->pivots);
    free(norm->work);
    free(norm);
}

// The factor of C. What it leaves out of C is rounding.
static ww_status factorise(ww_product_norm *self, const double *c, ww_error *error)
{
    const double tolerance = -1.0; // the usual one
    const int n = self->order;
    int info = 0;
    memcpy(self->factor, c, (size_t)n * (size_t)n * sizeof *c);
    dpstrf_("L", &n, self->factor, &n, self->pivots, &self->rank, &tolerance, self->work, &info, 1);
    if (info < 0)
        return ww_fail(error, WW_FAILED,
                       "LAPACK's dpstrf did not factorise inner products of samples (info %d)",
                       info);
    for (int64_t row = 1; row < self->rank; row++)
        for (int64_t i = 0; i < row; i++)
            self->factor[row * n + i] = 0.0;
    return WW_OK;
}

// result = L^T A L vector
static ww_status multiply(void *context, const double *vector, double *result, ww_error *error)
{
    const ww_product_norm *self = context;
    const int n = self->order;
    double *ordered = self->work, *image = self->work + n;
    cblas_dgemv(CblasRowMajor, CblasTrans, self->rank, n, 1.0, self->factor, n, vector, 1, 0.0,
                image, 1);
    for (int64_t i = 0; i < n; i++)
        ordered[self->pivots[i] - 1] = image[i];
    cblas_dsymv(CblasRowMajor, CblasUpper, n, 1.0, self->a, n, ordered, 1, 0.0, image, 1);
    for (int64_t i = 0; i < n; i++)
        ordered[i] = image[self->pivots[i] - 1];
    cblas_dgemv(CblasRowMajor, CblasNoTrans, self->rank, n, 1.0, self->factor, n, ordered, 1, 0.0,
                result, 1);
    (void)error;
    return WW_OK;
}

ww_status ww_product_norm_find(ww_product_norm *norm, const double *a, const double *c,
                               double tolerance, double *value, ww_error *error)
{
    ww_extreme found = {0};
    norm->a = a;
    *value = 0.0;
    WW_TRY(factorise(norm, c, error));
    if (norm->rank == 0) // C is zero
        return WW_OK;
    const ww_status status =
        ww_lanczos(norm->rank, multiply, norm, &alone, tolerance, &found, error);
    *value = fmax(found.value, 0.0);
    ww_extreme_free(&found);
    return status;
}
