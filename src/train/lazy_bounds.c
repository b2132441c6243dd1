#include "train/lazy_bounds.h"

#include "widthwise/norm.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

// What is bounded is allowed this much more, for the rounding of bounds in single precision: sums
// of n terms of one sign, whose error is below n 2^-24 of them.
static const double UNIT = 5.9604644775390625e-8; // 2^-24

double ww_lazy_looking(const ww_lazy_pairs *pairs)
{
    return 100.0 + 0.35 * (double)(pairs->samples * pairs->outputs);
}

double ww_lazy_folding(int64_t samples)
{
    return 600.0 + 1.2 * (double)samples;
}

void ww_lazy_find_shares(ww_lazy_course *course, int64_t length)
{
    const int64_t n = course->pairs->samples, span = course->span;
    const double jump = 1.0 - course->pairs->problem->negative_slope;
    double sum = 0.0;
    course->spent[0] = 0.0;
    for (int64_t j = 0; j < n; j++)
        course->shares[j] = 0.0F, course->travelled[j] = 0.0;
    for (int64_t l = 0; l < length; l++) {
        const double *factors = course->forecast.factors + l * span;
        const double norm = ww_norm(factors, span);
        course->spent[l + 1] = course->spent[l] + norm;
        // Of a full batch the largest share of any step, and so that of all steps between two; of
        // others, each of whose samples has a step now and then, the share of the whole window.
        for (int64_t j = 0; norm > 0.0 && j < n; j++) {
            const double size = ww_lazy_length(course->pairs, factors, j);
            course->shares[j] = fmaxf(course->shares[j], (float)(size / norm));
            course->travelled[j] += size;
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
                         sum * course->scale * course->spent[length] *
                         ww_lazy_looking(course->pairs);
    const double folds = course->past.folds * (double)length * ww_lazy_folding(n);
    course->patterns = folds > 0.0 && looks > 0.0 ? sqrt(folds / looks) - 0.5 : 2.5;
    course->patterns = fmin(fmax(course->patterns, 0.5), 12.0);
    if (!course->is_full_batch) // few change in a step, and many pairs would have to allow for it
        course->patterns = 0.0;
    course->loose = course->patterns * sum / (double)n;
}

// Where output weights are weighed: a ball around 0.
static void find_ball(ww_lazy_course *course, int64_t length, float *low, float *high)
{
    const int64_t n = course->pairs->samples;
    for (int64_t k = 1; k <= length; k++)
        for (int64_t j = 0; j < n; j++) {
            const double size = ww_lazy_length(course->pairs, course->rest + k * course->span, j);
            high[j] = fmaxf(high[j], (float)size);
            low[j] = -high[j];
        }
}

// The box that all x of a window lie in, 0 with it [2, stride].
static void find_box(ww_lazy_course *course, int64_t length, float *low, float *high)
{
    const int64_t n = course->pairs->samples, stride = course->pairs->stride;
    for (int64_t j = 0; j < stride; j++)
        low[j] = high[j] = 0.0F;
    if (course->pairs->is_weighed) {
        find_ball(course, length, low, high);
        return;
    }
    for (int64_t k = 1; k <= length; k++)
        for (int64_t j = 0; j < n; j++) {
            low[j] = fminf(low[j], (float)course->rest[k * stride + j]);
            high[j] = fmaxf(high[j], (float)course->rest[k * stride + j]);
        }
}

// Those of sample i, whose row of K is number `row` of this rank.
static void find_row_limits(const ww_lazy_course *course, int64_t row, int64_t i, double spent,
                            const float *low, const float *high, float limits[WW_LAZY_LIMITS])
{
    const int64_t n = course->pairs->samples, stride = course->pairs->stride;
    const float *products = course->products + row * stride;
    const float *magnitudes = course->magnitudes + row * stride;
    const double terms = (double)n + 16.0;
    double rises = 0.0;
    double falls = 0.0;
    double whole = 0.0;
    double travelled = 0.0;
    for (int64_t j = 0; j < n; j++) {
        const double a = (double)products[j] * (double)low[j];
        const double b = (double)products[j] * (double)high[j];
        rises += fmax(a, b); // high is not below 0, and low not above
        falls -= fmin(a, b);
        whole += (double)magnitudes[j] * course->chord_lengths[j];
        travelled += (double)magnitudes[j] * course->travelled[j];
    }
    const double steepest = course->scale * (course->norms[i] * course->amplitude) * spent +
                            course->scale * course->loose * spent;
    const double rounding = 2.0 * course->scale * terms * UNIT * whole +
                            2.0 * UNIT * course->largest + course->rounding[i];
    // How far two steps of the window are apart at most. Of full batches that is told step by step
    // as well (ww_lazy_find_paths); of others x goes to and fro, but is known (lazy_forecast.h).
    const double apart = course->scale * (falls + rises) * 1.0005;
    const double astray =
        course->scale * (2.0 * course->norms[i] * course->amplitude + course->loose) * spent;
    const double off =
        course->is_full_batch ? 0.0 : course->forecast.rounding * course->scale * travelled;
    const double most = (course->is_full_batch ? apart : 0.0) + astray;
    limits[WW_LAZY_FALLS] =
        (float)((course->scale * falls * 1.0005 + steepest + rounding) * 1.000001);
    limits[WW_LAZY_RISES] =
        (float)((course->scale * rises * 1.0005 + steepest + rounding) * 1.000001);
    limits[WW_LAZY_SLACK] = (float)((rounding + off) * 1.0001);
    limits[WW_LAZY_BOX] = (float)(most * 1.0001);
}

ww_status ww_lazy_find_limits(ww_lazy_course *course, int64_t length, double *sum, ww_error *error)
{
    const int64_t n = course->pairs->samples, stride = course->pairs->stride;
    const ww_lazy_share *share = course->share;
    float *low = course->increments, *high = course->increments + stride;
    float *rows = course->limit_rows;
    find_box(course, length, low, high);
    for (int64_t row = 0; row < share->rows; row++) {
        const int64_t i = share->first + row;
        find_row_limits(course, row, i, course->spent[length], low, high,
                        rows + i * WW_LAZY_LIMITS);
    }
    WW_TRY(ww_gather_rows(course->pairs->problem->parallel, rows, WW_LAZY_LIMITS * sizeof *rows,
                          share->counts, share->places, error));
    *sum = 0.0;
    for (int64_t i = 0; i < n; i++) {
        const float *limits = rows + i * WW_LAZY_LIMITS;
        for (int way = 0; way < WW_LAZY_WAYS; way++) {
            course->limits[way][i] = limits[way];
            *sum += (double)limits[way];
        }
        course->slacks[i] = limits[WW_LAZY_SLACK];
        course->boxes[i] = limits[WW_LAZY_BOX];
    }
    return WW_OK;
}

// What x moves by in each step; its length where output weights are weighed.
static void find_increments(ww_lazy_course *course)
{
    const ww_lazy_pairs *pairs = course->pairs;
    const int64_t n = pairs->samples, stride = pairs->stride, span = course->span;
    for (int64_t l = 0; l < course->length; l++) {
        const double *before = course->rest + l * span, *now = before + span;
        float *increments = course->increments + l * stride;
        for (int64_t j = 0; j < stride; j++) {
            double square = 0.0;
            for (int64_t k = 0; pairs->is_weighed && k < pairs->outputs && j < n; k++) {
                const double move = now[k * stride + j] - before[k * stride + j];
                square += move * move;
            }
            increments[j] = j >= n              ? 0.0F
                            : pairs->is_weighed ? (float)sqrt(square)
                                                : (float)(now[j] - before[j]);
        }
    }
}

ww_status ww_lazy_find_paths(ww_lazy_course *course, ww_error *error)
{
    const int64_t n = course->pairs->samples, stride = course->pairs->stride;
    const int64_t steps = course->length, paths = course->path_stride;
    const ww_lazy_share *share = course->share;
    const bool is_weighed = course->pairs->is_weighed;
    const double part = is_weighed ? 1.0 : 0.5; // they are of one side
    float *sums = course->room, *sizes = course->room + n * paths;
    find_increments(course);
    if (is_weighed)
        memset(sums, 0, (size_t)(n * paths) * sizeof *sums);
    if (share->rows > 0 && !is_weighed)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)share->rows, (int)steps, (int)n,
                    (float)(0.5 * course->scale), course->products, (int)stride, course->increments,
                    (int)stride, 0.0F, sums, (int)paths);
    for (int64_t i = 0; i < steps * stride; i++)
        course->increments[i] = fabsf(course->increments[i]);
    if (share->rows > 0)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)share->rows, (int)steps, (int)n,
                    (float)(part * course->scale * (1.0 + 4.0 * ((double)n + 16.0) * UNIT)),
                    course->magnitudes, (int)stride, course->increments, (int)stride, 0.0F, sizes,
                    (int)paths);
    for (int64_t row = 0; row < share->rows; row++) {
        const int64_t i = share->first + row;
        double falls = 0.0;
        double rises = 0.0;
        const double steep = course->scale * (course->norms[i] * course->deviation + course->loose);
        float *fall = course->paths[WW_LAZY_FALLS] + i * paths;
        float *rise = course->paths[WW_LAZY_RISES] + i * paths;
        fall[0] = rise[0] = 0.0F;
        for (int64_t l = 0; l < steps; l++) {
            const double size = (double)sizes[row * paths + l], sum = (double)sums[row * paths + l];
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
    for (int way = 0; way < WW_LAZY_WAYS; way++)
        WW_TRY(ww_gather_rows(course->pairs->problem->parallel, course->paths[way],
                              (size_t)paths * sizeof **course->paths, share->counts, share->places,
                              error));
    return WW_OK;
}

ww_status ww_lazy_wear(ww_lazy_course *course, ww_error *error)
{
    const int64_t n = course->pairs->samples, stride = course->pairs->stride;
    const ww_lazy_share *share = course->share;
    const ww_parallel *parallel = course->pairs->problem->parallel;
    double furthest = 0.0;
    for (int64_t row = 0; row < share->rows; row++) {
        double whole = 0.0;
        for (int64_t j = 0; j < n; j++)
            whole += (double)course->magnitudes[row * stride + j] * course->chord_lengths[j];
        furthest = fmax(furthest, course->scale * whole);
        course->rounding[share->first + row] +=
            course->scale * ((double)n + 16.0) * UNIT * whole +
            2.0 * UNIT * (course->largest + course->scale * whole);
    }
    WW_TRY(ww_gather_rows(parallel, course->rounding, sizeof *course->rounding, share->counts,
                          share->places, error));
    WW_TRY(ww_maximum(parallel, &furthest, 1, error));
    course->largest += furthest;
    return WW_OK;
}
