// widthwise construct.

#include "widthwise/construct.h"
#include "app/app.h"
#include "app/experiment.h"
#include "app/session.h"
#include "widthwise/memory.h"

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

// Of replicas the first is built, the run with the seeds of its member: they keep no weights.
static ww_status want_checks(ww_config *config, ww_error *error)
{
    config->replicas = 1;
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

static ww_status settle_member(ww_session *self, size_t i, ww_error *error)
{
    ww_config *config = &self->experiment.members[i];
    const int64_t replicas = config->replicas;
    ww_status status = ww_agree(self->parallel, want_checks(config, error), error);
    if (status == WW_OK)
        status = settle_width(self, config, error);
    if (status != WW_OK)
        ww_app_name_member((int64_t)i, self->experiment.labels[i], error);
    else if (replicas > 1 && self->parallel->rank == 0)
        printf("run%04zu: the weights of the first of %lld replicas\n", i, (long long)replicas);
    return status;
}

static ww_status settle_members(ww_session *self, int64_t chosen, ww_error *error)
{
    for (size_t i = 0; i < self->experiment.count; i++)
        if (chosen == WW_ALL_MEMBERS || chosen == (int64_t)i)
            WW_TRY(settle_member(self, i, error));
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

// What the command line gave.
typedef struct construct_options {
    const char *operands[2]; // what to build, and the configuration
    const char *output;
    int64_t member;
    bool force;
} construct_options;

static ww_status construct(ww_session *self, const construct_options *given, ww_error *error)
{
    const kind *chosen = NULL;
    ww_status status = find_kind(given->operands[0], &chosen, error);
    if (status == WW_OK && chosen != NULL)
        status = fix_settings(chosen, &self->settings, error);
    WW_TRY(ww_agree(self->parallel, status, error));
    WW_ASSERT(chosen != NULL);
    WW_TRY(ww_app_read_experiment(self->parallel, given->operands[1], &self->settings,
                                  &self->experiment, error));
    const char *name = self->experiment.members[0].name;
    char *usual =
        given->member == WW_ALL_MEMBERS
            ? ww_format(error, "%s-%s.h5", name, chosen->name)
            : ww_format(error, "%s-%s-%04lld.h5", name, chosen->name, (long long)given->member);
    WW_TRY(ww_session_hold(self, given->output, usual, error));
    WW_TRY(settle_members(self, given->member, error));
    WW_TRY(ww_session_create_and_run(self, given->member, given->force, error));
    return ww_agree(self->parallel, self->parallel->rank == 0 ? say_checks(self, error) : WW_OK,
                    error);
}

ww_status ww_app_construct(const ww_parallel *parallel, int count, char **words, ww_error *error)
{
    construct_options given = {.member = WW_ALL_MEMBERS};
    ww_session self = ww_session_make(parallel);
    const ww_option options[] = {
        {"--output", "-o", WW_OPTION_TEXT, &given.output},
        {"--set", NULL, WW_OPTION_TEXTS, &self.settings},
        {"--member", NULL, WW_OPTION_INTEGER, &given.member},
        {"--force", NULL, WW_OPTION_FLAG, &given.force},
        {"--wall-time", NULL, WW_OPTION_TEXT, &self.ending.wall_time},
        {"--quiet", "-q", WW_OPTION_FLAG, &self.quiet},
    };
    ww_status status =
        ww_session_begin(&self, "construct", options, sizeof options / sizeof options[0], count,
                         words, given.operands, 2, error);
    if (status == WW_OK)
        status = construct(&self, &given, error);
    ww_session_end(&self);
    return status;
}
