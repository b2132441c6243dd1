#include "widthwise/board.h"

#include "parallel/mpi_error.h"

#include "widthwise/memory.h"
#include "widthwise/profile.h"

#include <stdlib.h>
#include <string.h>

struct ww_board {
    ww_parallel parallel;
    size_t count;
    MPI_Win window;      // of rank 0's words; MPI_WIN_NULL where the board is this rank's own
    int64_t *words;      // [count] of rank 0, or of this rank
    int64_t *seen;       // [count] as last looked at
    int64_t *coming;     // [count] the answer on its way
    MPI_Request request; // for it
};

// Each step is agreed on: one-sided communication is what MPI may not have everywhere.
static ww_status open_window(ww_board *board, ww_error *error)
{
    const ww_parallel *parallel = &board->parallel;
    const MPI_Aint bytes = parallel->rank == 0 ? (MPI_Aint)(board->count * sizeof(int64_t)) : 0;
    const double began = ww_call_begin(parallel->profile);
    ww_status status = ww_mpi_status(
        ww_call_end(parallel->profile, WW_CALL_WINDOW, board->count * sizeof(int64_t), began,
                    MPI_Win_allocate(bytes, (int)sizeof(int64_t), MPI_INFO_NULL,
                                     parallel->communicator, &board->words, &board->window)),
        "allocating a board", error);
    WW_TRY(ww_agree(parallel, status, error));
    MPI_Win_set_errhandler(board->window, MPI_ERRORS_RETURN);
    if (parallel->rank == 0)
        memset(board->words, 0, board->count * sizeof *board->words);
    // The zeroes are there before anyone adds.
    status =
        ww_mpi_status(MPI_Win_lock_all(MPI_MODE_NOCHECK, board->window), "locking a board", error);
    return ww_agree(parallel, status, error);
}

ww_status ww_board_create(const ww_parallel *parallel, size_t count, ww_board **board,
                          ww_error *error)
{
    *board = NULL;
    ww_board *made = ww_allocate(1, sizeof *made, "a board", error);
    ww_status status = made != NULL ? WW_OK : WW_FAILED;
    if (status == WW_OK) {
        *made = (ww_board){.parallel = *parallel,
                           .count = count,
                           .window = MPI_WIN_NULL,
                           .request = MPI_REQUEST_NULL};
        made->seen = ww_allocate(count, sizeof *made->seen, "a board", error);
        made->coming = ww_allocate(count, sizeof *made->coming, "a board", error);
        status = made->seen == NULL || made->coming == NULL ? WW_FAILED : WW_OK;
    }
    status = ww_agree(parallel, status, error);
    ww_error refused = {0};
    if (status == WW_OK && (parallel->size == 1 || open_window(made, &refused) != WW_OK)) {
        // A window that only some ranks got cannot be freed, which is collective: it is left.
        made->window = MPI_WIN_NULL;
        made->words = ww_allocate(count, sizeof *made->words, "a board", error);
        status = ww_agree(parallel, made->words == NULL ? WW_FAILED : WW_OK, error);
    }
    if (status == WW_OK)
        *board = made;
    else
        ww_board_free(made);
    return status;
}

bool ww_board_is_shared(const ww_board *board)
{
    return board->window != MPI_WIN_NULL || board->parallel.size == 1;
}

void ww_board_free(ww_board *board)
{
    if (board == NULL)
        return;
    if (board->request != MPI_REQUEST_NULL) {
        // That of MPI_Rget_accumulate, which the checker does not know.
        // NOLINTNEXTLINE(clang-analyzer-optin.mpi.MPI-Checker)
        MPI_Wait(&board->request, MPI_STATUS_IGNORE);
    }
    if (board->window != MPI_WIN_NULL) {
        MPI_Win_unlock_all(board->window);
        MPI_Win_free(&board->window); // and the words with it
    } else {
        free(board->words);
    }
    free(board->seen);
    free(board->coming);
    free(board);
}

ww_status ww_board_add(ww_board *board, size_t word, int64_t amount, int64_t *before,
                       ww_error *error)
{
    WW_ASSERT(word < board->count);
    int64_t found = 0;
    if (board->window == MPI_WIN_NULL) {
        found = board->words[word];
        board->words[word] += amount;
    } else {
        const double began = ww_call_begin(board->parallel.profile);
        WW_TRY(ww_mpi_status(MPI_Fetch_and_op(&amount, &found, MPI_INT64_T, 0, (MPI_Aint)word,
                                              MPI_SUM, board->window),
                             "adding on a board", error));
        WW_TRY(ww_mpi_status(ww_call_end(board->parallel.profile, WW_CALL_REACH, sizeof amount,
                                         began, MPI_Win_flush(0, board->window)),
                             "adding on a board", error));
    }
    if (before != NULL)
        *before = found;
    return WW_OK;
}

int64_t ww_board_look(ww_board *board, size_t word)
{
    WW_ASSERT(word < board->count);
    if (board->window == MPI_WIN_NULL)
        return board->words[word];
    // Reading by an accumulation that changes nothing is defined beside the additions of others.
    const double began = ww_call_begin(board->parallel.profile);
    if (board->request == MPI_REQUEST_NULL &&
        ww_call_end(board->parallel.profile, WW_CALL_REACH, board->count * sizeof *board->coming,
                    began,
                    MPI_Rget_accumulate(NULL, 0, MPI_INT64_T, board->coming, (int)board->count,
                                        MPI_INT64_T, 0, 0, (int)board->count, MPI_INT64_T,
                                        MPI_NO_OP, board->window, &board->request)) != MPI_SUCCESS)
        board->request = MPI_REQUEST_NULL;
    int arrived = 0;
    if (board->request != MPI_REQUEST_NULL &&
        MPI_Test(&board->request, &arrived, MPI_STATUS_IGNORE) == MPI_SUCCESS && arrived != 0)
        memcpy(board->seen, board->coming, board->count * sizeof *board->seen);
    return board->seen[word];
}
