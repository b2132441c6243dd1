// A step of one hidden layer: forward pass of all tiles, one Allreduce of the outputs, and an
// update that stays pending until the next pass over the tiles, or until someone asks for the
// weights. Applying it earlier does the same with the same numbers, so it never changes a bit.
//
// Where the output weights are trained too, the activations that they move by are made again in the
// update, from the hidden weights as they were: to keep them would take memory for all units and
// samples of a batch.

#include "train/shallow.h"

#include "parallel/workers.h"
#include "train/kernels.h"
#include "train/panels.h"
#include "widthwise/memory.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { ARRAYS = 9, WEIGHT_ARRAYS = 2, ROOM_ARRAYS = 8 };

static int64_t bytes_of_patterns(const ww_problem *problem)
{
    return (problem->batch + 7) / 8;
}

static int64_t kept_columns(const ww_problem *problem, const ww_keeper *keeper)
{
    return keeper->kept_columns != NULL ? keeper->kept_columns(problem) : 0;
}

// All arrays of the engine, the weights first.
static void list_arrays(const ww_problem *problem, const ww_keeper *keeper,
                        ww_allocation list[ARRAYS])
{
    const size_t size = ww_activations_of(ww_problem_is_single(problem))->size;
    const size_t outputs = (size_t)(problem->tiling.local_units * problem->outputs);
    const size_t batch = (size_t)problem->batch;
    const size_t patterns =
        (size_t)problem->tiling.local_units * (size_t)bytes_of_patterns(problem);
    const size_t gradients = batch * (size_t)problem->outputs;
    const size_t targets = problem->data->has_targets ? gradients : 0;
    const int64_t kept = kept_columns(problem, keeper);
    const int64_t widened = ww_problem_is_single(problem) ? problem->dimension : 0;
    const size_t columns = (size_t)(kept > widened ? kept : widened);
    const size_t threads = (size_t)ww_workers_of(problem->parallel);
    const ww_allocation arrays[] = {
        {offsetof(ww_shallow, output_weights), outputs, sizeof(double), "the output weights"},
        {offsetof(ww_shallow, narrow_weights), ww_problem_is_single(problem) ? outputs : 0, size,
         "the output weights"},
        {offsetof(ww_shallow, patterns), patterns, 1, "the patterns of a batch"},
        {offsetof(ww_shallow, indices), batch, sizeof(int64_t), "the indices of a batch"},
        {offsetof(ww_shallow, labels), batch, sizeof(int64_t), "the labels of a batch"},
        {offsetof(ww_shallow, targets), targets, sizeof(double), "the targets of a batch"},
        {offsetof(ww_shallow, gradients), gradients, size, "the output gradients of a batch"},
        {offsetof(ww_shallow, output_updates), problem->config->network.train_output ? outputs : 0,
         size, "the update of the output weights"},
        {offsetof(ww_shallow, tile), threads * (size_t)problem->tiling.tile_units * columns,
         sizeof(double), "a tile of weights"},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

static bool takes_patterns(const ww_problem *problem, const ww_keeper *keeper)
{
    return keeper->takes_patterns != NULL && keeper->takes_patterns(problem);
}

static void list_room(const ww_problem *problem, const ww_keeper *keeper,
                      ww_allocation list[ROOM_ARRAYS])
{
    static const char what[] = "the work on a tile";
    const size_t size = ww_activations_of(ww_problem_is_single(problem))->size;
    const size_t block = (size_t)ww_block_size(problem->batch, 0);
    const size_t pairs = (size_t)problem->tiling.tile_units * block;
    const size_t extras = block * (size_t)ww_tally_extras(problem);
    const ww_allocation arrays[] = {
        {offsetof(ww_shallow_room, preactivations), pairs, size, what},
        {offsetof(ww_shallow_room, coefficients), pairs, size, what},
        {offsetof(ww_shallow_room, partial),
         ww_kernel_output_room(problem->pairs, (int64_t)block, problem->outputs), size, what},
        {offsetof(ww_shallow_room, outputs),
         ww_problem_is_single(problem) ? block * (size_t)problem->outputs : 0, sizeof(double),
         what},
        {offsetof(ww_shallow_room, values), ww_problem_is_single(problem) && extras > 0 ? pairs : 0,
         sizeof(double), what},
        {offsetof(ww_shallow_room, extras), extras, sizeof(double), what},
        {offsetof(ww_shallow_room, active), pairs, 1, what},
        {offsetof(ww_shallow_room, tables),
         takes_patterns(problem, keeper) ? WW_PATTERN_ROOM_BYTES : 0, 1, what},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == ROOM_ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

ww_engine_cost ww_shallow_cost(const ww_problem *problem, const ww_keeper *keeper)
{
    ww_allocation list[ARRAYS], room[ROOM_ARRAYS];
    list_arrays(problem, keeper, list);
    list_room(problem, keeper, room);
    const int64_t threads = ww_workers_of(problem->parallel);
    const double pairs = (double)problem->tiling.local_units * (double)problem->batch;
    ww_engine_cost cost = {
        .weights = ww_allocation_bytes(list, WEIGHT_ARRAYS),
        .work =
            ww_allocation_bytes(list + WEIGHT_ARRAYS, ARRAYS - WEIGHT_ARRAYS) +
            threads * (ww_allocation_bytes(room, ROOM_ARRAYS) + (int64_t)sizeof(ww_shallow_room)) +
            (threads - 1) *
                ww_output_sum_bytes_with(problem, problem->batch, ww_tally_extras(problem)) +
            ww_batches_bytes(problem) + ww_step_bytes(problem) + ww_section_sums_bytes(problem),
        // Products by the output weights, there and back; the output weights' own update.
        .step_flops =
            (problem->config->network.train_output ? 6.0 : 4.0) * pairs * (double)problem->outputs,
    };
    keeper->cost(problem, &cost);
    return cost;
}

static ww_status make_rooms(ww_shallow *self, ww_error *error)
{
    const ww_problem *problem = self->problem;
    const int threads = ww_workers_of(problem->parallel);
    self->rooms = ww_allocate((size_t)threads, sizeof *self->rooms, "the work of threads", error);
    if (self->rooms == NULL)
        return WW_FAILED;
    ww_allocation list[ROOM_ARRAYS];
    list_room(problem, self->keeper, list);
    for (int i = 0; i < threads; i++) {
        WW_TRY(ww_allocate_all(&self->rooms[i], list, ROOM_ARRAYS, error));
        if (i > 0)
            WW_TRY(ww_output_sum_create_with(&self->rooms[i].sum, problem, problem->batch,
                                             ww_tally_extras(problem), error));
    }
    return WW_OK;
}

static ww_status make(ww_shallow *self, ww_tally *tally, ww_error *error)
{
    const ww_problem *problem = self->problem;
    ww_allocation list[ARRAYS];
    list_arrays(problem, self->keeper, list);
    WW_TRY(ww_allocate_all(self, list, ARRAYS, error));
    WW_TRY(make_rooms(self, error));
    WW_TRY(ww_batches_create(problem, &self->batches, error));
    WW_TRY(ww_step_create(&self->step, problem, tally, error));
    WW_TRY(ww_section_sums_create(problem, &self->sections, error));
    return self->keeper->create(problem, &self->kept, error);
}

// The output weights in the precision of training, from those in double.
static void *narrow_weights(ww_shallow *self)
{
    if (!ww_problem_is_single(self->problem))
        return self->output_weights;
    self->methods->narrow(self->output_weights,
                          self->problem->tiling.local_units * self->problem->outputs,
                          self->narrow_weights);
    return self->narrow_weights;
}

ww_status ww_shallow_create(const ww_problem *problem, const ww_keeper *keeper, ww_tally *tally,
                            void **state, ww_error *error)
{
    ww_shallow *self = ww_allocate(1, sizeof *self, "the engine", error);
    if (self == NULL)
        return WW_FAILED;
    self->problem = problem;
    self->keeper = keeper;
    self->methods = ww_activations_of(ww_problem_is_single(problem));
    self->pattern_bytes = bytes_of_patterns(problem);
    self->by_patterns = takes_patterns(problem, keeper);
    if (make(self, tally, error) != WW_OK) {
        ww_shallow_destroy(self);
        return WW_FAILED;
    }
    ww_initial_output_weights(&problem->initial, problem->tiling.first_unit,
                              problem->tiling.local_units, self->output_weights);
    (void)narrow_weights(self);
    *state = self;
    return WW_OK;
}

void ww_shallow_destroy(void *state)
{
    ww_shallow *self = state;
    for (int i = 0; self->rooms != NULL && i < ww_workers_of(self->problem->parallel); i++) {
        free(self->rooms[i].preactivations);
        free(self->rooms[i].coefficients);
        free(self->rooms[i].partial);
        free(self->rooms[i].outputs);
        free(self->rooms[i].values);
        free(self->rooms[i].extras);
        free(self->rooms[i].active);
        free(self->rooms[i].tables);
        ww_output_sum_free(&self->rooms[i].sum);
    }
    if (self->kept != NULL)
        self->keeper->destroy(self->kept);
    ww_batches_free(self->batches);
    ww_section_sums_free(self->sections);
    free(self->rooms);
    free(self->output_weights);
    free(self->narrow_weights);
    free(self->patterns);
    free(self->indices);
    free(self->labels);
    free(self->targets);
    free(self->gradients);
    free(self->output_updates);
    free(self->tile);
    ww_step_free(&self->step);
    free(self);
}

ww_status ww_shallow_step(void *state, int64_t step, int64_t request, int64_t *requests,
                          double *batch_loss, ww_error *error)
{
    ww_shallow *self = state;
    const ww_problem *problem = self->problem;
    // Inputs are the keeper's business.
    ww_samples batch = {.count = problem->batch,
                        .labels = self->labels,
                        .targets = problem->data->has_targets ? self->targets : NULL};
    ww_batches_gather(self->batches, problem, step, self->indices, &batch);
    self->keeper->take_batch(self->kept, step, self->indices);
    ww_output_sum_clear(&self->step.sum);
    ww_shallow_pass(self);
    bool changes = false;
    WW_TRY(ww_step_finish(&self->step, step, self->indices, &batch, request, requests, batch_loss,
                          &changes, error));
    if (!changes)
        return WW_OK;
    self->methods->narrow(self->step.gradients, problem->batch * problem->outputs, self->gradients);
    self->keeper->remember(self->kept, self->step.gradients);
    self->is_stale = true;
    // What others of the column have a part in does not wait until somebody asks for weights.
    return self->sections != NULL ? ww_shallow_update_by_sections(self, error) : WW_OK;
}

int64_t ww_shallow_probe_samples(const ww_problem *problem)
{
    return problem->batch;
}

void ww_shallow_probe(void *state, const int64_t *indices, ww_output_sum *sum)
{
    ww_shallow *self = state;
    ww_shallow_update(self);
    self->keeper->take_batch(self->kept, -1, indices);
    ww_shallow_add_outputs(self, sum, false);
}

const double *ww_shallow_outputs(void *state)
{
    const ww_shallow *self = state;
    return self->step.outputs;
}

void ww_shallow_patterns(void *state, uint8_t *patterns, int64_t stride)
{
    const ww_shallow *self = state;
    for (int64_t unit = 0; unit < self->problem->tiling.local_units; unit++)
        memcpy(patterns + unit * stride, self->patterns + unit * self->pattern_bytes,
               (size_t)self->pattern_bytes);
}

ww_status ww_shallow_look(void *state, int64_t step, const int64_t *indices, int64_t *seen,
                          ww_error *error)
{
    ww_shallow *self = state;
    *seen = step;
    ww_shallow_update(self);
    self->keeper->take_batch(self->kept, -1, indices);
    ww_output_sum_clear(&self->step.sum);
    ww_shallow_add_outputs(self, &self->step.sum, true);
    return ww_output_sum_finish(&self->step.sum, 0, NULL, self->step.outputs, error);
}

static ww_rows rows_of(const ww_shallow *self, int64_t tile)
{
    const ww_tiling *tiling = &self->problem->tiling;
    const int64_t local_tile = tile - tiling->first_tile;
    WW_ASSERT(local_tile >= 0 && local_tile < tiling->local_tiles);
    return ww_tile_rows(self->problem, local_tile);
}

ww_rounding ww_shallow_rounding(const void *state, int64_t steps)
{
    const ww_shallow *self = state;
    return self->keeper->rounding(self->problem, steps);
}

void ww_shallow_settle(void *state)
{
    ww_shallow *self = state;
    ww_shallow_update(self);
    if (self->keeper->apply_all != NULL)
        self->keeper->apply_all(self->kept);
}

const double *ww_shallow_tile(void *state, int worker, int64_t tile)
{
    const ww_shallow *self = state;
    const ww_problem *problem = self->problem;
    const ww_rows rows = rows_of(self, tile);
    const void *weights = self->keeper->tile(self->kept, worker, rows);
    if (!ww_problem_is_single(problem))
        return weights;
    double *values = self->tile + worker * problem->tiling.tile_units * problem->dimension;
    self->methods->widen(weights, rows.units * problem->dimension, values);
    return values;
}

void ww_shallow_reach(void *state, int64_t tile, const double *lengths, double *reach)
{
    const ww_shallow *self = state;
    self->keeper->reach(self->kept, rows_of(self, tile), lengths, reach);
}

void ww_shallow_put_tile(void *state, int64_t tile, const double *values)
{
    ww_shallow *self = state;
    self->keeper->put_tile(self->kept, rows_of(self, tile), values);
}

const double *ww_shallow_output_weights(void *state)
{
    ww_shallow *self = state;
    if (self->problem->config->network.train_output)
        ww_shallow_update(self);
    return self->output_weights;
}

double *ww_shallow_output_storage(void *state)
{
    ww_shallow *self = state;
    return self->output_weights;
}

const double *ww_shallow_kept_tile(void *state, int64_t step, int64_t tile)
{
    ww_shallow *self = state;
    ww_shallow_update(self);
    self->keeper->kept_tile(self->kept, step, rows_of(self, tile), self->tile);
    return self->tile;
}

void ww_shallow_put_kept_tile(void *state, int64_t tile, const double *values)
{
    ww_shallow *self = state;
    self->keeper->put_kept_tile(self->kept, rows_of(self, tile), values);
}

size_t ww_shallow_words(const ww_problem *problem, const ww_keeper *keeper)
{
    return keeper->words != NULL ? keeper->words(problem) : 0;
}

void ww_shallow_save_words(void *state, double *words)
{
    ww_shallow *self = state;
    ww_shallow_update(self);
    if (self->keeper->words != NULL)
        self->keeper->save_words(self->kept, words);
}

void ww_shallow_load_words(void *state, const double *words)
{
    ww_shallow *self = state;
    if (self->keeper->words != NULL)
        self->keeper->load_words(self->kept, words);
}

void ww_shallow_restored(void *state, int64_t step, bool has_kept)
{
    ww_shallow *self = state;
    (void)narrow_weights(self);
    self->is_stale = false;
    self->keeper->restored(self->kept, step, has_kept);
}
