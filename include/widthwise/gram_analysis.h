/// Computing what is kept of the Gram matrix, piece by piece, so that a job can end between pieces.
///
/// H itself is only there while a piece works on it: it is filled anew for each. Pieces that put
/// their values among those of the plan are named `take`. All functions are collective.
#ifndef WIDTHWISE_GRAM_ANALYSIS_H
#define WIDTHWISE_GRAM_ANALYSIS_H

#include "widthwise/gram.h"
#include "widthwise/gram_results.h"
#include "widthwise/train.h"

/// Starts as zeroes. Pointers that are not said to be owned are borrowed.
typedef struct ww_gram_work {
    const ww_gram_plan *plan;
    const ww_problem *problem;
    ww_grid grid;
    ww_gram_limit limit;     ///< H
    ww_gram_network network; ///< H(0)
    double *tile_room;       ///< owned, [tile units, d]: weights drawn again
    double *values;          ///< owned, [plan->values]
    double *solution;        ///< owned, [n, k], H^-1 y of the labels trained on; once it is taken
    double *start_outputs;   ///< owned, [n, k], u(0); where H(0) is looked at
    double difference_residual; ///< of the eigenvalue behind initial_spectral_difference
} ww_gram_work;

/// Makes the grid of ranks and all room. WW_USAGE: a grid that the ranks do not fill. Free with
/// ww_gram_work_free, also after a failure.
ww_status ww_gram_work_create(const ww_gram_plan *plan, const ww_problem *problem,
                              ww_gram_work *work, ww_error *error);
void ww_gram_work_free(ww_gram_work *work);

/// What does not need H: labels, coincident samples, separation.
ww_status ww_gram_take_samples(ww_gram_work *work, ww_error *error);

/// What solves give: both ends of the spectrum, worst-case labels, quadratic forms, complexity.
/// Needs the labels.
ww_status ww_gram_take_solution(ww_gram_work *work, ww_error *error);

/// What the infinitely wide network says on the test set. Needs the solution.
ww_status ww_gram_take_test(ww_gram_work *work, ww_error *error);

/// The spectrum of H, or of H(0), with vectors where the plan has them.
ww_status ww_gram_limit_spectrum(ww_gram_work *work, ww_spectrum *spectrum, ww_error *error);
ww_status ww_gram_initial_spectrum(ww_gram_work *work, ww_spectrum *spectrum, ww_error *error);

/// Eigenvalues and projections of all labels. Needs labels, the worst-case ones included; residual
/// and orthogonality stay as they are where the spectrum does not know its own.
ww_status ww_gram_take_spectrum(ww_gram_work *work, const ww_spectrum *spectrum, ww_error *error);

/// What is known of H(0) from its spectrum.
ww_status ww_gram_take_initial(ww_gram_work *work, const ww_spectrum *spectrum, ww_error *error);

/// How far H(0) is from H.
ww_status ww_gram_take_difference(ww_gram_work *work, ww_error *error);

/// How far the network at some weights is from the limit: norms of H(t) - H, and the ends of the
/// spectrum of H(t).
typedef struct ww_gram_distance {
    double frobenius, spectral;
    double lambda_min, lambda_max;
    double spectral_residual; ///< ||(H(t) - H) v -+ spectral v||_2
    double lambda_residual;   ///< the larger one of both ends of H(t)
} ww_gram_distance;

/// `tile` gives hidden weights of this rank's tiles, [tile units, d].
ww_status ww_gram_measure_network(ww_gram_work *work,
                                  const double *(*tile)(void *context, int64_t tile), void *context,
                                  ww_gram_distance *distance, ww_error *error);

/// Outputs of the run on its train set at a record, `outputs` [n, k], the same on all ranks.
typedef ww_status (*ww_outputs_at)(void *context, int64_t row, double *outputs, ww_error *error);

/// Deviation of a trajectory from descent on the kernel of `spectrum`: ||u(t) - u~(t)||_2 over
/// samples and outputs at each of `rows` records, where u~ starts from `start` [n, k] (NULL: 0) and
/// goes to the labels trained on at `rate`. `deviation` [rows].
ww_status ww_gram_follow(ww_gram_work *work, const ww_spectrum *spectrum, const double *start,
                         double rate, int64_t rows, const int64_t *steps, ww_outputs_at outputs_at,
                         void *context, double *deviation, ww_error *error);

/// Outputs on the test set, `outputs` [test samples, k], of the infinitely wide network after
/// `steps` steps from 0, and its mean |u - y| and share of wrong classes.
ww_status ww_gram_predict_test(ww_gram_work *work, const ww_spectrum *spectrum, double rate,
                               int64_t steps, double *outputs, double *absolute_error,
                               double *error_share, ww_error *error);

/// What worst-case labels were made from.
typedef struct ww_worst_case {
    double lambda_min, lambda_max;
    double residual;  ///< ||H v - lambda_min v||_2
    bool is_singular; ///< lambda_min is rounding: no infinitely wide network learns these labels
} ww_worst_case;

/// Worst-case labels of a data set: the unit eigenvector of lambda_min of H, its largest entry
/// positive, times what data.labels.worst_case_norm says. `targets` [n], the same on all ranks.
ww_status ww_gram_worst_case(const ww_config *config, const ww_dataset *data,
                             const ww_parallel *parallel, double *targets, ww_worst_case *found,
                             ww_error *error);

#endif
