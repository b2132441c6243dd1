// The part of a survey on the batch of the coming step: true and pseudo gradients.

#include "measure/gathering.h"
#include "train/kernels.h"

#include <math.h>
#include <string.h>

void ww_survey_gradients_cost(const ww_problem *problem, double *flops)
{
    const double pairs = (double)problem->tiling.local_units * (double)problem->batch;
    // By the inputs: outputs, patterns now and at t = 0, gradient rows twice; by the output
    // weights: outputs and coefficients.
    *flops += pairs * (10.0 * (double)problem->dimension + 4.0 * (double)problem->outputs);
}

// Patterns [units, samples] of `weights` on the block at `offset` of what is arranged.
static void block_patterns(ww_gathering *self, const double *weights, int64_t units, int64_t offset,
                           int64_t samples, uint8_t *active)
{
    ww_product_preactivations(&self->inputs, offset, weights, units, self->preactivations);
    ww_patterns(self->preactivations, (size_t)(units * samples), active);
}

// Clears `equal` [units] for units whose two gradients differ in a coefficient: where the patterns
// do, unless it is 0.
static void compare_coefficients(const ww_gathering *self, const double *coefficients,
                                 int64_t units, int64_t samples, uint8_t *equal)
{
    for (int64_t unit = 0; unit < units; unit++)
        for (int64_t pair = unit * samples; pair < (unit + 1) * samples; pair++)
            if (self->active[pair] != self->early_active[pair] && coefficients[pair] != 0.0)
                equal[unit] = 0;
}

// Gradients of one tile's rows on the batch: the true ones, by the patterns of now, into
// self->rows, the pseudo ones, by those of t = 0, into self->pseudo_rows.
static void tile_gradients(ww_gathering *self, int64_t tile, int64_t units, const double *weights)
{
    const ww_problem *problem = self->problem;
    const ww_batch_room *room = &self->batch;
    const int64_t d = problem->dimension;
    const int64_t k = problem->outputs;
    const double *output_weights =
        ww_engine_tile_output_weights(self->engine, problem->tiling.first_tile + tile);
    memset(room->equal, 1, (size_t)units);
    const ww_part_of_samples whole = {.count = problem->batch};
    int64_t first = 0;
    int64_t count = 0;
    for (int64_t start = 0; start < problem->batch; start += WW_SAMPLE_BLOCK) {
        const int64_t samples = ww_block_size(problem->batch, start);
        const size_t pairs = (size_t)(units * samples);
        const double *inputs = room->batch.inputs + start * d;
        const double keep = start == 0 ? 0.0 : 1.0;
        double *coefficients = self->early;
        double *chosen = self->preactivations;
        ww_gathering_arrange(self, &room->batch, whole, start, &first, &count);
        block_patterns(self, weights, units, start - first, samples, self->active);
        block_patterns(self, self->initial, units, start - first, samples, self->early_active);
        ww_kernel_coefficients(output_weights, room->gradients + start * k, units, samples, k,
                               coefficients);
        compare_coefficients(self, coefficients, units, samples, room->equal);
        ww_activate_by(problem->negative_slope, self->active, coefficients, pairs, chosen);
        ww_kernel_rows(1.0, chosen, inputs, units, samples, d, keep, self->rows);
        ww_activate_by(problem->negative_slope, self->early_active, coefficients, pairs, chosen);
        ww_kernel_rows(1.0, chosen, inputs, units, samples, d, keep, self->pseudo_rows);
    }
}

// Sum of squares of rows [units, d]; adds to *above how many rows exceed the threshold in norm.
static double row_squares(const double *rows, int64_t units, int64_t dimension, double threshold,
                          int64_t *above)
{
    double sum = 0.0;
    for (int64_t unit = 0; unit < units; unit++) {
        double square = 0.0;
        for (int64_t j = 0; j < dimension; j++)
            square += rows[unit * dimension + j] * rows[unit * dimension + j];
        *above += sqrt(square) > threshold;
        sum += square;
    }
    return sum;
}

static void gather_gradients(ww_gathering *self, int64_t tile, int64_t counts[2])
{
    const ww_problem *problem = self->problem;
    const double threshold = problem->config->measure.pseudo_gradient_threshold;
    const int64_t global = problem->tiling.first_tile + tile;
    const int64_t units = ww_tile_size(&problem->tiling, global);
    double *terms = self->batch.terms + 2 * tile;
    int64_t ignored = 0;
    ww_initial_hidden_weights(&problem->initial, global * problem->tiling.tile_units, units,
                              self->initial);
    tile_gradients(self, tile, units, ww_engine_tile(self->engine, global));
    terms[0] = row_squares(self->rows, units, problem->dimension, threshold, &ignored);
    terms[1] = row_squares(self->pseudo_rows, units, problem->dimension, threshold, &counts[1]);
    for (int64_t unit = 0; unit < units; unit++)
        counts[0] += self->batch.equal[unit];
}

ww_status ww_survey_gradients(ww_gathering *self, ww_batches *batches, ww_survey *survey,
                              ww_error *error)
{
    const ww_problem *problem = self->problem;
    const ww_tiling *tiling = &problem->tiling;
    ww_batch_room *room = &self->batch;
    // Samples are divided where the batch is all of them.
    const ww_part_of_samples whole = {.count = problem->batch};
    ww_gathered_set set = {.samples = &room->batch,
                           .part = problem->grid.groups > 1 ? problem->grid.train : whole,
                           .wants = WW_NEED_TEST_OUTPUTS,
                           .kept = WW_ORIGIN_SETS,
                           .outputs = room->sum};
    ww_batch_room_gather(room, problem, batches, survey->step);
    ww_output_sum_clear(&room->sum);
    self->inputs.samples = 0; // those of the batch stand where others stood
    ww_gather_set(self, &set);
    WW_TRY(ww_output_sum_finish(&room->sum, 0, NULL, room->outputs, error));
    int64_t counts[2] = {0, 0}; // units with equal gradients, units with a large pseudo gradient
    double squares[2] = {0.0, 0.0};
    survey->batch_loss = ww_batch_loss(problem, room->outputs, &room->batch, room->gradients);
    for (int64_t tile = 0; tile < tiling->local_tiles; tile++)
        gather_gradients(self, tile, counts);
    WW_TRY(ww_sum_terms(problem->parallel, room->terms, tiling->local_tiles, 2, tiling->tile_count,
                        squares, error));
    WW_TRY(ww_sum_words(problem->parallel, counts, 2, error));
    survey->gradient_squared = squares[0];
    survey->pseudo_squared = squares[1];
    survey->equal_units = counts[0];
    survey->large_units = counts[1];
    return WW_OK;
}
