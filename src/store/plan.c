#include "store/plan.h"

#include "store/gram.h"
#include "store/hdf5_tools.h"
#include "store/layers.h"
#include "store/page.h"
#include "widthwise/config.h"
#include "widthwise/field.h"
#include "widthwise/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)WW_FIELD_AXES <= (int)WW_ARRAY_RANK, "fields with their axes are arrays");

ww_status ww_plan_add(ww_plan *plan, ww_plan_item item, char *path, ww_error *error)
{
    if (path == NULL)
        return WW_FAILED;
    item.path = path;
    int64_t bytes = item.type == WW_PLAN_TEXT ? (int64_t)item.text_size : WW_VALUE_BYTES;
    for (int axis = 0; axis < item.rank; axis++) {
        const ww_status status = ww_multiply(bytes, item.extent[axis], path, &bytes, error);
        if (status != WW_OK) {
            free(path);
            return status;
        }
    }
    if (__builtin_add_overflow(plan->bytes, bytes, &plan->bytes)) {
        const ww_status status = ww_fail(
            error, WW_USAGE, "the file would need more than 2^63 bytes; make the run smaller");
        free(path);
        return status;
    }
    if (plan->count == plan->capacity) {
        const size_t capacity = plan->capacity == 0 ? 64 : 2 * plan->capacity;
        ww_plan_item *items = realloc(plan->items, capacity * sizeof *items);
        if (items == NULL) {
            free(path);
            return ww_fail(error, WW_FAILED, "out of memory for a list of %zu datasets", capacity);
        }
        plan->items = items;
        plan->capacity = capacity;
    }
    plan->items[plan->count++] = item;
    return WW_OK;
}

int64_t ww_plan_item_bytes(const ww_plan_item *item)
{
    int64_t bytes = item->type == WW_PLAN_TEXT ? (int64_t)item->text_size : WW_VALUE_BYTES;
    for (int axis = 0; axis < item->rank; axis++)
        bytes *= item->extent[axis]; // ww_plan_add has checked that it fits
    return bytes;
}

void ww_plan_free(ww_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        free(plan->items[i].path);
    free(plan->items);
    *plan = (ww_plan){0};
}

static ww_status add_text(ww_plan *plan, char *path, const char *text, const char *description,
                          bool changes, ww_error *error)
{
    const ww_plan_item item = {.type = WW_PLAN_TEXT,
                               .text_size = strlen(text) + 1,
                               .description = description,
                               .units = "text",
                               .fill = WW_PLAN_VALUE,
                               .value = text,
                               .changes = changes};
    return ww_plan_add(plan, item, path, error);
}

static ww_status add_facts(ww_plan *plan, const ww_member_layout *layout, ww_error *error)
{
    for (size_t i = 0; i < layout->fact_count; i++) {
        const ww_fact *fact = &layout->facts[i];
        char *path =
            ww_format(error, "/runs/run%04" PRId64 "/parameters/%s", layout->index, fact->name);
        if (fact->is_text) {
            WW_TRY(add_text(plan, path, fact->text, fact->description, fact->changes, error));
            continue;
        }
        ww_plan_item item = {.type = WW_PLAN_REAL,
                             .description = fact->description,
                             .units = fact->units,
                             .fill = WW_PLAN_VALUE,
                             .value = &fact->real,
                             .changes = fact->changes};
        if (fact->is_integer) {
            item.type = WW_PLAN_INTEGER;
            item.value = &fact->integer;
        }
        WW_TRY(ww_plan_add(plan, item, path, error));
    }
    return WW_OK;
}

/// Fields as datasets under `group`; with an axis [replicas] in front where there are any, and one
/// of [records] where `records` >= 0.
static ww_status add_fields(ww_plan *plan, const ww_member_layout *layout, const char *group,
                            const ww_field *fields, size_t count, int64_t records, ww_error *error)
{
    const int64_t index = layout->index;
    const bool has_replicas = layout->replicas > 1;
    for (size_t i = 0; i < count; i++) {
        const ww_field *field = &fields[i];
        WW_ASSERT(field->rank >= 0 && field->rank <= WW_FIELD_RANK);
        ww_plan_item item = {.type = WW_PLAN_REAL,
                             .description = field->description,
                             .units = field->units,
                             .source = field->source,
                             .fill = WW_PLAN_BLANK};
        WW_ASSERT(field->rank + (records >= 0) + has_replicas <= WW_FIELD_AXES);
        if (has_replicas)
            item.extent[item.rank++] = layout->replicas;
        if (records >= 0)
            item.extent[item.rank++] = records;
        for (int axis = 0; axis < field->rank; axis++)
            item.extent[item.rank++] = field->extent[axis];
        WW_TRY(ww_plan_add(
            plan, item, ww_format(error, "/runs/run%04" PRId64 "/%s/%s", index, group, field->name),
            error));
    }
    return WW_OK;
}

static ww_status add_replicas(ww_plan *plan, const ww_member_layout *layout, ww_error *error)
{
    const struct {
        const char *name, *description, *units;
    } table[] = {
        {"state", "How each replica ended, axis [replica]: 2 done, 3 diverged; -1 not run yet",
         "1"},
        {"steps", "Steps that each replica made, axis [replica]; -1 not run yet", "steps"}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const ww_plan_item item = {.type = WW_PLAN_INTEGER,
                                   .rank = 1,
                                   .extent = {layout->replicas},
                                   .description = table[i].description,
                                   .units = table[i].units,
                                   .fill = WW_PLAN_BLANK};
        WW_TRY(ww_plan_add(
            plan, item,
            ww_format(error, "/runs/run%04" PRId64 "/replica/%s", layout->index, table[i].name),
            error));
    }
    return WW_OK;
}

static ww_status add_results(ww_plan *plan, const ww_member_layout *layout, ww_error *error)
{
    const int64_t index = layout->index;
    WW_TRY(add_text(
        plan, ww_format(error, "/runs/run%04" PRId64 "/config", index), layout->config_text,
        "Resolved configuration of this run, every key with its value, as YAML", true, error));
    WW_TRY(add_text(plan, ww_format(error, "/runs/run%04" PRId64 "/label", index), layout->label,
                    "What sets this run apart from the others of its sweep, as key=value words",
                    false, error));
    WW_TRY(add_facts(plan, layout, error));
    const bool has_replicas = layout->replicas > 1;
    if (has_replicas)
        WW_TRY(add_replicas(plan, layout, error));
    const ww_plan_item step = {
        .type = WW_PLAN_INTEGER,
        .rank = has_replicas ? 2 : 1,
        .extent = {has_replicas ? layout->replicas : layout->records, layout->records},
        .description =
            has_replicas ? "Step of each record of each replica, axes [replica, record]; -1 where "
                           "it did not "
                           "come to"
                         : "Step of each record, axis [records]; -1 where the run did not come to",
        .units = "steps",
        .fill = WW_PLAN_BLANK};
    WW_TRY(ww_plan_add(plan, step,
                       ww_format(error, "/runs/run%04" PRId64 "/trajectory/step", index), error));
    WW_TRY(add_fields(plan, layout, "trajectory", layout->trajectory, layout->trajectory_count,
                      layout->records, error));
    WW_TRY(add_fields(plan, layout, "final", layout->final, layout->final_count, -1, error));
    WW_TRY(add_fields(plan, layout, "theory", layout->theory, layout->theory_count, -1, error));
    return add_fields(plan, layout, "gram", layout->gram, layout->gram_count, -1, error);
}

/// Hidden weights of all layers under `group`, which is taken over, with an axis of `planes` in
/// front where there are any.
static ww_status add_layers(ww_plan *plan, const ww_member_layout *layout, char *group,
                            const char *name, int64_t planes, const char *first_description,
                            const char *deep_description, ww_error *error)
{
    WW_ASSERT(layout->depth >= 1);
    ww_status status = group != NULL ? WW_OK : WW_FAILED;
    for (int64_t layer = 1; layer <= layout->depth && status == WW_OK; layer++) {
        ww_plan_item item = {.type = WW_PLAN_REAL,
                             .description = layer == 1 ? first_description : deep_description,
                             .units = "1"};
        if (planes > 0)
            item.extent[item.rank++] = planes;
        item.extent[item.rank++] = layout->width;
        item.extent[item.rank++] = layer == 1 ? layout->dimension : layout->width;
        status = ww_plan_add(plan, item, ww_layer_path(group, name, layer, error), error);
    }
    free(group);
    return status;
}

#define DEEP_AXES "axes [hidden unit, hidden unit of the layer before]"

static ww_status add_state(ww_plan *plan, const ww_member_layout *layout,
                           const int64_t *first_pages, ww_error *error)
{
    const int64_t index = layout->index;
    const int64_t carry = layout->carry_count > 0 ? (int64_t)layout->carry_count : 1;
    const ww_plan_item commit = {
        .type = WW_PLAN_INTEGER,
        .rank = 2,
        .extent = {WW_PAGES, WW_PAGE_WORDS},
        .description = "Two commit pages, axes [page, word]: which rows, checkpoint and results "
                       "count; the valid page of the higher generation holds",
        .units = "1",
        .fill = WW_PLAN_VALUE,
        .value = first_pages};
    WW_TRY(ww_plan_add(plan, commit, ww_format(error, "/state/run%04" PRId64 "/commit", index),
                       error));
    if (layout->replicas > 1) // which keep no weights
        return WW_OK;
    const struct {
        const char *name, *description;
        ww_plan_item shape;
    } weights[] = {{"output_weights",
                    "Output weights a of this checkpoint, axes [output, hidden unit]",
                    {.rank = 2, .extent = {layout->outputs, layout->width}}},
                   {"carry",
                    "What cumulative quantities carry on from this checkpoint, for a restart only",
                    {.rank = 1, .extent = {carry}}},
                   {"engine_state",
                    "What the engine keeps beside the weights in the middle of its work, axes "
                    "[hidden unit, column], for a restart only",
                    {.rank = 2, .extent = {layout->width, layout->state_columns}}}};
    for (int slot = 0; slot < WW_SLOTS; slot++) {
        WW_TRY(add_layers(
            plan, layout, ww_format(error, "/state/run%04" PRId64 "/checkpoint%d", index, slot),
            "hidden_weights", 0, "Hidden weights W of this checkpoint, axes [hidden unit, input]",
            "Hidden weights W_l of this checkpoint, of the layer l that the name ends "
            "with, " DEEP_AXES,
            error));
        for (size_t i = 0; i < sizeof weights / sizeof weights[0]; i++) {
            ww_plan_item item = weights[i].shape;
            if (item.rank == 2 && item.extent[1] == 0) // an engine without a state
                continue;
            item.type = WW_PLAN_REAL;
            item.description = weights[i].description;
            item.units = "1";
            WW_TRY(ww_plan_add(plan, item,
                               ww_format(error, "/state/run%04" PRId64 "/checkpoint%d/%s", index,
                                         slot, weights[i].name),
                               error));
        }
    }
    return WW_OK;
}

static ww_status add_gram(ww_plan *plan, const ww_member_layout *layout, ww_error *error)
{
    if (layout->keeps_eigenvectors) {
        const ww_plan_item vectors = {
            .type = WW_PLAN_REAL,
            .rank = 2,
            .extent = {layout->train, layout->train},
            .description = "Unit eigenvectors of the Gram matrix in the order of its eigenvalues, "
                           "axes [eigenvector, training sample]; their signs mean nothing",
            .units = "1",
            .source = "AR section 4"};
        WW_TRY(ww_plan_add(plan, vectors,
                           ww_format(error, "/gram/run%04" PRId64 "/eigenvectors", layout->index),
                           error));
    }
    if (!layout->has_train_targets)
        return WW_OK;
    const ww_plan_item targets = {
        .type = WW_PLAN_REAL,
        .rank = 2,
        .extent = {layout->train, layout->targets},
        .description = "Targets of the training samples that were computed when the file was made, "
                       "axes [sample, output]",
        .units = "1",
        .fill = layout->train_targets != NULL ? WW_PLAN_VALUE : WW_PLAN_EMPTY,
        .value = layout->train_targets};
    return ww_plan_add(plan, targets, ww_train_targets_path(layout->index, error), error);
}

static ww_status add_snapshots(ww_plan *plan, const ww_member_layout *layout, ww_error *error)
{
    if (layout->snapshot_count == 0)
        return WW_OK;
    const int64_t count = (int64_t)layout->snapshot_count;
    const ww_plan_item step = {
        .type = WW_PLAN_INTEGER,
        .rank = 1,
        .extent = {count},
        .description = "Step of each snapshot, axis [snapshot]; -1 where it was not taken",
        .units = "steps",
        .fill = WW_PLAN_BLANK};
    const ww_plan_item output_weights = {
        .type = WW_PLAN_REAL,
        .rank = 3,
        .extent = {count, layout->outputs, layout->width},
        .description = "Output weights a at chosen steps, axes [snapshot, output, hidden unit]",
        .units = "1"};
    WW_TRY(ww_plan_add(plan, step,
                       ww_format(error, "/snapshots/run%04" PRId64 "/step", layout->index), error));
    WW_TRY(add_layers(plan, layout, ww_format(error, "/snapshots/run%04" PRId64, layout->index),
                      "hidden_weights", count,
                      "Hidden weights W at chosen steps, axes [snapshot, hidden unit, input]",
                      "Hidden weights W_l at chosen steps, of the layer l that the name ends with, "
                      "axes [snapshot, hidden unit, hidden unit of the layer before]",
                      error));
    if (!layout->trains_output)
        return WW_OK;
    return ww_plan_add(
        plan, output_weights,
        ww_format(error, "/snapshots/run%04" PRId64 "/output_weights", layout->index), error);
}

static ww_status add_record(ww_plan *plan, const ww_member_layout *layout, ww_error *error)
{
    const int targets = layout->has_targets ? WW_RECORD_DATA : 0;
    const int labels = layout->has_labels ? WW_RECORD_DATA : 0;
    const struct {
        int bit;
        const char *name;
        ww_plan_item item;
    } table[] = {
        {WW_RECORD_DATA,
         "train_inputs",
         {.type = WW_PLAN_REAL,
          .rank = 2,
          .extent = {layout->train, layout->dimension},
          .description = "Inputs of the training samples, axes [sample, input]"}},
        {labels,
         "train_labels",
         {.type = WW_PLAN_INTEGER,
          .rank = 1,
          .extent = {layout->train},
          .description = "Labels trained on, axis [sample]; classes count from 0"}},
        {labels,
         "train_components",
         {.type = WW_PLAN_INTEGER,
          .rank = 1,
          .extent = {layout->train},
          .description =
              "Component that each training sample was drawn from, class * l + component by "
              "its true class, axis [sample]"}},
        {WW_RECORD_DATA,
         "test_inputs",
         {.type = WW_PLAN_REAL,
          .rank = 2,
          .extent = {layout->test, layout->dimension},
          .description = "Inputs of the test samples, axes [sample, input]"}},
        {labels,
         "test_labels",
         {.type = WW_PLAN_INTEGER,
          .rank = 1,
          .extent = {layout->test},
          .description = "Labels of the test samples, axis [sample]; classes count from 0"}},
        {labels,
         "test_components",
         {.type = WW_PLAN_INTEGER,
          .rank = 1,
          .extent = {layout->test},
          .description = "Component that each test sample was drawn from, class * l + component by "
                         "its true class, axis [sample]"}},
        {targets,
         "train_targets",
         {.type = WW_PLAN_REAL,
          .rank = 2,
          .extent = {layout->train, layout->outputs},
          .description = "Outputs wanted of the training samples, axes [sample, output]"}},
        {targets,
         "test_targets",
         {.type = WW_PLAN_REAL,
          .rank = 2,
          .extent = {layout->test, layout->outputs},
          .description = "Outputs wanted of the test samples, axes [sample, output]"}},
        {WW_RECORD_INITIAL_WEIGHTS,
         "initial_output_weights",
         {.type = WW_PLAN_REAL,
          .rank = 2,
          .extent = {layout->outputs, layout->width},
          .description = "Output weights a before the first step, axes [output, hidden unit]"}},
        {WW_RECORD_BATCHES,
         "batches",
         {.type = WW_PLAN_INTEGER,
          .rank = 2,
          .extent = {layout->steps + 1, layout->batch},
          .description = "Training samples of the batch of each step, axes [step, place]; the last "
                         "row is the batch that the last record's batch quantities are taken on"}}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if ((layout->record & table[i].bit) == 0)
            continue;
        ww_plan_item item = table[i].item;
        item.units = "1";
        WW_TRY(ww_plan_add(
            plan, item,
            ww_format(error, "/record/run%04" PRId64 "/%s", layout->index, table[i].name), error));
    }
    if ((layout->record & WW_RECORD_INITIAL_WEIGHTS) == 0)
        return WW_OK;
    return add_layers(plan, layout, ww_format(error, "/record/run%04" PRId64, layout->index),
                      "initial_hidden_weights", 0,
                      "Hidden weights W(0) before the first step, axes [hidden unit, input]",
                      "Hidden weights W_l(0) before the first step, of the layer l that the name "
                      "ends with, " DEEP_AXES,
                      error);
}

ww_status ww_plan_add_member(ww_plan *plan, const ww_member_layout *layout,
                             const int64_t *first_pages, ww_error *error)
{
    WW_TRY(add_results(plan, layout, error));
    WW_TRY(add_state(plan, layout, first_pages, error));
    WW_TRY(add_gram(plan, layout, error));
    WW_TRY(add_snapshots(plan, layout, error));
    return add_record(plan, layout, error);
}

/// "[10, 3]" into `text`.
static void print_shape(int rank, const int64_t *extent, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "[");
    for (int axis = 0; axis < rank && used < size; axis++)
        used += (size_t)snprintf(text + used, size - used, "%s%" PRId64, axis == 0 ? "" : ", ",
                                 extent[axis]);
    if (used < size)
        (void)snprintf(text + used, size - used, "]");
}

/// Compares a fact with what the configuration gives now. A file of data that has changed since the
/// run began shows here, in its hash.
static ww_status check_fact(const ww_plan_item *item, const ww_array *array, const char *file_name,
                            ww_error *error)
{
    char stored[WW_VALUE_BYTES];
    WW_TRY(ww_array_read(array, 0, 0, 1, stored, error));
    if (memcmp(stored, item->value, sizeof stored) == 0)
        return WW_OK;
    return ww_fail(error, WW_FAILED,
                   "%s: %s is not what the configuration gives now, so the data files have changed "
                   "since the run began; bring them back, or start anew with another output file",
                   file_name, item->path);
}

static ww_status check_item(const ww_plan_item *item, hid_t file, const char *file_name,
                            ww_error *error)
{
    if (item->type == WW_PLAN_TEXT) {
        char *text = NULL;
        const ww_status status = ww_text_read(file, file_name, item->path, -1, &text, error);
        free(text);
        return status;
    }
    ww_array array;
    WW_TRY(ww_array_open(file, file_name, ww_copy_text(item->path, error), 0, &array, error));
    ww_status status = WW_OK;
    if (array.integer != (item->type == WW_PLAN_INTEGER))
        status = ww_fail(error, WW_FAILED,
                         "%s: %s holds %s where the configuration asks for %s; the file was made "
                         "by another version, start anew with another output file",
                         file_name, item->path, array.integer ? "integers" : "doubles",
                         array.integer ? "doubles" : "integers");
    else if (array.rank != item->rank ||
             memcmp(array.extent, item->extent, (size_t)item->rank * sizeof *item->extent) != 0) {
        char found[128];
        char wanted[128];
        print_shape(array.rank, array.extent, found, sizeof found);
        print_shape(item->rank, item->extent, wanted, sizeof wanted);
        status = ww_fail(error, WW_FAILED,
                         "%s: %s has extents %s where the configuration asks for %s; the file "
                         "belongs to another configuration, start anew with another output file",
                         file_name, item->path, found, wanted);
    } else if (item->rank == 0 && item->fill == WW_PLAN_VALUE) {
        status = check_fact(item, &array, file_name, error);
    }
    ww_array_close(&array);
    return status;
}

ww_status ww_plan_check(const ww_plan *plan, hid_t file, const char *file_name, ww_error *error)
{
    for (size_t i = 0; i < plan->count; i++)
        WW_TRY(check_item(&plan->items[i], file, file_name, error));
    return WW_OK;
}
