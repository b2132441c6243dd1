/// Parsing of short configurations, for the tests of src/config.
#ifndef WIDTHWISE_TESTS_CONFIG_SUPPORT_H
#define WIDTHWISE_TESTS_CONFIG_SUPPORT_H

#include "cmocka_all.h"
#include "config/keys.h"
#include "config/value.h"
#include "widthwise/config.h"

#include <string.h>

/// Parses `text` with up to three settings (NULL where there are fewer), and demands success.
static inline ww_experiment parse_with(const char *text, const char *first, const char *second,
                                       const char *third)
{
    const char *const settings[] = {first, second, third};
    const size_t count = first == NULL ? 0 : second == NULL ? 1 : third == NULL ? 2 : 3;
    ww_experiment experiment;
    ww_error error = {0};
    if (ww_experiment_parse(text, "test.yaml", "/folder", settings, count, &experiment, &error) !=
        WW_OK)
        fail_msg("refused: %s\n%s", error.message, text);
    return experiment;
}

static inline ww_experiment parse(const char *text)
{
    return parse_with(text, NULL, NULL, NULL);
}

/// Demands that `text` with one setting (or NULL) is refused, and that the message has all of the
/// strings in `wanted` (which ends with NULL) and is one line.
static inline void expect_refused(const char *text, const char *setting, const char *const *wanted)
{
    ww_experiment experiment;
    memset(&experiment, 0x5A, sizeof experiment);
    ww_error error = {0};
    const ww_status status = ww_experiment_parse(text, "test.yaml", "/folder", &setting,
                                                 setting == NULL ? 0 : 1, &experiment, &error);
    if (status != WW_USAGE)
        fail_msg("status %d for\n%s\n--set %s", (int)status, text, setting);
    assert_int_equal(error.status, WW_USAGE);
    assert_int_equal(experiment.count, 0);
    assert_null(experiment.members);
    for (; *wanted != NULL; wanted++)
        if (strstr(error.message, *wanted) == NULL)
            fail_msg("\"%s\" is not in the message\n%s\nfor\n%s", *wanted, error.message, text);
    assert_null(strchr(error.message, '\n'));
}

/// Demands that two configurations have the same value of every key.
static inline void expect_equal(const ww_config *a, const ww_config *b)
{
    for (size_t index = 0; index < ww_key_count(); index++)
        if (!ww_value_equal(ww_key_at(index), a, b))
            fail_msg("%s differs", ww_key_at(index)->path);
}

#endif
