#include "train/lazy_bounds.h"

#include "parallel/workers.h"
#include "train/lanes.h"
#include "widthwise/norm.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

// What is bounded is allowed some parts of WW_LAZY_ROUNDING more, for the rounding of bounds in
// single precision: sums of n terms of one sign, whose error is below n 2^-24 of them.

double ww_lazy_looking(const ww_lazy_pairs *pairs)
{
    const double terms = (double)(pairs->samples * pairs->outputs);
    // Those of small batches are led along by the steps of the forecast.
    return ww_lazy_is_full_batch(pairs->problem) ? 130.0 + 0.12 * terms : 100.0 + 0.35 * terms;
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

// What bounds of a row of K are made of, of which numbers beyond n are multiplied by 0: with
// a box low <= 0 <= high, sum_j max(K_ij low_j, K_ij high_j) and the sum of the others are half of
// sum_j |K_ij| (high_j - low_j) more or less sum_j K_ij (high_j + low_j).
typedef struct row_sums {
    double spans, middles; // these two
    double whole, travelled;
} row_sums;

enum { LANES = 4 };

// In LANES sums by place.
__attribute__((target_clones("avx2", "default"))) static void
sum_row(const ww_lazy_course *course, const float *products, const float *magnitudes,
        const float *low, const float *high, row_sums *found)
{
    typedef float numbers __attribute__((vector_size(16)));
    vector sums[4] = {{0.0}};
    for (int64_t j = 0; j < course->pairs->stride; j += LANES) {
        numbers narrow[4];
        vector whole, travelled;
        memcpy(&narrow[0], products + j, sizeof narrow[0]);
        memcpy(&narrow[1], magnitudes + j, sizeof narrow[1]);
        memcpy(&narrow[2], low + j, sizeof narrow[2]);
        memcpy(&narrow[3], high + j, sizeof narrow[3]);
        memcpy(&whole, course->chord_lengths + j, sizeof whole);
        memcpy(&travelled, course->travelled + j, sizeof travelled);
        const vector product = __builtin_convertvector(narrow[0], vector);
        const vector magnitude = __builtin_convertvector(narrow[1], vector);
        const vector least = __builtin_convertvector(narrow[2], vector);
        const vector most = __builtin_convertvector(narrow[3], vector);
        sums[0] += magnitude * (most - least);
        sums[1] += product * (most + least);
        sums[2] += magnitude * whole;
        sums[3] += magnitude * travelled;
    }
    double all[4];
    for (int k = 0; k < 4; k++)
        all[k] = (sums[k][0] + sums[k][1]) + (sums[k][2] + sums[k][3]);
    *found = (row_sums){.spans = all[0], .middles = all[1], .whole = all[2], .travelled = all[3]};
}

// What threads share work on.
typedef struct task {
    ww_lazy_course *course;
    double spent;    // sum of ||f~|| over the window
    double furthest; // how many chords from the base it goes, one at least
    const float *low, *high;
} task;

// A course that goes to and fro may go further from the base than its end is.
static double furthest_along(const ww_lazy_course *course)
{
    return fmax(1.0, (double)fmaxf(fabsf(course->least_along), fabsf(course->most_along)));
}

// Rows of K that a thread takes at once, and by products of matrices.
enum { ROWS = 32, PRODUCT_ROWS = 128 };

// Those of sample i, whose row of K is number `row` of this rank.
static void find_row_limits(const task *now, int64_t row, int64_t i, float limits[WW_LAZY_LIMITS])
{
    const ww_lazy_course *course = now->course;
    const int64_t stride = course->pairs->stride;
    const double terms = (double)course->pairs->samples + 16.0, spent = now->spent;
    row_sums sums;
    sum_row(course, course->products + row * stride, course->magnitudes + row * stride, now->low,
            now->high, &sums);
    const double rises = 0.5 * (sums.spans + sums.middles);
    const double falls = 0.5 * (sums.spans - sums.middles);
    const double steepest = course->scale * (course->norms[i] * course->amplitude) * spent +
                            course->scale * course->loose * spent;
    const double rounding =
        2.0 * now->furthest * course->scale * terms * WW_LAZY_ROUNDING * sums.whole +
        2.0 * WW_LAZY_ROUNDING * course->largest + course->rounding[i];
    // How far two steps of the window are apart at most. Of full batches that is told step by step
    // as well (ww_lazy_find_paths); of others x goes to and fro, but is known (lazy_forecast.h).
    const double apart = course->scale * (falls + rises) * 1.0005;
    const double astray =
        course->scale * (2.0 * course->norms[i] * course->amplitude + course->loose) * spent;
    const double off =
        course->is_full_batch ? 0.0 : course->forecast.rounding * course->scale * sums.travelled;
    const double most = (course->is_full_batch ? apart : 0.0) + astray;
    limits[WW_LAZY_FALLS] =
        (float)((course->scale * falls * 1.0005 + steepest + rounding) * 1.000001);
    limits[WW_LAZY_RISES] =
        (float)((course->scale * rises * 1.0005 + steepest + rounding) * 1.000001);
    limits[WW_LAZY_SLACK] = (float)((rounding + off) * 1.0001);
    limits[WW_LAZY_BOX] = (float)(most * 1.0001);
}

static void find_some_limits(void *context, int worker, int64_t first, int64_t end)
{
    const task *now = context;
    (void)worker;
    for (int64_t row = first; row < end; row++) {
        const int64_t i = now->course->share->first + row;
        find_row_limits(now, row, i, now->course->limit_rows + i * WW_LAZY_LIMITS);
    }
}

ww_status ww_lazy_find_limits(ww_lazy_course *course, int64_t length, double *sum, ww_error *error)
{
    const int64_t n = course->pairs->samples, stride = course->pairs->stride;
    const ww_lazy_share *share = course->share;
    const ww_parallel *parallel = course->pairs->problem->parallel;
    float *low = course->increments, *high = course->increments + stride;
    float *rows = course->limit_rows;
    task now = {.course = course,
                .spent = course->spent[length],
                .furthest = furthest_along(course),
                .low = low,
                .high = high};
    find_box(course, length, low, high);
    ww_for_each_piece(parallel, share->rows, ROWS, find_some_limits, &now);
    WW_TRY(ww_gather_rows(parallel, rows, WW_LAZY_LIMITS * sizeof *rows, share->counts,
                          share->places, error));
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

// Rows of K or |K| times what x moves by in each step, into products [rows, path_stride].
static void multiply_rows(const ww_lazy_course *course, const float *rows, double scale,
                          int64_t first, int64_t end, float *products)
{
    const int64_t n = course->pairs->samples, stride = course->pairs->stride;
    const int64_t paths = course->path_stride;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)(end - first), (int)course->length,
                (int)n, (float)scale, rows + first * stride, (int)stride, course->increments,
                (int)stride, 0.0F, products + first * paths, (int)paths);
}

static float *sizes_of(const ww_lazy_course *course)
{
    return course->room + course->pairs->samples * course->path_stride;
}

static void find_some_sums(void *context, int worker, int64_t first, int64_t end)
{
    const ww_lazy_course *course = ((const task *)context)->course;
    (void)worker;
    multiply_rows(course, course->products, 0.5 * course->scale, first, end, course->room);
}

// Those of a row, whose sums and sizes are there.
static void find_path(const ww_lazy_course *course, int64_t row)
{
    const int64_t steps = course->length, paths = course->path_stride;
    const int64_t i = course->share->first + row;
    const float *sums = course->room + row * paths, *sizes = sizes_of(course) + row * paths;
    const double steep = course->scale * (course->norms[i] * course->deviation + course->loose);
    float *fall = course->paths[WW_LAZY_FALLS] + i * paths;
    float *rise = course->paths[WW_LAZY_RISES] + i * paths;
    double falls = 0.0;
    double rises = 0.0;
    fall[0] = rise[0] = 0.0F;
    for (int64_t l = 0; l < steps; l++) {
        const double size = (double)sizes[l], sum = (double)sums[l];
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

static void find_some_paths(void *context, int worker, int64_t first, int64_t end)
{
    const ww_lazy_course *course = ((const task *)context)->course;
    const double part = course->pairs->is_weighed ? 1.0 : 0.5; // they are of one side
    const double room = 1.0 + 4.0 * ((double)course->pairs->samples + 16.0) * WW_LAZY_ROUNDING;
    (void)worker;
    multiply_rows(course, course->magnitudes, part * course->scale * room, first, end,
                  sizes_of(course));
    for (int64_t row = first; row < end; row++)
        find_path(course, row);
}

ww_status ww_lazy_find_paths(ww_lazy_course *course, ww_error *error)
{
    const int64_t paths = course->path_stride;
    const ww_lazy_share *share = course->share;
    const ww_parallel *parallel = course->pairs->problem->parallel;
    task now = {.course = course};
    find_increments(course);
    if (course->pairs->is_weighed)
        memset(course->room, 0, (size_t)(share->rows * paths) * sizeof *course->room);
    else
        ww_for_each_piece(parallel, share->rows, PRODUCT_ROWS, find_some_sums, &now);
    for (int64_t i = 0; i < course->length * course->pairs->stride; i++)
        course->increments[i] = fabsf(course->increments[i]);
    ww_for_each_piece(parallel, share->rows, PRODUCT_ROWS, find_some_paths, &now);
    for (int way = 0; way < WW_LAZY_WAYS; way++)
        WW_TRY(ww_gather_rows(parallel, course->paths[way], (size_t)paths * sizeof **course->paths,
                              share->counts, share->places, error));
    return WW_OK;
}

ww_status ww_lazy_wear(ww_lazy_course *course, ww_error *error)
{
    const int64_t n = course->pairs->samples, stride = course->pairs->stride;
    const ww_lazy_share *share = course->share;
    const ww_parallel *parallel = course->pairs->problem->parallel;
    const double chords = furthest_along(course);
    double furthest = 0.0;
    for (int64_t row = 0; row < share->rows; row++) {
        double whole = 0.0;
        for (int64_t j = 0; j < n; j++)
            whole += (double)course->magnitudes[row * stride + j] * course->chord_lengths[j];
        whole *= chords;
        furthest = fmax(furthest, course->scale * whole);
        course->rounding[share->first + row] +=
            course->scale * ((double)n + 16.0) * WW_LAZY_ROUNDING * whole +
            2.0 * WW_LAZY_ROUNDING * (course->largest + course->scale * whole);
    }
    WW_TRY(ww_gather_rows(parallel, course->rounding, sizeof *course->rounding, share->counts,
                          share->places, error));
    WW_TRY(ww_maximum(parallel, &furthest, 1, error));
    course->largest += furthest;
    return WW_OK;
}
