#include "widthwise/profile.h"

#include "parallel/mpi_error.h"

#include "widthwise/memory.h"

#include <stdlib.h>

static const struct {
    const char *kind, *purpose;
} descriptions[WW_CALL_KINDS] = {
    [WW_CALL_SUM] = {"Allreduce", "sums"},
    [WW_CALL_MAXIMUM] = {"Allreduce", "largest values"},
    [WW_CALL_AGREEMENT] = {"Allreduce", "agreement on errors"},
    [WW_CALL_ERROR] = {"Bcast", "sentence of an error"},
    [WW_CALL_BROADCAST] = {"Bcast", "from one to all"},
    [WW_CALL_ROWS] = {"Allgatherv", "rows from all to all"},
    [WW_CALL_PARTED_SUM] = {"Reduce_scatter", "sums in parts"},
    [WW_CALL_EXCHANGE] = {"Alltoallv", "words from each to each"},
    [WW_CALL_REAL_SUM] = {"Reduce", "sums of doubles"},
    [WW_CALL_SHARES] = {"Gather", "shares of time"},
    [WW_CALL_MEMORY] = {"Allreduce", "memory"},
    [WW_CALL_WAIT] = {"Ibarrier", "until all are there"},
    [WW_CALL_GROUP] = {"Comm_split", "groups of ranks"},
    [WW_CALL_WINDOW] = {"Win_allocate", "shared counters"},
    [WW_CALL_REACH] = {"Fetch_and_op", "shared counters"},
    [WW_CALL_SEND] = {"Send", "to one rank"},
    [WW_CALL_RECEIVE] = {"Recv", "from one rank"},
};

const char *ww_call_kind(ww_call call)
{
    return descriptions[call].kind;
}

const char *ww_call_purpose(ww_call call)
{
    return descriptions[call].purpose;
}

void ww_profile_begin(ww_profile *profile, double began, int phase)
{
    *profile = (ww_profile){.began = began, .since = began, .phase = phase};
    profile->first[phase] = began;
}

int ww_profile_switch(ww_profile *profile, int phase, double now)
{
    const int before = profile->phase;
    profile->seconds[before] += now - profile->since;
    profile->since = now;
    profile->phase = phase;
    if (profile->first[phase] == 0.0)
        profile->first[phase] = now;
    return before;
}

void ww_profile_count(ww_profile *profile, ww_call call, size_t bytes, double began)
{
    ww_call_tally *tally = &profile->calls[profile->phase][call];
    tally->calls++;
    tally->bytes += (int64_t)bytes;
    const double seconds = ww_seconds() - began;
    tally->seconds += seconds;
    profile->in_calls += seconds;
}

double ww_profile_seconds(const ww_profile *profile, int phase, double now)
{
    return profile->seconds[phase] + (phase == profile->phase ? now - profile->since : 0.0);
}

// The numbers of one rank in a row, of whatever kind: all take the same way over the ranks.
enum { CALL_VALUES = 3 * WW_CALL_KINDS };
enum { PHASE_VALUES = 3 + CALL_VALUES };
enum { VALUES = 1 + WW_PROFILE_PHASES * PHASE_VALUES };

static void list_values(const ww_profile *profile, double now, double *values)
{
    *values++ = now - profile->began;
    for (int phase = 0; phase < WW_PROFILE_PHASES; phase++) {
        double *in_calls = values + 1;
        const double first = profile->first[phase];
        values[0] = ww_profile_seconds(profile, phase, now);
        values[1] = 0.0;
        values[2] = first == 0.0 ? -1.0 : first - profile->began;
        values += 3;
        for (int call = 0; call < WW_CALL_KINDS; call++) {
            const ww_call_tally *tally = &profile->calls[phase][call];
            *in_calls += tally->seconds;
            *values++ = (double)tally->calls;
            *values++ = (double)tally->bytes;
            *values++ = tally->seconds;
        }
    }
}

static void take_spreads(const ww_spread *spreads, ww_profile_summary *summary)
{
    summary->whole = *spreads++;
    for (int phase = 0; phase < WW_PROFILE_PHASES; phase++) {
        summary->seconds[phase] = *spreads++;
        summary->in_calls[phase] = *spreads++;
        summary->first[phase] = *spreads++;
        for (int call = 0; call < WW_CALL_KINDS; call++) {
            ww_call_spread *spread = &summary->calls[phase][call];
            spread->calls = *spreads++;
            spread->bytes = *spreads++;
            spread->seconds = *spreads++;
        }
    }
}

static ww_status reduce(const ww_parallel *parallel, const double *values, double *over_ranks,
                        MPI_Op operation, ww_error *error)
{
    return ww_mpi_status(
        MPI_Reduce(values, over_ranks, VALUES, MPI_DOUBLE, operation, 0, parallel->communicator),
        "gathering the profile", error);
}

ww_status ww_profile_gather(const ww_parallel *parallel, ww_profile_summary *summary,
                            ww_error *error)
{
    const double now = ww_seconds();
    const ww_parallel uncounted = {
        .communicator = parallel->communicator, .rank = parallel->rank, .size = parallel->size};
    *summary = (ww_profile_summary){0};
    double *values = ww_allocate((size_t)4 * VALUES, sizeof *values, "the profile", error);
    ww_spread *spreads = ww_allocate(VALUES, sizeof *spreads, "the profile", error);
    ww_status status =
        ww_agree(&uncounted, values != NULL && spreads != NULL ? WW_OK : WW_FAILED, error);
    if (status == WW_OK) {
        list_values(parallel->profile, now, values);
        status = reduce(parallel, values, values + VALUES, MPI_MIN, error);
    }
    if (status == WW_OK)
        status = reduce(parallel, values, values + 2 * (size_t)VALUES, MPI_SUM, error);
    if (status == WW_OK)
        status = reduce(parallel, values, values + 3 * (size_t)VALUES, MPI_MAX, error);
    if (status == WW_OK && parallel->rank == 0) {
        for (size_t i = 0; i < VALUES; i++)
            spreads[i] = (ww_spread){.least = values[VALUES + i],
                                     .mean = values[2 * (size_t)VALUES + i] / parallel->size,
                                     .most = values[3 * (size_t)VALUES + i]};
        take_spreads(spreads, summary);
    }
    free(values);
    free(spreads);
    return status;
}
