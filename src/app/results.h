/// What a member comes to at its end: its Gram matrix, results and predictions.
#ifndef WIDTHWISE_APP_RESULTS_H
#define WIDTHWISE_APP_RESULTS_H

#include "app/course.h"
#include "app/progress.h"
#include "widthwise/measure.h"
#include "widthwise/store.h"

/// Where results come from and go to. Pointers are borrowed.
typedef struct ww_app_results {
    const ww_app_member *member;
    const ww_problem *problem;
    const ww_parallel *parallel;
    ww_course *course; ///< at its end; NULL where the Gram matrix is all that is wanted
    ww_store *store;
    ww_progress *progress;
    /// Called before every piece that may take long: what it returns other than WW_OK ends the
    /// work.
    ww_measure_pause before;
    void *context; ///< for `before`
} ww_app_results;

/// Computes and writes all of it, and commits the run as done. What the file already has of the
/// Gram matrix is used again. Collective.
ww_status ww_app_results_write(const ww_app_results *results, ww_error *error);

/// The Gram matrix alone, committed; the state of the run stays as it is. Collective.
ww_status ww_app_gram_write(const ww_app_results *results, ww_error *error);

#endif
