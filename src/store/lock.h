/// The lock of the only writer.
///
/// HDF5 takes none through MPI-IO, so two jobs could write one file. An open-file-description lock
/// on one byte far beyond the end of the file keeps the second out, ends with the process however
/// it ends, and disturbs no reader (h5py and HDF5 lock by flock, which is another kind).
#ifndef WIDTHWISE_STORE_LOCK_H
#define WIDTHWISE_STORE_LOCK_H

#include "widthwise/error.h"

#include <stdbool.h>

/// Opens `path` and takes its lock: `*descriptor` holds it until it is closed. WW_FAILED when
/// another job has it or the file cannot be opened for writing. A file system that knows no locks
/// is used without. Not collective.
ww_status ww_lock_acquire(const char *path, int *descriptor, ww_error *error);

/// Takes the lock on an open file. False only when another has it.
bool ww_lock_descriptor(int descriptor);

#endif
