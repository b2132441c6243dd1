/// Data sets: generated or read, normalised, with labels.
///
/// Sources live one to a file in src/data/. Those whose samples follow from their numbers alone are
/// made by all ranks of each node together; the others by rank 0, which gives them to all. The
/// inputs, by far the largest part, stand once in the memory of each node (shared.h): all of them,
/// or of a data set that is divided those of some samples. All else stands on every rank.
#ifndef WIDTHWISE_DATA_H
#define WIDTHWISE_DATA_H

#include "widthwise/config.h"
#include "widthwise/error.h"
#include "widthwise/parallel.h"
#include "widthwise/shared.h"

#include <float.h>
#include <stdint.h>
#include <stdio.h>

/// Samples of a set, one after the other.
typedef struct ww_part_of_samples {
    int64_t first, count;
} ww_part_of_samples;

/// Some of both sets.
typedef struct ww_sample_parts {
    ww_part_of_samples train, test;
} ww_sample_parts;

/// Samples of one kind (train or test).
typedef struct ww_samples {
    int64_t count;        ///< n
    int64_t first;        ///< number of the first one in its set: 0 where all of the set are here
    double *inputs;       ///< [n, d], row-major; not to be written to once loaded. Of a data set
                          ///< that is divided only those of the samples `held` are there: who
                          ///< reads others is ended by the system
    int64_t *labels;      ///< [n], 0 .. classes - 1: what is trained on (random ones included)
    double *targets;      ///< [n, k], the outputs wanted; NULL where the loss has no use for them
    double *true_targets; ///< [n, k], on rank 0: those of a file where others stand in their place;
                          ///< else NULL
    int64_t
        *components;  ///< [n], class * components + component of the distribution it was drawn
                      ///< from, by its *true* class; for sources without components the true class
    int sharers;      ///< ranks of the node that are to share the inputs; 0 like 1: none
    int spare;        ///< columns that inputs have room for beside those of the source
    ww_shared shared; ///< where the inputs stand, if ww_dataset_load has made them
    ww_part_of_samples held; ///< where the data set is divided: samples whose inputs are here
} ww_samples;

/// A hyperplane through the origin that separates the train set, and how short its normal can be.
/// w* is the shortest w with y <w, x> >= 1 on all train samples, y = +1 for class 0 (BR section 2,
/// the hard margin). Looked for where the loss is hinge.
///
/// The bounds hold with rounding, and lie within 0.1% of each other unless the search, which is
/// bounded, had to end before that. Of data that no hyperplane separates, `lower` is as far as it
/// came, a finite number; only a zero vector, or equal samples of different classes, are known at
/// once to rule one out, and then both bounds are infinite. Norms outside of 1e-100 to 1e100 are
/// not looked at (0 and infinite).
typedef struct ww_separator {
    bool sought;
    double lower, upper; ///< proven: lower <= ||w*|| <= upper; upper is infinite if none was found
    double *weights;     ///< [d], w with ||w|| = upper, up to rounding; NULL without
    double *margins;     ///< [n], y <w, x> >= 1 of the train samples; NULL without
} ww_separator;

/// A data set. The same on all ranks, but for what each node has of inputs that are divided.
typedef struct ww_dataset {
    int64_t dimension;   ///< d
    int64_t classes;     ///< by labels; of a function two: y > 0 is class 0, else class 1; one, all
                         ///< labels being 0, where the data have targets in place of classes
    int64_t outputs;     ///< k, of a network for these data (ww_config_outputs)
    int64_t components;  ///< l, components of a class; 1 where the source has none
    bool has_targets;    ///< samples have targets
    bool keeps_truth;    ///< the train set has true_targets on rank 0
    bool is_divided;     ///< a node has the inputs of some samples alone
    double largest_norm; ///< where it is divided: see ww_dataset_largest_norm
    ww_samples train, test;
    ww_separator separator; ///< of the train set, by the labels trained on
    int64_t candidates; ///< samples that a separable subset was chosen from; 0: there is no subset
    int64_t kept;       ///< candidates that the hyperplane separates; 0 in a shape
    uint64_t hash;      ///< of inputs, labels and targets, to notice a changed file at a restart
} ww_dataset;

/// Loads or draws the data set of `config`: source, normalisation, last coordinate, labels,
/// targets, with checks (finite, at least one sample, labels in range, batch not larger than the
/// train set). Collective: all get the same result, the same bits on any number of ranks, or the
/// same error (WW_USAGE with file and what is wrong).
///
/// With data.last_coordinate mu > 0 inputs are (sqrt(1 - mu^2) x, mu) of the x that the source and
/// its normalisation give, and the dimension is one more (source sphere has it among its own).
///
/// Targets, for the squared loss: y of a function; those drawn by source sphere; those of an HDF5
/// file, as many a sample as it has; with two classes
/// +1 for class 0 and -1 for class 1; with k > 2 classes 1 for the label and 0 for the others. With
/// data.labels.kind: worst-case they are those of the true labels until
/// ww_dataset_set_train_targets replaces them.
ww_status ww_dataset_load(const ww_config *config, const ww_parallel *parallel, ww_dataset *dataset,
                          ww_error *error);

/// The same data set, divided: each node has only the inputs of the samples that its ranks want,
/// from the first to the last of each set; each rank says what it wants, and together they want
/// all. For sources that ww_dataset_divides. Collective.
ww_status ww_dataset_load_parts(const ww_config *config, const ww_parallel *parallel,
                                const ww_sample_parts *wanted, ww_dataset *dataset,
                                ww_error *error);

/// Whether the samples of a configuration's source can be made apart, so that they can be divided.
/// Pure.
bool ww_dataset_divides(const ww_config *config);

/// Largest norm of a train input. Not collective.
double ww_dataset_largest_norm(const ww_dataset *dataset);

/// Not collective: each rank lets go of the inputs when it likes, also after `parallel` is gone.
void ww_dataset_free(ww_dataset *dataset);

/// The shape of that data set: dimension, classes, outputs and numbers of samples, without the
/// samples themselves, whose pointers are NULL. Files are read as far as that takes (headers and
/// labels). Errors as above. Collective.
ww_status ww_dataset_describe(const ww_config *config, const ww_parallel *parallel,
                              ww_dataset *dataset, ww_error *error);

/// Replaces the targets of the train set by `targets` [n, k], the same on all ranks, and brings the
/// hash up to date. Needs a data set with targets. Not collective.
void ww_dataset_set_train_targets(ww_dataset *dataset, const double *targets);

/// Columns that targets of these classes have: those of the network's outputs, or where its loss
/// has no targets those that it would have for the squared loss. Pure.
int64_t ww_dataset_target_columns(const ww_dataset *shape);

/// Target number `column` of `columns` of a sample with that label: +1 for class 0 and -1 for class
/// 1, or with more classes 1 for its own and 0 for the others. Pure.
double ww_target_of_label(int64_t label, int64_t columns, int64_t column);

/// The targets of all samples by their labels, `targets` [n, columns]. Pure.
void ww_targets_of_labels(const ww_samples *samples, int64_t columns, double *targets);

/// What the targets of the train set would be with labels of that kind, `targets` [n, columns]:
/// true ones, or all drawn anew as data.labels.kind: random draws them. Targets of a file that are
/// drawn anew are those of a sample of the same set, uniformly, so that some stay as they are. The
/// same on all ranks. Collective.
ww_status ww_dataset_other_targets(const ww_config *config, const ww_dataset *dataset,
                                   ww_labels kind, const ww_parallel *parallel, double *targets,
                                   ww_error *error);

/// Bytes of the inputs of a data set of that shape, which a node holds once. Pure.
int64_t ww_dataset_input_bytes(const ww_dataset *shape);

/// Bytes that a data set of that shape takes on each rank without its inputs. Pure.
int64_t ww_dataset_private_bytes(const ww_dataset *shape);

/// Bytes that a data set of that shape takes on each rank: its part of the inputs that `sharers`
/// ranks of a node have in common, and all else. Pure.
int64_t ww_dataset_bytes(const ww_dataset *shape, int64_t sharers);

/// Bytes that rank 0 has beside those at most while it loads the data set: the candidates of a
/// subset, and what looks for a hyperplane. Pure.
int64_t ww_dataset_loading_bytes(const ww_dataset *shape);

/// Names of the sources with a sentence each. For `list sources`.
void ww_data_print_sources(FILE *stream);

/// Unit vectors that differ by no more are the same direction: each is off by 3 u at most, in its
/// length and in its entries (u = DBL_EPSILON / 2).
#define WW_SAME_DIRECTION (4.0 * DBL_EPSILON)

/// Finds bounds of ||w*|| for `samples`, and fills `found` as it is described above. Same bits on
/// every processor. About 1e10 multiplications and additions at most, or fifty times n d where that
/// is more. WW_FAILED: memory is short. Not collective.
ww_status ww_separator_find(const ww_samples *samples, int64_t dimension, ww_separator *found,
                            ww_error *error);
/// Frees its arrays; the bounds stay.
void ww_separator_free(ww_separator *separator);

/// Samples that no network without bias tells apart: equal up to a positive factor, and rounding as
/// the kernel has it (WW_SAME_DIRECTION), so that their rows of the Gram matrix are multiples of
/// each other. Where there are any, or a zero vector, the Gram matrix is singular.
typedef struct ww_coincidence {
    int64_t samples;       ///< that coincide with one before them
    int64_t first, second; ///< the first such pair; -1 without one
    int64_t unlike[2];     ///< the first such pair with different labels; -1 without one
    int64_t zeros;         ///< zero vectors, on which every such network is 0
    int64_t first_zero;    ///< the first of them; -1 without one
} ww_coincidence;

/// Finds samples that coincide, in about n d + n log n work. Zero vectors coincide with each other.
/// Pairs are those of a sample with the first one of its direction. WW_FAILED: memory is short. Not
/// collective.
ww_status ww_coincidence_find(const ww_samples *samples, int64_t dimension, ww_coincidence *found,
                              ww_error *error);

/// The line through 0 that a sample lies on, by number of a sample.
typedef struct ww_line {
    int64_t line;      ///< the first sample on it
    int64_t direction; ///< the first one on it with the direction of this one, not the opposite
} ww_line;

/// Finds the lines of all samples of `parts` [part_count], counted through from part to part, into
/// lines [n]. Unit vectors that differ by no more than `tolerance`, or their opposites, are on one
/// line; zero vectors are on one with each other. Work and errors as above; not collective.
ww_status ww_lines_find(const ww_samples *parts, size_t part_count, int64_t dimension,
                        double tolerance, ww_line *lines, ww_error *error);

/// Separation of a labelled sample (LL A1), empirical.
typedef struct ww_separation {
    double delta;        ///< smallest distance between two samples of different classes
    double diameter;     ///< largest distance between two samples of one component
    double lambda;       ///< diameter / delta
    double lambda_limit; ///< 1 / (8 l): LL A1 asks for lambda <= this
    double nearest;      ///< phi: smallest distance between any two samples
} ww_separation;

/// Bytes that ww_separation_measure allocates on a rank, and additions and multiplications that a
/// rank of `ranks` makes. Pure.
void ww_separation_cost(int64_t samples, int64_t dimension, int ranks, int64_t *bytes,
                        double *flops);

/// Measures the separation of `samples` by their components (true classes). n^2 d work, rows
/// divided over ranks. Collective. delta is infinite with one class only.
ww_status ww_separation_measure(const ww_samples *samples, int64_t dimension, int64_t components,
                                const ww_parallel *parallel, ww_separation *separation,
                                ww_error *error);

#endif
