// Steps of every engine, their tally and their rest, against training written with plain loops.

#include "cmocka_all.h"
#include "small_problem.h"

#include "train/kernels.h"

#include <float.h>
#include <stdio.h>
#include <string.h>

// ---- the slow obvious training ------------------------------------------------------------------

typedef struct plain {
    const ww_problem *problem;
    int64_t m, d, k;
    double *hidden, *output;               // W [m, d] and v [m, k]
    double *hidden_change, *output_change; // -eta times the gradients of the batch
    double batch_loss;
    int64_t updates, last_change, support;
    double descent;
    bool used[2048];
} plain;

static double *zeroes(int64_t count)
{
    return calloc((size_t)count, sizeof(double));
}

static void plain_make(plain *net, const ww_problem *problem)
{
    const int64_t m = problem->tiling.width;
    *net = (plain){.problem = problem,
                   .m = m,
                   .d = problem->dimension,
                   .k = problem->outputs,
                   .hidden = zeroes(m * problem->dimension),
                   .output = zeroes(m * problem->outputs),
                   .hidden_change = zeroes(m * problem->dimension),
                   .output_change = zeroes(m * problem->outputs),
                   .descent = -INFINITY};
    ww_initial_hidden_weights(&problem->initial, 0, m, net->hidden);
    ww_initial_output_weights(&problem->initial, 0, m, net->output);
}

static void plain_free(plain *net)
{
    free(net->hidden);
    free(net->output);
    free(net->hidden_change);
    free(net->output_change);
}

static const double *input_of(const plain *net, int64_t sample)
{
    return net->problem->data->train.inputs + sample * net->d;
}

static double slope_at(const plain *net, double z)
{
    return z >= 0.0 ? 1.0 : net->problem->negative_slope;
}

static void plain_outputs(const plain *net, int64_t sample, double *outputs)
{
    for (int64_t j = 0; j < net->k; j++)
        outputs[j] = 0.0;
    for (int64_t r = 0; r < net->m; r++) {
        const double z = small_dot(net->hidden + r * net->d, input_of(net, sample), net->d);
        for (int64_t j = 0; j < net->k; j++)
            outputs[j] += net->output[r * net->k + j] * slope_at(net, z) * z;
    }
}

// Loss and its derivatives by the outputs, from the formulas.
static double plain_loss(const plain *net, int64_t sample, const double *outputs, double *gradient)
{
    const ww_samples *train = &net->problem->data->train;
    const int64_t label = train->labels[sample];
    const double *wanted = train->targets == NULL ? NULL : train->targets + sample * net->k;
    double loss = 0.0, sum = 0.0;
    switch (net->problem->config->loss) {
    case WW_LOSS_CROSS_ENTROPY:
        for (int64_t j = 0; j < net->k; j++)
            sum += exp(outputs[j]);
        for (int64_t j = 0; j < net->k; j++)
            gradient[j] = exp(outputs[j]) / sum - (j == label ? 1.0 : 0.0);
        return log(sum) - outputs[label];
    case WW_LOSS_SQUARED:
        for (int64_t j = 0; j < net->k; j++) {
            gradient[j] = outputs[j] - wanted[j];
            loss += 0.5 * gradient[j] * gradient[j];
        }
        return loss;
    case WW_LOSS_HINGE:
        gradient[0] = wanted[0] * outputs[0] < 1.0 ? -wanted[0] : 0.0;
        return fmax(0.0, 1.0 - wanted[0] * outputs[0]);
    }
    return NAN;
}

// Whether a gradient `g` by the output of a sample makes one by any weight; adds the gradients of
// all weights, times `scale`, to the changes.
static bool plain_backward(plain *net, int64_t sample, const double *g, double scale)
{
    const bool trains_output = net->problem->config->network.train_output;
    const double *x = input_of(net, sample);
    bool moves = false;
    for (int64_t r = 0; r < net->m; r++) {
        const double z = small_dot(net->hidden + r * net->d, x, net->d);
        for (int64_t j = 0; j < net->k; j++) {
            const double by_preactivation = g[j] * net->output[r * net->k + j] * slope_at(net, z);
            for (int64_t l = 0; l < net->d; l++) {
                net->hidden_change[r * net->d + l] += scale * by_preactivation * x[l];
                moves = moves || by_preactivation * x[l] != 0.0;
            }
            if (trains_output) {
                net->output_change[r * net->k + j] += scale * g[j] * slope_at(net, z) * z;
                moves = moves || g[j] * slope_at(net, z) * z != 0.0;
            }
        }
    }
    return moves;
}

// <dL / dW, W*> with the rows +-w* by the sign of v, from the gradient itself.
static double plain_descent(const plain *net, const double *separator)
{
    double sum = 0.0;
    for (int64_t r = 0; r < net->m; r++)
        sum += (net->output[r] >= 0.0 ? 1.0 : -1.0) *
               small_dot(net->hidden_change + r * net->d, separator, net->d) /
               -net->problem->learning_rate;
    return sum;
}

static void plain_step(plain *net, int64_t step, const int64_t *batch, const double *separator)
{
    const ww_problem *problem = net->problem;
    const double divisor =
        problem->config->loss_reduction == WW_REDUCTION_SUM ? 1.0 : (double)problem->batch;
    double outputs[8], gradient[8];
    bool changes = false;
    net->batch_loss = 0.0;
    memset(net->hidden_change, 0, (size_t)(net->m * net->d) * sizeof(double));
    memset(net->output_change, 0, (size_t)(net->m * net->k) * sizeof(double));
    for (int64_t i = 0; i < problem->batch; i++) {
        plain_outputs(net, batch[i], outputs);
        net->batch_loss += plain_loss(net, batch[i], outputs, gradient) / divisor;
        if (plain_backward(net, batch[i], gradient, -problem->learning_rate / divisor)) {
            changes = true;
            net->support += !net->used[batch[i]];
            net->used[batch[i]] = true;
        }
    }
    if (changes) {
        net->updates++;
        net->last_change = step + 1;
        if (separator != NULL)
            net->descent = fmax(net->descent, plain_descent(net, separator));
    }
    for (int64_t i = 0; i < net->m * net->d; i++)
        net->hidden[i] += net->hidden_change[i];
    for (int64_t i = 0; i < net->m * net->k; i++)
        net->output[i] += net->output_change[i];
}

// Whether no train sample would change a weight; counts those with a margin below 1.
static bool plain_rests(plain *net, int64_t *lacking)
{
    bool rests = true;
    *lacking = 0;
    for (int64_t s = 0; s < net->problem->data->train.count; s++) {
        double output = 0.0, gradient = 0.0;
        plain_outputs(net, s, &output);
        (void)plain_loss(net, s, &output, &gradient);
        *lacking += gradient != 0.0;
        rests = rests && !plain_backward(net, s, &gradient, 0.0);
    }
    return rests;
}

// ---- comparison ---------------------------------------------------------------------------------

static void assert_near(double value, double expected, double tolerance)
{
    if (!(fabs(value - expected) <= tolerance * fmax(1.0, fabs(expected))))
        fail_msg("%.17g is not within %g of %.17g", value, tolerance, expected);
}

static void compare_weights(ww_engine *engine, const plain *net, double tolerance)
{
    const ww_tiling *tiling = &net->problem->tiling;
    for (int64_t tile = 0; tile < tiling->tile_count; tile++) {
        const double *weights = ww_engine_tile(engine, tile);
        const int64_t first = tile * tiling->tile_units;
        for (int64_t i = 0; i < ww_tile_size(tiling, tile) * net->d; i++)
            assert_near(weights[i], net->hidden[first * net->d + i], tolerance);
    }
    const double *output = ww_engine_output_weights(engine);
    for (int64_t i = 0; i < net->m * net->k; i++)
        assert_near(output[i], net->output[i], tolerance);
}

static void compare_tally(const ww_engine *engine, const plain *net)
{
    const ww_tally *tally = ww_engine_tally(engine);
    assert_int_equal(tally->updates, net->updates);
    assert_int_equal(tally->last_change, net->last_change);
    assert_int_equal(tally->support, net->support);
    for (int64_t s = 0; s < net->problem->data->train.count; s++)
        assert_int_equal(tally->used[s], net->used[s]);
    if (net->updates > 0)
        assert_near(tally->descent, net->descent, 1e-12);
    else
        assert_true(isinf(tally->descent) && tally->descent < 0.0);
}

static void compare_rest(ww_engine *engine, plain *net, bool *rested, bool *lacks)
{
    int64_t lacking = 0;
    const int64_t step = ww_engine_steps(engine);
    ww_rest rest;
    ww_error error = {0};
    assert_int_equal(ww_engine_rest(engine, 0, &rest, &error), WW_OK);
    // An engine that makes updates with the next step tells it then.
    const bool is_early =
        net->problem->config->training.engine == WW_ENGINE_LAZY && step == net->last_change;
    *rested = plain_rests(net, &lacking) && !is_early;
    assert_int_equal(rest.rests, *rested);
    assert_int_equal(rest.lacking, *rested ? lacking : 0);
    assert_int_equal(ww_engine_steps(engine), *rested ? net->last_change : step);
    *lacks = rest.lacking > 0;
}

typedef struct run {
    const char *const *settings;
    size_t count;
    int64_t train, dimension, classes, steps;
    double tolerance;
    bool with_zero; // one sample is at 0
    bool turned;    // all units begin on the side of class 1
    bool looks;     // asks for weights at every step
    bool rests;     // expected within the steps
    bool lacks;     // and then samples with a margin below 1
} run;

static void train_and_compare(const run *asked)
{
    small_problem small;
    ww_error error = {0};
    if (!small_problem_make(&small, MPI_COMM_SELF, asked->settings, asked->count, asked->train, 20,
                            asked->dimension, asked->classes, &error))
        fail_msg("%s", error.message);
    double *separator = zeroes(asked->dimension), *margins = zeroes(asked->train);
    const ww_problem *problem = &small.problem;
    const bool is_hinge = problem->config->loss == WW_LOSS_HINGE;
    if (is_hinge)
        small_separate(&small, separator, margins, asked->with_zero);
    double *turned = zeroes(problem->tiling.width * asked->dimension);
    for (int64_t i = 0; i < problem->tiling.width * asked->dimension; i++)
        turned[i] = -5.0 * separator[i % asked->dimension];
    if (asked->turned)
        small.problem.initial.hidden = turned;
    plain net;
    plain_make(&net, problem);
    ww_engine *engine = NULL;
    ww_batches *batches = NULL;
    assert_int_equal(ww_engine_create(problem, &engine, &error), WW_OK);
    assert_int_equal(ww_batches_create(problem, &batches, &error), WW_OK);
    assert_int_equal(ww_engine_tally(engine) != NULL, is_hinge);
    int64_t *batch = calloc((size_t)problem->batch, sizeof *batch);
    bool rested = false, lacks = false;
    for (int64_t step = 0; step < asked->steps && !rested; step++) {
        double loss = 0.0;
        int64_t requests = 0;
        if (ww_engine_step(engine, 5, &requests, &loss, &error) != WW_OK)
            fail_msg("%s", error.message);
        assert_int_equal(requests, 5);
        ww_batches_at(batches, step, batch);
        plain_step(&net, step, batch, is_hinge ? separator : NULL);
        assert_near(loss, net.batch_loss, asked->tolerance);
        if (asked->looks)
            compare_weights(engine, &net, asked->tolerance);
        if (is_hinge) {
            compare_tally(engine, &net);
            compare_rest(engine, &net, &rested, &lacks);
        }
    }
    compare_weights(engine, &net, asked->tolerance);
    assert_int_equal(rested, asked->rests);
    assert_int_equal(lacks, asked->lacks);
    free(batch);
    free(separator);
    free(turned);
    free(margins);
    ww_batches_free(batches);
    ww_engine_free(engine);
    plain_free(&net);
    small_problem_free(&small);
}

// Those that make steps of gd come first; the last is for output weights that stay as they are.
enum { GD_ENGINES = 2, ENGINES = 3, LAZY = 3, ALL };
static const char *const engines[ALL] = {"training.engine=dense", "training.engine=samples",
                                         "training.engine=window", "training.engine=lazy"};

// One run by every engine that makes such steps, without and with looks at the weights.
#define RUN(first_engine, end, ...)                                                                \
    for (int engine = first_engine; engine < (end); engine++)                                      \
        for (int looks = 0; looks < 2; looks++) {                                                  \
            const char *const settings[] = {engines[engine], __VA_ARGS__};                         \
            asked.settings = settings;                                                             \
            asked.count = sizeof settings / sizeof settings[0];                                    \
            asked.looks = looks != 0;                                                              \
            train_and_compare(&asked);                                                             \
        }

#define HINGE "model=brutzkus", "data.source=mixture", "data.train=60"
static const run usual = {
    .train = 60, .dimension = 11, .classes = 2, .steps = 140, .tolerance = 1e-12};

static void test_hinge_one_by_one(void **state)
{
    (void)state;
    run asked = usual;
    asked.steps = 400;
    asked.rests = true;
    asked.tolerance = 1e-11;
    RUN(0, ALL, HINGE, "network.width=150")
    RUN(0, ALL, HINGE, "network.width=6", "training.sampling=sequential")
    asked.with_zero = true; // which no weight can bring to a margin of 1
    asked.lacks = true;
    RUN(0, ALL, HINGE, "network.width=150")
}

static void test_hinge_in_batches_of_relu(void **state)
{
    (void)state;
    run asked = usual;
    asked.steps = 200;
    asked.rests = true;
    RUN(0, ALL, HINGE, "network.width=40", "training.batch=5", "network.activation.kind=relu",
        "training.sampling=replacement")
    RUN(0, ALL, HINGE, "network.width=40", "training.batch=7", "network.activation.kind=relu",
        "loss_reduction=sum", "training.rate=0.1")
    RUN(0, GD_ENGINES, HINGE, "network.width=40", "training.method=gd",
        "network.activation.kind=relu")
    RUN(LAZY, ALL, HINGE, "network.width=40", "training.method=gd", "network.activation.kind=relu")
}

static void test_hinge_rests_in_a_local_minimum(void **state)
{
    (void)state;
    run asked = usual;
    asked.steps = 200;
    asked.rests = asked.lacks = asked.turned = true;
    RUN(0, ALL, HINGE, "network.width=70", "network.activation.kind=relu")
}

static void test_hinge_of_both_layers(void **state)
{
    (void)state;
    run asked = usual;
    asked.steps = 200;
    asked.rests = true;
    asked.tolerance = 1e-11;
    RUN(0, ENGINES, HINGE, "network.width=150", "network.train_output=true")
    RUN(0, ENGINES, HINGE, "network.width=30", "training.batch=5", "network.train_output=true",
        "network.activation.kind=relu")
    RUN(0, GD_ENGINES, HINGE, "network.width=30", "training.method=gd", "network.train_output=true")
}

// The same steps in single precision, to its rounding, where few of them leave little room for an
// activation pattern to go another way.
static void test_single_precision(void **state)
{
    (void)state;
    run asked = usual;
    asked.classes = 3;
    asked.steps = 40;
    asked.tolerance = 2e-5;
    RUN(0, ENGINES, "precision=single", "network.width=150", "data.train=60", "training.batch=4")
    RUN(0, ENGINES, "precision=single", "network.width=150", "network.train_output=true",
        "data.train=60", "training.batch=1", "training.sampling=replacement")
    RUN(0, GD_ENGINES, "precision=single", "network.width=150", "data.train=60",
        "training.method=gd")
    asked.classes = 2;
    RUN(0, ENGINES, "precision=single", "model=arora", "data.train=60", "training.method=sgd",
        "network.width=132", "network.train_output=true", "training.batch=6",
        "network.hidden.pairs=antisymmetric", "network.hidden.std=0.3", "training.rate=0.02")
}

// Full batches of one output, whose weights stay: most of all they are by patterns.
static void test_full_batches(void **state)
{
    (void)state;
    run asked = usual;
    asked.steps = 100;
    RUN(0, GD_ENGINES, "model=arora", "data.train=60", "network.width=150",
        "network.hidden.std=0.3", "training.rate=0.05")
    RUN(0, GD_ENGINES, "model=arora", "data.train=60", "network.width=132",
        "network.activation={kind: leaky-relu, slope: 0.2}", "network.hidden.pairs=antisymmetric",
        "network.hidden.std=0.3", "training.rate=0.05")
    asked.rests = true;
    RUN(0, GD_ENGINES, HINGE, "network.width=150", "training.method=gd")
    asked.rests = false;
    asked.steps = 30;
    asked.tolerance = 2e-5;
    RUN(0, GD_ENGINES, "precision=single", "model=arora", "data.train=60", "network.width=150",
        "network.hidden.std=0.3", "training.rate=0.02")
    asked.tolerance = 1e-12;
    asked.train = 1101; // several blocks
    asked.steps = 5;
    RUN(0, GD_ENGINES, "model=arora", "data.train=1101", "network.width=150",
        "network.hidden.std=0.3", "training.rate=0.002")
}

// Batches of several blocks of samples.
static void test_large_batches(void **state)
{
    (void)state;
    run asked = usual;
    asked.train = 1101;
    asked.classes = 3;
    asked.steps = 7;
    assert_true(700 > WW_SAMPLE_BLOCK);
    RUN(0, GD_ENGINES, "data.train=1101", "network.width=150", "training.batch=700",
        "training.sampling=replacement", "network.train_output=true")
    RUN(0, GD_ENGINES, "data.train=1101", "network.width=150", "training.batch=512")
}

static void test_other_losses_of_both_layers(void **state)
{
    (void)state;
    run asked = usual;
    asked.classes = 3;
    RUN(0, ENGINES, "network.width=150", "network.train_output=true", "data.train=60",
        "training.batch=4", "training.sampling=replacement")
    RUN(0, ENGINES, "model=arora", "data.train=60", "training.method=sgd", "network.width=150",
        "network.train_output=true", "training.batch=1", "network.hidden.std=0.3",
        "data.mixture.classes=3", "training.rate=0.02")
    asked.classes = 2;
    RUN(0, ENGINES, "model=arora", "data.train=60", "training.method=sgd", "network.width=132",
        "network.train_output=true", "training.batch=6", "network.hidden.pairs=antisymmetric",
        "network.hidden.std=0.3", "training.rate=0.02")
    asked.train = 1101; // several blocks
    asked.steps = 4;
    assert_true(1101 > 2 * WW_SAMPLE_BLOCK);
    RUN(0, GD_ENGINES, "model=arora", "data.train=1101", "network.width=20",
        "network.train_output=true", "network.hidden.std=0.3")
}

// Three unit vectors of class +1 and held weights: margins 2, 2, and one below 1 by less than what
// is taken for rounding. Batches of two leave one sample out of every epoch.
static void hold_margins(small_problem *small, double *hidden)
{
    const double size = ww_config_output_std(small->problem.config, small->problem.outputs);
    const double margins[] = {2.0, 2.0, 1.0 - 1e-10};
    ww_samples *train = &small->data.train;
    for (int64_t s = 0; s < 3; s++) {
        for (int64_t j = 0; j < 3; j++)
            train->inputs[s * 3 + j] = s == j ? 1.0 : 0.0;
        train->labels[s] = 0;
        train->targets[s] = 1.0;
        hidden[s] = margins[s] / size;
        hidden[3 + s] = -1.0;
    }
    small->problem.initial.hidden = hidden;
}

// At how many steps from the start the last sample is left out.
static int64_t steps_without_last(const ww_problem *problem)
{
    ww_batches *batches = NULL;
    ww_error error = {0};
    int64_t batch[2];
    int64_t steps = 0;
    assert_int_equal(ww_batches_create(problem, &batches, &error), WW_OK);
    for (;; steps++) {
        ww_batches_at(batches, steps, batch);
        if (batch[0] == 2 || batch[1] == 2)
            break;
    }
    ww_batches_free(batches);
    return steps;
}

static void wait_for_last(const char *engine_setting)
{
    const char *const settings[] = {
        "model=brutzkus",   "network.width=2", "network.activation.kind=relu",
        "training.batch=2", "data.train=3",    engine_setting};
    small_problem small;
    ww_error error = {0};
    double hidden[6];
    if (!small_problem_make(&small, MPI_COMM_SELF, settings, sizeof settings / sizeof settings[0],
                            3, 3, 3, 2, &error))
        fail_msg("%s", error.message);
    hold_margins(&small, hidden);
    int64_t *seed = &small.experiment.members[0].seeds.batches;
    while (steps_without_last(&small.problem) < 4) // two passes
        ++*seed;
    const int64_t without = steps_without_last(&small.problem);
    ww_engine *engine = NULL;
    assert_int_equal(ww_engine_create(&small.problem, &engine, &error), WW_OK);
    ww_rest rest = {0};
    for (int64_t step = 0; step <= without; step++) {
        double loss = 0.0;
        assert_int_equal(ww_engine_rest(engine, 0, &rest, &error), WW_OK);
        assert_false(rest.rests);
        assert_int_equal(ww_engine_step(engine, 0, NULL, &loss, &error), WW_OK);
    }
    assert_int_equal(ww_engine_tally(engine)->updates, 1);
    assert_int_equal(ww_engine_rest(engine, 0, &rest, &error), WW_OK);
    assert_true(rest.rests);
    ww_engine_free(engine);
    small_problem_free(&small);
}

static void test_rest_waits_for_samples_left_out(void **state)
{
    (void)state;
    for (int engine = 0; engine < ENGINES; engine++)
        wait_for_last(engines[engine]);
}

int main(int count, char **words)
{
    MPI_Init(&count, &words);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hinge_one_by_one),
        cmocka_unit_test(test_hinge_in_batches_of_relu),
        cmocka_unit_test(test_hinge_rests_in_a_local_minimum),
        cmocka_unit_test(test_hinge_of_both_layers),
        cmocka_unit_test(test_other_losses_of_both_layers),
        cmocka_unit_test(test_single_precision),
        cmocka_unit_test(test_full_batches),
        cmocka_unit_test(test_large_batches),
        cmocka_unit_test(test_rest_waits_for_samples_left_out),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
