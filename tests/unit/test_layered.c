// Networks of several hidden layers against one written with plain loops: outputs, gradients of
// every layer, inner products between samples, and what a step does.

#include "cmocka_all.h"
#include "plain_layers.h"
#include "small_problem.h"

#include "train/kernels.h"
#include "train/layered.h"

#include <stdio.h>
#include <string.h>

enum { WIDTH = 141, DIMENSION = 6, TRAIN = 12, BATCH = 5 };

static void start(small_problem *small, int64_t depth, const char *loss, const char *const *more,
                  size_t count)
{
    char depth_setting[64], loss_setting[64];
    (void)snprintf(depth_setting, sizeof depth_setting, "network.depth=%lld", (long long)depth);
    (void)snprintf(loss_setting, sizeof loss_setting, "loss=%s", loss);
    const char *settings[24] = {"model=zou-gu",
                                "data.source=mixture",
                                "data.train=12",
                                "network.width=141",
                                "network.train_output=true",
                                "training={method: sgd, batch: 5, engine: layers}",
                                "measure.quantities=[loss]",
                                depth_setting,
                                loss_setting};
    size_t settings_count = 9;
    for (size_t i = 0; i < count; i++)
        settings[settings_count++] = more[i];
    ww_error error = {0};
    if (!small_problem_make(small, MPI_COMM_SELF, settings, settings_count, TRAIN, 5, DIMENSION,
                            strcmp(loss, "hinge") == 0 ? 2 : 3, &error))
        fail_msg("%s", error.message);
}

static void first_batch(const ww_problem *problem, int64_t *indices)
{
    ww_batches *batches = NULL;
    ww_error error = {0};
    assert_int_equal(ww_batches_create(problem, &batches, &error), WW_OK);
    ww_batches_at(batches, 0, indices);
    ww_batches_free(batches);
}

// Weights [m, columns] of a layer as they are.
static double *weights_of(ww_engine *engine, const ww_problem *problem, int64_t layer)
{
    const int64_t columns = ww_layer_columns(problem, layer);
    double *weights = calloc((size_t)(problem->tiling.width * columns), sizeof(double));
    for (int64_t tile = 0; tile < problem->tiling.tile_count; tile++)
        memcpy(weights + tile * problem->tiling.tile_units * columns,
               ww_engine_layer_tile(engine, layer, tile),
               (size_t)(ww_tile_size(&problem->tiling, tile) * columns) * sizeof(double));
    return weights;
}

// Largest difference of a step's change from -eta times the gradient, relative to the largest of
// it.
static double worst_change(const double *after, const long double *before,
                           const long double *gradient, int64_t count, double rate)
{
    long double worst = 0.0L, largest = 0.0L;
    for (int64_t i = 0; i < count; i++) {
        const long double change = -(long double)rate * gradient[i];
        worst = fmaxl(worst, fabsl((long double)after[i] - before[i] - change));
        largest = fmaxl(largest, fabsl(change));
    }
    assert_true(largest > 0.0L);
    return (double)(worst / largest);
}

// A step with a rate so large that what it changes is not lost in the weights.
static void compare_step(int64_t depth, const char *loss, bool is_leaky, const char *precision,
                         double tolerance)
{
    const char *more[] = {is_leaky ? "network.activation={kind: leaky-relu, slope: 0.3}"
                                   : "network.activation.kind=relu",
                          precision, "training={rate_scaling: none, rate: 10}"};
    small_problem small;
    start(&small, depth, loss, more, 3);
    const ww_problem *problem = &small.problem;
    plain_layers plain;
    plain_make(&plain, problem);
    ww_engine *engine = NULL;
    ww_error error = {0};
    assert_int_equal(ww_engine_create(problem, &engine, &error), WW_OK);
    int64_t indices[BATCH];
    first_batch(problem, indices);
    const double expected = (double)plain_gradients(&plain, indices, BATCH);
    double batch_loss = 0.0;
    if (ww_engine_step(engine, 0, NULL, &batch_loss, &error) != WW_OK)
        fail_msg("%s", error.message);
    assert_true(fabs(batch_loss - expected) <= tolerance * expected);
    for (int64_t layer = 1; layer <= depth; layer++) {
        double *after = weights_of(engine, problem, layer);
        const double worst = worst_change(after, plain.hidden[layer - 1], plain.gradient[layer - 1],
                                          WIDTH * ww_layer_columns(problem, layer), 10.0);
        if (!(worst < tolerance))
            fail_msg("layer %d of %d, loss %s: relative error %g", (int)layer, (int)depth, loss,
                     worst);
        free(after);
    }
    assert_true(worst_change(ww_engine_output_weights(engine), plain.output, plain.output_gradient,
                             WIDTH * problem->outputs, 10.0) < tolerance);
    ww_engine_free(engine);
    plain_free(&plain);
    small_problem_free(&small);
}

static const int64_t depths[] = {1, 2, 3, 5};
static const char *const losses[] = {"squared", "cross-entropy", "hinge"};

static void test_steps_against_plain_loops(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < 3; j++)
            for (int is_leaky = 0; is_leaky < 2; is_leaky++) {
                compare_step(depths[i], losses[j], is_leaky, "precision=double", 1e-13);
                compare_step(depths[i], losses[j], is_leaky, "precision=single", 2e-5);
            }
}

// The plain gradients, of which the test above makes use, against differences of the plain loss.
static void compare_differences(int64_t depth, const char *loss, bool is_leaky)
{
    static const long double step = 1e-7L;
    const char *more[] = {is_leaky ? "network.activation={kind: leaky-relu, slope: 0.3}"
                                   : "network.activation.kind=relu"};
    small_problem small;
    start(&small, depth, loss, more, 1);
    plain_layers plain;
    plain_make(&plain, &small.problem);
    int64_t indices[BATCH];
    first_batch(&small.problem, indices);
    (void)plain_gradients(&plain, indices, BATCH);
    for (int64_t layer = 1; layer <= depth + 1; layer++) { // the last of them are output weights
        const bool is_output = layer > depth;
        const int64_t count =
            WIDTH * (is_output ? plain.k : ww_layer_columns(&small.problem, layer));
        long double *weights = is_output ? plain.output : plain.hidden[layer - 1];
        const long double *gradient = is_output ? plain.output_gradient : plain.gradient[layer - 1];
        long double largest = 0.0L;
        for (int64_t i = 0; i < count; i++)
            largest = fmaxl(largest, fabsl(gradient[i]));
        assert_true(largest > 0.0L);
        for (int64_t i = 3; i < count; i += count / 12) {
            const long double kept = weights[i];
            weights[i] = kept + step;
            const long double above = plain_loss(&plain, indices, BATCH);
            weights[i] = kept - step;
            const long double below = plain_loss(&plain, indices, BATCH);
            weights[i] = kept;
            const long double difference = (above - below) / (2.0L * step);
            if (!(fabsl(difference - gradient[i]) < 1e-9L * largest))
                fail_msg("layer %d of %d, loss %s: %Lg is not %Lg", (int)layer, (int)depth, loss,
                         gradient[i], difference);
        }
    }
    plain_free(&plain);
    small_problem_free(&small);
}

static void test_gradients_against_differences(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < 3; j++)
            compare_differences(depths[i], losses[j], (i + j) % 2 == 1);
}

// ---- inner products -----------------------------------------------------------------------------

static void forward_and_back(ww_layered *network, ww_layered_block *block,
                             const ww_problem *problem, int64_t first, int64_t samples,
                             const double *gradients)
{
    ww_error error = {0};
    ww_output_sum sum;
    assert_int_equal(ww_output_sum_create(&sum, problem, samples, &error), WW_OK);
    const double *inputs = problem->data->train.inputs + first * problem->dimension;
    assert_int_equal(ww_layered_forward(network, block, inputs, samples, &sum, 0, &error), WW_OK);
    assert_int_equal(ww_layered_backward(network, block, gradients, &error), WW_OK);
    ww_output_sum_free(&sum);
}

// Derivatives of one output by the pre-activations of a sample, and activations, kept by layer.
typedef struct kept_sample {
    long double *derivatives[PLAIN_MOST_LAYERS], *inputs[PLAIN_MOST_LAYERS];
} kept_sample;

static void compare_products(const char *precision, double tolerance)
{
    enum { DEPTH = 3, LEFT = 4, RIGHT = 7 };
    const char *more[] = {precision, "network.activation={kind: leaky-relu, slope: 0.1}"};
    small_problem small;
    start(&small, DEPTH, "squared", more, 2);
    const ww_problem *problem = &small.problem;
    ww_error error = {0};
    ww_layered *network = NULL;
    ww_layered_block *left = NULL, *right = NULL;
    assert_int_equal(ww_layered_create(problem, &network, &error), WW_OK);
    assert_int_equal(ww_layered_block_create(problem, LEFT, true, &left, &error), WW_OK);
    assert_int_equal(ww_layered_block_create(problem, RIGHT, true, &right, &error), WW_OK);
    ww_layered_pairs *pairs = NULL;
    assert_int_equal(ww_layered_pairs_create(problem, RIGHT, &pairs, &error), WW_OK);
    // Samples whose gradients differ by many orders of magnitude, and one that has none.
    double gradients[(LEFT + RIGHT) * 3] = {0.0};
    for (int64_t s = 0; s < LEFT + RIGHT; s++)
        for (int64_t j = 0; j < 3; j++)
            gradients[s * 3 + j] = s == 2 ? 0.0 : ldexp(cos((double)(s * 3 + j)), -3 * (int)s);
    forward_and_back(network, left, problem, 0, LEFT, gradients);
    forward_and_back(network, right, problem, LEFT, RIGHT, gradients + (size_t)LEFT * 3);

    plain_layers plain;
    plain_make(&plain, problem);
    kept_sample kept[LEFT + RIGHT];
    for (int64_t s = 0; s < LEFT + RIGHT; s++) {
        long double outputs[3];
        plain_outputs(&plain, problem->data->train.inputs + s * DIMENSION, outputs);
        for (int64_t layer = DEPTH; layer >= 1; layer--) {
            kept[s].derivatives[layer - 1] = plain_zeroes(WIDTH);
            kept[s].inputs[layer - 1] = plain_zeroes(WIDTH);
            memcpy(kept[s].inputs[layer - 1], plain.activations[layer - 1],
                   (size_t)plain_columns(&plain, layer) * sizeof(long double));
            for (int64_t unit = 0; unit < WIDTH; unit++) {
                long double total = 0.0L;
                for (int64_t j = 0; layer == DEPTH && j < 3; j++)
                    total += plain.output[unit * 3 + j] * gradients[s * 3 + j];
                for (int64_t j = 0; layer < DEPTH && j < WIDTH; j++)
                    total += plain.hidden[layer][j * WIDTH + unit] * kept[s].derivatives[layer][j];
                kept[s].derivatives[layer - 1][unit] =
                    total * plain_slope(&plain, plain.activations[layer][unit]);
            }
        }
    }
    for (int64_t layer = 1; layer <= DEPTH; layer++) {
        double derivatives[LEFT * RIGHT], inputs[LEFT * RIGHT];
        assert_int_equal(
            ww_layered_products(network, pairs, left, right, layer, derivatives, inputs, &error),
            WW_OK);
        for (int64_t i = 0; i < LEFT; i++)
            for (int64_t j = 0; j < RIGHT; j++) {
                long double product = 0.0L, norms[2] = {0.0L, 0.0L}, input = 0.0L;
                const long double *a = kept[i].derivatives[layer - 1];
                const long double *b = kept[LEFT + j].derivatives[layer - 1];
                for (int64_t unit = 0; unit < WIDTH; unit++) {
                    product += a[unit] * b[unit];
                    norms[0] += a[unit] * a[unit];
                    norms[1] += b[unit] * b[unit];
                    input +=
                        kept[i].inputs[layer - 1][unit] * kept[LEFT + j].inputs[layer - 1][unit];
                }
                const long double size = sqrtl(norms[0] * norms[1]);
                assert_true(fabsl(derivatives[i * RIGHT + j] - product) <= tolerance * size);
                assert_true(fabsl(inputs[i * RIGHT + j] - input) <= tolerance * fabsl(input));
            }
    }
    // Patterns are those of the samples.
    for (int64_t layer = 1; layer <= DEPTH; layer++) {
        const uint8_t *patterns = ww_layered_patterns(right, layer);
        for (int64_t s = 0; s < RIGHT; s++) {
            long double outputs[3];
            plain_outputs(&plain, problem->data->train.inputs + (LEFT + s) * DIMENSION, outputs);
            for (int64_t unit = 0; unit < WIDTH; unit++)
                assert_int_equal(patterns[unit * RIGHT + s],
                                 plain.activations[layer][unit] >= 0.0L);
        }
    }
    for (int64_t s = 0; s < LEFT + RIGHT; s++)
        for (int64_t i = 0; i < DEPTH; i++) {
            free(kept[s].derivatives[i]);
            free(kept[s].inputs[i]);
        }
    plain_free(&plain);
    ww_layered_pairs_free(pairs);
    ww_layered_block_free(left);
    ww_layered_block_free(right);
    ww_layered_free(network);
    small_problem_free(&small);
}

static void test_products_between_samples(void **state)
{
    (void)state;
    compare_products("precision=double", 1e-13);
    compare_products("precision=single", 1e-5);
}

// A pre-activation of 0 counts as positive: of every unit, for a sample that is 0.
static void test_patterns_of_zero(void **state)
{
    (void)state;
    const char *const precisions[] = {"precision=double", "precision=single"};
    for (int which = 0; which < 2; which++) {
        enum { DEPTH = 2, SAMPLES = 3 };
        small_problem small;
        start(&small, DEPTH, "squared", &precisions[which], 1);
        const ww_problem *problem = &small.problem;
        double *zero = small.data.train.inputs + (ptrdiff_t)DIMENSION; // the second sample
        memset(zero, 0, DIMENSION * sizeof *zero);
        ww_error error = {0};
        ww_layered *network = NULL;
        ww_layered_block *block = NULL;
        const double gradients[SAMPLES * 3] = {1.0};
        assert_int_equal(ww_layered_create(problem, &network, &error), WW_OK);
        assert_int_equal(ww_layered_block_create(problem, SAMPLES, true, &block, &error), WW_OK);
        forward_and_back(network, block, problem, 0, SAMPLES, gradients);
        for (int64_t layer = 1; layer <= DEPTH; layer++) {
            const uint8_t *patterns = ww_layered_patterns(block, layer);
            int64_t active = 0;
            for (int64_t unit = 0; unit < WIDTH; unit++) {
                assert_int_equal(patterns[unit * SAMPLES + 1], 1);
                active += patterns[unit * SAMPLES];
            }
            assert_in_range(active, 1, WIDTH - 1); // of another sample some are not
        }
        ww_layered_block_free(block);
        ww_layered_free(network);
        small_problem_free(&small);
    }
}

// ---- blocks -------------------------------------------------------------------------------------

// A batch of several blocks has the same bits whether they are in memory together or one at a time.
static void test_blocks_one_at_a_time(void **state)
{
    (void)state;
    enum { SAMPLES = 1300, STEPS = 3 };
    for (int single = 0; single < 2; single++) {
        const char *settings[] = {"model=zou-gu",
                                  "data.source=mixture",
                                  "data.train=1300",
                                  "network={width: 70, depth: 3, train_output: true}",
                                  "measure.quantities=[loss]",
                                  single ? "precision=single" : "precision=double"};
        small_problem small;
        ww_error error = {0};
        ww_engine *engines[2];
        if (!small_problem_make(&small, MPI_COMM_SELF, settings, 6, SAMPLES, 5, DIMENSION, 2,
                                &error))
            fail_msg("%s", error.message);
        ww_problem together = small.problem;
        together.tracks_layers = true; // which takes all of them at once
        assert_int_equal(ww_engine_create(&small.problem, &engines[0], &error), WW_OK);
        assert_int_equal(ww_engine_create(&together, &engines[1], &error), WW_OK);
        assert_true(ww_engine_cost_of(&small.problem).work < ww_engine_cost_of(&together).work);
        for (int64_t step = 0; step < STEPS; step++) {
            double loss[2] = {0.0};
            for (int i = 0; i < 2; i++)
                if (ww_engine_step(engines[i], 0, NULL, &loss[i], &error) != WW_OK)
                    fail_msg("%s", error.message);
            assert_true(loss[0] == loss[1]);
        }
        for (int64_t layer = 1; layer <= 3; layer++) {
            double *a = weights_of(engines[0], &small.problem, layer);
            double *b = weights_of(engines[1], &small.problem, layer);
            assert_memory_equal(a, b, (size_t)(70 * ww_layer_columns(&small.problem, layer)) * 8);
            free(a);
            free(b);
        }
        assert_memory_equal(ww_engine_output_weights(engines[0]),
                            ww_engine_output_weights(engines[1]), 70 * sizeof(double));
        ww_engine_free(engines[0]);
        ww_engine_free(engines[1]);
        small_problem_free(&small);
    }
}

// Weights that are handed over tile by tile are those that are read, and training goes on from
// them; divergence is one.
static void test_restoring(void **state)
{
    (void)state;
    for (int single = 0; single < 2; single++) {
        const char *more[] = {single ? "precision=single" : "precision=double"};
        small_problem small;
        start(&small, 3, "squared", more, 1);
        const ww_problem *problem = &small.problem;
        ww_engine *first = NULL, *second = NULL;
        ww_error error = {0};
        double loss[2] = {0.0};
        assert_int_equal(ww_engine_create(problem, &first, &error), WW_OK);
        assert_int_equal(ww_engine_create(problem, &second, &error), WW_OK);
        for (int64_t step = 0; step < 4; step++)
            assert_int_equal(ww_engine_step(first, 0, NULL, &loss[0], &error), WW_OK);
        for (int64_t layer = 1; layer <= 3; layer++)
            for (int64_t tile = 0; tile < problem->tiling.tile_count; tile++)
                ww_engine_put_layer_tile(second, layer, tile,
                                         ww_engine_layer_tile(first, layer, tile));
        memcpy(ww_engine_output_storage(second), ww_engine_output_weights(first),
               (size_t)(WIDTH * problem->outputs) * sizeof(double));
        assert_int_equal(ww_engine_restored(second, 4, &error), WW_OK);
        for (int64_t step = 0; step < 3; step++) {
            assert_int_equal(ww_engine_step(first, 0, NULL, &loss[0], &error), WW_OK);
            assert_int_equal(ww_engine_step(second, 0, NULL, &loss[1], &error), WW_OK);
            assert_true(loss[0] == loss[1]);
        }
        ww_engine_free(first);
        ww_engine_free(second);
        small_problem_free(&small);
    }
}

static void test_divergence(void **state)
{
    (void)state;
    for (int single = 0; single < 2; single++) {
        const char *more[] = {single ? "precision=single" : "precision=double",
                              "training={rate_scaling: none, rate: 1e6}"};
        small_problem small;
        start(&small, 3, "squared", more, 2);
        ww_engine *engine = NULL;
        ww_error error = {0};
        double loss = 0.0;
        assert_int_equal(ww_engine_create(&small.problem, &engine, &error), WW_OK);
        ww_status status = WW_OK;
        for (int64_t step = 0; step < 20 && status == WW_OK; step++)
            status = ww_engine_step(engine, 0, NULL, &loss, &error);
        assert_int_equal(status, WW_DIVERGED);
        assert_non_null(strstr(error.message, "training diverged at step"));
        ww_engine_free(engine);
        small_problem_free(&small);
    }
}

int main(int count, char **words)
{
    MPI_Init(&count, &words);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps_against_plain_loops),
        cmocka_unit_test(test_gradients_against_differences),
        cmocka_unit_test(test_products_between_samples),
        cmocka_unit_test(test_patterns_of_zero),
        cmocka_unit_test(test_blocks_one_at_a_time),
        cmocka_unit_test(test_restoring),
        cmocka_unit_test(test_divergence),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
