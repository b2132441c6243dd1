// What weights are made of, by patterns, offsets and sums of updates (lazy_pairs.h).

#include "train/lanes.h"
#include "train/lazy_pairs.h"

#include <math.h>
#include <string.h>

// Values where a pattern is active, and the slope times them elsewhere.
__attribute__((target_clones("avx2", "default"))) static void
bend(const double *values, double slope, const uint64_t *patterns, int64_t count, double *bent)
{
    enum { LANES = 4 };
    int64_t j = 0;
    for (; j + LANES <= count; j += LANES) {
        vector value;
        memcpy(&value, values + j, sizeof value);
        const lanes is_active = keeps[patterns[j / WW_PATTERN_WORD] >> j % WW_PATTERN_WORD & 15];
        const lanes chosen = ((lanes)value & is_active) | ((lanes)(slope * value) & ~is_active);
        memcpy(bent + j, &chosen, sizeof chosen);
    }
    for (; j < count; j++)
        bent[j] = ww_pattern_has(patterns, j) ? values[j] : slope * values[j];
}

void ww_lazy_coefficients(const ww_lazy_pairs *pairs, const double *totals, ww_rows tile,
                          double *coefficients)
{
    const double slope = pairs->problem->negative_slope;
    const int64_t n = pairs->samples;
    for (int64_t unit = 0; unit < tile.units; unit++) {
        const int64_t number = tile.first + unit;
        const ww_lazy_list *of = &pairs->units[number].offsets;
        const double *offsets = pairs->start + number * pairs->stride;
        double *row = coefficients + unit * n;
        for (int64_t j = 0; pairs->is_weighed && j < n; j++)
            row[j] = ww_lazy_total(pairs, totals, number, j);
        bend(pairs->is_weighed ? row : totals, slope, ww_lazy_patterns(pairs, number), n, row);
        for (int64_t j = 0; pairs->is_full && j < n; j++)
            row[j] += (1.0 - slope) * offsets[j];
        for (int32_t k = 0; k < of->count; k++)
            row[ww_lazy_samples(of)[k]] += (1.0 - slope) * of->values[k];
        for (int64_t j = 0; j < n; j++)
            row[j] *= pairs->units[number].factor;
    }
}

// What the terms of ww_lazy_total come to in magnitude.
static double total_magnitude(const ww_lazy_pairs *pairs, const double *totals, int64_t unit,
                              int64_t j)
{
    if (!pairs->is_weighed)
        return fabs(totals[j]);
    double sum = 0.0;
    for (int64_t k = 0; k < pairs->outputs; k++)
        sum += fabs(pairs->scales[unit * pairs->outputs + k] * totals[k * pairs->stride + j]);
    return sum;
}

void ww_lazy_reach(const ww_lazy_pairs *pairs, const double *totals, ww_rows tile,
                   const double *lengths, double *reach)
{
    const double slope = pairs->problem->negative_slope;
    for (int64_t unit = 0; unit < tile.units; unit++) {
        const int64_t number = tile.first + unit;
        const ww_lazy_list *of = &pairs->units[number].offsets;
        double sum = 0.0;
        for (int64_t j = 0; j < pairs->samples; j++)
            sum += (ww_lazy_is_active(pairs, number, j) ? 1.0 : slope) *
                   total_magnitude(pairs, totals, number, j) * lengths[j];
        for (int64_t j = 0; pairs->is_full && j < pairs->samples; j++)
            sum += (1.0 - slope) * fabs(pairs->start[number * pairs->stride + j]) * lengths[j];
        for (int32_t k = 0; k < of->count; k++)
            sum += (1.0 - slope) * fabs(of->values[k]) * lengths[ww_lazy_samples(of)[k]];
        reach[unit] = fabs(pairs->units[number].factor) * sum;
    }
}
