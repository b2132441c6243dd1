/// Checksums.
///
/// A hash of distributed data is a *sum* modulo 2^64 of hashes of fixed blocks, each keyed by what
/// it belongs to and its index. So it is the same on any number of ranks and in any order, and a
/// block in a wrong place is noticed.
#ifndef WIDTHWISE_HASH_H
#define WIDTHWISE_HASH_H

#include <stddef.h>
#include <stdint.h>

/// Hash (XXH3, 64 bits) of one block. `dataset` and `index` key it. Add blocks with wrap-around.
uint64_t ww_hash_block(const void *data, size_t bytes, uint64_t dataset, uint64_t index);

/// Key of a dataset for ww_hash_block, from its path inside the file.
uint64_t ww_hash_name(const char *name);

/// Sum of the hashes of blocks of 1024 rows [count, row_bytes], keyed by `name`.
uint64_t ww_hash_rows(const char *name, const void *rows, int64_t count, size_t row_bytes);

/// Who is next to hash a block, where ranks take turns. Starts as the rank and the number of ranks.
typedef struct ww_hash_turns {
    int rank, size;
    int64_t blocks; ///< so far
} ww_hash_turns;

/// The part of ww_hash_rows that falls to this rank: the sum over ranks is the hash.
uint64_t ww_hash_rows_in_turn(const char *name, const void *rows, int64_t count, size_t row_bytes,
                              ww_hash_turns *turns);

/// CRC-32 (the one of zlib, PNG and Python's zlib.crc32) of `bytes` bytes, for pages of 4 KiB.
uint32_t ww_checksum(const void *data, size_t bytes);

#endif
