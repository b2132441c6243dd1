/// Triangular factors of rows: the pieces of a tall-skinny QR factorisation.
///
/// Rows [n, d] by rows are, to LAPACK, the matrix [d, n] by columns, so the R of their QR
/// factorisation is found as the transposed L of an LQ, and nothing is transposed in memory. L is a
/// lower trapezoid of d rows and k = min(n, d) columns; here it is kept packed, column after
/// column, each from the diagonal down. It has the singular values of the rows.
///
/// Everything here runs on one rank. The shape of each call is all that its bits depend on.
#ifndef WIDTHWISE_MEASURE_TRIANGLE_H
#define WIDTHWISE_MEASURE_TRIANGLE_H

#include "widthwise/error.h"

#include <stddef.h>
#include <stdint.h>

/// Working memory for one size of rows.
typedef struct ww_triangle_work {
    int dimension;   ///< d
    double *stage;   ///< [most_rows, d]: rows are put here to be factored
    double *scales;  ///< of reflectors
    double *blocks;  ///< of reflectors
    double *scratch; ///< of LAPACK
    int scratch_size;
} ww_triangle_work;

/// Memory for calls with at most `most_rows` rows. Two triangles are combined only where most_rows
/// is 2 d or more.
ww_status ww_triangle_work_create(int dimension, int most_rows, ww_triangle_work *work,
                                  ww_error *error);
/// Bytes of that memory. Pure.
int64_t ww_triangle_work_bytes(int dimension, int most_rows);
void ww_triangle_work_free(ww_triangle_work *work);

/// Doubles in a packed triangle of `columns` columns. Pure.
int64_t ww_triangle_size(int64_t dimension, int64_t columns);

/// Triangle of the `rows` rows in work->stage, which is overwritten.
void ww_triangle_factor(ww_triangle_work *work, int rows, double *triangle);

/// Triangle of the rows of two: `first` of d columns is replaced by that of first and `second`.
void ww_triangle_combine(ww_triangle_work *work, double *first, const double *second,
                         int second_columns);

/// Singular values of a triangle, falling, into values [columns].
ww_status ww_triangle_singular_values(ww_triangle_work *work, const double *triangle, int columns,
                                      double *values, ww_error *error);

#endif
