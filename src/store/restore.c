/// Going back to the newest checkpoint that is whole, with what was measured before it.

#include "store/contents.h"
#include "store/member.h"
#include "store/readback.h"
#include "store/weights.h"
#include "widthwise/hash.h"
#include "widthwise/memory.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/// What is known of a slot's contents.
typedef struct slot_contents {
    bool read, readable;
    uint64_t hash;
} slot_contents;

/// Why a candidate does not count.
typedef enum flaw_kind { FLAW_NONE, FLAW_ROWS, FLAW_SNAPSHOTS, FLAW_WEIGHTS } flaw_kind;

/// The search for a checkpoint.
typedef struct search {
    ww_page pages[WW_PAGES];
    bool valid[WW_PAGES];
    int newest; ///< page
    slot_contents contents[WW_SLOTS];
    int in_memory;   ///< slot that the target holds now, -1 for none
    int page, slot;  ///< what was found; slot -1: the run begins at step 0
    flaw_kind first; ///< of the best candidate
    bool anew;       ///< there are checkpoints, and none counts: what was measured is damaged
} search;

static void note(char *notice, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/// Adds to the notice.
static void note(char *notice, size_t size, const char *format, ...)
{
    const size_t used = strlen(notice);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(notice + used, size - used, format, arguments);
    va_end(arguments);
}

static ww_status read_carry(const ww_store *store, const ww_array *carry, double *values,
                            uint64_t *hash, ww_error *error)
{
    double none = 0.0;
    if (store->carry_count == 0)
        values = &none;
    WW_TRY(ww_array_read(carry, 0, 0, ww_array_rows(carry), values, error));
    if (store->parallel.rank == 0)
        *hash +=
            ww_hash_block(values, (size_t)ww_array_rows(carry) * sizeof *values, carry->key, 0);
    return WW_OK;
}

/// This rank's part of a slot into the target.
static ww_status read_slot(const ww_store *store, const ww_slot_arrays *slot,
                           const ww_weights_target *target, uint64_t *hash, ww_error *error)
{
    WW_TRY(ww_weights_read_layers(&slot->hidden_weights, &store->tiling, target, hash, error));
    WW_TRY(ww_weights_read_output(&slot->output_weights, 0, &store->tiling, target->output_weights,
                                  hash, error));
    if (ww_array_exists(&slot->engine_state))
        WW_TRY(ww_weights_read_state(&slot->engine_state, &store->tiling, target, hash, error));
    return read_carry(store, &slot->carry, target->carry, hash, error);
}

/// Reads a slot on all ranks. One that cannot be read is like one whose hash is wrong.
static ww_status try_slot(const ww_store *store, int slot, const ww_weights_target *target,
                          search *found, ww_error *error)
{
    uint64_t hash = 0;
    ww_error unreadable = {0};
    const ww_status status =
        read_slot(store, &store->member.slot[slot], target, &hash, &unreadable);
    int64_t words[2] = {(int64_t)hash, status != WW_OK};
    WW_TRY(ww_sum_words(&store->parallel, words, 2, error));
    found->contents[slot] =
        (slot_contents){.read = true, .readable = words[1] == 0, .hash = (uint64_t)words[0]};
    found->in_memory = slot;
    return WW_OK;
}

/// True in `*holds` when the slot's contents are what the page says; then they are in the target.
static ww_status check_slot(const ww_store *store, const ww_page_slot *expected, int slot,
                            const ww_weights_target *target, search *found, bool *holds,
                            ww_error *error)
{
    *holds = false;
    if (!found->contents[slot].read)
        WW_TRY(try_slot(store, slot, target, found, error));
    if (!found->contents[slot].readable || found->contents[slot].hash != expected->hash)
        return WW_OK;
    if (found->in_memory != slot)
        WW_TRY(try_slot(store, slot, target, found, error));
    *holds = found->contents[slot].readable && found->contents[slot].hash == expected->hash;
    return WW_OK;
}

/// What was measured before a checkpoint stays when a restart goes back to it, so it has to hold
/// too: else the restart goes back further and measures anew.
static ww_status check_measured(const ww_store *store, const ww_page_slot *expected,
                                flaw_kind *found, ww_error *error)
{
    const ww_share share =
        ww_share_make(&store->member, store->parallel.rank, store->parallel.size);
    bool rows_hold = false;
    bool snapshots_hold = false;
    WW_TRY(ww_measured_check(&store->member, expected, &share, &store->parallel, &rows_hold,
                             &snapshots_hold, error));
    *found = !rows_hold ? FLAW_ROWS : !snapshots_hold ? FLAW_SNAPSHOTS : FLAW_NONE;
    return WW_OK;
}

/// Whether a candidate counts: what was measured before it, and its weights.
static ww_status check_candidate(const ww_store *store, const ww_page_slot *expected, int slot,
                                 const ww_weights_target *target, search *found, flaw_kind *flaw,
                                 ww_error *error)
{
    WW_TRY(check_measured(store, expected, flaw, error));
    if (*flaw != FLAW_NONE)
        return WW_OK;
    bool holds = false;
    WW_TRY(check_slot(store, expected, slot, target, found, &holds, error));
    *flaw = holds ? FLAW_NONE : FLAW_WEIGHTS;
    return WW_OK;
}

/// The best candidate that counts. Where none does and what was measured is to blame, the run
/// begins anew: all of it can be computed again, and has the same bits then.
static ww_status find_checkpoint(const ww_store *store, const ww_weights_target *target,
                                 search *found, ww_error *error)
{
    found->in_memory = -1;
    int page = found->newest;
    int slot = -1;
    int k = 0;
    for (; ww_page_candidate(found->pages, found->valid, k, &page, &slot); k++) {
        flaw_kind flaw = FLAW_NONE;
        WW_TRY(check_candidate(store, &found->pages[page].slot[slot], slot, target, found, &flaw,
                               error));
        if (flaw == FLAW_NONE) {
            found->page = page;
            found->slot = slot;
            return WW_OK;
        }
        found->first = k == 0 ? flaw : found->first;
        // By an older page rows may fail that were written anew since.
        found->anew = found->anew || (flaw != FLAW_WEIGHTS && page == found->newest);
    }
    found->page = found->newest;
    found->slot = -1;
    if (k == 0 || found->anew)
        return WW_OK;
    return ww_fail(error, WW_FAILED,
                   "%s: no checkpoint of run%04" PRId64
                   " is whole, the contents of both slots fail their checksums; restore the file "
                   "from a backup or start anew with another output file",
                   store->path, store->member.index);
}

/// What the user should know.
static void describe(const ww_store *store, const search *found, char *notice, size_t size)
{
    const ww_page *newest = &found->pages[found->newest];
    const int64_t index = store->member.index;
    if (!found->valid[1 - found->newest] && newest->generation > 0)
        note(notice, size,
             "%s: one of the two commit pages of run%04" PRId64
             " does not check, the other one is used",
             store->path, index);
    const int first = ww_page_newest_slot(newest);
    if (first < 0 || (found->page == found->newest && found->slot == first))
        return;
    const int64_t step = newest->slot[first].step;
    note(notice, size, "%s%s: ", notice[0] == '\0' ? "" : "; ", store->path);
    if (found->first == FLAW_WEIGHTS)
        note(notice, size,
             "the checkpoint of step %" PRId64 " of run%04" PRId64 " (slot %d) fails its checksum",
             step, index, first);
    else
        note(notice, size,
             "%s before the checkpoint of step %" PRId64 " of run%04" PRId64 " fail their checksum",
             found->first == FLAW_ROWS ? "the records" : "the snapshots", step, index);
    if (found->slot >= 0)
        note(notice, size, ", going back to the one of step %" PRId64 " (slot %d)",
             found->pages[found->page].slot[found->slot].step, found->slot);
    else
        note(notice, size,
             " and no older checkpoint lies before the damage, so the run begins anew from step 0");
}

/// The page that goes back to what was found.
static ww_page rolled_back(const search *found)
{
    ww_page page = found->pages[found->page];
    page.generation = ww_page_next_generation(found->pages[found->newest].generation, found->page);
    page.attempt += page.state == WW_RUN_WAITING ? 0 : 1;
    page.state = WW_RUN_RUNNING;
    ww_page_set_reason(&page, "");
    page.final_valid = page.theory_valid = false;
    page.final_hash = page.theory_hash = 0;
    // From an older checkpoint training goes on.
    page.trained =
        page.trained && found->page == found->newest && found->slot == ww_page_newest_slot(&page);
    ww_page_slot kept = {.last_step = -1};
    if (found->slot < 0)
        page.slot[0] = page.slot[1] = (ww_page_slot){0};
    if (found->slot >= 0) {
        kept = page.slot[found->slot];
        // The other slot stays only where it may still serve: older, and not found to be damaged.
        const int other = 1 - found->slot;
        const slot_contents *contents = &found->contents[other];
        if (page.slot[other].step > kept.step || page.slot[other].rows > kept.rows ||
            page.slot[other].snapshots > kept.snapshots ||
            (contents->read && (!contents->readable || contents->hash != page.slot[other].hash)))
            page.slot[other] = (ww_page_slot){0};
    }
    page.rows = kept.rows;
    page.rows_hash = kept.rows_hash;
    page.last_step = kept.last_step;
    page.snapshots = kept.snapshots;
    page.snapshots_hash = kept.snapshots_hash;
    return page;
}

ww_status ww_store_check_data(const ww_store *store, ww_error *error)
{
    const uint64_t begun_with = store->page.data_hash;
    if (store->data_hash == 0 || begun_with == 0 || begun_with == store->data_hash)
        return WW_OK;
    return ww_fail(error, WW_FAILED,
                   "%s: the data of run%04" PRId64
                   " are not those that it was begun with, so the data files have changed since; "
                   "bring them back, or start anew with another output file",
                   store->path, store->member.index);
}

/// Wipes what does not count any more, so that a reader who does not look at pages sees no stale
/// values. Rank 0.
static ww_status wipe(const ww_store *store, ww_error *error)
{
    const ww_member *member = &store->member;
    WW_TRY(ww_array_blank(&member->step, store->page.rows, error));
    for (size_t i = 0; i < member->trajectory.count; i++)
        WW_TRY(ww_array_blank(&member->trajectory.arrays[i], store->page.rows, error));
    for (size_t i = 0; i < member->final.count; i++)
        WW_TRY(ww_array_blank(&member->final.arrays[i], 0, error));
    for (size_t i = 0; i < member->theory.count; i++)
        WW_TRY(ww_array_blank(&member->theory.arrays[i], 0, error));
    if (ww_array_exists(&member->snapshot_step))
        WW_TRY(ww_array_blank(&member->snapshot_step, store->page.snapshots, error));
    return WW_OK;
}

static void forget_pending(ww_store *store)
{
    store->rows.count = 0;
    store->rows.hash = 0;
    memset(store->final.written, 0, store->member.final.count * sizeof *store->final.written);
    memset(store->theory.written, 0, store->member.theory.count * sizeof *store->theory.written);
}

ww_status ww_store_restore(ww_store *store, const ww_weights_target *target, int64_t *step,
                           char *notice, size_t notice_size, ww_error *error)
{
    WW_ASSERT(notice_size > 0);
    *step = -1;
    notice[0] = '\0';
    search found = {0};
    WW_TRY(ww_store_read_pages(store, found.pages, found.valid, &found.newest, error));
    WW_TRY(find_checkpoint(store, target, &found, error));
    describe(store, &found, notice, notice_size);
    WW_TRY(ww_store_check_data(store, error));
    ww_page page = rolled_back(&found);
    if (page.data_hash == 0)
        page.data_hash = store->data_hash;
    forget_pending(store);
    store->rows.last_step = page.last_step;
    store->snapshots = page.snapshots;
    store->snapshots_hash = page.snapshots_hash;
    // The count goes back before any row is written again: else rows of two attempts could be mixed
    // within it after another crash.
    WW_TRY(ww_store_start_page(store, &page, error));
    const ww_status status = store->parallel.rank == 0 ? wipe(store, error) : WW_OK;
    WW_TRY(ww_store_agree_written(store, status, error));
    if (found.slot >= 0)
        *step = page.slot[found.slot].step;
    return WW_OK;
}
