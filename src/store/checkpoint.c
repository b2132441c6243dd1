/// Checkpoints and snapshots: writing them, and going back to the newest that is whole.

#include "store/member.h"
#include "store/weights.h"
#include "widthwise/hash.h"

/// Sums `hash` over ranks. Called by all ranks whatever happened to them before.
static ww_status sum_hash(const ww_store *store, uint64_t *hash, ww_error *error)
{
    int64_t word = (int64_t)*hash;
    const ww_status status = ww_sum_words(&store->parallel, &word, 1, error);
    *hash = (uint64_t)word;
    return status;
}

/// The carry is one block; the dataset has at least one value.
static ww_status write_carry(const ww_store *store, const ww_array *carry, const double *values,
                             uint64_t *hash, ww_error *error)
{
    const double none = 0.0;
    if (store->carry_count == 0)
        values = &none;
    WW_TRY(ww_array_write(carry, 0, 0, ww_array_rows(carry), values, error));
    *hash += ww_hash_block(values, (size_t)ww_array_rows(carry) * sizeof *values, carry->key, 0);
    return WW_OK;
}

/// This rank's part of a checkpoint into `slot`.
static ww_status write_slot(const ww_store *store, const ww_slot_arrays *slot,
                            const ww_weights_source *source, uint64_t *hash, ww_error *error)
{
    WW_TRY(ww_weights_write_layers(&slot->hidden_weights, 0, &store->tiling, source,
                                   store->descriptor, hash, error));
    WW_TRY(ww_weights_write_output(&slot->output_weights, 0, &store->tiling, source->output_weights,
                                   hash, error));
    if (ww_array_exists(&slot->engine_state))
        WW_TRY(ww_weights_write_state(&slot->engine_state, &store->tiling, source,
                                      store->descriptor, hash, error));
    if (store->parallel.rank != 0)
        return WW_OK;
    return write_carry(store, &slot->carry, source->carry, hash, error);
}

ww_status ww_store_checkpoint(ww_store *store, int64_t step, const ww_weights_source *source,
                              ww_run_state state, ww_error *error)
{
    const int newest = ww_page_newest_slot(&store->page);
    WW_ASSERT(step >= 0);
    const int spare = ww_page_spare_slot(&store->page);
    uint64_t hash = 0;
    WW_TRY(ww_store_agree_place(store, error));
    ww_status status = write_slot(store, &store->member.slot[spare], source, &hash, error);
    const ww_status summed = sum_hash(store, &hash, error);
    if (status == WW_OK)
        status = summed;
    ww_page next = ww_store_next_page(store);
    next.state = state;
    // Training that is found at rest goes back to the step since which nothing has changed. What
    // was kept of a later one would be taken for newer.
    if (newest >= 0 && next.slot[newest].step > step)
        next.slot[newest] = (ww_page_slot){0};
    next.slot[spare] = (ww_page_slot){.valid = true,
                                      .step = step,
                                      .hash = hash,
                                      .rows = next.rows,
                                      .rows_hash = next.rows_hash,
                                      .snapshots = next.snapshots,
                                      .snapshots_hash = next.snapshots_hash,
                                      .last_step = next.last_step};
    return ww_store_publish(store, &next, status, error);
}

/// This rank's part of a snapshot; rank 0 adds the step.
static ww_status write_snapshot(const ww_store *store, int64_t index,
                                const ww_weights_source *source, uint64_t *hash, ww_error *error)
{
    const ww_array *steps = &store->member.snapshot_step;
    WW_TRY(ww_weights_write_layers(&store->member.snapshot_weights, index, &store->tiling, source,
                                   store->descriptor, hash, error));
    if (ww_array_exists(&store->member.snapshot_output_weights))
        WW_TRY(ww_weights_write_output(&store->member.snapshot_output_weights, index,
                                       &store->tiling, source->output_weights, hash, error));
    if (store->parallel.rank != 0)
        return WW_OK;
    const int64_t *step = &store->snapshot_steps[index];
    *hash += ww_hash_block(step, sizeof *step, steps->key, (uint64_t)index);
    return ww_array_write(steps, 0, index, 1, step, error);
}

ww_status ww_store_snapshot(ww_store *store, size_t index, const ww_weights_source *source,
                            ww_error *error)
{
    WW_ASSERT(ww_array_exists(&store->member.snapshot_step));
    const int64_t number = (int64_t)index;
    if (number < store->snapshots)
        return WW_OK; // a restart comes by this step again, and the weights are the same
    WW_ASSERT(number == store->snapshots && number < ww_array_rows(&store->member.snapshot_step));
    uint64_t hash = 0;
    WW_TRY(ww_store_agree_place(store, error));
    ww_status status = write_snapshot(store, number, source, &hash, error);
    const ww_status summed = sum_hash(store, &hash, error);
    if (status == WW_OK)
        status = summed;
    WW_TRY(ww_store_agree_written(store, status, error));
    store->snapshots++;
    store->snapshots_hash += hash;
    return WW_OK;
}
