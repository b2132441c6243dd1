// ELPA as an eigensolver. Reduction in two stages is the faster one for eigenvalues alone; with
// eigenvectors, which then go back through both stages, that in one.

#include "gram/eigensolvers.h"

#include <stddef.h>

#ifndef WIDTHWISE_HAVE_ELPA
const ww_eigensolver_functions *ww_eigensolver_elpa(void)
{
    return NULL;
}
#else

#include "gram/scalapack.h"
#include "widthwise/memory.h"

#include <elpa/elpa.h>

/// The version of the interface that this file is written for.
enum { ELPA_INTERFACE = 20170403 };

// One local matrix, for the transposed.
static void elpa_sizes(const ww_block_matrix *matrix, bool with_vectors, int64_t *work_size,
                       int64_t *integers_size)
{
    (void)with_vectors;
    const ww_grid *grid = matrix->grid;
    *work_size = ww_block_share(matrix->rows, matrix->block, 0, grid->rows) *
                 ww_block_share(matrix->rows, matrix->block, 0, grid->columns);
    *integers_size = 0;
}

/// ELPA wants both triangles.
static void complete(ww_block_matrix *matrix, double *work)
{
    const int one = 1;
    const double unit = 1.0, zero = 0.0;
    const int n = ww_int(matrix->rows);
    pdtran_(&n, &n, &unit, matrix->entries, &one, &one, matrix->descriptor, &zero, work, &one, &one,
            matrix->descriptor);
    for (int64_t j = 0; j < matrix->local_columns; j++) {
        const int64_t end = ww_block_local_row_from(matrix, ww_block_global_column(matrix, j));
        for (int64_t i = 0; i < end; i++)
            matrix->entries[j * matrix->leading + i] = work[j * matrix->leading + i];
    }
}

/// The first call that fails is told.
static void set(elpa_t handle, const char *name, int value, int *code)
{
    if (*code == ELPA_OK)
        elpa_set_integer(handle, name, value, code);
}

static int describe(elpa_t handle, const ww_block_matrix *matrix, bool with_vectors,
                    MPI_Comm members)
{
    int code = ELPA_OK;
    set(handle, "na", ww_int(matrix->rows), &code);
    set(handle, "nev", ww_int(matrix->rows), &code);
    set(handle, "nblk", ww_int(matrix->block), &code);
    set(handle, "local_nrows", ww_int(matrix->local_rows), &code);
    set(handle, "local_ncols", ww_int(matrix->local_columns), &code);
    set(handle, "mpi_comm_parent", MPI_Comm_c2f(members), &code);
    set(handle, "process_row", matrix->grid->row, &code);
    set(handle, "process_col", matrix->grid->column, &code);
    if (code == ELPA_OK)
        code = elpa_setup(handle);
    set(handle, "solver", with_vectors ? ELPA_SOLVER_1STAGE : ELPA_SOLVER_2STAGE, &code);
    return code;
}

static ww_status told(int code, ww_error *error)
{
    if (code == ELPA_OK)
        return WW_OK;
    return ww_fail(error, WW_FAILED,
                   "ELPA did not find the eigenvalues (%s): use ScaLAPACK instead",
                   elpa_strerr(code));
}

static ww_status with_elpa(ww_block_matrix *matrix, double *values, ww_block_matrix *vectors,
                           const ww_eigen_work *work, MPI_Comm members, ww_error *error)
{
    const ww_grid *grid = matrix->grid;
    const int64_t least = matrix->block * (grid->rows > grid->columns ? grid->rows : grid->columns);
    if (matrix->rows < least)
        return ww_fail(error, WW_USAGE,
                       "ELPA needs a block of the matrix on each rank, at least %lld samples on a "
                       "grid of %d x %d: use ScaLAPACK or fewer ranks",
                       (long long)least, grid->rows, grid->columns);
    int code = elpa_init(ELPA_INTERFACE);
    WW_TRY(told(code, error));
    elpa_t handle = elpa_allocate(&code);
    WW_TRY(told(code, error));
    complete(matrix, work->work);
    code = describe(handle, matrix, vectors != NULL, members);
    if (code == ELPA_OK) {
        if (vectors != NULL)
            elpa_eigenvectors_a_h_a_d(handle, matrix->entries, values, vectors->entries, &code);
        else
            elpa_eigenvalues_a_h_a_d(handle, matrix->entries, values, &code);
    }
    int ignored = 0;
    elpa_deallocate(handle, &ignored);
    return told(code, error);
}

const ww_eigensolver_functions *ww_eigensolver_elpa(void)
{
    static const ww_eigensolver_functions elpa = {elpa_sizes, with_elpa};
    return &elpa;
}
#endif
