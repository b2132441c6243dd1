/// Order-independent sums of doubles.
///
/// Floating-point addition is not associative, so a sum over ranks would depend on their number.
/// Here each term is split into two integers of `bits` bits (a fixed-point number with a stated
/// quantum), and integers are added: any order and any grouping gives the same bits. A term outside
/// the range, or one that is not finite, is counted in an extra word that travels with the sums:
/// the caller treats it as divergence. Nothing ever wraps: bits + log2(terms) <= 62.
///
/// Words of a sum of `count` values: high parts [count], then low parts [count].
#ifndef WIDTHWISE_SUM_H
#define WIDTHWISE_SUM_H

#include "widthwise/parallel.h"

#include <stddef.h>
#include <stdint.h>

/// How the terms of one sum are written as integers.
typedef struct ww_sum_format {
    double limit;        ///< terms must be smaller than this in magnitude; a power of two
    double high_quantum; ///< unit of the high word
    double low_quantum;  ///< unit of the low word, the quantum of the sum
    double high_magic;   ///< 1.5 * 2^52 * high_quantum: adding and subtracting it rounds
    double low_magic;
} ww_sum_format;

/// Format for at most `terms` terms smaller than 2^range_exponent each. The quantum is
/// 2^(range_exponent - 2 bits) with bits = min(50, 62 - ceil(log2 terms)). Pure.
ww_sum_format ww_sum_format_make(int64_t terms, int range_exponent);

/// Adds the term values[i] to sum i for all i < count. `words` has shape [2 count]. Returns the
/// number of terms that are out of range or not finite (those are left out).
int64_t ww_sum_add(const ww_sum_format *format, const double *values, size_t count, int64_t *words);

/// The sums as doubles. `words` [2 count], `values` [count]. Correct to the last bit but for one
/// rounding of the low part.
void ww_sum_values(const ww_sum_format *format, const int64_t *words, size_t count, double *values);

/// Sums terms of unknown size over all ranks: `terms` [local, count] holds this rank's terms of
/// each of `count` sums, `most_terms` bounds their number over all ranks. The largest magnitude is
/// agreed on first and sets the range, so the error is below 2^-70 of the largest term
/// (or 2^-880, for terms as small as that). `sums` [count], the same on all ranks. WW_DIVERGED when
/// a term is not finite or above 2^1000. Collective.
ww_status ww_sum_terms(const ww_parallel *parallel, const double *terms, int64_t local,
                       size_t count, int64_t most_terms, double *sums, ww_error *error);

/// The parts of ww_sum_terms, for sums that travel with others. First the ranges of this rank's
/// terms, `exponents` [count], of which the largest over ranks is to be taken (ww_maximum). Pure.
void ww_sum_term_ranges(const double *terms, int64_t local, size_t count, double *exponents);
/// Then the terms as words [2 count], all 0 before, which are to be summed (ww_sum_words).
/// WW_DIVERGED as above, the same on all ranks. Not collective.
ww_status ww_sum_term_words(const double *exponents, const double *terms, int64_t local,
                            size_t count, int64_t most_terms, int64_t *words, ww_error *error);
/// Last the sums [count]. Pure.
void ww_sum_term_values(const double *exponents, const int64_t *words, size_t count,
                        int64_t most_terms, double *sums);

#endif
