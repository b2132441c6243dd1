/// Order-independent sums of matrices whose columns have ranges of their own.
///
/// As in sum.h terms are written as integers, so that any order and any grouping gives the same
/// bits. There all values of a sum have one range; here each column has one, agreed on beforehand,
/// so that a column of small numbers is summed as accurately as one of large ones. A term takes one
/// word, which is enough for numbers of single precision, or two.
///
/// Words of a sum of matrices [rows, columns]: [rows, words, columns], the high words first. Of
/// symmetric matrices one triangle is enough: [words, columns - row] of each row, from its diagonal
/// on.
#ifndef WIDTHWISE_COLUMN_SUM_H
#define WIDTHWISE_COLUMN_SUM_H

#include "widthwise/error.h"

#include <stddef.h>
#include <stdint.h>

/// How the terms of each column are written as integers.
typedef struct ww_column_format {
    int64_t capacity; ///< columns that there is room for
    int64_t columns;
    int words; ///< of a value: 1 or 2
    int bits;  ///< of a word
    /// Five numbers of each column, [5, columns]: the limit that terms must stay below, the units
    /// of high and low words, and for both 1.5 * 2^52 of it, which when added rounds to it.
    double *numbers;
} ww_column_format;

/// Format for at most `terms` terms. Not collective. Free with ww_column_format_free.
ww_status ww_column_format_create(ww_column_format *format, int64_t capacity, int64_t terms,
                                  int words, ww_error *error);
void ww_column_format_free(ww_column_format *format);
/// Bytes that it takes. Pure.
int64_t ww_column_format_bytes(int64_t capacity);

/// Sets the ranges: terms of column i stay below `sizes[i] * 2^exponent`, rounded up to a power of
/// two, within 2^-800 and 2^960. A size of 0 is of a column of zeroes. Sizes are finite.
void ww_column_format_set(ww_column_format *format, int64_t columns, const double *sizes,
                          int exponent);

/// Adds a matrix of terms, values [rows, columns]. Returns the number of terms that are out of
/// range or not finite (those are left out).
int64_t ww_column_sum_add(const ww_column_format *format, const double *values, int64_t rows,
                          int64_t *words);
int64_t ww_column_sum_add_single(const ww_column_format *format, const float *values, int64_t rows,
                                 int64_t *words);

/// The sums as doubles, values [rows, columns].
void ww_column_sum_values(const ww_column_format *format, const int64_t *words, int64_t rows,
                          double *values);

/// The same of square matrices of which only the upper triangle is looked at, values [columns,
/// columns], and is given back: `words` has words * columns * (columns + 1) / 2 entries.
int64_t ww_column_sum_add_upper(const ww_column_format *format, const double *values,
                                int64_t *words);
void ww_column_sum_upper_values(const ww_column_format *format, const int64_t *words,
                                double *values);

#endif
