#include "train/step.h"

#include "widthwise/memory.h"
#include "widthwise/norm.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { ARRAYS = 4 };

// What a column brings together, each word of one rank and 0 of the others: the bits of doubles go
// as they are. Requests and rejected terms are sums.
enum { WORD_REQUESTS, WORD_REJECTED, WORDS };
enum { BOUND_GRADIENT, BOUND_INPUT, BOUND_LENGTH, BOUNDS };

static size_t column_words(const ww_problem *problem)
{
    const int64_t sections = problem->sections;
    return sections > 1 ? WORDS + BOUNDS * (size_t)problem->grid.groups + (size_t)sections : 0;
}

static void list_arrays(const ww_problem *problem, ww_allocation list[ARRAYS])
{
    const size_t batch = (size_t)problem->batch;
    const size_t outputs = batch * (size_t)problem->outputs;
    const size_t extras = batch * (size_t)ww_tally_extras(problem);
    const ww_allocation arrays[] = {
        {offsetof(ww_step, outputs), outputs, sizeof(double), "the outputs of a batch"},
        {offsetof(ww_step, extras), extras, sizeof(double), "the tally of a batch"},
        {offsetof(ww_step, gradients), outputs, sizeof(double), "the output gradients of a batch"},
        {offsetof(ww_step, column_words), column_words(problem), sizeof(int64_t),
         "the losses of sections"},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

int64_t ww_step_bytes(const ww_problem *problem)
{
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    return ww_allocation_bytes(list, ARRAYS) +
           ww_output_sum_bytes_with(problem, problem->batch, ww_tally_extras(problem));
}

static double largest_of(const double *values, int64_t count)
{
    double largest = 0.0;
    for (int64_t i = 0; i < count; i++)
        largest = fmax(largest, fabs(values[i]));
    return largest;
}

// Bounds of the inputs of this group.
static ww_step_bounds look_at_inputs(const ww_problem *problem)
{
    const int64_t d = problem->dimension;
    ww_step_bounds bounds = {0};
    for (int64_t i = 0; i < problem->batch; i++) {
        const double *input = problem->data->train.inputs + (problem->first_sample + i) * d;
        bounds.input = fmax(bounds.input, largest_of(input, d));
        bounds.input_length = fmax(bounds.input_length, ww_norm(input, d));
    }
    return bounds;
}

ww_status ww_step_create(ww_step *step, const ww_problem *problem, ww_tally *tally, ww_error *error)
{
    *step = (ww_step){.problem = problem, .tally = tally};
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    WW_TRY(ww_allocate_all(step, list, ARRAYS, error));
    if (problem->sections > 1)
        step->inputs = look_at_inputs(problem);
    return ww_output_sum_create_with(&step->sum, problem, problem->batch, ww_tally_extras(problem),
                                     error);
}

void ww_step_free(ww_step *step)
{
    free(step->outputs);
    free(step->extras);
    free(step->gradients);
    free(step->column_words);
    ww_output_sum_free(&step->sum);
}

void ww_step_add(ww_output_sum *sum, int64_t start, const ww_tile_activations *tile,
                 const double *output_weights, const double *outputs, double *extras_room)
{
    ww_output_sum_add(sum, start, tile->samples, outputs);
    if (sum->extras == 0)
        return;
    ww_tally_extras_of(sum->problem, tile, output_weights, extras_room);
    ww_output_sum_add_extras(sum, start, tile->samples, extras_room);
}

static ww_status fail_loss(ww_error *error)
{
    return ww_fail(error, WW_DIVERGED,
                   "the loss of the batch is not finite; a smaller "
                   "training.rate may help");
}

static double double_of(int64_t word)
{
    double value = 0.0;
    memcpy(&value, &word, sizeof value);
    return value;
}

// Losses of the sections of this group, the gradients, and what bounds them, for its column.
static void look_at_group(ww_step *step, const ww_samples *batch, int64_t *bounds, int64_t *losses)
{
    const ww_problem *problem = step->problem;
    const int64_t k = problem->outputs;
    ww_step_bounds own = {.input = step->inputs.input, .input_length = step->inputs.input_length};
    ww_batch_gradients(problem, step->outputs, batch, 0, batch->count, problem->whole_batch,
                       step->gradients);
    own.gradient = largest_of(step->gradients, batch->count * k);
    memcpy(bounds + BOUND_GRADIENT, &own.gradient, sizeof own.gradient);
    memcpy(bounds + BOUND_INPUT, &own.input, sizeof own.input);
    memcpy(bounds + BOUND_LENGTH, &own.input_length, sizeof own.input_length);
    for (int64_t start = 0; start < batch->count; start += WW_SECTION_SAMPLES) {
        const int64_t left = batch->count - start;
        const int64_t count = left < WW_SECTION_SAMPLES ? left : WW_SECTION_SAMPLES;
        const double sum = ww_loss_sum(problem, batch, start, count, step->outputs + start * k);
        memcpy(losses + (problem->first_sample + start) / WW_SECTION_SAMPLES, &sum, sizeof sum);
    }
}

// A step by sections, whatever groups there are.
static ww_status finish_by_sections(ww_step *step, const ww_samples *batch, int64_t request,
                                    int64_t *requests, double *batch_loss, ww_error *error)
{
    const ww_problem *problem = step->problem;
    const size_t count = column_words(problem);
    int64_t *words = step->column_words;
    int64_t *bounds = words + WORDS;
    int64_t *losses = bounds + (size_t)problem->grid.groups * BOUNDS;
    memset(words, 0, count * sizeof *words);
    WW_TRY(ww_output_sum_over_ranks(&step->sum, request, &words[WORD_REQUESTS], error));
    words[WORD_REJECTED] = ww_output_sum_rejected(&step->sum);
    if (words[WORD_REJECTED] == 0) {
        WW_TRY(ww_output_sum_take(&step->sum, step->outputs, error));
        look_at_group(step, batch, bounds + (size_t)problem->grid.group * BOUNDS, losses);
    }
    if (problem->column != NULL)
        WW_TRY(ww_sum_words(problem->column, words, count, error));
    if (requests != NULL)
        *requests = words[WORD_REQUESTS];
    if (words[WORD_REJECTED] > 0)
        return ww_output_sum_fail(problem, error);
    step->bounds = (ww_step_bounds){0};
    for (int group = 0; group < problem->grid.groups; group++) {
        const int64_t *of = bounds + (size_t)group * BOUNDS;
        ww_step_bounds *all = &step->bounds;
        all->gradient = fmax(all->gradient, double_of(of[BOUND_GRADIENT]));
        all->input = fmax(all->input, double_of(of[BOUND_INPUT]));
        all->input_length = fmax(all->input_length, double_of(of[BOUND_LENGTH]));
    }
    double sum = 0.0;
    for (int64_t section = 0; section < problem->sections; section++)
        sum += double_of(losses[section]);
    *batch_loss = sum / ww_loss_divisor(problem, problem->whole_batch);
    return isfinite(*batch_loss) ? WW_OK : fail_loss(error);
}

ww_status ww_step_finish(ww_step *step, int64_t number, const int64_t *indices,
                         const ww_samples *batch, int64_t request, int64_t *requests,
                         double *batch_loss, bool *changes, ww_error *error)
{
    const ww_problem *problem = step->problem;
    *changes = true;
    if (problem->sections > 1)
        return finish_by_sections(step, batch, request, requests, batch_loss, error);
    WW_TRY(ww_output_sum_finish(&step->sum, request, requests, step->outputs, error));
    *batch_loss = ww_batch_loss(problem, step->outputs, batch, step->gradients);
    if (!isfinite(*batch_loss))
        return fail_loss(error);
    if (step->tally == NULL)
        return WW_OK;
    ww_output_sum_extras(&step->sum, step->extras);
    *changes = ww_tally_step(step->tally, problem, number, indices, step->gradients, step->extras);
    return WW_OK;
}
