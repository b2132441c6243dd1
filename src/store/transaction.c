#include "store/transaction.h"

#include "store/disk.h"
#include "store/driver.h"
#include "store/hdf5_tools.h"
#include "store/journal.h"
#include "store/skeleton.h"
#include "store/structure.h"
#include "widthwise/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum {
    LARGE_BYTES = 1 << 16, // datasets from this size on are not kept in the journal
    COPY_BYTES = 16 << 20
};

ww_status ww_transaction_plan_mark(ww_plan *plan, int64_t *words, ww_error *error)
{
    if (getrandom(words, 2 * sizeof *words, 0) != (ssize_t)(2 * sizeof *words))
        return ww_fail(error, WW_FAILED, "the system gives no random numbers: %s", strerror(errno));
    const ww_plan_item item = {
        .type = WW_PLAN_INTEGER,
        .rank = 1,
        .extent = {2},
        .description =
            "Two random words: the first tells this file and its copies from all others, "
            "the second is another one after each change of the structure",
        .units = "1",
        .fill = WW_PLAN_VALUE,
        .value = words};
    return ww_plan_add(plan, item, ww_copy_text(WW_FILE_MARK_PATH, error), error);
}

/// Whether the journal leaves a dataset alone: a large one that is not touched.
static bool is_left_alone(const void *context, const char *path, int64_t bytes)
{
    const ww_transaction *transaction = context;
    for (size_t i = 0; i < transaction->count; i++)
        if (strcmp(transaction->touched[i], path) == 0)
            return false;
    return bytes >= LARGE_BYTES;
}

/// Finds out what the journal has to keep, and writes it.
static ww_status begin_journal(const char *path, const ww_transaction *transaction,
                               ww_journal_mark *mark, ww_error *error)
{
    hid_t file = H5I_INVALID_HID;
    WW_TRY(ww_file_open_reading(path, &file, error));
    ww_status status = ww_file_mark_read(file, path, mark, error);
    ww_extent_list kept = {0};
    if (status == WW_OK)
        status = ww_extents_find(file, path, is_left_alone, transaction, &kept, error);
    ww_file_close(&file);
    if (status == WW_OK)
        status = ww_journal_begin(path, kept.extents, kept.count, mark, error);
    free(kept.extents);
    return status;
}

/// Opens the file, does the work, and brings it to the disk.
static ww_status change_file(const char *path, const ww_transaction *transaction, ww_error *error)
{
    const ww_quiet quiet = ww_quiet_begin();
    ww_driver driver;
    ww_driver_begin(&driver);
    hid_t file = H5I_INVALID_HID;
    ww_status status = ww_file_open_changing(path, driver.access, &file, error);
    if (status == WW_OK) {
        status = transaction->work(transaction->context, file, path, error);
        if (H5Fclose(file) < 0 && status == WW_OK)
            status = ww_fail_writing(path, "the change of its structure", error);
    }
    const ww_status written = ww_driver_end(&driver, path, error);
    ww_quiet_end(&quiet);
    if (status == WW_OK || written != WW_OK)
        status = written;
    if (status == WW_OK)
        status = ww_structure_seal(path, error);
    const int descriptor = status == WW_OK ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (status == WW_OK && (descriptor < 0 || fsync(descriptor) != 0))
        status =
            ww_fail(error, WW_FAILED, "cannot bring %s to the disk: %s", path, strerror(errno));
    if (descriptor >= 0)
        close(descriptor);
    return status;
}

ww_status ww_transaction_run(const char *path, const ww_transaction *transaction, ww_error *error)
{
    const int descriptor = open(path, O_RDWR | O_CLOEXEC);
    if (descriptor < 0)
        return ww_fail(error, WW_FAILED, "cannot open %s for writing: %s; check its permissions",
                       path, strerror(errno));
    ww_status status = ww_check_space(path, descriptor, transaction->bytes, 0, error);
    close(descriptor);
    ww_journal_mark mark = {0};
    if (status == WW_OK)
        status = begin_journal(path, transaction, &mark, error);
    if (status != WW_OK) {
        ww_error_advise(error, "; nothing was changed");
        return status;
    }
    status = change_file(path, transaction, error);
    if (status == WW_OK)
        return ww_journal_end(path, &mark, error);
    bool recovered = false;
    if (ww_journal_recover(path, &recovered, NULL) == WW_OK)
        ww_error_advise(error, "; nothing was changed");
    else
        ww_error_advise(error, "; `widthwise resume %s` puts the file back as it was", path);
    return status;
}

/// The rows that both datasets have, from one to the other.
static ww_status copy_dataset(hid_t file, const char *file_name, const char *from, const char *to,
                              ww_error *error)
{
    ww_array source;
    ww_array target;
    WW_TRY(ww_array_open(file, file_name, ww_copy_text(from, error), 0, &source, error));
    ww_status status = ww_array_open(file, file_name, ww_copy_text(to, error), 0, &target, error);
    if (status == WW_OK) {
        const int64_t rows = ww_array_rows(&source);
        const int64_t room = ww_array_rows(&target);
        status = ww_array_copy(&source, &target, rows < room ? rows : room, error);
        ww_array_close(&target);
    }
    ww_array_close(&source);
    return status;
}

ww_status ww_transaction_remove(hid_t file, const char *file_name, const char *path,
                                ww_error *error)
{
    errno = 0;
    if (H5Ldelete(file, path, H5P_DEFAULT) < 0)
        return ww_fail_writing(file_name, path, error);
    return WW_OK;
}

ww_status ww_transaction_replace(hid_t file, const char *file_name, const ww_plan_item *item,
                                 bool copies, ww_error *error)
{
    char *before = ww_format(error, "%s__before", item->path);
    if (before == NULL)
        return WW_FAILED;
    errno = 0;
    ww_status status = WW_OK;
    if (H5Lmove(file, item->path, file, before, H5P_DEFAULT, H5P_DEFAULT) < 0)
        status = ww_fail_writing(file_name, item->path, error);
    if (status == WW_OK)
        status = ww_skeleton_add(file, file_name, item, error);
    if (status == WW_OK && copies)
        status = copy_dataset(file, file_name, before, item->path, error);
    if (status == WW_OK)
        status = ww_transaction_remove(file, file_name, before, error);
    free(before);
    return status;
}
