// The queue of pairs that are to be looked at in the steps to come, by what they are from 0 and
// where the course leads them (lazy_scan.h).

#include "parallel/workers.h"
#include "train/lazy_scan.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { GROUP = 8 };

// The queue lacks what there is no memory for, which ww_lazy_scan_check tells.
static void push(ww_lazy_scan_room *room, int64_t step, const ww_lazy_entry *entry)
{
    enum { FIRST = 8 };
    ww_lazy_bucket *bucket = &room->buckets[step];
    if (bucket->count == bucket->room) {
        const int64_t places = bucket->room > 0 ? 2 * bucket->room : FIRST;
        ww_lazy_entry *grown = realloc(bucket->entries, (size_t)places * sizeof *grown);
        if (grown == NULL) {
            room->is_short = true;
            return;
        }
        bucket->entries = grown;
        bucket->room = places;
    }
    bucket->entries[bucket->count++] = *entry;
}

ww_status ww_lazy_scan_check(const ww_lazy_scan *scan, ww_error *error)
{
    for (int i = 0; i < ww_workers_of(scan->pairs->problem->parallel); i++)
        if (scan->rooms[i].is_short)
            return ww_fail(error, WW_FAILED,
                           "out of memory for pairs to look at; use more nodes, or "
                           "training.engine: dense");
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
    return (pairs->units[unit].factor > 0.0) == active ? WW_LAZY_FALLS : WW_LAZY_RISES;
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
          const float *other_limits, float least, float most, masks near[WW_PATTERN_WORD / LANES])
{
    masks any = {0};
    for (int i = 0; i < WW_PATTERN_WORD / LANES; i++, bits >>= LANES) {
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
static void queue_pair(const ww_lazy_scan *scan, int worker, int64_t unit, int64_t sample,
                       bool active, float limit, int64_t at)
{
    const int64_t place = unit * scan->pairs->stride + sample;
    const float margin = active ? scan->places[place] : -scan->places[place];
    const float rate = active ? scan->courses[place] : -scan->courses[place];
    const way none = {.path = scan->course->along, .before = -INFINITY}; // but for the limit
    const int64_t step = first_at_risk(scan->course, at, margin - limit, rate, none);
    const ww_lazy_entry entry = {.start = scan->pairs->start[place],
                                 .unit = (int32_t)unit,
                                 .sample = (int32_t)sample,
                                 .version = scan->rows[unit].version,
                                 .course = scan->courses[place]};
    if (step > 0)
        push(&scan->rooms[worker], step, &entry);
}

void ww_lazy_scan_row(ww_lazy_scan *scan, int worker, int64_t unit, int64_t at)
{
    const ww_lazy_pairs *pairs = scan->pairs;
    const ww_lazy_course *course = scan->course;
    const int64_t stride = pairs->stride;
    const uint64_t *patterns = ww_lazy_patterns(pairs, unit);
    const float *places = scan->places + unit * stride, *courses = scan->courses + unit * stride;
    const float *active_limits = course->limits[way_of(pairs, unit, true)];
    const float *other_limits = course->limits[way_of(pairs, unit, false)];
    for (int64_t word = 0; word < pairs->words; word++) {
        masks near[WW_PATTERN_WORD / LANES];
        const int64_t first = word * WW_PATTERN_WORD;
        if (!find_near(places + first, courses + first, patterns[word], active_limits + first,
                       other_limits + first, course->least_along, course->most_along, near))
            continue;
        for (int64_t i = 0; i < WW_PATTERN_WORD && first + i < pairs->samples; i++) {
            if (near[i / LANES][i % LANES] == 0)
                continue;
            const bool active = (patterns[word] >> i & 1) != 0;
            const float limit = active ? active_limits[first + i] : other_limits[first + i];
            queue_pair(scan, worker, unit, first + i, active, limit, at);
        }
    }
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
static int64_t step_by_steps(const ww_lazy_scan *scan, int worker, int64_t at,
                             const ww_lazy_entry *entry, double value)
{
    const ww_lazy_course *course = scan->course;
    const ww_lazy_pair pair = {
        .sample = entry->sample,
        .products = scan->pairs->products + entry->sample * scan->pairs->stride,
        .patterns = ww_lazy_patterns(scan->pairs, entry->unit),
        .room = scan->rooms[worker].patterns,
        .active = value >= 0.0,
        .is_negative = scan->pairs->units[entry->unit].factor < 0.0,
        .margin = fabs(value) - (double)course->slacks[entry->sample],
        .astray = course->scale * course->norms[entry->sample] * course->deviation,
        .most = (double)course->boxes[entry->sample]};
    return ww_lazy_forecast_crossing(&course->forecast, at, course->length, course->spent, &pair);
}

void ww_lazy_scan_return(ww_lazy_scan *scan, int worker, int64_t at, ww_lazy_entry entry,
                         double value, bool changed)
{
    const ww_lazy_pairs *pairs = scan->pairs;
    const ww_lazy_course *course = scan->course;
    const ww_lazy_unit *unit = &pairs->units[entry.unit];
    if (changed && course->loose == 0.0) // its rows will be brought up to date, and scanned
        return;
    if (changed) { // its own part in its course
        const double jump = 1.0 - pairs->problem->negative_slope;
        const double scale = unit->factor / unit->length;
        entry.course += (float)((value >= 0.0 ? jump : -jump) * scale *
                                pairs->products[entry.sample * pairs->stride + entry.sample] *
                                ww_lazy_total(pairs, course->chord, entry.unit, entry.sample));
    }
    const double place = pairs->is_weighed ? value / unit->length : value;
    const int64_t step = course->is_full_batch ? step_by_path(scan, at, &entry, place)
                                               : step_by_steps(scan, worker, at, &entry, value);
    if (step > 0)
        push(&scan->rooms[worker], step, &entry);
}
