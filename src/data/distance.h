/// Distances of samples, measured one by one or in blocks. Private to src/data.
///
/// A matrix product gives the squared distances of two blocks of rows, each with an error bound
/// that is proved below; only pairs that this leaves open are measured again as a plain sum of
/// squared differences. So what is decided by a distance is decided by the *directly* measured one,
/// whatever the product rounds: close pairs lose no digits, and the bits depend neither on the
/// number of ranks nor on the BLAS.
#ifndef WIDTHWISE_DATA_DISTANCE_H
#define WIDTHWISE_DATA_DISTANCE_H

#include <float.h>
#include <stdint.h>

enum { WW_DISTANCE_LANES = 8 };

/// Sum of squared differences, in lanes so that the compiler may use vectors; always in this order.
static inline double ww_squared_distance(const double *x, const double *y, int64_t dimension)
{
    double lanes[WW_DISTANCE_LANES] = {0.0};
    int64_t j = 0;
    for (; j + WW_DISTANCE_LANES <= dimension; j += WW_DISTANCE_LANES)
        for (int l = 0; l < WW_DISTANCE_LANES; l++) {
            const double difference = x[j + l] - y[j + l];
            lanes[l] += difference * difference;
        }
    for (int l = 0; j < dimension; j++, l++) {
        const double difference = x[j] - y[j];
        lanes[l] += difference * difference;
    }
    double sum = 0.0;
    for (int l = 0; l < WW_DISTANCE_LANES; l++)
        sum += lanes[l];
    return sum;
}

/// What |x|^2 + |y|^2 - 2 x.y in doubles is off by at most, relative to |x|^2 + |y|^2, together
/// with the rounding of the direct sum.
///
/// With u = eps / 2 a sum of d products is off by at most d u / (1 - d u) times the sum of their
/// magnitudes, in any order (Higham, section 3.1), and |x| |y| <= (|x|^2 + |y|^2) / 2. That makes
/// at most (d + 3) u (|x|^2 + |y|^2) for the norms and their sum, the same for twice the product,
/// and twice that for the direct sum, |x - y|^2 being at most 2 (|x|^2 + |y|^2): 4 (d + 3) u in
/// all. Taken twice over, for the higher orders.
static inline double ww_distance_bound(int64_t dimension)
{
    return 4.0 * ((double)dimension + 3.0) * DBL_EPSILON;
}

#endif
