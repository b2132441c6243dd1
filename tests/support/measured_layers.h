/// A network of several hidden layers by plain loops, to hold quantities against.
#ifndef WIDTHWISE_TESTS_MEASURED_LAYERS_H
#define WIDTHWISE_TESTS_MEASURED_LAYERS_H

#include "cmocka_all.h"

#include "base/lapack.h"
#include "widthwise/measure.h"
#include "widthwise/train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PLAIN_MOST_LAYERS = 8 };

typedef struct plain_layers {
    const ww_problem *problem;
    int64_t depth, width;
    double *weights[PLAIN_MOST_LAYERS]; ///< W_l [m, columns], l from 0
    double *output;                     ///< V [m, k]
} plain_layers;

static inline int64_t plain_columns(const plain_layers *self, int64_t layer)
{
    return layer == 0 ? self->problem->dimension : self->width;
}

static inline plain_layers plain_layers_create(const ww_problem *problem)
{
    plain_layers self = {
        .problem = problem, .depth = problem->depth, .width = problem->tiling.width};
    assert_true(self.depth <= PLAIN_MOST_LAYERS);
    for (int64_t layer = 0; layer < self.depth; layer++)
        self.weights[layer] =
            calloc((size_t)(self.width * plain_columns(&self, layer)), sizeof(double));
    self.output = calloc((size_t)(self.width * problem->outputs), sizeof(double));
    return self;
}

static inline void plain_layers_free(plain_layers *self)
{
    for (int64_t layer = 0; layer < self->depth; layer++)
        free(self->weights[layer]);
    free(self->output);
}

/// The weights of an engine that has all units on this rank.
static inline void plain_layers_read(plain_layers *self, ww_engine *engine)
{
    const ww_tiling *tiling = &self->problem->tiling;
    for (int64_t layer = 0; layer < self->depth; layer++) {
        const int64_t columns = plain_columns(self, layer);
        for (int64_t tile = 0; tile < tiling->tile_count; tile++)
            memcpy(self->weights[layer] + tile * tiling->tile_units * columns,
                   ww_engine_layer_tile(engine, layer + 1, tile),
                   (size_t)(ww_tile_size(tiling, tile) * columns) * sizeof(double));
    }
    memcpy(self->output, ww_engine_output_weights(engine),
           (size_t)(self->width * self->problem->outputs) * sizeof(double));
}

/// What one sample makes of them: [L][m] each, `inputs` with the sample itself in front.
typedef struct plain_pass {
    const double *inputs[PLAIN_MOST_LAYERS]; ///< x_l of layer l, l from 0
    double *preactivations[PLAIN_MOST_LAYERS];
    double *activations[PLAIN_MOST_LAYERS];
    double *derivatives[PLAIN_MOST_LAYERS]; ///< by the pre-activations
    double *outputs;                        ///< [k]
} plain_pass;

static inline void plain_pass_create(const plain_layers *self, plain_pass *pass)
{
    for (int64_t layer = 0; layer < self->depth; layer++) {
        pass->preactivations[layer] = calloc((size_t)self->width, sizeof(double));
        pass->activations[layer] = calloc((size_t)self->width, sizeof(double));
        pass->derivatives[layer] = calloc((size_t)self->width, sizeof(double));
    }
    pass->outputs = calloc((size_t)self->problem->outputs, sizeof(double));
}

static inline void plain_pass_free(const plain_layers *self, plain_pass *pass)
{
    for (int64_t layer = 0; layer < self->depth; layer++) {
        free(pass->preactivations[layer]);
        free(pass->activations[layer]);
        free(pass->derivatives[layer]);
    }
    free(pass->outputs);
}

static inline double plain_slope(const plain_layers *self, double preactivation)
{
    return preactivation >= 0.0 ? 1.0 : self->problem->negative_slope;
}

static inline void plain_forward(const plain_layers *self, const double *input, plain_pass *pass)
{
    const int64_t k = self->problem->outputs;
    for (int64_t layer = 0; layer < self->depth; layer++) {
        const int64_t columns = plain_columns(self, layer);
        pass->inputs[layer] = layer == 0 ? input : pass->activations[layer - 1];
        for (int64_t r = 0; r < self->width; r++) {
            double sum = 0.0;
            for (int64_t j = 0; j < columns; j++)
                sum += self->weights[layer][r * columns + j] * pass->inputs[layer][j];
            pass->preactivations[layer][r] = sum;
            pass->activations[layer][r] = sum * plain_slope(self, sum);
        }
    }
    for (int64_t c = 0; c < k; c++) {
        pass->outputs[c] = 0.0;
        for (int64_t r = 0; r < self->width; r++)
            pass->outputs[c] += self->output[r * k + c] * pass->activations[self->depth - 1][r];
    }
}

/// Given the derivative by the outputs, [k].
static inline void plain_backward(const plain_layers *self, const double *gradient,
                                  plain_pass *pass)
{
    const int64_t k = self->problem->outputs;
    for (int64_t layer = self->depth - 1; layer >= 0; layer--)
        for (int64_t r = 0; r < self->width; r++) {
            double sum = 0.0;
            if (layer == self->depth - 1)
                for (int64_t c = 0; c < k; c++)
                    sum += self->output[r * k + c] * gradient[c];
            else
                for (int64_t u = 0; u < self->width; u++)
                    sum += self->weights[layer + 1][u * self->width + r] *
                           pass->derivatives[layer + 1][u];
            pass->derivatives[layer][r] = sum * plain_slope(self, pass->preactivations[layer][r]);
        }
}

/// Adds the gradient by W_l of one sample to `gradient` [m, columns].
static inline void plain_add_gradient(const plain_layers *self, const plain_pass *pass,
                                      int64_t layer, double *gradient)
{
    const int64_t columns = plain_columns(self, layer);
    for (int64_t r = 0; r < self->width; r++)
        for (int64_t j = 0; j < columns; j++)
            gradient[r * columns + j] += pass->derivatives[layer][r] * pass->inputs[layer][j];
}

/// Largest singular value of `matrix` [rows, columns], which is destroyed.
static inline double plain_spectral_norm(double *matrix, int64_t rows, int64_t columns)
{
    const int m = (int)columns, n = (int)rows, size = 64 * (m + n), one = 1;
    double *values = calloc((size_t)(m + n), sizeof(double));
    double *work = calloc((size_t)size, sizeof(double));
    double ignored = 0.0;
    int info = 0;
    dgesvd_("N", "N", &m, &n, matrix, &m, values, &ignored, &one, &ignored, &one, work, &size,
            &info, 1, 1);
    assert_int_equal(info, 0);
    const double largest = values[0];
    free(values);
    free(work);
    return largest;
}

/// ||W_l - W_l'||_2.
static inline double plain_spectral_distance(const plain_layers *self, const plain_layers *other,
                                             int64_t layer)
{
    const int64_t count = self->width * plain_columns(self, layer);
    double *difference = calloc((size_t)count, sizeof(double));
    for (int64_t i = 0; i < count; i++)
        difference[i] = self->weights[layer][i] - other->weights[layer][i];
    const double norm = plain_spectral_norm(difference, self->width, plain_columns(self, layer));
    free(difference);
    return norm;
}

#endif
