/// The larger of two numbers, where fmax would lose what is not a number.
#ifndef WIDTHWISE_GRAM_LARGEST_H
#define WIDTHWISE_GRAM_LARGEST_H

#include <math.h>

/// NaN where either is: an error that is not a number must not look like none.
static inline double ww_larger(double a, double b)
{
    return b <= a || isnan(a) ? a : b;
}

/// Infinity for NaN, since MPI does not say what a maximum with NaN is.
static inline double ww_nan_as_infinity(double value)
{
    return isnan(value) ? (double)INFINITY : value;
}

#endif
