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
typedef struct product {
    int order, rank; // rank of C, which is the order of L^T A L
    const double *a;
    double *factor; // [order, order]: row i < rank is column i of L, by the order of `pivots`
    int *pivots;    // [order], from 1
    double *work;   // [2 order]
} product;

enum { ARRAYS = 3 };

static void list_arrays(int64_t order, ww_allocation list[ARRAYS])
{
    static const char what[] = "the norm of an update";
    const size_t n = (size_t)order;
    const ww_allocation arrays[ARRAYS] = {
        {offsetof(product, factor), n * n, sizeof(double), what},
        {offsetof(product, pivots), n, sizeof(int), what},
        {offsetof(product, work), 2 * n, sizeof(double), what},
    };
    memcpy(list, arrays, sizeof arrays);
}

int64_t ww_largest_of_product_bytes(int64_t order)
{
    ww_allocation list[ARRAYS];
    list_arrays(order, list);
    return ww_allocation_bytes(list, ARRAYS) + ww_lanczos_bytes(order);
}

// The factor of C. What it leaves out of C is rounding.
static ww_status factorise(product *self, const double *c, ww_error *error)
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
    const product *self = context;
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

ww_status ww_largest_of_product(int64_t order, const double *a, const double *c, double tolerance,
                                double *value, ww_error *error)
{
    product self = {.order = ww_int(order), .a = a};
    ww_extreme found = {0};
    ww_allocation list[ARRAYS];
    list_arrays(order, list);
    ww_status status = ww_allocate_all(&self, list, ARRAYS, error);
    if (status == WW_OK)
        status = factorise(&self, c, error);
    if (status == WW_OK && self.rank > 0) // else C is zero
        status = ww_lanczos(self.rank, multiply, &self, &alone, tolerance, &found, error);
    *value = fmax(found.value, 0.0);
    ww_extreme_free(&found);
    free(self.factor);
    free(self.pivots);
    free(self.work);
    return status;
}
