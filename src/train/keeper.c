#include "train/keeper.h"

#include "train/activations.h"
#include "train/panel_inputs.h"
#include "widthwise/memory.h"

#include <stddef.h>
#include <stdlib.h>

ww_status ww_put_initial_tiles(const ww_problem *problem,
                               void (*put)(void *state, ww_rows tile, const double *values),
                               void *state, ww_error *error)
{
    const ww_tiling *tiling = &problem->tiling;
    double *room = ww_allocate((size_t)(tiling->tile_units * problem->dimension), sizeof *room,
                               "a tile of weights", error);
    if (room == NULL)
        return WW_FAILED;
    for (int64_t i = 0; i < tiling->local_tiles; i++) {
        const ww_rows tile = ww_tile_rows(problem, i);
        ww_initial_hidden_weights(&problem->initial, tiling->first_unit + tile.first, tile.units,
                                  room);
        put(state, tile, room);
    }
    free(room);
    return WW_OK;
}

// What makes pre-activations of the weights that are put.
typedef struct beginning {
    const ww_problem *problem;
    ww_panel_inputs inputs; // X
    void *weights;          // [tile units, d]
    void *preactivations;   // [tile units, n]
    void (*put)(void *state, ww_rows tile, const void *preactivations);
    void *state;
} beginning;

static void put_preactivations(void *state, ww_rows tile, const double *values)
{
    const beginning *begins = state;
    const ww_problem *problem = begins->problem;
    ww_activations_of(ww_problem_is_single(problem))
        ->narrow(values, tile.units * problem->dimension, begins->weights);
    ww_panel_preactivations(&begins->inputs, begins->weights, tile.units, begins->preactivations);
    begins->put(begins->state, tile, begins->preactivations);
}

static ww_status put_all(beginning *begins, ww_error *error)
{
    static const char what[] = "a tile of pre-activations";
    const ww_problem *problem = begins->problem;
    const bool single = ww_problem_is_single(problem);
    const int64_t n = problem->data->train.count, units = problem->tiling.tile_units;
    const size_t size = ww_activations_of(single)->size;
    const ww_allocation list[] = {
        {offsetof(beginning, weights), (size_t)(units * problem->dimension), size, what},
        {offsetof(beginning, preactivations), (size_t)(units * n), size, what},
    };
    WW_TRY(ww_allocate_all(begins, list, sizeof list / sizeof list[0], error));
    WW_TRY(ww_panel_inputs_create(single, WW_FOR_PRODUCTS, n, problem->dimension, &begins->inputs,
                                  error));
    ww_panel_inputs_set(&begins->inputs, problem->data->train.inputs, n);
    return ww_put_initial_tiles(problem, put_preactivations, begins, error);
}

ww_status ww_put_initial_preactivations(const ww_problem *problem,
                                        void (*put)(void *state, ww_rows tile,
                                                    const void *preactivations),
                                        void *state, ww_error *error)
{
    beginning begins = {.problem = problem, .put = put, .state = state};
    const ww_status status = put_all(&begins, error);
    ww_panel_inputs_free(&begins.inputs);
    free(begins.weights);
    free(begins.preactivations);
    return status;
}

int64_t ww_piece_units(const ww_problem *problem, size_t size)
{
    enum { PIECE_BYTES = 1 << 19, LEAST = 32 };
    const int64_t rows_there = PIECE_BYTES / (problem->dimension * (int64_t)size);
    return rows_there < LEAST ? LEAST : rows_there;
}
