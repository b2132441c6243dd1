#include "data/source.h"

#include "widthwise/memory.h"
#include "widthwise/random.h"

#include <math.h>
#include <stdlib.h>

static ww_stream stream_of(const ww_config *config, ww_purpose purpose)
{
    return (ww_stream){.seed = (uint64_t)config->seeds.data, .purpose = (uint32_t)purpose};
}

void ww_draw_means(const ww_config *config, int64_t first, int64_t count, int64_t dimension,
                   double separation, double *means)
{
    const size_t values = (size_t)count * (size_t)dimension;
    const double deviation = separation / sqrt((double)dimension);
    ww_normals(stream_of(config, WW_DRAW_MEANS), (uint64_t)(first * dimension), values, means);
    for (size_t i = 0; i < values; i++)
        means[i] *= deviation;
}

/// Component of every sample, drawn by the probabilities p_ij (equal where none are given). Number
/// s of its set takes number s of the stream in either case.
static void draw_components(const ww_config *config, ww_purpose purpose, int64_t component_count,
                            ww_samples *samples)
{
    const ww_stream stream = stream_of(config, purpose);
    const ww_real_list *probabilities = &config->data.mixture.probabilities;
    if (probabilities->count == 0) {
        ww_integers(stream, (uint64_t)samples->first, (size_t)samples->count, component_count,
                    samples->components);
        return;
    }
    double total = 0.0;
    int64_t last = 0; // the last component that can occur takes what rounding leaves over
    for (int64_t c = 0; c < component_count; c++) {
        total += probabilities->values[c];
        if (probabilities->values[c] > 0.0)
            last = c;
    }
    for (int64_t s = 0; s < samples->count; s++) {
        double number = 0.0;
        ww_uniforms(stream, (uint64_t)(samples->first + s), 1, &number);
        int64_t c = 0;
        double sum = probabilities->values[0];
        while (c < last && number * total >= sum)
            sum += probabilities->values[++c];
        samples->components[s] = c;
    }
}

static void draw_samples(const ww_config *config, ww_purpose components_purpose,
                         ww_purpose inputs_purpose, const double *means, const ww_dataset *dataset,
                         ww_samples *samples)
{
    const int64_t d = dataset->dimension;
    const double deviation = config->data.mixture.spread / sqrt((double)d);
    const ww_stream stream = stream_of(config, inputs_purpose);
    draw_components(config, components_purpose, dataset->classes * dataset->components, samples);
    for (int64_t s = 0; s < samples->count; s++) {
        double *input = samples->inputs + s * d;
        const double *mean = means + samples->components[s] * d;
        ww_normals(stream, (uint64_t)(samples->first + s) * (uint64_t)d, (size_t)d, input);
        for (int64_t j = 0; j < d; j++)
            input[j] = mean[j] + deviation * input[j];
        samples->labels[s] = samples->components[s] / dataset->components;
    }
}

ww_status ww_source_mixture(const ww_config *config, bool samples, ww_dataset *dataset,
                            ww_error *error)
{
    (void)samples;
    WW_TRY(ww_drawn_count(config, "data.train", config->data.train, error));
    WW_TRY(ww_drawn_count(config, "data.test", config->data.test, error));
    dataset->dimension = config->data.mixture.dimension;
    dataset->classes = config->data.mixture.classes;
    dataset->components = config->data.mixture.components;
    int64_t component_count = 0;
    WW_TRY(ww_multiply(dataset->classes, dataset->components,
                       "data.mixture.classes x data.mixture.components", &component_count, error));
    const ww_real_list *probabilities = &config->data.mixture.probabilities;
    if (probabilities->count != 0 && (int64_t)probabilities->count != component_count)
        return ww_data_fail(config, "data.mixture.probabilities", error,
                            "has %zu values; give one for each of the %lld components, class by "
                            "class",
                            probabilities->count, (long long)component_count);
    ww_dataset_set_counts(dataset, config->data.train, config->data.test);
    return WW_OK;
}

ww_status ww_mixture_samples(const ww_config *config, ww_dataset *dataset, ww_error *error)
{
    const int64_t component_count = dataset->classes * dataset->components;
    int64_t values = 0;
    WW_TRY(ww_multiply(component_count, dataset->dimension,
                       "components x data.mixture.dimension of the means", &values, error));
    double *means = ww_allocate((size_t)values, sizeof *means, "the means of the mixture", error);
    if (means == NULL)
        return WW_FAILED;
    ww_draw_means(config, 0, component_count, dataset->dimension, config->data.mixture.separation,
                  means);
    draw_samples(config, WW_DRAW_TRAIN_COMPONENTS, WW_DRAW_TRAIN_INPUTS, means, dataset,
                 &dataset->train);
    draw_samples(config, WW_DRAW_TEST_COMPONENTS, WW_DRAW_TEST_INPUTS, means, dataset,
                 &dataset->test);
    free(means);
    return WW_OK;
}
