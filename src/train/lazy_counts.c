#include "train/lazy_counts.h"

#include "parallel/workers.h"
#include "widthwise/memory.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

// Numbers of a row are looked at by LANES.
enum { ARRAYS = 3, BLOCK = WW_LAZY_BLOCK, LANES = 8, BYTES = 8, MOST_OF_BYTE = 255, WAYS = 2 };

// Samples whose changes are summed up before they come to columns of N: some blocks for each
// thread, which all come to them together, and one where there is one thread.
static int64_t samples_at_once(const ww_problem *problem)
{
    enum { BLOCKS = 4 };
    const int64_t threads = ww_workers_of(problem->parallel);
    return (threads > 1 ? BLOCKS * threads : 1) * BLOCK;
}

static void list_arrays(const ww_problem *problem, ww_allocation list[ARRAYS])
{
    static const char what[] = "the counts of active units";
    const size_t samples = (size_t)problem->data->train.count;
    const size_t stride = (size_t)ww_sample_products_stride((int64_t)samples);
    const size_t counted = ww_lazy_is_weighed(problem) ? 0 : stride;
    const size_t threads = (size_t)ww_workers_of(problem->parallel);
    const ww_allocation arrays[] = {
        {offsetof(ww_lazy_counts, counts), (size_t)ww_lazy_share_most_rows(problem) * counted,
         sizeof(int32_t), what},
        {offsetof(ww_lazy_counts, active), threads * WAYS * stride / BYTES, sizeof(uint64_t), what},
        {offsetof(ww_lazy_counts, deltas), (size_t)samples_at_once(problem) * counted,
         sizeof(int32_t), what},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

int64_t ww_lazy_counts_bytes(const ww_problem *problem)
{
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    return ww_allocation_bytes(list, ARRAYS) + ww_lazy_share_bytes(problem) +
           ww_lazy_changes_bytes(problem) + ww_lazy_weighed_bytes(problem) +
           ww_lazy_counts_making_bytes(problem);
}

ww_status ww_lazy_counts_create(const ww_lazy_pairs *pairs, ww_lazy_counts *counts, ww_error *error)
{
    const ww_problem *problem = pairs->problem;
    *counts = (ww_lazy_counts){.pairs = pairs};
    if (problem->tiling.width > INT32_MAX)
        return ww_fail(error, WW_USAGE,
                       "training.engine: lazy cannot count %lld units; take dense, or fewer than "
                       "2^31",
                       (long long)problem->tiling.width);
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    WW_TRY(ww_allocate_all(counts, list, ARRAYS, error));
    WW_TRY(ww_lazy_share_create(problem, &counts->share, error));
    WW_TRY(ww_lazy_changes_create(pairs, &counts->share, &counts->changes, error));
    return ww_lazy_weighed_create(pairs, &counts->share, &counts->weighed, error);
}

void ww_lazy_counts_free(ww_lazy_counts *counts)
{
    ww_lazy_weighed_free(&counts->weighed);
    ww_lazy_changes_free(&counts->changes);
    ww_lazy_share_free(&counts->share);
    free(counts->counts);
    free(counts->active);
    free(counts->deltas);
}

// The bits of a byte as bytes of 0 or 1, the lowest first in memory.
#define SPREAD_1(bits)                                                                             \
    {                                                                                              \
        (bits) & 1, (bits) >> 1 & 1, (bits) >> 2 & 1, (bits) >> 3 & 1, (bits) >> 4 & 1,            \
            (bits) >> 5 & 1, (bits) >> 6 & 1, (bits) >> 7 & 1                                      \
    }
#define SPREAD_4(bits)                                                                             \
    SPREAD_1(bits), SPREAD_1((bits) + 1), SPREAD_1((bits) + 2), SPREAD_1((bits) + 3)
#define SPREAD_16(bits)                                                                            \
    SPREAD_4(bits), SPREAD_4((bits) + 4), SPREAD_4((bits) + 8), SPREAD_4((bits) + 12)
#define SPREAD_64(bits)                                                                            \
    SPREAD_16(bits), SPREAD_16((bits) + 16), SPREAD_16((bits) + 32), SPREAD_16((bits) + 48)
static const union {
    uint8_t bytes[256][BYTES];
    uint64_t words[256];
} spread = {{SPREAD_64(0), SPREAD_64(64), SPREAD_64(128), SPREAD_64(192)}};

// Adds 1 to the bytes of the samples whose bits are set.
static void add_bits(uint64_t *bytes, const uint64_t *patterns, int64_t words)
{
    for (int64_t word = 0; word < words; word++) {
        const uint64_t bits = patterns[word];
        for (int64_t i = 0; i < WW_PATTERN_WORD / BYTES; i++)
            bytes[word * (WW_PATTERN_WORD / BYTES) + i] += spread.words[bits >> i * BYTES & 255];
    }
}

// ---- changes ------------------------------------------------------------------------------------

// Changes of one sample, by their sign: units active on each sample [words of 8 bytes], a byte a
// sample; and how many changes.
typedef struct pending {
    uint64_t *active[WAYS];
    int32_t count[WAYS];
} pending;

// row += added - taken.
__attribute__((target_clones("avx2", "default"))) static void
add_bytes(int32_t *row, const uint8_t *added, const uint8_t *taken, int64_t count)
{
    for (int64_t j = 0; j < count; j++)
        row[j] += (int32_t)added[j] - (int32_t)taken[j];
}

// What is pending comes to a row of deltas [count], a multiple of WW_PATTERN_WORD.
static void end_pending(pending *now, int32_t *deltas, int64_t count)
{
    add_bytes(deltas, (const uint8_t *)now->active[1], (const uint8_t *)now->active[0], count);
    for (int sign = 0; sign < WAYS; sign++) {
        memset(now->active[sign], 0, (size_t)count);
        now->count[sign] = 0;
    }
}

// Sums up the changes of a sample: what they add to the numbers of units active on it and on each
// sample of `words` words, into deltas; how many more are active on it itself.
static int64_t sum_changes(pending *now, const ww_lazy_change_seen *changes, int64_t count,
                           int64_t words, int32_t *deltas)
{
    int64_t more = 0;
    memset(deltas, 0, (size_t)(words * WW_PATTERN_WORD) * sizeof *deltas);
    for (int64_t i = 0; i < count; i++) {
        const int sign = changes[i].sign;
        if (now->count[sign] == MOST_OF_BYTE)
            end_pending(now, deltas, words * WW_PATTERN_WORD);
        now->count[sign]++;
        add_bits(now->active[sign], changes[i].patterns, words);
        more += sign != 0 ? 1 : -1;
    }
    end_pending(now, deltas, words * WW_PATTERN_WORD);
    return more;
}

// What threads share work on: samples from `first` on, whole blocks of them.
typedef struct taking {
    ww_lazy_counts *counts;
    int64_t first;
} taking;

static bool has_changes(const ww_lazy_counts *counts, int64_t first, int64_t count)
{
    const int64_t n = counts->pairs->samples, end = first + count < n ? first + count : n;
    const int64_t *ends = counts->changes.ends;
    return ends[end - 1] > (first > 0 ? ends[first - 1] : 0);
}

// Changes of a sample come to its deltas, and to its row if that is of this rank.
static void take_sample(ww_lazy_counts *counts, int worker, int64_t i, int32_t *deltas)
{
    const ww_lazy_share *share = &counts->share;
    const int64_t stride = counts->pairs->stride, bytes = stride / BYTES;
    const bool is_own = ww_lazy_share_has_own(share, i / BLOCK * BLOCK);
    const int64_t words =
        is_own ? counts->pairs->words : ww_lazy_words_of(share->first, share->rows);
    uint64_t *active = counts->active + bytes * WAYS * worker;
    pending now = {.active = {active, active + bytes}};
    int64_t count = 0;
    const ww_lazy_change_seen *changes =
        i < counts->pairs->samples ? ww_lazy_changes_of(&counts->changes, i, &count) : NULL;
    if (count == 0) {
        memset(deltas, 0, (size_t)(words * WW_PATTERN_WORD) * sizeof *deltas);
        return;
    }
    const int64_t more = sum_changes(&now, changes, count, words, deltas);
    if (!is_own)
        return;
    int32_t *row = counts->counts + (i - share->first) * stride;
    deltas[i] = 0; // its own pattern has turned, which is told once
    row[i] += (int32_t)more;
    for (int64_t j = 0; j < stride; j++)
        row[j] += deltas[j];
}

static void take_samples(void *context, int worker, int64_t first, int64_t end)
{
    const taking *now = context;
    for (int64_t i = first; i < end; i++)
        if (has_changes(now->counts, (now->first + i) / BLOCK * BLOCK, BLOCK))
            take_sample(now->counts, worker, now->first + i,
                        now->counts->deltas + i * now->counts->pairs->stride);
}

// Columns of a block come to some rows: deltas [BLOCK, stride], of which those of the rows of this
// rank begin at place `skip`.
static void add_columns(const ww_lazy_counts *counts, int64_t column, const int32_t *deltas,
                        int64_t skip, int64_t first, int64_t end)
{
    const int64_t stride = counts->pairs->stride;
    for (int64_t row = first; row < end; row++) {
        int32_t *entries = counts->counts + row * stride + column;
        for (int64_t b = 0; b < BLOCK; b++)
            entries[b] += deltas[b * stride + skip + row];
    }
}

static void take_columns(void *context, int worker, int64_t first, int64_t end)
{
    const taking *now = context;
    const ww_lazy_counts *counts = now->counts;
    const int64_t n = counts->pairs->samples, count = samples_at_once(counts->pairs->problem);
    (void)worker;
    for (int64_t i = 0; i < count && now->first + i < n; i += BLOCK) {
        const int64_t column = now->first + i;
        const int64_t skip = ww_lazy_share_has_own(&counts->share, column)
                                 ? counts->share.first
                                 : counts->share.first % WW_PATTERN_WORD;
        if (has_changes(counts, column, BLOCK))
            add_columns(counts, column, counts->deltas + i * counts->pairs->stride, skip, first,
                        end);
    }
}

static void take_counts(ww_lazy_counts *counts)
{
    enum { SAMPLES = 4, ROWS = 64 };
    const ww_problem *problem = counts->pairs->problem;
    const int64_t n = counts->pairs->samples, most = samples_at_once(problem);
    taking now = {.counts = counts};
    for (; now.first < n && counts->share.rows > 0; now.first += most) {
        const int64_t left = (n - now.first + BLOCK - 1) / BLOCK * BLOCK;
        if (!has_changes(counts, now.first, most))
            continue;
        ww_for_each_piece(problem->parallel, left < most ? left : most, SAMPLES, take_samples,
                          &now);
        ww_for_each_piece(problem->parallel, counts->share.rows, ROWS, take_columns, &now);
    }
}

// The same where output weights are weighed.
static void take_weighed(ww_lazy_counts *counts)
{
    const int64_t skip = counts->share.first / WW_PATTERN_WORD * WW_PATTERN_WORD;
    for (int64_t i = 0; i < counts->pairs->samples; i++) {
        int64_t count = 0;
        const ww_lazy_change_seen *changes = ww_lazy_changes_of(&counts->changes, i, &count);
        if (count > 0)
            ww_lazy_weighed_take(&counts->weighed, i, skip, changes, count);
    }
}

ww_status ww_lazy_counts_settle(ww_lazy_counts *counts, int64_t total, int64_t left_out,
                                bool *is_there, ww_error *error)
{
    *is_there = !ww_lazy_changes_are_many(&counts->changes, total, left_out);
    if (!*is_there) {
        ww_lazy_changes_drop(&counts->changes);
        return WW_OK;
    }
    if (total == 0)
        return WW_OK;
    WW_TRY(ww_lazy_changes_exchange(&counts->changes, total, error));
    if (!counts->pairs->is_weighed) {
        take_counts(counts);
        return WW_OK;
    }
    take_weighed(counts);
    return ww_lazy_weighed_settle(&counts->weighed, error);
}

void ww_lazy_count_active(ww_lazy_counts *counts, int64_t *active)
{
    const ww_lazy_pairs *pairs = counts->pairs;
    const int64_t units = pairs->problem->tiling.local_units;
    uint64_t *sums = counts->active;
    memset(active, 0, (size_t)pairs->samples * sizeof *active);
    for (int64_t first = 0; first < units; first += MOST_OF_BYTE) {
        const int64_t left = units - first;
        const int64_t end = first + (left < MOST_OF_BYTE ? left : MOST_OF_BYTE);
        for (int64_t unit = first; unit < end; unit++)
            add_bits(sums, ww_lazy_patterns(pairs, unit), pairs->words);
        for (int64_t j = 0; j < pairs->samples; j++)
            active[j] += ((const uint8_t *)sums)[j];
        memset(sums, 0, (size_t)pairs->stride);
    }
}

// ---- a step -------------------------------------------------------------------------------------

typedef double numbers __attribute__((vector_size(32)));
typedef int32_t integers __attribute__((vector_size(16)));

static double sum_lanes(const double sums[LANES])
{
    return ((sums[0] + sums[4]) + (sums[1] + sums[5])) +
           ((sums[2] + sums[6]) + (sums[3] + sums[7]));
}

// sum_j K_j N_j f_j, in LANES sums by place.
__attribute__((target_clones("avx2", "default"))) static double
sum_row(const double *products, const int32_t *counts, const double *factors, int64_t count)
{
    numbers sums[2] = {{0.0}};
    for (int64_t j = 0; j < count; j += LANES)
        for (int64_t h = 0; h < 2; h++) {
            const int64_t place = j + h * LANES / 2;
            numbers product, factor;
            integers both;
            memcpy(&product, products + place, sizeof product);
            memcpy(&factor, factors + place, sizeof factor);
            memcpy(&both, counts + place, sizeof both);
            sums[h] += product * __builtin_convertvector(both, numbers) * factor;
        }
    double all[LANES];
    memcpy(all, sums, sizeof all);
    return sum_lanes(all);
}

// The same, of an f that is mostly 0.
static double sum_columns(const double *products, const int32_t *counts, const ww_lazy_step *step)
{
    double sums[LANES] = {0.0};
    for (int64_t c = 0; c < step->column_count; c++) {
        const int64_t j = step->columns[c];
        sums[j % LANES] += products[j] * (double)counts[j] * step->factors[j];
    }
    return sum_lanes(sums);
}

// What threads share work on.
typedef struct product {
    const ww_lazy_counts *counts;
    const ww_lazy_step *step;
    double *values;
} product;

static void multiply_some(void *context, int worker, int64_t first, int64_t end)
{
    enum { FEW = 8 };
    const product *now = context;
    const ww_lazy_counts *counts = now->counts;
    const ww_lazy_step *step = now->step;
    const int64_t stride = counts->pairs->stride;
    const bool are_few = FEW * step->column_count < counts->pairs->samples;
    (void)worker;
    for (int64_t row = first; row < end; row++) {
        const double *products = counts->pairs->products + (counts->share.first + row) * stride;
        const int32_t *entries = counts->counts + row * stride;
        now->values[row] =
            step->scale * (are_few ? sum_columns(products, entries, step)
                                   : sum_row(products, entries, step->factors, stride));
    }
}

void ww_lazy_counts_product(const ww_lazy_counts *counts, const ww_lazy_step *step, double *values)
{
    enum { ROWS = 64 };
    product now = {.counts = counts, .step = step, .values = values};
    ww_for_each_piece(counts->pairs->problem->parallel, counts->share.rows, ROWS, multiply_some,
                      &now);
}
