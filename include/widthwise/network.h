/// The network f_i(x) = sum_r a_ir s(<w_r, x>), its activation, its loss and its initial weights. A
/// factor in front of the sum, as m^-1/2 of AR section 3, is part of the output weights a. With L
/// hidden layers it is f(x) = V s(W_L ... s(W_1 x)) (ZG section 2), each layer of m units.
///
/// Hidden weights W = W_1 have shape [m, d], a row for each unit, and W_2 .. W_L [m, m]; output
/// weights are kept unit by unit, [m, k], so that a tile of units is one piece of memory. All are
/// distributed by units.
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

/// Those patterns alone, the pre-activations untouched. Pure.
void ww_patterns(const double *preactivations, size_t count, uint8_t *active);

/// Activations of `count` pre-activations that are on the side which `active` [count] says, 0 or 1,
/// whatever their own sign (the pseudo network of LL section 5.1). The arrays do not overlap. Pure.
void ww_activate_by(double slope, const uint8_t *active, const double *preactivations, size_t count,
                    double *activations);

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
    /// errors), where there are targets with y a largest of them; with the one output of two
    /// classes, or of a function, whether it has the sign of the target.
    bool (*correct)(const double *outputs, int64_t k, ww_target target);
    /// Largest eigenvalue that the second derivative by the outputs can have.
    double curvature;
} ww_loss;

/// The loss of a configuration. Cross entropy over the softmax (LL section 3) is done stably: the
/// largest output is subtracted before exponentials are taken. The squared loss is half the squared
/// distance of the outputs from the targets (AR section 3). The hinge loss max(1 - y f, 0) of two
/// classes y = +1 and -1 (BR section 2) has the gradient 0 where the margin y f is 1 or more.
const ww_loss *ww_loss_of(const ww_config *config);

/// Hidden weights of units first_unit .. first_unit + units - 1 as they are drawn, into out [units,
/// d]: a pure function of the seed and the unit's global index. With antisymmetric pairs unit 2r +
/// 1 has the weights of unit 2r. With single precision these and all other weights at t = 0 are
/// floats, widened.
void ww_drawn_hidden_weights(const ww_config *config, int64_t dimension, int64_t first_unit,
                             int64_t units, double *out);

/// The same for units of hidden layer `layer`, 1 .. L, into out [units, columns]: each layer has
/// draws of its own; those of the first are the ones above.
void ww_drawn_layer_weights(const ww_config *config, int64_t layer, int64_t columns,
                            int64_t first_unit, int64_t units, double *out);

/// Output weights of the same units as they are drawn, into out [units, k]. With antisymmetric
/// pairs unit 2r + 1 has those of unit 2r with the opposite sign.
void ww_drawn_output_weights(const ww_config *config, int64_t outputs, int64_t first_unit,
                             int64_t units, double *out);

/// The weights at t = 0. Those that are drawn are drawn again wherever they are needed; others
/// (network.start) are held, each rank its own units.
typedef struct ww_initial {
    const ww_config *config;
    int64_t dimension, outputs; ///< d, k
    int64_t first_unit;         ///< of those held
    const double *hidden;       ///< [local units, d]; NULL: drawn
    const double *output;       ///< [local units, k]; NULL: drawn
} ww_initial;

/// W(0) of units first_unit .. first_unit + units - 1 into out [units, d]; of held weights these
/// units are of this rank. Pure.
void ww_initial_hidden_weights(const ww_initial *initial, int64_t first_unit, int64_t units,
                               double *out);
/// W_l(0) of hidden layer `layer`, 1 .. L, likewise, into out [units, columns]: only those of the
/// first layer are ever held. Pure.
void ww_initial_layer_weights(const ww_initial *initial, int64_t layer, int64_t columns,
                              int64_t first_unit, int64_t units, double *out);
/// Output weights at t = 0 likewise, into out [units, k].
void ww_initial_output_weights(const ww_initial *initial, int64_t first_unit, int64_t units,
                               double *out);

#endif
