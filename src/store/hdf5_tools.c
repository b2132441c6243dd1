#include "store/hdf5_tools.h"

#include "store/journal.h"
#include "widthwise/memory.h"
#include "widthwise/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

ww_quiet ww_quiet_begin(void)
{
    ww_quiet quiet = {0};
    H5Eget_auto2(H5E_DEFAULT, &quiet.function, &quiet.data);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    return quiet;
}

void ww_quiet_end(const ww_quiet *quiet)
{
    H5Eset_auto2(H5E_DEFAULT, quiet->function, quiet->data);
}

static herr_t take_innermost(unsigned depth, const H5E_error2_t *entry, void *context)
{
    const char **description = context;
    if (depth == 0)
        *description = entry->desc;
    return 0;
}

void ww_hdf5_reason(char *reason, size_t size)
{
    const int system_error = errno;
    const char *description = NULL;
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_innermost, &description);
    // Through MPI-IO a full disk is "unknown error" to HDF5; errno still knows. Other values of
    // errno may stem from MPI's own polling and say nothing.
    switch (system_error) {
    case ENOSPC:
    case EDQUOT:
    case EIO:
    case EROFS:
    case EFBIG:
    case ESTALE:
        snprintf(reason, size, "%s", strerror(system_error));
        return;
    default:
        break;
    }
    if (description == NULL || description[0] == '\0') {
        snprintf(reason, size, "HDF5 gives no reason");
        return;
    }
    // The serial driver wraps the system's reason in a long list of pointers and times.
    static const char marker[] = "error message = '";
    const char *inner = strstr(description, marker);
    if (inner != NULL) {
        inner += sizeof marker - 1;
        snprintf(reason, size, "%.*s", (int)strcspn(inner, "'"), inner);
    } else {
        snprintf(reason, size, "%s", description);
    }
}

ww_status ww_fail_writing(const char *file_name, const char *what, ww_error *error)
{
    char reason[WW_REASON_SIZE];
    ww_hdf5_reason(reason, sizeof reason);
    return ww_fail(error, WW_FAILED, "%s: cannot write %s: %s", file_name, what, reason);
}

void ww_error_advise(ww_error *error, const char *format, ...)
{
    if (error == NULL)
        return;
    const size_t used = strlen(error->message);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error->message + used, sizeof error->message - used, format, arguments);
    va_end(arguments);
}

hid_t ww_file_access(void)
{
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(access, H5F_LIBVER_EARLIEST, H5F_LIBVER_V18);
    H5Pset_alignment(access, 2048, 4096);
    H5Pset_meta_block_size(access, 65536);
    return access;
}

static bool read_attribute(hid_t file, const char *name, H5T_class_t class, void *buffer,
                           size_t size)
{
    bool read = false;
    const hid_t attribute = H5Aopen(file, name, H5P_DEFAULT);
    const hid_t stored = H5Aget_type(attribute);
    const hid_t space = H5Aget_space(attribute);
    const bool scalar = H5Sget_simple_extent_npoints(space) == 1;
    if (scalar && class == H5T_INTEGER && H5Tget_class(stored) == H5T_INTEGER) {
        read = H5Aread(attribute, H5T_NATIVE_INT64, buffer) >= 0;
    } else if (scalar && class == H5T_STRING && H5Tget_class(stored) == H5T_STRING &&
               H5Tis_variable_str(stored) == 0) {
        const hid_t text = H5Tcopy(H5T_C_S1);
        H5Tset_size(text, size);
        read = H5Aread(attribute, text, buffer) >= 0;
        H5Tclose(text);
    }
    H5Sclose(space);
    H5Tclose(stored);
    H5Aclose(attribute);
    return read;
}

int64_t ww_file_schema_version(hid_t file)
{
    const ww_quiet quiet = ww_quiet_begin();
    int64_t version = -1;
    if (!read_attribute(file, "schema_version", H5T_INTEGER, &version, sizeof version))
        version = -1;
    ww_quiet_end(&quiet);
    return version;
}

static ww_status check_format(hid_t file, const char *path, ww_error *error)
{
    char format[32] = "";
    char features[128] = "";
    const bool known = read_attribute(file, "format", H5T_STRING, format, sizeof format);
    if (known && strcmp(format, WW_EXPORT_FORMAT) == 0)
        return ww_fail(error, WW_USAGE,
                       "%s is an export, made by `widthwise export` for other programs to read; "
                       "give the file that it was made from",
                       path);
    if (!known || strcmp(format, "widthwise") != 0)
        return ww_fail(error, WW_USAGE,
                       "%s is an HDF5 file of another program (its attribute `format` is not "
                       "\"widthwise\"); give a file that `widthwise run` made",
                       path);
    const int64_t version = ww_file_schema_version(file);
    if (version > WW_SCHEMA_VERSION)
        return ww_fail(error, WW_USAGE,
                       "%s has schema version %lld and this program knows versions up to %d; use "
                       "the newer Widthwise that made the file",
                       path, (long long)version, (int)WW_SCHEMA_VERSION);
    if (version < 1)
        return ww_fail(error, WW_FAILED,
                       "%s has no valid attribute `schema_version`; it is damaged, restore it from "
                       "a backup",
                       path);
    if (!read_attribute(file, "features", H5T_STRING, features, sizeof features))
        return ww_fail(error, WW_FAILED,
                       "%s has no valid attribute `features`; it is damaged, restore it from a "
                       "backup",
                       path);
    if (features[0] != '\0')
        return ww_fail(error, WW_USAGE,
                       "%s uses features that this program does not know (%s); use the newer "
                       "Widthwise that made the file",
                       path, features);
    return WW_OK;
}

static ww_status open_file(const char *path, unsigned flags, hid_t access, hid_t *file,
                           ww_error *error)
{
    errno = 0;
    *file = H5Fopen(path, flags, access);
    if (*file < 0) {
        char reason[WW_REASON_SIZE];
        ww_hdf5_reason(reason, sizeof reason);
        *file = H5I_INVALID_HID;
        return ww_fail(error, WW_FAILED,
                       "%s is an HDF5 file but cannot be opened (%s): it is damaged or cut off, "
                       "restore it from a backup or copy it again",
                       path, reason);
    }
    return WW_OK;
}

/// The same by one process alone, and then whether it is a file of ours.
static ww_status open_checked(const char *path, unsigned flags, hid_t access, hid_t *file,
                              ww_error *error)
{
    WW_TRY(open_file(path, flags, access, file, error));
    const ww_status status = check_format(*file, path, error);
    if (status != WW_OK) {
        H5Fclose(*file);
        *file = H5I_INVALID_HID;
    }
    return status;
}

ww_status ww_file_open_inside(const char *path, hid_t *file, ww_error *error)
{
    *file = H5I_INVALID_HID;
    // Neither does a pipe of that name wait for its other end, nor does HDF5 open it.
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat found;
    const bool is_pipe =
        descriptor >= 0 && fstat(descriptor, &found) == 0 && S_ISFIFO(found.st_mode);
    char byte = 0;
    const bool readable = descriptor >= 0 && read(descriptor, &byte, 1) >= 0; // a folder opens too
    const int reason = errno;
    if (descriptor >= 0)
        close(descriptor);
    if (is_pipe || !readable)
        return ww_fail(error, WW_USAGE, "cannot read %s: %s; check the name of the file", path,
                       is_pipe ? "it is a pipe" : strerror(reason));
    const ww_quiet quiet = ww_quiet_begin();
    ww_status status = WW_OK;
    if (H5Fis_hdf5(path) <= 0) {
        status = ww_fail(error, WW_USAGE,
                         "%s is not an HDF5 file; give a file that `widthwise run` made", path);
    } else {
        const hid_t access = ww_file_access();
        // What was read before may have been written anew: without this HDF5 would give a commit
        // page out of a buffer, as it was when the file was opened.
        H5Pset_sieve_buf_size(access, 0);
#if H5_VERSION_GE(1, 10, 7)
        H5Pset_file_locking(access, false, true);
#endif
        status = open_checked(path, H5F_ACC_RDONLY, access, file, error);
        H5Pclose(access);
    }
    ww_quiet_end(&quiet);
    return status;
}

ww_status ww_file_open_reading(const char *path, hid_t *file, ww_error *error)
{
    *file = H5I_INVALID_HID;
    if (ww_journal_exists(path))
        return ww_fail(
            error, WW_FAILED,
            "the structure of %s is being changed, or such a change was cut short: "
            "while a job is at it wait a moment, else `widthwise verify %s` or `widthwise "
            "resume %s` puts the file back as it was (from the file beside it that ends in .undo)",
            path, path, path);
    return ww_file_open_inside(path, file, error);
}

ww_status ww_file_open_changing(const char *path, hid_t access, hid_t *file, ww_error *error)
{
    const ww_quiet quiet = ww_quiet_begin();
    const ww_status status = open_checked(path, H5F_ACC_RDWR, access, file, error);
    ww_quiet_end(&quiet);
    return status;
}

ww_status ww_file_open_writing(const char *path, MPI_Comm communicator, hid_t *file,
                               ww_error *error)
{
    *file = H5I_INVALID_HID;
    const ww_quiet quiet = ww_quiet_begin();
    const hid_t access = ww_file_access();
    ww_status status = WW_OK;
    if (H5Pset_fapl_mpio(access, communicator, MPI_INFO_NULL) < 0)
        status = ww_fail(error, WW_FAILED, "%s: HDF5 refuses MPI-IO; use a parallel HDF5", path);
    else
        status = open_file(path, H5F_ACC_RDWR, access, file, error);
    H5Pclose(access);
    ww_quiet_end(&quiet);
    return status;
}

void ww_file_close(hid_t *file)
{
    if (*file < 0)
        return;
    const ww_quiet quiet = ww_quiet_begin();
    H5Fclose(*file);
    ww_quiet_end(&quiet);
    *file = H5I_INVALID_HID;
}

static herr_t take_name(hid_t group, const char *name, const H5L_info_t *info, void *context)
{
    (void)group;
    (void)info;
    ww_names *names = context;
    char **grown = realloc(names->names, (names->count + 1) * sizeof *grown);
    if (grown == NULL)
        return -1;
    names->names = grown;
    grown[names->count] = strdup(name);
    if (grown[names->count] == NULL)
        return -1;
    names->count++;
    return 0;
}

ww_status ww_names_read(hid_t file, const char *path, const char *group, ww_names *names,
                        ww_error *error)
{
    *names = (ww_names){0};
    const ww_quiet quiet = ww_quiet_begin();
    ww_status status = WW_OK;
    // A path whose parents are missing is an error to H5Lexists, and simply not there to us.
    const hid_t id = H5Gopen2(file, group, H5P_DEFAULT);
    if (id >= 0) {
        if (H5Literate(id, H5_INDEX_NAME, H5_ITER_INC, NULL, take_name, names) < 0) {
            ww_names_free(names);
            status = ww_fail(error, WW_FAILED,
                             "%s: cannot list the group %s; the file is damaged, restore it from a "
                             "backup",
                             path, group);
        }
        H5Gclose(id);
    }
    ww_quiet_end(&quiet);
    return status;
}

void ww_names_free(ww_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->names[i]);
    free(names->names);
    *names = (ww_names){0};
}

/// Opens a dataset of fixed-length texts and selects one of them. All handles are valid or none is.
typedef struct text_handles {
    hid_t dataset, type, file_space, memory_space;
    size_t size;
} text_handles;

static void close_text(text_handles *handles)
{
    H5Sclose(handles->memory_space);
    H5Sclose(handles->file_space);
    H5Tclose(handles->type);
    H5Dclose(handles->dataset);
}

static bool open_text(hid_t file, const char *dataset, int64_t row, text_handles *handles)
{
    handles->dataset = H5Dopen2(file, dataset, H5P_DEFAULT);
    handles->type = H5Dget_type(handles->dataset);
    handles->file_space = H5Dget_space(handles->dataset);
    handles->memory_space = H5Screate(H5S_SCALAR);
    handles->size = H5Tget_size(handles->type);
    bool usable = handles->dataset >= 0 && H5Tget_class(handles->type) == H5T_STRING &&
                  H5Tis_variable_str(handles->type) == 0 && handles->size > 0;
    if (usable && row >= 0) {
        const hsize_t start = (hsize_t)row;
        const hsize_t count = 1;
        usable = H5Sget_simple_extent_ndims(handles->file_space) == 1 &&
                 H5Sselect_hyperslab(handles->file_space, H5S_SELECT_SET, &start, NULL, &count,
                                     NULL) >= 0 &&
                 H5Sselect_valid(handles->file_space) > 0;
    } else if (usable) {
        usable = H5Sget_simple_extent_npoints(handles->file_space) == 1;
    }
    if (!usable)
        close_text(handles);
    return usable;
}

ww_status ww_text_read(hid_t file, const char *path, const char *dataset, int64_t row, char **text,
                       ww_error *error)
{
    *text = NULL;
    const ww_quiet quiet = ww_quiet_begin();
    ww_status status = WW_OK;
    text_handles handles;
    if (!open_text(file, dataset, row, &handles)) {
        status = ww_fail(error, WW_FAILED,
                         "%s: %s is missing or not a text; the file is damaged, restore it from a "
                         "backup",
                         path, dataset);
    } else {
        *text = ww_allocate(handles.size + 1, 1, dataset, error);
        if (*text == NULL) {
            status = WW_FAILED;
        } else if (H5Dread(handles.dataset, handles.type, handles.memory_space, handles.file_space,
                           H5P_DEFAULT, *text) < 0) {
            free(*text);
            *text = NULL;
            status = ww_fail(error, WW_FAILED,
                             "%s: cannot read %s; the file or its disk is damaged, restore it from "
                             "a backup",
                             path, dataset);
        }
        close_text(&handles);
    }
    ww_quiet_end(&quiet);
    return status;
}

bool ww_is_text(hid_t file, const char *dataset)
{
    const ww_quiet quiet = ww_quiet_begin();
    text_handles handles;
    const bool is_text = open_text(file, dataset, -1, &handles);
    if (is_text)
        close_text(&handles);
    ww_quiet_end(&quiet);
    return is_text;
}

char *ww_attribute_text(hid_t object, const char *name, ww_error *error)
{
    const ww_quiet quiet = ww_quiet_begin();
    size_t size = 1;
    const hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    if (attribute >= 0) {
        const hid_t type = H5Aget_type(attribute);
        size += H5Tget_size(type);
        H5Tclose(type);
        H5Aclose(attribute);
    }
    char *text = ww_allocate(size, 1, name, error);
    if (text != NULL && !read_attribute(object, name, H5T_STRING, text, size))
        text[0] = '\0';
    ww_quiet_end(&quiet);
    return text;
}

ww_status ww_text_write(hid_t file, const char *path, const char *dataset, int64_t row,
                        const char *text, size_t size, ww_error *error)
{
    const ww_quiet quiet = ww_quiet_begin();
    ww_status status = WW_OK;
    text_handles handles;
    errno = 0;
    if (!open_text(file, dataset, row, &handles)) {
        status = ww_fail(error, WW_FAILED,
                         "%s: %s is missing or not a text; the file is damaged, restore it from a "
                         "backup",
                         path, dataset);
    } else {
        WW_ASSERT(handles.size == size);
        if (H5Dwrite(handles.dataset, handles.type, handles.memory_space, handles.file_space,
                     H5P_DEFAULT, text) < 0) {
            char reason[WW_REASON_SIZE];
            ww_hdf5_reason(reason, sizeof reason);
            status = ww_fail(error, WW_FAILED, "%s: cannot write %s: %s", path, dataset, reason);
        }
        close_text(&handles);
    }
    ww_quiet_end(&quiet);
    return status;
}
