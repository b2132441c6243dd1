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

/// Sum of the hashes of blocks of WW_HASH_ROWS rows [count, row_bytes], keyed by `name`.
uint64_t ww_hash_rows(const char *name, const void *rows, int64_t count, size_t row_bytes);

/// Rows of such a block.
enum { WW_HASH_ROWS = 1024 };

/// The part of ww_hash_rows of the blocks that begin with one of the rows first .. next - 1, of
/// which no others need to be there: over ranges that together are all rows, the sum is the hash.
uint64_t ww_hash_rows_between(const char *name, const void *rows, int64_t count, size_t row_bytes,
                              int64_t first, int64_t next);

/// CRC-32 (the one of zlib, PNG and Python's zlib.crc32) of `bytes` bytes, for pages of 4 KiB.
uint32_t ww_checksum(const void *data, size_t bytes);

#endif
