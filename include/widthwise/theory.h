/// What the papers predict for a run, as pure functions of its configuration and what was measured.
#ifndef WIDTHWISE_THEORY_H
#define WIDTHWISE_THEORY_H

#include "widthwise/config.h"
#include "widthwise/data.h"
#include "widthwise/field.h"
#include "widthwise/gram_results.h"
#include "widthwise/network.h"
#include "widthwise/zou_gu.h"

#include <stdbool.h>
#include <stdint.h>

enum { WW_THEORY_FIELDS = 112 };

/// What there is to predict from.
typedef struct ww_theory_plan {
    const ww_config *config;
    int64_t records;          ///< rows that the trajectory has room for
    const ww_field *measured; ///< [measured_count], fields of the trajectory
    size_t measured_count;
    const ww_gram_plan *gram; ///< of the Gram matrix; NULL without
    int64_t dimension;        ///< d
    int64_t samples, outputs; ///< n, k
    int64_t test_samples;
} ww_theory_plan;

/// What was measured and computed. NULL for what the plan does not have.
typedef struct ww_theory_inputs {
    const ww_dataset *data;          ///< with train inputs where the plan has a Gram matrix
    int64_t rows;                    ///< records that there are
    const int64_t *steps;            ///< [rows]
    const double *const *columns;    ///< [plan's measured_count]: [rows] of each that is used
                                     ///< (ww_theory_uses); others may be NULL
    double *gram;                    ///< values of plan->gram
    const double *deviation_limit;   ///< [rows], ||u(t) - u~(t)|| for the limit's H, with outputs
    const double *deviation_initial; ///< [rows], the same for H(0) and the outputs at the start
    const ww_zou_gu_data *deep;      ///< where ww_theory_is_deep
    const double *test_outputs;      ///< [test samples, k], of the limit at the last record
    double test_absolute_error, test_error; ///< of these
} ww_theory_inputs;

/// Predictions that a run has: fills `fields` and returns their number. Those that follow the
/// trajectory have one axis of records. Together their arrays have ww_theory_values doubles. Pure.
size_t ww_theory_fields(const ww_theory_plan *plan, ww_field fields[WW_THEORY_FIELDS]);
int64_t ww_theory_values(const ww_field *fields, size_t count);

/// Whether the quantity `name` is measured. Pure.
bool ww_theory_measures(const ww_theory_plan *plan, const char *name);

/// Whether some prediction is made from the column of measured field `field`, a number at each
/// record. Pure.
bool ww_theory_uses(const ww_theory_plan *plan, size_t field);

/// Whether the run has the kernel that Arora et al. speak of: one hidden layer whose weights alone
/// are trained and begin drawn with no direction preferred, the squared loss, and its Gram matrix
/// asked for. Bounds from data and labels need no more. Pure.
bool ww_theory_has_kernel(const ww_theory_plan *plan);

/// Whether it also is what their linear predictions speak of: gradient descent on all samples.
/// Pure.
bool ww_theory_has_descent(const ww_theory_plan *plan);

/// Whether the run has the predictions of Zou & Gu: that of their preset, or one of several hidden
/// layers. Pure.
bool ww_theory_is_deep(const ww_theory_plan *plan);

/// Whether those of them that take spectra of kernels are among these: of as many samples as one
/// rank can work on beside a run, or where the Gram matrix is asked for. Pure.
bool ww_theory_takes_kernels(const ww_theory_plan *plan);

/// The predictions; records past `rows` become NaN. `values` [ww_theory_values]. Pure.
void ww_theory_compute(const ww_theory_plan *plan, const ww_theory_inputs *inputs, double *values);

/// The step of the linear predictions: that of training times what the kernel of this network is
/// larger than H (the sum of its squared output weights), divided by n where the loss is a mean.
double ww_theory_descent_rate(const ww_config *config, int64_t samples, int64_t outputs);

/// Largest curvature lambda of the train loss in W at the start, that of the infinitely wide
/// network: c m E[a^2] g^(L - 1) times the largest eigenvalue of the Gram matrix H of the samples
/// (AR section 3; of L layers the kernel of all of them, kernel.h), divided by n where the loss is
/// a mean; c bounds the second derivative of the loss by outputs, and g is what a layer multiplies
/// squared norms by, 1 for weights N(0, 2/m) and ReLU. Gradient descent with a
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

/// The setting of Brutzkus et al.: 2 h units (their k is h) with output weights +v and -v, leaky
/// ReLU of slope alpha, the hinge loss, one sample a step. Where output weights are trained, c and
/// C bound what they are multiplied by (BR equation 8); both are 1 otherwise. Inputs have norms up
/// to X, at most 1 in the paper: with longer ones the proof has X^2 wherever it has the square of
/// an input's norm, and is otherwise the same.
typedef struct ww_brutzkus_setting {
    double half_width;    ///< h
    double output_size;   ///< v
    double slope;         ///< alpha
    double rate;          ///< eta
    double radius;        ///< R, bounds the norms of rows at the start
    double input_norm;    ///< X
    double least_ratio;   ///< c
    double largest_ratio; ///< C
} ww_brutzkus_setting;

/// M_k of BR theorem 2 in full, in the form of equation (13): no more updates are made, with the
/// norm of any w that has y <w, x> >= 1 on all samples for `separator_norm`. Infinite where nothing
/// is known: without a separator, for ReLU, and for output weights that lost their sign.
double ww_brutzkus_update_bound(const ww_brutzkus_setting *setting, double separator_norm);
/// BR corollary 3 with constant 1, for R = v = 1 / sqrt(2 h): ||w||^2 / alpha^2 + ||w||^2 /
/// min(eta, sqrt(eta)).
double ww_brutzkus_update_bound_corollary(const ww_brutzkus_setting *setting,
                                          double separator_norm);
/// BR theorem 10: updates that are made at least before the loss is 0 on e_1 .. e_d with label +1,
/// from its own start: max(min(B1, B2), d), as the proof has B1 and B2 (src/theory/brutzkus.c).
/// The norms of its separator and its inputs are sqrt(d) and 1; slope above 0, c = C = 1.
double ww_brutzkus_update_lower_bound(const ww_brutzkus_setting *setting, int64_t dimension);
/// BR equation (11): sqrt(G(0)^2 + t (2 h eta^2 C^2 v^2 X^2 + 2 eta)) bounds the norm of the
/// weights after `updates` t, from `start` G(0).
double ww_brutzkus_norm_bound(const ww_brutzkus_setting *setting, double start, double updates);
/// BR equation (12): F(0) + 2 h eta c v alpha t, below which <W, W*> does not stay; -infinity where
/// output weights lost their sign.
double ww_brutzkus_alignment_bound(const ww_brutzkus_setting *setting, double start,
                                   double updates);
/// BR theorem 5: L + sqrt(L 4 c log(n / delta) / n) + 8 c log(n / delta) / n bounds the share of
/// errors on new samples, with c = `updates` and L = `unused_error`, the share of errors among the
/// samples of which no update was made. NaN where the theorem does not apply, for n < 2 c.
double ww_brutzkus_compression_bound(int64_t samples, double updates, double unused_error,
                                     double failure_probability);
/// BR theorem 6: 8 c log(n / delta) / n, likewise.
double ww_brutzkus_compression_bound_at_rest(int64_t samples, double updates,
                                             double failure_probability);
/// BR theorem 9, with ReLU on e_1 .. e_d: the probability (1 - 2^-h)^d that on each of them some
/// unit of the right half is active at the start, in which case training ends at loss 0.
double ww_brutzkus_success_probability(double half_width, int64_t dimension);
/// Its thresholds: up to log2(d / -ln delta) for h training fails with probability 1 - delta at
/// least, from log2(2 d / delta) on it does not; the proof shows that from log2(d / delta) on.
double ww_brutzkus_units_failure(int64_t dimension, double failure_probability);
double ww_brutzkus_units_success(int64_t dimension, double failure_probability);
double ww_brutzkus_units_success_proof(int64_t dimension, double failure_probability);
/// Its bound on the number of updates, with weights of at most C at the start: ceil(d N) with N =
/// max(C, 1 / v) / (eta v), which is the paper's ceil(max(d C, d) / eta) for v = 1.
double ww_brutzkus_iteration_cap(const ww_brutzkus_setting *setting, int64_t dimension,
                                 double largest_weight);
/// d ceil(N): an update adds eta v on one coordinate, and each coordinate has a whole number of
/// them.
double ww_brutzkus_iteration_cap_whole(const ww_brutzkus_setting *setting, int64_t dimension,
                                       double largest_weight);

#endif
