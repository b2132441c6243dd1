#include "config/check.h"
#include "config/layers.h"
#include "config/value.h"

#include "widthwise/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Everything that lives as long as the parsing does.
typedef struct config_reader {
    const char *origin;
    char *folder;          // absolute
    ww_document document;  // of the user
    ww_document *settings; // [setting_count]
    size_t setting_count;
    ww_document defaults[WW_MODEL_COUNT];
    ww_layers model_defaults[WW_MODEL_COUNT]; // values of each preset
    ww_layers layers;                         // what the user gave
    bool used[WW_KEY_LIMIT];                  // by position: some member has a use for the key
} config_reader;

static char *absolute_folder(const char *folder, ww_error *error)
{
    if (folder != NULL && folder[0] == '/')
        return ww_copy_text(folder, error);
    char *here = getcwd(NULL, 0);
    if (here == NULL) {
        (void)ww_fail(error, WW_FAILED, "the current folder cannot be found: %s", strerror(errno));
        return NULL;
    }
    char *whole = ww_format(error, "%s/%s", here, folder == NULL ? "" : folder);
    free(here);
    return whole;
}

// The defaults of one preset, by way of the same YAML that a user would write.
static ww_status read_defaults(config_reader *reader, ww_model model, ww_error *error)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (stream == NULL)
        return ww_fail(error, WW_FAILED, "out of memory for the default configuration");
    for (size_t index = 0; index < ww_key_count(); index++) {
        const ww_key *key = ww_key_at(index);
        if (key->default_from == WW_DEFAULT_VALUE)
            fprintf(stream, "%s: %s\n", key->path, key->value);
    }
    for (const ww_preset_value *value = ww_preset_of(model)->values; value->path != NULL; value++)
        fprintf(stream, "%s: %s\n", value->path, value->value);
    if (fclose(stream) != 0) {
        free(text);
        return ww_fail(error, WW_FAILED, "out of memory for the default configuration");
    }
    const ww_place place = {.origin = "built-in default"};
    yaml_node_t *root = NULL;
    ww_status status = ww_document_load(&reader->defaults[model], text, &place, &root, error);
    if (status == WW_OK)
        status = ww_layers_read(&reader->model_defaults[model], &reader->defaults[model], root,
                                &place, error);
    free(text);
    return status;
}

static ww_status read_layers(config_reader *reader, const char *text, const char *const *settings,
                             size_t set_count, ww_error *error)
{
    const ww_place place = {.origin = reader->origin};
    yaml_node_t *root = NULL;
    WW_TRY(ww_document_load(&reader->document, text, &place, &root, error));
    WW_TRY(ww_layers_read(&reader->layers, &reader->document, root, &place, error));
    reader->settings = ww_allocate(set_count, sizeof *reader->settings, "the settings", error);
    if (reader->settings == NULL)
        return WW_FAILED;
    reader->setting_count = set_count;
    for (size_t i = 0; i < set_count; i++)
        WW_TRY(ww_layers_set(&reader->layers, &reader->settings[i], reader->origin, settings[i],
                             error));
    for (size_t model = 0; model < WW_MODEL_COUNT; model++)
        WW_TRY(read_defaults(reader, (ww_model)model, error));
    return WW_OK;
}

// What is given for every key in member `member`: the user's values, those of the sweep on top.
static void give_member(const config_reader *reader, size_t member, ww_given *given)
{
    const ww_sweep *sweep = &reader->layers.sweep;
    memcpy(given, reader->layers.given, sizeof reader->layers.given);
    for (size_t i = 0; i < sweep->count; i++) {
        const ww_swept *swept = &sweep->swept[i];
        ww_given *value = &given[swept->key];
        *value = swept->list;
        value->node = ww_node_item(swept->list.document, swept->list.node,
                                   ww_sweep_item(sweep, swept, member));
        if (value->place.setting == NULL)
            value->place.line = ww_node_line(value->node);
    }
}

static ww_status read_key(const config_reader *reader, size_t index, const ww_given *given,
                          ww_config *config, ww_error *error)
{
    const ww_key *key = ww_key_at(index);
    const ww_given *value = &given[index];
    config->lines[index] = 0;
    if (value->node != NULL && ww_key_in_use(key, config))
        config->lines[index] = value->place.setting != NULL ? -1 : value->place.line;
    else // members of a sweep differ in what they use; a key without effect has its default
        value = &reader->model_defaults[config->model].given[index];
    if (value->node == NULL) // derived, or required
        return WW_OK;
    return ww_value_read(key, value, reader->folder, config, error);
}

static ww_status read_member(config_reader *reader, const ww_given *given, ww_config *config,
                             ww_error *error)
{
    config->origin = ww_copy_text(reader->origin, error);
    config->lines = ww_allocate(ww_key_count(), sizeof *config->lines, "line numbers", error);
    if (config->origin == NULL || config->lines == NULL)
        return WW_FAILED;
    const size_t model = ww_key_find("model");
    WW_TRY(read_key(reader, model, given, config, error)); // before all: it has the defaults
    ww_config_derive_choices(config, given);
    for (size_t index = 0; index < ww_key_count(); index++)
        if (index != model)
            WW_TRY(read_key(reader, index, given, config, error));
    WW_TRY(ww_config_derive(config, given, error));
    for (size_t index = 0; index < ww_key_count(); index++)
        if (ww_key_in_use(ww_key_at(index), config))
            reader->used[index] = true;
    return WW_OK;
}

// "network.width=500 seed=2": the swept keys with their values in this member.
static char *make_label(const ww_sweep *sweep, const ww_config *config, ww_error *error)
{
    char *label = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&label, &size);
    if (stream == NULL) {
        (void)ww_fail(error, WW_FAILED, "out of memory for the label of a member");
        return NULL;
    }
    const char *space = "";
    for (size_t i = 0; i < sweep->count; i++, space = " ") {
        const ww_key *key = ww_key_at(sweep->swept[i].key);
        fprintf(stream, "%s%s=", space, key->path);
        if (key->type == WW_KEY_CHOICE) // as people write it, without quotes around "true"
            fputs(key->choices[*(const int *)ww_key_value(key, config)], stream);
        else
            ww_value_print(key, config, stream);
    }
    if (fclose(stream) != 0) {
        free(label);
        (void)ww_fail(error, WW_FAILED, "out of memory for the label of a member");
        return NULL;
    }
    return label;
}

static int compare_labels(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

// Two members with the same values would be the same run twice.
static ww_status check_labels(const ww_experiment *experiment, const char *origin, ww_error *error)
{
    char **sorted = ww_allocate(experiment->count, sizeof *sorted, "labels of members", error);
    if (sorted == NULL)
        return WW_FAILED;
    memcpy(sorted, experiment->labels, experiment->count * sizeof *sorted);
    qsort(sorted, experiment->count, sizeof *sorted, compare_labels);
    ww_status status = WW_OK;
    for (size_t i = 1; i < experiment->count && status == WW_OK; i++)
        if (strcmp(sorted[i - 1], sorted[i]) == 0)
            status = ww_fail(error, WW_USAGE,
                             "%s: the sweep has the member %s twice; name every value once", origin,
                             sorted[i]);
    free(sorted);
    return status;
}

// A key that no member has a use for was given in vain. (In a sweep over data.source, say, each
// source may have its keys.)
static ww_status check_unused(const config_reader *reader, const ww_config *first, ww_error *error)
{
    const ww_layers *layers = &reader->layers;
    for (size_t index = 0; index < ww_key_count(); index++)
        if (layers->given[index].node != NULL && !reader->used[index])
            return ww_refuse_unused(first, index, &layers->given[index].place, error);
    for (size_t i = 0; i < layers->sweep.count; i++)
        if (!reader->used[layers->sweep.swept[i].key])
            return ww_refuse_unused(first, layers->sweep.swept[i].key,
                                    &layers->sweep.swept[i].list.place, error);
    return WW_OK;
}

// Says which member of a sweep a message is about.
static ww_status name_member(const ww_experiment *experiment, size_t member, ww_status status,
                             ww_error *error)
{
    if (status != WW_OK && experiment->count > 1 && experiment->labels[member] != NULL)
        ww_error_prefix(error, "member %zu (%s): ", member, experiment->labels[member]);
    return status;
}

static ww_status read_members(config_reader *reader, ww_experiment *experiment, ww_error *error)
{
    size_t count = 0;
    WW_TRY(ww_sweep_members(&reader->layers.sweep, reader->origin, &count, error));
    experiment->members =
        ww_allocate(count, sizeof *experiment->members, "the members of the sweep", error);
    experiment->labels =
        ww_allocate(count, sizeof *experiment->labels, "the labels of the sweep", error);
    if (experiment->members == NULL || experiment->labels == NULL)
        return WW_FAILED;
    experiment->count = count;
    ww_given given[WW_KEY_LIMIT];
    for (size_t member = 0; member < count; member++) {
        ww_config *config = &experiment->members[member];
        give_member(reader, member, given);
        WW_TRY(read_member(reader, given, config, error));
        experiment->labels[member] = make_label(&reader->layers.sweep, config, error);
        if (experiment->labels[member] == NULL)
            return WW_FAILED;
    }
    WW_TRY(check_unused(reader, &experiment->members[0], error));
    WW_TRY(check_labels(experiment, reader->origin, error));
    for (size_t member = 0; member < count; member++) {
        give_member(reader, member, given);
        WW_TRY(name_member(experiment, member,
                           ww_config_check(&experiment->members[member], given, error), error));
    }
    return ww_experiment_check_overlap(experiment, reader->origin, error);
}

static void free_reader(config_reader *reader)
{
    free(reader->folder);
    ww_document_free(&reader->document);
    for (size_t i = 0; i < reader->setting_count; i++)
        ww_document_free(&reader->settings[i]);
    free(reader->settings);
    for (size_t model = 0; model < WW_MODEL_COUNT; model++)
        ww_document_free(&reader->defaults[model]);
    free(reader);
}

ww_status ww_experiment_parse(const char *text, const char *origin, const char *folder,
                              const char *const *settings, size_t set_count,
                              ww_experiment *experiment, ww_error *error)
{
    *experiment = (ww_experiment){0};
    // On the heap: with its tables it is too large for a thread's stack to be sure of.
    config_reader *reader = ww_allocate(1, sizeof *reader, "reading the configuration", error);
    if (reader == NULL)
        return WW_FAILED;
    reader->origin = origin;
    reader->folder = absolute_folder(folder, error);
    ww_status status = reader->folder == NULL ? WW_FAILED : WW_OK;
    if (status == WW_OK)
        status = read_layers(reader, text, settings, set_count, error);
    if (status == WW_OK)
        status = read_members(reader, experiment, error);
    if (status != WW_OK)
        ww_experiment_free(experiment);
    free_reader(reader);
    return status;
}

void ww_experiment_free(ww_experiment *experiment)
{
    for (size_t member = 0; member < experiment->count; member++) {
        ww_config *config = &experiment->members[member];
        for (size_t index = 0; index < ww_key_count(); index++)
            ww_value_free(ww_key_at(index), config);
        free(config->origin);
        free(config->lines);
        free(experiment->labels[member]);
    }
    free(experiment->members);
    free(experiment->labels);
    *experiment = (ww_experiment){0};
}
