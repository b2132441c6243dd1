#include "store/layers.h"

#include "widthwise/memory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const recorded_names[WW_RECORDED_COUNT] = {
    [WW_RECORDED_TRAIN_INPUTS] = "train_inputs",
    [WW_RECORDED_TRAIN_LABELS] = "train_labels",
    [WW_RECORDED_TRAIN_COMPONENTS] = "train_components",
    [WW_RECORDED_TEST_INPUTS] = "test_inputs",
    [WW_RECORDED_TEST_LABELS] = "test_labels",
    [WW_RECORDED_TEST_COMPONENTS] = "test_components",
    [WW_RECORDED_OUTPUT_WEIGHTS] = "initial_output_weights",
    [WW_RECORDED_BATCHES] = "batches",
    [WW_RECORDED_TRAIN_TARGETS] = "train_targets",
    [WW_RECORDED_TEST_TARGETS] = "test_targets"};

static const char recorded_weights_name[] = "initial_hidden_weights";

int64_t ww_recorded_block(int which)
{
    return which == WW_RECORDED_BATCHES ? 64 : 1024;
}

static ww_status fail_structure(const char *file_name, const char *path, const char *what,
                                ww_error *error)
{
    return ww_fail(error, WW_FAILED,
                   "%s: %s %s; the file was changed or is damaged, restore it from a backup",
                   file_name, path, what);
}

/// Opens dataset `name` of `group`, which is taken over, if it is there: doubles of that rank.
static ww_status open_optional(hid_t file, const char *file_name, char *group, const char *name,
                               int rank, int row_axis, ww_array *array, ww_error *error)
{
    if (group == NULL)
        return WW_FAILED;
    ww_names names = {0};
    ww_status status = ww_names_read(file, file_name, group, &names, error);
    for (size_t i = 0; i < names.count && status == WW_OK; i++)
        if (strcmp(names.names[i], name) == 0)
            status = ww_array_open(file, file_name, ww_format(error, "%s/%s", group, name),
                                   row_axis, array, error);
    if (status == WW_OK && ww_array_exists(array) && (array->integer || array->rank != rank))
        status = fail_structure(file_name, array->path, "has another type or rank", error);
    ww_names_free(&names);
    free(group);
    return status;
}

/// Opens all datasets of a group into `list`, but for one named `without`.
static ww_status open_list(hid_t file, const char *file_name, int64_t index, const char *group,
                           const char *without, ww_array_list *list, ww_error *error)
{
    char *path = ww_format(error, "/runs/run%04" PRId64 "/%s", index, group);
    if (path == NULL)
        return WW_FAILED;
    ww_names names = {0};
    ww_status status = ww_names_read(file, file_name, path, &names, error);
    if (status == WW_OK) {
        list->arrays = ww_allocate(names.count, sizeof *list->arrays, "a list of datasets", error);
        if (list->arrays == NULL)
            status = WW_FAILED;
    }
    for (size_t i = 0; i < names.count && status == WW_OK; i++) {
        if (without != NULL && strcmp(names.names[i], without) == 0)
            continue;
        ww_array *array = &list->arrays[list->count];
        status = ww_array_open(file, file_name, ww_format(error, "%s/%s", path, names.names[i]), 0,
                               array, error);
        if (status == WW_OK)
            list->count++;
        if (status == WW_OK && array->integer)
            status = fail_structure(file_name, array->path, "does not hold doubles", error);
    }
    ww_names_free(&names);
    free(path);
    return status;
}

/// What is known of the Gram matrix, and targets that were computed with it.
static ww_status open_gram(hid_t file, const char *file_name, ww_member *member, ww_error *error)
{
    const int64_t index = member->index;
    WW_TRY(open_list(file, file_name, index, "gram", NULL, &member->gram, error));
    WW_TRY(open_optional(file, file_name, ww_format(error, "/gram/run%04" PRId64, index),
                         "eigenvectors", 2, 0, &member->eigenvectors, error));
    return open_optional(file, file_name, ww_format(error, "/state/run%04" PRId64, index),
                         "train_targets", 2, 0, &member->train_targets, error);
}

void ww_array_list_close(ww_array_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        ww_array_close(&list->arrays[i]);
    free(list->arrays);
    *list = (ww_array_list){0};
}

ww_status ww_pages_open(hid_t file, const char *file_name, int64_t index, ww_array *commit,
                        ww_error *error)
{
    WW_TRY(ww_array_open(file, file_name, ww_format(error, "/state/run%04" PRId64 "/commit", index),
                         0, commit, error));
    if (commit->integer && commit->rank == 2 && commit->extent[0] == WW_PAGES &&
        commit->extent[1] == WW_PAGE_WORDS)
        return WW_OK;
    const ww_status status =
        fail_structure(file_name, commit->path, "does not hold two pages", error);
    ww_array_close(commit);
    return status;
}

int64_t ww_member_width(const ww_member *member)
{
    return member->has_replicas ? 1 : ww_array_rows(&member->slot[0].hidden_weights.arrays[0]);
}

/// One checkpoint slot, of the group `group`.
static ww_status open_slot(hid_t file, const char *file_name, const char *group,
                           const ww_member *member, ww_slot_arrays *slot, ww_error *error)
{
    WW_TRY(
        ww_layers_open(file, file_name, group, "hidden_weights", 0, &slot->hidden_weights, error));
    WW_TRY(
        ww_layers_match(file_name, &slot->hidden_weights, &member->slot[0].hidden_weights, error));
    const struct {
        const char *name;
        ww_array *array;
        int rank;
    } parts[] = {{"output_weights", &slot->output_weights, 2}, {"carry", &slot->carry, 1}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        WW_TRY(ww_array_open(file, file_name, ww_format(error, "%s/%s", group, parts[i].name), 0,
                             parts[i].array, error));
        if (parts[i].array->integer || parts[i].array->rank != parts[i].rank)
            return fail_structure(file_name, parts[i].array->path,
                                  "has another type or rank than weights", error);
    }
    if (slot->output_weights.extent[1] != ww_member_width(member))
        return fail_structure(file_name, slot->output_weights.path,
                              "has not as many units as the hidden weights", error);
    WW_TRY(open_optional(file, file_name, ww_copy_text(group, error), "engine_state", 2, 0,
                         &slot->engine_state, error));
    if (ww_array_exists(&slot->engine_state) &&
        slot->engine_state.extent[0] != ww_member_width(member))
        return fail_structure(file_name, slot->engine_state.path,
                              "has not as many units as the hidden weights", error);
    return WW_OK;
}

static ww_status open_state(hid_t file, const char *file_name, ww_member *member, ww_error *error)
{
    const int64_t index = member->index;
    WW_TRY(ww_pages_open(file, file_name, index, &member->commit, error));
    for (int s = 0; s < WW_SLOTS && !member->has_replicas; s++) {
        char *group = ww_format(error, "/state/run%04" PRId64 "/checkpoint%d", index, s);
        if (group == NULL)
            return WW_FAILED;
        const ww_status status = open_slot(file, file_name, group, member, &member->slot[s], error);
        free(group);
        WW_TRY(status);
    }
    return WW_OK;
}

/// Snapshots, of the group `group`.
static ww_status open_snapshot_arrays(hid_t file, const char *file_name, const char *group,
                                      ww_member *member, ww_error *error)
{
    static const char mismatch[] = "does not match its steps or the hidden weights";
    ww_array *step = &member->snapshot_step;
    ww_array_list *weights = &member->snapshot_weights;
    ww_array *output = &member->snapshot_output_weights;
    WW_TRY(ww_array_open(file, file_name, ww_format(error, "%s/step", group), 0, step, error));
    WW_TRY(ww_layers_open(file, file_name, group, "hidden_weights", 1, weights, error));
    WW_TRY(ww_layers_match(file_name, weights, &member->slot[0].hidden_weights, error));
    if (!step->integer || step->rank != 1 ||
        ww_array_planes(&weights->arrays[0]) != step->extent[0])
        return fail_structure(file_name, weights->arrays[0].path, mismatch, error);
    WW_TRY(open_optional(file, file_name, ww_copy_text(group, error), "output_weights", 3, 1,
                         output, error));
    if (ww_array_exists(output) &&
        (output->extent[0] != step->extent[0] || output->extent[2] != ww_member_width(member)))
        return fail_structure(file_name, output->path, mismatch, error);
    return WW_OK;
}

static ww_status open_snapshots(hid_t file, const char *file_name, ww_member *member,
                                ww_error *error)
{
    char *group = ww_format(error, "/snapshots/run%04" PRId64, member->index);
    if (group == NULL)
        return WW_FAILED;
    ww_names names = {0};
    ww_status status = ww_names_read(file, file_name, group, &names, error);
    if (status == WW_OK && names.count > 0)
        status = open_snapshot_arrays(file, file_name, group, member, error);
    ww_names_free(&names);
    free(group);
    return status;
}

/// One dataset `name` of the record in `group`, which is not of hidden weights.
static ww_status open_recorded_array(hid_t file, const char *file_name, const char *group,
                                     const char *name, ww_member *member, ww_error *error)
{
    int which = 0;
    while (which < WW_RECORDED_COUNT && strcmp(name, recorded_names[which]) != 0)
        which++;
    if (which == WW_RECORDED_COUNT)
        return fail_structure(file_name, group, "holds a dataset that is not known", error);
    ww_array *array = &member->recorded[which];
    WW_TRY(ww_array_open(file, file_name, ww_format(error, "%s/%s", group, name), 0, array, error));
    const bool weights = which == WW_RECORDED_OUTPUT_WEIGHTS;
    if (array->rank == 0 || (weights && (array->integer || array->rank != 2)))
        return fail_structure(file_name, array->path, "has a wrong type or rank", error);
    if (weights && array->extent[1] != ww_member_width(member))
        return fail_structure(file_name, array->path, "has not as many units as the hidden weights",
                              error);
    return WW_OK;
}

static ww_status open_recorded(hid_t file, const char *file_name, ww_member *member,
                               ww_error *error)
{
    char *group = ww_format(error, "/record/run%04" PRId64, member->index);
    if (group == NULL)
        return WW_FAILED;
    ww_names names = {0};
    ww_status status = ww_names_read(file, file_name, group, &names, error);
    bool has_weights = false;
    for (size_t i = 0; i < names.count && status == WW_OK; i++) {
        if (ww_is_layer_name(names.names[i], recorded_weights_name))
            has_weights = true;
        else
            status = open_recorded_array(file, file_name, group, names.names[i], member, error);
    }
    if (status == WW_OK && has_weights)
        status = ww_layers_open(file, file_name, group, recorded_weights_name, 0,
                                &member->recorded_weights, error);
    if (status == WW_OK && has_weights)
        status = ww_layers_match(file_name, &member->recorded_weights,
                                 &member->slot[0].hidden_weights, error);
    ww_names_free(&names);
    free(group);
    return status;
}

size_t ww_member_row_arrays(const ww_member *member)
{
    const size_t trajectory = 1 + member->trajectory.count;
    return member->has_replicas ? 2 + trajectory + member->final.count + member->theory.count
                                : trajectory;
}

const ww_array *ww_member_row_array(const ww_member *member, size_t number)
{
    if (member->has_replicas) {
        if (number < 2)
            return number == 0 ? &member->replica_state : &member->replica_steps;
        number -= 2;
    }
    if (number == 0)
        return &member->step;
    number--;
    const ww_array_list *const lists[] = {&member->trajectory, &member->final, &member->theory};
    size_t list = 0;
    while (number >= lists[list]->count)
        number -= lists[list++]->count;
    return &lists[list]->arrays[number];
}

int64_t ww_member_row_words(const ww_member *member)
{
    int64_t words = 0;
    for (size_t i = 0; i < ww_member_row_arrays(member); i++)
        words += ww_array_row_values(ww_member_row_array(member, i));
    return words;
}

/// Opens what only a member with replicas has, if it is one.
static ww_status open_replicas(hid_t file, const char *file_name, ww_member *member,
                               ww_error *error)
{
    char *group = ww_format(error, "/runs/run%04" PRId64 "/replica", member->index);
    if (group == NULL)
        return WW_FAILED;
    ww_names names = {0};
    ww_status status = ww_names_read(file, file_name, group, &names, error);
    member->has_replicas = names.count > 0;
    ww_names_free(&names);
    if (status == WW_OK && member->has_replicas)
        status = ww_array_open(file, file_name, ww_format(error, "%s/state", group), 0,
                               &member->replica_state, error);
    if (status == WW_OK && member->has_replicas)
        status = ww_array_open(file, file_name, ww_format(error, "%s/steps", group), 0,
                               &member->replica_steps, error);
    free(group);
    return status;
}

/// All arrays of a member with replicas are as long as their number.
static ww_status check_replicas(const char *file_name, const ww_member *member, ww_error *error)
{
    for (size_t i = 0; member->has_replicas && i < ww_member_row_arrays(member); i++) {
        const ww_array *array = ww_member_row_array(member, i);
        if (array->rank < 1 || array->extent[0] != member->step.extent[0] ||
            (i < 2 && (!array->integer || array->rank != 1)))
            return fail_structure(file_name, array->path, "does not have an entry for each replica",
                                  error);
    }
    return WW_OK;
}

static ww_status open_results(hid_t file, const char *file_name, ww_member *member, ww_error *error)
{
    WW_TRY(ww_array_open(file, file_name,
                         ww_format(error, "/runs/run%04" PRId64 "/trajectory/step", member->index),
                         0, &member->step, error));
    if (!member->step.integer || member->step.rank != (member->has_replicas ? 2 : 1))
        return fail_structure(file_name, member->step.path, "is not a list of integers", error);
    WW_TRY(open_list(file, file_name, member->index, "trajectory", "step", &member->trajectory,
                     error));
    for (size_t i = 0; i < member->trajectory.count; i++) {
        const ww_array *field = &member->trajectory.arrays[i];
        if (field->rank < member->step.rank || field->extent[0] != member->step.extent[0] ||
            (member->has_replicas && field->extent[1] != member->step.extent[1]))
            return fail_structure(file_name, field->path, "has not as many records as `step`",
                                  error);
    }
    WW_TRY(open_list(file, file_name, member->index, "final", NULL, &member->final, error));
    return open_list(file, file_name, member->index, "theory", NULL, &member->theory, error);
}

ww_member ww_member_none(int64_t index)
{
    ww_member member = {.index = index,
                        .commit = ww_array_none(),
                        .replica_state = ww_array_none(),
                        .replica_steps = ww_array_none(),
                        .step = ww_array_none(),
                        .eigenvectors = ww_array_none(),
                        .train_targets = ww_array_none(),
                        .snapshot_step = ww_array_none(),
                        .snapshot_output_weights = ww_array_none()};
    for (int s = 0; s < WW_SLOTS; s++)
        member.slot[s] = (ww_slot_arrays){.output_weights = ww_array_none(),
                                          .carry = ww_array_none(),
                                          .engine_state = ww_array_none()};
    for (int i = 0; i < WW_RECORDED_COUNT; i++)
        member.recorded[i] = ww_array_none();
    return member;
}

ww_status ww_member_open(hid_t file, const char *file_name, int64_t index, ww_member *member,
                         ww_error *error)
{
    *member = ww_member_none(index);
    WW_TRY(open_replicas(file, file_name, member, error));
    WW_TRY(open_results(file, file_name, member, error));
    WW_TRY(check_replicas(file_name, member, error));
    WW_TRY(open_state(file, file_name, member, error));
    if (member->has_replicas)
        return WW_OK;
    WW_TRY(open_gram(file, file_name, member, error));
    WW_TRY(open_snapshots(file, file_name, member, error));
    return open_recorded(file, file_name, member, error);
}

void ww_member_close(ww_member *member)
{
    ww_array_close(&member->commit);
    ww_array_close(&member->replica_state);
    ww_array_close(&member->replica_steps);
    ww_array_close(&member->step);
    ww_array_list_close(&member->trajectory);
    ww_array_list_close(&member->final);
    ww_array_list_close(&member->theory);
    ww_array_list_close(&member->gram);
    ww_array_close(&member->eigenvectors);
    ww_array_close(&member->train_targets);
    for (int s = 0; s < WW_SLOTS; s++) {
        ww_array_list_close(&member->slot[s].hidden_weights);
        ww_array_close(&member->slot[s].output_weights);
        ww_array_close(&member->slot[s].carry);
        ww_array_close(&member->slot[s].engine_state);
    }
    ww_array_close(&member->snapshot_step);
    ww_array_list_close(&member->snapshot_weights);
    ww_array_close(&member->snapshot_output_weights);
    for (int i = 0; i < WW_RECORDED_COUNT; i++)
        ww_array_close(&member->recorded[i]);
    ww_array_list_close(&member->recorded_weights);
}

ww_status ww_array_list_order(ww_array_list *list, const ww_field *fields, size_t count,
                              const char *file_name, const char *group, ww_error *error)
{
    for (size_t i = 0; i < count; i++) {
        size_t found = i;
        while (found < list->count &&
               strcmp(strrchr(list->arrays[found].path, '/') + 1, fields[i].name) != 0)
            found++;
        if (found == list->count)
            return ww_fail(error, WW_FAILED,
                           "%s has no %s of `%s`; the file belongs to another configuration, start "
                           "anew with another output file",
                           file_name, group, fields[i].name);
        const ww_array moved = list->arrays[found];
        list->arrays[found] = list->arrays[i];
        list->arrays[i] = moved;
    }
    if (list->count > count)
        return ww_fail(error, WW_FAILED,
                       "%s has a dataset %s that the configuration does not ask for; the file "
                       "belongs to another configuration, start anew with another output file",
                       file_name, list->arrays[count].path);
    return WW_OK;
}

ww_status ww_pages_read(const ww_array *commit, ww_page pages[WW_PAGES], bool valid[WW_PAGES],
                        ww_error *error)
{
    int64_t words[WW_PAGES][WW_PAGE_WORDS] = {0};
    WW_TRY(ww_array_read(commit, 0, 0, WW_PAGES, words, error));
    for (int p = 0; p < WW_PAGES; p++)
        valid[p] = ww_page_decode(words[p], p, &pages[p]);
    return WW_OK;
}

ww_status ww_member_read_pages(const ww_member *member, ww_page pages[WW_PAGES],
                               bool valid[WW_PAGES], ww_error *error)
{
    WW_TRY(ww_pages_read(&member->commit, pages, valid, error));
    const int64_t records = ww_array_rows(&member->step);
    const int64_t snapshots =
        ww_array_exists(&member->snapshot_step) ? ww_array_rows(&member->snapshot_step) : 0;
    for (int p = 0; p < WW_PAGES; p++) {
        valid[p] = valid[p] && pages[p].rows <= records && pages[p].snapshots <= snapshots;
        for (int s = 0; s < WW_SLOTS && valid[p]; s++) {
            const ww_page_slot *slot = &pages[p].slot[s];
            valid[p] = !slot->valid ||
                       (slot->step >= 0 && slot->rows >= 0 && slot->rows <= pages[p].rows &&
                        slot->snapshots >= 0 && slot->snapshots <= pages[p].snapshots);
        }
    }
    return WW_OK;
}

ww_status ww_member_fail_pages(const char *file_name, int64_t index, ww_error *error)
{
    return ww_fail(error, WW_FAILED,
                   "%s: neither commit page of run%04" PRId64
                   " checks, so nothing of it can be trusted; restore the file from a backup or "
                   "start anew with another output file",
                   file_name, index);
}
