#include "app/miniature.h"

#include "widthwise/memory.h"

#include <stdlib.h>

ww_status ww_miniature_begin(const ww_config *config, const ww_dataset *data,
                             const ww_parallel *parallel, ww_miniature *self, ww_error *error)
{
    *self = (ww_miniature){.parallel = parallel, .config = *config, .data = data};
    WW_TRY(
        ww_agree(parallel, ww_measure_plan_make(&self->config, data, &self->plan, error), error));
    return ww_problem_make(&self->config, data, parallel, &self->problem, error);
}

ww_status ww_miniature_make(ww_miniature *self, ww_error *error)
{
    WW_TRY(ww_engine_create(&self->problem, &self->engine, error));
    WW_TRY(ww_origin_create(self->plan, &self->problem, self->engine, &self->origin, error));
    const size_t values =
        (size_t)(ww_measure_values(self->plan) + ww_measure_final_values(self->plan));
    ww_status status = ww_batches_create(&self->problem, &self->batches, error);
    self->carry =
        ww_allocate(ww_measure_carry_count(self->plan), sizeof(double), "carried values", error);
    self->values = ww_allocate(values, sizeof(double), "the values of a record", error);
    if (self->carry == NULL || self->values == NULL)
        status = WW_FAILED;
    if (status == WW_OK)
        ww_measure_carry_start(self->plan, self->carry);
    return ww_agree(self->parallel, status, error);
}

ww_status ww_miniature_record(ww_miniature *self, ww_error *error)
{
    return ww_measure_record(self->plan, &self->problem, self->origin, self->engine, self->batches,
                             self->carry, self->values, error);
}

void ww_miniature_end(ww_miniature *self)
{
    ww_origin_free(self->origin);
    ww_engine_free(self->engine);
    ww_batches_free(self->batches);
    ww_measure_plan_free(self->plan);
    free(self->carry);
    free(self->values);
    *self = (ww_miniature){0};
}
