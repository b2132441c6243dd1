/// Ranks for the Gram matrix: how many are needed, how many are of use, and what each has to do.

#include "cmocka_all.h"

#include "widthwise/gram_ranks.h"

#include <limits.h>
#include <string.h>

static ww_config config_of(int64_t block, ww_eigensolver solver, bool keeps)
{
    ww_config config = {0};
    config.network.width = 128;
    config.gram.depth = 1;
    config.gram.block = block;
    config.gram.solver = solver;
    config.gram.spectrum = WW_GRAM_SPECTRUM_FULL;
    config.gram.eigenvectors = keeps;
    return config;
}

static ww_gram_plan plan_of(const ww_config *config, int64_t samples)
{
    return (ww_gram_plan){.kernel = {.depth = 1},
                          .samples = samples,
                          .outputs = 1,
                          .has_set = {true},
                          .has_spectrum = config->gram.spectrum != WW_GRAM_SPECTRUM_NONE,
                          .has_vectors = config->gram.spectrum == WW_GRAM_SPECTRUM_FULL,
                          .block = config->gram.block < samples ? config->gram.block : samples};
}

static ww_parallel rank_of(int rank, int ranks)
{
    return (ww_parallel){.communicator = MPI_COMM_NULL, .rank = rank, .size = ranks};
}

// The room of pdsyevd has two more matrices: 2 n^2 / ranks < 2^31.
static void the_least_number_of_ranks_does_and_fewer_do_not(void **state)
{
    (void)state;
    ww_error error = {0};
    const ww_config kinds[] = {
        config_of(32, WW_EIGENSOLVER_SCALAPACK, false),
        config_of(32, WW_EIGENSOLVER_SCALAPACK, true),
        config_of(512, WW_EIGENSOLVER_SCALAPACK, false),
    };
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        for (int64_t n = 30000; n < 2000000; n += n / 3) {
            const ww_gram_plan plan = plan_of(&kinds[k], n);
            const int least = ww_gram_least_ranks(&plan, &kinds[k]);
            assert_true(least >= 1);
            assert_true(2.0 * (double)n * (double)n / least < 2147483648.0);
            assert_true(least < 4 + 3.0 * (double)n * (double)n / 2147483648.0);
            for (int ranks = least; ranks < least + 10; ranks++)
                assert_int_equal(ww_gram_limits(&plan, &kinds[k], ranks, &error), WW_OK);
            if (least == 1)
                continue;
            assert_int_equal(ww_gram_limits(&plan, &kinds[k], least - 1, &error), WW_USAGE);
            char number[64];
            (void)snprintf(number, sizeof number, "it takes %d ranks or more", least);
            assert_non_null(strstr(error.message, number));
        }
}

// What is told is what the pieces find out themselves.
static void limits_are_those_of_the_pieces(void **state)
{
    (void)state;
    ww_config config = config_of(32, WW_EIGENSOLVER_SCALAPACK, false);
    config.gram.spectrum = WW_GRAM_SPECTRUM_NONE;
    for (int64_t n = 46000; n < 100000; n += 3111)
        for (int ranks = 1; ranks < 8; ranks++) {
            const ww_gram_plan plan = plan_of(&config, n);
            const ww_parallel first = rank_of(0, ranks);
            const ww_grid grid = ww_gram_grid_describe(&config, n, &first);
            ww_block_matrix matrix;
            assert_int_equal(ww_block_matrix_describe(&grid, n, n, WW_SOLVE_BLOCK, &matrix, NULL),
                             ww_gram_limits(&plan, &config, ranks, NULL));
        }
}

static void a_grid_that_is_asked_for_counts(void **state)
{
    (void)state;
    ww_error error = {0};
    int64_t sides[2] = {1, 3};
    ww_config config = config_of(32, WW_EIGENSOLVER_SCALAPACK, false);
    config.gram.grid = (ww_integer_list){.values = sides, .count = 2};
    ww_gram_plan plan = plan_of(&config, 500);
    assert_int_equal(ww_gram_least_ranks(&plan, &config), 3);
    assert_int_equal(ww_gram_most_ranks(&plan, &config), 3);
    assert_int_equal(ww_gram_limits(&plan, &config, 3, &error), WW_OK);
    assert_int_equal(ww_gram_limits(&plan, &config, 2, &error), WW_USAGE);
    assert_non_null(strstr(error.message, "gram.grid"));
    assert_non_null(strstr(error.message, "3 ranks or more"));
    plan = plan_of(&config, 60000); // too large for three places, whatever the ranks
    assert_int_equal(ww_gram_least_ranks(&plan, &config), 0);
    assert_int_equal(ww_gram_limits(&plan, &config, 100, &error), WW_USAGE);
    assert_non_null(strstr(error.message, "4 ranks or more, without gram.grid"));
}

// A grid that is chosen has a block for each rank, one that is asked for may not.
static void elpa_has_a_block_for_each_rank(void **state)
{
    (void)state;
    ww_error error = {0};
    ww_config config = config_of(32, WW_EIGENSOLVER_ELPA, false);
    for (int64_t n = 1; n < 400; n += 7)
        for (int ranks = 1; ranks < 300; ranks += 13) {
            const ww_gram_plan plan = plan_of(&config, n);
            const ww_parallel first = rank_of(0, ranks);
            const ww_grid grid = ww_gram_grid_describe(&config, n, &first);
            assert_true(grid.rows >= 1 && grid.columns >= grid.rows);
            assert_true(grid.rows * grid.columns <= ranks);
            assert_true(n >= plan.block * grid.columns);
            assert_int_equal(ww_gram_limits(&plan, &config, ranks, &error), WW_OK);
        }
    int64_t sides[2] = {1, 4};
    config.gram.grid = (ww_integer_list){.values = sides, .count = 2};
    ww_gram_plan plan = plan_of(&config, 127);
    assert_int_equal(ww_gram_limits(&plan, &config, 4, &error), WW_USAGE);
    assert_non_null(strstr(error.message, "ELPA"));
    plan = plan_of(&config, 128);
    assert_int_equal(ww_gram_limits(&plan, &config, 4, &error), WW_OK);
}

static void small_matrices_have_use_for_few_ranks(void **state)
{
    (void)state;
    const ww_config config = config_of(32, WW_EIGENSOLVER_SCALAPACK, false);
    ww_gram_plan plan = plan_of(&config, 90);
    assert_int_equal(ww_gram_most_ranks(&plan, &config), 1);
    plan = plan_of(&config, 2000);
    assert_int_equal(ww_gram_most_ranks(&plan, &config), 64);
    const ww_config large = config_of(1000, WW_EIGENSOLVER_SCALAPACK, false);
    plan = plan_of(&large, 2000);
    assert_int_equal(ww_gram_most_ranks(&plan, &large), 4);
}

// Ranks share the work, and those without a place have none of the matrix.
static void costs_are_those_of_the_grid(void **state)
{
    (void)state;
    ww_config config = config_of(32, WW_EIGENSOLVER_SCALAPACK, false);
    const ww_dataset shape = {
        .dimension = 20, .outputs = 1, .has_targets = true, .train = {.count = 4000}};
    ww_gram_plan plan = plan_of(&config, 4000);
    const double matrix = 8.0 * 4000 * 4000;
    const ww_parallel alone = rank_of(0, 1);
    const ww_gram_cost whole = ww_gram_work_cost(&plan, &config, &shape, &alone);
    assert_true((double)whole.bytes > 4.0 * matrix && (double)whole.bytes < 4.6 * matrix);
    const ww_parallel first = rank_of(0, 4);
    const ww_parallel last = rank_of(3, 4);
    const ww_gram_cost quarter = ww_gram_work_cost(&plan, &config, &shape, &first);
    assert_true(quarter.bytes < whole.bytes / 3 && quarter.flops < whole.flops / 3.5);
    assert_true(ww_gram_work_cost(&plan, &config, &shape, &last).bytes <= quarter.bytes);
    int64_t sides[2] = {1, 1};
    config.gram.grid = (ww_integer_list){.values = sides, .count = 2};
    const ww_gram_cost all = ww_gram_work_cost(&plan, &config, &shape, &first);
    assert_true(all.bytes == whole.bytes && all.flops > 0.9 * whole.flops);
    const ww_gram_cost none = ww_gram_work_cost(&plan, &config, &shape, &last);
    assert_true((double)none.bytes < 0.1 * matrix && none.flops < 0.1 * whole.flops);
    // H(0) and H(t) are filled in where they stand: no copy of the matrix beside it.
    plan.has_network = true;
    const ww_gram_cost with_network = ww_gram_work_cost(&plan, &config, &shape, &alone);
    assert_true((double)(with_network.bytes - whole.bytes) < 0.5 * matrix);
    assert_true(with_network.flops > 1.8 * whole.flops);
    const ww_gram_cost snapshot = ww_gram_snapshot_cost(&plan, &config, &shape, &alone);
    assert_true((double)snapshot.bytes > matrix && (double)snapshot.bytes < 1.6 * matrix);
    assert_true(snapshot.flops > 4000.0 * 4000 * 4000 / 3.0 && snapshot.flops < whole.flops);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_number_of_ranks_does_and_fewer_do_not),
        cmocka_unit_test(limits_are_those_of_the_pieces),
        cmocka_unit_test(a_grid_that_is_asked_for_counts),
        cmocka_unit_test(elpa_has_a_block_for_each_rank),
        cmocka_unit_test(small_matrices_have_use_for_few_ranks),
        cmocka_unit_test(costs_are_those_of_the_grid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
