#include "train/lazy_scan.h"

#include "parallel/workers.h"
#include "train/kernels.h"
#include "widthwise/memory.h"

#include <cblas.h>
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const char what[] = "the search for pairs that change (training.engine: dense takes less)";

enum { ARRAYS = 5, ROOM_ARRAYS = 5 };

static void list_arrays(const ww_problem *problem, ww_allocation list[ARRAYS])
{
    const size_t n = (size_t)problem->data->train.count;
    const size_t stride = (size_t)ww_sample_products_stride((int64_t)n);
    const size_t units = (size_t)problem->tiling.local_units;
    const ww_allocation arrays[] = {
        {offsetof(ww_lazy_scan, memory), (units + 1) * stride, sizeof(double), what},
        {offsetof(ww_lazy_scan, rows), units, sizeof(ww_lazy_row), what},
        {offsetof(ww_lazy_scan, scales), units, sizeof(float), what},
        {offsetof(ww_lazy_scan, room), (size_t)ww_block_size((int64_t)n, 0) * stride,
         sizeof(double), what},
        {offsetof(ww_lazy_scan, rooms), (size_t)ww_workers_of(problem->parallel),
         sizeof(ww_lazy_scan_room), what},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

static void list_room(const ww_problem *problem, ww_allocation list[ROOM_ARRAYS])
{
    const size_t n = (size_t)problem->data->train.count;
    const size_t block = (size_t)ww_block_size((int64_t)n, 0);
    const size_t tile = (size_t)problem->tiling.tile_units;
    const ww_allocation arrays[] = {
        {offsetof(ww_lazy_scan_room, buckets), (size_t)ww_lazy_forecast_most(problem) + 1,
         sizeof(ww_lazy_bucket), what},
        {offsetof(ww_lazy_scan_room, coefficients), tile * block, sizeof(double), what},
        {offsetof(ww_lazy_scan_room, narrow), tile * block, sizeof(float), what},
        {offsetof(ww_lazy_scan_room, tables), WW_PATTERN_ROOM_BYTES, 1, what},
        {offsetof(ww_lazy_scan_room, patterns), 2 * (size_t)ww_pattern_words((int64_t)n),
         sizeof(uint32_t), what},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == ROOM_ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

int64_t ww_lazy_scan_bytes(const ww_problem *problem)
{
    const int64_t n = problem->data->train.count;
    const int64_t stride = ww_sample_products_stride(n);
    ww_allocation list[ARRAYS], room[ROOM_ARRAYS];
    list_arrays(problem, list);
    list_room(problem, room);
    return ww_allocation_bytes(list, ARRAYS) +
           ww_workers_of(problem->parallel) * ww_allocation_bytes(room, ROOM_ARRAYS) +
           ww_panel_inputs_bytes(true, WW_FOR_SUMS, ww_block_size(n, 0), stride) +
           ww_panel_inputs_bytes(false, WW_FOR_SUMS, ww_block_size(n, 0), stride);
}

ww_status ww_lazy_scan_create(ww_lazy_pairs *pairs, const ww_lazy_course *course,
                              ww_lazy_scan *scan, ww_error *error)
{
    const ww_problem *problem = pairs->problem;
    const int64_t block = ww_block_size(pairs->samples, 0);
    *scan = (ww_lazy_scan){.pairs = pairs, .course = course};
    ww_allocation list[ARRAYS], room[ROOM_ARRAYS];
    list_arrays(problem, list);
    list_room(problem, room);
    WW_TRY(ww_allocate_all(scan, list, ARRAYS, error));
    for (int i = 0; i < ww_workers_of(problem->parallel); i++)
        WW_TRY(ww_allocate_all(&scan->rooms[i], room, ROOM_ARRAYS, error));
    scan->places = scan->memory;
    scan->courses = scan->places + problem->tiling.local_units * pairs->stride;
    for (int64_t unit = 0; !pairs->is_weighed && unit < problem->tiling.local_units; unit++)
        scan->scales[unit] = (float)pairs->scales[unit];
    WW_TRY(ww_panel_inputs_create(true, WW_FOR_SUMS, block, pairs->stride, &scan->inputs, error));
    return ww_panel_inputs_create(false, WW_FOR_SUMS, block, pairs->stride, &scan->fine, error);
}

void ww_lazy_scan_free(ww_lazy_scan *scan)
{
    for (int i = 0; scan->rooms != NULL && i < ww_workers_of(scan->pairs->problem->parallel); i++) {
        ww_lazy_scan_room *room = &scan->rooms[i];
        for (int k = 0; room->buckets != NULL && k <= scan->course->forecast.most; k++)
            free(room->buckets[k].entries);
        free(room->buckets);
        free(room->coefficients);
        free(room->narrow);
        free(room->tables);
        free(room->patterns);
    }
    ww_panel_inputs_free(&scan->inputs);
    ww_panel_inputs_free(&scan->fine);
    free(scan->memory);
    free(scan->rows);
    free(scan->scales);
    free(scan->room);
    free(scan->rooms);
}

// What threads share work on: units first_unit .. first_unit + units - 1, by as many as a
// tile has, and a block of samples. What they make is D, in single precision, or P.
typedef struct task {
    ww_lazy_scan *scan;
    int64_t first_unit, units;
    int64_t first, count;
    bool is_fine;     // P as long as it is made, in double precision
    bool is_at_start; // its base is 0
} task;

static ww_rows units_of(const task *now, int64_t first, int64_t end)
{
    return (ww_rows){.first = now->first_unit + first, .units = end - first};
}

static void for_all_units(task *now,
                          void (*work)(void *context, int worker, int64_t first, int64_t end))
{
    const ww_problem *problem = now->scan->pairs->problem;
    ww_for_each_piece(problem->parallel, now->units, problem->tiling.tile_units, work, now);
}

// row += number * other.
__attribute__((target_clones("avx2", "default"))) static void
add_multiple(float *row, const float *other, float number, int64_t count)
{
    for (int64_t j = 0; j < count; j++)
        row[j] += number * other[j];
}

// The same of a row of K.
__attribute__((target_clones("avx2", "default"))) static void
add_row(float *row, const double *other, double number, int64_t count)
{
    for (int64_t j = 0; j < count; j++)
        row[j] += (float)(number * other[j]);
}

// While P is made it is behind where it will be, where D is otherwise: that has room for half of
// the units, and for one more.
static int64_t most_at_once(const ww_lazy_scan *scan)
{
    return scan->pairs->problem->tiling.local_units / 2 + 1;
}

static double *fine_places(const task *now, int64_t unit)
{
    return (double *)(void *)now->scan->courses +
           (unit - now->first_unit) * now->scan->pairs->stride;
}

// ---- sums over samples of a unit, for all pairs -------------------------------------------------

static ww_lazy_sums sums_of(const task *now)
{
    ww_lazy_scan *scan = now->scan;
    const ww_lazy_pairs *pairs = scan->pairs;
    return (ww_lazy_sums){.pairs = pairs,
                          .vectors = pairs->products,
                          .columns = pairs->stride,
                          .room = scan->room,
                          .inputs = now->is_fine ? &scan->fine : &scan->inputs,
                          .scales = now->is_fine ? (const void *)pairs->scales : scan->scales};
}

// Where they go, from a unit on.
static void *rows_of(const task *now, int64_t unit)
{
    const ww_lazy_scan *scan = now->scan;
    return now->is_fine ? (void *)fine_places(now, unit)
                        : scan->courses + unit * scan->pairs->stride;
}

static void add_block(void *context, int worker, int64_t first, int64_t end)
{
    const task *now = context;
    const ww_lazy_sums sums = sums_of(now);
    const ww_rows tile = units_of(now, first, end);
    ww_lazy_add_block(&sums, tile, now->first, rows_of(now, tile.first),
                      now->scan->rooms[worker].tables);
}

static void add_all(void *context, int worker, int64_t first, int64_t end)
{
    const task *now = context;
    const ww_lazy_sums sums = sums_of(now);
    const ww_rows tile = units_of(now, first, end);
    (void)worker;
    ww_lazy_add_all(&sums, tile, rows_of(now, tile.first));
}

// a_r sum_j K_ij s'_rj values_j of all pairs, values [n], are added to what there is, where output
// weights are not weighed.
static void add_values(task *now, const double *values)
{
    const ww_lazy_pairs *pairs = now->scan->pairs;
    const ww_lazy_sums sums = sums_of(now);
    for (now->first = 0; now->first < pairs->samples; now->first += WW_SAMPLE_BLOCK) {
        ww_lazy_take_block(&sums, values, now->first);
        for_all_units(now, add_block);
    }
    if (pairs->problem->negative_slope == 0.0)
        return;
    ww_lazy_take_all(&sums, values);
    for_all_units(now, add_all);
}

// ---- P ------------------------------------------------------------------------------------------

static void copy_start(void *context, int worker, int64_t first, int64_t end)
{
    const task *now = context;
    const ww_lazy_pairs *pairs = now->scan->pairs;
    const ww_rows tile = units_of(now, first, end);
    (void)worker;
    memcpy(fine_places(now, tile.first), pairs->start + tile.first * pairs->stride,
           (size_t)(tile.units * pairs->stride) * sizeof *pairs->start);
}

// What is still to be added to p(0) for p at the base, as coefficients of a block of samples: of
// offsets, (1 - slope) a o, which are few; where output weights are weighed s' g as well.
static void find_coefficients(const task *now, ww_rows tile, double *coefficients)
{
    const ww_lazy_pairs *pairs = now->scan->pairs;
    const double slope = pairs->problem->negative_slope;
    const int64_t first = now->first, end = now->first + now->count;
    memset(coefficients, 0, (size_t)(tile.units * now->count) * sizeof *coefficients);
    for (int64_t unit = 0; unit < tile.units; unit++) {
        const int64_t number = tile.first + unit;
        const double factor = (1.0 - slope) * pairs->units[number].factor;
        const ww_lazy_list *of = &pairs->units[number].offsets;
        const int32_t *samples = ww_lazy_samples(of);
        double *row = coefficients + unit * now->count;
        for (int64_t j = first; pairs->is_weighed && j < end; j++)
            row[j - first] = (ww_lazy_is_active(pairs, number, j) ? 1.0 : slope) *
                             ww_lazy_total(pairs, now->scan->course->base, number, j);
        for (int32_t k = 0; k < of->count; k++)
            if (samples[k] >= first && samples[k] < end)
                row[samples[k] - first] += factor * of->values[k];
    }
}

static bool has_coefficients(const task *now, ww_rows tile)
{
    const ww_lazy_pairs *pairs = now->scan->pairs;
    bool has_some = pairs->is_weighed && !now->is_at_start;
    for (int64_t unit = tile.first; !has_some && unit < tile.first + tile.units; unit++)
        has_some = pairs->units[unit].offsets.count > 0;
    return has_some;
}

static void add_coefficients(void *context, int worker, int64_t first, int64_t end)
{
    const task *now = context;
    const ww_rows tile = units_of(now, first, end);
    if (!has_coefficients(now, tile))
        return;
    double *coefficients = now->scan->rooms[worker].coefficients;
    find_coefficients(now, tile, coefficients);
    ww_panel_move(&now->scan->fine, 1.0, coefficients, tile.units, fine_places(now, tile.first));
}

// P as it stays, with the patterns of now.
static void end_places(void *context, int worker, int64_t first, int64_t end)
{
    const task *now = context;
    const ww_rows tile = units_of(now, first, end);
    ww_lazy_scan *scan = now->scan;
    const int64_t stride = scan->pairs->stride;
    double largest = scan->rooms[worker].largest;
    for (int64_t unit = tile.first; unit < tile.first + tile.units; unit++) {
        const double length = scan->pairs->units[unit].length;
        const double *fine = fine_places(now, unit);
        float *places = scan->places + unit * stride;
        const ww_lazy_list *of = &scan->pairs->units[unit].offsets;
        uint8_t *marks = ww_lazy_marks(of);
        for (int64_t i = 0; i < stride; i++) {
            const double value = fine[i] / length, size = fabs(value);
            places[i] = (float)value;
            largest = size > largest ? size : largest;
        }
        for (int32_t k = 0; k < of->count; k++)
            marks[k] = 0;
        scan->rows[unit].bent = 0.0F;
    }
    scan->rooms[worker].largest = largest;
}

static bool is_zero(const double *values, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (values[i] != 0.0)
            return false;
    return true;
}

void ww_lazy_scan_restart(ww_lazy_scan *scan, double *largest)
{
    const ww_lazy_pairs *pairs = scan->pairs;
    const ww_problem *problem = pairs->problem;
    const int64_t n = pairs->samples, all = problem->tiling.local_units;
    const int64_t most = most_at_once(scan);
    const int threads = ww_workers_of(problem->parallel);
    const bool is_at_start = is_zero(scan->course->base, scan->course->span);
    *largest = 0.0;
    for (int i = 0; i < threads; i++)
        scan->rooms[i].largest = 0.0;
    for (int64_t first_unit = 0; first_unit < all; first_unit += most) {
        task now = {.scan = scan,
                    .first_unit = first_unit,
                    .units = all - first_unit < most ? all - first_unit : most,
                    .is_fine = true,
                    .is_at_start = is_at_start};
        for_all_units(&now, copy_start);
        if (!pairs->is_weighed && !is_at_start)
            add_values(&now, scan->course->base);
        for (now.first = 0; now.first < n; now.first += WW_SAMPLE_BLOCK) {
            now.count = ww_block_size(n, now.first);
            ww_panel_inputs_set(&scan->fine, pairs->products + now.first * pairs->stride,
                                now.count);
            for_all_units(&now, add_coefficients);
        }
        for_all_units(&now, end_places);
    }
    for (int i = 0; i < threads; i++)
        *largest = fmax(*largest, scan->rooms[i].largest);
}

// Brings the rows of a unit up to its patterns.
static void fold(ww_lazy_scan *scan, int64_t unit, bool with_courses)
{
    const ww_lazy_pairs *pairs = scan->pairs;
    const ww_lazy_course *course = scan->course;
    const ww_lazy_list *of = &pairs->units[unit].offsets;
    const int32_t *samples = ww_lazy_samples(of);
    uint8_t *marks = ww_lazy_marks(of);
    const int64_t stride = pairs->stride;
    const double scale = pairs->units[unit].factor / pairs->units[unit].length *
                         (1.0 - pairs->problem->negative_slope);
    float *places = scan->places + unit * stride, *courses = scan->courses + unit * stride;
    for (int32_t k = 0; k < of->count; k++) {
        if ((marks[k] & WW_LAZY_IS_NEW) == 0)
            continue;
        const int64_t j = samples[k];
        const bool was_active = (marks[k] & WW_LAZY_WAS_ACTIVE) != 0;
        const double turn = (double)ww_lazy_is_active(pairs, unit, j) - (double)was_active;
        const double moved = turn * ww_lazy_total(pairs, course->base, unit, j) + of->values[k] -
                             ww_lazy_early(of)[k];
        const double *row = pairs->products + j * stride;
        add_row(places, row, scale * moved, stride);
        if (with_courses && turn != 0.0)
            add_row(courses, row, scale * turn * ww_lazy_total(pairs, course->chord, unit, j),
                    stride);
        marks[k] = 0;
    }
    scan->rows[unit].bent = 0.0F;
}

// ---- a window -----------------------------------------------------------------------------------

// P moves to the base, and D is to be made.
static void begin_units(void *context, int worker, int64_t first, int64_t end)
{
    const task *now = context;
    const ww_rows tile = units_of(now, first, end);
    ww_lazy_scan *scan = now->scan;
    const int64_t stride = scan->pairs->stride;
    (void)worker;
    for (int64_t unit = tile.first; unit < tile.first + tile.units; unit++) {
        float *courses = scan->courses + unit * stride;
        if (scan->course->moved != 0.0)
            add_multiple(scan->places + unit * stride, courses, (float)scan->course->moved, stride);
        if (scan->rows[unit].bent > 0.0F)
            fold(scan, unit, false);
        memset(courses, 0, (size_t)stride * sizeof *courses);
    }
}

// What a block of samples adds to D where output weights are weighed: by coefficients
// s' a_r b_j / ||a_r||, whose inputs are the rows of K.
static void add_weighed(void *context, int worker, int64_t first, int64_t end)
{
    const task *now = context;
    const ww_rows tile = units_of(now, first, end);
    const ww_lazy_scan *scan = now->scan;
    const ww_lazy_scan_room *room = &scan->rooms[worker];
    const ww_lazy_pairs *pairs = scan->pairs;
    const double slope = pairs->problem->negative_slope;
    const int64_t k = pairs->outputs, count = now->count;
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)tile.units, (int)count, (int)k, 1.0,
                pairs->scales + tile.first * k, (int)k, scan->course->chord + now->first,
                (int)pairs->stride, 0.0, room->coefficients, (int)count);
    for (int64_t unit = 0; unit < tile.units; unit++) {
        const uint64_t *patterns = ww_lazy_patterns(pairs, tile.first + unit);
        const double scale = 1.0 / pairs->units[tile.first + unit].length;
        for (int64_t i = unit * count, j = now->first; i < (unit + 1) * count; i++, j++) {
            const bool is_active = ww_pattern_has(patterns, j);
            room->narrow[i] = (float)((is_active ? scale : slope * scale) * room->coefficients[i]);
        }
    }
    ww_panel_move(&scan->inputs, 1.0, room->narrow, tile.units,
                  scan->courses + tile.first * pairs->stride);
}

// D of all pairs.
static void make_courses(task *now)
{
    ww_lazy_scan *scan = now->scan;
    const ww_lazy_pairs *pairs = scan->pairs;
    const int64_t n = pairs->samples;
    if (!pairs->is_weighed) {
        add_values(now, scan->course->chord);
        return;
    }
    for (now->first = 0; now->first < n; now->first += WW_SAMPLE_BLOCK) {
        now->count = ww_block_size(n, now->first);
        ww_panel_inputs_set(&scan->inputs, pairs->products + now->first * pairs->stride,
                            now->count);
        for_all_units(now, add_weighed);
    }
}

static void scan_units(void *context, int worker, int64_t first, int64_t end)
{
    const task *now = context;
    const ww_rows tile = units_of(now, first, end);
    for (int64_t unit = tile.first; unit < tile.first + tile.units; unit++)
        ww_lazy_scan_row(now->scan, worker, unit, 0);
}

void ww_lazy_scan_begin(ww_lazy_scan *scan)
{
    const ww_problem *problem = scan->pairs->problem;
    task now = {.scan = scan, .units = problem->tiling.local_units};
    for (int i = 0; i < ww_workers_of(problem->parallel); i++)
        for (int k = 0; k <= scan->course->forecast.most; k++)
            scan->rooms[i].buckets[k].count = 0;
    for_all_units(&now, begin_units);
    make_courses(&now);
    for_all_units(&now, scan_units);
}

void ww_lazy_scan_note(ww_lazy_scan *scan, int64_t unit, int64_t sample, bool is_first)
{
    if (is_first) // more than 0, so that the next window knows of it
        scan->rows[unit].bent += fmaxf(scan->course->shares[sample], FLT_MIN);
}

bool ww_lazy_scan_is_bent(ww_lazy_scan *scan, int64_t unit)
{
    ww_lazy_row *row = &scan->rows[unit];
    const bool is_bent = (double)row->bent > scan->course->loose;
    if (is_bent)
        row->bent = 0.0F; // by when they are brought up to date
    return is_bent;
}

void ww_lazy_scan_fold(ww_lazy_scan *scan, int worker, int64_t at, int64_t unit)
{
    fold(scan, unit, true);
    scan->rows[unit].version++;
    ww_lazy_scan_row(scan, worker, unit, at);
}
