// Antisymmetric pairs: outputs that are exactly 0 at the start, whatever the shape.

#include "cmocka_all.h"
#include "small_problem.h"

#include "train/kernels.h"
#include "widthwise/measure.h"
#include "widthwise/network.h"
#include "widthwise/random.h"

#include <string.h>

static ww_config paired(int64_t width, ww_output output)
{
    return (ww_config){.seeds = {.weights = 5},
                       .network = {.width = width,
                                   .hidden = {.std = 0.37, .pairs = WW_PAIRS_ANTISYMMETRIC},
                                   .output = {.kind = output, .scale = 1.3}}};
}

// Weights of any piece are those of the whole: pieces begin at odd units too.
static void test_weights_come_in_pairs(void **state)
{
    (void)state;
    enum { UNITS = 40, D = 7, K = 3 };
    for (int kind = WW_OUTPUT_GAUSSIAN; kind <= WW_OUTPUT_SIGNS; kind++) {
        const ww_config config = paired(UNITS, (ww_output)kind);
        double hidden[UNITS * D];
        double output[UNITS * K];
        ww_drawn_hidden_weights(&config, D, 0, UNITS, hidden);
        ww_drawn_output_weights(&config, K, 0, UNITS, output);
        for (int64_t unit = 0; unit < UNITS; unit += 2) {
            assert_memory_equal(hidden + unit * D, hidden + (unit + 1) * D, D * sizeof(double));
            for (int64_t i = 0; i < K; i++)
                assert_true(output[unit * K + i] == -output[(unit + 1) * K + i]);
        }
        assert_memory_not_equal(hidden, hidden + (ptrdiff_t)2 * D, D * sizeof(double));
        for (int64_t first = 0; first < 6; first++) {
            double piece[9 * D];
            ww_drawn_hidden_weights(&config, D, first, 9, piece);
            assert_memory_equal(piece, hidden + first * D, sizeof piece);
            ww_drawn_output_weights(&config, K, first, 9, piece);
            assert_memory_equal(piece, output + first * K, 9 * K * sizeof(double));
        }
        // The even units are those of a network without pairs.
        ww_config plain = config;
        plain.network.hidden.pairs = WW_PAIRS_NONE;
        double alone[UNITS * D];
        ww_drawn_hidden_weights(&plain, D, 0, UNITS, alone);
        assert_memory_equal(alone + (ptrdiff_t)8 * D, hidden + (ptrdiff_t)8 * D,
                            D * sizeof(double));
    }
}

// Outputs of one tile by the kernels, for one shape.
static void expect_zero(int64_t units, int64_t dimension, int64_t samples, int64_t k, double slope)
{
    const ww_config config = paired(units, WW_OUTPUT_GAUSSIAN);
    const size_t pairs = (size_t)(units * samples);
    double *weights = malloc((size_t)(units * dimension) * sizeof(double));
    double *output_weights = malloc((size_t)(units * k) * sizeof(double));
    double *inputs = malloc((size_t)(samples * dimension) * sizeof(double));
    double *hidden = malloc(pairs * sizeof(double));
    double *outputs = malloc(ww_kernel_output_room(true, samples, k) * sizeof(double));
    uint8_t *active = malloc(pairs);
    ww_drawn_hidden_weights(&config, dimension, 0, units, weights);
    ww_drawn_output_weights(&config, k, 0, units, output_weights);
    ww_normals((ww_stream){.seed = 3, .purpose = WW_DRAW_TRAIN_INPUTS}, 0,
               (size_t)(samples * dimension), inputs);
    ww_kernel_preactivations(true, weights, units, inputs, samples, dimension, hidden);
    ww_activate(slope, hidden, pairs, active);
    ww_kernel_outputs(true, hidden, output_weights, units, samples, k, outputs);
    for (int64_t i = 0; i < samples * k; i++)
        if (outputs[i] != 0.0)
            fail_msg("%g from %d units, d = %d, %d samples, k = %d", outputs[i], (int)units,
                     (int)dimension, (int)samples, (int)k);
    free(weights);
    free(output_weights);
    free(inputs);
    free(hidden);
    free(outputs);
    free(active);
}

static void test_outputs_of_every_shape_are_zero(void **state)
{
    (void)state;
    static const int64_t units[] = {2, 4, 6, 14, 22, 50, 62, 90, 126, 128, 256};
    static const int64_t dimensions[] = {1, 2, 3, 4, 5, 7, 9, 16, 31, 100, 257, 784};
    static const int64_t samples[] = {1, 2, 3, 4, 5, 8, 13, 33, 100, 511, 512};
    static const int64_t outputs[] = {1, 2, 3, 10};
    for (size_t u = 0; u < sizeof units / sizeof *units; u++)
        for (size_t d = 0; d < sizeof dimensions / sizeof *dimensions; d++)
            for (size_t s = 0; s < sizeof samples / sizeof *samples; s++)
                for (size_t k = 0; k < sizeof outputs / sizeof *outputs; k++)
                    if (k == 0 || (d + s + k) % 4 == 0) // all with one output, some with more
                        expect_zero(units[u], dimensions[d], samples[s], outputs[k],
                                    (s + d) % 2 == 0 ? 0.0 : 0.3);
}

// The same through the engine's step and a survey: the whole network, several tiles and blocks.
static void expect_zero_network(const char *width, int64_t dimension, const char *kappa)
{
    const char *const settings[] = {
        "model=arora",
        width,
        kappa,
        "network.hidden.pairs=antisymmetric",
        "data.train=700",
        "data.test=30",
        "measure.quantities=[loss, residual, train_outputs, test_outputs, "
        "pseudo_network_deviation]"};
    small_problem small;
    ww_error error = {0};
    if (!small_problem_make(&small, MPI_COMM_SELF, settings, sizeof settings / sizeof *settings,
                            700, 30, dimension, 2, &error))
        fail_msg("%s", error.message);
    ww_measure_plan *plan = NULL;
    ww_engine *engine = NULL;
    ww_batches *batches = NULL;
    if (ww_measure_plan_make(small.problem.config, &small.data, &plan, &error) != WW_OK)
        fail_msg("%s", error.message);
    assert_int_equal(ww_measure_values(plan), 3 + 700 + 30);
    assert_int_equal(ww_engine_create(&small.problem, &engine, &error), WW_OK);
    assert_int_equal(ww_batches_create(&small.problem, &batches, &error), WW_OK);
    double *values = calloc((size_t)ww_measure_values(plan), sizeof *values);
    double carry[8];
    ww_measure_carry_start(plan, carry);
    assert_int_equal(
        ww_measure_record(plan, &small.problem, NULL, engine, batches, carry, values, &error),
        WW_OK);
    assert_true(ww_measure_value(plan, values, "loss") == 350.0);
    assert_true(ww_measure_value(plan, values, "residual") == sqrt(700.0));
    assert_true(ww_measure_value(plan, values, "pseudo_network_deviation") == 0.0);
    assert_true(isnan(ww_measure_value(plan, values, "train_outputs"))); // no number
    for (int64_t i = 3; i < ww_measure_values(plan); i++)
        assert_true(values[i] == 0.0);
    double loss = 0.0;
    int64_t requests = 0;
    assert_int_equal(ww_engine_step(engine, 0, &requests, &loss, &error), WW_OK);
    assert_true(loss == 350.0);
    // Then the network moves.
    assert_int_equal(
        ww_measure_record(plan, &small.problem, NULL, engine, batches, carry, values, &error),
        WW_OK);
    assert_true(ww_measure_value(plan, values, "loss") != 350.0);
    free(values);
    ww_batches_free(batches);
    ww_engine_free(engine);
    ww_measure_plan_free(plan);
    small_problem_free(&small);
}

static void test_networks_begin_at_zero(void **state)
{
    (void)state;
    expect_zero_network("network.width=2", 3, "network.hidden.std=1");
    expect_zero_network("network.width=128", 17, "network.hidden.std=1e-2");
    expect_zero_network("network.width=390", 9, "network.hidden.std=1e6");
    expect_zero_network("network.width=1000", 1, "network.hidden.std=1e-30");
}

int main(int count, char **words)
{
    MPI_Init(&count, &words);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weights_come_in_pairs),
        cmocka_unit_test(test_outputs_of_every_shape_are_zero),
        cmocka_unit_test(test_networks_begin_at_zero),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
