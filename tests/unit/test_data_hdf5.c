// Data from an HDF5 file: types, shapes, and everything that can be wrong with them.
#include "data_support.h"

#include <hdf5.h>
#include <math.h>

enum { TRAIN = 5, TEST = 3, DIMENSION = 4 };

static char *path_in(const char *folder)
{
    return ww_format(NULL, "%s/data.h5", folder);
}

/// Adds dataset `name` of `type` and shape `extent` to an open file, from doubles.
static void put(hid_t file, const char *name, hid_t type, int rank, const hsize_t *extent,
                const double *values)
{
    const hid_t space = H5Screate_simple(rank, extent, NULL);
    const hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(set >= 0);
    if (values != NULL)
        assert_true(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(set);
    H5Sclose(space);
}

static const double train_inputs[TRAIN * DIMENSION] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10,
                                                       11, 12, 13, 14, 15, 16, 17, 18, 19, 20};
static const double test_inputs[TEST * DIMENSION] = {6, 5, 4, 3, 2, 1, 0, 9, 8, 7, 6, 5};
static const double train_labels[TRAIN] = {0, 2, 1, 1, 0};
static const double test_labels[TEST] = {1, 3, 0};

/// One dataset of the file to be made.
typedef struct part {
    const char *name; ///< NULL: leave it out
    hid_t type;
    int rank;
    hsize_t extent[3];
    const double *values; ///< NULL: leave them zero
} part;

/// Makes the file, with `changed` (or nothing, NULL) in place of part number `which`.
static void make_file(const char *folder, int which, const part *changed)
{
    part parts[] = {
        {"train_inputs", H5T_NATIVE_DOUBLE, 2, {TRAIN, DIMENSION}, train_inputs},
        {"train_labels", H5T_NATIVE_INT64, 1, {TRAIN}, train_labels},
        {"test_inputs", H5T_NATIVE_DOUBLE, 2, {TEST, DIMENSION}, test_inputs},
        {"test_labels", H5T_NATIVE_INT64, 1, {TEST}, test_labels},
    };
    if (changed != NULL)
        parts[which] = *changed;
    char *path = path_in(folder);
    const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(file >= 0);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (parts[i].name != NULL)
            put(file, parts[i].name, parts[i].type, parts[i].rank, parts[i].extent,
                parts[i].values);
    H5Fclose(file);
    free(path);
}

/// The result is overwritten by the next call.
static const char *yaml(const char *folder, const char *count)
{
    static char text[1024];
    (void)snprintf(text, sizeof text,
                   "training: {batch: 1}\n"
                   "data: {source: hdf5, normalize: none, %s,\n"
                   "  hdf5: {file: %s/data.h5}}\n",
                   count, folder);
    return text;
}

static void check_data(const char *folder)
{
    ww_dataset data = load_good(yaml(folder, "train: all, test: all"));
    assert_int_equal(data.dimension, DIMENSION);
    assert_int_equal(data.classes, 4); // label 3 occurs in the test set alone
    assert_int_equal(data.components, 1);
    assert_int_equal(data.train.count, TRAIN);
    assert_int_equal(data.test.count, TEST);
    assert_memory_equal(data.train.inputs, train_inputs, sizeof train_inputs);
    assert_memory_equal(data.test.inputs, test_inputs, sizeof test_inputs);
    for (int64_t s = 0; s < TRAIN; s++) {
        assert_int_equal(data.train.labels[s], (int64_t)train_labels[s]);
        assert_int_equal(data.train.components[s], (int64_t)train_labels[s]);
    }
    for (int64_t s = 0; s < TEST; s++)
        assert_int_equal(data.test.labels[s], (int64_t)test_labels[s]);
    ww_dataset_free(&data);
}

static void test_types_and_shapes(void **state)
{
    make_file(*state, 0, NULL);
    check_data(*state);
    const hid_t types[] = {H5T_STD_U8LE,   H5T_STD_I16BE,      H5T_STD_I32LE, H5T_STD_U64LE,
                           H5T_IEEE_F32LE, H5T_NATIVE_LDOUBLE, H5T_IEEE_F64BE};
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
        const part inputs = {"train_inputs", types[t], 2, {TRAIN, DIMENSION}, train_inputs};
        make_file(*state, 0, &inputs);
        check_data(*state);
        const part labels = {"train_labels", types[t], 1, {TRAIN}, train_labels};
        make_file(*state, 1, &labels);
        check_data(*state);
    }
    const part images = {
        "train_inputs", H5T_IEEE_F32LE, 3, {TRAIN, 2, DIMENSION / 2}, train_inputs};
    make_file(*state, 0, &images);
    check_data(*state);
    const part column = {"train_labels", H5T_STD_I8LE, 2, {TRAIN, 1}, train_labels};
    make_file(*state, 1, &column);
    check_data(*state);
}

/// The first samples, and datasets under other names; the classes are those of the whole file.
static void test_first_samples(void **state)
{
    const part renamed = {"images", H5T_STD_U8LE, 2, {TRAIN, DIMENSION}, train_inputs};
    make_file(*state, 0, &renamed);
    char text[1024];
    (void)snprintf(text, sizeof text,
                   "training: {batch: 1}\n"
                   "data: {source: hdf5, normalize: none, train: 3, test: 1,\n"
                   "  hdf5: {file: %s/data.h5, train_inputs: /images}}\n",
                   (const char *)*state);
    ww_dataset data = load_good(text);
    assert_int_equal(data.train.count, 3);
    assert_int_equal(data.test.count, 1);
    assert_int_equal(data.classes, 4);
    assert_memory_equal(data.train.inputs, train_inputs, (size_t)3 * DIMENSION * sizeof(double));
    ww_dataset_free(&data);
    load_bad(yaml(*state, "train: 3, test: 1"), "data.hdf5.train_inputs",
             "has no dataset 'train_inputs'", "'images', 'test_inputs', 'test_labels'");
}

/// More labels than one block is read in, the largest of them last.
static void test_many_labels(void **state)
{
    enum { MANY = 70000 };
    double *labels = calloc(MANY, sizeof *labels);
    for (int64_t s = 0; s < MANY; s++)
        labels[s] = (double)(s % 7);
    labels[MANY - 1] = 8.0;
    const part inputs = {"train_inputs", H5T_STD_U8LE, 2, {MANY, 1}, NULL};
    make_file(*state, 0, &inputs);
    char *path = path_in(*state);
    const hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    const hsize_t extent = MANY, column[] = {TEST, 1};
    put(file, "many", H5T_IEEE_F32LE, 1, &extent, labels);
    put(file, "one", H5T_STD_U8LE, 2, column, NULL);
    H5Fclose(file);
    char text[1024];
    const char *const counts[] = {"all", "69999"};
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(text, sizeof text,
                       "data: {source: hdf5, normalize: none, train: %s, test: all,\n"
                       "  hdf5: {file: %s, train_labels: many, test_inputs: one}}\n",
                       counts[i], path);
        ww_dataset data = load_good(text);
        assert_int_equal(data.classes, 9);
        assert_int_equal(data.train.count, MANY - (int64_t)i);
        for (int64_t s = 0; s < data.train.count; s++)
            assert_int_equal(data.train.labels[s], (int64_t)labels[s]);
        ww_dataset_free(&data);
    }
    free(path);
    free(labels);
}

static void check_refused(const char *folder, int which, const part *changed, const char *key,
                          const char *first, const char *second)
{
    make_file(folder, which, changed);
    load_bad(yaml(folder, "train: all, test: all"), key, first, second);
}

static void test_wrong_shapes(void **state)
{
    const part flat = {"train_inputs", H5T_NATIVE_DOUBLE, 1, {TRAIN}, NULL};
    check_refused(*state, 0, &flat, "data.hdf5.train_inputs", "has one axis", "dimension");
    const part hot = {"train_labels", H5T_NATIVE_INT, 2, {TRAIN, 4}, NULL};
    check_refused(*state, 1, &hot, "data.hdf5.train_labels", "4 values a sample",
                  "labels have one");
    const part few = {"train_labels", H5T_NATIVE_INT, 1, {TRAIN - 1}, NULL};
    check_refused(*state, 1, &few, "data.hdf5.train_labels", "has 4 labels", "has 5 samples");
    const part empty = {"test_inputs", H5T_NATIVE_DOUBLE, 2, {0, DIMENSION}, NULL};
    check_refused(*state, 2, &empty, "data.hdf5.test_inputs", "is empty", "axis 0");
    const part thin = {"test_inputs", H5T_NATIVE_DOUBLE, 2, {TEST, DIMENSION - 1}, NULL};
    check_refused(*state, 2, &thin, "data.hdf5.test_inputs", "dimension 3", "have 4");
    const part scalar = {"test_labels", H5T_NATIVE_DOUBLE, 0, {0}, NULL};
    check_refused(*state, 3, &scalar, "data.hdf5.test_labels", "scalar or empty", "'test_labels'");
    const part missing = {NULL, 0, 0, {0}, NULL};
    check_refused(*state, 3, &missing, "data.hdf5.test_labels", "no dataset 'test_labels'",
                  "'test_inputs', 'train_inputs', 'train_labels'");
    make_file(*state, 0, NULL);
    load_bad(yaml(*state, "train: 6, test: 1"), "line 2: data.train", "6 samples are asked for",
             "has 5");
    load_bad(yaml(*state, "train: 1, test: 4"), "line 2: data.test", "4 samples are asked for",
             "has 3");
}

static void test_wrong_values(void **state)
{
    const struct {
        double value;
        const char *message;
    } labels[] = {{-1.0, "is -1"},
                  {0.5, "is 0.5"},
                  {1e12, "is 1000000000000"},
                  {NAN, "nan"},
                  {INFINITY, "inf"}};
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
        double values[TRAIN];
        memcpy(values, train_labels, sizeof values);
        values[3] = labels[i].value;
        const part changed = {"train_labels", H5T_NATIVE_DOUBLE, 1, {TRAIN}, values};
        check_refused(*state, 1, &changed, "data.hdf5.train_labels", "label 3 of dataset",
                      labels[i].message);
    }
    const double minus[TRAIN] = {0, 1, -1, 0, 0};
    const part signed_labels = {"train_labels", H5T_STD_I8LE, 1, {TRAIN}, minus};
    check_refused(*state, 1, &signed_labels, "data.hdf5.train_labels", "label 2", "is -1");

    const double bad[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        double values[TEST * DIMENSION];
        memcpy(values, test_inputs, sizeof values);
        values[DIMENSION + 2] = bad[i];
        const part changed = {"test_inputs", H5T_IEEE_F32LE, 2, {TEST, DIMENSION}, values};
        check_refused(*state, 2, &changed, "data.hdf5.test_inputs", "coordinate 2 of sample 1",
                      "/data.h5; every input must be finite");
        // What is not asked for does not matter.
        ww_dataset data = load_good(yaml(*state, "train: all, test: 1"));
        ww_dataset_free(&data);
    }
}

/// Samples without a direction, and a train set without any size.
static void test_zero_inputs(void **state)
{
    char text[1024];
    const struct {
        const char *kind, *first, *second;
    } cases[] = {{"sphere", "sample 0 of the train set", "all zeroes"},
                 {"ball", "all samples of the train set are zero", "none"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const part zero = {"train_inputs", H5T_IEEE_F32LE, 2, {TRAIN, DIMENSION}, NULL};
        make_file(*state, 0, &zero);
        (void)snprintf(text, sizeof text,
                       "training: {batch: 1}\n"
                       "data: {source: hdf5, train: all, test: all,\n"
                       "  normalize: %s, hdf5: {file: %s/data.h5}}\n",
                       cases[i].kind, (const char *)*state);
        load_bad(text, "test.yaml, line 3: data.normalize", cases[i].first, cases[i].second);
    }
    double values[TEST * DIMENSION];
    memcpy(values, test_inputs, sizeof values);
    memset(values + DIMENSION, 0, DIMENSION * sizeof(double));
    const part one = {"test_inputs", H5T_IEEE_F32LE, 2, {TEST, DIMENSION}, values};
    make_file(*state, 2, &one);
    (void)snprintf(text, sizeof text,
                   "training: {batch: 1}\n"
                   "data: {source: hdf5, train: all, test: all, hdf5: {file: %s/data.h5}}\n",
                   (const char *)*state);
    load_bad(text, "data.normalize", "sample 1 of the test set", "all zeroes");
}

/// One class alone, in train and test.
static void test_one_class(void **state)
{
    const part train = {"train_labels", H5T_STD_I8LE, 1, {TRAIN}, NULL};
    make_file(*state, 1, &train);
    char text[1024];
    (void)snprintf(text, sizeof text,
                   "training: {batch: 1}\n"
                   "data: {source: hdf5, train: all, test: all,\n"
                   "  hdf5: {file: %s/data.h5, test_inputs: train_inputs,\n"
                   "         test_labels: train_labels}}\n",
                   (const char *)*state);
    load_bad(text, "data.source", "1 class", "at least two");
}

static void test_wrong_types(void **state)
{
    make_file(*state, 0, NULL);
    char *path = path_in(*state);
    const hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    const hid_t text = H5Tcopy(H5T_C_S1);
    const hsize_t extent[] = {TRAIN, DIMENSION};
    put(file, "words", text, 2, extent, NULL);
    H5Tclose(text);
    H5Gclose(H5Gcreate2(file, "folder", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Fclose(file);
    const char *const names[] = {"words", "folder", "folder/none"};
    const char *const messages[] = {"neither integers nor floating-point numbers",
                                    "has no dataset 'folder'", "has no dataset 'folder/none'"};
    for (size_t i = 0; i < 3; i++) {
        char config[1024];
        (void)snprintf(config, sizeof config,
                       "training: {batch: 1}\n"
                       "data: {source: hdf5, train: 1, test: 1,\n"
                       "  hdf5: {file: %s, train_inputs: %s}}\n",
                       path, names[i]);
        load_bad(config, "test.yaml, line 3: data.hdf5.train_inputs", names[i], messages[i]);
    }
    free(path);
}

/// No such file, no HDF5 file, and one cut short. HDF5 itself prints nothing, and prints again
/// after.
static void test_wrong_files(void **state)
{
    H5E_auto2_t before = NULL, after = NULL;
    void *data_before = NULL, *data_after = NULL;
    H5Eget_auto2(H5E_DEFAULT, &before, &data_before);
    char *path = path_in(*state);
    assert_int_equal(remove(path), 0);
    load_bad(yaml(*state, "train: 1, test: 1"), "data.hdf5.file", path,
             "No such file or directory");
    write_file(*state, "data.h5", "no HDF5 file", 12);
    load_bad(yaml(*state, "train: 1, test: 1"), "data.hdf5.file", path,
             "not an HDF5 file that can be read (HDF5: ");
    make_file(*state, 0, NULL);
    assert_int_equal(truncate(path, 2100), 0);
    load_bad(yaml(*state, "train: 1, test: 1"), "data.hdf5.file", path, "truncated");
    assert_int_equal(remove(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    load_bad(yaml(*state, "train: 1, test: 1"), "data.hdf5.file", path,
             "(HDF5: file read failed: Is a directory)");
    assert_int_equal(rmdir(path), 0);
    free(path);
    H5Eget_auto2(H5E_DEFAULT, &after, &data_after);
    assert_true(before != NULL && before == after && data_before == data_after);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types_and_shapes), cmocka_unit_test(test_first_samples),
        cmocka_unit_test(test_many_labels),      cmocka_unit_test(test_wrong_shapes),
        cmocka_unit_test(test_wrong_values),     cmocka_unit_test(test_one_class),
        cmocka_unit_test(test_zero_inputs),      cmocka_unit_test(test_wrong_types),
        cmocka_unit_test(test_wrong_files),
    };
    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, make_folder, remove_folder);
    MPI_Finalize();
    return failed;
}
