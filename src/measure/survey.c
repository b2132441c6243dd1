#include "measure/gathering.h"

#include "widthwise/memory.h"

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
           (needs & WW_NEED_TRAIN_PATTERNS ? (unsigned)WW_NEED_TEST_PATTERNS : 0U);
}

static double *input_norms_of(const ww_samples *samples, int64_t dimension, ww_error *error)
{
    double *norms = ww_allocate((size_t)samples->count, sizeof *norms, "norms of inputs", error);
    for (int64_t i = 0; norms != NULL && i < samples->count; i++) {
        double sum = 0.0;
        for (int64_t j = 0; j < dimension; j++)
            sum += samples->inputs[i * dimension + j] * samples->inputs[i * dimension + j];
        norms[i] = sqrt(sum);
    }
    return norms;
}

// max over classes i and components (a, b) of |p_ab v_iab|, with the expectation over a component
// taken over the train samples drawn from it: p_ab E[v_i] = (1 / n) sum over those samples of v_i,
// and v_i = -dL/df_i (LL section 5.1). `room` has [components k + k] values, zeroes at first.
static double largest_v(const ww_problem *problem, const double *outputs, double *room)
{
    const int64_t k = problem->outputs;
    const int64_t count = problem->data->classes * problem->data->components * k;
    const ww_samples *train = &problem->data->train;
    double *gradient = room + count;
    for (int64_t s = 0; s < train->count; s++) {
        problem->loss->gradient(outputs + s * k, k, train->labels[s], gradient);
        for (int64_t i = 0; i < k; i++)
            room[train->components[s] * k + i] -= gradient[i];
    }
    double largest = 0.0;
    for (int64_t i = 0; i < count; i++)
        largest = fmax(largest, fabs(room[i]) / (double)train->count);
    return largest;
}

// Tiles of this rank: movement, and outputs and patterns on both sets.
static ww_status survey_units(ww_gathering *self, ww_survey *survey, ww_error *error)
{
    const ww_problem *problem = self->problem;
    ww_surveyed_samples *sets[2] = {&survey->train, &survey->test};
    ww_output_sum outputs[2] = {{0}};
    ww_output_sum pseudo = {0};
    double *norms[2] = {NULL, NULL};
    ww_status status = ww_gathering_create(self, error);
    for (int which = 0; which < 2 && status == WW_OK; which++) {
        const int64_t values = sets[which]->samples->count * problem->outputs;
        if (wants_of(self->needs, which == 0) == 0)
            continue;
        status = ww_output_sum_create(&outputs[which], problem, sets[which]->samples->count, error);
        norms[which] = input_norms_of(sets[which]->samples, problem->dimension, error);
        sets[which]->outputs =
            ww_allocate((size_t)values, sizeof(double), "the outputs of the network", error);
        if (norms[which] == NULL || sets[which]->outputs == NULL)
            status = WW_FAILED;
    }
    if (status == WW_OK && self->needs & WW_NEED_PSEUDO_OUTPUTS) {
        status = ww_output_sum_create(&pseudo, problem, survey->test.samples->count, error);
        survey->test.pseudo_outputs =
            ww_allocate((size_t)(survey->test.samples->count * problem->outputs), sizeof(double),
                        "the outputs of the pseudo network", error);
        if (survey->test.pseudo_outputs == NULL)
            status = WW_FAILED;
    }
    // [components, k] sums and [k] room; quantities themselves never allocate: one rank alone that
    // fails at a record would leave the others waiting.
    double *component_sums = ww_allocate(
        (size_t)((problem->data->classes * problem->data->components + 1) * problem->outputs),
        sizeof *component_sums, "v_max", error);
    if (component_sums == NULL)
        status = WW_FAILED;
    status = ww_agree(problem->parallel, status, error);
    for (int64_t tile = 0; status == WW_OK && tile < problem->tiling.local_tiles; tile++) {
        const int64_t global = problem->tiling.first_tile + tile;
        const int64_t units = ww_tile_size(&problem->tiling, global);
        const double *weights = ww_engine_tile(self->engine, global);
        if (self->needs_initial) {
            ww_initial_hidden_weights(problem->config, problem->dimension,
                                      global * problem->tiling.tile_units, units, self->initial);
            gather_movement(self, tile, weights, units);
        }
        for (int which = 0; which < 2; which++) {
            const unsigned wants = wants_of(self->needs, which == 0);
            if (wants != 0)
                ww_gather_samples(self, tile, weights, units, wants, norms[which], sets[which],
                                  &outputs[which], &pseudo);
        }
    }
    for (int which = 0; which < 2 && status == WW_OK; which++)
        if (wants_of(self->needs, which == 0) & WW_NEED_TEST_OUTPUTS)
            status = ww_output_sum_finish(&outputs[which], 0, NULL, sets[which]->outputs, error);
    if (status == WW_OK && self->needs & WW_NEED_PSEUDO_OUTPUTS)
        status = ww_output_sum_finish(&pseudo, 0, NULL, survey->test.pseudo_outputs, error);
    if (status == WW_OK && self->needs & WW_NEED_V_MAX)
        survey->v_max = largest_v(problem, survey->train.outputs, component_sums);
    free(component_sums);
    for (int which = 0; which < 2; which++) {
        ww_output_sum_free(&outputs[which]);
        free(norms[which]);
    }
    ww_output_sum_free(&pseudo);
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

ww_status ww_survey_make(const ww_problem *problem, ww_engine *engine, ww_batches *batches,
                         unsigned needs, ww_survey *survey, ww_error *error)
{
    *survey = (ww_survey){
        .problem = problem,
        .step = ww_engine_steps(engine),
        .train = {.samples = &problem->data->train},
        .test = {.samples = &problem->data->test},
    };
    ww_gathering self = {
        .problem = problem,
        .engine = engine,
        .needs = needs,
        .needs_initial = (needs & ~(unsigned)(WW_NEED_TRAIN_OUTPUTS | WW_NEED_TEST_OUTPUTS |
                                              WW_NEED_V_MAX)) != 0,
    };
    ww_status status = survey_units(&self, survey, error);
    if (status == WW_OK)
        status = sum_over_ranks(&self, survey, error);
    if (status == WW_OK && needs & WW_NEED_GRADIENTS)
        status = ww_survey_gradients(&self, batches, survey, error);
    ww_gathering_free(&self);
    if (status != WW_OK)
        ww_survey_free(survey);
    return status;
}

void ww_survey_free(ww_survey *survey)
{
    free(survey->train.outputs);
    free(survey->test.outputs);
    free(survey->test.pseudo_outputs);
    survey->train.outputs = survey->test.outputs = survey->test.pseudo_outputs = NULL;
}
