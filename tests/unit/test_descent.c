// Descent on a fixed kernel and the bounds of Arora et al., against sequences and by hand.

#include "cmocka_all.h"

#include "widthwise/descent.h"
#include "widthwise/theory.h"

#include <math.h>

enum { COUNT = 3 };

static const double eigenvalues[COUNT] = {5.0, 0.75, 1e-7};
static const double projections[COUNT] = {1.5, -2.0, 0.5};

static ww_descent descent_of(double rate)
{
    return (ww_descent){
        .count = COUNT, .eigenvalues = eigenvalues, .projections = projections, .rate = rate};
}

// Equations (7) and (11) step by step, in coordinates of eigenvectors.
static void test_sequences(void **state)
{
    (void)state;
    const double rates[] = {0.01, 0.1, 0.3, 0.39};
    for (size_t r = 0; r < sizeof rates / sizeof rates[0]; r++) {
        const ww_descent descent = descent_of(rates[r]);
        double outputs[COUNT] = {0.0};
        double weights[COUNT] = {0.0};
        for (int64_t step = 0; step <= 40; step++) {
            double residual = 0.0;
            double distance = 0.0;
            for (int j = 0; j < COUNT; j++) {
                residual += pow(outputs[j] - projections[j], 2.0);
                distance += weights[j] * weights[j];
            }
            assert_true(fabs(ww_descent_residual(&descent, step) - sqrt(residual)) < 1e-13);
            assert_true(fabs(ww_descent_distance(&descent, step) - sqrt(distance)) < 1e-13);
            for (int j = 0; j < COUNT; j++) {
                const double error = outputs[j] - projections[j];
                outputs[j] -= rates[r] * eigenvalues[j] * error;
                weights[j] -= rates[r] * sqrt(eigenvalues[j]) * error;
            }
        }
    }
}

static void test_small_shares_keep_their_digits(void **state)
{
    (void)state;
    // 1 - (1 - x)^t for x = 1e-14 is t x to 14 digits, where 1 - x itself has lost most of them.
    assert_true(fabs(ww_descent_learnt(1.0, 1e-14, 7) / 7e-14 - 1.0) < 1e-12);
    assert_true(ww_descent_learnt(0.5, 2.0, 1) == 1.0);
    assert_true(ww_descent_learnt(1.0, 3.0, 3) == 9.0); // beyond the stable rate: 1 - (-2)^3
    assert_true(ww_descent_learnt(1.0, 0.25, 0) == 0.0);
}

static void test_the_end_of_time(void **state)
{
    (void)state;
    const ww_descent descent = descent_of(0.1);
    const double form = ww_descent_quadratic_form(&descent);
    assert_true(fabs(form - (2.25 / 5.0 + 4.0 / 0.75 + 0.25 / 1e-7)) < 1e-9 * form);
    const double last = ww_descent_distance(&descent, INT64_C(100000000000));
    assert_true(fabs(last * last - form) < 1e-9 * form);
    const double singular[COUNT] = {1.0, 0.0, -1e-18};
    const double seen[COUNT] = {1.0, 1.0, 0.0}, unseen[COUNT] = {2.0, 0.0, 0.0};
    const ww_descent with = {.count = COUNT, .eigenvalues = singular, .projections = seen};
    const ww_descent without = {.count = COUNT, .eigenvalues = singular, .projections = unseen};
    assert_true(isinf(ww_descent_quadratic_form(&with)));
    assert_true(ww_descent_quadratic_form(&without) == 4.0);
    // Eigenvalues up to n u lambda_max are 0, whatever their sign, as are projections that rounding
    // leaves on their eigenvectors.
    const double rounded[COUNT] = {1.0, 0.5, 3e-16};
    const double outside[COUNT] = {1.0, 1.0, 0.1}, inside[COUNT] = {1.0, 1.0, 1e-12};
    const ww_descent no = {.count = COUNT, .eigenvalues = rounded, .projections = outside};
    const ww_descent yes = {.count = COUNT, .eigenvalues = rounded, .projections = inside};
    assert_true(isinf(ww_descent_quadratic_form(&no)));
    assert_true(ww_descent_quadratic_form(&yes) == 3.0);
    const double none[COUNT] = {0.0};
    const ww_descent nothing = {.count = COUNT, .eigenvalues = none, .projections = seen};
    assert_true(isinf(ww_descent_quadratic_form(&nothing)));
    const double unknown[COUNT] = {1.0, (double)NAN, 0.0};
    const ww_descent lost = {.count = COUNT, .eigenvalues = unknown, .projections = seen};
    assert_true(isnan(ww_descent_quadratic_form(&lost)));
    assert_true(ww_spectrum_is_singular(COUNT, 3e-16, 1.0));
    assert_false(ww_spectrum_is_singular(COUNT, 4e-16, 1.0));
    assert_true(ww_spectrum_is_singular(COUNT, -1.0, 1.0));
    assert_true(ww_spectrum_is_singular(COUNT, 0.0, 0.0));
}

// n, m, kappa and delta of the paper's setting.
static ww_arora_setting setting_of(int64_t samples, int64_t width, double kappa, double delta)
{
    return (ww_arora_setting){.samples = samples,
                              .width = width,
                              .independent_units = width,
                              .kappa = kappa,
                              .input_norm = 1.0,
                              .output_square = 1.0,
                              .start_square = 1.0,
                              .failure_probability = delta};
}

static void test_bounds(void **state)
{
    (void)state;
    // n = 100, lambda_0 = 0.5, delta = 0.01, m = 400, kappa = 0.1, by hand.
    const ww_arora_setting paper = setting_of(100, 400, 0.1, 0.01);
    assert_true(fabs(ww_arora_generalization_bound(&paper, 8.0, 0.5) -
                     (0.4 + sqrt(log(20000.0) / 100.0))) < 1e-14);
    assert_true(fabs(ww_arora_row_movement_bound(&paper, 0.5) - 100.0) < 1e-12);
    const ww_arora_setting few = setting_of(10, 400, 0.1, 0.1);
    assert_true(fabs(ww_arora_width(&few, 0.5) / 1.6e12 - 1.0) < 1e-12);
    const ww_arora_setting half = setting_of(50, 400, 0.1, 0.01);
    const double tail = 2.0 * log(200.0);
    assert_true(fabs(ww_arora_rademacher_bound(&half, 3.0, 0.01) -
                     (0.3 * (1.0 + pow(tail / 400.0, 0.25)) + 0.04 + 0.01 * sqrt(tail))) < 1e-14);
    // A linear activation turns no pattern, and half as many independent units vary more.
    ww_arora_setting other = half;
    other.slope = 1.0;
    assert_true(fabs(ww_arora_rademacher_bound(&other, 3.0, 0.01) - 0.3 * sqrt(2.0)) < 1e-14);
    other = half;
    other.independent_units = 200;
    assert_true(ww_arora_rademacher_bound(&other, 3.0, 0.01) >
                ww_arora_rademacher_bound(&half, 3.0, 0.01));
}

static void near(double found, double expected)
{
    if (!(fabs(found - expected) <= 1e-12 * fabs(expected)))
        fail_msg("%.17g instead of %.17g", found, expected);
}

// Nothing depends on units: inputs times c, weights over c; outputs and labels times b.
static void test_bounds_in_other_units(void **state)
{
    (void)state;
    const double c = 3.0, b = 5.0;
    ww_arora_setting plain = setting_of(100, 400, 0.1, 0.01);
    plain.slope = 0.25;
    ww_arora_setting longer = plain;
    longer.input_norm = c;
    longer.kappa = plain.kappa / c;
    near(ww_arora_generalization_bound(&longer, 8.0 / (c * c), 0.5 * c * c),
         ww_arora_generalization_bound(&plain, 8.0, 0.5));
    near(ww_arora_rademacher_bound(&longer, 3.0 / c, 0.01 / c),
         ww_arora_rademacher_bound(&plain, 3.0, 0.01));
    near(ww_arora_row_movement_bound(&longer, 0.5 * c * c),
         ww_arora_row_movement_bound(&plain, 0.5) / c);
    near(ww_arora_width(&longer, 0.5 * c * c), ww_arora_width(&plain, 0.5));
    ww_arora_setting larger = plain; // output weights and labels b times as large
    larger.output_square = b * b;
    larger.start_square = b * b;
    near(ww_arora_rademacher_bound(&larger, 3.0, 0.01),
         b * ww_arora_rademacher_bound(&plain, 3.0, 0.01));
    near(ww_arora_row_movement_bound(&larger, 0.5), ww_arora_row_movement_bound(&plain, 0.5));
    near(ww_arora_width(&larger, 0.5), ww_arora_width(&plain, 0.5));
    near(ww_arora_generalization_bound(&larger, 8.0, 0.5),
         ww_arora_generalization_bound(&plain, 8.0, 0.5));
}

// Without a positive lambda_0 there is no bound; what is not a number is not hidden.
static void test_bounds_of_singular_matrices(void **state)
{
    (void)state;
    ww_arora_setting setting = setting_of(100, 400, 0.1, 0.01);
    for (int zero = 0; zero < 2; zero++) {
        assert_true(isinf(ww_arora_generalization_bound(&setting, 8.0, 0.0)));
        assert_true(isinf(ww_arora_generalization_bound(&setting, (double)INFINITY, 0.0)));
        assert_true(isinf(ww_arora_row_movement_bound(&setting, 0.0)));
        assert_true(isinf(ww_arora_width(&setting, 0.0)));
        setting.input_norm = 0.0;
    }
    setting.input_norm = 1.0;
    assert_true(isnan(ww_arora_generalization_bound(&setting, 8.0, (double)NAN)));
    assert_true(isnan(ww_arora_generalization_bound(&setting, (double)NAN, 1.0)));
    assert_true(ww_arora_generalization_bound(&setting, 0.0, 1e9) == 0.0);
}

// The step is that of the kernel: output weights and the mean over samples are part of it.
static void test_rate(void **state)
{
    (void)state;
    ww_config config = {
        .network = {.width = 400,
                    .output = {.scale = 3.0, .scaling = WW_SCALING_INVERSE_SQRT_WIDTH}},
        .loss_reduction = WW_REDUCTION_SUM,
        .training = {.rate = 0.01}};
    assert_true(fabs(ww_theory_descent_rate(&config, 50, 1) - 0.09) < 1e-15);
    config.loss_reduction = WW_REDUCTION_MEAN;
    assert_true(fabs(ww_theory_descent_rate(&config, 50, 1) - 0.0018) < 1e-16);
    config.network.output.scaling = WW_SCALING_NONE;
    assert_true(fabs(ww_theory_descent_rate(&config, 50, 1) - 0.72) < 1e-14);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sequences),
        cmocka_unit_test(test_small_shares_keep_their_digits),
        cmocka_unit_test(test_the_end_of_time),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_bounds_in_other_units),
        cmocka_unit_test(test_bounds_of_singular_matrices),
        cmocka_unit_test(test_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
