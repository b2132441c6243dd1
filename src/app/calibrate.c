#include "app/calibrate.h"

#include "app/miniature.h"
#include "app/provenance.h"
#include "widthwise/clock.h"
#include "widthwise/gram_analysis.h"
#include "widthwise/gram_ranks.h"
#include "widthwise/measure.h"
#include "widthwise/memory.h"
#include "widthwise/random.h"
#include "widthwise/train.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MOST_SAMPLES = 2048, MOST_BATCH = 4096, MOST_STEPS = 1000, MOST_DIMENSION = 1024 };
enum { MOST_GRAM_SAMPLES = 512, MOST_GRAM_WIDTH = 4096, MOST_RESULT_WIDTH = 512 };
static const int64_t MOST_WEIGHT_BYTES = (int64_t)64 << 20; // a rank: more than caches hold
static const double STEP_SECONDS = 0.5;
static const double SMALL_RATE = 1e-9; // steps that change next to nothing, at full cost

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

// The most units, up to those of the layout, with which a checkpoint takes no more than so many
// bytes.
static int64_t width_within(const ww_member_layout *layout, int64_t bytes)
{
    ww_member_layout tried = *layout;
    int64_t least_units = 1;
    int64_t most_units = layout->width;
    while (least_units < most_units) {
        tried.width = least_units + (most_units - least_units + 1) / 2;
        const double needed =
            (double)tried.width * (double)ww_store_unit_values(&tried) * (double)sizeof(double);
        if (needed <= (double)bytes)
            least_units = tried.width;
        else
            most_units = tried.width - 1;
    }
    return least_units;
}

// A problem like that of the member, only smaller.
typedef struct miniature {
    const ww_parallel *parallel;
    ww_dataset data;
    ww_miniature run;
} miniature;

static ww_status draw_samples(const miniature *self, ww_purpose purpose, int64_t count,
                              ww_samples *samples, ww_error *error)
{
    const int64_t d = self->data.dimension;
    const size_t values = (size_t)(count * d);
    samples->count = count;
    samples->inputs = ww_allocate(values, sizeof(double), "samples to calibrate with", error);
    samples->labels =
        ww_allocate((size_t)count, sizeof(int64_t), "samples to calibrate with", error);
    samples->components =
        ww_allocate((size_t)count, sizeof(int64_t), "samples to calibrate with", error);
    if (samples->inputs == NULL || samples->labels == NULL || samples->components == NULL)
        return WW_FAILED;
    if (self->data.has_targets) {
        samples->targets = ww_allocate((size_t)(count * self->data.outputs), sizeof(double),
                                       "samples to calibrate with", error);
        if (samples->targets == NULL)
            return WW_FAILED;
    }
    ww_normals((ww_stream){.seed = 1, .purpose = (uint32_t)purpose}, 0, values, samples->inputs);
    for (int64_t s = 0; s < count; s++) {
        samples->labels[s] = s % self->data.classes;
        samples->components[s] = samples->labels[s] * self->data.components;
    }
    return WW_OK;
}

// The miniature's own configuration and data.
static ww_status begin(miniature *self, const ww_app_member *member, const ww_dataset *shape,
                       int64_t width, int64_t dimension, ww_error *error)
{
    ww_config config = *member->config;
    config.network.width = width;
    config.training.batch = least(config.training.batch, MOST_BATCH);
    int64_t train = least(shape->train.count, MOST_SAMPLES);
    if (config.training.method == WW_METHOD_SGD && train < config.training.batch)
        train = config.training.batch;
    self->data = (ww_dataset){.dimension = dimension,
                              .classes = shape->classes,
                              .outputs = shape->outputs,
                              .components = shape->components,
                              .has_targets = shape->has_targets};
    ww_status status = draw_samples(self, WW_DRAW_TRAIN_INPUTS, train, &self->data.train, error);
    if (status == WW_OK)
        status = draw_samples(self, WW_DRAW_TEST_INPUTS, least(shape->test.count, MOST_SAMPLES),
                              &self->data.test, error);
    WW_TRY(ww_agree(self->parallel, status, error));
    WW_TRY(ww_miniature_begin(&config, &self->data, self->parallel, &self->run, error));
    self->run.problem.learning_rate = SMALL_RATE;
    return WW_OK;
}

static void end(miniature *self)
{
    ww_miniature_end(&self->run);
    ww_dataset_free(&self->data);
}

// Lets the rank go through its first few tiles only.
static void cut_tiling(ww_problem *problem)
{
    ww_tiling *tiling = &problem->tiling;
    const int64_t tile_bytes = tiling->tile_units * problem->dimension * (int64_t)sizeof(double);
    const int64_t tiles = 1 + MOST_WEIGHT_BYTES / (tile_bytes > 0 ? tile_bytes : 1);
    if (tiling->local_tiles <= tiles)
        return;
    tiling->local_tiles = tiles;
    tiling->local_units = tiles * tiling->tile_units;
}

// Steps for half a second; rank 0 decides when that is over, as in a run.
static ww_status time_steps(miniature *self, double *seconds, int64_t *steps, ww_error *error)
{
    double loss = 0.0;
    int64_t over = 0;
    WW_TRY(ww_engine_step(self->run.engine, 0, &over, &loss, error)); // makes room in BLAS and MPI
    const double began = ww_seconds();
    *steps = 0;
    while (over == 0 && *steps < MOST_STEPS) {
        const bool enough = self->parallel->rank == 0 && ww_seconds() - began >= STEP_SECONDS;
        WW_TRY(ww_engine_step(self->run.engine, enough, &over, &loss, error));
        ++*steps;
    }
    *seconds = ww_seconds() - began;
    return WW_OK;
}

// Steps and a record on a few tiles of the member's own width.
static ww_status train(miniature *self, const ww_app_member *member, const ww_dataset *shape,
                       ww_calibration *calibration, ww_error *error)
{
    const bool is_deep = ww_config_has_layers(member->config);
    int64_t width = member->config->network.width;
    if (is_deep)
        width = width_within(&member->layout, MOST_WEIGHT_BYTES * (int64_t)self->parallel->size);
    WW_TRY(begin(self, member, shape, width, shape->dimension, error));
    if (!is_deep) // every unit of a layer looks at all of the layer before: there it must be whole
        cut_tiling(&self->run.problem);
    WW_TRY(ww_miniature_make(&self->run, error));
    double seconds = 0.0;
    int64_t steps = 0;
    WW_TRY(time_steps(self, &seconds, &steps, error));
    calibration->step_rate =
        ww_engine_cost_of(&self->run.problem).step_flops * (double)steps / seconds;
    ww_measure_cost cost;
    WW_TRY(ww_agree(self->parallel,
                    ww_measure_cost_of(self->run.plan, &self->run.problem, &cost, error), error));
    const double began = ww_seconds();
    WW_TRY(ww_miniature_record(&self->run, error));
    if (cost.record_flops > 0.0)
        calibration->record_rate = cost.record_flops / (ww_seconds() - began);
    return WW_OK;
}

// Results, on a narrow network of few inputs: they take time by the cube of the dimension, and with
// several layers of the width.
static ww_status finish(miniature *self, const ww_app_member *member, const ww_dataset *shape,
                        ww_calibration *calibration, ww_error *error)
{
    const int64_t dimension = least(shape->dimension, MOST_DIMENSION);
    const int64_t narrow = ww_config_has_layers(member->config)
                               ? MOST_RESULT_WIDTH
                               : 2 * dimension * self->parallel->size;
    const int64_t width = least(member->config->network.width, narrow);
    WW_TRY(begin(self, member, shape, width, dimension, error));
    ww_measure_cost cost;
    WW_TRY(ww_agree(self->parallel,
                    ww_measure_cost_of(self->run.plan, &self->run.problem, &cost, error), error));
    double most = cost.final_flops; // a rank may have no part in the work
    WW_TRY(ww_maximum(self->parallel, &most, 1, error));
    if (most <= 0.0)
        return WW_OK;
    WW_TRY(ww_miniature_make(&self->run, error));
    const double began = ww_seconds();
    WW_TRY(ww_measure_finish(self->run.plan, &self->run.problem, self->run.origin, self->run.engine,
                             self->run.carry, NULL, NULL, self->run.values, error));
    calibration->final_rate = most / (ww_seconds() - began);
    return WW_OK;
}

// All pieces of the Gram matrix of a few samples.
static ww_status work_on_gram(const miniature *self, const ww_gram_plan *plan, ww_error *error)
{
    ww_gram_work work;
    ww_spectrum spectrum;
    ww_status status = ww_gram_work_create(plan, &self->run.problem, &work, error);
    if (status == WW_OK)
        status = ww_gram_take_samples(&work, error);
    if (status == WW_OK)
        status = ww_gram_take_solution(&work, error);
    if (status == WW_OK)
        status = ww_gram_take_test(&work, error);
    if (status == WW_OK && plan->has_spectrum) {
        status = ww_gram_limit_spectrum(&work, &spectrum, error);
        if (status == WW_OK)
            ww_spectrum_free(&spectrum);
    }
    if (status == WW_OK && plan->has_network)
        status = ww_gram_take_difference(&work, error);
    if (status == WW_OK && plan->has_network && plan->has_spectrum) {
        status = ww_gram_initial_spectrum(&work, &spectrum, error);
        if (status == WW_OK)
            ww_spectrum_free(&spectrum);
    }
    ww_gram_work_free(&work);
    return status;
}

static ww_status time_gram(miniature *self, const ww_app_member *member, const ww_dataset *shape,
                           ww_calibration *calibration, ww_error *error)
{
    if (member->gram == NULL && !member->layout.has_train_targets)
        return WW_OK;
    ww_dataset few = *shape;
    few.train.count = least(shape->train.count, MOST_GRAM_SAMPLES);
    few.test.count = least(shape->test.count, MOST_GRAM_SAMPLES);
    WW_TRY(begin(self, member, &few, least(member->config->network.width, MOST_GRAM_WIDTH),
                 shape->dimension, error));
    self->run.config.gram.labels = 0;     // the samples are drawn, whatever their source
    self->run.config.gram.grid.count = 0; // there may be fewer ranks than planned
    ww_gram_plan plan;
    WW_TRY(ww_agree(self->parallel, ww_gram_plan_make(&self->run.config, &self->data, &plan, error),
                    error));
    const ww_gram_cost cost =
        ww_gram_work_cost(&plan, &self->run.config, &self->data, self->parallel);
    double most = cost.flops; // a rank may have no place
    WW_TRY(ww_maximum(self->parallel, &most, 1, error));
    const double began = ww_seconds();
    WW_TRY(work_on_gram(self, &plan, error));
    calibration->gram_rate = most / (ww_seconds() - began);
    return WW_OK;
}

// Checkpoints into a file of the member's kind, with as many units as make a rank's share large
// enough.
typedef struct writing {
    double *tile;
    ww_weights_source source;
} writing;

static const double *same_tile(void *context, int64_t layer, int64_t tile)
{
    (void)layer;
    (void)tile;
    const writing *self = context;
    return self->tile;
}

static const double *same_state(void *context, int64_t tile)
{
    return same_tile(context, 1, tile);
}

static ww_status write_checkpoints(const char *path, const ww_member_layout *layout,
                                   const ww_parallel *parallel, ww_calibration *calibration,
                                   ww_error *error)
{
    const ww_tiling tiling = ww_tiling_make(layout->width, parallel->rank, parallel->size);
    writing self = {0};
    const int64_t columns =
        most(most(layout->dimension, layout->state_columns), layout->depth > 1 ? layout->width : 0);
    const size_t tile = (size_t)(tiling.tile_units * columns);
    const size_t outputs = (size_t)(tiling.local_units * layout->outputs);
    self.tile = ww_allocate(tile, sizeof(double), "weights to calibrate with", error);
    double *output_weights =
        ww_allocate(outputs, sizeof(double), "weights to calibrate with", error);
    double *carry = ww_allocate(layout->carry_count, sizeof(double), "carried values", error);
    self.source = (ww_weights_source){.tile = same_tile,
                                      .context = &self,
                                      .output_weights = output_weights,
                                      .carry = carry,
                                      .state_tile = same_state};
    ww_status status = ww_agree(
        parallel, self.tile != NULL && output_weights != NULL && carry != NULL ? WW_OK : WW_FAILED,
        error);
    ww_store *store = NULL;
    if (status == WW_OK)
        status = ww_store_open(path, layout, parallel, &tiling, &store, error);
    // Both slots once, then one of them again: most checkpoints of a run write over another.
    double began = 0.0;
    for (int64_t step = 0; status == WW_OK && step < 3; step++) {
        began = ww_seconds();
        status = ww_store_checkpoint(store, step, &self.source, WW_RUN_RUNNING, error);
    }
    if (status == WW_OK)
        calibration->write_rate = (double)(layout->width * ww_store_unit_values(layout)) *
                                  sizeof(double) / (ww_seconds() - began);
    const size_t counted =
        (tile + outputs + layout->carry_count) * sizeof(double); // that are resident now
    calibration->overhead = ww_resident_memory() - (int64_t)counted;
    ww_store_close(store);
    free(self.tile);
    free(output_weights);
    free(carry);
    return status;
}

static ww_status write_file(const ww_app_member *member, const char *folder,
                            const ww_parallel *parallel, ww_calibration *calibration,
                            ww_error *error)
{
    ww_member_layout layout = member->layout;
    // The matrices between hidden layers shrink in both directions.
    layout.width = width_within(&layout, MOST_WEIGHT_BYTES * (int64_t)parallel->size);
    layout.replicas = 1;
    layout.record = 0;
    layout.snapshot_count = 0;
    layout.records = 1;
    layout.final_count = layout.theory_count = 0; // some have extents of the true width
    layout.gram_count = 0;
    layout.keeps_eigenvectors = layout.has_train_targets = false;
    int64_t process = getpid();
    ww_provenance provenance;
    WW_TRY(ww_broadcast(parallel, &process, sizeof process, 0, error));
    WW_TRY(ww_provenance_make(parallel, "plan", layout.index, 0, &provenance, error));
    char *path = ww_format(error, "%s/.widthwise-plan-%lld.h5", folder, (long long)process);
    ww_status status = ww_agree(parallel, path != NULL ? WW_OK : WW_FAILED, error);
    ww_error ignored = {0}; // no place to write is no failure of a plan
    if (status == WW_OK) {
        if (ww_store_create(path, true, &provenance, &layout, 1, parallel, &ignored) == WW_OK)
            (void)write_checkpoints(path, &layout, parallel, calibration, &ignored);
        if (parallel->rank == 0)
            (void)unlink(path);
    }
    free(path);
    return status;
}

ww_status ww_calibrate(const ww_app_member *member, const ww_dataset *shape, const char *folder,
                       const ww_parallel *parallel, ww_calibration *calibration, ww_error *error)
{
    *calibration = (ww_calibration){0};
    const double began = ww_seconds();
    miniature self = {.parallel = parallel};
    WW_TRY(ww_train_check(parallel, error));
    ww_status status = train(&self, member, shape, calibration, error);
    end(&self);
    if (status == WW_OK)
        status = finish(&self, member, shape, calibration, error);
    end(&self);
    if (status == WW_OK)
        status = time_gram(&self, member, shape, calibration, error);
    end(&self);
    calibration->overhead = ww_resident_memory();
    if (status == WW_OK) // what it takes with a file open is put in place of that
        status = write_file(member, folder, parallel, calibration, error);
    calibration->seconds = ww_seconds() - began;
    // All ranks plan with the same numbers.
    WW_TRY(status);
    return ww_broadcast(parallel, calibration, sizeof *calibration, 0, error);
}
