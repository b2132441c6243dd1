// widthwise construct.

#include "widthwise/construct.h"
#include "app/app.h"
#include "app/experiment.h"
#include "app/options.h"
#include "app/session.h"
#include "widthwise/clock.h"
#include "widthwise/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KINDS = 3, FIXED = 3 };

typedef struct kind {
    const char *name;
    const char *setting;
} kind;

static const kind kinds[KINDS] = {{"fit", "network.start=fit"},
                                  {"bad-fit", "network.start=bad-fit"},
                                  {"local-minimum", "network.start=local-minimum"}};

// What is looked at when the weights are there.
static const char *const quantities[] = {"loss", "train_accuracy", "test_accuracy"};

static ww_status find_kind(const char *word, const kind **found, ww_error *error)
{
    for (int i = 0; word != NULL && i < KINDS; i++)
        if (strcmp(word, kinds[i].name) == 0)
            *found = &kinds[i];
    if (*found != NULL)
        return WW_OK;
    return ww_fail(error, WW_USAGE,
                   "construct wants to know what to build, fit, bad-fit or local-minimum%s%s%s: "
                   "widthwise construct fit CONFIG",
                   word != NULL ? ", not `" : "", word != NULL ? word : "",
                   word != NULL ? "`" : "");
}

// Whether two settings are of the same key.
static bool same_key(const char *left, const char *right)
{
    const size_t length = strcspn(left, "=");
    return length == strcspn(right, "=") && strncmp(left, right, length) == 0;
}

// What the command adds to the settings of the user: the weights are built and nothing is trained.
static ww_status fix_settings(const kind *chosen, ww_option_texts *settings, ww_error *error)
{
    const char *const fixed[FIXED] = {chosen->setting, "training.steps=0", "measure.snapshots=[]"};
    for (size_t i = 0; i < settings->count; i++)
        for (int j = 0; j < FIXED; j++)
            if (same_key(settings->texts[i], fixed[j]))
                return ww_fail(error, WW_USAGE,
                               "--set %s: construct sets %s itself; leave this --set out",
                               settings->texts[i], fixed[j]);
    const char **texts = realloc(settings->texts, (settings->count + FIXED) * sizeof *texts);
    if (texts == NULL)
        return ww_fail(error, WW_FAILED, "out of memory for the settings");
    settings->texts = texts;
    for (int i = 0; i < FIXED; i++)
        texts[settings->count++] = fixed[i];
    return WW_OK;
}

static ww_status want_checks(ww_config *config, ww_error *error)
{
    if (config->replicas > 1)
        return ww_fail(error, WW_USAGE,
                       "replicas keep no weights, so there is nothing to build; take replicas: 1, "
                       "or a sweep over seeds");
    for (size_t i = 0; i < sizeof quantities / sizeof quantities[0]; i++)
        WW_TRY(ww_config_want_quantity(config, quantities[i], error));
    return ww_config_want_result(config, "neighbourhood", error);
}

// The width that is needed, where the user gave none, or one that is too small.
static ww_status settle_width(ww_session *self, ww_config *config, ww_error *error)
{
    int64_t least = 0;
    WW_TRY(ww_data_cache_get(&self->cache, config, self->parallel, error));
    WW_TRY(ww_construct_width(config, &self->cache.data, self->parallel, &least, error));
    if (ww_config_is_default(config, "network.width") && config->network.width < least)
        config->network.width = least;
    return ww_construct_check_width(config, least, error);
}

static ww_status settle_members(ww_session *self, ww_error *error)
{
    for (size_t i = 0; i < self->experiment.count; i++) {
        ww_config *config = &self->experiment.members[i];
        ww_status status = ww_agree(self->parallel, want_checks(config, error), error);
        if (status == WW_OK)
            status = settle_width(self, config, error);
        if (status != WW_OK) {
            ww_app_name_member((int64_t)i, self->experiment.labels[i], error);
            return status;
        }
    }
    return WW_OK;
}

// Numbers of one member as the file has them.
typedef struct checked {
    double loss, train_accuracy, test_accuracy;
    double gradient_norm, flat_radius, neighbours, neighbour_radius, neighbour_lowest;
} checked;

static void take(void *context, const char *group, const char *name, double value, double deviation)
{
    checked *self = context;
    (void)deviation; // there are no replicas
    const struct {
        const char *group, *name;
        double *place;
    } places[] = {
        {"trajectory", "loss", &self->loss},
        {"trajectory", "train_accuracy", &self->train_accuracy},
        {"trajectory", "test_accuracy", &self->test_accuracy},
        {"final", "gradient_norm", &self->gradient_norm},
        {"final", "flat_radius", &self->flat_radius},
        {"final", "neighbours", &self->neighbours},
        {"final", "neighbour_radius", &self->neighbour_radius},
        {"final", "neighbour_lowest", &self->neighbour_lowest},
    };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (strcmp(group, places[i].group) == 0 && strcmp(name, places[i].name) == 0)
            *places[i].place = value;
}

// What was found of all members. Rank 0.
static ww_status say_checks(const ww_session *self, ww_error *error)
{
    for (size_t i = 0; i < self->members.count; i++) {
        checked found = {0};
        WW_TRY(
            ww_store_visit_scalars(self->path, self->members.list[i].index, take, &found, error));
        printf("run%04lld: train loss %.10g, train error %.4g%%, test error %.4g%%; gradient norm "
               "%.3g, flat radius %.3g; lowest of %.0f points within %.3g: loss %+.3g\n",
               (long long)self->members.list[i].index, found.loss,
               100.0 * (1.0 - found.train_accuracy), 100.0 * (1.0 - found.test_accuracy),
               found.gradient_norm, found.flat_radius, found.neighbours, found.neighbour_radius,
               found.neighbour_lowest);
    }
    return WW_OK;
}

static ww_status construct(ww_session *self, bool force, const char *command, ww_error *error)
{
    WW_TRY(settle_members(self, error));
    WW_TRY(ww_session_create_and_run(self, WW_ALL_MEMBERS, force, command, error));
    return ww_agree(self->parallel, self->parallel->rank == 0 ? say_checks(self, error) : WW_OK,
                    error);
}

ww_status ww_app_construct(const ww_parallel *parallel, int count, char **words, ww_error *error)
{
    const char *output = NULL;
    const char *operands[2] = {NULL}; // what to build, and the configuration
    ww_option_texts settings = {0};
    bool force = false;
    const kind *chosen = NULL;
    ww_session self = {.parallel = parallel, .began = ww_seconds(), .ending = {.until = -1}};
    const ww_option options[] = {
        {"--output", "-o", WW_OPTION_TEXT, &output},
        {"--set", NULL, WW_OPTION_TEXTS, &settings},
        {"--force", NULL, WW_OPTION_FLAG, &force},
        {"--wall-time", NULL, WW_OPTION_TEXT, &self.ending.wall_time},
        {"--quiet", "-q", WW_OPTION_FLAG, &self.quiet},
    };
    char *default_output = NULL;
    char *command = ww_command_text("construct", count, words, error);
    ww_status status = command != NULL ? WW_OK : WW_FAILED;
    if (status == WW_OK)
        status = ww_options_parse("construct", options, sizeof options / sizeof options[0], count,
                                  words, operands, 2, error);
    if (status == WW_OK)
        status = find_kind(operands[0], &chosen, error);
    if (status == WW_OK && chosen != NULL)
        status = fix_settings(chosen, &settings, error);
    status = ww_agree(parallel, status, error);
    if (status == WW_OK)
        status = ww_app_read_experiment(parallel, operands[1], &settings, &self.experiment, error);
    if (status == WW_OK && output == NULL && chosen != NULL) {
        default_output =
            ww_format(error, "%s-%s.h5", self.experiment.members[0].name, chosen->name);
        output = default_output;
        status = ww_agree(parallel, output != NULL ? WW_OK : WW_FAILED, error);
    }
    self.path = output;
    if (status == WW_OK)
        status = ww_ending_begin(&self.ending, self.path, parallel, error);
    if (status == WW_OK)
        status = construct(&self, force, command, error);
    ww_ending_end(&self.ending);
    ww_session_free(&self);
    free(settings.texts);
    free(default_output);
    free(command);
    return status;
}
