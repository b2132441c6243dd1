/// What the sources of data share. Private to src/data.
///
/// A source runs on rank 0 alone. It gets a data set that is zero but for `sharers` and fills
/// dimension, classes, components, and both samples with raw inputs, *true* labels and components.
/// Labels drawn anew, normalisation, checks and the copy to other ranks come after it and are the
/// same for all sources. Whatever it has allocated in the data set when it fails is freed by the
/// caller.
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

/// The centres of `count` components: N(0, separation^2/d I), into means [count, dimension]. The
/// same for every source that has such centres. mixture.c
void ww_draw_means(const ww_config *config, int64_t count, int64_t dimension, double separation,
                   double *means);

/// Draws some labels anew as data.labels has it; components keep the true class. labels.c
void ww_draw_labels(const ww_config *config, ww_dataset *dataset);

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
