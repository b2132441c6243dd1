// What is measured of several hidden layers has the same bits on all ranks together as on one rank
// alone, and after a restart in the middle.

#include "cmocka_all.h"
#include "small_problem.h"

#include "widthwise/measure.h"

#include <string.h>

enum { DIMENSION = 7, TEST_SAMPLES = 45, STEPS = 6, EVERY = 2, RECORDS = STEPS / EVERY + 1 };
enum { RESTART = 3 };

typedef struct outcome {
    int64_t values;
    double *rows; // [RECORDS, values]
    double final[32];
} outcome;

// An engine and all that is measured with it.
typedef struct run {
    const ww_problem *problem;
    const ww_measure_plan *plan;
    ww_engine *engine;
    ww_origin *origin;
    ww_batches *batches;
    double carry[16];
} run;

static void begin(run *self, const ww_problem *problem, const ww_measure_plan *plan)
{
    ww_error error = {0};
    *self = (run){.problem = problem, .plan = plan};
    assert_true(ww_measure_carry_count(plan) <= 16);
    ww_measure_carry_start(plan, self->carry);
    if (ww_engine_create(problem, &self->engine, &error) != WW_OK ||
        ww_origin_create(plan, problem, self->engine, &self->origin, &error) != WW_OK ||
        ww_batches_create(problem, &self->batches, &error) != WW_OK)
        fail_msg("%s", error.message);
}

static void end(run *self)
{
    ww_batches_free(self->batches);
    ww_origin_free(self->origin);
    ww_engine_free(self->engine);
}

// Another run goes on from where this one is, as from a checkpoint. Output weights are not trained.
static void restart(run *self)
{
    const ww_problem *problem = self->problem;
    run next;
    begin(&next, problem, self->plan);
    for (int64_t layer = 1; layer <= problem->depth; layer++)
        for (int64_t tile = 0; tile < problem->tiling.local_tiles; tile++) {
            const int64_t global = problem->tiling.first_tile + tile;
            ww_engine_put_layer_tile(next.engine, layer, global,
                                     ww_engine_layer_tile(self->engine, layer, global));
        }
    double *words = calloc(ww_engine_carry_words(problem) + 1, sizeof *words);
    ww_engine_carry_save(self->engine, words);
    ww_engine_carry_load(next.engine, words);
    free(words);
    ww_error error = {0};
    assert_int_equal(ww_engine_restored(next.engine, ww_engine_steps(self->engine), &error), WW_OK);
    memcpy(next.carry, self->carry, sizeof next.carry);
    end(self);
    *self = next;
}

static void train(MPI_Comm communicator, const char *const *settings, size_t count, int64_t samples,
                  int64_t classes, bool restarts, outcome *result)
{
    small_problem small;
    ww_error error = {0};
    if (!small_problem_make(&small, communicator, settings, count, samples, TEST_SAMPLES, DIMENSION,
                            classes, &error))
        fail_msg("%s", error.message);
    ww_measure_plan *plan = NULL;
    if (ww_measure_plan_make(small.problem.config, &small.data, &plan, &error) != WW_OK)
        fail_msg("%s", error.message);
    *result = (outcome){.values = ww_measure_values(plan)};
    result->rows = calloc((size_t)(RECORDS * result->values), sizeof(double));
    run self;
    begin(&self, &small.problem, plan);
    for (int64_t step = 0; step <= STEPS; step++) {
        double loss = 0.0;
        int64_t requests = 0;
        if (step > 0 && ww_engine_step(self.engine, 0, &requests, &loss, &error) != WW_OK)
            fail_msg("%s", error.message);
        if (step == RESTART && restarts)
            restart(&self);
        if (step % EVERY == 0 &&
            ww_measure_record(plan, &small.problem, self.origin, self.engine, self.batches,
                              self.carry, result->rows + step / EVERY * result->values,
                              &error) != WW_OK)
            fail_msg("%s", error.message);
    }
    assert_true(ww_measure_final_values(plan) <= 32);
    if (ww_measure_finish(plan, &small.problem, self.origin, self.engine, self.carry, NULL, NULL,
                          result->final, &error) != WW_OK)
        fail_msg("%s", error.message);
    end(&self);
    ww_measure_plan_free(plan);
    small_problem_free(&small);
}

static void compare_runs(const char *const *settings, size_t count, int64_t samples,
                         int64_t classes, int most_restarts)
{
    outcome alone;
    train(MPI_COMM_SELF, settings, count, samples, classes, false, &alone);
    for (int restarts = 0; restarts <= most_restarts; restarts++) {
        outcome together;
        train(MPI_COMM_WORLD, settings, count, samples, classes, restarts != 0, &together);
        assert_int_equal(alone.values, together.values);
        assert_memory_equal(alone.rows, together.rows,
                            (size_t)(RECORDS * alone.values) * sizeof(double));
        assert_memory_equal(alone.final, together.final, sizeof alone.final);
        free(together.rows);
    }
    free(alone.rows);
}

static void compare(const char *const *settings, size_t count, int64_t samples, int64_t classes)
{
    compare_runs(settings, count, samples, classes, 1);
}

#define ALL                                                                                        \
    "measure={quantities: [all, layer_gradient_norm, layer_distance, layer_spectral_distance, "    \
    "layer_trajectory_length, layer_coupling, layer_coupling_train], "                             \
    "final: [network_kernel, gradient_regions]}"

static void test_one_layer(void **state)
{
    (void)state;
    const char *const settings[] = {"model=zou-gu", "data.source=mixture", "network.width=300",
                                    "training.rate=2", ALL};
    compare(settings, 5, 40, 3);
    const char *const single[] = {"model=zou-gu", "data.source=mixture", "network.width=300",
                                  "precision=single", ALL};
    compare(single, 5, 40, 2);
}

static void test_several_layers(void **state)
{
    (void)state;
    const char *const settings[] = {"model=zou-gu", "data.source=mixture",
                                    "network={width: 300, depth: 2}", "training.rate=2", ALL};
    compare(settings, 5, 40, 3);
    const char *const leaky[] = {
        "model=zou-gu", "data.source=mixture",
        "network={width: 420, depth: 3, activation: {kind: leaky-relu, slope: 0.1}}",
        "training={method: sgd, batch: 9, sampling: replacement}", ALL};
    compare(leaky, 5, 40, 2);
}

static void test_several_layers_in_single_precision(void **state)
{
    (void)state;
    const char *const settings[] = {"model=zou-gu", "data.source=mixture", "precision=single",
                                    "network={width: 300, depth: 3}", ALL};
    compare(settings, 5, 40, 2);
}

// The dearest, and nothing of a restart depends on the number of samples.
static void test_several_blocks_of_samples(void **state)
{
    (void)state;
    const char *const settings[] = {"model=zou-gu", "data.source=mixture",
                                    "network={width: 260, depth: 2}", ALL};
    compare_runs(settings, 4, 530, 2, 0);
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_layer),
        cmocka_unit_test(test_several_layers),
        cmocka_unit_test(test_several_layers_in_single_precision),
        cmocka_unit_test(test_several_blocks_of_samples),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
