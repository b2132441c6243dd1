/// Boards: every number is handed out once, and all ranks see what the others have added.

#include "cmocka_all.h"
#include "widthwise/board.h"
#include "widthwise/memory.h"

#include <stdlib.h>

enum { PIECES = 1000, NEXT = 0, SUM = 1, RAISED = 2, WORDS = 3 };

static ww_parallel world;

static void test_every_piece_is_taken_once(void **state)
{
    (void)state;
    ww_error error = {0};
    ww_board *board = NULL;
    assert_int_equal(ww_board_create(&world, WORDS, &board, &error), WW_OK);
    int64_t *taken = ww_allocate(PIECES, sizeof *taken, "a test", &error);
    assert_non_null(taken);
    int64_t piece = 0;
    while (true) {
        assert_int_equal(ww_board_add(board, NEXT, 1, &piece, &error), WW_OK);
        if (piece >= PIECES)
            break;
        taken[piece]++;
        assert_int_equal(ww_board_add(board, SUM, piece, NULL, &error), WW_OK);
    }
    assert_int_equal(ww_sum_words(&world, taken, PIECES, &error), WW_OK);
    for (int64_t i = 0; i < PIECES; i++)
        assert_int_equal(taken[i], 1);
    while (ww_board_look(board, SUM) < PIECES * (PIECES - 1) / 2) {
    }
    assert_int_equal(ww_board_look(board, SUM), PIECES * (PIECES - 1) / 2);
    // Each rank came once in vain.
    while (ww_board_look(board, NEXT) < PIECES + world.size) {
    }
    assert_int_equal(ww_board_look(board, NEXT), PIECES + world.size);
    free(taken);
    ww_board_free(board);
}

static void test_what_one_rank_raises_all_see(void **state)
{
    (void)state;
    ww_error error = {0};
    ww_board *board = NULL;
    assert_int_equal(ww_board_create(&world, WORDS, &board, &error), WW_OK);
    assert_int_equal(ww_board_look(board, RAISED), 0);
    assert_int_equal(ww_agree(&world, WW_OK, &error),
                     WW_OK); // nobody raises before all have looked
    if (world.rank == world.size - 1)
        assert_int_equal(ww_board_add(board, RAISED, -7, NULL, &error), WW_OK);
    while (ww_board_look(board, RAISED) == 0) {
    }
    assert_int_equal(ww_board_look(board, RAISED), -7);
    ww_board_free(board);
    ww_board_free(NULL);
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    ww_error error = {0};
    if (ww_parallel_create(MPI_COMM_WORLD, &world, &error) != WW_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_piece_is_taken_once),
        cmocka_unit_test(test_what_one_rank_raises_all_see),
    };
    const int failed = cmocka_run_group_tests_name("board", tests, NULL, NULL);
    ww_parallel_destroy(&world);
    MPI_Finalize();
    return failed == 0 ? 0 : 1;
}
