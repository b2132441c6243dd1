#include "widthwise/hash.h"

#include "widthwise/error.h"

#include <limits.h>
#include <string.h>
#include <xxhash.h>
#include <zlib.h>

uint64_t ww_hash_block(const void *data, size_t bytes, uint64_t dataset, uint64_t index)
{
    const uint64_t key[2] = {dataset, index};
    return XXH3_64bits_withSeed(data, bytes, XXH3_64bits(key, sizeof key));
}

uint64_t ww_hash_name(const char *name)
{
    return XXH3_64bits(name, strlen(name));
}

uint64_t ww_hash_rows_between(const char *name, const void *rows, int64_t count, size_t row_bytes,
                              int64_t first, int64_t next)
{
    const uint64_t key = ww_hash_name(name);
    const int64_t end = next < count ? next : count;
    uint64_t sum = 0;
    int64_t block = (first + WW_HASH_ROWS - 1) / WW_HASH_ROWS;
    for (int64_t at = block * WW_HASH_ROWS; at < end; at += WW_HASH_ROWS, block++) {
        const int64_t size = count - at < WW_HASH_ROWS ? count - at : WW_HASH_ROWS;
        sum += ww_hash_block((const char *)rows + (size_t)at * row_bytes, (size_t)size * row_bytes,
                             key, (uint64_t)block);
    }
    return sum;
}

uint64_t ww_hash_rows(const char *name, const void *rows, int64_t count, size_t row_bytes)
{
    return ww_hash_rows_between(name, rows, count, row_bytes, 0, count);
}

uint32_t ww_checksum(const void *data, size_t bytes)
{
    WW_ASSERT(bytes <= UINT_MAX);
    return (uint32_t)crc32(crc32(0L, Z_NULL, 0), data, (uInt)bytes);
}
