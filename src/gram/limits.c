#include "gram/limits.h"

#include "widthwise/block_matrix.h"

#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>

static int64_t saturated_product(int64_t a, int64_t b)
{
    int64_t product = 0;
    return __builtin_mul_overflow(a, b, &product) ? INT64_MAX : product;
}

/// Entries that the rank with the largest part has to count.
static int64_t most_entries(int64_t rows, int64_t columns, int64_t block, int grid_rows,
                            int grid_columns, int64_t parts, int64_t more)
{
    const int64_t local = saturated_product(ww_block_share(rows, block, 0, grid_rows),
                                            ww_block_share(columns, block, 0, grid_columns));
    const int64_t all = saturated_product(local, parts);
    return all > INT64_MAX - more ? INT64_MAX : all + more;
}

static bool fits_on(int64_t rows, int64_t columns, int64_t block, int ranks, int64_t parts,
                    int64_t more)
{
    int grid_rows = 0, grid_columns = 0;
    ww_grid_shape(ranks, &grid_rows, &grid_columns);
    return most_entries(rows, columns, block, grid_rows, grid_columns, parts, more) <= INT_MAX;
}

/// Fewest ranks on which it fits, or 0.
static int ranks_needed(int64_t rows, int64_t columns, int64_t block, int64_t parts, int64_t more)
{
    if (more >= INT_MAX)
        return 0;
    const double entries = (double)rows * (double)columns * (double)parts;
    const double quotient = entries / (double)(INT_MAX - more);
    if (!(quotient < 1e7))
        return 0;
    // Grids leave ranks over, and blocks do not divide evenly: a few more than the quotient.
    const int first = quotient > 1.0 ? (int)quotient : 1;
    for (int ranks = first; ranks < first + 1000; ranks++)
        if (fits_on(rows, columns, block, ranks, parts, more))
            return ranks;
    return 0;
}

ww_status ww_limit_entries(int64_t rows, int64_t columns, int64_t block, int grid_rows,
                           int grid_columns, int64_t parts, int64_t more, const char *what,
                           ww_error *error)
{
    const int64_t entries =
        most_entries(rows, columns, block, grid_rows, grid_columns, parts, more);
    if (entries <= INT_MAX)
        return WW_OK;
    const int ranks = ranks_needed(rows, columns, block, parts, more);
    if (ranks == 0)
        return ww_fail(error, WW_USAGE,
                       "%s of %" PRId64 " x %" PRId64 " has more entries on a rank than ScaLAPACK "
                       "counts (%d), on any number of ranks: use fewer samples",
                       what, rows, columns, INT_MAX);
    return ww_fail(error, WW_USAGE,
                   "%s of %" PRId64 " x %" PRId64 " has %" PRId64 " entries on one rank of a grid "
                   "of %d x %d, more than ScaLAPACK counts (%d): use %d ranks or more, or fewer "
                   "samples",
                   what, rows, columns, entries, grid_rows, grid_columns, INT_MAX, ranks);
}
