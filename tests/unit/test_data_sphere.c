// Source sphere, and the last coordinate of any source.
#include "data_support.h"

#include "widthwise/random.h"

#include <math.h>

#define ZOU_GU "model: zou-gu\nseeds: {data: 7}\n"

static double distance(const ww_dataset *data, int64_t i, int64_t j)
{
    long double square = 0.0L;
    for (int64_t c = 0; c < data->dimension; c++) {
        const long double difference = (long double)data->train.inputs[i * data->dimension + c] -
                                       (long double)data->train.inputs[j * data->dimension + c];
        square += difference * difference;
    }
    return (double)sqrtl(square);
}

// Smallest distance of two train samples, over all pairs.
static double nearest(const ww_dataset *data, int64_t first, int64_t count)
{
    double least = INFINITY;
    for (int64_t i = first; i < first + count; i++)
        for (int64_t j = first; j < i; j++)
            least = fmin(least, distance(data, i, j));
    return least;
}

static double measured(const ww_dataset *data)
{
    const ww_parallel alone = {.communicator = MPI_COMM_SELF, .rank = 0, .size = 1};
    ww_separation found;
    ww_error error = {0};
    assert_int_equal(ww_separation_measure(&data->train, data->dimension, data->components, &alone,
                                           &found, &error),
                     WW_OK);
    return found.nearest;
}

static void check_place(const ww_dataset *data, const ww_samples *samples, double mu)
{
    const int64_t d = data->dimension;
    for (int64_t s = 0; s < samples->count; s++) {
        long double square = 0.0L;
        for (int64_t c = 0; c < d; c++)
            square += (long double)samples->inputs[s * d + c] * samples->inputs[s * d + c];
        assert_true(fabsl(sqrtl(square) - 1.0L) < 1e-15L);
        if (mu > 0.0)
            assert_true(samples->inputs[s * d + d - 1] == mu);
    }
}

// Means and covariances of the free coordinates are those of the uniform distribution: each within
// five standard deviations.
static void check_uniform(const ww_samples *samples, int64_t dimension, int64_t free_count,
                          double radius)
{
    const double n = (double)samples->count;
    const double size = (double)free_count;
    for (int64_t a = 0; a < free_count; a++) {
        double mean = 0.0;
        for (int64_t s = 0; s < samples->count; s++)
            mean += samples->inputs[s * dimension + a] / n;
        assert_true(fabs(mean) < 5.0 * radius / sqrt(size * n));
        for (int64_t b = 0; b <= a; b++) {
            double product = 0.0;
            for (int64_t s = 0; s < samples->count; s++)
                product +=
                    samples->inputs[s * dimension + a] * samples->inputs[s * dimension + b] / n;
            // E x_a^2 x_b^2 = r^4 / (f (f + 2)), three times that for a = b.
            const double fourth = pow(radius, 4.0) / (size * (size + 2.0));
            const double expected = a == b ? radius * radius / size : 0.0;
            const double variance = (a == b ? 3.0 : 1.0) * fourth - expected * expected;
            assert_true(fabs(product - expected) < 5.0 * sqrt(variance / n));
        }
    }
}

static void test_points_are_uniform(void **state)
{
    (void)state;
    ww_dataset data = load_good(ZOU_GU "data: {train: 20000, test: 20000, last_coordinate: 0.6,\n"
                                       "  sphere: {dimension: 5}}\n");
    assert_int_equal(data.dimension, 5);
    check_place(&data, &data.train, 0.6);
    check_place(&data, &data.test, 0.6);
    check_uniform(&data.train, 5, 4, 0.8);
    check_uniform(&data.test, 5, 4, 0.8);
    assert_memory_not_equal(data.train.inputs, data.test.inputs, 5 * sizeof(double));
    ww_dataset_free(&data);
    data = load_good(ZOU_GU "data: {train: 20000, test: 10, last_coordinate: 0,\n"
                            "  sphere: {dimension: 3}}\n");
    check_place(&data, &data.train, 0.0);
    check_uniform(&data.train, 3, 3, 1.0);
    // Archimedes: on a sphere of three dimensions each coordinate is uniform itself.
    int64_t counts[10] = {0};
    for (int64_t s = 0; s < 20000; s++)
        counts[(int)((data.train.inputs[3 * s] + 1.0) * 5.0)]++;
    for (int i = 0; i < 10; i++)
        assert_true(fabs((double)counts[i] - 2000.0) < 5.0 * sqrt(2000.0));
    ww_dataset_free(&data);
}

static void test_separation_is_kept_and_reached(void **state)
{
    (void)state;
    const struct {
        const char *yaml;
        double separation;
    } cases[] = {
        {ZOU_GU "data: {train: 300, test: 5, sphere: {dimension: 4, separation: 0.1}}\n", 0.1},
        {ZOU_GU "data: {train: 2, test: 5, sphere: {dimension: 3, separation: 1e-7}}\n", 1e-7},
        {ZOU_GU "data: {train: 700, test: 5, sphere: {dimension: 10, separation: 0.5}}\n", 0.5},
        {ZOU_GU "data: {train: 20, test: 5, last_coordinate: 0,\n"
                "  sphere: {dimension: 2, separation: 0.15}}\n",
         0.15},
        {ZOU_GU "data: {train: 400, test: 5, sphere: {dimension: 30, separation: 1e-3}}\n", 1e-3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ww_dataset data = load_good(cases[i].yaml);
        const double phi = cases[i].separation;
        const double rounding = 8.0 * DBL_EPSILON; // of positions
        check_place(&data, &data.train, 0.0);
        assert_true(fabs(distance(&data, 0, 1) - phi) <= rounding);
        assert_true(fabs(nearest(&data, 0, data.train.count) - phi) <= rounding);
        assert_true(fabs(measured(&data) - phi) <= rounding);
        ww_dataset_free(&data);
    }
}

// Candidates are kept in their order, by nothing but distances: as a slow search over the draws has
// it.
static void test_kept_points_are_those_of_a_slow_search(void **state)
{
    (void)state;
    enum { N = 300, D = 4, FREE = 3 };
    ww_dataset data = load_good(ZOU_GU "data: {train: 300, test: 5, last_coordinate: 0.28,\n"
                                       "  sphere: {dimension: 4, separation: 0.14}}\n");
    const ww_stream stream = {.seed = 7, .purpose = WW_DRAW_SPHERE, .substream = 0};
    int64_t kept = 2;
    for (uint64_t candidate = 1; kept < N; candidate++) {
        double row[D] = {0.0};
        double square = 0.0;
        bool near = false;
        ww_normals(stream, candidate * FREE, FREE, row);
        for (int c = 0; c < FREE; c++)
            square += row[c] * row[c];
        for (int c = 0; c < FREE; c++)
            row[c] *= 0.96 / sqrt(square);
        row[FREE] = 0.28;
        for (int64_t s = 0; s < kept; s++) {
            double gap = 0.0;
            for (int c = 0; c < D; c++)
                gap += (row[c] - data.train.inputs[s * D + c]) *
                       (row[c] - data.train.inputs[s * D + c]);
            near = near || sqrt(gap) < 0.14;
        }
        for (int c = 0; !near && c < D; c++)
            assert_true(fabs(data.train.inputs[kept * D + c] - row[c]) < 1e-14);
        kept += !near;
    }
    ww_dataset_free(&data);
}

static void test_arcs(void **state)
{
    (void)state;
    const double phi = 0.01;
    ww_dataset data = load_good(ZOU_GU "data: {train: 302, test: 4000,\n"
                                       "  sphere: {dimension: 6, separation: 0.01, arcs: 3}}\n");
    const int64_t sizes[] = {101, 101, 100};
    const double angle = 2.0 * asin(phi / 2.0 / sqrt(1.0 - 0.09));
    check_place(&data, &data.train, 0.3);
    check_place(&data, &data.test, 0.3);
    assert_true(fabs(nearest(&data, 0, 302) - phi) < 1e-14);
    assert_true(fabs(measured(&data) - phi) < 1e-14);
    int64_t first = 0;
    int64_t on_arcs = 0;
    for (int arc = 0; arc < 3; arc++) {
        const double *u = data.train.inputs + first * 6;
        const double *next = u + 6;
        double tangent[5];
        for (int64_t s = 1; s < sizes[arc]; s++) {
            assert_true(fabs(distance(&data, first + s - 1, first + s) - phi) < 1e-14);
            assert_true(fabs(distance(&data, first, first + s) -
                             2.0 * sqrt(0.91) * sin((double)s * angle / 2.0)) < 1e-13);
        }
        for (int c = 0; c < 5; c++)
            tangent[c] = (next[c] - cos(angle) * u[c]) / sin(angle);
        int64_t halves[2] = {0};
        for (int64_t t = 0; t < 4000; t++) { // those of this arc lie in its plane, between its ends
            const double *x = data.test.inputs + t * 6;
            double along = 0.0;
            double across = 0.0;
            double rest = 0.0;
            for (int c = 0; c < 5; c++) {
                along += x[c] * u[c] / 0.91;
                across += x[c] * tangent[c] / 0.91;
            }
            for (int c = 0; c < 5; c++)
                rest += fabs(x[c] - along * u[c] - across * tangent[c]);
            if (rest > 1e-10)
                continue;
            on_arcs++;
            const double place = atan2(across, along) / angle / (double)(sizes[arc] - 1);
            assert_in_range((int64_t)(place * 1e6 + 10.0), 10, 1000010);
            halves[place > 0.5]++;
        }
        const double expected = 4000.0 * (double)(sizes[arc] - 1) / 299.0 / 2.0;
        for (int half = 0; half < 2; half++)
            assert_true(fabs((double)halves[half] - expected) < 5.0 * sqrt(expected));
        first += sizes[arc];
    }
    assert_int_equal(on_arcs, 4000);
    ww_dataset_free(&data);
}

static void test_whole_circle(void **state)
{
    (void)state;
    // 2 sin(pi / 40) and a little less: an arc of 40 goes all around.
    ww_dataset data =
        load_good(ZOU_GU "data: {train: 40, test: 2, last_coordinate: 0,\n"
                         "  sphere: {dimension: 2, separation: 0.15691819145, arcs: 1}}\n");
    assert_true(fabs(nearest(&data, 0, 40) - 0.15691819145) < 1e-14);
    ww_dataset_free(&data);
    load_bad(ZOU_GU "data: {train: 41, test: 2, last_coordinate: 0,\n"
                    "  sphere: {dimension: 2, separation: 0.15691819145, arcs: 1}}\n",
             "data.sphere.arcs", "would close over itself", "room for 40");
}

static void check_targets(const ww_dataset *data, bool signs)
{
    const ww_samples *const parts[] = {&data->train, &data->test};
    const double k = (double)data->outputs;
    for (int p = 0; p < 2; p++) {
        const ww_samples *samples = parts[p];
        const double count = (double)samples->count * k;
        double mean = 0.0;
        double square = 0.0;
        double pairs = 0.0; // of neighbours in a row
        for (int64_t s = 0; s < samples->count; s++) {
            const double *y = samples->targets + s * data->outputs;
            assert_int_equal(samples->labels[s], y[0] > 0.0 ? 0 : 1);
            assert_int_equal(samples->components[s], samples->labels[s]);
            for (int64_t c = 0; c < data->outputs; c++) {
                mean += y[c] / count;
                square += y[c] * y[c] / count;
                pairs += c > 0 ? y[c] * y[c - 1] : 0.0;
                if (signs)
                    assert_true(fabs(y[c]) == 1.0 / sqrt(k));
            }
        }
        assert_true(fabs(mean) < 5.0 / sqrt(k * count));
        assert_true(fabs(square - 1.0 / k) < (signs ? 1e-12 : 5.0 * sqrt(2.0 / count) / k));
        assert_true(fabs(pairs) < 5.0 * sqrt(count) / k);
    }
}

static void test_targets(void **state)
{
    (void)state;
    ww_dataset data = load_good(ZOU_GU "data: {train: 4000, test: 4000,\n"
                                       "  sphere: {dimension: 4, outputs: 3}}\n");
    assert_int_equal(data.outputs, 3);
    check_targets(&data, false);
    ww_dataset_free(&data);
    data = load_good(ZOU_GU "data: {train: 4000, test: 4000,\n"
                            "  sphere: {dimension: 4, outputs: 5, targets: signs}}\n");
    check_targets(&data, true);
    ww_dataset_free(&data);
    data =
        load_good(ZOU_GU "loss: cross-entropy\n"
                         "data: {train: 4000, test: 4000, sphere: {dimension: 4, outputs: 3}}\n");
    assert_int_equal(data.outputs, 2);
    assert_int_equal(data.classes, 2);
    assert_null(data.train.targets);
    ww_dataset_free(&data);
}

// Targets drawn anew are of the same kind, follow the share that is asked for, and leave the
// component.
static void test_targets_drawn_anew(void **state)
{
    (void)state;
    static const char kept[] = ZOU_GU "data: {train: 4000, test: 100,\n"
                                      "  sphere: {dimension: 4, outputs: 3, targets: signs}}\n";
    static const char anew[] = ZOU_GU "data: {train: 4000, test: 100, labels: {random_fraction: "
                                      "0.25},\n"
                                      "  sphere: {dimension: 4, outputs: 3, targets: signs}}\n";
    ww_dataset first = load_good(kept);
    ww_dataset second = load_good(anew);
    int64_t changed = 0;
    for (int64_t s = 0; s < 4000; s++) {
        const double *a = first.train.targets + 3 * s;
        const double *b = second.train.targets + 3 * s;
        changed += memcmp(a, b, 3 * sizeof *a) != 0;
        assert_true(fabs(b[0]) == 1.0 / sqrt(3.0) && fabs(b[2]) == 1.0 / sqrt(3.0));
        assert_int_equal(second.train.labels[s], b[0] > 0.0 ? 0 : 1);
        assert_int_equal(second.train.components[s], first.train.labels[s]);
    }
    // One of four is drawn anew, of which one of eight stays as it was by chance.
    assert_true(fabs((double)changed - 875.0) < 5.0 * sqrt(875.0));
    assert_memory_equal(first.train.inputs, second.train.inputs, 4000 * 4 * sizeof(double));
    assert_memory_equal(first.test.targets, second.test.targets, 100 * 3 * sizeof(double));
    assert_true(first.hash != second.hash);
    ww_dataset_free(&first);
    ww_dataset_free(&second);
}

static void test_refusals(void **state)
{
    (void)state;
    load_bad(ZOU_GU "data: {train: 30, test: 5, sphere: {dimension: 3, separation: 0.9}}\n",
             "data.sphere.separation: is 0.9", "only",
             "but 30 are wanted; lower it, or raise "
             "data.sphere.dimension");
    load_bad(ZOU_GU "data: {train: 30, test: 5, last_coordinate: 0.8,\n"
                    "  sphere: {dimension: 3, separation: 1.3}}\n",
             "data.sphere.separation: is 1.3", "more than 1.2 apart", "lower one");
    load_bad(ZOU_GU "data: {train: 30, test: 5, sphere: {dimension: 3, separation: 0.01, arcs: "
                    "30}}\n",
             "data.sphere.arcs: is 30", "one sample each", "choose fewer");
    load_bad(ZOU_GU "data: {train: 600, test: 5, sphere: {dimension: 4, separation: 0.1, arcs: "
                    "20}}\n",
             "data.sphere.separation: is 0.1", "arcs thrown on the sphere of 3 free coordinates",
             "but 20 are wanted");
    load_bad(ZOU_GU "data: {train: 30, test: 5, labels: {kind: worst-case},\n"
                    "  sphere: {dimension: 4, outputs: 2}}\n",
             "data.labels.kind", "worst-case", "data.sphere.outputs: 1");
}

// ---- the last coordinate of other sources -------------------------------------------------------

static void expect_appended(const char *plain, const char *longer, double mu)
{
    ww_dataset a = load_good(plain);
    ww_dataset b = load_good(longer);
    const ww_samples *const parts[][2] = {{&a.train, &b.train}, {&a.test, &b.test}};
    const int64_t d = a.dimension;
    assert_int_equal(b.dimension, d + 1);
    assert_int_equal(ww_dataset_input_bytes(&b) - ww_dataset_input_bytes(&a),
                     (a.train.count + a.test.count) * (int64_t)sizeof(double));
    assert_true(a.hash != b.hash);
    for (int p = 0; p < 2; p++) {
        assert_int_equal(parts[p][0]->count, parts[p][1]->count);
        for (int64_t s = 0; s < parts[p][0]->count; s++) {
            const double *x = parts[p][0]->inputs + s * d;
            const double *longer_x = parts[p][1]->inputs + s * (d + 1);
            for (int64_t c = 0; c < d; c++)
                assert_true(fabs(longer_x[c] - sqrt(1.0 - mu * mu) * x[c]) <= 1e-15);
            assert_true(longer_x[d] == mu);
            assert_int_equal(parts[p][0]->labels[s], parts[p][1]->labels[s]);
            for (int64_t c = 0; a.has_targets && c < a.outputs; c++)
                assert_true(fabs(parts[p][0]->targets[s * a.outputs + c] -
                                 parts[p][1]->targets[s * a.outputs + c]) < 1e-13);
        }
    }
    ww_dataset_free(&a);
    ww_dataset_free(&b);
}

static void test_last_coordinate_of_other_sources(void **state)
{
    (void)state;
    expect_appended("data: {train: 50, test: 30, mixture: {dimension: 9}}\n",
                    "data: {train: 50, test: 30, mixture: {dimension: 9}, last_coordinate: 0.4}\n",
                    0.4);
    expect_appended("model: arora\ndata: {source: function, train: 50, test: 30,\n"
                    "  function: {dimension: 7, kind: cosine, terms: 3}}\n",
                    "model: arora\ndata: {source: function, train: 50, test: 30,\n"
                    "  function: {dimension: 7, kind: cosine, terms: 3}, last_coordinate: 0.3}\n",
                    0.3);
    expect_appended("data: {source: points, points: {dimension: 6}}\n",
                    "data: {source: points, points: {dimension: 6}, last_coordinate: 0.9}\n", 0.9);
}

// A subset is chosen by a hyperplane in all coordinates, and separated by one.
static void test_last_coordinate_of_a_subset(void **state)
{
    (void)state;
    ww_dataset data = load_good("model: brutzkus\n"
                                "data: {source: function, train: 40, test: 20, normalize: sphere,\n"
                                "  last_coordinate: 0.5, subset: {kind: separable},\n"
                                "  function: {dimension: 5}}\nloss: squared\n");
    assert_int_equal(data.dimension, 6);
    assert_int_equal(data.train.count, 40);
    check_place(&data, &data.train, 0.5);
    check_place(&data, &data.test, 0.5);
    for (int64_t s = 0; s < 40; s++)
        assert_int_equal(data.train.labels[s], data.train.targets[s] > 0.0 ? 0 : 1);
    ww_dataset_free(&data);
    data = load_good("model: brutzkus\n"
                     "data: {source: separable, train: 40, test: 20, normalize: sphere,\n"
                     "  last_coordinate: 0.5, separable: {dimension: 5}}\n");
    assert_int_equal(data.dimension, 6);
    assert_true(isfinite(data.separator.upper));
    double square = 0.0;
    for (int c = 0; c < 6; c++)
        square += data.separator.weights[c] * data.separator.weights[c];
    assert_true(fabs(sqrt(square) - data.separator.upper) < 1e-9 * data.separator.upper);
    for (int64_t s = 0; s < 40; s++) {
        double product = 0.0;
        for (int c = 0; c < 6; c++)
            product += data.separator.weights[c] * data.train.inputs[s * 6 + c];
        assert_true((data.train.labels[s] == 0 ? product : -product) >= 1.0 - 1e-9);
    }
    ww_dataset_free(&data);
}

int main(int count, char **words)
{
    MPI_Init(&count, &words);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_points_are_uniform),
        cmocka_unit_test(test_separation_is_kept_and_reached),
        cmocka_unit_test(test_kept_points_are_those_of_a_slow_search),
        cmocka_unit_test(test_arcs),
        cmocka_unit_test(test_whole_circle),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_targets_drawn_anew),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_last_coordinate_of_other_sources),
        cmocka_unit_test(test_last_coordinate_of_a_subset),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
