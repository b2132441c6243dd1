/// One open dataset of numbers (int64 or double), read and written by slabs of rows, and its hash.
///
/// Transfers are independent: no rank waits for another inside HDF5, so that a failure on one rank
/// cannot hang the rest. No single transfer is larger than WW_TRANSFER_BYTES, because MPI-IO under
/// HDF5 fails from 2 GiB on.
#ifndef WIDTHWISE_STORE_ARRAY_H
#define WIDTHWISE_STORE_ARRAY_H

#include "widthwise/error.h"

#include <hdf5.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WW_ARRAY_RANK = 3,
    WW_TRANSFER_BYTES = 1 << 30,
    WW_VALUE_BYTES = 8 ///< all numbers in a file are int64 or double
};

/// An open dataset. Values: [rows, row values], or [planes, rows, row values] where `row_axis`
/// is 1.
typedef struct ww_array {
    hid_t id; ///< H5I_INVALID_HID where the dataset is not there
    char *path;
    const char *file; ///< name of the file, borrowed, for messages
    uint64_t key;     ///< of the path, for hashes
    bool integer;     ///< int64, else double
    int rank;         ///< 0 for a scalar
    int row_axis;     ///< 0, or 1 for stacks of matrices (snapshots)
    int64_t extent[WW_ARRAY_RANK];
} ww_array;

/// Opens `path`, which is taken over (and freed) even when opening fails; NULL is a failed
/// allocation before. Not collective. WW_FAILED when it is missing or not such a dataset.
ww_status ww_array_open(hid_t file, const char *file_name, char *path, int row_axis,
                        ww_array *array, ww_error *error);
void ww_array_close(ww_array *array);

/// A dataset that is not there.
ww_array ww_array_none(void);
bool ww_array_exists(const ww_array *array);

int64_t ww_array_planes(const ww_array *array);
int64_t ww_array_rows(const ww_array *array);
int64_t ww_array_row_values(const ww_array *array);

/// Reads or writes `count` rows from row `first` of plane `plane`. `values` [count, row values].
ww_status ww_array_read(const ww_array *array, int64_t plane, int64_t first, int64_t count,
                        void *values, ww_error *error);
ww_status ww_array_write(const ww_array *array, int64_t plane, int64_t first, int64_t count,
                         const void *values, ww_error *error);

/// Asks the system to begin bringing rows that were written to the disk of the file, which is also
/// open as `descriptor`, and does not wait: a sync that follows then has less to do. Changes
/// nothing, and systems that cannot do it ignore it.
void ww_array_begin_sync(const ww_array *array, int descriptor, int64_t plane, int64_t first,
                         int64_t count);

/// The same in transfers of at most `limit` bytes (at least one row each). For tests of the rounds.
ww_status ww_array_read_by(const ww_array *array, int64_t plane, int64_t first, int64_t count,
                           void *values, int64_t limit, ww_error *error);
ww_status ww_array_write_by(const ww_array *array, int64_t plane, int64_t first, int64_t count,
                            const void *values, int64_t limit, ww_error *error);

/// Reads or writes columns of a matrix, or of plane `plane` of a stack of them: `values` [rows,
/// count] from column `first`.
ww_status ww_array_read_columns(const ww_array *array, int64_t plane, int64_t first, int64_t count,
                                double *values, ww_error *error);
ww_status ww_array_write_columns(const ww_array *array, int64_t plane, int64_t first, int64_t count,
                                 const double *values, ww_error *error);

/// Reads single values: `values` [count] at the places `points` [count, rank], in one call.
ww_status ww_array_read_points(const ww_array *array, const int64_t *points, size_t count,
                               void *values, ww_error *error);

/// Copies the first `count` rows (planes where `row_axis` is 1) of `from` to `to`, which has the
/// same type and row values, a few MiB at a time.
ww_status ww_array_copy(const ww_array *from, const ww_array *to, int64_t count, ww_error *error);

/// Adds this rank's share of the hash of the first `rows` rows to `*hash`: the sum of the hashes of
/// blocks of `block_rows` rows, keyed by the index of the block. Blocks are divided over `size`
/// ranks. Reads the file, a few blocks at a time.
ww_status ww_array_hash(const ww_array *array, int64_t rows, int64_t block_rows, int rank, int size,
                        uint64_t *hash, ww_error *error);

/// Writes this rank's share of all rows of an array that every rank holds, and adds the hash of
/// that share to `*hash`. Divided as in ww_array_hash.
ww_status ww_array_write_share(const ww_array *array, const void *values, int64_t block_rows,
                               int rank, int size, uint64_t *hash, ww_error *error);

/// The same for rows that are made when they are needed: `row` fills row number `index` of
/// integers.
ww_status ww_array_write_rows(const ww_array *array,
                              void (*row)(void *context, int64_t index, int64_t *values),
                              void *context, int64_t block_rows, int rank, int size, uint64_t *hash,
                              ww_error *error);

/// Fills rows from `first` on with NaN (int64: -1): what is not known.
ww_status ww_array_blank(const ww_array *array, int64_t first, ww_error *error);

#endif
