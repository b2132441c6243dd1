// The dense engine and every quantity, against a network written with plain loops.

#include "cmocka_all.h"
#include "small_problem.h"

#include "train/kernels.h"
#include "widthwise/measure.h"

#include <stdio.h>
#include <string.h>

// ---- the slow obvious network -------------------------------------------------------------------

typedef struct plain {
    int64_t m, d, k;
    double slope, rate;
    double *weights, *initial; // [m, d]
    double *output_weights;    // [m, k]
} plain;

static void plain_make(plain *net, const ww_problem *problem)
{
    const int64_t m = problem->tiling.width;
    *net = (plain){.m = m,
                   .d = problem->dimension,
                   .k = problem->outputs,
                   .slope = problem->negative_slope,
                   .rate = problem->learning_rate};
    net->weights = calloc((size_t)(m * net->d), sizeof(double));
    net->initial = calloc((size_t)(m * net->d), sizeof(double));
    net->output_weights = calloc((size_t)(m * net->k), sizeof(double));
    ww_drawn_hidden_weights(problem->config, net->d, 0, m, net->weights);
    ww_drawn_hidden_weights(problem->config, net->d, 0, m, net->initial);
    ww_drawn_output_weights(problem->config, net->k, 0, m, net->output_weights);
}

static void plain_free(plain *net)
{
    free(net->weights);
    free(net->initial);
    free(net->output_weights);
}

static double dot(const double *a, const double *b, int64_t count)
{
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++)
        sum += a[i] * b[i];
    return sum;
}

static void plain_outputs(const plain *net, const double *patterns, const double *x,
                          double *outputs)
{
    for (int64_t i = 0; i < net->k; i++)
        outputs[i] = 0.0;
    for (int64_t r = 0; r < net->m; r++) {
        const double z = dot(net->weights + r * net->d, x, net->d);
        const bool active = dot(patterns + r * net->d, x, net->d) >= 0.0;
        for (int64_t i = 0; i < net->k; i++)
            outputs[i] += net->output_weights[r * net->k + i] * (active ? z : net->slope * z);
    }
}

static double plain_loss(const double *outputs, int64_t k, int64_t label)
{
    double others = 0.0;
    for (int64_t i = 0; i < k; i++)
        others += i == label ? 0.0 : exp(outputs[i] - outputs[label]);
    return log1p(others);
}

// Gradient on the batch with the patterns of `patterns`, [m, d]; returns the batch's mean loss.
static double plain_gradient(const plain *net, const double *patterns, const ww_samples *samples,
                             const int64_t *batch, int64_t count, double *gradient)
{
    double loss = 0.0;
    double *outputs = calloc((size_t)net->k, sizeof(double));
    memset(gradient, 0, (size_t)(net->m * net->d) * sizeof(double));
    for (int64_t b = 0; b < count; b++) {
        const double *x = samples->inputs + batch[b] * net->d;
        const int64_t label = samples->labels[batch[b]];
        plain_outputs(net, net->weights, x, outputs);
        loss += plain_loss(outputs, net->k, label) / (double)count;
        double sum = 0.0;
        for (int64_t i = 0; i < net->k; i++)
            sum += exp(outputs[i]);
        for (int64_t r = 0; r < net->m; r++) {
            double coefficient = 0.0;
            for (int64_t i = 0; i < net->k; i++)
                coefficient += net->output_weights[r * net->k + i] *
                               (exp(outputs[i]) / sum - (i == label ? 1.0 : 0.0));
            const bool active = dot(patterns + r * net->d, x, net->d) >= 0.0;
            for (int64_t j = 0; j < net->d; j++)
                gradient[r * net->d + j] +=
                    coefficient * (active ? 1.0 : net->slope) * x[j] / (double)count;
        }
    }
    free(outputs);
    return loss;
}

static void assert_near(double value, double expected, double tolerance)
{
    if (!(fabs(value - expected) <= tolerance * fmax(1.0, fabs(expected))))
        fail_msg("%.17g is not within %g of %.17g", value, tolerance, expected);
}

// ---- training -----------------------------------------------------------------------------------

static void train_and_compare(const char *const *settings, size_t count, int64_t train,
                              int64_t dimension, int64_t steps)
{
    small_problem small;
    ww_error error = {0};
    if (!small_problem_make(&small, MPI_COMM_SELF, settings, count, train, 20, dimension, 3,
                            &error))
        fail_msg("%s", error.message);
    const ww_problem *problem = &small.problem;
    plain net;
    plain_make(&net, problem);
    ww_engine *engine = NULL;
    ww_batches *batches = NULL;
    assert_int_equal(ww_engine_create(problem, &engine, &error), WW_OK);
    assert_int_equal(ww_batches_create(problem, &batches, &error), WW_OK);
    int64_t *batch = calloc((size_t)problem->batch, sizeof *batch);
    double *gradient = calloc((size_t)(net.m * net.d), sizeof *gradient);
    for (int64_t step = 0; step < steps; step++) {
        double loss = 0.0;
        int64_t requests = 0;
        assert_int_equal(ww_engine_step(engine, 5, &requests, &loss, &error), WW_OK);
        assert_int_equal(requests, 5);
        ww_batches_at(batches, step, batch);
        const double expected =
            plain_gradient(&net, net.weights, &small.data.train, batch, problem->batch, gradient);
        for (int64_t i = 0; i < net.m * net.d; i++)
            net.weights[i] -= net.rate * gradient[i];
        assert_near(loss, expected, 1e-12);
    }
    assert_int_equal(ww_engine_steps(engine), steps);
    for (int64_t tile = 0; tile < problem->tiling.tile_count; tile++) {
        const double *weights = ww_engine_tile(engine, tile);
        const int64_t first = tile * problem->tiling.tile_units;
        for (int64_t i = 0; i < ww_tile_size(&problem->tiling, tile) * net.d; i++)
            assert_near(weights[i], net.weights[first * net.d + i], 1e-12);
    }
    free(batch);
    free(gradient);
    ww_batches_free(batches);
    ww_engine_free(engine);
    plain_free(&net);
    small_problem_free(&small);
}

static void test_sgd(void **state)
{
    (void)state;
    static const char *const settings[] = {"network.width=150", "training.batch=4",
                                           "data.train=30"};
    train_and_compare(settings, 3, 30, 11, 20);
}

static void test_sgd_with_replacement_and_leaky_units(void **state)
{
    (void)state;
    static const char *const settings[] = {
        "network.width=131", "training.batch=9", "training.sampling=replacement",
        "network.activation={kind: leaky-relu, slope: 0.25}", "data.train=30"};
    train_and_compare(settings, 5, 30, 7, 12);
}

static void test_gd_over_several_blocks(void **state)
{
    (void)state;
    // More samples than a block, and not a multiple of it or of 8.
    static const char *const settings[] = {"network.width=20", "training.method=gd",
                                           "data.train=1101"};
    assert_true(1101 > 2 * WW_SAMPLE_BLOCK);
    train_and_compare(settings, 3, 1101, 5, 4);
}

static void test_gd_by_sections(void **state)
{
    (void)state;
    // Three sections, in two of which no block is short.
    static const char *const settings[] = {"network.width=140", "training.method=gd",
                                           "data.train=9000"};
    assert_true(9000 > 2 * WW_SECTION_SAMPLES);
    train_and_compare(settings, 3, 9000, 5, 4);
}

static void test_asking_for_weights_changes_no_bit(void **state)
{
    (void)state;
    static const char *const settings[] = {"network.width=300", "training.batch=5",
                                           "data.train=30"};
    double *final[2] = {NULL, NULL};
    size_t bytes = 0;
    for (int asks = 0; asks < 2; asks++) {
        small_problem small;
        ww_error error = {0};
        assert_true(small_problem_make(&small, MPI_COMM_SELF, settings, 3, 30, 20, 9, 3, &error));
        ww_engine *engine = NULL;
        assert_int_equal(ww_engine_create(&small.problem, &engine, &error), WW_OK);
        for (int step = 0; step < 15; step++) {
            double loss = 0.0;
            int64_t requests = 0;
            assert_int_equal(ww_engine_step(engine, 0, &requests, &loss, &error), WW_OK);
            for (int64_t tile = 0; asks && tile < small.problem.tiling.tile_count; tile += 2)
                (void)ww_engine_tile(engine, tile);
        }
        bytes = (size_t)(300 * 9) * sizeof(double);
        final[asks] = malloc(bytes);
        for (int64_t tile = 0; tile < small.problem.tiling.tile_count; tile++)
            memcpy(final[asks] + tile * small.problem.tiling.tile_units * 9,
                   ww_engine_tile(engine, tile),
                   (size_t)(ww_tile_size(&small.problem.tiling, tile) * 9) * sizeof(double));
        ww_engine_free(engine);
        small_problem_free(&small);
    }
    assert_memory_equal(final[0], final[1], bytes);
    free(final[0]);
    free(final[1]);
}

static void test_divergence_is_an_outcome(void **state)
{
    (void)state;
    static const char *const settings[] = {"network.width=50", "training.batch=5", "data.train=30",
                                           "training.rate=1e17"};
    small_problem small;
    ww_error error = {0};
    assert_true(small_problem_make(&small, MPI_COMM_SELF, settings, 4, 30, 20, 9, 3, &error));
    ww_engine *engine = NULL;
    assert_int_equal(ww_engine_create(&small.problem, &engine, &error), WW_OK);
    ww_status status = WW_OK;
    for (int step = 0; status == WW_OK && step < 100; step++) {
        double loss = 0.0;
        int64_t requests = 0;
        status = ww_engine_step(engine, 0, &requests, &loss, &error);
    }
    assert_int_equal(status, WW_DIVERGED);
    assert_non_null(strstr(error.message, "diverged at step"));
    ww_engine_free(engine);
    small_problem_free(&small);
}

// ---- batches ------------------------------------------------------------------------------------

static void test_batches(void **state)
{
    (void)state;
    static const char *const settings[] = {"network.width=10", "training.batch=7", "data.train=30"};
    small_problem small;
    ww_error error = {0};
    assert_true(small_problem_make(&small, MPI_COMM_SELF, settings, 3, 30, 20, 2, 3, &error));
    ww_batches *batches = NULL;
    assert_int_equal(ww_batches_create(&small.problem, &batches, &error), WW_OK);
    int64_t epochs[2][28];
    for (int epoch = 0; epoch < 2; epoch++) {
        int seen[30] = {0};
        for (int step = 0; step < 4; step++)
            ww_batches_at(batches, 4 * epoch + step, epochs[epoch] + 7 * step);
        for (int i = 0; i < 28; i++) {
            assert_in_range(epochs[epoch][i], 0, 29);
            assert_int_equal(seen[epochs[epoch][i]]++, 0); // once an epoch at most
        }
    }
    assert_memory_not_equal(epochs[0], epochs[1], sizeof epochs[0]);
    int64_t again[7];
    ww_batches_at(batches, 2, again); // going back gives the same
    assert_memory_equal(again, epochs[0] + 14, sizeof again);
    ww_batches_free(batches);
    small_problem_free(&small);
}

static void test_batches_in_sequence(void **state)
{
    (void)state;
    static const char *const settings[] = {"network.width=10", "training.batch=7", "data.train=30",
                                           "training.sampling=sequential"};
    small_problem small;
    ww_error error = {0};
    assert_true(small_problem_make(&small, MPI_COMM_SELF, settings, 4, 30, 20, 2, 3, &error));
    ww_batches *batches = NULL;
    assert_int_equal(ww_batches_create(&small.problem, &batches, &error), WW_OK);
    int64_t next = 0, batch[7];
    for (int64_t step = 0; step < 40; step++) {
        ww_batches_at(batches, step, batch);
        for (int i = 0; i < 7; i++, next = (next + 1) % 30)
            assert_int_equal(batch[i], next);
    }
    const int64_t far = INT64_MAX - 1; // whose product with the batch no word holds
    ww_batches_at(batches, far, batch);
    assert_int_equal(batch[0], (far % 30 * 7) % 30);
    ww_batches_free(batches);
    small_problem_free(&small);
}

// ---- quantities ---------------------------------------------------------------------------------

// Expected value of quantity `name` by plain loops.
static double expected_value(const char *name, const plain *net, const ww_problem *problem,
                             const int64_t *batch, double threshold)
{
    const ww_samples *test = &problem->data->test;
    const ww_samples *train = &problem->data->train;
    const bool on_train = strcmp(name, "loss") == 0 || strcmp(name, "train_accuracy") == 0 ||
                          strcmp(name, "coupling_train") == 0;
    const ww_samples *set = on_train ? train : test;
    double outputs[8];
    double pseudo[8];
    double loss = 0.0;
    double right = 0.0;
    double deviation = 0.0;
    for (int64_t s = 0; s < set->count; s++) {
        const double *x = set->inputs + s * net->d;
        plain_outputs(net, net->weights, x, outputs);
        plain_outputs(net, net->initial, x, pseudo);
        loss += plain_loss(outputs, net->k, set->labels[s]) / (double)set->count;
        bool best = true;
        for (int64_t i = 0; i < net->k; i++) {
            best = best && (i == set->labels[s] || outputs[set->labels[s]] > outputs[i]);
            deviation = fmax(deviation, fabs(outputs[i] - pseudo[i]));
        }
        right += best ? 1.0 / (double)set->count : 0.0;
    }
    double changed = 0.0;
    double risky = 0.0;
    double any = 0.0;
    double moved = 0.0;
    double start = 0.0;
    double largest_row = 0.0;
    for (int64_t r = 0; r < net->m; r++) {
        double row = 0.0;
        for (int64_t j = 0; j < net->d; j++) {
            const double difference = net->weights[r * net->d + j] - net->initial[r * net->d + j];
            row += difference * difference;
            start += net->initial[r * net->d + j] * net->initial[r * net->d + j];
        }
        moved += row;
        largest_row = fmax(largest_row, sqrt(row));
        bool some = false;
        for (int64_t s = 0; s < set->count; s++) {
            const double *x = set->inputs + s * net->d;
            const double then = dot(net->initial + r * net->d, x, net->d);
            const bool differs =
                (dot(net->weights + r * net->d, x, net->d) >= 0.0) != (then >= 0.0);
            changed += differs;
            some = some || differs;
            risky += fabs(then) <= sqrt(row) * sqrt(dot(x, x, net->d));
        }
        any += some;
    }
    const double pairs = (double)(net->m * set->count);
    double *gradient = calloc((size_t)(2 * net->m * net->d), sizeof *gradient);
    double *other = gradient + net->m * net->d;
    const double batch_loss =
        plain_gradient(net, net->weights, train, batch, problem->batch, gradient);
    plain_gradient(net, net->initial, train, batch, problem->batch, other);
    double equal = 0.0;
    double large = 0.0;
    for (int64_t r = 0; r < net->m; r++) {
        equal +=
            memcmp(gradient + r * net->d, other + r * net->d, (size_t)net->d * sizeof(double)) == 0;
        large += sqrt(dot(other + r * net->d, other + r * net->d, net->d)) > threshold;
    }
    const double norm = sqrt(dot(gradient, gradient, net->m * net->d));
    const double pseudo_norm = sqrt(dot(other, other, net->m * net->d));
    free(gradient);

    double v_max = 0.0;
    for (int64_t component = 0; component < net->k; component++)
        for (int64_t i = 0; i < net->k; i++) {
            double mean = 0.0;
            for (int64_t s = 0; s < train->count; s++) {
                if (train->components[s] != component)
                    continue;
                plain_outputs(net, net->weights, train->inputs + s * net->d, outputs);
                double sum = 0.0;
                for (int64_t j = 0; j < net->k; j++)
                    sum += exp(outputs[j]);
                mean += ((i == train->labels[s] ? 1.0 : 0.0) - exp(outputs[i]) / sum) /
                        (double)train->count;
            }
            v_max = fmax(v_max, fabs(mean));
        }
    const struct {
        const char *name;
        double value;
    } table[] = {
        {"loss", loss},
        {"test_loss", loss},
        {"train_accuracy", right},
        {"test_accuracy", right},
        {"v_max", v_max},
        {"coupling", changed / pairs},
        {"coupling_train", changed / pairs},
        {"coupling_any", any / (double)net->m},
        {"coupling_at_risk", risky / pairs},
        {"pseudo_network_deviation", deviation},
        {"distance", sqrt(moved / start)},
        {"distance_absolute", sqrt(moved)},
        {"row_movement", largest_row},
        {"batch_loss", batch_loss},
        {"equal_gradient", equal / (double)net->m},
        {"gradient_norm", norm},
        {"pseudo_gradient_norm", pseudo_norm},
        {"pseudo_gradient_large", large / (double)net->m},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strcmp(name, table[i].name) == 0)
            return table[i].value;
    fail_msg("no reference for %s", name);
    return NAN;
}

static void compare_quantities(const char *activation)
{
    const char *const settings[] = {"network.width=150", "training.batch=6",
                                    "data.train=40",     "measure.quantities=[all]",
                                    "training.rate=60",  "measure.pseudo_gradient_threshold=0.05",
                                    activation};
    small_problem small;
    ww_error error = {0};
    if (!small_problem_make(&small, MPI_COMM_SELF, settings, 7, 40, 530, 8, 3, &error))
        fail_msg("%s", error.message);
    const ww_problem *problem = &small.problem;
    ww_measure_plan *plan = NULL;
    if (ww_measure_plan_make(problem->config, &small.data, &plan, &error) != WW_OK)
        fail_msg("%s", error.message);
    plain net;
    plain_make(&net, problem);
    ww_engine *engine = NULL;
    ww_batches *batches = NULL;
    assert_int_equal(ww_engine_create(problem, &engine, &error), WW_OK);
    assert_int_equal(ww_batches_create(problem, &batches, &error), WW_OK);
    double *values = calloc((size_t)ww_measure_values(plan), sizeof *values);
    double *carry = calloc(ww_measure_carry_count(plan), sizeof *carry);
    ww_measure_carry_start(plan, carry);
    size_t count = 0;
    const ww_field *fields = ww_measure_trajectory(plan, &count);
    double squares = 0.0;
    double last_loss = 0.0;
    for (int64_t step = 0; step <= 8; step += 4) {
        while (ww_engine_steps(engine) < step) {
            double loss = 0.0;
            int64_t requests = 0;
            assert_int_equal(ww_engine_step(engine, 0, &requests, &loss, &error), WW_OK);
        }
        for (int64_t tile = 0; tile < problem->tiling.tile_count; tile++)
            memcpy(net.weights + tile * problem->tiling.tile_units * net.d,
                   ww_engine_tile(engine, tile),
                   (size_t)(ww_tile_size(&problem->tiling, tile) * net.d) * sizeof(double));
        if (ww_measure_record(plan, problem, NULL, engine, batches, carry, values, &error) != WW_OK)
            fail_msg("%s", error.message);
        int64_t batch[6];
        ww_batches_at(batches, step, batch);
        for (size_t i = 0; i < count; i++) {
            if (strcmp(fields[i].name, "v_max_mean_square") == 0) {
                const double v_max = ww_measure_value(plan, values, "v_max");
                squares += v_max * v_max;
                assert_near(values[i], squares / (double)(step / 4 + 1), 1e-14);
                continue;
            }
            if (strcmp(fields[i].name, "contraction") == 0) {
                const double loss = ww_measure_value(plan, values, "loss");
                assert_near(values[i], step == 0 ? 1.0 : pow(loss / last_loss, 0.25), 1e-14);
                last_loss = loss;
                continue;
            }
            const double expected = expected_value(fields[i].name, &net, problem, batch, 0.05);
            if (!(fabs(values[i] - expected) <= 1e-12 * fmax(1.0, fabs(expected))))
                fail_msg("%s at step %d: %.17g, expected %.17g", fields[i].name, (int)step,
                         values[i], expected);
            if (step == 0 && strncmp(fields[i].name, "coupling", 8) == 0)
                assert_true(values[i] == 0.0);
        }
        assert_true(ww_measure_value(plan, values, "coupling") <=
                    ww_measure_value(plan, values, "coupling_at_risk"));
    }
    // The test moves enough for the comparison to mean something.
    assert_true(ww_measure_value(plan, values, "coupling") > 0.01);
    assert_true(ww_measure_value(plan, values, "equal_gradient") < 1.0);
    free(values);
    free(carry);
    ww_batches_free(batches);
    ww_engine_free(engine);
    ww_measure_plan_free(plan);
    plain_free(&net);
    small_problem_free(&small);
}

static void test_quantities_of_relu(void **state)
{
    (void)state;
    compare_quantities("network.activation={kind: relu}");
}

static void test_quantities_of_leaky_relu(void **state)
{
    (void)state;
    compare_quantities("network.activation={kind: leaky-relu, slope: 0.2}");
}

static void test_more_epochs_than_permutations(void **state)
{
    (void)state;
    const struct {
        const char *steps, *sampling;
        ww_status expected;
    } cases[] = {
        {"training.steps=12884901888", "training.sampling=permutation", WW_OK}, // 3 x 2^32
        {"training.steps=12884901889", "training.sampling=permutation", WW_USAGE},
        {"training.steps=12884901889", "training.sampling=replacement", WW_OK},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *const settings[] = {cases[i].steps, cases[i].sampling, "data.train=7",
                                        "training.batch=2"};
        small_problem small;
        ww_error error = {0};
        if (!small_problem_make(&small, MPI_COMM_SELF, settings, 4, 7, 2, 3, 2, &error))
            fail_msg("%s", error.message);
        assert_int_equal(ww_batches_check(&small.problem, &error), cases[i].expected);
        if (cases[i].expected != WW_OK)
            assert_non_null(strstr(error.message, "takes 4294967297 permutations"));
        small_problem_free(&small);
    }
}

int main(int count, char **words)
{
    MPI_Init(&count, &words);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sgd),
        cmocka_unit_test(test_sgd_with_replacement_and_leaky_units),
        cmocka_unit_test(test_gd_over_several_blocks),
        cmocka_unit_test(test_gd_by_sections),
        cmocka_unit_test(test_asking_for_weights_changes_no_bit),
        cmocka_unit_test(test_divergence_is_an_outcome),
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_batches_in_sequence),
        cmocka_unit_test(test_more_epochs_than_permutations),
        cmocka_unit_test(test_quantities_of_relu),
        cmocka_unit_test(test_quantities_of_leaky_relu),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
