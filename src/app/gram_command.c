// widthwise gram.

#include "app/app.h"
#include "app/experiment.h"
#include "app/options.h"
#include "app/provenance.h"
#include "app/session.h"
#include "widthwise/clock.h"
#include "widthwise/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// What the command line gave.
typedef struct gram_options {
    const char *operand, *output;
    ww_option_texts settings;
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

static ww_status begin(ww_session *self, const gram_options *options, const char *command,
                       ww_error *error)
{
    char *default_output = NULL;
    WW_TRY(ww_app_read_experiment(self->parallel, options->operand, &options->settings,
                                  &self->experiment, error));
    ww_status status = WW_OK;
    for (size_t i = 0; i < self->experiment.count && status == WW_OK; i++)
        status = ww_config_want_gram(&self->experiment.members[i], error);
    self->waiting = (int64_t)self->experiment.count;
    self->path = options->output;
    if (status == WW_OK && self->path == NULL) {
        default_output = ww_format(error, "%s.h5", self->experiment.members[0].name);
        self->path = default_output;
        status = default_output != NULL ? WW_OK : WW_FAILED;
    }
    status = ww_agree(self->parallel, status, error);
    if (status == WW_OK)
        status = ww_ending_begin(&self->ending, self->path, self->parallel, error);
    if (status == WW_OK)
        status = ww_session_create_and_run(self, options->member, options->force, command, error);
    ww_ending_end(&self->ending);
    free(default_output);
    return status;
}

static ww_status go_on(ww_session *self, const gram_options *options, const char *command,
                       ww_error *error)
{
    if (options->output != NULL || options->force || options->member != WW_ALL_MEMBERS)
        return ww_fail(error, WW_USAGE,
                       "gram %s: results go into that file, for all its members; -o, --force and "
                       "--member are for a configuration",
                       options->operand);
    static const char training[] = "training.";
    for (size_t i = 0; i < options->settings.count; i++)
        if (strncmp(options->settings.texts[i], training, sizeof training - 1) == 0)
            return ww_fail(error, WW_USAGE,
                           "--set %s: gram trains nothing; `widthwise resume %s` with it goes on "
                           "training",
                           options->settings.texts[i], options->operand);
    self->path = options->operand;
    ww_status status = ww_ending_begin(&self->ending, self->path, self->parallel, error);
    if (status == WW_OK)
        status = ww_session_resume(self, &options->settings, options->wait_lock, command, error);
    ww_ending_end(&self->ending);
    return status;
}

ww_status ww_app_gram_command(const ww_parallel *parallel, int count, char **words, ww_error *error)
{
    const char *operands[1] = {NULL};
    gram_options given = {.member = WW_ALL_MEMBERS};
    ww_session self = {
        .parallel = parallel, .began = ww_seconds(), .ending = {.until = -1}, .only_gram = true};
    const ww_option options[] = {
        {"--output", "-o", WW_OPTION_TEXT, &given.output},
        {"--set", NULL, WW_OPTION_TEXTS, &given.settings},
        {"--member", NULL, WW_OPTION_INTEGER, &given.member},
        {"--force", NULL, WW_OPTION_FLAG, &given.force},
        {"--wall-time", NULL, WW_OPTION_TEXT, &self.ending.wall_time},
        {"--wait-lock", NULL, WW_OPTION_INTEGER, &given.wait_lock},
        {"--quiet", "-q", WW_OPTION_FLAG, &self.quiet},
    };
    bool is_file = false;
    char *command = ww_command_text("gram", count, words, error);
    ww_status status = command != NULL ? WW_OK : WW_FAILED;
    if (status == WW_OK)
        status = ww_options_parse("gram", options, sizeof options / sizeof options[0], count, words,
                                  operands, 1, error);
    status = ww_agree(parallel, status, error);
    given.operand = operands[0];
    if (status == WW_OK)
        status = is_hdf5(given.operand, parallel, &is_file, error);
    if (status == WW_OK)
        status =
            is_file ? go_on(&self, &given, command, error) : begin(&self, &given, command, error);
    ww_session_free(&self);
    free(given.settings.texts);
    free(command);
    return status;
}
