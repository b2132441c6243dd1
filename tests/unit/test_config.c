// What configurations mean: defaults, values, settings, sweeps, and what follows from them.
#include "config_support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void test_default_is_figure_1_of_li_liang(void **state)
{
    (void)state;
    ww_experiment experiment = parse("");
    assert_int_equal(experiment.count, 1);
    assert_string_equal(experiment.labels[0], "");
    const ww_config *config = experiment.members;
    assert_string_equal(config->name, "figure1");
    assert_string_equal(config->origin, "test.yaml");
    assert_int_equal(config->seed, 1);
    assert_int_equal(config->seeds.data, 1);
    assert_int_equal(config->seeds.weights, 1);
    assert_int_equal(config->seeds.batches, 1);
    assert_int_equal(config->model, WW_MODEL_LI_LIANG);
    assert_int_equal(config->data.source, WW_SOURCE_MIXTURE);
    assert_int_equal(config->data.train, 1000);
    assert_int_equal(config->data.test, 1000);
    assert_int_equal(config->data.normalize, WW_NORMALIZE_SPHERE);
    assert_int_equal(config->data.mixture.dimension, 1000);
    assert_int_equal(config->data.mixture.classes, 10);
    assert_int_equal(config->data.mixture.components, 2);
    assert_true(config->data.mixture.spread == 1.0 && config->data.mixture.separation == 5.0);
    assert_int_equal(config->data.mixture.probabilities.count, 0);
    assert_int_equal(config->data.labels.kind, WW_LABELS_TRUE);
    assert_true(config->data.labels.random_fraction == 0.0);
    assert_int_equal(config->network.width, 1000);
    assert_int_equal(config->network.depth, 1);
    assert_int_equal(config->network.activation.kind, WW_ACTIVATION_RELU);
    assert_true(config->network.hidden.std == 1.0 && config->network.output.scale == 1.0);
    assert_int_equal(config->network.hidden.scaling, WW_SCALING_INVERSE_SQRT_WIDTH);
    assert_int_equal(config->training.method, WW_METHOD_SGD);
    assert_int_equal(config->training.batch, 16);
    assert_int_equal(config->training.steps, 400);
    assert_true(config->training.rate == 10.0);
    assert_int_equal(config->training.rate_scaling, WW_RATE_INVERSE_WIDTH);
    assert_int_equal(config->training.sampling, WW_SAMPLING_PERMUTATION);
    assert_int_equal(config->measure.every, 10);
    assert_int_equal(config->measure.quantities.count, 5);
    assert_string_equal(config->measure.quantities.words[3], "coupling");
    assert_int_equal(config->measure.final.count, 2);
    assert_true(config->measure.accuracy_target == 0.98);
    assert_true(config->measure.pseudo_gradient_threshold == 0.01);
    assert_int_equal(config->output.checkpoint_every, 100);
    assert_int_equal(config->output.record, 0);
    assert_true(fabs(ww_config_learning_rate(config, 1) - 0.01) < 1e-17);
    assert_true(fabs(ww_config_hidden_std(config) - 0.0316227766016837933) < 1e-17);
    for (size_t index = 0; index < ww_key_count(); index++)
        assert_int_equal(config->lines[index], 0);
    ww_experiment_free(&experiment);
}

static void test_preset_of_arora(void **state)
{
    (void)state;
    ww_experiment experiment = parse("model: arora");
    const ww_config *config = experiment.members;
    assert_int_equal(config->model, WW_MODEL_ARORA);
    assert_int_equal(config->network.activation.kind, WW_ACTIVATION_RELU);
    assert_int_equal(config->network.width, 1000);
    assert_true(ww_config_hidden_std(config) == 0.01);
    assert_int_equal(config->network.hidden.pairs, WW_PAIRS_NONE);
    assert_int_equal(config->network.output.kind, WW_OUTPUT_SIGNS);
    assert_true(ww_config_output_std(config, 1) == 1.0 / sqrt(1000.0));
    assert_int_equal(config->loss, WW_LOSS_SQUARED);
    assert_int_equal(config->loss_reduction, WW_REDUCTION_SUM);
    assert_int_equal(config->training.method, WW_METHOD_GD);
    assert_true(ww_config_learning_rate(config, 1) == 0.001);
    assert_int_equal(config->data.mixture.classes, 2);
    assert_int_equal(ww_config_outputs(config, 2), 1);
    assert_int_equal(ww_config_outputs(config, 3), 3);
    ww_experiment_free(&experiment);
    experiment = parse("sweep: {loss: [cross-entropy, squared]}");
    assert_int_equal(ww_config_outputs(&experiment.members[0], 2), 2);
    // Data without targets are others than those with them.
    assert_false(ww_config_same_data(&experiment.members[0], &experiment.members[1]));
    ww_experiment_free(&experiment);
    experiment = parse("{loss: squared, data: {source: function}}");
    assert_int_equal(ww_config_outputs(experiment.members, 2), 1);
    assert_int_equal(experiment.members->data.normalize, WW_NORMALIZE_SPHERE);
    ww_experiment_free(&experiment);
}

static void test_preset_of_brutzkus(void **state)
{
    (void)state;
    ww_experiment experiment = parse("model: brutzkus\nnetwork: {width: 100}");
    const ww_config *config = experiment.members;
    assert_int_equal(config->model, WW_MODEL_BRUTZKUS);
    assert_int_equal(config->data.source, WW_SOURCE_SEPARABLE);
    assert_int_equal(config->data.normalize, WW_NORMALIZE_NONE);
    assert_int_equal(config->network.activation.kind, WW_ACTIVATION_LEAKY_RELU);
    assert_int_equal(config->network.hidden.kind, WW_HIDDEN_BALL);
    assert_int_equal(config->network.output.kind, WW_OUTPUT_HALVES);
    assert_false(config->network.train_output);
    assert_true(ww_config_hidden_radius(config) == 0.1);
    assert_true(ww_config_output_std(config, 1) == 0.1);
    assert_true(ww_config_hidden_std(config) == 0.0);
    assert_int_equal(config->loss, WW_LOSS_HINGE);
    assert_int_equal(config->loss_reduction, WW_REDUCTION_MEAN);
    assert_int_equal(config->training.batch, 1);
    assert_int_equal(config->training.steps, 1000 * 1000); // epochs of data.train
    assert_int_equal(config->measure.every, 1000);
    assert_true(config->training.stop_at_rest);
    assert_int_equal(config->measure.final.count, 0);
    assert_int_equal(ww_config_outputs(config, 2), 1);
    assert_true(ww_config_has_targets(config));
    assert_true(ww_config_has_one_magnitude(config));
    ww_experiment_free(&experiment);
    experiment = parse("{model: brutzkus, data: {source: mixture}, network: {train_output: true}}");
    assert_int_equal(experiment.members->data.normalize, WW_NORMALIZE_BALL);
    assert_false(ww_config_has_one_magnitude(experiment.members));
    ww_experiment_free(&experiment);
}

static void expect_course(const char *text, const char *setting, int64_t steps, int64_t every)
{
    ww_experiment experiment;
    ww_error error = {0};
    const ww_status status = ww_experiment_parse(text, "test.yaml", "/folder", &setting,
                                                 setting != NULL, &experiment, &error);
    if (status != WW_OK)
        fail_msg("%s", error.message);
    assert_int_equal(experiment.members->training.steps, steps);
    assert_int_equal(experiment.members->measure.every, every);
    ww_experiment_free(&experiment);
}

static void test_epochs_become_steps(void **state)
{
    (void)state;
    expect_course("", NULL, 400, 10);
    expect_course("training: {epochs: 3}", NULL, 3 * 62, 62); // 1000 / 16 batches
    expect_course("training: {epochs: 3, steps: 186}", NULL, 186, 62);
    expect_course("training: {epochs: 3}\nmeasure: {every: 5}", NULL, 186, 5);
    expect_course("training: {epochs: 3, method: gd}", NULL, 3, 1);
    expect_course("training: {epochs: 3}", "training.steps=7", 7, 10);
    expect_course("training: {steps: 7}", "training.epochs=2", 124, 62);
    expect_course("model: brutzkus\ntraining: {steps: 7}", NULL, 7, 10);
    expect_course("model: brutzkus\ndata: {train: 30}", NULL, 30000, 30);
    expect_course("model: brutzkus\ndata: {source: orthonormal}", NULL, 10000, 10);
    expect_course("training: {epochs: 0}", NULL, 400, 10);
    // Full batches are one to an epoch, however many samples there are.
    expect_course("data: {source: hdf5, train: all, hdf5: {file: a}}\n"
                  "training: {epochs: 3, method: gd}",
                  NULL, 3, 1);
}

// What a file has follows from the keys that are given, and so do the quantities that make sense.
static void test_targets_of_a_file(void **state)
{
    (void)state;
#define HDF5 "data: {source: hdf5, hdf5: {file: /a"
    const struct {
        const char *yaml;
        bool targets;
        const char *quantities; // from their names, in order
    } cases[] = {
        {"model: arora\n" HDF5 "}}", false, "loss train_accuracy test_accuracy coupling distance "},
        {"model: arora\n" HDF5 ", test_targets: y}}", true, "loss test_loss coupling distance "},
        {"model: arora\n" HDF5 ", kind: targets}}", true, "loss test_loss coupling distance "},
        {"model: arora\n" HDF5 ", kind: targets}}\nmeasure: {quantities: [residual]}", true,
         "residual "},
        {"model: zou-gu\n" HDF5 ", train_targets: y}}", true,
         "loss test_loss contraction distance layer_gradient_norm gradient_ratio "
         "trajectory_length "},
    };
#undef HDF5
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ww_experiment experiment = parse(cases[i].yaml);
        const ww_config *config = experiment.members;
        assert_int_equal(ww_config_has_classes(config), !cases[i].targets);
        assert_int_equal(config->data.hdf5.kind,
                         cases[i].targets ? WW_HDF5_TARGETS : WW_HDF5_LABELS);
        char names[256] = "";
        for (size_t word = 0; word < config->measure.quantities.count; word++) {
            strcat(names, config->measure.quantities.words[word]);
            strcat(names, " ");
        }
        assert_string_equal(names, cases[i].quantities);
        ww_experiment_free(&experiment);
    }
    ww_experiment experiment =
        parse("model: arora\n"
              "data: {source: hdf5, hdf5: {file: /a, train_labels: b, train_targets: c}}\n"
              "sweep: {data.hdf5.kind: [labels, targets]}");
    assert_int_equal(experiment.count, 2);
    assert_string_equal(experiment.members[0].data.hdf5.train_labels, "b");
    assert_string_equal(experiment.members[1].data.hdf5.train_targets, "c");
    assert_false(ww_config_same_source(&experiment.members[0], &experiment.members[1]));
    ww_experiment_free(&experiment);
    experiment = parse("data: {train: 20}");
    assert_true(ww_config_has_classes(experiment.members));
    ww_experiment_free(&experiment);
}

static void test_texts_without_values_are_the_default(void **state)
{
    (void)state;
    const char *const texts[] = {"\n", "# nothing\n", "---\n", "{}", "\xEF\xBB\xBF# a mark\n"};
    ww_experiment usual = parse("");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        ww_experiment experiment = parse(texts[i]);
        expect_equal(usual.members, experiment.members);
        ww_experiment_free(&experiment);
    }
    ww_experiment_free(&usual);
}

static void test_values_of_every_form(void **state)
{
    (void)state;
    ww_experiment experiment =
        parse("seed: 9223372036854775807\n"
              "seeds: {weights: 7}\n"
              "data: &data\n"
              "  source: idx\n"
              "  train: all\n"
              "  test: 2.5e3\n"
              "  idx:\n"
              "    train_images: \"a b/\\u00E9\"\n"
              "    train_labels: ./x//y/../z\n"
              "    test_images: /absolute/file.gz\n"
              "    test_labels: 'l'\n"
              "    classes: [3, 5]\n"
              "    balanced: true\n"
              "network: {activation: {kind: leaky-relu, slope: 1e-2}, width: 1e5}\n"
              "training:\n"
              "  rate_scaling: none\n"
              "  stop: {test_accuracy: 0.98, loss: -1}\n"
              "network.hidden.scaling: \"none\"\n"
              "measure: {quantities: all, final: [], snapshots: [0, 400]}\n"
              "output: {record: [batches, data]}\n");
    const ww_config *config = experiment.members;
    assert_true(config->seed == INT64_MAX && config->seeds.data == INT64_MAX);
    assert_int_equal(config->seeds.weights, 7);
    assert_int_equal(config->data.train, WW_ALL_SAMPLES);
    assert_int_equal(config->data.test, 2500);
    assert_string_equal(config->data.idx.train_images, "/folder/a b/\xC3\xA9");
    assert_string_equal(config->data.idx.train_labels, "/folder/x/y/../z");
    assert_string_equal(config->data.idx.test_images, "/absolute/file.gz");
    assert_string_equal(config->data.idx.test_labels, "/folder/l");
    assert_int_equal(config->data.idx.classes.count, 2);
    assert_int_equal(config->data.idx.classes.values[1], 5);
    assert_true(config->data.idx.balanced);
    assert_int_equal(config->network.width, 100000);
    assert_int_equal(config->network.activation.kind, WW_ACTIVATION_LEAKY_RELU);
    assert_true(config->network.activation.slope == 0.01);
    assert_true(ww_config_learning_rate(config, 1) == 10.0);
    assert_true(ww_config_hidden_std(config) == 1.0);
    assert_int_equal(config->training.stop.count, 2);
    assert_string_equal(config->training.stop.rules[0].quantity, "test_accuracy");
    assert_true(config->training.stop.rules[0].threshold == 0.98);
    assert_true(config->training.stop.rules[1].threshold == -1.0);
    assert_int_equal(config->measure.quantities.count, 1);
    assert_string_equal(config->measure.quantities.words[0], "all");
    assert_int_equal(config->measure.final.count, 0);
    assert_int_equal(config->measure.snapshots.values[1], 400);
    assert_int_equal(config->output.record, WW_RECORD_DATA | WW_RECORD_BATCHES);
    ww_experiment_free(&experiment);
}

static void test_relative_folders_are_made_absolute(void **state)
{
    (void)state;
    const char *const text = "data: {source: hdf5, hdf5: {file: samples.h5}}";
    char here[4096], wanted[4200];
    assert_non_null(getcwd(here, sizeof here));
    (void)snprintf(wanted, sizeof wanted, "%s/jobs/samples.h5", here);
    ww_experiment experiment;
    ww_error error = {0};
    assert_int_equal(ww_experiment_parse(text, "o", "./jobs/", NULL, 0, &experiment, &error),
                     WW_OK);
    assert_string_equal(experiment.members->data.hdf5.file, wanted);
    assert_string_equal(experiment.members->data.hdf5.test_labels, "test_labels");
    ww_experiment_free(&experiment);
    (void)snprintf(wanted, sizeof wanted, "%s/samples.h5", here);
    assert_int_equal(ww_experiment_parse(text, "o", "", NULL, 0, &experiment, &error), WW_OK);
    assert_string_equal(experiment.members->data.hdf5.file, wanted);
    ww_experiment_free(&experiment);
    // The resolved configuration is a YAML text, so that it cannot hold a name that is no UTF-8.
    assert_int_equal(ww_experiment_parse(text, "o", "/a\xFF", NULL, 0, &experiment, &error),
                     WW_USAGE);
    assert_non_null(strstr(error.message, "o, line 1: data.hdf5.file is taken from a folder"));
    const char *const absolute = "data.hdf5.file=//./";
    assert_int_equal(ww_experiment_parse(text, "o", "/a\xFF", &absolute, 1, &experiment, &error),
                     WW_OK);
    assert_string_equal(experiment.members->data.hdf5.file, "/");
    ww_experiment_free(&experiment);
}

static void test_values_that_follow_from_others(void **state)
{
    (void)state;
    ww_experiment points = parse("data: {source: points, points: {classes: 7, components: 3}}");
    assert_int_equal(points.members->data.train, 21);
    assert_int_equal(points.members->data.test, 21);
    assert_int_equal(points.members->data.normalize, WW_NORMALIZE_SPHERE);
    ww_experiment_free(&points);
    ww_experiment balls = parse("data: {source: xor-balls}");
    assert_int_equal(balls.members->data.normalize, WW_NORMALIZE_NONE);
    assert_true(balls.members->data.xor_balls.diameter == 0.1);
    assert_true(balls.members->data.xor_balls.distance == 2.0);
    ww_experiment_free(&balls);
    ww_experiment ball = parse("data: {source: xor-balls, normalize: ball}");
    assert_int_equal(ball.members->data.normalize, WW_NORMALIZE_BALL);
    ww_experiment_free(&ball);
    ww_experiment random = parse("data: {labels: {kind: random}}");
    assert_true(random.members->data.labels.random_fraction == 1.0);
    ww_experiment_free(&random);
    ww_experiment gradient = parse("training: {method: gd}\ndata: {train: 5}");
    assert_int_equal(gradient.members->data.train, 5); // fewer than the usual batch
    ww_experiment_free(&gradient);
}

static void test_settings_override_the_document(void **state)
{
    (void)state;
    const char *const text = "network: {width: 10}\nmeasure: {snapshots: [1]}\n"
                             "sweep: {seed: [1, 2], network.width: [3, 4]}\n";
    ww_experiment experiment = parse_with(text, "network.width=7", "measure.snapshots=[0,100]",
                                          "training.stop={test_accuracy: 0.9}");
    assert_int_equal(experiment.count, 2); // the sweep of the width is replaced
    assert_string_equal(experiment.labels[1], "seed=2");
    const ww_config *config = &experiment.members[1];
    assert_int_equal(config->network.width, 7);
    assert_int_equal(config->measure.snapshots.count, 2);
    assert_int_equal(config->measure.snapshots.values[1], 100);
    assert_int_equal(config->training.stop.count, 1);
    ww_experiment_free(&experiment);

    experiment = parse_with(text, "data.mixture={classes: 3, dimension: 4}", "sweep={}", NULL);
    assert_int_equal(experiment.count, 1);
    assert_int_equal(experiment.members->data.mixture.classes, 3);
    assert_int_equal(experiment.members->data.mixture.dimension, 4);
    assert_int_equal(experiment.members->network.width, 10);
    ww_experiment_free(&experiment);

    experiment = parse_with(text, "sweep.network.width=[5]", "sweep.training.rate=[1, 2]", NULL);
    assert_int_equal(experiment.count, 4);
    assert_string_equal(experiment.labels[3], "seed=2 network.width=5 training.rate=2.0");
    ww_experiment_free(&experiment);
}

static void test_sweep_has_every_combination(void **state)
{
    (void)state;
    ww_experiment experiment = parse("seeds: {data: 9}\n"
                                     "seed: 5\n"
                                     "sweep:\n"
                                     "  network.width: [500, 1e3, 2000]\n"
                                     "  seed: [1, 2]\n");
    static const char *const labels[] = {"network.width=500 seed=1",  "network.width=500 seed=2",
                                         "network.width=1000 seed=1", "network.width=1000 seed=2",
                                         "network.width=2000 seed=1", "network.width=2000 seed=2"};
    static const int64_t widths[] = {500, 1000, 2000};
    assert_int_equal(experiment.count, 6);
    for (size_t i = 0; i < 6; i++) {
        const ww_config *config = &experiment.members[i];
        assert_string_equal(experiment.labels[i], labels[i]);
        assert_int_equal(config->network.width, widths[i / 2]);
        assert_int_equal(config->seed, 1 + i % 2);
        assert_int_equal(config->seeds.weights, 1 + i % 2);
        assert_int_equal(config->seeds.batches, 1 + i % 2);
        assert_int_equal(config->seeds.data, 9); // it was given
    }
    ww_experiment_free(&experiment);
}

static void test_zipped_keys_move_together(void **state)
{
    (void)state;
    const char *const text = "sweep:\n"
                             "  seed: [1, 2]\n"
                             "  zip: {network.width: [10, 100, 1000], training.rate: [1, 1, 0.1]}\n"
                             "  measure.snapshots: [[0], [0, 100]]\n";
    ww_experiment experiment = parse(text);
    assert_int_equal(experiment.count, 12);
    for (size_t i = 0; i < 12; i++) {
        const ww_config *config = &experiment.members[i];
        assert_int_equal(config->seed, 1 + i / 6);
        assert_int_equal(config->network.width, i / 2 % 3 == 0 ? 10 : i / 2 % 3 == 1 ? 100 : 1000);
        assert_true(config->training.rate == (i / 2 % 3 == 2 ? 0.1 : 1.0));
        assert_int_equal(config->measure.snapshots.count, 1 + i % 2);
    }
    assert_string_equal(experiment.labels[11], "seed=2 network.width=1000 training.rate=0.1 "
                                               "measure.snapshots=[0, 100]");
    ww_experiment_free(&experiment);
    experiment = parse_with(text, "network.width=50", "sweep.training.rate=[3]", NULL);
    assert_int_equal(experiment.count, 4); // both keys have left the axis
    assert_int_equal(experiment.members[3].network.width, 50);
    ww_experiment_free(&experiment);
}

static void test_members_may_use_different_keys(void **state)
{
    (void)state;
    ww_experiment experiment = parse("training: {batch: 32}\n"
                                     "data: {points: {classes: 3}}\n"
                                     "sweep:\n"
                                     "  training.method: [sgd, gd]\n"
                                     "  data.source: [mixture, points]\n"
                                     "  data.mixture.spread: [2]\n"
                                     "  data.points.components: [20]\n");
    assert_int_equal(experiment.count, 4);
    assert_int_equal(experiment.members[0].training.batch, 32);
    assert_int_equal(experiment.members[2].training.batch, 16); // no effect: the default
    assert_true(experiment.members[0].data.mixture.spread == 2.0);
    assert_int_equal(experiment.members[1].data.train, 60);
    assert_int_equal(experiment.members[3].data.points.classes, 3);
    ww_experiment_free(&experiment);
}

static void test_the_largest_sweep(void **state)
{
    (void)state;
    char text[4096], lists[2][1024] = {"", ""};
    for (int i = 1; i <= 100; i++)
        for (int list = 0; list < 2; list++) {
            const size_t used = strlen(lists[list]);
            (void)snprintf(lists[list] + used, sizeof lists[list] - used, "%s%d",
                           i == 1 ? "" : ", ", i);
        }
    (void)snprintf(text, sizeof text, "sweep:\n  seed: [%s]\n  network.width: [%s]\n", lists[0],
                   lists[1]);
    ww_experiment experiment = parse(text);
    assert_int_equal(experiment.count, 10000);
    assert_string_equal(experiment.labels[9999], "seed=100 network.width=100");
    ww_experiment_free(&experiment);
    (void)snprintf(text, sizeof text, "sweep:\n  seed: [%s, 101]\n  network.width: [%s]\n",
                   lists[0], lists[1]);
    const char *const wanted[] = {"test.yaml", "sweep", "10000", NULL};
    expect_refused(text, NULL, wanted);
}

static void test_where_a_value_came_from(void **state)
{
    (void)state;
    ww_experiment experiment = parse_with("seed: 1\n"
                                          "measure:\n"
                                          "  every: 5\n"
                                          "sweep:\n"
                                          "  network.width:\n"
                                          "    - 10\n"
                                          "    - 20\n",
                                          "training.steps=7", NULL, NULL);
    char place[200];
    ww_config_where(&experiment.members[1], "measure.every", place, sizeof place);
    assert_string_equal(place, "test.yaml, line 3: measure.every");
    ww_config_where(&experiment.members[1], "network.width", place, sizeof place);
    assert_string_equal(place, "test.yaml, line 7: network.width");
    ww_config_where(&experiment.members[1], "training.steps", place, sizeof place);
    assert_string_equal(place, "--set training.steps");
    ww_config_where(&experiment.members[1], "training.rate", place, sizeof place);
    assert_string_equal(place, "training.rate");
    ww_config_where(&experiment.members[1], "measure.every", place, 10);
    assert_string_equal(place, "test.yaml");
    ww_experiment_free(&experiment);
}

static void test_members_with_the_same_data(void **state)
{
    (void)state;
    ww_experiment experiment = parse("seeds: {data: 1}\nsweep: {seed: [1, 2], "
                                     "data.mixture.spread: [1, 2], network.width: [5, 6]}\n");
    for (size_t i = 0; i < 8; i++)
        for (size_t j = 0; j < 8; j++)
            assert_int_equal(ww_config_same_data(&experiment.members[i], &experiment.members[j]),
                             (i / 2 % 2) == (j / 2 % 2)); // the spread alone makes a difference
    ww_experiment_free(&experiment);
    experiment = parse("sweep: {seed: [1, 2]}");
    assert_false(ww_config_same_data(&experiment.members[0], &experiment.members[1]));
    ww_experiment_free(&experiment);
    experiment = parse("data: {source: idx, idx: {train_images: a, train_labels: b, test_images: "
                       "c, test_labels: d}}\n"
                       "sweep: {data.idx.classes: [[1, 2], [1, 3]], data.labels.kind: "
                       "[\"true\", random]}\n");
    assert_string_equal(experiment.labels[2], "data.idx.classes=[1, 3] data.labels.kind=true");
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < 4; j++)
            assert_int_equal(ww_config_same_data(&experiment.members[i], &experiment.members[j]),
                             i == j);
    ww_experiment_free(&experiment);
    // Seeds make a difference where something is drawn; the hinge loss adds a hyperplane.
    experiment = parse("data: {source: idx, idx: {train_images: a, train_labels: b, test_images: "
                       "c, test_labels: d}}\n"
                       "sweep: {seed: [1, 2], data.labels.random_fraction: [0, 0.1]}\n");
    assert_false(ww_config_draws_data(&experiment.members[0]));
    assert_true(ww_config_draws_data(&experiment.members[1]));
    assert_true(ww_config_same_data(&experiment.members[0], &experiment.members[2]));
    assert_false(ww_config_same_data(&experiment.members[1], &experiment.members[3]));
    ww_experiment_free(&experiment);
    experiment = parse("{data: {source: orthonormal}, training: {batch: 1}, "
                       "sweep: {loss: [squared, hinge], seed: [1, 2]}}");
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(ww_config_same_data(&experiment.members[0], &experiment.members[i]),
                         i < 2);
    ww_experiment_free(&experiment);
}

// The reference names every key with its help, and every preset.
static void test_reference_is_complete(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    assert_non_null(stream);
    ww_config_print_keys(stream);
    assert_int_equal(fclose(stream), 0);
    for (size_t index = 0; index < ww_key_count(); index++) {
        char line[WW_PATH_LIMIT + 2];
        (void)snprintf(line, sizeof line, "%s\n", ww_key_at(index)->path);
        const char *entry = strstr(text, line);
        assert_non_null(entry);
        assert_non_null(strstr(entry, ww_key_at(index)->help));
    }
    assert_non_null(strstr(text, "a number above 0 and below 1; default: 0.1 (model brutzkus); "
                                 "else it must be given; only with network.activation.kind: "
                                 "leaky-relu"));
    assert_non_null(strstr(text, "the path of a file; must be given; only with network.start"));
    assert_non_null(strstr(text, "(samples); default: 16 (model li-liang)"));
    assert_non_null(strstr(text, "a restart may change it"));
    free(text);
    stream = open_memstream(&text, &size);
    assert_non_null(stream);
    ww_config_print_models(stream);
    assert_int_equal(fclose(stream), 0);
    assert_non_null(strstr(text, "li-liang\n"));
    assert_non_null(strstr(text, "training.rate_scaling: inverse-width"));
    free(text);
    assert_string_equal(ww_model_name(WW_MODEL_LI_LIANG), "li-liang");
    assert_string_equal(ww_source_name(WW_SOURCE_MIXTURE), "mixture");
    assert_string_equal(ww_source_name(WW_SOURCE_HDF5), "hdf5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default_is_figure_1_of_li_liang),
        cmocka_unit_test(test_preset_of_arora),
        cmocka_unit_test(test_preset_of_brutzkus),
        cmocka_unit_test(test_epochs_become_steps),
        cmocka_unit_test(test_targets_of_a_file),
        cmocka_unit_test(test_texts_without_values_are_the_default),
        cmocka_unit_test(test_values_of_every_form),
        cmocka_unit_test(test_relative_folders_are_made_absolute),
        cmocka_unit_test(test_values_that_follow_from_others),
        cmocka_unit_test(test_settings_override_the_document),
        cmocka_unit_test(test_sweep_has_every_combination),
        cmocka_unit_test(test_zipped_keys_move_together),
        cmocka_unit_test(test_members_may_use_different_keys),
        cmocka_unit_test(test_the_largest_sweep),
        cmocka_unit_test(test_where_a_value_came_from),
        cmocka_unit_test(test_members_with_the_same_data),
        cmocka_unit_test(test_reference_is_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
