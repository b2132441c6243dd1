#include "measure/network_kernel.h"

#include "measure/layer_gradients.h"
#include "train/kernels.h"
#include "train/layered.h"
#include "widthwise/gram.h"
#include "widthwise/memory.h"
#include "widthwise/zou_gu.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

// A block of rows of K: every row is a sample of its own to the network, with the derivative by one
// output.
typedef struct kernel_rows {
    ww_layered_block *block;
    double *inputs;    // [block, d]
    double *gradients; // [block, k]
    int64_t first, count;
} kernel_rows;

typedef struct kernel_work {
    const ww_network_kernel *kernel;
    ww_config config;
    ww_problem problem; // in double, with blocks of so many rows
    ww_layered *network;
    kernel_rows left, right;
    ww_output_sum sum;   // outputs are made, but not asked for
    double *derivatives; // [block, block]
    double *products;    // [block, block]
    double *values;      // [block, block], of K
    ww_layered_pairs *pairs;
} kernel_work;

static int64_t order_of(const ww_network_kernel *kernel)
{
    return kernel->samples->count * kernel->problem->outputs;
}

static int64_t block_of(const ww_network_kernel *kernel)
{
    return ww_block_size(order_of(kernel), 0);
}

// The problem of a network that every row of K is a sample of: there may be more than in any set,
// and a network has room for blocks of what its problem has. In double: what single precision adds
// to K would hide its small eigenvalues.
static ww_problem problem_of(const ww_network_kernel *kernel, ww_config *config)
{
    ww_problem problem = ww_layered_in_double(kernel->problem, config);
    problem.batch = order_of(kernel);
    return problem;
}

static ww_status rows_create(kernel_rows *rows, const ww_problem *problem, int64_t block,
                             ww_error *error)
{
    rows->inputs = ww_allocate((size_t)(block * problem->dimension), sizeof(double),
                               "inputs of the network's kernel", error);
    rows->gradients = ww_allocate((size_t)(block * problem->outputs), sizeof(double),
                                  "outputs of the network's kernel", error);
    if (rows->inputs == NULL || rows->gradients == NULL)
        return WW_FAILED;
    return ww_layered_block_create(problem, block, true, &rows->block, error);
}

static void rows_free(kernel_rows *rows)
{
    free(rows->inputs);
    free(rows->gradients);
    ww_layered_block_free(rows->block);
}

static ww_status work_create(kernel_work *work, ww_error *error)
{
    const ww_problem *problem = &work->problem;
    const int64_t block = block_of(work->kernel);
    const size_t pairs = (size_t)(block * block);
    const char *what = "entries of the network's kernel";
    const ww_allocation arrays[] = {
        {offsetof(kernel_work, derivatives), pairs, sizeof(double), what},
        {offsetof(kernel_work, products), pairs, sizeof(double), what},
        {offsetof(kernel_work, values), pairs, sizeof(double), what},
    };
    WW_TRY(ww_allocate_all(work, arrays, sizeof arrays / sizeof arrays[0], error));
    WW_TRY(ww_layered_pairs_create(problem, block, &work->pairs, error));
    WW_TRY(ww_output_sum_create(&work->sum, problem, block, error));
    WW_TRY(rows_create(&work->left, problem, block, error));
    if (order_of(work->kernel) > block)
        WW_TRY(rows_create(&work->right, problem, block, error));
    return ww_layered_create(problem, &work->network, error);
}

static void work_free(kernel_work *work)
{
    free(work->derivatives);
    free(work->products);
    free(work->values);
    ww_layered_pairs_free(work->pairs);
    ww_output_sum_free(&work->sum);
    rows_free(&work->left);
    rows_free(&work->right);
    ww_layered_free(work->network);
}

// Sends the rows from `first` on through the network and back.
static ww_status take_rows(kernel_work *work, int64_t first, kernel_rows *rows, ww_error *error)
{
    const int64_t d = work->kernel->problem->dimension;
    const int64_t k = work->kernel->problem->outputs;
    rows->first = first;
    rows->count = ww_block_size(order_of(work->kernel), first);
    memset(rows->gradients, 0, (size_t)(rows->count * k) * sizeof(double));
    for (int64_t row = 0; row < rows->count; row++) {
        memcpy(rows->inputs + row * d, work->kernel->samples->inputs + (first + row) / k * d,
               (size_t)d * sizeof(double));
        rows->gradients[row * k + (first + row) % k] = 1.0;
    }
    ww_output_sum_restart(&work->sum, rows->count);
    WW_TRY(ww_layered_forward(work->network, rows->block, rows->inputs, rows->count, &work->sum, 0,
                              error));
    return ww_layered_backward(work->network, rows->block, rows->gradients, error);
}

// Puts the values of two blocks where they belong on this rank: rows of K are those of `lower`,
// which do not come before those of `upper`.
static void put_values(const kernel_work *work, const kernel_rows *upper, const kernel_rows *lower,
                       ww_block_matrix *matrix)
{
    for (int64_t column = 0; column < upper->count; column++) {
        if (!ww_block_owns_column(matrix, upper->first + column))
            continue;
        const int64_t j = ww_block_local_column(matrix, upper->first + column);
        for (int64_t row = 0; row < lower->count; row++)
            if (lower->first + row >= upper->first + column &&
                ww_block_owns_row(matrix, lower->first + row))
                matrix->entries[j * matrix->leading +
                                ww_block_local_row(matrix, lower->first + row)] =
                    work->values[column * lower->count + row];
    }
}

static ww_status add_layers(kernel_work *work, const kernel_rows *upper, const kernel_rows *lower,
                            ww_block_matrix *matrix, ww_error *error)
{
    const int64_t pairs = upper->count * lower->count;
    memset(work->values, 0, (size_t)pairs * sizeof(double));
    for (int64_t layer = 1; layer <= work->kernel->problem->depth; layer++) {
        WW_TRY(ww_layered_products(work->network, work->pairs, upper->block, lower->block, layer,
                                   work->derivatives, work->products, error));
        for (int64_t i = 0; i < pairs; i++)
            work->values[i] += work->derivatives[i] * work->products[i];
    }
    if (ww_grid_has_place(matrix->grid))
        put_values(work, upper, lower, matrix);
    return WW_OK;
}

static ww_status fill(kernel_work *work, ww_block_matrix *matrix, ww_error *error)
{
    const int64_t order = order_of(work->kernel);
    for (int64_t upper = 0; upper < order; upper += WW_SAMPLE_BLOCK) {
        WW_TRY(take_rows(work, upper, &work->left, error));
        WW_TRY(add_layers(work, &work->left, &work->left, matrix, error));
        for (int64_t lower = upper + WW_SAMPLE_BLOCK; lower < order; lower += WW_SAMPLE_BLOCK) {
            WW_TRY(take_rows(work, lower, &work->right, error));
            WW_TRY(add_layers(work, &work->left, &work->right, matrix, error));
        }
    }
    return WW_OK;
}

ww_status ww_network_kernel_fill(void *context, ww_block_matrix *matrix, ww_error *error)
{
    kernel_work work = {.kernel = context};
    work.problem = problem_of(context, &work.config);
    const ww_parallel *parallel = work.kernel->problem->parallel;
    WW_ASSERT(matrix->rows == order_of(work.kernel) && matrix->columns == matrix->rows &&
              parallel->size == matrix->grid->parallel.size);
    ww_status status = ww_agree(parallel, work_create(&work, error), error);
    if (status == WW_OK)
        status = fill(&work, matrix, error);
    work_free(&work);
    return status;
}

// One place, or all.
static void shape_grid(int64_t order, int ranks, int *rows, int *columns)
{
    *rows = *columns = 1;
    if (order > WW_KERNEL_ONE_RANK)
        ww_grid_shape(ranks, rows, columns);
}

// Both ends of the spectrum.
static ww_status find_ends(ww_gram_fill filling, void *context, const ww_parallel *parallel,
                           int64_t order, double *least, double *greatest, ww_error *error)
{
    int rows = 1, columns = 1;
    shape_grid(order, parallel->size, &rows, &columns);
    ww_grid grid;
    ww_spectrum spectrum;
    WW_TRY(ww_grid_create(parallel, rows, columns, &grid, error));
    ww_status status = ww_spectrum_compute(filling, context, &grid, order, WW_BLOCK,
                                           WW_EIGENSOLVER_SCALAPACK, false, &spectrum, error);
    if (status == WW_OK) {
        *greatest = spectrum.values[0];
        *least = spectrum.values[order - 1];
        ww_spectrum_free(&spectrum);
    }
    ww_grid_free(&grid);
    return status;
}

// Largest step size at which gradient descent on a quadratic with this kernel does not grow: twice
// the divisor of the loss over lambda_max times its curvature by the outputs.
static double edge_of(const ww_problem *problem, double greatest)
{
    return 2.0 * ww_loss_divisor(problem, problem->data->train.count) /
           (problem->loss->curvature * greatest);
}

ww_status ww_network_kernel_result(const ww_problem *problem, ww_engine *engine,
                                   const double *carry, double *values, ww_error *error)
{
    (void)engine, (void)carry;
    const ww_samples *train = &problem->data->train;
    ww_network_kernel kernel = {.problem = problem, .samples = train};
    const ww_kernel infinite = {
        .depth = problem->depth, .negative_slope = problem->negative_slope, .all_layers = true};
    ww_gram_limit limit = {.kernel = &infinite,
                           .inputs = train->inputs,
                           .count = train->count,
                           .dimension = problem->dimension};
    WW_TRY(find_ends(ww_network_kernel_fill, &kernel, problem->parallel, order_of(&kernel),
                     &values[WW_KERNEL_LEAST], &values[WW_KERNEL_GREATEST], error));
    values[WW_KERNEL_EDGE] = edge_of(problem, values[WW_KERNEL_GREATEST]);
    values[WW_KERNEL_RATE] = problem->learning_rate / values[WW_KERNEL_EDGE];
    const double scale = ww_zou_gu_kernel_scale(problem->config, problem->outputs);
    double least = (double)NAN, greatest = (double)NAN;
    if (!isnan(scale))
        WW_TRY(find_ends(ww_gram_limit_fill, &limit, problem->parallel, train->count, &least,
                         &greatest, error));
    values[WW_KERNEL_LIMIT_LEAST] = scale * least;
    values[WW_KERNEL_LIMIT_GREATEST] = scale * greatest;
    values[WW_KERNEL_LIMIT_EDGE] = edge_of(problem, scale * greatest);
    return WW_OK;
}

// Of the limit, which comes after the network.
static void limit_cost(const ww_problem *problem, int64_t *bytes, double *flops)
{
    const int64_t n = problem->data->train.count;
    const ww_gram_limit limit = {.count = n, .dimension = problem->dimension};
    int rows = 1, columns = 1;
    shape_grid(n, problem->parallel->size, &rows, &columns);
    const ww_grid grid = ww_grid_describe(problem->parallel, rows, columns);
    int64_t filling = 0;
    double filling_flops = 0.0;
    ww_spectrum_cost(n, WW_BLOCK, WW_EIGENSOLVER_SCALAPACK, false, &grid, bytes, flops);
    ww_gram_limit_cost(&limit, &grid, &filling, &filling_flops);
    *bytes += filling;
    *flops += filling_flops;
}

ww_status ww_network_kernel_cost(const ww_problem *problem, int64_t *bytes, double *flops,
                                 ww_error *error)
{
    const ww_network_kernel kernel = {.problem = problem, .samples = &problem->data->train};
    const int64_t block = block_of(&kernel);
    int64_t order = 0;
    WW_TRY(ww_multiply(kernel.samples->count, problem->outputs,
                       "the order of the network's kernel, samples x outputs", &order, error));
    const double rows_of_k = (double)order;
    int rows = 1, columns = 1;
    shape_grid(order, problem->parallel->size, &rows, &columns);
    const ww_grid grid = ww_grid_describe(problem->parallel, rows, columns);
    ww_block_matrix matrix;
    WW_TRY(ww_block_matrix_describe(&grid, order, order, WW_BLOCK, &matrix, error));
    ww_spectrum_cost(order, WW_BLOCK, WW_EIGENSOLVER_SCALAPACK, false, &grid, bytes, flops);
    const int64_t blocks = (order + WW_SAMPLE_BLOCK - 1) / WW_SAMPLE_BLOCK;
    ww_config config;
    const ww_problem own = problem_of(&kernel, &config);
    const int64_t of_rows =
        block * (problem->dimension + problem->outputs) * (int64_t)sizeof(double) +
        ww_layered_block_bytes(&own, block, true);
    *bytes += ww_layered_weight_bytes(&own) + ww_layered_work_bytes(&own) +
              3 * block * block * (int64_t)sizeof(double) + ww_layered_pairs_bytes(&own, block) +
              ww_output_sum_bytes(problem, block) + (blocks > 1 ? 2 : 1) * of_rows;
    *flops +=
        2.0 * ww_layered_pass_flops(problem) * rows_of_k * 0.5 * ((double)blocks + 1.0) +
        2.0 * rows_of_k * rows_of_k * (double)problem->depth * (double)problem->tiling.local_units;
    int64_t limit_bytes = 0;
    double limit_flops = 0.0;
    limit_cost(problem, &limit_bytes, &limit_flops);
    *bytes = limit_bytes > *bytes ? limit_bytes : *bytes;
    *flops += limit_flops;
    return WW_OK;
}
