#include "train/product_norm.h"

#include "base/lapack.h"
#include "widthwise/memory.h"

#include <cblas.h>
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

// Most vectors of the basis before the search begins anew from the best one found, how often that
// may happen, and products between looks at the eigenvalues.
enum { BASIS = 120, CYCLES = 20, LOOK_EVERY = 4 };

// With the Cholesky factor L of C, L^T A L has the eigenvalues of A C, and is symmetric.
struct ww_product_norm {
    int order, rank; // rank of C, which is the order of L^T A L
    int most;        // vectors that the basis may have
    const double *a;
    double *factor;    // [order, order]: row i < rank is column i of L, by the order of `pivots`
    int *pivots;       // [order], from 1
    double *basis;     // [most + 1, rank]
    double *overlaps;  // [most + 1]
    double *diagonal;  // [most], of the tridiagonal matrix
    double *beside;    // [most], next to it
    double *values;    // [most], working copies
    double *off;       // [most]
    double *rotations; // [most, most], eigenvectors of the tridiagonal matrix
    double *work;      // [2 order]
};

enum { ARRAYS = 10 };

static int64_t most_vectors(int64_t order)
{
    return order < BASIS ? order : BASIS;
}

static void list_arrays(int64_t order, ww_allocation list[ARRAYS])
{
    static const char what[] = "the search for the norm of an update";
    const size_t n = (size_t)order;
    const size_t most = (size_t)most_vectors(order);
    const ww_allocation arrays[ARRAYS] = {
        {offsetof(ww_product_norm, factor), n * n, sizeof(double), what},
        {offsetof(ww_product_norm, pivots), n, sizeof(int), what},
        {offsetof(ww_product_norm, basis), (most + 1) * n, sizeof(double), what},
        {offsetof(ww_product_norm, overlaps), most + 1, sizeof(double), what},
        {offsetof(ww_product_norm, diagonal), most, sizeof(double), what},
        {offsetof(ww_product_norm, beside), most, sizeof(double), what},
        {offsetof(ww_product_norm, values), most, sizeof(double), what},
        {offsetof(ww_product_norm, off), most, sizeof(double), what},
        {offsetof(ww_product_norm, rotations), most * most, sizeof(double), what},
        {offsetof(ww_product_norm, work), 2 * n, sizeof(double), what},
    };
    memcpy(list, arrays, sizeof arrays);
}

int64_t ww_product_norm_bytes(int64_t order)
{
    ww_allocation list[ARRAYS];
    list_arrays(order, list);
    return ww_allocation_bytes(list, ARRAYS);
}

ww_status ww_product_norm_create(int64_t order, ww_product_norm **norm, ww_error *error)
{
    ww_allocation list[ARRAYS];
    list_arrays(order, list);
    *norm = NULL;
    ww_product_norm *made =
        ww_allocate(1, sizeof *made, "the search for the norm of an update", error);
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
    free(norm->basis);
    free(norm->overlaps);
    free(norm->diagonal);
    free(norm->beside);
    free(norm->values);
    free(norm->off);
    free(norm->rotations);
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
    self->most = (int)most_vectors(self->rank);
    return WW_OK;
}

static double *vector_at(const ww_product_norm *self, int index)
{
    return self->basis + (size_t)index * (size_t)self->rank;
}

// result = L^T A L vector
static void multiply(const ww_product_norm *self, const double *vector, double *result)
{
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
}

// Numbers in (-1, 1) without a pattern, so that no eigenvector is left out: the finaliser of
// SplitMix64 (Steele, Lea, Flood 2014) of a counter.
static double scrambled(uint64_t i)
{
    uint64_t z = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return (double)(z >> 11) * 0x1p-52 - 1.0;
}

static void normalise(const ww_product_norm *self, int index)
{
    double *vector = vector_at(self, index);
    cblas_dscal(self->rank, 1.0 / cblas_dnrm2(self->rank, vector, 1), vector, 1);
}

// Takes what lies along the first `count` vectors of the basis out of `vector`, twice: then it is
// orthogonal to working accuracy. Returns what lay along the last of them.
static double orthogonalise(ww_product_norm *self, int count, double *vector)
{
    const int n = self->rank;
    double along_last = 0.0;
    for (int pass = 0; pass < 2; pass++) {
        cblas_dgemv(CblasRowMajor, CblasNoTrans, count, n, 1.0, self->basis, n, vector, 1, 0.0,
                    self->overlaps, 1);
        cblas_dgemv(CblasRowMajor, CblasTrans, count, n, -1.0, self->basis, n, self->overlaps, 1,
                    1.0, vector, 1);
        along_last += self->overlaps[count - 1];
    }
    return along_last;
}

// Largest eigenvalue of the tridiagonal matrix of order `count`, and its residual. The eigenvector
// is the last row of the rotations.
static ww_status solve_small(ww_product_norm *self, int count, double *value, double *residual,
                             ww_error *error)
{
    cblas_dcopy(count, self->diagonal, 1, self->values, 1);
    cblas_dcopy(count, self->beside, 1, self->off, 1);
    int info = 0;
    dstev_("V", &count, self->values, self->off, self->rotations, &count, self->work, &info, 1);
    if (info != 0)
        return ww_fail(error, WW_FAILED,
                       "LAPACK's dstev did not find the norm of an update (info %d)", info);
    *value = self->values[count - 1];
    const double last = self->rotations[(size_t)count * (size_t)count - 1];
    *residual = self->beside[count - 1] * fabs(last);
    return WW_OK;
}

// Brings the best vector of `count` to the beginning of the basis.
static void begin_anew(ww_product_norm *self, int count)
{
    cblas_dgemv(CblasRowMajor, CblasTrans, count, self->rank, 1.0, self->basis, self->rank,
                self->rotations + (size_t)(count - 1) * (size_t)count, 1, 0.0, self->work, 1);
    cblas_dcopy(self->rank, self->work, 1, self->basis, 1);
}

// One cycle from the first vector of the basis, which the best one found replaces.
static ww_status cycle(ww_product_norm *self, double tolerance, double *value, bool *converged,
                       ww_error *error)
{
    const int n = self->rank;
    normalise(self, 0);
    for (int k = 1; k <= self->most; k++) {
        double *next = vector_at(self, k);
        double residual = 0.0;
        multiply(self, vector_at(self, k - 1), next);
        const double size = cblas_dnrm2(n, next, 1);
        self->diagonal[k - 1] = orthogonalise(self, k, next);
        self->beside[k - 1] = cblas_dnrm2(n, next, 1);
        // Nothing but rounding is left: the basis holds an invariant subspace.
        const bool is_closed = self->beside[k - 1] <= 4.0 * DBL_EPSILON * size || k == n;
        if (is_closed)
            self->beside[k - 1] = 0.0;
        else
            normalise(self, k);
        if (!is_closed && k < self->most && k % LOOK_EVERY != 0)
            continue;
        WW_TRY(solve_small(self, k, value, &residual, error));
        *converged = is_closed || residual <= tolerance * *value;
        if (*converged)
            return WW_OK;
    }
    begin_anew(self, self->most);
    return WW_OK;
}

static ww_status find(ww_product_norm *self, double tolerance, double *value, ww_error *error)
{
    bool converged = self->rank == 0; // C is zero
    for (int64_t i = 0; i < self->rank; i++)
        self->basis[i] = scrambled((uint64_t)i);
    for (int count = 0; count < CYCLES && !converged; count++)
        WW_TRY(cycle(self, tolerance, value, &converged, error));
    return WW_OK;
}

ww_status ww_product_norm_find(ww_product_norm *norm, const double *a, const double *c,
                               double tolerance, double *value, ww_error *error)
{
    norm->a = a;
    *value = 0.0;
    WW_TRY(factorise(norm, c, error));
    WW_TRY(find(norm, tolerance, value, error));
    *value = *value > 0.0 ? *value : 0.0;
    return WW_OK;
}
