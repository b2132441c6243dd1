#include "gram/initial.h"

#include "train/kernels.h"
#include "train/output_sum.h"
#include "widthwise/memory.h"

#include <stddef.h>
#include <stdlib.h>

typedef struct initial_room {
    double *output_weights; // [tile units, k]
    double *preactivations; // [tile units, block]
    double *partial;        // outputs of a block
    uint8_t *active;        // [tile units, block]
} initial_room;

static ww_status room_create(const ww_problem *problem, initial_room *room, ww_error *error)
{
    const size_t tile = (size_t)problem->tiling.tile_units;
    const size_t k = (size_t)problem->outputs;
    const char *what = "the outputs at the start";
    const ww_allocation list[] = {
        {offsetof(initial_room, output_weights), tile * k, sizeof(double), what},
        {offsetof(initial_room, preactivations), tile * WW_SAMPLE_BLOCK, sizeof(double), what},
        {offsetof(initial_room, partial),
         ww_kernel_output_room(problem->pairs, WW_SAMPLE_BLOCK, problem->outputs), sizeof(double),
         what},
        {offsetof(initial_room, active), tile * WW_SAMPLE_BLOCK, 1, what},
    };
    return ww_allocate_all(room, list, sizeof list / sizeof list[0], error);
}

static void room_free(initial_room *room)
{
    free(room->output_weights);
    free(room->preactivations);
    free(room->partial);
    free(room->active);
}

static void add_tile(const ww_problem *problem, const double *weights, int64_t tile,
                     initial_room *room, ww_output_sum *sum)
{
    const ww_samples *train = &problem->data->train;
    const int64_t units = ww_tile_size(&problem->tiling, tile);
    ww_initial_output_weights(&problem->initial, tile * problem->tiling.tile_units, units,
                              room->output_weights);
    for (int64_t start = 0; start < train->count; start += WW_SAMPLE_BLOCK) {
        const int64_t samples = ww_block_size(train->count, start);
        ww_kernel_preactivations(problem->pairs, weights, units,
                                 train->inputs + start * problem->dimension, samples,
                                 problem->dimension, room->preactivations);
        ww_activate(problem->negative_slope, room->preactivations, (size_t)(units * samples),
                    room->active);
        ww_kernel_outputs(problem->pairs, room->preactivations, room->output_weights, units,
                          samples, problem->outputs, room->partial);
        ww_output_sum_add(sum, start, samples, room->partial);
    }
}

ww_status ww_initial_outputs(const ww_problem *problem,
                             const double *(*tile)(void *context, int64_t tile), void *context,
                             double *outputs, ww_error *error)
{
    initial_room room = {0};
    ww_output_sum sum = {0};
    ww_status status = room_create(problem, &room, error);
    if (status == WW_OK)
        status = ww_output_sum_create(&sum, problem, problem->data->train.count, error);
    status = ww_agree(problem->parallel, status, error);
    for (int64_t i = 0; status == WW_OK && i < problem->tiling.local_tiles; i++) {
        const int64_t global = problem->tiling.first_tile + i;
        add_tile(problem, tile(context, global), global, &room, &sum);
    }
    if (status == WW_OK)
        status = ww_output_sum_finish(&sum, 0, NULL, outputs, error);
    ww_output_sum_free(&sum);
    room_free(&room);
    return status;
}
