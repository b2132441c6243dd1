// Samples that coincide, against a comparison of all pairs.

#include "cmocka_all.h"

#include "widthwise/data.h"
#include "widthwise/random.h"

#include <math.h>
#include <string.h>

enum { N = 240, D = 7 };

static double inputs[N * D];
static int64_t labels[N];

static ww_samples fill(uint64_t seed)
{
    ww_normals((ww_stream){.seed = seed, .purpose = WW_DRAW_MEANS}, 0, (size_t)N * D, inputs);
    for (int64_t s = 0; s < N; s++)
        labels[s] = s % 5;
    return (ww_samples){.count = N, .inputs = inputs, .labels = labels};
}

static void put(int64_t sample, double factor, int64_t other)
{
    for (int64_t j = 0; j < D; j++)
        inputs[sample * D + j] = factor * inputs[other * D + j];
}

/// By the cosine of every pair, at a tolerance that rounding keeps well below.
static bool alike(int64_t a, int64_t b)
{
    long double product = 0.0L;
    long double squares[2] = {0.0L, 0.0L};
    for (int64_t j = 0; j < D; j++) {
        product += (long double)inputs[a * D + j] * inputs[b * D + j];
        squares[0] += (long double)inputs[a * D + j] * inputs[a * D + j];
        squares[1] += (long double)inputs[b * D + j] * inputs[b * D + j];
    }
    if (squares[0] == 0.0L || squares[1] == 0.0L)
        return squares[0] == squares[1];
    return product / sqrtl(squares[0] * squares[1]) > 1.0L - 1e-10L;
}

static int64_t count_of_all_pairs(void)
{
    int64_t count = 0;
    for (int64_t b = 0; b < N; b++) {
        bool found = false;
        for (int64_t a = 0; a < b && !found; a++)
            found = alike(a, b);
        count += found;
    }
    return count;
}

static void test_none(void **state)
{
    (void)state;
    const ww_samples samples = fill(1);
    ww_coincidence found;
    ww_error error = {0};
    assert_int_equal(ww_coincidence_find(&samples, D, &found, &error), WW_OK);
    assert_int_equal(count_of_all_pairs(), 0);
    assert_int_equal(found.samples, 0);
    assert_int_equal(found.first, -1);
    assert_int_equal(found.unlike[0], -1);
    assert_int_equal(found.zeros, 0);
    assert_int_equal(found.first_zero, -1);
}

static void test_planted(void **state)
{
    (void)state;
    const ww_samples samples = fill(2);
    put(40, 1.0, 20);    // the same, label 0
    put(45, 1e-200, 15); // far smaller
    put(205, 1e150, 15); // far larger: three alike, all of label 0
    put(88, -1.0, 3);    // the other way round: apart
    put(61, 3.0, 30);    // labels 1 and 0
    put(101, 0.0, 0);    // zero vectors: labels 1
    put(106, 0.0, 0);
    ww_coincidence found;
    ww_error error = {0};
    assert_int_equal(ww_coincidence_find(&samples, D, &found, &error), WW_OK);
    assert_int_equal(count_of_all_pairs(), 5);
    assert_int_equal(found.samples, 5);
    assert_int_equal(found.first, 15);
    assert_int_equal(found.second == 45 || found.second == 205, 1);
    assert_int_equal(found.unlike[0], 30);
    assert_int_equal(found.unlike[1], 61);
    assert_int_equal(found.zeros, 2);
    assert_int_equal(found.first_zero, 101);
}

static void test_all_alike(void **state)
{
    (void)state;
    const ww_samples samples = fill(3);
    for (int64_t s = 1; s < N; s++)
        put(s, 1.0 + (double)s, 0);
    ww_coincidence found;
    ww_error error = {0};
    assert_int_equal(ww_coincidence_find(&samples, D, &found, &error), WW_OK);
    assert_int_equal(found.samples, N - 1);
    assert_int_equal(found.first, 0);
}

/// Closer than anything measured, and still apart.
static void test_nearly_alike(void **state)
{
    (void)state;
    const ww_samples samples = fill(4);
    put(9, 1.0, 2);
    inputs[9 * D] *= 1.0 + 1e-8;
    ww_coincidence found;
    ww_error error = {0};
    assert_int_equal(ww_coincidence_find(&samples, D, &found, &error), WW_OK);
    assert_int_equal(found.samples, 0);
    // As the kernel has it, which is not singular for such a pair.
    put(9, 1.0, 2);
    inputs[9 * D] += 1e-13;
    assert_int_equal(ww_coincidence_find(&samples, D, &found, &error), WW_OK);
    assert_int_equal(found.samples, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_planted),
        cmocka_unit_test(test_all_alike),
        cmocka_unit_test(test_nearly_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
