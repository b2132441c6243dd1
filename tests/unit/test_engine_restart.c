// What does not depend on the way: steps after a restart, zeros of antisymmetric pairs, an end
// where margins are 1 up to rounding. Of every engine.

#include "cmocka_all.h"
#include "small_problem.h"
#include "train/lazy_full.h"

#include <stdio.h>
#include <string.h>

enum { ENGINES = 3 };
static const char *const engines[ENGINES] = {"training.engine=dense", "training.engine=samples",
                                             "training.engine=window"};

#define HINGE "model=brutzkus", "data.source=mixture", "data.train=60"

static double *zeroes(int64_t count)
{
    return calloc((size_t)count, sizeof(double));
}

// ---- restarts -----------------------------------------------------------------------------------

typedef struct kept_state {
    double *hidden, *output, *engine, *tally;
} kept_state;

static void make_steps(ww_engine *engine, int64_t until, bool looks)
{
    while (ww_engine_steps(engine) < until) {
        double loss = 0.0;
        int64_t requests = 0;
        ww_error error = {0};
        assert_int_equal(ww_engine_step(engine, 0, &requests, &loss, &error), WW_OK);
        if (looks && ww_engine_steps(engine) % 3 == 0)
            (void)ww_engine_tile(engine, ww_engine_steps(engine) % 2);
    }
}

// What a checkpoint would have.
static kept_state keep(ww_engine *engine, const ww_problem *problem)
{
    const ww_tiling *tiling = &problem->tiling;
    const int64_t m = tiling->width, d = problem->dimension;
    const int64_t columns = ww_engine_state_columns(problem);
    kept_state kept = {.hidden = zeroes(m * d),
                       .output = zeroes(m * problem->outputs),
                       .engine = zeroes(m * columns + 1),
                       .tally = zeroes((int64_t)ww_engine_carry_words(problem) + 1)};
    for (int64_t tile = 0; tile < tiling->tile_count; tile++) {
        const int64_t first = tile * tiling->tile_units, units = ww_tile_size(tiling, tile);
        memcpy(kept.hidden + first * d, ww_engine_tile(engine, tile),
               (size_t)(units * d) * sizeof(double));
        if (columns > 0)
            memcpy(kept.engine + first * columns, ww_engine_state_tile(engine, tile),
                   (size_t)(units * columns) * sizeof(double));
    }
    memcpy(kept.output, ww_engine_output_weights(engine),
           (size_t)(m * problem->outputs) * sizeof(double));
    ww_engine_carry_save(engine, kept.tally);
    return kept;
}

static void put_back(ww_engine *engine, const ww_problem *problem, const kept_state *kept,
                     int64_t step)
{
    const int64_t m = problem->tiling.width, columns = ww_engine_state_columns(problem);
    for (int64_t tile = 0; tile < problem->tiling.tile_count; tile++)
        ww_engine_put_layer_tile(
            engine, 1, tile, kept->hidden + tile * problem->tiling.tile_units * problem->dimension);
    for (int64_t tile = 0; columns > 0 && tile < problem->tiling.tile_count; tile++)
        ww_engine_put_state_tile(engine, tile,
                                 kept->engine + tile * problem->tiling.tile_units * columns);
    memcpy(ww_engine_output_storage(engine), kept->output,
           (size_t)(m * problem->outputs) * sizeof(double));
    ww_engine_carry_load(engine, kept->tally);
    ww_error error = {0};
    assert_int_equal(ww_engine_restored(engine, step, &error), WW_OK);
}

static void assert_same(const kept_state *a, const kept_state *b, const ww_problem *problem)
{
    const size_t m = (size_t)problem->tiling.width;
    assert_memory_equal(a->hidden, b->hidden, m * (size_t)problem->dimension * sizeof(double));
    assert_memory_equal(a->output, b->output, m * (size_t)problem->outputs * sizeof(double));
    assert_memory_equal(a->engine, b->engine,
                        m * (size_t)ww_engine_state_columns(problem) * sizeof(double));
    assert_memory_equal(a->tally, b->tally, ww_engine_carry_words(problem) * sizeof(double));
}

static void free_kept(kept_state *kept)
{
    free(kept->hidden);
    free(kept->output);
    free(kept->engine);
    free(kept->tally);
}

enum { STOPS = 7 };

// Steps of a run, and those at which it stops: engines collect up to 128 small batches, and nothing
// of full ones, which take longer.
typedef struct course {
    int64_t dimension, end, stops[STOPS];
} course;
enum { DIMENSION = 11, MANY_INPUTS = 40 };
static const course small_batches = {DIMENSION, 333, {0, 1, 127, 128, 129, 200, 332}};
static const course full_batches = {DIMENSION, 30, {0, 1, 2, 7, 8, 9, 29}};
static const course many_inputs = {MANY_INPUTS, 30, {0, 1, 2, 7, 8, 9, 29}};

// Goes on from each stop in a new engine. All that is kept at the end has the same bits, and those
// of an engine that was looked at.
static void restart_and_compare(const char *const *settings, size_t count, int64_t classes,
                                const course *along)
{
    small_problem small;
    ww_error error = {0};
    if (!small_problem_make(&small, MPI_COMM_SELF, settings, count, 60, 20, along->dimension,
                            classes, &error))
        fail_msg("%s", error.message);
    double separator[DIMENSION], margins[60];
    if (small.problem.config->loss == WW_LOSS_HINGE)
        small_separate(&small, separator, margins, false);
    ww_engine *whole = NULL;
    assert_int_equal(ww_engine_create(&small.problem, &whole, &error), WW_OK);
    make_steps(whole, along->end, false);
    kept_state expected = keep(whole, &small.problem);
    ww_engine_free(whole);
    for (int i = 0; i < STOPS; i++) {
        const int64_t stop = along->stops[i];
        ww_engine *first = NULL, *second = NULL;
        assert_int_equal(ww_engine_create(&small.problem, &first, &error), WW_OK);
        assert_int_equal(ww_engine_create(&small.problem, &second, &error), WW_OK);
        make_steps(first, stop, true);
        kept_state kept = keep(first, &small.problem);
        put_back(second, &small.problem, &kept, stop);
        make_steps(first, along->end, true);
        make_steps(second, along->end, false);
        kept_state found[2] = {keep(first, &small.problem), keep(second, &small.problem)};
        for (int which = 0; which < 2; which++) {
            assert_same(&found[which], &expected, &small.problem);
            free_kept(&found[which]);
        }
        free_kept(&kept);
        ww_engine_free(first);
        ww_engine_free(second);
    }
    free_kept(&expected);
    small_problem_free(&small);
}

#define RESTART(classes, ...)                                                                      \
    for (int engine = 0; engine < ENGINES; engine++) {                                             \
        const char *const settings[] = {engines[engine], __VA_ARGS__};                             \
        restart_and_compare(settings, sizeof settings / sizeof settings[0], classes,               \
                            &small_batches);                                                       \
    }

static void test_restarts_in_the_middle(void **state)
{
    (void)state;
    RESTART(2, HINGE, "network.width=150", "training.rate=0.01")
    RESTART(2, HINGE, "network.width=150", "training.rate=0.01", "network.train_output=true",
            "training.batch=3")
    RESTART(2, "model=arora", "data.train=60", "training.method=sgd", "network.width=132",
            "training.batch=6", "network.hidden.pairs=antisymmetric", "network.hidden.std=0.3",
            "training.rate=0.02", "network.train_output=true")
    RESTART(3, "network.width=150", "data.train=60", "training.batch=1",
            "training.sampling=replacement")
    RESTART(3, "network.width=150", "data.train=60", "training.batch=4", "precision=single",
            "network.train_output=true")
}

// Full batches, by the engines that make them: their numbers at a stop are those of another kind.
static void test_restarts_of_full_batches(void **state)
{
    (void)state;
    enum { GD_ENGINES = 2 };
    for (int engine = 0; engine < GD_ENGINES; engine++)
        for (int single = 0; single < 2; single++) {
            const char *precision = single != 0 ? "precision=single" : "precision=double";
            const char *const relu[] = {engines[engine],      precision,
                                        "model=arora",        "data.train=60",
                                        "network.width=150",  "network.hidden.std=0.3",
                                        "training.rate=0.05", "training.method=gd"};
            const char *const leaky[] = {engines[engine],
                                         precision,
                                         "model=arora",
                                         "data.train=60",
                                         "network.width=150",
                                         "training.rate=0.05",
                                         "network.activation={kind: leaky-relu, slope: 0.2}",
                                         "training.method=gd"};
            const char *const outputs[] = {engines[engine], precision, "data.train=60",
                                           "network.width=150", "training.method=gd"};
            restart_and_compare(relu, 8, 2, &full_batches);
            restart_and_compare(leaky, 8, 2, &full_batches);
            restart_and_compare(outputs, 5, 3, &full_batches);
        }
}

// By the changes of patterns, by full steps, and by whichever of them is less work: changes are
// priced so that it is now these, now those.
static void test_restarts_of_lazy(void **state)
{
    (void)state;
    static const double prices[] = {0.0, 0.001, 0.005, 0.0125, 1.0, (double)INFINITY};
    const course *const courses[] = {&full_batches, &many_inputs};
    for (size_t price = 0; price < sizeof prices / sizeof prices[0]; price++)
        for (int i = 0; i < 2; i++) {
            const char *const relu[] = {"training.engine=lazy", "model=arora",
                                        "data.train=60",        "network.width=150",
                                        "training.rate=0.05",   "network.hidden.std=0.3"};
            const char *const leaky[] = {"training.engine=lazy",
                                         "model=arora",
                                         "data.train=60",
                                         "network.width=150",
                                         "training.rate=0.05",
                                         "network.hidden.std=0.1",
                                         "network.activation={kind: leaky-relu, slope: 0.2}"};
            ww_lazy_set_price(prices[price]);
            restart_and_compare(relu, 6, 2, courses[i]);
            restart_and_compare(leaky, 7, 2, courses[i]);
        }
    const char *const batches[] = {"training.engine=lazy", "model=arora",
                                   "data.train=60",        "network.width=150",
                                   "training.rate=0.05",   "training={method: sgd, batch: 7}"};
    const char *const hinge[] = {"training.engine=lazy", HINGE, "network.width=150",
                                 "training.rate=0.01"};
    restart_and_compare(batches, 6, 2, &small_batches);
    restart_and_compare(hinge, sizeof hinge / sizeof hinge[0], 2, &small_batches);
    const char *const outputs[] = {"training.engine=lazy", "model=li-liang", "network.width=150",
                                   "training.rate=0.5", "training.method=gd"};
    const char *const bent[] = {"training.engine=lazy",
                                "model=arora",
                                "network.width=150",
                                "training.rate=0.02",
                                "network.output.kind=gaussian",
                                "network.activation={kind: leaky-relu, slope: 0.2}"};
    restart_and_compare(outputs, 5, 4, &full_batches);
    restart_and_compare(bent, 6, 2, &full_batches);
}

// ---- antisymmetric pairs ------------------------------------------------------------------------

static void test_pairs_begin_at_zero(void **state)
{
    (void)state;
    for (int engine = 0; engine < ENGINES; engine++)
        for (int batch = 1; batch < 8; batch += 6) {
            char batch_setting[32];
            (void)snprintf(batch_setting, sizeof batch_setting, "training.batch=%d", batch);
            const char *const settings[] = {engines[engine],
                                            "model=arora",
                                            "data.train=60",
                                            "training.method=sgd",
                                            "network.width=330",
                                            batch_setting,
                                            "network.hidden.pairs=antisymmetric",
                                            "network.hidden.std=3",
                                            "training.rate=1e-300"};
            small_problem small;
            ww_error error = {0};
            assert_true(
                small_problem_make(&small, MPI_COMM_SELF, settings, 9, 60, 20, 11, 2, &error));
            ww_engine *made = NULL;
            assert_int_equal(ww_engine_create(&small.problem, &made, &error), WW_OK);
            for (int step = 0; step < 300; step++) { // whose outputs are 0, so the loss is y^2 / 2
                double loss = 0.0;
                int64_t requests = 0;
                assert_int_equal(ww_engine_step(made, 0, &requests, &loss, &error), WW_OK);
                assert_true(loss == 0.5 * (double)batch);
            }
            ww_engine_free(made);
            small_problem_free(&small);
        }
}

// ---- rest at margins of 1 -----------------------------------------------------------------------

// Margins that are 1 up to rounding: an end is found all the same, and it is one.
static void test_rest_near_one(void **state)
{
    (void)state;
    for (int engine = 0; engine < ENGINES; engine++) {
        const char *const settings[] = {engines[engine],   HINGE,
                                        "network.width=6", "training.sampling=sequential",
                                        "training.rate=1", "network.activation.slope=0.1"};
        small_problem small;
        ww_error error = {0};
        assert_true(small_problem_make(&small, MPI_COMM_SELF, settings, 8, 60, 20, 60, 2, &error));
        for (int64_t s = 0; s < 60; s++) // e_1 .. e_60, label +1
            for (int64_t j = 0; j < 60; j++) {
                small.data.train.inputs[s * 60 + j] = s == j ? 1.0 : 0.0;
                small.data.train.labels[s] = 0;
                small.data.train.targets[s] = 1.0;
            }
        // Three units of v = 1 / sqrt 6 with w x = 1 / (3 v): a margin of 1 in exact arithmetic.
        double *hidden = zeroes(6 * 60);
        double v = 0.0;
        ww_drawn_output_weights(small.problem.config, 1, 0, 1, &v);
        for (int64_t i = 0; i < 3 * 60; i++)
            hidden[i] = 1.0 / (3.0 * v);
        small.problem.initial.hidden = hidden;
        ww_engine *made = NULL;
        assert_int_equal(ww_engine_create(&small.problem, &made, &error), WW_OK);
        ww_rest rest = {0};
        for (int64_t step = 0; !rest.rests && step < 60 * 20; step++) {
            assert_int_equal(ww_engine_rest(made, 0, &rest, &error), WW_OK);
            if (!rest.rests)
                make_steps(made, step + 1, false);
        }
        assert_true(rest.rests);
        const ww_tally *tally = ww_engine_tally(made);
        assert_int_equal(ww_engine_steps(made), tally->last_change);
        const int64_t updates = tally->updates;
        make_steps(made, ww_engine_steps(made) + 3 * 60, false);
        assert_int_equal(tally->updates, updates);
        ww_engine_free(made);
        free(hidden);
        small_problem_free(&small);
    }
}

int main(int count, char **words)
{
    MPI_Init(&count, &words);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_restarts_in_the_middle),
        cmocka_unit_test(test_restarts_of_full_batches),
        cmocka_unit_test(test_restarts_of_lazy),
        cmocka_unit_test(test_pairs_begin_at_zero),
        cmocka_unit_test(test_rest_near_one),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
