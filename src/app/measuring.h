/// What part of a run's time measuring takes, and what measuring less often would change.
#ifndef WIDTHWISE_APP_MEASURING_H
#define WIDTHWISE_APP_MEASURING_H

#include <stddef.h>
#include <stdint.h>

/// Of a run, or of what a start made of it.
typedef struct ww_measuring {
    double seconds;  ///< of all records
    double whole;    ///< seconds of the run
    int64_t records; ///< number
    int64_t steps;   ///< number
    int64_t every;   ///< measure.every
} ww_measuring;

/// Share of the time above which it is said what measuring less often would bring.
#define WW_MEASURING_DOMINATES 0.5

double ww_measuring_share(const ww_measuring *measuring);

/// The measure.every, 2, 5, 10, 20, 50, ... times the one at hand, with which records would take at
/// most a quarter of the time, or where there is none the largest that leaves eight of them:
/// `*share` is what they would take. That at hand where nothing can be gained. Pure.
int64_t ww_measuring_longer(const ww_measuring *measuring, double *share);

/// "61% of the time; with measure.every: 20 instead of 2 it would be 14%", into `text` [size]: the
/// second part, which has the words `would`, where measuring dominates and more is to be gained
/// than a tenth of the time. Pure.
void ww_measuring_text(const ww_measuring *measuring, const char *would, char *text, size_t size);

#endif
