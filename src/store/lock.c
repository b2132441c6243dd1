#include "store/lock.h"

#include "store/disk.h"
#include "store/hdf5_tools.h"
#include "store/journal.h"
#include "store/provenance.h"
#include "widthwise/clock.h"
#include "widthwise/store.h"
#include "widthwise/store_look.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

enum { OWNER_SIZE = 2 * WW_PROVENANCE_TEXT + 64 };

/// The byte that stands for the whole file.
static struct flock lock_range(void)
{
    return (struct flock){
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)1 << 62, .l_len = 1};
}

ww_lock_state ww_lock_descriptor(int descriptor)
{
    struct flock range = lock_range();
    if (fcntl(descriptor, F_OFD_SETLK, &range) == 0)
        return WW_LOCK_TAKEN;
    return errno == EAGAIN || errno == EACCES ? WW_LOCK_BUSY : WW_LOCK_IMPOSSIBLE;
}

/// Which job it may be that has the lock: the newest start that the file knows. "" where it cannot
/// be read.
static void describe_owner(const char *path, char owner[OWNER_SIZE])
{
    owner[0] = '\0';
    ww_error ignored = {0};
    hid_t file = H5I_INVALID_HID;
    ww_provenance newest;
    int64_t count = 0;
    if (ww_file_open_reading(path, &file, &ignored) == WW_OK &&
        ww_provenance_count(file, path, &count, &ignored) == WW_OK && count > 0 &&
        ww_provenance_read(file, path, count - 1, &newest, &ignored) == WW_OK)
        (void)snprintf(owner, OWNER_SIZE, " (the newest start in it is of host %s at %s)",
                       newest.host, newest.started);
    ww_file_close(&file);
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

ww_writer ww_store_find_writer(const char *path)
{
    // A pipe of that name must not wait for its other end.
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file >= 0 && whole_file_is_locked(file)) {
        close(file);
        char *beside = ww_name_beside(path, ".lock", NULL);
        if (beside == NULL)
            return WW_WRITER_UNKNOWN;
        file = open(beside, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        free(beside);
        if (file < 0 && errno == ENOENT) // every writer makes it
            return WW_WRITER_NONE;
    }
    if (file < 0)
        return WW_WRITER_UNKNOWN;
    struct flock range = lock_range();
    const bool answered = fcntl(file, F_OFD_GETLK, &range) == 0;
    close(file);
    if (!answered)
        return WW_WRITER_UNKNOWN;
    return range.l_type == F_UNLCK ? WW_WRITER_NONE : WW_WRITER_THERE;
}

bool ww_store_is_changing(const char *path)
{
    return ww_journal_exists(path);
}

static ww_status acquire(const char *path, int *descriptor, ww_lock_state *state, ww_error *error)
{
    int file = open(path, O_RDWR | O_CLOEXEC);
    *descriptor = -1;
    *state = WW_LOCK_NO_FILE;
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
    if (file < 0)
        return ww_fail(error, WW_FAILED,
                       "cannot open %s for writing: %s; check its permissions and its folder", path,
                       strerror(errno));
    *state = ww_lock_descriptor(file);
    if (*state == WW_LOCK_BUSY) {
        close(file);
        char owner[OWNER_SIZE];
        describe_owner(path, owner);
        return ww_fail(
            error, WW_FAILED,
            "%s is being written by another job%s; wait until that has ended, or stop it", path,
            owner);
    }
    *descriptor = file;
    return WW_OK;
}

ww_status ww_lock_acquire(const char *path, int *descriptor, ww_lock_state *state, ww_error *error)
{
    ww_lock_state ignored = WW_LOCK_NO_FILE;
    return acquire(path, descriptor, state != NULL ? state : &ignored, error);
}

static void say(const ww_store_lock *lock, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(const ww_store_lock *lock, const char *format, ...)
{
    if (lock->say == NULL)
        return;
    char sentence[WW_MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    lock->say(sentence);
}

/// Tries once a second for as long as the caller wants to wait. Rank 0.
static ww_status take_or_wait(const char *path, ww_store_lock *lock, ww_error *error)
{
    const double deadline = ww_seconds() + lock->wait_seconds;
    ww_lock_state state = WW_LOCK_NO_FILE;
    ww_status status = ww_lock_acquire(path, &lock->descriptor, &state, error);
    if (state == WW_LOCK_BUSY && ww_seconds() < deadline)
        say(lock, "%s is being written by another job; waiting up to %.0f s for that to end", path,
            lock->wait_seconds);
    while (state == WW_LOCK_BUSY && ww_seconds() < deadline &&
           (lock->gives_up == NULL || !lock->gives_up())) {
        const struct timespec second = {.tv_sec = 1};
        (void)nanosleep(&second, NULL);
        status = ww_lock_acquire(path, &lock->descriptor, &state, error);
    }
    if (state == WW_LOCK_IMPOSSIBLE)
        say(lock,
            "warning: the file system of %s knows no locks (%s), so nothing keeps a second "
            "job off the file: see to it yourself that one at a time writes it",
            path, strerror(errno));
    return status;
}

ww_status ww_store_lock_take(const char *path, const ww_parallel *parallel, ww_store_lock *lock,
                             ww_error *error)
{
    lock->descriptor = -1;
    lock->recovered = false;
    ww_status status = WW_OK;
    if (parallel->rank == 0) {
        status = take_or_wait(path, lock, error);
        if (status == WW_OK)
            status = ww_journal_recover(path, &lock->recovered, error);
    }
    if (lock->wait_seconds > 0.0) { // the others leave the processor to the job that is waited for
        const ww_status waited = ww_wait_for_all(parallel, NULL, NULL, error);
        if (status == WW_OK)
            status = waited;
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
        status = ww_lock_acquire(path, &descriptor, NULL, error);
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
