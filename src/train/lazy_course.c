#include "train/lazy_bounds.h"

#include "widthwise/memory.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

// Floats of a row are looked at by so many.
enum { GROUP = 8, ARRAYS = 22 };

static int64_t path_stride(const ww_problem *problem)
{
    return (ww_lazy_forecast_most(problem) + 1 + GROUP - 1) / GROUP * GROUP + GROUP;
}

static void list_arrays(const ww_problem *problem, ww_allocation list[ARRAYS])
{
    static const char what[] = "the course of the steps to come";
    const size_t n = (size_t)problem->data->train.count;
    const size_t stride = (size_t)ww_sample_products_stride((int64_t)n);
    const size_t steps = (size_t)ww_lazy_forecast_most(problem) + 1;
    const size_t span = (size_t)problem->outputs * stride;
    const size_t rows = (size_t)ww_lazy_share_most_rows(problem);
    const bool has_paths = ww_lazy_is_full_batch(problem);
    const size_t paths = has_paths ? n * (size_t)path_stride(problem) : 0;
    const ww_allocation arrays[] = {
        {offsetof(ww_lazy_course, norms), n, sizeof(double), what},
        {offsetof(ww_lazy_course, others), n, sizeof(double), what},
        {offsetof(ww_lazy_course, products), rows * stride, sizeof(float), what},
        {offsetof(ww_lazy_course, magnitudes), rows * stride, sizeof(float), what},
        {offsetof(ww_lazy_course, limit_rows), n * WW_LAZY_LIMITS, sizeof(float), what},
        {offsetof(ww_lazy_course, base), span, sizeof(double), what},
        {offsetof(ww_lazy_course, chord), span, sizeof(double), what},
        {offsetof(ww_lazy_course, chord_lengths), stride, sizeof(double), what},
        {offsetof(ww_lazy_course, rest), steps * span, sizeof(double), what},
        {offsetof(ww_lazy_course, along), (size_t)path_stride(problem), sizeof(float), what},
        {offsetof(ww_lazy_course, spent), steps, sizeof(double), what},
        {offsetof(ww_lazy_course, paths[WW_LAZY_FALLS]), paths, sizeof(float), what},
        {offsetof(ww_lazy_course, paths[WW_LAZY_RISES]), paths, sizeof(float), what},
        {offsetof(ww_lazy_course, limits[WW_LAZY_FALLS]), stride, sizeof(float), what},
        {offsetof(ww_lazy_course, limits[WW_LAZY_RISES]), stride, sizeof(float), what},
        {offsetof(ww_lazy_course, slacks), stride, sizeof(float), what},
        {offsetof(ww_lazy_course, boxes), stride, sizeof(float), what},
        {offsetof(ww_lazy_course, travelled), stride, sizeof(double), what},
        {offsetof(ww_lazy_course, rounding), n, sizeof(double), what},
        {offsetof(ww_lazy_course, shares), stride, sizeof(float), what},
        {offsetof(ww_lazy_course, room), 2 * paths, sizeof(float), what},
        {offsetof(ww_lazy_course, increments), steps * stride, sizeof(float), what},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

int64_t ww_lazy_course_bytes(const ww_problem *problem)
{
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    return ww_allocation_bytes(list, ARRAYS) + ww_lazy_forecast_bytes(problem);
}

ww_status ww_lazy_course_create(const ww_lazy_pairs *pairs, const ww_lazy_share *share,
                                double scale, ww_lazy_course *course, ww_error *error)
{
    const int64_t n = pairs->samples, stride = pairs->stride;
    *course = (ww_lazy_course){.pairs = pairs,
                               .share = share,
                               .scale = scale,
                               .span = pairs->outputs * stride,
                               .is_full_batch = ww_lazy_is_full_batch(pairs->problem),
                               .path_stride = path_stride(pairs->problem),
                               .deviation = 0.02,
                               .amplitude = 0.02,
                               .past = {.idle = -1.0, .folds = -1.0}};
    ww_allocation list[ARRAYS];
    list_arrays(pairs->problem, list);
    WW_TRY(ww_allocate_all(course, list, ARRAYS, error));
    WW_TRY(ww_lazy_forecast_create(pairs, share, scale, &course->forecast, error));
    for (int64_t i = 0; i < n; i++) {
        double square = 0.0;
        for (int64_t j = 0; j < n; j++) {
            const double product = pairs->products[i * stride + j];
            square += product * product;
            if (j != i)
                course->others[i] = fmax(course->others[i], fabs(product));
        }
        course->norms[i] = sqrt(square) * (1.0 + 1e-12);
        course->largest_other = fmax(course->largest_other, course->others[i]);
    }
    for (int64_t i = 0; i < share->rows * stride; i++) {
        const double product = pairs->products[share->first * stride + i];
        course->products[i] = (float)product;
        course->magnitudes[i] = i % stride < n ? nextafterf((float)fabs(product), INFINITY) : 0.0F;
    }
    return WW_OK;
}

void ww_lazy_course_free(ww_lazy_course *course)
{
    ww_lazy_forecast_free(&course->forecast);
    free(course->norms);
    free(course->others);
    free(course->products);
    free(course->magnitudes);
    free(course->limit_rows);
    free(course->base);
    free(course->chord);
    free(course->chord_lengths);
    free(course->rest);
    free(course->along);
    free(course->spent);
    for (int way = 0; way < WW_LAZY_WAYS; way++) {
        free(course->paths[way]);
        free(course->limits[way]);
    }
    free(course->slacks);
    free(course->boxes);
    free(course->travelled);
    free(course->rounding);
    free(course->shares);
    free(course->room);
    free(course->increments);
}

bool ww_lazy_course_holds(ww_lazy_course *course, const double *totals, const double *factors)
{
    const int64_t span = course->span;
    const int64_t at = course->at;
    if (course->length == 0 || at >= course->length)
        return false;
    const double *expected = course->forecast.factors + at * span;
    const double *places = course->forecast.totals + at * span;
    double deviation = 0.0;
    double amplitude = 0.0;
    for (int64_t j = 0; j < span; j++) {
        const double astray = factors[j] - expected[j];
        const double away = totals[j] - places[j] + astray;
        deviation += astray * astray;
        amplitude += away * away;
    }
    const double step = course->spent[at + 1] - course->spent[at];
    const double whole = course->spent[course->length];
    if (deviation > 0.0) // else there may be nothing to divide by
        deviation = sqrt(deviation) * (1.0 + 1e-9) / step;
    if (amplitude > 0.0)
        amplitude = sqrt(amplitude) * (1.0 + 1e-9) / whole;
    if (!(deviation <= course->deviation && amplitude <= course->amplitude)) {
        course->ended_early = true;
        return false;
    }
    course->worst_deviation = fmax(course->worst_deviation, deviation);
    course->worst_amplitude = fmax(course->worst_amplitude, amplitude);
    return true;
}

// What was allowed too little of is allowed more, and the other way round.
static void learn(ww_lazy_course *course)
{
    if (course->length == 0)
        return;
    if (course->ended_early) {
        course->deviation *= 1.7;
        course->amplitude *= 1.7;
    } else {
        const double deviation = course->worst_deviation, amplitude = course->worst_amplitude;
        course->deviation =
            fmax(fmax(0.5 * course->deviation + 0.75 * deviation, 1.3 * deviation), 1e-5);
        course->amplitude =
            fmax(fmax(0.5 * course->amplitude + 0.75 * amplitude, 1.3 * amplitude), 1e-6);
    }
    course->past.length = course->at > 0 ? course->at : 1;
}

void ww_lazy_course_restart(ww_lazy_course *course, const double *totals)
{
    const int64_t n = course->pairs->samples;
    learn(course);
    memcpy(course->base, totals, (size_t)course->span * sizeof *totals);
    memset(course->chord, 0, (size_t)course->span * sizeof *course->chord);
    memset(course->along, 0, (size_t)course->path_stride * sizeof *course->along);
    for (int64_t i = 0; i < n; i++)
        course->rounding[i] = 0.0;
    course->length = course->at = 0;
}

bool ww_lazy_course_is_worn(const ww_lazy_course *course)
{
    double rounding = 0.0;
    double limits = 0.0;
    for (int64_t i = 0; i < course->pairs->samples; i++) {
        rounding += course->rounding[i];
        limits += course->limits[WW_LAZY_FALLS][i];
    }
    return rounding > 0.3 * limits;
}

// The chord to step `length`, where on it R~ is, and what it leaves.
static void find_chord(ww_lazy_course *course, int64_t length)
{
    const int64_t n = course->pairs->samples, span = course->span;
    double square = 0.0;
    for (int64_t j = 0; j < span; j++) {
        course->chord[j] = course->forecast.totals[length * span + j] - course->base[j];
        square += course->chord[j] * course->chord[j];
    }
    for (int64_t j = 0; j < n; j++)
        course->chord_lengths[j] = ww_lazy_length(course->pairs, course->chord, j);
    for (int64_t k = 0; k <= length; k++) {
        const double *place = course->forecast.totals + k * span;
        double *rest = course->rest + k * span;
        double product = 0.0;
        for (int64_t j = 0; j < span; j++)
            product += (place[j] - course->base[j]) * course->chord[j];
        course->along[k] = square > 0.0 ? (float)(product / square) : 0.0F;
        for (int64_t j = 0; j < span; j++)
            rest[j] = place[j] - course->base[j] - (double)course->along[k] * course->chord[j];
    }
    for (int64_t k = length + 1; k < course->path_stride; k++)
        course->along[k] = course->along[length];
    course->least_along = course->most_along = course->along[length > 0 ? 1 : 0];
    for (int64_t k = 1; k <= length; k++) {
        course->least_along = fminf(course->least_along, course->along[k]);
        course->most_along = fmaxf(course->most_along, course->along[k]);
    }
}

// Nanoseconds: to begin a window, for a pair and a sample, and for a pair.
static const double BUILDING = 0.012, SCANNING = 1.0;

// The time that a step takes in a window of that length.
static ww_status find_cost(ww_lazy_course *course, int64_t length, double *cost, ww_error *error)
{
    const ww_problem *problem = course->pairs->problem;
    const double n = (double)course->pairs->samples;
    const double m = (double)problem->tiling.width;
    find_chord(course, length);
    double limits = 0.0;
    ww_lazy_find_shares(course, length);
    WW_TRY(ww_lazy_find_limits(course, length, &limits, error));
    const double building = m * n * (BUILDING * n + SCANNING);
    const double idle = course->past.idle >= 0.0 ? course->past.idle : 1.0;
    const double folds = fmax(course->past.folds, 0.0) * ww_lazy_folding(course->pairs->samples);
    *cost = building / (double)length + folds / (course->patterns + 0.5) +
            idle * m * course->past.density * limits * ww_lazy_looking(course->pairs);
    return WW_OK;
}

static ww_status choose_length(ww_lazy_course *course, int64_t most, int64_t *best, ww_error *error)
{
    static const double factors[] = {0.35, 0.5, 0.71, 1.0, 1.41, 2.0};
    *best = most;
    double least = INFINITY;
    int64_t before = 0;
    for (size_t i = 0; i < sizeof factors / sizeof factors[0]; i++) {
        int64_t length = (int64_t)(factors[i] * (double)course->past.length + 0.5);
        length = length < 1 ? 1 : length > most ? most : length;
        if (length == before)
            continue;
        before = length;
        double cost = 0.0;
        WW_TRY(find_cost(course, length, &cost, error));
        if (cost < least) {
            least = cost;
            *best = length;
        }
    }
    return WW_OK;
}

// Steps of the forecast: none is made for nothing.
static int64_t steps_ahead(const ww_lazy_course *course, bool is_first, int64_t most)
{
    int64_t steps = is_first ? course->past.length : 2 * course->past.length;
    steps = steps < most ? steps : most;
    return steps < course->forecast.most ? steps : course->forecast.most;
}

// Of the first window: one step of a full batch, which tells little of the next ones; or an epoch.
static int64_t first_length(const ww_problem *problem)
{
    return (problem->data->train.count + problem->batch - 1) / problem->batch;
}

ww_status ww_lazy_course_begin(ww_lazy_course *course, ww_lazy_counts *counts,
                               const ww_lazy_now *now, int64_t most, ww_error *error)
{
    const bool is_first = course->past.length == 0;
    learn(course);
    course->moved = (double)course->along[course->at];
    for (int64_t j = 0; j < course->span; j++)
        course->base[j] += course->moved * course->chord[j];
    if (is_first)
        course->past.length = first_length(course->pairs->problem);
    int64_t steps = steps_ahead(course, is_first, most);
    WW_TRY(ww_lazy_forecast_make(&course->forecast, counts, now, &steps, error));
    WW_TRY(choose_length(course, steps, &course->length, error));
    find_chord(course, course->length);
    ww_lazy_find_shares(course, course->length);
    WW_TRY(ww_lazy_find_limits(course, course->length, &course->past.limits, error));
    if (course->is_full_batch)
        WW_TRY(ww_lazy_find_paths(course, error));
    WW_TRY(ww_lazy_wear(course, error));
    course->at = 0;
    course->ended_early = false;
    course->worst_deviation = course->worst_amplitude = 0.0;
    return WW_OK;
}
