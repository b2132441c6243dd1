/// Single numbers of a member, for a look at it without its weights.

#include "store/hdf5_tools.h"
#include "store/member.h"
#include "store/members.h"

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
        visit(context, group, last_part(array->path), value);
    }
    return WW_OK;
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
        if (status == WW_OK && page.final_valid)
            status = visit_list(&member.final, "final", 0, 0, visit, context, error);
        if (status == WW_OK && page.theory_valid)
            status = visit_list(&member.theory, "theory", 0, 0, visit, context, error);
        if (status == WW_OK && page.gram_valid)
            status = visit_list(&member.gram, "gram", 0, 0, visit, context, error);
    }
    ww_member_close(&member);
    ww_file_close(&file);
    return status;
}
