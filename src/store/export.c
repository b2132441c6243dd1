/// Plain copies for programs that load whole files.

#include "store/contents.h"
#include "store/disk.h"
#include "store/hdf5_tools.h"
#include "store/layers.h"
#include "store/legend.h"
#include "store/member.h"
#include "store/members.h"
#include "store/place.h"
#include "store/provenance.h"
#include "store/skeleton.h"
#include "store/structure.h"
#include "widthwise/memory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { TRIES = 5 };

/// An export under way. Everything is gone through twice: first with `target` invalid to count
/// bytes, then to write.
typedef struct export
{
    const char *path; ///< of the source
    hid_t source;
    hid_t target;            ///< H5I_INVALID_HID while bytes are counted
    const char *target_name; ///< for messages
    const ww_export_choice *choice;
    FILE *report;
    int64_t *indices; ///< [count]
    size_t count;
    int64_t bytes;
    ww_legend legend; ///< of all datasets, from when bytes are counted
    ww_plan legend_plan;
    bool changed; ///< a job wrote meanwhile what was being copied
}
export;

/// One member while it is copied.
typedef struct exported {
    ww_member member;
    ww_share share;
    ww_page pages[WW_PAGES];
    bool valid[WW_PAGES];
    ww_page page; ///< that counts
} exported;

/// Adds a dataset with what it holds, or counts its bytes. `path` is taken over.
static ww_status add_item(export *self, const ww_plan_item *item, char *path, ww_error *error)
{
    if (path == NULL)
        return WW_FAILED;
    ww_plan_item named = *item;
    named.path = path;
    ww_status status = WW_OK;
    if (self->target < 0) {
        self->bytes += ww_plan_item_bytes(&named);
        status = ww_legend_note(&self->legend, &named, error);
    } else {
        status = ww_skeleton_add(self->target, self->target_name, &named, error);
    }
    free(path);
    return status;
}

static ww_status add_integer(export *self, char *path, int64_t value, const char *description,
                             const char *units, ww_error *error)
{
    const ww_plan_item item = {.type = WW_PLAN_INTEGER,
                               .description = description,
                               .units = units,
                               .fill = WW_PLAN_VALUE,
                               .value = &value};
    return add_item(self, &item, path, error);
}

/// Copies values into the dataset that was just made.
static ww_status copy_values(const export *self, const ww_array *from, const char *path,
                             int64_t count, ww_error *error)
{
    ww_array to;
    WW_TRY(ww_array_open(self->target, self->target_name, ww_copy_text(path, error), from->row_axis,
                         &to, error));
    const ww_status status = ww_array_copy(from, &to, count, error);
    ww_array_close(&to);
    return status;
}

/// Copies the first `count` of the first axis of an array, with its attributes, to `path`, which is
/// taken over. `description` NULL: that of the source.
static ww_status copy_array(export *self, const ww_array *array, int64_t count, char *path,
                            const char *description, ww_error *error)
{
    if (path == NULL)
        return WW_FAILED;
    char *attributes[] = {ww_attribute_text(array->id, "description", error),
                          ww_attribute_text(array->id, "units", error),
                          ww_attribute_text(array->id, "source", error)};
    ww_plan_item item = {.type = array->integer ? WW_PLAN_INTEGER : WW_PLAN_REAL,
                         .rank = array->rank,
                         .description = description != NULL ? description : attributes[0],
                         .units = attributes[1],
                         .source = attributes[2],
                         .fill = WW_PLAN_EMPTY};
    memcpy(item.extent, array->extent, sizeof item.extent);
    if (array->rank > 0)
        item.extent[0] = count;
    ww_status status = WW_FAILED;
    if (attributes[0] != NULL && attributes[1] != NULL && attributes[2] != NULL)
        status = add_item(self, &item, ww_copy_text(path, error), error);
    if (status == WW_OK && self->target >= 0)
        status = copy_values(self, array, path, array->rank > 0 ? count : 1, error);
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++)
        free(attributes[i]);
    free(path);
    return status;
}

/// The same under the path that it has in the source.
static ww_status copy_as_it_is(export *self, const ww_array *array, int64_t count, ww_error *error)
{
    return copy_array(self, array, count, ww_copy_text(array->path, error), NULL, error);
}

static ww_status copy_part(export *self, const ww_array_list *list, ww_part part, ww_error *error)
{
    for (size_t i = 0; i < list->count; i++)
        if (ww_belongs_to_part(&list->arrays[i], part))
            WW_TRY(copy_as_it_is(self, &list->arrays[i], ww_array_rows(&list->arrays[i]), error));
    return WW_OK;
}

/// A scalar text with its attributes.
static ww_status copy_text(export *self, const char *path, ww_error *error)
{
    char *text = NULL;
    WW_TRY(ww_text_read(self->source, self->path, path, -1, &text, error));
    const hid_t dataset = H5Dopen2(self->source, path, H5P_DEFAULT);
    char *description = ww_attribute_text(dataset, "description", error);
    H5Dclose(dataset);
    const ww_plan_item item = {.type = WW_PLAN_TEXT,
                               .text_size = strlen(text) + 1,
                               .description = description,
                               .units = "text",
                               .fill = WW_PLAN_VALUE,
                               .value = text};
    const ww_status status =
        description == NULL ? WW_FAILED : add_item(self, &item, ww_copy_text(path, error), error);
    free(description);
    free(text);
    return status;
}

/// A scalar of any type. `path` is taken over.
static ww_status copy_scalar(export *self, char *path, ww_error *error)
{
    if (path == NULL)
        return WW_FAILED;
    ww_status status = WW_OK;
    if (ww_is_text(self->source, path)) {
        status = copy_text(self, path, error);
    } else {
        ww_array array;
        status =
            ww_array_open(self->source, self->path, ww_copy_text(path, error), 0, &array, error);
        if (status == WW_OK) {
            status = copy_as_it_is(self, &array, ww_array_rows(&array), error);
            ww_array_close(&array);
        }
    }
    free(path);
    return status;
}

static ww_status copy_facts(export *self, int64_t index, ww_error *error)
{
    WW_TRY(copy_scalar(self, ww_format(error, "/runs/run%04" PRId64 "/config", index), error));
    WW_TRY(copy_scalar(self, ww_format(error, "/runs/run%04" PRId64 "/label", index), error));
    char *group = ww_format(error, "/runs/run%04" PRId64 "/parameters", index);
    if (group == NULL)
        return WW_FAILED;
    ww_names names = {0};
    ww_status status = ww_names_read(self->source, self->path, group, &names, error);
    for (size_t i = 0; i < names.count && status == WW_OK; i++)
        status = copy_scalar(self, ww_format(error, "%s/%s", group, names.names[i]), error);
    ww_names_free(&names);
    free(group);
    return status;
}

/// What the commit page says and a plain file needs.
static ww_status add_state(export *self, const exported *at, ww_error *error)
{
    const int64_t index = at->member.index;
    const char *name = ww_run_state_name(at->page.state);
    const ww_plan_item text = {.type = WW_PLAN_TEXT,
                               .text_size = strlen(name) + 1,
                               .description = "State of the run when this copy was made",
                               .units = "text",
                               .fill = WW_PLAN_VALUE,
                               .value = name};
    WW_TRY(add_item(self, &text, ww_format(error, "/runs/run%04" PRId64 "/state", index), error));
    WW_TRY(add_integer(self, ww_format(error, "/runs/run%04" PRId64 "/state_number", index),
                       at->page.state,
                       "The same as a number: 0 waiting, 1 running or died, 2 done, 3 diverged, 4 "
                       "stopped early, 5 failed",
                       "1", error));
    WW_TRY(add_integer(
        self, ww_format(error, "/runs/run%04" PRId64 "/rows", index), at->page.rows,
        at->member.has_replicas ? "Replicas that are done" : "Rows of the trajectory", "1", error));
    return add_integer(self, ww_format(error, "/runs/run%04" PRId64 "/last_step", index),
                       at->page.last_step, "Step of the last row, -1 without rows", "steps", error);
}

/// Holds what was read against what the page says. What differs was damaged, or a job has written
/// it anew.
static ww_status judge(export *self, const exported *at, ww_status readable, uint64_t hash,
                       uint64_t expected, const char *what, ww_error *error)
{
    if (self->target < 0)
        return WW_OK; // nothing was copied
    if (readable == WW_OK && hash == expected)
        return WW_OK;
    ww_page pages[WW_PAGES];
    bool valid[WW_PAGES];
    WW_TRY(ww_member_read_pages(&at->member, pages, valid, error));
    const int newest = ww_page_newest(pages, valid);
    self->changed = newest >= 0 && pages[newest].generation != at->page.generation;
    return ww_fail(error, WW_FAILED,
                   "%s: %s of run%04" PRId64
                   " %s, so there is nothing sound to export; `widthwise verify %s` says "
                   "what is left of the file",
                   self->path, what, at->member.index,
                   readable == WW_OK ? "fail their checksum" : "cannot be read", self->path);
}

static ww_status copy_results(export *self, const exported *at, ww_error *error)
{
    const ww_page *page = &at->page;
    uint64_t hash = 0;
    ww_status readable = WW_OK;
    if (page->rows > 0) {
        for (size_t i = 0; i < ww_member_row_arrays(&at->member); i++)
            WW_TRY(copy_as_it_is(self, ww_member_row_array(&at->member, i), page->rows, error));
        if (self->target >= 0)
            readable = ww_contents_hash_rows(&at->member, page->rows, &at->share, &hash, error);
        WW_TRY(judge(self, at, readable, hash, page->rows_hash, "the records", error));
    }
    if (at->member.has_replicas) // whose results are in their rows
        return WW_OK;
    const struct {
        const ww_array_list *list;
        ww_part part;
        const char *what;
    } groups[] = {{&at->member.final, WW_PART_FINAL, "the final results"},
                  {&at->member.theory, WW_PART_THEORY, "the predictions"},
                  {&at->member.gram, WW_PART_SPECTRUM, "the spectrum"},
                  {&at->member.gram, WW_PART_GRAM, "the Gram results"}};
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        uint64_t expected = 0;
        if (!ww_part_expected(page, groups[i].part, &expected) ||
            (groups[i].list == &at->member.gram && !page->gram_valid)) // all of it or nothing
            continue;
        WW_TRY(copy_part(self, groups[i].list, groups[i].part, error));
        hash = 0;
        if (self->target >= 0)
            readable =
                ww_contents_hash_part(&at->member, page, groups[i].part, &at->share, &hash, error);
        WW_TRY(judge(self, at, readable, hash, expected, groups[i].what, error));
    }
    const ww_array *vectors = &at->member.eigenvectors; // vouched for with the spectrum
    if (page->gram_valid && page->spectrum_valid && self->choice->weights &&
        ww_array_exists(vectors))
        WW_TRY(copy_as_it_is(self, vectors, ww_array_rows(vectors), error));
    return WW_OK;
}

/// The newest checkpoint that holds: its slot, and what its page says of it.
static ww_status choose_slot(export *self, const exported *at, int *slot, const ww_page_slot **said,
                             ww_error *error)
{
    const ww_page_slot *newest = &at->page.slot[ww_page_newest_slot(&at->page)];
    int page = 0;
    for (int k = 0; ww_page_candidate(at->pages, at->valid, k, &page, slot); k++) {
        uint64_t hash = 0;
        ww_error unreadable = {0};
        const ww_status status =
            ww_contents_hash_slot(&at->member.slot[*slot], &at->share, &hash, &unreadable);
        *said = &at->pages[page].slot[*slot];
        if (status != WW_OK || hash != (*said)->hash)
            continue;
        if ((*said)->step != newest->step)
            fprintf(self->report,
                    "run%04" PRId64 ": the newest checkpoint (step %" PRId64
                    ") is damaged, that of step %" PRId64 " is taken\n",
                    at->member.index, newest->step, (*said)->step);
        return WW_OK;
    }
    return judge(self, at, WW_OK, ~newest->hash, newest->hash, "the weights of both checkpoints",
                 error);
}

/// Hidden weights of a checkpoint.
static ww_status copy_layers(export *self, const ww_array_list *layers, int64_t index,
                             ww_error *error)
{
    char *group = ww_format(error, "/weights/run%04" PRId64, index);
    ww_status status = group != NULL ? WW_OK : WW_FAILED;
    for (size_t i = 0; i < layers->count && status == WW_OK; i++)
        status = copy_array(self, &layers->arrays[i], ww_array_rows(&layers->arrays[i]),
                            ww_layer_path(group, "hidden_weights", (int64_t)i + 1, error),
                            i == 0 ? "Hidden weights W, axes [hidden unit, input]"
                                   : "Hidden weights W_l of the layer l that the name ends with, "
                                     "axes [hidden unit, hidden unit of the layer before]",
                            error);
    free(group);
    return status;
}

static ww_status copy_checkpoint(export *self, const exported *at, ww_error *error)
{
    const int64_t index = at->member.index;
    int slot = 0; // both are of the same size
    const ww_page_slot *said = &at->page.slot[slot];
    if (at->member.has_replicas) {
        if (self->target < 0)
            fprintf(self->report, "run%04" PRId64 ": replicas keep no weights\n", index);
        return WW_OK;
    }
    if (ww_page_newest_slot(&at->page) < 0) {
        if (self->target < 0)
            fprintf(self->report, "run%04" PRId64 ": no checkpoint yet, so no weights\n", index);
        return WW_OK;
    }
    if (self->target >= 0)
        WW_TRY(choose_slot(self, at, &slot, &said, error));
    const ww_slot_arrays *arrays = &at->member.slot[slot];
    WW_TRY(add_integer(self, ww_format(error, "/weights/run%04" PRId64 "/step", index), said->step,
                       "Step of these weights", "steps", error));
    WW_TRY(copy_layers(self, &arrays->hidden_weights, index, error));
    WW_TRY(copy_array(self, &arrays->output_weights, ww_array_rows(&arrays->output_weights),
                      ww_format(error, "/weights/run%04" PRId64 "/output_weights", index),
                      "Output weights a, axes [output, hidden unit]", error));
    // Only now it is known that what was copied was what the page speaks of: a slot that a job
    // writes never comes back to it.
    uint64_t hash = 0;
    ww_status readable = WW_OK;
    if (self->target >= 0)
        readable = ww_contents_hash_slot(arrays, &at->share, &hash, error);
    return judge(self, at, readable, hash, said->hash, "the weights of the checkpoint", error);
}

static ww_status copy_snapshots(export *self, const exported *at, ww_error *error)
{
    const ww_page *page = &at->page;
    if (page->snapshots == 0)
        return WW_OK;
    WW_TRY(copy_as_it_is(self, &at->member.snapshot_step, page->snapshots, error));
    for (size_t i = 0; i < at->member.snapshot_weights.count; i++)
        WW_TRY(copy_as_it_is(self, &at->member.snapshot_weights.arrays[i], page->snapshots, error));
    if (ww_array_exists(&at->member.snapshot_output_weights))
        WW_TRY(copy_as_it_is(self, &at->member.snapshot_output_weights, page->snapshots, error));
    uint64_t hash = 0;
    ww_status readable = WW_OK;
    if (self->target >= 0)
        readable =
            ww_contents_hash_snapshots(&at->member, page->snapshots, &at->share, &hash, error);
    return judge(self, at, readable, hash, page->snapshots_hash, "the snapshots", error);
}

static ww_status copy_record(export *self, const exported *at, ww_error *error)
{
    if (!at->page.record_valid)
        return WW_OK;
    for (int i = 0; i < WW_RECORDED_COUNT; i++) {
        const ww_array *array = &at->member.recorded[i];
        if (ww_array_exists(array))
            WW_TRY(copy_as_it_is(self, array, ww_array_rows(array), error));
    }
    const ww_array_list *weights = &at->member.recorded_weights;
    for (size_t i = 0; i < weights->count; i++)
        WW_TRY(copy_as_it_is(self, &weights->arrays[i], ww_array_rows(&weights->arrays[i]), error));
    uint64_t hash = 0;
    ww_status readable = WW_OK;
    if (self->target >= 0)
        readable = ww_contents_hash_record(&at->member, &at->share, &hash, error);
    return judge(self, at, readable, hash, at->page.record_hash, "the record", error);
}

static ww_status copy_parts(export *self, exported *at, ww_error *error)
{
    WW_TRY(ww_member_read_pages(&at->member, at->pages, at->valid, error));
    const int newest = ww_page_newest(at->pages, at->valid);
    if (newest < 0)
        return ww_member_fail_pages(self->path, at->member.index, error);
    at->page = at->pages[newest];
    at->share = ww_share_make(&at->member, 0, 1);
    WW_TRY(copy_facts(self, at->member.index, error));
    WW_TRY(add_state(self, at, error));
    WW_TRY(copy_results(self, at, error));
    if (self->choice->weights) {
        WW_TRY(copy_checkpoint(self, at, error));
        WW_TRY(copy_snapshots(self, at, error));
    }
    return self->choice->record ? copy_record(self, at, error) : WW_OK;
}

static ww_status copy_member(export *self, int64_t index, ww_error *error)
{
    exported *at = ww_allocate(1, sizeof *at, "a run to export", error);
    if (at == NULL)
        return WW_FAILED;
    ww_status status = ww_member_open(self->source, self->path, index, &at->member, error);
    if (status == WW_OK)
        status = copy_parts(self, at, error);
    ww_member_close(&at->member);
    free(at);
    return status;
}

static ww_status copy_provenance(export *self, ww_error *error)
{
    int64_t used = 0;
    WW_TRY(ww_provenance_count(self->source, self->path, &used, error));
    if (used > 0) {
        ww_provenance_table *table =
            ww_provenance_table_read(self->source, self->path, used, used, error);
        if (table == NULL)
            return WW_FAILED;
        ww_plan plan = {0};
        ww_status status = ww_provenance_plan(table, &plan, error);
        for (size_t i = 0; i < plan.count && status == WW_OK; i++)
            status = add_item(self, &plan.items[i], ww_copy_text(plan.items[i].path, error), error);
        ww_plan_free(&plan);
        ww_provenance_table_free(table);
        WW_TRY(status);
    }
    ww_array mark;
    WW_TRY(ww_array_open(self->source, self->path, ww_copy_text(WW_FILE_MARK_PATH, error), 0, &mark,
                         error));
    const ww_status status =
        copy_array(self, &mark, ww_array_rows(&mark), ww_copy_text(WW_FILE_MARK_PATH, error),
                   "Random words of the file that this is a copy of", error);
    ww_array_close(&mark);
    return status;
}

static ww_status copy_all(export *self, ww_error *error)
{
    WW_TRY(copy_provenance(self, error));
    for (size_t i = 0; i < self->count; i++)
        WW_TRY(copy_member(self, self->indices[i], error));
    return WW_OK;
}

static ww_status build(void *context, hid_t file, const char *file_name, ww_error *error)
{
    export *self = context;
    self->target = file;
    self->target_name = file_name;
    WW_TRY(ww_skeleton_root(file, file_name, WW_EXPORT_FORMAT, error));
    WW_TRY(copy_all(self, error));
    return ww_skeleton_add_all(file, file_name, &self->legend_plan, error);
}

/// One attempt, on what the file holds now.
static ww_status make_copy(export *self, const char *target, bool force, ww_error *error)
{
    self->bytes = 0;
    self->changed = false;
    self->target = H5I_INVALID_HID;
    self->source = H5I_INVALID_HID;
    self->indices = NULL;
    WW_TRY(ww_file_open_reading(self->path, &self->source, error));
    ww_status status = ww_structure_check(self->path, error);
    if (status == WW_OK)
        status = ww_members_list(self->source, self->path, &self->indices, &self->count, error);
    if (status == WW_OK)
        status = copy_all(self, error);
    if (status == WW_OK)
        status = ww_legend_plan(&self->legend, &self->legend_plan, error);
    const ww_file_builder builder = {.bytes = self->bytes + self->legend_plan.bytes,
                                     .copies = true,
                                     .build = build,
                                     .context = self};
    if (status == WW_OK)
        status = ww_place_file(target, force, &builder, error);
    ww_plan_free(&self->legend_plan);
    ww_legend_free(&self->legend);
    free(self->indices);
    ww_file_close(&self->source);
    return status;
}

ww_status ww_store_export(const char *path, const char *target, bool force,
                          const ww_export_choice *choice, FILE *report, ww_error *error)
{
    if (ww_same_file(path, target))
        return ww_fail(error, WW_USAGE,
                       "%s would be overwritten by its own export; choose another name with -o",
                       path);
    export self = {.path = path, .choice = choice, .report = report};
    ww_status status = WW_FAILED;
    for (int t = 0; t < TRIES; t++) {
        status = make_copy(&self, target, force, error);
        if (status == WW_OK || !self.changed)
            break;
    }
    return status;
}
