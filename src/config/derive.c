// Values that follow from other keys.

#include "config/check.h"

#include "widthwise/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLACE = 1024, SENTENCE = 2048, USUAL_SAMPLES = 1000, USUAL_STEPS = 400, USUAL_EVERY = 10 };

ww_status ww_config_refuse(const ww_config *config, const char *key, ww_error *error,
                           const char *format, ...)
{
    char place[PLACE], sentence[SENTENCE];
    ww_config_where(config, key, place, sizeof place);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    return ww_fail(error, WW_USAGE, "%s %s", place, sentence);
}

bool ww_is_given(const ww_given *given, const char *key)
{
    const size_t index = ww_key_find(key);
    WW_ASSERT(index < ww_key_count());
    return given[index].node != NULL;
}

// Sources that lie in the unit ball or on the sphere, and are where they are meant to be.
static bool is_placed(ww_source source)
{
    return source == WW_SOURCE_XOR_BALLS || source == WW_SOURCE_SEPARABLE ||
           source == WW_SOURCE_ORTHONORMAL || source == WW_SOURCE_SPHERE;
}

bool ww_source_reads_files(ww_source source)
{
    return source == WW_SOURCE_IDX || source == WW_SOURCE_CIFAR10 || source == WW_SOURCE_HDF5;
}

static ww_normalize usual_normalize(const ww_config *config)
{
    if (is_placed(config->data.source))
        return WW_NORMALIZE_NONE;
    return config->model == WW_MODEL_BRUTZKUS ? WW_NORMALIZE_BALL : WW_NORMALIZE_SPHERE;
}

static double usual_last_coordinate(const ww_config *config)
{
    static const double USUAL = 0.3;
    const bool is_on_sphere =
        config->data.source == WW_SOURCE_SPHERE || config->data.normalize == WW_NORMALIZE_SPHERE;
    return config->model == WW_MODEL_ZOU_GU && is_on_sphere ? USUAL : 0.0;
}

static int64_t usual_candidates(const ww_config *config)
{
    int64_t samples = 0;
    if (ww_source_reads_files(config->data.source) ||
        __builtin_add_overflow(config->data.train, config->data.test, &samples) ||
        __builtin_mul_overflow(samples, 2, &samples))
        return WW_ALL_SAMPLES;
    return samples;
}

// Whether all output weights have the same magnitude, at all times.
bool ww_config_has_one_magnitude(const ww_config *config)
{
    return config->network.output.kind != WW_OUTPUT_GAUSSIAN &&
           config->network.start != WW_START_FILE && !config->network.train_output;
}

// Steps of an epoch.
static int64_t epoch_steps(const ww_config *config)
{
    if (config->training.method == WW_METHOD_GD)
        return 1;
    return config->data.train / config->training.batch; // 0: too large a batch, refused later
}

// Which of the two counts: of epochs and steps that are both given one by a setting replaces one of
// the file.
static bool counts_epochs(const ww_config *config, const ww_given *epochs, const ww_given *steps)
{
    if (config->training.epochs == 0)
        return false;
    return steps->node == NULL || (epochs->node != NULL &&
                                   (epochs->place.setting != NULL || steps->place.setting == NULL));
}

// How many samples there are is known once files are read, and a configuration is resolved before.
static ww_status refuse_all_samples(const ww_config *config, bool is_given, ww_error *error)
{
    return ww_config_refuse(
        config, is_given ? "training.epochs" : "data.train", error,
        "%s, and the steps of %lld epochs%s follow from the number of train samples, which is not "
        "known before the files are read; set data.train to that number (`widthwise plan` with "
        "--set training.steps=1 tells it), or set training.steps",
        is_given ? "counts epochs of data.train: all" : "is all",
        (long long)config->training.epochs, is_given ? "" : " (training.epochs, of the model)");
}

// Steps, and measure.every, follow from epochs.
static ww_status derive_steps(ww_config *config, const ww_given *given, ww_error *error)
{
    static const char key[] = "training.epochs";
    const ww_given *epochs = &given[ww_key_find(key)];
    const ww_given *steps = &given[ww_key_find("training.steps")];
    int64_t every = USUAL_EVERY;
    if (counts_epochs(config, epochs, steps)) {
        if (config->data.train == WW_ALL_SAMPLES && config->training.method == WW_METHOD_SGD)
            return refuse_all_samples(config, epochs->node != NULL, error);
        int64_t wanted = 0;
        every = epoch_steps(config);
        if (__builtin_mul_overflow(config->training.epochs, every, &wanted))
            return ww_config_refuse(
                config, key, error,
                "times the batches of an epoch is more than 64 bits can count; choose "
                "fewer");
        const bool same_layer = epochs->node != NULL &&
                                (steps->place.setting == NULL) == (epochs->place.setting == NULL);
        if (steps->node != NULL && same_layer && config->training.steps != wanted)
            return ww_config_refuse(
                config, key, error,
                "is %lld, which makes %lld steps, but training.steps is %lld; leave one "
                "of them out",
                (long long)config->training.epochs, (long long)wanted,
                (long long)config->training.steps);
        config->training.steps = wanted;
    } else {
        config->training.epochs = 0;
        if (steps->node == NULL)
            config->training.steps = USUAL_STEPS;
    }
    if (!ww_is_given(given, "measure.every"))
        config->measure.every = every > 0 ? every : 1;
    return WW_OK;
}

static bool gives_targets(const ww_given *given)
{
    return ww_is_given(given, "data.hdf5.train_targets") ||
           ww_is_given(given, "data.hdf5.test_targets");
}

void ww_config_derive_choices(ww_config *config, const ww_given *given)
{
    config->data.hdf5.kind = gives_targets(given) ? WW_HDF5_TARGETS : WW_HDF5_LABELS;
}

// Datasets of both kinds, and nothing that says which is meant.
static ww_status refuse_both_kinds(const ww_config *config, const ww_given *given, ww_error *error)
{
    const bool labels =
        ww_is_given(given, "data.hdf5.train_labels") || ww_is_given(given, "data.hdf5.test_labels");
    if (config->data.source != WW_SOURCE_HDF5 || !labels || !gives_targets(given) ||
        ww_is_given(given, "data.hdf5.kind"))
        return WW_OK;
    const bool by_train = ww_is_given(given, "data.hdf5.train_targets");
    return ww_config_refuse(
        config, by_train ? "data.hdf5.train_targets" : "data.hdf5.test_targets", error,
        "is given, and %s too, but samples have either real targets or the labels of classes; "
        "leave one of them out",
        ww_is_given(given, "data.hdf5.train_labels") ? "data.hdf5.train_labels"
                                                     : "data.hdf5.test_labels");
}

// The preset's quantities for data without classes: test_loss stands for test_accuracy, and loss is
// there already.
static ww_status leave_out_accuracies(ww_word_list *list, ww_error *error)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        char *word = list->words[i];
        if (strcmp(word, "test_accuracy") == 0) {
            free(word);
            word = ww_copy_text("test_loss", error);
        } else if (strcmp(word, "train_accuracy") == 0) {
            free(word);
            continue;
        }
        list->words[kept++] = word;
    }
    bool has_room = true;
    for (size_t i = 0; i < kept; i++)
        has_room = has_room && list->words[i] != NULL;
    list->count = kept;
    return has_room ? WW_OK : WW_FAILED;
}

ww_status ww_config_derive(ww_config *config, const ww_given *given, ww_error *error)
{
    WW_TRY(refuse_both_kinds(config, given, error));
    if (!ww_config_has_classes(config) && !ww_is_given(given, "measure.quantities"))
        WW_TRY(leave_out_accuracies(&config->measure.quantities, error));
    if (!ww_is_given(given, "seeds.data"))
        config->seeds.data = config->seed;
    if (!ww_is_given(given, "seeds.weights"))
        config->seeds.weights = config->seed;
    if (!ww_is_given(given, "seeds.batches"))
        config->seeds.batches = config->seed;
    int64_t samples = USUAL_SAMPLES;
    if (config->data.source == WW_SOURCE_ORTHONORMAL)
        samples = config->data.orthonormal.dimension;
    if (config->data.source == WW_SOURCE_POINTS &&
        ww_multiply(config->data.points.classes, config->data.points.components,
                    "classes x components", &samples, NULL) != WW_OK)
        return ww_config_refuse(
            config, "data.points.classes", error,
            "times data.points.components is more than 64 bits can count; choose fewer");
    if (!ww_is_given(given, "data.train"))
        config->data.train = samples;
    if (!ww_is_given(given, "data.test"))
        config->data.test = samples;
    if (!ww_is_given(given, "data.normalize"))
        config->data.normalize = usual_normalize(config);
    if (!ww_is_given(given, "data.last_coordinate"))
        config->data.last_coordinate = usual_last_coordinate(config);
    if (!ww_is_given(given, "data.subset.candidates"))
        config->data.subset.candidates = usual_candidates(config);
    WW_TRY(derive_steps(config, given, error));
    if (!ww_is_given(given, "gram.depth"))
        config->gram.depth = config->network.depth;
    if (!ww_is_given(given, "gram.network"))
        config->gram.network = ww_config_has_one_magnitude(config) && config->network.depth == 1;
    if (!ww_is_given(given, "data.labels.random_fraction"))
        config->data.labels.random_fraction =
            config->data.labels.kind == WW_LABELS_RANDOM ? 1.0 : 0.0;
    return WW_OK;
}
