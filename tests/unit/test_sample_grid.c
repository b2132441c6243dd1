// The process grid width x samples: every tile and every sample has its place once.

#include "cmocka_all.h"

#include "train/kernels.h"
#include "widthwise/train.h"

static ww_problem problem_of(const ww_config *config, int64_t train, int64_t test,
                             const ww_parallel *parallel)
{
    static ww_dataset shape; // of the last call
    ww_problem problem;
    shape = (ww_dataset){.dimension = 5,
                         .classes = 3,
                         .outputs = 3,
                         .components = 1,
                         .train = {.count = train},
                         .test = {.count = test}};
    ww_problem_describe(config, &shape, parallel, &problem);
    return problem;
}

static ww_experiment parse_settings(const char *const *settings, size_t count)
{
    ww_experiment experiment;
    ww_error error = {0};
    if (ww_experiment_parse("", "test", ".", settings, count, &experiment, &error) != WW_OK)
        fail_msg("%s", error.message);
    return experiment;
}

static bool is_within(const ww_tiling *part, const ww_tiling *whole)
{
    return part->local_tiles == 0 ||
           (part->first_tile >= whole->first_tile &&
            part->first_tile + part->local_tiles <= whole->first_tile + whole->local_tiles);
}

static void check_grid(const ww_config *config, int ranks, int wanted, int64_t train, int64_t test)
{
    enum { MOST_GROUPS = 64 };
    int64_t train_end[MOST_GROUPS] = {0}, train_begin[MOST_GROUPS] = {0};
    int64_t test_samples = 0, tiles = 0;
    ww_problem problem = {0};
    for (int rank = 0; rank < ranks; rank++) {
        const ww_parallel parallel = {
            .communicator = MPI_COMM_NULL, .rank = rank, .size = ranks, .sample_groups = wanted};
        problem = problem_of(config, train, test, &parallel);
        const ww_sample_grid *grid = &problem.grid;
        assert_int_equal(ranks % grid->groups, 0);
        assert_int_equal(grid->group, rank % grid->groups);
        assert_true(grid->groups <= problem.sections);
        assert_true(grid->train.count > 0);
        assert_int_equal(grid->train.first % WW_SECTION_SAMPLES, 0);
        assert_int_equal(grid->test.count > 0 ? grid->test.first % WW_SAMPLE_BLOCK : 0, 0);
        // What it owns is among what its column has in common, and is so much on no rank but these.
        assert_true(is_within(&problem.tiling, &grid->tiling));
        for (int64_t i = 0; i < problem.tiling.local_tiles; i++)
            assert_int_equal(ww_tile_owner(&problem.tiling, problem.tiling.first_tile + i, ranks),
                             rank);
        tiles += problem.tiling.local_tiles;
        train_begin[grid->group] = grid->train.first;
        train_end[grid->group] = grid->train.first + grid->train.count;
        test_samples += rank < grid->groups ? grid->test.count : 0;
        const ww_problem own = ww_problem_of_group(&problem, &parallel, NULL);
        assert_int_equal(own.batch, grid->train.count);
        assert_int_equal(own.whole_batch, train);
    }
    assert_int_equal(tiles, problem.tiling.tile_count);
    assert_int_equal(test_samples, test);
    for (int group = 0; group < problem.grid.groups; group++)
        assert_int_equal(train_begin[group], group == 0 ? 0 : train_end[group - 1]);
    assert_int_equal(train_end[problem.grid.groups - 1], train);
}

static void test_everything_has_its_place(void **state)
{
    (void)state;
    static const char *const widths[] = {"network.width=1", "network.width=300",
                                         "network.width=5000"};
    for (size_t w = 0; w < sizeof widths / sizeof widths[0]; w++) {
        const char *const settings[] = {widths[w], "training.method=gd", "training.engine=dense"};
        ww_experiment experiment = parse_settings(settings, 3);
        for (int ranks = 1; ranks <= 24; ranks++)
            for (int wanted = 0; wanted <= ranks; wanted++) {
                check_grid(&experiment.members[0], ranks, wanted, 20000, 700);
                check_grid(&experiment.members[0], ranks, wanted, 8 * WW_SECTION_SAMPLES, 1);
                check_grid(&experiment.members[0], ranks, wanted, 100, 9000);
            }
        ww_experiment_free(&experiment);
    }
}

static int groups_of(const char *const *settings, size_t count, int ranks, int wanted)
{
    ww_experiment experiment = parse_settings(settings, count);
    const ww_parallel parallel = {
        .communicator = MPI_COMM_NULL, .size = ranks, .sample_groups = wanted};
    const int groups = problem_of(&experiment.members[0], 20000, 10, &parallel).grid.groups;
    ww_experiment_free(&experiment);
    return groups;
}

// Five sections.
static void test_number_of_groups(void **state)
{
    (void)state;
    static const char *const narrow[] = {"network.width=256", "training.method=gd"}; // two tiles
    assert_int_equal(groups_of(narrow, 2, 2, 0), 1);
    assert_int_equal(groups_of(narrow, 2, 4, 0), 2);
    assert_int_equal(groups_of(narrow, 2, 6, 0), 3);
    assert_int_equal(groups_of(narrow, 2, 10, 0), 5);
    assert_int_equal(groups_of(narrow, 2, 7, 0), 1);
    assert_int_equal(groups_of(narrow, 2, 12, 0), 4); // four ranks idle; six groups are too many
    assert_int_equal(groups_of(narrow, 2, 4, 1), 1);
    assert_int_equal(groups_of(narrow, 2, 6, 4), 2); // a common divisor
    assert_int_equal(groups_of(narrow, 2, 8, 8), 4);
}

static void test_what_is_not_divided(void **state)
{
    (void)state;
    static const char *const stochastic[] = {"network.width=256", "training.method=sgd"};
    static const char *const samples[] = {"network.width=256", "training.method=gd",
                                          "training.engine=samples"};
    static const char *const deep[] = {"model=zou-gu", "network={width: 256, depth: 2}",
                                       "training.method=gd"};
    static const char *const hinge[] = {"model=brutzkus", "network.width=256",
                                        "training.method=gd"};
    assert_int_equal(groups_of(stochastic, 2, 4, 2), 1);
    assert_int_equal(groups_of(samples, 3, 4, 2), 1);
    assert_int_equal(groups_of(deep, 3, 4, 2), 1);
    assert_int_equal(groups_of(hinge, 3, 4, 2), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_has_its_place),
        cmocka_unit_test(test_number_of_groups),
        cmocka_unit_test(test_what_is_not_divided),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
