/// The configuration of one member of an experiment, and how it is read from YAML.
///
/// One table of keys (src/config/) holds for every key its path, type, unit, range, default, help,
/// and whether a restart may change it. The struct below, the errors, `--set`, the resolved YAML
/// and the printed reference all follow from that table. Reading is a pure function of the text:
/// all ranks parse the same text and come to the same result.
#ifndef WIDTHWISE_CONFIG_H
#define WIDTHWISE_CONFIG_H

#include "widthwise/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef enum ww_model {
    WW_MODEL_LI_LIANG,
    WW_MODEL_ARORA,
    WW_MODEL_BRUTZKUS,
    WW_MODEL_ZOU_GU
} ww_model;
/// Of the numbers that training works with; sums over units and all that is stored are double.
typedef enum ww_precision { WW_PRECISION_DOUBLE, WW_PRECISION_SINGLE } ww_precision;
typedef enum ww_source {
    WW_SOURCE_MIXTURE,
    WW_SOURCE_XOR_BALLS,
    WW_SOURCE_POINTS,
    WW_SOURCE_IDX,
    WW_SOURCE_CIFAR10,
    WW_SOURCE_HDF5,
    WW_SOURCE_FUNCTION,
    WW_SOURCE_SEPARABLE,
    WW_SOURCE_ORTHONORMAL,
    WW_SOURCE_SPHERE
} ww_source;
/// Targets of the source sphere.
typedef enum ww_sphere_targets {
    WW_SPHERE_GAUSSIAN, ///< every one N(0, 1/k)
    WW_SPHERE_SIGNS     ///< every one +k^-1/2 or -k^-1/2 with equal chance
} ww_sphere_targets;
typedef enum ww_subset { WW_SUBSET_NONE, WW_SUBSET_SEPARABLE } ww_subset;
typedef enum ww_normalize {
    WW_NORMALIZE_NONE,
    WW_NORMALIZE_SPHERE,
    WW_NORMALIZE_BALL
} ww_normalize;
/// What a file of source hdf5 says of its samples.
typedef enum ww_hdf5_kind {
    WW_HDF5_LABELS, ///< integers that tell classes
    WW_HDF5_TARGETS ///< real numbers, the outputs wanted
} ww_hdf5_kind;

typedef enum ww_labels { WW_LABELS_TRUE, WW_LABELS_RANDOM, WW_LABELS_WORST_CASE } ww_labels;
typedef enum ww_worst_case_norm {
    WW_WORST_CASE_SQRT_SAMPLES,
    WW_WORST_CASE_ONE
} ww_worst_case_norm;
typedef enum ww_function {
    WW_FUNCTION_LINEAR,
    WW_FUNCTION_QUADRATIC,
    WW_FUNCTION_POWER,
    WW_FUNCTION_COSINE,
    WW_FUNCTION_ARCTAN
} ww_function;
typedef enum ww_activation { WW_ACTIVATION_RELU, WW_ACTIVATION_LEAKY_RELU } ww_activation;
typedef enum ww_scaling {
    WW_SCALING_NONE,
    WW_SCALING_INVERSE_SQRT_WIDTH,
    WW_SCALING_INVERSE_SQRT_OUTPUTS ///< of output weights only
} ww_scaling;
/// Where the weights begin.
typedef enum ww_start {
    WW_START_DRAWN,
    WW_START_FILE,    ///< the weights of another run
    WW_START_FIT,     ///< fits any labels (BR theorem 7)
    WW_START_BAD_FIT, ///< fits the train set, and is wrong on every test sample (BR section 6.2)
    WW_START_LOCAL_MINIMUM ///< a spurious local minimum of the ReLU loss (BR theorem 8)
} ww_start;
/// Distributions of the hidden weights of a unit at the start.
typedef enum ww_hidden {
    WW_HIDDEN_GAUSSIAN, ///< independent normals
    WW_HIDDEN_BALL,     ///< uniform in the ball of radius R (BR equation 5)
    WW_HIDDEN_CUBE,     ///< every weight uniform in [-C, C] (BR section 7.2)
    WW_HIDDEN_OPPOSED   ///< -R / sqrt(d) in the first half of the units, +R / sqrt(d) in the rest
                        ///< (BR 9.1.4)
} ww_hidden;
typedef enum ww_pairs { WW_PAIRS_NONE, WW_PAIRS_ANTISYMMETRIC } ww_pairs;
/// halves: +v for the first half of the units, -v for the rest (BR section 2).
typedef enum ww_output { WW_OUTPUT_GAUSSIAN, WW_OUTPUT_SIGNS, WW_OUTPUT_HALVES } ww_output;
typedef enum ww_loss_kind { WW_LOSS_CROSS_ENTROPY, WW_LOSS_SQUARED, WW_LOSS_HINGE } ww_loss_kind;
typedef enum ww_reduction { WW_REDUCTION_MEAN, WW_REDUCTION_SUM } ww_reduction;
typedef enum ww_method { WW_METHOD_SGD, WW_METHOD_GD } ww_method;
typedef enum ww_rate_scaling {
    WW_RATE_NONE,
    WW_RATE_INVERSE_WIDTH,
    WW_RATE_INVERSE_CURVATURE ///< k / (L^2 m) (ZG theorem 3.3)
} ww_rate_scaling;
typedef enum ww_sampling {
    WW_SAMPLING_PERMUTATION,
    WW_SAMPLING_REPLACEMENT,
    WW_SAMPLING_SEQUENTIAL
} ww_sampling;
typedef enum ww_engine_kind {
    WW_ENGINE_AUTO,
    WW_ENGINE_DENSE,
    WW_ENGINE_WINDOW,
    WW_ENGINE_SAMPLES,
    WW_ENGINE_LAZY,  ///< one output, output weights of one magnitude that stay
    WW_ENGINE_LAYERS ///< any number of hidden layers, in either precision
} ww_engine_kind;

/// Samples in the largest batch that the engine `window` takes.
enum { WW_WINDOW_BATCH = 512 };

/// Bits of output.record.
enum { WW_RECORD_DATA = 1, WW_RECORD_INITIAL_WEIGHTS = 2, WW_RECORD_BATCHES = 4 };

/// Bits of replica_seeds.
enum { WW_SEED_DATA = 1, WW_SEED_WEIGHTS = 2, WW_SEED_BATCHES = 4 };

/// Solvers of eigenvalue problems of symmetric matrices.
typedef enum ww_eigensolver {
    WW_EIGENSOLVER_SCALAPACK,
    WW_EIGENSOLVER_ELPA, ///< only where the program was built with ELPA
} ww_eigensolver;

/// Which gradients the kernel of a deep network is made of.
typedef enum ww_gram_gradient { WW_GRAM_LAST_LAYER, WW_GRAM_ALL_LAYERS } ww_gram_gradient;

/// How much of the spectrum is computed.
typedef enum ww_gram_spectrum {
    WW_GRAM_SPECTRUM_NONE,   ///< only what solves give
    WW_GRAM_SPECTRUM_VALUES, ///< all eigenvalues
    WW_GRAM_SPECTRUM_FULL    ///< eigenvectors too, for projections and predictions
} ww_gram_spectrum;

/// Bits of gram.labels.
enum { WW_GRAM_TRUE = 1, WW_GRAM_RANDOM = 2, WW_GRAM_WORST_CASE = 4 };

/// data.train or data.test: every sample that the source has.
enum { WW_ALL_SAMPLES = -1 };

typedef struct ww_word_list {
    size_t count;
    char **words;
} ww_word_list;

typedef struct ww_integer_list {
    size_t count;
    int64_t *values;
} ww_integer_list;

typedef struct ww_real_list {
    size_t count;
    double *values;
} ww_real_list;

/// A threshold on a scalar quantity: training stops where the quantity reaches it.
typedef struct ww_stop_rule {
    char *quantity;
    double threshold;
} ww_stop_rule;

typedef struct ww_stop_rules {
    size_t count;
    ww_stop_rule *rules;
} ww_stop_rules;

/// Every key with its value. Paths below are the keys of the YAML file.
typedef struct ww_config {
    char *name;   ///< name
    int64_t seed; ///< seed; the three below are equal to it unless given
    struct {
        int64_t data, weights, batches;
    } seeds; ///< seeds.*
    ww_model model;
    ww_precision precision;
    struct {
        ww_source source;
        int64_t train, test; ///< samples, >= 1, or WW_ALL_SAMPLES ("all", files only)
        ww_normalize normalize;
        struct {
            int64_t dimension, classes, components; ///< d, k, l
            double spread, separation;  ///< sigma and sigma_0; per coordinate divided by sqrt(d)
            ww_real_list probabilities; ///< p_ij [classes * components], class-major; empty: equal
        } mixture;
        struct {
            double diameter, distance; ///< of a ball; between neighbouring centres
        } xor_balls;
        struct {
            int64_t dimension, classes, components; ///< d, k, l: k l points
            double separation;                      ///< standard deviation of a point times sqrt(d)
        } points;
        struct {
            char *train_images, *train_labels, *test_images, *test_labels; ///< absolute paths
            ww_integer_list classes; ///< labels kept, in the order of the new labels; empty: all
            double divisor;          ///< raw pixel values are divided by this
            bool balanced;           ///< equally many samples of every class
        } idx;
        struct {
            char *folder;                         ///< absolute path
            ww_word_list train_files, test_files; ///< in it, or absolute paths
            ww_integer_list classes;              ///< as in idx
            double divisor;
            bool balanced;
        } cifar10;
        struct {
            char *file; ///< absolute path
            ww_hdf5_kind kind;
            char *train_inputs, *train_labels, *test_inputs, *test_labels; ///< datasets in it
            char *train_targets, *test_targets;                            ///< likewise
        } hdf5;
        struct {
            int64_t dimension; ///< d
            ww_function kind;
            int64_t terms;    ///< g is a sum of so many, each with a direction of its own
            double alpha;     ///< of each term; of quadratic the sum of all |alpha_j|
            double norm;      ///< ||beta|| of each term; of quadratic it is 1
            int64_t exponent; ///< p of power
        } function;           ///< y = g(x) (AR section 6)
        struct {
            int64_t dimension; ///< d
            double margin;     ///< gamma: y <u, x> >= gamma for a hidden unit vector u
        } separable;
        struct {
            int64_t dimension; ///< d: the samples are e_1 .. e_d, all with label +1
        } orthonormal;
        struct {
            int64_t dimension; ///< d, with the last coordinate
            int64_t outputs;   ///< k
            double separation; ///< phi: smallest distance between train samples; 0: any
            int64_t arcs;      ///< great circles that the train samples lie on; 0: anywhere
            ww_sphere_targets targets;
        } sphere;
        double last_coordinate; ///< mu of ZG assumption 3.1; 0: inputs stay as they are
        struct {
            ww_subset kind;
            int64_t candidates; ///< samples to choose from; WW_ALL_SAMPLES: all of the files
            double penalty;     ///< C of the soft margin
            double margin;      ///< c: samples with y <w, x> >= c of the soft margin's w are kept
        } subset;
        struct {
            ww_labels kind;
            double random_fraction; ///< share of labels that are drawn anew
            bool noisy_test;        ///< test labels likewise
            ww_worst_case_norm worst_case_norm;
        } labels;
    } data;
    struct {
        int64_t width; ///< m
        int64_t depth; ///< L
        struct {
            ww_activation kind;
            double slope; ///< of leaky-relu, left of zero
        } activation;
        ww_start start;
        char *start_file;  ///< absolute path
        int64_t start_run; ///< number of the run in it
        struct {
            ww_hidden kind;
            double std;    ///< of gaussian: kappa of AR, without scaling
            double radius; ///< of the others: R, or C of cube, without scaling
            ww_scaling scaling;
            ww_pairs pairs; ///< antisymmetric: units 2r and 2r + 1 cancel at the start
        } hidden;
        struct {
            ww_output kind;
            double scale; ///< standard deviation of an output weight, or size of signs and halves
            ww_scaling scaling;
        } output;
        bool train_output; ///< the output weights are trained too
    } network;
    ww_loss_kind loss;
    ww_reduction loss_reduction;
    struct {
        ww_method method;
        int64_t batch;     ///< B; sgd only
        int64_t epochs;    ///< from which the steps follow; 0: they do not
        int64_t steps;     ///< T
        bool stop_at_rest; ///< end where no sample would change a weight (hinge)
        double rate;
        ww_rate_scaling rate_scaling;
        ww_sampling sampling;
        ww_engine_kind engine;
        ww_stop_rules stop;
    } training;
    struct {
        int64_t every;                    ///< steps between two records
        ww_word_list quantities;          ///< names, or the single word "all"; checked by measure.h
        ww_word_list final;               ///< names of final results
        ww_integer_list snapshots;        ///< steps, rising, each in 0 .. training.steps
        double accuracy_target;           ///< for steps_to_accuracy and distance_at_accuracy
        double pseudo_gradient_threshold; ///< for pseudo_gradient_large
        double spectral_tolerance;        ///< relative, of spectral norms
    } measure;
    struct {
        int64_t depth; ///< L of the kernel
        ww_gram_gradient gradient;
        int labels; ///< bits WW_GRAM_*: what is looked at beside the labels trained on
        ww_gram_spectrum spectrum;
        bool eigenvectors; ///< are kept in the file
        bool network;      ///< H(0) of the finite network too
        ww_eigensolver solver;
        int64_t block;        ///< of the block-cyclic matrix
        ww_integer_list grid; ///< rows and columns of ranks; empty: chosen
    } gram;
    struct {
        double failure_probability; ///< delta of the theorems
        double target_loss;         ///< epsilon that iterations are counted to
    } theory;
    struct {
        int64_t checkpoint_every;  ///< steps; 0: only by time and at the end
        double checkpoint_minutes; ///< 0: only by steps and at the end
        double commit_seconds;     ///< between two commits of records without a checkpoint
        int record;                ///< bits WW_RECORD_*
    } output;

    int64_t replicas;  ///< R: independent runs of this member, with results along an axis
    int replica_seeds; ///< bits WW_SEED_*: what differs between them

    char *origin;   ///< name of the file the text came from, or "built-in default"
    int32_t *lines; ///< by key of the table: its line in `origin`, 0 for a default, -1 for --set
} ww_config;

/// All members that one configuration describes: one, or every combination of its `sweep`.
typedef struct ww_experiment {
    size_t count;
    ww_config *members;
    char **labels; ///< what is swept, e.g. "network.width=500 seed=2"; "" for a single run
} ww_experiment;

/// Parses `text` (a YAML document; "" gives the built-in default) and `set_count` settings
/// "key=value" that override it, expands the sweep, and checks every key and what keys require of
/// each other. `origin` names the text in messages; relative paths of data files are taken from
/// `folder`. On failure: WW_USAGE and one sentence with file and line, nothing to free. Pure but
/// for making paths absolute. Not collective.
ww_status ww_experiment_parse(const char *text, const char *origin, const char *folder,
                              const char *const *settings, size_t set_count,
                              ww_experiment *experiment, ww_error *error);
void ww_experiment_free(ww_experiment *experiment);

/// The resolved configuration: every key that has an effect, with its value, as ASCII YAML that
/// ww_experiment_parse reads back to the same configuration (doubles with as many digits as that
/// takes). Free with free(). NULL when memory is short.
char *ww_config_to_yaml(const ww_config *config, ww_error *error);

/// "figure1.yaml, line 12: measure.quantities", "--set measure.quantities", or for a default the
/// key alone, for messages.
void ww_config_where(const ww_config *config, const char *key, char *buffer, size_t size);

/// What differs between a run as it was begun and as a restart is asked to go on with it.
typedef enum ww_config_change {
    WW_CONFIG_SAME,
    WW_CONFIG_CONDUCT, ///< how it is run (checkpoints), nothing that comes out of it
    WW_CONFIG_RESULTS  ///< how long it goes on, or its final results
} ww_config_change;

/// Compares. WW_USAGE names a key that a restart may not change, and lists those that it may, or
/// one that the sweep of the file varies, by the run's `label`. Pure.
ww_status ww_config_compare(const ww_config *before, const ww_config *after, const char *label,
                            ww_config_change *change, ww_error *error);

/// A member that is said to be of one experiment with others. Pointers are borrowed.
typedef struct ww_config_member {
    const ww_config *config;
    const char *label; ///< what is swept, as in ww_experiment
    const char *name;  ///< for messages, such as "run0003 of widths-0003.h5"
} ww_config_member;

/// Whether all `members` [count] can come from one configuration: every key has the same value in
/// all of them unless the sweep varies it, by their labels, or a restart may change it; and all
/// labels name the same keys. A key whose value follows from others, or that some members have no
/// use for, may differ where those others do. WW_USAGE names the key, its values and two members.
/// Pure.
ww_status ww_config_compare_members(const ww_config_member *members, size_t count, ww_error *error);

/// Whether measure.final has the word gram: the Gram matrix of the train set and what follows from
/// it.
bool ww_config_wants_gram(const ww_config *config);
/// Adds that word where it is not there. WW_USAGE: a run with replicas, which have no Gram matrix.
ww_status ww_config_want_gram(ww_config *config, ww_error *error);

/// Adds `name` to measure.quantities, or to measure.final, where it is not there, nor `all`.
ww_status ww_config_want_quantity(ww_config *config, const char *name, ww_error *error);
ww_status ww_config_want_result(ww_config *config, const char *name, ww_error *error);

/// Whether the user gave a key no value, in the file or by a setting. Pure.
bool ww_config_is_default(const ww_config *config, const char *key);

/// Learning rate eta after rate_scaling, of a network with so many outputs.
double ww_config_learning_rate(const ww_config *config, int64_t outputs);
/// Standard deviation of an initial hidden weight after scaling (sigma of LL A3); 0 where they are
/// not gaussian.
double ww_config_hidden_std(const ww_config *config);
/// Radius of initial hidden weights after scaling (R of BR equation 5, or C of section 7.2); 0
/// where they are gaussian.
double ww_config_hidden_radius(const ww_config *config);
/// Standard deviation of an output weight after scaling, of a network with so many outputs; the
/// size of every one for signs and halves.
double ww_config_output_std(const ww_config *config, int64_t outputs);
/// Outputs k that a network has for data of so many classes: one each for cross entropy; for the
/// squared and the hinge loss one for two classes, or for a function, whose targets are real
/// numbers. Targets of a file have as many as the file has (ww_dataset.outputs), which is not known
/// here.
int64_t ww_config_outputs(const ww_config *config, int64_t classes);
/// Whether training is by the engine `layers`: where it is asked for, and with `auto` where there
/// are several hidden layers, or the preset of deep networks.
bool ww_config_has_layers(const ww_config *config);
/// Whether steps of the configuration can be by `engine`, whatever training.engine is. Pure.
bool ww_config_takes_engine(const ww_config *config, ww_engine_kind engine);
/// Whether a quantity that is asked for is of what steps do to each hidden layer (ww_track). Pure.
bool ww_config_tracks_layers(const ww_config *config);
/// Whether the loss compares outputs with targets rather than with a label.
bool ww_config_has_targets(const ww_config *config);
/// Whether the samples have classes: all but those with targets of a file.
bool ww_config_has_classes(const ww_config *config);
/// Whether all output weights have the same magnitude, at all times.
bool ww_config_has_one_magnitude(const ww_config *config);
/// True where the data sets of both have the same source, shape and kind of targets; other seeds
/// may draw others.
bool ww_config_same_source(const ww_config *a, const ww_config *b);
/// True where both draw or read the very same data set.
bool ww_config_same_data(const ww_config *a, const ww_config *b);
/// Whether anything about the data set follows from seeds.data.
bool ww_config_draws_data(const ww_config *config);

/// The configuration of replica `replica`: that of the member with the seeds of replica_seeds
/// raised by its number, so that it is the run which those seeds give alone. Shares all pointers
/// with `config`. Pure.
ww_config ww_config_replica(const ww_config *config, int64_t replica);

/// Reference of all keys: path, type, range, default, help. For `list keys`.
void ww_config_print_keys(FILE *stream);
/// Presets and what they stand for. For `list models`.
void ww_config_print_models(FILE *stream);

/// Name of an enumeration's value as it stands in YAML.
const char *ww_model_name(ww_model model);
const char *ww_precision_name(ww_precision precision);
const char *ww_engine_name(ww_engine_kind engine);
const char *ww_source_name(ww_source source);

#endif
