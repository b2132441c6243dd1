#include "train/lazy_forecast.h"

#include "widthwise/memory.h"

#include <cblas.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { ARRAYS = 14, WORD = 64 };

static bool is_full_batch(const ww_problem *problem)
{
    return problem->config->training.method == WW_METHOD_GD;
}

int64_t ww_lazy_forecast_most(const ww_problem *problem)
{
    // Of small batches far more, for a window to be worth its while; as memory allows.
    enum { FULL = 256, SMALL = 4096, NUMBERS = 1 << 22 };
    if (is_full_batch(problem))
        return FULL;
    const int64_t most = NUMBERS / problem->data->train.count;
    return most < FULL ? FULL : most > SMALL ? SMALL : most;
}

static void list_arrays(const ww_problem *problem, ww_allocation list[ARRAYS])
{
    static const char what[] = "a forecast of the steps to come";
    const size_t n = (size_t)problem->data->train.count;
    const size_t stride = (n + WORD - 1) / WORD * WORD;
    const size_t steps = (size_t)ww_lazy_forecast_most(problem) + 1;
    const size_t batch = (size_t)problem->batch;
    const size_t members = is_full_batch(problem) ? 0 : steps * batch;
    const ww_allocation arrays[ARRAYS] = {
        {offsetof(ww_lazy_forecast, kernel), n * stride, sizeof(float), what},
        {offsetof(ww_lazy_forecast, counts), n * n, sizeof(int64_t), what},
        {offsetof(ww_lazy_forecast, factors), steps * stride, sizeof(double), what},
        {offsetof(ww_lazy_forecast, totals), steps * stride, sizeof(double), what},
        {offsetof(ww_lazy_forecast, members), members, sizeof(int32_t), what},
        {offsetof(ww_lazy_forecast, steps), members, sizeof(float), what},
        {offsetof(ww_lazy_forecast, outputs), n, sizeof(double), what},
        {offsetof(ww_lazy_forecast, narrow), stride, sizeof(float), what},
        {offsetof(ww_lazy_forecast, moves), stride, sizeof(float), what},
        {offsetof(ww_lazy_forecast, indices), batch, sizeof(int64_t), what},
        {offsetof(ww_lazy_forecast, labels), batch, sizeof(int64_t), what},
        {offsetof(ww_lazy_forecast, targets), batch, sizeof(double), what},
        {offsetof(ww_lazy_forecast, chosen), batch, sizeof(double), what},
        {offsetof(ww_lazy_forecast, gradients), batch, sizeof(double), what},
    };
    memcpy(list, arrays, sizeof arrays);
}

int64_t ww_lazy_forecast_bytes(const ww_problem *problem)
{
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    return ww_allocation_bytes(list, ARRAYS) + ww_batches_bytes(problem);
}

ww_status ww_lazy_forecast_create(const ww_lazy_pairs *pairs, double scale,
                                  ww_lazy_forecast *forecast, ww_error *error)
{
    *forecast = (ww_lazy_forecast){
        .pairs = pairs, .most = ww_lazy_forecast_most(pairs->problem), .scale = scale};
    ww_allocation list[ARRAYS];
    list_arrays(pairs->problem, list);
    WW_TRY(ww_allocate_all(forecast, list, ARRAYS, error));
    return ww_batches_create(pairs->problem, &forecast->batches, error);
}

void ww_lazy_forecast_free(ww_lazy_forecast *forecast)
{
    ww_batches_free(forecast->batches);
    free(forecast->kernel);
    free(forecast->counts);
    free(forecast->factors);
    free(forecast->totals);
    free(forecast->members);
    free(forecast->steps);
    free(forecast->outputs);
    free(forecast->narrow);
    free(forecast->moves);
    free(forecast->indices);
    free(forecast->labels);
    free(forecast->targets);
    free(forecast->chosen);
    free(forecast->gradients);
}

// N of all ranks, and by it what a step does to outputs.
static ww_status make_kernel(ww_lazy_forecast *forecast, const ww_lazy_counts *counts,
                             ww_error *error)
{
    const ww_lazy_pairs *pairs = forecast->pairs;
    const ww_problem *problem = pairs->problem;
    const int64_t n = pairs->samples, stride = pairs->stride;
    const double slope = problem->negative_slope;
    const double square = forecast->scale * forecast->scale;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++)
            forecast->counts[i * n + j] = ww_lazy_both(counts, i, j);
    WW_TRY(ww_sum_words(problem->parallel, forecast->counts, (size_t)(n * n), error));
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            const int64_t *all = forecast->counts;
            const double one = (double)(all[i * n + i] + all[j * n + j]);
            const double units = slope * slope * (double)problem->tiling.width +
                                 slope * (1.0 - slope) * one +
                                 (1.0 - slope) * (1.0 - slope) * (double)all[i * n + j];
            forecast->kernel[i * stride + j] =
                (float)(square * units * pairs->products[i * stride + j]);
        }
    return WW_OK;
}

// u~ moves by f~.
static void move_outputs(ww_lazy_forecast *forecast, const double *factors)
{
    const int64_t n = forecast->pairs->samples, stride = forecast->pairs->stride;
    if (is_full_batch(forecast->pairs->problem)) {
        for (int64_t j = 0; j < n; j++)
            forecast->narrow[j] = (float)factors[j];
        cblas_sgemv(CblasRowMajor, CblasNoTrans, (int)n, (int)n, 1.0F, forecast->kernel,
                    (int)stride, forecast->narrow, 1, 0.0F, forecast->moves, 1);
    } else {
        memset(forecast->moves, 0, (size_t)stride * sizeof *forecast->moves);
        for (int64_t j = 0; j < n; j++) // the kernel is the same both ways
            if (factors[j] != 0.0)
                cblas_saxpy((int)n, (float)factors[j], forecast->kernel + j * stride, 1,
                            forecast->moves, 1);
    }
    for (int64_t i = 0; i < n; i++)
        forecast->outputs[i] += (double)forecast->moves[i];
}

// f~ of a step, by u~.
static void find_factors(ww_lazy_forecast *forecast, int64_t step, double *factors)
{
    const ww_problem *problem = forecast->pairs->problem;
    const int64_t count = problem->batch;
    ww_samples batch = {.count = count,
                        .labels = forecast->labels,
                        .targets = problem->data->has_targets ? forecast->targets : NULL};
    ww_batches_gather(forecast->batches, problem, step, forecast->indices, &batch);
    for (int64_t i = 0; i < count; i++)
        forecast->chosen[i] = forecast->outputs[forecast->indices[i]];
    ww_batch_gradients(problem, forecast->chosen, &batch, 0, count, count, forecast->gradients);
    memset(factors, 0, (size_t)forecast->pairs->samples * sizeof *factors);
    for (int64_t i = 0; i < count; i++)
        factors[forecast->indices[i]] -= problem->learning_rate * forecast->gradients[i];
}

// Members of step `l`: samples whose f~ is not 0, and to fill up the first one with steps of 0.
static void list_members(ww_lazy_forecast *forecast, int64_t l)
{
    const int64_t batch = forecast->pairs->problem->batch;
    const double *factors = forecast->factors + l * forecast->pairs->stride;
    int32_t *members = forecast->members + l * batch;
    float *steps = forecast->steps + l * batch;
    int64_t count = 0;
    if (is_full_batch(forecast->pairs->problem))
        return;
    for (int64_t j = 0; j < forecast->pairs->samples; j++) {
        if (factors[j] == 0.0)
            continue;
        members[count] = (int32_t)j;
        steps[count++] = (float)(forecast->scale * factors[j]);
    }
    for (; count < batch; count++) {
        members[count] = 0;
        steps[count] = 0.0F;
    }
}

ww_status ww_lazy_forecast_make(ww_lazy_forecast *forecast, const ww_lazy_counts *counts,
                                const ww_lazy_now *now, int64_t steps, ww_error *error)
{
    const int64_t n = forecast->pairs->samples, stride = forecast->pairs->stride;
    WW_ASSERT(steps <= forecast->most);
    WW_TRY(make_kernel(forecast, counts, error));
    memcpy(forecast->outputs, now->outputs, (size_t)n * sizeof *now->outputs);
    memcpy(forecast->totals, now->totals, (size_t)n * sizeof *now->totals);
    memcpy(forecast->factors, now->factors, (size_t)n * sizeof *now->factors);
    for (int64_t l = 0; l < steps; l++) {
        const double *factors = forecast->factors + l * stride;
        const double *totals = forecast->totals + l * stride;
        double *next = forecast->totals + (l + 1) * stride;
        list_members(forecast, l);
        for (int64_t j = 0; j < n; j++)
            next[j] = totals[j] + factors[j];
        if (l + 1 == steps)
            break; // nobody asks for its f~
        move_outputs(forecast, factors);
        find_factors(forecast, now->step + l + 1, forecast->factors + (l + 1) * stride);
    }
    return WW_OK;
}

int64_t ww_lazy_forecast_crossing(const ww_lazy_forecast *forecast, int64_t at, int64_t length,
                                  const double *spent, const ww_lazy_pair *pair)
{
    const ww_lazy_pairs *pairs = forecast->pairs;
    const int64_t batch = pairs->problem->batch;
    const double *row = pairs->products + pair->sample * pairs->stride;
    const float steepness[2] = {(float)pairs->problem->negative_slope, 1.0F};
    const float turn = pair->active == pair->is_negative ? -1.0F : 1.0F; // towards its own side
    double margin = pair->margin;
    for (int64_t l = at; l < length; l++) {
        const int32_t *members = forecast->members + l * batch;
        const float *steps = forecast->steps + l * batch;
        float sum = 0.0F;
        for (int64_t b = 0; b < batch; b++) {
            const int32_t j = members[b];
            const uint64_t bit =
                j == pair->sample ? pair->active : pair->patterns[j / WORD] >> j % WORD & 1;
            sum += (float)row[j] * (steps[b] * steepness[bit]);
        }
        margin += (double)(turn * sum);
        const double astray = pair->astray * (spent[l + 1] - spent[at]);
        if (margin <= (astray < pair->most ? astray : pair->most))
            return l + 1;
    }
    return 0;
}
