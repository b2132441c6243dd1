/// What storing a member needs, told before anything is made.

#include "store/plan.h"
#include "store/weights.h"
#include "widthwise/store_cost.h"

#include <string.h>

enum {
    ALIGNMENT = 4096, // of datasets from LARGE_BYTES on, as ww_file_access has it
    LARGE_BYTES = 2048,
    METADATA_BYTES = 640, // of HDF5 for a dataset, its attributes and its part of a group
    COMMON_DATASETS = 15  // /provenance
};

static int64_t bytes_in_file(int64_t bytes)
{
    const int64_t aligned =
        bytes < LARGE_BYTES ? bytes : (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return aligned + METADATA_BYTES;
}

static bool begins(const char *path, const char *prefix)
{
    return strncmp(path, prefix, strlen(prefix)) == 0;
}

int64_t ww_store_common_bytes(void)
{
    enum { TEXTS = 8, NUMBERS = 4 }; // of a row of provenance
    return bytes_in_file((int64_t)WW_PROVENANCE_ROWS * WW_PROVENANCE_TEXT) * TEXTS +
           bytes_in_file((int64_t)WW_PROVENANCE_ROWS * WW_VALUE_BYTES) * NUMBERS +
           (COMMON_DATASETS - TEXTS - NUMBERS) * bytes_in_file(0);
}

int64_t ww_store_unit_values(const ww_member_layout *layout)
{
    return layout->dimension + (layout->depth - 1) * layout->width + layout->outputs +
           layout->state_columns;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/// Weights on their way to the file and back: one of these at a time.
static int64_t weights_room(const ww_member_layout *layout, const ww_tiling *tiling)
{
    const int64_t columns =
        most(most(layout->dimension, layout->state_columns), layout->depth > 1 ? layout->width : 0);
    const int64_t hidden = ww_weights_layer_room_bytes(columns, tiling);
    const int64_t output = ww_weights_room_bytes(layout->outputs, tiling);
    return most(hidden, output);
}

ww_status ww_store_cost_of(const ww_member_layout *layout, const ww_tiling *tiling,
                           int64_t pending_rows, ww_store_cost *cost, ww_error *error)
{
    *cost = (ww_store_cost){0};
    ww_plan plan = {0};
    const ww_status status = ww_plan_add_member(&plan, layout, NULL, error);
    for (size_t i = 0; i < plan.count && status == WW_OK; i++) {
        const int64_t bytes = bytes_in_file(ww_plan_item_bytes(&plan.items[i]));
        if (begins(plan.items[i].path, "/state/"))
            cost->checkpoints += bytes;
        else if (begins(plan.items[i].path, "/snapshots/"))
            cost->snapshots += bytes;
        else if (begins(plan.items[i].path, "/record/"))
            cost->record += bytes;
        else
            cost->results += bytes;
    }
    ww_plan_free(&plan);
    WW_TRY(status);
    const bool has_replicas = layout->replicas > 1;
    if (!has_replicas)
        cost->checkpoint = ww_store_unit_values(layout) * layout->width * (int64_t)WW_VALUE_BYTES;
    int64_t row_values = 1; // the step
    for (size_t i = 0; i < layout->trajectory_count; i++)
        row_values += ww_field_size(&layout->trajectory[i]);
    if (has_replicas)
        row_values = ww_store_replica_words(layout);
    // Rows are kept twice while their room grows and while they are put in order to be written.
    const int64_t rows = 2 * pending_rows * row_values * (int64_t)WW_VALUE_BYTES;
    cost->memory = rows + (has_replicas ? 0 : weights_room(layout, tiling));
    return WW_OK;
}
