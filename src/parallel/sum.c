#include "widthwise/sum.h"

#include "widthwise/memory.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

// The trick of the magic number: for |x| < 2^51 q, the sum x + 1.5 * 2^52 q lies where doubles are
// q apart, so the addition itself rounds x to a multiple of q (to nearest, ties to even), and
// subtracting gives that multiple exactly. It needs no branch and vectorises.
//
// A value v is split into high = round(v / high_quantum) and low = round((v - high * high_quantum)
// / low_quantum). The first difference is exact. What is lost is below half a low_quantum a term.

static const int MOST_BITS = 50;
static const int WORD_BITS = 62;
// Ranges of ww_sum_terms: below the first, quanta would not be normal numbers; above the second,
// the magic number would be infinite.
static const double SMALLEST_RANGE = -800.0;
static const double LARGEST_RANGE = 1000.0;

ww_sum_format ww_sum_format_make(int64_t terms, int range_exponent)
{
    WW_ASSERT(terms >= 1);
    int bits = WORD_BITS;
    for (int64_t capacity = 1; capacity < terms; capacity *= 2)
        bits--;
    if (bits > MOST_BITS)
        bits = MOST_BITS;
    ww_sum_format format = {.limit = ldexp(1.0, range_exponent)};
    format.high_quantum = ldexp(1.0, range_exponent - bits);
    format.low_quantum = ldexp(1.0, range_exponent - 2 * bits);
    format.high_magic = ldexp(1.5, 52) * format.high_quantum;
    format.low_magic = ldexp(1.5, 52) * format.low_quantum;
    return format;
}

int64_t ww_sum_add(const ww_sum_format *format, const double *values, size_t count, int64_t *words)
{
    const double limit = format->limit;
    const double high_magic = format->high_magic;
    const double low_magic = format->low_magic;
    const double high_scale = 1.0 / format->high_quantum; // powers of two: exact
    const double low_scale = 1.0 / format->low_quantum;
    int64_t *high_words = words;
    int64_t *low_words = words + count;
    int64_t rejected = 0;
    for (size_t i = 0; i < count; i++) {
        const int inside = fabs(values[i]) < limit; // false for NaN
        const double value = inside ? values[i] : 0.0;
        const double high = (value + high_magic) - high_magic;
        const double rest = value - high;
        const double low = (rest + low_magic) - low_magic;
        high_words[i] += (int64_t)(high * high_scale);
        low_words[i] += (int64_t)(low * low_scale);
        rejected += !inside;
    }
    return rejected;
}

void ww_sum_values(const ww_sum_format *format, const int64_t *words, size_t count, double *values)
{
    for (size_t i = 0; i < count; i++) {
        // High words may have more than 53 bits: what is above 2^32, to nearest so that small sums
        // keep their accuracy, is carried apart. Every conversion is exact; only additions round.
        const int64_t high = words[i];
        const int64_t coarse = (high + INT64_C(0x80000000)) >> 32;
        const int64_t fine = high - coarse * INT64_C(0x100000000);
        const double low = (double)words[count + i] * format->low_quantum;
        values[i] = (double)coarse * (4294967296.0 * format->high_quantum) +
                    ((double)fine * format->high_quantum + low);
    }
}

// One more than the exponent of the largest |term| of each sum; -DBL_MAX where all are 0. A term
// that is not finite makes it infinite.
void ww_sum_term_ranges(const double *terms, int64_t local, size_t count, double *exponents)
{
    for (size_t i = 0; i < count; i++) {
        exponents[i] = -DBL_MAX;
        for (int64_t term = 0; term < local; term++) {
            const double value = terms[(size_t)term * count + i];
            int exponent = 0;
            if (!isfinite(value))
                exponents[i] = HUGE_VAL;
            else if (value != 0.0 && (frexp(value, &exponent), exponent > exponents[i]))
                exponents[i] = exponent;
        }
    }
}

static ww_sum_format term_format(int64_t most_terms, double exponent)
{
    return ww_sum_format_make(most_terms, (int)fmax(exponent, SMALLEST_RANGE));
}

ww_status ww_sum_term_words(const double *exponents, const double *terms, int64_t local,
                            size_t count, int64_t most_terms, int64_t *words, ww_error *error)
{
    for (size_t i = 0; i < count; i++) {
        if (exponents[i] > LARGEST_RANGE)
            return ww_fail(error, WW_DIVERGED,
                           "a term of a sum over units is not finite or above 2^1000");
        const ww_sum_format format = term_format(most_terms, exponents[i]);
        int64_t pair[2] = {0, 0};
        int64_t rejected = 0;
        for (int64_t term = 0; term < local; term++)
            rejected += ww_sum_add(&format, terms + (size_t)term * count + i, 1, pair);
        WW_ASSERT(rejected == 0);
        words[i] = pair[0];
        words[count + i] = pair[1];
    }
    return WW_OK;
}

void ww_sum_term_values(const double *exponents, const int64_t *words, size_t count,
                        int64_t most_terms, double *sums)
{
    for (size_t i = 0; i < count; i++) {
        const ww_sum_format format = term_format(most_terms, exponents[i]);
        const int64_t pair[2] = {words[i], words[count + i]};
        ww_sum_values(&format, pair, 1, sums + i);
    }
}

ww_status ww_sum_terms(const ww_parallel *parallel, const double *terms, int64_t local,
                       size_t count, int64_t most_terms, double *sums, ww_error *error)
{
    double *exponents = ww_allocate(count, sizeof *exponents, "the ranges of sums", error);
    int64_t *words = ww_allocate(2 * count, sizeof *words, "the words of sums", error);
    ww_status status =
        ww_agree(parallel, exponents != NULL && words != NULL ? WW_OK : WW_FAILED, error);
    if (status == WW_OK) {
        ww_sum_term_ranges(terms, local, count, exponents);
        status = ww_maximum(parallel, exponents, count, error);
    }
    if (status == WW_OK)
        status = ww_sum_term_words(exponents, terms, local, count, most_terms, words, error);
    if (status == WW_OK)
        status = ww_sum_words(parallel, words, 2 * count, error);
    if (status == WW_OK)
        ww_sum_term_values(exponents, words, count, most_terms, sums);
    free(exponents);
    free(words);
    return status;
}
