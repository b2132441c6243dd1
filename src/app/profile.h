/// What --profile tells: the phases of a job, their names, and how they are written.
#ifndef WIDTHWISE_APP_PROFILE_H
#define WIDTHWISE_APP_PROFILE_H

#include "app/progress.h"
#include "widthwise/profile.h"

/// Phases of a job. Those further in take their time from those around them.
enum {
    WW_PHASE_MPI,         ///< from the beginning of the program until MPI is there
    WW_PHASE_START,       ///< configuration, plans, conditions, division of ranks
    WW_PHASE_DATA,        ///< data sets: read or drawn, separated, shared
    WW_PHASE_FILE,        ///< the file: made, opened, locked, read, checked, closed
    WW_PHASE_WEIGHTS,     ///< weights: drawn, built or read, and the engine made
    WW_PHASE_STEPS,       ///< steps
    WW_PHASE_REST,        ///< search for the end of a training that comes to rest
    WW_PHASE_MEASURING,   ///< quantities along the trajectory
    WW_PHASE_AUDITS,      ///< what --audit and --check-steps ask for
    WW_PHASE_RESULTS,     ///< results and predictions at the end
    WW_PHASE_GRAM,        ///< the Gram matrix: spectrum, solves, at snapshots, worst-case labels
    WW_PHASE_CHECKPOINTS, ///< checkpoints
    WW_PHASE_WRITING,     ///< all else that is written: rows, commits, snapshots, records, results
    WW_PHASE_WAITING,     ///< at the end for ranks with other runs
    WW_PHASE_OTHER,       ///< what is between all these
    WW_PHASES
};

/// Leaves a phase with the status of what was done in it.
static inline ww_status ww_phase_done(ww_profile *profile, int before, ww_status status)
{
    ww_phase_leave(profile, before);
    return status;
}

/// Makes sure that a profile can be written to `path` at the end ("" is for none). WW_USAGE.
ww_status ww_app_profile_check(const char *path, ww_error *error);

/// Tells the profile of all ranks on standard output, and where `path` is not "" writes it there as
/// JSON. `command` is the command line. What cannot be written is warned of: the job is done.
/// Collective.
ww_status ww_app_profile_tell(const ww_parallel *parallel, const char *command, const char *path,
                              ww_error *error);

/// One line on what a member's time went to on this rank, since `before`, the profile as it was
/// when the member began.
void ww_app_profile_tell_member(const ww_profile *profile, const ww_profile *before,
                                ww_progress *progress);

#endif
