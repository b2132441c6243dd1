#include "data/source.h"

#include "widthwise/memory.h"

/// The number of samples is that of the components; a configuration that asks for another is wrong.
static ww_status check_count(const ww_config *config, const char *key, int64_t asked,
                             int64_t points, ww_error *error)
{
    if (asked == points)
        return WW_OK;
    return ww_data_fail(config, key, error,
                        "source points has exactly %lld samples (classes x components), not %lld; "
                        "leave the key out",
                        (long long)points, (long long)asked);
}

ww_status ww_source_points(const ww_config *config, bool samples, ww_dataset *dataset,
                           ww_error *error)
{
    (void)samples;
    dataset->dimension = config->data.points.dimension;
    dataset->classes = config->data.points.classes;
    dataset->components = config->data.points.components;
    int64_t count = 0;
    WW_TRY(ww_multiply(dataset->classes, dataset->components,
                       "data.points.classes x data.points.components", &count, error));
    WW_TRY(check_count(config, "data.train", config->data.train, count, error));
    WW_TRY(check_count(config, "data.test", config->data.test, count, error));
    ww_dataset_set_counts(dataset, count, count);
    return WW_OK;
}

/// Sample s of either set is the centre of component s.
static void draw_points(const ww_config *config, const ww_dataset *dataset, ww_samples *samples)
{
    ww_draw_means(config, samples->first, samples->count, dataset->dimension,
                  config->data.points.separation, samples->inputs);
    for (int64_t s = 0; s < samples->count; s++) {
        samples->components[s] = samples->first + s;
        samples->labels[s] = samples->components[s] / dataset->components;
    }
}

ww_status ww_points_samples(const ww_config *config, ww_dataset *dataset, ww_error *error)
{
    (void)error;
    draw_points(config, dataset, &dataset->train);
    draw_points(config, dataset, &dataset->test);
    return WW_OK;
}
