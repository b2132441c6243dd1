// Agreement on errors, broadcasts and sums over ranks.

#include "cmocka_all.h"

#include "widthwise/sum.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ww_parallel world;

static void test_all_is_well(void **state)
{
    (void)state;
    ww_error error = {0};
    assert_int_equal(ww_agree(&world, WW_OK, &error), WW_OK);
    assert_int_equal(error.status, WW_OK);
}

static void test_the_lowest_failure_is_told_everywhere(void **state)
{
    (void)state;
    for (int first = 0; first < world.size; first++) {
        ww_error error = {0};
        ww_status status = WW_OK;
        if (world.rank >= first)
            status = ww_fail(&error, world.rank == first ? WW_USAGE : WW_FAILED, "rank %d failed",
                             world.rank);
        assert_int_equal(ww_agree(&world, status, &error), WW_USAGE);
        char expected[64];
        snprintf(expected, sizeof expected, "rank %d failed", first);
        assert_string_equal(error.message, expected);
        assert_int_equal(error.status, WW_USAGE);
    }
    // Nobody listens to the sentence; the status is agreed on all the same.
    assert_int_equal(ww_agree(&world, world.rank == 0 ? WW_FAILED : WW_OK, NULL), WW_FAILED);
}

static void test_broadcast(void **state)
{
    (void)state;
    ww_error error = {0};
    double values[1000];
    for (int i = 0; i < 1000; i++)
        values[i] = world.rank == world.size - 1 ? (double)i : -1.0;
    assert_int_equal(ww_broadcast(&world, values, sizeof values, world.size - 1, &error), WW_OK);
    for (int i = 0; i < 1000; i++)
        assert_true(values[i] == (double)i);
    assert_int_equal(ww_broadcast(&world, NULL, 0, 0, &error), WW_OK);
}

static void test_sums_of_words(void **state)
{
    (void)state;
    ww_error error = {0};
    int64_t words[3] = {world.rank, INT64_C(1) << 40, -world.rank};
    assert_int_equal(ww_sum_words(&world, words, 3, &error), WW_OK);
    const int64_t ranks = world.size;
    assert_true(words[0] == ranks * (ranks - 1) / 2);
    assert_true(words[1] == ranks << 40);
    assert_true(words[2] == -words[0]);
}

static void test_terms_have_one_sum_however_divided(void **state)
{
    (void)state;
    enum { TERMS = 53, SUMS = 3 };
    double terms[TERMS][SUMS];
    for (int i = 0; i < TERMS; i++)
        for (int j = 0; j < SUMS; j++)
            terms[i][j] = sin(1.0 + i * 7 + j) * pow(10.0, (i % 9) - 30.0 * j);
    ww_error error = {0};
    const ww_parallel self = {.communicator = MPI_COMM_SELF, .rank = 0, .size = 1};
    double alone[SUMS];
    double together[SUMS];
    assert_int_equal(ww_sum_terms(&self, &terms[0][0], TERMS, SUMS, TERMS, alone, &error), WW_OK);
    const int first = TERMS * world.rank / world.size;
    const int end = TERMS * (world.rank + 1) / world.size;
    assert_int_equal(
        ww_sum_terms(&world, &terms[first][0], end - first, SUMS, TERMS, together, &error), WW_OK);
    assert_memory_equal(alone, together, sizeof alone);
    if (world.rank == world.size - 1)
        terms[TERMS - 1][1] = INFINITY;
    assert_int_equal(
        ww_sum_terms(&world, &terms[first][0], end - first, SUMS, TERMS, together, &error),
        WW_DIVERGED);
}

static void test_maximum(void **state)
{
    (void)state;
    ww_error error = {0};
    double values[2] = {(double)world.rank, -(double)world.rank};
    assert_int_equal(ww_maximum(&world, values, 2, &error), WW_OK);
    assert_true(values[0] == (double)(world.size - 1) && values[1] == 0.0);
}

int main(int count, char **words)
{
    MPI_Init(&count, &words);
    ww_error error = {0};
    if (ww_parallel_create(MPI_COMM_WORLD, &world, &error) != WW_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_is_well),
        cmocka_unit_test(test_the_lowest_failure_is_told_everywhere),
        cmocka_unit_test(test_broadcast),
        cmocka_unit_test(test_sums_of_words),
        cmocka_unit_test(test_terms_have_one_sum_however_divided),
        cmocka_unit_test(test_maximum),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    ww_parallel_destroy(&world);
    MPI_Finalize();
    return failed;
}
