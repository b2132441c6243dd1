/// Opening and closing a member, its rows, and the commit.

#include "store/disk.h"
#include "store/member.h"
#include "store/plan.h"
#include "widthwise/hash.h"
#include "widthwise/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/// A plan tells of every layer that is missing, but not of one too many.
static ww_status check_depth(const ww_store *store, const ww_member_layout *layout, ww_error *error)
{
    const size_t found = store->member.slot[0].hidden_weights.count;
    if (store->member.has_replicas || found == (size_t)layout->depth)
        return WW_OK;
    return ww_fail(error, WW_FAILED,
                   "%s: run%04" PRId64 " has %zu hidden layers where the configuration asks for "
                   "%" PRId64
                   "; the file belongs to another configuration, start anew with another "
                   "output file",
                   store->path, layout->index, found, layout->depth);
}

/// Nor of what no engine here keeps.
static ww_status check_state(const ww_store *store, const ww_member_layout *layout, ww_error *error)
{
    if (layout->state_columns > 0 || !ww_array_exists(&store->member.slot[0].engine_state))
        return WW_OK;
    return ww_fail(error, WW_FAILED,
                   "%s has a dataset %s that the engine of this configuration does not keep; the "
                   "file belongs to another configuration or version, go on with that one",
                   store->path, store->member.slot[0].engine_state.path);
}

/// Checks the open file against the layout and opens the member.
static ww_status open_member(ww_store *store, const ww_member_layout *layout, ww_error *error)
{
    ww_plan plan = {0};
    ww_status status = ww_plan_add_member(&plan, layout, NULL, error);
    if (status == WW_OK)
        status = ww_plan_check(&plan, store->file, store->path, error);
    ww_plan_free(&plan);
    WW_TRY(status);
    ww_member *member = &store->member;
    WW_TRY(ww_member_open(store->file, store->path, layout->index, member, error));
    WW_TRY(check_depth(store, layout, error));
    WW_TRY(check_state(store, layout, error));
    WW_TRY(ww_array_list_order(&member->trajectory, layout->trajectory, layout->trajectory_count,
                               store->path, "trajectory", error));
    WW_TRY(ww_array_list_order(&member->final, layout->final, layout->final_count, store->path,
                               "final result", error));
    WW_TRY(ww_array_list_order(&member->theory, layout->theory, layout->theory_count, store->path,
                               "prediction", error));
    return ww_array_list_order(&member->gram, layout->gram, layout->gram_count, store->path,
                               "result of the Gram matrix", error);
}

static ww_status begin_results(const ww_array_list *list, ww_pending_results *results,
                               ww_error *error)
{
    results->written =
        ww_allocate(list->count, sizeof *results->written, "a list of results", error);
    results->hashes = ww_allocate(list->count, sizeof *results->hashes, "a list of results", error);
    return results->written == NULL || results->hashes == NULL ? WW_FAILED : WW_OK;
}

ww_status ww_store_read_pages(const ww_store *store, ww_page pages[WW_PAGES], bool valid[WW_PAGES],
                              int *newest, ww_error *error)
{
    ww_status status = WW_OK;
    if (store->parallel.rank == 0) {
        status = ww_member_read_pages(&store->member, pages, valid, error);
        if (status == WW_OK && ww_page_newest(pages, valid) < 0)
            status = ww_member_fail_pages(store->path, store->member.index, error);
    }
    WW_TRY(ww_agree(&store->parallel, status, error));
    WW_TRY(ww_broadcast(&store->parallel, pages, WW_PAGES * sizeof *pages, 0, error));
    WW_TRY(ww_broadcast(&store->parallel, valid, WW_PAGES * sizeof *valid, 0, error));
    *newest = ww_page_newest(pages, valid);
    return WW_OK;
}

/// What stands in the file now.
static ww_status load_pages(ww_store *store, ww_error *error)
{
    ww_page pages[WW_PAGES];
    bool valid[WW_PAGES] = {false};
    WW_TRY(ww_store_read_pages(store, pages, valid, &store->standing, error));
    store->page = pages[store->standing];
    return WW_OK;
}

/// What the store keeps in memory of it.
static ww_status begin_state(ww_store *store, const ww_member_layout *layout, ww_error *error)
{
    store->rows.last_step = store->page.last_step;
    store->snapshots = store->page.snapshots;
    store->snapshots_hash = store->page.snapshots_hash;
    store->row_words = ww_member_row_words(&store->member);
    store->row_room =
        ww_allocate((size_t)store->row_words, sizeof *store->row_room, "a row", error);
    if (store->row_room == NULL)
        return WW_FAILED;
    store->snapshot_steps = ww_allocate(layout->snapshot_count, sizeof *store->snapshot_steps,
                                        "the steps of snapshots", error);
    if (store->snapshot_steps == NULL)
        return WW_FAILED;
    if (layout->snapshot_count > 0)
        memcpy(store->snapshot_steps, layout->snapshot_steps,
               layout->snapshot_count * sizeof *store->snapshot_steps);
    WW_TRY(begin_results(&store->member.final, &store->final, error));
    WW_TRY(begin_results(&store->member.theory, &store->theory, error));
    return begin_results(&store->member.gram, &store->gram, error);
}

/// This rank's own descriptor, to sync its writes. Also finds out, before the collective opening,
/// whether this rank can open the file at all.
static ww_status open_descriptor(ww_store *store, const int64_t *file_mark, ww_error *error)
{
    if (store->parallel.rank == 0) { // for its clear sentences: MPI-IO gives poorer ones
        int64_t found[2] = {0};
        WW_TRY(ww_store_identify(store->path, found, error));
        if (file_mark != NULL && memcmp(found, file_mark, sizeof found) != 0)
            return ww_fail(error, WW_FAILED,
                           "%s was replaced by another file while the job wrote it: what this job "
                           "has still to do has no place there, so it ends",
                           store->path);
    }
    store->descriptor = open(store->path, O_RDWR | O_CLOEXEC);
    if (store->descriptor < 0)
        return ww_fail(error, WW_FAILED,
                       "rank %d cannot open %s for writing: %s; check its permissions, and that "
                       "all nodes see the folder",
                       store->parallel.rank, store->path, strerror(errno));
    struct stat opened;
    if (fstat(store->descriptor, &opened) == 0)
        store->size = (int64_t)opened.st_size;
    return WW_OK;
}

/// The same on rank 0, which finds it out.
static ww_status check_place(const ww_store *store, ww_error *error)
{
    static const char advice[] = "what this job writes now would be lost, so it ends";
    struct stat opened;
    struct stat named;
    if (store->parallel.rank != 0 || fstat(store->descriptor, &opened) != 0)
        return WW_OK;
    if (stat(store->path, &named) != 0)
        return ww_fail(error, WW_FAILED, "%s was removed or renamed while the job wrote it: %s",
                       store->path, advice);
    if (named.st_ino != opened.st_ino || named.st_dev != opened.st_dev)
        return ww_fail(error, WW_FAILED,
                       "%s was replaced by another file while the job wrote it: %s", store->path,
                       advice);
    if ((int64_t)opened.st_size < store->size)
        return ww_fail(error, WW_FAILED,
                       "%s was cut off from %" PRId64 " to %" PRId64
                       " bytes while the job wrote it: %s; restore it from a backup",
                       store->path, store->size, (int64_t)opened.st_size, advice);
    return WW_OK;
}

ww_status ww_store_agree_place(const ww_store *store, ww_error *error)
{
    return ww_agree(&store->parallel, check_place(store, error), error);
}

static ww_status open_store(ww_store *store, const char *path, const ww_member_layout *layout,
                            ww_error *error)
{
    const ww_parallel *parallel = &store->parallel;
    store->path = ww_copy_text(path, error);
    ww_status status =
        store->path == NULL ? WW_FAILED : open_descriptor(store, layout->file_mark, error);
    WW_TRY(ww_agree(parallel, status, error));
    status = ww_file_open_writing(path, parallel->communicator, &store->file, error);
    WW_TRY(ww_agree(parallel, status, error));
    WW_TRY(ww_agree(parallel, open_member(store, layout, error), error));
    WW_TRY(load_pages(store, error));
    return ww_agree(parallel, begin_state(store, layout, error), error);
}

ww_status ww_store_open(const char *path, const ww_member_layout *layout,
                        const ww_parallel *parallel, const ww_tiling *tiling, ww_store **store,
                        ww_error *error)
{
    WW_ASSERT(tiling->width == layout->width);
    *store = NULL;
    ww_store *opened = ww_allocate(1, sizeof *opened, "an open file", error);
    WW_TRY(ww_agree(parallel, opened == NULL ? WW_FAILED : WW_OK, error));
    opened->parallel = *parallel;
    opened->tiling = *tiling;
    opened->file = H5I_INVALID_HID;
    opened->descriptor = -1;
    opened->member = ww_member_none(layout->index);
    opened->carry_count = (int64_t)layout->carry_count;
    opened->data_hash = layout->data_hash;
    const ww_status status = open_store(opened, path, layout, error);
    if (status == WW_OK)
        *store = opened;
    else
        ww_store_close(opened);
    return status;
}

void ww_store_close(ww_store *store)
{
    if (store == NULL)
        return;
    ww_member_close(&store->member);
    ww_file_close(&store->file);
    if (store->descriptor >= 0)
        close(store->descriptor);
    free(store->rows.words);
    free(store->row_room);
    free(store->snapshot_steps);
    free(store->final.written);
    free(store->final.hashes);
    free(store->theory.written);
    free(store->theory.hashes);
    free(store->gram.written);
    free(store->gram.hashes);
    free(store->path);
    free(store);
}

/// Room for one more pending row on rank 0.
static ww_status reserve_row(ww_store *store, ww_error *error)
{
    ww_pending_rows *rows = &store->rows;
    if (rows->count < rows->capacity)
        return WW_OK;
    const int64_t capacity = rows->capacity == 0 ? 16 : 2 * rows->capacity;
    int64_t *words = ww_allocate((size_t)capacity, (size_t)store->row_words * sizeof *words,
                                 "rows to be written", error);
    if (words == NULL)
        return WW_FAILED;
    if (rows->count > 0)
        memcpy(words, rows->words, (size_t)(rows->count * store->row_words) * sizeof *words);
    free(rows->words);
    rows->words = words;
    rows->capacity = capacity;
    return WW_OK;
}

/// Takes row number `row` into the hash, array by array.
static void hash_row(ww_store *store, int64_t row, const int64_t *words)
{
    for (size_t i = 0; i < ww_member_row_arrays(&store->member); i++) {
        const ww_array *array = ww_member_row_array(&store->member, i);
        const int64_t count = ww_array_row_values(array);
        store->rows.hash +=
            ww_hash_block(words, (size_t)count * sizeof *words, array->key, (uint64_t)row);
        words += count;
    }
}

ww_status ww_store_append_row(ww_store *store, const int64_t *words, ww_error *error)
{
    ww_pending_rows *rows = &store->rows;
    const int64_t row = ww_store_rows(store);
    WW_ASSERT(row < ww_array_rows(&store->member.step));
    ww_status status = WW_OK;
    if (store->parallel.rank == 0)
        status = reserve_row(store, error);
    WW_TRY(ww_agree(&store->parallel, status, error));
    if (store->parallel.rank == 0)
        memcpy(rows->words + rows->count * store->row_words, words,
               (size_t)store->row_words * sizeof *words);
    hash_row(store, row, words);
    rows->count++;
    return WW_OK;
}

ww_status ww_store_append(ww_store *store, int64_t step, const double *values, ww_error *error)
{
    WW_ASSERT(!store->member.has_replicas && step > store->rows.last_step);
    store->row_room[0] = step;
    memcpy(store->row_room + 1, values, (size_t)(store->row_words - 1) * sizeof *store->row_room);
    WW_TRY(ww_store_append_row(store, store->row_room, error));
    store->rows.last_step = step;
    return WW_OK;
}

int64_t ww_store_rows(const ww_store *store)
{
    return store->page.rows + store->rows.count;
}

/// Writes the pending rows, one contiguous run for each dataset. Rank 0.
static ww_status write_rows(const ww_store *store, ww_error *error)
{
    const ww_pending_rows *rows = &store->rows;
    if (rows->count == 0)
        return WW_OK;
    int64_t *run = ww_allocate((size_t)rows->count, (size_t)store->row_words * sizeof *run,
                               "rows to be written", error);
    if (run == NULL)
        return WW_FAILED;
    ww_status status = WW_OK;
    int64_t offset = 0;
    for (size_t i = 0; i < ww_member_row_arrays(&store->member) && status == WW_OK; i++) {
        const ww_array *array = ww_member_row_array(&store->member, i);
        const int64_t count = ww_array_row_values(array);
        for (int64_t r = 0; r < rows->count; r++)
            memcpy(run + r * count, rows->words + r * store->row_words + offset,
                   (size_t)count * sizeof *run);
        status = ww_array_write(array, 0, store->page.rows, rows->count, run, error);
        offset += count;
    }
    free(run);
    return status;
}

/// Writes the page that makes the commit. Rank 0.
static ww_status write_page(const ww_store *store, const ww_page *page, ww_error *error)
{
    int64_t words[WW_PAGE_WORDS];
    ww_page_encode(page, words);
    return ww_array_write(&store->member.commit, 0, page->generation % WW_PAGES, 1, words, error);
}

ww_page ww_store_next_page(const ww_store *store)
{
    ww_page next = store->page;
    next.generation = ww_page_next_generation(store->page.generation, store->standing);
    next.rows += store->rows.count;
    next.rows_hash += store->rows.hash;
    next.last_step = store->rows.last_step;
    next.snapshots = store->snapshots;
    next.snapshots_hash = store->snapshots_hash;
    return next;
}

ww_status ww_store_agree_written(const ww_store *store, ww_status status, ww_error *error)
{
    status = ww_agree(&store->parallel, status, error);
    if (status != WW_OK)
        ww_error_advise(error,
                        "; what was committed before is intact: free space or quota where that is "
                        "the reason, then go on with `widthwise resume %s`",
                        store->path);
    return status;
}

ww_status ww_store_make_durable(ww_store *store, ww_status status, ww_error *error)
{
    WW_TRY(ww_store_agree_written(store, status, error));
    WW_TRY(ww_store_agree_place(store, error));
    if (status == WW_OK && store->parallel.rank == 0)
        status = write_rows(store, error);
    if (status == WW_OK)
        status = ww_sync_file(store->path, store->descriptor, error);
    return ww_store_agree_written(store, status, error);
}

static ww_status go_to_page(ww_store *store, const ww_page *next, bool durably, ww_error *error)
{
    WW_TRY(ww_store_agree_place(store, error));
    ww_status status = WW_OK;
    if (store->parallel.rank == 0) {
        status = write_page(store, next, error);
        if (status == WW_OK && durably)
            status = ww_sync_file(store->path, store->descriptor, error);
    }
    WW_TRY(ww_store_agree_written(store, status, error));
    store->page = *next;
    store->standing = (int)(next->generation % WW_PAGES);
    store->rows.count = 0;
    store->rows.hash = 0;
    return WW_OK;
}

ww_status ww_store_make_count(ww_store *store, const ww_page *next, ww_error *error)
{
    return go_to_page(store, next, true, error);
}

ww_status ww_store_start_page(ww_store *store, const ww_page *next, ww_error *error)
{
    if (store->page.generation > 0)
        return ww_store_publish(store, next, WW_OK, error);
    return go_to_page(store, next, false, error);
}

ww_status ww_store_publish(ww_store *store, const ww_page *next, ww_status status, ww_error *error)
{
    // All data of all ranks are on the disk before the page that says so.
    WW_TRY(ww_store_make_durable(store, status, error));
    return ww_store_make_count(store, next, error);
}

ww_status ww_store_commit_rows(ww_store *store, ww_error *error)
{
    if (store->rows.count == 0) // the same on all ranks
        return WW_OK;
    ww_page next = ww_store_next_page(store);
    next.state = WW_RUN_RUNNING;
    return ww_store_publish(store, &next, WW_OK, error);
}

ww_status ww_store_write_audit(ww_store *store, ww_audit_kind kind, const ww_audit *audit,
                               ww_error *error)
{
    ww_page next = ww_store_next_page(store);
    next.audits[kind] = *audit;
    return ww_store_publish(store, &next, WW_OK, error);
}

/// Committed and pending values of one array of scalars on rank 0, then on all ranks. `offset` is
/// the place of the array in a pending row.
static ww_status read_all(ww_store *store, const ww_array *array, int64_t offset, void *values,
                          ww_error *error)
{
    ww_status status = WW_OK;
    if (store->parallel.rank == 0) {
        status = ww_array_read(array, 0, 0, store->page.rows, values, error);
        char *place = (char *)values + store->page.rows * WW_VALUE_BYTES;
        for (int64_t i = 0; i < store->rows.count; i++)
            memcpy(place + i * WW_VALUE_BYTES, store->rows.words + i * store->row_words + offset,
                   WW_VALUE_BYTES);
    }
    WW_TRY(ww_agree(&store->parallel, status, error));
    return ww_broadcast(&store->parallel, values, (size_t)(ww_store_rows(store) * WW_VALUE_BYTES),
                        0, error);
}

/// Place of a field of the trajectory in a pending row.
static int64_t place_in_row(const ww_store *store, size_t field)
{
    int64_t place = 1; // behind the step
    for (size_t i = 0; i < field; i++)
        place += ww_array_row_values(&store->member.trajectory.arrays[i]);
    return place;
}

ww_status ww_store_read_scalar(ww_store *store, size_t field, double *values, ww_error *error)
{
    WW_ASSERT(field < store->member.trajectory.count);
    const ww_array *array = &store->member.trajectory.arrays[field];
    WW_ASSERT(ww_array_row_values(array) == 1);
    return read_all(store, array, place_in_row(store, field), values, error);
}

ww_status ww_store_read_row(ww_store *store, size_t field, int64_t row, double *values,
                            ww_error *error)
{
    WW_ASSERT(field < store->member.trajectory.count && row < ww_store_rows(store));
    const ww_array *array = &store->member.trajectory.arrays[field];
    const size_t bytes = (size_t)(ww_array_row_values(array) * WW_VALUE_BYTES);
    const int64_t pending = row - store->page.rows;
    ww_status status = WW_OK;
    if (store->parallel.rank == 0 && pending < 0)
        status = ww_array_read(array, 0, row, 1, values, error);
    else if (store->parallel.rank == 0)
        memcpy(values, store->rows.words + pending * store->row_words + place_in_row(store, field),
               bytes);
    WW_TRY(ww_agree(&store->parallel, status, error));
    return ww_broadcast(&store->parallel, values, bytes, 0, error);
}

ww_status ww_store_read_steps(ww_store *store, int64_t *steps, ww_error *error)
{
    return read_all(store, &store->member.step, 0, steps, error);
}
