// What Brutzkus et al. 2018 predict for a run on a linearly separable set with the hinge loss.

#include "theory/families.h"

// What is predicted, in the order of the file.
enum {
    SEPARATOR_LOWER,
    SEPARATOR_UPPER,
    UPDATE_BOUND,
    UPDATE_BOUND_COROLLARY,
    UPDATE_LOWER_BOUND,
    COMPRESSION_BOUND,
    COMPRESSION_APPLIES,
    COMPRESSION_BOUND_COROLLARY,
    SUCCESS_PROBABILITY,
    UNITS_FAILURE,
    UNITS_SUCCESS,
    UNITS_SUCCESS_PROOF,
    ITERATION_CAP,
    ITERATION_CAP_WHOLE,
    SCALARS,
    NORM_BOUND = SCALARS, // along the trajectory
    ALIGNMENT_BOUND,
    SEPARATOR, // [d]
    PREDICTIONS
};

#define OF_NORM                                                                                    \
    "with ||w*|| by separator_upper, h half the width, and X the largest norm of a train input "   \
    "or "                                                                                          \
    "1, which it is at most in the paper"

static const struct {
    const char *name, *source, *units, *description;
} predictions[PREDICTIONS] = {
    [SEPARATOR_LOWER] = {"separator_lower", "BR section 2", "1",
                         "Proven lower bound of ||w*||, w* the shortest w with y <w, x> >= 1 on "
                         "all train samples; 1 over it bounds the margin."},
    [SEPARATOR_UPPER] = {"separator_upper", "BR section 2", "1",
                         "Proven upper bound of ||w*||, the norm of a w that was found; infinite "
                         "where none was, and then nothing below that rests on it applies."},
    [UPDATE_BOUND] =
        {"update_bound", "BR theorem 2, equation (13)", "updates",
         "M_k = (C X)^2 ||w*||^2 / (c alpha)^2 + ||w*||^2 / (h eta (c v alpha)^2) + sqrt(R (8 h^2 "
         "eta^2 (C v X)^2 + 8 eta h)) ||w*||^1.5 / (2 h (eta c v alpha)^1.5) + 2 R ||w*|| / (eta c "
         "v alpha), no fewer than the updates that are made, " OF_NORM
         "; R bounds the norms of rows at the start: the radius of ball and opposed, sqrt(d) times "
         "that of cube, else ||W(0)||_F / sqrt(m), which is all that the proof needs of it; c and "
         "C "
         "are the extremes of the output ratios over the records, 1 where output weights are not "
         "trained."},
    [UPDATE_BOUND_COROLLARY] = {"update_bound_corollary", "BR corollary 3", "updates",
                                "||w*||^2 / alpha^2 + ||w*||^2 / min(eta, sqrt(eta)), the bound "
                                "for R = v = 1 / sqrt(m) with constant 1, with ||w*|| by "
                                "separator_upper."},
    [UPDATE_LOWER_BOUND] =
        {"update_lower_bound", "BR theorem 10", "updates",
         "max(min(B1, B2), d), no more than the updates that are made until the loss is 0, with B1 "
         "= R sqrt(d) / (eta v alpha) + max(d / (2 eta h v^2) - alpha d, 0) and B2 = R sqrt(d) / "
         "(eta v) + max(d / (2 alpha^2 eta h v^2) - d / alpha, 0) as the proof has them, where the "
         "theorem prints min for these two max."},
    [COMPRESSION_BOUND] =
        {"compression_bound", "BR theorem 5", "1",
         "L + sqrt(4 L c log(n / delta) / n) + 8 c log(n / delta) / n, a bound on the share of "
         "errors on new samples, with c the updates at the last record and L the share of errors "
         "among train samples without a part in one: 0 where the train loss is 0, else the "
         "measured unused_error. NaN where the theorem does not apply (compression_applies), or L "
         "is not known."},
    [COMPRESSION_APPLIES] = {"compression_applies", "BR theorem 5", "1",
                             "1 where n >= 2 c with c the updates at the last record, as the "
                             "theorem asks; 0 where not."},
    [COMPRESSION_BOUND_COROLLARY] =
        {"compression_bound_corollary", "BR theorem 6, equation (7)", "1",
         "8 M log(n / delta) / n with M the update_bound_corollary, a bound on the share of errors "
         "on new samples with constant 1; NaN where n < 2 M."},
    [SUCCESS_PROBABILITY] =
        {"success_probability", "BR theorem 9, its proof", "1",
         "(1 - 2^-h)^d, the probability over starts that training ends at loss 0: that on each e_j "
         "one of the h units of the half with the sign of its label is active at t = 0."},
    [UNITS_FAILURE] = {"units_failure", "BR theorem 9", "units",
                       "log2(d / -ln delta): up to so many units a half training ends above loss 0 "
                       "with a probability of 1 - delta at least."},
    [UNITS_SUCCESS] = {"units_success", "BR theorem 9", "units",
                       "log2(2 d / delta): from so many units a half on training ends at loss 0 "
                       "with a probability of 1 - delta at least."},
    [UNITS_SUCCESS_PROOF] = {"units_success_proof", "BR theorem 9, its proof", "units",
                             "log2(d / delta): what the proof needs for the same."},
    [ITERATION_CAP] = {"iteration_cap", "BR theorem 9", "updates",
                       "ceil(d max(C, 1 / v) / (eta v)), the theorem's bound on updates, with C "
                       "the largest size of a hidden weight at t = 0; ceil(max(d C, d) / eta) for "
                       "v = 1 as in the paper. It forgets that each e_j has a whole number."},
    [ITERATION_CAP_WHOLE] = {"iteration_cap_whole", "BR theorem 9, its proof", "updates",
                             "d ceil(max(C, 1 / v) / (eta v)), the bound with a whole number for "
                             "each e_j: no more updates are made."},
    [NORM_BOUND] = {"norm_bound", "BR equation (11)", "1",
                    "sqrt(G(0)^2 + t (2 h eta^2 (C v X)^2 + 2 eta)), above the weight_norm G after "
                    "t updates, with h half the width, X the largest norm of a train input or 1, "
                    "and C the largest output ratio up to there; axis: record."},
    [ALIGNMENT_BOUND] = {"alignment_bound", "BR equation (12)", "1",
                         "F(0) + 2 h eta c v alpha t, below the alignment F after t updates, with "
                         "h half the width and c the smallest output ratio up to there (-infinity "
                         "where it is below 0); axis: record."},
    [SEPARATOR] =
        {"separator", "BR section 2", "1",
         "w with y <w, x> >= 1 on all train samples and norm separator_upper, whose copies "
         "with the signs of v are W* in alignment, cosine and descent; NaN where none was "
         "found; axis: coordinate."},
};

// ---- which of them a run has --------------------------------------------------------------------

// The paper's method on its model: hinge loss, one sample a step, output weights that begin with
// one size.
static bool is_of_paper(const ww_config *config)
{
    return config->loss == WW_LOSS_HINGE && config->training.method == WW_METHOD_SGD &&
           config->training.batch == 1 && config->network.start != WW_START_FILE &&
           config->network.output.kind != WW_OUTPUT_GAUSSIAN;
}

static bool is_leaky(const ww_config *config)
{
    return ww_negative_slope(config) > 0.0;
}

// Drawn from that distribution, with output weights of the paper that stay as they are.
static bool starts_as(const ww_config *config, ww_hidden kind)
{
    return config->network.start == WW_START_DRAWN && config->network.hidden.kind == kind &&
           config->network.output.kind == WW_OUTPUT_HALVES && !config->network.train_output;
}

static bool has_radius(const ww_config *config)
{
    return config->network.start == WW_START_DRAWN &&
           config->network.hidden.kind != WW_HIDDEN_GAUSSIAN;
}

// Whether R = v = 1 / sqrt(m) (BR equation 6), up to rounding.
static bool is_of_equation_6(const ww_config *config)
{
    static const double ROUNDING = 1e-12;
    const double size = 1.0 / sqrt((double)config->network.width);
    return (starts_as(config, WW_HIDDEN_BALL) || starts_as(config, WW_HIDDEN_OPPOSED)) &&
           fabs(ww_config_hidden_radius(config) - size) <= ROUNDING * size &&
           fabs(ww_config_output_std(config, 1) - size) <= ROUNDING * size;
}

static bool is_of_theorem_10(const ww_config *config)
{
    return config->data.source == WW_SOURCE_ORTHONORMAL &&
           config->data.labels.kind == WW_LABELS_TRUE &&
           config->data.labels.random_fraction == 0.0 && starts_as(config, WW_HIDDEN_OPPOSED) &&
           config->training.sampling == WW_SAMPLING_SEQUENTIAL && is_leaky(config);
}

static bool is_of_theorem_9(const ww_config *config)
{
    return config->data.source == WW_SOURCE_ORTHONORMAL && starts_as(config, WW_HIDDEN_CUBE) &&
           !is_leaky(config);
}

static bool has_ratios(const ww_theory_plan *plan, bool both)
{
    return !plan->config->network.train_output ||
           (ww_theory_measures(plan, "output_ratio_max") &&
            (!both || ww_theory_measures(plan, "output_ratio_min")));
}

// Theorem 5 is about any network that depends on the start and the samples of its updates alone,
// and a start that does not depend on the samples.
static bool has_compression(const ww_theory_plan *plan)
{
    const ww_config *config = plan->config;
    return config->loss == WW_LOSS_HINGE && config->training.method == WW_METHOD_SGD &&
           config->training.batch == 1 && config->network.start == WW_START_DRAWN &&
           ww_theory_measures(plan, "updates") &&
           (ww_theory_measures(plan, "loss") || ww_theory_measures(plan, "unused_error"));
}

static bool has(const ww_theory_plan *plan, int which)
{
    const ww_config *config = plan->config;
    if (which == SEPARATOR_LOWER || which == SEPARATOR_UPPER)
        return config->loss == WW_LOSS_HINGE;
    if (which == SEPARATOR) // of replicas it would be most of the file
        return config->loss == WW_LOSS_HINGE && config->replicas == 1;
    if (which == COMPRESSION_BOUND || which == COMPRESSION_APPLIES)
        return has_compression(plan);
    if (!is_of_paper(config))
        return false;
    const bool has_course =
        ww_theory_measures(plan, "updates") && ww_theory_measures(plan, "weight_norm");
    switch (which) {
    case UPDATE_BOUND:
        return is_leaky(config) && has_ratios(plan, true) &&
               (has_radius(config) || ww_theory_measures(plan, "weight_norm"));
    case UPDATE_BOUND_COROLLARY:
    case COMPRESSION_BOUND_COROLLARY:
        return is_leaky(config) && is_of_equation_6(config);
    case UPDATE_LOWER_BOUND:
        return is_of_theorem_10(config);
    case NORM_BOUND:
        return has_course && has_ratios(plan, false);
    case ALIGNMENT_BOUND:
        return ww_theory_measures(plan, "updates") && ww_theory_measures(plan, "alignment") &&
               has_ratios(plan, true) && is_leaky(config);
    default:
        return is_of_theorem_9(config);
    }
}

static size_t fields_of(const ww_theory_plan *plan, ww_field *fields)
{
    size_t count = 0;
    for (int i = 0; i < PREDICTIONS; i++) {
        if (!has(plan, i))
            continue;
        fields[count] = (ww_field){.name = predictions[i].name,
                                   .description = predictions[i].description,
                                   .units = predictions[i].units,
                                   .source = predictions[i].source};
        if (i >= SCALARS) {
            fields[count].rank = 1;
            fields[count].extent[0] = i == SEPARATOR ? plan->dimension : plan->records;
        }
        count++;
    }
    return count;
}

// ---- their values -------------------------------------------------------------------------------

static double radius_of(const ww_theory_plan *plan, const ww_theory_inputs *inputs)
{
    const ww_config *config = plan->config;
    if (has_radius(config)) {
        const double radius = ww_config_hidden_radius(config);
        return config->network.hidden.kind == WW_HIDDEN_CUBE
                   ? radius * sqrt((double)inputs->data->dimension)
                   : radius;
    }
    const double *norm = ww_theory_column(plan, inputs, "weight_norm");
    return norm != NULL ? norm[0] / sqrt((double)config->network.width) : (double)NAN;
}

static ww_brutzkus_setting setting_of(const ww_theory_plan *plan, const ww_theory_inputs *inputs)
{
    const ww_config *config = plan->config;
    const double norm = ww_dataset_largest_norm(inputs->data);
    return (ww_brutzkus_setting){.half_width = 0.5 * (double)config->network.width,
                                 .output_size = ww_config_output_std(config, 1),
                                 .slope = ww_negative_slope(config),
                                 .rate = ww_config_learning_rate(config, 1),
                                 .radius = radius_of(plan, inputs),
                                 .input_norm = norm > 1.0 ? norm : 1.0,
                                 .least_ratio = 1.0,
                                 .largest_ratio = 1.0};
}

// Brings c and C of `setting` forward to what they were up to record `row`.
static void see_ratios(const ww_theory_plan *plan, const ww_theory_inputs *inputs, int64_t row,
                       ww_brutzkus_setting *setting)
{
    const double *least = ww_theory_column(plan, inputs, "output_ratio_min");
    const double *largest = ww_theory_column(plan, inputs, "output_ratio_max");
    if (!plan->config->network.train_output)
        return;
    if (least != NULL)
        setting->least_ratio = fmin(setting->least_ratio, least[row]);
    if (largest != NULL)
        setting->largest_ratio = fmax(setting->largest_ratio, largest[row]);
}

// Value at the last record of a column that there may not be.
static double last_of(const ww_theory_plan *plan, const ww_theory_inputs *inputs, const char *name)
{
    const double *column = ww_theory_column(plan, inputs, name);
    return column != NULL && inputs->rows > 0 ? column[inputs->rows - 1] : (double)NAN;
}

static double compression_bound(const ww_theory_plan *plan, const ww_theory_inputs *inputs)
{
    const double unused_error =
        last_of(plan, inputs, "loss") == 0.0 ? 0.0 : last_of(plan, inputs, "unused_error");
    return ww_brutzkus_compression_bound(plan->samples, last_of(plan, inputs, "updates"),
                                         unused_error, plan->config->theory.failure_probability);
}

static double scalar(const ww_theory_plan *plan, const ww_theory_inputs *inputs,
                     const ww_brutzkus_setting *setting, int which)
{
    const ww_separator *separator = &inputs->data->separator;
    const double norm = separator->sought ? separator->upper : (double)INFINITY;
    const double delta = plan->config->theory.failure_probability;
    const double largest_weight = ww_config_hidden_radius(plan->config);
    const int64_t d = inputs->data->dimension;
    switch (which) {
    case SEPARATOR_LOWER:
        return separator->sought ? separator->lower : 0.0;
    case SEPARATOR_UPPER:
        return norm;
    case UPDATE_BOUND:
        return ww_brutzkus_update_bound(setting, norm);
    case UPDATE_BOUND_COROLLARY:
        return ww_brutzkus_update_bound_corollary(setting, norm);
    case UPDATE_LOWER_BOUND:
        return ww_brutzkus_update_lower_bound(setting, d);
    case COMPRESSION_BOUND:
        return compression_bound(plan, inputs);
    case COMPRESSION_APPLIES:
        return (double)plan->samples >= 2.0 * last_of(plan, inputs, "updates") ? 1.0 : 0.0;
    case COMPRESSION_BOUND_COROLLARY:
        return ww_brutzkus_compression_bound_at_rest(
            plan->samples, ww_brutzkus_update_bound_corollary(setting, norm), delta);
    case SUCCESS_PROBABILITY:
        return ww_brutzkus_success_probability(setting->half_width, d);
    case UNITS_FAILURE:
        return ww_brutzkus_units_failure(d, delta);
    case UNITS_SUCCESS:
        return ww_brutzkus_units_success(d, delta);
    case UNITS_SUCCESS_PROOF:
        return ww_brutzkus_units_success_proof(d, delta);
    case ITERATION_CAP:
        return ww_brutzkus_iteration_cap(setting, d, largest_weight);
    default:
        return ww_brutzkus_iteration_cap_whole(setting, d, largest_weight);
    }
}

static double at_record(const ww_theory_plan *plan, const ww_theory_inputs *inputs,
                        const ww_brutzkus_setting *setting, int which, int64_t row)
{
    const double updates = ww_theory_column(plan, inputs, "updates")[row];
    return which == NORM_BOUND
               ? ww_brutzkus_norm_bound(setting, ww_theory_column(plan, inputs, "weight_norm")[0],
                                        updates)
               : ww_brutzkus_alignment_bound(
                     setting, ww_theory_column(plan, inputs, "alignment")[0], updates);
}

static double *compute(const ww_theory_plan *plan, const ww_theory_inputs *inputs, double *values)
{
    if (plan->config->loss != WW_LOSS_HINGE)
        return values;
    const ww_brutzkus_setting start = setting_of(plan, inputs);
    ww_brutzkus_setting whole = start;
    for (int64_t row = 0; row < inputs->rows; row++)
        see_ratios(plan, inputs, row, &whole);
    for (int i = 0; i < SCALARS; i++)
        if (has(plan, i))
            *values++ = scalar(plan, inputs, &whole, i);
    for (int i = SCALARS; i < SEPARATOR; i++) {
        if (!has(plan, i))
            continue;
        ww_brutzkus_setting so_far = start;
        for (int64_t row = 0; row < plan->records; row++) {
            if (row < inputs->rows)
                see_ratios(plan, inputs, row, &so_far);
            *values++ = row < inputs->rows ? at_record(plan, inputs, &so_far, i, row) : (double)NAN;
        }
    }
    const double *weights = inputs->data->separator.weights;
    for (int64_t j = 0; has(plan, SEPARATOR) && j < plan->dimension; j++)
        *values++ = weights != NULL ? weights[j] : (double)NAN;
    return values;
}

static const char *const columns[] = {"updates",          "loss",      "unused_error",
                                      "weight_norm",      "alignment", "output_ratio_min",
                                      "output_ratio_max", NULL};
const ww_theory_family ww_theory_brutzkus = {fields_of, compute, columns};
