/// The undo journal of a change to a file's structure: everything that the change may touch, as it
/// was before, in FILE.undo beside the file (beside the file itself where a link leads to it).
///
/// It is written under a temporary name, brought to the disk and renamed before the file is
/// touched, and removed when the change is on the disk. Whoever finds a journal puts the file back,
/// if it is the journal's very change that the file is in the middle of: a random word in the file
/// says so. The word is written before anything else of the change and replaced by another one when
/// all of it is on the disk, which is the moment from which the change counts. So a journal that is
/// left behind undoes nothing, be it because its job died before it was removed, the file was
/// renamed and went on elsewhere, or an older copy of the file took its place.
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

/// Two random words at a place that never moves: the first tells a file and its copies from all
/// others and never changes, the second is another one before, during and after each change.
typedef struct ww_journal_mark {
    int64_t offset;
    int64_t words[2];
} ww_journal_mark;

/// Where the word that changes lies.
ww_extent ww_journal_mark_extent(const ww_journal_mark *mark);

/// Writes the journal of `path`: all bytes but those of the `kept` extents [count], which are
/// sorted and disjoint. Then the change has begun. WW_FAILED, and no journal, when it cannot be
/// written.
ww_status ww_journal_begin(const char *path, const ww_extent *kept, size_t count,
                           const ww_journal_mark *mark, ww_error *error);

/// The change is done and on the disk: makes it count, and removes the journal.
ww_status ww_journal_end(const char *path, const ww_journal_mark *mark, ww_error *error);

/// Removes a journal that another file of the same name has left.
ww_status ww_journal_remove(const char *path, ww_error *error);

/// True when `path` has a journal beside it.
bool ww_journal_exists(const char *path);

/// Puts the file back as its journal has it, where there is one of a change that was cut short:
/// `*recovered`. Any other journal is removed.
ww_status ww_journal_recover(const char *path, bool *recovered, ww_error *error);

#endif
