// widthwise verify.

#include "app/app.h"
#include "app/options.h"
#include "widthwise/store.h"

#include <stdio.h>

ww_status ww_app_verify(const ww_parallel *parallel, int count, char **words, ww_error *error)
{
    const char *operands[1] = {NULL};
    ww_status status = ww_options_parse("verify", NULL, 0, count, words, operands, 1, error);
    if (status == WW_OK && operands[0] == NULL)
        status = ww_fail(error, WW_USAGE, "verify wants the file to check: widthwise verify FILE");
    WW_TRY(ww_agree(parallel, status, error));
    bool recovered = false;
    WW_TRY(ww_store_recover(operands[0], parallel, &recovered, error));
    if (recovered)
        printf("%s: a change of its structure that was cut short has been undone\n", operands[0]);
    status = ww_store_verify(operands[0], parallel, parallel->rank == 0 ? stdout : NULL, error);
    if (parallel->rank == 0 && status == WW_OK)
        printf("%s: good\n", operands[0]);
    else if (parallel->rank == 0 && status == WW_STOPPED)
        printf("%s\n", error->message);
    return status;
}
