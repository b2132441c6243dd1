#include "train/lazy_sums.h"

#include "train/kernels.h"

#include <string.h>

void ww_lazy_take_block(const ww_lazy_sums *sums, const double *values, int64_t first)
{
    const double jump = 1.0 - sums->pairs->problem->negative_slope;
    const int64_t count = ww_block_size(sums->pairs->samples, first), columns = sums->columns;
    for (int64_t i = 0; i < count; i++) {
        const double factor = jump * values[first + i];
        const double *vector = sums->vectors + (first + i) * columns;
        for (int64_t j = 0; j < columns; j++)
            sums->room[i * columns + j] = factor * vector[j];
    }
    ww_panel_inputs_set(sums->inputs, sums->room, count);
}

void ww_lazy_take_all(const ww_lazy_sums *sums, const double *values)
{
    const double slope = sums->pairs->problem->negative_slope;
    const int64_t columns = sums->columns;
    memset(sums->room, 0, (size_t)columns * sizeof *sums->room);
    for (int64_t i = 0; i < sums->pairs->samples; i++) {
        const double *vector = sums->vectors + i * columns;
        for (int64_t j = 0; j < columns; j++)
            sums->room[j] += slope * values[i] * vector[j];
    }
    ww_panel_inputs_set(sums->inputs, sums->room, 1);
}

// Output weights of a tile, in the precision of what is taken.
static const void *scales_of(const ww_lazy_sums *sums, ww_rows tile)
{
    return (const char *)sums->scales + (size_t)tile.first * sums->inputs->size;
}

void ww_lazy_add_block(const ww_lazy_sums *sums, ww_rows tile, int64_t first, void *rows,
                       void *tables)
{
    const ww_lazy_pairs *pairs = sums->pairs;
    const uint8_t *patterns = (const uint8_t *)ww_lazy_patterns(pairs, tile.first) + first / 8;
    ww_panel_add_patterns(sums->inputs, scales_of(sums, tile), patterns,
                          pairs->words * (int64_t)sizeof(uint64_t), tile.units, rows, tables);
}

void ww_lazy_add_all(const ww_lazy_sums *sums, ww_rows tile, void *rows)
{
    ww_panel_move(sums->inputs, 1.0, scales_of(sums, tile), tile.units, rows);
}
