#include "train/lazy_full.h"

#include "parallel/workers.h"
#include "train/kernels.h"
#include "widthwise/memory.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

// Nanoseconds of a full step: a weight times a sample, and a row of a sample added to another one
// by its pattern; and what is done with a pair besides (choice.c).
static const double PRODUCT = 0.0385, SUM = 0.0185, LOOK = 2.0;

// What a change costs in windows, and for a sample besides: looking at it and at those that might
// have changed in its place, bringing its unit up to date, and its share of windows, which are the
// shorter the more patterns change. Measured at 200 to 1000 samples.
static const double CHANGE = 2000.0, CHANGE_OF_SAMPLE = 6.5;
// And where output weights are weighed for a sample and two outputs, an estimate.
static const double CHANGE_OF_PLANE = 0.5;
static double price = 1.0;

void ww_lazy_set_price(double times)
{
    price = times;
}

// A row of a sample added to another one: there are no tables where output weights are weighed.
static double sum_of(const ww_problem *problem)
{
    return ww_lazy_is_weighed(problem) ? PRODUCT : SUM;
}

bool ww_lazy_full_keeps_weights(const ww_problem *problem)
{
    const double d = (double)problem->dimension, n = (double)problem->data->train.count;
    const double sum = sum_of(problem);
    return d <= n && d * (PRODUCT + sum) < n * sum;
}

// Changes of a step from which on a full one is less work.
static double most_changes(const ww_lazy_full *full)
{
    const ww_problem *problem = full->pairs->problem;
    const double d = (double)problem->dimension, n = (double)full->pairs->samples;
    const double planes =
        full->pairs->is_weighed ? 0.5 * (double)(problem->outputs * (problem->outputs + 1)) : 0.0;
    const double sum = sum_of(problem);
    const double pair = (full->by_weights ? d * (PRODUCT + sum) : n * sum) + LOOK;
    const double change = price * (CHANGE + (CHANGE_OF_SAMPLE + CHANGE_OF_PLANE * planes) * n);
    return change > 0.0 ? (double)problem->tiling.width * n * pair / change : INFINITY;
}

void ww_lazy_full_count(ww_lazy_full *full, int64_t changes)
{
    static const double OF_LAST = 0.25;
    full->changes = full->changes < 0.0
                        ? (double)changes
                        : full->changes + OF_LAST * ((double)changes - full->changes);
}

bool ww_lazy_full_is_less(const ww_lazy_full *full)
{
    // To go back is work too: p(0) is drawn again, and N counted; where output weights are weighed
    // that takes as long as k (k + 1) / 2 full steps.
    static const double CLEARLY = 0.6, FAR_LESS = 0.3, FAR_MORE = 1.3;
    const bool is_weighed = full->pairs->is_weighed;
    if (!ww_lazy_is_full_batch(full->pairs->problem))
        return false; // a step of a small batch is a small part of a full one
    const double most = (is_weighed ? FAR_MORE : 1.0) * most_changes(full);
    const double least = (is_weighed ? FAR_LESS : CLEARLY) * most_changes(full);
    return full->changes > (full->pairs->is_full ? least : most);
}

enum { ARRAYS = 1, ROOM_ARRAYS = 5 };

static int64_t columns_of(const ww_problem *problem)
{
    const int64_t n = problem->data->train.count;
    return ww_lazy_full_keeps_weights(problem) ? problem->dimension : ww_sample_products_stride(n);
}

static void list_arrays(const ww_problem *problem, ww_allocation list[ARRAYS])
{
    const size_t block = (size_t)ww_block_size(problem->data->train.count, 0);
    list[0] = (ww_allocation){offsetof(ww_lazy_full, room), block * (size_t)columns_of(problem),
                              sizeof(double), "a full step"};
}

static void list_room(const ww_problem *problem, ww_allocation list[ROOM_ARRAYS])
{
    static const char what[] = "a full step";
    const size_t n = (size_t)problem->data->train.count;
    const size_t pairs = (size_t)problem->tiling.tile_units * n;
    const ww_allocation arrays[] = {
        {offsetof(ww_lazy_full_room, activations), pairs, sizeof(double), what},
        {offsetof(ww_lazy_full_room, coefficients), pairs, sizeof(double), what},
        {offsetof(ww_lazy_full_room, partial),
         ww_kernel_output_room(problem->pairs, (int64_t)n, problem->outputs), sizeof(double), what},
        {offsetof(ww_lazy_full_room, active), pairs, 1, what},
        {offsetof(ww_lazy_full_room, tables), WW_PATTERN_ROOM_BYTES, 1, what},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == ROOM_ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

// Samples whose inputs are kept.
static int64_t kept_inputs(const ww_problem *problem)
{
    return ww_lazy_full_keeps_weights(problem) ? problem->data->train.count : 0;
}

int64_t ww_lazy_full_bytes(const ww_problem *problem)
{
    const int64_t n = problem->data->train.count;
    const int threads = ww_workers_of(problem->parallel);
    ww_allocation list[ARRAYS], room[ROOM_ARRAYS];
    list_arrays(problem, list);
    list_room(problem, room);
    return ww_allocation_bytes(list, ARRAYS) +
           threads * (ww_allocation_bytes(room, ROOM_ARRAYS) + (int64_t)sizeof(ww_lazy_full_room)) +
           (threads - 1) * ww_output_sum_bytes(problem, n) +
           ww_panel_inputs_bytes(false, WW_FOR_SUMS, ww_block_size(n, 0), columns_of(problem)) +
           ww_panel_inputs_bytes(false, WW_FOR_PRODUCTS, kept_inputs(problem), problem->dimension);
}

// Row of K or X of a sample.
static const double *row_of(const ww_lazy_full *full, int64_t sample)
{
    const ww_lazy_pairs *pairs = full->pairs;
    return (full->by_weights ? pairs->problem->data->train.inputs : pairs->products) +
           sample * full->columns;
}

static ww_status make_room(const ww_problem *problem, bool has_sum, ww_lazy_full_room *room,
                           ww_error *error)
{
    ww_allocation list[ROOM_ARRAYS];
    list_room(problem, list);
    WW_TRY(ww_allocate_all(room, list, ROOM_ARRAYS, error));
    return has_sum ? ww_output_sum_create(&room->sum, problem, problem->data->train.count, error)
                   : WW_OK;
}

ww_status ww_lazy_full_create(ww_lazy_pairs *pairs, double *values, ww_lazy_full *full,
                              ww_error *error)
{
    const ww_problem *problem = pairs->problem;
    const int64_t n = pairs->samples;
    const int threads = ww_workers_of(problem->parallel);
    *full = (ww_lazy_full){.pairs = pairs,
                           .values = values,
                           .by_weights = ww_lazy_full_keeps_weights(problem),
                           .changes = -1.0,
                           .columns = columns_of(problem)};
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    WW_TRY(ww_allocate_all(full, list, ARRAYS, error));
    full->rooms = ww_allocate((size_t)threads, sizeof *full->rooms, "a full step", error);
    if (full->rooms == NULL)
        return WW_FAILED;
    for (int i = 0; i < threads; i++)
        WW_TRY(make_room(problem, i > 0, &full->rooms[i], error));
    WW_TRY(ww_panel_inputs_create(false, WW_FOR_SUMS, ww_block_size(n, 0), full->columns,
                                  &full->rows, error));
    WW_TRY(ww_panel_inputs_create(false, WW_FOR_PRODUCTS, kept_inputs(problem), problem->dimension,
                                  &full->inputs, error));
    if (full->by_weights)
        ww_panel_inputs_set(&full->inputs, problem->data->train.inputs, n);
    full->sums = (ww_lazy_sums){.pairs = pairs,
                                .vectors = row_of(full, 0),
                                .columns = full->columns,
                                .room = full->room,
                                .inputs = &full->rows,
                                .scales = pairs->scales};
    return WW_OK;
}

void ww_lazy_full_free(ww_lazy_full *full)
{
    const int threads = full->rooms != NULL ? ww_workers_of(full->pairs->problem->parallel) : 0;
    for (int i = 0; i < threads; i++) {
        free(full->rooms[i].activations);
        free(full->rooms[i].coefficients);
        free(full->rooms[i].partial);
        free(full->rooms[i].active);
        free(full->rooms[i].tables);
        ww_output_sum_free(&full->rooms[i].sum);
    }
    free(full->rooms);
    ww_panel_inputs_free(&full->rows);
    ww_panel_inputs_free(&full->inputs);
    free(full->room);
}

// What threads do with tiles, on a block of samples.
typedef struct task {
    ww_lazy_full *full;
    ww_output_sum *sum;
    int64_t first;
    const double *factors; // f, where output weights are weighed
} task;

static double *values_of(const ww_lazy_full *full, ww_rows tile)
{
    return full->values + tile.first * full->columns;
}

static void for_all_tiles(task *now, void (*work)(void *context, int worker, int64_t tile))
{
    const ww_problem *problem = now->full->pairs->problem;
    ww_for_each(problem->parallel, problem->tiling.local_tiles, work, now);
}

// ---- to full steps, and back --------------------------------------------------------------------

static void begin_tile(void *context, int worker, int64_t local_tile)
{
    const task *now = context;
    const ww_lazy_full *full = now->full;
    const ww_lazy_pairs *pairs = full->pairs;
    const ww_problem *problem = pairs->problem;
    const ww_rows tile = ww_tile_rows(problem, local_tile);
    (void)worker;
    if (full->by_weights)
        ww_initial_hidden_weights(&problem->initial, problem->tiling.first_unit + tile.first,
                                  tile.units, values_of(full, tile));
    else
        memcpy(values_of(full, tile), pairs->start + tile.first * pairs->stride,
               (size_t)(tile.units * pairs->stride) * sizeof *pairs->start);
}

static void add_coefficients(void *context, int worker, int64_t local_tile)
{
    const task *now = context;
    const ww_lazy_full *full = now->full;
    const ww_rows tile = ww_tile_rows(full->pairs->problem, local_tile);
    double *coefficients = full->rooms[worker].coefficients;
    ww_lazy_coefficients(full->pairs, full->pairs->totals, tile, coefficients);
    ww_panel_move_by(&full->rows, 1.0, coefficients + now->first, full->pairs->samples, tile.units,
                     values_of(full, tile));
}

void ww_lazy_full_enter(ww_lazy_full *full)
{
    const int64_t n = full->pairs->samples;
    task now = {.full = full};
    for_all_tiles(&now, begin_tile);
    for (; now.first < n; now.first += WW_SAMPLE_BLOCK) {
        ww_panel_inputs_set(&full->rows, row_of(full, now.first), ww_block_size(n, now.first));
        for_all_tiles(&now, add_coefficients);
    }
    ww_lazy_spread_offsets(full->pairs);
    full->has_moved = true;
}

ww_status ww_lazy_full_leave(ww_lazy_full *full, ww_error *error)
{
    return ww_lazy_gather_offsets(full->pairs, error);
}

// ---- a full step --------------------------------------------------------------------------------

static void add_block(void *context, int worker, int64_t local_tile)
{
    const task *now = context;
    const ww_lazy_full *full = now->full;
    const ww_rows tile = ww_tile_rows(full->pairs->problem, local_tile);
    ww_lazy_add_block(&full->sums, tile, now->first, values_of(full, tile),
                      full->rooms[worker].tables);
}

static void add_all(void *context, int worker, int64_t local_tile)
{
    const task *now = context;
    const ww_lazy_full *full = now->full;
    const ww_rows tile = ww_tile_rows(full->pairs->problem, local_tile);
    (void)worker;
    ww_lazy_add_all(&full->sums, tile, values_of(full, tile));
}

// Where output weights are weighed, by coefficients s' a_r f_j of a block of samples.
static void add_weighed(void *context, int worker, int64_t local_tile)
{
    const task *now = context;
    const ww_lazy_full *full = now->full;
    const ww_lazy_pairs *pairs = full->pairs;
    const double slope = pairs->problem->negative_slope;
    const ww_rows tile = ww_tile_rows(pairs->problem, local_tile);
    const int64_t count = ww_block_size(pairs->samples, now->first);
    double *coefficients = full->rooms[worker].coefficients;
    for (int64_t unit = 0; unit < tile.units; unit++)
        for (int64_t i = 0; i < count; i++) {
            const int64_t j = now->first + i, number = tile.first + unit;
            coefficients[unit * count + i] = (ww_lazy_is_active(pairs, number, j) ? 1.0 : slope) *
                                             ww_lazy_total(pairs, now->factors, number, j);
        }
    ww_panel_move(&full->rows, 1.0, coefficients, tile.units, values_of(full, tile));
}

void ww_lazy_full_move(ww_lazy_full *full, const double *factors)
{
    const ww_lazy_pairs *pairs = full->pairs;
    const int64_t n = pairs->samples;
    task now = {.full = full, .factors = factors};
    if (full->has_moved)
        return;
    full->has_moved = true;
    for (; now.first < n; now.first += WW_SAMPLE_BLOCK)
        if (pairs->is_weighed) {
            ww_panel_inputs_set(&full->rows, row_of(full, now.first), ww_block_size(n, now.first));
            for_all_tiles(&now, add_weighed);
        } else {
            ww_lazy_take_block(&full->sums, factors, now.first);
            for_all_tiles(&now, add_block);
        }
    if (pairs->is_weighed || pairs->problem->negative_slope == 0.0)
        return;
    ww_lazy_take_all(&full->sums, factors);
    for_all_tiles(&now, add_all);
}

// Outputs of a tile whose pre-activations are in the room.
static void add_outputs(const task *now, int worker, ww_rows tile)
{
    const ww_lazy_full *full = now->full;
    const ww_problem *problem = full->pairs->problem;
    ww_lazy_full_room *room = &full->rooms[worker];
    ww_output_sum *sum = worker == 0 ? now->sum : &room->sum;
    const int64_t n = full->pairs->samples, k = problem->outputs;
    ww_activate(problem->negative_slope, room->activations, (size_t)(tile.units * n), room->active);
    ww_kernel_outputs(problem->pairs, room->activations, full->pairs->scales + tile.first * k,
                      tile.units, n, k, room->partial);
    for (int64_t start = 0; start < n; start += WW_SAMPLE_BLOCK)
        ww_output_sum_add(sum, start, ww_block_size(n, start), room->partial + start * k);
}

static void copy_rows(const ww_lazy_full *full, const double *rows, int64_t units,
                      double *activations)
{
    const int64_t n = full->pairs->samples;
    for (int64_t unit = 0; unit < units; unit++)
        memcpy(activations + unit * n, rows + unit * full->pairs->stride, (size_t)n * sizeof *rows);
}

static void look_at_tile(void *context, int worker, int64_t local_tile)
{
    const task *now = context;
    const ww_lazy_full *full = now->full;
    ww_lazy_full_room *room = &full->rooms[worker];
    const ww_rows tile = ww_tile_rows(full->pairs->problem, local_tile);
    const double *values = values_of(full, tile);
    if (full->by_weights)
        ww_panel_preactivations(&full->inputs, values, tile.units, room->activations);
    else
        copy_rows(full, values, tile.units, room->activations);
    add_outputs(now, worker, tile);
    for (int64_t unit = 0; unit < tile.units; unit++)
        room->changes +=
            ww_lazy_see(full->pairs, tile.first + unit, room->active + unit * full->pairs->samples);
}

static void start_tile(void *context, int worker, int64_t local_tile)
{
    const task *now = context;
    const ww_lazy_pairs *pairs = now->full->pairs;
    const ww_rows tile = ww_tile_rows(pairs->problem, local_tile);
    copy_rows(now->full, pairs->start + tile.first * pairs->stride, tile.units,
              now->full->rooms[worker].activations);
    add_outputs(now, worker, tile);
}

// Goes over all tiles; brings together what threads have summed.
static void sum_over_tiles(ww_lazy_full *full, ww_output_sum *sum,
                           void (*work)(void *context, int worker, int64_t tile), int64_t *changes)
{
    const int threads = ww_workers_of(full->pairs->problem->parallel);
    task now = {.full = full, .sum = sum};
    for (int i = 0; i < threads; i++)
        full->rooms[i].changes = 0;
    for_all_tiles(&now, work);
    for (int i = 0; i < threads; i++) {
        *changes += full->rooms[i].changes;
        if (i == 0)
            continue;
        ww_output_sum_append(sum, 0, &full->rooms[i].sum);
        ww_output_sum_clear(&full->rooms[i].sum);
    }
}

void ww_lazy_full_start(ww_lazy_full *full, ww_output_sum *sum)
{
    int64_t none = 0;
    sum_over_tiles(full, sum, start_tile, &none);
}

void ww_lazy_full_look(ww_lazy_full *full, ww_output_sum *sum, int64_t *changes)
{
    full->has_moved = false; // by the next update
    full->steps++;
    sum_over_tiles(full, sum, look_at_tile, changes);
}
