/// Which pairs of this rank have to be looked at in which step of a window (lazy_course.h): P and D
/// of all of them in single precision, and a queue.
#ifndef WIDTHWISE_TRAIN_LAZY_SCAN_H
#define WIDTHWISE_TRAIN_LAZY_SCAN_H

#include "train/lazy_course.h"
#include "train/lazy_sums.h"

/// A pair that may have changed its pattern by some step. It has its p(0) with it: in memory these
/// lie so far apart that each would be a page of its own.
typedef struct ww_lazy_entry {
    double start; ///< p(0)
    int32_t unit, sample;
    uint32_t version; ///< of the unit's rows: another one, and it counts no more
    float course;     ///< D
} ww_lazy_entry;

typedef struct ww_lazy_bucket {
    ww_lazy_entry *entries; ///< [count]
    int64_t count, room;
} ww_lazy_bucket;

/// What one thread works with, and the pairs that it has put into the queue: their order is that in
/// which threads came to tiles, and is no matter, since a step takes its pairs by sample.
typedef struct ww_lazy_scan_room {
    ww_lazy_bucket *buckets; ///< [steps of a window + 1]
    double *coefficients;    ///< of a block of samples [tile units, block]
    float *narrow;           ///< the same in single precision
    void *tables;            ///< of WW_PATTERN_ROOM_BYTES
    uint32_t *patterns;      ///< of the unit of a pair that is led along [stride / 32]
    double largest;          ///< of |P|
    bool is_short;           ///< there was no memory for a pair
} ww_lazy_scan_room;

/// P and D of a unit, over ||a_r|| where output weights are weighed (lazy_course.h).
typedef struct ww_lazy_row {
    uint32_t version; ///< begins anew with every scan of it inside of a window
    float bent;       ///< shares of the patterns that have changed since the rows were as they are
} ww_lazy_row;

typedef struct ww_lazy_scan {
    ww_lazy_pairs *pairs;
    const ww_lazy_course *course;
    void *memory;             ///< of the two that follow, or of as many doubles (lazy_full.h)
    float *places;            ///< P [local units, stride]
    float *courses;           ///< D [local units, stride]
    ww_lazy_row *rows;        ///< [local units]
    float *scales;            ///< a [local units], where output weights are not weighed
    ww_panel_inputs inputs;   ///< what makes D: of a block of samples
    ww_panel_inputs fine;     ///< and what makes P, in double
    double *room;             ///< [block, stride]
    ww_lazy_scan_room *rooms; ///< [threads]
} ww_lazy_scan;

/// Not collective. Free with ww_lazy_scan_free, also after a failure.
ww_status ww_lazy_scan_create(ww_lazy_pairs *pairs, const ww_lazy_course *course,
                              ww_lazy_scan *scan, ww_error *error);
void ww_lazy_scan_free(ww_lazy_scan *scan);
/// Bytes that it takes but for the queue. Pure.
int64_t ww_lazy_scan_bytes(const ww_problem *problem);

/// P at the base of the course, from p(0); `*largest`: the largest |P|.
void ww_lazy_scan_restart(ww_lazy_scan *scan, double *largest);

/// A window has begun: P moves to its base, D is made, and pairs go into the queue. Not collective.
void ww_lazy_scan_begin(ww_lazy_scan *scan);

/// Whether all pairs are in the queue that were put there. WW_FAILED: memory was short.
ww_status ww_lazy_scan_check(const ww_lazy_scan *scan, ww_error *error);

/// Puts a pair that was looked at back into the queue of a thread, for the first step after `at` at
/// which its pattern may be another: p is its pre-activation, `changed` whether the pattern has
/// just become this.
void ww_lazy_scan_return(ww_lazy_scan *scan, int worker, int64_t at, ww_lazy_entry entry,
                         double value, bool changed);

/// A pattern of the unit has changed, that of `sample`, for the first time since its rows were
/// brought up to date or not. Then, after all of a step, with each unit: whether its rows are bent
/// too much, which is told once. And these are brought up to date at step `at`, and scanned again.
void ww_lazy_scan_note(ww_lazy_scan *scan, int64_t unit, int64_t sample, bool is_first);
bool ww_lazy_scan_is_bent(ww_lazy_scan *scan, int64_t unit);
void ww_lazy_scan_fold(ww_lazy_scan *scan, int worker, int64_t at, int64_t unit);

/// Inside of the search (lazy_queue.c): puts the pairs of a unit into the queue of a thread that
/// may change their pattern after step `at`.
void ww_lazy_scan_row(ww_lazy_scan *scan, int worker, int64_t unit, int64_t at);

#endif
