/// The fixed part of a file: every byte but for the data of datasets that a run writes. It is
/// written when the file is made or changed and never otherwise, so its hash tells whether it was
/// damaged: HDF5 itself has no checksums in the formats that all its versions read, and would
/// follow a damaged address; and a configuration with one digit changed would be another run.
#ifndef WIDTHWISE_STORE_STRUCTURE_H
#define WIDTHWISE_STORE_STRUCTURE_H

#include "store/journal.h"
#include "store/plan.h"
#include "widthwise/error.h"

#include <hdf5.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Path of the dataset that tells a file from all others: the mark of journal.h.
#define WW_FILE_MARK_PATH "/provenance/file_mark"

/// Reads it, and where it stands. Not collective.
ww_status ww_file_mark_read(hid_t file, const char *path, ww_journal_mark *mark, ww_error *error);

/// Adds the dataset that holds the hash to the plan of a new file.
ww_status ww_structure_plan(ww_plan *plan, ww_error *error);

/// Extents of datasets in a file, sorted. Free `extents`.
typedef struct ww_extent_list {
    ww_extent *extents;
    size_t count;
} ww_extent_list;

/// Which datasets are looked for. `path` begins with a slash.
typedef bool (*ww_extent_filter)(const void *context, const char *path, int64_t bytes);

/// Finds the extents of all datasets that the filter wants. Not collective.
ww_status ww_extents_find(hid_t file, const char *file_name, ww_extent_filter filter,
                          const void *context, ww_extent_list *list, ww_error *error);

/// Computes the hash of a file that nothing has open, and writes it into its place. Not collective.
ww_status ww_structure_seal(const char *path, ww_error *error);

/// WW_FAILED when it is not what was sealed. Serial; safe while a job writes data.
ww_status ww_structure_check(const char *path, ww_error *error);

#endif
