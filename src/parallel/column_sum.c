#include "widthwise/column_sum.h"

#include "widthwise/memory.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

// Terms are split as in sum.c. Where a term v has been rounded to a multiple of the unit q by
// adding the magic number 1.5 * 2^52 q, the sum lies where doubles are q apart: its bits, taken as
// an integer, less those of the magic number are the multiple itself. So no number is converted.

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
// The right version is taken when the program is loaded; all do the same operations.
#define VECTORISED __attribute__((target_clones("avx2", "default")))
#else
#define VECTORISED
#endif
#define INLINED static inline __attribute__((always_inline))

static const int MOST_BITS = 50;
static const int WORD_BITS = 62;
// Below, units would not be normal numbers; above, magic numbers would not be finite.
static const int SMALLEST_RANGE = -800;
static const int LARGEST_RANGE = 960;

enum { LIMIT, HIGH_UNIT, LOW_UNIT, HIGH_MAGIC, LOW_MAGIC, NUMBERS };

int64_t ww_column_format_bytes(int64_t capacity)
{
    return capacity * NUMBERS * (int64_t)sizeof(double);
}

ww_status ww_column_format_create(ww_column_format *format, int64_t capacity, int64_t terms,
                                  int words, ww_error *error)
{
    WW_ASSERT(terms >= 1 && (words == 1 || words == 2));
    int bits = WORD_BITS;
    for (int64_t count = 1; count < terms; count *= 2)
        bits--;
    *format = (ww_column_format){
        .capacity = capacity, .words = words, .bits = bits < MOST_BITS ? bits : MOST_BITS};
    format->numbers = ww_allocate((size_t)(capacity * NUMBERS), sizeof *format->numbers,
                                  "the ranges of sums over units", error);
    return format->numbers != NULL ? WW_OK : WW_FAILED;
}

void ww_column_format_free(ww_column_format *format)
{
    free(format->numbers);
    *format = (ww_column_format){0};
}

static double *numbers_of(const ww_column_format *format, int which)
{
    return format->numbers + which * format->columns;
}

void ww_column_format_set(ww_column_format *format, int64_t columns, const double *sizes,
                          int exponent)
{
    WW_ASSERT(columns <= format->capacity);
    format->columns = columns;
    for (int64_t i = 0; i < columns; i++) {
        int range = 0;
        (void)frexp(sizes[i], &range);
        range += exponent;
        if (sizes[i] == 0.0 || range < SMALLEST_RANGE)
            range = SMALLEST_RANGE;
        if (range > LARGEST_RANGE)
            range = LARGEST_RANGE;
        const double high = ldexp(1.0, range - format->bits);
        const double low = ldexp(1.0, range - 2 * format->bits);
        numbers_of(format, LIMIT)[i] = ldexp(1.0, range);
        numbers_of(format, HIGH_UNIT)[i] = high;
        numbers_of(format, LOW_UNIT)[i] = low;
        numbers_of(format, HIGH_MAGIC)[i] = ldexp(1.5, 52) * high;
        numbers_of(format, LOW_MAGIC)[i] = ldexp(1.5, 52) * low;
    }
}

INLINED int64_t bits_of(double value)
{
    int64_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

// One term of one word, and of two. Returns whether it was left out.
INLINED int64_t add_one(double term, double limit, double magic, int64_t *word)
{
    const int inside = fabs(term) < limit; // false for NaN
    const double value = inside ? term : 0.0;
    *word += bits_of(value + magic) - bits_of(magic);
    return !inside;
}

INLINED int64_t add_two(double term, double limit, double high_magic, double low_magic,
                        int64_t *high_word, int64_t *low_word)
{
    const int inside = fabs(term) < limit;
    const double value = inside ? term : 0.0;
    const double high = value + high_magic;
    const double rest = value - (high - high_magic);
    *high_word += bits_of(high) - bits_of(high_magic);
    *low_word += bits_of(rest + low_magic) - bits_of(low_magic);
    return !inside;
}

// Terms of columns first .. first + count - 1 of one row.
INLINED int64_t add_row(const ww_column_format *format, const double *restrict terms, int64_t first,
                        int64_t count, int64_t *restrict high)
{
    const double *restrict limits = numbers_of(format, LIMIT) + first;
    const double *restrict high_magic = numbers_of(format, HIGH_MAGIC) + first;
    const double *restrict low_magic = numbers_of(format, LOW_MAGIC) + first;
    int64_t *restrict low = high + count;
    int64_t rejected = 0;
    if (format->words == 1)
        for (int64_t i = 0; i < count; i++)
            rejected += add_one(terms[i], limits[i], high_magic[i], high + i);
    else
        for (int64_t i = 0; i < count; i++)
            rejected +=
                add_two(terms[i], limits[i], high_magic[i], low_magic[i], high + i, low + i);
    return rejected;
}

VECTORISED int64_t ww_column_sum_add(const ww_column_format *format, const double *values,
                                     int64_t rows, int64_t *words)
{
    const int64_t columns = format->columns;
    int64_t rejected = 0;
    for (int64_t row = 0; row < rows; row++)
        rejected += add_row(format, values + row * columns, 0, columns,
                            words + row * format->words * columns);
    return rejected;
}

VECTORISED int64_t ww_column_sum_add_upper(const ww_column_format *format, const double *values,
                                           int64_t *words)
{
    const int64_t columns = format->columns;
    int64_t rejected = 0;
    for (int64_t row = 0; row < columns; row++) {
        rejected += add_row(format, values + row * columns + row, row, columns - row, words);
        words += format->words * (columns - row);
    }
    return rejected;
}

VECTORISED int64_t ww_column_sum_add_single(const ww_column_format *format, const float *values,
                                            int64_t rows, int64_t *words)
{
    const int64_t columns = format->columns;
    const double *restrict limits = numbers_of(format, LIMIT);
    const double *restrict high_magic = numbers_of(format, HIGH_MAGIC);
    const double *restrict low_magic = numbers_of(format, LOW_MAGIC);
    int64_t rejected = 0;
    for (int64_t row = 0; row < rows; row++) {
        const float *restrict terms = values + row * columns;
        int64_t *restrict high = words + row * format->words * columns;
        int64_t *restrict low = high + columns;
        if (format->words == 1)
            for (int64_t i = 0; i < columns; i++)
                rejected += add_one((double)terms[i], limits[i], high_magic[i], high + i);
        else
            for (int64_t i = 0; i < columns; i++)
                rejected += add_two((double)terms[i], limits[i], high_magic[i], low_magic[i],
                                    high + i, low + i);
    }
    return rejected;
}

// A word may have more than 53 bits: what is above 2^32, to nearest, is carried apart, as in sum.c.
static double value_of(int64_t word, double unit, double rest)
{
    const int64_t coarse = (word + INT64_C(0x80000000)) >> 32;
    const int64_t fine = word - coarse * INT64_C(0x100000000);
    return (double)coarse * (4294967296.0 * unit) + ((double)fine * unit + rest);
}

static void row_values(const ww_column_format *format, const int64_t *high, int64_t first,
                       int64_t count, double *values)
{
    const double *high_units = numbers_of(format, HIGH_UNIT) + first;
    const double *low_units = numbers_of(format, LOW_UNIT) + first;
    for (int64_t i = 0; i < count; i++) {
        const double rest = format->words == 2 ? (double)high[count + i] * low_units[i] : 0.0;
        values[i] = value_of(high[i], high_units[i], rest);
    }
}

void ww_column_sum_values(const ww_column_format *format, const int64_t *words, int64_t rows,
                          double *values)
{
    const int64_t columns = format->columns;
    for (int64_t row = 0; row < rows; row++)
        row_values(format, words + row * format->words * columns, 0, columns,
                   values + row * columns);
}

void ww_column_sum_upper_values(const ww_column_format *format, const int64_t *words,
                                double *values)
{
    const int64_t columns = format->columns;
    for (int64_t row = 0; row < columns; row++) {
        row_values(format, words, row, columns - row, values + row * columns + row);
        words += format->words * (columns - row);
    }
}
