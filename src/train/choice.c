// Which engine `auto` stands for: a model of what a step costs by each, fitted once to measurements
// on one core (tests/bench: bench_engine, bench_steps; choice.py and choice_model.py hold it
// against measurements). A pure function of configuration and data, never of timings or ranks, so
// that a run has the same bits everywhere.

#include "train/engine.h"
#include "train/lazy_weighed.h"
#include "train/pattern_sums.h"

#include "widthwise/train.h"

#include <math.h>

// Where `window` is the faster one for the hinge loss, under which most steps change nothing: for
// single samples wherever there is a product of matrices to speak of, for small batches where the
// weights are too many to stay in a cache.
static bool suits_window(const ww_problem *problem)
{
    enum {
        LEAST_WIDTH = 64,
        LEAST_DIMENSION = 64,
        MOST_SAMPLES = 16,
        LEAST_WIDTH_OF_BATCHES = 4096
    };
    const int64_t least = problem->batch == 1 ? LEAST_WIDTH : LEAST_WIDTH_OF_BATCHES;
    return problem->config->training.method == WW_METHOD_SGD && problem->batch <= MOST_SAMPLES &&
           problem->dimension >= LEAST_DIMENSION && problem->tiling.width >= least;
}

// Where `lazy` can be and was measured, of full batches: of small ones it depends on the learning
// rate as well, of several outputs on their number and on how many patterns change. As
// long as its memory is not that of a much wider network (16 bytes for a pair of unit and sample,
// against 8 for a weight), and samples are not divided over ranks.
static bool suits_lazy(const ww_problem *problem)
{
    enum { MOST_TIMES = 6 };
    const int64_t n = problem->data->train.count;
    return !ww_lazy_is_weighed(problem) && problem->config->training.method == WW_METHOD_GD &&
           n <= MOST_TIMES * problem->dimension && n <= WW_SECTION_SAMPLES &&
           ww_config_takes_engine(problem->config, WW_ENGINE_LAZY);
}

// Nanoseconds in double precision; single precision takes half of each.
static const double PRODUCT = 0.0385; // of a weight with a sample
static const double SUM = 0.0286;     // of a sample added to a weight, half of them passed over
static const double TABLE = 0.0185;   // the same from tables, by patterns
// Of a number that comes from memory or goes there. In a cache it is nearly as much, since products
// with few samples have little to do with each.
static const double MEMORY = 0.33;
static const double DRAWING = 5.0; // of a weight

// Of a pair of samples, in every step of `lazy`; and what part of a full step it takes otherwise,
// as a guess: from a tenth, and less at great widths, to all of it.
static const double ALONE = 3.0;
static const double OF_FULL = 0.3;

// Below it a step is over at once by any engine.
enum { LEAST_WEIGHTS = 1 << 14 };

// What else than `dense` is worth while must be better by so much.
static const double CLEARLY = 0.85;

typedef struct times {
    double dense, window, samples, lazy; // of a step and unit
} times;

static times find_times(const ww_problem *problem)
{
    enum { WINDOW = 128, COLUMNS = 64 };
    const bool is_gd = problem->config->training.method == WW_METHOD_GD;
    const bool by_patterns = ww_has_pattern_sums(problem);
    const double batch = (double)problem->batch;
    const double d = (double)problem->dimension;
    const double n = (double)problem->data->train.count;
    const double every = (double)problem->config->measure.every;
    const double work = batch * d * (PRODUCT + SUM);
    const double moving = 2.0 * d * MEMORY;
    const double steps = batch < WINDOW ? WINDOW / batch : 1.0; // of a window
    // Weights are made anew for every record.
    const double record = d * (n * SUM + DRAWING) / every;
    // Full steps of `lazy`, and what it does whatever the width: most of a step where that is
    // small.
    const double full = n * fmin(d * (PRODUCT + TABLE), n * TABLE);
    const double alone = n * n * ALONE / (double)problem->tiling.width;
    return (times){
        .lazy = OF_FULL * full + alone + record,
        .dense = work > moving ? work : moving,
        .window = work + moving / steps +
                  batch * (0.5 * WINDOW * PRODUCT + (0.5 * WINDOW / batch + 3.0) * MEMORY),
        .samples = batch * n * (by_patterns ? TABLE : SUM) + record +
                   (is_gd ? 4.0 * n * MEMORY
                          : batch * (0.5 * COLUMNS * PRODUCT + 4.0 * MEMORY) +
                                2.0 * n * MEMORY * batch / (batch < COLUMNS ? COLUMNS : batch)),
    };
}

static ww_engine_kind choose(const ww_problem *problem)
{
    const ww_config *config = problem->config;
    const bool is_sgd = config->training.method == WW_METHOD_SGD;
    if (config->loss == WW_LOSS_HINGE && is_sgd)
        return suits_window(problem) ? WW_ENGINE_WINDOW : WW_ENGINE_DENSE;
    if (problem->tiling.width * problem->dimension < LEAST_WEIGHTS)
        return WW_ENGINE_DENSE;
    const times by = find_times(problem);
    const double best = CLEARLY * by.dense;
    if (config->loss == WW_LOSS_HINGE)
        return suits_lazy(problem) && by.lazy < best ? WW_ENGINE_LAZY : WW_ENGINE_DENSE;
    if (suits_lazy(problem) && by.lazy < CLEARLY * fmin(by.samples, by.dense))
        return WW_ENGINE_LAZY;
    // No more memory than a few times that of the weights.
    const bool has_room = problem->data->train.count <= 2 * problem->dimension;
    if (has_room && by.samples < best && (!is_sgd || by.samples <= by.window))
        return WW_ENGINE_SAMPLES;
    return is_sgd && problem->batch <= WW_WINDOW_BATCH && by.window < best ? WW_ENGINE_WINDOW
                                                                           : WW_ENGINE_DENSE;
}

ww_engine_kind ww_engine_choice(const ww_problem *problem)
{
    if (ww_config_has_layers(problem->config))
        return WW_ENGINE_LAYERS;
    if (problem->config->training.engine != WW_ENGINE_AUTO)
        return problem->config->training.engine;
    return choose(problem);
}
