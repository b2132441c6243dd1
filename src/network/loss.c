#include "widthwise/network.h"

#include <math.h>

static double largest_output(const double *outputs, int64_t k)
{
    double largest = outputs[0];
    for (int64_t i = 1; i < k; i++)
        if (outputs[i] > largest || isnan(outputs[i]))
            largest = outputs[i];
    return largest;
}

// -log softmax_y = log(sum_i exp(f_i - f_y)). With the largest output subtracted no exponential
// overflows; log1p keeps the digits of a loss near 0, where one output stands far above the rest.
static double cross_entropy_value(const double *outputs, int64_t k, int64_t label)
{
    const double largest = largest_output(outputs, k);
    int64_t top = 0;
    while (top < k - 1 && outputs[top] != largest)
        top++;
    double others = 0.0;
    for (int64_t i = 0; i < k; i++)
        if (i != top)
            others += exp(outputs[i] - largest);
    return log1p(others) + (largest - outputs[label]);
}

static void cross_entropy_gradient(const double *outputs, int64_t k, int64_t label,
                                   double *gradient)
{
    const double largest = largest_output(outputs, k);
    double sum = 0.0;
    for (int64_t i = 0; i < k; i++) {
        gradient[i] = exp(outputs[i] - largest);
        sum += gradient[i];
    }
    // The label's entry is minus the sum of the others, not softmax - 1: no cancellation near 0.
    double others = 0.0;
    for (int64_t i = 0; i < k; i++) {
        gradient[i] /= sum;
        if (i != label)
            others += gradient[i];
    }
    gradient[label] = -others;
}

static bool largest_is_label(const double *outputs, int64_t k, int64_t label)
{
    for (int64_t i = 0; i < k; i++)
        if (i != label && !(outputs[label] > outputs[i]))
            return false;
    return true;
}

const ww_loss *ww_loss_of(const ww_config *config)
{
    static const ww_loss losses[] = {
        [WW_LOSS_CROSS_ENTROPY] = {"cross-entropy", cross_entropy_value, cross_entropy_gradient,
                                   largest_is_label, 0.5},
    };
    return &losses[config->loss];
}
