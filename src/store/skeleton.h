/// Datasets of a plan in an HDF5 file that one process has open with the serial driver: fixed
/// places from the start, so that later writes to them never touch metadata.
#ifndef WIDTHWISE_STORE_SKELETON_H
#define WIDTHWISE_STORE_SKELETON_H

#include "store/plan.h"
#include "widthwise/error.h"

#include <hdf5.h>

/// Writes the attributes of the root group; `format` says what kind of file it is.
ww_status ww_skeleton_root(hid_t file, const char *file_name, const char *format, ww_error *error);

/// Adds one dataset with its attributes and what it holds from the start, and the groups above it.
ww_status ww_skeleton_add(hid_t file, const char *file_name, const ww_plan_item *item,
                          ww_error *error);

/// Adds all datasets of a plan.
ww_status ww_skeleton_add_all(hid_t file, const char *file_name, const ww_plan *plan,
                              ww_error *error);

#endif
