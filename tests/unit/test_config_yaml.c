// The resolved YAML reads back to the same configuration, and no text, however broken, does harm.
#include "config_support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A small generator of its own: these tests must not change with the one of the library.
static uint64_t next_number(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

static int64_t pick_integer(const ww_key *key, uint64_t *state)
{
    const int64_t span = key->most - key->least;
    return key->least + (int64_t)next_number(state) % (span < 1000 ? span + 1 : 1000);
}

static double pick_real(const ww_key *key, uint64_t *state)
{
    const double unit = ((double)next_number(state) + 0.5) / 2147483648.0; // within (0, 1)
    if (isinf(key->low))
        return (unit - 0.5) * pow(10.0, (double)(next_number(state) % 30));
    if (isinf(key->high))
        return key->low + unit * pow(10.0, (double)(next_number(state) % 40) - 20.0);
    return key->low + unit * (key->high - key->low);
}

// A random value for `key`, as a user may write it.
static void write_value(const ww_key *key, uint64_t *state, FILE *stream)
{
    static const char *const words[] = {"loss", "test_accuracy", "null", "n", "x-1", "7"};
    const size_t some = next_number(state) % 4;
    const size_t step = key->most < 30 ? 3 : 10; // of lists of integers
    switch (key->type) {
    case WW_KEY_INTEGER:
    case WW_KEY_SAMPLES:
        fprintf(stream, "%lld", (long long)pick_integer(key, state));
        break;
    case WW_KEY_REAL:
        fprintf(stream, "%.17g", pick_real(key, state));
        break;
    case WW_KEY_BOOLEAN:
        fputs(some % 2 == 0 ? "true" : "false", stream);
        break;
    case WW_KEY_NAME:
        fputs(some == 0   ? "true"
              : some == 1 ? "'0x1'"
              : some == 2 ? "a.b-C_9"
                          : "\"null\"",
              stream);
        break;
    case WW_KEY_TEXT:
    case WW_KEY_PATH:
        fputs(some == 0   ? "\"tab\\t \\\"quoted\\\" back\\\\slash: #, \\x7F\\e\""
              : some == 1 ? "\"\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80 \\u0085\""
              : some == 2 ? "/plain/path-1.gz"
                          : "'1e5'",
              stream);
        break;
    case WW_KEY_CHOICE: {
        size_t count = 0;
        while (key->choices[count] != NULL)
            count++;
        fputs(key->choices[next_number(state) % count], stream);
        break;
    }
    case WW_KEY_INTEGER_LIST:
        fputc('[', stream);
        for (size_t i = 0; i < (some == 1 ? 2 : some); i++)
            fprintf(stream, "%zu, ", step * i + next_number(state) % step);
        fputc(']', stream);
        break;
    case WW_KEY_REAL_LIST: // probabilities: their sum is checked, so only equal ones
        fputs(some == 0 ? "[]" : "[0.1, 0.3, 0.25, 0.35]", stream);
        break;
    case WW_KEY_TEXT_LIST:
        fputs(some < 2 ? "[\"a b\\t\", /plain/path-1.gz]" : "['1e5', \"null\", ../c]", stream);
        break;
    case WW_KEY_CHOICE_LIST:
        fprintf(stream, "[%s%s%s]", some % 2 == 0 ? "" : key->choices[2], some == 3 ? ", " : "",
                some < 2    ? ""
                : some == 2 ? key->choices[0]
                            : key->choices[1]);
        break;
    case WW_KEY_WORD_LIST:
        if (key->all && some == 0)
            fputs("all", stream);
        else
            fprintf(stream, "[\"%s\", %s]", words[next_number(state) % 3],
                    words[4 + next_number(state) % 2]);
        break;
    case WW_KEY_STOP_RULES:
        fputc('{', stream);
        for (size_t i = 0; i < some; i++)
            fprintf(stream, "\"%s\": %.17g, ", words[i], pick_real(key, state));
        fputc('}', stream);
        break;
    }
}

// Changes choices that do not go together.
static void settle_choices(ww_config *choices)
{
    const bool fixed_samples = choices->data.source == WW_SOURCE_POINTS ||
                               choices->data.source == WW_SOURCE_ORTHONORMAL ||
                               choices->data.source == WW_SOURCE_SPHERE;
    if (fixed_samples)
        choices->data.subset.kind = WW_SUBSET_NONE;
    if ((choices->data.source == WW_SOURCE_FUNCTION || choices->data.source == WW_SOURCE_SPHERE) &&
        choices->loss == WW_LOSS_HINGE)
        choices->loss = WW_LOSS_SQUARED;
    if (!ww_config_has_classes(choices)) {
        choices->data.subset.kind = WW_SUBSET_NONE;
        choices->loss = WW_LOSS_SQUARED;
    }
    if (choices->network.start == WW_START_LOCAL_MINIMUM)
        choices->network.activation.kind = WW_ACTIVATION_RELU;
    if (choices->network.start >= WW_START_FIT)
        choices->network.output.kind = WW_OUTPUT_HALVES;
}

// A random configuration: every key in use has a chance to be given. Choices come first, so that
// ww_key_in_use can be asked about the rest.
static char *write_config(uint64_t seed)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    assert_non_null(stream);
    uint64_t state = seed;
    ww_config choices;
    memset(&choices, 0, sizeof choices);
    choices.data.source = (ww_source)(next_number(&state) % 10);
    choices.data.hdf5.kind = (ww_hdf5_kind)(next_number(&state) % 2);
    choices.data.subset.kind = (ww_subset)(next_number(&state) % 2);
    choices.network.start = (ww_start)(next_number(&state) % 5);
    choices.network.hidden.kind = (ww_hidden)(next_number(&state) % 4);
    choices.network.train_output = next_number(&state) % 2 == 0;
    choices.data.function.kind = (ww_function)(next_number(&state) % 5);
    choices.data.labels.kind = (ww_labels)(next_number(&state) % 3);
    choices.network.activation.kind = (ww_activation)(next_number(&state) % 2);
    choices.loss = (ww_loss_kind)(next_number(&state) % 3);
    choices.training.method = (ww_method)(next_number(&state) % 2);
    choices.network.output.kind = (ww_output)(next_number(&state) % 3);
    choices.gram.spectrum = (ww_gram_spectrum)(next_number(&state) % 3);
    const bool is_deep = next_number(&state) % 4 == 0;
    bool has_replicas = next_number(&state) % 8 == 0; // which leave no room for much else
    if (choices.data.labels.kind == WW_LABELS_WORST_CASE) {
        choices.loss = WW_LOSS_SQUARED;
        has_replicas = false;
    }
    if (is_deep) {
        choices.network.start = WW_START_DRAWN;
        choices.network.hidden.kind = WW_HIDDEN_GAUSSIAN;
    }
    settle_choices(&choices);
    if (choices.network.start == WW_START_FILE) // whose weights replicas do not keep
        has_replicas = false;
    for (size_t index = 0; index < ww_key_count(); index++) {
        const ww_key *key = ww_key_at(index);
        const char *path = key->path;
        if (strcmp(path, "replicas") == 0
                ? !has_replicas
                : has_replicas && (strcmp(path, "output.record") == 0 ||
                                   strcmp(path, "measure.snapshots") == 0))
            continue;
        static const char *const chosen[] = {
            "data.source",   "data.function.kind",      "data.labels.kind",
            "loss",          "network.activation.kind", "training.method",
            "gram.spectrum", "network.output.kind",     "data.subset.kind",
            "network.start", "network.hidden.kind",     "network.train_output",
            "data.hdf5.kind"};
        bool fixed = false;
        for (size_t i = 0; i < sizeof chosen / sizeof chosen[0]; i++)
            fixed = fixed || strcmp(path, chosen[i]) == 0;
        // Left to their defaults: what other keys fix, or would have to fit.
        if (strcmp(path, "data.train") == 0 || strcmp(path, "data.test") == 0 ||
            strcmp(path, "data.labels.random_fraction") == 0 ||
            strcmp(path, "data.points.classes") == 0 || strcmp(path, "training.steps") == 0)
            continue;
        // What fits only some of the choices.
        if ((strcmp(path, "gram.eigenvectors") == 0 &&
             choices.gram.spectrum != WW_GRAM_SPECTRUM_FULL) ||
            ((strcmp(path, "training.engine") == 0 || strcmp(path, "precision") == 0) &&
             (is_deep || choices.training.method == WW_METHOD_GD)) ||
            (strcmp(path, "gram.network") == 0 &&
             (is_deep || !ww_config_has_one_magnitude(&choices))) ||
            (strcmp(path, "network.hidden.pairs") == 0 &&
             (is_deep || choices.network.output.kind == WW_OUTPUT_HALVES)) ||
            (strcmp(path, "data.last_coordinate") == 0 &&
             choices.data.source != WW_SOURCE_SPHERE) ||
            (strcmp(path, "network.depth") == 0 && !is_deep))
            continue;
        if (!ww_key_in_use(key, &choices) ||
            (!fixed && strcmp(path, "data.points.components") != 0 &&
             strcmp(path, "data.orthonormal.dimension") != 0 &&
             strcmp(path, "data.sphere.separation") != 0 && // which arcs need

             key->default_from != WW_DEFAULT_NONE && next_number(&state) % 3 == 0))
            continue;
        fprintf(stream, "%s: ", path);
        if (fixed)
            ww_value_print(key, &choices, stream);
        else if (strcmp(path, "data.mixture.classes") == 0)
            fputs("4", stream); // fits the list of probabilities
        else if (strcmp(path, "data.mixture.components") == 0)
            fputs("1", stream);
        else if (strcmp(path, "data.orthonormal.dimension") == 0) // no fewer than a batch
            fprintf(stream, "%llu", (unsigned long long)(1000 + next_number(&state) % 100));
        else if (strcmp(path, "data.points.components") == 0)
            fprintf(stream, "%llu", (unsigned long long)(100 + next_number(&state) % 100));
        else if (strcmp(path, "training.engine") == 0) // in either precision
            fputs(next_number(&state) % 2 == 0 ? "auto" : "layers", stream);
        else if (strcmp(path, "data.sphere.arcs") == 0 ||
                 strcmp(path, "data.sphere.dimension") == 0)
            fprintf(stream, "%llu", (unsigned long long)(3 + next_number(&state) % 100));
        else if (strcmp(path, "data.sphere.separation") == 0)
            fprintf(stream, "%.17g", 0.001 * (double)(1 + next_number(&state) % 1000));
        else if (strcmp(path, "network.width") == 0) // even, for pairs
            fprintf(stream, "%llu", (unsigned long long)(2 + 2 * (next_number(&state) % 5000)));
        else if (strcmp(path, "data.function.terms") == 0) // no more than there are directions
            fputs("2", stream);
        else if (strcmp(path, "data.function.dimension") == 0)
            fprintf(stream, "%llu", (unsigned long long)(2 + next_number(&state) % 100));
        else if (strcmp(path, "training.epochs") == 0)
            fprintf(stream, "%llu", (unsigned long long)(400 + next_number(&state) % 1000));
        else if (strcmp(path, "data.subset.candidates") == 0)
            fputs("5000", stream);
        else if (strcmp(path, "gram.grid") == 0)
            fputs("[2, 3]", stream);
        else if (strcmp(path, "data.mixture.probabilities") == 0 && next_number(&state) % 2 == 0)
            fputs("[]", stream);
        else
            write_value(key, &state, stream);
        fputc('\n', stream);
    }
    if (choices.training.method == WW_METHOD_SGD && choices.data.source != WW_SOURCE_POINTS &&
        choices.data.source != WW_SOURCE_ORTHONORMAL)
        fputs("data.train: 2000\n", stream);
    assert_int_equal(fclose(stream), 0);
    return text;
}

static void expect_round_trip(const ww_config *config)
{
    ww_error error = {0};
    char *yaml = ww_config_to_yaml(config, &error);
    assert_non_null(yaml);
    for (const char *letter = yaml; *letter != '\0'; letter++)
        assert_true(*letter == '\n' || (*letter >= ' ' && *letter <= '~')); // plain ASCII
    ww_experiment again;
    if (ww_experiment_parse(yaml, "resolved", "/elsewhere", NULL, 0, &again, &error) != WW_OK)
        fail_msg("refused: %s\n%s", error.message, yaml);
    assert_int_equal(again.count, 1);
    expect_equal(config, again.members);
    assert_true(ww_config_same_data(config, again.members));
    char *second = ww_config_to_yaml(again.members, &error);
    assert_string_equal(yaml, second);
    free(second);
    free(yaml);
    ww_experiment_free(&again);
}

static void test_resolved_yaml_reads_back(void **state)
{
    (void)state;
    bool changed[WW_KEY_LIMIT] = {false};
    ww_experiment usual = parse("");
    size_t taken = 0;
    for (uint64_t seed = 0; seed < 350; seed++) {
        char *text = write_config(seed);
        ww_experiment experiment;
        ww_error error = {0};
        // Probabilities and components that do not fit each other are refused, and replicas that
        // are all the same: not the point here.
        const ww_status status =
            ww_experiment_parse(text, "random", "/folder", NULL, 0, &experiment, &error);
        if (status != WW_OK && strstr(error.message, "data.mixture.probabilities has") == NULL &&
            strstr(error.message, "replica_seeds is empty") == NULL)
            fail_msg("refused: %s\n%s", error.message, text);
        free(text);
        if (status != WW_OK)
            continue;
        taken++;
        expect_round_trip(experiment.members);
        for (size_t index = 0; index < ww_key_count(); index++)
            if (!ww_value_equal(ww_key_at(index), usual.members, experiment.members))
                changed[index] = true;
        ww_experiment_free(&experiment);
    }
    assert_true(taken > 250);
    // Every key took part with a value that is not its default, but for those that can have no
    // other.
    for (size_t index = 0; index < ww_key_count(); index++) {
        const ww_key *key = ww_key_at(index);
        const bool single = (key->type == WW_KEY_CHOICE && key->choices[1] == NULL) ||
                            (key->type == WW_KEY_INTEGER && key->least == key->most) ||
                            strcmp(key->path, "data.points.classes") == 0 ||
                            strcmp(key->path, "training.steps") == 0;
        if (!changed[index] && !single)
            fail_msg("%s was never tried", key->path);
    }
    ww_experiment_free(&usual);
}

static void test_members_of_a_sweep_read_back(void **state)
{
    (void)state;
    ww_experiment experiment =
        parse("training: {batch: 8, steps: 1e3}\nseeds: {batches: 3}\n"
              "data: {points: {classes: 3, components: 7}, labels: {kind: random}}\n"
              "sweep: {training.method: [gd, sgd], data.source: [points, mixture, xor-balls],\n"
              "        training.rate: [0.1, 1e-5, 3e20, 0.30000000000000004]}\n");
    assert_int_equal(experiment.count, 24);
    for (size_t i = 0; i < experiment.count; i++)
        expect_round_trip(&experiment.members[i]);
    ww_experiment_free(&experiment);
    experiment = parse("data: {source: hdf5, train: all, test: all, hdf5: {file: a}}");
    expect_round_trip(experiment.members);
    ww_experiment_free(&experiment);
}

static void test_yaml_has_the_sections_once(void **state)
{
    (void)state;
    ww_experiment experiment = parse("data: {source: xor-balls}\ntraining: {stop: {loss: 1e-3}}");
    char *yaml = ww_config_to_yaml(experiment.members, NULL);
    assert_non_null(yaml);
    assert_non_null(strstr(yaml, "\ndata:\n  source: xor-balls\n  train: 1000\n"));
    assert_non_null(strstr(
        yaml, "\n  xor_balls:\n    diameter: 0.1\n    distance: 2.0\n  last_coordinate: 0.0\n  "
              "subset:\n    kind: none\n  labels:\n"
              "    kind: \"true\"\n"));
    assert_non_null(strstr(yaml, "\n  stop: {loss: 0.001}\n"));
    assert_null(strstr(yaml, "mixture"));
    free(yaml);
    ww_experiment_free(&experiment);
}

// Parses whatever it is; a message must come with every refusal.
static void try_text(const char *text)
{
    ww_experiment experiment;
    ww_error error = {0};
    const ww_status status =
        ww_experiment_parse(text, "broken", "/folder", NULL, 0, &experiment, &error);
    assert_true(status == WW_OK || status == WW_USAGE);
    assert_int_equal(status == WW_OK, error.message[0] == '\0');
    if (status == WW_OK)
        ww_experiment_free(&experiment);
}

static void test_broken_texts_do_no_harm(void **state)
{
    (void)state;
    ww_experiment usual = parse("training: {stop: {loss: 0.1}}\noutput: {record: [data]}\n");
    char *resolved = ww_config_to_yaml(usual.members, NULL);
    assert_non_null(resolved);
    ww_experiment_free(&usual);
    char text[4096];
    (void)snprintf(text, sizeof text,
                   "%ssweep:\n  seed: [1, 2]\n  zip: {network.width: [5, 6], training.rate: &a [1, "
                   "2]}\n  measure.every: *a\n",
                   resolved);
    free(resolved);
    const size_t length = strlen(text);
    ww_experiment whole = parse(text);
    assert_int_equal(whole.count, 8);
    ww_experiment_free(&whole);
    char *broken = malloc(length + 1); // of exact size: the sanitizer sees a read beyond it
    assert_non_null(broken);
    for (size_t cut = 0; cut < length; cut++) {
        memcpy(broken, text, cut);
        broken[cut] = '\0';
        try_text(broken);
    }
    uint64_t random = 1;
    static const char letters[] = "[]{}:,&*!|>'\"%@`#?-~\n\t 0e.=\xC3\x80\x01z";
    for (int trial = 0; trial < 1500; trial++) {
        memcpy(broken, text, length + 1);
        for (uint64_t edits = 1 + next_number(&random) % 3; edits > 0; edits--)
            broken[next_number(&random) % length] =
                letters[next_number(&random) % (sizeof letters - 1)];
        try_text(broken);
    }
    free(broken);
}

static void test_deep_and_circular_texts_do_no_harm(void **state)
{
    (void)state;
    static char text[40001];
    memset(text, '[', 20000);
    memset(text + 20000, ']', 20000);
    try_text(text);
    memset(text, '{', 20000);
    try_text(text);
    try_text("&a [*a]");
    try_text("&a {seed: *a}");
    try_text("&a {data: *a}");
    try_text("data: &a {mixture: *a}");
    try_text("sweep: &a {zip: *a}");
    try_text("sweep: {seed: &a [*a]}");
    try_text("training: {stop: &a {loss: *a}}");
    try_text("measure: {snapshots: &a [*a]}");
    try_text("? {a: b}\n: c");
    try_text("%YAML 9.9\n---\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resolved_yaml_reads_back),
        cmocka_unit_test(test_members_of_a_sweep_read_back),
        cmocka_unit_test(test_yaml_has_the_sections_once),
        cmocka_unit_test(test_broken_texts_do_no_harm),
        cmocka_unit_test(test_deep_and_circular_texts_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
