/// Ending in time: what asks a job to stop before its work is done, and when it must begin to.
///
/// SIGTERM, SIGUSR1 and SIGINT on any rank, the wall time of the job, and a file named `stop`
/// beside the output each lead to a checkpoint after the step at hand and to WW_STOPPED. Ranks
/// agree through a value that travels with the outputs of a step, so asking costs nothing.
#ifndef WIDTHWISE_APP_ENDING_H
#define WIDTHWISE_APP_ENDING_H

#include "app/overview.h"
#include "widthwise/error.h"
#include "widthwise/parallel.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

enum { WW_ENDING_SIGNALS = 3 };

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

    ww_overview *overview; ///< tells what the other crews do, on rank 0 of a crew; NULL: alone

    bool agreed;     ///< all ranks of the crew end
    char reason[64]; ///< on rank 0 what asked for it
    bool decides;    ///< rank 0 of the crew: it watches time, file and other crews
    double began;
    double deadline; ///< by ww_seconds; infinite: none
    char *stop_file;
    ww_file_mark stop_mark;        ///< a file that was there before the start does not count
    double last_look, last_glance; ///< at the file, and at the other crews
    double longest_checkpoint;     ///< seconds, of this member; 0: none measured yet
    double assumed_checkpoint;     ///< seconds, until one is measured
    double longest_step;           ///< seconds, records included, checkpoints not
    double step_began;
    struct sigaction replaced[WW_ENDING_SIGNALS];
    bool catches;
} ww_ending;

/// Installs the handlers and sets the deadline: from `wall_time`, counted from now, or from
/// SLURM_JOB_END_TIME. `path` is the output file, or NULL. WW_USAGE when the wall time cannot be
/// read. Collective. End with ww_ending_end, also after a failure.
ww_status ww_ending_begin(ww_ending *ending, const char *path, const ww_parallel *parallel,
                          ww_error *error);
/// Goes on with a part of the ranks, which agrees on its own.
void ww_ending_divide(ww_ending *ending, const ww_parallel *crew, ww_overview *overview);
/// Puts the handlers back that were there before.
void ww_ending_end(ww_ending *ending);

/// A member with weights of `bytes` bytes begins its steps.
void ww_ending_member(ww_ending *ending, int64_t bytes);
/// A checkpoint took `seconds`.
void ww_ending_checkpointed(ww_ending *ending, double seconds);

/// Whether this rank wants to end after the next step. To be called once a step, before it. Not
/// collective.
bool ww_ending_wanted(ww_ending *ending);
/// Whether rank 0 wants a checkpoint only to learn how long one takes, since there is a deadline.
/// Not collective.
bool ww_ending_wants_measurement(const ww_ending *ending);

/// Agrees outside of steps; true on all ranks when one of them wants to end. Collective.
ww_status ww_ending_agree(ww_ending *ending, const ww_parallel *parallel, ww_error *error);

/// Seconds of a duration in the scheduler's forms: minutes, minutes:seconds,
/// hours:minutes:seconds, days-hours, days-hours:minutes, days-hours:minutes:seconds. `none` is
/// infinity. WW_USAGE when it is none of these. Pure.
ww_status ww_wall_time_parse(const char *text, double *seconds, ww_error *error);

#endif
