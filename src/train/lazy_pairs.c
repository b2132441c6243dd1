#include "train/lazy_pairs.h"

#include "parallel/workers.h"
#include "train/activations.h"
#include "train/keeper.h"
#include "train/lanes.h"
#include "train/moves.h"
#include "widthwise/memory.h"
#include "widthwise/norm.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { ARRAYS = 7, WEIGHT_ARRAYS = 3 };

bool ww_lazy_is_weighed(const ww_problem *problem)
{
    return problem->outputs > 1 || problem->config->network.output.kind == WW_OUTPUT_GAUSSIAN;
}

static void list_arrays(const ww_problem *problem, ww_allocation list[ARRAYS])
{
    const size_t samples = (size_t)problem->data->train.count;
    const size_t words = (size_t)ww_pattern_words((int64_t)samples);
    const size_t stride = words * WW_PATTERN_WORD;
    const size_t units = (size_t)problem->tiling.local_units;
    const size_t outputs = (size_t)problem->outputs;
    const size_t threads = (size_t)ww_workers_of(problem->parallel);
    const ww_allocation arrays[] = {
        {offsetof(ww_lazy_pairs, start), units * stride, sizeof(double),
         "the pre-activations of all samples (training.engine: dense takes less)"},
        {offsetof(ww_lazy_pairs, patterns), units * words, sizeof(uint64_t),
         "the patterns of all samples"},
        {offsetof(ww_lazy_pairs, units), units, sizeof(ww_lazy_unit), "what is of all units"},
        {offsetof(ww_lazy_pairs, scales), units * outputs, sizeof(double), "the output weights"},
        {offsetof(ww_lazy_pairs, totals), outputs * stride, sizeof(double), "the sums of updates"},
        {offsetof(ww_lazy_pairs, weighed), threads * outputs * stride, sizeof(double),
         "the products of a sample"},
        {offsetof(ww_lazy_pairs, wholes), threads * outputs, sizeof(double),
         "the products of a sample"},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

int64_t ww_lazy_pairs_bytes(const ww_problem *problem)
{
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    return ww_allocation_bytes(list, ARRAYS);
}

int64_t ww_lazy_pairs_weight_bytes(const ww_problem *problem)
{
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    return ww_allocation_bytes(list, WEIGHT_ARRAYS);
}

// p(0) of a tile; and patterns by it.
static void put_start(void *state, ww_rows tile, const void *preactivations)
{
    ww_lazy_pairs *self = state;
    const int64_t n = self->samples;
    for (int64_t unit = 0; unit < tile.units; unit++)
        memcpy(self->start + (tile.first + unit) * self->stride,
               (const double *)preactivations + unit * n, (size_t)n * sizeof *self->start);
}

static void put_start_and_patterns(void *state, ww_rows tile, const void *preactivations)
{
    ww_lazy_pairs *self = state;
    put_start(self, tile, preactivations);
    for (int64_t unit = tile.first; unit < tile.first + tile.units; unit++)
        for (int64_t j = 0; j < self->samples; j++)
            self->patterns[unit * self->words + j / WW_PATTERN_WORD] |=
                (uint64_t)(self->start[unit * self->stride + j] >= 0.0) << j % WW_PATTERN_WORD;
}

// Windows are about p over the length of a_r. A unit that never moves has none.
static void put_scales(ww_lazy_pairs *self)
{
    const int64_t k = self->outputs;
    for (int64_t unit = 0; unit < self->problem->tiling.local_units; unit++) {
        const double length = ww_norm(self->scales + unit * k, k);
        self->units[unit].factor = self->is_weighed ? 1.0 : self->scales[unit];
        self->units[unit].length = self->is_weighed && length > 0.0 ? length : 1.0;
    }
}

ww_status ww_lazy_pairs_create(const ww_problem *problem, ww_lazy_pairs *pairs, ww_error *error)
{
    const int64_t n = problem->data->train.count;
    const int64_t words = ww_pattern_words(n);
    *pairs = (ww_lazy_pairs){.problem = problem,
                             .samples = n,
                             .outputs = problem->outputs,
                             .is_weighed = ww_lazy_is_weighed(problem),
                             .stride = words * WW_PATTERN_WORD,
                             .words = words,
                             .products = problem->products->values};
    WW_ASSERT(problem->products->stride == pairs->stride);
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    WW_TRY(ww_allocate_all(pairs, list, ARRAYS, error));
    ww_initial_output_weights(&problem->initial, problem->tiling.first_unit,
                              problem->tiling.local_units, pairs->scales);
    put_scales(pairs);
    return ww_put_initial_preactivations(problem, put_start_and_patterns, pairs, error);
}

void ww_lazy_pairs_free(ww_lazy_pairs *pairs)
{
    ww_lazy_offsets_free(&pairs->offsets);
    free(pairs->start);
    free(pairs->patterns);
    free(pairs->units);
    free(pairs->scales);
    free(pairs->totals);
    free(pairs->weighed);
    free(pairs->wholes);
}

void ww_lazy_pairs_add(ww_lazy_pairs *pairs, const double *factors)
{
    for (int64_t j = 0; j < pairs->outputs * pairs->stride; j++) // numbers beyond n are 0
        pairs->totals[j] += factors[j];
}

void ww_lazy_choose(const double *outputs, const int64_t *indices, int64_t count, int64_t k,
                    double *chosen)
{
    for (int64_t i = 0; i < count; i++)
        for (int64_t a = 0; a < k; a++)
            chosen[i * k + a] = outputs[indices[i] * k + a];
}

void ww_lazy_add_factors(const ww_lazy_pairs *pairs, const int64_t *indices,
                         const double *gradients, double *factors)
{
    const ww_problem *problem = pairs->problem;
    const int64_t k = pairs->outputs;
    for (int64_t i = 0; i < problem->batch; i++)
        for (int64_t a = 0; a < k; a++)
            factors[a * pairs->stride + indices[i]] -=
                problem->learning_rate * gradients[i * k + a];
}

// Of one output.
static void weigh(const ww_lazy_pairs *pairs, int64_t sample, int64_t output, double *weighed,
                  double *whole)
{
    enum { SUMS = 4 }; // by their place
    const double *row = pairs->products + sample * pairs->stride;
    const double *totals = pairs->totals + output * pairs->stride;
    double sums[SUMS] = {0.0};
    for (int64_t j = 0; j < pairs->stride; j++)
        weighed[j] = row[j] * totals[j];
    for (int64_t j = 0; pairs->problem->negative_slope != 0.0 && j < pairs->stride; j += SUMS)
        for (int64_t i = 0; i < SUMS; i++)
            sums[i] += weighed[j + i];
    *whole = (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

void ww_lazy_look_at(ww_lazy_pairs *pairs, int worker, int64_t sample)
{
    const int64_t first = worker * pairs->outputs;
    for (int64_t k = 0; k < pairs->outputs; k++)
        weigh(pairs, sample, k, pairs->weighed + (first + k) * pairs->stride,
              &pairs->wholes[first + k]);
}

// The sum of the values whose bits are set, in sixteen sums by their place.
__attribute__((target_clones("avx2", "default"))) static double
masked_sum(const double *values, const uint64_t *patterns, int64_t words)
{
    vector sums[4] = {{0.0}};
    for (int64_t word = 0; word < words; word++) {
        uint64_t bits = patterns[word];
        const vector *from = (const vector *)(const void *)(values + word * WW_PATTERN_WORD);
        for (int quarter = 0; quarter < 4; quarter++, bits >>= 16, from += 4)
            for (int i = 0; i < 4; i++)
                sums[i] += (vector)((lanes)from[i] & keeps[bits >> 4 * i & 15]);
    }
    const vector all = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    return (all[0] + all[1]) + (all[2] + all[3]);
}

// sum_j K_ij o_j of a unit, by a row of K, in four sums by their place among all that it has, which
// restarts keep.
static double offset_sum(const ww_lazy_list *of, const double *row)
{
    const int32_t *samples = ww_lazy_samples(of);
    double sums[4] = {0.0};
    int32_t k = 0;
    for (; k + 4 <= of->count; k += 4)
        for (int32_t i = 0; i < 4; i++)
            sums[i] += row[samples[k + i]] * of->values[k + i];
    for (int32_t i = 0; k + i < of->count; i++)
        sums[i] += row[samples[k + i]] * of->values[k + i];
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

enum { LINE = 64 }; // bytes of a line of a cache

void ww_lazy_expect(const ww_lazy_pairs *pairs, int64_t unit)
{
    __builtin_prefetch(&pairs->units[unit]);
    for (int64_t k = 0; pairs->is_weighed && k < pairs->outputs; k += LINE / 8)
        __builtin_prefetch(pairs->scales + unit * pairs->outputs + k);
    for (int64_t word = 0; word < pairs->words; word += LINE / 8)
        __builtin_prefetch(ww_lazy_patterns(pairs, unit) + word);
}

void ww_lazy_expect_now(const ww_lazy_pairs *pairs, int64_t unit)
{
    const ww_lazy_list *of = &pairs->units[unit].offsets;
    const int32_t *samples = ww_lazy_samples(of);
    for (int32_t k = 0; k < of->count; k += LINE / (int32_t)sizeof *of->values)
        __builtin_prefetch(of->values + k);
    for (int32_t k = 0; k < of->count; k += LINE / (int32_t)sizeof *samples)
        __builtin_prefetch(samples + k);
}

double ww_lazy_preactivation(const ww_lazy_pairs *pairs, int worker, int64_t unit, int64_t sample,
                             double start)
{
    const double *weighed = pairs->weighed + worker * pairs->outputs * pairs->stride;
    const double *wholes = pairs->wholes + worker * pairs->outputs;
    const ww_lazy_unit *of = &pairs->units[unit];
    const double slope = pairs->problem->negative_slope;
    const double *row = pairs->products + sample * pairs->stride;
    const uint64_t *patterns = ww_lazy_patterns(pairs, unit);
    const double offsets = offset_sum(&of->offsets, row);
    if (!pairs->is_weighed) {
        const double sum = masked_sum(weighed, patterns, pairs->words);
        return start + of->factor * (slope * wholes[0] + (1.0 - slope) * (sum + offsets));
    }
    double moved = (1.0 - slope) * offsets;
    for (int64_t k = 0; k < pairs->outputs; k++) {
        const double sum = masked_sum(weighed + k * pairs->stride, patterns, pairs->words);
        moved +=
            pairs->scales[unit * pairs->outputs + k] * (slope * wholes[k] + (1.0 - slope) * sum);
    }
    return start + moved;
}

ww_status ww_lazy_pairs_check(const ww_lazy_pairs *pairs, ww_error *error)
{
    return pairs->is_short ? ww_lazy_offsets_fail(error) : WW_OK;
}

ww_status ww_lazy_change(ww_lazy_pairs *pairs, int64_t unit, int64_t sample, bool *is_first,
                         ww_error *error)
{
    ww_lazy_list *of = &pairs->units[unit].offsets;
    const bool was_active = ww_lazy_is_active(pairs, unit, sample);
    int32_t place = 0;
    WW_TRY(ww_lazy_offsets_find(&pairs->offsets, of, sample, &place, error));
    uint8_t *mark = ww_lazy_marks(of) + place;
    *is_first = (*mark & WW_LAZY_IS_NEW) == 0;
    if (*is_first) {
        *mark = WW_LAZY_IS_NEW | (was_active ? WW_LAZY_WAS_ACTIVE : 0);
        ww_lazy_early(of)[place] = of->values[place];
    }
    const double total = ww_lazy_total(pairs, pairs->totals, unit, sample);
    of->values[place] += was_active ? total : -total;
    if (of->values[place] == 0.0)
        of->values[place] = -0.0; // it has its place among the others (offset_sum)
    pairs->patterns[unit * pairs->words + sample / WW_PATTERN_WORD] ^= (uint64_t)1
                                                                       << sample % WW_PATTERN_WORD;
    return WW_OK;
}

void ww_lazy_get_unit(const ww_lazy_pairs *pairs, int64_t unit, double *values, int packed)
{
    const int64_t n = pairs->samples;
    const ww_lazy_list *of = &pairs->units[unit].offsets;
    memset(values, 0, (size_t)(n + (n + packed - 1) / packed) * sizeof *values);
    if (pairs->is_full)
        memcpy(values, pairs->start + unit * pairs->stride, (size_t)n * sizeof *values);
    for (int32_t k = 0; k < of->count; k++)
        values[ww_lazy_samples(of)[k]] = of->values[k];
    const uint64_t *patterns = ww_lazy_patterns(pairs, unit);
    for (int64_t j = 0; j < n; j += packed) { // bits beyond n are 0
        uint64_t bits = patterns[j / WW_PATTERN_WORD] >> j % WW_PATTERN_WORD;
        if (j % WW_PATTERN_WORD + packed > WW_PATTERN_WORD &&
            j / WW_PATTERN_WORD + 1 < pairs->words)
            bits |= patterns[j / WW_PATTERN_WORD + 1] << (WW_PATTERN_WORD - j % WW_PATTERN_WORD);
        values[n + j / packed] = (double)(bits & (((uint64_t)1 << packed) - 1));
    }
}

void ww_lazy_put_unit(ww_lazy_pairs *pairs, int64_t unit, const double *values, int packed)
{
    const int64_t n = pairs->samples;
    uint64_t *patterns = pairs->patterns + unit * pairs->words;
    pairs->is_full = true;
    pairs->units[unit].offsets.count = 0; // what it had of its own counts no more
    memcpy(pairs->start + unit * pairs->stride, values, (size_t)n * sizeof *values);
    for (int64_t word = 0; word < pairs->words; word++)
        patterns[word] = 0;
    for (int64_t j = 0; j < n; j++) {
        const uint64_t bits = (uint64_t)values[n + j / packed];
        patterns[j / WW_PATTERN_WORD] |= (bits >> j % packed & 1) << j % WW_PATTERN_WORD;
    }
}

void ww_lazy_spread_offsets(ww_lazy_pairs *pairs)
{
    for (int64_t unit = 0; unit < pairs->problem->tiling.local_units; unit++) {
        ww_lazy_list *of = &pairs->units[unit].offsets;
        double *row = pairs->start + unit * pairs->stride;
        memset(row, 0, (size_t)pairs->stride * sizeof *row);
        for (int32_t k = 0; k < of->count; k++)
            row[ww_lazy_samples(of)[k]] = of->values[k];
        *of = (ww_lazy_list){0};
    }
    ww_lazy_offsets_free(&pairs->offsets);
    pairs->is_full = true;
}

// Whether a unit has an offset of its own for a sample; -0 is one that has come back to 0.
static bool is_there(double offset)
{
    return offset != 0.0 || signbit(offset);
}

// Those of one unit, from all.
static ww_status gather_unit(ww_lazy_pairs *pairs, int64_t unit, ww_error *error)
{
    const double *row = pairs->start + unit * pairs->stride;
    ww_lazy_list *of = &pairs->units[unit].offsets;
    int32_t count = 0;
    for (int64_t j = 0; j < pairs->samples; j++)
        count += is_there(row[j]);
    if (count == 0)
        return WW_OK;
    WW_TRY(ww_lazy_offsets_reserve(&pairs->offsets, of, count, error));
    for (int64_t j = 0; j < pairs->samples; j++) {
        if (!is_there(row[j]))
            continue;
        of->values[of->count] = row[j];
        ww_lazy_samples(of)[of->count] = (int32_t)j;
        ww_lazy_marks(of)[of->count++] = 0;
    }
    return WW_OK;
}

ww_status ww_lazy_gather_offsets(ww_lazy_pairs *pairs, ww_error *error)
{
    pairs->is_full = false;
    for (int64_t unit = 0; unit < pairs->problem->tiling.local_units; unit++)
        WW_TRY(gather_unit(pairs, unit, error));
    return ww_put_initial_preactivations(pairs->problem, put_start, pairs, error);
}

// The changes of a word of patterns of a unit.
static int64_t change_word(ww_lazy_pairs *pairs, int64_t unit, int64_t word, uint64_t now)
{
    uint64_t *patterns = pairs->patterns + unit * pairs->words + word;
    double *offsets = pairs->start + unit * pairs->stride;
    const uint64_t changed = now ^ *patterns;
    *patterns = now;
    for (uint64_t bits = changed; bits != 0; bits &= bits - 1) {
        const int bit = __builtin_ctzll(bits);
        const double total =
            ww_lazy_total(pairs, pairs->totals, unit, word * WW_PATTERN_WORD + bit);
        offsets[word * WW_PATTERN_WORD + bit] += (now >> bit & 1) != 0 ? -total : total;
    }
    return __builtin_popcountll(changed);
}

int64_t ww_lazy_see(ww_lazy_pairs *pairs, int64_t unit, const uint8_t *active)
{
    int64_t changes = 0;
    for (int64_t word = 0; word < pairs->words; word++) {
        const int64_t first = word * WW_PATTERN_WORD;
        uint64_t now = 0;
        const int64_t left = pairs->samples - first;
        ww_pack_patterns(active + first, 1, left < WW_PATTERN_WORD ? left : WW_PATTERN_WORD,
                         (uint8_t *)&now, (int64_t)sizeof now);
        changes += change_word(pairs, unit, word, now);
    }
    return changes;
}
