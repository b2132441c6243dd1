// A data set is the same on all ranks, and an error is everyone's.
#include "data_support.h"

static void test_same_on_all_ranks(void **state)
{
    (void)state;
    const char *const configurations[] = {
        "data: {train: 300, test: 200, mixture: {dimension: 17},\n"
        "  labels: {random_fraction: 0.5, noisy_test: true}}",
        "data: {source: xor-balls, train: 50, test: 20}", "data: {source: points}"};
    ww_parallel alone = {0};
    ww_error error = {0};
    assert_int_equal(ww_parallel_create(MPI_COMM_SELF, &alone, &error), WW_OK);
    for (size_t i = 0; i < sizeof configurations / sizeof configurations[0]; i++) {
        ww_dataset shared = load_good(configurations[i]), own = {0};
        ww_experiment experiment = {0};
        assert_int_equal(
            ww_experiment_parse(configurations[i], "test.yaml", "/", NULL, 0, &experiment, &error),
            WW_OK);
        assert_int_equal(ww_dataset_load(&experiment.members[0], &alone, &own, &error), WW_OK);
        ww_experiment_free(&experiment);
        assert_int_equal(shared.dimension, own.dimension);
        assert_int_equal(shared.classes, own.classes);
        assert_int_equal(shared.components, own.components);
        assert_true(shared.hash == own.hash);
        const ww_samples *const parts[] = {&shared.train, &own.train, &shared.test, &own.test};
        for (size_t p = 0; p < 4; p += 2) {
            const size_t count = (size_t)parts[p]->count;
            assert_int_equal(parts[p]->count, parts[p + 1]->count);
            assert_memory_equal(parts[p]->inputs, parts[p + 1]->inputs,
                                count * (size_t)own.dimension * sizeof(double));
            assert_memory_equal(parts[p]->labels, parts[p + 1]->labels, count * sizeof(int64_t));
            assert_memory_equal(parts[p]->components, parts[p + 1]->components,
                                count * sizeof(int64_t));
        }
        ww_dataset_free(&shared);
        ww_dataset_free(&own);
    }
    ww_parallel_destroy(&alone);
}

static void test_same_error_on_all_ranks(void **state)
{
    (void)state;
    load_bad("data: {source: hdf5, hdf5: {file: /no/such/folder/data.h5}}",
             "test.yaml, line 1: data.hdf5.file", "/no/such/folder/data.h5",
             "No such file or directory");
    load_bad("data: {train: 20, test: 5, mixture: {dimension: 1, spread: 1.7e308, separation: 0}}",
             "data.source", "coordinate 0 of sample", "every input must be finite");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_on_all_ranks),
        cmocka_unit_test(test_same_error_on_all_ranks),
    };
    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
