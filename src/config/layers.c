#include "config/layers.h"

#include <stdio.h>
#include <string.h>

ww_status ww_unknown_key(const char *path, const ww_place *place, ww_error *error)
{
    char shown[WW_PATH_LIMIT], suggestion[WW_PATH_LIMIT];
    ww_shorten(path, shown, sizeof shown);
    if (ww_key_suggest(path, suggestion, sizeof suggestion))
        return ww_refuse(error, place, "%s is not a known key; did you mean %s?", shown,
                         suggestion);
    return ww_refuse(error, place, "%s is not a known key; `widthwise list keys` names them all",
                     shown);
}

const char *ww_pair_name(const yaml_node_t *name, const ww_place *place, ww_error *error)
{
    const char *text = ww_node_text(name);
    char described[WW_PATH_LIMIT];
    if (text != NULL && !ww_node_is_tagged(name) && text[0] != '\0' && strlen(text) < WW_PATH_LIMIT)
        return text;
    ww_node_describe(name, described, sizeof described);
    (void)ww_refuse(error, place, "%s stands where the name of a key is wanted", described);
    return NULL;
}

// The place of a pair within a document: its own line, or the setting as a whole.
static ww_place place_of_pair(const ww_place *place, const yaml_node_t *name)
{
    ww_place at = *place;
    if (at.setting == NULL)
        at.line = ww_node_line(name);
    return at;
}

ww_status ww_check_repeated(ww_document *document, const yaml_node_t *mapping, size_t index,
                            const char *prefix, const ww_place *place, ww_error *error)
{
    yaml_node_t *name = NULL, *value = NULL, *earlier = NULL;
    ww_node_pair(document, mapping, index, &name, &value);
    for (size_t i = 0; i < index; i++) {
        ww_node_pair(document, mapping, i, &earlier, &value);
        const char *a = ww_node_text(name), *b = ww_node_text(earlier);
        if (a != NULL && b != NULL && strcmp(a, b) == 0)
            return ww_refuse(error, place, "%s%s%s is given twice, first in line %d; keep one",
                             prefix, prefix[0] == '\0' ? "" : ".", a, (int)ww_node_line(earlier));
    }
    return WW_OK;
}

// One value for the key at `index` of the table.
static ww_status collect_value(ww_layers *layers, size_t index, const ww_given *given,
                               ww_error *error)
{
    ww_given *there = &layers->given[index];
    const bool same_layer = (there->place.setting == NULL) == (given->place.setting == NULL);
    if (there->node != NULL && same_layer && given->place.setting != NULL)
        return ww_refuse(error, &given->place, "%s is set twice; keep one --set of it",
                         ww_key_at(index)->path);
    if (there->node != NULL && same_layer)
        return ww_refuse(error, &given->place, "%s is given twice, first in line %d; keep one",
                         ww_key_at(index)->path, (int)there->place.line);
    *there = *given;
    return WW_OK;
}

static ww_status collect_mapping(ww_layers *layers, ww_document *document, yaml_node_t *mapping,
                                 const char *prefix, const ww_place *place, ww_error *error);

// One pair: a value for a key, or a section with keys. Sections have only sections and keys that
// the table knows, so that this ends even where an alias makes a mapping contain itself.
static ww_status collect_pair(ww_layers *layers, ww_document *document, const char *path,
                              yaml_node_t *value, const ww_place *place, ww_error *error)
{
    const size_t index = ww_key_find(path);
    if (index < ww_key_count()) {
        const ww_given given = {document, value, *place};
        return collect_value(layers, index, &given, error);
    }
    if (strcmp(path, "sweep") == 0)
        return ww_sweep_read(&layers->sweep, document, value, place, error);
    if (strncmp(path, "sweep.", strlen("sweep.")) == 0)
        return ww_sweep_add(&layers->sweep, document, path + strlen("sweep."), value, place, error);
    if (!ww_key_is_section(path))
        return ww_unknown_key(path, place, error);
    if (ww_node_is_empty(value))
        return ww_refuse(error, place, "section %s has no keys; give some or leave it out", path);
    if (value->type != YAML_MAPPING_NODE || ww_node_is_tagged(value)) {
        char found[WW_PATH_LIMIT];
        ww_node_describe(value, found, sizeof found);
        return ww_refuse(error, place, "%s must be a section of keys (a mapping), but %s was found",
                         path, ww_node_is_tagged(value) ? "a tag" : found);
    }
    return collect_mapping(layers, document, value, path, place, error);
}

static ww_status collect_mapping(ww_layers *layers, ww_document *document, yaml_node_t *mapping,
                                 const char *prefix, const ww_place *place, ww_error *error)
{
    const size_t count = ww_node_pairs(mapping);
    for (size_t i = 0; i < count; i++) {
        yaml_node_t *name = NULL, *value = NULL;
        ww_node_pair(document, mapping, i, &name, &value);
        const ww_place at = place_of_pair(place, name);
        const char *text = ww_pair_name(name, &at, error);
        if (text == NULL)
            return WW_USAGE;
        char path[2 * WW_PATH_LIMIT]; // a known section, a dot, and a name
        (void)snprintf(path, sizeof path, "%s%s%s", prefix, prefix[0] == '\0' ? "" : ".", text);
        WW_TRY(ww_check_repeated(document, mapping, i, prefix, &at, error));
        WW_TRY(collect_pair(layers, document, path, value, &at, error));
    }
    return WW_OK;
}

ww_status ww_layers_read(ww_layers *layers, ww_document *document, yaml_node_t *root,
                         const ww_place *place, ww_error *error)
{
    if (root == NULL || ww_node_is_empty(root))
        return WW_OK;
    if (root->type != YAML_MAPPING_NODE || ww_node_is_tagged(root)) {
        char found[WW_PATH_LIMIT];
        ww_node_describe(root, found, sizeof found);
        const ww_place at = place_of_pair(place, root);
        return ww_refuse(error, &at,
                         "a configuration is a mapping of keys to values, such as seed: 1, but %s "
                         "was found",
                         ww_node_is_tagged(root) ? "a tag" : found);
    }
    return collect_mapping(layers, document, root, "", place, error);
}

// Takes keys that a setting fixes out of the sweep that the document asks for.
static ww_status settle_sweep(ww_layers *layers, const ww_place *place, ww_error *error)
{
    for (size_t i = layers->sweep.count; i-- > 0;) {
        const ww_swept *swept = &layers->sweep.swept[i];
        if (layers->given[swept->key].place.setting == NULL)
            continue;
        if (swept->list.place.setting != NULL)
            return ww_refuse(error, place, "%s is set and swept by settings; keep one of them",
                             ww_key_at(swept->key)->path);
        ww_sweep_remove(&layers->sweep, swept->key);
    }
    return WW_OK;
}

ww_status ww_layers_set(ww_layers *layers, ww_document *document, const char *origin,
                        const char *setting, ww_error *error)
{
    const ww_place place = {.origin = origin, .setting = setting};
    const char *equals = strchr(setting, '=');
    if (equals == NULL || equals == setting)
        return ww_refuse(error, &place,
                         "a setting is written key=value, such as network.width=100");
    char path[WW_PATH_LIMIT];
    if ((size_t)(equals - setting) >= sizeof path)
        return ww_refuse(error, &place,
                         "the name of the key is too long; `widthwise list keys` names them all");
    (void)snprintf(path, sizeof path, "%.*s", (int)(equals - setting), setting);
    yaml_node_t *root = NULL;
    WW_TRY(ww_document_load(document, equals + 1, &place, &root, error));
    if (root == NULL)
        return ww_refuse(error, &place, "%s has no value; write it after the =", path);
    WW_TRY(collect_pair(layers, document, path, root, &place, error));
    return settle_sweep(layers, &place, error);
}
