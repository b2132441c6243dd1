/// What the sources of data share. Private to src/data.
///
/// There are two kinds of sources. One whose samples follow from their numbers says how to make any
/// of them, whoever makes the others: all ranks of a node share the work (rows.c). The other kind
/// runs on rank 0 alone, which copies what there is to all; of these one that can read any samples
/// does so where the data set is divided. Normalisation, labels drawn anew, targets and checks come
/// after it and are the same for all sources.
#ifndef WIDTHWISE_DATA_SOURCE_H
#define WIDTHWISE_DATA_SOURCE_H

#include "widthwise/data.h"

#include <stdbool.h>
#include <stddef.h>

/// Runs on rank 0 alone. It gets a data set that is zero but for `sharers` and `spare` and fills
/// dimension, classes and components, and of a source that runs on one rank both samples with raw
/// inputs, *true* labels and components. Where the samples have targets in place of classes it
/// fills these and outputs too. Without `samples` it fills the shape alone: counts, and no arrays.
/// Whatever it has allocated in the data set when it fails is freed by the caller.
typedef ww_status (*ww_source_function)(const ww_config *config, bool samples, ww_dataset *dataset,
                                        ww_error *error);

/// Fills the samples of both sets that are there, number first .. first + count - 1 of each, with
/// raw inputs [count, d] (zeroes before), *true* labels and components: bits that depend on the
/// number of a sample alone. Any rank may make any of them. Arrays are there.
typedef ww_status (*ww_samples_function)(const ww_config *config, ww_dataset *dataset,
                                         ww_error *error);

/// One line of the table of sources (dataset.c).
typedef struct ww_source_entry {
    const char *description;
    ww_source_function load;
    /// Of a source whose samples follow from their numbers, or can be read by them; NULL: `load`
    /// makes them.
    ww_samples_function make;
    bool reads; ///< `make` is for data sets that are divided alone: a file is read once otherwise
    /// Where labels follow from inputs, or from targets that are drawn: fills labels, components
    /// and (where there is room for them) targets of samples, number first .. first + count - 1 of
    /// a train or test set, whose inputs are as they will stay. NULL for other sources.
    ww_status (*values)(const ww_config *config, const ww_dataset *dataset, ww_samples *samples,
                        ww_error *error);
    /// Where targets are numbers of their own kind: draws those of one sample anew, and its label.
    /// NULL: a target drawn anew is that of a label.
    void (*redraw)(const ww_config *config, const ww_dataset *dataset, ww_samples *samples,
                   int64_t sample);
} ww_source_entry;

/// k classes of l Gaussians each (LL 3 and 7). mixture.c
ww_status ww_source_mixture(const ww_config *config, bool samples, ww_dataset *dataset,
                            ww_error *error);
ww_status ww_mixture_samples(const ww_config *config, ww_dataset *dataset, ww_error *error);
/// Two classes of two discs each, not linearly separable (LL figure 3). xor_balls.c
ww_status ww_source_xor_balls(const ww_config *config, bool samples, ww_dataset *dataset,
                              ww_error *error);
ww_status ww_xor_balls_samples(const ww_config *config, ww_dataset *dataset, ww_error *error);
/// One point a component, train = test (LL 5.1, assumption S). points.c
ww_status ww_source_points(const ww_config *config, bool samples, ww_dataset *dataset,
                           ww_error *error);
ww_status ww_points_samples(const ww_config *config, ww_dataset *dataset, ww_error *error);
/// Two classes on either side of a hidden hyperplane, in the unit ball (BR section 2). separable.c
ww_status ww_source_separable(const ww_config *config, bool samples, ww_dataset *dataset,
                              ww_error *error);
ww_status ww_separable_samples(const ww_config *config, ww_dataset *dataset, ww_error *error);
/// e_1 to e_d, all of the first of two classes, train = test (BR 7.2 and 9.1.4). orthonormal.c
ww_status ww_source_orthonormal(const ww_config *config, bool samples, ww_dataset *dataset,
                                ww_error *error);
/// Images and labels in IDX files, plain or gzip. idx.c
ww_status ww_source_idx(const ww_config *config, bool samples, ww_dataset *dataset,
                        ww_error *error);
/// CIFAR-10 in its binary version, plain or gzip. cifar10.c
ww_status ww_source_cifar10(const ww_config *config, bool samples, ww_dataset *dataset,
                            ww_error *error);
/// Inputs, and labels or targets, from datasets of an HDF5 file. hdf5.c
ww_status ww_source_hdf5(const ww_config *config, bool samples, ww_dataset *dataset,
                         ww_error *error);
ww_status ww_hdf5_samples(const ww_config *config, ww_dataset *dataset, ww_error *error);

/// Real functions of inputs with Gaussian directions (AR section 6). function.c
ww_status ww_source_real_function(const ww_config *config, bool samples, ww_dataset *dataset,
                                  ww_error *error);
ww_status ww_function_samples(const ww_config *config, ww_dataset *dataset, ww_error *error);
ww_status ww_function_values(const ww_config *config, const ww_dataset *dataset,
                             ww_samples *samples, ww_error *error);

/// Points of the unit sphere, anywhere or on arcs, with a chosen separation (ZG section 3).
/// sphere.c
ww_status ww_source_sphere(const ww_config *config, bool samples, ww_dataset *dataset,
                           ww_error *error);
ww_status ww_sphere_values(const ww_config *config, const ww_dataset *dataset, ww_samples *samples,
                           ww_error *error);
void ww_sphere_redraw(const ww_config *config, const ww_dataset *dataset, ww_samples *samples,
                      int64_t sample);

/// The centres of components number first .. first + count - 1: N(0, separation^2/d I), into means
/// [count, dimension]. The same for every source that has such centres. mixture.c
void ww_draw_means(const ww_config *config, int64_t first, int64_t count, int64_t dimension,
                   double separation, double *means);

/// Draws some labels anew as data.labels has it; components keep the true class. Where samples
/// already have targets, one drawn anew is that of its label, +1 or -1, or what the source's
/// `redraw` makes of it. Without classes it is that of a sample of the same set, drawn uniformly,
/// and the train set gets true_targets. labels.c
ww_status ww_draw_labels(const ww_config *config, const ww_source_entry *source,
                         ww_dataset *dataset, ww_error *error);
/// Whether a train set without classes is trained on other targets than those of the file. Pure.
/// labels.c
bool ww_replaces_targets(const ww_config *config);

/// Targets of classes by their labels, for a data set that is to have targets and has none yet.
/// labels.c
ww_status ww_make_targets(ww_dataset *dataset, ww_error *error);

/// Room for the targets of `samples`, zeroes. labels.c
ww_status ww_targets_allocate(ww_samples *samples, int64_t outputs, ww_error *error);

/// Brings inputs to the sphere or into the ball as data.normalize has it: those of the samples that
/// are there, which the ranks of `group` have of all. Collective over the group. normalize.c
ww_status ww_normalize_inputs(const ww_config *config, const ww_parallel *group,
                              ww_dataset *dataset, ww_error *error);

/// Columns that ww_append_last_coordinate adds to those of the source: one, or none. Pure.
/// last_coordinate.c
int ww_last_coordinate_columns(const ww_config *config);
/// What it multiplies inputs by: sqrt(1 - mu^2), or 1 where it adds none. Pure. last_coordinate.c
double ww_last_coordinate_scale(const ww_config *config);
/// Makes (sqrt(1 - mu^2) x, mu) of all inputs x, in the room that they have for it, and the
/// dimension one more (ZG assumption 3.1); nothing where no column is to be added.
/// last_coordinate.c
void ww_append_last_coordinate(const ww_config *config, ww_dataset *dataset);

/// Whether a separable subset of the source is wanted. subset.c
bool ww_is_subset(const ww_config *config);
/// The configuration that a source is loaded with: of a subset its candidates are the train set.
/// Shares all pointers. subset.c
ww_config ww_subset_source(const ww_config *config);
/// The key that says how many samples the train set of a source has. subset.c
const char *ww_train_count_key(const ww_config *config);
/// Checks that the source, with candidates for a train set, can give the subset. subset.c
ww_status ww_subset_check(const ww_config *config, ww_dataset *dataset, ww_error *error);
/// Puts the subset, which `sharers` ranks of a node are to share, in place of its candidates.
/// WW_USAGE: too few are kept. subset.c
ww_status ww_subset_choose(const ww_config *config, int sharers, ww_dataset *dataset,
                           ww_error *error);

/// Room for the arrays of a hyperplane that separates `count` samples. separator.c
ww_status ww_separator_allocate(int64_t count, int64_t dimension, ww_separator *separator,
                                ww_error *error);

/// What comes after the raw samples of a source and needs none but those that are there, which the
/// ranks of `group` have of all: normalisation, last coordinate, labels and targets that follow
/// from inputs, checks. Collective over the group; its ranks return alike. dataset.c
ww_status ww_dataset_refine(const ww_config *config, const ww_parallel *group, ww_dataset *dataset,
                            ww_error *error);

/// One rank alone: what is collective over it needs no communicator. dataset.c
ww_parallel ww_alone(void);

/// A part of the hash: over parts that together are all samples, of which one is the first, the sum
/// is the hash. Needs the inputs of all blocks (WW_HASH_ROWS) that begin in the part. data_hash.c
uint64_t ww_dataset_hash_part(const ww_dataset *dataset, const ww_sample_parts *parts,
                              bool is_first);

/// Makes a data set whose shape is known, of a source that can make any samples: each node its own,
/// by all its ranks, or each rank one of its own where they can have no memory in common. Where
/// this rank wants parts of it alone it is divided; NULL: it is not. All but the separating
/// hyperplane is there then. Collective. rows.c
ww_status ww_dataset_make(const ww_config *config, const ww_source_entry *source,
                          const ww_parallel *parallel, const ww_nodes *nodes,
                          const ww_sample_parts *wanted, ww_dataset *dataset, ww_error *error);

/// Sets the numbers of samples of a shape. dataset.c
void ww_dataset_set_counts(ww_dataset *dataset, int64_t train, int64_t test);

/// Arrays for `count` samples of `dimension` inputs, with room for as many more columns as `spare`
/// says; `what` names them in messages. dataset.c
ww_status ww_samples_allocate(ww_samples *samples, int64_t count, int64_t dimension,
                              const char *what, ww_error *error);
void ww_samples_free(ww_samples *samples);

/// Room for labels and components of samples whose number is known. dataset.c
ww_status ww_labels_allocate(ww_samples *samples, const char *what, ww_error *error);

/// Gives the separating hyperplane of rank 0 to all others, where one was sought. Collective.
/// share.c
ww_status ww_separator_share(const ww_parallel *parallel, ww_dataset *dataset, ww_error *error);

/// Gives the shape and the hash of rank 0 to all others. Collective. share.c
ww_status ww_dataset_share_shape(const ww_parallel *parallel, ww_dataset *dataset, ww_error *error);

/// Gives rank 0's data set, but for the hyperplane, to all others: inputs once to each node, the
/// rest to every rank. Collective. share.c
ww_status ww_dataset_share(const ww_parallel *parallel, const ww_nodes *nodes, ww_dataset *dataset,
                           ww_error *error);

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
