#include "measure/gathering.h"
#include "measure/survey_layers.h"
#include "widthwise/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// max over outputs i and components (a, b) of |p_ab v_iab|, with the expectation over a component
// taken over the train samples drawn from it: p_ab E[v_i] = (1 / n) sum over those samples of v_i,
// and v_i = -dL/df_i (LL section 5.1). `room` has [components k + k] values.
static double largest_v(const ww_problem *problem, const double *outputs, double *room)
{
    const int64_t k = problem->outputs;
    const int64_t count = problem->data->classes * problem->data->components * k;
    const ww_samples *train = &problem->data->train;
    double *gradient = room + count;
    memset(room, 0, (size_t)count * sizeof *room);
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

// What is asked of the weights themselves.
enum {
    OF_TERMS = WW_NEED_MOVEMENT | WW_NEED_TEST_REACH | WW_NEED_WEIGHTS,
    OF_WEIGHTS = OF_TERMS | WW_NEED_OUTPUT_RATIO
};

// Weights of this rank's tiles, and outputs and patterns of its share on both sets.
static ww_status gather_units(ww_gathering *self, ww_error *error)
{
    const bool of_weights = (self->needs & (unsigned)OF_WEIGHTS) != 0;
    if (ww_gathering_goes_by_tiles(self->problem)) {
        ww_gather_tiles(self, of_weights);
        return ww_gathering_join(self, error);
    }
    if (of_weights)
        ww_gather_all_weights(self);
    WW_TRY(ww_gathering_share_reach(self, error));
    for (int set = 0; set < WW_ORIGIN_SETS; set++)
        ww_gather_set(self, &self->sets[set]);
    return ww_gathering_join(self, error);
}

static ww_status take_set(const ww_gathered_set *set, const ww_set_sums *sums,
                          ww_surveyed_samples *surveyed, ww_error *error)
{
    surveyed->changed_pairs = sums->counts[WW_COUNT_PAIRS];
    surveyed->changed_units = sums->counts[WW_COUNT_UNITS];
    surveyed->risky_pairs = sums->counts[WW_COUNT_RISKY];
    surveyed->movers = sums->movers;
    if (set->wants & WW_NEED_TEST_OUTPUTS) {
        surveyed->outputs = set->values;
        WW_TRY(ww_output_sum_take(&sums->outputs, set->values, error));
    }
    if (set->wants & WW_NEED_PSEUDO_OUTPUTS) {
        surveyed->pseudo_outputs = set->pseudo_values;
        WW_TRY(ww_output_sum_take(&sums->pseudo, set->pseudo_values, error));
    }
    return WW_OK;
}

// All that was gathered goes over ranks at once: in one sum of words, and before it, where weights
// were looked at, in one maximum: the ranges of their sums, and what is a maximum itself.
static ww_status sum_over_ranks(ww_gathering *self, ww_survey *survey, ww_error *error)
{
    const ww_problem *problem = self->problem;
    const ww_tiling *tiling = &problem->tiling;
    const ww_gathering_worker *all = &self->workers[0]; // they are joined
    double maxima[WW_TERMS + 3] = {0.0};
    double sums[WW_TERMS] = {0.0};
    ww_status of_terms = WW_OK;
    ww_error term_error = {0};
    if (self->needs & (unsigned)OF_WEIGHTS) {
        ww_sum_term_ranges(self->terms, tiling->local_tiles, WW_TERMS, maxima);
        maxima[WW_TERMS] = all->row_movement;
        maxima[WW_TERMS + 1] = -all->least_ratio;
        maxima[WW_TERMS + 2] = all->largest_ratio;
        WW_TRY(ww_maximum(problem->parallel, maxima, WW_TERMS + 3, error));
        of_terms = ww_sum_term_words(maxima, self->terms, tiling->local_tiles, WW_TERMS,
                                     tiling->tile_count, all->term_words, &term_error);
    }
    WW_TRY(ww_sum_words(problem->parallel, all->words, self->word_count, error));
    WW_TRY(
        take_set(&self->sets[WW_ORIGIN_TRAIN], &all->sums[WW_ORIGIN_TRAIN], &survey->train, error));
    WW_TRY(take_set(&self->sets[WW_ORIGIN_TEST], &all->sums[WW_ORIGIN_TEST], &survey->test, error));
    if (of_terms != WW_OK) {
        *error = term_error;
        return of_terms;
    }
    if (self->needs & (unsigned)OF_TERMS)
        ww_sum_term_values(maxima, all->term_words, WW_TERMS, tiling->tile_count, sums);
    if (self->needs & (unsigned)(WW_NEED_MOVEMENT | WW_NEED_TEST_REACH)) {
        survey->movement_squared = sums[WW_TERM_MOVED];
        survey->initial_squared = sums[WW_TERM_INITIAL];
        survey->row_movement = maxima[WW_TERMS];
    }
    if (self->needs & WW_NEED_WEIGHTS) {
        survey->weight_squared = sums[WW_TERM_SQUARES];
        if (problem->data->separator.weights != NULL)
            survey->alignment = sums[WW_TERM_ALIGNED];
    }
    if (self->needs & WW_NEED_OUTPUT_RATIO)
        ww_survey_ratios(maxima + WW_TERMS + 1, survey);
    return WW_OK;
}

unsigned ww_survey_looks_at(const ww_problem *problem, unsigned needs)
{
    if (problem->negative_slope != 0.0 && ww_config_has_one_magnitude(problem->config))
        needs &= ~(unsigned)WW_NEED_TRAIN_MOVERS;
    if (!problem->config->network.train_output)
        needs &= ~(unsigned)WW_NEED_OUTPUT_RATIO;
    return needs;
}

// Additions and multiplications of a survey of one hidden layer, with the patterns of t = 0 kept as
// they are in a run.
static double unit_flops(const ww_problem *problem, unsigned needs)
{
    const double by_inputs = 2.0 * (double)problem->dimension;
    const double by_outputs = 2.0 * (double)problem->outputs;
    const double units = (double)problem->grid.tiling.local_units;
    double flops = 0.0;
    for (int set = 0; set < WW_ORIGIN_SETS; set++) {
        const unsigned wants = ww_gathering_wants(needs, set);
        double pair = wants != 0 ? by_inputs : 0.0;
        pair += wants & WW_NEED_TEST_OUTPUTS ? by_outputs : 0.0;
        pair += wants & WW_NEED_PSEUDO_OUTPUTS ? by_outputs : 0.0;
        pair += ww_gathering_looks_back(wants, ww_origin_keeps_patterns(problem, needs, set))
                    ? by_inputs
                    : 0.0;
        flops += pair * units * (double)ww_gathering_part(problem, set).count;
    }
    if (needs & WW_NEED_GRADIENTS)
        ww_survey_gradients_cost(problem, &flops);
    if (needs & WW_NEED_WEIGHTS) // squares, and products with the separator
        flops += 2.0 * by_inputs * (double)problem->tiling.local_units;
    return flops;
}

// What of `needs` the network of the engine `layers` is asked for.
static unsigned needs_of_layers(const ww_problem *problem, unsigned needs)
{
    return problem->depth > 1 ? needs
                              : needs & (unsigned)(WW_NEED_LAYER_GRADIENTS | WW_NEED_SPECTRAL);
}

void ww_survey_cost(const ww_problem *problem, unsigned all_needs, int64_t *bytes, double *flops)
{
    const unsigned needs = ww_survey_looks_at(problem, all_needs);
    const unsigned of_layers = needs_of_layers(problem, needs);
    *bytes = 0;
    *flops = 0.0;
    if (of_layers != 0)
        ww_survey_layers_cost(problem, of_layers, bytes, flops);
    if (problem->depth == 1)
        *flops += unit_flops(problem, needs);
    else
        *bytes += problem->depth * (int64_t)sizeof(ww_surveyed_layer);
}

// Survey of one hidden layer, whatever the engine, in room that the origin has kept for it, or in
// room of its own.
static ww_status survey_one_layer(const ww_problem *problem, const ww_origin *origin,
                                  ww_engine *engine, ww_batches *batches, unsigned needs,
                                  ww_survey *survey, ww_error *error)
{
    ww_gathering *self = ww_origin_room(origin);
    if (self == NULL) {
        survey->own_room = ww_allocate(1, sizeof *survey->own_room, "a survey", error);
        ww_status status = WW_FAILED;
        if (survey->own_room != NULL)
            status = ww_gathering_create(survey->own_room, problem, needs, error);
        WW_TRY(ww_agree(problem->parallel, status, error));
        self = survey->own_room;
    }
    WW_ASSERT(self->problem == problem && self->needs == needs);
    ww_gathering_begin(self, origin, engine);
    WW_TRY(gather_units(self, error));
    WW_TRY(sum_over_ranks(self, survey, error));
    if (needs & WW_NEED_V_MAX)
        survey->v_max = largest_v(problem, survey->train.outputs, self->component_sums);
    if (needs & WW_NEED_GRADIENTS)
        WW_TRY(ww_survey_gradients(self, batches, survey, error));
    survey->layers = &self->layer;
    self->layer = (ww_surveyed_layer){.movement_squared = survey->movement_squared,
                                      .train_changes = survey->train.changed_pairs,
                                      .test_changes = survey->test.changed_pairs};
    return WW_OK;
}

static ww_status survey_deep(const ww_problem *problem, ww_survey *survey, ww_error *error)
{
    survey->layers = ww_allocate((size_t)problem->depth, sizeof *survey->layers,
                                 "what is surveyed of layers", error);
    return ww_agree(problem->parallel, survey->layers != NULL ? WW_OK : WW_FAILED, error);
}

ww_status ww_survey_make(const ww_problem *problem, const ww_origin *origin, ww_engine *engine,
                         ww_batches *batches, unsigned all_needs, ww_survey *survey,
                         ww_error *error)
{
    const unsigned needs = ww_survey_looks_at(problem, all_needs);
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
        .track = ww_engine_track(engine),
        .nearest = ww_origin_nearest(origin),
    };
    ww_status status = problem->depth == 1 ? survey_one_layer(problem, origin, engine, batches,
                                                              needs, survey, error)
                                           : survey_deep(problem, survey, error);
    if (status == WW_OK && of_layers != 0)
        status = ww_survey_layers(problem, origin, engine, batches, of_layers, survey, error);
    if (status != WW_OK)
        ww_survey_free(survey);
    return status;
}

void ww_survey_free(ww_survey *survey)
{
    if (survey->problem->depth > 1) {
        free(survey->train.outputs);
        free(survey->test.outputs);
        free(survey->layers);
    } else if (survey->own_room != NULL) {
        ww_gathering_free(survey->own_room);
        free(survey->own_room);
    }
    survey->train.outputs = survey->test.outputs = survey->test.pseudo_outputs = NULL;
    survey->train.movers = NULL;
    survey->layers = NULL;
    survey->own_room = NULL;
}
