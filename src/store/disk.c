#include "store/disk.h"

#include "widthwise/memory.h"
#include "widthwise/store_cost.h"
#include "widthwise/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static double free_bytes(const struct statvfs *system)
{
    return (double)system->f_bavail * (double)system->f_frsize;
}

int64_t ww_store_free_bytes(const char *folder)
{
    struct statvfs system;
    return statvfs(folder, &system) == 0 ? (int64_t)free_bytes(&system) : INT64_MAX;
}

ww_status ww_check_space(const char *path, int descriptor, int64_t bytes, int64_t freed,
                         ww_error *error)
{
    struct statvfs system;
    if (fstatvfs(descriptor, &system) != 0)
        return WW_OK; // unknown: writing will tell
    const double gibibyte = 1024.0 * 1024.0 * 1024.0;
    const double available = free_bytes(&system) + (double)freed;
    if ((double)bytes <= available)
        return WW_OK;
    return ww_fail(error, WW_FAILED,
                   "%s needs %.3f GiB and its file system has %.3f GiB free; write to another one "
                   "with -o, or keep less (output.record, measure.snapshots)",
                   path, (double)bytes / gibibyte, available / gibibyte);
}

bool ww_same_file(const char *one, const char *other)
{
    struct stat a;
    struct stat b;
    return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_ino == b.st_ino &&
           a.st_dev == b.st_dev;
}

ww_status ww_sync_file(const char *path, int descriptor, ww_error *error)
{
    while (fsync(descriptor) != 0)
        if (errno != EINTR)
            return ww_fail(error, WW_FAILED, "%s: cannot bring data to the disk: %s", path,
                           strerror(errno));
    return WW_OK;
}

char *ww_name_beside(const char *path, const char *suffix, ww_error *error)
{
    char *real = realpath(path, NULL); // NULL too where there is no such file
    char *name = ww_format(error, "%s%s", real != NULL ? real : path, suffix);
    free(real);
    return name;
}

ww_status ww_sync_folder_of(const char *path, ww_error *error)
{
    char *folder = ww_folder_of(path, error);
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
