#include "widthwise/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

ww_status ww_fail(ww_error *error, ww_status status, const char *format, ...)
{
    WW_ASSERT(status != WW_OK);
    if (error != NULL) {
        va_list arguments;
        va_start(arguments, format);
        error->status = status;
        (void)vsnprintf(error->message, sizeof error->message, format, arguments);
        va_end(arguments);
    }
    return status;
}

void ww_error_prefix(ww_error *error, const char *format, ...)
{
    if (error == NULL)
        return;
    char prefix[WW_MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(prefix, sizeof prefix, format, arguments);
    va_end(arguments);
    if (length < 0 || length >= WW_MESSAGE_SIZE)
        return;
    const size_t start = (size_t)length;
    size_t kept = strlen(error->message);
    if (kept > sizeof error->message - 1 - start)
        kept = sizeof error->message - 1 - start;
    memmove(error->message + start, error->message, kept);
    memcpy(error->message, prefix, start);
    error->message[start + kept] = '\0';
}

void ww_abort(const char *file, int line, const char *condition)
{
    fprintf(stderr,
            "widthwise: internal error at %s:%d: `%s` does not hold; this is a bug in Widthwise, "
            "please report it with the configuration\n",
            file, line, condition);
    abort(); // under mpirun an aborted rank ends the whole job
}
