/// Where the time of a job goes: seconds by phase, and every call of MPI by what it was for.
///
/// A profile hangs on a ww_parallel, and on all groups of ranks that are made from it. Each rank
/// keeps its own; ww_profile_gather brings them together at the end. Where there is none, which is
/// the usual, a phase and a call cost the look at a pointer.
///
/// Phases exclude each other: one that is entered within another takes its time from it. So they
/// add up to all the time since ww_profile_begin. What a phase means its caller knows; here it is a
/// number. A function that fails may leave without ww_phase_leave: whoever entered a phase before
/// it brings its own back.
///
/// Counted are the calls of this program. Those that libraries make for it (HDF5 and MPI-IO,
/// ScaLAPACK, ELPA) are part of the phase that they happen in.
#ifndef WIDTHWISE_PROFILE_H
#define WIDTHWISE_PROFILE_H

#include "widthwise/clock.h"
#include "widthwise/parallel.h"

#include <stddef.h>
#include <stdint.h>

enum { WW_PROFILE_PHASES = 16 };

/// What calls of MPI are for. The kind of call goes with it: ww_call_kind.
typedef enum ww_call {
    WW_CALL_SUM,       ///< sums of words: outputs of the network, and whatever else is a sum
    WW_CALL_MAXIMUM,   ///< largest values
    WW_CALL_AGREEMENT, ///< whether some rank failed
    WW_CALL_ERROR,     ///< its sentence
    WW_CALL_BROADCAST,
    WW_CALL_ROWS,       ///< rows of an array from all to all
    WW_CALL_PARTED_SUM, ///< sums of words, of which each rank gets its part
    WW_CALL_EXCHANGE,   ///< words from each rank to each
    WW_CALL_REAL_SUM,   ///< sums of doubles, to rank 0
    WW_CALL_SHARES,     ///< shares of time, to rank 0
    WW_CALL_MEMORY,     ///< what memory all have, and whether a node can share some
    WW_CALL_WAIT,       ///< until all ranks are there
    WW_CALL_GROUP,      ///< making a group of ranks
    WW_CALL_WINDOW,     ///< making memory that others can reach
    WW_CALL_REACH,      ///< reaching into it
    WW_CALL_SEND,       ///< messages between two ranks
    WW_CALL_RECEIVE,    ///< and their other end
    WW_CALL_KINDS       ///< how many there are
} ww_call;

/// Calls of one kind.
typedef struct ww_call_tally {
    int64_t calls;
    int64_t bytes;  ///< what the calls were about on this rank: an array that is summed or sent
                    ///< counts once, rows that are gathered count whole
    double seconds; ///< in the calls: waiting for other ranks, moving, adding
} ww_call_tally;

typedef struct ww_profile {
    double began; ///< time
    double since; ///< time from which on the phase at hand runs
    int phase;
    double seconds[WW_PROFILE_PHASES]; ///< up to `since`
    double first[WW_PROFILE_PHASES];   ///< time at which a phase was first entered; 0: never
    double in_calls;                   ///< seconds of all calls
    ww_call_tally calls[WW_PROFILE_PHASES][WW_CALL_KINDS];
} ww_profile;

/// Least, mean and most over ranks.
typedef struct ww_spread {
    double least, mean, most;
} ww_spread;

typedef struct ww_call_spread {
    ww_spread calls, bytes, seconds;
} ww_call_spread;

/// Profiles of all ranks together.
typedef struct ww_profile_summary {
    ww_spread whole; ///< seconds
    ww_spread seconds[WW_PROFILE_PHASES];
    ww_spread in_calls[WW_PROFILE_PHASES]; ///< seconds of these that calls took
    ww_spread first[WW_PROFILE_PHASES];    ///< seconds from the beginning on; negative: some rank
                                           ///< never was in it
    ww_call_spread calls[WW_PROFILE_PHASES][WW_CALL_KINDS];
} ww_profile_summary;

/// Starts a profile in phase `phase` (0 .. WW_PROFILE_PHASES - 1, as all phases) as of the time
/// `began`.
void ww_profile_begin(ww_profile *profile, double began, int phase);

/// Enters a phase as of the time `now`, and returns the one before it.
int ww_profile_switch(ww_profile *profile, int phase, double now);

/// Takes a call down that began at the time `began` and ends now.
void ww_profile_count(ww_profile *profile, ww_call call, size_t bytes, double began);

/// Seconds of a phase on this rank so far, the phase at hand included.
double ww_profile_seconds(const ww_profile *profile, int phase, double now);

/// Brings the profiles of all ranks together as they are now; the result is rank 0's. The calls
/// that this takes are not counted. Collective; all ranks have a profile.
ww_status ww_profile_gather(const ww_parallel *parallel, ww_profile_summary *summary,
                            ww_error *error);

/// "Allreduce", and "sums".
const char *ww_call_kind(ww_call call);
const char *ww_call_purpose(ww_call call);

/// Enters a phase; `profile` may be NULL. What it returns is for ww_phase_leave.
static inline int ww_phase_enter(ww_profile *profile, int phase)
{
    return profile == NULL ? 0 : ww_profile_switch(profile, phase, ww_seconds());
}

/// Back to the phase that was left.
static inline void ww_phase_leave(ww_profile *profile, int before)
{
    if (profile != NULL)
        (void)ww_profile_switch(profile, before, ww_seconds());
}

/// The time at which a call begins, for ww_call_end; `profile` may be NULL.
static inline double ww_call_begin(const ww_profile *profile)
{
    return profile == NULL ? 0.0 : ww_seconds();
}

/// Takes a call down and hands its code on. To be written around the call itself.
static inline int ww_call_end(ww_profile *profile, ww_call call, size_t bytes, double began,
                              int code)
{
    if (profile != NULL)
        ww_profile_count(profile, call, bytes, began);
    return code;
}

#endif
