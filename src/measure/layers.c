// Quantities of the hidden layers one by one, and of how a run stays in the region around its start
// in which the loss behaves (ZG section 4).

#include "measure/quantities.h"

#include <math.h>

static double layer_count(const ww_survey *survey)
{
    return (double)survey->problem->depth;
}

// Samples that the train loss is a mean of: 1, or n where it is a sum and the paper's is not.
static double samples_of_mean(const ww_survey *survey)
{
    return (double)survey->train.samples->count /
           ww_loss_divisor(survey->problem, survey->train.samples->count);
}

static double mean_loss(const ww_survey *survey)
{
    return ww_loss_over(survey->problem, survey->train.samples, survey->train.outputs) /
           samples_of_mean(survey);
}

// m phi / (k n^2), what lemma 4.1 has in front of the loss.
static double gradient_scale(const ww_survey *survey)
{
    const double n = (double)survey->train.samples->count;
    const double k = (double)survey->problem->outputs;
    return (double)survey->problem->tiling.width * survey->nearest / (k * n * n);
}

static void layer_gradient_norm(const ww_survey *survey, double *values)
{
    for (int64_t layer = 0; layer < survey->problem->depth; layer++)
        values[layer] = sqrt(survey->layers[layer].gradient_squared);
}

static double gradient_squared(const ww_survey *survey)
{
    double sum = 0.0;
    for (int64_t layer = 0; layer < survey->problem->depth; layer++)
        sum += survey->layers[layer].gradient_squared;
    return sum;
}

static double gradient_ratio(const ww_survey *survey, double *carry)
{
    (void)carry;
    const double samples = samples_of_mean(survey);
    return gradient_squared(survey) / (samples * samples) /
           (gradient_scale(survey) * mean_loss(survey));
}

static double layer_gradient_share(const ww_survey *survey, double *carry)
{
    (void)carry;
    return survey->layers[survey->problem->depth - 1].gradient_squared / gradient_squared(survey);
}

static void layer_distance(const ww_survey *survey, double *values)
{
    for (int64_t layer = 0; layer < survey->problem->depth; layer++)
        values[layer] = sqrt(survey->layers[layer].movement_squared);
}

static void layer_spectral_distance(const ww_survey *survey, double *values)
{
    for (int64_t layer = 0; layer < survey->problem->depth; layer++)
        values[layer] = survey->layers[layer].spectral_distance;
}

static double spectral_distance(const ww_survey *survey, double *carry)
{
    (void)carry;
    double largest = 0.0;
    for (int64_t layer = 0; layer < survey->problem->depth; layer++)
        largest = fmax(largest, survey->layers[layer].spectral_distance);
    return largest;
}

static double region_ratio(const ww_survey *survey, double *carry)
{
    const double m = (double)survey->problem->tiling.width;
    const double n = (double)survey->train.samples->count;
    const double radius = pow(survey->nearest, 1.5) /
                          (pow(n, 3.0) * pow(layer_count(survey), 6.0) * pow(log(m), 1.5));
    return spectral_distance(survey, carry) / radius;
}

static void layer_trajectory_length(const ww_survey *survey, double *values)
{
    for (int64_t layer = 0; layer < survey->problem->depth; layer++)
        values[layer] = survey->track->lengths[layer];
}

static double largest_of(const double *values, int64_t count)
{
    double largest = values[0];
    for (int64_t i = 1; i < count; i++)
        largest = isnan(values[i]) ? values[i] : fmax(largest, values[i]);
    return largest;
}

static double trajectory_length(const ww_survey *survey, double *carry)
{
    (void)carry;
    return largest_of(survey->track->lengths, survey->problem->depth);
}

static double trajectory_ratio(const ww_survey *survey, double *carry)
{
    const double n = (double)survey->train.samples->count;
    return trajectory_length(survey, carry) / sqrt(log(n) / gradient_scale(survey));
}

// Looks at what `contraction` carries before that, later in the registry, brings it forward.
static double contraction_ratio(const ww_survey *survey, double *carry)
{
    const double now = ww_loss_over(survey->problem, survey->train.samples, survey->train.outputs);
    const double steps = (double)survey->step - carry[WW_CARRY_CONTRACTION_STEP];
    const double before = carry[WW_CARRY_CONTRACTION_LOSS];
    // As `contraction` has it: nothing is taken off a loss of 0.
    const double factor = before == 0.0 && !isnan(steps) ? 1.0 : exp(log(now / before) / steps);
    const double rate = survey->problem->learning_rate * samples_of_mean(survey);
    return (1.0 - factor) / (rate * gradient_scale(survey));
}

static double semismoothness(const ww_survey *survey, double *carry)
{
    (void)carry;
    const double now = ww_loss_over(survey->problem, survey->train.samples, survey->train.outputs);
    return now - survey->track->loss +
           survey->problem->learning_rate * survey->track->gradient_squared;
}

static double semismoothness_ratio(const ww_survey *survey, double *carry)
{
    const double m = (double)survey->problem->tiling.width;
    const double k = (double)survey->problem->outputs;
    const double depth = layer_count(survey);
    const double samples = samples_of_mean(survey);
    const double move = largest_of(survey->track->moves, survey->problem->depth);
    const double radius = spectral_distance(survey, carry);
    const double rough = sqrt(survey->track->loss / samples) * cbrt(radius) * depth * depth *
                         sqrt(m * log(m) / k) * move;
    const double smooth = depth * depth * m / k * move * move;
    return semismoothness(survey, carry) / samples / (rough + smooth);
}

static double share_of_layer(const ww_survey *survey, const ww_surveyed_samples *set, int64_t pairs)
{
    return (double)pairs / ((double)survey->problem->tiling.width * (double)set->samples->count);
}

static void layer_coupling(const ww_survey *survey, double *values)
{
    for (int64_t layer = 0; layer < survey->problem->depth; layer++)
        values[layer] = share_of_layer(survey, &survey->test, survey->layers[layer].test_changes);
}

static void layer_coupling_train(const ww_survey *survey, double *values)
{
    for (int64_t layer = 0; layer < survey->problem->depth; layer++)
        values[layer] = share_of_layer(survey, &survey->train, survey->layers[layer].train_changes);
}

// One number for each hidden layer.
#define LAYER_FIELD(name_, source_, description_)                                                  \
    {                                                                                              \
        .name = (name_), .description = (description_), .units = "1", .source = (source_),         \
        .rank = 1, .extent = {                                                                     \
            WW_EXTENT_LAYERS                                                                       \
        }                                                                                          \
    }

const ww_quantity ww_quantities_layers[] = {
    {LAYER_FIELD("layer_gradient_norm", "ZG section 4.1",
                 "Frobenius norm of the gradient of the whole train loss by each hidden layer; "
                 "axes: record, hidden layer."),
     "||dL/dW_l||_F", WW_NEED_TRAIN_OUTPUTS | WW_NEED_LAYER_GRADIENTS, WW_FALLS,
     .fill = layer_gradient_norm, .needs_layers = true},
    {WW_SCALAR_FIELD("gradient_ratio", "1", "ZG lemma 4.1",
                     "Squared gradient of the train loss by all hidden layers over what the lemma "
                     "bounds it by with constant 1, of the mean loss; phi is the smallest distance "
                     "between two train samples."),
     "||dL/dW||_F^2 k n^2 / (m phi L)",
     WW_NEED_TRAIN_OUTPUTS | WW_NEED_LAYER_GRADIENTS | WW_NEED_NEAREST, WW_FALLS,
     .value = gradient_ratio, .may_lack = true, .needs_layers = true},
    {WW_SCALAR_FIELD("layer_gradient_share", "1", "ZG section 4.1",
                     "Share that the last hidden layer has in the squared gradient of the train "
                     "loss by all of them; NaN where that is 0."),
     "||dL/dW_L||_F^2 / sum_l ||dL/dW_l||_F^2", WW_NEED_TRAIN_OUTPUTS | WW_NEED_LAYER_GRADIENTS,
     WW_RISES, .value = layer_gradient_share, .may_lack = true, .needs_layers = true},
    {LAYER_FIELD("layer_distance", "ZG section 1, notation",
                 "Distance of each hidden layer from its start; axes: record, hidden layer."),
     "||W_l(t) - W_l(0)||_F", WW_NEED_MOVEMENT, WW_RISES, .fill = layer_distance,
     .needs_layers = true},
    {LAYER_FIELD("layer_spectral_distance", "ZG section 4.1",
                 "Spectral norm of what each hidden layer has moved from its start, to within "
                 "measure.spectral_tolerance; axes: record, hidden layer."),
     "||W_l(t) - W_l(0)||_2", WW_NEED_SPECTRAL, WW_RISES, .fill = layer_spectral_distance,
     .needs_layers = true},
    {WW_SCALAR_FIELD("spectral_distance", "1", "ZG section 4.1",
                     "Largest spectral norm, over hidden layers, of the distance from the start, "
                     "to within measure.spectral_tolerance."),
     "max_l ||W_l(t) - W_l(0)||_2", WW_NEED_SPECTRAL, WW_RISES, .value = spectral_distance,
     .needs_layers = true},
    {WW_SCALAR_FIELD(
         "region_ratio", "1", "ZG lemmas 4.1 and 4.5",
         "`spectral_distance` over the radius of the region in which the lemmas hold, with "
         "constant 1: within it where it is not above 1."),
     "max_l ||W_l(t) - W_l(0)||_2 / tau, tau = phi^(3/2) n^-3 L^-6 (log m)^(-3/2)",
     WW_NEED_SPECTRAL | WW_NEED_NEAREST, WW_RISES, .value = region_ratio, .may_lack = true,
     .needs_layers = true},
    {LAYER_FIELD("layer_trajectory_length", "ZG equation (4.1)",
                 "Length of the way of each hidden layer so far, in the spectral norm; axes: "
                 "record, hidden layer."),
     "sum_{t' < t} ||W_l(t' + 1) - W_l(t')||_2", 0, WW_RISES, .fill = layer_trajectory_length,
     .needs_layers = true},
    {WW_SCALAR_FIELD("trajectory_length", "1", "ZG equation (4.1)",
                     "Largest length, over hidden layers, of the way so far in the spectral norm."),
     "max_l sum_{t' < t} ||W_l(t' + 1) - W_l(t')||_2", 0, WW_RISES, .value = trajectory_length,
     .needs_layers = true},
    {WW_SCALAR_FIELD(
         "trajectory_ratio", "1", "ZG lemma 4.2",
         "`trajectory_length` over what the lemma bounds the distance by, with constant 1."),
     "max_l sum_{t' < t} ||W_l(t' + 1) - W_l(t')||_2 / sqrt(k n^2 log n / (m phi))",
     WW_NEED_NEAREST, WW_RISES, .value = trajectory_ratio, .may_lack = true, .needs_layers = true},
    {WW_SCALAR_FIELD("contraction_ratio", "1", "ZG lemma 4.5",
                     "What a step takes off the train loss, as `contraction` has it, over what the "
                     "lemma says with constant 1; NaN at the first record, 0 after a loss of 0."),
     "(1 - contraction) / (m phi eta / (k n^2))", WW_NEED_TRAIN_OUTPUTS | WW_NEED_NEAREST, WW_FALLS,
     .value = contraction_ratio, .may_lack = true, .needs_layers = true, .requires = "contraction"},
    {WW_SCALAR_FIELD("semismoothness", WW_LOSS_UNITS, "ZG lemma 4.4",
                     "What the train loss is above its linearisation at the step before; NaN "
                     "before the first step."),
     "L(t) - L(t - 1) - <dL/dW(t - 1), W(t) - W(t - 1)>", WW_NEED_TRAIN_OUTPUTS, WW_FALLS,
     .value = semismoothness, .may_lack = true, .needs_layers = true, .needs_descent = true},
    {WW_SCALAR_FIELD("semismoothness_ratio", "1", "ZG lemma 4.4",
                     "`semismoothness` over the two terms that the lemma bounds it by, with "
                     "constants 1, tau being "
                     "`spectral_distance`, of the mean loss; NaN before the first step."),
     "semismoothness / (sqrt(L(t - 1)) tau^(1/3) L^2 sqrt(m log m / k) ||dW||_2 + L^2 m / k "
     "||dW||_2^2)",
     WW_NEED_TRAIN_OUTPUTS | WW_NEED_SPECTRAL, WW_FALLS, .value = semismoothness_ratio,
     .may_lack = true, .needs_layers = true, .needs_descent = true},
    {LAYER_FIELD("layer_coupling", "LL section 7; ZG section 4.2",
                 "Share of (unit, test sample) pairs of each hidden layer whose activation differs "
                 "from that at t = 0; axes: record, hidden layer."),
     "coupling of one layer", WW_NEED_TEST_PATTERNS, WW_RISES, .fill = layer_coupling,
     .needs_layers = true},
    {LAYER_FIELD("layer_coupling_train", "LL section 7; ZG section 4.2",
                 "Share of (unit, train sample) pairs of each hidden layer whose activation "
                 "differs from that at t = 0; axes: record, hidden layer."),
     "coupling_train of one layer", WW_NEED_TRAIN_PATTERNS, WW_RISES, .fill = layer_coupling_train,
     .needs_layers = true},
    {.formula = NULL},
};
