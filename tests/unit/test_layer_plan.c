// Plans of what is measured of hidden layers: what a run can have, extents, and what is kept.

#include "cmocka_all.h"

#include "widthwise/measure.h"

#include <string.h>

static const ww_dataset shape = {.dimension = 10,
                                 .classes = 2,
                                 .outputs = 1,
                                 .has_targets = true,
                                 .components = 1,
                                 .train = {.count = 70},
                                 .test = {.count = 40}};

// The plan of a configuration; NULL where there is none, and then why.
static ww_measure_plan *plan_of(const char *const *settings, size_t count,
                                ww_experiment *experiment, ww_error *error)
{
    ww_measure_plan *plan = NULL;
    if (ww_experiment_parse("", "test", ".", settings, count, experiment, error) != WW_OK)
        fail_msg("%s", error->message);
    const ww_status status = ww_measure_plan_make(&experiment->members[0], &shape, &plan, error);
    assert_true(status == (plan == NULL ? WW_USAGE : WW_OK));
    return plan;
}

static void test_what_a_run_cannot_have(void **state)
{
    (void)state;
    static const struct {
        const char *model, *setting, *wrong, *says;
    } cases[] = {
        {"zou-gu", "network.depth=2", "measure.quantities=[coupling_at_risk]", "one hidden layer"},
        {"zou-gu", "network.depth=2", "measure.quantities=[v_max]", "network.depth: 1"},
        {"zou-gu", "network.depth=2", "training.stop={equal_gradient: 0.5}", "there are 2"},
        {"zou-gu", "network.depth=3", "measure.final=[update_spectrum]", "there are 3"},
        {"zou-gu", "network.depth=3", "measure.final=[neighbourhood]", "one hidden layer"},
        {"arora", "network.depth=1", "measure.quantities=[trajectory_length]", "engine: layers"},
        {"arora", "network.depth=1", "measure.quantities=[layer_gradient_norm]", "engine: layers"},
        {"zou-gu", "training.method=sgd", "measure.quantities=[semismoothness]", "method: gd"},
        {"zou-gu", "network.train_output=true", "measure.quantities=[semismoothness_ratio]",
         "train_output: false"},
        {"zou-gu", "network.depth=2", "training.stop={layer_distance: 1}", "is an array"},
        {"brutzkus", "network={width: 10, hidden: {kind: ball}}",
         "measure.final=[gradient_regions]", "network.hidden.kind"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char model[64];
        (void)snprintf(model, sizeof model, "model=%s", cases[i].model);
        const char *const settings[] = {model, cases[i].setting, cases[i].wrong};
        ww_experiment experiment;
        ww_error error = {0};
        assert_null(plan_of(settings, 3, &experiment, &error));
        if (strstr(error.message, cases[i].says) == NULL)
            fail_msg("`%s` should say %s", error.message, cases[i].says);
        ww_experiment_free(&experiment);
    }
}

static bool has(const ww_field *fields, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(fields[i].name, name) == 0)
            return true;
    return false;
}

// `all` has what a run can have, whatever that is.
static void test_all(void **state)
{
    (void)state;
    static const struct {
        const char *model, *setting;
        bool one_layer, layers, descent;
    } cases[] = {{"arora", "network.depth=1", true, false, false},
                 {"arora", "training.engine=layers", true, true, true},
                 {"zou-gu", "network.depth=1", true, true, true},
                 {"zou-gu", "network.depth=3", false, true, true},
                 {"zou-gu", "network={depth: 2, train_output: true}", false, true, false},
                 {"zou-gu", "training.method=sgd", true, true, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char model[64];
        (void)snprintf(model, sizeof model, "model=%s", cases[i].model);
        const char *const settings[] = {model, cases[i].setting, "measure.quantities=all",
                                        "measure.final=all"};
        ww_experiment experiment;
        ww_error error = {0};
        ww_measure_plan *plan = plan_of(settings, 4, &experiment, &error);
        assert_non_null(plan);
        size_t count = 0, results = 0;
        const ww_field *fields = ww_measure_trajectory(plan, &count);
        const ww_field *final = ww_measure_final(plan, &results);
        assert_true(has(fields, count, "loss") && has(fields, count, "coupling"));
        assert_int_equal(has(fields, count, "coupling_at_risk"), cases[i].one_layer);
        assert_int_equal(has(fields, count, "spectral_distance"), cases[i].layers);
        assert_int_equal(has(fields, count, "semismoothness"), cases[i].descent);
        assert_false(has(fields, count, "layer_distance"));
        assert_int_equal(has(final, results, "update_spectrum"), cases[i].one_layer);
        assert_int_equal(has(final, results, "network_kernel_least"), cases[i].layers);
        assert_int_equal(has(final, results, "region_union"), cases[i].layers);
        assert_int_equal(ww_config_tracks_layers(&experiment.members[0]), cases[i].layers);
        ww_measure_plan_free(plan);
        ww_experiment_free(&experiment);
    }
}

static void test_extents_and_company(void **state)
{
    (void)state;
    const char *const settings[] = {
        "model=zou-gu", "network.depth=4",
        "measure.quantities=[contraction_ratio, layer_distance, layer_trajectory_length]"};
    ww_experiment experiment;
    ww_error error = {0};
    ww_measure_plan *plan = plan_of(settings, 3, &experiment, &error);
    assert_non_null(plan);
    size_t count = 0;
    const ww_field *fields = ww_measure_trajectory(plan, &count);
    assert_int_equal(count, 4); // the ratio needs what contraction carries
    assert_true(has(fields, count, "contraction"));
    for (size_t i = 0; i < count; i++) {
        const bool is_array = strncmp(fields[i].name, "layer_", 6) == 0;
        assert_int_equal(fields[i].rank, is_array ? 1 : 0);
        assert_int_equal(ww_field_size(&fields[i]), is_array ? 4 : 1);
    }
    assert_true(ww_config_tracks_layers(&experiment.members[0]));
    ww_measure_plan_free(plan);
    ww_experiment_free(&experiment);
}

static int64_t kept(const char *precision, const char *quantities, int rank, int ranks)
{
    const char *const settings[] = {"model=zou-gu", "network={width: 300, depth: 3}", precision,
                                    quantities};
    ww_experiment experiment;
    ww_error error = {0};
    ww_measure_plan *plan = plan_of(settings, 4, &experiment, &error);
    assert_non_null(plan);
    const ww_parallel parallel = {.communicator = MPI_COMM_NULL, .rank = rank, .size = ranks};
    ww_problem problem;
    ww_measure_cost cost;
    ww_problem_describe(&experiment.members[0], &shape, &parallel, &problem);
    assert_int_equal(ww_measure_cost_of(plan, &problem, &cost, &error), WW_OK);
    ww_measure_plan_free(plan);
    ww_experiment_free(&experiment);
    return cost.origin_bytes;
}

// A copy of the weights where spectral norms are asked for, and a bit for each unit and sample.
static void test_what_is_kept(void **state)
{
    (void)state;
    const int64_t weights = 300 * (10 + 300 + 300);
    const char *spectral = "measure.quantities=[loss, spectral_distance]";
    const int64_t least = kept("precision=double", "measure.quantities=[gradient_ratio]", 0, 1);
    assert_int_equal(kept("precision=double", "measure.quantities=[loss, distance]", 0, 1), 0);
    assert_true(least > 0 && least < 256);
    assert_int_equal(kept("precision=double", spectral, 0, 1), least + 8 * weights);
    assert_int_equal(kept("precision=single", spectral, 0, 1), least + 4 * weights);
    assert_int_equal(kept("precision=double", spectral, 1, 3), least + 8 * weights / 300 * 128);
    // Words of 64 samples.
    assert_int_equal(kept("precision=double", "measure.quantities=[coupling]", 0, 1),
                     least + 3 * 300 * 8);
    assert_int_equal(kept("precision=double", "measure.quantities=[layer_coupling_train]", 0, 1),
                     least + 3 * 300 * 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_run_cannot_have),
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_extents_and_company),
        cmocka_unit_test(test_what_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
