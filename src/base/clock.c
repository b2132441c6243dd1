#include "widthwise/clock.h"

#include <stdio.h>
#include <time.h>

double ww_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
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
    const long whole = (long)(seconds + 0.5);
    if (seconds < 100.0)
        snprintf(text, size, "%.1f s", seconds);
    else if (whole < 3600)
        snprintf(text, size, "%ld min %02ld s", whole / 60, whole % 60);
    else
        snprintf(text, size, "%ld h %02ld min", whole / 3600, whole % 3600 / 60);
}
