// Quantities of how far outputs are from their targets (AR), the outputs themselves, and how fast
// the loss falls.

#include "measure/quantities.h"

#include <math.h>
#include <string.h>

// Sum over outputs of |u - y| of one sample.
static double absolute_error(const ww_survey *survey, const ww_surveyed_samples *set,
                             int64_t sample)
{
    const int64_t k = survey->problem->outputs;
    double sum = 0.0;
    for (int64_t i = sample * k; i < (sample + 1) * k; i++)
        sum += fabs(set->outputs[i] - set->samples->targets[i]);
    return sum;
}

// Mean over samples of that error, or of the smaller of it and `most`.
static double mean_error(const ww_survey *survey, const ww_surveyed_samples *set, double most)
{
    double sum = 0.0;
    for (int64_t s = 0; s < set->samples->count; s++) {
        const double error = absolute_error(survey, set, s);
        sum += error > most ? most : error; // NaN stays
    }
    return sum / (double)set->samples->count;
}

static double residual(const ww_survey *survey, double *carry)
{
    (void)carry;
    const ww_surveyed_samples *train = &survey->train;
    const int64_t values = train->samples->count * survey->problem->outputs;
    double sum = 0.0;
    for (int64_t i = 0; i < values; i++) {
        const double difference = train->outputs[i] - train->samples->targets[i];
        sum += difference * difference;
    }
    return sqrt(sum);
}

static double train_absolute_error(const ww_survey *survey, double *carry)
{
    (void)carry;
    return mean_error(survey, &survey->train, INFINITY);
}

static double test_absolute_error(const ww_survey *survey, double *carry)
{
    (void)carry;
    return mean_error(survey, &survey->test, INFINITY);
}

static double test_clipped_error(const ww_survey *survey, double *carry)
{
    (void)carry;
    return mean_error(survey, &survey->test, 1.0);
}

static double contraction(const ww_survey *survey, double *carry)
{
    const double now = ww_loss_over(survey->problem, survey->train.samples, survey->train.outputs);
    const double before = carry[WW_CARRY_CONTRACTION_LOSS];
    const double steps = (double)survey->step - carry[WW_CARRY_CONTRACTION_STEP];
    carry[WW_CARRY_CONTRACTION_LOSS] = now;
    carry[WW_CARRY_CONTRACTION_STEP] = (double)survey->step;
    if (isnan(steps) || before == 0.0) // the first record; or nothing is left to contract
        return 1.0;
    return exp(log(now / before) / steps);
}

static void train_outputs(const ww_survey *survey, double *values)
{
    const int64_t count = survey->train.samples->count * survey->problem->outputs;
    memcpy(values, survey->train.outputs, (size_t)count * sizeof *values);
}

static void test_outputs(const ww_survey *survey, double *values)
{
    const int64_t count = survey->test.samples->count * survey->problem->outputs;
    memcpy(values, survey->test.outputs, (size_t)count * sizeof *values);
}

const ww_quantity ww_quantities_residual[] = {
    {WW_SCALAR_FIELD("residual", "1", "AR equation (8)",
                     "Distance of the outputs on the train set from their targets."),
     "||y - u(t)||_2", WW_NEED_TRAIN_OUTPUTS, WW_FALLS, .value = residual, .needs_targets = true},
    {WW_SCALAR_FIELD("train_absolute_error", "1", "AR figure 2",
                     "Mean over train samples of the l1 distance of outputs and targets."),
     "(1/n) sum_s |u(x_s) - y_s|", WW_NEED_TRAIN_OUTPUTS, WW_FALLS, .value = train_absolute_error,
     .needs_targets = true},
    {WW_SCALAR_FIELD("test_absolute_error", "1", "AR figure 2",
                     "Mean over test samples of the l1 distance of outputs and targets."),
     "train_absolute_error on the test set", WW_NEED_TEST_OUTPUTS, WW_FALLS,
     .value = test_absolute_error, .needs_targets = true},
    {WW_SCALAR_FIELD(
         "test_clipped_error", "1", "AR theorem 5.1",
         "Mean over test samples of the smaller of 1 and the l1 distance of outputs and "
         "targets, a loss with slope 1 and values from 0 to 1."),
     "(1/n) sum_s min(1, |u(x_s) - y_s|)", WW_NEED_TEST_OUTPUTS, WW_FALLS,
     .value = test_clipped_error, .needs_targets = true},
    {WW_SCALAR_FIELD(
         "contraction", "1", "AR theorem 3.1; ZG lemma 4.5",
         "Geometric mean over the steps since the record before of what each multiplied "
         "the train loss by; 1 at the first record and after a loss of 0."),
     "(L(t) / L(t'))^(1 / (t - t'))", WW_NEED_TRAIN_OUTPUTS, WW_FALLS, .value = contraction},
    {{.name = "train_outputs",
      .description = "Outputs of the network on the train set; axes: record, sample, and output "
                     "where there are several.",
      .units = "1",
      .source = "AR section 3",
      .rank = 2,
      .extent = {WW_EXTENT_TRAIN, WW_EXTENT_OUTPUTS}},
     "u(t)",
     WW_NEED_TRAIN_OUTPUTS,
     WW_FALLS,
     .fill = train_outputs},
    {{.name = "test_outputs",
      .description = "Outputs of the network on the test set; axes: record, sample, and output "
                     "where there are several.",
      .units = "1",
      .source = "AR section 3",
      .rank = 2,
      .extent = {WW_EXTENT_TEST, WW_EXTENT_OUTPUTS}},
     "u(t) on the test set",
     WW_NEED_TEST_OUTPUTS,
     WW_FALLS,
     .fill = test_outputs},
    {.formula = NULL},
};
