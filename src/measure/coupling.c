// Quantities of the coupling with the initial activation patterns (LL sections 5.1 and 7).

#include "measure/quantities.h"

#include <math.h>

// Units of all hidden layers.
static double unit_count(const ww_survey *survey)
{
    return (double)survey->problem->depth * (double)survey->problem->tiling.width;
}

static double share_of_pairs(const ww_survey *survey, const ww_surveyed_samples *set, int64_t pairs)
{
    return (double)pairs / (unit_count(survey) * (double)set->samples->count);
}

static double coupling(const ww_survey *survey, double *carry)
{
    (void)carry;
    return share_of_pairs(survey, &survey->test, survey->test.changed_pairs);
}

static double coupling_train(const ww_survey *survey, double *carry)
{
    (void)carry;
    return share_of_pairs(survey, &survey->train, survey->train.changed_pairs);
}

static double coupling_any(const ww_survey *survey, double *carry)
{
    (void)carry;
    return (double)survey->test.changed_units / unit_count(survey);
}

static double coupling_at_risk(const ww_survey *survey, double *carry)
{
    (void)carry;
    return share_of_pairs(survey, &survey->test, survey->test.risky_pairs);
}

static double pseudo_network_deviation(const ww_survey *survey, double *carry)
{
    (void)carry;
    const int64_t values = survey->test.samples->count * survey->problem->outputs;
    double largest = 0.0;
    for (int64_t i = 0; i < values; i++)
        largest = fmax(largest, fabs(survey->test.outputs[i] - survey->test.pseudo_outputs[i]));
    return largest;
}

const ww_quantity ww_quantities_coupling[] = {
    {WW_SCALAR_FIELD("coupling", "1", "LL section 7, figure 1b",
                     "Share of (unit, test sample) pairs whose activation differs from that at "
                     "t = 0; units are those of all hidden layers."),
     "#{(r,s): 1[w_r(t) x_s >= 0] != 1[w_r(0) x_s >= 0]} / (L m n)", WW_NEED_TEST_PATTERNS,
     WW_RISES, .value = coupling},
    {WW_SCALAR_FIELD("coupling_train", "1", "LL section 7",
                     "Share of (unit, train sample) pairs whose activation differs from that at "
                     "t = 0."),
     "coupling on the train set", WW_NEED_TRAIN_PATTERNS, WW_RISES, .value = coupling_train},
    {WW_SCALAR_FIELD("coupling_any", "1", "LL lemma A.1",
                     "Share of units whose activation differs from that at t = 0 on any test "
                     "sample."),
     "#{r: some s has a changed pattern} / (L m)", WW_NEED_TEST_PATTERNS, WW_RISES,
     .value = coupling_any},
    {WW_SCALAR_FIELD("coupling_at_risk", "1", "LL proof of lemma A.1",
                     "Share of (unit, test sample) pairs whose initial pre-activation is within "
                     "reach of the unit's movement: no other pair can have changed."),
     "#{(r,s): |w_r(0) x_s| <= ||w_r(t) - w_r(0)|| ||x_s||} / (m n)", WW_NEED_TEST_REACH, WW_RISES,
     .value = coupling_at_risk, .of_one_layer = true},
    {WW_SCALAR_FIELD("pseudo_network_deviation", "1", "LL section 5.1",
                     "Largest difference over test samples and outputs between the network f and "
                     "the pseudo network g, which keeps the patterns of t = 0."),
     "max_{s,i} |f_i(x_s) - g_i(x_s)|", WW_NEED_TEST_OUTPUTS | WW_NEED_PSEUDO_OUTPUTS, WW_RISES,
     .value = pseudo_network_deviation, .of_one_layer = true},
    {.formula = NULL},
};
