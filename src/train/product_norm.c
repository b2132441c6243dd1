#include "train/product_norm.h"

#include "base/lapack.h"
#include "parallel/lanczos.h"
#include "widthwise/memory.h"

#include <cblas.h>
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

// Vectors of the basis, and how often to begin anew.
enum { BASIS = 120, CYCLES = 40 };

// Below, the power of two that brings a number to 1 is not finite.
static const int LEAST_EXPONENT = -1000;

// ---- the factor ---------------------------------------------------------------------------------

struct ww_product_factor {
    int order, rank; // rank of C, which is the order of L^T A L
    int exponent;    // C is divided by 2 to the power of it, so that it is near 1
    double *rows;    // [order, order]: row i < rank is column i of L from entry i on, by `pivots`
    int *pivots;     // [order], from 1
    double *work;    // [2 order]
};

enum { FACTOR_ARRAYS = 3 };

static void list_factor_arrays(int64_t order, ww_allocation list[FACTOR_ARRAYS])
{
    static const char what[] = "the norm of an update";
    const size_t n = (size_t)order;
    const ww_allocation arrays[] = {
        {offsetof(ww_product_factor, rows), n * n, sizeof(double), what},
        {offsetof(ww_product_factor, pivots), n, sizeof(int), what},
        {offsetof(ww_product_factor, work), 2 * n, sizeof(double), what},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == FACTOR_ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

int64_t ww_product_factor_bytes(int64_t order)
{
    ww_allocation list[FACTOR_ARRAYS];
    list_factor_arrays(order, list);
    return ww_allocation_bytes(list, FACTOR_ARRAYS);
}

ww_status ww_product_factor_create(int64_t order, ww_product_factor **factor, ww_error *error)
{
    ww_allocation list[FACTOR_ARRAYS];
    list_factor_arrays(order, list);
    *factor = NULL;
    ww_product_factor *made = ww_allocate(1, sizeof *made, "the norm of an update", error);
    if (made == NULL)
        return WW_FAILED;
    made->order = ww_int(order);
    if (ww_allocate_all(made, list, FACTOR_ARRAYS, error) != WW_OK) {
        ww_product_factor_free(made);
        return WW_FAILED;
    }
    *factor = made;
    return WW_OK;
}

void ww_product_factor_free(ww_product_factor *factor)
{
    if (factor == NULL)
        return;
    free(factor->rows);
    free(factor->pivots);
    free(factor->work);
    free(factor);
}

// Exponent of the largest entry, which stands on the diagonal. False where all are 0.
static bool largest_exponent(int64_t order, const double *matrix, int *exponent)
{
    double largest = 0.0;
    for (int64_t i = 0; i < order; i++)
        largest = fmax(largest, matrix[i * (order + 1)]);
    (void)frexp(largest, exponent);
    if (*exponent < LEAST_EXPONENT)
        *exponent = LEAST_EXPONENT;
    return largest > 0.0;
}

ww_status ww_product_factor_find(ww_product_factor *factor, const double *c, ww_error *error)
{
    const double tolerance = -1.0; // the usual one
    const int n = factor->order;
    int info = 0;
    factor->rank = 0;
    if (!largest_exponent(n, c, &factor->exponent))
        return WW_OK;
    const double scale = ldexp(1.0, -factor->exponent);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i; j < n; j++)
            factor->rows[i * n + j] = scale * c[i * n + j];
    dpstrf_("L", &n, factor->rows, &n, factor->pivots, &factor->rank, &tolerance, factor->work,
            &info, 1);
    return info >= 0
               ? WW_OK
               : ww_fail(error, WW_FAILED,
                         "LAPACK's dpstrf did not factorise inner products of samples (info %d)",
                         info);
}

// product [order] = L vector, vector [rank]
static void apply_factor(ww_product_factor *self, const double *vector, double *product)
{
    const int n = self->order, rank = self->rank;
    double *ordered = self->work;
    cblas_dcopy(rank, vector, 1, ordered, 1);
    cblas_dtrmv(CblasRowMajor, CblasUpper, CblasTrans, CblasNonUnit, rank, self->rows, n, ordered,
                1);
    if (rank < n)
        cblas_dgemv(CblasRowMajor, CblasTrans, rank, n - rank, 1.0, self->rows + rank, n, vector, 1,
                    0.0, ordered + rank, 1);
    for (int64_t i = 0; i < n; i++)
        product[self->pivots[i] - 1] = ordered[i];
}

// product [rank] = L^T vector, vector [order]
static void apply_transposed(ww_product_factor *self, const double *vector, double *product)
{
    const int n = self->order, rank = self->rank;
    double *ordered = self->work;
    for (int64_t i = 0; i < n; i++)
        ordered[i] = vector[self->pivots[i] - 1];
    cblas_dcopy(rank, ordered, 1, product, 1);
    cblas_dtrmv(CblasRowMajor, CblasUpper, CblasNoTrans, CblasNonUnit, rank, self->rows, n, product,
                1);
    if (rank < n)
        cblas_dgemv(CblasRowMajor, CblasNoTrans, rank, n - rank, 1.0, self->rows + rank, n,
                    ordered + rank, 1, 1.0, product, 1);
}

// ---- the search ---------------------------------------------------------------------------------
//
// As ww_lanczos, for one rank: with room that is kept from step to step, so that no rank can lack
// memory in the middle of one, and it ends sooner, once the eigenvalue is known rather than its
// vector.

struct ww_product_norm {
    int a_order, order;        // of A, and of L^T A L
    const double *a;           // A
    ww_product_factor *factor; // of C, or NULL
    double scale;              // of A, a power of two: products of small numbers must not vanish
    int64_t room;              // order that there is room for
    double *basis;             // [most vectors + 1, order]
    double *left, *right;      // [order of A]
    double *overlaps;          // [most vectors]
    double *diagonal;          // [most vectors], of the tridiagonal matrix
    double *beside;            // [most vectors], next to it
    double *values;            // [most vectors], working copies
    double *off;               // [most vectors]
    double *rotations;         // [most vectors, most vectors], eigenvectors of that matrix
    double *work;              // [2 most vectors]
};

enum { ARRAYS = 10 };

static int64_t most_vectors(int64_t order)
{
    return order < BASIS ? order : BASIS;
}

static void list_arrays(int64_t order, ww_allocation list[ARRAYS])
{
    static const char what[] = "the norm of an update";
    const size_t n = (size_t)order, most = (size_t)most_vectors(order);
    const ww_allocation arrays[] = {
        {offsetof(ww_product_norm, basis), (most + 1) * n, sizeof(double), what},
        {offsetof(ww_product_norm, left), n, sizeof(double), what},
        {offsetof(ww_product_norm, right), n, sizeof(double), what},
        {offsetof(ww_product_norm, overlaps), most, sizeof(double), what},
        {offsetof(ww_product_norm, diagonal), most, sizeof(double), what},
        {offsetof(ww_product_norm, beside), most, sizeof(double), what},
        {offsetof(ww_product_norm, values), most, sizeof(double), what},
        {offsetof(ww_product_norm, off), most, sizeof(double), what},
        {offsetof(ww_product_norm, rotations), most * most, sizeof(double), what},
        {offsetof(ww_product_norm, work), 2 * most, sizeof(double), what},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

int64_t ww_product_norm_bytes(int64_t most)
{
    ww_allocation list[ARRAYS];
    list_arrays(most, list);
    return ww_allocation_bytes(list, ARRAYS);
}

ww_status ww_product_norm_create(int64_t most, ww_product_norm **norm, ww_error *error)
{
    ww_allocation list[ARRAYS];
    list_arrays(most, list);
    *norm = NULL;
    ww_product_norm *made = ww_allocate(1, sizeof *made, "the norm of an update", error);
    if (made == NULL)
        return WW_FAILED;
    made->room = most;
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
    free(norm->basis);
    free(norm->left);
    free(norm->right);
    free(norm->overlaps);
    free(norm->diagonal);
    free(norm->beside);
    free(norm->values);
    free(norm->off);
    free(norm->rotations);
    free(norm->work);
    free(norm);
}

static double *vector_at(const ww_product_norm *self, int index)
{
    return self->basis + (size_t)index * (size_t)self->order;
}

// result = L^T A L vector, all but for powers of two
static void multiply(ww_product_norm *self, const double *vector, double *result)
{
    const int n = self->a_order;
    if (self->factor == NULL) {
        cblas_dsymv(CblasRowMajor, CblasUpper, n, self->scale, self->a, n, vector, 1, 0.0, result,
                    1);
        return;
    }
    apply_factor(self->factor, vector, self->right);
    cblas_dsymv(CblasRowMajor, CblasUpper, n, self->scale, self->a, n, self->right, 1, 0.0,
                self->left, 1);
    apply_transposed(self->factor, self->left, result);
}

static void normalise(int order, double *vector)
{
    cblas_dscal(order, 1.0 / cblas_dnrm2(order, vector, 1), vector, 1);
}

// Takes what lies along the first `count` vectors of the basis out of `vector`, twice: then it is
// orthogonal to working accuracy. Returns what lay along the last of them.
static double orthogonalise(ww_product_norm *self, int count, double *vector)
{
    const int n = self->order;
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

// What the tridiagonal matrix of order `count` tells: its largest eigenvalue, the error that this
// may have, and the row of the rotations (row-major) that has the eigenvector.
static ww_status solve_small(ww_product_norm *self, int count, double *value, double *uncertainty,
                             ww_error *error)
{
    int info = 0;
    cblas_dcopy(count, self->diagonal, 1, self->values, 1);
    cblas_dcopy(count, self->beside, 1, self->off, 1);
    dstev_("V", &count, self->values, self->off, self->rotations, &count, self->work, &info, 1);
    if (info != 0)
        return ww_fail(error, WW_FAILED,
                       "LAPACK's dstev did not find the eigenvalues of Lanczos' method (info %d)",
                       info);
    const size_t last = (size_t)count - 1;
    *value = self->values[last];
    const double residual = self->beside[last] * fabs(self->rotations[last * (size_t)count + last]);
    const double gap = count > 1 ? *value - self->values[last - 1] : 0.0;
    *uncertainty = residual < gap ? residual * (residual / gap) : residual;
    return WW_OK;
}

// Products after which to look at the eigenvalues next: when they took about as long as a look.
static int next_look(const ww_product_norm *self, int count)
{
    const double look = 6.0 * (double)count * (double)count * (double)count;
    const double products = 4.0 * (double)self->order * self->order;
    return count + 1 + (int)fmin(look / products, (double)count);
}

// From the first vector of the basis, which has norm 1. The best vector comes to its place.
static ww_status cycle(ww_product_norm *self, double tolerance, double *value, bool *converged,
                       ww_error *error)
{
    const int n = self->order, most = (int)most_vectors(n);
    int look = 2;
    for (int count = 1; count <= most; count++) {
        double *next = vector_at(self, count);
        multiply(self, vector_at(self, count - 1), next);
        const double size = cblas_dnrm2(n, next, 1);
        self->diagonal[count - 1] = orthogonalise(self, count, next);
        const double beside = cblas_dnrm2(n, next, 1);
        // Nothing but rounding is left: the basis holds an invariant subspace.
        const bool is_closed = beside <= 4.0 * DBL_EPSILON * size || count == n;
        self->beside[count - 1] = is_closed ? 0.0 : beside;
        if (is_closed || count == most || count >= look) {
            double uncertainty = 0.0;
            WW_TRY(solve_small(self, count, value, &uncertainty, error));
            *converged = is_closed || uncertainty <= tolerance * *value;
            if (*converged)
                return WW_OK;
            look = next_look(self, count);
        }
        if (count < most)
            cblas_dscal(n, 1.0 / beside, next, 1);
    }
    double *best = vector_at(self, most);
    cblas_dgemv(CblasRowMajor, CblasTrans, most, n, 1.0, self->basis, n,
                self->rotations + (size_t)(most - 1) * (size_t)most, 1, 0.0, best, 1);
    normalise(n, best);
    cblas_dcopy(n, best, 1, self->basis, 1);
    return WW_OK;
}

static ww_status search(ww_product_norm *self, double tolerance, double *value, ww_error *error)
{
    bool converged = false;
    for (int64_t i = 0; i < self->order; i++)
        self->basis[i] = ww_lanczos_start(i);
    normalise(self->order, self->basis);
    for (int count = 0; count < CYCLES && !converged; count++) {
        const double before = *value;
        WW_TRY(cycle(self, tolerance, value, &converged, error));
        // Where rounding keeps the residual up, the eigenvalue ceases to grow.
        converged = converged || *value - before <= tolerance * *value;
    }
    if (!converged)
        return ww_fail(error, WW_FAILED,
                       "the spectral norm of what a step did to a hidden layer was not found by %d "
                       "products; leave the trajectory out of measure.quantities",
                       CYCLES * BASIS);
    return WW_OK;
}

ww_status ww_product_norm_find(ww_product_norm *norm, int64_t order, const double *a,
                               ww_product_factor *factor, double tolerance, double *value,
                               ww_error *error)
{
    int exponent = 0;
    WW_ASSERT(order >= 1 && order <= norm->room);
    *value = 0.0;
    WW_ASSERT(factor == NULL || factor->order == order);
    if (!largest_exponent(order, a, &exponent) || (factor != NULL && factor->rank == 0))
        return WW_OK;
    norm->a_order = ww_int(order);
    norm->order = factor != NULL ? factor->rank : ww_int(order);
    norm->a = a;
    norm->factor = factor;
    norm->scale = ldexp(1.0, -exponent);
    WW_TRY(search(norm, tolerance, value, error));
    *value = ldexp(fmax(*value, 0.0), exponent + (factor != NULL ? factor->exponent : 0));
    if (!isfinite(*value))
        return ww_fail(error, WW_DIVERGED,
                       "what a step does to a hidden layer is not finite; a smaller training.rate "
                       "may help");
    return WW_OK;
}
