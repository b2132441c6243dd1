/// The course that R (lazy_pairs.h) is expected to take in the steps to come, and how far the
/// pre-activations can be from where it leads them: so that most pairs need not be looked at for
/// many steps. Nothing of it goes into a number of the run: that pairs are looked at more or less
/// often changes no bit.
///
/// A window begins at a step whose patterns are all known, with R there and f of that step. From it
/// f~(l) and R~(k) = R + f~(0) + .. + f~(k - 1) are predicted with patterns as they are. Against a
/// base B near R, R~(k) - B = mu_k b + x_k, with the chord b = R~(length) - B. With patterns as
/// they are now, p of a pair at step k is
///
///     P + mu_k D + a sum_j K_ij s'_rj (x_kj + Delta_kj),    P = p at B,  D = a sum_j K_ij s'_rj
///     b_j,
///
/// where Delta is how far R has gone astray of R~. x is bounded from one side, s' being anything in
/// [0, 1]; Delta by its norm, which is watched: ||f(l) - f~(l)|| <= deviation ||f~(l)|| and
/// ||Delta_k|| <= amplitude E, with E the sum of ||f~(l)|| over the window. The window ends where
/// either fails. Patterns that change in a unit bend the course of its other pairs by at most
/// share_j ||f~(l)|| in a step each: their sum may be `loose` before the unit's rows are brought up
/// to date.
///
/// Where output weights are weighed (lazy_pairs.h) all that is of p is divided by ||a_r||_2, and
/// numbers R_j, f_j, x_j of one output become vectors over outputs: a_r / ||a_r|| is of length 1,
/// so their lengths bound what they do, from both sides.
///
/// Of small batches x goes to and fro, and what bounds it from step to step is far more than what
/// it does: pairs that have been looked at are led along by the steps of the forecast themselves.
#ifndef WIDTHWISE_TRAIN_LAZY_COURSE_H
#define WIDTHWISE_TRAIN_LAZY_COURSE_H

#include "train/lazy_forecast.h"

/// Which way is dangerous: that in which K s' x falls, or rises.
enum { WW_LAZY_FALLS, WW_LAZY_RISES, WW_LAZY_WAYS };

/// And what else a row of limits has: rounding, and the most that a path grows.
enum { WW_LAZY_SLACK = WW_LAZY_WAYS, WW_LAZY_BOX, WW_LAZY_LIMITS };

/// What windows of the past tell of those to come: counts of all ranks; below 0 where there was
/// none.
typedef struct ww_lazy_past {
    int64_t length; ///< steps of the last window
    double idle;    ///< looks of a step that found no change, over pairs that limits let in: what
                    ///< changes has to be looked at, however long windows are
    double folds;   ///< patterns a step that rows have to be brought up to
    double limits;  ///< sum over samples of both limits
    double density; ///< of pre-activations around 0
} ww_lazy_past;

typedef struct ww_lazy_course {
    const ww_lazy_pairs *pairs;
    ww_lazy_forecast forecast; ///< f~ and R~
    double scale;              ///< |a|, 1 where output weights are weighed
    int64_t span;              ///< numbers of R: k stride
    bool is_full_batch;
    double *norms;  ///< [n], ||K_i||_2
    double *others; ///< [n], largest |K_ij| with j != i
    double largest_other;
    const ww_lazy_share *share;
    float *products;               ///< K, rows of this rank [rows, stride]
    float *magnitudes;             ///< |K| [rows, stride], rounded up
    float *limit_rows;             ///< [n, WW_LAZY_LIMITS], as they go over ranks
    double *base;                  ///< B [k, stride]
    double *chord;                 ///< b [k, stride]
    double *chord_lengths;         ///< |b_j| [stride]
    double *rest;                  ///< x [most + 1, k, stride]
    float *along;                  ///< mu [most + 1, and some]
    float least_along, most_along; ///< of mu_1 .. mu_length
    double *spent;                 ///< [most + 1], sum of ||f~|| before each step
    /// Of full batches.
    float *paths[WW_LAZY_WAYS]; ///< [n, path_stride], how far a pair may have been led away by each
                                ///< step
    int64_t path_stride;
    float *limits[WW_LAZY_WAYS]; ///< [n]: a pair is safe while it is further from 0 than that
    float *slacks; ///< [n], rounding of P and D, and what else a pair that was looked at is off
    float *boxes;  ///< [n], the most that a path grows by between two steps; or they go astray by
    double *travelled;                       ///< [stride], sum of |f~| over the window
    double *rounding;                        ///< [n], that of P so far
    float *shares;                           ///< [n]
    double loose, patterns;                  ///< and how many patterns of a mean share that is
    double deviation, amplitude;             ///< allowed in this window
    double worst_deviation, worst_amplitude; ///< seen in it
    double largest;                          ///< bound of |P|, with room
    int64_t length, at;                      ///< steps of this window, and where in it R is
    bool ended_early;
    float *room, *increments; ///< [n, path_stride], [most + 1, stride]
    double moved;             ///< mu by which the base has moved at the beginning of this window
    ww_lazy_past past;
} ww_lazy_course;

/// `scale`: |a|, or 1. Not collective. Free with ww_lazy_course_free, also after a failure.
ww_status ww_lazy_course_create(const ww_lazy_pairs *pairs, const ww_lazy_share *share,
                                double scale, ww_lazy_course *course, ww_error *error);
void ww_lazy_course_free(ww_lazy_course *course);
/// Bytes that it takes. Pure.
int64_t ww_lazy_course_bytes(const ww_problem *problem);

/// Whether the window has a step more: it is not over, and f [k, stride] of the step at hand, with
/// R before it `totals` [k, stride], is within what it allows for.
bool ww_lazy_course_holds(ww_lazy_course *course, const double *totals, const double *factors);

/// Begins a window with the step `now`, of at most `most` steps. `moved`: the base moves by as much
/// of the chord; P has to follow. Collective.
ww_status ww_lazy_course_begin(ww_lazy_course *course, ww_lazy_counts *counts,
                               const ww_lazy_now *now, int64_t most, ww_error *error);

/// Begins anew with the base at `totals`: P is made anew, exact but for its last digits.
void ww_lazy_course_restart(ww_lazy_course *course, const double *totals);

/// The rounding of P is the larger part of what limits have to allow for.
bool ww_lazy_course_is_worn(const ww_lazy_course *course);

#endif
