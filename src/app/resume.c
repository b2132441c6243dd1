// widthwise resume.

#include "app/app.h"
#include "app/options.h"
#include "app/provenance.h"
#include "app/session.h"
#include "widthwise/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Reads the members' configurations back from the file.
static ww_status recall_experiment(ww_session *self, const ww_file_summary *summary,
                                   ww_error *error)
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

static ww_status resume_members(ww_session *self, const ww_file_summary *summary,
                                const char *command, ww_error *error)
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
        status = ww_session_prepare(self, 0, count, indices, skip, error);
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
            status = ww_session_run(self, skip, outcome, error);
    }
    free(skip);
    free(indices);
    return status;
}

ww_status ww_app_resume(const ww_parallel *parallel, int count, char **words, ww_error *error)
{
    const char *operands[1] = {NULL};
    ww_session self = {.parallel = parallel, .ending = {.until = -1}};
    const ww_option options[] = {
        {"--until", NULL, WW_OPTION_INTEGER, &self.ending.until},
        {"--wall-time", NULL, WW_OPTION_TEXT, &self.ending.wall_time},
        {"--quiet", "-q", WW_OPTION_FLAG, &self.quiet},
    };
    char *command = ww_command_text("resume", count, words, error);
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
        status = ww_ending_begin(&self.ending, self.path, parallel, error);
    if (status == WW_OK)
        status = ww_store_lock_take(self.path, parallel, &lock, error);
    if (status == WW_OK)
        status = ww_store_summarize_all(self.path, parallel, &summary, error);
    if (status == WW_OK)
        status = resume_members(&self, &summary, command, error);
    ww_store_unlock(&lock);
    ww_file_summary_free(&summary);
    ww_ending_end(&self.ending);
    ww_session_free(&self);
    free(command);
    return status;
}
