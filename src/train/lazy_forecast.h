/// What the steps to come are expected to do with activation patterns as they are: their f and R
/// (lazy_pairs.h), for any loss, and for batches, which are known beforehand. Nothing of it goes
/// into a number of the run.
#ifndef WIDTHWISE_TRAIN_LAZY_FORECAST_H
#define WIDTHWISE_TRAIN_LAZY_FORECAST_H

#include "train/lazy_counts.h"

/// By which a number is off at most that is rounded to single precision, in parts of it.
#define WW_LAZY_ROUNDING 0x1p-24

typedef struct ww_lazy_forecast {
    const ww_lazy_pairs *pairs;
    int64_t most;        ///< steps, at most
    ww_batches *batches; ///< of its own: it looks ahead
    double scale;        ///< |a|
    int64_t span;        ///< numbers of f: k stride
    const ww_lazy_share *share;
    /// Rows of this rank [rows, stride]: a step moves outputs by kernel f; none where output
    /// weights are weighed.
    float *kernel;
    double *factors;       ///< f~ [most + 1, k, stride]
    double *totals;        ///< R~ [most + 1, k, stride], before each
    int64_t places;        ///< for members of a small batch
    double rounding;       ///< of what steps add to p, in parts of it
    int32_t *members;      ///< their samples [most + 1, places]
    float *steps;          ///< |a| f~ of each [most + 1, places]
    double *outputs;       ///< u~ [n, k]
    double *wide;          ///< what it moves by [n, k], where output weights are weighed
    float *narrow, *moves; ///< [stride]
    int64_t *indices;      ///< of a batch [B], as all of these
    int64_t *labels;
    double *targets, *chosen, *gradients;
} ww_lazy_forecast;

/// Where a step is, and what it leaves to be made.
typedef struct ww_lazy_now {
    int64_t step;          ///< that made the update
    const double *outputs; ///< u that it is of [n, k]
    const double *totals;  ///< R before it [k, stride]
    const double *factors; ///< f of it [k, stride]
    const int64_t *active; ///< units active on each sample [n]; used where there is a slope
} ww_lazy_now;

/// A pair of which p is known at some step.
typedef struct ww_lazy_pair {
    int64_t sample;
    const double *products;   ///< K of the sample [n]
    const uint64_t *patterns; ///< of its unit
    uint32_t *room;           ///< for these [stride / 32]
    bool active;              ///< its own, which may not stand in these yet
    bool is_negative;         ///< a < 0
    double margin;            ///< how far p is from 0, less what it may be off at once
    double astray;            ///< what else it may be off, by the length of steps since
    double most;              ///< and after any number of them
} ww_lazy_pair;

/// Steps that a forecast goes over at most. Pure.
int64_t ww_lazy_forecast_most(const ww_problem *problem);

/// Not collective. Free with ww_lazy_forecast_free, also after a failure.
ww_status ww_lazy_forecast_create(const ww_lazy_pairs *pairs, const ww_lazy_share *share,
                                  double scale, ww_lazy_forecast *forecast, ww_error *error);
void ww_lazy_forecast_free(ww_lazy_forecast *forecast);
/// Bytes that it takes. Pure.
int64_t ww_lazy_forecast_bytes(const ww_problem *problem);

/// f~ and R~ of `*steps` steps from that one on, and R~ after them: fewer where outputs grow out of
/// the range of outputs before, but one at least. Collective.
ww_status ww_lazy_forecast_make(ww_lazy_forecast *forecast, ww_lazy_counts *counts,
                                const ww_lazy_now *now, int64_t *steps, ww_error *error);

/// For small batches: the first step of the forecast after `at`, and not after `length`, at which p
/// of a pair may have come to 0, with patterns as they are; 0: there is none. spent [length + 1]:
/// length of all steps before each. Off by `rounding` of the magnitudes of
/// all that steps add to p.
int64_t ww_lazy_forecast_crossing(const ww_lazy_forecast *forecast, int64_t at, int64_t length,
                                  const double *spent, const ww_lazy_pair *pair);

#endif
