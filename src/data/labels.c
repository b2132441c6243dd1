#include "data/source.h"

#include "widthwise/random.h"

/// Number 2 s of the stream decides whether the label of sample s is drawn anew, number 2 s + 1 is
/// the new one. A label drawn anew is uniform over all classes, so some stay right.
static void draw(const ww_config *config, ww_purpose purpose, double fraction, int64_t classes,
                 ww_samples *samples)
{
    const ww_stream stream = {.seed = (uint64_t)config->seeds.data, .purpose = (uint32_t)purpose};
    for (int64_t s = 0; s < samples->count; s++) {
        double numbers[2] = {0.0};
        ww_uniforms(stream, 2 * (uint64_t)s, 2, numbers);
        if (numbers[0] >= fraction)
            continue;
        const int64_t label = (int64_t)(numbers[1] * (double)classes);
        samples->labels[s] = label < classes ? label : classes - 1; // the product may round up
    }
}

void ww_draw_labels(const ww_config *config, ww_dataset *dataset)
{
    const bool random = config->data.labels.kind == WW_LABELS_RANDOM;
    const double fraction = random ? 1.0 : config->data.labels.random_fraction;
    draw(config, WW_DRAW_TRAIN_LABELS, fraction, dataset->classes, &dataset->train);
    if (config->data.labels.noisy_test)
        draw(config, WW_DRAW_TEST_LABELS, fraction, dataset->classes, &dataset->test);
}
