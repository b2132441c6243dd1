#include "data/idx_file.h"

#include "data/source.h"
#include "widthwise/memory.h"

enum {
    TYPE_UNSIGNED_BYTE = 8,
    MAGIC_BYTES = 4,
    EXTENT_BYTES = 4,
    MAXIMUM_AXES = 8,
    DEFLATE_RATIO = 1032 // zlib's manual: no byte of a compressed file stands for more
};

static ww_status truncated(const ww_idx_file *file, ww_error *error)
{
    return ww_data_fail(file->bytes.config, file->bytes.key, error,
                        "'%s' is truncated: it ends before what its header promises; fetch it "
                        "again",
                        file->bytes.path);
}

static ww_status read_bytes(ww_idx_file *file, int64_t bytes, unsigned char *out, ww_error *error)
{
    int64_t got = 0;
    WW_TRY(ww_packed_read(&file->bytes, bytes, out, &got, error));
    return got < bytes ? truncated(file, error) : WW_OK;
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
        return ww_data_fail(file->bytes.config, file->bytes.key, error,
                            "'%s' is not an IDX file: it begins with bytes %02x %02x %02x %02x "
                            "instead of 00 00 08 %02x",
                            file->bytes.path, magic[0], magic[1], magic[2], magic[3],
                            labels ? 1 : 3);
    if (magic[2] != TYPE_UNSIGNED_BYTE)
        return ww_data_fail(file->bytes.config, file->bytes.key, error,
                            "'%s' has elements of IDX type %02x; only 08, unsigned bytes, is read, "
                            "so convert it or use source hdf5",
                            file->bytes.path, magic[2]);
    if (labels && axes != 1)
        return ww_data_fail(file->bytes.config, file->bytes.key, error,
                            "'%s' has %d axes where labels have one; are images and labels "
                            "swapped?",
                            file->bytes.path, axes);
    if (!labels && axes == 1)
        return ww_data_fail(file->bytes.config, file->bytes.key, error,
                            "'%s' has one axis where images have three; are images and labels "
                            "swapped?",
                            file->bytes.path);
    if (axes < 1 || axes > MAXIMUM_AXES)
        return ww_data_fail(file->bytes.config, file->bytes.key, error,
                            "'%s' has %d axes; 1 to %d are read, so it is probably damaged",
                            file->bytes.path, axes, MAXIMUM_AXES);
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
        return ww_data_fail(file->bytes.config, file->bytes.key, error,
                            "'%s' holds no %s; give another file", file->bytes.path,
                            labels ? "labels" : "images");
    for (int a = 1; a < axes; a++) {
        const int64_t extent = big_endian(extents + (size_t)a * EXTENT_BYTES);
        if (extent == 0)
            return ww_data_fail(file->bytes.config, file->bytes.key, error,
                                "'%s' holds images of no pixels: axis %d has extent 0",
                                file->bytes.path, a);
        WW_TRY(ww_multiply(file->item_bytes, extent, file->bytes.path, &file->item_bytes, error));
    }
    int64_t bytes = 0;
    return ww_multiply(file->items, file->item_bytes, file->bytes.path, &bytes, error);
}

/// The size of a plain file says at once what only reading shows of a compressed one, where it just
/// rules out a damaged header that promises more than could be compressed to so little.
static ww_status check_size(const ww_idx_file *file, int64_t header_bytes, ww_error *error)
{
    int64_t size = 0;
    WW_TRY(ww_packed_size(&file->bytes, &size, error));
    const int64_t wanted = file->items * file->item_bytes; // checked by read_header
    const bool too_short =
        file->plain ? size - header_bytes < wanted : wanted / DEFLATE_RATIO > size;
    const bool too_long = file->plain && size - header_bytes > wanted;
    if (size < 0 || !(too_short || too_long))
        return WW_OK;
    return ww_data_fail(file->bytes.config, file->bytes.key, error,
                        "'%s' %s: its header promises %lld items of %lld bytes, but the file has "
                        "%lld bytes%s; fetch it again",
                        file->bytes.path, too_short ? "is truncated" : "goes on after its end",
                        (long long)file->items, (long long)file->item_bytes, (long long)size,
                        file->plain ? "" : " (compressed)");
}

ww_status ww_idx_open(const ww_config *config, const char *key, const char *path, bool labels,
                      ww_idx_file *file, ww_error *error)
{
    *file = (ww_idx_file){0};
    WW_TRY(ww_packed_open(config, key, path, "", &file->bytes, error));
    int64_t header_bytes = 0;
    ww_status status = read_header(file, labels, &header_bytes, error);
    file->plain = ww_packed_is_plain(&file->bytes);
    if (status == WW_OK)
        status = check_size(file, header_bytes, error);
    if (status != WW_OK)
        ww_idx_close(file);
    return status;
}

void ww_idx_close(ww_idx_file *file)
{
    ww_packed_close(&file->bytes);
}

ww_status ww_idx_read(ww_idx_file *file, int64_t count, unsigned char *items, ww_error *error)
{
    return read_bytes(file, count * file->item_bytes, items, error);
}

ww_status ww_idx_check_end(ww_idx_file *file, ww_error *error)
{
    unsigned char spare = 0;
    int64_t got = 0;
    WW_TRY(ww_packed_read(&file->bytes, 1, &spare, &got, error));
    if (got > 0)
        return ww_data_fail(file->bytes.config, file->bytes.key, error,
                            "'%s' goes on after the %lld items of %lld bytes that its header "
                            "promises; fetch it again",
                            file->bytes.path, (long long)file->items, (long long)file->item_bytes);
    return file->bytes.is_cut ? truncated(file, error) : WW_OK;
}
