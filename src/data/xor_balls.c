#include "data/source.h"

#include "widthwise/random.h"

#include <math.h>

enum { DIMENSION = 2, CLASSES = 2, COMPONENTS = 2, NORMALS_PER_SAMPLE = 4 };

/// Centres of the components in units of the distance: class 0 (+ of the paper), then class 1 (-).
static const double centres[CLASSES * COMPONENTS][DIMENSION] = {
    {0.0, 0.0}, {1.0, 1.0}, {0.0, 1.0}, {1.0, 0.0}};

static void draw_samples(const ww_config *config, ww_purpose components_purpose,
                         ww_purpose inputs_purpose, ww_samples *samples)
{
    const uint64_t seed = (uint64_t)config->seeds.data;
    const ww_stream components = {.seed = seed, .purpose = (uint32_t)components_purpose};
    const ww_stream inputs = {.seed = seed, .purpose = (uint32_t)inputs_purpose};
    const double radius = 0.5 * config->data.xor_balls.diameter;
    ww_integers(components, (uint64_t)samples->first, (size_t)samples->count,
                (int64_t)CLASSES * COMPONENTS, samples->components);
    for (int64_t s = 0; s < samples->count; s++) {
        // Two coordinates of a uniform point of the sphere in four dimensions are uniform in the
        // disc: a fixed number of draws a sample, and neither sine nor cosine of some C library.
        double g[NORMALS_PER_SAMPLE] = {0.0};
        ww_normals(inputs, (uint64_t)(samples->first + s) * NORMALS_PER_SAMPLE, NORMALS_PER_SAMPLE,
                   g);
        const double norm = sqrt(g[0] * g[0] + g[1] * g[1] + g[2] * g[2] + g[3] * g[3]);
        const double *centre = centres[samples->components[s]];
        for (int64_t j = 0; j < DIMENSION; j++)
            samples->inputs[s * DIMENSION + j] =
                centre[j] * config->data.xor_balls.distance + radius * (g[j] / norm);
        samples->labels[s] = samples->components[s] / COMPONENTS;
    }
}

ww_status ww_source_xor_balls(const ww_config *config, bool samples, ww_dataset *dataset,
                              ww_error *error)
{
    (void)samples;
    WW_TRY(ww_drawn_count(config, "data.train", config->data.train, error));
    WW_TRY(ww_drawn_count(config, "data.test", config->data.test, error));
    dataset->dimension = DIMENSION;
    dataset->classes = CLASSES;
    dataset->components = COMPONENTS;
    ww_dataset_set_counts(dataset, config->data.train, config->data.test);
    return WW_OK;
}

ww_status ww_xor_balls_samples(const ww_config *config, ww_dataset *dataset, ww_error *error)
{
    (void)error;
    draw_samples(config, WW_DRAW_TRAIN_COMPONENTS, WW_DRAW_TRAIN_INPUTS, &dataset->train);
    draw_samples(config, WW_DRAW_TEST_COMPONENTS, WW_DRAW_TEST_INPUTS, &dataset->test);
    return WW_OK;
}
