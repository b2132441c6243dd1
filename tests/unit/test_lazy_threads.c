// The engine `lazy` has the same bits on any number of threads: after every step of windows, of
// full steps, and of turns between them.
#include "cmocka_all.h"
#include "small_problem.h"
#include "train/lazy_full.h"

#include <string.h>

enum { TRAIN = 100, DIMENSION = 30, STEPS = 20, TURN = 5, RUNS = 4 };

static const int threads[RUNS] = {1, 2, 3, 7};

// Engines with as many threads each, beside each other.
typedef struct runs {
    small_problem small[RUNS];
    ww_engine *engines[RUNS];
    double *states[RUNS]; // of a tile
} runs;

static void begin(runs *all, const char *const *settings, size_t count, int64_t classes)
{
    for (int run = 0; run < RUNS; run++) {
        small_problem *small = &all->small[run];
        ww_error error = {0};
        if (!small_problem_make(small, MPI_COMM_SELF, settings, count, TRAIN, 2, DIMENSION, classes,
                                &error))
            fail_msg("%s", error.message);
        for (int64_t s = 0; classes == 2 && s < TRAIN; s++)
            small->data.train.targets[s] = sin(37.0 * (double)(s * s)) > 0.0 ? 1.0 : -1.0;
        small->parallel.threads = threads[run];
        if (ww_engine_create(&small->problem, &all->engines[run], &error) != WW_OK)
            fail_msg("%s", error.message);
        all->states[run] = calloc(
            (size_t)(small->problem.tiling.tile_units * ww_engine_state_columns(&small->problem)),
            sizeof *all->states[run]);
        assert_non_null(all->states[run]);
    }
}

static void end(runs *all)
{
    for (int run = 0; run < RUNS; run++) {
        ww_engine_free(all->engines[run]);
        small_problem_free(&all->small[run]);
        free(all->states[run]);
    }
}

// What the engines keep of a tile: offsets and patterns, and P in full steps.
static void compare_tile(runs *all, int64_t tile)
{
    const ww_problem *problem = &all->small[0].problem;
    const size_t size =
        (size_t)(ww_tile_size(&problem->tiling, tile) * ww_engine_state_columns(problem)) *
        sizeof(double);
    for (int run = 0; run < RUNS; run++) {
        memcpy(all->states[run], ww_engine_state_tile(all->engines[run], tile), size);
        assert_memory_equal(all->states[run], all->states[0], size);
    }
}

// Follows a course whose steps are by windows or full ones as prices of changes say, in turns.
static void follow(const char *const *settings, size_t count, int64_t classes, double first_price,
                   double other_price)
{
    runs all = {0};
    begin(&all, settings, count, classes);
    double before = 0.0;
    int64_t moves = 0;
    for (int64_t step = 0; step < STEPS; step++) {
        double losses[RUNS] = {0.0};
        ww_error error = {0};
        ww_lazy_set_price(step / TURN % 2 == 0 ? first_price : other_price);
        for (int run = 0; run < RUNS; run++) {
            if (ww_engine_step(all.engines[run], 0, NULL, &losses[run], &error) != WW_OK)
                fail_msg("step %lld on %d threads: %s", (long long)step, threads[run],
                         error.message);
            if (losses[run] != losses[0])
                fail_msg("step %lld: the loss on %d threads is %.17g, on one %.17g",
                         (long long)step, threads[run], losses[run], losses[0]);
        }
        for (int64_t tile = 0; tile < all.small[0].problem.tiling.tile_count; tile++)
            compare_tile(&all, tile);
        moves += step > 0 && losses[0] != before;
        before = losses[0];
    }
    assert_int_equal(moves, STEPS - 1);
    end(&all);
}

static void test_one_output(void **state)
{
    (void)state;
    const char *const activations[] = {"network.activation={kind: relu}",
                                       "network.activation={kind: leaky-relu, slope: 0.2}"};
    for (int i = 0; i < 2; i++) {
        const char *const settings[] = {"model=arora", "network.width=1000",
                                        "network.hidden.std=0.2", activations[i],
                                        "training={engine: lazy, rate: 0.01, steps: 20}"};
        follow(settings, 5, 2, 0.0, 0.0);
        follow(settings, 5, 2, 0.0, INFINITY);
    }
}

static void test_small_batches(void **state)
{
    (void)state;
    const char *const settings[] = {
        "model=arora", "network.width=1000", "network.hidden.std=0.2",
        "training={engine: lazy, rate: 0.05, steps: 20, method: sgd, batch: 16}"};
    follow(settings, 4, 2, 0.0, 0.0);
}

static void test_several_outputs(void **state)
{
    (void)state;
    const char *const losses[] = {"loss=cross-entropy", "loss=squared"};
    const char *const activations[] = {"network.activation={kind: relu}",
                                       "network.activation={kind: leaky-relu, slope: 0.2}"};
    for (int i = 0; i < 2; i++) {
        const char *const settings[] = {"model=arora",
                                        "network.width=1000",
                                        "network.hidden.std=0.2",
                                        "network.output={kind: gaussian}",
                                        losses[i],
                                        activations[i],
                                        "training={engine: lazy, rate: 0.005, steps: 20}"};
        follow(settings, 7, 3, 0.0, 0.0);
        follow(settings, 7, 3, 0.0, INFINITY);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_output),
        cmocka_unit_test(test_small_batches),
        cmocka_unit_test(test_several_outputs),
    };
    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
