// The spectrum: fill, solve, fill anew, check.

#include "gram/eigensolvers.h"
#include "gram/largest.h"
#include "gram/limits.h"
#include "gram/replicate.h"
#include "gram/scalapack.h"
#include "parallel/mpi_error.h"
#include "widthwise/gram.h"
#include "widthwise/memory.h"
#include "widthwise/profile.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>

static const int ONE = 1;
static const double UNIT = 1.0;
static const double ZERO = 0.0;
// What rounding leaves is some 1e-14, relative to the largest eigenvalue.
static const double LARGEST_ERROR = 1e-8;

typedef struct computation {
    const ww_eigensolver_functions *solver;
    ww_block_matrix matrix;
    ww_eigen_work work;
    MPI_Comm members; ///< ranks with a place
} computation;

/// Sizes of the work: the same on all ranks, and within what ScaLAPACK counts. With vectors the
/// work must also hold a matrix, for the check.
static ww_status size_work(computation *self, bool with_vectors, ww_error *error)
{
    const ww_block_matrix *matrix = &self->matrix;
    const ww_grid *grid = matrix->grid;
    int64_t work = 0, integers = 0;
    self->solver->sizes(matrix, with_vectors, &work, &integers);
    const int64_t share = ww_block_share(matrix->rows, matrix->block, 0, grid->rows) *
                          ww_block_share(matrix->rows, matrix->block, 0, grid->columns);
    const int64_t parts = work / share; // whole local matrices in the work
    WW_TRY(ww_limit_entries(matrix->rows, matrix->rows, matrix->block, grid->rows, grid->columns,
                            parts, work - parts * share, "the work of the eigensolver for a matrix",
                            error));
    if (with_vectors && work < share)
        work = share;
    WW_TRY(ww_to_int(work, "the work of the eigensolver", &self->work.work_size, error));
    return ww_to_int(integers, "the work of the eigensolver", &self->work.integers_size, error);
}

static ww_status allocate_work(computation *self, ww_error *error)
{
    if (!ww_grid_has_place(self->matrix.grid))
        return WW_OK;
    const char *what = "the work of the eigensolver";
    self->work.work = ww_allocate((size_t)self->work.work_size, sizeof(double), what, error);
    self->work.integers = ww_allocate((size_t)self->work.integers_size, sizeof(int), what, error);
    return self->work.work == NULL || self->work.integers == NULL ? WW_FAILED : WW_OK;
}

static ww_status prepare(computation *self, const ww_grid *grid, int64_t order, int64_t block,
                         bool with_vectors, ww_spectrum *spectrum, ww_error *error)
{
    WW_TRY(ww_block_matrix_describe(grid, order, order, block, &self->matrix, error));
    WW_TRY(size_work(self, with_vectors, error));
    WW_TRY(ww_block_matrix_create(grid, order, order, block, &self->matrix, error));
    if (with_vectors)
        WW_TRY(ww_block_matrix_create(grid, order, order, block, &spectrum->vectors, error));
    spectrum->values = ww_allocate((size_t)order, sizeof(double), "eigenvalues", error);
    ww_status status = spectrum->values == NULL ? WW_FAILED : allocate_work(self, error);
    const double began = ww_call_begin(grid->parallel.profile);
    if (status == WW_OK)
        status =
            ww_mpi_status(ww_call_end(grid->parallel.profile, WW_CALL_GROUP, 0, began,
                                      MPI_Comm_split(grid->parallel.communicator,
                                                     ww_grid_has_place(grid) ? 0 : MPI_UNDEFINED,
                                                     grid->parallel.rank, &self->members)),
                          "the ranks of a process grid", error);
    return ww_agree(&grid->parallel, status, error);
}

static void release(computation *self)
{
    ww_block_matrix_free(&self->matrix);
    free(self->work.work);
    free(self->work.integers);
    if (self->members != MPI_COMM_NULL)
        MPI_Comm_free(&self->members);
}

static ww_status check_finite(const ww_spectrum *spectrum, ww_error *error)
{
    for (int64_t j = 0; j < spectrum->order; j++)
        if (!isfinite(spectrum->values[j]))
            return ww_fail(error, WW_FAILED,
                           "a Gram matrix has eigenvalues that are not finite: its entries are "
                           "likely not finite either");
    return WW_OK;
}

/// Eigenvalues come rising, and maybe on ranks with a place alone: falling on all.
static ww_status spread_values(ww_spectrum *spectrum, const ww_parallel *parallel, ww_error *error)
{
    const int64_t n = spectrum->order;
    for (int64_t j = 0; j < n / 2; j++) {
        const double value = spectrum->values[j];
        spectrum->values[j] = spectrum->values[n - 1 - j];
        spectrum->values[n - 1 - j] = value;
    }
    return ww_broadcast(parallel, spectrum->values, (size_t)n * sizeof(double), 0, error);
}

/// max_j ||H v_j - lambda_j v_j||, with the product in the work.
static ww_status check_pairs(computation *self, ww_spectrum *spectrum, ww_error *error)
{
    const ww_block_matrix *v = &spectrum->vectors;
    const ww_grid *grid = v->grid;
    const int64_t n = spectrum->order;
    const int order = ww_int(n);
    double *squares = ww_allocate((size_t)n, sizeof(double), "residuals", error);
    WW_TRY(ww_agree(&grid->parallel, squares == NULL ? WW_FAILED : WW_OK, error));
    if (ww_grid_has_place(grid))
        pdsymm_("L", "L", &order, &order, &UNIT, self->matrix.entries, &ONE, &ONE,
                self->matrix.descriptor, v->entries, &ONE, &ONE, v->descriptor, &ZERO,
                self->work.work, &ONE, &ONE, v->descriptor);
    for (int64_t j = 0; j < v->local_columns; j++) {
        const int64_t column = ww_block_global_column(v, j);
        const double value = spectrum->values[n - 1 - column];
        const double *image = self->work.work + j * v->leading;
        const double *vector = v->entries + j * v->leading;
        double square = 0.0;
        for (int64_t i = 0; i < v->local_rows; i++) {
            const double difference = image[i] - value * vector[i];
            square += difference * difference;
        }
        squares[column] = square;
    }
    const ww_status status = ww_replicate_sum(&grid->parallel, squares, (size_t)n, error);
    double largest = 0.0;
    for (int64_t j = 0; j < n; j++)
        largest = ww_larger(largest, squares[j]);
    spectrum->residual = sqrt(largest);
    free(squares);
    return status;
}

/// Largest entry of V'V - I, with the lower triangle of V'V in the work.
static ww_status check_orthogonality(computation *self, ww_spectrum *spectrum, ww_error *error)
{
    const ww_block_matrix *v = &spectrum->vectors;
    const int order = ww_int(spectrum->order);
    double largest = 0.0;
    if (ww_grid_has_place(v->grid))
        pdsyrk_("L", "T", &order, &order, &UNIT, v->entries, &ONE, &ONE, v->descriptor, &ZERO,
                self->work.work, &ONE, &ONE, v->descriptor);
    for (int64_t j = 0; j < v->local_columns; j++) {
        const int64_t column = ww_block_global_column(v, j);
        for (int64_t i = ww_block_local_row_from(v, column); i < v->local_rows; i++) {
            const double one = ww_block_global_row(v, i) == column ? 1.0 : 0.0;
            largest = ww_larger(largest, fabs(self->work.work[j * v->leading + i] - one));
        }
    }
    spectrum->orthogonality = ww_nan_as_infinity(largest);
    return ww_maximum(&v->grid->parallel, &spectrum->orthogonality, 1, error);
}

/// Eigenvectors that are none end the work here, and not in numbers that look like any others.
static ww_status check_accuracy(const ww_spectrum *spectrum, ww_error *error)
{
    const double scale =
        fmax(fabs(spectrum->values[0]), fabs(spectrum->values[spectrum->order - 1]));
    if (spectrum->residual <= LARGEST_ERROR * scale && spectrum->orthogonality <= LARGEST_ERROR)
        return WW_OK;
    return ww_fail(error, WW_FAILED,
                   "the eigenvectors of a Gram matrix are wrong: ||H v - lambda v|| is up to %g, "
                   "where the largest eigenvalue is %g; try another gram.block, or another "
                   "gram.solver",
                   spectrum->residual, scale);
}

static ww_status compute(computation *self, ww_gram_fill fill, void *context, bool with_vectors,
                         ww_spectrum *spectrum, ww_error *error)
{
    const ww_grid *grid = self->matrix.grid;
    const double begin = MPI_Wtime();
    WW_TRY(fill(context, &self->matrix, error));
    const double filled = MPI_Wtime();
    ww_status status = WW_OK;
    if (ww_grid_has_place(grid))
        status = self->solver->solve(&self->matrix, spectrum->values,
                                     with_vectors ? &spectrum->vectors : NULL, &self->work,
                                     self->members, error);
    WW_TRY(ww_agree(&grid->parallel, status, error));
    WW_TRY(spread_values(spectrum, &grid->parallel, error));
    WW_TRY(check_finite(spectrum, error)); // the same on all ranks
    const double solved = MPI_Wtime();
    double refilled = solved;
    if (with_vectors) {
        WW_TRY(fill(context, &self->matrix, error));
        refilled = MPI_Wtime();
        WW_TRY(check_pairs(self, spectrum, error));
        WW_TRY(check_orthogonality(self, spectrum, error));
        WW_TRY(check_accuracy(spectrum, error)); // the same on all ranks
    }
    double seconds[3] = {filled - begin + refilled - solved, solved - filled,
                         MPI_Wtime() - refilled};
    WW_TRY(ww_maximum(&grid->parallel, seconds, 3, error));
    spectrum->fill_seconds = seconds[0];
    spectrum->solve_seconds = seconds[1];
    spectrum->check_seconds = seconds[2];
    return WW_OK;
}

ww_status ww_spectrum_compute(ww_gram_fill fill, void *context, const ww_grid *grid, int64_t order,
                              int64_t block, ww_eigensolver solver, bool with_vectors,
                              ww_spectrum *spectrum, ww_error *error)
{
    *spectrum = (ww_spectrum){.order = order,
                              .has_vectors = with_vectors,
                              .residual = (double)NAN,
                              .orthogonality = (double)NAN};
    computation self = {.solver = ww_eigensolver_find(solver), .members = MPI_COMM_NULL};
    if (self.solver == NULL)
        return ww_fail(error, WW_USAGE,
                       "the eigensolver ELPA is not built in: use ScaLAPACK, or install ELPA "
                       "(Debian: libelpa-dev) and build with -DWIDTHWISE_ELPA=ON");
    openblas_set_num_threads(1); // one rank, one core
    ww_status status = prepare(&self, grid, order, block, with_vectors, spectrum, error);
    if (status == WW_OK)
        status = compute(&self, fill, context, with_vectors, spectrum, error);
    release(&self);
    if (status != WW_OK)
        ww_spectrum_free(spectrum);
    return status;
}

void ww_spectrum_free(ww_spectrum *spectrum)
{
    free(spectrum->values);
    ww_block_matrix_free(&spectrum->vectors);
    *spectrum = (ww_spectrum){0};
}

void ww_spectrum_cost(int64_t order, int64_t block, ww_eigensolver solver, bool with_vectors,
                      const ww_grid *grid, int64_t *bytes, double *flops)
{
    *bytes = 16 * order;
    *flops = 0.0;
    if (!ww_grid_has_place(grid))
        return;
    const ww_block_matrix matrix = {.grid = grid, .rows = order, .columns = order, .block = block};
    const ww_eigensolver_functions *functions = ww_eigensolver_find(solver);
    if (functions == NULL)
        functions = ww_eigensolver_find(WW_EIGENSOLVER_SCALAPACK);
    int64_t work = 0, integers = 0;
    functions->sizes(&matrix, with_vectors, &work, &integers);
    const int64_t share = ww_block_entries(grid, order, order, block);
    *bytes += 8 * (share * (with_vectors ? 2 : 1) + work) + 4 * integers;
    // Products of the check: PBLAS holds panels of 32 rows and columns, about so many as measured.
    if (with_vectors)
        *bytes += INT64_C(8) * 12 * 32 *
                  (ww_block_share(order, block, grid->row, grid->rows) +
                   ww_block_share(order, block, grid->column, grid->columns));
    // Tridiagonal form 4 n^3 / 3, divide and conquer at most 4 n^3 / 3, vectors back 2 n^3, and for
    // the check 2 n^3 and n^3.
    const double n = (double)order;
    const double places = (double)grid->rows * (double)grid->columns;
    *flops = n * n * n / places * (with_vectors ? 4.0 / 3.0 + 4.0 / 3.0 + 5.0 : 4.0 / 3.0);
}
