// The engine of small batches: steps are taken in windows, which lie on the global grid of steps.
// At the start of a window the pre-activations P = X W^T of all its samples are made by products of
// matrices at full speed. A step then only corrects its own rows of P by the updates made since,
// P_s += <x_u, x_s> c_u, with the products K = X X^T of the window's samples; W gets the updates
// w_r += c_ur x_u at the window's end, or when someone asks for it. In exact arithmetic that is
// what `dense` does.
//
// No bit depends on who looks when: rows of P and of W are sums whose terms are added one by one in
// the order of the updates, so that it is all the same whether some are added now and the rest
// later. A checkpoint in the middle of a window has the corrected rows of P of the steps to come
// beside W, since P made from W as it is by then would be rounded otherwise.

#include "train/window.h"

#include "train/engine.h"
#include "train/kernels.h"
#include "widthwise/memory.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { WEIGHT_ARRAYS = 2, ARRAYS = 19 };

// As many as make the products of matrices fast: more take more corrections.
enum { WINDOW_SAMPLES = 128 };

static int64_t window_steps(const ww_problem *problem)
{
    return problem->batch < WINDOW_SAMPLES ? WINDOW_SAMPLES / problem->batch : 1;
}

static int64_t window_samples(const ww_problem *problem)
{
    return window_steps(problem) * problem->batch;
}

// A window of one step has no rows to correct, and no use for K.
static bool has_products(const ww_problem *problem)
{
    return window_steps(problem) > 1;
}

static void window_destroy(void *state)
{
    ww_window *self = state;
    ww_batches_free(self->batches);
    void *const arrays[] = {
        self->weights,
        self->output_weights,
        self->preactivations,
        self->coefficients,
        self->moved,
        self->applied,
        self->indices,
        self->labels,
        self->targets,
        self->inputs,
        self->products,
        self->terms,
        self->ordered,
        self->tile_room,
        self->row,
        self->partial,
        self->odd,
        self->extras,
        self->active,
    };
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++)
        free(arrays[i]);
    ww_step_free(&self->step);
    free(self);
}

// All arrays of the engine, the weights first.
static void list_arrays(const ww_problem *problem, ww_allocation list[ARRAYS])
{
    const size_t units = (size_t)problem->tiling.local_units;
    const size_t tile = (size_t)problem->tiling.tile_units;
    const size_t tiles = (size_t)problem->tiling.local_tiles;
    const size_t d = (size_t)problem->dimension;
    const size_t k = (size_t)problem->outputs;
    const size_t samples = (size_t)window_samples(problem);
    const size_t block = (size_t)ww_block_size((int64_t)samples, 0);
    const size_t products = has_products(problem) ? samples * samples : 0;
    const size_t targets = problem->data->has_targets ? samples * k : 0;
    const size_t extras = block * (size_t)ww_tally_extras(problem);
    const char *room = "the work on a tile";
    const ww_allocation arrays[ARRAYS] = {
        {offsetof(ww_window, weights), units * d, sizeof(double), "the hidden weights W"},
        {offsetof(ww_window, output_weights), units * k, sizeof(double), "the output weights"},
        {offsetof(ww_window, preactivations), units * samples, sizeof(double),
         "the pre-activations of a window"},
        {offsetof(ww_window, coefficients), units * samples, sizeof(double),
         "the updates of a window"},
        {offsetof(ww_window, moved), samples, sizeof(int64_t), "the samples of a window"},
        {offsetof(ww_window, applied), tiles, sizeof(int64_t), "the marks of tiles"},
        {offsetof(ww_window, indices), samples, sizeof(int64_t), "the samples of a window"},
        {offsetof(ww_window, labels), samples, sizeof(int64_t), "the labels of a window"},
        {offsetof(ww_window, targets), targets, sizeof(double), "the targets of a window"},
        {offsetof(ww_window, inputs), samples * d, sizeof(double), "the inputs of a window"},
        {offsetof(ww_window, products), products, sizeof(double),
         "the products of a window's samples"},
        {offsetof(ww_window, terms), samples, sizeof(ww_vector_term), "the updates of a window"},
        {offsetof(ww_window, ordered), tile * k, sizeof(double), room},
        {offsetof(ww_window, tile_room), samples * tile, sizeof(double), room},
        {offsetof(ww_window, row), tile, sizeof(double), room},
        {offsetof(ww_window, partial), block * k, sizeof(double), room},
        {offsetof(ww_window, odd), block * k, sizeof(double), room},
        {offsetof(ww_window, extras), extras, sizeof(double), room},
        {offsetof(ww_window, active), block * tile, 1, room},
    };
    memcpy(list, arrays, sizeof arrays);
}

static ww_engine_cost window_cost(const ww_problem *problem)
{
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    const double units = (double)problem->tiling.local_units;
    const double batch = (double)problem->batch;
    const double samples = (double)window_samples(problem);
    return (ww_engine_cost){
        .weights = ww_allocation_bytes(list, WEIGHT_ARRAYS),
        .work = ww_allocation_bytes(list + WEIGHT_ARRAYS, ARRAYS - WEIGHT_ARRAYS) +
                ww_batches_bytes(problem) + ww_step_bytes(problem),
        // As if every sample made an update: P, W, outputs and coefficients; half of the
        // corrections, and K.
        .step_flops =
            4.0 * units * batch * (double)(problem->dimension + problem->outputs) +
            (has_products(problem)
                 ? units * batch * samples + 2.0 * batch * samples * (double)problem->dimension
                 : 0.0),
    };
}

static ww_status window_create(const ww_problem *problem, ww_tally *tally, ww_track *track,
                               void **state, ww_error *error)
{
    (void)track;
    ww_window *self = ww_allocate(1, sizeof *self, "the engine", error);
    if (self == NULL)
        return WW_FAILED;
    self->problem = problem;
    self->steps = window_steps(problem);
    self->samples = window_samples(problem);
    self->halves = problem->pairs ? 2 : 1;
    self->first = -1;
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    if (ww_allocate_all(self, list, ARRAYS, error) != WW_OK ||
        ww_batches_create(problem, &self->batches, error) != WW_OK ||
        ww_step_create(&self->step, problem, tally, error) != WW_OK) {
        window_destroy(self);
        return WW_FAILED;
    }
    const ww_tiling *tiling = &problem->tiling;
    ww_initial_hidden_weights(&problem->initial, tiling->first_unit, tiling->local_units,
                              self->weights);
    ww_initial_output_weights(&problem->initial, tiling->first_unit, tiling->local_units,
                              self->output_weights);
    *state = self;
    return WW_OK;
}

// The samples of the window that begins at step `first`.
static void gather(ww_window *self, int64_t first)
{
    const ww_problem *problem = self->problem;
    const int64_t batch = problem->batch;
    for (int64_t step = 0; step < self->steps; step++) {
        const int64_t start = step * batch;
        ww_samples samples = {.count = batch,
                              .inputs = self->inputs + start * problem->dimension,
                              .labels = self->labels + start,
                              .targets = problem->data->has_targets
                                             ? self->targets + start * problem->outputs
                                             : NULL};
        ww_batches_gather(self->batches, problem, first + step, self->indices + start, &samples);
    }
    self->first = first;
    self->has_products = false;
    self->moved_count = 0;
    memset(self->applied, 0, (size_t)problem->tiling.local_tiles * sizeof *self->applied);
}

// Makes the window of `step` the one in memory.
static void enter(ww_window *self, int64_t step)
{
    const int64_t first = step - step % self->steps;
    if (self->first == first)
        return;
    const int64_t tiles = self->problem->tiling.local_tiles;
    for (int64_t tile = 0; tile < tiles; tile++) {
        const ww_window_tile part = ww_window_tile_at(self, tile);
        ww_window_apply(self, &part);
    }
    gather(self, first);
    for (int64_t tile = 0; tile < tiles; tile++) {
        const ww_window_tile part = ww_window_tile_at(self, tile);
        ww_window_multiply(self, &part, self->inputs, part.preactivations);
    }
}

// Takes down the updates that the step makes whose samples begin at `sample`.
static void take_updates(ww_window *self, int64_t sample)
{
    const ww_problem *problem = self->problem;
    const int64_t k = problem->outputs;
    for (int64_t tile = 0; tile < problem->tiling.local_tiles; tile++) {
        const ww_window_tile part = ww_window_tile_at(self, tile);
        ww_window_take_updates(self, &part, sample);
    }
    for (int64_t i = 0; i < problem->batch; i++)
        if (ww_window_has_gradient(self->step.gradients + i * k, k))
            self->moved[self->moved_count++] = sample + i;
}

static ww_status window_step(void *state, int64_t step, int64_t request, int64_t *requests,
                             double *batch_loss, ww_error *error)
{
    ww_window *self = state;
    const ww_problem *problem = self->problem;
    enter(self, step);
    const int64_t sample = (step - self->first) * problem->batch;
    ww_output_sum_clear(&self->step.sum);
    for (int64_t tile = 0; tile < problem->tiling.local_tiles; tile++) {
        const ww_window_tile part = ww_window_tile_at(self, tile);
        double *rows = part.preactivations + sample * part.units;
        ww_window_correct(self, &part, sample, problem->batch, rows);
        memcpy(self->tile_room, rows,
               (size_t)(problem->batch * part.units) * sizeof *self->tile_room);
        ww_window_add_outputs(self, &self->step.sum, &part, problem->batch, self->tile_room);
    }
    const ww_samples batch = {
        .count = problem->batch,
        .inputs = self->inputs + sample * problem->dimension,
        .labels = self->labels + sample,
        .targets = problem->data->has_targets ? self->targets + sample * problem->outputs : NULL};
    bool changes = false;
    WW_TRY(ww_step_finish(&self->step, step, self->indices + sample, &batch, request, requests,
                          batch_loss, &changes, error));
    if (changes)
        take_updates(self, sample);
    return WW_OK;
}

static const double *window_tile(void *state, int64_t tile)
{
    ww_window *self = state;
    const ww_tiling *tiling = &self->problem->tiling;
    const int64_t local_tile = tile - tiling->first_tile;
    WW_ASSERT(local_tile >= 0 && local_tile < tiling->local_tiles);
    const ww_window_tile part = ww_window_tile_at(self, local_tile);
    ww_window_apply(self, &part);
    return part.weights;
}

static const double *window_output_weights(void *state)
{
    const ww_window *self = state;
    return self->output_weights;
}

static void window_probe(void *state, const double *inputs, ww_output_sum *sum)
{
    ww_window *self = state;
    for (int64_t tile = 0; tile < self->problem->tiling.local_tiles; tile++) {
        const ww_window_tile part = ww_window_tile_at(self, tile);
        ww_window_apply(self, &part);
        ww_window_multiply(self, &part, inputs, self->tile_room);
        ww_window_add_outputs(self, sum, &part, self->samples, self->tile_room);
    }
}

// Corrected rows of P of the steps to come, [units, b] by unit; 0 for those that are past, and for
// all before the first step of a window.
static const double *window_kept_tile(void *state, int64_t step, int64_t tile)
{
    ww_window *self = state;
    const ww_problem *problem = self->problem;
    const int64_t columns = self->samples;
    if (step % self->steps != 0)
        enter(self, step);
    const ww_window_tile part = ww_window_tile_at(self, tile - problem->tiling.first_tile);
    memset(self->tile_room, 0, (size_t)(part.units * columns) * sizeof *self->tile_room);
    const int64_t next = step % self->steps == 0 ? columns : (step - self->first) * problem->batch;
    for (int64_t sample = next; sample < columns; sample++) {
        memcpy(self->row, part.preactivations + sample * part.units,
               (size_t)part.units * sizeof *self->row);
        ww_window_correct(self, &part, sample, 1, self->row);
        for (int64_t place = 0; place < part.units; place++)
            self->tile_room[ww_window_unit_at(self, &part, place) * columns + sample] =
                self->row[place];
    }
    return self->tile_room;
}

// What is read back stands in the memory of the coefficients until it is in its place.
static void window_storage(void *state, double **hidden_weights, double **output_weights,
                           double **kept)
{
    ww_window *self = state;
    *hidden_weights = self->weights;
    *output_weights = self->output_weights;
    *kept = self->coefficients;
}

static void window_restored(void *state, int64_t step, bool has_kept)
{
    ww_window *self = state;
    const int64_t columns = self->samples;
    self->moved_count = 0; // all are in the weights
    memset(self->applied, 0, (size_t)self->problem->tiling.local_tiles * sizeof *self->applied);
    self->first = -1;
    if (!has_kept || step % self->steps == 0)
        return;
    gather(self, step - step % self->steps);
    for (int64_t tile = 0; tile < self->problem->tiling.local_tiles; tile++) {
        const ww_window_tile part = ww_window_tile_at(self, tile);
        for (int64_t place = 0; place < part.units; place++)
            for (int64_t sample = 0; sample < columns; sample++)
                part.preactivations[sample * part.units + place] =
                    part.coefficients[ww_window_unit_at(self, &part, place) * columns + sample];
    }
}

const ww_engine_methods ww_engine_window = {
    .name = "window",
    .cost = window_cost,
    .create = window_create,
    .destroy = window_destroy,
    .step = window_step,
    .tile = window_tile,
    .output_weights = window_output_weights,
    .probe_samples = window_samples,
    .probe = window_probe,
    .kept_columns = window_samples,
    .kept_tile = window_kept_tile,
    .storage = window_storage,
    .restored = window_restored,
};
