// Training and measuring have the same bits on all ranks together, of three threads each, as on one
// rank alone.

#include "outcome.h"
#include "train/lazy_full.h"

enum { WIDTH = 700, DIMENSION = 9, STEPS = 12, EVERY = 4 };

static void compare_of(int64_t classes, const char *const *settings, size_t count)
{
    outcome_shape shape = {.width = WIDTH,
                           .dimension = DIMENSION,
                           .train = 60,
                           .test = 45,
                           .classes = classes,
                           .steps = STEPS,
                           .every = EVERY,
                           .threads = 1};
    outcome alone;
    outcome_train(MPI_COMM_SELF, &shape, settings, count, &alone);
    shape.threads = 3;
    (void)outcome_compare(&shape, settings, count, &alone);
    outcome_free(&alone);
}

static void compare(const char *const *settings, size_t count)
{
    compare_of(3, settings, count);
}

static void test_sgd(void **state)
{
    (void)state;
    static const char *const settings[] = {"network.width=700", "training.batch=8", "data.train=60",
                                           "measure.quantities=[all]", "measure.final=[all]"};
    compare(settings, 5);
}

static void test_gd_with_leaky_units(void **state)
{
    (void)state;
    static const char *const settings[] = {
        "network.width=700",   "training.method=gd",
        "data.train=60",       "measure.quantities=[all]",
        "measure.final=[all]", "network.activation={kind: leaky-relu, slope: 0.1}"};
    compare(settings, 6);
}

static void test_squared_loss_of_pairs(void **state)
{
    (void)state;
    static const char *const settings[] = {
        "model=arora", "network={width: 700, hidden: {pairs: antisymmetric, std: 1}}",
        "data.train=60", "measure.quantities=[all]", "measure.final=[all]"};
    compare(settings, 5);
    static const char *const arrays[] = {
        "model=arora", "network={width: 700, hidden: {pairs: antisymmetric}}",
        "training={method: sgd, batch: 9}", "data.train=60",
        "measure.quantities=[contraction, train_outputs, test_outputs]"};
    compare(arrays, 5);
}

// By windows, by full steps, and by whichever changes of patterns advise.
static void compare_lazy(const char *const *settings, size_t count)
{
    const double prices[] = {0.0, INFINITY, 0.025};
    for (int i = 0; i < 3; i++) {
        ww_lazy_set_price(prices[i]);
        compare_of(2, settings, count);
    }
}

static void test_lazy(void **state)
{
    (void)state;
    const char *const pairs[] = {"training.engine=lazy",
                                 "model=arora",
                                 "network={width: 700, hidden: {pairs: antisymmetric, std: 0.4}}",
                                 "data.train=60",
                                 "training.rate=0.02",
                                 "measure.quantities=[all]",
                                 "measure.final=[all]"};
    compare_lazy(pairs, 7);
    const char *const leaky[] = {"training.engine=lazy",
                                 "model=arora",
                                 "network={width: 700, activation: {kind: leaky-relu, slope: 0.2}}",
                                 "data.train=60",
                                 "training.rate=0.01",
                                 "measure.quantities=[loss, distance]"};
    compare_lazy(leaky, 6);
    const char *const batches[] = {"training={engine: lazy, method: sgd, batch: 7, rate: 0.02}",
                                   "model=arora", "network={width: 700, hidden: {std: 0.4}}",
                                   "data.train=60", "measure.quantities=[loss, distance]"};
    compare_of(2, batches, 5);
    const char *const hinge[] = {"training={engine: lazy, method: gd, rate: 0.2}", "model=brutzkus",
                                 "network.width=700", "data={source: mixture, train: 60}",
                                 "measure.quantities=[loss, distance, updates]"};
    compare_of(2, hinge, 5);
    const char *const outputs[] = {"training={engine: lazy, method: gd, rate: 0.5}",
                                   "model=li-liang",
                                   "network.width=700",
                                   "data.train=60",
                                   "measure.quantities=[all]",
                                   "measure.final=[all]"};
    compare_of(3, outputs, 6);
    const char *const gaussian[] = {
        "training={engine: lazy, rate: 0.02}", "model=arora",
        "network={width: 700, output: {kind: gaussian}, activation: {kind: leaky-relu, slope: "
        "0.2}}",
        "data.train=60", "measure.quantities=[loss, distance]"};
    compare_of(3, gaussian, 5);
}

enum { ENGINES = 3 };
static const char *const engines[ENGINES] = {"training.engine=dense", "training.engine=samples",
                                             "training.engine=window"};

static void test_both_layers_by_all_engines(void **state)
{
    (void)state;
    for (int engine = 0; engine < ENGINES; engine++) {
        const char *name = engines[engine];
        const char *const mean[] = {name,
                                    "network.width=700",
                                    "network.train_output=true",
                                    "training.batch=17",
                                    "data.train=60",
                                    "measure.quantities=[all]",
                                    "training.rate=300"};
        compare(mean, 7);
        const char *const pairs[] = {name,
                                     "model=arora",
                                     "network={width: 700, hidden: {pairs: antisymmetric}}",
                                     "network.train_output=true",
                                     "training={method: sgd, batch: 9}",
                                     "data.train=60",
                                     "measure.quantities=[loss, distance]"};
        compare(pairs, 7);
        if (strstr(name, "window") == NULL) {
            const char *const full[] = {name, "model=arora",
                                        "network={width: 700, hidden: {std: 0.3}}", "data.train=60",
                                        "measure.quantities=[loss, distance]"};
            compare(full, 5);
        }
        const char *const single[] = {name,
                                      "network.width=700",
                                      "precision=single",
                                      "training.batch=5",
                                      "data.train=60",
                                      "measure.quantities=[loss, distance]"};
        compare(single, 6);
    }
}

static void test_hinge_by_all_engines(void **state)
{
    (void)state;
    for (int engine = 0; engine < ENGINES; engine++) {
        const char *name = engines[engine];
        const char *const one[] = {name,
                                   "model=brutzkus",
                                   "data.source=mixture",
                                   "network.width=700",
                                   "data.train=60",
                                   "measure.quantities=[loss, train_accuracy, distance]"};
        compare_of(2, one, 6);
        const char *const batches[] = {name,
                                       "model=brutzkus",
                                       "data.source=mixture",
                                       "network={width: 700, train_output: true}",
                                       "data.train=60",
                                       "network.activation.kind=relu",
                                       "training={batch: 23, rate: 0.1}",
                                       "measure.quantities=[loss, train_accuracy, distance]"};
        compare_of(2, batches, 8);
    }
}

static void test_divergence_is_the_same_on_all_ranks(void **state)
{
    (void)state;
    static const char *const settings[] = {"network.width=700", "training.batch=8", "data.train=60",
                                           "training.rate=1e17"};
    small_problem small;
    ww_error error = {0};
    assert_true(
        small_problem_make(&small, MPI_COMM_WORLD, settings, 4, 60, 45, DIMENSION, 3, &error));
    ww_engine *engine = NULL;
    assert_int_equal(ww_engine_create(&small.problem, &engine, &error), WW_OK);
    ww_status status = WW_OK;
    int steps = 0;
    while (status == WW_OK && steps < 100) {
        double loss = 0.0;
        int64_t requests = 0;
        status = ww_engine_step(engine, 0, &requests, &loss, &error);
        steps++;
    }
    assert_int_equal(status, WW_DIVERGED);
    int least = steps;
    int most = steps;
    MPI_Allreduce(&steps, &least, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
    MPI_Allreduce(&steps, &most, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
    assert_int_equal(least, most);
    ww_engine_free(engine);
    small_problem_free(&small);
}

int main(int count, char **words)
{
    MPI_Init(&count, &words);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sgd),
        cmocka_unit_test(test_gd_with_leaky_units),
        cmocka_unit_test(test_squared_loss_of_pairs),
        cmocka_unit_test(test_lazy),
        cmocka_unit_test(test_both_layers_by_all_engines),
        cmocka_unit_test(test_hinge_by_all_engines),
        cmocka_unit_test(test_divergence_is_the_same_on_all_ranks),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
