#include "crash_model.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 4096, SECTOR = 512, TORN_WRITES = 3, MOST_FILES = 64, MOST_NAMES = 64 };

const char *const crash_mode_names[CRASH_MODES] = {"kill", "power", "nodes", "torn"};

/// Which syncs count: those of every process for all writes, or each for its own.
enum { SYNC_ALL, SYNC_OWN, SYNC_KINDS };

typedef struct pending_list {
    size_t *records;
    size_t count, capacity;
} pending_list;

typedef struct model_file {
    crash_bytes current;
    crash_bytes durable[SYNC_KINDS];
    pending_list pending[SYNC_KINDS]; ///< records that no sync covered
} model_file;

typedef struct model_name {
    char *path;
    size_t file;
} model_name;

typedef struct name_list {
    model_name names[MOST_NAMES];
    size_t count;
} name_list;

struct crash_model {
    const crash_log *log;
    bool syncs;
    size_t position;
    model_file files[MOST_FILES];
    size_t file_count;
    name_list current, durable;
    pending_list pending_names;
};

static void fail(const char *what)
{
    fprintf(stderr, "crash model: %s\n", what);
    exit(1);
}

static void *allocate(size_t bytes)
{
    void *memory = calloc(bytes + 1, 1);
    if (memory == NULL)
        fail("out of memory");
    return memory;
}

crash_log crash_log_read(const char *path)
{
    crash_log log = {0};
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0)
        fail("cannot read the log");
    const size_t size = (size_t)ftell(file);
    rewind(file);
    log.bytes = allocate(size);
    if (fread(log.bytes, 1, size, file) != size)
        fail("cannot read the log");
    fclose(file);
    size_t capacity = 0;
    for (size_t place = 0; place < size;) {
        int64_t header[8];
        if (size - place < sizeof header)
            fail("the log is cut off");
        memcpy(header, log.bytes + place, sizeof header);
        if (header[0] != 0x474f4c45544952)
            fail("the log is not whole");
        if (log.count == capacity) {
            capacity = capacity == 0 ? 1024 : 2 * capacity;
            log.records = realloc(log.records, capacity * sizeof *log.records);
            if (log.records == NULL)
                fail("out of memory");
        }
        const char *text = (const char *)log.bytes + place + sizeof header;
        crash_record *record = &log.records[log.count++];
        *record = (crash_record){.kind = (int)header[1],
                                 .process = header[2],
                                 .offset = header[3],
                                 .bytes = header[4],
                                 .path = text,
                                 .second = text + header[5],
                                 .data = (const unsigned char *)text + header[5] + header[6]};
        place += sizeof header + (size_t)(header[4] + header[5] + header[6]);
    }
    return log;
}

void crash_log_free(crash_log *log)
{
    free(log->records);
    free(log->bytes);
}

static void append(pending_list *list, size_t record)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity == 0 ? 64 : 2 * list->capacity;
        list->records = realloc(list->records, list->capacity * sizeof *list->records);
        if (list->records == NULL)
            fail("out of memory");
    }
    list->records[list->count++] = record;
}

static void resize(crash_bytes *bytes, size_t size)
{
    unsigned char *data = allocate(size);
    memcpy(data, bytes->data, size < bytes->size ? size : bytes->size);
    free(bytes->data);
    *bytes = (crash_bytes){data, size};
}

static crash_bytes copy_of(const crash_bytes *bytes)
{
    crash_bytes copy = {allocate(bytes->size), bytes->size};
    if (bytes->size > 0)
        memcpy(copy.data, bytes->data, bytes->size);
    return copy;
}

/// Puts `count` bytes of a write from `skip` on into place.
static void apply_part(crash_bytes *bytes, const crash_record *record, size_t skip, size_t count)
{
    const size_t begin = (size_t)record->offset + skip;
    if (begin + count > bytes->size)
        resize(bytes, begin + count);
    memcpy(bytes->data + begin, record->data + skip, count);
}

static void apply(crash_bytes *bytes, const crash_record *record)
{
    if (record->kind == LOG_WRITE)
        apply_part(bytes, record, 0, (size_t)record->bytes);
    else
        resize(bytes, (size_t)record->offset);
}

static size_t find_name(const name_list *list, const char *path)
{
    size_t i = 0;
    while (i < list->count && strcmp(list->names[i].path, path) != 0)
        i++;
    return i;
}

static void set_name(name_list *list, const char *path, size_t file)
{
    const size_t i = find_name(list, path);
    if (i == MOST_NAMES)
        fail("too many names");
    if (i == list->count) {
        list->names[i].path = allocate(strlen(path));
        memcpy(list->names[i].path, path, strlen(path));
        list->count++;
    }
    list->names[i].file = file;
}

static size_t remove_name(name_list *list, const char *path)
{
    const size_t i = find_name(list, path);
    if (i == list->count)
        fail("a name that is not there");
    const size_t file = list->names[i].file;
    free(list->names[i].path);
    list->names[i] = list->names[--list->count];
    return file;
}

static void clear_names(name_list *list)
{
    while (list->count > 0)
        free(list->names[--list->count].path);
}

static void copy_names(const name_list *from, name_list *to)
{
    clear_names(to);
    for (size_t i = 0; i < from->count; i++)
        set_name(to, from->names[i].path, from->names[i].file);
}

/// A creation, a new name or a removal. `file` is what a creation made.
static void apply_name(name_list *list, const crash_record *record, size_t file)
{
    if (record->kind == LOG_CREATE)
        set_name(list, record->path, file);
    else if (record->kind == LOG_RENAME)
        set_name(list, record->second, remove_name(list, record->path));
    else
        remove_name(list, record->path);
}

/// The file that a record made: creations are numbered as they come.
static size_t created_by(const crash_model *model, size_t record)
{
    size_t file = 0;
    for (size_t i = 0; i < record; i++)
        file += model->log->records[i].kind == LOG_CREATE;
    return file;
}

crash_model *crash_model_begin(const crash_log *log, bool syncs)
{
    crash_model *model = allocate(sizeof *model);
    model->log = log;
    model->syncs = syncs;
    return model;
}

void crash_model_end(crash_model *model)
{
    for (size_t i = 0; i < model->file_count; i++) {
        free(model->files[i].current.data);
        for (int kind = 0; kind < SYNC_KINDS; kind++) {
            free(model->files[i].durable[kind].data);
            free(model->files[i].pending[kind].records);
        }
    }
    clear_names(&model->current);
    clear_names(&model->durable);
    free(model->pending_names.records);
    free(model);
}

/// True where two writes touch the same page.
static bool share_page(const crash_record *a, const crash_record *b)
{
    return a->kind == LOG_WRITE && b->kind == LOG_WRITE && a->bytes > 0 && b->bytes > 0 &&
           a->offset / PAGE <= (b->offset + b->bytes - 1) / PAGE &&
           b->offset / PAGE <= (a->offset + a->bytes - 1) / PAGE;
}

/// A node that writes a page gets it from the node that wrote it before, which brings it to the
/// disk first: what is older in a page never comes after what is newer.
static bool goes_before(const crash_model *model, const pending_list *pending, size_t place,
                        int64_t process)
{
    const crash_record *record = &model->log->records[pending->records[place]];
    for (size_t i = place + 1; i < pending->count; i++) {
        const crash_record *later = &model->log->records[pending->records[i]];
        if (later->process == process && share_page(record, later))
            return true;
    }
    return false;
}

/// Brings what a sync covers to the disk.
static void sync_file(crash_model *model, model_file *file, int64_t process)
{
    for (int kind = 0; kind < SYNC_KINDS; kind++) {
        pending_list *pending = &file->pending[kind];
        size_t left = 0;
        for (size_t i = 0; i < pending->count; i++) {
            const crash_record *record = &model->log->records[pending->records[i]];
            if (kind == SYNC_ALL || record->process == process ||
                goes_before(model, pending, i, process))
                apply(&file->durable[kind], record);
            else
                pending->records[left++] = pending->records[i];
        }
        pending->count = left;
    }
}

bool crash_model_next(crash_model *model)
{
    if (model->position == model->log->count)
        return false;
    const size_t number = model->position++;
    const crash_record *record = &model->log->records[number];
    if (record->kind == LOG_SYNC_FOLDER) {
        if (model->syncs) {
            copy_names(&model->current, &model->durable);
            model->pending_names.count = 0;
        }
        return true;
    }
    if (record->kind == LOG_CREATE || record->kind == LOG_RENAME || record->kind == LOG_UNLINK) {
        if (record->kind == LOG_CREATE && model->file_count++ == MOST_FILES)
            fail("too many files");
        apply_name(&model->current, record, model->file_count - 1);
        append(&model->pending_names, number);
        return true;
    }
    const size_t name = find_name(&model->current, record->path);
    if (name == model->current.count)
        return true; // a file that was removed while it was open
    model_file *file = &model->files[model->current.names[name].file];
    if (record->kind == LOG_SYNC) {
        if (model->syncs)
            sync_file(model, file, record->process);
        return true;
    }
    apply(&file->current, record);
    for (int kind = 0; kind < SYNC_KINDS; kind++)
        append(&file->pending[kind], number);
    return true;
}

size_t crash_model_position(const crash_model *model)
{
    return model->position;
}

/// A number that looks random, by what it is for.
static uint64_t draw(uint64_t seed, uint64_t a, uint64_t b)
{
    uint64_t word = seed + 0x9e3779b97f4a7c15U * (a + 1) + 0xbf58476d1ce4e5b9U * (b + 1);
    word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9U;
    word = (word ^ (word >> 27)) * 0x94d049bb133111ebU;
    return word ^ (word >> 31);
}

/// How many of the pending writes from `first` on touch page `page`.
static size_t touches(const crash_model *model, const pending_list *pending, size_t first,
                      size_t page)
{
    size_t count = 0;
    for (size_t i = first; i < pending->count; i++) {
        const crash_record *record = &model->log->records[pending->records[i]];
        count += record->kind == LOG_WRITE && record->bytes > 0 &&
                 (size_t)record->offset / PAGE <= page &&
                 (size_t)(record->offset + record->bytes - 1) / PAGE >= page;
    }
    return count;
}

/// The disk holds each page as it was after some of the pending writes to it; which, is chance. A
/// change of size came through, or not.
static void survive(const crash_model *model, const pending_list *pending, size_t first,
                    uint64_t seed, crash_bytes *bytes)
{
    size_t pages = 0;
    for (size_t i = first; i < pending->count; i++) {
        const crash_record *record = &model->log->records[pending->records[i]];
        if (record->kind == LOG_TRUNCATE && draw(seed, pending->records[i], 1) % 2 == 0)
            resize(bytes, (size_t)record->offset);
        const size_t end = (size_t)(record->offset + record->bytes);
        if (record->kind == LOG_WRITE && end > pages * PAGE)
            pages = (end + PAGE - 1) / PAGE;
    }
    size_t *left = allocate(pages * sizeof *left);
    for (size_t page = 0; page < pages; page++)
        left[page] = SIZE_MAX;
    for (size_t i = first; i < pending->count; i++) {
        const crash_record *record = &model->log->records[pending->records[i]];
        if (record->kind != LOG_WRITE)
            continue;
        for (size_t skip = 0; skip < (size_t)record->bytes;) {
            const size_t place = (size_t)record->offset + skip;
            const size_t page = place / PAGE;
            size_t count = PAGE - place % PAGE;
            if (count > (size_t)record->bytes - skip)
                count = (size_t)record->bytes - skip;
            if (left[page] == SIZE_MAX)
                left[page] = draw(seed, page, 2) % (touches(model, pending, first, page) + 1);
            if (left[page] > 0) {
                left[page]--;
                apply_part(bytes, record, skip, count);
            }
            skip += count;
        }
    }
    free(left);
}

static int sync_kind(crash_mode mode)
{
    return mode == CRASH_NODES ? SYNC_OWN : SYNC_ALL;
}

/// Contents of a file after the crash.
static crash_bytes leave_file(const crash_model *model, crash_mode mode, uint64_t seed,
                              size_t number)
{
    const model_file *file = &model->files[number];
    if (mode == CRASH_KILL) {
        crash_bytes bytes = copy_of(&file->current);
        if (model->position < model->log->count) {
            const crash_record *record = &model->log->records[model->position];
            const size_t name = find_name(&model->current, record->path);
            if (record->kind == LOG_WRITE && name < model->current.count &&
                model->current.names[name].file == number) {
                const size_t unit = draw(seed, 3, 0) % 2 == 0 ? PAGE : SECTOR;
                const size_t units = ((size_t)record->bytes + unit - 1) / unit;
                const size_t done = unit * (draw(seed, 4, 0) % units);
                apply_part(&bytes, record, 0, done);
            }
        }
        return bytes;
    }
    const int kind = sync_kind(mode);
    const pending_list *pending = &file->pending[kind];
    crash_bytes bytes = copy_of(&file->durable[kind]);
    size_t first = 0;
    if (mode == CRASH_TORN && pending->count > TORN_WRITES)
        first = pending->count - TORN_WRITES;
    for (size_t i = 0; i < first; i++)
        apply(&bytes, &model->log->records[pending->records[i]]);
    survive(model, pending, first, seed + number, &bytes);
    return bytes;
}

/// Names after the crash: those on the disk, and some of what was done to the folder since, in
/// order.
static void leave_names(const crash_model *model, crash_mode mode, uint64_t seed, name_list *names)
{
    if (mode == CRASH_KILL || mode == CRASH_TORN) {
        copy_names(&model->current, names);
        return;
    }
    copy_names(&model->durable, names);
    const size_t done = draw(seed, 5, 0) % (model->pending_names.count + 1);
    for (size_t i = 0; i < done; i++) {
        const size_t number = model->pending_names.records[i];
        apply_name(names, &model->log->records[number], created_by(model, number));
    }
}

static void empty_folder(const char *folder)
{
    DIR *open = opendir(folder);
    if (open == NULL)
        fail("cannot open the folder of the states");
    for (const struct dirent *entry = readdir(open); entry != NULL; entry = readdir(open))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlinkat(dirfd(open), entry->d_name, 0);
    closedir(open);
}

void crash_model_leave(const crash_model *model, crash_mode mode, uint64_t seed, const char *logged,
                       const char *folder)
{
    empty_folder(folder);
    name_list names = {0};
    leave_names(model, mode, seed, &names);
    for (size_t i = 0; i < names.count; i++) {
        char path[2048];
        (void)snprintf(path, sizeof path, "%s%s", folder, names.names[i].path + strlen(logged));
        crash_bytes bytes = leave_file(model, mode, seed, names.names[i].file);
        FILE *file = fopen(path, "wb");
        if (file == NULL || fwrite(bytes.data, 1, bytes.size, file) != bytes.size ||
            fclose(file) != 0)
            fail("cannot write a state");
        free(bytes.data);
    }
    clear_names(&names);
}

crash_bytes crash_model_certain(const crash_model *model, crash_mode mode, const char *path)
{
    const bool kills = mode == CRASH_KILL;
    const name_list *names = kills || mode == CRASH_TORN ? &model->current : &model->durable;
    const size_t name = find_name(names, path);
    if (name == names->count)
        return (crash_bytes){0};
    const model_file *file = &model->files[names->names[name].file];
    return copy_of(kills ? &file->current : &file->durable[sync_kind(mode)]);
}
