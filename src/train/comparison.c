#include "train/comparison.h"

#include "parallel/workers.h"
#include "train/kernels.h"
#include "train/rows.h"
#include "widthwise/memory.h"
#include "widthwise/norm.h"

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { ARRAYS = 13, ROOM_ARRAYS = 3 };

// Sums over units that bounds are made of: of |a_r| times size_r, times how far its weights may be
// off, and times the length of its step.
enum { SUM_SIZE, SUM_ASTRAY, SUM_STEP, SUMS };

// Steps are taken to have been this much longer at most, and sizes larger, than they are now.
static const double LONGER = 4.0;

static int64_t groups_of(const ww_comparison *self)
{
    return (self->count + self->group - 1) / self->group;
}

static void list_arrays(const ww_comparison *self, ww_allocation list[ARRAYS])
{
    static const char what[] = "a comparison with the weights";
    const ww_problem *problem = self->problem;
    const size_t k = (size_t)problem->outputs;
    const size_t units = (size_t)problem->tiling.local_units;
    const size_t tile = (size_t)problem->tiling.tile_units;
    const size_t count = (size_t)self->count;
    const size_t block = (size_t)ww_block_size(self->count, 0);
    const ww_allocation arrays[] = {
        {offsetof(ww_comparison, lengths), (size_t)problem->data->train.count, sizeof(double),
         what},
        {offsetof(ww_comparison, starts), units, sizeof(double), what},
        {offsetof(ww_comparison, scales), units, sizeof(double), what},
        {offsetof(ww_comparison, sizes), units, sizeof(double), what},
        {offsetof(ww_comparison, patterns), (size_t)groups_of(self) * units * (size_t)self->stride,
         1, what},
        {offsetof(ww_comparison, held), count * k, sizeof(double), what},
        {offsetof(ww_comparison, outputs), count * k, sizeof(double), what},
        {offsetof(ww_comparison, next), count * k, sizeof(double), what},
        {offsetof(ww_comparison, terms), SUMS * (size_t)problem->tiling.local_tiles, sizeof(double),
         what},
        {offsetof(ww_comparison, gradients), block * k, sizeof(double), what},
        {offsetof(ww_comparison, none), block * k, sizeof(double), what},
        {offsetof(ww_comparison, tile), tile * (size_t)problem->dimension, sizeof(double), what},
        {offsetof(ww_comparison, rooms), (size_t)ww_workers_of(problem->parallel),
         sizeof(ww_comparison_room), what},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

static ww_status make_room(const ww_comparison *self, ww_comparison_room *room, ww_error *error)
{
    static const char what[] = "a comparison of a tile with its weights";
    const ww_problem *problem = self->problem;
    const int64_t block = ww_block_size(self->count, 0);
    const size_t pairs = (size_t)(problem->tiling.tile_units * block);
    const ww_allocation arrays[] = {
        {offsetof(ww_comparison_room, preactivations), pairs, sizeof(double), what},
        {offsetof(ww_comparison_room, partial),
         ww_kernel_output_room(problem->pairs, block, problem->outputs), sizeof(double), what},
        {offsetof(ww_comparison_room, active), pairs, 1, what},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == ROOM_ARRAYS, "none is left out");
    WW_TRY(ww_allocate_all(room, arrays, ROOM_ARRAYS, error));
    return ww_output_sum_create(&room->sum, problem, self->count, error);
}

// ||w_r(0)||, where weights are made from these.
static void find_starts(ww_comparison *self)
{
    const ww_problem *problem = self->problem;
    const int64_t d = problem->dimension;
    for (int64_t i = 0; self->methods->reach != NULL && i < problem->tiling.local_tiles; i++) {
        const ww_rows rows = ww_tile_rows(problem, i);
        ww_initial_hidden_weights(&problem->initial, problem->tiling.first_unit + rows.first,
                                  rows.units, self->tile);
        for (int64_t unit = 0; unit < rows.units; unit++)
            self->starts[rows.first + unit] = ww_norm(self->tile + unit * d, d);
    }
}

static void find_lengths(ww_comparison *self)
{
    const ww_samples *train = &self->problem->data->train;
    const int64_t d = self->problem->dimension;
    for (int64_t j = 0; j < train->count; j++) {
        self->lengths[j] = ww_norm(train->inputs + j * d, d);
        self->longest = fmax(self->longest, self->lengths[j]);
    }
}

ww_status ww_comparison_create(ww_engine *engine, int64_t count, ww_comparison *comparison,
                               ww_error *error)
{
    const ww_problem *problem = ww_engine_problem(engine);
    *comparison = (ww_comparison){.problem = problem,
                                  .methods = ww_engine_methods_of(engine),
                                  .state = ww_engine_state_of(engine),
                                  .count = count,
                                  .group = problem->batch,
                                  .stride = (problem->batch + 7) / 8};
    comparison->unit = 0.5 * (ww_problem_is_single(problem) ? (double)FLT_EPSILON : DBL_EPSILON);
    ww_allocation list[ARRAYS];
    list_arrays(comparison, list);
    WW_TRY(ww_allocate_all(comparison, list, ARRAYS, error));
    for (int i = 0; i < ww_workers_of(problem->parallel); i++)
        WW_TRY(make_room(comparison, &comparison->rooms[i], error));
    find_lengths(comparison);
    find_starts(comparison);
    return WW_OK;
}

void ww_comparison_free(ww_comparison *comparison)
{
    for (int i = 0; comparison->rooms != NULL && i < ww_workers_of(comparison->problem->parallel);
         i++) {
        free(comparison->rooms[i].preactivations);
        free(comparison->rooms[i].partial);
        free(comparison->rooms[i].active);
        ww_output_sum_free(&comparison->rooms[i].sum);
    }
    free(comparison->rooms);
    free(comparison->lengths);
    free(comparison->starts);
    free(comparison->scales);
    free(comparison->sizes);
    free(comparison->patterns);
    free(comparison->held);
    free(comparison->outputs);
    free(comparison->next);
    free(comparison->terms);
    free(comparison->gradients);
    free(comparison->none);
    free(comparison->tile);
}

void ww_comparison_take(ww_comparison *comparison, int64_t group, int64_t count)
{
    const ww_problem *problem = comparison->problem;
    const size_t k = (size_t)problem->outputs;
    const int64_t units = problem->tiling.local_units;
    memcpy(comparison->held + (size_t)(group * comparison->group) * k,
           comparison->methods->outputs(comparison->state),
           (size_t)count * k * sizeof *comparison->held);
    comparison->methods->patterns(comparison->state,
                                  comparison->patterns + group * units * comparison->stride,
                                  comparison->stride);
}

// One comparison.
typedef struct work {
    ww_comparison *self;
    const ww_compared *by;
    ww_rounding rounding;
    double step;       // length of a step, but for |a_r|
    double sums[SUMS]; // of all ranks
} work;

static int64_t sample_of(const work *now, int64_t i)
{
    return now->by->indices != NULL ? now->by->indices[i] : i;
}

// The longest way that a step of this batch may go, but for |a_r|: by the derivatives of the loss
// at the outputs that there are, and at none.
static double find_step(const work *now)
{
    const ww_comparison *self = now->self;
    const ww_problem *problem = self->problem;
    const int64_t k = problem->outputs;
    double largest = 0.0;
    for (int64_t start = 0; start < self->count; start += WW_SAMPLE_BLOCK) {
        const int64_t count = ww_block_size(self->count, start);
        const double *const outputs[] = {self->held + start * k, self->none};
        for (int which = 0; which < 2; which++) {
            ww_batch_gradients(problem, outputs[which], now->by->samples, start, count,
                               problem->batch, self->gradients);
            for (int64_t i = 0; i < count; i++) {
                double sum = 0.0;
                for (int64_t j = 0; j < k; j++)
                    sum += fabs(self->gradients[i * k + j]);
                largest = fmax(largest, sum);
            }
        }
    }
    return problem->learning_rate * self->longest * (double)problem->batch * largest;
}

// Sizes of the units of a tile, and its part of the sums.
static void find_sizes(const work *now, int64_t local_tile, const double *weights)
{
    ww_comparison *self = now->self;
    const ww_problem *problem = self->problem;
    const ww_rows rows = ww_tile_rows(problem, local_tile);
    const int64_t d = problem->dimension, k = problem->outputs;
    double *sums = self->terms + SUMS * local_tile;
    for (int sum = 0; sum < SUMS; sum++)
        sums[sum] = 0.0;
    for (int64_t unit = 0; unit < rows.units; unit++) {
        const int64_t r = rows.first + unit;
        double scale = 0.0;
        for (int64_t j = 0; j < k; j++)
            scale = fmax(scale, fabs(self->output_weights[r * k + j]));
        const double own = self->methods->reach != NULL ? self->starts[r] + self->sizes[r]
                                                        : ww_norm(weights + unit * d, d);
        self->scales[r] = scale;
        self->sizes[r] = own + now->rounding.steps * scale * now->step;
        sums[SUM_SIZE] += scale * self->sizes[r];
        sums[SUM_ASTRAY] += now->by->astray != NULL ? scale * now->by->astray[r] : 0.0;
        sums[SUM_STEP] += scale * scale * now->step;
    }
}

// Holds patterns of a tile on a block of samples against its pre-activations.
static void compare_patterns(const work *now, ww_comparison_room *room, ww_rows rows, int64_t start,
                             int64_t count)
{
    const ww_comparison *self = now->self;
    const ww_tiling *tiling = &self->problem->tiling;
    for (int64_t unit = 0; unit < rows.units; unit++) {
        const int64_t r = rows.first + unit;
        const double *values = room->preactivations + unit * count;
        const double slack = self->unit * now->rounding.pairs * self->sizes[r] +
                             (now->by->astray != NULL ? now->by->astray[r] : 0.0);
        for (int64_t i = 0; i < count; i++) {
            const int64_t group = (start + i) / self->group, place = (start + i) % self->group;
            const uint8_t *bits = self->patterns + (group * tiling->local_units + r) * self->stride;
            const bool active = (bits[place / 8] >> place % 8 & 1) != 0;
            const int64_t sample = sample_of(now, start + i);
            if (fabs(values[i]) <= slack * self->lengths[sample]) {
                room->undecided++;
            } else if (active != (values[i] >= 0.0)) {
                const int64_t number =
                    (tiling->first_unit + r) * self->problem->data->train.count + sample;
                room->mismatches++;
                if (room->first < 0 || number < room->first) {
                    room->first = number;
                    room->value = values[i];
                }
            }
        }
    }
}

static void compare_tile(void *context, int worker, int64_t local_tile)
{
    const work *now = context;
    const ww_comparison *self = now->self;
    const ww_problem *problem = self->problem;
    const ww_rows rows = ww_tile_rows(problem, local_tile);
    const int64_t tile = problem->tiling.first_tile + local_tile;
    const int64_t k = problem->outputs;
    ww_comparison_room *room = &self->rooms[worker];
    if (self->methods->reach != NULL)
        self->methods->reach(self->state, tile, self->lengths, self->sizes + rows.first);
    const double *weights = now->by->tile(now->by->context, worker, tile);
    find_sizes(now, local_tile, weights);
    for (int64_t start = 0; start < self->count; start += WW_SAMPLE_BLOCK) {
        const int64_t count = ww_block_size(self->count, start);
        ww_kernel_preactivations(problem->pairs, weights, rows.units,
                                 now->by->samples->inputs + start * problem->dimension, count,
                                 problem->dimension, room->preactivations);
        compare_patterns(now, room, rows, start, count);
        ww_activate(problem->negative_slope, room->preactivations, (size_t)(rows.units * count),
                    room->active);
        ww_kernel_outputs(problem->pairs, room->preactivations,
                          self->output_weights + rows.first * k, rows.units, count, k,
                          room->partial);
        ww_output_sum_add(&room->sum, start, count, room->partial);
    }
}

// Does so on all threads, and brings together what they find in the room of the first.
static void compare_tiles(work *now)
{
    const ww_problem *problem = now->self->problem;
    const int threads = ww_workers_of(problem->parallel);
    ww_comparison_room *rooms = now->self->rooms;
    for (int i = 0; i < threads; i++) {
        ww_output_sum_restart(&rooms[i].sum, now->self->count);
        rooms[i].mismatches = rooms[i].undecided = 0;
        rooms[i].first = -1;
    }
    ww_for_each(problem->parallel, problem->tiling.local_tiles, compare_tile, now);
    for (int i = 1; i < threads; i++) {
        ww_output_sum_append(&rooms[0].sum, 0, &rooms[i].sum);
        rooms[0].mismatches += rooms[i].mismatches;
        rooms[0].undecided += rooms[i].undecided;
        if (rooms[i].first >= 0 && (rooms[0].first < 0 || rooms[i].first < rooms[0].first)) {
            rooms[0].first = rooms[i].first;
            rooms[0].value = rooms[i].value;
        }
    }
}

// What a step adds to how far outputs that are carried along are off.
static double find_part_of_step(const work *now)
{
    const ww_comparison *self = now->self;
    const double n = (double)self->problem->data->train.count;
    const double d = (double)self->problem->dimension;
    return self->unit * self->longest *
           ((now->rounding.pairs + 8.0) * now->sums[SUM_SIZE] +
            (2.0 * n + d + 32.0) * now->sums[SUM_STEP]);
}

// How far the outputs of a sample may differ from those by the weights; and what of it the next
// step will find, `difference` being how far they do.
static double find_allowed(const work *now, double length, double difference, double *next)
{
    const ww_comparison *self = now->self;
    const ww_problem *problem = self->problem;
    const double part = find_part_of_step(now);
    const double astray = now->sums[SUM_ASTRAY] * length;
    double carried = 0.0;
    if (now->rounding.carried > 0.0)
        carried = now->by->follows ? *next : LONGER * now->rounding.carried * part;
    *next = fabs(difference) + astray + LONGER * part;
    return carried + astray +
           self->unit * length * now->sums[SUM_SIZE] *
               (now->rounding.pairs + 2.0 * (double)problem->tiling.tile_units + 16.0) +
           2.0 * (double)problem->tiling.tile_count * problem->output_format.low_quantum;
}

// Holds outputs against each other. `*excess`: how far the worst that is not allowed is off, and
// `*allowed` what it may be; or else 0.
static double compare_outputs(work *now, double *excess, double *allowed)
{
    ww_comparison *self = now->self;
    const int64_t k = self->problem->outputs;
    double largest = 0.0;
    double scale = 1.0;
    *excess = *allowed = 0.0;
    for (int64_t i = 0; i < self->count * k; i++) {
        const double difference = self->held[i] - self->outputs[i];
        const double bound =
            find_allowed(now, self->lengths[sample_of(now, i / k)], difference, &self->next[i]);
        largest = fmax(largest, fabs(difference));
        scale = fmax(scale, fabs(self->outputs[i]));
        if (!(fabs(difference) <= bound) && !(fabs(difference) <= *excess)) {
            *excess = fabs(difference);
            *allowed = bound;
        }
    }
    *excess /= scale;
    *allowed /= scale;
    return largest / scale;
}

// The first pair of all ranks that does not agree, and its p.
static ww_status share_first(const work *now, double *number, double *value, ww_error *error)
{
    const ww_comparison_room *found = &now->self->rooms[0];
    const double own = found->first < 0 ? -INFINITY : -(double)found->first;
    *number = own;
    WW_TRY(ww_maximum(now->self->problem->parallel, number, 1, error));
    *value = own == *number ? found->value : -INFINITY;
    WW_TRY(ww_maximum(now->self->problem->parallel, value, 1, error));
    *number = -*number;
    return WW_OK;
}

static ww_status fail_patterns(const work *now, int64_t count, ww_error *error)
{
    const ww_comparison *self = now->self;
    const int64_t n = self->problem->data->train.count;
    double number = 0.0;
    double value = 0.0;
    WW_TRY(share_first(now, &number, &value, error));
    return ww_fail(error, WW_FAILED,
                   "the engine %s is wrong: after %lld steps %lld activation pattern%s of "
                   "%s, first that of unit %lld on train sample %lld, where <w, x> = %.3g; do not "
                   "rely on this run, take training.engine: dense, and report it",
                   self->methods->name, (long long)now->by->steps, (long long)count,
                   count == 1 ? " is not that" : "s are not those", now->by->name,
                   (long long)((int64_t)number / n), (long long)((int64_t)number % n), value);
}

static ww_status judge(work *now, ww_audit *found, int64_t mismatches, ww_error *error)
{
    double excess = 0.0;
    double allowed = 0.0;
    const double difference = compare_outputs(now, &excess, &allowed);
    found->difference = fmax(found->difference, difference);
    if (mismatches > 0)
        return fail_patterns(now, mismatches, error);
    if (excess == 0.0)
        return WW_OK;
    return ww_fail(
        error, WW_FAILED,
        "the engine %s is wrong: after %lld steps its outputs differ from those of %s by "
        "%.3g of their scale, where rounding explains %.3g; do not rely on this run, "
        "take training.engine: dense, and report it",
        now->self->methods->name, (long long)now->by->steps, now->by->name, excess, allowed);
}

ww_status ww_comparison_make(ww_comparison *comparison, const ww_compared *by, ww_audit *found,
                             ww_error *error)
{
    const ww_problem *problem = comparison->problem;
    const ww_tiling *tiling = &problem->tiling;
    work now = {.self = comparison, .by = by};
    now.rounding = comparison->methods->rounding(comparison->state, by->steps);
    now.step = find_step(&now);
    comparison->output_weights = comparison->methods->output_weights(comparison->state);
    compare_tiles(&now);
    ww_status status =
        ww_output_sum_finish(&comparison->rooms[0].sum, 0, NULL, comparison->outputs, error);
    if (status == WW_OK)
        status = ww_sum_terms(problem->parallel, comparison->terms, tiling->local_tiles, SUMS,
                              tiling->tile_count, now.sums, error);
    if (status == WW_DIVERGED) { // what the engine found none of
        ww_error_prefix(error, "the weights of %s after %lld steps: ", by->name,
                        (long long)by->steps);
        found->verdict = WW_AUDIT_FAILS;
        status = error->status = WW_FAILED;
    }
    WW_TRY(status);
    int64_t words[] = {comparison->rooms[0].mismatches, comparison->rooms[0].undecided};
    WW_TRY(ww_sum_words(problem->parallel, words, sizeof words / sizeof words[0], error));
    found->pairs += tiling->width * comparison->count;
    found->mismatches += words[0];
    found->undecided += words[1];
    status = judge(&now, found, words[0], error);
    found->last_step = by->steps;
    found->verdict = status == WW_OK ? WW_AUDIT_HOLDS : WW_AUDIT_FAILS;
    return status;
}
