#include "store/provenance.h"

#include "store/array.h"
#include "store/hdf5_tools.h"
#include "store/transaction.h"
#include "widthwise/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GROUP "/provenance/attempts/"

enum { TEXTS = 8, NUMBERS = 4, RANKS = 0, THREADS = 3 };

struct ww_provenance_table {
    int64_t rows;
    char *texts[TEXTS];        ///< [rows][WW_PROVENANCE_TEXT]
    int64_t *numbers[NUMBERS]; ///< [rows]
    size_t columns;            ///< of numbers
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

// A row counts where `ranks` is not zero: it is the first number here and is written last. Files
// that were made before ranks had threads lack the last one.
static const column number_columns[NUMBERS] = {
    {GROUP "ranks", "Number of ranks of each start, axis [start]; 0 where the row is not in use",
     offsetof(ww_provenance, ranks)},
    {GROUP "first_run", "Number of the run it began or went on with, axis [start]",
     offsetof(ww_provenance, first_run)},
    {GROUP "first_step", "Step it began at, axis [start]", offsetof(ww_provenance, first_step)},
    {GROUP "threads", "Number of threads of each rank of each start, axis [start]",
     offsetof(ww_provenance, threads)}};

static size_t columns_of(hid_t file)
{
    return H5Lexists(file, number_columns[THREADS].path, H5P_DEFAULT) > 0 ? NUMBERS : THREADS;
}

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

static void fill_row(ww_provenance_table *table, int64_t row, const ww_provenance *provenance)
{
    for (size_t i = 0; i < TEXTS; i++)
        copy_text(provenance, text_columns[i].offset, table->texts[i] + row * WW_PROVENANCE_TEXT);
    for (size_t i = 0; i < NUMBERS; i++)
        table->numbers[i][row] = number(provenance, number_columns[i].offset);
}

ww_provenance_table *ww_provenance_table_blank(int64_t rows, ww_error *error)
{
    ww_provenance_table *table = ww_allocate(1, sizeof *table, "the provenance table", error);
    if (table == NULL)
        return NULL;
    table->columns = NUMBERS;
    table->rows = rows;
    bool made = true;
    for (size_t i = 0; i < TEXTS && made; i++) {
        table->texts[i] =
            ww_allocate((size_t)rows, WW_PROVENANCE_TEXT, "the provenance table", error);
        made = table->texts[i] != NULL;
    }
    for (size_t i = 0; i < NUMBERS && made; i++) {
        table->numbers[i] =
            ww_allocate((size_t)rows, sizeof *table->numbers[i], "the provenance table", error);
        made = table->numbers[i] != NULL;
    }
    if (made)
        return table;
    ww_provenance_table_free(table);
    return NULL;
}

ww_provenance_table *ww_provenance_table_make(const ww_provenance *provenance, ww_error *error)
{
    WW_ASSERT(provenance->ranks > 0);
    ww_provenance_table *table = ww_provenance_table_blank(WW_PROVENANCE_ROWS, error);
    if (table != NULL)
        fill_row(table, 0, provenance);
    return table;
}

void ww_provenance_table_free(ww_provenance_table *table)
{
    if (table == NULL)
        return;
    for (size_t i = 0; i < TEXTS; i++)
        free(table->texts[i]);
    for (size_t i = 0; i < NUMBERS; i++)
        free(table->numbers[i]);
    free(table);
}

ww_status ww_provenance_plan(const ww_provenance_table *table, ww_plan *plan, ww_error *error)
{
    ww_plan_item item = {.rank = 1, .extent = {table->rows}, .fill = WW_PLAN_VALUE};
    for (size_t i = 0; i < TEXTS; i++) {
        item.type = WW_PLAN_TEXT;
        item.text_size = WW_PROVENANCE_TEXT;
        item.units = "text";
        item.description = text_columns[i].description;
        item.value = table->texts[i];
        WW_TRY(ww_plan_add(plan, item, ww_copy_text(text_columns[i].path, error), error));
    }
    for (size_t i = 0; i < table->columns; i++) {
        item.type = WW_PLAN_INTEGER;
        item.units = "1";
        item.description = number_columns[i].description;
        item.value = table->numbers[i];
        WW_TRY(ww_plan_add(plan, item, ww_copy_text(number_columns[i].path, error), error));
    }
    return WW_OK;
}

/// Opens a column of numbers and checks that it is one.
static ww_status open_numbers(hid_t file, const char *path, size_t i, ww_array *array,
                              ww_error *error)
{
    WW_TRY(ww_array_open(file, path, ww_copy_text(number_columns[i].path, error), 0, array, error));
    if (array->integer && array->rank == 1 && array->extent[0] > 0)
        return WW_OK;
    ww_array_close(array);
    return ww_fail(
        error, WW_FAILED,
        "%s: %s is not a list of integers; the file is damaged, restore it from a backup", path,
        number_columns[i].path);
}

/// Rows that are there, and rows in use.
static ww_status count_rows(hid_t file, const char *path, int64_t *rows, int64_t *used,
                            ww_error *error)
{
    *used = 0;
    ww_array ranks;
    WW_TRY(open_numbers(file, path, RANKS, &ranks, error));
    *rows = ranks.extent[0];
    int64_t *values = ww_allocate((size_t)*rows, sizeof *values, "the list of starts", error);
    ww_status status = values == NULL ? WW_FAILED : WW_OK;
    if (status == WW_OK)
        status = ww_array_read(&ranks, 0, 0, *rows, values, error);
    while (status == WW_OK && *used < *rows && values[*used] > 0)
        (*used)++;
    free(values);
    ww_array_close(&ranks);
    return status;
}

ww_status ww_provenance_count(hid_t file, const char *path, int64_t *count, ww_error *error)
{
    int64_t rows = 0;
    return count_rows(file, path, &rows, count, error);
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
    for (size_t i = 0; i < columns_of(file); i++) {
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

ww_status ww_provenance_table_take(ww_provenance_table *table, int64_t first, hid_t file,
                                   const char *path, int64_t count, ww_error *error)
{
    WW_ASSERT(first >= 0 && count <= table->rows - first);
    for (int64_t i = 0; i < count; i++) {
        ww_provenance provenance;
        WW_TRY(ww_provenance_read(file, path, i, &provenance, error));
        fill_row(table, first + i, &provenance);
    }
    return WW_OK;
}

ww_provenance_table *ww_provenance_table_read(hid_t file, const char *path, int64_t rows,
                                              int64_t used, ww_error *error)
{
    ww_provenance_table *table = ww_provenance_table_blank(rows, error);
    if (table != NULL)
        table->columns = columns_of(file);
    if (table == NULL || ww_provenance_table_take(table, 0, file, path, used, error) == WW_OK)
        return table;
    ww_provenance_table_free(table);
    return NULL;
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
static ww_status write_row(hid_t file, int descriptor, const char *path, int64_t row,
                           const ww_provenance *provenance, ww_error *error)
{
    for (size_t i = 0; i < TEXTS; i++) {
        char text[WW_PROVENANCE_TEXT];
        copy_text(provenance, text_columns[i].offset, text);
        WW_TRY(ww_text_write(file, path, text_columns[i].path, row, text, sizeof text, error));
    }
    for (size_t i = RANKS + 1; i < columns_of(file); i++)
        WW_TRY(write_number(file, path, i, row, provenance, error));
    WW_TRY(sync_descriptor(descriptor, path, error));
    WW_TRY(write_number(file, path, RANKS, row, provenance, error));
    return sync_descriptor(descriptor, path, error);
}

static ww_status replace_columns(void *context, hid_t file, const char *file_name, ww_error *error)
{
    const ww_plan *plan = context;
    for (size_t i = 0; i < plan->count; i++)
        WW_TRY(ww_transaction_replace(file, file_name, &plan->items[i], false, error));
    return WW_OK;
}

/// Makes room for as many rows again, in a transaction.
static ww_status double_rows(const char *path, const ww_provenance_table *table, ww_error *error)
{
    ww_plan plan = {0};
    const char *touched[TEXTS + NUMBERS];
    ww_status status = ww_provenance_plan(table, &plan, error);
    for (size_t i = 0; i < plan.count; i++)
        touched[i] = plan.items[i].path;
    const ww_transaction transaction = {.touched = touched,
                                        .count = plan.count,
                                        .bytes = 2 * plan.bytes,
                                        .work = replace_columns,
                                        .context = &plan};
    if (status == WW_OK)
        status = ww_transaction_run(path, &transaction, error);
    ww_plan_free(&plan);
    return status;
}

/// Finds the row to write, and makes room where all are in use.
static ww_status find_row(const char *path, int64_t *row, ww_error *error)
{
    hid_t file = H5I_INVALID_HID;
    WW_TRY(ww_file_open_reading(path, &file, error));
    int64_t rows = 0;
    ww_status status = count_rows(file, path, &rows, row, error);
    ww_provenance_table *larger = NULL;
    if (status == WW_OK && *row == rows) {
        larger = ww_provenance_table_read(file, path, 2 * rows, rows, error);
        status = larger == NULL ? WW_FAILED : WW_OK;
    }
    ww_file_close(&file);
    if (status == WW_OK && larger != NULL)
        status = double_rows(path, larger, error);
    ww_provenance_table_free(larger);
    return status;
}

static ww_status add_attempt(const char *path, const ww_provenance *provenance, ww_error *error)
{
    int64_t row = 0;
    WW_TRY(find_row(path, &row, error));
    const int descriptor = open(path, O_RDWR | O_CLOEXEC);
    if (descriptor < 0)
        return ww_fail(error, WW_FAILED, "cannot open %s for writing: %s; check its permissions",
                       path, strerror(errno));
    hid_t file = H5I_INVALID_HID;
    // Through MPI-IO although alone: the serial driver would ask for a lock that any reader denies.
    ww_status status = ww_file_open_writing(path, MPI_COMM_SELF, &file, error);
    if (status == WW_OK)
        status = write_row(file, descriptor, path, row, provenance, error);
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
