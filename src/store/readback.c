#include "store/readback.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { CHECKPOINT = WW_PARTS, PARTS };

static const char *const part_names[PARTS] = {
    [WW_PART_ROWS] = "the records",         [WW_PART_FINAL] = "the final results",
    [WW_PART_THEORY] = "the predictions",   [WW_PART_RECORD] = "what was recorded for a replay",
    [WW_PART_SNAPSHOTS] = "the snapshots",  [WW_PART_SPECTRUM] = "the spectrum",
    [WW_PART_GRAM] = "the Gram results",    [WW_PART_TARGETS] = "the computed targets",
    [CHECKPOINT] = "the newest checkpoint",
};

ww_status ww_hashes_sum(const ww_parallel *parallel, const ww_status *read, size_t count,
                        uint64_t *hashes, bool *readable, ww_error *error)
{
    int64_t words[2 * PARTS];
    WW_ASSERT(count <= PARTS);
    for (size_t i = 0; i < count; i++) {
        words[2 * i] = (int64_t)hashes[i];
        words[2 * i + 1] = read[i] != WW_OK;
    }
    WW_TRY(ww_sum_words(parallel, words, 2 * count, error));
    for (size_t i = 0; i < count; i++) {
        hashes[i] = (uint64_t)words[2 * i];
        readable[i] = words[2 * i + 1] == 0;
    }
    return WW_OK;
}

ww_status ww_measured_check(const ww_member *member, const ww_page_slot *checkpoint,
                            const ww_share *share, const ww_parallel *parallel, bool *rows_hold,
                            bool *snapshots_hold, ww_error *error)
{
    const ww_page page = {.rows = checkpoint->rows,
                          .rows_hash = checkpoint->rows_hash,
                          .snapshots = checkpoint->snapshots,
                          .snapshots_hash = checkpoint->snapshots_hash};
    static const ww_part parts[2] = {WW_PART_ROWS, WW_PART_SNAPSHOTS};
    bool *const hold[2] = {rows_hold, snapshots_hold};
    uint64_t hashes[2] = {0};
    ww_status read[2];
    ww_error unreadable = {0};
    for (int i = 0; i < 2; i++)
        read[i] = ww_contents_hash_part(member, &page, parts[i], share, &hashes[i], &unreadable);
    bool readable[2];
    WW_TRY(ww_hashes_sum(parallel, read, 2, hashes, readable, error));
    for (int i = 0; i < 2; i++) {
        uint64_t expected = 0;
        *hold[i] =
            !ww_part_expected(&page, parts[i], &expected) || (readable[i] && hashes[i] == expected);
    }
    return WW_OK;
}

/// Each rank reads what it wrote itself: where nodes cache the file on their own, others may see
/// what was there before. Rows and results are rank 0's.
static void read_parts(const ww_store *store, const ww_page *page, uint64_t hashes[PARTS],
                       ww_status read[PARTS])
{
    const ww_member *member = &store->member;
    const ww_share own = ww_share_make(member, store->parallel.rank, store->parallel.size);
    const ww_share alone = ww_share_make(member, 0, 1);
    const int slot = ww_page_newest_slot(page);
    ww_error ignored = {0};
    for (ww_part part = 0; part < WW_PARTS; part++) {
        const bool is_divided =
            part == WW_PART_RECORD || part == WW_PART_SNAPSHOTS || part == WW_PART_SPECTRUM;
        hashes[part] = 0;
        read[part] = WW_OK;
        if (is_divided || store->parallel.rank == 0)
            read[part] = ww_contents_hash_part(member, page, part, is_divided ? &own : &alone,
                                               &hashes[part], &ignored);
    }
    hashes[CHECKPOINT] = 0;
    read[CHECKPOINT] = WW_OK;
    if (slot >= 0)
        read[CHECKPOINT] =
            ww_contents_hash_slot(&member->slot[slot], &own, &hashes[CHECKPOINT], &ignored);
}

ww_status ww_store_read_back(const ww_store *store, const ww_page *next, ww_error *error)
{
    uint64_t hashes[PARTS];
    ww_status read[PARTS];
    bool readable[PARTS];
    read_parts(store, next, hashes, read);
    WW_TRY(ww_hashes_sum(&store->parallel, read, PARTS, hashes, readable, error));
    char damaged[256] = "";
    const int slot = ww_page_newest_slot(next);
    for (int i = 0; i < PARTS; i++) {
        uint64_t expected = slot < 0 ? 0 : next->slot[slot].hash;
        const bool is_there =
            i == CHECKPOINT ? slot >= 0 : ww_part_expected(next, (ww_part)i, &expected);
        if (!is_there || (readable[i] && hashes[i] == expected))
            continue;
        const size_t used = strlen(damaged);
        (void)snprintf(damaged + used, sizeof damaged - used, "%s%s", used > 0 ? ", " : "",
                       part_names[i]);
    }
    if (damaged[0] == '\0')
        return WW_OK;
    return ww_fail(error, WW_FAILED,
                   "%s: the end of run%04" PRId64
                   " is not committed: %s fail their checksum, so the file was damaged since they "
                   "were written; check the disk and what else writes there, then `widthwise "
                   "resume %s` makes anew what is damaged",
                   store->path, store->member.index, damaged, store->path);
}
