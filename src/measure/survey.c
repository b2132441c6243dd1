#include "measure/gathering.h"
#include "measure/origin.h"
#include "measure/survey_layers.h"
#include "widthwise/memory.h"
#include "widthwise/norm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void gather_movement(ww_gathering *self, int64_t local_tile, const double *weights,
                            int64_t units)
{
    const int64_t d = self->problem->dimension;
    double moved = 0.0;
    double start = 0.0;
    for (int64_t unit = 0; unit < units; unit++) {
        const double *now = weights + unit * d;
        const double *then = self->initial + unit * d;
        double row_moved = 0.0;
        double row_start = 0.0;
        for (int64_t j = 0; j < d; j++) {
            const double difference = now[j] - then[j];
            row_moved += difference * difference;
            row_start += then[j] * then[j];
        }
        self->difference[unit] = sqrt(row_moved);
        if (!(self->difference[unit] <= self->row_movement))
            self->row_movement = self->difference[unit];
        moved += row_moved;
        start += row_start;
    }
    self->movement_terms[2 * local_tile] = moved;
    self->movement_terms[2 * local_tile + 1] = start;
}

// What is wanted of a set, in the terms of the test set.
static unsigned wants_of(unsigned needs, bool is_train)
{
    if (!is_train)
        return needs & (WW_NEED_TEST_OUTPUTS | WW_NEED_TEST_PATTERNS | WW_NEED_PSEUDO_OUTPUTS);
    return (needs & WW_NEED_TRAIN_OUTPUTS ? (unsigned)WW_NEED_TEST_OUTPUTS : 0U) |
           (needs & WW_NEED_TRAIN_PATTERNS ? (unsigned)WW_NEED_TEST_PATTERNS : 0U) |
           (needs & WW_NEED_TRAIN_MOVERS);
}

static double *input_norms_of(const ww_samples *samples, int64_t dimension, ww_error *error)
{
    double *norms = ww_allocate((size_t)samples->count, sizeof *norms, "norms of inputs", error);
    for (int64_t i = 0; norms != NULL && i < samples->count; i++)
        norms[i] = ww_norm(samples->inputs + i * dimension, dimension);
    return norms;
}

// max over outputs i and components (a, b) of |p_ab v_iab|, with the expectation over a component
// taken over the train samples drawn from it: p_ab E[v_i] = (1 / n) sum over those samples of v_i,
// and v_i = -dL/df_i (LL section 5.1). `room` has [components k + k] values, zeroes at first.
static double largest_v(const ww_problem *problem, const double *outputs, double *room)
{
    const int64_t k = problem->outputs;
    const int64_t count = problem->data->classes * problem->data->components * k;
    const ww_samples *train = &problem->data->train;
    double *gradient = room + count;
    for (int64_t s = 0; s < train->count; s++) {
        problem->loss->gradient(outputs + s * k, k, ww_target_of(problem, train, s), gradient);
        for (int64_t i = 0; i < k; i++)
            room[train->components[s] * k + i] -= gradient[i];
    }
    double largest = 0.0;
    for (int64_t i = 0; i < count; i++)
        largest = fmax(largest, fabs(room[i]) / (double)train->count);
    return largest;
}

// Room for one set of samples beside its outputs.
typedef struct set_room {
    ww_output_sum outputs, pseudo;
    double *norms; // [n] of inputs
} set_room;

// Room for what is wanted of `set`, which has no arrays yet. Norms are needed wherever anything is.
static ww_status set_room_create(set_room *room, const ww_problem *problem, unsigned wants,
                                 ww_surveyed_samples *set, ww_error *error)
{
    if (wants == 0)
        return WW_OK;
    const size_t values = (size_t)(set->samples->count * problem->outputs);
    WW_TRY(ww_output_sum_create(&room->outputs, problem, set->samples->count, error));
    room->norms = input_norms_of(set->samples, problem->dimension, error);
    set->outputs = ww_allocate(values, sizeof(double), "the outputs of the network", error);
    if (wants & WW_NEED_TRAIN_MOVERS)
        set->movers = ww_allocate((size_t)set->samples->count, sizeof *set->movers,
                                  "the units that samples move", error);
    if (room->norms == NULL || set->outputs == NULL ||
        (wants & WW_NEED_TRAIN_MOVERS && set->movers == NULL))
        return WW_FAILED;
    if ((wants & WW_NEED_PSEUDO_OUTPUTS) == 0)
        return WW_OK;
    WW_TRY(ww_output_sum_create(&room->pseudo, problem, set->samples->count, error));
    set->pseudo_outputs =
        ww_allocate(values, sizeof(double), "the outputs of the pseudo network", error);
    return set->pseudo_outputs != NULL ? WW_OK : WW_FAILED;
}

// Bytes of the outputs alone, and of all that set_room_create makes.
static int64_t set_output_bytes(const ww_problem *problem, unsigned wants,
                                const ww_samples *samples)
{
    const int64_t networks = (wants != 0) + ((wants & WW_NEED_PSEUDO_OUTPUTS) != 0);
    const int64_t active = wants & WW_NEED_TRAIN_MOVERS ? samples->count : 0;
    return networks * samples->count * problem->outputs * (int64_t)sizeof(double) +
           active * (int64_t)sizeof(int64_t);
}

static int64_t set_room_bytes(const ww_problem *problem, unsigned wants, const ww_samples *samples)
{
    if (wants == 0)
        return 0;
    const int64_t sums = ww_output_sum_bytes(problem, samples->count);
    return set_output_bytes(problem, wants, samples) +
           (wants & WW_NEED_PSEUDO_OUTPUTS ? 2 * sums : sums) +
           samples->count * (int64_t)sizeof(double);
}

static void set_room_free(set_room *room)
{
    ww_output_sum_free(&room->outputs);
    ww_output_sum_free(&room->pseudo);
    free(room->norms);
}

// [components, k] sums and [k] room of v_max; quantities themselves never allocate: one rank alone
// that fails at a record would leave the others waiting.
static size_t component_values(const ww_problem *problem)
{
    return (size_t)((problem->data->classes * problem->data->components + 1) * problem->outputs);
}

// Tiles of this rank: movement, and outputs and patterns on both sets.
static ww_status survey_units(ww_gathering *self, ww_survey *survey, ww_error *error)
{
    const ww_problem *problem = self->problem;
    ww_surveyed_samples *sets[2] = {&survey->train, &survey->test};
    set_room rooms[2] = {{.norms = NULL}, {.norms = NULL}};
    ww_status status = ww_gathering_create(self, error);
    for (int which = 0; which < 2 && status == WW_OK; which++)
        status = set_room_create(&rooms[which], problem, wants_of(self->needs, which == 0),
                                 sets[which], error);
    double *component_sums =
        ww_allocate(component_values(problem), sizeof *component_sums, "v_max", error);
    if (component_sums == NULL)
        status = WW_FAILED;
    status = ww_agree(problem->parallel, status, error);
    for (int64_t tile = 0; status == WW_OK && tile < problem->tiling.local_tiles; tile++) {
        const int64_t global = problem->tiling.first_tile + tile;
        const int64_t units = ww_tile_size(&problem->tiling, global);
        const double *weights = ww_engine_tile(self->engine, global);
        if (self->needs_initial) {
            ww_initial_hidden_weights(&problem->initial, global * problem->tiling.tile_units, units,
                                      self->initial);
            gather_movement(self, tile, weights, units);
        }
        ww_gather_weights(self, tile, weights, units);
        for (int which = 0; which < 2; which++) {
            const unsigned wants = wants_of(self->needs, which == 0);
            if (wants != 0)
                ww_gather_samples(self, tile, weights, units, wants, rooms[which].norms,
                                  sets[which], &rooms[which].outputs, &rooms[which].pseudo);
        }
    }
    for (int which = 0; which < 2 && status == WW_OK; which++)
        if (wants_of(self->needs, which == 0) & WW_NEED_TEST_OUTPUTS)
            status =
                ww_output_sum_finish(&rooms[which].outputs, 0, NULL, sets[which]->outputs, error);
    if (status == WW_OK && self->needs & WW_NEED_PSEUDO_OUTPUTS)
        status =
            ww_output_sum_finish(&rooms[1].pseudo, 0, NULL, survey->test.pseudo_outputs, error);
    if (status == WW_OK && self->needs & WW_NEED_V_MAX)
        survey->v_max = largest_v(problem, survey->train.outputs, component_sums);
    free(component_sums);
    for (int which = 0; which < 2; which++)
        set_room_free(&rooms[which]);
    return status;
}

static ww_status sum_over_ranks(const ww_gathering *self, ww_survey *survey, ww_error *error)
{
    const ww_parallel *parallel = self->problem->parallel;
    int64_t counts[6] = {survey->train.changed_pairs, survey->train.changed_units,
                         survey->train.risky_pairs,   survey->test.changed_pairs,
                         survey->test.changed_units,  survey->test.risky_pairs};
    WW_TRY(ww_sum_words(parallel, counts, 6, error));
    survey->train.changed_pairs = counts[0];
    survey->train.changed_units = counts[1];
    survey->train.risky_pairs = counts[2];
    survey->test.changed_pairs = counts[3];
    survey->test.changed_units = counts[4];
    survey->test.risky_pairs = counts[5];
    if (survey->train.movers != NULL)
        WW_TRY(ww_sum_words(parallel, survey->train.movers, (size_t)survey->train.samples->count,
                            error));
    WW_TRY(ww_survey_weights(self, survey, error));
    if (!self->needs_initial)
        return WW_OK;
    double sums[2] = {0.0, 0.0};
    WW_TRY(ww_sum_terms(parallel, self->movement_terms, self->problem->tiling.local_tiles, 2,
                        self->problem->tiling.tile_count, sums, error));
    survey->movement_squared = sums[0];
    survey->initial_squared = sums[1];
    survey->row_movement = self->row_movement;
    return ww_maximum(parallel, &survey->row_movement, 1, error);
}

// Whether W(0) has to be drawn again.
static bool needs_initial(unsigned needs)
{
    return (needs & (unsigned)(WW_NEED_TRAIN_PATTERNS | WW_NEED_TEST_PATTERNS |
                               WW_NEED_PSEUDO_OUTPUTS | WW_NEED_MOVEMENT | WW_NEED_GRADIENTS)) != 0;
}

// What has to be looked at for `needs`: a leaky unit moves by every sample unless its output weight
// is 0, and output weights that are not trained stay as they are.
static unsigned looked_at(const ww_problem *problem, unsigned needs)
{
    if (problem->negative_slope != 0.0 && ww_config_has_one_magnitude(problem->config))
        needs &= ~(unsigned)WW_NEED_TRAIN_MOVERS;
    if (!problem->config->network.train_output)
        needs &= ~(unsigned)WW_NEED_OUTPUT_RATIO;
    return needs;
}

// Cost of a survey of one hidden layer.
static void unit_cost(const ww_problem *problem, unsigned needs, int64_t *bytes, double *flops)
{
    const ww_samples *sets[2] = {&problem->data->train, &problem->data->test};
    const ww_gathering room = {
        .problem = problem, .needs = needs, .needs_initial = needs_initial(needs)};
    const double by_inputs = 2.0 * (double)problem->dimension;
    const double by_outputs = 2.0 * (double)problem->outputs;
    *flops = 0.0;
    int64_t most = (int64_t)(component_values(problem) * sizeof(double)); // over units
    int64_t later = 0; // over the batch, when the sums are gone and the outputs are not
    for (int which = 0; which < 2; which++) {
        const unsigned wants = wants_of(needs, which == 0);
        most += set_room_bytes(problem, wants, sets[which]);
        later += set_output_bytes(problem, wants, sets[which]);
        double pair = wants != 0 ? by_inputs : 0.0;
        pair += wants & WW_NEED_TEST_OUTPUTS ? by_outputs : 0.0;
        pair += wants & WW_NEED_PSEUDO_OUTPUTS ? by_outputs : 0.0;
        pair += wants & (WW_NEED_TEST_PATTERNS | WW_NEED_PSEUDO_OUTPUTS) ? by_inputs : 0.0;
        *flops += pair * (double)problem->tiling.local_units * (double)sets[which]->count;
    }
    if (needs & WW_NEED_GRADIENTS)
        ww_survey_gradients_cost(problem, &later, flops);
    if (needs & WW_NEED_WEIGHTS) // squares, and products with the separator
        *flops += 2.0 * by_inputs * (double)problem->tiling.local_units;
    *bytes = ww_gathering_bytes(&room) + (later > most ? later : most);
}

// What of `needs` the network of the engine `layers` is asked for.
static unsigned needs_of_layers(const ww_problem *problem, unsigned needs)
{
    return problem->depth > 1 ? needs
                              : needs & (unsigned)(WW_NEED_LAYER_GRADIENTS | WW_NEED_SPECTRAL);
}

void ww_survey_cost(const ww_problem *problem, unsigned all_needs, int64_t *bytes, double *flops)
{
    const unsigned needs = looked_at(problem, all_needs);
    const unsigned of_layers = needs_of_layers(problem, needs);
    int64_t layer_bytes = 0;
    double layer_flops = 0.0;
    *bytes = 0;
    *flops = 0.0;
    if (problem->depth == 1)
        unit_cost(problem, needs, bytes, flops);
    if (of_layers != 0)
        ww_survey_layers_cost(problem, of_layers, &layer_bytes, &layer_flops);
    if (problem->depth == 1 && of_layers != 0) // beside the outputs that are there already
        layer_bytes += set_output_bytes(problem, wants_of(needs, true), &problem->data->train) +
                       set_output_bytes(problem, wants_of(needs, false), &problem->data->test);
    *bytes = (layer_bytes > *bytes ? layer_bytes : *bytes) +
             problem->depth * (int64_t)sizeof(ww_surveyed_layer);
    *flops += layer_flops;
}

// Survey of one hidden layer, whatever the engine.
static ww_status survey_one_layer(const ww_problem *problem, ww_engine *engine, ww_batches *batches,
                                  unsigned needs, ww_survey *survey, ww_error *error)
{
    ww_gathering self = {
        .problem = problem,
        .engine = engine,
        .needs = needs,
        .needs_initial = needs_initial(needs),
        .least_ratio = INFINITY,
        .largest_ratio = -INFINITY,
    };
    ww_status status = survey_units(&self, survey, error);
    if (status == WW_OK)
        status = sum_over_ranks(&self, survey, error);
    if (status == WW_OK && needs & WW_NEED_GRADIENTS)
        status = ww_survey_gradients(&self, batches, survey, error);
    ww_gathering_free(&self);
    survey->layers[0] = (ww_surveyed_layer){.movement_squared = survey->movement_squared,
                                            .train_changes = survey->train.changed_pairs,
                                            .test_changes = survey->test.changed_pairs};
    return status;
}

ww_status ww_survey_make(const ww_problem *problem, const ww_origin *origin, ww_engine *engine,
                         ww_batches *batches, unsigned all_needs, ww_survey *survey,
                         ww_error *error)
{
    const unsigned needs = looked_at(problem, all_needs);
    const unsigned of_layers = needs_of_layers(problem, needs);
    *survey = (ww_survey){
        .problem = problem,
        .step = ww_engine_steps(engine),
        .train = {.samples = &problem->data->train},
        .test = {.samples = &problem->data->test},
        .alignment = NAN,
        .least_ratio = 1.0,
        .largest_ratio = 1.0,
        .tally = ww_engine_tally(engine),
        .layers = ww_allocate((size_t)problem->depth, sizeof *survey->layers,
                              "what is surveyed of layers", error),
        .track = ww_engine_track(engine),
        .nearest = ww_origin_nearest(origin),
    };
    ww_status status =
        ww_agree(problem->parallel, survey->layers != NULL ? WW_OK : WW_FAILED, error);
    if (status == WW_OK && problem->depth == 1)
        status = survey_one_layer(problem, engine, batches, needs, survey, error);
    if (status == WW_OK && of_layers != 0)
        status = ww_survey_layers(problem, origin, engine, batches, of_layers, survey, error);
    if (status != WW_OK)
        ww_survey_free(survey);
    return status;
}

void ww_survey_free(ww_survey *survey)
{
    free(survey->train.outputs);
    free(survey->test.outputs);
    free(survey->test.pseudo_outputs);
    free(survey->train.movers);
    free(survey->layers);
    survey->train.outputs = survey->test.outputs = survey->test.pseudo_outputs = NULL;
    survey->train.movers = NULL;
    survey->layers = NULL;
}
