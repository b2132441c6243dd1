#include "measure/layer_gradients.h"

#include "train/kernels.h"
#include "widthwise/memory.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>

typedef struct pair_room {
    const ww_problem *problem;
    ww_layered *network;
    const double *inputs, *gradients;
    int64_t samples;
    ww_layered_block *left, *right; // right is NULL where all samples are one block
    ww_output_sum sum;              // outputs are made, but not asked for
    double *derivatives, *products; // [block, block]
    ww_layered_pairs *pairs;
} pair_room;

static ww_status room_create(pair_room *self, ww_error *error)
{
    const int64_t block = ww_block_size(self->samples, 0);
    const ww_problem *problem = self->problem;
    const size_t pairs = (size_t)(block * block);
    const char *what = "inner products of gradients";
    const ww_allocation arrays[] = {
        {offsetof(pair_room, derivatives), pairs, sizeof(double), what},
        {offsetof(pair_room, products), pairs, sizeof(double), what},
    };
    WW_TRY(ww_allocate_all(self, arrays, sizeof arrays / sizeof arrays[0], error));
    WW_TRY(ww_layered_pairs_create(problem, block, &self->pairs, error));
    WW_TRY(ww_output_sum_create(&self->sum, problem, block, error));
    WW_TRY(ww_layered_block_create(problem, block, true, &self->left, error));
    return self->samples > block
               ? ww_layered_block_create(problem, block, true, &self->right, error)
               : WW_OK;
}

static void room_free(pair_room *self)
{
    free(self->derivatives);
    free(self->products);
    ww_layered_pairs_free(self->pairs);
    ww_output_sum_free(&self->sum);
    ww_layered_block_free(self->left);
    ww_layered_block_free(self->right);
}

// Derivatives by the pre-activations of all layers on the block of samples that begins at `start`.
static ww_status differentiate(pair_room *self, int64_t start, ww_layered_block *block,
                               ww_error *error)
{
    const ww_problem *problem = self->problem;
    const int64_t samples = ww_block_size(self->samples, start);
    ww_output_sum_restart(&self->sum, samples);
    WW_TRY(ww_layered_forward(self->network, block, self->inputs + start * problem->dimension,
                              samples, &self->sum, 0, error));
    return ww_layered_backward(self->network, block, self->gradients + start * problem->outputs,
                               error);
}

// Adds the pairs of samples of two blocks, each twice where the blocks are not one.
static ww_status add_pairs(pair_room *self, const ww_layered_block *left,
                           const ww_layered_block *right, int64_t count, double *squares,
                           ww_error *error)
{
    const double times = left == right ? 1.0 : 2.0;
    for (int64_t layer = 1; layer <= self->problem->depth; layer++) {
        WW_TRY(ww_layered_products(self->network, self->pairs, left, right, layer,
                                   self->derivatives, self->products, error));
        double sum = 0.0;
        for (int64_t i = 0; i < count; i++)
            sum += self->derivatives[i] * self->products[i];
        squares[layer - 1] += times * sum;
    }
    return WW_OK;
}

static ww_status add_all(pair_room *self, double *squares, ww_error *error)
{
    const int64_t n = self->samples;
    for (int64_t left = 0; left < n; left += WW_SAMPLE_BLOCK) {
        const int64_t rows = ww_block_size(n, left);
        WW_TRY(differentiate(self, left, self->left, error));
        WW_TRY(add_pairs(self, self->left, self->left, rows * rows, squares, error));
        for (int64_t right = left + WW_SAMPLE_BLOCK; right < n; right += WW_SAMPLE_BLOCK) {
            WW_TRY(differentiate(self, right, self->right, error));
            WW_TRY(add_pairs(self, self->left, self->right, rows * ww_block_size(n, right), squares,
                             error));
        }
    }
    return WW_OK;
}

ww_status ww_layer_gradients(const ww_problem *problem, ww_layered *network, const double *inputs,
                             int64_t samples, const double *gradients, double *squares,
                             ww_error *error)
{
    pair_room self = {.problem = problem,
                      .network = network,
                      .inputs = inputs,
                      .gradients = gradients,
                      .samples = samples};
    for (int64_t layer = 0; layer < problem->depth; layer++)
        squares[layer] = 0.0;
    ww_status status = ww_agree(problem->parallel, room_create(&self, error), error);
    if (status == WW_OK)
        status = add_all(&self, squares, error);
    room_free(&self);
    for (int64_t layer = 0; layer < problem->depth; layer++)
        if (squares[layer] < 0.0) // rounding, where next to nothing is left; NaN stays
            squares[layer] = 0.0;
    return status;
}

double ww_layered_pass_flops(const ww_problem *problem)
{
    double columns = (double)problem->outputs;
    for (int64_t layer = 1; layer <= problem->depth; layer++)
        columns += (double)ww_layer_columns(problem, layer);
    return 2.0 * (double)problem->tiling.local_units * columns;
}

void ww_layer_gradients_cost(const ww_problem *problem, int64_t samples, int64_t *bytes,
                             double *flops)
{
    const int64_t block = ww_block_size(samples, 0);
    const int64_t blocks = (samples + WW_SAMPLE_BLOCK - 1) / WW_SAMPLE_BLOCK;
    const double n = (double)samples;
    *bytes = 2 * block * block * (int64_t)sizeof(double) + ww_layered_pairs_bytes(problem, block) +
             ww_output_sum_bytes(problem, block) +
             (blocks > 1 ? 2 : 1) * ww_layered_block_bytes(problem, block, true);
    // Every block is looked at beside each before it; pairs of samples are met once, in derivatives
    // and, all layers but the first, in activations.
    *flops = 2.0 * ww_layered_pass_flops(problem) * n * 0.5 * ((double)blocks + 1.0) +
             2.0 * n * n * (double)problem->depth * (double)problem->tiling.local_units;
}
