#include "train/product_norm.h"

#include "base/lapack.h"
#include "widthwise/memory.h"

#include <cblas.h>
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>

// Most vectors of the basis before the search begins anew from the best one found, how often that
// may happen, and products between looks at the eigenvalues.
enum { BASIS = 120, CYCLES = 20, LOOK_EVERY = 4 };

typedef struct search {
    int order, most;
    const double *a, *c;
    double *basis;     // [most + 1, order], orthonormal in the inner product of C
    double *images;    // [most + 1, order], C times each of them
    double *overlaps;  // [most + 1]
    double *diagonal;  // [most], of the tridiagonal matrix
    double *beside;    // [most], next to it
    double *values;    // [most], working copies
    double *off;       // [most]
    double *rotations; // [most, most], eigenvectors of the tridiagonal matrix
    double *work;      // [2 most]
} search;

enum { ARRAYS = 9 };

static int64_t most_vectors(int64_t order)
{
    return order < BASIS ? order : BASIS;
}

static void list_arrays(int64_t order, ww_allocation list[ARRAYS])
{
    static const char what[] = "the search for the norm of an update";
    const size_t most = (size_t)most_vectors(order);
    const size_t vectors = (most + 1) * (size_t)order;
    const size_t offsets[ARRAYS] = {
        offsetof(search, basis),    offsetof(search, images),    offsetof(search, overlaps),
        offsetof(search, diagonal), offsetof(search, beside),    offsetof(search, values),
        offsetof(search, off),      offsetof(search, rotations), offsetof(search, work)};
    const size_t counts[ARRAYS] = {vectors, vectors, most + 1,    most,    most,
                                   most,    most,    most * most, 2 * most};
    for (size_t i = 0; i < ARRAYS; i++)
        list[i] = (ww_allocation){offsets[i], counts[i], sizeof(double), what};
}

int64_t ww_largest_of_product_bytes(int64_t order)
{
    ww_allocation list[ARRAYS];
    list_arrays(order, list);
    return ww_allocation_bytes(list, ARRAYS);
}

static void release(search *self)
{
    free(self->basis);
    free(self->images);
    free(self->overlaps);
    free(self->diagonal);
    free(self->beside);
    free(self->values);
    free(self->off);
    free(self->rotations);
    free(self->work);
}

static double *vector_at(const search *self, double *vectors, int index)
{
    return vectors + (size_t)index * (size_t)self->order;
}

static void multiply(const search *self, const double *matrix, const double *vector, double *result)
{
    cblas_dsymv(CblasRowMajor, CblasUpper, self->order, 1.0, matrix, self->order, vector, 1, 0.0,
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

// Finds the image of basis vector `index` and brings it to norm 1. Returns the norm that it had; 0
// where nothing but rounding was left, below `least`.
static double normalise(search *self, int index, double least)
{
    double *vector = vector_at(self, self->basis, index);
    double *image = vector_at(self, self->images, index);
    multiply(self, self->c, vector, image);
    const double square = cblas_ddot(self->order, vector, 1, image, 1);
    const double norm = square > 0.0 ? sqrt(square) : 0.0;
    if (!(norm > least))
        return 0.0;
    cblas_dscal(self->order, 1.0 / norm, vector, 1);
    cblas_dscal(self->order, 1.0 / norm, image, 1);
    return norm;
}

// Takes what lies along the first `count` vectors of the basis out of `vector`, twice: then it is
// orthogonal to working accuracy. Returns what lay along the last of them.
static double orthogonalise(search *self, int count, double *vector)
{
    const int n = self->order;
    double along_last = 0.0;
    for (int pass = 0; pass < 2; pass++) {
        cblas_dgemv(CblasRowMajor, CblasNoTrans, count, n, 1.0, self->images, n, vector, 1, 0.0,
                    self->overlaps, 1);
        cblas_dgemv(CblasRowMajor, CblasTrans, count, n, -1.0, self->basis, n, self->overlaps, 1,
                    1.0, vector, 1);
        along_last += self->overlaps[count - 1];
    }
    return along_last;
}

// Largest eigenvalue of the tridiagonal matrix of order `count`, and its residual. The eigenvector
// is the last row of the rotations.
static ww_status solve_small(search *self, int count, double *value, double *residual,
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

// One cycle from the first vector of the basis, which the best one found replaces.
static ww_status cycle(search *self, double tolerance, double *value, bool *converged,
                       ww_error *error)
{
    const int n = self->order;
    *converged = true;
    if (normalise(self, 0, 0.0) == 0.0) // C is zero
        return WW_OK;
    for (int k = 1; k <= self->most; k++) {
        double *next = vector_at(self, self->basis, k);
        double residual = 0.0;
        multiply(self, self->a, vector_at(self, self->images, k - 1), next);
        self->diagonal[k - 1] = orthogonalise(self, k, next);
        const double scale = *value > fabs(self->diagonal[0]) ? *value : fabs(self->diagonal[0]);
        self->beside[k - 1] = normalise(self, k, DBL_EPSILON * scale);
        const bool is_closed = self->beside[k - 1] == 0.0 || k == n;
        if (is_closed)
            self->beside[k - 1] = 0.0;
        if (!is_closed && k < self->most && k % LOOK_EVERY != 0)
            continue;
        WW_TRY(solve_small(self, k, value, &residual, error));
        *converged = is_closed || residual <= tolerance * *value;
        if (*converged || k == self->most) {
            cblas_dgemv(CblasRowMajor, CblasTrans, k, n, 1.0, self->basis, n,
                        self->rotations + (size_t)(k - 1) * (size_t)k, 1, 0.0,
                        vector_at(self, self->images, 0), 1);
            cblas_dcopy(n, vector_at(self, self->images, 0), 1, self->basis, 1);
            return WW_OK;
        }
    }
    return WW_OK;
}

ww_status ww_largest_of_product(int64_t order, const double *a, const double *c, double tolerance,
                                double *value, ww_error *error)
{
    search self = {.order = ww_int(order), .most = ww_int(most_vectors(order)), .a = a, .c = c};
    ww_allocation list[ARRAYS];
    list_arrays(order, list);
    *value = 0.0;
    ww_status status = ww_allocate_all(&self, list, ARRAYS, error);
    for (int64_t i = 0; status == WW_OK && i < order; i++)
        self.basis[i] = scrambled((uint64_t)i);
    bool converged = false;
    for (int count = 0; status == WW_OK && count < CYCLES && !converged; count++)
        status = cycle(&self, tolerance, value, &converged, error);
    release(&self);
    *value = *value > 0.0 ? *value : 0.0;
    return status;
}
