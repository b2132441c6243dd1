// Spectral distances from the start, of updates whose singular values are known.

#include "cmocka_all.h"
#include "measured_layers.h"
#include "small_problem.h"

#include "measure/spectral_distance.h"
#include "measure/survey.h"

enum { SAMPLES = 5, DIMENSION = 40 };

static void unit_vector(int64_t count, double phase, double *vector)
{
    for (int64_t i = 0; i < count; i++)
        vector[i] = sin(phase + 1.7 * (double)i);
    const double norm = sqrt(small_dot(vector, vector, count));
    for (int64_t i = 0; i < count; i++)
        vector[i] /= norm;
}

// Takes W to W + (I - 2 u u') S (I - 2 v v') with the singular values S: adds it to the weights of
// a layer.
static void move(const ww_problem *problem, ww_engine *engine, int64_t layer, const double *values,
                 int64_t count)
{
    const ww_tiling *tiling = &problem->tiling;
    const int64_t columns = ww_layer_columns(problem, layer);
    double *u = calloc((size_t)tiling->width, sizeof(double));
    double *v = calloc((size_t)columns, sizeof(double));
    double *rows = calloc((size_t)(tiling->tile_units * columns), sizeof(double));
    unit_vector(tiling->width, 0.3, u);
    unit_vector(columns, 1.1, v);
    double inner = 0.0; // u' S v
    for (int64_t i = 0; i < count; i++)
        inner += u[i] * values[i] * v[i];
    for (int64_t tile = 0; tile < tiling->tile_count; tile++) {
        const int64_t units = ww_tile_size(tiling, tile);
        memcpy(rows, ww_engine_layer_tile(engine, layer, tile),
               (size_t)(units * columns) * sizeof(double));
        for (int64_t unit = 0; unit < units; unit++)
            for (int64_t j = 0; j < columns; j++) {
                const int64_t i = tile * tiling->tile_units + unit;
                const double s_i = i < count ? values[i] : 0.0;
                const double s_j = j < count ? values[j] : 0.0;
                rows[unit * columns + j] += (i == j ? s_i : 0.0) - 2.0 * u[i] * u[j] * s_j -
                                            2.0 * s_i * v[i < columns ? i : 0] * v[j] +
                                            4.0 * u[i] * inner * v[j];
            }
        ww_engine_put_layer_tile(engine, layer, tile, rows);
    }
    free(u);
    free(v);
    free(rows);
}

static double distance_of(const char *const *settings, size_t count, int64_t layer,
                          const double *values, int64_t value_count, double *exact)
{
    small_problem small;
    ww_error error = {0};
    if (!small_problem_make(&small, MPI_COMM_WORLD, settings, count, SAMPLES, SAMPLES, DIMENSION, 2,
                            &error))
        fail_msg("%s", error.message);
    ww_engine *engine = NULL;
    ww_origin *origin = NULL;
    assert_int_equal(ww_engine_create(&small.problem, &engine, &error), WW_OK);
    assert_int_equal(
        ww_origin_create_for(&small.problem, engine, WW_NEED_SPECTRAL, &origin, &error), WW_OK);
    plain_layers start = plain_layers_create(&small.problem);
    plain_layers now = plain_layers_create(&small.problem);
    plain_layers_read(&start, engine);
    if (value_count > 0)
        move(&small.problem, engine, layer, values, value_count);
    plain_layers_read(&now, engine);
    *exact = plain_spectral_distance(&now, &start, layer - 1);
    double distance = -1.0;
    if (ww_spectral_distance(&small.problem, engine, origin, layer, &distance, &error) != WW_OK)
        fail_msg("%s", error.message);
    plain_layers_free(&start);
    plain_layers_free(&now);
    ww_origin_free(origin);
    ww_engine_free(engine);
    small_problem_free(&small);
    return distance;
}

static const double separate[] = {2.5, 1.0, 0.75, 0.1, 1e-3};
static const double clustered[] = {1.0, 1.0 - 1e-9, 1.0 - 2e-8, 1.0 - 1e-6, 0.9, 0.5};
static const double tiny[] = {3e-9, 2.9e-9, 1e-10};
static double equal[DIMENSION];
static double slow[DIMENSION];

static void compare_all(const char *const *settings, size_t count, int64_t layer, double tolerance)
{
    for (int i = 0; i < DIMENSION; i++) {
        equal[i] = 0.7;
        slow[i] = 1.0 - 1e-3 * i;
    }
    const struct {
        const double *values;
        int64_t count;
    } cases[] = {{separate, 5}, {clustered, 6}, {tiny, 3}, {equal, DIMENSION}, {slow, DIMENSION}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double exact = 0.0;
        const double found =
            distance_of(settings, count, layer, cases[i].values, cases[i].count, &exact);
        // What was put there is known to the rounding of weights near 1.
        assert_true(fabs(exact - cases[i].values[0]) < 1e-6 * cases[i].values[0] + 1e-14);
        if (!(fabs(found - exact) <= tolerance * exact))
            fail_msg("case %zu: %.15g, not %.15g", i, found, exact);
    }
    double exact = 1.0;
    assert_true(distance_of(settings, count, layer, NULL, 0, &exact) == 0.0 && exact == 0.0);
}

static void test_one_layer(void **state)
{
    (void)state;
    const char *const loose[] = {"model=arora", "network.width=300"};
    compare_all(loose, 2, 1, 1e-6);
    const char *const tight[] = {"model=arora", "network.width=300",
                                 "measure.spectral_tolerance=1e-13"};
    compare_all(tight, 3, 1, 1e-13);
    const char *const narrow[] = {"model=arora", "network.width=45",
                                  "measure.spectral_tolerance=1e-12"};
    compare_all(narrow, 3, 1, 1e-12);
}

static void test_layers(void **state)
{
    (void)state;
    for (int64_t layer = 1; layer <= 3; layer++) {
        const char *const settings[] = {"model=zou-gu", "data.source=mixture",
                                        "network={width: 150, depth: 3}",
                                        "measure.spectral_tolerance=1e-12"};
        compare_all(settings, 4, layer, 1e-12);
    }
}

static void test_a_weight_that_is_not_finite_is_divergence(void **state)
{
    (void)state;
    const char *const settings[] = {"model=arora", "network.width=150"};
    small_problem small;
    ww_error error = {0};
    if (!small_problem_make(&small, MPI_COMM_WORLD, settings, 2, SAMPLES, SAMPLES, DIMENSION, 2,
                            &error))
        fail_msg("%s", error.message);
    ww_engine *engine = NULL;
    ww_origin *origin = NULL;
    assert_int_equal(ww_engine_create(&small.problem, &engine, &error), WW_OK);
    assert_int_equal(
        ww_origin_create_for(&small.problem, engine, WW_NEED_SPECTRAL, &origin, &error), WW_OK);
    double *rows = calloc(128 * DIMENSION, sizeof(double));
    rows[7] = INFINITY;
    ww_engine_put_layer_tile(engine, 1, 0, rows);
    double distance = 0.0;
    assert_int_equal(ww_spectral_distance(&small.problem, engine, origin, 1, &distance, &error),
                     WW_DIVERGED);
    free(rows);
    ww_origin_free(origin);
    ww_engine_free(engine);
    small_problem_free(&small);
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_layer),
        cmocka_unit_test(test_layers),
        cmocka_unit_test(test_a_weight_that_is_not_finite_is_divergence),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
