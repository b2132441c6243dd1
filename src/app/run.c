// widthwise run.

#include "app/app.h"
#include "app/experiment.h"
#include "app/options.h"
#include "app/provenance.h"
#include "app/session.h"
#include "widthwise/clock.h"
#include "widthwise/memory.h"

#include <stdio.h>
#include <stdlib.h>

ww_status ww_app_run(const ww_parallel *parallel, int count, char **words, ww_error *error)
{
    const char *output = NULL;
    const char *operands[1] = {NULL};
    ww_option_texts settings = {0};
    int64_t member = WW_ALL_MEMBERS;
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
        default_output = member == WW_ALL_MEMBERS
                             ? ww_format(error, "%s.h5", name)
                             : ww_format(error, "%s-%04lld.h5", name, (long long)member);
        output = default_output;
        status = ww_agree(parallel, output != NULL ? WW_OK : WW_FAILED, error);
    }
    self.path = output;
    if (status == WW_OK)
        status = ww_ending_begin(&self.ending, self.path, parallel, error);
    if (status == WW_OK)
        status = ww_session_create_and_run(&self, member, force, command, error);
    ww_ending_end(&self.ending);
    ww_session_free(&self);
    free(settings.texts);
    free(default_output);
    free(command);
    return status;
}
