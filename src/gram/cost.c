// What the work on the Gram matrix takes on a rank, piece by piece as analysis.c has them.
#include "widthwise/gram_ranks.h"

#include <stddef.h>

static const int64_t DOUBLE = sizeof(double);

// What all pieces have in common.
typedef struct pieces {
    const ww_gram_plan *plan;
    const ww_config *config;
    const ww_dataset *shape;
    ww_grid grid;
    ww_gram_cost limit;   // of filling in H
    ww_gram_cost network; // of filling in H(t)
} pieces;

static ww_gram_cost limit_of(const ww_kernel *kernel, const ww_dataset *shape, const ww_grid *grid)
{
    const ww_gram_limit limit = {
        .kernel = kernel, .count = shape->train.count, .dimension = shape->dimension};
    ww_gram_cost cost;
    ww_gram_limit_cost(&limit, grid, &cost.bytes, &cost.flops);
    return cost;
}

static pieces describe(const ww_gram_plan *plan, const ww_config *config, const ww_dataset *shape,
                       const ww_parallel *parallel)
{
    pieces self = {.plan = plan,
                   .config = config,
                   .shape = shape,
                   .grid = ww_gram_grid_describe(config, plan->samples, parallel)};
    self.limit = limit_of(&plan->kernel, shape, &self.grid);
    if (plan->has_network)
        ww_gram_network_cost(plan->samples, shape->dimension, config->network.width, &self.grid,
                             &self.network.bytes, &self.network.flops);
    return self;
}

// A piece that comes after others: the largest counts.
static void add(ww_gram_cost *sum, int64_t bytes, double flops)
{
    sum->bytes = bytes > sum->bytes ? bytes : sum->bytes;
    sum->flops += flops;
}

// A solve with the matrix of `fill`, which is filled in twice.
static void add_solve(ww_gram_cost *sum, const pieces *self, int64_t columns, ww_gram_cost fill)
{
    ww_gram_cost solve;
    ww_gram_solve_cost(self->plan->samples, WW_SOLVE_BLOCK, columns, &self->grid, &solve.bytes,
                       &solve.flops);
    add(sum, solve.bytes + fill.bytes, solve.flops + 2.0 * fill.flops);
}

static void add_spectrum(ww_gram_cost *sum, const pieces *self, ww_gram_cost fill)
{
    const ww_gram_plan *plan = self->plan;
    ww_gram_cost found;
    ww_spectrum_cost(plan->samples, plan->block, self->config->gram.solver, plan->has_vectors,
                     &self->grid, &found.bytes, &found.flops);
    add(sum, found.bytes + fill.bytes, found.flops + (plan->has_vectors ? 2.0 : 1.0) * fill.flops);
}

// Eigenvectors on their way into the file: in blocks and as a slab, and once more as messages.
static void add_slab(ww_gram_cost *sum, const pieces *self)
{
    const ww_gram_plan *plan = self->plan;
    const ww_parallel *parallel = &self->grid.parallel;
    const int64_t n = plan->samples;
    int64_t first = 0;
    int64_t count = 0;
    if (!plan->has_vectors || !self->config->gram.eigenvectors)
        return;
    ww_spectrum_slab(n, parallel->rank, parallel->size, &first, &count);
    add(sum, 2 * (count * n + ww_block_entries(&self->grid, n, n, plan->block)) * DOUBLE, 0.0);
}

// Norms of H(t) - H: both are filled in, and products find the largest eigenvalue.
static void add_difference(ww_gram_cost *sum, const pieces *self)
{
    static const double PRODUCTS = 30.0;
    const int64_t n = self->plan->samples;
    const int64_t entries = ww_block_entries(&self->grid, n, n, WW_BLOCK);
    const int64_t fill =
        self->limit.bytes > self->network.bytes ? self->limit.bytes : self->network.bytes;
    add(sum, entries * DOUBLE + fill,
        self->limit.flops + self->network.flops + PRODUCTS * 2.0 * (double)entries);
}

// Values, solution, outputs at the start and weights of a tile.
static int64_t common_bytes(const pieces *self)
{
    const ww_gram_plan *plan = self->plan;
    const int64_t outputs = plan->samples * plan->outputs;
    const ww_tiling tiling = ww_tiling_make(self->config->network.width, 0, 1);
    const int64_t tile = tiling.tile_units * self->shape->dimension;
    return (plan->values + outputs + (plan->has_network ? outputs + tile : 0)) * DOUBLE;
}

ww_gram_cost ww_gram_work_cost(const ww_gram_plan *plan, const ww_config *config,
                               const ww_dataset *shape, const ww_parallel *parallel)
{
    const pieces self = describe(plan, config, shape, parallel);
    ww_gram_cost sum = {0};
    ww_gram_cost piece;
    int64_t columns = 0;
    for (int set = 0; set < WW_LABEL_SETS; set++)
        columns += plan->has_set[set] && set != WW_LABEL_SET_WORST_CASE ? plan->outputs : 0;
    ww_separation_cost(plan->samples, shape->dimension, parallel->size, &piece.bytes, &piece.flops);
    add(&sum, piece.bytes, piece.flops);
    add_solve(&sum, &self, columns, self.limit);
    ww_kernel_apply_cost(plan->test_samples, plan->samples, shape->dimension, plan->outputs,
                         parallel->size, &piece.bytes, &piece.flops);
    add(&sum, piece.bytes, piece.flops);
    if (plan->has_network)
        add_difference(&sum, &self);
    if (plan->has_spectrum) {
        add_spectrum(&sum, &self, self.limit);
        add_slab(&sum, &self);
        if (plan->has_network)
            add_spectrum(&sum, &self, self.network);
    }
    sum.bytes += common_bytes(&self);
    return sum;
}

ww_gram_cost ww_gram_snapshot_cost(const ww_gram_plan *plan, const ww_config *config,
                                   const ww_dataset *shape, const ww_parallel *parallel)
{
    const pieces self = describe(plan, config, shape, parallel);
    ww_gram_cost sum = {0};
    add_solve(&sum, &self, 0, self.network);
    add_difference(&sum, &self);
    sum.bytes += common_bytes(&self);
    return sum;
}

ww_gram_cost ww_gram_worst_case_cost(const ww_config *config, const ww_dataset *shape,
                                     const ww_parallel *parallel)
{
    const ww_gram_plan plan = {.kernel = {.depth = config->gram.depth},
                               .samples = shape->train.count};
    const pieces self = describe(&plan, config, shape, parallel);
    ww_gram_cost sum = {0};
    add_solve(&sum, &self, 0, self.limit);
    sum.bytes += plan.samples * DOUBLE;
    return sum;
}
