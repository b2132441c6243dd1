/// Command lines: `--name value`, `--name=value`, `-o value`, flags and operands. An option whose
/// value may be missing takes one only as `--name=value`.
#ifndef WIDTHWISE_APP_OPTIONS_H
#define WIDTHWISE_APP_OPTIONS_H

#include "widthwise/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// What an option takes and where it is put.
typedef struct ww_option {
    const char *name;       ///< "--output"
    const char *short_name; ///< "-o" or NULL
    enum {
        WW_OPTION_FLAG,
        WW_OPTION_TEXT,
        WW_OPTION_MAYBE_TEXT, ///< "" where it is given without a value
        WW_OPTION_INTEGER,
        WW_OPTION_GIGABYTES,
        WW_OPTION_MAYBE_SECONDS, ///< 0 where it is given without a value
        WW_OPTION_TEXTS
    } kind;
    void *target; ///< bool *, const char ** of texts, int64_t * (>= 0), double * (> 0), or
                  ///< ww_option_texts *
} ww_option;

/// Values of an option that may be given several times. Borrowed texts; free `texts`.
typedef struct ww_option_texts {
    const char **texts;
    size_t count;
} ww_option_texts;

/// Puts the options among `words` into their targets and the rest into `operands` [most_operands].
/// WW_USAGE names an unknown option (with the nearest), a missing or wrong value, or one operand
/// too many. `command` names the subcommand in messages.
ww_status ww_options_parse(const char *command, const ww_option *options, size_t option_count,
                           int count, char **words, const char **operands, size_t most_operands,
                           ww_error *error);

/// The command line in one text, for the record. Free with free(); NULL when memory is short.
char *ww_command_text(const char *command, int count, char **words, ww_error *error);

#endif
