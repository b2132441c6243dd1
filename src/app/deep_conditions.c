#include "app/deep_conditions.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

// Norms, last coordinates and distances that differ by no more are the same: rounding.
static const double ROUNDING = 1e-12;
// Multiplications and additions of a rank that are worth a warning: some seconds.
static const double MOST_WORK = 2e10;

static void say(ww_deep_conditions *found, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(ww_deep_conditions *found, const char *format, ...)
{
    va_list arguments;
    WW_ASSERT(found->count < WW_DEEP_CONDITIONS);
    va_start(arguments, format);
    (void)vsnprintf(found->lines[found->count++], WW_DEEP_CONDITION_TEXT, format, arguments);
    va_end(arguments);
}

static void check_norms(const ww_dataset *data, ww_deep_conditions *found)
{
    const int64_t d = data->dimension;
    int64_t others = 0;
    int64_t first = -1;
    double first_norm = 1.0;
    for (int64_t s = 0; s < data->train.count; s++) {
        double square = 0.0;
        for (int64_t j = 0; j < d; j++)
            square += data->train.inputs[s * d + j] * data->train.inputs[s * d + j];
        if (fabs(sqrt(square) - 1.0) <= ROUNDING)
            continue;
        if (others++ > 0)
            continue;
        first = s;
        first_norm = sqrt(square);
    }
    if (others > 0)
        say(found,
            "norms (ZG assumption 3.1): %lld of %lld train samples have another norm than 1 (first "
            "%lld, from 0: %.6g), which the theorems ask for; data.normalize: sphere gives it",
            (long long)others, (long long)data->train.count, (long long)first, first_norm);
}

static void check_last_coordinate(const ww_dataset *data, ww_deep_conditions *found)
{
    double least = INFINITY;
    double most = -INFINITY;
    for (int64_t s = 0; s < data->train.count; s++) {
        const double last = data->train.inputs[(s + 1) * data->dimension - 1];
        least = fmin(least, last);
        most = fmax(most, last);
    }
    if (most - least > ROUNDING)
        say(found,
            "last coordinate (ZG assumption 3.1): it goes from %.6g to %.6g, where the theorems "
            "ask for one mu > 0 of all samples; data.last_coordinate gives it",
            least, most);
    else if (!(least > 0.0))
        say(found,
            "last coordinate (ZG assumption 3.1): it is %.6g, where the theorems ask for a mu > 0; "
            "data.last_coordinate gives it",
            least);
}

static ww_status check_distinct(const ww_dataset *data, ww_deep_conditions *found, ww_error *error)
{
    ww_coincidence same;
    WW_TRY(ww_coincidence_find(&data->train, data->dimension, &same, error));
    if (same.samples > 0)
        say(found,
            "separation (ZG assumption 3.2): %lld of %lld train samples have the direction of "
            "another (first %lld and %lld, from 0), where the theorems ask for phi > 0",
            (long long)same.samples, (long long)data->train.count, (long long)same.first,
            (long long)same.second);
    return WW_OK;
}

static ww_status check_separation(const ww_config *config, const ww_dataset *data,
                                  const ww_parallel *parallel, ww_deep_conditions *found,
                                  ww_error *error)
{
    const double asked = config->data.sphere.separation;
    int64_t bytes = 0;
    double flops = 0.0;
    if (config->data.source != WW_SOURCE_SPHERE || asked == 0.0 || data->train.count < 2)
        return WW_OK;
    ww_separation_cost(data->train.count, data->dimension, parallel->size, &bytes, &flops);
    if (flops > MOST_WORK) {
        say(found,
            "separation (ZG assumption 3.2): not looked at for %lld samples of %lld coordinates; "
            "it is measured with the predictions at the end",
            (long long)data->train.count, (long long)data->dimension);
        return WW_OK;
    }
    ww_separation measured;
    WW_TRY(ww_separation_measure(&data->train, data->dimension, data->components, parallel,
                                 &measured, error));
    if (fabs(measured.nearest - asked) > ROUNDING)
        say(found,
            "separation (ZG assumption 3.2): the smallest distance of two train samples is %.17g, "
            "not data.sphere.separation = %.17g",
            measured.nearest, asked);
    return WW_OK;
}

ww_status ww_deep_conditions_find(const ww_config *config, const ww_dataset *data, bool distinct,
                                  const ww_parallel *parallel, ww_deep_conditions *found,
                                  ww_error *error)
{
    *found = (ww_deep_conditions){.count = 0};
    if (config->model != WW_MODEL_ZOU_GU && config->network.depth == 1)
        return WW_OK;
    check_norms(data, found);
    check_last_coordinate(data, found);
    if (distinct)
        WW_TRY(ww_agree(parallel, check_distinct(data, found, error), error));
    return check_separation(config, data, parallel, found, error);
}
