/// Full steps of the engine `lazy`: all pairs move and are looked at, as `samples` or `dense` do
/// it. That is less work where many patterns change in every step. Either way follows the same
/// course; which is taken depends on how many patterns have changed in the steps before, on all
/// ranks together, and on nothing else, so that it is the same on any number of ranks and after any
/// restart.
///
/// Full steps take no memory of their own for pairs: offsets of all pairs stand where p(0) does,
/// which is drawn again when windows are to come, and P, or the weights themselves where there are
/// many more samples than inputs, where P and D of windows do.
#ifndef WIDTHWISE_TRAIN_LAZY_FULL_H
#define WIDTHWISE_TRAIN_LAZY_FULL_H

#include "train/lazy_scan.h"
#include "train/output_sum.h"

/// What one thread works with.
typedef struct ww_lazy_full_room {
    double *activations;  ///< [tile units, n]
    double *coefficients; ///< [tile units, n]
    double *partial;      ///< [block], twice with pairs
    uint8_t *active;      ///< [tile units, n]
    void *tables;         ///< of WW_PATTERN_ROOM_BYTES
    ww_output_sum sum;    ///< of the tiles of this thread; none for the first
    int64_t changes;
} ww_lazy_full_room;

typedef struct ww_lazy_full {
    ww_lazy_pairs *pairs;
    double *values;           ///< P [local units, stride], or W [local units, d]; borrowed
    bool by_weights;          ///< they are W
    bool has_moved;           ///< they have had the pending update
    int64_t steps;            ///< full ones that there were
    double changes;           ///< of a step, a mean of the last; below 0: there was none yet
    int64_t columns;          ///< of values
    ww_panel_inputs rows;     ///< of K or X, a block of samples
    ww_lazy_sums sums;        ///< by which they move
    ww_panel_inputs inputs;   ///< X, where W is kept
    double *room;             ///< [block, columns]
    ww_lazy_full_room *rooms; ///< [threads]
} ww_lazy_full;

/// Whether full steps keep the weights, and not P. Pure.
bool ww_lazy_full_keeps_weights(const ww_problem *problem);

/// `values` [local units, stride] is memory that windows use otherwise. Not collective. Free with
/// ww_lazy_full_free, also after a failure.
ww_status ww_lazy_full_create(ww_lazy_pairs *pairs, double *values, ww_lazy_full *full,
                              ww_error *error);
void ww_lazy_full_free(ww_lazy_full *full);
/// Bytes that it takes. Pure.
int64_t ww_lazy_full_bytes(const ww_problem *problem);

/// Counts the changes of a step, those of all ranks.
void ww_lazy_full_count(ww_lazy_full *full, int64_t changes);
/// Whether the step to come is to be a full one.
bool ww_lazy_full_is_less(const ww_lazy_full *full);

/// Full steps begin: P or W come to what R and the patterns say, the pending update with them. Not
/// collective.
void ww_lazy_full_enter(ww_lazy_full *full);
/// They are over: p(0) is drawn again. WW_FAILED: memory is short. Not collective.
ww_status ww_lazy_full_leave(ww_lazy_full *full, ww_error *error);

/// P or W move by the pending update, f [k, stride], unless they have.
void ww_lazy_full_move(ww_lazy_full *full, const double *factors);

/// Adds the outputs at the start to `sum`.
void ww_lazy_full_start(ww_lazy_full *full, ww_output_sum *sum);
/// Looks at all pairs of this rank: makes the changes, whose number is added to `*changes`, and
/// adds outputs to `sum`.
void ww_lazy_full_look(ww_lazy_full *full, ww_output_sum *sum, int64_t *changes);

/// For tests: how many times more a change is taken to cost in windows than it is. 0: no step is a
/// full one; INFINITY: all are, once a pattern has changed.
void ww_lazy_set_price(double times);

#endif
