/// Parts of a distributed matrix: some local rows and columns, gone through one after the other.
#ifndef WIDTHWISE_GRAM_BLOCKS_H
#define WIDTHWISE_GRAM_BLOCKS_H

#include "widthwise/block_matrix.h"

#include <stdbool.h>
#include <stdint.h>

/// Local rows and columns of a part, at most WW_CHUNK of each.
typedef struct ww_part {
    int64_t first_row, rows;
    int64_t first_column, columns;
} ww_part;

/// Global indices of at most WW_CHUNK local rows (columns) from `first` on; returns their number.
int64_t ww_part_rows(const ww_block_matrix *matrix, int64_t first, int64_t *indices);
int64_t ww_part_columns(const ww_block_matrix *matrix, int64_t first, int64_t *indices);

/// Whether no entry of a part is on the diagonal or below.
bool ww_part_is_above(const ww_block_matrix *matrix, const ww_part *part);

/// Column `column` of a part, diagonal and below = values [rows]: before, it may be anything, not a
/// number included.
void ww_part_column_set(ww_block_matrix *matrix, const ww_part *part, int64_t column,
                        const double *values);

/// The same -= values [rows].
void ww_part_column_subtract(ww_block_matrix *matrix, const ww_part *part, int64_t column,
                             const double *values);

#endif
