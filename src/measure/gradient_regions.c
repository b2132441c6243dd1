#include "measure/gradient_regions.h"

#include "measure/layer_gradients.h"
#include "train/kernels.h"
#include "train/layered.h"
#include "widthwise/memory.h"

#include <cblas.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const double PI = 3.14159265358979323846;

typedef struct region_work {
    const ww_problem *problem;
    ww_layered *network;            // at t = 0
    ww_layered_block *left, *right; // of samples; right is NULL where all are one block
    ww_output_sum sum;              // of outputs on all samples
    ww_output_sum ignored;          // of passes for another reason
    double *outputs, *gradients;    // [n, k]
    double *products;               // [n, n], <x_L-1,i , x_L-1,j>
    double *part;                   // [block, block] of them
    ww_layered_pairs *pairs;        // room for that
    double *coefficients;           // [tile units, n], derivatives by the last pre-activations
    double *images;                 // [tile units, n], their products with `products`
    double *terms;                  // [local tiles, 2]: squared gradients of units in a region, all
    uint8_t *patterns;              // [local units, n] of the last layer
    int64_t *near, *within;         // [local units], samples with |<w, z>| < 2 g, and <= g
} region_work;

enum { ARRAYS = 10 };

static void list_room(const ww_problem *problem, ww_allocation list[ARRAYS])
{
    const size_t n = (size_t)problem->data->train.count;
    const size_t k = (size_t)problem->outputs;
    const size_t block = (size_t)ww_block_size(problem->data->train.count, 0);
    const size_t tile = (size_t)problem->tiling.tile_units;
    const size_t units = (size_t)problem->tiling.local_units;
    const char *what = "the gradient regions";
    const ww_allocation arrays[] = {
        {offsetof(region_work, outputs), n * k, sizeof(double), what},
        {offsetof(region_work, gradients), n * k, sizeof(double), what},
        {offsetof(region_work, products), n * n, sizeof(double), what},
        {offsetof(region_work, part), block * block, sizeof(double), what},
        {offsetof(region_work, coefficients), tile * n, sizeof(double), what},
        {offsetof(region_work, images), tile * n, sizeof(double), what},
        {offsetof(region_work, terms), 2 * (size_t)problem->tiling.local_tiles, sizeof(double),
         what},
        {offsetof(region_work, patterns), units * n, 1, what},
        {offsetof(region_work, near), units, sizeof(int64_t), what},
        {offsetof(region_work, within), units, sizeof(int64_t), what},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

static ww_status work_create(region_work *work, ww_error *error)
{
    const ww_problem *problem = work->problem;
    const int64_t n = problem->data->train.count;
    const int64_t block = ww_block_size(n, 0);
    ww_allocation list[ARRAYS];
    int64_t ignored = 0;
    WW_TRY(ww_multiply(n, n, "the products of all samples", &ignored, error));
    list_room(problem, list);
    WW_TRY(ww_allocate_all(work, list, ARRAYS, error));
    WW_TRY(ww_output_sum_create(&work->sum, problem, n, error));
    WW_TRY(ww_output_sum_create(&work->ignored, problem, block, error));
    WW_TRY(ww_layered_pairs_create(problem, block, &work->pairs, error));
    WW_TRY(ww_layered_block_create(problem, block, false, &work->left, error));
    if (n > block)
        WW_TRY(ww_layered_block_create(problem, block, false, &work->right, error));
    return ww_layered_create(problem, &work->network, error);
}

static void work_free(region_work *work)
{
    free(work->outputs);
    free(work->gradients);
    free(work->products);
    free(work->part);
    ww_layered_pairs_free(work->pairs);
    free(work->coefficients);
    free(work->images);
    free(work->terms);
    free(work->patterns);
    free(work->near);
    free(work->within);
    ww_output_sum_free(&work->sum);
    ww_output_sum_free(&work->ignored);
    ww_layered_block_free(work->left);
    ww_layered_block_free(work->right);
    ww_layered_free(work->network);
}

// Sends the block of samples that begins at `start` through the network. Its outputs go into `sum`
// where it is given.
static ww_status pass(region_work *work, int64_t start, ww_output_sum *sum, ww_layered_block *block,
                      ww_error *error)
{
    const ww_problem *problem = work->problem;
    const ww_samples *train = &problem->data->train;
    const int64_t count = ww_block_size(train->count, start);
    if (sum == NULL)
        ww_output_sum_restart(&work->ignored, count);
    return ww_layered_forward(work->network, block, train->inputs + start * problem->dimension,
                              count, sum != NULL ? sum : &work->ignored, sum != NULL ? start : 0,
                              error);
}

// Products of the inputs of the last layer for two blocks of samples, into [n, n] and its mirror
// image.
static ww_status multiply(region_work *work, int64_t left, const ww_layered_block *left_block,
                          int64_t right, const ww_layered_block *right_block, ww_error *error)
{
    const int64_t n = work->problem->data->train.count;
    const int64_t rows = ww_block_size(n, left);
    const int64_t columns = ww_block_size(n, right);
    WW_TRY(ww_layered_products(work->network, work->pairs, left_block, right_block,
                               work->problem->depth, NULL, work->part, error));
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) {
            work->products[(left + i) * n + right + j] = work->part[i * columns + j];
            work->products[(right + j) * n + left + i] = work->part[i * columns + j];
        }
    return WW_OK;
}

static ww_status multiply_all(region_work *work, ww_error *error)
{
    const int64_t n = work->problem->data->train.count;
    for (int64_t left = 0; left < n; left += WW_SAMPLE_BLOCK) {
        WW_TRY(pass(work, left, &work->sum, work->left, error));
        WW_TRY(multiply(work, left, work->left, left, work->left, error));
        for (int64_t right = left + WW_SAMPLE_BLOCK; right < n; right += WW_SAMPLE_BLOCK) {
            WW_TRY(pass(work, right, NULL, work->right, error));
            WW_TRY(multiply(work, left, work->left, right, work->right, error));
        }
    }
    WW_TRY(ww_output_sum_finish(&work->sum, 0, NULL, work->outputs, error));
    (void)ww_batch_loss(work->problem, work->outputs, &work->problem->data->train, work->gradients);
    return WW_OK;
}

// phi: smallest distance between two directions up to the sign, from their cosine. Samples that the
// layers before make 0 have none: they are left out, as they have no gradient either. NaN where no
// two are left.
static double smallest_distance(const region_work *work)
{
    const int64_t n = work->problem->data->train.count;
    double largest_cosine = (double)NAN;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < i; j++) {
            const double norms = sqrt(work->products[i * n + i] * work->products[j * n + j]);
            if (norms > 0.0)
                largest_cosine = fmax(largest_cosine, fabs(work->products[i * n + j]) / norms);
        }
    return sqrt(2.0 - 2.0 * (largest_cosine > 1.0 ? 1.0 : largest_cosine));
}

// Counts for a tile, on a block of samples, how near its units are to being orthogonal to them.
static void look_at_tile(region_work *work, int64_t local_tile, int64_t start, double width)
{
    const ww_problem *problem = work->problem;
    const ww_tiling *tiling = &problem->tiling;
    const int64_t n = problem->data->train.count;
    const int64_t tile = tiling->first_tile + local_tile;
    const int64_t samples = ww_block_size(n, start);
    const int64_t first = local_tile * tiling->tile_units;
    const double deviation = ww_config_hidden_std(problem->config);
    const double *values =
        ww_layered_preactivations(work->network, work->left, problem->depth, tile);
    for (int64_t unit = 0; unit < ww_tile_size(tiling, tile); unit++)
        for (int64_t s = 0; s < samples; s++) {
            const double norm = sqrt(work->products[(start + s) * (n + 1)]);
            const double along = fabs(values[unit * samples + s]) / (deviation * norm);
            work->near[first + unit] += along < 2.0 * width; // false for a sample that is 0
            work->within[first + unit] += along <= width;
        }
}

static ww_status look_at_units(region_work *work, double width, ww_error *error)
{
    const ww_problem *problem = work->problem;
    const int64_t n = problem->data->train.count;
    for (int64_t start = 0; start < n; start += WW_SAMPLE_BLOCK) {
        const int64_t samples = ww_block_size(n, start);
        if (work->right != NULL) // else the only block is still there
            WW_TRY(pass(work, start, NULL, work->left, error));
        for (int64_t tile = 0; tile < problem->tiling.local_tiles; tile++)
            look_at_tile(work, tile, start, width);
        const uint8_t *patterns = ww_layered_patterns(work->left, problem->depth);
        for (int64_t unit = 0; unit < problem->tiling.local_units; unit++)
            memcpy(work->patterns + unit * n + start, patterns + unit * samples, (size_t)samples);
    }
    return WW_OK;
}

// Regions that a unit is in: of each sample that it is within g of, unless another is nearer than
// 2 g.
static int64_t regions_of(const region_work *work, int64_t unit, double width)
{
    const int64_t itself = width > 0.0; // whether what is within g is nearer than 2 g as well
    return work->near[unit] == itself ? work->within[unit] : 0;
}

// Squared gradients of a tile's units: with C = the derivatives by their pre-activations [units, n]
// the diagonal of C P C', P the products of the samples.
static void square_tile(region_work *work, int64_t local_tile, double width)
{
    const ww_problem *problem = work->problem;
    const ww_tiling *tiling = &problem->tiling;
    const int64_t n = problem->data->train.count;
    const int64_t units = ww_tile_size(tiling, tiling->first_tile + local_tile);
    const int64_t first = local_tile * tiling->tile_units;
    ww_kernel_coefficients(ww_layered_output_weights(work->network) + first * problem->outputs,
                           work->gradients, units, n, problem->outputs, work->coefficients);
    for (int64_t i = 0; i < units * n; i++)
        if (!work->patterns[first * n + i])
            work->coefficients[i] *= problem->negative_slope;
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, ww_int(units), ww_int(n), ww_int(n), 1.0,
                work->coefficients, ww_int(n), work->products, ww_int(n), 0.0, work->images,
                ww_int(n));
    double *terms = work->terms + 2 * local_tile;
    for (int64_t unit = 0; unit < units; unit++) {
        double square = 0.0;
        for (int64_t s = unit * n; s < (unit + 1) * n; s++)
            square += work->coefficients[s] * work->images[s];
        square = fmax(square, 0.0); // rounding, where samples cancel
        terms[0] += regions_of(work, first + unit, width) > 0 ? square : 0.0;
        terms[1] += square;
    }
}

static ww_status measure(region_work *work, double *values, ww_error *error)
{
    const ww_problem *problem = work->problem;
    const ww_tiling *tiling = &problem->tiling;
    const double n = (double)problem->data->train.count;
    const double m = (double)tiling->width;
    WW_TRY(multiply_all(work, error));
    const double separation = smallest_distance(work);
    const double width = sqrt(PI) * separation / (8.0 * n);
    if (isnan(separation)) { // the same on all ranks
        for (int64_t i = 0; i < WW_REGION_VALUES; i++)
            values[i] = (double)NAN;
        return WW_OK;
    }
    WW_TRY(look_at_units(work, width, error));
    int64_t counts[3] = {0, 0, 0}; // memberships, units in a region, units in several
    for (int64_t unit = 0; unit < tiling->local_units; unit++) {
        const int64_t regions = regions_of(work, unit, width);
        counts[0] += regions;
        counts[1] += regions > 0;
        counts[2] += regions > 1;
    }
    for (int64_t tile = 0; tile < tiling->local_tiles; tile++)
        square_tile(work, tile, width);
    double squares[2] = {0.0, 0.0};
    WW_TRY(ww_sum_words(problem->parallel, counts, 3, error));
    WW_TRY(ww_sum_terms(problem->parallel, work->terms, tiling->local_tiles, 2, tiling->tile_count,
                        squares, error));
    values[WW_REGION_SEPARATION] = separation;
    values[WW_REGION_WIDTH] = width;
    values[WW_REGION_SINGLE] = (double)counts[0] / (n * m);
    values[WW_REGION_UNION] = (double)counts[1] / m;
    values[WW_REGION_OVERLAP] = (double)counts[2];
    values[WW_REGION_GAIN] = values[WW_REGION_UNION] / values[WW_REGION_SINGLE];
    values[WW_REGION_SHARE] = squares[0] / squares[1];
    return WW_OK;
}

ww_status ww_gradient_regions(const ww_problem *problem, ww_engine *engine, const double *carry,
                              double *values, ww_error *error)
{
    (void)engine, (void)carry;
    ww_config config; // in double: in single precision near directions are one
    const ww_problem precise = ww_layered_in_double(problem, &config);
    region_work work = {.problem = &precise};
    ww_status status = ww_agree(problem->parallel, work_create(&work, error), error);
    if (status == WW_OK)
        status = measure(&work, values, error);
    work_free(&work);
    return status;
}

ww_status ww_gradient_regions_cost(const ww_problem *trained, int64_t *bytes, double *flops,
                                   ww_error *error)
{
    ww_config config;
    const ww_problem precise = ww_layered_in_double(trained, &config);
    const ww_problem *problem = &precise;
    const int64_t samples = problem->data->train.count;
    const int64_t block = ww_block_size(samples, 0);
    const int64_t blocks = (samples + WW_SAMPLE_BLOCK - 1) / WW_SAMPLE_BLOCK;
    const double n = (double)samples;
    int64_t ignored = 0;
    WW_TRY(ww_multiply(samples, samples, "the products of all samples", &ignored, error));
    ww_allocation list[ARRAYS];
    list_room(problem, list);
    *bytes = ww_allocation_bytes(list, ARRAYS) + ww_output_sum_bytes(problem, samples) +
             ww_output_sum_bytes(problem, block) + ww_layered_pairs_bytes(problem, block) +
             (blocks > 1 ? 2 : 1) * ww_layered_block_bytes(problem, block, false) +
             ww_layered_weight_bytes(problem) + ww_layered_work_bytes(problem);
    const double columns = (double)ww_layer_columns(problem, problem->depth);
    const double units = (double)problem->tiling.local_units;
    *flops = ww_layered_pass_flops(problem) * n * 0.5 * ((double)blocks + 3.0) + n * n * units +
             2.0 * n * n * units + 2.0 * n * units * columns;
    return WW_OK;
}
