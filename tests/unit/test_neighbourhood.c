// The neighbourhood of the weights (src/measure/neighbourhood.c): held against slow loops, and at
// weights that are built.
#include "cmocka_all.h"

#include "measure/neighbourhood.h"
#include "small_problem.h"
#include "widthwise/construct.h"
#include "widthwise/random.h"

#include <string.h>

enum { N = 40, D = 7 };

// A problem whose first input coordinate separates it.
typedef struct setting {
    small_problem small;
    ww_engine *engine;
    ww_construction made;
    double *held; // [m, d]
    double values[5];
} setting;

static void make_setting(setting *self, const char *const *settings, size_t count)
{
    ww_error error = {0};
    *self = (setting){.engine = NULL};
    if (!small_problem_make(&self->small, MPI_COMM_WORLD, settings, count, N, 5, D, 2, &error))
        fail_msg("%s", error.message);
    ww_dataset *data = &self->small.data;
    ww_normals((ww_stream){.seed = 3, .purpose = WW_DRAW_TRAIN_INPUTS}, 0, N * D,
               data->train.inputs);
    double least = INFINITY;
    for (int64_t i = 0; i < N; i++) {
        double *first = &data->train.inputs[i * D];
        *first += *first > 0.0 ? 0.2 : -0.2;
        least = fmin(least, fabs(*first));
        data->train.labels[i] = *first > 0.0 ? 0 : 1;
        data->train.targets[i] = *first > 0.0 ? 1.0 : -1.0;
    }
    data->separator = (ww_separator){.sought = true, .weights = calloc((size_t)D, sizeof(double))};
    data->separator.weights[0] = (1.0 + 1e-14) / least;
}

static void begin(setting *self, bool builds)
{
    ww_error error = {0};
    ww_problem *problem = &self->small.problem;
    const int64_t width = problem->tiling.width;
    if (builds) {
        if (ww_construct(problem->config, problem->data, problem->parallel, &self->made, &error) !=
            WW_OK)
            fail_msg("%s", error.message);
        self->held = calloc((size_t)(width * D), sizeof(double));
        ww_construction_rows(&self->made, width, 0, width, self->held);
        problem->initial.hidden = self->held;
    }
    assert_int_equal(ww_engine_create(problem, &self->engine, &error), WW_OK);
}

static void measure(setting *self)
{
    ww_error error = {0};
    if (ww_neighbourhood(&self->small.problem, self->engine, NULL, self->values, &error) != WW_OK)
        fail_msg("%s", error.message);
}

static void end(setting *self)
{
    ww_engine_free(self->engine);
    ww_construction_free(&self->made);
    free(self->held);
    free(self->small.data.separator.weights);
    small_problem_free(&self->small);
}

static double place_of(const double *row, const double *input)
{
    double sum = 0.0;
    for (int64_t j = 0; j < D; j++)
        sum += row[j] * input[j];
    return sum;
}

// Gradient and radius of the hinge loss by loops over everything, for weights of one tile.
static void slow_values(setting *self, double *gradient_norm, double *pattern_radius,
                        double *margin_radius)
{
    const ww_problem *problem = &self->small.problem;
    const ww_samples *train = &self->small.data.train;
    const int64_t width = problem->tiling.width;
    const double *weights = ww_engine_tile(self->engine, 0);
    const double *output = ww_engine_output_weights(self->engine);
    double *gradient = calloc((size_t)(width * D), sizeof *gradient);
    double output_square = 0.0;
    for (int64_t r = 0; r < width; r++)
        output_square += output[r] * output[r];
    *pattern_radius = *margin_radius = INFINITY;
    for (int64_t i = 0; i < N; i++) {
        const double *input = train->inputs + i * D;
        double sum = 0.0;
        const double norm = sqrt(place_of(input, input));
        for (int64_t r = 0; r < width; r++) {
            const double z = place_of(weights + r * D, input);
            sum += output[r] * (z >= 0.0 ? z : problem->negative_slope * z);
            *pattern_radius = fmin(*pattern_radius, fabs(z) / norm);
        }
        const double margin = train->targets[i] * sum;
        *margin_radius = fmin(*margin_radius, fabs(1.0 - margin) / (sqrt(output_square) * norm));
        for (int64_t r = 0; margin < 1.0 && r < width; r++)
            for (int64_t j = 0; j < D; j++)
                gradient[r * D + j] -=
                    train->targets[i] * output[r] * input[j] / N *
                    (place_of(weights + r * D, input) >= 0.0 ? 1.0 : problem->negative_slope);
    }
    double square = 0.0;
    for (int64_t i = 0; i < width * D; i++)
        square += gradient[i] * gradient[i];
    *gradient_norm = sqrt(square);
    free(gradient);
}

// Drawn weights are no minimum: downhill there are lower points.
static void drawn_weights_against_loops(void **state)
{
    (void)state;
    static const char *const activations[] = {"network.activation.kind=relu",
                                              "network.activation.slope=0.3"};
    for (int i = 0; i < 2; i++) {
        const char *settings[] = {"model=brutzkus", "network.width=30", activations[i],
                                  "training.batch=4"};
        setting self;
        double gradient_norm = 0.0;
        double pattern_radius = 0.0;
        double margin_radius = 0.0;
        make_setting(&self, settings, 4);
        begin(&self, false);
        measure(&self);
        slow_values(&self, &gradient_norm, &pattern_radius, &margin_radius);
        const double radius = fmin(pattern_radius, margin_radius);
        assert_true(gradient_norm > 0.0);
        assert_true(fabs(self.values[0] - gradient_norm) <= 1e-12 * gradient_norm);
        assert_true(self.values[1] <= radius && self.values[1] >= 0.999 * radius);
        assert_true(self.values[2] == WW_NEIGHBOURS);
        assert_true(self.values[3] == self.values[1]);
        assert_true(self.values[4] < 0.0);
        // Within the ball the loss is linear: no step of that length can gain more.
        assert_true(self.values[4] >= -gradient_norm * self.values[3] - 1e-15);
        end(&self);
    }
}

static void local_minima_are_flat(void **state)
{
    (void)state;
    static const char *const widths[] = {"network.width=2", "network.width=300"};
    for (int i = 0; i < 2; i++) {
        const char *settings[] = {"model=brutzkus", "network.start=local-minimum", widths[i],
                                  "network.activation.kind=relu", "training.batch=1"};
        setting self;
        make_setting(&self, settings, 5);
        begin(&self, true);
        measure(&self);
        assert_true(self.values[0] == 0.0);
        assert_true(self.values[1] > 0.0);
        assert_true(self.values[4] == 0.0);
        // SGD makes no step that changes a weight, and the loss stays where it is.
        const ww_problem *problem = &self.small.problem;
        double loss = 0.0;
        double highest = 0.0;
        int64_t requests = 0;
        ww_error error = {0};
        for (int step = 0; step < 3 * N; step++) {
            assert_int_equal(ww_engine_step(self.engine, 0, &requests, &loss, &error), WW_OK);
            assert_true(loss == 0.0 || loss == 1.0);
            highest += loss / 3.0;
        }
        assert_true(fabs(highest - (double)self.made.silent) < 1e-9);
        assert_true(2 * self.made.silent >= N);
        for (int64_t tile = 0; tile < problem->tiling.tile_count; tile++)
            assert_memory_equal(ww_engine_tile(self.engine, tile),
                                self.held + tile * problem->tiling.tile_units * D,
                                (size_t)(ww_tile_size(&problem->tiling, tile) * D) *
                                    sizeof(double));
        end(&self);
    }
}

// The radius is not only safe: it is what the nearest pattern or margin allows, but for rounding.
static void the_radius_is_reached(void **state)
{
    (void)state;
    const char *settings[] = {"model=brutzkus", "network.start=local-minimum", "network.width=2",
                              "network.activation.kind=relu", "training.batch=1"};
    setting self;
    double gradient_norm = 0.0;
    double pattern_radius = 0.0;
    double margin_radius = 0.0;
    make_setting(&self, settings, 5);
    begin(&self, true);
    measure(&self);
    slow_values(&self, &gradient_norm, &pattern_radius, &margin_radius);
    const double radius = fmin(pattern_radius, margin_radius);
    assert_true(gradient_norm == 0.0);
    assert_true(self.values[1] <= radius && self.values[1] >= 0.999 * radius);
    end(&self);
}

static void fits_have_no_loss_to_lose(void **state)
{
    (void)state;
    const char *settings[] = {"model=brutzkus", "network.start=fit", "network.width=40",
                              "network.activation.slope=0.2", "training.batch=1"};
    setting self;
    make_setting(&self, settings, 5);
    begin(&self, true);
    measure(&self);
    assert_true(self.values[0] == 0.0);
    assert_true(self.values[1] == 0.0); // some units have zero rows
    assert_true(self.values[3] > 0.0);
    assert_true(self.values[4] >= 0.0);
    end(&self);
}

// Without the hinge loss: patterns alone make the ball.
static void the_squared_loss(void **state)
{
    (void)state;
    const char *settings[] = {"model=brutzkus", "loss=squared", "network.width=200",
                              "network.activation.kind=relu", "training.batch=4"};
    setting self;
    make_setting(&self, settings, 5);
    begin(&self, false);
    measure(&self);
    double least = INFINITY;
    for (int64_t tile = 0; tile < 2; tile++)
        for (int64_t r = 0; r < ww_tile_size(&self.small.problem.tiling, tile); r++)
            for (int64_t i = 0; i < N; i++) {
                const double *input = self.small.data.train.inputs + i * D;
                const double place = place_of(ww_engine_tile(self.engine, tile) + r * D, input);
                least = fmin(least, fabs(place) / sqrt(place_of(input, input)));
            }
    assert_true(self.values[1] <= least && self.values[1] >= 0.999 * least);
    assert_true(self.values[4] < 0.0);
    end(&self);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drawn_weights_against_loops),
        cmocka_unit_test(local_minima_are_flat),
        cmocka_unit_test(the_radius_is_reached),
        cmocka_unit_test(fits_have_no_loss_to_lose),
        cmocka_unit_test(the_squared_loss),
    };
    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
