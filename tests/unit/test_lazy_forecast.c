// What steps to come are expected to do: f and R of them, against sums in double precision with
// patterns as they are; where outputs grow out of their range; and in which step a pair crosses.
#include "cmocka_all.h"
#include "small_problem.h"
#include "train/lazy.h"

#include <stdio.h>
#include <string.h>

enum { TRAIN = 37, DIMENSION = 6, WIDTH = 300, STEPS = 20 };

// The engine after its first step, and a forecast of what comes.
typedef struct forecast_case {
    small_problem small;
    ww_engine *engine;
    ww_lazy *lazy;
    ww_lazy_forecast forecast;
    int64_t steps;
} forecast_case;

static void make(const char *rate, const char *method, const char *activation, int64_t steps,
                 forecast_case *made)
{
    char width[64], training[256];
    ww_error error = {0};
    double loss = 0.0;
    (void)snprintf(width, sizeof width, "network.width=%d", WIDTH);
    (void)snprintf(training, sizeof training, "training={engine: lazy, steps: %lld, rate: %s%s}",
                   (long long)(steps + 1), rate, method);
    const char *const settings[] = {"model=arora", width, "network.hidden.std=1", training,
                                    activation};
    *made = (forecast_case){.steps = steps};
    if (!small_problem_make(&made->small, MPI_COMM_SELF, settings, 5, TRAIN, 2, DIMENSION, 2,
                            &error) ||
        ww_engine_create(&made->small.problem, &made->engine, &error) != WW_OK ||
        ww_engine_step(made->engine, 0, NULL, &loss, &error) != WW_OK)
        fail_msg("%s", error.message);
    made->lazy = ww_engine_state_of(made->engine);
    ww_lazy *lazy = made->lazy;
    const ww_lazy_now now = {.step = 0,
                             .outputs = lazy->outputs,
                             .totals = lazy->before,
                             .factors = lazy->factors,
                             .active = lazy->active};
    assert_int_equal(ww_lazy_counts_make(&lazy->counts, &error), WW_OK);
    ww_lazy_count_active(&lazy->counts, lazy->active);
    assert_int_equal(ww_lazy_forecast_create(&lazy->pairs, &lazy->counts.share,
                                             fabs(lazy->pairs.scales[0]), &made->forecast, &error),
                     WW_OK);
    assert_true(made->forecast.most >= steps);
    assert_int_equal(
        ww_lazy_forecast_make(&made->forecast, &lazy->counts, &now, &made->steps, &error), WW_OK);
}

static void clean(forecast_case *made)
{
    ww_lazy_forecast_free(&made->forecast);
    ww_engine_free(made->engine);
    small_problem_free(&made->small);
}

static double slope_of(const forecast_case *made, int64_t unit, int64_t sample)
{
    const bool is_active = ww_lazy_is_active(&made->lazy->pairs, unit, sample);
    return is_active ? 1.0 : made->small.problem.negative_slope;
}

static double product_of(const forecast_case *made, int64_t i, int64_t j)
{
    const double *inputs = made->small.data.train.inputs;
    return small_dot(inputs + i * DIMENSION, inputs + j * DIMENSION, DIMENSION);
}

// What a step with f moves output i by: over all units and samples.
static double move_of(const forecast_case *made, const double *factors, int64_t i)
{
    const double *scales = made->lazy->pairs.scales;
    double move = 0.0;
    for (int64_t unit = 0; unit < WIDTH; unit++)
        for (int64_t j = 0; j < TRAIN; j++)
            move += scales[unit] * scales[unit] * slope_of(made, unit, i) *
                    slope_of(made, unit, j) * product_of(made, i, j) * factors[j];
    return move;
}

// f of a step: of half the squares of u - y, or of their mean over a batch.
static void find_factors(const forecast_case *made, const double *outputs, int64_t step,
                         double *factors)
{
    const ww_problem *problem = &made->small.problem;
    int64_t indices[TRAIN], labels[TRAIN];
    double targets[TRAIN], gradients[TRAIN], chosen[TRAIN];
    ww_samples batch = {.count = problem->batch, .labels = labels, .targets = targets};
    ww_batches *batches = NULL;
    ww_error error = {0};
    assert_int_equal(ww_batches_create(problem, &batches, &error), WW_OK);
    ww_batches_gather(batches, problem, step, indices, &batch);
    ww_batches_free(batches);
    for (int64_t b = 0; b < problem->batch; b++)
        chosen[b] = outputs[indices[b]];
    (void)ww_batch_loss(problem, chosen, &batch, gradients);
    memset(factors, 0, TRAIN * sizeof *factors);
    for (int64_t b = 0; b < problem->batch; b++)
        factors[indices[b]] -= problem->learning_rate * gradients[b];
}

// f, R and u of the steps, as many as there are, against sums in double precision; `*largest`: of
// |u| after the last one.
static void check_steps(const forecast_case *made, double *largest)
{
    const ww_lazy_forecast *forecast = &made->forecast;
    const double limit = made->small.problem.output_format.limit;
    double outputs[TRAIN], factors[TRAIN], totals[TRAIN], size = 0.0;
    memcpy(outputs, made->lazy->outputs, sizeof outputs);
    memcpy(totals, made->lazy->before, sizeof totals);
    for (int64_t l = 0; l < made->steps; l++) {
        find_factors(made, outputs, l, factors);
        *largest = 0.0;
        for (int64_t j = 0; j < TRAIN; j++)
            size = fmax(size, fabs(factors[j]));
        for (int64_t j = 0; j < TRAIN; j++) {
            const double told = forecast->factors[l * forecast->span + j];
            if (!(fabs(told - factors[j]) <= 1e-5 * size))
                fail_msg("f of step %lld is %.9g, not %.9g", (long long)l, told, factors[j]);
            assert_true(fabs(forecast->totals[l * forecast->span + j] - totals[j]) <=
                        1e-5 * size * (double)(l + 1));
            totals[j] += factors[j];
        }
        for (int64_t i = 0; i < TRAIN; i++) {
            assert_true(fabs(outputs[i]) < limit);
            outputs[i] += move_of(made, factors, i);
            *largest = fmax(*largest, fabs(outputs[i]));
        }
    }
    for (int64_t j = 0; j < TRAIN; j++)
        assert_true(fabs(forecast->totals[made->steps * forecast->span + j] - totals[j]) <=
                    1e-5 * size * (double)made->steps);
}

static const char RELU[] = "network.activation.kind=relu";
static const char LEAKY[] = "network.activation={kind: leaky-relu, slope: 0.3}";
static const char BATCHES[] = ", method: sgd, batch: 9";

static void test_steps(void **state)
{
    (void)state;
    const char *const methods[] = {"", BATCHES}, *const activations[] = {RELU, LEAKY};
    for (int method = 0; method < 2; method++)
        for (int activation = 0; activation < 2; activation++) {
            forecast_case made;
            double largest = 0.0;
            make("0.01", methods[method], activations[activation], STEPS, &made);
            assert_int_equal(made.steps, STEPS);
            check_steps(&made, &largest);
            assert_true(largest < made.small.problem.output_format.limit);
            clean(&made);
        }
}

/// A rate far above 2 / lambda_max: outputs grow by a factor in every step. The forecast ends with
/// the step after which they are out of range, and its numbers are finite.
static void test_end(void **state)
{
    (void)state;
    forecast_case made;
    double largest = 0.0;
    make("30", "", RELU, STEPS, &made);
    assert_true(made.steps > 1 && made.steps < STEPS);
    check_steps(&made, &largest);
    assert_true(largest >= made.small.problem.output_format.limit);
    clean(&made);
    make("1.0e30", "", RELU, STEPS, &made); // at once
    assert_int_equal(made.steps, 1);
    check_steps(&made, &largest);
    clean(&made);
}

// How far p of a pair is on its own side of 0 before each step, `margins` [steps + 1].
static void find_margins(const forecast_case *made, int64_t unit, int64_t sample, double *margins)
{
    const ww_lazy_pairs *pairs = &made->lazy->pairs;
    const double *factors = made->forecast.factors;
    double place = pairs->start[unit * pairs->stride + sample];
    const double side = place >= 0.0 ? 1.0 : -1.0;
    for (int64_t l = 0; l <= made->steps; l++) {
        margins[l] = side * place;
        for (int64_t j = 0; l < made->steps && j < TRAIN; j++)
            place += pairs->scales[unit] * slope_of(made, unit, j) * product_of(made, sample, j) *
                     factors[l * made->forecast.span + j];
    }
}

/// A pair is told to cross just when it does, from whatever step it is looked at; and earlier where
/// it may be off.
static void test_crossing(void **state)
{
    (void)state;
    const char *const activations[] = {RELU, LEAKY};
    int64_t crossed = 0, stayed = 0;
    for (int activation = 0; activation < 2; activation++) {
        forecast_case made;
        make("0.3", BATCHES, activations[activation], STEPS, &made);
        const ww_lazy_pairs *pairs = &made.lazy->pairs;
        double margins[STEPS + 1], spent[STEPS + 1];
        for (int64_t l = 0; l <= STEPS; l++)
            spent[l] = (double)l;
        for (int64_t unit = 0; unit < WIDTH; unit++)
            for (int64_t sample = 0; sample < TRAIN; sample++) {
                const int64_t at = (unit + sample) % 3;
                int64_t first = 0, early = 0;
                double nearest = INFINITY;
                find_margins(&made, unit, sample, margins);
                ww_lazy_pair pair = {.sample = sample,
                                     .products = pairs->products + sample * pairs->stride,
                                     .patterns = ww_lazy_patterns(pairs, unit),
                                     .room = made.lazy->scan.rooms[0].patterns,
                                     .active = ww_lazy_is_active(pairs, unit, sample),
                                     .is_negative = pairs->scales[unit] < 0.0,
                                     .margin = margins[at]};
                for (int64_t l = STEPS; l > at; l--) {
                    first = margins[l] <= 0.0 ? l : first;
                    const double off = fmin(0.01 * (double)(l - at), 0.05);
                    early = margins[l] <= off ? l : early;
                    nearest = fmin(nearest, fmin(fabs(margins[l]), fabs(margins[l] - off)));
                }
                if (nearest < 1e-4 || margins[at] <= 0.0) // rounding decides, or it is past
                    continue;
                assert_int_equal(ww_lazy_forecast_crossing(&made.forecast, at, STEPS, spent, &pair),
                                 first);
                pair.astray = 0.01;
                pair.most = 0.05;
                assert_int_equal(ww_lazy_forecast_crossing(&made.forecast, at, STEPS, spent, &pair),
                                 early);
                crossed += first > 0;
                stayed += first == 0;
            }
        clean(&made);
    }
    assert_true(crossed > 200 && stayed > 200);
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_end),
        cmocka_unit_test(test_crossing),
    };
    const int failed = cmocka_run_group_tests_name("lazy_forecast", tests, NULL, NULL);
    MPI_Finalize();
    return failed == 0 ? 0 : 1;
}
