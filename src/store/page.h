/// The commit page of a member: 512 words of 64 bits that say which data of the file count.
///
/// Two pages are written in turn, generation g to page g mod 2, each closed by a checksum. A crash
/// tears at most the page being written; the other one stands. Everything here is pure.
#ifndef WIDTHWISE_STORE_PAGE_H
#define WIDTHWISE_STORE_PAGE_H

#include "widthwise/store.h"

#include <stdbool.h>
#include <stdint.h>

enum { WW_PAGE_WORDS = 512, WW_PAGES = 2, WW_SLOTS = 2 };

/// One checkpoint slot as a page has it.
typedef struct ww_page_slot {
    bool valid;
    int64_t step;
    uint64_t hash;
    int64_t rows; ///< rows of the trajectory at that step, with their hash: where a restart goes on
    uint64_t rows_hash;
    int64_t snapshots; ///< snapshots taken until then
    uint64_t snapshots_hash;
    int64_t last_step; ///< of the last of its rows, -1 without rows
} ww_page_slot;

typedef struct ww_page {
    int64_t generation; ///< rises with every commit
    ww_run_state state;
    int64_t rows; ///< committed rows
    uint64_t rows_hash;
    int64_t last_step; ///< step of the last row, -1 without rows
    bool final_valid, theory_valid, record_valid;
    uint64_t final_hash, theory_hash, record_hash;
    bool spectrum_valid, gram_valid; ///< of the Gram matrix; all else that is known of it
    uint64_t spectrum_hash, gram_hash;
    uint64_t spectrum_key, gram_key; ///< what they were computed of and asked for
    bool trained;                    ///< training is over, whatever becomes of its results
    bool targets_valid;              ///< train targets that were computed, not loaded
    uint64_t targets_hash;
    int64_t snapshots; ///< snapshots taken
    uint64_t snapshots_hash;
    int64_t attempt;              ///< restarts
    uint64_t data_hash;           ///< of the data set it was begun with; 0: not known
    char reason[WW_OUTCOME_TEXT]; ///< why it failed or diverged, else ""
    ww_page_slot slot[WW_SLOTS];
    ww_audit audits[WW_AUDIT_KINDS];
} ww_page;

/// Page of a member that has not begun: generation 0.
ww_page ww_page_first(void);

/// Puts a sentence into a page, cut where it is too long. "" for none.
void ww_page_set_reason(ww_page *page, const char *reason);

void ww_page_encode(const ww_page *page, int64_t words[WW_PAGE_WORDS]);

/// False when page number `position` does not check: magic, version, checksum, the parity of its
/// generation, and values that cannot be.
bool ww_page_decode(const int64_t words[WW_PAGE_WORDS], int position, ww_page *page);

/// The page of the highest generation among the valid ones; -1 when none is.
int ww_page_newest(const ww_page pages[WW_PAGES], const bool valid[WW_PAGES]);

/// The slot of the newest checkpoint; -1 when there is none.
int ww_page_newest_slot(const ww_page *page);

/// Candidate number `k` for a restart, best first: the newest page before the older one, in a page
/// the newer slot before the older. A newest page without any checkpoint ends the list at once.
/// False when there is no such candidate.
bool ww_page_candidate(const ww_page pages[WW_PAGES], const bool valid[WW_PAGES], int k, int *page,
                       int *slot);

/// The slot that the next checkpoint may overwrite: never the only one, nor the newer one.
int ww_page_spare_slot(const ww_page *page);

/// Generation that follows `newest` and is not written onto page `standing`.
int64_t ww_page_next_generation(int64_t newest, int standing);

#endif
