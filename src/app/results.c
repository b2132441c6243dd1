#include "app/results.h"

#include "app/gram.h"
#include "app/profile.h"
#include "widthwise/memory.h"
#include "widthwise/theory.h"

#include <stdlib.h>

// What is collected for the predictions. Starts as zeroes.
typedef struct collected {
    ww_theory_inputs inputs;
    ww_gram_work work;
    ww_app_course_of_gram course;
    int64_t *steps;         // [rows]
    const double **columns; // [fields of the trajectory]: those that predictions are made from
    double *numbers;        // [columns in use, rows]
    double *values;         // of the predictions
    ww_zou_gu_data deep;    // where the run has predictions of deep networks
} collected;

static void collected_free(collected *self)
{
    ww_gram_work_free(&self->work);
    free(self->steps);
    free(self->columns);
    free(self->numbers);
    free(self->course.deviation_limit);
    free(self->course.deviation_initial);
    free(self->course.test_outputs);
    free(self->values);
}

static size_t columns_in_use(const ww_theory_plan *plan)
{
    size_t count = 0;
    for (size_t i = 0; i < plan->measured_count; i++)
        count += ww_theory_uses(plan, i);
    return count;
}

static ww_status allocate(const ww_app_results *results, collected *self, ww_error *error)
{
    const ww_app_member *member = results->member;
    const ww_member_layout *layout = &member->layout;
    const size_t rows = (size_t)ww_store_rows(results->store);
    const bool has_gram = member->gram != NULL;
    const size_t outputs =
        has_gram ? (size_t)(member->gram->test_samples * member->gram->outputs) : 0;
    const size_t values = (size_t)ww_theory_values(layout->theory, layout->theory_count);
    const char *what = "the predictions";
    self->steps = ww_allocate(rows, sizeof *self->steps, what, error);
    self->columns = ww_allocate(layout->trajectory_count, sizeof *self->columns, what, error);
    self->numbers = ww_allocate(columns_in_use(&member->theory_plan), rows * sizeof *self->numbers,
                                what, error);
    self->course.deviation_limit =
        ww_allocate(has_gram ? rows : 0, sizeof *self->course.deviation_limit, what, error);
    self->course.deviation_initial =
        ww_allocate(has_gram ? rows : 0, sizeof *self->course.deviation_initial, what, error);
    self->course.test_outputs =
        ww_allocate(outputs, sizeof *self->course.test_outputs, what, error);
    self->values = ww_allocate(values, sizeof *self->values, what, error);
    const bool has_room = self->steps != NULL && self->columns != NULL && self->numbers != NULL &&
                          self->course.deviation_limit != NULL &&
                          self->course.deviation_initial != NULL &&
                          self->course.test_outputs != NULL && self->values != NULL;
    return ww_agree(results->parallel, has_room ? WW_OK : WW_FAILED, error);
}

static ww_status read_columns(const ww_app_results *results, collected *self, ww_error *error)
{
    const ww_theory_plan *plan = &results->member->theory_plan;
    double *column = self->numbers;
    for (size_t i = 0; i < plan->measured_count; i++) {
        if (!ww_theory_uses(plan, i))
            continue;
        WW_TRY(ww_store_read_scalar(results->store, i, column, error));
        self->columns[i] = column;
        column += self->inputs.rows;
    }
    return WW_OK;
}

static ww_status collect(const ww_app_results *results, collected *self, ww_error *error)
{
    const ww_app_member *member = results->member;
    WW_TRY(allocate(results, self, error));
    ww_theory_inputs *inputs = &self->inputs;
    *inputs = (ww_theory_inputs){.data = results->problem->data,
                                 .rows = ww_store_rows(results->store),
                                 .steps = self->steps,
                                 .columns = self->columns};
    WW_TRY(ww_store_read_steps(results->store, self->steps, error));
    WW_TRY(read_columns(results, self, error));
    if (ww_theory_is_deep(&member->theory_plan)) {
        if (results->before != NULL)
            WW_TRY(results->before(results->context, error));
        WW_TRY(ww_zou_gu_measure(member->config, inputs->data, results->parallel,
                                 ww_theory_takes_kernels(&member->theory_plan), &self->deep,
                                 error));
        inputs->deep = &self->deep;
    }
    if (member->gram == NULL)
        return WW_OK;
    self->course.rows = inputs->rows;
    self->course.steps = self->steps;
    self->course.follows_outputs = ww_theory_measures(&member->theory_plan, "train_outputs");
    const int before = ww_phase_enter(results->parallel->profile, WW_PHASE_GRAM);
    WW_TRY(ww_gram_work_create(member->gram, results->problem, &self->work, error));
    WW_TRY(ww_app_gram(results, &self->work,
                       ww_theory_has_descent(&member->theory_plan) ? &self->course : NULL, error));
    ww_phase_leave(results->parallel->profile, before);
    inputs->gram = self->work.values;
    inputs->deviation_limit = self->course.deviation_limit;
    inputs->deviation_initial = self->course.deviation_initial;
    inputs->test_outputs = self->course.test_outputs;
    inputs->test_absolute_error = self->course.test_absolute_error;
    inputs->test_error = self->course.test_error;
    return WW_OK;
}

static ww_status write_theory(const ww_app_results *results, collected *self, ww_error *error)
{
    const ww_member_layout *layout = &results->member->layout;
    ww_theory_compute(&results->member->theory_plan, &self->inputs, self->values);
    const double *position = self->values;
    const int before = ww_phase_enter(results->parallel->profile, WW_PHASE_WRITING);
    for (size_t i = 0; i < layout->theory_count; i++) {
        WW_TRY(ww_store_write_theory(results->store, i, position, error));
        position += ww_field_size(&layout->theory[i]);
    }
    ww_phase_leave(results->parallel->profile, before);
    return WW_OK;
}

// Results of the run, and behind them those of the Gram matrix at snapshots.
static ww_status write_final(const ww_app_results *results, collected *self, ww_error *error)
{
    const ww_app_member *member = results->member;
    const ww_member_layout *layout = &member->layout;
    const int64_t own = ww_measure_final_values(member->plan);
    const int64_t count = own + 4 * (int64_t)layout->snapshot_count;
    double *values = ww_allocate((size_t)count, sizeof *values, "the results", error);
    ww_status status = ww_agree(results->parallel, values != NULL ? WW_OK : WW_FAILED, error);
    if (status == WW_OK)
        status = ww_measure_finish(member->plan, &results->course->problem, results->course->origin,
                                   results->course->engine, results->course->carry, results->before,
                                   results->context, values, error);
    if (status == WW_OK && ww_app_has_gram_at_snapshots(member)) {
        const int around = ww_phase_enter(results->parallel->profile, WW_PHASE_GRAM);
        status = ww_app_gram_at_snapshots(results, &self->work, values + own, error);
        ww_phase_leave(results->parallel->profile, around);
    }
    const double *position = values;
    const int before = ww_phase_enter(results->parallel->profile, WW_PHASE_WRITING);
    for (size_t i = 0; i < layout->final_count && status == WW_OK; i++) {
        status = ww_store_write_final(results->store, i, position, error);
        position += ww_field_size(&layout->final[i]);
    }
    ww_phase_leave(results->parallel->profile, before);
    free(values);
    return status;
}

ww_status ww_app_results_write(const ww_app_results *results, ww_error *error)
{
    collected self = {.values = NULL};
    ww_profile *profile = results->parallel->profile;
    const int around = ww_phase_enter(profile, WW_PHASE_RESULTS);
    ww_status status = collect(results, &self, error);
    if (status == WW_OK)
        status = write_final(results, &self, error);
    if (status == WW_OK)
        status = write_theory(results, &self, error);
    (void)ww_phase_enter(profile, WW_PHASE_WRITING);
    if (status == WW_OK)
        status = ww_store_finish(results->store, WW_RUN_DONE, "", error);
    ww_phase_leave(profile, around);
    collected_free(&self);
    return status;
}

ww_status ww_app_gram_write(const ww_app_results *results, ww_error *error)
{
    ww_gram_work work = {.plan = NULL};
    const int before = ww_phase_enter(results->parallel->profile, WW_PHASE_GRAM);
    ww_status status = ww_gram_work_create(results->member->gram, results->problem, &work, error);
    if (status == WW_OK)
        status = ww_app_gram(results, &work, NULL, error);
    ww_gram_work_free(&work);
    ww_phase_leave(results->parallel->profile, before);
    return status;
}
