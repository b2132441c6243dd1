// Which ways to make steps can be measured, and on how much of the network.

#include "app/tune.h"

#include "app/crew_tasks.h"
#include "parallel/workers.h"

#include <math.h>
#include <stdio.h>

// What is foreseen of a core where it is not measured, rather too slow than too fast.
static const double BYTE_RATE = 1e10;
static const double DRAWING = 8e-9; // seconds a weight

static const int64_t CACHED = (int64_t)64 << 20; // bytes of weights of a rank that caches may hold

int64_t ww_tune_steps_together(int64_t batch)
{
    enum { SAMPLES = 128 };
    return batch < SAMPLES ? SAMPLES / batch : 1;
}

// What measuring one way takes of a rank.
typedef struct need {
    int64_t bytes;
    double making, steps, record; // seconds: at first; steps of a round; a record
} need;

ww_config ww_tune_smaller(const ww_config *config, int64_t width)
{
    ww_config own = *config;
    own.network.width = width;
    own.network.start = WW_START_DRAWN; // steps take the same time from wherever they begin
    own.replicas = 1;
    return own;
}

static ww_status need_of(const ww_tune *self, const ww_tune_way *way, int64_t width, need *found,
                         ww_error *error)
{
    const ww_dataset *shape = &self->plan->members.list[self->member].shape;
    const ww_config config = ww_tune_smaller(&way->config, width);
    const ww_parallel parallel = {
        .communicator = MPI_COMM_NULL, .size = self->crew_ranks, .threads = ww_workers_given()};
    ww_problem problem;
    ww_measure_plan *plan = NULL;
    ww_measure_cost measure;
    WW_TRY(ww_measure_plan_make(&config, shape, &plan, error));
    ww_problem_describe(&config, shape, &parallel, &problem);
    const ww_engine_cost engine = ww_engine_cost_of(&problem);
    const ww_status status = ww_measure_cost_of(plan, &problem, &measure, error);
    ww_measure_plan_free(plan);
    WW_TRY(status);
    double columns = 0.0;
    for (int64_t layer = 1; layer <= problem.depth; layer++)
        columns += (double)ww_layer_columns(&problem, layer);
    const double weights = (double)problem.tiling.local_units * columns;
    const double n = (double)shape->train.count;
    const double factor = ww_problem_is_single(&problem) ? 2.0 : 1.0;
    const double rate = factor * self->step_rate;
    const double together = (double)ww_tune_steps_together(problem.batch);
    const bool is_of_samples = ww_engine_makes_tiles(&problem);
    // Its products of all samples, and theirs with the weights, which are made anew for records.
    const double products = is_of_samples ? 2.0 * n * weights / rate : 0.0;
    const double square = is_of_samples ? n * n * (double)problem.dimension / self->step_rate : 0.0;
    const double step = fmax(engine.step_flops / rate, 2.0 * (double)engine.weights / BYTE_RATE);
    *found =
        (need){.bytes = engine.weights + engine.work + engine.shared + ww_batches_bytes(&problem) +
                        measure.origin_bytes + measure.record_bytes,
               .making = 2.0 * weights * DRAWING + products + square,
               .steps = together * step,
               .record = measure.record_flops / (factor * self->record_rate) + products};
    return WW_OK;
}

// Bytes and seconds of all ways together, that begin with the data set.
static ww_status sum_needs(const ww_tune *self, int64_t width, need *sum, ww_error *error)
{
    *sum = (need){.bytes = self->plan->costs[self->member].data};
    for (size_t i = 0; i < self->count; i++) {
        need own;
        if (self->ways[i].lack[0] != '\0')
            continue;
        WW_TRY(need_of(self, &self->ways[i], width, &own, error));
        sum->bytes += own.bytes;
        sum->making += own.making;
        sum->steps += own.steps;
        sum->record += own.record;
    }
    return WW_OK;
}

static bool fits_in_time(const ww_tune *self, const need *sum)
{
    const double rounds = 1.0 + WW_TUNE_LEAST_ROUNDS; // with the one that warms up
    const ww_member_layout *layout = &self->plan->members.list[self->member].layout;
    const double every = (double)self->ways[0].config.measure.every;
    const double together = (double)ww_tune_steps_together(layout->batch);
    const double records = self->is_seldom ? 1.0 : rounds * ceil(together / every);
    return sum->making + rounds * sum->steps + records * sum->record <= self->seconds;
}

// Half of the tiles of a rank at a time, until memory and time are enough or one is left.
static ww_status halve(ww_tune *self, ww_error *error)
{
    const ww_tiling whole = ww_tiling_make(self->width, 0, self->crew_ranks);
    need sum;
    WW_TRY(sum_needs(self, self->width, &sum, error));
    for (int64_t tiles = whole.local_tiles; tiles > 1;) {
        if (sum.bytes <= self->memory && fits_in_time(self, &sum))
            break;
        self->is_short_of_memory = sum.bytes > self->memory;
        tiles /= 2;
        self->width = tiles * whole.tile_units * self->crew_ranks;
        WW_TRY(sum_needs(self, self->width, &sum, error));
    }
    return WW_OK;
}

static bool is_cached(const ww_tune *self, int64_t width)
{
    const ww_app_member *member = &self->plan->members.list[self->member];
    const ww_tiling tiling = ww_tiling_make(width, 0, self->crew_ranks);
    double columns = (double)member->shape.dimension;
    if (member->layout.depth > 1)
        columns += (double)(member->layout.depth - 1) * (double)width;
    return (double)tiling.local_units * columns * (double)sizeof(double) < (double)CACHED;
}

// Ways that no width is small enough for: those that take longest to make by themselves, and, from
// the end, those that the others leave no memory for.
static ww_status leave_out(ww_tune *self, ww_error *error)
{
    need sum;
    for (size_t i = 0; i < self->count; i++) {
        need own;
        ww_tune_way *way = &self->ways[i];
        if (way->lack[0] != '\0')
            continue;
        WW_TRY(need_of(self, way, self->width, &own, error));
        if (own.making > self->seconds)
            (void)snprintf(way->lack, sizeof way->lack,
                           "would take about %.0f s to begin with: --tune=SECONDS gives more",
                           own.making);
    }
    for (size_t i = self->count; i-- > 0;) {
        WW_TRY(sum_needs(self, self->width, &sum, error));
        if (sum.bytes <= self->memory)
            break;
        if (self->ways[i].lack[0] == '\0' && !self->ways[i].is_chosen)
            (void)snprintf(self->ways[i].lack, sizeof self->ways[i].lack,
                           "no memory for it beside the others");
    }
    return WW_OK;
}

// Memory of a run in that way, and whether it is there.
static ww_status look_at_memory(ww_tune *self, ww_tune_way *way, ww_error *error)
{
    const ww_app_member *member = &self->plan->members.list[self->member];
    const ww_member_place place =
        ww_crews_place(&self->plan->job, self->member, 0, self->crew_ranks);
    ww_app_member own;
    ww_member_cost cost;
    WW_TRY(ww_app_member_prepare(&way->config, member->index, member->label, &member->shape, &own,
                                 error));
    const ww_status status = ww_member_cost_of(&own, &place, &cost, error);
    ww_app_member_release(&own);
    WW_TRY(status);
    way->memory = ww_member_peak(&cost);
    if (way->memory > self->memory)
        (void)snprintf(way->lack, sizeof way->lack, "DOES NOT FIT: a rank can have %.3g GB here",
                       1e-9 * (double)self->memory);
    return WW_OK;
}

static ww_problem problem_of(const ww_tune *self, const ww_config *config)
{
    static const ww_parallel alone = {.communicator = MPI_COMM_NULL, .size = 1};
    ww_problem problem;
    ww_problem_describe(config, &self->plan->members.list[self->member].shape, &alone, &problem);
    return problem;
}

// What `auto` stands for in that precision.
static ww_engine_kind auto_of(const ww_tune *self, ww_precision precision)
{
    ww_config config = *self->plan->members.list[self->member].config;
    config.precision = precision;
    config.training.engine = WW_ENGINE_AUTO;
    const ww_problem problem = problem_of(self, &config);
    return ww_engine_choice(&problem);
}

static ww_status add_way(ww_tune *self, ww_engine_kind engine, ww_precision precision,
                         ww_error *error)
{
    const ww_config *config = self->plan->members.list[self->member].config;
    const ww_problem chosen = problem_of(self, config);
    ww_tune_way *way = &self->ways[self->count];
    way->config = *config;
    way->config.precision = precision;
    way->config.training.engine = engine;
    way->is_auto = engine == auto_of(self, precision);
    way->is_chosen = precision == config->precision && engine == ww_engine_choice(&chosen);
    ww_error reason = {0};
    ww_measure_plan *plan = NULL;
    const ww_status status = ww_measure_plan_make(&way->config, chosen.data, &plan, &reason);
    size_t quantities = 0;
    if (status == WW_OK)
        (void)ww_measure_trajectory(plan, &quantities);
    ww_measure_plan_free(plan);
    if (status == WW_USAGE) // a quantity of another engine is asked for
        return WW_OK;
    if (status != WW_OK) {
        *error = reason;
        return status;
    }
    self->count++;
    if (quantities != self->plan->members.list[self->member].layout.trajectory_count)
        (void)snprintf(way->lack, sizeof way->lack,
                       "measure.quantities: all has other quantities with it");
    return look_at_memory(self, way, error);
}

// By its configuration, and by the data.
static bool takes_engine(const ww_tune *self, ww_engine_kind engine)
{
    ww_config config = *self->plan->members.list[self->member].config;
    if (!ww_config_takes_engine(&config, engine))
        return false;
    config.training.engine = engine;
    const ww_problem problem = problem_of(self, &config);
    return ww_engine_check(&problem, NULL) == WW_OK;
}

ww_status ww_tune_find_ways(ww_tune *self, ww_error *error)
{
    static const ww_engine_kind engines[] = {WW_ENGINE_DENSE, WW_ENGINE_WINDOW, WW_ENGINE_SAMPLES,
                                             WW_ENGINE_LAZY, WW_ENGINE_LAYERS};
    const ww_config *config = self->plan->members.list[self->member].config;
    const ww_precision other =
        config->precision == WW_PRECISION_SINGLE ? WW_PRECISION_DOUBLE : WW_PRECISION_SINGLE;
    _Static_assert(sizeof engines / sizeof engines[0] < WW_TUNE_WAYS, "and another precision");
    self->count = 0;
    for (size_t e = 0; e < sizeof engines / sizeof engines[0]; e++)
        if (takes_engine(self, engines[e]))
            WW_TRY(add_way(self, engines[e], config->precision, error));
    return add_way(self, auto_of(self, other), other, error);
}

ww_status ww_tune_choose_width(ww_tune *self, ww_error *error)
{
    const int64_t whole = self->plan->members.list[self->member].layout.width;
    self->width = whole;
    WW_TRY(halve(self, error));
    WW_TRY(leave_out(self, error));
    self->is_cached = is_cached(self, self->width) && !is_cached(self, whole);
    return WW_OK;
}
