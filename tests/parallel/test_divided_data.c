// A data set of which each node has the inputs of some samples alone: what is there is as it is in
// the whole data set, and the rest is out of reach.
#include "data_support.h"

#include <errno.h>
#include <hdf5.h>
#include <sys/resource.h>
#include <unistd.h>

static int ranks_a_node = 1; // every so many in a row are told that they are on a node of their own

int MPI_Comm_split_type(MPI_Comm communicator, int type, int key, MPI_Info info, MPI_Comm *part)
{
    int rank = 0;
    assert_int_equal(type, MPI_COMM_TYPE_SHARED);
    (void)info;
    PMPI_Comm_rank(MPI_COMM_WORLD, &rank);
    return PMPI_Comm_split(communicator, rank / ranks_a_node, key, part);
}

/// Whether the system lets this rank read there.
static bool is_readable(const void *place)
{
    int ends[2] = {-1, -1};
    assert_int_equal(pipe(ends), 0);
    const bool is_read = write(ends[1], place, 1) == 1;
    assert_true(is_read || errno == EFAULT);
    (void)close(ends[0]);
    (void)close(ends[1]);
    return is_read;
}

/// Which part of so many samples a rank wants: one of as many parts as there are ranks, one of two,
/// or all.
typedef enum wish { EACH_ITS_OWN, ONE_OF_TWO, EVERY_OTHER, ALL, WISHES } wish;

static ww_part_of_samples part_for(wish kind, int64_t count, int rank, int size)
{
    const int parts = kind == EACH_ITS_OWN ? size : kind == ALL || size == 1 ? 1 : 2;
    const int number = kind == EACH_ITS_OWN  ? rank
                       : kind == ONE_OF_TWO  ? rank * parts / size
                       : kind == EVERY_OTHER ? rank % parts
                                             : 0;
    const int64_t first = count * number / parts;
    return (ww_part_of_samples){.first = first, .count = count * (number + 1) / parts - first};
}

static void check_set(const ww_samples *divided, const ww_samples *whole, ww_part_of_samples wanted,
                      const ww_dataset *data)
{
    const size_t count = (size_t)whole->count, row = (size_t)data->dimension;
    const ww_part_of_samples held = divided->held;
    assert_int_equal(divided->count, whole->count);
    assert_memory_equal(divided->labels, whole->labels, count * sizeof(int64_t));
    assert_memory_equal(divided->components, whole->components, count * sizeof(int64_t));
    if (data->has_targets)
        assert_memory_equal(divided->targets, whole->targets,
                            count * (size_t)data->outputs * sizeof(double));
    assert_true(held.first <= wanted.first);
    assert_true(held.first + held.count >= wanted.first + wanted.count);
    const size_t first = (size_t)held.first * row;
    assert_memory_equal(divided->inputs + first, whole->inputs + first,
                        (size_t)held.count * row * sizeof(double));
    const size_t page = (size_t)sysconf(_SC_PAGESIZE) / sizeof(double);
    const size_t next = (size_t)(held.first + held.count) * row;
    if (first > page)
        assert_false(is_readable(divided->inputs + first - page - row));
    if (next + page + row < count * row)
        assert_false(is_readable(divided->inputs + next + page + row));
}

/// A configuration of data, and its data set as a whole on this rank alone.
typedef struct undivided {
    ww_parallel world, alone;
    ww_experiment experiment;
    ww_dataset data;
} undivided;

static void load(const char *yaml, undivided *whole)
{
    ww_error error = {0};
    *whole = (undivided){0};
    assert_int_equal(ww_parallel_create(MPI_COMM_WORLD, &whole->world, &error), WW_OK);
    assert_int_equal(ww_parallel_create(MPI_COMM_SELF, &whole->alone, &error), WW_OK);
    assert_int_equal(
        ww_experiment_parse(yaml, "test.yaml", "/", NULL, 0, &whole->experiment, &error), WW_OK);
    assert_true(ww_dataset_divides(&whole->experiment.members[0]));
    assert_int_equal(
        ww_dataset_load(&whole->experiment.members[0], &whole->alone, &whole->data, &error), WW_OK);
    assert_false(whole->data.is_divided);
}

static void unload(undivided *whole)
{
    ww_dataset_free(&whole->data);
    ww_experiment_free(&whole->experiment);
    ww_parallel_destroy(&whole->alone);
    ww_parallel_destroy(&whole->world);
}

/// Loads the data set divided; `shares`: nodes can have memory in common.
static void check(const undivided *reference, wish kind, bool shares)
{
    const ww_config *config = &reference->experiment.members[0];
    const ww_parallel *world = &reference->world;
    const ww_dataset *whole = &reference->data;
    ww_error error = {0};
    ww_dataset divided = {0};
    struct rlimit before;
    const ww_sample_parts wanted = {
        .train = part_for(kind, whole->train.count, world->rank, world->size),
        .test = part_for(kind, whole->test.count, world->rank, world->size)};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};
    if (!shares)
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    const ww_status status = ww_dataset_load_parts(config, world, &wanted, &divided, &error);
    if (!shares)
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    if (status != WW_OK)
        fail_msg("%s", error.message);
    assert_int_equal(divided.is_divided, world->size > 1);
    assert_true(divided.hash == whole->hash);
    assert_true(ww_dataset_largest_norm(&divided) == ww_dataset_largest_norm(whole));
    assert_int_equal(divided.dimension, whole->dimension);
    assert_int_equal(divided.outputs, whole->outputs);
    assert_int_equal(divided.has_targets, whole->has_targets);
    check_set(&divided.train, &whole->train, wanted.train, whole);
    check_set(&divided.test, &whole->test, wanted.test, whole);
    // A node with a rank of its own has just what that wants, but for blocks that are hashed.
    if ((ranks_a_node == 1 || !shares) && world->size > 1)
        assert_true(divided.train.held.count <= wanted.train.count + 2048 + 1);
    if (!shares)
        assert_int_equal(guest_bytes(&divided), 0);
    ww_dataset_free(&divided);
}

static void test_parts_of_the_whole(void **state)
{
    (void)state;
    static const char *const configurations[] = {
        "data: {train: 9000, test: 5000, mixture: {dimension: 17}, labels: {random_fraction: 0.5}}",
        "data: {train: 3000, test: 5000, mixture: {dimension: 9}, labels: {kind: random}}",
        "data: {source: xor-balls, train: 5000, test: 3001}",
        "data: {source: points, points: {classes: 40, components: 60, dimension: 31}}",
        "data: {train: 8200, test: 100, normalize: ball, mixture: {dimension: 3}}",
        "model: arora\ndata: {source: function, train: 6100, test: 5300, last_coordinate: 0.25}",
        "model: arora\ndata: {source: separable, train: 7000, test: 1}"};
    int size = 1;
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    for (size_t i = 0; i < sizeof configurations / sizeof configurations[0]; i++) {
        undivided whole;
        load(configurations[i], &whole);
        for (int kind = 0; kind < WISHES; kind++)
            for (ranks_a_node = 1; ranks_a_node <= size; ranks_a_node++)
                check(&whole, (wish)kind, true);
        unload(&whole);
    }
}

enum { FILE_TRAIN = 6000, FILE_TEST = 2100, FILE_DIMENSION = 6, FILE_OUTPUTS = 2 };

static void put(hid_t file, const char *name, hsize_t rows, hsize_t columns, int modulus)
{
    double *values = calloc(rows * columns, sizeof *values);
    assert_non_null(values);
    for (hsize_t i = 0; i < rows * columns; i++)
        values[i] = (double)(i * 37 % (hsize_t)modulus);
    const hsize_t extent[] = {rows, columns}, piece[] = {100, columns};
    const hid_t space = H5Screate_simple(2, extent, NULL);
    const hid_t layout = H5Pcreate(H5P_DATASET_CREATE);
    assert_true(H5Pset_chunk(layout, 2, piece) >= 0 && H5Pset_deflate(layout, 1) >= 0);
    const hid_t set =
        H5Dcreate2(file, name, H5T_IEEE_F32LE, space, H5P_DEFAULT, layout, H5P_DEFAULT);
    assert_true(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(set);
    H5Pclose(layout);
    H5Sclose(space);
    free(values);
}

/// Rank 0 makes a file in a folder of its own; all get its path.
static void make_file(char *path, int size, void **folder)
{
    int rank = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (rank == 0) {
        assert_int_equal(make_folder(folder), 0);
        (void)snprintf(path, (size_t)size, "%s/data.h5", (const char *)*folder);
        const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
        assert_true(file >= 0);
        put(file, "x", FILE_TRAIN, FILE_DIMENSION, 10007);
        put(file, "z", FILE_TEST, FILE_DIMENSION, 9973);
        put(file, "labels", FILE_TRAIN, 1, 5);
        put(file, "test labels", FILE_TEST, 1, 3);
        put(file, "y", FILE_TRAIN, FILE_OUTPUTS, 101);
        put(file, "test y", FILE_TEST, FILE_OUTPUTS, 103);
        H5Fclose(file);
    }
    MPI_Bcast(path, size, MPI_CHAR, 0, MPI_COMM_WORLD);
}

/// Of a file each node reads its own rows.
static void test_parts_of_a_file(void **state)
{
    (void)state;
    char path[256] = "", text[1024];
    void *folder = NULL;
    static const char *const kinds[] = {"train_labels: labels, test_labels: test labels",
                                        "train_targets: y, test_targets: test y"};
    static const char *const models[] = {"data: {labels: {random_fraction: 0.3}, normalize: ball",
                                         "model: arora\ndata: {normalize: none"};
    int size = 1;
    make_file(path, sizeof path, &folder);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        (void)snprintf(text, sizeof text,
                       "%s, source: hdf5, train: 5900, test: all,\n"
                       "  hdf5: {file: %s, train_inputs: x, test_inputs: z, %s}}\n",
                       models[i], path, kinds[i]);
        undivided whole;
        load(text, &whole);
        for (int kind = 0; kind < WISHES; kind++)
            for (ranks_a_node = 1; ranks_a_node <= size; ranks_a_node += 2)
                check(&whole, (wish)kind, true);
        unload(&whole);
    }
    MPI_Barrier(MPI_COMM_WORLD);
    if (folder != NULL)
        assert_int_equal(remove_folder(&folder), 0);
}

static void test_where_nothing_is_shared(void **state)
{
    (void)state;
    ranks_a_node = 2;
    undivided whole;
    load("data: {train: 9000, test: 5000, normalize: ball, mixture: {dimension: 17}}", &whole);
    for (int kind = 0; kind < WISHES; kind++)
        check(&whole, (wish)kind, false);
    unload(&whole);
}

/// What is wrong with a sample of one node is said by all.
static void test_error_of_one(void **state)
{
    (void)state;
    ww_parallel world = {0};
    ww_error error = {0};
    ww_experiment experiment = {0};
    ww_dataset data = {0};
    static const char yaml[] =
        "data: {train: 9000, test: 5000, mixture: {dimension: 1, spread: 5e307, separation: 0}}";
    ranks_a_node = 1;
    assert_int_equal(ww_parallel_create(MPI_COMM_WORLD, &world, &error), WW_OK);
    assert_int_equal(ww_experiment_parse(yaml, "test.yaml", "/", NULL, 0, &experiment, &error),
                     WW_OK);
    const ww_sample_parts wanted = {.train = part_for(EACH_ITS_OWN, 9000, world.rank, world.size),
                                    .test = part_for(EACH_ITS_OWN, 5000, world.rank, world.size)};
    assert_int_equal(ww_dataset_load_parts(&experiment.members[0], &world, &wanted, &data, &error),
                     WW_USAGE);
    assert_non_null(strstr(error.message, "every input must be finite"));
    assert_null(data.train.inputs);
    ww_experiment_free(&experiment);
    ww_parallel_destroy(&world);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts_of_the_whole),
        cmocka_unit_test(test_parts_of_a_file),
        cmocka_unit_test(test_where_nothing_is_shared),
        cmocka_unit_test(test_error_of_one),
    };
    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
