// widthwise run.

#include "app/app.h"
#include "app/experiment.h"
#include "app/session.h"
#include "widthwise/memory.h"

// What the command line gave.
typedef struct run_options {
    const char *config, *output;
    int64_t member;
    bool force;
} run_options;

static ww_status run(ww_session *self, const run_options *given, ww_error *error)
{
    WW_TRY(ww_app_read_experiment(self->parallel, given->config, &self->settings, &self->experiment,
                                  error));
    const char *name = self->experiment.members[0].name;
    char *usual = given->member == WW_ALL_MEMBERS
                      ? ww_format(error, "%s.h5", name)
                      : ww_format(error, "%s-%04lld.h5", name, (long long)given->member);
    WW_TRY(ww_session_hold(self, given->output, usual, error));
    return ww_session_create_and_run(self, given->member, given->force, error);
}

ww_status ww_app_run(const ww_parallel *parallel, int count, char **words, ww_error *error)
{
    run_options given = {.member = WW_ALL_MEMBERS};
    ww_session self = ww_session_make(parallel);
    const ww_option options[] = {
        {"--output", "-o", WW_OPTION_TEXT, &given.output},
        {"--set", NULL, WW_OPTION_TEXTS, &self.settings},
        {"--member", NULL, WW_OPTION_INTEGER, &given.member},
        {"--force", NULL, WW_OPTION_FLAG, &given.force},
        {"--until", NULL, WW_OPTION_INTEGER, &self.ending.until},
        {"--wall-time", NULL, WW_OPTION_TEXT, &self.ending.wall_time},
        {"--sample-groups", NULL, WW_OPTION_INTEGER, &self.sample_groups},
        {"--divide-data", NULL, WW_OPTION_FLAG, &self.divide_data},
        {"--audit", NULL, WW_OPTION_FLAG, &self.audit.at_end},
        {"--check-steps", NULL, WW_OPTION_INTEGER, &self.audit.steps},
        {"--profile", NULL, WW_OPTION_MAYBE_TEXT, &self.profile_path},
        {"--quiet", "-q", WW_OPTION_FLAG, &self.quiet},
    };
    ww_status status = ww_session_begin(&self, "run", options, sizeof options / sizeof options[0],
                                        count, words, &given.config, 1, error);
    if (status == WW_OK)
        status = run(&self, &given, error);
    ww_session_end(&self);
    return status;
}
