// The plain engine: keeps W and streams it tile by tile. The update of step t is left pending and
// applied to a tile just before the forward pass of step t + 1 touches it, so that a step reads and
// writes W once. Applying it earlier (when someone asks for the weights) makes the same calls with
// the same numbers, so it never changes a bit. Where the output weights are trained too, the
// activations that they move by are made again in the update, from the hidden weights as they were:
// to keep them would take memory for all units and samples of a batch.

#include "train/engine.h"
#include "train/kernels.h"
#include "train/step.h"
#include "widthwise/memory.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef struct dense {
    const ww_problem *problem;
    ww_batches *batches;
    int64_t pattern_bytes;  // bytes of one unit's patterns on a batch
    double *weights;        // [local units, d]
    double *output_weights; // [local units, k]
    uint8_t *patterns; // [local units, pattern_bytes], a bit a sample: active in the last forward
    int64_t *indices;  // [B], samples of the batch
    int64_t *labels;   // [B]
    double *targets;   // [B, k], where the data have them
    double *gathered;  // [B, d], inputs of the batch; unused for gd, where inputs are used in place
    double *previous;  // [B, d], inputs of the pending update
    double *preactivations; // [tile units, block]
    double *partial;        // [block, k], one tile's outputs, twice with pairs
    double *extras;         // [block, extras], those of a tile
    double *output_updates; // [tile units, k], where output weights are trained
    uint8_t *active;        // [tile units, block]
    bool *stale;            // [local tiles], whether the pending update is still to be applied
    int64_t stale_tiles;
    ww_step step; // its gradients are those of the pending update, until the next sum
} dense;

static void dense_destroy(void *state)
{
    dense *self = state;
    ww_batches_free(self->batches);
    free(self->weights);
    free(self->output_weights);
    free(self->patterns);
    free(self->indices);
    free(self->labels);
    free(self->targets);
    free(self->gathered);
    free(self->previous);
    free(self->preactivations);
    free(self->partial);
    free(self->extras);
    free(self->output_updates);
    free(self->active);
    free(self->stale);
    ww_step_free(&self->step);
    free(self);
}

enum { WEIGHT_ARRAYS = 2, MOST_ARRAYS = 14 };

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
    const size_t output_updates = problem->config->network.train_output ? tile * k : 0;
    const ww_allocation arrays[MOST_ARRAYS] = {
        {offsetof(dense, weights), units * d, sizeof(double), "the hidden weights W"},
        {offsetof(dense, output_weights), units * k, sizeof(double), "the output weights"},
        {offsetof(dense, patterns), patterns, 1, "the patterns of a batch"},
        {offsetof(dense, indices), batch, sizeof(int64_t), "the indices of a batch"},
        {offsetof(dense, labels), batch, sizeof(int64_t), "the labels of a batch"},
        {offsetof(dense, targets), targets, sizeof(double), "the targets of a batch"},
        {offsetof(dense, gathered), gathered, sizeof(double), "the inputs of a batch"},
        {offsetof(dense, previous), gathered, sizeof(double), "the inputs of the last batch"},
        {offsetof(dense, preactivations), tile * block, sizeof(double),
         "the pre-activations of a tile"},
        {offsetof(dense, partial), partial, sizeof(double), "the outputs of a tile"},
        {offsetof(dense, extras), extras, sizeof(double), "the tally of a tile"},
        {offsetof(dense, output_updates), output_updates, sizeof(double),
         "the update of the output weights of a tile"},
        {offsetof(dense, active), tile * block, 1, "the patterns of a tile"},
        {offsetof(dense, stale), tiles, sizeof(bool), "the marks of tiles"},
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
                ww_batches_bytes(problem) + ww_step_bytes(problem),
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
    dense *self = ww_allocate(1, sizeof *self, "the engine", error);
    if (self == NULL)
        return WW_FAILED;
    self->problem = problem;
    self->pattern_bytes = bytes_of_patterns(problem);
    ww_allocation list[MOST_ARRAYS];
    list_arrays(problem, list);
    if (ww_allocate_all(self, list, MOST_ARRAYS, error) != WW_OK ||
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

// Where the inputs of sample `start` of the batch stand, and of the pending update's batch.
static const double *batch_inputs(const dense *self, const double *gathered, int64_t start)
{
    const ww_problem *problem = self->problem;
    if (problem->config->training.method == WW_METHOD_GD)
        return problem->data->train.inputs + start * problem->dimension;
    return gathered + start * problem->dimension;
}

static void pack_patterns(const uint8_t *active, int64_t units, int64_t samples, uint8_t *patterns,
                          int64_t stride)
{
    for (int64_t unit = 0; unit < units; unit++) {
        const uint8_t *row = active + unit * samples;
        uint8_t *packed = patterns + unit * stride;
        for (int64_t start = 0; start < samples; start += 8) {
            const int64_t count = samples - start < 8 ? samples - start : 8;
            unsigned bits = 0;
            for (int64_t i = 0; i < count; i++)
                bits |= (unsigned)row[start + i] << i;
            packed[start / 8] = (uint8_t)bits;
        }
    }
}

// Leaves each coefficient where the unit was active and multiplies it by the slope elsewhere.
static void mask_coefficients(double slope, const uint8_t *patterns, int64_t stride, int64_t units,
                              int64_t samples, double *coefficients)
{
    for (int64_t unit = 0; unit < units; unit++) {
        const uint8_t *packed = patterns + unit * stride;
        double *row = coefficients + unit * samples;
        for (int64_t i = 0; i < samples; i++)
            row[i] *= (packed[i / 8] >> (i % 8)) & 1 ? 1.0 : slope;
    }
}

// Activations of one tile on a block of inputs, into `preactivations` and `active`.
static void activate_block(dense *self, int64_t first, int64_t units, const double *inputs,
                           int64_t samples)
{
    const ww_problem *problem = self->problem;
    ww_kernel_preactivations(problem->pairs, self->weights + first * problem->dimension, units,
                             inputs, samples, problem->dimension, self->preactivations);
    ww_activate(problem->negative_slope, self->preactivations, (size_t)(units * samples),
                self->active);
}

// output_updates = -eta activations^T gradients: what the output weights of a tile move by, on all
// of the pending batch, before its hidden weights move.
static void find_output_updates(dense *self, int64_t first, int64_t units)
{
    const ww_problem *problem = self->problem;
    for (int64_t start = 0; start < problem->batch; start += WW_SAMPLE_BLOCK) {
        const int64_t samples = ww_block_size(problem->batch, start);
        activate_block(self, first, units, batch_inputs(self, self->previous, start), samples);
        ww_kernel_rows(-problem->learning_rate, self->preactivations,
                       self->step.gradients + start * problem->outputs, units, samples,
                       problem->outputs, start == 0 ? 0.0 : 1.0, self->output_updates);
    }
}

// W_tile -= eta (coefficients of the pending batch) X. The gradients are already those of the
// batch's mean or sum. Output weights that are trained move after it: each of the two by the other
// as it was (BR section 5).
static void update_tile(dense *self, int64_t local_tile)
{
    if (!self->stale[local_tile])
        return;
    self->stale[local_tile] = false;
    self->stale_tiles--;
    const ww_problem *problem = self->problem;
    const ww_tiling *tiling = &problem->tiling;
    const int64_t first = local_tile * tiling->tile_units;
    const int64_t units = ww_tile_size(tiling, tiling->first_tile + local_tile);
    double *output_weights = self->output_weights + first * problem->outputs;
    const bool trains_output = problem->config->network.train_output;
    if (trains_output)
        find_output_updates(self, first, units);
    for (int64_t start = 0; start < problem->batch; start += WW_SAMPLE_BLOCK) {
        const int64_t samples = ww_block_size(problem->batch, start);
        double *coefficients = self->preactivations;
        ww_kernel_coefficients(output_weights, self->step.gradients + start * problem->outputs,
                               units, samples, problem->outputs, coefficients);
        mask_coefficients(problem->negative_slope,
                          self->patterns + first * self->pattern_bytes + start / 8,
                          self->pattern_bytes, units, samples, coefficients);
        ww_kernel_rows(-problem->learning_rate, coefficients,
                       batch_inputs(self, self->previous, start), units, samples,
                       problem->dimension, 1.0, self->weights + first * problem->dimension);
    }
    for (int64_t i = 0; trains_output && i < units * problem->outputs; i++)
        output_weights[i] += self->output_updates[i];
}

// Outputs of one tile on a block of inputs, which is `start` of those that `sum` is of.
static void add_outputs(dense *self, ww_output_sum *sum, int64_t local_tile, int64_t start,
                        const double *inputs, int64_t samples)
{
    const ww_problem *problem = self->problem;
    const ww_tiling *tiling = &problem->tiling;
    const int64_t first = local_tile * tiling->tile_units;
    const double *output_weights = self->output_weights + first * problem->outputs;
    const ww_tile_activations tile = {
        .values = self->preactivations,
        .active = self->active,
        .units = ww_tile_size(tiling, tiling->first_tile + local_tile),
        .samples = samples,
        .unit_stride = samples,
        .sample_stride = 1,
    };
    activate_block(self, first, tile.units, inputs, samples);
    ww_kernel_outputs(problem->pairs, self->preactivations, output_weights, tile.units, samples,
                      problem->outputs, self->partial);
    ww_step_add(sum, start, &tile, output_weights, self->partial, self->extras);
}

static void forward_tile(dense *self, int64_t local_tile)
{
    const ww_problem *problem = self->problem;
    const ww_tiling *tiling = &problem->tiling;
    const int64_t first = local_tile * tiling->tile_units;
    const int64_t units = ww_tile_size(tiling, tiling->first_tile + local_tile);
    for (int64_t start = 0; start < problem->batch; start += WW_SAMPLE_BLOCK) {
        const int64_t samples = ww_block_size(problem->batch, start);
        add_outputs(self, &self->step.sum, local_tile, start,
                    batch_inputs(self, self->gathered, start), samples);
        pack_patterns(self->active, units, samples,
                      self->patterns + first * self->pattern_bytes + start / 8,
                      self->pattern_bytes);
    }
}

static ww_status dense_step(void *state, int64_t step, int64_t request, int64_t *requests,
                            double *batch_loss, ww_error *error)
{
    dense *self = state;
    const ww_problem *problem = self->problem;
    const bool is_gd = problem->config->training.method == WW_METHOD_GD;
    ww_samples batch = {.count = problem->batch,
                        .inputs = is_gd ? NULL : self->gathered,
                        .labels = self->labels,
                        .targets = problem->data->has_targets ? self->targets : NULL};
    ww_batches_gather(self->batches, problem, step, self->indices, &batch);
    ww_output_sum_clear(&self->step.sum);
    for (int64_t tile = 0; tile < problem->tiling.local_tiles; tile++) {
        update_tile(self, tile);
        forward_tile(self, tile);
    }
    bool changes = false;
    WW_TRY(ww_step_finish(&self->step, step, self->indices, &batch, request, requests, batch_loss,
                          &changes, error));
    if (!changes)
        return WW_OK;
    double *swap = self->gathered;
    self->gathered = self->previous;
    self->previous = swap;
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
    dense *self = state;
    const ww_problem *problem = self->problem;
    for (int64_t tile = 0; tile < problem->tiling.local_tiles; tile++) {
        update_tile(self, tile);
        for (int64_t start = 0; start < problem->batch; start += WW_SAMPLE_BLOCK)
            add_outputs(self, sum, tile, start, inputs + start * problem->dimension,
                        ww_block_size(problem->batch, start));
    }
}

static const double *dense_tile(void *state, int64_t tile)
{
    dense *self = state;
    const ww_tiling *tiling = &self->problem->tiling;
    const int64_t local_tile = tile - tiling->first_tile;
    WW_ASSERT(local_tile >= 0 && local_tile < tiling->local_tiles);
    update_tile(self, local_tile);
    return self->weights + local_tile * tiling->tile_units * self->problem->dimension;
}

static const double *dense_output_weights(void *state)
{
    dense *self = state;
    if (self->problem->config->network.train_output)
        for (int64_t tile = 0; self->stale_tiles > 0; tile++)
            update_tile(self, tile);
    return self->output_weights;
}

static void dense_storage(void *state, double **hidden_weights, double **output_weights,
                          double **kept)
{
    dense *self = state;
    *hidden_weights = self->weights;
    *output_weights = self->output_weights;
    *kept = NULL;
}

static void dense_restored(void *state, int64_t step, bool has_kept)
{
    dense *self = state;
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
