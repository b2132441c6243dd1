// Quantities of several hidden layers against plain loops over all weights.

#include "cmocka_all.h"
#include "measured_layers.h"
#include "small_problem.h"

#include "measure/layer_gradients.h"
#include "widthwise/measure.h"

// Test samples go through the network in two blocks.
enum { SAMPLES = 11, TEST_SAMPLES = 530, DIMENSION = 5, STEPS = 6 };

// What is known of a training by looking at its weights before and after every step.
typedef struct plain {
    const ww_problem *problem;
    plain_layers now, before, start;
    double lengths[PLAIN_MOST_LAYERS], moves[PLAIN_MOST_LAYERS];
    double loss, loss_before, squared_before; // of the whole train set, before the last step
    double contracted_loss;                   // at the last record
    int64_t contracted_step;                  // -1 before the first
    double nearest;
    int64_t step;
} plain;

// Sums over one set of samples, and the gradients of its loss.
typedef struct plain_set {
    double loss;
    double squares[PLAIN_MOST_LAYERS];
    int64_t changes[PLAIN_MOST_LAYERS], changed_units;
} plain_set;

static double squares_of(const double *values, int64_t count)
{
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++)
        sum += values[i] * values[i];
    return sum;
}

static plain_set look_at(const plain *self, const ww_samples *samples, const int64_t *chosen,
                         int64_t count)
{
    const ww_problem *problem = self->problem;
    const int64_t k = problem->outputs, depth = problem->depth, m = problem->tiling.width;
    const double divisor = ww_loss_divisor(problem, count);
    plain_set set = {.loss = 0.0};
    plain_pass pass, first;
    plain_pass_create(&self->now, &pass);
    plain_pass_create(&self->start, &first);
    double *gradients[PLAIN_MOST_LAYERS];
    bool *changed = calloc((size_t)(depth * m), sizeof *changed);
    for (int64_t layer = 0; layer < depth; layer++)
        gradients[layer] = calloc((size_t)(m * plain_columns(&self->now, layer)), sizeof(double));
    double *gradient = calloc((size_t)k, sizeof(double));
    for (int64_t i = 0; i < count; i++) {
        const int64_t s = chosen != NULL ? chosen[i] : i;
        const ww_target target = ww_target_of(problem, samples, s);
        plain_forward(&self->now, samples->inputs + s * DIMENSION, &pass);
        plain_forward(&self->start, samples->inputs + s * DIMENSION, &first);
        set.loss += problem->loss->value(pass.outputs, k, target) / divisor;
        problem->loss->gradient(pass.outputs, k, target, gradient);
        for (int64_t c = 0; c < k; c++)
            gradient[c] /= divisor;
        plain_backward(&self->now, gradient, &pass);
        for (int64_t layer = 0; layer < depth; layer++) {
            plain_add_gradient(&self->now, &pass, layer, gradients[layer]);
            for (int64_t r = 0; r < m; r++) {
                const bool differs = (pass.preactivations[layer][r] >= 0.0) !=
                                     (first.preactivations[layer][r] >= 0.0);
                set.changes[layer] += differs;
                changed[layer * m + r] = changed[layer * m + r] || differs;
            }
        }
    }
    for (int64_t layer = 0; layer < depth; layer++) {
        set.squares[layer] = squares_of(gradients[layer], m * plain_columns(&self->now, layer));
        free(gradients[layer]);
    }
    for (int64_t i = 0; i < depth * m; i++)
        set.changed_units += changed[i];
    free(changed);
    free(gradient);
    plain_pass_free(&self->now, &pass);
    plain_pass_free(&self->start, &first);
    return set;
}

static double smallest_distance(const ww_samples *samples)
{
    double least = INFINITY;
    for (int64_t s = 0; s < samples->count; s++)
        for (int64_t t = 0; t < s; t++) {
            double square = 0.0;
            for (int64_t j = 0; j < DIMENSION; j++) {
                const double difference =
                    samples->inputs[s * DIMENSION + j] - samples->inputs[t * DIMENSION + j];
                square += difference * difference;
            }
            least = fmin(least, sqrt(square));
        }
    return least;
}

static double largest(const double *values, int64_t count)
{
    double most = values[0];
    for (int64_t i = 1; i < count; i++)
        most = fmax(most, values[i]);
    return most;
}

// Looks at the weights after a step.
static void follow_step(plain *self, ww_engine *engine)
{
    const plain_set set = look_at(self, &self->problem->data->train, NULL, SAMPLES);
    self->loss_before = set.loss;
    self->squared_before = 0.0;
    for (int64_t layer = 0; layer < self->problem->depth; layer++)
        self->squared_before += set.squares[layer];
    const plain_layers now = self->before;
    self->before = self->now;
    self->now = now;
    plain_layers_read(&self->now, engine);
    for (int64_t layer = 0; layer < self->problem->depth; layer++) {
        self->moves[layer] = plain_spectral_distance(&self->now, &self->before, layer);
        self->lengths[layer] += self->moves[layer];
    }
    self->step++;
}

typedef struct named {
    const char *name;
    const double *values;
} named;

static void expect(const ww_measure_plan *plan, const double *values, const char *name,
                   const double *expected, double tolerance)
{
    size_t count = 0;
    const ww_field *fields = ww_measure_trajectory(plan, &count);
    for (size_t i = 0; i < count; values += ww_field_size(&fields[i]), i++)
        if (strcmp(fields[i].name, name) == 0) {
            for (int64_t j = 0; j < ww_field_size(&fields[i]); j++)
                if (!(fabs(values[j] - expected[j]) <= tolerance * fmax(fabs(expected[j]), 1e-6)) &&
                    !(isnan(values[j]) && isnan(expected[j])))
                    fail_msg("%s[%lld] is %.15g, not %.15g", name, (long long)j, values[j],
                             expected[j]);
            return;
        }
    fail_msg("%s was not measured", name);
}

static void expect_one(const ww_measure_plan *plan, const double *values, const char *name,
                       double expected, double tolerance)
{
    expect(plan, values, name, &expected, tolerance);
}

static const double CLOSE = 1e-9;

static void compare_movement(const plain *self, const ww_measure_plan *plan, const double *values)
{
    const int64_t depth = self->problem->depth, m = self->problem->tiling.width;
    double moved = 0.0, began = 0.0, row = 0.0, norm = 0.0;
    double distances[PLAIN_MOST_LAYERS], spectral[PLAIN_MOST_LAYERS];
    for (int64_t layer = 0; layer < depth; layer++) {
        const int64_t columns = plain_columns(&self->now, layer);
        double square = 0.0;
        for (int64_t r = 0; r < m; r++) {
            double of_row = 0.0;
            for (int64_t j = r * columns; j < (r + 1) * columns; j++) {
                const double difference =
                    self->now.weights[layer][j] - self->start.weights[layer][j];
                of_row += difference * difference;
            }
            row = fmax(row, sqrt(of_row));
            square += of_row;
        }
        distances[layer] = sqrt(square);
        moved += square;
        began += squares_of(self->start.weights[layer], m * columns);
        norm += squares_of(self->now.weights[layer], m * columns);
        spectral[layer] = plain_spectral_distance(&self->now, &self->start, layer);
    }
    expect_one(plan, values, "distance", sqrt(moved / began), CLOSE);
    expect_one(plan, values, "distance_absolute", sqrt(moved), CLOSE);
    expect_one(plan, values, "row_movement", row, CLOSE);
    expect_one(plan, values, "weight_norm", sqrt(norm), CLOSE);
    double ratios[2] = {INFINITY, -INFINITY};
    for (int64_t i = 0; i < m * self->problem->outputs; i++) {
        ratios[0] = fmin(ratios[0], self->now.output[i] / self->start.output[i]);
        ratios[1] = fmax(ratios[1], self->now.output[i] / self->start.output[i]);
    }
    expect_one(plan, values, "output_ratio_min", ratios[0], CLOSE);
    expect_one(plan, values, "output_ratio_max", ratios[1], CLOSE);
    expect(plan, values, "layer_distance", distances, CLOSE);
    expect(plan, values, "layer_spectral_distance", spectral, CLOSE);
    expect_one(plan, values, "spectral_distance", largest(spectral, depth), CLOSE);
    expect(plan, values, "layer_trajectory_length", self->lengths, CLOSE);
    expect_one(plan, values, "trajectory_length", largest(self->lengths, depth), CLOSE);
    const double n = SAMPLES, k = (double)self->problem->outputs;
    expect_one(plan, values, "trajectory_ratio",
               largest(self->lengths, depth) /
                   sqrt(k * n * n * log(n) / ((double)m * self->nearest)),
               CLOSE);
    const double radius = pow(self->nearest, 1.5) * pow(n, -3.0) * pow((double)depth, -6.0) *
                          pow(log((double)m), -1.5);
    expect_one(plan, values, "region_ratio", largest(spectral, depth) / radius, CLOSE);
    if (self->problem->config->training.method != WW_METHOD_GD)
        return;
    const double above = self->step == 0 ? (double)NAN
                                         : self->loss - self->loss_before +
                                               self->problem->learning_rate * self->squared_before;
    const double move = largest(self->moves, depth);
    const double per = n / ww_loss_divisor(self->problem, SAMPLES); // to the mean loss
    const double square = (double)(depth * depth);
    const double bound = sqrt(self->loss_before / per) * cbrt(largest(spectral, depth)) * square *
                             sqrt((double)m * log((double)m)) / sqrt(k) * move +
                         square * (double)m / k * move * move;
    // What is left of a difference of losses is known to their rounding.
    const double absolute = 1e-12 * fmax(self->loss_before, 1.0);
    expect_one(plan, values, "semismoothness", above, absolute / 1e-6);
    expect_one(plan, values, "semismoothness_ratio", above / per / bound, absolute / bound / 1e-6);
}

static void compare_gradients(const plain *self, const ww_measure_plan *plan, const double *values,
                              const int64_t *batch)
{
    const ww_problem *problem = self->problem;
    const int64_t depth = problem->depth;
    const plain_set train = look_at(self, &problem->data->train, NULL, SAMPLES);
    const plain_set now = look_at(self, &problem->data->train, batch, problem->batch);
    double norms[PLAIN_MOST_LAYERS], all = 0.0, of_batch = 0.0;
    for (int64_t layer = 0; layer < depth; layer++) {
        norms[layer] = sqrt(train.squares[layer]);
        all += train.squares[layer];
        of_batch += now.squares[layer];
    }
    const double n = SAMPLES, k = (double)problem->outputs;
    const double m = (double)problem->tiling.width;
    const double per = n / ww_loss_divisor(problem, SAMPLES);
    expect_one(plan, values, "loss", train.loss, CLOSE);
    expect(plan, values, "layer_gradient_norm", norms, CLOSE);
    expect_one(plan, values, "gradient_ratio",
               all / per / per * k * n * n / (m * self->nearest * train.loss / per), CLOSE);
    expect_one(plan, values, "layer_gradient_share", train.squares[depth - 1] / all, CLOSE);
    expect_one(plan, values, "batch_loss", now.loss, CLOSE);
    expect_one(plan, values, "gradient_norm", sqrt(of_batch), CLOSE);
    const double contraction = self->contracted_step < 0
                                   ? (double)NAN
                                   : pow(train.loss / self->contracted_loss,
                                         1.0 / (double)(self->step - self->contracted_step));
    expect_one(plan, values, "contraction_ratio",
               (1.0 - contraction) /
                   (m * self->nearest * problem->learning_rate * per / (k * n * n)),
               1e-8);
}

static void compare_patterns(const plain *self, const ww_measure_plan *plan, const double *values)
{
    const int64_t depth = self->problem->depth;
    const double m = (double)self->problem->tiling.width;
    const plain_set train = look_at(self, &self->problem->data->train, NULL, SAMPLES);
    const plain_set test = look_at(self, &self->problem->data->test, NULL, TEST_SAMPLES);
    double shares[2][PLAIN_MOST_LAYERS], means[2] = {0.0, 0.0};
    for (int64_t layer = 0; layer < depth; layer++) {
        shares[0][layer] = (double)train.changes[layer] / (m * SAMPLES);
        shares[1][layer] = (double)test.changes[layer] / (m * TEST_SAMPLES);
        means[0] += shares[0][layer] / (double)depth;
        means[1] += shares[1][layer] / (double)depth;
    }
    expect_one(plan, values, "test_loss", test.loss, CLOSE);
    expect(plan, values, "layer_coupling_train", shares[0], CLOSE);
    expect(plan, values, "layer_coupling", shares[1], CLOSE);
    expect_one(plan, values, "coupling_train", means[0], CLOSE);
    expect_one(plan, values, "coupling", means[1], CLOSE);
    expect_one(plan, values, "coupling_any", (double)test.changed_units / (m * (double)depth),
               CLOSE);
    if (self->step == STEPS) // there is something to compare
        assert_true(train.changed_units > 0 && test.changed_units > 0);
}

static void follow(const char *const *settings, size_t count, int64_t classes, int64_t outputs)
{
    small_problem small;
    ww_error error = {0};
    if (!small_problem_make(&small, MPI_COMM_WORLD, settings, count, SAMPLES, TEST_SAMPLES,
                            DIMENSION, classes, &error))
        fail_msg("%s", error.message);
    const ww_problem *problem = &small.problem;
    assert_int_equal(problem->outputs, outputs);
    ww_measure_plan *plan = NULL;
    if (ww_measure_plan_make(problem->config, problem->data, &plan, &error) != WW_OK)
        fail_msg("%s", error.message);
    ww_engine *engine = NULL;
    ww_batches *batches = NULL;
    ww_origin *origin = NULL;
    assert_int_equal(ww_engine_create(problem, &engine, &error), WW_OK);
    assert_int_equal(ww_batches_create(problem, &batches, &error), WW_OK);
    assert_int_equal(ww_origin_create(plan, problem, engine, &origin, &error), WW_OK);
    plain self = {.problem = problem,
                  .now = plain_layers_create(problem),
                  .before = plain_layers_create(problem),
                  .start = plain_layers_create(problem),
                  .contracted_step = -1,
                  .nearest = smallest_distance(&problem->data->train)};
    plain_layers_read(&self.now, engine);
    plain_layers_read(&self.start, engine);
    const double first_loss = look_at(&self, &problem->data->train, NULL, SAMPLES).loss;
    double carry[16], *values = calloc((size_t)ww_measure_values(plan), sizeof(double));
    assert_true(ww_measure_carry_count(plan) <= 16);
    ww_measure_carry_start(plan, carry);
    for (int64_t step = 0; step <= STEPS; step++) {
        int64_t batch[SAMPLES], ignored = 0;
        double loss = 0.0;
        if (step > 0) {
            if (ww_engine_step(engine, 0, &ignored, &loss, &error) != WW_OK)
                fail_msg("%s", error.message);
            follow_step(&self, engine);
        }
        if (step == 2 || step == 3) // records are further apart, too
            continue;
        if (ww_measure_record(plan, problem, origin, engine, batches, carry, values, &error) !=
            WW_OK)
            fail_msg("%s", error.message);
        self.loss = look_at(&self, &problem->data->train, NULL, SAMPLES).loss;
        ww_batches_at(batches, step, batch);
        compare_gradients(&self, plan, values, batch);
        compare_movement(&self, plan, values);
        compare_patterns(&self, plan, values);
        self.contracted_loss = self.loss;
        self.contracted_step = step;
    }
    assert_true(self.loss < first_loss); // the training that is looked at is one
    free(values);
    plain_layers_free(&self.now);
    plain_layers_free(&self.before);
    plain_layers_free(&self.start);
    ww_origin_free(origin);
    ww_batches_free(batches);
    ww_engine_free(engine);
    ww_measure_plan_free(plan);
    small_problem_free(&small);
}

#define QUANTITIES                                                                                 \
    "measure={quantities: [all, layer_gradient_norm, layer_distance, layer_spectral_distance, "    \
    "layer_trajectory_length, layer_coupling, layer_coupling_train, weight_norm, "                 \
    "output_ratio_min, output_ratio_max], spectral_tolerance: 1e-11}"

static void test_one_layer(void **state)
{
    (void)state;
    const char *const settings[] = {"model=zou-gu", "data.source=mixture", "network.width=150",
                                    "training.rate=2", QUANTITIES};
    follow(settings, 5, 2, 1);
    const char *const sums[] = {"model=zou-gu",
                                "data.source=mixture",
                                "network.width=150",
                                "training.rate=0.3",
                                "loss_reduction=sum",
                                "network.activation={kind: leaky-relu, "
                                "slope: 0.2}",
                                QUANTITIES};
    follow(sums, 7, 3, 3);
}

static void test_two_layers(void **state)
{
    (void)state;
    const char *const settings[] = {"model=zou-gu",    "data.source=mixture", "network.width=150",
                                    "network.depth=2", "training.rate=2",     QUANTITIES};
    follow(settings, 6, 3, 3);
    const char *const sums[] = {"model=zou-gu",    "data.source=mixture", "network.width=130",
                                "network.depth=2", "training.rate=0.2",   "loss_reduction=sum",
                                QUANTITIES};
    follow(sums, 7, 2, 1);
}

static void test_three_layers_on_batches(void **state)
{
    (void)state;
    const char *const settings[] = {
        "model=zou-gu", "data.source=mixture",
        "network={width: 150, depth: 3, activation: {kind: leaky-relu, slope: 0.1}}",
        "training={method: sgd, batch: 4, sampling: replacement, rate: 4}", QUANTITIES};
    follow(settings, 5, 2, 1);
    const char *const top[] = {"model=zou-gu", "data.source=mixture",
                               "network={width: 140, depth: 3, train_output: true}",
                               "training={method: sgd, batch: 3, rate: 4}", QUANTITIES};
    follow(top, 5, 3, 3);
}

static void test_other_losses(void **state)
{
    (void)state;
    const char *const entropy[] = {
        "model=zou-gu",       "data.source=mixture", "network={width: 140, depth: 2}",
        "loss=cross-entropy", "training.rate=2",     QUANTITIES};
    follow(entropy, 6, 3, 3);
    const char *const hinge[] = {
        "model=zou-gu", "data.source=mixture", "network={width: 140, depth: 2}",
        "loss=hinge",   "training.rate=1",     QUANTITIES};
    follow(hinge, 6, 2, 1);
}

// Ratios that take phi have no value for one sample, so that no stop rule on them fires.
static void test_ratios_of_one_sample(void **state)
{
    (void)state;
    static const char *const ratios[] = {"gradient_ratio", "contraction_ratio", "trajectory_ratio",
                                         "region_ratio"};
    const char *const settings[] = {
        "model=zou-gu", "data.source=mixture", "network={width: 40, depth: 2}",
        "training={rate: 2.0, stop: {gradient_ratio: 1e300, contraction_ratio: 1e300, "
        "trajectory_ratio: 0, region_ratio: 0}}"};
    small_problem small;
    ww_error error = {0};
    if (!small_problem_make(&small, MPI_COMM_WORLD, settings, 4, 1, 5, DIMENSION, 2, &error))
        fail_msg("%s", error.message);
    const ww_problem *problem = &small.problem;
    ww_measure_plan *plan = NULL;
    ww_engine *engine = NULL;
    ww_origin *origin = NULL;
    double carry[16], loss = 0.0;
    assert_int_equal(ww_measure_plan_make(problem->config, problem->data, &plan, &error), WW_OK);
    assert_int_equal(ww_engine_create(problem, &engine, &error), WW_OK);
    assert_int_equal(ww_origin_create(plan, problem, engine, &origin, &error), WW_OK);
    double *values = calloc((size_t)ww_measure_values(plan), sizeof(double));
    ww_measure_carry_start(plan, carry);
    for (int record = 0; record < 3; record++) {
        assert_int_equal(
            ww_measure_record(plan, problem, origin, engine, NULL, carry, values, &error), WW_OK);
        for (size_t i = 0; i < sizeof ratios / sizeof ratios[0]; i++)
            expect_one(plan, values, ratios[i], (double)NAN, CLOSE);
        assert_null(ww_measure_stop(plan, problem->config, values));
        assert_int_equal(ww_engine_step(engine, 0, NULL, &loss, &error), WW_OK);
    }
    free(values);
    ww_origin_free(origin);
    ww_engine_free(engine);
    ww_measure_plan_free(plan);
    small_problem_free(&small);
}

// After a loss of 0 nothing is taken off it.
static void test_nothing_left_to_contract(void **state)
{
    (void)state;
    const char *const settings[] = {
        "model=zou-gu", "data.source=mixture", "network={width: 140, depth: 2}",
        "loss=hinge",   "training.rate=10",    "measure.quantities=[loss, contraction_ratio]"};
    small_problem small;
    ww_error error = {0};
    if (!small_problem_make(&small, MPI_COMM_WORLD, settings, 6, 4, 5, DIMENSION, 2, &error))
        fail_msg("%s", error.message);
    const ww_problem *problem = &small.problem;
    ww_measure_plan *plan = NULL;
    ww_engine *engine = NULL;
    ww_origin *origin = NULL;
    double carry[16], loss = 1.0;
    assert_int_equal(ww_measure_plan_make(problem->config, problem->data, &plan, &error), WW_OK);
    assert_int_equal(ww_engine_create(problem, &engine, &error), WW_OK);
    assert_int_equal(ww_origin_create(plan, problem, engine, &origin, &error), WW_OK);
    double *values = calloc((size_t)ww_measure_values(plan), sizeof(double));
    ww_measure_carry_start(plan, carry);
    for (int step = 0; step < 500 && loss > 0.0; step++) {
        assert_int_equal(
            ww_measure_record(plan, problem, origin, engine, NULL, carry, values, &error), WW_OK);
        assert_int_equal(ww_engine_step(engine, 0, NULL, &loss, &error), WW_OK);
        if (step == 0)
            expect_one(plan, values, "contraction_ratio", (double)NAN, CLOSE);
    }
    assert_true(loss == 0.0); // of the last record
    assert_int_equal(ww_measure_record(plan, problem, origin, engine, NULL, carry, values, &error),
                     WW_OK);
    expect_one(plan, values, "loss", 0.0, CLOSE);
    expect_one(plan, values, "contraction_ratio", 0.0, CLOSE);
    free(values);
    ww_origin_free(origin);
    ww_engine_free(engine);
    ww_measure_plan_free(plan);
    small_problem_free(&small);
}

// More samples than go through the network together.
static void test_gradients_of_several_blocks(void **state)
{
    (void)state;
    enum { COUNT = 1100, WIDTH = 40 };
    const char *const settings[] = {"model=zou-gu", "data.source=mixture",
                                    "network={width: 40, depth: 2}"};
    small_problem small;
    ww_error error = {0};
    if (!small_problem_make(&small, MPI_COMM_WORLD, settings, 3, COUNT, TEST_SAMPLES, DIMENSION, 3,
                            &error))
        fail_msg("%s", error.message);
    const ww_problem *problem = &small.problem;
    const double *inputs = problem->data->train.inputs;
    ww_engine *engine = NULL;
    assert_int_equal(ww_engine_create(problem, &engine, &error), WW_OK);
    plain_layers network = plain_layers_create(problem);
    plain_layers_read(&network, engine);
    double *by_outputs = calloc((size_t)COUNT * 3, sizeof(double));
    double *gradients[2] = {calloc((size_t)WIDTH * DIMENSION, sizeof(double)),
                            calloc((size_t)WIDTH * WIDTH, sizeof(double))};
    plain_pass pass;
    plain_pass_create(&network, &pass);
    for (int64_t s = 0; s < COUNT; s++) {
        for (int64_t c = 0; c < 3; c++)
            by_outputs[s * 3 + c] = sin((double)(1 + 3 * s + c));
        plain_forward(&network, inputs + s * DIMENSION, &pass);
        plain_backward(&network, by_outputs + s * 3, &pass);
        for (int64_t layer = 0; layer < 2; layer++)
            plain_add_gradient(&network, &pass, layer, gradients[layer]);
    }
    double squares[2] = {0.0, 0.0};
    assert_int_equal(ww_layer_gradients(problem, ww_engine_network(engine), inputs, COUNT,
                                        by_outputs, squares, &error),
                     WW_OK);
    for (int64_t layer = 0; layer < 2; layer++) {
        const double expected =
            squares_of(gradients[layer], WIDTH * plain_columns(&network, layer));
        assert_true(fabs(squares[layer] / expected - 1.0) < 1e-10);
        free(gradients[layer]);
    }
    free(by_outputs);
    plain_pass_free(&network, &pass);
    plain_layers_free(&network);
    ww_engine_free(engine);
    small_problem_free(&small);
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_layer),
                                       cmocka_unit_test(test_two_layers),
                                       cmocka_unit_test(test_three_layers_on_batches),
                                       cmocka_unit_test(test_other_losses),
                                       cmocka_unit_test(test_ratios_of_one_sample),
                                       cmocka_unit_test(test_nothing_left_to_contract),
                                       cmocka_unit_test(test_gradients_of_several_blocks)};
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
