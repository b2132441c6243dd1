#include "measure/survey_layers.h"

#include "measure/batch_room.h"
#include "measure/gathering.h"
#include "measure/layer_gradients.h"
#include "measure/origin.h"
#include "measure/spectral_distance.h"
#include "train/kernels.h"
#include "train/layered.h"
#include "widthwise/memory.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef struct layer_survey {
    const ww_problem *problem;
    const ww_origin *origin;
    ww_engine *engine;
    unsigned needs;
    ww_survey *survey;
} layer_survey;

static bool wants_outputs(unsigned needs, int set)
{
    return (needs &
            (unsigned)(set == WW_ORIGIN_TRAIN ? WW_NEED_TRAIN_OUTPUTS : WW_NEED_TEST_OUTPUTS)) != 0;
}

static bool wants_patterns(unsigned needs, int set)
{
    return (needs & (unsigned)(set == WW_ORIGIN_TRAIN ? WW_NEED_TRAIN_PATTERNS
                                                      : WW_NEED_TEST_PATTERNS)) != 0;
}

static const ww_samples *samples_of(const ww_problem *problem, int set)
{
    return set == WW_ORIGIN_TRAIN ? &problem->data->train : &problem->data->test;
}

// Room to send one set of samples through the network.
typedef struct set_room {
    ww_layered_block *block;
    ww_output_sum sum;
    uint8_t *changed; // [L, local units], whether a unit's pattern differs on any sample
    int64_t *pairs;   // [L]; then units that differ
} set_room;

static ww_status set_room_create(set_room *room, const ww_problem *problem,
                                 ww_surveyed_samples *set, ww_error *error)
{
    const int64_t n = set->samples->count;
    const size_t depth = (size_t)problem->depth;
    *room = (set_room){.block = NULL};
    const char *what = "a survey of the layers";
    const ww_allocation arrays[] = {
        {offsetof(set_room, changed), depth * (size_t)problem->tiling.local_units, 1, what},
        {offsetof(set_room, pairs), depth + 1, sizeof(int64_t), what},
    };
    WW_TRY(ww_allocate_all(room, arrays, sizeof arrays / sizeof arrays[0], error));
    set->outputs = ww_allocate((size_t)(n * problem->outputs), sizeof(double),
                               "the outputs of the network", error);
    if (set->outputs == NULL)
        return WW_FAILED;
    WW_TRY(ww_output_sum_create(&room->sum, problem, n, error));
    return ww_layered_block_create(problem, ww_block_size(n, 0), false, &room->block, error);
}

static int64_t set_room_bytes(const ww_problem *problem, int64_t samples)
{
    return problem->depth * problem->tiling.local_units +
           (problem->depth + 1) * (int64_t)sizeof(int64_t) + ww_output_sum_bytes(problem, samples) +
           ww_layered_block_bytes(problem, ww_block_size(samples, 0), false);
}

static void set_room_free(set_room *room)
{
    free(room->changed);
    free(room->pairs);
    ww_output_sum_free(&room->sum);
    ww_layered_block_free(room->block);
}

// Compares the patterns of a block that went through the network with those at t = 0.
static void compare_block(const layer_survey *self, int set, set_room *room, int64_t start,
                          int64_t samples)
{
    const int64_t units = self->problem->tiling.local_units;
    for (int64_t layer = 1; layer <= self->problem->depth; layer++) {
        const uint8_t *patterns = ww_layered_patterns(room->block, layer);
        for (int64_t unit = 0; unit < units; unit++) {
            const int64_t changes = ww_origin_changes(self->origin, set, layer, unit, start,
                                                      samples, patterns + unit * samples);
            room->pairs[layer - 1] += changes;
            if (changes > 0)
                room->changed[(layer - 1) * units + unit] = 1;
        }
    }
}

static ww_status sum_changes(const layer_survey *self, int set, set_room *room,
                             ww_surveyed_samples *surveyed, ww_error *error)
{
    const int64_t depth = self->problem->depth;
    for (int64_t i = 0; i < depth * self->problem->tiling.local_units; i++)
        room->pairs[depth] += room->changed[i];
    WW_TRY(ww_sum_words(self->problem->parallel, room->pairs, (size_t)depth + 1, error));
    for (int64_t layer = 0; layer < depth; layer++) {
        ww_surveyed_layer *surveyed_layer = &self->survey->layers[layer];
        surveyed->changed_pairs += room->pairs[layer];
        if (set == WW_ORIGIN_TRAIN)
            surveyed_layer->train_changes = room->pairs[layer];
        else
            surveyed_layer->test_changes = room->pairs[layer];
    }
    surveyed->changed_units = room->pairs[depth];
    return WW_OK;
}

// Outputs on one set of samples, and patterns beside those at t = 0.
static ww_status survey_set(const layer_survey *self, int set, ww_surveyed_samples *surveyed,
                            ww_error *error)
{
    const ww_problem *problem = self->problem;
    const ww_samples *samples = surveyed->samples;
    const bool compares = wants_patterns(self->needs, set);
    if (!compares && !wants_outputs(self->needs, set))
        return WW_OK;
    set_room room;
    ww_status status =
        ww_agree(problem->parallel, set_room_create(&room, problem, surveyed, error), error);
    for (int64_t start = 0; status == WW_OK && start < samples->count; start += WW_SAMPLE_BLOCK) {
        const int64_t count = ww_block_size(samples->count, start);
        status = ww_layered_forward(ww_engine_network(self->engine), room.block,
                                    samples->inputs + start * problem->dimension, count, &room.sum,
                                    start, error);
        if (status == WW_OK && compares)
            compare_block(self, set, &room, start, count);
    }
    if (status == WW_OK)
        status = ww_output_sum_finish(&room.sum, 0, NULL, surveyed->outputs, error);
    if (status == WW_OK && compares)
        status = sum_changes(self, set, &room, surveyed, error);
    set_room_free(&room);
    return status;
}

// Sums over the weights of one tile and layer.
enum { TERM_MOVED, TERM_START, TERM_NOW, TERMS };

static void add_rows(const double *now, const double *then, int64_t units, int64_t columns,
                     double terms[TERMS], double *row_movement)
{
    for (int64_t unit = 0; unit < units; unit++) {
        double moved = 0.0, start = 0.0, square = 0.0;
        for (int64_t j = unit * columns; j < (unit + 1) * columns; j++) {
            const double difference = then != NULL ? now[j] - then[j] : 0.0;
            moved += difference * difference;
            start += then != NULL ? then[j] * then[j] : 0.0;
            square += now[j] * now[j];
        }
        if (!(sqrt(moved) <= *row_movement))
            *row_movement = sqrt(moved);
        terms[TERM_MOVED] += moved;
        terms[TERM_START] += start;
        terms[TERM_NOW] += square;
    }
}

typedef struct weight_room {
    double *initial; // [tile units, most columns]
    double *terms;   // [local tiles, L, TERMS]
    double *sums;    // [L, TERMS]
} weight_room;

enum { WEIGHT_ARRAYS = 3 };

static void list_weight_room(const ww_problem *problem, ww_allocation list[WEIGHT_ARRAYS])
{
    const int64_t most = problem->dimension > ww_layer_columns(problem, problem->depth)
                             ? problem->dimension
                             : ww_layer_columns(problem, problem->depth);
    const size_t tile = (size_t)(problem->tiling.tile_units * most);
    const size_t terms = (size_t)problem->depth * TERMS;
    const char *what = "a survey of the weights";
    const ww_allocation arrays[] = {
        {offsetof(weight_room, initial), tile, sizeof(double), what},
        {offsetof(weight_room, terms), terms * (size_t)problem->tiling.local_tiles, sizeof(double),
         what},
        {offsetof(weight_room, sums), terms, sizeof(double), what},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == WEIGHT_ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

static ww_status survey_weights_in(const layer_survey *self, weight_room *room, ww_error *error)
{
    const ww_problem *problem = self->problem;
    const ww_tiling *tiling = &problem->tiling;
    const bool compares = (self->needs & WW_NEED_MOVEMENT) != 0;
    ww_survey *survey = self->survey;
    for (int64_t tile = 0; tile < tiling->local_tiles; tile++)
        for (int64_t layer = 1; layer <= problem->depth; layer++) {
            const int64_t global = tiling->first_tile + tile;
            const double *then =
                compares ? ww_origin_tile(self->origin, problem, layer, global, room->initial)
                         : NULL;
            add_rows(ww_engine_layer_tile(self->engine, layer, global), then,
                     ww_tile_size(tiling, global), ww_layer_columns(problem, layer),
                     room->terms + (tile * problem->depth + layer - 1) * TERMS,
                     &survey->row_movement);
        }
    WW_TRY(ww_sum_terms(problem->parallel, room->terms, tiling->local_tiles,
                        (size_t)problem->depth * TERMS, tiling->tile_count, room->sums, error));
    for (int64_t layer = 0; layer < problem->depth; layer++) {
        const double *sums = room->sums + layer * TERMS;
        survey->layers[layer].movement_squared = sums[TERM_MOVED];
        survey->movement_squared += sums[TERM_MOVED];
        survey->initial_squared += sums[TERM_START];
        survey->weight_squared += sums[TERM_NOW];
    }
    return ww_maximum(problem->parallel, &survey->row_movement, 1, error);
}

static ww_status survey_weights(const layer_survey *self, ww_error *error)
{
    if ((self->needs & (unsigned)(WW_NEED_MOVEMENT | WW_NEED_WEIGHTS)) == 0)
        return WW_OK;
    weight_room room = {0};
    ww_allocation list[WEIGHT_ARRAYS];
    list_weight_room(self->problem, list);
    ww_status status = ww_agree(self->problem->parallel,
                                ww_allocate_all(&room, list, WEIGHT_ARRAYS, error), error);
    if (status == WW_OK)
        status = survey_weights_in(self, &room, error);
    free(room.initial);
    free(room.terms);
    free(room.sums);
    return status;
}

// Output weights beside those at t = 0, as with one hidden layer.
static ww_status survey_output_weights(const layer_survey *self, ww_error *error)
{
    const ww_tiling *tiling = &self->problem->tiling;
    if ((self->needs & WW_NEED_OUTPUT_RATIO) == 0)
        return WW_OK;
    ww_gathering gathering;
    ww_status status = ww_gathering_create(&gathering, self->problem, WW_NEED_OUTPUT_RATIO, error);
    status = ww_agree(self->problem->parallel, status, error);
    if (status == WW_OK)
        ww_gathering_begin(&gathering, NULL, self->engine);
    if (status == WW_OK) {
        ww_gathering_worker *worker = &gathering.workers[0];
        for (int64_t tile = 0; tile < tiling->local_tiles; tile++)
            ww_gather_weights(&gathering, worker, tile, NULL,
                              ww_tile_size(tiling, tiling->first_tile + tile));
        double extremes[2] = {-worker->least_ratio, worker->largest_ratio};
        status = ww_maximum(self->problem->parallel, extremes, 2, error);
        if (status == WW_OK)
            ww_survey_ratios(extremes, self->survey);
    }
    ww_gathering_free(&gathering);
    return status;
}

static ww_status survey_spectra(const layer_survey *self, ww_error *error)
{
    for (int64_t layer = 1; layer <= self->problem->depth && self->needs & WW_NEED_SPECTRAL;
         layer++)
        WW_TRY(ww_spectral_distance(self->problem, self->engine, self->origin, layer,
                                    &self->survey->layers[layer - 1].spectral_distance, error));
    return WW_OK;
}

// Squared gradients [L] of the whole train loss. `gradients` [n, k] is room.
static ww_status survey_train_gradients(const layer_survey *self, double *gradients,
                                        double *squares, ww_error *error)
{
    const ww_samples *train = &self->problem->data->train;
    (void)ww_batch_loss(self->problem, self->survey->train.outputs, train, gradients);
    WW_TRY(ww_layer_gradients(self->problem, ww_engine_network(self->engine), train->inputs,
                              train->count, gradients, squares, error));
    for (int64_t layer = 0; layer < self->problem->depth; layer++)
        self->survey->layers[layer].gradient_squared = squares[layer];
    return WW_OK;
}

// Loss and squared gradient on the batch of the coming step.
static ww_status survey_batch(const layer_survey *self, ww_batches *batches, double *squares,
                              ww_error *error)
{
    const ww_problem *problem = self->problem;
    ww_layered *network = ww_engine_network(self->engine);
    ww_layered_block *block = NULL;
    ww_batch_room room;
    ww_status status = ww_batch_room_create(&room, problem, error);
    if (status == WW_OK)
        status = ww_layered_block_create(problem, ww_block_size(problem->batch, 0), false, &block,
                                         error);
    status = ww_agree(problem->parallel, status, error);
    if (status == WW_OK)
        ww_batch_room_gather(&room, problem, batches, self->survey->step);
    for (int64_t start = 0; status == WW_OK && start < problem->batch; start += WW_SAMPLE_BLOCK)
        status = ww_layered_forward(network, block, room.batch.inputs + start * problem->dimension,
                                    ww_block_size(problem->batch, start), &room.sum, start, error);
    ww_layered_block_free(block);
    if (status == WW_OK)
        status = ww_output_sum_finish(&room.sum, 0, NULL, room.outputs, error);
    if (status == WW_OK) {
        self->survey->batch_loss =
            ww_batch_loss(problem, room.outputs, &room.batch, room.gradients);
        status = ww_layer_gradients(problem, network, room.batch.inputs, problem->batch,
                                    room.gradients, squares, error);
    }
    ww_batch_room_free(&room);
    for (int64_t layer = 0; status == WW_OK && layer < problem->depth; layer++)
        self->survey->gradient_squared += squares[layer];
    return status;
}

// Room for squares [L], and for gradients by the outputs on the train set.
static size_t gradient_values(const ww_problem *problem, unsigned needs)
{
    const int64_t outputs =
        needs & WW_NEED_LAYER_GRADIENTS ? problem->data->train.count * problem->outputs : 0;
    return (size_t)(problem->depth + outputs);
}

static ww_status survey_gradients(const layer_survey *self, ww_batches *batches, ww_error *error)
{
    if ((self->needs & (unsigned)(WW_NEED_LAYER_GRADIENTS | WW_NEED_GRADIENTS)) == 0)
        return WW_OK;
    double *room = ww_allocate(gradient_values(self->problem, self->needs), sizeof *room,
                               "gradients by the outputs", error);
    ww_status status = ww_agree(self->problem->parallel, room != NULL ? WW_OK : WW_FAILED, error);
    if (status == WW_OK && self->needs & WW_NEED_GRADIENTS)
        status = survey_batch(self, batches, room, error);
    if (status == WW_OK && self->needs & WW_NEED_LAYER_GRADIENTS)
        status = survey_train_gradients(self, room + self->problem->depth, room, error);
    free(room);
    return status;
}

ww_status ww_survey_layers(const ww_problem *problem, const ww_origin *origin, ww_engine *engine,
                           ww_batches *batches, unsigned needs, ww_survey *survey, ww_error *error)
{
    const layer_survey self = {
        .problem = problem, .origin = origin, .engine = engine, .needs = needs, .survey = survey};
    if (problem->depth > 1) {
        WW_TRY(survey_set(&self, WW_ORIGIN_TRAIN, &survey->train, error));
        WW_TRY(survey_set(&self, WW_ORIGIN_TEST, &survey->test, error));
        WW_TRY(survey_weights(&self, error));
        WW_TRY(survey_output_weights(&self, error));
    }
    WW_TRY(survey_gradients(&self, batches, error));
    return survey_spectra(&self, error);
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

void ww_survey_layers_cost(const ww_problem *problem, unsigned needs, int64_t *bytes, double *flops)
{
    int64_t outputs = 0; // kept to the end
    int64_t most = 0;    // of the parts, each of which frees what it had
    int64_t part_bytes = 0;
    double part_flops = 0.0;
    *flops = 0.0;
    for (int set = 0; set < WW_ORIGIN_SETS && problem->depth > 1; set++) {
        const int64_t n = samples_of(problem, set)->count;
        if (!wants_outputs(needs, set) && !wants_patterns(needs, set))
            continue;
        outputs += n * problem->outputs * (int64_t)sizeof(double);
        most = larger(most, set_room_bytes(problem, n));
        *flops += (double)n * ww_layered_pass_flops(problem);
    }
    if (problem->depth > 1 && needs & (unsigned)(WW_NEED_MOVEMENT | WW_NEED_WEIGHTS)) {
        ww_allocation list[WEIGHT_ARRAYS];
        list_weight_room(problem, list);
        most = larger(most, ww_allocation_bytes(list, WEIGHT_ARRAYS));
        *flops += ww_layered_pass_flops(problem);
    }
    if (problem->depth > 1 && needs & WW_NEED_OUTPUT_RATIO)
        most = larger(most, ww_gathering_bytes(problem, WW_NEED_OUTPUT_RATIO));
    const int64_t gradients = (int64_t)(gradient_values(problem, needs) * sizeof(double));
    if (needs & WW_NEED_GRADIENTS) {
        ww_layer_gradients_cost(problem, problem->batch, &part_bytes, &part_flops);
        most = larger(
            most, gradients + ww_batch_room_bytes(problem) +
                      larger(part_bytes, ww_layered_block_bytes(
                                             problem, ww_block_size(problem->batch, 0), false)));
        *flops += part_flops + (double)problem->batch * ww_layered_pass_flops(problem);
    }
    if (needs & WW_NEED_LAYER_GRADIENTS) {
        ww_layer_gradients_cost(problem, problem->data->train.count, &part_bytes, &part_flops);
        most = larger(most, gradients + part_bytes);
        *flops += part_flops;
    }
    if (needs & WW_NEED_SPECTRAL) {
        ww_spectral_distance_cost(problem, &part_bytes, &part_flops);
        most = larger(most, part_bytes);
        *flops += part_flops;
    }
    *bytes = outputs + most;
}
