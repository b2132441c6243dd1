// Predictions of Li & Liang 2018. The lemmas hide constants and logarithms; where the proofs print
// one (10, e) it is used, and the sharp Gaussian probability stands beside them.

#include "widthwise/theory.h"

#include <math.h>

static const double TWO_THIRDS = 2.0 / 3.0;
static const double EULER = 2.71828182845904523536;
static const double SQRT_HALF = 0.70710678118654752440;

double ww_li_liang_coupling_bound(double movement, double sigma)
{
    return fmin(1.0, 10.0 * movement / sigma);
}

double ww_li_liang_coupling_any_bound(double movement, double sigma, int64_t points)
{
    return fmin(1.0, EULER * movement * (double)points / sigma);
}

double ww_li_liang_coupling_reach(double movement, double sigma)
{
    return erf(movement / sigma * SQRT_HALF);
}

double ww_li_liang_distance_at_accuracy(int64_t width)
{
    return TWO_THIRDS / sqrt((double)width);
}

size_t ww_theory_fields(const ww_config *config, bool has_row_movement, int64_t records,
                        ww_field fields[WW_THEORY_FIELDS])
{
    size_t count = 0;
    if (config->model == WW_MODEL_LI_LIANG)
        fields[count++] = (ww_field){
            .name = "distance_at_accuracy",
            .description = "2 / (3 sqrt(m)): the paper's fit to the relative distance from the "
                           "start at 98% test accuracy on its synthetic data.",
            .units = "1",
            .source = "LL section D.1, figure 5",
        };
    if (!has_row_movement)
        return count;
    fields[count++] = (ww_field){
        .name = "coupling_bound",
        .description = "Bound on the share of changed patterns of one point, 10 tau / sigma with "
                       "tau the largest measured row movement; axis: record.",
        .units = "1",
        .source = "LL lemma B.1",
        .rank = 1,
        .extent = {records},
    };
    fields[count++] = (ww_field){
        .name = "coupling_any_bound",
        .description = "Bound on the share of units with any changed pattern on k l points, "
                       "e tau k l / sigma with the same tau; axis: record.",
        .units = "1",
        .source = "LL lemma A.1",
        .rank = 1,
        .extent = {records},
    };
    fields[count++] = (ww_field){
        .name = "coupling_reach",
        .description = "Probability erf(tau / (sigma sqrt 2)) that an initial pre-activation is "
                       "within reach of the same tau: no larger share of patterns is expected to "
                       "change; axis: record.",
        .units = "1",
        .source = "LL proof of lemma A.1",
        .rank = 1,
        .extent = {records},
    };
    return count;
}

int64_t ww_theory_values(const ww_field *fields, size_t count)
{
    int64_t values = 0;
    for (size_t i = 0; i < count; i++)
        values += ww_field_size(&fields[i]);
    return values;
}

void ww_theory_compute(const ww_config *config, const ww_dataset *data, const double *row_movement,
                       int64_t rows, int64_t records, double *values)
{
    if (config->model == WW_MODEL_LI_LIANG)
        *values++ = ww_li_liang_distance_at_accuracy(config->network.width);
    if (row_movement == NULL)
        return;
    const double sigma = ww_config_hidden_std(config);
    const int64_t points = data->classes * data->components;
    double *bound = values;
    double *any_bound = bound + records;
    double *reach = any_bound + records;
    for (int64_t row = 0; row < records; row++) {
        // A unit can change on x only where |<w_r(0), x>| <= movement ||x||, and <w_r(0), x> has
        // standard deviation sigma ||x||: the norm of the input cancels.
        const double tau = row < rows ? row_movement[row] : NAN;
        bound[row] = row < rows ? ww_li_liang_coupling_bound(tau, sigma) : NAN;
        any_bound[row] = row < rows ? ww_li_liang_coupling_any_bound(tau, sigma, points) : NAN;
        reach[row] = row < rows ? ww_li_liang_coupling_reach(tau, sigma) : NAN;
    }
}
