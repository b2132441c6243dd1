// Predictions against numbers worked out by hand.

#include "cmocka_all.h"

#include "widthwise/theory.h"

#include <math.h>

static void test_li_liang_formulas(void **state)
{
    (void)state;
    assert_true(fabs(ww_li_liang_distance_at_accuracy(900) - 2.0 / 90.0) < 1e-17);
    assert_true(fabs(ww_li_liang_coupling_bound(0.001, 0.1) - 0.1) < 1e-16);
    assert_true(ww_li_liang_coupling_bound(1.0, 0.1) == 1.0);
    assert_true(fabs(ww_li_liang_coupling_any_bound(1e-4, 0.1, 20) - 0.0543656365691809) < 1e-15);
    assert_true(ww_li_liang_coupling_any_bound(1.0, 0.1, 20) == 1.0);
    // P(|z| <= 1.96 sigma), a table's 95%.
    assert_true(fabs(ww_li_liang_coupling_reach(1.959963984540054, 1.0) - 0.95) < 1e-12);
    // The sharp probability is below what the lemma's constant allows.
    for (double movement = 1e-6; movement < 1.0; movement *= 2.0)
        assert_true(ww_li_liang_coupling_reach(movement, 0.3) <=
                    ww_li_liang_coupling_bound(movement, 0.3));
}

static void test_fields_and_values_agree(void **state)
{
    (void)state;
    enum { RECORDS = 4, ROWS = 3 };
    ww_config config = {
        .network = {.width = 400,
                    .hidden = {.std = 1.0, .scaling = WW_SCALING_INVERSE_SQRT_WIDTH}}};
    double inputs[4] = {3.0, 4.0, 0.0, 1.0};
    const ww_dataset data = {
        .dimension = 2, .classes = 2, .components = 1, .test = {.count = 2, .inputs = inputs}};
    ww_field fields[WW_THEORY_FIELDS];
    assert_int_equal(ww_theory_fields(&config, false, RECORDS, fields), 1);
    const size_t count = ww_theory_fields(&config, true, RECORDS, fields);
    assert_int_equal(ww_theory_values(fields, count), 1 + 3 * RECORDS);
    const double movement[ROWS] = {0.0, 5e-4, 1.0};
    double values[1 + 3 * RECORDS];
    ww_theory_compute(&config, &data, movement, ROWS, RECORDS, values);
    assert_true(fabs(values[0] - 2.0 / 60.0) < 1e-16);
    assert_true(values[1] == 0.0 && fabs(values[2] - 0.1) < 1e-15 && values[3] == 1.0);
    assert_true(isnan(values[4]));
    assert_true(fabs(values[6] - 2.718281828459045 * 5e-4 * 2 / 0.05) < 1e-15);
    assert_true(fabs(values[10] - erf(0.01 / sqrt(2.0))) < 1e-16);
    assert_true(isnan(values[12]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_li_liang_formulas),
        cmocka_unit_test(test_fields_and_values_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
