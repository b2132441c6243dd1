// With one hidden layer in double precision the engine `layers` has the same bits as `dense`.

#include "cmocka_all.h"
#include "small_problem.h"
#include "train/layered.h"

#include <string.h>

enum { MOST_SETTINGS = 12 };

typedef struct example {
    int64_t train, dimension, classes, steps;
    bool separates; // samples of two classes with a hyperplane between them
    bool tracks; // engine layers tells what its steps do, for which it keeps all blocks of a batch
    const char *settings[MOST_SETTINGS];
} example;

static size_t count_settings(const example *self)
{
    size_t count = 0;
    while (count < MOST_SETTINGS && self->settings[count] != NULL)
        count++;
    return count;
}

static void start(const example *self, const char *engine_setting, small_problem *small,
                  ww_engine **engine)
{
    const bool is_layers = strcmp(engine_setting, "training.engine=layers") == 0;
    const char *settings[MOST_SETTINGS + 1];
    const size_t count = count_settings(self);
    memcpy(settings, self->settings, count * sizeof settings[0]);
    settings[count] = engine_setting;
    ww_error error = {0};
    if (!small_problem_make(small, MPI_COMM_SELF, settings, count + 1, self->train, 5,
                            self->dimension, self->classes, &error))
        fail_msg("%s", error.message);
    static double separator[64], margins[2048];
    if (self->separates)
        small_separate(small, separator, margins, true);
    small->problem.tracks_layers = self->tracks && is_layers;
    if (ww_engine_create(&small->problem, engine, &error) != WW_OK)
        fail_msg("%s", error.message);
}

// `small` is the problem of dense: all that it carries on layers carries on as well, at first.
static void expect_same(const small_problem *small, ww_engine *layers, ww_engine *dense)
{
    const ww_problem *problem = &small->problem;
    for (int64_t tile = 0; tile < problem->tiling.tile_count; tile++) {
        const size_t count =
            (size_t)(ww_tile_size(&problem->tiling, tile) * problem->dimension) * sizeof(double);
        assert_memory_equal(ww_engine_tile(layers, tile), ww_engine_tile(dense, tile), count);
        assert_memory_equal(ww_engine_layer_tile(layers, 1, tile), ww_engine_tile(dense, tile),
                            count);
    }
    assert_memory_equal(ww_engine_output_weights(layers), ww_engine_output_weights(dense),
                        (size_t)(problem->tiling.width * problem->outputs) * sizeof(double));
    assert_int_equal(ww_engine_tally(layers) == NULL, ww_engine_tally(dense) == NULL);
    const size_t words = ww_engine_carry_words(problem);
    double carried[2][256];
    assert_true(words <= 256);
    memset(carried, 0, sizeof carried);
    ww_engine_carry_save(layers, carried[0]);
    ww_engine_carry_save(dense, carried[1]);
    assert_memory_equal(carried[0], carried[1], words * sizeof(double));
}

static void compare(const example *self)
{
    small_problem small[2];
    ww_engine *engines[2];
    start(self, "training.engine=layers", &small[0], &engines[0]);
    start(self, "training.engine=dense", &small[1], &engines[1]);
    assert_non_null(ww_engine_network(engines[0]));
    assert_null(ww_engine_network(engines[1]));
    bool moved = false;
    double first = 0.0;
    for (int64_t step = 0; step < self->steps; step++) {
        double loss[2] = {0.0};
        for (int i = 0; i < 2; i++) {
            ww_error error = {0};
            int64_t requests = 0;
            if (ww_engine_step(engines[i], 3, &requests, &loss[i], &error) != WW_OK)
                fail_msg("%s", error.message);
            assert_int_equal(requests, 3);
        }
        assert_true(loss[0] == loss[1]);
        if (step == 0)
            first = loss[0];
        moved = moved || loss[0] != first;
    }
    assert_true(moved);
    expect_same(&small[1], engines[0], engines[1]);
    if (ww_engine_tally(engines[0]) != NULL) {
        ww_rest rest[2];
        for (int i = 0; i < 2; i++) {
            ww_error error = {0};
            assert_int_equal(ww_engine_rest(engines[i], 0, &rest[i], &error), WW_OK);
        }
        assert_int_equal(rest[0].rests, rest[1].rests);
        assert_int_equal(rest[0].lacking, rest[1].lacking);
    }
    for (int i = 0; i < 2; i++) {
        ww_engine_free(engines[i]);
        small_problem_free(&small[i]);
    }
}

static void test_batches(void **state)
{
    (void)state;
    compare(&(example){.train = 60,
                       .dimension = 17,
                       .classes = 4,
                       .steps = 40,
                       .settings = {"data.train=60", "network.width=300", "training.batch=9"}});
    compare(&(example){.train = 60,
                       .dimension = 17,
                       .classes = 4,
                       .steps = 40,
                       .settings = {"data.train=60", "network.width=300", "training.batch=9",
                                    "training.sampling=replacement", "network.train_output=true",
                                    "network.activation={kind: leaky-relu, slope: 0.2}",
                                    "training.rate=100"}});
}

static void test_single_samples(void **state)
{
    (void)state;
    // Of many columns they have a kernel of their own.
    for (int i = 0; i < 4; i++) {
        const bool trains = i % 2 == 1;
        compare(&(example){
            .train = 40,
            .dimension = i < 2 ? 33 : 300,
            .classes = 3,
            .steps = 60,
            .settings = {"data.train=40", "network.width=260", "training.batch=1",
                         "training.sampling=sequential",
                         trains ? "network.train_output=true" : "network.train_output=false"}});
    }
}

// More samples than a block has, and inputs of few columns or of many: blocks go through one at a
// time, or all are kept in memory where steps are tracked.
static void test_full_batches(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        const bool trains = i % 2 == 1;
        const bool tracks = i / 2 % 2 == 1;
        const bool is_wide = i / 4 == 1;
        compare(&(example){
            .train = is_wide ? 520 : 1100,
            .dimension = is_wide ? 900 : 7,
            .classes = 3,
            .steps = is_wide ? 2 : 10,
            .tracks = tracks,
            .settings = {is_wide ? "data.train=520" : "data.train=1100",
                         is_wide ? "network.width=140" : "network.width=200", "training.method=gd",
                         "training.rate=50",
                         trains ? "network.train_output=true" : "network.train_output=false"}});
    }
}

static void test_pairs(void **state)
{
    (void)state;
    compare(&(example){.train = 700,
                       .dimension = 12,
                       .classes = 2,
                       .steps = 15,
                       .settings = {"model=arora", "data.train=700",
                                    "network={width: 400, hidden: {pairs: antisymmetric, std: 1}}",
                                    "training.rate=1e-3"}});
    compare(&(example){
        .train = 30,
        .dimension = 12,
        .classes = 3,
        .steps = 30,
        .settings = {"model=arora", "data.train=30",
                     "network={width: 400, hidden: {pairs: antisymmetric}, train_output: true}",
                     "training={method: sgd, batch: 7, rate: 1e-3}"}});
}

static void test_hinge_with_its_tally(void **state)
{
    (void)state;
    compare(&(example){.train = 50,
                       .dimension = 11,
                       .classes = 2,
                       .steps = 400,
                       .separates = true,
                       .settings = {"model=brutzkus", "data.source=mixture", "data.train=50",
                                    "network.width=140", "training.rate=0.1"}});
    compare(&(example){.train = 50,
                       .dimension = 11,
                       .classes = 2,
                       .steps = 200,
                       .separates = true,
                       .settings = {"model=brutzkus", "data.source=mixture", "data.train=50",
                                    "network={width: 140, train_output: true}",
                                    "network.activation.kind=relu",
                                    "training={batch: 6, rate: 0.05}"}});
}

// In single precision the hinge loss comes to rest too: every margin is 1 up to rounding, and steps
// change nothing more. Weights are those of double precision up to rounding at first.
static void rest_in_single(const char *training)
{
    const example self = {.train = 50,
                          .dimension = 11,
                          .classes = 2,
                          .separates = true,
                          .settings = {"model=brutzkus", "data.source=mixture", "data.train=50",
                                       "network.width=140", "precision=single", training}};
    small_problem small;
    ww_engine *engine = NULL;
    ww_error error = {0};
    ww_rest rest = {0};
    start(&self, "training.engine=layers", &small, &engine);
    int64_t steps = 0;
    for (; steps < 100000 && !rest.rests; steps++) {
        double loss = 0.0;
        if (ww_engine_step(engine, 0, NULL, &loss, &error) != WW_OK)
            fail_msg("%s", error.message);
        if (steps % 100 == 0)
            assert_int_equal(ww_engine_rest(engine, steps, &rest, &error), WW_OK);
    }
    assert_true(rest.rests);
    const int64_t updates = ww_engine_tally(engine)->updates;
    assert_true(updates > 0);
    double before[140 * 11], loss = 0.0;
    const size_t tile = 128 * 11;
    memcpy(before, ww_engine_tile(engine, 0), tile * sizeof(double));
    for (int64_t step = 0; step < 200; step++)
        assert_int_equal(ww_engine_step(engine, 0, NULL, &loss, &error), WW_OK);
    assert_int_equal(ww_engine_tally(engine)->updates, updates);
    assert_memory_equal(before, ww_engine_tile(engine, 0), tile * sizeof(double));
    ww_engine_free(engine);
    small_problem_free(&small);
}

static void test_rest_in_single_precision(void **state)
{
    (void)state;
    rest_in_single("training={rate: 0.1}");
    rest_in_single("training={rate: 0.1, batch: 7}");
    rest_in_single("training={rate: 0.5, method: gd}");
}

int main(int count, char **words)
{
    MPI_Init(&count, &words);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_single_samples),
        cmocka_unit_test(test_full_batches),
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_hinge_with_its_tally),
        cmocka_unit_test(test_rest_in_single_precision),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
