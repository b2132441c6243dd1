/// The largest eigenvalue of a product of two matrices that are symmetric and without negative
/// eigenvalues.
///
/// With a Cholesky factor C = L L^T it is that of L^T A L, which is symmetric, and found by
/// Lanczos' method. A factor can be kept where C stays what it is.
#ifndef WIDTHWISE_TRAIN_PRODUCT_NORM_H
#define WIDTHWISE_TRAIN_PRODUCT_NORM_H

#include "widthwise/error.h"

#include <stdint.h>

/// The factor of a matrix C [order, order]. Not collective.
typedef struct ww_product_factor ww_product_factor;
ww_status ww_product_factor_create(int64_t order, ww_product_factor **factor, ww_error *error);
void ww_product_factor_free(ww_product_factor *factor);
/// Bytes that it takes. Pure.
int64_t ww_product_factor_bytes(int64_t order);

/// Factorises `c` [order, order], of which the upper triangle is looked at. C may be singular: what
/// is left out of the factor is rounding. WW_FAILED: LAPACK fails. Not collective; the same bits
/// for the same matrix.
ww_status ww_product_factor_find(ww_product_factor *factor, const double *c, ww_error *error);

/// Room for the search for matrices of order `most` at most. Not collective.
typedef struct ww_product_norm ww_product_norm;
ww_status ww_product_norm_create(int64_t most, ww_product_norm **norm, ww_error *error);
void ww_product_norm_free(ww_product_norm *norm);
/// Bytes that it takes. Pure.
int64_t ww_product_norm_bytes(int64_t most);

/// Largest eigenvalue of A C, `a` [order, order] by its upper triangle and C by its factor; of A
/// alone where that is NULL. To `tolerance`, relative, as far as rounding allows: with a residual r
/// and a gap g to the next eigenvalue (as far as it is known) the error is below r^2 / g (Kato and
/// Temple), or else below r. WW_DIVERGED: the eigenvalue is not finite. WW_FAILED: it was not
/// found, or LAPACK fails. Not collective; the same bits for the same matrices.
ww_status ww_product_norm_find(ww_product_norm *norm, int64_t order, const double *a,
                               ww_product_factor *factor, double tolerance, double *value,
                               ww_error *error);

#endif
