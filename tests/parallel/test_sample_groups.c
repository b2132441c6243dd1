// Full batches whose samples are divided over groups of ranks have the same bits on every grid of
// the process grid width x samples as on one rank alone.

#include "outcome.h"

enum { WIDTH = 300, DIMENSION = 9, TRAIN = 3 * WW_SECTION_SAMPLES + 700, TEST = 1100 };

// Every number of groups that these ranks can be in.
static void compare(const char *const *settings, size_t count, int64_t classes, int threads)
{
    outcome_shape shape = {.width = WIDTH,
                           .dimension = DIMENSION,
                           .train = TRAIN,
                           .test = TEST,
                           .classes = classes,
                           .steps = 2,
                           .every = 1,
                           .threads = 1,
                           .groups = 1};
    int ranks = 1;
    outcome alone;
    outcome_train(MPI_COMM_SELF, &shape, settings, count, &alone);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    shape.threads = threads;
    for (shape.groups = 1; shape.groups <= ranks; shape.groups++)
        if (ranks % shape.groups == 0)
            assert_int_equal(outcome_compare(&shape, settings, count, &alone),
                             shape.groups <= 4 ? shape.groups : 1); // there are four sections
    outcome_free(&alone);
}

static const char *const CLOSE =
    "measure.quantities=[loss, train_accuracy, test_loss, test_accuracy, v_max, coupling, "
    "coupling_train, coupling_any, coupling_at_risk, pseudo_network_deviation, distance, "
    "row_movement, batch_loss, equal_gradient, gradient_norm, pseudo_gradient_norm]";

static void test_units_of_cross_entropy(void **state)
{
    (void)state;
    const char *const settings[] = {"network.width=300", "training.method=gd", "training.rate=30",
                                    "data.train=12988", CLOSE};
    compare(settings, 5, 3, 2);
}

static void test_both_layers_with_leaky_units(void **state)
{
    (void)state;
    const char *const settings[] = {"network={width: 300, train_output: true, activation: "
                                    "{kind: leaky-relu, slope: 0.1}}",
                                    "training.method=gd",
                                    "training.rate=100",
                                    "data.train=12988",
                                    "measure.quantities=[loss, test_loss, distance]",
                                    "measure.final=[update_spectrum]"};
    compare(settings, 6, 3, 1);
}

static void test_pairs_with_squared_loss(void **state)
{
    (void)state;
    const char *const settings[] = {"model=arora",
                                    "network={width: 300, hidden: {pairs: antisymmetric, std: 1}}",
                                    "data.train=12988", "training.engine=dense",
                                    "measure.quantities=[loss, distance, coupling_any]"};
    compare(settings, 5, 2, 1);
}

static void test_single_precision(void **state)
{
    (void)state;
    const char *const settings[] = {"network={width: 300, train_output: true}", "precision=single",
                                    "training.method=gd", "data.train=12988",
                                    "measure.quantities=[loss, distance]"};
    compare(settings, 5, 3, 1);
}

// More ranks than tiles: groups are made without being asked for.
static void test_ranks_without_a_tile(void **state)
{
    (void)state;
    const char *const settings[] = {"network.width=100", "training.method=gd", "data.train=12988",
                                    "measure.quantities=[loss, distance]"};
    const outcome_shape shape = {.width = 100,
                                 .dimension = DIMENSION,
                                 .train = TRAIN,
                                 .test = TEST,
                                 .classes = 3,
                                 .steps = 2,
                                 .every = 1};
    int ranks = 1;
    outcome alone;
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    outcome_train(MPI_COMM_SELF, &shape, settings, 4, &alone);
    assert_int_equal(alone.groups, 1);
    assert_int_equal(outcome_compare(&shape, settings, 4, &alone), ranks <= 4 ? ranks : 1);
    outcome_free(&alone);
}

// A weight that is lost to a sum out of range ends the run at the next step, on all ranks alike.
static void test_divergence(void **state)
{
    (void)state;
    static const char *const settings[] = {"network.width=300", "training.method=gd",
                                           "data.train=12988", "training.rate=1e300"};
    small_problem small;
    ww_error error = {0};
    assert_true(
        small_problem_make(&small, MPI_COMM_WORLD, settings, 4, TRAIN, TEST, DIMENSION, 3, &error));
    small.parallel.sample_groups = small.parallel.size;
    assert_int_equal(
        ww_problem_make(small.problem.config, &small.data, &small.parallel, &small.problem, &error),
        WW_OK);
    ww_engine *engine = NULL;
    assert_int_equal(ww_engine_create(&small.problem, &engine, &error), WW_OK);
    double loss = 0.0;
    assert_int_equal(ww_engine_step(engine, 0, NULL, &loss, &error), WW_OK);
    assert_int_equal(ww_engine_step(engine, 0, NULL, &loss, &error), WW_DIVERGED);
    ww_engine_free(engine);
    small_problem_free(&small);
}

// What each rank of a column puts back is there on all of them.
static void test_restart_on_another_grid(void **state)
{
    (void)state;
    static const char *const settings[] = {"network={width: 300, train_output: true}",
                                           "training.method=gd", "data.train=12988",
                                           "training.rate=30"};
    small_problem small;
    ww_error error = {0};
    assert_true(
        small_problem_make(&small, MPI_COMM_WORLD, settings, 4, TRAIN, TEST, DIMENSION, 3, &error));
    ww_problem divided;
    small.parallel.sample_groups = small.parallel.size;
    ww_problem_describe(small.problem.config, &small.data, &small.parallel, &divided);
    const ww_problem *problems[] = {&small.problem, &divided};
    ww_engine *engines[2] = {NULL, NULL};
    double losses[2] = {0.0, 0.0};
    for (int i = 0; i < 2; i++)
        assert_int_equal(ww_engine_create(problems[i], &engines[i], &error), WW_OK);
    for (int step = 0; step < 2; step++)
        assert_int_equal(ww_engine_step(engines[0], 0, NULL, losses, &error), WW_OK);
    const ww_tiling *tiling = &divided.tiling;
    for (int64_t i = 0; i < tiling->local_tiles; i++)
        ww_engine_put_layer_tile(engines[1], 1, tiling->first_tile + i,
                                 ww_engine_tile(engines[0], tiling->first_tile + i));
    memcpy(ww_engine_output_storage(engines[1]), ww_engine_output_weights(engines[0]),
           (size_t)(tiling->local_units * divided.outputs) * sizeof(double));
    assert_int_equal(ww_engine_restored(engines[1], 2, &error), WW_OK);
    for (int step = 0; step < 2; step++)
        for (int i = 0; i < 2; i++)
            assert_int_equal(ww_engine_step(engines[i], 0, NULL, &losses[i], &error), WW_OK);
    assert_true(losses[0] == losses[1]);
    for (int64_t i = 0; i < tiling->local_tiles; i++)
        assert_memory_equal(ww_engine_tile(engines[0], tiling->first_tile + i),
                            ww_engine_tile(engines[1], tiling->first_tile + i),
                            (size_t)(ww_tile_size(tiling, tiling->first_tile + i) * DIMENSION) *
                                sizeof(double));
    for (int i = 0; i < 2; i++)
        ww_engine_free(engines[i]);
    small_problem_free(&small);
}

int main(int count, char **words)
{
    MPI_Init(&count, &words);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_units_of_cross_entropy),
        cmocka_unit_test(test_both_layers_with_leaky_units),
        cmocka_unit_test(test_pairs_with_squared_loss),
        cmocka_unit_test(test_single_precision),
        cmocka_unit_test(test_ranks_without_a_tile),
        cmocka_unit_test(test_divergence),
        cmocka_unit_test(test_restart_on_another_grid),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
