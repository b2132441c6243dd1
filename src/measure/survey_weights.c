// The part of a survey of one hidden layer on the weights themselves.
#include "measure/gathering.h"

#include <math.h>

// Sums over a row are of so many partial sums, side by side: no sum waits for the one before it.
enum { PARTS = 8 };

static double total(const double sums[PARTS])
{
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) +
           ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

static double product(const double *a, const double *b, int64_t count)
{
    double sums[PARTS] = {0.0};
    int64_t j = 0;
    for (; j + PARTS <= count; j += PARTS)
        for (int i = 0; i < PARTS; i++)
            sums[i] += a[j + i] * b[j + i];
    for (int i = 0; j + i < count; i++)
        sums[i] += a[j + i] * b[j + i];
    return total(sums);
}

// Squared distance of two rows.
static double squared_distance(const double *a, const double *b, int64_t count)
{
    double sums[PARTS] = {0.0};
    int64_t j = 0;
    for (; j + PARTS <= count; j += PARTS)
        for (int i = 0; i < PARTS; i++)
            sums[i] += (a[j + i] - b[j + i]) * (a[j + i] - b[j + i]);
    for (int i = 0; j + i < count; i++)
        sums[i] += (a[j + i] - b[j + i]) * (a[j + i] - b[j + i]);
    return total(sums);
}

// Rows of W(0) that are drawn together: few enough to be near still when they are compared.
enum { ROWS_AT_ONCE = 16 };

static void gather_movement(ww_gathering *self, ww_gathering_worker *worker, int64_t local_tile,
                            const double *weights, int64_t units)
{
    const ww_tiling *tiling = &self->problem->tiling;
    const int64_t d = self->problem->dimension;
    const int64_t first = local_tile * tiling->tile_units;
    const bool is_start = ww_gathering_is_at_start(self); // nothing is to be drawn
    double *terms = self->terms + local_tile * WW_TERMS;
    terms[WW_TERM_MOVED] = terms[WW_TERM_INITIAL] = 0.0;
    for (int64_t unit = 0; unit < units; unit++) {
        const double *then =
            is_start ? weights + unit * d : worker->initial + unit % ROWS_AT_ONCE * d;
        if (!is_start && unit % ROWS_AT_ONCE == 0)
            ww_initial_hidden_weights(&self->problem->initial, tiling->first_unit + first + unit,
                                      units - unit < ROWS_AT_ONCE ? units - unit : ROWS_AT_ONCE,
                                      worker->initial);
        const double moved = squared_distance(weights + unit * d, then, d);
        const double distance = sqrt(moved);
        terms[WW_TERM_MOVED] += moved;
        terms[WW_TERM_INITIAL] += product(then, then, d);
        if (self->needs & WW_NEED_TEST_REACH)
            self->reach[tiling->first_unit - self->problem->grid.tiling.first_unit + first + unit] =
                distance;
        if (!(distance <= worker->row_movement))
            worker->row_movement = isnan(distance) ? (double)INFINITY : distance;
    }
}

static void gather_norm(ww_gathering *self, const ww_gathering_worker *worker, int64_t local_tile,
                        const double *weights, int64_t units)
{
    const ww_problem *problem = self->problem;
    const int64_t d = problem->dimension;
    const double *separator = problem->data->separator.weights;
    double *terms = self->terms + local_tile * WW_TERMS;
    terms[WW_TERM_SQUARES] = terms[WW_TERM_ALIGNED] = 0.0;
    for (int64_t unit = 0; unit < units; unit++) {
        const double *row = weights + unit * d;
        terms[WW_TERM_SQUARES] += product(row, row, d);
        if (separator == NULL)
            continue;
        const double along = product(row, separator, d);
        terms[WW_TERM_ALIGNED] +=
            worker->initial_output[unit * problem->outputs] >= 0.0 ? along : -along;
    }
}

// A ratio that is not a number leaves both extremes infinite, which is told as divergence.
static void gather_ratios(ww_gathering_worker *worker, const double *output_weights, int64_t values)
{
    for (int64_t i = 0; i < values; i++) {
        if (worker->initial_output[i] == 0.0)
            continue;
        const double ratio = output_weights[i] / worker->initial_output[i];
        worker->least_ratio = isnan(ratio) ? -INFINITY : fmin(worker->least_ratio, ratio);
        worker->largest_ratio = isnan(ratio) ? INFINITY : fmax(worker->largest_ratio, ratio);
    }
}

void ww_gather_weights(ww_gathering *self, ww_gathering_worker *worker, int64_t local_tile,
                       const double *weights, int64_t units)
{
    const ww_problem *problem = self->problem;
    const int64_t first = local_tile * problem->tiling.tile_units;
    const int64_t k = problem->outputs;
    if (self->needs & (unsigned)(WW_NEED_MOVEMENT | WW_NEED_TEST_REACH))
        gather_movement(self, worker, local_tile, weights, units);
    if ((self->needs & (unsigned)(WW_NEED_WEIGHTS | WW_NEED_OUTPUT_RATIO)) == 0)
        return;
    ww_initial_output_weights(&problem->initial, problem->tiling.first_unit + first, units,
                              worker->initial_output);
    if (self->needs & WW_NEED_WEIGHTS)
        gather_norm(self, worker, local_tile, weights, units);
    if (self->needs & WW_NEED_OUTPUT_RATIO)
        gather_ratios(worker, ww_engine_output_weights(self->engine) + first * k, units * k);
}

void ww_survey_ratios(const double extremes[2], ww_survey *survey)
{
    if (extremes[0] == -INFINITY && extremes[1] == -INFINITY)
        return; // no weight began other than 0
    survey->least_ratio = -extremes[0];
    survey->largest_ratio = extremes[1];
}
