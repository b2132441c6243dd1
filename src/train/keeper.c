#include "train/keeper.h"

#include "widthwise/memory.h"

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

int64_t ww_piece_units(const ww_problem *problem, size_t size)
{
    enum { PIECE_BYTES = 1 << 19, LEAST = 32 };
    const int64_t rows_there = PIECE_BYTES / (problem->dimension * (int64_t)size);
    return rows_there < LEAST ? LEAST : rows_there;
}
