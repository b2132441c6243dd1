/// The course of one training: the engine, its batches, and what is measured along the way. It
/// knows nothing of files, of other trainings, or of why it might be ended early.
#ifndef WIDTHWISE_APP_COURSE_H
#define WIDTHWISE_APP_COURSE_H

#include "app/member.h"
#include "app/start.h"
#include "widthwise/measure.h"
#include "widthwise/train.h"

#include <stdbool.h>
#include <stdint.h>

/// Starts as zeroes. Pointers above `problem` are borrowed.
typedef struct ww_course {
    const ww_app_member *member;
    const ww_config *config; ///< that of the member, or of one of its replicas
    const ww_dataset *data;
    const ww_parallel *parallel;
    ww_problem problem;
    ww_app_start start; ///< weights at t = 0 that are held
    ww_engine *engine;
    ww_batches *batches;
    double *carry;                  ///< [carry count]
    double *values;                 ///< [values of a record], those of the last one
    bool has_values;                ///< there was a record
    const ww_stop_rule *stopped_by; ///< that the last record fulfilled
    double batch_loss;              ///< of the last step
} ww_course;

/// Makes everything, weights of step 0 included, for a member of the file `path`. `course` must
/// stay where it is. Collective. Free with ww_course_free, also after a failure.
ww_status ww_course_create(const char *path, const ww_app_member *member, const ww_config *config,
                           const ww_dataset *data, const ww_parallel *parallel, ww_course *course,
                           ww_error *error);
void ww_course_free(ww_course *course);

/// Goes back to step 0: the initial weights, nothing carried. Collective.
ww_status ww_course_begin(ww_course *course, ww_error *error);

/// Steps made so far.
int64_t ww_course_step(const ww_course *course);
/// Whether the step at hand is one of the grid of records.
bool ww_course_is_record_step(const ww_course *course);
/// Whether all steps are made, or a stop rule is fulfilled.
bool ww_course_is_over(const ww_course *course);

/// Whether all steps are made: then there is a record also between two of the grid.
bool ww_course_is_last(const ww_course *course);

/// Measures at the step at hand, into `values`. Errors of ww_measure_record. Collective.
ww_status ww_course_record(ww_course *course, ww_error *error);

/// Makes a step. Errors and wishes of ww_engine_step. Collective.
ww_status ww_course_advance(ww_course *course, int64_t wish, int64_t *wished, ww_error *error);

#endif
