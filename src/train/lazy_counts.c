#include "train/lazy_counts.h"

#include "widthwise/memory.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

// Rows come by blocks of BLOCK; numbers of a row are looked at by LANES.
enum { ARRAYS = 8, WORD = 64, BLOCK = 16, LANES = 8, BYTES = 8, MOST_OF_BYTE = 255 };

static void list_arrays(const ww_problem *problem, ww_allocation list[ARRAYS])
{
    static const char what[] = "the counts of active units";
    const size_t samples = (size_t)problem->data->train.count;
    const size_t stride = (samples + WORD - 1) / WORD * WORD;
    const size_t ranks = (size_t)problem->parallel->size;
    const size_t counted = ww_lazy_is_weighed(problem) ? 0 : stride;
    const ww_allocation arrays[] = {
        {offsetof(ww_lazy_counts, share.counts), ranks, sizeof(int), what},
        {offsetof(ww_lazy_counts, share.places), ranks, sizeof(int), what},
        {offsetof(ww_lazy_counts, counts), (size_t)ww_lazy_share_most_rows(problem) * counted,
         sizeof(int32_t), what},
        {offsetof(ww_lazy_counts, pending.active[0]), stride / BYTES, sizeof(uint64_t), what},
        {offsetof(ww_lazy_counts, pending.active[1]), stride / BYTES, sizeof(uint64_t), what},
        {offsetof(ww_lazy_counts, outgoing_counts), ranks, sizeof(int), what},
        {offsetof(ww_lazy_counts, deltas), BLOCK * counted, sizeof(int32_t), what},
        {offsetof(ww_lazy_counts, ends), samples + 1, sizeof(int64_t), what},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

int64_t ww_lazy_counts_bytes(const ww_problem *problem)
{
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    return ww_allocation_bytes(list, ARRAYS) + ww_lazy_weighed_bytes(problem);
}

ww_status ww_lazy_counts_create(const ww_lazy_pairs *pairs, ww_lazy_counts *counts, ww_error *error)
{
    const ww_problem *problem = pairs->problem;
    *counts =
        (ww_lazy_counts){.pairs = pairs, .head = 1 + (pairs->is_weighed ? pairs->outputs : 0)};
    if (problem->tiling.width > INT32_MAX)
        return ww_fail(error, WW_USAGE,
                       "training.engine: lazy cannot count %lld units; take dense, or fewer than "
                       "2^31",
                       (long long)problem->tiling.width);
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    WW_TRY(ww_allocate_all(counts, list, ARRAYS, error));
    for (int rank = 0; rank < problem->parallel->size; rank++) {
        const int64_t first = ww_lazy_share_first_row(problem, rank);
        counts->share.places[rank] = (int)first;
        counts->share.counts[rank] = (int)(ww_lazy_share_first_row(problem, rank + 1) - first);
    }
    counts->share.first = counts->share.places[problem->parallel->rank];
    counts->share.rows = counts->share.counts[problem->parallel->rank];
    return ww_lazy_weighed_create(pairs, &counts->share, &counts->weighed, error);
}

void ww_lazy_counts_free(ww_lazy_counts *counts)
{
    ww_lazy_weighed_free(&counts->weighed);
    free(counts->share.counts);
    free(counts->share.places);
    free(counts->counts);
    free(counts->pending.active[0]);
    free(counts->pending.active[1]);
    free(counts->deltas);
    free(counts->changes);
    free(counts->outgoing);
    free(counts->outgoing_counts);
    free(counts->incoming.words);
    free(counts->seen);
    free(counts->ends);
}

// Patterns by sample: bits of all units, [n, words].
static void turn_patterns(const ww_lazy_pairs *pairs, uint64_t *turned, int64_t words)
{
    for (int64_t unit = 0; unit < pairs->problem->tiling.local_units; unit++) {
        const uint64_t *patterns = ww_lazy_patterns(pairs, unit);
        for (int64_t word = 0; word < pairs->words; word++)
            for (uint64_t bits = patterns[word]; bits != 0; bits &= bits - 1) {
                const int64_t sample = word * WORD + __builtin_ctzll(bits);
                turned[sample * words + unit / WORD] |= (uint64_t)1 << unit % WORD;
            }
    }
}

__attribute__((target_clones("avx2", "popcnt", "default"))) static int64_t
common_bits(const uint64_t *a, const uint64_t *b, int64_t words)
{
    int64_t count = 0;
    for (int64_t word = 0; word < words; word++)
        count += __builtin_popcountll(a[word] & b[word]);
    return count;
}

// Row i of the counts of this rank's units.
static void count_row(const uint64_t *turned, int64_t words, int64_t samples, int64_t i,
                      int64_t *row)
{
    for (int64_t j = 0; j < samples; j++)
        row[j] = common_bits(turned + i * words, turned + j * words, words);
}

// Some rows of each rank at once, which then has those of all units.
static ww_status make_rows(ww_lazy_counts *counts, const uint64_t *turned, int64_t words,
                           int64_t *rows, int *sizes, ww_error *error)
{
    const ww_lazy_pairs *pairs = counts->pairs;
    const ww_problem *problem = pairs->problem;
    const int64_t n = pairs->samples, most = ww_lazy_share_most_rows(problem);
    const int size = problem->parallel->size;
    for (int64_t t = 0; t < most; t++) {
        int64_t *row = rows;
        memset(rows, 0, (size_t)(n * size) * sizeof *rows);
        for (int rank = 0; rank < size; rank++) {
            const bool has_row = t < counts->share.counts[rank];
            sizes[rank] = has_row ? (int)n : 0;
            if (!has_row)
                continue;
            count_row(turned, words, n, counts->share.places[rank] + t, row);
            row += n;
        }
        WW_TRY(ww_scatter_sums(problem->parallel, rows, sizes, error));
        for (int64_t j = 0; t < counts->share.rows && j < n; j++)
            counts->counts[t * pairs->stride + j] = (int32_t)rows[j];
    }
    return WW_OK;
}

ww_status ww_lazy_counts_make(ww_lazy_counts *counts, ww_error *error)
{
    static const char what[] = "the patterns by samples";
    const ww_lazy_pairs *pairs = counts->pairs;
    const ww_problem *problem = pairs->problem;
    const int64_t words = (problem->tiling.local_units + WORD - 1) / WORD;
    const size_t n = (size_t)pairs->samples, size = (size_t)problem->parallel->size;
    if (pairs->is_weighed)
        return ww_lazy_weighed_make(&counts->weighed, error);
    uint64_t *turned = ww_allocate(n * (size_t)words, sizeof *turned, what, error);
    int64_t *rows = ww_allocate(n * size, sizeof *rows, what, error);
    int *sizes = ww_allocate(size, sizeof *sizes, what, error);
    const bool has_room = turned != NULL && rows != NULL && sizes != NULL;
    ww_status status = ww_agree(problem->parallel, has_room ? WW_OK : WW_FAILED, error);
    if (status == WW_OK) {
        turn_patterns(pairs, turned, words);
        status = make_rows(counts, turned, words, rows, sizes, error);
    }
    free(turned);
    free(rows);
    free(sizes);
    return status;
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
        for (int64_t i = 0; i < WORD / BYTES; i++)
            bytes[word * (WORD / BYTES) + i] += spread.words[bits >> i * BYTES & 255];
    }
}

// ---- changes ------------------------------------------------------------------------------------

// Memory for so many words.
static ww_status make_room(int64_t **words, int64_t *room, int64_t needed, ww_error *error)
{
    enum { FIRST = 1 << 12 };
    if (needed <= *room)
        return WW_OK;
    const int64_t twice = 2 * *room > FIRST ? 2 * *room : FIRST;
    const int64_t larger = needed > twice ? needed : twice;
    int64_t *grown = realloc(*words, (size_t)larger * sizeof *grown);
    if (grown == NULL)
        return ww_fail(error, WW_FAILED, "out of memory for the changes of a step");
    *words = grown;
    *room = larger;
    return WW_OK;
}

ww_status ww_lazy_counts_change(ww_lazy_counts *counts, int64_t unit, int64_t sample,
                                ww_error *error)
{
    const ww_lazy_pairs *pairs = counts->pairs;
    const int64_t head = counts->head;
    WW_TRY(make_room(&counts->changes, &counts->change_room,
                     counts->change_count + head + pairs->words, error));
    int64_t *words = counts->changes + counts->change_count;
    words[0] = 2 * sample + (ww_lazy_is_active(pairs, unit, sample) ? 1 : 0);
    if (pairs->is_weighed)
        memcpy(words + 1, pairs->scales + unit * pairs->outputs,
               (size_t)pairs->outputs * sizeof *words);
    memcpy(words + head, ww_lazy_patterns(pairs, unit), (size_t)pairs->words * sizeof *words);
    counts->change_count += head + pairs->words;
    return WW_OK;
}

// Words of a pattern that are of rows `first` .. first + rows - 1.
static int64_t first_word(int64_t first)
{
    return first / WORD;
}

static int64_t words_of(int64_t first, int64_t rows)
{
    return rows > 0 ? (first + rows - 1) / WORD - first_word(first) + 1 : 0;
}

static bool has_row(const ww_lazy_share *share, int rank, int64_t sample)
{
    return sample >= share->places[rank] && sample < share->places[rank] + share->counts[rank];
}

// Each change as it goes to a rank: whole, or what is of its rows.
static ww_status send_changes(ww_lazy_counts *counts, ww_error *error)
{
    const ww_lazy_share *share = &counts->share;
    const int64_t head = counts->head, whole = head + counts->pairs->words;
    const ww_parallel *parallel = counts->pairs->problem->parallel;
    int64_t count = 0;
    for (int rank = 0; rank < parallel->size; rank++)
        count += counts->change_count / whole *
                 (head + words_of(share->places[rank], share->counts[rank]));
    count += counts->change_count;
    WW_TRY(ww_agree(parallel, make_room(&counts->outgoing, &counts->outgoing_room, count, error),
                    error));
    int64_t *words = counts->outgoing;
    for (int rank = 0; rank < parallel->size; rank++) {
        const int64_t first = first_word(share->places[rank]);
        const int64_t part = words_of(share->places[rank], share->counts[rank]);
        int64_t *begin = words;
        for (int64_t i = 0; i < counts->change_count; i += whole) {
            const int64_t *change = counts->changes + i;
            const bool is_whole = has_row(share, rank, change[0] / 2);
            const int64_t size = is_whole ? whole - head : part;
            memcpy(words, change, (size_t)head * sizeof *words);
            words += head;
            memcpy(words, change + head + (is_whole ? 0 : first), (size_t)size * sizeof *words);
            words += size;
        }
        counts->outgoing_counts[rank] = (int)(words - begin);
    }
    return ww_exchange_words(parallel, counts->outgoing, counts->outgoing_counts, &counts->incoming,
                             error);
}

// All changes of `words`, by sample.
static ww_status sort_changes(ww_lazy_counts *counts, const int64_t *words, int64_t count,
                              ww_error *error)
{
    const ww_lazy_share *share = &counts->share;
    const int rank = counts->pairs->problem->parallel->rank;
    const int64_t n = counts->pairs->samples, whole = counts->pairs->words;
    const int64_t part = words_of(share->first, share->rows);
    int64_t *ends = counts->ends, all = 0;
    memset(ends, 0, (size_t)(n + 1) * sizeof *ends);
    for (int64_t i = 0; i < count;
         i += counts->head + (has_row(share, rank, words[i] / 2) ? whole : part), all++)
        ends[words[i] / 2 + 1]++;
    if (all > counts->seen_room) {
        free(counts->seen);
        counts->seen_room = 2 * all;
        counts->seen = ww_allocate((size_t)counts->seen_room, sizeof *counts->seen,
                                   "the changes of a step", error);
        if (counts->seen == NULL) {
            counts->seen_room = 0;
            return WW_FAILED;
        }
    }
    for (int64_t i = 0; i < n; i++)
        ends[i + 1] += ends[i];
    for (int64_t i = 0; i < count;) {
        const int64_t sample = words[i] / 2;
        counts->seen[ends[sample]++] =
            (ww_lazy_change_seen){.sign = (int)(words[i] % 2),
                                  .patterns = (const uint64_t *)(words + i + counts->head),
                                  .scales = words + i + 1};
        i += counts->head + (has_row(share, rank, sample) ? whole : part);
    }
    return WW_OK;
}

// row += added - taken.
__attribute__((target_clones("avx2", "default"))) static void
add_bytes(int32_t *row, const uint8_t *added, const uint8_t *taken, int64_t count)
{
    for (int64_t j = 0; j < count; j++)
        row[j] += (int32_t)added[j] - (int32_t)taken[j];
}

// What is pending comes to a row of deltas [count], a multiple of WORD.
static void end_pending(ww_lazy_pending *pending, int32_t *deltas, int64_t count)
{
    add_bytes(deltas, (const uint8_t *)pending->active[1], (const uint8_t *)pending->active[0],
              count);
    for (int sign = 0; sign < 2; sign++) {
        memset(pending->active[sign], 0, (size_t)count);
        pending->count[sign] = 0;
    }
}

// Sums up the changes of a sample: what they add to the numbers of units active on it and on each
// sample of `words` words, into deltas; how many more are active on it itself.
static int64_t sum_changes(ww_lazy_counts *counts, const ww_lazy_change_seen *changes,
                           int64_t count, int64_t words, int32_t *deltas)
{
    ww_lazy_pending *pending = &counts->pending;
    int64_t more = 0;
    memset(deltas, 0, (size_t)(words * WORD) * sizeof *deltas);
    for (int64_t i = 0; i < count; i++) {
        const int sign = changes[i].sign;
        if (pending->count[sign] == MOST_OF_BYTE)
            end_pending(pending, deltas, words * WORD);
        pending->count[sign]++;
        add_bits(pending->active[sign], changes[i].patterns, words);
        more += sign != 0 ? 1 : -1;
    }
    end_pending(pending, deltas, words * WORD);
    return more;
}

// Columns first .. first + BLOCK - 1 of all rows: deltas [BLOCK, stride], of which those of the
// rows begin at place `skip`.
static void add_columns_of(const ww_lazy_counts *counts, int64_t first, int64_t skip)
{
    const int64_t stride = counts->pairs->stride;
    for (int64_t row = 0; row < counts->share.rows; row++) {
        int32_t *entries = counts->counts + row * stride + first;
        for (int64_t b = 0; b < BLOCK; b++)
            entries[b] += counts->deltas[b * stride + skip + row];
    }
}

// Changes of the samples of a block come to its columns, and to its rows if these are of this rank.
static void take_block(ww_lazy_counts *counts, int64_t first)
{
    const ww_lazy_share *share = &counts->share;
    const int64_t n = counts->pairs->samples, stride = counts->pairs->stride;
    const int64_t end = first + BLOCK < n ? first + BLOCK : n;
    const bool is_own = first >= share->first && first < share->first + share->rows;
    const int64_t words = is_own ? counts->pairs->words : words_of(share->first, share->rows);
    for (int64_t i = first; i < first + BLOCK; i++) {
        const int64_t begin = i > 0 && i < end ? counts->ends[i - 1] : 0;
        int32_t *deltas = counts->deltas + (i - first) * stride;
        if (i >= end || begin == counts->ends[i]) {
            memset(deltas, 0, (size_t)(words * WORD) * sizeof *deltas);
            continue;
        }
        const int64_t more =
            sum_changes(counts, counts->seen + begin, counts->ends[i] - begin, words, deltas);
        if (!is_own)
            continue;
        int32_t *row = counts->counts + (i - share->first) * stride;
        deltas[i] = 0; // its own pattern has turned, which is told once
        row[i] += (int32_t)more;
        for (int64_t j = 0; j < stride; j++)
            row[j] += deltas[j];
    }
    add_columns_of(counts, first, is_own ? share->first : share->first % WORD);
}

// The same where output weights are weighed.
static ww_status take_weighed(ww_lazy_counts *counts, ww_error *error)
{
    const int64_t skip = counts->share.first / WORD * WORD;
    for (int64_t i = 0; i < counts->pairs->samples; i++) {
        const int64_t begin = i > 0 ? counts->ends[i - 1] : 0, count = counts->ends[i] - begin;
        if (count > 0)
            WW_TRY(ww_lazy_weighed_take(&counts->weighed, i, skip, counts->seen + begin, count,
                                        error));
    }
    return WW_OK;
}

static void take_counts(ww_lazy_counts *counts)
{
    for (int64_t first = 0; first < counts->pairs->samples && counts->share.rows > 0;
         first += BLOCK) {
        const int64_t last =
            first + BLOCK < counts->pairs->samples ? first + BLOCK : counts->pairs->samples;
        if (counts->ends[last - 1] > (first > 0 ? counts->ends[first - 1] : 0))
            take_block(counts, first);
    }
}

ww_status ww_lazy_counts_settle(ww_lazy_counts *counts, ww_error *error)
{
    const ww_parallel *parallel = counts->pairs->problem->parallel;
    const int64_t *words = counts->changes;
    int64_t count = counts->change_count;
    if (parallel->size > 1) {
        WW_TRY(send_changes(counts, error));
        words = counts->incoming.words;
        count = counts->incoming.count;
    }
    WW_TRY(ww_agree(parallel, sort_changes(counts, words, count, error), error));
    counts->change_count = 0;
    if (counts->pairs->is_weighed) {
        WW_TRY(ww_agree(parallel, take_weighed(counts, error), error));
        return ww_lazy_weighed_settle(&counts->weighed, error);
    }
    take_counts(counts);
    return WW_OK;
}

void ww_lazy_count_active(ww_lazy_counts *counts, int64_t *active)
{
    const ww_lazy_pairs *pairs = counts->pairs;
    const int64_t units = pairs->problem->tiling.local_units;
    uint64_t *sums = counts->pending.active[0];
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

void ww_lazy_counts_product(const ww_lazy_counts *counts, const ww_lazy_step *step, double *values)
{
    enum { FEW = 8 };
    const ww_lazy_pairs *pairs = counts->pairs;
    const int64_t stride = pairs->stride;
    const bool are_few = FEW * step->column_count < pairs->samples;
    for (int64_t row = 0; row < counts->share.rows; row++) {
        const double *products = pairs->products + (counts->share.first + row) * stride;
        const int32_t *entries = counts->counts + row * stride;
        values[row] = step->scale * (are_few ? sum_columns(products, entries, step)
                                             : sum_row(products, entries, step->factors, stride));
    }
}
