// A data set is the same on all ranks, and an error is everyone's.
#include "data_support.h"

#include <hdf5.h>
#include <math.h>
#include <sys/resource.h>

static void check_same_separator(const ww_dataset *shared, const ww_dataset *own)
{
    const ww_separator *separator = &shared->separator;
    assert_int_equal(shared->candidates, own->candidates);
    assert_int_equal(shared->kept, own->kept);
    assert_int_equal(separator->sought, own->separator.sought);
    assert_true(separator->lower == own->separator.lower);
    assert_true(separator->upper == own->separator.upper);
    assert_int_equal(separator->weights != NULL, own->separator.weights != NULL);
    assert_int_equal(separator->margins != NULL, own->separator.margins != NULL);
    if (separator->weights == NULL)
        return;
    assert_memory_equal(separator->weights, own->separator.weights,
                        (size_t)own->dimension * sizeof(double));
    assert_memory_equal(separator->margins, own->separator.margins,
                        (size_t)own->train.count * sizeof(double));
}

static void check_same_samples(const ww_dataset *shared, const ww_dataset *own)
{
    const ww_samples *const parts[] = {&shared->train, &own->train, &shared->test, &own->test};
    for (size_t p = 0; p < 4; p += 2) {
        const size_t count = (size_t)parts[p]->count;
        assert_int_equal(parts[p]->count, parts[p + 1]->count);
        assert_memory_equal(parts[p]->inputs, parts[p + 1]->inputs,
                            count * (size_t)own->dimension * sizeof(double));
        assert_memory_equal(parts[p]->labels, parts[p + 1]->labels, count * sizeof(int64_t));
        assert_memory_equal(parts[p]->components, parts[p + 1]->components,
                            count * sizeof(int64_t));
        assert_int_equal(parts[p]->targets != NULL, own->has_targets);
        if (own->has_targets)
            assert_memory_equal(parts[p]->targets, parts[p + 1]->targets,
                                count * (size_t)own->outputs * sizeof(double));
    }
}

/// Bytes of the largest set that rank 0 may share: memory that is shared is a file.
enum { ANY = -1, NONE = 0, ONE_OF_TWO = 30000 };

/// Loads the data set of `yaml` with all ranks and alone.
static void check_same(const char *yaml, int most)
{
    int rank = 0;
    ww_parallel alone = {0};
    ww_error error = {0};
    struct rlimit before;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    const bool is_bound = most != ANY && rank == 0;
    assert_int_equal(ww_parallel_create(MPI_COMM_SELF, &alone, &error), WW_OK);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit small = {.rlim_cur = (rlim_t)most, .rlim_max = before.rlim_max};
    if (is_bound)
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    ww_dataset shared = load_good(yaml), own = {0};
    if (is_bound)
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_true(most != NONE || guest_bytes(&shared) == 0);
    ww_experiment experiment = {0};
    assert_int_equal(ww_experiment_parse(yaml, "test.yaml", "/", NULL, 0, &experiment, &error),
                     WW_OK);
    assert_int_equal(ww_dataset_load(&experiment.members[0], &alone, &own, &error), WW_OK);
    ww_experiment_free(&experiment);
    assert_int_equal(shared.dimension, own.dimension);
    assert_int_equal(shared.classes, own.classes);
    assert_int_equal(shared.components, own.components);
    assert_int_equal(shared.outputs, own.outputs);
    assert_int_equal(shared.has_targets, own.has_targets);
    assert_int_equal(shared.keeps_truth, own.keeps_truth);
    assert_true(shared.hash == own.hash);
    check_same_samples(&shared, &own);
    check_same_separator(&shared, &own);
    ww_dataset_free(&shared);
    ww_dataset_free(&own);
    ww_parallel_destroy(&alone);
}

static void check_same_on_all_ranks(int most)
{
    const char *const configurations[] = {
        "data: {train: 300, test: 200, mixture: {dimension: 17},\n"
        "  labels: {random_fraction: 0.5, noisy_test: true}}",
        "data: {source: xor-balls, train: 50, test: 20}",
        "data: {source: points}",
        "data: {train: 2200, test: 1100, normalize: ball, mixture: {dimension: 3}}",
        "data: {train: 3, test: 1, mixture: {dimension: 2}}\ntraining: {batch: 2}",
        "model: arora\ndata: {source: function, train: 61, test: 53, last_coordinate: 0.25}",
        "model: zou-gu\ndata: {train: 40, test: 30, sphere: {outputs: 3}}",
        "model: brutzkus\ndata: {source: orthonormal}",
        "model: brutzkus\ndata: {source: separable, train: 200, labels: {kind: random}}",
        "model: brutzkus\ndata: {source: mixture, train: 150, test: 100, mixture: {classes: 2, "
        "dimension: 9, spread: 4},\n"
        "  subset: {kind: separable, candidates: 500}}"};
    for (size_t i = 0; i < sizeof configurations / sizeof configurations[0]; i++)
        check_same(configurations[i], most);
}

enum { FILE_SAMPLES = 90, FILE_DIMENSION = 4, FILE_OUTPUTS = 3 };

static void put(hid_t file, const char *name, hsize_t columns, double bad)
{
    double values[FILE_SAMPLES * FILE_DIMENSION];
    for (int i = 0; i < FILE_SAMPLES * FILE_DIMENSION; i++)
        values[i] = (i * 37 % 101) / 7.0 - 5.0;
    values[FILE_SAMPLES * (int)columns - 1] *= bad;
    const hsize_t extent[] = {FILE_SAMPLES, columns};
    const hid_t space = H5Screate_simple(2, extent, NULL);
    const hid_t set =
        H5Dcreate2(file, name, H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(set);
    H5Sclose(space);
}

/// Rank 0 makes a file with inputs, targets and targets the last of which is no number, in a folder
/// of its own; all get its path.
static void make_targets(char *path, int size, void **folder)
{
    int rank = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (rank == 0) {
        assert_int_equal(make_folder(folder), 0);
        (void)snprintf(path, (size_t)size, "%s/data.h5", (const char *)*folder);
        const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
        assert_true(file >= 0);
        put(file, "x", FILE_DIMENSION, 1.0);
        put(file, "y", FILE_OUTPUTS, 1.0);
        put(file, "bad", FILE_OUTPUTS, (double)NAN);
        H5Fclose(file);
    }
    MPI_Bcast(path, size, MPI_CHAR, 0, MPI_COMM_WORLD);
}

/// Only rank 0 reads the file.
static void test_targets_of_a_file(void **state)
{
    (void)state;
    char path[256] = "", text[1024];
    void *folder = NULL;
    make_targets(path, sizeof path, &folder);
    const char *const labels[] = {"kind: \"true\"", "kind: random", "random_fraction: 0.4"};
    for (size_t i = 0; i < 2 * sizeof labels / sizeof labels[0]; i++) {
        (void)snprintf(text, sizeof text,
                       "model: zou-gu\n"
                       "data: {source: hdf5, train: all, test: 20, labels: {%s},\n"
                       "  hdf5: {file: %s, train_inputs: x, test_inputs: x,\n"
                       "         train_targets: y, test_targets: %s}}\n",
                       labels[i / 2], path, i % 2 == 0 ? "y" : "bad");
        check_same(text, ANY);
    }
    (void)snprintf(text, sizeof text,
                   "model: zou-gu\n"
                   "data: {source: hdf5, train: 20, test: all,\n"
                   "  hdf5: {file: %s, train_inputs: x, test_inputs: x,\n"
                   "         train_targets: y, test_targets: bad}}\n",
                   path);
    load_bad(text, "test.yaml, line 4: data.hdf5.test_targets", "target 2 of sample 89",
             "is nan; every target must be finite");
    if (folder != NULL)
        assert_int_equal(remove_folder(&folder), 0);
}

static void test_same_on_all_ranks(void **state)
{
    (void)state;
    check_same_on_all_ranks(ANY);
    check_same_on_all_ranks(NONE);
    check_same_on_all_ranks(ONE_OF_TWO);
}

/// Where the inputs stand: with rank 0 of the node, whose memory it is; on one rank in plain
/// memory.
static void test_held_once_a_node(void **state)
{
    (void)state;
    ww_parallel world = {0}, part = {0};
    ww_nodes nodes = {0};
    ww_error error = {0};
    assert_int_equal(ww_parallel_create(MPI_COMM_WORLD, &world, &error), WW_OK);
    ww_experiment experiment = {0};
    assert_int_equal(ww_experiment_parse("data: {train: 300, test: 200}", "test.yaml", "/", NULL, 0,
                                         &experiment, &error),
                     WW_OK);
    // Crews of unlike size, which let go at different times, after they have parted.
    const int crew = world.rank < (world.size + 1) / 3 ? 0 : 1;
    ww_dataset data[2] = {{0}, {0}};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ww_parallel_split(&world, i == 0 ? 0 : crew, &part, &error), WW_OK);
        assert_int_equal(ww_nodes_create(&part, &nodes, &error), WW_OK);
        assert_int_equal(ww_dataset_load(&experiment.members[0], &part, &data[i], &error), WW_OK);
        const int64_t inputs = ww_dataset_input_bytes(&data[i]);
        const bool shares = nodes.node.size > 1;
        assert_int_equal(inputs, 500 * 1000 * 8);
        assert_int_equal(data[i].train.shared.is_mapped, shares);
        assert_int_equal(data[i].test.shared.is_mapped, shares);
        assert_int_equal(guest_bytes(&data[i]), nodes.node.rank > 0 ? inputs : 0);
        assert_int_equal(ww_dataset_bytes(&data[i], 1), inputs + 500 * 16);
        assert_int_equal(ww_dataset_bytes(&data[i], 3), (inputs + 2) / 3 + 500 * 16);
        ww_nodes_destroy(&nodes);
        ww_parallel_destroy(&part);
    }
    assert_memory_equal(data[0].train.inputs, data[1].train.inputs, 300 * 1000 * sizeof(double));
    ww_dataset_free(&data[crew]);
    assert_int_equal(ww_agree(&world, WW_OK, &error), WW_OK);
    double sum = 0.0;
    for (int64_t i = 0; i < (int64_t)200 * 1000; i++)
        sum += data[1 - crew].test.inputs[i] * data[1 - crew].test.inputs[i];
    assert_true(sum > 199.999 && sum < 200.001); // 200 vectors of norm 1
    ww_dataset_free(&data[1 - crew]);
    ww_experiment_free(&experiment);
    ww_parallel_destroy(&world);
}

static void test_same_error_on_all_ranks(void **state)
{
    (void)state;
    load_bad("data: {source: hdf5, hdf5: {file: /no/such/folder/data.h5}}",
             "test.yaml, line 1: data.hdf5.file", "/no/such/folder/data.h5",
             "No such file or directory");
    load_bad("model: brutzkus\n"
             "data: {source: mixture, train: 100, test: 100, mixture: {classes: 2, dimension: 2, "
             "spread: 50},\n"
             "  subset: {kind: separable, candidates: 210}}",
             "test.yaml, line 3: data.subset.candidates", "of 210 candidates",
             "data.subset.margin");
    load_bad("data: {train: 20, test: 5, mixture: {dimension: 1, spread: 1.7e308, separation: 0}}",
             "data.source", "coordinate 0 of sample", "every input must be finite");
    load_bad("model: arora\ndata: {source: function, train: 20, test: 20,\n"
             "  function: {dimension: 3, alpha: 1.7e308, norm: 1e30}}",
             "test.yaml, line 3: data.function.alpha", "gives sample", "choose a smaller one");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_on_all_ranks),
        cmocka_unit_test(test_targets_of_a_file),
        cmocka_unit_test(test_held_once_a_node),
        cmocka_unit_test(test_same_error_on_all_ranks),
    };
    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
