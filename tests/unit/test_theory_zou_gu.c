// Predictions of Zou & Gu against the same formulas by way of logarithms in long doubles, and what
// they are made from against slow references.

#include "cmocka_all.h"
#include "small_problem.h"

#include "widthwise/kernel.h"
#include "widthwise/random.h"
#include "widthwise/theory.h"
#include "widthwise/zou_gu.h"

#include <string.h>

// Powers of the papers' quantities that a prediction is the product of, logarithms included; for
// widths that are solved for, `cubed` is true and the product is f of m = f log^3 m.
typedef struct powers {
    const char *name;
    double n, d, k, L, m, B, eta, phi, X, lambda_0, lambda_K, accuracy, log_m, log_n, loss, two_L;
    bool solved;
} powers;

static const powers expected[] = {
    {"du_width", .n = 6, .lambda_0 = -4},
    {"du_iterations", .n = 2, .lambda_0 = -2, .accuracy = 1},
    {"wu_width", .n = 6, .lambda_0 = -4},
    {"wu_iterations", .n = 1, .lambda_0 = -1, .accuracy = 1},
    {"oymak_width", .n = 1, .X = 6, .lambda_0 = -4},
    {"oymak_iterations", .X = 2, .lambda_0 = -1, .accuracy = 1},
    {"du_deep_width", .two_L = 1, .n = 4, .lambda_K = -4},
    {"du_deep_iterations", .two_L = 1, .n = 2, .lambda_K = -2, .accuracy = 1},
    {"allen_zhu_width", .k = 1, .n = 24, .L = 12, .phi = -8},
    {"allen_zhu_iterations", .n = 6, .L = 2, .phi = -2, .accuracy = 1},
    {"zou_gu_width", .k = 1, .n = 8, .L = 12, .phi = -4},
    {"zou_gu_iterations", .n = 2, .L = 2, .phi = -1, .accuracy = 1},
    {"gd_width", .k = 1, .n = 8, .L = 12, .phi = -4, .solved = true},
    {"gd_rate", .k = 1, .L = -2, .m = -1},
    {"gd_width_gain", .n = 16, .phi = -4},
    {"gd_iterations_gain", .n = 4, .phi = -1},
    {"two_layer_gd_width", .k = 1, .n = 8, .phi = -4, .solved = true},
    {"two_layer_gd_rate", .k = 1, .m = -1},
    {"two_layer_gd_iterations", .n = 2, .phi = -1, .accuracy = 1},
    {"lambda_min_bound", .phi = 1, .n = -2},
    {"lambda_min_constant", .lambda_0 = 1, .n = 2, .phi = -1},
    {"du_width_by_separation", .n = 14, .phi = -4},
    {"du_iterations_by_separation", .n = 6, .phi = -2, .accuracy = 1},
    {"oymak_width_by_separation", .n = 9, .X = 6, .phi = -4},
    {"oymak_iterations_by_separation", .n = 2, .X = 2, .phi = -1, .accuracy = 1},
    {"oymak_width_gain", .n = 1, .X = 6},
    {"oymak_iterations_gain", .X = 2},
    {"sgd_width", .k = 1, .n = 17, .L = 12, .B = -4, .phi = -8, .solved = true},
    {"sgd_rate", .k = 1, .B = 1, .phi = 1, .n = -3, .m = -1, .log_m = -1},
    {"sgd_iterations", .n = 5, .L = 2, .log_m = 1, .accuracy = 2, .B = -1, .phi = -2},
    {"allen_zhu_sgd_width", .n = 24, .L = 12, .B = 1, .k = 1, .phi = -8},
    {"allen_zhu_sgd_iterations", .n = 7, .L = 2, .accuracy = 1, .B = -1, .phi = -2},
    {"sgd_width_gain", .n = 7, .B = 5},
    {"sgd_iterations_gain", .n = 2},
    {"two_layer_sgd_width", .k = 2.5, .n = 11, .phi = -5, .B = -1, .solved = true},
    {"two_layer_sgd_iterations", .n = 5, .log_m = 1, .accuracy = 1, .B = -1, .phi = -2},
    {"two_layer_sgd_width_by_depth", .k = 1, .n = 17, .B = -4, .phi = -8, .solved = true},
    {"region_radius", .phi = 1.5, .n = -3, .L = -6, .log_m = -1.5},
    {"gradient_bound", .m = 1, .phi = 1, .k = -1, .n = -2},
    {"trajectory_bound", .k = 0.5, .n = 1, .log_n = 0.5, .m = -0.5, .phi = -0.5},
    {"trajectory_bound_by_loss", .k = 0.5, .n = 1, .loss = 0.5, .m = -0.5, .phi = -0.5},
    {"allen_zhu_trajectory_bound", .k = 0.5, .n = 3, .loss = 1, .m = -0.5, .phi = -1},
    {"start_loss_bound", .log_n = 1},
    {"smooth_radius_least", .k = 1.5, .m = -1.5, .L = -1.5, .log_m = -1.5},
    {"smooth_radius_most", .L = -4.5, .log_m = -1.5},
    {"iterations_at_rate", .k = 1, .n = 2, .accuracy = 1, .m = -1, .phi = -1, .eta = -1},
};
enum { EXPECTED = sizeof expected / sizeof expected[0] };

static const ww_zou_gu_setting settings[] = {
    {.samples = 20,
     .dimension = 10,
     .outputs = 1,
     .depth = 3,
     .width = 4096,
     .batch = 5,
     .rate = 2e-5,
     .target_loss = 1e-3,
     .expected_loss = 0.9,
     .initial_loss = 1.1,
     .kernel_scale = 4096,
     .data = {0.31, 2.7, 0.04, 0.03, 0.07, 9.0}},
    {.samples = 10000,
     .dimension = 784,
     .outputs = 10,
     .depth = 10,
     .width = 1e5,
     .batch = 256,
     .rate = 1e-7,
     .target_loss = 0.2,
     .expected_loss = 1.0,
     .initial_loss = 0.8,
     .kernel_scale = 3e4, // not m / k
     .data = {1.3e-3, 71.0, 1e-5, 2e-5, 3e-4, 4000.0}},
    {.samples = 2,
     .dimension = 3,
     .outputs = 4,
     .depth = 1,
     .width = 50,
     .batch = 2,
     .rate = 0.1,
     .target_loss = 0.5,
     .expected_loss = 1.0,
     .initial_loss = 1.0,
     .kernel_scale = 12.5,
     .data = {1.9, 1.1, 0.4, 0.4, 0.4, 0.6}},
};
enum { SETTINGS = sizeof settings / sizeof settings[0] };

static long double log_of_product(const powers *p, const ww_zou_gu_setting *s)
{
    const long double accuracy = -logl((long double)s->target_loss);
    return p->n * logl(s->samples) + p->d * logl(s->dimension) + p->k * logl(s->outputs) +
           p->L * logl(s->depth) + p->m * logl(s->width) + p->B * logl(s->batch) +
           p->eta * logl(s->rate) + p->phi * logl(s->data.separation) +
           p->X * logl(s->data.spectral_norm) + p->lambda_0 * logl(s->data.two_layer_least) +
           p->lambda_K * logl(s->data.last_layer_least) + p->accuracy * logl(accuracy) +
           p->log_m * logl(logl(s->width)) + p->log_n * logl(logl(s->samples)) +
           p->loss * logl(s->initial_loss) + p->two_L * s->depth * logl(2.0L);
}

// log m of the larger root of log m - 3 log log m = target, by bisection; 0 where there is none.
static long double solve_slowly(long double target)
{
    long double low = 3.0L;
    long double high = 1e6L;
    if (target < 3.0L - 3.0L * logl(3.0L))
        return 0.0L;
    for (int i = 0; i < 200; i++) {
        const long double middle = 0.5L * (low + high);
        if (middle - 3.0L * logl(middle) < target)
            low = middle;
        else
            high = middle;
    }
    return 0.5L * (low + high);
}

static void close_to(const char *name, double value, long double logarithm)
{
    const long double error = fabsl(logl((long double)value) - logarithm);
    if (!(error < 1e-12L))
        fail_msg("%s is %.17g, not exp(%.20Lg)", name, value, logarithm);
}

static void test_formulas(void **state)
{
    (void)state;
    for (size_t j = 0; j < SETTINGS; j++)
        for (size_t i = 0; i < EXPECTED; i++) {
            const long double logarithm = log_of_product(&expected[i], &settings[j]);
            close_to(expected[i].name, ww_zou_gu_predict(&settings[j], expected[i].name),
                     expected[i].solved ? solve_slowly(logarithm) : logarithm);
        }
}

// Those that are no products.
static void test_other_formulas(void **state)
{
    (void)state;
    for (size_t j = 0; j < SETTINGS; j++) {
        const ww_zou_gu_setting *s = &settings[j];
        const long double n = s->samples;
        const long double speed =
            (long double)s->width * s->data.separation * s->rate / (s->outputs * n * n);
        close_to("start_loss_width", ww_zou_gu_predict(s, "start_loss_width"),
                 n * s->depth > 1.0L ? logl(s->depth * logl(n * s->depth)) : -INFINITY);
        assert_true(fabsl(ww_zou_gu_predict(s, "loss_contraction_bound") - (1.0L - speed)) <
                    1e-16L);
        close_to("gradient_failure", ww_zou_gu_predict(s, "gradient_failure"),
                 -(long double)s->width * s->data.separation / (s->dimension * n));
        const long double kernel = (long double)s->rate * s->kernel_scale / n;
        close_to("kernel_contraction", ww_zou_gu_predict(s, "kernel_contraction"),
                 2.0L * log1pl(-kernel * s->data.all_layers_least));
        close_to("kernel_stable_rate", ww_zou_gu_predict(s, "kernel_stable_rate"),
                 logl(2.0L * n / ((long double)s->kernel_scale * s->data.all_layers_greatest)));
        assert_true(ww_zou_gu_predict(s, "start_loss_expected") == s->expected_loss);
        assert_true(ww_zou_gu_predict(s, "separation") == s->data.separation);
        assert_true(ww_zou_gu_predict(s, "data_spectral_norm") == s->data.spectral_norm);
    }
}

// Every prediction is held against something above.
static void test_every_prediction_is_tested(void **state)
{
    (void)state;
    static const char *const others[] = {"separation",
                                         "data_spectral_norm",
                                         "two_layer_lambda_min",
                                         "last_layer_lambda_min",
                                         "all_layers_lambda_min",
                                         "all_layers_lambda_max",
                                         "start_loss_width",
                                         "start_loss_expected",
                                         "loss_contraction_bound",
                                         "gradient_failure",
                                         "kernel_contraction",
                                         "kernel_stable_rate"};
    size_t count = 0;
    const ww_zou_gu_prediction *all = ww_zou_gu_predictions(&count);
    for (size_t i = 0; i < count; i++) {
        int found = 0;
        for (size_t j = 0; j < EXPECTED; j++)
            found += strcmp(all[i].name, expected[j].name) == 0;
        for (size_t j = 0; j < sizeof others / sizeof others[0]; j++)
            found += strcmp(all[i].name, others[j]) == 0;
        if (found != 1)
            fail_msg("%s is tested %d times", all[i].name, found);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(all[i].name, all[j].name);
    }
    assert_int_equal(count, EXPECTED + sizeof others / sizeof others[0]);
}

static void test_ends_of_range(void **state)
{
    (void)state;
    ww_zou_gu_setting s = settings[0];
    s.data.separation = 0.0; // samples coincide
    assert_true(isinf(ww_zou_gu_predict(&s, "gd_width")));
    assert_true(isinf(ww_zou_gu_predict(&s, "zou_gu_iterations")));
    assert_true(ww_zou_gu_predict(&s, "loss_contraction_bound") == 1.0);
    s.data.separation = NAN; // one sample
    assert_true(isnan(ww_zou_gu_predict(&s, "gd_width")));
    s.data.separation = 1e-12;
    s.samples = 1e15;
    assert_true(isinf(ww_zou_gu_predict(&s, "allen_zhu_width")));
    s.target_loss = 3.0;
    assert_true(ww_zou_gu_predict(&s, "zou_gu_iterations") == 0.0);
    // The larger root where there are two, the only one at e^3 / 27, and none below.
    assert_true(fabs(ww_zou_gu_solve_width(exp(10.0) / 1000.0, 3.0) - exp(10.0)) <
                1e-9 * exp(10.0));
    assert_true(fabs(ww_zou_gu_solve_width(exp(3.0) / 27.0 * (1.0 + 1e-12), 3.0) - exp(3.0)) <
                1e-3);
    assert_true(ww_zou_gu_solve_width(exp(3.0) / 27.0 * (1.0 - 1e-12), 3.0) == 1.0);
    assert_true(isinf(ww_zou_gu_solve_width(INFINITY, 3.0)));
}

// ---- what they are made from --------------------------------------------------------------------

// The scale of the network's own kernel for weights of other sizes than the paper's.
static void test_kernel_scale(void **state)
{
    (void)state;
    static const struct {
        const char *network;
        double scale; // 0: there is none
    } cases[] = {
        {"{width: 90, depth: 1}", 90.0 / 3.0},
        {"{width: 90, depth: 4}", 90.0 / 3.0},
        {"{width: 90, depth: 1, hidden: {std: 5.0}}", 90.0 / 3.0},
        {"{width: 90, depth: 4, hidden: {std: 1.0}}", 90.0 / 3.0 / 8.0},
        {"{width: 90, depth: 3, activation: {kind: leaky-relu, slope: 0.5}}",
         90.0 / 3.0 * 1.25 * 1.25},
        {"{width: 90, depth: 2, output: {kind: signs, scaling: none, scale: 2.0}}", 90.0 * 4.0},
        {"{width: 90, depth: 1, hidden: {kind: cube, radius: 1.0}}", 0.0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char network[128];
        (void)snprintf(network, sizeof network, "network=%s", cases[i].network);
        const char *const words[] = {"model=zou-gu", "data.source=mixture", network};
        small_problem small;
        ww_error error = {0};
        if (!small_problem_make(&small, MPI_COMM_WORLD, words, 3, 5, 5, 6, 3, &error))
            fail_msg("%s", error.message);
        const ww_zou_gu_data none = {.separation = 1.0};
        const double scale =
            ww_zou_gu_setting_of(small.problem.config, &small.data, &none).kernel_scale;
        if (cases[i].scale == 0.0 ? !isnan(scale) : !(fabs(scale / cases[i].scale - 1.0) < 1e-12))
            fail_msg("%s: %.17g", cases[i].network, scale);
        small_problem_free(&small);
    }
}

// Largest eigenvalue of X'X by as many squarings of it as leave nothing else.
static double slow_spectral_norm(const ww_dataset *data)
{
    enum { MOST = 8 };
    const int64_t d = data->dimension;
    long double a[MOST][MOST] = {{0.0L}};
    long double logarithm = 0.0L;
    assert_in_range(d, 1, MOST);
    for (int64_t s = 0; s < data->train.count; s++)
        for (int64_t i = 0; i < d; i++)
            for (int64_t j = 0; j < d; j++)
                a[i][j] += (long double)data->train.inputs[s * d + i] *
                           (long double)data->train.inputs[s * d + j];
    long double power = 1.0L;
    for (int squaring = 0; squaring < 40; squaring++) {
        long double b[MOST][MOST] = {{0.0L}};
        long double trace = a[0][0];
        for (int64_t i = 1; i < d; i++)
            trace += a[i][i];
        assert_true(trace > 0.0L);
        logarithm += logl(trace) / power;
        power *= 2.0L;
        for (int64_t i = 0; i < d; i++)
            for (int64_t j = 0; j < d; j++)
                for (int64_t l = 0; l < d; l++)
                    b[i][j] += a[i][l] / trace * (a[l][j] / trace);
        memcpy(a, b, sizeof a);
    }
    return (double)expl(0.5L * logarithm);
}

// Whether sign K - shift I is positive definite, by Cholesky's factorisation in long doubles.
static bool is_positive(const ww_kernel *kernel, const ww_dataset *data, double sign, double shift)
{
    enum { N = 40 };
    static long double a[N][N];
    const int64_t d = data->dimension;
    assert_int_equal(data->train.count, N);
    for (int64_t i = 0; i < N; i++)
        for (int64_t j = 0; j <= i; j++) {
            const double value =
                ww_kernel_value(kernel, data->train.inputs + i * d, data->train.inputs + j * d, d);
            long double sum = (long double)sign * value - (i == j ? (long double)shift : 0.0L);
            for (int64_t l = 0; l < j; l++)
                sum -= a[i][l] * a[j][l];
            if (i == j && !(sum > 0.0L))
                return false;
            a[i][j] = i == j ? sqrtl(sum) : sum / a[j][j];
        }
    return true;
}

static void test_measured(void **state)
{
    (void)state;
    const char *const words[] = {"model=zou-gu", "network.depth=3",
                                 "measure.spectral_tolerance=1e-12"};
    small_problem small;
    ww_error error = {0};
    if (!small_problem_make(&small, MPI_COMM_WORLD, words, 3, 40, 10, 6, 2, &error))
        fail_msg("%s", error.message);
    ww_zou_gu_data measured;
    assert_int_equal(ww_zou_gu_measure(small.problem.config, &small.data, &small.parallel, true,
                                       &measured, &error),
                     WW_OK);
    double nearest = INFINITY;
    for (int64_t i = 0; i < 40; i++)
        for (int64_t j = 0; j < i; j++) {
            double square = 0.0;
            for (int64_t c = 0; c < 6; c++)
                square += pow(
                    small.data.train.inputs[i * 6 + c] - small.data.train.inputs[j * 6 + c], 2.0);
            nearest = fmin(nearest, sqrt(square));
        }
    assert_true(fabs(measured.separation - nearest) < 1e-14);
    assert_true(fabs(measured.spectral_norm / slow_spectral_norm(&small.data) - 1.0) < 1e-12);
    const ww_kernel kernels[] = {{1, 0.0, false}, {3, 0.0, false}, {3, 0.0, true}};
    const double least[] = {measured.two_layer_least, measured.last_layer_least,
                            measured.all_layers_least};
    for (int which = 0; which < 3; which++) {
        assert_true(least[which] > 0.0);
        assert_true(is_positive(&kernels[which], &small.data, 1.0, least[which] * (1.0 - 1e-9)));
        assert_false(is_positive(&kernels[which], &small.data, 1.0, least[which] * (1.0 + 1e-9)));
    }
    const double most = measured.all_layers_greatest;
    assert_true(is_positive(&kernels[2], &small.data, -1.0, -most * (1.0 + 1e-9)));
    assert_false(is_positive(&kernels[2], &small.data, -1.0, -most * (1.0 - 1e-9)));
    // More layers separate more: each of them adds a positive matrix.
    assert_true(measured.all_layers_least >= measured.last_layer_least);
    small_problem_free(&small);
}

// Forward and backward through a drawn network, `slope` left of 0: k / m times its kernel of two
// inputs, and its outputs.
typedef struct drawn_network {
    int64_t m, d, k, depth;
    uint64_t seed;
} drawn_network;

static void draw(const drawn_network *net, int64_t layer, int64_t columns, double *weights)
{
    ww_normals((ww_stream){.seed = net->seed, .purpose = 98, .substream = (uint32_t)layer}, 0,
               (size_t)(net->m * columns), weights);
    for (int64_t i = 0; i < net->m * columns; i++)
        weights[i] *= sqrt(2.0 / (double)net->m);
}

// Units x_l of both inputs [depth + 1][2][m] and the weights [depth][m, m].
static double scaled_kernel(const drawn_network *net, const double *left, const double *right,
                            double *square_of_outputs)
{
    enum { MOST = 4 };
    const int64_t m = net->m;
    double *x[MOST + 1][2], *w[MOST] = {NULL};
    double kernel = 0.0;
    for (int64_t l = 0; l <= net->depth; l++)
        for (int side = 0; side < 2; side++)
            x[l][side] = calloc((size_t)(m > net->d ? m : net->d), sizeof(double));
    memcpy(x[0][0], left, (size_t)net->d * sizeof(double));
    memcpy(x[0][1], right, (size_t)net->d * sizeof(double));
    for (int64_t l = 1; l <= net->depth; l++) {
        const int64_t columns = l == 1 ? net->d : m;
        w[l - 1] = calloc((size_t)(m * columns), sizeof(double));
        draw(net, l, columns, w[l - 1]);
        for (int side = 0; side < 2; side++)
            for (int64_t r = 0; r < m; r++)
                x[l][side][r] =
                    fmax(0.0, small_dot(w[l - 1] + r * columns, x[l - 1][side], columns));
    }
    double *v = calloc((size_t)(net->k * m), sizeof(double));
    double *back[2] = {calloc((size_t)m, sizeof(double)), calloc((size_t)m, sizeof(double))};
    ww_normals((ww_stream){.seed = net->seed, .purpose = 97}, 0, (size_t)(net->k * m), v);
    *square_of_outputs = 0.0;
    for (int64_t c = 0; c < net->k; c++)
        *square_of_outputs += pow(small_dot(v + c * m, x[net->depth][0], m), 2.0) / (double)net->k;
    for (int side = 0; side < 2; side++) // of the first output
        for (int64_t r = 0; r < m; r++)
            back[side][r] = v[r] / sqrt((double)net->k) * (x[net->depth][side][r] > 0.0);
    for (int64_t l = net->depth; l >= 1; l--) {
        const int64_t columns = l == 1 ? net->d : m;
        kernel += small_dot(back[0], back[1], m) * small_dot(x[l - 1][0], x[l - 1][1], columns);
        for (int side = 0; side < 2 && l > 1; side++) {
            double *below = calloc((size_t)m, sizeof(double));
            for (int64_t r = 0; r < m; r++)
                for (int64_t j = 0; j < m; j++)
                    below[j] += w[l - 1][r * m + j] * back[side][r];
            for (int64_t j = 0; j < m; j++)
                below[j] *= x[l - 1][side][j] > 0.0;
            free(back[side]);
            back[side] = below;
        }
    }
    for (int64_t l = 0; l <= net->depth; l++)
        for (int side = 0; side < 2; side++)
            free(x[l][side]);
    for (int64_t l = 0; l < net->depth; l++)
        free(w[l]);
    free(v);
    free(back[0]);
    free(back[1]);
    return (double)net->k / (double)m * kernel;
}

// k / m times the network's kernel tends to the kernel of all layers, as it is, and E ||f||^2 is
// ||x||^2: the mean over many networks, within what it scatters.
static void test_limit_of_networks(void **state)
{
    (void)state;
    enum { NETWORKS = 200 };
    const double left[3] = {0.6, 0.64, 0.48};
    const double right[3] = {0.8, -0.36, 0.48};
    for (int64_t depth = 1; depth <= 3; depth++) {
        const ww_kernel kernel = {.depth = depth, .all_layers = true};
        const double limit = ww_kernel_value(&kernel, left, right, 3);
        double mean = 0.0;
        double square = 0.0;
        double outputs = 0.0;
        double outputs_square = 0.0;
        for (uint64_t seed = 0; seed < NETWORKS; seed++) {
            const drawn_network net = {.m = 400, .d = 3, .k = 2, .depth = depth, .seed = seed};
            double of_outputs = 0.0;
            const double value = scaled_kernel(&net, left, right, &of_outputs);
            mean += value / NETWORKS;
            square += value * value / NETWORKS;
            outputs += of_outputs / NETWORKS;
            outputs_square += of_outputs * of_outputs / NETWORKS;
        }
        const double deviation = sqrt((square - mean * mean) / NETWORKS);
        assert_true(deviation < 0.03 * limit);
        // Of finite width the mean is off by about depth / m.
        assert_true(fabs(mean - limit) < 4.0 * deviation + limit * (double)depth / 400.0);
        const double scatter = sqrt((outputs_square - outputs * outputs) / NETWORKS);
        assert_true(fabs(outputs - small_dot(left, left, 3)) < 4.0 * scatter);
    }
}

static void test_expected_loss(void **state)
{
    (void)state;
    const char *const words[] = {"model=zou-gu", "network.depth=3"};
    small_problem small;
    ww_error error = {0};
    if (!small_problem_make(&small, MPI_COMM_WORLD, words, 2, 11, 10, 5, 2, &error))
        fail_msg("%s", error.message);
    double sum = 0.0;
    for (int64_t i = 0; i < 11 * 5; i++)
        sum += small.data.train.inputs[i] * small.data.train.inputs[i];
    for (int64_t i = 0; i < 11 * small.data.outputs; i++)
        sum += small.data.train.targets[i] * small.data.train.targets[i];
    ww_config config = *small.problem.config;
    assert_true(fabs(ww_zou_gu_expected_loss(&config, &small.data) - sum / 22.0) < 1e-13);
    config.network.output.kind = WW_OUTPUT_HALVES; // whose mean is not 0
    assert_true(isnan(ww_zou_gu_expected_loss(&config, &small.data)));
    small_problem_free(&small);
}

static void test_fields_of_a_run(void **state)
{
    (void)state;
    const char *const words[] = {"model=zou-gu", "network.depth=2"};
    small_problem small;
    ww_error error = {0};
    if (!small_problem_make(&small, MPI_COMM_WORLD, words, 2, 30, 10, 5, 2, &error))
        fail_msg("%s", error.message);
    const ww_field measured[] = {{.name = "contraction"}, {.name = "loss"}};
    ww_field fields[WW_THEORY_FIELDS];
    ww_config config = *small.problem.config;
    const ww_theory_plan plan = {.config = &config,
                                 .records = 3,
                                 .measured = measured,
                                 .measured_count = 2,
                                 .dimension = 5,
                                 .samples = 30,
                                 .outputs = 1};
    const size_t count = ww_theory_fields(&plan, fields);
    assert_true(count > 40);
    assert_true(ww_theory_uses(&plan, 1) && !ww_theory_uses(&plan, 0));
    for (size_t i = 0; i < count; i++)
        assert_null(strstr(fields[i].name, "sgd")); // of a method that it does not use
    const int64_t steps[] = {0, 10, 20};
    const double loss[] = {4.0, 2.0, 1.0};
    const double *const columns[] = {NULL, loss};
    ww_zou_gu_data found;
    assert_int_equal(ww_zou_gu_measure(&config, &small.data, &small.parallel, true, &found, &error),
                     WW_OK);
    const ww_theory_inputs inputs = {
        .data = &small.data, .rows = 3, .steps = steps, .columns = columns, .deep = &found};
    double values[WW_THEORY_FIELDS];
    ww_theory_compute(&plan, &inputs, values);
    double by_loss = NAN;
    double expected_loss = NAN;
    for (size_t i = 0; i < count; i++) {
        assert_true(isfinite(values[i]));
        by_loss = strcmp(fields[i].name, "trajectory_bound_by_loss") == 0 ? values[i] : by_loss;
        expected_loss =
            strcmp(fields[i].name, "start_loss_expected") == 0 ? values[i] : expected_loss;
    }
    const double m = (double)config.network.width;
    assert_true(fabs(by_loss / (30.0 * sqrt(4.0 / (m * found.separation))) - 1.0) < 1e-13);
    assert_true(expected_loss == ww_zou_gu_expected_loss(&config, &small.data));
    // SGD has its own beside; replicas have no spectra; other models have nothing of it.
    config.training.method = WW_METHOD_SGD;
    assert_true(ww_theory_fields(&plan, fields) > count);
    config.training.method = WW_METHOD_GD;
    config.replicas = 5;
    const size_t without = ww_theory_fields(&plan, fields);
    assert_true(without > 20 && without < count);
    config.model = WW_MODEL_ARORA;
    config.network.depth = 1;
    assert_int_equal(ww_theory_fields(&plan, fields), 0);
    small_problem_free(&small);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formulas),
        cmocka_unit_test(test_other_formulas),
        cmocka_unit_test(test_every_prediction_is_tested),
        cmocka_unit_test(test_ends_of_range),
        cmocka_unit_test(test_kernel_scale),
        cmocka_unit_test(test_measured),
        cmocka_unit_test(test_limit_of_networks),
        cmocka_unit_test(test_expected_loss),
        cmocka_unit_test(test_fields_of_a_run),
    };
    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
