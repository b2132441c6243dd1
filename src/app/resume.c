// widthwise resume.

#include "app/app.h"
#include "app/lock.h"
#include "app/profile.h"
#include "app/provenance.h"
#include "app/session.h"
#include "widthwise/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// What a restart finds in the file, and what it is to do with each member.
typedef struct recalled {
    const ww_file_summary *summary;
    size_t count;
    int64_t *indices;          // [count]
    bool *skip;                // [count] nothing is left to do
    bool *is_over;             // [count] training is over, and results are to be computed anew
    ww_config_change *changes; // [count] against the configuration in the file
    ww_status outcome;         // of those that are skipped
    size_t first;              // that is not skipped; count: none
} recalled;

// Configuration of member `i`, as it is in the file and with the settings on top.
static ww_status recall_member(ww_session *self, recalled *found, size_t i, ww_error *error)
{
    const ww_member_summary *member = &found->summary->members[i];
    ww_experiment before = {0};
    ww_experiment after = {0};
    ww_experiment *experiment = &self->experiment;
    WW_TRY(ww_experiment_parse(member->config_text, self->path, ".", NULL, 0, &before, error));
    ww_status status =
        ww_experiment_parse(member->config_text, self->path, ".", self->settings.texts,
                            self->settings.count, &after, error);
    if (status == WW_OK && after.count != 1)
        status = ww_fail(error, WW_USAGE,
                         "--set sweep: a restart goes on with the members that the "
                         "file has; start a new run for others");
    if (status == WW_OK && self->only_gram)
        status = ww_config_want_gram(&after.members[0], error);
    if (status == WW_OK)
        status = ww_config_compare(&before.members[0], &after.members[0], member->label,
                                   &found->changes[i], error);
    ww_experiment_free(&before);
    if (status == WW_OK) {
        experiment->labels[i] = ww_copy_text(member->label, error);
        status = experiment->labels[i] == NULL ? WW_FAILED : WW_OK;
    }
    if (status == WW_OK) { // moved from one experiment to the other
        experiment->members[i] = after.members[0];
        experiment->count = i + 1;
        after.members[0] = (ww_config){0};
    }
    ww_experiment_free(&after);
    return status;
}

static ww_status recall_members(ww_session *self, recalled *found, ww_error *error)
{
    const size_t count = found->count;
    ww_experiment *experiment = &self->experiment;
    experiment->members = ww_allocate(count, sizeof *experiment->members, "the members", error);
    experiment->labels = ww_allocate(count, sizeof *experiment->labels, "the members", error);
    found->skip = ww_allocate(count, sizeof *found->skip, "the members", error);
    found->indices = ww_allocate(count, sizeof *found->indices, "the members", error);
    found->changes = ww_allocate(count, sizeof *found->changes, "the members", error);
    found->is_over = ww_allocate(count, sizeof *found->is_over, "the members", error);
    if (experiment->members == NULL || experiment->labels == NULL || found->skip == NULL ||
        found->indices == NULL || found->changes == NULL || found->is_over == NULL)
        return WW_FAILED;
    found->first = count;
    for (size_t i = 0; i < count; i++) {
        const ww_member_summary *member = &found->summary->members[i];
        WW_TRY(recall_member(self, found, i, error));
        found->indices[i] = member->index;
        const bool changes = found->changes[i] == WW_CONFIG_RESULTS;
        // What changes of a run that is over is computed anew, all of it: its results go together.
        // Where that was cut short once, training is over all the same.
        found->is_over[i] = member->trained && (changes || !member->final_valid);
        self->waiting += !member->trained && member->state != WW_RUN_DIVERGED;
        // An audit goes back to the end of training.
        const bool audits = ww_auditing_applies(&self->audit, &self->experiment.members[i]);
        found->skip[i] =
            !self->only_gram && (member->state == WW_RUN_DIVERGED ||
                                 (member->state == WW_RUN_DONE && !changes && !audits));
        if (member->state == WW_RUN_DIVERGED && !self->only_gram)
            found->outcome = WW_DIVERGED;
        if (!found->skip[i] && found->first == count)
            found->first = i;
    }
    return WW_OK;
}

static int64_t newest_checkpoint(const ww_member_summary *member)
{
    int64_t step = 0;
    for (int slot = 0; slot < 2; slot++)
        if (member->slot_valid[slot] && member->slot_step[slot] > step)
            step = member->slot_step[slot];
    return step;
}

// Batches of the members that change, for the record.
typedef struct changed_batches {
    ww_batches **batches; // [count]
    size_t count;
} changed_batches;

static void batch_of_member(void *context, size_t member, int64_t step, int64_t *indices)
{
    const changed_batches *self = context;
    ww_batches_at(self->batches[member], step, indices);
}

static ww_status make_batches(const ww_app_member *member, ww_batches **batches, ww_error *error)
{
    // Which samples make a batch depends on their number alone: the data need not be there.
    const ww_dataset counted = {.train = {.count = member->layout.train}};
    const ww_problem problem = {
        .config = member->config, .data = &counted, .batch = member->layout.batch};
    return ww_batches_create(&problem, batches, error);
}

// Before results are taken back to be computed anew: whether the data are still those of the run.
static ww_status check_data(ww_session *self, const recalled *found, ww_error *error)
{
    for (size_t i = 0; i < found->count; i++) {
        const ww_app_member *member = &self->members.list[i];
        const uint64_t begun_with = found->summary->members[i].data_hash;
        if (found->skip[i] || found->changes[i] != WW_CONFIG_RESULTS || begun_with == 0 ||
            member->config->replicas > 1)
            continue;
        ww_status status = ww_session_load_data(self, self->parallel, member, error);
        if (status == WW_OK && self->cache.data.hash != begun_with)
            status = ww_fail(error, WW_FAILED,
                             "%s: the data of run%04lld are not those that it was begun with, so "
                             "the data files have changed since; bring them back, or start anew "
                             "with another output file",
                             self->path, (long long)member->index);
        if (status != WW_OK) {
            ww_app_name_member(member->index, member->label, error);
            return status;
        }
    }
    return WW_OK;
}

// Brings the file to the configurations that differ from those in it.
static ww_status change_members(const ww_session *self, const recalled *found, ww_error *error)
{
    changed_batches batches = {0};
    ww_member_layout *layouts =
        ww_allocate(found->count, sizeof *layouts, "the members that change", error);
    batches.batches =
        ww_allocate(found->count, sizeof(ww_batches *), "the members that change", error);
    ww_status status = layouts == NULL || batches.batches == NULL ? WW_FAILED : WW_OK;
    for (size_t i = 0; i < found->count && status == WW_OK; i++) {
        if (found->skip[i] || found->changes[i] == WW_CONFIG_SAME)
            continue;
        layouts[batches.count] = self->members.list[i].layout;
        status = make_batches(&self->members.list[i], &batches.batches[batches.count++], error);
    }
    status = ww_agree(self->parallel, status, error);
    const ww_store_changes changes = {.layouts = layouts,
                                      .count = batches.count,
                                      .batch = batch_of_member,
                                      .batch_context = &batches};
    const int before = ww_phase_enter(self->parallel->profile, WW_PHASE_FILE);
    if (status == WW_OK && changes.count > 0)
        status = ww_store_reshape(self->path, &changes, self->parallel, error);
    ww_phase_leave(self->parallel->profile, before);
    for (size_t i = 0; i < batches.count; i++)
        ww_batches_free(batches.batches[i]);
    free(batches.batches);
    free(layouts);
    return status;
}

static void warn_of_other_arithmetic(const recalled *found, const ww_provenance *provenance)
{
    if (strcmp(provenance->arithmetic, found->summary->first.arithmetic) != 0)
        fprintf(stderr,
                "widthwise: warning: this file was begun with `%s`, now it is `%s`: what "
                "follows is right, but its last bits may differ from a run never stopped\n",
                found->summary->first.arithmetic, provenance->arithmetic);
}

static ww_status go_on(ww_session *self, const recalled *found, ww_error *error)
{
    const ww_member_summary *first = &found->summary->members[found->first];
    ww_provenance provenance;
    WW_TRY(ww_session_prepare(self, 0, found->count, found->indices, found->skip, false, error));
    WW_TRY(ww_provenance_make(self->parallel, self->command, first->index, newest_checkpoint(first),
                              &provenance, error));
    if (self->parallel->rank == 0)
        warn_of_other_arithmetic(found, &provenance);
    WW_TRY(check_data(self, found, error));
    WW_TRY(change_members(self, found, error));
    const int before = ww_phase_enter(self->parallel->profile, WW_PHASE_FILE);
    WW_TRY(ww_phase_done(self->parallel->profile, before,
                         ww_store_add_attempt(self->path, &provenance, self->parallel, error)));
    self->is_over = found->is_over;
    return ww_session_run(self, found->skip, found->outcome, error);
}

static ww_status resume_members(ww_session *self, const ww_file_summary *summary, ww_error *error)
{
    recalled found = {.summary = summary, .count = (size_t)summary->member_count};
    ww_status status = ww_agree(self->parallel, recall_members(self, &found, error), error);
    if (status == WW_OK && found.first == found.count) {
        if (self->parallel->rank == 0)
            printf("%s: nothing left to do%s%s\n", self->path,
                   found.outcome == WW_DIVERGED ? "; a run diverged" : "",
                   self->audit.at_end ? "; what is done was trained by engines that keep the "
                                        "weights themselves, so there is nothing to audit"
                                      : "");
        status = found.outcome;
    } else if (status == WW_OK) {
        status = go_on(self, &found, error);
    }
    free(found.skip);
    free(found.indices);
    free(found.changes);
    free(found.is_over);
    return status;
}

ww_status ww_session_resume(ww_session *self, int64_t wait_lock, ww_error *error)
{
    ww_store_lock lock = {.descriptor = -1};
    ww_file_summary summary = {0};
    const int before = ww_phase_enter(self->parallel->profile, WW_PHASE_FILE);
    ww_status status = ww_app_lock_take(self->path, wait_lock, self->parallel, &lock, error);
    if (status == WW_OK)
        status = ww_store_check_structure(self->path, self->parallel, error);
    if (status == WW_OK)
        status = ww_store_summarize_all(self->path, self->parallel, &summary, error);
    ww_phase_leave(self->parallel->profile, before);
    if (status == WW_OK)
        status = resume_members(self, &summary, error);
    ww_store_unlock(&lock);
    ww_file_summary_free(&summary);
    return status;
}

ww_status ww_app_resume(const ww_parallel *parallel, int count, char **words, ww_error *error)
{
    const char *path = NULL;
    int64_t wait_lock = 0;
    ww_session self = ww_session_make(parallel);
    const ww_option options[] = {
        {"--set", NULL, WW_OPTION_TEXTS, &self.settings},
        {"--until", NULL, WW_OPTION_INTEGER, &self.ending.until},
        {"--wall-time", NULL, WW_OPTION_TEXT, &self.ending.wall_time},
        {"--sample-groups", NULL, WW_OPTION_INTEGER, &self.sample_groups},
        {"--divide-data", NULL, WW_OPTION_FLAG, &self.divide_data},
        {"--audit", NULL, WW_OPTION_FLAG, &self.audit.at_end},
        {"--check-steps", NULL, WW_OPTION_INTEGER, &self.audit.steps},
        {"--profile", NULL, WW_OPTION_MAYBE_TEXT, &self.profile_path},
        {"--wait-lock", NULL, WW_OPTION_INTEGER, &wait_lock},
        {"--quiet", "-q", WW_OPTION_FLAG, &self.quiet},
    };
    ww_status status =
        ww_session_begin(&self, "resume", options, sizeof options / sizeof options[0], count, words,
                         &path, 1, error);
    if (status == WW_OK && path == NULL)
        status =
            ww_fail(error, WW_USAGE, "resume wants the file to go on with: widthwise resume FILE");
    if (status == WW_OK)
        status = ww_session_hold(&self, path, NULL, error);
    if (status == WW_OK)
        status = ww_session_resume(&self, wait_lock, error);
    ww_session_end(&self);
    return status;
}
