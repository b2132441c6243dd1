/// Inputs of a block of samples, the way the kernels of panels.h want them.
#ifndef WIDTHWISE_TRAIN_PANEL_INPUTS_H
#define WIDTHWISE_TRAIN_PANEL_INPUTS_H

#include "train/panels.h"
#include "widthwise/error.h"

/// In one precision. No function here is collective.
typedef struct ww_panel_inputs {
    const ww_panel_kernels *kernels;
    size_t size;       ///< of a number
    int64_t dimension; ///< d
    int64_t samples;   ///< those that are there; 0 at first
    void *panels, *strips;
} ww_panel_inputs;

/// Room for `capacity` samples. Free with ww_panel_inputs_free, also after a failure.
ww_status ww_panel_inputs_create(bool single, int64_t capacity, int64_t dimension,
                                 ww_panel_inputs *inputs, ww_error *error);
void ww_panel_inputs_free(ww_panel_inputs *inputs);
/// Bytes that it takes. Pure.
int64_t ww_panel_inputs_bytes(bool single, int64_t capacity, int64_t dimension);

/// Takes the inputs of `samples` samples, values [samples, d].
void ww_panel_inputs_set(ww_panel_inputs *inputs, const double *values, int64_t samples);

/// preactivations [units, samples] = weights [units, d] X^T, both in the precision of the inputs.
/// The bits of a row are its own.
void ww_panel_preactivations(const ww_panel_inputs *inputs, const void *weights, int64_t units,
                             void *preactivations);

/// weights [units, d] += (scale * coefficients) X, coefficients [units, samples], likewise. A term
/// of 0 takes no time.
void ww_panel_move(const ww_panel_inputs *inputs, double scale, const void *coefficients,
                   int64_t units, void *weights);

#endif
