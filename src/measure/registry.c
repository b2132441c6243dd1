// The registry of quantities, and the plan that a configuration makes of it.

#include "widthwise/measure.h"

#include "measure/quantities.h"
#include "widthwise/gram_results.h"
#include "widthwise/memory.h"
#include "widthwise/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const ww_quantity *const families[] = {
    ww_quantities_outputs,  ww_quantities_coupling, ww_quantities_movement,
    ww_quantities_gradient, ww_quantities_residual, ww_quantities_margin,
};

enum { MOST_QUANTITIES = 64, MOST_FIELDS = 64 };

struct ww_measure_plan {
    size_t quantity_count;
    const ww_quantity *quantities[MOST_QUANTITIES];
    ww_field trajectory[MOST_QUANTITIES];
    int64_t position[MOST_QUANTITIES]; // of its first value in a record
    int64_t values;                    // of a record
    size_t result_count;
    const ww_result *results[MOST_FIELDS];
    size_t final_count;
    ww_field final[MOST_FIELDS];
    unsigned needs;
    size_t carry_count;
    double accuracy_target;
};

static size_t all_quantities(const ww_quantity **quantities)
{
    size_t count = 0;
    for (size_t family = 0; family < sizeof families / sizeof families[0]; family++)
        for (const ww_quantity *entry = families[family]; entry->formula != NULL; entry++) {
            WW_ASSERT(count < MOST_QUANTITIES);
            quantities[count++] = entry;
        }
    return count;
}

static ww_status unknown_name(const ww_config *config, const char *key, const char *name,
                              const char *kind, const char *const *known, size_t count,
                              ww_error *error)
{
    char where[512];
    ww_config_where(config, key, where, sizeof where);
    const char *nearest = ww_nearest(name, known, count);
    if (nearest != NULL)
        return ww_fail(error, WW_USAGE, "%s: unknown %s `%s`; did you mean `%s`?", where, kind,
                       name, nearest);
    return ww_fail(error, WW_USAGE, "%s: unknown %s `%s`; `widthwise list %s` names them all",
                   where, kind, name, strcmp(kind, "result") == 0 ? "results" : "quantities");
}

static bool is_array(const ww_quantity *quantity)
{
    return quantity->fill != NULL;
}

// Whether `all` has it in this run.
static bool is_of_all(const ww_config *config, const ww_quantity *quantity)
{
    const bool of_hinge = quantity->needs_hinge || quantity->is_of_margins;
    return !is_array(quantity) && (!quantity->needs_targets || ww_config_has_targets(config)) &&
           (!of_hinge || config->loss == WW_LOSS_HINGE);
}

// Whether a quantity can be measured in a run that names it under `key`.
static ww_status check_quantity(const ww_config *config, const char *key,
                                const ww_quantity *quantity, ww_error *error)
{
    char where[512];
    ww_config_where(config, key, where, sizeof where);
    if (quantity->needs_targets && !ww_config_has_targets(config)) {
        char loss[512];
        ww_config_where(config, "loss", loss, sizeof loss);
        return ww_fail(error, WW_USAGE,
                       "%s: `%s` compares outputs with targets, which loss: %s has not (%s); take "
                       "it out, or set loss: squared",
                       where, quantity->field.name, ww_loss_of(config)->name, loss);
    }
    if (quantity->needs_hinge && config->loss != WW_LOSS_HINGE) {
        char loss[512];
        ww_config_where(config, "loss", loss, sizeof loss);
        return ww_fail(error, WW_USAGE,
                       "%s: `%s` is of margins and of updates that change nothing, which loss: %s "
                       "has not (%s); take it out, or set loss: hinge",
                       where, quantity->field.name, ww_loss_of(config)->name, loss);
    }
    if (is_array(quantity) && strcmp(key, "training.stop") == 0)
        return ww_fail(error, WW_USAGE,
                       "%s: `%s` is an array, and a stop rule waits for one number; name a scalar "
                       "quantity",
                       where, quantity->field.name);
    return WW_OK;
}

// Marks quantity `name` as wanted.
static ww_status want(const ww_config *config, const char *key, const char *name,
                      const ww_quantity *const *all, size_t count, bool *wanted, ww_error *error)
{
    const char *names[MOST_QUANTITIES];
    for (size_t i = 0; i < count; i++) {
        names[i] = all[i]->field.name;
        if (strcmp(name, names[i]) == 0) {
            wanted[i] = true;
            return check_quantity(config, key, all[i], error);
        }
    }
    return unknown_name(config, key, name, "quantity", names, count, error);
}

// The field as this problem has it: units and extents that follow from the configuration are filled
// in.
static ww_field resolve_field(const ww_config *config, const ww_dataset *shape,
                              const ww_field *field)
{
    const int64_t width = config->network.width;
    ww_field resolved = *field;
    if (strcmp(field->units, WW_LOSS_UNITS) == 0)
        resolved.units = ww_loss_of(config)->units;
    resolved.rank = 0;
    for (int axis = 0; axis < field->rank; axis++) {
        int64_t extent = field->extent[axis];
        if (extent == WW_EXTENT_SINGULAR)
            extent = width < shape->dimension ? width : shape->dimension;
        else if (extent == WW_EXTENT_TRAIN)
            extent = shape->train.count;
        else if (extent == WW_EXTENT_TEST)
            extent = shape->test.count;
        else if (extent == WW_EXTENT_OUTPUTS)
            extent = shape->outputs;
        if (field->extent[axis] != WW_EXTENT_OUTPUTS || extent > 1)
            resolved.extent[resolved.rank++] = extent;
    }
    return resolved;
}

static ww_status choose_results(const ww_config *config, const ww_dataset *shape,
                                ww_measure_plan *plan, ww_error *error)
{
    const char *names[MOST_FIELDS];
    bool wanted[MOST_FIELDS] = {false};
    const ww_word_list *asked = &config->measure.final;
    WW_ASSERT(ww_result_count < MOST_FIELDS);
    static const char gram[] = "gram";
    for (size_t i = 0; i < ww_result_count; i++)
        names[i] = ww_results[i].name;
    names[ww_result_count] = gram;
    for (size_t word = 0; word < asked->count; word++) {
        size_t i = 0;
        while (i < ww_result_count && strcmp(asked->words[word], names[i]) != 0)
            i++;
        if (strcmp(asked->words[word], "all") == 0)
            for (size_t j = 0; j < ww_result_count; j++)
                wanted[j] = true;
        else if (strcmp(asked->words[word], gram) == 0)
            continue; // not of the run but of its data: the file keeps it in a group of its own
        else if (i == ww_result_count)
            return unknown_name(config, "measure.final", asked->words[word], "result", names,
                                ww_result_count + 1, error);
        else
            wanted[i] = true;
    }
    for (size_t i = 0; i < ww_result_count; i++) {
        if (!wanted[i])
            continue;
        plan->results[plan->result_count++] = &ww_results[i];
        for (size_t field = 0; field < ww_results[i].field_count; field++) {
            WW_ASSERT(plan->final_count < MOST_FIELDS);
            plan->final[plan->final_count++] =
                resolve_field(config, shape, &ww_results[i].fields[field]);
        }
    }
    return WW_OK;
}

// Takes a quantity into the plan, behind those that are there.
static ww_status take_quantity(const ww_config *config, const ww_dataset *shape,
                               const ww_quantity *quantity, ww_measure_plan *plan, ww_error *error)
{
    const ww_field field = resolve_field(config, shape, &quantity->field);
    if (config->replicas > 1 && field.rank + 2 > WW_FIELD_AXES) {
        char where[512];
        ww_config_where(config, "measure.quantities", where, sizeof where);
        return ww_fail(
            error, WW_USAGE,
            "%s: `%s` has the axes sample and output (%lld outputs), which with those of "
            "records and of replicas are more than the file keeps; take it out, or set "
            "replicas: 1",
            where, field.name, (long long)shape->outputs);
    }
    int64_t size = 1;
    for (int axis = 0; axis < field.rank; axis++)
        WW_TRY(ww_multiply(size, field.extent[axis], field.name, &size, error));
    if (__builtin_add_overflow(plan->values, size, &size))
        return ww_fail(error, WW_USAGE, "a record would have more than 2^63 numbers");
    plan->quantities[plan->quantity_count] = quantity;
    plan->trajectory[plan->quantity_count] = field;
    plan->position[plan->quantity_count] = plan->values;
    plan->quantity_count++;
    plan->values = size;
    plan->needs |= quantity->needs;
    if (strcmp(field.name, "contraction") == 0)
        plan->carry_count = WW_CARRY_COUNT;
    return WW_OK;
}

static ww_status choose_quantities(const ww_config *config, const ww_dataset *shape,
                                   ww_measure_plan *plan, ww_error *error)
{
    const ww_quantity *all[MOST_QUANTITIES];
    bool wanted[MOST_QUANTITIES] = {false};
    const size_t count = all_quantities(all);
    const ww_word_list *asked = &config->measure.quantities;
    for (size_t word = 0; word < asked->count; word++) {
        if (strcmp(asked->words[word], "all") == 0)
            for (size_t i = 0; i < count; i++)
                wanted[i] = wanted[i] || is_of_all(config, all[i]);
        else
            WW_TRY(
                want(config, "measure.quantities", asked->words[word], all, count, wanted, error));
    }
    for (size_t rule = 0; rule < config->training.stop.count; rule++)
        WW_TRY(want(config, "training.stop", config->training.stop.rules[rule].quantity, all, count,
                    wanted, error));
    for (size_t result = 0; result < plan->result_count; result++)
        for (const char *const *name = plan->results[result]->requires;
             name != NULL && *name != NULL; name++)
            WW_TRY(want(config, "measure.final", *name, all, count, wanted, error));
    for (size_t i = 0; i < count; i++)
        if (wanted[i])
            WW_TRY(take_quantity(config, shape, all[i], plan, error));
    return WW_OK;
}

ww_status ww_measure_plan_make(const ww_config *config, const ww_dataset *shape,
                               ww_measure_plan **plan, ww_error *error)
{
    *plan = NULL;
    ww_measure_plan *made = ww_allocate(1, sizeof *made, "the plan of measurements", error);
    if (made == NULL)
        return WW_FAILED;
    made->accuracy_target = config->measure.accuracy_target;
    made->carry_count = WW_CARRY_FIRST_OPTIONAL;
    ww_status status = choose_results(config, shape, made, error);
    if (status == WW_OK)
        status = choose_quantities(config, shape, made, error);
    if (status != WW_OK) {
        free(made);
        return status;
    }
    *plan = made;
    return WW_OK;
}

void ww_measure_plan_free(ww_measure_plan *plan)
{
    free(plan);
}

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

double ww_measure_value(const ww_measure_plan *plan, const double *values, const char *name)
{
    for (size_t i = 0; i < plan->quantity_count; i++)
        if (!is_array(plan->quantities[i]) && strcmp(plan->trajectory[i].name, name) == 0)
            return values[plan->position[i]];
    return NAN;
}

struct ww_origin {
    const ww_problem *problem;
};

ww_status ww_origin_create(const ww_measure_plan *plan, const ww_problem *problem,
                           ww_engine *engine, ww_origin **origin, ww_error *error)
{
    (void)plan;
    (void)problem;
    (void)engine;
    (void)error;
    *origin = NULL;
    return WW_OK;
}

void ww_origin_free(ww_origin *origin)
{
    free(origin);
}

ww_status ww_measure_record(const ww_measure_plan *plan, const ww_problem *problem,
                            const ww_origin *origin, ww_engine *engine, ww_batches *batches,
                            double *carry, double *values, ww_error *error)
{
    (void)origin;
    ww_survey survey;
    const ww_status status = ww_survey_make(problem, engine, batches, plan->needs, &survey, error);
    if (status == WW_DIVERGED)
        ww_error_prefix(error,
                        "training diverged at step %lld: ", (long long)ww_engine_steps(engine));
    if (status != WW_OK)
        return status;
    for (size_t i = 0; i < plan->quantity_count; i++) {
        if (is_array(plan->quantities[i]))
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
        if (!is_array(plan->quantities[i]) && !plan->quantities[i]->may_lack &&
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
    const ww_quantity *all[MOST_QUANTITIES];
    const size_t count = all_quantities(all);
    for (size_t i = 0; i < count; i++)
        if (!is_array(all[i]) && strcmp(all[i]->field.name, name) == 0)
            return is_reached(all[i], value, threshold);
    return false;
}

ww_status ww_measure_cost_of(const ww_measure_plan *plan, const ww_problem *problem,
                             ww_measure_cost *cost, ww_error *error)
{
    *cost = (ww_measure_cost){0};
    ww_survey_cost(problem, plan->needs, &cost->record_bytes, &cost->record_flops);
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

void ww_measure_print_quantities(FILE *stream)
{
    const ww_quantity *all[MOST_QUANTITIES];
    const size_t count = all_quantities(all);
    for (size_t i = 0; i < count; i++) {
        const ww_field *field = &all[i]->field;
        fprintf(stream, "%s  [%s]  %s\n    %s\n    %s; ", field->name, field->units,
                all[i]->formula, field->description, field->source);
        if (is_array(all[i]))
            fputs("an array, which `all` leaves out", stream);
        else
            fprintf(stream, "a stop rule fires %s the threshold",
                    all[i]->direction == WW_RISES ? "at or above" : "at or below");
        fputs(all[i]->needs_targets   ? "; with loss: squared or hinge\n"
              : all[i]->needs_hinge   ? "; with loss: hinge\n"
              : all[i]->is_of_margins ? "; of `all` with loss: hinge\n"
                                      : "\n",
              stream);
    }
}

void ww_measure_print_results(FILE *stream)
{
    for (size_t i = 0; i < ww_result_count; i++) {
        fprintf(stream, "%s: %s\n", ww_results[i].name, ww_results[i].description);
        for (size_t j = 0; j < ww_results[i].field_count; j++) {
            const ww_field *field = &ww_results[i].fields[j];
            fprintf(stream, "    %s%s  [%s]  %s (%s)\n", field->name,
                    field->rank == 1 ? " [min(m, d)]" : "", field->units, field->description,
                    field->source);
        }
    }
    fprintf(
        stream,
        "gram: the Gram matrix of the train set, in a group of its own (also `widthwise gram`), "
        "predictions that follow from it, and H(t) at snapshots\n");
    ww_gram_print_fields(stream);
}
