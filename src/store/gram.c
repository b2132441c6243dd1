/// What the file keeps of the Gram matrix: its fields, the eigenvectors, and targets computed with
/// it. Two parts are vouched for: the spectrum, which may serve other labels too, and all else.

#include "store/gram.h"
#include "store/contents.h"
#include "store/member.h"
#include "store/readback.h"
#include "widthwise/hash.h"
#include "widthwise/memory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

uint64_t ww_matrix_hash(const char *path, const double *values, int64_t rows, int64_t columns,
                        int64_t first)
{
    const uint64_t key = ww_hash_name(path);
    uint64_t hash = 0;
    for (int64_t row = 0; row < rows; row++)
        hash += ww_hash_block(values + row * columns, (size_t)columns * sizeof *values, key,
                              (uint64_t)(first + row));
    return hash;
}

char *ww_train_targets_path(int64_t index, ww_error *error)
{
    return ww_format(error, "/state/run%04" PRId64 "/train_targets", index);
}

ww_status ww_store_check_gram(ww_store *store, ww_gram_state *state, ww_error *error)
{
    static const ww_part parts[] = {WW_PART_GRAM, WW_PART_SPECTRUM};
    enum { CHECKED = sizeof parts / sizeof parts[0] };
    const ww_share share =
        ww_share_make(&store->member, store->parallel.rank, store->parallel.size);
    uint64_t hashes[CHECKED] = {0};
    ww_status read[CHECKED];
    bool readable[CHECKED], valid[CHECKED];
    ww_error unreadable = {0};
    for (size_t i = 0; i < CHECKED; i++)
        read[i] = ww_contents_hash_part(&store->member, &store->page, parts[i], &share, &hashes[i],
                                        &unreadable);
    WW_TRY(ww_hashes_sum(&store->parallel, read, CHECKED, hashes, readable, error));
    for (size_t i = 0; i < CHECKED; i++) {
        uint64_t expected = 0;
        valid[i] = ww_part_expected(&store->page, parts[i], &expected) && readable[i] &&
                   hashes[i] == expected;
    }
    *state = (ww_gram_state){.valid = valid[0],
                             .spectrum_valid = valid[1],
                             .key = store->page.gram_key,
                             .spectrum_key = store->page.spectrum_key};
    return WW_OK;
}

ww_status ww_store_agree_data(const ww_store *store, ww_error *error)
{
    return ww_store_check_data(store, error);
}

ww_status ww_store_begin_gram(ww_store *store, bool spectrum_too, ww_error *error)
{
    memset(store->gram.written, 0, store->member.gram.count * sizeof *store->gram.written);
    store->eigenvectors_written = false;
    store->eigenvectors_hash = 0;
    ww_page next = ww_store_next_page(store);
    if (!next.gram_valid && !(spectrum_too && next.spectrum_valid))
        return WW_OK;
    next.gram_valid = false;
    next.gram_hash = 0;
    if (spectrum_too) {
        next.spectrum_valid = false;
        next.spectrum_hash = 0;
    }
    return ww_store_publish(store, &next, WW_OK, error);
}

ww_status ww_store_read_gram(ww_store *store, size_t field, double *values, ww_error *error)
{
    WW_ASSERT(field < store->member.gram.count);
    const ww_array *array = &store->member.gram.arrays[field];
    const int64_t rows = ww_array_rows(array);
    ww_status status = WW_OK;
    if (store->parallel.rank == 0)
        status = ww_array_read(array, 0, 0, rows, values, error);
    WW_TRY(ww_agree(&store->parallel, status, error));
    return ww_broadcast(&store->parallel, values,
                        (size_t)(rows * ww_array_row_values(array)) * sizeof *values, 0, error);
}

ww_status ww_store_read_eigenvectors(ww_store *store, int64_t first, int64_t count, double *rows,
                                     ww_error *error)
{
    const ww_array *array = &store->member.eigenvectors;
    WW_ASSERT(ww_array_exists(array));
    return ww_agree(&store->parallel, ww_array_read(array, 0, first, count, rows, error), error);
}

ww_status ww_store_write_eigenvectors(ww_store *store, int64_t first, int64_t count,
                                      const double *rows, ww_error *error)
{
    const ww_array *array = &store->member.eigenvectors;
    WW_ASSERT(ww_array_exists(array));
    WW_TRY(ww_store_agree_place(store, error));
    WW_TRY(
        ww_store_agree_written(store, ww_array_write(array, 0, first, count, rows, error), error));
    ww_array_begin_sync(array, store->descriptor, 0, first, count);
    store->eigenvectors_hash +=
        ww_matrix_hash(array->path, rows, count, ww_array_row_values(array), first);
    store->eigenvectors_written = true;
    return WW_OK;
}

ww_status ww_store_commit_gram(ww_store *store, uint64_t spectrum_key, uint64_t key,
                               ww_error *error)
{
    int64_t vectors = (int64_t)store->eigenvectors_hash;
    WW_TRY(ww_sum_words(&store->parallel, &vectors, 1, error));
    ww_page next = ww_store_next_page(store);
    uint64_t spectrum = (uint64_t)vectors;
    bool has_spectrum = false;
    if (next.data_hash == 0)
        next.data_hash = store->data_hash;
    next.gram_valid = true;
    next.gram_hash = 0;
    next.gram_key = key;
    for (size_t i = 0; i < store->member.gram.count; i++) {
        const bool of_spectrum =
            ww_belongs_to_part(&store->member.gram.arrays[i], WW_PART_SPECTRUM);
        WW_ASSERT(store->gram.written[i] || (of_spectrum && next.spectrum_valid));
        if (!of_spectrum)
            next.gram_hash += store->gram.hashes[i];
        else if (store->gram.written[i]) {
            spectrum += store->gram.hashes[i];
            has_spectrum = true;
        }
    }
    if (has_spectrum) {
        WW_ASSERT(store->eigenvectors_written == ww_array_exists(&store->member.eigenvectors));
        next.spectrum_valid = true;
        next.spectrum_hash = spectrum;
        next.spectrum_key = spectrum_key;
    }
    return ww_store_publish(store, &next, WW_OK, error);
}

/// Rank 0's part of ww_store_read_train_targets.
static ww_status read_targets(const char *path, int64_t index, int64_t count, double *targets,
                              ww_error *error)
{
    hid_t file = H5I_INVALID_HID;
    WW_TRY(ww_file_open_reading(path, &file, error));
    ww_array commit = ww_array_none(), array = ww_array_none();
    ww_page pages[WW_PAGES] = {{.generation = 0}};
    bool valid[WW_PAGES] = {false};
    ww_status status = ww_pages_open(file, path, index, &commit, error);
    if (status == WW_OK)
        status = ww_pages_read(&commit, pages, valid, error);
    const int newest = status == WW_OK ? ww_page_newest(pages, valid) : -1;
    if (status == WW_OK && newest < 0)
        status = ww_member_fail_pages(path, index, error);
    if (status == WW_OK)
        status = ww_array_open(file, path, ww_train_targets_path(index, error), 0, &array, error);
    const int64_t rows = status == WW_OK ? ww_array_rows(&array) : 0;
    const int64_t columns = status == WW_OK ? ww_array_row_values(&array) : 0;
    if (status == WW_OK && rows * columns != count)
        status = ww_fail(error, WW_FAILED,
                         "%s: %s has %" PRId64 " numbers where the data have %" PRId64
                         ", so the data have changed since the run began; bring them back, or "
                         "start anew with another output file",
                         path, array.path, rows * columns, count);
    if (status == WW_OK)
        status = ww_array_read(&array, 0, 0, rows, targets, error);
    if (status == WW_OK &&
        (!pages[newest].targets_valid ||
         ww_matrix_hash(array.path, targets, rows, columns, 0) != pages[newest].targets_hash))
        status = ww_fail(error, WW_FAILED,
                         "%s: %s fails its checksum, and a restart may not train on other targets "
                         "than before; restore the file from a backup",
                         path, array.path);
    ww_array_close(&array);
    ww_array_close(&commit);
    ww_file_close(&file);
    return status;
}

ww_status ww_store_read_train_targets(const char *path, int64_t index, int64_t count,
                                      const ww_parallel *parallel, double *targets, ww_error *error)
{
    ww_status status = WW_OK;
    if (parallel->rank == 0)
        status = read_targets(path, index, count, targets, error);
    WW_TRY(ww_agree(parallel, status, error));
    return ww_broadcast(parallel, targets, (size_t)count * sizeof *targets, 0, error);
}

bool ww_store_has_snapshot(const ww_store *store, size_t index)
{
    return (int64_t)index < store->snapshots;
}

ww_status ww_store_read_snapshot(const ww_store *store, size_t index, int64_t tile, double *weights,
                                 ww_error *error)
{
    WW_ASSERT(ww_store_has_snapshot(store, index));
    const ww_tiling *tiling = &store->tiling;
    return ww_array_read(&store->member.snapshot_weights.arrays[0], (int64_t)index,
                         tile * tiling->tile_units, ww_tile_size(tiling, tile), weights, error);
}
