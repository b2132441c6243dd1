#include "train/pattern_sums.h"

#include "widthwise/memory.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { ARRAYS = 6 };

bool ww_has_pattern_sums(const ww_problem *problem)
{
    return problem->config->training.method == WW_METHOD_GD && problem->outputs == 1 &&
           !problem->config->network.train_output;
}

static int64_t bytes_of_patterns(const ww_problem *problem)
{
    return (problem->data->train.count + 7) / 8;
}

static void list_arrays(const ww_problem *problem, ww_allocation list[ARRAYS])
{
    const bool there = ww_has_pattern_sums(problem);
    const size_t size = ww_activations_of(ww_problem_is_single(problem))->size;
    const size_t units = there ? (size_t)problem->tiling.local_units : 0;
    const size_t samples = there ? (size_t)problem->data->train.count : 0;
    const ww_allocation arrays[] = {
        {offsetof(ww_pattern_sums, totals), samples, sizeof(double), "the sums of updates"},
        {offsetof(ww_pattern_sums, factors), samples, sizeof(double), "the sums of updates"},
        {offsetof(ww_pattern_sums, drawn), units, sizeof(double), "the output weights"},
        {offsetof(ww_pattern_sums, scales), units, size, "the output weights"},
        {offsetof(ww_pattern_sums, active), units * (size_t)bytes_of_patterns(problem), 1,
         "the patterns of all samples"},
        {offsetof(ww_pattern_sums, offsets), units * samples, size,
         "the coefficients of all samples (training.engine: dense takes less)"},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

int64_t ww_pattern_sums_bytes(const ww_problem *problem)
{
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    return ww_allocation_bytes(list, ARRAYS);
}

ww_status ww_pattern_sums_create(const ww_problem *problem, ww_pattern_sums *sums, ww_error *error)
{
    *sums = (ww_pattern_sums){.problem = problem,
                              .methods = ww_activations_of(ww_problem_is_single(problem)),
                              .samples = problem->data->train.count,
                              .pattern_bytes = bytes_of_patterns(problem)};
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    WW_TRY(ww_allocate_all(sums, list, ARRAYS, error));
    if (!ww_has_pattern_sums(problem))
        return WW_OK;
    const ww_tiling *tiling = &problem->tiling;
    ww_initial_output_weights(&problem->initial, tiling->first_unit, tiling->local_units,
                              sums->drawn);
    sums->methods->narrow(sums->drawn, tiling->local_units, sums->scales);
    return WW_OK;
}

void ww_pattern_sums_free(ww_pattern_sums *sums)
{
    free(sums->totals);
    free(sums->factors);
    free(sums->drawn);
    free(sums->scales);
    free(sums->active);
    free(sums->offsets);
}

void ww_pattern_sums_take(ww_pattern_sums *sums, const double *gradients)
{
    for (int64_t j = 0; j < sums->samples; j++)
        sums->factors[j] = -sums->problem->learning_rate * gradients[j];
}

void ww_pattern_sums_moved(ww_pattern_sums *sums)
{
    for (int64_t j = 0; j < sums->samples; j++)
        sums->totals[j] += sums->factors[j];
}

static void *offsets_of(const ww_pattern_sums *sums, ww_rows tile)
{
    return ww_place(sums->methods, sums->offsets, tile.first * sums->samples);
}

// The pattern of a pair changes to `active`: its coefficient stays what it is.
static void change(const ww_pattern_sums *sums, void *offset, int64_t sample, bool active)
{
    const double jump = 1.0 - sums->problem->negative_slope;
    double value = 0.0;
    if (sums->totals[sample] == 0.0) // as at the start, where no pattern is known yet
        return;
    sums->methods->widen(offset, 1, &value);
    value += (active ? -jump : jump) * sums->totals[sample];
    sums->methods->narrow(&value, 1, offset);
}

void ww_pattern_sums_note(const ww_pattern_sums *sums, ww_rows tile, int64_t start, int64_t count,
                          const uint8_t *patterns, int64_t stride)
{
    void *offsets = offsets_of(sums, tile);
    for (int64_t unit = 0; unit < tile.units; unit++) {
        uint8_t *before = sums->active + (tile.first + unit) * sums->pattern_bytes + start / 8;
        const uint8_t *after = patterns + unit * stride;
        for (int64_t byte = 0; byte < (count + 7) / 8; byte++) {
            unsigned changed = before[byte] ^ (unsigned)after[byte];
            for (; changed != 0; changed &= changed - 1) {
                const int bit = __builtin_ctz(changed);
                const int64_t sample = start + 8 * byte + bit;
                change(sums, ww_place(sums->methods, offsets, sample * tile.units + unit), sample,
                       (after[byte] >> bit & 1) != 0);
            }
            before[byte] = after[byte];
        }
    }
}

void ww_pattern_sums_put(const ww_pattern_sums *sums, ww_rows tile, const void *offsets,
                         const uint8_t *patterns, int64_t stride)
{
    sums->methods->turn(offsets, tile.units, sums->samples, offsets_of(sums, tile));
    for (int64_t unit = 0; unit < tile.units; unit++)
        memcpy(sums->active + (tile.first + unit) * sums->pattern_bytes, patterns + unit * stride,
               (size_t)sums->pattern_bytes);
}

void ww_pattern_sums_offsets(const ww_pattern_sums *sums, ww_rows tile, void *offsets)
{
    sums->methods->turn(offsets_of(sums, tile), sums->samples, tile.units, offsets);
}

void ww_pattern_sums_coefficients(const ww_pattern_sums *sums, ww_rows tile, void *coefficients)
{
    const double slope = sums->problem->negative_slope;
    ww_pattern_sums_offsets(sums, tile, coefficients);
    for (int64_t unit = 0; unit < tile.units; unit++) {
        const uint8_t *active = sums->active + (tile.first + unit) * sums->pattern_bytes;
        for (int64_t j = 0; j < sums->samples; j++) {
            void *place = ww_place(sums->methods, coefficients, unit * sums->samples + j);
            const double steepness = (active[j / 8] >> j % 8 & 1) != 0 ? 1.0 : slope;
            double value = 0.0;
            sums->methods->widen(place, 1, &value);
            value = sums->drawn[tile.first + unit] * (steepness * sums->totals[j] + value);
            sums->methods->narrow(&value, 1, place);
        }
    }
}

void ww_add_magnitudes(const ww_activation_methods *methods, const void *coefficients,
                       int64_t samples, int64_t units, const double *lengths, double *reach)
{
    for (int64_t j = 0; j < samples; j++)
        for (int64_t unit = 0; unit < units; unit++) {
            double value = 0.0;
            methods->widen(ww_place_in(methods, coefficients, j * units + unit), 1, &value);
            reach[unit] += fabs(value) * lengths[j];
        }
}

void ww_pattern_sums_reach(const ww_pattern_sums *sums, ww_rows tile, const double *lengths,
                           double *reach)
{
    double totals = 0.0;
    for (int64_t j = 0; j < sums->samples; j++)
        totals += fabs(sums->totals[j]) * lengths[j];
    for (int64_t unit = 0; unit < tile.units; unit++)
        reach[unit] += totals; // of pairs that are all active: more than there is
    ww_add_magnitudes(sums->methods, offsets_of(sums, tile), sums->samples, tile.units, lengths,
                      reach);
    for (int64_t unit = 0; unit < tile.units; unit++)
        reach[unit] *= fabs(sums->drawn[tile.first + unit]);
}

const void *ww_pattern_sums_scales(const ww_pattern_sums *sums, ww_rows tile)
{
    return ww_place(sums->methods, sums->scales, tile.first);
}
