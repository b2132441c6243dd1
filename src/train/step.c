#include "train/step.h"

#include "widthwise/memory.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { ARRAYS = 3 };

static void list_arrays(const ww_problem *problem, ww_allocation list[ARRAYS])
{
    const size_t batch = (size_t)problem->batch;
    const size_t outputs = batch * (size_t)problem->outputs;
    const size_t extras = batch * (size_t)ww_tally_extras(problem);
    const ww_allocation arrays[ARRAYS] = {
        {offsetof(ww_step, outputs), outputs, sizeof(double), "the outputs of a batch"},
        {offsetof(ww_step, extras), extras, sizeof(double), "the tally of a batch"},
        {offsetof(ww_step, gradients), outputs, sizeof(double), "the output gradients of a batch"},
    };
    memcpy(list, arrays, sizeof arrays);
}

int64_t ww_step_bytes(const ww_problem *problem)
{
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    return ww_allocation_bytes(list, ARRAYS) +
           ww_output_sum_bytes_with(problem, problem->batch, ww_tally_extras(problem));
}

ww_status ww_step_create(ww_step *step, const ww_problem *problem, ww_tally *tally, ww_error *error)
{
    *step = (ww_step){.problem = problem, .tally = tally};
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    WW_TRY(ww_allocate_all(step, list, ARRAYS, error));
    return ww_output_sum_create_with(&step->sum, problem, problem->batch, ww_tally_extras(problem),
                                     error);
}

void ww_step_free(ww_step *step)
{
    free(step->outputs);
    free(step->extras);
    free(step->gradients);
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

ww_status ww_step_finish(ww_step *step, int64_t number, const int64_t *indices,
                         const ww_samples *batch, int64_t request, int64_t *requests,
                         double *batch_loss, bool *changes, ww_error *error)
{
    const ww_problem *problem = step->problem;
    WW_TRY(ww_output_sum_finish(&step->sum, request, requests, step->outputs, error));
    *batch_loss = ww_batch_loss(problem, step->outputs, batch, step->gradients);
    if (!isfinite(*batch_loss))
        return ww_fail(error, WW_DIVERGED,
                       "the loss of the batch is not finite; a smaller "
                       "training.rate may help");
    *changes = true;
    if (step->tally == NULL)
        return WW_OK;
    ww_output_sum_extras(&step->sum, step->extras);
    *changes = ww_tally_step(step->tally, problem, number, indices, step->gradients, step->extras);
    return WW_OK;
}
