// Work of the engine `dense` on tiles of units.

#include "train/dense.h"

#include "train/kernels.h"

bool ww_dense_is_one_block(const ww_problem *problem)
{
    return problem->batch <= WW_SAMPLE_BLOCK;
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

static rows tile_rows(const ww_dense *self, int64_t local_tile)
{
    const ww_tiling *tiling = &self->problem->tiling;
    return (rows){.first = local_tile * tiling->tile_units,
                  .units = ww_tile_size(tiling, tiling->first_tile + local_tile)};
}

static double *weights_of(ww_dense *self, rows at)
{
    return self->weights + at.first * self->problem->dimension;
}

static double *output_weights_of(ww_dense *self, rows at)
{
    return self->output_weights + at.first * self->problem->outputs;
}

// output_updates += -eta activations^T gradients on a block of the pending batch, which begins at
// `start`: what the output weights of a tile move by, before its hidden weights do.
static void find_output_updates(ww_dense *self, rows tile, int64_t start)
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
static void find_coefficients(ww_dense *self, rows tile, int64_t start)
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

static void move_hidden_weights(ww_dense *self, rows tile, rows piece)
{
    ww_panel_move(&self->pending, -self->problem->learning_rate,
                  self->coefficients + (piece.first - tile.first) * self->pending.samples,
                  piece.units, weights_of(self, piece));
}

// Output weights that are trained move after the hidden ones: each of the two by the other as it
// was (BR section 5).
static void move_output_weights(ww_dense *self, rows at)
{
    const int64_t k = self->problem->outputs;
    double *weights = output_weights_of(self, at);
    for (int64_t i = 0; i < at.units * k; i++)
        weights[i] += self->output_updates[at.first * k + i];
}

// Whether the pending update of a tile is still to be applied: from now on it is not.
static bool take_stale(ww_dense *self, int64_t local_tile)
{
    if (!self->stale[local_tile])
        return false;
    self->stale[local_tile] = false;
    self->stale_tiles--;
    return true;
}

// Prepares the update of a tile by a batch of one block.
static void begin_update(ww_dense *self, rows tile)
{
    if (self->problem->config->network.train_output)
        find_output_updates(self, tile, 0);
    find_coefficients(self, tile, 0);
}

static void end_update(ww_dense *self, rows tile)
{
    if (self->problem->config->network.train_output)
        move_output_weights(self, tile);
}

// Inputs of the pending update's batch from sample `start` on, where there are several blocks.
static void take_block(const ww_dense *self, const double *gathered, int64_t start,
                       ww_panel_inputs *inputs)
{
    const ww_problem *problem = self->problem;
    const double *values =
        problem->config->training.method == WW_METHOD_GD ? problem->data->train.inputs : gathered;
    ww_panel_inputs_set(inputs, values + start * problem->dimension,
                        ww_block_size(problem->batch, start));
}

// The pending update of all tiles, by a batch of several blocks.
static void update_by_blocks(ww_dense *self)
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

void ww_dense_update(ww_dense *self, int64_t local_tile)
{
    if (!ww_dense_is_one_block(self->problem)) {
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
static void add_outputs(ww_dense *self, ww_output_sum *sum, rows at, int64_t start)
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
static void forward(ww_dense *self, rows tile, int64_t start)
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
static void stream_tile(ww_dense *self, int64_t local_tile)
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

static void forward_by_blocks(ww_dense *self)
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

void ww_dense_pass(ww_dense *self)
{
    if (!ww_dense_is_one_block(self->problem)) {
        update_by_blocks(self);
        forward_by_blocks(self);
        return;
    }
    // For gd they are the same at every step, and stay but for a probe.
    if (self->problem->config->training.method != WW_METHOD_GD || self->inputs.samples == 0)
        take_block(self, self->gathered, 0, &self->inputs);
    for (int64_t tile = 0; tile < self->problem->tiling.local_tiles; tile++)
        stream_tile(self, tile);
}

void ww_dense_probe(ww_dense *self, const double *inputs, ww_output_sum *sum)
{
    const ww_problem *problem = self->problem;
    for (int64_t tile = 0; tile < problem->tiling.local_tiles; tile++)
        ww_dense_update(self, tile);
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
    self->inputs.samples = 0; // those of the batch are gone
}
