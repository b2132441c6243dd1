#include "app/options.h"

#include "widthwise/memory.h"
#include "widthwise/text.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_OPTIONS = 32 };

static ww_status unknown_option(const char *command, const char *word, const ww_option *options,
                                size_t option_count, ww_error *error)
{
    const char *names[MOST_OPTIONS];
    WW_ASSERT(option_count <= MOST_OPTIONS);
    for (size_t i = 0; i < option_count; i++)
        names[i] = options[i].name;
    const char *nearest = ww_nearest(word, names, option_count);
    if (nearest != NULL)
        return ww_fail(error, WW_USAGE, "%s: unknown option `%s`; did you mean `%s`?", command,
                       word, nearest);
    return ww_fail(error, WW_USAGE, "%s: unknown option `%s`; `widthwise %s --help` lists them",
                   command, word, command);
}

static ww_status take_integer(const char *command, const char *name, const char *value,
                              int64_t *target, ww_error *error)
{
    char *end = NULL;
    errno = 0;
    const long long number = strtoll(value, &end, 10);
    if (end == value || *end != '\0' || errno != 0 || number < 0)
        return ww_fail(error, WW_USAGE,
                       "%s: option %s wants a whole number of at least 0, not `%s`", command, name,
                       value);
    *target = number;
    return WW_OK;
}

static ww_status append_text(ww_option_texts *list, const char *value, ww_error *error)
{
    const char **texts = realloc(list->texts, (list->count + 1) * sizeof *texts);
    if (texts == NULL)
        return ww_fail(error, WW_FAILED, "out of memory for the options");
    list->texts = texts;
    list->texts[list->count++] = value;
    return WW_OK;
}

// `unit` says what the number is of.
static ww_status take_amount(const char *command, const char *name, const char *unit,
                             const char *value, double *target, ww_error *error)
{
    char *end = NULL;
    const double number = strtod(value, &end);
    if (end == value || *end != '\0' || !(number > 0.0) || !isfinite(number))
        return ww_fail(error, WW_USAGE, "%s: %s wants a number of %s above 0, not `%s`", command,
                       name, unit, value);
    *target = number;
    return WW_OK;
}

static ww_status take_value(const char *command, const ww_option *option, const char *value,
                            ww_error *error)
{
    switch (option->kind) {
    case WW_OPTION_FLAG:
        return ww_fail(error, WW_USAGE, "%s: option %s takes no value", command, option->name);
    case WW_OPTION_MAYBE_TEXT:
        if (value[0] == '\0')
            return ww_fail(error, WW_USAGE, "%s: option %s= wants a value, or no `=`", command,
                           option->name);
        *(const char **)option->target = value;
        return WW_OK;
    case WW_OPTION_TEXT:
        *(const char **)option->target = value;
        return WW_OK;
    case WW_OPTION_INTEGER:
        return take_integer(command, option->name, value, option->target, error);
    case WW_OPTION_GIGABYTES:
        return take_amount(command, option->name, "gigabytes (10^9 bytes)", value, option->target,
                           error);
    case WW_OPTION_MAYBE_SECONDS:
        return take_amount(command, option->name, "seconds", value, option->target, error);
    case WW_OPTION_TEXTS:
        return append_text(option->target, value, error);
    }
    return WW_OK;
}

ww_status ww_options_parse(const char *command, const ww_option *options, size_t option_count,
                           int count, char **words, const char **operands, size_t most_operands,
                           ww_error *error)
{
    size_t operand_count = 0;
    bool options_ended = false;
    for (int i = 0; i < count; i++) {
        const char *word = words[i];
        if (options_ended || word[0] != '-' || word[1] == '\0') {
            if (operand_count == most_operands)
                return ww_fail(error, WW_USAGE,
                               "%s: `%s` is one word too many; `widthwise %s --help` "
                               "says what it takes",
                               command, word, command);
            operands[operand_count++] = word;
            continue;
        }
        if (strcmp(word, "--") == 0) {
            options_ended = true;
            continue;
        }
        const char *equals = strchr(word, '=');
        const size_t length = equals != NULL ? (size_t)(equals - word) : strlen(word);
        const ww_option *option = NULL;
        for (size_t j = 0; j < option_count; j++)
            if ((strlen(options[j].name) == length &&
                 strncmp(options[j].name, word, length) == 0) ||
                (options[j].short_name != NULL && strcmp(options[j].short_name, word) == 0))
                option = &options[j];
        if (option == NULL)
            return unknown_option(command, word, options, option_count, error);
        if (option->kind == WW_OPTION_FLAG && equals == NULL) {
            *(bool *)option->target = true;
            continue;
        }
        if (option->kind == WW_OPTION_MAYBE_TEXT && equals == NULL) {
            *(const char **)option->target = "";
            continue;
        }
        if (option->kind == WW_OPTION_MAYBE_SECONDS && equals == NULL) {
            *(double *)option->target = 0.0;
            continue;
        }
        if (equals == NULL && i + 1 == count)
            return ww_fail(error, WW_USAGE, "%s: option %s wants a value", command, option->name);
        WW_TRY(take_value(command, option, equals != NULL ? equals + 1 : words[++i], error));
    }
    return WW_OK;
}

char *ww_command_text(const char *command, int count, char **words, ww_error *error)
{
    char *text = ww_format(error, "widthwise %s", command);
    for (int i = 0; text != NULL && i < count; i++) {
        char *longer = ww_format(error, "%s %s", text, words[i]);
        free(text);
        text = longer;
    }
    return text;
}
