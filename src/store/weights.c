#include "store/weights.h"

#include "widthwise/hash.h"
#include "widthwise/memory.h"

#include <stdlib.h>

enum { SYNC_BYTES = 32 << 20 };  // hidden weights whose way to the disk begins at once
enum { COLUMN_BYTES = 8 << 20 }; // output weights that are turned round at once
enum { GROUP_BYTES = 2 << 20 };  // hidden weights that are read at once

/// Key of a block of weights: planes one after the other.
static uint64_t block_index(int64_t plane, const ww_tiling *tiling, int64_t tile)
{
    return (uint64_t)(plane * tiling->tile_count + tile);
}

static uint64_t hash_tile(const ww_array *matrix, int64_t plane, const ww_tiling *tiling,
                          int64_t tile, const double *values)
{
    const int64_t count = ww_tile_size(tiling, tile) * ww_array_row_values(matrix);
    return ww_hash_block(values, (size_t)count * sizeof *values, matrix->key,
                         block_index(plane, tiling, tile));
}

/// Tiles of one matrix, wherever they come from.
typedef const double *(*tile_maker)(void *context, int64_t layer, int64_t tile);

static ww_status write_tiles(const ww_array *matrix, int64_t plane, const ww_tiling *tiling,
                             tile_maker make, void *context, int64_t layer, int descriptor,
                             uint64_t *hash, ww_error *error)
{
    const int64_t end = tiling->first_tile + tiling->local_tiles;
    const int64_t row_bytes = ww_array_row_values(matrix) * WW_VALUE_BYTES;
    int64_t begun = tiling->first_unit; // rows before it are on their way to the disk
    for (int64_t tile = tiling->first_tile; tile < end; tile++) {
        const double *values = make(context, layer, tile);
        const int64_t first = tile * tiling->tile_units;
        const int64_t next = first + ww_tile_size(tiling, tile);
        WW_TRY(ww_array_write(matrix, plane, first, next - first, values, error));
        *hash += hash_tile(matrix, plane, tiling, tile, values);
        if ((next - begun) * row_bytes < SYNC_BYTES)
            continue;
        ww_array_begin_sync(matrix, descriptor, plane, begun, next - begun);
        begun = next;
    }
    return WW_OK;
}

ww_status ww_weights_write_layers(const ww_array_list *layers, int64_t plane,
                                  const ww_tiling *tiling, const ww_weights_source *source,
                                  int descriptor, uint64_t *hash, ww_error *error)
{
    for (size_t i = 0; i < layers->count; i++)
        WW_TRY(write_tiles(&layers->arrays[i], plane, tiling, source->tile, source->context,
                           (int64_t)i + 1, descriptor, hash, error));
    return WW_OK;
}

static const double *state_tile(void *context, int64_t layer, int64_t tile)
{
    const ww_weights_source *source = context;
    (void)layer;
    return source->state_tile(source->context, tile);
}

ww_status ww_weights_write_state(const ww_array *state, const ww_tiling *tiling,
                                 const ww_weights_source *source, int descriptor, uint64_t *hash,
                                 ww_error *error)
{
    ww_weights_source copy = *source; // to be handed on
    return write_tiles(state, 0, tiling, state_tile, &copy, 1, descriptor, hash, error);
}

/// Tiles of a matrix of so many columns that are read at once: as many as fit into the buffer, at
/// least one, at most all.
static int64_t tiles_at_once(int64_t columns, const ww_tiling *tiling)
{
    const int64_t tile_bytes = tiling->tile_units * columns * WW_VALUE_BYTES;
    const int64_t tiles = tile_bytes == 0 ? 1 : GROUP_BYTES / tile_bytes;
    const int64_t least = tiles < 1 ? 1 : tiles;
    return least < tiling->local_tiles ? least : tiling->local_tiles;
}

int64_t ww_weights_layer_room_bytes(int64_t columns, const ww_tiling *tiling)
{
    return tiles_at_once(columns, tiling) * tiling->tile_units * columns * WW_VALUE_BYTES;
}

/// Where tiles of a matrix go.
typedef void (*tile_taker)(const ww_weights_target *target, int64_t layer, int64_t tile,
                           const double *values);

static void take_weights(const ww_weights_target *target, int64_t layer, int64_t tile,
                         const double *values)
{
    target->put(target->context, layer, tile, values);
}

static void take_state(const ww_weights_target *target, int64_t layer, int64_t tile,
                       const double *values)
{
    (void)layer;
    target->put_state(target->context, tile, values);
}

/// Reads one matrix, a few tiles at once.
static ww_status read_tiles(const ww_array *matrix, int64_t layer, const ww_tiling *tiling,
                            const ww_weights_target *target, tile_taker take, uint64_t *hash,
                            ww_error *error)
{
    const int64_t columns = ww_array_row_values(matrix);
    const int64_t group = tiles_at_once(columns, tiling);
    const int64_t end = tiling->first_tile + tiling->local_tiles;
    double *room = ww_allocate(1, (size_t)ww_weights_layer_room_bytes(columns, tiling),
                               "hidden weights on their way", error);
    ww_status status = room != NULL ? WW_OK : WW_FAILED;
    for (int64_t first = tiling->first_tile; first < end && status == WW_OK; first += group) {
        const int64_t next = first + group < end ? first + group : end;
        const int64_t unit = first * tiling->tile_units;
        const int64_t units =
            (next - 1) * tiling->tile_units + ww_tile_size(tiling, next - 1) - unit;
        status = ww_array_read(matrix, 0, unit, units, room, error);
        for (int64_t tile = first; tile < next && status == WW_OK; tile++) {
            const double *values = room + (tile * tiling->tile_units - unit) * columns;
            *hash += hash_tile(matrix, 0, tiling, tile, values);
            take(target, layer, tile, values);
        }
    }
    free(room);
    return status;
}

ww_status ww_weights_read_layers(const ww_array_list *layers, const ww_tiling *tiling,
                                 const ww_weights_target *target, uint64_t *hash, ww_error *error)
{
    for (size_t i = 0; i < layers->count && tiling->local_tiles > 0; i++)
        WW_TRY(read_tiles(&layers->arrays[i], (int64_t)i + 1, tiling, target, take_weights, hash,
                          error));
    return WW_OK;
}

ww_status ww_weights_read_state(const ww_array *state, const ww_tiling *tiling,
                                const ww_weights_target *target, uint64_t *hash, ww_error *error)
{
    if (tiling->local_tiles == 0)
        return WW_OK;
    return read_tiles(state, 1, tiling, target, take_state, hash, error);
}

ww_status ww_weights_read_units(const ww_array *matrix, const ww_tiling *tiling, double *values,
                                uint64_t *hash, ww_error *error)
{
    WW_TRY(ww_array_read(matrix, 0, tiling->first_unit, tiling->local_units, values, error));
    const int64_t tile_values = tiling->tile_units * ww_array_row_values(matrix);
    for (int64_t i = 0; i < tiling->local_tiles; i++)
        *hash += hash_tile(matrix, 0, tiling, tiling->first_tile + i, values + i * tile_values);
    return WW_OK;
}

ww_status ww_weights_hash_units(const ww_array *matrix, int64_t plane, const ww_tiling *tiling,
                                uint64_t *hash, ww_error *error)
{
    if (tiling->local_tiles == 0)
        return WW_OK;
    double *values = ww_allocate((size_t)tiling->tile_units,
                                 (size_t)ww_array_row_values(matrix) * sizeof *values,
                                 "a tile of hidden weights to check", error);
    if (values == NULL)
        return WW_FAILED;
    ww_status status = WW_OK;
    const int64_t end = tiling->first_tile + tiling->local_tiles;
    for (int64_t tile = tiling->first_tile; tile < end && status == WW_OK; tile++) {
        status = ww_array_read(matrix, plane, tile * tiling->tile_units, ww_tile_size(tiling, tile),
                               values, error);
        if (status == WW_OK)
            *hash += hash_tile(matrix, plane, tiling, tile, values);
    }
    free(values);
    return status;
}

ww_status ww_weights_hash_layers(const ww_array_list *layers, int64_t plane,
                                 const ww_tiling *tiling, uint64_t *hash, ww_error *error)
{
    for (size_t i = 0; i < layers->count; i++)
        WW_TRY(ww_weights_hash_units(&layers->arrays[i], plane, tiling, hash, error));
    return WW_OK;
}

/// Output weights of a few neighbouring tiles, turned round between [units, k] and [k, units].
typedef struct turn {
    int64_t plane, outputs;
    int64_t first_tile, first_unit, units; ///< of the group of tiles at hand
    double *columns;                       ///< [k, units], as in the file
    double *block;                         ///< [k, tile units], what is hashed
} turn;

/// Tiles of one group: as many as fit into the buffer, at least one.
static int64_t group_tiles(const ww_tiling *tiling, int64_t outputs)
{
    const int64_t tile_bytes = tiling->tile_units * outputs * WW_VALUE_BYTES;
    const int64_t tiles = tile_bytes == 0 ? 1 : COLUMN_BYTES / tile_bytes;
    return tiles < 1 ? 1 : tiles;
}

int64_t ww_weights_room_bytes(int64_t outputs, const ww_tiling *tiling)
{
    const int64_t tiles = group_tiles(tiling, outputs);
    const int64_t used = tiles < tiling->local_tiles ? tiles : tiling->local_tiles;
    return (used + 1) * tiling->tile_units * outputs * WW_VALUE_BYTES;
}

static ww_status turn_begin(turn *work, const ww_array *output, int64_t plane,
                            const ww_tiling *tiling, ww_error *error)
{
    *work = (turn){.plane = plane, .outputs = ww_array_rows(output)};
    int64_t tiles = group_tiles(tiling, work->outputs);
    if (tiles > tiling->local_tiles)
        tiles = tiling->local_tiles;
    const size_t tile_bytes =
        (size_t)tiling->tile_units * (size_t)work->outputs * sizeof *work->columns;
    work->columns = ww_allocate((size_t)tiles, tile_bytes, "output weights on their way", error);
    work->block = ww_allocate(1, tile_bytes, "a tile of output weights", error);
    if (work->columns != NULL && work->block != NULL)
        return WW_OK;
    free(work->columns);
    free(work->block);
    return WW_FAILED;
}

static void turn_end(turn *work)
{
    free(work->columns);
    free(work->block);
}

/// Takes the group that begins at `tile`; returns the tile after it.
static int64_t turn_group(turn *work, const ww_tiling *tiling, int64_t tile)
{
    int64_t end = tile + group_tiles(tiling, work->outputs);
    if (end > tiling->first_tile + tiling->local_tiles)
        end = tiling->first_tile + tiling->local_tiles;
    work->first_tile = tile;
    work->first_unit = tile * tiling->tile_units;
    work->units = (end - 1) * tiling->tile_units + ww_tile_size(tiling, end - 1) - work->first_unit;
    return end;
}

/// Hash of the group's tiles.
static uint64_t turn_hash(const turn *work, const ww_array *output, const ww_tiling *tiling,
                          int64_t end)
{
    uint64_t hash = 0;
    for (int64_t tile = work->first_tile; tile < end; tile++) {
        const int64_t units = ww_tile_size(tiling, tile);
        const double *first = work->columns + tile * tiling->tile_units - work->first_unit;
        for (int64_t o = 0; o < work->outputs; o++)
            for (int64_t u = 0; u < units; u++)
                work->block[o * units + u] = first[o * work->units + u];
        hash += ww_hash_block(work->block, (size_t)(work->outputs * units) * sizeof *work->block,
                              output->key, block_index(work->plane, tiling, tile));
    }
    return hash;
}

ww_status ww_weights_write_output(const ww_array *output, int64_t plane, const ww_tiling *tiling,
                                  const double *values, uint64_t *hash, ww_error *error)
{
    if (tiling->local_tiles == 0)
        return WW_OK;
    turn work;
    WW_TRY(turn_begin(&work, output, plane, tiling, error));
    ww_status status = WW_OK;
    const int64_t end = tiling->first_tile + tiling->local_tiles;
    for (int64_t tile = tiling->first_tile; tile < end && status == WW_OK;) {
        const int64_t next = turn_group(&work, tiling, tile);
        const double *rows = values + (work.first_unit - tiling->first_unit) * work.outputs;
        for (int64_t u = 0; u < work.units; u++)
            for (int64_t o = 0; o < work.outputs; o++)
                work.columns[o * work.units + u] = rows[u * work.outputs + o];
        status =
            ww_array_write_columns(output, plane, work.first_unit, work.units, work.columns, error);
        *hash += turn_hash(&work, output, tiling, next);
        tile = next;
    }
    turn_end(&work);
    return status;
}

ww_status ww_weights_read_output(const ww_array *output, int64_t plane, const ww_tiling *tiling,
                                 double *values, uint64_t *hash, ww_error *error)
{
    if (tiling->local_tiles == 0)
        return WW_OK;
    turn work;
    WW_TRY(turn_begin(&work, output, plane, tiling, error));
    ww_status status = WW_OK;
    const int64_t end = tiling->first_tile + tiling->local_tiles;
    for (int64_t tile = tiling->first_tile; tile < end && status == WW_OK;) {
        const int64_t next = turn_group(&work, tiling, tile);
        status =
            ww_array_read_columns(output, plane, work.first_unit, work.units, work.columns, error);
        if (status != WW_OK)
            break;
        *hash += turn_hash(&work, output, tiling, next);
        if (values != NULL) {
            double *rows = values + (work.first_unit - tiling->first_unit) * work.outputs;
            for (int64_t u = 0; u < work.units; u++)
                for (int64_t o = 0; o < work.outputs; o++)
                    rows[u * work.outputs + o] = work.columns[o * work.units + u];
        }
        tile = next;
    }
    turn_end(&work);
    return status;
}
