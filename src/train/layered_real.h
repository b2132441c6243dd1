// The methods of a network of hidden layers in one precision. Read once for each, by a source that
// has defined
//   WW_REAL           the type,
//   WW_KERNEL(name)   the name of a kernel in this precision,
//   WW_ADD            the function that adds terms to sums,
//   WW_WORDS          the words of a sum of derivatives,
//   WW_NUMBERS        the name of the methods of activations.h,
//   WW_METHODS        the name of the methods here.
// Hence no guard against being read twice.

#include "train/layered_inside.h"

#include "train/kernels.h"

#include <math.h>
#include <string.h>

// Of a row of a piece of a layer.
enum { PIECE_BYTES = 4096 };

// Inputs of a block in this precision.
static const WW_REAL *inputs_of(const ww_layered_block *block)
{
    const void *inputs =
        block->narrow_inputs != NULL ? block->narrow_inputs : (const void *)block->inputs;
    return inputs;
}

// Rows of this rank, `first` of its own and those after it, of the weights, the activations and the
// derivatives of a layer.
static const WW_REAL *weights_of(const ww_layered *network, int64_t layer, int64_t first)
{
    const WW_REAL *weights = network->weights.hidden[layer - 1];
    return weights + first * ww_layer_columns(network->problem, layer);
}

static WW_REAL *activations_of(const ww_layered_block *block, int64_t layer, int64_t first)
{
    WW_REAL *activations = block->activations[layer - 1];
    return activations + (ww_layered_first_row(block->problem, layer) + first) * block->samples;
}

static WW_REAL *derivatives_of(const ww_layered_block *block, int64_t layer, int64_t first)
{
    WW_REAL *derivatives = block->derivatives[layer - 1];
    return derivatives + first * block->samples;
}

static uint8_t *patterns_of(const ww_layered_block *block, int64_t layer, int64_t first)
{
    return block->patterns[layer - 1] + first * block->samples;
}

static void preactivate(const ww_layered *network, const ww_layered_block *block, int64_t layer,
                        ww_rows rows, void *preactivations)
{
    const ww_problem *problem = network->problem;
    const int64_t columns = ww_layer_columns(problem, layer);
    const WW_REAL *weights = weights_of(network, layer, rows.first);
    if (layer == 1)
        ww_panel_preactivations(&block->panels, weights, rows.units, preactivations);
    else
        WW_KERNEL(layer_preactivations)
    (weights, rows.units, block->activations[layer - 2], block->samples, columns, preactivations);
}

static void activate(const ww_layered *network, ww_layered_block *block, int64_t layer,
                     ww_rows rows)
{
    const ww_problem *problem = network->problem;
    WW_REAL *activations = activations_of(block, layer, rows.first);
    preactivate(network, block, layer, rows, activations);
    WW_NUMBERS.activate(problem->negative_slope, activations, rows.units * block->samples,
                        patterns_of(block, layer, rows.first));
}

static void find_outputs(ww_layered *network, const ww_layered_block *block, ww_rows rows)
{
    const ww_problem *problem = network->problem;
    const int64_t k = problem->outputs;
    const WW_REAL *output_weights = network->weights.narrow;
    WW_NUMBERS.outputs(problem->pairs, activations_of(block, problem->depth, rows.first),
                       output_weights + rows.first * k, rows.units, block->samples, k,
                       network->partial);
    WW_NUMBERS.widen(network->partial, block->samples * k, network->outputs);
}

static void begin_backward(ww_layered *network, ww_layered_block *block, ww_rows rows)
{
    const ww_problem *problem = network->problem;
    const WW_REAL *output_weights = network->weights.narrow;
    WW_REAL *derivatives = derivatives_of(block, problem->depth, rows.first);
    WW_NUMBERS.derive(output_weights + rows.first * problem->outputs, network->gradients,
                      rows.units, block->samples, problem->outputs, derivatives);
    WW_NUMBERS.mask(problem->negative_slope, patterns_of(block, problem->depth, rows.first),
                    rows.units * block->samples, derivatives);
}

static void find_largest(const void *values, int64_t rows, int64_t columns, double *largest)
{
    const WW_REAL *numbers = values;
    for (int64_t row = 0; row < rows; row++)
        for (int64_t i = 0; i < columns; i++) {
            const double size = fabs((double)numbers[row * columns + i]);
            // Never taken back once it is infinite, nor for a NaN.
            largest[i] = size <= largest[i] ? largest[i] : size < HUGE_VAL ? size : HUGE_VAL;
        }
}

static int64_t add_back(ww_layered *network, const ww_layered_block *block, int64_t layer,
                        ww_rows rows, int64_t first, int64_t count, int64_t *words)
{
    WW_KERNEL(products)
    (weights_of(network, layer, rows.first) + first, count,
     ww_layer_columns(network->problem, layer), derivatives_of(block, layer, rows.first),
     block->samples, rows.units, network->partial);
    return WW_ADD(&network->format, network->partial, count, words);
}

static void take_back(ww_layered_block *block, int64_t layer, ww_rows rows, const double *values)
{
    const int64_t count = rows.units * block->samples;
    WW_REAL *derivatives = derivatives_of(block, layer, rows.first);
    WW_NUMBERS.narrow(values, count, derivatives);
    WW_NUMBERS.mask(block->problem->negative_slope, patterns_of(block, layer, rows.first), count,
                    derivatives);
}

static void multiply(const void *left, int64_t left_columns, const void *right,
                     int64_t right_columns, int64_t units, void *room, double *products)
{
    WW_KERNEL(products)(left, left_columns, left_columns, right, right_columns, units, room);
    WW_NUMBERS.widen(room, left_columns * right_columns, products);
}

static void square(const void *values, int64_t columns, int64_t units, void *room, double *products)
{
    WW_KERNEL(square)(values, columns, units, room);
    WW_NUMBERS.widen(room, columns * columns, products);
}

static void multiply_inputs(const ww_layered_block *left, const ww_layered_block *right, void *room,
                            double *products)
{
    WW_KERNEL(preactivations)
    (false, inputs_of(left), left->samples, inputs_of(right), right->samples,
     left->problem->dimension, room);
    WW_NUMBERS.widen(room, left->samples * right->samples, products);
}

static void find_gradient(const ww_layered_block *block, int64_t layer, ww_rows rows, bool adds,
                          void *gradient)
{
    const int64_t columns = ww_layer_columns(block->problem, layer);
    const WW_REAL *derivatives = derivatives_of(block, layer, rows.first);
    if (layer == 1) {
        WW_KERNEL(rows)
        (1, derivatives, inputs_of(block), rows.units, block->samples, columns, adds ? 1 : 0,
         gradient);
        return;
    }
    if (!adds)
        memset(gradient, 0, (size_t)(rows.units * columns) * sizeof(WW_REAL));
    WW_KERNEL(layer_rows)
    (1, derivatives, block->activations[layer - 2], rows.units, block->samples, columns, gradient);
}

static void add_sizes(const ww_layered_block *block, int64_t layer, const double *sizes,
                      double *sums)
{
    const int64_t columns = ww_layer_columns(block->problem, layer);
    if (layer == 1) {
        const WW_REAL *inputs = inputs_of(block);
        for (int64_t sample = 0; sample < block->samples; sample++)
            for (int64_t i = 0; i < columns; i++)
                sums[i] += sizes[sample] * fabs((double)inputs[sample * columns + i]);
        return;
    }
    const WW_REAL *activations = block->activations[layer - 2];
    for (int64_t i = 0; i < columns; i++)
        for (int64_t sample = 0; sample < block->samples; sample++)
            sums[i] += sizes[sample] * fabs((double)activations[i * block->samples + sample]);
}

static void move(const ww_layered *network, const ww_layered_block *block, int64_t layer,
                 ww_rows rows, void *hidden)
{
    const ww_problem *problem = network->problem;
    const int64_t columns = ww_layer_columns(problem, layer);
    const WW_REAL scale = (WW_REAL)-problem->learning_rate;
    const WW_REAL *derivatives = derivatives_of(block, layer, rows.first);
    WW_REAL *weights = hidden;
    weights += rows.first * columns;
    if (layer == 1)
        ww_panel_move(&block->panels, (double)scale, derivatives, rows.units, weights);
    else
        WW_KERNEL(layer_rows)
    (scale, derivatives, block->activations[layer - 2], rows.units, block->samples, columns,
     weights);
}

static void find_output_updates(ww_layered *network, const ww_layered_block *block, ww_rows rows,
                                const double *gradients, bool adds, void *updates)
{
    const ww_problem *problem = network->problem;
    const int64_t k = problem->outputs;
    WW_NUMBERS.narrow(gradients, block->samples * k, network->gradients);
    WW_NUMBERS.output_updates(-problem->learning_rate,
                              activations_of(block, problem->depth, rows.first), network->gradients,
                              rows.units, block->samples, k, adds, updates);
}

static void move_outputs(ww_layered *network, ww_rows rows, const void *updates)
{
    const int64_t k = network->problem->outputs;
    WW_REAL *weights = network->weights.narrow;
    weights += rows.first * k;
    WW_NUMBERS.add(updates, rows.units * k, weights);
    if (network->weights.narrow != (void *)network->weights.output)
        WW_NUMBERS.widen(weights, rows.units * k, network->weights.output + rows.first * k);
}

const ww_layered_methods WW_METHODS = {
    .size = sizeof(WW_REAL),
    .words = WW_WORDS,
    .piece = PIECE_BYTES / sizeof(WW_REAL),
    .numbers = &WW_NUMBERS,
    .preactivate = preactivate,
    .activate = activate,
    .find_outputs = find_outputs,
    .begin_backward = begin_backward,
    .find_largest = find_largest,
    .add_back = add_back,
    .take_back = take_back,
    .multiply = multiply,
    .square = square,
    .multiply_inputs = multiply_inputs,
    .find_gradient = find_gradient,
    .add_sizes = add_sizes,
    .move = move,
    .find_output_updates = find_output_updates,
    .move_outputs = move_outputs,
};
