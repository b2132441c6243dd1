// What `widthwise plan --tune` makes of the times of rounds.

#include "cmocka_all.h"

#include "app/tune.h"

static void test_spread(void **state)
{
    (void)state;
    const double odd[] = {5.0, 1.0, 4.0};
    ww_tune_spread spread = ww_tune_spread_of(odd, 3);
    assert_true(spread.low == 1.0 && spread.median == 4.0 && spread.high == 5.0);
    const double even[] = {8.0, 2.0, 4.0, 3.0};
    spread = ww_tune_spread_of(even, 4);
    assert_true(spread.low == 2.0 && spread.median == 3.5 && spread.high == 8.0);
    spread = ww_tune_spread_of(odd, 1);
    assert_true(spread.low == 5.0 && spread.median == 5.0 && spread.high == 5.0);
}

/// From ten rounds on one at either end does not count, whatever it was, from twenty on two.
static void test_single_rounds_do_not_count_among_many(void **state)
{
    (void)state;
    double values[20];
    for (int i = 0; i < 20; i++)
        values[i] = (double)((7 * i) % 20); // 0 .. 19 in another order
    values[3] = 1e9;                        // was 1
    values[0] = -1e9;                       // was 0
    ww_tune_spread spread = ww_tune_spread_of(values, 20);
    assert_true(spread.low == 3.0 && spread.high == 18.0);
    spread = ww_tune_spread_of(values, 10);
    assert_true(spread.high < 1e9 && spread.low > -1e9);
    spread = ww_tune_spread_of(values, 9);
    assert_true(spread.high == 1e9 && spread.low == -1e9);
}

static void test_only_what_exceeds_the_spread_is_faster(void **state)
{
    (void)state;
    assert_true(ww_tune_is_faster((ww_tune_spread){.low = 0.5, .median = 0.6, .high = 0.7}));
    assert_false(ww_tune_is_faster((ww_tune_spread){.low = 0.2, .median = 0.6, .high = 1.01}));
    assert_false(ww_tune_is_faster((ww_tune_spread){.low = 0.96, .median = 0.97, .high = 0.98}));
    assert_false(ww_tune_is_faster((ww_tune_spread){.low = 1.0, .median = 1.0, .high = 1.0}));
}

/// A window of `window` and the columns of `samples` hold whole numbers of what is timed together.
static void test_steps_together(void **state)
{
    (void)state;
    assert_int_equal(ww_tune_steps_together(1), 128);
    assert_int_equal(ww_tune_steps_together(16), 8);
    assert_int_equal(ww_tune_steps_together(100), 1);
    assert_int_equal(ww_tune_steps_together(1 << 20), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spread),
        cmocka_unit_test(test_single_rounds_do_not_count_among_many),
        cmocka_unit_test(test_only_what_exceeds_the_spread_is_faster),
        cmocka_unit_test(test_steps_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
