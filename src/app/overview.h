/// What the crews of a job tell each other: how many members are done, and whether all shall end.
#ifndef WIDTHWISE_APP_OVERVIEW_H
#define WIDTHWISE_APP_OVERVIEW_H

#include "widthwise/board.h"
#include "widthwise/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Words of the board; those after WW_OVERVIEW_WORDS are queues of stages.
enum {
    WW_OVERVIEW_BEGUN,
    WW_OVERVIEW_DONE,
    WW_OVERVIEW_FAILED,
    WW_OVERVIEW_DIVERGED,
    WW_OVERVIEW_STOPPED,
    WW_OVERVIEW_WORKED, ///< since this start, of all work, in units of 2^-50
    WW_OVERVIEW_FOUND,  ///< the same, found done in the file by members that went on
    WW_OVERVIEW_END,    ///< not 0: all crews end early
    WW_OVERVIEW_WORDS
};

/// The view of one crew. All calls below but ww_overview_text are for its rank 0.
typedef struct ww_overview {
    ww_board *board;
    int64_t members;    ///< of this job
    double began;       ///< time of its start
    double share;       ///< of the member at hand in all work
    double found, told; ///< fractions of the member: at its start, and as told last
    double last_told;   ///< time
} ww_overview;

/// The crew begins a member with this share of all work.
void ww_overview_begin(ww_overview *overview, double share);
/// So much of the member was in the file.
void ww_overview_found(ww_overview *overview, double fraction);
/// So much of the member is done by now. Tells others twice a second at most.
void ww_overview_worked(ww_overview *overview, double fraction);
/// The member came to this end.
void ww_overview_ended(ww_overview *overview, ww_status status);
/// All crews shall end early.
void ww_overview_end_all(ww_overview *overview);

/// "12 of 40 done, 2 running, 26 waiting, 3 min left" into `text` [size], as last seen.
void ww_overview_text(const ww_overview *overview, char *text, size_t size);

#endif
