// What the keys of the data set require of each other.

#include "config/check.h"

#include "widthwise/memory.h"

#include <math.h>
#include <stdio.h>

// Number of samples in words.
static const char *count_in_words(int64_t count, char *buffer, size_t size)
{
    if (count == WW_ALL_SAMPLES)
        return "all";
    (void)snprintf(buffer, size, "%lld", (long long)count);
    return buffer;
}

static ww_status check_samples(const ww_config *config, const char *key, int64_t count,
                               ww_error *error)
{
    char words[32];
    const ww_source source = config->data.source;
    if (source == WW_SOURCE_POINTS) {
        const int64_t points = config->data.points.classes * config->data.points.components;
        if (count != points)
            return ww_config_refuse(config, key, error,
                                    "is %s, but source points has data.points.classes x "
                                    "data.points.components = %lld samples; leave the key out",
                                    count_in_words(count, words, sizeof words), (long long)points);
    }
    if (source == WW_SOURCE_ORTHONORMAL && count != config->data.orthonormal.dimension)
        return ww_config_refuse(
            config, key, error,
            "is %s, but source orthonormal has data.orthonormal.dimension = %lld "
            "samples; leave the key out",
            count_in_words(count, words, sizeof words),
            (long long)config->data.orthonormal.dimension);
    if (count == WW_ALL_SAMPLES && !ww_source_reads_files(source))
        return ww_config_refuse(config, key, error,
                                "is all, but source %s has no end; give a number of samples",
                                ww_source_name(source));
    return WW_OK;
}

static ww_status check_probabilities(const ww_config *config, ww_error *error)
{
    const ww_real_list *list = &config->data.mixture.probabilities;
    const char *key = "data.mixture.probabilities";
    int64_t wanted = 0;
    if (ww_multiply(config->data.mixture.classes, config->data.mixture.components,
                    "classes x components", &wanted, NULL) != WW_OK)
        return ww_config_refuse(
            config, "data.mixture.classes", error,
            "times data.mixture.components is more than 64 bits can count; choose fewer");
    if (list->count == 0)
        return WW_OK;
    if ((int64_t)list->count != wanted)
        return ww_config_refuse(config, key, error,
                                "has %zu entries, but there are data.mixture.classes x "
                                "data.mixture.components = %lld; give one for each component",
                                list->count, (long long)wanted);
    double sum = 0.0;
    for (size_t i = 0; i < list->count; i++)
        sum += list->values[i];
    if (fabs(sum - 1.0) > 1e-9)
        return ww_config_refuse(config, key, error,
                                "has the sum %.12g; probabilities must have the sum 1", sum);
    return WW_OK;
}

// Labels of images that are kept.
static ww_status check_classes(const ww_config *config, const char *key,
                               const ww_integer_list *list, ww_error *error)
{
    if (list->count == 1)
        return ww_config_refuse(config, key, error,
                                "has one class; name at least two, or none for all");
    for (size_t i = 0; i < list->count; i++)
        for (size_t j = 0; j < i; j++)
            if (list->values[i] == list->values[j])
                return ww_config_refuse(config, key, error, "has %lld twice; name every class once",
                                        (long long)list->values[i]);
    return WW_OK;
}

// Worst-case labels are real numbers, one a sample, that belong to one train set.
static ww_status check_worst_case(const ww_config *config, ww_error *error)
{
    static const char key[] = "data.labels.kind";
    if (!ww_config_has_targets(config))
        return ww_config_refuse(
            config, key, error,
            "is worst-case, whose labels are real numbers that cross entropy has no use "
            "for; set loss: squared, or other labels");
    if (config->replicas > 1)
        return ww_config_refuse(
            config, key, error,
            "is worst-case, which takes a Gram matrix for every run, and replicas is "
            "%lld; use a sweep over seeds, or other labels",
            (long long)config->replicas);
    if (config->data.labels.random_fraction != 0.0)
        return ww_config_refuse(
            config, "data.labels.random_fraction", error,
            "is %g, but data.labels.kind: worst-case replaces every label; leave one of "
            "them out",
            config->data.labels.random_fraction);
    return WW_OK;
}

static ww_status check_files(const ww_config *config, const char *key, const ww_word_list *list,
                             ww_error *error)
{
    return list->count > 0
               ? WW_OK
               : ww_config_refuse(config, key, error,
                                  "names no file; leave the key out for the usual ones");
}

static ww_status check_cifar10(const ww_config *config, ww_error *error)
{
    WW_TRY(
        check_files(config, "data.cifar10.train_files", &config->data.cifar10.train_files, error));
    WW_TRY(check_files(config, "data.cifar10.test_files", &config->data.cifar10.test_files, error));
    return check_classes(config, "data.cifar10.classes", &config->data.cifar10.classes, error);
}

static ww_status check_subset(const ww_config *config, ww_error *error)
{
    const int64_t candidates = config->data.subset.candidates;
    if (config->data.subset.kind == WW_SUBSET_NONE)
        return WW_OK;
    const ww_source source = config->data.source;
    if (source == WW_SOURCE_POINTS || source == WW_SOURCE_ORTHONORMAL)
        return ww_config_refuse(
            config, "data.subset.kind", error,
            "is separable, but source %s has exactly the samples that it has; leave one "
            "of them out",
            ww_source_name(source));
    if (source == WW_SOURCE_SPHERE)
        return ww_config_refuse(
            config, "data.subset.kind", error,
            "is separable, but targets of source sphere are drawn whatever the inputs, and their "
            "samples keep distances; leave one of them out");
    if (!ww_config_has_classes(config))
        return ww_config_refuse(
            config, "data.subset.kind", error,
            "is separable, which is of two classes, but the samples have real targets "
            "(data.hdf5.kind: targets); leave one of them out");
    if (config->data.train == WW_ALL_SAMPLES || config->data.test == WW_ALL_SAMPLES)
        return ww_config_refuse(
            config, config->data.train == WW_ALL_SAMPLES ? "data.train" : "data.test", error,
            "is all, but of a separable subset there are as many as are asked for, first "
            "for training and then for the test; give a number");
    if (candidates == WW_ALL_SAMPLES && !ww_source_reads_files(source))
        return ww_config_refuse(config, "data.subset.candidates", error,
                                "is all, but source %s has no end; give a number of samples",
                                ww_source_name(source));
    if (candidates != WW_ALL_SAMPLES && candidates - config->data.train < config->data.test)
        return ww_config_refuse(
            config, "data.subset.candidates", error,
            "is %lld, fewer than the %lld samples of data.train and the %lld of "
            "data.test; raise it",
            (long long)candidates, (long long)config->data.train, (long long)config->data.test);
    return WW_OK;
}

static ww_status check_sphere(const ww_config *config, ww_error *error)
{
    const int64_t free_coordinates =
        config->data.sphere.dimension - (config->data.last_coordinate > 0.0 ? 1 : 0);
    if (free_coordinates < 2)
        return ww_config_refuse(
            config, "data.sphere.dimension", error,
            "is %lld, which with a last coordinate of %g (data.last_coordinate) leaves a sphere of "
            "two points; choose at least 3",
            (long long)config->data.sphere.dimension, config->data.last_coordinate);
    if (config->data.sphere.arcs > 0 && config->data.sphere.separation == 0.0)
        return ww_config_refuse(
            config, "data.sphere.arcs", error,
            "is %lld, but data.sphere.separation is 0, so that all samples of an arc would be the "
            "same; give a separation",
            (long long)config->data.sphere.arcs);
    if (config->data.sphere.arcs > config->data.train)
        return ww_config_refuse(config, "data.sphere.arcs", error,
                                "is %lld, more than the %lld samples of data.train; choose fewer",
                                (long long)config->data.sphere.arcs, (long long)config->data.train);
    return WW_OK;
}

// Inputs with a last coordinate are shortened so that their norm is 1 again.
static ww_status check_last_coordinate(const ww_config *config, ww_error *error)
{
    if (config->data.last_coordinate == 0.0 || config->data.source == WW_SOURCE_SPHERE ||
        config->data.normalize == WW_NORMALIZE_SPHERE)
        return WW_OK;
    return ww_config_refuse(
        config, "data.last_coordinate", error,
        "is %g, which is of inputs on the unit sphere; set data.normalize: sphere, or "
        "data.last_coordinate: 0",
        config->data.last_coordinate);
}

ww_status ww_config_check_data(const ww_config *config, ww_error *error)
{
    WW_TRY(check_samples(config, "data.train", config->data.train, error));
    WW_TRY(check_samples(config, "data.test", config->data.test, error));
    if (config->data.source == WW_SOURCE_MIXTURE) {
        WW_TRY(check_probabilities(config, error));
        if (config->data.mixture.spread == 0.0 && config->data.mixture.separation == 0.0)
            return ww_config_refuse(
                config, "data.mixture.spread", error,
                "and data.mixture.separation are both 0, so that every input would be 0; "
                "raise one");
    }
    if (config->data.source == WW_SOURCE_SPHERE)
        WW_TRY(check_sphere(config, error));
    WW_TRY(check_last_coordinate(config, error));
    if (config->data.source == WW_SOURCE_IDX)
        WW_TRY(check_classes(config, "data.idx.classes", &config->data.idx.classes, error));
    if (config->data.source == WW_SOURCE_CIFAR10)
        WW_TRY(check_cifar10(config, error));
    if (config->data.source == WW_SOURCE_FUNCTION &&
        config->data.function.kind == WW_FUNCTION_QUADRATIC &&
        config->data.function.terms > config->data.function.dimension)
        return ww_config_refuse(
            config, "data.function.terms", error,
            "is %lld, but only data.function.dimension = %lld directions are orthogonal; "
            "choose fewer terms",
            (long long)config->data.function.terms, (long long)config->data.function.dimension);
    if (config->data.labels.kind == WW_LABELS_RANDOM && config->data.labels.random_fraction != 1.0)
        return ww_config_refuse(
            config, "data.labels.random_fraction", error,
            "is %g, but data.labels.kind: random draws every label anew; leave one of "
            "them out",
            config->data.labels.random_fraction);
    if (config->data.labels.kind == WW_LABELS_WORST_CASE)
        WW_TRY(check_worst_case(config, error));
    return check_subset(config, error);
}
