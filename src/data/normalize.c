#include "data/source.h"

#include "widthwise/norm.h"

#include <math.h>

static ww_status norm_too_large(const ww_config *config, ww_error *error)
{
    return ww_data_fail(
        config, "data.normalize", error,
        "a sample has a norm above 1.8e308, the largest double; scale the data down");
}

/// Every x becomes x / ||x||.
static ww_status to_sphere(const ww_config *config, const char *part, int64_t dimension,
                           ww_samples *samples, ww_error *error)
{
    for (int64_t s = 0; s < samples->count; s++) {
        double *input = samples->inputs + s * dimension;
        const int64_t number = samples->first + s;
        const double norm = ww_norm(input, dimension);
        if (norm == 0.0)
            return ww_data_fail(config, "data.normalize", error,
                                "sample %lld of the %s set (counted from 0) is all zeroes and "
                                "cannot be brought to the sphere; take it out, or set "
                                "data.normalize to ball or none",
                                (long long)number, part);
        if (isinf(norm))
            return norm_too_large(config, error);
        for (int64_t j = 0; j < dimension; j++)
            input[j] /= norm;
    }
    return WW_OK;
}

static void divide(ww_samples *samples, int64_t dimension, double divisor)
{
    const int64_t values = samples->count * dimension;
    for (int64_t i = 0; i < values; i++)
        samples->inputs[i] /= divisor;
}

/// Every x is divided by the largest norm of the train set; test inputs may end outside the ball.
/// Norms are no NaN: inputs are finite.
static ww_status to_ball(const ww_config *config, const ww_parallel *group, ww_dataset *dataset,
                         ww_error *error)
{
    const int64_t dimension = dataset->dimension;
    double largest = 0.0;
    for (int64_t s = 0; s < dataset->train.count; s++)
        largest = fmax(largest, ww_norm(dataset->train.inputs + s * dimension, dimension));
    if (group->size > 1)
        WW_TRY(ww_maximum(group, &largest, 1, error));
    if (largest == 0.0)
        return ww_data_fail(config, "data.normalize", error,
                            "all samples of the train set are zero and cannot be scaled; check the "
                            "data, or set data.normalize to none");
    if (isinf(largest))
        return norm_too_large(config, error);
    divide(&dataset->train, dimension, largest);
    divide(&dataset->test, dimension, largest);
    return WW_OK;
}

ww_status ww_normalize_inputs(const ww_config *config, const ww_parallel *group,
                              ww_dataset *dataset, ww_error *error)
{
    ww_status status = WW_OK;
    switch (config->data.normalize) {
    case WW_NORMALIZE_SPHERE:
        status = to_sphere(config, "train", dataset->dimension, &dataset->train, error);
        if (status == WW_OK)
            status = to_sphere(config, "test", dataset->dimension, &dataset->test, error);
        return ww_agree(group, status, error);
    case WW_NORMALIZE_BALL:
        return to_ball(config, group, dataset, error);
    case WW_NORMALIZE_NONE:
        break;
    }
    return WW_OK;
}
