// The part of a survey on the weights themselves.
#include "measure/gathering.h"

#include "widthwise/sum.h"

#include <math.h>

static double product(const double *a, const double *b, int64_t count)
{
    double sum = 0.0;
    for (int64_t j = 0; j < count; j++)
        sum += a[j] * b[j];
    return sum;
}

static void gather_norm(ww_gathering *self, int64_t local_tile, const double *weights,
                        int64_t units)
{
    const ww_problem *problem = self->problem;
    const int64_t d = problem->dimension;
    const double *separator = problem->data->separator.weights;
    double squares = 0.0;
    double aligned = 0.0;
    for (int64_t unit = 0; unit < units; unit++) {
        const double *row = weights + unit * d;
        squares += product(row, row, d);
        if (separator == NULL)
            continue;
        const double along = product(row, separator, d);
        aligned += self->initial_output[unit * problem->outputs] >= 0.0 ? along : -along;
    }
    self->weight_terms[2 * local_tile] = squares;
    self->weight_terms[2 * local_tile + 1] = aligned;
}

// A ratio that is not a number leaves both extremes infinite, which is told as divergence.
static void gather_ratios(ww_gathering *self, const double *output_weights, int64_t values)
{
    for (int64_t i = 0; i < values; i++) {
        if (self->initial_output[i] == 0.0)
            continue;
        const double ratio = output_weights[i] / self->initial_output[i];
        self->least_ratio = isnan(ratio) ? -INFINITY : fmin(self->least_ratio, ratio);
        self->largest_ratio = isnan(ratio) ? INFINITY : fmax(self->largest_ratio, ratio);
    }
}

void ww_gather_weights(ww_gathering *self, int64_t local_tile, const double *weights, int64_t units)
{
    const ww_problem *problem = self->problem;
    const int64_t first = local_tile * problem->tiling.tile_units;
    const int64_t k = problem->outputs;
    if ((self->needs & (unsigned)(WW_NEED_WEIGHTS | WW_NEED_OUTPUT_RATIO)) == 0)
        return;
    ww_initial_output_weights(&problem->initial, problem->tiling.first_unit + first, units,
                              self->initial_output);
    if (self->needs & WW_NEED_WEIGHTS)
        gather_norm(self, local_tile, weights, units);
    if (self->needs & WW_NEED_OUTPUT_RATIO)
        gather_ratios(self, ww_engine_output_weights(self->engine) + first * k, units * k);
}

ww_status ww_survey_weights(const ww_gathering *self, ww_survey *survey, ww_error *error)
{
    const ww_problem *problem = self->problem;
    if (self->needs & WW_NEED_WEIGHTS) {
        double sums[2] = {0.0, 0.0};
        WW_TRY(ww_sum_terms(problem->parallel, self->weight_terms, problem->tiling.local_tiles, 2,
                            problem->tiling.tile_count, sums, error));
        survey->weight_squared = sums[0];
        survey->alignment = problem->data->separator.weights != NULL ? sums[1] : (double)NAN;
    }
    if ((self->needs & WW_NEED_OUTPUT_RATIO) == 0)
        return WW_OK;
    double extremes[2] = {-self->least_ratio, self->largest_ratio};
    WW_TRY(ww_maximum(problem->parallel, extremes, 2, error));
    if (extremes[0] == -INFINITY && extremes[1] == -INFINITY)
        return WW_OK; // no weight began other than 0
    survey->least_ratio = -extremes[0];
    survey->largest_ratio = extremes[1];
    return WW_OK;
}
