// Keeps the hidden weights W and streams them: with batches of one block of samples a piece of W is
// moved by one step and multiplied by the next batch while a cache has it, so that a step reads and
// writes W once.

#include "train/keeper.h"

#include "train/activations.h"
#include "train/kernels.h"
#include "train/panel_inputs.h"
#include "train/tally.h"
#include "widthwise/memory.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef struct keep {
    const ww_problem *problem;
    const ww_activation_methods *methods;
    void *weights;    // [local units, d]
    double *gathered; // [B, d], inputs of the batch at hand; unused for gd
    double *previous; // [B, d], those of the pending update, where there are several blocks
    bool is_whole;    // `inputs` are the train set, as gd has it at every step
    ww_panel_inputs inputs, pending; // a block of the batch, and of that of the pending update
} keep;

enum { ARRAYS = 3, WEIGHT_ARRAYS = 1 };

static bool is_gd(const ww_problem *problem)
{
    return problem->config->training.method == WW_METHOD_GD;
}

static bool is_one_block(const ww_problem *problem)
{
    return problem->batch <= WW_SAMPLE_BLOCK;
}

// Of gd the inputs are used in place, but for a look at the outputs of some samples.
static void list_arrays(const ww_problem *problem, ww_allocation list[ARRAYS])
{
    const size_t d = (size_t)problem->dimension;
    const size_t batch = (size_t)problem->batch * d;
    const bool gathers = !is_gd(problem) || ww_tally_extras(problem) > 0;
    const ww_allocation arrays[] = {
        {offsetof(keep, weights), (size_t)problem->tiling.local_units * d,
         ww_activations_of(ww_problem_is_single(problem))->size, "the hidden weights W"},
        {offsetof(keep, gathered), gathers ? batch : 0, sizeof(double), "the inputs of a batch"},
        {offsetof(keep, previous), is_gd(problem) || is_one_block(problem) ? 0 : batch,
         sizeof(double), "the inputs of the last batch"},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

static void add_cost(const ww_problem *problem, ww_engine_cost *cost)
{
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    const double pairs = (double)problem->tiling.local_units * (double)problem->batch;
    cost->weights += ww_allocation_bytes(list, WEIGHT_ARRAYS);
    cost->work += ww_allocation_bytes(list + WEIGHT_ARRAYS, ARRAYS - WEIGHT_ARRAYS) +
                  2 * ww_panel_inputs_bytes(ww_problem_is_single(problem), WW_FOR_BOTH,
                                            ww_block_size(problem->batch, 0), problem->dimension);
    // Forward and update; to train output weights takes the forward pass once more.
    cost->step_flops +=
        (problem->config->network.train_output ? 6.0 : 4.0) * pairs * (double)problem->dimension;
}

static void destroy(void *state)
{
    keep *self = state;
    free(self->weights);
    free(self->gathered);
    free(self->previous);
    ww_panel_inputs_free(&self->inputs);
    ww_panel_inputs_free(&self->pending);
    free(self);
}

static void *weights_of(const keep *self, ww_rows rows)
{
    return ww_place(self->methods, self->weights, rows.first * self->problem->dimension);
}

static void put_tile(void *state, ww_rows tile, const double *values)
{
    keep *self = state;
    self->methods->narrow(values, tile.units * self->problem->dimension, weights_of(self, tile));
}

static ww_status create(const ww_problem *problem, void **state, ww_error *error)
{
    keep *self = ww_allocate(1, sizeof *self, "the engine", error);
    if (self == NULL)
        return WW_FAILED;
    *state = self;
    self->problem = problem;
    self->methods = ww_activations_of(ww_problem_is_single(problem));
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    const int64_t block = ww_block_size(problem->batch, 0);
    WW_TRY(ww_allocate_all(self, list, ARRAYS, error));
    WW_TRY(ww_panel_inputs_create(ww_problem_is_single(problem), WW_FOR_BOTH, block,
                                  problem->dimension, &self->inputs, error));
    WW_TRY(ww_panel_inputs_create(ww_problem_is_single(problem), WW_FOR_BOTH, block,
                                  problem->dimension, &self->pending, error));
    return ww_put_initial_tiles(problem, put_tile, self, error);
}

// Inputs of samples `start` .. of the batch at hand, or of that of the pending update.
static void take_inputs(keep *self, ww_pass pass, int64_t start, int64_t count)
{
    const ww_problem *problem = self->problem;
    const bool is_forward = pass == WW_PASS_FORWARD;
    const double *own = is_forward ? self->gathered : self->previous;
    const double *values =
        self->is_whole ? problem->data->train.inputs + problem->first_sample * problem->dimension
                       : own;
    ww_panel_inputs_set(is_forward ? &self->inputs : &self->pending,
                        values + start * problem->dimension, count);
}

static void take_batch(void *state, int64_t step, const int64_t *indices)
{
    keep *self = state;
    const ww_problem *problem = self->problem;
    const size_t d = (size_t)problem->dimension;
    const bool was_whole = self->is_whole;
    self->is_whole = is_gd(problem) && step >= 0;
    if (!self->is_whole)
        for (int64_t i = 0; i < problem->batch; i++)
            memcpy(self->gathered + (size_t)i * d,
                   problem->data->train.inputs + (size_t)indices[i] * d, d * sizeof(double));
    // For gd they are the same at every step, and stay.
    const bool is_there = self->is_whole && was_whole && self->inputs.samples == problem->batch;
    if (is_one_block(problem) && !is_there)
        take_inputs(self, WW_PASS_FORWARD, 0, problem->batch);
}

static void take_block(void *state, ww_pass pass, int64_t start, int64_t count)
{
    take_inputs(state, pass, start, count);
}

static void preactivate(void *state, ww_pass pass, ww_rows tile, int64_t start, int64_t count,
                        void *preactivations)
{
    const keep *self = state;
    const ww_panel_inputs *inputs = pass == WW_PASS_FORWARD ? &self->inputs : &self->pending;
    (void)start;
    WW_ASSERT(inputs->samples == count);
    ww_panel_preactivations(inputs, weights_of(self, tile), tile.units, preactivations);
}

static void remember(void *state, const double *gradients)
{
    keep *self = state;
    (void)gradients;
    double *gathered = self->gathered;
    if (!is_one_block(self->problem) && !is_gd(self->problem)) {
        self->gathered = self->previous;
        self->previous = gathered;
    }
    const ww_panel_inputs inputs = self->inputs;
    self->inputs = self->pending;
    self->pending = inputs;
}

static void move_rows(void *state, ww_rows tile, int64_t start, int64_t count,
                      const void *coefficients, void *rows)
{
    const keep *self = state;
    (void)start;
    WW_ASSERT(self->pending.samples == count);
    ww_panel_move(&self->pending, -self->problem->learning_rate, coefficients, tile.units, rows);
}

static void move(void *state, ww_rows tile, int64_t start, int64_t count, const void *coefficients)
{
    move_rows(state, tile, start, count, coefficients, weights_of(state, tile));
}

static void add_rows(void *state, ww_rows tile, const void *rows)
{
    const keep *self = state;
    self->methods->add(rows, tile.units * self->problem->dimension, weights_of(self, tile));
}

static void advance(void *state, ww_rows tile, const void *coefficients, void *preactivations)
{
    const keep *self = state;
    const int64_t most = ww_piece_units(self->problem, self->methods->size);
    for (int64_t done = 0; done < tile.units; done += most) {
        const ww_rows piece = {.first = tile.first + done,
                               .units = tile.units - done < most ? tile.units - done : most};
        ww_panel_move(&self->pending, -self->problem->learning_rate,
                      ww_place_in(self->methods, coefficients, done * self->pending.samples),
                      piece.units, weights_of(self, piece));
        ww_panel_preactivations(
            &self->inputs, weights_of(self, piece), piece.units,
            ww_place(self->methods, preactivations, done * self->inputs.samples));
    }
}

static void moved(void *state)
{
    (void)state;
}

static const void *tile_of(void *state, int worker, ww_rows tile)
{
    (void)worker;
    return weights_of(state, tile);
}

static void restored(void *state, int64_t step, bool has_kept)
{
    (void)state;
    (void)step;
    (void)has_kept;
}

// Products with d terms, made in two ways.
static ww_rounding rounding(const ww_problem *problem, int64_t steps)
{
    (void)steps;
    return (ww_rounding){.pairs = 2.0 * (double)problem->dimension + 16.0};
}

const ww_keeper ww_keeper_weights = {
    .name = "dense",
    .cost = add_cost,
    .create = create,
    .destroy = destroy,
    .take_batch = take_batch,
    .take_block = take_block,
    .preactivate = preactivate,
    .remember = remember,
    .move = move,
    .move_rows = move_rows,
    .add_rows = add_rows,
    .advance = advance,
    .moved = moved,
    .tile = tile_of,
    .put_tile = put_tile,
    .restored = restored,
    .rounding = rounding,
};
