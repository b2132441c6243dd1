// Quantities of the gradient on the batch of the coming step: the true one, and the pseudo
// gradient, which takes the activation patterns of t = 0 (LL sections 5.1 and B).

#include "measure/quantities.h"

#include <math.h>

static double share_of_units(const ww_survey *survey, int64_t units)
{
    return (double)units / (double)survey->problem->tiling.width;
}

static double batch_loss(const ww_survey *survey, double *carry)
{
    (void)carry;
    return survey->batch_loss;
}

static double equal_gradient(const ww_survey *survey, double *carry)
{
    (void)carry;
    return share_of_units(survey, survey->equal_units);
}

static double gradient_norm(const ww_survey *survey, double *carry)
{
    (void)carry;
    return sqrt(survey->gradient_squared);
}

static double pseudo_gradient_norm(const ww_survey *survey, double *carry)
{
    (void)carry;
    return sqrt(survey->pseudo_squared);
}

static double pseudo_gradient_large(const ww_survey *survey, double *carry)
{
    (void)carry;
    return share_of_units(survey, survey->large_units);
}

const ww_quantity ww_quantities_gradient[] = {
    {WW_SCALAR_FIELD("batch_loss", WW_LOSS_UNITS, "LL section 3",
                     "Loss on the batch of the coming step, a mean or a sum as loss_reduction has "
                     "it."),
     "(1/B) sum_{s in batch} L(W, x_s, y_s), or without 1/B", WW_NEED_GRADIENTS, WW_FALLS,
     .value = batch_loss},
    {WW_SCALAR_FIELD("equal_gradient", "1", "LL lemmas 5.1 and A.1",
                     "Share of units whose gradient on the batch of the coming step equals the "
                     "pseudo gradient."),
     "#{r: dL/dw_r = pseudo dL/dw_r} / m", WW_NEED_GRADIENTS, WW_FALLS, .value = equal_gradient,
     .of_one_layer = true},
    {WW_SCALAR_FIELD("gradient_norm", "1", "LL equation (1)",
                     "Frobenius norm of the gradient on the batch of the coming step."),
     "||dL/dW||_F", WW_NEED_GRADIENTS, WW_FALLS, .value = gradient_norm},
    {WW_SCALAR_FIELD("pseudo_gradient_norm", "1", "LL section 5.1",
                     "Frobenius norm of the pseudo gradient on the batch of the coming step."),
     "||pseudo dL/dW||_F", WW_NEED_GRADIENTS, WW_FALLS, .value = pseudo_gradient_norm,
     .of_one_layer = true},
    {WW_SCALAR_FIELD("pseudo_gradient_large", "1", "LL lemma 5.2",
                     "Share of units whose pseudo gradient on the batch of the coming step is "
                     "above measure.pseudo_gradient_threshold in norm."),
     "#{r: ||pseudo dL/dw_r|| > threshold} / m", WW_NEED_GRADIENTS, WW_FALLS,
     .value = pseudo_gradient_large, .of_one_layer = true},
    {.formula = NULL},
};
