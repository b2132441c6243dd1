// Solves and both ends of the spectrum by Cholesky's factorisation: n^2 / ranks doubles on a rank.

#include "gram/largest.h"
#include "gram/replicate.h"
#include "gram/scalapack.h"
#include "gram/symmetric.h"
#include "widthwise/descent.h"
#include "widthwise/gram.h"
#include "widthwise/memory.h"

#include <cblas.h>
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const int ONE = 1;

// Of Lanczos' method, of the largest eigenvalue (of H, or of its inverse).
static const double TOLERANCE = 1e-13;

// Shifts tried one after the other, each this much larger.
static const double SHIFT_FACTOR = 4.0;
enum { MOST_SHIFTS = 40 };

typedef struct solving {
    ww_gram_fill fill;
    void *context;
    ww_block_matrix matrix; ///< H, then its factor, then H again
    ww_block_matrix sides;  ///< [n, max(1, c)], right sides
    ww_extreme upper;       ///< of H
    ww_extreme lower;       ///< of the inverse
    double *vectors;        ///< [n, c + 2], what H is applied to at the end
    double *images;         ///< [n, c + 2]
} solving;

/// out [n, columns] = (factored matrix)^-1 x, both replicated.
static ww_status apply_inverse(solving *self, const double *x, int64_t columns, double *out,
                               ww_error *error)
{
    ww_block_matrix *sides = &self->sides;
    const ww_grid *grid = sides->grid;
    const int64_t n = sides->rows;
    for (int64_t j = 0; j < sides->local_columns; j++)
        for (int64_t i = 0; i < sides->local_rows; i++) {
            const int64_t column = ww_block_global_column(sides, j);
            sides->entries[j * sides->leading + i] =
                column < columns ? x[ww_block_global_row(sides, i) * columns + column] : 0.0;
        }
    const int order = ww_int(n);
    const int count = ww_int(columns);
    int info = 0;
    if (ww_grid_has_place(grid))
        pdpotrs_("L", &order, &count, self->matrix.entries, &ONE, &ONE, self->matrix.descriptor,
                 sides->entries, &ONE, &ONE, sides->descriptor, &info);
    WW_ASSERT(info == 0); // it only checks its arguments
    memset(out, 0, (size_t)(n * columns) * sizeof(double));
    for (int64_t j = 0; j < sides->local_columns; j++)
        for (int64_t i = 0; i < sides->local_rows; i++) {
            const int64_t column = ww_block_global_column(sides, j);
            if (column < columns)
                out[ww_block_global_row(sides, i) * columns + column] =
                    sides->entries[j * sides->leading + i];
        }
    return ww_replicate_sum(&grid->parallel, out, (size_t)(n * columns), error);
}

static ww_status apply_inverse_once(void *context, const double *x, double *out, ww_error *error)
{
    return apply_inverse(context, x, 1, out, error);
}

/// Factors H + shift I, which is in the matrix already but for the shift. `*definite` tells whether
/// it could be.
static ww_status factor(solving *self, double shift, bool *definite, ww_error *error)
{
    ww_block_matrix *matrix = &self->matrix;
    for (int64_t j = 0; j < matrix->local_columns; j++) {
        const int64_t column = ww_block_global_column(matrix, j);
        if (ww_block_owns_row(matrix, column))
            matrix->entries[j * matrix->leading + ww_block_local_row(matrix, column)] += shift;
    }
    const int n = ww_int(matrix->rows);
    int info = 0;
    if (ww_grid_has_place(matrix->grid))
        pdpotrf_("L", &n, matrix->entries, &ONE, &ONE, matrix->descriptor, &info);
    int64_t failures = info != 0;
    WW_TRY(ww_sum_words(&matrix->grid->parallel, &failures, 1, error));
    *definite = failures == 0;
    return WW_OK;
}

/// Factors H, or H with the smallest shift tried that makes it definite, and finds the lower end of
/// the spectrum. A factorisation that only rounding let through counts as failed.
static ww_status factor_and_find_lower(solving *self, ww_gram_solution *solution, ww_error *error)
{
    const double accuracy = ww_spectrum_rounding(solution->order, solution->greatest);
    const ww_parallel *parallel = &self->matrix.grid->parallel;
    double shift = 0.0;
    for (int tries = 0; tries < MOST_SHIFTS; tries++) {
        if (tries > 0) {
            const double begin = MPI_Wtime();
            WW_TRY(self->fill(self->context, &self->matrix, error));
            solution->fill_seconds += MPI_Wtime() - begin;
        }
        const double begin = MPI_Wtime();
        bool definite = false;
        WW_TRY(factor(self, shift, &definite, error));
        solution->factor_seconds += MPI_Wtime() - begin;
        if (definite) {
            const double factored = MPI_Wtime();
            WW_TRY(ww_lanczos(solution->order, apply_inverse_once, self, parallel, TOLERANCE,
                              &self->lower, error));
            solution->solve_seconds += MPI_Wtime() - factored;
            const double least = 1.0 / self->lower.value - shift;
            if (shift > 0.0 || least > accuracy) {
                solution->shift = shift;
                return WW_OK;
            }
            ww_extreme_free(&self->lower);
        }
        shift = shift == 0.0 ? accuracy : SHIFT_FACTOR * shift;
        if (shift == 0.0) // H is zero, and what is divided by the shift still has a double
            shift = sqrt(DBL_MIN);
    }
    return ww_fail(error, WW_FAILED,
                   "the Gram matrix is not positive definite, and no shift up to %g makes it so: "
                   "its entries are likely not finite",
                   shift);
}

static ww_status prepare(solving *self, const ww_grid *grid, int64_t order, int64_t block,
                         int64_t columns, ww_gram_solution *solution, ww_error *error)
{
    WW_TRY(ww_block_matrix_create(grid, order, order, block, &self->matrix, error));
    WW_TRY(
        ww_block_matrix_create(grid, order, columns > 1 ? columns : 1, block, &self->sides, error));
    const size_t n = (size_t)order, c = (size_t)columns;
    const ww_allocation results[] = {
        {offsetof(ww_gram_solution, solutions), n * c, sizeof(double), "solutions"},
        {offsetof(ww_gram_solution, quadratic_forms), c, sizeof(double), "solutions"},
        {offsetof(ww_gram_solution, residuals), c, sizeof(double), "solutions"},
        {offsetof(ww_gram_solution, least_vector), n, sizeof(double), "an eigenvector"},
    };
    const ww_allocation work[] = {
        {offsetof(solving, vectors), n * (c + 2), sizeof(double), "vectors to check"},
        {offsetof(solving, images), n * (c + 2), sizeof(double), "vectors to check"},
    };
    ww_status status =
        ww_allocate_all(solution, results, sizeof results / sizeof results[0], error);
    if (status == WW_OK)
        status = ww_allocate_all(self, work, sizeof work / sizeof work[0], error);
    return ww_agree(&grid->parallel, status, error);
}

static void release(solving *self)
{
    ww_block_matrix_free(&self->matrix);
    ww_block_matrix_free(&self->sides);
    ww_extreme_free(&self->upper);
    ww_extreme_free(&self->lower);
    free(self->vectors);
    free(self->images);
}

/// Quadratic forms y'x of the solutions x with the shift s. With y = sum_j p_j v_j that is sum_j
/// p_j^2 / (lambda_j + s), and x'x its derivative by -s: y'x + s x'x is right to the second order
/// in s / lambda_j where y lies in the range of H.
static void evaluate(const double *y, ww_gram_solution *solution)
{
    const int64_t c = solution->columns;
    const double rounding = ww_spectrum_rounding(solution->order, solution->greatest);
    const double shift = solution->shift;
    for (int64_t k = 0; k < c; k++) {
        double form = 0.0;
        double square = 0.0;
        for (int64_t i = 0; i < solution->order; i++) {
            const double x = solution->solutions[i * c + k];
            form += y[i * c + k] * x;
            square += x * x;
        }
        const double outside = ww_larger(shift, rounding) * square;
        const bool has_form = solution->positive_definite || !(outside > WW_RANGE_SHARE * form);
        solution->quadratic_forms[k] = has_form ? form + shift * square : (double)INFINITY;
    }
}

/// Length of images - value vectors in column `k`, with the vectors scaled to norm 1.
static double eigen_residual(const solving *self, int64_t order, int64_t columns, int64_t k,
                             double value)
{
    double square = 0.0;
    for (int64_t i = 0; i < order; i++) {
        const double difference =
            self->images[i * columns + k] - value * self->vectors[i * columns + k];
        square += difference * difference;
    }
    return sqrt(square);
}

/// Rayleigh's quotient of column `k`, whose norm is 1.
static double quotient(const solving *self, int64_t order, int64_t columns, int64_t k)
{
    return cblas_ddot(ww_int(order), self->vectors + k, ww_int(columns), self->images + k,
                      ww_int(columns));
}

/// Applies H, filled anew, to all that was found.
static ww_status check(solving *self, const double *y, ww_gram_solution *solution, ww_error *error)
{
    const int64_t n = solution->order, c = solution->columns, all = c + 2;
    for (int64_t i = 0; i < n; i++) {
        double *row = self->vectors + i * all;
        memcpy(row, solution->solutions + i * c, (size_t)c * sizeof(double));
        row[c] = self->upper.vector[i];
        row[c + 1] = self->lower.vector[i];
        solution->least_vector[i] = self->lower.vector[i];
    }
    WW_TRY(ww_block_symmetric_apply(&self->matrix, self->vectors, all, self->images, error));
    for (int64_t k = 0; k < c; k++) {
        double square = 0.0, size = 0.0;
        for (int64_t i = 0; i < n; i++) {
            const double side = y[i * c + k];
            const double difference = self->images[i * all + k] - side;
            square += difference * difference;
            size += side * side;
        }
        solution->residuals[k] = size > 0.0 ? sqrt(square / size) : 0.0;
    }
    solution->greatest = quotient(self, n, all, c);
    solution->least = quotient(self, n, all, c + 1);
    solution->greatest_residual = eigen_residual(self, n, all, c, solution->greatest);
    solution->least_residual = eigen_residual(self, n, all, c + 1, solution->least);
    return WW_OK;
}

static ww_status solve(solving *self, const double *y, ww_gram_solution *solution, ww_error *error)
{
    const double begin = MPI_Wtime();
    WW_TRY(self->fill(self->context, &self->matrix, error));
    const double filled = MPI_Wtime();
    solution->fill_seconds = filled - begin;
    WW_TRY(ww_lanczos_symmetric(&self->matrix, TOLERANCE, &self->upper, error));
    solution->greatest = self->upper.value;
    solution->solve_seconds = MPI_Wtime() - filled;
    WW_TRY(factor_and_find_lower(self, solution, error));
    const double found = MPI_Wtime();
    if (solution->columns > 0)
        WW_TRY(apply_inverse(self, y, solution->columns, solution->solutions, error));
    const double solved = MPI_Wtime();
    solution->solve_seconds += solved - found;
    WW_TRY(self->fill(self->context, &self->matrix, error));
    const double refilled = MPI_Wtime();
    solution->fill_seconds += refilled - solved;
    WW_TRY(check(self, y, solution, error));
    solution->positive_definite =
        !ww_spectrum_is_singular(solution->order, solution->least, solution->greatest);
    evaluate(y, solution);
    solution->check_seconds = MPI_Wtime() - refilled;
    double *seconds[4] = {&solution->fill_seconds, &solution->factor_seconds,
                          &solution->solve_seconds, &solution->check_seconds};
    for (int i = 0; i < 4; i++)
        WW_TRY(ww_maximum(&self->matrix.grid->parallel, seconds[i], 1, error));
    return WW_OK;
}

ww_status ww_gram_solve(ww_gram_fill fill, void *context, const ww_grid *grid, int64_t order,
                        int64_t block, const double *y, int64_t columns, ww_gram_solution *solution,
                        ww_error *error)
{
    WW_ASSERT(columns >= 0);
    openblas_set_num_threads(1); // one rank, one core
    *solution = (ww_gram_solution){.order = order, .columns = columns};
    solving self = {.fill = fill, .context = context};
    ww_status status = prepare(&self, grid, order, block, columns, solution, error);
    if (status == WW_OK)
        status = solve(&self, y, solution, error);
    release(&self);
    if (status != WW_OK)
        ww_gram_solution_free(solution);
    return status;
}

void ww_gram_solution_free(ww_gram_solution *solution)
{
    free(solution->solutions);
    free(solution->quadratic_forms);
    free(solution->residuals);
    free(solution->least_vector);
    *solution = (ww_gram_solution){0};
}

void ww_gram_solve_cost(int64_t order, int64_t block, int64_t columns, const ww_grid *grid,
                        int64_t *bytes, double *flops)
{
    // Products of Lanczos' method on H and on its inverse: what Fashion-MNIST takes.
    const double products = 40.0;
    const bool has_place = ww_grid_has_place(grid);
    const int64_t local_rows = has_place ? ww_block_share(order, block, grid->row, grid->rows) : 0;
    const int64_t local_columns =
        has_place ? ww_block_share(order, block, grid->column, grid->columns) : 0;
    const int64_t sides = columns > 1 ? columns : 1;
    *bytes = 8 * (local_rows * local_columns + ww_block_entries(grid, order, sides, block) +
                  order * (3 * columns + 6) + 2 * columns +
                  2 * (local_rows + local_columns) * (columns + 2)) +
             ww_lanczos_bytes(order);
    *flops = 0.0;
    if (!has_place)
        return;
    const double n = (double)order;
    *flops = (n * n * n / 3.0 + 2.0 * n * n * (2.0 * products + 2.0 * (double)columns)) /
             ((double)grid->rows * (double)grid->columns);
}
