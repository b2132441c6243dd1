// Durations in the scheduler's forms.

#include "cmocka_all.h"

#include "app/ending.h"

#include <math.h>
#include <string.h>

static void forms(void **state)
{
    (void)state;
    const struct {
        const char *text;
        double seconds;
    } table[] = {
        {"90", 5400.0},          {"1:30", 90.0},
        {"0:05", 5.0},           {"2:00:00", 7200.0},
        {"0:00:01", 1.0},        {"1-0", 86400.0},
        {"1-12", 129600.0},      {"2-01:30", 178200.0},
        {"1-02:03:04", 93784.0}, {"none", (double)INFINITY},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        double seconds = -1.0;
        ww_error error = {0};
        assert_int_equal(ww_wall_time_parse(table[i].text, &seconds, &error), WW_OK);
        assert_true(seconds == table[i].seconds);
    }
}

static void not_durations(void **state)
{
    (void)state;
    const char *const texts[] = {"",     "x",     "1x",  "-5",  "1:",  ":30",       "1:2:3:4",
                                 "1-",   "1-2-3", "1.5", " 10", "10 ", "1-2:3:4:5", "0",
                                 "0:00", "0-0",   "+5",  "1e3", "1:-2"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        double seconds = 0.0;
        ww_error error = {0};
        assert_int_equal(ww_wall_time_parse(texts[i], &seconds, &error), WW_USAGE);
        assert_non_null(strstr(error.message, texts[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(forms), cmocka_unit_test(not_durations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
