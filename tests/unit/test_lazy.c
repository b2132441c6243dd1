// The engine `lazy` beside `dense`: the same weights after every step, and the same patterns at
// every step, over data, widths, sizes of weights and of steps, labels, ties and duplicates. By
// windows, by full steps, and by both in turns.
#include "cmocka_all.h"
#include "small_problem.h"
#include "train/lazy_full.h"

#include <stdio.h>
#include <string.h>

enum { PACKED = 48 }; // patterns in a number of the engine's state

typedef struct setting {
    int64_t train, dimension, width, steps;
    const char *rate, *std, *activation;
    const char *method; ///< of training, besides; NULL: full batches
    const char *loss;   ///< NULL: squared
    const char *output; ///< of the network; NULL: one output weight of +-1 for each unit
    int64_t classes;    ///< 0: two, and one output
    bool random, with_zero, with_twins;
} setting;

static void make(const setting *asked, const char *engine, small_problem *small)
{
    char width[64], network[256], training[256];
    (void)snprintf(width, sizeof width, "network.width=%lld", (long long)asked->width);
    (void)snprintf(network, sizeof network, "network.hidden.std=%s", asked->std);
    (void)snprintf(training, sizeof training, "training={engine: %s, rate: %s, steps: %lld%s}",
                   engine, asked->rate, (long long)asked->steps,
                   asked->method != NULL ? asked->method : "");
    const char *settings[8] = {"model=arora", width, network, training};
    size_t count = 4;
    if (asked->activation != NULL)
        settings[count++] = asked->activation;
    if (asked->loss != NULL)
        settings[count++] = asked->loss;
    if (asked->output != NULL)
        settings[count++] = asked->output;
    ww_error error = {0};
    if (!small_problem_make(small, MPI_COMM_SELF, settings, count, asked->train, 2,
                            asked->dimension, asked->classes > 0 ? asked->classes : 2, &error))
        fail_msg("%s", error.message);
    ww_samples *train = &small->data.train;
    const size_t row = (size_t)asked->dimension;
    for (int64_t s = 0; asked->random && s < train->count; s++)
        train->targets[s] = sin(37.0 * (double)(s * s)) > 0.0 ? 1.0 : -1.0;
    if (asked->with_zero) // all pre-activations are 0 forever
        memset(train->inputs + 2 * row, 0, row * sizeof(double));
    if (asked->with_twins) // with other labels
        for (int64_t s = 4; s < 8; s++)
            memcpy(train->inputs + (size_t)s * row, train->inputs, row * sizeof(double));
}

// Patterns of a tile in the engine's state against the weights before the step.
static int64_t check_patterns(const setting *asked, const small_problem *small,
                              const double *weights, int64_t first, int64_t units,
                              const double *state, int64_t *active)
{
    const int64_t n = asked->train, d = asked->dimension;
    const int64_t columns = ww_engine_state_columns(&small->problem);
    int64_t wrong = 0;
    for (int64_t unit = 0; unit < units; unit++)
        for (int64_t j = 0; j < n; j++) {
            const double p =
                small_dot(weights + (first + unit) * d, small->data.train.inputs + j * d, d);
            const uint64_t bits = (uint64_t)state[unit * columns + n + j / PACKED];
            const bool is_active = (bits >> j % PACKED & 1) != 0;
            const double size =
                sqrt(small_dot(weights + (first + unit) * d, weights + (first + unit) * d, d));
            wrong += is_active != (p >= 0.0) && fabs(p) > 1e-11 * (1.0 + size);
            *active += is_active;
        }
    return wrong;
}

static void compare_weights(ww_engine *engine, const ww_tiling *tiling, int64_t d,
                            const double *weights, double tolerance)
{
    double largest = 1.0;
    for (int64_t i = 0; i < tiling->width * d; i++)
        largest = fmax(largest, fabs(weights[i]));
    for (int64_t tile = 0; tile < tiling->tile_count; tile++) {
        const double *values = ww_engine_tile(engine, tile);
        const double *expected = weights + tile * tiling->tile_units * d;
        for (int64_t i = 0; i < ww_tile_size(tiling, tile) * d; i++)
            if (!(fabs(values[i] - expected[i]) <= tolerance * largest))
                fail_msg("a weight is %.17g, not %.17g", values[i], expected[i]);
    }
}

static void copy_weights(ww_engine *engine, const ww_tiling *tiling, int64_t d, double *weights)
{
    for (int64_t tile = 0; tile < tiling->tile_count; tile++)
        memcpy(weights + tile * tiling->tile_units * d, ww_engine_tile(engine, tile),
               (size_t)(ww_tile_size(tiling, tile) * d) * sizeof *weights);
}

// Which kind of steps there are.
enum { BY_WINDOWS, BY_FULL_STEPS, IN_TURNS, WAYS };

static double price_at(int way, int64_t step)
{
    enum { TURN = 5 };
    const bool is_full = way == BY_FULL_STEPS || (way == IN_TURNS && step / TURN % 2 == 1);
    return is_full ? (double)INFINITY : 0.0;
}

static void follow_by(const setting *asked, int way)
{
    small_problem plain, small;
    make(asked, "dense", &plain);
    make(asked, "lazy", &small);
    const ww_tiling *tiling = &small.problem.tiling;
    const int64_t d = asked->dimension;
    double *weights = calloc((size_t)(asked->width * d), sizeof *weights);
    ww_engine *dense = NULL, *lazy = NULL;
    ww_error error = {0};
    assert_non_null(weights);
    assert_int_equal(ww_engine_create(&plain.problem, &dense, &error), WW_OK);
    assert_int_equal(ww_engine_create(&small.problem, &lazy, &error), WW_OK);
    int64_t before = -1, changes = 0;
    for (int64_t step = 0; step < asked->steps; step++) {
        double losses[2] = {0.0};
        int64_t active = 0;
        copy_weights(dense, tiling, d, weights);
        ww_lazy_set_price(price_at(way, step));
        if (ww_engine_step(dense, 0, NULL, &losses[0], &error) != WW_OK ||
            ww_engine_step(lazy, 3, NULL, &losses[1], &error) != WW_OK)
            fail_msg("step %lld: %s", (long long)step, error.message);
        if (!(fabs(losses[1] - losses[0]) <= 1e-11 * (1.0 + fabs(losses[0]))))
            fail_msg("step %lld: the loss is %.17g, not %.17g", (long long)step, losses[1],
                     losses[0]);
        for (int64_t tile = 0; tile < tiling->tile_count; tile++)
            assert_int_equal(check_patterns(asked, &small, weights, tile * tiling->tile_units,
                                            ww_tile_size(tiling, tile),
                                            ww_engine_state_tile(lazy, tile), &active),
                             0);
        changes += before >= 0 && active != before;
        before = active;
        if (step % 7 == 0 || step == asked->steps - 1) {
            copy_weights(dense, tiling, d, weights);
            compare_weights(lazy, tiling, d, weights, 1e-10);
        }
    }
    assert_true(changes > 0);
    ww_engine_free(dense);
    ww_engine_free(lazy);
    free(weights);
    small_problem_free(&plain);
    small_problem_free(&small);
}

static void follow(const setting *asked)
{
    for (int way = 0; way < WAYS; way++)
        follow_by(asked, way);
}

static void test_grid(void **state)
{
    (void)state;
    static const char *const rates[] = {"0.0005", "0.004", "0.015"};
    static const char *const sizes[] = {"1", "0.1", "0.001"};
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            for (int random = 0; random < 2; random++) {
                const setting asked = {.train = 40 + 30 * (int64_t)i,
                                       .dimension = j == 1 ? 60 : 9,
                                       .width = j == 2 ? 300 : 130,
                                       .steps = 60,
                                       .rate = rates[i],
                                       .std = sizes[j],
                                       .random = random == 1};
                follow_by(&asked, BY_WINDOWS);
                follow_by(&asked, i == 1 ? BY_FULL_STEPS : IN_TURNS);
            }
}

static void test_leaky_units(void **state)
{
    (void)state;
    const char *const activations[] = {"network.activation={kind: leaky-relu, slope: 0.3}",
                                       "network.activation={kind: leaky-relu, slope: 0.95}"};
    for (int i = 0; i < 2; i++) {
        const setting asked = {.train = 70,
                               .dimension = 12,
                               .width = 200,
                               .steps = 80,
                               .rate = "0.01",
                               .std = "0.5",
                               .activation = activations[i],
                               .random = true};
        follow(&asked);
    }
}

/// Samples that are equal and pull apart; pre-activations that are exactly 0.
static void test_twins_and_ties(void **state)
{
    (void)state;
    const setting asked = {.train = 50,
                           .dimension = 7,
                           .width = 256,
                           .steps = 100,
                           .rate = "0.05",
                           .std = "0.2",
                           .random = true,
                           .with_zero = true,
                           .with_twins = true};
    follow(&asked);
}

/// Steps above 2 / lambda_max: patterns go to and fro, until the loss is out of all bounds.
static void test_unstable_steps(void **state)
{
    (void)state;
    const setting asked = {.train = 60,
                           .dimension = 10,
                           .width = 300,
                           .steps = 15,
                           .rate = "1.2",
                           .std = "1",
                           .random = true};
    follow(&asked);
}

/// More samples than are in a block, so that products are made in several.
static void test_several_blocks(void **state)
{
    (void)state;
    const setting asked = {.train = 1100,
                           .dimension = 20,
                           .width = 140,
                           .steps = 12,
                           .rate = "0.001",
                           .std = "1",
                           .random = true};
    follow(&asked);
}

/// Batches of samples, drawn in every way; also such as have a sample twice, and as hold them all.
static void test_batches(void **state)
{
    (void)state;
    const char *const methods[] = {
        ", method: sgd, batch: 4", ", method: sgd, batch: 1, sampling: sequential",
        ", method: sgd, batch: 16, sampling: replacement", ", method: sgd, batch: 60"};
    const char *const activations[] = {NULL, "network.activation={kind: leaky-relu, slope: 0.2}"};
    for (int i = 0; i < 4; i++)
        for (int leaky = 0; leaky < 2; leaky++) {
            const setting asked = {.train = 60,
                                   .dimension = 15,
                                   .width = 220,
                                   .steps = 150,
                                   .rate = i == 3 ? "0.02" : "0.05",
                                   .std = i == 2 ? "0.1" : "1",
                                   .activation = activations[leaky],
                                   .method = methods[i],
                                   .random = true};
            follow_by(&asked, BY_WINDOWS);
        }
}

/// The hinge loss, whose derivatives are there or not: until none is any more.
static void test_hinge_loss(void **state)
{
    (void)state;
    const char *const methods[] = {NULL, ", method: sgd, batch: 3"};
    const char *const activations[] = {NULL, "network.activation={kind: leaky-relu, slope: 0.1}"};
    for (int i = 0; i < 4; i++) {
        const setting asked = {.train = 50,
                               .dimension = 20,
                               .width = 160,
                               .steps = 200,
                               .rate = "0.05",
                               .std = "0.5",
                               .activation = activations[i % 2],
                               .method = methods[i / 2],
                               .loss = "loss=hinge",
                               .random = true};
        if (asked.method == NULL)
            follow(&asked);
        else
            follow_by(&asked, BY_WINDOWS);
    }
}

/// Several outputs, and output weights that are not +-1: of any length, and some of 0.
static void test_several_outputs(void **state)
{
    (void)state;
    const char *const losses[] = {"loss=cross-entropy", "loss=squared"};
    const char *const outputs[] = {"network.output={kind: gaussian}",
                                   "network.output={kind: signs}"};
    const char *const activations[] = {NULL, "network.activation={kind: leaky-relu, slope: 0.2}"};
    const int64_t classes[] = {3, 10, 2};
    for (int i = 0; i < 12; i++) {
        const setting asked = {.train = 40 + 7 * (int64_t)i,
                               .dimension = i % 3 == 1 ? 60 : 12,
                               .width = 130 + 20 * (int64_t)i,
                               .steps = 60,
                               .rate = i % 2 == 0 ? "0.05" : "0.01",
                               .std = i / 6 == 0 ? "1" : "0.1",
                               .loss = losses[i % 2],
                               .output = outputs[i / 2 % 2],
                               .activation = activations[i / 4 % 2],
                               .classes = classes[i % 3],
                               .with_zero = i % 5 == 0,
                               .with_twins = i % 4 == 0};
        follow_by(&asked, BY_WINDOWS);
        follow_by(&asked, i % 2 == 0 ? BY_FULL_STEPS : IN_TURNS);
    }
}

static void refuse(const char *one, const char *other, int64_t classes, const char *said)
{
    const char *const settings[] = {"model=arora", "training.engine=lazy", one, other};
    small_problem small;
    ww_error error = {0};
    assert_false(small_problem_make(&small, MPI_COMM_SELF, settings, 4, 20, 2, 5, classes, &error));
    if (strstr(error.message, said) == NULL)
        fail_msg("\"%s\" is not in: %s", said, error.message);
    small_problem_free(&small);
}

static void test_refusals(void **state)
{
    (void)state;
    static const char gaussian[] = "network.output.kind=gaussian", none[] = "seed=1",
                      other[] = "name=other";
    refuse("training.method=sgd", none, 3,
           "which by batches is for one output, but the data have 3");
    refuse(none, other, 65, "which is for up to 64 outputs, but the data have 65");
    refuse("network.train_output=true", none, 2, "is not for network.train_output: true");
    refuse("precision=single", none, 2, "is not for precision: single");
    refuse(gaussian, "training.method=sgd", 2,
           "is not for network.output.kind: gaussian with training.method: sgd");
    refuse(gaussian, "loss=hinge", 2, "is not for network.output.kind: gaussian with loss: hinge");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grid),           cmocka_unit_test(test_leaky_units),
        cmocka_unit_test(test_twins_and_ties), cmocka_unit_test(test_unstable_steps),
        cmocka_unit_test(test_several_blocks), cmocka_unit_test(test_batches),
        cmocka_unit_test(test_hinge_loss),     cmocka_unit_test(test_several_outputs),
        cmocka_unit_test(test_refusals),
    };
    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
