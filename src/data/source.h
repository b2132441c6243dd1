/// What the sources of data share. Private to src/data.
///
/// A source runs on rank 0 alone. It gets a data set that is zero but for `sharers` and fills
/// dimension, classes, components, and both samples with raw inputs, *true* labels and components.
/// Normalisation, labels drawn anew, targets, checks and the copy to other ranks come after it and
/// are the same for all sources. Whatever it has allocated in the data set when it fails is freed
/// by the caller.
#ifndef WIDTHWISE_DATA_SOURCE_H
#define WIDTHWISE_DATA_SOURCE_H

#include "widthwise/data.h"

#include <stdbool.h>
#include <stddef.h>

///
/// Without `samples` it fills the shape alone: counts, and no arrays.
typedef ww_status (*ww_source_function)(const ww_config *config, bool samples, ww_dataset *dataset,
                                        ww_error *error);

/// One line of the table of sources (dataset.c).
typedef struct ww_source_entry {
    const char *description;
    ww_source_function load;
    /// Where labels follow from inputs: fills labels, components and (where the data set has them)
    /// targets of a train or test set whose inputs are as they will stay. NULL for other sources.
    ww_status (*values)(const ww_config *config, const ww_dataset *dataset, ww_samples *samples,
                        ww_error *error);
} ww_source_entry;

/// k classes of l Gaussians each (LL 3 and 7). mixture.c
ww_status ww_source_mixture(const ww_config *config, bool samples, ww_dataset *dataset,
                            ww_error *error);
/// Two classes of two discs each, not linearly separable (LL figure 3). xor_balls.c
ww_status ww_source_xor_balls(const ww_config *config, bool samples, ww_dataset *dataset,
                              ww_error *error);
/// One point a component, train = test (LL 5.1, assumption S). points.c
ww_status ww_source_points(const ww_config *config, bool samples, ww_dataset *dataset,
                           ww_error *error);
/// Images and labels in IDX files, plain or gzip. idx.c
ww_status ww_source_idx(const ww_config *config, bool samples, ww_dataset *dataset,
                        ww_error *error);
/// CIFAR-10 in its binary version, plain or gzip. cifar10.c
ww_status ww_source_cifar10(const ww_config *config, bool samples, ww_dataset *dataset,
                            ww_error *error);
/// Inputs and labels from datasets of an HDF5 file. hdf5.c
ww_status ww_source_hdf5(const ww_config *config, bool samples, ww_dataset *dataset,
                         ww_error *error);

/// Real functions of inputs with Gaussian directions (AR section 6). function.c
ww_status ww_source_real_function(const ww_config *config, bool samples, ww_dataset *dataset,
                                  ww_error *error);
ww_status ww_function_values(const ww_config *config, const ww_dataset *dataset,
                             ww_samples *samples, ww_error *error);

/// The centres of `count` components: N(0, separation^2/d I), into means [count, dimension]. The
/// same for every source that has such centres. mixture.c
void ww_draw_means(const ww_config *config, int64_t count, int64_t dimension, double separation,
                   double *means);

/// Draws some labels anew as data.labels has it; components keep the true class. Where samples
/// already have targets, those of a function, one drawn anew is +1 or -1. labels.c
void ww_draw_labels(const ww_config *config, ww_dataset *dataset);

/// Targets of classes by their labels, for a data set that is to have targets and has none yet.
/// labels.c
ww_status ww_make_targets(ww_dataset *dataset, ww_error *error);

/// Room for the targets of `samples`, zeroes. labels.c
ww_status ww_targets_allocate(ww_samples *samples, int64_t outputs, ww_error *error);

/// Brings inputs to the sphere or into the ball as data.normalize has it. normalize.c
ww_status ww_normalize_inputs(const ww_config *config, ww_dataset *dataset, ww_error *error);

/// Sets the numbers of samples of a shape. dataset.c
void ww_dataset_set_counts(ww_dataset *dataset, int64_t train, int64_t test);

/// Arrays for `count` samples of `dimension` inputs; `what` names them in messages. dataset.c
ww_status ww_samples_allocate(ww_samples *samples, int64_t count, int64_t dimension,
                              const char *what, ww_error *error);
void ww_samples_free(ww_samples *samples);

/// Copies the samples of one part (counts and arrays) into `copy`, which is empty. dataset.c
ww_status ww_samples_copy(const ww_samples *samples, int64_t dimension, const char *what,
                          ww_samples *copy, ww_error *error);

/// For sources that are drawn: the number of samples wanted, data.train or data.test. "all" and
/// anything below 1 is an error that says so. dataset.c
ww_status ww_drawn_count(const ww_config *config, const char *key, int64_t count, ww_error *error);

/// WW_USAGE with a sentence that begins with where `key` stands in the configuration. dataset.c
ww_status ww_data_fail(const ww_config *config, const char *key, ww_error *error,
                       const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
