/// What a plain copy says of its datasets in datasets of its own, /legend, beside their attributes:
/// Octave reads no attributes.
///
/// Runs of a file mostly have the same datasets, so there is one row for all of one name, such as
/// "/runs/trajectory/loss": the path without the run. Only a dataset of which something else is
/// said than of that of the first run has a row under its own path,
/// "/runs/run0003/trajectory/loss".
#ifndef WIDTHWISE_STORE_LEGEND_H
#define WIDTHWISE_STORE_LEGEND_H

#include "store/plan.h"
#include "widthwise/error.h"

#include <stddef.h>

/// What a row says, in the order of its datasets.
enum {
    WW_LEGEND_PATH,
    WW_LEGEND_UNITS,
    WW_LEGEND_DESCRIPTION,
    WW_LEGEND_SOURCE,
    WW_LEGEND_COLUMNS
};

typedef struct ww_legend_row {
    char *text[WW_LEGEND_COLUMNS];
} ww_legend_row;

/// Starts as zeroes ({0}). Free with ww_legend_free, also after a failure.
typedef struct ww_legend {
    ww_legend_row *rows;
    size_t count, capacity;
    char *columns[WW_LEGEND_COLUMNS]; ///< [count] texts of equal size each, made by ww_legend_plan
} ww_legend;

/// Notes what is said of a dataset. One that was noted already changes nothing.
ww_status ww_legend_note(ww_legend *legend, const ww_plan_item *item, ww_error *error);

/// Adds the datasets of the legend to a plan, which borrows their values; none without rows. Once.
ww_status ww_legend_plan(ww_legend *legend, ww_plan *plan, ww_error *error);

void ww_legend_free(ww_legend *legend);

#endif
