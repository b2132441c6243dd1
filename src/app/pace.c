#include "app/pace.h"

#include <math.h>
#include <string.h>

static void forget_oldest(ww_pace *pace)
{
    pace->count--;
    pace->has_first = false;
    memmove(pace->times, pace->times + 1, pace->count * sizeof *pace->times);
    memmove(pace->values, pace->values + 1, pace->count * sizeof *pace->values);
}

void ww_pace_look(ww_pace *pace, double time, double value)
{
    if (pace->count > 0 && value == pace->values[pace->count - 1])
        return;
    if (pace->count > 0 && value < pace->values[pace->count - 1])
        pace->count = 0;
    if (pace->count == 0)
        pace->has_first = true;
    else if ((pace->count >= 2 && pace->has_first) || pace->count == WW_PACE_LOOKS)
        forget_oldest(pace);
    pace->times[pace->count] = time;
    pace->values[pace->count++] = value;
}

double ww_pace_rate(const ww_pace *pace, double time)
{
    if (pace->count < 2 || pace->has_first)
        return 0.0;
    const size_t last = pace->count - 1;
    const double between = pace->times[last] - pace->times[0];
    const double quiet = time - pace->times[last];
    const double usual = 2.0 * between / (double)last;
    const double seconds = quiet > usual ? between + quiet - usual : between;
    return seconds > 0.0 ? (pace->values[last] - pace->values[0]) / seconds : 0.0;
}

double ww_pace_left(const ww_pace *pace, double time, double end)
{
    const double rate = ww_pace_rate(pace, time);
    if (!(rate > 0.0))
        return NAN;
    const size_t last = pace->count - 1;
    return fmax(0.0, (end - pace->values[last]) / rate - (time - pace->times[last]));
}
