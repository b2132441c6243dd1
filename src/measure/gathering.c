#include "measure/gathering.h"

#include "train/kernels.h"
#include "train/tally.h"
#include "widthwise/memory.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

void ww_gathering_free(ww_gathering *self)
{
    free(self->initial);
    free(self->difference);
    free(self->preactivations);
    free(self->early);
    free(self->partial);
    free(self->rows);
    free(self->active);
    free(self->early_active);
    free(self->unit_changed);
    free(self->movement_terms);
    free(self->initial_output);
    free(self->extras);
    free(self->weight_terms);
}

enum { ROOM_ARRAYS = 13 };

static void list_room(const ww_gathering *self, ww_allocation list[ROOM_ARRAYS])
{
    const ww_problem *problem = self->problem;
    const size_t tile = (size_t)problem->tiling.tile_units;
    const size_t d = (size_t)problem->dimension;
    const size_t block = WW_SAMPLE_BLOCK;
    const size_t initial = self->needs_initial ? tile * d : 0;
    const size_t early = self->needs_initial ? tile * block : 0;
    const size_t rows = self->needs & WW_NEED_GRADIENTS ? tile * d : 0;
    const size_t outputs = ww_kernel_output_room(problem->pairs, WW_SAMPLE_BLOCK, problem->outputs);
    const size_t terms = 2 * (size_t)problem->tiling.local_tiles;
    const unsigned of_weights = self->needs & (unsigned)(WW_NEED_WEIGHTS | WW_NEED_OUTPUT_RATIO);
    const size_t initial_output = of_weights != 0 ? tile * (size_t)problem->outputs : 0;
    const size_t extras = self->needs & WW_NEED_TRAIN_MOVERS ? block * WW_TALLY_COLUMNS : 0;
    const size_t weight_terms = self->needs & WW_NEED_WEIGHTS ? terms : 0;
    const char *what = "a survey of the network";
    const ww_allocation arrays[ROOM_ARRAYS] = {
        {offsetof(ww_gathering, initial), initial, sizeof(double), what},
        {offsetof(ww_gathering, difference), tile, sizeof(double), what},
        {offsetof(ww_gathering, preactivations), tile * block, sizeof(double), what},
        {offsetof(ww_gathering, early), early, sizeof(double), what},
        {offsetof(ww_gathering, partial), outputs, sizeof(double), what},
        {offsetof(ww_gathering, rows), rows, sizeof(double), what},
        {offsetof(ww_gathering, active), tile * block, 1, what},
        {offsetof(ww_gathering, early_active), tile * block, 1, what},
        {offsetof(ww_gathering, unit_changed), tile, 1, what},
        {offsetof(ww_gathering, movement_terms), terms, sizeof(double), what},
        {offsetof(ww_gathering, initial_output), initial_output, sizeof(double), what},
        {offsetof(ww_gathering, extras), extras, sizeof(double), what},
        {offsetof(ww_gathering, weight_terms), weight_terms, sizeof(double), what},
    };
    memcpy(list, arrays, sizeof arrays);
}

ww_status ww_gathering_create(ww_gathering *self, ww_error *error)
{
    ww_allocation list[ROOM_ARRAYS];
    list_room(self, list);
    return ww_allocate_all(self, list, ROOM_ARRAYS, error);
}

int64_t ww_gathering_bytes(const ww_gathering *self)
{
    ww_allocation list[ROOM_ARRAYS];
    list_room(self, list);
    return ww_allocation_bytes(list, ROOM_ARRAYS);
}

// Compares patterns with those at t = 0 on one block of samples.
static void gather_patterns(ww_gathering *self, int64_t units, int64_t samples,
                            const double *input_norms, ww_surveyed_samples *set)
{
    for (int64_t unit = 0; unit < units; unit++) {
        int64_t changed = 0;
        for (int64_t s = 0; s < samples; s++) {
            const int64_t pair = unit * samples + s;
            changed += self->active[pair] != self->early_active[pair];
            set->risky_pairs += fabs(self->early[pair]) <= self->difference[unit] * input_norms[s];
        }
        set->changed_pairs += changed;
        if (changed > 0)
            self->unit_changed[unit] = 1;
    }
}

// Units that samples would move, from their activations.
static void count_movers(ww_gathering *self, int64_t units, int64_t samples,
                         const double *output_weights, int64_t *movers)
{
    const ww_tile_activations tile = {.values = self->preactivations,
                                      .active = self->active,
                                      .units = units,
                                      .samples = samples,
                                      .unit_stride = samples,
                                      .sample_stride = 1};
    ww_tally_extras_of(self->problem, &tile, output_weights, self->extras);
    for (int64_t s = 0; s < samples; s++)
        movers[s] += (int64_t)self->extras[s * WW_TALLY_COLUMNS + WW_TALLY_MOVERS];
}

void ww_gather_samples(ww_gathering *self, int64_t local_tile, const double *weights, int64_t units,
                       unsigned wants, const double *input_norms, ww_surveyed_samples *set,
                       ww_output_sum *outputs, ww_output_sum *pseudo)
{
    const ww_problem *problem = self->problem;
    const int64_t k = problem->outputs;
    const double slope = problem->negative_slope;
    const double *output_weights =
        ww_engine_output_weights(self->engine) + local_tile * problem->tiling.tile_units * k;
    const bool compares = (wants & (WW_NEED_TEST_PATTERNS | WW_NEED_PSEUDO_OUTPUTS)) != 0;
    memset(self->unit_changed, 0, (size_t)units);
    for (int64_t start = 0; start < set->samples->count; start += WW_SAMPLE_BLOCK) {
        const int64_t samples = ww_block_size(set->samples->count, start);
        const double *inputs = set->samples->inputs + start * problem->dimension;
        ww_kernel_preactivations(problem->pairs, weights, units, inputs, samples,
                                 problem->dimension, self->preactivations);
        if (compares) {
            // Pre-activations at t = 0 by the same call as then, so that patterns agree exactly.
            ww_kernel_preactivations(problem->pairs, self->initial, units, inputs, samples,
                                     problem->dimension, self->early);
            for (int64_t pair = 0; pair < units * samples; pair++) {
                self->early_active[pair] = self->early[pair] >= 0.0;
                self->active[pair] = self->preactivations[pair] >= 0.0;
            }
            gather_patterns(self, units, samples, input_norms + start, set);
        }
        if ((wants & WW_NEED_PSEUDO_OUTPUTS) && pseudo != NULL) {
            for (int64_t pair = 0; pair < units * samples; pair++)
                self->early[pair] = self->early_active[pair] ? self->preactivations[pair]
                                                             : slope * self->preactivations[pair];
            ww_kernel_outputs(problem->pairs, self->early, output_weights, units, samples, k,
                              self->partial);
            ww_output_sum_add(pseudo, start, samples, self->partial);
        }
        if (wants & WW_NEED_TEST_OUTPUTS) {
            ww_activate(slope, self->preactivations, (size_t)(units * samples), self->active);
            if (wants & WW_NEED_TRAIN_MOVERS)
                count_movers(self, units, samples, output_weights, set->movers + start);
            ww_kernel_outputs(problem->pairs, self->preactivations, output_weights, units, samples,
                              k, self->partial);
            ww_output_sum_add(outputs, start, samples, self->partial);
        }
    }
    for (int64_t unit = 0; unit < units; unit++)
        set->changed_units += self->unit_changed[unit];
}
