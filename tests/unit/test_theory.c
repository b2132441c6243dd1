// Predictions against numbers worked out by hand.

#include "cmocka_all.h"

#include "widthwise/random.h"
#include "widthwise/theory.h"

#include <math.h>

static void test_li_liang_formulas(void **state)
{
    (void)state;
    assert_true(fabs(ww_li_liang_distance_at_accuracy(900) - 2.0 / 90.0) < 1e-17);
    assert_true(fabs(ww_li_liang_coupling_bound(0.001, 0.1) - 0.1) < 1e-16);
    assert_true(ww_li_liang_coupling_bound(1.0, 0.1) == 1.0);
    assert_true(fabs(ww_li_liang_coupling_any_bound(1e-4, 0.1, 20) - 0.0543656365691809) < 1e-15);
    assert_true(ww_li_liang_coupling_any_bound(1.0, 0.1, 20) == 1.0);
    // P(|z| <= 1.96 sigma), a table's 95%.
    assert_true(fabs(ww_li_liang_coupling_reach(1.959963984540054, 1.0) - 0.95) < 1e-12);
    // The sharp probability is below what the lemma's constant allows.
    for (double movement = 1e-6; movement < 1.0; movement *= 2.0)
        assert_true(ww_li_liang_coupling_reach(movement, 0.3) <=
                    ww_li_liang_coupling_bound(movement, 0.3));
}

static void test_fields_and_values_agree(void **state)
{
    (void)state;
    enum { RECORDS = 4, ROWS = 3 };
    ww_config config = {
        .network = {.width = 400,
                    .hidden = {.std = 1.0, .scaling = WW_SCALING_INVERSE_SQRT_WIDTH}}};
    double inputs[4] = {3.0, 4.0, 0.0, 1.0};
    const ww_dataset data = {
        .dimension = 2, .classes = 2, .components = 1, .test = {.count = 2, .inputs = inputs}};
    ww_field fields[WW_THEORY_FIELDS];
    // What the paper fitted to its own data is no prediction for another model.
    config.model = WW_MODEL_ARORA;
    ww_theory_plan plan = {.config = &config, .records = RECORDS};
    assert_int_equal(ww_theory_fields(&plan, fields), 0);
    const ww_field measured[2] = {{.name = "loss"}, {.name = "row_movement"}};
    plan.measured = measured;
    plan.measured_count = 2;
    assert_int_equal(ww_theory_fields(&plan, fields), 3);
    config.model = WW_MODEL_LI_LIANG;
    plan.measured_count = 1;
    assert_int_equal(ww_theory_fields(&plan, fields), 1);
    plan.measured_count = 2;
    assert_true(ww_theory_uses(&plan, 1));
    // Their lemmas are about normal hidden weights, which alone are trained.
    config.network.train_output = true;
    assert_int_equal(ww_theory_fields(&plan, fields), 0);
    config.network.train_output = false;
    config.network.hidden.kind = WW_HIDDEN_BALL;
    assert_int_equal(ww_theory_fields(&plan, fields), 0);
    config.network.hidden.kind = WW_HIDDEN_GAUSSIAN;
    config.network.start = WW_START_FILE;
    assert_int_equal(ww_theory_fields(&plan, fields), 0);
    config.network.start = WW_START_DRAWN;
    const size_t count = ww_theory_fields(&plan, fields);
    assert_int_equal(ww_theory_values(fields, count), 1 + 3 * RECORDS);
    const double movement[ROWS] = {0.0, 5e-4, 1.0};
    double values[1 + 3 * RECORDS];
    const double *const columns[2] = {NULL, movement};
    const ww_theory_inputs inputs_of_theory = {.data = &data, .rows = ROWS, .columns = columns};
    ww_theory_compute(&plan, &inputs_of_theory, values);
    assert_true(fabs(values[0] - 2.0 / 60.0) < 1e-16);
    assert_true(values[1] == 0.0 && fabs(values[2] - 0.1) < 1e-15 && values[3] == 1.0);
    assert_true(isnan(values[4]));
    assert_true(fabs(values[6] - 2.718281828459045 * 5e-4 * 2 / 0.05) < 1e-15);
    assert_true(fabs(values[10] - erf(0.01 / sqrt(2.0))) < 1e-16);
    assert_true(isnan(values[12]));
}

/// x.y E[s'(w.x) s'(w.y)] over drawn w, for several angles and slopes (AR equation 3).
static void test_kernel_is_an_expectation(void **state)
{
    (void)state;
    enum { DRAWS = 200000 };
    static double normals[2 * DRAWS];
    ww_normals((ww_stream){.seed = 5, .purpose = WW_DRAW_MEANS}, 0, 2 * (size_t)DRAWS, normals);
    for (double cosine = -1.0; cosine <= 1.0; cosine += 0.25) {
        const double sine = sqrt(1.0 - cosine * cosine);
        for (double slope = 0.0; slope <= 1.0; slope += 0.5) {
            double sum = 0.0;
            for (int i = 0; i < DRAWS; i++) {
                const double u = normals[2 * i];
                const double v = cosine * u + sine * normals[2 * i + 1];
                sum += (u >= 0.0 ? 1.0 : slope) * (v >= 0.0 ? 1.0 : slope);
            }
            const ww_kernel kernel = {.depth = 1, .negative_slope = slope};
            const double x[2] = {1.0, 0.0}, y[2] = {cosine, sine};
            assert_true(fabs(cosine * sum / DRAWS - ww_kernel_value(&kernel, x, y, 2)) < 5e-3);
        }
    }
}

/// Two samples at a right angle have the kernel diag(|x|^2 / 2), whose largest value is known.
static void test_curvature_of_two_samples(void **state)
{
    (void)state;
    ww_error error = {0};
    ww_config config = {.network = {.width = 300, .output = {.scale = 2.0}}};
    double inputs[4] = {3.0, 4.0, -0.8, 0.6};
    int64_t labels[2] = {0, 1};
    const ww_dataset data = {.dimension = 2,
                             .classes = 2,
                             .components = 1,
                             .train = {.count = 2, .inputs = inputs, .labels = labels}};
    double curvature = 0.0;
    assert_int_equal(ww_theory_curvature(&config, &data, 10, &curvature, &error), WW_OK);
    assert_true(fabs(curvature / (0.5 * 300.0 * 4.0 * 12.5 / 2.0) - 1.0) < 1e-5);
    // Other weights, another loss, and a sum instead of a mean: n times as much.
    config.network.output.scaling = WW_SCALING_INVERSE_SQRT_WIDTH;
    config.loss = WW_LOSS_SQUARED;
    assert_int_equal(ww_theory_curvature(&config, &data, 10, &curvature, &error), WW_OK);
    assert_true(fabs(curvature / (4.0 * 12.5 / 2.0) - 1.0) < 1e-5);
    config.loss_reduction = WW_REDUCTION_SUM;
    assert_int_equal(ww_theory_curvature(&config, &data, 10, &curvature, &error), WW_OK);
    assert_true(fabs(curvature / (4.0 * 12.5) - 1.0) < 1e-5);
    // Of one sample of the two, as if the other were alike.
    assert_int_equal(ww_theory_curvature(&config, &data, 1, &curvature, &error), WW_OK);
    assert_true(fabs(curvature / (4.0 * 12.5 * 2.0) - 1.0) < 1e-12);
    config.network.output.scaling = WW_SCALING_NONE;
    config.loss = WW_LOSS_CROSS_ENTROPY;
    config.loss_reduction = WW_REDUCTION_MEAN;
    // A hinge has no curvature.
    config.loss = WW_LOSS_HINGE;
    assert_int_equal(ww_theory_curvature(&config, &data, 10, &curvature, &error), WW_OK);
    assert_true(curvature == 0.0);
    config.loss = WW_LOSS_CROSS_ENTROPY;
    // One sample of the two: the first.
    assert_int_equal(ww_theory_curvature(&config, &data, 1, &curvature, &error), WW_OK);
    assert_true(fabs(curvature / (0.5 * 300.0 * 4.0 * 12.5) - 1.0) < 1e-12);
}

/// H is an expectation over directions that are all alike, of a network with one trained layer.
static void test_which_runs_have_the_kernel(void **state)
{
    (void)state;
    const ww_gram_plan gram = {.kernel = {.depth = 1}};
    ww_config config = {.loss = WW_LOSS_SQUARED,
                        .network = {.width = 10, .depth = 1},
                        .training = {.method = WW_METHOD_GD}};
    const ww_theory_plan plan = {.config = &config, .gram = &gram};
    assert_true(ww_theory_has_kernel(&plan) && ww_theory_has_descent(&plan));
    config.network.hidden.kind = WW_HIDDEN_BALL;
    assert_true(ww_theory_has_kernel(&plan));
    config.network.hidden.kind = WW_HIDDEN_CUBE;
    assert_false(ww_theory_has_kernel(&plan));
    config.network.hidden.kind = WW_HIDDEN_OPPOSED;
    assert_false(ww_theory_has_kernel(&plan));
    config.network.hidden.kind = WW_HIDDEN_GAUSSIAN;
    config.network.train_output = true;
    assert_false(ww_theory_has_kernel(&plan) || ww_theory_has_descent(&plan));
    config.network.train_output = false;
    config.network.start = WW_START_FILE;
    assert_false(ww_theory_has_kernel(&plan));
    config.network.start = WW_START_DRAWN;
    config.loss = WW_LOSS_HINGE;
    assert_false(ww_theory_has_kernel(&plan));
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv); // for the process grid of the kernel's matrix
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_li_liang_formulas),
        cmocka_unit_test(test_fields_and_values_agree),
        cmocka_unit_test(test_kernel_is_an_expectation),
        cmocka_unit_test(test_curvature_of_two_samples),
        cmocka_unit_test(test_which_runs_have_the_kernel),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
