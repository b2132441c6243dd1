// Products of rows with few samples and sums of samples added to rows: every version of the kernels
// gives the bits of the plain loops that say what they are.

#include "cmocka_all.h"
#include "train/panels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const int64_t some_units[] = {1, 6, 8, 13, 33, 70};
static const int64_t some_dimensions[] = {1, 7, 8, 16, 29, 64, 100, 150};
static const int64_t some_samples[] = {1, 3, 8, 16, 17, 32, 33, 63, 64, 65, 130};

#define COUNT(list) ((int)(sizeof(list) / sizeof(list)[0]))

static double number(int64_t i, int phase)
{
    return sin((double)(1 + 7 * i + 1001 * (int64_t)phase));
}

static double *numbers(int64_t count, int phase)
{
    double *values = calloc((size_t)count, sizeof *values);
    for (int64_t i = 0; i < count; i++)
        values[i] = number(i, phase);
    return values;
}

// Both precisions by one text.
#define TESTS(real, name, multiply_add, versions)                                                  \
    static real *name##_numbers(int64_t count, int phase)                                          \
    {                                                                                              \
        real *values = calloc((size_t)count, sizeof *values);                                      \
        for (int64_t i = 0; i < count; i++)                                                        \
            values[i] = (real)number(i, phase);                                                    \
        return values;                                                                             \
    }                                                                                              \
    static void name##_products(const ww_panel_kernels *kernels, int64_t units, int64_t d,         \
                                int64_t samples)                                                   \
    {                                                                                              \
        double *inputs = numbers(samples * d, 1);                                                  \
        real *rows = name##_numbers(units * d, 2);                                                 \
        real *found = name##_numbers(units * samples + 1, 3);                                      \
        const real guard = found[units * samples];                                                 \
        real *panels = calloc(ww_panel_values(samples, d, sizeof(real)), sizeof(real));            \
        kernels->fill_panels(inputs, samples, d, panels);                                          \
        kernels->products(rows, units, d, panels, samples, found);                                 \
        for (int64_t r = 0; r < units; r++)                                                        \
            for (int64_t s = 0; s < samples; s++) {                                                \
                real expected = 0;                                                                 \
                for (int64_t j = 0; j < d; j++)                                                    \
                    expected = multiply_add(rows[r * d + j], (real)inputs[s * d + j], expected);   \
                assert_memory_equal(&found[r * samples + s], &expected, sizeof(real));             \
            }                                                                                      \
        assert_memory_equal(&found[units * samples], &guard, sizeof(real));                        \
        free(inputs);                                                                              \
        free(rows);                                                                                \
        free(found);                                                                               \
        free(panels);                                                                              \
    }                                                                                              \
    static void name##_accumulate(const ww_panel_kernels *kernels, int64_t units, int64_t d,       \
                                  int64_t samples)                                                 \
    {                                                                                              \
        double *inputs = numbers(samples * d, 1);                                                  \
        real *factors = name##_numbers(units * samples, 4);                                        \
        real *rows = name##_numbers(units * d + 1, 2);                                             \
        real *expected = name##_numbers(units * d + 1, 2);                                         \
        real *strips = calloc(ww_strip_values(samples, d, sizeof(real)), sizeof(real));            \
        for (int64_t i = 0; i < units * samples; i++)                                              \
            factors[i] = factors[i] < 0 ? 0 : factors[i];                                          \
        kernels->fill_strips(inputs, samples, d, strips);                                          \
        kernels->accumulate(-0.3, factors, samples, strips, samples, units, d, rows);              \
        for (int64_t r = 0; r < units; r++)                                                        \
            for (int64_t s = 0; s < samples; s++)                                                  \
                for (int64_t j = 0; j < d; j++)                                                    \
                    expected[r * d + j] =                                                          \
                        multiply_add((real)-0.3 * factors[r * samples + s],                        \
                                     (real)inputs[s * d + j], expected[r * d + j]);                \
        assert_memory_equal(rows, expected, (size_t)(units * d + 1) * sizeof(real));               \
        free(inputs);                                                                              \
        free(factors);                                                                             \
        free(rows);                                                                                \
        free(expected);                                                                            \
        free(strips);                                                                              \
    }                                                                                              \
    static void name##_patterns(const ww_panel_kernels *kernels, int64_t units, int64_t d,         \
                                int64_t samples)                                                   \
    {                                                                                              \
        enum { GROUP = 5, WORD = 32 };                                                             \
        const int64_t stride = (samples + 7) / 8 + 3;                                              \
        double *inputs = numbers(samples * d, 1);                                                  \
        real *scales = name##_numbers(units, 5);                                                   \
        uint8_t *patterns = calloc((size_t)(units * stride), 1);                                   \
        real *rows = name##_numbers(units * d + 1, 2);                                             \
        real *expected = name##_numbers(units * d + 1, 2);                                         \
        real *strips = calloc(ww_strip_values(samples, d, sizeof(real)), sizeof(real));            \
        void *room = aligned_alloc(WW_LANES_BYTES, WW_PATTERN_ROOM_BYTES);                         \
        for (int64_t r = 0; r < units; r++)                                                        \
            for (int64_t s = 0; s < samples; s++)                                                  \
                if (number(r * samples + s, 6) > 0.1)                                              \
                    patterns[r * stride + s / 8] |= (uint8_t)(1 << s % 8);                         \
        kernels->fill_strips(inputs, samples, d, strips);                                          \
        kernels->add_patterns(scales, patterns, stride, strips, samples, units, d, rows, room);    \
        for (int64_t r = 0; r < units; r++)                                                        \
            for (int64_t j = 0; j < d; j++)                                                        \
                for (int64_t from = 0; from < samples; from += 512) {                              \
                    real sum = 0;                                                                  \
                    for (int64_t s = from; s < samples && s < from + 512;) {                       \
                        real some = 0;                                                             \
                        const int64_t end = s + GROUP < s / WORD * WORD + WORD                     \
                                                ? s + GROUP                                        \
                                                : s / WORD * WORD + WORD;                          \
                        for (; s < samples && s < end; s++)                                        \
                            if (patterns[r * stride + s / 8] >> s % 8 & 1)                         \
                                some += (real)inputs[s * d + j];                                   \
                        sum += some;                                                               \
                    }                                                                              \
                    expected[r * d + j] = multiply_add(scales[r], sum, expected[r * d + j]);       \
                }                                                                                  \
        assert_memory_equal(rows, expected, (size_t)(units * d + 1) * sizeof(real));               \
        free(inputs);                                                                              \
        free(scales);                                                                              \
        free(patterns);                                                                            \
        free(rows);                                                                                \
        free(expected);                                                                            \
        free(strips);                                                                              \
        free(room);                                                                                \
    }                                                                                              \
    static void name##_continued(const ww_panel_kernels *kernels, int64_t units, int64_t d,        \
                                 int64_t samples)                                                  \
    {                                                                                              \
        const int64_t row_stride = d + 5, stride = samples + 2;                                    \
        double *inputs = numbers(samples * d, 1);                                                  \
        real *rows = name##_numbers(units * row_stride, 2);                                        \
        real *found = name##_numbers(units * stride, 3);                                           \
        real *expected = name##_numbers(units * stride, 3);                                        \
        real *panels = calloc(ww_panel_values(samples, d, sizeof(real)), sizeof(real));            \
        kernels->fill_panels(inputs, samples, d, panels);                                          \
        kernels->add_products(rows, row_stride, units, d, panels, samples, found, stride);         \
        for (int64_t r = 0; r < units; r++)                                                        \
            for (int64_t s = 0; s < samples; s++)                                                  \
                for (int64_t j = 0; j < d; j++)                                                    \
                    expected[r * stride + s] =                                                     \
                        multiply_add(rows[r * row_stride + j], (real)inputs[s * d + j],            \
                                     expected[r * stride + s]);                                    \
        assert_memory_equal(found, expected, (size_t)(units * stride) * sizeof(real));             \
        free(inputs);                                                                              \
        free(rows);                                                                                \
        free(found);                                                                               \
        free(expected);                                                                            \
        free(panels);                                                                              \
    }                                                                                              \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        for (int version = 0; version < WW_PANEL_VERSIONS; version++) {                            \
            if (!ww_panel_has((ww_panel_version)version))                                          \
                continue;                                                                          \
            for (int u = 0; u < COUNT(some_units); u++)                                            \
                for (int j = 0; j < COUNT(some_dimensions); j++)                                   \
                    for (int s = 0; s < COUNT(some_samples); s++) {                                \
                        name##_products(&(versions)[version], some_units[u], some_dimensions[j],   \
                                        some_samples[s]);                                          \
                        name##_accumulate(&(versions)[version], some_units[u], some_dimensions[j], \
                                          some_samples[s]);                                        \
                        name##_continued(&(versions)[version], some_units[u], some_dimensions[j],  \
                                         some_samples[s]);                                         \
                        name##_patterns(&(versions)[version], some_units[u], some_dimensions[j],   \
                                        some_samples[s]);                                          \
                    }                                                                              \
            name##_patterns(&(versions)[version], 300, 20, 1100); /* pieces of both */             \
        }                                                                                          \
    }

TESTS(double, in_double, fma, ww_panel_double)
TESTS(float, in_single, fmaf, ww_panel_single)

// A weight that is not finite is not passed over, nor is a factor.
static void test_not_finite(void **state)
{
    (void)state;
    const double inputs[2] = {1.0, -2.0};
    double strips[16] = {0.0}, panels[8] = {0.0}, product = 0.0, row = 1.0;
    const double factors[2] = {0.0, NAN};
    const double weight = INFINITY;
    const ww_panel_kernels *kernels = &ww_panel_double[ww_panel_best()];
    kernels->fill_panels(inputs + 1, 1, 1, panels);
    kernels->products(&weight, 1, 1, panels, 1, &product);
    assert_true(product == -INFINITY);
    kernels->fill_strips(inputs, 2, 1, strips);
    kernels->accumulate(1.0, factors, 2, strips, 2, 1, 1, &row);
    assert_true(isnan(row));
}

static void test_best(void **state)
{
    (void)state;
    assert_true(ww_panel_has(WW_PANEL_PLAIN));
    assert_true(ww_panel_has(ww_panel_best()));
    for (int version = (int)ww_panel_best() + 1; version < WW_PANEL_VERSIONS; version++)
        assert_false(ww_panel_has((ww_panel_version)version));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_double),
        cmocka_unit_test(test_in_single),
        cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_best),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
