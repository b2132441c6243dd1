/// Bytes of a file, plain or gzip. Private to src/data.
#ifndef WIDTHWISE_DATA_PACKED_FILE_H
#define WIDTHWISE_DATA_PACKED_FILE_H

#include "widthwise/config.h"

#include <stdbool.h>
#include <zlib.h>

/// Starts as zeroes.
typedef struct ww_packed_file {
    const ww_config *config; ///< for messages
    const char *key, *path;  ///< key in the configuration, and the file it names; borrowed
    gzFile stream;
    bool is_cut; ///< a read came to where compressed data break off
} ww_packed_file;

/// Opens the file. WW_USAGE: the reason, followed by `hint`. Nothing to close on failure.
ww_status ww_packed_open(const ww_config *config, const char *key, const char *path,
                         const char *hint, ww_packed_file *file, ww_error *error);
void ww_packed_close(ww_packed_file *file);

/// The next `bytes` bytes, or what there is up to the end: `*got`. WW_USAGE: the system cannot
/// read, or compressed data are damaged.
ww_status ww_packed_read(ww_packed_file *file, int64_t bytes, unsigned char *out, int64_t *got,
                         ww_error *error);

/// Whether the file is not compressed; known from the first read on.
bool ww_packed_is_plain(const ww_packed_file *file);

/// Its size in the file system; -1 for what is no regular file.
ww_status ww_packed_size(const ww_packed_file *file, int64_t *size, ww_error *error);

#endif
