#include "train/lazy_scan.h"

#include "train/kernels.h"
#include "widthwise/memory.h"

#include <cblas.h>
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { ARRAYS = 9, WORD = 64, GROUP = 8 };

static void list_arrays(const ww_problem *problem, ww_allocation list[ARRAYS])
{
    static const char what[] =
        "the search for pairs that change (training.engine: dense takes less)";
    const size_t n = (size_t)problem->data->train.count;
    const size_t stride = (n + WORD - 1) / WORD * WORD;
    const size_t units = (size_t)problem->tiling.local_units;
    const size_t tile = (size_t)problem->tiling.tile_units;
    const ww_allocation arrays[] = {
        {offsetof(ww_lazy_scan, memory), units * stride, sizeof(double), what},
        {offsetof(ww_lazy_scan, rows), units, sizeof(ww_lazy_row), what},
        {offsetof(ww_lazy_scan, scales), units, sizeof(float), what},
        {offsetof(ww_lazy_scan, buckets), (size_t)ww_lazy_forecast_most(problem) + 1,
         sizeof(ww_lazy_bucket), what},
        {offsetof(ww_lazy_scan, room), (size_t)ww_block_size((int64_t)n, 0) * stride,
         sizeof(double), what},
        {offsetof(ww_lazy_scan, coefficients), tile * n, sizeof(double), what},
        {offsetof(ww_lazy_scan, narrow), tile * (size_t)ww_block_size((int64_t)n, 0), sizeof(float),
         what},
        {offsetof(ww_lazy_scan, tile), tile * stride, sizeof(double), what},
        {offsetof(ww_lazy_scan, tables), WW_PATTERN_ROOM_BYTES, 1, what},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

int64_t ww_lazy_scan_bytes(const ww_problem *problem)
{
    const int64_t n = problem->data->train.count;
    const int64_t stride = (n + WORD - 1) / WORD * WORD;
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    return ww_allocation_bytes(list, ARRAYS) +
           ww_panel_inputs_bytes(true, WW_FOR_SUMS, ww_block_size(n, 0), stride) +
           ww_panel_inputs_bytes(false, WW_FOR_SUMS, ww_block_size(n, 0), stride);
}

ww_status ww_lazy_scan_create(ww_lazy_pairs *pairs, const ww_lazy_course *course,
                              ww_lazy_scan *scan, ww_error *error)
{
    const ww_problem *problem = pairs->problem;
    const int64_t block = ww_block_size(pairs->samples, 0);
    *scan = (ww_lazy_scan){.pairs = pairs, .course = course};
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    WW_TRY(ww_allocate_all(scan, list, ARRAYS, error));
    scan->places = scan->memory;
    scan->courses = scan->places + problem->tiling.local_units * pairs->stride;
    for (int64_t unit = 0; !pairs->is_weighed && unit < problem->tiling.local_units; unit++)
        scan->scales[unit] = (float)pairs->scales[unit];
    WW_TRY(ww_panel_inputs_create(true, WW_FOR_SUMS, block, pairs->stride, &scan->inputs, error));
    return ww_panel_inputs_create(false, WW_FOR_SUMS, block, pairs->stride, &scan->fine, error);
}

void ww_lazy_scan_free(ww_lazy_scan *scan)
{
    for (int k = 0; scan->buckets != NULL && k <= scan->course->forecast.most; k++)
        free(scan->buckets[k].entries);
    ww_panel_inputs_free(&scan->inputs);
    ww_panel_inputs_free(&scan->fine);
    free(scan->memory);
    free(scan->rows);
    free(scan->scales);
    free(scan->buckets);
    free(scan->room);
    free(scan->coefficients);
    free(scan->narrow);
    free(scan->tile);
    free(scan->tables);
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

// The coefficients by which p differs from p(0) at the base: a (s' B + (1 - slope) o).
static void find_coefficients(const ww_lazy_scan *scan, ww_rows tile)
{
    const ww_lazy_pairs *pairs = scan->pairs;
    const double slope = pairs->problem->negative_slope;
    const int64_t n = pairs->samples;
    for (int64_t unit = 0; unit < tile.units; unit++) {
        const int64_t number = tile.first + unit;
        ww_lazy_unit *of = &pairs->units[number];
        double *row = scan->coefficients + unit * n;
        for (int64_t j = 0; j < n; j++)
            row[j] = (ww_lazy_is_active(pairs, number, j) ? 1.0 : slope) *
                     ww_lazy_total(pairs, scan->course->base, number, j);
        for (int32_t k = 0; k < of->count; k++) {
            row[of->samples[k]] += (1.0 - slope) * of->values[k];
            of->marks[k] = 0;
        }
        for (int64_t j = 0; j < n; j++)
            row[j] *= ww_lazy_factor(pairs, number);
        scan->rows[number].bent = 0.0F;
    }
}

void ww_lazy_scan_restart(ww_lazy_scan *scan, double *largest)
{
    *largest = 0.0;
    const ww_lazy_pairs *pairs = scan->pairs;
    const ww_problem *problem = pairs->problem;
    const int64_t n = pairs->samples, stride = pairs->stride;
    for (int64_t local = 0; local < problem->tiling.local_tiles; local++) {
        const ww_rows tile = ww_tile_rows(problem, local);
        const double *start = pairs->start + tile.first * stride;
        float *places = scan->places + tile.first * stride;
        find_coefficients(scan, tile);
        memcpy(scan->tile, start, (size_t)(tile.units * stride) * sizeof *start);
        for (int64_t first = 0; first < n; first += WW_SAMPLE_BLOCK) {
            ww_panel_inputs_set(&scan->fine, pairs->products + first * stride,
                                ww_block_size(n, first));
            ww_panel_move_by(&scan->fine, 1.0, scan->coefficients + first, n, tile.units,
                             scan->tile);
        }
        for (int64_t unit = 0; unit < tile.units; unit++) {
            const double length = pairs->lengths[tile.first + unit];
            for (int64_t i = unit * stride; i < (unit + 1) * stride; i++) {
                const double value = scan->tile[i] / length;
                places[i] = (float)value;
                *largest = fmax(*largest, fabs(value));
            }
        }
    }
}

// Brings the rows of a unit up to its patterns.
static void fold(ww_lazy_scan *scan, int64_t unit, bool with_courses)
{
    const ww_lazy_pairs *pairs = scan->pairs;
    const ww_lazy_course *course = scan->course;
    const ww_lazy_unit *of = &pairs->units[unit];
    const int64_t stride = pairs->stride;
    const double scale =
        ww_lazy_factor(pairs, unit) / pairs->lengths[unit] * (1.0 - pairs->problem->negative_slope);
    float *places = scan->places + unit * stride, *courses = scan->courses + unit * stride;
    for (int32_t k = 0; k < of->count; k++) {
        if ((of->marks[k] & WW_LAZY_IS_NEW) == 0)
            continue;
        const int64_t j = of->samples[k];
        const bool was_active = (of->marks[k] & WW_LAZY_WAS_ACTIVE) != 0;
        const double turn = (double)ww_lazy_is_active(pairs, unit, j) - (double)was_active;
        const double moved =
            turn * ww_lazy_total(pairs, course->base, unit, j) + of->values[k] - of->early[k];
        const double *row = pairs->products + j * stride;
        add_row(places, row, scale * moved, stride);
        if (with_courses && turn != 0.0)
            add_row(courses, row, scale * turn * ww_lazy_total(pairs, course->chord, unit, j),
                    stride);
        of->marks[k] = 0;
    }
    scan->rows[unit].bent = 0.0F;
}

// What a block of samples adds to D of a tile, where output weights are weighed: by coefficients
// s' a_r b_j / ||a_r||, whose inputs are the rows of K.
static void add_courses(ww_lazy_scan *scan, ww_rows tile, int64_t first, int64_t count)
{
    const ww_lazy_pairs *pairs = scan->pairs;
    const double slope = pairs->problem->negative_slope;
    const int64_t k = pairs->outputs;
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)tile.units, (int)count, (int)k, 1.0,
                pairs->scales + tile.first * k, (int)k, scan->course->chord + first,
                (int)pairs->stride, 0.0, scan->coefficients, (int)count);
    for (int64_t unit = 0; unit < tile.units; unit++) {
        const uint64_t *patterns = ww_lazy_patterns(pairs, tile.first + unit);
        const double scale = 1.0 / pairs->lengths[tile.first + unit];
        for (int64_t i = unit * count, j = first; j < first + count; i++, j++) {
            const bool is_active = (patterns[j / WORD] >> j % WORD & 1) != 0;
            scan->narrow[i] = (float)((is_active ? scale : slope * scale) * scan->coefficients[i]);
        }
    }
    ww_panel_move(&scan->inputs, 1.0, scan->narrow, tile.units,
                  scan->courses + tile.first * pairs->stride);
}

static void make_weighed_courses(ww_lazy_scan *scan)
{
    const ww_lazy_pairs *pairs = scan->pairs;
    const ww_problem *problem = pairs->problem;
    const int64_t n = pairs->samples;
    for (int64_t first = 0; first < n; first += WW_SAMPLE_BLOCK) {
        const int64_t count = ww_block_size(n, first);
        ww_panel_inputs_set(&scan->inputs, pairs->products + first * pairs->stride, count);
        for (int64_t local = 0; local < problem->tiling.local_tiles; local++)
            add_courses(scan, ww_tile_rows(problem, local), first, count);
    }
}

// D of all pairs.
static void make_courses(ww_lazy_scan *scan)
{
    const ww_lazy_pairs *pairs = scan->pairs;
    const ww_problem *problem = pairs->problem;
    const double slope = problem->negative_slope;
    const int64_t n = pairs->samples, stride = pairs->stride;
    const double *chord = scan->course->chord;
    for (int64_t unit = 0; unit < problem->tiling.local_units; unit++) {
        float *courses = scan->courses + unit * stride;
        memset(courses, 0, (size_t)stride * sizeof *courses);
    }
    if (pairs->is_weighed) {
        make_weighed_courses(scan);
        return;
    }
    for (int64_t first = 0; first < n; first += WW_SAMPLE_BLOCK) {
        const int64_t count = ww_block_size(n, first);
        for (int64_t i = 0; i < count; i++)
            for (int64_t j = 0; j < stride; j++)
                scan->room[i * stride + j] =
                    (1.0 - slope) * chord[first + i] * pairs->products[(first + i) * stride + j];
        ww_panel_inputs_set(&scan->inputs, scan->room, count);
        for (int64_t local = 0; local < problem->tiling.local_tiles; local++) {
            const ww_rows tile = ww_tile_rows(problem, local);
            const uint8_t *patterns =
                (const uint8_t *)(pairs->patterns + tile.first * pairs->words) + first / 8;
            ww_panel_add_patterns(&scan->inputs, scan->scales + tile.first, patterns,
                                  pairs->words * (int64_t)sizeof(uint64_t), tile.units,
                                  scan->courses + tile.first * stride, scan->tables);
        }
    }
    if (slope == 0.0)
        return;
    for (int64_t j = 0; j < stride; j++)
        scan->room[j] = 0.0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < stride; j++)
            scan->room[j] += slope * chord[i] * pairs->products[i * stride + j];
    ww_panel_inputs_set(&scan->inputs, scan->room, 1);
    for (int64_t local = 0; local < problem->tiling.local_tiles; local++) {
        const ww_rows tile = ww_tile_rows(problem, local);
        ww_panel_move(&scan->inputs, 1.0, scan->scales + tile.first, tile.units,
                      scan->courses + tile.first * stride);
    }
}

static ww_status push(ww_lazy_bucket *bucket, const ww_lazy_entry *entry, ww_error *error)
{
    enum { FIRST = 64 };
    if (bucket->count == bucket->room) {
        const int64_t room = bucket->room > 0 ? 2 * bucket->room : FIRST;
        ww_lazy_entry *grown = realloc(bucket->entries, (size_t)room * sizeof *grown);
        if (grown == NULL)
            return ww_fail(error, WW_FAILED,
                           "out of memory for pairs to look at; use more nodes, or "
                           "training.engine: dense");
        bucket->entries = grown;
        bucket->room = room;
    }
    bucket->entries[bucket->count++] = *entry;
    return WW_OK;
}

// How far a pair may have been led away since a step: path - before, `most` at most.
typedef struct way {
    const float *path; // [path_stride]
    float before, most;
} way;

// The first step after `at` at which margin + rate mu_k - way_k is not above 0; 0: there is none.
__attribute__((target_clones("avx2", "default"))) static int64_t
first_at_risk(const ww_lazy_course *course, int64_t at, float margin, float rate, way along)
{
    const float *places = course->along;
    for (int64_t k = at + 1; k <= course->length; k += GROUP) {
        unsigned risks = 0;
        for (int64_t i = 0; i < GROUP; i++) { // beyond the end there is room
            const float led = along.path[k + i] - along.before;
            const float lost = led < along.most ? led : along.most;
            risks |= (unsigned)(margin + rate * places[k + i] - lost <= 0.0F) << i;
        }
        if (risks != 0) {
            const int64_t found = k + __builtin_ctz(risks);
            return found <= course->length ? found : 0;
        }
    }
    return 0;
}

// Where output weights are weighed both ways are the same.
static int way_of(const ww_lazy_pairs *pairs, int64_t unit, bool active)
{
    const double scale = pairs->scales[unit * pairs->outputs];
    return (scale > 0.0) == active ? WW_LAZY_FALLS : WW_LAZY_RISES;
}

enum { LANES = 8 };
typedef float numbers __attribute__((vector_size(32)));
typedef uint32_t masks __attribute__((vector_size(32)));
typedef int32_t signs __attribute__((vector_size(32)));

static const masks to_sign = {31, 30, 29, 28, 27, 26, 25, 24}; // of the lowest bits, one a lane

// Not a function: vectors are not handed on between versions for processors.
#define CHOOSE(which, yes, no) (((which) & (yes)) | (~(which) & (no)))

// Which of the samples of a word are nearer to 0 than they are safe, a mask each; whether any is.
__attribute__((target_clones("avx2", "default"))) static bool
find_near(const float *places, const float *courses, uint64_t bits, const float *active_limits,
          const float *other_limits, float least, float most, masks near[WORD / LANES])
{
    masks any = {0};
    for (int i = 0; i < WORD / LANES; i++, bits >>= LANES) {
        masks place, course, active_limit, other_limit;
        memcpy(&place, places + (ptrdiff_t)i * LANES, sizeof place);
        memcpy(&course, courses + (ptrdiff_t)i * LANES, sizeof course);
        memcpy(&active_limit, active_limits + (ptrdiff_t)i * LANES, sizeof active_limit);
        memcpy(&other_limit, other_limits + (ptrdiff_t)i * LANES, sizeof other_limit);
        const masks sign = ((masks){0} + (uint32_t)(bits & 255)) << to_sign;
        const masks is_active = (masks)((signs)sign < 0);
        const masks turn = ~is_active & 0x80000000U; // of inactive ones, to be above 0 too
        const numbers margin = (numbers)(place ^ turn), rate = (numbers)(course ^ turn);
        const numbers limit = (numbers)CHOOSE(is_active, active_limit, other_limit);
        const numbers first = rate * least, last = rate * most;
        const numbers lowest = (numbers)CHOOSE((masks)(first < last), (masks)first, (masks)last);
        near[i] = (masks)(margin + lowest <= limit);
        any |= near[i];
    }
    return (any[0] | any[1] | any[2] | any[3] | any[4] | any[5] | any[6] | any[7]) != 0;
}

// Puts a pair into the queue that is nearer to 0 than it is safe.
static ww_status queue_pair(ww_lazy_scan *scan, int64_t unit, int64_t sample, bool active,
                            float limit, int64_t at, ww_error *error)
{
    const int64_t place = unit * scan->pairs->stride + sample;
    const float margin = active ? scan->places[place] : -scan->places[place];
    const float rate = active ? scan->courses[place] : -scan->courses[place];
    const way none = {.path = scan->course->along, .before = -INFINITY}; // but for the limit
    const int64_t step = first_at_risk(scan->course, at, margin - limit, rate, none);
    const ww_lazy_entry entry = {.unit = (int32_t)unit,
                                 .sample = (int32_t)sample,
                                 .version = scan->rows[unit].version,
                                 .course = scan->courses[place]};
    return step > 0 ? push(&scan->buckets[step], &entry, error) : WW_OK;
}

static ww_status scan_row(ww_lazy_scan *scan, int64_t unit, int64_t at, ww_error *error)
{
    const ww_lazy_pairs *pairs = scan->pairs;
    const ww_lazy_course *course = scan->course;
    const int64_t stride = pairs->stride;
    const uint64_t *patterns = ww_lazy_patterns(pairs, unit);
    const float *places = scan->places + unit * stride, *courses = scan->courses + unit * stride;
    const float *active_limits = course->limits[way_of(pairs, unit, true)];
    const float *other_limits = course->limits[way_of(pairs, unit, false)];
    for (int64_t word = 0; word < pairs->words; word++) {
        masks near[WORD / LANES];
        const int64_t first = word * WORD;
        if (!find_near(places + first, courses + first, patterns[word], active_limits + first,
                       other_limits + first, course->least_along, course->most_along, near))
            continue;
        for (int64_t i = 0; i < WORD && first + i < pairs->samples; i++) {
            if (near[i / LANES][i % LANES] == 0)
                continue;
            const bool active = (patterns[word] >> i & 1) != 0;
            const float limit = active ? active_limits[first + i] : other_limits[first + i];
            WW_TRY(queue_pair(scan, unit, first + i, active, limit, at, error));
        }
    }
    return WW_OK;
}

ww_status ww_lazy_scan_begin(ww_lazy_scan *scan, ww_error *error)
{
    const ww_lazy_pairs *pairs = scan->pairs;
    const int64_t stride = pairs->stride;
    const int64_t units = pairs->problem->tiling.local_units;
    for (int k = 0; k <= scan->course->forecast.most; k++)
        scan->buckets[k].count = 0;
    for (int64_t unit = 0; unit < units; unit++) {
        if (scan->course->moved != 0.0)
            add_multiple(scan->places + unit * stride, scan->courses + unit * stride,
                         (float)scan->course->moved, stride);
        if (scan->rows[unit].bent > 0.0F)
            fold(scan, unit, false);
    }
    make_courses(scan);
    for (int64_t unit = 0; unit < units; unit++)
        WW_TRY(scan_row(scan, unit, 0, error));
    return WW_OK;
}

// The first step after `at` at which a pair that was looked at may have another pattern, of full
// batches: by its course, and how far it may have been led away from it.
static int64_t step_by_path(const ww_lazy_scan *scan, int64_t at, const ww_lazy_entry *entry,
                            double value)
{
    const ww_lazy_course *course = scan->course;
    const bool active = value >= 0.0;
    const float *path = course->paths[way_of(scan->pairs, entry->unit, active)] +
                        entry->sample * course->path_stride;
    const float rate = active ? entry->course : -entry->course;
    // Rounding of what is computed here, and of D.
    const float margin = (float)(fabs(value) * (1.0 - 1e-6)) - 4e-6F * path[course->length] -
                         1e-6F * fabsf(entry->course) - course->slacks[entry->sample];
    const way along = {.path = path, .before = path[at], .most = course->boxes[entry->sample]};
    return first_at_risk(course, at, margin - rate * course->along[at], rate, along);
}

// The same of small batches: by the steps themselves.
static int64_t step_by_steps(const ww_lazy_scan *scan, int64_t at, const ww_lazy_entry *entry,
                             double value)
{
    const ww_lazy_course *course = scan->course;
    const ww_lazy_pair pair = {
        .sample = entry->sample,
        .products = scan->pairs->products + entry->sample * scan->pairs->stride,
        .patterns = ww_lazy_patterns(scan->pairs, entry->unit),
        .active = value >= 0.0,
        .is_negative = scan->pairs->scales[entry->unit] < 0.0,
        .margin = fabs(value) - (double)course->slacks[entry->sample],
        .astray = course->scale * course->norms[entry->sample] * course->deviation,
        .most = (double)course->boxes[entry->sample]};
    return ww_lazy_forecast_crossing(&course->forecast, at, course->length, course->spent, &pair);
}

ww_status ww_lazy_scan_return(ww_lazy_scan *scan, int64_t at, ww_lazy_entry entry, double value,
                              bool changed, ww_error *error)
{
    const ww_lazy_pairs *pairs = scan->pairs;
    const ww_lazy_course *course = scan->course;
    if (changed && course->loose == 0.0) // its rows will be brought up to date, and scanned
        return WW_OK;
    if (changed) { // its own part in its course
        const double jump = 1.0 - pairs->problem->negative_slope;
        const double scale = ww_lazy_factor(pairs, entry.unit) / pairs->lengths[entry.unit];
        entry.course += (float)((value >= 0.0 ? jump : -jump) * scale *
                                pairs->products[entry.sample * pairs->stride + entry.sample] *
                                ww_lazy_total(pairs, course->chord, entry.unit, entry.sample));
    }
    const double place = value / pairs->lengths[entry.unit];
    const int64_t step = course->is_full_batch ? step_by_path(scan, at, &entry, place)
                                               : step_by_steps(scan, at, &entry, value);
    return step > 0 ? push(&scan->buckets[step], &entry, error) : WW_OK;
}

void ww_lazy_scan_note(ww_lazy_scan *scan, int64_t unit, int64_t sample, bool is_first)
{
    if (is_first) // more than 0, so that the next window knows of it
        scan->rows[unit].bent += fmaxf(scan->course->shares[sample], FLT_MIN);
}

ww_status ww_lazy_scan_fold(ww_lazy_scan *scan, int64_t at, int64_t unit, ww_error *error)
{
    ww_lazy_row *row = &scan->rows[unit];
    if (!((double)row->bent > scan->course->loose))
        return WW_OK;
    fold(scan, unit, true);
    row->version++;
    return scan_row(scan, unit, at, error);
}
