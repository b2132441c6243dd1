// widthwise run.

#include "app/app.h"
#include "app/experiment.h"
#include "app/lock.h"
#include "app/options.h"
#include "app/provenance.h"
#include "app/session.h"
#include "widthwise/clock.h"
#include "widthwise/memory.h"

#include <stdio.h>
#include <stdlib.h>

static const int64_t ALL_MEMBERS = -1;

// Prepares the chosen members, makes the file and runs them.
static ww_status create_and_run(ww_session *self, int64_t chosen, bool force, const char *command,
                                ww_error *error)
{
    const size_t total = self->experiment.count;
    if (chosen != ALL_MEMBERS && chosen >= (int64_t)total)
        return ww_fail(error, WW_USAGE,
                       "--member %lld: the experiment has %zu member%s, numbered from 0",
                       (long long)chosen, total, total == 1 ? "" : "s");
    const size_t first = chosen == ALL_MEMBERS ? 0 : (size_t)chosen;
    const size_t count = chosen == ALL_MEMBERS ? total : 1;
    ww_member_layout *layouts = ww_allocate(count, sizeof *layouts, "the members", error);
    ww_status status = ww_agree(self->parallel, layouts != NULL ? WW_OK : WW_FAILED, error);
    if (status == WW_OK)
        status = ww_session_prepare(self, first, count, NULL, NULL, true, error);
    for (size_t i = 0; status == WW_OK && i < count; i++)
        layouts[i] = self->members.list[i].layout;
    ww_provenance provenance;
    if (status == WW_OK)
        status = ww_provenance_make(self->parallel, command, (int64_t)first, 0, &provenance, error);
    if (status == WW_OK)
        status =
            ww_store_create(self->path, force, &provenance, layouts, count, self->parallel, error);
    free(layouts);
    ww_store_lock lock = {.descriptor = -1};
    if (status == WW_OK)
        status = ww_app_lock_take(self->path, 0, self->parallel, &lock, error);
    if (status == WW_OK)
        status = ww_session_run(self, NULL, WW_OK, error);
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
    ww_session self = {.parallel = parallel, .began = ww_seconds(), .ending = {.until = -1}};
    const ww_option options[] = {
        {"--output", "-o", WW_OPTION_TEXT, &output},
        {"--set", NULL, WW_OPTION_TEXTS, &settings},
        {"--member", NULL, WW_OPTION_INTEGER, &member},
        {"--force", NULL, WW_OPTION_FLAG, &force},
        {"--until", NULL, WW_OPTION_INTEGER, &self.ending.until},
        {"--wall-time", NULL, WW_OPTION_TEXT, &self.ending.wall_time},
        {"--quiet", "-q", WW_OPTION_FLAG, &self.quiet},
    };
    char *default_output = NULL;
    char *command = ww_command_text("run", count, words, error);
    ww_status status = command != NULL ? WW_OK : WW_FAILED;
    if (status == WW_OK)
        status = ww_options_parse("run", options, sizeof options / sizeof options[0], count, words,
                                  operands, 1, error);
    status = ww_agree(parallel, status, error);
    if (status == WW_OK)
        status = ww_app_read_experiment(parallel, operands[0], &settings, &self.experiment, error);
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
        status = ww_ending_begin(&self.ending, self.path, parallel, error);
    if (status == WW_OK)
        status = create_and_run(&self, member, force, command, error);
    ww_ending_end(&self.ending);
    ww_session_free(&self);
    free(settings.texts);
    free(default_output);
    free(command);
    return status;
}
