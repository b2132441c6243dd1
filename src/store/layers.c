#include "store/layers.h"

#include "widthwise/memory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

char *ww_layer_path(const char *group, const char *name, int64_t layer, ww_error *error)
{
    if (layer == 1)
        return ww_format(error, "%s/%s", group, name);
    return ww_format(error, "%s/%s_%" PRId64, group, name, layer);
}

bool ww_is_layer_name(const char *found, const char *name)
{
    const size_t length = strlen(name);
    if (strncmp(found, name, length) != 0)
        return false;
    if (found[length] == '\0')
        return true;
    const char *number = found + length + 1;
    return found[length] == '_' && number[0] != '\0' &&
           strspn(number, "0123456789") == strlen(number);
}

static ww_status count_layers(hid_t file, const char *file_name, const char *group,
                              const char *name, size_t *count, ww_error *error)
{
    ww_names names = {0};
    const ww_status status = ww_names_read(file, file_name, group, &names, error);
    *count = 0;
    for (size_t i = 0; i < names.count && status == WW_OK; i++)
        *count += ww_is_layer_name(names.names[i], name);
    ww_names_free(&names);
    return status;
}

static ww_status check_layer(const char *file_name, const ww_array_list *layers, size_t number,
                             ww_error *error)
{
    const ww_array *first = &layers->arrays[0];
    const ww_array *layer = &layers->arrays[number];
    const int axis = first->row_axis; // of units
    const bool is_matrix = !layer->integer && layer->rank == axis + 2;
    if (is_matrix && layer->extent[axis] >= 1 && layer->extent[0] == first->extent[0] &&
        layer->extent[axis] == first->extent[axis] &&
        (number == 0 || layer->extent[axis + 1] == first->extent[axis]))
        return WW_OK;
    return ww_fail(error, WW_FAILED,
                   "%s: %s has another type or shape than hidden weights; the file was changed or "
                   "is damaged, restore it from a backup",
                   file_name, layer->path);
}

ww_status ww_layers_open(hid_t file, const char *file_name, const char *group, const char *name,
                         int row_axis, ww_array_list *layers, ww_error *error)
{
    size_t count = 0;
    WW_TRY(count_layers(file, file_name, group, name, &count, error));
    if (count == 0)
        count = 1; // that there is none is said by whoever opens it
    layers->arrays = ww_allocate(count, sizeof *layers->arrays, "a list of layers", error);
    if (layers->arrays == NULL)
        return WW_FAILED;
    for (size_t i = 0; i < count; i++) {
        WW_TRY(ww_array_open(file, file_name, ww_layer_path(group, name, (int64_t)i + 1, error),
                             row_axis, &layers->arrays[i], error));
        layers->count++;
        WW_TRY(check_layer(file_name, layers, i, error));
    }
    return WW_OK;
}

ww_status ww_layers_match(const char *file_name, const ww_array_list *layers,
                          const ww_array_list *reference, ww_error *error)
{
    bool same = layers->count == reference->count;
    for (size_t i = 0; i < layers->count && same; i++)
        same =
            ww_array_rows(&layers->arrays[i]) == ww_array_rows(&reference->arrays[i]) &&
            ww_array_row_values(&layers->arrays[i]) == ww_array_row_values(&reference->arrays[i]);
    if (same)
        return WW_OK;
    return ww_fail(error, WW_FAILED,
                   "%s: %s and the layers that follow do not match %s and its; the file was "
                   "changed or is damaged, restore it from a backup",
                   file_name, layers->arrays[0].path, reference->arrays[0].path);
}
