// Curves and bars of text, and how fast something goes.

#include "cmocka_all.h"

#include "app/pace.h"
#include "app/sparkline.h"
#include "widthwise/store_look.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void check_curve(const double *values, size_t count, size_t cells, const ww_scale *scale,
                        bool unicode, const char *expected)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    ww_sparkline_print(stream, values, count, cells, scale, unicode);
    fclose(stream);
    assert_string_equal(text, expected);
    free(text);
}

static void check_bar(double fraction, size_t cells, bool unicode, const char *expected)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    ww_bar_print(stream, fraction, cells, unicode);
    fclose(stream);
    assert_string_equal(text, expected);
    free(text);
}

// Against the same in one fraction, which for these is exact.
static void test_spread(void **state)
{
    (void)state;
    static const int64_t counts[] = {1, 2, 3, 7, 100, 101, 4096, 10000000, 30000000000};
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++)
        for (int64_t taken = 1; taken <= 130 && taken <= counts[c]; taken++) {
            const int64_t count = counts[c];
            for (int64_t i = 0; i < taken; i++) {
                const int64_t place = ww_spread(i, taken, count);
                const int64_t exact = taken == 1 ? count - 1 : i * (count - 1) / (taken - 1);
                assert_true(place == exact);
            }
            assert_true(taken == 1 || ww_spread(0, taken, count) == 0);
            assert_true(ww_spread(taken - 1, taken, count) == count - 1);
        }
}

// The level is the number of the inner borders that a value has come to: seven, evenly between the
// ends.
static int slow_level(double low, double high, double value)
{
    int level = 0;
    for (int border = 1; border < WW_SPARKLINE_LEVELS; border++)
        if (value >= low + (high - low) * border / WW_SPARKLINE_LEVELS)
            level++;
    return level;
}

static void test_levels(void **state)
{
    (void)state;
    const ww_scale linear = {.low = -2.0, .high = 6.0};
    for (int i = -300; i <= 700; i++)
        assert_int_equal(ww_scale_level(&linear, 0.01 * i), slow_level(-2.0, 6.0, 0.01 * i));
    const ww_scale decades = {.low = 1e-8, .high = 1e8, .logarithmic = true};
    for (int i = -995; i <= 995; i++) {
        const double exponent = 0.01 * i + 0.005; // beside the borders, where roundings decide
        assert_int_equal(ww_scale_level(&decades, pow(10.0, exponent)),
                         slow_level(-8.0, 8.0, exponent));
    }
    assert_int_equal(ww_scale_level(&decades, 0.0), 0);
    assert_int_equal(ww_scale_level(&decades, -1.0), 0);
    assert_int_equal(ww_scale_level(&decades, INFINITY), WW_SPARKLINE_LEVELS - 1);
    assert_int_equal(ww_scale_level(&linear, -INFINITY), 0);
    assert_int_equal(ww_scale_level(&linear, NAN), -1);
}

static void test_scales(void **state)
{
    (void)state;
    const double values[] = {NAN, 3.0, -1.0, INFINITY, 0.0, 0.5};
    const ww_scale linear = ww_scale_of(values, 6, false);
    assert_true(linear.low == -1.0 && linear.high == 3.0 && !linear.logarithmic);
    const ww_scale logarithmic = ww_scale_of(values, 6, true);
    assert_true(logarithmic.low == 0.5 && logarithmic.high == 3.0 && logarithmic.logarithmic);
    // One value only, and none that has a place on a logarithmic scale.
    const ww_scale flat = ww_scale_of(values + 1, 1, true);
    assert_int_equal(ww_scale_level(&flat, 3.0), WW_SPARKLINE_LEVELS / 2);
    const ww_scale empty = ww_scale_of(values + 4, 1, true);
    assert_int_equal(ww_scale_level(&empty, 0.0), 0);
    assert_int_equal(ww_scale_level(&empty, INFINITY), WW_SPARKLINE_LEVELS - 1);
    assert_int_equal(ww_scale_level(&empty, NAN), -1);
}

static void test_curves(void **state)
{
    (void)state;
    const ww_scale scale = {.low = 0.0, .high = 8.0};
    const double values[] = {0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0};
    check_curve(values, 9, 9, &scale, true, "▁▂▃▄▅▆▇██");
    check_curve(values, 9, 9, &scale, false, ".:-=+*#@@");
    check_curve(values, 9, 5, &scale, false, ".-+#@"); // 0, 2, 4, 6, 8
    check_curve(values, 9, 1, &scale, false, "@");     // the newest
    check_curve(values, 3, 5, &scale, true, "▁▂▃  ");
    check_curve(values, 0, 3, &scale, true, "   ");
    const double gap[] = {8.0, NAN, 0.0};
    check_curve(gap, 3, 3, &scale, true, "█ ▁");
}

static void test_bars(void **state)
{
    (void)state;
    check_bar(0.0, 4, true, "    ");
    check_bar(0.5, 4, true, "██  ");
    check_bar(1.0, 4, true, "████");
    check_bar(0.5, 5, true, "██▌  ");
    check_bar(1.0 / 32.0, 4, true, "▏   ");
    check_bar(31.0 / 32.0, 4, true, "███▉");
    check_bar(0.999999, 4, true, "███▉"); // not yet
    check_bar(0.5, 4, false, "##..");
    check_bar(0.999999, 4, false, "###.");
    check_bar(1.0, 4, false, "####");
    check_bar(7.0, 2, true, "██");
    check_bar(-1.0, 2, true, "  ");
    check_bar(NAN, 2, true, "  ");
    check_bar(0.5, 0, true, "");
}

static void test_pace(void **state)
{
    (void)state;
    ww_pace pace = {0};
    assert_true(ww_pace_rate(&pace, 0.0) == 0.0 && isnan(ww_pace_left(&pace, 0.0, 10.0)));
    ww_pace_look(&pace, 0.0, 100.0); // of unknown age
    assert_true(ww_pace_rate(&pace, 1.0) == 0.0 && isnan(ww_pace_left(&pace, 1.0, 900.0)));
    ww_pace_look(&pace, 1.0, 100.0);
    ww_pace_look(&pace, 2.0, 300.0);
    assert_true(ww_pace_rate(&pace, 2.0) == 0.0 && isnan(ww_pace_left(&pace, 2.0, 900.0)));
    // From the second change on it is known, and the first look counts no more.
    ww_pace_look(&pace, 4.0, 400.0);
    assert_true(ww_pace_rate(&pace, 4.0) == 50.0);
    assert_true(ww_pace_left(&pace, 4.0, 900.0) == 10.0);
    // It counts down between changes, and the rate falls once they are overdue.
    assert_true(ww_pace_left(&pace, 7.0, 900.0) == 7.0);
    assert_true(ww_pace_rate(&pace, 8.0) == 50.0);
    assert_true(ww_pace_rate(&pace, 10.0) == 25.0);
    assert_true(ww_pace_left(&pace, 1e6, 900.0) > 1e6);
    // What is over takes no time; what goes back begins anew.
    assert_true(ww_pace_left(&pace, 4.0, 400.0) == 0.0);
    ww_pace_look(&pace, 12.0, 50.0);
    assert_true(ww_pace_rate(&pace, 12.0) == 0.0);
    ww_pace_look(&pace, 13.0, 60.0);
    assert_true(ww_pace_rate(&pace, 13.0) == 0.0);
    ww_pace_look(&pace, 15.0, 80.0);
    assert_true(ww_pace_rate(&pace, 15.0) == 10.0);
}

// A rate that changes is known after as many changes as are kept.
static void test_pace_follows(void **state)
{
    (void)state;
    ww_pace pace = {0};
    double time = 0.0;
    double value = 0.0;
    for (int i = 0; i < 20; i++)
        ww_pace_look(&pace, time += 1.0, value += 5.0);
    assert_true(ww_pace_rate(&pace, time) == 5.0);
    for (int i = 0; i < WW_PACE_LOOKS - 1; i++)
        ww_pace_look(&pace, time += 1.0, value += 2.0);
    assert_true(ww_pace_rate(&pace, time) == 2.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spread),      cmocka_unit_test(test_levels),
        cmocka_unit_test(test_scales),      cmocka_unit_test(test_curves),
        cmocka_unit_test(test_bars),        cmocka_unit_test(test_pace),
        cmocka_unit_test(test_pace_follows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
