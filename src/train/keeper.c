#include "train/keeper.h"

#include "parallel/workers.h"
#include "train/activations.h"
#include "train/panel_inputs.h"
#include "widthwise/memory.h"

#include <stddef.h>
#include <stdlib.h>

// What draws the weights of tiles, and pre-activations of them; each thread has its part of the
// memory.
typedef struct beginning {
    const ww_problem *problem;
    const ww_activation_methods *methods;
    ww_panel_inputs inputs; // X
    double *drawn;          // [threads, tile units, d]
    void *weights;          // the same in the precision of training
    void *preactivations;   // [threads, tile units, n]
    void (*put_weights)(void *state, ww_rows tile, const double *values);
    void (*put_preactivations)(void *state, ww_rows tile, const void *preactivations);
    void *state;
} beginning;

static double *draw(const beginning *begins, int worker, ww_rows tile)
{
    const ww_problem *problem = begins->problem;
    double *drawn = begins->drawn + worker * problem->tiling.tile_units * problem->dimension;
    ww_initial_hidden_weights(&problem->initial, problem->tiling.first_unit + tile.first,
                              tile.units, drawn);
    return drawn;
}

static void put_weights(void *context, int worker, int64_t local_tile)
{
    const beginning *begins = context;
    const ww_rows tile = ww_tile_rows(begins->problem, local_tile);
    begins->put_weights(begins->state, tile, draw(begins, worker, tile));
}

static void put_preactivations(void *context, int worker, int64_t local_tile)
{
    const beginning *begins = context;
    const ww_problem *problem = begins->problem;
    const ww_rows tile = ww_tile_rows(problem, local_tile);
    const int64_t first = worker * problem->tiling.tile_units;
    void *weights = ww_place(begins->methods, begins->weights, first * problem->dimension);
    void *preactivations =
        ww_place(begins->methods, begins->preactivations, first * problem->data->train.count);
    begins->methods->narrow(draw(begins, worker, tile), tile.units * problem->dimension, weights);
    ww_panel_preactivations(&begins->inputs, weights, tile.units, preactivations);
    begins->put_preactivations(begins->state, tile, preactivations);
}

static ww_status put_all(beginning *begins, ww_error *error)
{
    static const char what[] = "a tile of weights and pre-activations";
    const ww_problem *problem = begins->problem;
    const bool is_plain = begins->put_weights != NULL;
    const int64_t n = problem->data->train.count, d = problem->dimension;
    const int64_t units = ww_workers_of(problem->parallel) * problem->tiling.tile_units;
    const size_t size = begins->methods->size;
    const ww_allocation list[] = {
        {offsetof(beginning, drawn), (size_t)(units * d), sizeof(double), what},
        {offsetof(beginning, weights), is_plain ? 0 : (size_t)(units * d), size, what},
        {offsetof(beginning, preactivations), is_plain ? 0 : (size_t)(units * n), size, what},
    };
    WW_TRY(ww_allocate_all(begins, list, sizeof list / sizeof list[0], error));
    if (!is_plain) {
        WW_TRY(ww_panel_inputs_create(ww_problem_is_single(problem), WW_FOR_PRODUCTS, n, d,
                                      &begins->inputs, error));
        ww_panel_inputs_set(&begins->inputs, problem->data->train.inputs, n);
    }
    ww_for_each(problem->parallel, problem->tiling.local_tiles,
                is_plain ? put_weights : put_preactivations, begins);
    return WW_OK;
}

static ww_status begin(const ww_problem *problem, beginning *begins, ww_error *error)
{
    begins->problem = problem;
    begins->methods = ww_activations_of(ww_problem_is_single(problem));
    const ww_status status = put_all(begins, error);
    ww_panel_inputs_free(&begins->inputs);
    free(begins->drawn);
    free(begins->weights);
    free(begins->preactivations);
    return status;
}

ww_status ww_put_initial_tiles(const ww_problem *problem,
                               void (*put)(void *state, ww_rows tile, const double *values),
                               void *state, ww_error *error)
{
    beginning begins = {.put_weights = put, .state = state};
    return begin(problem, &begins, error);
}

ww_status ww_put_initial_preactivations(const ww_problem *problem,
                                        void (*put)(void *state, ww_rows tile,
                                                    const void *preactivations),
                                        void *state, ww_error *error)
{
    beginning begins = {.put_preactivations = put, .state = state};
    return begin(problem, &begins, error);
}

int64_t ww_piece_units(const ww_problem *problem, size_t size)
{
    enum { PIECE_BYTES = 1 << 19, LEAST = 32 };
    const int64_t rows_there = PIECE_BYTES / (problem->dimension * (int64_t)size);
    return rows_there < LEAST ? LEAST : rows_there;
}
