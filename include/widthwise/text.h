/// Small helpers on words and paths.
#ifndef WIDTHWISE_TEXT_H
#define WIDTHWISE_TEXT_H

#include "widthwise/error.h"

#include <stddef.h>

/// The candidate nearest to `word` (edit distance, transpositions count one), or NULL when none is
/// near enough to be worth suggesting. For "did you mean" in messages.
const char *ww_nearest(const char *word, const char *const *candidates, size_t count);

/// Folder of a path, "." where it names none. Free with free(); NULL when memory is short.
char *ww_folder_of(const char *path, ww_error *error);

#endif
