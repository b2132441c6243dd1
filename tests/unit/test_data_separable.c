// Sources separable and orthonormal.
#include "data_support.h"

#include "widthwise/random.h"

#include <float.h>
#include <math.h>

enum { D = 7, N = 3000 };

#define SEPARABLE                                                                                  \
    "seeds: {data: 4}\n"                                                                           \
    "model: brutzkus\n"                                                                            \
    "data: {source: separable, train: 3000, test: 2000,\n"                                         \
    "  separable: {dimension: 7, margin: 0.2}}\n"

static ww_stream stream(ww_purpose purpose, uint32_t substream)
{
    return (ww_stream){.seed = 4, .purpose = (uint32_t)purpose, .substream = substream};
}

static void hidden_vector(double *u)
{
    double square = 0.0;
    ww_normals(stream(WW_DRAW_SEPARATOR, 0), 0, D, u);
    for (int j = 0; j < D; j++)
        square += u[j] * u[j];
    for (int j = 0; j < D; j++)
        u[j] /= sqrt(square);
}

/// Each sample from its own draws: depth along u, and a point of the ball of what is left.
static void check_formula(const ww_samples *samples, const double *u, ww_purpose labels,
                          ww_purpose inputs)
{
    for (int64_t s = 0; s < samples->count; s++) {
        int64_t label = -1;
        double uniform = 0.0;
        double g[D + 2];
        ww_integers(stream(labels, 0), (uint64_t)s, 1, 2, &label);
        ww_uniforms(stream(inputs, 1), (uint64_t)s, 1, &uniform);
        ww_normals(stream(inputs, 0), (uint64_t)s * (D + 2), D + 2, g);
        assert_int_equal(samples->labels[s], label);
        assert_int_equal(samples->components[s], label);
        double part = 0.0;
        for (int j = 0; j < D; j++)
            part += u[j] * g[j];
        double square = g[D] * g[D] + g[D + 1] * g[D + 1];
        for (int j = 0; j < D; j++) {
            g[j] -= part * u[j];
            square += g[j] * g[j];
        }
        const double depth = 0.2 + 0.8 * uniform;
        for (int j = 0; j < D; j++) {
            const double expected = (label == 0 ? depth : -depth) * u[j] +
                                    sqrt(1.0 - depth * depth) * g[j] / sqrt(square);
            assert_true(fabs(samples->inputs[s * D + j] - expected) < 1e-12);
        }
    }
}

/// The margin and the ball, in doubles and in order.
static void check_limits(const ww_samples *samples, int64_t d, const double *u, double margin)
{
    for (int64_t s = 0; s < samples->count; s++) {
        double along = 0.0;
        double square = 0.0;
        for (int64_t j = 0; j < d; j++) {
            along += u[j] * samples->inputs[s * d + j];
            square += samples->inputs[s * d + j] * samples->inputs[s * d + j];
        }
        assert_true((samples->labels[s] == 0 ? along : -along) >= margin);
        assert_true(sqrt(square) <= 1.0);
    }
}

static void test_separable_is_the_formula(void **state)
{
    (void)state;
    double u[D];
    ww_dataset data = load_good(SEPARABLE);
    hidden_vector(u);
    assert_int_equal(data.dimension, D);
    assert_int_equal(data.classes, 2);
    assert_int_equal(data.outputs, 1);
    assert_int_equal(data.components, 1);
    check_formula(&data.train, u, WW_DRAW_TRAIN_COMPONENTS, WW_DRAW_TRAIN_INPUTS);
    check_formula(&data.test, u, WW_DRAW_TEST_COMPONENTS, WW_DRAW_TEST_INPUTS);
    check_limits(&data.train, D, u, 0.2);
    check_limits(&data.test, D, u, 0.2);
    // The hidden vector proves what the bounds must not contradict.
    assert_true(data.separator.sought);
    assert_true(data.separator.lower <= 5.0 && data.separator.lower > 4.0);
    assert_true(data.separator.upper <= 1.001 * data.separator.lower);
    ww_dataset_free(&data);
}

/// What a ball of d - 1 dimensions looks like: the share of radii below r is r^(d - 1), and every
/// direction is as likely as its opposite.
static void test_separable_statistics(void **state)
{
    (void)state;
    double u[D];
    double mean[D] = {0.0};
    double below[3] = {0.0};
    const double radii[] = {0.7, 0.8, 0.95};
    int64_t firsts = 0;
    double depths = 0.0;
    ww_dataset data = load_good(SEPARABLE);
    hidden_vector(u);
    for (int64_t s = 0; s < N; s++) {
        const double *x = data.train.inputs + s * D;
        double along = 0.0;
        double square = 0.0;
        for (int j = 0; j < D; j++) {
            along += u[j] * x[j];
            square += x[j] * x[j];
        }
        const double radius = sqrt((square - along * along) / (1.0 - along * along));
        for (int r = 0; r < 3; r++)
            below[r] += (radius < radii[r]) / (double)N;
        for (int j = 0; j < D; j++)
            mean[j] += (x[j] - along * u[j]) / N;
        depths += fabs(along) / N;
        firsts += data.train.labels[s] == 0;
    }
    for (int r = 0; r < 3; r++)
        assert_true(fabs(below[r] - pow(radii[r], D - 1)) < 0.04); // over 4 deviations
    for (int j = 0; j < D; j++)
        assert_true(fabs(mean[j]) < 0.03);
    assert_true(fabs(depths - 0.6) < 0.02);
    assert_true(llabs(firsts - N / 2) < 140);
    ww_dataset_free(&data);
}

static void test_limits_hold_everywhere(void **state)
{
    (void)state;
    const int64_t dimensions[] = {2, 3, 400};
    const double margins[] = {1e-9, 0.5, 0.999999};
    for (size_t i = 0; i < 3; i++)
        for (size_t m = 0; m < 3; m++) {
            const int64_t d = dimensions[i];
            char yaml[512];
            (void)snprintf(yaml, sizeof yaml,
                           "training: {batch: 1}\n"
                           "data: {source: separable, train: 500, test: 100, separable: "
                           "{dimension: %lld, margin: %.17g}}",
                           (long long)d, margins[m]);
            ww_dataset data = load_good(yaml);
            assert_false(data.separator.sought); // not with cross entropy
            double *u = calloc((size_t)d, sizeof *u);
            double square = 0.0;
            ww_normals((ww_stream){.seed = 1, .purpose = WW_DRAW_SEPARATOR}, 0, (size_t)d, u);
            for (int64_t j = 0; j < d; j++)
                square += u[j] * u[j];
            for (int64_t j = 0; j < d; j++)
                u[j] /= sqrt(square);
            check_limits(&data.train, d, u, margins[m]);
            check_limits(&data.test, d, u, margins[m]);
            free(u);
            ww_dataset_free(&data);
        }
    load_bad("data: {source: separable, separable: {margin: 0.9999999999999998}}",
             "test.yaml, line 1: data.separable.margin", "100 dimensions", "choose 0.999 or less");
}

/// The first samples are the same however many there are, and test samples are others.
static void test_first_samples_stay(void **state)
{
    (void)state;
    ww_dataset many = load_good(SEPARABLE);
    ww_dataset few = load_good("seeds: {data: 4}\n"
                               "training: {batch: 1}\n"
                               "data: {source: separable, train: 20, test: 10,\n"
                               "  separable: {dimension: 7, margin: 0.2}}\n");
    assert_memory_equal(few.train.inputs, many.train.inputs, 20 * D * sizeof(double));
    assert_memory_equal(few.train.labels, many.train.labels, 20 * sizeof(int64_t));
    assert_memory_equal(few.test.inputs, many.test.inputs, 10 * D * sizeof(double));
    assert_memory_not_equal(few.train.inputs, few.test.inputs, 10 * D * sizeof(double));
    ww_dataset_free(&few);
    ww_dataset_free(&many);
}

static void test_orthonormal(void **state)
{
    (void)state;
    ww_dataset data = load_good("training: {batch: 1}\n"
                                "data: {source: orthonormal, orthonormal: {dimension: 5}}");
    assert_int_equal(data.dimension, 5);
    assert_int_equal(data.classes, 2);
    assert_int_equal(data.components, 1);
    assert_int_equal(data.train.count, 5);
    assert_int_equal(data.test.count, 5);
    for (int64_t s = 0; s < 5; s++) {
        assert_int_equal(data.train.labels[s], 0);
        assert_int_equal(data.test.components[s], 0);
        for (int64_t j = 0; j < 5; j++) {
            assert_true(data.train.inputs[s * 5 + j] == (s == j ? 1.0 : 0.0));
            assert_true(data.test.inputs[s * 5 + j] == (s == j ? 1.0 : 0.0));
        }
    }
    // Nothing that is measured of a data set minds the empty class.
    ww_separation separation;
    ww_parallel alone = {.communicator = MPI_COMM_SELF, .rank = 0, .size = 1};
    ww_error error = {0};
    assert_int_equal(ww_separation_measure(&data.train, 5, 1, &alone, &separation, &error), WW_OK);
    assert_true(isinf(separation.delta) && separation.lambda == 0.0);
    assert_true(fabs(separation.nearest - sqrt(2.0)) < 1e-15);
    assert_true(separation.diameter == separation.nearest);
    ww_dataset_free(&data);
}

/// The separating vector is of the labels that are trained on.
static void test_random_labels(void **state)
{
    (void)state;
    ww_dataset data = load_good("model: brutzkus\n"
                                "data: {source: orthonormal, orthonormal: {dimension: 40},\n"
                                "  labels: {kind: random}}");
    int64_t firsts = 0;
    for (int64_t s = 0; s < 40; s++) {
        firsts += data.train.labels[s] == 0;
        const double y = data.train.labels[s] == 0 ? 1.0 : -1.0;
        assert_true(fabs(data.separator.weights[s] - y) < 1e-10);
        assert_true(data.separator.margins[s] >= 1.0);
    }
    assert_true(firsts > 5 && firsts < 35);
    ww_dataset shape = data;
    shape.separator.sought = false;
    assert_int_equal(ww_dataset_bytes(&data, 1) - ww_dataset_bytes(&shape, 1), (40 + 40) * 8);
    assert_true(ww_dataset_loading_bytes(&data) > 0);
    assert_int_equal(ww_dataset_loading_bytes(&shape), 0);
    ww_dataset_free(&data);
}

static void test_hinge_is_of_two_classes(void **state)
{
    (void)state;
    load_bad("model: brutzkus\ndata: {source: mixture, mixture: {classes: 3}}", "loss", "hinge",
             "the data have 3");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_separable_is_the_formula),
        cmocka_unit_test(test_separable_statistics),
        cmocka_unit_test(test_limits_hold_everywhere),
        cmocka_unit_test(test_first_samples_stay),
        cmocka_unit_test(test_orthonormal),
        cmocka_unit_test(test_random_labels),
        cmocka_unit_test(test_hinge_is_of_two_classes),
    };
    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
