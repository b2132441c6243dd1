#include "data/source.h"

#include <math.h>

int ww_last_coordinate_columns(const ww_config *config)
{
    const bool is_asked = config->data.last_coordinate > 0.0;
    return is_asked && config->data.source != WW_SOURCE_SPHERE ? 1 : 0; // which has it of its own
}

double ww_last_coordinate_scale(const ww_config *config)
{
    const double mu = config->data.last_coordinate;
    return ww_last_coordinate_columns(config) > 0 ? sqrt((1.0 - mu) * (1.0 + mu)) : 1.0;
}

/// Rows of d numbers become rows of d + 1, the last first, so that none is overwritten before it
/// has moved.
static void append(double scale, double last, int64_t dimension, ww_samples *samples)
{
    for (int64_t s = samples->count; s-- > 0;) {
        const double *from = samples->inputs + s * dimension;
        double *to = samples->inputs + s * (dimension + 1);
        to[dimension] = last;
        for (int64_t j = dimension; j-- > 0;)
            to[j] = from[j] * scale;
    }
    samples->spare = 0;
}

void ww_append_last_coordinate(const ww_config *config, ww_dataset *dataset)
{
    if (ww_last_coordinate_columns(config) == 0)
        return;
    const double scale = ww_last_coordinate_scale(config);
    append(scale, config->data.last_coordinate, dataset->dimension, &dataset->train);
    append(scale, config->data.last_coordinate, dataset->dimension, &dataset->test);
    dataset->dimension++;
}
