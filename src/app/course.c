#include "app/course.h"

#include "app/profile.h"
#include "widthwise/memory.h"

#include <math.h>
#include <stdlib.h>

static ww_status make_course(const char *path, const ww_app_member *member, const ww_config *config,
                             const ww_dataset *data, const ww_parallel *parallel, ww_course *course,
                             ww_error *error)
{
    *course = (ww_course){.member = member, .config = config, .data = data, .parallel = parallel};
    course->carry =
        ww_allocate(member->layout.carry_count, sizeof *course->carry, "carried values", error);
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

ww_status ww_course_create(const char *path, const ww_app_member *member, const ww_config *config,
                           const ww_dataset *data, const ww_parallel *parallel, ww_course *course,
                           ww_error *error)
{
    const int before = ww_phase_enter(parallel->profile, WW_PHASE_WEIGHTS);
    return ww_phase_done(parallel->profile, before,
                         make_course(path, member, config, data, parallel, course, error));
}

size_t ww_course_carry_count(const ww_measure_plan *plan, const ww_problem *problem)
{
    return ww_measure_carry_count(plan) + ww_engine_carry_words(problem);
}

static double *tally_words(const ww_course *course)
{
    return course->carry + ww_measure_carry_count(course->member->plan);
}

ww_status ww_course_begin(ww_course *course, ww_error *error)
{
    ww_engine_free(course->engine);
    course->engine = NULL;
    course->recorded = -1;
    course->rest = (ww_rest){0};
    ww_measure_carry_start(course->member->plan, course->carry);
    ww_origin_free(course->origin);
    course->origin = NULL;
    ww_profile *profile = course->parallel->profile;
    int before = ww_phase_enter(profile, WW_PHASE_WEIGHTS);
    WW_TRY(
        ww_phase_done(profile, before, ww_engine_create(&course->problem, &course->engine, error)));
    before = ww_phase_enter(profile, WW_PHASE_MEASURING);
    return ww_phase_done(profile, before,
                         ww_origin_create(course->member->plan, &course->problem, course->engine,
                                          &course->origin, error));
}

ww_status ww_course_restored(ww_course *course, int64_t step, ww_error *error)
{
    ww_engine_carry_load(course->engine, tally_words(course));
    // A checkpoint comes after the record of its step, and before one between two of the grid.
    course->recorded = step - step % course->config->measure.every;
    return ww_engine_restored(course->engine, step, error);
}

void ww_course_save_tally(ww_course *course)
{
    ww_engine_carry_save(course->engine, tally_words(course));
}

void ww_course_free(ww_course *course)
{
    ww_batches_free(course->batches);
    ww_engine_free(course->engine);
    ww_origin_free(course->origin);
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
    return course->rest.rests || course->stopped_by != NULL ||
           ww_course_step(course) >= course->config->training.steps;
}

bool ww_course_wants_record(const ww_course *course)
{
    const bool ends =
        course->rest.rests || ww_course_step(course) == course->config->training.steps;
    return ww_course_step(course) > course->recorded && (ends || ww_course_is_record_step(course));
}

static bool stops_at_rest(const ww_course *course)
{
    return course->config->training.stop_at_rest && ww_engine_tally(course->engine) != NULL;
}

ww_status ww_course_settle(ww_course *course, ww_error *error)
{
    if (!stops_at_rest(course) || course->rest.rests)
        return WW_OK;
    const int64_t recorded = course->recorded < 0 ? 0 : course->recorded;
    const int before = ww_phase_enter(course->parallel->profile, WW_PHASE_REST);
    return ww_phase_done(course->parallel->profile, before,
                         ww_engine_rest(course->engine, recorded, &course->rest, error));
}

// Whether to find out if training is at rest: before records and snapshots, since there are none
// past the end, and when as many steps as a pass over the train set, or twice, four times, ... as
// many have changed nothing.
static bool is_to_settle(const ww_course *course)
{
    const int64_t step = ww_course_step(course);
    if (!stops_at_rest(course))
        return false;
    if (ww_course_is_record_step(course) || step == course->config->training.steps)
        return true;
    const ww_integer_list *snapshots = &course->config->measure.snapshots;
    for (size_t i = 0; i < snapshots->count; i++)
        if (snapshots->values[i] == step)
            return true;
    const int64_t quiet = step - ww_engine_tally(course->engine)->last_change;
    const int64_t batch = course->problem.batch;
    const int64_t samples = course->data->train.count;
    const int64_t pass = samples / batch + (samples % batch != 0);
    const int64_t passes = quiet / pass;
    return passes > 0 && quiet % pass == 0 && (passes & (passes - 1)) == 0;
}

ww_status ww_course_record(ww_course *course, ww_error *error)
{
    const ww_measure_plan *plan = course->member->plan;
    const int before = ww_phase_enter(course->parallel->profile, WW_PHASE_MEASURING);
    WW_TRY(ww_phase_done(course->parallel->profile, before,
                         ww_measure_record(plan, &course->problem, course->origin, course->engine,
                                           course->batches, course->carry, course->values, error)));
    course->has_values = true;
    course->recorded = ww_course_step(course);
    course->stopped_by = ww_measure_stop(plan, course->config, course->values);
    return WW_OK;
}

static bool all_finite(const double *values, int64_t count)
{
    bool finite = true;
    for (int64_t i = 0; i < count; i++)
        finite &= isfinite(values[i]) != 0;
    return finite;
}

ww_status ww_course_check_weights(const ww_course *course, ww_error *error)
{
    const ww_problem *problem = &course->problem;
    const ww_tiling *tiling = &problem->tiling;
    bool finite = all_finite(ww_engine_output_weights(course->engine),
                             tiling->local_units * problem->outputs);
    for (int64_t layer = 1; layer <= problem->depth; layer++)
        for (int64_t i = 0; i < tiling->local_tiles; i++) {
            const int64_t tile = tiling->first_tile + i;
            finite &= all_finite(ww_engine_layer_tile(course->engine, layer, tile),
                                 ww_tile_size(tiling, tile) * ww_layer_columns(problem, layer));
        }
    return ww_agree(course->parallel,
                    finite ? WW_OK
                           : ww_fail(error, WW_DIVERGED,
                                     "training diverged at step %lld: a weight is not finite; a "
                                     "smaller training.rate may help",
                                     (long long)ww_course_step(course)),
                    error);
}

ww_status ww_course_advance(ww_course *course, int64_t wish, int64_t *wished, ww_error *error)
{
    const int before = ww_phase_enter(course->parallel->profile, WW_PHASE_STEPS);
    WW_TRY(ww_phase_done(course->parallel->profile, before,
                         ww_engine_step(course->engine, wish, wished, &course->batch_loss, error)));
    return is_to_settle(course) ? ww_course_settle(course, error) : WW_OK;
}
