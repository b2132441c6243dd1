/// One IDX file, the format of MNIST, plain or gzip. Private to src/data.
///
/// Big-endian: two zero bytes, the type of the elements (only 8, unsigned bytes, is read), the
/// number of axes, then the extent of each axis in 32 bits, then the elements, the last axis
/// fastest. Items (images or labels) lie along the first axis.
#ifndef WIDTHWISE_DATA_IDX_FILE_H
#define WIDTHWISE_DATA_IDX_FILE_H

#include "data/packed_file.h"

typedef struct ww_idx_file {
    ww_packed_file bytes;
    bool plain;         ///< not compressed; its size was checked when it was opened
    int64_t items;      ///< extent of the first axis
    int64_t item_bytes; ///< product of the other extents
} ww_idx_file;

/// Opens the file and reads and checks its header. `labels`: one axis is wanted, else two or more.
/// Nothing to close on failure.
ww_status ww_idx_open(const ww_config *config, const char *key, const char *path, bool labels,
                      ww_idx_file *file, ww_error *error);
void ww_idx_close(ww_idx_file *file);

/// The next `count` items into `items` [count, item_bytes].
ww_status ww_idx_read(ww_idx_file *file, int64_t count, unsigned char *items, ww_error *error);

/// Checks that the file ends after the last item (and, by that, the checksum of gzip). Call it when
/// all items of a compressed file have been read.
ww_status ww_idx_check_end(ww_idx_file *file, ww_error *error);

#endif
