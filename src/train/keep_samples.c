// Keeps what the hidden weights come to on the train samples, P = W X^T [m, n], instead of the
// weights: with K = X X^T the update of a sample moves P by its row of K. That is less work where
// there are not many more samples than inputs, and of a large batch there is no forward product.
//
// Updates of small batches are collected in columns (moves.h), which correct the pre-activations of
// the batches to come, and go into P together when there is no more room. Entries of P are chains
// whose terms are added in the order of the updates: no bit depends on when they go there. Those of
// large batches go into P at once, where it can be by tables of sums of rows of K (panels.h), since
// coefficients of a unit are the same for all its active samples up to a factor of the sample.
// Beside P stand the coefficients C [m, n] that all updates so far sum up to, as they are or as
// pattern sums, so that the weights are W(0) + C X when someone asks for them.

#include "train/keep_samples.h"

#include "parallel/workers.h"
#include "train/keeper.h"
#include "train/kernels.h"
#include "widthwise/memory.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { ARRAYS = 11, WEIGHT_ARRAYS = 2 };

// As many updates as make P move seldom enough: more take more corrections.
enum { COLUMNS = 64 };

// Whether updates go into P at once.
static bool is_direct(const ww_problem *problem)
{
    return problem->config->training.method == WW_METHOD_GD || problem->batch > WW_SAMPLE_BLOCK;
}

// Columns of updates.
static int64_t columns_of(const ww_problem *problem)
{
    if (is_direct(problem))
        return 0;
    return problem->batch > COLUMNS ? problem->batch : COLUMNS / problem->batch * problem->batch;
}

// Rows of K that are added to P at once.
static int64_t rows_of(const ww_problem *problem)
{
    return is_direct(problem) ? ww_block_size(problem->batch, 0) : columns_of(problem);
}

static void list_arrays(const ww_problem *problem, ww_allocation list[ARRAYS])
{
    const size_t size = ww_activations_of(ww_problem_is_single(problem))->size;
    const size_t samples = (size_t)problem->data->train.count;
    const size_t pairs = (size_t)problem->tiling.local_units * samples;
    const size_t threads = (size_t)ww_workers_of(problem->parallel);
    const size_t tile = threads * (size_t)(problem->tiling.tile_units * problem->dimension);
    const size_t batch = is_direct(problem) ? (size_t)problem->batch : 0;
    const bool sums = ww_has_pattern_sums(problem);
    const size_t tile_pairs = (size_t)problem->tiling.tile_units * samples;
    const ww_allocation arrays[] = {
        {offsetof(ww_keep_samples, preactivations), pairs, size,
         "the pre-activations of all samples (training.engine: dense takes less)"},
        {offsetof(ww_keep_samples, coefficients), sums ? 0 : pairs, size,
         "the coefficients of all samples (training.engine: dense takes less)"},
        {offsetof(ww_keep_samples, base_room), sums ? samples : 0, sizeof(double),
         "the products of all samples"},
        {offsetof(ww_keep_samples, tile_active), sums ? tile_pairs : 0, 1,
         "the patterns of a tile"},
        {offsetof(ww_keep_samples, tile_patterns), sums ? tile_pairs : 0, 1,
         "the patterns of a tile"},
        {offsetof(ww_keep_samples, turned), threads * tile_pairs, size,
         "the coefficients of a tile"},
        {offsetof(ww_keep_samples, batch), batch, sizeof(int64_t), "the samples of a batch"},
        {offsetof(ww_keep_samples, pending), batch, sizeof(int64_t), "the samples of a batch"},
        {offsetof(ww_keep_samples, room), (size_t)rows_of(problem) * samples, sizeof(double),
         "the products of some samples"},
        {offsetof(ww_keep_samples, drawn), tile, sizeof(double), "a tile of weights"},
        {offsetof(ww_keep_samples, tile), tile, size, "a tile of weights"},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

static void add_cost(const ww_problem *problem, ww_engine_cost *cost)
{
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    const bool single = ww_problem_is_single(problem);
    const int64_t samples = problem->data->train.count;
    const double pairs = (double)problem->tiling.local_units * (double)problem->batch;
    const int64_t columns = columns_of(problem);
    int64_t coefficients = 0;
    int64_t rest = 0;
    ww_moves_bytes(problem, columns, &coefficients, &rest);
    cost->weights += ww_allocation_bytes(list, WEIGHT_ARRAYS) + ww_pattern_sums_bytes(problem);
    cost->work += ww_allocation_bytes(list + WEIGHT_ARRAYS, ARRAYS - WEIGHT_ARRAYS) + coefficients +
                  rest + ww_coming_bytes(problem, columns) +
                  ww_panel_inputs_bytes(single, WW_FOR_SUMS, rows_of(problem), samples) +
                  ww_panel_inputs_bytes(single, WW_FOR_SUMS, samples, problem->dimension) +
                  ww_panel_inputs_bytes(single, WW_FOR_SUMS, 1, samples);
    // P, and corrections by half of the columns.
    cost->step_flops += 2.0 * pairs * (double)samples + pairs * (double)columns;
}

static void destroy(void *state)
{
    ww_keep_samples *self = state;
    ww_moves_free(&self->moves);
    ww_coming_free(&self->coming);
    ww_pattern_sums_free(&self->sums);
    ww_panel_inputs_free(&self->base);
    ww_panel_inputs_free(&self->rows);
    ww_panel_inputs_free(&self->inputs);
    free(self->preactivations);
    free(self->coefficients);
    free(self->room);
    free(self->base_room);
    free(self->tile_active);
    free(self->tile_patterns);
    free(self->turned);
    free(self->batch);
    free(self->pending);
    free(self->drawn);
    free(self->tile);
    free(self);
}

static void put_initial_tile(void *state, ww_rows tile, const void *preactivations)
{
    const ww_keep_samples *self = state;
    memcpy(ww_keep_samples_preactivations(self, tile), preactivations,
           (size_t)(tile.units * self->samples) * self->methods->size);
}

static ww_status create(const ww_problem *problem, void **state, ww_error *error)
{
    ww_keep_samples *self = ww_allocate(1, sizeof *self, "the engine", error);
    if (self == NULL)
        return WW_FAILED;
    *state = self;
    self->problem = problem;
    self->methods = ww_activations_of(ww_problem_is_single(problem));
    self->samples = problem->data->train.count;
    self->products = problem->products;
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    WW_TRY(ww_allocate_all(self, list, ARRAYS, error));
    WW_TRY(ww_coming_create(problem, columns_of(problem), &self->coming, error));
    WW_TRY(ww_moves_create(problem, columns_of(problem), &self->moves, error));
    WW_TRY(ww_pattern_sums_create(problem, &self->sums, error));
    WW_TRY(ww_panel_inputs_create(ww_problem_is_single(problem), WW_FOR_SUMS, 1, self->samples,
                                  &self->base, error));
    WW_TRY(ww_panel_inputs_create(ww_problem_is_single(problem), WW_FOR_SUMS, rows_of(problem),
                                  self->samples, &self->rows, error));
    WW_TRY(ww_panel_inputs_create(ww_problem_is_single(problem), WW_FOR_SUMS, self->samples,
                                  problem->dimension, &self->inputs, error));
    ww_panel_inputs_set(&self->inputs, problem->data->train.inputs, self->samples);
    return ww_put_initial_preactivations(problem, put_initial_tile, self, error);
}

// A row of K.
static const double *products_of(const ww_keep_samples *self, int64_t sample)
{
    return self->products->values + sample * self->products->stride;
}

// Rows of K of some samples, to be added to P.
static void take_rows(ww_keep_samples *self, const int64_t *samples, int64_t count)
{
    const int64_t n = self->samples;
    for (int64_t i = 0; i < count; i++)
        memcpy(self->room + i * n, products_of(self, samples[i]), (size_t)n * sizeof *self->room);
    ww_panel_inputs_set(&self->rows, self->room, count);
}

// The same of pattern sums: rows of K times what their samples move by, and what all of them come
// to.
static void take_scaled_rows(ww_keep_samples *self, int64_t start, int64_t count)
{
    const int64_t n = self->samples;
    const double slope = self->problem->negative_slope;
    memset(self->base_room, 0, (size_t)n * sizeof *self->base_room);
    for (int64_t i = 0; i < count; i++) {
        const double factor = self->sums.factors[start + i];
        const double *row = products_of(self, start + i);
        for (int64_t j = 0; j < n; j++) {
            self->room[i * n + j] = (1.0 - slope) * factor * row[j];
            self->base_room[j] += slope * factor * row[j];
        }
    }
    ww_panel_inputs_set(&self->rows, self->room, count);
    ww_panel_inputs_set(&self->base, self->base_room, 1);
}

static void take_batch(void *state, int64_t step, const int64_t *indices)
{
    ww_keep_samples *self = state;
    if (is_direct(self->problem)) {
        memcpy(self->batch, indices, (size_t)self->problem->batch * sizeof *indices);
        return;
    }
    if (self->is_full) // P moves in the next pass
        ww_coming_forget(&self->coming);
    ww_coming_take(&self->coming, step, indices);
    ww_moves_take(&self->moves, indices, self->is_full ? NULL : self->products->values,
                  self->products->stride);
}

static void take_block(void *state, ww_pass pass, int64_t start, int64_t count)
{
    ww_keep_samples *self = state;
    if (pass == WW_PASS_UPDATE && ww_has_pattern_sums(self->problem))
        take_scaled_rows(self, start, count);
    else if (pass == WW_PASS_UPDATE)
        take_rows(self, self->pending + start, count);
}

static void take_large(const ww_keep_samples *self, ww_pass pass, ww_rows tile, int64_t start,
                       int64_t count, void *preactivations)
{
    const int64_t *samples = pass == WW_PASS_FORWARD ? self->batch : self->pending;
    self->methods->take_columns(1.0, ww_keep_samples_preactivations(self, tile), self->samples,
                                samples + start, count, tile.units, preactivations, count);
}

static void preactivate(void *state, ww_pass pass, ww_rows tile, int64_t start, int64_t count,
                        void *preactivations)
{
    const ww_keep_samples *self = state;
    if (is_direct(self->problem)) {
        take_large(self, pass, tile, start, count, preactivations);
        return;
    }
    const ww_moves *moves = &self->moves;
    ww_coming_get(&self->coming, pass, tile, ww_keep_samples_preactivations(self, tile),
                  preactivations);
    ww_moves_correct(moves, pass == WW_PASS_FORWARD ? &moves->batch : &moves->pending, tile,
                     preactivations);
}

static void remember(void *state, const double *gradients)
{
    ww_keep_samples *self = state;
    const int64_t batch = self->problem->batch;
    if (is_direct(self->problem)) {
        int64_t *indices = self->batch;
        self->batch = self->pending;
        self->pending = indices;
        if (ww_has_pattern_sums(self->problem))
            ww_pattern_sums_take(&self->sums, gradients);
        if (batch <= WW_SAMPLE_BLOCK) // whose one block nobody takes
            take_block(self, WW_PASS_UPDATE, 0, batch);
        return;
    }
    ww_coming_remember(&self->coming);
    ww_moves_remember(&self->moves, gradients);
    self->is_full = self->moves.count + batch > self->moves.capacity;
    if (self->is_full)
        take_rows(self, self->moves.samples, self->moves.count);
}

// Puts the columns of a tile into P and C.
static void apply(const ww_keep_samples *self, ww_rows tile)
{
    const ww_moves *moves = &self->moves;
    const void *columns = ww_moves_of(moves, tile, 0);
    ww_panel_move_by(&self->rows, 1.0, columns, moves->capacity, tile.units,
                     ww_keep_samples_preactivations(self, tile));
    self->methods->add_columns(1.0, columns, moves->capacity, moves->count, tile.units,
                               moves->samples, ww_keep_samples_coefficients(self, tile));
}

static void move(void *state, ww_rows tile, int64_t start, int64_t count, const void *coefficients)
{
    const ww_keep_samples *self = state;
    const double scale = -self->problem->learning_rate;
    if (is_direct(self->problem)) {
        ww_panel_move(&self->rows, scale, coefficients, tile.units,
                      ww_keep_samples_preactivations(self, tile));
        self->methods->add_columns(scale, coefficients, count, count, tile.units,
                                   self->pending + start, ww_keep_samples_coefficients(self, tile));
        return;
    }
    ww_moves_set(&self->moves, tile, coefficients);
    if (self->is_full)
        apply(self, tile);
}

static void move_by_patterns(void *state, ww_rows tile, int64_t start, int64_t count,
                             const uint8_t *patterns, int64_t stride, void *room)
{
    const ww_keep_samples *self = state;
    const void *scales = ww_pattern_sums_scales(&self->sums, tile);
    ww_pattern_sums_note(&self->sums, tile, start, count, patterns, stride);
    ww_panel_add_patterns(&self->rows, scales, patterns, stride, tile.units,
                          ww_keep_samples_preactivations(self, tile), room);
    if (self->problem->negative_slope != 0.0)
        ww_panel_move(&self->base, 1.0, scales, tile.units,
                      ww_keep_samples_preactivations(self, tile));
}

static void moved(void *state)
{
    ww_keep_samples *self = state;
    if (ww_has_pattern_sums(self->problem))
        ww_pattern_sums_moved(&self->sums);
    if (self->is_full)
        self->moves.count = 0;
    self->is_full = false;
}

static void apply_to_tile(void *context, int worker, int64_t local_tile)
{
    const ww_keep_samples *self = context;
    (void)worker;
    apply(self, ww_tile_rows(self->problem, local_tile));
}

void ww_keep_samples_apply_all(void *state)
{
    ww_keep_samples *self = state;
    if (self->moves.count == 0)
        return;
    take_rows(self, self->moves.samples, self->moves.count);
    ww_for_each(self->problem->parallel, self->problem->tiling.local_tiles, apply_to_tile, self);
    self->moves.count = 0;
    ww_coming_forget(&self->coming);
}

static const void *tile_of(void *state, int worker, ww_rows tile)
{
    const ww_keep_samples *self = state;
    const ww_problem *problem = self->problem;
    const int64_t weights = problem->tiling.tile_units * problem->dimension;
    double *drawn = self->drawn + worker * weights;
    void *values = ww_place(self->methods, self->tile, worker * weights);
    void *turned =
        ww_place(self->methods, self->turned, worker * problem->tiling.tile_units * self->samples);
    ww_initial_hidden_weights(&problem->initial, problem->tiling.first_unit + tile.first,
                              tile.units, drawn);
    self->methods->narrow(drawn, tile.units * problem->dimension, values);
    if (ww_has_pattern_sums(problem))
        ww_pattern_sums_coefficients(&self->sums, tile, turned);
    else
        self->methods->turn(ww_keep_samples_coefficients(self, tile), self->samples, tile.units,
                            turned);
    ww_panel_move(&self->inputs, 1.0, turned, tile.units, values);
    return values;
}

// The weights follow from what is kept.
static void put_tile(void *state, ww_rows tile, const double *values)
{
    (void)state;
    (void)tile;
    (void)values;
}

// P and C have had the terms of all steps added, B at a time: derived in lazy.md.
static ww_rounding rounding(const ww_problem *problem, int64_t steps)
{
    const double d = (double)problem->dimension, n = (double)problem->data->train.count;
    const double batch = (double)problem->batch;
    return (ww_rounding){.pairs = 4.0 * (double)steps * (2.0 * batch + d + 12.0) + 2.0 * n +
                                  3.0 * d + 32.0,
                         .steps = 2.0 + (double)columns_of(problem) / batch};
}

// Columns that are not in C yet belong to a few steps, and so does a pending update.
static void find_reach(void *state, ww_rows tile, const double *lengths, double *reach)
{
    const ww_keep_samples *self = state;
    memset(reach, 0, (size_t)tile.units * sizeof *reach);
    if (ww_has_pattern_sums(self->problem))
        ww_pattern_sums_reach(&self->sums, tile, lengths, reach);
    else
        ww_add_magnitudes(self->methods, ww_keep_samples_coefficients(self, tile), self->samples,
                          tile.units, lengths, reach);
}

const ww_keeper ww_keeper_samples = {
    .name = "samples",
    .cost = add_cost,
    .create = create,
    .destroy = destroy,
    .take_batch = take_batch,
    .take_block = take_block,
    .preactivate = preactivate,
    .remember = remember,
    .move = move,
    .takes_patterns = ww_has_pattern_sums,
    .move_by_patterns = move_by_patterns,
    .moved = moved,
    .apply_all = ww_keep_samples_apply_all,
    .tile = tile_of,
    .put_tile = put_tile,
    .kept_columns = ww_keep_samples_kept_columns,
    .kept_tile = ww_keep_samples_kept_tile,
    .put_kept_tile = ww_keep_samples_put_kept_tile,
    .words = ww_keep_samples_words,
    .save_words = ww_keep_samples_save_words,
    .load_words = ww_keep_samples_load_words,
    .restored = ww_keep_samples_restored,
    .rounding = rounding,
    .reach = find_reach,
};
