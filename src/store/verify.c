/// Holding everything in a file against its checksums.

#include "store/contents.h"
#include "store/hdf5_tools.h"
#include "store/member.h"
#include "store/members.h"
#include "store/structure.h"
#include "widthwise/memory.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_SIZE = 2048, TRIES = 5 };

/// One member under check. The same on all ranks after each step.
typedef struct check {
    const ww_parallel *parallel;
    ww_member member;
    ww_share share;
    ww_page pages[WW_PAGES];
    bool valid[WW_PAGES];
    int newest;           ///< page
    bool good;            ///< nothing found that must not be
    char line[LINE_SIZE]; ///< the report
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

/// Sums the shares of a hash over ranks. Data that a rank cannot read do not match: `*readable`.
static ww_status sum(const check *at, ww_status local, uint64_t *hash, bool *readable,
                     ww_error *error)
{
    int64_t words[2] = {(int64_t)*hash, local != WW_OK};
    WW_TRY(ww_sum_words(at->parallel, words, 2, error));
    *hash = (uint64_t)words[0];
    *readable = words[1] == 0;
    return WW_OK;
}

/// Compares and says the outcome of something that must be right.
static ww_status judge(check *at, const char *what, ww_status local, uint64_t hash,
                       uint64_t expected, ww_error *error)
{
    bool readable = false;
    WW_TRY(sum(at, local, &hash, &readable, error));
    const bool right = readable && hash == expected;
    say(at, "; %s %s", what, right ? "ok" : readable ? "DAMAGED" : "UNREADABLE");
    at->good = at->good && right;
    return WW_OK;
}

static ww_status check_rows(check *at, const ww_page *page, ww_error *error)
{
    if (page->rows == 0) {
        say(at, "; no records yet");
        return WW_OK;
    }
    uint64_t hash = 0;
    ww_error local = {0};
    const ww_status status =
        ww_contents_hash_rows(&at->member, page->rows, &at->share, &hash, &local);
    char what[64];
    (void)snprintf(what, sizeof what, "%" PRId64 " records to step %" PRId64, page->rows,
                   page->last_step);
    return judge(at, what, status, hash, page->rows_hash, error);
}

static ww_status check_results(check *at, const char *what, const ww_array_list *list, bool valid,
                               uint64_t expected, ww_error *error)
{
    if (!valid) {
        say(at, "; no %s yet", what);
        return WW_OK;
    }
    uint64_t hash = 0;
    ww_error local = {0};
    const ww_status status = ww_contents_hash_list(list, &at->share, &hash, &local);
    return judge(at, what, status, hash, expected, error);
}

static ww_status check_record(check *at, const ww_page *page, ww_error *error)
{
    bool reserved = false;
    for (int i = 0; i < WW_RECORDED_COUNT; i++)
        reserved = reserved || ww_array_exists(&at->member.recorded[i]);
    if (!reserved)
        return WW_OK;
    if (!page->record_valid) {
        say(at, "; no record yet");
        return WW_OK;
    }
    uint64_t hash = 0;
    ww_error local = {0};
    const ww_status status = ww_contents_hash_record(&at->member, &at->share, &hash, &local);
    return judge(at, "record", status, hash, page->record_hash, error);
}

static ww_status check_snapshots(check *at, const ww_page *page, ww_error *error)
{
    if (!ww_array_exists(&at->member.snapshot_step))
        return WW_OK;
    uint64_t hash = 0;
    ww_error local = {0};
    const ww_status status =
        ww_contents_hash_snapshots(&at->member, page->snapshots, &at->share, &hash, &local);
    char what[64];
    (void)snprintf(what, sizeof what, "%" PRId64 " of %" PRId64 " snapshots", page->snapshots,
                   ww_array_rows(&at->member.snapshot_step));
    return judge(at, what, status, hash, page->snapshots_hash, error);
}

/// Both slots, and which of them a restart would take. A spare slot may be damaged: a job that dies
/// while it writes there leaves it so. The newest one may not.
static ww_status check_checkpoints(check *at, const ww_page *page, ww_error *error)
{
    const int first = ww_page_newest_slot(page);
    if (first < 0) {
        say(at, "; no checkpoint yet");
        return WW_OK;
    }
    uint64_t hash[WW_SLOTS] = {0};
    bool readable[WW_SLOTS] = {false};
    for (int s = 0; s < WW_SLOTS; s++) {
        ww_error local = {0};
        const ww_status status =
            ww_contents_hash_slot(&at->member.slot[s], &at->share, &hash[s], &local);
        WW_TRY(sum(at, status, &hash[s], &readable[s], error));
    }
    int number = 0;
    int slot = 0;
    bool found = false;
    for (int k = 0; !found && ww_page_candidate(at->pages, at->valid, k, &number, &slot); k++)
        found = readable[slot] && hash[slot] == at->pages[number].slot[slot].hash;
    const bool newest_good = readable[first] && hash[first] == page->slot[first].hash;
    if (!newest_good)
        say(at, "; newest checkpoint (slot %d, step %" PRId64 ") DAMAGED", first,
            page->slot[first].step);
    if (found)
        say(at, "; newest good checkpoint: slot %d, step %" PRId64, slot,
            at->pages[number].slot[slot].step);
    else
        say(at, "; NO GOOD CHECKPOINT");
    at->good = at->good && newest_good;
    const int spare = 1 - first;
    if (newest_good && page->slot[spare].valid)
        say(at, "; spare checkpoint: slot %d, step %" PRId64 "%s", spare, page->slot[spare].step,
            readable[spare] && hash[spare] == page->slot[spare].hash
                ? ""
                : " not whole (as when a job died while writing it)");
    return WW_OK;
}

/// The pages as rank 0 reads them: a job may be writing.
static ww_status read_pages(check *at, ww_error *error)
{
    ww_status status = WW_OK;
    if (at->parallel->rank == 0)
        status = ww_member_read_pages(&at->member, at->pages, at->valid, error);
    WW_TRY(ww_agree(at->parallel, status, error));
    WW_TRY(ww_broadcast(at->parallel, at->pages, sizeof at->pages, 0, error));
    WW_TRY(ww_broadcast(at->parallel, at->valid, sizeof at->valid, 0, error));
    at->newest = ww_page_newest(at->pages, at->valid);
    return WW_OK;
}

static ww_status check_contents(check *at, ww_error *error)
{
    const ww_page *page = &at->pages[at->newest];
    at->good = true;
    at->line[0] = '\0';
    say(at, "%s%s%s", ww_run_state_name(page->state), page->reason[0] != '\0' ? ": " : "",
        page->reason);
    if (!at->valid[1 - at->newest] && page->generation > 0)
        say(at, "; one commit page does not check (as when a job died while writing it), the other "
                "counts");
    WW_TRY(check_rows(at, page, error));
    WW_TRY(check_checkpoints(at, page, error));
    WW_TRY(check_results(at, "final results", &at->member.final, page->final_valid,
                         page->final_hash, error));
    WW_TRY(check_results(at, "predictions", &at->member.theory, page->theory_valid,
                         page->theory_hash, error));
    WW_TRY(check_record(at, page, error));
    return check_snapshots(at, page, error);
}

/// Checks one open member. What a job writes meanwhile may look damaged: then its page has changed,
/// and the check begins anew.
static ww_status check_member(check *at, ww_error *error)
{
    WW_TRY(read_pages(at, error));
    for (int t = 0; t < TRIES; t++) {
        if (at->newest < 0) {
            at->good = false;
            at->line[0] = '\0';
            say(at, "NEITHER COMMIT PAGE CHECKS");
            return WW_OK;
        }
        const int64_t generation = at->pages[at->newest].generation;
        WW_TRY(check_contents(at, error));
        if (at->good)
            return WW_OK;
        WW_TRY(read_pages(at, error));
        if (at->newest >= 0 && at->pages[at->newest].generation == generation)
            return WW_OK;
    }
    return WW_OK;
}

static ww_status verify_member(hid_t file, const char *path, const ww_parallel *parallel,
                               int64_t index, FILE *report, bool *good, char *finding,
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
    *good = status == WW_OK && at->good;
    memcpy(finding, at->line, LINE_SIZE);
    if (status == WW_OK && parallel->rank == 0 && report != NULL)
        fprintf(report, "run%04" PRId64 ": %s: %s\n", index, *good ? "good" : "BAD", at->line);
    ww_member_close(&at->member);
    free(at);
    return status;
}

static ww_status verify(hid_t file, const char *path, const ww_parallel *parallel,
                        const int64_t *indices, size_t count, FILE *report, ww_error *error)
{
    size_t bad = 0;
    int64_t first_bad = -1;
    char first_finding[LINE_SIZE] = "";
    for (size_t i = 0; i < count; i++) {
        bool good = false;
        char finding[LINE_SIZE] = "";
        WW_TRY(verify_member(file, path, parallel, indices[i], report, &good, finding, error));
        if (!good && bad++ == 0) {
            first_bad = indices[i];
            memcpy(first_finding, finding, sizeof finding);
        }
    }
    if (bad == 0)
        return WW_OK;
    return ww_fail(error, WW_FAILED,
                   "%s: %zu of %zu runs fail the check, first run%04" PRId64
                   " (%s); restore the file from a backup or start anew with another output file",
                   path, bad, count, first_bad, first_finding);
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
