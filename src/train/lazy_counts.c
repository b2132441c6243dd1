#include "train/lazy_counts.h"

#include "widthwise/memory.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
    ARRAYS = 6,
    WORD = 64,
    MOST_BITS = 30,
    DIGITS = 56,
    ROWS = 16,
    BYTES = 8,
    MOST_OF_BYTE = 255
};

static void list_arrays(const ww_problem *problem, ww_allocation list[ARRAYS])
{
    const size_t samples = (size_t)problem->data->train.count;
    const size_t stride = (samples + WORD - 1) / WORD * WORD;
    const ww_allocation arrays[] = {
        {offsetof(ww_lazy_counts, counts), samples * stride, sizeof(int32_t),
         "the counts of active units"},
        {offsetof(ww_lazy_counts, row), WW_LAZY_MOST_SLICES * stride, sizeof(int32_t),
         "the words of a sample"},
        {offsetof(ww_lazy_counts, both), ROWS * stride, sizeof(int32_t),
         "the counts of some samples"},
        {offsetof(ww_lazy_counts, weights), samples, sizeof(double), "the words of a sample"},
        {offsetof(ww_lazy_counts, pending[0]), stride / BYTES, sizeof(uint64_t),
         "the changes of a sample"},
        {offsetof(ww_lazy_counts, pending[1]), stride / BYTES, sizeof(uint64_t),
         "the changes of a sample"},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

int64_t ww_lazy_counts_bytes(const ww_problem *problem)
{
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    return ww_allocation_bytes(list, ARRAYS);
}

static int bits_of(double number)
{
    int exponent = 0;
    (void)frexp(number, &exponent);
    return exponent;
}

ww_status ww_lazy_counts_create(const ww_lazy_pairs *pairs, ww_lazy_counts *counts, ww_error *error)
{
    const ww_problem *problem = pairs->problem;
    *counts = (ww_lazy_counts){.pairs = pairs};
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    WW_TRY(ww_allocate_all(counts, list, ARRAYS, error));
    for (int64_t i = 0; i < pairs->samples * pairs->stride; i++)
        counts->largest = fmax(counts->largest, fabs(pairs->products[i]));
    // Sums of 2 n words, each times a count of up to 2 m.
    const int terms = bits_of(4.0 * (double)problem->tiling.width * (double)pairs->samples);
    counts->bits = 62 - terms < MOST_BITS ? 62 - terms : MOST_BITS;
    counts->slices = (DIGITS + counts->bits - 1) / counts->bits;
    if (counts->slices > WW_LAZY_MOST_SLICES)
        return ww_fail(error, WW_USAGE,
                       "training.engine: lazy cannot sum up %lld units on %lld samples exactly; "
                       "take dense",
                       (long long)problem->tiling.width, (long long)pairs->samples);
    return WW_OK;
}

void ww_lazy_counts_free(ww_lazy_counts *counts)
{
    free(counts->counts);
    free(counts->row);
    free(counts->both);
    free(counts->weights);
    free(counts->pending[0]);
    free(counts->pending[1]);
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

ww_status ww_lazy_counts_make(ww_lazy_counts *counts, ww_error *error)
{
    const ww_lazy_pairs *pairs = counts->pairs;
    const int64_t n = pairs->samples;
    const int64_t words = (pairs->problem->tiling.local_units + WORD - 1) / WORD;
    uint64_t *turned =
        ww_allocate((size_t)(n * words), sizeof *turned, "the patterns by samples", error);
    if (turned == NULL)
        return WW_FAILED;
    turn_patterns(pairs, turned, words);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j <= i; j++) {
            const int32_t both =
                (int32_t)common_bits(turned + i * words, turned + j * words, words);
            counts->counts[i * pairs->stride + j] = both;
            counts->counts[j * pairs->stride + i] = both;
        }
    free(turned);
    return WW_OK;
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

// row += 2 (added - taken).
__attribute__((target_clones("avx2", "default"))) static void
add_bytes(int32_t *row, const uint8_t *added, const uint8_t *taken, int64_t count)
{
    for (int64_t j = 0; j < count; j++)
        row[j] += 2 * ((int32_t)added[j] - (int32_t)taken[j]);
}

void ww_lazy_counts_settle(ww_lazy_counts *counts)
{
    const int64_t stride = counts->pairs->stride, sample = counts->pending_sample;
    int32_t *row = counts->counts + sample * stride;
    const int32_t own = row[sample] + counts->pending_count[1] - counts->pending_count[0];
    if (counts->pending_count[0] == 0 && counts->pending_count[1] == 0)
        return;
    add_bytes(row, (const uint8_t *)counts->pending[1], (const uint8_t *)counts->pending[0],
              stride);
    row[sample] = own;
    for (int sign = 0; sign < 2; sign++) {
        memset(counts->pending[sign], 0, (size_t)stride);
        counts->pending_count[sign] = 0;
    }
}

void ww_lazy_counts_change(ww_lazy_counts *counts, int64_t unit, int64_t sample)
{
    const ww_lazy_pairs *pairs = counts->pairs;
    const int sign = ww_lazy_is_active(pairs, unit, sample) ? 1 : 0;
    if (sample != counts->pending_sample || counts->pending_count[sign] == MOST_OF_BYTE)
        ww_lazy_counts_settle(counts);
    counts->pending_sample = sample;
    counts->pending_count[sign]++;
    add_bits(counts->pending[sign], ww_lazy_patterns(pairs, unit), pairs->words);
}

int64_t ww_lazy_active(const ww_lazy_counts *counts, int64_t sample)
{
    return counts->counts[sample * counts->pairs->stride + sample];
}

void ww_lazy_count_active(ww_lazy_counts *counts, int64_t *active)
{
    const ww_lazy_pairs *pairs = counts->pairs;
    const int64_t units = pairs->problem->tiling.local_units;
    uint64_t *sums = counts->pending[0];
    memset(active, 0, (size_t)pairs->samples * sizeof *active);
    WW_ASSERT(counts->pending_count[0] == 0);
    for (int64_t first = 0; first < units; first += MOST_OF_BYTE) {
        const int64_t left = units - first;
        for (int64_t unit = first; unit < first + (left < MOST_OF_BYTE ? left : MOST_OF_BYTE);
             unit++)
            add_bits(sums, ww_lazy_patterns(pairs, unit), pairs->words);
        for (int64_t j = 0; j < pairs->samples; j++)
            active[j] += ((const uint8_t *)sums)[j];
        memset(sums, 0, (size_t)pairs->stride);
    }
}

int64_t ww_lazy_both(const ww_lazy_counts *counts, int64_t i, int64_t j)
{
    const int64_t stride = counts->pairs->stride;
    return ((int64_t)counts->counts[i * stride + j] + counts->counts[j * stride + i]) / 2;
}

// Quantum of the first word: values are below 2^bits of it in magnitude.
static double first_quantum(const ww_lazy_counts *counts, const double *factors)
{
    double largest = 0.0;
    for (int64_t j = 0; j < counts->pairs->samples; j++)
        largest = fmax(largest, fabs(factors[j]));
    const double limit = largest * counts->largest;
    return limit > 0.0 && isfinite(limit) ? ldexp(1.0, bits_of(limit) - counts->bits) : 1.0;
}

// Words of values a_j b_j [slices, count].
__attribute__((target_clones("avx2", "default"))) static void
slice(const double *a, const double *b, int64_t count, double inverse_quantum, double radix,
      int slices, int32_t *words)
{
    static const double ROUND = 6755399441055744.0; // 1.5 * 2^52
    for (int64_t j = 0; j < count; j++) {
        double rest = a[j] * b[j] * inverse_quantum;
        const double whole = (rest + ROUND) - ROUND;
        words[j] = (int32_t)whole;
        rest = (rest - whole) * radix;
        const double second = (rest + ROUND) - ROUND;
        words[count + j] = (int32_t)second;
        if (slices > 2)
            words[2 * count + j] = (int32_t)(((rest - second) * radix + ROUND) - ROUND);
    }
}

// sum_j both_j words_j.
__attribute__((target_clones("avx2", "default"))) static int64_t
sum_products(const int32_t *both, const int32_t *words, int64_t count)
{
    int64_t sum = 0;
    for (int64_t j = 0; j < count; j++)
        sum += (int64_t)both[j] * words[j];
    return sum;
}

// Twice N of the rows first .. first + rows - 1, into both [rows, stride]: entries (i, j) and (j,
// i).
__attribute__((target_clones("avx2", "default"))) static void join(const int32_t *counts,
                                                                   int64_t stride, int64_t samples,
                                                                   int64_t first, int64_t rows,
                                                                   int32_t *both)
{
    for (int64_t i = 0; i < rows; i++)
        memcpy(both + i * stride, counts + (first + i) * stride, (size_t)stride * sizeof *both);
    // Squares of ROWS x ROWS at a time, which stay in the nearest cache; the last has rows of 0, or
    // of the padding, that are not looked at.
    for (int64_t j = 0; j < stride; j += ROWS) {
        int32_t square[ROWS][ROWS] = {{0}};
        for (int64_t k = 0; k < ROWS && j + k < samples; k++)
            memcpy(square[k], counts + (j + k) * stride + first, ROWS * sizeof **square);
        for (int64_t i = 0; i < rows; i++)
            for (int64_t k = 0; k < ROWS; k++)
                both[i * stride + j + k] += square[k][i];
    }
}

void ww_lazy_counts_product(ww_lazy_counts *counts, const double *factors, int64_t *words)
{
    const ww_lazy_pairs *pairs = counts->pairs;
    const int64_t n = pairs->samples, stride = pairs->stride;
    const double inverse = 1.0 / first_quantum(counts, factors);
    const double radix = ldexp(1.0, counts->bits);
    for (int64_t first = 0; first < n; first += ROWS) {
        const int64_t rows = n - first < ROWS ? n - first : ROWS;
        join(counts->counts, stride, n, first, rows, counts->both);
        for (int64_t i = 0; i < rows; i++) {
            slice(pairs->products + (first + i) * stride, factors, n, inverse, radix,
                  counts->slices, counts->row);
            for (int s = 0; s < counts->slices; s++)
                words[s * n + first + i] +=
                    sum_products(counts->both + i * stride, counts->row + s * n, n);
        }
    }
}

// words += both times the words of a column.
__attribute__((target_clones("avx2", "default"))) static void
add_products(const int32_t *both, const int32_t *words, int64_t count, int64_t *sums)
{
    for (int64_t i = 0; i < count; i++)
        sums[i] += (int64_t)both[i] * words[i];
}

void ww_lazy_counts_product_of(ww_lazy_counts *counts, const double *factors,
                               const int64_t *columns, int64_t count, int64_t *words)
{
    const ww_lazy_pairs *pairs = counts->pairs;
    const int64_t n = pairs->samples, stride = pairs->stride;
    const double inverse = 1.0 / first_quantum(counts, factors);
    const double radix = ldexp(1.0, counts->bits);
    for (int64_t c = 0; c < count; c++) {
        const int64_t j = columns[c];
        const int32_t *row = counts->counts + j * stride;
        for (int64_t i = 0; i < n; i++) {
            counts->both[i] = row[i] + counts->counts[i * stride + j];
            counts->weights[i] = factors[j];
        }
        // A row of K is a column of it too.
        slice(pairs->products + j * stride, counts->weights, n, inverse, radix, counts->slices,
              counts->row);
        for (int s = 0; s < counts->slices; s++)
            add_products(counts->both, counts->row + s * n, n, words + s * n);
    }
}

void ww_lazy_counts_values(const ww_lazy_counts *counts, const double *factors,
                           const int64_t *words, double *values)
{
    const int64_t n = counts->pairs->samples;
    const double radix = ldexp(1.0, -counts->bits);
    const double first = 0.5 * first_quantum(counts, factors);
    for (int64_t i = 0; i < n; i++) {
        double value = 0.0;
        for (int s = counts->slices; s-- > 0;)
            value = radix * value + (double)words[s * n + i];
        values[i] = first * value;
    }
}
