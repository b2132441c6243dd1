/// A library to be preloaded: logs everything that processes do to the files of one folder, in one
/// order over all processes, so that a test can rebuild what a crash would have left at any moment.
///
/// WRITE_LOG names the log, WRITE_LOG_FOLDER the folder (absolute). Each operation is done and
/// logged under one lock. A record is a header of eight words of 64 bits, the path (and for a
/// rename the second one), and the bytes written.
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PATH_SIZE = 1024 };

/// Kinds of records; tests/support/crash_replay.c has the same list.
enum { LOG_CREATE = 1, LOG_WRITE, LOG_TRUNCATE, LOG_SYNC, LOG_RENAME, LOG_UNLINK, LOG_SYNC_FOLDER };

typedef struct log_state {
    bool active;
    int descriptor;
    char folder[PATH_SIZE];
    size_t folder_length;
} log_state;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static log_state state = {.descriptor = -1};

typedef void (*any_function)(void);

/// The next function of this name, after ours. (POSIX says that the bytes of the pointer can be
/// taken so; ISO C has no conversion.)
static any_function next(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    any_function function = NULL;
    if (found == NULL)
        abort();
    memcpy(&function, &found, sizeof function);
    return function;
}

static void start(void)
{
    const char *log = getenv("WRITE_LOG");
    const char *folder = getenv("WRITE_LOG_FOLDER");
    if (log == NULL || folder == NULL)
        return;
    int (*plain_open)(const char *, int, ...) = (int (*)(const char *, int, ...))next("open");
    state.descriptor = plain_open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    state.folder_length = strlen(folder);
    if (state.descriptor < 0 || state.folder_length >= sizeof state.folder)
        abort();
    memcpy(state.folder, folder, state.folder_length + 1);
    state.active = true;
}

/// True, and the absolute path, for a path inside the folder, or the folder itself.
static bool watched_path(const char *path, char *absolute)
{
    pthread_once(&once, start);
    if (!state.active || path == NULL)
        return false;
    if (path[0] == '/') {
        (void)snprintf(absolute, PATH_SIZE, "%s", path);
    } else {
        char here[PATH_SIZE / 2];
        if (getcwd(here, sizeof here) == NULL)
            return false;
        (void)snprintf(absolute, PATH_SIZE, "%s/%.500s", here,
                       strncmp(path, "./", 2) == 0 ? path + 2 : path);
    }
    size_t length = strlen(absolute);
    if (length > 2 && strcmp(absolute + length - 2, "/.") == 0)
        absolute[length - 2] = '\0';
    return strncmp(absolute, state.folder, state.folder_length) == 0 &&
           (absolute[state.folder_length] == '/' || absolute[state.folder_length] == '\0');
}

static bool watched_descriptor(int descriptor, char *absolute)
{
    pthread_once(&once, start);
    if (!state.active)
        return false;
    char link[64];
    char target[PATH_SIZE];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    const ssize_t length = readlink(link, target, sizeof target - 1);
    if (length <= 0)
        return false;
    target[length] = '\0';
    return target[0] == '/' && watched_path(target, absolute);
}

/// One order over all threads and processes: each opens the log on its own, so that flock is
/// between them.
static void lock(void)
{
    pthread_mutex_lock(&mutex);
    while (flock(state.descriptor, LOCK_EX) != 0)
        ;
}

static void unlock(void)
{
    flock(state.descriptor, LOCK_UN);
    pthread_mutex_unlock(&mutex);
}

/// Under the lock.
static void put(int kind, const char *path, const char *second, int64_t offset, const void *data,
                size_t bytes)
{
    const size_t path_bytes = strlen(path) + 1;
    const size_t second_bytes = second == NULL ? 0 : strlen(second) + 1;
    const int64_t header[8] = {
        0x474f4c45544952,      kind, getpid(), offset, (int64_t)bytes, (int64_t)path_bytes,
        (int64_t)second_bytes, 0};
    struct iovec parts[4] = {{(void *)header, sizeof header},
                             {(void *)path, path_bytes},
                             {(void *)second, second_bytes},
                             {(void *)data, bytes}};
    ssize_t (*plain)(int, const struct iovec *, int) =
        (ssize_t(*)(int, const struct iovec *, int))next("writev");
    const size_t total = sizeof header + path_bytes + second_bytes + bytes;
    if (plain(state.descriptor, parts, 4) != (ssize_t)total)
        abort();
}

static int logged_open(const char *name, const char *path, int flags, mode_t mode)
{
    int (*plain)(const char *, int, ...) = (int (*)(const char *, int, ...))next(name);
    char absolute[PATH_SIZE];
    if ((flags & (O_CREAT | O_TRUNC)) == 0 || !watched_path(path, absolute))
        return plain(path, flags, mode);
    lock();
    const bool was_there = access(path, F_OK) == 0;
    const int descriptor = plain(path, flags, mode);
    if (descriptor >= 0 && !was_there)
        put(LOG_CREATE, absolute, NULL, 0, NULL, 0);
    else if (descriptor >= 0 && (flags & O_TRUNC) != 0)
        put(LOG_TRUNCATE, absolute, NULL, 0, NULL, 0);
    const int kept = errno;
    unlock();
    errno = kept;
    return descriptor;
}

static mode_t mode_of(int flags, va_list arguments)
{
    return (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return logged_open("open", path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return logged_open("open64", path, flags, mode);
}

static ssize_t logged_write(const char *name, int descriptor, const void *data, size_t bytes,
                            off_t offset)
{
    ssize_t (*plain)(int, const void *, size_t, off_t) =
        (ssize_t(*)(int, const void *, size_t, off_t))next(name);
    char absolute[PATH_SIZE];
    if (!watched_descriptor(descriptor, absolute))
        return plain(descriptor, data, bytes, offset);
    lock();
    const ssize_t written = plain(descriptor, data, bytes, offset);
    if (written > 0)
        put(LOG_WRITE, absolute, NULL, offset, data, (size_t)written);
    const int kept = errno;
    unlock();
    errno = kept;
    return written;
}

ssize_t pwrite(int descriptor, const void *data, size_t bytes, off_t offset)
{
    return logged_write("pwrite", descriptor, data, bytes, offset);
}

ssize_t pwrite64(int descriptor, const void *data, size_t bytes, off_t offset)
{
    return logged_write("pwrite64", descriptor, data, bytes, offset);
}

ssize_t write(int descriptor, const void *data, size_t bytes)
{
    ssize_t (*plain)(int, const void *, size_t) =
        (ssize_t(*)(int, const void *, size_t))next("write");
    char absolute[PATH_SIZE];
    if (!watched_descriptor(descriptor, absolute))
        return plain(descriptor, data, bytes);
    lock();
    const off_t offset = lseek(descriptor, 0, SEEK_CUR);
    const ssize_t written = plain(descriptor, data, bytes);
    if (written > 0)
        put(LOG_WRITE, absolute, NULL, offset, data, (size_t)written);
    const int kept = errno;
    unlock();
    errno = kept;
    return written;
}

/// What is not logged must not happen to a watched file.
static void refuse(int descriptor, const char *what)
{
    char absolute[PATH_SIZE];
    if (!watched_descriptor(descriptor, absolute))
        return;
    fprintf(stderr, "write_log: %s of %s is not logged\n", what, absolute);
    abort();
}

ssize_t writev(int descriptor, const struct iovec *parts, int count)
{
    refuse(descriptor, "writev");
    return ((ssize_t(*)(int, const struct iovec *, int))next("writev"))(descriptor, parts, count);
}

ssize_t pwritev(int descriptor, const struct iovec *parts, int count, off_t offset)
{
    refuse(descriptor, "pwritev");
    return ((ssize_t(*)(int, const struct iovec *, int, off_t))next("pwritev"))(descriptor, parts,
                                                                                count, offset);
}

ssize_t pwritev64(int descriptor, const struct iovec *parts, int count, off_t offset)
{
    refuse(descriptor, "pwritev64");
    return ((ssize_t(*)(int, const struct iovec *, int, off_t))next("pwritev64"))(descriptor, parts,
                                                                                  count, offset);
}

int fallocate(int descriptor, int mode, off_t offset, off_t bytes)
{
    refuse(descriptor, "fallocate");
    return ((int (*)(int, int, off_t, off_t))next("fallocate"))(descriptor, mode, offset, bytes);
}

static int logged_truncate(const char *name, int descriptor, off_t bytes)
{
    int (*plain)(int, off_t) = (int (*)(int, off_t))next(name);
    char absolute[PATH_SIZE];
    if (!watched_descriptor(descriptor, absolute))
        return plain(descriptor, bytes);
    lock();
    const int result = plain(descriptor, bytes);
    if (result == 0)
        put(LOG_TRUNCATE, absolute, NULL, bytes, NULL, 0);
    const int kept = errno;
    unlock();
    errno = kept;
    return result;
}

int ftruncate(int descriptor, off_t bytes)
{
    return logged_truncate("ftruncate", descriptor, bytes);
}

int ftruncate64(int descriptor, off_t bytes)
{
    return logged_truncate("ftruncate64", descriptor, bytes);
}

static int logged_sync(const char *name, int descriptor)
{
    int (*plain)(int) = (int (*)(int))next(name);
    char absolute[PATH_SIZE];
    if (!watched_descriptor(descriptor, absolute))
        return plain(descriptor);
    lock();
    const int result = plain(descriptor);
    struct stat found;
    if (result == 0 && fstat(descriptor, &found) == 0)
        put(S_ISDIR(found.st_mode) ? LOG_SYNC_FOLDER : LOG_SYNC, absolute, NULL, 0, NULL, 0);
    const int kept = errno;
    unlock();
    errno = kept;
    return result;
}

int fsync(int descriptor)
{
    return logged_sync("fsync", descriptor);
}

int fdatasync(int descriptor)
{
    return logged_sync("fdatasync", descriptor);
}

/// `do_it` under the lock, and a record where it succeeded.
static int logged_names(int kind, const char *from, const char *to,
                        int (*do_it)(const char *, const char *, unsigned), unsigned flags)
{
    char first[PATH_SIZE];
    char second[PATH_SIZE];
    if (!watched_path(from, first) || (to != NULL && !watched_path(to, second)))
        return do_it(from, to, flags);
    lock();
    const int result = do_it(from, to, flags);
    if (result == 0)
        put(kind, first, to == NULL ? NULL : second, 0, NULL, 0);
    const int kept = errno;
    unlock();
    errno = kept;
    return result;
}

static int plain_rename(const char *from, const char *to, unsigned flags)
{
    (void)flags;
    return ((int (*)(const char *, const char *))next("rename"))(from, to);
}

static int plain_renameat2(const char *from, const char *to, unsigned flags)
{
    return ((int (*)(int, const char *, int, const char *, unsigned))next("renameat2"))(
        AT_FDCWD, from, AT_FDCWD, to, flags);
}

static int plain_unlink(const char *path, const char *none, unsigned flags)
{
    (void)none;
    (void)flags;
    return ((int (*)(const char *))next("unlink"))(path);
}

int rename(const char *from, const char *to)
{
    return logged_names(LOG_RENAME, from, to, plain_rename, 0);
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags)
{
    if (from_folder != AT_FDCWD || to_folder != AT_FDCWD)
        abort();
    return logged_names(LOG_RENAME, from, to, plain_renameat2, flags);
}

int unlink(const char *path)
{
    return logged_names(LOG_UNLINK, path, NULL, plain_unlink, 0);
}
