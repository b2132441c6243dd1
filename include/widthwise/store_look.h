/// Looks from outside at a file that a job may be writing: they take no lock, change nothing and
/// wait for nobody.
#ifndef WIDTHWISE_STORE_LOOK_H
#define WIDTHWISE_STORE_LOOK_H

#include "widthwise/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Whether a program is writing a file.
typedef enum ww_writer {
    WW_WRITER_UNKNOWN, ///< the file system knows no locks, or the file cannot be opened
    WW_WRITER_NONE,
    WW_WRITER_THERE ///< some job holds the lock of the only writer
} ww_writer;

/// Asks who holds the lock of `path` without taking it, so that no job that starts meanwhile finds
/// it taken. Where a file system keeps locks on each node for itself, a job on another node is not
/// seen. Not collective.
ww_writer ww_store_find_writer(const char *path);

/// Whether a change of the structure of `path` is under way or was cut short, so that it cannot be
/// read: a job that writes ends it within seconds, or `resume` undoes it. Not collective.
bool ww_store_is_changing(const char *path);

/// Place in a list of `count` things of the one that is number `i` of `taken`, spread evenly over
/// it: the first and the last are among them, of one the last. 1 <= taken <= count, and taken less
/// than 2^31. Pure.
static inline int64_t ww_spread(int64_t i, int64_t taken, int64_t count)
{
    // In two parts, since i * (count - 1) may be too large for a long trajectory.
    if (taken < 2)
        return count - 1;
    const int64_t whole = (count - 1) / (taken - 1);
    const int64_t rest = (count - 1) % (taken - 1);
    return i * whole + i * rest / (taken - 1);
}

/// Committed values of the scalar quantities `names` [name_count] along the trajectory of member
/// `index`, thinned to at most `most` records that are spread evenly over all there are, the newest
/// among them: `values` [name_count, most], of which each row has `*count`. NaN where there is no
/// such scalar. What it costs does not depend on the length of the trajectory.
/// Of a run with replicas it is the mean over those that are done, or 32 spread evenly over them
/// where they are more; one that ended before others goes on with the last value taken of it.
/// Serial, safe while a job writes. WW_USAGE and WW_FAILED as ww_store_summarize. Not collective.
ww_status ww_store_read_series(const char *path, int64_t index, const char *const *names,
                               size_t name_count, size_t most, double *values, size_t *count,
                               ww_error *error);

#endif
