// Products with one column, and sums whose terms are added one by one.

#include "cmocka_all.h"
#include "train/vectors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 64 * 300 };

static void fill(double *values, int64_t count, int phase)
{
    for (int64_t i = 0; i < count; i++)
        values[i] = sin((double)(1 + i * 7 + (int64_t)phase * 1001));
}

static void test_products(void **state)
{
    (void)state;
    static double rows[MOST], vector[300], products[128], alone;
    fill(rows, MOST, 1);
    fill(vector, 300, 2);
    for (int64_t length = 1; length < 150; length++)
        for (int64_t count = 1; count < 10; count++) {
            const int64_t stride = length + count % 3;
            ww_vector_products(rows, count, stride, vector, length, products, 2);
            for (int64_t i = 0; i < count; i++) {
                long double expected = 0.0L;
                for (int64_t j = 0; j < length; j++)
                    expected += (long double)rows[i * stride + j] * (long double)vector[j];
                assert_true(fabsl(products[2 * i] - expected) < 1e-13L);
                // A row's neighbours, and its place among them, change no bit.
                ww_vector_products(rows + i * stride, 1, stride, vector, length, &alone, 1);
                assert_memory_equal(&alone, &products[2 * i], sizeof alone);
            }
        }
}

static void test_dot(void **state)
{
    (void)state;
    static double left[300], right[900], opposite[900];
    fill(left, 300, 3);
    fill(right, 900, 4);
    for (int i = 0; i < 900; i++)
        opposite[i] = -right[i];
    for (int64_t stride = 1; stride < 4; stride++)
        for (int64_t length = 0; length < 100; length++) {
            long double expected = 0.0L;
            for (int64_t i = 0; i < length; i++)
                expected += (long double)left[i * stride] * (long double)right[i * stride];
            const double found = ww_vector_dot(left, stride, right, stride, length);
            assert_true(fabsl(found - expected) < 1e-13L);
            assert_true(found + ww_vector_dot(left, stride, opposite, stride, length) == 0.0);
        }
}

// The very operations in the very order.
static void plain_accumulate(double *rows, int64_t count, int64_t stride, int64_t length,
                             const ww_vector_term *terms, int64_t term_count)
{
    for (int64_t i = 0; i < count; i++)
        for (int64_t j = 0; j < length; j++)
            for (int64_t term = 0; term < term_count; term++) {
                volatile double product = terms[term].coefficients[i] * terms[term].vector[j];
                rows[i * stride + j] = rows[i * stride + j] + product;
            }
}

static void test_terms_are_added_one_by_one(void **state)
{
    (void)state;
    static double rows[MOST], expected[MOST], parts[MOST], coefficients[64 * 16], vectors[64 * 300];
    ww_vector_term terms[64];
    fill(coefficients, 64 * 16, 5);
    fill(vectors, 64 * 300, 6);
    for (int term = 0; term < 64; term++)
        terms[term] = (ww_vector_term){coefficients + 16L * term, vectors + 300L * term};
    static const int64_t lengths[] = {1, 3, 4, 7, 8, 9, 31, 128, 297};
    for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++)
        for (int64_t count = 1; count < 10; count++)
            for (int64_t term_count = 0; term_count <= 64; term_count += 16) {
                const int64_t stride = lengths[l] + count % 2 * lengths[l];
                fill(rows, MOST, 7);
                memcpy(expected, rows, sizeof rows);
                memcpy(parts, rows, sizeof rows);
                ww_vector_accumulate(rows, count, stride, lengths[l], terms, term_count);
                plain_accumulate(expected, count, stride, lengths[l], terms, term_count);
                assert_memory_equal(rows, expected, sizeof rows);
                const int64_t some = term_count / 3;
                ww_vector_accumulate(parts, count, stride, lengths[l], terms, some);
                ww_vector_accumulate(parts, count, stride, lengths[l], terms + some,
                                     term_count - some);
                assert_memory_equal(rows, parts, sizeof rows);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products),
        cmocka_unit_test(test_dot),
        cmocka_unit_test(test_terms_are_added_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
