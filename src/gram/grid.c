#include "widthwise/block_matrix.h"

#include "gram/scalapack.h"
#include "widthwise/memory.h"

#include <stdlib.h>

void ww_grid_shape(int ranks, int *rows, int *columns)
{
    WW_ASSERT(ranks >= 1);
    int64_t most = 0;
    for (int64_t r = 1; r * r <= ranks; r++) {
        const int64_t along = ranks / r;
        const int64_t c = along < 4 * r ? along : 4 * r;
        if (r * c < most)
            continue;
        most = r * c; // of equal ones the last is the most square
        *rows = (int)r;
        *columns = (int)c;
    }
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
    grid->rows = rows;
    grid->columns = columns;
    grid->system = Csys2blacs_handle(parallel->communicator);
    grid->context = grid->system;
    Cblacs_gridmap(&grid->context, ranks, rows, rows, columns);
    free(ranks);
    if (parallel->rank < places) {
        grid->row = parallel->rank / columns;
        grid->column = parallel->rank % columns;
    }
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
