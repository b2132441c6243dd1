/// Members with replicas: each row is a whole training, and nothing else is kept of it.

#include "store/contents.h"
#include "store/member.h"
#include "widthwise/field.h"
#include "widthwise/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int64_t ww_store_replica_words(const ww_member_layout *layout)
{
    int64_t words = 2 + layout->records;
    for (size_t i = 0; i < layout->trajectory_count; i++)
        words += layout->records * ww_field_size(&layout->trajectory[i]);
    for (size_t i = 0; i < layout->final_count; i++)
        words += ww_field_size(&layout->final[i]);
    for (size_t i = 0; i < layout->theory_count; i++)
        words += ww_field_size(&layout->theory[i]);
    return words;
}

/// Whether the rows that a page counts hold their hash.
static ww_status check_rows(const ww_store *store, const ww_page *page, bool *hold, ww_error *error)
{
    uint64_t hash = 0;
    ww_error unreadable = {0};
    const ww_share share =
        ww_share_make(&store->member, store->parallel.rank, store->parallel.size);
    const ww_status status =
        ww_contents_hash_rows(&store->member, page->rows, &share, &hash, &unreadable);
    int64_t words[] = {(int64_t)hash, status != WW_OK};
    WW_TRY(ww_sum_words(&store->parallel, words, 2, error));
    *hold = words[1] == 0 && (uint64_t)words[0] == page->rows_hash;
    return WW_OK;
}

/// Makes the rows that do not count blank. Rank 0.
static ww_status wipe(const ww_store *store, ww_error *error)
{
    for (size_t i = 0; i < ww_member_row_arrays(&store->member); i++)
        WW_TRY(ww_array_blank(ww_member_row_array(&store->member, i), store->page.rows, error));
    return WW_OK;
}

static ww_status count_diverged(const ww_store *store, int64_t *diverged, ww_error *error)
{
    const int64_t rows = store->page.rows;
    int64_t *states = ww_allocate((size_t)rows, sizeof *states, "the states of replicas", error);
    ww_status status = states == NULL ? WW_FAILED : WW_OK;
    if (status == WW_OK && rows > 0)
        status = ww_array_read(&store->member.replica_state, 0, 0, rows, states, error);
    *diverged = 0;
    for (int64_t i = 0; i < rows && status == WW_OK; i++)
        *diverged += states[i] == WW_RUN_DIVERGED;
    free(states);
    return ww_agree(&store->parallel, status, error);
}

ww_status ww_store_restore_replicas(ww_store *store, int64_t *done, int64_t *diverged, char *notice,
                                    size_t notice_size, ww_error *error)
{
    WW_ASSERT(store->member.has_replicas && notice_size > 0);
    notice[0] = '\0';
    ww_page page = store->page;
    const bool is_new = page.state == WW_RUN_WAITING;
    bool hold = true;
    WW_TRY(ww_store_check_data(store, error));
    WW_TRY(check_rows(store, &page, &hold, error));
    if (!hold) {
        (void)snprintf(notice, notice_size,
                       "%s: the %" PRId64 " replicas of run%04" PRId64
                       " that were done fail their checksum, so all begin anew",
                       store->path, page.rows, store->member.index);
        page.rows = 0;
        page.rows_hash = 0;
    }
    page.generation = ww_page_next_generation(page.generation, store->standing);
    page.attempt += is_new ? 0 : 1;
    page.state = WW_RUN_RUNNING;
    page.data_hash = page.data_hash == 0 ? store->data_hash : page.data_hash;
    ww_page_set_reason(&page, "");
    store->rows.count = 0;
    store->rows.hash = 0;
    WW_TRY(ww_store_start_page(store, &page, error));
    const ww_status status = store->parallel.rank == 0 && !is_new ? wipe(store, error) : WW_OK;
    WW_TRY(ww_store_agree_written(store, status, error));
    *done = page.rows;
    return count_diverged(store, diverged, error);
}

ww_status ww_store_append_replicas(ww_store *store, int64_t count, const int64_t *words,
                                   ww_error *error)
{
    WW_ASSERT(store->member.has_replicas);
    for (int64_t i = 0; i < count; i++)
        WW_TRY(ww_store_append_row(store, words + i * store->row_words, error));
    return WW_OK;
}
