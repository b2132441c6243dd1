/// Reading back what a member leaves behind.

#include "store/contents.h"
#include "store/member.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/// What a page vouches for, in the order of the sentence.
enum { ROWS, FINAL, THEORY, RECORD, SNAPSHOTS, CHECKPOINT, PARTS };

static const char *const part_names[PARTS] = {
    [ROWS] = "the records",        [FINAL] = "the final results",
    [THEORY] = "the predictions",  [RECORD] = "what was recorded for a replay",
    [SNAPSHOTS] = "the snapshots", [CHECKPOINT] = "the newest checkpoint",
};

/// A part as it ought to be, and this rank's share of what it is.
typedef struct part {
    bool is_there;
    uint64_t expected, hash;
    ww_status read;
} part;

/// Each rank reads what it wrote itself: where nodes cache the file on their own, others may see
/// what was there before.
static void read_parts(const ww_store *store, const ww_page *page, part parts[PARTS])
{
    const ww_member *member = &store->member;
    const ww_share share = ww_share_make(member, store->parallel.rank, store->parallel.size);
    const ww_share alone = ww_share_make(member, 0, 1);
    const int slot = ww_page_newest_slot(page);
    ww_error ignored = {0};
    parts[ROWS] = (part){.is_there = page->rows > 0, .expected = page->rows_hash};
    parts[FINAL] = (part){.is_there = page->final_valid, .expected = page->final_hash};
    parts[THEORY] = (part){.is_there = page->theory_valid, .expected = page->theory_hash};
    parts[RECORD] = (part){.is_there = page->record_valid, .expected = page->record_hash};
    parts[SNAPSHOTS] = (part){.is_there = page->snapshots > 0, .expected = page->snapshots_hash};
    parts[CHECKPOINT] = (part){.is_there = slot >= 0};
    if (store->parallel.rank == 0) {
        parts[ROWS].read =
            ww_contents_hash_rows(member, page->rows, &alone, &parts[ROWS].hash, &ignored);
        if (page->final_valid)
            parts[FINAL].read =
                ww_contents_hash_list(&member->final, &alone, &parts[FINAL].hash, &ignored);
        if (page->theory_valid)
            parts[THEORY].read =
                ww_contents_hash_list(&member->theory, &alone, &parts[THEORY].hash, &ignored);
    }
    if (page->record_valid)
        parts[RECORD].read = ww_contents_hash_record(member, &share, &parts[RECORD].hash, &ignored);
    if (page->snapshots > 0)
        parts[SNAPSHOTS].read = ww_contents_hash_snapshots(member, page->snapshots, &share,
                                                           &parts[SNAPSHOTS].hash, &ignored);
    if (slot < 0)
        return;
    parts[CHECKPOINT].expected = page->slot[slot].hash;
    parts[CHECKPOINT].read =
        ww_contents_hash_slot(&member->slot[slot], &share, &parts[CHECKPOINT].hash, &ignored);
}

ww_status ww_store_read_back(const ww_store *store, const ww_page *next, ww_error *error)
{
    part parts[PARTS];
    read_parts(store, next, parts);
    int64_t words[2 * PARTS];
    for (int i = 0; i < PARTS; i++) {
        words[2 * i] = (int64_t)parts[i].hash;
        words[2 * i + 1] = parts[i].read != WW_OK;
    }
    WW_TRY(ww_sum_words(&store->parallel, words, sizeof words / sizeof words[0], error));
    char damaged[256] = "";
    for (int i = 0; i < PARTS; i++) {
        if (!parts[i].is_there ||
            (words[2 * i + 1] == 0 && (uint64_t)words[2 * i] == parts[i].expected))
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
