/// Random numbers against slow, obvious versions: Random123's own known answers, long doubles of
/// the C library, a textbook shuffle; then the distributions themselves.
#include "cmocka_all.h"

#include "random/words.h"
#include "widthwise/random.h"

#include <Random123/philox.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { MANY = 1000000 };

static const ww_stream example = {.seed = 42, .purpose = WW_DRAW_HIDDEN_WEIGHTS, .substream = 0};

static double *new_doubles(size_t count)
{
    double *values = malloc(count * sizeof *values);
    assert_non_null(values);
    return values;
}

static uint64_t *new_words(size_t count)
{
    uint64_t *words = malloc(count * sizeof *words);
    assert_non_null(words);
    return words;
}

static int64_t *new_integers(size_t count)
{
    int64_t *integers = malloc(count * sizeof *integers);
    assert_non_null(integers);
    return integers;
}

static void philox_gives_the_known_answers(void **state)
{
    (void)state;
    // kat_vectors of Random123, philox4x32 with 10 rounds: counter, key -> result.
    static const struct {
        uint32_t counter[4], key[2], result[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; ++i) {
        const uint32_t *counter = known[i].counter;
        const ww_stream stream = {.seed = known[i].key[0] | (uint64_t)known[i].key[1] << 32,
                                  .purpose = counter[2],
                                  .substream = counter[3]};
        uint64_t even;
        uint64_t odd;
        ww_random_words(stream, counter[0] | (uint64_t)counter[1] << 32, 1, &even, &odd);
        assert_int_equal(even, known[i].result[0] | (uint64_t)known[i].result[1] << 32);
        assert_int_equal(odd, known[i].result[2] | (uint64_t)known[i].result[3] << 32);
    }
}

static void words_of_many_blocks_are_those_of_each_block(void **state)
{
    (void)state;
    enum { COUNT = 101 };
    const uint64_t first = UINT64_C(0xffffffff) - 50; // the carry into the upper half lies inside
    uint64_t even[COUNT];
    uint64_t odd[COUNT];
    ww_random_words(example, first, COUNT, even, odd);
    for (uint64_t i = 0; i < COUNT; ++i) {
        const philox4x32_key_t key = {{42, 0}};
        const uint64_t block = first + i;
        const philox4x32_ctr_t counter = {
            {(uint32_t)block, (uint32_t)(block >> 32), WW_DRAW_HIDDEN_WEIGHTS, 0}};
        const philox4x32_ctr_t result = philox4x32(counter, key);
        assert_int_equal(even[i], result.v[0] | (uint64_t)result.v[1] << 32);
        assert_int_equal(odd[i], result.v[2] | (uint64_t)result.v[3] << 32);
    }
}

/// Box and Muller in long doubles; the angle is taken from the nearest axis, so that a small result
/// has its relative precision too.
static void reference_normals(uint64_t even, uint64_t odd, long double pair[2])
{
    const long double pi = acosl(-1);
    // log((even + 1/2) / 2^64), from the side of 1 where that is nearer: both are exact inside.
    const long double logarithm = even >> 63 ? log1pl(-((long double)~even + 0.5L) * 0x1p-64L)
                                             : logl(((long double)even + 0.5L) * 0x1p-64L);
    const long double r = sqrtl(-2 * logarithm);
    const uint64_t turned = odd + (UINT64_C(1) << 61);
    const int64_t rest = (int64_t)(turned % (UINT64_C(1) << 62)) - (INT64_C(1) << 61);
    const long double angle = 2 * pi * (((long double)rest + 0.5L) * 0x1p-64L);
    const long double c = cosl(angle);
    const long double s = sinl(angle);
    const long double cosines[4] = {c, -s, -c, s};
    const long double sines[4] = {s, c, -s, -c};
    pair[0] = r * cosines[turned >> 62];
    pair[1] = r * sines[turned >> 62];
}

/// Largest relative error of the normals made of `count` pairs of words.
static double largest_error(const uint64_t *even, const uint64_t *odd, size_t count)
{
    double *out = new_doubles(2 * count);
    ww_normals_of_words(even, odd, count, 1.0, out);
    double largest = 0;
    for (size_t i = 0; i < 2 * count; ++i) {
        long double pair[2];
        reference_normals(even[i / 2], odd[i / 2], pair);
        const long double exact = pair[i % 2];
        const double error = (double)fabsl(((long double)out[i] - exact) / exact);
        if (!(error <= largest)) // a NaN counts too
            largest = error;
    }
    free(out);
    return largest;
}

static const double accuracy = 3 * 0x1p-52; // relative, 6.7e-16

static void normals_are_accurate_everywhere(void **state)
{
    (void)state;
    enum { COUNT = 300000 };
    uint64_t *even = new_words(COUNT);
    uint64_t *odd = new_words(COUNT);
    ww_random_words(example, 0, COUNT, even, odd);
    assert_true(largest_error(even, odd, COUNT) <= accuracy);
    // All sizes of u and of 1 - u, which chance would not reach, and all octants of the angle.
    for (size_t i = 0; i < COUNT; ++i) {
        const uint64_t small = even[i] >> (i % 64);
        even[i] = i / 64 % 2 == 0 ? small : ~small;
        const uint64_t octant = (uint64_t)(i / 128 % 8) << 61;
        const uint64_t near = odd[i] >> (3 + i % 61);
        odd[i] = octant + (i / 1024 % 2 == 0 ? near : ~near);
    }
    assert_true(largest_error(even, odd, COUNT) <= accuracy);
    free(even);
    free(odd);
}

static void normals_are_accurate_at_the_edges(void **state)
{
    (void)state;
    uint64_t words[4 * 130];
    size_t count = 0;
    for (int power = 0; power < 64; ++power)
        for (int shift = -1; shift <= 0; ++shift) {
            const uint64_t word = (UINT64_C(1) << power) + (uint64_t)(int64_t)shift;
            words[count++] = word;
            words[count++] = ~word;
        }
    // Where the logarithm changes its power of two: u = 2^k sqrt(1/2), about.
    for (int power = 0; power < 64; ++power)
        words[count++] = UINT64_C(0xb504f00000000000) >> power;
    words[count++] = UINT64_C(0xb504f333f9de6484); // sqrt(1/2) itself
    const size_t total = count;
    assert_true(total <= sizeof words / sizeof words[0]);
    uint64_t *even = new_words(total * total);
    uint64_t *odd = new_words(total * total);
    for (size_t i = 0; i < total; ++i)
        for (size_t j = 0; j < total; ++j) {
            even[i * total + j] = words[i];
            odd[i * total + j] = words[j];
        }
    assert_true(largest_error(even, odd, total * total) <= accuracy);
    free(even);
    free(odd);

    // The largest normal there is: u = 2^-65, angle next to 0.
    const uint64_t zero = 0;
    double pair[2];
    ww_normals_of_words(&zero, &zero, 1, 1.0, pair);
    assert_true(fabs(pair[0] - sqrt(130 * log(2))) < 1e-14);
    assert_true(pair[1] > 0 && pair[1] < 1e-17);
}

static void normals_do_not_depend_on_how_they_are_asked_for(void **state)
{
    (void)state;
    enum { COUNT = 4100 };
    const uint64_t first = 2 * UINT64_C(0xffffffff) - 1001; // odd; block 2^32 lies inside
    double *whole = new_doubles(COUNT);
    double *parts = new_doubles(COUNT);
    ww_normals(example, first, COUNT, whole);
    // Pieces of 0, 1, 2, ... numbers, then single ones from the last to the first.
    size_t done = 0;
    for (size_t piece = 0; done < COUNT; ++piece) {
        const size_t now = COUNT - done < piece ? COUNT - done : piece;
        ww_normals(example, first + done, now, parts + done);
        done += now;
    }
    assert_memory_equal(whole, parts, COUNT * sizeof *whole);
    memset(parts, 0, COUNT * sizeof *parts);
    for (size_t i = COUNT; i-- > 0;)
        ww_normals(example, first + i, 1, parts + i);
    assert_memory_equal(whole, parts, COUNT * sizeof *whole);

    // Nothing is written outside the range asked for.
    parts[0] = parts[4] = 7;
    ww_normals(example, 1, 3, parts + 1);
    assert_true(parts[0] == 7 && parts[4] == 7);
    ww_normals(example, 1, 0, parts);
    assert_true(parts[0] == 7);
    free(whole);
    free(parts);
}

static void uniforms_and_integers_do_not_depend_on_how_they_are_asked_for(void **state)
{
    (void)state;
    enum { COUNT = 3001 };
    const int64_t bound = INT64_C(1000000007);
    double *whole = new_doubles(COUNT);
    double *parts = new_doubles(COUNT);
    int64_t *integers = new_integers(COUNT);
    ww_uniforms(example, 17, COUNT, whole);
    ww_integers(example, 17, COUNT, bound, integers);
    for (size_t done = 0, piece = 0; done < COUNT; ++piece) {
        const size_t now = COUNT - done < piece ? COUNT - done : piece;
        ww_uniforms(example, 17 + done, now, parts + done);
        done += now;
    }
    assert_memory_equal(whole, parts, COUNT * sizeof *whole);
    for (size_t i = 0; i < COUNT; ++i) {
        int64_t single;
        ww_integers(example, 17 + i, 1, bound, &single);
        assert_int_equal(single, integers[i]);
    }
    free(whole);
    free(parts);
    free(integers);
}

static void uniforms_are_the_words_upper_bits(void **state)
{
    (void)state;
    enum { COUNT = 2000 };
    double values[COUNT];
    uint64_t even[COUNT / 2];
    uint64_t odd[COUNT / 2];
    ww_uniforms(example, 0, COUNT, values);
    ww_random_words(example, 0, COUNT / 2, even, odd);
    for (size_t i = 0; i < COUNT; ++i) {
        const uint64_t word = i % 2 == 0 ? even[i / 2] : odd[i / 2];
        assert_true((long double)values[i] == ((long double)(word >> 12) + 0.5L) * 0x1p-52L);
        assert_true(values[i] > 0 && values[i] < 1);
    }
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double normal_distribution(double x)
{
    return 0.5 * erfc(-x * sqrt(0.5));
}

static double uniform_distribution(double x)
{
    return x;
}

/// Kolmogorov and Smirnov's sqrt(n) D; sorts `values`. Above 1.95 with a chance of 0.1%.
static double ks_statistic(double *values, size_t count, double (*distribution)(double))
{
    qsort(values, count, sizeof *values, ascending);
    double largest = 0;
    for (size_t i = 0; i < count; ++i) {
        const double p = distribution(values[i]);
        largest =
            fmax(largest, fmax((double)(i + 1) / (double)count - p, p - (double)i / (double)count));
    }
    return largest * sqrt((double)count);
}

static void normals_are_distributed_as_such(void **state)
{
    (void)state;
    double *values = new_doubles(MANY);
    ww_normals(example, 0, MANY, values);
    double moments[7] = {0};
    double neighbours = 0;
    int beyond_four = 0;
    for (size_t i = 0; i < MANY; ++i) {
        double power = 1;
        for (int k = 0; k < 7; ++k) {
            moments[k] += power / MANY;
            power *= values[i];
        }
        neighbours += values[i] * values[(i + 1) % MANY] / MANY;
        beyond_four += fabs(values[i]) > 4;
    }
    // Each within 4 of its own standard deviations: var(x^k) = (2 k - 1)!! - ((k - 1)!!)^2.
    const double exact[7] = {1, 0, 1, 0, 3, 0, 15};
    const double variance[7] = {0, 1, 2, 15, 96, 945, 10170};
    for (int k = 1; k < 7; ++k)
        assert_true(fabs(moments[k] - exact[k]) < 4 * sqrt(variance[k] / MANY));
    assert_true(fabs(neighbours) < 4 / sqrt(MANY));
    // 63.3 are expected.
    assert_in_range(beyond_four, 63 - 32, 63 + 32);
    assert_true(ks_statistic(values, MANY, normal_distribution) < 1.95);
    free(values);
}

static void uniforms_are_distributed_as_such(void **state)
{
    (void)state;
    double *values = new_doubles(MANY);
    ww_uniforms(example, 0, MANY, values);
    double neighbours = 0;
    for (size_t i = 0; i < MANY; ++i)
        neighbours += (values[i] - 0.5) * (values[(i + 1) % MANY] - 0.5) / MANY;
    assert_true(fabs(neighbours) < 4 / (12 * sqrt(MANY)));
    assert_true(ks_statistic(values, MANY, uniform_distribution) < 1.95);
    free(values);
}

static void streams_are_unrelated(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    const ww_stream others[] = {
        {.seed = 43, .purpose = WW_DRAW_HIDDEN_WEIGHTS, .substream = 0},
        {.seed = 42 + (UINT64_C(1) << 32), .purpose = WW_DRAW_HIDDEN_WEIGHTS, .substream = 0},
        {.seed = 42, .purpose = WW_DRAW_OUTPUT_WEIGHTS, .substream = 0},
        {.seed = 42, .purpose = WW_DRAW_HIDDEN_WEIGHTS, .substream = 1},
    };
    double *values = new_doubles(COUNT);
    double *other = new_doubles(COUNT);
    ww_normals(example, 0, COUNT, values);
    for (size_t s = 0; s < sizeof others / sizeof others[0]; ++s) {
        ww_normals(others[s], 0, COUNT, other);
        double correlation = 0;
        for (size_t i = 0; i < COUNT; ++i)
            correlation += values[i] * other[i] / COUNT;
        assert_true(fabs(correlation) < 4 / sqrt(COUNT));
    }
    free(values);
    free(other);
}

static void the_first_million_normals_never_change(void **state)
{
    (void)state;
    double *values = new_doubles(MANY);
    ww_normals((ww_stream){.seed = 1, .purpose = WW_DRAW_HIDDEN_WEIGHTS, .substream = 0}, 0, MANY,
               values);
    // Stored results depend on these bits: whatever the compiler, its flags and the processor.
    assert_int_equal(XXH3_64bits(values, MANY * sizeof *values), UINT64_C(0x83c51dc7d7459ac0));
    free(values);
}

/// floor(word * bound / 2^64) in two halves.
static uint64_t reference_scaled(uint64_t word, uint64_t bound)
{
    const uint64_t low = UINT64_C(0xffffffff);
    const uint64_t cross = (word & low) * (bound >> 32) + (((word & low) * (bound & low)) >> 32);
    const uint64_t other = (word >> 32) * (bound & low) + (cross & low);
    return (word >> 32) * (bound >> 32) + (cross >> 32) + (other >> 32);
}

static void integers_are_scaled_words(void **state)
{
    (void)state;
    enum { COUNT = 2000 };
    const int64_t bounds[] = {1, 2, 3, 10, INT64_C(1) << 40, INT64_C(0x7fffffffffffffff)};
    uint64_t even[COUNT / 2];
    uint64_t odd[COUNT / 2];
    int64_t values[COUNT];
    ww_random_words(example, 0, COUNT / 2, even, odd);
    for (size_t b = 0; b < sizeof bounds / sizeof bounds[0]; ++b) {
        ww_integers(example, 0, COUNT, bounds[b], values);
        for (size_t i = 0; i < COUNT; ++i) {
            const uint64_t word = i % 2 == 0 ? even[i / 2] : odd[i / 2];
            assert_int_equal(values[i], reference_scaled(word, (uint64_t)bounds[b]));
            assert_true(values[i] >= 0 && values[i] < bounds[b]);
        }
    }
}

static void integers_are_equally_likely(void **state)
{
    (void)state;
    int64_t *values = new_integers(MANY);
    ww_integers(example, 0, MANY, 10, values);
    double counts[10] = {0};
    for (size_t i = 0; i < MANY; ++i)
        counts[values[i]] += 1;
    double chi_square = 0;
    for (int v = 0; v < 10; ++v)
        chi_square += (counts[v] - MANY / 10.0) * (counts[v] - MANY / 10.0) / (MANY / 10.0);
    assert_true(chi_square < 27.9); // 9 degrees of freedom, 0.1%
    free(values);
}

static void permutations_are_fisher_and_yates(void **state)
{
    (void)state;
    const int64_t counts[] = {0, 1, 2, 3, 1024, 1025, 5000};
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; ++c) {
        const int64_t count = counts[c];
        int64_t *values = new_integers((size_t)count + 1);
        int64_t *expected = new_integers((size_t)count + 1);
        values[count] = -7;
        ww_permutation(example, count, values);
        assert_int_equal(values[count], -7);
        for (int64_t i = 0; i < count; ++i)
            expected[i] = i;
        for (int64_t i = 0; i < count; ++i) {
            int64_t step;
            ww_integers(example, (uint64_t)i, 1, count - i, &step);
            const int64_t value = expected[i + step];
            expected[i + step] = expected[i];
            expected[i] = value;
        }
        assert_memory_equal(values, expected, (size_t)count * sizeof *values);
        // Every number is there once.
        for (int64_t i = 0; i < count; ++i)
            expected[i] = 0;
        for (int64_t i = 0; i < count; ++i)
            assert_int_equal(expected[values[i]]++, 0);
        free(values);
        free(expected);
    }
}

static void permutations_are_equally_likely(void **state)
{
    (void)state;
    enum { DRAWS = 48000 };
    double counts[24] = {0};
    for (uint32_t draw = 0; draw < DRAWS; ++draw) {
        int64_t p[4];
        ww_permutation((ww_stream){.seed = 5, .purpose = WW_DRAW_BATCHES, .substream = draw}, 4, p);
        int64_t code = 0; // digits: how many later ones are smaller
        for (int i = 0; i < 4; ++i) {
            int64_t smaller = 0;
            for (int j = i + 1; j < 4; ++j)
                smaller += p[j] < p[i];
            code = code * (4 - i) + smaller;
        }
        counts[code] += 1;
    }
    double chi_square = 0;
    for (int code = 0; code < 24; ++code)
        chi_square +=
            (counts[code] - DRAWS / 24.0) * (counts[code] - DRAWS / 24.0) / (DRAWS / 24.0);
    assert_true(chi_square < 49.7); // 23 degrees of freedom, 0.1%
}

/// Words that chance does not bring: all powers of two and their neighbours, from both ends, where
/// the tail, the angle next to an axis and the changes of the exponent are.
static size_t special_words(uint64_t *words)
{
    size_t count = 0;
    for (int power = 0; power < 64; ++power)
        for (uint64_t less = 0; less <= 1; ++less) {
            words[count++] = (UINT64_C(1) << power) - less;
            words[count++] = ~((UINT64_C(1) << power) - less);
        }
    for (int power = 0; power < 64; ++power)
        words[count++] = UINT64_C(0xb504f333f9de6484) >> power; // 2^-power sqrt(1/2)
    return count;
}

static void every_version_gives_the_same_bits(void **state)
{
    (void)state;
    enum { SPECIAL = 5 * 64, DRAWN = 20000, COUNT = SPECIAL * SPECIAL + DRAWN };
    uint64_t words[SPECIAL];
    assert_int_equal(special_words(words), SPECIAL);
    uint64_t *even = new_words(COUNT);
    uint64_t *odd = new_words(COUNT);
    for (size_t i = 0; i < SPECIAL * SPECIAL; ++i) {
        even[i] = words[i / SPECIAL];
        odd[i] = words[i % SPECIAL];
    }
    const uint64_t first = UINT64_C(0xffffffff) - DRAWN / 2; // a carry lies inside
    ww_words_versions[WW_VERSION_PLAIN](example, first, DRAWN, even + SPECIAL * SPECIAL,
                                        odd + SPECIAL * SPECIAL);
    double *plain = new_doubles((size_t)2 * COUNT);
    double *other = new_doubles((size_t)2 * COUNT + 2);
    ww_normals_versions[WW_VERSION_PLAIN](even, odd, COUNT, 1.0, plain);
    for (int version = 0; version < WW_VERSIONS; ++version) {
        if (!ww_version_is_here((ww_version)version))
            continue;
        ww_normals_versions[version](even, odd, COUNT, 1.0, other);
        assert_memory_equal(plain, other, sizeof *plain * 2 * COUNT);
        // What is left over after whole vectors, at places that no vector is aligned to.
        for (size_t count = 0; count <= 40; ++count) {
            const size_t place = SPECIAL * SPECIAL - 20 + count;
            other[2 * count + 1] = 7;
            ww_normals_versions[version](even + place, odd + place, count, 1.0, other + 1);
            assert_memory_equal(plain + 2 * place, other + 1, sizeof *plain * 2 * count);
            assert_true(other[2 * count + 1] == 7);
            uint64_t some[2][41];
            ww_words_versions[version](example, first + count, count, some[0], some[1]);
            assert_memory_equal(even + SPECIAL * SPECIAL + count, some[0], count * sizeof *even);
            assert_memory_equal(odd + SPECIAL * SPECIAL + count, some[1], count * sizeof *odd);
        }
    }
    free(even);
    free(odd);
    free(plain);
    free(other);
}

static void scaled_normals_are_products(void **state)
{
    (void)state;
    enum { COUNT = 2051 };
    const double scales[] = {1.0, 0.1, 3.7e-5, 1.0 / 3.0};
    double plain[COUNT];
    double scaled[COUNT];
    ww_normals(example, 77, COUNT, plain);
    for (size_t s = 0; s < sizeof scales / sizeof scales[0]; ++s) {
        ww_scaled_normals(example, 77, COUNT, scales[s], scaled);
        for (size_t i = 0; i < COUNT; ++i)
            assert_true(scaled[i] == plain[i] * scales[s]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_the_known_answers),
        cmocka_unit_test(words_of_many_blocks_are_those_of_each_block),
        cmocka_unit_test(normals_are_accurate_everywhere),
        cmocka_unit_test(normals_are_accurate_at_the_edges),
        cmocka_unit_test(normals_do_not_depend_on_how_they_are_asked_for),
        cmocka_unit_test(every_version_gives_the_same_bits),
        cmocka_unit_test(scaled_normals_are_products),
        cmocka_unit_test(uniforms_and_integers_do_not_depend_on_how_they_are_asked_for),
        cmocka_unit_test(uniforms_are_the_words_upper_bits),
        cmocka_unit_test(normals_are_distributed_as_such),
        cmocka_unit_test(uniforms_are_distributed_as_such),
        cmocka_unit_test(streams_are_unrelated),
        cmocka_unit_test(the_first_million_normals_never_change),
        cmocka_unit_test(integers_are_scaled_words),
        cmocka_unit_test(integers_are_equally_likely),
        cmocka_unit_test(permutations_are_fisher_and_yates),
        cmocka_unit_test(permutations_are_equally_likely),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
