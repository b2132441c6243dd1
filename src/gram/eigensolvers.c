// Eigensolvers, and ScaLAPACK's among them.

#include "gram/eigensolvers.h"

#include "gram/scalapack.h"
#include "widthwise/memory.h"

#include <stddef.h>

static const int ONE = 1;

static int64_t greatest(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

// As the sources of pdsyevd and pdsyev have it. Their own answers to a query are counted in 32 bits
// and may wrap. The work of pdsyevd holds two more local matrices, the rest is small.
static void scalapack_sizes(const ww_block_matrix *matrix, bool with_vectors, int64_t *work_size,
                            int64_t *integers_size)
{
    const int64_t n = matrix->rows, block = matrix->block;
    const ww_grid *grid = matrix->grid;
    const int64_t rows = ww_block_share(n, block, 0, grid->rows);
    const int64_t columns = ww_block_share(n, block, 0, grid->columns);
    if (with_vectors) {
        const int64_t reduce = 3 * n + greatest(block * (rows + 1), 3 * block);
        // What pdormtr wants is not in pdsyevd's own answer, which is too small where blocks are
        // large beside the matrix; the vectors then come out wrong, and info is 0.
        const int64_t back =
            greatest(block * (block - 1) / 2, (rows + columns) * block) + block * block;
        *work_size = greatest(greatest(1 + 6 * n + 2 * rows * columns, reduce), back) + 2 * n;
        *integers_size = 7 * n + 8 * (int64_t)grid->columns + 2;
        return;
    }
    const int64_t reduce = greatest(block * (rows + 1), 3 * block);
    *work_size = 5 * n + greatest(reduce, 2 * n) + 1 + 2 * n;
    *integers_size = 0;
}

static ww_status with_scalapack(ww_block_matrix *matrix, double *values, ww_block_matrix *vectors,
                                const ww_eigen_work *work, MPI_Comm members, ww_error *error)
{
    (void)members;
    const int n = ww_int(matrix->rows);
    int info = 0;
    if (vectors != NULL) {
        pdsyevd_("V", "L", &n, matrix->entries, &ONE, &ONE, matrix->descriptor, values,
                 vectors->entries, &ONE, &ONE, vectors->descriptor, work->work, &work->work_size,
                 work->integers, &work->integers_size, &info);
    } else {
        double unused = 0.0;
        pdsyev_("N", "L", &n, matrix->entries, &ONE, &ONE, matrix->descriptor, values, &unused,
                &ONE, &ONE, matrix->descriptor, work->work, &work->work_size, &info);
    }
    if (info == 0)
        return WW_OK;
    return ww_fail(error, WW_FAILED,
                   "ScaLAPACK's %s did not find the eigenvalues (info %d): try another block size, "
                   "or the other solver",
                   vectors != NULL ? "pdsyevd" : "pdsyev", info);
}

const ww_eigensolver_functions *ww_eigensolver_find(ww_eigensolver solver)
{
    static const ww_eigensolver_functions scalapack = {scalapack_sizes, with_scalapack};
    return solver == WW_EIGENSOLVER_SCALAPACK ? &scalapack : ww_eigensolver_elpa();
}

bool ww_eigensolver_available(ww_eigensolver solver)
{
    return ww_eigensolver_find(solver) != NULL;
}
