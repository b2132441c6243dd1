/// The structure of a file: every byte that is not data of a dataset. It is written when the file
/// is made or changed and never otherwise, so its hash tells whether it was damaged: HDF5 itself
/// has no checksums in the formats that all its versions read, and would follow a damaged address.
#ifndef WIDTHWISE_STORE_STRUCTURE_H
#define WIDTHWISE_STORE_STRUCTURE_H

#include "store/journal.h"
#include "store/plan.h"
#include "widthwise/error.h"

#include <hdf5.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Adds the dataset that holds the hash to the plan of a new file.
ww_status ww_structure_plan(ww_plan *plan, ww_error *error);

/// Extents of datasets in a file, sorted. Free `extents`.
typedef struct ww_extent_list {
    ww_extent *extents;
    size_t count;
} ww_extent_list;

/// Finds the extents of all datasets of at least `least` bytes but for those named in `without`
/// [without_count]. Not collective.
ww_status ww_extents_find(hid_t file, const char *file_name, int64_t least,
                          const char *const *without, size_t without_count, ww_extent_list *list,
                          ww_error *error);

/// Computes the hash of a file that nothing has open, and writes it into its place. Not collective.
ww_status ww_structure_seal(const char *path, ww_error *error);

/// WW_FAILED when the structure is not what was sealed. Serial; safe while a job writes data.
ww_status ww_structure_check(const char *path, ww_error *error);

#endif
