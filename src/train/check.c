// `dense` beside another engine. Both make the same steps, but for rounding: so after each of them
// weights of a unit are no further apart than before, by what derivatives of the loss, as both have
// them, and patterns of the unit differ, and by the rounding of one update (lazy.md).

#include "train/activations.h"
#include "train/comparison.h"
#include "widthwise/memory.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { ARRAYS = 9 };

struct ww_check {
    ww_engine *engine;
    ww_config config;   // that of the run, but for the engine and the precision
    ww_problem problem; // of `dense`
    ww_engine *dense;
    ww_batches *batches;
    ww_comparison comparison;
    ww_samples batch;   // of the step at hand, as all of these:
    int64_t *indices;   // [B]
    double *inputs;     // [B, d], where a batch is not the train set
    int64_t *labels;    // [B]
    double *targets;    // [B, k], where the data have them
    double *gradients;  // [B, k], by the outputs of the engine
    double *references; // [B, k], by those of `dense`
    uint8_t *patterns;  // [local units, stride], those of `dense`
    double *astray;     // [local units], how far apart weights are at most
    double *turns;      // [B], how far a pattern that differs leads weights apart, but for |a_r|
    ww_audit found;
};

static ww_status refuse(const char *what, const char *advice, ww_error *error)
{
    return ww_fail(error, WW_USAGE, "--check-steps is not for %s; %s", what, advice);
}

ww_status ww_check_allowed(const ww_problem *problem, ww_error *error)
{
    const ww_engine_kind kind = ww_engine_choice(problem);
    if (kind == WW_ENGINE_LAYERS)
        return refuse("several hidden layers, of which there is one engine",
                      "leave it out, or set network.depth: 1", error);
    if (kind == WW_ENGINE_DENSE)
        return refuse("the engine dense, against which others are checked",
                      "leave it out, or choose another training.engine", error);
    if (problem->config->network.train_output)
        return refuse("network.train_output: true", "leave it out", error);
    return WW_OK;
}

static bool takes_all(const ww_problem *problem)
{
    return problem->config->training.method == WW_METHOD_GD;
}

static void list_arrays(const ww_problem *problem, ww_allocation list[ARRAYS])
{
    static const char what[] = "the steps that are checked";
    const size_t batch = (size_t)problem->batch;
    const size_t outputs = batch * (size_t)problem->outputs;
    const size_t units = (size_t)problem->tiling.local_units;
    const ww_allocation arrays[] = {
        {offsetof(ww_check, indices), batch, sizeof(int64_t), what},
        {offsetof(ww_check, inputs), takes_all(problem) ? 0 : batch * (size_t)problem->dimension,
         sizeof(double), what},
        {offsetof(ww_check, labels), batch, sizeof(int64_t), what},
        {offsetof(ww_check, targets), problem->data->has_targets ? outputs : 0, sizeof(double),
         what},
        {offsetof(ww_check, gradients), outputs, sizeof(double), what},
        {offsetof(ww_check, references), outputs, sizeof(double), what},
        {offsetof(ww_check, patterns), units * ((batch + 7) / 8), 1, what},
        {offsetof(ww_check, astray), units, sizeof(double), what},
        {offsetof(ww_check, turns), batch, sizeof(double), what},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

static ww_status make(ww_check *self, ww_error *error)
{
    ww_allocation list[ARRAYS];
    list_arrays(&self->problem, list);
    WW_TRY(ww_allocate_all(self, list, ARRAYS, error));
    WW_TRY(ww_batches_create(&self->problem, &self->batches, error));
    self->batch = (ww_samples){.count = self->problem.batch,
                               .inputs = takes_all(&self->problem) ? NULL : self->inputs,
                               .labels = self->labels,
                               .targets = self->problem.data->has_targets ? self->targets : NULL};
    return ww_comparison_create(self->engine, self->problem.batch, &self->comparison, error);
}

// Whether `dense` has room beside what there is: a system may give memory that it has not got.
static ww_status find_room(const ww_problem *problem, ww_error *error)
{
    const ww_engine_cost cost = ww_engine_cost_of(problem);
    const double needs = (double)cost.weights + (double)cost.work;
    int64_t free_bytes = 0;
    WW_TRY(ww_memory_for_rank(problem->parallel, &free_bytes, error));
    return ww_agree(problem->parallel,
                    needs <= (double)free_bytes
                        ? WW_OK
                        : ww_fail(error, WW_FAILED,
                                  "it needs %.3g GB on a rank, and %.3g GB are free for each; use "
                                  "more nodes, or leave it out",
                                  1e-9 * needs, 1e-9 * (double)free_bytes),
                    error);
}

// Weights of the engine into `dense`. How far those of both are apart: what is rounded where an
// engine makes them.
static void put_weights(ww_check *self)
{
    const ww_tiling *tiling = &self->problem.tiling;
    for (int64_t i = 0; i < tiling->local_tiles; i++) {
        const int64_t tile = tiling->first_tile + i;
        ww_engine_put_layer_tile(self->dense, 1, tile, ww_engine_tile(self->engine, tile));
    }
    memcpy(ww_engine_output_storage(self->dense), ww_engine_output_weights(self->engine),
           (size_t)(tiling->local_units * self->problem.outputs) * sizeof(double));
}

ww_status ww_check_create(ww_engine *engine, ww_check **check, ww_error *error)
{
    const ww_problem *whole = ww_engine_problem(engine);
    *check = NULL;
    ww_check *self = ww_allocate(1, sizeof *self, "the steps that are checked", error);
    const ww_status there = ww_agree(whole->parallel, self != NULL ? WW_OK : WW_FAILED, error);
    if (self == NULL || there != WW_OK) {
        free(self);
        return there;
    }
    self->engine = engine;
    self->config = *whole->config;
    self->config.training.engine = WW_ENGINE_DENSE;
    self->config.precision = WW_PRECISION_DOUBLE;
    self->problem = *whole;
    self->problem.config = &self->config;
    self->problem.tracks_layers = false;
    const int64_t steps = ww_engine_steps(engine);
    self->found = (ww_audit){.first_step = steps, .last_step = steps};
    ww_status status = ww_agree(whole->parallel, make(self, error), error);
    if (status == WW_OK)
        status = find_room(&self->problem, error);
    if (status == WW_OK)
        status = ww_engine_create(&self->problem, &self->dense, error);
    if (status == WW_OK) {
        put_weights(self);
        status = ww_engine_restored(self->dense, steps, error);
    }
    if (status == WW_OK) {
        *check = self;
    } else {
        ww_error_prefix(error, "--check-steps, the engine dense beside %s: ",
                        ww_engine_methods_of(engine)->name);
        ww_check_free(self);
    }
    return status;
}

void ww_check_free(ww_check *check)
{
    if (check == NULL)
        return;
    ww_engine_free(check->dense);
    ww_batches_free(check->batches);
    ww_comparison_free(&check->comparison);
    free(check->indices);
    free(check->inputs);
    free(check->labels);
    free(check->targets);
    free(check->gradients);
    free(check->references);
    free(check->patterns);
    free(check->astray);
    free(check->turns);
    free(check);
}

const ww_audit *ww_check_found(const ww_check *check)
{
    return &check->found;
}

// What the step does to weights of a unit with |a_r| = 1: how far derivatives of the loss that
// differ lead them apart, and the length of the step.
static void look_at_gradients(ww_check *self, double *apart, double *length)
{
    const ww_problem *problem = &self->problem;
    const int64_t k = problem->outputs, batch = problem->batch;
    const double rate = problem->learning_rate;
    const ww_engine_methods *dense = ww_engine_methods_of(self->dense);
    *apart = *length = 0.0;
    ww_batch_gradients(problem, self->comparison.held, &self->batch, 0, batch, batch,
                       self->gradients);
    ww_batch_gradients(problem, dense->outputs(ww_engine_state_of(self->dense)), &self->batch, 0,
                       batch, batch, self->references);
    for (int64_t i = 0; i < batch; i++) {
        const double norm = self->comparison.lengths[self->indices[i]];
        double size = 0.0;
        for (int64_t j = i * k; j < (i + 1) * k; j++) {
            size += rate * fabs(self->gradients[j]);
            *apart += rate * fabs(self->gradients[j] - self->references[j]) * norm;
        }
        self->turns[i] = (1.0 - problem->negative_slope) * size * norm;
        *length += size * norm;
    }
}

// How far weights are apart once both engines have made the step.
static void go_astray(ww_check *self)
{
    const ww_problem *problem = &self->problem;
    const ww_comparison *comparison = &self->comparison;
    const ww_engine_methods *dense = ww_engine_methods_of(self->dense);
    const int64_t batch = problem->batch, stride = comparison->stride;
    const double roundings = 2.0 * (double)batch + 16.0;
    double apart = 0.0;
    double length = 0.0;
    look_at_gradients(self, &apart, &length);
    dense->patterns(ww_engine_state_of(self->dense), self->patterns, stride);
    for (int64_t r = 0; r < problem->tiling.local_units; r++) {
        const uint8_t *own = comparison->patterns + r * stride;
        const uint8_t *other = self->patterns + r * stride;
        double turned = 0.0;
        for (int64_t i = 0; i < batch; i++)
            if (((own[i / 8] ^ other[i / 8]) >> i % 8 & 1) != 0)
                turned += self->turns[i];
        self->astray[r] +=
            comparison->scales[r] * (apart + turned) +
            comparison->unit * roundings * (comparison->sizes[r] + comparison->scales[r] * length);
    }
}

static ww_status step_dense(ww_check *self, ww_error *error)
{
    double loss = 0.0;
    const ww_status status = ww_engine_step(self->dense, 0, NULL, &loss, error);
    if (status != WW_DIVERGED)
        return status;
    ww_error_prefix(error,
                    "the engine dense beside %s: ", ww_engine_methods_of(self->engine)->name);
    self->found.verdict = WW_AUDIT_FAILS;
    return error->status = WW_FAILED;
}

static const double *tile_of_dense(void *context, int worker, int64_t tile)
{
    return ww_engine_tile_for(context, worker, tile);
}

ww_status ww_check_step(ww_check *check, ww_error *error)
{
    const int64_t step = ww_engine_steps(check->dense);
    WW_ASSERT(ww_engine_steps(check->engine) == step + 1);
    ww_batches_gather(check->batches, &check->problem, step, check->indices, &check->batch);
    ww_comparison_take(&check->comparison, 0, check->problem.batch);
    const ww_compared by = {.name = "the engine dense",
                            .tile = tile_of_dense,
                            .context = check->dense,
                            .samples = takes_all(&check->problem) ? &check->problem.data->train
                                                                  : &check->batch,
                            .indices = check->indices,
                            .steps = step,
                            .astray = check->astray,
                            .follows = check->found.verdict == WW_AUDIT_HOLDS};
    ww_engine_settle(check->dense);
    WW_TRY(ww_comparison_make(&check->comparison, &by, &check->found, error));
    WW_TRY(step_dense(check, error));
    go_astray(check);
    return WW_OK;
}
