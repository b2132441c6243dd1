// Plans of measurements: names, places of values, stop rules.

#include "cmocka_all.h"

#include "widthwise/measure.h"

#include <math.h>
#include <string.h>

// Shape of a data set, for plans.
static const ww_dataset shape = {
    .dimension = 10, .classes = 2, .outputs = 2, .train = {.count = 5}, .test = {.count = 4}};

static void test_unknown_names_are_errors(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"measure.quantities=[couplin]", "`coupling`"},
        {"measure.final=[update_spectrun]", "`update_spectrum`"},
        {"training.stop={test_acuracy: 0.9}", "`test_accuracy`"},
        {"measure.quantities=[zzzzzzzzzzzz]", "list quantities"},
        {"measure.quantities=[loss, residual]", "set loss: squared"},
        {"training.stop={train_outputs: 1}", "is an array"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ww_experiment experiment;
        ww_measure_plan *plan = NULL;
        ww_error error = {0};
        const char *const settings[] = {wrong[i][0]};
        assert_int_equal(ww_experiment_parse("", "test", ".", settings, 1, &experiment, &error),
                         WW_OK);
        assert_int_equal(ww_measure_plan_make(&experiment.members[0], &shape, &plan, &error),
                         WW_USAGE);
        if (strstr(error.message, wrong[i][1]) == NULL)
            fail_msg("`%s` should name %s", error.message, wrong[i][1]);
        ww_experiment_free(&experiment);
    }
}

static void test_arrays_have_their_place(void **state)
{
    (void)state;
    static const char *const settings[] = {
        "model=arora", "measure.quantities=[test_outputs, residual, train_outputs, loss]",
        "training.stop={residual: 0.5}"};
    ww_experiment experiment;
    ww_measure_plan *plan = NULL;
    ww_error error = {0};
    assert_int_equal(ww_experiment_parse("", "test", ".", settings, 3, &experiment, &error), WW_OK);
    ww_config *config = &experiment.members[0];
    ww_dataset one = shape;
    one.outputs = 1;
    for (int outputs = 1; outputs <= 2; outputs++) {
        one.outputs = outputs;
        assert_int_equal(ww_measure_plan_make(config, &one, &plan, &error), WW_OK);
        size_t count = 0;
        const ww_field *fields = ww_measure_trajectory(plan, &count);
        assert_int_equal(count, 4);
        assert_string_equal(fields[0].units, "1");
        assert_string_equal(fields[2].name, "train_outputs");
        assert_int_equal(fields[2].rank, outputs);
        assert_int_equal(ww_field_size(&fields[2]), 5 * outputs);
        assert_int_equal(ww_measure_values(plan), 2 + 9 * outputs);
        double values[20] = {0.75, 0.5}; // loss, residual, then the arrays
        assert_true(ww_measure_value(plan, values, "residual") == 0.5);
        assert_true(isnan(ww_measure_value(plan, values, "test_outputs")));
        assert_string_equal(ww_measure_stop(plan, config, values)->quantity, "residual");
        ww_measure_plan_free(plan);
    }
    config->replicas = 5; // an axis more than a file has for several outputs
    assert_int_equal(ww_measure_plan_make(config, &one, &plan, &error), WW_USAGE);
    assert_non_null(strstr(error.message, "2 outputs"));
    ww_experiment_free(&experiment);
}

// `all` is all single numbers; arrays, and the Gram matrix, can stand beside it.
static void test_all_and_more(void **state)
{
    (void)state;
    static const char *const choices[][2] = {
        {"measure.quantities=all", "measure.final=all"},
        {"measure.quantities=[all, train_outputs]", "measure.final=[all, gram]"}};
    size_t quantities[2] = {0}, results[2] = {0};
    for (int i = 0; i < 2; i++) {
        const char *const settings[] = {"model=arora", choices[i][0], choices[i][1]};
        ww_experiment experiment;
        ww_measure_plan *plan = NULL;
        ww_error error = {0};
        assert_int_equal(ww_experiment_parse("", "test", ".", settings, 3, &experiment, &error),
                         WW_OK);
        assert_int_equal(ww_config_wants_gram(&experiment.members[0]), i == 1);
        assert_int_equal(ww_measure_plan_make(&experiment.members[0], &shape, &plan, &error),
                         WW_OK);
        (void)ww_measure_trajectory(plan, &quantities[i]);
        (void)ww_measure_final(plan, &results[i]);
        ww_measure_plan_free(plan);
        ww_experiment_free(&experiment);
    }
    assert_int_equal(quantities[1], quantities[0] + 1);
    assert_int_equal(results[1], results[0]);
}

static void test_stop_rules(void **state)
{
    (void)state;
    static const char *const settings[] = {"training.stop={test_accuracy: 0.9, loss: 0.5}",
                                           "measure.quantities=[distance]"};
    ww_experiment experiment;
    ww_measure_plan *plan = NULL;
    ww_error error = {0};
    assert_int_equal(ww_experiment_parse("", "test", ".", settings, 2, &experiment, &error), WW_OK);
    const ww_config *config = &experiment.members[0];
    assert_int_equal(ww_measure_plan_make(config, &shape, &plan, &error), WW_OK);
    size_t count = 0;
    const ww_field *fields = ww_measure_trajectory(plan, &count);
    double values[8];
    const double accuracies[] = {0.89, 0.9, 0.5};
    const double losses[] = {0.51, 0.51, 0.5};
    const char *const fires[] = {NULL, "test_accuracy", "loss"};
    for (int c = 0; c < 3; c++) {
        for (size_t i = 0; i < count; i++)
            values[i] = strcmp(fields[i].name, "loss") == 0            ? losses[c]
                        : strcmp(fields[i].name, "test_accuracy") == 0 ? accuracies[c]
                                                                       : 0.0;
        const ww_stop_rule *rule = ww_measure_stop(plan, config, values);
        if (fires[c] == NULL)
            assert_null(rule);
        else
            assert_string_equal(rule->quantity, fires[c]);
    }
    ww_measure_plan_free(plan);
    ww_experiment_free(&experiment);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown_names_are_errors),
        cmocka_unit_test(test_arrays_have_their_place),
        cmocka_unit_test(test_all_and_more),
        cmocka_unit_test(test_stop_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
