// Losses and activations, against slow obvious versions.

#include "cmocka_all.h"

#include "widthwise/network.h"

#include <math.h>

static const ww_loss *cross_entropy(void)
{
    const ww_config config = {.loss = WW_LOSS_CROSS_ENTROPY};
    return ww_loss_of(&config);
}

static ww_target class_of(int64_t label)
{
    return (ww_target){.label = label};
}

static long double obvious_cross_entropy(const double *outputs, int64_t k, int64_t label)
{
    long double others = 0.0L;
    for (int64_t i = 0; i < k; i++)
        if (i != label)
            others += expl((long double)outputs[i] - (long double)outputs[label]);
    return log1pl(others);
}

static void test_cross_entropy_value(void **state)
{
    (void)state;
    static const double cases[][4] = {
        {0.0, 0.0, 0.0, 0.0},
        {1.0, -2.0, 0.5, 3.0},
        {40.0, 1.0, 2.0, 3.0},
        {-700.0, 3.0, 5.0, 1.0},
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++)
        for (int64_t label = 0; label < 4; label++) {
            const double value = cross_entropy()->value(cases[c], 4, class_of(label));
            const double expected = (double)obvious_cross_entropy(cases[c], 4, label);
            // Relative also near 0, where 1 - softmax would have lost every digit.
            assert_true(fabs(value - expected) <= 1e-14 * expected);
        }
}

static void test_cross_entropy_is_stable(void **state)
{
    (void)state;
    const double large[3] = {1e5, -1e5, 0.0};
    assert_true(cross_entropy()->value(large, 3, class_of(0)) == 0.0);
    assert_true(cross_entropy()->value(large, 3, class_of(1)) == 2e5);
    const double equal[2] = {1e300, 1e300};
    assert_true(fabs(cross_entropy()->value(equal, 2, class_of(1)) - log(2.0)) < 1e-15);
    const double lost[2] = {NAN, 1.0};
    assert_true(isnan(cross_entropy()->value(lost, 2, class_of(0))));
    assert_true(isnan(cross_entropy()->value(lost, 2, class_of(1))));
    double gradient[3];
    cross_entropy()->gradient(large, 3, class_of(1), gradient);
    assert_true(gradient[0] == 1.0 && gradient[1] == -1.0 && gradient[2] == 0.0);
}

static void test_cross_entropy_gradient(void **state)
{
    (void)state;
    const double outputs[5] = {0.3, -1.2, 2.0, 0.0, 0.7};
    for (int64_t label = 0; label < 5; label++) {
        double gradient[5];
        double sum = 0.0;
        cross_entropy()->gradient(outputs, 5, class_of(label), gradient);
        for (int i = 0; i < 5; i++) {
            double above[5];
            double below[5];
            for (int j = 0; j < 5; j++)
                above[j] = below[j] = outputs[j];
            above[i] += 1e-5;
            below[i] -= 1e-5;
            const double difference = (cross_entropy()->value(above, 5, class_of(label)) -
                                       cross_entropy()->value(below, 5, class_of(label))) /
                                      2e-5;
            assert_true(fabs(gradient[i] - difference) < 1e-9);
            sum += gradient[i];
        }
        assert_true(fabs(sum) < 1e-16);
    }
}

static void test_ties_are_errors(void **state)
{
    (void)state;
    const double outputs[3] = {1.0, 2.0, 2.0};
    assert_false(cross_entropy()->correct(outputs, 3, class_of(0)));
    assert_false(cross_entropy()->correct(outputs, 3, class_of(1)));
    const double clear[3] = {1.0, 2.5, 2.0};
    assert_true(cross_entropy()->correct(clear, 3, class_of(1)));
    const double lost[2] = {NAN, 1.0};
    assert_false(cross_entropy()->correct(lost, 2, class_of(1)));
}

static void test_squared(void **state)
{
    (void)state;
    const ww_config config = {.loss = WW_LOSS_SQUARED};
    const ww_loss *squared = ww_loss_of(&config);
    const double outputs[3] = {0.5, -1.0, 2.0};
    const double wanted[3] = {1.0, 0.0, -0.25};
    const ww_target target = {.label = 0, .values = wanted};
    assert_true(squared->value(outputs, 3, target) == 0.5 * (0.25 + 1.0 + 2.25 * 2.25));
    assert_true(squared->value(outputs, 1, target) == 0.125);
    double gradient[3];
    squared->gradient(outputs, 3, target, gradient);
    for (int i = 0; i < 3; i++) {
        double above[3];
        double below[3];
        for (int j = 0; j < 3; j++)
            above[j] = below[j] = outputs[j];
        above[i] += 1e-5;
        below[i] -= 1e-5;
        const double difference =
            (squared->value(above, 3, target) - squared->value(below, 3, target)) / 2e-5;
        assert_true(fabs(gradient[i] - difference) < 1e-9);
    }
    const double lost[1] = {NAN};
    assert_true(isnan(squared->value(lost, 1, target)));
    assert_string_equal(squared->units, "1");
    assert_string_equal(cross_entropy()->units, "nat");
}

static void test_squared_predicts_signs(void **state)
{
    (void)state;
    const ww_config config = {.loss = WW_LOSS_SQUARED};
    const ww_loss *squared = ww_loss_of(&config);
    static const struct {
        double output, target;
        bool correct;
    } cases[] = {{0.1, 1.0, true},   {-0.1, 1.0, false}, {-3.0, -1.0, true},
                 {0.0, 1.0, false},  {0.0, -1.0, false}, {1e-200, 1e-200, true}, // no underflow
                 {-1.0, 0.0, false}, {NAN, 1.0, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const ww_target target = {.label = 1, .values = &cases[i].target};
        assert_int_equal(squared->correct(&cases[i].output, 1, target), cases[i].correct);
    }
    const double outputs[3] = {1.0, 2.0, 2.0};
    const double wanted[3] = {0.0, 1.0, 0.0};
    assert_false(squared->correct(outputs, 3, (ww_target){.label = 1, .values = wanted}));
    const double clear[3] = {1.0, 2.5, 2.0};
    assert_true(squared->correct(clear, 3, (ww_target){.label = 1, .values = wanted}));
}

static void test_signs(void **state)
{
    (void)state;
    enum { UNITS = 4000, OUTPUTS = 3 };
    static double all[UNITS * OUTPUTS];
    double some[7 * OUTPUTS];
    const ww_config config = {.network = {.width = UNITS,
                                          .output = {.kind = WW_OUTPUT_SIGNS,
                                                     .scale = 2.0,
                                                     .scaling = WW_SCALING_INVERSE_SQRT_WIDTH}}};
    ww_drawn_output_weights(&config, OUTPUTS, 0, UNITS, all);
    double sum = 0.0;
    for (int i = 0; i < UNITS * OUTPUTS; i++) {
        assert_true(fabs(all[i]) == 2.0 / sqrt((double)UNITS));
        sum += all[i] > 0.0 ? 1.0 : -1.0;
    }
    assert_true(fabs(sum) < 4.0 * sqrt((double)UNITS * OUTPUTS)); // four standard deviations
    ww_drawn_output_weights(&config, OUTPUTS, 1001, 7, some);     // keyed by the unit
    assert_memory_equal(some, all + (size_t)1001 * OUTPUTS, sizeof some);
}

static void test_activation(void **state)
{
    (void)state;
    double relu[4] = {-2.0, -0.0, 0.0, 3.0};
    uint8_t active[4];
    ww_activate(0.0, relu, 4, active);
    const double expected[4] = {0.0, 0.0, 0.0, 3.0};
    const uint8_t patterns[4] = {0, 1, 1, 1}; // 0 counts as active
    for (int i = 0; i < 4; i++) {
        assert_true(relu[i] == expected[i]);
        assert_int_equal(active[i], patterns[i]);
    }
    double leaky[2] = {-2.0, 5.0};
    ww_activate(0.1, leaky, 2, active);
    assert_true(leaky[0] == -0.2 && leaky[1] == 5.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cross_entropy_value),
        cmocka_unit_test(test_cross_entropy_is_stable),
        cmocka_unit_test(test_cross_entropy_gradient),
        cmocka_unit_test(test_ties_are_errors),
        cmocka_unit_test(test_squared),
        cmocka_unit_test(test_squared_predicts_signs),
        cmocka_unit_test(test_signs),
        cmocka_unit_test(test_activation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
