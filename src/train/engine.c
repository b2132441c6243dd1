#include "train/engine.h"

#include "train/lazy_weighed.h"
#include "train/rest.h"
#include "train/sample_products.h"
#include "train/track.h"
#include "widthwise/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ww_engine {
    const ww_problem *problem; // of all ranks
    ww_problem own;            // of the row and the group of samples (ww_sample_grid)
    ww_parallel row, column;   // where there are several groups
    const ww_engine_methods *methods;
    ww_sample_products products; // where the engine takes them
    void *state;
    ww_tally *tally;        // NULL: every step changes all weights
    ww_rest_finder *finder; // with a tally, where the engine cannot tell itself
    ww_track *track;        // NULL: nobody asks for it
    int64_t steps;
};

static const ww_engine_methods *choose(const ww_problem *problem)
{
    switch (ww_engine_choice(problem)) {
    case WW_ENGINE_WINDOW:
        return &ww_engine_window;
    case WW_ENGINE_SAMPLES:
        return &ww_engine_samples;
    case WW_ENGINE_LAZY:
        return &ww_engine_lazy;
    case WW_ENGINE_LAYERS:
        return &ww_engine_layers;
    case WW_ENGINE_AUTO: // is no choice
    case WW_ENGINE_DENSE:
        break;
    }
    return &ww_engine_dense;
}

const ww_engine_methods *ww_engine_methods_of(const ww_engine *engine)
{
    return engine->methods;
}

void *ww_engine_state_of(const ww_engine *engine)
{
    return engine->state;
}

const ww_problem *ww_engine_problem(const ww_engine *engine)
{
    return &engine->own;
}

static bool has_tally(const ww_problem *problem)
{
    return ww_tally_extras(problem) > 0;
}

// The ranks of a group, as far as its costs depend on them.
static ww_parallel describe_row(const ww_problem *problem)
{
    ww_parallel row = *problem->parallel;
    row.rank /= problem->grid.groups;
    row.size /= problem->grid.groups;
    return row;
}

ww_engine_cost ww_engine_cost_of(const ww_problem *whole)
{
    const ww_engine_methods *methods = choose(whole);
    const ww_parallel row = describe_row(whole);
    const ww_problem own = ww_problem_of_group(whole, &row, NULL);
    const ww_problem *problem = &own;
    ww_engine_cost cost = methods->cost(problem);
    if (methods->takes_products)
        cost.shared += ww_sample_products_bytes(problem);
    if (has_tally(problem))
        cost.work += ww_tally_bytes(problem);
    if (has_tally(problem) && methods->rests == NULL)
        cost.work += ww_rest_finder_bytes(problem, methods);
    if (problem->tracks_layers) {
        int64_t bytes = 0;
        double flops = 0.0;
        ww_track_cost(problem, &bytes, &flops);
        cost.work += bytes;
        cost.step_flops += flops;
    }
    return cost;
}

ww_status ww_engine_check(const ww_problem *problem, ww_error *error)
{
    if (choose(problem) != &ww_engine_lazy || problem->outputs == 1)
        return WW_OK;
    if (problem->config->training.method != WW_METHOD_GD)
        return ww_fail(error, WW_USAGE,
                       "training.engine is lazy, which by batches is for one output, but the data "
                       "have %lld; choose training.method: gd, or training.engine: dense",
                       (long long)problem->outputs);
    if (problem->outputs > WW_LAZY_MOST_OUTPUTS)
        return ww_fail(error, WW_USAGE,
                       "training.engine is lazy, which is for up to %d outputs, but the data have "
                       "%lld; choose training.engine: dense",
                       WW_LAZY_MOST_OUTPUTS, (long long)problem->outputs);
    return WW_OK;
}

bool ww_engine_is_special(const ww_problem *problem)
{
    return choose(problem) != &ww_engine_dense;
}

bool ww_engine_makes_tiles(const ww_problem *problem)
{
    const ww_engine_methods *methods = choose(problem);
    return methods == &ww_engine_samples || methods == &ww_engine_lazy;
}

void ww_engine_describe(const ww_problem *problem, char *text, size_t size)
{
    const bool is_auto = problem->config->training.engine == WW_ENGINE_AUTO;
    const bool is_single = problem->config->precision == WW_PRECISION_SINGLE;
    (void)snprintf(text, size, "engine %s%s%s", choose(problem)->name, is_auto ? " (auto)" : "",
                   is_single ? " in single precision" : "");
}

static ww_status create(ww_engine *engine, ww_error *error)
{
    const ww_problem *problem = &engine->own;
    WW_TRY(ww_tally_create(problem, &engine->tally, error));
    if (engine->tally != NULL && engine->methods->rests == NULL)
        WW_TRY(ww_rest_finder_create(problem, engine->methods, &engine->finder, error));
    if (problem->tracks_layers)
        WW_TRY(ww_track_create(problem, &engine->track, error));
    return engine->methods->create(problem, engine->tally, engine->track, &engine->state, error);
}

// The rows and columns of the grid. Collective.
static ww_status make_grid(ww_engine *engine, ww_error *error)
{
    const ww_problem *problem = engine->problem;
    const int groups = problem->grid.groups;
    if (groups == 1) {
        engine->own = ww_problem_of_group(problem, problem->parallel, NULL);
        return WW_OK;
    }
    WW_TRY(ww_parallel_split(problem->parallel, problem->parallel->rank % groups, &engine->row,
                             error));
    WW_TRY(ww_parallel_split(problem->parallel, problem->parallel->rank / groups, &engine->column,
                             error));
    engine->own = ww_problem_of_group(problem, &engine->row, &engine->column);
    return WW_OK;
}

// By all ranks, whatever their group: nodes have ranks of several. Collective.
static ww_status make_products(ww_engine *engine, ww_error *error)
{
    if (!engine->methods->takes_products)
        return WW_OK;
    WW_TRY(ww_sample_products_create(engine->problem, &engine->products, error));
    engine->own.products = &engine->products;
    return WW_OK;
}

ww_status ww_engine_create(const ww_problem *problem, ww_engine **engine, ww_error *error)
{
    *engine = NULL;
    ww_engine *made = ww_allocate(1, sizeof *made, "the engine", error);
    const ww_status there = ww_agree(problem->parallel, made != NULL ? WW_OK : WW_FAILED, error);
    if (made == NULL || there != WW_OK) {
        free(made);
        return there;
    }
    made->problem = problem;
    made->methods = choose(problem);
    made->row.communicator = made->column.communicator = MPI_COMM_NULL;
    WW_ASSERT(ww_problem_has_inputs(problem));
    ww_status status = ww_agree(problem->parallel, make_grid(made, error), error);
    if (status == WW_OK)
        status = make_products(made, error);
    if (status == WW_OK)
        status = create(made, error);
    status = ww_agree(problem->parallel, status, error);
    if (status == WW_OK)
        *engine = made;
    else
        ww_engine_free(made);
    return status;
}

void ww_engine_free(ww_engine *engine)
{
    if (engine == NULL)
        return;
    if (engine->state != NULL)
        engine->methods->destroy(engine->state);
    ww_rest_finder_free(engine->finder);
    ww_tally_free(engine->tally);
    ww_track_free(engine->track);
    ww_sample_products_free(&engine->products);
    ww_parallel_destroy(&engine->column);
    ww_parallel_destroy(&engine->row);
    free(engine);
}

ww_status ww_engine_step(ww_engine *engine, int64_t request, int64_t *requests, double *batch_loss,
                         ww_error *error)
{
    const ww_status status =
        engine->methods->step(engine->state, engine->steps, request, requests, batch_loss, error);
    if (status == WW_OK)
        engine->steps++;
    else if (status == WW_DIVERGED)
        ww_error_prefix(error, "training diverged at step %lld: ", (long long)engine->steps);
    return status;
}

int64_t ww_engine_steps(const ww_engine *engine)
{
    return engine->steps;
}

const double *ww_engine_tile(void *engine, int64_t tile)
{
    ww_engine_settle(engine);
    return ww_engine_tile_for(engine, 0, tile);
}

void ww_engine_settle(ww_engine *engine)
{
    if (engine->methods->settle != NULL)
        engine->methods->settle(engine->state);
}

const double *ww_engine_tile_for(const ww_engine *engine, int worker, int64_t tile)
{
    return engine->methods->tile(engine->state, worker, tile);
}

const double *ww_engine_layer_tile(void *engine, int64_t layer, int64_t tile)
{
    const ww_engine *self = engine;
    ww_layered *network = ww_engine_network(self);
    if (network != NULL)
        return ww_layered_tile(network, 0, layer, tile);
    WW_ASSERT(layer == 1);
    return ww_engine_tile(engine, tile);
}

void ww_engine_put_layer_tile(void *engine, int64_t layer, int64_t tile, const double *values)
{
    const ww_engine *self = engine;
    ww_layered *network = ww_engine_network(self);
    if (network != NULL) {
        ww_layered_put_tile(network, layer, tile, values);
        return;
    }
    WW_ASSERT(layer == 1);
    self->methods->put_tile(self->state, tile, values);
}

const ww_track *ww_engine_track(const ww_engine *engine)
{
    return engine->track;
}

ww_layered *ww_engine_network(const ww_engine *engine)
{
    return engine->methods->network != NULL ? engine->methods->network(engine->state) : NULL;
}

// Where in the output weights of the column those of unit `unit` stand.
static int64_t offset_of_unit(const ww_engine *engine, int64_t unit)
{
    return (unit - engine->own.tiling.first_unit) * engine->own.outputs;
}

const double *ww_engine_output_weights(const ww_engine *engine)
{
    const double *all = engine->methods->output_weights(engine->state);
    return all + offset_of_unit(engine, engine->problem->tiling.first_unit);
}

const double *ww_engine_tile_output_weights(const ww_engine *engine, int64_t tile)
{
    const double *all = engine->methods->output_weights(engine->state);
    return all + offset_of_unit(engine, tile * engine->own.tiling.tile_units);
}

const ww_parallel *ww_engine_column(const ww_engine *engine)
{
    return engine->own.column;
}

const ww_tally *ww_engine_tally(const ww_engine *engine)
{
    return engine->tally;
}

static size_t own_words(const ww_problem *problem)
{
    const ww_engine_methods *methods = choose(problem);
    return methods->words != NULL ? methods->words(problem) : 0;
}

size_t ww_engine_carry_words(const ww_problem *problem)
{
    return ww_tally_words(problem) + own_words(problem) +
           (problem->tracks_layers ? ww_track_words(problem) : 0);
}

void ww_engine_carry_save(const ww_engine *engine, double *words)
{
    const ww_problem *problem = engine->problem;
    if (engine->tally != NULL)
        ww_tally_save(engine->tally, problem, words);
    words += ww_tally_words(problem);
    if (engine->track != NULL)
        ww_track_save(engine->track, problem, words);
    if (own_words(problem) > 0)
        engine->methods->save_words(engine->state, words);
}

void ww_engine_carry_load(ww_engine *engine, const double *words)
{
    const ww_problem *problem = engine->problem;
    if (engine->tally != NULL)
        ww_tally_load(engine->tally, problem, words);
    words += ww_tally_words(problem);
    if (engine->track != NULL) // which no engine has that has words of its own
        ww_track_load(engine->track, problem, words);
    if (own_words(problem) > 0)
        engine->methods->load_words(engine->state, words);
}

// What is kept beside the weights is made anew: weights stay, whatever the step they are said to be
// of, so that a run that is found at rest earlier or later ends with the same numbers.
static void go_back(ww_engine *engine, int64_t step)
{
    ww_engine_settle(engine);
    (void)engine->methods->output_weights(engine->state);
    engine->methods->restored(engine->state, step, false);
    engine->steps = step;
}

ww_status ww_engine_rest(ww_engine *engine, int64_t not_before, ww_rest *rest, ww_error *error)
{
    const int64_t since = engine->tally->last_change;
    WW_ASSERT(not_before <= engine->steps);
    ww_status status = WW_OK;
    if (engine->methods->rests != NULL)
        engine->methods->rests(engine->state, engine->steps - since, rest);
    else
        status = ww_rest_find(engine->finder, engine->state, engine->steps - since, rest, error);
    if (status == WW_DIVERGED)
        ww_error_prefix(error, "training diverged at step %lld: ", (long long)engine->steps);
    if (status == WW_OK && rest->rests)
        go_back(engine, since > not_before ? since : not_before);
    return status;
}

int64_t ww_engine_state_columns(const ww_problem *problem)
{
    const ww_engine_methods *methods = choose(problem);
    return methods->kept_columns != NULL ? methods->kept_columns(problem) : 0;
}

const double *ww_engine_state_tile(void *engine, int64_t tile)
{
    const ww_engine *self = engine;
    return self->methods->kept_tile(self->state, self->steps, tile);
}

void ww_engine_put_state_tile(void *engine, int64_t tile, const double *values)
{
    const ww_engine *self = engine;
    self->methods->put_kept_tile(self->state, tile, values);
}

double *ww_engine_output_storage(ww_engine *engine)
{
    return engine->methods->output_storage(engine->state) +
           offset_of_unit(engine, engine->problem->tiling.first_unit);
}

// What each rank of a column has put, for all of them.
static ww_status share_tiles(ww_engine *engine, ww_error *error)
{
    const ww_problem *whole = engine->problem;
    const ww_tiling *tiling = &engine->own.tiling;
    const int64_t d = engine->own.dimension;
    double *storage = engine->methods->output_storage(engine->state);
    double *room =
        ww_allocate((size_t)(tiling->tile_units * d), sizeof *room, "a tile of weights", error);
    ww_status status = ww_agree(whole->parallel, room != NULL ? WW_OK : WW_FAILED, error);
    for (int64_t i = 0; status == WW_OK && i < tiling->local_tiles; i++) {
        const int64_t tile = tiling->first_tile + i;
        const size_t units = (size_t)ww_tile_size(tiling, tile);
        const int owner = ww_tile_owner(tiling, tile, whole->parallel->size) % whole->grid.groups;
        const bool is_own = engine->column.rank == owner;
        if (is_own)
            memcpy(room, ww_engine_tile(engine, tile), units * (size_t)d * sizeof *room);
        status =
            ww_broadcast(&engine->column, room, units * (size_t)d * sizeof *room, owner, error);
        if (status == WW_OK && !is_own)
            engine->methods->put_tile(engine->state, tile, room);
        if (status == WW_OK)
            status = ww_broadcast(
                &engine->column, storage + offset_of_unit(engine, tile * tiling->tile_units),
                units * (size_t)engine->own.outputs * sizeof *storage, owner, error);
    }
    free(room);
    return status;
}

ww_status ww_engine_restored(ww_engine *engine, int64_t step, ww_error *error)
{
    if (engine->problem->grid.groups > 1)
        WW_TRY(share_tiles(engine, error));
    engine->methods->restored(engine->state, step, true);
    engine->steps = step;
    return WW_OK;
}
