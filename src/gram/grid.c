#include "widthwise/block_matrix.h"

#include "gram/scalapack.h"
#include "widthwise/memory.h"

#include <limits.h>
#include <stdlib.h>

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void ww_grid_shape_within(int ranks, int64_t longest, int *rows, int *columns)
{
    WW_ASSERT(ranks >= 1 && longest >= 1);
    int64_t most = 0;
    for (int64_t r = 1; r * r <= ranks && r <= longest; r++) {
        const int64_t c = least(ranks / r, least(4 * r, longest));
        if (r * c < most)
            continue;
        most = r * c; // of equal ones the last is the most square
        *rows = (int)r;
        *columns = (int)c;
    }
}

void ww_grid_shape(int ranks, int *rows, int *columns)
{
    ww_grid_shape_within(ranks, INT_MAX, rows, columns);
}

ww_grid ww_grid_describe(const ww_parallel *parallel, int rows, int columns)
{
    const bool has_place = parallel->rank < (int64_t)rows * columns;
    return (ww_grid){.parallel = *parallel,
                     .context = -1,
                     .rows = rows,
                     .columns = columns,
                     .row = has_place ? parallel->rank / columns : -1,
                     .column = has_place ? parallel->rank % columns : -1};
}

bool ww_grid_has_place(const ww_grid *grid)
{
    return grid->row >= 0;
}

ww_status ww_grid_create(const ww_parallel *parallel, int rows, int columns, ww_grid *grid,
                         ww_error *error)
{
    *grid = (ww_grid){.parallel = *parallel, .context = -1, .row = -1, .column = -1};
    if (rows == 0 && columns == 0)
        ww_grid_shape(parallel->size, &rows, &columns);
    if (rows < 1 || columns < 1 || (int64_t)rows * columns > parallel->size)
        return ww_fail(error, WW_USAGE,
                       "a process grid of %d x %d does not fit on %d ranks: its rows and columns "
                       "have to be at least 1, and their product at most the number of ranks",
                       rows, columns, parallel->size);
    const int places = rows * columns;
    int *ranks = ww_allocate((size_t)places, sizeof *ranks, "a process grid", error);
    WW_TRY(ww_agree(parallel, ranks == NULL ? WW_FAILED : WW_OK, error));
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++)
            ranks[j * rows + i] = i * columns + j;
    *grid = ww_grid_describe(parallel, rows, columns);
    grid->system = Csys2blacs_handle(parallel->communicator);
    grid->context = grid->system;
    Cblacs_gridmap(&grid->context, ranks, rows, rows, columns);
    free(ranks);
    return WW_OK;
}

void ww_grid_free(ww_grid *grid)
{
    if (grid->rows == 0)
        return;
    if (ww_grid_has_place(grid))
        Cblacs_gridexit(grid->context);
    Cfree_blacs_system_handle(grid->system);
    *grid = (ww_grid){.context = -1, .row = -1, .column = -1};
}
