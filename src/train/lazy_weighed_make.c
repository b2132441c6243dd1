// Sums of products of output weights over all units (lazy_weighed.h).

#include "parallel/workers.h"
#include "train/lazy_weighed.h"
#include "widthwise/memory.h"
#include "widthwise/norm.h"

#include <cblas.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { MAKING = 6, BLOCK = WW_LAZY_BLOCK, DIGITS = 62, EXACT = 53 };

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
    const size_t n = (size_t)problem->data->train.count,
                 planes = (size_t)ww_lazy_weighed_planes(problem);
    const size_t units = (size_t)problem->tiling.tile_units;
    const size_t room = (size_t)ww_lazy_share_room(problem, ww_lazy_weighed_planes(problem));
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

int64_t ww_lazy_weighed_making_bytes(const ww_problem *problem)
{
    ww_allocation list[MAKING];
    list_making(problem, list);
    return ww_allocation_bytes(list, MAKING);
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
        const int64_t left = WW_PATTERN_WORD - j % WW_PATTERN_WORD;
        const int64_t count = left < n - j ? left : n - j;
        const uint64_t bits = patterns[j / WW_PATTERN_WORD] >> j % WW_PATTERN_WORD;
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
        double digits[WW_LAZY_MOST_PLANES + WW_LAZY_LANES];
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
        ww_lazy_weigh_products(now->weighed, pairs->scales + number * pairs->outputs,
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
        ww_lazy_weigh_products(weighed, pairs->scales + unit * pairs->outputs, products);
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
