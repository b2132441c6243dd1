/// Holding everything in a file against its checksums.

#include "store/contents.h"
#include "store/hdf5_tools.h"
#include "store/member.h"
#include "store/members.h"
#include "store/readback.h"
#include "store/structure.h"
#include "widthwise/memory.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_SIZE = 2048, NAME_SIZE = 80, FINDING_SIZE = 160, TRIES = 5 };

/// One member under check. The same on all ranks after each step.
typedef struct check {
    const ww_parallel *parallel;
    ww_member member;
    ww_share share;
    ww_page pages[WW_PAGES];
    bool valid[WW_PAGES];
    int newest;                            ///< page, -1: none
    bool good;                             ///< nothing found that must not be
    bool busy;                             ///< a job wrote too fast for something to be checked
    char findings[WW_PARTS][FINDING_SIZE]; ///< "" where there is nothing to say
    char line[LINE_SIZE];                  ///< the report
} check;

static void say(check *at, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(check *at, const char *format, ...)
{
    const size_t used = strlen(at->line);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(at->line + used, sizeof at->line - used, format, arguments);
    va_end(arguments);
}

static const ww_page *page_of(const check *at)
{
    return &at->pages[at->newest];
}

/// The pages as rank 0 reads them. While a job writes them one may be caught half written, and the
/// other one soon after: that neither checks is believed only when it stays so.
static ww_status read_pages(check *at, ww_error *error)
{
    for (int t = 0; t < TRIES; t++) {
        ww_page pages[WW_PAGES];
        bool valid[WW_PAGES] = {false};
        ww_status status = WW_OK;
        if (at->parallel->rank == 0)
            status = ww_member_read_pages(&at->member, pages, valid, error);
        WW_TRY(ww_agree(at->parallel, status, error));
        WW_TRY(ww_broadcast(at->parallel, pages, sizeof pages, 0, error));
        WW_TRY(ww_broadcast(at->parallel, valid, sizeof valid, 0, error));
        const int newest = ww_page_newest(pages, valid);
        if (newest < 0)
            continue;
        memcpy(at->pages, pages, sizeof pages);
        memcpy(at->valid, valid, sizeof valid);
        at->newest = newest;
        return WW_OK;
    }
    return WW_OK; // those that were read before, if any
}

/// What is said of a part besides whether it holds.
static void name_part(const check *at, ww_part part, char name[NAME_SIZE])
{
    static const char *const names[WW_PARTS] = {
        [WW_PART_FINAL] = "final results", [WW_PART_THEORY] = "predictions",
        [WW_PART_RECORD] = "record",       [WW_PART_SPECTRUM] = "spectrum",
        [WW_PART_GRAM] = "Gram results",   [WW_PART_TARGETS] = "computed targets"};
    const ww_page *page = page_of(at);
    if (part == WW_PART_ROWS && at->member.has_replicas)
        (void)snprintf(name, NAME_SIZE, "%" PRId64 " of %" PRId64 " replicas", page->rows,
                       ww_array_rows(&at->member.step));
    else if (part == WW_PART_ROWS)
        (void)snprintf(name, NAME_SIZE, "%" PRId64 " records to step %" PRId64, page->rows,
                       page->last_step);
    else if (part == WW_PART_SNAPSHOTS)
        (void)snprintf(name, NAME_SIZE, "%" PRId64 " of %" PRId64 " snapshots", page->snapshots,
                       ww_array_rows(&at->member.snapshot_step));
    else
        (void)snprintf(name, NAME_SIZE, "%s", names[part]);
}

static bool is_reserved(const ww_member *member, ww_part part)
{
    if (part == WW_PART_SNAPSHOTS)
        return ww_array_exists(&member->snapshot_step);
    if (member->has_replicas) // whose results are in their rows
        return part == WW_PART_ROWS;
    if (part == WW_PART_TARGETS)
        return ww_array_exists(&member->train_targets);
    if (part == WW_PART_GRAM || part == WW_PART_SPECTRUM) {
        bool has = false;
        for (size_t i = 0; i < member->gram.count; i++)
            has = has || ww_belongs_to_part(&member->gram.arrays[i], part);
        return has;
    }
    bool recorded = part != WW_PART_RECORD;
    for (int i = 0; i < WW_RECORDED_COUNT; i++)
        recorded = recorded || ww_array_exists(&member->recorded[i]);
    return recorded;
}

/// Checks a part. What is committed stays as it is while a job goes on; only a restart goes back
/// and writes anew, which its page says before.
static ww_status check_part(check *at, ww_part part, ww_error *error)
{
    char *finding = at->findings[part];
    char name[NAME_SIZE];
    for (int t = 0; t < TRIES; t++) {
        const ww_page page = *page_of(at);
        uint64_t expected = 0;
        name_part(at, part, name);
        if (!ww_part_expected(&page, part, &expected) && part != WW_PART_SNAPSHOTS) {
            (void)snprintf(finding, FINDING_SIZE, "; no %s yet",
                           part != WW_PART_ROWS      ? name
                           : at->member.has_replicas ? "replicas"
                                                     : "records");
            return WW_OK;
        }
        uint64_t hash = 0;
        bool readable = false;
        ww_error unreadable = {0};
        const ww_status read =
            ww_contents_hash_part(&at->member, &page, part, &at->share, &hash, &unreadable);
        WW_TRY(ww_hashes_sum(at->parallel, &read, 1, &hash, &readable, error));
        const bool right = readable && hash == expected;
        if (!right)
            WW_TRY(read_pages(at, error));
        if (!right && page_of(at)->attempt != page.attempt)
            continue;
        (void)snprintf(finding, FINDING_SIZE, "; %s %s", name,
                       right      ? "ok"
                       : readable ? "DAMAGED"
                                  : "UNREADABLE");
        at->good = at->good && right;
        return WW_OK;
    }
    at->busy = true;
    (void)snprintf(finding, FINDING_SIZE, "; %s not checked, a job begins anew again and again",
                   name);
    return WW_OK;
}

/// A slot as it is in the file.
typedef struct slot_contents {
    uint64_t hash;
    bool readable;
} slot_contents;

static bool slot_holds(const slot_contents *contents, const ww_page_slot *said)
{
    return contents->readable && contents->hash == said->hash;
}

static ww_status read_slot(const check *at, int slot, slot_contents *contents, ww_error *error)
{
    ww_error unreadable = {0};
    contents->hash = 0;
    const ww_status read =
        ww_contents_hash_slot(&at->member.slot[slot], &at->share, &contents->hash, &unreadable);
    return ww_hashes_sum(at->parallel, &read, 1, &contents->hash, &contents->readable, error);
}

/// Reads the newest checkpoint. A job leaves it alone until it has committed a newer one: what then
/// is in the slot says nothing, and the newer one is read.
static ww_status check_newest(check *at, slot_contents *contents, bool *settled, ww_error *error)
{
    *settled = false;
    for (int t = 0; t < TRIES && !*settled; t++) {
        const int slot = ww_page_newest_slot(page_of(at));
        if (slot < 0) { // a job that began anew meanwhile
            *settled = true;
            return WW_OK;
        }
        const ww_page_slot said = page_of(at)->slot[slot];
        WW_TRY(read_slot(at, slot, contents, error));
        *settled = slot_holds(contents, &said);
        if (*settled)
            return WW_OK;
        WW_TRY(read_pages(at, error));
        const ww_page_slot *now = &page_of(at)->slot[slot];
        *settled = ww_page_newest_slot(page_of(at)) == slot && now->step == said.step &&
                   now->hash == said.hash;
    }
    return WW_OK;
}

/// Which checkpoint a restart would take, when something is damaged.
static ww_status say_restart(check *at, const slot_contents slots[WW_SLOTS], ww_error *error)
{
    bool anew = false;
    int number = 0;
    int slot = 0;
    for (int k = 0; ww_page_candidate(at->pages, at->valid, k, &number, &slot); k++) {
        const ww_page_slot *said = &at->pages[number].slot[slot];
        bool rows_hold = false;
        bool snapshots_hold = false;
        WW_TRY(ww_measured_check(&at->member, said, &at->share, at->parallel, &rows_hold,
                                 &snapshots_hold, error));
        if (rows_hold && snapshots_hold && slot_holds(&slots[slot], said)) {
            say(at, "; newest good checkpoint: slot %d, step %" PRId64, slot, said->step);
            return WW_OK;
        }
        anew = anew || (number == at->newest && (!rows_hold || !snapshots_hold));
    }
    say(at, anew ? "; NO GOOD CHECKPOINT from before the damage, a restart begins anew from step 0"
                 : "; NO GOOD CHECKPOINT");
    return WW_OK;
}

/// Both slots, and which of them a restart would take. A spare slot may be damaged: a job that dies
/// while it writes there leaves it so. The newest one may not.
static ww_status check_checkpoints(check *at, ww_error *error)
{
    if (at->member.has_replicas) // which keep no weights
        return WW_OK;
    slot_contents slots[WW_SLOTS] = {0};
    slot_contents newest = {0};
    bool settled = false;
    WW_TRY(check_newest(at, &newest, &settled, error));
    const ww_page *page = page_of(at);
    const int first = ww_page_newest_slot(page);
    if (first < 0) {
        say(at, "; no checkpoint yet");
        return WW_OK;
    }
    if (!settled) {
        at->busy = true;
        say(at, "; checkpoints not checked, a job writes them faster than they can be read");
        return WW_OK;
    }
    const int spare = 1 - first;
    slots[first] = newest;
    WW_TRY(read_slot(at, spare, &slots[spare], error));
    const bool newest_good = slot_holds(&newest, &page->slot[first]);
    if (!newest_good)
        say(at, "; newest checkpoint (slot %d, step %" PRId64 ") DAMAGED", first,
            page->slot[first].step);
    at->good = at->good && newest_good;
    if (!at->good)
        return say_restart(at, slots, error);
    say(at, "; newest good checkpoint: slot %d, step %" PRId64, first, page->slot[first].step);
    if (page->slot[spare].valid)
        say(at, "; spare checkpoint: slot %d, step %" PRId64 "%s", spare, page->slot[spare].step,
            slot_holds(&slots[spare], &page->slot[spare])
                ? ""
                : " not whole (a job died while writing it, or writes it now)");
    return WW_OK;
}

/// Checks one open member, also while a job writes it.
static ww_status check_member(check *at, ww_error *error)
{
    at->newest = -1;
    at->line[0] = '\0';
    WW_TRY(read_pages(at, error));
    if (at->newest < 0) {
        say(at, "NEITHER COMMIT PAGE CHECKS");
        return WW_OK;
    }
    at->good = true;
    const ww_page *page = page_of(at);
    say(at, "%s%s%s", ww_run_state_name(page->state), page->reason[0] != '\0' ? ": " : "",
        page->reason);
    if (!at->valid[1 - at->newest] && page->generation > 0)
        say(at, "; one commit page does not check (as when a job died while writing it), the other "
                "counts");
    for (ww_part part = 0; part < WW_PARTS; part++)
        if (is_reserved(&at->member, part))
            WW_TRY(check_part(at, part, error));
    say(at, "%s", at->findings[WW_PART_ROWS]);
    WW_TRY(check_checkpoints(at, error));
    for (ww_part part = WW_PART_ROWS + 1; part < WW_PARTS; part++)
        say(at, "%s", at->findings[part]);
    return WW_OK;
}

/// What comes of the check of a member.
typedef enum verdict { VERDICT_GOOD, VERDICT_BUSY, VERDICT_BAD, VERDICTS } verdict;

static const char *const verdict_names[VERDICTS] = {"good", "busy", "BAD"};

static ww_status verify_member(hid_t file, const char *path, const ww_parallel *parallel,
                               int64_t index, FILE *report, verdict *found, char *finding,
                               ww_error *error)
{
    check *at = ww_allocate(1, sizeof *at, "a run to check", error);
    ww_status status = ww_agree(parallel, at == NULL ? WW_FAILED : WW_OK, error);
    if (at == NULL || status != WW_OK) {
        free(at);
        return WW_FAILED;
    }
    at->parallel = parallel;
    ww_error structure = {0};
    status = ww_member_open(file, path, index, &at->member, &structure);
    status = ww_agree(parallel, status, &structure);
    if (status != WW_OK) {
        say(at, "STRUCTURE DAMAGED: %.*s", LINE_SIZE / 2, structure.message);
        status = WW_OK; // said in the report; the other members are checked all the same
    } else {
        at->share = ww_share_make(&at->member, parallel->rank, parallel->size);
        status = check_member(at, error);
    }
    *found = !at->good ? VERDICT_BAD : at->busy ? VERDICT_BUSY : VERDICT_GOOD;
    memcpy(finding, at->line, LINE_SIZE);
    if (status == WW_OK && parallel->rank == 0 && report != NULL)
        fprintf(report, "run%04" PRId64 ": %s: %s\n", index, verdict_names[*found], at->line);
    ww_member_close(&at->member);
    free(at);
    return status;
}

static ww_status verify(hid_t file, const char *path, const ww_parallel *parallel,
                        const int64_t *indices, size_t count, FILE *report, ww_error *error)
{
    size_t counts[VERDICTS] = {0};
    int64_t first[VERDICTS] = {0};
    char first_finding[LINE_SIZE] = "";
    for (size_t i = 0; i < count; i++) {
        verdict found = VERDICT_BAD;
        char finding[LINE_SIZE] = "";
        WW_TRY(verify_member(file, path, parallel, indices[i], report, &found, finding, error));
        if (counts[found]++ > 0)
            continue;
        first[found] = indices[i];
        if (found == VERDICT_BAD)
            memcpy(first_finding, finding, sizeof finding);
    }
    if (counts[VERDICT_BAD] > 0)
        return ww_fail(
            error, WW_FAILED,
            "%s: %zu of %zu runs fail the check, first run%04" PRId64
            " (%s); restore the file from a backup or start anew with another output file",
            path, counts[VERDICT_BAD], count, first[VERDICT_BAD], first_finding);
    if (counts[VERDICT_BUSY] > 0)
        return ww_fail(error, WW_STOPPED,
                       "%s: good as far as it could be checked, but a job writes %zu of %zu runs "
                       "faster than they can be read, first run%04" PRId64
                       "; verify it again when that job has ended",
                       path, counts[VERDICT_BUSY], count, first[VERDICT_BUSY]);
    return WW_OK;
}

ww_status ww_store_check_structure(const char *path, const ww_parallel *parallel, ww_error *error)
{
    ww_status status = WW_OK;
    if (parallel->rank == 0) {
        hid_t file = H5I_INVALID_HID;
        status = ww_file_open_reading(path, &file, error); // for its sentences
        ww_file_close(&file);
        if (status == WW_OK)
            status = ww_structure_check(path, error);
    }
    return ww_agree(parallel, status, error);
}

ww_status ww_store_verify(const char *path, const ww_parallel *parallel, FILE *report,
                          ww_error *error)
{
    hid_t file = H5I_INVALID_HID;
    int64_t *indices = NULL;
    size_t count = 0;
    ww_status status = ww_store_check_structure(path, parallel, error);
    // Each rank opens the file on its own: no collective call that one rank could miss.
    if (status == WW_OK)
        status = ww_file_open_reading(path, &file, error);
    if (status == WW_OK)
        status = ww_members_list(file, path, &indices, &count, error);
    status = ww_agree(parallel, status, error);
    if (status == WW_OK)
        status = verify(file, path, parallel, indices, count, report, error);
    free(indices);
    ww_file_close(&file);
    return status;
}
