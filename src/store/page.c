#include "store/page.h"

#include "widthwise/hash.h"

#include <stddef.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "the checksum of a page is taken over little-endian words");

enum { PAGE_VERSION = 1 };

/// Places of the words. hdf5-schema/ has the same table for readers.
enum {
    MAGIC = 0,
    VERSION = 1,
    GENERATION = 2,
    STATE = 3,
    ROWS = 4,
    ROWS_HASH = 5,
    LAST_STEP = 6,
    FINAL_VALID = 7,
    FINAL_HASH = 8,
    THEORY_VALID = 9,
    THEORY_HASH = 10,
    RECORD_VALID = 11,
    RECORD_HASH = 12,
    SNAPSHOTS = 13,
    SNAPSHOTS_HASH = 14,
    GRAM_VALID = 15,
    GRAM_HASH = 16,
    ATTEMPT = 17,
    DATA_HASH = 18,
    GRAM_KEY = 19,
    SPECTRUM_VALID = 20,
    SPECTRUM_HASH = 21,
    SPECTRUM_KEY = 22,
    TARGETS_VALID = 23,
    TARGETS_HASH = 24,
    TRAINED = 25,
    SLOTS = 32,
    SLOT_WORDS = 16,
    REASON = 64,  ///< text, closed by a zero byte
    AUDITS = 192, ///< of each kind
    AUDIT_WORDS = 16,
    CHECKSUM = 511
};

_Static_assert((int)REASON + (int)WW_OUTCOME_TEXT / 8 <= (int)AUDITS, "the reason fits");

/// Words of a slot.
enum {
    SLOT_VALID = 0,
    SLOT_STEP = 1,
    SLOT_HASH = 2,
    SLOT_ROWS = 3,
    SLOT_ROWS_HASH = 4,
    SLOT_SNAPSHOTS = 5,
    SLOT_SNAPSHOTS_HASH = 6,
    SLOT_LAST_STEP = 7
};

/// Words of an audit.
enum {
    AUDIT_VERDICT = 0,
    AUDIT_FIRST_STEP = 1,
    AUDIT_LAST_STEP = 2,
    AUDIT_PAIRS = 3,
    AUDIT_MISMATCHES = 4,
    AUDIT_UNDECIDED = 5,
    AUDIT_DIFFERENCE = 6 ///< the bits of a double
};

static int64_t magic_word(void)
{
    int64_t word = 0;
    memcpy(&word, "WWCOMMIT", sizeof word);
    return word;
}

static int64_t checksum(const int64_t *words)
{
    return (int64_t)ww_checksum(words, CHECKSUM * sizeof *words);
}

ww_page ww_page_first(void)
{
    return (ww_page){.state = WW_RUN_WAITING, .last_step = -1};
}

void ww_page_set_reason(ww_page *page, const char *reason)
{
    memset(page->reason, 0, sizeof page->reason);
    memcpy(page->reason, reason, strnlen(reason, sizeof page->reason - 1));
}

void ww_page_encode(const ww_page *page, int64_t words[WW_PAGE_WORDS])
{
    memset(words, 0, WW_PAGE_WORDS * sizeof *words);
    words[MAGIC] = magic_word();
    words[VERSION] = PAGE_VERSION;
    words[GENERATION] = page->generation;
    words[STATE] = page->state;
    words[ROWS] = page->rows;
    words[ROWS_HASH] = (int64_t)page->rows_hash;
    words[LAST_STEP] = page->last_step;
    words[FINAL_VALID] = page->final_valid;
    words[FINAL_HASH] = (int64_t)page->final_hash;
    words[THEORY_VALID] = page->theory_valid;
    words[THEORY_HASH] = (int64_t)page->theory_hash;
    words[RECORD_VALID] = page->record_valid;
    words[RECORD_HASH] = (int64_t)page->record_hash;
    words[SNAPSHOTS] = page->snapshots;
    words[SNAPSHOTS_HASH] = (int64_t)page->snapshots_hash;
    words[GRAM_VALID] = page->gram_valid;
    words[GRAM_HASH] = (int64_t)page->gram_hash;
    words[GRAM_KEY] = (int64_t)page->gram_key;
    words[SPECTRUM_VALID] = page->spectrum_valid;
    words[SPECTRUM_HASH] = (int64_t)page->spectrum_hash;
    words[SPECTRUM_KEY] = (int64_t)page->spectrum_key;
    words[TRAINED] = page->trained;
    words[TARGETS_VALID] = page->targets_valid;
    words[TARGETS_HASH] = (int64_t)page->targets_hash;
    words[ATTEMPT] = page->attempt;
    words[DATA_HASH] = (int64_t)page->data_hash;
    memcpy(words + REASON, page->reason, sizeof page->reason);
    for (int s = 0; s < WW_SLOTS; s++) {
        const ww_page_slot *slot = &page->slot[s];
        int64_t *place = words + SLOTS + (ptrdiff_t)s * SLOT_WORDS;
        place[SLOT_VALID] = slot->valid;
        place[SLOT_STEP] = slot->step;
        place[SLOT_HASH] = (int64_t)slot->hash;
        place[SLOT_ROWS] = slot->rows;
        place[SLOT_ROWS_HASH] = (int64_t)slot->rows_hash;
        place[SLOT_SNAPSHOTS] = slot->snapshots;
        place[SLOT_SNAPSHOTS_HASH] = (int64_t)slot->snapshots_hash;
        place[SLOT_LAST_STEP] = slot->last_step;
    }
    for (int kind = 0; kind < WW_AUDIT_KINDS; kind++) {
        const ww_audit *audit = &page->audits[kind];
        int64_t *place = words + AUDITS + (ptrdiff_t)kind * AUDIT_WORDS;
        place[AUDIT_VERDICT] = audit->verdict;
        place[AUDIT_FIRST_STEP] = audit->first_step;
        place[AUDIT_LAST_STEP] = audit->last_step;
        place[AUDIT_PAIRS] = audit->pairs;
        place[AUDIT_MISMATCHES] = audit->mismatches;
        place[AUDIT_UNDECIDED] = audit->undecided;
        memcpy(place + AUDIT_DIFFERENCE, &audit->difference, sizeof audit->difference);
    }
    words[CHECKSUM] = checksum(words);
}

bool ww_page_decode(const int64_t words[WW_PAGE_WORDS], int position, ww_page *page)
{
    *page = ww_page_first();
    if (words[MAGIC] != magic_word() || words[VERSION] != PAGE_VERSION ||
        words[CHECKSUM] != checksum(words))
        return false;
    if (words[GENERATION] < 0 || words[GENERATION] % WW_PAGES != position || words[ROWS] < 0 ||
        words[SNAPSHOTS] < 0 || words[STATE] < WW_RUN_WAITING || words[STATE] >= WW_RUN_STATES)
        return false;
    page->generation = words[GENERATION];
    page->state = (ww_run_state)words[STATE];
    page->rows = words[ROWS];
    page->rows_hash = (uint64_t)words[ROWS_HASH];
    page->last_step = words[LAST_STEP];
    page->final_valid = words[FINAL_VALID] != 0;
    page->final_hash = (uint64_t)words[FINAL_HASH];
    page->theory_valid = words[THEORY_VALID] != 0;
    page->theory_hash = (uint64_t)words[THEORY_HASH];
    page->record_valid = words[RECORD_VALID] != 0;
    page->record_hash = (uint64_t)words[RECORD_HASH];
    page->snapshots = words[SNAPSHOTS];
    page->snapshots_hash = (uint64_t)words[SNAPSHOTS_HASH];
    page->gram_valid = words[GRAM_VALID] != 0;
    page->gram_hash = (uint64_t)words[GRAM_HASH];
    page->gram_key = (uint64_t)words[GRAM_KEY];
    page->spectrum_valid = words[SPECTRUM_VALID] != 0;
    page->spectrum_hash = (uint64_t)words[SPECTRUM_HASH];
    page->spectrum_key = (uint64_t)words[SPECTRUM_KEY];
    page->trained = words[TRAINED] != 0;
    page->targets_valid = words[TARGETS_VALID] != 0;
    page->targets_hash = (uint64_t)words[TARGETS_HASH];
    page->attempt = words[ATTEMPT];
    page->data_hash = (uint64_t)words[DATA_HASH];
    memcpy(page->reason, words + REASON, sizeof page->reason);
    page->reason[sizeof page->reason - 1] = '\0';
    for (int s = 0; s < WW_SLOTS; s++) {
        const int64_t *place = words + SLOTS + (ptrdiff_t)s * SLOT_WORDS;
        page->slot[s] = (ww_page_slot){.valid = place[SLOT_VALID] != 0,
                                       .step = place[SLOT_STEP],
                                       .hash = (uint64_t)place[SLOT_HASH],
                                       .rows = place[SLOT_ROWS],
                                       .rows_hash = (uint64_t)place[SLOT_ROWS_HASH],
                                       .snapshots = place[SLOT_SNAPSHOTS],
                                       .snapshots_hash = (uint64_t)place[SLOT_SNAPSHOTS_HASH],
                                       .last_step = place[SLOT_LAST_STEP]};
    }
    for (int kind = 0; kind < WW_AUDIT_KINDS; kind++) {
        const int64_t *place = words + AUDITS + (ptrdiff_t)kind * AUDIT_WORDS;
        ww_audit *audit = &page->audits[kind];
        *audit = (ww_audit){.verdict = (ww_audit_verdict)place[AUDIT_VERDICT],
                            .first_step = place[AUDIT_FIRST_STEP],
                            .last_step = place[AUDIT_LAST_STEP],
                            .pairs = place[AUDIT_PAIRS],
                            .mismatches = place[AUDIT_MISMATCHES],
                            .undecided = place[AUDIT_UNDECIDED]};
        memcpy(&audit->difference, place + AUDIT_DIFFERENCE, sizeof audit->difference);
    }
    return true;
}

int ww_page_newest(const ww_page pages[WW_PAGES], const bool valid[WW_PAGES])
{
    int newest = -1;
    for (int p = 0; p < WW_PAGES; p++)
        if (valid[p] && (newest < 0 || pages[p].generation > pages[newest].generation))
            newest = p;
    return newest;
}

/// True where slot b holds a later state of the run than slot a. Two checkpoints of one step differ
/// by the rows that stood beside them.
static bool later(const ww_page_slot *a, const ww_page_slot *b)
{
    return b->step > a->step || (b->step == a->step && b->rows > a->rows);
}

int ww_page_newest_slot(const ww_page *page)
{
    if (page->slot[0].valid && page->slot[1].valid)
        return later(&page->slot[0], &page->slot[1]) ? 1 : 0;
    if (page->slot[0].valid)
        return 0;
    return page->slot[1].valid ? 1 : -1;
}

bool ww_page_candidate(const ww_page pages[WW_PAGES], const bool valid[WW_PAGES], int k, int *page,
                       int *slot)
{
    const int newest = ww_page_newest(pages, valid);
    if (newest < 0 || ww_page_newest_slot(&pages[newest]) < 0)
        return false;
    for (int p = 0; p < WW_PAGES; p++) {
        *page = p == 0 ? newest : 1 - newest;
        const int first = valid[*page] ? ww_page_newest_slot(&pages[*page]) : -1;
        for (int s = 0; s < WW_SLOTS && first >= 0; s++) {
            *slot = s == 0 ? first : 1 - first;
            if (pages[*page].slot[*slot].valid && k-- == 0)
                return true;
        }
    }
    return false;
}

int ww_page_spare_slot(const ww_page *page)
{
    return ww_page_newest_slot(page) == 0 ? 1 : 0;
}

int64_t ww_page_next_generation(int64_t newest, int standing)
{
    const int64_t next = newest + 1;
    return next % WW_PAGES == standing ? next + 1 : next;
}

const char *ww_run_state_name(ww_run_state state)
{
    switch (state) {
    case WW_RUN_WAITING:
        return "not begun";
    case WW_RUN_RUNNING:
        return "running or interrupted";
    case WW_RUN_DONE:
        return "done";
    case WW_RUN_DIVERGED:
        return "diverged";
    case WW_RUN_STOPPED:
        return "stopped early";
    case WW_RUN_FAILED:
        return "failed";
    case WW_RUN_STATES:
        break;
    }
    return "unknown";
}
