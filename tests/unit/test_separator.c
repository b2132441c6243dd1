// The hard margin against slow references: all sets of samples that can hold the hyperplane in
// place are tried one after the other.
#include "data_support.h"

#include "data/ascent.h"
#include "widthwise/random.h"

#include <float.h>
#include <math.h>

enum { MOST = 4000 };

/// Samples with room for labels; inputs are the caller's.
typedef struct small_set {
    ww_samples samples;
    int64_t labels[MOST];
} small_set;

static ww_samples *set_of(small_set *set, double *inputs, const int64_t *labels, int64_t count)
{
    set->samples = (ww_samples){.count = count, .inputs = inputs, .labels = set->labels};
    memcpy(set->labels, labels, (size_t)count * sizeof *labels);
    return &set->samples;
}

static ww_separator find(const ww_samples *samples, int64_t dimension)
{
    ww_separator found;
    ww_error error = {0};
    assert_int_equal(ww_separator_find(samples, dimension, &found, &error), WW_OK);
    assert_true(found.sought);
    assert_true(found.lower <= found.upper);
    assert_int_equal(found.weights != NULL, isfinite(found.upper));
    assert_int_equal(found.margins != NULL, isfinite(found.upper));
    return found;
}

/// What comes with a finite upper bound is as the header says, in long doubles.
static void check_weights(const ww_samples *samples, int64_t dimension, const ww_separator *found)
{
    long double square = 0.0L;
    for (int64_t j = 0; j < dimension; j++)
        square += (long double)found->weights[j] * (long double)found->weights[j];
    assert_true(sqrtl(square) <= (long double)found->upper);
    assert_true(sqrtl(square) >= (long double)found->upper * (1.0L - 1e-10L));
    for (int64_t i = 0; i < samples->count; i++) {
        long double margin = 0.0L;
        for (int64_t j = 0; j < dimension; j++)
            margin +=
                (long double)found->weights[j] * (long double)samples->inputs[i * dimension + j];
        margin *= samples->labels[i] == 0 ? 1.0L : -1.0L;
        assert_true(margin >= 1.0L);
        assert_true(fabsl(margin - (long double)found->margins[i]) < 1e-10L * margin);
    }
}

/// Of a set that is separable: bounds close to each other, with the true length between them.
static void check_length(const ww_samples *samples, int64_t dimension, double length)
{
    ww_separator found = find(samples, dimension);
    check_weights(samples, dimension, &found);
    if (!(found.lower <= length * (1.0 + 1e-14) && found.upper >= length * (1.0 - 1e-14) &&
          found.upper <= 1.001 * found.lower))
        fail_msg("%.17g is not between %.17g and %.17g", length, found.lower, found.upper);
    ww_separator_free(&found);
    assert_null(found.weights);
}

static void test_one_point(void **state)
{
    (void)state;
    small_set set;
    double input[] = {3.0, 4.0};
    for (int64_t label = 0; label < 2; label++)
        check_length(set_of(&set, input, &label, 1), 2, 0.2);
}

static void test_two_points(void **state)
{
    (void)state;
    small_set set;
    check_length(set_of(&set, (double[]){1.0, 0.0, 0.0, 1.0}, (int64_t[]){0, 1}, 2), 2, sqrt(2.0));
    // The nearer one alone holds the plane.
    check_length(set_of(&set, (double[]){1.0, 0.0, 3.0, 1.0}, (int64_t[]){0, 0}, 2), 2, 1.0);
    // Opposite points of different classes are one point.
    check_length(set_of(&set, (double[]){1.0, 2.0, -1.0, -2.0}, (int64_t[]){0, 1}, 2), 2,
                 1.0 / sqrt(5.0));
    // The same point twice.
    check_length(set_of(&set, (double[]){0.5, 0.0, 0.5, 0.0}, (int64_t[]){1, 1}, 2), 2, 2.0);
}

static void test_orthonormal(void **state)
{
    (void)state;
    for (int64_t d = 1; d <= 100; d += 33) {
        char yaml[256];
        (void)snprintf(yaml, sizeof yaml,
                       "model: brutzkus\ndata: {source: orthonormal, orthonormal: {dimension: "
                       "%lld}}",
                       (long long)d);
        ww_dataset data = load_good(yaml);
        assert_true(data.separator.sought);
        assert_true(fabs(data.separator.lower - sqrt((double)d)) < 1e-10);
        assert_true(fabs(data.separator.upper - sqrt((double)d)) < 1e-10);
        check_weights(&data.train, d, &data.separator);
        for (int64_t j = 0; j < d; j++)
            assert_true(fabs(data.separator.weights[j] - 1.0) < 1e-10);
        ww_dataset_free(&data);
        assert_null(data.separator.weights);
    }
}

/// Solves A x = b in place by elimination with pivots; false where A is (nearly) singular.
static bool solve(double a[3][3], double *b, int count)
{
    for (int k = 0; k < count; k++) {
        int pivot = k;
        for (int i = k + 1; i < count; i++)
            if (fabs(a[i][k]) > fabs(a[pivot][k]))
                pivot = i;
        if (fabs(a[pivot][k]) < 1e-12)
            return false;
        for (int j = 0; j < count; j++) {
            const double entry = a[k][j];
            a[k][j] = a[pivot][j];
            a[pivot][j] = entry;
        }
        const double right = b[k];
        b[k] = b[pivot];
        b[pivot] = right;
        for (int i = 0; i < count; i++) {
            const double factor = i == k ? 0.0 : a[i][k] / a[k][k];
            for (int j = 0; j < count; j++)
                a[i][j] -= factor * a[k][j];
            b[i] -= factor * b[k];
        }
    }
    for (int k = 0; k < count; k++)
        b[k] /= a[k][k];
    return true;
}

/// Length of the shortest w with y <w, x> = 1 on the `count` chosen samples, infinite where that
/// leaves another one below 1.
static double length_held_by(const ww_samples *samples, int d, const int64_t *chosen, int count)
{
    double gram[3][3];
    double multipliers[3] = {1.0, 1.0, 1.0};
    double w[3] = {0.0};
    for (int a = 0; a < count; a++)
        for (int b = 0; b < count; b++) {
            gram[a][b] = 0.0;
            for (int j = 0; j < d; j++)
                gram[a][b] +=
                    samples->inputs[chosen[a] * d + j] * samples->inputs[chosen[b] * d + j];
            gram[a][b] *= ww_sign_of_label(samples->labels[chosen[a]]) *
                          ww_sign_of_label(samples->labels[chosen[b]]);
        }
    if (!solve(gram, multipliers, count))
        return INFINITY;
    double square = 0.0;
    for (int j = 0; j < d; j++) {
        for (int a = 0; a < count; a++)
            w[j] += multipliers[a] * ww_sign_of_label(samples->labels[chosen[a]]) *
                    samples->inputs[chosen[a] * d + j];
        square += w[j] * w[j];
    }
    for (int64_t i = 0; i < samples->count; i++) {
        double margin = 0.0;
        for (int j = 0; j < d; j++)
            margin += w[j] * samples->inputs[i * d + j];
        if (ww_sign_of_label(samples->labels[i]) * margin < 1.0 - 1e-9)
            return INFINITY;
    }
    return sqrt(square);
}

/// ||w*|| in 2 or 3 dimensions: of all sets of up to d samples that could hold the hyperplane in
/// place, the shortest w.
static double true_length(const ww_samples *samples, int d)
{
    const int64_t n = samples->count;
    double best = INFINITY;
    int64_t chosen[3];
    for (chosen[0] = 0; chosen[0] < n; chosen[0]++) {
        best = fmin(best, length_held_by(samples, d, chosen, 1));
        for (chosen[1] = chosen[0] + 1; chosen[1] < n; chosen[1]++) {
            best = fmin(best, length_held_by(samples, d, chosen, 2));
            for (chosen[2] = chosen[1] + 1; d == 3 && chosen[2] < n; chosen[2]++)
                best = fmin(best, length_held_by(samples, d, chosen, 3));
        }
    }
    return best;
}

/// Normals in d dimensions, labelled by a hyperplane with a gap, or at random.
static ww_samples *random_set(small_set *set, double *inputs, int64_t count, int64_t dimension,
                              uint64_t seed, double gap)
{
    int64_t labels[MOST];
    const ww_stream normals = {.seed = seed, .purpose = WW_DRAW_TRAIN_INPUTS};
    ww_normals(normals, 0, (size_t)(count * dimension), inputs);
    ww_integers((ww_stream){.seed = seed, .purpose = WW_DRAW_TRAIN_LABELS}, 0, (size_t)count, 2,
                labels);
    for (int64_t i = 0; gap > 0.0 && i < count; i++) {
        inputs[i * dimension] += inputs[i * dimension] >= 0.0 ? gap : -gap;
        labels[i] = inputs[i * dimension] >= 0.0 ? 0 : 1;
    }
    return set_of(set, inputs, labels, count);
}

static void test_against_all_supports(void **state)
{
    (void)state;
    static double inputs[MOST];
    small_set set;
    int separable = 0;
    int others = 0;
    for (int d = 2; d <= 3; d++)
        for (uint64_t seed = 0; seed < 60; seed++) {
            // A third of them with labels at random, which may be separable or not.
            const int64_t n = seed % 3 == 0 ? 5 : 12;
            const ww_samples *samples = random_set(
                &set, inputs, n, d, seed, seed % 3 == 0 ? 0.0 : 0.02 * (double)(seed % 7 + 1));
            const double length = true_length(samples, d);
            if (isfinite(length)) {
                check_length(samples, d, length);
                separable++;
                continue;
            }
            ww_separator found = find(samples, d);
            assert_true(isinf(found.upper) && isfinite(found.lower) && found.lower > 0.0);
            others++;
        }
    assert_true(separable > 60 && others > 5);
}

/// Many samples in many dimensions: bounds that any other w confirms.
static void test_bounds_of_larger_sets(void **state)
{
    (void)state;
    static double inputs[MOST * 20];
    small_set set;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        const ww_samples *samples = random_set(&set, inputs, 500, 20, seed, 0.3);
        ww_separator found = find(samples, 20);
        check_weights(samples, 20, &found);
        assert_true(found.upper <= 1.001 * found.lower);
        // The labels come from e_1 with a margin of 0.3: it can be no shorter than w*.
        assert_true(found.lower <= 1.0 / 0.3);
        assert_true(found.upper > 0.5);
        ww_separator_free(&found);
    }
}

static void test_not_separable(void **state)
{
    (void)state;
    small_set set;
    // Exclusive or around the origin, where even lines that miss it do not help.
    ww_separator found =
        find(set_of(&set, (double[]){1, 1, -1, -1, 1, -1, -1, 1}, (int64_t[]){0, 0, 1, 1}, 4), 2);
    assert_true(isinf(found.upper) && isfinite(found.lower) && found.lower > 1e3);
    // More than twice as many samples as dimensions, with random labels.
    static double inputs[MOST * 5];
    found = find(random_set(&set, inputs, 200, 5, 3, 0.0), 5);
    assert_true(isinf(found.upper) && isfinite(found.lower) && found.lower > 10.0);
    // In one line, 1 and 3 of different classes, and 1 and -3 of the same.
    found = find(set_of(&set, (double[]){0.1, 0.2, 0.3, 0.6}, (int64_t[]){0, 1}, 2), 2);
    assert_true(isinf(found.upper) && isfinite(found.lower) && found.lower > 1e10);
    found = find(set_of(&set, (double[]){0.1, 0.2, -0.3, -0.6}, (int64_t[]){1, 1}, 2), 2);
    assert_true(isinf(found.upper) && isfinite(found.lower) && found.lower > 1e3);
}

static void test_ruled_out(void **state)
{
    (void)state;
    small_set set;
    ww_separator found =
        find(set_of(&set, (double[]){1, 2, 0, 0, 3, 4}, (int64_t[]){0, 0, 0}, 3), 2);
    assert_true(isinf(found.lower) && isinf(found.upper)); // a zero vector
    found = find(set_of(&set, (double[]){1, 2, 3, 4, 1, 2}, (int64_t[]){0, 0, 1}, 3), 2);
    assert_true(isinf(found.lower) && isinf(found.upper)); // equal, of different classes
}

/// Where squares of norms leave the range of a double nothing is claimed.
static void test_extreme_norms(void **state)
{
    (void)state;
    small_set set;
    const double norms[] = {1e-170, 1e-320, 1e170};
    for (size_t i = 0; i < 3; i++) {
        ww_separator found = find(set_of(&set, (double[]){norms[i], 0.0}, (int64_t[]){0}, 1), 2);
        assert_true(found.lower == 0.0 && isinf(found.upper));
    }
    check_length(set_of(&set, (double[]){3e-90, 4e-90}, (int64_t[]){0}, 1), 2, 2e89);
    check_length(set_of(&set, (double[]){3e90, 4e90}, (int64_t[]){0}, 1), 2, 2e-91);
}

/// Inputs times 2^e make w times 2^-e, and other signs of all labels make -w, bit by bit.
static void test_symmetries(void **state)
{
    (void)state;
    static double inputs[MOST];
    small_set set;
    random_set(&set, inputs, 300, 10, 8, 0.1);
    ww_separator found = find(&set.samples, 10);
    ww_separator again = find(&set.samples, 10);
    assert_true(again.lower == found.lower && again.upper == found.upper);
    assert_memory_equal(again.weights, found.weights, 10 * sizeof(double));
    ww_separator_free(&again);
    for (int64_t i = 0; i < 3000; i++)
        inputs[i] *= 0x1p-7;
    for (int64_t i = 0; i < 300; i++)
        set.labels[i] = 1 - set.labels[i];
    again = find(&set.samples, 10);
    assert_true(again.lower == found.lower * 0x1p7 && again.upper == found.upper * 0x1p7);
    for (int64_t j = 0; j < 10; j++)
        assert_true(again.weights[j] == found.weights[j] * -0x1p7);
    assert_memory_equal(again.margins, found.margins, 300 * sizeof(double));
    ww_separator_free(&again);
    ww_separator_free(&found);
}

static void test_row_product(void **state)
{
    (void)state;
    double a[100];
    double b[100];
    ww_normals((ww_stream){.seed = 1}, 0, 100, a);
    ww_normals((ww_stream){.seed = 2}, 0, 100, b);
    for (int64_t count = 0; count <= 100; count++) {
        long double sum = 0.0L;
        for (int64_t j = 0; j < count; j++)
            sum += (long double)a[j] * (long double)b[j];
        assert_true(fabsl(sum - (long double)ww_row_product(a, b, count)) < 1e-13L);
    }
}

/// A soft margin: the conditions of Karush, Kuhn and Tucker, which only the best w fulfils.
static void test_soft_margin(void **state)
{
    (void)state;
    static double inputs[MOST];
    small_set set;
    ww_error error = {0};
    const double penalties[] = {0.01, 0.3, 3.0};
    for (size_t p = 0; p < 3; p++) {
        const ww_samples *samples = random_set(&set, inputs, 200, 6, 5, 0.1);
        for (int64_t i = 0; i < 200; i += 10) // no hyperplane separates them
            set.labels[i] = 1 - set.labels[i];
        ww_ascent ascent;
        assert_int_equal(ww_ascent_begin(samples, 6, penalties[p], &ascent, &error), WW_OK);
        for (int round = 0; round < 3000 && ww_ascent_round(&ascent); round++)
            ;
        int kinds[3] = {0};
        double w[6] = {0.0};
        for (int64_t i = 0; i < 200; i++) {
            const double a = ascent.multipliers[i];
            assert_true(a >= 0.0 && a <= penalties[p]);
            const int kind = a == 0.0 ? 0 : a == penalties[p] ? 2 : 1;
            kinds[kind]++;
            assert_true(kind == 2 || ascent.margins[i] >= 1.0 - 1e-6);
            assert_true(kind == 0 || ascent.margins[i] <= 1.0 + 1e-6);
            for (int j = 0; j < 6; j++)
                w[j] += a * ww_sign_of_label(samples->labels[i]) * samples->inputs[i * 6 + j];
        }
        assert_true(kinds[0] > 5 && kinds[1] > 0 && kinds[2] > 20);
        for (int j = 0; j < 6; j++)
            assert_true(fabs(w[j] - ascent.weights[j]) < 1e-12 * (1.0 + penalties[p]));
        ww_ascent_free(&ascent);
        assert_null(ascent.weights);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_row_product),          cmocka_unit_test(test_one_point),
        cmocka_unit_test(test_two_points),           cmocka_unit_test(test_orthonormal),
        cmocka_unit_test(test_against_all_supports), cmocka_unit_test(test_bounds_of_larger_sets),
        cmocka_unit_test(test_not_separable),        cmocka_unit_test(test_ruled_out),
        cmocka_unit_test(test_extreme_norms),        cmocka_unit_test(test_symmetries),
        cmocka_unit_test(test_soft_margin),
    };
    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
