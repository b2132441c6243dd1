// Separation of a sample against all pairs in plain loops, with the same bits on any number of
// ranks.
#include "data_support.h"

#include "widthwise/random.h"

#include <math.h>

/// Samples with inputs from a stream of normals and components in turn.
static ww_samples make_samples(int64_t count, int64_t dimension, int64_t component_count,
                               double size)
{
    ww_samples samples = {.count = count};
    const size_t values = (size_t)(count * dimension);
    const ww_stream stream = {.seed = 11, .purpose = WW_DRAW_TRAIN_INPUTS};
    samples.inputs = calloc(values, sizeof(double));
    samples.labels = calloc((size_t)count, sizeof(int64_t));
    samples.components = calloc((size_t)count, sizeof(int64_t));
    ww_normals(stream, 0, values, samples.inputs);
    for (size_t i = 0; i < values; i++)
        samples.inputs[i] *= size;
    for (int64_t s = 0; s < count; s++)
        samples.components[s] = s % component_count;
    return samples;
}

static void free_samples(ww_samples *samples)
{
    free(samples->inputs);
    free(samples->labels);
    free(samples->components);
}

static ww_separation measure(const ww_samples *samples, int64_t dimension, int64_t components,
                             MPI_Comm communicator)
{
    ww_separation separation = {0};
    ww_parallel parallel = {0};
    ww_error error = {0};
    assert_int_equal(ww_parallel_create(communicator, &parallel, &error), WW_OK);
    assert_int_equal(
        ww_separation_measure(samples, dimension, components, &parallel, &separation, &error),
        WW_OK);
    ww_parallel_destroy(&parallel);
    return separation;
}

static void check_close(double value, long double expected)
{
    if (isinf((double)expected))
        assert_true(value == (double)expected);
    else
        assert_true(fabsl((long double)value - expected) <= 1e-14L * expected);
}

/// Every pair in long double, and the same bits as on one rank.
static void check(const ww_samples *samples, int64_t dimension, int64_t components)
{
    long double nearest = INFINITY, delta = INFINITY, diameter = 0.0L;
    for (int64_t s = 0; s < samples->count; s++)
        for (int64_t t = 0; t < s; t++) {
            long double sum = 0.0L;
            for (int64_t j = 0; j < dimension; j++) {
                const long double difference = (long double)samples->inputs[s * dimension + j] -
                                               (long double)samples->inputs[t * dimension + j];
                sum += difference * difference;
            }
            const long double distance = sqrtl(sum);
            const int64_t a = samples->components[s], b = samples->components[t];
            nearest = fminl(nearest, distance);
            if (a / components != b / components)
                delta = fminl(delta, distance);
            if (a == b)
                diameter = fmaxl(diameter, distance);
        }
    const ww_separation all = measure(samples, dimension, components, MPI_COMM_WORLD);
    const ww_separation one = measure(samples, dimension, components, MPI_COMM_SELF);
    check_close(all.nearest, nearest);
    check_close(all.delta, delta);
    check_close(all.diameter, diameter);
    assert_true(all.lambda == (all.delta > 0.0 ? all.diameter / all.delta : INFINITY));
    assert_true(all.lambda_limit == 0.125 / (double)components);
    assert_memory_equal(&all, &one, sizeof all);
}

static void test_against_all_pairs(void **state)
{
    (void)state;
    // Counts on both sides of a block of 128 rows, dimensions on both sides of a vector of 8.
    const struct {
        int64_t count, dimension, classes, components;
    } shapes[] = {{1, 3, 2, 1},   {2, 1, 2, 1},    {5, 7, 2, 2},   {128, 8, 3, 2},
                  {129, 9, 4, 1}, {400, 20, 5, 2}, {300, 33, 1, 4}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        ww_samples samples = make_samples(shapes[i].count, shapes[i].dimension,
                                          shapes[i].classes * shapes[i].components, 1.0);
        check(&samples, shapes[i].dimension, shapes[i].components);
        free_samples(&samples);
    }
}

/// Pairs so close that |x|^2 + |y|^2 - 2 x y loses every digit of their distance.
static void test_close_pairs(void **state)
{
    (void)state;
    enum { N = 300, D = 50 };
    ww_samples samples = make_samples(N, D, 6, 1.0);
    memcpy(samples.inputs + (int64_t)290 * D, samples.inputs + (int64_t)3 * D, D * sizeof(double));
    samples.inputs[(int64_t)290 * D + 7] += 0x1p-40;
    memcpy(samples.inputs + (int64_t)200 * D, samples.inputs + (int64_t)150 * D,
           D * sizeof(double));
    samples.inputs[(int64_t)200 * D] += 0x1p-30;
    samples.components[3] = samples.components[290] = 2; // nearest is within a component
    samples.components[150] = 0;
    samples.components[200] = 5; // delta is between classes
    check(&samples, D, 2);
    const ww_separation found = measure(&samples, D, 2, MPI_COMM_WORLD);
    assert_true(found.nearest > 0.9 * 0x1p-40 && found.nearest < 1.1 * 0x1p-40);
    assert_true(found.delta > 0.9 * 0x1p-30 && found.delta < 1.1 * 0x1p-30);
    free_samples(&samples);
}

/// Many such pairs, the nearest last: by way of the product their distances are noise, and none may
/// be overlooked for it.
static void test_many_close_pairs(void **state)
{
    (void)state;
    enum { N = 140, PAIRS = 40 };
    for (int64_t dimension = 20; dimension < 40; dimension++) {
        ww_samples samples = make_samples(N, dimension, 6, 1.0);
        for (int64_t p = 0; p < PAIRS; p++) {
            double *twin = samples.inputs + (N - 1 - p) * dimension;
            memcpy(twin, samples.inputs + p * dimension, (size_t)dimension * sizeof(double));
            twin[0] += (double)(PAIRS + 2 - p) * 0x1p-40;
        }
        check(&samples, dimension, 2);
        free_samples(&samples);
    }
}

/// Duplicates with unlike labels: no lambda can do.
static void test_duplicates(void **state)
{
    (void)state;
    ww_samples samples = make_samples(200, 10, 2, 1.0);
    memcpy(samples.inputs + 1990, samples.inputs, 10 * sizeof(double));
    check(&samples, 10, 1);
    const ww_separation found = measure(&samples, 10, 1, MPI_COMM_WORLD);
    assert_true(found.nearest == 0.0 && found.delta == 0.0 && isinf(found.lambda));
    free_samples(&samples);
}

/// All distances equal: nothing can be left out by its bound, and all is still exact.
static void test_orthonormal(void **state)
{
    (void)state;
    enum { N = 150 };
    ww_samples samples = make_samples(N, N, 3, 0.0);
    for (int64_t s = 0; s < N; s++)
        samples.inputs[s * N + s] = 1.0;
    const ww_separation found = measure(&samples, N, 1, MPI_COMM_WORLD);
    assert_true(found.nearest == sqrt(2.0) && found.delta == sqrt(2.0));
    assert_true(found.diameter == sqrt(2.0) && found.lambda == 1.0);
    free_samples(&samples);
}

/// Sizes whose squares leave the range of a double.
static void test_extreme_sizes(void **state)
{
    (void)state;
    const double sizes[] = {1e-300, 1e-200, 1e200, 1e300};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        ww_samples samples = make_samples(140, 6, 4, sizes[i]);
        check(&samples, 6, 2);
        free_samples(&samples);
    }
    ww_samples zero = make_samples(20, 6, 4, 0.0);
    const ww_separation found = measure(&zero, 6, 2, MPI_COMM_WORLD);
    assert_true(found.nearest == 0.0 && found.diameter == 0.0);
    free_samples(&zero);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_all_pairs), cmocka_unit_test(test_close_pairs),
        cmocka_unit_test(test_many_close_pairs),  cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_orthonormal),       cmocka_unit_test(test_extreme_sizes),
    };
    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
