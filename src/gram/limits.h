/// What fits the 32-bit counts of ScaLAPACK.
#ifndef WIDTHWISE_GRAM_LIMITS_H
#define WIDTHWISE_GRAM_LIMITS_H

#include "widthwise/error.h"

#include <stdint.h>

/// Refuses with WW_USAGE when `parts` times the largest local part of a matrix [rows, columns] on a
/// grid of `grid_rows` x `grid_columns`, plus `more` entries, is beyond what an int holds. The
/// sentence names `what`, and how many ranks would do.
ww_status ww_limit_entries(int64_t rows, int64_t columns, int64_t block, int grid_rows,
                           int grid_columns, int64_t parts, int64_t more, const char *what,
                           ww_error *error);

#endif
