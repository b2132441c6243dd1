// What descent on a fixed kernel says: on the test set, and beside the outputs of a run.
#include "widthwise/gram_analysis.h"

#include "widthwise/descent.h"
#include "widthwise/memory.h"

#include <math.h>
#include <stdlib.h>

// Records whose outputs are predicted by one product.
enum { RECORD_CHUNK = 32 };

// Mean over test samples of the l1 distance of outputs and targets, as the trajectory's
// test_absolute_error, and the share of wrong classes, which may be NULL.
static void judge_test(const ww_gram_work *work, const double *outputs, double *absolute_error,
                       double *error_share)
{
    const ww_samples *test = &work->problem->data->test;
    const int64_t k = work->plan->outputs;
    double sum = 0.0;
    int64_t wrong = 0;
    for (int64_t i = 0; i < test->count; i++) {
        const double *u = outputs + i * k;
        const bool has_targets = work->problem->data->has_targets;
        bool is_right = !has_targets ||
                        work->problem->loss->correct(u, k, ww_target_of(work->problem, test, i));
        for (int64_t j = 0; j < k; j++) {
            const double y =
                has_targets ? test->targets[i * k + j] : ww_target_of_label(test->labels[i], k, j);
            sum += fabs(u[j] - y);
            if (!has_targets)
                is_right = is_right && (k == 1 ? u[0] * y > 0.0
                                               : j == test->labels[i] || u[test->labels[i]] > u[j]);
        }
        wrong += !is_right;
    }
    *absolute_error = sum / (double)test->count;
    if (error_share != NULL)
        *error_share = (double)wrong / (double)test->count;
}

static ww_status apply_to_test(const ww_gram_work *work, const double *coefficients,
                               double *outputs, ww_error *error)
{
    const ww_dataset *data = work->problem->data;
    return ww_kernel_apply(&work->plan->kernel, data->test.inputs, data->test.count,
                           data->train.inputs, data->train.count, data->dimension, coefficients,
                           work->plan->outputs, work->problem->parallel, outputs, error);
}

ww_status ww_gram_take_test(ww_gram_work *work, ww_error *error)
{
    double *outputs = ww_gram_values(work->plan, work->values, WW_GRAM_LIMIT_TEST_OUTPUTS);
    WW_TRY(apply_to_test(work, work->solution, outputs, error));
    judge_test(work, outputs,
               ww_gram_values(work->plan, work->values, WW_GRAM_LIMIT_TEST_ABSOLUTE_ERROR),
               ww_gram_values(work->plan, work->values, WW_GRAM_LIMIT_TEST_ERROR));
    return WW_OK;
}

// Room and projections of one course.
typedef struct course {
    int64_t samples, outputs;
    double *projections;  // [n, k], V'(y - start), with signs
    double *coefficients; // [n, k RECORD_CHUNK]
    double *predicted;    // [n, k RECORD_CHUNK]
    double *measured;     // [n, k]
} course;

static void course_free(course *self)
{
    free(self->projections);
    free(self->coefficients);
    free(self->predicted);
    free(self->measured);
}

static ww_status course_create(const ww_gram_work *work, const ww_spectrum *spectrum,
                               const double *start, course *self, ww_error *error)
{
    const int64_t n = work->plan->samples;
    const int64_t k = work->plan->outputs;
    const size_t values = (size_t)(n * k);
    const char *what = "predicted outputs";
    *self = (course){.samples = n, .outputs = k};
    self->projections = ww_allocate(values, sizeof *self->projections, what, error);
    self->coefficients =
        ww_allocate(values * RECORD_CHUNK, sizeof *self->coefficients, what, error);
    self->predicted = ww_allocate(values * RECORD_CHUNK, sizeof *self->predicted, what, error);
    self->measured = ww_allocate(values, sizeof *self->measured, what, error);
    const bool has_room = self->projections != NULL && self->coefficients != NULL &&
                          self->predicted != NULL && self->measured != NULL;
    WW_TRY(ww_agree(work->problem->parallel, has_room ? WW_OK : WW_FAILED, error));
    const double *labels =
        ww_gram_values(work->plan, work->values, WW_GRAM_LABELS + WW_LABEL_SET_TRAIN);
    for (size_t i = 0; i < values; i++)
        self->measured[i] = labels[i] - (start != NULL ? start[i] : 0.0);
    return ww_spectrum_project(spectrum, self->measured, k, self->projections, error);
}

// Outputs after each of `count` numbers of steps, less those at the start, into `predicted`
// [n, k count].
static ww_status predict(course *self, const ww_spectrum *spectrum, double rate, int64_t count,
                         const int64_t *steps, ww_error *error)
{
    const int64_t k = self->outputs;
    for (int64_t j = 0; j < self->samples; j++)
        for (int64_t r = 0; r < count; r++) {
            const double learnt = ww_descent_learnt(rate, spectrum->values[j], steps[r]);
            for (int64_t o = 0; o < k; o++)
                self->coefficients[(j * count + r) * k + o] = learnt * self->projections[j * k + o];
        }
    return ww_spectrum_combine(spectrum, self->coefficients, k * count, self->predicted, error);
}

static double distance_of(const course *self, const double *start, int64_t record, int64_t count)
{
    const int64_t k = self->outputs;
    double sum = 0.0;
    for (int64_t i = 0; i < self->samples; i++)
        for (int64_t o = 0; o < k; o++) {
            const double origin = start != NULL ? start[i * k + o] : 0.0;
            const double difference =
                self->measured[i * k + o] - origin - self->predicted[(i * count + record) * k + o];
            sum += difference * difference;
        }
    return sqrt(sum);
}

static ww_status follow(course *self, const ww_spectrum *spectrum, const double *start, double rate,
                        int64_t rows, const int64_t *steps, ww_outputs_at outputs_at, void *context,
                        double *deviation, ww_error *error)
{
    for (int64_t first = 0; first < rows; first += RECORD_CHUNK) {
        const int64_t count = rows - first < RECORD_CHUNK ? rows - first : RECORD_CHUNK;
        WW_TRY(predict(self, spectrum, rate, count, steps + first, error));
        for (int64_t r = 0; r < count; r++) {
            WW_TRY(outputs_at(context, first + r, self->measured, error));
            deviation[first + r] = distance_of(self, start, r, count);
        }
    }
    return WW_OK;
}

ww_status ww_gram_follow(ww_gram_work *work, const ww_spectrum *spectrum, const double *start,
                         double rate, int64_t rows, const int64_t *steps, ww_outputs_at outputs_at,
                         void *context, double *deviation, ww_error *error)
{
    course self;
    ww_status status = course_create(work, spectrum, start, &self, error);
    if (status == WW_OK)
        status = follow(&self, spectrum, start, rate, rows, steps, outputs_at, context, deviation,
                        error);
    course_free(&self);
    return status;
}

// H^-1 (I - (I - eta H)^t) y = V diag(learnt_j / lambda_j) V' y; as lambda goes to 0 the factor
// goes to eta t.
static void divide_by_kernel(course *self, const ww_spectrum *spectrum, double rate, int64_t steps)
{
    const int64_t k = self->outputs;
    for (int64_t j = 0; j < self->samples; j++) {
        const double eigenvalue = spectrum->values[j];
        const double factor = eigenvalue > 0.0
                                  ? ww_descent_learnt(rate, eigenvalue, steps) / eigenvalue
                                  : rate * (double)steps;
        for (int64_t o = 0; o < k; o++)
            self->coefficients[j * k + o] = factor * self->projections[j * k + o];
    }
}

ww_status ww_gram_predict_test(ww_gram_work *work, const ww_spectrum *spectrum, double rate,
                               int64_t steps, double *outputs, double *absolute_error,
                               double *error_share, ww_error *error)
{
    course self;
    ww_status status = course_create(work, spectrum, NULL, &self, error);
    if (status == WW_OK) {
        divide_by_kernel(&self, spectrum, rate, steps);
        status =
            ww_spectrum_combine(spectrum, self.coefficients, self.outputs, self.predicted, error);
    }
    if (status == WW_OK)
        status = apply_to_test(work, self.predicted, outputs, error);
    if (status == WW_OK)
        judge_test(work, outputs, absolute_error, error_share);
    course_free(&self);
    return status;
}
