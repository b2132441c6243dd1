#include "store/legend.h"

#include "widthwise/memory.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *path, *description;
} columns[WW_LEGEND_COLUMNS] = {
    [WW_LEGEND_PATH] = {"/legend/path",
                        "Datasets of this file: path without the run, for all runs but those of "
                        "which a row with their own path says something else, axis [row]"},
    [WW_LEGEND_UNITS] = {"/legend/units", "Unit of the dataset, 1 for a pure number, axis [row]"},
    [WW_LEGEND_DESCRIPTION] = {"/legend/description",
                               "What the dataset is and what its axes are, axis [row]"},
    [WW_LEGEND_SOURCE] = {"/legend/source",
                          "Paper and equation or section that the dataset comes from, or nothing, "
                          "axis [row]"},
};

/// "/runs/trajectory/loss" of "/runs/run0000/trajectory/loss".
static char *path_without_run(const char *path, ww_error *error)
{
    static const char run[] = "/run";
    for (const char *part = strstr(path, run); part != NULL; part = strstr(part + 1, run)) {
        const size_t digits = strspn(part + strlen(run), "0123456789");
        const char *rest = part + strlen(run) + digits;
        if (digits > 0 && *rest == '/')
            return ww_format(error, "%.*s%s", (int)(part - path), path, rest);
    }
    return ww_copy_text(path, error);
}

static const ww_legend_row *find(const ww_legend *legend, const char *path)
{
    for (size_t i = 0; i < legend->count; i++)
        if (strcmp(legend->rows[i].text[WW_LEGEND_PATH], path) == 0)
            return &legend->rows[i];
    return NULL;
}

static const char *source_of(const ww_plan_item *item)
{
    return item->source == NULL ? "" : item->source;
}

static bool says_the_same(const ww_legend_row *row, const ww_plan_item *item)
{
    return strcmp(row->text[WW_LEGEND_UNITS], item->units) == 0 &&
           strcmp(row->text[WW_LEGEND_DESCRIPTION], item->description) == 0 &&
           strcmp(row->text[WW_LEGEND_SOURCE], source_of(item)) == 0;
}

static ww_status make_room(ww_legend *legend, ww_error *error)
{
    if (legend->count < legend->capacity)
        return WW_OK;
    const size_t capacity = legend->capacity == 0 ? 64 : 2 * legend->capacity;
    ww_legend_row *rows = realloc(legend->rows, capacity * sizeof *rows);
    if (rows == NULL)
        return ww_fail(error, WW_FAILED, "out of memory for a legend of %zu rows", capacity);
    legend->rows = rows;
    legend->capacity = capacity;
    return WW_OK;
}

/// `path` is copied.
static ww_status add_row(ww_legend *legend, const char *path, const ww_plan_item *item,
                         ww_error *error)
{
    WW_TRY(make_room(legend, error));
    ww_legend_row *row = &legend->rows[legend->count++];
    *row = (ww_legend_row){{ww_copy_text(path, error), ww_copy_text(item->units, error),
                            ww_copy_text(item->description, error),
                            ww_copy_text(source_of(item), error)}};
    for (int c = 0; c < WW_LEGEND_COLUMNS; c++)
        if (row->text[c] == NULL)
            return WW_FAILED;
    return WW_OK;
}

ww_status ww_legend_note(ww_legend *legend, const ww_plan_item *item, ww_error *error)
{
    char *shared = path_without_run(item->path, error);
    if (shared == NULL)
        return WW_FAILED;
    ww_status status = WW_OK;
    const ww_legend_row *first = find(legend, shared);
    if (first == NULL)
        status = add_row(legend, shared, item, error);
    else if (!says_the_same(first, item) && find(legend, item->path) == NULL)
        status = add_row(legend, item->path, item, error);
    free(shared);
    return status;
}

ww_status ww_legend_plan(ww_legend *legend, ww_plan *plan, ww_error *error)
{
    for (int c = 0; c < WW_LEGEND_COLUMNS && legend->count > 0; c++) {
        WW_ASSERT(legend->columns[c] == NULL);
        size_t size = 1;
        for (size_t i = 0; i < legend->count; i++) {
            const size_t needed = strlen(legend->rows[i].text[c]) + 1;
            size = needed > size ? needed : size;
        }
        legend->columns[c] = ww_allocate(legend->count, size, "the legend of an export", error);
        if (legend->columns[c] == NULL)
            return WW_FAILED;
        for (size_t i = 0; i < legend->count; i++) {
            const char *text = legend->rows[i].text[c];
            memcpy(legend->columns[c] + i * size, text, strlen(text) + 1);
        }
        const ww_plan_item item = {.type = WW_PLAN_TEXT,
                                   .text_size = size,
                                   .rank = 1,
                                   .extent = {(int64_t)legend->count},
                                   .description = columns[c].description,
                                   .units = "text",
                                   .fill = WW_PLAN_VALUE,
                                   .value = legend->columns[c]};
        WW_TRY(ww_plan_add(plan, item, ww_copy_text(columns[c].path, error), error));
    }
    return WW_OK;
}

void ww_legend_free(ww_legend *legend)
{
    for (size_t i = 0; i < legend->count; i++)
        for (int c = 0; c < WW_LEGEND_COLUMNS; c++)
            free(legend->rows[i].text[c]);
    free(legend->rows);
    for (int c = 0; c < WW_LEGEND_COLUMNS; c++)
        free(legend->columns[c]);
    *legend = (ww_legend){0};
}
