// Quantities of the network's outputs: loss, accuracy, and v_max of Li & Liang.

#include "measure/quantities.h"

static double loss_over(const ww_survey *survey, const ww_surveyed_samples *set)
{
    return ww_loss_over(survey->problem, set->samples, set->outputs);
}

static double accuracy(const ww_survey *survey, const ww_surveyed_samples *set)
{
    const int64_t k = survey->problem->outputs;
    int64_t right = 0;
    for (int64_t i = 0; i < set->samples->count; i++)
        right += survey->problem->loss->correct(set->outputs + i * k, k,
                                                ww_target_of(survey->problem, set->samples, i));
    return (double)right / (double)set->samples->count;
}

static double loss(const ww_survey *survey, double *carry)
{
    (void)carry;
    return loss_over(survey, &survey->train);
}

static double train_accuracy(const ww_survey *survey, double *carry)
{
    (void)carry;
    return accuracy(survey, &survey->train);
}

static double test_loss(const ww_survey *survey, double *carry)
{
    (void)carry;
    return loss_over(survey, &survey->test);
}

static double test_accuracy(const ww_survey *survey, double *carry)
{
    (void)carry;
    return accuracy(survey, &survey->test);
}

static double v_max(const ww_survey *survey, double *carry)
{
    (void)carry;
    return survey->v_max;
}

static double v_max_mean_square(const ww_survey *survey, double *carry)
{
    carry[WW_CARRY_V_MAX_SQUARES] += survey->v_max * survey->v_max;
    carry[WW_CARRY_V_MAX_RECORDS] += 1.0;
    return carry[WW_CARRY_V_MAX_SQUARES] / carry[WW_CARRY_V_MAX_RECORDS];
}

const ww_quantity ww_quantities_outputs[] = {
    {WW_SCALAR_FIELD("loss", WW_LOSS_UNITS, "LL section 3; AR section 3",
                     "Loss over the train set, a mean or a sum as loss_reduction has it."),
     "L(W) = (1/n) sum_s L(W, x_s, y_s), or without 1/n", WW_NEED_TRAIN_OUTPUTS, WW_FALLS,
     .value = loss},
    {WW_SCALAR_FIELD(
         "train_accuracy", "1", "LL theorem 4.1",
         "Share of train samples whose label, or largest target, has the strictly largest "
         "output, or whose only output has the sign of its target."),
     "(1/n) #{s: f_y > f_j for all j != y}, or #{s: u y > 0}", WW_NEED_TRAIN_OUTPUTS, WW_RISES,
     .value = train_accuracy, .needs_classes = true},
    {WW_SCALAR_FIELD("test_loss", WW_LOSS_UNITS, "LL section 3",
                     "Loss over the test set, a mean or a sum as loss_reduction has it."),
     "L on the test set", WW_NEED_TEST_OUTPUTS, WW_FALLS, .value = test_loss},
    {WW_SCALAR_FIELD(
         "test_accuracy", "1", "LL section 7, figure 1a",
         "Share of test samples whose label, or largest target, has the strictly largest "
         "output, or whose only output has the sign of its target."),
     "train_accuracy on the test set", WW_NEED_TEST_OUTPUTS, WW_RISES, .value = test_accuracy,
     .needs_classes = true},
    {WW_SCALAR_FIELD(
         "v_max", "1", "LL section 5.1, lemma A.4",
         "Largest |p_ab v_iab| over outputs i and components (a, b), with v = -dL/df and "
         "expectations taken over the train set."),
     "max_{i,a,b} |(1/n) sum_{s in (a,b)} v_i(x_s)|", WW_NEED_TRAIN_OUTPUTS | WW_NEED_V_MAX,
     WW_FALLS, .value = v_max, .of_one_layer = true, .needs_classes = true},
    {WW_SCALAR_FIELD("v_max_mean_square", "1", "LL lemmas A.4 and B.4",
                     "Mean of v_max^2 over the records so far, this one included."),
     "(1/R) sum over the R records so far of v_max^2", WW_NEED_TRAIN_OUTPUTS | WW_NEED_V_MAX,
     WW_FALLS, .value = v_max_mean_square, .of_one_layer = true, .needs_classes = true},
    {.formula = NULL},
};
