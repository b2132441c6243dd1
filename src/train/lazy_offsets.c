#include "train/lazy_offsets.h"

#include "widthwise/memory.h"

#include <stdlib.h>
#include <string.h>

// Bytes of a line of a cache, at which pieces begin; the smallest room is a power of two as well.
enum { LINE = 64, LEAST_POWER = 2 };

ww_status ww_lazy_offsets_fail(ww_error *error)
{
    return ww_fail(error, WW_FAILED,
                   "out of memory for the offsets of a unit; use more nodes, or training.engine: "
                   "dense");
}

void ww_lazy_offsets_free(ww_lazy_offsets *offsets)
{
    for (int32_t i = 0; i < offsets->block_count; i++)
        free(offsets->blocks[i]);
    free(offsets->blocks);
    *offsets = (ww_lazy_offsets){0};
}

static size_t piece_bytes(int power)
{
    return (((size_t)WW_LAZY_OFFSET_BYTES << power) + LINE - 1) / LINE * LINE;
}

// A block more, as large as all that there are up to a limit, so that what is not used is little.
// Large ones have huge pages, and fill them (ww_allocate).
static ww_status add_block(ww_lazy_offsets *offsets, size_t least, ww_error *error)
{
    static const size_t SMALLEST = (size_t)1 << 16, LARGEST = ((size_t)1 << 23) - LINE;
    size_t size = offsets->all > SMALLEST ? offsets->all : SMALLEST;
    size = size < LARGEST ? size : LARGEST;
    size = size > least ? size : least;
    char **blocks =
        realloc(offsets->blocks, (size_t)(offsets->block_count + 1) * sizeof *offsets->blocks);
    if (blocks == NULL)
        return ww_lazy_offsets_fail(error);
    offsets->blocks = blocks;
    blocks[offsets->block_count] =
        ww_allocate(size, 1, "the offsets of units (training.engine: dense takes less)", error);
    if (blocks[offsets->block_count] == NULL)
        return WW_FAILED;
    offsets->block_count++;
    offsets->size = size;
    offsets->used = 0;
    offsets->all += size;
    return WW_OK;
}

// A piece that no unit has.
static ww_status take_piece(ww_lazy_offsets *offsets, int power, void **piece, ww_error *error)
{
    const size_t bytes = piece_bytes(power);
    if (offsets->spare[power] != NULL) {
        *piece = offsets->spare[power];
        memcpy(&offsets->spare[power], *piece, sizeof *piece);
        return WW_OK;
    }
    if (offsets->size - offsets->used < bytes)
        WW_TRY(add_block(offsets, bytes, error));
    *piece = offsets->blocks[offsets->block_count - 1] + offsets->used;
    offsets->used += bytes;
    return WW_OK;
}

// The next piece of that room may be this one, which no unit has any more.
static void leave_piece(ww_lazy_offsets *offsets, int power, void *piece)
{
    memcpy(piece, &offsets->spare[power], sizeof offsets->spare[power]);
    offsets->spare[power] = piece;
}

static int power_of(int32_t room)
{
    int power = LEAST_POWER;
    while (power < WW_LAZY_ROOMS - 1 && (int32_t)1 << power < room)
        power++;
    return power;
}

ww_status ww_lazy_offsets_reserve(ww_lazy_offsets *offsets, ww_lazy_list *of, int32_t count,
                                  ww_error *error)
{
    if (count <= of->room)
        return WW_OK;
    const int power = power_of(count);
    const size_t had = (size_t)of->count;
    void *piece = NULL;
    WW_TRY(take_piece(offsets, power, &piece, error));
    const ww_lazy_list grown = {.values = piece, .count = of->count, .room = (int32_t)1 << power};
    if (had > 0) {
        memcpy(grown.values, of->values, had * sizeof *of->values);
        memcpy(ww_lazy_samples(&grown), ww_lazy_samples(of), had * sizeof(int32_t));
        memcpy(ww_lazy_early(&grown), ww_lazy_early(of), had * sizeof(double));
        memcpy(ww_lazy_marks(&grown), ww_lazy_marks(of), had);
    }
    if (of->room > 0)
        leave_piece(offsets, power_of(of->room), of->values);
    *of = grown;
    return WW_OK;
}

// Where the offset of a sample is, or is to be.
static int32_t place_of(const ww_lazy_list *of, int64_t sample)
{
    const int32_t *samples = ww_lazy_samples(of);
    int32_t low = 0, high = of->count;
    while (low < high) {
        const int32_t middle = low + (high - low) / 2;
        if (samples[middle] < sample)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

ww_status ww_lazy_offsets_find(ww_lazy_offsets *offsets, ww_lazy_list *of, int64_t sample,
                               int32_t *place, ww_error *error)
{
    *place = place_of(of, sample);
    if (*place < of->count && ww_lazy_samples(of)[*place] == sample)
        return WW_OK;
    WW_TRY(ww_lazy_offsets_reserve(offsets, of, of->count + 1, error));
    const size_t behind = (size_t)(of->count - *place);
    double *values = of->values + *place, *early = ww_lazy_early(of) + *place;
    int32_t *samples = ww_lazy_samples(of) + *place;
    uint8_t *marks = ww_lazy_marks(of) + *place;
    memmove(values + 1, values, behind * sizeof *values);
    memmove(early + 1, early, behind * sizeof *early);
    memmove(samples + 1, samples, behind * sizeof *samples);
    memmove(marks + 1, marks, behind);
    *values = *early = 0.0;
    *samples = (int32_t)sample;
    *marks = 0;
    of->count++;
    return WW_OK;
}
