// Counts of all units, from their patterns (lazy_counts.h).

#include "parallel/workers.h"
#include "train/lazy_counts.h"
#include "widthwise/memory.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { MAKING = 2 };

// What counting takes: patterns by sample, bits of all units [n, unit words].
typedef struct making {
    const ww_lazy_counts *counts;
    uint64_t *turned;
    int64_t words;
    int64_t *room;
} making;

static int64_t unit_words(const ww_problem *problem)
{
    return ww_pattern_words(problem->tiling.local_units);
}

static void list_making(const ww_problem *problem, ww_allocation list[MAKING])
{
    static const char what[] = "the counts of active units";
    const size_t bits = (size_t)(problem->data->train.count * unit_words(problem));
    const ww_allocation arrays[] = {
        {offsetof(making, turned), bits, sizeof(uint64_t), what},
        {offsetof(making, room), (size_t)ww_lazy_share_room(problem, 1), sizeof(int64_t), what},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == MAKING, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

int64_t ww_lazy_counts_making_bytes(const ww_problem *problem)
{
    ww_allocation list[MAKING];
    list_making(problem, list);
    return ww_lazy_is_weighed(problem) ? ww_lazy_weighed_making_bytes(problem)
                                       : ww_allocation_bytes(list, MAKING);
}

// Bit j of row i becomes bit i of row j: squares of bits change places across the diagonal, larger
// ones first.
static void turn_square(uint64_t square[WW_PATTERN_WORD])
{
    uint64_t lower = UINT64_MAX;
    for (int half = WW_PATTERN_WORD / 2; half > 0; half /= 2) {
        lower ^= lower << half; // the lower half of all bits of such squares
        for (int i = 0; i < WW_PATTERN_WORD; i++)
            if ((i & half) == 0) {
                const uint64_t other = (square[i] >> half ^ square[i + half]) & lower;
                square[i] ^= other << half;
                square[i + half] ^= other;
            }
    }
}

// Patterns by sample, of some words of units.
static void turn_patterns(void *context, int worker, int64_t first, int64_t end)
{
    const making *now = context;
    const ww_lazy_pairs *pairs = now->counts->pairs;
    const int64_t units = pairs->problem->tiling.local_units, n = pairs->samples;
    (void)worker;
    for (int64_t unit = first * WW_PATTERN_WORD; unit < end * WW_PATTERN_WORD;
         unit += WW_PATTERN_WORD)
        for (int64_t word = 0; word < pairs->words; word++) {
            uint64_t square[WW_PATTERN_WORD] = {0};
            for (int64_t i = 0; i < WW_PATTERN_WORD && unit + i < units; i++)
                square[i] = ww_lazy_patterns(pairs, unit + i)[word];
            turn_square(square);
            for (int64_t j = 0; j < WW_PATTERN_WORD && word * WW_PATTERN_WORD + j < n; j++)
                now->turned[(word * WW_PATTERN_WORD + j) * now->words + unit / WW_PATTERN_WORD] =
                    square[j];
        }
}

// sums [columns, rows] += bits that both have of `count` words, of rows and of columns [words].
__attribute__((target_clones("avx2", "popcnt", "default"))) static void
add_common_bits(const uint64_t *rows, int64_t row_count, const uint64_t *columns,
                int64_t column_count, int64_t words, int64_t count, int64_t *sums)
{
    for (int64_t j = 0; j < column_count; j++)
        for (int64_t i = 0; i < row_count; i++) {
            const uint64_t *row = rows + i * words, *column = columns + j * words;
            int64_t sum = 0;
            for (int64_t word = 0; word < count; word++)
                sum += __builtin_popcountll(row[word] & column[word]);
            sums[j * row_count + i] += sum;
        }
}

// A block of rows, of which threads count columns.
typedef struct counting {
    const making *now;
    int64_t first, rows;
    int64_t *sums;
} counting;

static void count_columns(void *context, int worker, int64_t first, int64_t end)
{
    enum { PART = 128 }; // words, of which those of all rows stay in the nearest cache
    const counting *block = context;
    const int64_t words = block->now->words, rows = block->rows;
    const uint64_t *turned = block->now->turned + block->first * words;
    int64_t *sums = block->sums + first * rows;
    (void)worker;
    memset(sums, 0, (size_t)((end - first) * rows) * sizeof *sums);
    for (int64_t word = 0; word < words; word += PART) {
        const int64_t left = words - word;
        add_common_bits(turned + word, rows, turned + first * words + word, end - first, words,
                        left < PART ? left : PART, sums);
    }
}

static void count_block(void *context, int64_t first, int64_t rows, int64_t *sums)
{
    enum { COLUMNS = 64 };
    const making *now = context;
    const ww_lazy_pairs *pairs = now->counts->pairs;
    counting block = {.now = now, .first = first, .rows = rows, .sums = sums};
    ww_for_each_piece(pairs->problem->parallel, pairs->samples - first, COLUMNS, count_columns,
                      &block);
}

static void put_count(void *context, int64_t row, int64_t column, const int64_t *entry)
{
    const making *now = context;
    const ww_lazy_counts *counts = now->counts;
    counts->counts[row * counts->pairs->stride + column] = (int32_t)*entry;
}

ww_status ww_lazy_counts_make(ww_lazy_counts *counts, ww_error *error)
{
    enum { LINE = 8 }; // words of a line of a cache
    const ww_problem *problem = counts->pairs->problem;
    if (counts->pairs->is_weighed)
        return ww_lazy_weighed_make(&counts->weighed, error);
    making now = {.counts = counts, .words = unit_words(problem)};
    ww_allocation list[MAKING];
    list_making(problem, list);
    ww_status status =
        ww_agree(problem->parallel, ww_allocate_all(&now, list, MAKING, error), error);
    if (status == WW_OK) {
        ww_for_each_piece(problem->parallel, now.words, LINE, turn_patterns, &now);
        const ww_lazy_symmetric array = {
            .context = &now, .planes = 1, .room = now.room, .sum = count_block, .put = put_count};
        status = ww_lazy_share_make(&counts->share, &array, error);
    }
    free(now.turned);
    free(now.room);
    return status;
}
