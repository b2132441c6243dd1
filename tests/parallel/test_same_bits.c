// Training and measuring have the same bits on all ranks together, of three threads each, as on one
// rank alone.

#include "cmocka_all.h"
#include "small_problem.h"

#include "widthwise/measure.h"

#include <string.h>

typedef struct outcome {
    double *rows; // [records, values]
    int64_t values;
    double *weights; // [m, d], of the tiles this rank owns; the rest is 0
    double *output;  // [m, k] likewise
    double *tally;   // as in a checkpoint
    size_t tally_words;
    bool rests;
    double final[256];
} outcome;

enum {
    WIDTH = 700,
    DIMENSION = 9,
    STEPS = 12,
    EVERY = 4,
    RECORDS = STEPS / EVERY + 1,
    MOST_OUTPUTS = 3
};

static void train(MPI_Comm communicator, int threads, const char *const *settings, size_t count,
                  int64_t classes, outcome *result)
{
    small_problem small;
    ww_error error = {0};
    if (!small_problem_make(&small, communicator, settings, count, 60, 45, DIMENSION, classes,
                            &error))
        fail_msg("%s", error.message);
    small.parallel.threads = threads;
    double separator[DIMENSION], margins[60];
    if (small.problem.config->loss == WW_LOSS_HINGE)
        small_separate(&small, separator, margins, false);
    const ww_problem *problem = &small.problem;
    ww_measure_plan *plan = NULL;
    if (ww_measure_plan_make(problem->config, problem->data, &plan, &error) != WW_OK)
        fail_msg("%s", error.message);
    result->values = ww_measure_values(plan);
    result->rows = calloc((size_t)(RECORDS * result->values), sizeof(double));
    result->weights = calloc(WIDTH * DIMENSION, sizeof(double));
    result->output = calloc(WIDTH * MOST_OUTPUTS, sizeof(double));
    result->rests = false;
    result->tally_words = ww_engine_carry_words(problem);
    result->tally = calloc(result->tally_words + 1, sizeof(double));
    memset(result->final, 0, sizeof result->final);
    ww_engine *engine = NULL;
    ww_batches *batches = NULL;
    ww_origin *origin = NULL;
    assert_int_equal(ww_engine_create(problem, &engine, &error), WW_OK);
    assert_int_equal(ww_origin_create(plan, problem, engine, &origin, &error), WW_OK);
    assert_int_equal(ww_batches_create(problem, &batches, &error), WW_OK);
    double carry[16];
    assert_true(ww_measure_carry_count(plan) <= 16);
    ww_measure_carry_start(plan, carry);
    for (int64_t record = 0; record < RECORDS; record++) {
        while (ww_engine_steps(engine) < record * EVERY) {
            double loss = 0.0;
            int64_t requests = 0;
            assert_int_equal(ww_engine_step(engine, 1, &requests, &loss, &error), WW_OK);
            assert_int_equal(requests, small.parallel.size);
        }
        assert_int_equal(ww_measure_record(plan, problem, origin, engine, batches, carry,
                                           result->rows + record * result->values, &error),
                         WW_OK);
    }
    assert_true(ww_measure_final_values(plan) <= 256);
    if (ww_measure_finish(plan, problem, origin, engine, carry, NULL, NULL, result->final,
                          &error) != WW_OK)
        fail_msg("%s", error.message);
    for (int64_t i = 0; i < problem->tiling.local_tiles; i++) {
        const int64_t tile = problem->tiling.first_tile + i;
        memcpy(result->weights + tile * problem->tiling.tile_units * DIMENSION,
               ww_engine_tile(engine, tile),
               (size_t)(ww_tile_size(&problem->tiling, tile) * DIMENSION) * sizeof(double));
    }
    memcpy(result->output + problem->tiling.first_unit * problem->outputs,
           ww_engine_output_weights(engine),
           (size_t)(problem->tiling.local_units * problem->outputs) * sizeof(double));
    ww_engine_carry_save(engine, result->tally);
    if (ww_engine_tally(engine) != NULL) {
        ww_rest rest = {0};
        assert_true(ww_engine_tally(engine)->updates > 0);
        assert_int_equal(ww_engine_rest(engine, 0, &rest, &error), WW_OK);
        result->rests = rest.rests;
    }
    ww_batches_free(batches);
    ww_origin_free(origin);
    ww_engine_free(engine);
    ww_measure_plan_free(plan);
    small_problem_free(&small);
}

static void compare_of(int64_t classes, const char *const *settings, size_t count)
{
    outcome alone;
    outcome together;
    train(MPI_COMM_SELF, 1, settings, count, classes, &alone);
    train(MPI_COMM_WORLD, 3, settings, count, classes, &together);
    assert_int_equal(alone.rests, together.rests);
    assert_memory_equal(alone.tally, together.tally, alone.tally_words * sizeof(double));
    assert_int_equal(alone.values, together.values);
    assert_memory_equal(alone.rows, together.rows,
                        (size_t)(RECORDS * alone.values) * sizeof(double));
    assert_memory_equal(alone.final, together.final, sizeof alone.final);
    // Every weight is on one rank: adding zeros of the others changes nothing.
    MPI_Allreduce(MPI_IN_PLACE, together.weights, WIDTH * DIMENSION, MPI_DOUBLE, MPI_SUM,
                  MPI_COMM_WORLD);
    assert_memory_equal(alone.weights, together.weights, WIDTH * DIMENSION * sizeof(double));
    MPI_Allreduce(MPI_IN_PLACE, together.output, WIDTH * MOST_OUTPUTS, MPI_DOUBLE, MPI_SUM,
                  MPI_COMM_WORLD);
    assert_memory_equal(alone.output, together.output, WIDTH * MOST_OUTPUTS * sizeof(double));
    outcome *const both[] = {&alone, &together};
    for (int i = 0; i < 2; i++) {
        free(both[i]->rows);
        free(both[i]->weights);
        free(both[i]->output);
        free(both[i]->tally);
    }
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
        cmocka_unit_test(test_both_layers_by_all_engines),
        cmocka_unit_test(test_hinge_by_all_engines),
        cmocka_unit_test(test_divergence_is_the_same_on_all_ranks),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
