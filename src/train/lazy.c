// The engine `lazy`: steps at a cost that grows far slower than the width. Between
// changes of patterns the outputs move linearly, by N, the counts of units that are active on two
// samples at once (lazy_counts.h). Pairs whose pattern may change are found in time (lazy_scan.h),
// and looked at exactly (lazy_pairs.h): every change is found at the step where it happens.
//
// A step begins with the pending update, f of the step before: outputs move by it with the patterns
// as they were; then pairs that may have changed are looked at, and those that have move the
// outputs once more. All that is summed over ranks are integers, in one Allreduce. Then the changes
// go to all ranks, as far as they are of their rows of N; or where there are very many, N is made
// anew.

#include "train/lazy.h"

#include "parallel/workers.h"
#include "train/engine.h"
#include "widthwise/memory.h"
#include "widthwise/norm.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { ARRAYS = 16, PACKED = 48 };

// Words of a step: of moves, or of all outputs, and where they are asked for of active units.
static int64_t most_words(const ww_problem *problem)
{
    const int64_t n = problem->data->train.count, moves = 2 * n * problem->outputs;
    const int64_t outputs = (int64_t)ww_output_sum_words(problem, n);
    return (outputs > moves ? outputs : moves) + n + WW_LAZY_WORDS;
}

static int64_t packed_patterns(const ww_problem *problem)
{
    return (problem->data->train.count + PACKED - 1) / PACKED;
}

// Whether P is kept: of full steps, unless it follows from the weights.
static bool keeps_places(const ww_problem *problem)
{
    return !ww_lazy_full_keeps_weights(problem);
}

// Offsets, patterns, and P where it is kept.
static int64_t kept_columns(const ww_problem *problem)
{
    const int64_t n = problem->data->train.count;
    return n + packed_patterns(problem) + (keeps_places(problem) ? n : 0);
}

static void list_arrays(const ww_problem *problem, ww_allocation list[ARRAYS])
{
    static const char what[] = "a step";
    const size_t n = (size_t)problem->data->train.count;
    const size_t stride = (size_t)ww_sample_products_stride((int64_t)n);
    const size_t batch = (size_t)problem->batch, outputs = (size_t)problem->outputs;
    const size_t rows = (size_t)ww_lazy_share_most_rows(problem);
    const size_t tile =
        (size_t)(ww_workers_of(problem->parallel) * problem->tiling.tile_units); // of each thread
    const int64_t kept = kept_columns(problem);
    const size_t columns = (size_t)(kept > problem->dimension ? kept : problem->dimension);
    const ww_allocation arrays[] = {
        {offsetof(ww_lazy, outputs), n * outputs, sizeof(double), what},
        {offsetof(ww_lazy, factors), stride * outputs, sizeof(double), what},
        {offsetof(ww_lazy, before), stride * outputs, sizeof(double), what},
        {offsetof(ww_lazy, moves), rows * outputs, sizeof(double), what},
        {offsetof(ww_lazy, sums), (size_t)most_words(problem), sizeof(int64_t), what},
        {offsetof(ww_lazy, active), n, sizeof(int64_t), what},
        {offsetof(ww_lazy, columns), n, sizeof(int64_t), what},
        {offsetof(ww_lazy, indices), batch, sizeof(int64_t), what},
        {offsetof(ww_lazy, labels), batch, sizeof(int64_t), what},
        {offsetof(ww_lazy, targets), batch * outputs, sizeof(double), what},
        {offsetof(ww_lazy, seen), batch * outputs, sizeof(double), what},
        {offsetof(ww_lazy, gradients), batch * outputs, sizeof(double), what},
        {offsetof(ww_lazy, extras), batch * (size_t)ww_tally_extras(problem), sizeof(double), what},
        {offsetof(ww_lazy, ends), n + 1, sizeof(int64_t), what},
        {offsetof(ww_lazy, coefficients), tile * n, sizeof(double), what},
        {offsetof(ww_lazy, tile), tile * columns, sizeof(double), what},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

static ww_engine_cost cost(const ww_problem *problem)
{
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    const int64_t n = problem->data->train.count;
    const double pairs = (double)problem->tiling.local_units * (double)n;
    const int64_t weights = ww_lazy_pairs_weight_bytes(problem);
    return (ww_engine_cost){
        // And offsets of pairs that have changed: say of a tenth, or of some hundredths where their
        // lists have grown one by one (lazy_offsets.h).
        .weights = weights + (int64_t)(0.1 * pairs) * WW_LAZY_OFFSET_BYTES,
        .work = ww_lazy_pairs_bytes(problem) - weights + ww_lazy_counts_bytes(problem) +
                ww_lazy_course_bytes(problem) + ww_lazy_scan_bytes(problem) +
                ww_allocation_bytes(list, ARRAYS) + ww_batches_bytes(problem) +
                ww_lazy_full_bytes(problem) +
                ww_panel_inputs_bytes(false, WW_FOR_SUMS, n, problem->dimension),
        // A window takes some n additions for each pair, and some ten steps at least.
        .step_flops = pairs * (double)n / 20.0,
    };
}

static void destroy(void *state)
{
    ww_lazy *self = state;
    ww_lazy_full_free(&self->full);
    ww_lazy_scan_free(&self->scan);
    ww_lazy_course_free(&self->course);
    ww_lazy_counts_free(&self->counts);
    ww_lazy_pairs_free(&self->pairs);
    ww_batches_free(self->batches);
    ww_panel_inputs_free(&self->inputs);
    free(self->outputs);
    free(self->factors);
    free(self->before);
    free(self->moves);
    free(self->sums);
    free(self->active);
    free(self->columns);
    free(self->indices);
    free(self->labels);
    free(self->targets);
    free(self->seen);
    free(self->gradients);
    free(self->extras);
    free(self->work);
    free(self->changes);
    free(self->found);
    free(self->ends);
    free(self->coefficients);
    free(self->tile);
    free(self);
}

// Standard deviation of an initial weight, or about as much.
static double spread_of(const ww_problem *problem)
{
    const double spread = ww_config_hidden_std(problem->config);
    return spread > 0.0
               ? spread
               : ww_config_hidden_radius(problem->config) / sqrt((double)problem->dimension);
}

// Sizes by which windows and sums are laid out: the longest row of K; what p(0) come to, and, over
// `length`, their share in an interval around 0, over its length.
static void find_sizes(ww_lazy *self, double length)
{
    const int64_t n = self->samples, stride = self->pairs.stride;
    const double spread = spread_of(self->problem);
    double square = 0.0, longest = 0.0;
    for (int64_t i = 0; i < n; i++) {
        const double own = self->pairs.products[i * stride + i]; // ||x_i||^2
        self->longest_row = fmax(self->longest_row, self->course.norms[i]);
        longest = fmax(longest, sqrt(own));
        square += own;
    }
    const double size = spread * sqrt(square / (double)n);
    self->course.past.density = size > 0.0 ? 0.4 * length / size : 1.0;
    self->start_size = spread * (sqrt((double)self->problem->dimension) + 10.0) * longest;
}

// About the length of a_r, the same on all ranks.
static ww_status find_length(const ww_problem *problem, double *length, ww_error *error)
{
    enum { UNITS = 32 };
    const int64_t units = problem->tiling.width < UNITS ? problem->tiling.width : UNITS;
    double *scales = ww_allocate((size_t)(units * problem->outputs), sizeof *scales,
                                 "the output weights", error);
    if (scales == NULL)
        return WW_FAILED;
    ww_initial_output_weights(&problem->initial, 0, units, scales);
    *length = ww_norm(scales, units * problem->outputs) / sqrt((double)units);
    free(scales);
    return WW_OK;
}

static ww_status make(ww_lazy *self, ww_error *error)
{
    const ww_problem *problem = self->problem;
    const int64_t n = self->samples;
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    WW_TRY(ww_allocate_all(self, list, ARRAYS, error));
    WW_TRY(ww_batches_create(problem, &self->batches, error));
    WW_TRY(ww_lazy_pairs_create(problem, &self->pairs, error));
    WW_TRY(ww_lazy_counts_create(&self->pairs, &self->counts, error));
    const bool is_weighed = self->pairs.is_weighed;
    double length = 0.0;
    WW_TRY(find_length(problem, &length, error));
    WW_TRY(ww_lazy_course_create(&self->pairs, &self->counts.share, is_weighed ? 1.0 : length,
                                 &self->course, error));
    WW_TRY(ww_lazy_scan_create(&self->pairs, &self->course, &self->scan, error));
    WW_TRY(ww_lazy_full_create(&self->pairs, self->scan.memory, &self->full, error));
    find_sizes(self, is_weighed ? length : 1.0);
    self->words = (2 * problem->outputs + (self->needs_active ? 1 : 0)) * n + WW_LAZY_WORDS;
    WW_TRY(ww_panel_inputs_create(false, WW_FOR_SUMS, n, problem->dimension, &self->inputs, error));
    ww_panel_inputs_set(&self->inputs, problem->data->train.inputs, n);
    return WW_OK;
}

static ww_status create(const ww_problem *problem, ww_tally *tally, ww_track *track, void **state,
                        ww_error *error)
{
    (void)track;
    ww_lazy *self = ww_allocate(1, sizeof *self, "the engine", error);
    if (self == NULL)
        return WW_FAILED;
    self->problem = problem;
    self->tally = tally;
    self->samples = problem->data->train.count;
    self->needs_active =
        !ww_lazy_is_weighed(problem) && (problem->negative_slope != 0.0 || tally != NULL);
    if (make(self, error) != WW_OK) {
        destroy(self);
        return WW_FAILED;
    }
    *state = self;
    return WW_OK;
}

// Numbers of the tally for a sample: all |a_r| are the same.
static void find_extras(const ww_lazy *self, int64_t sample, double extras[WW_TALLY_COLUMNS])
{
    const double slope = self->problem->negative_slope;
    const double width = (double)self->problem->tiling.width, active = (double)self->active[sample];
    extras[WW_TALLY_OPENNESS] = self->course.scale * (active + slope * (width - active));
    extras[WW_TALLY_MOVERS] = slope > 0.0 ? width : active;
}

static void count_step(ww_lazy *self, int64_t number)
{
    for (int64_t i = 0; i < self->problem->batch; i++)
        find_extras(self, self->indices[i], self->extras + i * WW_TALLY_COLUMNS);
    (void)ww_tally_step(self->tally, self->problem, number, self->indices, self->gradients,
                        self->extras);
}

// Outputs are those of the weights as they are once a step has changed nothing.
static void rests(const void *state, int64_t quiet, ww_rest *rest)
{
    static const double NEAR = 1e-9; // by no more are records off
    const ww_lazy *self = state;
    *rest = (ww_rest){.rests = self->has_outputs && quiet > 0};
    for (int64_t i = 0; i < self->samples && rest->rests; i++) {
        const ww_target target = ww_target_of(self->problem, &self->problem->data->train, i);
        double gradient = 0.0;
        double extras[WW_TALLY_COLUMNS];
        self->problem->loss->gradient(&self->outputs[i], 1, target, &gradient);
        find_extras(self, i, extras);
        rest->rests = !ww_tally_moves(self->problem, i, gradient, extras);
        const double margin = target.values[0] * self->outputs[i];
        rest->rounded += fabs(margin - 1.0) <= NEAR;
        rest->lacking += margin < 1.0 - NEAR;
    }
    if (!rest->rests)
        *rest = (ww_rest){0};
}

static ww_status step(void *state, int64_t number, int64_t request, int64_t *requests,
                      double *batch_loss, ww_error *error)
{
    ww_lazy *self = state;
    const ww_problem *problem = self->problem;
    const size_t span = (size_t)(self->pairs.outputs * self->pairs.stride);
    ww_samples batch = {.count = problem->batch,
                        .labels = self->labels,
                        .targets = problem->data->has_targets ? self->targets : NULL};
    if (self->has_outputs)
        WW_TRY(ww_lazy_move_outputs(self, number, request, requests, error));
    else
        WW_TRY(ww_lazy_find_first_outputs(self, request, requests, error));
    ww_batches_gather(self->batches, problem, number, self->indices, &batch);
    ww_lazy_see_batch(self);
    *batch_loss = ww_batch_loss(problem, self->seen, &batch, self->gradients);
    if (!isfinite(*batch_loss))
        return ww_fail(error, WW_DIVERGED,
                       "the loss of the batch is not finite; a smaller training.rate may help");
    if (self->tally != NULL)
        count_step(self, number);
    memcpy(self->before, self->pairs.totals, span * sizeof *self->before);
    memset(self->factors, 0, span * sizeof *self->factors);
    ww_lazy_add_factors(&self->pairs, self->indices, self->gradients, self->factors);
    ww_lazy_find_columns(self);
    ww_lazy_pairs_add(&self->pairs, self->factors);
    self->has_outputs = true;
    return WW_OK;
}

// Full steps leave the pending update for the next one.
static void settle(void *state)
{
    ww_lazy *self = state;
    if (self->pairs.is_full)
        ww_lazy_full_move(&self->full, self->factors);
}

ww_rows ww_lazy_rows_of(const ww_lazy *self, int64_t tile)
{
    const int64_t local_tile = tile - self->problem->tiling.first_tile;
    WW_ASSERT(local_tile >= 0 && local_tile < self->problem->tiling.local_tiles);
    return ww_tile_rows(self->problem, local_tile);
}

const double *ww_lazy_make_tile(const ww_lazy *self, const double *totals, int worker, int64_t tile)
{
    const ww_problem *problem = self->problem;
    const ww_rows rows = ww_lazy_rows_of(self, tile);
    const int64_t units = problem->tiling.tile_units;
    double *values = self->tile + worker * units * problem->dimension;
    double *coefficients = self->coefficients + worker * units * self->samples;
    ww_initial_hidden_weights(&problem->initial, problem->tiling.first_unit + rows.first,
                              rows.units, values);
    ww_lazy_coefficients(&self->pairs, totals, rows, coefficients);
    ww_panel_move(&self->inputs, 1.0, coefficients, rows.units, values);
    return values;
}

static const double *tile_of(void *state, int worker, int64_t tile)
{
    const ww_lazy *self = state;
    if (self->pairs.is_full && self->full.by_weights)
        return self->full.values + ww_lazy_rows_of(self, tile).first * self->problem->dimension;
    return ww_lazy_make_tile(self, self->pairs.totals, worker, tile);
}

// The weights follow from what is kept, unless full steps keep them.
static void put_tile(void *state, int64_t tile, const double *values)
{
    ww_lazy *self = state;
    const ww_rows rows = ww_lazy_rows_of(self, tile);
    const int64_t d = self->problem->dimension;
    if (self->full.by_weights)
        memcpy(self->full.values + rows.first * d, values,
               (size_t)(rows.units * d) * sizeof *values);
}

static const double *output_weights(void *state)
{
    const ww_lazy *self = state;
    return self->pairs.scales;
}

static double *output_storage(void *state)
{
    ww_lazy *self = state;
    return self->pairs.scales;
}

// Where P of a unit is while steps are full ones; NULL: it is not kept.
static double *places_of(const ww_lazy *self, int64_t unit)
{
    return keeps_places(self->problem) ? self->full.values + unit * self->full.columns : NULL;
}

// Offsets of a tile, its patterns, PACKED bits a number, and P.
static const double *kept_tile(void *state, int64_t step_number, int64_t tile)
{
    ww_lazy *self = state;
    const ww_rows rows = ww_lazy_rows_of(self, tile);
    const int64_t n = self->samples, columns = kept_columns(self->problem);
    (void)step_number;
    settle(self);
    memset(self->tile, 0, (size_t)(rows.units * columns) * sizeof *self->tile);
    for (int64_t unit = 0; unit < rows.units; unit++) {
        const double *places = places_of(self, rows.first + unit);
        double *row = self->tile + unit * columns;
        ww_lazy_get_unit(&self->pairs, rows.first + unit, row, PACKED);
        if (self->pairs.is_full && places != NULL)
            memcpy(row + n + packed_patterns(self->problem), places, (size_t)n * sizeof *row);
    }
    return self->tile;
}

static void put_kept_tile(void *state, int64_t tile, const double *values)
{
    ww_lazy *self = state;
    const ww_rows rows = ww_lazy_rows_of(self, tile);
    const int64_t n = self->samples, columns = kept_columns(self->problem);
    for (int64_t unit = 0; unit < rows.units; unit++) {
        double *places = places_of(self, rows.first + unit);
        const double *row = values + unit * columns;
        ww_lazy_put_unit(&self->pairs, rows.first + unit, row, PACKED);
        if (places != NULL)
            memcpy(places, row + n + packed_patterns(self->problem), (size_t)n * sizeof *row);
    }
}

static size_t words(const ww_problem *problem)
{
    return 3 * (size_t)(problem->data->train.count * problem->outputs) + 3;
}

// Numbers [k, stride] without what is beyond n, and back.
static void narrow(const ww_lazy *self, const double *wide, double *values)
{
    const size_t bytes = (size_t)self->samples * sizeof *values;
    for (int64_t k = 0; k < self->pairs.outputs; k++)
        memcpy(values + k * self->samples, wide + k * self->pairs.stride, bytes);
}

static void widen(const ww_lazy *self, const double *values, double *wide)
{
    const size_t bytes = (size_t)self->samples * sizeof *values;
    for (int64_t k = 0; k < self->pairs.outputs; k++)
        memcpy(wide + k * self->pairs.stride, values + k * self->samples, bytes);
}

static void save_words(void *state, double *values)
{
    const ww_lazy *self = state;
    const size_t n = (size_t)(self->samples * self->pairs.outputs);
    memcpy(values, self->outputs, n * sizeof *values);
    narrow(self, self->factors, values + n);
    narrow(self, self->pairs.totals, values + 2 * n);
    values[3 * n] = self->pairs.is_full ? 1.0 : 0.0;
    values[3 * n + 1] = self->full.changes;
    values[3 * n + 2] = (double)self->full.steps;
}

static void load_words(void *state, const double *values)
{
    ww_lazy *self = state;
    const size_t n = (size_t)(self->samples * self->pairs.outputs);
    memcpy(self->outputs, values, n * sizeof *values);
    widen(self, values + n, self->factors);
    widen(self, values + 2 * n, self->pairs.totals);
    self->was_full = values[3 * n] != 0.0;
    self->full.changes = values[3 * n + 1];
    self->full.steps = (int64_t)values[3 * n + 2];
}

static void restored(void *state, int64_t step_number, bool has_kept)
{
    ww_lazy *self = state;
    if (!has_kept) // nothing was put: it is said to be at an earlier step, since when nothing moved
        return;
    self->has_outputs = step_number > 0;
    self->has_window = self->has_counts = self->has_active = false;
    ww_lazy_find_columns(self);
    for (int64_t j = 0; j < self->pairs.outputs * self->pairs.stride; j++)
        self->before[j] = self->pairs.totals[j] - self->factors[j];
    self->full.has_moved = true; // those that were put
    ww_error ignored = {0};
    if (!self->was_full && ww_lazy_full_leave(&self->full, &ignored) != WW_OK)
        self->pairs.is_short = true; // told by the next step
}

const ww_engine_methods ww_engine_lazy = {
    .name = "lazy",
    .takes_products = true,
    .cost = cost,
    .create = create,
    .destroy = destroy,
    .step = step,
    .rests = rests,
    .settle = settle,
    .tile = tile_of,
    .put_tile = put_tile,
    .output_weights = output_weights,
    .output_storage = output_storage,
    .kept_columns = kept_columns,
    .kept_tile = kept_tile,
    .put_kept_tile = put_kept_tile,
    .words = words,
    .save_words = save_words,
    .load_words = load_words,
    .restored = restored,
    .outputs = ww_lazy_seen_outputs,
    .patterns = ww_lazy_seen_patterns,
    .rounding = ww_lazy_rounding,
    .look = ww_lazy_look,
    .seen_tile = ww_lazy_seen_tile,
    .reach = ww_lazy_find_reach,
};
