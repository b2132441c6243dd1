#include "app/margin.h"

#include <math.h>

// What was measured counts so many times ...
static const double SAFETY = 2.0;
// ... and the rest (closing the file, leaving MPI) takes so many seconds, or this share of the
// whole time where that is less.
static const double REST_SECONDS = 10.0;
static const double REST_SHARE = 0.05;
// What a rank is taken to write in a second until that is measured: a slow file system.
static const double ASSUMED_BYTES = 1e8;
static const double MEASURE_SHARE = 0.1;

ww_margin ww_margin_make(double began, double deadline)
{
    return (ww_margin){.began = began, .deadline = deadline, .shortest_step = INFINITY};
}

void ww_margin_member(ww_margin *margin, double bytes, double record_work)
{
    const double began = margin->began;
    const double deadline = margin->deadline;
    *margin = ww_margin_make(began, deadline);
    margin->assumed_checkpoint = bytes / ASSUMED_BYTES;
    margin->record_work = record_work;
}

void ww_margin_stepped(ww_margin *margin, double seconds)
{
    margin->step = fmax(margin->step, seconds);
    margin->shortest_step = fmin(margin->shortest_step, seconds);
}

void ww_margin_recorded(ww_margin *margin, double seconds)
{
    margin->record = fmax(margin->record, seconds);
}

void ww_margin_checkpointed(ww_margin *margin, double seconds)
{
    margin->checkpoint = fmax(margin->checkpoint, seconds);
}

// Seconds of so many steps' work; the shortest is the one that nothing else came between.
static double seconds_of(const ww_margin *margin, double work)
{
    return isinf(margin->shortest_step) ? 0.0 : work * margin->shortest_step;
}

static double rest(const ww_margin *margin)
{
    return fmin(REST_SECONDS, REST_SHARE * (margin->deadline - margin->began));
}

// Whether there is no time for a checkpoint of so many seconds after a step.
static bool is_late(const ww_margin *margin, double now, double checkpoint)
{
    const double record =
        margin->record > 0.0 ? margin->record : seconds_of(margin, margin->record_work);
    return now + SAFETY * (checkpoint + margin->step + record) + rest(margin) >= margin->deadline;
}

bool ww_margin_is_used(const ww_margin *margin, double now)
{
    return !isinf(margin->deadline) && is_late(margin, now, margin->checkpoint);
}

bool ww_margin_wants_measurement(const ww_margin *margin, double now)
{
    if (isinf(margin->deadline) || margin->checkpoint > 0.0)
        return false;
    return now - margin->began > MEASURE_SHARE * (margin->deadline - margin->began) ||
           is_late(margin, now, margin->assumed_checkpoint);
}

bool ww_margin_has_room(const ww_margin *margin, double now, double work)
{
    return isinf(margin->deadline) ||
           now + SAFETY * seconds_of(margin, work) + rest(margin) < margin->deadline;
}
