/// Questions to the file system that a file lies on. Not collective.
#ifndef WIDTHWISE_STORE_DISK_H
#define WIDTHWISE_STORE_DISK_H

#include "widthwise/error.h"

#include <stdbool.h>
#include <stdint.h>

/// WW_FAILED when the file system of the open file has less than `bytes` free, `freed` not counted.
ww_status ww_check_space(const char *path, int descriptor, int64_t bytes, int64_t freed,
                         ww_error *error);

/// Whether two names lead to one file that is there.
bool ww_same_file(const char *one, const char *other);

/// Brings what was written to the open file `path` to the disk.
ww_status ww_sync_file(const char *path, int descriptor, ww_error *error);

/// Name of what stands beside the file and belongs to it: that of the file itself with `suffix`,
/// whichever symbolic links `path` leads through. Free with free(); NULL: out of memory.
char *ww_name_beside(const char *path, const char *suffix, ww_error *error);

/// Brings the folder that holds `path` to the disk: a name made, changed or removed in it lasts.
/// Not collective.
ww_status ww_sync_folder_of(const char *path, ww_error *error);

#endif
