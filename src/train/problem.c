#include "widthwise/train.h"

#include "train/kernels.h"
#include "widthwise/memory.h"

#include <cblas.h>
#include <sys/mman.h>

// Outputs of a run on raw pixels reach 2^30 with the rates of the papers; above 2^40 it has
// diverged. The quantum of their sums is 2^-60 up to 4096 tiles, 2^-56 at most, below the rounding
// of outputs near 1.
static const int OUTPUT_RANGE = 40;

void ww_problem_describe(const ww_config *config, const ww_dataset *data,
                         const ww_parallel *parallel, ww_problem *problem)
{
    *problem = (ww_problem){
        .config = config,
        .data = data,
        .parallel = parallel,
        .tiling = ww_tiling_make(config->network.width, parallel->rank, parallel->size),
        .dimension = data->dimension,
        .outputs = data->outputs,
        .batch =
            config->training.method == WW_METHOD_GD ? data->train.count : config->training.batch,
        .learning_rate = ww_config_learning_rate(config, data->outputs),
        .negative_slope = ww_negative_slope(config),
        .pairs = config->network.hidden.pairs == WW_PAIRS_ANTISYMMETRIC,
        .loss = ww_loss_of(config),
        .depth = config->network.depth,
        .tracks_layers = ww_config_tracks_layers(config),
    };
    problem->initial = (ww_initial){.config = config,
                                    .dimension = data->dimension,
                                    .outputs = data->outputs,
                                    .first_unit = problem->tiling.first_unit};
    problem->output_format = ww_sum_format_make(problem->tiling.tile_count, OUTPUT_RANGE);
    problem->whole_batch = problem->batch;
    ww_problem_divide(problem);
}

bool ww_problem_is_single(const ww_problem *problem)
{
    return problem->config->precision == WW_PRECISION_SINGLE;
}

int64_t ww_layer_columns(const ww_problem *problem, int64_t layer)
{
    return layer == 1 ? problem->dimension : problem->tiling.width;
}

ww_status ww_problem_make(const ww_config *config, const ww_dataset *data,
                          const ww_parallel *parallel, ww_problem *problem, ww_error *error)
{
    // Threads change the order of summation inside BLAS, and so the bits.
    openblas_set_num_threads(1);
    ww_problem_describe(config, data, parallel, problem);
    int checked = 0;
    ww_status status = ww_to_int(data->dimension, "the dimension of the data", &checked, error);
    if (status == WW_OK)
        status = ww_to_int(data->outputs, "the number of outputs", &checked, error);
    if (status == WW_OK)
        status = ww_engine_check(problem, error);
    if (status == WW_OK && ww_config_has_layers(config)) // whose inputs are units, and rows of MPI
        status = ww_to_int(config->network.width, "network.width", &checked, error);
    if (status == WW_OK && problem->pairs) // whose kernels take every second row
        status = ww_to_int(2 * data->dimension, "twice the dimension of the data", &checked, error);
    if (status == WW_OK && problem->pairs)
        status = ww_to_int(2 * data->outputs, "twice the number of outputs", &checked, error);
    return ww_agree(parallel, status, error);
}

// OpenBLAS maps a buffer at its first product, and tries for ever where there is no memory for one:
// the other ranks would wait as long.
static ww_status find_room_for_blas(ww_error *error)
{
    enum { BUFFER_MEGABYTES = 128 }; // what it asks for here; more is not needed of one thread
    const size_t bytes = (size_t)BUFFER_MEGABYTES << 20;
    void *room = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED)
        return ww_fail(error, WW_FAILED,
                       "there are no %d MB left for the buffer of the BLAS library on one rank; "
                       "raise its limit of memory (ulimit -v)",
                       BUFFER_MEGABYTES);
    (void)munmap(room, bytes);
    return WW_OK;
}

ww_status ww_train_check(const ww_parallel *parallel, ww_error *error)
{
    openblas_set_num_threads(1);
    WW_TRY(ww_agree(parallel, find_room_for_blas(error), error));
    return ww_agree(parallel, ww_kernel_check(error), error);
}
