#include "train/sample_products.h"

#include "parallel/workers.h"
#include "widthwise/memory.h"

#include <cblas.h>

// Samples of a tile of K. A tile is a product of its own whoever makes it, so that its bits are
// its own; and only those on and below the diagonal are made.
enum { TILE = 128 };

static const char WHAT[] = "the products of all samples (training.engine: dense takes less)";

// Bytes of K; WW_FAILED: more than there can be.
static ww_status find_bytes(int64_t samples, int64_t *bytes, ww_error *error)
{
    int64_t values = 0;
    WW_TRY(ww_multiply(samples, ww_sample_products_stride(samples), WHAT, &values, error));
    return ww_multiply(values, (int64_t)sizeof(double), WHAT, bytes, error);
}

int64_t ww_sample_products_bytes(const ww_problem *problem)
{
    ww_error ignored = {0};
    int64_t bytes = 0;
    return find_bytes(problem->data->train.count, &bytes, &ignored) == WW_OK ? bytes : INT64_MAX;
}

typedef struct making {
    const double *inputs; // X [n, d]
    int64_t samples, dimension, stride;
    double *values;
    int64_t first, step; // tiles of this rank: every so many, from there on
} making;

// The tile `number` in the order of rows of tiles, of which row `b` has b + 1.
static void find_tile(int64_t number, int64_t *row, int64_t *column)
{
    *row = 0;
    while (number > *row)
        number -= ++*row;
    *column = number;
}

static int64_t samples_of(const making *self, int64_t tile)
{
    const int64_t rest = self->samples - tile * TILE;
    return rest < TILE ? rest : TILE;
}

static void make_tile(void *context, int worker, int64_t item)
{
    const making *self = context;
    const int64_t stride = self->stride;
    int64_t row = 0;
    int64_t column = 0;
    (void)worker;
    find_tile(self->first + item * self->step, &row, &column);
    const int64_t rows = samples_of(self, row), columns = samples_of(self, column);
    const int d = ww_int(self->dimension);
    double *below = self->values + row * TILE * stride + column * TILE;
    double *above = self->values + column * TILE * stride + row * TILE;
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)columns, d, 1.0,
                self->inputs + row * TILE * self->dimension, d,
                self->inputs + column * TILE * self->dimension, d, 0.0, below, ww_int(stride));
    for (int64_t i = 0; i < rows; i++) // on the diagonal its own lower half
        for (int64_t j = 0; j < (row == column ? i : columns); j++)
            above[j * stride + i] = below[i * stride + j];
}

ww_status ww_sample_products_create(const ww_problem *problem, ww_sample_products *products,
                                    ww_error *error)
{
    const ww_parallel *parallel = problem->parallel;
    const ww_samples *train = &problem->data->train;
    ww_nodes nodes = {0};
    int64_t bytes = 0;
    bool together = false;
    *products = (ww_sample_products){.samples = train->count,
                                     .stride = ww_sample_products_stride(train->count)};
    WW_TRY(find_bytes(train->count, &bytes, error));
    ww_status status = ww_agree(parallel, ww_nodes_create(parallel, &nodes, error), error);
    if (status == WW_OK)
        status =
            ww_share_room(parallel, &nodes, (size_t)bytes, (ww_stretch){.bytes = (size_t)bytes},
                          WHAT, &products->shared, &together, error);
    if (status == WW_OK) {
        const int64_t tiles = (train->count + TILE - 1) / TILE, all = tiles * (tiles + 1) / 2;
        making self = {.inputs = train->inputs,
                       .samples = train->count,
                       .dimension = problem->dimension,
                       .stride = products->stride,
                       .values = products->shared.memory,
                       .first = together ? nodes.node.rank : 0,
                       .step = together ? nodes.node.size : 1};
        ww_for_each(parallel, (all - self.first + self.step - 1) / self.step, make_tile, &self);
        products->values = products->shared.memory;
        // Nobody reads before all have written.
        status = ww_agree(parallel, status, error);
        ww_shared_settle(&products->shared);
    }
    ww_nodes_destroy(&nodes);
    return status;
}

void ww_sample_products_free(ww_sample_products *products)
{
    ww_shared_free(&products->shared);
    *products = (ww_sample_products){0};
}
