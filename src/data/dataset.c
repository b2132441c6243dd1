#include "data/ascent.h"
#include "data/source.h"

#include "widthwise/memory.h"
#include "widthwise/norm.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WHERE_SIZE = 4096 };

/// All sources; their names are those of the configuration. A new one is a file with its function,
/// and a line here.
static const ww_source_entry sources[] = {
    [WW_SOURCE_MIXTURE] =
        {.description = "k classes of l Gaussians with random means; train and test share the "
                        "means (Li & Liang, sections 3 and 7).",
         .load = ww_source_mixture,
         .make = ww_mixture_samples},
    [WW_SOURCE_XOR_BALLS] = {.description =
                                 "Two classes of two discs each, placed like exclusive or: not "
                                 "linearly separable (Li & Liang, figure 3).",
                             .load = ww_source_xor_balls,
                             .make = ww_xor_balls_samples},
    [WW_SOURCE_POINTS] =
        {.description = "One random point a component, k l in all; the test set is the train set "
                        "(Li & Liang, section 5.1, assumption S).",
         .load = ww_source_points,
         .make = ww_points_samples},
    [WW_SOURCE_IDX] = {.description =
                           "Images and labels in IDX files, the format of MNIST and Fashion-MNIST, "
                           "plain or gzip, all classes or a choice.",
                       .load = ww_source_idx},
    [WW_SOURCE_CIFAR10] =
        {.description = "Images and labels of CIFAR-10 in its binary version (data_batch_1.bin "
                        "and so on), plain or gzip, all classes or a choice.",
         .load = ww_source_cifar10},
    [WW_SOURCE_HDF5] =
        {.description =
             "Inputs [n, ...], and labels [n] or real targets [n] or [n, k], of any numeric "
             "type, each a dataset of one HDF5 file.",
         .load = ww_source_hdf5,
         .make = ww_hdf5_samples,
         .reads = true},
    [WW_SOURCE_FUNCTION] =
        {.description = "Inputs with Gaussian directions and real y = g(x): linear, quadratic, "
                        "power, cosine, arctan, and sums of such terms (Arora et al., section "
                        "6).",
         .load = ww_source_real_function,
         .make = ww_function_samples,
         .values = ww_function_values},
    [WW_SOURCE_SEPARABLE] =
        {.description = "Two classes in the unit ball on either side of a hidden hyperplane, "
                        "with a chosen margin (Brutzkus et al., section 2).",
         .load = ww_source_separable,
         .make = ww_separable_samples},
    [WW_SOURCE_ORTHONORMAL] =
        {.description = "The unit vectors e_1 to e_d, all of one class; the test set is the "
                        "train set (Brutzkus et al., sections 7.2 and 9.1.4).",
         .load = ww_source_orthonormal},
    [WW_SOURCE_SPHERE] =
        {.description = "Points of the unit sphere, anywhere or side by side on arcs, with a "
                        "chosen separation, and targets that are drawn (Zou & Gu, section 3).",
         .load = ww_source_sphere,
         .values = ww_sphere_values,
         .redraw = ww_sphere_redraw},
};

enum { SOURCE_COUNT = sizeof sources / sizeof sources[0] };

ww_status ww_data_fail(const ww_config *config, const char *key, ww_error *error,
                       const char *format, ...)
{
    char where[WHERE_SIZE];
    char sentence[WW_MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    ww_config_where(config, key, where, sizeof where);
    return ww_fail(error, WW_USAGE, "%s: %s", where, sentence);
}

ww_status ww_drawn_count(const ww_config *config, const char *key, int64_t count, ww_error *error)
{
    if (count == WW_ALL_SAMPLES)
        return ww_data_fail(
            config, key, error,
            "source %s is drawn and has no end, so \"all\" is no number of samples; "
            "give one",
            ww_source_name(config->data.source));
    if (count < 1)
        return ww_data_fail(config, key, error, "is %lld; at least one sample is needed",
                            (long long)count);
    return WW_OK;
}

ww_status ww_labels_allocate(ww_samples *samples, const char *what, ww_error *error)
{
    const size_t count = (size_t)samples->count;
    samples->labels = ww_allocate(count, sizeof *samples->labels, what, error);
    if (samples->labels == NULL)
        return WW_FAILED;
    samples->components = ww_allocate(count, sizeof *samples->components, what, error);
    return samples->components == NULL ? WW_FAILED : WW_OK;
}

ww_status ww_samples_allocate(ww_samples *samples, int64_t count, int64_t dimension,
                              const char *what, ww_error *error)
{
    int64_t values = 0, bytes = 0;
    WW_TRY(ww_multiply(count, dimension + samples->spare, what, &values, error));
    WW_TRY(ww_multiply(values, (int64_t)sizeof(double), what, &bytes, error));
    samples->count = count;
    WW_TRY(ww_shared_allocate(samples->sharers, (size_t)values, sizeof *samples->inputs, what,
                              &samples->shared, error));
    samples->inputs = samples->shared.memory;
    return ww_labels_allocate(samples, what, error);
}

void ww_dataset_set_counts(ww_dataset *dataset, int64_t train, int64_t test)
{
    dataset->train.count = train;
    dataset->test.count = test;
}

void ww_samples_free(ww_samples *samples)
{
    if (samples->shared.memory != NULL)
        ww_shared_free(&samples->shared);
    else
        free(samples->inputs);
    free(samples->labels);
    free(samples->components);
    free(samples->targets);
    free(samples->true_targets);
    *samples = (ww_samples){0};
}

ww_status ww_samples_copy(const ww_samples *samples, int64_t dimension, const char *what,
                          ww_samples *copy, ww_error *error)
{
    WW_TRY(ww_samples_allocate(copy, samples->count, dimension, what, error));
    const size_t count = (size_t)samples->count;
    memcpy(copy->inputs, samples->inputs, count * (size_t)dimension * sizeof *copy->inputs);
    memcpy(copy->labels, samples->labels, count * sizeof *copy->labels);
    memcpy(copy->components, samples->components, count * sizeof *copy->components);
    return WW_OK;
}

void ww_dataset_free(ww_dataset *dataset)
{
    ww_samples_free(&dataset->train);
    ww_samples_free(&dataset->test);
    ww_separator_free(&dataset->separator);
    *dataset = (ww_dataset){0};
}

/// What a source has to keep to, whatever the user's data are like.
static void check_source(const ww_dataset *dataset)
{
    const ww_samples *const parts[] = {&dataset->train, &dataset->test};
    WW_ASSERT(dataset->dimension >= 1 && dataset->components >= 1);
    for (size_t p = 0; p < sizeof parts / sizeof parts[0]; p++) {
        for (int64_t s = 0; s < parts[p]->count; s++) {
            WW_ASSERT(parts[p]->labels[s] >= 0 && parts[p]->labels[s] < dataset->classes);
            WW_ASSERT(parts[p]->components[s] / dataset->components == parts[p]->labels[s]);
        }
    }
}

/// An error that names the first value that is not finite. `stage` says what was done before.
static ww_status check_finite(const ww_config *config, const ww_dataset *dataset, const char *stage,
                              ww_error *error)
{
    const ww_samples *const parts[] = {&dataset->train, &dataset->test};
    const bool hdf5 = config->data.source == WW_SOURCE_HDF5;
    for (size_t p = 0; p < sizeof parts / sizeof parts[0]; p++) {
        const int64_t values = parts[p]->count * dataset->dimension;
        int64_t bad = 0;
        while (bad < values && isfinite(parts[p]->inputs[bad]))
            bad++;
        if (bad == values)
            continue;
        const int64_t sample = parts[p]->first + bad / dataset->dimension;
        const char *const keys[] = {"data.hdf5.train_inputs", "data.hdf5.test_inputs"};
        const char *const names[] = {config->data.hdf5.train_inputs, config->data.hdf5.test_inputs};
        return ww_data_fail(config, hdf5 ? keys[p] : "data.source", error,
                            "coordinate %lld of sample %lld (both counted from 0) of the %s set is "
                            "%g%s%s%s%s%s; every input must be finite, so mend the data",
                            (long long)(bad % dataset->dimension), (long long)sample,
                            p == 0 ? "train" : "test", parts[p]->inputs[bad], stage,
                            hdf5 ? " in dataset '" : "", hdf5 ? names[p] : "", hdf5 ? "' of " : "",
                            hdf5 ? config->data.hdf5.file : "");
    }
    return WW_OK;
}

static ww_status check_sizes(const ww_config *config, const ww_dataset *dataset, ww_error *error)
{
    if (dataset->classes < 2 && ww_config_has_classes(config))
        return ww_data_fail(config, "data.source", error,
                            "the data have %lld class; training needs at least two to tell apart, "
                            "so choose more classes or other data",
                            (long long)dataset->classes);
    if (config->data.labels.kind == WW_LABELS_WORST_CASE && dataset->outputs != 1 &&
        !ww_config_has_classes(config))
        return ww_data_fail(config, "data.labels.kind", error,
                            "is worst-case, which is one number a sample, but dataset '%s' of '%s' "
                            "has %lld targets a sample; choose other labels, or targets with one",
                            config->data.hdf5.train_targets, config->data.hdf5.file,
                            (long long)dataset->outputs);
    if (config->data.labels.kind == WW_LABELS_WORST_CASE && dataset->outputs != 1)
        return ww_data_fail(config, "data.labels.kind", error,
                            "is worst-case, which is one number a sample, but the data have %lld "
                            "classes and a network for them %lld outputs; choose %s or other "
                            "labels",
                            (long long)dataset->classes, (long long)dataset->outputs,
                            config->data.source == WW_SOURCE_SPHERE ? "data.sphere.outputs: 1"
                                                                    : "two classes");
    if (config->loss == WW_LOSS_HINGE && dataset->classes != 2)
        return ww_data_fail(config, "loss", error,
                            "is hinge, which is of two classes, but the data have %lld; choose two "
                            "of them, or another loss",
                            (long long)dataset->classes);
    if (config->training.method == WW_METHOD_SGD && config->training.batch > dataset->train.count)
        return ww_data_fail(config, "training.batch", error,
                            "a batch of %lld is more than the %lld samples of the train set; make "
                            "it smaller, or data.train larger",
                            (long long)config->training.batch, (long long)dataset->train.count);
    return WW_OK;
}

ww_parallel ww_alone(void)
{
    return (ww_parallel){.communicator = MPI_COMM_NULL, .size = 1};
}

static uint64_t hash_of(const ww_dataset *dataset)
{
    const ww_sample_parts all = {.train = {.count = dataset->train.count},
                                 .test = {.count = dataset->test.count}};
    return ww_dataset_hash_part(dataset, &all, true);
}

/// The source alone, and what the network will make of its classes.
static ww_status load_source(const ww_config *config, bool samples, ww_dataset *dataset,
                             ww_error *error)
{
    WW_ASSERT((size_t)config->data.source < SOURCE_COUNT);
    const ww_config source = ww_subset_source(config);
    WW_TRY(sources[config->data.source].load(&source, samples, dataset, error));
    if (ww_config_has_classes(config)) // else the source has said how many targets there are
        dataset->outputs = ww_config_outputs(config, dataset->classes);
    dataset->has_targets = ww_config_has_targets(config);
    dataset->keeps_truth = ww_replaces_targets(config);
    dataset->separator.sought = config->loss == WW_LOSS_HINGE;
    WW_ASSERT(dataset->train.count >= 1 && dataset->test.count >= 1);
    if (!samples)
        dataset->dimension += ww_last_coordinate_columns(config);
    if (ww_is_subset(config))
        WW_TRY(ww_subset_check(config, dataset, error));
    return check_sizes(config, dataset, error);
}

/// Labels, and targets where there are any, of a source whose labels follow from inputs.
static ww_status fill_values(const ww_config *config, ww_dataset *dataset, ww_error *error)
{
    const ww_source_entry *source = &sources[config->data.source];
    ww_samples *const parts[] = {&dataset->train, &dataset->test};
    if (source->values == NULL)
        return WW_OK;
    for (size_t p = 0; dataset->has_targets && p < sizeof parts / sizeof parts[0]; p++)
        if (parts[p]->targets == NULL)
            WW_TRY(ww_targets_allocate(parts[p], dataset->outputs, error));
    WW_TRY(source->values(config, dataset, &dataset->train, error));
    return source->values(config, dataset, &dataset->test, error);
}

/// Puts the subset in place of its candidates. What is chosen may lie deeper in the ball than all
/// candidates did, and values change with the scale.
static ww_status choose_subset(const ww_config *config, int sharers, ww_dataset *dataset,
                               ww_error *error)
{
    const ww_parallel alone = ww_alone();
    WW_TRY(ww_subset_choose(config, sharers, dataset, error));
    if (config->data.normalize == WW_NORMALIZE_BALL)
        WW_TRY(ww_normalize_inputs(config, &alone, dataset, error));
    return fill_values(config, dataset, error);
}

ww_status ww_dataset_refine(const ww_config *config, const ww_parallel *group, ww_dataset *dataset,
                            ww_error *error)
{
    check_source(dataset);
    WW_TRY(ww_agree(group, check_finite(config, dataset, "", error), error));
    WW_TRY(ww_normalize_inputs(config, group, dataset, error));
    ww_status status = check_finite(config, dataset, " after data.normalize", error);
    if (status == WW_OK) {
        ww_append_last_coordinate(config, dataset);
        status = fill_values(config, dataset, error);
    }
    return ww_agree(group, status, error);
}

/// Both samples of a source that would make them anywhere, on this rank alone.
static ww_status make_alone(const ww_config *config, const ww_source_entry *source,
                            ww_dataset *dataset, ww_error *error)
{
    const int64_t d = dataset->dimension;
    WW_TRY(ww_samples_allocate(&dataset->train, dataset->train.count, d, "the train set", error));
    WW_TRY(ww_samples_allocate(&dataset->test, dataset->test.count, d, "the test set", error));
    return source->make(config, dataset, error);
}

/// All that rank 0 does alone: source, normalisation, last coordinate, subset, labels, targets,
/// checks, hash.
static ww_status prepare(const ww_config *config, int sharers, ww_dataset *dataset, ww_error *error)
{
    const ww_source_entry *source = &sources[config->data.source];
    const ww_parallel alone = ww_alone();
    // Nobody shares candidates.
    dataset->train.sharers = dataset->test.sharers = ww_is_subset(config) ? 0 : sharers;
    dataset->train.spare = dataset->test.spare = ww_last_coordinate_columns(config);
    WW_TRY(load_source(config, true, dataset, error));
    if (source->make != NULL && !source->reads)
        WW_TRY(make_alone(config, source, dataset, error));
    WW_TRY(ww_dataset_refine(config, &alone, dataset, error));
    if (ww_is_subset(config))
        WW_TRY(choose_subset(config, sharers, dataset, error));
    WW_TRY(ww_draw_labels(config, source, dataset, error));
    WW_TRY(ww_make_targets(dataset, error));
    dataset->hash = hash_of(dataset);
    return WW_OK;
}

/// The data set of a source that runs on one rank: rank 0 makes it, and gives it to all.
static ww_status load_once(const ww_config *config, const ww_parallel *parallel,
                           const ww_nodes *nodes, ww_dataset *dataset, ww_error *error)
{
    const ww_status status =
        parallel->rank == 0 ? prepare(config, nodes->node.size, dataset, error) : WW_OK;
    WW_TRY(ww_agree(parallel, status, error));
    return parallel->size > 1 ? ww_dataset_share(parallel, nodes, dataset, error) : WW_OK;
}

/// The separating hyperplane of the train set, where one is to be sought: by rank 0 alone.
static ww_status find_separator(const ww_parallel *parallel, ww_dataset *dataset, ww_error *error)
{
    ww_status status = WW_OK;
    if (!dataset->separator.sought)
        return WW_OK;
    if (parallel->rank == 0)
        status = ww_separator_find(&dataset->train, dataset->dimension, &dataset->separator, error);
    WW_TRY(ww_agree(parallel, status, error));
    return ww_separator_share(parallel, dataset, error);
}

bool ww_dataset_divides(const ww_config *config)
{
    const ww_source_entry *source = &sources[config->data.source];
    return source->make != NULL && !ww_is_subset(config) &&
           config->loss != WW_LOSS_HINGE && // whose separator is sought with all samples
           !ww_replaces_targets(config);    // by those of any other sample
}

static ww_status load(const ww_config *config, const ww_parallel *parallel, const ww_nodes *nodes,
                      const ww_sample_parts *wanted, ww_dataset *dataset, ww_error *error)
{
    const ww_source_entry *source = &sources[config->data.source];
    if (source->make == NULL || ww_is_subset(config) || (source->reads && wanted == NULL)) {
        WW_TRY(load_once(config, parallel, nodes, dataset, error));
    } else {
        WW_TRY(ww_dataset_describe(config, parallel, dataset, error));
        WW_TRY(ww_dataset_make(config, source, parallel, nodes, wanted, dataset, error));
    }
    return find_separator(parallel, dataset, error);
}

/// Fills `other`, which has the inputs of a train set, with labels of another kind and the targets
/// of these.
static ww_status relabel(const ww_config *config, const ww_samples *train, ww_dataset *other,
                         ww_error *error)
{
    const ww_source_entry *source = &sources[config->data.source];
    ww_samples *samples = &other->train;
    WW_TRY(ww_labels_allocate(samples, "other labels", error));
    if (source->values != NULL) {
        WW_TRY(ww_targets_allocate(samples, other->outputs, error));
        WW_TRY(source->values(config, other, samples, error));
    }
    for (int64_t s = 0; source->values == NULL && s < samples->count; s++) {
        samples->components[s] = train->components[s];
        samples->labels[s] = train->components[s] / other->components;
    }
    if (!ww_config_has_classes(config)) {
        const double *truth = train->true_targets != NULL ? train->true_targets : train->targets;
        WW_TRY(ww_targets_allocate(samples, other->outputs, error));
        memcpy(samples->targets, truth,
               (size_t)(samples->count * other->outputs) * sizeof *samples->targets);
    }
    WW_TRY(ww_draw_labels(config, source, other, error));
    return ww_make_targets(other, error);
}

ww_status ww_dataset_other_targets(const ww_config *config, const ww_dataset *dataset,
                                   ww_labels kind, const ww_parallel *parallel, double *targets,
                                   ww_error *error)
{
    ww_config labelled = *config;
    labelled.data.labels.kind = kind;
    labelled.data.labels.random_fraction = kind == WW_LABELS_RANDOM ? 1.0 : 0.0;
    labelled.data.labels.noisy_test = false;
    ww_dataset other = *dataset;
    other.has_targets = true;
    other.outputs = ww_dataset_target_columns(dataset);
    other.train = (ww_samples){.count = dataset->train.count, .inputs = dataset->train.inputs};
    other.test = (ww_samples){.count = 0};
    const size_t bytes = (size_t)(other.train.count * other.outputs) * sizeof *targets;
    ww_status status = WW_OK;
    if (parallel->rank == 0)
        status = relabel(&labelled, &dataset->train, &other, error);
    if (parallel->rank == 0 && status == WW_OK)
        memcpy(targets, other.train.targets, bytes);
    other.train.inputs = NULL; // borrowed
    ww_samples_free(&other.train);
    ww_samples_free(&other.test);
    WW_TRY(ww_agree(parallel, status, error));
    return ww_broadcast(parallel, targets, bytes, 0, error);
}

static ww_status load_on_nodes(const ww_config *config, const ww_parallel *parallel,
                               const ww_sample_parts *wanted, ww_dataset *dataset, ww_error *error)
{
    ww_nodes nodes;
    *dataset = (ww_dataset){0};
    ww_status status = ww_nodes_create(parallel, &nodes, error);
    if (status == WW_OK)
        status = load(config, parallel, &nodes, wanted, dataset, error);
    ww_nodes_destroy(&nodes);
    if (status != WW_OK)
        ww_dataset_free(dataset);
    return status;
}

ww_status ww_dataset_load(const ww_config *config, const ww_parallel *parallel, ww_dataset *dataset,
                          ww_error *error)
{
    return load_on_nodes(config, parallel, NULL, dataset, error);
}

ww_status ww_dataset_load_parts(const ww_config *config, const ww_parallel *parallel,
                                const ww_sample_parts *wanted, ww_dataset *dataset, ww_error *error)
{
    WW_ASSERT(ww_dataset_divides(config));
    return load_on_nodes(config, parallel, wanted, dataset, error);
}

double ww_dataset_largest_norm(const ww_dataset *dataset)
{
    return dataset->is_divided
               ? dataset->largest_norm
               : ww_largest_norm(dataset->train.inputs, dataset->train.count, dataset->dimension);
}

ww_status ww_dataset_describe(const ww_config *config, const ww_parallel *parallel,
                              ww_dataset *dataset, ww_error *error)
{
    *dataset = (ww_dataset){0};
    ww_status status = WW_OK;
    if (parallel->rank == 0)
        status = load_source(config, false, dataset, error);
    if (ww_is_subset(config))
        ww_dataset_set_counts(dataset, config->data.train, config->data.test);
    WW_TRY(ww_agree(parallel, status, error));
    return ww_dataset_share_shape(parallel, dataset, error);
}

void ww_dataset_set_train_targets(ww_dataset *dataset, const double *targets)
{
    WW_ASSERT(dataset->has_targets);
    memcpy(dataset->train.targets, targets,
           (size_t)(dataset->train.count * dataset->outputs) * sizeof *targets);
    dataset->hash = hash_of(dataset);
}

void ww_data_print_sources(FILE *stream)
{
    for (size_t i = 0; i < SOURCE_COUNT; i++)
        fprintf(stream, "%-12s %s\n", ww_source_name((ww_source)i), sources[i].description);
}
