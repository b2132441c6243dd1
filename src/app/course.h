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
    ww_origin *origin; ///< what is known of t = 0
    ww_batches *batches;
    double *carry;                  ///< [carry count] of what is measured, then the engine's tally
    double *values;                 ///< [values of a record], those of the last one
    bool has_values;                ///< there was a record
    const ww_stop_rule *stopped_by; ///< that the last record fulfilled
    double batch_loss;              ///< of the last step
    int64_t recorded;               ///< step of the last record, -1 without one
    ww_rest rest;                   ///< as last found, where the configuration stops at rest
} ww_course;

/// Makes everything, weights of step 0 included, for a member of the file `path`. `course` must
/// stay where it is. Collective. Free with ww_course_free, also after a failure.
ww_status ww_course_create(const char *path, const ww_app_member *member, const ww_config *config,
                           const ww_dataset *data, const ww_parallel *parallel, ww_course *course,
                           ww_error *error);
void ww_course_free(ww_course *course);

/// Doubles of `carry`, as of a checkpoint. Pure.
size_t ww_course_carry_count(const ww_measure_plan *plan, const ww_problem *problem);

/// Goes back to step 0: the initial weights, nothing carried. Collective.
ww_status ww_course_begin(ww_course *course, ww_error *error);

/// The storage of the engine and `carry` hold what a checkpoint of `step` had: goes on from there.
/// Collective.
ww_status ww_course_restored(ww_course *course, int64_t step, ww_error *error);

/// Brings the tally in `carry` up to date, for a checkpoint. Not collective.
void ww_course_save_tally(ww_course *course);

/// Where the configuration stops at rest: finds out whether training is at rest, before anything is
/// measured at the step at hand; if so it is over, at the step since which the weights are as they
/// are, or that of the last record where that is later. ww_course_advance asks at steps that follow
/// from the step and the last one that changed weights, whoever looks in between; to be called
/// besides before the first step and after a restart. Collective.
ww_status ww_course_settle(ww_course *course, ww_error *error);

/// Steps made so far.
int64_t ww_course_step(const ww_course *course);
/// Whether the step at hand is one of the grid of records.
bool ww_course_is_record_step(const ww_course *course);
/// Whether all steps are made, a stop rule is fulfilled, or training is at rest.
bool ww_course_is_over(const ww_course *course);

/// Whether there is still to be a record of the step at hand: on the grid, and where all steps are
/// made or training is at rest also between two of the grid.
bool ww_course_wants_record(const ww_course *course);

/// Measures at the step at hand, into `values`. Errors of ww_measure_record. Collective.
ww_status ww_course_record(ww_course *course, ww_error *error);

/// WW_DIVERGED: a weight is not finite, which the next step would find out, but a checkpoint before
/// it should not have. Collective.
ww_status ww_course_check_weights(const ww_course *course, ww_error *error);

/// Makes a step. Errors and wishes of ww_engine_step. Collective.
ww_status ww_course_advance(ww_course *course, int64_t wish, int64_t *wished, ww_error *error);

#endif
