/// Solves, ends of the spectrum and norms of Gram matrices, against dense LAPACK.
#include "gram_spectrum.h"

#include "gram/largest.h"
#include "parallel/lanczos.h"

static const ww_kernel relu = {1, 0.0, false};

/// H of the first n inputs, its eigenvalues and eigenvectors, on every rank for itself.
typedef struct dense {
    int64_t order;
    double *matrix, *vectors; ///< [n, n]
    double *values;           ///< [n]
} dense;

static dense dense_create(const ww_gram_limit *limit)
{
    const int64_t n = limit->count;
    dense self = {n, new_doubles(n * n), new_doubles(n * n), new_doubles(n)};
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++)
            self.matrix[i * n + j] =
                ww_kernel_value(limit->kernel, limit->inputs + i * limit->dimension,
                                limit->inputs + j * limit->dimension, limit->dimension);
    memcpy(self.vectors, self.matrix, (size_t)(n * n) * sizeof(double));
    dense_spectrum(self.vectors, n, self.values);
    return self;
}

static void dense_free(dense *self)
{
    free(self->matrix);
    free(self->vectors);
    free(self->values);
}

/// y' H^-1 y by way of the spectrum.
static double dense_form(const dense *self, const double *y, int64_t columns, int64_t column)
{
    double sum = 0.0;
    for (int64_t j = 0; j < self->order; j++) {
        double projection = 0.0;
        for (int64_t i = 0; i < self->order; i++)
            projection += self->vectors[j * self->order + i] * y[i * columns + column];
        sum += projection * projection / self->values[j];
    }
    return sum;
}

static void solutions_are_those_of_lapack(void **state)
{
    (void)state;
    const int64_t orders[] = {1, 2, 5, 64, 150};
    enum { D = 12, C = 3 };
    for (size_t o = 0; o < sizeof orders / sizeof orders[0]; o++) {
        const int64_t n = orders[o];
        double *inputs = new_sphere(n, D, 2);
        double *y = new_normals(n * C, 4);
        for (int64_t i = 0; i < n; i++) // a column of zeroes is solved by zeroes
            y[i * C + 2] = 0.0;
        ww_gram_limit limit = {&relu, inputs, n, D};
        dense exact = dense_create(&limit);
        for (int shape = 0; shape < grid_shape_count(); shape++)
            for (int64_t block = 3; block <= 32; block += 29) {
                ww_error error = {0};
                ww_grid grid = {0};
                ww_gram_solution solution = {0};
                create_grid(shape, &grid);
                assert_int_equal(ww_gram_solve(ww_gram_limit_fill, &limit, &grid, n, block, y, C,
                                               &solution, &error),
                                 WW_OK);
                assert_true(solution.positive_definite);
                assert_true(solution.shift == 0.0);
                const double least = exact.values[n - 1], greatest = exact.values[0];
                const double condition = greatest / least;
                assert_true(fabs(solution.greatest - greatest) <= 1e-12 * greatest);
                assert_true(fabs(solution.least - least) <= 1e-12 * greatest);
                assert_true(solution.greatest_residual <= 1e-11 * greatest);
                assert_true(solution.least_residual <= 1e-11 * greatest);
                for (int64_t c = 0; c < 2; c++) {
                    const double form = dense_form(&exact, y, C, c);
                    assert_true(fabs(solution.quadratic_forms[c] - form) <=
                                1e-14 * condition * 10.0 * form);
                    assert_true(solution.residuals[c] <= 1e-14 * condition);
                }
                assert_true(solution.quadratic_forms[2] == 0.0 && solution.residuals[2] == 0.0);
                // The vector: of norm 1, with its largest entry positive, and that of LAPACK.
                double dot = 0.0, square = 0.0, largest = 0.0;
                for (int64_t i = 0; i < n; i++) {
                    const double entry = solution.least_vector[i];
                    dot += entry * exact.vectors[(n - 1) * n + i];
                    square += entry * entry;
                    if (fabs(entry) > fabs(largest))
                        largest = entry;
                }
                assert_true(largest > 0.0);
                assert_true(fabs(square - 1.0) <= 1e-13);
                assert_true(fabs(fabs(dot) - 1.0) <= 1e-10);
                ww_gram_solution_free(&solution);
                ww_grid_free(&grid);
            }
        dense_free(&exact);
        free(inputs);
        free(y);
    }
}

static void solutions_solve(void **state)
{
    (void)state;
    enum { N = 90, D = 8, C = 2 };
    ww_error error = {0};
    ww_grid grid = {0};
    ww_gram_solution solution = {0};
    double *inputs = new_sphere(N, D, 5), *y = new_normals(N * C, 6), *back = new_doubles(N * C);
    ww_gram_limit limit = {&relu, inputs, N, D};
    create_grid(0, &grid);
    assert_int_equal(
        ww_gram_solve(ww_gram_limit_fill, &limit, &grid, N, 16, y, C, &solution, &error), WW_OK);
    assert_int_equal(ww_kernel_apply(&relu, inputs, N, inputs, N, D, solution.solutions, C, &world,
                                     back, &error),
                     WW_OK);
    assert_true(largest_difference(back, y, N * C) <= 1e-10);
    ww_gram_solution_free(&solution);
    // Without right sides the ends of the spectrum are found all the same.
    assert_int_equal(
        ww_gram_solve(ww_gram_limit_fill, &limit, &grid, N, 16, NULL, 0, &solution, &error), WW_OK);
    assert_true(solution.least > 0.0 && solution.greatest > solution.least);
    ww_gram_solution_free(&solution);
    ww_grid_free(&grid);
    free(inputs);
    free(y);
    free(back);
}

static void samples_that_coincide_are_told(void **state)
{
    (void)state;
    enum { N = 90, D = 8 };
    for (int kind = 0; kind < 4; kind++) {
        ww_error error = {0};
        ww_grid grid = {0};
        ww_gram_solution solution = {0};
        double *inputs = new_sphere(N, D, 5), *y = new_normals(N, 6);
        for (int64_t j = 0; j < D; j++) {
            if (kind == 0) // the same twice
                inputs[70 * D + j] = inputs[3 * D + j];
            if (kind == 1) // up to a factor
                inputs[70 * D + j] = 0.7 * inputs[3 * D + j];
            if (kind == 2) // a zero vector
                inputs[70 * D + j] = 0.0;
            if (kind == 3) // all the same
                for (int64_t i = 0; i < N; i++)
                    inputs[i * D + j] = j == 0 ? 1.0 : 0.5;
        }
        ww_gram_limit limit = {&relu, inputs, N, D};
        create_grid(0, &grid);
        assert_int_equal(
            ww_gram_solve(ww_gram_limit_fill, &limit, &grid, N, 16, y, 1, &solution, &error),
            WW_OK);
        assert_false(solution.positive_definite);
        assert_true(solution.shift > 0.0 && solution.shift <= 1e-11 * solution.greatest);
        assert_true(isinf(solution.quadratic_forms[0]) && solution.quadratic_forms[0] > 0.0);
        assert_true(fabs(solution.least) <= 1e-13 * solution.greatest);
        assert_true(solution.least_residual <= 1e-12 * solution.greatest);
        for (int64_t i = 0; i < N; i++) { // the vector tells the pair apart and nothing else
            const bool one_of_pair = i == 3 || i == 70;
            if (kind == 0 && !one_of_pair)
                assert_true(fabs(solution.least_vector[i]) <= 1e-10);
            if (kind == 0 && one_of_pair)
                assert_true(fabs(fabs(solution.least_vector[i]) - sqrt(0.5)) <= 1e-10);
        }
        ww_gram_solution_free(&solution);
        ww_grid_free(&grid);
        free(inputs);
        free(y);
    }
}

/// Labels in the range of a singular H have the form of the matrix without what makes it singular;
/// others have none. With fewer digits the closer H without it is to singular.
static void forms_of_labels_in_the_range_are_finite(void **state)
{
    (void)state;
    enum { N = 90, D = 8, C = 3 };
    for (int kind = 0; kind < 4; kind++) {
        ww_error error = {0};
        ww_grid grid = {0};
        ww_gram_solution whole = {0}, part = {0};
        double *inputs = new_sphere(N, D, 5), *y = new_normals(N * C, 6);
        const double factor = kind == 1 ? 0.7 : kind == 2 ? 1.0 + 1e-15 : 1.0;
        for (int64_t j = 0; j < D; j++)
            inputs[(N - 1) * D + j] = kind == 3 ? 0.0 : factor * inputs[3 * D + j];
        for (int64_t c = 0; c < C; c++) // a label in the range, one that is not, nothing
            y[(N - 1) * C + c] = kind == 3 ? 0.0 : factor * y[3 * C + c];
        y[(N - 1) * C + 1] = kind == 3 ? 1.0 : -y[3 * C + 1];
        for (int64_t i = 0; i < N; i++)
            y[i * C + 2] = 0.0;
        ww_gram_limit limit = {&relu, inputs, N, D};
        create_grid(0, &grid);
        assert_int_equal(
            ww_gram_solve(ww_gram_limit_fill, &limit, &grid, N, 16, y, C, &whole, &error), WW_OK);
        limit.count = N - 1;
        assert_int_equal(
            ww_gram_solve(ww_gram_limit_fill, &limit, &grid, N - 1, 16, y, C, &part, &error),
            WW_OK);
        assert_false(whole.positive_definite);
        assert_true(part.positive_definite);
        const double form = part.quadratic_forms[0];
        if (!(fabs(whole.quadratic_forms[0] - form) <= 1e-9 * form))
            fail_msg("kind %d: %.17g instead of %.17g", kind, whole.quadratic_forms[0], form);
        assert_true(isinf(whole.quadratic_forms[1]));
        assert_true(whole.quadratic_forms[2] == 0.0);
        assert_true(whole.residuals[0] <= 1e-9 && whole.residuals[1] >= 1e-3);
        ww_gram_solution_free(&whole);
        ww_gram_solution_free(&part);
        ww_grid_free(&grid);
        free(inputs);
        free(y);
    }
}

static void a_matrix_of_zeroes_is_solved(void **state)
{
    (void)state;
    enum { N = 7, D = 3 };
    ww_error error = {0};
    ww_grid grid = {0};
    ww_gram_solution solution = {0};
    double *inputs = new_doubles(N * D), *y = new_normals(N, 6);
    ww_gram_limit limit = {&relu, inputs, N, D};
    create_grid(0, &grid);
    assert_int_equal(
        ww_gram_solve(ww_gram_limit_fill, &limit, &grid, N, 4, y, 1, &solution, &error), WW_OK);
    assert_false(solution.positive_definite);
    assert_true(solution.greatest == 0.0 && solution.least == 0.0);
    assert_true(solution.greatest_residual == 0.0 && solution.least_residual == 0.0);
    assert_true(isinf(solution.quadratic_forms[0]) && solution.residuals[0] == 1.0);
    ww_gram_solution_free(&solution);
    ww_grid_free(&grid);
    free(inputs);
    free(y);
}

/// Out [n] = x, but with a last bit that is not the same on all ranks, as where these have other
/// kernels of BLAS.
static ww_status nearly_identity(void *context, const double *x, double *out, ww_error *error)
{
    const int64_t *order = context;
    (void)error;
    for (int64_t i = 0; i < *order; i++)
        out[i] = x[i] * (1.0 + (world.rank % 2 == 1 ? 1e-13 * (double)i : 0.0));
    return WW_OK;
}

/// Ranks of other kernels leave Lanczos' method together.
static void ranks_end_a_search_together(void **state)
{
    (void)state;
    int64_t order = 20;
    ww_error error = {0};
    ww_extreme extreme = {0};
    assert_int_equal(ww_lanczos(order, nearly_identity, &order, &world, 0.0, &extreme, &error),
                     WW_OK);
    double most = (double)extreme.products, least = -(double)extreme.products;
    assert_int_equal(ww_maximum(&world, &most, 1, &error), WW_OK);
    assert_int_equal(ww_maximum(&world, &least, 1, &error), WW_OK);
    assert_true(most == -least);
    assert_true(fabs(extreme.value - 1.0) <= 1e-11);
    ww_extreme_free(&extreme);
}

/// What is not a number is never a small error.
static void not_a_number_is_seen(void **state)
{
    (void)state;
    assert_true(isnan(ww_larger(0.0, (double)NAN)) && isnan(ww_larger((double)NAN, 0.0)));
    assert_true(ww_larger(1.0, 2.0) == 2.0 && ww_larger(2.0, 1.0) == 2.0);
    ww_error error = {0};
    ww_grid grid = {0};
    ww_block_matrix matrix = {0};
    ww_symmetric_norms norms = {0};
    create_grid(0, &grid);
    assert_int_equal(ww_block_matrix_create(&grid, 20, 20, 7, &matrix, &error), WW_OK);
    if (ww_block_owns_row(&matrix, 13) && ww_block_owns_column(&matrix, 5))
        matrix.entries[ww_block_local_column(&matrix, 5) * matrix.leading +
                       ww_block_local_row(&matrix, 13)] = (double)NAN;
    assert_int_equal(ww_gram_norms(&matrix, &norms, &error), WW_FAILED);
    assert_non_null(strstr(error.message, "not finite"));
    ww_block_matrix_free(&matrix);
    ww_grid_free(&grid);
}

/// A symmetric matrix whose entries are known, indefinite.
static ww_status indefinite_fill(void *context, ww_block_matrix *matrix, ww_error *error)
{
    (void)error;
    const double *full = context;
    for (int64_t j = 0; j < matrix->local_columns; j++)
        for (int64_t i = 0; i < matrix->local_rows; i++) {
            const int64_t row = ww_block_global_row(matrix, i);
            const int64_t column = ww_block_global_column(matrix, j);
            double *entry = &matrix->entries[j * matrix->leading + i];
            if (row >= column)
                *entry = full[row * matrix->rows + column];
            else
                *entry = (double)NAN; // never read
        }
    return WW_OK;
}

static void norms_and_products_are_right(void **state)
{
    (void)state;
    const int64_t orders[] = {1, 2, 40, 333};
    for (size_t o = 0; o < sizeof orders / sizeof orders[0]; o++) {
        enum { C = 3 };
        const int64_t n = orders[o];
        double *full = new_normals(n * n, 12), *copy = new_doubles(n * n), *values = new_doubles(n);
        double *x = new_normals(n * C, 13), *expected = new_doubles(n * C);
        double *out = new_doubles(n * C);
        double square = 0.0;
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++) {
                full[i * n + j] = full[(i > j ? i : j) * n + (i > j ? j : i)];
                square += full[i * n + j] * full[i * n + j];
                for (int64_t c = 0; c < C; c++)
                    expected[i * C + c] += full[i * n + j] * x[j * C + c];
            }
        memcpy(copy, full, (size_t)(n * n) * sizeof *full);
        dense_spectrum(copy, n, values);
        const double spectral = fmax(fabs(values[0]), fabs(values[n - 1]));
        for (int shape = 0; shape < grid_shape_count(); shape++) {
            ww_error error = {0};
            ww_grid grid = {0};
            ww_block_matrix matrix = {0};
            ww_symmetric_norms norms = {0};
            create_grid(shape, &grid);
            assert_int_equal(ww_block_matrix_create(&grid, n, n, 7, &matrix, &error), WW_OK);
            assert_int_equal(indefinite_fill(full, &matrix, &error), WW_OK);
            assert_int_equal(ww_gram_norms(&matrix, &norms, &error), WW_OK);
            assert_true(fabs(norms.frobenius - sqrt(square)) <= 1e-13 * sqrt(square));
            assert_true(fabs(norms.spectral - spectral) <= 1e-10 * spectral);
            assert_int_equal(ww_block_symmetric_apply(&matrix, x, C, out, &error), WW_OK);
            assert_true(largest_difference(out, expected, n * C) <= 1e-12 * spectral);
            ww_block_matrix_free(&matrix);
            ww_grid_free(&grid);
        }
        free(full);
        free(copy);
        free(values);
        free(x);
        free(expected);
        free(out);
    }
}

static void a_matrix_of_zeroes_has_no_norm(void **state)
{
    (void)state;
    ww_error error = {0};
    ww_grid grid = {0};
    ww_block_matrix matrix = {0};
    ww_symmetric_norms norms = {1.0, 1.0, 1.0};
    create_grid(0, &grid);
    assert_int_equal(ww_block_matrix_create(&grid, 20, 20, 7, &matrix, &error), WW_OK);
    assert_int_equal(ww_gram_norms(&matrix, &norms, &error), WW_OK);
    assert_true(norms.frobenius == 0.0 && norms.spectral == 0.0);
    ww_block_matrix_free(&matrix);
    ww_grid_free(&grid);
}

static void costs_do_not_fall_below_what_is_held(void **state)
{
    (void)state;
    int64_t bytes = 0;
    double flops = 0.0;
    const ww_parallel first = {.communicator = MPI_COMM_NULL, .rank = 0, .size = 2};
    const ww_grid both = ww_grid_describe(&first, 1, 2);
    ww_spectrum_cost(20000, 32, WW_EIGENSOLVER_SCALAPACK, true, &both, &bytes, &flops);
    assert_true(bytes >= 4 * INT64_C(1600000000) && bytes <= 4 * INT64_C(1650000000));
    ww_gram_solve_cost(20000, 64, 1, &both, &bytes, &flops);
    assert_true(bytes >= INT64_C(1600000000) && bytes <= INT64_C(1700000000));
    assert_true(flops >= 8e12 / 6.0);
    ww_kernel_apply_cost(1000, 2000, 10, 1, 2, &bytes, &flops);
    assert_true(flops >= 2.0 * 500 * 2000 * 10);
    ww_gram_network_cost(1000, 10, 1000, &both, &bytes, &flops);
    assert_true(bytes >= 2 * 1000 * 1000 / 8);
    const ww_gram_limit limit = {&relu, NULL, 1000, 10};
    ww_gram_limit_cost(&limit, &both, &bytes, &flops);
    assert_true(bytes > 0 && flops >= 500.0 * 1000 * 10);
    // On a grid of one rank it has all of the matrix, and the other one nothing.
    const ww_grid one = ww_grid_describe(&first, 1, 1);
    ww_spectrum_cost(20000, 32, WW_EIGENSOLVER_SCALAPACK, true, &one, &bytes, &flops);
    assert_true(bytes >= 4 * INT64_C(3200000000));
    const ww_parallel second = {.communicator = MPI_COMM_NULL, .rank = 1, .size = 2};
    const ww_grid none = ww_grid_describe(&second, 1, 1);
    ww_spectrum_cost(20000, 32, WW_EIGENSOLVER_SCALAPACK, true, &none, &bytes, &flops);
    assert_true(bytes < 1000000 && flops == 0.0);
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    start_ranks();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(solutions_are_those_of_lapack),
        cmocka_unit_test(solutions_solve),
        cmocka_unit_test(samples_that_coincide_are_told),
        cmocka_unit_test(forms_of_labels_in_the_range_are_finite),
        cmocka_unit_test(a_matrix_of_zeroes_is_solved),
        cmocka_unit_test(ranks_end_a_search_together),
        cmocka_unit_test(not_a_number_is_seen),
        cmocka_unit_test(norms_and_products_are_right),
        cmocka_unit_test(a_matrix_of_zeroes_has_no_norm),
        cmocka_unit_test(costs_do_not_fall_below_what_is_held),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    end_ranks();
    MPI_Finalize();
    return failed;
}
