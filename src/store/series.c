/// Thinned trajectories, for a picture of how a run goes.

#include "widthwise/store_look.h"

#include "store/hdf5_tools.h"
#include "store/member.h"
#include "widthwise/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_REPLICAS = 32 };

/// Where values are taken.
typedef struct taken_values {
    int64_t *points;  ///< [replicas, count] of (record), or of (replica, record)
    int64_t replicas; ///< that are taken; 0 of a run without
    size_t count;     ///< records that are taken
    double *found;    ///< [replicas, count], room
} taken_values;

static const ww_array *find_scalar(const ww_member *member, const char *name)
{
    const int rank = member->has_replicas ? 2 : 1;
    for (size_t i = 0; i < member->trajectory.count; i++) {
        const ww_array *array = &member->trajectory.arrays[i];
        const char *slash = strrchr(array->path, '/');
        if (array->rank == rank && slash != NULL && strcmp(slash + 1, name) == 0)
            return array;
    }
    return NULL;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/// `rows` committed records, or replicas that are done.
static ww_status choose(const ww_member *member, int64_t rows, size_t most, taken_values *taken,
                        ww_error *error)
{
    const int64_t records = member->has_replicas ? ww_array_row_values(&member->step) : rows;
    const int64_t lines = member->has_replicas ? smaller(rows, MOST_REPLICAS) : 1;
    taken->count = rows > 0 ? (size_t)smaller(records, (int64_t)most) : 0;
    taken->replicas = member->has_replicas ? lines : 0;
    const size_t axes = member->has_replicas ? 2 : 1;
    const size_t values = (size_t)lines * taken->count;
    taken->points = ww_allocate(values * axes, sizeof *taken->points, "a trajectory", error);
    taken->found = ww_allocate(values, sizeof *taken->found, "a trajectory", error);
    if (taken->points == NULL || taken->found == NULL)
        return WW_FAILED;
    int64_t *point = taken->points;
    for (int64_t line = 0; line < lines && taken->count > 0; line++)
        for (int64_t i = 0; i < (int64_t)taken->count; i++) {
            if (member->has_replicas)
                *point++ = ww_spread(line, lines, rows);
            *point++ = ww_spread(i, (int64_t)taken->count, records);
        }
    return WW_OK;
}

/// Means over replicas, [count].
static void average(taken_values *taken, double *values)
{
    for (int64_t replica = 0; replica < taken->replicas; replica++) {
        double *own = taken->found + (size_t)replica * taken->count;
        for (size_t i = 1; i < taken->count; i++)
            if (isnan(own[i]))
                own[i] = own[i - 1];
    }
    for (size_t i = 0; i < taken->count; i++) {
        double sum = 0.0;
        int64_t finite = 0;
        for (int64_t replica = 0; replica < taken->replicas; replica++) {
            const double value = taken->found[(size_t)replica * taken->count + i];
            if (isfinite(value)) {
                sum += value;
                finite++;
            }
        }
        values[i] = finite > 0 ? sum / (double)finite : (double)NAN;
    }
}

static ww_status read_scalar(const ww_member *member, const char *name, taken_values *taken,
                             double *values, ww_error *error)
{
    const ww_array *array = find_scalar(member, name);
    if (array == NULL) {
        for (size_t i = 0; i < taken->count; i++)
            values[i] = NAN;
        return WW_OK;
    }
    const bool averages = taken->replicas > 0;
    const size_t lines = averages ? (size_t)taken->replicas : 1;
    WW_TRY(ww_array_read_points(array, taken->points, lines * taken->count,
                                averages ? taken->found : values, error));
    if (averages)
        average(taken, values);
    return WW_OK;
}

static ww_status read_member(const ww_member *member, const char *const *names, size_t name_count,
                             size_t most, double *values, size_t *count, ww_error *error)
{
    ww_page pages[WW_PAGES];
    bool valid[WW_PAGES];
    taken_values taken = {0};
    WW_TRY(ww_member_read_pages(member, pages, valid, error));
    const int newest = ww_page_newest(pages, valid);
    ww_status status = choose(member, newest < 0 ? 0 : pages[newest].rows, most, &taken, error);
    for (size_t i = 0; i < name_count && status == WW_OK; i++)
        status = read_scalar(member, names[i], &taken, values + i * most, error);
    *count = status == WW_OK ? taken.count : 0;
    free(taken.points);
    free(taken.found);
    return status;
}

ww_status ww_store_read_series(const char *path, int64_t index, const char *const *names,
                               size_t name_count, size_t most, double *values, size_t *count,
                               ww_error *error)
{
    *count = 0;
    hid_t file = H5I_INVALID_HID;
    WW_TRY(ww_file_open_reading(path, &file, error));
    ww_member member = ww_member_none(index);
    ww_status status = ww_member_open(file, path, index, &member, error);
    if (status == WW_OK)
        status = read_member(&member, names, name_count, most, values, count, error);
    ww_member_close(&member);
    ww_file_close(&file);
    return status;
}
