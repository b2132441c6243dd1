#include "store/place.h"

#include "store/disk.h"
#include "store/driver.h"
#include "store/hdf5_tools.h"
#include "store/journal.h"
#include "store/lock.h"
#include "store/structure.h"
#include "widthwise/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/// Fills the temporary file and brings it to the disk.
static ww_status build_file(const char *temporary, int descriptor, const ww_file_builder *builder,
                            ww_error *error)
{
    const ww_quiet quiet = ww_quiet_begin();
    ww_driver driver;
    ww_driver_begin(&driver);
    const hid_t file = H5Fcreate(temporary, H5F_ACC_TRUNC, H5P_DEFAULT, driver.access);
    ww_status status = WW_OK;
    if (file < 0) {
        status = ww_fail_writing(temporary, "an HDF5 file", error);
    } else {
        status = builder->build(builder->context, file, temporary, error);
        if (H5Fclose(file) < 0 && status == WW_OK)
            status = ww_fail_writing(temporary, "the end of the file", error);
    }
    const ww_status written = ww_driver_end(&driver, temporary, error);
    ww_quiet_end(&quiet);
    if (status == WW_OK || written != WW_OK)
        status = written;
    if (status == WW_OK && builder->resumes)
        status = ww_structure_seal(temporary, error);
    if (status == WW_OK && builder->check != NULL)
        status = builder->check(builder->context, temporary, error);
    return status == WW_OK ? ww_sync_file(temporary, descriptor, error) : status;
}

static ww_status fail_existing(const char *path, bool resumes, ww_error *error)
{
    if (!resumes)
        return ww_fail(error, WW_USAGE,
                       "%s exists already; choose another name with -o, or overwrite it with "
                       "--force",
                       path);
    return ww_fail(error, WW_USAGE,
                   "%s exists already; choose another name with -o, go on with `widthwise resume "
                   "%s`, or overwrite it with --force",
                   path, path);
}

/// What stands at `path` may be replaced: nothing, or with `force` a file that no job writes. Its
/// lock is then held through `*guard`, and `*freed` is what the disk gains when it goes.
static ww_status check_place(const char *path, bool force, bool resumes, int *guard, int64_t *freed,
                             ww_error *error)
{
    *guard = -1;
    *freed = 0;
    struct stat existing;
    if (lstat(path, &existing) != 0)
        return WW_OK;
    if (!force)
        return fail_existing(path, resumes, error);
    struct stat target;
    if (stat(path, &target) != 0)
        return WW_OK; // a link that leads nowhere
    if (!S_ISREG(target.st_mode))
        return ww_fail(error, WW_USAGE,
                       "%s is not a file but a folder or device; choose another name with -o",
                       path);
    if (S_ISREG(existing.st_mode) && existing.st_nlink == 1)
        *freed = (int64_t)existing.st_blocks * 512;
    return ww_lock_acquire(path, guard, NULL, error);
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
    const bool locked = ww_lock_descriptor(*descriptor) != WW_LOCK_BUSY;
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

/// Gives the temporary file its name in one step. Without `force` a file of that name, even one
/// made this very moment, is not replaced.
static ww_status move_into_place(const char *temporary, const char *path, bool force, bool resumes,
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
                return fail_existing(path, resumes, error);
            result = rename(temporary, path);
        }
    }
    if (result == 0)
        return WW_OK;
    if (errno == EEXIST)
        return fail_existing(path, resumes, error);
    return ww_fail(error, WW_FAILED, "cannot rename %s to %s: %s; check the folder's permissions",
                   temporary, path, strerror(errno));
}

ww_status ww_place_file(const char *path, bool force, const ww_file_builder *builder,
                        ww_error *error)
{
    int guard = -1;
    int64_t freed = 0;
    WW_TRY(check_place(path, force, builder->resumes, &guard, &freed, error));
    int descriptor = -1;
    char *temporary = ww_format(error, "%s.tmp", path);
    ww_status status = temporary == NULL ? WW_FAILED : WW_OK;
    if (status == WW_OK)
        status = open_temporary(path, temporary, &descriptor, error);
    if (status == WW_OK) {
        status = ww_check_space(path, descriptor, builder->bytes, freed, error);
        if (status == WW_OK) {
            status = build_file(temporary, descriptor, builder, error);
            if (status != WW_OK && !builder->copies)
                ww_error_advise(error, "; nothing was made: check free space and quota, or choose "
                                       "another place with -o");
        }
        if (status == WW_OK)
            status = move_into_place(temporary, path, force, builder->resumes, error);
        if (status != WW_OK)
            (void)unlink(temporary);
        else
            // One that was left by the file that stood here before. It ends with the folder synced.
            status = ww_journal_remove(path, error);
        close(descriptor);
    }
    free(temporary);
    if (guard >= 0)
        close(guard);
    return status;
}
