// Quantities of margins, updates and the separator against plain loops over weights and batches.

#include "cmocka_all.h"
#include "small_problem.h"

#include "widthwise/measure.h"

#include <string.h>

enum { SAMPLES = 40, TEST_SAMPLES = 30, DIMENSION = 5, MOST_UNITS = 300, MOST_BATCH = 8 };

// What is known of a training by looking at its weights before every step.
typedef struct plain {
    const ww_problem *problem;
    double separator[DIMENSION];
    double margins[SAMPLES]; // of the separator
    bool has_separator;
    double weights[MOST_UNITS][DIMENSION];
    double outputs[MOST_UNITS], first_outputs[MOST_UNITS];
    int64_t updates;
    bool used[SAMPLES];
    double descent;
} plain;

static double product(const double *a, const double *b)
{
    double sum = 0.0;
    for (int j = 0; j < DIMENSION; j++)
        sum += a[j] * b[j];
    return sum;
}

static double output(const plain *self, const double *input)
{
    double sum = 0.0;
    for (int64_t r = 0; r < self->problem->tiling.width; r++) {
        const double value = product(self->weights[r], input);
        sum += self->outputs[r] * (value >= 0.0 ? value : self->problem->negative_slope * value);
    }
    return sum;
}

static const double *input_of(const plain *self, int64_t sample)
{
    return self->problem->data->train.inputs + sample * DIMENSION;
}

static double label_of(const plain *self, int64_t sample)
{
    return self->problem->data->train.labels[sample] == 0 ? 1.0 : -1.0;
}

// The gradient of one sample by the weights of one unit, divided by that of the loss by the output.
static double slope_of(const plain *self, int64_t unit, const double *input)
{
    return product(self->weights[unit], input) >= 0.0 ? 1.0 : self->problem->negative_slope;
}

static bool is_live(const plain *self, int64_t sample)
{
    const double *input = input_of(self, sample);
    bool is_live = false;
    for (int64_t r = 0; r < self->problem->tiling.width; r++)
        is_live = is_live || slope_of(self, r, input) != 0.0;
    return is_live && product(input, input) > 0.0 &&
           label_of(self, sample) * output(self, input) < 1.0;
}

static void look(plain *self, ww_engine *engine)
{
    const ww_tiling *tiling = &self->problem->tiling;
    for (int64_t tile = 0; tile < tiling->tile_count; tile++)
        memcpy(self->weights[tile * tiling->tile_units], ww_engine_tile(engine, tile),
               (size_t)(ww_tile_size(tiling, tile) * DIMENSION) * sizeof(double));
    memcpy(self->outputs, ww_engine_output_weights(engine), (size_t)tiling->width * sizeof(double));
}

// What the step on `batch` will do.
static void count_step(plain *self, const int64_t *batch)
{
    const int64_t count = self->problem->batch;
    double along = 0.0;
    bool moves = false;
    for (int64_t i = 0; i < count; i++) {
        const double *input = input_of(self, batch[i]);
        if (!is_live(self, batch[i]))
            continue;
        moves = true;
        self->used[batch[i]] = true;
        for (int64_t r = 0; r < self->problem->tiling.width; r++)
            along -= label_of(self, batch[i]) * fabs(self->outputs[r]) * slope_of(self, r, input) *
                     product(input, self->separator) / (double)count;
    }
    self->updates += moves;
    if (moves)
        self->descent = fmax(self->descent, along);
}

static double expected_value(const plain *self, const char *name)
{
    const ww_samples *train = &self->problem->data->train;
    const ww_samples *test = &self->problem->data->test;
    const int64_t m = self->problem->tiling.width;
    double smallest = INFINITY, violations = 0.0, dead = 0.0, wrong = 0.0, loss = 0.0;
    double support = 0.0, unused = 0.0, unused_wrong = 0.0, test_wrong = 0.0;
    for (int64_t s = 0; s < SAMPLES; s++) {
        const double margin = label_of(self, s) * output(self, train->inputs + s * DIMENSION);
        smallest = fmin(smallest, margin);
        violations += margin < 1.0;
        dead += margin < 1.0 && !is_live(self, s);
        wrong += margin <= 0.0;
        support += self->used[s];
        unused += !self->used[s];
        unused_wrong += !self->used[s] && margin <= 0.0;
        loss += fmax(1.0 - margin, 0.0) / SAMPLES;
    }
    for (int64_t s = 0; s < TEST_SAMPLES; s++)
        test_wrong +=
            (test->labels[s] == 0 ? 1.0 : -1.0) * output(self, test->inputs + s * DIMENSION) <= 0.0;
    double square = 0.0, aligned = 0.0, least = INFINITY, largest = -INFINITY;
    for (int64_t r = 0; r < m; r++) {
        square += product(self->weights[r], self->weights[r]);
        aligned += (self->first_outputs[r] >= 0.0 ? 1.0 : -1.0) *
                   product(self->weights[r], self->separator);
        least = fmin(least, self->outputs[r] / self->first_outputs[r]);
        largest = fmax(largest, self->outputs[r] / self->first_outputs[r]);
    }
    if (!self->has_separator)
        aligned = NAN;
    const double star = sqrt((double)m * product(self->separator, self->separator));
    const struct {
        const char *name;
        double value;
    } table[] = {{"loss", loss},
                 {"updates", (double)self->updates},
                 {"support", support},
                 {"violations", violations},
                 {"dead_samples", dead},
                 {"smallest_margin", smallest},
                 {"train_error", wrong / SAMPLES},
                 {"test_error", test_wrong / TEST_SAMPLES},
                 {"unused_error", unused > 0.0 ? unused_wrong / unused : (double)NAN},
                 {"weight_norm", sqrt(square)},
                 {"alignment", aligned},
                 {"cosine", aligned / sqrt(square) / star},
                 {"descent", self->has_separator ? self->descent : (double)NAN},
                 {"output_ratio_min", least},
                 {"output_ratio_max", largest}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strcmp(name, table[i].name) == 0)
            return table[i].value;
    fail_msg("no reference for %s", name);
    return NAN;
}

static bool is_same(double value, double expected)
{
    if (isnan(expected) || isinf(expected))
        return isnan(expected) ? isnan(value) : value == expected;
    return fabs(value - expected) <= 1e-12 * fmax(1.0, fabs(expected));
}

// What happened in a training, for a test to see that it tried what it is about.
typedef struct outcome {
    double updates, most_dead, descent, least_ratio, largest_ratio;
    int undefined;
} outcome;

#define QUANTITIES                                                                                 \
    "measure.quantities=[loss, updates, support, violations, dead_samples, smallest_margin, "      \
    "train_error, test_error, unused_error, weight_norm, alignment, cosine, descent, "             \
    "output_ratio_min, output_ratio_max]"

static outcome compare(const char *network, const char *training, bool has_separator)
{
    const char *const settings[] = {"model=brutzkus", "data.train=40", QUANTITIES, network,
                                    training};
    small_problem small;
    ww_error error = {0};
    if (!small_problem_make(&small, MPI_COMM_SELF, settings, 5, SAMPLES, TEST_SAMPLES, DIMENSION, 2,
                            &error))
        fail_msg("%s", error.message);
    static plain self;
    self = (plain){.problem = &small.problem, .has_separator = has_separator, .descent = -INFINITY};
    for (int j = 0; j < DIMENSION; j++) {
        self.separator[j] = 1.5 - 0.7 * j;
        small.data.train.inputs[3 * DIMENSION + j] = 0.0; // a sample that no weight can move
    }
    small.data.separator = (ww_separator){.sought = true, .upper = INFINITY};
    if (has_separator) {
        small.data.separator.upper = sqrt(product(self.separator, self.separator));
        small.data.separator.weights = self.separator;
        small.data.separator.margins = self.margins;
        for (int64_t s = 0; s < SAMPLES; s++)
            self.margins[s] = label_of(&self, s) * product(input_of(&self, s), self.separator);
    }
    const ww_problem *problem = &small.problem;
    assert_true(problem->tiling.width <= MOST_UNITS && problem->batch <= MOST_BATCH);
    ww_initial_output_weights(&problem->initial, 0, problem->tiling.width, self.first_outputs);
    ww_measure_plan *plan = NULL;
    if (ww_measure_plan_make(problem->config, &small.data, &plan, &error) != WW_OK)
        fail_msg("%s", error.message);
    ww_engine *engine = NULL;
    ww_batches *batches = NULL;
    assert_int_equal(ww_engine_create(problem, &engine, &error), WW_OK);
    assert_int_equal(ww_batches_create(problem, &batches, &error), WW_OK);
    double carry[16], values[32];
    assert_true(ww_measure_carry_count(plan) <= 16 && ww_measure_values(plan) <= 32);
    ww_measure_carry_start(plan, carry);
    size_t count = 0;
    const ww_field *fields = ww_measure_trajectory(plan, &count);
    assert_int_equal(count, 15);
    outcome result = {0};
    for (int64_t step = 0; step <= 200; step++) {
        look(&self, engine);
        if (step % 20 == 0) {
            if (ww_measure_record(plan, problem, NULL, engine, batches, carry, values, &error) !=
                WW_OK)
                fail_msg("%s", error.message);
            for (size_t i = 0; i < count; i++) {
                const double expected = expected_value(&self, fields[i].name);
                if (!is_same(values[i], expected))
                    fail_msg("%s at step %d: %.17g, expected %.17g", fields[i].name, (int)step,
                             values[i], expected);
                result.undefined += !isfinite(values[i]);
            }
            result.most_dead =
                fmax(result.most_dead, ww_measure_value(plan, values, "dead_samples"));
        }
        int64_t batch[MOST_BATCH];
        double loss = 0.0;
        int64_t requests = 0;
        ww_batches_at(batches, step, batch);
        count_step(&self, batch);
        assert_int_equal(ww_engine_step(engine, 0, &requests, &loss, &error), WW_OK);
    }
    result.updates = ww_measure_value(plan, values, "updates");
    result.descent = ww_measure_value(plan, values, "descent");
    result.least_ratio = ww_measure_value(plan, values, "output_ratio_min");
    result.largest_ratio = ww_measure_value(plan, values, "output_ratio_max");
    ww_batches_free(batches);
    ww_engine_free(engine);
    ww_measure_plan_free(plan);
    small.data.separator = (ww_separator){.sought = false};
    small_problem_free(&small);
    return result;
}

static void test_leaky_units(void **state)
{
    (void)state;
    const outcome one = compare("network.width=150", "training={batch: 1, rate: 0.5}", true);
    assert_true(one.updates > 20.0 && one.updates < 200.0);
    assert_true(one.most_dead == 1.0); // the sample at 0
    assert_true(one.undefined == 1);   // before the first update
    assert_true(isfinite(one.descent));
    assert_true(one.least_ratio == 1.0 && one.largest_ratio == 1.0);
    const outcome several =
        compare("network.width=300", "training={batch: 6, rate: 0.5, sampling: replacement}", true);
    assert_true(several.updates > 20.0);
}

static void test_relu_units(void **state)
{
    (void)state;
    const outcome few =
        compare("network={width: 2, activation: {kind: relu}, hidden: {kind: cube}}",
                "training={batch: 1, rate: 2}", true);
    assert_true(few.most_dead > 1.0);
    assert_true(few.updates > 0.0 && few.updates < 200.0);
}

// What there is no value of is not taken for divergence.
static void test_without_a_separator(void **state)
{
    (void)state;
    const outcome none = compare("network.width=20", "training={batch: 4, rate: 0.5}", false);
    assert_true(none.updates > 0.0 && isnan(none.descent));
    assert_true(none.undefined == 3 * 11); // alignment, cosine and descent of every record
}

static void test_trained_outputs(void **state)
{
    (void)state;
    const outcome both = compare("network={width: 150, train_output: true}",
                                 "training={batch: 2, rate: 0.05}", true);
    assert_true(both.least_ratio < 1.0 && both.largest_ratio > 1.0);
}

// A plan for two classes and so many outputs; `message` has what is wrong.
static ww_status plan_of(const char *const *settings, size_t count, int64_t outputs, size_t *fields,
                         ww_error *error)
{
    const ww_dataset shape = {.dimension = 10,
                              .classes = 2,
                              .outputs = outputs,
                              .train = {.count = 5},
                              .test = {.count = 4}};
    ww_experiment experiment;
    ww_measure_plan *plan = NULL;
    if (ww_experiment_parse("", "test", ".", settings, count, &experiment, error) != WW_OK)
        fail_msg("%s", error->message);
    const ww_status status = ww_measure_plan_make(&experiment.members[0], &shape, &plan, error);
    if (status == WW_OK)
        (void)ww_measure_trajectory(plan, fields);
    ww_measure_plan_free(plan);
    ww_experiment_free(&experiment);
    return status;
}

static void test_other_losses_have_no_margins(void **state)
{
    (void)state;
    static const char *const of_hinge[] = {"updates",         "support",      "violations",
                                           "dead_samples",    "unused_error", "alignment",
                                           "smallest_margin", "cosine",       "descent"};
    ww_error error = {0};
    size_t count = 0;
    for (size_t i = 0; i < sizeof of_hinge / sizeof of_hinge[0]; i++) {
        char named[64];
        (void)snprintf(named, sizeof named, "measure.quantities=[loss, %s]", of_hinge[i]);
        const char *const settings[] = {"model=arora", named};
        assert_int_equal(plan_of(settings, 2, 1, &count, &error), WW_USAGE);
        assert_non_null(strstr(error.message, of_hinge[i]));
        assert_non_null(strstr(error.message, "set loss: hinge"));
        const char *const with_hinge[] = {"model=brutzkus", named};
        assert_int_equal(plan_of(with_hinge, 2, 1, &count, &error), WW_OK);
    }
    static const char *const stop[] = {"model=li-liang", "training.stop={violations: 0}"};
    assert_int_equal(plan_of(stop, 2, 2, &count, &error), WW_USAGE);
    // The others can be asked for with any loss, but are of `all` only where they are looked at.
    static const char *const others[] = {
        "model=arora", "measure.quantities=[train_error, test_error, weight_norm, "
                       "output_ratio_min, output_ratio_max]"};
    assert_int_equal(plan_of(others, 2, 1, &count, &error), WW_OK);
    assert_int_equal(count, 5);
    static const char *const all[] = {"model=arora", "measure.quantities=all"};
    static const char *const all_of_hinge[] = {"model=brutzkus", "measure.quantities=all"};
    size_t more = 0;
    assert_int_equal(plan_of(all, 2, 1, &count, &error), WW_OK);
    assert_int_equal(plan_of(all_of_hinge, 2, 1, &more, &error), WW_OK);
    assert_int_equal(more, count + 14);
}

int main(int count, char **words)
{
    MPI_Init(&count, &words);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leaky_units),
        cmocka_unit_test(test_relu_units),
        cmocka_unit_test(test_without_a_separator),
        cmocka_unit_test(test_trained_outputs),
        cmocka_unit_test(test_other_losses_have_no_margins),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
