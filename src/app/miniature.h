/// A training without a file, to see how long its steps and records take.
#ifndef WIDTHWISE_APP_MINIATURE_H
#define WIDTHWISE_APP_MINIATURE_H

#include "widthwise/measure.h"
#include "widthwise/train.h"

/// Starts as zeroes. Must stay where it is from ww_miniature_begin on.
typedef struct ww_miniature {
    const ww_parallel *parallel;
    ww_config config; ///< a copy that shares all pointers
    const ww_dataset *data;
    ww_measure_plan *plan;
    ww_problem problem;
    ww_engine *engine;
    ww_origin *origin;
    ww_batches *batches;
    double *carry, *values;
} ww_miniature;

/// What is to be trained, in `problem`, where it may still be changed. `data` and `parallel` are
/// borrowed. Collective. Free with ww_miniature_end, also after a failure.
ww_status ww_miniature_begin(const ww_config *config, const ww_dataset *data,
                             const ww_parallel *parallel, ww_miniature *self, ww_error *error);

/// The engine with its initial weights, and all else that steps and records take. WW_FAILED: memory
/// is short. Collective.
ww_status ww_miniature_make(ww_miniature *self, ww_error *error);

/// A record of what the configuration measures, at the step at hand; its values go nowhere. Errors
/// of ww_measure_record. Collective.
ww_status ww_miniature_record(ww_miniature *self, ww_error *error);

void ww_miniature_end(ww_miniature *self);

#endif
