#include "train/tally.h"

#include "widthwise/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// With several layers it takes more than one of them to tell whether a sample moves a weight.
static bool has_tally(const ww_problem *problem)
{
    return problem->config->loss == WW_LOSS_HINGE && problem->depth == 1;
}

int64_t ww_tally_extras(const ww_problem *problem)
{
    return has_tally(problem) ? WW_TALLY_COLUMNS : 0;
}

int64_t ww_tally_bytes(const ww_problem *problem)
{
    return has_tally(problem) ? problem->data->train.count : 0;
}

ww_status ww_tally_create(const ww_problem *problem, ww_tally **tally, ww_error *error)
{
    *tally = NULL;
    if (!has_tally(problem))
        return WW_OK;
    ww_tally *made = ww_allocate(1, sizeof *made, "the tally of steps", error);
    if (made == NULL)
        return WW_FAILED;
    made->descent = problem->data->separator.margins != NULL ? -INFINITY : (double)NAN;
    made->used = ww_allocate((size_t)problem->data->train.count, sizeof *made->used,
                             "the tally of samples", error);
    if (made->used == NULL) {
        free(made);
        return WW_FAILED;
    }
    *tally = made;
    return WW_OK;
}

void ww_tally_free(ww_tally *tally)
{
    if (tally == NULL)
        return;
    free(tally->used);
    free(tally);
}

void ww_tally_extras_of(const ww_problem *problem, const ww_tile_activations *tile,
                        const double *output_weights, double *extras)
{
    const double slope = problem->negative_slope;
    const bool moves_outputs = problem->config->network.train_output;
    memset(extras, 0, (size_t)(tile->samples * WW_TALLY_COLUMNS) * sizeof *extras);
    for (int64_t i = 0; i < tile->samples; i++) {
        double openness = 0.0, movers = 0.0;
        for (int64_t unit = 0; unit < tile->units; unit++) {
            const int64_t place = unit * tile->unit_stride + i * tile->sample_stride;
            const double weight = fabs(output_weights[unit]);
            const double steepness = tile->active[place] ? 1.0 : slope;
            const bool moves =
                (weight > 0.0 && steepness > 0.0) || (moves_outputs && tile->values[place] != 0.0);
            openness += weight * steepness;
            movers += moves ? 1.0 : 0.0;
        }
        extras[i * WW_TALLY_COLUMNS + WW_TALLY_OPENNESS] = openness;
        extras[i * WW_TALLY_COLUMNS + WW_TALLY_MOVERS] = movers;
    }
}

static bool is_zero(const ww_problem *problem, int64_t sample)
{
    const double *inputs = problem->data->train.inputs + sample * problem->dimension;
    for (int64_t j = 0; j < problem->dimension; j++)
        if (inputs[j] != 0.0)
            return false;
    return true;
}

bool ww_tally_moves(const ww_problem *problem, int64_t sample, double gradient,
                    const double *extras)
{
    return gradient != 0.0 && extras[WW_TALLY_MOVERS] > 0.0 && !is_zero(problem, sample);
}

bool ww_tally_step(ww_tally *tally, const ww_problem *problem, int64_t step, const int64_t *indices,
                   const double *gradients, const double *extras)
{
    const double *margins = problem->data->separator.margins;
    double descent = 0.0;
    bool changes = false;
    for (int64_t i = 0; i < problem->batch; i++) {
        const int64_t sample = indices[i];
        const double *sums = extras + i * WW_TALLY_COLUMNS;
        if (!ww_tally_moves(problem, sample, gradients[i], sums))
            continue;
        changes = true;
        tally->support += tally->used[sample] == 0;
        tally->used[sample] = 1;
        // The gradient of a loss is that of its output, -y, divided by what losses are divided by.
        if (margins != NULL)
            descent -= fabs(gradients[i]) * margins[sample] * sums[WW_TALLY_OPENNESS];
    }
    if (!changes)
        return false;
    tally->updates++;
    tally->last_change = step + 1;
    if (margins != NULL && !(descent <= tally->descent))
        tally->descent = descent;
    return true;
}

// For a checkpoint: numbers first, then flags, as many in a double as are exact in any.
enum { WORD_UPDATES, WORD_LAST_CHANGE, WORD_DESCENT, WORD_SUPPORT, FIRST_FLAGS, FLAGS = 32 };

size_t ww_tally_words(const ww_problem *problem)
{
    if (!has_tally(problem))
        return 0;
    return (size_t)FIRST_FLAGS + (size_t)((problem->data->train.count + FLAGS - 1) / FLAGS);
}

void ww_tally_save(const ww_tally *tally, const ww_problem *problem, double *words)
{
    words[WORD_UPDATES] = (double)tally->updates;
    words[WORD_LAST_CHANGE] = (double)tally->last_change;
    words[WORD_DESCENT] = tally->descent;
    words[WORD_SUPPORT] = (double)tally->support;
    const int64_t count = problem->data->train.count;
    for (int64_t start = 0; start < count; start += FLAGS) {
        uint32_t bits = 0;
        for (int64_t i = 0; i < FLAGS && start + i < count; i++)
            bits |= (uint32_t)tally->used[start + i] << i;
        words[FIRST_FLAGS + start / FLAGS] = (double)bits;
    }
}

void ww_tally_load(ww_tally *tally, const ww_problem *problem, const double *words)
{
    tally->updates = (int64_t)words[WORD_UPDATES];
    tally->last_change = (int64_t)words[WORD_LAST_CHANGE];
    tally->descent = words[WORD_DESCENT];
    tally->support = (int64_t)words[WORD_SUPPORT];
    for (int64_t i = 0; i < problem->data->train.count; i++) {
        const uint32_t bits = (uint32_t)words[FIRST_FLAGS + i / FLAGS];
        tally->used[i] = (uint8_t)(bits >> (i % FLAGS) & 1U);
    }
}
