#include "data/idx_file.h"

#include "data/source.h"
#include "widthwise/memory.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum {
    TYPE_UNSIGNED_BYTE = 8,
    MAGIC_BYTES = 4,
    EXTENT_BYTES = 4,
    MAXIMUM_AXES = 8,
    BUFFER_BYTES = 1 << 18,
    DEFLATE_RATIO = 1032, // zlib's manual: no byte of a compressed file stands for more
    READ_BYTES = 1 << 30  // a call of zlib counts in an unsigned int
};

/// What zlib says of a read that came up short: an error of the system, damage, or just the end.
static ww_status short_read(const ww_idx_file *file, ww_error *error)
{
    int code = Z_OK;
    const int system_error = errno;
    const char *text = gzerror(file->stream, &code);
    if (code == Z_ERRNO)
        return ww_data_fail(file->config, file->key, error, "reading '%s' failed: %s", file->path,
                            strerror(system_error));
    if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
        return ww_data_fail(file->config, file->key, error,
                            "'%s' is damaged (zlib: %s); fetch it again", file->path, text);
    return ww_data_fail(file->config, file->key, error,
                        "'%s' is truncated: it ends before what its header promises; fetch it "
                        "again",
                        file->path);
}

static ww_status read_bytes(ww_idx_file *file, int64_t bytes, unsigned char *out, ww_error *error)
{
    while (bytes > 0) {
        const unsigned part = (unsigned)(bytes < READ_BYTES ? bytes : READ_BYTES);
        errno = 0;
        const int got = gzread(file->stream, out, part);
        if (got < 0 || (unsigned)got < part)
            return short_read(file, error);
        out += part;
        bytes -= part;
    }
    return WW_OK;
}

static int64_t big_endian(const unsigned char *bytes)
{
    return (int64_t)bytes[0] << 24 | (int64_t)bytes[1] << 16 | (int64_t)bytes[2] << 8 |
           (int64_t)bytes[3];
}

static ww_status check_magic(const ww_idx_file *file, const unsigned char *magic, bool labels,
                             ww_error *error)
{
    const int axes = magic[3];
    if (magic[0] != 0 || magic[1] != 0)
        return ww_data_fail(file->config, file->key, error,
                            "'%s' is not an IDX file: it begins with bytes %02x %02x %02x %02x "
                            "instead of 00 00 08 %02x",
                            file->path, magic[0], magic[1], magic[2], magic[3], labels ? 1 : 3);
    if (magic[2] != TYPE_UNSIGNED_BYTE)
        return ww_data_fail(file->config, file->key, error,
                            "'%s' has elements of IDX type %02x; only 08, unsigned bytes, is read, "
                            "so convert it or use source hdf5",
                            file->path, magic[2]);
    if (labels && axes != 1)
        return ww_data_fail(file->config, file->key, error,
                            "'%s' has %d axes where labels have one; are images and labels "
                            "swapped?",
                            file->path, axes);
    if (!labels && axes == 1)
        return ww_data_fail(file->config, file->key, error,
                            "'%s' has one axis where images have three; are images and labels "
                            "swapped?",
                            file->path);
    if (axes < 1 || axes > MAXIMUM_AXES)
        return ww_data_fail(file->config, file->key, error,
                            "'%s' has %d axes; 1 to %d are read, so it is probably damaged",
                            file->path, axes, MAXIMUM_AXES);
    return WW_OK;
}

static ww_status read_header(ww_idx_file *file, bool labels, int64_t *header_bytes, ww_error *error)
{
    unsigned char magic[MAGIC_BYTES] = {0};
    unsigned char extents[MAXIMUM_AXES * EXTENT_BYTES] = {0};
    WW_TRY(read_bytes(file, MAGIC_BYTES, magic, error));
    WW_TRY(check_magic(file, magic, labels, error));
    const int axes = magic[3];
    WW_TRY(read_bytes(file, (int64_t)axes * EXTENT_BYTES, extents, error));
    file->items = big_endian(extents);
    file->item_bytes = 1;
    *header_bytes = MAGIC_BYTES + (int64_t)axes * EXTENT_BYTES;
    if (file->items == 0)
        return ww_data_fail(file->config, file->key, error, "'%s' holds no %s; give another file",
                            file->path, labels ? "labels" : "images");
    for (int a = 1; a < axes; a++) {
        const int64_t extent = big_endian(extents + (size_t)a * EXTENT_BYTES);
        if (extent == 0)
            return ww_data_fail(file->config, file->key, error,
                                "'%s' holds images of no pixels: axis %d has extent 0", file->path,
                                a);
        WW_TRY(ww_multiply(file->item_bytes, extent, file->path, &file->item_bytes, error));
    }
    int64_t bytes = 0;
    return ww_multiply(file->items, file->item_bytes, file->path, &bytes, error);
}

/// The size of a plain file says at once what only reading shows of a compressed one, where it just
/// rules out a damaged header that promises more than could be compressed to so little.
static ww_status check_size(const ww_idx_file *file, int64_t header_bytes, ww_error *error)
{
    struct stat facts;
    if (stat(file->path, &facts) != 0)
        return ww_data_fail(file->config, file->key, error, "'%s' cannot be read: %s", file->path,
                            strerror(errno));
    const int64_t wanted = file->items * file->item_bytes; // checked by read_header
    const int64_t size = (int64_t)facts.st_size;
    const bool too_short =
        file->plain ? size - header_bytes < wanted : wanted / DEFLATE_RATIO > size;
    const bool too_long = file->plain && size - header_bytes > wanted;
    if (!S_ISREG(facts.st_mode) || !(too_short || too_long))
        return WW_OK;
    return ww_data_fail(file->config, file->key, error,
                        "'%s' %s: its header promises %lld items of %lld bytes, but the file has "
                        "%lld bytes%s; fetch it again",
                        file->path, too_short ? "is truncated" : "goes on after its end",
                        (long long)file->items, (long long)file->item_bytes, (long long)size,
                        file->plain ? "" : " (compressed)");
}

ww_status ww_idx_open(const ww_config *config, const char *key, const char *path, bool labels,
                      ww_idx_file *file, ww_error *error)
{
    *file = (ww_idx_file){.config = config, .key = key, .path = path};
    errno = 0;
    file->stream = gzopen(path, "rb");
    if (file->stream == NULL)
        return ww_data_fail(config, key, error, "'%s' cannot be opened: %s", path,
                            strerror(errno != 0 ? errno : ENOMEM));
    (void)gzbuffer(file->stream, BUFFER_BYTES);
    int64_t header_bytes = 0;
    ww_status status = read_header(file, labels, &header_bytes, error);
    file->plain = gzdirect(file->stream) != 0;
    if (status == WW_OK)
        status = check_size(file, header_bytes, error);
    if (status != WW_OK)
        ww_idx_close(file);
    return status;
}

void ww_idx_close(ww_idx_file *file)
{
    if (file->stream != NULL)
        (void)gzclose(file->stream); // opened for reading: nothing can be lost
    file->stream = NULL;
}

ww_status ww_idx_read(ww_idx_file *file, int64_t count, unsigned char *items, ww_error *error)
{
    return read_bytes(file, count * file->item_bytes, items, error);
}

ww_status ww_idx_check_end(ww_idx_file *file, ww_error *error)
{
    unsigned char spare = 0;
    errno = 0;
    const int got = gzread(file->stream, &spare, 1);
    if (got > 0)
        return ww_data_fail(file->config, file->key, error,
                            "'%s' goes on after the %lld items of %lld bytes that its header "
                            "promises; fetch it again",
                            file->path, (long long)file->items, (long long)file->item_bytes);
    int code = Z_OK;
    (void)gzerror(file->stream, &code);
    return got < 0 || code != Z_OK ? short_read(file, error) : WW_OK;
}
