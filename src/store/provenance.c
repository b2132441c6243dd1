#include "store/provenance.h"

#include "store/array.h"
#include "store/hdf5_tools.h"
#include "widthwise/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GROUP "/provenance/attempts/"

enum { TEXTS = 8, NUMBERS = 3, RANKS = 0 };

struct ww_provenance_table {
    char texts[TEXTS][WW_PROVENANCE_ROWS][WW_PROVENANCE_TEXT];
    int64_t numbers[NUMBERS][WW_PROVENANCE_ROWS];
};

typedef struct column {
    const char *path, *description;
    size_t offset; ///< in ww_provenance
} column;

static const column text_columns[TEXTS] = {
    {GROUP "host", "Host of rank 0 of each start, axis [start]", offsetof(ww_provenance, host)},
    {GROUP "started", "Time of each start, UTC as in ISO 8601, axis [start]",
     offsetof(ww_provenance, started)},
    {GROUP "version", "Version and commit of the program, axis [start]",
     offsetof(ww_provenance, version)},
    {GROUP "compiler", "Compiler of the program, axis [start]", offsetof(ww_provenance, compiler)},
    {GROUP "flags", "Compiler's flags, axis [start]", offsetof(ww_provenance, flags)},
    {GROUP "libraries", "Versions of the libraries used, axis [start]",
     offsetof(ww_provenance, libraries)},
    {GROUP "arithmetic",
     "What the bits of the results depend on: BLAS kernels and C library, "
     "axis [start]",
     offsetof(ww_provenance, arithmetic)},
    {GROUP "command", "Command line, axis [start]", offsetof(ww_provenance, command)}};

// A row counts where `ranks` is not zero: it is the first number here and is written last.
static const column number_columns[NUMBERS] = {
    {GROUP "ranks", "Number of ranks of each start, axis [start]; 0 where the row is not in use",
     offsetof(ww_provenance, ranks)},
    {GROUP "first_run", "Number of the run it began or went on with, axis [start]",
     offsetof(ww_provenance, first_run)},
    {GROUP "first_step", "Step it began at, axis [start]", offsetof(ww_provenance, first_step)}};

/// A text of `provenance`, cut and filled with zeroes.
static void copy_text(const ww_provenance *provenance, size_t offset, char *text)
{
    const char *source = (const char *)provenance + offset;
    memset(text, 0, WW_PROVENANCE_TEXT);
    memcpy(text, source, strnlen(source, WW_PROVENANCE_TEXT - 1));
}

static int64_t number(const ww_provenance *provenance, size_t offset)
{
    int64_t value = 0;
    memcpy(&value, (const char *)provenance + offset, sizeof value);
    return value;
}

ww_provenance_table *ww_provenance_table_make(const ww_provenance *provenance, ww_error *error)
{
    WW_ASSERT(provenance->ranks > 0);
    ww_provenance_table *table = ww_allocate(1, sizeof *table, "the provenance table", error);
    if (table == NULL)
        return NULL;
    for (size_t i = 0; i < TEXTS; i++)
        copy_text(provenance, text_columns[i].offset, table->texts[i][0]);
    for (size_t i = 0; i < NUMBERS; i++)
        table->numbers[i][0] = number(provenance, number_columns[i].offset);
    return table;
}

ww_status ww_provenance_plan(const ww_provenance_table *table, ww_plan *plan, ww_error *error)
{
    ww_plan_item item = {.rank = 1, .extent = {WW_PROVENANCE_ROWS}, .fill = WW_PLAN_VALUE};
    for (size_t i = 0; i < TEXTS; i++) {
        item.type = WW_PLAN_TEXT;
        item.text_size = WW_PROVENANCE_TEXT;
        item.units = "text";
        item.description = text_columns[i].description;
        item.value = table->texts[i];
        WW_TRY(ww_plan_add(plan, item, ww_copy_text(text_columns[i].path, error), error));
    }
    for (size_t i = 0; i < NUMBERS; i++) {
        item.type = WW_PLAN_INTEGER;
        item.units = "1";
        item.description = number_columns[i].description;
        item.value = table->numbers[i];
        WW_TRY(ww_plan_add(plan, item, ww_copy_text(number_columns[i].path, error), error));
    }
    return WW_OK;
}

/// Opens a column of numbers and checks its length.
static ww_status open_numbers(hid_t file, const char *path, size_t i, ww_array *array,
                              ww_error *error)
{
    WW_TRY(ww_array_open(file, path, ww_copy_text(number_columns[i].path, error), 0, array, error));
    if (array->integer && array->rank == 1 && array->extent[0] == WW_PROVENANCE_ROWS)
        return WW_OK;
    ww_array_close(array);
    return ww_fail(error, WW_FAILED,
                   "%s: %s is not a list of %d integers; the file is damaged, restore it from a "
                   "backup",
                   path, number_columns[i].path, (int)WW_PROVENANCE_ROWS);
}

ww_status ww_provenance_count(hid_t file, const char *path, int64_t *count, ww_error *error)
{
    *count = 0;
    ww_array ranks;
    WW_TRY(open_numbers(file, path, RANKS, &ranks, error));
    int64_t values[WW_PROVENANCE_ROWS] = {0};
    const ww_status status = ww_array_read(&ranks, 0, 0, WW_PROVENANCE_ROWS, values, error);
    ww_array_close(&ranks);
    while (status == WW_OK && *count < WW_PROVENANCE_ROWS && values[*count] > 0)
        (*count)++;
    return status;
}

ww_status ww_provenance_read(hid_t file, const char *path, int64_t row, ww_provenance *provenance,
                             ww_error *error)
{
    *provenance = (ww_provenance){0};
    for (size_t i = 0; i < TEXTS; i++) {
        char *text = NULL;
        WW_TRY(ww_text_read(file, path, text_columns[i].path, row, &text, error));
        memcpy((char *)provenance + text_columns[i].offset, text,
               strnlen(text, WW_PROVENANCE_TEXT - 1));
        free(text);
    }
    for (size_t i = 0; i < NUMBERS; i++) {
        ww_array array;
        WW_TRY(open_numbers(file, path, i, &array, error));
        int64_t value = 0;
        const ww_status status = ww_array_read(&array, 0, row, 1, &value, error);
        ww_array_close(&array);
        WW_TRY(status);
        memcpy((char *)provenance + number_columns[i].offset, &value, sizeof value);
    }
    return WW_OK;
}

static ww_status write_number(hid_t file, const char *path, size_t i, int64_t row,
                              const ww_provenance *provenance, ww_error *error)
{
    ww_array array;
    WW_TRY(open_numbers(file, path, i, &array, error));
    const int64_t value = number(provenance, number_columns[i].offset);
    const ww_status status = ww_array_write(&array, 0, row, 1, &value, error);
    ww_array_close(&array);
    return status;
}

static ww_status sync_descriptor(int descriptor, const char *path, ww_error *error)
{
    if (fsync(descriptor) != 0)
        return ww_fail(error, WW_FAILED, "cannot bring %s to the disk: %s", path, strerror(errno));
    return WW_OK;
}

/// Texts and numbers first, made durable; then the number that makes the row count.
static ww_status write_row(hid_t file, int descriptor, const char *path,
                           const ww_provenance *provenance, ww_error *error)
{
    int64_t row = 0;
    WW_TRY(ww_provenance_count(file, path, &row, error));
    if (row == WW_PROVENANCE_ROWS)
        return ww_fail(error, WW_FAILED,
                       "%s has room for %d starts and all are used; start anew with another output "
                       "file and fewer, longer jobs",
                       path, (int)WW_PROVENANCE_ROWS);
    for (size_t i = 0; i < TEXTS; i++) {
        char text[WW_PROVENANCE_TEXT];
        copy_text(provenance, text_columns[i].offset, text);
        WW_TRY(ww_text_write(file, path, text_columns[i].path, row, text, sizeof text, error));
    }
    for (size_t i = RANKS + 1; i < NUMBERS; i++)
        WW_TRY(write_number(file, path, i, row, provenance, error));
    WW_TRY(sync_descriptor(descriptor, path, error));
    WW_TRY(write_number(file, path, RANKS, row, provenance, error));
    return sync_descriptor(descriptor, path, error);
}

static ww_status add_attempt(const char *path, const ww_provenance *provenance, ww_error *error)
{
    hid_t file = H5I_INVALID_HID;
    // For its clear sentences: MPI-IO gives poorer ones.
    WW_TRY(ww_file_open_reading(path, &file, error));
    ww_file_close(&file);
    const int descriptor = open(path, O_RDWR | O_CLOEXEC);
    if (descriptor < 0)
        return ww_fail(error, WW_FAILED, "cannot open %s for writing: %s; check its permissions",
                       path, strerror(errno));
    // Through MPI-IO although alone: the serial driver would ask for a lock that any reader denies.
    ww_status status = ww_file_open_writing(path, MPI_COMM_SELF, &file, error);
    if (status == WW_OK)
        status = write_row(file, descriptor, path, provenance, error);
    ww_file_close(&file);
    close(descriptor);
    return status;
}

ww_status ww_store_add_attempt(const char *path, const ww_provenance *provenance,
                               const ww_parallel *parallel, ww_error *error)
{
    WW_ASSERT(provenance->ranks > 0);
    ww_status status = WW_OK;
    if (parallel->rank == 0)
        status = add_attempt(path, provenance, error);
    return ww_agree(parallel, status, error);
}
