// Warnings before a run where a condition of the theory is not met.

#include "app/conditions.h"
#include "cmocka_all.h"
#include "small_problem.h"

#include <stdio.h>
#include <string.h>

// What is said of a small set with that separator.
static void report(const char *loss, ww_separator separator, char *text, size_t size)
{
    const char *const settings[] = {"model=brutzkus", "data.train=20", loss};
    small_problem small;
    ww_error error = {0};
    int count = -1;
    if (!small_problem_make(&small, MPI_COMM_SELF, settings, 3, 20, 10, 4, 2, &error))
        fail_msg("%s", error.message);
    small.data.separator = separator;
    FILE *stream = fmemopen(text, size, "w");
    assert_non_null(stream);
    assert_int_equal(ww_conditions_print(small.problem.config, &small.data, stream, &count, &error),
                     WW_OK);
    fclose(stream);
    assert_int_equal(count > 0, text[0] != '\0');
    small_problem_free(&small);
}

static void test_data_that_are_not_separable(void **state)
{
    (void)state;
    char text[2048] = "";
    report("loss=hinge", (ww_separator){.sought = true, .lower = 2.0, .upper = 2.5}, text,
           sizeof text);
    assert_string_equal(text, "");
    report("loss=hinge", (ww_separator){.sought = true, .lower = 321.0, .upper = INFINITY}, text,
           sizeof text);
    assert_non_null(strstr(text, "linear separability (BR section 2)"));
    assert_non_null(strstr(text, "321 at least"));
    assert_non_null(strstr(text, "do not apply"));
    assert_null(strstr(text, "step size")); // of which a loss without curvature has no limit
    report("loss=hinge", (ww_separator){.sought = true, .lower = INFINITY, .upper = INFINITY}, text,
           sizeof text);
    assert_non_null(strstr(text, "there is none"));
    text[0] = '\0';
    report("loss=squared", (ww_separator){.sought = false, .upper = INFINITY}, text, sizeof text);
    assert_null(strstr(text, "separability"));
}

int main(int count, char **words)
{
    MPI_Init(&count, &words);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_data_that_are_not_separable)};
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
