// The train set is looked at in large blocks, which is fast, and only until a sample is found that
// surely changes weights. Outputs of a block and of a step may differ in their last bits, so that
// samples with a margin very near to 1 are looked at again in the shape of a step. Even there their
// bits may depend on the samples beside them: then steps that changed nothing decide.

#include "train/rest.h"

#include "train/kernels.h"
#include "train/product_inputs.h"
#include "train/step.h"
#include "widthwise/memory.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

// Far more than rounding makes of margins, far less than an update does.
static const double NEAR = 1e-9;
static const double NEAR_IN_SINGLE = 1e-4;

struct ww_rest_finder {
    const ww_problem *problem;
    const ww_engine_methods *methods;
    int64_t first_block;    // to look at: the one in which a sample was found last
    double *preactivations; // [tile units, block]
    double *partial;        // [block, k], twice with pairs
    double *partial_extras; // [block, extras]
    uint8_t *active;        // [tile units, block]
    double *outputs;        // [block or probe, k]
    double *extras;         // [block or probe, extras]
    int64_t *near;          // [n], samples with a margin near 1
    int64_t near_count;
    int64_t *chosen;            // [probe], those that are looked at
    ww_product_inputs arranged; // inputs of the block, for products as records make them
    ww_output_sum block, probe;
};

enum { ARRAYS = 8 };

static int64_t extras_of(const ww_problem *problem)
{
    return ww_tally_extras(problem);
}

// The batch of gd is the train set itself, whose blocks have the shape of its steps, in double
// their precision, and the same numbers where weights are what an engine keeps.
static bool probes(const ww_problem *problem)
{
    return problem->config->training.method == WW_METHOD_SGD || ww_problem_is_single(problem) ||
           ww_engine_choice(problem) == WW_ENGINE_SAMPLES;
}

static double nearness(const ww_problem *problem)
{
    return ww_problem_is_single(problem) ? NEAR_IN_SINGLE : NEAR;
}

static int64_t probe_samples(const ww_problem *problem, const ww_engine_methods *methods)
{
    return probes(problem) ? methods->probe_samples(problem) : 0;
}

static void list_arrays(const ww_problem *problem, const ww_engine_methods *methods,
                        ww_allocation list[ARRAYS])
{
    const int64_t samples = problem->data->train.count;
    const int64_t block_samples = ww_block_size(samples, 0);
    const int64_t probe = probe_samples(problem, methods);
    const size_t most = (size_t)(block_samples > probe ? block_samples : probe);
    const size_t tile = (size_t)problem->tiling.tile_units;
    const size_t block = (size_t)block_samples;
    const size_t extras = (size_t)extras_of(problem);
    const size_t partial = ww_kernel_output_room(problem->pairs, block_samples, problem->outputs);
    const char *what = "a look at the margins of all samples";
    const ww_allocation arrays[] = {
        {offsetof(ww_rest_finder, preactivations), tile * block, sizeof(double), what},
        {offsetof(ww_rest_finder, partial), partial, sizeof(double), what},
        {offsetof(ww_rest_finder, partial_extras), block * extras, sizeof(double), what},
        {offsetof(ww_rest_finder, active), tile * block, 1, what},
        {offsetof(ww_rest_finder, outputs), most * (size_t)problem->outputs, sizeof(double), what},
        {offsetof(ww_rest_finder, extras), most * extras, sizeof(double), what},
        {offsetof(ww_rest_finder, near), (size_t)samples, sizeof(int64_t), what},
        {offsetof(ww_rest_finder, chosen), (size_t)probe, sizeof(int64_t), what},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

int64_t ww_rest_finder_bytes(const ww_problem *problem, const ww_engine_methods *methods)
{
    ww_allocation list[ARRAYS];
    list_arrays(problem, methods, list);
    return ww_allocation_bytes(list, ARRAYS) +
           ww_product_inputs_bytes(ww_block_size(problem->data->train.count, 0),
                                   problem->dimension) +
           ww_output_sum_bytes_with(problem, ww_block_size(problem->data->train.count, 0),
                                    extras_of(problem)) +
           ww_output_sum_bytes_with(problem, probe_samples(problem, methods), extras_of(problem));
}

ww_status ww_rest_finder_create(const ww_problem *problem, const ww_engine_methods *methods,
                                ww_rest_finder **finder, ww_error *error)
{
    *finder = NULL;
    ww_rest_finder *made = ww_allocate(1, sizeof *made, "a look at the margins", error);
    if (made == NULL)
        return WW_FAILED;
    made->problem = problem;
    made->methods = methods;
    ww_allocation list[ARRAYS];
    list_arrays(problem, methods, list);
    if (ww_allocate_all(made, list, ARRAYS, error) != WW_OK ||
        ww_product_inputs_create(ww_block_size(problem->data->train.count, 0), problem->dimension,
                                 &made->arranged, error) != WW_OK ||
        ww_output_sum_create_with(&made->block, problem,
                                  ww_block_size(problem->data->train.count, 0), extras_of(problem),
                                  error) != WW_OK ||
        ww_output_sum_create_with(&made->probe, problem, probe_samples(problem, methods),
                                  extras_of(problem), error) != WW_OK) {
        ww_rest_finder_free(made);
        return WW_FAILED;
    }
    *finder = made;
    return WW_OK;
}

void ww_rest_finder_free(ww_rest_finder *finder)
{
    if (finder == NULL)
        return;
    free(finder->preactivations);
    free(finder->partial);
    free(finder->partial_extras);
    free(finder->active);
    free(finder->outputs);
    free(finder->extras);
    free(finder->near);
    free(finder->chosen);
    ww_product_inputs_free(&finder->arranged);
    ww_output_sum_free(&finder->block);
    ww_output_sum_free(&finder->probe);
    free(finder);
}

// What is seen of one sample.
typedef enum verdict {
    AT_REST, // its margin is reached, or nothing moves
    NEAR_ONE,
    MOVES
} verdict;

static bool moves(const ww_problem *problem, int64_t sample, const double *output,
                  const double *extras)
{
    double gradient = 0.0;
    problem->loss->gradient(output, problem->outputs,
                            ww_target_of(problem, &problem->data->train, sample), &gradient);
    return ww_tally_moves(problem, sample, gradient, extras);
}

static verdict judge(const ww_problem *problem, int64_t sample, const double *output,
                     const double *extras)
{
    const bool does_move = moves(problem, sample, output, extras);
    const double margin = ww_target_of(problem, &problem->data->train, sample).values[0] * *output;
    if (!probes(problem) || fabs(margin - 1.0) > nearness(problem))
        return does_move ? MOVES : AT_REST;
    return NEAR_ONE;
}

// Outputs and extras of train samples start .. start + count - 1. Collective.
static ww_status see_block(ww_rest_finder *self, void *state, int64_t start, int64_t count,
                           ww_error *error)
{
    const ww_problem *problem = self->problem;
    const ww_tiling *tiling = &problem->tiling;
    ww_product_inputs_set(&self->arranged, problem->data->train.inputs + start * problem->dimension,
                          count);
    ww_output_sum_restart(&self->block, count);
    if (self->methods->settle != NULL)
        self->methods->settle(state);
    for (int64_t local = 0; local < tiling->local_tiles; local++) {
        const int64_t global = tiling->first_tile + local;
        const double *weights = self->methods->tile(state, 0, global);
        const double *output_weights =
            self->methods->output_weights(state) + local * tiling->tile_units * problem->outputs;
        const ww_tile_activations tile = {.values = self->preactivations,
                                          .active = self->active,
                                          .units = ww_tile_size(tiling, global),
                                          .samples = count,
                                          .unit_stride = count,
                                          .sample_stride = 1};
        ww_product_preactivations(&self->arranged, 0, weights, tile.units, self->preactivations);
        ww_activate(problem->negative_slope, self->preactivations, (size_t)(tile.units * count),
                    self->active);
        ww_kernel_outputs(problem->pairs, self->preactivations, output_weights, tile.units, count,
                          problem->outputs, self->partial);
        ww_step_add(&self->block, 0, &tile, output_weights, self->partial, self->partial_extras);
    }
    WW_TRY(ww_output_sum_finish(&self->block, 0, NULL, self->outputs, error));
    ww_output_sum_extras(&self->block, self->extras);
    return WW_OK;
}

// Looks at one block. `*found`: one of its samples surely moves weights. Collective.
static ww_status look_at_block(ww_rest_finder *self, void *state, int64_t start, ww_rest *rest,
                               bool *found, ww_error *error)
{
    const ww_problem *problem = self->problem;
    const int64_t count = ww_block_size(problem->data->train.count, start);
    *found = false;
    WW_TRY(see_block(self, state, start, count, error));
    for (int64_t i = 0; i < count; i++) {
        const double *output = self->outputs + i * problem->outputs;
        const double *extras = self->extras + i * extras_of(problem);
        const verdict seen = judge(problem, start + i, output, extras);
        if (seen == MOVES) {
            *found = true;
            return WW_OK;
        }
        const double target = ww_target_of(problem, &problem->data->train, start + i).values[0];
        const bool is_below = target * *output < 1.0;
        if (seen == NEAR_ONE)
            self->near[self->near_count++] = start + i;
        rest->rounded += is_below && seen == NEAR_ONE;
        rest->lacking += is_below && seen != NEAR_ONE;
    }
    return WW_OK;
}

// Looks at the samples with a margin near 1 in the shape of a step. `*found`: one of them moves
// weights. Collective.
static ww_status look_at_near(ww_rest_finder *self, void *state, bool *found, ww_error *error)
{
    const ww_problem *problem = self->problem;
    const int64_t room = probe_samples(problem, self->methods);
    *found = false;
    for (int64_t first = 0; first < self->near_count && !*found; first += room) {
        for (int64_t i = 0; i < room; i++) { // what is not filled is filled with the last
            const int64_t place = first + i < self->near_count ? first + i : self->near_count - 1;
            self->chosen[i] = self->near[place];
        }
        ww_output_sum_clear(&self->probe);
        self->methods->probe(state, self->chosen, &self->probe);
        WW_TRY(ww_output_sum_finish(&self->probe, 0, NULL, self->outputs, error));
        ww_output_sum_extras(&self->probe, self->extras);
        for (int64_t i = 0; i < room && first + i < self->near_count; i++)
            *found = *found ||
                     moves(problem, self->near[first + i], self->outputs + i * problem->outputs,
                           self->extras + i * extras_of(problem));
    }
    return WW_OK;
}

// Whether so many steps in a row that changed nothing have seen what there is to see: the whole
// train set, for sure within two passes, or where a pass leaves out samples (draws with
// replacement, and epochs that drop what does not fill a batch, which is less than half) all but
// surely within so many that the chance of one left out is below n 2^-63.
static bool has_seen_all(const ww_problem *problem, int64_t quiet)
{
    enum { PASSES = 2, PASSES_OF_SOME = 64 };
    const int64_t samples = problem->data->train.count;
    const ww_sampling sampling = problem->config->training.sampling;
    const bool drops = sampling == WW_SAMPLING_PERMUTATION && samples % problem->batch != 0;
    const int64_t pass = samples / problem->batch + (samples % problem->batch != 0);
    const bool leaves_out = drops || sampling == WW_SAMPLING_REPLACEMENT;
    return quiet / (leaves_out ? PASSES_OF_SOME : PASSES) >= pass;
}

ww_status ww_rest_find(ww_rest_finder *finder, void *state, int64_t quiet, ww_rest *rest,
                       ww_error *error)
{
    const ww_problem *problem = finder->problem;
    const int64_t samples = problem->data->train.count;
    const int64_t blocks = (samples + WW_SAMPLE_BLOCK - 1) / WW_SAMPLE_BLOCK;
    bool found = false;
    finder->near_count = 0;
    *rest = (ww_rest){0};
    for (int64_t i = 0; i < blocks; i++) {
        const int64_t block = (finder->first_block + i) % blocks;
        WW_TRY(look_at_block(finder, state, block * WW_SAMPLE_BLOCK, rest, &found, error));
        if (!found)
            continue;
        finder->first_block = block;
        *rest = (ww_rest){0};
        return WW_OK;
    }
    WW_TRY(look_at_near(finder, state, &found, error));
    rest->rests = !found || has_seen_all(problem, quiet);
    return WW_OK;
}
