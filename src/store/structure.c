#include "store/structure.h"

#include "store/hdf5_tools.h"
#include "widthwise/hash.h"
#include "widthwise/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEAL_PATH "/provenance/structure"

enum {
    CHUNK_BYTES = 1 << 20,
    SEAL_WORDS = 2, // hash, number of bytes
    PATH_SIZE = 1024
};

static const int64_t unsealed[SEAL_WORDS] = {0, 0};

ww_status ww_structure_plan(ww_plan *plan, ww_error *error)
{
    const ww_plan_item item = {
        .type = WW_PLAN_INTEGER,
        .rank = 1,
        .extent = {SEAL_WORDS},
        .description = "Hash of all bytes of this file but for the data that a run writes, and "
                       "their number",
        .units = "1",
        .fill = WW_PLAN_VALUE,
        .value = unsealed};
    return ww_plan_add(plan, item, ww_copy_text(SEAL_PATH, error), error);
}

typedef struct extent_search {
    ww_extent_filter filter;
    const void *context;
    size_t capacity;
    ww_extent_list *list;
    bool short_of_memory;
} extent_search;

static bool add_extent(extent_search *search, const ww_extent *extent)
{
    ww_extent_list *list = search->list;
    if (list->count == search->capacity) {
        const size_t capacity = search->capacity == 0 ? 64 : 2 * search->capacity;
        ww_extent *grown = realloc(list->extents, capacity * sizeof *grown);
        if (grown == NULL)
            return false;
        list->extents = grown;
        search->capacity = capacity;
    }
    list->extents[list->count++] = *extent;
    return true;
}

static herr_t visit_object(hid_t root, const char *name, const H5O_info_t *info, void *context)
{
    extent_search *search = context;
    if (info->type != H5O_TYPE_DATASET)
        return 0;
    const hid_t dataset = H5Dopen2(root, name, H5P_DEFAULT);
    if (dataset < 0)
        return -1;
    const haddr_t offset = H5Dget_offset(dataset);
    const hsize_t bytes = H5Dget_storage_size(dataset);
    char path[PATH_SIZE];
    const ssize_t length = H5Iget_name(dataset, path, sizeof path);
    H5Dclose(dataset);
    if (length <= 0 || length >= (ssize_t)sizeof path)
        return -1;
    if (offset == HADDR_UNDEF || bytes == 0 ||
        !search->filter(search->context, path, (int64_t)bytes))
        return 0;
    const ww_extent extent = {.offset = (int64_t)offset, .bytes = (int64_t)bytes};
    search->short_of_memory = !add_extent(search, &extent);
    return search->short_of_memory ? -1 : 0;
}

static int compare_extents(const void *a, const void *b)
{
    const ww_extent *x = a;
    const ww_extent *y = b;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

ww_status ww_extents_find(hid_t file, const char *file_name, ww_extent_filter filter,
                          const void *context, ww_extent_list *list, ww_error *error)
{
    *list = (ww_extent_list){0};
    extent_search search = {.filter = filter, .context = context, .list = list};
    const ww_quiet quiet = ww_quiet_begin();
    const herr_t visited = H5Ovisit(file, H5_INDEX_NAME, H5_ITER_NATIVE, visit_object, &search);
    ww_quiet_end(&quiet);
    if (visited < 0)
        return ww_fail(error, WW_FAILED, "%s: %s", file_name,
                       search.short_of_memory
                           ? "out of memory for the list of its datasets"
                           : "its datasets cannot be listed; the file is damaged, "
                             "restore it from a backup");
    if (list->count > 0)
        qsort(list->extents, list->count, sizeof *list->extents, compare_extents);
    return WW_OK;
}

static ww_status fail_damaged(const char *path, ww_error *error)
{
    return ww_fail(error, WW_FAILED,
                   "%s: the structure or the configuration of the file is damaged: it fails its "
                   "checksum, so nothing in it can be trusted; restore it from a backup",
                   path);
}

/// Hash of the bytes from `begin` to `end`, in chunks numbered from `*number` on.
static ww_status hash_span(int descriptor, const char *path, int64_t begin, int64_t end,
                           uint64_t *number, uint64_t *hash, void *buffer, ww_error *error)
{
    while (begin < end) {
        const size_t wanted = (size_t)(end - begin < CHUNK_BYTES ? end - begin : CHUNK_BYTES);
        size_t got = 0;
        while (got < wanted) {
            const ssize_t bytes = pread(descriptor, (char *)buffer + got, wanted - got,
                                        (off_t)(begin + (int64_t)got));
            if (bytes < 0 && errno == EINTR)
                continue;
            if (bytes < 0)
                return ww_fail(error, WW_FAILED, "cannot read %s: %s", path, strerror(errno));
            if (bytes == 0)
                return fail_damaged(path, error);
            got += (size_t)bytes;
        }
        *hash += ww_hash_block(buffer, wanted, ww_hash_name(SEAL_PATH), (*number)++);
        begin += (int64_t)wanted;
    }
    return WW_OK;
}

/// Hash and number of the bytes between the extents.
static ww_status hash_structure(int descriptor, const char *path, const ww_extent_list *list,
                                int64_t words[SEAL_WORDS], ww_error *error)
{
    struct stat found;
    if (fstat(descriptor, &found) != 0)
        return ww_fail(error, WW_FAILED, "cannot read %s: %s", path, strerror(errno));
    void *buffer = ww_allocate(CHUNK_BYTES, 1, "a part of the file", error);
    if (buffer == NULL)
        return WW_FAILED;
    ww_status status = WW_OK;
    uint64_t hash = 0;
    uint64_t number = 0;
    int64_t position = 0;
    words[1] = 0;
    for (size_t i = 0; i <= list->count && status == WW_OK; i++) {
        const bool last = i == list->count;
        const int64_t end = last ? (int64_t)found.st_size : list->extents[i].offset;
        if (end > position) {
            status = hash_span(descriptor, path, position, end, &number, &hash, buffer, error);
            words[1] += end - position;
        }
        if (!last)
            position = list->extents[i].offset + list->extents[i].bytes;
    }
    words[0] = (int64_t)hash;
    free(buffer);
    return status;
}

/// Whether the data of a dataset is written after the file was made. What a run is (configuration,
/// label, facts) is not, and belongs to the fixed part.
static bool is_written(const void *context, const char *path, int64_t bytes)
{
    (void)context;
    (void)bytes;
    if (strcmp(path, WW_FILE_MARK_PATH) == 0)
        return false;
    if (strncmp(path, "/runs/", 6) != 0)
        return true;
    const char *part = strchr(path + 6, '/');
    return part == NULL || (strcmp(part, "/config") != 0 && strcmp(part, "/label") != 0 &&
                            strncmp(part, "/parameters/", 12) != 0);
}

/// The word that is another one after each change does not belong to the fixed part: it is written
/// when the change is sealed already.
static ww_status leave_out_mark(hid_t file, const char *path, ww_extent_list *list, ww_error *error)
{
    ww_journal_mark mark = {0};
    WW_TRY(ww_file_mark_read(file, path, &mark, error));
    ww_extent *grown = realloc(list->extents, (list->count + 1) * sizeof *grown);
    if (grown == NULL)
        return ww_fail(error, WW_FAILED, "%s: out of memory for the list of its datasets", path);
    list->extents = grown;
    list->extents[list->count++] = ww_journal_mark_extent(&mark);
    qsort(list->extents, list->count, sizeof *list->extents, compare_extents);
    return WW_OK;
}

/// Reads the seal and its place, and computes what it ought to be.
static ww_status examine(const char *path, int descriptor, int64_t sealed[SEAL_WORDS],
                         int64_t *offset, int64_t computed[SEAL_WORDS], ww_error *error)
{
    hid_t file = H5I_INVALID_HID;
    WW_TRY(ww_file_open_inside(path, &file, error));
    ww_extent_list list;
    ww_array seal;
    ww_status status = ww_extents_find(file, path, is_written, NULL, &list, error);
    if (status == WW_OK)
        status = leave_out_mark(file, path, &list, error);
    if (status == WW_OK)
        status = ww_array_open(file, path, ww_copy_text(SEAL_PATH, error), 0, &seal, error);
    if (status == WW_OK) {
        if (!seal.integer || seal.rank != 1 || seal.extent[0] != SEAL_WORDS)
            status = fail_damaged(path, error);
        else
            status = ww_array_read(&seal, 0, 0, SEAL_WORDS, sealed, error);
        *offset = (int64_t)H5Dget_offset(seal.id);
        ww_array_close(&seal);
    }
    ww_file_close(&file);
    if (status == WW_OK)
        status = hash_structure(descriptor, path, &list, computed, error);
    free(list.extents);
    return status;
}

ww_status ww_structure_seal(const char *path, ww_error *error)
{
    const int descriptor = open(path, O_RDWR | O_CLOEXEC);
    if (descriptor < 0)
        return ww_fail(error, WW_FAILED, "cannot open %s: %s", path, strerror(errno));
    int64_t sealed[SEAL_WORDS];
    int64_t computed[SEAL_WORDS];
    int64_t offset = 0;
    ww_status status = examine(path, descriptor, sealed, &offset, computed, error);
    if (status == WW_OK &&
        pwrite(descriptor, computed, sizeof computed, (off_t)offset) != (ssize_t)sizeof computed)
        status = ww_fail(error, WW_FAILED, "cannot write %s: %s", path, strerror(errno));
    close(descriptor);
    return status;
}

ww_status ww_structure_check(const char *path, ww_error *error)
{
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return ww_fail(error, WW_USAGE, "cannot read %s: %s; check the name of the file", path,
                       strerror(errno));
    int64_t sealed[SEAL_WORDS];
    int64_t computed[SEAL_WORDS];
    int64_t offset = 0;
    ww_status status = examine(path, descriptor, sealed, &offset, computed, error);
    if (status == WW_OK && memcmp(sealed, computed, sizeof sealed) != 0)
        status = fail_damaged(path, error);
    close(descriptor);
    return status;
}

ww_status ww_file_mark_read(hid_t file, const char *path, ww_journal_mark *mark, ww_error *error)
{
    ww_array array;
    WW_TRY(ww_array_open(file, path, ww_copy_text(WW_FILE_MARK_PATH, error), 0, &array, error));
    ww_status status = WW_OK;
    if (!array.integer || array.rank != 1 || array.extent[0] != 2)
        status =
            ww_fail(error, WW_FAILED,
                    "%s: %s is not two integers; the file is damaged, restore it from a backup",
                    path, WW_FILE_MARK_PATH);
    else
        status = ww_array_read(&array, 0, 0, 2, mark->words, error);
    mark->offset = (int64_t)H5Dget_offset(array.id);
    ww_array_close(&array);
    return status;
}
