// Predictions of Li & Liang 2018. The lemmas hide constants and logarithms; where the proofs print
// one (10, e) it is used, and the sharp Gaussian probability stands beside them.

#include "theory/families.h"

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

// Normal hidden weights, which alone are trained.
static bool is_of_paper(const ww_config *config)
{
    return config->network.start == WW_START_DRAWN && !config->network.train_output &&
           config->network.hidden.kind == WW_HIDDEN_GAUSSIAN;
}

static bool has_fit(const ww_theory_plan *plan)
{
    return plan->config->model == WW_MODEL_LI_LIANG && is_of_paper(plan->config);
}

static size_t fit_fields(const ww_theory_plan *plan, ww_field *fields)
{
    if (!has_fit(plan))
        return 0;
    fields[0] = WW_PREDICTION("distance_at_accuracy", "LL section D.1, figure 5",
                              "2 / (3 sqrt(m)): the paper's fit to the relative distance from the "
                              "start at 98% test accuracy on its synthetic data.");
    return 1;
}

static double *compute_fit(const ww_theory_plan *plan, const ww_theory_inputs *inputs,
                           double *values)
{
    (void)inputs;
    if (!has_fit(plan))
        return values;
    values[0] = ww_li_liang_distance_at_accuracy(plan->config->network.width);
    return values + 1;
}

static bool has_coupling(const ww_theory_plan *plan)
{
    return ww_theory_measures(plan, "row_movement") && is_of_paper(plan->config);
}

static size_t coupling_fields(const ww_theory_plan *plan, ww_field *fields)
{
    if (!has_coupling(plan))
        return 0;
    size_t count = 0;
    fields[count++] = WW_PREDICTION_ALONG(
        plan->records, "coupling_bound", "LL lemma B.1",
        "Bound on the share of changed patterns of one point, 10 tau / sigma with tau the largest "
        "measured row movement; axis: record.");
    fields[count++] = WW_PREDICTION_ALONG(
        plan->records, "coupling_any_bound", "LL lemma A.1",
        "Bound on the share of units with any changed pattern on k l points, e tau k l / sigma "
        "with the same tau; axis: record.");
    fields[count++] = WW_PREDICTION_ALONG(
        plan->records, "coupling_reach", "LL proof of lemma A.1",
        "Probability erf(tau / (sigma sqrt 2)) that an initial pre-activation is within reach of "
        "the same tau: no larger share of patterns is expected to change; axis: record.");
    return count;
}

static double *compute_coupling(const ww_theory_plan *plan, const ww_theory_inputs *inputs,
                                double *values)
{
    if (!has_coupling(plan))
        return values;
    const double sigma = ww_config_hidden_std(plan->config);
    const int64_t points = inputs->data->classes * inputs->data->components;
    const int64_t records = plan->records;
    const double *movement = ww_theory_column(plan, inputs, "row_movement");
    double *bound = values;
    double *any_bound = bound + records;
    double *reach = any_bound + records;
    for (int64_t row = 0; row < records; row++) {
        // A unit can change on x only where |<w_r(0), x>| <= movement ||x||, and <w_r(0), x> has
        // standard deviation sigma ||x||: the norm of the input cancels.
        const bool is_there = row < inputs->rows;
        const double tau = is_there ? movement[row] : NAN;
        bound[row] = is_there ? ww_li_liang_coupling_bound(tau, sigma) : NAN;
        any_bound[row] = is_there ? ww_li_liang_coupling_any_bound(tau, sigma, points) : NAN;
        reach[row] = is_there ? ww_li_liang_coupling_reach(tau, sigma) : NAN;
    }
    return values + 3 * records;
}

static const char *const columns[] = {"row_movement", NULL};
const ww_theory_family ww_theory_li_liang = {fit_fields, compute_fit, NULL};
const ww_theory_family ww_theory_coupling = {coupling_fields, compute_coupling, columns};
