#include "store/contents.h"

#include "store/weights.h"

#include <string.h>

ww_share ww_share_make(const ww_member *member, int rank, int size)
{
    return (ww_share){
        .tiling = ww_tiling_make(ww_member_width(member), rank, size), .rank = rank, .size = size};
}

ww_status ww_contents_hash_rows(const ww_member *member, int64_t rows, const ww_share *share,
                                uint64_t *hash, ww_error *error)
{
    for (size_t i = 0; i < ww_member_row_arrays(member); i++)
        WW_TRY(ww_array_hash(ww_member_row_array(member, i), rows, 1, share->rank, share->size,
                             hash, error));
    return WW_OK;
}

bool ww_belongs_to_part(const ww_array *array, ww_part part)
{
    static const char prefix[] = "eigen";
    if (part != WW_PART_SPECTRUM && part != WW_PART_GRAM)
        return true;
    const bool of_spectrum = strncmp(strrchr(array->path, '/') + 1, prefix, sizeof prefix - 1) == 0;
    return of_spectrum == (part == WW_PART_SPECTRUM);
}

static ww_status hash_list(const ww_array_list *list, ww_part part, const ww_share *share,
                           uint64_t *hash, ww_error *error)
{
    for (size_t i = 0; i < list->count; i++) {
        const int64_t rows = ww_array_rows(&list->arrays[i]);
        if (rows > 0 && ww_belongs_to_part(&list->arrays[i], part))
            WW_TRY(
                ww_array_hash(&list->arrays[i], rows, rows, share->rank, share->size, hash, error));
    }
    return WW_OK;
}

ww_status ww_contents_hash_record(const ww_member *member, const ww_share *share, uint64_t *hash,
                                  ww_error *error)
{
    for (int i = 0; i < WW_RECORDED_COUNT; i++) {
        const ww_array *array = &member->recorded[i];
        if (!ww_array_exists(array))
            continue;
        if (i == WW_RECORDED_OUTPUT_WEIGHTS)
            WW_TRY(ww_weights_read_output(array, 0, &share->tiling, NULL, hash, error));
        else
            WW_TRY(ww_array_hash(array, ww_array_rows(array), ww_recorded_block(i), share->rank,
                                 share->size, hash, error));
    }
    return ww_weights_hash_layers(&member->recorded_weights, 0, &share->tiling, hash, error);
}

ww_status ww_contents_hash_snapshots(const ww_member *member, int64_t count, const ww_share *share,
                                     uint64_t *hash, ww_error *error)
{
    WW_TRY(ww_array_hash(&member->snapshot_step, count, 1, share->rank, share->size, hash, error));
    for (int64_t i = 0; i < count; i++) {
        WW_TRY(ww_weights_hash_layers(&member->snapshot_weights, i, &share->tiling, hash, error));
        if (ww_array_exists(&member->snapshot_output_weights))
            WW_TRY(ww_weights_read_output(&member->snapshot_output_weights, i, &share->tiling, NULL,
                                          hash, error));
    }
    return WW_OK;
}

/// Matrices are hashed by rows, since no rank has them whole.
static ww_status hash_matrix(const ww_array *array, const ww_share *share, uint64_t *hash,
                             ww_error *error)
{
    if (!ww_array_exists(array))
        return WW_OK;
    return ww_array_hash(array, ww_array_rows(array), 1, share->rank, share->size, hash, error);
}

bool ww_part_expected(const ww_page *page, ww_part part, uint64_t *hash)
{
    const struct {
        bool valid;
        uint64_t hash;
    } parts[WW_PARTS] = {
        [WW_PART_ROWS] = {page->rows > 0, page->rows_hash},
        [WW_PART_FINAL] = {page->final_valid, page->final_hash},
        [WW_PART_THEORY] = {page->theory_valid, page->theory_hash},
        [WW_PART_RECORD] = {page->record_valid, page->record_hash},
        [WW_PART_SNAPSHOTS] = {page->snapshots > 0, page->snapshots_hash},
        [WW_PART_SPECTRUM] = {page->spectrum_valid, page->spectrum_hash},
        [WW_PART_GRAM] = {page->gram_valid, page->gram_hash},
        [WW_PART_TARGETS] = {page->targets_valid, page->targets_hash},
    };
    *hash = parts[part].hash;
    return parts[part].valid;
}

ww_status ww_contents_hash_part(const ww_member *member, const ww_page *page, ww_part part,
                                const ww_share *share, uint64_t *hash, ww_error *error)
{
    uint64_t expected = 0;
    if (!ww_part_expected(page, part, &expected))
        return WW_OK;
    switch (part) {
    case WW_PART_ROWS:
        return ww_contents_hash_rows(member, page->rows, share, hash, error);
    case WW_PART_FINAL:
        return hash_list(&member->final, part, share, hash, error);
    case WW_PART_THEORY:
        return hash_list(&member->theory, part, share, hash, error);
    case WW_PART_RECORD:
        return ww_contents_hash_record(member, share, hash, error);
    case WW_PART_SNAPSHOTS:
        return ww_contents_hash_snapshots(member, page->snapshots, share, hash, error);
    case WW_PART_SPECTRUM:
        WW_TRY(hash_matrix(&member->eigenvectors, share, hash, error));
        return hash_list(&member->gram, part, share, hash, error);
    case WW_PART_GRAM:
        return hash_list(&member->gram, part, share, hash, error);
    case WW_PART_TARGETS:
        return hash_matrix(&member->train_targets, share, hash, error);
    case WW_PARTS:
        break;
    }
    return WW_OK;
}

ww_status ww_contents_hash_slot(const ww_slot_arrays *slot, const ww_share *share, uint64_t *hash,
                                ww_error *error)
{
    WW_TRY(ww_weights_hash_layers(&slot->hidden_weights, 0, &share->tiling, hash, error));
    WW_TRY(ww_weights_read_output(&slot->output_weights, 0, &share->tiling, NULL, hash, error));
    if (ww_array_exists(&slot->engine_state))
        WW_TRY(ww_weights_hash_units(&slot->engine_state, 0, &share->tiling, hash, error));
    const int64_t rows = ww_array_rows(&slot->carry);
    return ww_array_hash(&slot->carry, rows, rows, share->rank, share->size, hash, error);
}
