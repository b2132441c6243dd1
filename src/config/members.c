// Whether members come from one configuration.
#include "widthwise/config.h"

#include "config/check.h"
#include "config/value.h"

#include "widthwise/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The value of a key as YAML, or NULL.
static char *value_text(const ww_key *key, const ww_config *config, ww_error *error)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (stream != NULL) {
        ww_value_print(key, config, stream);
        if (fclose(stream) == 0)
            return text;
        free(text);
    }
    (void)ww_fail(error, WW_FAILED, "out of memory for the value of %s", key->path);
    return NULL;
}

static ww_status fail_value(const ww_key *key, const ww_config_member *one,
                            const ww_config_member *other, ww_error *error)
{
    char *first = value_text(key, one->config, error);
    char *second = value_text(key, other->config, error);
    ww_status status = WW_FAILED;
    if (first != NULL && second != NULL)
        status = ww_fail(error, WW_USAGE,
                         "%s is %s in %s and %s in %s, and their sweep does not vary it: they are "
                         "not of one experiment; leave one of them out",
                         key->path, first, one->name, second, other->name);
    free(first);
    free(second);
    return status;
}

static ww_status compare_sweeps(const ww_key *key, const ww_config_member *members, size_t count,
                                ww_error *error)
{
    const bool swept = ww_key_is_swept(key->path, members[0].label);
    for (size_t i = 1; i < count; i++) {
        if (ww_key_is_swept(key->path, members[i].label) == swept)
            continue;
        const ww_config_member *with = swept ? &members[0] : &members[i];
        const ww_config_member *without = swept ? &members[i] : &members[0];
        return ww_fail(error, WW_USAGE,
                       "%s is of a sweep that varies %s, and %s is not: they are not of one "
                       "experiment; leave one of them out",
                       with->name, key->path, without->name);
    }
    return WW_OK;
}

// Whether the value of a derived key is the one that the other keys give, and nobody's own.
static bool follows_from_others(const ww_key *key, const ww_config *config)
{
    const ww_given nothing[WW_KEY_LIMIT] = {0};
    ww_config derived = *config; // derived keys are plain numbers: what is pointed at stays
    return ww_config_derive(&derived, nothing, NULL) == WW_OK &&
           ww_value_equal(key, &derived, config);
}

// Compares the members that use the key with the first of them: of one preset with each other where
// the preset gives the value. Of a derived key it is the first member with a value of its own that
// all must equal; where there is none, the values differ only as the keys do that they follow from.
static ww_status compare_values(const ww_key *key, const ww_config_member *members, size_t count,
                                ww_error *error)
{
    const bool derived = key->default_from == WW_DEFAULT_DERIVED;
    const ww_config_member *first[WW_MODEL_COUNT] = {NULL};
    for (size_t i = 0; i < count; i++) {
        const ww_config *config = members[i].config;
        const size_t kind = key->default_from == WW_DEFAULT_MODEL ? (size_t)config->model : 0;
        if (first[kind] == NULL && ww_key_in_use(key, config) &&
            !(derived && follows_from_others(key, config)))
            first[kind] = &members[i];
    }
    for (size_t i = 0; i < count; i++) {
        const ww_config *config = members[i].config;
        const size_t kind = key->default_from == WW_DEFAULT_MODEL ? (size_t)config->model : 0;
        if (first[kind] != NULL && ww_key_in_use(key, config) &&
            !ww_value_equal(key, first[kind]->config, config))
            return fail_value(key, first[kind], &members[i], error);
    }
    return WW_OK;
}

ww_status ww_config_compare_members(const ww_config_member *members, size_t count, ww_error *error)
{
    WW_ASSERT(count > 0);
    // What is swept first: it says more than the first key that happens to differ.
    for (size_t i = 0; i < ww_key_count(); i++)
        WW_TRY(compare_sweeps(ww_key_at(i), members, count, error));
    for (size_t i = 0; i < ww_key_count(); i++) {
        const ww_key *key = ww_key_at(i);
        if (!key->restart && !ww_key_is_swept(key->path, members[0].label))
            WW_TRY(compare_values(key, members, count, error));
    }
    return WW_OK;
}
