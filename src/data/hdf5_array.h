/// One dataset of a file of the user's. Private to src/data.
#ifndef WIDTHWISE_DATA_HDF5_ARRAY_H
#define WIDTHWISE_DATA_HDF5_ARRAY_H

#include "widthwise/config.h"
#include "widthwise/error.h"

#include <hdf5.h>
#include <stdbool.h>
#include <stdint.h>

enum { WW_HDF5_CAUSE_SIZE = 512 };

/// One open dataset, and what is known of it.
typedef struct ww_hdf5_array {
    const ww_config *config;
    const char *key, *name; ///< key in the configuration, and the dataset it names
    hid_t set;
    bool is_integer;
    int rank;
    hsize_t extent[H5S_MAX_RANK];
    int64_t rows, row_values; ///< extent of the first axis; product of the others
} ww_hdf5_array;

/// The innermost reason that HDF5 gives for its last failure, into text [WW_HDF5_CAUSE_SIZE].
void ww_hdf5_cause(char *text);

/// Opens dataset `name`, which `key` of the configuration names. WW_USAGE: there is none, or it
/// holds no numbers, or none at all. Not collective. Close it.
ww_status ww_hdf5_open(const ww_config *config, hid_t file, const char *key, const char *name,
                       ww_hdf5_array *array, ww_error *error);
void ww_hdf5_close(ww_hdf5_array *array);

/// Rows first .. first + count - 1, converted to `type`, into out [count, row_values]. WW_USAGE:
/// they cannot be read. Not collective.
ww_status ww_hdf5_read(const ww_hdf5_array *array, int64_t first, int64_t count, hid_t type,
                       void *out, ww_error *error);

#endif
