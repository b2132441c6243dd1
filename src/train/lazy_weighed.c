#include "train/lazy_weighed.h"

#include "parallel/workers.h"
#include "train/activations.h"
#include "widthwise/memory.h"
#include "widthwise/norm.h"

#include <cblas.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

// Changes of a sample are taken in by so many at once.
enum {
    ARRAYS = 5,
    MAKING = 6,
    WORD = WW_LAZY_WORD,
    BLOCK = WW_LAZY_BLOCK,
    LANES = 4,
    CHANGES = 64,
    DIGITS = 62,
    EXACT = 53
};

static int64_t planes_of(const ww_problem *problem)
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
    const size_t planes = (size_t)planes_of(problem);
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

ww_status ww_lazy_weighed_create(const ww_lazy_pairs *pairs, const ww_lazy_share *share,
                                 ww_lazy_weighed *weighed, ww_error *error)
{
    *weighed =
        (ww_lazy_weighed){.pairs = pairs, .share = share, .planes = planes_of(pairs->problem)};
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

// The products of a unit's output weights, as multiples of the quantum; planes beyond all products
// are 0.
static void find_products(const ww_lazy_weighed *weighed, const double *scales, int64_t *products)
{
    const int64_t k = weighed->pairs->outputs;
    int64_t plane = 0;
    for (int64_t a = 0; a < k; a++)
        for (int64_t b = a; b < k; b++)
            products[plane++] = llrint(scales[a] * scales[b] / weighed->quantum);
    for (; plane < weighed->planes; plane++)
        products[plane] = 0;
}

// ---- all units ----------------------------------------------------------------------------------

// The quantum is of the largest output weights of all ranks.
static ww_status find_quantum(ww_lazy_weighed *weighed, ww_error *error)
{
    const ww_lazy_pairs *pairs = weighed->pairs;
    const ww_problem *problem = pairs->problem;
    const int64_t k = pairs->outputs;
    if (weighed->largest > 0.0)
        return WW_OK;
    double largest = ww_largest_norm(pairs->scales, problem->tiling.local_units, k);
    WW_TRY(ww_maximum(problem->parallel, &largest, 1, error));
    weighed->largest = largest > 0.0 ? largest : 1.0;
    int exponent = 0;
    (void)frexp(weighed->largest * weighed->largest * (double)problem->tiling.width, &exponent);
    weighed->quantum = ldexp(1.0, exponent - DIGITS);
    return WW_OK;
}

// Sums of products are made by two products of matrices, of their upper and their lower digits: so
// many of these that all sums are below 2^53, and exact in any order.
enum { UPPER, LOWER, PARTS };

typedef struct making {
    ww_lazy_weighed *weighed;
    int64_t *room;        // of sums over ranks
    double *sums[PARTS];  // [n, block, planes]
    double *factors;      // [tile units, block, planes]
    double *active;       // [tile units, n], of the columns that there are
    int64_t *products;    // [tile units, planes]
    int digits;           // lower ones
    int part, units;      // at hand, and of a tile
    int columns, numbers; // samples from the block's first on; and what each has in a row of units
} making;

static void free_making(making *now)
{
    free(now->room);
    free(now->sums[UPPER]);
    free(now->sums[LOWER]);
    free(now->factors);
    free(now->active);
    free(now->products);
}

static void list_making(const ww_problem *problem, ww_allocation list[MAKING])
{
    static const char what[] = "sums of output weights";
    const size_t n = (size_t)problem->data->train.count, planes = (size_t)planes_of(problem);
    const size_t units = (size_t)problem->tiling.tile_units;
    const size_t room = (size_t)ww_lazy_share_room(problem, planes_of(problem));
    const ww_allocation arrays[] = {
        {offsetof(making, room), room, sizeof(int64_t), what},
        {offsetof(making, sums[UPPER]), n * BLOCK * planes, sizeof(double), what},
        {offsetof(making, sums[LOWER]), n * BLOCK * planes, sizeof(double), what},
        {offsetof(making, factors), units * BLOCK * planes, sizeof(double), what},
        {offsetof(making, active), units * n, sizeof(double), what},
        {offsetof(making, products), units * planes, sizeof(int64_t), what},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == MAKING, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

int64_t ww_lazy_weighed_bytes(const ww_problem *problem)
{
    ww_allocation list[ARRAYS], room[MAKING];
    list_arrays(problem, list);
    list_making(problem, room);
    return ww_allocation_bytes(list, ARRAYS) +
           (ww_lazy_is_weighed(problem) ? ww_allocation_bytes(room, MAKING) : 0);
}

static ww_status begin_making(making *now, ww_error *error)
{
    const ww_problem *problem = now->weighed->pairs->problem;
    ww_allocation list[MAKING];
    list_making(problem, list);
    int bits = 0;
    (void)frexp((double)problem->tiling.width, &bits); // width < 2^bits
    now->digits = EXACT - bits;
    return ww_allocate_all(now, list, MAKING, error);
}

// Patterns of a unit as numbers: of samples first .. n - 1.
__attribute__((target_clones("avx2", "default"))) static void
spread_patterns(const uint64_t *patterns, int64_t first, int64_t n, double *active)
{
    for (int64_t j = first; j < n;) {
        const int64_t left = WORD - j % WORD;
        const int64_t count = left < n - j ? left : n - j;
        const uint64_t bits = patterns[j / WORD] >> j % WORD;
        for (int64_t bit = 0; bit < count; bit++)
            active[j - first + bit] = (bits >> bit & 1) != 0 ? 1.0 : 0.0;
        j += count;
    }
}

// What the units of a tile are multiplied by for each row and plane: some digits of their products
// where they are active.
static void find_factors(const making *now, ww_rows tile, int64_t first, int64_t rows, int part)
{
    const ww_lazy_pairs *pairs = now->weighed->pairs;
    const int64_t planes = now->weighed->planes, lower = ((int64_t)1 << now->digits) - 1;
    double *factors = now->factors;
    for (int64_t unit = 0; unit < tile.units; unit++) {
        double digits[WW_LAZY_MOST_PLANES + LANES];
        for (int64_t plane = 0; plane < planes; plane++) {
            const int64_t product = now->products[unit * planes + plane];
            digits[plane] = (double)(part == LOWER ? product & lower
                                                   : (product - (product & lower)) /
                                                         ((int64_t)1 << now->digits));
        }
        for (int64_t i = first; i < first + rows; i++, factors += planes)
            if (ww_lazy_is_active(pairs, tile.first + unit, i))
                memcpy(factors, digits, (size_t)planes * sizeof *factors);
            else
                memset(factors, 0, (size_t)planes * sizeof *factors);
    }
}

// What the units of a tile add to some columns of the sums of a block of rows.
static void add_columns(void *context, int worker, int64_t first, int64_t end)
{
    const making *now = context;
    const int numbers = now->numbers;
    (void)worker;
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)(end - first), numbers, now->units,
                1.0, now->active + first, now->columns, now->factors, numbers, 1.0,
                now->sums[now->part] + first * numbers, numbers);
}

static void add_tile(making *now, ww_rows tile, int64_t first, int64_t rows)
{
    const ww_lazy_pairs *pairs = now->weighed->pairs;
    const ww_parallel *parallel = pairs->problem->parallel;
    const int64_t n = pairs->samples, planes = now->weighed->planes;
    const int64_t threads = ww_workers_of(parallel); // each has one part: products are exact
    now->units = (int)tile.units;
    now->columns = (int)(n - first);
    now->numbers = (int)(rows * planes);
    for (int64_t unit = 0; unit < tile.units; unit++) {
        const int64_t number = tile.first + unit;
        find_products(now->weighed, pairs->scales + number * pairs->outputs,
                      now->products + unit * planes);
        spread_patterns(ww_lazy_patterns(pairs, number), first, n,
                        now->active + unit * (n - first));
    }
    for (now->part = 0; now->part < PARTS; now->part++) {
        find_factors(now, tile, first, rows, now->part);
        ww_for_each_piece(parallel, n - first, (n - first + threads - 1) / threads, add_columns,
                          now);
    }
}

static void sum_block(void *context, int64_t first, int64_t rows, int64_t *sums)
{
    making *now = context;
    const ww_problem *problem = now->weighed->pairs->problem;
    const int64_t count = (now->weighed->pairs->samples - first) * rows * now->weighed->planes;
    const int64_t upper = (int64_t)1 << now->digits;
    for (int part = 0; part < PARTS; part++)
        memset(now->sums[part], 0, (size_t)count * sizeof(double));
    for (int64_t local = 0; local < problem->tiling.local_tiles; local++)
        add_tile(now, ww_tile_rows(problem, local), first, rows);
    for (int64_t i = 0; i < count; i++)
        sums[i] = (int64_t)now->sums[UPPER][i] * upper + (int64_t)now->sums[LOWER][i];
}

static void put_sums(void *context, int64_t row, int64_t column, const int64_t *entry)
{
    const making *now = context;
    const int64_t n = now->weighed->pairs->samples, planes = now->weighed->planes;
    memcpy(now->weighed->sums + (row * n + column) * planes, entry, (size_t)planes * sizeof *entry);
}

// Sums of all units of all ranks, whatever they are active on.
static ww_status sum_all(ww_lazy_weighed *weighed, int64_t *products, ww_error *error)
{
    const ww_lazy_pairs *pairs = weighed->pairs;
    const int64_t planes = weighed->planes;
    memset(weighed->all, 0, (size_t)planes * sizeof *weighed->all);
    for (int64_t unit = 0; unit < pairs->problem->tiling.local_units; unit++) {
        find_products(weighed, pairs->scales + unit * pairs->outputs, products);
        for (int64_t plane = 0; plane < planes; plane++)
            weighed->all[plane] += products[plane];
    }
    return ww_sum_words(pairs->problem->parallel, weighed->all, (size_t)planes, error);
}

static ww_status make_rows(making *now, ww_error *error)
{
    ww_lazy_weighed *weighed = now->weighed;
    const ww_lazy_symmetric array = {.context = now,
                                     .planes = weighed->planes,
                                     .room = now->room,
                                     .sum = sum_block,
                                     .put = put_sums};
    WW_TRY(ww_lazy_share_make(weighed->share, &array, error));
    WW_TRY(sum_all(weighed, now->products, error));
    return ww_lazy_weighed_settle(weighed, error);
}

ww_status ww_lazy_weighed_make(ww_lazy_weighed *weighed, ww_error *error)
{
    making now = {.weighed = weighed};
    WW_TRY(find_quantum(weighed, error));
    ww_status status =
        ww_agree(weighed->pairs->problem->parallel, begin_making(&now, error), error);
    if (status == WW_OK)
        status = make_rows(&now, error);
    free_making(&now);
    return status;
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
        if ((changes[i].patterns[bit / WORD] >> bit % WORD & 1) == 0)
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
        if (j >= share->first && j < share->first + share->rows)
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
        find_products(weighed, scales, products + i * planes);
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
    const bool is_own = sample >= share->first && sample < share->first + share->rows;
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
