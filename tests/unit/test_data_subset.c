// The separable subset of two classes: what is kept, in which order, and all that can be wrong.
#include "data_support.h"

#include "data/ascent.h"

#include <float.h>
#include <math.h>

/// Two clouds that overlap, in `DIMENSION` dimensions.
enum { DIMENSION = 6, CANDIDATES = 400, TRAIN = 120, TEST = 60 };

static const char *clouds(const char *model, int64_t train, int64_t test, const char *more)
{
    static char yaml[1024];
    (void)snprintf(yaml, sizeof yaml,
                   "model: %s\n"
                   "seed: 2\n"
                   "training: {batch: 1}\n"
                   "data: {source: mixture, train: %lld, test: %lld,\n"
                   "  mixture: {dimension: 6, classes: 2, components: 1, spread: 5, separation: "
                   "4}%s}\n",
                   model, (long long)train, (long long)test, more);
    return yaml;
}

/// The place of a row of `inputs` among the rows of `all`, from `first` on; -1 where it is not.
static int64_t place_of(const double *row, const ww_samples *all, int64_t first)
{
    for (int64_t i = first; i < all->count; i++)
        if (memcmp(row, all->inputs + i * DIMENSION, DIMENSION * sizeof *row) == 0)
            return i;
    return -1;
}

/// Samples of the subset come in the order of the source, and no hyperplane decides otherwise than
/// the one that was found: those passed over lie on its wrong side, or too near.
static void test_keeps_what_it_says(void **state)
{
    (void)state;
    ww_error error = {0};
    ww_dataset all = load_good(clouds("li-liang", CANDIDATES, 1, ", normalize: none"));
    ww_dataset data =
        load_good(clouds("brutzkus", TRAIN, TEST,
                         ", normalize: none,\n  subset: {kind: separable, candidates: 400, "
                         "penalty: 0.5, margin: 0.3}"));
    assert_int_equal(data.train.count, TRAIN);
    assert_int_equal(data.test.count, TEST);
    assert_int_equal(data.candidates, CANDIDATES);
    assert_true(data.kept >= TRAIN + TEST && data.kept < CANDIDATES);
    // The soft margin anew, as far as it goes: decisions near its edge may differ.
    ww_ascent ascent;
    assert_int_equal(ww_ascent_begin(&all.train, DIMENSION, 0.5, &ascent, &error), WW_OK);
    while (ww_ascent_round(&ascent))
        ;
    int64_t next = 0;
    int64_t passed_over = 0;
    for (int64_t s = 0; s < TRAIN + TEST; s++) {
        const ww_samples *part = s < TRAIN ? &data.train : &data.test;
        const int64_t row = s < TRAIN ? s : s - TRAIN;
        const int64_t place = place_of(part->inputs + row * DIMENSION, &all.train, next);
        assert_true(place >= next);
        assert_int_equal(part->labels[row], all.train.labels[place]);
        assert_int_equal(part->components[row], all.train.components[place]);
        assert_true(ascent.margins[place] > 0.3 - 0.02);
        for (; next < place; next++, passed_over++)
            assert_true(ascent.margins[next] < 0.3 + 0.02);
        next = place + 1;
    }
    assert_true(passed_over > 20);
    // ||w*|| <= ||w|| / c of the train set.
    const double length = sqrt(ww_row_product(ascent.weights, ascent.weights, DIMENSION));
    assert_true(data.separator.lower <= 1.1 * length / 0.3);
    assert_true(isfinite(data.separator.upper));
    ww_ascent_free(&ascent);
    ww_dataset_free(&all);
    ww_dataset_free(&data);
}

/// More is kept with a higher penalty and with a smaller margin, and a subset of what is separable
/// as it is has every sample.
static void test_how_much_is_kept(void **state)
{
    (void)state;
    const char *const keys[] = {"penalty: 0.001, margin: 0.9", "penalty: 0.1, margin: 0.9",
                                "penalty: 0.1, margin: 0.1"};
    int64_t kept[3];
    for (size_t i = 0; i < 3; i++) {
        char more[256];
        (void)snprintf(more, sizeof more,
                       ", normalize: none, subset: {kind: separable, candidates: 300, %s}",
                       keys[i]);
        ww_dataset data = load_good(clouds("li-liang", 10, 10, more));
        assert_false(data.separator.sought);
        kept[i] = data.kept;
        ww_dataset_free(&data);
    }
    assert_true(kept[0] < kept[1] && kept[1] < kept[2]);
    ww_dataset data =
        load_good("model: brutzkus\n"
                  "data: {source: separable, train: 60, test: 40,\n"
                  "  separable: {dimension: 5, margin: 0.5},\n"
                  "  subset: {kind: separable, candidates: 100, penalty: 1000, margin: 0.9}}");
    ww_dataset all = load_good("model: brutzkus\n"
                               "data: {source: separable, train: 100, test: 1,\n"
                               "  separable: {dimension: 5, margin: 0.5}}");
    assert_int_equal(data.kept, 100);
    assert_memory_equal(data.train.inputs, all.train.inputs, 60 * 5 * sizeof(double));
    assert_memory_equal(data.test.inputs, all.train.inputs + (size_t)60 * 5,
                        40 * 5 * sizeof(double));
    ww_dataset_free(&all);
    ww_dataset_free(&data);
}

static double largest_norm(const ww_samples *samples)
{
    double largest = 0.0;
    for (int64_t i = 0; i < samples->count; i++) {
        const double *row = samples->inputs + i * DIMENSION;
        largest = fmax(largest, sqrt(ww_row_product(row, row, DIMENSION)));
    }
    return largest;
}

/// ball: the largest of the train set, not of all candidates.
static void test_ball(void **state)
{
    (void)state;
    ww_dataset data =
        load_good(clouds("brutzkus", 20, 100, ", subset: {kind: separable, candidates: 400}"));
    assert_true(fabs(largest_norm(&data.train) - 1.0) < 1e-14);
    assert_true(largest_norm(&data.test) > 1.0); // of more samples
    ww_dataset_free(&data);
}

/// Labels are drawn anew after the choice, so that the true ones remain in the components, and the
/// seed of the data does not come into the choice.
static void test_labels_come_after(void **state)
{
    (void)state;
    static const char subset[] = ", subset: {kind: separable, candidates: 400}";
    char random[256];
    (void)snprintf(random, sizeof random, "%s, labels: {kind: random}", subset);
    ww_dataset data = load_good(clouds("brutzkus", TRAIN, TEST, subset));
    ww_dataset other = load_good(clouds("brutzkus", TRAIN, TEST, random));
    int64_t changed = 0;
    assert_memory_equal(data.train.inputs, other.train.inputs, TRAIN * DIMENSION * sizeof(double));
    assert_memory_equal(data.train.components, other.train.components, TRAIN * sizeof(int64_t));
    for (int64_t i = 0; i < TRAIN; i++) {
        changed += data.train.labels[i] != other.train.labels[i];
        assert_true(other.train.targets[i] == (other.train.labels[i] == 0 ? 1.0 : -1.0));
    }
    assert_true(changed > TRAIN / 4);
    assert_true(isinf(other.separator.upper) && isfinite(data.separator.upper));
    ww_dataset_free(&data);
    ww_dataset_free(&other);
}

/// Values of a function are those at the inputs as they are trained on, with their signs kept.
static void test_function(void **state)
{
    (void)state;
    ww_dataset data =
        load_good("loss: squared\n"
                  "training: {batch: 1}\n"
                  "data: {source: function, train: 50, test: 20, normalize: ball,\n"
                  "  function: {dimension: 4, kind: power, exponent: 3},\n"
                  "  subset: {kind: separable, candidates: 100, penalty: 1000, margin: 0.001}}");
    assert_int_equal(data.kept, 100); // the sign of z^3 is that of z
    for (int64_t i = 0; i < 50; i++)
        assert_int_equal(data.train.labels[i], data.train.targets[i] > 0.0 ? 0 : 1);
    ww_dataset_free(&data);
}

/// Files with `count` images of one pixel, of labels 0 and 1 in turn (and of 2, for the last),
/// which 0.5 separates after its middle is taken off; one in ten lies on the wrong side.
static void write_images(const char *folder, int count)
{
    unsigned char images[16 + 400] = {0, 0, 8, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2};
    unsigned char labels[8 + 200] = {0, 0, 8, 1, 0, 0, 0, 0};
    images[7] = labels[7] = (unsigned char)count;
    for (int i = 0; i < count; i++) {
        const int label = i % 2;
        labels[8 + i] = (unsigned char)label;
        images[16 + 2 * i + (i % 10 == 3 ? 1 - label : label)] = (unsigned char)(100 + i % 7);
        images[16 + 2 * i + (i % 10 == 3 ? label : 1 - label)] = 20;
    }
    labels[8 + count - 1] = 2;
    write_file(folder, "train-images", images, (size_t)(16 + 2 * count));
    write_file(folder, "train-labels", labels, (size_t)(8 + count));
    write_file(folder, "test-images", images, (size_t)(16 + 2 * count));
    write_file(folder, "test-labels", labels, (size_t)(8 + count));
}

static const char *files(const char *folder, const char *data, const char *idx)
{
    static char text[4096];
    (void)snprintf(text, sizeof text,
                   "model: brutzkus\n"
                   "data: {source: idx, %s,\n"
                   "  idx: {train_images: %s/train-images, train_labels: %s/train-labels,\n"
                   "        test_images: %s/test-images, test_labels: %s/test-labels%s}}\n",
                   data, folder, folder, folder, folder, idx);
    return text;
}

static void test_files(void **state)
{
    write_images(*state, 101); // 101: 50 of each, and one of label 2
    const char *const idx[] = {", classes: [0, 1]", ", classes: [0, 1], balanced: true"};
    for (size_t i = 0; i < 2; i++) {
        ww_dataset data = load_good(
            files(*state, "train: 60, test: 30, subset: {kind: separable, penalty: 10}", idx[i]));
        assert_int_equal(data.candidates, 100);
        assert_int_equal(data.kept, 90);
        for (int64_t s = 0; s < 60; s++) // every tenth is left out: 3, 13, ...
            assert_int_equal(data.train.labels[s], (s + (s + 6) / 9) % 2);
        ww_dataset_free(&data);
    }
}

static void test_errors(void **state)
{
    write_images(*state, 101);
    load_bad(files(*state, "train: 60, test: 30, subset: {kind: separable}", ""),
             "data.subset.kind", "the data have 3", "choose two");
    load_bad(files(*state, "train: 60, test: 31, subset: {kind: separable, penalty: 10}",
                   ", classes: [0, 1]"),
             "data.subset.candidates", "of 100 candidates 90", "60 of data.train and the 31");
    load_bad(files(*state, "train: 60, test: 30, subset: {kind: separable, candidates: 102}",
                   ", classes: [0, 1]"),
             "data.subset.candidates", "102 samples are asked for", "has 100");
    load_bad(files(*state, "train: 60, test: 30, subset: {kind: separable, candidates: 95}",
                   ", classes: [0, 1], balanced: true"),
             "data.subset.candidates", "95 samples cannot be divided", "make it a multiple of 2");
    load_bad("model: li-liang\n"
             "data: {source: mixture, subset: {kind: separable}, mixture: {classes: 3}}",
             "data.subset.kind", "is of two classes", "the data have 3");
}

/// What the files cannot give is known before anything is chosen.
static void test_shape_knows(void **state)
{
    write_images(*state, 101);
    ww_experiment experiment;
    ww_dataset shape;
    ww_error error = {0};
    const ww_parallel alone = {.communicator = MPI_COMM_SELF, .rank = 0, .size = 1};
    assert_int_equal(
        ww_experiment_parse(
            files(*state, "train: 80, test: 30, subset: {kind: separable}", ", classes: [0, 1]"),
            "test.yaml", "/", NULL, 0, &experiment, &error),
        WW_OK);
    assert_int_equal(ww_dataset_describe(experiment.members, &alone, &shape, &error), WW_USAGE);
    assert_non_null(strstr(error.message, "has 100 samples of the two classes"));
    ww_experiment_free(&experiment);
    assert_int_equal(
        ww_experiment_parse(
            files(*state, "train: 60, test: 30, subset: {kind: separable}", ", classes: [0, 1]"),
            "test.yaml", "/", NULL, 0, &experiment, &error),
        WW_OK);
    assert_int_equal(ww_dataset_describe(experiment.members, &alone, &shape, &error), WW_OK);
    assert_int_equal(shape.candidates, 100);
    assert_true(shape.separator.sought);
    // Inputs, labels and components of the candidates, and beside them what the search takes.
    assert_int_equal(ww_dataset_loading_bytes(&shape),
                     100 * (2 * 8 + 16 + 8) + ww_ascent_bytes(100, 2));
    ww_experiment_free(&experiment);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keeps_what_it_says),
        cmocka_unit_test(test_how_much_is_kept),
        cmocka_unit_test(test_ball),
        cmocka_unit_test(test_labels_come_after),
        cmocka_unit_test(test_function),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_shape_knows),
    };
    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, make_folder, remove_folder);
    MPI_Finalize();
    return failed;
}
