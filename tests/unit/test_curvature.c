// The curvature that step sizes are held against, beside the kernel of a wide network made weight
// by weight.

#include "cmocka_all.h"
#include "small_problem.h"
#include "widthwise/theory.h"

#include <string.h>

enum { SAMPLES = 6, INPUTS = 5, OUTPUTS = 3, WIDTH = 1500, MOST_DEPTH = 3 };

// One sample's way through the network, for one output.
typedef struct pass {
    double inputs[MOST_DEPTH][WIDTH];      // of each layer
    double derivatives[MOST_DEPTH][WIDTH]; // of the output by its pre-activations
} pass;

static int64_t columns_of(int64_t layer)
{
    return layer == 1 ? INPUTS : WIDTH;
}

static double *draw_layer(const ww_config *config, int64_t layer)
{
    double *weights = malloc((size_t)(WIDTH * columns_of(layer)) * sizeof *weights);
    assert_non_null(weights);
    ww_drawn_layer_weights(config, layer, columns_of(layer), 0, WIDTH, weights);
    return weights;
}

static void forward(const ww_config *config, double *const *weights, const double *input,
                    double slopes[MOST_DEPTH][WIDTH], pass *made)
{
    const int64_t depth = config->network.depth;
    memcpy(made->inputs[0], input, INPUTS * sizeof *input);
    for (int64_t l = 0; l < depth; l++) {
        const int64_t columns = columns_of(l + 1);
        for (int64_t r = 0; r < WIDTH; r++) {
            const double z = small_dot(weights[l] + r * columns, made->inputs[l], columns);
            slopes[l][r] = z >= 0.0 ? 1.0 : ww_negative_slope(config);
            if (l + 1 < depth)
                made->inputs[l + 1][r] = slopes[l][r] * z;
        }
    }
}

static void backward(int64_t depth, double *const *weights, const double *output_weights,
                     int64_t output, double slopes[MOST_DEPTH][WIDTH], pass *made)
{
    for (int64_t r = 0; r < WIDTH; r++)
        made->derivatives[depth - 1][r] =
            output_weights[r * OUTPUTS + output] * slopes[depth - 1][r];
    for (int64_t l = depth - 1; l > 0; l--) {
        double *below = made->derivatives[l - 1];
        memset(below, 0, sizeof made->derivatives[0]);
        for (int64_t r = 0; r < WIDTH; r++)
            for (int64_t j = 0; j < WIDTH; j++)
                below[j] += made->derivatives[l][r] * weights[l][r * WIDTH + j];
        for (int64_t j = 0; j < WIDTH; j++)
            below[j] *= slopes[l - 1][j];
    }
}

// Largest eigenvalue of a symmetric positive matrix, by the power method.
static double largest_eigenvalue(const double *matrix, int64_t n)
{
    double vector[SAMPLES * OUTPUTS];
    double product[SAMPLES * OUTPUTS];
    double norm = 0.0;
    for (int64_t i = 0; i < n; i++)
        vector[i] = 1.0 + 0.1 * (double)i;
    for (int step = 0; step < 500; step++) {
        for (int64_t i = 0; i < n; i++)
            product[i] = small_dot(matrix + i * n, vector, n);
        norm = sqrt(small_dot(product, product, n));
        for (int64_t i = 0; i < n; i++)
            vector[i] = product[i] / norm;
    }
    return norm;
}

// That of the network's own kernel, all outputs and hidden layers.
static double largest_of_network(const small_problem *small)
{
    const ww_config *config = small->problem.config;
    const int64_t depth = config->network.depth;
    double *weights[MOST_DEPTH] = {NULL};
    static double output_weights[WIDTH * OUTPUTS];
    static double slopes[MOST_DEPTH][WIDTH];
    static pass passes[SAMPLES * OUTPUTS];
    static double kernel[SAMPLES * OUTPUTS * SAMPLES * OUTPUTS];
    for (int64_t l = 0; l < depth; l++)
        weights[l] = draw_layer(config, l + 1);
    ww_drawn_output_weights(config, OUTPUTS, 0, WIDTH, output_weights);
    for (int64_t i = 0; i < SAMPLES * OUTPUTS; i++) {
        forward(config, weights, small->data.train.inputs + i / OUTPUTS * INPUTS, slopes,
                &passes[i]);
        backward(depth, weights, output_weights, i % OUTPUTS, slopes, &passes[i]);
    }
    for (int64_t i = 0; i < SAMPLES * OUTPUTS; i++)
        for (int64_t j = 0; j < SAMPLES * OUTPUTS; j++) {
            double sum = 0.0;
            for (int64_t l = 0; l < depth; l++)
                sum += small_dot(passes[i].derivatives[l], passes[j].derivatives[l], WIDTH) *
                       small_dot(passes[i].inputs[l], passes[j].inputs[l], columns_of(l + 1));
            kernel[i * SAMPLES * OUTPUTS + j] = sum;
        }
    for (int64_t l = 0; l < depth; l++)
        free(weights[l]);
    return largest_eigenvalue(kernel, SAMPLES * OUTPUTS);
}

// The curvature of half the mean of squares is lambda_max / n.
static void compare(const char *const *settings, size_t count)
{
    small_problem small;
    ww_error error = {0};
    double curvature = 0.0;
    if (!small_problem_make(&small, MPI_COMM_SELF, settings, count, SAMPLES, 4, INPUTS, OUTPUTS,
                            &error))
        fail_msg("%s", error.message);
    assert_int_equal(small.data.outputs, OUTPUTS);
    assert_int_equal(
        ww_theory_curvature(small.problem.config, &small.data, SAMPLES, &curvature, &error), WW_OK);
    const double expected = largest_of_network(&small) / SAMPLES;
    if (!(fabs(curvature - expected) < 0.15 * expected))
        fail_msg("%s: curvature %g, but the network has %g", settings[count - 1], curvature,
                 expected);
    small_problem_free(&small);
}

static void test_kernel_of_the_network(void **state)
{
    (void)state;
    // Weights that keep norms, and others; outputs of other sizes; a slope.
    static const char *const settings[][4] = {
        {"network.hidden.std=1.4142135623730951", "network.output.scale=1", "network.depth=1",
         "network.activation.kind=relu"},
        {"network.hidden.std=1.4142135623730951", "network.output.scale=1", "network.depth=2",
         "network.activation.kind=relu"},
        {"network.hidden.std=1.4142135623730951", "network.output.scale=3", "network.depth=3",
         "network.activation.kind=relu"},
        {"network.hidden.std=1.0", "network.output.scale=1", "network.depth=3",
         "network.activation.kind=relu"},
        {"network.hidden.std=1.7", "network.output.scale=1", "network.depth=2",
         "network.activation={kind: leaky-relu, slope: 0.3}"},
    };
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        const char *const all[] = {
            "model=zou-gu", "data.source=mixture", "data.mixture.classes=3", "network.width=1500",
            settings[i][0], settings[i][1],        settings[i][3],           settings[i][2]};
        compare(all, sizeof all / sizeof all[0]);
    }
}

int main(int count, char **words)
{
    MPI_Init(&count, &words);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kernel_of_the_network)};
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
