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

#include "train/engine.h"
#include "train/kernels.h"
#include "train/panel_inputs.h"
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
    double *previous;  // [B, d], those of the pending update, where there are several blocks
    ww_panel_inputs inputs, pending; // a block of the batch, and of that of the pending update
    double *preactivations;          // [tile units, block]
    double *coefficients;            // [tile units, block], of the pending update
    double *partial;                 // [block, k], one tile's outputs, twice with pairs
    double *extras;                  // [block, extras], those of a tile
    double *output_updates;          // [local units, k], where output weights are trained
    uint8_t *active;                 // [tile units, block]
    bool *stale;                     // [local tiles], whether the pending update is to be applied
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

// Whether the batch is of one block of samples.
static bool is_one_block(const ww_problem *problem)
{
    return problem->batch <= WW_SAMPLE_BLOCK;
}

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
    const size_t previous = is_one_block(problem) ? 0 : gathered;
    const size_t output_updates = problem->config->network.train_output ? units * k : 0;
    const ww_allocation arrays[MOST_ARRAYS] = {
        {offsetof(dense, weights), units * d, sizeof(double), "the hidden weights W"},
        {offsetof(dense, output_weights), units * k, sizeof(double), "the output weights"},
        {offsetof(dense, patterns), patterns, 1, "the patterns of a batch"},
        {offsetof(dense, indices), batch, sizeof(int64_t), "the indices of a batch"},
        {offsetof(dense, labels), batch, sizeof(int64_t), "the labels of a batch"},
        {offsetof(dense, targets), targets, sizeof(double), "the targets of a batch"},
        {offsetof(dense, gathered), gathered, sizeof(double), "the inputs of a batch"},
        {offsetof(dense, previous), previous, sizeof(double), "the inputs of the last batch"},
        {offsetof(dense, preactivations), tile * block, sizeof(double),
         "the pre-activations of a tile"},
        {offsetof(dense, coefficients), tile * block, sizeof(double), "the coefficients of a tile"},
        {offsetof(dense, partial), partial, sizeof(double), "the outputs of a tile"},
        {offsetof(dense, extras), extras, sizeof(double), "the tally of a tile"},
        {offsetof(dense, output_updates), output_updates, sizeof(double),
         "the update of the output weights"},
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
    dense *self = ww_allocate(1, sizeof *self, "the engine", error);
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

// Rows of this rank: `first` of its own and those after it.
typedef struct rows {
    int64_t first, units;
} rows;

static rows tile_rows(const dense *self, int64_t local_tile)
{
    const ww_tiling *tiling = &self->problem->tiling;
    return (rows){.first = local_tile * tiling->tile_units,
                  .units = ww_tile_size(tiling, tiling->first_tile + local_tile)};
}

static double *weights_of(dense *self, rows at)
{
    return self->weights + at.first * self->problem->dimension;
}

static double *output_weights_of(dense *self, rows at)
{
    return self->output_weights + at.first * self->problem->outputs;
}

// output_updates += -eta activations^T gradients on a block of the pending batch, which begins at
// `start`: what the output weights of a tile move by, before its hidden weights do.
static void find_output_updates(dense *self, rows tile, int64_t start)
{
    const ww_problem *problem = self->problem;
    const int64_t samples = self->pending.samples;
    ww_panel_preactivations(&self->pending, weights_of(self, tile), tile.units,
                            self->preactivations);
    ww_activate(problem->negative_slope, self->preactivations, (size_t)(tile.units * samples),
                self->active);
    ww_kernel_rows(-problem->learning_rate, self->preactivations,
                   self->step.gradients + start * problem->outputs, tile.units, samples,
                   problem->outputs, start == 0 ? 0.0 : 1.0,
                   self->output_updates + tile.first * problem->outputs);
}

// Derivatives of the loss by the pre-activations of a tile on a block of the pending batch. The
// gradients are already those of the batch's mean or sum.
static void find_coefficients(dense *self, rows tile, int64_t start)
{
    const ww_problem *problem = self->problem;
    const int64_t samples = self->pending.samples;
    ww_kernel_coefficients(output_weights_of(self, tile),
                           self->step.gradients + start * problem->outputs, tile.units, samples,
                           problem->outputs, self->coefficients);
    mask_coefficients(problem->negative_slope,
                      self->patterns + tile.first * self->pattern_bytes + start / 8,
                      self->pattern_bytes, tile.units, samples, self->coefficients);
}

static void move_hidden_weights(dense *self, rows tile, rows piece)
{
    ww_panel_move(&self->pending, -self->problem->learning_rate,
                  self->coefficients + (piece.first - tile.first) * self->pending.samples,
                  piece.units, weights_of(self, piece));
}

// Output weights that are trained move after the hidden ones: each of the two by the other as it
// was (BR section 5).
static void move_output_weights(dense *self, rows at)
{
    const int64_t k = self->problem->outputs;
    double *weights = output_weights_of(self, at);
    for (int64_t i = 0; i < at.units * k; i++)
        weights[i] += self->output_updates[at.first * k + i];
}

// Whether the pending update of a tile is still to be applied: from now on it is not.
static bool take_stale(dense *self, int64_t local_tile)
{
    if (!self->stale[local_tile])
        return false;
    self->stale[local_tile] = false;
    self->stale_tiles--;
    return true;
}

// Prepares the update of a tile by a batch of one block.
static void begin_update(dense *self, rows tile)
{
    if (self->problem->config->network.train_output)
        find_output_updates(self, tile, 0);
    find_coefficients(self, tile, 0);
}

static void end_update(dense *self, rows tile)
{
    if (self->problem->config->network.train_output)
        move_output_weights(self, tile);
}

// Inputs of the pending update's batch from sample `start` on, where there are several blocks.
static void take_block(const dense *self, const double *gathered, int64_t start,
                       ww_panel_inputs *inputs)
{
    const ww_problem *problem = self->problem;
    const double *values =
        problem->config->training.method == WW_METHOD_GD ? problem->data->train.inputs : gathered;
    ww_panel_inputs_set(inputs, values + start * problem->dimension,
                        ww_block_size(problem->batch, start));
}

// The pending update of all tiles, by a batch of several blocks.
static void update_by_blocks(dense *self)
{
    const ww_problem *problem = self->problem;
    const int64_t tiles = problem->tiling.local_tiles;
    if (self->stale_tiles == 0)
        return;
    for (int64_t start = 0; problem->config->network.train_output && start < problem->batch;
         start += WW_SAMPLE_BLOCK) {
        take_block(self, self->previous, start, &self->pending);
        for (int64_t tile = 0; tile < tiles; tile++)
            find_output_updates(self, tile_rows(self, tile), start);
    }
    for (int64_t start = 0; start < problem->batch; start += WW_SAMPLE_BLOCK) {
        take_block(self, self->previous, start, &self->pending);
        for (int64_t tile = 0; tile < tiles; tile++) {
            const rows at = tile_rows(self, tile);
            find_coefficients(self, at, start);
            move_hidden_weights(self, at, at);
        }
    }
    for (int64_t tile = 0; tile < tiles; tile++) {
        end_update(self, tile_rows(self, tile));
        (void)take_stale(self, tile);
    }
}

static void update_tile(dense *self, int64_t local_tile)
{
    if (!is_one_block(self->problem)) {
        update_by_blocks(self);
        return;
    }
    if (!take_stale(self, local_tile))
        return;
    const rows tile = tile_rows(self, local_tile);
    begin_update(self, tile);
    move_hidden_weights(self, tile, tile);
    end_update(self, tile);
}

// Outputs of a tile on the block of inputs at hand, by its pre-activations; `start` of those that
// `sum` is of.
static void add_outputs(dense *self, ww_output_sum *sum, rows at, int64_t start)
{
    const ww_problem *problem = self->problem;
    const int64_t samples = self->inputs.samples;
    const double *output_weights = output_weights_of(self, at);
    const ww_tile_activations tile = {
        .values = self->preactivations,
        .active = self->active,
        .units = at.units,
        .samples = samples,
        .unit_stride = samples,
        .sample_stride = 1,
    };
    ww_activate(problem->negative_slope, self->preactivations, (size_t)(at.units * samples),
                self->active);
    ww_kernel_outputs(problem->pairs, self->preactivations, output_weights, at.units, samples,
                      problem->outputs, self->partial);
    ww_step_add(sum, start, &tile, output_weights, self->partial, self->extras);
}

// The rest of the forward pass of a tile, once it has its pre-activations.
static void forward(dense *self, rows tile, int64_t start)
{
    add_outputs(self, &self->step.sum, tile, start);
    pack_patterns(self->active, tile.units, self->inputs.samples,
                  self->patterns + tile.first * self->pattern_bytes + start / 8,
                  self->pattern_bytes);
}

// Rows that stay in a cache of their core from the update to the forward pass.
static int64_t piece_units(const ww_problem *problem)
{
    enum { PIECE_BYTES = 1 << 19, LEAST = 32 };
    const int64_t rows_there = PIECE_BYTES / (problem->dimension * (int64_t)sizeof(double));
    return rows_there < LEAST ? LEAST : rows_there;
}

// Update and forward pass of a tile by batches of one block.
static void stream_tile(dense *self, int64_t local_tile)
{
    const rows tile = tile_rows(self, local_tile);
    const bool is_stale = take_stale(self, local_tile);
    const int64_t most = piece_units(self->problem);
    if (is_stale)
        begin_update(self, tile);
    for (int64_t done = 0; done < tile.units; done += most) {
        const rows piece = {.first = tile.first + done,
                            .units = tile.units - done < most ? tile.units - done : most};
        if (is_stale)
            move_hidden_weights(self, tile, piece);
        ww_panel_preactivations(&self->inputs, weights_of(self, piece), piece.units,
                                self->preactivations + done * self->inputs.samples);
    }
    if (is_stale)
        end_update(self, tile);
    forward(self, tile, 0);
}

static void forward_by_blocks(dense *self)
{
    const ww_problem *problem = self->problem;
    for (int64_t start = 0; start < problem->batch; start += WW_SAMPLE_BLOCK) {
        take_block(self, self->gathered, start, &self->inputs);
        for (int64_t tile = 0; tile < problem->tiling.local_tiles; tile++) {
            const rows at = tile_rows(self, tile);
            ww_panel_preactivations(&self->inputs, weights_of(self, at), at.units,
                                    self->preactivations);
            forward(self, at, start);
        }
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
    if (is_one_block(problem)) {
        take_block(self, self->gathered, 0, &self->inputs);
        for (int64_t tile = 0; tile < problem->tiling.local_tiles; tile++)
            stream_tile(self, tile);
    } else {
        update_by_blocks(self);
        forward_by_blocks(self);
    }
    bool changes = false;
    WW_TRY(ww_step_finish(&self->step, step, self->indices, &batch, request, requests, batch_loss,
                          &changes, error));
    if (!changes)
        return WW_OK;
    if (!is_one_block(problem)) {
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
    dense *self = state;
    const ww_problem *problem = self->problem;
    for (int64_t tile = 0; tile < problem->tiling.local_tiles; tile++)
        update_tile(self, tile);
    for (int64_t start = 0; start < problem->batch; start += WW_SAMPLE_BLOCK) {
        ww_panel_inputs_set(&self->inputs, inputs + start * problem->dimension,
                            ww_block_size(problem->batch, start));
        for (int64_t tile = 0; tile < problem->tiling.local_tiles; tile++) {
            const rows at = tile_rows(self, tile);
            ww_panel_preactivations(&self->inputs, weights_of(self, at), at.units,
                                    self->preactivations);
            add_outputs(self, sum, at, start);
        }
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
