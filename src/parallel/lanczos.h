/// Lanczos' method for the eigenvalue of largest magnitude of a symmetric operator.
#ifndef WIDTHWISE_PARALLEL_LANCZOS_H
#define WIDTHWISE_PARALLEL_LANCZOS_H

#include "widthwise/parallel.h"

#include <stdint.h>

/// out [n] = A x [n], both replicated, the same bits on all ranks. Collective.
typedef ww_status (*ww_operator)(void *context, const double *x, double *out, ww_error *error);

typedef struct ww_extreme {
    double value;
    double *vector;   ///< [n], of norm 1, its largest entry positive; replicated
    double residual;  ///< ||A v - value v||_2, by the recursion
    int64_t products; ///< with A
} ww_extreme;

void ww_extreme_free(ww_extreme *extreme);

/// Finds the eigenvalue of largest magnitude and its eigenvector. The basis is kept orthogonal to
/// working accuracy, replicated; when it is full, the search begins anew from the best vector. It
/// ends when the residual is below `tolerance` times the eigenvalue, or after a great many
/// products: `residual` tells. The first vector is always the same. Collective over `parallel`,
/// which may be this rank alone.
ww_status ww_lanczos(int64_t order, ww_operator apply, void *context, const ww_parallel *parallel,
                     double tolerance, ww_extreme *extreme, ww_error *error);

/// Entry i of a vector to begin a search with, before it is normalised: numbers in (-1, 1) without
/// a pattern. Pure.
double ww_lanczos_start(int64_t i);

/// Bytes that ww_lanczos allocates. Pure.
int64_t ww_lanczos_bytes(int64_t order);

#endif
