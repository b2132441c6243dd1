#include "train/output_sum.h"

#include "train/kernels.h"
#include "widthwise/memory.h"

#include <stdlib.h>
#include <string.h>

static size_t count_words(const ww_problem *problem, int64_t samples)
{
    return (size_t)(2 * samples * problem->outputs + 2);
}

int64_t ww_output_sum_bytes(const ww_problem *problem, int64_t samples)
{
    return (int64_t)(count_words(problem, samples) * sizeof(int64_t));
}

ww_status ww_output_sum_create(ww_output_sum *sum, const ww_problem *problem, int64_t samples,
                               ww_error *error)
{
    *sum = (ww_output_sum){.problem = problem, .samples = samples};
    sum->word_count = count_words(problem, samples);
    sum->words = ww_allocate(sum->word_count, sizeof *sum->words, "the sums of the outputs", error);
    return sum->words != NULL ? WW_OK : WW_FAILED;
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

void ww_output_sum_add(ww_output_sum *sum, int64_t start, int64_t count, const double *outputs)
{
    const int64_t k = sum->problem->outputs;
    sum->words[sum->word_count - 2] += ww_sum_add(&sum->problem->output_format, outputs,
                                                  (size_t)(count * k), sum->words + 2 * start * k);
}

ww_status ww_output_sum_finish(ww_output_sum *sum, int64_t request, int64_t *requests,
                               double *outputs, ww_error *error)
{
    const int64_t k = sum->problem->outputs;
    sum->words[sum->word_count - 1] = request;
    WW_TRY(ww_sum_words(sum->problem->parallel, sum->words, sum->word_count, error));
    if (requests != NULL)
        *requests = sum->words[sum->word_count - 1];
    if (sum->words[sum->word_count - 2] > 0)
        return ww_fail(error, WW_DIVERGED,
                       "an output is not finite or not below %g in magnitude; a smaller "
                       "training.rate may help",
                       sum->problem->output_format.limit);
    for (int64_t start = 0; start < sum->samples; start += WW_SAMPLE_BLOCK) {
        const int64_t count = ww_block_size(sum->samples, start);
        ww_sum_values(&sum->problem->output_format, sum->words + 2 * start * k, (size_t)(count * k),
                      outputs + start * k);
    }
    return WW_OK;
}
