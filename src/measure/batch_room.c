#include "measure/batch_room.h"

#include "widthwise/memory.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

void ww_batch_room_free(ww_batch_room *room)
{
    if (!room->in_place)
        free(room->batch.inputs);
    free(room->batch.labels);
    free(room->batch.targets);
    free(room->indices);
    free(room->outputs);
    free(room->gradients);
    free(room->terms);
    ww_output_sum_free(&room->sum);
}

enum { ROOM_ARRAYS = 7 };

static void list_room(const ww_problem *problem, ww_allocation list[ROOM_ARRAYS])
{
    const bool in_place = problem->config->training.method == WW_METHOD_GD;
    const size_t batch = (size_t)problem->batch;
    const size_t inputs = in_place ? 0 : batch * (size_t)problem->dimension;
    const size_t k = (size_t)problem->outputs;
    const size_t targets = problem->data->has_targets ? batch * k : 0;
    const size_t terms = 2 * (size_t)problem->tiling.local_tiles;
    const char *what = "the gradients on a batch";
    const ww_allocation arrays[] = {
        {offsetof(ww_batch_room, batch.inputs), inputs, sizeof(double), what},
        {offsetof(ww_batch_room, batch.labels), batch, sizeof(int64_t), what},
        {offsetof(ww_batch_room, batch.targets), targets, sizeof(double), what},
        {offsetof(ww_batch_room, indices), batch, sizeof(int64_t), what},
        {offsetof(ww_batch_room, outputs), batch * k, sizeof(double), what},
        {offsetof(ww_batch_room, gradients), batch * k, sizeof(double), what},
        {offsetof(ww_batch_room, terms), terms, sizeof(double), what},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == ROOM_ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

ww_status ww_batch_room_create(ww_batch_room *room, const ww_problem *problem, ww_error *error)
{
    *room = (ww_batch_room){.batch = {.count = problem->batch}};
    ww_allocation list[ROOM_ARRAYS];
    list_room(problem, list);
    WW_TRY(ww_allocate_all(room, list, ROOM_ARRAYS, error));
    if (problem->config->training.method == WW_METHOD_GD) {
        free(room->batch.inputs); // empty
        room->batch.inputs = problem->data->train.inputs;
        room->in_place = true;
    }
    if (!problem->data->has_targets) {
        free(room->batch.targets); // empty
        room->batch.targets = NULL;
    }
    return ww_output_sum_create(&room->sum, problem, problem->batch, error);
}

int64_t ww_batch_room_bytes(const ww_problem *problem)
{
    ww_allocation list[ROOM_ARRAYS];
    list_room(problem, list);
    return ww_allocation_bytes(list, ROOM_ARRAYS) + ww_output_sum_bytes(problem, problem->batch);
}

void ww_batch_room_gather(ww_batch_room *room, const ww_problem *problem, ww_batches *batches,
                          int64_t step)
{
    ww_samples gathered = room->batch;
    gathered.inputs = room->in_place ? NULL : room->batch.inputs;
    ww_batches_gather(batches, problem, step, room->indices, &gathered);
}
