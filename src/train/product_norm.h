/// The largest eigenvalue of a product of two matrices that are symmetric and without negative
/// eigenvalues.
#ifndef WIDTHWISE_TRAIN_PRODUCT_NORM_H
#define WIDTHWISE_TRAIN_PRODUCT_NORM_H

#include "widthwise/error.h"

#include <stdint.h>

/// Room for the search for matrices of one order. Not collective.
typedef struct ww_product_norm ww_product_norm;
ww_status ww_product_norm_create(int64_t order, ww_product_norm **norm, ww_error *error);
void ww_product_norm_free(ww_product_norm *norm);
/// Bytes that it takes. Pure.
int64_t ww_product_norm_bytes(int64_t order);

/// Largest eigenvalue of A C, [order, order] both, to `tolerance`, relative, as far as rounding
/// allows; by Lanczos' method on L^T A L with the Cholesky factor L of C, which is symmetric and
/// has the same eigenvalues. WW_FAILED: memory is short, or LAPACK fails. Not collective; the same
/// bits for the same matrices.
ww_status ww_product_norm_find(ww_product_norm *norm, const double *a, const double *c,
                               double tolerance, double *value, ww_error *error);

#endif
