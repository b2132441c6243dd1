// Networks of several hidden layers have the same bits on all ranks together as on one rank alone:
// weights of every layer, tracks of steps, inner products between samples, and divergence.

#include "cmocka_all.h"
#include "small_problem.h"

#include "train/layered_inside.h"

#include <string.h>

enum { DIMENSION = 7, TRAIN = 40, STEPS = 3, MOST_LAYERS = 3, MOST_SETTINGS = 12 };

typedef struct outcome {
    double *hidden[MOST_LAYERS]; // W_l of the tiles this rank owns; the rest is 0
    double *output;              // likewise
    double *carry;
    double losses[STEPS];
    double *derivatives, *inputs; // of the last layer but one, between the first samples
} outcome;

static double *zeroes(int64_t count)
{
    return calloc((size_t)count, sizeof(double));
}

static void collect(ww_engine *engine, const ww_problem *problem, outcome *result)
{
    const ww_tiling *tiling = &problem->tiling;
    for (int64_t layer = 1; layer <= problem->depth; layer++) {
        const int64_t columns = ww_layer_columns(problem, layer);
        result->hidden[layer - 1] = zeroes(tiling->width * columns);
        for (int64_t i = 0; i < tiling->local_tiles; i++) {
            const int64_t tile = tiling->first_tile + i;
            memcpy(result->hidden[layer - 1] + tile * tiling->tile_units * columns,
                   ww_engine_layer_tile(engine, layer, tile),
                   (size_t)(ww_tile_size(tiling, tile) * columns) * sizeof(double));
        }
    }
    result->output = zeroes(tiling->width * problem->outputs);
    memcpy(result->output + tiling->first_unit * problem->outputs, ww_engine_output_weights(engine),
           (size_t)(tiling->local_units * problem->outputs) * sizeof(double));
    result->carry = zeroes((int64_t)ww_engine_carry_words(problem) + 1);
    ww_engine_carry_save(engine, result->carry);
}

enum { LEFT = 5, RIGHT = 11 };

// Through the engine's network, on samples of its own.
static void multiply(ww_engine *engine, const ww_problem *problem, outcome *result)
{
    ww_layered *network = ww_engine_network(engine);
    ww_layered_block *blocks[2] = {NULL, NULL};
    static const int64_t counts[2] = {LEFT, RIGHT};
    ww_error error = {0};
    for (int i = 0; i < 2; i++) {
        ww_output_sum sum;
        double gradients[RIGHT * 4];
        for (int64_t j = 0; j < RIGHT * 4; j++)
            gradients[j] = ldexp(cos((double)j), -(int)j);
        assert_int_equal(ww_output_sum_create(&sum, problem, counts[i], &error), WW_OK);
        assert_int_equal(ww_layered_block_create(problem, counts[i], true, &blocks[i], &error),
                         WW_OK);
        assert_int_equal(
            ww_layered_forward(network, blocks[i],
                               problem->data->train.inputs + 3 * i * problem->dimension, counts[i],
                               &sum, 0, &error),
            WW_OK);
        assert_int_equal(ww_layered_backward(network, blocks[i], gradients, &error), WW_OK);
        ww_output_sum_free(&sum);
    }
    ww_layered_pairs *pairs = NULL;
    assert_int_equal(ww_layered_pairs_create(problem, LEFT > RIGHT ? LEFT : RIGHT, &pairs, &error),
                     WW_OK);
    result->derivatives = zeroes(LEFT * RIGHT * problem->depth);
    result->inputs = zeroes(LEFT * RIGHT * problem->depth);
    for (int64_t layer = 1; layer <= problem->depth; layer++)
        assert_int_equal(ww_layered_products(network, pairs, blocks[0], blocks[1], layer,
                                             result->derivatives + (layer - 1) * LEFT * RIGHT,
                                             result->inputs + (layer - 1) * LEFT * RIGHT, &error),
                         WW_OK);
    ww_layered_pairs_free(pairs);
    ww_layered_block_free(blocks[0]);
    ww_layered_block_free(blocks[1]);
}

// Leaves room for the sums of so many pieces of a layer only: the rest goes in groups.
static void restrict_sums(ww_engine *engine, int64_t pieces, int64_t samples)
{
    ww_layered *network = ww_engine_network(engine);
    const int64_t room = pieces * network->methods->piece * network->methods->words * samples;
    assert_true(room < network->word_room);
    network->word_room = room;
}

// With `pieces` above 0 sums are restricted.
static void train(MPI_Comm communicator, const char *const *settings, size_t count, int64_t samples,
                  int64_t pieces, outcome *result, ww_tiling *whole, int64_t *outputs,
                  size_t *words)
{
    small_problem small;
    ww_error error = {0};
    if (!small_problem_make(&small, communicator, settings, count, samples, 5, DIMENSION, 3,
                            &error))
        fail_msg("%s", error.message);
    ww_engine *engine = NULL;
    if (ww_engine_create(&small.problem, &engine, &error) != WW_OK)
        fail_msg("%s", error.message);
    if (pieces > 0)
        restrict_sums(engine, pieces, small.problem.batch);
    for (int64_t step = 0; step < STEPS; step++) {
        int64_t requests = 0;
        if (ww_engine_step(engine, 1, &requests, &result->losses[step], &error) != WW_OK)
            fail_msg("%s", error.message);
        assert_int_equal(requests, small.parallel.size);
    }
    collect(engine, &small.problem, result);
    multiply(engine, &small.problem, result);
    *whole = small.problem.tiling;
    *outputs = small.problem.outputs;
    *words = ww_engine_carry_words(&small.problem);
    ww_engine_free(engine);
    small_problem_free(&small);
}

// Of weights [units, columns] each rank has those of its tiles, and no other.
static bool are_same(const double *alone, const double *together, const ww_tiling *tiling,
                     int64_t columns)
{
    const int64_t first = tiling->first_unit * columns, count = tiling->local_units * columns;
    return memcmp(alone + first, together + first, (size_t)count * sizeof(double)) == 0;
}

static void free_outcome(outcome *result)
{
    for (int layer = 0; layer < MOST_LAYERS; layer++)
        free(result->hidden[layer]);
    free(result->output);
    free(result->carry);
    free(result->derivatives);
    free(result->inputs);
}

// All ranks together against one alone; for `groups` above 0 with room for the sums of 1 piece, and
// so on to so many.
static void compare_restricted(const char *const *settings, size_t count, int64_t depth,
                               int64_t samples, int64_t groups)
{
    outcome alone = {0};
    ww_tiling tiling;
    int64_t outputs = 0;
    size_t words = 0;
    train(MPI_COMM_SELF, settings, count, samples, 0, &alone, &tiling, &outputs, &words);
    assert_true(alone.losses[0] != alone.losses[STEPS - 1]);
    for (int64_t pieces = groups > 0; pieces <= groups; pieces++) {
        outcome together = {0};
        train(MPI_COMM_WORLD, settings, count, samples, pieces, &together, &tiling, &outputs,
              &words);
        assert_memory_equal(alone.losses, together.losses, sizeof alone.losses);
        assert_memory_equal(alone.carry, together.carry, words * sizeof(double));
        assert_memory_equal(alone.derivatives, together.derivatives,
                            (size_t)(LEFT * RIGHT * depth) * sizeof(double));
        assert_memory_equal(alone.inputs, together.inputs,
                            (size_t)(LEFT * RIGHT * depth) * sizeof(double));
        int all_same = are_same(alone.output, together.output, &tiling, outputs);
        for (int64_t layer = 1; layer <= depth; layer++)
            all_same &= are_same(alone.hidden[layer - 1], together.hidden[layer - 1], &tiling,
                                 layer == 1 ? DIMENSION : tiling.width);
        MPI_Allreduce(MPI_IN_PLACE, &all_same, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
        assert_true(all_same);
        free_outcome(&together);
    }
    free_outcome(&alone);
}

static void compare(const char *const *settings, size_t count, int64_t depth, int64_t samples)
{
    compare_restricted(settings, count, depth, samples, 0);
}

static const char *const precisions[] = {"precision=double", "precision=single"};

// 700 units: six tiles, the last of 60, so that of seven ranks one has none; two pieces.
static void test_two_layers(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        const char *const settings[] = {"model=zou-gu",
                                        "data.source=mixture",
                                        "data.train=40",
                                        "network={width: 700, depth: 2, train_output: true}",
                                        "training={method: sgd, batch: 9, rate: 0.3}",
                                        "measure.quantities=[trajectory_length]",
                                        precisions[i]};
        compare(settings, 7, 2, TRAIN);
    }
}

static void test_three_layers(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        const char *const gd[] = {"model=zou-gu",
                                  "data.source=mixture",
                                  "data.train=40",
                                  "network={width: 391, depth: 3}",
                                  "network.activation={kind: leaky-relu, slope: 0.1}",
                                  "measure.quantities=[loss]",
                                  "loss=cross-entropy",
                                  precisions[i]};
        compare(gd, 8, 3, TRAIN);
        const char *const single_samples[] = {"model=zou-gu",
                                              "data.source=mixture",
                                              "data.train=40",
                                              "network={width: 391, depth: 3}",
                                              "training={method: sgd, batch: 1}",
                                              "measure.quantities=[trajectory_length]",
                                              precisions[i]};
        compare(single_samples, 7, 3, TRAIN);
    }
}

// One tile: all ranks but the first have none.
static void test_few_units(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        const char *const settings[] = {"model=zou-gu",
                                        "data.source=mixture",
                                        "data.train=40",
                                        "network={width: 20, depth: 3, train_output: true}",
                                        "measure.quantities=[trajectory_length]",
                                        precisions[i]};
        compare(settings, 6, 3, TRAIN);
    }
}

// Two blocks of samples: in memory together, and one at a time.
static void test_large_batches(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        for (int tracks = 0; tracks < 2; tracks++) {
            const char *const settings[] = {"model=zou-gu",
                                            "data.source=mixture",
                                            "data.train=600",
                                            "network={width: 150, depth: 2, train_output: true}",
                                            tracks ? "measure.quantities=[trajectory_length]"
                                                   : "measure.quantities=[loss]",
                                            precisions[i]};
            compare(settings, 6, 2, 600);
        }
}

// Steps tracked by pairs of samples of two blocks, with sums for which there is not room at once;
// and of one layer by its columns.
static void test_tracks_of_two_blocks(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        const char *const pairs[] = {"model=zou-gu",
                                     "data.source=mixture",
                                     "data.train=540",
                                     "network={width: 520, depth: 3}",
                                     "measure.quantities=[trajectory_length]",
                                     precisions[i]};
        compare(pairs, 6, 3, 540);
        const char *const columns[] = {"model=zou-gu",
                                       "data.source=mixture",
                                       "data.train=540",
                                       "network={width: 520, depth: 1}",
                                       "training.engine=layers",
                                       "measure.quantities=[trajectory_length]",
                                       precisions[i]};
        compare(columns, 7, 1, 540);
    }
}

// Sums of two pieces or one at a time, where there are three of single and five of double
// precision.
static void test_sums_in_groups(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        const char *const settings[] = {"model=zou-gu",
                                        "data.source=mixture",
                                        "data.train=16",
                                        "network={width: 2100, depth: 2}",
                                        "measure.quantities=[loss]",
                                        precisions[i]};
        compare_restricted(settings, 6, 2, 16, 2);
    }
}

static void test_divergence_is_the_same_on_all_ranks(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        const char *const settings[] = {"model=zou-gu",         "data.source=mixture",
                                        "data.train=40",        "network={width: 700, depth: 3}",
                                        "training={rate: 1e4}", "measure.quantities=[loss]",
                                        precisions[i]};
        small_problem small;
        ww_error error = {0};
        assert_true(small_problem_make(&small, MPI_COMM_WORLD, settings, 7, TRAIN, 5, DIMENSION, 3,
                                       &error));
        ww_engine *engine = NULL;
        assert_int_equal(ww_engine_create(&small.problem, &engine, &error), WW_OK);
        ww_status status = WW_OK;
        int steps = 0;
        for (; status == WW_OK && steps < 30; steps++) {
            double loss = 0.0;
            status = ww_engine_step(engine, 0, NULL, &loss, &error);
        }
        assert_int_equal(status, WW_DIVERGED);
        int least = steps, most = steps;
        MPI_Allreduce(MPI_IN_PLACE, &least, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
        MPI_Allreduce(MPI_IN_PLACE, &most, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
        assert_int_equal(least, most);
        ww_engine_free(engine);
        small_problem_free(&small);
    }
}

// A weight that is not a number on one rank only is divergence on all.
static void test_damage_on_one_rank(void **state)
{
    (void)state;
    const char *const settings[] = {"model=zou-gu", "data.source=mixture", "data.train=40",
                                    "network={width: 700, depth: 3}", "measure.quantities=[loss]"};
    for (int64_t layer = 1; layer <= 3; layer++) {
        small_problem small;
        ww_error error = {0};
        assert_true(small_problem_make(&small, MPI_COMM_WORLD, settings, 5, TRAIN, 5, DIMENSION, 3,
                                       &error));
        const ww_problem *problem = &small.problem;
        ww_engine *engine = NULL;
        assert_int_equal(ww_engine_create(problem, &engine, &error), WW_OK);
        if (small.parallel.rank == small.parallel.size / 2) {
            const int64_t tile = problem->tiling.first_tile;
            const int64_t count =
                ww_tile_size(&problem->tiling, tile) * ww_layer_columns(problem, layer);
            double *values = zeroes(count);
            memcpy(values, ww_engine_layer_tile(engine, layer, tile),
                   (size_t)count * sizeof *values);
            values[count / 2] = (double)NAN;
            ww_engine_put_layer_tile(engine, layer, tile, values);
            free(values);
        }
        double loss = 0.0;
        assert_int_equal(ww_engine_step(engine, 0, NULL, &loss, &error), WW_DIVERGED);
        ww_engine_free(engine);
        small_problem_free(&small);
    }
}

int main(int count, char **words)
{
    MPI_Init(&count, &words);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_layers),
        cmocka_unit_test(test_three_layers),
        cmocka_unit_test(test_few_units),
        cmocka_unit_test(test_large_batches),
        cmocka_unit_test(test_tracks_of_two_blocks),
        cmocka_unit_test(test_sums_in_groups),
        cmocka_unit_test(test_divergence_is_the_same_on_all_ranks),
        cmocka_unit_test(test_damage_on_one_rank),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
