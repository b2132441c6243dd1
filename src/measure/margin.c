// Quantities of learning a linearly separable set with the hinge loss (BR): margins, what updates
// there were, and how the weights lie to the separator.

#include "measure/quantities.h"

#include <math.h>

// y N(x) of a train sample. The hinge loss has one output and targets y of +1 and -1.
static double margin(const ww_survey *survey, int64_t sample)
{
    return survey->train.samples->targets[sample] * survey->train.outputs[sample];
}

static double updates(const ww_survey *survey, double *carry)
{
    (void)carry;
    return (double)survey->tally->updates;
}

static double support(const ww_survey *survey, double *carry)
{
    (void)carry;
    return (double)survey->tally->support;
}

static double descent(const ww_survey *survey, double *carry)
{
    (void)carry;
    return survey->tally->descent;
}

static double smallest_margin(const ww_survey *survey, double *carry)
{
    (void)carry;
    double smallest = INFINITY;
    for (int64_t s = 0; s < survey->train.samples->count; s++)
        smallest = fmin(smallest, margin(survey, s));
    return smallest;
}

static double violations(const ww_survey *survey, double *carry)
{
    (void)carry;
    int64_t count = 0;
    for (int64_t s = 0; s < survey->train.samples->count; s++)
        count += margin(survey, s) < 1.0;
    return (double)count;
}

static bool is_zero_vector(const ww_survey *survey, int64_t sample)
{
    const int64_t d = survey->problem->dimension;
    const double *input = survey->train.samples->inputs + sample * d;
    for (int64_t j = 0; j < d; j++)
        if (input[j] != 0.0)
            return false;
    return true;
}

static double dead_samples(const ww_survey *survey, double *carry)
{
    (void)carry;
    const int64_t *movers = survey->train.movers;
    int64_t count = 0;
    for (int64_t s = 0; s < survey->train.samples->count; s++)
        count += margin(survey, s) < 1.0 &&
                 ((movers != NULL && movers[s] == 0) || is_zero_vector(survey, s));
    return (double)count;
}

static bool is_wrong(const ww_survey *survey, const ww_surveyed_samples *set, int64_t sample)
{
    const int64_t k = survey->problem->outputs;
    return !survey->problem->loss->correct(set->outputs + sample * k, k,
                                           ww_target_of(survey->problem, set->samples, sample));
}

static double error_of(const ww_survey *survey, const ww_surveyed_samples *set)
{
    int64_t wrong = 0;
    for (int64_t s = 0; s < set->samples->count; s++)
        wrong += is_wrong(survey, set, s);
    return (double)wrong / (double)set->samples->count;
}

static double train_error(const ww_survey *survey, double *carry)
{
    (void)carry;
    return error_of(survey, &survey->train);
}

static double test_error(const ww_survey *survey, double *carry)
{
    (void)carry;
    return error_of(survey, &survey->test);
}

static double unused_error(const ww_survey *survey, double *carry)
{
    (void)carry;
    int64_t unused = 0;
    int64_t wrong = 0;
    for (int64_t s = 0; s < survey->train.samples->count; s++) {
        if (survey->tally->used[s])
            continue;
        unused++;
        wrong += is_wrong(survey, &survey->train, s);
    }
    return unused > 0 ? (double)wrong / (double)unused : (double)NAN;
}

static double weight_norm(const ww_survey *survey, double *carry)
{
    (void)carry;
    return sqrt(survey->weight_squared);
}

static double alignment(const ww_survey *survey, double *carry)
{
    (void)carry;
    return survey->alignment;
}

static double cosine(const ww_survey *survey, double *carry)
{
    (void)carry;
    const double star =
        sqrt((double)survey->problem->tiling.width) * survey->problem->data->separator.upper;
    return survey->alignment / (sqrt(survey->weight_squared) * star);
}

static double output_ratio_min(const ww_survey *survey, double *carry)
{
    (void)carry;
    return survey->least_ratio;
}

static double output_ratio_max(const ww_survey *survey, double *carry)
{
    (void)carry;
    return survey->largest_ratio;
}

const ww_quantity ww_quantities_margin[] = {
    {WW_SCALAR_FIELD("updates", "updates", "BR section 2, theorem 2",
                     "Steps so far that changed a weight, the non-zero updates."),
     "#{t: dL_batch/dW(t) != 0}", 0, WW_RISES, .value = updates, .needs_hinge = true,
     .of_one_layer = true},
    {WW_SCALAR_FIELD("support", "samples", "BR section 6.1",
                     "Train samples that had a part in some update so far: the network depends on "
                     "no other."),
     "#{s: s in some batch with y_s N(x_s) < 1 and a gradient other than 0}", 0, WW_RISES,
     .value = support, .needs_hinge = true, .of_one_layer = true},
    {WW_SCALAR_FIELD("violations", "samples", "BR section 2",
                     "Train samples with a margin below 1, on which the loss is above 0."),
     "#{s: y_s N(x_s) < 1}", WW_NEED_TRAIN_OUTPUTS, WW_FALLS, .value = violations,
     .needs_hinge = true},
    {WW_SCALAR_FIELD("dead_samples", "samples", "BR section 7, theorem 8",
                     "Train samples with a margin below 1 on which no unit is active, or which are "
                     "0: their loss is above 0 and their gradient is 0."),
     "#{s: y_s N(x_s) < 1, and dL_s/dW = 0 (and dL_s/dv = 0 where v is trained)}",
     WW_NEED_TRAIN_OUTPUTS | WW_NEED_TRAIN_MOVERS, WW_RISES, .value = dead_samples,
     .needs_hinge = true, .of_one_layer = true},
    {WW_SCALAR_FIELD("smallest_margin", "1", "BR section 2",
                     "Smallest margin of a train sample; the loss is 0 where it is 1 or more."),
     "min_s y_s N(x_s)", WW_NEED_TRAIN_OUTPUTS, WW_RISES, .value = smallest_margin,
     .needs_hinge = true},
    {WW_SCALAR_FIELD("train_error", "1", "BR figure 1",
                     "Share of train samples whose label is not predicted; ties are errors."),
     "1 - train_accuracy", WW_NEED_TRAIN_OUTPUTS, WW_FALLS, .value = train_error,
     .is_of_margins = true, .needs_classes = true},
    {WW_SCALAR_FIELD("test_error", "1", "BR figure 1",
                     "Share of test samples whose label is not predicted; ties are errors."),
     "1 - test_accuracy", WW_NEED_TEST_OUTPUTS, WW_FALLS, .value = test_error,
     .is_of_margins = true, .needs_classes = true},
    {WW_SCALAR_FIELD("unused_error", "1", "BR theorem 5",
                     "Share of errors among the train samples without a part in any update so far, "
                     "L_V; NaN where there are none."),
     "#{s unused: y_s N(x_s) <= 0} / #{s unused}", WW_NEED_TRAIN_OUTPUTS, WW_FALLS,
     .value = unused_error, .needs_hinge = true, .may_lack = true, .of_one_layer = true},
    {WW_SCALAR_FIELD("weight_norm", "1", "BR section 5.1",
                     "Frobenius norm G of the hidden weights."),
     "G = ||W(t)||_F", WW_NEED_WEIGHTS, WW_RISES, .value = weight_norm, .is_of_margins = true},
    {WW_SCALAR_FIELD("alignment", "1", "BR section 5.1",
                     "Product F of the hidden weights with those of a network that is as good as "
                     "the separator; NaN where no separator of the train set was found."),
     "F = <W(t), W*>, rows of W*: w* where v_r(0) >= 0, -w* elsewhere", WW_NEED_WEIGHTS, WW_RISES,
     .value = alignment, .needs_hinge = true, .may_lack = true, .of_one_layer = true},
    {WW_SCALAR_FIELD("cosine", "1", "BR equation (9)",
                     "Cosine of the angle between the hidden weights and that network's; NaN where "
                     "no separator of the train set was found."),
     "F / (G ||W*||_F), ||W*||_F = sqrt(m) ||w*||", WW_NEED_WEIGHTS, WW_RISES, .value = cosine,
     .needs_hinge = true, .may_lack = true, .of_one_layer = true},
    {WW_SCALAR_FIELD(
         "descent", "1", "BR proposition 1",
         "Largest product of the gradient of an update so far with W*, rows by the signs "
         "that output weights had then, below 0 by the proposition; -infinity before the first, "
         "NaN where no separator of the train "
         "set was found."),
     "max over updates t' < t of <dL_batch/dW(t'), W*>", 0, WW_RISES, .value = descent,
     .needs_hinge = true, .may_lack = true, .of_one_layer = true},
    {WW_SCALAR_FIELD("output_ratio_min", "1", "BR figure 3, equation (8)",
                     "Smallest ratio of an output weight to what it began as; 1 where they are not "
                     "trained."),
     "min_r v_r(t) / v_r(0)", WW_NEED_OUTPUT_RATIO, WW_FALLS, .value = output_ratio_min,
     .is_of_margins = true},
    {WW_SCALAR_FIELD("output_ratio_max", "1", "BR figure 3, equation (8)",
                     "Largest ratio of an output weight to what it began as; 1 where they are not "
                     "trained."),
     "max_r v_r(t) / v_r(0)", WW_NEED_OUTPUT_RATIO, WW_RISES, .value = output_ratio_max,
     .is_of_margins = true},
    {.formula = NULL},
};
