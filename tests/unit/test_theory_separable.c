// Which predictions of Brutzkus et al. a run has, and their values.

#include "cmocka_all.h"

#include "widthwise/theory.h"

#include <math.h>
#include <string.h>

static bool is_near(double value, double expected, double tolerance)
{
    return fabs(value - expected) <= tolerance * fabs(expected);
}

enum { RECORDS = 5, ROWS = 4, MOST_MEASURED = 8, MOST_VALUES = 100 };

// A run, and what was measured in it.
typedef struct run {
    ww_config config;
    ww_dataset data;
    double inputs[6];
    ww_field measured[MOST_MEASURED];
    double columns[MOST_MEASURED][ROWS];
    const double *pointers[MOST_MEASURED];
    ww_theory_plan plan;
    ww_field fields[WW_THEORY_FIELDS];
    double values[MOST_VALUES];
} run;

static void run_make(run *self)
{
    *self = (run){
        .config = {.data = {.source = WW_SOURCE_SEPARABLE},
                   .network = {.width = 50,
                               .activation = {.kind = WW_ACTIVATION_LEAKY_RELU, .slope = 0.2},
                               .hidden = {.kind = WW_HIDDEN_BALL,
                                          .radius = 1.0,
                                          .scaling = WW_SCALING_INVERSE_SQRT_WIDTH},
                               .output = {.kind = WW_OUTPUT_HALVES,
                                          .scale = 1.0,
                                          .scaling = WW_SCALING_INVERSE_SQRT_WIDTH}},
                   .loss = WW_LOSS_HINGE,
                   .training = {.method = WW_METHOD_SGD, .batch = 1, .rate = 0.5},
                   .theory = {.failure_probability = 0.05}},
        .inputs = {0.6, 0.8, 0.3, -0.4, 0.0, 0.1},
        .data = {.dimension = 2,
                 .classes = 2,
                 .outputs = 1,
                 .train = {.count = 3},
                 .separator = {.sought = true, .lower = 2.9, .upper = 3.0}},
    };
    self->data.train.inputs = self->inputs;
    for (int i = 0; i < MOST_MEASURED; i++)
        self->pointers[i] = self->columns[i];
    self->plan = (ww_theory_plan){.config = &self->config,
                                  .records = RECORDS,
                                  .measured = self->measured,
                                  .samples = 3,
                                  .outputs = 1,
                                  .test_samples = 1};
}

// A measured quantity, with its column.
static void measure(run *self, const char *name, const double column[ROWS])
{
    const size_t place = self->plan.measured_count++;
    self->measured[place] = (ww_field){.name = name};
    memcpy(self->columns[place], column, sizeof self->columns[place]);
}

static const int64_t steps_of_rows[ROWS] = {0, 10, 20, 30};

// Computes all; checks that nothing is written behind what the fields say.
static size_t predict(run *self)
{
    const size_t count = ww_theory_fields(&self->plan, self->fields);
    const int64_t values = ww_theory_values(self->fields, count);
    const ww_theory_inputs inputs = {
        .data = &self->data, .rows = ROWS, .steps = steps_of_rows, .columns = self->pointers};
    assert_true(values < MOST_VALUES);
    for (int64_t i = 0; i < MOST_VALUES; i++)
        self->values[i] = -77.0;
    ww_theory_compute(&self->plan, &inputs, self->values);
    for (int64_t i = 0; i < MOST_VALUES; i++)
        assert_int_equal(self->values[i] == -77.0, i >= values);
    return count;
}

static const double *prediction(const run *self, const char *name)
{
    const size_t count = ww_theory_fields(&self->plan, (ww_field *)(void *)self->fields);
    const double *position = self->values;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(self->fields[i].name, name) == 0)
            return position;
        position += ww_field_size(&self->fields[i]);
    }
    return NULL;
}

static void test_a_run_of_the_paper(void **state)
{
    (void)state;
    static run self;
    run_make(&self);
    assert_int_equal(predict(&self), 5); // both separators, M_k, corollaries 3 and 6
    const double size = 1.0 / sqrt(50.0);
    const ww_brutzkus_setting setting = {.half_width = 25.0,
                                         .output_size = size,
                                         .slope = 0.2,
                                         .rate = 0.5,
                                         .radius = size,
                                         .input_norm = 1.0,
                                         .least_ratio = 1.0,
                                         .largest_ratio = 1.0};
    assert_true(*prediction(&self, "separator_lower") == 2.9);
    assert_true(*prediction(&self, "separator_upper") == 3.0);
    assert_true(*prediction(&self, "update_bound") == ww_brutzkus_update_bound(&setting, 3.0));
    assert_true(is_near(*prediction(&self, "update_bound_corollary"), 225.0 + 18.0, 1e-14));
    assert_true(isnan(*prediction(&self, "compression_bound_corollary"))); // of 3 samples
    self.plan.samples = 486;
    (void)predict(&self);
    assert_true(
        is_near(*prediction(&self, "compression_bound_corollary"), 4.0 * log(486.0 / 0.05), 1e-14));
    // Other sizes than those of equation (6), a longer input, and no separator.
    self.config.network.hidden.radius = 2.0;
    self.inputs[2] = 1.2;
    self.inputs[3] = 1.6;
    assert_int_equal(predict(&self), 3);
    ww_brutzkus_setting longer = setting;
    longer.radius = 2.0 * size;
    longer.input_norm = 2.0;
    assert_true(
        is_near(*prediction(&self, "update_bound"), ww_brutzkus_update_bound(&longer, 3.0), 1e-15));
    self.data.separator.upper = INFINITY;
    (void)predict(&self);
    assert_true(isinf(*prediction(&self, "update_bound")));
}

static void test_courses_and_compression(void **state)
{
    (void)state;
    static run self;
    run_make(&self);
    measure(&self, "weight_norm", (double[ROWS]){0.9, 1.0, 1.1, 1.2});
    measure(&self, "loss", (double[ROWS]){0.9, 0.8, 0.7, 0.25});
    measure(&self, "updates", (double[ROWS]){0.0, 3.0, 7.0, 8.0});
    measure(&self, "distance", (double[ROWS]){0.0});
    measure(&self, "alignment", (double[ROWS]){-0.4, 1.0, 2.0, 3.0});
    assert_true(ww_theory_uses(&self.plan, 0) && ww_theory_uses(&self.plan, 2) &&
                ww_theory_uses(&self.plan, 4));
    assert_false(ww_theory_uses(&self.plan, 3));
    self.config.loss = WW_LOSS_SQUARED;
    assert_false(ww_theory_uses(&self.plan, 0)); // of no prediction that there is
    self.config.loss = WW_LOSS_HINGE;
    assert_int_equal(predict(&self), 9);
    // 2 h eta^2 v^2 = eta^2, as 2 h v^2 = 1; 2 h eta v alpha = sqrt(50) eta alpha
    const double *most = prediction(&self, "norm_bound");
    const double *least = prediction(&self, "alignment_bound");
    for (int row = 0; row < ROWS; row++) {
        const double t = self.columns[2][row];
        assert_true(is_near(most[row], sqrt(0.81 + t * 1.25), 1e-14));
        assert_true(is_near(least[row], -0.4 + t * sqrt(50.0) * 0.1, 1e-14));
    }
    assert_true(isnan(most[ROWS]) && isnan(least[ROWS]));
    assert_true(*prediction(&self, "compression_applies") == 0.0);
    assert_true(isnan(*prediction(&self, "compression_bound")));
    // With enough samples the errors of those without an update have to be known, unless the loss
    // is 0.
    self.plan.samples = 16;
    (void)predict(&self);
    assert_true(*prediction(&self, "compression_applies") == 1.0);
    assert_true(isnan(*prediction(&self, "compression_bound")));
    measure(&self, "unused_error", (double[ROWS]){0.5, 0.5, 0.5, 0.25});
    (void)predict(&self);
    assert_true(is_near(*prediction(&self, "compression_bound"),
                        0.25 + sqrt(0.5 * log(320.0)) + 4.0 * log(320.0), 1e-14));
    self.columns[1][ROWS - 1] = 0.0;
    (void)predict(&self);
    assert_true(is_near(*prediction(&self, "compression_bound"), 4.0 * log(320.0), 1e-14));
}

static void test_radius_of_other_starts(void **state)
{
    (void)state;
    static run self;
    const double size = 1.0 / sqrt(50.0);
    ww_brutzkus_setting setting = {.half_width = 25.0,
                                   .output_size = size,
                                   .slope = 0.2,
                                   .rate = 0.5,
                                   .input_norm = 1.0,
                                   .least_ratio = 1.0,
                                   .largest_ratio = 1.0};
    run_make(&self);
    self.config.network.hidden.kind = WW_HIDDEN_CUBE;
    (void)predict(&self);
    setting.radius = size * sqrt(2.0); // d = 2
    assert_true(*prediction(&self, "update_bound") == ww_brutzkus_update_bound(&setting, 3.0));
    assert_null(prediction(&self, "update_bound_corollary"));
    for (int i = 0; i < 2; i++) { // normal weights, and weights that are held
        run_make(&self);
        if (i == 0)
            self.config.network.hidden.kind = WW_HIDDEN_GAUSSIAN;
        else
            self.config.network.start = WW_START_FIT;
        (void)predict(&self);
        assert_null(prediction(&self, "update_bound"));
        measure(&self, "weight_norm", (double[ROWS]){4.0, 9.0, 9.0, 9.0});
        (void)predict(&self);
        setting.radius = 4.0 * size;
        assert_true(is_near(*prediction(&self, "update_bound"),
                            ww_brutzkus_update_bound(&setting, 3.0), 1e-14));
    }
    self.config.network.start = WW_START_FILE; // with any output weights
    assert_int_equal(predict(&self), 2);
}

static void test_trained_outputs(void **state)
{
    (void)state;
    static run self;
    run_make(&self);
    self.config.network.train_output = true;
    measure(&self, "updates", (double[ROWS]){0.0, 2.0, 4.0, 6.0});
    measure(&self, "weight_norm", (double[ROWS]){1.0, 1.0, 1.0, 1.0});
    measure(&self, "alignment", (double[ROWS]){0.0, 1.0, 2.0, 3.0});
    (void)predict(&self);
    assert_null(prediction(&self, "update_bound"));
    assert_null(prediction(&self, "norm_bound"));
    measure(&self, "output_ratio_max", (double[ROWS]){1.0, 1.5, 1.25, 2.0});
    (void)predict(&self);
    assert_null(prediction(&self, "update_bound"));
    assert_null(prediction(&self, "alignment_bound"));
    measure(&self, "output_ratio_min", (double[ROWS]){1.0, 0.75, 0.8, 0.5});
    (void)predict(&self);
    ww_brutzkus_setting setting = {.half_width = 25.0,
                                   .output_size = 1.0 / sqrt(50.0),
                                   .slope = 0.2,
                                   .rate = 0.5,
                                   .radius = 1.0 / sqrt(50.0),
                                   .input_norm = 1.0,
                                   .least_ratio = 0.5,
                                   .largest_ratio = 2.0};
    assert_true(*prediction(&self, "update_bound") == ww_brutzkus_update_bound(&setting, 3.0));
    assert_null(prediction(&self, "update_bound_corollary"));
    setting.least_ratio = 0.75; // up to the third record
    setting.largest_ratio = 1.5;
    assert_true(prediction(&self, "norm_bound")[2] == ww_brutzkus_norm_bound(&setting, 1.0, 4.0));
    assert_true(prediction(&self, "alignment_bound")[2] ==
                ww_brutzkus_alignment_bound(&setting, 0.0, 4.0));
}

static void test_runs_that_are_not_of_the_paper(void **state)
{
    (void)state;
    static run self;
    enum { OTHER_LOSS, LARGER_BATCH, WHOLE_SET, NORMAL_OUTPUTS, RELU, CASES };
    static const size_t expected[CASES] = {[OTHER_LOSS] = 0,
                                           [LARGER_BATCH] = 2,
                                           [WHOLE_SET] = 2,
                                           [NORMAL_OUTPUTS] = 4, // compression
                                           [RELU] = 5};          // and the norm
    for (int i = 0; i < CASES; i++) {
        run_make(&self);
        measure(&self, "updates", (double[ROWS]){0.0, 3.0, 7.0, 8.0});
        measure(&self, "loss", (double[ROWS]){0.9, 0.8, 0.7, 0.25});
        measure(&self, "weight_norm", (double[ROWS]){0.9, 1.0, 1.1, 1.2});
        measure(&self, "alignment", (double[ROWS]){0.9, 1.0, 1.1, 1.2});
        if (i == OTHER_LOSS)
            self.config.loss = WW_LOSS_SQUARED;
        if (i == LARGER_BATCH)
            self.config.training.batch = 2;
        if (i == WHOLE_SET)
            self.config.training.method = WW_METHOD_GD;
        if (i == NORMAL_OUTPUTS)
            self.config.network.output.kind = WW_OUTPUT_GAUSSIAN;
        if (i == RELU)
            self.config.network.activation.kind = WW_ACTIVATION_RELU;
        assert_int_equal(predict(&self), expected[i]);
    }
}

static void test_orthonormal_samples(void **state)
{
    (void)state;
    static run self;
    run_make(&self);
    self.config.data.source = WW_SOURCE_ORTHONORMAL;
    self.config.network.hidden.kind = WW_HIDDEN_OPPOSED;
    self.config.training.sampling = WW_SAMPLING_SEQUENTIAL;
    assert_int_equal(predict(&self), 6);
    const double size = 1.0 / sqrt(50.0);
    ww_brutzkus_setting setting = {.half_width = 25.0,
                                   .output_size = size,
                                   .slope = 0.2,
                                   .rate = 0.5,
                                   .radius = size,
                                   .input_norm = 1.0,
                                   .least_ratio = 1.0,
                                   .largest_ratio = 1.0};
    assert_true(*prediction(&self, "update_lower_bound") ==
                ww_brutzkus_update_lower_bound(&setting, 2));
    self.config.data.labels.random_fraction = 0.5; // the start is against +1 alone
    assert_int_equal(predict(&self), 5);
    self.config.data.labels.random_fraction = 0.0;
    self.config.training.sampling = WW_SAMPLING_PERMUTATION;
    assert_int_equal(predict(&self), 5);

    self.config.network.activation.kind = WW_ACTIVATION_RELU;
    assert_int_equal(predict(&self), 2);
    self.config.network.hidden.kind = WW_HIDDEN_CUBE;
    self.config.network.hidden.scaling = WW_SCALING_NONE;
    self.config.network.hidden.radius = 20.0;
    self.config.network.output.scaling = WW_SCALING_NONE;
    self.config.network.width = 4;
    assert_int_equal(predict(&self), 8);
    assert_true(is_near(*prediction(&self, "success_probability"), 9.0 / 16.0, 1e-14));
    assert_true(*prediction(&self, "units_failure") == ww_brutzkus_units_failure(2, 0.05));
    assert_true(is_near(*prediction(&self, "units_success"), log2(80.0), 1e-15));
    assert_true(is_near(*prediction(&self, "units_success_proof"), log2(40.0), 1e-15));
    assert_true(*prediction(&self, "iteration_cap") == 80.0);
    assert_true(*prediction(&self, "iteration_cap_whole") == 80.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_run_of_the_paper),
        cmocka_unit_test(test_courses_and_compression),
        cmocka_unit_test(test_radius_of_other_starts),
        cmocka_unit_test(test_trained_outputs),
        cmocka_unit_test(test_runs_that_are_not_of_the_paper),
        cmocka_unit_test(test_orthonormal_samples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
