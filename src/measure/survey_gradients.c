// The part of a survey on the batch of the coming step: true and pseudo gradients.

#include "measure/batch_room.h"
#include "measure/gathering.h"
#include "train/kernels.h"

#include <math.h>
#include <string.h>

void ww_survey_gradients_cost(const ww_problem *problem, int64_t *bytes, double *flops)
{
    *bytes += ww_batch_room_bytes(problem);
    const double pairs = (double)problem->tiling.local_units * (double)problem->batch;
    // By the inputs: outputs, patterns three times, gradient rows twice; by the output weights:
    // outputs, and coefficients twice.
    *flops += pairs * (12.0 * (double)problem->dimension + 6.0 * (double)problem->outputs);
}

// Patterns [units, samples] of `weights` on a block of inputs.
static void block_patterns(ww_gathering *self, const double *weights, const double *inputs,
                           int64_t units, int64_t samples, uint8_t *active)
{
    ww_kernel_preactivations(self->problem->pairs, weights, units, inputs, samples,
                             self->problem->dimension, self->preactivations);
    for (int64_t pair = 0; pair < units * samples; pair++)
        active[pair] = self->preactivations[pair] >= 0.0;
}

// Gradients [units, d] of one tile's rows on the batch, with the activation decided by `patterns`,
// into self->rows. Where `equal` [units] is given, clears it for units with a coefficient that
// differs from the one that the patterns of `weights` give.
static void tile_gradients(ww_gathering *self, const ww_batch_room *room, int64_t local_tile,
                           const double *weights, const double *patterns, int64_t units,
                           uint8_t *equal)
{
    const ww_problem *problem = self->problem;
    const int64_t d = problem->dimension;
    const int64_t k = problem->outputs;
    const double *output_weights =
        ww_engine_output_weights(self->engine) + local_tile * problem->tiling.tile_units * k;
    for (int64_t start = 0; start < problem->batch; start += WW_SAMPLE_BLOCK) {
        const int64_t samples = ww_block_size(problem->batch, start);
        const double *inputs = room->batch.inputs + start * d;
        double *coefficients = self->preactivations;
        block_patterns(self, patterns, inputs, units, samples, self->active);
        if (equal != NULL)
            block_patterns(self, weights, inputs, units, samples, self->early_active);
        ww_kernel_coefficients(output_weights, room->gradients + start * k, units, samples, k,
                               coefficients);
        for (int64_t unit = 0; unit < units; unit++) {
            for (int64_t s = 0; s < samples; s++) {
                const int64_t pair = unit * samples + s;
                if (equal != NULL && coefficients[pair] != 0.0 &&
                    self->active[pair] != self->early_active[pair])
                    equal[unit] = 0;
                if (!self->active[pair])
                    coefficients[pair] *= problem->negative_slope;
            }
        }
        ww_kernel_rows(1.0, coefficients, inputs, units, samples, d, start == 0 ? 0.0 : 1.0,
                       self->rows);
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

static void gather_gradients(ww_gathering *self, ww_batch_room *room, int64_t tile,
                             int64_t counts[2])
{
    const ww_problem *problem = self->problem;
    const double threshold = problem->config->measure.pseudo_gradient_threshold;
    const int64_t global = problem->tiling.first_tile + tile;
    const int64_t units = ww_tile_size(&problem->tiling, global);
    const double *weights = ww_engine_tile(self->engine, global);
    int64_t ignored = 0;
    tile_gradients(self, room, tile, weights, weights, units, NULL);
    room->terms[2 * tile] = row_squares(self->rows, units, problem->dimension, threshold, &ignored);
    ww_initial_hidden_weights(&problem->initial, global * problem->tiling.tile_units, units,
                              self->initial);
    memset(room->equal, 1, (size_t)units);
    tile_gradients(self, room, tile, weights, self->initial, units, room->equal);
    room->terms[2 * tile + 1] =
        row_squares(self->rows, units, problem->dimension, threshold, &counts[1]);
    for (int64_t unit = 0; unit < units; unit++)
        counts[0] += room->equal[unit];
}

ww_status ww_survey_gradients(ww_gathering *self, ww_batches *batches, ww_survey *survey,
                              ww_error *error)
{
    const ww_problem *problem = self->problem;
    const ww_tiling *tiling = &problem->tiling;
    ww_batch_room room;
    ww_status status =
        ww_agree(problem->parallel, ww_batch_room_create(&room, problem, error), error);
    if (status == WW_OK) {
        ww_surveyed_samples set = {.samples = &room.batch};
        ww_batch_room_gather(&room, problem, batches, survey->step);
        for (int64_t tile = 0; tile < tiling->local_tiles; tile++) {
            const int64_t global = tiling->first_tile + tile;
            ww_gather_samples(self, tile, ww_engine_tile(self->engine, global),
                              ww_tile_size(tiling, global), WW_NEED_TEST_OUTPUTS, NULL, &set,
                              &room.sum, NULL);
        }
        status = ww_output_sum_finish(&room.sum, 0, NULL, room.outputs, error);
    }
    int64_t counts[2] = {0, 0}; // units with equal gradients, units with a large pseudo gradient
    double squares[2] = {0.0, 0.0};
    if (status == WW_OK) {
        survey->batch_loss = ww_batch_loss(problem, room.outputs, &room.batch, room.gradients);
        for (int64_t tile = 0; tile < tiling->local_tiles; tile++)
            gather_gradients(self, &room, tile, counts);
        status = ww_sum_terms(problem->parallel, room.terms, tiling->local_tiles, 2,
                              tiling->tile_count, squares, error);
    }
    if (status == WW_OK)
        status = ww_sum_words(problem->parallel, counts, 2, error);
    survey->gradient_squared = squares[0];
    survey->pseudo_squared = squares[1];
    survey->equal_units = counts[0];
    survey->large_units = counts[1];
    ww_batch_room_free(&room);
    return status;
}
