/// Spectra of larger Gram matrices against LAPACK on one rank: minutes of work.
#include "gram_spectrum.h"

static void spectra_are_those_of_lapack(void **state)
{
    (void)state;
    const ww_kernel kernels[] = {{1, 0.0, false}, {3, 0.1, true}};
    const int64_t orders[] = {1000, 4000};
    for (int o = 0; o < 2; o++) {
        double *inputs = new_sphere(orders[o], 50, 21);
        for (int64_t j = 0; j < 50; j++) // a sample given twice
            inputs[700 * 50 + j] = inputs[3 * 50 + j];
        for (int solver = 0; solver < 2; solver++)
            check_spectrum(inputs, orders[o], 50, &kernels[o], (ww_eigensolver)solver, WW_BLOCK);
        free(inputs);
    }
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    start_ranks();
    const struct CMUnitTest tests[] = {cmocka_unit_test(spectra_are_those_of_lapack)};
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    end_ranks();
    MPI_Finalize();
    return failed;
}
