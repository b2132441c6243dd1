#include "app/course.h"

#include "widthwise/memory.h"

#include <stdlib.h>

ww_status ww_course_create(const char *path, const ww_app_member *member, const ww_config *config,
                           const ww_dataset *data, const ww_parallel *parallel, ww_course *course,
                           ww_error *error)
{
    *course = (ww_course){.member = member, .config = config, .data = data, .parallel = parallel};
    course->carry = ww_allocate(ww_measure_carry_count(member->plan), sizeof *course->carry,
                                "carried values", error);
    course->values = ww_allocate((size_t)ww_measure_values(member->plan), sizeof *course->values,
                                 "the values of a record", error);
    WW_TRY(ww_agree(parallel, course->carry != NULL && course->values != NULL ? WW_OK : WW_FAILED,
                    error));
    WW_TRY(ww_problem_make(config, data, parallel, &course->problem, error));
    WW_TRY(ww_app_start_make(path, member->index, &course->problem, &course->start, error));
    ww_app_start_give(&course->start, &course->problem);
    WW_TRY(ww_course_begin(course, error));
    return ww_agree(parallel, ww_batches_create(&course->problem, &course->batches, error), error);
}

ww_status ww_course_begin(ww_course *course, ww_error *error)
{
    ww_engine_free(course->engine);
    course->engine = NULL;
    ww_measure_carry_start(course->member->plan, course->carry);
    return ww_engine_create(&course->problem, &course->engine, error);
}

void ww_course_free(ww_course *course)
{
    ww_batches_free(course->batches);
    ww_engine_free(course->engine);
    ww_app_start_free(&course->start);
    free(course->carry);
    free(course->values);
    *course = (ww_course){0};
}

int64_t ww_course_step(const ww_course *course)
{
    return ww_engine_steps(course->engine);
}

bool ww_course_is_record_step(const ww_course *course)
{
    return ww_course_step(course) % course->config->measure.every == 0;
}

bool ww_course_is_over(const ww_course *course)
{
    return course->stopped_by != NULL || ww_course_step(course) >= course->config->training.steps;
}

bool ww_course_is_last(const ww_course *course)
{
    return ww_course_step(course) == course->config->training.steps;
}

ww_status ww_course_record(ww_course *course, ww_error *error)
{
    const ww_measure_plan *plan = course->member->plan;
    WW_TRY(ww_measure_record(plan, &course->problem, course->engine, course->batches, course->carry,
                             course->values, error));
    course->has_values = true;
    course->stopped_by = ww_measure_stop(plan, course->config, course->values);
    return WW_OK;
}

ww_status ww_course_advance(ww_course *course, int64_t wish, int64_t *wished, ww_error *error)
{
    return ww_engine_step(course->engine, wish, wished, &course->batch_loss, error);
}
