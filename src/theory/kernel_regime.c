// Predictions of Arora et al. 2019: training as descent on a fixed kernel, and the bounds that
// follow from it. Constants that the theorems hide are 1, which makes the bounds large: what is to
// be compared is how they change.

#include "theory/families.h"

#include "widthwise/descent.h"
#include "widthwise/norm.h"

#include <stdlib.h>

double ww_arora_generalization_bound(const ww_arora_setting *setting, double quadratic_form,
                                     double lambda_min)
{
    const double n = (double)setting->samples;
    const double norm = setting->input_norm;
    if (lambda_min == 0.0 || isinf(quadratic_form))
        return (double)INFINITY;
    const double tail = log(n * norm * norm / (lambda_min * setting->failure_probability));
    return norm * sqrt(2.0 * (1.0 + setting->slope * setting->slope) * quadratic_form / n) +
           sqrt((tail < 0.0 ? 0.0 : tail) / n);
}

double ww_arora_rademacher_bound(const ww_arora_setting *setting, double distance,
                                 double row_movement)
{
    const double n = (double)setting->samples;
    const double m = (double)setting->width;
    const double square = setting->slope * setting->slope;
    const double tail =
        2.0 * log(2.0 / setting->failure_probability) / (double)setting->independent_units;
    const double linear =
        distance / sqrt(2.0 * n) * (sqrt(1.0 + square) + sqrt(1.0 - square) * pow(tail, 0.25));
    const double turned = 2.0 * row_movement * row_movement * sqrt(m) / setting->kappa +
                          row_movement * sqrt(m * tail);
    return sqrt(setting->output_square) * setting->input_norm *
           (linear + (1.0 - setting->slope) * turned);
}

double ww_arora_row_movement_bound(const ww_arora_setting *setting, double lambda_min)
{
    if (lambda_min == 0.0)
        return (double)INFINITY;
    return (double)setting->samples * setting->input_norm * sqrt(setting->start_square) /
           (sqrt((double)setting->width * setting->output_square) * lambda_min *
            sqrt(setting->failure_probability));
}

double ww_arora_width(const ww_arora_setting *setting, double lambda_min)
{
    if (lambda_min == 0.0)
        return (double)INFINITY;
    return pow((double)setting->samples * setting->input_norm, 6.0) * setting->start_square /
           (setting->output_square * pow(lambda_min, 4.0) * setting->kappa * setting->kappa *
            pow(setting->failure_probability, 3.0));
}

// Whether hidden weights are drawn with no direction preferred, as H has it: it is an expectation
// over patterns, which lengths do not change.
static bool is_isotropic(const ww_config *config)
{
    return config->network.start == WW_START_DRAWN &&
           (config->network.hidden.kind == WW_HIDDEN_GAUSSIAN ||
            config->network.hidden.kind == WW_HIDDEN_BALL);
}

bool ww_theory_has_kernel(const ww_theory_plan *plan)
{
    const ww_config *config = plan->config;
    return plan->gram != NULL && config->loss == WW_LOSS_SQUARED && config->network.depth == 1 &&
           plan->gram->kernel.depth == 1 && is_isotropic(config) && !config->network.train_output;
}

bool ww_theory_has_descent(const ww_theory_plan *plan)
{
    return ww_theory_has_kernel(plan) && plan->config->training.method == WW_METHOD_GD;
}

// S, the sum of the squared output weights, as expected.
static double output_square(const ww_config *config, int64_t outputs)
{
    const double weight = ww_config_output_std(config, outputs);
    return (double)config->network.width * weight * weight;
}

// What a step of training is as one of descent on H: training.rate times this.
static double rate_gain(const ww_config *config, int64_t samples, int64_t outputs)
{
    const double share = config->loss_reduction == WW_REDUCTION_MEAN ? 1.0 / (double)samples : 1.0;
    const ww_rate_scaling kind = config->training.rate_scaling;
    double scaling = kind == WW_RATE_NONE ? 1.0 : 1.0 / (double)config->network.width;
    if (kind == WW_RATE_INVERSE_CURVATURE) // of one layer
        scaling *= (double)outputs;
    return scaling * output_square(config, outputs) * share;
}

double ww_theory_descent_rate(const ww_config *config, int64_t samples, int64_t outputs)
{
    return config->training.rate * rate_gain(config, samples, outputs);
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

#define ONE_OUTPUT "NaN for several outputs."
#define OF_SIGNS                                                                                   \
    "NaN for several outputs, output weights of several magnitudes, or hidden weights that are "   \
    "not "                                                                                         \
    "normal."

// With S = sum_r a_r^2, X the largest norm of an input and B = max(y^2, k S kappa^2 X^2), all of
// which are 1 in the paper. What needs descent speaks of its steps.
static const struct {
    const char *name, *source;
    bool needs_descent;
    const char *description;
} scalars[SCALARS] = {
    [DISTANCE_BOUND] =
        {"distance_bound", "AR lemma 5.3", false,
         "sqrt(y' H^-1 y / S), the leading term of the bound on ||W(t) - W(0)||_F; S "
         "is the sum of the squared output weights, 1 in the paper."},
    [CONTRACTION_BOUND] =
        {"contraction_bound", "AR theorem 3.1", true,
         "1 - eta S lambda_0 / 2 for steps of eta (of eta / n where the loss is a "
         "mean), what the loss shrinks by in a step at least; S is the sum of the "
         "squared output weights, 1 in the paper."},
    [LARGEST_STABLE_RATE] =
        {"largest_stable_rate", "AR section 4", true,
         "training.rate above which descent on H grows: that at which eta S (eta "
         "S / n where the loss is a mean) is 2 / lambda_max."},
    [THEOREM_RATE] =
        {"theorem_rate", "AR theorem 3.1", true,
         "training.rate at which eta S (eta S / n where the loss is a mean) is lambda_0 "
         "/ (n X^2)^2, the step size of the theorem with constant 1; X, the largest "
         "norm of an input, is 1 in the paper."},
    [THEOREM_WIDTH] =
        {"theorem_width", "AR theorem 3.1", true,
         "n^6 X^6 B / (S lambda_0^4 kappa^2 delta^3), its width with constant 1; X is "
         "the largest norm of an input, S the sum of the squared output weights, and B "
         "the larger one of max y^2 and S kappa^2 X^2 (max y^2 where units cancel at "
         "the start): all 1 in the paper. " OF_SIGNS},
    [INITIAL_LOSS_BOUND] =
        {"initial_loss_bound", "AR theorem 3.1", false,
         "n B / delta, or B / delta where the loss is a mean, its bound on the "
         "loss at the start with constant 1; B is the larger one of max ||y||^2 "
         "and k S kappa^2 X^2 (max ||y||^2 where units cancel at the start), 1 in "
         "the paper. NaN for hidden weights that are not normal."},
    [ROW_MOVEMENT_BOUND] =
        {"row_movement_bound", "AR lemma 5.3", true,
         "n X sqrt(B) / (sqrt(m S) lambda_0 sqrt(delta)), the bound on the "
         "movement of a row with constant 1; X, S and B as in theorem_width, 1 in "
         "the paper. " OF_SIGNS},
    [GENERALIZATION_BOUND] = {"generalization_bound", "AR equation (9)", false,
                              "X sqrt(2 (1 + slope^2) y' H^-1 y / n) + sqrt(log(n X^2 / (lambda_0 "
                              "delta)) / n), its bound on the expected loss with constant 1; X is "
                              "the largest norm of an input, 1 in the paper, and slope that of the "
                              "activation left of 0. " ONE_OUTPUT},
    [CLASSIFICATION_BOUND] = {"classification_bound", "AR corollary 5.2", false,
                              "The same as a bound on the share of wrong classes; NaN where a "
                              "label is not +1 or -1."},
    [LIMIT_TEST_ABSOLUTE_ERROR] = {"limit_test_absolute_error", "AR section 5.1", true,
                                   "Mean over test samples of the l1 distance of outputs and "
                                   "targets, of the infinitely wide network at the last record."},
    [LIMIT_TEST_ERROR] = {"limit_test_error", "AR section 5.1", true,
                          "Share of test samples that it puts into a wrong class there."},
    [FUNCTION_BOUND] = {"function_bound", "AR theorem 6.1, corollary 6.2", false,
                        "3 sum_j p_j |alpha_j| ||beta_j||^p_j, the bound on sqrt(y' H^-1 y) for "
                        "the true labels of this function, whatever n; infinite where no theorem "
                        "covers it, as for activations other than ReLU."},
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
    [RADEMACHER_BOUND] =
        {"rademacher_bound", "AR lemma 5.4",
         "Bound on the Rademacher complexity of networks that moved as far as "
         "this one, rows and in all: the paper's times sqrt(S) X, with S the sum of "
         "the squared output weights and X the largest norm of an input. "
         "" OF_SIGNS " Axis: record."},
};

static bool has_scalar(const ww_theory_plan *plan, int which)
{
    const bool has_vectors = plan->gram->has_vectors;
    if (scalars[which].needs_descent && !ww_theory_has_descent(plan))
        return false;
    if (which == FUNCTION_BOUND)
        return plan->config->data.source == WW_SOURCE_FUNCTION;
    if ((which == LIMIT_TEST_ERROR || which == CLASSIFICATION_BOUND) &&
        !ww_config_has_classes(plan->config))
        return false;
    return has_vectors || (which != LIMIT_TEST_ABSOLUTE_ERROR && which != LIMIT_TEST_ERROR);
}

static bool has_course(const ww_theory_plan *plan, int which)
{
    const bool has_vectors = plan->gram->has_vectors && ww_theory_has_descent(plan);
    const bool has_initial = has_vectors && plan->gram->has_network;
    switch (which) {
    case RESIDUAL_LIMIT:
    case DISTANCE_LIMIT:
        return has_vectors;
    case DEVIATION_LIMIT:
        return has_vectors && ww_theory_measures(plan, "train_outputs");
    case RESIDUAL_INITIAL:
    case DISTANCE_INITIAL:
        return has_initial;
    case DEVIATION_INITIAL:
        return has_initial && ww_theory_measures(plan, "train_outputs");
    default:
        return ww_theory_measures(plan, "row_movement") &&
               ww_theory_measures(plan, "distance_absolute");
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
    if (!ww_theory_has_kernel(plan))
        return 0;
    for (int i = 0; i < SCALARS; i++)
        if (has_scalar(plan, i))
            fields[count++] =
                WW_PREDICTION(scalars[i].name, scalars[i].source, scalars[i].description);
    for (int i = 0; i < COURSES; i++)
        if (has_course(plan, i))
            fields[count++] = WW_PREDICTION_ALONG(plan->records, courses[i].name, courses[i].source,
                                                  courses[i].description);
    if (plan->gram->has_vectors && ww_theory_has_descent(plan))
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

static bool is_normal(const ww_config *config)
{
    return config->network.hidden.kind == WW_HIDDEN_GAUSSIAN;
}

// One output, output weights of one magnitude, and normal hidden ones.
static bool is_of_signs(const ww_theory_plan *plan)
{
    return plan->outputs == 1 && ww_config_has_one_magnitude(plan->config) &&
           is_normal(plan->config);
}

static ww_arora_setting setting_of(const ww_theory_plan *plan, const ww_theory_inputs *inputs)
{
    const ww_config *config = plan->config;
    const bool has_pairs = config->network.hidden.pairs != WW_PAIRS_NONE;
    const double *labels =
        ww_gram_values(plan->gram, inputs->gram, WW_GRAM_LABELS + WW_LABEL_SET_TRAIN);
    ww_arora_setting setting = {.samples = plan->samples,
                                .width = config->network.width,
                                .independent_units =
                                    has_pairs ? config->network.width / 2 : config->network.width,
                                .kappa = ww_config_hidden_std(config),
                                .slope = ww_negative_slope(config),
                                .input_norm = ww_dataset_largest_norm(inputs->data),
                                .output_square = output_square(config, plan->outputs),
                                .failure_probability = config->theory.failure_probability};
    // An output at the start has variance S kappa^2 ||x||^2 (1 + slope^2) / 2.
    const double label = ww_largest_norm(labels, plan->samples, plan->outputs);
    const double start = has_pairs ? 0.0 : setting.kappa * setting.input_norm;
    setting.start_square =
        fmax(label * label, (double)plan->outputs * setting.output_square * start * start);
    return setting;
}

static double scalar(const ww_theory_plan *plan, const ww_theory_inputs *inputs,
                     const ww_arora_setting *setting, int which)
{
    const ww_config *config = plan->config;
    const double n = (double)plan->samples;
    const double greatest = gram_value(plan, inputs, WW_GRAM_LAMBDA_MAX);
    const double found = gram_value(plan, inputs, WW_GRAM_LAMBDA_MIN);
    // What is rounding is 0, so that bounds are what they are for a singular H.
    const double least = found <= ww_spectrum_rounding(plan->samples, greatest) ? 0.0 : found;
    const double form = gram_value(plan, inputs, WW_GRAM_QUADRATIC_FORM + WW_LABEL_SET_TRAIN);
    const double gain = rate_gain(config, plan->samples, plan->outputs);
    const double square = setting->input_norm * setting->input_norm;
    switch (which) {
    case DISTANCE_BOUND:
        return sqrt(form / setting->output_square);
    case CONTRACTION_BOUND:
        return 1.0 - config->training.rate * gain * least / 2.0;
    case LARGEST_STABLE_RATE:
        return 2.0 / (greatest * gain);
    case THEOREM_RATE:
        return least == 0.0 ? 0.0 : least / (n * square * n * square) / gain;
    case THEOREM_WIDTH:
        return is_of_signs(plan) ? ww_arora_width(setting, least) : (double)NAN;
    case INITIAL_LOSS_BOUND:
        return !is_normal(config) ? (double)NAN
                                  : (config->loss_reduction == WW_REDUCTION_MEAN ? 1.0 : n) *
                                        setting->start_square / setting->failure_probability;
    case ROW_MOVEMENT_BOUND:
        return is_of_signs(plan) ? ww_arora_row_movement_bound(setting, least) : (double)NAN;
    case GENERALIZATION_BOUND:
        return plan->outputs == 1 ? ww_arora_generalization_bound(setting, form, least)
                                  : (double)NAN;
    case CLASSIFICATION_BOUND:
        return has_signs(plan, inputs) ? ww_arora_generalization_bound(setting, form, least) : NAN;
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
                        .rate = ww_theory_descent_rate(plan->config, plan->samples, plan->outputs)};
}

static double at_record(const ww_theory_plan *plan, const ww_theory_inputs *inputs,
                        const ww_arora_setting *setting, int which, const ww_descent *descent,
                        int64_t row)
{
    switch (which) {
    case RESIDUAL_LIMIT:
    case RESIDUAL_INITIAL:
        return ww_descent_residual(descent, inputs->steps[row]);
    case DISTANCE_LIMIT:
    case DISTANCE_INITIAL:
        return ww_descent_distance(descent, inputs->steps[row]) / sqrt(setting->output_square);
    case DEVIATION_LIMIT:
        return inputs->deviation_limit[row];
    case DEVIATION_INITIAL:
        return inputs->deviation_initial[row];
    default:
        return !is_of_signs(plan)
                   ? (double)NAN
                   : ww_arora_rademacher_bound(
                         setting, ww_theory_column(plan, inputs, "distance_absolute")[row],
                         ww_theory_column(plan, inputs, "row_movement")[row]);
    }
}

static double *compute(const ww_theory_plan *plan, const ww_theory_inputs *inputs, double *values)
{
    if (!ww_theory_has_kernel(plan))
        return values;
    const ww_arora_setting setting = setting_of(plan, inputs);
    for (int i = 0; i < SCALARS; i++)
        if (has_scalar(plan, i))
            *values++ = scalar(plan, inputs, &setting, i);
    for (int i = 0; i < COURSES; i++) {
        if (!has_course(plan, i))
            continue;
        const bool is_descent = i == RESIDUAL_LIMIT || i == RESIDUAL_INITIAL ||
                                i == DISTANCE_LIMIT || i == DISTANCE_INITIAL;
        const ww_descent descent =
            is_descent ? descent_of(plan, inputs, i) : (ww_descent){.count = 0};
        for (int64_t row = 0; row < plan->records; row++)
            *values++ =
                row < inputs->rows ? at_record(plan, inputs, &setting, i, &descent, row) : NAN;
    }
    if (plan->gram->has_vectors && ww_theory_has_descent(plan))
        for (int64_t i = 0; i < plan->test_samples * plan->outputs; i++)
            *values++ = inputs->test_outputs[i];
    return values;
}

static const char *const columns[] = {"row_movement", "distance_absolute", NULL};
const ww_theory_family ww_theory_arora = {fields_of, compute, columns};
