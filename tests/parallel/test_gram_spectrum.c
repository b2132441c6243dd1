/// Spectra of Gram matrices against LAPACK on one rank.
#include "gram_spectrum.h"

#include <stdio.h>

static const ww_kernel relu = {1, 0.0, false};

static void spectra_are_those_of_lapack(void **state)
{
    (void)state;
    double *inputs = new_hard_inputs(150, 30);
    for (int solver = 0; solver < 2; solver++) {
        for (int64_t n = 1; n <= 3; n++)
            check_spectrum(inputs, n, 30, &relu, (ww_eigensolver)solver, 8);
        check_spectrum(inputs, 65, 30, &relu, (ww_eigensolver)solver, 32);
        check_spectrum(inputs, 150, 30, &relu, (ww_eigensolver)solver, 8);
        check_spectrum(inputs, 150, 30, &relu, (ww_eigensolver)solver, 32);
    }
    free(inputs);
    inputs = new_sphere(200, 10, 7);
    for (int solver = 0; solver < 2; solver++)
        check_spectrum(inputs, 200, 10, &relu, (ww_eigensolver)solver, 16);
    free(inputs);
}

static void a_solver_that_is_not_there_is_refused(void **state)
{
    (void)state;
    if (ww_eigensolver_available(WW_EIGENSOLVER_ELPA))
        skip();
    ww_error error = {0};
    ww_grid grid = {0};
    ww_spectrum spectrum = {0};
    double *inputs = new_sphere(40, 5, 1);
    ww_gram_limit limit = {&relu, inputs, 40, 5};
    assert_int_equal(ww_grid_create(&world, 0, 0, &grid, &error), WW_OK);
    assert_int_equal(ww_spectrum_compute(ww_gram_limit_fill, &limit, &grid, 40, 8,
                                         WW_EIGENSOLVER_ELPA, true, &spectrum, &error),
                     WW_USAGE);
    assert_non_null(strstr(error.message, "WIDTHWISE_ELPA"));
    ww_grid_free(&grid);
    free(inputs);
}

static void projections_and_combinations_are_inverse(void **state)
{
    (void)state;
    enum { N = 130, D = 12, C = 3 };
    double *inputs = new_sphere(N, D, 2);
    double *y = new_normals(N * C, 3);
    double *expected = new_doubles(N * C), *out = new_doubles(N * C), *back = new_doubles(N * C);
    for (int s = 0; s < grid_shape_count(); s++) {
        ww_error error = {0};
        ww_grid grid = {0};
        ww_spectrum spectrum = {0};
        ww_gram_limit limit = {&relu, inputs, N, D};
        create_grid(s, &grid);
        assert_int_equal(ww_spectrum_compute(ww_gram_limit_fill, &limit, &grid, N, 16,
                                             WW_EIGENSOLVER_SCALAPACK, true, &spectrum, &error),
                         WW_OK);
        double *vectors = new_doubles((int64_t)N * N); // row j is v_j
        gather_vectors(&spectrum, vectors);
        for (int64_t j = 0; j < N; j++)
            for (int64_t c = 0; c < C; c++) {
                expected[j * C + c] = 0.0;
                for (int64_t i = 0; i < N; i++)
                    expected[j * C + c] += vectors[j * N + i] * y[i * C + c];
            }
        assert_int_equal(ww_spectrum_project(&spectrum, y, C, out, &error), WW_OK);
        assert_true(largest_difference(out, expected, N * C) <= 1e-13);
        assert_int_equal(ww_spectrum_combine(&spectrum, out, C, back, &error), WW_OK);
        assert_true(largest_difference(back, y, N * C) <= 1e-13);
        free(vectors);
        ww_spectrum_free(&spectrum);
        ww_grid_free(&grid);
    }
    free(inputs);
    free(y);
    free(expected);
    free(out);
    free(back);
}

static void slabs_hold_the_vectors_and_give_them_back(void **state)
{
    (void)state;
    const int64_t orders[] = {1, 2, 10, 61, 130};
    for (size_t o = 0; o < sizeof orders / sizeof orders[0]; o++) {
        const int64_t n = orders[o];
        ww_error error = {0};
        ww_grid grid = {0};
        ww_spectrum spectrum = {0}, again = {0};
        double *inputs = new_sphere(n, 12, 2);
        ww_gram_limit limit = {&relu, inputs, n, 12};
        create_grid(0, &grid);
        assert_int_equal(ww_spectrum_compute(ww_gram_limit_fill, &limit, &grid, n, 8,
                                             WW_EIGENSOLVER_SCALAPACK, true, &spectrum, &error),
                         WW_OK);
        int64_t next = 0, first = 0, count = 0;
        for (int rank = 0; rank < world.size; rank++) { // the slabs follow each other
            ww_spectrum_slab(n, rank, world.size, &first, &count);
            assert_int_equal(first, next);
            next += count;
        }
        assert_int_equal(next, n);
        ww_spectrum_slab(n, world.rank, world.size, &first, &count);
        double *slab = new_doubles(count * n), *before = new_doubles(count * n);
        double *vectors = new_doubles(n * n), *restored = new_doubles(n * n);
        gather_vectors(&spectrum, vectors);
        assert_int_equal(ww_spectrum_to_slab(&spectrum, slab, &error), WW_OK);
        for (int64_t i = 0; i < count * n; i++)
            assert_true(slab[i] == vectors[first * n + i]);
        memcpy(before, slab, (size_t)(count * n) * sizeof *slab);
        assert_int_equal(ww_spectrum_from_slab(&grid, n, 5, spectrum.values, slab, &again, &error),
                         WW_OK);
        gather_vectors(&again, restored);
        assert_memory_equal(vectors, restored, (size_t)(n * n) * sizeof *vectors);
        assert_memory_equal(before, slab, (size_t)(count * n) * sizeof *slab);
        assert_memory_equal(again.values, spectrum.values, (size_t)n * sizeof(double));
        free(slab);
        free(before);
        free(vectors);
        free(restored);
        free(inputs);
        ww_spectrum_free(&spectrum);
        ww_spectrum_free(&again);
        ww_grid_free(&grid);
    }
}

/// A fill that fails on one rank, or leaves what is not a number.
typedef struct broken {
    int failing_rank;
    bool not_finite;
} broken;

static ww_status broken_fill(void *context, ww_block_matrix *matrix, ww_error *error)
{
    const broken *self = context;
    const ww_parallel *parallel = &matrix->grid->parallel;
    ww_status status = WW_OK;
    if (parallel->rank == self->failing_rank)
        status = ww_fail(error, WW_FAILED, "this rank cannot");
    for (int64_t i = 0; i < matrix->leading * matrix->local_columns; i++)
        matrix->entries[i] = self->not_finite ? (double)NAN : 1.0;
    return ww_agree(parallel, status, error);
}

static void what_fails_in_a_fill_is_told_on_all(void **state)
{
    (void)state;
    ww_grid grid = {0};
    create_grid(0, &grid);
    for (int rank = 0; rank < world.size; rank++) {
        ww_error error = {0};
        ww_spectrum spectrum = {0};
        ww_gram_solution solution = {0};
        const broken bad = {.failing_rank = rank};
        assert_int_equal(ww_spectrum_compute(broken_fill, (void *)&bad, &grid, 20, 4,
                                             WW_EIGENSOLVER_SCALAPACK, true, &spectrum, &error),
                         WW_FAILED);
        assert_string_equal(error.message, "this rank cannot");
        assert_null(spectrum.values);
        assert_int_equal(
            ww_gram_solve(broken_fill, (void *)&bad, &grid, 20, 4, NULL, 0, &solution, &error),
            WW_FAILED);
        assert_null(solution.least_vector);
    }
    ww_error error = {0};
    ww_gram_solution solution = {0};
    const broken bad = {.failing_rank = -1, .not_finite = true};
    assert_int_equal(
        ww_gram_solve(broken_fill, (void *)&bad, &grid, 20, 4, NULL, 0, &solution, &error),
        WW_FAILED);
    assert_non_null(strstr(error.message, "not finite"));
    ww_grid_free(&grid);
}

static void grids_on_parts_of_the_ranks_work_at_once(void **state)
{
    (void)state;
    ww_error error = {0};
    ww_parallel part = {0};
    ww_grid grid = {0};
    ww_spectrum spectrum = {0};
    assert_int_equal(ww_parallel_split(&world, world.rank % 2, &part, &error), WW_OK);
    assert_int_equal(ww_grid_create(&part, 0, 0, &grid, &error), WW_OK);
    const int64_t n = 60 + 10 * (world.rank % 2);
    double *inputs = new_sphere(n, 9, (uint32_t)(world.rank % 2));
    ww_gram_limit limit = {&relu, inputs, n, 9};
    assert_int_equal(ww_spectrum_compute(ww_gram_limit_fill, &limit, &grid, n, 8,
                                         WW_EIGENSOLVER_SCALAPACK, true, &spectrum, &error),
                     WW_OK);
    assert_true(spectrum.residual <= 1e-13 * (double)n);
    ww_spectrum_free(&spectrum);
    ww_grid_free(&grid);
    ww_parallel_destroy(&part);
    free(inputs);
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    start_ranks();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spectra_are_those_of_lapack),
        cmocka_unit_test(a_solver_that_is_not_there_is_refused),
        cmocka_unit_test(projections_and_combinations_are_inverse),
        cmocka_unit_test(slabs_hold_the_vectors_and_give_them_back),
        cmocka_unit_test(what_fails_in_a_fill_is_told_on_all),
        cmocka_unit_test(grids_on_parts_of_the_ranks_work_at_once),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    end_ranks();
    MPI_Finalize();
    return failed;
}
