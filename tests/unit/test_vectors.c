// Products with one column.

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
