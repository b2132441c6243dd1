#include "data/source.h"

#include "widthwise/memory.h"
#include "widthwise/random.h"

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

/// Number 2 s of the stream decides whether the label of sample s is drawn anew, number 2 s + 1 is
/// the new one. A label drawn anew is uniform over all classes, so some stay right.
static void draw(const ww_config *config, const ww_source_entry *source, const ww_dataset *dataset,
                 ww_purpose purpose, double fraction, ww_samples *samples)
{
    const int64_t classes = dataset->classes;
    const ww_stream stream = {.seed = (uint64_t)config->seeds.data, .purpose = (uint32_t)purpose};
    for (int64_t s = 0; s < samples->count; s++) {
        double numbers[2] = {0.0};
        ww_uniforms(stream, 2 * (uint64_t)s, 2, numbers);
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

void ww_draw_labels(const ww_config *config, const ww_source_entry *source, ww_dataset *dataset)
{
    const bool random = config->data.labels.kind == WW_LABELS_RANDOM;
    const double fraction = random ? 1.0 : config->data.labels.random_fraction;
    draw(config, source, dataset, WW_DRAW_TRAIN_LABELS, fraction, &dataset->train);
    if (config->data.labels.noisy_test)
        draw(config, source, dataset, WW_DRAW_TEST_LABELS, fraction, &dataset->test);
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
