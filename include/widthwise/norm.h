/// The Euclidean norm of a vector.
#ifndef WIDTHWISE_NORM_H
#define WIDTHWISE_NORM_H

#include <stdint.h>

/// ||values||_2 of values [count], whatever their range: infinite only where the norm itself is
/// more than the largest double, 0 only for the zero vector. Within (count / 2 + 2) rounding
/// errors of DBL_EPSILON / 2; exact where squares and their sums are. Squares are summed one after
/// the other: the same bits on every processor. Pure.
double ww_norm(const double *values, int64_t count);

/// The largest of the norms of rows [count, columns]; 0 without any. Pure.
double ww_largest_norm(const double *rows, int64_t count, int64_t columns);

#endif
