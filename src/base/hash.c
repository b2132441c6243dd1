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

uint64_t ww_hash_rows_in_turn(const char *name, const void *rows, int64_t count, size_t row_bytes,
                              ww_hash_turns *turns)
{
    enum { ROWS = 1024 };
    const uint64_t key = ww_hash_name(name);
    uint64_t sum = 0;
    for (int64_t first = 0; first < count; first += ROWS) {
        if (turns->blocks++ % turns->size != turns->rank)
            continue;
        const int64_t block = count - first < ROWS ? count - first : ROWS;
        sum += ww_hash_block((const char *)rows + (size_t)first * row_bytes,
                             (size_t)block * row_bytes, key, (uint64_t)(first / ROWS));
    }
    return sum;
}

uint64_t ww_hash_rows(const char *name, const void *rows, int64_t count, size_t row_bytes)
{
    ww_hash_turns alone = {.rank = 0, .size = 1};
    return ww_hash_rows_in_turn(name, rows, count, row_bytes, &alone);
}

uint32_t ww_checksum(const void *data, size_t bytes)
{
    WW_ASSERT(bytes <= UINT_MAX);
    return (uint32_t)crc32(crc32(0L, Z_NULL, 0), data, (uInt)bytes);
}
