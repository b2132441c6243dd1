// Steps and records by each way, in turns.

#include "app/tune.h"

#include "parallel/workers.h"
#include "widthwise/clock.h"

#include <math.h>
#include <stdio.h>

static const double SMALL_RATE = 1e-9;  // steps that change next to nothing, at full cost
static const double SELDOM = 0.01;      // of the time, that records may take to be made once only
static const double LEAST_TURN = 0.005; // seconds, which clocks tell well

static bool is_measured(const ww_tune_way *way)
{
    return way->lack[0] == '\0';
}

static void end_ways(ww_tune *self)
{
    for (size_t i = 0; i < self->count; i++)
        ww_miniature_end(&self->ways[i].run);
}

static ww_status make_way(ww_tune *self, ww_tune_way *way, const ww_dataset *data, ww_error *error)
{
    const ww_config config = ww_tune_smaller(&way->config, self->width);
    WW_TRY(ww_miniature_begin(&config, data, &self->crew, &way->run, error));
    if (self->diverged >= 0)
        way->run.problem.learning_rate = SMALL_RATE;
    return ww_miniature_make(&way->run, error);
}

// A way of which memory is short on some rank is left out on all.
static ww_status make_way_on_all(ww_tune *self, ww_tune_way *way, const ww_dataset *data,
                                 ww_error *error)
{
    ww_error reason = {0};
    if (!is_measured(way))
        return WW_OK;
    ww_status status = make_way(self, way, data, &reason);
    status = ww_agree(self->parallel, status, &reason);
    if (status == WW_OK)
        return WW_OK;
    ww_miniature_end(&way->run);
    if (status != WW_FAILED) {
        *error = reason;
        return status;
    }
    (void)snprintf(way->lack, sizeof way->lack, "%.*s", WW_TUNE_LACK - 1, reason.message);
    return WW_OK;
}

// What a turn took of this rank, in seconds: a step, a record, and of processors a step with its
// part of a record.
typedef struct turn {
    double step, record, processor;
} turn;

// What a way is to do in a turn: segments of steps, with a record after each or none.
typedef struct duty {
    int64_t segment, segments;
    bool has_records;
} duty;

static ww_status take_turn(ww_tune_way *way, duty work, turn *spent, ww_error *error)
{
    double seconds[2] = {0.0}; // of steps, and of records
    double processor[2] = {0.0};
    const double steps = (double)(work.segment * work.segments);
    const double records = (double)work.segments;
    for (int64_t s = 0; s < work.segments; s++) {
        const double used = ww_processor_seconds();
        const double began = ww_seconds();
        for (int64_t step = 0; step < work.segment; step++) {
            int64_t requests = 0;
            double loss = 0.0;
            WW_TRY(ww_engine_step(way->run.engine, 0, &requests, &loss, error));
        }
        const double between = ww_seconds();
        const double by_steps = ww_processor_seconds();
        if (work.has_records)
            WW_TRY(ww_miniature_record(&way->run, error));
        seconds[0] += between - began;
        seconds[1] += ww_seconds() - between;
        processor[0] += by_steps - used;
        processor[1] += ww_processor_seconds() - by_steps;
    }
    *spent = (turn){.step = seconds[0] / steps,
                    .record = seconds[1] / records,
                    .processor = processor[0] / steps +
                                 processor[1] / records / (double)way->config.measure.every};
    return WW_OK;
}

// All ranks at once; the slowest counts.
static ww_status time_turn(ww_tune *self, ww_tune_way *way, duty work, turn *slowest,
                           ww_error *error)
{
    turn own = {0};
    ww_error reason = {0};
    WW_TRY(ww_agree(self->parallel, WW_OK, error)); // all begin together
    ww_status status = take_turn(way, work, &own, &reason);
    status = ww_agree(self->parallel, status, &reason);
    if (status != WW_OK) {
        if (status == WW_DIVERGED && self->diverged < 0)
            self->diverged = ww_engine_steps(way->run.engine);
        if (error != NULL)
            *error = reason;
        return status;
    }
    double values[] = {own.step, own.record, own.processor};
    WW_TRY(ww_maximum(self->parallel, values, 3, error));
    *slowest = (turn){.step = values[0], .record = values[1], .processor = values[2]};
    return WW_OK;
}

// Makes room in caches, BLAS and MPI, and tells how many steps a round can have in the time.
static ww_status warm_up(ww_tune *self, double until, ww_error *error)
{
    enum { ROUNDS = 10 }; // that are wished for
    double step = 0.0;
    double fastest = HUGE_VAL;
    double record = 0.0;
    const int64_t every = self->ways[0].config.measure.every;
    const int64_t together =
        ww_tune_steps_together(self->plan->members.list[self->member].layout.batch);
    const duty work = {.segment = together, .segments = 1, .has_records = true};
    for (size_t i = 0; i < self->count; i++) {
        turn spent;
        if (!is_measured(&self->ways[i]))
            continue;
        WW_TRY(time_turn(self, &self->ways[i], work, &spent, error));
        step += spent.step;
        record += self->is_seldom ? 0.0 : spent.record;
        for (int round = 0; self->is_seldom && round < WW_TUNE_ROUNDS; round++)
            self->ways[i].record[round] = spent.record;
        fastest = fmin(fastest, spent.step);
    }
    const double left = fmax(until - ww_seconds(), 0.0) / ROUNDS; // for a round
    const double all = fmax(left - record, 0.0) / step;           // steps in it beside one record
    const double enough = fmax(LEAST_TURN / fastest, (double)together); // that tell the time
    const double wished = fmin(fmax(enough, all), 1e6);
    const double pairs = left / ((double)every * step + record); // of `every` steps and a record
    self->segment = (int64_t)wished;
    self->segments = 1;
    if (!self->is_seldom && (double)every < wished) { // as in a run: records end what is begun
        const int64_t least = (together + every - 1) / every;
        self->segment = every;
        self->segments = pairs > (double)least ? (int64_t)pairs : least;
    } else if (self->segment > together) {
        self->segment -= self->segment % together;
    }
    // All ranks as rank 0 has it, whose clock is not theirs.
    int64_t steps[] = {self->segment, self->segments};
    WW_TRY(ww_broadcast(self->parallel, steps, sizeof steps, 0, error));
    self->segment = steps[0];
    self->segments = steps[1];
    return WW_OK;
}

static ww_status time_round(ww_tune *self, ww_error *error)
{
    const size_t round = (size_t)self->rounds;
    const duty work = {
        .segment = self->segment, .segments = self->segments, .has_records = !self->is_seldom};
    for (size_t i = 0; i < self->count; i++) { // another one first each time
        ww_tune_way *way = &self->ways[(i + round) % self->count];
        turn spent;
        if (!is_measured(way))
            continue;
        WW_TRY(time_turn(self, way, work, &spent, error));
        way->step[round] = spent.step;
        if (work.has_records)
            way->record[round] = spent.record;
        way->processor[round] = spent.processor;
    }
    self->rounds++;
    return WW_OK;
}

// Where so little is to be done that messages and calls take the time it is no rate of more.
static double rate_of(double flops, double seconds)
{
    static const double LEAST_RATE = 3e9;
    return fmax(flops / seconds, LEAST_RATE * (double)ww_workers_given());
}

// Rates of steps and records, on two tiles of a rank, with the first way that can be made.
static ww_status find_rates(ww_tune *self, const ww_dataset *data, ww_error *error)
{
    enum { TILES = 2, TIMES = 3 };
    const int64_t whole = self->plan->members.list[self->member].layout.width;
    const ww_tiling tiling = ww_tiling_make(whole, 0, self->crew_ranks);
    const int64_t part = TILES * tiling.tile_units * self->crew_ranks;
    self->width = part < whole ? part : whole;
    for (size_t i = 0; i < self->count; i++) {
        ww_tune_way *way = &self->ways[i];
        const duty work = {.segment = 1, .segments = 1, .has_records = true};
        turn spent;
        ww_measure_cost cost;
        WW_TRY(make_way_on_all(self, way, data, error));
        if (!is_measured(way))
            continue;
        way->run.problem.learning_rate = SMALL_RATE;
        turn fastest = {.step = HUGE_VAL, .record = HUGE_VAL};
        for (int again = 0; again < TIMES; again++) { // the first time makes room
            WW_TRY(time_turn(self, way, work, &spent, error));
            fastest.step = fmin(fastest.step, spent.step);
            fastest.record = fmin(fastest.record, spent.record);
        }
        const double factor = way->config.precision == WW_PRECISION_SINGLE ? 2.0 : 1.0;
        WW_TRY(ww_agree(self->parallel,
                        ww_measure_cost_of(way->run.plan, &way->run.problem, &cost, error), error));
        double flops[] = {ww_engine_cost_of(&way->run.problem).step_flops, cost.record_flops};
        WW_TRY(ww_maximum(self->parallel, flops, 2, error)); // a rank may have no tile
        self->step_rate = rate_of(flops[0], factor * fastest.step);
        self->record_rate = rate_of(flops[1], factor * fastest.record);
        self->is_seldom =
            fastest.record < SELDOM * fastest.step * (double)way->config.measure.every;
        ww_miniature_end(&way->run);
        return WW_OK;
    }
    return WW_OK;
}

static ww_status measure(ww_tune *self, const ww_dataset *data, double until, ww_error *error)
{
    size_t measured = 0;
    self->rounds = 0;
    for (size_t i = 0; i < self->count; i++)
        WW_TRY(make_way_on_all(self, &self->ways[i], data, error));
    for (size_t i = 0; i < self->count; i++)
        measured += is_measured(&self->ways[i]);
    if (measured == 0)
        return WW_OK;
    WW_TRY(warm_up(self, until, error));
    int64_t goes_on = 1;
    while (goes_on != 0 && self->rounds < WW_TUNE_ROUNDS) {
        const double before = ww_seconds();
        WW_TRY(time_round(self, error));
        const double now = ww_seconds();
        goes_on = self->rounds < WW_TUNE_LEAST_ROUNDS || now + (now - before) < until;
        WW_TRY(ww_broadcast(self->parallel, &goes_on, sizeof goes_on, 0, error));
    }
    for (size_t i = 0; i < self->count; i++) {
        const ww_tune_way *way = &self->ways[i];
        const ww_tally *tally =
            is_measured(way) ? ww_engine_tally(way->run.engine) : NULL; // NULL: all change some
        if (tally != NULL && (isnan(self->changing) || way->is_chosen))
            self->changing = (double)tally->updates / (double)ww_engine_steps(way->run.engine);
    }
    return WW_OK;
}

ww_status ww_tune_measure(ww_tune *self, const ww_dataset *data, ww_error *error)
{
    const double until = ww_seconds() + self->seconds;
    ww_status status = find_rates(self, data, error);
    if (status == WW_OK)
        status = ww_agree(self->parallel, ww_tune_choose_width(self, error), error);
    if (status == WW_OK)
        status = measure(self, data, until, error);
    end_ways(self);
    if (status == WW_DIVERGED) { // how long steps take can be seen all the same
        self->changing = (double)NAN;
        status = measure(self, data, until, error);
        end_ways(self);
    }
    if (status == WW_DIVERGED) // at the very start
        status = error->status = WW_FAILED;
    return status;
}
