// What is measured of a data set for the predictions of Zou & Gu.

#include "widthwise/zou_gu.h"

#include "parallel/lanczos.h"
#include "widthwise/gram_ranks.h"
#include "widthwise/memory.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>

static const ww_parallel alone = {.communicator = MPI_COMM_SELF, .rank = 0, .size = 1};

// ---- ||X||_2 ------------------------------------------------------------------------------------

typedef struct squared {
    const ww_samples *samples;
    int64_t dimension;
    double scale;   // inputs are multiplied by it
    double *images; // [n]
} squared;

// out [d] = X'X x, with X scaled.
static ww_status apply_squared(void *context, const double *x, double *out, ww_error *error)
{
    (void)error;
    const squared *self = context;
    const int count = ww_int(self->samples->count);
    const int d = ww_int(self->dimension);
    cblas_dgemv(CblasRowMajor, CblasNoTrans, count, d, self->scale, self->samples->inputs, d, x, 1,
                0.0, self->images, 1);
    cblas_dgemv(CblasRowMajor, CblasTrans, count, d, self->scale, self->samples->inputs, d,
                self->images, 1, 0.0, out, 1);
    return WW_OK;
}

// On this rank alone.
static ww_status spectral_norm(const ww_config *config, const ww_dataset *data, double *norm,
                               ww_error *error)
{
    const int64_t values = data->train.count * data->dimension;
    int checked = 0;
    double largest = 0.0;
    WW_TRY(ww_to_int(data->train.count, "the number of train samples", &checked, error));
    WW_TRY(ww_to_int(data->dimension, "the dimension of the inputs", &checked, error));
    for (int64_t i = 0; i < values; i++)
        largest = fmax(largest, fabs(data->train.inputs[i]));
    *norm = 0.0;
    if (largest == 0.0)
        return WW_OK;
    int exponent = 0; // by a power of two squares stay in range
    (void)frexp(largest, &exponent);
    exponent = exponent < -1000 ? -1000 : exponent;
    squared self = {
        .samples = &data->train, .dimension = data->dimension, .scale = ldexp(1.0, -exponent)};
    self.images = ww_allocate((size_t)data->train.count, sizeof *self.images,
                              "the spectral norm of the data", error);
    if (self.images == NULL)
        return WW_FAILED;
    ww_extreme found;
    const ww_status status = ww_lanczos(data->dimension, apply_squared, &self, &alone,
                                        config->measure.spectral_tolerance, &found, error);
    free(self.images);
    if (status != WW_OK)
        return status;
    *norm = ldexp(sqrt(fmax(found.value, 0.0)), exponent);
    ww_extreme_free(&found);
    return WW_OK;
}

// ---- spectra ------------------------------------------------------------------------------------

// Ends of the spectrum of one kernel on the samples. Collective over the grid.
static ww_status ends_of(const ww_kernel *kernel, const ww_dataset *data, const ww_grid *grid,
                         double *least, double *greatest, ww_error *error)
{
    ww_gram_limit limit = {.kernel = kernel,
                           .inputs = data->train.inputs,
                           .count = data->train.count,
                           .dimension = data->dimension};
    ww_gram_solution solution;
    WW_TRY(ww_gram_solve(ww_gram_limit_fill, &limit, grid, data->train.count, WW_SOLVE_BLOCK, NULL,
                         0, &solution, error));
    // What is within rounding of 0 is 0: samples coincide.
    *least = solution.positive_definite ? solution.least : 0.0;
    *greatest = solution.greatest;
    ww_gram_solution_free(&solution);
    return WW_OK;
}

static ww_status spectra_on(const ww_config *config, const ww_dataset *data, const ww_grid *grid,
                            ww_zou_gu_data *measured, ww_error *error)
{
    const double slope = ww_negative_slope(config);
    const int64_t depth = config->network.depth;
    const ww_kernel two_layer = {.depth = 1, .negative_slope = slope};
    const ww_kernel last_layer = {.depth = depth, .negative_slope = slope};
    const ww_kernel all_layers = {.depth = depth, .negative_slope = slope, .all_layers = true};
    double greatest = 0.0;
    WW_TRY(ends_of(&two_layer, data, grid, &measured->two_layer_least, &greatest, error));
    if (depth == 1) { // all three are one
        measured->last_layer_least = measured->all_layers_least = measured->two_layer_least;
        measured->all_layers_greatest = greatest;
        return WW_OK;
    }
    WW_TRY(ends_of(&last_layer, data, grid, &measured->last_layer_least, &greatest, error));
    return ends_of(&all_layers, data, grid, &measured->all_layers_least,
                   &measured->all_layers_greatest, error);
}

static ww_status spectra(const ww_config *config, const ww_dataset *data,
                         const ww_parallel *parallel, ww_zou_gu_data *measured, ww_error *error)
{
    ww_grid grid;
    WW_TRY(parallel->size == 1 || data->train.count > WW_ZOU_GU_ALONE
               ? ww_gram_grid_create(config, data->train.count, parallel, &grid, error)
               : ww_grid_create(&alone, 1, 1, &grid, error));
    const ww_status status = spectra_on(config, data, &grid, measured, error);
    ww_grid_free(&grid);
    return status;
}

// ---- all of it ----------------------------------------------------------------------------------

static ww_status measure_alone(const ww_config *config, const ww_dataset *data, bool kernels,
                               ww_zou_gu_data *measured, ww_error *error)
{
    WW_TRY(spectral_norm(config, data, &measured->spectral_norm, error));
    return kernels ? spectra(config, data, &alone, measured, error) : WW_OK;
}

ww_status ww_zou_gu_measure(const ww_config *config, const ww_dataset *data,
                            const ww_parallel *parallel, bool kernels, ww_zou_gu_data *measured,
                            ww_error *error)
{
    const double unknown = (double)NAN;
    const bool is_small = data->train.count <= WW_ZOU_GU_ALONE;
    ww_separation separation;
    *measured = (ww_zou_gu_data){unknown, unknown, unknown, unknown, unknown, unknown};
    WW_TRY(ww_separation_measure(&data->train, data->dimension, data->components, parallel,
                                 &separation, error));
    if (data->train.count > 1)
        measured->separation = separation.nearest;
    ww_status status = WW_OK;
    if (parallel->rank == 0)
        status = measure_alone(config, data, kernels && is_small, measured, error);
    WW_TRY(ww_agree(parallel, status, error));
    WW_TRY(ww_broadcast(parallel, measured, sizeof *measured, 0, error));
    return kernels && !is_small ? spectra(config, data, parallel, measured, error) : WW_OK;
}

// Of ends_of, once.
static void add_ends(const ww_config *config, const ww_dataset *shape, const ww_grid *grid,
                     int64_t *bytes, double *flops)
{
    const ww_kernel kernel = {.depth = config->network.depth, .all_layers = true};
    const ww_gram_limit limit = {
        .kernel = &kernel, .count = shape->train.count, .dimension = shape->dimension};
    int64_t fill_bytes = 0;
    int64_t solve_bytes = 0;
    double fill_flops = 0.0;
    double solve_flops = 0.0;
    ww_gram_limit_cost(&limit, grid, &fill_bytes, &fill_flops);
    ww_gram_solve_cost(shape->train.count, WW_SOLVE_BLOCK, 0, grid, &solve_bytes, &solve_flops);
    if (fill_bytes + solve_bytes > *bytes)
        *bytes = fill_bytes + solve_bytes;
    *flops += 2.0 * fill_flops + solve_flops;
}

void ww_zou_gu_measure_cost(const ww_config *config, const ww_dataset *shape, bool kernels,
                            int rank, int ranks, int64_t *bytes, double *flops)
{
    enum { PRODUCTS = 40 }; // of Lanczos' method, more or less
    const int64_t count = shape->train.count;
    const bool is_small = count <= WW_ZOU_GU_ALONE;
    ww_separation_cost(count, shape->dimension, ranks, bytes, flops);
    if (rank == 0) {
        const int64_t lanczos =
            ww_lanczos_bytes(shape->dimension) + count * (int64_t)sizeof(double);
        *bytes = lanczos > *bytes ? lanczos : *bytes;
        *flops += 4.0 * PRODUCTS * (double)count * (double)shape->dimension;
    }
    if (!kernels || (is_small && rank > 0))
        return;
    const ww_parallel parallel = {
        .communicator = MPI_COMM_NULL, .rank = rank, .size = is_small ? 1 : ranks};
    const ww_grid grid = is_small ? ww_grid_describe(&parallel, 1, 1)
                                  : ww_gram_grid_describe(config, count, &parallel);
    for (int64_t i = 0; i < (config->network.depth == 1 ? 1 : 3); i++)
        add_ends(config, shape, &grid, bytes, flops);
}

// ---- the setting --------------------------------------------------------------------------------

// Whether weights are drawn as the expectation has them: independent ones of mean 0, of which one
// layer's lengths do not matter for another's.
static bool has_expectation(const ww_config *config)
{
    return config->loss == WW_LOSS_SQUARED && config->network.start == WW_START_DRAWN &&
           config->network.hidden.kind == WW_HIDDEN_GAUSSIAN &&
           config->network.hidden.pairs == WW_PAIRS_NONE &&
           config->network.output.kind != WW_OUTPUT_HALVES;
}

// Growth g of squared norms from layer to layer.
static double growth_of(const ww_config *config)
{
    const double sigma = ww_config_hidden_std(config);
    const double slope = ww_negative_slope(config);
    return (double)config->network.width * sigma * sigma * (1.0 + slope * slope) / 2.0;
}

// Layers whose weights have q times the variance that keeps norms make each of the gradients
// q^(L - 1) times as large.
double ww_zou_gu_kernel_scale(const ww_config *config, int64_t outputs)
{
    const double output = ww_config_output_std(config, outputs);
    const bool is_isotropic = config->network.hidden.kind == WW_HIDDEN_GAUSSIAN ||
                              config->network.hidden.kind == WW_HIDDEN_BALL;
    if (config->network.start != WW_START_DRAWN || !is_isotropic)
        return (double)NAN;
    const int64_t layers = config->network.depth - 1;
    return (double)config->network.width * output * output *
           (layers > 0 ? pow(growth_of(config), (double)layers) : 1.0);
}

static double sum_of_squares(const double *values, int64_t count)
{
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++)
        sum += values[i] * values[i];
    return sum;
}

double ww_zou_gu_expected_loss(const ww_config *config, const ww_dataset *data)
{
    if (!has_expectation(config) || data->train.targets == NULL)
        return (double)NAN;
    const ww_samples *train = &data->train;
    const double weight = ww_config_output_std(config, data->outputs);
    const double outputs = (double)data->outputs * weight * weight *
                           pow(growth_of(config), (double)config->network.depth) *
                           sum_of_squares(train->inputs, train->count * data->dimension);
    const double targets = sum_of_squares(train->targets, train->count * data->outputs);
    return 0.5 * (outputs + targets) / (double)train->count;
}

ww_zou_gu_setting ww_zou_gu_setting_of(const ww_config *config, const ww_dataset *data,
                                       const ww_zou_gu_data *measured)
{
    const bool is_descent = config->training.method == WW_METHOD_GD;
    const double expected = ww_zou_gu_expected_loss(config, data);
    // A step on a sum over a batch is one B times as long on its mean.
    const double batch = (double)(is_descent ? data->train.count : config->training.batch);
    const double longer = config->loss_reduction == WW_REDUCTION_SUM ? batch : 1.0;
    return (ww_zou_gu_setting){.samples = (double)data->train.count,
                               .dimension = (double)data->dimension,
                               .outputs = (double)data->outputs,
                               .depth = (double)config->network.depth,
                               .width = (double)config->network.width,
                               .batch = batch,
                               .rate = longer * ww_config_learning_rate(config, data->outputs),
                               .target_loss = config->theory.target_loss,
                               .expected_loss = expected,
                               .initial_loss = expected,
                               .kernel_scale = ww_zou_gu_kernel_scale(config, data->outputs),
                               .data = *measured};
}

void ww_zou_gu_set_loss(const ww_config *config, double loss, ww_zou_gu_setting *setting)
{
    setting->initial_loss =
        config->loss_reduction == WW_REDUCTION_SUM ? loss / setting->samples : loss;
}
