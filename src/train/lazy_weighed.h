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

#include "train/lazy_changes.h"

/// Outputs that there may be, and planes of them, whose numbers are looked at by WW_LAZY_LANES.
enum {
    WW_LAZY_LANES = 4,
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
    int64_t *changes; ///< some of a sample, weights as they come to N
} ww_lazy_weighed;

/// Takes nothing unless output weights are weighed. Not collective. Free with ww_lazy_weighed_free,
/// also after a failure.
ww_status ww_lazy_weighed_create(const ww_lazy_pairs *pairs, const ww_lazy_share *share,
                                 ww_lazy_weighed *weighed, ww_error *error);
void ww_lazy_weighed_free(ww_lazy_weighed *weighed);
/// Bytes that it takes, and that making the sums takes besides. Pure.
int64_t ww_lazy_weighed_bytes(const ww_problem *problem);
int64_t ww_lazy_weighed_making_bytes(const ww_problem *problem);

/// Planes of N. Pure.
int64_t ww_lazy_weighed_planes(const ww_problem *problem);

/// The products of a unit's output weights, scales [k], as multiples of the quantum, into products
/// [planes]: planes beyond all products are 0. Once the quantum is known.
void ww_lazy_weigh_products(const ww_lazy_weighed *weighed, const double *scales,
                            int64_t *products);

/// Sums up anew from the patterns as they are. WW_FAILED: memory is short. Collective.
ww_status ww_lazy_weighed_make(ww_lazy_weighed *weighed, ww_error *error);

/// Takes in all changes of a sample [count] in a step. `skip`: the sample that patterns of other
/// ranks' rows begin with. Not collective.
void ww_lazy_weighed_take(ww_lazy_weighed *weighed, int64_t sample, int64_t skip,
                          const ww_lazy_change_seen *changes, int64_t count);
/// After all changes of a step. Collective.
ww_status ww_lazy_weighed_settle(ww_lazy_weighed *weighed, ww_error *error);

/// What f, factors [k, stride], does to the outputs of this rank's rows, into values [rows, k],
/// each of them below m max_r ||a_r||^2 ||K_i|| ||f||. Sums go over samples by their place. Not
/// collective.
void ww_lazy_weighed_product(ww_lazy_weighed *weighed, const double *factors, double *values);

#endif
