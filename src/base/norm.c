#include "widthwise/norm.h"

#include <float.h>
#include <math.h>

static double sum_of_squares(const double *values, int64_t count, int exponent)
{
    double squares = 0.0;
    for (int64_t i = 0; i < count; i++) {
        const double scaled = ldexp(values[i], exponent);
        squares += scaled * scaled;
    }
    return squares;
}

double ww_norm(const double *values, int64_t count)
{
    double squares = 0.0;
    for (int64_t i = 0; i < count; i++)
        squares += values[i] * values[i];
    if (isnan(squares) || (squares > DBL_MIN / DBL_EPSILON && squares <= DBL_MAX))
        return sqrt(squares);
    // Squares leave the range of a double, or digits at its lower end: scaled by a power of two,
    // which is exact, they do not.
    double largest = 0.0;
    for (int64_t i = 0; i < count; i++)
        largest = fmax(largest, fabs(values[i]));
    if (largest == 0.0 || isinf(largest))
        return largest;
    int exponent = 0;
    (void)frexp(largest, &exponent);
    return ldexp(sqrt(sum_of_squares(values, count, -exponent)), exponent);
}

double ww_largest_norm(const double *rows, int64_t count, int64_t columns)
{
    double largest = 0.0;
    for (int64_t i = 0; i < count; i++)
        largest = fmax(largest, ww_norm(rows + i * columns, columns));
    return largest;
}
