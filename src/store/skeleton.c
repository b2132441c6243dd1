/// Making a file: all datasets of all members, serially, under a temporary name, and then into
/// place.

#include "store/hdf5_tools.h"
#include "store/lock.h"
#include "store/page.h"
#include "store/plan.h"
#include "store/provenance.h"
#include "widthwise/memory.h"
#include "widthwise/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static hid_t fixed_text(size_t size)
{
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, size);
    return type;
}

static bool write_text_attribute(hid_t object, const char *name, const char *text)
{
    const hid_t type = fixed_text(strlen(text) + 1);
    const hid_t space = H5Screate(H5S_SCALAR);
    const hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    const bool written = H5Awrite(attribute, type, text) >= 0;
    H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
    return written;
}

static bool write_integer_attribute(hid_t object, const char *name, int64_t value)
{
    const hid_t space = H5Screate(H5S_SCALAR);
    const hid_t attribute =
        H5Acreate2(object, name, H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT);
    const bool written = H5Awrite(attribute, H5T_NATIVE_INT64, &value) >= 0;
    H5Aclose(attribute);
    H5Sclose(space);
    return written;
}

/// Properties of every dataset: a fixed place in the file from the start, so that a write to it
/// never touches metadata.
static hid_t dataset_properties(void)
{
    const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_layout(properties, H5D_CONTIGUOUS);
    H5Pset_alloc_time(properties, H5D_ALLOC_TIME_EARLY);
    H5Pset_fill_time(properties, H5D_FILL_TIME_NEVER);
    H5Pset_obj_track_times(properties, false);
    return properties;
}

/// Creates the dataset with its attributes and, for texts, its value. False where HDF5 fails.
static bool create_dataset(hid_t file, const ww_plan_item *item)
{
    const hid_t properties = dataset_properties();
    const hid_t links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    hid_t type = H5I_INVALID_HID;
    switch (item->type) {
    case WW_PLAN_INTEGER:
        type = H5Tcopy(H5T_STD_I64LE);
        break;
    case WW_PLAN_REAL:
        type = H5Tcopy(H5T_IEEE_F64LE);
        break;
    case WW_PLAN_TEXT:
        type = fixed_text(item->text_size);
        break;
    }
    hsize_t extent[WW_ARRAY_RANK] = {0};
    for (int axis = 0; axis < item->rank; axis++)
        extent[axis] = (hsize_t)item->extent[axis];
    const hid_t space =
        item->rank == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(item->rank, extent, NULL);
    const hid_t dataset = H5Dcreate2(file, item->path, type, space, links, properties, H5P_DEFAULT);
    bool created = dataset >= 0 &&
                   write_text_attribute(dataset, "description", item->description) &&
                   write_text_attribute(dataset, "units", item->units);
    if (created && item->source != NULL && item->source[0] != '\0')
        created = write_text_attribute(dataset, "source", item->source);
    if (created && item->type == WW_PLAN_TEXT)
        created = H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, item->value) >= 0;
    H5Dclose(dataset);
    H5Sclose(space);
    H5Tclose(type);
    H5Pclose(links);
    H5Pclose(properties);
    return created;
}

/// Writes what a dataset of numbers holds from the start.
static ww_status fill_dataset(hid_t file, const char *temporary, const ww_plan_item *item,
                              ww_error *error)
{
    if (item->type == WW_PLAN_TEXT || item->fill == WW_PLAN_EMPTY)
        return WW_OK;
    ww_array array;
    WW_TRY(ww_array_open(file, temporary, ww_copy_text(item->path, error), 0, &array, error));
    const ww_status status =
        item->fill == WW_PLAN_BLANK
            ? ww_array_blank(&array, 0, error)
            : ww_array_write(&array, 0, 0, ww_array_rows(&array), item->value, error);
    ww_array_close(&array);
    return status;
}

static ww_status fail_writing(const char *temporary, const char *what, ww_error *error)
{
    char reason[WW_REASON_SIZE];
    ww_hdf5_reason(reason, sizeof reason);
    return ww_fail(error, WW_FAILED, "%s: cannot write %s: %s", temporary, what, reason);
}

static ww_status write_skeleton(hid_t file, const char *temporary, const ww_plan *plan,
                                ww_error *error)
{
    errno = 0;
    if (!write_text_attribute(file, "format", "widthwise") ||
        !write_integer_attribute(file, "schema_version", WW_SCHEMA_VERSION) ||
        !write_text_attribute(file, "features", ""))
        return fail_writing(temporary, "its root attributes", error);
    for (size_t i = 0; i < plan->count; i++) {
        errno = 0;
        if (!create_dataset(file, &plan->items[i]))
            return fail_writing(temporary, plan->items[i].path, error);
        WW_TRY(fill_dataset(file, temporary, &plan->items[i], error));
    }
    return WW_OK;
}

/// Fills the temporary file and brings it to the disk.
static ww_status build(const char *temporary, int descriptor, const ww_plan *plan, ww_error *error)
{
    const ww_quiet quiet = ww_quiet_begin();
    const hid_t access = ww_file_access();
#if H5_VERSION_GE(1, 10, 7)
    H5Pset_file_locking(access, false, true);
#endif
    const hid_t creation = H5Pcreate(H5P_FILE_CREATE);
    errno = 0;
    const hid_t file = H5Fcreate(temporary, H5F_ACC_TRUNC, creation, access);
    ww_status status = WW_OK;
    if (file < 0) {
        status = fail_writing(temporary, "an HDF5 file", error);
    } else {
        status = write_skeleton(file, temporary, plan, error);
        errno = 0;
        if (H5Fclose(file) < 0 && status == WW_OK)
            status = fail_writing(temporary, "the end of the file", error);
    }
    H5Pclose(creation);
    H5Pclose(access);
    ww_quiet_end(&quiet);
    if (status == WW_OK && fsync(descriptor) != 0)
        status = ww_fail(error, WW_FAILED, "cannot bring %s to the disk: %s", temporary,
                         strerror(errno));
    return status;
}

/// Folder of `path`, as a new string.
static char *folder_of(const char *path, ww_error *error)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return ww_copy_text(".", error);
    return ww_format(error, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

static ww_status fail_existing(const char *path, ww_error *error)
{
    return ww_fail(error, WW_USAGE,
                   "%s exists already; choose another name with -o, go on with `widthwise resume "
                   "%s`, or overwrite it with --force",
                   path, path);
}

/// What stands at `path` may be replaced: nothing, or with `force` a file that no job writes. Its
/// lock is then held through `*guard`, and `*freed` is what the disk gains when it goes.
static ww_status check_place(const char *path, bool force, int *guard, int64_t *freed,
                             ww_error *error)
{
    *guard = -1;
    *freed = 0;
    struct stat existing;
    if (lstat(path, &existing) != 0)
        return WW_OK;
    if (!force)
        return fail_existing(path, error);
    struct stat target;
    if (stat(path, &target) != 0)
        return WW_OK; // a link that leads nowhere
    if (!S_ISREG(target.st_mode))
        return ww_fail(error, WW_USAGE,
                       "%s is not a file but a folder or device; choose another name with -o",
                       path);
    if (S_ISREG(existing.st_mode) && existing.st_nlink == 1)
        *freed = (int64_t)existing.st_blocks * 512;
    return ww_lock_acquire(path, guard, error);
}

/// Opens the temporary file and keeps other starts off it. One that a killed start left is taken
/// over.
static ww_status open_temporary(const char *path, const char *temporary, int *descriptor,
                                ww_error *error)
{
    *descriptor = open(temporary, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (*descriptor < 0)
        return ww_fail(
            error, WW_USAGE,
            "cannot make %s: %s; check the folder and its permissions, or choose another "
            "place with -o",
            path, strerror(errno));
    // Between open and lock another start may have renamed it into place: then it is not ours to
    // touch.
    struct stat opened;
    struct stat named;
    const bool locked = ww_lock_descriptor(*descriptor);
    if (locked && fstat(*descriptor, &opened) == 0 && stat(temporary, &named) == 0 &&
        opened.st_ino == named.st_ino && opened.st_dev == named.st_dev)
        return WW_OK;
    close(*descriptor);
    *descriptor = -1;
    return ww_fail(error, WW_FAILED,
                   "%s is being made by another job at this moment (%s); choose another name with "
                   "-o",
                   path, temporary);
}

static ww_status check_space(const char *path, int descriptor, int64_t bytes, int64_t freed,
                             ww_error *error)
{
    struct statvfs system;
    if (fstatvfs(descriptor, &system) != 0)
        return WW_OK; // unknown: writing will tell
    const double gibibyte = 1024.0 * 1024.0 * 1024.0;
    const double available = (double)system.f_bavail * (double)system.f_frsize + (double)freed;
    if ((double)bytes <= available)
        return WW_OK;
    return ww_fail(error, WW_FAILED,
                   "%s needs %.3f GiB and its file system has %.3f GiB free; write to another one "
                   "with -o, or keep less (output.record, measure.snapshots)",
                   path, (double)bytes / gibibyte, available / gibibyte);
}

/// Gives the temporary file its name in one step. Without `force` a file of that name, even one
/// made this very moment, is not replaced.
static ww_status move_into_place(const char *temporary, const char *path, bool force,
                                 ww_error *error)
{
    int result = 0;
    if (force) {
        result = rename(temporary, path);
    } else {
        result = renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE);
        if (result != 0 && (errno == ENOSYS || errno == EINVAL)) {
            result = link(temporary, path);
            if (result == 0)
                (void)unlink(temporary);
        }
        if (result != 0 && (errno == EPERM || errno == ENOTSUP || errno == ENOSYS)) {
            struct stat existing; // a file system that has neither: the best that can be done
            if (lstat(path, &existing) == 0)
                return fail_existing(path, error);
            result = rename(temporary, path);
        }
    }
    if (result == 0)
        return WW_OK;
    if (errno == EEXIST)
        return fail_existing(path, error);
    return ww_fail(error, WW_FAILED, "cannot rename %s to %s: %s; check the folder's permissions",
                   temporary, path, strerror(errno));
}

static ww_status sync_folder(const char *path, ww_error *error)
{
    char *folder = folder_of(path, error);
    if (folder == NULL)
        return WW_FAILED;
    ww_status status = WW_OK;
    const int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    // Some file systems cannot sync a folder and say EINVAL; the rename stands all the same.
    if (descriptor < 0 || (fsync(descriptor) != 0 && errno != EINVAL))
        status = ww_fail(error, WW_FAILED, "cannot bring the folder %s to the disk: %s", folder,
                         strerror(errno));
    if (descriptor >= 0)
        close(descriptor);
    free(folder);
    return status;
}

/// Makes the file that `plan` describes at `path`.
static ww_status place(const char *path, bool force, const ww_plan *plan, ww_error *error)
{
    int guard = -1;
    int64_t freed = 0;
    WW_TRY(check_place(path, force, &guard, &freed, error));
    int descriptor = -1;
    char *temporary = ww_format(error, "%s.tmp", path);
    ww_status status = temporary == NULL ? WW_FAILED : WW_OK;
    if (status == WW_OK)
        status = open_temporary(path, temporary, &descriptor, error);
    if (status == WW_OK) {
        status = check_space(path, descriptor, plan->bytes, freed, error);
        if (status == WW_OK) {
            status = build(temporary, descriptor, plan, error);
            if (status != WW_OK)
                ww_error_advise(error, "; nothing was made: check free space and quota, or choose "
                                       "another place with -o");
        }
        if (status == WW_OK)
            status = move_into_place(temporary, path, force, error);
        if (status != WW_OK)
            (void)unlink(temporary);
        else
            status = sync_folder(path, error);
        close(descriptor);
    }
    free(temporary);
    if (guard >= 0)
        close(guard);
    return status;
}

static ww_status create(const char *path, bool force, const ww_provenance *provenance,
                        const ww_member_layout *members, size_t member_count, ww_error *error)
{
    int64_t pages[WW_PAGES][WW_PAGE_WORDS] = {0}; // the second does not check: it is all zeroes
    const ww_page first = ww_page_first();
    ww_page_encode(&first, pages[0]);
    ww_provenance_table *table = ww_provenance_table_make(provenance, error);
    if (table == NULL)
        return WW_FAILED;
    ww_plan plan = {0};
    ww_status status = ww_provenance_plan(table, &plan, error);
    for (size_t i = 0; i < member_count && status == WW_OK; i++)
        status = ww_plan_add_member(&plan, &members[i], pages[0], error);
    if (status == WW_OK)
        status = place(path, force, &plan, error);
    ww_plan_free(&plan);
    free(table);
    return status;
}

ww_status ww_store_create(const char *path, bool force, const ww_provenance *provenance,
                          const ww_member_layout *members, size_t member_count,
                          const ww_parallel *parallel, ww_error *error)
{
    ww_status status = WW_OK;
    if (parallel->rank == 0)
        status = create(path, force, provenance, members, member_count, error);
    return ww_agree(parallel, status, error);
}
