#include "store/lock.h"

#include "store/disk.h"
#include "store/journal.h"
#include "widthwise/store.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

bool ww_lock_descriptor(int descriptor)
{
    struct flock range = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)1 << 62, .l_len = 1};
    return fcntl(descriptor, F_OFD_SETLK, &range) == 0 || (errno != EAGAIN && errno != EACCES);
}

/// Open MPI's I/O locks the whole file, to infinity, around each transfer where the file is on NFS
/// (or where it is told to): it would wait for our lock forever. Then the lock is on a file beside
/// it.
static bool whole_file_is_locked(int descriptor)
{
    const char *algorithm = getenv("OMPI_MCA_fs_ufs_lock_algorithm");
    if (algorithm != NULL && strcmp(algorithm, "0") != 0)
        return strcmp(algorithm, "2") == 0;
    struct statfs system;
    return fstatfs(descriptor, &system) == 0 && system.f_type == NFS_SUPER_MAGIC;
}

ww_status ww_lock_acquire(const char *path, int *descriptor, ww_error *error)
{
    int file = open(path, O_RDWR | O_CLOEXEC);
    *descriptor = file;
    if (file < 0 && errno == ENOENT)
        return ww_fail(error, WW_USAGE, "cannot open %s: %s; check its name", path,
                       strerror(ENOENT));
    if (file < 0 && errno == EISDIR)
        return ww_fail(error, WW_USAGE, "%s is a folder; give a file that `widthwise run` made",
                       path);
    if (file >= 0 && whole_file_is_locked(file)) {
        close(file);
        char *beside = ww_name_beside(path, ".lock", error);
        if (beside == NULL)
            return WW_FAILED;
        file = open(beside, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        free(beside);
    }
    *descriptor = file;
    if (file < 0)
        return ww_fail(error, WW_FAILED,
                       "cannot open %s for writing: %s; check its permissions and its folder", path,
                       strerror(errno));
    if (!ww_lock_descriptor(file)) {
        close(file);
        *descriptor = -1;
        return ww_fail(error, WW_FAILED,
                       "%s is being written by another job; wait until that has ended, or stop it",
                       path);
    }
    return WW_OK;
}

ww_status ww_store_lock_take(const char *path, const ww_parallel *parallel, ww_store_lock *lock,
                             ww_error *error)
{
    *lock = (ww_store_lock){.descriptor = -1};
    ww_status status = WW_OK;
    if (parallel->rank == 0) {
        status = ww_lock_acquire(path, &lock->descriptor, error);
        if (status == WW_OK)
            status = ww_journal_recover(path, &lock->recovered, error);
    }
    status = ww_agree(parallel, status, error);
    if (status != WW_OK)
        ww_store_unlock(lock);
    return status;
}

ww_status ww_store_recover(const char *path, const ww_parallel *parallel, bool *recovered,
                           ww_error *error)
{
    *recovered = false;
    ww_status status = WW_OK;
    if (parallel->rank == 0 && ww_journal_exists(path)) {
        int descriptor = -1;
        status = ww_lock_acquire(path, &descriptor, error);
        if (status == WW_OK)
            status = ww_journal_recover(path, recovered, error);
        if (descriptor >= 0)
            close(descriptor);
    }
    return ww_agree(parallel, status, error);
}

void ww_store_unlock(ww_store_lock *lock)
{
    if (lock->descriptor >= 0)
        close(lock->descriptor);
    lock->descriptor = -1;
}
