/// What the papers predict for a run, as pure functions of its configuration and what was measured.
#ifndef WIDTHWISE_THEORY_H
#define WIDTHWISE_THEORY_H

#include "widthwise/config.h"
#include "widthwise/data.h"
#include "widthwise/field.h"
#include "widthwise/gram_results.h"
#include "widthwise/network.h"

#include <stdbool.h>
#include <stdint.h>

enum { WW_THEORY_FIELDS = 40 };

/// What there is to predict from.
typedef struct ww_theory_plan {
    const ww_config *config;
    int64_t records;          ///< rows that the trajectory has room for
    bool has_row_movement;    ///< measured quantities
    bool has_distance;        ///< distance_absolute
    bool has_outputs;         ///< train_outputs
    const ww_gram_plan *gram; ///< of the Gram matrix; NULL without
    int64_t samples, outputs; ///< n, k
    int64_t test_samples;
} ww_theory_plan;

/// What was measured and computed. NULL for what the plan does not have.
typedef struct ww_theory_inputs {
    const ww_dataset *data;          ///< with train inputs where the plan has a Gram matrix
    int64_t rows;                    ///< records that there are
    const int64_t *steps;            ///< [rows]
    const double *row_movement;      ///< [rows], max_r ||w_r(t) - w_r(0)||
    const double *distance;          ///< [rows], ||W(t) - W(0)||_F
    double *gram;                    ///< values of plan->gram
    const double *deviation_limit;   ///< [rows], ||u(t) - u~(t)|| for the limit's H, with outputs
    const double *deviation_initial; ///< [rows], the same for H(0) and the outputs at the start
    const double *test_outputs;      ///< [test samples, k], of the limit at the last record
    double test_absolute_error, test_error; ///< of these
} ww_theory_inputs;

/// Predictions that a run has: fills `fields` and returns their number. Those that follow the
/// trajectory have one axis of records. Together their arrays have ww_theory_values doubles. Pure.
size_t ww_theory_fields(const ww_theory_plan *plan, ww_field fields[WW_THEORY_FIELDS]);
int64_t ww_theory_values(const ww_field *fields, size_t count);

/// Whether the run has the kernel that Arora et al. speak of: one hidden layer, the squared loss,
/// and its Gram matrix asked for. Bounds from data and labels need no more. Pure.
bool ww_theory_has_kernel(const ww_theory_plan *plan);

/// Whether it also is what their linear predictions speak of: gradient descent on all samples.
/// Pure.
bool ww_theory_has_descent(const ww_theory_plan *plan);

/// The predictions; records past `rows` become NaN. `values` [ww_theory_values]. Pure.
void ww_theory_compute(const ww_theory_plan *plan, const ww_theory_inputs *inputs, double *values);

/// The step of the linear predictions: that of training times what the kernel of this network is
/// larger than H (the sum of its squared output weights), divided by n where the loss is a mean.
double ww_theory_descent_rate(const ww_config *config, int64_t samples);

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
/// inputs off the sphere, other sources, an activation other than ReLU, more than one hidden layer.
/// Pure.
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

/// The setting of Arora et al., and what it is here. Theirs: one output u(x) = sum_r a_r s(w_r x)
/// with ReLU s, a_r = +-m^-1/2, inputs of norm 1, labels and outputs at the start of order 1. Here
/// |a_r| is any a, inputs have norms up to X, s any slope on its negative side. H stays theirs
/// (equation 3), so that the network's own kernel is S H with S = m a^2, and descent in steps of
/// eta on a sum over samples (of eta / n on a mean) goes as theirs in steps of eta S. Their proofs
/// then give the bounds below, which are the paper's for X = S = B = 1 and slope 0. Nothing depends
/// on units: inputs times c, with weights divided by c, leave every bound of outputs as it is.
typedef struct ww_arora_setting {
    int64_t samples;            ///< n
    int64_t width;              ///< m
    int64_t independent_units;  ///< m, or m / 2 where units come in pairs
    double kappa;               ///< standard deviation of hidden weights at the start
    double slope;               ///< of the activation left of 0
    double input_norm;          ///< X
    double output_square;       ///< S
    double start_square;        ///< B, bounds 2 / n times the expected loss at the start, a sum
    double failure_probability; ///< delta
} ww_arora_setting;

/// AR equation (9) in full, constants 1: X sqrt(2 (1 + slope^2) y' H^-1 y / n) + sqrt(log(n X^2 /
/// (lambda_0 delta)) / n). S drops out: weights move less by its root, and outputs follow more.
/// Infinite for lambda_min = 0, as are the bounds below.
double ww_arora_generalization_bound(const ww_arora_setting *setting, double quadratic_form,
                                     double lambda_min);
/// AR lemma 5.4: bound on the empirical Rademacher complexity of the networks whose rows moved by
/// at most `row_movement` R and which moved by at most `distance` D in all: with tail = 2 log(2 /
/// delta) / (independent units),
///   sqrt(S) X [D / sqrt(2 n) (sqrt(1 + slope^2) + sqrt(1 - slope^2) tail^(1/4))
///              + (1 - slope) (2 R^2 sqrt(m) / kappa + R sqrt(m tail))].
double ww_arora_rademacher_bound(const ww_arora_setting *setting, double distance,
                                 double row_movement);
/// AR lemma 5.3, constant 1: n X sqrt(B) / (sqrt(m S) lambda_0 sqrt(delta)) bounds every row's
/// movement.
double ww_arora_row_movement_bound(const ww_arora_setting *setting, double lambda_min);
/// AR theorem 3.1, constants 1: the width n^6 X^6 B / (S lambda_0^4 kappa^2 delta^3) that it asks
/// for: such that H moves by less than lambda_0 while rows move as far as lemma 5.3 lets them.
double ww_arora_width(const ww_arora_setting *setting, double lambda_min);

#endif
