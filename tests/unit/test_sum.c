// Order-independent sums, against sums in 113-bit arithmetic.

#include "cmocka_all.h"

#include "widthwise/sum.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint64_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 11;
}

// A number of either sign with magnitude between 2^lowest and 2^highest.
static double random_value(uint64_t *state, int lowest, int highest)
{
    const double fraction = 0.5 + (double)next_random(state) * 0x1p-54;
    const int exponent = lowest + 1 + (int)(next_random(state) % (uint64_t)(highest - lowest));
    return ldexp(next_random(state) & 1 ? fraction : -fraction, exponent);
}

static void test_sums_are_right(void **state)
{
    (void)state;
    static const int64_t term_counts[] = {1, 2, 7, 1000, 40000};
    uint64_t seed = 1;
    for (size_t c = 0; c < sizeof term_counts / sizeof term_counts[0]; c++) {
        const int64_t terms = term_counts[c];
        const ww_sum_format format = ww_sum_format_make(terms, 30);
        for (int spread = 0; spread < 3; spread++) {
            int64_t words[2] = {0, 0};
            __float128 expected = 0;
            double magnitude = 0.0;
            for (int64_t i = 0; i < terms; i++) {
                const double value = spread == 0   ? random_value(&seed, -60, 29)
                                     : spread == 1 ? random_value(&seed, -3, 3)
                                                   : random_value(&seed, 28, 29);
                assert_int_equal(ww_sum_add(&format, &value, 1, words), 0);
                expected += value;
                magnitude += fabs(value);
            }
            double sum = 0.0;
            ww_sum_values(&format, words, 1, &sum);
            const double error = fabs((double)(expected - (__float128)sum));
            // Half a quantum a term, and roundings of the result.
            assert_true(error <= 0.5 * (double)terms * format.low_quantum + 0x1p-52 * fabs(sum));
            assert_true(error <= 1e-15 * magnitude);
        }
    }
}

static void test_cancelling_sums_keep_their_digits(void **state)
{
    (void)state;
    const ww_sum_format format = ww_sum_format_make(4, 30);
    const double values[4] = {123456.789, -3e-9, -123456.789, 1e-9};
    int64_t words[2] = {0, 0};
    for (int i = 0; i < 4; i++)
        ww_sum_add(&format, &values[i], 1, words);
    double sum = 0.0;
    ww_sum_values(&format, words, 1, &sum);
    assert_true(fabs(sum + 2e-9) < 4 * format.low_quantum);
}

static void test_order_and_grouping_do_not_matter(void **state)
{
    (void)state;
    enum { TERMS = 999, SUMS = 5 };
    static double values[TERMS][SUMS];
    uint64_t seed = 5;
    for (int i = 0; i < TERMS; i++)
        for (int j = 0; j < SUMS; j++)
            values[i][j] = random_value(&seed, -40, 20);
    const ww_sum_format format = ww_sum_format_make(TERMS, 30);
    int64_t forward[2 * SUMS] = {0};
    int64_t grouped[2 * SUMS] = {0};
    for (int i = 0; i < TERMS; i++)
        ww_sum_add(&format, values[i], SUMS, forward);
    for (int group = 6; group >= 0; group--) {
        int64_t part[2 * SUMS] = {0};
        for (int i = TERMS - 1; i >= 0; i--)
            if (i % 7 == group)
                ww_sum_add(&format, values[i], SUMS, part);
        for (int j = 0; j < 2 * SUMS; j++)
            grouped[j] += part[j];
    }
    assert_memory_equal(forward, grouped, sizeof forward);
}

static void test_what_is_out_of_range_is_counted(void **state)
{
    (void)state;
    const ww_sum_format format = ww_sum_format_make(10, 30);
    const double values[7] = {1.0, NAN, INFINITY, -INFINITY, 0x1p30, -0x1p30, 0x1.fffffffffffffp29};
    int64_t words[14] = {0};
    assert_int_equal(ww_sum_add(&format, values, 7, words), 5);
    double sums[7];
    ww_sum_values(&format, words, 7, sums);
    assert_true(sums[0] == 1.0);
    for (int i = 1; i < 6; i++)
        assert_true(sums[i] == 0.0);
    assert_true(sums[6] == values[6]);
}

static void test_the_largest_sums_do_not_wrap(void **state)
{
    (void)state;
    const int64_t terms = INT64_C(1) << 20;
    const ww_sum_format format = ww_sum_format_make(terms, 0);
    int64_t words[2] = {0, 0};
    const double value = -0x1.fffffffffffffp-1;
    ww_sum_add(&format, &value, 1, words);
    int64_t product = 0;
    for (int i = 0; i < 2; i++)
        assert_false(__builtin_mul_overflow(words[i], terms, &product));
}

static void test_terms_of_any_size(void **state)
{
    (void)state;
    const ww_parallel self = {.communicator = MPI_COMM_SELF, .rank = 0, .size = 1};
    ww_error error = {0};
    static const int scales[] = {-1070, -700, -300, -30, 0, 30, 300, 900};
    uint64_t seed = 3;
    for (size_t s = 0; s < sizeof scales / sizeof scales[0]; s++) {
        double terms[40][2];
        __float128 expected[2] = {0, 0};
        double magnitude[2] = {0.0, 0.0};
        for (int i = 0; i < 40; i++)
            for (int j = 0; j < 2; j++) {
                terms[i][j] = random_value(&seed, scales[s], scales[s] + 40 + 3 * j);
                expected[j] += terms[i][j];
                magnitude[j] += fabs(terms[i][j]);
            }
        double sums[2];
        assert_int_equal(ww_sum_terms(&self, &terms[0][0], 40, 2, 40, sums, &error), WW_OK);
        for (int j = 0; j < 2; j++) {
            const double tolerance = scales[s] < -800 ? 0x1p-890 : 1e-15 * magnitude[j];
            assert_true(fabs((double)(expected[j] - (__float128)sums[j])) <= tolerance);
        }
    }
    double sums[1];
    const double zeros[2] = {0.0, -0.0};
    assert_int_equal(ww_sum_terms(&self, zeros, 2, 1, 2, sums, &error), WW_OK);
    assert_true(sums[0] == 0.0);
    static const double bad[] = {NAN, INFINITY, -INFINITY, 0x1p1001, -0x1.fffffffffffffp1023};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const double terms[2] = {1.0, bad[i]};
        assert_int_equal(ww_sum_terms(&self, terms, 2, 1, 2, sums, &error), WW_DIVERGED);
    }
    const double large[2] = {0x1p998, 0x1p998};
    assert_int_equal(ww_sum_terms(&self, large, 2, 1, 2, sums, &error), WW_OK);
    assert_true(sums[0] == 0x1p999);
}

int main(int count, char **words)
{
    MPI_Init(&count, &words);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums_are_right),
        cmocka_unit_test(test_cancelling_sums_keep_their_digits),
        cmocka_unit_test(test_order_and_grouping_do_not_matter),
        cmocka_unit_test(test_what_is_out_of_range_is_counted),
        cmocka_unit_test(test_the_largest_sums_do_not_wrap),
        cmocka_unit_test(test_terms_of_any_size),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
