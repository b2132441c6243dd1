// Values as text: YAML that reads back to the same value, and what a key wants, in words.
#include "config/value.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

// True for a text that every YAML reader takes for this very text without quotes.
static bool is_plain_word(const char *text)
{
    // YAML 1.1 reads these as something else.
    static const char *const reserved[] = {"null", "true", "false", "yes", "no",
                                           "on",   "off",  "y",     "n"};
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
        if (strcasecmp(text, reserved[i]) == 0)
            return false;
    for (const char *letter = text; *letter != '\0'; letter++) {
        const bool first = (*letter >= 'a' && *letter <= 'z') ||
                           (*letter >= 'A' && *letter <= 'Z') || *letter == '_' || *letter == '/';
        const bool later = (*letter >= '0' && *letter <= '9') || *letter == '-' || *letter == '.';
        if (!first && (!later || letter == text))
            return false;
    }
    return text[0] != '\0';
}

static void print_text(const char *text, FILE *stream)
{
    if (is_plain_word(text)) {
        fputs(text, stream);
        return;
    }
    fputc('"', stream);
    while (*text != '\0') {
        const int32_t character = ww_next_character(&text);
        WW_ASSERT(character > 0); // checked where it was read
        if (character == '"' || character == '\\')
            fprintf(stream, "\\%c", (int)character);
        else if (character >= 0x20 && character < 0x7F)
            fputc((int)character, stream);
        else if (character < 0x10000)
            fprintf(stream, "\\u%04X", (unsigned)character);
        else
            fprintf(stream, "\\U%08X", (unsigned)character);
    }
    fputc('"', stream);
}

// The shortest digits that read back to the same double, with a decimal point: without one,
// YAML 1.1 readers take 1e-05 for a text.
static void print_real(double value, FILE *stream)
{
    char digits[64];
    for (int precision = 15; precision <= 17; precision++) {
        (void)snprintf(digits, sizeof digits, "%.*g", precision, value);
        if (strtod(digits, NULL) == value)
            break;
    }
    const char *exponent = strchr(digits, 'e');
    if (strchr(digits, '.') != NULL || strpbrk(digits, "in") != NULL)
        fputs(digits, stream);
    else if (exponent == NULL)
        fprintf(stream, "%s.0", digits);
    else
        fprintf(stream, "%.*s.0%s", (int)(exponent - digits), digits, exponent);
}

void ww_value_print(const ww_key *key, const ww_config *config, FILE *stream)
{
    const void *value = ww_key_value(key, config);
    const char *comma = "";
    switch (key->type) {
    case WW_KEY_SAMPLES:
    case WW_KEY_INTEGER:
        if (key->type == WW_KEY_SAMPLES && *(const int64_t *)value == WW_ALL_SAMPLES)
            fputs("all", stream);
        else
            fprintf(stream, "%lld", (long long)*(const int64_t *)value);
        break;
    case WW_KEY_REAL:
        print_real(*(const double *)value, stream);
        break;
    case WW_KEY_BOOLEAN:
        fputs(*(const bool *)value ? "true" : "false", stream);
        break;
    case WW_KEY_NAME:
    case WW_KEY_TEXT:
    case WW_KEY_PATH:
        print_text(*(char *const *)value, stream);
        break;
    case WW_KEY_CHOICE:
        print_text(key->choices[*(const int *)value], stream);
        break;
    case WW_KEY_INTEGER_LIST: {
        const ww_integer_list *list = value;
        fputc('[', stream);
        for (size_t i = 0; i < list->count; i++, comma = ", ")
            fprintf(stream, "%s%lld", comma, (long long)list->values[i]);
        fputc(']', stream);
        break;
    }
    case WW_KEY_REAL_LIST: {
        const ww_real_list *list = value;
        fputc('[', stream);
        for (size_t i = 0; i < list->count; i++, comma = ", ") {
            fputs(comma, stream);
            print_real(list->values[i], stream);
        }
        fputc(']', stream);
        break;
    }
    case WW_KEY_CHOICE_LIST:
        fputc('[', stream);
        for (int choice = 0; key->choices[choice] != NULL; choice++) {
            if ((*(const int *)value >> choice & 1) == 0)
                continue;
            fputs(comma, stream);
            print_text(key->choices[choice], stream);
            comma = ", ";
        }
        fputc(']', stream);
        break;
    case WW_KEY_TEXT_LIST:
    case WW_KEY_WORD_LIST: {
        const ww_word_list *list = value;
        fputc('[', stream);
        for (size_t i = 0; i < list->count; i++, comma = ", ") {
            fputs(comma, stream);
            print_text(list->words[i], stream);
        }
        fputc(']', stream);
        break;
    }
    case WW_KEY_STOP_RULES: {
        const ww_stop_rules *stop = value;
        fputc('{', stream);
        for (size_t i = 0; i < stop->count; i++, comma = ", ") {
            fputs(comma, stream);
            print_text(stop->rules[i].quantity, stream);
            fputs(": ", stream);
            print_real(stop->rules[i].threshold, stream);
        }
        fputc('}', stream);
        break;
    }
    }
}

static bool equal_texts(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool equal_words(const ww_word_list *a, const ww_word_list *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->words[i], b->words[i]) != 0)
            return false;
    return true;
}

static bool equal_rules(const ww_stop_rules *a, const ww_stop_rules *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->rules[i].quantity, b->rules[i].quantity) != 0 ||
            a->rules[i].threshold != b->rules[i].threshold)
            return false;
    return true;
}

static bool equal_integers(const ww_integer_list *a, const ww_integer_list *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (a->values[i] != b->values[i])
            return false;
    return true;
}

static bool equal_reals(const ww_real_list *a, const ww_real_list *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (a->values[i] != b->values[i])
            return false;
    return true;
}

bool ww_value_equal(const ww_key *key, const ww_config *a, const ww_config *b)
{
    const void *x = ww_key_value(key, a), *y = ww_key_value(key, b);
    switch (key->type) {
    case WW_KEY_SAMPLES:
    case WW_KEY_INTEGER:
        return *(const int64_t *)x == *(const int64_t *)y;
    case WW_KEY_REAL:
        return *(const double *)x == *(const double *)y;
    case WW_KEY_BOOLEAN:
        return *(const bool *)x == *(const bool *)y;
    case WW_KEY_NAME:
    case WW_KEY_TEXT:
    case WW_KEY_PATH:
        return equal_texts(*(char *const *)x, *(char *const *)y);
    case WW_KEY_CHOICE:
    case WW_KEY_CHOICE_LIST:
        return *(const int *)x == *(const int *)y;
    case WW_KEY_INTEGER_LIST:
        return equal_integers(x, y);
    case WW_KEY_REAL_LIST:
        return equal_reals(x, y);
    case WW_KEY_TEXT_LIST:
    case WW_KEY_WORD_LIST:
        return equal_words(x, y);
    case WW_KEY_STOP_RULES:
        return equal_rules(x, y);
    }
    WW_ASSERT(false);
    return false;
}

static void describe_integers(const ww_key *key, char *buffer, size_t size)
{
    if (key->least == key->most)
        (void)snprintf(buffer, size, " equal to %lld", (long long)key->least);
    else if (key->most == INT64_MAX)
        (void)snprintf(buffer, size, " of at least %lld", (long long)key->least);
    else
        (void)snprintf(buffer, size, " from %lld to %lld", (long long)key->least,
                       (long long)key->most);
}

static void describe_reals(const ww_key *key, char *buffer, size_t size)
{
    const char *low = key->above ? "above" : "of at least";
    const char *high = key->below ? "below" : "at most";
    if (isinf(key->low))
        buffer[0] = '\0';
    else if (isinf(key->high))
        (void)snprintf(buffer, size, " %s %g", low, key->low);
    else if (!key->above && !key->below)
        (void)snprintf(buffer, size, " from %g to %g", key->low, key->high);
    else
        (void)snprintf(buffer, size, " %s %g and %s %g", low, key->low, high, key->high);
}

static void join_choices(const ww_key *key, char *buffer, size_t size)
{
    buffer[0] = '\0';
    for (size_t i = 0; key->choices[i] != NULL; i++) {
        const size_t used = strlen(buffer);
        (void)snprintf(buffer + used, size - used, "%s%s", i == 0 ? "" : ", ", key->choices[i]);
    }
}

void ww_value_describe(const ww_key *key, char *buffer, size_t size)
{
    char range[512] = "", unit[128] = "";
    if (key->unit != NULL)
        (void)snprintf(unit, sizeof unit, " (%s)", key->unit);
    switch (key->type) {
    case WW_KEY_INTEGER:
        describe_integers(key, range, sizeof range);
        (void)snprintf(buffer, size, "an integer%s%s", range, unit);
        break;
    case WW_KEY_SAMPLES:
        describe_integers(key, range, sizeof range);
        (void)snprintf(buffer, size, "an integer%s%s or the word all", range, unit);
        break;
    case WW_KEY_REAL:
        describe_reals(key, range, sizeof range);
        (void)snprintf(buffer, size, "a number%s%s", range, unit);
        break;
    case WW_KEY_BOOLEAN:
        (void)snprintf(buffer, size, "true or false");
        break;
    case WW_KEY_NAME:
        (void)snprintf(buffer, size,
                       "a name of at most 100 letters, digits, dots, dashes and underscores that "
                       "begins with a letter, digit or underscore");
        break;
    case WW_KEY_TEXT:
        (void)snprintf(buffer, size, "a text");
        break;
    case WW_KEY_PATH:
        (void)snprintf(buffer, size, "the path of a file");
        break;
    case WW_KEY_CHOICE:
        join_choices(key, range, sizeof range);
        (void)snprintf(buffer, size, "%s%s", key->choices[1] == NULL ? "" : "one of ", range);
        break;
    case WW_KEY_INTEGER_LIST:
        describe_integers(key, range, sizeof range);
        (void)snprintf(buffer, size, "a list of integers%s%s", range, unit);
        break;
    case WW_KEY_REAL_LIST:
        describe_reals(key, range, sizeof range);
        (void)snprintf(buffer, size, "a list of numbers%s%s", range, unit);
        break;
    case WW_KEY_CHOICE_LIST:
        join_choices(key, range, sizeof range);
        (void)snprintf(buffer, size, "a list of some of %s", range);
        break;
    case WW_KEY_TEXT_LIST:
        (void)snprintf(buffer, size, "a list of texts");
        break;
    case WW_KEY_WORD_LIST:
        (void)snprintf(buffer, size, "a list of names%s", key->all ? " or the word all" : "");
        break;
    case WW_KEY_STOP_RULES:
        (void)snprintf(buffer, size,
                       "a mapping of quantities to numbers, such as {test_accuracy: 0.98}");
        break;
    }
}
