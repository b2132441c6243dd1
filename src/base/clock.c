#include "widthwise/clock.h"

#include <stdio.h>
#include <time.h>

static double read_clock(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double ww_seconds(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

double ww_processor_seconds(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

void ww_time_text(char *text, size_t size)
{
    const time_t now = time(NULL);
    struct tm parts;
    gmtime_r(&now, &parts);
    if (strftime(text, size, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0 && size > 0)
        text[0] = '\0';
}

void ww_duration_text(double seconds, char *text, size_t size)
{
    static const long MINUTE = 60;
    static const long HOUR = 3600;
    static const long DAY = 86400;
    static const long MOST_DAYS = 9999;
    if (!(seconds < (double)(MOST_DAYS * DAY))) { // nor does it fit a number of whole seconds
        snprintf(text, size, "> %ld days", MOST_DAYS);
        return;
    }
    const long whole = (long)(seconds + 0.5);
    if (seconds < 100.0)
        snprintf(text, size, "%.1f s", seconds);
    else if (whole < HOUR)
        snprintf(text, size, "%ld min %02ld s", whole / MINUTE, whole % MINUTE);
    else if (whole < 2 * DAY)
        snprintf(text, size, "%ld h %02ld min", whole / HOUR, whole % HOUR / MINUTE);
    else if (whole < 10 * DAY)
        snprintf(text, size, "%ld days %02ld h", whole / DAY, whole % DAY / HOUR);
    else
        snprintf(text, size, "%ld days", whole / DAY);
}
