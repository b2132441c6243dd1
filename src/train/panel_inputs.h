/// A few samples, the way the kernels of panels.h want them: inputs of a block of samples, or rows
/// of their products with others.
#ifndef WIDTHWISE_TRAIN_PANEL_INPUTS_H
#define WIDTHWISE_TRAIN_PANEL_INPUTS_H

#include "train/panels.h"
#include "widthwise/error.h"

/// What they are for.
typedef enum ww_panel_use {
    WW_FOR_PRODUCTS = 1, ///< rows of weights with them
    WW_FOR_SUMS = 2,     ///< of them, added to rows of weights
    WW_FOR_BOTH = 3
} ww_panel_use;

/// In one precision. No function here is collective.
typedef struct ww_panel_inputs {
    const ww_panel_kernels *kernels;
    ww_panel_use use;
    size_t size;       ///< of a number
    int64_t dimension; ///< d, of those that are there
    int64_t samples;   ///< those that are there; 0 at first
    void *panels, *strips;
} ww_panel_inputs;

/// Room for `capacity` samples of `dimension` columns. Free with ww_panel_inputs_free, also after a
/// failure.
ww_status ww_panel_inputs_create(bool single, ww_panel_use use, int64_t capacity, int64_t dimension,
                                 ww_panel_inputs *inputs, ww_error *error);
void ww_panel_inputs_free(ww_panel_inputs *inputs);
/// Bytes that it takes. Pure.
int64_t ww_panel_inputs_bytes(bool single, ww_panel_use use, int64_t capacity, int64_t dimension);

/// Takes `samples` samples, values [samples, d].
void ww_panel_inputs_set(ww_panel_inputs *inputs, const double *values, int64_t samples);
/// The same with another number of columns than there is room for: no more.
void ww_panel_inputs_set_columns(ww_panel_inputs *inputs, const double *values, int64_t samples,
                                 int64_t columns);

/// preactivations [units, samples] = weights [units, d] X^T, both in the precision of the inputs.
/// The bits of a row are its own.
void ww_panel_preactivations(const ww_panel_inputs *inputs, const void *weights, int64_t units,
                             void *preactivations);

/// products [units, samples] += rows [units, d] X^T; rows lie row_stride apart.
void ww_panel_add_products(const ww_panel_inputs *inputs, const void *rows, int64_t row_stride,
                           int64_t units, void *products);

/// weights [units, d] += (scale * coefficients) X, coefficients [units, samples], likewise. A term
/// of 0 takes no time.
void ww_panel_move(const ww_panel_inputs *inputs, double scale, const void *coefficients,
                   int64_t units, void *weights);
/// The same with rows of coefficients `stride` apart.
void ww_panel_move_by(const ww_panel_inputs *inputs, double scale, const void *coefficients,
                      int64_t stride, int64_t units, void *weights);

/// weights [units, d] += scales [units] * the sum of the samples whose bits are set in patterns
/// [units, samples], `stride` bytes apart. `room` of WW_PATTERN_ROOM_BYTES.
void ww_panel_add_patterns(const ww_panel_inputs *inputs, const void *scales,
                           const uint8_t *patterns, int64_t stride, int64_t units, void *weights,
                           void *room);

#endif
