/// Small helpers on words and paths.
#ifndef WIDTHWISE_TEXT_H
#define WIDTHWISE_TEXT_H

#include "widthwise/error.h"

#include <stddef.h>
#include <stdint.h>

/// The candidate nearest to `word` (edit distance, transpositions count one), or NULL when none is
/// near enough to be worth suggesting. For "did you mean" in messages.
const char *ww_nearest(const char *word, const char *const *candidates, size_t count);

/// A number of bytes in words, e.g. "1.5 GB" (powers of 1000), into `text` [size].
void ww_bytes_text(double bytes, char *text, size_t size);

/// Ranks and, where each has several, their threads in words, e.g. "4 ranks of 3 threads".
void ww_ranks_text(int64_t ranks, int64_t threads, char *text, size_t size);

/// Folder of a path, "." where it names none. Free with free(); NULL when memory is short.
char *ww_folder_of(const char *path, ww_error *error);

/// Writes a number with so many significant digits into `text` [size]; a whole number below 10^15,
/// such as a count, with all its digits. Pure.
void ww_number_text(double value, int digits, char *text, size_t size);

#endif
