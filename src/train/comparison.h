/// Patterns and outputs that an engine has, against those of weights: what audits and checks
/// (widthwise/audit.h) have in common. The bounds are derived in lazy.md.
#ifndef WIDTHWISE_TRAIN_COMPARISON_H
#define WIDTHWISE_TRAIN_COMPARISON_H

#include "train/engine.h"
#include "widthwise/audit.h"

/// What an engine is compared with.
typedef struct ww_compared {
    const char *name; ///< whose weights they are, as a sentence has it
    /// Weights of a tile, [tile units, d], for worker `worker` of ww_for_each.
    const double *(*tile)(void *context, int worker, int64_t tile);
    void *context;
    const ww_samples *samples; ///< those that are looked at, with inputs [count, d]
    const int64_t *indices;    ///< [count] of these in the train set; NULL: they are all of it
    int64_t steps;             ///< made when the weights became these
    const double *astray;      ///< [local units], how far ||w_r|| of the engine may be off; NULL: 0
    /// Whether `next` of the comparison before, which was a step ago, bounds what outputs that are
    /// carried over steps are off by; else it follows from the number of steps.
    bool follows;
} ww_compared;

/// What one thread works with, and what it finds.
typedef struct ww_comparison_room {
    double *preactivations; ///< [tile units, block]
    double *partial;        ///< [block, k], twice with pairs
    uint8_t *active;        ///< [tile units, block]
    ww_output_sum sum;      ///< of outputs by the weights, of its tiles
    int64_t mismatches, undecided;
    int64_t first; ///< unit * n + sample of the first pair that does not agree; -1: none
    double value;  ///< its p
} ww_comparison_room;

typedef struct ww_comparison {
    const ww_problem *problem;
    const ww_engine_methods *methods;
    void *state;
    const double *output_weights; ///< a [local units, k]
    int64_t count;                ///< samples there is room for
    int64_t group, stride;        ///< samples whose patterns stand together; bytes of a unit's
    double unit;                  ///< u
    double longest;               ///< ||x|| of the train set
    double *lengths;              ///< ||x|| [n]
    double *starts;               ///< ||w_r(0)|| [local units], where weights are made from these
    double *scales;               ///< largest |a_r| of each unit [local units]
    double *sizes;                ///< size_r [local units]
    uint8_t *patterns;            ///< [groups, local units, stride]
    double *held;                 ///< outputs of the engine [count, k]
    double *outputs;              ///< those by the weights [count, k]
    double *next;                 ///< how far off the next step finds them, but for its own part
    double *terms;                ///< sums of a tile [local tiles, ..]
    double *gradients;            ///< [block, k]
    double *none;                 ///< outputs of 0 [block, k]
    double *tile;                 ///< [tile units, d]
    ww_comparison_room *rooms;    ///< [threads]
} ww_comparison;

/// Room for `count` samples of this engine. Not collective. Free with ww_comparison_free, also
/// after a failure.
ww_status ww_comparison_create(ww_engine *engine, int64_t count, ww_comparison *comparison,
                               ww_error *error);
void ww_comparison_free(ww_comparison *comparison);

/// Takes what the engine saw last as group number `group`, of which the first `count` samples are
/// wanted. Not collective.
void ww_comparison_take(ww_comparison *comparison, int64_t group, int64_t count);

/// Compares what was taken, and adds what is found to `*found`. WW_FAILED with a sentence where a
/// pattern is not that of the weights, or outputs differ by more than rounding explains.
/// Collective.
ww_status ww_comparison_make(ww_comparison *comparison, const ww_compared *by, ww_audit *found,
                             ww_error *error);

#endif
