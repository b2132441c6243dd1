// The hard margin of a data set, between bounds that are proven.
//
// From below: for any a_i >= 0 with v = sum_i a_i y_i x_i, and w* with y_i <w*, x_i> >= 1,
//     sum_i a_i  <=  sum_i a_i y_i <w*, x_i>  =  <w*, v>  <=  ||w*|| ||v||,
// so ||w*|| >= sum_i a_i / ||v||, separable or not. From above: where all margins y_i <w, x_i> are
// at least m > 0, w / m separates with margins of at least 1, and w* is no longer than that.
//
// Rounding: with u = DBL_EPSILON / 2, a product of d terms is off by no more than d u / (1 - d u)
// times the sum of their magnitudes, in whatever order it is summed (Higham, Accuracy and
// Stability, section 3.1), and that sum is at most ||w|| ||x_i||. So are the n terms that a
// coordinate of v is summed of, which makes n u / (1 - n u) sum_i a_i ||x_i|| for the norm of what
// v is off by. Both bounds are taken further apart by twice that, which covers the few roundings of
// norms and quotients too.
#include "data/ascent.h"
#include "data/source.h"

#include "widthwise/memory.h"
#include "widthwise/norm.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double GAP = 0.001; // relative, at which the search ends
static const double LEAST_NORM = 1e-100;
static const double LARGEST_NORM = 1e100;

enum { FURTHER_ROUNDINGS = 16 };

static double slack_of(int64_t terms)
{
    return (double)(terms + FURTHER_ROUNDINGS) * DBL_EPSILON;
}

/// What the multipliers prove.
static double lower_bound(const ww_ascent *ascent)
{
    const int64_t n = ascent->samples->count;
    const double slack = slack_of(n + ascent->dimension);
    double sum = 0.0;
    double weighted = 0.0; // by norms
    for (int64_t i = 0; i < n; i++) {
        sum += ascent->multipliers[i];
        weighted += ascent->multipliers[i] * ascent->norms[i];
    }
    const double norm = ww_norm(ascent->weights, ascent->dimension);
    return sum > 0.0 ? sum * (1.0 - slack) / (norm * (1.0 + slack) + slack * weighted) : 0.0;
}

/// The least margin that the weights are sure to have.
static double least_margin(const ww_ascent *ascent)
{
    const double norm = ww_norm(ascent->weights, ascent->dimension);
    const double slack = slack_of(ascent->dimension) * norm;
    double least = INFINITY;
    for (int64_t i = 0; i < ascent->samples->count; i++)
        least = fmin(least, ascent->margins[i] - slack * ascent->norms[i]);
    return least;
}

/// Keeps the bounds that the ascent proves where they are better than those known.
static void improve(const ww_ascent *ascent, ww_separator *found)
{
    const int64_t d = ascent->dimension;
    const double lower = lower_bound(ascent);
    if (lower > found->lower && lower <= DBL_MAX)
        found->lower = lower;
    const double margin = least_margin(ascent);
    const double norm = ww_norm(ascent->weights, d);
    const double upper = norm / margin * (1.0 + slack_of(d));
    if (!(margin > 0.0) || !(upper < found->upper))
        return;
    found->upper = upper;
    for (int64_t j = 0; j < d; j++)
        found->weights[j] = ascent->weights[j] / margin;
}

/// Whether no upper bound can come any more: the least margin of any w is at most ||w|| / ||w*||,
/// and with w* this long, rounding is allowed more than that.
static bool is_hopeless(const ww_ascent *ascent, double lower)
{
    double least = INFINITY;
    for (int64_t i = 0; i < ascent->samples->count; i++)
        least = fmin(least, ascent->norms[i]);
    return lower * least * slack_of(ascent->dimension) >= 1.0;
}

static void search(ww_ascent *ascent, ww_separator *found)
{
    while (found->upper > found->lower * (1.0 + GAP) && !is_hopeless(ascent, found->lower) &&
           ww_ascent_round(ascent))
        improve(ascent, found);
}

/// Whether products are so far within the range of a double that nothing is lost at its ends;
/// without that nothing is proven.
static bool is_in_range(const ww_ascent *ascent)
{
    for (int64_t i = 0; i < ascent->samples->count; i++)
        if (!(ascent->norms[i] > LEAST_NORM && ascent->norms[i] < LARGEST_NORM))
            return false;
    return true;
}

static bool is_equal(const ww_samples *samples, int64_t dimension, int64_t a, int64_t b)
{
    for (int64_t j = 0; j < dimension; j++)
        if (samples->inputs[a * dimension + j] != samples->inputs[b * dimension + j])
            return false;
    return true;
}

/// What two samples in one direction, but of different classes, prove: an upper bound is out of the
/// question, and with the two alone v is 0 up to rounding.
static void use_pair(ww_ascent *ascent, int64_t first, int64_t second, ww_separator *found)
{
    ascent->multipliers[first] = 1.0 / ascent->norms[first];
    ascent->multipliers[second] = 1.0 / ascent->norms[second];
    ww_ascent_look(ascent);
    const double lower = lower_bound(ascent);
    if (lower > found->lower && lower <= DBL_MAX)
        found->lower = lower;
}

ww_status ww_separator_allocate(int64_t count, int64_t dimension, ww_separator *separator,
                                ww_error *error)
{
    static const char what[] = "a separating hyperplane";
    separator->weights = ww_allocate((size_t)dimension, sizeof *separator->weights, what, error);
    if (separator->weights == NULL)
        return WW_FAILED;
    separator->margins = ww_allocate((size_t)count, sizeof *separator->margins, what, error);
    return separator->margins != NULL ? WW_OK : WW_FAILED;
}

static void finish(const ww_samples *samples, int64_t dimension, ww_separator *found)
{
    if (isinf(found->upper)) {
        ww_separator_free(found);
        return;
    }
    for (int64_t i = 0; i < samples->count; i++) {
        const double *input = samples->inputs + i * dimension;
        found->margins[i] =
            ww_sign_of_label(samples->labels[i]) * ww_row_product(found->weights, input, dimension);
        WW_ASSERT(found->margins[i] >= 1.0);
    }
}

ww_status ww_separator_find(const ww_samples *samples, int64_t dimension, ww_separator *found,
                            ww_error *error)
{
    *found = (ww_separator){.sought = true, .upper = INFINITY};
    ww_coincidence coincidence;
    WW_TRY(ww_coincidence_find(samples, dimension, &coincidence, error));
    if (coincidence.zeros > 0 ||
        (coincidence.unlike[0] >= 0 &&
         is_equal(samples, dimension, coincidence.unlike[0], coincidence.unlike[1]))) {
        found->lower = INFINITY;
        return WW_OK;
    }
    ww_ascent ascent = {0};
    ww_status status = ww_ascent_begin(samples, dimension, INFINITY, &ascent, error);
    if (status == WW_OK)
        status = ww_separator_allocate(samples->count, dimension, found, error);
    if (status == WW_OK && is_in_range(&ascent)) {
        if (coincidence.unlike[0] >= 0)
            use_pair(&ascent, coincidence.unlike[0], coincidence.unlike[1], found);
        else
            search(&ascent, found);
    }
    ww_ascent_free(&ascent);
    if (status == WW_OK)
        finish(samples, dimension, found);
    else
        ww_separator_free(found);
    return status;
}

void ww_separator_free(ww_separator *separator)
{
    free(separator->weights);
    free(separator->margins);
    separator->weights = separator->margins = NULL;
}
