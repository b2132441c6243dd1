/// The lock of the only writer.
///
/// HDF5 takes none through MPI-IO, so two jobs could write one file. An open-file-description lock
/// on one byte far beyond the end of the file keeps the second out, ends with the process however
/// it ends, and disturbs no reader (h5py and HDF5 lock by flock, which is another kind).
#ifndef WIDTHWISE_STORE_LOCK_H
#define WIDTHWISE_STORE_LOCK_H

#include "widthwise/error.h"

#include <stdbool.h>

/// How it stands with a lock that was asked for.
typedef enum ww_lock_state {
    WW_LOCK_TAKEN,
    WW_LOCK_BUSY,       ///< another job has it
    WW_LOCK_IMPOSSIBLE, ///< the file system knows no locks
    WW_LOCK_NO_FILE     ///< the file, or the one that is locked in its stead, cannot be opened
} ww_lock_state;

/// Opens `path` and takes its lock: `*descriptor` holds it until it is closed. WW_FAILED when
/// another job has it or the file cannot be opened for writing. A file system that knows no locks
/// is used without. `*state` (may be NULL) says which of these it was. Not collective.
ww_status ww_lock_acquire(const char *path, int *descriptor, ww_lock_state *state, ww_error *error);

/// Takes the lock on an open file.
ww_lock_state ww_lock_descriptor(int descriptor);

#endif
