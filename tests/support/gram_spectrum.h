/// Spectra held against LAPACK's dsyevd on one rank.
#ifndef WIDTHWISE_TESTS_GRAM_SPECTRUM_H
#define WIDTHWISE_TESTS_GRAM_SPECTRUM_H

#include "gram_support.h"

#include <float.h>

#include <stdio.h>

static ww_parallel world;
static ww_parallel alone;

static inline void start_ranks(void)
{
    ww_error error = {0};
    if (ww_parallel_create(MPI_COMM_WORLD, &world, &error) != WW_OK ||
        ww_parallel_create(MPI_COMM_SELF, &alone, &error) != WW_OK) {
        (void)fprintf(stderr, "%s\n", error.message);
        MPI_Abort(MPI_COMM_WORLD, 1);
    }
}

static inline void end_ranks(void)
{
    ww_parallel_destroy(&alone);
    ww_parallel_destroy(&world);
}

/// Grids to try: the automatic one, 1 x p, p x 1, and 2 x 2 where there are four ranks.
static inline int grid_shape_count(void)
{
    return world.size >= 4 ? 4 : 3;
}

static inline void create_grid(int shape, ww_grid *grid)
{
    const int shapes[4][2] = {{0, 0}, {1, world.size}, {world.size, 1}, {2, 2}};
    ww_error error = {0};
    assert_int_equal(ww_grid_create(&world, shapes[shape][0], shapes[shape][1], grid, &error),
                     WW_OK);
}

void dsyevd_(const char *job, const char *triangle, const int *n, double *a, const int *lda,
             double *w, double *work, const int *work_size, int *integers, const int *integers_size,
             int *info, size_t job_length, size_t triangle_length);

/// Eigenvalues, falling, of `full` [n, n], and eigenvectors in its rows in the same order.
static inline void dense_spectrum(double *full, int64_t order, double *values)
{
    const int n = (int)order;
    const int work_size = 1 + 6 * n + 2 * n * n, integers_size = 3 + 5 * n;
    double *work = new_doubles(work_size);
    int *integers = calloc((size_t)integers_size, sizeof *integers);
    assert_non_null(integers);
    int info = 0;
    dsyevd_("V", "L", &n, full, &n, values, work, &work_size, integers, &integers_size, &info, 1,
            1);
    assert_int_equal(info, 0);
    for (int64_t j = 0; j < order / 2; j++) {
        const int64_t other = order - 1 - j;
        const double value = values[j];
        values[j] = values[other];
        values[other] = value;
        for (int64_t i = 0; i < order; i++) {
            const double entry = full[j * order + i];
            full[j * order + i] = full[other * order + i];
            full[other * order + i] = entry;
        }
    }
    free(work);
    free(integers);
}

/// All eigenvectors on all ranks: row j of `full` [n, n] is v_j.
static inline void gather_vectors(const ww_spectrum *spectrum, double *full)
{
    const ww_block_matrix *v = &spectrum->vectors;
    const int64_t n = spectrum->order;
    memset(full, 0, (size_t)(n * n) * sizeof *full);
    for (int64_t j = 0; j < v->local_columns; j++)
        for (int64_t i = 0; i < v->local_rows; i++)
            full[(n - 1 - ww_block_global_column(v, j)) * n + ww_block_global_row(v, i)] =
                v->entries[j * v->leading + i];
    assert_int_equal(MPI_Allreduce(MPI_IN_PLACE, full, (int)(n * n), MPI_DOUBLE, MPI_SUM,
                                   v->grid->parallel.communicator),
                     MPI_SUCCESS);
}

/// Norms of projections of y on the eigenspaces of clusters of eigenvalues: single eigenvectors of
/// nearly equal eigenvalues are arbitrary, their space is not. Compares both.
static inline void compare_by_cluster(const double *values, const double *projections,
                                      const double *expected, int64_t n)
{
    const double gap = 1e-6 * values[0];
    for (int64_t begin = 0; begin < n;) {
        int64_t end = begin + 1;
        while (end < n && values[end - 1] - values[end] <= gap)
            end++;
        double found = 0.0, wanted = 0.0;
        for (int64_t j = begin; j < end; j++) {
            found += projections[j] * projections[j];
            wanted += expected[j] * expected[j];
        }
        assert_true(fabs(sqrt(found) - sqrt(wanted)) <= 1e-7);
        begin = end;
    }
}

/// On one grid: values to 1e-12 of the largest, pairs and orthogonality to rounding, projections.
static inline void check_on_grid(int shape, ww_gram_limit *limit, const double *values,
                                 const double *expected, const double *y, ww_eigensolver solver,
                                 int64_t block)
{
    const int64_t n = limit->count;
    ww_error error = {0};
    ww_grid grid = {0};
    ww_spectrum spectrum = {0}, alike = {0};
    double *projections = new_doubles(n);
    create_grid(shape, &grid);
    const int64_t longer = grid.rows > grid.columns ? grid.rows : grid.columns;
    const bool too_small = solver == WW_EIGENSOLVER_ELPA && n < block * longer;
    const ww_status status = ww_spectrum_compute(ww_gram_limit_fill, limit, &grid, n, block, solver,
                                                 true, &spectrum, &error);
    assert_int_equal(status, too_small ? WW_USAGE : WW_OK);
    if (!too_small) {
        if (largest_difference(spectrum.values, values, n) > 1e-12 * values[0])
            fail_msg("n %d, grid %d x %d, block %d: values off by %g of %g", (int)n, grid.rows,
                     grid.columns, (int)block, largest_difference(spectrum.values, values, n),
                     values[0]);
        const double rounding = 10.0 * DBL_EPSILON * (double)(n + 10);
        assert_true(spectrum.residual <= rounding * values[0]);
        assert_true(spectrum.orthogonality <= rounding);
        assert_int_equal(ww_spectrum_project(&spectrum, y, 1, projections, &error), WW_OK);
        compare_by_cluster(values, projections, expected, n);
        assert_int_equal(ww_spectrum_compute(ww_gram_limit_fill, limit, &grid, n, block, solver,
                                             false, &alike, &error),
                         WW_OK);
        assert_true(largest_difference(alike.values, values, n) <= 1e-12 * values[0]);
        assert_true(isnan(alike.residual));
    }
    free(projections);
    ww_spectrum_free(&spectrum);
    ww_spectrum_free(&alike);
    ww_grid_free(&grid);
}

/// Spectrum of the first n inputs on all grids.
static inline void check_spectrum(const double *inputs, int64_t n, int64_t dimension,
                                  const ww_kernel *kernel, ww_eigensolver solver, int64_t block)
{
    if (!ww_eigensolver_available(solver))
        return;
    ww_error error = {0};
    ww_grid single = {0};
    ww_block_matrix matrix = {0};
    ww_gram_limit limit = {kernel, inputs, n, dimension};
    double *full = new_doubles(n * n), *values = new_doubles(n);
    double *y = new_normals(n, 6), *expected = new_doubles(n);
    assert_int_equal(ww_grid_create(&alone, 1, 1, &single, &error), WW_OK);
    assert_int_equal(ww_block_matrix_create(&single, n, n, 32, &matrix, &error), WW_OK);
    assert_int_equal(ww_gram_limit_fill(&limit, &matrix, &error), WW_OK);
    gather_lower(&matrix, full);
    dense_spectrum(full, n, values);
    for (int64_t j = 0; j < n; j++)
        for (int64_t i = 0; i < n; i++)
            expected[j] += full[j * n + i] * y[i];
    ww_block_matrix_free(&matrix);
    ww_grid_free(&single);
    for (int shape = 0; shape < grid_shape_count(); shape++)
        check_on_grid(shape, &limit, values, expected, y, solver, block);
    free(full);
    free(values);
    free(y);
    free(expected);
}

#endif
