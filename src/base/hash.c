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

uint32_t ww_checksum(const void *data, size_t bytes)
{
    WW_ASSERT(bytes <= UINT_MAX);
    return (uint32_t)crc32(crc32(0L, Z_NULL, 0), data, (uInt)bytes);
}
