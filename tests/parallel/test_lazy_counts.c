/// N of the engine `lazy` (lazy_counts.h): made from patterns as they are, and carried by changes
/// of them, it is what counting unit by unit finds, to the last bit, however rows are divided, on
/// one thread or several: also where ranks have none, or no units.

#include "cmocka_all.h"
#include "small_problem.h"
#include "train/lazy_counts.h"
#include "train/sample_products.h"

#include <stdio.h>
#include <string.h>

typedef struct setting {
    int64_t train, width, classes;
    const char *output; ///< of the network
    const char *activation;
} setting;

typedef struct fixture {
    small_problem small;
    ww_sample_products products;
    ww_lazy_pairs pairs;
    ww_lazy_counts counts;
} fixture;

static void must(ww_status status, const ww_error *error)
{
    if (status != WW_OK)
        fail_msg("%s", error->message);
}

static void make(const setting *asked, fixture *now)
{
    char width[64];
    ww_error error = {0};
    (void)snprintf(width, sizeof width, "network.width=%lld", (long long)asked->width);
    const char *const settings[] = {"model=arora", "training={engine: lazy, rate: 0.01, steps: 9}",
                                    width, asked->output, asked->activation};
    if (!small_problem_make(&now->small, MPI_COMM_WORLD, settings, 5, asked->train, 2, 7,
                            asked->classes, &error))
        fail_msg("%s", error.message);
    now->small.parallel.threads = (int)(1 + asked->train % 3);
    must(ww_sample_products_create(&now->small.problem, &now->products, &error), &error);
    now->small.problem.products = &now->products;
    must(ww_lazy_pairs_create(&now->small.problem, &now->pairs, &error), &error);
    must(ww_lazy_counts_create(&now->pairs, &now->counts, &error), &error);
}

static void end(fixture *now)
{
    ww_lazy_counts_free(&now->counts);
    ww_lazy_pairs_free(&now->pairs);
    ww_sample_products_free(&now->products);
    small_problem_free(&now->small);
}

// Words of an entry of N, and the entry of this rank's row.
static int64_t planes_of(const fixture *now)
{
    const int64_t k = now->pairs.outputs;
    return now->pairs.is_weighed ? k * (k + 1) / 2 : 1;
}

static int64_t entry_of(const ww_lazy_counts *counts, int64_t row, int64_t j, int64_t plane)
{
    const ww_lazy_pairs *pairs = counts->pairs;
    return pairs->is_weighed
               ? counts->weighed.sums[(row * pairs->samples + j) * counts->weighed.planes + plane]
               : counts->counts[row * pairs->stride + j];
}

// What a unit adds where it is active: 1, or products of its output weights, in multiples of the
// quantum.
static void find_shares(const fixture *now, int64_t unit, int64_t *shares)
{
    const int64_t k = now->pairs.outputs;
    const double *scales = now->pairs.scales + unit * k;
    shares[0] = 1;
    for (int64_t a = 0, plane = 0; now->pairs.is_weighed && a < k; a++)
        for (int64_t b = a; b < k; b++)
            shares[plane++] = llrint(scales[a] * scales[b] / now->counts.weighed.quantum);
}

// All of N, unit by unit, [n, n, planes].
static int64_t *count_slowly(const fixture *now)
{
    const int64_t n = now->pairs.samples, planes = planes_of(now);
    const int64_t count = n * n * planes;
    int64_t *sums = calloc((size_t)count, sizeof *sums);
    int64_t *shares = calloc((size_t)planes, sizeof *shares);
    assert_non_null(sums);
    assert_non_null(shares);
    for (int64_t unit = 0; unit < now->small.problem.tiling.local_units; unit++) {
        find_shares(now, unit, shares);
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++)
                for (int64_t plane = 0; plane < planes; plane++)
                    if (ww_lazy_is_active(&now->pairs, unit, i) &&
                        ww_lazy_is_active(&now->pairs, unit, j))
                        sums[(i * n + j) * planes + plane] += shares[plane];
    }
    free(shares);
    ww_error error = {0};
    must(ww_sum_words(&now->small.parallel, sums, (size_t)count, &error), &error);
    return sums;
}

// Rows of this rank against what counting slowly finds; how many numbers are not 0, of all ranks.
static int64_t compare(const fixture *now, const ww_lazy_counts *counts)
{
    const int64_t n = now->pairs.samples, planes = planes_of(now);
    int64_t *expected = count_slowly(now), wrong = 0, others = 0;
    for (int64_t row = 0; row < counts->share.rows; row++)
        for (int64_t j = 0; j < n; j++)
            for (int64_t plane = 0; plane < planes; plane++) {
                const int64_t i = counts->share.first + row;
                const int64_t right = expected[(i * n + j) * planes + plane];
                wrong += entry_of(counts, row, j, plane) != right;
                others += right != 0;
            }
    const bool has_diagonal = now->pairs.is_weighed && now->small.problem.negative_slope != 0.0;
    for (int64_t i = 0; has_diagonal && i < n; i++)
        for (int64_t plane = 0; plane < planes; plane++)
            wrong += counts->weighed.diagonal[i * counts->weighed.planes + plane] !=
                     expected[(i * n + i) * planes + plane];
    free(expected);
    ww_error error = {0};
    int64_t words[] = {wrong, others};
    must(ww_sum_words(&now->small.parallel, words, 2, &error), &error);
    assert_int_equal(words[0], 0);
    return words[1];
}

typedef struct ways {
    int64_t exchanged, made;
} ways;

// Patterns that change in a step: one pair in `every`, and all pairs of one sample.
static int64_t change_patterns(fixture *now, int64_t step, int64_t every)
{
    const int64_t n = now->pairs.samples;
    const ww_tiling *tiling = &now->small.problem.tiling;
    int64_t total = 0;
    ww_error error = {0};
    for (int64_t unit = 0; unit < tiling->local_units; unit++)
        for (int64_t i = 0; i < n; i++) {
            const int64_t number = (tiling->first_unit + unit) * n + i;
            bool is_first = false;
            if ((number * 7919 + step * 104729) % every != 0 && i != (step * 5) % n)
                continue;
            must(ww_lazy_change(&now->pairs, unit, i, &is_first, &error), &error);
            must(ww_lazy_changes_add(&now->counts.changes, unit, i, &error), &error);
            total++;
        }
    must(ww_sum_words(&now->small.parallel, &total, 1, &error), &error);
    return total;
}

// Changes come to N, or N is made anew: how often either.
static void settle(fixture *now, int64_t total, ways *told)
{
    ww_error error = {0};
    bool is_there = false;
    int64_t left_out = now->counts.changes.left_out;
    must(ww_sum_words(&now->small.parallel, &left_out, 1, &error), &error);
    must(ww_lazy_counts_settle(&now->counts, total, left_out, &is_there, &error), &error);
    assert_int_equal(is_there, total <= now->counts.changes.most && left_out == 0);
    if (!is_there)
        must(ww_lazy_counts_make(&now->counts, &error), &error);
    told->exchanged += is_there;
    told->made += !is_there;
}

// By their limit, and without one.
static void follow(const setting *asked, bool has_limit, ways *counted)
{
    enum { STEPS = 3 };
    fixture now;
    ways told = {0};
    ww_error error = {0};
    make(asked, &now);
    if (!has_limit)
        now.counts.changes.most = now.counts.changes.own_most = INT64_MAX;
    must(ww_lazy_counts_make(&now.counts, &error), &error);
    assert_true(compare(&now, &now.counts) > 0);
    for (int64_t step = 0; step < STEPS; step++) {
        const int64_t total = change_patterns(&now, step, 11 + 4 * step);
        assert_true(total >= asked->width); // on one sample already
        settle(&now, total, &told);
        assert_true(compare(&now, &now.counts) > 0);
    }
    ww_lazy_counts anew; // from patterns that have changed
    must(ww_lazy_counts_create(&now.pairs, &anew, &error), &error);
    must(ww_lazy_counts_make(&anew, &error), &error);
    assert_true(compare(&now, &anew) > 0);
    ww_lazy_counts_free(&anew);
    assert_true(has_limit || told.made == 0);
    counted->exchanged += told.exchanged;
    counted->made += told.made;
    end(&now);
}

static void follow_both(const setting *asked)
{
    ways told = {0};
    follow(asked, false, &told);
    assert_true(told.exchanged > 0);
    follow(asked, true, &told);
    assert_true(told.made > 0);
}

// Samples that are no whole blocks, one alone, fewer blocks than ranks, more than a word of them;
// units that are no whole words, and fewer tiles than ranks.
static const int64_t samples[] = {1, 5, 16, 33, 75, 130};
static const int64_t widths[] = {40, 64, 300, 701, 129, 450};
static const char relu[] = "network.activation.kind=relu";
static const char leaky[] = "network.activation={kind: leaky-relu, slope: 0.2}";

static void test_one_output(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++) {
        const setting asked = {.train = samples[i],
                               .width = widths[i],
                               .classes = 2,
                               .output = "network.output.kind=signs",
                               .activation = i % 2 == 0 ? relu : leaky};
        follow_both(&asked);
    }
}

static void test_several_outputs(void **state)
{
    (void)state;
    const int64_t classes[] = {2, 3, 4, 10, 3, 5};
    for (int i = 0; i < 6; i++) {
        const setting asked = {.train = samples[i],
                               .width = widths[i],
                               .classes = classes[i],
                               .output = "network.output.kind=gaussian",
                               .activation = i % 2 == 0 ? leaky : relu};
        follow_both(&asked);
    }
}

// A rank that cannot prepare its words fails all ranks alike, and the next exchange goes well.
static void test_exchange_fails_alike(void **state)
{
    (void)state;
    ww_parallel world;
    ww_error error = {0};
    must(ww_parallel_create(MPI_COMM_WORLD, &world, &error), &error);
    ww_incoming incoming;
    must(ww_incoming_create(&world, &incoming, &error), &error);
    int64_t *words = calloc((size_t)world.size, sizeof *words);
    int64_t *counts = calloc((size_t)world.size, sizeof *counts);
    assert_non_null(words);
    assert_non_null(counts);
    for (int rank = 0; rank < world.size; rank++) {
        words[rank] = 100 * world.rank + rank;
        counts[rank] = 1;
    }
    const int last = world.size - 1;
    const ww_status own = world.rank == last ? ww_fail(&error, WW_FAILED, "no memory") : WW_OK;
    assert_int_equal(ww_exchange_words(&world, own, words, counts, &incoming, &error), WW_FAILED);
    assert_string_equal(error.message, "no memory");
    must(ww_exchange_words(&world, WW_OK, words, counts, &incoming, &error), &error);
    assert_int_equal(incoming.count, world.size);
    for (int rank = 0; rank < world.size; rank++)
        assert_int_equal(incoming.words[rank], 100 * rank + world.rank);
    counts[last] = INT64_C(1) << 31; // more than MPI counts
    assert_int_equal(ww_exchange_words(&world, WW_OK, words, counts, &incoming, &error), WW_FAILED);
    assert_non_null(strstr(error.message, "more than 2^31 words for each other"));
    ww_incoming_free(&incoming);
    free(words);
    free(counts);
    ww_parallel_destroy(&world);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_output),
        cmocka_unit_test(test_several_outputs),
        cmocka_unit_test(test_exchange_fails_alike),
    };
    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
