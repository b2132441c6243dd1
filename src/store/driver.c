#include "store/driver.h"

#include "store/hdf5_tools.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/// What the access properties hold for this driver.
typedef struct driver_info {
    ww_driver *driver;
} driver_info;

/// An open file. HDF5 owns the first member.
typedef struct driver_file {
    H5FD_t public;
    ww_driver *driver;
    int descriptor;
    haddr_t eoa; ///< end of what HDF5 has allocated
    haddr_t eof; ///< end of the file
    dev_t device;
    ino_t inode;
} driver_file;

static void note_failure(const driver_file *file)
{
    if (file->driver->failure == 0)
        file->driver->failure = errno != 0 ? errno : EIO;
}

static H5FD_t *open_file(const char *name, unsigned flags, hid_t access, haddr_t most)
{
    (void)most;
    const driver_info *info = H5Pget_driver_info(access);
    driver_file *file = calloc(1, sizeof *file);
    if (info == NULL || file == NULL) {
        free(file);
        return NULL;
    }
    int mode = (flags & H5F_ACC_RDWR) != 0 ? O_RDWR : O_RDONLY;
    mode |= (flags & H5F_ACC_TRUNC) != 0 ? O_TRUNC : 0;
    mode |= (flags & H5F_ACC_CREAT) != 0 ? O_CREAT : 0;
    mode |= (flags & H5F_ACC_EXCL) != 0 ? O_EXCL : 0;
    struct stat found;
    file->driver = info->driver;
    file->descriptor = open(name, mode | O_CLOEXEC, 0666);
    if (file->descriptor < 0 || fstat(file->descriptor, &found) != 0) {
        note_failure(file);
        if (file->descriptor >= 0)
            close(file->descriptor);
        free(file);
        return NULL;
    }
    file->eof = (haddr_t)found.st_size;
    file->device = found.st_dev;
    file->inode = found.st_ino;
    return &file->public;
}

static herr_t close_file(H5FD_t *public)
{
    driver_file *file = (driver_file *)public;
    if (close(file->descriptor) != 0)
        note_failure(file);
    free(file);
    return 0;
}

static int compare_files(const H5FD_t *a, const H5FD_t *b)
{
    const driver_file *x = (const driver_file *)a;
    const driver_file *y = (const driver_file *)b;
    if (x->device != y->device)
        return x->device < y->device ? -1 : 1;
    return x->inode < y->inode ? -1 : x->inode > y->inode;
}

static herr_t query(const H5FD_t *public, unsigned long *flags)
{
    (void)public;
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
             H5FD_FEAT_AGGREGATE_SMALLDATA;
    return 0;
}

static haddr_t get_eoa(const H5FD_t *public, H5FD_mem_t type)
{
    (void)type;
    return ((const driver_file *)public)->eoa;
}

static herr_t set_eoa(H5FD_t *public, H5FD_mem_t type, haddr_t address)
{
    (void)type;
    ((driver_file *)public)->eoa = address;
    return 0;
}

static haddr_t get_eof(const H5FD_t *public, H5FD_mem_t type)
{
    (void)type;
    return ((const driver_file *)public)->eof;
}

static herr_t read_bytes(H5FD_t *public, H5FD_mem_t type, hid_t transfer, haddr_t address,
                         size_t size, void *buffer)
{
    (void)type;
    (void)transfer;
    const driver_file *file = (const driver_file *)public;
    char *place = buffer;
    while (size > 0) {
        const ssize_t got = pread(file->descriptor, place, size, (off_t)address);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0) { // beyond the end: what was allocated and not written yet
            memset(place, 0, size);
            return 0;
        }
        place += got;
        address += (haddr_t)got;
        size -= (size_t)got;
    }
    return 0;
}

static herr_t write_bytes(H5FD_t *public, H5FD_mem_t type, hid_t transfer, haddr_t address,
                          size_t size, const void *buffer)
{
    (void)type;
    (void)transfer;
    driver_file *file = (driver_file *)public;
    const char *place = buffer;
    while (size > 0) {
        const ssize_t written = pwrite(file->descriptor, place, size, (off_t)address);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            note_failure(file);
            return 0;
        }
        place += written;
        address += (haddr_t)written;
        size -= (size_t)written;
        if (address > file->eof)
            file->eof = address;
    }
    return 0;
}

static herr_t truncate_file(H5FD_t *public, hid_t transfer, hbool_t closing)
{
    (void)transfer;
    (void)closing;
    driver_file *file = (driver_file *)public;
    if (file->eoa == file->eof)
        return 0;
    if (ftruncate(file->descriptor, (off_t)file->eoa) != 0)
        note_failure(file);
    file->eof = file->eoa;
    return 0;
}

void ww_driver_begin(ww_driver *driver)
{
    static const H5FD_class_t class = {
#if H5_VERSION_GE(1, 13, 2)
        .version = H5FD_CLASS_VERSION,
        .value = (H5FD_class_value_t)711,
#endif
        .name = "widthwise",
        .maxaddr = (haddr_t)INT64_MAX,
        .fc_degree = H5F_CLOSE_WEAK,
        .fapl_size = sizeof(driver_info),
        .open = open_file,
        .close = close_file,
        .cmp = compare_files,
        .query = query,
        .get_eoa = get_eoa,
        .set_eoa = set_eoa,
        .get_eof = get_eof,
        .read = read_bytes,
        .write = write_bytes,
        .truncate = truncate_file,
        .fl_map = H5FD_FLMAP_DICHOTOMY,
    };
    const driver_info info = {.driver = driver};
    driver->failure = 0;
    driver->id = H5FDregister(&class);
    driver->access = ww_file_access();
    H5Pset_driver(driver->access, driver->id, &info);
}

ww_status ww_driver_end(ww_driver *driver, const char *file_name, ww_error *error)
{
    H5Pclose(driver->access);
    H5FDunregister(driver->id);
    if (driver->failure == 0)
        return WW_OK;
    return ww_fail(error, WW_FAILED, "cannot write %s: %s", file_name, strerror(driver->failure));
}
