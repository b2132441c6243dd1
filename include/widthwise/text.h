/// Small helpers on words, for messages.
#ifndef WIDTHWISE_TEXT_H
#define WIDTHWISE_TEXT_H

#include <stddef.h>

/// The candidate nearest to `word` (edit distance, transpositions count one), or NULL when none is
/// near enough to be worth suggesting. For "did you mean" in messages.
const char *ww_nearest(const char *word, const char *const *candidates, size_t count);

#endif
