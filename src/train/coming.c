#include "train/coming.h"

#include "widthwise/memory.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { ARRAYS = 2 };

static void list_arrays(const ww_problem *problem, int64_t capacity, ww_allocation list[ARRAYS])
{
    const size_t samples = (size_t)capacity;
    const ww_allocation arrays[] = {
        {offsetof(ww_coming, samples), samples, sizeof(int64_t), "the samples of coming batches"},
        {offsetof(ww_coming, values), (size_t)problem->tiling.local_units * samples,
         ww_activations_of(ww_problem_is_single(problem))->size,
         "the pre-activations of coming batches"},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

int64_t ww_coming_bytes(const ww_problem *problem, int64_t capacity)
{
    ww_allocation list[ARRAYS];
    list_arrays(problem, capacity, list);
    return ww_allocation_bytes(list, ARRAYS) + ww_batches_bytes(problem);
}

ww_status ww_coming_create(const ww_problem *problem, int64_t capacity, ww_coming *coming,
                           ww_error *error)
{
    *coming = (ww_coming){.problem = problem,
                          .methods = ww_activations_of(ww_problem_is_single(problem)),
                          .capacity = capacity,
                          .first = -1};
    ww_allocation list[ARRAYS];
    list_arrays(problem, capacity, list);
    WW_TRY(ww_allocate_all(coming, list, ARRAYS, error));
    return ww_batches_create(problem, &coming->batches, error);
}

void ww_coming_free(ww_coming *coming)
{
    ww_batches_free(coming->batches);
    free(coming->samples);
    free(coming->values);
}

void ww_coming_take(ww_coming *coming, int64_t step, const int64_t *indices)
{
    const int64_t batch = coming->problem->batch;
    const int64_t end = coming->first + coming->count / batch;
    coming->gathers = coming->first < 0 || step < coming->first || step >= end;
    if (coming->gathers) { // of a look at outputs these alone
        coming->first = step;
        coming->count = step < 0 ? batch : coming->capacity;
        memcpy(coming->samples, indices, (size_t)batch * sizeof *indices);
        for (int64_t done = batch; done < coming->count; done += batch)
            ww_batches_at(coming->batches, step + done / batch, coming->samples + done);
    }
    coming->place = (step - coming->first) * batch;
}

void ww_coming_remember(ww_coming *coming)
{
    coming->pending_place = coming->place;
}

void ww_coming_forget(ww_coming *coming)
{
    coming->first = -1;
}

void ww_coming_get(const ww_coming *coming, ww_pass pass, ww_rows tile, const void *all,
                   void *preactivations)
{
    const ww_activation_methods *methods = coming->methods;
    const int64_t batch = coming->problem->batch;
    const bool is_forward = pass == WW_PASS_FORWARD;
    const int64_t place = is_forward ? coming->place : coming->pending_place;
    void *values = ww_place(methods, coming->values, tile.first * coming->capacity);
    if (is_forward && coming->gathers)
        methods->take_columns(1.0, all, coming->problem->data->train.count, coming->samples,
                              coming->count, tile.units, values, coming->capacity);
    methods->take_columns(1.0, ww_place(methods, values, place), coming->capacity, NULL, batch,
                          tile.units, preactivations, batch);
}
