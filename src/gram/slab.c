// Eigenvectors between blocks and slabs. A slab of rows [count, n] by rows is a matrix [n, count]
// by columns: so slabs are a distributed matrix on a grid of one row, with one block of columns on
// each rank. Eigenvectors rise in the blocks and fall in the slabs: the ranks of that grid stand in
// reverse order, and each turns its own slab round.

#include "gram/scalapack.h"
#include "widthwise/gram.h"
#include "widthwise/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// ScaLAPACK counts the bytes of a message in 32 bits: columns go in rounds of at most 1 GiB.
static const int64_t MESSAGE_DOUBLES = INT64_C(1) << 27;

static int64_t slab_width(int64_t order, int ranks)
{
    return (order + ranks - 1) / ranks;
}

void ww_spectrum_slab(int64_t order, int rank, int ranks, int64_t *first, int64_t *count)
{
    const int64_t width = slab_width(order, ranks);
    const int64_t begin = width * (ranks - 1 - rank); // in rising order
    const int64_t end = begin + width;
    const int64_t from = begin < order ? begin : order;
    const int64_t to = end < order ? end : order;
    *first = order - to;
    *count = to - from;
}

static void reverse_rows(double *slab, int64_t count, int64_t order)
{
    for (int64_t i = 0; i < count / 2; i++) {
        double *a = slab + i * order, *b = slab + (count - 1 - i) * order;
        for (int64_t j = 0; j < order; j++) {
            const double value = a[j];
            a[j] = b[j];
            b[j] = value;
        }
    }
}

/// The grid of one row, in reverse order.
static ww_status slab_grid(const ww_grid *grid, int *context, ww_error *error)
{
    const int size = grid->parallel.size;
    int *ranks = ww_allocate((size_t)size, sizeof *ranks, "a process grid", error);
    WW_TRY(ww_agree(&grid->parallel, ranks == NULL ? WW_FAILED : WW_OK, error));
    for (int i = 0; i < size; i++)
        ranks[i] = size - 1 - i;
    *context = grid->system;
    Cblacs_gridmap(context, ranks, 1, 1, size);
    free(ranks);
    return WW_OK;
}

/// Copies all columns between blocks and slabs.
static ww_status redistribute(const ww_block_matrix *blocks, double *slab, bool to_slab,
                              ww_error *error)
{
    const ww_grid *grid = blocks->grid;
    const int64_t n = blocks->rows;
    int context = -1;
    WW_TRY(slab_grid(grid, &context, error));
    const int order = ww_int(n);
    const int64_t width = slab_width(n, grid->parallel.size);
    int slab_descriptor[9] = {1, context, order, order, order, ww_int(width), 0, 0, order};
    int descriptor[9];
    memcpy(descriptor, blocks->descriptor, sizeof descriptor);
    const int64_t at_once = MESSAGE_DOUBLES / n > 1 ? MESSAGE_DOUBLES / n : 1;
    for (int64_t begin = 0; begin < n; begin += at_once) {
        const int columns = ww_int(n - begin < at_once ? n - begin : at_once);
        const int first = ww_int(begin + 1);
        if (to_slab)
            Cpdgemr2d(order, columns, blocks->entries, 1, first, descriptor, slab, 1, first,
                      slab_descriptor, context);
        else
            Cpdgemr2d(order, columns, slab, 1, first, slab_descriptor, blocks->entries, 1, first,
                      descriptor, context);
    }
    Cblacs_gridexit(context);
    return WW_OK;
}

/// Slabs are refused where ScaLAPACK could not count their entries.
static ww_status check_slab(const ww_grid *grid, int64_t order, ww_error *error)
{
    int64_t entries = 0;
    int ignored = 0;
    const int ranks = grid->parallel.size;
    WW_TRY(ww_multiply(slab_width(order, ranks), order, "entries of a slab", &entries, error));
    if (ww_to_int(entries, "entries of a slab", &ignored, NULL) == WW_OK)
        return WW_OK;
    const int64_t most = INT32_MAX / order;
    return ww_fail(error, WW_USAGE,
                   "a slab of %lld eigenvectors of %lld entries has more than ScaLAPACK counts "
                   "(2147483647): use %lld ranks or more",
                   (long long)slab_width(order, ranks), (long long)order,
                   (long long)((order + most - 1) / most));
}

ww_status ww_spectrum_to_slab(const ww_spectrum *spectrum, double *slab, ww_error *error)
{
    WW_ASSERT(spectrum->has_vectors);
    const ww_grid *grid = spectrum->vectors.grid;
    int64_t first = 0, count = 0;
    ww_spectrum_slab(spectrum->order, grid->parallel.rank, grid->parallel.size, &first, &count);
    WW_TRY(check_slab(grid, spectrum->order, error));
    WW_TRY(redistribute(&spectrum->vectors, slab, true, error));
    reverse_rows(slab, count, spectrum->order);
    return WW_OK;
}

ww_status ww_spectrum_from_slab(const ww_grid *grid, int64_t order, int64_t block,
                                const double *values, double *slab, ww_spectrum *spectrum,
                                ww_error *error)
{
    *spectrum = (ww_spectrum){
        .order = order, .has_vectors = true, .residual = (double)NAN, .orthogonality = (double)NAN};
    WW_TRY(check_slab(grid, order, error));
    WW_TRY(ww_block_matrix_create(grid, order, order, block, &spectrum->vectors, error));
    spectrum->values = ww_allocate((size_t)order, sizeof(double), "eigenvalues", error);
    ww_status status =
        ww_agree(&grid->parallel, spectrum->values == NULL ? WW_FAILED : WW_OK, error);
    if (status == WW_OK) {
        memcpy(spectrum->values, values, (size_t)order * sizeof(double));
        int64_t first = 0, count = 0;
        ww_spectrum_slab(order, grid->parallel.rank, grid->parallel.size, &first, &count);
        reverse_rows(slab, count, order);
        status = redistribute(&spectrum->vectors, slab, false, error);
        reverse_rows(slab, count, order);
    }
    if (status != WW_OK)
        ww_spectrum_free(spectrum);
    return status;
}
