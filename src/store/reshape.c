/// Bringing members of a file to new layouts.

#include "store/hdf5_tools.h"
#include "store/member.h"
#include "store/plan.h"
#include "store/skeleton.h"
#include "store/transaction.h"
#include "widthwise/memory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/// What is to be done about one dataset.
typedef enum step_kind {
    STEP_ADD,
    STEP_REPLACE,
    STEP_REPLACE_COPYING, ///< the rows that both have are taken over
    STEP_REMOVE
} step_kind;

typedef struct reshape_step {
    step_kind kind;
    size_t item; ///< of the member's plan
    char *path;
} reshape_step;

/// One member whose layout changes.
typedef struct reshape_member {
    const ww_member_layout *layout;
    ww_plan plan;
    reshape_step *steps;
    size_t count, capacity;
    bool has_new_batches;
    bool changes_gram, changes_spectrum; ///< what is known of the Gram matrix
    bool changes_steps;                  ///< how long training goes on
} reshape_member;

typedef struct reshape {
    const ww_store_changes *changes;
    reshape_member *members; ///< [changes->count]
    const char **touched;
    size_t touched_count;
} reshape;

static ww_status add_step(reshape_member *member, step_kind kind, size_t item, const char *path,
                          ww_error *error)
{
    if (member->count == member->capacity) {
        const size_t capacity = member->capacity == 0 ? 16 : 2 * member->capacity;
        reshape_step *steps = realloc(member->steps, capacity * sizeof *steps);
        if (steps == NULL)
            return ww_fail(error, WW_FAILED, "out of memory for a list of changes");
        member->steps = steps;
        member->capacity = capacity;
    }
    reshape_step *step = &member->steps[member->count];
    *step = (reshape_step){.kind = kind, .item = item, .path = ww_copy_text(path, error)};
    if (step->path == NULL)
        return WW_FAILED;
    member->count++;
    return WW_OK;
}

/// True for a path under /runs/runNNNN/`group`/.
static bool is_under(const reshape_member *member, const char *path, const char *group)
{
    char prefix[64];
    (void)snprintf(prefix, sizeof prefix, "/runs/run%04" PRId64 "/%s/", member->layout->index,
                   group);
    return strncmp(path, prefix, strlen(prefix)) == 0;
}

/// The eigenvectors of the Gram matrix.
static bool is_eigenvectors(const reshape_member *member, const char *path)
{
    char name[64];
    (void)snprintf(name, sizeof name, "/gram/run%04" PRId64 "/eigenvectors", member->layout->index);
    return strcmp(path, name) == 0;
}

/// What is computed anew where its shape changes: nothing of it has to be kept.
static bool is_computed(const reshape_member *member, const char *path)
{
    return is_under(member, path, "final") || is_under(member, path, "theory") ||
           is_under(member, path, "gram") || is_eigenvectors(member, path);
}

static bool is_batches(const reshape_member *member, const char *path)
{
    char name[64];
    (void)snprintf(name, sizeof name, "/record/run%04" PRId64 "/batches", member->layout->index);
    return strcmp(path, name) == 0;
}

static ww_status fail_other(const char *file_name, const char *path, ww_error *error)
{
    return ww_fail(
        error, WW_FAILED,
        "%s: %s is not what the configuration gives now; it or the data files have "
        "changed since the run began: bring them back, or start anew with another output "
        "file",
        file_name, path);
}

static ww_status compare_text(hid_t file, const char *file_name, reshape_member *member,
                              size_t number, ww_error *error)
{
    const ww_plan_item *item = &member->plan.items[number];
    char *text = NULL;
    WW_TRY(ww_text_read(file, file_name, item->path, -1, &text, error));
    const bool same = strcmp(text, item->value) == 0;
    free(text);
    if (same)
        return WW_OK;
    if (!item->changes)
        return fail_other(file_name, item->path, error);
    return add_step(member, STEP_REPLACE, number, item->path, error);
}

static ww_status compare_extents(const ww_array *array, const char *file_name,
                                 reshape_member *member, size_t number, ww_error *error)
{
    const ww_plan_item *item = &member->plan.items[number];
    bool same_row = array->rank == item->rank;
    for (int axis = 1; axis < item->rank && same_row; axis++)
        same_row = array->extent[axis] == item->extent[axis];
    const bool has_replicas = member->layout->replicas > 1;
    if (same_row && (is_under(member, item->path, "trajectory") ||
                     (has_replicas && (is_under(member, item->path, "replica") ||
                                       is_under(member, item->path, "final") ||
                                       is_under(member, item->path, "theory")))))
        return add_step(member, STEP_REPLACE_COPYING, number, item->path, error);
    if (same_row && is_batches(member, item->path)) {
        member->has_new_batches = true;
        return add_step(member, STEP_REPLACE, number, item->path, error);
    }
    if (!has_replicas && is_computed(member, item->path))
        return add_step(member, STEP_REPLACE, number, item->path, error);
    return fail_other(file_name, item->path, error);
}

static ww_status compare_numbers(hid_t file, const char *file_name, reshape_member *member,
                                 size_t number, ww_error *error)
{
    const ww_plan_item *item = &member->plan.items[number];
    ww_array array;
    WW_TRY(ww_array_open(file, file_name, ww_copy_text(item->path, error), 0, &array, error));
    ww_status status = WW_OK;
    if (array.integer != (item->type == WW_PLAN_INTEGER))
        status = fail_other(file_name, item->path, error);
    else if (array.rank != item->rank ||
             memcmp(array.extent, item->extent, (size_t)item->rank * sizeof *item->extent) != 0)
        status = compare_extents(&array, file_name, member, number, error);
    else if (item->rank == 0 && item->fill == WW_PLAN_VALUE) {
        char stored[WW_VALUE_BYTES];
        status = ww_array_read(&array, 0, 0, 1, stored, error);
        const bool same = memcmp(stored, item->value, sizeof stored) == 0;
        if (status == WW_OK && !same && item->changes)
            status = add_step(member, STEP_REPLACE, number, item->path, error);
        else if (status == WW_OK && !same)
            status = fail_other(file_name, item->path, error);
    }
    ww_array_close(&array);
    return status;
}

static bool is_there(hid_t file, const char *path)
{
    const ww_quiet quiet = ww_quiet_begin();
    const hid_t dataset = H5Dopen2(file, path, H5P_DEFAULT);
    if (dataset >= 0)
        H5Dclose(dataset);
    ww_quiet_end(&quiet);
    return dataset >= 0;
}

static ww_status compare_item(hid_t file, const char *file_name, reshape_member *member,
                              size_t number, ww_error *error)
{
    const ww_plan_item *item = &member->plan.items[number];
    if (is_there(file, item->path)) {
        if (item->type == WW_PLAN_TEXT)
            return compare_text(file, file_name, member, number, error);
        return compare_numbers(file, file_name, member, number, error);
    }
    if (is_computed(member, item->path))
        return add_step(member, STEP_ADD, number, item->path, error);
    if (is_under(member, item->path, "trajectory"))
        return ww_fail(error, WW_USAGE,
                       "%s: the rows of run%04" PRId64
                       " have no %s, which what is asked for needs; "
                       "start anew with another output file",
                       file_name, member->layout->index, strrchr(item->path, '/') + 1);
    return fail_other(file_name, item->path, error);
}

/// Results and predictions that the new layout has no more, under `parent`, which is taken over.
static ww_status find_removed(hid_t file, const char *file_name, reshape_member *member,
                              char *parent, ww_error *error)
{
    if (parent == NULL)
        return WW_FAILED;
    ww_names names = {0};
    ww_status status = ww_names_read(file, file_name, parent, &names, error);
    for (size_t i = 0; i < names.count && status == WW_OK; i++) {
        char *path = ww_format(error, "%s/%s", parent, names.names[i]);
        bool wanted = false;
        for (size_t j = 0; j < member->plan.count && path != NULL; j++)
            wanted = wanted || strcmp(member->plan.items[j].path, path) == 0;
        if (path == NULL)
            status = WW_FAILED;
        else if (!wanted)
            status = add_step(member, STEP_REMOVE, 0, path, error);
        free(path);
    }
    ww_names_free(&names);
    free(parent);
    return status;
}

/// A run cannot be made shorter than it is.
static ww_status check_steps(hid_t file, const char *file_name, const reshape_member *member,
                             ww_error *error)
{
    ww_array commit;
    ww_page pages[WW_PAGES];
    bool valid[WW_PAGES];
    const int64_t index = member->layout->index;
    WW_TRY(ww_pages_open(file, file_name, index, &commit, error));
    const ww_status status = ww_pages_read(&commit, pages, valid, error);
    ww_array_close(&commit);
    WW_TRY(status);
    int64_t made = -1;
    for (int p = 0; p < WW_PAGES; p++) {
        if (!valid[p])
            continue;
        if (pages[p].last_step > made)
            made = pages[p].last_step;
        for (int s = 0; s < WW_SLOTS; s++)
            if (pages[p].slot[s].valid && pages[p].slot[s].step > made)
                made = pages[p].slot[s].step;
    }
    if (ww_page_newest(pages, valid) < 0)
        return ww_member_fail_pages(file_name, index, error);
    if (member->layout->steps >= made)
        return WW_OK;
    return ww_fail(error, WW_USAGE,
                   "%s: run%04" PRId64 " has already made %" PRId64 " steps, so training.steps "
                   "cannot be %" PRId64 "; give %" PRId64 " or more",
                   file_name, index, made, member->layout->steps, made);
}

/// Which parts of what a page vouches for the steps touch.
static void find_touched(reshape_member *member)
{
    static const char spectrum[] = "eigen";
    for (size_t i = 0; i < member->count; i++) {
        const char *path = member->steps[i].path;
        const bool is_field = is_under(member, path, "gram");
        member->changes_steps = member->changes_steps || is_under(member, path, "trajectory") ||
                                strcmp(strrchr(path, '/'), "/steps") == 0;
        const bool of_spectrum =
            strncmp(strrchr(path, '/') + 1, spectrum, sizeof spectrum - 1) == 0;
        member->changes_gram = member->changes_gram || (is_field && !of_spectrum);
        member->changes_spectrum =
            member->changes_spectrum || (is_field && of_spectrum) || is_eigenvectors(member, path);
    }
}

static ww_status compare_member(hid_t file, const char *file_name, reshape_member *member,
                                ww_error *error)
{
    WW_TRY(ww_plan_add_member(&member->plan, member->layout, NULL, error));
    WW_TRY(check_steps(file, file_name, member, error));
    for (size_t i = 0; i < member->plan.count; i++)
        WW_TRY(compare_item(file, file_name, member, i, error));
    const int64_t index = member->layout->index;
    static const char *const groups[] = {"final", "theory", "gram"};
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
        WW_TRY(find_removed(file, file_name, member,
                            ww_format(error, "/runs/run%04" PRId64 "/%s", index, groups[i]),
                            error));
    WW_TRY(find_removed(file, file_name, member, ww_format(error, "/gram/run%04" PRId64, index),
                        error));
    find_touched(member);
    return WW_OK;
}

/// Compares all members with the file, and lists what is touched.
static ww_status compare(const char *path, reshape *self, ww_error *error)
{
    hid_t file = H5I_INVALID_HID;
    WW_TRY(ww_file_open_reading(path, &file, error));
    ww_status status = WW_OK;
    size_t total = 0;
    for (size_t i = 0; i < self->changes->count && status == WW_OK; i++) {
        self->members[i].layout = &self->changes->layouts[i];
        status = compare_member(file, path, &self->members[i], error);
        total += self->members[i].count;
    }
    ww_file_close(&file);
    WW_TRY(status);
    self->touched = ww_allocate(total, sizeof *self->touched, "a list of changes", error);
    if (self->touched == NULL)
        return WW_FAILED;
    for (size_t i = 0; i < self->changes->count; i++)
        for (size_t j = 0; j < self->members[i].count; j++)
            self->touched[self->touched_count++] = self->members[i].steps[j].path;
    return WW_OK;
}

static ww_status hash_batches(hid_t file, const char *file_name, const reshape_member *member,
                              uint64_t *hash, ww_error *error)
{
    ww_array array;
    *hash = 0;
    WW_TRY(
        ww_array_open(file, file_name,
                      ww_format(error, "/record/run%04" PRId64 "/batches", member->layout->index),
                      0, &array, error));
    const ww_status status = ww_array_hash(
        &array, ww_array_rows(&array), ww_recorded_block(WW_RECORDED_BATCHES), 0, 1, hash, error);
    ww_array_close(&array);
    return status;
}

/// Batches of one member, as rows of a dataset.
typedef struct batch_rows {
    const ww_store_changes *changes;
    size_t member;
} batch_rows;

static void batch_row(void *context, int64_t step, int64_t *indices)
{
    const batch_rows *rows = context;
    rows->changes->batch(rows->changes->batch_context, rows->member, step, indices);
}

static ww_status write_batches(hid_t file, const char *file_name, const reshape *self,
                               size_t number, uint64_t *hash, ww_error *error)
{
    const reshape_member *member = &self->members[number];
    batch_rows rows = {.changes = self->changes, .member = number};
    ww_array array;
    *hash = 0;
    WW_TRY(
        ww_array_open(file, file_name,
                      ww_format(error, "/record/run%04" PRId64 "/batches", member->layout->index),
                      0, &array, error));
    const ww_status status = ww_array_write_rows(
        &array, batch_row, &rows, ww_recorded_block(WW_RECORDED_BATCHES), 0, 1, hash, error);
    ww_array_close(&array);
    return status;
}

/// Both pages say the same of the new layout as they did of the old one, but that results are to be
/// computed anew. `record_change` is what the hash of the record changes by.
static ww_status write_pages(hid_t file, const char *file_name, const reshape_member *member,
                             uint64_t record_change, ww_error *error)
{
    const int64_t index = member->layout->index;
    ww_array commit;
    ww_page pages[WW_PAGES];
    bool valid[WW_PAGES];
    WW_TRY(ww_pages_open(file, file_name, index, &commit, error));
    ww_status status = ww_pages_read(&commit, pages, valid, error);
    for (int p = 0; p < WW_PAGES && status == WW_OK; p++) {
        if (!valid[p])
            continue;
        ww_page *page = &pages[p];
        if (page->state == WW_RUN_DONE)
            page->state = WW_RUN_STOPPED;
        page->final_valid = page->theory_valid = false;
        page->final_hash = page->theory_hash = 0;
        page->trained = page->trained && !member->changes_steps;
        if (member->changes_gram)
            page->gram_valid = false;
        if (member->changes_spectrum)
            page->spectrum_valid = false;
        if (page->record_valid)
            page->record_hash += record_change;
        int64_t words[WW_PAGE_WORDS];
        ww_page_encode(page, words);
        status = ww_array_write(&commit, 0, p, 1, words, error);
    }
    ww_array_close(&commit);
    return status;
}

static ww_status make_step(hid_t file, const char *file_name, const reshape_member *member,
                           const reshape_step *step, ww_error *error)
{
    const ww_plan_item *item = &member->plan.items[step->item];
    switch (step->kind) {
    case STEP_ADD:
        return ww_skeleton_add(file, file_name, item, error);
    case STEP_REPLACE:
        return ww_transaction_replace(file, file_name, item, false, error);
    case STEP_REPLACE_COPYING:
        return ww_transaction_replace(file, file_name, item, true, error);
    case STEP_REMOVE:
        return ww_transaction_remove(file, file_name, step->path, error);
    }
    return WW_OK;
}

/// A record that is not there yet is written when the run begins, batches included.
static ww_status has_record(hid_t file, const char *file_name, int64_t index, bool *has,
                            ww_error *error)
{
    ww_array commit;
    ww_page pages[WW_PAGES];
    bool valid[WW_PAGES];
    WW_TRY(ww_pages_open(file, file_name, index, &commit, error));
    const ww_status status = ww_pages_read(&commit, pages, valid, error);
    ww_array_close(&commit);
    *has = false;
    for (int p = 0; p < WW_PAGES && status == WW_OK; p++)
        *has = *has || (valid[p] && pages[p].record_valid);
    return status;
}

static ww_status change_member(hid_t file, const char *file_name, const reshape *self,
                               size_t number, ww_error *error)
{
    const reshape_member *member = &self->members[number];
    if (member->count == 0)
        return WW_OK;
    bool recorded = false;
    uint64_t before = 0;
    uint64_t after = 0;
    if (member->has_new_batches) {
        WW_TRY(has_record(file, file_name, member->layout->index, &recorded, error));
        if (recorded)
            WW_TRY(hash_batches(file, file_name, member, &before, error));
    }
    for (size_t i = 0; i < member->count; i++)
        WW_TRY(make_step(file, file_name, member, &member->steps[i], error));
    if (recorded)
        WW_TRY(write_batches(file, file_name, self, number, &after, error));
    return write_pages(file, file_name, member, after - before, error);
}

static ww_status change(void *context, hid_t file, const char *file_name, ww_error *error)
{
    const reshape *self = context;
    for (size_t i = 0; i < self->changes->count; i++)
        WW_TRY(change_member(file, file_name, self, i, error));
    return WW_OK;
}

/// What the file may grow by: what is added or replaced, since old space is not sure to be used
/// again, and the journal of it.
static int64_t bytes_of_change(const reshape *self)
{
    int64_t bytes = 1 << 20;
    for (size_t i = 0; i < self->changes->count; i++) {
        const reshape_member *member = &self->members[i];
        for (size_t j = 0; j < member->count; j++)
            if (member->steps[j].kind != STEP_REMOVE)
                bytes += 2 * ww_plan_item_bytes(&member->plan.items[member->steps[j].item]);
    }
    return bytes;
}

static ww_status reshape_file(const char *path, const ww_store_changes *changes, ww_error *error)
{
    reshape self = {.changes = changes};
    self.members = ww_allocate(changes->count, sizeof *self.members, "a list of changes", error);
    if (self.members == NULL)
        return WW_FAILED;
    ww_status status = compare(path, &self, error);
    if (status == WW_OK && self.touched_count > 0) {
        const ww_transaction transaction = {.touched = self.touched,
                                            .count = self.touched_count,
                                            .bytes = bytes_of_change(&self),
                                            .work = change,
                                            .context = &self};
        status = ww_transaction_run(path, &transaction, error);
    }
    for (size_t i = 0; i < changes->count; i++) {
        for (size_t j = 0; j < self.members[i].count; j++)
            free(self.members[i].steps[j].path);
        free(self.members[i].steps);
        ww_plan_free(&self.members[i].plan);
    }
    free(self.members);
    free(self.touched);
    return status;
}

ww_status ww_store_reshape(const char *path, const ww_store_changes *changes,
                           const ww_parallel *parallel, ww_error *error)
{
    ww_status status = WW_OK;
    if (parallel->rank == 0)
        status = reshape_file(path, changes, error);
    return ww_agree(parallel, status, error);
}
