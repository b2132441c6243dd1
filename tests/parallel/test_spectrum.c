/// Singular values of rows divided over ranks: the same bits as on one rank, and the same errors.
#include "tall_matrix.h"

#include <stdio.h>

static ww_parallel world;
static ww_parallel alone;

/// Checks that all ranks together find what one rank finds by itself.
static void check_same_bits(int64_t rows, int64_t columns, int64_t tile_units)
{
    tall_matrix together = tall_matrix_create(rows, columns, tile_units);
    tall_matrix single = tall_matrix_create(rows, columns, tile_units);
    double *values = tall_matrix_new_values(&together);
    double *expected = tall_matrix_new_values(&single);
    ww_error error = {0};
    assert_int_equal(tall_matrix_measure(&together, &world, values, &error), WW_OK);
    assert_int_equal(tall_matrix_measure(&single, &alone, expected, &error), WW_OK);
    assert_memory_equal(values, expected, (size_t)tall_matrix_values(&together) * sizeof *values);
    // Each tile is asked for once, of its owner only.
    const ww_tiling tiling = tall_matrix_tiling(&together, world.rank, world.size);
    for (int64_t tile = 0; tile < tiling.tile_count; ++tile) {
        const int64_t place = tile - tiling.first_tile;
        assert_int_equal(together.calls[tile], place >= 0 && place < tiling.local_tiles);
    }
    free(values);
    free(expected);
    tall_matrix_free(&together);
    tall_matrix_free(&single);
}

static void bits_do_not_depend_on_the_ranks(void **state)
{
    (void)state;
    check_same_bits(3, 7, 4);
    check_same_bits(31, 30, 8);
    check_same_bits(103, 10, 8);
    check_same_bits(1000, 40, 16);
    check_same_bits(3000, 100, 128);
    check_same_bits(500, 12, 128); // four tiles: ranks idle
}

static void bits_do_not_depend_on_the_ranks_for_any_tree(void **state)
{
    (void)state;
    // Chunks of one, two and four tiles, up to forty tiles, the last of them full or not.
    for (int64_t columns = 2; columns <= 8; columns *= 2)
        for (int64_t tiles = 1; tiles <= 40; ++tiles) {
            check_same_bits(4 * tiles, columns, 4);
            check_same_bits(4 * tiles - 3, columns, 4);
        }
}

static void an_error_of_one_rank_is_told_on_all(void **state)
{
    (void)state;
    tall_matrix matrix = tall_matrix_create(1000, 10, 8);
    double values[10];
    double expected[10];
    ww_error error = {0};
    assert_int_equal(tall_matrix_measure(&matrix, &alone, expected, &error), WW_OK);
    // Rows of the first and the last tile of each rank, some of them sent to another.
    for (int rank = 0; rank < world.size; ++rank)
        for (int last = 0; last <= 1; ++last) {
            const ww_tiling tiling = tall_matrix_tiling(&matrix, rank, world.size);
            const int64_t row =
                last ? tiling.first_unit + tiling.local_units - 1 : tiling.first_unit;
            const double entry = matrix.entries[row * 10 + 4];
            char sentence[100];
            (void)snprintf(sentence, sizeof sentence, "row %lld, column 4;", (long long)row);
            matrix.entries[row * 10 + 4] = NAN;
            error = (ww_error){0};
            assert_int_equal(tall_matrix_measure(&matrix, &world, values, &error), WW_FAILED);
            assert_non_null(strstr(error.message, sentence));
            matrix.entries[row * 10 + 4] = entry;

            matrix.bad_tile = row / 8;
            (void)snprintf(sentence, sizeof sentence, "tile %lld cannot be had",
                           (long long)(row / 8));
            assert_int_equal(tall_matrix_measure(&matrix, &world, values, &error), WW_FAILED);
            assert_string_equal(error.message, sentence);
            matrix.bad_tile = -1;

            // Nothing is left on its way that would disturb the next call.
            assert_int_equal(tall_matrix_measure(&matrix, &world, values, &error), WW_OK);
            assert_memory_equal(values, expected, sizeof values);
        }
    tall_matrix_free(&matrix);
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    ww_error error = {0};
    if (ww_parallel_create(MPI_COMM_WORLD, &world, &error) != WW_OK ||
        ww_parallel_create(MPI_COMM_SELF, &alone, &error) != WW_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_do_not_depend_on_the_ranks),
        cmocka_unit_test(bits_do_not_depend_on_the_ranks_for_any_tree),
        cmocka_unit_test(an_error_of_one_rank_is_told_on_all),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    ww_parallel_destroy(&alone);
    ww_parallel_destroy(&world);
    MPI_Finalize();
    return failed;
}
