/// The kernel of the infinitely wide network, against quadruple precision.
#include "gram_support.h"

#include <quadmath.h>
#include <stdio.h>

__extension__ typedef __float128 quad;

static ww_parallel alone;

static const double ACCURACY = 1e-14; // of ||x|| ||y|| times the layers
enum { SAMPLES = 70, DIMENSION = 50 };

static const ww_kernel kernels[] = {
    {1, 0.0, false},  {1, 0.1, false}, {1, 1.0, false}, {1, 0.0, true},  {2, 0.0, false},
    {3, 0.0, false},  {5, 0.0, false}, {2, 0.0, true},  {3, 0.0, true},  {5, 0.0, true},
    {2, 0.01, false}, {3, 0.3, true},  {5, 0.1, true},  {5, 1.0, false}, {20, 0.0, true},
};
enum { KERNELS = sizeof kernels / sizeof kernels[0] };

static quad pi_quad(void)
{
    return acosq(-1);
}

/// Covariance of two derivatives, and of two activations of units with correlation `cosine`.
static quad derivatives(quad slope, quad angle)
{
    return slope + (1 - slope) * (1 - slope) * (pi_quad() - angle) / (2 * pi_quad());
}

static quad activations(quad slope, quad cosine, quad angle)
{
    return slope * cosine + (1 - slope) * (1 - slope) *
                                (sinq(angle) + (pi_quad() - angle) * cosine) / (2 * pi_quad());
}

/// The definition of kernel.h, layer by layer, each term of the sum for itself.
static quad reference(const ww_kernel *kernel, const double *x, const double *y, int dimension)
{
    enum { MOST = 64 };
    const quad slope = kernel->negative_slope;
    quad xx = 0, yy = 0, xy = 0;
    for (int j = 0; j < dimension; j++) {
        xx += (quad)x[j] * x[j];
        yy += (quad)y[j] * y[j];
        xy += (quad)x[j] * y[j];
    }
    if (xx == 0 || yy == 0)
        return 0;
    quad cosines[MOST], angles[MOST];
    cosines[0] = xy / sqrtq(xx) / sqrtq(yy);
    for (int64_t l = 0; l < kernel->depth; l++) {
        cosines[l] = fminq(fmaxq(cosines[l], -1), 1);
        angles[l] = acosq(cosines[l]);
        cosines[l + 1] = activations(slope, cosines[l], angles[l]) * 2 / (1 + slope * slope);
    }
    quad sum = 0;
    for (int64_t l = kernel->all_layers ? 1 : kernel->depth; l <= kernel->depth; l++) {
        quad term = cosines[l - 1];
        for (int64_t above = l; above < kernel->depth; above++)
            term *= derivatives(slope, angles[above - 1]) / derivatives(slope, 0);
        sum += term * derivatives(slope, angles[kernel->depth - 1]);
    }
    return sqrtq(xx) * sqrtq(yy) * sum;
}

static double norm(const double *x)
{
    double square = 0.0;
    for (int j = 0; j < DIMENSION; j++)
        square += x[j] * x[j];
    return sqrt(square);
}

/// Largest error over all pairs, relative to ||x|| ||y|| and the layers.
static double largest_error(const ww_kernel *kernel, const double *inputs, int64_t count,
                            const double *matrix)
{
    double largest = 0.0;
    for (int64_t i = 0; i < count; i++)
        for (int64_t j = 0; j <= i; j++) {
            const double *x = inputs + i * DIMENSION, *y = inputs + j * DIMENSION;
            const quad expected = reference(kernel, x, y, DIMENSION);
            const double size =
                norm(x) * norm(y) * (kernel->all_layers ? (double)kernel->depth : 1);
            const double error = (double)fabsq(expected - (quad)matrix[i * count + j]);
            if (size == 0.0)
                assert_true(matrix[i * count + j] == 0.0);
            else if (!(error / size <= largest))
                largest = error / size;
        }
    return largest;
}

/// H on one rank, both triangles.
static double *new_limit(const ww_kernel *kernel, const double *inputs, int64_t count,
                         int64_t dimension, ww_status expected)
{
    ww_error error = {0};
    ww_grid grid = {0};
    ww_block_matrix matrix = {0};
    const ww_gram_limit limit = {kernel, inputs, count, dimension};
    double *full = new_doubles(count * count);
    assert_int_equal(ww_grid_create(&alone, 0, 0, &grid, &error), WW_OK);
    assert_int_equal(ww_block_matrix_create(&grid, count, count, 32, &matrix, &error), WW_OK);
    for (int64_t i = 0; i < count * count; i++)
        matrix.entries[i] = (double)NAN; // what was there does not matter
    assert_int_equal(ww_gram_limit_fill((void *)&limit, &matrix, &error), expected);
    gather_lower(&matrix, full);
    ww_block_matrix_free(&matrix);
    ww_grid_free(&grid);
    return full;
}

static void assembled_entries_are_right(void **state)
{
    (void)state;
    double *inputs = new_hard_inputs(SAMPLES, DIMENSION);
    for (int k = 0; k < KERNELS; k++) {
        double *matrix = new_limit(&kernels[k], inputs, SAMPLES, DIMENSION, WW_OK);
        const double error = largest_error(&kernels[k], inputs, SAMPLES, matrix);
        if (error > ACCURACY)
            fail_msg("depth %d slope %g: error %g", (int)kernels[k].depth,
                     kernels[k].negative_slope, error);
        free(matrix);
    }
    free(inputs);
}

static void the_plain_function_is_right(void **state)
{
    (void)state;
    double *inputs = new_hard_inputs(SAMPLES, DIMENSION);
    double *matrix = new_doubles(SAMPLES * SAMPLES);
    for (int k = 0; k < KERNELS; k++) {
        for (int64_t i = 0; i < SAMPLES; i++)
            for (int64_t j = 0; j < SAMPLES; j++)
                matrix[i * SAMPLES + j] = ww_kernel_value(&kernels[k], inputs + i * DIMENSION,
                                                          inputs + j * DIMENSION, DIMENSION);
        assert_true(largest_error(&kernels[k], inputs, SAMPLES, matrix) <= ACCURACY);
    }
    free(matrix);
    free(inputs);
}

static void samples_that_coincide_make_equal_rows(void **state)
{
    (void)state;
    double *inputs = new_hard_inputs(SAMPLES, DIMENSION);
    for (int k = 0; k < KERNELS; k++) {
        double *matrix = new_limit(&kernels[k], inputs, SAMPLES, DIMENSION, WW_OK);
        const double *base = matrix + 3 * SAMPLES;
        assert_true(matrix[20 * SAMPLES + 3] == base[3]); // itself
        assert_true(matrix[20 * SAMPLES + 20] == base[3]);
        assert_true(matrix[21 * SAMPLES + 3] == 2.0 * base[3]); // twice
        assert_true(matrix[21 * SAMPLES + 21] == 4.0 * base[3]);
        assert_true(fabs(matrix[22 * SAMPLES + 3] - 3.0 * base[3]) <= 4e-16 * 3.0 * base[3]);
        for (int64_t j = 0; j < SAMPLES; j++) {
            assert_true(matrix[20 * SAMPLES + j] == base[j]);
            assert_true(matrix[25 * SAMPLES + j] == 0.0); // the zero vector
        }
        free(matrix);
    }
    free(inputs);
}

static void diagonal_and_opposite_entries_are_exact(void **state)
{
    (void)state;
    const double inputs[] = {3.0, 4.0, -3.0, -4.0, 0.6, 0.8, 1.0, 0.0};
    const ww_kernel relu = {1, 0.0, false};
    double *matrix = new_limit(&relu, inputs, 4, 2, WW_OK);
    assert_true(matrix[0] == 12.5);
    assert_true(matrix[1] == 0.0);
    assert_true(matrix[5] == 12.5);
    assert_true(matrix[15] == 0.5);
    free(matrix);
    const ww_kernel leaky = {1, 0.5, false};
    matrix = new_limit(&leaky, inputs, 4, 2, WW_OK);
    assert_true(matrix[0] == 25.0 * 1.25 / 2.0);
    assert_true(matrix[1] == -25.0 * 0.5);
    free(matrix);
}

static void depth_one_is_equation_three(void **state)
{
    (void)state;
    const double angle = 1.1;
    const double inputs[] = {1.0, 0.0, cos(angle), sin(angle)};
    const double pi = 3.14159265358979323846;
    for (int all = 0; all <= 1; all++) {
        const ww_kernel kernel = {1, 0.0, all != 0};
        const double value = ww_kernel_value(&kernel, inputs, inputs + 2, 2);
        assert_true(fabs(value - cos(angle) * (pi - angle) / (2.0 * pi)) <= 1e-16);
    }
}

static void any_size_of_input_will_do(void **state)
{
    (void)state;
    const double scales[] = {1e-139, 1e-100, 1e100, 1e150};
    const ww_kernel kernel = {1, 0.0, false};
    double *inputs = new_normals(SAMPLES * DIMENSION, 5);
    double *expected = new_limit(&kernel, inputs, SAMPLES, DIMENSION, WW_OK);
    double *scaled = new_doubles(SAMPLES * DIMENSION);
    for (size_t s = 0; s < sizeof scales / sizeof scales[0]; s++) {
        for (int64_t i = 0; i < SAMPLES * DIMENSION; i++)
            scaled[i] = scales[s] * inputs[i];
        double *matrix = new_limit(&kernel, scaled, SAMPLES, DIMENSION, WW_OK);
        for (int64_t i = 0; i < SAMPLES * SAMPLES; i++) {
            const double value = expected[i] * scales[s] * scales[s];
            assert_true(fabs(matrix[i] - value) <=
                        1e-13 * fabs(expected[0]) * scales[s] * scales[s] + 1e-320);
        }
        free(matrix);
    }
    const double too_far[] = {1e-160, 1e155}; // squares vanish, or have no doubles
    for (size_t s = 0; s < sizeof too_far / sizeof too_far[0]; s++) {
        for (int64_t i = 0; i < SAMPLES * DIMENSION; i++)
            scaled[i] = too_far[s] * inputs[i];
        free(new_limit(&kernel, scaled, SAMPLES, DIMENSION, WW_USAGE));
    }
    for (int64_t i = 0; i < SAMPLES * DIMENSION; i++)
        scaled[i] = 0.0; // which is another matter
    free(new_limit(&kernel, scaled, SAMPLES, DIMENSION, WW_OK));
    free(scaled);
    free(expected);
    free(inputs);
}

static void a_fill_can_be_taken_away(void **state)
{
    (void)state;
    ww_error error = {0};
    ww_grid grid = {0};
    ww_block_matrix matrix = {0};
    const ww_kernel kernel = {1, 0.0, false};
    double *inputs = new_sphere(40, 10, 3);
    const ww_gram_limit limit = {&kernel, inputs, 40, 10};
    assert_int_equal(ww_grid_create(&alone, 0, 0, &grid, &error), WW_OK);
    assert_int_equal(ww_block_matrix_create(&grid, 40, 40, 7, &matrix, &error), WW_OK);
    for (int64_t i = 0; i < 1600; i++)
        matrix.entries[i] = (double)i;
    assert_int_equal(ww_gram_limit_subtract(&limit, &matrix, &error), WW_OK);
    for (int64_t i = 0; i < 40; i++)
        for (int64_t j = 0; j < 40; j++) {
            const double before = (double)(j * 40 + i);
            const double value = ww_kernel_value(&kernel, inputs + i * 10, inputs + j * 10, 10);
            const double expected = i >= j ? before - value : before;
            assert_true(fabs(matrix.entries[j * 40 + i] - expected) <= 1e-12);
        }
    ww_block_matrix_free(&matrix);
    assert_int_equal(ww_block_matrix_create(&grid, 39, 39, 7, &matrix, &error), WW_OK);
    assert_int_equal(ww_gram_limit_fill((void *)&limit, &matrix, &error), WW_USAGE);
    ww_block_matrix_free(&matrix);
    ww_grid_free(&grid);
    free(inputs);
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    ww_error error = {0};
    if (ww_parallel_create(MPI_COMM_SELF, &alone, &error) != WW_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(assembled_entries_are_right),
        cmocka_unit_test(the_plain_function_is_right),
        cmocka_unit_test(samples_that_coincide_make_equal_rows),
        cmocka_unit_test(diagonal_and_opposite_entries_are_exact),
        cmocka_unit_test(depth_one_is_equation_three),
        cmocka_unit_test(any_size_of_input_will_do),
        cmocka_unit_test(a_fill_can_be_taken_away),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    ww_parallel_destroy(&alone);
    MPI_Finalize();
    return failed;
}
