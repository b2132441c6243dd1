/// The Gram matrix of a member's train set: from the file or computed, into the file, and what
/// follows from it along a trajectory.
#ifndef WIDTHWISE_APP_GRAM_H
#define WIDTHWISE_APP_GRAM_H

#include "app/results.h"
#include "widthwise/gram_analysis.h"

/// What a trajectory is compared with. Starts as zeroes but for what is said to be given.
typedef struct ww_app_course_of_gram {
    int64_t rows;            ///< given, records that there are
    const int64_t *steps;    ///< given, [rows]
    bool follows_outputs;    ///< given, train_outputs were measured
    double *deviation_limit; ///< given, room [rows]
    double *deviation_initial;
    double *test_outputs; ///< given, room [test samples, k]
    double test_absolute_error, test_error;
} ww_app_course_of_gram;

/// Brings what the file has of the Gram matrix up to date, and leaves its values in `work`, which
/// the caller made; with `course` (may be NULL) computes what follows along it too. Collective.
ww_status ww_app_gram(const ww_app_results *results, ww_gram_work *work,
                      ww_app_course_of_gram *course, ww_error *error);

/// Distances of H(t) at the snapshots from the limit, `values` [4, snapshots]: Frobenius norm,
/// spectral norm, lambda_min and lambda_max of H(t); NaN where a snapshot was not taken.
/// Collective.
ww_status ww_app_gram_at_snapshots(const ww_app_results *self, ww_gram_work *work, double *values,
                                   ww_error *error);

#endif
