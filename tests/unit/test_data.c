// Drawn data sets, labels, normalisation, checks and hash, against plain references.
#include "data_support.h"

#include "widthwise/random.h"

#include <math.h>

#define SMALL_MIXTURE                                                                              \
    "seeds: {data: 7}\n"                                                                           \
    "training: {batch: 1}\n"                                                                       \
    "data: {train: 40, test: 30, normalize: none,\n"                                               \
    "  mixture: {dimension: 9, classes: 3, components: 2, spread: 0.5, separation: 4.0}"

static ww_stream stream(uint64_t seed, ww_purpose purpose)
{
    return (ww_stream){.seed = seed, .purpose = (uint32_t)purpose};
}

/// x = mean + noise with all numbers of a stream drawn at once, as LL 7 has it.
static void check_mixture(const ww_samples *samples, ww_purpose components, ww_purpose inputs)
{
    enum { D = 9, COMPONENTS = 6 };
    const int64_t n = samples->count;
    double means[COMPONENTS * D];
    double *noise = calloc((size_t)n * D, sizeof *noise);
    int64_t *drawn = calloc((size_t)n, sizeof *drawn);
    ww_normals(stream(7, WW_DRAW_MEANS), 0, (size_t)COMPONENTS * D, means);
    ww_normals(stream(7, inputs), 0, (size_t)n * D, noise);
    ww_integers(stream(7, components), 0, (size_t)n, COMPONENTS, drawn);
    for (int64_t s = 0; s < n; s++) {
        assert_int_equal(samples->components[s], drawn[s]);
        assert_int_equal(samples->labels[s], drawn[s] / 2);
        for (int64_t j = 0; j < D; j++) {
            const double expected =
                4.0 * means[drawn[s] * D + j] / 3.0 + 0.5 * noise[s * D + j] / 3.0;
            assert_true(fabs(samples->inputs[s * D + j] - expected) < 1e-14);
        }
    }
    free(noise);
    free(drawn);
}

static void test_mixture_is_the_formula(void **state)
{
    (void)state;
    ww_dataset data = load_good(SMALL_MIXTURE "}");
    assert_int_equal(data.dimension, 9);
    assert_int_equal(data.classes, 3);
    assert_int_equal(data.components, 2);
    assert_int_equal(data.train.count, 40);
    assert_int_equal(data.test.count, 30);
    check_mixture(&data.train, WW_DRAW_TRAIN_COMPONENTS, WW_DRAW_TRAIN_INPUTS);
    check_mixture(&data.test, WW_DRAW_TEST_COMPONENTS, WW_DRAW_TEST_INPUTS);
    ww_dataset_free(&data);
    assert_null(data.train.inputs);
}

/// Norms of means and of noise, from the samples alone; train and test share the means.
static void test_mixture_statistics(void **state)
{
    (void)state;
    enum { D = 400, COMPONENTS = 4, N = 2000 };
    ww_dataset data = load_good("seed: 3\n"
                                "data: {train: 2000, test: 2000, normalize: none,\n"
                                "  mixture: {dimension: 400, classes: 2, components: 2,\n"
                                "            spread: 1.5, separation: 5.0}}");
    const ww_samples *const parts[] = {&data.train, &data.test};
    static double means[2][COMPONENTS][D];
    memset(means, 0, sizeof means);
    for (int p = 0; p < 2; p++) {
        int64_t count[COMPONENTS] = {0};
        for (int64_t s = 0; s < N; s++) {
            count[parts[p]->components[s]]++;
            for (int64_t j = 0; j < D; j++)
                means[p][parts[p]->components[s]][j] += parts[p]->inputs[s * D + j];
        }
        double mean_square = 0.0, noise_square = 0.0;
        for (int c = 0; c < COMPONENTS; c++) {
            assert_true(llabs(count[c] - N / COMPONENTS) < 100); // 5 standard deviations
            for (int64_t j = 0; j < D; j++) {
                means[p][c][j] /= (double)count[c];
                mean_square += means[p][c][j] * means[p][c][j] / COMPONENTS;
            }
        }
        for (int64_t s = 0; s < N; s++)
            for (int64_t j = 0; j < D; j++) {
                const double noise =
                    parts[p]->inputs[s * D + j] - means[p][parts[p]->components[s]][j];
                noise_square += noise * noise / N;
            }
        assert_true(fabs(sqrt(mean_square) - 5.0) < 0.4);
        assert_true(fabs(sqrt(noise_square) - 1.5) < 0.01);
    }
    for (int c = 0; c < COMPONENTS; c++) {
        double apart = 0.0;
        for (int64_t j = 0; j < D; j++)
            apart += pow(means[0][c][j] - means[1][c][j], 2.0);
        assert_true(sqrt(apart) < 0.15); // 1.5 (2 / 500)^(1/2) and a margin
    }
    ww_dataset_free(&data);
}

static void test_mixture_probabilities(void **state)
{
    (void)state;
    ww_dataset data = load_good(
        "data: {train: 10000, test: 10, mixture: {dimension: 2, classes: 2, components: 3,\n"
        "  probabilities: [0.1, 0.0, 0.4, 0.2, 0.3, 0.0]}}");
    const double wanted[] = {0.1, 0.0, 0.4, 0.2, 0.3, 0.0};
    double share[6] = {0.0};
    for (int64_t s = 0; s < data.train.count; s++) {
        double number = 0.0;
        ww_uniforms(stream(1, WW_DRAW_TRAIN_COMPONENTS), (uint64_t)s, 1, &number);
        const int64_t c = number < 0.1 ? 0 : number < 0.5 ? 2 : number < 0.7 ? 3 : 4;
        assert_int_equal(data.train.components[s], c);
        share[data.train.components[s]] += 1e-4;
    }
    for (int c = 0; c < 6; c++)
        assert_true(fabs(share[c] - wanted[c]) < 0.025);
    ww_dataset_free(&data);
}

/// The first samples are the same however many there are.
static void test_first_samples_stay(void **state)
{
    (void)state;
    const char *const sources[] = {
        "data: {train: %d, test: %d, mixture: {dimension: 5}}\ntraining: {batch: 1}",
        "data: {source: xor-balls, train: %d, test: %d}\ntraining: {batch: 1}"};
    for (size_t i = 0; i < 2; i++) {
        char few_yaml[256], many_yaml[256];
        (void)snprintf(few_yaml, sizeof few_yaml, sources[i], 7, 5);
        (void)snprintf(many_yaml, sizeof many_yaml, sources[i], 100, 50);
        ww_dataset few = load_good(few_yaml), many = load_good(many_yaml);
        const size_t row = (size_t)few.dimension * sizeof(double);
        assert_memory_equal(few.train.inputs, many.train.inputs, 7 * row);
        assert_memory_equal(few.train.labels, many.train.labels, 7 * sizeof(int64_t));
        assert_memory_equal(few.test.inputs, many.test.inputs, 5 * row);
        assert_memory_not_equal(few.train.inputs, few.test.inputs, 5 * row);
        ww_dataset_free(&few);
        ww_dataset_free(&many);
    }
}

static void test_xor_balls(void **state)
{
    (void)state;
    enum { N = 20000, BINS = 10 };
    ww_dataset data = load_good("data: {source: xor-balls, train: 20000, test: 5,\n"
                                "  xor_balls: {diameter: 0.5, distance: 3.0}}");
    const double centres[4][2] = {{0, 0}, {3, 3}, {0, 3}, {3, 0}};
    int64_t count[4] = {0}, ring[BINS] = {0}, quadrant[4] = {0};
    assert_int_equal(data.dimension, 2);
    assert_int_equal(data.classes, 2);
    for (int64_t s = 0; s < N; s++) {
        const double *centre = centres[data.train.components[s]];
        const double x = data.train.inputs[2 * s] - centre[0];
        const double y = data.train.inputs[2 * s + 1] - centre[1];
        const double area = (x * x + y * y) / (0.25 * 0.25); // uniform in (0, 1)
        assert_true(area < 1.0 + 1e-12);
        assert_int_equal(data.train.labels[s], data.train.components[s] / 2);
        count[data.train.components[s]]++;
        ring[(int)fmin(area * BINS, BINS - 1)]++;
        quadrant[(x > 0 ? 1 : 0) + (y > 0 ? 2 : 0)]++;
    }
    for (int i = 0; i < 4; i++) {
        assert_true(llabs(count[i] - N / 4) < 320);
        assert_true(llabs(quadrant[i] - N / 4) < 320);
    }
    for (int i = 0; i < BINS; i++)
        assert_true(llabs(ring[i] - N / BINS) < 220);
    ww_dataset_free(&data);
}

static void test_points(void **state)
{
    (void)state;
    ww_dataset data =
        load_good("seed: 5\n"
                  "training: {method: gd}\n"
                  "data: {source: points, normalize: none,\n"
                  "  points: {dimension: 16, classes: 3, components: 4, separation: 8}}");
    double numbers[12 * 16];
    ww_normals(stream(5, WW_DRAW_MEANS), 0, (size_t)12 * 16, numbers);
    assert_int_equal(data.train.count, 12);
    assert_int_equal(data.test.count, 12);
    for (int64_t s = 0; s < 12; s++) {
        assert_int_equal(data.train.components[s], s);
        assert_int_equal(data.train.labels[s], s / 4);
        assert_int_equal(data.test.labels[s], s / 4);
    }
    for (size_t i = 0; i < (size_t)12 * 16; i++)
        assert_true(data.train.inputs[i] == 2.0 * numbers[i]);
    assert_memory_equal(data.train.inputs, data.test.inputs, sizeof numbers);
    ww_dataset_free(&data);
}

/// Labels drawn anew: which, by what, and what stays as it was.
static void check_labels(const ww_samples *noisy, const ww_samples *plain, ww_purpose purpose,
                         double fraction)
{
    int64_t changed = 0;
    for (int64_t s = 0; s < noisy->count; s++) {
        double numbers[2];
        ww_uniforms(stream(7, purpose), 2 * (uint64_t)s, 2, numbers);
        const int64_t expected =
            numbers[0] < fraction ? (int64_t)floor(numbers[1] * 3.0) : plain->labels[s];
        assert_int_equal(noisy->labels[s], expected);
        assert_int_equal(noisy->components[s], plain->components[s]);
        changed += noisy->labels[s] != plain->labels[s];
    }
    const double n = (double)noisy->count, share = fraction * 2.0 / 3.0;
    assert_true(fabs((double)changed - n * share) <= 5.0 * sqrt(n * share * (1.0 - share)));
}

static void test_random_labels(void **state)
{
    (void)state;
#define MANY "seeds: {data: 7}\ndata: {train: 3000, test: 2000, mixture: {dimension: 3, classes: 3}"
    ww_dataset plain = load_good(MANY "}");
    ww_dataset none = load_good(MANY ", labels: {random_fraction: 0.0, noisy_test: true}}");
    ww_dataset some = load_good(MANY ", labels: {random_fraction: 0.3}}");
    ww_dataset both = load_good(MANY ", labels: {random_fraction: 0.3, noisy_test: true}}");
    ww_dataset all = load_good(MANY ", labels: {kind: random, noisy_test: true}}");
    assert_true(none.hash == plain.hash);
    check_labels(&some.train, &plain.train, WW_DRAW_TRAIN_LABELS, 0.3);
    check_labels(&some.test, &plain.test, WW_DRAW_TEST_LABELS, 0.0);
    check_labels(&both.train, &plain.train, WW_DRAW_TRAIN_LABELS, 0.3);
    check_labels(&both.test, &plain.test, WW_DRAW_TEST_LABELS, 0.3);
    check_labels(&all.train, &plain.train, WW_DRAW_TRAIN_LABELS, 1.0);
    check_labels(&all.test, &plain.test, WW_DRAW_TEST_LABELS, 1.0);
    ww_dataset_free(&plain);
    ww_dataset_free(&none);
    ww_dataset_free(&some);
    ww_dataset_free(&both);
    ww_dataset_free(&all);
#undef MANY
}

static double norm_of(const double *x, int64_t d)
{
    long double sum = 0.0L;
    for (int64_t j = 0; j < d; j++)
        sum += (long double)x[j] * (long double)x[j];
    return (double)sqrtl(sum);
}

static void test_normalize(void **state)
{
    (void)state;
#define WITH(kind) "data: {normalize: " kind ", train: 50, test: 60, mixture: {dimension: 6}}"
    ww_dataset raw = load_good(WITH("none"));
    ww_dataset sphere = load_good(WITH("sphere"));
    ww_dataset ball = load_good(WITH("ball"));
    double largest = 0.0;
    for (int64_t s = 0; s < 50; s++)
        largest = fmax(largest, norm_of(raw.train.inputs + 6 * s, 6));
    for (int p = 0; p < 2; p++) {
        const ww_samples *r = p == 0 ? &raw.train : &raw.test;
        const ww_samples *q = p == 0 ? &sphere.train : &sphere.test;
        const ww_samples *b = p == 0 ? &ball.train : &ball.test;
        for (int64_t i = 0; i < 6 * r->count; i++) {
            const double norm = norm_of(r->inputs + i / 6 * 6, 6);
            assert_true(fabs(q->inputs[i] - r->inputs[i] / norm) < 4e-16);
            assert_true(fabs(b->inputs[i] - r->inputs[i] / largest) < 4e-16);
        }
    }
    ww_dataset_free(&raw);
    ww_dataset_free(&sphere);
    ww_dataset_free(&ball);
#undef WITH
}

/// Norms whose squares leave the range of a double are still right.
static void test_normalize_extreme_sizes(void **state)
{
    (void)state;
    const char *const sizes[] = {"1e-200", "1e-160", "1e200"};
    ww_dataset plain = load_good("data: {train: 20, test: 20,\n"
                                 "  mixture: {dimension: 6, spread: 1, separation: 1}}");
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char yaml[256];
        (void)snprintf(yaml, sizeof yaml,
                       "data: {train: 20, test: 20,\n"
                       "  mixture: {dimension: 6, spread: %s, separation: %s}}",
                       sizes[i], sizes[i]);
        ww_dataset extreme = load_good(yaml);
        for (int64_t j = 0; j < (int64_t)20 * 6; j++)
            assert_true(fabs(extreme.train.inputs[j] - plain.train.inputs[j]) < 1e-15);
        ww_dataset_free(&extreme);
    }
    ww_dataset_free(&plain);
}

/// Inputs too large for a double, and norms too large.
static void test_too_large(void **state)
{
    (void)state;
    load_bad("data: {train: 20, test: 5, mixture: {dimension: 1, spread: 1.7e308, separation: 0}}",
             "data.source", "coordinate 0 of sample", "train set");
    load_bad("data: {train: 20, test: 5, mixture: {dimension: 9, spread: 1.5e308, separation: 0}}",
             "data.normalize", "largest double", "scale");
}

/// The hash sees shape, labels and inputs, and nothing else.
static void test_hash(void **state)
{
    (void)state;
    ww_dataset a = load_good(SMALL_MIXTURE "}"), same = load_good("name: b\n" SMALL_MIXTURE "}");
    ww_dataset labels = load_good(SMALL_MIXTURE ", labels: {random_fraction: 0.1}}");
    ww_dataset inputs = load_good("data: {train: 40, test: 30, normalize: none,\n"
                                  "  mixture: {dimension: 9, classes: 3, components: 2,\n"
                                  "            spread: 0.50000001, separation: 4.0}}\n"
                                  "training: {batch: 1}\nseeds: {data: 7}\n");
    assert_true(a.hash != 0);
    assert_true(a.hash == same.hash);
    assert_true(a.hash != labels.hash);
    assert_memory_equal(a.train.inputs, labels.train.inputs, (size_t)40 * 9 * sizeof(double));
    assert_true(a.hash != inputs.hash);
    assert_memory_equal(a.train.labels, inputs.train.labels, 40 * sizeof(int64_t));
    ww_dataset_free(&a);
    ww_dataset_free(&same);
    ww_dataset_free(&labels);
    ww_dataset_free(&inputs);
}

static void test_list(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *stream_out = open_memstream(&text, &size);
    ww_data_print_sources(stream_out);
    assert_int_equal(fclose(stream_out), 0);
    const char *line = text;
    for (int source = WW_SOURCE_MIXTURE; source <= WW_SOURCE_SPHERE; source++) {
        const char *name = ww_source_name((ww_source)source);
        assert_memory_equal(line, name, strlen(name)); // one line each, in this order
        assert_true(strcspn(line, "\n") > strlen(name) + 20);
        line = strchr(line, '\n') + 1;
    }
    assert_int_equal(*line, '\0');
    free(text);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mixture_is_the_formula),
        cmocka_unit_test(test_mixture_statistics),
        cmocka_unit_test(test_mixture_probabilities),
        cmocka_unit_test(test_first_samples_stay),
        cmocka_unit_test(test_xor_balls),
        cmocka_unit_test(test_points),
        cmocka_unit_test(test_random_labels),
        cmocka_unit_test(test_normalize),
        cmocka_unit_test(test_normalize_extreme_sizes),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_list),
    };
    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
