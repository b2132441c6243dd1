#include "app/watched.h"

#include "app/recorded_problem.h"
#include "widthwise/clock.h"
#include "widthwise/memory.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

// So many are told one by one whatever their state, as by `show`.
enum { FEW = 3 };

// A change of the file's structure takes less.
static const double LASTING_SECONDS = 10.0;

// A job takes the lock of a file that it has just made, or goes on with, within less.
static const double UNATTENDED_SECONDS = 3.0;

static const char *const curve_names[WW_WATCHED_CURVES] = {
    [WW_WATCHED_LOSS] = "loss",
    [WW_WATCHED_TRAIN_ACCURACY] = "train_accuracy",
    [WW_WATCHED_TEST_ACCURACY] = "test_accuracy"};

const char *ww_watched_curve_name(int curve)
{
    return curve_names[curve];
}

static void free_run(ww_watched_run *run)
{
    free(run->label);
    free(run->reason);
    free(run->config_text);
    free(run->curves);
}

static void free_runs(ww_watched_run *runs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free_run(&runs[i]);
    free(runs);
}

void ww_watched_free(ww_watched *watched)
{
    free_runs(watched->runs, watched->count);
    *watched = (ww_watched){.path = watched->path};
}

double ww_watched_fraction(const ww_watched_run *run)
{
    return run->all > 0 ? fmin(1.0, (double)run->done / (double)run->all) : 0.0;
}

static bool is_settled(const ww_watched_run *run)
{
    return run->state == WW_RUN_DONE || run->state == WW_RUN_DIVERGED || run->trained;
}

// Its work came to an end with steps left, which were never made.
static bool ended_early(const ww_watched_run *run)
{
    return (is_settled(run) || run->state == WW_RUN_FAILED) && run->done < run->all;
}

// Whether the fraction of all work leaps from one look to the next, by no step. Of the same runs.
static bool leaps(const ww_watched *before, const ww_watched *found)
{
    for (size_t i = 0; i < found->count; i++)
        if (ended_early(&before->runs[i]) != ended_early(&found->runs[i]))
            return true;
    return false;
}

double ww_watched_all_fraction(const ww_watched *watched)
{
    double done = 0.0;
    double all = 0.0;
    for (size_t i = 0; i < watched->count; i++) {
        const ww_watched_run *run = &watched->runs[i];
        if (run->state == WW_RUN_FAILED) // nobody is going to do what is left of it
            continue;
        done += (is_settled(run) ? 1.0 : ww_watched_fraction(run)) * run->work;
        all += run->work;
    }
    return all > 0.0 ? done / all : 0.0;
}

bool ww_watched_has_ended(const ww_watched *watched)
{
    return watched->count > 0 && watched->trouble == WW_WATCHED_WELL &&
           watched->states[WW_RUN_WAITING] == 0 && watched->states[WW_RUN_RUNNING] == 0;
}

bool ww_watched_is_over(const ww_watched *watched)
{
    // A run that was resumed or made longer is stopped until its job first commits.
    return ww_watched_has_ended(watched) && watched->writer != WW_WRITER_THERE &&
           (watched->states[WW_RUN_STOPPED] == 0 || watched->quiet);
}

bool ww_watched_shows(const ww_watched *watched, const ww_watched_run *run)
{
    return run->state == WW_RUN_RUNNING || (watched->count <= FEW && run->state != WW_RUN_WAITING);
}

// What the configuration says of a run: its steps, and their work.
static ww_status weigh(const char *path, const ww_member_summary *summary, ww_watched_run *run,
                       ww_error *error)
{
    ww_experiment experiment = {0};
    ww_recorded_problem recorded;
    WW_TRY(ww_experiment_parse(summary->config_text, path, ".", NULL, 0, &experiment, error));
    const ww_config *config = &experiment.members[0];
    const ww_status status =
        ww_recorded_problem_read(path, summary->index, config, &recorded, error);
    if (status == WW_OK) {
        run->has_replicas = config->replicas > 1;
        run->all = run->has_replicas ? config->replicas : config->training.steps;
        run->work = fmax(1.0, (double)config->training.steps * (double)config->replicas *
                                  ww_engine_cost_of(&recorded.problem).step_flops);
    }
    ww_experiment_free(&experiment);
    return status;
}

// The last step that the file knows of; a checkpoint may be newer than the last record.
static int64_t last_step(const ww_member_summary *summary)
{
    int64_t step = summary->last_step;
    for (int slot = 0; slot < 2; slot++)
        if (summary->slot_valid[slot] && summary->slot_step[slot] > step)
            step = summary->slot_step[slot];
    return step > 0 ? step : 0;
}

// `before` is the same run at the last look, NULL where it is new.
static ww_status take_run(const char *path, ww_member_summary *summary,
                          const ww_watched_run *before, ww_watched_run *run, ww_error *error)
{
    if (before != NULL && strcmp(before->config_text, summary->config_text) == 0) {
        run->has_replicas = before->has_replicas;
        run->all = before->all;
        run->work = before->work;
    } else {
        WW_TRY(weigh(path, summary, run, error));
    }
    run->index = summary->index;
    run->generation = summary->generation;
    run->state = summary->state;
    run->trained = summary->trained;
    run->done = run->has_replicas ? summary->rows : last_step(summary);
    if (before != NULL)
        run->pace = before->pace;
    run->reason = ww_copy_text(summary->reason, error);
    if (run->reason == NULL)
        return WW_FAILED;
    run->label = summary->label;
    run->config_text = summary->config_text;
    summary->label = summary->config_text = NULL; // taken over
    return WW_OK;
}

// Curves of a run that is as it was at the last look are those of then: false where it is not.
static bool keep_curves(const ww_watched_run *before, ww_watched_run *run)
{
    if (before == NULL || before->generation != run->generation || before->curves == NULL)
        return false;
    memcpy(run->curves, before->curves,
           (size_t)WW_WATCHED_CURVES * WW_WATCHED_RECORDS * sizeof *run->curves);
    run->records = before->records;
    return true;
}

static ww_status read_curves(const char *path, const ww_watched_run *before, ww_watched_run *run,
                             ww_error *error)
{
    run->curves = ww_allocate((size_t)WW_WATCHED_CURVES * WW_WATCHED_RECORDS, sizeof *run->curves,
                              "curves of a run", error);
    if (run->curves == NULL)
        return WW_FAILED;
    if (keep_curves(before, run))
        return WW_OK;
    return ww_store_read_series(path, run->index, curve_names, WW_WATCHED_CURVES,
                                WW_WATCHED_RECORDS, run->curves, &run->records, error);
}

// `before` [count] are the same runs at the last look; NULL where they are new.
static ww_status take_runs(const char *path, ww_file_summary *summary, const ww_watched_run *before,
                           ww_watched *found, ww_error *error)
{
    const size_t count = (size_t)summary->member_count;
    found->attempts = summary->attempt_count;
    found->newest = summary->newest;
    found->changed = before == NULL;
    found->runs = ww_allocate(count, sizeof *found->runs, "the list of runs", error);
    if (found->runs == NULL)
        return WW_FAILED;
    found->count = count; // those that are not taken yet are all zeroes
    for (size_t i = 0; i < count; i++) {
        ww_watched_run *run = &found->runs[i];
        WW_TRY(
            take_run(path, &summary->members[i], before != NULL ? &before[i] : NULL, run, error));
        found->states[run->state]++;
        if (before != NULL && before[i].generation != run->generation)
            found->changed = true;
    }
    for (size_t i = 0; i < count; i++)
        if (ww_watched_shows(found, &found->runs[i]))
            WW_TRY(read_curves(path, before != NULL ? &before[i] : NULL, &found->runs[i], error));
    return WW_OK;
}

static bool is_same_file(const ww_watched *watched, const ww_watched *found)
{
    return watched->count > 0 && watched->mark[0] == found->mark[0];
}

static ww_status read_runs(const ww_watched *watched, ww_watched *found, ww_error *error)
{
    ww_file_summary summary = {0};
    WW_TRY(ww_store_summarize(watched->path, &summary, error));
    const bool comparable =
        is_same_file(watched, found) && summary.member_count == (int64_t)watched->count;
    const ww_status status =
        take_runs(watched->path, &summary, comparable ? watched->runs : NULL, found, error);
    ww_file_summary_free(&summary);
    return status;
}

// What is read while the structure of the file changes is worth nothing, whether it can be read or
// not.
static ww_status read_file(const ww_watched *watched, ww_watched *found, ww_error *error)
{
    int64_t after[2] = {0};
    WW_TRY(ww_store_identify(watched->path, found->mark, error));
    const ww_status status = read_runs(watched, found, error);
    ww_error now = {0};
    if (ww_store_identify(watched->path, after, &now) != WW_OK)
        return ww_fail(error, WW_FAILED, "%s", now.message);
    if (after[0] != found->mark[0] || after[1] != found->mark[1])
        return ww_fail(error, WW_FAILED, "%s was changed while it was read", watched->path);
    return status;
}

static void take(ww_watched *watched, ww_watched *found, double now)
{
    if (is_same_file(watched, found) && watched->count == found->count && !leaps(watched, found))
        found->pace = watched->pace;
    found->path = watched->path;
    found->trouble = WW_WATCHED_WELL;
    found->since = now;
    found->changed = found->changed || watched->lasts;
    found->writer = watched->writer;
    found->free_since = watched->free_since;
    found->quiet = watched->quiet;
    found->unattended = watched->unattended;
    free_runs(watched->runs, watched->count);
    *watched = *found;
}

// `moved`: somebody must have been at it since the last look.
static bool is_unattended(ww_watched *watched, ww_writer writer, bool moved, double now)
{
    if (writer == WW_WRITER_THERE || writer != watched->writer || moved)
        watched->free_since = now;
    watched->writer = writer;
    watched->quiet = now - watched->free_since >= UNATTENDED_SECONDS;
    return writer == WW_WRITER_NONE && watched->quiet;
}

// A look in vain. A failure: all further ones would be.
static ww_status note_trouble(ww_watched *watched, const ww_error *sentence, ww_writer writer,
                              double now, ww_error *error)
{
    struct stat found;
    const bool absent = stat(watched->path, &found) != 0 && (errno == ENOENT || errno == ENOTDIR);
    const ww_watched_trouble trouble = absent ? WW_WATCHED_ABSENT : WW_WATCHED_UNREADABLE;
    const bool alone = is_unattended(watched, writer, watched->trouble != trouble, now);
    const bool stays =
        sentence->status == WW_USAGE || (alone && !ww_store_is_changing(watched->path));
    if (!absent && stays)
        return ww_fail(error, sentence->status, "%s", sentence->message);
    const bool lasts = now - watched->since >= LASTING_SECONDS;
    // As long as there is a picture, it is worth a word only where it lasts.
    watched->changed =
        watched->count > 0 && !absent ? watched->lasts != lasts : watched->trouble != trouble;
    watched->trouble = trouble;
    watched->lasts = lasts;
    watched->sentence = *sentence;
    watched->unattended = false;
    if (absent) { // what comes will be another file
        free_runs(watched->runs, watched->count);
        watched->runs = NULL;
        watched->count = 0;
    }
    return WW_OK;
}

static void look_at_paces(ww_watched *watched, double now)
{
    if (watched->unattended) { // the time until a job goes on is not its own
        watched->pace = (ww_pace){0};
        for (size_t i = 0; i < watched->count; i++)
            watched->runs[i].pace = (ww_pace){0};
        return;
    }
    ww_pace_look(&watched->pace, now, ww_watched_all_fraction(watched));
    for (size_t i = 0; i < watched->count; i++)
        ww_pace_look(&watched->runs[i].pace, now, (double)watched->runs[i].done);
}

ww_status ww_watched_look(ww_watched *watched, ww_writer writer, ww_error *error)
{
    const double now = ww_seconds();
    const bool was_over = ww_watched_is_over(watched);
    ww_watched found = {0};
    ww_error sentence = {0};
    if (watched->since <= 0.0)
        watched->since = now;
    const ww_status status = read_file(watched, &found, &sentence);
    if (status != WW_OK) {
        free_runs(found.runs, found.count);
        return note_trouble(watched, &sentence, writer, now, error);
    }
    take(watched, &found, now);
    const bool unattended = is_unattended(watched, writer, watched->changed, now);
    // It is told once, and taken back when somebody comes.
    if (unattended != watched->unattended || ww_watched_is_over(watched) != was_over)
        watched->changed = true;
    watched->unattended = unattended;
    look_at_paces(watched, now);
    return WW_OK;
}
