/// How fast something goes and when it will be over, from looks at it in which it has moved or not.
///
/// A job commits now and then, so most looks find what the one before found. What counts are looks
/// that found a change, for these come soon after it; the first look is one of unknown age, and no
/// rate is known before there are two changes.
#ifndef WIDTHWISE_APP_PACE_H
#define WIDTHWISE_APP_PACE_H

#include <stdbool.h>
#include <stddef.h>

enum { WW_PACE_LOOKS = 8 }; ///< that are kept: the rate follows what changes

/// Starts as zeroes.
typedef struct ww_pace {
    size_t count;
    bool has_first; ///< the oldest one kept is the first look
    double times[WW_PACE_LOOKS], values[WW_PACE_LOOKS];
} ww_pace;

/// Takes down that it has come to `value` at `time`, seconds of ww_seconds. Where it has gone back
/// (a restart goes on from a checkpoint) it begins anew.
void ww_pace_look(ww_pace *pace, double time, double value);

/// Its rate a second at `time`, 0 where none is known yet. It falls while changes stay away for
/// longer than they did. Pure.
double ww_pace_rate(const ww_pace *pace, double time);

/// Seconds from `time` until it has come to `end`, at least 0; NaN where that is not known. Pure.
double ww_pace_left(const ww_pace *pace, double time, double end);

#endif
