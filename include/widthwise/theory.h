/// What the papers predict for a run, as pure functions of its configuration and what was measured.
#ifndef WIDTHWISE_THEORY_H
#define WIDTHWISE_THEORY_H

#include "widthwise/config.h"
#include "widthwise/data.h"
#include "widthwise/field.h"
#include "widthwise/network.h"

enum { WW_THEORY_FIELDS = 8 };

/// Predictions that a configuration's model has: fills `fields` and returns their number. Those
/// that follow the trajectory have one axis of `records` and need the quantity row_movement.
/// Together their arrays have ww_theory_values doubles. Pure.
size_t ww_theory_fields(const ww_config *config, bool has_row_movement, int64_t records,
                        ww_field fields[WW_THEORY_FIELDS]);
int64_t ww_theory_values(const ww_field *fields, size_t count);

/// The predictions. `row_movement` [rows] is max_r ||w_r(t) - w_r(0)|| of every record, NULL where
/// it was not measured; records past `rows` become NaN. `values` [ww_theory_values]. Pure.
void ww_theory_compute(const ww_config *config, const ww_dataset *data, const double *row_movement,
                       int64_t rows, int64_t records, double *values);

/// E[s'(u) s'(v)] for Gaussian u and v of that correlation, s a ReLU with `slope` left of zero: how
/// alike two samples at an angle are to the gradients of the network (arc-cosine kernel of order
/// 0, AR section 3). Pure.
double ww_theory_same_side(double cosine, double slope);

/// Largest curvature lambda of the train loss in W at the start, that of the infinitely wide
/// network: c m E[a^2] times the largest eigenvalue of the Gram matrix H of the samples (AR section
/// 3), divided by n where the loss is a mean; c bounds the second derivative of the loss by
/// outputs. Gradient descent with a
/// step above 2 / lambda may grow where the linearised network ought to shrink (AR theorem 4.1 asks
/// for less). Of more than `most` samples as many are taken, evenly spread. Not collective.
ww_status ww_theory_curvature(const ww_config *config, const ww_dataset *data, int64_t most,
                              double *curvature, ww_error *error);

/// What AR theorem 6.1 and corollary 6.2 allow for y' H^-1 y, by its root: 3 sum_j p_j |alpha_j|
/// ||beta_j||^p_j bounds sqrt(y' H^-1 y) of the true labels of source function, on the sphere and
/// whatever their number; of cosine and arctan by their Taylor series (examples 6.3 and 6.4).
/// Infinite where the theorem covers nothing: odd exponents from 3 on, arctan with ||beta|| > 1,
/// inputs off the sphere, other sources. Pure.
double ww_function_bound(const ww_config *config);

/// LL lemma B.1: the share of units that are not coupled on one point is at most 10 tau / sigma,
/// here with tau = movement, at most 1.
double ww_li_liang_coupling_bound(double movement, double sigma);
/// LL lemma A.1: the share of units not coupled on some of k l points is at most e tau k l / sigma.
double ww_li_liang_coupling_any_bound(double movement, double sigma, int64_t points);
/// P(|z| <= movement) for z from N(0, sigma^2): the expected share of (unit, point) pairs within
/// reach of a movement, the sharp form of what both lemmas bound.
double ww_li_liang_coupling_reach(double movement, double sigma);
/// LL figure 5: 2 / (3 sqrt(m)), the fit to the relative distance at 98% on the synthetic data.
double ww_li_liang_distance_at_accuracy(int64_t width);

#endif
