/// N of several outputs, or of output weights of several magnitudes: for each two outputs k <= l
///
///     N_ij^kl = sum_r a_rk a_rl s_ri s_rj,
///
/// the counts of lazy_counts.h with weights. Products a_rk a_rl are rounded to whole multiples of a
/// quantum and summed up as integers: sums depend on no order, and summing up anew gives the same
/// bits. The quantum, 2^-62 of all units times the largest ||a_r||^2 or up to twice that, is all
/// that is not exact.
#ifndef WIDTHWISE_TRAIN_LAZY_WEIGHED_H
#define WIDTHWISE_TRAIN_LAZY_WEIGHED_H

#include "train/lazy_pairs.h"

/// Rows of n x n arrays that this rank has, and all ranks.
typedef struct ww_lazy_share {
    int64_t first, rows;
    int *counts, *places; ///< [ranks]
} ww_lazy_share;

/// A change of a pattern, as it goes over ranks.
typedef struct ww_lazy_change_seen {
    int sign; ///< 1: it has become active
    /// Of its unit then: whole where the row of the sample is of this rank, else the words that the
    /// rows of this rank lie in.
    const uint64_t *patterns;
    const void *scales; ///< a_r, doubles [k], where they are weighed
} ww_lazy_change_seen;

/// Outputs that there may be, and planes of them.
enum {
    WW_LAZY_MOST_OUTPUTS = 64,
    WW_LAZY_MOST_PLANES = WW_LAZY_MOST_OUTPUTS * (WW_LAZY_MOST_OUTPUTS + 1) / 2
};

typedef struct ww_lazy_weighed {
    const ww_lazy_pairs *pairs;
    const ww_lazy_share *share;
    int64_t planes; ///< k (k + 1) / 2, rounded up to whole vectors
    double largest; ///< ||a_r||_2 of all units of all ranks; 0: not known yet
    double quantum; ///< of N
    int64_t *sums;  ///< N [rows, n, planes], as multiples of the quantum
    int64_t *diagonal,
        *all;         ///< where there is a slope: N_jj [n, planes], and sums of all units [planes]
    double *turned;   ///< f [n, k]
    int64_t *changes; ///< of a sample, weights as they come to N [change room, planes]
    int64_t change_room;
} ww_lazy_weighed;

/// Rows that a rank has at most, and its first one. Pure.
int64_t ww_lazy_share_most_rows(const ww_problem *problem);
int64_t ww_lazy_share_first_row(const ww_problem *problem, int rank);

/// Takes nothing unless output weights are weighed. Not collective. Free with ww_lazy_weighed_free,
/// also after a failure.
ww_status ww_lazy_weighed_create(const ww_lazy_pairs *pairs, const ww_lazy_share *share,
                                 ww_lazy_weighed *weighed, ww_error *error);
void ww_lazy_weighed_free(ww_lazy_weighed *weighed);
/// Bytes that it takes. Pure.
int64_t ww_lazy_weighed_bytes(const ww_problem *problem);

/// Sums up anew from the patterns as they are. WW_FAILED: memory is short. Collective.
ww_status ww_lazy_weighed_make(ww_lazy_weighed *weighed, ww_error *error);

/// Takes in all changes of a sample [count], one at least, in a step. `skip`: the sample that
/// patterns of other ranks' rows begin with. WW_FAILED: memory is short. Not collective.
ww_status ww_lazy_weighed_take(ww_lazy_weighed *weighed, int64_t sample, int64_t skip,
                               const ww_lazy_change_seen *changes, int64_t count, ww_error *error);
/// After all changes of a step. Collective.
ww_status ww_lazy_weighed_settle(ww_lazy_weighed *weighed, ww_error *error);

/// What f, factors [k, stride], does to the outputs of this rank's rows, into values [rows, k],
/// each of them below m max_r ||a_r||^2 ||K_i|| ||f||. Sums go over samples by their place. Not
/// collective.
void ww_lazy_weighed_product(ww_lazy_weighed *weighed, const double *factors, double *values);

#endif
