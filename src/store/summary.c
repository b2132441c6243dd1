/// What a file says without its weights.

#include "store/hdf5_tools.h"
#include "store/member.h"
#include "store/members.h"
#include "store/provenance.h"
#include "widthwise/memory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static ww_status summarize_member(hid_t file, const char *path, ww_member_summary *summary,
                                  ww_error *error)
{
    char *prefix = ww_format(error, "/runs/run%04" PRId64, summary->index);
    char *config = prefix == NULL ? NULL : ww_format(error, "%s/config", prefix);
    char *label = prefix == NULL ? NULL : ww_format(error, "%s/label", prefix);
    ww_status status = config == NULL || label == NULL ? WW_FAILED : WW_OK;
    if (status == WW_OK)
        status = ww_text_read(file, path, config, -1, &summary->config_text, error);
    if (status == WW_OK)
        status = ww_text_read(file, path, label, -1, &summary->label, error);
    free(prefix);
    free(config);
    free(label);
    WW_TRY(status);
    ww_array commit;
    WW_TRY(ww_pages_open(file, path, summary->index, &commit, error));
    ww_page pages[WW_PAGES];
    status = ww_pages_read(&commit, pages, summary->page_valid, error);
    ww_array_close(&commit);
    WW_TRY(status);
    const int newest = ww_page_newest(pages, summary->page_valid);
    const ww_page page = newest < 0 ? ww_page_first() : pages[newest];
    summary->state = page.state;
    summary->generation = page.generation;
    summary->rows = page.rows;
    summary->last_step = page.last_step;
    memcpy(summary->reason, page.reason, sizeof summary->reason);
    for (int s = 0; s < WW_SLOTS; s++) {
        summary->slot_valid[s] = page.slot[s].valid;
        summary->slot_step[s] = page.slot[s].step;
    }
    summary->final_valid = page.final_valid;
    summary->theory_valid = page.theory_valid;
    summary->record_valid = page.record_valid;
    summary->gram_valid = page.gram_valid;
    summary->trained = page.trained;
    summary->data_hash = page.data_hash;
    summary->snapshots = page.snapshots;
    memcpy(summary->audits, page.audits, sizeof summary->audits);
    return WW_OK;
}

static ww_status summarize(hid_t file, const char *path, ww_file_summary *summary, ww_error *error)
{
    summary->schema_version = ww_file_schema_version(file);
    WW_TRY(ww_provenance_count(file, path, &summary->attempt_count, error));
    if (summary->attempt_count > 0) {
        WW_TRY(ww_provenance_read(file, path, 0, &summary->first, error));
        WW_TRY(ww_provenance_read(file, path, summary->attempt_count - 1, &summary->newest, error));
    }
    int64_t *indices = NULL;
    size_t count = 0;
    WW_TRY(ww_members_list(file, path, &indices, &count, error));
    ww_status status = WW_OK;
    summary->members = ww_allocate(count, sizeof *summary->members, "the list of runs", error);
    if (summary->members == NULL)
        status = WW_FAILED;
    for (size_t i = 0; i < count && status == WW_OK; i++) {
        summary->members[i].index = indices[i];
        summary->member_count++;
        status = summarize_member(file, path, &summary->members[i], error);
    }
    free(indices);
    return status;
}

ww_status ww_store_summarize(const char *path, ww_file_summary *summary, ww_error *error)
{
    *summary = (ww_file_summary){0};
    hid_t file = H5I_INVALID_HID;
    WW_TRY(ww_file_open_reading(path, &file, error));
    const ww_status status = summarize(file, path, summary, error);
    ww_file_close(&file);
    if (status != WW_OK)
        ww_file_summary_free(summary);
    return status;
}

void ww_file_summary_free(ww_file_summary *summary)
{
    for (int64_t i = 0; i < summary->member_count; i++) {
        free(summary->members[i].config_text);
        free(summary->members[i].label);
    }
    free(summary->members);
    *summary = (ww_file_summary){0};
}

/// A text from rank 0 to all; elsewhere `*text` is new.
static ww_status broadcast_text(const ww_parallel *parallel, char **text, ww_error *error)
{
    int64_t bytes = parallel->rank == 0 ? (int64_t)strlen(*text) + 1 : 0;
    WW_TRY(ww_broadcast(parallel, &bytes, sizeof bytes, 0, error));
    ww_status status = WW_OK;
    if (parallel->rank != 0) {
        *text = ww_allocate((size_t)bytes, 1, "a text", error);
        status = *text == NULL ? WW_FAILED : WW_OK;
    }
    WW_TRY(ww_agree(parallel, status, error));
    return ww_broadcast(parallel, *text, (size_t)bytes, 0, error);
}

static ww_status broadcast_members(const ww_parallel *parallel, ww_file_summary *summary,
                                   int64_t count, ww_error *error)
{
    ww_status status = WW_OK;
    if (parallel->rank != 0) {
        summary->members =
            ww_allocate((size_t)count, sizeof *summary->members, "the list of runs", error);
        status = summary->members == NULL ? WW_FAILED : WW_OK;
        summary->member_count = status == WW_OK ? count : 0;
    }
    WW_TRY(ww_agree(parallel, status, error));
    WW_ASSERT(summary->members != NULL);
    for (int64_t i = 0; i < count; i++) {
        ww_member_summary *member = &summary->members[i];
        ww_member_summary plain = *member;
        WW_TRY(ww_broadcast(parallel, &plain, sizeof plain, 0, error));
        plain.config_text = member->config_text; // pointers of rank 0 mean nothing elsewhere
        plain.label = member->label;
        *member = plain;
        WW_TRY(broadcast_text(parallel, &member->config_text, error));
        WW_TRY(broadcast_text(parallel, &member->label, error));
    }
    return WW_OK;
}

ww_status ww_store_summarize_all(const char *path, const ww_parallel *parallel,
                                 ww_file_summary *summary, ww_error *error)
{
    *summary = (ww_file_summary){0};
    ww_status own = WW_OK;
    if (parallel->rank == 0)
        own = ww_store_summarize(path, summary, error);
    WW_TRY(ww_agree(parallel, own, error));
    WW_ASSERT(own == WW_OK);
    ww_file_summary plain = *summary;
    ww_status status = ww_broadcast(parallel, &plain, sizeof plain, 0, error);
    if (status == WW_OK && parallel->rank != 0) {
        *summary = plain;
        summary->members = NULL;
        summary->member_count = 0;
    }
    if (status == WW_OK)
        status = broadcast_members(parallel, summary, plain.member_count, error);
    if (status != WW_OK)
        ww_file_summary_free(summary);
    return status;
}
