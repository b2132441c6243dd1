// Numbers and characters, by rules stricter than those of the C library.
#include "config/value.h"

#include <stdlib.h>
#include <string.h>

// Longest mantissa and largest exponent that are looked at in full; more is out of any range here.
enum { MOST_DIGITS = 400, MOST_EXPONENT = 100000 };

typedef struct decimal {
    bool negative;
    bool fraction, exponent; // it has such a part
    char digits[MOST_DIGITS];
    size_t count;  // of digits, without a decimal point
    int64_t scale; // value = digits * 10^scale
} decimal;

static bool is_digit(char letter)
{
    return letter >= '0' && letter <= '9';
}

static const char *take_digits(const char *text, decimal *number)
{
    for (; is_digit(*text) && number->count < MOST_DIGITS; text++)
        number->digits[number->count++] = *text;
    return text;
}

// Splits -?digits[.digits][e[+-]digits] into its parts; false for any other text.
static bool split_decimal(const char *text, decimal *number)
{
    *number = (decimal){.negative = *text == '-'};
    text += number->negative;
    text = take_digits(text, number);
    if (*text == '.') {
        number->fraction = true;
        const size_t before = number->count;
        text = take_digits(text + 1, number);
        number->scale = -(int64_t)(number->count - before);
    }
    if (number->count == 0)
        return false;
    if (*text == 'e' || *text == 'E') {
        number->exponent = true;
        text++;
        const bool small = *text == '-';
        text += *text == '-' || *text == '+';
        int64_t exponent = 0;
        if (!is_digit(*text))
            return false;
        for (; is_digit(*text); text++)
            if (exponent < MOST_EXPONENT)
                exponent = 10 * exponent + (*text - '0');
        number->scale += small ? -exponent : exponent;
    }
    return *text == '\0';
}

bool ww_scan_integer(const char *text, int64_t *value, bool *in_range)
{
    decimal number;
    if (!split_decimal(text, &number) || (number.fraction && !number.exponent))
        return false;
    while (number.scale < 0 && number.count > 0 && number.digits[number.count - 1] == '0') {
        number.count--;
        number.scale++;
    }
    if (number.count == 0) // it was nothing but zeroes
        number.scale = 0;
    if (number.scale < 0) // 2.5, or 1e-1
        return false;
    *value = 0;
    *in_range = true;
    for (size_t i = 0; i < number.count + (size_t)number.scale && *in_range; i++) {
        const int digit = i < number.count ? number.digits[i] - '0' : 0;
        // Downwards from zero: the smallest int64_t has no positive counterpart.
        *in_range = !__builtin_mul_overflow(*value, 10, value) &&
                    !__builtin_sub_overflow(*value, digit, value);
        if (*value == 0 && i >= number.count)
            break; // 0e9 stays zero however many zeroes follow
    }
    if (*in_range && !number.negative)
        *in_range = !__builtin_sub_overflow((int64_t)0, *value, value);
    return true;
}

bool ww_scan_real(const char *text, double *value, bool *in_range)
{
    decimal number;
    if (!split_decimal(text, &number))
        return false;
    *value = strtod(text, NULL);
    *in_range = !__builtin_isinf(*value);
    return true;
}

int32_t ww_next_character(const char **text)
{
    const unsigned char *bytes = (const unsigned char *)*text;
    const size_t length = bytes[0] < 0x80u              ? 1
                          : (bytes[0] & 0xE0u) == 0xC0u ? 2
                          : (bytes[0] & 0xF0u) == 0xE0u ? 3
                          : (bytes[0] & 0xF8u) == 0xF0u ? 4
                                                        : 0;
    static const int32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (length == 0)
        return -1;
    int32_t character = length == 1 ? bytes[0] : bytes[0] & (0x7F >> length);
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xC0u) != 0x80u) // this finds the end of the text too
            return -1;
        character = character << 6 | (bytes[i] & 0x3F);
    }
    if (character < smallest[length] || character > 0x10FFFF ||
        (character >= 0xD800 && character <= 0xDFFF))
        return -1;
    *text += length;
    return character;
}
