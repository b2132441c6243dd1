// Audits and checks (widthwise/audit.h): engines that are right pass, whatever the data, the steps
// and the ties; a single pattern or output that is wrong is found, and so are changes that an
// engine overlooks.
#include "cmocka_all.h"
#include "parallel/workers.h"
#include "small_problem.h"
#include "train/engine.h"
#include "train/lazy.h"
#include "widthwise/audit.h"

#include <stdio.h>
#include <string.h>

enum { TRAIN = 70, WIDTH = 300 };
enum { FEW = 9, MANY = 30 }; // inputs: full steps of lazy keep weights, or pre-activations
static int64_t dimension = FEW;

static const char lazy[] = "training.engine=lazy", samples[] = "training.engine=samples";

// With one sample of zeroes, and some that are equal but for their targets.
static void make(const char *const *settings, size_t count, int64_t classes, small_problem *small)
{
    const char *all[8] = {"network.width=300"};
    ww_error error = {0};
    assert_true(count < sizeof all / sizeof all[0]);
    memcpy(all + 1, settings, count * sizeof *all);
    if (!small_problem_make(small, MPI_COMM_SELF, all, count + 1, TRAIN, 2, dimension, classes,
                            &error))
        fail_msg("%s", error.message);
    ww_samples *train = &small->data.train;
    for (int64_t s = 0; train->targets != NULL && small->data.outputs == 1 && s < TRAIN; s++)
        train->targets[s] = sin(37.0 * (double)(s * s)) > 0.0 ? 1.0 : -1.0;
    const size_t row = (size_t)dimension;
    memset(train->inputs + 2 * row, 0, row * sizeof(double));
    for (size_t s = 4; s < 8; s++)
        memcpy(train->inputs + s * row, train->inputs, row * sizeof(double));
}

static ww_engine *create(const small_problem *small)
{
    ww_engine *engine = NULL;
    ww_error error = {0};
    if (ww_engine_create(&small->problem, &engine, &error) != WW_OK)
        fail_msg("%s", error.message);
    return engine;
}

static void step(ww_engine *engine)
{
    double loss = 0.0;
    ww_error error = {0};
    if (ww_engine_step(engine, 0, NULL, &loss, &error) != WW_OK)
        fail_msg("%s", error.message);
}

static ww_lazy *inside(const ww_engine *engine)
{
    return ww_engine_state_of(engine);
}

// The pair of unit r that is farthest from 0 at the start.
static int64_t farthest(const ww_lazy *engine, int64_t unit)
{
    int64_t sample = 0;
    const double *start = engine->pairs.start + unit * engine->pairs.stride;
    for (int64_t j = 1; j < TRAIN; j++)
        sample = fabs(start[j]) > fabs(start[sample]) ? j : sample;
    return sample;
}

static void flip(ww_lazy *engine, int64_t unit, int64_t sample)
{
    engine->pairs.patterns[unit * engine->pairs.words + sample / 64] ^= (uint64_t)1 << sample % 64;
}

static void expect_words(const ww_error *error, const char *words)
{
    if (strstr(error->message, words) == NULL)
        fail_msg("\"%s\" is not in: %s", words, error->message);
}

// Undecided are the pairs of the sample of zeroes, and few others: in single precision some.
static void expect_audit(ww_engine *engine, int64_t seen)
{
    ww_audit found;
    ww_error error = {0};
    if (ww_audit_engine(engine, &found, &error) != WW_OK)
        fail_msg("%s", error.message);
    assert_int_equal(found.verdict, WW_AUDIT_HOLDS);
    assert_int_equal(found.first_step, seen);
    assert_int_equal(found.last_step, seen);
    assert_int_equal(found.pairs, WIDTH * TRAIN);
    assert_int_equal(found.mismatches, 0);
    assert_in_range(found.undecided, WIDTH,
                    ww_problem_is_single(ww_engine_problem(engine)) ? 5 * WIDTH : WIDTH + 5);
}

static const char *const runs[][6] = {
    {"model=arora", lazy, "training.rate=0.01", "network.hidden.std=1"},
    {"model=arora", lazy, "training.rate=0.05", "network.hidden.std=0.01"},
    {"model=arora", lazy, "training.rate=1.2", "network.hidden.std=1"}, // above 2 / lambda_max
    {"model=arora", lazy, "training.rate=0.02", "network.activation={kind: leaky-relu, slope: 0.3}",
     "network.hidden.pairs=antisymmetric"},
    {"model=arora", samples, "training.rate=0.02", "network.hidden.std=1"},
    {"model=arora", samples, "training.rate=0.02", "precision=single"},
    {"model=li-liang", samples, "training={batch: 16, rate: 1}"},
    {"model=li-liang", samples, "training={batch: 7, rate: 1}", "precision=single"},
    {"model=brutzkus", samples, "training={rate: 0.5, stop_at_rest: false}",
     "network.train_output=false"},
    {"model=li-liang", "training.engine=window", "training={batch: 5, rate: 1}"},
    {"model=li-liang", "training.engine=window", "training={batch: 64, rate: 1}",
     "precision=single"},
    {"model=li-liang", lazy, "training={method: gd, rate: 2}"},
    {"model=arora", lazy, "training.rate=0.05", "network.hidden.std=0.3",
     "network.output.kind=gaussian", "network.activation={kind: leaky-relu, slope: 0.3}"},
};

static size_t count_of(const char *const *settings)
{
    size_t count = 0;
    while (count < 6 && settings[count] != NULL)
        count++;
    return count;
}

/// Every step of every engine is as `dense` has it, and the states in between hold.
static void follow_all_runs(void)
{
    enum { UNSTABLE = 2, STEPS = 14 }; // until the loss of the third is out of all bounds
    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
        small_problem small;
        ww_check *check = NULL;
        ww_error error = {0};
        if (i == UNSTABLE && dimension == MANY)
            continue; // it diverges at once
        make(runs[i], count_of(runs[i]), 2, &small);
        assert_int_equal(ww_check_allowed(&small.problem, &error), WW_OK);
        ww_engine *engine = create(&small);
        const bool is_lazy = ww_engine_choice(&small.problem) == WW_ENGINE_LAZY;
        if (ww_engine_makes_tiles(&small.problem))
            expect_audit(engine, 0);
        for (int64_t t = 0; t < STEPS; t++) {
            if (t == 2) // in the middle, as after a restart
                assert_int_equal(ww_check_create(engine, &check, &error), WW_OK);
            step(engine);
            if (check != NULL && ww_check_step(check, &error) != WW_OK)
                fail_msg("run %zu: %s", i, error.message);
            if (t % 5 == 4 && ww_engine_makes_tiles(&small.problem))
                expect_audit(engine, is_lazy ? t : t + 1);
        }
        const ww_audit *found = ww_check_found(check);
        assert_int_equal(found->verdict, WW_AUDIT_HOLDS);
        assert_int_equal(found->first_step, 2);
        assert_int_equal(found->last_step, STEPS - 1);
        assert_int_equal(found->pairs, (STEPS - 2) * WIDTH * small.problem.batch);
        assert_int_equal(found->mismatches, 0);
        assert_true(found->difference < (ww_problem_is_single(&small.problem) ? 1e-3 : 1e-9));
        ww_check_free(check);
        ww_engine_free(engine);
        small_problem_free(&small);
    }
}

/// Steps of `lazy` by windows, full ones, and both.
static void test_engines_that_are_right(void **state)
{
    (void)state;
    static const double prices[] = {0.0, 0.01, (double)INFINITY};
    for (int i = 0; i < 3; i++)
        for (dimension = FEW; dimension <= MANY; dimension += MANY - FEW) {
            ww_lazy_set_price(prices[i]);
            follow_all_runs();
        }
    dimension = FEW;
    ww_lazy_set_price(1.0);
}

/// Several outputs, and more samples than a batch has, whose last one is not full.
static void test_several_outputs(void **state)
{
    (void)state;
    small_problem small;
    const char *const settings[] = {"model=li-liang", samples, "training={batch: 32, rate: 1}"};
    make(settings, 3, 4, &small);
    ww_engine *engine = create(&small);
    for (int t = 0; t < 5; t++)
        step(engine);
    expect_audit(engine, 5);
    ww_engine_free(engine);
    small_problem_free(&small);
}

/// A run has the same bits with audits in between.
static void test_audits_change_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < 9; i++) {
        small_problem small;
        make(runs[i], count_of(runs[i]), 2, &small);
        ww_engine *plain = create(&small), *audited = create(&small);
        const ww_tiling *tiling = &small.problem.tiling;
        for (int t = 0; t < 12; t++) {
            ww_audit found;
            ww_error error = {0};
            if (t % 3 == 0)
                assert_int_equal(ww_audit_engine(audited, &found, &error), WW_OK);
            step(plain);
            step(audited);
        }
        double *copy = calloc((size_t)(tiling->tile_units * dimension), sizeof *copy);
        assert_non_null(copy);
        for (int64_t tile = 0; tile < tiling->tile_count; tile++) {
            const size_t bytes = (size_t)(ww_tile_size(tiling, tile) * dimension) * sizeof *copy;
            memcpy(copy, ww_engine_tile(plain, tile), bytes);
            assert_memory_equal(copy, ww_engine_tile(audited, tile), bytes);
        }
        free(copy);
        ww_engine_free(plain);
        ww_engine_free(audited);
        small_problem_free(&small);
    }
}

/// One wrong pattern, far from 0, is found by an audit, and where it is.
static void test_audit_finds_a_pattern(void **state)
{
    (void)state;
    small_problem small;
    make(runs[0], count_of(runs[0]), 2, &small);
    ww_engine *engine = create(&small);
    for (int t = 0; t < 10; t++)
        step(engine);
    expect_audit(engine, 9);
    const int64_t sample = farthest(inside(engine), 270);
    flip(inside(engine), 270, sample);
    ww_audit found;
    ww_error error = {0};
    char where[64];
    (void)snprintf(where, sizeof where, "unit 270 on train sample %lld", (long long)sample);
    assert_int_equal(ww_audit_engine(engine, &found, &error), WW_FAILED);
    assert_int_equal(found.verdict, WW_AUDIT_FAILS);
    assert_int_equal(found.mismatches, 1);
    expect_words(&error, "the engine lazy is wrong: after 9 steps 1 activation pattern is not");
    expect_words(&error, where);
    flip(inside(engine), 270, sample);
    expect_audit(engine, 9);
    inside(engine)->outputs[3] += 1e-6;
    assert_int_equal(ww_audit_engine(engine, &found, &error), WW_FAILED);
    assert_int_equal(found.verdict, WW_AUDIT_FAILS);
    assert_int_equal(found.mismatches, 0);
    expect_words(&error, "after 9 steps its outputs differ from those of the weights by");
    ww_engine_free(engine);
    small_problem_free(&small);
}

/// Pre-activations that `samples` keeps, of which one has the wrong sign.
static void test_audit_of_samples(void **state)
{
    (void)state;
    static const size_t kinds[] = {4, 6}; // full batches, and others
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        small_problem small;
        make(runs[kinds[i]], count_of(runs[kinds[i]]), 2, &small);
        ww_engine *engine = create(&small);
        for (int t = 0; t < 10; t++)
            step(engine);
        expect_audit(engine, 10);
        const size_t values = (size_t)(small.problem.tiling.tile_units * 2 * TRAIN);
        double *kept = calloc(values, sizeof *kept);
        assert_non_null(kept);
        memcpy(kept, ww_engine_state_tile(engine, 0), values * sizeof *kept);
        kept[13] = -kept[13];
        ww_engine_put_state_tile(engine, 0, kept);
        ww_audit found;
        ww_error error = {0};
        assert_int_equal(ww_audit_engine(engine, &found, &error), WW_FAILED);
        expect_words(&error, "first that of unit 0 on train sample 13, where");
        assert_int_equal(found.mismatches, 1);
        free(kept);
        ww_engine_free(engine);
        small_problem_free(&small);
    }
}

/// A wrong pattern is found by a check at the very step; and so is an output.
static void test_check_finds_a_pattern(void **state)
{
    (void)state;
    for (int wrong = 0; wrong < 2; wrong++) {
        small_problem small;
        ww_check *check = NULL;
        ww_error error = {0};
        make(runs[0], count_of(runs[0]), 2, &small);
        ww_engine *engine = create(&small);
        assert_int_equal(ww_check_create(engine, &check, &error), WW_OK);
        for (int t = 0; t < 8; t++) {
            step(engine);
            if (t < 7)
                assert_int_equal(ww_check_step(check, &error), WW_OK);
        }
        if (wrong == 0)
            flip(inside(engine), 11, farthest(inside(engine), 11));
        else
            inside(engine)->seen[0] *= 1.0 + 1e-7;
        assert_int_equal(ww_check_step(check, &error), WW_FAILED);
        expect_words(&error, wrong == 0 ? "after 7 steps 1 activation pattern is not that of the "
                                          "engine dense, first that of unit 11 on"
                                        : "after 7 steps its outputs differ from those of the "
                                          "engine dense by");
        assert_int_equal(ww_check_found(check)->verdict, WW_AUDIT_FAILS);
        assert_int_equal(ww_check_found(check)->mismatches, wrong == 0);
        ww_check_free(check);
        ww_engine_free(engine);
        small_problem_free(&small);
    }
}

/// An engine that overlooks the pairs which change is found out.
static void test_check_finds_what_is_overlooked(void **state)
{
    (void)state;
    small_problem small;
    ww_check *check = NULL;
    ww_error error = {0};
    const char *const settings[] = {"model=arora", lazy, "training={rate: 0.0005, steps: 1000}"};
    make(settings, 3, 2, &small);
    ww_lazy_set_price(0.0); // full steps overlook nothing
    ww_engine *engine = create(&small);
    assert_int_equal(ww_check_create(engine, &check, &error), WW_OK);
    ww_status status = WW_OK;
    for (int t = 0; t < 200 && status == WW_OK; t++) {
        inside(engine)->course.past.density = 0.0; // so windows are taken to be best when long
        step(engine);
        for (int i = 0; i < ww_workers_of(&small.parallel); i++)
            for (int k = 0; k <= inside(engine)->course.forecast.most; k++)
                inside(engine)->scan.rooms[i].buckets[k].count = 0;
        status = ww_check_step(check, &error);
    }
    assert_int_equal(status, WW_FAILED);
    expect_words(&error, "activation pattern");
    ww_lazy_set_price(1.0);
    ww_check_free(check);
    ww_engine_free(engine);
    small_problem_free(&small);
}

static void refuse(const char *one, const char *other, const char *words)
{
    small_problem small;
    ww_error error = {0};
    const char *const settings[] = {one, other};
    make(settings, 2, 2, &small);
    assert_int_equal(ww_check_allowed(&small.problem, &error), WW_USAGE);
    expect_words(&error, words);
    small_problem_free(&small);
}

static void test_refusals(void **state)
{
    (void)state;
    refuse("model=arora", "training.engine=dense", "is not for the engine dense");
    refuse("model=zou-gu", "network.depth=2", "is not for several hidden layers");
    refuse(samples, "network.train_output=true", "is not for network.train_output: true");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_engines_that_are_right),
        cmocka_unit_test(test_several_outputs),
        cmocka_unit_test(test_audits_change_nothing),
        cmocka_unit_test(test_audit_finds_a_pattern),
        cmocka_unit_test(test_audit_of_samples),
        cmocka_unit_test(test_check_finds_a_pattern),
        cmocka_unit_test(test_check_finds_what_is_overlooked),
        cmocka_unit_test(test_refusals),
    };
    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
