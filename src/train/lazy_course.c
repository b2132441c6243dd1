#include "train/lazy_course.h"

#include "widthwise/memory.h"

#include <cblas.h>
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

// Floats of a row are looked at by so many.
enum { GROUP = 8, WORD = 64, ARRAYS = 20 };

// What is bounded is allowed this much more, for the rounding of bounds in single precision: sums
// of n terms of one sign, whose error is below n 2^-24 of them.
static const double UNIT = 5.9604644775390625e-8; // 2^-24

static int64_t path_stride(const ww_problem *problem)
{
    return (ww_lazy_forecast_most(problem) + 1 + GROUP - 1) / GROUP * GROUP + GROUP;
}

static void list_arrays(const ww_problem *problem, ww_allocation list[ARRAYS])
{
    static const char what[] = "the course of the steps to come";
    const size_t n = (size_t)problem->data->train.count;
    const size_t stride = (n + WORD - 1) / WORD * WORD;
    const size_t steps = (size_t)ww_lazy_forecast_most(problem) + 1;
    const bool has_paths = problem->config->training.method == WW_METHOD_GD;
    const size_t paths = has_paths ? n * (size_t)path_stride(problem) : 0;
    const ww_allocation arrays[] = {
        {offsetof(ww_lazy_course, norms), n, sizeof(double), what},
        {offsetof(ww_lazy_course, others), n, sizeof(double), what},
        {offsetof(ww_lazy_course, products), n * stride, sizeof(float), what},
        {offsetof(ww_lazy_course, magnitudes), n * stride, sizeof(float), what},
        {offsetof(ww_lazy_course, base), stride, sizeof(double), what},
        {offsetof(ww_lazy_course, chord), stride, sizeof(double), what},
        {offsetof(ww_lazy_course, rest), steps * stride, sizeof(double), what},
        {offsetof(ww_lazy_course, along), (size_t)path_stride(problem), sizeof(float), what},
        {offsetof(ww_lazy_course, spent), steps, sizeof(double), what},
        {offsetof(ww_lazy_course, paths[WW_LAZY_FALLS]), paths, sizeof(float), what},
        {offsetof(ww_lazy_course, paths[WW_LAZY_RISES]), paths, sizeof(float), what},
        {offsetof(ww_lazy_course, limits[WW_LAZY_FALLS]), stride, sizeof(float), what},
        {offsetof(ww_lazy_course, limits[WW_LAZY_RISES]), stride, sizeof(float), what},
        {offsetof(ww_lazy_course, slacks), stride, sizeof(float), what},
        {offsetof(ww_lazy_course, boxes), stride, sizeof(float), what},
        {offsetof(ww_lazy_course, travelled), n, sizeof(double), what},
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

ww_status ww_lazy_course_create(const ww_lazy_pairs *pairs, double scale, ww_lazy_course *course,
                                ww_error *error)
{
    const int64_t n = pairs->samples, stride = pairs->stride;
    *course =
        (ww_lazy_course){.pairs = pairs,
                         .scale = scale,
                         .is_full_batch = pairs->problem->config->training.method == WW_METHOD_GD,
                         .path_stride = path_stride(pairs->problem),
                         .deviation = 0.02,
                         .amplitude = 0.02};
    ww_allocation list[ARRAYS];
    list_arrays(pairs->problem, list);
    WW_TRY(ww_allocate_all(course, list, ARRAYS, error));
    WW_TRY(ww_lazy_forecast_create(pairs, scale, &course->forecast, error));
    for (int64_t i = 0; i < n; i++) {
        double square = 0.0;
        for (int64_t j = 0; j < n; j++) {
            const double product = pairs->products[i * stride + j];
            square += product * product;
            course->products[i * stride + j] = (float)product;
            course->magnitudes[i * stride + j] = nextafterf((float)fabs(product), INFINITY);
            if (j != i)
                course->others[i] = fmax(course->others[i], fabs(product));
        }
        course->norms[i] = sqrt(square) * (1.0 + 1e-12);
        course->largest_other = fmax(course->largest_other, course->others[i]);
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
    free(course->base);
    free(course->chord);
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

static double norm_of(const double *values, int64_t count)
{
    double square = 0.0;
    for (int64_t j = 0; j < count; j++)
        square += values[j] * values[j];
    return sqrt(square);
}

bool ww_lazy_course_holds(ww_lazy_course *course, const double *totals, const double *factors)
{
    const int64_t n = course->pairs->samples, stride = course->pairs->stride;
    const int64_t at = course->at;
    if (course->length == 0 || at >= course->length)
        return false;
    const double *expected = course->forecast.factors + at * stride;
    const double *places = course->forecast.totals + at * stride;
    double deviation = 0.0;
    double amplitude = 0.0;
    for (int64_t j = 0; j < n; j++) {
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
    memcpy(course->base, totals, (size_t)n * sizeof *totals);
    memset(course->chord, 0, (size_t)n * sizeof *course->chord);
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
    const int64_t n = course->pairs->samples, stride = course->pairs->stride;
    double square = 0.0;
    for (int64_t j = 0; j < n; j++) {
        course->chord[j] = course->forecast.totals[length * stride + j] - course->base[j];
        square += course->chord[j] * course->chord[j];
    }
    for (int64_t k = 0; k <= length; k++) {
        const double *place = course->forecast.totals + k * stride;
        double *rest = course->rest + k * stride;
        double product = 0.0;
        for (int64_t j = 0; j < n; j++)
            product += (place[j] - course->base[j]) * course->chord[j];
        course->along[k] = square > 0.0 ? (float)(product / square) : 0.0F;
        for (int64_t j = 0; j < n; j++)
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

// Nanoseconds: to begin a window (for a pair and a sample, and a pair), to look at a pair, to bring
// rows up to a pattern.
static const double BUILDING = 0.012, SCANNING = 1.0;

static double looking(int64_t samples)
{
    return 100.0 + 0.35 * (double)samples;
}

static double folding(int64_t samples)
{
    return 600.0 + 1.2 * (double)samples;
}

// Norms of f~, and what a pattern that changes may do to other pairs of its unit.
static void find_shares(ww_lazy_course *course, int64_t length)
{
    const int64_t n = course->pairs->samples, stride = course->pairs->stride;
    const double jump = 1.0 - course->pairs->problem->negative_slope;
    double sum = 0.0;
    course->spent[0] = 0.0;
    for (int64_t j = 0; j < n; j++)
        course->shares[j] = 0.0F, course->travelled[j] = 0.0;
    for (int64_t l = 0; l < length; l++) {
        const double *factors = course->forecast.factors + l * stride;
        const double norm = norm_of(factors, n);
        course->spent[l + 1] = course->spent[l] + norm;
        // Of a full batch the largest share of any step, and so that of all steps between two; of
        // others, each of whose samples has a step now and then, the share of the whole window.
        for (int64_t j = 0; norm > 0.0 && j < n; j++) {
            course->shares[j] = fmaxf(course->shares[j], (float)(fabs(factors[j]) / norm));
            course->travelled[j] += fabs(factors[j]);
        }
    }
    for (int64_t j = 0; j < n && !course->is_full_batch && course->spent[length] > 0.0; j++)
        course->shares[j] = (float)(course->travelled[j] / course->spent[length]);
    for (int64_t j = 0; j < n; j++) {
        course->shares[j] = (float)(jump * 1.0001 *
                                    (course->others[j] * (double)course->shares[j] +
                                     course->largest_other * course->deviation));
        sum += (double)course->shares[j];
    }
    // As many patterns as may change before rows are brought up to date: few where units seldom do.
    const double looks = 6.0 * (double)course->pairs->problem->tiling.width * course->past.density *
                         sum * course->scale * course->spent[length] * looking(n);
    const double folds = course->past.folds * (double)length * folding(n);
    course->patterns = folds > 0.0 && looks > 0.0 ? sqrt(folds / looks) - 0.5 : 2.5;
    course->patterns = fmin(fmax(course->patterns, 0.5), 12.0);
    if (!course->is_full_batch) // few change in a step, and many pairs would have to allow for it
        course->patterns = 0.0;
    course->loose = course->patterns * sum / (double)n;
}

// How far pairs may be off the chord: by samples, from one side and the other; and their sum.
static double find_limits(ww_lazy_course *course, int64_t length)
{
    const int64_t n = course->pairs->samples, stride = course->pairs->stride;
    const double spent = course->spent[length];
    double sum = 0.0;
    float *low = course->increments, *high = course->increments + stride;
    for (int64_t j = 0; j < stride; j++)
        low[j] = high[j] = 0.0F;
    for (int64_t k = 1; k <= length; k++)
        for (int64_t j = 0; j < n; j++) {
            low[j] = fminf(low[j], (float)course->rest[k * stride + j]);
            high[j] = fmaxf(high[j], (float)course->rest[k * stride + j]);
        }
    const double terms = (double)n + 16.0;
    for (int64_t i = 0; i < n; i++) {
        const float *products = course->products + i * stride;
        const float *magnitudes = course->magnitudes + i * stride;
        double rises = 0.0;
        double falls = 0.0;
        double whole = 0.0;
        double travelled = 0.0;
        for (int64_t j = 0; j < n; j++) {
            const double a = (double)products[j] * (double)low[j];
            const double b = (double)products[j] * (double)high[j];
            rises += fmax(a, b); // high is not below 0, and low not above
            falls -= fmin(a, b);
            whole += (double)magnitudes[j] * fabs(course->chord[j]);
            travelled += (double)magnitudes[j] * course->travelled[j];
        }
        const double steepest = course->scale * (course->norms[i] * course->amplitude) * spent +
                                course->scale * course->loose * spent;
        const double rounding = 2.0 * course->scale * terms * UNIT * whole +
                                2.0 * UNIT * course->largest + course->rounding[i];
        const double limits[] = {
            [WW_LAZY_FALLS] = course->scale * falls * 1.0005 + steepest + rounding,
            [WW_LAZY_RISES] = course->scale * rises * 1.0005 + steepest + rounding};
        // How far two steps of the window are apart at most. Of full batches that is told step by
        // step as well (find_paths); of others x goes to and fro, but is known (lazy_forecast.h).
        const double apart = course->scale * (falls + rises) * 1.0005;
        const double astray =
            course->scale * (2.0 * course->norms[i] * course->amplitude + course->loose) * spent;
        const double off =
            course->is_full_batch ? 0.0 : course->forecast.rounding * course->scale * travelled;
        course->slacks[i] = (float)((rounding + off) * 1.0001);
        course->boxes[i] = (float)(((course->is_full_batch ? apart : 0.0) + astray) * 1.0001);
        for (int way = 0; way < WW_LAZY_WAYS; way++) {
            course->limits[way][i] = (float)(limits[way] * 1.000001);
            sum += limits[way];
        }
    }
    return sum;
}

// How far pairs may be led away from step to step, added up.
static void find_paths(ww_lazy_course *course)
{
    const int64_t n = course->pairs->samples, stride = course->pairs->stride;
    const int64_t steps = course->length, paths = course->path_stride;
    float *sums = course->room, *sizes = course->room + n * paths;
    for (int64_t l = 0; l < steps; l++)
        for (int64_t j = 0; j < stride; j++)
            course->increments[l * stride + j] =
                j < n ? (float)(course->rest[(l + 1) * stride + j] - course->rest[l * stride + j])
                      : 0.0F;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n, (int)steps, (int)n,
                (float)(0.5 * course->scale), course->products, (int)stride, course->increments,
                (int)stride, 0.0F, sums, (int)paths);
    for (int64_t i = 0; i < steps * stride; i++)
        course->increments[i] = fabsf(course->increments[i]);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n, (int)steps, (int)n,
                (float)(0.5 * course->scale * (1.0 + 4.0 * ((double)n + 16.0) * UNIT)),
                course->magnitudes, (int)stride, course->increments, (int)stride, 0.0F, sizes,
                (int)paths);
    for (int64_t i = 0; i < n; i++) {
        double falls = 0.0;
        double rises = 0.0;
        const double steep = course->scale * (course->norms[i] * course->deviation + course->loose);
        float *fall = course->paths[WW_LAZY_FALLS] + i * paths;
        float *rise = course->paths[WW_LAZY_RISES] + i * paths;
        fall[0] = rise[0] = 0.0F;
        for (int64_t l = 0; l < steps; l++) {
            const double size = (double)sizes[i * paths + l], sum = (double)sums[i * paths + l];
            const double astray = steep * (course->spent[l + 1] - course->spent[l]);
            falls += fmax(size - sum, 0.0) + astray;
            rises += fmax(size + sum, 0.0) + astray;
            fall[l + 1] = (float)falls;
            rise[l + 1] = (float)rises;
        }
        for (int64_t l = steps + 1; l < paths; l++) {
            fall[l] = fall[steps];
            rise[l] = rise[steps];
        }
    }
}

// The time that a step takes in a window of that length.
static double cost_of(ww_lazy_course *course, int64_t length)
{
    const ww_problem *problem = course->pairs->problem;
    const double n = (double)course->pairs->samples;
    const double m = (double)problem->tiling.width;
    find_chord(course, length);
    find_shares(course, length);
    const double limits = find_limits(course, length);
    const double building = m * n * (BUILDING * n + SCANNING);
    const double looks = course->past.looks > 0.0 ? course->past.looks : 1.0;
    const double folds = course->past.folds * folding(course->pairs->samples);
    return building / (double)length + folds / (course->patterns + 0.5) +
           looks * m * course->past.density * limits * looking(course->pairs->samples);
}

static int64_t choose_length(ww_lazy_course *course, int64_t most)
{
    static const double factors[] = {0.35, 0.5, 0.71, 1.0, 1.41, 2.0};
    int64_t best = most;
    double least = INFINITY;
    int64_t before = 0;
    for (size_t i = 0; i < sizeof factors / sizeof factors[0]; i++) {
        int64_t length = (int64_t)(factors[i] * (double)course->past.length + 0.5);
        length = length < 1 ? 1 : length > most ? most : length;
        if (length == before)
            continue;
        before = length;
        const double cost = cost_of(course, length);
        if (cost < least) {
            least = cost;
            best = length;
        }
    }
    return best;
}

// P will have moved along the chord once more: it may be as much larger, and is rounded again.
static void wear(ww_lazy_course *course)
{
    const int64_t n = course->pairs->samples, stride = course->pairs->stride;
    double furthest = 0.0;
    for (int64_t i = 0; i < n; i++) {
        double whole = 0.0;
        for (int64_t j = 0; j < n; j++)
            whole += (double)course->magnitudes[i * stride + j] * fabs(course->chord[j]);
        furthest = fmax(furthest, course->scale * whole);
        course->rounding[i] += course->scale * ((double)n + 16.0) * UNIT * whole +
                               2.0 * UNIT * (course->largest + course->scale * whole);
    }
    course->largest += furthest;
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

ww_status ww_lazy_course_begin(ww_lazy_course *course, const ww_lazy_counts *counts,
                               const ww_lazy_now *now, int64_t most, ww_error *error)
{
    const int64_t n = course->pairs->samples;
    const bool is_first = course->past.length == 0;
    learn(course);
    course->moved = (double)course->along[course->at];
    for (int64_t j = 0; j < n; j++)
        course->base[j] += course->moved * course->chord[j];
    if (is_first)
        course->past.length = first_length(course->pairs->problem);
    const int64_t steps = steps_ahead(course, is_first, most);
    WW_TRY(ww_lazy_forecast_make(&course->forecast, counts, now, steps, error));
    course->length = choose_length(course, steps);
    find_chord(course, course->length);
    find_shares(course, course->length);
    course->past.limits = find_limits(course, course->length);
    if (course->is_full_batch)
        find_paths(course);
    wear(course);
    course->at = 0;
    course->ended_early = false;
    course->worst_deviation = course->worst_amplitude = 0.0;
    return WW_OK;
}
