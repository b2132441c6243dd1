// The kernel of the network at t = 0 and its gradient regions, against plain loops and limits.

#include "cmocka_all.h"
#include "measured_layers.h"
#include "small_problem.h"

#include "measure/gradient_regions.h"
#include "measure/network_kernel.h"
#include "widthwise/gram.h"
#include "widthwise/kernel.h"
#include "widthwise/random.h"

enum { DIMENSION = 6 };

static void assert_close(double value, double expected, double tolerance)
{
    if (!(fabs(value - expected) <= tolerance))
        fail_msg("%.17g is not within %g of %.17g", value, tolerance, expected);
}

typedef struct setting {
    small_problem small;
    ww_engine *engine;
    plain_layers plain;
    ww_measure_plan *plan;
    double *values;
} setting;

// Train samples of norm 1 in general position, the last one nearly opposite to the first.
static void scatter(ww_samples *samples)
{
    ww_normals((ww_stream){.seed = 5, .purpose = WW_DRAW_TRAIN_INPUTS}, 0,
               (size_t)(samples->count * DIMENSION), samples->inputs);
    for (int64_t s = 0; s < samples->count; s++) {
        double *x = samples->inputs + s * DIMENSION;
        for (int64_t j = 0; s == samples->count - 1 && j < DIMENSION; j++)
            x[j] = 0.05 * x[j] - samples->inputs[j];
        const double norm = sqrt(small_dot(x, x, DIMENSION));
        for (int64_t j = 0; j < DIMENSION; j++)
            x[j] /= norm;
    }
}

static void begin(setting *self, const char *const *settings, size_t count, int64_t samples,
                  int64_t classes)
{
    ww_error error = {0};
    *self = (setting){.engine = NULL};
    if (!small_problem_make(&self->small, MPI_COMM_WORLD, settings, count, samples, 2, DIMENSION,
                            classes, &error))
        fail_msg("%s", error.message);
    scatter(&self->small.data.train);
    const ww_problem *problem = &self->small.problem;
    if (ww_measure_plan_make(problem->config, problem->data, &self->plan, &error) != WW_OK)
        fail_msg("%s", error.message);
    assert_int_equal(ww_engine_create(problem, &self->engine, &error), WW_OK);
    self->plain = plain_layers_create(problem);
    plain_layers_read(&self->plain, self->engine);
    self->values = calloc((size_t)ww_measure_final_values(self->plan), sizeof(double));
    double carry[16] = {0.0};
    double loss = 0.0; // results are of t = 0, whatever was done since
    int64_t ignored = 0;
    assert_int_equal(ww_engine_step(self->engine, 0, &ignored, &loss, &error), WW_OK);
    if (ww_measure_finish(self->plan, problem, NULL, self->engine, carry, NULL, NULL, self->values,
                          &error) != WW_OK)
        fail_msg("%s", error.message);
}

static void end(setting *self)
{
    free(self->values);
    plain_layers_free(&self->plain);
    ww_engine_free(self->engine);
    ww_measure_plan_free(self->plan);
    small_problem_free(&self->small);
}

// Products of the gradients of all outputs on all samples, [n k, n k].
static double *plain_kernel(const plain_layers *plain)
{
    const ww_problem *problem = plain->problem;
    const int64_t k = problem->outputs, m = plain->width;
    const int64_t order = problem->data->train.count * k;
    plain_pass *passes = calloc((size_t)order, sizeof *passes);
    double *gradient = calloc((size_t)k, sizeof(double));
    double *kernel = calloc((size_t)(order * order), sizeof(double));
    for (int64_t row = 0; row < order; row++) {
        plain_pass_create(plain, &passes[row]);
        plain_forward(plain, problem->data->train.inputs + row / k * DIMENSION, &passes[row]);
        memset(gradient, 0, (size_t)k * sizeof(double));
        gradient[row % k] = 1.0;
        plain_backward(plain, gradient, &passes[row]);
        for (int64_t column = 0; column <= row; column++)
            for (int64_t layer = 0; layer < plain->depth; layer++) {
                const double value =
                    small_dot(passes[row].derivatives[layer], passes[column].derivatives[layer],
                              m) *
                    small_dot(passes[row].inputs[layer], passes[column].inputs[layer],
                              plain_columns(plain, layer));
                kernel[row * order + column] += value;
            }
        for (int64_t column = 0; column < row; column++)
            kernel[column * order + row] = kernel[row * order + column];
    }
    for (int64_t row = 0; row < order; row++)
        plain_pass_free(plain, &passes[row]);
    free(passes);
    free(gradient);
    return kernel;
}

// Eigenvalues, rising, into values [order]; the matrix is destroyed.
static void find_eigenvalues(double *matrix, int64_t order, double *values)
{
    const int n = (int)order, size = 40 * n;
    double *work = calloc((size_t)size, sizeof(double));
    int info = 0;
    dsyev_("N", "U", &n, matrix, &n, values, work, &size, &info, 1, 1);
    assert_int_equal(info, 0);
    free(work);
}

static void compare_kernel(const char *const *settings, size_t count, int64_t samples,
                           int64_t classes)
{
    setting self;
    begin(&self, settings, count, samples, classes);
    const ww_problem *problem = &self.small.problem;
    const int64_t order = samples * problem->outputs;
    double *kernel = plain_kernel(&self.plain);
    double *values = calloc((size_t)order, sizeof(double));
    find_eigenvalues(kernel, order, values);
    const double least = values[0], greatest = values[order - 1];
    assert_true(least > 1e-9 * greatest);
    assert_close(self.values[WW_KERNEL_GREATEST] / greatest, 1.0, 1e-12);
    assert_true(fabs(self.values[WW_KERNEL_LEAST] - least) < 1e-12 * greatest);
    const double edge = 2.0 * ww_loss_divisor(problem, samples) / greatest;
    assert_close(self.values[WW_KERNEL_EDGE] / edge, 1.0, 1e-12);
    assert_close(self.values[WW_KERNEL_RATE] * edge / problem->learning_rate, 1.0, 1e-12);
    free(kernel);
    free(values);
    end(&self);
}

static void test_kernel(void **state)
{
    (void)state;
    const char *const one[] = {"model=zou-gu", "data.source=mixture", "network.width=150",
                               "measure.final=[network_kernel]"};
    compare_kernel(one, 4, 9, 2);
    compare_kernel(one, 4, 9, 3);
    const char *const two[] = {
        "model=zou-gu",       "data.source=mixture", "network={width: 140, depth: 2}",
        "loss_reduction=sum", "training.rate=0.01",  "measure.final=[network_kernel]"};
    compare_kernel(two, 6, 7, 3);
    const char *const three[] = {
        "model=zou-gu", "data.source=mixture",
        "network={width: 150, depth: 3, activation: {kind: leaky-relu, slope: 0.3}}",
        "measure.final=[network_kernel]"};
    compare_kernel(three, 4, 8, 2);
    const char *const other_engine[] = {"model=arora", "network.width=150",
                                        "measure.final=[network_kernel]"};
    compare_kernel(other_engine, 3, 9, 2);
}

// Results are as precise as in double: K, whose small eigenvalues single precision hides, and
// regions of directions that it cannot tell apart.
static void test_kernel_of_single_precision(void **state)
{
    (void)state;
    const char *const settings[] = {"model=zou-gu", "data.source=mixture", "precision=single",
                                    "network={width: 150, depth: 3}",
                                    "measure.final=[network_kernel]"};
    compare_kernel(settings, 5, 9, 3);
}

static void test_kernel_of_several_blocks(void **state)
{
    (void)state;
    const char *const settings[] = {"model=zou-gu", "data.source=mixture",
                                    "network={width: 131, depth: 2}",
                                    "measure.final=[network_kernel]"};
    compare_kernel(settings, 4, 180, 3);
}

// The limit that the result has, against the kernel's own function; and how far the network is
// from it.
static double distance_from_limit(const char *width, const char *hidden, int64_t depth,
                                  double variance)
{
    char network[128], layers[64];
    (void)snprintf(network, sizeof network, "network={width: %s, depth: %lld}", width,
                   (long long)depth);
    (void)snprintf(layers, sizeof layers, "network.hidden.std=%s", hidden);
    const char *const settings[] = {
        "model=zou-gu", "data.source=mixture", network,
        layers,         "training.rate=0.1",   "measure.final=[network_kernel]"};
    enum { COUNT = 6 };
    setting self;
    begin(&self, settings, 6, COUNT, 3);
    const ww_kernel infinite = {.depth = depth, .all_layers = true};
    const double *inputs = self.small.data.train.inputs;
    const double m = (double)self.small.problem.tiling.width;
    double limit[COUNT * COUNT], values[COUNT];
    for (int i = 0; i < COUNT; i++)
        for (int j = 0; j < COUNT; j++)
            limit[i * COUNT + j] = m / 3.0 * pow(0.5 * variance, (double)depth - 1.0) *
                                   ww_kernel_value(&infinite, inputs + i * (int64_t)DIMENSION,
                                                   inputs + j * (int64_t)DIMENSION, DIMENSION);
    find_eigenvalues(limit, COUNT, values);
    assert_close(self.values[WW_KERNEL_LIMIT_GREATEST] / values[COUNT - 1], 1.0, 1e-12);
    assert_true(fabs(self.values[WW_KERNEL_LIMIT_LEAST] - values[0]) < 1e-12 * values[COUNT - 1]);
    assert_close(self.values[WW_KERNEL_LIMIT_EDGE] * values[COUNT - 1] / (2.0 * COUNT), 1.0, 1e-12);
    const double off = fabs(self.values[WW_KERNEL_GREATEST] / values[COUNT - 1] - 1.0) +
                       fabs(self.values[WW_KERNEL_LEAST] / values[0] - 1.0);
    end(&self);
    return off;
}

static void test_wide_networks_come_near_the_limit(void **state)
{
    (void)state;
    assert_true(distance_from_limit("4000", "1.4142135623730951", 1, 2.0) < 0.3);
    const double narrow = distance_from_limit("150", "1.4142135623730951", 3, 2.0);
    const double wide = distance_from_limit("3000", "1.4142135623730951", 3, 2.0);
    assert_true(wide < 0.3 && wide < 0.5 * narrow);
    assert_true(distance_from_limit("3000", "1", 2, 1.0) < 0.3);
}

// The regions, unit by unit.
static void compare_regions(const char *const *settings, size_t count, int64_t samples,
                            int64_t classes, bool in_some)
{
    setting self;
    begin(&self, settings, count, samples, classes);
    const ww_problem *problem = &self.small.problem;
    const plain_layers *plain = &self.plain;
    const int64_t m = plain->width, k = problem->outputs, last = plain->depth - 1;
    const int64_t columns = plain_columns(plain, last);
    plain_pass *passes = calloc((size_t)samples, sizeof *passes);
    double *norms = calloc((size_t)samples, sizeof(double));
    double *gradients = calloc((size_t)(samples * k), sizeof(double));
    double nearest = INFINITY;
    for (int64_t s = 0; s < samples; s++) {
        plain_pass_create(plain, &passes[s]);
        plain_forward(plain, problem->data->train.inputs + s * DIMENSION, &passes[s]);
        norms[s] = sqrt(small_dot(passes[s].inputs[last], passes[s].inputs[last], columns));
        problem->loss->gradient(passes[s].outputs, k,
                                ww_target_of(problem, &problem->data->train, s), gradients + s * k);
        plain_backward(plain, gradients + s * k, &passes[s]);
        for (int64_t t = 0; t < s; t++)
            for (double sign = -1.0; sign <= 1.0; sign += 2.0) {
                double square = 0.0;
                for (int64_t j = 0; j < columns; j++) {
                    const double sum = passes[s].inputs[last][j] / norms[s] +
                                       sign * passes[t].inputs[last][j] / norms[t];
                    square += sum * sum;
                }
                nearest = fmin(nearest, sqrt(square));
            }
    }
    const double width = sqrt(acos(-1.0)) * nearest / (8.0 * (double)samples);
    const double deviation = ww_config_hidden_std(problem->config);
    double single = 0.0, in_any = 0.0, in_several = 0.0, square_in = 0.0, square_all = 0.0;
    double *gradient = calloc((size_t)columns, sizeof(double));
    for (int64_t r = 0; r < m; r++) {
        int64_t regions = 0;
        memset(gradient, 0, (size_t)columns * sizeof(double));
        for (int64_t s = 0; s < samples; s++) {
            bool is_in = true;
            for (int64_t t = 0; t < samples; t++) {
                const double along = fabs(passes[t].preactivations[last][r]) / deviation / norms[t];
                is_in = is_in && (t == s ? along <= width : along >= 2.0 * width);
            }
            regions += is_in;
            for (int64_t j = 0; j < columns; j++)
                gradient[j] += passes[s].derivatives[last][r] * passes[s].inputs[last][j];
        }
        single += (double)regions / (double)(samples * m);
        in_any += (double)(regions > 0) / (double)m;
        in_several += regions > 1;
        square_in += regions > 0 ? small_dot(gradient, gradient, columns) : 0.0;
        square_all += small_dot(gradient, gradient, columns);
    }
    assert_close(self.values[WW_REGION_SEPARATION], nearest, 1e-10);
    assert_close(self.values[WW_REGION_WIDTH] / width, 1.0, 1e-9);
    assert_close(self.values[WW_REGION_SINGLE], single, 1e-14);
    assert_close(self.values[WW_REGION_UNION], in_any, 1e-14);
    assert_true(in_several == 0.0 && self.values[WW_REGION_OVERLAP] == 0.0);
    assert_close(self.values[WW_REGION_SHARE], square_in / square_all, 1e-10);
    if ((in_any > 0.0) != in_some)
        fail_msg("%g of the units are in a region", in_any);
    if (in_some)
        assert_close(self.values[WW_REGION_GAIN], (double)samples, 1e-9 * (double)samples);
    else
        assert_true(isnan(self.values[WW_REGION_GAIN]));
    for (int64_t s = 0; s < samples; s++)
        plain_pass_free(plain, &passes[s]);
    free(passes);
    free(norms);
    free(gradients);
    free(gradient);
    end(&self);
}

static void test_regions(void **state)
{
    (void)state;
    const char *const one[] = {"model=zou-gu", "data.source=mixture", "network.width=900",
                               "measure.final=[gradient_regions]"};
    compare_regions(one, 4, 6, 2, true);
    compare_regions(one, 4, 6, 3, true);
    const char *const three[] = {
        "model=zou-gu", "data.source=mixture",
        "network={width: 400, depth: 3, activation: {kind: leaky-relu, slope: 0.1}}",
        "measure.final=[gradient_regions]"};
    compare_regions(three, 4, 5, 3, true);
    const char *const blocks[] = {"model=zou-gu", "data.source=mixture",
                                  "network={width: 200, depth: 2}",
                                  "measure.final=[gradient_regions]"};
    compare_regions(blocks, 4, 530, 2, true);
    const char *const few[] = {"model=zou-gu", "data.source=mixture", "network.width=2",
                               "measure.final=[gradient_regions]"};
    compare_regions(few, 4, 6, 2, false);
    const char *const single[] = {"model=zou-gu", "data.source=mixture", "precision=single",
                                  "network={width: 400, depth: 2}",
                                  "measure.final=[gradient_regions]"};
    compare_regions(single, 5, 6, 2, true);
}

// One sample has no other to be apart from, and so no region.
static void test_no_regions_of_one_sample(void **state)
{
    (void)state;
    const char *const settings[] = {"model=zou-gu", "data.source=mixture",
                                    "network={width: 40, depth: 2}",
                                    "measure.final=[gradient_regions]"};
    setting self;
    begin(&self, settings, 4, 1, 2);
    for (int i = 0; i < WW_REGION_VALUES; i++)
        assert_true(isnan(self.values[i]));
    end(&self);
}

// A region is nearly as large as its slab, at least half of it, and the union n times a region.
static void test_regions_are_large(void **state)
{
    (void)state;
    enum { COUNT = 5 };
    const char *const settings[] = {"model=zou-gu", "data.source=mixture", "network.width=200000",
                                    "measure.final=[gradient_regions]"};
    setting self;
    begin(&self, settings, 4, COUNT, 2);
    const double width = self.values[WW_REGION_WIDTH];
    const double slab = erf(width / sqrt(2.0)); // P(|N(0, 1)| <= g)
    const double deviation = sqrt(slab / (COUNT * 200000.0));
    assert_true(self.values[WW_REGION_SINGLE] > 0.5 * slab - 5.0 * deviation);
    assert_true(self.values[WW_REGION_SINGLE] < slab + 5.0 * deviation);
    assert_close(self.values[WW_REGION_UNION] / self.values[WW_REGION_SINGLE], COUNT, 1e-9);
    end(&self);
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernel),
        cmocka_unit_test(test_kernel_of_several_blocks),
        cmocka_unit_test(test_wide_networks_come_near_the_limit),
        cmocka_unit_test(test_kernel_of_single_precision),
        cmocka_unit_test(test_regions),
        cmocka_unit_test(test_no_regions_of_one_sample),
        cmocka_unit_test(test_regions_are_large),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
