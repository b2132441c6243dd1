#include "app/measuring.h"

#include <stdio.h>

static const double GOOD_SHARE = 0.25;
static const double LEAST_GAIN = 0.1;
enum { LEAST_RECORDS = 8 }; // that a trajectory keeps

double ww_measuring_share(const ww_measuring *measuring)
{
    return measuring->whole > 0.0 ? measuring->seconds / measuring->whole : 0.0;
}

// Share of records with another distance between them: step 0 keeps its own.
static double share_with(const ww_measuring *self, int64_t every)
{
    const int64_t number = 1 + self->steps / every;
    const double seconds = number < self->records
                               ? self->seconds * (double)number / (double)self->records
                               : self->seconds;
    return seconds / (self->whole - self->seconds + seconds);
}

int64_t ww_measuring_longer(const ww_measuring *measuring, double *share)
{
    static const int64_t factors[] = {2, 5, 10};
    int64_t found = measuring->every;
    *share = ww_measuring_share(measuring);
    for (int64_t unit = 1; *share > GOOD_SHARE; unit *= 10)
        for (size_t i = 0; i < sizeof factors / sizeof factors[0] && *share > GOOD_SHARE; i++) {
            int64_t every = 0;
            if (__builtin_mul_overflow(measuring->every, unit * factors[i], &every) ||
                every > measuring->steps / LEAST_RECORDS)
                return found;
            found = every;
            *share = share_with(measuring, every);
        }
    return found;
}

void ww_measuring_text(const ww_measuring *measuring, const char *would, char *text, size_t size)
{
    double then = 0.0;
    const double share = ww_measuring_share(measuring);
    const int64_t every = ww_measuring_longer(measuring, &then);
    const int used = snprintf(text, size, "%.0f%% of the time", 100.0 * share);
    if (share > WW_MEASURING_DOMINATES && share - then > LEAST_GAIN && used > 0 &&
        (size_t)used < size)
        (void)snprintf(text + used, size - (size_t)used,
                       "; with measure.every: %lld instead of %lld it %s %.0f%%", (long long)every,
                       (long long)measuring->every, would, 100.0 * then);
}
