#include "parallel/lanczos.h"

#include "base/lapack.h"
#include "widthwise/memory.h"

#include <cblas.h>
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>

// Vectors of the basis, products between looks at the eigenvalues, and how often to begin anew.
enum { BASIS = 160, LOOK_EVERY = 4, CYCLES = 30 };

typedef struct search {
    int order; ///< n
    int most;  ///< vectors that the basis may have
    ww_operator apply;
    void *context;
    const ww_parallel *parallel;
    double tolerance;
    double *basis;     ///< [most + 1, n]
    double *overlaps;  ///< [most + 1]
    double *diagonal;  ///< [most], of the tridiagonal matrix
    double *beside;    ///< [most], next to it
    double *values;    ///< [most], working copies
    double *off;       ///< [most]
    double *rotations; ///< [most, most], eigenvectors of the tridiagonal matrix
    double *work;      ///< [2 most]
} search;

static int64_t most_vectors(int64_t order)
{
    return order < BASIS ? order : BASIS;
}

int64_t ww_lanczos_bytes(int64_t order)
{
    const int64_t most = most_vectors(order);
    return 8 * (order * (most + 2) + most * (most + 7) + 1);
}

static ww_status allocate(search *work, ww_error *error)
{
    const size_t most = (size_t)work->most;
    const char *what = "the basis of Lanczos' method";
    const ww_allocation list[] = {
        {offsetof(search, basis), (most + 1) * (size_t)work->order, sizeof(double), what},
        {offsetof(search, overlaps), most + 1, sizeof(double), what},
        {offsetof(search, diagonal), most, sizeof(double), what},
        {offsetof(search, beside), most, sizeof(double), what},
        {offsetof(search, values), most, sizeof(double), what},
        {offsetof(search, off), most, sizeof(double), what},
        {offsetof(search, rotations), most * most, sizeof(double), what},
        {offsetof(search, work), 2 * most, sizeof(double), what},
    };
    return ww_allocate_all(work, list, sizeof list / sizeof list[0], error);
}

static void release(search *work)
{
    free(work->basis);
    free(work->overlaps);
    free(work->diagonal);
    free(work->beside);
    free(work->values);
    free(work->off);
    free(work->rotations);
    free(work->work);
}

void ww_extreme_free(ww_extreme *extreme)
{
    free(extreme->vector);
    *extreme = (ww_extreme){0};
}

static double *basis_vector(search *work, int index)
{
    return work->basis + (size_t)index * (size_t)work->order;
}

// The finaliser of SplitMix64 (Steele, Lea, Flood 2014) of a counter.
double ww_lanczos_start(int64_t i)
{
    uint64_t z = ((uint64_t)i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return (double)(z >> 11) * 0x1p-52 - 1.0;
}

static void normalise(int order, double *vector)
{
    cblas_dscal(order, 1.0 / cblas_dnrm2(order, vector, 1), vector, 1);
}

/// Takes what lies along the first `count` vectors of the basis out of `vector`, twice: then it is
/// orthogonal to working accuracy. Returns what lay along the last of them.
static double orthogonalise(search *work, int count, double *vector)
{
    const int n = work->order;
    double along_last = 0.0;
    for (int pass = 0; pass < 2; pass++) {
        cblas_dgemv(CblasRowMajor, CblasNoTrans, count, n, 1.0, work->basis, n, vector, 1, 0.0,
                    work->overlaps, 1);
        cblas_dgemv(CblasRowMajor, CblasTrans, count, n, -1.0, work->basis, n, work->overlaps, 1,
                    1.0, vector, 1);
        along_last += work->overlaps[count - 1];
    }
    return along_last;
}

/// Eigenvalue of largest magnitude of the tridiagonal matrix of order `count`, the residual that
/// belongs to it; its eigenvector is row *place of the rotations (row-major).
static ww_status solve_small(search *work, int count, double *value, double *residual, int *place,
                             ww_error *error)
{
    cblas_dcopy(count, work->diagonal, 1, work->values, 1);
    cblas_dcopy(count, work->beside, 1, work->off, 1);
    int info = 0;
    dstev_("V", &count, work->values, work->off, work->rotations, &count, work->work, &info, 1);
    if (info != 0)
        return ww_fail(error, WW_FAILED,
                       "LAPACK's dstev did not find the eigenvalues of Lanczos' method (info %d): "
                       "the matrix is likely not finite",
                       info);
    *place = fabs(work->values[0]) > fabs(work->values[count - 1]) ? 0 : count - 1;
    *value = work->values[*place];
    const double last = work->rotations[(size_t)*place * (size_t)count + (size_t)count - 1];
    *residual = work->beside[count - 1] * fabs(last);
    return WW_OK;
}

/// How a step of the method went. Ranks may differ in their last bits, so rank 0 decides for all.
typedef enum step_outcome { GOES_ON, CLOSED, NOT_FINITE } step_outcome;

/// Step `k`: the product with basis vector k - 1 becomes vector k, and the tridiagonal matrix, with
/// the same bits on all ranks, grows by a row.
static ww_status step(search *work, int k, step_outcome *outcome, ww_error *error)
{
    const int n = work->order;
    double *next = basis_vector(work, k);
    WW_TRY(work->apply(work->context, basis_vector(work, k - 1), next, error));
    const double size = cblas_dnrm2(n, next, 1);
    struct {
        double diagonal, beside;
        int64_t outcome;
    } row = {.diagonal = (double)NAN, .beside = (double)NAN, .outcome = NOT_FINITE};
    if (isfinite(size)) {
        row.diagonal = orthogonalise(work, k, next);
        row.beside = cblas_dnrm2(n, next, 1);
        // Nothing but rounding is left: the basis holds an invariant subspace.
        row.outcome = row.beside <= 4.0 * DBL_EPSILON * size || k == n ? CLOSED : GOES_ON;
    }
    WW_TRY(ww_broadcast(work->parallel, &row, sizeof row, 0, error));
    work->diagonal[k - 1] = row.diagonal;
    work->beside[k - 1] = row.outcome == CLOSED ? 0.0 : row.beside;
    *outcome = (step_outcome)row.outcome;
    return WW_OK;
}

/// One cycle from the first vector of the basis, which has norm 1. The best vector comes back in
/// extreme->vector.
static ww_status cycle(search *work, ww_extreme *extreme, bool *converged, ww_error *error)
{
    const int n = work->order;
    for (int k = 1; k <= work->most; k++) {
        step_outcome outcome = GOES_ON;
        WW_TRY(step(work, k, &outcome, error));
        extreme->products++;
        if (outcome == NOT_FINITE)
            return ww_fail(error, WW_FAILED,
                           "a matrix whose largest eigenvalue is asked for is not finite: where "
                           "inputs are so large or small that their squares overflow or vanish, "
                           "normalise the data");
        if (outcome == CLOSED || k == work->most || k % LOOK_EVERY == 0) {
            int place = 0;
            WW_TRY(ww_agree(
                work->parallel,
                solve_small(work, k, &extreme->value, &extreme->residual, &place, error), error));
            // Ranks leave together, whatever their last bits.
            int64_t done =
                outcome == CLOSED || extreme->residual <= work->tolerance * fabs(extreme->value);
            WW_TRY(ww_broadcast(work->parallel, &done, sizeof done, 0, error));
            *converged = done != 0;
            if (*converged || k == work->most) {
                cblas_dgemv(CblasRowMajor, CblasTrans, k, n, 1.0, work->basis, n,
                            work->rotations + (size_t)place * (size_t)k, 1, 0.0, extreme->vector,
                            1);
                normalise(n, extreme->vector);
                return WW_OK;
            }
        }
        normalise(n, basis_vector(work, k));
    }
    return WW_OK;
}

/// An eigenvector has no sign: makes its largest entry positive.
static void fix_sign(int order, double *vector)
{
    const size_t largest = cblas_idamax(order, vector, 1);
    if (vector[largest] < 0.0)
        cblas_dscal(order, -1.0, vector, 1);
}

static ww_status find(search *work, ww_extreme *extreme, ww_error *error)
{
    const int n = work->order;
    for (int i = 0; i < n; i++)
        work->basis[i] = ww_lanczos_start(i);
    normalise(n, work->basis);
    bool converged = false;
    for (int count = 0; count < CYCLES && !converged; count++) {
        WW_TRY(cycle(work, extreme, &converged, error));
        cblas_dcopy(n, extreme->vector, 1, work->basis, 1);
    }
    fix_sign(n, extreme->vector);
    WW_TRY(ww_broadcast(work->parallel, &extreme->value, sizeof(double), 0, error));
    WW_TRY(ww_broadcast(work->parallel, &extreme->residual, sizeof(double), 0, error));
    return ww_broadcast(work->parallel, extreme->vector, (size_t)n * sizeof(double), 0, error);
}

ww_status ww_lanczos(int64_t order, ww_operator apply, void *context, const ww_parallel *parallel,
                     double tolerance, ww_extreme *extreme, ww_error *error)
{
    *extreme = (ww_extreme){0};
    search work = {.order = ww_int(order),
                   .most = ww_int(most_vectors(order)),
                   .apply = apply,
                   .context = context,
                   .parallel = parallel,
                   .tolerance = tolerance};
    extreme->vector = ww_allocate((size_t)order, sizeof(double), "an eigenvector", error);
    ww_status status = extreme->vector == NULL ? WW_FAILED : allocate(&work, error);
    status = ww_agree(parallel, status, error);
    if (status == WW_OK) // what fails there fails on all: products, and LAPACK on equal numbers
        status = ww_agree(parallel, find(&work, extreme, error), error);
    release(&work);
    return status;
}
