// Records of one hidden layer: the same bits with what an origin keeps, patterns of t = 0 and room,
// and without, whatever is asked for along with it; couplings counted by plain loops; and the
// memory that an origin says it takes.

#include "cmocka_all.h"
#include "small_problem.h"

#include "measure/gathering.h"
#include "widthwise/measure.h"

#include <malloc.h>
#include <string.h>

enum { MOST_SETTINGS = 8, STEPS = 3 };

typedef struct run {
    small_problem small;
    ww_measure_plan *plan;
    ww_engine *engine;
    ww_batches *batches;
    ww_origin *origin;
    double *carry, *again, *values, *others;
} run;

// Settings end with NULL.
static void make(run *self, const char *const *settings, int64_t train, int64_t test, int64_t d,
                 int64_t classes)
{
    ww_error error = {0};
    size_t count = 0;
    memset(self, 0, sizeof *self);
    while (settings[count] != NULL)
        count++;
    if (!small_problem_make(&self->small, MPI_COMM_SELF, settings, count, train, test, d, classes,
                            &error) ||
        ww_measure_plan_make(self->small.problem.config, self->small.problem.data, &self->plan,
                             &error) != WW_OK)
        fail_msg("%s", error.message);
    const ww_problem *problem = &self->small.problem;
    assert_int_equal(ww_engine_create(problem, &self->engine, &error), WW_OK);
    assert_int_equal(ww_origin_create(self->plan, problem, self->engine, &self->origin, &error),
                     WW_OK);
    assert_int_equal(ww_batches_create(problem, &self->batches, &error), WW_OK);
    const size_t carried = ww_measure_carry_count(self->plan);
    const size_t values = (size_t)ww_measure_values(self->plan);
    self->carry = calloc(carried, sizeof(double));
    self->again = calloc(carried, sizeof(double));
    self->values = calloc(values, sizeof(double));
    self->others = calloc(values, sizeof(double));
    ww_measure_carry_start(self->plan, self->carry);
    ww_measure_carry_start(self->plan, self->again);
}

static void end(run *self)
{
    free(self->carry);
    free(self->again);
    free(self->values);
    free(self->others);
    ww_origin_free(self->origin);
    ww_batches_free(self->batches);
    ww_engine_free(self->engine);
    ww_measure_plan_free(self->plan);
    small_problem_free(&self->small);
}

static void record(run *self)
{
    ww_error error = {0};
    const ww_problem *problem = &self->small.problem;
    if (ww_measure_record(self->plan, problem, self->origin, self->engine, self->batches,
                          self->carry, self->values, &error) != WW_OK ||
        ww_measure_record(self->plan, problem, NULL, self->engine, self->batches, self->again,
                          self->others, &error) != WW_OK)
        fail_msg("%s", error.message);
    assert_memory_equal(self->values, self->others,
                        (size_t)ww_measure_values(self->plan) * sizeof(double));
    assert_memory_equal(self->carry, self->again,
                        ww_measure_carry_count(self->plan) * sizeof(double));
}

static void step(run *self)
{
    ww_error error = {0};
    int64_t requests = 0;
    double loss = 0.0;
    if (ww_engine_step(self->engine, 0, &requests, &loss, &error) != WW_OK)
        fail_msg("%s", error.message);
}

static bool keeps(const run *self, int set)
{
    return ww_origin_has_patterns(self->origin, set);
}

// One that keeps patterns of both sets, one of the train set only (the reach of movements takes
// pre-activations of the test set), one of neither.
static const struct {
    const char *settings[MOST_SETTINGS];
    int64_t train, test, dimension, classes;
    bool keeps_train, keeps_test;
} cases[] = {
    {{"model=li-liang", "network.width=300", "training={batch: 5, rate: 60}",
      "measure.quantities=[loss, test_accuracy, coupling, coupling_train, coupling_any, distance, "
      "pseudo_network_deviation]"},
     70,
     61,
     9,
     3,
     true,
     true},
    {{"model=li-liang", "network.width=300", "training={batch: 5, rate: 60}",
      "measure.quantities=all"},
     70,
     61,
     9,
     3,
     true,
     false},
    {{"model=li-liang", "network={width: 300, activation: {kind: leaky-relu, slope: 0.2}}",
      "training={batch: 5, rate: 60}",
      "measure.quantities=[loss, coupling, coupling_train, pseudo_network_deviation, "
      "equal_gradient]"},
     600,
     190,
     9,
     3,
     false,
     false},
    {{"model=arora", "network.width=300", "training.rate=0.1",
      "measure.quantities=[loss, coupling, coupling_train, distance]"},
     1030,
     520,
     70,
     2,
     true,
     true},
    {{"model=li-liang", "network.width=200", "precision=single", "training={batch: 5, rate: 60}",
      "measure.quantities=[loss, coupling, coupling_train, distance]"},
     70,
     61,
     9,
     3,
     true,
     true},
};

static void test_origin_changes_no_bit(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        run self;
        make(&self, cases[i].settings, cases[i].train, cases[i].test, cases[i].dimension,
             cases[i].classes);
        assert_int_equal(keeps(&self, WW_ORIGIN_TRAIN), cases[i].keeps_train);
        assert_int_equal(keeps(&self, WW_ORIGIN_TEST), cases[i].keeps_test);
        record(&self);
        assert_true(ww_measure_value(self.plan, self.values, "coupling") == 0.0);
        for (int taken = 0; taken < STEPS; taken++) {
            step(&self);
            record(&self);
        }
        assert_true(ww_measure_value(self.plan, self.values, "coupling") > 0.0);
        end(&self);
    }
}

static double plain_product(const double *a, const double *b, int64_t count)
{
    double sum = 0.0;
    for (int64_t j = 0; j < count; j++)
        sum += a[j] * b[j];
    return sum;
}

// Share of pairs with another pattern than at t = 0. Products are not near 0 by chance: their sign
// is that of any order of summation.
static double plain_coupling(run *self, const ww_samples *set)
{
    const ww_problem *problem = &self->small.problem;
    const int64_t d = problem->dimension;
    const int64_t tile = problem->tiling.tile_units;
    double *then = calloc((size_t)d, sizeof *then);
    int64_t changed = 0;
    for (int64_t r = 0; r < problem->tiling.width; r++) {
        const double *now = ww_engine_tile(self->engine, r / tile) + r % tile * d;
        ww_initial_hidden_weights(&problem->initial, r, 1, then);
        for (int64_t s = 0; s < set->count; s++) {
            const double *x = set->inputs + s * d;
            changed += (plain_product(now, x, d) >= 0.0) != (plain_product(then, x, d) >= 0.0);
        }
    }
    free(then);
    return (double)changed / ((double)problem->tiling.width * (double)set->count);
}

// Inputs of more than one piece, and blocks that are not whole. The patterns of t = 0 come with a
// record of that step, or where the first record comes later from weights that are drawn again.
static void check_couplings_of_several_pieces(bool records_start)
{
    const char *settings[] = {"model=li-liang", "network.width=70", "training={batch: 5, rate: 9}",
                              "measure.quantities=[loss, coupling, coupling_train, distance]",
                              NULL};
    enum { DIMENSION = 4096, TRAIN = 600, TEST = 1030 };
    run self;
    make(&self, settings, TRAIN, TEST, DIMENSION, 3);
    assert_true(keeps(&self, WW_ORIGIN_TRAIN) && keeps(&self, WW_ORIGIN_TEST));
    if (records_start)
        record(&self);
    for (int taken = 0; taken < STEPS; taken++)
        step(&self);
    record(&self);
    const double test = plain_coupling(&self, &self.small.data.test);
    assert_true(test > 0.0);
    assert_true(ww_measure_value(self.plan, self.values, "coupling") == test);
    assert_true(ww_measure_value(self.plan, self.values, "coupling_train") ==
                plain_coupling(&self, &self.small.data.train));
    end(&self);
}

static void test_couplings_of_several_pieces(void **state)
{
    (void)state;
    check_couplings_of_several_pieces(true);
    check_couplings_of_several_pieces(false);
}

static int64_t allocated(void)
{
    const struct mallinfo2 info = mallinfo2();
    return (int64_t)(info.uordblks + info.hblkhd);
}

// An origin takes what it says, and records leave nothing behind.
static void test_memory(void **state)
{
    (void)state;
    if (allocated() == 0) // sanitizers and valgrind have an allocator of their own
        skip();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        run self;
        ww_error error = {0};
        ww_measure_cost cost;
        make(&self, cases[i].settings, cases[i].train, cases[i].test, cases[i].dimension,
             cases[i].classes);
        const ww_problem *problem = &self.small.problem;
        assert_int_equal(ww_measure_cost_of(self.plan, problem, &cost, &error), WW_OK);
        ww_origin_free(self.origin);
        ww_engine_free(self.engine); // the origin is made at t = 0
        assert_int_equal(ww_engine_create(problem, &self.engine, &error), WW_OK);
        const int64_t before = allocated();
        assert_int_equal(ww_origin_create(self.plan, problem, self.engine, &self.origin, &error),
                         WW_OK);
        const int64_t taken = allocated() - before;
        const int64_t slack = 16384; // what the allocator takes for arrays, empty ones among them
        assert_true(taken <= cost.origin_bytes + slack && taken >= cost.origin_bytes - slack);
        record(&self);
        const int64_t settled = allocated();
        for (int times = 0; times < STEPS; times++) {
            step(&self);
            record(&self);
        }
        assert_true(allocated() <= settled + slack);
        end(&self);
    }
}

int main(int count, char **words)
{
    MPI_Init(&count, &words);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_origin_changes_no_bit),
        cmocka_unit_test(test_couplings_of_several_pieces),
        cmocka_unit_test(test_memory),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
