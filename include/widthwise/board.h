/// Counters that all ranks share and add to without waiting for each other.
///
/// Ranks that work on different things meet in nothing collective; what they still have to know of
/// each other (which piece of work is taken next, how far the others are, whether all shall end) is
/// on a board of 64-bit words that rank 0 keeps in a window of one-sided communication. On one node
/// a word is added to in shared memory. Over a network that needs rank 0 for it, an addition may
/// have to wait until rank 0 looks at the board, so all ranks look at it now and then.
#ifndef WIDTHWISE_BOARD_H
#define WIDTHWISE_BOARD_H

#include "widthwise/error.h"
#include "widthwise/parallel.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ww_board ww_board;

/// Makes a board of `count` words, all 0. Where MPI has no one-sided communication between all
/// ranks (over some networks it has none), each rank gets a board of its own: ww_board_is_shared
/// tells. Collective.
ww_status ww_board_create(const ww_parallel *parallel, size_t count, ww_board **board,
                          ww_error *error);
/// Collective. NULL is allowed.
void ww_board_free(ww_board *board);

/// Whether all ranks have the same board.
bool ww_board_is_shared(const ww_board *board);

/// Adds `amount` to word `word` at once with respect to all other additions; `*before` (may be
/// NULL) is what it was. Not collective.
ww_status ww_board_add(ww_board *board, size_t word, int64_t amount, int64_t *before,
                       ww_error *error);

/// Word `word` as this rank last saw it, which may be a moment ago: the question how it stands is
/// asked, and its answer waits for the next look. Not collective; never waits.
int64_t ww_board_look(ww_board *board, size_t word);

#endif
