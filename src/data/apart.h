/// Rows of unit length that keep a distance from one another. Private to src/data.
#ifndef WIDTHWISE_DATA_APART_H
#define WIDTHWISE_DATA_APART_H

#include "widthwise/error.h"

#include <stdbool.h>
#include <stdint.h>

/// Rows that a check works on at once.
enum { WW_APART_BLOCK = 128 };

typedef struct ww_apart {
    int64_t dimension;
    double least;     ///< smallest distance that is allowed
    double *products; ///< [WW_APART_BLOCK, WW_APART_BLOCK]
} ww_apart;

/// WW_FAILED: memory is short. WW_USAGE: a dimension beyond what BLAS counts.
ww_status ww_apart_make(int64_t dimension, double least, ww_apart *apart, ww_error *error);
void ww_apart_free(ww_apart *apart);

/// Marks in `near` [count] the rows [count, d], at most WW_APART_BLOCK of them, that are nearer
/// than `least` to any of `kept` [kept_count, d], by directly measured distances; those marked
/// before stay so. All rows have norm 1 up to rounding. About 2 d multiplications and additions a
/// pair.
void ww_apart_mark(const ww_apart *apart, const double *rows, int64_t count, const double *kept,
                   int64_t kept_count, bool *near);

/// Whether two rows are nearer than that.
bool ww_apart_is_near(const ww_apart *apart, const double *row, const double *other);

#endif
