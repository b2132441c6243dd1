// The part of a survey on the batch of the coming step: true and pseudo gradients.

#include "measure/gathering.h"
#include "train/kernels.h"
#include "widthwise/memory.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef struct batch_room {
    bool in_place;     // gd: the batch is the train set itself
    ww_samples batch;  // inputs [B, d], labels [B] and targets [B, k] of the coming step
    int64_t *indices;  // [B]
    double *outputs;   // [B, k]
    double *gradients; // [B, k], derivative of the loss by each output
    double *terms;     // [local tiles, 2]: squared norms of true and pseudo gradient
    uint8_t *equal;    // [tile units]
    ww_output_sum sum;
} batch_room;

static void batch_room_free(batch_room *room)
{
    if (!room->in_place)
        free(room->batch.inputs);
    free(room->batch.labels);
    free(room->batch.targets);
    free(room->indices);
    free(room->outputs);
    free(room->gradients);
    free(room->terms);
    free(room->equal);
    ww_output_sum_free(&room->sum);
}

enum { ROOM_ARRAYS = 8 };

static void list_room(const ww_problem *problem, ww_allocation list[ROOM_ARRAYS])
{
    const bool in_place = problem->config->training.method == WW_METHOD_GD;
    const size_t batch = (size_t)problem->batch;
    const size_t inputs = in_place ? 0 : batch * (size_t)problem->dimension;
    const size_t k = (size_t)problem->outputs;
    const size_t targets = problem->data->has_targets ? batch * k : 0;
    const size_t tile = (size_t)problem->tiling.tile_units;
    const size_t terms = 2 * (size_t)problem->tiling.local_tiles;
    const char *what = "the gradients on a batch";
    const ww_allocation arrays[ROOM_ARRAYS] = {
        {offsetof(batch_room, batch.inputs), inputs, sizeof(double), what},
        {offsetof(batch_room, batch.labels), batch, sizeof(int64_t), what},
        {offsetof(batch_room, batch.targets), targets, sizeof(double), what},
        {offsetof(batch_room, indices), batch, sizeof(int64_t), what},
        {offsetof(batch_room, outputs), batch * k, sizeof(double), what},
        {offsetof(batch_room, gradients), batch * k, sizeof(double), what},
        {offsetof(batch_room, terms), terms, sizeof(double), what},
        {offsetof(batch_room, equal), tile, 1, what},
    };
    memcpy(list, arrays, sizeof arrays);
}

static ww_status batch_room_create(batch_room *room, const ww_problem *problem, ww_error *error)
{
    *room = (batch_room){.batch = {.count = problem->batch}};
    ww_allocation list[ROOM_ARRAYS];
    list_room(problem, list);
    WW_TRY(ww_allocate_all(room, list, ROOM_ARRAYS, error));
    if (problem->config->training.method == WW_METHOD_GD) {
        free(room->batch.inputs); // empty
        room->batch.inputs = problem->data->train.inputs;
        room->in_place = true;
    }
    if (!problem->data->has_targets) {
        free(room->batch.targets); // empty
        room->batch.targets = NULL;
    }
    return ww_output_sum_create(&room->sum, problem, problem->batch, error);
}

void ww_survey_gradients_cost(const ww_problem *problem, int64_t *bytes, double *flops)
{
    ww_allocation list[ROOM_ARRAYS];
    list_room(problem, list);
    *bytes += ww_allocation_bytes(list, ROOM_ARRAYS) + ww_output_sum_bytes(problem, problem->batch);
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
static void tile_gradients(ww_gathering *self, const batch_room *room, int64_t local_tile,
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

static void gather_gradients(ww_gathering *self, batch_room *room, int64_t tile, int64_t counts[2])
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
    batch_room room;
    ww_status status = ww_agree(problem->parallel, batch_room_create(&room, problem, error), error);
    if (status == WW_OK) {
        ww_surveyed_samples set = {.samples = &room.batch};
        ww_samples gathered = room.batch;
        gathered.inputs = room.in_place ? NULL : room.batch.inputs;
        ww_batches_gather(batches, problem, survey->step, room.indices, &gathered);
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
    batch_room_free(&room);
    return status;
}
