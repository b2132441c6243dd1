#include "train/lazy_forecast.h"

#include "parallel/workers.h"
#include "widthwise/memory.h"

#include <cblas.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

// Rows of N that a thread takes at once.
enum { ARRAYS = 14, LANES = 4, ROWS = 128 };

static int64_t places_of(const ww_problem *problem)
{
    return ww_lazy_is_full_batch(problem) ? 0 : (problem->batch + LANES - 1) / LANES * LANES;
}

int64_t ww_lazy_forecast_most(const ww_problem *problem)
{
    // Of small batches far more, for a window to be worth its while; as memory allows.
    enum { FULL = 256, SMALL = 4096, NUMBERS = 1 << 22 };
    if (ww_lazy_is_full_batch(problem))
        return FULL;
    const int64_t most = NUMBERS / problem->data->train.count;
    return most < FULL ? FULL : most > SMALL ? SMALL : most;
}

static void list_arrays(const ww_problem *problem, ww_allocation list[ARRAYS])
{
    static const char what[] = "a forecast of the steps to come";
    const size_t n = (size_t)problem->data->train.count;
    const size_t stride = (size_t)ww_sample_products_stride((int64_t)n);
    const size_t steps = (size_t)ww_lazy_forecast_most(problem) + 1;
    const size_t batch = (size_t)problem->batch;
    const size_t rows = (size_t)ww_lazy_share_most_rows(problem);
    const size_t members = steps * (size_t)places_of(problem);
    const size_t outputs = (size_t)problem->outputs, span = outputs * stride;
    const bool is_weighed = ww_lazy_is_weighed(problem);
    const ww_allocation arrays[] = {
        {offsetof(ww_lazy_forecast, kernel), is_weighed ? 0 : rows * stride, sizeof(float), what},
        {offsetof(ww_lazy_forecast, factors), steps * span, sizeof(double), what},
        {offsetof(ww_lazy_forecast, totals), steps * span, sizeof(double), what},
        {offsetof(ww_lazy_forecast, members), members, sizeof(int32_t), what},
        {offsetof(ww_lazy_forecast, steps), members, sizeof(float), what},
        {offsetof(ww_lazy_forecast, outputs), n * outputs, sizeof(double), what},
        {offsetof(ww_lazy_forecast, wide), is_weighed ? n * outputs : 0, sizeof(double), what},
        {offsetof(ww_lazy_forecast, narrow), stride, sizeof(float), what},
        {offsetof(ww_lazy_forecast, moves), stride, sizeof(float), what},
        {offsetof(ww_lazy_forecast, indices), batch, sizeof(int64_t), what},
        {offsetof(ww_lazy_forecast, labels), batch, sizeof(int64_t), what},
        {offsetof(ww_lazy_forecast, targets), batch * outputs, sizeof(double), what},
        {offsetof(ww_lazy_forecast, chosen), batch * outputs, sizeof(double), what},
        {offsetof(ww_lazy_forecast, gradients), batch * outputs, sizeof(double), what},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

int64_t ww_lazy_forecast_bytes(const ww_problem *problem)
{
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    return ww_allocation_bytes(list, ARRAYS) + ww_batches_bytes(problem);
}

ww_status ww_lazy_forecast_create(const ww_lazy_pairs *pairs, const ww_lazy_share *share,
                                  double scale, ww_lazy_forecast *forecast, ww_error *error)
{
    *forecast = (ww_lazy_forecast){.pairs = pairs,
                                   .share = share,
                                   .most = ww_lazy_forecast_most(pairs->problem),
                                   .scale = scale,
                                   .span = pairs->outputs * pairs->stride,
                                   .places = places_of(pairs->problem)};
    // A sum of places / LANES terms and of LANES such, of three factors each that are rounded.
    forecast->rounding = WW_LAZY_ROUNDING * (0.25 * (double)forecast->places + 8.0);
    ww_allocation list[ARRAYS];
    list_arrays(pairs->problem, list);
    WW_TRY(ww_allocate_all(forecast, list, ARRAYS, error));
    return ww_batches_create(pairs->problem, &forecast->batches, error);
}

void ww_lazy_forecast_free(ww_lazy_forecast *forecast)
{
    ww_batches_free(forecast->batches);
    free(forecast->kernel);
    free(forecast->factors);
    free(forecast->totals);
    free(forecast->members);
    free(forecast->steps);
    free(forecast->outputs);
    free(forecast->wide);
    free(forecast->narrow);
    free(forecast->moves);
    free(forecast->indices);
    free(forecast->labels);
    free(forecast->targets);
    free(forecast->chosen);
    free(forecast->gradients);
}

// What a step does to outputs, by N: rows of this rank.
static void make_kernel(ww_lazy_forecast *forecast, const ww_lazy_counts *counts,
                        const int64_t *active)
{
    const ww_lazy_pairs *pairs = forecast->pairs;
    if (pairs->is_weighed)
        return;
    const ww_problem *problem = pairs->problem;
    const int64_t n = pairs->samples, stride = pairs->stride;
    const double slope = problem->negative_slope, jump = 1.0 - slope;
    const double square = forecast->scale * forecast->scale;
    for (int64_t row = 0; row < forecast->share->rows; row++) {
        const int64_t i = forecast->share->first + row;
        const double *products = pairs->products + i * stride;
        const int32_t *both = counts->counts + row * stride;
        float *kernel = forecast->kernel + row * stride;
        for (int64_t j = 0; j < n; j++)
            kernel[j] = (float)(square * jump * jump * (double)both[j] * products[j]);
        for (int64_t j = 0; slope != 0.0 && j < n; j++) {
            const double units =
                slope * (double)problem->tiling.width + jump * (double)(active[i] + active[j]);
            kernel[j] += (float)(square * slope * units * products[j]);
        }
    }
}

// A row of the kernel times an f~ that is 0 but for the members of step `l`.
static float member_product(const ww_lazy_forecast *forecast, const float *kernel, int64_t l)
{
    const double *factors = forecast->factors + l * forecast->pairs->stride;
    const int32_t *members = forecast->members + l * forecast->places;
    float sum = 0.0F;
    for (int64_t b = 0; b < forecast->places; b++)
        if (forecast->steps[l * forecast->places + b] != 0.0F) // else there is none
            sum += kernel[members[b]] * (float)factors[members[b]];
    return sum;
}

// The same where output weights are weighed: by N itself.
static ww_status move_all_outputs(ww_lazy_forecast *forecast, ww_lazy_counts *counts, int64_t l,
                                  ww_error *error)
{
    const ww_lazy_share *share = forecast->share;
    const int64_t k = forecast->pairs->outputs, count = forecast->pairs->samples * k;
    ww_lazy_weighed_product(&counts->weighed, forecast->factors + l * forecast->span,
                            forecast->wide + share->first * k);
    WW_TRY(ww_gather_rows(forecast->pairs->problem->parallel, forecast->wide,
                          (size_t)k * sizeof *forecast->wide, share->counts, share->places, error));
    for (int64_t i = 0; i < count; i++)
        forecast->outputs[i] += forecast->wide[i];
    return WW_OK;
}

// What threads share work on.
typedef struct task {
    ww_lazy_forecast *forecast;
    int64_t step;
} task;

// What f~ of a step moves some of u~ by.
static void move_some(void *context, int worker, int64_t first, int64_t end)
{
    const task *now = context;
    const ww_lazy_forecast *forecast = now->forecast;
    const int64_t n = forecast->pairs->samples, stride = forecast->pairs->stride;
    float *moves = forecast->moves + forecast->share->first;
    (void)worker;
    if (forecast->places == 0)
        cblas_sgemv(CblasRowMajor, CblasNoTrans, (int)(end - first), (int)n, 1.0F,
                    forecast->kernel + first * stride, (int)stride, forecast->narrow, 1, 0.0F,
                    moves + first, 1);
    for (int64_t row = first; forecast->places > 0 && row < end; row++)
        moves[row] = member_product(forecast, forecast->kernel + row * stride, now->step);
}

// u~ moves by f~ of step `l`.
static ww_status move_outputs(ww_lazy_forecast *forecast, ww_lazy_counts *counts, int64_t l,
                              ww_error *error)
{
    const int64_t n = forecast->pairs->samples, stride = forecast->pairs->stride;
    if (forecast->pairs->is_weighed)
        return move_all_outputs(forecast, counts, l, error);
    const ww_lazy_share *share = forecast->share;
    const ww_parallel *parallel = forecast->pairs->problem->parallel;
    task now = {.forecast = forecast, .step = l};
    for (int64_t j = 0; j < n; j++)
        forecast->narrow[j] = (float)forecast->factors[l * stride + j];
    ww_for_each_piece(parallel, share->rows, ROWS, move_some, &now);
    WW_TRY(ww_gather_rows(parallel, forecast->moves, sizeof(float), share->counts, share->places,
                          error));
    for (int64_t i = 0; i < n; i++)
        forecast->outputs[i] += (double)forecast->moves[i];
    return WW_OK;
}

// f~ of a step, by u~.
static void find_factors(ww_lazy_forecast *forecast, int64_t step, double *factors)
{
    const ww_problem *problem = forecast->pairs->problem;
    const int64_t count = problem->batch, k = forecast->pairs->outputs;
    ww_samples batch = {.count = count,
                        .labels = forecast->labels,
                        .targets = problem->data->has_targets ? forecast->targets : NULL};
    ww_batches_gather(forecast->batches, problem, step, forecast->indices, &batch);
    ww_lazy_choose(forecast->outputs, forecast->indices, count, k, forecast->chosen);
    ww_batch_gradients(problem, forecast->chosen, &batch, 0, count, count, forecast->gradients);
    memset(factors, 0, (size_t)forecast->span * sizeof *factors);
    ww_lazy_add_factors(forecast->pairs, forecast->indices, forecast->gradients, factors);
}

// Members of step `l`: samples whose f~ is not 0, and to fill up the first one with steps of 0.
static void list_members(ww_lazy_forecast *forecast, int64_t l)
{
    const double *factors = forecast->factors + l * forecast->pairs->stride;
    int32_t *members = forecast->members + l * forecast->places;
    float *steps = forecast->steps + l * forecast->places;
    int64_t count = 0;
    for (int64_t j = 0; forecast->places > 0 && j < forecast->pairs->samples; j++) {
        if (factors[j] == 0.0)
            continue;
        members[count] = (int32_t)j;
        steps[count++] = (float)(forecast->scale * factors[j]);
    }
    for (; count < forecast->places; count++) {
        members[count] = 0;
        steps[count] = 0.0F;
    }
}

// Bounds are made of what is forecast, and of numbers that are not finite nothing would follow.
static bool is_in_range(const ww_lazy_forecast *forecast)
{
    const double limit = forecast->pairs->problem->output_format.limit;
    for (int64_t i = 0; i < forecast->pairs->samples * forecast->pairs->outputs; i++)
        if (!(fabs(forecast->outputs[i]) < limit))
            return false;
    return true;
}

ww_status ww_lazy_forecast_make(ww_lazy_forecast *forecast, ww_lazy_counts *counts,
                                const ww_lazy_now *now, int64_t *steps, ww_error *error)
{
    const int64_t count = forecast->pairs->samples * forecast->pairs->outputs;
    const int64_t span = forecast->span;
    WW_ASSERT(*steps >= 1 && *steps <= forecast->most);
    make_kernel(forecast, counts, now->active);
    memcpy(forecast->outputs, now->outputs, (size_t)count * sizeof *now->outputs);
    memcpy(forecast->totals, now->totals, (size_t)span * sizeof *now->totals);
    memcpy(forecast->factors, now->factors, (size_t)span * sizeof *now->factors);
    for (int64_t l = 0; l < *steps; l++) {
        const double *factors = forecast->factors + l * span;
        const double *totals = forecast->totals + l * span;
        double *next = forecast->totals + (l + 1) * span;
        list_members(forecast, l);
        for (int64_t j = 0; j < span; j++)
            next[j] = totals[j] + factors[j];
        if (l + 1 == *steps)
            break; // nobody asks for its f~
        WW_TRY(move_outputs(forecast, counts, l, error));
        if (!is_in_range(forecast)) {
            *steps = l + 1;
            break;
        }
        find_factors(forecast, now->step + l + 1, forecast->factors + (l + 1) * span);
    }
    return WW_OK;
}

// What a step adds to p, but for its sign: sum_j K_ij s'_j |a| f~_j.
static float add_step(const double *products, const uint32_t *patterns, float slope,
                      const int32_t *members, const float *steps, int64_t places)
{
    const float steepness[2] = {slope, 1.0F};
    float sums[LANES] = {0.0F};
    for (int64_t b = 0; b < places; b += LANES)
        for (int64_t i = 0; i < LANES; i++) {
            const uint32_t j = (uint32_t)members[b + i];
            const uint32_t bit = patterns[j >> 5] >> (j & 31) & 1U;
            sums[i] += (float)products[j] * steepness[bit] * steps[b + i];
        }
    return ((sums[0] + sums[2]) + (sums[1] + sums[3]));
}

int64_t ww_lazy_forecast_crossing(const ww_lazy_forecast *forecast, int64_t at, int64_t length,
                                  const double *spent, const ww_lazy_pair *pair)
{
    const ww_lazy_pairs *pairs = forecast->pairs;
    const float slope = (float)pairs->problem->negative_slope;
    const float turn = pair->active == pair->is_negative ? -1.0F : 1.0F; // towards its own side
    const int64_t places = forecast->places;
    double margin = pair->margin;
    uint32_t *patterns = pair->room;
    for (int64_t word = 0; word < pairs->words; word++) {
        patterns[2 * word] = (uint32_t)pair->patterns[word];
        patterns[2 * word + 1] = (uint32_t)(pair->patterns[word] >> 32);
    }
    const uint32_t own = (uint32_t)1 << (pair->sample & 31);
    patterns[pair->sample >> 5] =
        pair->active ? patterns[pair->sample >> 5] | own : patterns[pair->sample >> 5] & ~own;
    for (int64_t l = at; l < length; l++) {
        const float sum = add_step(pair->products, patterns, slope, forecast->members + l * places,
                                   forecast->steps + l * places, places);
        margin += (double)(turn * sum);
        const double astray = pair->astray * (spent[l + 1] - spent[at]);
        if (margin <= (astray < pair->most ? astray : pair->most))
            return l + 1;
    }
    return 0;
}
