/// HDF5 without its noise: quiet errors as one sentence, files opened with the right driver and
/// checked to be ours, names and texts. All other HDF5 calls of the store are in array.h and
/// skeleton.c.
#ifndef WIDTHWISE_STORE_HDF5_TOOLS_H
#define WIDTHWISE_STORE_HDF5_TOOLS_H

#include "widthwise/error.h"

#include <hdf5.h>
#include <mpi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WW_REASON_SIZE = 512 };

/// Root attribute `format` of an export; a file that the program works on has "widthwise".
#define WW_EXPORT_FORMAT "widthwise-export"

/// HDF5 prints its error stack unless told otherwise. What was set before, to put it back: the
/// setting belongs to the program, which may use HDF5 too.
typedef struct ww_quiet {
    H5E_auto2_t function;
    void *data;
} ww_quiet;

ww_quiet ww_quiet_begin(void);
void ww_quiet_end(const ww_quiet *quiet);

/// Why the last HDF5 call failed, in words: the system's reason where there is one, else the
/// innermost message. To be called before any other HDF5 call; `errno` must have been 0 before the
/// failing one.
void ww_hdf5_reason(char *reason, size_t size);

/// Says that `what` could not be written to the file, with the reason of ww_hdf5_reason.
ww_status ww_fail_writing(const char *file_name, const char *what, ww_error *error);

/// Puts a half sentence behind the message in `error`, to say what to do.
void ww_error_advise(ww_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/// Opens a file of this program for reading with the serial driver and without HDF5's lock, so that
/// it works beside a job that writes. WW_USAGE: not there, not HDF5, another program's, a newer
/// schema. WW_FAILED: damaged or cut off.
ww_status ww_file_open_reading(const char *path, hid_t *file, ww_error *error);

/// The same inside a transaction, where a journal stands beside the file.
ww_status ww_file_open_inside(const char *path, hid_t *file, ww_error *error);

/// Opens a file of this program for raw writes through MPI-IO. Collective over `communicator`,
/// which must have agreed before that all its ranks can open the file, and that one of them found
/// it to be ours (ww_file_open_reading): nothing is looked at here, since closing is collective
/// too and a rank that finds fault alone would wait for the others there.
ww_status ww_file_open_writing(const char *path, MPI_Comm communicator, hid_t *file,
                               ww_error *error);

/// Opens a file of this program to change its structure, with the `access` of a ww_driver. Only
/// inside a transaction.
ww_status ww_file_open_changing(const char *path, hid_t access, hid_t *file, ww_error *error);

/// Closes what is open; nothing happens for H5I_INVALID_HID.
void ww_file_close(hid_t *file);

/// Access properties that both drivers share: bounds of the format (no consistency flag, which
/// would lock out readers after a kill), alignment of large datasets to pages.
hid_t ww_file_access(void);

/// Reads the root attribute schema_version. -1 where it is missing.
int64_t ww_file_schema_version(hid_t file);

/// Names of the links in a group, sorted. A group that is not there has none.
typedef struct ww_names {
    char **names;
    size_t count;
} ww_names;

ww_status ww_names_read(hid_t file, const char *path, const char *group, ww_names *names,
                        ww_error *error);
void ww_names_free(ww_names *names);

/// Reads a scalar text (`row` < 0) or one row of an array of texts as a new string.
ww_status ww_text_read(hid_t file, const char *path, const char *dataset, int64_t row, char **text,
                       ww_error *error);

/// Whether a dataset is there and holds fixed-length text.
bool ww_is_text(hid_t file, const char *dataset);

/// Reads a text attribute of an open object as a new string, "" where it has none. NULL: out of
/// memory.
char *ww_attribute_text(hid_t object, const char *name, ww_error *error);

/// Writes one row of an array of texts of `size` bytes.
ww_status ww_text_write(hid_t file, const char *path, const char *dataset, int64_t row,
                        const char *text, size_t size, ww_error *error);

#endif
