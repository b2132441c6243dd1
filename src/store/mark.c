/// Marking a member as failed.

#include "store/disk.h"
#include "store/member.h"
#include "store/structure.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/// Writes the page after the newest one, with the reason.
static ww_status write_next(const ww_array *commit, const char *path, int64_t index,
                            const char *reason, ww_error *error)
{
    ww_page pages[WW_PAGES];
    bool valid[WW_PAGES];
    WW_TRY(ww_pages_read(commit, pages, valid, error));
    const int newest = ww_page_newest(pages, valid);
    if (newest < 0)
        return ww_member_fail_pages(path, index, error);
    ww_page next = pages[newest];
    next.generation = ww_page_next_generation(next.generation, newest);
    next.state = WW_RUN_FAILED;
    ww_page_set_reason(&next, reason);
    int64_t words[WW_PAGE_WORDS];
    ww_page_encode(&next, words);
    return ww_array_write(commit, 0, next.generation % WW_PAGES, 1, words, error);
}

ww_status ww_store_identify(const char *path, int64_t mark[2], ww_error *error)
{
    hid_t file = H5I_INVALID_HID;
    ww_journal_mark found = {0};
    WW_TRY(ww_file_open_reading(path, &file, error));
    const ww_status status = ww_file_mark_read(file, path, &found, error);
    ww_file_close(&file);
    memcpy(mark, found.words, sizeof found.words);
    return status;
}

static ww_status write_into(const char *path, int64_t index, const char *reason, ww_error *error)
{
    hid_t file = H5I_INVALID_HID;
    ww_array commit = ww_array_none();
    WW_TRY(ww_file_open_writing(path, MPI_COMM_SELF, &file, error));
    ww_status status = ww_pages_open(file, path, index, &commit, error);
    if (status == WW_OK) {
        status = write_next(&commit, path, index, reason, error);
        ww_array_close(&commit);
    }
    ww_file_close(&file);
    return status;
}

ww_status ww_store_mark_failed(const char *path, const int64_t mark[2], int64_t index,
                               const char *reason, ww_error *error)
{
    int64_t found[2] = {0};
    WW_TRY(ww_store_identify(path, found, error));
    if (found[0] != mark[0] || found[1] != mark[1])
        return ww_fail(error, WW_FAILED, "%s was replaced by another file", path);
    const int descriptor = open(path, O_RDWR | O_CLOEXEC);
    if (descriptor < 0)
        return ww_fail(error, WW_FAILED, "cannot open %s: %s", path, strerror(errno));
    ww_status status = write_into(path, index, reason, error);
    if (status == WW_OK)
        status = ww_sync_file(path, descriptor, error);
    close(descriptor);
    return status;
}
