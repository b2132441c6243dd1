#include "widthwise/descent.h"

#include <float.h>
#include <math.h>

double ww_spectrum_rounding(int64_t order, double greatest)
{
    return (double)order * 0.5 * DBL_EPSILON * fabs(greatest);
}

bool ww_spectrum_is_singular(int64_t order, double least, double greatest)
{
    return !(least > ww_spectrum_rounding(order, greatest));
}

double ww_descent_left(double rate, double eigenvalue, int64_t steps)
{
    return pow(1.0 - rate * eigenvalue, (double)steps);
}

double ww_descent_learnt(double rate, double eigenvalue, int64_t steps)
{
    const double step = rate * eigenvalue;
    if (step < 0.5) // small shares of many small eigenvalues are all there is to see at first
        return -expm1((double)steps * log1p(-step));
    return 1.0 - ww_descent_left(rate, eigenvalue, steps);
}

double ww_descent_residual(const ww_descent *descent, int64_t steps)
{
    double sum = 0.0;
    for (int64_t j = 0; j < descent->count; j++) {
        const double left = ww_descent_left(descent->rate, descent->eigenvalues[j], steps) *
                            descent->projections[j];
        sum += left * left;
    }
    return sqrt(sum);
}

double ww_descent_distance(const ww_descent *descent, int64_t steps)
{
    double sum = 0.0;
    for (int64_t j = 0; j < descent->count; j++) {
        const double eigenvalue = descent->eigenvalues[j];
        if (!(eigenvalue > 0.0))
            continue;
        const double learnt =
            ww_descent_learnt(descent->rate, eigenvalue, steps) * descent->projections[j];
        sum += learnt * learnt / eigenvalue;
    }
    return sqrt(sum);
}

double ww_descent_quadratic_form(const ww_descent *descent)
{
    double greatest = 0.0;
    for (int64_t j = 0; j < descent->count; j++)
        if (descent->eigenvalues[j] > greatest)
            greatest = descent->eigenvalues[j];
    const double rounding = ww_spectrum_rounding(descent->count, greatest);
    double sum = 0.0;
    double outside = 0.0; // square of what is not in the range
    for (int64_t j = 0; j < descent->count; j++) {
        const double square = descent->projections[j] * descent->projections[j];
        if (descent->eigenvalues[j] <= rounding)
            outside += square;
        else
            sum += square / descent->eigenvalues[j]; // NaN stays
    }
    return outside > WW_RANGE_SHARE * rounding * sum ? INFINITY : sum;
}
