// Keeps the hidden weights W and takes steps in windows, which lie on the global grid of steps. At
// the start of a window W gets the updates of the one before, and the pre-activations P = X W^T of
// all samples of the window are made, so that W moves through the processor once in a window. A
// step then only corrects its own columns of P by the updates made since, with the products K = X
// X^T of the window's samples. In exact arithmetic that is what `dense` does.
//
// No bit depends on who looks when: entries of P and of W are chains whose terms are added in the
// order of the updates, so that it is all the same whether some are added now and the rest later. A
// checkpoint in the middle of a window has the corrected columns of P of the steps to come beside
// W, since P made from W as it is by then would be rounded otherwise.

#include "train/keeper.h"

#include "parallel/workers.h"
#include "train/kernels.h"
#include "train/moves.h"
#include "widthwise/memory.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef struct keep {
    const ww_problem *problem;
    const ww_activation_methods *methods;
    ww_batches *batches;
    int64_t steps, samples; // of a window: S, b = S B
    int64_t first;          // step at which the window in memory begins; -1: none is
    void *weights;          // [local units, d]
    void *preactivations;   // P [local units, b]
    ww_moves moves;
    int64_t applied;  // columns of moves that are in the weights
    int64_t *indices; // [b], train samples of the window
    double *inputs;   // X [b, d]
    double *products; // K [b, b], once there was an update; none for a window of one step
    bool has_products;
    int64_t *places;        // [B], samples of the batch in the window
    ww_panel_inputs window; // X, to multiply by
    ww_panel_inputs moving; // samples of the columns that are to go into the weights
    ww_panel_inputs ahead;  // corrections of the samples to come, for a checkpoint
    double *room;           // [b, d or b]
    void *tile;             // [tile units, b]
    int64_t ahead_step;     // the step after which they are; -1: none
    bool enters;            // P is yet to be made, in the next pass
    bool looks;             // the batch at hand only serves to look at outputs
} keep;

enum { ARRAYS = 8, WEIGHT_ARRAYS = 1 };

// As many as make W move seldom enough: more take more corrections.
enum { WINDOW_SAMPLES = 128 };

static int64_t window_steps(const ww_problem *problem)
{
    return problem->batch < WINDOW_SAMPLES ? WINDOW_SAMPLES / problem->batch : 1;
}

static int64_t window_samples(const ww_problem *problem)
{
    return window_steps(problem) * problem->batch;
}

// A window of one step has nothing to correct: no use for K, and nothing to keep.
static int64_t window_columns(const ww_problem *problem)
{
    return window_steps(problem) > 1 ? window_samples(problem) : 0;
}

static void list_arrays(const ww_problem *problem, ww_allocation list[ARRAYS])
{
    const size_t size = ww_activations_of(ww_problem_is_single(problem))->size;
    const size_t units = (size_t)problem->tiling.local_units;
    const size_t d = (size_t)problem->dimension;
    const size_t samples = (size_t)window_samples(problem);
    const size_t columns = (size_t)window_columns(problem);
    const ww_allocation arrays[] = {
        {offsetof(keep, weights), units * d, size, "the hidden weights W"},
        {offsetof(keep, preactivations), units * samples, size, "the pre-activations of a window"},
        {offsetof(keep, indices), samples, sizeof(int64_t), "the samples of a window"},
        {offsetof(keep, inputs), samples * d, sizeof(double), "the inputs of a window"},
        {offsetof(keep, products), columns * columns, sizeof(double),
         "the products of a window's samples"},
        {offsetof(keep, places), (size_t)problem->batch, sizeof(int64_t), "the samples of a batch"},
        {offsetof(keep, room), samples * (d > columns ? d : columns), sizeof(double),
         "the inputs of updates"},
        {offsetof(keep, tile), (size_t)problem->tiling.tile_units * columns, size,
         "the pre-activations to come"},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

static void add_cost(const ww_problem *problem, ww_engine_cost *cost)
{
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    const bool single = ww_problem_is_single(problem);
    const int64_t d = problem->dimension;
    const int64_t samples = window_samples(problem);
    const double pairs = (double)problem->tiling.local_units * (double)problem->batch;
    int64_t coefficients = 0;
    int64_t rest = 0;
    ww_moves_bytes(problem, samples, &coefficients, &rest);
    cost->weights += ww_allocation_bytes(list, WEIGHT_ARRAYS);
    cost->work += ww_allocation_bytes(list + WEIGHT_ARRAYS, ARRAYS - WEIGHT_ARRAYS) + coefficients +
                  rest + ww_batches_bytes(problem) +
                  ww_panel_inputs_bytes(single, WW_FOR_PRODUCTS, samples, d) +
                  ww_panel_inputs_bytes(single, WW_FOR_SUMS, samples, d) +
                  ww_panel_inputs_bytes(single, WW_FOR_PRODUCTS, window_columns(problem),
                                        window_columns(problem));
    // As if every sample made an update: P and W, half of the corrections, and K. Output weights
    // ask for corrected columns twice.
    cost->step_flops += 4.0 * pairs * (double)d;
    if (window_columns(problem) > 0)
        cost->step_flops +=
            (problem->config->network.train_output ? 2.0 : 1.0) * pairs * (double)samples +
            2.0 * (double)problem->batch * (double)samples * (double)d;
}

static void destroy(void *state)
{
    keep *self = state;
    ww_batches_free(self->batches);
    ww_moves_free(&self->moves);
    ww_panel_inputs_free(&self->window);
    ww_panel_inputs_free(&self->moving);
    ww_panel_inputs_free(&self->ahead);
    free(self->weights);
    free(self->preactivations);
    free(self->indices);
    free(self->inputs);
    free(self->products);
    free(self->places);
    free(self->room);
    free(self->tile);
    free(self);
}

static void *weights_of(const keep *self, ww_rows rows)
{
    return ww_place(self->methods, self->weights, rows.first * self->problem->dimension);
}

static void *preactivations_of(const keep *self, ww_rows rows)
{
    return ww_place(self->methods, self->preactivations, rows.first * self->samples);
}

static void put_tile(void *state, ww_rows tile, const double *values)
{
    keep *self = state;
    self->methods->narrow(values, tile.units * self->problem->dimension, weights_of(self, tile));
}

static ww_status make_inputs(keep *self, ww_error *error)
{
    const ww_problem *problem = self->problem;
    const bool single = ww_problem_is_single(problem);
    const int64_t columns = window_columns(problem);
    WW_TRY(ww_panel_inputs_create(single, WW_FOR_PRODUCTS, self->samples, problem->dimension,
                                  &self->window, error));
    WW_TRY(ww_panel_inputs_create(single, WW_FOR_SUMS, self->samples, problem->dimension,
                                  &self->moving, error));
    return ww_panel_inputs_create(single, WW_FOR_PRODUCTS, columns, columns, &self->ahead, error);
}

static ww_status create(const ww_problem *problem, void **state, ww_error *error)
{
    keep *self = ww_allocate(1, sizeof *self, "the engine", error);
    if (self == NULL)
        return WW_FAILED;
    *state = self;
    self->problem = problem;
    self->methods = ww_activations_of(ww_problem_is_single(problem));
    self->steps = window_steps(problem);
    self->samples = window_samples(problem);
    self->first = -1;
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    WW_TRY(ww_allocate_all(self, list, ARRAYS, error));
    WW_TRY(ww_moves_create(problem, self->samples, &self->moves, error));
    WW_TRY(make_inputs(self, error));
    WW_TRY(ww_batches_create(problem, &self->batches, error));
    return ww_put_initial_tiles(problem, put_tile, self, error);
}

static void copy_inputs(const keep *self, const int64_t *indices, int64_t count, double *inputs)
{
    const size_t d = (size_t)self->problem->dimension;
    for (int64_t i = 0; i < count; i++)
        memcpy(inputs + (size_t)i * d, self->problem->data->train.inputs + (size_t)indices[i] * d,
               d * sizeof *inputs);
}

// Makes ready to put what updates have come since into the weights of all tiles.
static void begin_applying(keep *self)
{
    const ww_moves *moves = &self->moves;
    const size_t d = (size_t)self->problem->dimension;
    for (int64_t j = self->applied; j < moves->count; j++)
        memcpy(self->room + (size_t)(j - self->applied) * d,
               self->inputs + (size_t)moves->samples[j] * d, d * sizeof *self->room);
    ww_panel_inputs_set(&self->moving, self->room, moves->count - self->applied);
}

static void apply(const keep *self, ww_rows rows)
{
    if (self->moving.samples > 0)
        ww_panel_move_by(&self->moving, 1.0, ww_moves_of(&self->moves, rows, self->applied),
                         self->samples, rows.units, weights_of(self, rows));
}

// The samples of the window that begins at step `first`.
static void gather(keep *self, int64_t first)
{
    for (int64_t step = 0; step < self->steps; step++)
        ww_batches_at(self->batches, first + step, self->indices + step * self->problem->batch);
    copy_inputs(self, self->indices, self->samples, self->inputs);
    self->first = first;
    self->has_products = false;
    self->ahead_step = -1;
}

static const double *products_of(keep *self)
{
    if (!self->has_products)
        ww_inner_products(self->inputs, self->samples, self->problem->dimension, self->products);
    self->has_products = true;
    return self->products;
}

// Makes the window of `step` the one in memory; the next pass over the tiles brings the weights up
// to it.
static void enter(keep *self, int64_t step)
{
    begin_applying(self); // by the inputs of the window that ends
    gather(self, step - step % self->steps);
    ww_panel_inputs_set(&self->window, self->inputs, self->samples);
    self->enters = true;
}

// After the pass in which the window was entered: the updates of the one before are in the weights.
static void settle(keep *self)
{
    if (self->enters)
        self->moves.count = self->applied = 0;
    self->enters = false;
}

static void apply_to_tile(void *context, int worker, int64_t local_tile)
{
    const keep *self = context;
    (void)worker;
    apply(self, ww_tile_rows(self->problem, local_tile));
}

// Puts all updates that there are into the weights.
static void apply_all(void *state)
{
    keep *self = state;
    settle(self);
    if (self->applied == self->moves.count)
        return;
    begin_applying(self);
    ww_for_each(self->problem->parallel, self->problem->tiling.local_tiles, apply_to_tile, self);
    self->applied = self->moves.count;
}

static void take_batch(void *state, int64_t step, const int64_t *indices)
{
    keep *self = state;
    const int64_t batch = self->problem->batch;
    settle(self);
    self->looks = step < 0;
    if (self->looks) { // by the weights, as after a restart
        apply_all(self);
        copy_inputs(self, indices, batch, self->room);
        ww_panel_inputs_set(&self->window, self->room, batch);
        return;
    }
    if (self->first != step - step % self->steps)
        enter(self, step);
    for (int64_t i = 0; i < batch; i++)
        self->places[i] = (step - self->first) * batch + i;
    const bool corrects = !self->enters && self->moves.count > 0;
    ww_moves_take(&self->moves, self->places, corrects ? products_of(self) : NULL, self->samples);
}

// Brings weights up to the window, and makes P.
static void enter_tile(const keep *self, ww_rows tile)
{
    const int64_t most = ww_piece_units(self->problem, self->methods->size);
    for (int64_t done = 0; done < tile.units; done += most) {
        const ww_rows piece = {.first = tile.first + done,
                               .units = tile.units - done < most ? tile.units - done : most};
        apply(self, piece);
        ww_panel_preactivations(&self->window, weights_of(self, piece), piece.units,
                                preactivations_of(self, piece));
    }
}

static void preactivate(void *state, ww_pass pass, ww_rows tile, int64_t start, int64_t count,
                        void *preactivations)
{
    keep *self = state;
    const ww_moves *moves = &self->moves;
    const ww_moves_batch *batch = pass == WW_PASS_FORWARD ? &moves->batch : &moves->pending;
    (void)start;
    if (self->looks) {
        ww_panel_preactivations(&self->window, weights_of(self, tile), tile.units, preactivations);
        return;
    }
    if (pass == WW_PASS_FORWARD && self->enters)
        enter_tile(self, tile);
    self->methods->take_columns(
        1.0, ww_place(self->methods, preactivations_of(self, tile), batch->samples[0]),
        self->samples, NULL, count, tile.units, preactivations, count);
    ww_moves_correct(moves, batch, tile, preactivations);
}

static void remember(void *state, const double *gradients)
{
    keep *self = state;
    settle(self);
    ww_moves_remember(&self->moves, gradients);
}

static void move(void *state, ww_rows tile, int64_t start, int64_t count, const void *coefficients)
{
    const keep *self = state;
    (void)start;
    (void)count;
    ww_moves_set(&self->moves, tile, coefficients);
}

static void moved(void *state)
{
    (void)state;
}

static const void *tile_of(void *state, int worker, ww_rows tile)
{
    const keep *self = state;
    (void)worker;
    return weights_of(self, tile);
}

// Products of the samples from step `step` on with those that have moved.
static void look_ahead(keep *self, int64_t step)
{
    const ww_moves *moves = &self->moves;
    const double *products = products_of(self);
    const int64_t done = (step - self->first) * self->problem->batch;
    for (int64_t i = done; i < self->samples; i++)
        for (int64_t j = 0; j < moves->count; j++)
            self->room[(i - done) * moves->count + j] =
                products[i * self->samples + moves->samples[j]];
    ww_panel_inputs_set_columns(&self->ahead, self->room, self->samples - done, moves->count);
    self->ahead_step = step;
}

// Columns of P of the steps to come, with all corrections so far; those that are over are 0.
static void kept_tile(void *state, int64_t step, ww_rows tile, double *values)
{
    keep *self = state;
    const int64_t done = (step - self->first) * self->problem->batch;
    const int64_t left = self->samples - done;
    memset(values, 0, (size_t)(tile.units * self->samples) * sizeof *values);
    settle(self);
    if (self->first < 0 || step % self->steps == 0)
        return;
    if (self->ahead_step != step && self->moves.count > 0)
        look_ahead(self, step);
    self->methods->take_columns(1.0, ww_place(self->methods, preactivations_of(self, tile), done),
                                self->samples, NULL, left, tile.units, self->tile, left);
    if (self->moves.count > 0)
        ww_panel_add_products(&self->ahead, ww_moves_of(&self->moves, tile, 0), self->samples,
                              tile.units, self->tile);
    for (int64_t unit = 0; unit < tile.units; unit++)
        self->methods->widen(ww_place(self->methods, self->tile, unit * left), left,
                             values + unit * self->samples + done);
}

static void put_kept_tile(void *state, ww_rows tile, const double *values)
{
    keep *self = state;
    self->methods->narrow(values, tile.units * self->samples, preactivations_of(self, tile));
}

static void restored(void *state, int64_t step, bool has_kept)
{
    keep *self = state;
    self->moves.count = self->applied = 0; // all are in the weights
    self->enters = false;
    self->first = -1;
    if (has_kept && step % self->steps != 0)
        gather(self, step - step % self->steps);
}

// A product with d terms, and up to as many corrections as there are samples in a window, by K.
static ww_rounding rounding(const ww_problem *problem, int64_t steps)
{
    const double samples = (double)window_samples(problem);
    (void)steps;
    return (ww_rounding){.pairs = 3.0 * (double)problem->dimension + 2.0 * samples + 32.0,
                         .steps = (double)window_steps(problem)};
}

const ww_keeper ww_keeper_window = {
    .name = "window",
    .cost = add_cost,
    .create = create,
    .destroy = destroy,
    .take_batch = take_batch,
    .preactivate = preactivate,
    .remember = remember,
    .move = move,
    .moved = moved,
    .apply_all = apply_all,
    .tile = tile_of,
    .put_tile = put_tile,
    .kept_columns = window_columns,
    .kept_tile = kept_tile,
    .put_kept_tile = put_kept_tile,
    .restored = restored,
    .rounding = rounding,
};
