// widthwise list.

#include "app/app.h"
#include "app/members.h"
#include "app/options.h"
#include "widthwise/config.h"
#include "widthwise/data.h"
#include "widthwise/measure.h"
#include "widthwise/text.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    void (*print)(FILE *stream);
} lists[] = {
    {"quantities", ww_measure_print_quantities},
    {"results", ww_measure_print_results},
    {"keys", ww_config_print_keys},
    {"models", ww_config_print_models},
    {"sources", ww_data_print_sources},
};
enum { LIST_COUNT = sizeof lists / sizeof lists[0] };

ww_status ww_app_list(const ww_parallel *parallel, int count, char **words, ww_error *error)
{
    if (count > 0 && strcmp(words[0], "members") == 0)
        return ww_app_list_members(parallel, count, words, error);
    const char *operands[1] = {NULL};
    WW_TRY(ww_options_parse("list", NULL, 0, count, words, operands, 1, error));
    if (operands[0] == NULL)
        return ww_fail(error, WW_USAGE,
                       "list wants what to list: quantities, results, keys, models, sources or "
                       "members");
    const char *names[LIST_COUNT + 1] = {"members"};
    for (size_t i = 0; i < LIST_COUNT; i++) {
        names[i + 1] = lists[i].name;
        if (strcmp(operands[0], lists[i].name) == 0) {
            if (parallel->rank == 0)
                lists[i].print(stdout);
            return WW_OK;
        }
    }
    const char *nearest = ww_nearest(operands[0], names, LIST_COUNT + 1);
    return ww_fail(error, WW_USAGE,
                   "list: `%s` is not one of quantities, results, keys, models, "
                   "sources, members%s%s%s",
                   operands[0], nearest != NULL ? "; did you mean `" : "",
                   nearest != NULL ? nearest : "", nearest != NULL ? "`?" : "");
}
