#include "widthwise/construct.h"

#include "construct/parts.h"
#include "widthwise/memory.h"
#include "widthwise/network.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool ww_is_built(const ww_config *config)
{
    const ww_start start = config->network.start;
    return start == WW_START_FIT || start == WW_START_BAD_FIT || start == WW_START_LOCAL_MINIMUM;
}

static const char *start_name(const ww_config *config)
{
    switch (config->network.start) {
    case WW_START_FIT:
        return "fit";
    case WW_START_BAD_FIT:
        return "bad-fit";
    case WW_START_LOCAL_MINIMUM:
        return "local-minimum";
    case WW_START_DRAWN:
    case WW_START_FILE:
        break;
    }
    return "drawn";
}

ww_status ww_construction_allocate(int64_t rows, int64_t dimension, ww_construction *made,
                                   ww_error *error)
{
    free(made->positive);
    free(made->negative);
    made->rows = rows;
    made->dimension = dimension;
    const size_t row = (size_t)dimension * sizeof(double);
    made->positive = ww_allocate((size_t)rows, row, "weights that are built", error);
    made->negative = ww_allocate((size_t)rows, row, "weights that are built", error);
    return made->positive != NULL && made->negative != NULL ? WW_OK : WW_FAILED;
}

void ww_construction_free(ww_construction *made)
{
    free(made->positive);
    free(made->negative);
    *made = (ww_construction){0};
}

// <w, x>, and the sum of its terms' sizes.
static long double dot(const double *row, const double *input, int64_t dimension, double *sizes)
{
    long double sum = 0.0L;
    double all = 0.0;
    for (int64_t j = 0; j < dimension; j++) {
        sum += (long double)row[j] * (long double)input[j];
        all += fabs(row[j] * input[j]);
    }
    *sizes += all;
    return sum;
}

long double ww_construction_output(const ww_config *config, const ww_construction *made,
                                   const double *input, double *bound)
{
    const int64_t d = made->dimension;
    const long double slope = (long double)ww_negative_slope(config);
    const double weight = ww_config_output_std(config, 1);
    const ww_tiling tiling = ww_tiling_make(config->network.width, 0, 1);
    const int64_t half = config->network.width / 2;
    const double times = made->repeats ? (double)half : 1.0;
    long double sum = 0.0L;
    double sizes = 0.0;
    for (int64_t r = 0; r < made->rows; r++) {
        const long double z = dot(made->positive + r * d, input, d, &sizes);
        const long double u = dot(made->negative + r * d, input, d, &sizes);
        sum += (z >= 0.0L ? z : slope * z) - (u >= 0.0L ? u : slope * u);
    }
    // A pre-activation has d roundings, its activation one, a sum over a tile as many as it has
    // units and as many for the products, whatever their order; and the sums over tiles have a
    // quantum of 2^-56 or less for each tile (problem.c). 1.01 is for products of roundings.
    const double roundings = (double)(d + tiling.tile_units) + 8.0;
    const double quanta = (double)tiling.tile_count * 0x1p-55;
    *bound = 1.01 * roundings * 0x1p-53 * weight * times * sizes + quanta;
    return (long double)weight * (long double)times * sum;
}

static ww_status refuse_data(const ww_config *config, const ww_dataset *data, ww_error *error)
{
    if (config->data.source == WW_SOURCE_FUNCTION)
        return ww_fail(error, WW_USAGE,
                       "network.start: %s gives outputs +1 and -1, but source function has real "
                       "numbers; choose another source",
                       start_name(config));
    if (!ww_config_has_classes(config))
        return ww_fail(error, WW_USAGE,
                       "network.start: %s gives outputs +1 and -1, but the samples have real "
                       "targets (data.hdf5.kind: targets); choose network.start: drawn",
                       start_name(config));
    if (data->outputs != 1)
        return ww_fail(error, WW_USAGE,
                       "network.start: %s builds a network of one output for two classes, but this "
                       "one has %lld outputs; choose loss: hinge and data of two classes",
                       start_name(config), (long long)data->outputs);
    return WW_OK;
}

ww_status ww_construct_check_width(const ww_config *config, int64_t least, ww_error *error)
{
    if (config->network.width >= least)
        return WW_OK;
    char where[512];
    ww_config_where(config, "network.width", where, sizeof where);
    return ww_fail(error, WW_USAGE,
                   "%s is %lld, but network.start: %s takes %lld units for these data; set "
                   "network.width to %lld or more",
                   where, (long long)config->network.width, start_name(config), (long long)least,
                   (long long)least);
}

// Rank 0's part. Without `builds` only the width is found out.
static ww_status work(const ww_config *config, const ww_dataset *data, bool builds,
                      ww_construction *made, ww_error *error)
{
    WW_TRY(refuse_data(config, data, error));
    if (config->network.start == WW_START_LOCAL_MINIMUM) {
        made->least_width = 2;
        made->repeats = true;
        WW_TRY(ww_local_minimum_check(data, error));
        if (!builds)
            return WW_OK;
        WW_TRY(ww_construct_check_width(config, made->least_width, error));
        WW_TRY(ww_construction_allocate(1, data->dimension, made, error));
        return ww_local_minimum_build(config, data, made, error);
    }
    ww_wanted wanted;
    ww_status status = ww_wanted_collect(config, data, &wanted, error);
    if (status == WW_OK)
        made->least_width = 4 * ww_fit_groups(&wanted);
    if (status == WW_OK && builds)
        status = ww_construct_check_width(config, made->least_width, error);
    if (status == WW_OK && builds)
        status = ww_fit_build(&wanted, made, error);
    ww_wanted_free(&wanted);
    return status;
}

ww_status ww_construct_width(const ww_config *config, const ww_dataset *data,
                             const ww_parallel *parallel, int64_t *width, ww_error *error)
{
    ww_construction made = {0};
    const ww_status status = parallel->rank == 0 ? work(config, data, false, &made, error) : WW_OK;
    *width = made.least_width;
    WW_TRY(ww_agree(parallel, status, error));
    return ww_broadcast(parallel, width, sizeof *width, 0, error);
}

// What rank 0 has, to all.
static ww_status hand_out(const ww_parallel *parallel, ww_construction *made, ww_error *error)
{
    ww_construction told = *made;
    WW_TRY(ww_broadcast(parallel, &told, sizeof told, 0, error));
    ww_status status = WW_OK;
    if (parallel->rank != 0) {
        *made = told;
        made->positive = made->negative = NULL; // those of rank 0
        status = ww_construction_allocate(told.rows, told.dimension, made, error);
    }
    WW_TRY(ww_agree(parallel, status, error));
    const size_t bytes = (size_t)(told.rows * told.dimension) * sizeof *made->positive;
    WW_TRY(ww_broadcast(parallel, made->positive, bytes, 0, error));
    return ww_broadcast(parallel, made->negative, bytes, 0, error);
}

ww_status ww_construct(const ww_config *config, const ww_dataset *data, const ww_parallel *parallel,
                       ww_construction *made, ww_error *error)
{
    *made = (ww_construction){0};
    const ww_status status = parallel->rank == 0 ? work(config, data, true, made, error) : WW_OK;
    WW_TRY(ww_agree(parallel, status, error));
    return hand_out(parallel, made, error);
}

void ww_construction_rows(const ww_construction *made, int64_t width, int64_t first_unit,
                          int64_t units, double *out)
{
    const int64_t d = made->dimension;
    const int64_t half = width / 2;
    for (int64_t i = 0; i < units; i++) {
        const int64_t unit = first_unit + i;
        const double *rows = unit < half ? made->positive : made->negative;
        const int64_t row = made->repeats ? 0 : unit < half ? unit : unit - half;
        double *to = out + i * d;
        if (row < made->rows)
            memcpy(to, rows + row * d, (size_t)d * sizeof *to);
        else
            memset(to, 0, (size_t)d * sizeof *to);
    }
}

int64_t ww_construct_bytes(const ww_config *config, const ww_dataset *shape, int rank)
{
    const int64_t columns = 64;
    const int64_t value = (int64_t)sizeof(double);
    const int64_t d = shape->dimension;
    if (!ww_is_built(config))
        return 0;
    if (config->network.start == WW_START_LOCAL_MINIMUM)
        return 4 * d * value;
    const int64_t n =
        shape->train.count + (config->network.start == WW_START_BAD_FIT ? shape->test.count : 0);
    const int64_t span = n < d ? n : d;
    const int64_t units = n <= span || span == 1 ? 4 : 4 * ((n + span - 2) / (span - 1));
    const int64_t rows = units * d * value;
    if (rank != 0)
        return rows;
    // Norms and lists, the samples once in new coordinates, the basis, eigenvectors, and a group.
    return rows + n * (span + 12) * value + (n < d ? n : columns * 8) * d * value +
           span * (d + 2 * span + 4 * columns) * value;
}
