/// The network f_i(x) = sum_r a_ir s(<w_r, x>), its activation, its loss and its initial weights. A
/// factor in front of the sum, as m^-1/2 of AR section 3, is part of the output weights a.
///
/// Hidden weights W have shape [m, d], a row for each unit; output weights are kept unit by unit,
/// [m, k], so that a tile of units is one piece of memory. Both are distributed by units.
#ifndef WIDTHWISE_NETWORK_H
#define WIDTHWISE_NETWORK_H

#include "widthwise/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Applies the activation in place to `count` pre-activations and writes to `active` [count]
/// whether each is on its positive side (z >= 0, so 0 counts as positive). `slope` is that of the
/// negative side: 0 for ReLU. Pure.
void ww_activate(double slope, double *preactivations, size_t count, uint8_t *active);

/// Slope of the activation's negative side: 0 for ReLU.
double ww_negative_slope(const ww_config *config);

/// What the outputs of one sample are compared with.
typedef struct ww_target {
    int64_t label;        ///< class of the sample
    const double *values; ///< [k], the outputs wanted; NULL for losses that look at the label alone
} ww_target;

/// A loss on the k outputs of one sample.
typedef struct ww_loss {
    const char *name;
    const char *units; ///< of its value
    /// Loss of outputs [k] for `target`. +infinity or NaN when outputs are not finite.
    double (*value)(const double *outputs, int64_t k, ww_target target);
    /// Derivative by each output, into gradient [k].
    void (*gradient)(const double *outputs, int64_t k, ww_target target, double *gradient);
    /// Whether the label is predicted: f_y > f_j for every j != y (LL theorem 4.1: ties are
    /// errors); with the one output of two classes, or of a function, whether it has the sign of
    /// the target.
    bool (*correct)(const double *outputs, int64_t k, ww_target target);
    /// Largest eigenvalue that the second derivative by the outputs can have.
    double curvature;
} ww_loss;

/// The loss of a configuration. Cross entropy over the softmax (LL section 3) is done stably: the
/// largest output is subtracted before exponentials are taken. The squared loss is half the squared
/// distance of the outputs from the targets (AR section 3).
const ww_loss *ww_loss_of(const ww_config *config);

/// Initial hidden weights of units first_unit .. first_unit + units - 1, into out [units, d]: a
/// pure function of the seed and the unit's global index. They are drawn again wherever they are
/// needed. With antisymmetric pairs unit 2r + 1 has the weights of unit 2r.
void ww_initial_hidden_weights(const ww_config *config, int64_t dimension, int64_t first_unit,
                               int64_t units, double *out);

/// Initial output weights of the same units, into out [units, k]. With antisymmetric pairs unit
/// 2r + 1 has those of unit 2r with the opposite sign.
void ww_initial_output_weights(const ww_config *config, int64_t outputs, int64_t first_unit,
                               int64_t units, double *out);

#endif
