#include "train/lazy_weighed.h"

#include "train/activations.h"
#include "widthwise/memory.h"
#include "widthwise/norm.h"

#include <cblas.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

// Rows are divided over ranks by blocks of BLOCK, and made by ROWS at once.
enum {
    ARRAYS = 4,
    MAKING = 7,
    WORD = 64,
    BLOCK = 16,
    ROWS = 32,
    LANES = 4,
    DIGITS = 62,
    EXACT = 53
};

int64_t ww_lazy_share_first_row(const ww_problem *problem, int rank)
{
    const int64_t samples = problem->data->train.count;
    const int64_t blocks = (samples + BLOCK - 1) / BLOCK;
    const int64_t row = blocks * rank / problem->parallel->size * BLOCK;
    return row < samples ? row : samples;
}

int64_t ww_lazy_share_most_rows(const ww_problem *problem)
{
    int64_t most = 0;
    for (int rank = 0; rank < problem->parallel->size; rank++) {
        const int64_t rows =
            ww_lazy_share_first_row(problem, rank + 1) - ww_lazy_share_first_row(problem, rank);
        most = rows > most ? rows : most;
    }
    return most;
}

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
    int64_t first, rows; // at once
    int *counts;         // words of them for each rank [ranks]
    double *sums[PARTS]; // [rows, planes, n]
    int64_t *words;      // the same together
    double *factors;     // [rows, planes, tile units]
    double *active;      // [tile units, n]
    int64_t *products;   // [tile units, planes]
    int digits;          // lower ones
} making;

static void free_making(making *now)
{
    free(now->counts);
    free(now->sums[UPPER]);
    free(now->sums[LOWER]);
    free(now->words);
    free(now->factors);
    free(now->active);
    free(now->products);
}

static void list_making(const ww_problem *problem, ww_allocation list[MAKING])
{
    static const char what[] = "sums of output weights";
    const size_t n = (size_t)problem->data->train.count, planes = (size_t)planes_of(problem);
    const size_t units = (size_t)problem->tiling.tile_units;
    const ww_allocation arrays[] = {
        {offsetof(making, counts), (size_t)problem->parallel->size, sizeof(int), what},
        {offsetof(making, sums[UPPER]), ROWS * planes * n, sizeof(double), what},
        {offsetof(making, sums[LOWER]), ROWS * planes * n, sizeof(double), what},
        {offsetof(making, words), ROWS * planes * n, sizeof(int64_t), what},
        {offsetof(making, factors), ROWS * planes * units, sizeof(double), what},
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

static ww_status begin_making(const ww_lazy_weighed *weighed, making *now, ww_error *error)
{
    const ww_problem *problem = weighed->pairs->problem;
    ww_allocation list[MAKING];
    list_making(problem, list);
    int bits = 0;
    (void)frexp((double)problem->tiling.width, &bits); // width < 2^bits
    now->digits = EXACT - bits;
    return ww_allocate_all(now, list, MAKING, error);
}

// Which rows are next, and what of them is of each rank.
static void choose_rows(const ww_lazy_weighed *weighed, int64_t first, making *now)
{
    const ww_lazy_share *share = weighed->share;
    const int64_t n = weighed->pairs->samples;
    now->first = first;
    now->rows = n - first < ROWS ? n - first : ROWS;
    for (int rank = 0; rank < weighed->pairs->problem->parallel->size; rank++) {
        const int64_t begin = share->places[rank] > first ? share->places[rank] : first;
        const int64_t last = share->places[rank] + share->counts[rank];
        const int64_t end = last < first + now->rows ? last : first + now->rows;
        now->counts[rank] = end > begin ? (int)((end - begin) * weighed->planes * n) : 0;
    }
}

// What the units of a tile add to these rows, of some digits.
static void add_part(const ww_lazy_weighed *weighed, int64_t units, int part, making *now)
{
    const int64_t n = weighed->pairs->samples, planes = weighed->planes;
    const int64_t lower = ((int64_t)1 << now->digits) - 1;
    for (int64_t row = 0; row < now->rows; row++)
        for (int64_t plane = 0; plane < planes; plane++)
            for (int64_t unit = 0; unit < units; unit++) {
                const int64_t product = now->products[unit * planes + plane];
                const int64_t digits =
                    part == LOWER ? product & lower
                                  : (product - (product & lower)) / ((int64_t)1 << now->digits);
                now->factors[(row * planes + plane) * units + unit] =
                    now->active[unit * n + now->first + row] * (double)digits;
            }
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)(now->rows * planes), (int)n,
                (int)units, 1.0, now->factors, (int)units, now->active, (int)n, 1.0,
                now->sums[part], (int)n);
}

static void add_tile(const ww_lazy_weighed *weighed, ww_rows tile, making *now)
{
    const ww_lazy_pairs *pairs = weighed->pairs;
    const int64_t n = pairs->samples;
    for (int64_t unit = 0; unit < tile.units; unit++) {
        const int64_t number = tile.first + unit;
        find_products(weighed, pairs->scales + number * pairs->outputs,
                      now->products + unit * weighed->planes);
        for (int64_t j = 0; j < n; j++)
            now->active[unit * n + j] = ww_lazy_is_active(pairs, number, j) ? 1.0 : 0.0;
    }
    for (int part = 0; part < PARTS; part++)
        add_part(weighed, tile.units, part, now);
}

// Sums over ranks, which go where the rows are.
static ww_status end_rows(ww_lazy_weighed *weighed, making *now, ww_error *error)
{
    const ww_problem *problem = weighed->pairs->problem;
    const ww_lazy_share *share = weighed->share;
    const int64_t n = weighed->pairs->samples, planes = weighed->planes;
    const int64_t mine = now->counts[problem->parallel->rank] / (planes * n);
    const int64_t begin = now->first > share->first ? now->first - share->first : 0;
    const int64_t upper = (int64_t)1 << now->digits;
    for (int64_t i = 0; i < now->rows * planes * n; i++)
        now->words[i] = (int64_t)now->sums[UPPER][i] * upper + (int64_t)now->sums[LOWER][i];
    WW_TRY(ww_scatter_sums(problem->parallel, now->words, now->counts, error));
    for (int64_t row = 0; row < mine; row++)
        for (int64_t plane = 0; plane < planes; plane++)
            for (int64_t j = 0; j < n; j++)
                weighed->sums[((begin + row) * n + j) * planes + plane] =
                    now->words[(row * planes + plane) * n + j];
    return WW_OK;
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

static ww_status make_rows(ww_lazy_weighed *weighed, making *now, ww_error *error)
{
    const ww_problem *problem = weighed->pairs->problem;
    for (int64_t first = 0; first < weighed->pairs->samples; first += ROWS) {
        choose_rows(weighed, first, now);
        for (int part = 0; part < PARTS; part++)
            memset(now->sums[part], 0,
                   (size_t)(now->rows * weighed->planes * weighed->pairs->samples) *
                       sizeof(double));
        for (int64_t local = 0; local < problem->tiling.local_tiles; local++)
            add_tile(weighed, ww_tile_rows(problem, local), now);
        WW_TRY(end_rows(weighed, now, error));
    }
    WW_TRY(sum_all(weighed, now->products, error));
    return ww_lazy_weighed_settle(weighed, error);
}

ww_status ww_lazy_weighed_make(ww_lazy_weighed *weighed, ww_error *error)
{
    making now = {0};
    WW_TRY(find_quantum(weighed, error));
    ww_status status =
        ww_agree(weighed->pairs->problem->parallel, begin_making(weighed, &now, error), error);
    if (status == WW_OK)
        status = make_rows(weighed, &now, error);
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

static ww_status make_change_room(ww_lazy_weighed *weighed, int64_t count, ww_error *error)
{
    if (count + 1 <= weighed->change_room) // one more, for a sum
        return WW_OK;
    free(weighed->changes);
    weighed->change_room = 2 * count + 1;
    weighed->changes = ww_allocate((size_t)(weighed->change_room * weighed->planes),
                                   sizeof *weighed->changes, "the changes of a step", error);
    if (weighed->changes == NULL)
        weighed->change_room = 0;
    return weighed->changes != NULL ? WW_OK : WW_FAILED;
}

ww_status ww_lazy_weighed_take(ww_lazy_weighed *weighed, int64_t sample, int64_t skip,
                               const ww_lazy_change_seen *changes, int64_t count, ww_error *error)
{
    const ww_lazy_share *share = weighed->share;
    const int64_t n = weighed->pairs->samples, planes = weighed->planes;
    const int64_t row = sample - share->first;
    const bool is_own = row >= 0 && row < share->rows;
    WW_TRY(make_change_room(weighed, count, error));
    int64_t *products = weighed->changes, *sum = weighed->changes + count * planes;
    for (int64_t i = 0; i < count; i++) {
        double scales[WW_LAZY_MOST_OUTPUTS];
        memcpy(scales, changes[i].scales, (size_t)weighed->pairs->outputs * sizeof *scales);
        find_products(weighed, scales, products + i * planes);
        for (int64_t plane = 0; changes[i].sign == 0 && plane < planes; plane++)
            products[i * planes + plane] *= -1;
    }
    const int64_t first = is_own ? 0 : share->first;
    const int64_t end = is_own ? n : share->first + share->rows;
    for (int64_t j = first; j < end; j++) {
        if (j == sample ||
            !sum_active(changes, products, count, j - (is_own ? 0 : skip), planes, sum))
            continue;
        if (is_own)
            add_to(weighed->sums + (row * n + j) * planes, sum, planes);
        if (j >= share->first && j < share->first + share->rows)
            add_to(weighed->sums + ((j - share->first) * n + sample) * planes, sum, planes);
    }
    for (int64_t i = 0; is_own && i < count; i++) // its own pattern has turned, which is told once
        add_to(weighed->sums + (row * n + sample) * planes, products + i * planes, planes);
    return WW_OK;
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

void ww_lazy_weighed_product(ww_lazy_weighed *weighed, const double *factors, double *values)
{
    const ww_lazy_pairs *pairs = weighed->pairs;
    const int64_t n = pairs->samples, k = pairs->outputs;
    double sums[WW_LAZY_MOST_OUTPUTS * LANES];
    for (int64_t j = 0; j < n; j++)
        for (int64_t a = 0; a < k; a++)
            weighed->turned[j * k + a] = factors[a * pairs->stride + j];
    for (int64_t row = 0; row < weighed->share->rows; row++) {
        sum_row(weighed, row, sums);
        for (int64_t a = 0; a < k; a++) {
            const double *of = sums + a * LANES;
            values[row * k + a] = weighed->quantum * ((of[0] + of[2]) + (of[1] + of[3]));
        }
    }
}
