#include "gram/blocks.h"

#include "gram/directions.h"

#include <stddef.h>

int64_t ww_part_rows(const ww_block_matrix *matrix, int64_t first, int64_t *indices)
{
    int64_t count = 0;
    for (; count < WW_CHUNK && first + count < matrix->local_rows; count++)
        indices[count] = ww_block_global_row(matrix, first + count);
    return count;
}

int64_t ww_part_columns(const ww_block_matrix *matrix, int64_t first, int64_t *indices)
{
    int64_t count = 0;
    for (; count < WW_CHUNK && first + count < matrix->local_columns; count++)
        indices[count] = ww_block_global_column(matrix, first + count);
    return count;
}

bool ww_part_is_above(const ww_block_matrix *matrix, const ww_part *part)
{
    return ww_block_global_row(matrix, part->first_row + part->rows - 1) <
           ww_block_global_column(matrix, part->first_column);
}

// First row of a part that is on the diagonal or below, and where the column's entries begin.
static int64_t column_of(ww_block_matrix *matrix, const ww_part *part, int64_t column,
                         double **entries)
{
    const int64_t place = part->first_column + column;
    const int64_t from =
        ww_block_local_row_from(matrix, ww_block_global_column(matrix, place)) - part->first_row;
    *entries = matrix->entries + place * matrix->leading + part->first_row;
    return from > 0 ? from : 0;
}

void ww_part_column_set(ww_block_matrix *matrix, const ww_part *part, int64_t column,
                        const double *values)
{
    double *entries = NULL;
    for (int64_t i = column_of(matrix, part, column, &entries); i < part->rows; i++)
        entries[i] = values[i];
}

void ww_part_column_subtract(ww_block_matrix *matrix, const ww_part *part, int64_t column,
                             const double *values)
{
    double *entries = NULL;
    for (int64_t i = column_of(matrix, part, column, &entries); i < part->rows; i++)
        entries[i] -= values[i];
}
