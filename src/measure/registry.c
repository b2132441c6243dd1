// The registry of quantities, and the plan that a configuration makes of it.

#include "widthwise/measure.h"

#include "measure/plan.h"
#include "widthwise/memory.h"
#include "widthwise/text.h"

#include <stdlib.h>
#include <string.h>

static const ww_quantity *const families[] = {
    ww_quantities_outputs, ww_quantities_coupling, ww_quantities_movement, ww_quantities_gradient,
    ww_quantities_layers,  ww_quantities_residual, ww_quantities_margin,
};

size_t ww_all_quantities(const ww_quantity **quantities)
{
    size_t count = 0;
    for (size_t family = 0; family < sizeof families / sizeof families[0]; family++)
        for (const ww_quantity *entry = families[family]; entry->formula != NULL; entry++) {
            WW_ASSERT(count < WW_MOST_QUANTITIES);
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

bool ww_quantity_is_array(const ww_quantity *quantity)
{
    return quantity->fill != NULL;
}

// Whether a quantity that looks at hidden layers can do so in this run.
static ww_status check_layers(const ww_config *config, const char *where,
                              const ww_quantity *quantity, ww_error *error)
{
    const char *name = quantity->field.name;
    char key[512];
    if (quantity->of_one_layer && config->network.depth > 1) {
        ww_config_where(config, "network.depth", key, sizeof key);
        return ww_fail(error, WW_USAGE,
                       "%s: `%s` is of one hidden layer, but there are %lld (%s); take it out, or "
                       "set network.depth: 1",
                       where, name, (long long)config->network.depth, key);
    }
    if (quantity->needs_layers && !ww_config_has_layers(config)) {
        ww_config_where(config, "training.engine", key, sizeof key);
        return ww_fail(error, WW_USAGE,
                       "%s: `%s` is of what the engine `layers` works with, which this run does "
                       "not choose (%s); take it out, or set training.engine: layers",
                       where, name, key);
    }
    if (quantity->needs_descent && config->training.method != WW_METHOD_GD) {
        ww_config_where(config, "training.method", key, sizeof key);
        return ww_fail(error, WW_USAGE,
                       "%s: `%s` looks at the whole train loss before and after a step on it, but "
                       "steps are on batches (%s); take it out, or set training.method: gd",
                       where, name, key);
    }
    if (quantity->needs_descent && config->network.train_output) {
        ww_config_where(config, "network.train_output", key, sizeof key);
        return ww_fail(error, WW_USAGE,
                       "%s: `%s` is of steps of the hidden weights alone, but the output weights "
                       "are trained too (%s); take it out, or set network.train_output: false",
                       where, name, key);
    }
    return WW_OK;
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
    if (quantity->needs_classes && !ww_config_has_classes(config)) {
        char kind[512];
        ww_config_where(config, "data.hdf5.kind", kind, sizeof kind);
        return ww_fail(error, WW_USAGE,
                       "%s: `%s` is of classes, but the samples have real targets (%s: targets); "
                       "take it out, or measure test_loss, residual or test_absolute_error",
                       where, quantity->field.name, kind);
    }
    if (quantity->needs_hinge && config->loss != WW_LOSS_HINGE) {
        char loss[512];
        ww_config_where(config, "loss", loss, sizeof loss);
        return ww_fail(error, WW_USAGE,
                       "%s: `%s` is of margins and of updates that change nothing, which loss: %s "
                       "has not (%s); take it out, or set loss: hinge",
                       where, quantity->field.name, ww_loss_of(config)->name, loss);
    }
    if (ww_quantity_is_array(quantity) && strcmp(key, "training.stop") == 0)
        return ww_fail(error, WW_USAGE,
                       "%s: `%s` is an array, and a stop rule waits for one number; name a scalar "
                       "quantity",
                       where, quantity->field.name);
    return check_layers(config, where, quantity, error);
}

// Whether `all` has it in this run.
static bool is_of_all(const ww_config *config, const ww_quantity *quantity)
{
    return !ww_quantity_is_array(quantity) &&
           (!quantity->is_of_margins || config->loss == WW_LOSS_HINGE) &&
           check_quantity(config, "measure.quantities", quantity, NULL) == WW_OK;
}

// Marks quantity `name` as wanted.
static ww_status want(const ww_config *config, const char *key, const char *name,
                      const ww_quantity *const *all, size_t count, bool *wanted, ww_error *error)
{
    const char *names[WW_MOST_QUANTITIES];
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
        else if (extent == WW_EXTENT_LAYERS)
            extent = config->network.depth;
        if (field->extent[axis] != WW_EXTENT_OUTPUTS || extent > 1)
            resolved.extent[resolved.rank++] = extent;
    }
    return resolved;
}

// The quantity of that name, which is there.
static const ww_quantity *find_quantity(const char *name)
{
    const ww_quantity *all[WW_MOST_QUANTITIES];
    const size_t count = ww_all_quantities(all);
    size_t i = 0;
    while (i < count && strcmp(all[i]->field.name, name) != 0)
        i++;
    WW_ASSERT(i < count);
    return all[i];
}

// Whether a result can be had of a run that names it.
static ww_status check_result(const ww_config *config, const ww_result *result, ww_error *error)
{
    char where[512], key[512];
    ww_config_where(config, "measure.final", where, sizeof where);
    if (result->of_one_layer && config->network.depth > 1) {
        ww_config_where(config, "network.depth", key, sizeof key);
        return ww_fail(error, WW_USAGE,
                       "%s: `%s` is of one hidden layer, but there are %lld (%s); take it out, or "
                       "set network.depth: 1",
                       where, result->name, (long long)config->network.depth, key);
    }
    if (result->needs_gaussian &&
        !(ww_config_hidden_std(config) > 0.0 && config->network.start == WW_START_DRAWN)) {
        const char *cause =
            config->network.start == WW_START_DRAWN ? "network.hidden.kind" : "network.start";
        ww_config_where(config, cause, key, sizeof key);
        return ww_fail(error, WW_USAGE,
                       "%s: `%s` is of hidden weights that are drawn from a normal distribution, "
                       "which these are not (%s); take it out, or set network.start: drawn and "
                       "network.hidden.kind: gaussian",
                       where, result->name, key);
    }
    for (const char *const *name = result->requires; name != NULL && *name != NULL; name++) {
        const ww_quantity *quantity = find_quantity(*name);
        if (!quantity->needs_classes || ww_config_has_classes(config))
            continue;
        ww_config_where(config, "data.hdf5.kind", key, sizeof key);
        return ww_fail(error, WW_USAGE,
                       "%s: `%s` waits for `%s`, which is of classes, but the samples have real "
                       "targets (%s: targets); take it out",
                       where, result->name, *name, key);
    }
    return WW_OK;
}

// Whether `all` has it in this run.
static bool is_result_of_all(const ww_config *config, const ww_result *result)
{
    return check_result(config, result, NULL) == WW_OK &&
           (!result->of_layers || ww_config_has_layers(config));
}

static ww_status choose_results(const ww_config *config, const ww_dataset *shape,
                                ww_measure_plan *plan, ww_error *error)
{
    const char *names[WW_MOST_FIELDS];
    bool wanted[WW_MOST_FIELDS] = {false};
    const ww_word_list *asked = &config->measure.final;
    WW_ASSERT(ww_result_count < WW_MOST_FIELDS);
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
                wanted[j] = wanted[j] || is_result_of_all(config, &ww_results[j]);
        else if (strcmp(asked->words[word], gram) == 0)
            continue; // not of the run but of its data: the file keeps it in a group of its own
        else if (i == ww_result_count)
            return unknown_name(config, "measure.final", asked->words[word], "result", names,
                                ww_result_count + 1, error);
        else {
            WW_TRY(check_result(config, &ww_results[i], error));
            wanted[i] = true;
        }
    }
    for (size_t i = 0; i < ww_result_count; i++) {
        if (!wanted[i])
            continue;
        plan->results[plan->result_count++] = &ww_results[i];
        for (size_t field = 0; field < ww_results[i].field_count; field++) {
            WW_ASSERT(plan->final_count < WW_MOST_FIELDS);
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
    const ww_quantity *all[WW_MOST_QUANTITIES];
    bool wanted[WW_MOST_QUANTITIES] = {false};
    const size_t count = ww_all_quantities(all);
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
        if (wanted[i] && all[i]->requires != NULL)
            WW_TRY(want(config, "measure.quantities", all[i]->requires, all, count, wanted, error));
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
