#include "widthwise/parallel.h"

// 128 units reach the full GEMM rate for a few hundred inputs and more, and leave enough tiles to
// divide a width of 1000 over 7 ranks. From 2^13 units on there are enough tiles of 256, and what
// several hidden layers do once for each tile, packing matrices and adding integers, halves: a
// tenth of a step. From 2^21 units on tiles grow, so that their number stays below 2^14: then
// order-independent sums keep 48 bits a word.
enum { SMALLEST_TILE = 128, LARGER_TILE = 256, LARGER_FROM = 1 << 13, MOST_TILES = 1 << 14 };

// The part of a rank begins at that share of all tiles, rounded up: so the first rank has as many
// as any, and what each of several ranks in a row has is divided among more of them just so
// (ww_sample_grid).
static int64_t first_tile_of(int64_t tile_count, int rank, int size)
{
    return (tile_count * rank + size - 1) / size;
}

ww_tiling ww_tiling_make(int64_t width, int rank, int size)
{
    WW_ASSERT(width >= 1 && size >= 1 && rank >= 0 && rank < size);
    ww_tiling tiling = {.width = width,
                        .tile_units = width < LARGER_FROM ? SMALLEST_TILE : LARGER_TILE};
    while ((width - 1) / tiling.tile_units >= MOST_TILES)
        tiling.tile_units *= 2;
    tiling.tile_count = (width + tiling.tile_units - 1) / tiling.tile_units;
    tiling.first_tile = first_tile_of(tiling.tile_count, rank, size);
    const int64_t end_tile = first_tile_of(tiling.tile_count, rank + 1, size);
    tiling.local_tiles = end_tile - tiling.first_tile;
    tiling.first_unit = tiling.first_tile * tiling.tile_units;
    if (tiling.first_unit > width)
        tiling.first_unit = width;
    int64_t end_unit = end_tile * tiling.tile_units;
    if (end_unit > width)
        end_unit = width;
    tiling.local_units = end_unit - tiling.first_unit;
    return tiling;
}

int64_t ww_tile_size(const ww_tiling *tiling, int64_t tile)
{
    WW_ASSERT(tile >= 0 && tile < tiling->tile_count);
    const int64_t rest = tiling->width - tile * tiling->tile_units;
    return rest < tiling->tile_units ? rest : tiling->tile_units;
}

int ww_tile_owner(const ww_tiling *tiling, int64_t tile, int size)
{
    WW_ASSERT(tile >= 0 && tile < tiling->tile_count);
    return (int)(tile * size / tiling->tile_count);
}
