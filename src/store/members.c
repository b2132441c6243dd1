#include "store/members.h"

#include "store/hdf5_tools.h"
#include "widthwise/memory.h"

#include <stdlib.h>
#include <string.h>

static int by_number(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a;
    const int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

ww_status ww_members_list(hid_t file, const char *path, int64_t **indices, size_t *count,
                          ww_error *error)
{
    *indices = NULL;
    *count = 0;
    ww_names names = {0};
    WW_TRY(ww_names_read(file, path, "/runs", &names, error));
    int64_t *list = ww_allocate(names.count, sizeof *list, "the list of runs", error);
    for (size_t i = 0; i < names.count && list != NULL; i++) {
        char *end = NULL;
        if (strncmp(names.names[i], "run", 3) == 0) {
            const long long number = strtoll(names.names[i] + 3, &end, 10);
            if (end != names.names[i] + 3 && *end == '\0' && number >= 0)
                list[(*count)++] = number;
        }
    }
    ww_names_free(&names);
    if (list == NULL)
        return WW_FAILED;
    if (*count == 0) {
        free(list);
        return ww_fail(error, WW_FAILED,
                       "%s has no group /runs/runNNNN; it is damaged, restore it from a backup",
                       path);
    }
    qsort(list, *count, sizeof *list, by_number);
    *indices = list;
    return WW_OK;
}
