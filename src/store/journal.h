/// The undo journal of a change to a file's structure: everything that the change may touch, as it
/// was before, in FILE.undo beside the file.
///
/// It is written under a temporary name, brought to the disk and renamed before the file is
/// touched, and removed when the change is on the disk. Whoever finds a journal puts the file back.
/// All functions here are called by one process that holds the file's lock; none is collective.
#ifndef WIDTHWISE_STORE_JOURNAL_H
#define WIDTHWISE_STORE_JOURNAL_H

#include "widthwise/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// A range of bytes of a file.
typedef struct ww_extent {
    int64_t offset, bytes;
} ww_extent;

/// What tells a file from all others: words at a place that never moves and never changes.
typedef struct ww_journal_mark {
    int64_t offset;
    int64_t words[2];
} ww_journal_mark;

/// Writes the journal of `path`: all bytes but those of the `kept` extents [count], which are
/// sorted and disjoint. WW_FAILED, and no journal, when it cannot be written.
ww_status ww_journal_write(const char *path, const ww_extent *kept, size_t count,
                           const ww_journal_mark *mark, ww_error *error);

/// Removes the journal: the change is done.
ww_status ww_journal_remove(const char *path, ww_error *error);

/// True when `path` has a journal beside it.
bool ww_journal_exists(const char *path);

/// Puts the file back as its journal has it, where there is one: `*recovered`. A journal that was
/// left by another file of the same name is removed.
ww_status ww_journal_recover(const char *path, bool *recovered, ww_error *error);

#endif
