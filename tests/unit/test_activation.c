// Every version of the activation gives the bits of the plain branch that says what it is.

#include "cmocka_all.h"
#include "network/activation_versions.h"
#include "widthwise/network.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { MOST = 77 };

static const double specials[] = {0.0,     -0.0,     1.0,       -1.0,       DBL_MIN,  -DBL_MIN,
                                  DBL_MAX, -DBL_MAX, 0x1p-1074, -0x1p-1074, INFINITY, -INFINITY,
                                  NAN,     -NAN,     0.3,       -0.3};

// Values of all kinds in an order without a period that vectors have.
static void fill(double *values, size_t count, size_t phase)
{
    const size_t kinds = sizeof specials / sizeof specials[0];
    for (size_t i = 0; i < count; i++)
        values[i] =
            i % 3 == 1 ? sin((double)(1 + 7 * i + phase)) : specials[(5 * i + phase) % kinds];
}

static double plain(double slope, double z, bool positive)
{
    return positive ? z : slope * z;
}

static void test_versions(void **state)
{
    (void)state;
    const double slopes[] = {0.0, 0.1, 1.0};
    for (int version = 0; version < WW_VERSIONS; version++) {
        if (!ww_version_is_here((ww_version)version))
            continue;
        const ww_activation_version *here = &ww_activation_versions[version];
        for (size_t count = 0; count <= MOST; count++)
            for (size_t s = 0; s < sizeof slopes / sizeof slopes[0]; s++) {
                double values[MOST + 2], changed[MOST + 2], chosen[MOST + 2];
                uint8_t active[MOST + 2], alone[MOST + 2], given[MOST];
                const size_t place = count % 2; // one place more than vectors are aligned to
                fill(values, MOST + 2, count + s);
                memcpy(changed, values, sizeof values);
                memcpy(chosen, values, sizeof values);
                memset(active, 9, sizeof active);
                memset(alone, 9, sizeof alone);
                for (size_t i = 0; i < MOST; i++)
                    given[i] = (i * i + count) % 3 == 0;
                here->activate(slopes[s], changed + place, count, active + place);
                here->patterns(values + place, count, alone + place);
                here->activate_by(slopes[s], given, values + place, count, chosen + place);
                assert_memory_equal(active, alone, sizeof active);
                for (size_t i = 0; i < MOST + 2; i++) {
                    const bool inside = i >= place && i < place + count;
                    const double z = values[i];
                    const double expected = inside ? plain(slopes[s], z, z >= 0.0) : z;
                    const double by = inside ? plain(slopes[s], z, given[i - place] != 0) : z;
                    assert_memory_equal(&changed[i], &expected, sizeof expected);
                    assert_memory_equal(&chosen[i], &by, sizeof by);
                    assert_int_equal(active[i], inside ? z >= 0.0 : 9);
                }
            }
    }
}

static void test_what_is_called(void **state)
{
    (void)state;
    double values[MOST], changed[MOST], chosen[MOST];
    uint8_t active[MOST], patterns[MOST];
    fill(values, MOST, 0);
    memcpy(changed, values, sizeof values);
    ww_activate(0.25, changed, MOST, active);
    ww_patterns(values, MOST, patterns);
    ww_activate_by(0.25, patterns, values, MOST, chosen);
    assert_memory_equal(active, patterns, sizeof active);
    assert_memory_equal(changed, chosen, sizeof changed);
    assert_true(active[0] == 1 && changed[1] == (values[1] >= 0.0 ? values[1] : 0.25 * values[1]));
}

static void test_best_is_here(void **state)
{
    (void)state;
    assert_true(ww_version_is_here(WW_VERSION_PLAIN));
    assert_true(ww_version_is_here(ww_version_best()));
    for (int version = (int)ww_version_best() + 1; version < WW_VERSIONS; version++)
        assert_false(ww_version_is_here((ww_version)version));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_what_is_called),
        cmocka_unit_test(test_best_is_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
