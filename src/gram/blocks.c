#include "gram/blocks.h"

#include "gram/directions.h"

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

void ww_part_column_update(ww_block_matrix *matrix, const ww_part *part, int64_t column,
                           double scale, double keep, const double *values)
{
    const int64_t place = part->first_column + column;
    const int64_t from =
        ww_block_local_row_from(matrix, ww_block_global_column(matrix, place)) - part->first_row;
    double *entries = matrix->entries + place * matrix->leading + part->first_row;
    int64_t i = from > 0 ? from : 0;
    if (keep == 0.0) { // may be anything, not a number included
        for (; i < part->rows; i++)
            entries[i] = scale * values[i];
        return;
    }
    for (; i < part->rows; i++)
        entries[i] = keep * entries[i] + scale * values[i];
}
