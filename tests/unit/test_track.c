// What steps do to each layer, against LAPACK's singular values of the difference of weights, and
// the largest eigenvalue of a product of matrices against one that is known.

#include "cmocka_all.h"
#include "plain_layers.h"
#include "small_problem.h"

#include "base/lapack.h"
#include "train/layered.h"
#include "train/product_norm.h"
#include "train/track_sums.h"

#include <stdio.h>
#include <string.h>

enum { WIDTH = 150, DIMENSION = 9, DEPTH = 3, TRAIN = 20, MOST_DEPTH = 3 };

static double largest_singular_value(double *matrix, int64_t rows, int64_t columns)
{
    const int m = (int)columns, n = (int)rows, ask = -1, one = 1;
    double *values = calloc((size_t)(m < n ? m : n), sizeof(double)), unused[1], size = 0.0;
    int info = 0;
    dgesvd_("N", "N", &m, &n, matrix, &m, values, unused, &one, unused, &one, &size, &ask, &info, 1,
            1);
    const int room = (int)size;
    double *work = calloc((size_t)room, sizeof(double));
    dgesvd_("N", "N", &m, &n, matrix, &m, values, unused, &one, unused, &one, work, &room, &info, 1,
            1);
    assert_int_equal(info, 0);
    const double largest = values[0];
    free(values);
    free(work);
    return largest;
}

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

// Steps of a problem, and how its layers are expected to go.
typedef struct expected_way {
    const char *network, *training, *precision;
    int64_t samples, dimension, steps;
    bool by_pairs[MOST_DEPTH];
    double tolerance;
} expected_way;

static ww_engine *engine_of(const expected_way *way, small_problem *small)
{
    char train[32];
    snprintf(train, sizeof train, "data.train=%d", (int)way->samples);
    const char *settings[] = {
        "model=zou-gu",
        "data.source=mixture",
        train,
        way->network,
        "measure.quantities=[loss, trajectory_length, layer_trajectory_length]",
        way->precision,
        way->training};
    ww_error error = {0};
    if (!small_problem_make(small, MPI_COMM_SELF, settings, 7, way->samples, 5, way->dimension, 2,
                            &error))
        fail_msg("%s", error.message);
    ww_engine *engine = NULL;
    assert_int_equal(ww_engine_create(&small->problem, &engine, &error), WW_OK);
    return engine;
}

// Words of a checkpoint carry all of it.
static void compare_words(ww_engine *engine, const ww_problem *problem)
{
    enum { MOST_WORDS = 2 + 2 * MOST_DEPTH };
    double words[MOST_WORDS];
    const size_t size = (size_t)problem->depth * sizeof(double);
    const ww_track *track = ww_engine_track(engine);
    ww_engine *second = NULL;
    ww_error error = {0};
    assert_int_equal(ww_engine_carry_words(problem), 2 + 2 * problem->depth);
    ww_engine_carry_save(engine, words);
    assert_int_equal(ww_engine_create(problem, &second, &error), WW_OK);
    ww_engine_carry_load(second, words);
    assert_true(ww_engine_track(second)->loss == track->loss);
    assert_true(ww_engine_track(second)->gradient_squared == track->gradient_squared);
    assert_memory_equal(ww_engine_track(second)->lengths, track->lengths, size);
    assert_memory_equal(ww_engine_track(second)->moves, track->moves, size);
    ww_engine_free(second);
}

static void compare_steps(const expected_way *way)
{
    const double tolerance = way->tolerance;
    small_problem small;
    ww_engine *engine = engine_of(way, &small);
    const ww_problem *problem = &small.problem;
    const int64_t width = problem->tiling.width, depth = problem->depth;
    ww_error error = {0};
    assert_true(problem->tracks_layers);
    for (int64_t layer = 1; layer <= depth; layer++)
        assert_int_equal(ww_track_by_pairs(problem, layer), way->by_pairs[layer - 1]);
    const ww_track *track = ww_engine_track(engine);
    assert_non_null(track);
    assert_true(isnan(track->loss) && isnan(track->gradient_squared));
    double lengths[MOST_DEPTH] = {0.0};
    for (int64_t step = 0; step < way->steps; step++) {
        double *before[MOST_DEPTH];
        double loss = 0.0, square = 0.0;
        for (int64_t layer = 1; layer <= depth; layer++)
            before[layer - 1] = weights_of(engine, problem, layer);
        if (ww_engine_step(engine, 0, NULL, &loss, &error) != WW_OK)
            fail_msg("%s", error.message);
        assert_true(track->loss == loss);
        for (int64_t layer = 1; layer <= depth; layer++) {
            const int64_t columns = ww_layer_columns(problem, layer);
            double *after = weights_of(engine, problem, layer);
            for (int64_t i = 0; i < width * columns; i++)
                after[i] -= before[layer - 1][i];
            square += small_dot(after, after, width * columns);
            const double norm = largest_singular_value(after, width, columns);
            lengths[layer - 1] += norm;
            assert_true(fabs(track->moves[layer - 1] - norm) < tolerance * norm);
            assert_true(fabs(track->lengths[layer - 1] - lengths[layer - 1]) <
                        tolerance * lengths[layer - 1]);
            free(after);
            free(before[layer - 1]);
        }
        square /= problem->learning_rate * problem->learning_rate;
        assert_true(fabs(track->gradient_squared - square) < tolerance * square);
    }
    compare_words(engine, problem);
    ww_engine_free(engine);
    small_problem_free(&small);
}

#define DOUBLE "precision=double", TRAIN, DIMENSION, 5
#define SINGLE "precision=single", TRAIN, DIMENSION, 5
// The rates are so large that differences of weights are not lost in rounding.
#define RATE "training={engine: layers, rate_scaling: none, rate: 0.03"

static void test_steps_against_singular_values(void **state)
{
    (void)state;
    static const char deep[] = "network={width: 150, depth: 3}";
    static const expected_way ways[] = {
        {deep, RATE "}", DOUBLE, {false, true, true}, 1e-10},
        {deep, RATE ", method: sgd, batch: 3}", DOUBLE, {true, true, true}, 1e-10},
        {deep, RATE ", method: sgd, batch: 1}", DOUBLE, {true, true, true}, 1e-10},
        {deep, RATE "}", SINGLE, {false, true, true}, 1e-5},
        {"network={width: 270, depth: 2}", // where single samples have kernels of their own
         RATE ", method: sgd, batch: 1}",
         DOUBLE,
         {true, true},
         1e-10},
        {"network={width: 12, depth: 3}", RATE "}", DOUBLE, {false, false, false}, 1e-10},
        {"network={width: 12, depth: 3}", RATE "}", SINGLE, {false, false, false}, 1e-5},
        {"network={width: 150, depth: 1}", RATE "}", DOUBLE, {false}, 1e-10},
    };
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        compare_steps(&ways[i]);
}

// Batches of two blocks. With 520 units of three layers, and inputs of so many numbers, all go by
// pairs, and words of the sums take more room than there is at once.
static void test_several_blocks(void **state)
{
    (void)state;
    static const char rate[] = "training={engine: layers, rate_scaling: none, rate: 0.003}";
    static const char *const precisions[] = {"precision=double", "precision=single"};
    for (int i = 0; i < 2; i++) {
        const double tolerance = i == 0 ? 1e-9 : 1e-4;
        const char *const precision = precisions[i];
        const expected_way ways[] = {
            {"network={width: 150, depth: 2}",
             rate,
             precision,
             600,
             9,
             2,
             {false, false},
             tolerance},
            {"network={width: 150, depth: 1}", rate, precision, 600, 9, 2, {false}, tolerance},
            {"network={width: 520, depth: 3}",
             rate,
             precision,
             540,
             300,
             2,
             {true, true, true},
             tolerance},
        };
        for (size_t j = 0; j < sizeof ways / sizeof ways[0]; j++)
            compare_steps(&ways[j]);
    }
}

// Steps that change nothing, after the last margin is reached, are tracked as such.
static void test_rest(void **state)
{
    (void)state;
    const char *settings[] = {"model=zou-gu",
                              "data.source=mixture",
                              "data.train=20",
                              "network.width=150",
                              "training={engine: layers, rate: 30.0}",
                              "loss=hinge",
                              "measure.quantities=[loss, trajectory_length, semismoothness]"};
    small_problem small;
    ww_error error = {0};
    if (!small_problem_make(&small, MPI_COMM_SELF, settings, 7, TRAIN, 5, DIMENSION, 2, &error))
        fail_msg("%s", error.message);
    ww_engine *engine = NULL;
    assert_int_equal(ww_engine_create(&small.problem, &engine, &error), WW_OK);
    const ww_track *track = ww_engine_track(engine);
    double loss = 1.0, length = 0.0;
    for (int64_t step = 0; step < 500 && loss > 0.0; step++) {
        length = track->lengths[0];
        assert_int_equal(ww_engine_step(engine, 0, NULL, &loss, &error), WW_OK);
    }
    assert_true(loss == 0.0 && length > 0.0);
    assert_true(track->loss == 0.0 && track->gradient_squared == 0.0);
    assert_true(track->moves[0] == 0.0 && track->lengths[0] == length);
    ww_engine_free(engine);
    small_problem_free(&small);
}

// A = Q diag(a) Q and C = Q diag(c) Q with a reflection Q: the eigenvalues of A C are a_i c_i.
static double largest_of(int64_t order, const double *a, const double *c, double *expected)
{
    double *matrices[2], *vector = calloc((size_t)order, sizeof(double));
    double norm = 0.0, value = 0.0;
    for (int64_t i = 0; i < order; i++) {
        vector[i] = sin((double)(1 + 3 * i));
        norm += vector[i] * vector[i];
    }
    *expected = 0.0;
    for (int which = 0; which < 2; which++) {
        const double *values = which == 0 ? a : c;
        matrices[which] = calloc((size_t)(order * order), sizeof(double));
        for (int64_t i = 0; i < order; i++)
            for (int64_t j = 0; j < order; j++) {
                long double sum = 0.0L;
                for (int64_t l = 0; l < order; l++) {
                    const long double left =
                        (l == i ? 1.0L : 0.0L) - 2.0L * vector[i] * vector[l] / norm;
                    const long double right =
                        (l == j ? 1.0L : 0.0L) - 2.0L * vector[j] * vector[l] / norm;
                    sum += left * values[l] * right;
                }
                matrices[which][i * order + j] = (double)sum;
            }
    }
    for (int64_t i = 0; i < order; i++)
        *expected = fmax(*expected, a[i] * c[i]);
    ww_error error = {0};
    ww_product_norm *search = NULL;
    ww_product_factor *factor = NULL;
    assert_int_equal(ww_product_norm_create(order, &search, &error), WW_OK);
    assert_int_equal(ww_product_factor_create(order, &factor, &error), WW_OK);
    assert_int_equal(ww_product_factor_find(factor, matrices[1], &error), WW_OK);
    // After another: what one search leaves behind is no part of the next.
    double alone = 0.0, most = 0.0;
    assert_int_equal(ww_product_norm_find(search, order, matrices[1], NULL, 1e-12, &alone, &error),
                     WW_OK);
    for (int64_t i = 0; i < order; i++)
        most = fmax(most, c[i]);
    assert_true(fabs(alone - most) <= 1e-11 * most);
    assert_int_equal(
        ww_product_norm_find(search, order, matrices[0], factor, 1e-12, &value, &error), WW_OK);
    ww_product_factor_free(factor);
    ww_product_norm_free(search);
    free(matrices[0]);
    free(matrices[1]);
    free(vector);
    return value;
}

static void test_products_of_matrices(void **state)
{
    (void)state;
    static double a[300], c[300];
    double expected = 0.0;
    for (int64_t order = 1; order <= 40; order++) {
        for (int64_t i = 0; i < order; i++) {
            a[i] = 1.0 + (double)(i * 7 % 13);
            c[i] = i % 3 == 1 ? 0.0 : 2.0 + (double)(i * 5 % 11); // C is singular
        }
        const double found = largest_of(order, a, c, &expected);
        assert_true(fabs(found - expected) <= 1e-12 * expected);
        assert_true(expected > 0.0);
    }
    // More than the basis has, with the largest eigenvalues close to each other, and sizes from
    // 1e-12 to 1.
    for (int64_t i = 0; i < 300; i++) {
        a[i] = pow(10.0, -(double)(i % 13));
        c[i] = 1.0 - 1e-4 * (double)i;
    }
    const double found = largest_of(300, a, c, &expected);
    assert_true(fabs(found - expected) <= 1e-11 * expected);
    for (int64_t i = 0; i < 300; i++)
        a[i] = 0.0;
    assert_true(largest_of(300, a, c, &expected) == 0.0);
    assert_true(largest_of(300, c, a, &expected) == 0.0);
}

int main(int count, char **words)
{
    MPI_Init(&count, &words);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps_against_singular_values),
        cmocka_unit_test(test_rest),
        cmocka_unit_test(test_several_blocks),
        cmocka_unit_test(test_products_of_matrices),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
