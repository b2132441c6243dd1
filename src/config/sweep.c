#include "config/layers.h"

#include <stdio.h>
#include <string.h>

enum { MOST_MEMBERS = 10000 };

// Checks that `path` may be swept and that `node` is a list of values for it.
static ww_status check_axis(const char *path, const yaml_node_t *node, const ww_place *place,
                            ww_error *error)
{
    const size_t index = ww_key_find(path);
    if (index == ww_key_count() && ww_key_is_section(path))
        return ww_refuse(error, place,
                         "sweep.%s is a section; in a sweep write whole keys, such as "
                         "network.width: [500, 1000]",
                         path);
    if (strcmp(path, "name") == 0)
        return ww_refuse(error, place, "name cannot be swept: the experiment has one name");
    if (index == ww_key_count())
        return ww_unknown_key(path, place, error);
    if (node->type != YAML_SEQUENCE_NODE || ww_node_is_tagged(node) || ww_node_items(node) == 0) {
        char found[WW_PATH_LIMIT];
        ww_node_describe(node, found, sizeof found);
        const bool list = node->type == YAML_SEQUENCE_NODE && !ww_node_is_tagged(node);
        return ww_refuse(error, place,
                         "sweep.%s must be a list of the values that %s takes, but %s was found",
                         path, path,
                         list                      ? "an empty list"
                         : ww_node_is_tagged(node) ? "a tag"
                                                   : found);
    }
    return WW_OK;
}

static ww_status append(ww_sweep *sweep, size_t axis, const char *path, const ww_given *list,
                        ww_error *error)
{
    WW_TRY(check_axis(path, list->node, &list->place, error));
    const size_t key = ww_key_find(path);
    for (size_t i = 0; i < sweep->count; i++)
        if (sweep->swept[i].key == key)
            return ww_refuse(error, &list->place, "%s is swept twice; keep one", path);
    WW_ASSERT(sweep->count < WW_KEY_LIMIT);
    sweep->swept[sweep->count++] = (ww_swept){key, axis, *list};
    return WW_OK;
}

// Pair `index` of a mapping, with its own place.
static ww_status take_pair(ww_document *document, yaml_node_t *mapping, size_t index,
                           const char *prefix, const ww_place *place, const char **path,
                           ww_given *list, ww_error *error)
{
    yaml_node_t *name = NULL, *value = NULL;
    ww_node_pair(document, mapping, index, &name, &value);
    *list = (ww_given){document, value, *place};
    if (place->setting == NULL)
        list->place.line = ww_node_line(name);
    *path = ww_pair_name(name, &list->place, error);
    if (*path == NULL)
        return WW_USAGE;
    return ww_check_repeated(document, mapping, index, prefix, &list->place, error);
}

static ww_status check_mapping(const char *path, const yaml_node_t *node, const ww_place *place,
                               ww_error *error)
{
    char found[WW_PATH_LIMIT];
    if (node->type == YAML_MAPPING_NODE && !ww_node_is_tagged(node))
        return WW_OK;
    ww_node_describe(node, found, sizeof found);
    return ww_refuse(error, place,
                     "%s must be a mapping of keys to lists of values, such as "
                     "{seed: [1, 2, 3]}, but %s was found",
                     path, ww_node_is_tagged(node) ? "a tag" : found);
}

// Keys that move together: lists of the same length, all on one axis.
static ww_status read_zip(ww_sweep *sweep, size_t axis, const ww_given *zip, ww_error *error)
{
    WW_TRY(check_mapping("sweep.zip", zip->node, &zip->place, error));
    const size_t first = sweep->count;
    for (size_t i = 0; i < ww_node_pairs(zip->node); i++) {
        const char *path = NULL;
        ww_given list = {0};
        WW_TRY(
            take_pair(zip->document, zip->node, i, "sweep.zip", &zip->place, &path, &list, error));
        WW_TRY(append(sweep, axis, path, &list, error));
        const ww_swept *leader = &sweep->swept[first];
        const size_t length = ww_node_items(list.node), wanted = ww_node_items(leader->list.node);
        if (length != wanted)
            return ww_refuse(error, &list.place,
                             "keys under sweep.zip move together, but %s has %zu values and %s has "
                             "%zu; make the lists equally long",
                             path, length, ww_key_at(leader->key)->path, wanted);
    }
    return WW_OK;
}

ww_status ww_sweep_read(ww_sweep *sweep, ww_document *document, yaml_node_t *node,
                        const ww_place *place, ww_error *error)
{
    WW_TRY(check_mapping("sweep", node, place, error));
    for (size_t i = 0; i < sweep->count && place->setting != NULL; i++)
        if (sweep->swept[i].list.place.setting != NULL)
            return ww_refuse(error, place, "the sweep is set twice; keep one --set of it");
    if (place->setting != NULL)
        *sweep = (ww_sweep){0};
    for (size_t i = 0; i < ww_node_pairs(node); i++) {
        const char *path = NULL;
        ww_given list = {0};
        WW_TRY(take_pair(document, node, i, "sweep", place, &path, &list, error));
        const size_t axis = sweep->axis_count++;
        if (strcmp(path, "zip") == 0)
            WW_TRY(read_zip(sweep, axis, &list, error));
        else
            WW_TRY(append(sweep, axis, path, &list, error));
    }
    return WW_OK;
}

void ww_sweep_remove(ww_sweep *sweep, size_t key)
{
    size_t kept = 0;
    for (size_t i = 0; i < sweep->count; i++)
        if (sweep->swept[i].key != key)
            sweep->swept[kept++] = sweep->swept[i];
    sweep->count = kept;
}

ww_status ww_sweep_add(ww_sweep *sweep, ww_document *document, const char *path, yaml_node_t *node,
                       const ww_place *place, ww_error *error)
{
    const ww_given list = {document, node, *place};
    const size_t key = ww_key_find(path);
    for (size_t i = 0; i < sweep->count && place->setting != NULL; i++)
        if (sweep->swept[i].key == key && sweep->swept[i].list.place.setting == NULL)
            ww_sweep_remove(sweep, key);
    return append(sweep, sweep->axis_count++, path, &list, error);
}

// Number of values on an axis: 1 for one that has lost its keys.
static size_t axis_length(const ww_sweep *sweep, size_t axis)
{
    for (size_t i = 0; i < sweep->count; i++)
        if (sweep->swept[i].axis == axis)
            return ww_node_items(sweep->swept[i].list.node);
    return 1;
}

ww_status ww_sweep_members(const ww_sweep *sweep, const char *origin, size_t *members,
                           ww_error *error)
{
    *members = 1;
    for (size_t axis = 0; axis < sweep->axis_count; axis++) {
        const size_t length = axis_length(sweep, axis);
        if (length > MOST_MEMBERS / *members)
            return ww_fail(error, WW_USAGE,
                           "%s: the sweep has more than %d members; divide it over several files",
                           origin, MOST_MEMBERS);
        *members *= length;
    }
    return WW_OK;
}

size_t ww_sweep_item(const ww_sweep *sweep, const ww_swept *swept, size_t member)
{
    for (size_t axis = sweep->axis_count; axis-- > swept->axis + 1;)
        member /= axis_length(sweep, axis);
    return member % axis_length(sweep, swept->axis);
}
