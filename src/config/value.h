/// Values of keys: from a YAML node into a configuration, and back to YAML text.
#ifndef WIDTHWISE_CONFIG_VALUE_H
#define WIDTHWISE_CONFIG_VALUE_H

#include "config/document.h"
#include "config/keys.h"

#include <stdbool.h>
#include <stdio.h>

/// Reads what is given for `key` into `config`. Relative paths are taken from the absolute
/// `folder`. WW_USAGE with place, key, what is wanted and what was found. What was read up to an
/// error is in `config` and freed by ww_value_free.
ww_status ww_value_read(const ww_key *key, const ww_given *given, const char *folder,
                        ww_config *config, ww_error *error);
/// Frees the value of `key` in `config`, which becomes zeroes.
void ww_value_free(const ww_key *key, ww_config *config);

/// Writes the value of `key` as YAML in flow style, ASCII. Reads back to the same value.
void ww_value_print(const ww_key *key, const ww_config *config, FILE *stream);
bool ww_value_equal(const ww_key *key, const ww_config *a, const ww_config *b);

/// What `key` wants, for "must be ..." and the reference: "an integer of at least 1 (hidden
/// units)".
void ww_value_describe(const ww_key *key, char *buffer, size_t size);

/// An integer in YAML's decimal notation, "1000" or "1e3"; false for any other text. `*in_range` is
/// false where it does not fit.
bool ww_scan_integer(const char *text, int64_t *value, bool *in_range);
/// A finite number; false for any other text, inf, nan, hexadecimal and spaces included.
bool ww_scan_real(const char *text, double *value, bool *in_range);

/// Reads one character of UTF-8 and moves on; -1 where the bytes are no UTF-8.
int32_t ww_next_character(const char **text);

#endif
