// What is done with a plan: records, results, and what they cost.

#include "widthwise/measure.h"
#include "measure/origin.h"
#include "measure/plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const ww_field *ww_measure_trajectory(const ww_measure_plan *plan, size_t *count)
{
    *count = plan->quantity_count;
    return plan->trajectory;
}

int64_t ww_measure_values(const ww_measure_plan *plan)
{
    return plan->values;
}

const ww_field *ww_measure_final(const ww_measure_plan *plan, size_t *count)
{
    *count = plan->final_count;
    return plan->final;
}

int64_t ww_measure_final_values(const ww_measure_plan *plan)
{
    int64_t values = 0;
    for (size_t i = 0; i < plan->final_count; i++)
        values += ww_field_size(&plan->final[i]);
    return values;
}

size_t ww_measure_carry_count(const ww_measure_plan *plan)
{
    return plan->carry_count;
}

void ww_measure_carry_start(const ww_measure_plan *plan, double *carry)
{
    memset(carry, 0, plan->carry_count * sizeof *carry);
    carry[WW_CARRY_TARGET_STEP] = NAN;
    carry[WW_CARRY_TARGET_DISTANCE] = NAN;
    if (plan->carry_count > WW_CARRY_CONTRACTION_STEP)
        carry[WW_CARRY_CONTRACTION_STEP] = NAN;
}

const char *ww_measure_of_all_inputs(const ww_measure_plan *plan)
{
    static const unsigned OF_ALL = WW_NEED_GRADIENTS | WW_NEED_LAYER_GRADIENTS | WW_NEED_NEAREST;
    for (size_t i = 0; i < plan->quantity_count; i++)
        if (plan->quantities[i]->needs & OF_ALL)
            return plan->quantities[i]->field.name;
    for (size_t i = 0; i < plan->result_count; i++)
        if (plan->results[i]->of_all_inputs)
            return plan->results[i]->name;
    return NULL;
}

double ww_measure_value(const ww_measure_plan *plan, const double *values, const char *name)
{
    for (size_t i = 0; i < plan->quantity_count; i++)
        if (!ww_quantity_is_array(plan->quantities[i]) &&
            strcmp(plan->trajectory[i].name, name) == 0)
            return values[plan->position[i]];
    return NAN;
}

ww_status ww_measure_record(const ww_measure_plan *plan, const ww_problem *problem,
                            const ww_origin *origin, ww_engine *engine, ww_batches *batches,
                            double *carry, double *values, ww_error *error)
{
    ww_survey survey;
    const ww_status status =
        ww_survey_make(problem, origin, engine, batches, plan->needs, &survey, error);
    if (status == WW_DIVERGED)
        ww_error_prefix(error,
                        "training diverged at step %lld: ", (long long)ww_engine_steps(engine));
    if (status != WW_OK)
        return status;
    for (size_t i = 0; i < plan->quantity_count; i++) {
        if (ww_quantity_is_array(plan->quantities[i]))
            plan->quantities[i]->fill(&survey, values + plan->position[i]);
        else
            values[plan->position[i]] = plan->quantities[i]->value(&survey, carry);
    }
    ww_survey_free(&survey);
    const double accuracy = ww_measure_value(plan, values, "test_accuracy");
    const double distance = ww_measure_value(plan, values, "distance");
    if (isnan(carry[WW_CARRY_TARGET_STEP]) && accuracy >= plan->accuracy_target) {
        carry[WW_CARRY_TARGET_STEP] = (double)ww_engine_steps(engine);
        carry[WW_CARRY_TARGET_DISTANCE] = distance;
    }
    for (size_t i = 0; i < plan->quantity_count; i++)
        if (!ww_quantity_is_array(plan->quantities[i]) && !plan->quantities[i]->may_lack &&
            !isfinite(values[plan->position[i]]))
            return ww_fail(error, WW_DIVERGED,
                           "training diverged at step %lld: %s is not finite; a smaller "
                           "training.rate may help",
                           (long long)ww_engine_steps(engine), plan->quantities[i]->field.name);
    return WW_OK;
}

static bool is_reached(const ww_quantity *quantity, double value, double threshold)
{
    return quantity->direction == WW_RISES ? value >= threshold : value <= threshold;
}

const ww_stop_rule *ww_measure_stop(const ww_measure_plan *plan, const ww_config *config,
                                    const double *values)
{
    for (size_t rule = 0; rule < config->training.stop.count; rule++) {
        const ww_stop_rule *candidate = &config->training.stop.rules[rule];
        for (size_t i = 0; i < plan->quantity_count; i++) {
            if (strcmp(plan->quantities[i]->field.name, candidate->quantity) != 0)
                continue;
            const double value = values[plan->position[i]];
            if (is_reached(plan->quantities[i], value, candidate->threshold))
                return candidate;
        }
    }
    return NULL;
}

bool ww_measure_reaches(const char *name, double value, double threshold)
{
    const ww_quantity *all[WW_MOST_QUANTITIES];
    const size_t count = ww_all_quantities(all);
    for (size_t i = 0; i < count; i++)
        if (!ww_quantity_is_array(all[i]) && strcmp(all[i]->field.name, name) == 0)
            return is_reached(all[i], value, threshold);
    return false;
}

ww_status ww_measure_cost_of(const ww_measure_plan *plan, const ww_problem *problem,
                             ww_measure_cost *cost, ww_error *error)
{
    *cost = (ww_measure_cost){0};
    int64_t making = 0;
    ww_survey_cost(problem, plan->needs, &cost->record_bytes, &cost->record_flops);
    ww_origin_cost(problem, plan->needs, &cost->origin_bytes, &making);
    cost->record_bytes = making > cost->record_bytes ? making : cost->record_bytes;
    cost->record_bytes += ww_measure_values(plan) * (int64_t)sizeof(double);
    for (size_t i = 0; i < plan->result_count; i++) {
        if (plan->results[i]->cost == NULL)
            continue;
        int64_t bytes = 0; // freed before the next result begins
        double flops = 0.0;
        WW_TRY(plan->results[i]->cost(problem, &bytes, &flops, error));
        cost->final_bytes = bytes > cost->final_bytes ? bytes : cost->final_bytes;
        cost->final_flops += flops;
    }
    cost->final_bytes += ww_measure_final_values(plan) * (int64_t)sizeof(double);
    return WW_OK;
}

ww_status ww_measure_finish(const ww_measure_plan *plan, const ww_problem *problem,
                            const ww_origin *origin, ww_engine *engine, const double *carry,
                            ww_measure_pause before, void *context, double *values, ww_error *error)
{
    (void)origin;
    size_t field = 0;
    for (size_t i = 0; i < plan->result_count; i++) {
        if (before != NULL)
            WW_TRY(before(context, error));
        WW_TRY(plan->results[i]->compute(problem, engine, carry, values, error));
        for (size_t j = 0; j < plan->results[i]->field_count; j++)
            values += ww_field_size(&plan->final[field++]);
    }
    return WW_OK;
}
