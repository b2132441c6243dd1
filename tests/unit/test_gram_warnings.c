// What is said of a Gram matrix whose numbers are not as good as they seem.

#include "cmocka_all.h"

#include "app/gram_warnings.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SAMPLES = 40, TEXT = 4096 };

typedef void (*warn)(const ww_gram_work *work, ww_progress *progress);

// A plan with everything, and values that nothing is to be said of.
typedef struct fixture {
    ww_gram_plan plan;
    ww_gram_work work;
    double *values;
    ww_progress progress;
    char text[TEXT];
} fixture;

static void put(fixture *self, int field, double value)
{
    *ww_gram_values(&self->plan, self->values, field) = value;
}

static void setup(fixture *self)
{
    *self = (fixture){.plan = {.samples = SAMPLES,
                               .outputs = 1,
                               .test_samples = 3,
                               .has_set = {true, true, true, true},
                               .has_spectrum = true,
                               .has_vectors = true,
                               .has_network = true},
                      .progress = {.leads = true, .name = "a", .member_count = 1}};
    ww_gram_plan_list(&self->plan);
    self->values = calloc((size_t)self->plan.values, sizeof *self->values);
    assert_non_null(self->values);
    self->work =
        (ww_gram_work){.plan = &self->plan, .values = self->values, .difference_residual = 1e-12};
    put(self, WW_GRAM_LAMBDA_MIN, 1e-3);
    put(self, WW_GRAM_LAMBDA_MAX, 10.0);
    put(self, WW_GRAM_SEPARATION, 0.1);
    put(self, WW_GRAM_INITIAL_SPECTRAL_DIFFERENCE, 1.0);
}

// What is printed meanwhile.
static const char *said(fixture *self, warn function)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    (void)fflush(stderr);
    const int kept = dup(STDERR_FILENO);
    assert_true(kept >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
    function(&self->work, &self->progress);
    (void)fflush(stderr);
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    (void)close(kept);
    rewind(file);
    const size_t size = fread(self->text, 1, TEXT - 1, file);
    self->text[size] = '\0';
    (void)fclose(file);
    return self->text;
}

static void test_good_numbers_are_no_news(void **state)
{
    (void)state;
    fixture self;
    setup(&self);
    assert_string_equal(said(&self, ww_gram_warn_of_solution), "");
    assert_string_equal(said(&self, ww_gram_warn_of_spectrum), "");
    assert_string_equal(said(&self, ww_gram_warn_of_difference), "");
    free(self.values);
}

static void test_residuals_are_judged(void **state)
{
    (void)state;
    const double bad[] = {1e-2, (double)INFINITY, (double)NAN};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        static const struct {
            int field;
            warn function;
            const char *words;
        } cases[] = {
            {WW_GRAM_LAMBDA_MIN_RESIDUAL, ww_gram_warn_of_solution, "lambda_min_residual is "},
            {WW_GRAM_LAMBDA_MAX_RESIDUAL, ww_gram_warn_of_solution, "lambda_max_residual is "},
            {WW_GRAM_SOLVE_RESIDUAL + WW_LABEL_SET_RANDOM, ww_gram_warn_of_solution,
             "solve_residual_random is "},
            {WW_GRAM_EIGEN_RESIDUAL, ww_gram_warn_of_spectrum, "eigen_residual is "},
            {WW_GRAM_EIGEN_ORTHOGONALITY, ww_gram_warn_of_spectrum, "eigen_orthogonality "},
        };
        for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
            fixture self;
            setup(&self);
            put(&self, cases[c].field, bad[i]);
            assert_non_null(strstr(said(&self, cases[c].function), cases[c].words));
            free(self.values);
        }
        fixture self;
        setup(&self);
        self.work.difference_residual = bad[i];
        assert_non_null(strstr(said(&self, ww_gram_warn_of_difference), "did not converge"));
        free(self.values);
    }
}

static void test_singular_matrices_have_causes(void **state)
{
    (void)state;
    fixture self;
    setup(&self);
    put(&self, WW_GRAM_LAMBDA_MIN, 4e-14);
    put(&self, WW_GRAM_QUADRATIC_FORM + WW_LABEL_SET_RANDOM, (double)INFINITY);
    put(&self, WW_GRAM_QUADRATIC_FORM + WW_LABEL_SET_WORST_CASE, (double)INFINITY);
    put(&self, WW_GRAM_SOLVE_RESIDUAL + WW_LABEL_SET_RANDOM, 0.5);
    put(&self, WW_GRAM_SOLVE_RESIDUAL + WW_LABEL_SET_WORST_CASE, (double)NAN);
    const char *text = said(&self, ww_gram_warn_of_solution);
    assert_non_null(strstr(text, "is singular"));
    assert_non_null(strstr(text, "the closest two training samples are 0.1 apart"));
    assert_non_null(strstr(text, "in its range (train, true)"));
    assert_non_null(strstr(text, "for others (random, worst_case)"));
    assert_null(strstr(text, "solve_residual")); // there is no solution
    put(&self, WW_GRAM_COINCIDENT_SAMPLES, 2.0);
    put(&self, WW_GRAM_COINCIDENT_FIRST, 4.0);
    put(&self, WW_GRAM_COINCIDENT_SECOND, 17.0);
    put(&self, WW_GRAM_ZERO_SAMPLES, 1.0);
    put(&self, WW_GRAM_ZERO_FIRST, 8.0);
    text = said(&self, ww_gram_warn_of_solution);
    assert_non_null(strstr(text, "2 training samples repeat another one"));
    assert_non_null(strstr(text, "first sample 17 that of 4 (counted from 0) and 1 is zero"));
    assert_null(strstr(text, "apart"));
    assert_true(text[strlen(text) - 1] == '\n' && strstr(text, "are infinite\n") != NULL);
    // To rounding, and not a digit further.
    put(&self, WW_GRAM_LAMBDA_MIN, 4.5e-14);
    assert_null(strstr(said(&self, ww_gram_warn_of_solution), "singular"));
    free(self.values);
}

static void test_worst_case_labels(void **state)
{
    (void)state;
    char text[512];
    ww_gram_worst_case_warning(&(ww_worst_case){1e-3, 10.0, 1e-14, false}, text, sizeof text);
    assert_string_equal(text, "");
    ww_gram_worst_case_warning(&(ww_worst_case){1e-17, 10.0, 1e-14, true}, text, sizeof text);
    assert_non_null(strstr(text, "singular"));
    ww_gram_worst_case_warning(&(ww_worst_case){1e-3, 10.0, 1e-4, false}, text, sizeof text);
    assert_non_null(strstr(text, "found to no more than"));
    ww_gram_worst_case_warning(&(ww_worst_case){1e-3, 10.0, (double)NAN, false}, text, sizeof text);
    assert_non_null(strstr(text, "found to no more than"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_numbers_are_no_news),
        cmocka_unit_test(test_residuals_are_judged),
        cmocka_unit_test(test_singular_matrices_have_causes),
        cmocka_unit_test(test_worst_case_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
