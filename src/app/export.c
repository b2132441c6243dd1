// widthwise export.

#include "app/app.h"
#include "app/options.h"
#include "widthwise/memory.h"
#include "widthwise/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// "figure1-export.h5" of "figure1.h5".
static char *default_name(const char *path, ww_error *error)
{
    static const char ending[] = ".h5";
    size_t length = strlen(path);
    if (length > sizeof ending - 1 && strcmp(path + length - (sizeof ending - 1), ending) == 0)
        length -= sizeof ending - 1;
    return ww_format(error, "%.*s-export.h5", (int)length, path);
}

static ww_status export_file(const char *path, const char *output, bool force,
                             const ww_export_choice *choice, ww_error *error)
{
    WW_ASSERT(path != NULL);
    char *name = output == NULL ? default_name(path, error) : ww_copy_text(output, error);
    if (name == NULL)
        return WW_FAILED;
    const ww_status status = ww_store_export(path, name, force, choice, stdout, error);
    if (status == WW_OK)
        printf("%s: exported to %s\n", path, name);
    free(name);
    return status;
}

ww_status ww_app_export(const ww_parallel *parallel, int count, char **words, ww_error *error)
{
    const char *operands[1] = {NULL};
    const char *output = NULL;
    bool force = false;
    ww_export_choice choice = {0};
    const ww_option options[] = {{"--output", "-o", WW_OPTION_TEXT, &output},
                                 {"--weights", NULL, WW_OPTION_FLAG, &choice.weights},
                                 {"--record", NULL, WW_OPTION_FLAG, &choice.record},
                                 {"--force", NULL, WW_OPTION_FLAG, &force}};
    ww_status status = ww_options_parse("export", options, sizeof options / sizeof options[0],
                                        count, words, operands, 1, error);
    if (status == WW_OK && operands[0] == NULL)
        status = ww_fail(error, WW_USAGE, "export wants the file to copy: widthwise export FILE");
    WW_TRY(ww_agree(parallel, status, error));
    bool recovered = false; // what is half changed cannot be read
    WW_TRY(ww_store_recover(operands[0], parallel, &recovered, error));
    if (parallel->rank == 0)
        status = export_file(operands[0], output, force, &choice, error);
    return ww_agree(parallel, status, error);
}
