// A configuration as it is: back to YAML, where its values came from, and what follows from them.
#include "widthwise/config.h"

#include "config/check.h"
#include "config/value.h"
#include "widthwise/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// Number of sections that the paths `a` and `b` share from the left, in components.
static size_t shared_sections(const char *a, const char *b)
{
    size_t shared = 0;
    for (; *a != '\0' && *a == *b; a++, b++)
        shared += *a == '.';
    return shared;
}

// Prints "section:" for every section of `path` below the ones it shares with `previous`, then the
// key itself, each two spaces deeper than the section it is in.
static void print_path(const char *path, const char *previous, FILE *stream)
{
    const size_t shared = shared_sections(path, previous);
    size_t depth = 0;
    for (const char *dot = strchr(path, '.'); dot != NULL; dot = strchr(path, '.')) {
        if (depth >= shared)
            fprintf(stream, "%*s%.*s:\n", (int)(2 * depth), "", (int)(dot - path), path);
        path = dot + 1;
        depth++;
    }
    fprintf(stream, "%*s%s: ", (int)(2 * depth), "", path);
}

char *ww_config_to_yaml(const ww_config *config, ww_error *error)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (stream == NULL) {
        (void)ww_fail(error, WW_FAILED, "out of memory for the resolved configuration");
        return NULL;
    }
    const char *previous = "";
    for (size_t index = 0; index < ww_key_count(); index++) {
        const ww_key *key = ww_key_at(index);
        if (!ww_key_in_use(key, config))
            continue;
        print_path(key->path, previous, stream);
        ww_value_print(key, config, stream);
        fputc('\n', stream);
        previous = key->path;
    }
    if (fclose(stream) != 0) {
        free(text);
        (void)ww_fail(error, WW_FAILED, "out of memory for the resolved configuration");
        return NULL;
    }
    return text;
}

void ww_config_where(const ww_config *config, const char *key, char *buffer, size_t size)
{
    const size_t index = ww_key_find(key);
    const int32_t line =
        config->lines == NULL || index == ww_key_count() ? 0 : config->lines[index];
    if (line > 0)
        (void)snprintf(buffer, size, "%s, line %d: %s", config->origin, (int)line, key);
    else if (line < 0)
        (void)snprintf(buffer, size, "--set %s", key);
    else
        (void)snprintf(buffer, size, "%s", key);
}

double ww_config_learning_rate(const ww_config *config, int64_t outputs)
{
    const double width = (double)config->network.width;
    const double depth = (double)config->network.depth;
    switch (config->training.rate_scaling) {
    case WW_RATE_INVERSE_WIDTH:
        return config->training.rate / width;
    case WW_RATE_INVERSE_CURVATURE:
        return config->training.rate * (double)outputs / (depth * depth * width);
    case WW_RATE_NONE:
        break;
    }
    return config->training.rate;
}

static double scaled(const ww_config *config, ww_scaling scaling, int64_t outputs, double value)
{
    switch (scaling) {
    case WW_SCALING_INVERSE_SQRT_WIDTH:
        return value / sqrt((double)config->network.width);
    case WW_SCALING_INVERSE_SQRT_OUTPUTS:
        return value / sqrt((double)outputs);
    case WW_SCALING_NONE:
        break;
    }
    return value;
}

static bool is_gaussian(const ww_config *config)
{
    return config->network.hidden.kind == WW_HIDDEN_GAUSSIAN;
}

double ww_config_hidden_std(const ww_config *config)
{
    return is_gaussian(config)
               ? scaled(config, config->network.hidden.scaling, 1, config->network.hidden.std)
               : 0.0;
}

double ww_config_hidden_radius(const ww_config *config)
{
    return is_gaussian(config)
               ? 0.0
               : scaled(config, config->network.hidden.scaling, 1, config->network.hidden.radius);
}

double ww_config_output_std(const ww_config *config, int64_t outputs)
{
    return scaled(config, config->network.output.scaling, outputs, config->network.output.scale);
}

int64_t ww_config_outputs(const ww_config *config, int64_t classes)
{
    if (!ww_config_has_targets(config))
        return classes;
    if (config->data.source == WW_SOURCE_SPHERE)
        return config->data.sphere.outputs;
    return config->data.source == WW_SOURCE_FUNCTION || classes == 2 ? 1 : classes;
}

bool ww_config_has_layers(const ww_config *config)
{
    if (config->training.engine != WW_ENGINE_AUTO)
        return config->training.engine == WW_ENGINE_LAYERS;
    return config->network.depth > 1 || config->model == WW_MODEL_ZOU_GU;
}

bool ww_config_has_targets(const ww_config *config)
{
    return config->loss != WW_LOSS_CROSS_ENTROPY;
}

bool ww_config_has_classes(const ww_config *config)
{
    return config->data.source != WW_SOURCE_HDF5 || config->data.hdf5.kind == WW_HDF5_LABELS;
}

static const char gram_word[] = "gram";

// Quantities of what steps do to each hidden layer.
static const char *const tracking[] = {"all",
                                       "trajectory_length",
                                       "layer_trajectory_length",
                                       "trajectory_ratio",
                                       "semismoothness",
                                       "semismoothness_ratio"};

static bool has_word(const ww_word_list *list, const char *word)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->words[i], word) == 0)
            return true;
    return false;
}

static ww_status add_word(ww_word_list *list, const char *word, ww_error *error)
{
    if (has_word(list, word))
        return WW_OK;
    char **words = realloc(list->words, (list->count + 1) * sizeof *words);
    if (words == NULL)
        return ww_fail(error, WW_FAILED, "out of memory for a list of names");
    list->words = words;
    words[list->count] = ww_copy_text(word, error);
    if (words[list->count] == NULL)
        return WW_FAILED;
    list->count++;
    return WW_OK;
}

bool ww_config_tracks_layers(const ww_config *config)
{
    bool tracks = false;
    for (size_t i = 0; i < sizeof tracking / sizeof tracking[0]; i++) {
        tracks = tracks || has_word(&config->measure.quantities, tracking[i]);
        for (size_t rule = 0; rule < config->training.stop.count; rule++)
            tracks = tracks || strcmp(config->training.stop.rules[rule].quantity, tracking[i]) == 0;
    }
    return tracks && ww_config_has_layers(config);
}

bool ww_config_wants_gram(const ww_config *config)
{
    return has_word(&config->measure.final, gram_word);
}

ww_status ww_config_want_gram(ww_config *config, ww_error *error)
{
    if (config->replicas > 1)
        return ww_fail(error, WW_USAGE,
                       "replicas have no Gram matrix; take replicas: 1, or a sweep over seeds");
    return add_word(&config->measure.final, gram_word, error);
}

ww_status ww_config_want_quantity(ww_config *config, const char *name, ww_error *error)
{
    ww_word_list *list = &config->measure.quantities;
    return has_word(list, "all") ? WW_OK : add_word(list, name, error);
}

ww_status ww_config_want_result(ww_config *config, const char *name, ww_error *error)
{
    ww_word_list *list = &config->measure.final;
    return has_word(list, "all") ? WW_OK : add_word(list, name, error);
}

bool ww_config_is_default(const ww_config *config, const char *key)
{
    const size_t index = ww_key_find(key);
    WW_ASSERT(index < ww_key_count());
    return config->lines == NULL || config->lines[index] == 0;
}

bool ww_config_same_source(const ww_config *a, const ww_config *b)
{
    static const char section[] = "data.";
    if (ww_config_has_targets(a) != ww_config_has_targets(b)) // without them or with
        return false;
    if ((a->loss == WW_LOSS_HINGE) != (b->loss == WW_LOSS_HINGE)) // which wants a hyperplane
        return false;
    for (size_t index = 0; index < ww_key_count(); index++) {
        const ww_key *key = ww_key_at(index);
        if (strncmp(key->path, section, sizeof section - 1) == 0 && ww_key_in_use(key, a) &&
            !ww_value_equal(key, a, b))
            return false;
    }
    return true;
}

bool ww_config_same_data(const ww_config *a, const ww_config *b)
{
    return ww_config_same_source(a, b) &&
           (a->seeds.data == b->seeds.data || !ww_config_draws_data(a));
}

bool ww_config_draws_data(const ww_config *config)
{
    const ww_source source = config->data.source;
    return !(ww_source_reads_files(source) || source == WW_SOURCE_ORTHONORMAL) ||
           config->data.labels.random_fraction > 0.0;
}

ww_config ww_config_replica(const ww_config *config, int64_t replica)
{
    ww_config copy = *config;
    copy.replicas = 1;
    if ((config->replica_seeds & WW_SEED_DATA) != 0)
        copy.seeds.data += replica;
    if ((config->replica_seeds & WW_SEED_WEIGHTS) != 0)
        copy.seeds.weights += replica;
    if ((config->replica_seeds & WW_SEED_BATCHES) != 0)
        copy.seeds.batches += replica;
    return copy;
}
