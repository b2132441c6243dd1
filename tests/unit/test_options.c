// Command lines.

#include "cmocka_all.h"

#include "app/options.h"

#include <stdlib.h>
#include <string.h>

typedef struct parsed {
    bool force;
    const char *output;
    int64_t member;
    ww_option_texts settings;
    const char *profile;
    double tune;
    const char *operands[1];
} parsed;

static ww_status parse(parsed *result, const char *const *words, int count, ww_error *error)
{
    *result = (parsed){.member = -1, .tune = -1.0};
    const ww_option options[] = {
        {"--force", NULL, WW_OPTION_FLAG, &result->force},
        {"--output", "-o", WW_OPTION_TEXT, &result->output},
        {"--member", NULL, WW_OPTION_INTEGER, &result->member},
        {"--set", NULL, WW_OPTION_TEXTS, &result->settings},
        {"--profile", NULL, WW_OPTION_MAYBE_TEXT, &result->profile},
        {"--tune", NULL, WW_OPTION_MAYBE_SECONDS, &result->tune},
    };
    char *copies[8];
    for (int i = 0; i < count; i++)
        copies[i] = strdup(words[i]);
    const ww_status status = ww_options_parse("run", options, sizeof options / sizeof options[0],
                                              count, copies, result->operands, 1, error);
    if (status == WW_OK && result->output != NULL)
        assert_string_equal(result->output, "f.h5");
    if (status == WW_OK && result->operands[0] != NULL)
        assert_string_equal(result->operands[0], "c.yaml");
    if (status == WW_OK && result->profile != NULL)
        assert_string_equal(result->profile, result->member == 3 ? "" : "p.json");
    if (status == WW_OK && result->settings.count == 2) {
        assert_string_equal(result->settings.texts[0], "a=1");
        assert_string_equal(result->settings.texts[1], "b=[x, y]");
    }
    for (int i = 0; i < count; i++)
        free(copies[i]);
    free(result->settings.texts);
    return status;
}

static void test_all_forms(void **state)
{
    (void)state;
    ww_error error = {0};
    parsed result;
    const char *const words[] = {"--set",          "a=1",     "c.yaml",    "-o", "f.h5",
                                 "--set=b=[x, y]", "--force", "--member=3"};
    assert_int_equal(parse(&result, words, 8, &error), WW_OK);
    assert_true(result.force);
    assert_int_equal(result.member, 3);
    assert_int_equal(result.settings.count, 2);
    assert_non_null(result.output);
    assert_non_null(result.operands[0]);
    assert_int_equal(parse(&result, NULL, 0, &error), WW_OK);
    assert_int_equal(result.member, -1);
    const char *const ended[] = {"--output=f.h5", "--", "c.yaml"};
    assert_int_equal(parse(&result, ended, 3, &error), WW_OK);
    assert_non_null(result.operands[0]);
}

static void test_a_value_that_may_be_missing(void **state)
{
    (void)state;
    ww_error error = {0};
    parsed result;
    const char *const without[] = {"--member=3", "--profile", "c.yaml"}; // which is no value of it
    assert_int_equal(parse(&result, without, 3, &error), WW_OK);
    assert_non_null(result.profile);
    assert_non_null(result.operands[0]);
    const char *const with[] = {"--profile=p.json", "c.yaml"};
    assert_int_equal(parse(&result, with, 2, &error), WW_OK);
    assert_non_null(result.profile);
    assert_int_equal(parse(&result, with + 1, 1, &error), WW_OK);
    assert_null(result.profile);
    assert_true(result.tune == -1.0);
    const char *const some[] = {"--tune=2.5"};
    assert_int_equal(parse(&result, some, 1, &error), WW_OK);
    assert_true(result.tune == 2.5);
    const char *const no_number[] = {"--tune", "c.yaml"};
    assert_int_equal(parse(&result, no_number, 2, &error), WW_OK);
    assert_true(result.tune == 0.0);
    assert_non_null(result.operands[0]);
}

static void test_mistakes(void **state)
{
    (void)state;
    static const struct {
        const char *words[2];
        int count;
        const char *says;
    } cases[] = {
        {{"--forse"}, 1, "`--force`"},
        {{"--zzzzzzzz"}, 1, "--help"},
        {{"--output"}, 1, "wants a value"},
        {{"--member", "x"}, 2, "whole number"},
        {{"--member=-1"}, 1, "at least 0"},
        {{"--force=yes"}, 1, "takes no value"},
        {{"c.yaml", "d.yaml"}, 2, "d.yaml"},
        {{"--member", "99999999999999999999"}, 2, "whole"},
        {{"--profile="}, 1, "wants a value"},
        {{"--tune=0"}, 1, "a number of seconds above 0"},
        {{"--tune=inf"}, 1, "a number of seconds above 0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ww_error error = {0};
        parsed result;
        assert_int_equal(parse(&result, cases[i].words, cases[i].count, &error), WW_USAGE);
        if (strstr(error.message, cases[i].says) == NULL)
            fail_msg("`%s` should say `%s`", error.message, cases[i].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_forms),
        cmocka_unit_test(test_a_value_that_may_be_missing),
        cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
