#include "data/ascent.h"

#include "widthwise/memory.h"
#include "widthwise/random.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { LANES = 16, PASSES_A_ROUND = 10, ARRAYS = 6 };

// Bounds the time: some seconds, less where there are few samples, or for data that are very large
// fifty looks at all of them. A row takes the time of so many products beside its own.
static const double MOST_PRODUCTS = 1e10;
static const double ROW_PRODUCTS = 100.0;
static const double MOST_LOOKS = 2e4;
static const double LEAST_LOOKS = 50.0;

// Lanes of a fixed number are vectors of whatever width the processor has, with the same bits.
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define VECTOR_VARIANTS __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define VECTOR_VARIANTS
#endif

VECTOR_VARIANTS
double ww_row_product(const double *a, const double *b, int64_t count)
{
    double sums[LANES] = {0.0};
    int64_t j = 0;
    for (; j + LANES <= count; j += LANES)
        for (int64_t lane = 0; lane < LANES; lane++)
            sums[lane] += a[j + lane] * b[j + lane];
    for (int64_t lane = 0; j < count; j++, lane++)
        sums[lane] += a[j] * b[j];
    for (int64_t half = LANES / 2; half > 0; half /= 2)
        for (int64_t lane = 0; lane < half; lane++)
            sums[lane] += sums[lane + half];
    return sums[0];
}

VECTOR_VARIANTS
static void add_row(double factor, const double *restrict row, int64_t count,
                    double *restrict weights)
{
    for (int64_t j = 0; j < count; j++)
        weights[j] += factor * row[j];
}

static const double *row_of(const ww_ascent *ascent, int64_t sample)
{
    return ascent->samples->inputs + sample * ascent->dimension;
}

static double margin_of(const ww_ascent *ascent, int64_t sample)
{
    return ww_sign_of_label(ascent->samples->labels[sample]) *
           ww_row_product(ascent->weights, row_of(ascent, sample), ascent->dimension);
}

/// The best a_i where all others stay, at a margin of sample i.
static double best_multiplier(const ww_ascent *ascent, int64_t sample, double margin)
{
    const double norm = ascent->norms[sample];
    if (norm == 0.0)
        return 0.0;
    const double best = ascent->multipliers[sample] + (1.0 - margin) / (norm * norm);
    return fmin(fmax(best, 0.0), ascent->penalty);
}

static void add_multiplier(ww_ascent *ascent, int64_t sample, double difference)
{
    add_row(difference * ww_sign_of_label(ascent->samples->labels[sample]), row_of(ascent, sample),
            ascent->dimension, ascent->weights);
    ascent->rows_left--;
}

void ww_ascent_look(ww_ascent *ascent)
{
    const int64_t n = ascent->samples->count;
    for (int64_t j = 0; j < ascent->dimension; j++)
        ascent->weights[j] = 0.0;
    for (int64_t i = 0; i < n; i++)
        if (ascent->multipliers[i] > 0.0)
            add_multiplier(ascent, i, ascent->multipliers[i]);
    ascent->active_count = 0;
    for (int64_t i = 0; i < n; i++) {
        const double a = ascent->multipliers[i];
        ascent->margins[i] = margin_of(ascent, i);
        const bool is_free = a > 0.0 && a < ascent->penalty;
        if (is_free || best_multiplier(ascent, i, ascent->margins[i]) != a)
            ascent->active[ascent->active_count++] = i;
    }
    ascent->rows_left -= (double)n;
}

static void pass(ww_ascent *ascent)
{
    const ww_stream stream = {.purpose = WW_DRAW_SUBSET, .substream = ascent->passes++};
    ww_permutation(stream, ascent->active_count, ascent->order);
    for (int64_t k = 0; k < ascent->active_count; k++) {
        const int64_t i = ascent->active[ascent->order[k]];
        const double best = best_multiplier(ascent, i, margin_of(ascent, i));
        const double difference = best - ascent->multipliers[i];
        if (difference == 0.0)
            continue;
        ascent->multipliers[i] = best;
        add_multiplier(ascent, i, difference);
    }
    ascent->rows_left -= (double)ascent->active_count;
}

bool ww_ascent_round(ww_ascent *ascent)
{
    if (ascent->active_count == 0 || ascent->rows_left <= 0.0)
        return false;
    for (int i = 0; i < PASSES_A_ROUND; i++)
        pass(ascent);
    ww_ascent_look(ascent);
    return true;
}

static void list_arrays(int64_t samples, int64_t dimension, ww_allocation *arrays)
{
    static const char what[] = "the search for a separating hyperplane";
    const size_t n = (size_t)samples;
    const ww_allocation list[ARRAYS] = {
        {offsetof(ww_ascent, norms), n, sizeof(double), what},
        {offsetof(ww_ascent, multipliers), n, sizeof(double), what},
        {offsetof(ww_ascent, weights), (size_t)dimension, sizeof(double), what},
        {offsetof(ww_ascent, margins), n, sizeof(double), what},
        {offsetof(ww_ascent, active), n, sizeof(int64_t), what},
        {offsetof(ww_ascent, order), n, sizeof(int64_t), what},
    };
    memcpy(arrays, list, sizeof list);
}

ww_status ww_ascent_begin(const ww_samples *samples, int64_t dimension, double penalty,
                          ww_ascent *ascent, ww_error *error)
{
    ww_allocation arrays[ARRAYS];
    list_arrays(samples->count, dimension, arrays);
    *ascent = (ww_ascent){.samples = samples, .dimension = dimension, .penalty = penalty};
    WW_TRY(ww_allocate_all(ascent, arrays, ARRAYS, error));
    for (int64_t i = 0; i < samples->count; i++)
        ascent->norms[i] = sqrt(ww_row_product(row_of(ascent, i), row_of(ascent, i), dimension));
    const double n = (double)samples->count;
    const double rows = MOST_PRODUCTS / ((double)dimension + ROW_PRODUCTS);
    ascent->rows_left = fmin(fmax(rows, LEAST_LOOKS * n), MOST_LOOKS * n);
    ww_ascent_look(ascent);
    return WW_OK;
}

void ww_ascent_free(ww_ascent *ascent)
{
    free(ascent->norms);
    free(ascent->multipliers);
    free(ascent->weights);
    free(ascent->margins);
    free(ascent->active);
    free(ascent->order);
    *ascent = (ww_ascent){0};
}

int64_t ww_ascent_bytes(int64_t samples, int64_t dimension)
{
    ww_allocation arrays[ARRAYS];
    list_arrays(samples, dimension, arrays);
    return ww_allocation_bytes(arrays, ARRAYS);
}
