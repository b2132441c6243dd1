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
    // Targets that are not of classes, whatever the label: any of the largest ones will do.
    static const double several[][3] = {{-0.3, 0.7, 2.0}, {-1.0, 1.0, 1.0}, {0.5, 0.5, 0.5}};
    for (size_t i = 0; i < sizeof several / sizeof several[0]; i++)
        assert_true(squared->correct(several[i], 3, (ww_target){.values = several[i]}));
    const double reversed[3] = {2.0, 0.7, -0.3}, nothing[3] = {NAN, 1.0, 1.0};
    assert_false(squared->correct(several[0], 3, (ww_target){.values = reversed}));
    assert_true(squared->correct(clear, 3, (ww_target){.values = several[1]}));
    assert_false(squared->correct(reversed, 3, (ww_target){.values = several[1]}));
    assert_false(squared->correct(nothing, 3, (ww_target){.values = several[0]}));
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

static void test_hinge(void **state)
{
    (void)state;
    const ww_config config = {.loss = WW_LOSS_HINGE};
    const ww_loss *hinge = ww_loss_of(&config);
    static const struct {
        double output, target, value, gradient;
        bool correct;
    } cases[] = {{0.25, 1.0, 0.75, -1.0, true},
                 {0.25, -1.0, 1.25, 1.0, false},
                 {1.0, 1.0, 0.0, 0.0, true},
                 {-1.0, -1.0, 0.0, 0.0, true},
                 {7.0, 1.0, 0.0, 0.0, true},
                 {0.0, 1.0, 1.0, -1.0, false},
                 {-3.0, -1.0, 0.0, 0.0, true},
                 {-0.5, -1.0, 0.5, 1.0, true},
                 {1.0 - 0x1p-53, 1.0, 0x1p-53, -1.0, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const ww_target target = {.values = &cases[i].target};
        double gradient = NAN;
        hinge->gradient(&cases[i].output, 1, target, &gradient);
        assert_true(hinge->value(&cases[i].output, 1, target) == cases[i].value);
        assert_true(gradient == cases[i].gradient);
        assert_int_equal(hinge->correct(&cases[i].output, 1, target), cases[i].correct);
    }
    const double lost = NAN, one = 1.0;
    assert_true(isnan(hinge->value(&lost, 1, (ww_target){.values = &one})));
}

static void test_halves(void **state)
{
    (void)state;
    enum { UNITS = 10 };
    double all[UNITS], some[3];
    const ww_config config = {
        .network = {.width = UNITS, .output = {.kind = WW_OUTPUT_HALVES, .scale = 2.0}}};
    ww_drawn_output_weights(&config, 1, 0, UNITS, all);
    for (int i = 0; i < UNITS; i++)
        assert_true(all[i] == (i < UNITS / 2 ? 2.0 : -2.0));
    ww_drawn_output_weights(&config, 1, 4, 3, some);
    assert_memory_equal(some, all + 4, sizeof some);
}

static double row_norm(const double *row, int64_t dimension)
{
    double square = 0.0;
    for (int64_t j = 0; j < dimension; j++)
        square += row[j] * row[j];
    return sqrt(square);
}

static void test_bounded_hidden_weights(void **state)
{
    (void)state;
    enum { UNITS = 4000, D = 5 };
    static double all[UNITS * D];
    double some[7 * D];
    ww_config config = {.network = {.width = UNITS,
                                    .hidden = {.kind = WW_HIDDEN_BALL,
                                               .radius = 3.0,
                                               .scaling = WW_SCALING_INVERSE_SQRT_WIDTH}}};
    const double radius = 3.0 / sqrt((double)UNITS);
    for (int kind = WW_HIDDEN_BALL; kind <= WW_HIDDEN_OPPOSED; kind++) {
        config.network.hidden.kind = (ww_hidden)kind;
        ww_drawn_hidden_weights(&config, D, 0, UNITS, all);
        ww_drawn_hidden_weights(&config, D, 1998, 7, some); // keyed by the unit
        assert_memory_equal(some, all + (size_t)1998 * D, sizeof some);
        double inside = 0.0, square = 0.0, sum = 0.0;
        for (int unit = 0; unit < UNITS; unit++) {
            const double norm = row_norm(all + (ptrdiff_t)unit * D, D);
            inside += norm <= radius * pow(0.5, 1.0 / D);
            for (int j = 0; j < D; j++) {
                const double weight = all[unit * D + j];
                sum += weight;
                square += weight * weight;
                assert_true(fabs(weight) <= radius);
                if (kind == WW_HIDDEN_OPPOSED)
                    assert_true(weight == (unit < UNITS / 2 ? -1.0 : 1.0) * (radius / sqrt(D)));
            }
            if (kind != WW_HIDDEN_CUBE)
                assert_true(norm <= radius * (1.0 + 1e-15));
        }
        // Half of the ball's volume; the variance of a coordinate. To four standard deviations.
        if (kind == WW_HIDDEN_BALL)
            assert_true(fabs(inside / UNITS - 0.5) < 4.0 * 0.5 / sqrt((double)UNITS));
        const double variance = kind == WW_HIDDEN_BALL   ? radius * radius / (D + 2)
                                : kind == WW_HIDDEN_CUBE ? radius * radius / 3.0
                                                         : radius * radius / D;
        assert_true(fabs(square / (UNITS * D) / variance - 1.0) < 0.04);
        assert_true(fabs(sum) < 4.0 * sqrt(variance * UNITS * D));
    }
}

static void test_held_weights(void **state)
{
    (void)state;
    enum { D = 3, K = 2 };
    const double hidden[4 * D] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    const double output[4 * K] = {1, 2, 3, 4, 5, 6, 7, 8};
    ww_config config = {.precision = WW_PRECISION_DOUBLE};
    const ww_initial initial = {.config = &config,
                                .dimension = D,
                                .outputs = K,
                                .first_unit = 128,
                                .hidden = hidden,
                                .output = output};
    double rows[2 * D], weights[2 * K];
    ww_initial_hidden_weights(&initial, 129, 2, rows);
    ww_initial_output_weights(&initial, 130, 2, weights);
    assert_memory_equal(rows, hidden + D, sizeof rows);
    assert_memory_equal(weights, output + (size_t)2 * K, sizeof weights);
}

// With single precision all weights at t = 0 are floats, and else those of double precision.
static void test_single_precision(void **state)
{
    (void)state;
    enum { D = 5, K = 2, UNITS = 9 };
    ww_config config = {
        .seeds = {.weights = 3},
        .network = {.width = 200, .depth = 2, .hidden = {.std = 1.5}, .output = {.scale = 0.7}}};
    double exact[3][UNITS * 200] = {{0.0}}, rounded[3][UNITS * 200] = {{0.0}};
    const double held[UNITS * D] = {0.1, 0.2, 0.3};
    double row[D];
    for (int single = 0; single < 2; single++) {
        double(*out)[UNITS * 200] = single ? rounded : exact;
        config.precision = single ? WW_PRECISION_SINGLE : WW_PRECISION_DOUBLE;
        ww_initial initial = {.config = &config, .dimension = D, .outputs = K};
        ww_initial_layer_weights(&initial, 1, D, 4, UNITS, out[0]);
        ww_initial_layer_weights(&initial, 2, 200, 4, UNITS, out[1]);
        ww_initial_output_weights(&initial, 4, UNITS, out[2]);
        initial.hidden = held;
        ww_initial_hidden_weights(&initial, 0, 1, row);
        for (int j = 0; j < 3; j++)
            assert_true(row[j] == (single ? (double)(float)held[j] : held[j]));
    }
    const int counts[3] = {UNITS * D, UNITS * 200, UNITS * K};
    for (int array = 0; array < 3; array++)
        for (int i = 0; i < counts[array]; i++) {
            assert_true(exact[array][i] != 0.0);
            assert_true(rounded[array][i] == (double)(float)exact[array][i]);
        }
    assert_true(rounded[0][0] != exact[0][0] && rounded[1][0] != exact[1][0] &&
                rounded[2][0] != exact[2][0]);
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
        cmocka_unit_test(test_hinge),
        cmocka_unit_test(test_halves),
        cmocka_unit_test(test_bounded_hidden_weights),
        cmocka_unit_test(test_held_weights),
        cmocka_unit_test(test_single_precision),
        cmocka_unit_test(test_activation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
