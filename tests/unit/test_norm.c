// The Euclidean norm, at both ends of the range of a double.

#include "cmocka_all.h"

#include "widthwise/norm.h"

#include <float.h>
#include <math.h>

static void test_usual(void **state)
{
    (void)state;
    const double values[] = {3.0, -4.0, 12.0, 84.0};
    assert_true(ww_norm(values, 1) == 3.0);
    assert_true(ww_norm(values, 2) == 5.0);
    assert_true(ww_norm(values, 3) == 13.0);
    assert_true(ww_norm(values, 4) == 85.0);
    assert_true(ww_norm(values, 0) == 0.0);
}

/// Powers of two change nothing but the exponent, as far as it goes.
static void test_range(void **state)
{
    (void)state;
    double values[5] = {0.0};
    const double numbers[5] = {0.3, -0.7, 0.11, 0.05, -0.9};
    const double expected = ww_norm(numbers, 5);
    for (int exponent = -1000; exponent <= 1023; exponent++) {
        for (int i = 0; i < 5; i++)
            values[i] = ldexp(numbers[i], exponent);
        assert_true(ww_norm(values, 5) == ldexp(expected, exponent));
    }
    for (int i = 0; i < 5; i++)
        values[i] = 3.0 * DBL_TRUE_MIN; // the last digits of all
    assert_true(ww_norm(values, 5) == 7.0 * DBL_TRUE_MIN);
}

static void test_no_number(void **state)
{
    (void)state;
    const double large[] = {DBL_MAX, -DBL_MAX};
    const double infinite[] = {1.0, -INFINITY};
    const double none[] = {0.0, NAN};
    assert_true(ww_norm(large, 1) == DBL_MAX);
    assert_true(isinf(ww_norm(large, 2)));
    assert_true(isinf(ww_norm(infinite, 2)));
    assert_true(isnan(ww_norm(none, 2)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usual),
        cmocka_unit_test(test_range),
        cmocka_unit_test(test_no_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
