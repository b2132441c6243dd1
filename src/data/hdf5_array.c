// Datasets of a file of the user's, with errors that name file, dataset and key.

#include "data/hdf5_array.h"

#include "data/source.h"

#include "widthwise/memory.h"

#include <stdio.h>
#include <string.h>

enum { LIST_SIZE = 2048 };

/// Keeps the innermost entry. Those of the file driver run over two lines with addresses and the
/// time; what matters of them is how they begin and the message of the system.
static herr_t first_description(unsigned number, const H5E_error2_t *entry, void *text)
{
    static const char mark[] = "error message = '";
    if (number != 0 || entry->desc == NULL)
        return 0;
    const char *details = strstr(entry->desc, ": time = ");
    const char *message = strstr(entry->desc, mark);
    if (details == NULL || message == NULL) {
        (void)snprintf(text, WW_HDF5_CAUSE_SIZE, "%.*s", (int)strcspn(entry->desc, "\n"),
                       entry->desc);
        return 0;
    }
    message += sizeof mark - 1;
    (void)snprintf(text, WW_HDF5_CAUSE_SIZE, "%.*s: %.*s", (int)(details - entry->desc),
                   entry->desc, (int)strcspn(message, "'\n"), message);
    return 0;
}

void ww_hdf5_cause(char *text)
{
    (void)snprintf(text, WW_HDF5_CAUSE_SIZE, "no reason given");
    (void)H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, first_description, text);
}

static ww_status read_failed(const ww_hdf5_array *array, ww_error *error)
{
    char cause[WW_HDF5_CAUSE_SIZE];
    ww_hdf5_cause(cause);
    return ww_data_fail(array->config, array->key, error,
                        "dataset '%s' of '%s' cannot be read (HDF5: %s); check the file",
                        array->name, array->config->data.hdf5.file, cause);
}

/// Names of what lies in the root group, for messages.
static void list_names(hid_t file, char *text, size_t size)
{
    H5G_info_t group;
    size_t used = 0;
    text[0] = '\0';
    if (H5Gget_info(file, &group) < 0)
        return;
    for (hsize_t i = 0; i < group.nlinks && used + 1 < size; i++) {
        char name[256] = "";
        if (H5Lget_name_by_idx(file, ".", H5_INDEX_NAME, H5_ITER_INC, i, name, sizeof name,
                               H5P_DEFAULT) < 0)
            return;
        const int written =
            snprintf(text + used, size - used, "%s'%s'", used == 0 ? "" : ", ", name);
        used += written > 0 ? (size_t)written : 0;
    }
}

static ww_status inspect_type(ww_hdf5_array *array, ww_error *error)
{
    const hid_t type = H5Dget_type(array->set);
    if (type < 0)
        return read_failed(array, error);
    const H5T_class_t kind = H5Tget_class(type);
    (void)H5Tclose(type);
    array->is_integer = kind == H5T_INTEGER;
    if (kind != H5T_INTEGER && kind != H5T_FLOAT)
        return ww_data_fail(array->config, array->key, error,
                            "dataset '%s' of '%s' holds neither integers nor floating-point "
                            "numbers; convert it",
                            array->name, array->config->data.hdf5.file);
    return WW_OK;
}

static ww_status inspect_shape(ww_hdf5_array *array, ww_error *error)
{
    const hid_t space = H5Dget_space(array->set);
    if (space < 0)
        return read_failed(array, error);
    const bool simple = H5Sget_simple_extent_type(space) == H5S_SIMPLE;
    array->rank = simple ? H5Sget_simple_extent_dims(space, array->extent, NULL) : 0;
    (void)H5Sclose(space);
    const char *file = array->config->data.hdf5.file;
    if (array->rank < 1)
        return ww_data_fail(array->config, array->key, error,
                            "dataset '%s' of '%s' is a scalar or empty; an axis of samples is "
                            "wanted",
                            array->name, file);
    array->row_values = 1;
    for (int a = 0; a < array->rank; a++) {
        if (array->extent[a] == 0)
            return ww_data_fail(array->config, array->key, error,
                                "dataset '%s' of '%s' is empty: axis %d has extent 0", array->name,
                                file, a);
        if (array->extent[a] > (hsize_t)INT64_MAX)
            return ww_data_fail(array->config, array->key, error,
                                "dataset '%s' of '%s' has an axis above 2^63", array->name, file);
        if (a > 0)
            WW_TRY(ww_multiply(array->row_values, (int64_t)array->extent[a], array->name,
                               &array->row_values, error));
    }
    array->rows = (int64_t)array->extent[0];
    return WW_OK;
}

void ww_hdf5_close(ww_hdf5_array *array)
{
    if (array->set >= 0)
        (void)H5Dclose(array->set);
    array->set = H5I_INVALID_HID;
}

ww_status ww_hdf5_open(const ww_config *config, hid_t file, const char *key, const char *name,
                       ww_hdf5_array *array, ww_error *error)
{
    *array = (ww_hdf5_array){.config = config, .key = key, .name = name, .set = H5I_INVALID_HID};
    array->set = H5Dopen2(file, name, H5P_DEFAULT);
    if (array->set < 0) {
        char names[LIST_SIZE];
        list_names(file, names, sizeof names);
        return ww_data_fail(config, key, error, "'%s' has no dataset '%s'; at its top it has %s",
                            config->data.hdf5.file, name, names[0] == '\0' ? "nothing" : names);
    }
    ww_status status = inspect_type(array, error);
    if (status == WW_OK)
        status = inspect_shape(array, error);
    if (status != WW_OK)
        ww_hdf5_close(array);
    return status;
}

ww_status ww_hdf5_read(const ww_hdf5_array *array, int64_t first, int64_t count, hid_t type,
                       void *out, ww_error *error)
{
    hsize_t start[H5S_MAX_RANK] = {0};
    hsize_t extent[H5S_MAX_RANK];
    memcpy(extent, array->extent, sizeof extent);
    start[0] = (hsize_t)first;
    extent[0] = (hsize_t)count;
    const hid_t in_file = H5Dget_space(array->set);
    const hid_t in_memory = H5Screate_simple(array->rank, extent, NULL);
    herr_t done = -1;
    if (in_file >= 0 && in_memory >= 0 &&
        H5Sselect_hyperslab(in_file, H5S_SELECT_SET, start, NULL, extent, NULL) >= 0)
        done = H5Dread(array->set, type, in_memory, in_file, H5P_DEFAULT, out);
    const ww_status status = done < 0 ? read_failed(array, error) : WW_OK;
    if (in_memory >= 0)
        (void)H5Sclose(in_memory);
    if (in_file >= 0)
        (void)H5Sclose(in_file);
    return status;
}
