// Sums of matrices whose columns have ranges of their own.

#include "cmocka_all.h"

#include "widthwise/column_sum.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { TERMS = 300, ROWS = 3, COLUMNS = 7 };

static double terms[TERMS][ROWS * COLUMNS];
static float single_terms[TERMS][ROWS * COLUMNS];
// From the smallest numbers to the largest, and a column of zeroes.
static const double sizes[COLUMNS] = {1.0, 1e-30, 1e-230, 1e30, 0.0, 3.0, 1e-3};

static void fill(void)
{
    for (int64_t t = 0; t < TERMS; t++)
        for (int64_t i = 0; i < ROWS * COLUMNS; i++) {
            terms[t][i] = sizes[i % COLUMNS] * sin((double)(1 + t * 31 + i * 7));
            single_terms[t][i] = (float)terms[t][i];
        }
}

static void make(ww_column_format *format, int words)
{
    ww_error error = {0};
    assert_int_equal(ww_column_format_create(format, COLUMNS + 2, TERMS, words, &error), WW_OK);
    ww_column_format_set(format, COLUMNS, sizes, 0);
}

static void sum_of(const ww_column_format *format, bool is_single, int64_t first, int64_t stride,
                   int64_t *words)
{
    int64_t term = first;
    for (int64_t count = 0; count < TERMS; count++, term = (term + stride) % TERMS)
        assert_int_equal(is_single
                             ? ww_column_sum_add_single(format, single_terms[term], ROWS, words)
                             : ww_column_sum_add(format, terms[term], ROWS, words),
                         0);
}

static void compare(bool is_single, int word_count, double tolerance)
{
    ww_column_format format;
    int64_t forward[ROWS * COLUMNS * 2] = {0}, scattered[ROWS * COLUMNS * 2] = {0};
    double values[ROWS * COLUMNS];
    make(&format, word_count);
    sum_of(&format, is_single, 0, 1, forward);
    sum_of(&format, is_single, 17, 119, scattered); // 119 and 300 have no common divisor
    assert_memory_equal(forward, scattered, sizeof forward);
    ww_column_sum_values(&format, forward, ROWS, values);
    for (int64_t i = 0; i < ROWS * COLUMNS; i++) {
        long double expected = 0.0L;
        for (int64_t t = 0; t < TERMS; t++)
            expected += is_single ? (long double)single_terms[t][i] : (long double)terms[t][i];
        const double size = sizes[i % COLUMNS];
        if (!(fabsl(values[i] - expected) <= tolerance * size + DBL_EPSILON * fabsl(expected)))
            fail_msg("column %d: %g instead of %Lg", (int)(i % COLUMNS), values[i], expected);
    }
    ww_column_format_free(&format);
}

static void test_sums(void **state)
{
    (void)state;
    fill();
    compare(false, 2, 1e-25);
    compare(false, 1, 1e-12);
    compare(true, 1, 1e-12);
    compare(true, 2, 1e-25);
}

// What is out of range, or not finite, is counted and left out.
static void test_rejection(void **state)
{
    (void)state;
    for (int word_count = 1; word_count <= 2; word_count++) {
        ww_column_format format;
        make(&format, word_count);
        double bad[COLUMNS] = {2.0, 1e-31, HUGE_VAL, 1e29, 0.0, (double)NAN, -1e-3};
        int64_t words[COLUMNS * 2] = {0}, good_words[COLUMNS * 2] = {0};
        assert_int_equal(ww_column_sum_add(&format, bad, 1, words), 3);
        bad[0] = bad[2] = bad[5] = 0.0;
        assert_int_equal(ww_column_sum_add(&format, bad, 1, good_words), 0);
        assert_memory_equal(words, good_words, sizeof words);
        const float single_bad[COLUMNS] = {-2.0F, 0.0F, HUGE_VALF, 1.0F, 0.0F, (float)NAN, 0.0F};
        assert_int_equal(ww_column_sum_add_single(&format, single_bad, 1, words), 3);
        ww_column_format_free(&format);
    }
}

// Of square matrices the upper triangle has the words that the whole has there; what is below the
// diagonal is neither looked at nor written to.
static void test_triangles(void **state)
{
    (void)state;
    for (int word_count = 1; word_count <= 2; word_count++) {
        ww_column_format format;
        double values[COLUMNS * COLUMNS], whole[COLUMNS * COLUMNS], upper[COLUMNS * COLUMNS];
        int64_t words[COLUMNS * COLUMNS * 2] = {0}, packed[COLUMNS * COLUMNS * 2] = {0};
        make(&format, word_count);
        for (int64_t term = 0; term < TERMS; term++) {
            for (int64_t i = 0; i < COLUMNS * COLUMNS; i++)
                values[i] = sizes[i % COLUMNS] * sin((double)(1 + term * 31 + i * 7));
            assert_int_equal(ww_column_sum_add(&format, values, COLUMNS, words), 0);
            for (int64_t i = 0; i < COLUMNS; i++)
                for (int64_t j = 0; j < i; j++)
                    values[i * COLUMNS + j] = HUGE_VAL;
            assert_int_equal(ww_column_sum_add_upper(&format, values, packed), 0);
        }
        ww_column_sum_values(&format, words, COLUMNS, whole);
        for (int64_t i = 0; i < COLUMNS * COLUMNS; i++)
            upper[i] = -1e300;
        ww_column_sum_upper_values(&format, packed, upper);
        for (int64_t i = 0; i < COLUMNS; i++)
            for (int64_t j = 0; j < COLUMNS; j++)
                assert_true(upper[i * COLUMNS + j] == (j < i ? -1e300 : whole[i * COLUMNS + j]));
        for (int64_t i = word_count * COLUMNS * (COLUMNS + 1) / 2; i < COLUMNS * COLUMNS * 2; i++)
            assert_int_equal(packed[i], 0);
        values[COLUMNS - 1] = values[COLUMNS * COLUMNS - 1] = (double)NAN;
        assert_int_equal(ww_column_sum_add_upper(&format, values, packed), 2);
        ww_column_format_free(&format);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_rejection),
        cmocka_unit_test(test_triangles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
