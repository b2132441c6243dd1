#include "data/packed_file.h"

#include "data/source.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum {
    BUFFER_BYTES = 1 << 18,
    READ_BYTES = 1 << 30 // a call of zlib counts in an unsigned int
};

ww_status ww_packed_open(const ww_config *config, const char *key, const char *path,
                         const char *hint, ww_packed_file *file, ww_error *error)
{
    *file = (ww_packed_file){.config = config, .key = key, .path = path};
    errno = 0;
    file->stream = gzopen(path, "rb");
    if (file->stream == NULL)
        return ww_data_fail(config, key, error, "'%s' cannot be opened: %s%s", path,
                            strerror(errno != 0 ? errno : ENOMEM), hint);
    (void)gzbuffer(file->stream, BUFFER_BYTES);
    return WW_OK;
}

void ww_packed_close(ww_packed_file *file)
{
    if (file->stream != NULL)
        (void)gzclose(file->stream); // opened for reading: nothing can be lost
    file->stream = NULL;
}

/// What zlib says of a read that came up short: an error of the system, damage, or just the end.
static ww_status check_short(ww_packed_file *file, ww_error *error)
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
    file->is_cut = code == Z_BUF_ERROR;
    return WW_OK;
}

ww_status ww_packed_read(ww_packed_file *file, int64_t bytes, unsigned char *out, int64_t *got,
                         ww_error *error)
{
    *got = 0;
    while (*got < bytes) {
        const int64_t left = bytes - *got;
        const unsigned part = (unsigned)(left < READ_BYTES ? left : READ_BYTES);
        errno = 0;
        const int found = gzread(file->stream, out + *got, part);
        *got += found > 0 ? found : 0;
        if (found < 0 || (unsigned)found < part)
            return check_short(file, error);
    }
    return WW_OK;
}

bool ww_packed_is_plain(const ww_packed_file *file)
{
    return gzdirect(file->stream) != 0;
}

ww_status ww_packed_size(const ww_packed_file *file, int64_t *size, ww_error *error)
{
    struct stat facts;
    if (stat(file->path, &facts) != 0)
        return ww_data_fail(file->config, file->key, error, "'%s' cannot be read: %s", file->path,
                            strerror(errno));
    *size = S_ISREG(facts.st_mode) ? (int64_t)facts.st_size : -1;
    return WW_OK;
}
