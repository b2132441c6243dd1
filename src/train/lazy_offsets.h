/// Offsets o (lazy_pairs.h) of the pairs of a unit whose patterns have changed, and the memory that
/// they are in: pieces of large blocks, which are read all over.
#ifndef WIDTHWISE_TRAIN_LAZY_OFFSETS_H
#define WIDTHWISE_TRAIN_LAZY_OFFSETS_H

#include "widthwise/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Whether the pattern of an offset has changed since the pair was as its row of lazy_scan.h says,
/// and from what.
enum { WW_LAZY_IS_NEW = 1, WW_LAZY_WAS_ACTIVE = 2 };

/// Offsets of a unit, by rising sample; those that are 0 are -0. What every look at the unit reads
/// comes first in its piece of memory, and lies together. Starts as zeroes.
typedef struct ww_lazy_list {
    double *values; ///< [room], and what follows
    int32_t count, room;
} ww_lazy_list;

/// Bytes of an offset.
enum { WW_LAZY_OFFSET_BYTES = 2 * sizeof(double) + sizeof(int32_t) + sizeof(uint8_t) };

/// Their samples [room].
static inline int32_t *ww_lazy_samples(const ww_lazy_list *of)
{
    return of->room > 0 ? (int32_t *)(void *)(of->values + of->room) : NULL;
}

/// Their values when pairs last were as their row says [room].
static inline double *ww_lazy_early(const ww_lazy_list *of)
{
    return of->room > 0 ? (double *)(void *)(ww_lazy_samples(of) + of->room) : NULL;
}

/// WW_LAZY_IS_NEW, WW_LAZY_WAS_ACTIVE [room].
static inline uint8_t *ww_lazy_marks(const ww_lazy_list *of)
{
    return of->room > 0 ? (uint8_t *)(ww_lazy_early(of) + of->room) : NULL;
}

/// Rooms of units are powers of two; so many there may be.
enum { WW_LAZY_ROOMS = 31 };

/// The memory of all units of a rank: of units that grow by one and one up to four times what their
/// offsets take, half of it pieces that they have outgrown. Starts as zeroes.
typedef struct ww_lazy_offsets {
    char **blocks; ///< [block count]
    int32_t block_count;
    size_t size, used, all;     ///< bytes of the last one, of these used, and of all blocks
    void *spare[WW_LAZY_ROOMS]; ///< pieces that units have outgrown, by the power of their room
} ww_lazy_offsets;

/// Offsets of all units are gone: their owner empties the units.
void ww_lazy_offsets_free(ww_lazy_offsets *offsets);

/// Says that memory is short: WW_FAILED.
ww_status ww_lazy_offsets_fail(ww_error *error);

/// Room for so many offsets of a unit; those that it has stay. WW_FAILED: memory is short.
ww_status ww_lazy_offsets_reserve(ww_lazy_offsets *offsets, ww_lazy_list *of, int32_t count,
                                  ww_error *error);

/// The place of the offset of a sample, which is 0 if it had none. WW_FAILED: memory is short.
ww_status ww_lazy_offsets_find(ww_lazy_offsets *offsets, ww_lazy_list *of, int64_t sample,
                               int32_t *place, ww_error *error);

#endif
