// The engine `lazy`: steps of full batches at a cost that grows far slower than the width. Between
// changes of patterns the outputs move linearly, by N, the counts of units that are active on two
// samples at once (lazy_counts.h). Pairs whose pattern may change are found in time (lazy_scan.h),
// and looked at exactly (lazy_pairs.h): every change is found at the step where it happens.
//
// A step begins with the pending update, f of the step before: outputs move by it with the patterns
// as they were; then pairs that may have changed are looked at, and those that have move the
// outputs once more. All that goes over ranks are integers, in one Allreduce.

#include "train/engine.h"
#include "train/kernels.h"
#include "train/lazy_scan.h"
#include "train/step.h"
#include "widthwise/memory.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

// A pattern that has changed, and p.
typedef struct change {
    int64_t sample, unit;
    double value;
} change;

// Words that travel with the products: terms out of range, requests, and what windows learn from.
enum { WORD_REJECTED, WORD_FAILED, WORD_REQUESTS, WORD_LOOKS, WORD_FOLDS, WORDS };

typedef struct lazy {
    const ww_problem *problem;
    ww_lazy_pairs pairs;
    ww_lazy_counts counts;
    ww_lazy_course course;
    ww_lazy_scan scan;
    ww_batches *batches;
    ww_sum_format format; // of what changes do to the outputs
    ww_output_sum sum;    // of the outputs at the start
    int64_t samples, words;
    bool has_outputs; // those of the step before are there, and its update is pending
    bool has_window;
    bool has_counts;
    double curvature;
    double *outputs;           // u [n]
    double *factors;           // f [n], of the pending update
    double *before;            // R before it [n]
    double *gradients;         // [n]
    double *moves;             // [n]
    double *partial;           // [n]
    int64_t *sums;             // [words]
    int64_t *indices, *labels; // [n]
    double *targets;           // [n]
    ww_lazy_entry *work;       // [room], the pairs of a step, by sample
    int64_t room;
    int64_t *ends;   // [n + 1]
    change *changes; // [change_room]
    int64_t change_count, change_room;
    double *coefficients;              // [tile units, n]
    double *tile;                      // [tile units, d or what is kept]
    double window_looks, window_folds; // of all ranks, in this window
    ww_panel_inputs inputs;            // X
} lazy;

enum { ARRAYS = 13, PACKED = 48 };

static bool has_slope(const ww_problem *problem)
{
    return problem->negative_slope != 0.0;
}

// Words of a step: of products, of what changes do, where there is a slope of active units, and
// these.
static int64_t most_words(const ww_problem *problem)
{
    return (WW_LAZY_MOST_SLICES + 3) * problem->data->train.count + WORDS;
}

static int64_t kept_columns(const ww_problem *problem)
{
    const int64_t n = problem->data->train.count;
    return n + (n + PACKED - 1) / PACKED;
}

static void list_arrays(const ww_problem *problem, ww_allocation list[ARRAYS])
{
    static const char what[] = "a step";
    const size_t n = (size_t)problem->data->train.count;
    const size_t tile = (size_t)problem->tiling.tile_units;
    const int64_t kept = kept_columns(problem);
    const size_t columns = (size_t)(kept > problem->dimension ? kept : problem->dimension);
    const ww_allocation arrays[ARRAYS] = {
        {offsetof(lazy, outputs), n, sizeof(double), what},
        {offsetof(lazy, factors), n, sizeof(double), what},
        {offsetof(lazy, before), n, sizeof(double), what},
        {offsetof(lazy, gradients), n, sizeof(double), what},
        {offsetof(lazy, moves), n, sizeof(double), what},
        {offsetof(lazy, partial), n, sizeof(double), what},
        {offsetof(lazy, sums), (size_t)most_words(problem), sizeof(int64_t), what},
        {offsetof(lazy, indices), n, sizeof(int64_t), what},
        {offsetof(lazy, labels), n, sizeof(int64_t), what},
        {offsetof(lazy, targets), n, sizeof(double), what},
        {offsetof(lazy, ends), n + 1, sizeof(int64_t), what},
        {offsetof(lazy, coefficients), tile * n, sizeof(double), what},
        {offsetof(lazy, tile), tile * columns, sizeof(double), what},
    };
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
        .weights = weights,
        .work = ww_lazy_pairs_bytes(problem) - weights + ww_lazy_counts_bytes(problem) +
                ww_lazy_course_bytes(problem) + ww_lazy_scan_bytes(problem) +
                ww_allocation_bytes(list, ARRAYS) + ww_batches_bytes(problem) +
                ww_output_sum_bytes(problem, n) +
                ww_panel_inputs_bytes(false, WW_FOR_SUMS, n, problem->dimension),
        // A window takes some n additions for each pair, and some ten steps at least.
        .step_flops = pairs * (double)n / 20.0,
    };
}

static void destroy(void *state)
{
    lazy *self = state;
    ww_lazy_scan_free(&self->scan);
    ww_lazy_course_free(&self->course);
    ww_lazy_counts_free(&self->counts);
    ww_lazy_pairs_free(&self->pairs);
    ww_batches_free(self->batches);
    ww_output_sum_free(&self->sum);
    ww_panel_inputs_free(&self->inputs);
    free(self->outputs);
    free(self->factors);
    free(self->before);
    free(self->gradients);
    free(self->moves);
    free(self->partial);
    free(self->sums);
    free(self->indices);
    free(self->labels);
    free(self->targets);
    free(self->work);
    free(self->ends);
    free(self->changes);
    free(self->coefficients);
    free(self->tile);
    free(self);
}

// How much less the derivative of the loss by an output is when it is 1 less: the same everywhere.
static double find_curvature(lazy *self, const ww_samples *batch)
{
    double gradients[2] = {0.0};
    for (int i = 0; i < 2; i++) {
        const double output = (double)i;
        ww_batch_gradients(self->problem, &output, batch, 0, 1, self->samples, &gradients[i]);
    }
    return self->problem->learning_rate * (gradients[1] - gradients[0]);
}

// Share of pre-activations in an interval around 0 at the start, over its length.
static double find_density(const ww_problem *problem)
{
    const int64_t n = problem->data->train.count, d = problem->dimension;
    double square = 0.0;
    for (int64_t i = 0; i < n * d; i++)
        square += problem->data->train.inputs[i] * problem->data->train.inputs[i];
    double spread = ww_config_hidden_std(problem->config);
    if (spread == 0.0)
        spread = ww_config_hidden_radius(problem->config) / sqrt((double)d);
    const double size = spread * sqrt(square / (double)n);
    return size > 0.0 ? 0.4 / size : 1.0;
}

static ww_status make(lazy *self, ww_error *error)
{
    const ww_problem *problem = self->problem;
    const int64_t n = self->samples;
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    WW_TRY(ww_allocate_all(self, list, ARRAYS, error));
    WW_TRY(ww_batches_create(problem, &self->batches, error));
    WW_TRY(ww_output_sum_create(&self->sum, problem, n, error));
    WW_TRY(ww_lazy_pairs_create(problem, &self->pairs, error));
    WW_TRY(ww_lazy_counts_create(&self->pairs, &self->counts, error));
    self->curvature = find_curvature(self, &problem->data->train);
    WW_TRY(ww_lazy_course_create(&self->pairs, self->curvature, &self->course, error));
    WW_TRY(ww_lazy_scan_create(&self->pairs, &self->course, &self->scan, error));
    ww_initial_output_weights(&problem->initial, 0, 1, &self->course.scale);
    self->course.scale = fabs(self->course.scale);
    self->course.past.density = find_density(problem);
    int range = 0;
    (void)frexp(problem->output_format.limit, &range);
    self->format = ww_sum_format_make(problem->tiling.width, range - 1);
    self->words = (self->counts.slices + 2 + (has_slope(problem) ? 1 : 0)) * n + WORDS;
    WW_TRY(ww_panel_inputs_create(false, WW_FOR_SUMS, n, problem->dimension, &self->inputs, error));
    ww_panel_inputs_set(&self->inputs, problem->data->train.inputs, n);
    return WW_OK;
}

static ww_status create(const ww_problem *problem, ww_tally *tally, ww_track *track, void **state,
                        ww_error *error)
{
    (void)tally;
    (void)track;
    lazy *self = ww_allocate(1, sizeof *self, "the engine", error);
    if (self == NULL)
        return WW_FAILED;
    self->problem = problem;
    self->samples = problem->data->train.count;
    if (make(self, error) != WW_OK) {
        destroy(self);
        return WW_FAILED;
    }
    *state = self;
    return WW_OK;
}

// What the units of a tile add to the outputs at the start. Partners cancel before anything is
// added to them.
static void add_start(lazy *self, ww_rows tile)
{
    const ww_lazy_pairs *pairs = &self->pairs;
    const double slope = self->problem->negative_slope;
    const int64_t n = self->samples, stride = pairs->stride;
    memset(self->partial, 0, (size_t)n * sizeof *self->partial);
    for (int64_t unit = tile.first; unit < tile.first + tile.units; unit += 2) {
        const int64_t partner = unit + 1 < tile.first + tile.units ? unit + 1 : unit;
        const double *one = pairs->start + unit * stride, *other = pairs->start + partner * stride;
        const double a = pairs->scales[unit];
        const double b = partner > unit ? pairs->scales[partner] : 0.0;
        for (int64_t j = 0; j < n; j++)
            self->partial[j] += a * (one[j] >= 0.0 ? one[j] : slope * one[j]) +
                                b * (other[j] >= 0.0 ? other[j] : slope * other[j]);
    }
    for (int64_t start = 0; start < n; start += WW_SAMPLE_BLOCK)
        ww_output_sum_add(&self->sum, start, ww_block_size(n, start), self->partial + start);
}

static ww_status find_first_outputs(lazy *self, int64_t request, int64_t *requests, ww_error *error)
{
    ww_output_sum_clear(&self->sum);
    for (int64_t tile = 0; tile < self->problem->tiling.local_tiles; tile++)
        add_start(self, ww_tile_rows(self->problem, tile));
    return ww_output_sum_finish(&self->sum, request, requests, self->outputs, error);
}

// Bound of |P|: what it is at the start, and as much again three times.
static ww_status find_largest(lazy *self, ww_error *error)
{
    double largest = 0.0;
    const int64_t pairs = self->problem->tiling.local_units * self->pairs.stride;
    for (int64_t i = 0; i < pairs; i++)
        largest = fmax(largest, fabs(self->pairs.start[i]));
    WW_TRY(ww_maximum(self->problem->parallel, &largest, 1, error));
    self->course.largest = 4.0 * largest;
    return WW_OK;
}

static double mean_of_two(double before, double now)
{
    return before > 0.0 ? 0.5 * (before + now) : now;
}

// What the window that is over tells of the next.
static void look_back(lazy *self)
{
    ww_lazy_past *past = &self->course.past;
    const double steps = (double)self->course.at;
    if (!self->has_window || steps == 0.0)
        return;
    const double expected =
        (double)self->problem->tiling.width * past->density * past->limits * steps;
    past->looks = mean_of_two(past->looks, self->window_looks / (expected + 1.0));
    past->folds = mean_of_two(past->folds, self->window_folds / steps);
}

static ww_status begin_window(lazy *self, int64_t step, ww_error *error)
{
    const int64_t left = self->problem->config->training.steps - step;
    look_back(self);
    if (!self->has_counts)
        WW_TRY(ww_agree(self->problem->parallel, ww_lazy_counts_make(&self->counts, error), error));
    self->has_counts = true;
    if (self->course.largest == 0.0)
        WW_TRY(find_largest(self, error));
    const bool anew = !self->has_window || ww_lazy_course_is_worn(&self->course);
    if (anew)
        ww_lazy_course_restart(&self->course, self->before);
    WW_TRY(ww_lazy_course_begin(&self->course, &self->counts, self->before, self->factors,
                                left > 1 ? left : 1, error));
    if (anew)
        ww_lazy_scan_restart(&self->scan);
    self->has_window = true;
    self->window_looks = self->window_folds = 0.0;
    return WW_OK;
}

// The pairs to be looked at now, by sample: those of sample i end at ends[i].
static ww_status gather_pairs(lazy *self, int64_t *count, ww_error *error)
{
    const ww_lazy_bucket *bucket = &self->scan.buckets[self->course.at];
    const int64_t n = self->samples;
    *count = 0;
    if (bucket->count > self->room) {
        free(self->work);
        self->room = 2 * bucket->count;
        self->work =
            ww_allocate((size_t)self->room, sizeof *self->work, "the pairs of a step", error);
        if (self->work == NULL) {
            self->room = 0;
            return WW_FAILED;
        }
    }
    memset(self->ends, 0, (size_t)(n + 1) * sizeof *self->ends);
    for (int64_t i = 0; i < bucket->count; i++) {
        const ww_lazy_entry *entry = &bucket->entries[i];
        if (entry->version == self->scan.rows[entry->unit].version)
            self->ends[entry->sample + 1]++;
    }
    for (int64_t i = 0; i < n; i++)
        self->ends[i + 1] += self->ends[i];
    *count = self->ends[n];
    for (int64_t i = 0; i < bucket->count; i++) {
        const ww_lazy_entry *entry = &bucket->entries[i];
        if (entry->version == self->scan.rows[entry->unit].version)
            self->work[self->ends[entry->sample]++] = *entry;
    }
    return WW_OK;
}

static ww_status note_change(lazy *self, const ww_lazy_entry *entry, double value, ww_error *error)
{
    enum { FIRST = 1024 };
    if (self->change_count == self->change_room) {
        const int64_t room = self->change_room > 0 ? 2 * self->change_room : FIRST;
        change *grown = realloc(self->changes, (size_t)room * sizeof *grown);
        if (grown == NULL)
            return ww_fail(error, WW_FAILED, "out of memory for the changes of a step");
        self->changes = grown;
        self->change_room = room;
    }
    self->changes[self->change_count++] =
        (change){.sample = entry->sample, .unit = entry->unit, .value = value};
    return WW_OK;
}

// Looks at the pairs whose pattern may have changed, all of them with patterns as they were.
static ww_status look_at_pairs(lazy *self, int64_t *looks, ww_error *error)
{
    self->change_count = 0;
    WW_TRY(gather_pairs(self, looks, error));
    int64_t sample = -1;
    for (int64_t i = 0; i < *looks; i++) {
        const ww_lazy_entry *entry = &self->work[i];
        if (entry->sample != sample) {
            sample = entry->sample;
            ww_lazy_look_at(&self->pairs, sample);
        }
        const double value = ww_lazy_preactivation(&self->pairs, entry->unit, sample);
        const bool changed = (value >= 0.0) != ww_lazy_is_active(&self->pairs, entry->unit, sample);
        if (changed)
            WW_TRY(note_change(self, entry, value, error));
        WW_TRY(ww_lazy_scan_return(&self->scan, self->course.at, *entry, value, changed, error));
    }
    return WW_OK;
}

// Makes the changes: patterns, counts, and words of what they do to the outputs.
static ww_status make_changes(lazy *self, int64_t *words, int64_t *rejected, int64_t *folds,
                              ww_error *error)
{
    const double jump = 1.0 - self->problem->negative_slope;
    for (int64_t i = 0; i < self->change_count; i++) {
        const change *now = &self->changes[i];
        const double term = self->pairs.scales[now->unit] * jump * fabs(now->value);
        *rejected += ww_sum_add(&self->format, &term, 1, words + 2 * now->sample);
        ww_lazy_offset *offset = NULL;
        bool is_first = false;
        WW_TRY(ww_lazy_change(&self->pairs, now->unit, now->sample, &offset, &is_first, error));
        ww_lazy_counts_change(&self->counts, now->unit, now->sample);
        ww_lazy_scan_note(&self->scan, now->unit, now->sample, is_first);
        *folds += is_first;
    }
    for (int64_t i = 0; i < self->change_count && self->course.at < self->course.length; i++)
        WW_TRY(ww_lazy_scan_fold(&self->scan, self->course.at, self->changes[i].unit, error));
    return WW_OK;
}

// What this rank's units do to the outputs in this step, as words.
static ww_status find_words(lazy *self, ww_error *error)
{
    const int64_t n = self->samples;
    int64_t *corrections = self->sums + self->counts.slices * n;
    int64_t *active = corrections + 2 * n;
    int64_t *rest = self->sums + self->words - WORDS;
    ww_lazy_counts_product(&self->counts, self->factors, self->sums);
    for (int64_t i = 0; has_slope(self->problem) && i < n; i++)
        active[i] = ww_lazy_active(&self->counts, i);
    WW_TRY(look_at_pairs(self, &rest[WORD_LOOKS], error));
    return make_changes(self, corrections, &rest[WORD_REJECTED], &rest[WORD_FOLDS], error);
}

// The outputs move by the words of all ranks.
static void take_words(lazy *self)
{
    const ww_problem *problem = self->problem;
    const int64_t n = self->samples, stride = self->pairs.stride;
    const double slope = problem->negative_slope, jump = 1.0 - slope;
    const double square = self->course.scale * self->course.scale;
    const int64_t *corrections = self->sums + self->counts.slices * n;
    const int64_t *active = corrections + 2 * n;
    ww_lazy_counts_values(&self->counts, self->factors, self->sums, self->moves);
    for (int64_t i = 0; i < n; i++) {
        double move = jump * jump * self->moves[i];
        if (slope != 0.0) {
            const double *row = self->pairs.products + i * stride;
            double plain = 0.0;
            double weighed = 0.0;
            for (int64_t j = 0; j < n; j++) {
                plain += row[j] * self->factors[j];
                weighed += row[j] * ((double)active[j] * self->factors[j]);
            }
            move += slope * slope * (double)problem->tiling.width * plain +
                    slope * jump * ((double)active[i] * plain + weighed);
        }
        double correction = 0.0;
        ww_sum_values(&self->format, corrections + 2 * i, 1, &correction);
        self->outputs[i] += square * move + correction;
    }
}

static ww_status move_outputs(lazy *self, int64_t step, int64_t request, int64_t *requests,
                              ww_error *error)
{
    const ww_problem *problem = self->problem;
    int64_t *rest = self->sums + self->words - WORDS;
    memset(self->sums, 0, (size_t)self->words * sizeof *self->sums);
    ww_status status = WW_OK;
    if (!self->has_window || !ww_lazy_course_holds(&self->course, self->before, self->factors)) {
        WW_TRY(begin_window(self, step, error));
        status = ww_lazy_scan_begin(&self->scan, error);
    }
    self->course.at++;
    if (status == WW_OK)
        status = find_words(self, error);
    rest[WORD_FAILED] = status != WW_OK;
    rest[WORD_REQUESTS] = request;
    WW_TRY(ww_sum_words(problem->parallel, self->sums, (size_t)self->words, error));
    if (rest[WORD_FAILED] > 0)
        return ww_agree(problem->parallel, status, error);
    if (requests != NULL)
        *requests = rest[WORD_REQUESTS];
    if (rest[WORD_REJECTED] > 0)
        return ww_output_sum_fail(problem, error);
    self->window_looks += (double)rest[WORD_LOOKS];
    self->window_folds += (double)rest[WORD_FOLDS];
    take_words(self);
    return WW_OK;
}

static ww_status step(void *state, int64_t number, int64_t request, int64_t *requests,
                      double *batch_loss, ww_error *error)
{
    lazy *self = state;
    const ww_problem *problem = self->problem;
    const int64_t n = self->samples;
    ww_samples batch = {.count = n,
                        .labels = self->labels,
                        .targets = problem->data->has_targets ? self->targets : NULL};
    ww_batches_gather(self->batches, problem, number, self->indices, &batch);
    if (self->has_outputs)
        WW_TRY(move_outputs(self, number, request, requests, error));
    else
        WW_TRY(find_first_outputs(self, request, requests, error));
    *batch_loss = ww_batch_loss(problem, self->outputs, &batch, self->gradients);
    if (!isfinite(*batch_loss))
        return ww_fail(error, WW_DIVERGED,
                       "the loss of the batch is not finite; a smaller training.rate may help");
    memcpy(self->before, self->pairs.totals, (size_t)n * sizeof *self->before);
    for (int64_t j = 0; j < n; j++)
        self->factors[j] = -problem->learning_rate * self->gradients[j];
    ww_lazy_pairs_add(&self->pairs, self->factors);
    self->has_outputs = true;
    return WW_OK;
}

static ww_rows rows_of(const lazy *self, int64_t tile)
{
    const int64_t local_tile = tile - self->problem->tiling.first_tile;
    WW_ASSERT(local_tile >= 0 && local_tile < self->problem->tiling.local_tiles);
    return ww_tile_rows(self->problem, local_tile);
}

static const double *tile_of(void *state, int64_t tile)
{
    lazy *self = state;
    const ww_problem *problem = self->problem;
    const ww_rows rows = rows_of(self, tile);
    ww_initial_hidden_weights(&problem->initial, problem->tiling.first_unit + rows.first,
                              rows.units, self->tile);
    ww_lazy_coefficients(&self->pairs, rows, self->coefficients);
    ww_panel_move(&self->inputs, 1.0, self->coefficients, rows.units, self->tile);
    return self->tile;
}

// The weights follow from what is kept.
static void put_tile(void *state, int64_t tile, const double *values)
{
    (void)state;
    (void)tile;
    (void)values;
}

static const double *output_weights(void *state)
{
    const lazy *self = state;
    return self->pairs.scales;
}

static double *output_storage(void *state)
{
    lazy *self = state;
    return self->pairs.scales;
}

// Offsets of a tile, and its patterns, PACKED bits a number.
static const double *kept_tile(void *state, int64_t step_number, int64_t tile)
{
    lazy *self = state;
    const ww_rows rows = rows_of(self, tile);
    const int64_t n = self->samples, columns = kept_columns(self->problem);
    (void)step_number;
    memset(self->tile, 0, (size_t)(rows.units * columns) * sizeof *self->tile);
    for (int64_t unit = 0; unit < rows.units; unit++) {
        const ww_lazy_unit *of = &self->pairs.units[rows.first + unit];
        double *row = self->tile + unit * columns;
        for (int32_t k = 0; k < of->count; k++)
            row[of->offsets[k].sample] = of->offsets[k].value;
        for (int64_t j = 0; j < n; j++)
            if (ww_lazy_is_active(&self->pairs, rows.first + unit, j))
                row[n + j / PACKED] += ldexp(1.0, (int)(j % PACKED));
    }
    return self->tile;
}

static void put_kept_tile(void *state, int64_t tile, const double *values)
{
    lazy *self = state;
    const ww_rows rows = rows_of(self, tile);
    const int64_t columns = kept_columns(self->problem);
    for (int64_t unit = 0; unit < rows.units; unit++)
        ww_lazy_put_unit(&self->pairs, rows.first + unit, values + unit * columns, PACKED);
}

static size_t words(const ww_problem *problem)
{
    return 3 * (size_t)problem->data->train.count;
}

static void save_words(void *state, double *values)
{
    const lazy *self = state;
    const size_t n = (size_t)self->samples;
    memcpy(values, self->outputs, n * sizeof *values);
    memcpy(values + n, self->factors, n * sizeof *values);
    memcpy(values + 2 * n, self->pairs.totals, n * sizeof *values);
}

static void load_words(void *state, const double *values)
{
    lazy *self = state;
    const size_t n = (size_t)self->samples;
    memcpy(self->outputs, values, n * sizeof *values);
    memcpy(self->factors, values + n, n * sizeof *values);
    memcpy(self->pairs.totals, values + 2 * n, n * sizeof *values);
}

static void restored(void *state, int64_t step_number, bool has_kept)
{
    lazy *self = state;
    (void)has_kept; // what is kept is the weights here
    self->has_outputs = step_number > 0;
    self->has_window = self->has_counts = false;
    for (int64_t j = 0; j < self->samples; j++)
        self->before[j] = self->pairs.totals[j] - self->factors[j];
    ww_lazy_pairs_refresh(&self->pairs);
}

const ww_engine_methods ww_engine_lazy = {
    .name = "lazy",
    .cost = cost,
    .create = create,
    .destroy = destroy,
    .step = step,
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
};
