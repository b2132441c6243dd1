// How many ranks the work on the Gram matrix needs, and how many are of use.
#include "widthwise/gram_ranks.h"

#include "gram/directions.h"
#include "gram/eigensolvers.h"

#include <limits.h>
#include <stdio.h>

// Numbers of ranks that are looked at, and how many in a row have to do: grids leave ranks over,
// and blocks do not divide evenly.
enum { MOST_RANKS = 1 << 24, IN_A_ROW = 16 };

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t product(int64_t a, int64_t b)
{
    int64_t all = 0;
    return __builtin_mul_overflow(a, b, &all) ? INT64_MAX : all;
}

static bool has_grid(const ww_config *config)
{
    return config->gram.grid.count == 2;
}

static int64_t places_asked(const ww_config *config)
{
    return config->gram.grid.values[0] * config->gram.grid.values[1];
}

static int64_t block_of(const ww_config *config, int64_t samples)
{
    return config->gram.block < samples ? config->gram.block : samples;
}

static void choose_shape(const ww_config *config, int64_t samples, int ranks, int *rows,
                         int *columns)
{
    const bool is_elpa = config->gram.spectrum != WW_GRAM_SPECTRUM_NONE &&
                         config->gram.solver == WW_EIGENSOLVER_ELPA;
    ww_grid_shape_within(ranks, is_elpa ? samples / block_of(config, samples) : INT_MAX, rows,
                         columns);
}

static ww_status refuse_grid(const ww_config *config, int ranks, ww_error *error)
{
    char where[512];
    ww_config_where(config, "gram.grid", where, sizeof where);
    return ww_fail(error, WW_USAGE,
                   "%s: a grid of %lld x %lld does not fit on %d rank%s; take a smaller one, or "
                   "%lld ranks or more",
                   where, (long long)config->gram.grid.values[0],
                   (long long)config->gram.grid.values[1], ranks, ranks == 1 ? "" : "s",
                   (long long)places_asked(config));
}

ww_status ww_gram_grid_create(const ww_config *config, int64_t samples, const ww_parallel *parallel,
                              ww_grid *grid, ww_error *error)
{
    *grid = (ww_grid){.context = -1, .row = -1, .column = -1};
    if (has_grid(config) && places_asked(config) > parallel->size)
        return refuse_grid(config, parallel->size, error);
    const ww_grid shape = ww_gram_grid_describe(config, samples, parallel);
    return ww_grid_create(parallel, shape.rows, shape.columns, grid, error);
}

ww_grid ww_gram_grid_describe(const ww_config *config, int64_t samples, const ww_parallel *parallel)
{
    int rows = 0;
    int columns = 0;
    if (has_grid(config) && places_asked(config) <= parallel->size) {
        rows = (int)config->gram.grid.values[0];
        columns = (int)config->gram.grid.values[1];
    } else {
        choose_shape(config, samples, parallel->size, &rows, &columns);
    }
    return ww_grid_describe(parallel, rows, columns);
}

// What the rank with the most has of a piece.
typedef struct piece {
    const char *what;
    int64_t entries;
} piece;

static void take_larger(piece *largest, const char *what, int64_t entries)
{
    if (entries > largest->entries)
        *largest = (piece){.what = what, .entries = entries};
}

static int64_t solver_entries(const ww_gram_plan *plan, const ww_config *config,
                              const ww_grid *grid)
{
    const ww_block_matrix matrix = {
        .grid = grid, .rows = plan->samples, .columns = plan->samples, .block = plan->block};
    const ww_eigensolver_functions *solver = ww_eigensolver_find(config->gram.solver);
    if (solver == NULL)
        solver = ww_eigensolver_find(WW_EIGENSOLVER_SCALAPACK);
    int64_t work = 0;
    int64_t integers = 0;
    solver->sizes(&matrix, plan->has_vectors, &work, &integers);
    return larger(work, integers);
}

// The largest piece: all have to stay below 2^31 entries.
static piece largest_piece(const ww_gram_plan *plan, const ww_config *config, const ww_grid *grid)
{
    const int64_t n = plan->samples;
    int64_t columns = 0;
    for (int set = 0; set < WW_LABEL_SETS; set++)
        columns += plan->has_set[set] ? plan->outputs : 0;
    piece largest = {.what = "a vector", .entries = n};
    // Cholesky's factorisation, and beside it the right sides.
    take_larger(&largest, "its part of the matrix", ww_block_entries(grid, n, n, WW_SOLVE_BLOCK));
    take_larger(&largest, "its part of the labels",
                ww_block_entries(grid, n, larger(columns, 1), WW_SOLVE_BLOCK));
    if (plan->has_network)
        take_larger(&largest, "its part of the matrix", ww_block_entries(grid, n, n, WW_BLOCK));
    if (plan->has_spectrum) {
        take_larger(&largest, "its part of the matrix", ww_block_entries(grid, n, n, plan->block));
        take_larger(&largest, "the room of the eigensolver", solver_entries(plan, config, grid));
    }
    if (plan->has_vectors && config->gram.eigenvectors) {
        int64_t first = 0;
        int64_t count = 0;
        // The last rank has a whole slab: slabs are in reverse order.
        ww_spectrum_slab(n, grid->parallel.size - 1, grid->parallel.size, &first, &count);
        take_larger(&largest, "its part of the eigenvectors in the file", product(count, n));
    }
    return largest;
}

static piece largest_on(const ww_gram_plan *plan, const ww_config *config, int ranks)
{
    const ww_parallel first = {.communicator = MPI_COMM_NULL, .rank = 0, .size = ranks};
    const ww_grid grid = ww_gram_grid_describe(config, plan->samples, &first);
    return largest_piece(plan, config, &grid);
}

// Whether ELPA has a block for each rank of a grid that was asked for.
static bool has_blocks(const ww_gram_plan *plan, const ww_config *config)
{
    if (!plan->has_spectrum || config->gram.solver != WW_EIGENSOLVER_ELPA || !has_grid(config))
        return true;
    const int64_t blocks = plan->samples / plan->block;
    return larger(config->gram.grid.values[0], config->gram.grid.values[1]) <= blocks;
}

static bool fits(const ww_gram_plan *plan, const ww_config *config, int ranks)
{
    return (!has_grid(config) || places_asked(config) <= ranks) && has_blocks(plan, config) &&
           largest_on(plan, config, ranks).entries <= INT_MAX;
}

int ww_gram_least_ranks(const ww_gram_plan *plan, const ww_config *config)
{
    int high = 1;
    while (!fits(plan, config, high)) {
        if (high >= MOST_RANKS)
            return 0;
        high *= 2;
    }
    int low = high / 2 + 1;
    while (low < high) {
        const int middle = low + (high - low) / 2;
        if (fits(plan, config, middle))
            high = middle;
        else
            low = middle + 1;
    }
    for (int ranks = high; ranks < high + IN_A_ROW; ranks++)
        if (!fits(plan, config, ranks))
            high = ranks + 1;
    return high;
}

int64_t ww_gram_most_ranks(const ww_gram_plan *plan, const ww_config *config)
{
    if (has_grid(config))
        return places_asked(config);
    const int64_t side =
        plan->has_spectrum && plan->block > WW_CHUNK ? plan->block : (int64_t)WW_CHUNK;
    const int64_t parts = (plan->samples + side - 1) / side;
    return product(parts, parts);
}

// The same without gram.grid.
static int least_ranks_of_any_grid(const ww_gram_plan *plan, const ww_config *config)
{
    ww_config free_grid = *config; // borrows all that the other one points to
    free_grid.gram.grid.count = 0;
    return ww_gram_least_ranks(plan, &free_grid);
}

ww_status ww_gram_limits(const ww_gram_plan *plan, const ww_config *config, int ranks,
                         ww_error *error)
{
    char where[512];
    char remedy[640];
    if (has_grid(config) && places_asked(config) > ranks)
        return refuse_grid(config, ranks, error);
    if (!has_blocks(plan, config)) {
        ww_config_where(config, "gram.grid", where, sizeof where);
        return ww_fail(error, WW_USAGE,
                       "%s: ELPA needs a block of the matrix on each rank, but %lld samples have "
                       "only %lld blocks of %lld along each side of the grid; take a smaller grid, "
                       "smaller blocks (gram.block), or scalapack",
                       where, (long long)plan->samples, (long long)(plan->samples / plan->block),
                       (long long)plan->block);
    }
    const piece largest = largest_on(plan, config, ranks);
    if (largest.entries <= INT_MAX)
        return WW_OK;
    const int asked = ww_gram_least_ranks(plan, config);
    const int any = least_ranks_of_any_grid(plan, config);
    if (asked > 0) {
        (void)snprintf(remedy, sizeof remedy, "it takes %d ranks or more", asked);
    } else if (any > 0) {
        ww_config_where(config, "gram.grid", where, sizeof where);
        (void)snprintf(remedy, sizeof remedy, "it takes %d ranks or more, without %s", any, where);
    } else {
        (void)snprintf(remedy, sizeof remedy, "no number of ranks would do: use fewer samples");
    }
    return ww_fail(
        error, WW_USAGE,
        "the Gram matrix of %lld samples cannot be worked on by %d rank%s: %s would have "
        "%lld entries on one, and ScaLAPACK counts %d; %s",
        (long long)plan->samples, ranks, ranks == 1 ? "" : "s", largest.what,
        (long long)largest.entries, INT_MAX, remedy);
}

ww_status ww_gram_worst_case_limits(const ww_config *config, const ww_dataset *shape, int ranks,
                                    ww_error *error)
{
    const ww_gram_plan plan = {
        .samples = shape->train.count, .outputs = 1, .block = block_of(config, shape->train.count)};
    return ww_gram_limits(&plan, config, ranks, error);
}
