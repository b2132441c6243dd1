/// Which datasets a file has: one list from which the skeleton is made and against which an opened
/// member is checked. hdf5-schema/ describes the same list for readers.
#ifndef WIDTHWISE_STORE_PLAN_H
#define WIDTHWISE_STORE_PLAN_H

#include "store/array.h"
#include "widthwise/error.h"
#include "widthwise/store.h"

#include <hdf5.h>
#include <stddef.h>
#include <stdint.h>

typedef enum ww_plan_type { WW_PLAN_INTEGER, WW_PLAN_REAL, WW_PLAN_TEXT } ww_plan_type;

/// What a dataset holds from the start.
typedef enum ww_plan_fill {
    WW_PLAN_EMPTY, ///< nothing: it is only reserved
    WW_PLAN_BLANK, ///< NaN, or -1 for integers
    WW_PLAN_VALUE  ///< `value`
} ww_plan_fill;

typedef struct ww_plan_item {
    char *path;
    ww_plan_type type;
    size_t text_size; ///< bytes of one text
    int rank;
    int64_t extent[WW_ARRAY_RANK];
    const char *description, *units, *source; ///< borrowed
    ww_plan_fill fill;
    const void *value; ///< borrowed
    bool changes;      ///< a change of layout may give it another value
} ww_plan_item;

/// Starts as zeroes ({0}). Free with ww_plan_free, also after a failure.
typedef struct ww_plan {
    ww_plan_item *items;
    size_t count, capacity;
    int64_t bytes; ///< of all data
} ww_plan;

/// Adds a copy of `item` with `path`, which is taken over; NULL is a failed allocation before.
ww_status ww_plan_add(ww_plan *plan, ww_plan_item item, char *path, ww_error *error);
void ww_plan_free(ww_plan *plan);

/// Bytes of the data of one dataset of a plan.
int64_t ww_plan_item_bytes(const ww_plan_item *item);

/// Adds all datasets of one member. Texts and `first_pages` [2][512] are borrowed.
ww_status ww_plan_add_member(ww_plan *plan, const ww_member_layout *layout,
                             const int64_t *first_pages, ww_error *error);

/// Checks that the open file has every dataset of the plan with its type and extents; texts may
/// have another length. WW_FAILED names the first that differs.
ww_status ww_plan_check(const ww_plan *plan, hid_t file, const char *file_name, ww_error *error);

#endif
