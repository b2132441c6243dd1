/// Which members a file has.
#ifndef WIDTHWISE_STORE_MEMBERS_H
#define WIDTHWISE_STORE_MEMBERS_H

#include "widthwise/error.h"

#include <hdf5.h>
#include <stddef.h>
#include <stdint.h>

/// Numbers NNNN of all groups /runs/runNNNN, rising, in a new array; at least one, else WW_FAILED.
ww_status ww_members_list(hid_t file, const char *path, int64_t **indices, size_t *count,
                          ww_error *error);

#endif
