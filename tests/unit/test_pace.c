// How fast something goes, from looks at it: rates and times that can be worked out by hand.

#include "app/pace.h"
#include "cmocka_all.h"

#include <math.h>

static void test_nothing_known(void **state)
{
    (void)state;
    ww_pace pace = {0};
    assert_true(ww_pace_rate(&pace, 1.0) == 0.0);
    assert_true(isnan(ww_pace_left(&pace, 1.0, 10.0)));
    ww_pace_look(&pace, 10.0, 5.0); // who knows since when it has been there
    assert_true(ww_pace_rate(&pace, 11.0) == 0.0);
    ww_pace_look(&pace, 12.0, 8.0);
    assert_true(ww_pace_rate(&pace, 12.0) == 0.0);
    assert_true(isnan(ww_pace_left(&pace, 12.0, 10.0)));
}

// The first look tells nothing; from then on it is by changes.
static void begin(ww_pace *pace)
{
    ww_pace_look(pace, 10.0, 5.0);
    ww_pace_look(pace, 12.0, 8.0);
    ww_pace_look(pace, 14.0, 12.0);
}

static void test_rate(void **state)
{
    (void)state;
    ww_pace pace = {0};
    begin(&pace);
    assert_true(ww_pace_rate(&pace, 14.0) == 2.0);
    assert_true(ww_pace_left(&pace, 14.0, 20.0) == 4.0);
    assert_true(ww_pace_left(&pace, 15.0, 20.0) == 3.0);
    assert_true(ww_pace_left(&pace, 15.0, 12.0) == 0.0);
    ww_pace_look(&pace, 16.0, 12.0); // nothing new
    assert_true(ww_pace_rate(&pace, 16.0) == 2.0);
    ww_pace_look(&pace, 17.0, 15.0);
    assert_true(fabs(ww_pace_rate(&pace, 17.0) - 7.0 / 5.0) < 1e-15);
}

static void test_quiet(void **state)
{
    (void)state;
    ww_pace pace = {0};
    begin(&pace);
    assert_true(ww_pace_rate(&pace, 18.0) == 2.0); // twice what is usual
    assert_true(ww_pace_rate(&pace, 24.0) == 0.5); // 4 in 2 + 10 - 4 seconds
    double before = INFINITY;
    for (double time = 18.0; time < 1000.0; time += 1.0) {
        const double rate = ww_pace_rate(&pace, time);
        assert_true(rate > 0.0 && rate <= before);
        assert_true(ww_pace_left(&pace, time, 20.0) >= 0.0);
        before = rate;
    }
}

static void test_anew(void **state)
{
    (void)state;
    ww_pace pace = {0};
    begin(&pace);
    ww_pace_look(&pace, 15.0, 9.0); // a restart
    assert_true(ww_pace_rate(&pace, 15.0) == 0.0);
    ww_pace_look(&pace, 16.0, 10.0);
    ww_pace_look(&pace, 20.0, 11.0);
    assert_true(ww_pace_rate(&pace, 20.0) == 0.25);
}

// The rate follows what changes: of the last WW_PACE_LOOKS looks.
static void test_follows(void **state)
{
    (void)state;
    ww_pace pace = {0};
    double time = 0.0, value = 0.0;
    for (int i = 0; i < 20; i++)
        ww_pace_look(&pace, time += 1.0, value += 100.0);
    assert_true(ww_pace_rate(&pace, time) == 100.0);
    for (int i = 1; i < WW_PACE_LOOKS; i++) {
        ww_pace_look(&pace, time += 1.0, value += 1.0);
        assert_true(ww_pace_rate(&pace, time) < 100.0);
    }
    assert_true(ww_pace_rate(&pace, time) == 1.0);
    assert_true(pace.count == WW_PACE_LOOKS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_known), cmocka_unit_test(test_rate),
        cmocka_unit_test(test_quiet),         cmocka_unit_test(test_anew),
        cmocka_unit_test(test_follows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
