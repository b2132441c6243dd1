/// Inputs of many samples, arranged once for products with many tiles (panels.h): what BLAS would
/// copy at every call. Of the blocks of WW_SAMPLE_BLOCK samples each is arranged by itself.
#ifndef WIDTHWISE_TRAIN_PRODUCT_INPUTS_H
#define WIDTHWISE_TRAIN_PRODUCT_INPUTS_H

#include "train/panels.h"
#include "widthwise/error.h"

/// In double precision. No function here is collective.
typedef struct ww_product_inputs {
    const ww_panel_kernels *kernels;
    int64_t dimension;    ///< d
    int64_t samples;      ///< those that are there; 0 at first
    const double *values; ///< what they were made of
    double *panels;
} ww_product_inputs;

/// Room for `capacity` samples. Free with ww_product_inputs_free, also after a failure.
ww_status ww_product_inputs_create(int64_t capacity, int64_t dimension, ww_product_inputs *inputs,
                                   ww_error *error);
void ww_product_inputs_free(ww_product_inputs *inputs);
/// Bytes that it takes. Pure.
int64_t ww_product_inputs_bytes(int64_t capacity, int64_t dimension);

/// Takes the inputs of `samples` samples, values [samples, d].
void ww_product_inputs_set(ww_product_inputs *inputs, const double *values, int64_t samples);

/// preactivations [units, block] = weights [units, d] X^T for the block of samples that begins at
/// `start`. Each number has bits of its own, whatever unit and sample stand beside it.
void ww_product_preactivations(const ww_product_inputs *inputs, int64_t start,
                               const double *weights, int64_t units, double *preactivations);

#endif
