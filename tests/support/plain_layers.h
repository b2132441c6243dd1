/// A network of hidden layers written with plain loops in long double: its loss on a set of
/// samples, and the gradient of it.
#ifndef WIDTHWISE_TESTS_PLAIN_LAYERS_H
#define WIDTHWISE_TESTS_PLAIN_LAYERS_H

#include "widthwise/train.h"

#include <math.h>
#include <stdlib.h>

enum { PLAIN_MOST_LAYERS = 8 };

typedef struct plain_layers {
    const ww_problem *problem;
    int64_t depth, m, k;
    long double *hidden[PLAIN_MOST_LAYERS];   ///< W_l [m, columns]
    long double *output;                      ///< V [m, k]
    long double *gradient[PLAIN_MOST_LAYERS]; ///< of the loss, of the same shapes
    long double *output_gradient;
    /// Of one sample: activations x_0 .. x_L and derivatives by the pre-activations of each layer.
    long double *activations[PLAIN_MOST_LAYERS + 1];
    long double *derivatives[PLAIN_MOST_LAYERS];
} plain_layers;

static inline long double *plain_zeroes(int64_t count)
{
    return calloc((size_t)count, sizeof(long double));
}

static inline int64_t plain_columns(const plain_layers *net, int64_t layer)
{
    return layer == 1 ? net->problem->dimension : net->m;
}

/// Weights at t = 0; in single precision rounded to it.
static inline void plain_make(plain_layers *net, const ww_problem *problem)
{
    const bool is_single = problem->config->precision == WW_PRECISION_SINGLE;
    *net = (plain_layers){.problem = problem,
                          .depth = problem->depth,
                          .m = problem->tiling.width,
                          .k = problem->outputs};
    net->activations[0] = plain_zeroes(problem->dimension);
    for (int64_t layer = 1; layer <= net->depth; layer++) {
        const int64_t count = net->m * plain_columns(net, layer);
        double *drawn = calloc((size_t)count, sizeof(double));
        ww_drawn_layer_weights(problem->config, layer, plain_columns(net, layer), 0, net->m, drawn);
        net->hidden[layer - 1] = plain_zeroes(count);
        net->gradient[layer - 1] = plain_zeroes(count);
        net->activations[layer] = plain_zeroes(net->m);
        net->derivatives[layer - 1] = plain_zeroes(net->m);
        for (int64_t i = 0; i < count; i++)
            net->hidden[layer - 1][i] = is_single ? (float)drawn[i] : drawn[i];
        free(drawn);
    }
    double *drawn = calloc((size_t)(net->m * net->k), sizeof(double));
    ww_drawn_output_weights(problem->config, net->k, 0, net->m, drawn);
    net->output = plain_zeroes(net->m * net->k);
    net->output_gradient = plain_zeroes(net->m * net->k);
    for (int64_t i = 0; i < net->m * net->k; i++)
        net->output[i] = is_single ? (float)drawn[i] : drawn[i];
    free(drawn);
}

static inline void plain_free(plain_layers *net)
{
    for (int64_t i = 0; i < net->depth; i++) {
        free(net->hidden[i]);
        free(net->gradient[i]);
        free(net->derivatives[i]);
        free(net->activations[i + 1]);
    }
    free(net->activations[0]);
    free(net->output);
    free(net->output_gradient);
}

static inline long double plain_slope(const plain_layers *net, long double activation)
{
    // The sign of an activation is that of its pre-activation, where the slope is not 0.
    return activation >= 0.0L && !signbit(activation) ? 1.0L : net->problem->negative_slope;
}

/// Outputs on one input; activations stay.
static inline void plain_outputs(plain_layers *net, const double *input, long double *outputs)
{
    for (int64_t j = 0; j < net->problem->dimension; j++)
        net->activations[0][j] = input[j];
    for (int64_t layer = 1; layer <= net->depth; layer++) {
        const int64_t columns = plain_columns(net, layer);
        for (int64_t unit = 0; unit < net->m; unit++) {
            long double z = 0.0L;
            for (int64_t j = 0; j < columns; j++)
                z += net->hidden[layer - 1][unit * columns + j] * net->activations[layer - 1][j];
            net->activations[layer][unit] = z >= 0.0L ? z : net->problem->negative_slope * z;
        }
    }
    for (int64_t j = 0; j < net->k; j++) {
        outputs[j] = 0.0L;
        for (int64_t unit = 0; unit < net->m; unit++)
            outputs[j] += net->output[unit * net->k + j] * net->activations[net->depth][unit];
    }
}

/// Loss of one sample and its derivatives by the outputs, from the formulas.
static inline long double plain_loss_of(const plain_layers *net, const ww_samples *samples,
                                        int64_t sample, const long double *outputs,
                                        long double *gradient)
{
    const int64_t label = samples->labels[sample];
    const double *wanted = samples->targets == NULL ? NULL : samples->targets + sample * net->k;
    long double loss = 0.0L, sum = 0.0L;
    switch (net->problem->config->loss) {
    case WW_LOSS_CROSS_ENTROPY:
        for (int64_t j = 0; j < net->k; j++)
            sum += expl(outputs[j]);
        for (int64_t j = 0; j < net->k; j++)
            gradient[j] = expl(outputs[j]) / sum - (j == label ? 1.0L : 0.0L);
        return logl(sum) - outputs[label];
    case WW_LOSS_SQUARED:
        for (int64_t j = 0; j < net->k; j++) {
            gradient[j] = outputs[j] - wanted[j];
            loss += 0.5L * gradient[j] * gradient[j];
        }
        return loss;
    case WW_LOSS_HINGE:
        gradient[0] = wanted[0] * outputs[0] < 1.0L ? -wanted[0] : 0.0L;
        return fmaxl(0.0L, 1.0L - wanted[0] * outputs[0]);
    }
    return (long double)NAN;
}

static inline long double plain_divisor(const plain_layers *net, int64_t count)
{
    return net->problem->config->loss_reduction == WW_REDUCTION_SUM ? 1.0L : (long double)count;
}

/// Loss on train samples `indices` [count]; nothing else.
static inline long double plain_loss(plain_layers *net, const int64_t *indices, int64_t count)
{
    const ww_samples *train = &net->problem->data->train;
    long double loss = 0.0L, outputs[16], gradient[16];
    for (int64_t i = 0; i < count; i++) {
        plain_outputs(net, train->inputs + indices[i] * net->problem->dimension, outputs);
        loss += plain_loss_of(net, train, indices[i], outputs, gradient);
    }
    return loss / plain_divisor(net, count);
}

/// The same, and its gradients.
static inline long double plain_gradients(plain_layers *net, const int64_t *indices, int64_t count)
{
    const ww_samples *train = &net->problem->data->train;
    long double loss = 0.0L, outputs[16], gradient[16];
    for (int64_t layer = 1; layer <= net->depth; layer++)
        for (int64_t i = 0; i < net->m * plain_columns(net, layer); i++)
            net->gradient[layer - 1][i] = 0.0L;
    for (int64_t i = 0; i < net->m * net->k; i++)
        net->output_gradient[i] = 0.0L;
    for (int64_t s = 0; s < count; s++) {
        plain_outputs(net, train->inputs + indices[s] * net->problem->dimension, outputs);
        loss += plain_loss_of(net, train, indices[s], outputs, gradient);
        for (int64_t layer = net->depth; layer >= 1; layer--) {
            const int64_t columns = plain_columns(net, layer);
            for (int64_t unit = 0; unit < net->m; unit++) {
                long double sum = 0.0L;
                for (int64_t j = 0; layer == net->depth && j < net->k; j++) {
                    const long double g = gradient[j] / plain_divisor(net, count);
                    sum += net->output[unit * net->k + j] * g;
                    net->output_gradient[unit * net->k + j] += net->activations[layer][unit] * g;
                }
                for (int64_t j = 0; layer < net->depth && j < net->m; j++)
                    sum += net->hidden[layer][j * net->m + unit] * net->derivatives[layer][j];
                net->derivatives[layer - 1][unit] =
                    sum * plain_slope(net, net->activations[layer][unit]);
                for (int64_t j = 0; j < columns; j++)
                    net->gradient[layer - 1][unit * columns + j] +=
                        net->derivatives[layer - 1][unit] * net->activations[layer - 1][j];
            }
        }
    }
    return loss / plain_divisor(net, count);
}

#endif
