// Predictions of Arora et al. 2019.

#include "widthwise/theory.h"

#include <math.h>

// 3 of theorem 6.1.
static const double CONSTANT = 3.0;

// sum_j 2j |c_j| norm^2j for cos(z) - 1, c_j = (-1)^j / (2j)! (example 6.3); it is norm sinh(norm).
static double cosine_series(double norm)
{
    double sum = 0.0;
    double term = norm * norm; // 2j / (2j)! norm^2j = norm^2j / (2j - 1)!
    for (int j = 1; sum + term > sum; j++) {
        sum += term;
        term *= norm * norm / (2.0 * j * (2.0 * j + 1.0));
    }
    return sum;
}

// The same for z arctan(z / 2), c_j = (-1)^(j - 1) 2^(1 - 2j) / (2j - 1) (example 6.4).
static double arctan_series(double norm)
{
    double sum = 0.0;
    double before = -1.0;
    double power = 0.5 * norm * norm; // 2^(1 - 2j) norm^2j
    for (int j = 1; sum > before; j++) {
        before = sum;
        sum += 2.0 * j / (2.0 * j - 1.0) * power;
        power *= 0.25 * norm * norm;
    }
    return sum;
}

double ww_function_bound(const ww_config *config)
{
    if (config->data.source != WW_SOURCE_FUNCTION || config->data.normalize != WW_NORMALIZE_SPHERE)
        return INFINITY;
    // The proof expands the kernel of ReLU: that of a leaky one has next to no even powers.
    if (ww_negative_slope(config) != 0.0 || config->network.depth != 1 || config->gram.depth != 1)
        return INFINITY;
    // With a last coordinate mu inputs are (sqrt(1 - mu^2) x, mu): beta stands for one that is
    // longer by the inverse.
    const double mu = config->data.last_coordinate;
    const double longer = 1.0 / sqrt((1.0 - mu) * (1.0 + mu));
    const double norm = config->data.function.norm * longer;
    const double exponent = (double)config->data.function.exponent;
    const bool covered =
        config->data.function.exponent == 1 || config->data.function.exponent % 2 == 0;
    const double alpha = fabs(config->data.function.alpha);
    const double all = alpha * (double)config->data.function.terms;
    switch (config->data.function.kind) {
    case WW_FUNCTION_LINEAR:
        return CONSTANT * all * norm;
    case WW_FUNCTION_QUADRATIC: // alpha is the sum over all terms, whose beta_j have norm 1
        return CONSTANT * 2.0 * alpha * longer * longer;
    case WW_FUNCTION_POWER:
        return covered ? CONSTANT * all * exponent * pow(norm, exponent) : INFINITY;
    case WW_FUNCTION_COSINE:
        return CONSTANT * all * cosine_series(norm);
    case WW_FUNCTION_ARCTAN:
        return norm <= 1.0 ? CONSTANT * all * arctan_series(norm) : INFINITY;
    }
    return INFINITY;
}
