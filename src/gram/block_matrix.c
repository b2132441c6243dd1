#include "widthwise/block_matrix.h"

#include "gram/limits.h"
#include "widthwise/memory.h"

#include <stdlib.h>

int64_t ww_block_share(int64_t count, int64_t block, int place, int places)
{
    WW_ASSERT(count >= 0 && place >= 0 && place < places);
    const int64_t whole = count / block; // blocks that are full
    int64_t share = whole / places * block;
    const int64_t extra = whole % places;
    if (place < extra)
        share += block;
    else if (place == extra)
        share += count % block;
    return share;
}

int64_t ww_block_entries(const ww_grid *grid, int64_t rows, int64_t columns, int64_t block)
{
    return ww_grid_has_place(grid) ? ww_block_share(rows, block, grid->row, grid->rows) *
                                         ww_block_share(columns, block, grid->column, grid->columns)
                                   : 0;
}

ww_status ww_block_matrix_describe(const ww_grid *grid, int64_t rows, int64_t columns,
                                   int64_t block, ww_block_matrix *matrix, ww_error *error)
{
    WW_ASSERT(rows >= 1 && columns >= 1 && block >= 1);
    *matrix = (ww_block_matrix){
        .grid = grid, .rows = rows, .columns = columns, .block = block, .leading = 1};
    int ignored = 0;
    WW_TRY(ww_to_int(rows, "the rows of a distributed matrix", &ignored, error));
    WW_TRY(ww_to_int(columns, "the columns of a distributed matrix", &ignored, error));
    WW_TRY(ww_to_int(block, "the block size of a distributed matrix", &ignored, error));
    WW_TRY(ww_limit_entries(rows, columns, block, grid->rows, grid->columns, 1, 0,
                            "a distributed matrix", error));
    if (ww_grid_has_place(grid)) {
        matrix->local_rows = ww_block_share(rows, block, grid->row, grid->rows);
        matrix->local_columns = ww_block_share(columns, block, grid->column, grid->columns);
        matrix->leading = matrix->local_rows > 1 ? matrix->local_rows : 1;
    }
    const int descriptor[9] = {1, // dense
                               grid->context,
                               (int)rows,
                               (int)columns,
                               (int)block,
                               (int)block,
                               0, // the first block lies at place (0, 0)
                               0,
                               ww_int(matrix->leading)};
    for (int i = 0; i < 9; i++)
        matrix->descriptor[i] = descriptor[i];
    return WW_OK;
}

ww_status ww_block_matrix_create(const ww_grid *grid, int64_t rows, int64_t columns, int64_t block,
                                 ww_block_matrix *matrix, ww_error *error)
{
    WW_TRY(ww_block_matrix_describe(grid, rows, columns, block, matrix, error));
    matrix->entries = ww_allocate((size_t)(matrix->leading * matrix->local_columns), sizeof(double),
                                  "a distributed matrix", error);
    const ww_status status =
        ww_agree(&grid->parallel, matrix->entries == NULL ? WW_FAILED : WW_OK, error);
    if (status != WW_OK)
        ww_block_matrix_free(matrix);
    return status;
}

void ww_block_matrix_free(ww_block_matrix *matrix)
{
    free(matrix->entries);
    *matrix = (ww_block_matrix){0};
}

static int64_t global_index(int64_t local, int64_t block, int place, int places)
{
    return (local / block * places + place) * block + local % block;
}

static int64_t local_index(int64_t global, int64_t block, int places)
{
    return global / block / places * block + global % block;
}

static bool owns(int64_t global, int64_t block, int place, int places)
{
    return place >= 0 && global / block % places == place;
}

int64_t ww_block_global_row(const ww_block_matrix *matrix, int64_t local_row)
{
    return global_index(local_row, matrix->block, matrix->grid->row, matrix->grid->rows);
}

int64_t ww_block_global_column(const ww_block_matrix *matrix, int64_t local_column)
{
    return global_index(local_column, matrix->block, matrix->grid->column, matrix->grid->columns);
}

int64_t ww_block_local_row(const ww_block_matrix *matrix, int64_t row)
{
    return local_index(row, matrix->block, matrix->grid->rows);
}

int64_t ww_block_local_column(const ww_block_matrix *matrix, int64_t column)
{
    return local_index(column, matrix->block, matrix->grid->columns);
}

bool ww_block_owns_row(const ww_block_matrix *matrix, int64_t row)
{
    return owns(row, matrix->block, matrix->grid->row, matrix->grid->rows);
}

bool ww_block_owns_column(const ww_block_matrix *matrix, int64_t column)
{
    return owns(column, matrix->block, matrix->grid->column, matrix->grid->columns);
}

// The local rows before global index `row` are the share of a matrix with that many rows.
int64_t ww_block_local_row_from(const ww_block_matrix *matrix, int64_t row)
{
    return ww_grid_has_place(matrix->grid)
               ? ww_block_share(row, matrix->block, matrix->grid->row, matrix->grid->rows)
               : 0;
}

int64_t ww_block_local_column_from(const ww_block_matrix *matrix, int64_t column)
{
    return ww_grid_has_place(matrix->grid)
               ? ww_block_share(column, matrix->block, matrix->grid->column, matrix->grid->columns)
               : 0;
}
