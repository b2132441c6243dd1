#include "config/keys.h"

#include "widthwise/text.h"

#include <stdio.h>
#include <string.h>

// The order of words is the order of the enumerations in config.h.
static const char *const models[] = {"li-liang", "arora", "brutzkus", "zou-gu", NULL};
static const char *const precisions[] = {"double", "single", NULL};
static const char *const sources[] = {"mixture",     "xor-balls", "points",   "idx",
                                      "cifar10",     "hdf5",      "function", "separable",
                                      "orthonormal", "sphere",    NULL};
static const char *const hdf5_kinds[] = {"labels", "targets", NULL};
static const char *const sphere_targets[] = {"gaussian", "signs", NULL};
static const char *const subsets[] = {"none", "separable", NULL};
static const char *const starts[] = {"drawn", "file", "fit", "bad-fit", "local-minimum", NULL};
static const char *const hidden[] = {"gaussian", "ball", "cube", "opposed", NULL};
static const char *const functions[] = {"linear", "quadratic", "power", "cosine", "arctan", NULL};
static const char *const normalizations[] = {"none", "sphere", "ball", NULL};
static const char *const label_kinds[] = {"true", "random", "worst-case", NULL};
static const char *const worst_case_norms[] = {"sqrt-samples", "one", NULL};
static const char *const activations[] = {"relu", "leaky-relu", NULL};
static const char *const scalings[] = {"none", "inverse-sqrt-width", NULL};
static const char *const output_scalings[] = {"none", "inverse-sqrt-width", "inverse-sqrt-outputs",
                                              NULL};
static const char *const pairs[] = {"none", "antisymmetric", NULL};
static const char *const outputs[] = {"gaussian", "signs", "halves", NULL};
static const char *const losses[] = {"cross-entropy", "squared", "hinge", NULL};
static const char *const reductions[] = {"mean", "sum", NULL};
static const char *const methods[] = {"sgd", "gd", NULL};
static const char *const rate_scalings[] = {"none", "inverse-width", "inverse-curvature", NULL};
static const char *const samplings[] = {"permutation", "replacement", "sequential", NULL};
static const char *const engines[] = {"auto", "dense", "window", "samples", "lazy", "layers", NULL};
static const char *const gradients[] = {"last-layer", "all-layers", NULL};
static const char *const gram_labels[] = {"true", "random", "worst-case", NULL};
static const char *const gram_spectra[] = {"none", "values", "full", NULL};
static const char *const solvers[] = {"scalapack", "elpa", NULL};
static const char *const seeds[] = {"data", "weights", "batches", NULL};
static const char *const records[] = {"data", "initial-weights", "batches", NULL};

// Parts of an entry.
#define KEY(member, kind, sentence, ...)                                                           \
    {                                                                                              \
        .path = #member, .type = WW_KEY_##kind, .offset = offsetof(ww_config, member),             \
        .help = (sentence), __VA_ARGS__                                                            \
    }
#define INTEGERS(from, to) .least = (from), .most = (to)
#define AT_LEAST(from) INTEGERS(from, INT64_MAX)
#define NUMBERS(from, to) .low = (from), .high = (to)
#define NOT_NEGATIVE NUMBERS(0, __builtin_inf())
#define ANY_NUMBER NUMBERS(-__builtin_inf(), __builtin_inf())
#define POSITIVE NOT_NEGATIVE, .above = true
#define FROM(text) .default_from = WW_DEFAULT_VALUE, .value = (text)
#define FROM_MODEL .default_from = WW_DEFAULT_MODEL
#define DERIVED(text) .default_from = WW_DEFAULT_DERIVED, .value = (text)
#define REQUIRED .default_from = WW_DEFAULT_NONE
#define ONLY(key, value) .condition = (key), .states = 1u << (value)
#define EXCEPT(key, value) .condition = (key), .states = ~(1u << (value))
#define ONLY_DRAWN ONLY("network.start", WW_START_DRAWN)
#define ONLY_SOURCE(source) ONLY("data.source", WW_SOURCE_##source)
#define ONLY_HDF5(kind) ONLY("data.hdf5.kind", WW_HDF5_##kind)
#define ONLY_FUNCTION(kind) ONLY("data.function.kind", WW_FUNCTION_##kind)

static const ww_key keys[] = {
    KEY(name, NAME, "Name of the experiment; without -o the output file is NAME.h5.",
        FROM("figure1")),
    KEY(seed, INTEGER, "Seed of all random numbers.", AT_LEAST(0), FROM("1")),
    KEY(seeds.data, INTEGER, "Seed of generated data and of random labels.", AT_LEAST(0),
        DERIVED("seed")),
    KEY(seeds.weights, INTEGER, "Seed of the initial weights.", AT_LEAST(0), DERIVED("seed")),
    KEY(seeds.batches, INTEGER, "Seed of the choice of batches.", AT_LEAST(0), DERIVED("seed")),
    KEY(model, CHOICE, "Preset that sets every default of one paper; any key may override it.",
        .choices = models, FROM("li-liang")),
    KEY(precision, CHOICE,
        "Precision that training works with; sums over units, and all that is stored, are double.",
        .choices = precisions, FROM("double")),
    KEY(data.source, CHOICE, "Where the samples come from.", .choices = sources, FROM_MODEL),
    KEY(data.train, SAMPLES, "Number n of training samples; all: every sample of the files.",
        AT_LEAST(1),
        DERIVED("1000 (source points: classes * components; source orthonormal: dimension)"),
        .unit = "samples"),
    KEY(data.test, SAMPLES, "Number of test samples; all: every sample of the files.", AT_LEAST(1),
        DERIVED("1000 (source points: classes * components; source orthonormal: dimension)"),
        .unit = "samples"),
    KEY(data.normalize, CHOICE,
        "sphere: every input has norm 1; ball: the largest input has norm 1.",
        .choices = normalizations,
        DERIVED("sphere (model brutzkus: ball; sources xor-balls, separable, orthonormal, sphere: "
                "none)")),
    KEY(data.mixture.dimension, INTEGER, "Input dimension d.", AT_LEAST(1), FROM("1000"),
        .unit = "coordinates", ONLY_SOURCE(MIXTURE)),
    KEY(data.mixture.classes, INTEGER, "Number of classes.", AT_LEAST(2), FROM_MODEL,
        .unit = "classes", ONLY_SOURCE(MIXTURE)),
    KEY(data.mixture.components, INTEGER, "Number l of components in each class.", AT_LEAST(1),
        FROM("2"), .unit = "components", ONLY_SOURCE(MIXTURE)),
    KEY(data.mixture.spread, REAL, "Standard deviation of a component times sqrt(d).", NOT_NEGATIVE,
        FROM("1.0"), ONLY_SOURCE(MIXTURE)),
    KEY(data.mixture.separation, REAL, "Standard deviation of the components' means times sqrt(d).",
        NOT_NEGATIVE, FROM("5.0"), ONLY_SOURCE(MIXTURE)),
    KEY(data.mixture.probabilities, REAL_LIST,
        "Probability of every component, class by class, of sum 1; empty: all equal.",
        NUMBERS(0, 1), FROM("[]"), ONLY_SOURCE(MIXTURE)),
    KEY(data.xor_balls.diameter, REAL, "Diameter of each of the four balls.", NOT_NEGATIVE,
        FROM("0.1"), ONLY_SOURCE(XOR_BALLS)),
    KEY(data.xor_balls.distance, REAL, "Distance between the centres of neighbouring balls.",
        POSITIVE, FROM("2.0"), ONLY_SOURCE(XOR_BALLS)),
    KEY(data.points.dimension, INTEGER, "Input dimension d.", AT_LEAST(1), FROM("1000"),
        .unit = "coordinates", ONLY_SOURCE(POINTS)),
    KEY(data.points.classes, INTEGER, "Number k of classes.", AT_LEAST(2), FROM("10"),
        .unit = "classes", ONLY_SOURCE(POINTS)),
    KEY(data.points.components, INTEGER, "Number l of points in each class.", AT_LEAST(1),
        FROM("2"), .unit = "points", ONLY_SOURCE(POINTS)),
    KEY(data.points.separation, REAL, "Standard deviation of the points times sqrt(d).", POSITIVE,
        FROM("5.0"), ONLY_SOURCE(POINTS)),
    KEY(data.idx.train_images, PATH, "IDX file of the training images, plain or gzip.", REQUIRED,
        ONLY_SOURCE(IDX)),
    KEY(data.idx.train_labels, PATH, "IDX file of the training labels, plain or gzip.", REQUIRED,
        ONLY_SOURCE(IDX)),
    KEY(data.idx.test_images, PATH, "IDX file of the test images, plain or gzip.", REQUIRED,
        ONLY_SOURCE(IDX)),
    KEY(data.idx.test_labels, PATH, "IDX file of the test labels, plain or gzip.", REQUIRED,
        ONLY_SOURCE(IDX)),
    KEY(data.idx.classes, INTEGER_LIST,
        "Labels of the files that are kept, in the order of the new labels; empty: all.",
        INTEGERS(0, 255), FROM("[]"), ONLY_SOURCE(IDX)),
    KEY(data.idx.divisor, REAL, "What the pixel values are divided by.", POSITIVE, FROM("255.0"),
        ONLY_SOURCE(IDX)),
    KEY(data.idx.balanced, BOOLEAN,
        "Equally many samples of every class: the first of each, in the order of the files.",
        FROM("false"), ONLY_SOURCE(IDX)),
    KEY(data.cifar10.folder, PATH, "Folder with the files of CIFAR-10's binary version.", REQUIRED,
        ONLY_SOURCE(CIFAR10)),
    KEY(data.cifar10.train_files, TEXT_LIST,
        "Files in it with the training images; one that is there with the ending .gz only is read.",
        FROM("[data_batch_1.bin, data_batch_2.bin, data_batch_3.bin, data_batch_4.bin, "
             "data_batch_5.bin]"),
        ONLY_SOURCE(CIFAR10)),
    KEY(data.cifar10.test_files, TEXT_LIST, "Files with the test images likewise.",
        FROM("[test_batch.bin]"), ONLY_SOURCE(CIFAR10)),
    KEY(data.cifar10.classes, INTEGER_LIST,
        "Labels of the files that are kept, in the order of the new labels; empty: all.",
        INTEGERS(0, 9), FROM("[]"), ONLY_SOURCE(CIFAR10)),
    KEY(data.cifar10.divisor, REAL, "What the pixel values are divided by.", POSITIVE,
        FROM("255.0"), ONLY_SOURCE(CIFAR10)),
    KEY(data.cifar10.balanced, BOOLEAN,
        "Equally many samples of every class: the first of each, in the order of the files.",
        FROM("false"), ONLY_SOURCE(CIFAR10)),
    KEY(data.hdf5.file, PATH, "HDF5 file with the datasets below.", REQUIRED, ONLY_SOURCE(HDF5)),
    KEY(data.hdf5.kind, CHOICE,
        "labels: samples have integers from 0 on that tell classes; targets: they have one real "
        "number each, or several, for regression with loss: squared.",
        .choices = hdf5_kinds,
        DERIVED("labels (where data.hdf5.train_targets or data.hdf5.test_targets is given: "
                "targets)"),
        ONLY_SOURCE(HDF5)),
    KEY(data.hdf5.train_inputs, TEXT, "Dataset of the training inputs [n, d].",
        FROM("train_inputs"), ONLY_SOURCE(HDF5)),
    KEY(data.hdf5.train_labels, TEXT, "Dataset of the training labels [n].", FROM("train_labels"),
        ONLY_HDF5(LABELS)),
    KEY(data.hdf5.train_targets, TEXT,
        "Dataset of the training targets [n] or [n, k], real numbers or integers.",
        FROM("train_targets"), ONLY_HDF5(TARGETS)),
    KEY(data.hdf5.test_inputs, TEXT, "Dataset of the test inputs [n, d].", FROM("test_inputs"),
        ONLY_SOURCE(HDF5)),
    KEY(data.hdf5.test_labels, TEXT, "Dataset of the test labels [n].", FROM("test_labels"),
        ONLY_HDF5(LABELS)),
    KEY(data.hdf5.test_targets, TEXT, "Dataset of the test targets [n] or [n, k].",
        FROM("test_targets"), ONLY_HDF5(TARGETS)),
    KEY(data.function.dimension, INTEGER, "Input dimension d; inputs have Gaussian directions.",
        AT_LEAST(1), FROM("10"), .unit = "coordinates", ONLY_SOURCE(FUNCTION)),
    KEY(data.function.kind, CHOICE,
        "What a term of g(x) is, with z = <beta, x>: linear: z; quadratic: terms of the eigenvalue "
        "decomposition of a symmetric matrix; power: z^exponent; cosine: cos(z) - 1; arctan: "
        "z arctan(z / 2).",
        .choices = functions, FROM("linear"), ONLY_SOURCE(FUNCTION)),
    KEY(data.function.terms, INTEGER,
        "Number of terms of g, each with a direction beta of its own; of quadratic they are "
        "orthogonal.",
        AT_LEAST(1), FROM("1"), .unit = "terms", ONLY_SOURCE(FUNCTION)),
    KEY(data.function.alpha, REAL,
        "What each term is multiplied by; of quadratic the trace norm of the matrix.", ANY_NUMBER,
        FROM("1.0"), ONLY_SOURCE(FUNCTION)),
    KEY(data.function.norm, REAL, "Norm of beta in each term.", NOT_NEGATIVE, FROM("1.0"),
        .condition = "data.function.kind",
        .states = 1u << WW_FUNCTION_LINEAR | 1u << WW_FUNCTION_POWER | 1u << WW_FUNCTION_COSINE |
                  1u << WW_FUNCTION_ARCTAN),
    KEY(data.function.exponent, INTEGER,
        "The exponent p; 1 and even ones are learnable by AR theorem 6.1, odd ones from 3 on are "
        "not covered.",
        INTEGERS(1, 64), FROM("2"), ONLY_FUNCTION(POWER)),
    KEY(data.separable.dimension, INTEGER, "Input dimension d.", AT_LEAST(2), FROM("100"),
        .unit = "coordinates", ONLY_SOURCE(SEPARABLE)),
    KEY(data.separable.margin, REAL,
        "Distance gamma of every sample from the hyperplane of a hidden unit vector u: y <u, x> >= "
        "gamma, so that ||w*|| <= 1 / gamma.",
        NUMBERS(0, 1), .above = true, .below = true, FROM("0.1"), ONLY_SOURCE(SEPARABLE)),
    KEY(data.orthonormal.dimension, INTEGER,
        "Input dimension d; the samples are e_1 to e_d, all with the first label.", AT_LEAST(1),
        FROM("10"), .unit = "coordinates", ONLY_SOURCE(ORTHONORMAL)),
    KEY(data.sphere.dimension, INTEGER,
        "Input dimension d, the last coordinate (data.last_coordinate) included.", AT_LEAST(2),
        FROM("10"), .unit = "coordinates", ONLY_SOURCE(SPHERE)),
    KEY(data.sphere.outputs, INTEGER, "Number k of outputs, whose targets are drawn.", AT_LEAST(1),
        FROM("1"), .unit = "outputs", ONLY_SOURCE(SPHERE)),
    KEY(data.sphere.separation, REAL,
        "Smallest distance phi between two train samples, which one pair has; 0: any.",
        NUMBERS(0, 2), .below = true, FROM("0"), ONLY_SOURCE(SPHERE)),
    KEY(data.sphere.arcs, INTEGER,
        "Great circles that the train samples lie on, one beside the other at the separation; 0: "
        "they lie anywhere.",
        AT_LEAST(0), FROM("0"), .unit = "arcs", ONLY_SOURCE(SPHERE)),
    KEY(data.sphere.targets, CHOICE,
        "gaussian: every target is N(0, 1/k); signs: +k^-1/2 or -k^-1/2 with equal chance.",
        .choices = sphere_targets, FROM("gaussian"), ONLY_SOURCE(SPHERE)),
    KEY(data.last_coordinate, REAL,
        "mu: inputs on the sphere get one more coordinate, mu, and are shortened so that they stay "
        "there (ZG assumption 3.1); 0: they stay as they are.",
        NUMBERS(0, 1), .below = true, DERIVED("0 (model zou-gu with inputs on the sphere: 0.3)")),
    KEY(data.subset.kind, CHOICE,
        "separable: of two classes, only samples that one hyperplane separates are kept; train and "
        "test samples are the first of them.",
        .choices = subsets, FROM("none")),
    KEY(data.subset.candidates, SAMPLES,
        "Training samples of the source that are chosen from; all: every one of the files.",
        AT_LEAST(1), DERIVED("all (drawn sources: twice data.train + data.test)"),
        .unit = "samples", ONLY("data.subset.kind", WW_SUBSET_SEPARABLE)),
    KEY(data.subset.penalty, REAL,
        "Penalty C on samples inside the soft margin of the hyperplane that decides.", POSITIVE,
        FROM("1.0"), ONLY("data.subset.kind", WW_SUBSET_SEPARABLE)),
    KEY(data.subset.margin, REAL,
        "Samples with y <w, x> of at least this are kept, where the soft margin ends at 1.",
        NUMBERS(0, 1), .above = true, FROM("0.1"), ONLY("data.subset.kind", WW_SUBSET_SEPARABLE)),
    KEY(data.labels.kind, CHOICE,
        "random: every label is drawn anew; worst-case: the eigenvector of the Gram matrix with "
        "the smallest eigenvalue. Targets of a file that are drawn anew are those of any sample.",
        .choices = label_kinds, FROM("true")),
    KEY(data.labels.random_fraction, REAL,
        "Share of labels drawn anew, uniformly, so that some of them stay right.", NUMBERS(0, 1),
        DERIVED("0 (random labels: 1)")),
    KEY(data.labels.noisy_test, BOOLEAN, "Test labels are drawn anew likewise.", FROM("false")),
    KEY(data.labels.worst_case_norm, CHOICE,
        "Norm of worst-case labels: that of labels +1 and -1, or one.", .choices = worst_case_norms,
        FROM("sqrt-samples"), ONLY("data.labels.kind", WW_LABELS_WORST_CASE)),
    KEY(network.width, INTEGER, "Number m of hidden units.", AT_LEAST(1), FROM("1000"),
        .unit = "hidden units"),
    KEY(network.depth, INTEGER, "Number L of hidden layers, each of network.width units.",
        INTEGERS(1, 1000), FROM("1"), .unit = "hidden layers"),
    KEY(network.activation.kind, CHOICE, "Activation of the hidden units.", .choices = activations,
        FROM_MODEL),
    KEY(network.activation.slope, REAL, "Slope of the activation left of zero.", NUMBERS(0, 1),
        .above = true, .below = true, REQUIRED,
        ONLY("network.activation.kind", WW_ACTIVATION_LEAKY_RELU)),
    KEY(network.start, CHOICE,
        "Where the weights begin; file: those of another run; fit: weights that give every train "
        "sample its label; bad-fit: these and every test sample the wrong one; local-minimum: a "
        "spurious one of the ReLU loss.",
        .choices = starts, FROM("drawn")),
    KEY(network.start_file, PATH,
        "File with a run of the same width, dimension and outputs; its newest checkpoint is read "
        "once, and kept as output.record: initial-weights keeps it.",
        REQUIRED, ONLY("network.start", WW_START_FILE)),
    KEY(network.start_run, INTEGER, "Number of the run in that file.", AT_LEAST(0), FROM("0"),
        ONLY("network.start", WW_START_FILE)),
    KEY(network.hidden.kind, CHOICE,
        "How hidden weights are drawn; ball: rows uniform in a ball; cube: every weight uniform in "
        "[-radius, radius]; opposed: every weight -radius / sqrt(d) in the first half of the units "
        "and the opposite in the rest.",
        .choices = hidden, FROM_MODEL, ONLY_DRAWN),
    KEY(network.hidden.std, REAL, "Standard deviation of an initial hidden weight, before scaling.",
        POSITIVE, FROM_MODEL, ONLY("network.hidden.kind", WW_HIDDEN_GAUSSIAN)),
    KEY(network.hidden.radius, REAL,
        "Largest norm R of a unit's hidden weights, or of cube the largest weight, before scaling.",
        POSITIVE, FROM("1.0"), EXCEPT("network.hidden.kind", WW_HIDDEN_GAUSSIAN)),
    KEY(network.hidden.scaling, CHOICE,
        "inverse-sqrt-width: the standard deviation, or the radius, is divided by sqrt(width).",
        .choices = scalings, FROM_MODEL, ONLY_DRAWN),
    KEY(network.hidden.pairs, CHOICE,
        "antisymmetric: units 2r and 2r + 1 begin with the same hidden weights and opposite output "
        "weights, so that all outputs are exactly 0 at the start.",
        .choices = pairs, FROM("none"), ONLY_DRAWN),
    KEY(network.output.kind, CHOICE,
        "Distribution of the output weights; signs: +1 and -1 with equal chance, times the scale; "
        "halves: +1 for the first half of the units and -1 for the rest, times the scale.",
        .choices = outputs, FROM_MODEL, EXCEPT("network.start", WW_START_FILE)),
    KEY(network.output.scale, REAL, "Standard deviation of an output weight, before scaling.",
        POSITIVE, FROM_MODEL, EXCEPT("network.start", WW_START_FILE)),
    KEY(network.output.scaling, CHOICE,
        "inverse-sqrt-width: output weights are divided by sqrt(width); inverse-sqrt-outputs: by "
        "the "
        "square root of the number of outputs.",
        .choices = output_scalings, FROM_MODEL, EXCEPT("network.start", WW_START_FILE)),
    KEY(network.train_output, BOOLEAN, "The output weights are trained too.", FROM("false")),
    KEY(loss, CHOICE,
        "Loss that is minimised; squared: half the squared distance of the outputs from the "
        "targets; hinge: max(1 - y f, 0), of two classes.",
        .choices = losses, FROM_MODEL),
    KEY(loss_reduction, CHOICE, "Whether losses are means or sums over samples.",
        .choices = reductions, FROM_MODEL),
    KEY(training.method, CHOICE, "sgd: gradient of a batch; gd: gradient of all training samples.",
        .choices = methods, FROM_MODEL),
    KEY(training.batch, INTEGER, "Number B of samples in a batch.", AT_LEAST(1), FROM_MODEL,
        .unit = "samples", ONLY("training.method", WW_METHOD_SGD)),
    KEY(training.epochs, INTEGER,
        "Passes over the train set, in place of training.steps, which then follows; 0: none.",
        AT_LEAST(0), FROM_MODEL, .unit = "epochs", .restart = true),
    KEY(training.steps, INTEGER, "Number T of steps; 0 measures the initial weights.", AT_LEAST(0),
        DERIVED("400 (with training.epochs: so many times the batches of an epoch)"),
        .unit = "steps", .restart = true),
    KEY(training.rate, REAL, "Learning rate, before scaling.", POSITIVE, FROM_MODEL),
    KEY(training.rate_scaling, CHOICE,
        "inverse-width: the learning rate is divided by the width m; inverse-curvature: it is "
        "multiplied by k / (L^2 m), with k outputs and L hidden layers.",
        .choices = rate_scalings, FROM_MODEL),
    KEY(training.sampling, CHOICE,
        "permutation: epochs, reshuffled, what does not fill a batch is dropped; "
        "replacement: every sample of a batch is drawn from all; sequential: in the order of the "
        "train set, again and again.",
        .choices = samplings, FROM("permutation"), ONLY("training.method", WW_METHOD_SGD)),
    KEY(training.engine, CHOICE,
        "How a step is computed; dense: one by one; window: the products of many coming steps "
        "at once; samples: by what the weights come to on the train samples, in their stead, for "
        "few samples; lazy: by the changes of activation patterns, for output weights that stay: "
        "the wider the network, the faster beside the others; of one output and weights of one "
        "magnitude most of all; layers: "
        "any "
        "number of hidden layers; auto: layers with several of them or model zou-gu, else dense, "
        "window, samples or lazy, which is likely to be the fastest, by a model of their costs; "
        "the file has the one that was chosen.",
        .choices = engines, FROM("auto")),
    KEY(training.stop, STOP_RULES,
        "Training ends early where a scalar quantity reaches its threshold.", ANY_NUMBER,
        FROM("{}"), .restart = true),
    KEY(training.stop_at_rest, BOOLEAN,
        "Training ends with the last step that changes a weight: once no train sample would.",
        FROM("true"), ONLY("loss", WW_LOSS_HINGE)),
    KEY(measure.every, INTEGER, "Steps between two records of the trajectory.", AT_LEAST(1),
        DERIVED("10 (with training.epochs: the batches of an epoch)"), .unit = "steps"),
    KEY(measure.quantities, WORD_LIST,
        "What is recorded along the trajectory (`widthwise list quantities`); all is all single "
        "numbers, train_outputs and test_outputs can stand beside it. Data without classes "
        "(data.hdf5.kind: targets) have test_loss for the accuracies of the preset.",
        .all = true, FROM_MODEL),
    KEY(measure.final, WORD_LIST,
        "What is computed at the end (`widthwise list results`); all is all but gram.", .all = true,
        FROM_MODEL, .restart = true),
    KEY(measure.snapshots, INTEGER_LIST,
        "Rising steps at which the weights are kept for good, up to training.steps.", AT_LEAST(0),
        FROM("[]"), .unit = "steps"),
    KEY(measure.accuracy_target, REAL,
        "Test accuracy that steps_to_accuracy and distance_at_accuracy wait for.", NUMBERS(0, 1),
        .above = true, FROM("0.98")),
    KEY(measure.pseudo_gradient_threshold, REAL,
        "Norm above which a unit counts in pseudo_gradient_large.", NOT_NEGATIVE, FROM("0.01")),
    KEY(measure.spectral_tolerance, REAL, "Relative error that spectral norms of weights may have.",
        NUMBERS(1e-14, 1), .below = true, FROM("1e-6")),
    KEY(gram.depth, INTEGER, "Number L of hidden layers of the kernel.", INTEGERS(1, 1000),
        DERIVED("network.depth"), .unit = "hidden layers", .restart = true),
    KEY(gram.gradient, CHOICE,
        "Gradients that the kernel of several layers is made of: by the last hidden layer or by "
        "all.",
        .choices = gradients, FROM_MODEL, .restart = true),
    KEY(gram.labels, CHOICE_LIST,
        "Labels that are projected and solved for beside those trained on.", .choices = gram_labels,
        FROM("[true, random, worst-case]"), .restart = true),
    KEY(gram.spectrum, CHOICE,
        "none: only what solves give; values: all eigenvalues; full: also the projections of "
        "labels and the predictions that need eigenvectors, four times the memory.",
        .choices = gram_spectra, FROM("full"), .restart = true),
    KEY(gram.eigenvectors, BOOLEAN, "Eigenvectors are kept in the file, n x n.", FROM("false"),
        .restart = true),
    KEY(gram.network, BOOLEAN, "H(0) of the finite network is looked at too.",
        DERIVED("whether there is one hidden layer, and all output weights have one magnitude "
                "(network.output.kind: signs, halves)"),
        .restart = true),
    KEY(gram.solver, CHOICE, "Library that finds the eigenvalues.", .choices = solvers,
        FROM("scalapack"), .restart = true),
    KEY(gram.block, INTEGER, "Size of the blocks that the Gram matrix is divided into.",
        INTEGERS(1, 4096), FROM("32"), .unit = "samples", .restart = true),
    KEY(gram.grid, INTEGER_LIST,
        "Rows and columns of the grid of ranks, no more ranks than there are; empty: chosen. With "
        "[1, 1] results have the same bits on any number of ranks, and one rank does the work.",
        INTEGERS(1, 1 << 20), FROM("[]"), .unit = "ranks", .restart = true),
    KEY(theory.failure_probability, REAL, "Probability delta that a theorem may fail with.",
        NUMBERS(0, 1), .above = true, .below = true, FROM("0.01"), .restart = true),
    KEY(theory.target_loss, REAL, "Train loss epsilon that predicted iterations are counted to.",
        POSITIVE, FROM("0.001"), .restart = true),
    KEY(output.checkpoint_every, INTEGER,
        "Steps between two checkpoints; 0: only by time and at the end.", AT_LEAST(0), FROM_MODEL,
        .unit = "steps", .restart = true),
    KEY(output.checkpoint_minutes, REAL,
        "Time between two checkpoints; 0: only by steps and at the end.", NOT_NEGATIVE, FROM_MODEL,
        .unit = "minutes", .restart = true),
    KEY(output.commit_seconds, REAL,
        "Time after which records are committed also without a checkpoint, for readers of a "
        "running "
        "job; 0: after every step.",
        NOT_NEGATIVE, FROM("2.0"), .unit = "seconds", .restart = true),
    KEY(output.record, CHOICE_LIST,
        "What the file keeps besides, for an outside check that replays the run.",
        .choices = records, FROM("[]")),
    KEY(replicas, INTEGER,
        "Number R of independent runs with seeds of their own, side by side in this one: its "
        "results "
        "have an axis [replicas]. They keep no weights.",
        AT_LEAST(1), FROM("1"), .unit = "runs", .restart = true),
    KEY(replica_seeds, CHOICE_LIST,
        "Seeds that differ between replicas: replica r has seed + r, and the other seeds as they "
        "are.",
        .choices = seeds, FROM("[data, weights, batches]")),
};

enum { KEY_COUNT = sizeof keys / sizeof keys[0] };

_Static_assert((int)KEY_COUNT <= (int)WW_KEY_LIMIT, "raise WW_KEY_LIMIT");
_Static_assert(sizeof(ww_source) == sizeof(int), "choices are stored through int");
_Static_assert(WW_RECORD_DATA == 1 << 0 && WW_RECORD_INITIAL_WEIGHTS == 1 << 1 &&
                   WW_RECORD_BATCHES == 1 << 2,
               "records[] is in the order of the bits");
_Static_assert(WW_GRAM_TRUE == 1 << 0 && WW_GRAM_RANDOM == 1 << 1 && WW_GRAM_WORST_CASE == 1 << 2,
               "gram_labels[] is in the order of the bits");
_Static_assert(WW_SEED_DATA == 1 << 0 && WW_SEED_WEIGHTS == 1 << 1 && WW_SEED_BATCHES == 1 << 2,
               "seeds[] is in the order of the bits");

size_t ww_key_count(void)
{
    return KEY_COUNT;
}

const ww_key *ww_key_at(size_t index)
{
    WW_ASSERT(index < KEY_COUNT);
    return &keys[index];
}

size_t ww_key_find(const char *path)
{
    size_t index = 0;
    while (index < KEY_COUNT && strcmp(keys[index].path, path) != 0)
        index++;
    return index;
}

bool ww_key_is_section(const char *path)
{
    const size_t length = strlen(path);
    for (size_t index = 0; index < KEY_COUNT; index++)
        if (strncmp(keys[index].path, path, length) == 0 && keys[index].path[length] == '.')
            return true;
    return false;
}

// True when `path` ends in the component(s) `word`.
static bool ends_in(const char *path, const char *word)
{
    const size_t length = strlen(path), tail = strlen(word);
    return tail < length && path[length - tail - 1] == '.' &&
           strcmp(path + length - tail, word) == 0;
}

bool ww_key_suggest(const char *path, char *suggestion, size_t size)
{
    // Sections are the starts of keys: two candidates for each key, its path and its section.
    char sections[KEY_COUNT][WW_PATH_LIMIT];
    const char *candidates[2 * KEY_COUNT];
    for (size_t index = 0; index < KEY_COUNT; index++) {
        (void)snprintf(sections[index], WW_PATH_LIMIT, "%s", keys[index].path);
        char *dot = strrchr(sections[index], '.');
        if (dot != NULL)
            *dot = '\0';
        candidates[index] = keys[index].path;
        candidates[KEY_COUNT + index] = sections[index];
    }
    const char *near = ww_nearest(path, candidates, sizeof candidates / sizeof candidates[0]);
    // "width" is far from "network.width" letter by letter, yet that is what was meant.
    const char *word = strrchr(path, '.') == NULL ? path : strrchr(path, '.') + 1;
    for (size_t index = 0; near == NULL && index < KEY_COUNT; index++)
        if (ends_in(keys[index].path, word))
            near = keys[index].path;
    (void)snprintf(suggestion, size, "%s", near == NULL ? "" : near);
    return near != NULL;
}

void *ww_key_member(const ww_key *key, ww_config *config)
{
    return (char *)config + key->offset;
}

const void *ww_key_value(const ww_key *key, const ww_config *config)
{
    return (const char *)config + key->offset;
}

bool ww_key_in_use(const ww_key *key, const ww_config *config)
{
    if (key->condition == NULL)
        return true;
    const ww_key *condition = ww_key_at(ww_key_find(key->condition));
    if (!ww_key_in_use(condition, config))
        return false;
    const int choice = *(const int *)ww_key_value(condition, config);
    return (key->states >> choice & 1u) != 0;
}

bool ww_key_is_swept(const char *path, const char *label)
{
    const size_t length = strlen(path);
    for (const char *word = label; word != NULL; word = strchr(word, ' ')) {
        word += *word == ' ';
        if (strncmp(word, path, length) == 0 && word[length] == '=')
            return true;
    }
    return false;
}
