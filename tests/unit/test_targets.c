// Targets of all sources, and real functions against slow obvious versions.

#include "cmocka_all.h"
#include "data_support.h"

#include "widthwise/random.h"
#include "widthwise/theory.h"

#include <math.h>

// ---- classes ------------------------------------------------------------------------------------

#define TWO "data: {train: 50, test: 30, mixture: {dimension: 6, classes: 2}"
#define FOUR "data: {train: 50, test: 30, mixture: {dimension: 6, classes: 4}"

static void test_cross_entropy_has_none(void **state)
{
    (void)state;
    ww_dataset two = load_good(TWO "}");
    assert_int_equal(two.outputs, 2);
    assert_null(two.train.targets);
    ww_dataset squared = load_good("loss: squared\n" TWO "}");
    assert_true(two.hash != squared.hash);
    assert_int_equal(ww_dataset_bytes(&squared, 1) - ww_dataset_bytes(&two, 1), 80 * 8);
    ww_dataset_free(&squared);
    ww_dataset_free(&two);
}

static void test_two_classes_are_signs(void **state)
{
    (void)state;
    ww_dataset data = load_good("loss: squared\n" TWO ", labels: {random_fraction: 0.5}}");
    assert_int_equal(data.classes, 2);
    assert_int_equal(data.outputs, 1);
    int changed = 0;
    for (int64_t s = 0; s < data.train.count; s++) {
        assert_true(data.train.targets[s] == (data.train.labels[s] == 0 ? 1.0 : -1.0));
        changed += data.train.components[s] / data.components != data.train.labels[s];
    }
    assert_in_range(changed, 3, 25); // targets are of labels as they are trained on
    ww_dataset_free(&data);
}

static void test_more_classes_are_one_hot(void **state)
{
    (void)state;
    ww_dataset data = load_good("loss: squared\n" FOUR "}");
    assert_int_equal(data.outputs, 4);
    for (int64_t s = 0; s < data.test.count; s++)
        for (int64_t i = 0; i < 4; i++)
            assert_true(data.test.targets[4 * s + i] == (i == data.test.labels[s] ? 1.0 : 0.0));
    ww_dataset_free(&data);
}

static void test_train_targets_can_be_replaced(void **state)
{
    (void)state;
    ww_dataset data = load_good("loss: squared\n" TWO "}");
    ww_dataset same = load_good("loss: squared\n" TWO "}");
    assert_true(data.hash == same.hash);
    double targets[50];
    for (int s = 0; s < 50; s++)
        targets[s] = 0.01 * s;
    ww_dataset_set_train_targets(&data, targets);
    assert_memory_equal(data.train.targets, targets, sizeof targets);
    assert_memory_equal(data.test.targets, same.test.targets, 30 * sizeof(double));
    assert_true(data.hash != same.hash);
    ww_dataset_set_train_targets(&data, same.train.targets);
    assert_true(data.hash == same.hash);
    ww_dataset_free(&same);
    ww_dataset_free(&data);
}

static void test_worst_case_labels_need_one_output(void **state)
{
    (void)state;
    ww_dataset data = load_good("loss: squared\n" TWO ", labels: {kind: worst-case}}");
    ww_dataset same = load_good("loss: squared\n" TWO "}");
    assert_memory_equal(data.train.targets, same.train.targets, 50 * sizeof(double));
    ww_dataset_free(&same);
    ww_dataset_free(&data);
    load_bad("loss: squared\n" FOUR ",\n  labels: {kind: worst-case}}",
             "test.yaml, line 3: data.labels.kind", "4 classes", "choose two classes");
}

// ---- functions ----------------------------------------------------------------------------------

enum { D = 5, TERMS = 3 };

#define FUNCTION(kind)                                                                             \
    "model: arora\nseed: 9\ndata:\n  source: function\n  train: 40\n  test: 25\n"                  \
    "  function: {dimension: 5, terms: 3, alpha: 1.7, norm: 0.9, kind: " kind "}\n"

static double identity(double z)
{
    return z;
}

static double fourth_power(double z)
{
    return z * z * z * z;
}

static double cosine(double z)
{
    return cos(z) - 1.0;
}

static double arctan(double z)
{
    return z * atan(z / 2.0);
}

static double slow_value(const double *directions, double (*phi)(double), const double *x)
{
    double y = 0.0;
    for (int j = 0; j < TERMS; j++) {
        double square = 0.0;
        double product = 0.0;
        for (int i = 0; i < D; i++) {
            square += directions[j * D + i] * directions[j * D + i];
            product += directions[j * D + i] * x[i];
        }
        y += 1.7 * phi(0.9 / sqrt(square) * product);
    }
    return y;
}

static void compare_function(const char *yaml, double (*phi)(double))
{
    double directions[TERMS * D];
    ww_normals((ww_stream){.seed = 9, .purpose = WW_DRAW_FUNCTION}, 0, (size_t)TERMS * D,
               directions);
    ww_dataset data = load_good(yaml);
    assert_int_equal(data.dimension, D);
    assert_int_equal(data.classes, 2);
    assert_int_equal(data.outputs, 1);
    const ww_samples *const parts[] = {&data.train, &data.test};
    for (int p = 0; p < 2; p++)
        for (int64_t s = 0; s < parts[p]->count; s++) {
            const double *x = parts[p]->inputs + s * D;
            double square = 0.0;
            for (int i = 0; i < D; i++)
                square += x[i] * x[i];
            assert_true(fabs(square - 1.0) < 1e-14);
            const double y = parts[p]->targets[s];
            assert_true(fabs(y - slow_value(directions, phi, x)) < 1e-13);
            assert_int_equal(parts[p]->labels[s], y > 0.0 ? 0 : 1);
            assert_int_equal(parts[p]->components[s], parts[p]->labels[s]);
        }
    ww_dataset_free(&data);
}

static void test_functions(void **state)
{
    (void)state;
    compare_function(FUNCTION("linear"), identity);
    compare_function(FUNCTION("power, exponent: 4"), fourth_power);
    compare_function(FUNCTION("cosine"), cosine);
    compare_function(FUNCTION("arctan"), arctan);
}

static void test_noise_on_functions_is_signs(void **state)
{
    (void)state;
    ww_dataset clean = load_good(FUNCTION("arctan"));
    ww_dataset noisy = load_good(FUNCTION("arctan") "  labels: {random_fraction: 0.5}\n");
    int signs[2] = {0};
    for (int64_t s = 0; s < clean.train.count; s++) {
        const double y = noisy.train.targets[s];
        if (y == clean.train.targets[s])
            continue;
        assert_true(fabs(y) == 1.0);
        assert_int_equal(noisy.train.labels[s], y > 0.0 ? 0 : 1);
        assert_int_equal(noisy.train.components[s], clean.train.labels[s]); // the true class
        signs[y > 0.0]++;
    }
    assert_in_range(signs[0], 4, 18);
    assert_in_range(signs[1], 4, 18);
    assert_memory_equal(noisy.test.targets, clean.test.targets, 25 * sizeof(double));
    ww_dataset_free(&noisy);
    ww_dataset_free(&clean);
}

static void test_functions_can_be_classified(void **state)
{
    (void)state;
    ww_dataset data = load_good(FUNCTION("linear") "loss: cross-entropy\n");
    assert_int_equal(data.outputs, 2);
    assert_null(data.train.targets);
    ww_dataset real = load_good(FUNCTION("linear"));
    assert_memory_equal(data.train.labels, real.train.labels, 40 * sizeof(int64_t));
    ww_dataset_free(&real);
    ww_dataset_free(&data);
    load_bad("data: {source: function, function: {alpha: 1e308, norm: 1e10}}",
             "data.function.alpha", "inf", "choose a smaller one");
}

// ---- bounds -------------------------------------------------------------------------------------

static double bound(ww_function kind, double alpha, double norm, int64_t terms, int64_t exponent)
{
    const ww_config config = {.data = {.source = WW_SOURCE_FUNCTION,
                                       .normalize = WW_NORMALIZE_SPHERE,
                                       .function = {.dimension = 9,
                                                    .kind = kind,
                                                    .terms = terms,
                                                    .alpha = alpha,
                                                    .norm = norm,
                                                    .exponent = exponent}},
                              .network.depth = 1,
                              .gram.depth = 1};
    return ww_function_bound(&config);
}

static void expect_bound(double found, double expected)
{
    if (!(fabs(found - expected) <= 1e-14 * expected))
        fail_msg("%.17g, expected %.17g", found, expected);
}

// The series of arctan, summed from the far end.
static double slow_arctan_series(double norm)
{
    double sum = 0.0;
    for (int j = 60; j >= 1; j--)
        sum += 2.0 * j * pow(2.0, 1 - 2 * j) / (2 * j - 1) * pow(norm, 2 * j);
    return sum;
}

static void test_bounds_of_theorem_6_1(void **state)
{
    (void)state;
    expect_bound(bound(WW_FUNCTION_LINEAR, -2.0, 0.5, 1, 1), 3.0);
    expect_bound(bound(WW_FUNCTION_LINEAR, 2.0, 0.5, 4, 1), 12.0);
    expect_bound(bound(WW_FUNCTION_QUADRATIC, -2.5, 1.0, 4, 1), 15.0);
    expect_bound(bound(WW_FUNCTION_POWER, 1.0, 2.0, 1, 1), 6.0);
    expect_bound(bound(WW_FUNCTION_POWER, 1.0, 2.0, 1, 4), 3.0 * 4.0 * 16.0);
    assert_true(isinf(bound(WW_FUNCTION_POWER, 1.0, 2.0, 1, 3)));
    assert_true(isinf(bound(WW_FUNCTION_POWER, 1.0, 2.0, 1, 7)));
    for (double norm = 0.01; norm < 30.0; norm *= 1.7)
        expect_bound(bound(WW_FUNCTION_COSINE, 0.5, norm, 2, 1), 3.0 * norm * sinh(norm));
    for (double norm = 0.01; norm <= 1.0; norm *= 1.3)
        expect_bound(bound(WW_FUNCTION_ARCTAN, 1.0, norm, 1, 1), 3.0 * slow_arctan_series(norm));
    expect_bound(bound(WW_FUNCTION_ARCTAN, 1.0, 1.0, 1, 1), 3.0 * slow_arctan_series(1.0));
    assert_true(isinf(bound(WW_FUNCTION_ARCTAN, 1.0, 1.01, 1, 1)));
    assert_true(bound(WW_FUNCTION_COSINE, 1.0, 0.0, 1, 1) == 0.0);
    const ww_config other = {
        .data = {.source = WW_SOURCE_MIXTURE, .normalize = WW_NORMALIZE_SPHERE}};
    assert_true(isinf(ww_function_bound(&other)));
    ww_config ball = {.data = {.source = WW_SOURCE_FUNCTION, .normalize = WW_NORMALIZE_BALL}};
    assert_true(isinf(ww_function_bound(&ball)));
    // What the proof does not expand: another activation, more layers.
    ww_config covered = {
        .data = {.source = WW_SOURCE_FUNCTION,
                 .normalize = WW_NORMALIZE_SPHERE,
                 .function = {.kind = WW_FUNCTION_COSINE, .terms = 1, .alpha = 1.0, .norm = 1.0}},
        .network.depth = 1,
        .gram.depth = 1};
    assert_true(ww_function_bound(&covered) < 10.0);
    ww_config leaky = covered;
    leaky.network.activation.kind = WW_ACTIVATION_LEAKY_RELU;
    leaky.network.activation.slope = 0.5;
    assert_true(isinf(ww_function_bound(&leaky)));
    covered.gram.depth = 2;
    assert_true(isinf(ww_function_bound(&covered)));
    covered.gram.depth = 1;
    covered.network.depth = 2;
    assert_true(isinf(ww_function_bound(&covered)));
}

int main(int count, char **words)
{
    MPI_Init(&count, &words);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cross_entropy_has_none),
        cmocka_unit_test(test_two_classes_are_signs),
        cmocka_unit_test(test_more_classes_are_one_hot),
        cmocka_unit_test(test_train_targets_can_be_replaced),
        cmocka_unit_test(test_worst_case_labels_need_one_output),
        cmocka_unit_test(test_functions),
        cmocka_unit_test(test_noise_on_functions_is_signs),
        cmocka_unit_test(test_functions_can_be_classified),
        cmocka_unit_test(test_bounds_of_theorem_6_1),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
