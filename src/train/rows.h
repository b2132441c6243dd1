/// Some of this rank's units.
#ifndef WIDTHWISE_TRAIN_ROWS_H
#define WIDTHWISE_TRAIN_ROWS_H

#include "widthwise/train.h"

/// Rows first .. first + units - 1 of this rank's own.
typedef struct ww_rows {
    int64_t first, units;
} ww_rows;

/// Those of a tile of this rank, counted from 0.
static inline ww_rows ww_tile_rows(const ww_problem *problem, int64_t local_tile)
{
    const ww_tiling *tiling = &problem->tiling;
    return (ww_rows){.first = local_tile * tiling->tile_units,
                     .units = ww_tile_size(tiling, tiling->first_tile + local_tile)};
}

#endif
