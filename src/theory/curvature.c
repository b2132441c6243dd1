// The largest curvature of the train loss at the start of training, from the kernel of the network
// that is infinitely wide, and what it says about step sizes.

#include "widthwise/gram.h"
#include "widthwise/memory.h"
#include "widthwise/theory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// Largest eigenvalue of the Gram matrix of `rows` [n, d], on this rank alone.
static ww_status largest_eigenvalue(const ww_kernel *kernel, const double *rows, int64_t n,
                                    int64_t dimension, double *largest, ww_error *error)
{
    const ww_parallel alone = {.communicator = MPI_COMM_SELF, .rank = 0, .size = 1};
    ww_gram_limit limit = {.kernel = kernel, .inputs = rows, .count = n, .dimension = dimension};
    ww_grid grid;
    ww_block_matrix matrix;
    ww_symmetric_norms norms;
    WW_TRY(ww_grid_create(&alone, 1, 1, &grid, error));
    ww_status status = ww_block_matrix_create(&grid, n, n, WW_BLOCK, &matrix, error);
    if (status == WW_OK) {
        status = ww_gram_limit_fill(&limit, &matrix, error);
        if (status == WW_OK)
            status = ww_gram_norms(&matrix, &norms, error);
        ww_block_matrix_free(&matrix);
    }
    ww_grid_free(&grid);
    *largest = status == WW_OK ? norms.spectral : 0.0;
    return status;
}

ww_status ww_theory_curvature(const ww_config *config, const ww_dataset *data, int64_t most,
                              double *curvature, ww_error *error)
{
    const int64_t all = data->train.count;
    const int64_t n = all < most ? all : most;
    const int64_t d = data->dimension;
    const double slope = ww_negative_slope(config);
    const ww_kernel kernel = {
        .depth = config->network.depth, .negative_slope = slope, .all_layers = true};
    if (ww_loss_of(config)->curvature == 0.0) { // of pieces that are flat or straight
        *curvature = 0.0;
        return WW_OK;
    }
    double *rows = ww_allocate((size_t)(n * d), sizeof *rows, "some samples", error);
    if (rows == NULL)
        return WW_FAILED;
    for (int64_t s = 0; s < n; s++) // spread evenly: files may be sorted by class
        memcpy(rows + s * d, data->train.inputs + s * all / n * d, (size_t)d * sizeof *rows);
    double largest = 0.0;
    const ww_status status = largest_eigenvalue(&kernel, rows, n, d, &largest, error);
    free(rows);
    const double scale = ww_config_output_std(config, data->outputs);
    const double sigma = ww_config_hidden_std(config);
    const double growth =
        (double)config->network.width * sigma * sigma * (1.0 + slope * slope) / 2.0;
    *curvature = ww_loss_of(config)->curvature * (double)config->network.width * scale * scale *
                 largest / (double)n;
    if (config->network.depth > 1)
        *curvature *= pow(growth, (double)(config->network.depth - 1));
    if (config->loss_reduction == WW_REDUCTION_SUM)
        *curvature *= (double)all;
    return status;
}
