// How one member runs: restore, steps with records, snapshots and checkpoints, results.

#include "app/auditing.h"
#include "app/conditions.h"
#include "app/course.h"
#include "app/measuring.h"
#include "app/profile.h"
#include "app/results.h"
#include "app/sample_groups.h"

#include "widthwise/clock.h"
#include "widthwise/gram_ranks.h"
#include "widthwise/memory.h"
#include "widthwise/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Wishes that a rank sends along with a step; counts of ranks in separate fields of one word.
static const int64_t WISH_CHECKPOINT = INT64_C(1);
static const int64_t WISH_COMMIT_ROWS = INT64_C(1) << 20;
static const int64_t WISH_END = INT64_C(1) << 40;
static const int64_t WISH_MASK = (INT64_C(1) << 20) - 1;

static const double LEAST_SHARE = 0.005; // of the time, of what measuring takes to be told
static const double GRAM_SLOWNESS = 4.0; // flops of the Gram matrix against those of steps

typedef struct member_loop {
    const ww_app_member *member;
    const ww_config *config;
    const ww_parallel *parallel;
    ww_progress *progress;
    ww_ending *ending;
    ww_course course;
    ww_store *store;
    ww_auditing auditing;
    double began, measuring;             // time at which this start began, seconds of its records
    int64_t records;                     // of this start
    double results_work;                 // of the results at the end, in steps
    int64_t first_step;                  // at which this start began
    double last_checkpoint, last_commit; // times, rank 0 decides by them
    int64_t checkpoint_step;             // of the newest checkpoint, -1 without one
} member_loop;

static ww_weights_source weights_of(member_loop *self)
{
    ww_course_save_tally(&self->course);
    return (ww_weights_source){
        .tile = ww_engine_layer_tile,
        .context = self->course.engine,
        .output_weights = ww_engine_output_weights(self->course.engine),
        .carry = self->course.carry,
        .state_tile = ww_engine_state_tile,
    };
}

static ww_status checkpoint(member_loop *self, ww_run_state state, ww_error *error)
{
    const ww_weights_source source = weights_of(self);
    const double began = ww_seconds();
    const int before = ww_phase_enter(self->parallel->profile, WW_PHASE_CHECKPOINTS);
    WW_TRY(ww_course_check_weights(&self->course, error));
    WW_TRY(ww_store_checkpoint(self->store, ww_course_step(&self->course), &source, state, error));
    ww_phase_leave(self->parallel->profile, before);
    self->last_checkpoint = self->last_commit = ww_seconds();
    self->checkpoint_step = ww_course_step(&self->course);
    ww_ending_checkpointed(self->ending, self->last_checkpoint - began);
    return WW_OK;
}

static void batch_of_step(void *context, int64_t step, int64_t *indices)
{
    const member_loop *self = context;
    ww_batches_at(self->course.batches, step, indices);
}

static ww_status write_record(member_loop *self, ww_error *error)
{
    const ww_samples *train = &self->course.data->train;
    const ww_samples *test = &self->course.data->test;
    const ww_weights_source source = weights_of(self);
    const ww_replay_record record = {
        .train_inputs = train->inputs,
        .train_labels = train->labels,
        .train_components = train->components,
        .test_inputs = test->inputs,
        .test_labels = test->labels,
        .test_components = test->components,
        .train_targets = train->targets,
        .test_targets = test->targets,
        .initial_weights = &source,
        .batch = batch_of_step,
        .batch_context = self,
    };
    const int before = ww_phase_enter(self->parallel->profile, WW_PHASE_WRITING);
    return ww_phase_done(self->parallel->profile, before,
                         ww_store_write_record(self->store, &record, error));
}

// What is recorded is written when the run begins. Where it was damaged since, it is written again
// now: before a restart the engine still has the initial weights.
static ww_status mend_record(member_loop *self, ww_error *error)
{
    bool holds = true;
    const int before = ww_phase_enter(self->parallel->profile, WW_PHASE_FILE);
    WW_TRY(ww_phase_done(self->parallel->profile, before,
                         ww_store_check_record(self->store, &holds, error)));
    if (holds)
        return WW_OK;
    ww_progress_warn(self->progress,
                     "warning: what was recorded for a replay fails its checksum, so it is written "
                     "again; check the disk");
    return write_record(self, error);
}

static ww_status record(member_loop *self, ww_error *error)
{
    const double began = ww_seconds();
    WW_TRY(ww_course_record(&self->course, error));
    const double seconds = ww_seconds() - began;
    ww_ending_recorded(self->ending, seconds);
    self->measuring += seconds;
    self->records++;
    const int before = ww_phase_enter(self->parallel->profile, WW_PHASE_WRITING);
    return ww_phase_done(
        self->parallel->profile, before,
        ww_store_append(self->store, ww_course_step(&self->course), self->course.values, error));
}

// What belongs to the state after `step` steps: a row, and a snapshot. Both come before a
// checkpoint of the same step, so a restart from it finds them done.
static ww_status record_step(member_loop *self, ww_error *error)
{
    const int64_t step = ww_course_step(&self->course);
    if (ww_course_is_record_step(&self->course) && ww_course_wants_record(&self->course))
        WW_TRY(record(self, error));
    for (size_t i = 0; i < self->member->layout.snapshot_count; i++) {
        if (self->member->layout.snapshot_steps[i] != step)
            continue;
        const ww_weights_source source = weights_of(self);
        const int before = ww_phase_enter(self->parallel->profile, WW_PHASE_WRITING);
        WW_TRY(ww_phase_done(self->parallel->profile, before,
                             ww_store_snapshot(self->store, i, &source, error)));
    }
    return WW_OK;
}

// After a restart: the values of the last row, if it is that of the restored step.
static ww_status recall_values(member_loop *self, ww_error *error)
{
    const int64_t rows = ww_store_rows(self->store);
    if (rows == 0 || !ww_course_is_record_step(&self->course))
        return WW_OK;
    double *column = ww_allocate((size_t)rows, sizeof *column, "a column of the trajectory", error);
    ww_status status = ww_agree(self->parallel, column != NULL ? WW_OK : WW_FAILED, error);
    double *value = self->course.values;
    for (size_t i = 0; status == WW_OK && i < self->member->layout.trajectory_count; i++) {
        const ww_field *field = &self->member->layout.trajectory[i];
        if (field->rank == 0) { // nobody asks for an array of a row that is there
            status = ww_store_read_scalar(self->store, i, column, error);
            *value = status == WW_OK ? column[rows - 1] : NAN;
        }
        value += ww_field_size(field);
    }
    if (status == WW_OK) {
        self->course.has_values = true;
        self->course.stopped_by =
            ww_measure_stop(self->member->plan, self->config, self->course.values);
    }
    free(column);
    return status;
}

// Work of records and results, by that of a step.
static ww_status weigh(member_loop *self, ww_error *error)
{
    const ww_engine_cost engine = ww_engine_cost_of(&self->course.problem);
    ww_measure_cost measure;
    WW_TRY(ww_agree(self->parallel,
                    ww_measure_cost_of(self->member->plan, &self->course.problem, &measure, error),
                    error));
    const double step =
        engine.step_flops > 0.0 ? engine.step_flops : 1.0; // a rank may have no unit
    ww_parallel first = *self->parallel;                   // the rank that has the most
    first.communicator = MPI_COMM_NULL;
    first.rank = 0;
    double gram = 0.0;
    if (self->member->gram != NULL)
        gram = ww_gram_work_cost(self->member->gram, self->config, self->course.data, &first).flops;
    if (ww_app_has_gram_at_snapshots(self->member))
        gram += (double)self->member->layout.snapshot_count *
                ww_gram_snapshot_cost(self->member->gram, self->config, self->course.data, &first)
                    .flops;
    const double audit = self->auditing.wish->at_end ? ww_audit_flops(&self->course.problem) : 0.0;
    // Half of the work on eigenvalues goes through memory, at a fraction of a step's speed.
    self->results_work = (measure.final_flops + audit + GRAM_SLOWNESS * gram) / step;
    const double unit_bytes =
        (double)ww_store_unit_values(&self->member->layout) * (double)sizeof(double);
    ww_ending_member(self->ending, (double)self->course.problem.tiling.local_units * unit_bytes,
                     measure.record_flops / step);
    return WW_OK;
}

static ww_status begin_or_restore(member_loop *self, ww_error *error)
{
    ww_weights_target target = {.put = ww_engine_put_layer_tile,
                                .put_state = ww_engine_put_state_tile,
                                .context = self->course.engine,
                                .output_weights = ww_engine_output_storage(self->course.engine),
                                .carry = self->course.carry};
    int64_t step = -1;
    char notice[WW_MESSAGE_SIZE];
    WW_TRY(mend_record(self, error));
    const int before = ww_phase_enter(self->parallel->profile, WW_PHASE_FILE);
    WW_TRY(
        ww_phase_done(self->parallel->profile, before,
                      ww_store_restore(self->store, &target, &step, notice, sizeof notice, error)));
    if (notice[0] != '\0')
        ww_progress_warn(self->progress, "warning: %s", notice);
    if (step < 0 && notice[0] != '\0') // a damaged checkpoint may have been read over the weights
        WW_TRY(ww_course_begin(&self->course, error));
    self->checkpoint_step = step;
    if (step >= 0) {
        WW_TRY(ww_course_restored(&self->course, step, error));
        WW_TRY(ww_course_settle(&self->course, error));
        WW_TRY(recall_values(self, error));
        char ranks[64];
        ww_ranks_text(self->parallel->size, self->parallel->threads, ranks, sizeof ranks);
        ww_progress_say(self->progress, "going on from step %lld of %lld on %s", (long long)step,
                        (long long)self->config->training.steps, ranks);
        if (self->progress->overview != NULL && self->config->training.steps > 0)
            ww_overview_found(self->progress->overview,
                              (double)step / (double)self->config->training.steps);
    } else {
        if (self->member->layout.record != 0 && !ww_store_has_record(self->store))
            WW_TRY(write_record(self, error));
        WW_TRY(ww_course_settle(&self->course, error));
        WW_TRY(record_step(self, error));
    }
    ww_progress_begin(self->progress, self->progress->name, ww_course_step(&self->course));
    self->first_step = ww_course_step(&self->course);
    self->last_checkpoint = self->last_commit = ww_seconds();
    return WW_OK;
}

static int64_t wishes(member_loop *self)
{
    int64_t wish = ww_ending_wanted(self->ending) ? WISH_END : 0;
    if (self->parallel->rank != 0)
        return wish;
    const double now = ww_seconds();
    const double minutes = self->config->output.checkpoint_minutes;
    if ((minutes > 0.0 && now - self->last_checkpoint >= 60.0 * minutes) ||
        ww_ending_wants_measurement(self->ending))
        wish += WISH_CHECKPOINT;
    if (now - self->last_commit >= self->config->output.commit_seconds)
        wish += WISH_COMMIT_ROWS;
    return wish;
}

// Ends early, with a checkpoint of the step at hand.
static ww_status stop(member_loop *self, ww_error *error)
{
    const char *reason = self->ending->reason;
    WW_TRY(checkpoint(self, WW_RUN_STOPPED, error));
    WW_TRY(ww_ending_share_reason(self->ending, self->parallel, error));
    return ww_fail(error, WW_STOPPED, "stopped after step %lld with a checkpoint%s%s",
                   (long long)ww_course_step(&self->course), reason[0] != '\0' ? ": " : "", reason);
}

// Ends early after the last step, whose checkpoint is there: what comes after it waits.
static ww_status stop_after_training(member_loop *self, ww_error *error)
{
    const int before = ww_phase_enter(self->parallel->profile, WW_PHASE_WRITING);
    WW_TRY(ww_phase_done(self->parallel->profile, before,
                         ww_store_finish(self->store, WW_RUN_STOPPED, "", error)));
    WW_TRY(ww_ending_share_reason(self->ending, self->parallel, error));
    return ww_fail(
        error, WW_STOPPED,
        "stopped after step %lld with a checkpoint, results are still to be computed: %s",
        (long long)ww_course_step(&self->course), self->ending->reason);
}

// Results take long: before each it is seen whether the job is to end.
static ww_status before_result(void *context, ww_error *error)
{
    member_loop *self = context;
    WW_TRY(ww_ending_agree(self->ending, self->parallel, error));
    return self->ending->agreed ? stop_after_training(self, error) : WW_OK;
}

// Steps until the end, a stop rule, or whatever asks for an early end: WW_STOPPED for that.
static ww_status make_steps(member_loop *self, ww_error *error)
{
    const int64_t steps = self->config->training.steps;
    const int64_t every = self->config->output.checkpoint_every;
    const int64_t until = self->ending->until;
    WW_TRY(ww_auditing_begin(&self->auditing, error));
    ww_ending_begin_steps(self->ending);
    while (!ww_course_is_over(&self->course)) {
        if (until >= 0 && ww_course_step(&self->course) >= until)
            return stop(self, error);
        int64_t wished = 0;
        WW_TRY(ww_course_advance(&self->course, wishes(self), &wished, error));
        WW_TRY(ww_auditing_step(&self->auditing, error));
        WW_TRY(record_step(self, error));
        const int64_t step = ww_course_step(&self->course);
        const bool ends = ww_course_is_over(&self->course);
        if (wished >= WISH_END) {
            self->ending->agreed = true;
            return stop(self, error);
        }
        if (!ends && ((every > 0 && step % every == 0) || (wished & WISH_MASK) != 0)) {
            WW_TRY(checkpoint(self, WW_RUN_RUNNING, error));
        } else if (!ends && wished >= WISH_COMMIT_ROWS) {
            const int before = ww_phase_enter(self->parallel->profile, WW_PHASE_WRITING);
            WW_TRY(ww_phase_done(self->parallel->profile, before,
                                 ww_store_commit_rows(self->store, error)));
            self->last_commit = ww_seconds();
        }
        ww_progress_step(self->progress, step, steps, self->member->plan,
                         self->course.has_values ? self->course.values : NULL,
                         self->course.batch_loss);
    }
    return WW_OK;
}

static ww_status write_results(member_loop *self, ww_error *error)
{
    const ww_app_results results = {.member = self->member,
                                    .problem = &self->course.problem,
                                    .parallel = self->parallel,
                                    .course = &self->course,
                                    .store = self->store,
                                    .progress = self->progress,
                                    .before = before_result,
                                    .context = self};
    return ww_app_results_write(&results, error);
}

// The end of training: the final weights in a checkpoint, should results fail or take too long.
static ww_status end_training(member_loop *self, ww_error *error)
{
    WW_TRY(ww_ending_agree(self->ending, self->parallel, error));
    if (self->ending->agreed)
        return stop(self, error);
    if (self->checkpoint_step != ww_course_step(&self->course))
        WW_TRY(checkpoint(self, WW_RUN_RUNNING, error));
    // Results that would not be done in time wait for the next start, which has all its time for
    // them.
    if (self->first_step < ww_course_step(&self->course))
        ww_ending_need_room(self->ending, self->results_work);
    WW_TRY(ww_ending_agree(self->ending, self->parallel, error));
    if (self->ending->agreed)
        return stop_after_training(self, error);
    // A last record between two of the grid comes after the last checkpoint, which therefore does
    // not know of it: a run that is made longer has the same rows as one that always was.
    return ww_course_wants_record(&self->course) ? record(self, error) : WW_OK;
}

static ww_status run_to_end(member_loop *self, ww_error *error)
{
    WW_TRY(weigh(self, error));
    WW_TRY(begin_or_restore(self, error));
    WW_TRY(make_steps(self, error));
    WW_TRY(end_training(self, error));
    WW_TRY(ww_auditing_end(&self->auditing, error));
    return write_results(self, error);
}

static void say_rest(member_loop *self, const char *seconds, const char *numbers)
{
    const ww_rest *rest = &self->course.rest;
    char margins[128] = "every margin is reached";
    if (rest->lacking > 0)
        (void)snprintf(margins, sizeof margins, "%lld margin%s not reached",
                       (long long)rest->lacking, rest->lacking == 1 ? " is" : "s are");
    else if (rest->rounded > 0)
        (void)snprintf(margins, sizeof margins,
                       "every margin is reached (%lld of them but for rounding)",
                       (long long)rest->rounded);
    ww_progress_say(self->progress,
                    "at rest after %lld steps, in %s: no train sample changes a weight, %s%s",
                    (long long)ww_course_step(&self->course), seconds, margins, numbers);
}

// What part of the time measuring took: of one of many runs only where it is most of it.
static void say_measuring(member_loop *self)
{
    const ww_measuring measuring = {.seconds = self->measuring,
                                    .whole = ww_seconds() - self->began,
                                    .records = self->records,
                                    .steps = ww_course_step(&self->course) - self->first_step,
                                    .every = self->config->measure.every};
    const double share = ww_measuring_share(&measuring);
    char text[256];
    if (share < LEAST_SHARE || (self->progress->member_count > 1 && share < WW_MEASURING_DOMINATES))
        return;
    ww_measuring_text(&measuring, "would have been", text, sizeof text);
    ww_progress_say(self->progress, "measuring took %s", text);
}

static void say_outcome(member_loop *self, ww_status status, const ww_error *error)
{
    char text[512] = ": "; // and what numbers there are
    char seconds[64];
    if (self->course.has_values)
        ww_progress_numbers(self->member->plan, self->course.values, text + 2, sizeof text - 2);
    const char *numbers = text[2] != '\0' ? text : "";
    ww_duration_text(ww_seconds() - self->progress->began, seconds, sizeof seconds);
    if (status == WW_OK && self->course.stopped_by != NULL)
        ww_progress_say(self->progress, "%s reached %g at step %lld in %s%s",
                        self->course.stopped_by->quantity, self->course.stopped_by->threshold,
                        (long long)ww_course_step(&self->course), seconds, numbers);
    else if (status == WW_OK && self->course.rest.rests)
        say_rest(self, seconds, numbers);
    else if (status == WW_OK)
        ww_progress_say(self->progress, "%lld steps done in %s%s",
                        (long long)ww_course_step(&self->course), seconds, numbers);
    else if (status == WW_DIVERGED)
        ww_progress_warn(self->progress, "%s", error->message);
    else if (status == WW_STOPPED)
        ww_progress_say(self->progress, "%s", error->message);
    say_measuring(self);
}

static ww_status say_start(member_loop *self, ww_error *error)
{
    char text[512];
    ww_app_start_describe(&self->course.start, &self->course.problem, text, sizeof text);
    if (text[0] != '\0')
        ww_progress_say(self->progress, "%s", text);
    if (self->config->training.engine == WW_ENGINE_AUTO && self->config->training.steps > 0 &&
        ww_engine_is_special(&self->course.problem)) {
        ww_engine_describe(&self->course.problem, text, sizeof text);
        ww_progress_say(self->progress, "steps by %s", text);
    }
    ww_sample_groups_text(&self->course.problem, text, sizeof text);
    if (text[0] != '\0')
        ww_progress_say(self->progress, "%s", text);
    const int before = ww_phase_enter(self->parallel->profile, WW_PHASE_START);
    return ww_phase_done(
        self->parallel->profile, before,
        ww_conditions_warn(self->config, self->course.data, self->parallel, self->progress, error));
}

ww_status ww_app_member_run(const char *path, const ww_app_member *member, const ww_dataset *data,
                            const ww_parallel *parallel, const ww_audit_wish *wish,
                            ww_ending *ending, ww_progress *progress, bool *advanced,
                            ww_error *error)
{
    *advanced = false;
    member_loop self = {
        .member = member,
        .config = member->config,
        .parallel = parallel,
        .progress = progress,
        .ending = ending,
        .began = ww_seconds(),
        .first_step = INT64_MAX,
        .checkpoint_step = -1,
    };
    ww_progress_begin(progress, member->label[0] != '\0' ? member->label : member->config->name, 0);
    ww_status status =
        ww_course_create(path, member, member->config, data, parallel, &self.course, error);
    ww_member_layout layout = member->layout;
    layout.data_hash = data->hash;
    if (status == WW_OK)
        status = say_start(&self, error);
    const int around = ww_phase_enter(parallel->profile, WW_PHASE_FILE);
    if (status == WW_OK)
        status =
            ww_store_open(path, &layout, parallel, &self.course.problem.tiling, &self.store, error);
    ww_phase_leave(parallel->profile, around);
    self.auditing = (ww_auditing){
        .wish = wish, .course = &self.course, .store = self.store, .progress = progress};
    if (status == WW_OK)
        status = ww_phase_done(parallel->profile, around, run_to_end(&self, error));
    if (status == WW_STOPPED || status == WW_DIVERGED)
        status = ww_auditing_end_early(&self.auditing, status, error);
    if (status == WW_DIVERGED && self.store != NULL) {
        // The rows up to here count; the last good checkpoint stays as it is.
        ww_error commit_error = {0};
        const ww_status committed =
            ww_store_finish(self.store, WW_RUN_DIVERGED, error->message, &commit_error);
        if (committed != WW_OK) {
            status = committed;
            *error = commit_error;
        }
    }
    if (status == WW_OK || status == WW_DIVERGED || status == WW_STOPPED)
        say_outcome(&self, status, error);
    *advanced = status == WW_OK || status == WW_DIVERGED ||
                (self.course.engine != NULL && ww_course_step(&self.course) > self.first_step);
    (void)ww_phase_enter(parallel->profile, WW_PHASE_FILE);
    ww_auditing_free(&self.auditing);
    ww_store_close(self.store);
    ww_phase_leave(parallel->profile, around);
    ww_course_free(&self.course);
    return status;
}
