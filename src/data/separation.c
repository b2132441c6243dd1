#include "data/distance.h"

#include "widthwise/data.h"
#include "widthwise/memory.h"

#include <cblas.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

// All pairs are looked at in blocks (distance.h): the results are the smallest and largest of
// directly measured distances over all pairs.

enum { BLOCK = 128 };

/// Squares of the extremes so far, of inputs scaled to magnitude at most 1.
typedef struct extremes {
    double nearest;  ///< of any two samples
    double delta;    ///< smallest between two classes
    double diameter; ///< largest within a component
} extremes;

/// Some rows of the samples, scaled, with their squared norms.
typedef struct row_block {
    int64_t first;
    int rows;
    double *inputs; ///< [BLOCK, d]
    double squared_norms[BLOCK];
} row_block;

typedef struct pair_scan {
    const ww_samples *samples;
    int64_t dimension, components;
    double scale; ///< inputs are multiplied by this power of two, which is exact
    row_block left, right;
    double *products; ///< [BLOCK, BLOCK]
    extremes best;
} pair_scan;

static void load_rows(const pair_scan *scan, int64_t block, row_block *rows)
{
    const int64_t d = scan->dimension;
    rows->first = block * BLOCK;
    const int64_t left = scan->samples->count - rows->first;
    rows->rows = (int)(left < BLOCK ? left : BLOCK);
    const double *source = scan->samples->inputs + rows->first * d;
    for (int64_t i = 0; i < rows->rows; i++) {
        double sum = 0.0;
        for (int64_t j = 0; j < d; j++) {
            const double value = source[i * d + j] * scan->scale;
            rows->inputs[i * d + j] = value;
            sum += value * value;
        }
        rows->squared_norms[i] = sum;
    }
}

/// Measures pair (i, j) of the two blocks if it could change an extreme. `squared` is its squared
/// distance by way of the product, off by at most `bound`.
static void look_at_pair(pair_scan *scan, int i, int j, double squared, double bound)
{
    const int64_t component_i = scan->samples->components[scan->left.first + i];
    const int64_t component_j = scan->samples->components[scan->right.first + j];
    const bool classes_differ = component_i / scan->components != component_j / scan->components;
    const bool component_same = component_i == component_j;
    extremes *best = &scan->best;
    const bool open = squared - bound < best->nearest ||
                      (classes_differ && squared - bound < best->delta) ||
                      (component_same && squared + bound > best->diameter);
    if (!open)
        return;
    const double exact =
        ww_squared_distance(scan->left.inputs + i * scan->dimension,
                            scan->right.inputs + j * scan->dimension, scan->dimension);
    if (exact < best->nearest)
        best->nearest = exact;
    if (classes_differ && exact < best->delta)
        best->delta = exact;
    if (component_same && exact > best->diameter)
        best->diameter = exact;
}

static void scan_blocks(pair_scan *scan)
{
    const row_block *left = &scan->left, *right = &scan->right;
    const int d = ww_int(scan->dimension);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, left->rows, right->rows, d, 1.0,
                left->inputs, d, right->inputs, d, 0.0, scan->products, BLOCK);
    const double factor = ww_distance_bound(d);
    for (int i = 0; i < left->rows; i++) {
        const int begin = left->first == right->first ? i + 1 : 0;
        for (int j = begin; j < right->rows; j++) {
            const double norms = left->squared_norms[i] + right->squared_norms[j];
            const double squared = norms - 2.0 * scan->products[(size_t)i * BLOCK + (size_t)j];
            look_at_pair(scan, i, j, squared, factor * norms + DBL_MIN);
        }
    }
}

/// Every rank takes every size-th pair of blocks.
static void scan_pairs(pair_scan *scan, const ww_parallel *parallel)
{
    const int64_t blocks = (scan->samples->count + BLOCK - 1) / BLOCK;
    int64_t pair = 0;
    for (int64_t a = 0; a < blocks; a++) {
        bool left_loaded = false;
        for (int64_t b = a; b < blocks; b++) {
            if (pair++ % parallel->size != parallel->rank)
                continue;
            if (!left_loaded)
                load_rows(scan, a, &scan->left);
            left_loaded = true;
            load_rows(scan, b, &scan->right);
            scan_blocks(scan);
        }
    }
}

static ww_status allocate(pair_scan *scan, ww_error *error)
{
    const char *what = "blocks of samples for their separation";
    const size_t values = (size_t)scan->dimension * BLOCK;
    int dimension = 0;
    WW_TRY(ww_to_int(scan->dimension, "the dimension of the inputs", &dimension, error));
    scan->left.inputs = ww_allocate(values, sizeof(double), what, error);
    if (scan->left.inputs == NULL)
        return WW_FAILED;
    scan->right.inputs = ww_allocate(values, sizeof(double), what, error);
    if (scan->right.inputs == NULL)
        return WW_FAILED;
    scan->products = ww_allocate((size_t)BLOCK * BLOCK, sizeof(double), what, error);
    return scan->products == NULL ? WW_FAILED : WW_OK;
}

void ww_separation_cost(int64_t samples, int64_t dimension, int ranks, int64_t *bytes,
                        double *flops)
{
    const double n = (double)samples;
    *bytes = (2 * dimension * BLOCK + (int64_t)BLOCK * BLOCK) * (int64_t)sizeof(double);
    *flops = n * n * (double)dimension / (double)ranks; // each pair once
}

/// Exponent e such that inputs times 2^-e have magnitude at most 1: no square leaves the range.
static int scale_exponent(const ww_samples *samples, int64_t dimension)
{
    const int64_t values = samples->count * dimension;
    double largest = 0.0;
    for (int64_t i = 0; i < values; i++)
        largest = fmax(largest, fabs(samples->inputs[i]));
    WW_ASSERT(isfinite(largest));
    int exponent = 0;
    (void)frexp(largest, &exponent);
    return exponent < DBL_MIN_EXP ? DBL_MIN_EXP : exponent; // 2^-e has to be a double itself
}

static double ratio(double diameter, double delta)
{
    if (delta > 0.0)
        return diameter / delta;
    return INFINITY; // two classes share a point: no lambda would do
}

ww_status ww_separation_measure(const ww_samples *samples, int64_t dimension, int64_t components,
                                const ww_parallel *parallel, ww_separation *separation,
                                ww_error *error)
{
    WW_ASSERT(samples->count >= 1 && dimension >= 1 && components >= 1);
    const int exponent = scale_exponent(samples, dimension);
    pair_scan scan = {.samples = samples,
                      .dimension = dimension,
                      .components = components,
                      .scale = ldexp(1.0, -exponent),
                      .best = {.nearest = INFINITY, .delta = INFINITY, .diameter = 0.0}};
    double found[3] = {0.0};
    ww_status status = ww_agree(parallel, allocate(&scan, error), error);
    if (status == WW_OK) {
        scan_pairs(&scan, parallel);
        found[0] = -scan.best.nearest;
        found[1] = -scan.best.delta;
        found[2] = scan.best.diameter;
        status = ww_maximum(parallel, found, 3, error);
    }
    free(scan.left.inputs);
    free(scan.right.inputs);
    free(scan.products);
    if (status != WW_OK)
        return status;
    separation->nearest = ldexp(sqrt(-found[0]), exponent);
    separation->delta = ldexp(sqrt(-found[1]), exponent);
    separation->diameter = ldexp(sqrt(found[2]), exponent);
    separation->lambda = ratio(separation->diameter, separation->delta);
    separation->lambda_limit = 1.0 / (8.0 * (double)components);
    return WW_OK;
}
