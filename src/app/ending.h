/// Ending in time: what asks a job to stop before its work is done, and when it must begin to.
///
/// SIGTERM, SIGUSR1 and SIGINT on any rank, the wall time of the job, and a file named `stop`
/// beside the output each lead to a checkpoint after the step at hand and to WW_STOPPED. Ranks
/// agree through a value that travels with the outputs of a step, so asking costs nothing; crews
/// that work on different members tell each other.
#ifndef WIDTHWISE_APP_ENDING_H
#define WIDTHWISE_APP_ENDING_H

#include "app/margin.h"
#include "app/overview.h"
#include "widthwise/error.h"
#include "widthwise/parallel.h"

#include <stdbool.h>
#include <stdint.h>

/// A file as it was when last looked at.
typedef struct ww_file_mark {
    bool exists;
    uint64_t device, inode;
    int64_t seconds, nanoseconds; ///< of its last change
} ww_file_mark;

/// Starts as zeroes but for `until` and `wall_time`, which the command line gives; ww_ending_begin
/// does the rest.
typedef struct ww_ending {
    int64_t until;         ///< step after which to stop; -1: none
    const char *wall_time; ///< as the user gave it, NULL: what the scheduler tells, or none

    ww_overview *overview; ///< tells what other crews do, on rank 0 of a crew; NULL: there is none
    bool agreed;           ///< all ranks of the crew end
    char reason[64];       ///< on rank 0 of the crew what asked for it
    bool decides;          ///< rank 0 of the crew: it watches time, file and other crews
    bool lacks_room;       ///< what comes next would not be done in time
    bool out_of_time;      ///< on rank 0 of the crew: there is time for the checkpoint and no more
    bool by_time;          ///< the wall time asked for it, or SIGUSR1, which announces its end
    ww_margin margin;
    char *stop_file;
    ww_file_mark stop_mark;        ///< a file that was there before the start does not count
    double last_look, last_glance; ///< times: at the file, and at other crews
    double step_began;             ///< without what records and checkpoints took since
} ww_ending;

/// From now on until the process ends, SIGTERM, SIGUSR1 and SIGINT are only taken down; a second
/// SIGINT ends it. To be called before anything else by a command that can be asked to end: one
/// that is asked while it starts, or once more while it ends, still has its exit code to give.
void ww_ending_catch_signals(void);

/// Sets the deadline: from `wall_time`, counted from now, or from SLURM_JOB_END_TIME. `path` is the
/// output file. WW_USAGE when the wall time cannot be read. Collective. End with ww_ending_end,
/// also after a failure.
ww_status ww_ending_begin(ww_ending *ending, const char *path, const ww_parallel *parallel,
                          ww_error *error);
/// Goes on with a part of the ranks, which agrees on its own.
void ww_ending_divide(ww_ending *ending, const ww_parallel *crew, ww_overview *overview);
void ww_ending_end(ww_ending *ending);

/// A member begins: `bytes` of weights on each rank, records with the work of `record_work` steps.
void ww_ending_member(ww_ending *ending, double bytes, double record_work);
/// The next call of ww_ending_wanted comes before the first step.
void ww_ending_begin_steps(ww_ending *ending);
/// A checkpoint, or a record, took `seconds`.
void ww_ending_checkpointed(ww_ending *ending, double seconds);
void ww_ending_recorded(ww_ending *ending, double seconds);

/// Whether this rank wants to end after the next step. To be called once a step, before it. Not
/// collective.
bool ww_ending_wanted(ww_ending *ending);
/// Whether rank 0 wants a checkpoint only to learn how long one takes, since there is a deadline.
/// Not collective.
bool ww_ending_wants_measurement(const ww_ending *ending);
/// Takes an end back that was only for want of room. On all ranks of the crew.
void ww_ending_go_on(ww_ending *ending);
/// What ww_ending_wanted tells, outside of steps: whether something asks this rank to end. Not
/// collective.
bool ww_ending_asked(ww_ending *ending);
/// Wants the end where the work of so many steps would not be done in time. Not collective: to be
/// followed by ww_ending_agree.
void ww_ending_need_room(ww_ending *ending, double work);

/// Whether a signal came to this rank. Not collective.
bool ww_ending_signalled(void);

/// Agrees outside of steps; `agreed` is true on all ranks when one of them wants to end.
/// Collective.
ww_status ww_ending_agree(ww_ending *ending, const ww_parallel *parallel, ww_error *error);

/// Lets rank 0 know which signal another rank of the crew had, for `reason`. After ranks have
/// agreed. Collective.
ww_status ww_ending_share_reason(ww_ending *ending, const ww_parallel *parallel, ww_error *error);

/// Seconds of a duration in the scheduler's forms: minutes, minutes:seconds,
/// hours:minutes:seconds, days-hours, days-hours:minutes, days-hours:minutes:seconds. `none` is
/// infinity. WW_USAGE when it is none of these. Pure.
ww_status ww_wall_time_parse(const char *text, double *seconds, ww_error *error);

#endif
