#include "data/source.h"

#include "widthwise/memory.h"
#include "widthwise/random.h"

#include <stdlib.h>
#include <string.h>

int64_t ww_dataset_target_columns(const ww_dataset *shape)
{
    if (shape->has_targets)
        return shape->outputs;
    return shape->classes == 2 ? 1 : shape->classes;
}

double ww_target_of_label(int64_t label, int64_t columns, int64_t column)
{
    if (columns == 1)
        return label == 0 ? 1.0 : -1.0;
    return label == column ? 1.0 : 0.0;
}

void ww_targets_of_labels(const ww_samples *samples, int64_t columns, double *targets)
{
    for (int64_t s = 0; s < samples->count; s++)
        for (int64_t j = 0; j < columns; j++)
            targets[s * columns + j] = ww_target_of_label(samples->labels[s], columns, j);
}

/// Number 2 s of the stream decides whether the label of number s of its set is drawn anew, number
/// 2 s + 1 is the new one. A label drawn anew is uniform over all classes, so some stay right.
static void draw(const ww_config *config, const ww_source_entry *source, const ww_dataset *dataset,
                 ww_purpose purpose, double fraction, ww_samples *samples)
{
    const int64_t classes = dataset->classes;
    const ww_stream stream = {.seed = (uint64_t)config->seeds.data, .purpose = (uint32_t)purpose};
    for (int64_t s = 0; s < samples->count; s++) {
        double numbers[2] = {0.0};
        ww_uniforms(stream, 2 * (uint64_t)(samples->first + s), 2, numbers);
        if (numbers[0] >= fraction)
            continue;
        const int64_t label = (int64_t)(numbers[1] * (double)classes);
        samples->labels[s] = label < classes ? label : classes - 1; // the product may round up
        if (samples->targets != NULL && source->redraw != NULL)
            source->redraw(config, dataset, samples, s);
        else if (samples->targets != NULL)
            samples->targets[s] = ww_target_of_label(samples->labels[s], 1, 0);
    }
}

bool ww_replaces_targets(const ww_config *config)
{
    return !ww_config_has_classes(config) && (config->data.labels.kind != WW_LABELS_TRUE ||
                                              config->data.labels.random_fraction > 0.0);
}

/// What `draw` does, where there are no classes: a sample gets the targets of any other, or its
/// own, as they stand in `truth` [n, k].
static void draw_targets(const ww_config *config, int64_t outputs, ww_purpose purpose,
                         double fraction, const double *truth, ww_samples *samples)
{
    const int64_t count = samples->count;
    const ww_stream stream = {.seed = (uint64_t)config->seeds.data, .purpose = (uint32_t)purpose};
    for (int64_t s = 0; s < count; s++) {
        double numbers[2] = {0.0};
        ww_uniforms(stream, 2 * (uint64_t)s, 2, numbers);
        if (numbers[0] >= fraction)
            continue;
        const int64_t other = (int64_t)(numbers[1] * (double)count);
        const int64_t from = other < count ? other : count - 1; // the product may round up
        memcpy(samples->targets + s * outputs, truth + from * outputs,
               (size_t)outputs * sizeof *truth);
    }
}

static ww_status copy_targets(const ww_samples *samples, int64_t outputs, double **copy,
                              ww_error *error)
{
    const size_t values = (size_t)(samples->count * outputs);
    *copy = ww_allocate(values, sizeof **copy, "the true targets", error);
    if (*copy == NULL)
        return WW_FAILED;
    memcpy(*copy, samples->targets, values * sizeof **copy);
    return WW_OK;
}

static ww_status replace_targets(const ww_config *config, double fraction, ww_dataset *dataset,
                                 ww_error *error)
{
    const int64_t k = dataset->outputs;
    ww_samples *train = &dataset->train, *test = &dataset->test;
    if (!ww_replaces_targets(config))
        return WW_OK;
    WW_TRY(copy_targets(train, k, &train->true_targets, error));
    draw_targets(config, k, WW_DRAW_TRAIN_LABELS, fraction, train->true_targets, train);
    if (!config->data.labels.noisy_test || test->count == 0)
        return WW_OK;
    double *truth = NULL;
    WW_TRY(copy_targets(test, k, &truth, error));
    draw_targets(config, k, WW_DRAW_TEST_LABELS, fraction, truth, test);
    free(truth);
    return WW_OK;
}

ww_status ww_draw_labels(const ww_config *config, const ww_source_entry *source,
                         ww_dataset *dataset, ww_error *error)
{
    const bool random = config->data.labels.kind == WW_LABELS_RANDOM;
    const double fraction = random ? 1.0 : config->data.labels.random_fraction;
    if (!ww_config_has_classes(config))
        return replace_targets(config, fraction, dataset, error);
    draw(config, source, dataset, WW_DRAW_TRAIN_LABELS, fraction, &dataset->train);
    if (config->data.labels.noisy_test)
        draw(config, source, dataset, WW_DRAW_TEST_LABELS, fraction, &dataset->test);
    return WW_OK;
}

ww_status ww_targets_allocate(ww_samples *samples, int64_t outputs, ww_error *error)
{
    int64_t values = 0;
    WW_TRY(ww_multiply(samples->count, outputs, "the targets of the samples", &values, error));
    samples->targets = ww_allocate((size_t)values, sizeof *samples->targets, "the targets", error);
    return samples->targets != NULL ? WW_OK : WW_FAILED;
}

ww_status ww_make_targets(ww_dataset *dataset, ww_error *error)
{
    ww_samples *const parts[] = {&dataset->train, &dataset->test};
    const int64_t k = dataset->outputs;
    for (size_t p = 0; dataset->has_targets && p < sizeof parts / sizeof parts[0]; p++) {
        ww_samples *samples = parts[p];
        if (samples->targets != NULL)
            continue;
        WW_TRY(ww_targets_allocate(samples, k, error));
        ww_targets_of_labels(samples, k, samples->targets);
    }
    return WW_OK;
}
