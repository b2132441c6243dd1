/// Dual coordinate ascent for a hyperplane through the origin that separates two classes, with a
/// soft margin or a hard one. Private to src/data. One rank alone.
///
/// The problem (support vector machine without bias, y = +1 for class 0 and -1 for any other):
///     min over w of  1/2 ||w||^2 + C sum_i max(0, 1 - y_i <w, x_i>),
/// or with C infinite  min 1/2 ||w||^2  with  y_i <w, x_i> >= 1  for all i. Its dual is
///     max over 0 <= a_i <= C of  sum_i a_i - 1/2 ||sum_i a_i y_i x_i||^2,
/// and at the optimum w = sum_i a_i y_i x_i. One a_i at a time is brought to its best value (Hsieh,
/// Chang, Lin, Keerthi and Sundararajan, 2008), which takes one product and one sum with a row.
///
/// Work goes by rounds: all samples are looked at once, at fixed weights; then those that would
/// move, or are free to, are gone over several times, few enough to stay in the cache. The sums
/// have one order whatever the processor, and the order of samples comes from one fixed stream: the
/// result is a function of the samples alone.
#ifndef WIDTHWISE_DATA_ASCENT_H
#define WIDTHWISE_DATA_ASCENT_H

#include "widthwise/data.h"

#include <stdbool.h>
#include <stdint.h>

/// An ascent under way. Starts as zeroes.
typedef struct ww_ascent {
    const ww_samples *samples; ///< borrowed: [n, d]
    int64_t dimension;         ///< d
    double penalty;            ///< C; infinite: hard margin
    double *norms;             ///< [n], ||x_i||
    double *multipliers;       ///< [n], a_i
    double *weights;           ///< [d], w = sum_i a_i y_i x_i
    double *margins;           ///< [n], y_i <w, x_i> when last looked at
    int64_t *active;           ///< [active_count], samples that may move, rising
    int64_t *order;            ///< [n], room
    int64_t active_count;
    uint32_t passes;  ///< over active samples so far
    double rows_left; ///< products and sums with a row that may still be made
} ww_ascent;

/// +1 for class 0, else -1.
static inline double ww_sign_of_label(int64_t label)
{
    return label == 0 ? 1.0 : -1.0;
}

/// <a, b> of two vectors [count], with the bits that every processor has. Pure.
double ww_row_product(const double *a, const double *b, int64_t count);

/// Begins at a = 0 and w = 0, and looks. WW_FAILED: memory is short; free it then too.
ww_status ww_ascent_begin(const ww_samples *samples, int64_t dimension, double penalty,
                          ww_ascent *ascent, ww_error *error);
void ww_ascent_free(ww_ascent *ascent);

/// Bytes that it takes. Pure.
int64_t ww_ascent_bytes(int64_t samples, int64_t dimension);

/// Sums the weights up anew from the multipliers, so that rounding does not pile up, and takes all
/// margins at them.
void ww_ascent_look(ww_ascent *ascent);

/// One round: passes over the active samples, and a look. False, and nothing done, where the work
/// that is allowed is used up or no sample would move.
bool ww_ascent_round(ww_ascent *ascent);

#endif
