// widthwise run and widthwise resume.

#include "app/app.h"
#include "app/member.h"
#include "app/options.h"
#include "app/provenance.h"
#include "widthwise/memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t ALL_MEMBERS = -1;
static const size_t MOST_CONFIG_BYTES = (size_t)1 << 24;

// Reads the whole of a text file on rank 0 and copies it to all ranks. Collective. Free with
// free().
static ww_status read_text(const ww_parallel *parallel, const char *path, char **text,
                           ww_error *error)
{
    *text = NULL;
    ww_status status = WW_OK;
    char *read = NULL;
    uint64_t bytes = 0;
    if (parallel->rank == 0) {
        FILE *file = fopen(path, "rb");
        read = file != NULL ? ww_allocate(MOST_CONFIG_BYTES + 1, 1, path, error) : NULL;
        if (file == NULL)
            status = ww_fail(error, WW_USAGE, "cannot read the configuration %s: %s", path,
                             strerror(errno));
        else if (read == NULL)
            status = WW_FAILED;
        else {
            bytes = fread(read, 1, MOST_CONFIG_BYTES + 1, file);
            if (ferror(file))
                status = ww_fail(error, WW_USAGE, "cannot read the configuration %s: %s", path,
                                 strerror(errno));
            else if (bytes > MOST_CONFIG_BYTES)
                status = ww_fail(error, WW_USAGE,
                                 "the configuration %s is larger than 16 MiB: is it YAML?", path);
            else if (memchr(read, '\0', bytes) != NULL)
                status = ww_fail(error, WW_USAGE,
                                 "the configuration %s holds a zero byte: is it YAML?", path);
        }
        if (file != NULL)
            fclose(file);
    }
    status = ww_agree(parallel, status, error);
    if (status == WW_OK)
        status = ww_broadcast(parallel, &bytes, sizeof bytes, 0, error);
    if (status == WW_OK) {
        *text = ww_allocate(bytes + 1, 1, "the configuration", error);
        status = ww_agree(parallel, *text != NULL ? WW_OK : WW_FAILED, error);
    }
    if (status == WW_OK) {
        if (read != NULL) // on rank 0
            memcpy(*text, read, bytes);
        status = ww_broadcast(parallel, *text, bytes, 0, error);
    }
    free(read);
    return status;
}

// Folder of a path, "." where it has none. Free with free().
static char *folder_of(const char *path, ww_error *error)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return ww_copy_text(".", error);
    return ww_format(error, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

// All members that are to run, prepared, and the data set of the last one.
typedef struct session {
    const ww_parallel *parallel;
    ww_experiment experiment;
    ww_app_member *members;
    size_t count;
    ww_data_cache cache;
    const char *path;
    int64_t until;
    bool quiet;
} session;

static void session_free(session *self)
{
    for (size_t i = 0; self->members != NULL && i < self->count; i++)
        ww_app_member_release(&self->members[i]);
    free(self->members);
    ww_data_cache_free(&self->cache);
    ww_experiment_free(&self->experiment);
}

// Says in front of a sentence which member of a sweep it is about.
static void name_member(int64_t index, const char *label, ww_error *error)
{
    if (label[0] != '\0')
        ww_error_prefix(error, "member %lld (%s): ", (long long)index, label);
}

// Prepares `count` members of the experiment, from number `first` on, but those to `skip` (may be
// NULL); loads every data set, so that whatever is wrong with it is said before anything is
// written.
static ww_status prepare_members(session *self, size_t first, size_t count, const int64_t *indices,
                                 const bool *skip, ww_error *error)
{
    self->members = ww_allocate(count, sizeof *self->members, "the members", error);
    ww_status status = ww_agree(self->parallel, self->members != NULL ? WW_OK : WW_FAILED, error);
    for (size_t i = 0; status == WW_OK && i < count; i++) {
        const ww_config *config = &self->experiment.members[first + i];
        const char *label = self->experiment.labels[first + i];
        self->count++;
        if (skip != NULL && skip[i])
            continue;
        status = ww_data_cache_get(&self->cache, config, self->parallel, error);
        if (status == WW_OK)
            status = ww_agree(self->parallel,
                              ww_app_member_prepare(config, indices[i], label, &self->cache.data,
                                                    &self->members[i], error),
                              error);
        if (status != WW_OK)
            name_member(indices[i], label, error);
    }
    return status;
}

// The worse of two outcomes of members: a failure, then divergence, then stopped early.
static ww_status worse(ww_status a, ww_status b)
{
    static const ww_status order[] = {WW_FAILED, WW_USAGE, WW_DIVERGED, WW_STOPPED};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
        if (a == order[i] || b == order[i])
            return order[i];
    return WW_OK;
}

static bool is_outcome(ww_status status)
{
    return status == WW_OK || status == WW_DIVERGED || status == WW_STOPPED;
}

// Warns of more ranks than tiles: those left over idle.
static void warn_of_idle_ranks(const session *self, ww_progress *progress)
{
    for (size_t i = 0; i < self->count; i++) {
        if (self->members[i].config == NULL) // skipped
            continue;
        const ww_tiling tiling = ww_tiling_make(self->members[i].layout.width, 0, 1);
        if (tiling.tile_count >= self->parallel->size)
            continue;
        if (progress->speaks)
            fprintf(stderr,
                    "widthwise: warning: width %lld has %lld tile%s of %lld units, so %lld of %d "
                    "ranks idle\n",
                    (long long)tiling.width, (long long)tiling.tile_count,
                    tiling.tile_count == 1 ? "" : "s", (long long)tiling.tile_units,
                    (long long)(self->parallel->size - tiling.tile_count), self->parallel->size);
        return;
    }
}

// What the last line says of the file as a whole.
static const char *outcome_text(ww_status outcome, bool some_stopped)
{
    if (outcome == WW_FAILED || outcome == WW_USAGE)
        return "a run failed, see above; `widthwise resume` tries again";
    if (outcome == WW_DIVERGED && some_stopped)
        return "a run diverged, others stopped early; `widthwise resume` goes on with those";
    if (outcome == WW_DIVERGED)
        return "a run diverged; its rows and checkpoints up to there are kept";
    return some_stopped ? "stopped early; `widthwise resume` goes on"
                        : "complete; `widthwise show` tells what it holds";
}

static ww_status run_member(session *self, const ww_app_member *member, ww_progress *progress,
                            ww_error *error)
{
    WW_TRY(ww_data_cache_get(&self->cache, member->config, self->parallel, error));
    if (self->cache.data.hash != member->data_hash)
        return ww_fail(error, WW_FAILED, "the data files have changed since this job began");
    return ww_app_member_run(self->path, member, &self->cache.data, self->parallel, self->until,
                             progress, error);
}

// Runs the members one after the other, all ranks on each. One that fails or diverges does not stop
// the others. Returns the worst outcome, `outcome` of those skipped included.
static ww_status run_members(session *self, const bool *skip, ww_status outcome, ww_error *error)
{
    ww_progress progress = {
        .speaks = self->parallel->rank == 0 && !self->quiet,
        .member_count = (int64_t)self->count,
    };
    warn_of_idle_ranks(self, &progress);
    bool some_stopped = false;
    for (size_t i = 0; i < self->count; i++) {
        progress.member = (int64_t)i + 1;
        if (skip != NULL && skip[i])
            continue;
        ww_error member_error = {0};
        const ww_status status = run_member(self, &self->members[i], &progress, &member_error);
        some_stopped = some_stopped || status == WW_STOPPED;
        if (!is_outcome(status))
            name_member(self->members[i].index, self->members[i].label, &member_error);
        if (!is_outcome(status) && self->count > 1 && self->parallel->rank == 0)
            fprintf(stderr, "widthwise: %s\n", member_error.message);
        else if (worse(outcome, status) != outcome)
            *error = member_error;
        outcome = worse(outcome, status);
    }
    ww_error ignored = {0};
    int64_t memory = ww_peak_memory();
    (void)ww_sum_words(self->parallel, &memory, 1, &ignored);
    if (self->parallel->rank == 0 && (is_outcome(outcome) || self->count > 1))
        printf("%s: %s (peak memory %.3g GB on %d rank%s)\n", self->path,
               outcome_text(outcome, some_stopped), (double)memory * 1e-9, self->parallel->size,
               self->parallel->size == 1 ? "" : "s");
    return outcome;
}

static char *command_text(const char *name, int count, char **words, ww_error *error)
{
    char *text = ww_format(error, "widthwise %s", name);
    for (int i = 0; text != NULL && i < count; i++) {
        char *longer = ww_format(error, "%s %s", text, words[i]);
        free(text);
        text = longer;
    }
    return text;
}

static ww_status parse_experiment(session *self, const char *config_path,
                                  const ww_option_texts *settings, ww_error *error)
{
    char *text = NULL;
    char *folder = NULL;
    ww_status status = WW_OK;
    if (config_path != NULL)
        status = read_text(self->parallel, config_path, &text, error);
    if (status == WW_OK) {
        folder = folder_of(config_path != NULL ? config_path : "", error);
        status = folder != NULL ? WW_OK : WW_FAILED;
        if (status == WW_OK)
            status = ww_experiment_parse(
                text != NULL ? text : "", config_path != NULL ? config_path : "built-in default",
                folder, settings->texts, settings->count, &self->experiment, error);
        status = ww_agree(self->parallel, status, error);
    }
    free(text);
    free(folder);
    return status;
}

// Prepares the chosen members, makes the file and runs them.
static ww_status create_and_run(session *self, int64_t chosen, bool force, const char *command,
                                ww_error *error)
{
    const size_t total = self->experiment.count;
    if (chosen != ALL_MEMBERS && chosen >= (int64_t)total)
        return ww_fail(error, WW_USAGE,
                       "--member %lld: the experiment has %zu member%s, numbered from 0",
                       (long long)chosen, total, total == 1 ? "" : "s");
    const size_t first = chosen == ALL_MEMBERS ? 0 : (size_t)chosen;
    const size_t count = chosen == ALL_MEMBERS ? total : 1;
    int64_t *indices = ww_allocate(count, sizeof *indices, "the members", error);
    ww_member_layout *layouts = ww_allocate(count, sizeof *layouts, "the members", error);
    ww_status status =
        ww_agree(self->parallel, indices != NULL && layouts != NULL ? WW_OK : WW_FAILED, error);
    for (size_t i = 0; status == WW_OK && i < count; i++)
        indices[i] = (int64_t)(first + i);
    if (status == WW_OK)
        status = prepare_members(self, first, count, indices, NULL, error);
    for (size_t i = 0; status == WW_OK && i < count; i++)
        layouts[i] = self->members[i].layout;
    ww_provenance provenance;
    if (status == WW_OK)
        status = ww_provenance_make(self->parallel, command, (int64_t)first, 0, &provenance, error);
    if (status == WW_OK)
        status =
            ww_store_create(self->path, force, &provenance, layouts, count, self->parallel, error);
    free(indices);
    free(layouts);
    ww_store_lock lock = {.descriptor = -1};
    if (status == WW_OK)
        status = ww_store_lock_take(self->path, self->parallel, &lock, error);
    if (status == WW_OK)
        status = run_members(self, NULL, WW_OK, error);
    ww_store_unlock(&lock);
    return status;
}

ww_status ww_app_run(const ww_parallel *parallel, int count, char **words, ww_error *error)
{
    const char *output = NULL;
    const char *operands[1] = {NULL};
    ww_option_texts settings = {0};
    int64_t member = ALL_MEMBERS;
    bool force = false;
    session self = {.parallel = parallel, .until = -1};
    const ww_option options[] = {
        {"--output", "-o", WW_OPTION_TEXT, &output},
        {"--set", NULL, WW_OPTION_TEXTS, &settings},
        {"--member", NULL, WW_OPTION_INTEGER, &member},
        {"--force", NULL, WW_OPTION_FLAG, &force},
        {"--until", NULL, WW_OPTION_INTEGER, &self.until},
        {"--quiet", "-q", WW_OPTION_FLAG, &self.quiet},
    };
    char *default_output = NULL;
    char *command = command_text("run", count, words, error);
    ww_status status = command != NULL ? WW_OK : WW_FAILED;
    if (status == WW_OK)
        status = ww_options_parse("run", options, sizeof options / sizeof options[0], count, words,
                                  operands, 1, error);
    status = ww_agree(parallel, status, error);
    if (status == WW_OK)
        status = parse_experiment(&self, operands[0], &settings, error);
    if (status == WW_OK && output == NULL) {
        const char *name = self.experiment.members[0].name;
        default_output = member == ALL_MEMBERS
                             ? ww_format(error, "%s.h5", name)
                             : ww_format(error, "%s-%04lld.h5", name, (long long)member);
        output = default_output;
        status = ww_agree(parallel, output != NULL ? WW_OK : WW_FAILED, error);
    }
    self.path = output;
    if (status == WW_OK)
        status = create_and_run(&self, member, force, command, error);
    session_free(&self);
    free(settings.texts);
    free(default_output);
    free(command);
    return status;
}

// Reads the members' configurations back from the file.
static ww_status recall_experiment(session *self, const ww_file_summary *summary, ww_error *error)
{
    const size_t count = (size_t)summary->member_count;
    ww_experiment *experiment = &self->experiment;
    experiment->members = ww_allocate(count, sizeof *experiment->members, "the members", error);
    experiment->labels = ww_allocate(count, sizeof *experiment->labels, "the members", error);
    if (experiment->members == NULL || experiment->labels == NULL)
        return WW_FAILED;
    for (size_t i = 0; i < count; i++) {
        ww_experiment one = {0};
        WW_TRY(ww_experiment_parse(summary->members[i].config_text, self->path, ".", NULL, 0, &one,
                                   error));
        WW_ASSERT(one.count == 1);
        experiment->members[i] = one.members[0];
        experiment->count = i + 1;
        free(one.members);
        free(one.labels[0]);
        free(one.labels);
        experiment->labels[i] = ww_copy_text(summary->members[i].label, error);
        if (experiment->labels[i] == NULL)
            return WW_FAILED;
    }
    return WW_OK;
}

static ww_status resume_members(session *self, const ww_file_summary *summary, const char *command,
                                ww_error *error)
{
    const size_t count = (size_t)summary->member_count;
    bool *skip = ww_allocate(count, sizeof *skip, "the members", error);
    int64_t *indices = ww_allocate(count, sizeof *indices, "the members", error);
    ww_status status = skip != NULL && indices != NULL ? WW_OK : WW_FAILED;
    if (status == WW_OK)
        status = recall_experiment(self, summary, error);
    status = ww_agree(self->parallel, status, error);
    ww_status outcome = WW_OK;
    int64_t first_run = -1;
    int64_t first_step = 0;
    for (size_t i = 0; status == WW_OK && i < count; i++) {
        const ww_member_summary *member = &summary->members[i];
        indices[i] = member->index;
        skip[i] = member->state == WW_RUN_DONE || member->state == WW_RUN_DIVERGED;
        if (member->state == WW_RUN_DIVERGED)
            outcome = WW_DIVERGED;
        if (!skip[i] && first_run < 0) {
            first_run = member->index;
            for (int slot = 0; slot < 2; slot++)
                if (member->slot_valid[slot] && member->slot_step[slot] > first_step)
                    first_step = member->slot_step[slot];
        }
    }
    if (status == WW_OK && first_run < 0) {
        if (self->parallel->rank == 0)
            printf("%s: nothing left to do%s\n", self->path,
                   outcome == WW_DIVERGED ? "; a run diverged" : "");
        status = outcome;
    } else if (status == WW_OK) {
        status = prepare_members(self, 0, count, indices, skip, error);
        ww_provenance provenance;
        if (status == WW_OK)
            status = ww_provenance_make(self->parallel, command, first_run, first_step, &provenance,
                                        error);
        if (status == WW_OK && self->parallel->rank == 0 &&
            strcmp(provenance.arithmetic, summary->first.arithmetic) != 0)
            fprintf(stderr,
                    "widthwise: warning: this file was begun with `%s`, now it is `%s`: what "
                    "follows is right, but its last bits may differ from a run never stopped\n",
                    summary->first.arithmetic, provenance.arithmetic);
        if (status == WW_OK)
            status = ww_store_add_attempt(self->path, &provenance, self->parallel, error);
        if (status == WW_OK)
            status = run_members(self, skip, outcome, error);
    }
    free(skip);
    free(indices);
    return status;
}

ww_status ww_app_resume(const ww_parallel *parallel, int count, char **words, ww_error *error)
{
    const char *operands[1] = {NULL};
    session self = {.parallel = parallel, .until = -1};
    const ww_option options[] = {
        {"--until", NULL, WW_OPTION_INTEGER, &self.until},
        {"--quiet", "-q", WW_OPTION_FLAG, &self.quiet},
    };
    char *command = command_text("resume", count, words, error);
    ww_status status = command != NULL ? WW_OK : WW_FAILED;
    if (status == WW_OK)
        status = ww_options_parse("resume", options, sizeof options / sizeof options[0], count,
                                  words, operands, 1, error);
    if (status == WW_OK && operands[0] == NULL)
        status = ww_fail(error, WW_USAGE,
                         "resume wants the file to go on with: "
                         "widthwise resume FILE");
    status = ww_agree(parallel, status, error);
    self.path = operands[0];
    ww_store_lock lock = {.descriptor = -1};
    ww_file_summary summary = {0};
    if (status == WW_OK)
        status = ww_store_lock_take(self.path, parallel, &lock, error);
    if (status == WW_OK)
        status = ww_store_summarize_all(self.path, parallel, &summary, error);
    if (status == WW_OK)
        status = resume_members(&self, &summary, command, error);
    ww_store_unlock(&lock);
    ww_file_summary_free(&summary);
    session_free(&self);
    free(command);
    return status;
}
