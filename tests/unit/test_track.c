// What steps do to each layer, against LAPACK's singular values of the difference of weights, and
// the largest eigenvalue of a product of matrices against one that is known.

#include "cmocka_all.h"
#include "plain_layers.h"
#include "small_problem.h"

#include "base/lapack.h"
#include "train/layered.h"
#include "train/product_norm.h"

#include <string.h>

enum { WIDTH = 150, DIMENSION = 9, DEPTH = 3, TRAIN = 20 };

static double largest_singular_value(double *matrix, int64_t rows, int64_t columns)
{
    const int m = (int)columns, n = (int)rows, room = 4096, one = 1;
    static double values[WIDTH], work[4096], unused[1];
    int info = 0;
    dgesvd_("N", "N", &m, &n, matrix, &m, values, unused, &one, unused, &one, work, &room, &info, 1,
            1);
    assert_int_equal(info, 0);
    return values[0];
}

static double *weights_of(ww_engine *engine, const ww_problem *problem, int64_t layer)
{
    const int64_t columns = ww_layer_columns(problem, layer);
    double *weights = calloc((size_t)(WIDTH * columns), sizeof(double));
    for (int64_t tile = 0; tile < problem->tiling.tile_count; tile++)
        memcpy(weights + tile * problem->tiling.tile_units * columns,
               ww_engine_layer_tile(engine, layer, tile),
               (size_t)(ww_tile_size(&problem->tiling, tile) * columns) * sizeof(double));
    return weights;
}

static void compare_steps(const char *training, const char *precision, double tolerance)
{
    const char *settings[] = {
        "model=zou-gu",
        "data.source=mixture",
        "data.train=20",
        "network={width: 150, depth: 3}",
        "measure.quantities=[loss, trajectory_length, layer_trajectory_length]",
        precision,
        training};
    small_problem small;
    ww_error error = {0};
    if (!small_problem_make(&small, MPI_COMM_SELF, settings, 7, TRAIN, 5, DIMENSION, 2, &error))
        fail_msg("%s", error.message);
    const ww_problem *problem = &small.problem;
    assert_true(problem->tracks_layers);
    ww_engine *engine = NULL;
    assert_int_equal(ww_engine_create(problem, &engine, &error), WW_OK);
    const ww_track *track = ww_engine_track(engine);
    assert_non_null(track);
    assert_true(isnan(track->loss) && isnan(track->gradient_squared));
    double lengths[DEPTH] = {0.0};
    for (int64_t step = 0; step < 5; step++) {
        double *before[DEPTH];
        double loss = 0.0, square = 0.0;
        for (int64_t layer = 1; layer <= DEPTH; layer++)
            before[layer - 1] = weights_of(engine, problem, layer);
        if (ww_engine_step(engine, 0, NULL, &loss, &error) != WW_OK)
            fail_msg("%s", error.message);
        assert_true(track->loss == loss);
        for (int64_t layer = 1; layer <= DEPTH; layer++) {
            const int64_t columns = ww_layer_columns(problem, layer);
            double *after = weights_of(engine, problem, layer);
            for (int64_t i = 0; i < WIDTH * columns; i++)
                after[i] -= before[layer - 1][i];
            square += small_dot(after, after, WIDTH * columns);
            const double norm = largest_singular_value(after, WIDTH, columns);
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
    // Words of a checkpoint carry all of it.
    enum { WORDS = 2 + 2 * DEPTH };
    double words[WORDS];
    ww_engine *second = NULL;
    assert_int_equal(ww_engine_carry_words(problem), WORDS);
    ww_engine_carry_save(engine, words);
    assert_int_equal(ww_engine_create(problem, &second, &error), WW_OK);
    ww_engine_carry_load(second, words);
    assert_true(ww_engine_track(second)->loss == track->loss);
    assert_true(ww_engine_track(second)->gradient_squared == track->gradient_squared);
    assert_memory_equal(ww_engine_track(second)->lengths, track->lengths, sizeof lengths);
    assert_memory_equal(ww_engine_track(second)->moves, track->moves, sizeof lengths);
    ww_engine_free(second);
    ww_engine_free(engine);
    small_problem_free(&small);
}

static void test_steps_against_singular_values(void **state)
{
    (void)state;
    // The rates are so large that differences of weights are not lost in rounding.
    compare_steps("training={rate_scaling: none, rate: 0.03}", "precision=double", 1e-10);
    compare_steps("training={rate_scaling: none, rate: 0.03, method: sgd, batch: 3}",
                  "precision=double", 1e-10);
    compare_steps("training={rate_scaling: none, rate: 0.03, method: sgd, batch: 1}",
                  "precision=double", 1e-10);
    compare_steps("training={rate_scaling: none, rate: 0.03}", "precision=single", 1e-5);
}

// Products of so many samples that they take several blocks.
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

static void test_several_blocks(void **state)
{
    (void)state;
    enum { SAMPLES = 600 };
    const char *settings[] = {"model=zou-gu",
                              "data.source=mixture",
                              "data.train=600",
                              "network={width: 150, depth: 2}",
                              "measure.quantities=[trajectory_length]",
                              "training={rate_scaling: none, rate: 0.03}"};
    small_problem small;
    ww_error error = {0};
    if (!small_problem_make(&small, MPI_COMM_SELF, settings, 6, SAMPLES, 5, DIMENSION, 2, &error))
        fail_msg("%s", error.message);
    ww_engine *engine = NULL;
    assert_int_equal(ww_engine_create(&small.problem, &engine, &error), WW_OK);
    double *before = weights_of(engine, &small.problem, 2);
    double loss = 0.0;
    assert_int_equal(ww_engine_step(engine, 0, NULL, &loss, &error), WW_OK);
    double *after = weights_of(engine, &small.problem, 2);
    for (int64_t i = 0; i < WIDTH * WIDTH; i++)
        after[i] -= before[i];
    const double norm = largest_singular_value(after, WIDTH, WIDTH);
    assert_true(fabs(ww_engine_track(engine)->moves[1] - norm) < 1e-10 * norm);
    free(before);
    free(after);
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
