#include "config/check.h"

#include "widthwise/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PLACE = 1024, SENTENCE = 2048 };

// Words of a choice as they stand in YAML.
static const char *choice_of(const ww_key *key, const ww_config *config)
{
    return key->choices[*(const int *)ww_key_value(key, config)];
}

ww_status ww_refuse_unused(const ww_config *config, size_t index, const ww_place *place,
                           ww_error *error)
{
    const ww_key *key = ww_key_at(index);
    const ww_key *condition = ww_key_at(ww_key_find(key->condition));
    unsigned states = key->states;
    // The first thing in the way is that a condition has itself no effect.
    for (; !ww_key_in_use(condition, config);
         condition = ww_key_at(ww_key_find(condition->condition)))
        states = condition->states;
    char wanted[SENTENCE] = "";
    int length = 0;
    for (unsigned choice = 0; condition->choices[choice] != NULL; choice++)
        if ((states >> choice & 1u) != 0)
            length += snprintf(wanted + length, sizeof wanted - (size_t)length, "%s%s",
                               length == 0 ? "" : " or ", condition->choices[choice]);
    char other[PLACE];
    ww_config_where(config, condition->path, other, sizeof other);
    return ww_refuse(error, place,
                     "%s has an effect only where %s is %s, but it is %s (%s); leave one of them "
                     "out",
                     key->path, condition->path, wanted, choice_of(condition, config), other);
}

static bool preset_has(ww_model model, const char *path)
{
    for (const ww_preset_value *value = ww_preset_of(model)->values; value->path != NULL; value++)
        if (strcmp(value->path, path) == 0)
            return true;
    return false;
}

static ww_status check_required(const ww_config *config, const ww_given *given, ww_error *error)
{
    for (size_t index = 0; index < ww_key_count(); index++) {
        const ww_key *key = ww_key_at(index);
        if (key->default_from != WW_DEFAULT_NONE || given[index].node != NULL ||
            preset_has(config->model, key->path) || !ww_key_in_use(key, config))
            continue;
        WW_ASSERT(key->condition != NULL);
        return ww_config_refuse(config, key->condition, error, "is %s, which needs %s; give it",
                                choice_of(ww_key_at(ww_key_find(key->condition)), config),
                                key->path);
    }
    return WW_OK;
}

// Checks that the bytes of an array [rows, columns] of doubles can be counted.
static ww_status check_bytes(const ww_config *config, const char *key, int64_t rows,
                             const char *columns_name, int64_t columns, ww_error *error)
{
    int64_t values = 0, bytes = 0;
    if (ww_multiply(rows, columns, key, &values, NULL) != WW_OK ||
        ww_multiply(values, (int64_t)sizeof(double), key, &bytes, NULL) != WW_OK)
        return ww_config_refuse(
            config, key, error,
            "(%lld) times %s (%lld) is more than 64 bits can address; choose fewer",
            (long long)rows, columns_name, (long long)columns);
    return WW_OK;
}

// Input dimension of the source where the configuration alone fixes it, else 1.
static int64_t known_source_dimension(const ww_config *config)
{
    switch (config->data.source) {
    case WW_SOURCE_MIXTURE:
        return config->data.mixture.dimension;
    case WW_SOURCE_POINTS:
        return config->data.points.dimension;
    case WW_SOURCE_XOR_BALLS:
        return 2;
    case WW_SOURCE_FUNCTION:
        return config->data.function.dimension;
    case WW_SOURCE_SEPARABLE:
        return config->data.separable.dimension;
    case WW_SOURCE_ORTHONORMAL:
        return config->data.orthonormal.dimension;
    case WW_SOURCE_SPHERE:
        return config->data.sphere.dimension;
    case WW_SOURCE_CIFAR10:
        return 3072;
    case WW_SOURCE_IDX:
    case WW_SOURCE_HDF5:
        break;
    }
    return 1;
}

static int64_t known_dimension(const ww_config *config)
{
    const bool has_more =
        config->data.last_coordinate > 0.0 && config->data.source != WW_SOURCE_SPHERE;
    const int64_t dimension = known_source_dimension(config);
    return has_more && dimension < INT64_MAX ? dimension + 1 : dimension;
}

static ww_status check_sizes(const ww_config *config, ww_error *error)
{
    const int64_t dimension = known_dimension(config);
    const int64_t train = config->data.train == WW_ALL_SAMPLES ? 1 : config->data.train;
    const int64_t test = config->data.test == WW_ALL_SAMPLES ? 1 : config->data.test;
    WW_TRY(check_bytes(config, "network.width", config->network.width, "the input dimension",
                       dimension, error));
    WW_TRY(check_bytes(config, "data.train", train, "the input dimension", dimension, error));
    WW_TRY(check_bytes(config, "data.test", test, "the input dimension", dimension, error));
    if (config->data.source == WW_SOURCE_MIXTURE)
        WW_TRY(check_bytes(config, "network.width", config->network.width, "the number of classes",
                           config->data.mixture.classes, error));
    if (config->data.source == WW_SOURCE_POINTS)
        WW_TRY(check_bytes(config, "network.width", config->network.width, "the number of classes",
                           config->data.points.classes, error));
    if (config->data.source == WW_SOURCE_SPHERE) {
        WW_TRY(check_bytes(config, "network.width", config->network.width, "the number of outputs",
                           config->data.sphere.outputs, error));
        WW_TRY(check_bytes(config, "data.train", train, "the number of outputs",
                           config->data.sphere.outputs, error));
        WW_TRY(check_bytes(config, "data.test", test, "the number of outputs",
                           config->data.sphere.outputs, error));
    }
    return WW_OK;
}

static bool has_halves(const ww_config *config)
{
    return config->network.start != WW_START_FILE &&
           config->network.output.kind == WW_OUTPUT_HALVES;
}

// What has a meaning, or was built, for one hidden layer only.
static ww_status check_depth(const ww_config *config, ww_error *error)
{
    const long long depth = (long long)config->network.depth;
    if (depth == 1)
        return WW_OK;
    if (config->network.hidden.pairs == WW_PAIRS_ANTISYMMETRIC)
        return ww_config_refuse(
            config, "network.hidden.pairs", error,
            "is antisymmetric, but network.depth is %lld, and pairs cancel in one hidden layer "
            "only; choose none",
            depth);
    if (config->network.start != WW_START_DRAWN)
        return ww_config_refuse(
            config, "network.start", error,
            "is %s, but network.depth is %lld, and only weights of one hidden layer can be taken "
            "or built; choose drawn, or network.depth: 1",
            choice_of(ww_key_at(ww_key_find("network.start")), config), depth);
    if (config->network.hidden.kind != WW_HIDDEN_GAUSSIAN)
        return ww_config_refuse(
            config, "network.hidden.kind", error,
            "is %s, but network.depth is %lld, and only gaussian is drawn for several hidden "
            "layers; choose gaussian",
            choice_of(ww_key_at(ww_key_find("network.hidden.kind")), config), depth);
    if (config->gram.network)
        return ww_config_refuse(
            config, "gram.network", error,
            "is true, but network.depth is %lld; leave it out, and name network_kernel in "
            "measure.final for the kernel of the finite network",
            depth);
    return WW_OK;
}

// Outputs move linearly in steps that change no pattern, if output weights stay as they are; and by
// counts of units, if these have one magnitude, else by sums of weights, for full batches.
static ww_status check_lazy(const ww_config *config, ww_error *error)
{
    const double slope = config->network.activation.kind == WW_ACTIVATION_LEAKY_RELU
                             ? config->network.activation.slope
                             : 0.0;
    const bool is_gaussian = config->network.output.kind == WW_OUTPUT_GAUSSIAN;
    const char *what = config->network.train_output ? "network.train_output: true"
                       : is_gaussian && config->training.method == WW_METHOD_SGD
                           ? "network.output.kind: gaussian with training.method: sgd"
                       : is_gaussian && config->loss == WW_LOSS_HINGE
                           ? "network.output.kind: gaussian with loss: hinge"
                       : config->network.start != WW_START_DRAWN  ? "network.start other than drawn"
                       : config->precision != WW_PRECISION_DOUBLE ? "precision: single"
                       : !(slope >= 0.0 && slope <= 1.0)          ? "a slope outside of [0, 1]"
                                                                  : NULL;
    if (what == NULL)
        return WW_OK;
    return ww_config_refuse(config, "training.engine", error,
                            "is lazy, which is not for %s; choose training.engine: dense", what);
}

static ww_status check_engine(const ww_config *config, ww_error *error)
{
    static const char key[] = "training.engine";
    const ww_engine_kind engine = config->training.engine;
    if (engine == WW_ENGINE_AUTO || engine == WW_ENGINE_LAYERS)
        return WW_OK;
    const char *name = choice_of(ww_key_at(ww_key_find(key)), config);
    if (config->network.depth > 1)
        return ww_config_refuse(
            config, key, error,
            "is %s, which is of one hidden layer, but network.depth is %lld; choose layers or auto",
            name, (long long)config->network.depth);
    if (config->training.engine == WW_ENGINE_WINDOW && config->training.batch > WW_WINDOW_BATCH)
        return ww_config_refuse(
            config, key, error,
            "is window, which takes batches of up to %d samples, but training.batch is %lld; "
            "choose training.engine: dense or smaller batches",
            WW_WINDOW_BATCH, (long long)config->training.batch);
    if (config->training.method == WW_METHOD_GD && config->training.engine == WW_ENGINE_WINDOW)
        return ww_config_refuse(
            config, key, error,
            "is window, which goes over batches, but training.method: gd has none; choose "
            "training.method: sgd or training.engine: dense");
    return engine == WW_ENGINE_LAZY ? check_lazy(config, error) : WW_OK;
}

bool ww_config_takes_engine(const ww_config *config, ww_engine_kind engine)
{
    ww_config other = *config;
    other.training.engine = engine;
    return check_engine(&other, NULL) == WW_OK;
}

static ww_status check_network(const ww_config *config, ww_error *error)
{
    const bool pairs = config->network.hidden.pairs == WW_PAIRS_ANTISYMMETRIC;
    const bool halves = has_halves(config);
    if (pairs && config->network.width % 2 != 0)
        return ww_config_refuse(
            config, "network.width", error,
            "is %lld, but network.hidden.pairs: antisymmetric makes pairs of units; "
            "choose an even width",
            (long long)config->network.width);
    if (halves && config->network.width % 2 != 0)
        return ww_config_refuse(
            config, "network.width", error,
            "is %lld, but network.output.kind: halves makes two halves of the units; "
            "choose an even width",
            (long long)config->network.width);
    if (pairs && halves)
        return ww_config_refuse(
            config, "network.hidden.pairs", error,
            "is antisymmetric, but network.output.kind: halves gives units 2r and 2r + 1 "
            "the same output weight; leave one of them out");
    const ww_start start = config->network.start;
    if ((start == WW_START_FIT || start == WW_START_BAD_FIT || start == WW_START_LOCAL_MINIMUM) &&
        !halves)
        return ww_config_refuse(
            config, "network.output.kind", error,
            "is not halves, but network.start: %s builds on output weights of one size, "
            "half of them positive; choose halves",
            choice_of(ww_key_at(ww_key_find("network.start")), config));
    if (start == WW_START_LOCAL_MINIMUM && config->network.activation.kind != WW_ACTIVATION_RELU)
        return ww_config_refuse(
            config, "network.start", error,
            "is local-minimum, but only the ReLU loss has spurious ones (BR proposition "
            "1); choose network.activation.kind: relu");
    return WW_OK;
}

static ww_status check_loss(const ww_config *config, ww_error *error)
{
    if (!ww_config_has_classes(config) && config->loss != WW_LOSS_SQUARED)
        return ww_config_refuse(
            config, "loss", error,
            "is %s, which is of classes, but the samples have real targets (data.hdf5.kind: "
            "targets); choose loss: squared, as models arora and zou-gu have it, or "
            "data.hdf5.kind: labels",
            choice_of(ww_key_at(ww_key_find("loss")), config));
    if (config->loss != WW_LOSS_HINGE)
        return WW_OK;
    if (config->data.source == WW_SOURCE_FUNCTION || config->data.source == WW_SOURCE_SPHERE)
        return ww_config_refuse(
            config, "loss", error,
            "is hinge, which is of two classes, but source %s has real numbers; "
            "choose loss: squared or another source",
            ww_source_name(config->data.source));
    if (config->data.labels.kind == WW_LABELS_WORST_CASE)
        return ww_config_refuse(
            config, "data.labels.kind", error,
            "is worst-case, whose labels are real numbers, but loss: hinge is of two "
            "classes; choose loss: squared or other labels");
    return WW_OK;
}

static ww_status check_training(const ww_config *config, const ww_given *given, ww_error *error)
{
    const int64_t batch = config->training.batch, train = config->data.train;
    if (config->training.method != WW_METHOD_SGD || train == WW_ALL_SAMPLES || batch <= train)
        return WW_OK;
    // Point at what the user wrote: a batch, or too few samples for the usual one.
    const bool by_batch = ww_is_given(given, "training.batch") || !ww_is_given(given, "data.train");
    if (by_batch)
        return ww_config_refuse(
            config, "training.batch", error,
            "is %lld, more than the %lld samples of data.train; set it to %lld or less, "
            "or training.method: gd",
            (long long)batch, (long long)train, (long long)train);
    return ww_config_refuse(config, "data.train", error,
                            "is %lld, fewer samples than training.batch = %lld (its default); set "
                            "training.batch to %lld or less",
                            (long long)train, (long long)batch, (long long)train);
}

static ww_status check_snapshots(const ww_config *config, ww_error *error)
{
    const ww_integer_list *list = &config->measure.snapshots;
    const char *key = "measure.snapshots";
    for (size_t i = 1; i < list->count; i++)
        if (list->values[i] <= list->values[i - 1])
            return ww_config_refuse(
                config, key, error,
                "has %lld after %lld; write the steps in rising order, each once",
                (long long)list->values[i], (long long)list->values[i - 1]);
    if (list->count > 0 && list->values[list->count - 1] > config->training.steps)
        return ww_config_refuse(
            config, key, error,
            "has step %lld, but training ends at training.steps = %lld; leave it out or "
            "train longer",
            (long long)list->values[list->count - 1], (long long)config->training.steps);
    return WW_OK;
}

// Replicas are for thousands of small runs: what is kept of one in full has no place.
static ww_status check_replicas(const ww_config *config, ww_error *error)
{
    static const char key[] = "replicas";
    if (config->replicas == 1)
        return WW_OK;
    if (config->measure.snapshots.count > 0)
        return ww_config_refuse(
            config, key, error,
            "is %lld, and replicas keep no weights; take measure.snapshots out, or use a "
            "sweep over seeds",
            (long long)config->replicas);
    if (config->output.record != 0)
        return ww_config_refuse(
            config, key, error,
            "is %lld, and replicas record nothing for an outside check; take output.record "
            "out: replica r is the run with seeds raised by r, which can be recorded alone",
            (long long)config->replicas);
    if (config->network.start == WW_START_FILE)
        return ww_config_refuse(
            config, key, error,
            "is %lld, but network.start: file gives all of them the same weights, which no "
            "replica keeps for a restart; use a sweep over seeds",
            (long long)config->replicas);
    if (config->replica_seeds == 0)
        return ww_config_refuse(
            config, key, error,
            "is %lld, but replica_seeds is empty, so all would be the same; name a seed",
            (long long)config->replicas);
    const int64_t largest[] = {config->seeds.data, config->seeds.weights, config->seeds.batches};
    for (size_t i = 0; i < sizeof largest / sizeof largest[0]; i++)
        if (largest[i] > INT64_MAX - config->replicas)
            return ww_config_refuse(config, key, error, "is %lld, and the seeds end at 2^63",
                                    (long long)config->replicas);
    return WW_OK;
}

static ww_status check_gram(const ww_config *config, ww_error *error)
{
    const ww_integer_list *grid = &config->gram.grid;
    if (grid->count != 0 && grid->count != 2)
        return ww_config_refuse(
            config, "gram.grid", error,
            "has %zu numbers; give the rows and the columns of the grid of ranks, such "
            "as [2, 4], or leave it out",
            grid->count);
    if (config->gram.network && !ww_config_has_one_magnitude(config))
        return ww_config_refuse(
            config, "gram.network", error,
            "is true, but H(0) is a sum of patterns only where all output weights have "
            "one magnitude and stay as they are; leave it out, or choose network.output.kind: "
            "signs or halves");
    if (config->gram.eigenvectors && config->gram.spectrum != WW_GRAM_SPECTRUM_FULL)
        return ww_config_refuse(
            config, "gram.eigenvectors", error,
            "is true, but gram.spectrum is not full, so there are none; change one of "
            "them");
    if (config->replicas > 1 && ww_config_wants_gram(config))
        return ww_config_refuse(
            config, "replicas", error,
            "is %lld, and replicas have no Gram matrix; take gram out of measure.final, "
            "or use a sweep over seeds",
            (long long)config->replicas);
    return WW_OK;
}

ww_status ww_config_check(const ww_config *config, const ww_given *given, ww_error *error)
{
    WW_TRY(check_required(config, given, error));
    WW_TRY(ww_config_check_data(config, error));
    WW_TRY(check_sizes(config, error));
    WW_TRY(check_depth(config, error)); // first: what it refuses need not be put right
    WW_TRY(check_network(config, error));
    WW_TRY(check_engine(config, error));
    WW_TRY(check_loss(config, error));
    WW_TRY(check_training(config, given, error));
    WW_TRY(check_replicas(config, error));
    WW_TRY(check_gram(config, error));
    return check_snapshots(config, error);
}
