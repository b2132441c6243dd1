/// New files: filled under a temporary name, brought to the disk, and renamed into place in one
/// step.
#ifndef WIDTHWISE_STORE_PLACE_H
#define WIDTHWISE_STORE_PLACE_H

#include "widthwise/error.h"

#include <hdf5.h>
#include <stdbool.h>
#include <stdint.h>

/// What fills a new file.
typedef struct ww_file_builder {
    int64_t bytes; ///< that it will need, to refuse a disk that is too small beforehand
    /// It is one that a run goes on with: its fixed part is sealed, and one of its name that exists
    /// could be resumed.
    bool resumes;
    bool copies; ///< it is made from other files, which a failure may be about
    /// Fills the open file; `file_name` is its name, for messages.
    ww_status (*build)(void *context, hid_t file, const char *file_name, ww_error *error);
    /// Looks at the closed file `file_name` before it gets its name. NULL: it is taken as it is.
    ww_status (*check)(void *context, const char *file_name, ww_error *error);
    void *context;
} ww_file_builder;

/// Makes the file at `path`. Until the rename there is none, and after a failure neither. Refuses
/// (WW_USAGE) a path that exists unless `force`; with `force` still refuses one that another job is
/// writing. Not collective.
ww_status ww_place_file(const char *path, bool force, const ww_file_builder *builder,
                        ww_error *error);

#endif
