/// Singular values of tall matrices, against dense ones and against known ones.
#include "tall_matrix.h"

#include <stdio.h>

static ww_parallel alone;

static const double accuracy = 1e-14; // of the largest

/// Rows, columns, units of a tile.
static const int64_t shapes[][3] = {
    {1, 1, 4},      // the smallest
    {3, 7, 4},      // one tile, wider than tall
    {20, 30, 8},    // several tiles, wider than tall
    {30, 30, 8},    // square
    {31, 30, 8},    // m = d + 1
    {64, 5, 8},     // two tiles a chunk
    {103, 10, 8},   // the last chunk has fewer rows than columns
    {97, 4, 8},     // the last chunk has one row
    {128, 12, 128}, // one tile
    {500, 12, 128}, // one tile a chunk
    {1000, 40, 16}, // 13 chunks
    {3000, 120, 128},
};

static void values_are_those_of_the_whole_matrix(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; ++i) {
        tall_matrix matrix = tall_matrix_create(shapes[i][0], shapes[i][1], shapes[i][2]);
        const int64_t count = tall_matrix_values(&matrix);
        double *values = tall_matrix_new_values(&matrix);
        double *expected = tall_matrix_new_values(&matrix);
        ww_error error = {0};
        assert_int_equal(tall_matrix_measure(&matrix, &alone, values, &error), WW_OK);
        tall_matrix_dense(&matrix, expected);
        assert_true(largest_difference(values, expected, count) <= accuracy);
        for (int64_t k = 1; k < count; ++k)
            assert_true(values[k] <= values[k - 1]);
        for (int64_t tile = 0; tile < tall_matrix_tiles(&matrix); ++tile)
            assert_int_equal(matrix.calls[tile], 1);
        free(values);
        free(expected);
        tall_matrix_free(&matrix);
    }
}

/// a [rows, columns] times the reflection of its rows (side 0) or columns (side 1) by a random
/// vector.
static void reflect(long double *a, size_t rows, size_t columns, int side, uint32_t which)
{
    const size_t length = side == 0 ? rows : columns;
    const size_t others = side == 0 ? columns : rows;
    const size_t step = side == 0 ? columns : 1;
    const size_t other_step = side == 0 ? 1 : columns;
    double *vector = malloc(length * sizeof *vector);
    assert_non_null(vector);
    ww_normals((ww_stream){.seed = 3, .purpose = WW_DRAW_MEANS, .substream = which}, 0, length,
               vector);
    long double square = 0;
    for (size_t i = 0; i < length; ++i)
        square += (long double)vector[i] * vector[i];
    for (size_t j = 0; j < others; ++j) {
        long double product = 0;
        for (size_t i = 0; i < length; ++i)
            product += vector[i] * a[i * step + j * other_step];
        product *= 2 / square;
        for (size_t i = 0; i < length; ++i)
            a[i * step + j * other_step] -= product * vector[i];
    }
    free(vector);
}

static void small_values_beside_large_ones_are_found(void **state)
{
    (void)state;
    tall_matrix matrix = tall_matrix_create(1000, 40, 16);
    const size_t rows = 1000;
    const size_t columns = 40;
    long double *exact = calloc(rows * columns, sizeof *exact);
    double *expected = tall_matrix_new_values(&matrix);
    double *values = tall_matrix_new_values(&matrix);
    assert_non_null(exact);
    for (size_t k = 0; k < columns; ++k) { // from 1 down to 1e-13
        expected[k] = pow(10, -13.0 * (double)k / (double)(columns - 1));
        exact[k * columns + k] = expected[k];
    }
    for (uint32_t which = 0; which < 12; ++which)
        reflect(exact, rows, columns, (int)(which % 2), which);
    for (size_t i = 0; i < rows * columns; ++i)
        matrix.entries[i] = (double)exact[i];
    ww_error error = {0};
    assert_int_equal(tall_matrix_measure(&matrix, &alone, values, &error), WW_OK);
    assert_true(largest_difference(values, expected, (int64_t)columns) <= accuracy);
    free(exact);
    free(expected);
    free(values);
    tall_matrix_free(&matrix);
}

static void values_scale_with_the_matrix(void **state)
{
    (void)state;
    const double scales[] = {1e-280, 1e-150, 1e150, 1e280};
    tall_matrix matrix = tall_matrix_create(103, 10, 8);
    double *values = tall_matrix_new_values(&matrix);
    double *expected = tall_matrix_new_values(&matrix);
    double *entries = malloc(1030 * sizeof *entries);
    assert_non_null(entries);
    memcpy(entries, matrix.entries, 1030 * sizeof *entries);
    ww_error error = {0};
    assert_int_equal(tall_matrix_measure(&matrix, &alone, expected, &error), WW_OK);
    for (size_t s = 0; s < sizeof scales / sizeof scales[0]; ++s) {
        for (size_t i = 0; i < 1030; ++i)
            matrix.entries[i] = scales[s] * entries[i];
        assert_int_equal(tall_matrix_measure(&matrix, &alone, values, &error), WW_OK);
        for (int64_t k = 0; k < 10; ++k)
            values[k] /= scales[s];
        assert_true(largest_difference(values, expected, 10) <= accuracy);
    }
    free(entries);
    free(values);
    free(expected);
    tall_matrix_free(&matrix);
}

static void a_matrix_of_zeros_has_only_zeros(void **state)
{
    (void)state;
    tall_matrix matrix = tall_matrix_create(103, 10, 8);
    double values[10];
    memset(values, 0xff, sizeof values);
    for (size_t i = 0; i < 1030; ++i)
        matrix.entries[i] = 0;
    ww_error error = {0};
    assert_int_equal(tall_matrix_measure(&matrix, &alone, values, &error), WW_OK);
    for (int64_t k = 0; k < 10; ++k)
        assert_true(values[k] == 0);
    tall_matrix_free(&matrix);
}

static void a_column_given_twice_costs_one_value(void **state)
{
    (void)state;
    tall_matrix matrix = tall_matrix_create(103, 10, 8);
    double values[10];
    for (size_t i = 0; i < 103; ++i)
        matrix.entries[i * 10 + 7] = matrix.entries[i * 10 + 2];
    ww_error error = {0};
    assert_int_equal(tall_matrix_measure(&matrix, &alone, values, &error), WW_OK);
    assert_true(values[8] > 1);
    assert_true(values[9] <= accuracy * values[0]);
    tall_matrix_free(&matrix);
}

static void what_is_not_finite_is_named(void **state)
{
    (void)state;
    const double bad[] = {NAN, INFINITY, -INFINITY};
    tall_matrix matrix = tall_matrix_create(103, 10, 8);
    double values[10];
    for (size_t b = 0; b < sizeof bad / sizeof bad[0]; ++b) {
        ww_error error = {0};
        matrix.entries[97 * 10 + 3] = bad[b];
        assert_int_equal(tall_matrix_measure(&matrix, &alone, values, &error), WW_FAILED);
        assert_non_null(strstr(error.message, "row 97, column 3"));
    }
    // Finite entries with a norm that is not.
    ww_error error = {0};
    for (size_t i = 0; i < 1030; ++i)
        matrix.entries[i] = 1.7e308;
    assert_int_equal(tall_matrix_measure(&matrix, &alone, values, &error), WW_FAILED);
    assert_non_null(strstr(error.message, "overflows"));
    tall_matrix_free(&matrix);
}

static void a_tile_that_cannot_be_had_is_told(void **state)
{
    (void)state;
    tall_matrix matrix = tall_matrix_create(103, 10, 8);
    double values[10];
    ww_error error = {0};
    matrix.bad_tile = 5;
    assert_int_equal(tall_matrix_measure(&matrix, &alone, values, &error), WW_FAILED);
    assert_string_equal(error.message, "tile 5 cannot be had");
    tall_matrix_free(&matrix);
}

static void a_dimension_beyond_what_lapack_counts_is_refused(void **state)
{
    (void)state;
    tall_matrix matrix = tall_matrix_create(8, 1, 8);
    const ww_tiling tiling = tall_matrix_tiling(&matrix, 0, 1);
    ww_error error = {0};
    assert_int_equal(ww_singular_values(&tiling, INT64_C(1) << 31, tall_matrix_rows, &matrix,
                                        &alone, NULL, &error),
                     WW_USAGE);
    assert_non_null(strstr(error.message, "2147483648"));
    tall_matrix_free(&matrix);
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    ww_error error = {0};
    if (ww_parallel_create(MPI_COMM_SELF, &alone, &error) != WW_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_those_of_the_whole_matrix),
        cmocka_unit_test(small_values_beside_large_ones_are_found),
        cmocka_unit_test(values_scale_with_the_matrix),
        cmocka_unit_test(a_matrix_of_zeros_has_only_zeros),
        cmocka_unit_test(a_column_given_twice_costs_one_value),
        cmocka_unit_test(what_is_not_finite_is_named),
        cmocka_unit_test(a_tile_that_cannot_be_had_is_told),
        cmocka_unit_test(a_dimension_beyond_what_lapack_counts_is_refused),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    ww_parallel_destroy(&alone);
    MPI_Finalize();
    return failed;
}
