// The part of a survey on the batch of the coming step: true and pseudo gradients.

#include "measure/gathering.h"
#include "parallel/workers.h"
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
static void block_patterns(ww_gathering_worker *worker, const double *weights, int64_t units,
                           int64_t offset, int64_t samples, uint8_t *active)
{
    ww_product_preactivations(&worker->inputs, offset, weights, units, worker->preactivations);
    ww_patterns(worker->preactivations, (size_t)(units * samples), active);
}

// Clears `equal` [units] for units whose two gradients differ in a coefficient: where the patterns
// do, unless it is 0.
static void compare_coefficients(const ww_gathering_worker *worker, const double *coefficients,
                                 int64_t units, int64_t samples, uint8_t *equal)
{
    for (int64_t unit = 0; unit < units; unit++)
        for (int64_t pair = unit * samples; pair < (unit + 1) * samples; pair++)
            if (worker->active[pair] != worker->early_active[pair] && coefficients[pair] != 0.0)
                equal[unit] = 0;
}

// Gradients of one tile's rows on the batch: the true ones, by the patterns of now, into
// worker->rows, the pseudo ones, by those of t = 0, into worker->pseudo_rows.
static void tile_gradients(const ww_gathering *self, ww_gathering_worker *worker, int64_t tile,
                           int64_t units, const double *weights)
{
    const ww_problem *problem = self->problem;
    const ww_batch_room *room = &self->batch;
    const int64_t d = problem->dimension;
    const int64_t k = problem->outputs;
    const double *output_weights =
        ww_engine_tile_output_weights(self->engine, problem->tiling.first_tile + tile);
    memset(worker->equal, 1, (size_t)units);
    const ww_part_of_samples whole = {.count = problem->batch};
    int64_t first = 0;
    int64_t count = 0;
    for (int64_t start = 0; start < problem->batch; start += WW_SAMPLE_BLOCK) {
        const int64_t samples = ww_block_size(problem->batch, start);
        const size_t pairs = (size_t)(units * samples);
        const double *inputs = room->batch.inputs + start * d;
        const double keep = start == 0 ? 0.0 : 1.0;
        double *coefficients = worker->early;
        double *chosen = worker->preactivations;
        ww_gathering_arrange(problem, &worker->inputs, &room->batch, whole, start, &first, &count);
        block_patterns(worker, weights, units, start - first, samples, worker->active);
        block_patterns(worker, worker->initial, units, start - first, samples,
                       worker->early_active);
        ww_kernel_coefficients(output_weights, room->gradients + start * k, units, samples, k,
                               coefficients);
        compare_coefficients(worker, coefficients, units, samples, worker->equal);
        ww_activate_by(problem->negative_slope, worker->active, coefficients, pairs, chosen);
        ww_kernel_rows(1.0, chosen, inputs, units, samples, d, keep, worker->rows);
        ww_activate_by(problem->negative_slope, worker->early_active, coefficients, pairs, chosen);
        ww_kernel_rows(1.0, chosen, inputs, units, samples, d, keep, worker->pseudo_rows);
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

static void gather_gradients(void *context, int number, int64_t tile)
{
    const ww_gathering *self = context;
    ww_gathering_worker *worker = &self->workers[number];
    const ww_problem *problem = self->problem;
    const double threshold = problem->config->measure.pseudo_gradient_threshold;
    const int64_t global = problem->tiling.first_tile + tile;
    const int64_t units = ww_tile_size(&problem->tiling, global);
    double *terms = self->batch.terms + 2 * tile;
    int64_t ignored = 0;
    ww_initial_hidden_weights(&problem->initial, global * problem->tiling.tile_units, units,
                              worker->initial);
    tile_gradients(self, worker, tile, units, ww_engine_tile_for(self->engine, number, global));
    terms[0] = row_squares(worker->rows, units, problem->dimension, threshold, &ignored);
    terms[1] = row_squares(worker->pseudo_rows, units, problem->dimension, threshold,
                           &worker->large_units);
    for (int64_t unit = 0; unit < units; unit++)
        worker->equal_units += worker->equal[unit];
}

// The outputs of the batch, from the samples that this rank looks at.
static ww_status find_outputs(ww_gathering *self, ww_error *error)
{
    const ww_problem *problem = self->problem;
    ww_batch_room *room = &self->batch;
    // Samples are divided where the batch is all of them.
    const ww_part_of_samples whole = {.count = problem->batch};
    ww_gathered_set set = {.samples = &room->batch,
                           .part = problem->grid.groups > 1 ? problem->grid.train : whole,
                           .wants = WW_NEED_TEST_OUTPUTS,
                           .kept = WW_ORIGIN_SETS};
    const int workers = ww_workers_of(problem->parallel);
    for (int i = 0; i < workers; i++) {
        ww_output_sum_clear(&self->workers[i].sums[WW_ORIGIN_SETS].outputs);
        self->workers[i].inputs.samples = 0; // those of the batch stand where others stood
    }
    ww_gather_set(self, &set);
    for (int i = 1; i < workers; i++)
        ww_output_sum_append(&room->sum, 0, &self->workers[i].sums[WW_ORIGIN_SETS].outputs);
    return ww_output_sum_finish(&room->sum, 0, NULL, room->outputs, error);
}

ww_status ww_survey_gradients(ww_gathering *self, ww_batches *batches, ww_survey *survey,
                              ww_error *error)
{
    const ww_problem *problem = self->problem;
    const ww_tiling *tiling = &problem->tiling;
    ww_batch_room *room = &self->batch;
    ww_batch_room_gather(room, problem, batches, survey->step);
    WW_TRY(find_outputs(self, error));
    int64_t counts[2] = {0, 0}; // units with equal gradients, units with a large pseudo gradient
    double squares[2] = {0.0, 0.0};
    survey->batch_loss = ww_batch_loss(problem, room->outputs, &room->batch, room->gradients);
    ww_for_each(problem->parallel, tiling->local_tiles, gather_gradients, self);
    for (int i = 0; i < ww_workers_of(problem->parallel); i++) {
        counts[0] += self->workers[i].equal_units;
        counts[1] += self->workers[i].large_units;
    }
    WW_TRY(ww_sum_terms(problem->parallel, room->terms, tiling->local_tiles, 2, tiling->tile_count,
                        squares, error));
    WW_TRY(ww_sum_words(problem->parallel, counts, 2, error));
    survey->gradient_squared = squares[0];
    survey->pseudo_squared = squares[1];
    survey->equal_units = counts[0];
    survey->large_units = counts[1];
    return WW_OK;
}
