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
    assert_int_equal(found.second, 45);
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

/// Lines, counted through two parts, against a comparison of all pairs.
static void test_lines(void **state)
{
    (void)state;
    const ww_samples samples = fill(5);
    put(17, -2.0, 3);   // opposite, in the first part
    put(150, 0.25, 3);  // in the second
    put(180, -1e9, 99); // across both
    put(200, 0.0, 0);
    put(201, 0.0, 0);
    const int64_t train = 110;
    const ww_samples parts[] = {
        {.count = train, .inputs = samples.inputs},
        {.count = N - train, .inputs = samples.inputs + train * D},
    };
    ww_line lines[N];
    ww_error error = {0};
    assert_int_equal(ww_lines_find(parts, 2, D, 1e-12, lines, &error), WW_OK);
    for (int64_t b = 0; b < N; b++) {
        double opposite[D];
        int64_t direction = b;
        int64_t line = b;
        for (int64_t a = b; a >= 0; a--)
            if (alike(a, b))
                line = direction = a;
        for (int64_t j = 0; j < D; j++) {
            opposite[j] = inputs[b * D + j];
            inputs[b * D + j] = -opposite[j];
        }
        for (int64_t a = b; a >= 0; a--)
            if (a != b && alike(a, b) && a < line)
                line = a;
        for (int64_t j = 0; j < D; j++)
            inputs[b * D + j] = opposite[j];
        assert_int_equal(lines[b].direction, direction);
        assert_int_equal(lines[b].line, line);
    }
    assert_int_equal(lines[17].line, 3);
    assert_int_equal(lines[17].direction, 17);
    assert_int_equal(lines[150].direction, 3);
    assert_int_equal(lines[180].line, 99);
    assert_int_equal(lines[201].direction, 200);
}

/// Many dimensions, where norms are off by more than equal directions are from each other.
static void test_many_dimensions(void **state)
{
    (void)state;
    enum { LONG = 20000, COUNT = 12 };
    static double many[COUNT * LONG];
    static int64_t many_labels[COUNT];
    ww_normals((ww_stream){.seed = 6, .purpose = WW_DRAW_MEANS}, 0, LONG, many);
    for (int64_t s = 1; s < COUNT; s++)
        for (int64_t j = 0; j < LONG; j++)
            many[s * LONG + j] = many[j] * (1.0 + (double)s / 7.0);
    many[(COUNT - 1) * LONG + 5] *= 1.0 + 1e-10; // about 1e-12 of the whole
    const ww_samples samples = {.count = COUNT, .inputs = many, .labels = many_labels};
    ww_coincidence found;
    ww_error error = {0};
    assert_int_equal(ww_coincidence_find(&samples, LONG, &found, &error), WW_OK);
    assert_int_equal(found.samples, COUNT - 2);
    assert_int_equal(found.first, 0);
    assert_int_equal(found.second, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none),      cmocka_unit_test(test_planted),
        cmocka_unit_test(test_all_alike), cmocka_unit_test(test_nearly_alike),
        cmocka_unit_test(test_lines),     cmocka_unit_test(test_many_dimensions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
