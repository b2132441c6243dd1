/// Single numbers of a member, for a look at it without its weights.

#include "store/hdf5_tools.h"
#include "store/member.h"
#include "store/members.h"

#include "widthwise/memory.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static ww_status visit_list(const ww_array_list *list, const char *group, int rank, int64_t row,
                            ww_scalar_visitor visit, void *context, ww_error *error)
{
    for (size_t i = 0; i < list->count; i++) {
        const ww_array *array = &list->arrays[i];
        double value = 0.0;
        if (array->rank != rank || array->integer)
            continue;
        WW_TRY(ww_array_read(array, 0, row, 1, &value, error));
        visit(context, group, last_part(array->path), value, 0.0);
    }
    return WW_OK;
}

// What is known of replicas that are done.
typedef struct replica_rows {
    int64_t done, records;
    int64_t *last; // [done], the last record of each; -1 without one
    double *row;   // [records], room
} replica_rows;

static ww_status find_last_records(const ww_array *steps, replica_rows *rows, ww_error *error)
{
    rows->records = ww_array_row_values(steps);
    rows->last = ww_allocate((size_t)rows->done, sizeof *rows->last, "replicas", error);
    rows->row = ww_allocate((size_t)rows->records, sizeof *rows->row, "replicas", error);
    int64_t *row = ww_allocate((size_t)rows->records, sizeof *row, "replicas", error);
    ww_status status = rows->last != NULL && rows->row != NULL && row != NULL ? WW_OK : WW_FAILED;
    for (int64_t replica = 0; status == WW_OK && replica < rows->done; replica++) {
        status = ww_array_read(steps, 0, replica, 1, row, error);
        rows->last[replica] = -1;
        for (int64_t record = 0; record < rows->records && row[record] >= 0; record++)
            rows->last[replica] = record;
    }
    free(row);
    return status;
}

// Value of one replica: of a trajectory at its last record, of a result the number itself.
static ww_status read_replica(const ww_array *array, const replica_rows *rows, int64_t replica,
                              double *value, ww_error *error)
{
    *value = NAN;
    if (array->rank == 1)
        return ww_array_read(array, 0, replica, 1, value, error);
    if (rows->last[replica] < 0)
        return WW_OK;
    WW_TRY(ww_array_read(array, 0, replica, 1, rows->row, error));
    *value = rows->row[rows->last[replica]];
    return WW_OK;
}

static ww_status visit_replicas(const ww_array_list *list, const char *group, int rank,
                                const replica_rows *rows, ww_scalar_visitor visit, void *context,
                                ww_error *error)
{
    for (size_t i = 0; i < list->count; i++) {
        const ww_array *array = &list->arrays[i];
        if (array->rank != rank || array->integer)
            continue;
        double mean = 0.0, squares = 0.0; // by Welford's recurrence
        int64_t count = 0;
        for (int64_t replica = 0; replica < rows->done; replica++) {
            double value = NAN;
            WW_TRY(read_replica(array, rows, replica, &value, error));
            if (!isfinite(value))
                continue;
            const double difference = value - mean;
            mean += difference / (double)++count;
            squares += difference * (value - mean);
        }
        const double deviation = count > 1 ? sqrt(squares / (double)(count - 1)) : 0.0;
        visit(context, group, last_part(array->path), count > 0 ? mean : (double)NAN, deviation);
    }
    return WW_OK;
}

static ww_status visit_all_replicas(const ww_member *member, int64_t done, ww_scalar_visitor visit,
                                    void *context, ww_error *error)
{
    replica_rows rows = {.done = done};
    ww_status status = find_last_records(&member->step, &rows, error);
    if (status == WW_OK)
        status = visit_replicas(&member->trajectory, "trajectory", 2, &rows, visit, context, error);
    if (status == WW_OK)
        status = visit_replicas(&member->final, "final", 1, &rows, visit, context, error);
    if (status == WW_OK)
        status = visit_replicas(&member->theory, "theory", 1, &rows, visit, context, error);
    free(rows.last);
    free(rows.row);
    return status;
}

static ww_status read_fact(hid_t file, const char *path, int64_t index, const char *name,
                           int64_t *value, ww_error *error)
{
    ww_array array;
    WW_TRY(ww_array_open(file, path,
                         ww_format(error, "/runs/run%04" PRId64 "/parameters/%s", index, name), 0,
                         &array, error));
    ww_status status = WW_OK;
    if (array.integer && array.rank == 0)
        status = ww_array_read(&array, 0, 0, 1, value, error);
    else
        status = ww_fail(error, WW_FAILED,
                         "%s: %s is not a whole number; the file was made by another version or is "
                         "damaged, see `widthwise verify`",
                         path, array.path);
    ww_array_close(&array);
    return status;
}

ww_status ww_store_read_facts(const char *path, int64_t index, const char *const *names,
                              size_t count, int64_t *values, ww_error *error)
{
    hid_t file = H5I_INVALID_HID;
    WW_TRY(ww_file_open_reading(path, &file, error));
    ww_status status = WW_OK;
    for (size_t i = 0; i < count && status == WW_OK; i++)
        status = read_fact(file, path, index, names[i], &values[i], error);
    ww_file_close(&file);
    return status;
}

ww_status ww_store_visit_scalars(const char *path, int64_t index, ww_scalar_visitor visit,
                                 void *context, ww_error *error)
{
    hid_t file = H5I_INVALID_HID;
    WW_TRY(ww_file_open_reading(path, &file, error));
    ww_member member = ww_member_none(index);
    ww_status status = ww_member_open(file, path, index, &member, error);
    ww_page pages[WW_PAGES];
    bool valid[WW_PAGES];
    if (status == WW_OK)
        status = ww_member_read_pages(&member, pages, valid, error);
    if (status == WW_OK) {
        const int newest = ww_page_newest(pages, valid);
        const ww_page page = newest < 0 ? ww_page_first() : pages[newest];
        if (page.rows > 0 && !member.has_replicas)
            status = visit_list(&member.trajectory, "trajectory", 1, page.rows - 1, visit, context,
                                error);
        if (page.rows > 0 && member.has_replicas)
            status = visit_all_replicas(&member, page.rows, visit, context, error);
        if (status == WW_OK && page.final_valid && !member.has_replicas)
            status = visit_list(&member.final, "final", 0, 0, visit, context, error);
        if (status == WW_OK && page.theory_valid && !member.has_replicas)
            status = visit_list(&member.theory, "theory", 0, 0, visit, context, error);
        if (status == WW_OK && page.gram_valid)
            status = visit_list(&member.gram, "gram", 0, 0, visit, context, error);
    }
    ww_member_close(&member);
    ww_file_close(&file);
    return status;
}
