// Products with inputs that are arranged once: each number is one chain of fused multiply-adds, in
// the order of columns, whatever unit and sample stand beside it.

#include "cmocka_all.h"
#include "train/kernels.h"
#include "train/product_inputs.h"

#include <math.h>
#include <stdlib.h>

static double *numbers(int64_t count, int phase)
{
    double *values = calloc((size_t)count + 1, sizeof *values);
    for (int64_t i = 0; i < count; i++)
        values[i] = sin((double)(1 + 7 * i + 1001 * phase));
    return values;
}

static double chain(const double *row, const double *input, int64_t count)
{
    double sum = 0.0;
    for (int64_t j = 0; j < count; j++)
        sum = fma(row[j], input[j], sum);
    return sum;
}

static void compare(int64_t units, int64_t dimension, int64_t samples, ww_product_inputs *inputs)
{
    double *weights = numbers(units * dimension, 1);
    double *values = numbers(samples * dimension, 2);
    double *products = numbers(units * WW_SAMPLE_BLOCK, 3);
    ww_product_inputs_set(inputs, values, samples);
    for (int64_t start = 0; start < samples; start += WW_SAMPLE_BLOCK) {
        const int64_t block = ww_block_size(samples, start);
        ww_product_preactivations(inputs, start, weights, units, products);
        for (int64_t r = 0; r < units; r++)
            for (int64_t s = 0; s < block; s++)
                assert_true(products[r * block + s] == chain(weights + r * dimension,
                                                             values + (start + s) * dimension,
                                                             dimension));
    }
    free(weights);
    free(values);
    free(products);
}

static void test_products(void **state)
{
    (void)state;
    const int64_t counts[] = {1030, 1024, 513, 512, 65, 8, 7, 1}; // in one room, the largest first
    const int64_t dimensions[] = {1, 9, 40};
    for (size_t i = 0; i < sizeof dimensions / sizeof dimensions[0]; i++) {
        ww_product_inputs inputs;
        ww_error error = {0};
        assert_int_equal(ww_product_inputs_create(counts[0], dimensions[i], &inputs, &error),
                         WW_OK);
        assert_true(ww_product_inputs_bytes(counts[0], dimensions[i]) >=
                    counts[0] * dimensions[i] * (int64_t)sizeof(double));
        for (size_t j = 0; j < sizeof counts / sizeof counts[0]; j++)
            compare(j % 2 == 0 ? 13 : 128, dimensions[i], counts[j], &inputs);
        ww_product_inputs_free(&inputs);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_products)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
