// Real targets from an HDF5 file: types, shapes, labels that are drawn anew, and everything that
// can be wrong with them.
#include "data_support.h"

#include <hdf5.h>
#include <math.h>

enum { TRAIN = 7, TEST = 4, DIMENSION = 3, OUTPUTS = 2 };

/// One dataset of the file; doubles, whatever its type.
typedef struct part {
    const char *name; ///< NULL: leave it out
    hid_t type;
    int rank;
    hsize_t extent[3];
    const double *values;
} part;

static const double train_inputs[TRAIN * DIMENSION] = {1,  2, 3, 4, 5, 6, 7, 8, 9, 1, 4,
                                                       -7, 2, 5, 8, 3, 6, 9, 1, 1, 2};
static const double test_inputs[TEST * DIMENSION] = {9, 8, 7, 6, 5, 4, 3, 2, 1, 1, 3, 5};
// Whole numbers, so that every type holds them.
static const double train_targets[TRAIN * OUTPUTS] = {3, -1, 4, 1, -5, 9, 2, -6, 5, 3, 5, -8, 9, 7};
static const double test_targets[TEST * OUTPUTS] = {2, 7, -1, 8, 2, 8, 1, -8};

enum { TRAIN_INPUTS, TRAIN_TARGETS, TEST_INPUTS, TEST_TARGETS, PARTS };

/// Makes the file, with `changed` (or nothing, NULL) in place of part number `which`.
static void make_file(const char *folder, int which, const part *changed)
{
    part parts[PARTS] = {
        {"train_inputs", H5T_NATIVE_DOUBLE, 2, {TRAIN, DIMENSION}, train_inputs},
        {"train_targets", H5T_NATIVE_DOUBLE, 2, {TRAIN, OUTPUTS}, train_targets},
        {"test_inputs", H5T_NATIVE_DOUBLE, 2, {TEST, DIMENSION}, test_inputs},
        {"test_targets", H5T_NATIVE_DOUBLE, 2, {TEST, OUTPUTS}, test_targets},
    };
    if (changed != NULL)
        parts[which] = *changed;
    char *path = ww_format(NULL, "%s/data.h5", folder);
    const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(file >= 0);
    for (size_t i = 0; i < PARTS; i++) {
        if (parts[i].name == NULL)
            continue;
        const hid_t space = H5Screate_simple(parts[i].rank, parts[i].extent, NULL);
        const hid_t set = H5Dcreate2(file, parts[i].name, parts[i].type, space, H5P_DEFAULT,
                                     H5P_DEFAULT, H5P_DEFAULT);
        assert_true(set >= 0);
        if (parts[i].values != NULL)
            assert_true(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT,
                                 parts[i].values) >= 0);
        H5Dclose(set);
        H5Sclose(space);
    }
    H5Fclose(file);
    free(path);
}

/// The result is overwritten by the next call.
static const char *yaml(const char *folder, const char *more)
{
    static char text[1024];
    (void)snprintf(text, sizeof text,
                   "model: arora\n"
                   "data: {source: hdf5, normalize: none, %s,\n"
                   "  hdf5: {file: %s/data.h5, kind: targets}}\n",
                   more, folder);
    return text;
}

#define ALL "train: all, test: all"

static void check_data(const char *folder)
{
    ww_dataset data = load_good(yaml(folder, ALL));
    assert_true(data.has_targets);
    assert_false(data.keeps_truth);
    assert_int_equal(data.outputs, OUTPUTS);
    assert_int_equal(data.classes, 1);
    assert_int_equal(data.train.count, TRAIN);
    assert_int_equal(data.test.count, TEST);
    assert_memory_equal(data.train.inputs, train_inputs, sizeof train_inputs);
    assert_memory_equal(data.train.targets, train_targets, sizeof train_targets);
    assert_memory_equal(data.test.targets, test_targets, sizeof test_targets);
    assert_null(data.train.true_targets);
    for (int64_t s = 0; s < TRAIN; s++)
        assert_int_equal(data.train.labels[s], 0);
    ww_dataset_free(&data);
}

static void test_types(void **state)
{
    const hid_t types[] = {H5T_STD_I8LE,   H5T_STD_I16BE,  H5T_STD_I64LE,
                           H5T_IEEE_F32LE, H5T_IEEE_F64BE, H5T_NATIVE_LDOUBLE};
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
        const part targets = {"train_targets", types[t], 2, {TRAIN, OUTPUTS}, train_targets};
        make_file(*state, TRAIN_TARGETS, &targets);
        check_data(*state);
    }
}

/// [n] and [n, 1] are the same, and only rows that are asked for are looked at.
static void test_one_target_and_first_samples(void **state)
{
    double values[TRAIN] = {0.5, -1.25, 3e-300, 7.0, 1e300, NAN, INFINITY};
    part train = {"train_targets", H5T_NATIVE_DOUBLE, 1, {TRAIN, 1}, values};
    const part test = {"test_targets", H5T_NATIVE_DOUBLE, 2, {TEST, 1}, test_targets};
    make_file(*state, TEST_TARGETS, &test);
    char text[2048];
    uint64_t hash = 0;
    for (int rank = 1; rank <= 2; rank++) {
        train.rank = rank;
        make_file(*state, TRAIN_TARGETS, &train);
        (void)snprintf(text, sizeof text,
                       "model: zou-gu\n"
                       "data: {source: hdf5, train: 5, test: 3, hdf5: {file: %s/data.h5,\n"
                       "  test_inputs: train_inputs, test_targets: train_targets}}\n",
                       (const char *)*state);
        ww_dataset data = load_good(text);
        assert_int_equal(data.outputs, 1);
        assert_int_equal(data.dimension, DIMENSION + 1); // the last coordinate
        assert_memory_equal(data.train.targets, values, 5 * sizeof *values);
        assert_memory_equal(data.test.targets, values, 3 * sizeof *values);
        assert_true(rank == 1 || data.hash == hash);
        hash = data.hash;
        ww_dataset_free(&data);
    }
    values[4] = 1.0; // another target, another hash
    make_file(*state, TRAIN_TARGETS, &train);
    ww_dataset data = load_good(text);
    assert_true(data.hash != hash);
    ww_dataset_free(&data);
}

/// More than one block is read in, of rows that do not divide it, and of rows longer than it.
static void test_many_targets(void **state)
{
    const hsize_t shapes[][2] = {{70001, 1}, {30011, 3}, {3, 70001}};
    char text[1024];
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        const size_t rows = (size_t)shapes[i][0], columns = (size_t)shapes[i][1];
        double *values = calloc(rows * columns, sizeof *values);
        for (size_t v = 0; v < rows * columns; v++)
            values[v] = sin((double)v);
        const part targets = {
            "train_targets", H5T_NATIVE_DOUBLE, 2, {shapes[i][0], shapes[i][1]}, values};
        make_file(*state, TRAIN_TARGETS, &targets);
        const hsize_t extent[] = {shapes[i][0], 1};
        char *path = ww_format(NULL, "%s/data.h5", (const char *)*state);
        const hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
        const hid_t space = H5Screate_simple(2, extent, NULL);
        const hid_t set =
            H5Dcreate2(file, "many", H5T_STD_U8LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        assert_true(set >= 0);
        H5Dclose(set);
        H5Sclose(space);
        H5Fclose(file);
        (void)snprintf(text, sizeof text,
                       "model: arora\n"
                       "data: {source: hdf5, normalize: none, train: all, test: 2,\n"
                       "  hdf5: {file: %s, train_inputs: many, test_inputs: many,\n"
                       "         test_targets: train_targets}}\n",
                       path);
        ww_dataset data = load_good(text);
        assert_int_equal(data.outputs, columns);
        assert_memory_equal(data.train.targets, values, rows * columns * sizeof *values);
        assert_memory_equal(data.test.targets, values, 2 * columns * sizeof *values);
        ww_dataset_free(&data);
        free(path);
        free(values);
    }
}

// ---- targets that are drawn anew ----------------------------------------------------------------

/// Samples whose targets are those of the file; all have those of one of its samples.
static int count_kept(const double *targets, const double *truth, int count)
{
    int kept = 0;
    for (int s = 0; s < count; s++) {
        int from = 0;
        while (from < count && memcmp(targets + (size_t)s * OUTPUTS, truth + (size_t)from * OUTPUTS,
                                      OUTPUTS * sizeof *targets) != 0)
            from++;
        assert_in_range(from, 0, count - 1);
        kept += from == s;
    }
    return kept;
}

static void test_random_targets_are_those_of_other_samples(void **state)
{
    make_file(*state, 0, NULL);
    const struct {
        const char *labels;
        int least, most; // of train samples that keep theirs
        bool noisy_test;
    } cases[] = {{"kind: random", 0, 4, false},
                 {"random_fraction: 0.3", 3, TRAIN - 1, false},
                 {"kind: random, noisy_test: true", 0, 4, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char more[256];
        (void)snprintf(more, sizeof more, ALL ", labels: {%s}", cases[i].labels);
        ww_dataset data = load_good(yaml(*state, more));
        ww_dataset again = load_good(yaml(*state, more));
        assert_in_range(count_kept(data.train.targets, train_targets, TRAIN), cases[i].least,
                        cases[i].most);
        assert_int_equal(count_kept(data.test.targets, test_targets, TEST) < TEST,
                         cases[i].noisy_test);
        assert_true(data.keeps_truth);
        assert_memory_equal(data.train.true_targets, train_targets, sizeof train_targets);
        assert_true(data.hash == again.hash);
        ww_dataset_free(&again);
        ww_dataset_free(&data);
    }
    const part one = {"train_targets", H5T_NATIVE_DOUBLE, 1, {TRAIN}, train_targets};
    make_file(*state, TRAIN_TARGETS, &one);
    load_bad(yaml(*state, ALL), "data.hdf5.test_targets", "2 targets a sample",
             "the train set has 1");
}

/// Bytes that are told are those of the arrays.
static void test_bytes(void **state)
{
    make_file(*state, 0, NULL);
    ww_dataset plain = load_good(yaml(*state, ALL));
    ww_dataset random = load_good(yaml(*state, ALL ", labels: {kind: random}"));
    const int64_t samples = TRAIN + TEST;
    assert_int_equal(ww_dataset_bytes(&plain, 1), samples * 8 * (DIMENSION + 2 + OUTPUTS));
    assert_int_equal(ww_dataset_bytes(&random, 1) - ww_dataset_bytes(&plain, 1),
                     TRAIN * 8 * OUTPUTS);
    ww_dataset_free(&random);
    ww_dataset_free(&plain);
}

static void other_targets(const char *text, ww_labels kind, double *targets)
{
    ww_experiment experiment = {0};
    ww_parallel parallel = {0};
    ww_error error = {0};
    ww_dataset data = {0};
    assert_int_equal(ww_experiment_parse(text, "test.yaml", "/", NULL, 0, &experiment, &error),
                     WW_OK);
    assert_int_equal(ww_parallel_create(MPI_COMM_WORLD, &parallel, &error), WW_OK);
    assert_int_equal(ww_dataset_load(experiment.members, &parallel, &data, &error), WW_OK);
    double other[TRAIN * OUTPUTS] = {0};
    if (experiment.members->data.labels.kind == WW_LABELS_WORST_CASE)
        ww_dataset_set_train_targets(&data, other);
    assert_int_equal(
        ww_dataset_other_targets(experiment.members, &data, kind, &parallel, targets, &error),
        WW_OK);
    ww_dataset_free(&data);
    ww_parallel_destroy(&parallel);
    ww_experiment_free(&experiment);
}

/// The true targets are there whatever was made of them, and random ones are those of a run with
/// random labels.
static void test_targets_of_other_kinds(void **state)
{
    make_file(*state, 0, NULL);
    ww_dataset random = load_good(yaml(*state, ALL ", labels: {kind: random}"));
    const char *const labels[] = {ALL, ALL ", labels: {kind: random}",
                                  ALL ", labels: {random_fraction: 0.5, noisy_test: true}"};
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
        double targets[TRAIN * OUTPUTS] = {0};
        other_targets(yaml(*state, labels[i]), WW_LABELS_TRUE, targets);
        assert_memory_equal(targets, train_targets, sizeof targets);
        other_targets(yaml(*state, labels[i]), WW_LABELS_RANDOM, targets);
        assert_memory_equal(targets, random.train.targets, sizeof targets);
    }
    ww_dataset_free(&random);
    load_bad(yaml(*state, ALL ", labels: {kind: worst-case}"), "data.labels.kind",
             "2 targets a sample", "one number a sample");
    double one[TRAIN];
    for (int s = 0; s < TRAIN; s++)
        one[s] = 1.0 + s;
    const part train = {"train_targets", H5T_NATIVE_DOUBLE, 1, {TRAIN}, one};
    make_file(*state, TRAIN_TARGETS, &train);
    char text[1024];
    (void)snprintf(text, sizeof text,
                   "model: arora\n"
                   "data: {source: hdf5, train: all, test: all, labels: {kind: worst-case},\n"
                   "  hdf5: {file: %s/data.h5, test_inputs: train_inputs,\n"
                   "         test_targets: train_targets}}\n",
                   (const char *)*state);
    double targets[TRAIN * OUTPUTS] = {0};
    other_targets(text, WW_LABELS_TRUE, targets);
    assert_memory_equal(targets, one, sizeof one);
}

// ---- faults -------------------------------------------------------------------------------------

static void check_refused(const char *folder, int which, const part *changed, const char *key,
                          const char *first, const char *second)
{
    make_file(folder, which, changed);
    load_bad(yaml(folder, ALL), key, first, second);
}

static void test_wrong_shapes(void **state)
{
    const part cube = {"train_targets", H5T_NATIVE_DOUBLE, 3, {TRAIN, 1, OUTPUTS}, train_targets};
    check_refused(*state, TRAIN_TARGETS, &cube, "data.hdf5.train_targets", "has 3 axes",
                  "[samples, outputs]");
    const part scalar = {"test_targets", H5T_NATIVE_DOUBLE, 0, {0}, NULL};
    check_refused(*state, TEST_TARGETS, &scalar, "data.hdf5.test_targets", "scalar or empty",
                  "'test_targets'");
    const part empty = {"test_targets", H5T_NATIVE_DOUBLE, 2, {TEST, 0}, NULL};
    check_refused(*state, TEST_TARGETS, &empty, "data.hdf5.test_targets", "is empty", "axis 1");
    const part few = {"train_targets", H5T_NATIVE_DOUBLE, 2, {TRAIN - 1, OUTPUTS}, train_targets};
    check_refused(*state, TRAIN_TARGETS, &few, "data.hdf5.train_targets", "has 6 rows of targets",
                  "'train_inputs' has 7 samples");
    const part many = {"test_targets", H5T_NATIVE_DOUBLE, 2, {TEST, 1}, test_targets};
    check_refused(*state, TEST_TARGETS, &many, "data.hdf5.test_targets", "'test_targets' of '",
                  "has 1 targets a sample, the train set has 2");
    const part missing = {.name = NULL};
    check_refused(*state, TRAIN_TARGETS, &missing, "data.hdf5.train_targets",
                  "has no dataset 'train_targets'",
                  "'test_inputs', 'test_targets', 'train_inputs'");
    make_file(*state, 0, NULL);
    load_bad(yaml(*state, "train: 8, test: 1"), "line 2: data.train", "8 samples are asked for",
             "has 7");
    load_bad(yaml(*state, "train: 1, test: 5"), "line 2: data.test", "5 samples are asked for",
             "has 4");
}

static void test_wrong_values(void **state)
{
    const double bad[] = {NAN, INFINITY, -INFINITY};
    const char *const words[] = {"nan", "inf", "-inf"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        double values[TEST * OUTPUTS];
        memcpy(values, test_targets, sizeof values);
        values[3 * OUTPUTS + 1] = bad[i];
        const part changed = {"test_targets", H5T_IEEE_F32LE, 2, {TEST, OUTPUTS}, values};
        check_refused(*state, TEST_TARGETS, &changed, "data.hdf5.test_targets",
                      "target 1 of sample 3 (both counted from 0) in dataset 'test_targets' of '",
                      words[i]);
        // What is not asked for does not matter.
        ww_dataset data = load_good(yaml(*state, "train: all, test: 3"));
        ww_dataset_free(&data);
    }
    const part text = {"train_targets", H5T_C_S1, 1, {TRAIN}, NULL};
    check_refused(*state, TRAIN_TARGETS, &text, "data.hdf5.train_targets", "'train_targets'",
                  "neither integers nor floating-point numbers");
    double inputs[TRAIN * DIMENSION];
    memcpy(inputs, train_inputs, sizeof inputs);
    inputs[4] = NAN;
    const part train = {"train_inputs", H5T_NATIVE_DOUBLE, 2, {TRAIN, DIMENSION}, inputs};
    check_refused(*state, TRAIN_INPUTS, &train, "data.hdf5.train_inputs",
                  "coordinate 1 of sample 1", "every input must be finite");
}

/// Real numbers that are called labels: the message says where they would go.
static void test_targets_are_no_labels(void **state)
{
    make_file(*state, 0, NULL);
    char text[1024];
    (void)snprintf(text, sizeof text,
                   "model: arora\n"
                   "data: {source: hdf5, train: all, test: all,\n"
                   "  hdf5: {file: %s/data.h5, train_labels: train_targets}}\n",
                   (const char *)*state);
    load_bad(text, "line 3: data.hdf5.train_labels", "has 2 values a sample; labels have one",
             "data.hdf5.train_targets");
    double halves[TRAIN] = {0, 1, 0.5, 0, 0, 1, 1};
    const part one = {"train_targets", H5T_NATIVE_DOUBLE, 1, {TRAIN}, halves};
    make_file(*state, TRAIN_TARGETS, &one);
    load_bad(text, "line 3: data.hdf5.train_labels", "label 2 of dataset 'train_targets'",
             "data.hdf5.train_targets");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_one_target_and_first_samples),
        cmocka_unit_test(test_many_targets),
        cmocka_unit_test(test_random_targets_are_those_of_other_samples),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_targets_of_other_kinds),
        cmocka_unit_test(test_wrong_shapes),
        cmocka_unit_test(test_wrong_values),
        cmocka_unit_test(test_targets_are_no_labels),
    };
    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, make_folder, remove_folder);
    MPI_Finalize();
    return failed;
}
