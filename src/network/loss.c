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
static double cross_entropy_value(const double *outputs, int64_t k, ww_target target)
{
    const double largest = largest_output(outputs, k);
    int64_t top = 0;
    while (top < k - 1 && outputs[top] != largest)
        top++;
    double others = 0.0;
    for (int64_t i = 0; i < k; i++)
        if (i != top)
            others += exp(outputs[i] - largest);
    return log1p(others) + (largest - outputs[target.label]);
}

static void cross_entropy_gradient(const double *outputs, int64_t k, ww_target target,
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
        if (i != target.label)
            others += gradient[i];
    }
    gradient[target.label] = -others;
}

static bool largest_is_label(const double *outputs, int64_t k, ww_target target)
{
    for (int64_t i = 0; i < k; i++)
        if (i != target.label && !(outputs[target.label] > outputs[i]))
            return false;
    return true;
}

static double squared_value(const double *outputs, int64_t k, ww_target target)
{
    double sum = 0.0;
    for (int64_t i = 0; i < k; i++) {
        const double difference = outputs[i] - target.values[i];
        sum += difference * difference;
    }
    return 0.5 * sum;
}

static void squared_gradient(const double *outputs, int64_t k, ww_target target, double *gradient)
{
    for (int64_t i = 0; i < k; i++)
        gradient[i] = outputs[i] - target.values[i];
}

// Whether the strictly largest output stands at a largest target: at the label, where targets are
// of classes.
static bool largest_is_target(const double *outputs, int64_t k, const double *targets)
{
    int64_t best = 0;
    for (int64_t i = 1; i < k; i++)
        if (targets[i] > targets[best] ||
            (targets[i] == targets[best] && !(outputs[i] <= outputs[best])))
            best = i;
    for (int64_t i = 0; i < k; i++)
        if (targets[i] < targets[best] && !(outputs[best] > outputs[i]))
            return false;
    return !isnan(outputs[best]);
}

static bool has_right_sign(const double *outputs, int64_t k, ww_target target)
{
    if (k > 1)
        return largest_is_target(outputs, k, target.values);
    return (outputs[0] > 0.0 && target.values[0] > 0.0) ||
           (outputs[0] < 0.0 && target.values[0] < 0.0);
}

// Of two classes: one output, and a target of +1 or -1.
static double hinge_value(const double *outputs, int64_t k, ww_target target)
{
    (void)k;
    const double lacking = 1.0 - target.values[0] * outputs[0];
    return lacking > 0.0 || isnan(lacking) ? lacking : 0.0;
}

// A margin of exactly 1 is one that has been reached.
static void hinge_gradient(const double *outputs, int64_t k, ww_target target, double *gradient)
{
    (void)k;
    gradient[0] = target.values[0] * outputs[0] < 1.0 ? -target.values[0] : 0.0;
}

const ww_loss *ww_loss_of(const ww_config *config)
{
    static const ww_loss losses[] = {
        [WW_LOSS_CROSS_ENTROPY] = {"cross-entropy", "nat", cross_entropy_value,
                                   cross_entropy_gradient, largest_is_label, 0.5},
        [WW_LOSS_SQUARED] = {"squared", "1", squared_value, squared_gradient, has_right_sign, 1.0},
        [WW_LOSS_HINGE] = {"hinge", "1", hinge_value, hinge_gradient, has_right_sign, 0.0},
    };
    return &losses[config->loss];
}
