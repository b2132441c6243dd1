#include "train/output_sum.h"

#include "train/kernels.h"
#include "widthwise/memory.h"

#include <stdlib.h>
#include <string.h>

static size_t count_words(const ww_problem *problem, int64_t samples, int64_t extras)
{
    return (size_t)(2 * samples * (problem->outputs + extras) + 2);
}

int64_t ww_output_sum_bytes_with(const ww_problem *problem, int64_t samples, int64_t extras)
{
    return (int64_t)(count_words(problem, samples, extras) * sizeof(int64_t));
}

int64_t ww_output_sum_bytes(const ww_problem *problem, int64_t samples)
{
    return ww_output_sum_bytes_with(problem, samples, 0);
}

ww_status ww_output_sum_create_with(ww_output_sum *sum, const ww_problem *problem, int64_t samples,
                                    int64_t extras, ww_error *error)
{
    *sum = (ww_output_sum){.problem = problem, .samples = samples, .extras = extras};
    sum->word_count = count_words(problem, samples, extras);
    sum->words = ww_allocate(sum->word_count, sizeof *sum->words, "the sums of the outputs", error);
    return sum->words != NULL ? WW_OK : WW_FAILED;
}

ww_status ww_output_sum_create(ww_output_sum *sum, const ww_problem *problem, int64_t samples,
                               ww_error *error)
{
    return ww_output_sum_create_with(sum, problem, samples, 0, error);
}

void ww_output_sum_place(ww_output_sum *sum, const ww_problem *problem, int64_t samples,
                         int64_t *words)
{
    *sum = (ww_output_sum){.problem = problem,
                           .samples = samples,
                           .words = words,
                           .word_count = count_words(problem, samples, 0)};
}

size_t ww_output_sum_words(const ww_problem *problem, int64_t samples)
{
    return count_words(problem, samples, 0);
}

void ww_output_sum_free(ww_output_sum *sum)
{
    free(sum->words);
    *sum = (ww_output_sum){0};
}

void ww_output_sum_clear(ww_output_sum *sum)
{
    memset(sum->words, 0, sum->word_count * sizeof *sum->words);
}

void ww_output_sum_restart(ww_output_sum *sum, int64_t samples)
{
    sum->samples = samples;
    sum->word_count = count_words(sum->problem, samples, sum->extras);
    ww_output_sum_clear(sum);
}

// Words of the outputs, and of the extras, of the block of `count` samples that begins at `start`.
static int64_t *output_words(const ww_output_sum *sum, int64_t start)
{
    return sum->words + 2 * start * (sum->problem->outputs + sum->extras);
}

static int64_t *extra_words(const ww_output_sum *sum, int64_t start, int64_t count)
{
    return output_words(sum, start) + 2 * count * sum->problem->outputs;
}

void ww_output_sum_add(ww_output_sum *sum, int64_t start, int64_t count, const double *outputs)
{
    sum->words[sum->word_count - 2] +=
        ww_sum_add(&sum->problem->output_format, outputs, (size_t)(count * sum->problem->outputs),
                   output_words(sum, start));
}

void ww_output_sum_append(ww_output_sum *sum, int64_t start, const ww_output_sum *part)
{
    WW_ASSERT(start % WW_SAMPLE_BLOCK == 0 && start + part->samples <= sum->samples);
    int64_t *words = output_words(sum, start);
    for (size_t i = 0; i < part->word_count - 2; i++)
        words[i] += part->words[i];
    sum->words[sum->word_count - 2] += part->words[part->word_count - 2];
}

void ww_output_sum_add_extras(ww_output_sum *sum, int64_t start, int64_t count,
                              const double *extras)
{
    sum->words[sum->word_count - 2] +=
        ww_sum_add(&sum->problem->output_format, extras, (size_t)(count * sum->extras),
                   extra_words(sum, start, count));
}

ww_status ww_output_sum_over_ranks(ww_output_sum *sum, int64_t request, int64_t *requests,
                                   ww_error *error)
{
    sum->words[sum->word_count - 1] = request;
    WW_TRY(ww_sum_words(sum->problem->parallel, sum->words, sum->word_count, error));
    if (requests != NULL)
        *requests = sum->words[sum->word_count - 1];
    return WW_OK;
}

int64_t ww_output_sum_rejected(const ww_output_sum *sum)
{
    return sum->words[sum->word_count - 2];
}

ww_status ww_output_sum_fail(const ww_problem *problem, ww_error *error)
{
    return ww_fail(error, WW_DIVERGED,
                   "an output is not finite or not below %g in magnitude; a smaller "
                   "training.rate may help",
                   problem->output_format.limit);
}

ww_status ww_output_sum_finish(ww_output_sum *sum, int64_t request, int64_t *requests,
                               double *outputs, ww_error *error)
{
    WW_TRY(ww_output_sum_over_ranks(sum, request, requests, error));
    return ww_output_sum_take(sum, outputs, error);
}

ww_status ww_output_sum_take(const ww_output_sum *sum, double *outputs, ww_error *error)
{
    const int64_t k = sum->problem->outputs;
    if (ww_output_sum_rejected(sum) > 0)
        return ww_output_sum_fail(sum->problem, error);
    for (int64_t start = 0; start < sum->samples; start += WW_SAMPLE_BLOCK) {
        const int64_t count = ww_block_size(sum->samples, start);
        ww_sum_values(&sum->problem->output_format, output_words(sum, start), (size_t)(count * k),
                      outputs + start * k);
    }
    return WW_OK;
}

void ww_output_sum_extras(const ww_output_sum *sum, double *extras)
{
    for (int64_t start = 0; start < sum->samples; start += WW_SAMPLE_BLOCK) {
        const int64_t count = ww_block_size(sum->samples, start);
        ww_sum_values(&sum->problem->output_format, extra_words(sum, start, count),
                      (size_t)(count * sum->extras), extras + start * sum->extras);
    }
}
