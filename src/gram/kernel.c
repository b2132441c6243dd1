// The kernel of two inputs, one pair at a time: slow and obvious.

#include "gram/directions.h"
#include "widthwise/data.h"

#include <float.h>
#include <math.h>

static const double PI = 3.14159265358979323846;

/// Length of left - right (sign -1) or left + right (sign 1), in lanes so that the compiler may use
/// vectors; always in this order.
static double length_of_sum(double sign, const double *left, const double *right, int64_t dimension)
{
    enum { LANES = 8 };
    double lanes[LANES] = {0.0};
    int64_t j = 0;
    for (; j + LANES <= dimension; j += LANES)
        for (int l = 0; l < LANES; l++) {
            const double sum = left[j + l] + sign * right[j + l];
            lanes[l] += sum * sum;
        }
    for (int l = 0; j < dimension; j++, l++) {
        const double sum = left[j] + sign * right[j];
        lanes[l] += sum * sum;
    }
    double square = 0.0;
    for (int l = 0; l < LANES; l++)
        square += lanes[l];
    return sqrt(square);
}

ww_angle ww_angle_between(const double *left, const double *right, int64_t dimension)
{
    const double rounding = WW_SAME_DIRECTION;
    const double difference = length_of_sum(-1.0, left, right, dimension);
    if (difference <= rounding)
        return (ww_angle){0.0, PI};
    if (difference <= 1.0) {
        const double angle = 2.0 * asin(0.5 * difference);
        return (ww_angle){angle, PI - angle};
    }
    const double sum = length_of_sum(1.0, left, right, dimension);
    if (sum <= rounding)
        return (ww_angle){PI, 0.0};
    const double supplement = sum <= 1.0 ? 2.0 * asin(0.5 * sum) : 2.0 * atan2(sum, difference);
    return (ww_angle){PI - supplement, supplement};
}

/// Covariance of the derivatives of two units of norm 1, E[s'(u) s'(v)].
static double derivative_covariance(double slope, ww_angle angle)
{
    const double gain = (1.0 - slope) * (1.0 - slope) / (2.0 * PI);
    return angle.supplement < angle.angle ? slope + gain * angle.supplement
                                          : 0.5 * (1.0 + slope * slope) - gain * angle.angle;
}

/// Angle after one more layer. With q = sin theta - theta cos theta and g = (1 - a)^2 / (pi (1 +
/// a^2)), the covariance of kernel.h makes 1 - cos theta' = 2 sin^2(theta / 2) - g q and 1 + cos
/// theta' = 2 cos^2(theta / 2) + g q: both are had without cancellation.
static ww_angle next_layer(double slope, ww_angle angle)
{
    const double gain = (1.0 - slope) * (1.0 - slope) / (PI * (1.0 + slope * slope));
    const double sine = sin(0.5 * angle.angle);
    const double cosine = sin(0.5 * angle.supplement);
    const double q = 2.0 * sine * cosine - angle.angle * (cosine * cosine - sine * sine);
    const double minus = sqrt(fmax(2.0 * sine * sine - gain * q, 0.0));
    const double plus = sqrt(2.0 * cosine * cosine + gain * q);
    return (ww_angle){2.0 * atan2(minus, plus), 2.0 * atan2(plus, minus)};
}

double ww_kernel_at_angle(const ww_kernel *kernel, ww_angle angle)
{
    const double slope = kernel->negative_slope;
    const double whole = 0.5 * (1.0 + slope * slope);
    double sum = cos(angle.angle); // gradients by the layers so far
    for (int64_t layer = 1; layer < kernel->depth; layer++) {
        const double passed = derivative_covariance(slope, angle) / whole;
        angle = next_layer(slope, angle);
        sum = cos(angle.angle) + (kernel->all_layers ? sum * passed : 0.0);
    }
    return sum * derivative_covariance(slope, angle);
}

/// Largest magnitude of an input's entries.
static double largest_entry(const double *input, int64_t dimension)
{
    double largest = 0.0;
    for (int64_t j = 0; j < dimension; j++)
        largest = fmax(largest, fabs(input[j]));
    return largest;
}

double ww_kernel_value(const ww_kernel *kernel, const double *left, const double *right,
                       int64_t dimension)
{
    // Scaled to entries of at most 1 and, with the norms, to unit vectors; in long doubles.
    const double scale_left = largest_entry(left, dimension);
    const double scale_right = largest_entry(right, dimension);
    if (scale_left == 0.0 || scale_right == 0.0)
        return 0.0;
    long double square_left = 0.0L, square_right = 0.0L;
    for (int64_t j = 0; j < dimension; j++) {
        const long double x = (long double)left[j] / scale_left;
        const long double y = (long double)right[j] / scale_right;
        square_left += x * x;
        square_right += y * y;
    }
    const long double norm_left = sqrtl(square_left), norm_right = sqrtl(square_right);
    long double difference = 0.0L, sum = 0.0L;
    for (int64_t j = 0; j < dimension; j++) {
        const long double x = (long double)left[j] / scale_left / norm_left;
        const long double y = (long double)right[j] / scale_right / norm_right;
        difference += (x - y) * (x - y);
        sum += (x + y) * (x + y);
    }
    difference = sqrtl(difference);
    sum = sqrtl(sum);
    ww_angle angle = {(double)(2.0L * atan2l(difference, sum)),
                      (double)(2.0L * atan2l(sum, difference))};
    if (difference <= 4.0L * (long double)DBL_EPSILON)
        angle = (ww_angle){0.0, PI};
    if (sum <= 4.0L * (long double)DBL_EPSILON)
        angle = (ww_angle){PI, 0.0};
    return (double)(norm_left * norm_right * scale_left * scale_right *
                    (long double)ww_kernel_at_angle(kernel, angle));
}
