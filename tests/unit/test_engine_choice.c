// Which engine a configuration gets, and what `window` needs where a batch fills its window.

#include "cmocka_all.h"
#include "small_problem.h"

#include <string.h>

static void make(small_problem *small, const char *const *settings, size_t count, int64_t train,
                 int64_t dimension)
{
    ww_error error = {0};
    if (!small_problem_make(small, MPI_COMM_SELF, settings, count, train, 5, dimension, 2, &error))
        fail_msg("%s", error.message);
}

static void expect_engine(const char *expected, int64_t dimension, const char *const *settings,
                          size_t count)
{
    small_problem small;
    char text[64];
    make(&small, settings, count, 20, dimension);
    ww_engine_describe(&small.problem, text, sizeof text);
    assert_string_equal(text, expected);
    small_problem_free(&small);
}

#define EXPECT(expected, dimension, ...)                                                           \
    do {                                                                                           \
        const char *const settings[] = {"data.train=20", __VA_ARGS__};                             \
        expect_engine(expected, dimension, settings, sizeof settings / sizeof settings[0]);        \
    } while (0)

static void test_choice(void **state)
{
    (void)state;
    EXPECT("engine dense (auto)", 80, "network.width=100");
    EXPECT("engine window (auto)", 64, "model=brutzkus", "network.width=64");
    EXPECT("engine dense (auto)", 63, "model=brutzkus", "network.width=64");
    EXPECT("engine dense (auto)", 64, "model=brutzkus", "network.width=62");
    EXPECT("engine dense (auto)", 64, "model=brutzkus", "training.batch=2");
    EXPECT("engine dense", 64, "model=brutzkus", "training.engine=dense");
    EXPECT("engine window", 8, "training.engine=window");
    EXPECT("engine samples", 8, "training.engine=samples");
    EXPECT("engine dense (auto) in single precision", 80, "precision=single");
    EXPECT("engine samples (auto)", 80, "network.width=10000", "measure.every=50");
    EXPECT("engine samples (auto)", 80, "network.width=10000", "training.method=gd");
    EXPECT("engine dense (auto)", 9, "network.width=100000", "training.method=gd"); // n > 2 d
    EXPECT("engine dense (auto)", 80, "network.width=10000", "measure.every=1");    // needs weights
    // Weights that a cache has room for are no other case.
    EXPECT("engine samples (auto)", 80, "network.width=300", "training.method=gd");
    EXPECT("engine dense (auto)", 80, "network.width=200", "training.method=gd"); // over at once
    EXPECT("engine window (auto)", 80, "network.width=1000", "measure.every=1", "training.batch=2");
    EXPECT("engine window (auto)", 80, "network.width=60000", "measure.every=1",
           "training.batch=2");
    // One output, full batches, the squared loss, and weights that records seldom ask for.
    EXPECT("engine lazy (auto)", 80, "model=arora", "network.width=10000");
    EXPECT("engine lazy (auto)", 4, "model=arora", "network.width=10000"); // n <= 6 d
    EXPECT("engine dense (auto)", 3, "model=arora", "network.width=10000");
    EXPECT("engine dense (auto)", 80, "model=arora", "network.width=10000", "measure.every=1");
    EXPECT("engine samples (auto) in single precision", 80, "model=arora", "network.width=10000",
           "precision=single");
    EXPECT("engine samples (auto)", 80, "model=arora", "network.width=10000",
           "network.train_output=true");
}

static ww_engine_cost cost_of(const char *batch)
{
    small_problem small;
    const char *const settings[] = {"model=brutzkus", "data.train=1000", "network.width=2",
                                    "training.engine=window", batch};
    make(&small, settings, sizeof settings / sizeof settings[0], 1000, 2);
    const ww_engine_cost cost = ww_engine_cost_of(&small.problem);
    small_problem_free(&small);
    return cost;
}

/// K = X X^T [b, b] is for steps after the first of a window, and there are none where B > 64.
static void test_products_only_where_they_are_used(void **state)
{
    (void)state;
    const int64_t two_steps = cost_of("training.batch=64").work;
    const int64_t one_step = cost_of("training.batch=65").work;
    const int64_t large = cost_of("training.batch=512").work;
    assert_true(two_steps - one_step > 128 * 128 * (int64_t)sizeof(double));
    assert_true(large < 512 * 512 * (int64_t)sizeof(double));
    // Per sample: P, W, outputs and coefficients alone.
    assert_true(cost_of("training.batch=512").step_flops == 512.0 * 2.0 * 4.0 * (2.0 + 1.0));
}

/// And training is that of the other engine.
static void test_steps_of_large_batches(void **state)
{
    (void)state;
    enum { STEPS = 40, D = 9, M = 140 };
    double weights[2][M * D];
    const char *const engines[] = {"training.engine=dense", "training.engine=window"};
    for (int which = 0; which < 2; which++) {
        small_problem small;
        ww_error error = {0};
        const char *const settings[] = {"model=brutzkus",    "data.train=210",
                                        "network.width=140", "training.batch=100",
                                        "training.rate=0.1", engines[which]};
        make(&small, settings, sizeof settings / sizeof settings[0], 210, D);
        ww_engine *engine = NULL;
        assert_int_equal(ww_engine_create(&small.problem, &engine, &error), WW_OK);
        while (ww_engine_steps(engine) < STEPS) {
            double loss = 0.0;
            int64_t requests = 0;
            assert_int_equal(ww_engine_step(engine, 0, &requests, &loss, &error), WW_OK);
        }
        assert_true(ww_engine_tally(engine)->updates > STEPS / 2);
        const ww_tiling *tiling = &small.problem.tiling;
        for (int64_t tile = 0; tile < tiling->tile_count; tile++)
            memcpy(weights[which] + tile * tiling->tile_units * D, ww_engine_tile(engine, tile),
                   (size_t)(ww_tile_size(tiling, tile) * D) * sizeof(double));
        ww_engine_free(engine);
        small_problem_free(&small);
    }
    for (int64_t i = 0; i < (int64_t)M * D; i++)
        assert_true(fabs(weights[0][i] - weights[1][i]) < 1e-13);
}

int main(int count, char **words)
{
    MPI_Init(&count, &words);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choice),
        cmocka_unit_test(test_products_only_where_they_are_used),
        cmocka_unit_test(test_steps_of_large_batches),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
