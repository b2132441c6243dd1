// Quantities of margins, updates and the separator have the same bits on all ranks together as on
// one rank alone.

#include "cmocka_all.h"
#include "small_problem.h"

#include "widthwise/measure.h"

#include <string.h>

enum { DIMENSION = 7, STEPS = 40, EVERY = 8, RECORDS = STEPS / EVERY + 1, MOST_VALUES = 64 };

typedef struct outcome {
    double rows[RECORDS][MOST_VALUES];
    double updates, dead_samples, largest_ratio;
} outcome;

static void train(MPI_Comm communicator, const char *const *settings, size_t count, outcome *result)
{
    small_problem small;
    ww_error error = {0};
    double separator[DIMENSION], margins[60];
    memset(result, 0, sizeof *result);
    if (!small_problem_make(&small, communicator, settings, count, 60, 45, DIMENSION, 2, &error))
        fail_msg("%s", error.message);
    for (int j = 0; j < DIMENSION; j++)
        separator[j] = cos((double)j);
    for (int i = 0; i < 60; i++)
        margins[i] = 1.0 + 0.01 * i;
    small.data.separator =
        (ww_separator){.sought = true, .upper = 2.0, .weights = separator, .margins = margins};
    const ww_problem *problem = &small.problem;
    ww_measure_plan *plan = NULL;
    if (ww_measure_plan_make(problem->config, problem->data, &plan, &error) != WW_OK)
        fail_msg("%s", error.message);
    assert_true(ww_measure_values(plan) <= MOST_VALUES);
    ww_engine *engine = NULL;
    ww_batches *batches = NULL;
    assert_int_equal(ww_engine_create(problem, &engine, &error), WW_OK);
    assert_int_equal(ww_batches_create(problem, &batches, &error), WW_OK);
    double carry[16];
    assert_true(ww_measure_carry_count(plan) <= 16);
    ww_measure_carry_start(plan, carry);
    for (int64_t record = 0; record < RECORDS; record++) {
        double *row = result->rows[record];
        while (ww_engine_steps(engine) < record * EVERY) {
            double loss = 0.0;
            int64_t requests = 0;
            assert_int_equal(ww_engine_step(engine, 0, &requests, &loss, &error), WW_OK);
        }
        assert_int_equal(
            ww_measure_record(plan, problem, NULL, engine, batches, carry, row, &error), WW_OK);
        result->updates = ww_measure_value(plan, row, "updates");
        result->dead_samples = ww_measure_value(plan, row, "dead_samples");
        result->largest_ratio = ww_measure_value(plan, row, "output_ratio_max");
    }
    ww_batches_free(batches);
    ww_engine_free(engine);
    ww_measure_plan_free(plan);
    small.data.separator = (ww_separator){.sought = false};
    small_problem_free(&small);
}

static outcome compare(const char *network, const char *training)
{
    const char *const settings[] = {"model=brutzkus", "data.train=60", "measure.quantities=all",
                                    network, training};
    static outcome alone, together;
    train(MPI_COMM_SELF, settings, 5, &alone);
    train(MPI_COMM_WORLD, settings, 5, &together);
    assert_memory_equal(alone.rows, together.rows, sizeof alone.rows);
    return alone;
}

static void test_leaky_units(void **state)
{
    (void)state;
    const outcome result = compare("network.width=900", "training={batch: 1, rate: 0.5}");
    assert_true(result.updates > 5.0);
}

static void test_relu_units(void **state)
{
    (void)state;
    // Most samples are active on units of few ranks, some on none.
    const outcome result = compare("network={width: 700, activation: {kind: relu}, hidden: {kind: "
                                   "opposed, radius: 0.01, scaling: none}}",
                                   "training={batch: 2, rate: 3, sampling: sequential}");
    assert_true(result.dead_samples > 0.0);
}

static void test_trained_outputs(void **state)
{
    (void)state;
    const outcome result =
        compare("network={width: 900, train_output: true}", "training={batch: 3, rate: 0.1}");
    assert_true(result.largest_ratio > 1.0);
}

int main(int count, char **words)
{
    MPI_Init(&count, &words);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leaky_units),
        cmocka_unit_test(test_relu_units),
        cmocka_unit_test(test_trained_outputs),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
