// widthwise gram.

#include "app/app.h"
#include "app/experiment.h"
#include "app/session.h"
#include "widthwise/memory.h"

#include <stdio.h>
#include <string.h>

// What the command line gave.
typedef struct gram_options {
    const char *operand, *output;
    int64_t member, wait_lock;
    bool force;
} gram_options;

// Whether the operand is a file of results rather than a configuration: by its first bytes.
static ww_status is_hdf5(const char *path, const ww_parallel *parallel, bool *is, ww_error *error)
{
    static const char signature[8] = {'\x89', 'H', 'D', 'F', '\r', '\n', '\x1a', '\n'};
    char found[sizeof signature] = {0};
    FILE *file = parallel->rank == 0 && path != NULL ? fopen(path, "rb") : NULL;
    if (file != NULL) {
        *is = fread(found, 1, sizeof found, file) == sizeof found &&
              memcmp(found, signature, sizeof found) == 0;
        (void)fclose(file);
    }
    return ww_broadcast(parallel, is, sizeof *is, 0, error);
}

static ww_status begin(ww_session *self, const gram_options *options, ww_error *error)
{
    WW_TRY(ww_app_read_experiment(self->parallel, options->operand, &self->settings,
                                  &self->experiment, error));
    ww_status status = WW_OK;
    for (size_t i = 0; i < self->experiment.count && status == WW_OK; i++)
        status = ww_config_want_gram(&self->experiment.members[i], error);
    WW_TRY(ww_agree(self->parallel, status, error));
    self->waiting = (int64_t)self->experiment.count;
    WW_TRY(ww_session_hold(self, options->output,
                           ww_format(error, "%s.h5", self->experiment.members[0].name), error));
    return ww_session_create_and_run(self, options->member, options->force, error);
}

static ww_status go_on(ww_session *self, const gram_options *options, ww_error *error)
{
    if (options->output != NULL || options->force || options->member != WW_ALL_MEMBERS)
        return ww_fail(error, WW_USAGE,
                       "gram %s: results go into that file, for all its members; -o, --force and "
                       "--member are for a configuration",
                       options->operand);
    static const char training[] = "training.";
    for (size_t i = 0; i < self->settings.count; i++)
        if (strncmp(self->settings.texts[i], training, sizeof training - 1) == 0)
            return ww_fail(error, WW_USAGE,
                           "--set %s: gram trains nothing; `widthwise resume %s` with it goes on "
                           "training",
                           self->settings.texts[i], options->operand);
    WW_TRY(ww_session_hold(self, options->operand, NULL, error));
    return ww_session_resume(self, options->wait_lock, error);
}

ww_status ww_app_gram_command(const ww_parallel *parallel, int count, char **words, ww_error *error)
{
    gram_options given = {.member = WW_ALL_MEMBERS};
    ww_session self = ww_session_make(parallel);
    self.only_gram = true;
    const ww_option options[] = {
        {"--output", "-o", WW_OPTION_TEXT, &given.output},
        {"--set", NULL, WW_OPTION_TEXTS, &self.settings},
        {"--member", NULL, WW_OPTION_INTEGER, &given.member},
        {"--force", NULL, WW_OPTION_FLAG, &given.force},
        {"--wall-time", NULL, WW_OPTION_TEXT, &self.ending.wall_time},
        {"--profile", NULL, WW_OPTION_MAYBE_TEXT, &self.profile_path},
        {"--wait-lock", NULL, WW_OPTION_INTEGER, &given.wait_lock},
        {"--quiet", "-q", WW_OPTION_FLAG, &self.quiet},
    };
    bool is_file = false;
    ww_status status = ww_session_begin(&self, "gram", options, sizeof options / sizeof options[0],
                                        count, words, &given.operand, 1, error);
    if (status == WW_OK)
        status = is_hdf5(given.operand, self.parallel, &is_file, error);
    if (status == WW_OK)
        status = is_file ? go_on(&self, &given, error) : begin(&self, &given, error);
    ww_session_end(&self);
    return status;
}
