#include "train/lazy_weighed.h"

#include "parallel/workers.h"
#include "widthwise/memory.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

// Changes of a sample are taken in by so many at once.
enum { ARRAYS = 5, LANES = WW_LAZY_LANES, CHANGES = 64 };

int64_t ww_lazy_weighed_planes(const ww_problem *problem)
{
    const int64_t k = problem->outputs;
    return (k * (k + 1) / 2 + LANES - 1) / LANES * LANES;
}

static void list_arrays(const ww_problem *problem, ww_allocation list[ARRAYS])
{
    static const char what[] = "the sums of output weights over active units (training.engine: "
                               "dense takes less)";
    const bool is_weighed = ww_lazy_is_weighed(problem);
    const size_t samples = is_weighed ? (size_t)problem->data->train.count : 0;
    const size_t planes = (size_t)ww_lazy_weighed_planes(problem);
    const size_t diagonal = problem->negative_slope != 0.0 ? samples * planes : 0;
    const ww_allocation arrays[] = {
        {offsetof(ww_lazy_weighed, sums),
         (size_t)ww_lazy_share_most_rows(problem) * samples * planes, sizeof(int64_t), what},
        {offsetof(ww_lazy_weighed, diagonal), diagonal, sizeof(int64_t), what},
        {offsetof(ww_lazy_weighed, all), is_weighed ? planes : 0, sizeof(int64_t), what},
        {offsetof(ww_lazy_weighed, turned), samples * (size_t)problem->outputs, sizeof(double),
         what},
        {offsetof(ww_lazy_weighed, changes), is_weighed ? CHANGES * planes : 0, sizeof(int64_t),
         what},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

int64_t ww_lazy_weighed_bytes(const ww_problem *problem)
{
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    return ww_allocation_bytes(list, ARRAYS);
}

ww_status ww_lazy_weighed_create(const ww_lazy_pairs *pairs, const ww_lazy_share *share,
                                 ww_lazy_weighed *weighed, ww_error *error)
{
    *weighed = (ww_lazy_weighed){
        .pairs = pairs, .share = share, .planes = ww_lazy_weighed_planes(pairs->problem)};
    ww_allocation list[ARRAYS];
    list_arrays(pairs->problem, list);
    return ww_allocate_all(weighed, list, ARRAYS, error);
}

void ww_lazy_weighed_free(ww_lazy_weighed *weighed)
{
    free(weighed->sums);
    free(weighed->diagonal);
    free(weighed->all);
    free(weighed->turned);
    free(weighed->changes);
}

void ww_lazy_weigh_products(const ww_lazy_weighed *weighed, const double *scales, int64_t *products)
{
    const int64_t k = weighed->pairs->outputs;
    int64_t plane = 0;
    for (int64_t a = 0; a < k; a++)
        for (int64_t b = a; b < k; b++)
            products[plane++] = llrint(scales[a] * scales[b] / weighed->quantum);
    for (; plane < weighed->planes; plane++)
        products[plane] = 0;
}

// ---- changes ------------------------------------------------------------------------------------

// sum over the changes that are active on the sample of bit `bit` of their products; whether there
// is one.
__attribute__((target_clones("avx2", "default"))) static bool
sum_active(const ww_lazy_change_seen *changes, const int64_t *products, int64_t count, int64_t bit,
           int64_t planes, int64_t *sum)
{
    bool is_any = false;
    for (int64_t i = 0; i < count; i++) {
        if (!ww_pattern_has(changes[i].patterns, bit))
            continue;
        const int64_t *product = products + i * planes;
        for (int64_t plane = 0; plane < planes; plane++)
            sum[plane] = is_any ? sum[plane] + product[plane] : product[plane];
        is_any = true;
    }
    return is_any;
}

static void add_to(int64_t *sums, const int64_t *more, int64_t planes)
{
    for (int64_t plane = 0; plane < planes; plane++)
        sums[plane] += more[plane];
}

// What threads share work on: changes of a sample, CHANGES at most, whose products are there.
typedef struct taking {
    ww_lazy_weighed *weighed;
    int64_t sample, from; // and what it is counted with, from a sample on
    int64_t skip;         // samples before those of patterns
    bool is_own;          // the row of the sample is of this rank
    const ww_lazy_change_seen *changes;
    int64_t count;
} taking;

static void take_others(void *context, int worker, int64_t first, int64_t end)
{
    const taking *now = context;
    const ww_lazy_weighed *weighed = now->weighed;
    const ww_lazy_share *share = weighed->share;
    const int64_t n = weighed->pairs->samples, planes = weighed->planes, sample = now->sample;
    int64_t sum[WW_LAZY_MOST_PLANES + LANES];
    (void)worker;
    for (int64_t j = now->from + first; j < now->from + end; j++) {
        if (j == sample ||
            !sum_active(now->changes, weighed->changes, now->count, j - now->skip, planes, sum))
            continue;
        if (now->is_own)
            add_to(weighed->sums + ((sample - share->first) * n + j) * planes, sum, planes);
        if (ww_lazy_share_has_own(share, j))
            add_to(weighed->sums + ((j - share->first) * n + sample) * planes, sum, planes);
    }
}

// Takes in CHANGES of a sample at most.
static void take_some(taking *now)
{
    enum { SAMPLES = 64 };
    ww_lazy_weighed *weighed = now->weighed;
    const int64_t n = weighed->pairs->samples, planes = weighed->planes;
    const int64_t row = now->sample - weighed->share->first;
    int64_t *products = weighed->changes;
    for (int64_t i = 0; i < now->count; i++) {
        double scales[WW_LAZY_MOST_OUTPUTS];
        memcpy(scales, now->changes[i].scales, (size_t)weighed->pairs->outputs * sizeof *scales);
        ww_lazy_weigh_products(weighed, scales, products + i * planes);
        for (int64_t plane = 0; now->changes[i].sign == 0 && plane < planes; plane++)
            products[i * planes + plane] *= -1;
    }
    ww_for_each_piece(weighed->pairs->problem->parallel, now->is_own ? n : weighed->share->rows,
                      SAMPLES, take_others, now);
    for (int64_t i = 0; now->is_own && i < now->count;
         i++) // its own pattern has turned, which is told once
        add_to(weighed->sums + (row * n + now->sample) * planes, products + i * planes, planes);
}

void ww_lazy_weighed_take(ww_lazy_weighed *weighed, int64_t sample, int64_t skip,
                          const ww_lazy_change_seen *changes, int64_t count)
{
    const ww_lazy_share *share = weighed->share;
    const bool is_own = ww_lazy_share_has_own(share, sample);
    for (int64_t i = 0; i < count; i += CHANGES) {
        taking now = {.weighed = weighed,
                      .sample = sample,
                      .from = is_own ? 0 : share->first,
                      .skip = is_own ? 0 : skip,
                      .is_own = is_own,
                      .changes = changes + i,
                      .count = count - i < CHANGES ? count - i : CHANGES};
        take_some(&now);
    }
}

ww_status ww_lazy_weighed_settle(ww_lazy_weighed *weighed, ww_error *error)
{
    const ww_lazy_share *share = weighed->share;
    const int64_t n = weighed->pairs->samples, planes = weighed->planes;
    const size_t bytes = (size_t)planes * sizeof *weighed->sums;
    if (weighed->pairs->problem->negative_slope == 0.0)
        return WW_OK;
    for (int64_t row = 0; row < share->rows; row++)
        memcpy(weighed->diagonal + (share->first + row) * planes,
               weighed->sums + (row * n + share->first + row) * planes, bytes);
    return ww_gather_rows(weighed->pairs->problem->parallel, weighed->diagonal, bytes,
                          share->counts, share->places, error);
}

// ---- a step -------------------------------------------------------------------------------------

typedef double numbers __attribute__((vector_size(32)));
typedef uint64_t integers __attribute__((vector_size(32)));

// Integers as doubles, rounded once: the lower 32 bits as digits of 2^52, the upper ones, with a
// bias for their sign, as digits of 2^84.
__attribute__((target_clones("avx2", "default"))) static void
find_numbers(const int64_t *sums, int64_t count, double *found)
{
    static const double bias = 0x1p84 + 0x1p63 + 0x1p52;
    for (int64_t plane = 0; plane < count; plane += LANES) {
        integers words;
        memcpy(&words, sums + plane, sizeof words);
        const integers lower = (words & 0xffffffffU) | 0x4330000000000000U;
        const integers upper = (words >> 32) ^ 0x4530000080000000U;
        const numbers sum = ((numbers)upper - bias) + (numbers)lower;
        memcpy(found + plane, &sum, sizeof sum);
    }
}

// N of samples i and j by what inactive units do besides, where they have a slope.
static void bend(const ww_lazy_weighed *weighed, int64_t i, int64_t j, double *found)
{
    const double slope = weighed->pairs->problem->negative_slope, jump = 1.0 - slope;
    const int64_t *own = weighed->diagonal + i * weighed->planes;
    const int64_t *other = weighed->diagonal + j * weighed->planes;
    for (int64_t plane = 0; plane < weighed->planes; plane++)
        found[plane] = jump * jump * found[plane] +
                       slope * jump * ((double)own[plane] + (double)other[plane]) +
                       slope * slope * (double)weighed->all[plane];
}

// values += N f [k], of LANES samples at once.
__attribute__((target_clones("avx2", "default"))) static void
add_products(const double *planes, const double *factors, int64_t k, double *values)
{
    for (int64_t a = 0; a < k; a++) {
        numbers own, sum, plane, other, value;
        memcpy(&own, factors + a * LANES, sizeof own);
        memcpy(&sum, values + a * LANES, sizeof sum);
        memcpy(&plane, planes, sizeof plane);
        planes += LANES;
        sum += plane * own;
        for (int64_t b = a + 1; b < k; b++, planes += LANES) {
            memcpy(&plane, planes, sizeof plane);
            memcpy(&other, factors + b * LANES, sizeof other);
            memcpy(&value, values + b * LANES, sizeof value);
            sum += plane * other;
            value += plane * own;
            memcpy(values + b * LANES, &value, sizeof value);
        }
        memcpy(values + a * LANES, &sum, sizeof sum);
    }
}

// What f does to the outputs of a row, in LANES sums by the place of samples, values [k, LANES].
static void sum_row(const ww_lazy_weighed *weighed, int64_t row, double *values)
{
    const ww_lazy_pairs *pairs = weighed->pairs;
    const bool has_slope = pairs->problem->negative_slope != 0.0;
    const int64_t n = pairs->samples, k = pairs->outputs, planes = weighed->planes;
    const int64_t i = weighed->share->first + row;
    const double *products = pairs->products + i * pairs->stride;
    double terms[WW_LAZY_MOST_OUTPUTS * LANES] = {0.0};
    double found[WW_LAZY_MOST_PLANES + LANES], lanes[(WW_LAZY_MOST_PLANES + LANES) * LANES];
    memset(values, 0, (size_t)(k * LANES) * sizeof *values);
    for (int64_t first = 0; first < n; first += LANES) {
        for (int64_t lane = 0; lane < LANES; lane++) {
            const int64_t j = first + lane < n ? first + lane : i; // and f of 0
            const double product = first + lane < n ? products[j] : 0.0;
            find_numbers(weighed->sums + (row * n + j) * planes, planes, found);
            if (has_slope)
                bend(weighed, i, j, found);
            for (int64_t plane = 0; plane < planes; plane++)
                lanes[plane * LANES + lane] = found[plane];
            for (int64_t a = 0; a < k; a++)
                terms[a * LANES + lane] = product * weighed->turned[j * k + a];
        }
        add_products(lanes, terms, k, values);
    }
}

// What threads share work on.
typedef struct product {
    const ww_lazy_weighed *weighed;
    double *values;
} product;

static void multiply_some(void *context, int worker, int64_t first, int64_t end)
{
    const product *now = context;
    const int64_t k = now->weighed->pairs->outputs;
    double sums[WW_LAZY_MOST_OUTPUTS * LANES];
    (void)worker;
    for (int64_t row = first; row < end; row++) {
        sum_row(now->weighed, row, sums);
        for (int64_t a = 0; a < k; a++) {
            const double *of = sums + a * LANES;
            now->values[row * k + a] = now->weighed->quantum * ((of[0] + of[2]) + (of[1] + of[3]));
        }
    }
}

void ww_lazy_weighed_product(ww_lazy_weighed *weighed, const double *factors, double *values)
{
    enum { TOGETHER = 16 };
    const ww_lazy_pairs *pairs = weighed->pairs;
    const int64_t n = pairs->samples, k = pairs->outputs;
    product now = {.weighed = weighed, .values = values};
    for (int64_t j = 0; j < n; j++)
        for (int64_t a = 0; a < k; a++)
            weighed->turned[j * k + a] = factors[a * pairs->stride + j];
    ww_for_each_piece(pairs->problem->parallel, weighed->share->rows, TOGETHER, multiply_some,
                      &now);
}
