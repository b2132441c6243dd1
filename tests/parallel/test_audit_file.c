/// A run whose state is wrong, as no checksum tells: an audit, or steps that are checked, fail it
/// on all ranks, and the file says why.

#include "store_support.h"

#include "app/app.h"
#include "app/course.h"
#include "train/engine.h"
#include "train/lazy.h"
#include "widthwise/data.h"

static const char config_text[] =
    "model: arora\n"
    "data: {train: 70, test: 10, mixture: {dimension: 12, classes: 2, components: 2}}\n"
    "network: {width: 600, hidden: {std: 1.0}}\n"
    "training: {steps: 20, rate: 0.01, engine: lazy}\n"
    "measure: {every: 10, quantities: [loss], final: []}\n";

enum { MOST_WORDS = 12 };

// The program with these words, NULL behind the last; its exit code.
static ww_status call(const store_fixture *fixture, const char *const *words)
{
    char copies[MOST_WORDS][STORE_PATH];
    char *list[MOST_WORDS];
    int count = 0;
    for (; words[count] != NULL; count++) {
        (void)snprintf(copies[count], sizeof copies[count], "%s", words[count]);
        list[count] = copies[count];
    }
    return ww_app_main(&fixture->world, count, list);
}

static ww_status run(const store_fixture *fixture, const char *option, const char *value)
{
    char config[2 * STORE_PATH];
    (void)snprintf(config, sizeof config, "%s.yaml", fixture->path);
    if (fixture->world.rank == 0) {
        FILE *file = fopen(config, "w");
        if (file != NULL) {
            (void)fputs(config_text, file);
            (void)fclose(file);
        }
    }
    MPI_Barrier(MPI_COMM_WORLD);
    const char *const words[] = {"widthwise", "run",     config, "-o",  fixture->path,
                                 "--force",   "--quiet", option, value, NULL};
    return call(fixture, words);
}

static ww_status resume(const store_fixture *fixture, const char *option, const char *value)
{
    const char *const words[] = {"widthwise", "resume", fixture->path, "--quiet",
                                 option,      value,    NULL};
    return call(fixture, words);
}

// What is done to the state of an engine.
typedef void (*damage)(ww_lazy *engine);

static void turn_a_pattern(ww_lazy *engine)
{
    const int64_t stride = engine->pairs.stride;
    if (engine->problem->tiling.first_unit != 0 || engine->problem->tiling.local_units == 0)
        return;
    int64_t sample = 0; // farthest from 0 of the first unit
    for (int64_t j = 1; j < engine->samples; j++)
        if (fabs(engine->pairs.start[stride + j]) > fabs(engine->pairs.start[stride + sample]))
            sample = j;
    engine->pairs.patterns[engine->pairs.words + sample / 64] ^= (uint64_t)1 << sample % 64;
}

static void move_an_output(ww_lazy *engine)
{
    engine->outputs[7] += 1e-6;
}

static void damage_checkpoints(const store_fixture *fixture, const ww_app_member *member,
                               const ww_dataset *data, damage harm)
{
    ww_course course;
    ww_store *store = NULL;
    ww_member_layout layout = member->layout;
    int64_t step = -1;
    char notice[WW_MESSAGE_SIZE];
    layout.data_hash = data->hash;
    CHECK_OK(ww_course_create(fixture->path, member, member->config, data, &fixture->world, &course,
                              error));
    CHECK_OK(ww_store_open(fixture->path, &layout, &fixture->world, &course.problem.tiling, &store,
                           error));
    const ww_weights_target target = {.put = ww_engine_put_layer_tile,
                                      .put_state = ww_engine_put_state_tile,
                                      .context = course.engine,
                                      .output_weights = ww_engine_output_storage(course.engine),
                                      .carry = course.carry};
    CHECK_OK(ww_store_restore(store, &target, &step, notice, sizeof notice, error));
    CHECK(step > 0);
    CHECK_OK(ww_course_restored(&course, step, error));
    harm(ww_engine_state_of(course.engine));
    ww_course_save_tally(&course);
    const ww_weights_source source = {.tile = ww_engine_layer_tile,
                                      .context = course.engine,
                                      .output_weights = ww_engine_output_weights(course.engine),
                                      .carry = course.carry,
                                      .state_tile = ww_engine_state_tile};
    // Into the spare slot, and then into the other one: what is of a later step counts no more.
    CHECK_OK(ww_store_checkpoint(store, step + 1, &source, WW_RUN_STOPPED, error));
    CHECK_OK(ww_store_checkpoint(store, step, &source, WW_RUN_STOPPED, error));
    ww_store_close(store);
    ww_course_free(&course);
}

static void damage_file(const store_fixture *fixture, damage harm)
{
    ww_experiment experiment = {0};
    ww_dataset data;
    ww_app_member member;
    CHECK_OK(ww_experiment_parse(config_text, "test", ".", NULL, 0, &experiment, error));
    CHECK_OK(ww_dataset_load(&experiment.members[0], &fixture->world, &data, error));
    CHECK_OK(ww_app_member_prepare(&experiment.members[0], 0, "", &data, &member, error));
    damage_checkpoints(fixture, &member, &data, harm);
    ww_app_member_release(&member);
    ww_dataset_free(&data);
    ww_experiment_free(&experiment);
}

// The run in the file: its state, what stands there of an audit, and a part of why it failed.
static void expect_file(const store_fixture *fixture, ww_run_state expected, ww_audit_kind kind,
                        ww_audit_verdict verdict, const char *reason)
{
    ww_file_summary summary = {0};
    CHECK_OK(ww_store_summarize_all(fixture->path, &fixture->world, &summary, error));
    CHECK(summary.members[0].state == expected);
    CHECK(summary.members[0].audits[kind].verdict == verdict);
    CHECK(strstr(summary.members[0].reason, reason) != NULL);
    ww_file_summary_free(&summary);
}

static void a_wrong_pattern(void **state)
{
    const store_fixture *fixture = *state;
    CHECK(run(fixture, "--audit", NULL) == WW_OK);
    expect_file(fixture, WW_RUN_DONE, WW_AUDIT_AT_END, WW_AUDIT_HOLDS, "");
    damage_file(fixture, turn_a_pattern);
    CHECK(resume(fixture, "--audit", NULL) == WW_FAILED);
    expect_file(fixture, WW_RUN_FAILED, WW_AUDIT_AT_END, WW_AUDIT_FAILS,
                "the engine lazy is wrong: after 19 steps 1 activation pattern is not that of the "
                "weights, first that of unit 1 on train sample ");
    // Who goes on without an audit does so, but the file does not forget.
    CHECK(resume(fixture, NULL, NULL) == WW_OK);
    expect_file(fixture, WW_RUN_DONE, WW_AUDIT_AT_END, WW_AUDIT_FAILS, "");
}

static void a_wrong_output(void **state)
{
    const store_fixture *fixture = *state;
    CHECK(run(fixture, "--until", "10") == WW_STOPPED);
    damage_file(fixture, move_an_output);
    CHECK(resume(fixture, "--check-steps", "5") == WW_FAILED);
    expect_file(fixture, WW_RUN_FAILED, WW_AUDIT_OF_STEPS, WW_AUDIT_FAILS,
                "the engine lazy is wrong: after 10 steps its outputs differ from those of the "
                "engine dense by ");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_wrong_pattern, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(a_wrong_output, store_setup, store_teardown),
    };
    MPI_Init(&argc, &argv);
    ww_lazy_set_price(0.0); // full steps make outputs anew: one that is wrong does nothing
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
