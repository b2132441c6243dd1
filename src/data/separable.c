#include "data/source.h"

#include "widthwise/memory.h"
#include "widthwise/random.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

enum { CLASSES = 2, FURTHER_NORMALS = 2, FURTHER_ROUNDINGS = 16 };

/// Substreams of the inputs of a set.
enum { DIRECTIONS = 0, DEPTHS = 1 };

static double product_of(const double *a, const double *b, int64_t count)
{
    double sum = 0.0;
    for (int64_t j = 0; j < count; j++)
        sum += a[j] * b[j];
    return sum;
}

/// How far inside of its limits a sample stays, so that rounding, twice that of a sum of d products
/// in any order, does not bring it out of them.
static double slack_of(int64_t dimension)
{
    return (double)(dimension + FURTHER_ROUNDINGS) * DBL_EPSILON;
}

/// The hidden unit vector u [d].
static void draw_separator(const ww_config *config, int64_t dimension, double *separator)
{
    const ww_stream stream = {.seed = (uint64_t)config->seeds.data, .purpose = WW_DRAW_SEPARATOR};
    ww_normals(stream, 0, (size_t)dimension, separator);
    const double norm = sqrt(product_of(separator, separator, dimension));
    for (int64_t j = 0; j < dimension; j++)
        separator[j] /= norm;
}

/// Makes `normals` [d] those of the orthogonal complement of u, and then a point that is uniform in
/// its unit ball of d - 1 dimensions: with two more normals it were uniform on the sphere in d + 1.
static void place_across(const double *separator, int64_t dimension, const double *further,
                         double *normals)
{
    for (int pass = 0; pass < 2; pass++) { // once leaves the rounding of what was taken away
        const double part = product_of(separator, normals, dimension);
        for (int64_t j = 0; j < dimension; j++)
            normals[j] -= part * separator[j];
    }
    const double square = product_of(normals, normals, dimension);
    const double norm = sqrt(square + further[0] * further[0] + further[1] * further[1]);
    for (int64_t j = 0; j < dimension; j++)
        normals[j] /= norm;
}

/// Number s of a set is made of number s of the labels and of the depths, and of d + 2 normals.
static ww_status draw_samples(const ww_config *config, ww_purpose components_purpose,
                              ww_purpose inputs_purpose, int64_t dimension, const double *separator,
                              ww_samples *samples, ww_error *error)
{
    const uint64_t seed = (uint64_t)config->seeds.data;
    const ww_stream classes = {.seed = seed, .purpose = (uint32_t)components_purpose};
    const ww_stream directions = {
        .seed = seed, .purpose = (uint32_t)inputs_purpose, .substream = DIRECTIONS};
    const ww_stream depths = {
        .seed = seed, .purpose = (uint32_t)inputs_purpose, .substream = DEPTHS};
    const size_t draws = (size_t)dimension + FURTHER_NORMALS;
    const double slack = slack_of(dimension);
    const double least = config->data.separable.margin + slack;
    double *normals = ww_allocate(draws, sizeof *normals, "a sample", error);
    if (normals == NULL)
        return WW_FAILED;
    ww_integers(classes, (uint64_t)samples->first, (size_t)samples->count, CLASSES,
                samples->labels);
    for (int64_t s = 0; s < samples->count; s++) {
        samples->components[s] = samples->labels[s];
        double uniform = 0.0;
        const uint64_t number = (uint64_t)(samples->first + s);
        ww_uniforms(depths, number, 1, &uniform);
        ww_normals(directions, number * draws, draws, normals);
        place_across(separator, dimension, normals + dimension, normals);
        const double depth = least + uniform * (1.0 - slack - least);
        const double along = samples->labels[s] == 0 ? depth : -depth;
        const double across = sqrt((1.0 - depth) * (1.0 + depth)) * (1.0 - slack);
        double *input = samples->inputs + s * dimension;
        for (int64_t j = 0; j < dimension; j++)
            input[j] = along * separator[j] + across * normals[j];
    }
    free(normals);
    return WW_OK;
}

static ww_status draw_parts(const ww_config *config, const double *separator, ww_dataset *dataset,
                            ww_error *error)
{
    const int64_t d = dataset->dimension;
    WW_TRY(draw_samples(config, WW_DRAW_TRAIN_COMPONENTS, WW_DRAW_TRAIN_INPUTS, d, separator,
                        &dataset->train, error));
    return draw_samples(config, WW_DRAW_TEST_COMPONENTS, WW_DRAW_TEST_INPUTS, d, separator,
                        &dataset->test, error);
}

ww_status ww_source_separable(const ww_config *config, bool samples, ww_dataset *dataset,
                              ww_error *error)
{
    (void)samples;
    const int64_t d = config->data.separable.dimension;
    WW_TRY(ww_drawn_count(config, "data.train", config->data.train, error));
    WW_TRY(ww_drawn_count(config, "data.test", config->data.test, error));
    if (config->data.separable.margin > 1.0 - 4.0 * slack_of(d))
        return ww_data_fail(config, "data.separable.margin", error,
                            "is %.17g, and rounding leaves no room between it and the surface of "
                            "the unit ball in %lld dimensions; choose %.3g or less",
                            config->data.separable.margin, (long long)d,
                            floor((1.0 - 8.0 * slack_of(d)) * 1e3) / 1e3);
    dataset->dimension = d;
    dataset->classes = CLASSES;
    dataset->components = 1;
    ww_dataset_set_counts(dataset, config->data.train, config->data.test);
    return WW_OK;
}

ww_status ww_separable_samples(const ww_config *config, ww_dataset *dataset, ww_error *error)
{
    const int64_t d = dataset->dimension;
    double *separator = ww_allocate((size_t)d, sizeof *separator, "the separating vector", error);
    if (separator == NULL)
        return WW_FAILED;
    draw_separator(config, d, separator);
    const ww_status status = draw_parts(config, separator, dataset, error);
    free(separator);
    return status;
}
