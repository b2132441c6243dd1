/// What part of the time measuring takes, and what is said of it.

#include "cmocka_all.h"

#include "app/measuring.h"

#include <math.h>
#include <string.h>

// 1000 steps of 1 ms, and 501 records of `record` seconds.
static ww_measuring every_second_step(double record)
{
    const double seconds = 501.0 * record;
    return (ww_measuring){
        .seconds = seconds, .whole = 1.0 + seconds, .records = 501, .steps = 1000, .every = 2};
}

static void measuring_less_often_leaves_a_quarter_of_the_time(void **state)
{
    (void)state;
    double share = 0.0;
    const ww_measuring measuring = every_second_step(0.003);
    assert_true(fabs(ww_measuring_share(&measuring) - 1.503 / 2.503) < 1e-12);
    assert_int_equal(ww_measuring_longer(&measuring, &share), 10); // 4 would leave 43%
    assert_true(fabs(share - 0.303 / 1.303) < 1e-12);
}

static void enough_records_are_left(void **state)
{
    (void)state;
    double share = 0.0;
    const ww_measuring slow = every_second_step(1.0);
    assert_int_equal(ww_measuring_longer(&slow, &share), 100); // 200 would leave less than eight
    assert_true(fabs(share - 11.0 / 12.0) < 1e-12);
    ww_measuring few = slow;
    few.every = 200; // it is as long as it may be
    few.records = 6;
    few.seconds = 6.0;
    few.whole = 7.0;
    assert_int_equal(ww_measuring_longer(&few, &share), 200);
    assert_true(fabs(share - 6.0 / 7.0) < 1e-12);
    few.every = INT64_MAX / 4;
    assert_int_equal(ww_measuring_longer(&few, &share), INT64_MAX / 4);
}

static void a_hint_stands_where_measuring_dominates(void **state)
{
    (void)state;
    char text[256];
    ww_measuring measuring = every_second_step(0.003);
    ww_measuring_text(&measuring, "would be", text, sizeof text);
    assert_string_equal(text,
                        "60% of the time; with measure.every: 10 instead of 2 it would be 23%");
    measuring = every_second_step(0.001);
    ww_measuring_text(&measuring, "would be", text, sizeof text);
    assert_string_equal(text, "33% of the time");
    measuring = every_second_step(0.003);
    measuring.steps = 10; // nothing to be gained
    ww_measuring_text(&measuring, "would be", text, sizeof text);
    assert_string_equal(text, "60% of the time");
}

static void nothing_is_no_part(void **state)
{
    (void)state;
    const ww_measuring nothing = {.every = 10};
    assert_true(ww_measuring_share(&nothing) == 0.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(measuring_less_often_leaves_a_quarter_of_the_time),
        cmocka_unit_test(enough_records_are_left),
        cmocka_unit_test(a_hint_stands_where_measuring_dominates),
        cmocka_unit_test(nothing_is_no_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
