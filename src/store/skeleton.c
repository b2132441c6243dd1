#include "store/skeleton.h"

#include "store/hdf5_tools.h"
#include "widthwise/memory.h"

#include <errno.h>
#include <string.h>

static hid_t fixed_text(size_t size)
{
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, size);
    return type;
}

static bool write_text_attribute(hid_t object, const char *name, const char *text)
{
    const hid_t type = fixed_text(strlen(text) + 1);
    const hid_t space = H5Screate(H5S_SCALAR);
    const hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    const bool written = H5Awrite(attribute, type, text) >= 0;
    H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
    return written;
}

static bool write_integer_attribute(hid_t object, const char *name, int64_t value)
{
    const hid_t space = H5Screate(H5S_SCALAR);
    const hid_t attribute =
        H5Acreate2(object, name, H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT);
    const bool written = H5Awrite(attribute, H5T_NATIVE_INT64, &value) >= 0;
    H5Aclose(attribute);
    H5Sclose(space);
    return written;
}

/// Properties of every dataset: a fixed place in the file from the start, so that a write to it
/// never touches metadata.
static hid_t dataset_properties(void)
{
    const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_layout(properties, H5D_CONTIGUOUS);
    H5Pset_alloc_time(properties, H5D_ALLOC_TIME_EARLY);
    H5Pset_fill_time(properties, H5D_FILL_TIME_NEVER);
    H5Pset_obj_track_times(properties, false);
    return properties;
}

/// Creates the dataset with its attributes and, for texts, its value. False where HDF5 fails.
static bool create_dataset(hid_t file, const ww_plan_item *item)
{
    const hid_t properties = dataset_properties();
    const hid_t links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    hid_t type = H5I_INVALID_HID;
    switch (item->type) {
    case WW_PLAN_INTEGER:
        type = H5Tcopy(H5T_STD_I64LE);
        break;
    case WW_PLAN_REAL:
        type = H5Tcopy(H5T_IEEE_F64LE);
        break;
    case WW_PLAN_TEXT:
        type = fixed_text(item->text_size);
        break;
    }
    hsize_t extent[WW_ARRAY_RANK] = {0};
    for (int axis = 0; axis < item->rank; axis++)
        extent[axis] = (hsize_t)item->extent[axis];
    const hid_t space =
        item->rank == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(item->rank, extent, NULL);
    const hid_t dataset = H5Dcreate2(file, item->path, type, space, links, properties, H5P_DEFAULT);
    bool created = dataset >= 0 &&
                   write_text_attribute(dataset, "description", item->description) &&
                   write_text_attribute(dataset, "units", item->units);
    if (created && item->source != NULL && item->source[0] != '\0')
        created = write_text_attribute(dataset, "source", item->source);
    if (created && item->type == WW_PLAN_TEXT)
        created = H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, item->value) >= 0;
    H5Dclose(dataset);
    H5Sclose(space);
    H5Tclose(type);
    H5Pclose(links);
    H5Pclose(properties);
    return created;
}

/// Writes what a dataset of numbers holds from the start.
static ww_status fill_dataset(hid_t file, const char *file_name, const ww_plan_item *item,
                              ww_error *error)
{
    if (item->type == WW_PLAN_TEXT || item->fill == WW_PLAN_EMPTY)
        return WW_OK;
    ww_array array;
    WW_TRY(ww_array_open(file, file_name, ww_copy_text(item->path, error), 0, &array, error));
    const ww_status status =
        item->fill == WW_PLAN_BLANK
            ? ww_array_blank(&array, 0, error)
            : ww_array_write(&array, 0, 0, ww_array_rows(&array), item->value, error);
    ww_array_close(&array);
    return status;
}

ww_status ww_skeleton_root(hid_t file, const char *file_name, const char *format, ww_error *error)
{
    errno = 0;
    if (!write_text_attribute(file, "format", format) ||
        !write_integer_attribute(file, "schema_version", WW_SCHEMA_VERSION) ||
        !write_text_attribute(file, "features", ""))
        return ww_fail_writing(file_name, "its root attributes", error);
    return WW_OK;
}

ww_status ww_skeleton_add(hid_t file, const char *file_name, const ww_plan_item *item,
                          ww_error *error)
{
    errno = 0;
    if (!create_dataset(file, item))
        return ww_fail_writing(file_name, item->path, error);
    return fill_dataset(file, file_name, item, error);
}

ww_status ww_skeleton_add_all(hid_t file, const char *file_name, const ww_plan *plan,
                              ww_error *error)
{
    for (size_t i = 0; i < plan->count; i++)
        WW_TRY(ww_skeleton_add(file, file_name, &plan->items[i], error));
    return WW_OK;
}
