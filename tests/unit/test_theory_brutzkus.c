// Bounds of Brutzkus et al. against numbers worked out by hand and against what they bound:
// training written down in plain loops.

#include "cmocka_all.h"

#include "widthwise/random.h"
#include "widthwise/theory.h"

#include <math.h>

// Draws of one test after the other.
typedef struct draws {
    uint64_t seed, next;
} draws;

static double uniform(draws *self, double low, double high)
{
    double value = 0.0;
    ww_uniforms((ww_stream){.seed = self->seed, .purpose = WW_DRAW_MEANS}, self->next++, 1, &value);
    return low + (high - low) * value;
}

static int64_t whole(draws *self, int64_t low, int64_t high)
{
    return low + (int64_t)floor(uniform(self, 0.0, (double)(high - low + 1)));
}

// Uniform in the logarithm.
static double scale(draws *self, double low, double high)
{
    return exp(uniform(self, log(low), log(high)));
}

static bool is_near(double value, double expected, double tolerance)
{
    return fabs(value - expected) <= tolerance * fabs(expected);
}

static const ww_brutzkus_setting plain = {.half_width = 2.0,
                                          .output_size = 0.5,
                                          .slope = 0.5,
                                          .rate = 0.25,
                                          .radius = 0.5,
                                          .input_norm = 1.0,
                                          .least_ratio = 1.0,
                                          .largest_ratio = 1.0};

// ---- theorem 2 ----------------------------------------------------------------------------------

static void test_update_bound_by_hand(void **state)
{
    (void)state;
    // 9 / 0.25, 9 / (2 0.25 0.25 0.25), sqrt(0.5 (0.5 + 4)) 3^1.5 / (4 0.0625^1.5), 3 / 0.0625
    const double expected = 36.0 + 288.0 + 1.5 * 3.0 * sqrt(3.0) / 0.0625 + 48.0;
    assert_true(is_near(ww_brutzkus_update_bound(&plain, 3.0), expected, 1e-14));
    assert_true(is_near(ww_brutzkus_update_bound_corollary(&plain, 3.0), 36.0 + 9.0 / 0.25, 1e-15));
    ww_brutzkus_setting fast = plain;
    fast.rate = 4.0; // whose root is the smaller one
    assert_true(is_near(ww_brutzkus_update_bound_corollary(&fast, 3.0), 36.0 + 4.5, 1e-15));
}

// t <= (b / a)^2 + sqrt(c / a) b / a + c / a bounds the root of a t = b sqrt(t) + c (before
// equation 13), which is the number of updates that (9), (11) and (12) allow.
static void test_update_bound_is_above_the_root(void **state)
{
    (void)state;
    draws draw = {.seed = 11};
    for (int i = 0; i < 300; i++) {
        const ww_brutzkus_setting setting = {.half_width = (double)whole(&draw, 1, 500),
                                             .output_size = scale(&draw, 0.01, 3.0),
                                             .slope = uniform(&draw, 0.02, 0.98),
                                             .rate = scale(&draw, 1e-3, 1e3),
                                             .radius = scale(&draw, 1e-3, 3.0),
                                             .input_norm = uniform(&draw, 0.3, 2.0),
                                             .least_ratio = uniform(&draw, 0.2, 1.0),
                                             .largest_ratio = uniform(&draw, 1.0, 2.0)};
        const double norm = scale(&draw, 1.0, 100.0);
        const double h = setting.half_width;
        const double step = setting.rate * setting.output_size;
        const double gain = step * setting.largest_ratio * setting.input_norm;
        const double a = 2.0 * h * step * setting.least_ratio * setting.slope;
        const double b = sqrt(4.0 * h * h * gain * gain + 4.0 * setting.rate * h) * norm;
        const double c = 4.0 * h * setting.radius * norm;
        const double ratio = b / a;
        const double bound = ww_brutzkus_update_bound(&setting, norm);
        assert_true(is_near(bound, ratio * ratio + sqrt(c / a) * ratio + c / a, 1e-12));
        const double root = 0.5 * (ratio + sqrt(ratio * ratio + 4.0 * c / a));
        assert_true(root * root <= bound && bound <= 3.0 * root * root);
    }
}

static void test_nothing_is_known(void **state)
{
    (void)state;
    ww_brutzkus_setting setting = plain;
    assert_true(isinf(ww_brutzkus_update_bound(&plain, INFINITY)));
    assert_true(isinf(ww_brutzkus_update_bound_corollary(&plain, INFINITY)));
    setting.radius = 0.0;
    assert_true(isinf(ww_brutzkus_update_bound(&setting, INFINITY)));
    setting = plain;
    setting.slope = 0.0;
    assert_true(isinf(ww_brutzkus_update_bound(&setting, 3.0)));
    assert_true(isinf(ww_brutzkus_update_bound_corollary(&setting, 3.0)));
    setting = plain;
    setting.least_ratio = 0.0;
    assert_true(isinf(ww_brutzkus_update_bound(&setting, 3.0)));
    assert_true(ww_brutzkus_alignment_bound(&setting, -2.0, 7.0) == -2.0);
    setting.least_ratio = -0.1;
    assert_true(isinf(ww_brutzkus_update_bound(&setting, 3.0)));
    assert_true(ww_brutzkus_alignment_bound(&setting, -2.0, 7.0) == -INFINITY);
}

enum { DIMENSION = 6, MOST_UNITS = 12, SAMPLES = 40 };

// A network, and a set that `separator` separates.
typedef struct training {
    ww_brutzkus_setting setting;
    bool trains_outputs;
    int64_t units;
    double weights[MOST_UNITS][DIMENSION];
    double outputs[MOST_UNITS], first_outputs[MOST_UNITS];
    double separator[DIMENSION];
    double inputs[SAMPLES][DIMENSION];
    double labels[SAMPLES];
    int64_t updates;
} training;

static double product(const double *a, const double *b)
{
    double sum = 0.0;
    for (int j = 0; j < DIMENSION; j++)
        sum += a[j] * b[j];
    return sum;
}

static double rectified(const training *self, double value)
{
    return value >= 0.0 ? value : self->setting.slope * value;
}

static double output(const training *self, const double *input)
{
    double sum = 0.0;
    for (int64_t r = 0; r < self->units; r++)
        sum += self->outputs[r] * rectified(self, product(self->weights[r], input));
    return sum;
}

// Samples in the ball of radius X, at a distance from the hyperplane, and w* such that y <w*, x>
// >= 1.
static void draw_training(training *self, draws *draw, bool trains_outputs)
{
    *self = (training){.trains_outputs = trains_outputs, .units = 2 * whole(draw, 1, 6)};
    self->setting = (ww_brutzkus_setting){.half_width = 0.5 * (double)self->units,
                                          .output_size = scale(draw, 0.1, 1.0),
                                          .slope = uniform(draw, 0.1, 0.9),
                                          .rate = trains_outputs ? 0.01 : scale(draw, 0.05, 20.0),
                                          .radius = scale(draw, 0.01, 2.0),
                                          .least_ratio = 1.0,
                                          .largest_ratio = 1.0};
    double direction[DIMENSION];
    for (int j = 0; j < DIMENSION; j++)
        direction[j] = uniform(draw, -1.0, 1.0);
    double margin = INFINITY;
    for (int64_t s = 0; s < SAMPLES; s++) {
        double along = 0.0;
        while (fabs(along) < 0.1) {
            for (int j = 0; j < DIMENSION; j++)
                self->inputs[s][j] = uniform(draw, -0.7, 0.7);
            along = product(direction, self->inputs[s]);
        }
        self->labels[s] = along > 0.0 ? 1.0 : -1.0;
        margin = fmin(margin, fabs(along));
        self->setting.input_norm =
            fmax(self->setting.input_norm, sqrt(product(self->inputs[s], self->inputs[s])));
    }
    for (int j = 0; j < DIMENSION; j++)
        self->separator[j] = direction[j] / margin;
    for (int64_t r = 0; r < self->units; r++) {
        double square = 0.0;
        for (int j = 0; j < DIMENSION; j++) {
            self->weights[r][j] = uniform(draw, -1.0, 1.0);
            square += self->weights[r][j] * self->weights[r][j];
        }
        for (int j = 0; j < DIMENSION; j++)
            self->weights[r][j] *= self->setting.radius / sqrt(square);
        self->outputs[r] =
            r < self->units / 2 ? self->setting.output_size : -self->setting.output_size;
        self->first_outputs[r] = self->outputs[r];
    }
}

static double norm(const training *self)
{
    double sum = 0.0;
    for (int64_t r = 0; r < self->units; r++)
        sum += product(self->weights[r], self->weights[r]);
    return sqrt(sum);
}

static double alignment(const training *self)
{
    double sum = 0.0;
    for (int64_t r = 0; r < self->units; r++)
        sum += (r < self->units / 2 ? 1.0 : -1.0) * product(self->weights[r], self->separator);
    return sum;
}

// One step on one sample; whether it changed anything.
static bool step(training *self, int64_t sample)
{
    const double *input = self->inputs[sample];
    const double y = self->labels[sample];
    if (y * output(self, input) >= 1.0)
        return false;
    for (int64_t r = 0; r < self->units; r++) {
        const double value = product(self->weights[r], input);
        const double factor =
            self->setting.rate * y * self->outputs[r] * (value >= 0.0 ? 1.0 : self->setting.slope);
        if (self->trains_outputs)
            self->outputs[r] += self->setting.rate * y * rectified(self, value);
        for (int j = 0; j < DIMENSION; j++)
            self->weights[r][j] += factor * input[j];
        const double ratio = self->outputs[r] / self->first_outputs[r];
        self->setting.least_ratio = fmin(self->setting.least_ratio, ratio);
        self->setting.largest_ratio = fmax(self->setting.largest_ratio, ratio);
    }
    self->updates++;
    return true;
}

// Trains until no sample changes a weight, with (11) and (12) after every update; returns whether
// the output weights kept their signs and their bounds had something to say.
static void check_training(training *self)
{
    const double first_norm = norm(self);
    const double first_alignment = alignment(self);
    bool moved = true;
    while (moved && self->updates < 2000000) {
        moved = false;
        for (int64_t s = 0; s < SAMPLES; s++) {
            if (!step(self, s))
                continue;
            moved = true;
            const double t = (double)self->updates;
            const double most = ww_brutzkus_norm_bound(&self->setting, first_norm, t);
            const double least = ww_brutzkus_alignment_bound(&self->setting, first_alignment, t);
            assert_true(norm(self) <= most * (1.0 + 1e-12));
            assert_true(alignment(self) >= least - 1e-10 * fabs(alignment(self)));
        }
    }
    assert_false(moved);
}

static void test_training_keeps_to_the_bounds(void **state)
{
    (void)state;
    draws draw = {.seed = 3};
    double closest = 0.0;
    for (int i = 0; i < 60; i++) {
        training self;
        draw_training(&self, &draw, false);
        const double separator = sqrt(product(self.separator, self.separator));
        check_training(&self);
        const double bound = ww_brutzkus_update_bound(&self.setting, separator);
        assert_true((double)self.updates <= bound);
        closest = fmax(closest, (double)self.updates / bound);
    }
    assert_true(closest > 0.01); // the bound is not so far off that nothing was tried
}

static void test_training_of_both_layers_keeps_to_the_bounds(void **state)
{
    (void)state;
    draws draw = {.seed = 4};
    int kept = 0;
    for (int i = 0; i < 40; i++) {
        training self;
        draw_training(&self, &draw, true);
        const double separator = sqrt(product(self.separator, self.separator));
        check_training(&self);
        assert_true(self.setting.least_ratio < 1.0 || self.setting.largest_ratio > 1.0);
        kept += self.setting.least_ratio > 0.0;
        assert_true((double)self.updates <= ww_brutzkus_update_bound(&self.setting, separator));
    }
    assert_true(kept > 0); // where they are not, the bound is infinite
}

// An input of length 2 under the paper's bound, which is for inputs of length 1.
static void test_long_inputs_take_their_norm(void **state)
{
    (void)state;
    ww_brutzkus_setting setting = plain;
    setting.rate = 100.0; // so that the square of a step counts
    const double paper = ww_brutzkus_norm_bound(&setting, 1.0, 1.0);
    // One update of 4 units, all active on x of length X = 2 and each moving by eta v X.
    const double moved = 2.0 * setting.rate * setting.output_size * 2.0;
    assert_true(moved > paper);
    setting.input_norm = 2.0;
    assert_true(moved <= ww_brutzkus_norm_bound(&setting, 1.0, 1.0));
}

// ---- theorem 10 ---------------------------------------------------------------------------------

// Updates on one coordinate until N >= 1; `*needed` becomes the number after which either half of
// the output was 1 / 2, without which it cannot be.
static int64_t updates_of_coordinate(const ww_brutzkus_setting *setting, int64_t dimension,
                                     int64_t *needed)
{
    const double gain = setting->half_width * setting->output_size;
    const double step = setting->rate * setting->output_size;
    double w = -setting->radius / sqrt((double)dimension);
    double u = -w;
    int64_t updates = 0;
    *needed = -1;
    for (;;) {
        const double from_w = gain * (w >= 0.0 ? w : setting->slope * w);
        const double from_u = -gain * (u >= 0.0 ? u : setting->slope * u);
        if (*needed < 0 && (from_w >= 0.5 || from_u >= 0.5))
            *needed = updates;
        if (from_w + from_u >= 1.0)
            return updates;
        w += step * (w >= 0.0 ? 1.0 : setting->slope);
        u -= step * (u >= 0.0 ? 1.0 : setting->slope);
        updates++;
    }
}

static void test_lower_bound_holds_and_is_close(void **state)
{
    (void)state;
    draws draw = {.seed = 10};
    int above_dimension = 0;
    int above_paper = 0;
    for (int i = 0; i < 2000; i++) {
        const ww_brutzkus_setting setting = {.half_width = (double)whole(&draw, 1, 60),
                                             .output_size = scale(&draw, 0.05, 2.0),
                                             .slope = uniform(&draw, 0.05, 0.95),
                                             .rate = scale(&draw, 1e-3, 30.0),
                                             .radius = scale(&draw, 1e-3, 3.0),
                                             .input_norm = 1.0,
                                             .least_ratio = 1.0,
                                             .largest_ratio = 1.0};
        const int64_t dimension = whole(&draw, 1, 50);
        const double d = (double)dimension;
        int64_t needed = -1;
        const int64_t updates = dimension * updates_of_coordinate(&setting, dimension, &needed);
        const double bound = ww_brutzkus_update_lower_bound(&setting, dimension);
        assert_true((double)updates >= bound * (1.0 - 1e-12));
        // What the proof leaves out are parts of steps: one until either number has changed its
        // sign, the step it does that with, and one at the end.
        assert_true(bound >= d * ((double)needed - 2.0 - 1.0 / setting.slope) - 1e-9);
        above_dimension += bound > d * (1.0 + 1e-12);
        // With the signs as printed, the second terms count for nothing or less.
        const double v = setting.output_size;
        const double square = v * v * 2.0 * setting.rate * setting.half_width;
        const double first = setting.radius * sqrt(d) / (setting.rate * v * setting.slope) +
                             fmin(d / square - setting.slope * sqrt(d), 0.0);
        const double second =
            setting.radius * sqrt(d) / (setting.rate * v) +
            fmin(d / (setting.slope * setting.slope * square) - sqrt(d) / setting.slope, 0.0);
        above_paper += bound > 1.5 * fmax(fmin(first, second), d);
    }
    assert_true(above_dimension > 500 && above_paper > 200);
}

static void test_lower_bound_by_hand(void **state)
{
    (void)state;
    // R sqrt(d) = 1.5, eta v = 0.125: 1.5 / 0.0625 + max(9 / (4 0.25 0.25) - 4.5, 0) = 24 + 31.5,
    // and 12 + max(36 4 - 18, 0) = 138.
    assert_true(is_near(ww_brutzkus_update_lower_bound(&plain, 9), 55.5, 1e-14));
    ww_brutzkus_setting fast = plain;
    fast.rate = 1e6;
    assert_true(ww_brutzkus_update_lower_bound(&fast, 9) == 9.0);
    fast.rate = 4.0; // eta v = 2, no second term: min(1.5, 0.75) is less than d
    assert_true(ww_brutzkus_update_lower_bound(&fast, 9) == 9.0);
    fast.radius = 400.0;
    assert_true(is_near(ww_brutzkus_update_lower_bound(&fast, 9), 600.0, 1e-14));
}

// ---- theorems 5 and 6 ---------------------------------------------------------------------------

static void test_compression(void **state)
{
    (void)state;
    const double share = log(3000.0 / 0.01);
    assert_true(
        is_near(ww_brutzkus_compression_bound(3000, 100.0, 0.0, 0.01), share * 0.8 / 3.0, 1e-14));
    assert_true(is_near(ww_brutzkus_compression_bound(3000, 100.0, 0.1, 0.01),
                        0.1 + sqrt(0.1 * share * 0.4 / 3.0) + share * 0.8 / 3.0, 1e-14));
    assert_true(ww_brutzkus_compression_bound(3000, 0.0, 0.3, 0.01) == 0.3);
    assert_true(isfinite(ww_brutzkus_compression_bound(3000, 1500.0, 0.0, 0.01)));
    assert_true(isnan(ww_brutzkus_compression_bound(3000, 1501.0, 0.0, 0.01)));
    assert_true(isnan(ww_brutzkus_compression_bound(3000, NAN, 0.0, 0.01)));
    assert_true(
        is_near(ww_brutzkus_compression_bound_at_rest(3000, 7.5, 0.01), share * 0.02, 1e-14));
    assert_true(isnan(ww_brutzkus_compression_bound_at_rest(3000, INFINITY, 0.01)));
}

// ---- theorem 9 ----------------------------------------------------------------------------------

// The share of all patterns of h units on d coordinates in which no coordinate is without a unit.
static void test_success_probability_by_counting(void **state)
{
    (void)state;
    for (int64_t h = 1; h <= 4; h++)
        for (int64_t d = 1; h * d <= 12; d++) {
            const int64_t all = INT64_C(1) << (h * d);
            int64_t successes = 0;
            for (int64_t pattern = 0; pattern < all; pattern++) {
                bool is_success = true;
                for (int64_t j = 0; j < d; j++)
                    is_success = is_success && ((pattern >> (j * h)) & ((1 << h) - 1)) != 0;
                successes += is_success;
            }
            assert_true(is_near(ww_brutzkus_success_probability((double)h, d),
                                (double)successes / (double)all, 1e-13));
        }
}

static void test_thresholds(void **state)
{
    (void)state;
    assert_true(is_near(ww_brutzkus_units_success(100, 0.1), log2(2000.0), 1e-15));
    assert_true(is_near(ww_brutzkus_units_success_proof(100, 0.1), log2(1000.0), 1e-15));
    assert_true(is_near(ww_brutzkus_units_failure(1000, exp(-8.0)), log2(125.0), 1e-14));
    // On either side of them the exact probability is on the right side of delta and 1 - delta.
    for (int64_t d = 2; d <= 4096; d *= 2)
        for (double delta = 0.001; delta < 0.5; delta *= 2.0) {
            const double failure = ww_brutzkus_units_failure(d, delta);
            const double proof = ww_brutzkus_units_success_proof(d, delta);
            if (failure > 0.0)
                assert_true(ww_brutzkus_success_probability(failure, d) <= delta * (1.0 + 1e-12));
            assert_true(ww_brutzkus_success_probability(proof, d) >= 1.0 - delta);
            // The proof's is the one that is needed: a unit less is not always enough.
            assert_true(ww_brutzkus_success_probability(proof - 1.0, d) < 1.0 - delta);
            assert_true(ww_brutzkus_units_success(d, delta) == proof + 1.0 ||
                        is_near(ww_brutzkus_units_success(d, delta), proof + 1.0, 1e-15));
        }
}

static void test_iteration_caps_by_hand(void **state)
{
    (void)state;
    ww_brutzkus_setting setting = plain;
    setting.output_size = 1.0;
    setting.rate = 0.7;
    assert_true(ww_brutzkus_iteration_cap(&setting, 10, 0.3) == 15.0);       // 14.3
    assert_true(ww_brutzkus_iteration_cap_whole(&setting, 10, 0.3) == 20.0); // 10 ceil(1.43)
    assert_true(ww_brutzkus_iteration_cap(&setting, 10, 3.0) == 43.0);
    assert_true(ww_brutzkus_iteration_cap_whole(&setting, 10, 3.0) == 50.0);
    setting.output_size = 0.5; // 2 / 0.35
    assert_true(ww_brutzkus_iteration_cap(&setting, 10, 0.3) == 58.0);
    assert_true(ww_brutzkus_iteration_cap_whole(&setting, 10, 0.3) == 60.0);
}

// ReLU training on e_j alone with label +1; the other coordinates do not matter to it. Returns the
// updates; `*ends_well` whether the loss became 0.
static int64_t relu_updates(const ww_brutzkus_setting *setting, double *right, double *left,
                            int64_t half, bool *ends_well)
{
    const double v = setting->output_size;
    for (int64_t updates = 0;; updates++) {
        double sum = 0.0;
        bool moves = false;
        for (int64_t i = 0; i < half; i++) {
            sum += v * (fmax(right[i], 0.0) - fmax(left[i], 0.0));
            moves = moves || right[i] >= 0.0 || left[i] >= 0.0;
        }
        *ends_well = sum >= 1.0;
        if (*ends_well || !moves)
            return updates;
        for (int64_t i = 0; i < half; i++) {
            right[i] += right[i] >= 0.0 ? setting->rate * v : 0.0;
            left[i] -= left[i] >= 0.0 ? setting->rate * v : 0.0;
        }
    }
}

static void test_iteration_caps_hold(void **state)
{
    (void)state;
    enum { MOST_HALF = 5 };
    draws draw = {.seed = 9};
    int above_paper = 0, at_cap = 0, failures = 0;
    for (int i = 0; i < 3000; i++) {
        const int64_t half = whole(&draw, 1, MOST_HALF);
        const int64_t dimension = whole(&draw, 1, 12);
        const double largest = scale(&draw, 1e-3, 3.0);
        const ww_brutzkus_setting setting = {.half_width = (double)half,
                                             .output_size =
                                                 i % 2 == 0 ? 1.0 : scale(&draw, 0.1, 3.0),
                                             .rate = scale(&draw, 0.02, 10.0)};
        int64_t updates = 0;
        bool all = true;
        bool some_on_each = true;
        for (int64_t j = 0; j < dimension; j++) {
            double right[MOST_HALF] = {0.0}, left[MOST_HALF] = {0.0};
            bool is_active = false;
            bool ends_well = false;
            for (int64_t unit = 0; unit < half; unit++) {
                right[unit] = uniform(&draw, -largest, largest);
                left[unit] = uniform(&draw, -largest, largest);
                is_active = is_active || right[unit] > 0.0;
            }
            updates += relu_updates(&setting, right, left, half, &ends_well);
            all = all && ends_well;
            some_on_each = some_on_each && is_active;
        }
        assert_int_equal(all, some_on_each); // lemma 12: the start decides
        failures += !all;
        const double cap = ww_brutzkus_iteration_cap_whole(&setting, dimension, largest);
        assert_true((double)updates <= cap);
        at_cap += (double)updates == cap;
        above_paper += (double)updates > ww_brutzkus_iteration_cap(&setting, dimension, largest);
    }
    // The theorem's own number is too small now and then; the one with whole numbers is reached.
    assert_true(above_paper > 0 && at_cap > 0);
    assert_true(failures > 300 && failures < 2700);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_update_bound_by_hand),
        cmocka_unit_test(test_update_bound_is_above_the_root),
        cmocka_unit_test(test_nothing_is_known),
        cmocka_unit_test(test_training_keeps_to_the_bounds),
        cmocka_unit_test(test_training_of_both_layers_keeps_to_the_bounds),
        cmocka_unit_test(test_long_inputs_take_their_norm),
        cmocka_unit_test(test_lower_bound_holds_and_is_close),
        cmocka_unit_test(test_lower_bound_by_hand),
        cmocka_unit_test(test_compression),
        cmocka_unit_test(test_success_probability_by_counting),
        cmocka_unit_test(test_thresholds),
        cmocka_unit_test(test_iteration_caps_by_hand),
        cmocka_unit_test(test_iteration_caps_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
