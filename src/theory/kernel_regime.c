// Predictions of Arora et al. 2019: training as descent on a fixed kernel, and the bounds that
// follow from it. Constants that the theorems hide are 1, which makes the bounds large: what is to
// be compared is how they change.

#include "theory/families.h"

#include "widthwise/descent.h"

#include <stdlib.h>

double ww_arora_generalization_bound(double quadratic_form, double lambda_min, int64_t samples,
                                     double failure_probability)
{
    const double n = (double)samples;
    return sqrt(2.0 * quadratic_form / n) +
           sqrt(fmax(0.0, log(n / (lambda_min * failure_probability))) / n);
}

double ww_arora_rademacher_bound(double distance, double row_movement, int64_t samples,
                                 int64_t width, double kappa, double failure_probability)
{
    const double n = (double)samples;
    const double m = (double)width;
    const double tail = 2.0 * log(2.0 / failure_probability);
    return distance / sqrt(2.0 * n) * (1.0 + pow(tail / m, 0.25)) +
           2.0 * row_movement * row_movement * sqrt(m) / kappa + row_movement * sqrt(tail);
}

double ww_arora_row_movement_bound(double lambda_min, int64_t samples, int64_t width,
                                   double failure_probability)
{
    return (double)samples / (sqrt((double)width) * lambda_min * sqrt(failure_probability));
}

double ww_arora_width(double lambda_min, int64_t samples, double kappa, double failure_probability)
{
    return pow((double)samples, 6.0) /
           (pow(lambda_min, 4.0) * kappa * kappa * pow(failure_probability, 3.0));
}

bool ww_theory_has_descent(const ww_theory_plan *plan)
{
    return plan->gram != NULL && plan->config->loss == WW_LOSS_SQUARED &&
           plan->config->training.method == WW_METHOD_GD && plan->config->network.depth == 1 &&
           plan->gram->kernel.depth == 1;
}

double ww_theory_descent_rate(const ww_config *config, int64_t samples)
{
    const double weights = (double)config->network.width * ww_config_output_std(config) *
                           ww_config_output_std(config); // sum_r a_r^2
    const double share = config->loss_reduction == WW_REDUCTION_MEAN ? 1.0 / (double)samples : 1.0;
    return ww_config_learning_rate(config) * weights * share;
}

// Root of the sum of the squared output weights: by its inverse weights move further than descent
// at the rate of this network's kernel says in units of H.
static double output_norm(const ww_config *config)
{
    return sqrt((double)config->network.width) * ww_config_output_std(config);
}

// What is predicted, in the order of the file.
enum {
    DISTANCE_BOUND,
    CONTRACTION_BOUND,
    LARGEST_STABLE_RATE,
    THEOREM_RATE,
    THEOREM_WIDTH,
    INITIAL_LOSS_BOUND,
    ROW_MOVEMENT_BOUND,
    GENERALIZATION_BOUND,
    CLASSIFICATION_BOUND,
    LIMIT_TEST_ABSOLUTE_ERROR,
    LIMIT_TEST_ERROR,
    FUNCTION_BOUND,
    SCALARS
};

static const struct {
    const char *name, *source, *description;
} scalars[SCALARS] = {
    [DISTANCE_BOUND] = {"distance_bound", "AR lemma 5.3",
                        "sqrt(y' H^-1 y), the leading term of the bound on ||W(t) - W(0)||_F."},
    [CONTRACTION_BOUND] = {"contraction_bound", "AR theorem 3.1",
                           "1 - eta lambda_0 / 2, what the loss shrinks by in a step at least."},
    [LARGEST_STABLE_RATE] = {"largest_stable_rate", "AR section 4",
                             "training.rate above which descent on H grows: that at which eta = 2 "
                             "/ lambda_max."},
    [THEOREM_RATE] = {"theorem_rate", "AR theorem 3.1",
                      "lambda_0 / n^2, the step size of the theorem with constant 1."},
    [THEOREM_WIDTH] = {"theorem_width", "AR theorem 3.1",
                       "n^6 / (lambda_0^4 kappa^2 delta^3), its width with constant 1."},
    [INITIAL_LOSS_BOUND] = {"initial_loss_bound", "AR theorem 3.1",
                            "n / delta, its bound on the loss at the start with constant 1."},
    [ROW_MOVEMENT_BOUND] = {"row_movement_bound", "AR lemma 5.3",
                            "n / (sqrt(m) lambda_0 sqrt(delta)), the bound on the movement of a "
                            "row with constant 1."},
    [GENERALIZATION_BOUND] = {"generalization_bound", "AR equation (9)",
                              "sqrt(2 y' H^-1 y / n) + sqrt(log(n / (lambda_0 delta)) / n), its "
                              "bound on the expected loss with constant 1."},
    [CLASSIFICATION_BOUND] = {"classification_bound", "AR corollary 5.2",
                              "The same as a bound on the share of wrong classes; NaN where a "
                              "label is not +1 or -1."},
    [LIMIT_TEST_ABSOLUTE_ERROR] = {"limit_test_absolute_error", "AR section 5.1",
                                   "Mean |u - y| over the test set of the infinitely wide network "
                                   "at the last record."},
    [LIMIT_TEST_ERROR] = {"limit_test_error", "AR section 5.1",
                          "Share of test samples that it puts into a wrong class there."},
    [FUNCTION_BOUND] = {"function_bound", "AR theorem 6.1, corollary 6.2",
                        "3 sum_j p_j |alpha_j| ||beta_j||^p_j, the bound on sqrt(y' H^-1 y) for "
                        "the true labels of this function, whatever n; infinite where no theorem "
                        "covers it."},
};

// Predictions along the trajectory.
enum {
    RESIDUAL_LIMIT,
    DISTANCE_LIMIT,
    DEVIATION_LIMIT,
    RESIDUAL_INITIAL,
    DISTANCE_INITIAL,
    DEVIATION_INITIAL,
    RADEMACHER_BOUND,
    COURSES
};

static const struct {
    const char *name, *source, *description;
} courses[COURSES] = {
    [RESIDUAL_LIMIT] = {"residual_limit", "AR equation (8)",
                        "sqrt(sum_i (1 - eta lambda_i)^2t (v_i y)^2), what ||y - u(t)||_2 is for "
                        "an infinitely wide network that starts at 0; axis: record."},
    [DISTANCE_LIMIT] = {"distance_limit", "AR section 5.2",
                        "sqrt(sum_i (1 - (1 - eta lambda_i)^t)^2 (v_i y)^2 / lambda_i), what "
                        "||W(t) - W(0)||_F is for it; axis: record."},
    [DEVIATION_LIMIT] = {"deviation_limit", "AR equation (7)",
                         "||u(t) - u~(t)||_2 of the measured outputs on the train set from those "
                         "of the sequence (7); axis: record."},
    [RESIDUAL_INITIAL] = {"residual_initial", "AR section 5.2",
                          "||(I - eta H(0))^t (y - u(0))||_2, the residual of the network made "
                          "linear at its start; axis: record."},
    [DISTANCE_INITIAL] = {"distance_initial", "AR equation (11)",
                          "||W~(t)||_F of the sequence (11) from Z(0); axis: record."},
    [DEVIATION_INITIAL] = {"deviation_initial", "AR section 5.2",
                           "||u(t) - u_linear(t)||_2 of the measured outputs on the train set from "
                           "those of the network made linear at its start; axis: record."},
    [RADEMACHER_BOUND] = {"rademacher_bound", "AR lemma 5.4",
                          "Bound on the Rademacher complexity of networks that moved as far as "
                          "this one, rows and in all; axis: record."},
};

static bool has_scalar(const ww_theory_plan *plan, int which)
{
    const bool has_vectors = plan->gram->has_vectors;
    if (which == FUNCTION_BOUND)
        return plan->config->data.source == WW_SOURCE_FUNCTION;
    return has_vectors || (which != LIMIT_TEST_ABSOLUTE_ERROR && which != LIMIT_TEST_ERROR);
}

static bool has_course(const ww_theory_plan *plan, int which)
{
    const bool has_vectors = plan->gram->has_vectors;
    const bool has_initial = has_vectors && plan->gram->has_network;
    switch (which) {
    case RESIDUAL_LIMIT:
    case DISTANCE_LIMIT:
        return has_vectors;
    case DEVIATION_LIMIT:
        return has_vectors && plan->has_outputs;
    case RESIDUAL_INITIAL:
    case DISTANCE_INITIAL:
        return has_initial;
    case DEVIATION_INITIAL:
        return has_initial && plan->has_outputs;
    default:
        return plan->has_row_movement && plan->has_distance;
    }
}

static ww_field test_outputs_field(const ww_theory_plan *plan)
{
    return (ww_field){.name = "limit_test_outputs",
                      .description = "Outputs on the test set of the infinitely wide network at "
                                     "the last record; axes: test sample, output.",
                      .units = "1",
                      .source = "AR section 5.1",
                      .rank = 2,
                      .extent = {plan->test_samples, plan->outputs}};
}

static size_t fields_of(const ww_theory_plan *plan, ww_field *fields)
{
    size_t count = 0;
    if (!ww_theory_has_descent(plan))
        return 0;
    for (int i = 0; i < SCALARS; i++)
        if (has_scalar(plan, i))
            fields[count++] =
                WW_PREDICTION(scalars[i].name, scalars[i].source, scalars[i].description);
    for (int i = 0; i < COURSES; i++)
        if (has_course(plan, i))
            fields[count++] = WW_PREDICTION_ALONG(plan->records, courses[i].name, courses[i].source,
                                                  courses[i].description);
    if (plan->gram->has_vectors)
        fields[count++] = test_outputs_field(plan);
    return count;
}

static double gram_value(const ww_theory_plan *plan, const ww_theory_inputs *inputs, int field)
{
    return *ww_gram_values(plan->gram, inputs->gram, field); // which every plan has
}

// Whether all labels are +1 or -1.
static bool has_signs(const ww_theory_plan *plan, const ww_theory_inputs *inputs)
{
    const double *labels =
        ww_gram_values(plan->gram, inputs->gram, WW_GRAM_LABELS + WW_LABEL_SET_TRAIN);
    for (int64_t i = 0; i < plan->samples * plan->outputs; i++)
        if (fabs(labels[i]) != 1.0)
            return false;
    return plan->outputs == 1;
}

static double scalar(const ww_theory_plan *plan, const ww_theory_inputs *inputs, int which)
{
    const ww_config *config = plan->config;
    const int64_t n = plan->samples;
    const double delta = config->theory.failure_probability;
    const double least = gram_value(plan, inputs, WW_GRAM_LAMBDA_MIN);
    const double form = gram_value(plan, inputs, WW_GRAM_QUADRATIC_FORM + WW_LABEL_SET_TRAIN);
    const double rate = ww_theory_descent_rate(config, n);
    switch (which) {
    case DISTANCE_BOUND:
        return sqrt(form) / output_norm(config);
    case CONTRACTION_BOUND:
        return 1.0 - rate * least / 2.0;
    case LARGEST_STABLE_RATE:
        return 2.0 / gram_value(plan, inputs, WW_GRAM_LAMBDA_MAX) * config->training.rate / rate;
    case THEOREM_RATE:
        return least / ((double)n * (double)n);
    case THEOREM_WIDTH:
        return ww_arora_width(least, n, ww_config_hidden_std(config), delta);
    case INITIAL_LOSS_BOUND:
        return (double)n / delta;
    case ROW_MOVEMENT_BOUND:
        return ww_arora_row_movement_bound(least, n, config->network.width, delta);
    case GENERALIZATION_BOUND:
        return ww_arora_generalization_bound(form, least, n, delta);
    case CLASSIFICATION_BOUND:
        return has_signs(plan, inputs) ? ww_arora_generalization_bound(form, least, n, delta) : NAN;
    case FUNCTION_BOUND:
        return ww_function_bound(config);
    case LIMIT_TEST_ABSOLUTE_ERROR:
        return inputs->test_absolute_error;
    default:
        return inputs->test_error;
    }
}

// Spectrum and projections behind a prediction.
static ww_descent descent_of(const ww_theory_plan *plan, const ww_theory_inputs *inputs, int which)
{
    const bool is_initial = which == RESIDUAL_INITIAL || which == DISTANCE_INITIAL;
    const int projections = which == RESIDUAL_INITIAL ? WW_GRAM_INITIAL_RESIDUAL_PROJECTIONS
                            : is_initial              ? WW_GRAM_INITIAL_PROJECTIONS
                                         : WW_GRAM_PROJECTIONS + (int)WW_LABEL_SET_TRAIN;
    return (ww_descent){.count = plan->samples,
                        .eigenvalues = ww_gram_values(plan->gram, inputs->gram,
                                                      is_initial ? WW_GRAM_INITIAL_EIGENVALUES
                                                                 : WW_GRAM_EIGENVALUES),
                        .projections = ww_gram_values(plan->gram, inputs->gram, projections),
                        .rate = ww_theory_descent_rate(plan->config, plan->samples)};
}

static double at_record(const ww_theory_plan *plan, const ww_theory_inputs *inputs, int which,
                        const ww_descent *descent, int64_t row)
{
    const ww_config *config = plan->config;
    switch (which) {
    case RESIDUAL_LIMIT:
    case RESIDUAL_INITIAL:
        return ww_descent_residual(descent, inputs->steps[row]);
    case DISTANCE_LIMIT:
    case DISTANCE_INITIAL:
        return ww_descent_distance(descent, inputs->steps[row]) / output_norm(config);
    case DEVIATION_LIMIT:
        return inputs->deviation_limit[row];
    case DEVIATION_INITIAL:
        return inputs->deviation_initial[row];
    default:
        return ww_arora_rademacher_bound(
            inputs->distance[row], inputs->row_movement[row], plan->samples, config->network.width,
            ww_config_hidden_std(config), config->theory.failure_probability);
    }
}

static double *compute(const ww_theory_plan *plan, const ww_theory_inputs *inputs, double *values)
{
    if (!ww_theory_has_descent(plan))
        return values;
    for (int i = 0; i < SCALARS; i++)
        if (has_scalar(plan, i))
            *values++ = scalar(plan, inputs, i);
    for (int i = 0; i < COURSES; i++) {
        if (!has_course(plan, i))
            continue;
        const bool is_descent = i == RESIDUAL_LIMIT || i == RESIDUAL_INITIAL ||
                                i == DISTANCE_LIMIT || i == DISTANCE_INITIAL;
        const ww_descent descent =
            is_descent ? descent_of(plan, inputs, i) : (ww_descent){.count = 0};
        for (int64_t row = 0; row < plan->records; row++)
            *values++ = row < inputs->rows ? at_record(plan, inputs, i, &descent, row) : NAN;
    }
    if (plan->gram->has_vectors)
        for (int64_t i = 0; i < plan->test_samples * plan->outputs; i++)
            *values++ = inputs->test_outputs[i];
    return values;
}

const ww_theory_family ww_theory_arora = {fields_of, compute};
