/// When a job with a limited time has to begin to end: what is still to be done before it may, and
/// how long that takes, by what was measured so far. Pure but for the struct; times in seconds of
/// one clock.
#ifndef WIDTHWISE_APP_MARGIN_H
#define WIDTHWISE_APP_MARGIN_H

#include <stdbool.h>

typedef struct ww_margin {
    double began, deadline;    ///< infinite: no limit
    double checkpoint;         ///< longest so far of this member; 0: none measured
    double assumed_checkpoint; ///< until one is measured: only to know when one has to be
    double step, record;       ///< longest so far; 0: none measured
    double shortest_step;      ///< infinite: none measured
    double record_work;        ///< of a record, in steps, by their work; until one is measured
} ww_margin;

/// A job begins that has to be over at `deadline`.
ww_margin ww_margin_make(double began, double deadline);

/// A member begins: `bytes` of weights on each rank, and records of so much work as so many steps.
void ww_margin_member(ww_margin *margin, double bytes, double record_work);

void ww_margin_stepped(ww_margin *margin, double seconds);
void ww_margin_recorded(ww_margin *margin, double seconds);
void ww_margin_checkpointed(ww_margin *margin, double seconds);

/// Whether after another step, with a record, there would be no time for the checkpoint: what was
/// measured counts twice, and closing the file and leaving MPI has its part.
bool ww_margin_is_used(const ww_margin *margin, double now);

/// Whether a checkpoint should be made to learn how long one takes: there is a limit, none was
/// measured yet, and either a tenth of the time is over or it may take as long as is left.
bool ww_margin_wants_measurement(const ww_margin *margin, double now);

/// Whether `work` (in steps) is likely to be done in time. True where nothing is known.
bool ww_margin_has_room(const ww_margin *margin, double now, double work);

#endif
