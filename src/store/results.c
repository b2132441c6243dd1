/// Final results, predictions, and the record for a replay.

#include "store/contents.h"
#include "store/member.h"
#include "store/readback.h"
#include "store/weights.h"
#include "widthwise/hash.h"

#include <inttypes.h>

/// Writes one field on rank 0 and remembers its hash for the commit.
static ww_status write_result(ww_store *store, const ww_array_list *list,
                              ww_pending_results *results, size_t field, const double *values,
                              ww_error *error)
{
    WW_ASSERT(field < list->count);
    const ww_array *array = &list->arrays[field];
    WW_TRY(ww_store_agree_place(store, error));
    ww_status status = WW_OK;
    if (store->parallel.rank == 0)
        status = ww_array_write(array, 0, 0, ww_array_rows(array), values, error);
    WW_TRY(ww_store_agree_written(store, status, error));
    const int64_t count = ww_array_rows(array) * ww_array_row_values(array);
    results->hashes[field] = ww_hash_block(values, (size_t)count * sizeof *values, array->key, 0);
    results->written[field] = true;
    return WW_OK;
}

ww_status ww_store_write_final(ww_store *store, size_t field, const double *values, ww_error *error)
{
    return write_result(store, &store->member.final, &store->final, field, values, error);
}

ww_status ww_store_write_theory(ww_store *store, size_t field, const double *values,
                                ww_error *error)
{
    return write_result(store, &store->member.theory, &store->theory, field, values, error);
}

ww_status ww_store_write_gram(ww_store *store, size_t field, const double *values, ww_error *error)
{
    return write_result(store, &store->member.gram, &store->gram, field, values, error);
}

/// Results count when every field is there.
static bool all_written(const ww_array_list *list, const ww_pending_results *results,
                        uint64_t *hash)
{
    *hash = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (!results->written[i])
            return false;
        *hash += results->hashes[i];
    }
    return true;
}

ww_status ww_store_finish(ww_store *store, ww_run_state state, const char *reason, ww_error *error)
{
    ww_page next = ww_store_next_page(store);
    uint64_t hash = 0;
    next.state = state;
    next.trained = next.trained || state == WW_RUN_DONE;
    ww_page_set_reason(&next, reason);
    next.final_valid = all_written(&store->member.final, &store->final, &hash);
    next.final_hash = next.final_valid ? hash : 0;
    next.theory_valid = all_written(&store->member.theory, &store->theory, &hash);
    next.theory_hash = next.theory_valid ? hash : 0;
    WW_TRY(ww_store_make_durable(store, WW_OK, error));
    // The last look at the file by this run, and the results were computed from some of it.
    if (state == WW_RUN_DONE || state == WW_RUN_DIVERGED)
        WW_TRY(ww_store_read_back(store, &next, error));
    return ww_store_make_count(store, &next, error);
}

/// This rank's share of one replicated dataset of the record.
static ww_status write_part(const ww_store *store, int which, const void *values, uint64_t *hash,
                            ww_error *error)
{
    const ww_array *array = &store->member.recorded[which];
    if (!ww_array_exists(array))
        return WW_OK;
    WW_ASSERT(values != NULL);
    return ww_array_write_share(array, values, ww_recorded_block(which), store->parallel.rank,
                                store->parallel.size, hash, error);
}

static ww_status write_initial_weights(const ww_store *store, const ww_weights_source *source,
                                       uint64_t *hash, ww_error *error)
{
    const ww_array_list *hidden = &store->member.recorded_weights;
    const ww_array *output = &store->member.recorded[WW_RECORDED_OUTPUT_WEIGHTS];
    if (hidden->count == 0)
        return WW_OK;
    WW_ASSERT(source != NULL);
    WW_TRY(
        ww_weights_write_layers(hidden, 0, &store->tiling, source, store->descriptor, hash, error));
    return ww_weights_write_output(output, 0, &store->tiling, source->output_weights, hash, error);
}

static ww_status write_record(const ww_store *store, const ww_replay_record *record, uint64_t *hash,
                              ww_error *error)
{
    WW_TRY(write_part(store, WW_RECORDED_TRAIN_INPUTS, record->train_inputs, hash, error));
    WW_TRY(write_part(store, WW_RECORDED_TRAIN_LABELS, record->train_labels, hash, error));
    WW_TRY(write_part(store, WW_RECORDED_TEST_INPUTS, record->test_inputs, hash, error));
    WW_TRY(write_part(store, WW_RECORDED_TEST_LABELS, record->test_labels, hash, error));
    WW_TRY(write_part(store, WW_RECORDED_TRAIN_COMPONENTS, record->train_components, hash, error));
    WW_TRY(write_part(store, WW_RECORDED_TEST_COMPONENTS, record->test_components, hash, error));
    WW_TRY(write_part(store, WW_RECORDED_TRAIN_TARGETS, record->train_targets, hash, error));
    WW_TRY(write_part(store, WW_RECORDED_TEST_TARGETS, record->test_targets, hash, error));
    const ww_array *batches = &store->member.recorded[WW_RECORDED_BATCHES];
    if (ww_array_exists(batches))
        WW_TRY(ww_array_write_rows(batches, record->batch, record->batch_context,
                                   ww_recorded_block(WW_RECORDED_BATCHES), store->parallel.rank,
                                   store->parallel.size, hash, error));
    return write_initial_weights(store, record->initial_weights, hash, error);
}

ww_status ww_store_write_record(ww_store *store, const ww_replay_record *record, ww_error *error)
{
    bool reserved = false;
    for (int i = 0; i < WW_RECORDED_COUNT; i++)
        reserved = reserved || ww_array_exists(&store->member.recorded[i]);
    if (!reserved)
        return WW_OK;
    uint64_t hash = 0;
    WW_TRY(ww_store_agree_place(store, error));
    ww_status status = write_record(store, record, &hash, error);
    int64_t word = (int64_t)hash;
    const ww_status summed = ww_sum_words(&store->parallel, &word, 1, error);
    if (status == WW_OK)
        status = summed;
    WW_TRY(ww_store_agree_written(store, status, error));
    if (store->page.record_valid && (uint64_t)word != store->page.record_hash) // on all ranks
        return ww_fail(error, WW_FAILED,
                       "%s: what run%04" PRId64
                       " recorded is damaged and cannot be written again as it was: the weights "
                       "that it begins with are others now; restore the file from a backup, or "
                       "start anew with another output file",
                       store->path, store->member.index);
    ww_page next = ww_store_next_page(store);
    next.state = WW_RUN_RUNNING;
    next.record_valid = true;
    next.record_hash = (uint64_t)word;
    return ww_store_publish(store, &next, WW_OK, error);
}

ww_status ww_store_check_record(ww_store *store, bool *holds, ww_error *error)
{
    *holds = true;
    if (!store->page.record_valid)
        return WW_OK;
    uint64_t hash = 0;
    bool readable = false;
    ww_error unreadable = {0};
    const ww_share share =
        ww_share_make(&store->member, store->parallel.rank, store->parallel.size);
    const ww_status read = ww_contents_hash_record(&store->member, &share, &hash, &unreadable);
    WW_TRY(ww_hashes_sum(&store->parallel, &read, 1, &hash, &readable, error));
    *holds = readable && hash == store->page.record_hash;
    // It can be written again only from the data that it was made of.
    return *holds ? WW_OK : ww_store_check_data(store, error);
}

bool ww_store_has_record(const ww_store *store)
{
    return store->page.record_valid;
}
