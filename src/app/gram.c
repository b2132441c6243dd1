#include "app/gram.h"

#include "app/gram_warnings.h"
#include "app/profile.h"
#include "widthwise/clock.h"
#include "widthwise/memory.h"
#include "widthwise/theory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static ww_status pause(const ww_app_results *self, ww_error *error)
{
    return self->before != NULL ? self->before(self->context, error) : WW_OK;
}

// One bringing up to date.
typedef struct update {
    const ww_app_results *results;
    const ww_gram_plan *plan;
    ww_gram_work *work;
    ww_app_course_of_gram *course;
    ww_gram_state state; // of the file
    uint64_t spectrum_key, key;
    bool is_there;       // all is in the file as it is wanted
    bool takes_spectrum; // the spectrum is computed anew and written
    bool has_begun;      // what was in the file is taken back
} update;

static int64_t place_in_file(const update *self, int field)
{
    return self->plan->place[field];
}

static ww_status read_field(const update *self, int field, ww_error *error)
{
    return ww_store_read_gram(self->results->store, (size_t)place_in_file(self, field),
                              ww_gram_values(self->plan, self->work->values, field), error);
}

static ww_status read_all(const update *self, ww_error *error)
{
    for (int field = 0; field < WW_GRAM_FIELDS; field++)
        if (place_in_file(self, field) >= 0)
            WW_TRY(read_field(self, field, error));
    return WW_OK;
}

// Whether a field belongs to the part of the file that vouches for the spectrum.
static bool is_of_spectrum(int field)
{
    return field == WW_GRAM_EIGENVALUES || field == WW_GRAM_EIGEN_RESIDUAL ||
           field == WW_GRAM_EIGEN_ORTHOGONALITY;
}

// What is in the file is taken back no sooner than something is there to be put in its place.
static ww_status begin_writing(update *self, ww_error *error)
{
    if (self->has_begun)
        return WW_OK;
    self->has_begun = true;
    return ww_store_begin_gram(self->results->store, self->takes_spectrum, error);
}

static ww_status write_all(update *self, ww_error *error)
{
    ww_profile *profile = self->results->parallel->profile;
    const int before = ww_phase_enter(profile, WW_PHASE_WRITING);
    WW_TRY(begin_writing(self, error));
    for (int field = 0; field < WW_GRAM_FIELDS; field++) {
        const int64_t place = place_in_file(self, field);
        if (place >= 0 && (self->takes_spectrum || !is_of_spectrum(field)))
            WW_TRY(ww_store_write_gram(self->results->store, (size_t)place,
                                       ww_gram_values(self->plan, self->work->values, field),
                                       error));
    }
    ww_phase_leave(profile, before);
    return WW_OK;
}

// Eigenvectors of this rank, between the file and the process grid.
static double *slab_room(const update *self, int64_t *first, int64_t *count, ww_error *error)
{
    const ww_parallel *parallel = self->results->parallel;
    const int64_t n = self->plan->samples;
    ww_spectrum_slab(n, parallel->rank, parallel->size, first, count);
    double *slab = ww_allocate((size_t)*count, (size_t)n * sizeof *slab, "eigenvectors", error);
    return ww_agree(parallel, slab != NULL ? WW_OK : WW_FAILED, error) == WW_OK ? slab : NULL;
}

// A copy of the eigenvalues that were read.
static ww_status values_of(const update *self, ww_spectrum *spectrum, ww_error *error)
{
    const size_t n = (size_t)self->plan->samples;
    spectrum->values = ww_allocate(n, sizeof *spectrum->values, "eigenvalues", error);
    WW_TRY(ww_agree(self->results->parallel, spectrum->values != NULL ? WW_OK : WW_FAILED, error));
    memcpy(spectrum->values, ww_gram_values(self->plan, self->work->values, WW_GRAM_EIGENVALUES),
           n * sizeof *spectrum->values);
    return WW_OK;
}

static ww_status read_spectrum(const update *self, ww_spectrum *spectrum, ww_error *error)
{
    int64_t first = 0;
    int64_t count = 0;
    WW_TRY(read_field(self, WW_GRAM_EIGENVALUES, error));
    if (!self->plan->has_vectors) {
        *spectrum =
            (ww_spectrum){.order = self->plan->samples, .residual = NAN, .orthogonality = NAN};
        return values_of(self, spectrum, error);
    }
    WW_TRY(read_field(self, WW_GRAM_EIGEN_RESIDUAL, error));
    WW_TRY(read_field(self, WW_GRAM_EIGEN_ORTHOGONALITY, error));
    double *slab = slab_room(self, &first, &count, error);
    if (slab == NULL)
        return WW_FAILED;
    ww_status status = ww_store_read_eigenvectors(self->results->store, first, count, slab, error);
    if (status == WW_OK)
        status = ww_spectrum_from_slab(
            &self->work->grid, self->plan->samples, self->plan->block,
            ww_gram_values(self->plan, self->work->values, WW_GRAM_EIGENVALUES), slab, spectrum,
            error);
    free(slab);
    return status;
}

static ww_status write_eigenvectors(update *self, const ww_spectrum *spectrum, ww_error *error)
{
    if (!self->results->member->layout.keeps_eigenvectors)
        return WW_OK;
    WW_TRY(begin_writing(self, error));
    int64_t first = 0;
    int64_t count = 0;
    double *slab = slab_room(self, &first, &count, error);
    if (slab == NULL)
        return WW_FAILED;
    ww_status status = ww_spectrum_to_slab(spectrum, slab, error);
    const int before = ww_phase_enter(self->results->parallel->profile, WW_PHASE_WRITING);
    if (status == WW_OK)
        status = ww_store_write_eigenvectors(self->results->store, first, count, slab, error);
    ww_phase_leave(self->results->parallel->profile, before);
    free(slab);
    return status;
}

static ww_status outputs_at(void *context, int64_t row, double *outputs, ww_error *error)
{
    const update *self = context;
    const ww_app_results *results = self->results;
    const int64_t field = ww_app_trajectory_field(results->member, "train_outputs");
    return ww_store_read_row(results->store, (size_t)field, row, outputs, error);
}

static double descent_rate(const update *self)
{
    return ww_theory_descent_rate(self->results->member->config, self->plan->samples,
                                  self->plan->outputs);
}

static ww_status follow(update *self, const ww_spectrum *spectrum, const double *start,
                        double *deviation, ww_error *error)
{
    ww_app_course_of_gram *course = self->course;
    if (!course->follows_outputs)
        return WW_OK;
    return ww_gram_follow(self->work, spectrum, start, descent_rate(self), course->rows,
                          course->steps, outputs_at, self, deviation, error);
}

static ww_status use_limit_spectrum(update *self, const ww_spectrum *spectrum, ww_error *error)
{
    ww_app_course_of_gram *course = self->course;
    if (!self->is_there) {
        WW_TRY(ww_gram_take_spectrum(self->work, spectrum, error));
        ww_gram_warn_of_spectrum(self->work, self->results->progress);
    }
    if (self->takes_spectrum)
        WW_TRY(write_eigenvectors(self, spectrum, error));
    if (course == NULL || !self->plan->has_vectors)
        return WW_OK;
    WW_TRY(follow(self, spectrum, NULL, course->deviation_limit, error));
    return ww_gram_predict_test(self->work, spectrum, descent_rate(self),
                                course->rows > 0 ? course->steps[course->rows - 1] : 0,
                                course->test_outputs, &course->test_absolute_error,
                                &course->test_error, error);
}

static bool can_read_spectrum(const update *self)
{
    return self->state.spectrum_valid && self->state.spectrum_key == self->spectrum_key &&
           (self->results->member->layout.keeps_eigenvectors || !self->plan->has_vectors);
}

static ww_status limit_piece(update *self, ww_error *error)
{
    ww_spectrum spectrum;
    const bool follows = self->course != NULL && self->plan->has_vectors;
    if (!self->plan->has_spectrum || (self->is_there && !follows))
        return WW_OK;
    WW_TRY(pause(self->results, error));
    const double began = ww_seconds();
    const bool reads = can_read_spectrum(self);
    WW_TRY(reads ? read_spectrum(self, &spectrum, error)
                 : ww_gram_limit_spectrum(self->work, &spectrum, error));
    ww_progress_say(self->results->progress, "Gram matrix: %s of %lld samples in %.2f s%s",
                    reads ? "spectrum read" : "spectrum", (long long)self->plan->samples,
                    ww_seconds() - began,
                    self->is_there && !reads ? "; with gram.eigenvectors: true it would have been "
                                               "read"
                                             : "");
    const ww_status status = use_limit_spectrum(self, &spectrum, error);
    ww_spectrum_free(&spectrum);
    return status;
}

static ww_status initial_piece(update *self, ww_error *error)
{
    ww_spectrum spectrum;
    if (!self->plan->has_network)
        return WW_OK;
    if (!self->is_there) {
        WW_TRY(pause(self->results, error));
        WW_TRY(ww_gram_take_difference(self->work, error));
        ww_gram_warn_of_difference(self->work, self->results->progress);
    }
    const bool follows =
        self->course != NULL && self->course->follows_outputs && self->plan->has_vectors;
    if (!self->plan->has_spectrum || (self->is_there && !follows))
        return WW_OK;
    WW_TRY(pause(self->results, error));
    WW_TRY(ww_gram_initial_spectrum(self->work, &spectrum, error));
    ww_status status = WW_OK;
    if (!self->is_there)
        status = ww_gram_take_initial(self->work, &spectrum, error);
    if (status == WW_OK && follows)
        status = follow(self, &spectrum, self->work->start_outputs, self->course->deviation_initial,
                        error);
    ww_spectrum_free(&spectrum);
    return status;
}

static ww_status solve_pieces(update *self, ww_error *error)
{
    if (self->is_there)
        return WW_OK;
    WW_TRY(pause(self->results, error));
    WW_TRY(ww_gram_take_samples(self->work, error));
    WW_TRY(pause(self->results, error));
    WW_TRY(ww_gram_take_solution(self->work, error));
    ww_gram_warn_of_solution(self->work, self->results->progress);
    return ww_gram_take_test(self->work, error);
}

static void say_key_numbers(const update *self)
{
    const ww_gram_plan *plan = self->plan;
    double *values = self->work->values;
    const double *train = ww_gram_values(plan, values, WW_GRAM_COMPLEXITY + WW_LABEL_SET_TRAIN);
    const double *random = ww_gram_values(plan, values, WW_GRAM_COMPLEXITY + WW_LABEL_SET_RANDOM);
    char other[64] = "";
    if (random != NULL)
        (void)snprintf(other, sizeof other, ", of random labels %.4g", *random);
    ww_progress_say(self->results->progress,
                    "Gram matrix of %lld samples: lambda_max %.5g, lambda_min %.4g, complexity "
                    "%.4g%s",
                    (long long)plan->samples, *ww_gram_values(plan, values, WW_GRAM_LAMBDA_MAX),
                    *ww_gram_values(plan, values, WW_GRAM_LAMBDA_MIN), *train, other);
}

static ww_status bring_up_to_date(update *self, ww_error *error)
{
    ww_store *store = self->results->store;
    if (self->is_there)
        WW_TRY(read_all(self, error));
    else
        self->takes_spectrum = self->plan->has_spectrum && !can_read_spectrum(self);
    WW_TRY(solve_pieces(self, error));
    WW_TRY(limit_piece(self, error));
    WW_TRY(initial_piece(self, error));
    if (!self->is_there) {
        WW_TRY(write_all(self, error));
        const int before = ww_phase_enter(self->results->parallel->profile, WW_PHASE_WRITING);
        WW_TRY(ww_phase_done(self->results->parallel->profile, before,
                             ww_store_commit_gram(store, self->spectrum_key, self->key, error)));
    }
    say_key_numbers(self);
    return WW_OK;
}

ww_status ww_app_gram(const ww_app_results *results, ww_gram_work *work,
                      ww_app_course_of_gram *course, ww_error *error)
{
    const ww_app_member *member = results->member;
    const ww_dataset *data = results->problem->data;
    update self = {.results = results,
                   .plan = member->gram,
                   .work = work,
                   .course = course,
                   .spectrum_key = ww_gram_spectrum_key(member->gram, data),
                   .key = ww_gram_key(member->gram, member->config, data)};
    WW_TRY(ww_store_check_gram(results->store, &self.state, error));
    self.is_there = self.state.valid && self.state.key == self.key &&
                    (!self.plan->has_spectrum ||
                     (self.state.spectrum_valid && self.state.spectrum_key == self.spectrum_key));
    return bring_up_to_date(&self, error);
}

// Hidden weights of a snapshot, a tile at a time.
typedef struct snapshot_tiles {
    const ww_app_results *results;
    size_t index;
    double *room;
    ww_status status;
    ww_error *error;
} snapshot_tiles;

static const double *snapshot_tile(void *context, int64_t tile)
{
    snapshot_tiles *self = context;
    if (self->status == WW_OK)
        self->status = ww_store_read_snapshot(self->results->store, self->index, tile, self->room,
                                              self->error);
    return self->room;
}

ww_status ww_app_gram_at_snapshots(const ww_app_results *self, ww_gram_work *work, double *values,
                                   ww_error *error)
{
    const size_t count = self->member->layout.snapshot_count;
    for (size_t i = 0; i < 4 * count; i++)
        values[i] = NAN;
    for (size_t i = 0; i < count; i++) {
        if (!ww_store_has_snapshot(self->store, i))
            continue;
        WW_TRY(pause(self, error));
        ww_error unreadable = {0};
        snapshot_tiles tiles = {
            .results = self, .index = i, .room = work->tile_room, .error = &unreadable};
        ww_gram_distance distance;
        const ww_status measured =
            ww_gram_measure_network(work, snapshot_tile, &tiles, &distance, error);
        WW_TRY(measured);
        if (tiles.status != WW_OK)
            *error = unreadable;
        WW_TRY(ww_agree(self->parallel, tiles.status, error));
        ww_gram_warn_of_distance(&distance, self->member->config->measure.snapshots.values[i],
                                 self->progress);
        values[i] = distance.frobenius;
        values[count + i] = distance.spectral;
        values[2 * count + i] = distance.lambda_min;
        values[3 * count + i] = distance.lambda_max;
    }
    return WW_OK;
}
