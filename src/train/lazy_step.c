// What moves the outputs from step to step, by the engine `lazy`.

#include "train/lazy.h"

#include "parallel/workers.h"
#include "train/kernels.h"
#include "widthwise/memory.h"
#include "widthwise/norm.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

// Pairs ahead, whose memory is fetched; pairs that a thread looks at, and units that it brings up
// to date, before it takes others.
enum { NEAR = 4, FAR = 12, PAIRS = 256, UNITS = 32 };

// All outputs on all samples, as words: self->sums begins with them.
static ww_output_sum begin_outputs(ww_lazy *self)
{
    const size_t words = ww_output_sum_words(self->problem, self->samples);
    ww_output_sum sum = {0};
    memset(self->sums, 0, words * sizeof *self->sums);
    ww_output_sum_place(&sum, self->problem, self->samples, self->sums);
    return sum;
}

void ww_lazy_find_columns(ww_lazy *self)
{
    self->column_count = 0;
    for (int64_t j = 0; j < self->samples; j++)
        if (self->factors[j] != 0.0)
            self->columns[self->column_count++] = j;
}

static ww_status find_active(ww_lazy *self, ww_error *error)
{
    if (!self->needs_active || self->has_active)
        return WW_OK;
    self->has_active = true;
    ww_lazy_count_active(&self->counts, self->active);
    return ww_sum_words(self->problem->parallel, self->active, (size_t)self->samples, error);
}

ww_status ww_lazy_find_first_outputs(ww_lazy *self, int64_t request, int64_t *requests,
                                     ww_error *error)
{
    ww_output_sum sum = begin_outputs(self);
    ww_lazy_full_start(&self->full, &sum);
    WW_TRY(ww_output_sum_finish(&sum, request, requests, self->outputs, error));
    return find_active(self, error);
}

// A step in which all pairs are looked at. One Allreduce.
static ww_status make_full_step(ww_lazy *self, int64_t request, int64_t *requests, ww_error *error)
{
    ww_status status = ww_lazy_pairs_check(&self->pairs, error);
    const size_t words = ww_output_sum_words(self->problem, self->samples);
    const size_t counted = self->needs_active ? (size_t)self->samples : 0;
    ww_output_sum sum = begin_outputs(self);
    int64_t *active = self->sums + words;
    int64_t *rest = active + counted;
    memset(rest, 0, WW_LAZY_WORDS * sizeof *rest);
    ww_lazy_full_move(&self->full, self->factors);
    ww_lazy_full_look(&self->full, &sum, &rest[WW_LAZY_CHANGES]);
    if (self->needs_active)
        ww_lazy_count_active(&self->counts, active);
    rest[WW_LAZY_FAILED] = status != WW_OK;
    rest[WW_LAZY_REQUESTS] = request;
    WW_TRY(
        ww_sum_words(self->problem->parallel, self->sums, words + counted + WW_LAZY_WORDS, error));
    if (rest[WW_LAZY_FAILED] > 0)
        return ww_agree(self->problem->parallel, status, error);
    if (requests != NULL)
        *requests = rest[WW_LAZY_REQUESTS];
    ww_lazy_full_count(&self->full, rest[WW_LAZY_CHANGES]);
    memcpy(self->active, active, counted * sizeof *active);
    return ww_output_sum_take(&sum, self->outputs, error);
}

// To full steps or back from them, as the changes so far advise.
static ww_status choose_steps(ww_lazy *self, ww_error *error)
{
    const bool wants_full = ww_lazy_full_is_less(&self->full);
    if (wants_full == self->pairs.is_full)
        return WW_OK;
    self->has_window = self->has_counts = false;
    if (!wants_full)
        return ww_agree(self->problem->parallel, ww_lazy_full_leave(&self->full, error), error);
    ww_lazy_full_enter(&self->full);
    return WW_OK;
}

// P of all pairs is made anew, and max |P| of all ranks is known again: twice that, for rows that
// are brought up to date inside of windows.
static ww_status make_places(ww_lazy *self, ww_error *error)
{
    double largest = 0.0;
    ww_lazy_course_restart(&self->course, self->before);
    ww_lazy_scan_restart(&self->scan, &largest);
    WW_TRY(ww_maximum(self->problem->parallel, &largest, 1, error));
    self->course.largest = 2.0 * largest;
    return WW_OK;
}

// Below 0: there was none before.
static double mean_of_two(double before, double now)
{
    return before >= 0.0 ? 0.5 * (before + now) : now;
}

// What the window that is over tells of the next.
static void look_back(ww_lazy *self)
{
    ww_lazy_past *past = &self->course.past;
    const double steps = (double)self->course.at;
    if (!self->has_window || steps == 0.0)
        return;
    const double expected =
        (double)self->problem->tiling.width * past->density * past->limits * steps;
    past->idle = mean_of_two(past->idle, self->window_idle / (expected + 1.0));
    past->folds = mean_of_two(past->folds, self->window_folds / steps);
}

static ww_status make_counts(ww_lazy *self, ww_error *error)
{
    if (self->has_counts)
        return WW_OK;
    self->has_counts = true;
    return ww_lazy_counts_make(&self->counts, error);
}

static ww_status begin_window(ww_lazy *self, int64_t step, ww_error *error)
{
    const int64_t left = self->problem->config->training.steps - step;
    const ww_lazy_now now = {.step = step - 1,
                             .outputs = self->outputs,
                             .totals = self->before,
                             .factors = self->factors,
                             .active = self->active};
    look_back(self);
    if (!self->has_window || ww_lazy_course_is_worn(&self->course))
        WW_TRY(make_places(self, error));
    WW_TRY(ww_lazy_course_begin(&self->course, &self->counts, &now, left > 1 ? left : 1, error));
    self->has_window = true;
    self->window_idle = self->window_folds = 0.0;
    return WW_OK;
}

// Memory for so many pairs of a step, and for their changes.
static ww_status make_room(ww_lazy *self, int64_t count, ww_error *error)
{
    static const char what[] = "the pairs of a step";
    if (count <= self->room)
        return WW_OK;
    const int64_t room = count + count / 4;
    const ww_allocation list[] = {
        {offsetof(ww_lazy, work), (size_t)room, sizeof *self->work, what},
        {offsetof(ww_lazy, changes), (size_t)room, sizeof *self->changes, what},
        {offsetof(ww_lazy, found), (size_t)(room / PAIRS + 1), sizeof *self->found, what},
    };
    free(self->work);
    free(self->changes);
    free(self->found);
    self->work = NULL;
    self->changes = NULL;
    self->found = NULL;
    self->room = 0;
    WW_TRY(ww_allocate_all(self, list, sizeof list / sizeof *list, error));
    self->room = room;
    return WW_OK;
}

// Calls for all pairs of this step that count.
static void for_all_queued(ww_lazy *self, void (*take)(ww_lazy *self, const ww_lazy_entry *entry))
{
    for (int i = 0; i < ww_workers_of(self->problem->parallel); i++) {
        const ww_lazy_bucket *bucket = &self->scan.rooms[i].buckets[self->course.at];
        for (int64_t k = 0; k < bucket->count; k++) {
            const ww_lazy_entry *entry = &bucket->entries[k];
            if (entry->version == self->scan.rows[entry->unit].version)
                take(self, entry);
        }
    }
}

static void count_pair(ww_lazy *self, const ww_lazy_entry *entry)
{
    self->ends[entry->sample + 1]++;
}

static void put_pair(ww_lazy *self, const ww_lazy_entry *entry)
{
    self->work[self->ends[entry->sample]++] = *entry;
}

// The pairs to be looked at now, by sample: those of sample i end at ends[i].
static ww_status gather_pairs(ww_lazy *self, int64_t *count, ww_error *error)
{
    const int64_t n = self->samples;
    memset(self->ends, 0, (size_t)(n + 1) * sizeof *self->ends);
    for_all_queued(self, count_pair);
    for (int64_t i = 0; i < n; i++)
        self->ends[i + 1] += self->ends[i];
    *count = self->ends[n];
    WW_TRY(make_room(self, *count, error));
    for_all_queued(self, put_pair);
    return WW_OK;
}

// Looks at PAIRS pairs, or what is left; changes come to where these begin.
static void look_at_some(void *context, int worker, int64_t first, int64_t end)
{
    ww_lazy *self = context;
    ww_lazy_change_made *changes = self->changes + first;
    int64_t count = 0, sample = -1;
    for (int64_t i = first; i < end; i++) {
        const ww_lazy_entry *entry = &self->work[i];
        if (i + FAR < self->look_count)
            ww_lazy_expect(&self->pairs, self->work[i + FAR].unit);
        if (i + NEAR < self->look_count)
            ww_lazy_expect_now(&self->pairs, self->work[i + NEAR].unit);
        if (entry->sample != sample) {
            sample = entry->sample;
            ww_lazy_look_at(&self->pairs, worker, sample);
        }
        const double value =
            ww_lazy_preactivation(&self->pairs, worker, entry->unit, sample, entry->start);
        const bool changed = (value >= 0.0) != ww_lazy_is_active(&self->pairs, entry->unit, sample);
        if (changed)
            changes[count++] =
                (ww_lazy_change_made){.sample = entry->sample, .unit = entry->unit, .value = value};
        ww_lazy_scan_return(&self->scan, worker, self->course.at, *entry, value, changed);
    }
    self->found[first / PAIRS] = count;
}

// Looks at the pairs whose pattern may have changed, all of them with patterns as they were.
static ww_status look_at_pairs(ww_lazy *self, int64_t *looks, ww_error *error)
{
    self->change_count = 0;
    WW_TRY(gather_pairs(self, &self->look_count, error));
    ww_for_each_piece(self->problem->parallel, self->look_count, PAIRS, look_at_some, self);
    for (int64_t first = 0; first < self->look_count; first += PAIRS) { // by sample, as pairs are
        const int64_t found = self->found[first / PAIRS];
        memmove(self->changes + self->change_count, self->changes + first,
                (size_t)found * sizeof *self->changes);
        self->change_count += found;
    }
    *looks = self->look_count;
    return WW_OK;
}

// How what moves the outputs in this step is written as integers. By (K o N) f they move by scale^2
// m ||K_i|| ||f|| at most, with the length of a_r, of the longest, as scale. What changes its
// pattern has gone past 0 by no more than the step is long, |p| <= |a| ||K_i|| ||f||, and by
// rounding, far less than 2^-20 of all that p is made of. So quanta are far below the rounding of
// outputs, however many units there are.
static ww_sum_format find_format(const ww_lazy *self)
{
    enum { LEAST_EXPONENT = -900 }; // quanta are normal numbers
    const int64_t span = self->course.span, width = self->problem->tiling.width;
    const double scale = self->pairs.is_weighed ? self->counts.weighed.largest : self->course.scale;
    const double longest = scale * self->longest_row;
    const double step = longest * ww_norm(self->factors, span);
    const double all = self->start_size + longest * ww_norm(self->pairs.totals, span);
    const double most = scale * ((double)width * step + step + ldexp(all, -20));
    int exponent = 0;
    (void)frexp(2.0 * most, &exponent);
    return ww_sum_format_make(width + 1, exponent < LEAST_EXPONENT ? LEAST_EXPONENT : exponent);
}

// A term of the move of an output of sample i.
static void add_term(ww_lazy *self, int64_t i, int64_t output, double term, int64_t *rejected)
{
    const int64_t k = self->pairs.outputs, place = i * k + output;
    int64_t parts[2] = {0};
    *rejected += ww_sum_add(&self->format, &term, 1, parts);
    self->sums[place] += parts[0];
    self->sums[self->samples * k + place] += parts[1];
}

// Makes the changes: patterns, counts, and words of what they do to the outputs.
static ww_status make_changes(ww_lazy *self, int64_t *active, int64_t *rejected, int64_t *folds,
                              ww_error *error)
{
    const double jump = 1.0 - self->problem->negative_slope;
    const int64_t outputs = self->pairs.outputs;
    for (int64_t i = 0; i < self->change_count; i++) {
        const ww_lazy_change_made *now = &self->changes[i];
        if (i + FAR < self->change_count)
            ww_lazy_expect(&self->pairs, self->changes[i + FAR].unit);
        if (i + NEAR < self->change_count)
            ww_lazy_expect_now(&self->pairs, self->changes[i + NEAR].unit);
        const double *scales = self->pairs.is_weighed ? self->pairs.scales + now->unit * outputs
                                                      : &self->pairs.units[now->unit].factor;
        for (int64_t k = 0; k < outputs; k++)
            add_term(self, now->sample, k, scales[k] * jump * fabs(now->value), rejected);
        bool is_first = false;
        WW_TRY(ww_lazy_change(&self->pairs, now->unit, now->sample, &is_first, error));
        WW_TRY(ww_lazy_changes_add(&self->counts.changes, now->unit, now->sample, error));
        if (active != NULL)
            active[now->sample] += now->value >= 0.0 ? 1 : -1;
        ww_lazy_scan_note(&self->scan, now->unit, now->sample, is_first);
        *folds += is_first;
    }
    return WW_OK;
}

static void fold_some(void *context, int worker, int64_t first, int64_t end)
{
    ww_lazy *self = context;
    for (int64_t i = first; i < end; i++)
        ww_lazy_scan_fold(&self->scan, worker, self->course.at, self->changes[i].unit);
}

// Brings the units up to date whose patterns have changed too much for the rest of the window.
static void fold_units(ww_lazy *self)
{
    self->bent_count = 0;
    for (int64_t i = 0; i < self->change_count && self->course.at < self->course.length; i++)
        if (ww_lazy_scan_is_bent(&self->scan, self->changes[i].unit))
            self->changes[self->bent_count++] = self->changes[i]; // they have been made
    ww_for_each_piece(self->problem->parallel, self->bent_count, UNITS, fold_some, self);
}

// What a step does to output i besides, where inactive units have a slope.
static double move_of_slope(const ww_lazy *self, int64_t i)
{
    const double slope = self->problem->negative_slope, jump = 1.0 - slope;
    const double *row = self->pairs.products + i * self->pairs.stride;
    double plain = 0.0;
    double weighed = 0.0;
    for (int64_t c = 0; c < self->column_count; c++) {
        const int64_t j = self->columns[c];
        plain += row[j] * self->factors[j];
        weighed += row[j] * ((double)self->active[j] * self->factors[j]);
    }
    return slope * slope * (double)self->problem->tiling.width * plain +
           slope * jump * ((double)self->active[i] * plain + weighed);
}

// What this rank's rows of N do to the outputs, as words.
static void move_by_counts(ww_lazy *self, int64_t *rejected)
{
    const double slope = self->problem->negative_slope, jump = 1.0 - slope;
    const double square = self->course.scale * self->course.scale;
    const ww_lazy_share *share = &self->counts.share;
    const ww_lazy_step step = {.factors = self->factors,
                               .columns = self->columns,
                               .column_count = self->column_count,
                               .scale = square * jump * jump};
    ww_lazy_counts_product(&self->counts, &step, self->moves);
    for (int64_t row = 0; row < share->rows; row++) {
        const int64_t i = share->first + row;
        const double besides = slope != 0.0 ? square * move_of_slope(self, i) : 0.0;
        add_term(self, i, 0, self->moves[row] + besides, rejected);
    }
}

// The same where output weights are weighed.
static void move_by_weighed(ww_lazy *self, int64_t *rejected)
{
    const ww_lazy_share *share = &self->counts.share;
    const int64_t k = self->pairs.outputs;
    ww_lazy_weighed_product(&self->counts.weighed, self->factors, self->moves);
    for (int64_t i = 0; i < share->rows * k; i++)
        add_term(self, share->first + i / k, i % k, self->moves[i], rejected);
}

// What this rank's rows of N and its units do to the outputs in this step, as words; where they are
// to be known, also by how many units more are active on each sample.
static ww_status find_words(ww_lazy *self, ww_error *error)
{
    int64_t *active = self->needs_active ? self->sums + 2 * self->samples : NULL;
    int64_t *rest = self->sums + self->words - WW_LAZY_WORDS;
    if (self->pairs.is_weighed)
        move_by_weighed(self, &rest[WW_LAZY_REJECTED]);
    else
        move_by_counts(self, &rest[WW_LAZY_REJECTED]);
    WW_TRY(look_at_pairs(self, &rest[WW_LAZY_LOOKS], error));
    WW_TRY(make_changes(self, active, &rest[WW_LAZY_REJECTED], &rest[WW_LAZY_FOLDS], error));
    fold_units(self);
    return ww_lazy_scan_check(&self->scan, error);
}

// The outputs move by the words of all ranks; whether they stay in the range that outputs have by
// all engines.
static bool take_words(ww_lazy *self)
{
    const double limit = self->problem->output_format.limit;
    bool are_in_range = true;
    const int64_t n = self->samples, count = n * self->pairs.outputs;
    const int64_t *active = self->sums + 2 * n; // of one output
    for (int64_t i = 0; i < count; i++) {
        const int64_t parts[2] = {self->sums[i], self->sums[count + i]};
        double move = 0.0;
        ww_sum_values(&self->format, parts, 1, &move);
        self->outputs[i] += move;
        are_in_range = are_in_range && fabs(self->outputs[i]) < limit;
    }
    for (int64_t i = 0; self->needs_active && i < n; i++)
        self->active[i] += active[i];
    return are_in_range;
}

ww_status ww_lazy_move_outputs(ww_lazy *self, int64_t step, int64_t request, int64_t *requests,
                               ww_error *error)
{
    const ww_problem *problem = self->problem;
    int64_t *rest = self->sums + self->words - WW_LAZY_WORDS;
    ww_status status = ww_lazy_pairs_check(&self->pairs, error);
    WW_TRY(find_active(self, error));
    WW_TRY(choose_steps(self, error));
    if (self->pairs.is_full)
        return make_full_step(self, request, requests, error);
    memset(self->sums, 0, (size_t)self->words * sizeof *self->sums);
    WW_TRY(make_counts(self, error));
    if (!self->has_window || !ww_lazy_course_holds(&self->course, self->before, self->factors)) {
        WW_TRY(begin_window(self, step, error));
        if (status == WW_OK)
            ww_lazy_scan_begin(&self->scan);
    }
    self->course.at++;
    self->format = find_format(self);
    if (status == WW_OK)
        status = find_words(self, error);
    rest[WW_LAZY_CHANGES] = self->change_count;
    rest[WW_LAZY_LEFT_OUT] = self->counts.changes.left_out;
    rest[WW_LAZY_FAILED] = status != WW_OK;
    rest[WW_LAZY_REQUESTS] = request;
    WW_TRY(ww_sum_words(problem->parallel, self->sums, (size_t)self->words, error));
    if (rest[WW_LAZY_FAILED] > 0)
        return ww_agree(problem->parallel, status, error);
    if (requests != NULL)
        *requests = rest[WW_LAZY_REQUESTS];
    if (rest[WW_LAZY_REJECTED] > 0)
        return ww_output_sum_fail(problem, error);
    self->window_idle += (double)(rest[WW_LAZY_LOOKS] - rest[WW_LAZY_CHANGES]);
    self->window_folds += (double)rest[WW_LAZY_FOLDS];
    ww_lazy_full_count(&self->full, rest[WW_LAZY_CHANGES]);
    if (!take_words(self))
        return ww_output_sum_fail(problem, error);
    // Where they are many N is made anew by the next step, if that is no full one.
    return ww_lazy_counts_settle(&self->counts, rest[WW_LAZY_CHANGES], rest[WW_LAZY_LEFT_OUT],
                                 &self->has_counts, error);
}
