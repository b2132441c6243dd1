/// Grids, block matrices, and the assembly of Gram matrices on them.
#include "gram_support.h"
#include "small_problem.h"

#include "gram/popcount.h"
#include "train/kernels.h"

#include <stdio.h>

static ww_parallel world;
static ww_parallel alone;

static void shapes_of_grids_are_as_square_as_can_be(void **state)
{
    (void)state;
    const int expected[][3] = {{1, 1, 1},  {2, 1, 2},  {3, 1, 3},   {4, 2, 2},   {5, 2, 2},
                               {6, 2, 3},  {7, 2, 3},  {8, 2, 4},   {9, 3, 3},   {11, 2, 5},
                               {13, 3, 4}, {64, 8, 8}, {96, 8, 12}, {128, 8, 16}};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        int rows = 0, columns = 0;
        ww_grid_shape(expected[i][0], &rows, &columns);
        assert_int_equal(rows, expected[i][1]);
        assert_int_equal(columns, expected[i][2]);
    }
}

/// Grid shapes that fit: 1 x p, p x 1, 2 x 2, and the automatic one (0 x 0).
static int grid_shapes(int shapes[4][2])
{
    const int all[4][2] = {{0, 0}, {1, world.size}, {world.size, 1}, {2, 2}};
    const int count = world.size >= 4 ? 4 : 3;
    memcpy(shapes, all, (size_t)count * sizeof *all);
    return count;
}

static void every_entry_has_one_place(void **state)
{
    (void)state;
    const int64_t rows = 53, columns = 38;
    int shapes[4][2];
    const int count = grid_shapes(shapes);
    for (int s = 0; s < count; s++)
        for (int64_t block = 1; block <= 64; block += 9) {
            ww_error error = {0};
            ww_grid grid = {0};
            ww_block_matrix matrix = {0};
            assert_int_equal(ww_grid_create(&world, shapes[s][0], shapes[s][1], &grid, &error),
                             WW_OK);
            assert_int_equal(ww_block_matrix_create(&grid, rows, columns, block, &matrix, &error),
                             WW_OK);
            int64_t *places = calloc((size_t)(rows * columns), sizeof *places);
            assert_non_null(places);
            for (int64_t j = 0; j < matrix.local_columns; j++)
                for (int64_t i = 0; i < matrix.local_rows; i++) {
                    const int64_t row = ww_block_global_row(&matrix, i);
                    const int64_t column = ww_block_global_column(&matrix, j);
                    places[row * columns + column]++;
                    assert_true(ww_block_owns_row(&matrix, row));
                    assert_true(ww_block_owns_column(&matrix, column));
                    assert_int_equal(ww_block_local_row(&matrix, row), i);
                    assert_int_equal(ww_block_local_column(&matrix, column), j);
                    assert_int_equal(ww_block_local_row_from(&matrix, row), i);
                    assert_int_equal(ww_block_local_column_from(&matrix, column), j);
                    assert_int_equal(ww_block_local_row_from(&matrix, row + 1), i + 1);
                }
            assert_int_equal(ww_sum_words(&world, places, (size_t)(rows * columns), &error), WW_OK);
            for (int64_t i = 0; i < rows * columns; i++)
                assert_int_equal(places[i], 1);
            free(places);
            ww_block_matrix_free(&matrix);
            ww_grid_free(&grid);
        }
}

static void a_grid_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    ww_error error = {0};
    ww_grid grid = {0};
    assert_int_equal(ww_grid_create(&world, world.size + 1, 1, &grid, &error), WW_USAGE);
    ww_grid_free(&grid);
    assert_int_equal(ww_grid_create(&world, -1, 1, &grid, &error), WW_USAGE);
    ww_grid_free(&grid);
}

static void matrices_too_large_are_refused_with_the_ranks_that_would_do(void **state)
{
    (void)state;
    ww_error error = {0};
    ww_grid grid = {0};
    ww_block_matrix matrix = {0};
    assert_int_equal(ww_grid_create(&alone, 0, 0, &grid, &error), WW_OK);
    assert_int_equal(ww_block_matrix_describe(&grid, 46000, 46000, 32, &matrix, &error), WW_OK);
    assert_int_equal(ww_block_matrix_create(&grid, 50000, 50000, 32, &matrix, &error), WW_USAGE);
    assert_non_null(strstr(error.message, "use 2 ranks or more"));
    assert_int_equal(ww_block_matrix_create(&grid, 1000000, 1000000, 32, &matrix, &error),
                     WW_USAGE);
    assert_non_null(strstr(error.message, "use 468 ranks or more"));
    // Only the work of an eigensolver is too large: 2 n^2.
    ww_spectrum spectrum = {0};
    error = (ww_error){0};
    assert_int_equal(ww_spectrum_compute(ww_gram_limit_fill, NULL, &grid, 40000, 32,
                                         WW_EIGENSOLVER_SCALAPACK, true, &spectrum, &error),
                     WW_USAGE);
    assert_non_null(strstr(error.message, "use 2 ranks or more"));
    ww_grid_free(&grid);
}

/// Assembles H on a grid and gathers it.
static void assemble(const ww_parallel *parallel, int rows, int columns, int64_t block,
                     ww_gram_fill fill, void *context, int64_t order, double *full)
{
    ww_error error = {0};
    ww_grid grid = {0};
    ww_block_matrix matrix = {0};
    assert_int_equal(ww_grid_create(parallel, rows, columns, &grid, &error), WW_OK);
    assert_int_equal(ww_block_matrix_create(&grid, order, order, block, &matrix, &error), WW_OK);
    assert_int_equal(fill(context, &matrix, &error), WW_OK);
    gather_lower(&matrix, full);
    ww_block_matrix_free(&matrix);
    ww_grid_free(&grid);
}

/// Expected matrices take long, so that each rank makes every so many of their rows: all get them
/// all.
static void put_rows_together(double *matrix, int64_t order)
{
    MPI_Allreduce(MPI_IN_PLACE, matrix, (int)(order * order), MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
}

static void the_limit_is_the_scalar_kernel_on_any_grid(void **state)
{
    (void)state;
    enum { N = 530, D = 19 }; // several chunks
    const ww_kernel kernels[] = {{1, 0.0, false}, {3, 0.1, true}};
    double *inputs = new_hard_inputs(N, D);
    double *expected = new_doubles(N * N), *first = new_doubles(N * N), *full = new_doubles(N * N);
    int shapes[4][2];
    const int count = grid_shapes(shapes);
    for (int k = 0; k < 2; k++) {
        ww_gram_limit limit = {&kernels[k], inputs, N, D};
        memset(expected, 0, (size_t)(N * N) * sizeof *expected);
        for (int64_t i = world.rank; i < N; i += world.size)
            for (int64_t j = 0; j < N; j++)
                expected[i * N + j] =
                    ww_kernel_value(&kernels[k], inputs + i * D, inputs + j * D, D);
        put_rows_together(expected, N);
        assemble(&alone, 0, 0, 32, ww_gram_limit_fill, &limit, N, first);
        assert_true(largest_difference(first, expected, N * N) <=
                    1e-14 * largest_magnitude(expected, N * N));
        for (int s = 0; s < count; s++)
            for (int64_t block = 5; block <= 64; block += 28) {
                assemble(&world, shapes[s][0], shapes[s][1], block, ww_gram_limit_fill, &limit, N,
                         full);
                // The same bits, even.
                assert_memory_equal(full, first, (size_t)(N * N) * sizeof *full);
            }
    }
    free(inputs);
    free(expected);
    free(first);
    free(full);
}

/// Weights of a rank's tiles.
typedef struct weights {
    const ww_problem *problem;
    const double *all; ///< [m, d]
} weights;

static const double *tile_of(void *context, int64_t tile)
{
    const weights *self = context;
    assert_true(tile >= self->problem->tiling.first_tile &&
                tile < self->problem->tiling.first_tile + self->problem->tiling.local_tiles);
    return self->all + tile * self->problem->tiling.tile_units * self->problem->dimension;
}

/// H(t) by plain loops, with the patterns of training's products.
static void plain_network(const ww_problem *problem, const double *all, double square, double *full)
{
    const int64_t n = problem->data->train.count, d = problem->dimension;
    const ww_tiling tiling = ww_tiling_make(problem->tiling.width, 0, 1);
    const double slope = problem->negative_slope;
    double *slopes = new_doubles(tiling.width * n);
    double *z = new_doubles(tiling.tile_units * WW_SAMPLE_BLOCK);
    for (int64_t tile = 0; tile < tiling.tile_count; tile++)
        for (int64_t start = 0; start < n; start += WW_SAMPLE_BLOCK) {
            const int64_t units = ww_tile_size(&tiling, tile), samples = ww_block_size(n, start);
            ww_kernel_preactivations(false, all + tile * tiling.tile_units * d, units,
                                     problem->data->train.inputs + start * d, samples, d, z);
            for (int64_t u = 0; u < units; u++)
                for (int64_t s = 0; s < samples; s++)
                    slopes[(tile * tiling.tile_units + u) * n + start + s] =
                        z[u * samples + s] >= 0.0 ? 1.0 : slope;
        }
    memset(full, 0, (size_t)(n * n) * sizeof *full);
    for (int64_t i = world.rank; i < n; i += world.size)
        for (int64_t j = 0; j < n; j++) {
            long double sum = 0.0L, product = 0.0L;
            for (int64_t r = 0; r < tiling.width; r++)
                sum += (long double)slopes[r * n + i] * slopes[r * n + j];
            for (int64_t k = 0; k < d; k++)
                product += (long double)problem->data->train.inputs[i * d + k] *
                           problem->data->train.inputs[j * d + k];
            full[i * n + j] = (double)(product * sum * square);
        }
    put_rows_together(full, n);
    free(slopes);
    free(z);
}

/// Settings, samples and inputs of the networks that are counted.
static void check_network(const char *const *settings, size_t count, int64_t samples)
{
    enum { D = 13 };
    ww_error error = {0};
    small_problem together = {0}, single = {0};
    if (!small_problem_make(&together, MPI_COMM_WORLD, settings, count, samples, 2, D, 2, &error) ||
        !small_problem_make(&single, MPI_COMM_SELF, settings, count, samples, 2, D, 2, &error))
        fail_msg("%s", error.message);
    const int64_t width = together.problem.tiling.width;
    double *all = new_normals(width * D, 4);
    for (int64_t j = 0; j < D; j++) // a unit at 0, which counts as active
        all[5 * D + j] = 0.0;
    double *expected = new_doubles(samples * samples), *first = new_doubles(samples * samples);
    double *full = new_doubles(samples * samples);
    plain_network(&single.problem, all, 1.0 / (double)width, expected);
    weights own = {&together.problem, all}, whole = {&single.problem, all};
    ww_gram_network network = {&together.problem, tile_of, &own, 1.0 / (double)width};
    ww_gram_network one = {&single.problem, tile_of, &whole, 1.0 / (double)width};
    assemble(&single.parallel, 0, 0, 32, ww_gram_network_fill, &one, samples, first);
    assert_true(largest_difference(first, expected, samples * samples) <=
                4e-15 * largest_magnitude(expected, samples * samples));
    int shapes[4][2];
    const int shape_count = grid_shapes(shapes);
    for (int s = 0; s < shape_count; s++)
        for (int64_t block = 7; block <= 40; block += 25) {
            assemble(&together.parallel, shapes[s][0], shapes[s][1], block, ww_gram_network_fill,
                     &network, samples, full);
            assert_memory_equal(full, first, (size_t)(samples * samples) * sizeof *full);
        }
    // Whatever was there before.
    ww_grid grid = {0};
    ww_block_matrix matrix = {0};
    assert_int_equal(ww_grid_create(&together.parallel, 0, 0, &grid, &error), WW_OK);
    assert_int_equal(ww_block_matrix_create(&grid, samples, samples, 32, &matrix, &error), WW_OK);
    for (int64_t i = 0; i < matrix.leading * matrix.local_columns; i++)
        matrix.entries[i] = (double)NAN;
    assert_int_equal(ww_gram_network_fill(&network, &matrix, &error), WW_OK);
    gather_lower(&matrix, full);
    assert_memory_equal(full, first, (size_t)(samples * samples) * sizeof *full);
    ww_block_matrix_free(&matrix);
    ww_grid_free(&grid);
    free(all);
    free(expected);
    free(first);
    free(full);
    small_problem_free(&together);
    small_problem_free(&single);
}

static void a_network_is_counted_right_and_with_the_same_bits(void **state)
{
    (void)state;
    const char *const relu[] = {"network.width=1000"};
    const char *const leaky[] = {"network.width=9001", "network.activation.kind=leaky-relu",
                                 "network.activation.slope=0.3"};
    const char *const narrow[] = {"network.width=100"}; // one tile: ranks idle
    check_network(relu, 1, 97);
    check_network(relu, 1, 600);
    check_network(leaky, 3, 70);
    check_network(narrow, 1, 33);
}

static void bits_are_counted_the_same_in_all_ways(void **state)
{
    (void)state;
    const ww_common_bits fast = ww_common_bits_choose();
    uint64_t left[67], right[67];
    for (uint64_t i = 0; i < 67; i++) {
        left[i] = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
        right[i] = (i + 3) * UINT64_C(0xbf58476d1ce4e5b9);
    }
    for (int64_t words = 0; words <= 67; words++) {
        int64_t expected = 0;
        for (int64_t w = 0; w < words; w++)
            for (int bit = 0; bit < 64; bit++)
                expected += (int64_t)((left[w] & right[w]) >> bit & 1);
        assert_int_equal(ww_common_bits_plain(left, right, words), expected);
        assert_int_equal(fast(left, right, words), expected);
    }
}

static void an_error_of_one_rank_is_told_on_all(void **state)
{
    (void)state;
    enum { N = 64, D = 5 };
    ww_error error = {0};
    ww_grid grid = {0};
    ww_block_matrix matrix = {0};
    const ww_kernel kernel = {1, 0.0, false};
    double *inputs = new_sphere(N, D, 1);
    ww_gram_limit limit = {&kernel, inputs, N, D};
    assert_int_equal(ww_grid_create(&world, 0, 0, &grid, &error), WW_OK);
    assert_int_equal(ww_block_matrix_create(&grid, N, N, 32, &matrix, &error), WW_OK);
    if (world.rank == world.size - 1)
        inputs[0] = 1e200;
    assert_int_equal(ww_gram_limit_fill(&limit, &matrix, &error), WW_USAGE);
    assert_non_null(strstr(error.message, "normalise"));
    for (int64_t i = 0; i < N * D; i++)
        inputs[i] = 1e-160;
    assert_int_equal(ww_gram_limit_fill(&limit, &matrix, &error), WW_USAGE);
    assert_non_null(strstr(error.message, "too small for doubles: normalise them"));
    ww_block_matrix_free(&matrix);
    ww_grid_free(&grid);
    free(inputs);
}

static void the_kernel_is_applied_with_the_same_bits(void **state)
{
    (void)state;
    enum { P = 533, N = 300, D = 7, C = 3 };
    const ww_kernel kernel = {2, 0.1, false};
    ww_error error = {0};
    double *rows = new_normals(P * D, 8), *inputs = new_normals(N * D, 9);
    double *coefficients = new_normals(N * C, 10);
    double *single = new_doubles(P * C), *together = new_doubles(P * C);
    assert_int_equal(
        ww_kernel_apply(&kernel, rows, P, inputs, N, D, coefficients, C, &alone, single, &error),
        WW_OK);
    assert_int_equal(
        ww_kernel_apply(&kernel, rows, P, inputs, N, D, coefficients, C, &world, together, &error),
        WW_OK);
    assert_memory_equal(single, together, (size_t)(P * C) * sizeof *single);
    for (int64_t i = 0; i < P; i++)
        for (int64_t c = 0; c < C; c++) {
            double sum = 0.0;
            for (int64_t j = 0; j < N; j++)
                sum += ww_kernel_value(&kernel, rows + i * D, inputs + j * D, D) *
                       coefficients[j * C + c];
            assert_true(fabs(sum - single[i * C + c]) <= 1e-11);
        }
    free(rows);
    free(inputs);
    free(coefficients);
    free(single);
    free(together);
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
        cmocka_unit_test(shapes_of_grids_are_as_square_as_can_be),
        cmocka_unit_test(every_entry_has_one_place),
        cmocka_unit_test(a_grid_that_does_not_fit_is_refused),
        cmocka_unit_test(matrices_too_large_are_refused_with_the_ranks_that_would_do),
        cmocka_unit_test(the_limit_is_the_scalar_kernel_on_any_grid),
        cmocka_unit_test(a_network_is_counted_right_and_with_the_same_bits),
        cmocka_unit_test(bits_are_counted_the_same_in_all_ways),
        cmocka_unit_test(an_error_of_one_rank_is_told_on_all),
        cmocka_unit_test(the_kernel_is_applied_with_the_same_bits),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    ww_parallel_destroy(&alone);
    ww_parallel_destroy(&world);
    MPI_Finalize();
    return failed;
}
