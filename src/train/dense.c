// The plain engine: keeps W and streams it tile by tile. The update of step t is left pending and
// applied to the rows of a tile just before the forward pass of step t + 1 touches them, so that a
// step reads and writes W once. Applying it earlier (when someone asks for the weights) does the
// same with the same numbers, so it never changes a bit. A batch of several blocks of samples goes
// block by block through all tiles instead, first in the update and then in the forward pass: it
// has more to compute than to read.
//
// Where the output weights are trained too, the activations that they move by are made again in the
// update, from the hidden weights as they were: to keep them would take memory for all units and
// samples of a batch.

#include "train/dense.h"

#include "train/engine.h"
#include "train/kernels.h"
#include "widthwise/memory.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static void dense_destroy(void *state)
{
    ww_dense *self = state;
    ww_batches_free(self->batches);
    free(self->weights);
    free(self->output_weights);
    free(self->patterns);
    free(self->indices);
    free(self->labels);
    free(self->targets);
    free(self->gathered);
    free(self->previous);
    ww_panel_inputs_free(&self->inputs);
    ww_panel_inputs_free(&self->pending);
    free(self->preactivations);
    free(self->coefficients);
    free(self->partial);
    free(self->extras);
    free(self->output_updates);
    free(self->active);
    free(self->stale);
    ww_step_free(&self->step);
    free(self);
}

enum { WEIGHT_ARRAYS = 2, MOST_ARRAYS = 15 };

static int64_t bytes_of_inputs(const ww_problem *problem)
{
    return ww_panel_inputs_bytes(false, ww_block_size(problem->batch, 0), problem->dimension);
}

static int64_t bytes_of_patterns(const ww_problem *problem)
{
    return (problem->batch + 7) / 8;
}

// All arrays of the engine, the weights first.
static void list_arrays(const ww_problem *problem, ww_allocation list[MOST_ARRAYS])
{
    const size_t units = (size_t)problem->tiling.local_units;
    const size_t tile = (size_t)problem->tiling.tile_units;
    const size_t d = (size_t)problem->dimension;
    const size_t k = (size_t)problem->outputs;
    const size_t batch = (size_t)problem->batch;
    const size_t block = (size_t)ww_block_size(problem->batch, 0);
    const size_t gathered = problem->config->training.method == WW_METHOD_GD ? 0 : batch * d;
    const size_t targets = problem->data->has_targets ? batch * k : 0;
    const size_t partial = ww_kernel_output_room(problem->pairs, (int64_t)block, problem->outputs);
    const size_t patterns = units * (size_t)bytes_of_patterns(problem);
    const size_t tiles = (size_t)problem->tiling.local_tiles;
    const size_t extras = block * (size_t)ww_tally_extras(problem);
    const size_t previous = ww_dense_is_one_block(problem) ? 0 : gathered;
    const size_t output_updates = problem->config->network.train_output ? units * k : 0;
    const ww_allocation arrays[MOST_ARRAYS] = {
        {offsetof(ww_dense, weights), units * d, sizeof(double), "the hidden weights W"},
        {offsetof(ww_dense, output_weights), units * k, sizeof(double), "the output weights"},
        {offsetof(ww_dense, patterns), patterns, 1, "the patterns of a batch"},
        {offsetof(ww_dense, indices), batch, sizeof(int64_t), "the indices of a batch"},
        {offsetof(ww_dense, labels), batch, sizeof(int64_t), "the labels of a batch"},
        {offsetof(ww_dense, targets), targets, sizeof(double), "the targets of a batch"},
        {offsetof(ww_dense, gathered), gathered, sizeof(double), "the inputs of a batch"},
        {offsetof(ww_dense, previous), previous, sizeof(double), "the inputs of the last batch"},
        {offsetof(ww_dense, preactivations), tile * block, sizeof(double),
         "the pre-activations of a tile"},
        {offsetof(ww_dense, coefficients), tile * block, sizeof(double),
         "the coefficients of a tile"},
        {offsetof(ww_dense, partial), partial, sizeof(double), "the outputs of a tile"},
        {offsetof(ww_dense, extras), extras, sizeof(double), "the tally of a tile"},
        {offsetof(ww_dense, output_updates), output_updates, sizeof(double),
         "the update of the output weights"},
        {offsetof(ww_dense, active), tile * block, 1, "the patterns of a tile"},
        {offsetof(ww_dense, stale), tiles, sizeof(bool), "the marks of tiles"},
    };
    memcpy(list, arrays, sizeof arrays);
}

static ww_engine_cost dense_cost(const ww_problem *problem)
{
    ww_allocation list[MOST_ARRAYS];
    list_arrays(problem, list);
    const double pairs = (double)problem->tiling.local_units * (double)problem->batch;
    return (ww_engine_cost){
        .weights = ww_allocation_bytes(list, WEIGHT_ARRAYS),
        .work = ww_allocation_bytes(list + WEIGHT_ARRAYS, MOST_ARRAYS - WEIGHT_ARRAYS) +
                ww_batches_bytes(problem) + ww_step_bytes(problem) + 2 * bytes_of_inputs(problem),
        // Forward and update are each two products: by the inputs and by the output weights. To
        // train these takes the forward ones once more.
        .step_flops = (problem->config->network.train_output ? 6.0 : 4.0) * pairs *
                      (double)(problem->dimension + problem->outputs),
    };
}

static ww_status dense_create(const ww_problem *problem, ww_tally *tally, ww_track *track,
                              void **state, ww_error *error)
{
    (void)track;
    ww_dense *self = ww_allocate(1, sizeof *self, "the engine", error);
    if (self == NULL)
        return WW_FAILED;
    self->problem = problem;
    self->pattern_bytes = bytes_of_patterns(problem);
    ww_allocation list[MOST_ARRAYS];
    list_arrays(problem, list);
    const int64_t block = ww_block_size(problem->batch, 0);
    if (ww_allocate_all(self, list, MOST_ARRAYS, error) != WW_OK ||
        ww_panel_inputs_create(false, block, problem->dimension, &self->inputs, error) != WW_OK ||
        ww_panel_inputs_create(false, block, problem->dimension, &self->pending, error) != WW_OK ||
        ww_batches_create(problem, &self->batches, error) != WW_OK ||
        ww_step_create(&self->step, problem, tally, error) != WW_OK) {
        dense_destroy(self);
        return WW_FAILED;
    }
    const ww_tiling *tiling = &problem->tiling;
    ww_initial_hidden_weights(&problem->initial, tiling->first_unit, tiling->local_units,
                              self->weights);
    ww_initial_output_weights(&problem->initial, tiling->first_unit, tiling->local_units,
                              self->output_weights);
    *state = self;
    return WW_OK;
}

static ww_status dense_step(void *state, int64_t step, int64_t request, int64_t *requests,
                            double *batch_loss, ww_error *error)
{
    ww_dense *self = state;
    const ww_problem *problem = self->problem;
    const bool is_gd = problem->config->training.method == WW_METHOD_GD;
    ww_samples batch = {.count = problem->batch,
                        .inputs = is_gd ? NULL : self->gathered,
                        .labels = self->labels,
                        .targets = problem->data->has_targets ? self->targets : NULL};
    ww_batches_gather(self->batches, problem, step, self->indices, &batch);
    ww_output_sum_clear(&self->step.sum);
    ww_dense_pass(self);
    bool changes = false;
    WW_TRY(ww_step_finish(&self->step, step, self->indices, &batch, request, requests, batch_loss,
                          &changes, error));
    if (!changes)
        return WW_OK;
    if (!ww_dense_is_one_block(problem)) {
        double *gathered = self->gathered;
        self->gathered = self->previous;
        self->previous = gathered;
    }
    const ww_panel_inputs inputs = self->inputs;
    self->inputs = self->pending;
    self->pending = inputs;
    for (int64_t tile = 0; tile < problem->tiling.local_tiles; tile++)
        self->stale[tile] = true;
    self->stale_tiles = problem->tiling.local_tiles;
    return WW_OK;
}

static int64_t dense_probe_samples(const ww_problem *problem)
{
    return problem->batch;
}

static void dense_probe(void *state, const double *inputs, ww_output_sum *sum)
{
    ww_dense_probe(state, inputs, sum);
}

static const double *dense_tile(void *state, int64_t tile)
{
    ww_dense *self = state;
    const ww_tiling *tiling = &self->problem->tiling;
    const int64_t local_tile = tile - tiling->first_tile;
    WW_ASSERT(local_tile >= 0 && local_tile < tiling->local_tiles);
    ww_dense_update(self, local_tile);
    return self->weights + local_tile * tiling->tile_units * self->problem->dimension;
}

static const double *dense_output_weights(void *state)
{
    ww_dense *self = state;
    if (self->problem->config->network.train_output)
        for (int64_t tile = 0; self->stale_tiles > 0; tile++)
            ww_dense_update(self, tile);
    return self->output_weights;
}

static void dense_storage(void *state, double **hidden_weights, double **output_weights,
                          double **kept)
{
    ww_dense *self = state;
    *hidden_weights = self->weights;
    *output_weights = self->output_weights;
    *kept = NULL;
}

static void dense_restored(void *state, int64_t step, bool has_kept)
{
    ww_dense *self = state;
    (void)step;
    (void)has_kept;
    for (int64_t tile = 0; tile < self->problem->tiling.local_tiles; tile++)
        self->stale[tile] = false;
    self->stale_tiles = 0;
}

const ww_engine_methods ww_engine_dense = {
    .name = "dense",
    .cost = dense_cost,
    .create = dense_create,
    .destroy = dense_destroy,
    .step = dense_step,
    .tile = dense_tile,
    .output_weights = dense_output_weights,
    .probe_samples = dense_probe_samples,
    .probe = dense_probe,
    .storage = dense_storage,
    .restored = dense_restored,
};
