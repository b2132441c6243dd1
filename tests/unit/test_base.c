// Errors, memory, sizes, checksums, words.

#include "cmocka_all.h"

#include "widthwise/clock.h"
#include "widthwise/field.h"
#include "widthwise/hash.h"
#include "widthwise/memory.h"
#include "widthwise/text.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void test_failure_keeps_status_and_sentence(void **state)
{
    (void)state;
    ww_error error = {0};
    assert_int_equal(ww_fail(&error, WW_USAGE, "no file %s", "x.yaml"), WW_USAGE);
    assert_int_equal(error.status, WW_USAGE);
    assert_string_equal(error.message, "no file x.yaml");
    ww_error_prefix(&error, "member %d: ", 3);
    assert_string_equal(error.message, "member 3: no file x.yaml");
    assert_int_equal(ww_fail(NULL, WW_FAILED, "nobody listens"), WW_FAILED);
}

static void test_long_sentences_are_cut_not_overrun(void **state)
{
    (void)state;
    char *text = malloc(2 * WW_MESSAGE_SIZE);
    assert_non_null(text);
    memset(text, 'a', 2 * WW_MESSAGE_SIZE - 1);
    text[2 * WW_MESSAGE_SIZE - 1] = '\0';
    ww_error error = {0};
    ww_fail(&error, WW_FAILED, "%s", text);
    assert_int_equal(strlen(error.message), WW_MESSAGE_SIZE - 1);
    ww_error_prefix(&error, "here: ");
    assert_int_equal(strlen(error.message), WW_MESSAGE_SIZE - 1);
    assert_memory_equal(error.message, "here: aaa", 9);
    free(text);
}

static void test_memory_is_zeroed_aligned_and_checked(void **state)
{
    (void)state;
    ww_error error = {0};
    unsigned char *memory = ww_allocate(100, 3, "a test", &error);
    assert_non_null(memory);
    assert_int_equal((uintptr_t)memory % 64, 0);
    for (int i = 0; i < 300; i++)
        assert_int_equal(memory[i], 0);
    free(memory);
    memory = ww_allocate(0, 8, "nothing", &error);
    assert_non_null(memory);
    free(memory);
    assert_null(ww_allocate(SIZE_MAX / 2, 3, "the moon", &error));
    assert_non_null(strstr(error.message, "the moon"));
}

static void test_sizes_never_wrap(void **state)
{
    (void)state;
    ww_error error = {0};
    int64_t product = 0;
    assert_int_equal(ww_multiply(INT64_C(3000000000), 3, "m d", &product, &error), WW_OK);
    assert_true(product == INT64_C(9000000000));
    assert_int_equal(ww_multiply(INT64_MAX, 2, "m d", &product, &error), WW_USAGE);
    int narrow = 0;
    assert_int_equal(ww_to_int(INT_MAX, "d", &narrow, &error), WW_OK);
    assert_int_equal(narrow, INT_MAX);
    assert_int_equal(ww_to_int((int64_t)INT_MAX + 1, "d", &narrow, &error), WW_USAGE);
    assert_int_equal(ww_int(-5), -5);
}

static void test_checksums(void **state)
{
    (void)state;
    // The check value that every description of CRC-32 (ISO-HDLC) gives.
    assert_true(ww_checksum("123456789", 9) == 0xCBF43926U);
    const uint64_t key = ww_hash_name("/state/run0000/checkpoint0/hidden_weights");
    const uint64_t hash = ww_hash_block("abcdefgh", 8, key, 7);
    assert_true(hash == ww_hash_block("abcdefgh", 8, key, 7));
    assert_true(hash != ww_hash_block("abcdefgh", 8, key, 8));
    assert_true(hash != ww_hash_block("abcdefgh", 8, key + 1, 7));
    assert_true(hash != ww_hash_block("abcdefgi", 8, key, 7));
}

static void test_nearest_word(void **state)
{
    (void)state;
    static const char *const words[] = {"width", "depth", "steps"};
    assert_string_equal(ww_nearest("widht", words, 3), "width");
    assert_string_equal(ww_nearest("step", words, 3), "steps");
    assert_null(ww_nearest("zzzzzzzz", words, 3));
    assert_null(ww_nearest("width", words, 0));
}

static void test_texts_and_fields(void **state)
{
    (void)state;
    ww_error error = {0};
    char number[32];
    ww_number_text(12345678.0, 4, number, sizeof number);
    assert_string_equal(number, "12345678");
    ww_number_text(1234567.5, 4, number, sizeof number);
    assert_string_equal(number, "1.235e+06");
    ww_number_text(1e22, 4, number, sizeof number);
    assert_string_equal(number, "1e+22");
    ww_number_text(-(double)INFINITY, 4, number, sizeof number);
    assert_string_equal(number, "-inf");
    ww_ranks_text(1, 0, number, sizeof number);
    assert_string_equal(number, "1 rank");
    ww_ranks_text(1, 4, number, sizeof number);
    assert_string_equal(number, "1 rank of 4 threads");
    ww_ranks_text(512, 1, number, sizeof number);
    assert_string_equal(number, "512 ranks");
    char *text = ww_format(&error, "%s-%04d", "run", 7);
    assert_string_equal(text, "run-0007");
    char *copy = ww_copy_text(text, &error);
    assert_string_equal(copy, text);
    free(text);
    free(copy);
    const ww_field field = {.rank = 2, .extent = {3, 5}};
    const ww_field scalar = {.rank = 0};
    assert_int_equal(ww_field_size(&field), 15);
    assert_int_equal(ww_field_size(&scalar), 1);
}

static void test_durations(void **state)
{
    (void)state;
    static const struct {
        double seconds;
        const char *text;
    } cases[] = {{0.0, "0.0 s"},
                 {99.94, "99.9 s"},
                 {100.0, "1 min 40 s"},
                 {3599.4, "59 min 59 s"},
                 {3599.6, "1 h 00 min"},
                 {47.0 * 3600.0 + 59.0 * 60.0, "47 h 59 min"},
                 {48.0 * 3600.0, "2 days 00 h"},
                 {10.0 * 86400.0 - 3600.0, "9 days 23 h"},
                 {10.0 * 86400.0, "10 days"},
                 {9999.0 * 86400.0 - 1.0, "9998 days"},
                 {9999.0 * 86400.0, "> 9999 days"},
                 {1e30, "> 9999 days"},
                 {INFINITY, "> 9999 days"},
                 {NAN, "> 9999 days"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[64];
        ww_duration_text(cases[i].seconds, text, sizeof text);
        assert_string_equal(text, cases[i].text);
        assert_true(strlen(text) <= 11);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_failure_keeps_status_and_sentence),
        cmocka_unit_test(test_long_sentences_are_cut_not_overrun),
        cmocka_unit_test(test_memory_is_zeroed_aligned_and_checked),
        cmocka_unit_test(test_sizes_never_wrap),
        cmocka_unit_test(test_checksums),
        cmocka_unit_test(test_nearest_word),
        cmocka_unit_test(test_texts_and_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
