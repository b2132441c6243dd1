/// One piece of work on a Gram matrix of samples in a file, timed. Run by gram.py.
///
///     mpirun -n P bench_gram assembly|spectrum|elpa|values|solve FILE n d BLOCK ROWS COLUMNS
///
/// FILE holds n x d doubles. Prints a line of names and numbers on rank 0.
#include "widthwise/gram.h"
#include "widthwise/memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct task {
    const char *name;
    ww_gram_limit limit;
    ww_grid grid;
    int64_t block;
} task;

static int failed(const ww_error *error)
{
    (void)fprintf(stderr, "%s\n", error->message);
    return 1;
}

static int assembly(task *self, bool print)
{
    ww_error error = {0};
    ww_block_matrix matrix = {0};
    const int64_t n = self->limit.count;
    if (ww_block_matrix_create(&self->grid, n, n, self->block, &matrix, &error) != WW_OK)
        return failed(&error);
    MPI_Barrier(self->grid.parallel.communicator);
    const double begin = MPI_Wtime();
    if (ww_gram_limit_fill(&self->limit, &matrix, &error) != WW_OK)
        return failed(&error);
    MPI_Barrier(self->grid.parallel.communicator);
    if (print)
        printf("seconds %.4f\n", MPI_Wtime() - begin);
    ww_block_matrix_free(&matrix);
    return 0;
}

static int spectrum(task *self, ww_eigensolver solver, bool with_vectors, bool print)
{
    ww_error error = {0};
    ww_spectrum found = {0};
    if (ww_spectrum_compute(ww_gram_limit_fill, &self->limit, &self->grid, self->limit.count,
                            self->block, solver, with_vectors, &found, &error) != WW_OK)
        return failed(&error);
    if (print)
        printf("seconds %.3f fill %.3f check %.3f residual %.2e orthogonality %.2e largest %.6e "
               "least %.6e\n",
               found.solve_seconds, found.fill_seconds, found.check_seconds, found.residual,
               found.orthogonality, found.values[0], found.values[found.order - 1]);
    ww_spectrum_free(&found);
    return 0;
}

static int solve(task *self, bool print)
{
    ww_error error = {0};
    ww_gram_solution found = {0};
    const int64_t n = self->limit.count;
    double *y = calloc((size_t)n, sizeof *y);
    if (y == NULL)
        return 1;
    for (int64_t i = 0; i < n; i++)
        y[i] = i % 3 == 0 ? 1.0 : -1.0;
    const double begin = MPI_Wtime();
    if (ww_gram_solve(ww_gram_limit_fill, &self->limit, &self->grid, n, self->block, y, 1, &found,
                      &error) != WW_OK)
        return failed(&error);
    double peak = (double)ww_peak_memory() / 1073741824.0;
    if (ww_maximum(&self->grid.parallel, &peak, 1, &error) != WW_OK)
        return failed(&error);
    if (print)
        printf("seconds %.2f fill %.2f factor %.2f solve %.2f check %.2f peak_GiB %.3f definite %d "
               "largest %.6e least %.6e least_residual %.2e residual %.2e form %.6e\n",
               MPI_Wtime() - begin, found.fill_seconds, found.factor_seconds, found.solve_seconds,
               found.check_seconds, peak, (int)found.positive_definite, found.greatest, found.least,
               found.least_residual, found.residuals[0], found.quadratic_forms[0]);
    ww_gram_solution_free(&found);
    free(y);
    return 0;
}

static int work(task *self, bool print)
{
    if (strcmp(self->name, "assembly") == 0)
        return assembly(self, print);
    if (strcmp(self->name, "spectrum") == 0)
        return spectrum(self, WW_EIGENSOLVER_SCALAPACK, true, print);
    if (strcmp(self->name, "values") == 0)
        return spectrum(self, WW_EIGENSOLVER_SCALAPACK, false, print);
    if (strcmp(self->name, "elpa") == 0)
        return spectrum(self, WW_EIGENSOLVER_ELPA, true, print);
    return solve(self, print);
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    if (argc != 8) {
        (void)fprintf(stderr, "usage: bench_gram TASK FILE n d BLOCK ROWS COLUMNS\n");
        return 2;
    }
    static const ww_kernel kernel = {1, 0.0, false};
    ww_error error = {0};
    ww_parallel world = {0};
    task self = {.name = argv[1], .block = strtoll(argv[5], NULL, 10)};
    self.limit =
        (ww_gram_limit){&kernel, NULL, strtoll(argv[3], NULL, 10), strtoll(argv[4], NULL, 10)};
    // Mapped, so that the ranks share it.
    const size_t bytes = (size_t)(self.limit.count * self.limit.dimension) * sizeof(double);
    const int file = open(argv[2], O_RDONLY | O_CLOEXEC);
    void *inputs = mmap(NULL, bytes, PROT_READ, MAP_SHARED, file, 0);
    if (file < 0 || inputs == MAP_FAILED) {
        perror(argv[2]);
        return 1;
    }
    self.limit.inputs = inputs;
    if (ww_parallel_create(MPI_COMM_WORLD, &world, &error) != WW_OK ||
        ww_grid_create(&world, (int)strtol(argv[6], NULL, 10), (int)strtol(argv[7], NULL, 10),
                       &self.grid, &error) != WW_OK)
        return failed(&error);
    const int result = work(&self, world.rank == 0);
    if (result != 0)
        MPI_Abort(MPI_COMM_WORLD, result);
    ww_grid_free(&self.grid);
    ww_parallel_destroy(&world);
    (void)munmap(inputs, bytes);
    (void)close(file);
    MPI_Finalize();
    return result;
}
