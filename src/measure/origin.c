#include "measure/origin.h"

#include "measure/gathering.h"
#include "measure/plan.h"
#include "parallel/workers.h"
#include "train/kernels.h"
#include "train/layered.h"
#include "widthwise/memory.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WORD = 64 };

struct ww_origin {
    const ww_problem *problem;
    uint64_t *patterns[WW_ORIGIN_SETS]; // [L, units of the share, words]: bit s of a row is sample
                                        // s; the activations of its units on their positive side
    int64_t words[WW_ORIGIN_SETS];      // of a unit
    double *doubles;                    // W_l(0) of all layers, [local units, columns] each, one
    float *floats;                      // after the other, in the precision of training; or NULL
    double nearest;
    ww_gathering *room; // with one hidden layer
};

static const ww_samples *samples_of(const ww_problem *problem, int set)
{
    return set == WW_ORIGIN_TRAIN ? &problem->data->train : &problem->data->test;
}

static int64_t words_of(const ww_problem *problem, int set)
{
    return (samples_of(problem, set)->count + WORD - 1) / WORD;
}

// The patterns of one hidden layer can be made from weights that are drawn again, by as many
// operations as those of now. They are kept where they are few beside the weights: a word for this
// many inputs or more.
enum { INPUTS_OF_A_WORD = 4 };

bool ww_origin_keeps_patterns(const ww_problem *problem, unsigned needs, int set)
{
    if (problem->depth > 1)
        return (needs & (set == WW_ORIGIN_TRAIN ? (unsigned)WW_NEED_TRAIN_PATTERNS
                                                : (unsigned)WW_NEED_TEST_PATTERNS)) != 0;
    const unsigned wants = ww_gathering_wants(needs, set);
    return (wants & (unsigned)(WW_NEED_TEST_PATTERNS | WW_NEED_PSEUDO_OUTPUTS)) != 0 &&
           (wants & WW_NEED_TEST_REACH) == 0 && // which takes the pre-activations themselves
           words_of(problem, set) * INPUTS_OF_A_WORD <= problem->dimension;
}

static bool keeps_weights(unsigned needs)
{
    return (needs & WW_NEED_SPECTRAL) != 0;
}

static bool is_needed(const ww_problem *problem, unsigned needs)
{
    return problem->depth == 1 || ww_origin_keeps_patterns(problem, needs, WW_ORIGIN_TRAIN) ||
           ww_origin_keeps_patterns(problem, needs, WW_ORIGIN_TEST) || keeps_weights(needs) ||
           (needs & WW_NEED_NEAREST) != 0;
}

// Columns of the layers before `layer`, all together.
static int64_t columns_before(const ww_problem *problem, int64_t layer)
{
    return layer == 1 ? 0 : problem->dimension + (layer - 2) * problem->tiling.width;
}

static bool is_single(const ww_problem *problem)
{
    return problem->config->precision == WW_PRECISION_SINGLE;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

void ww_origin_cost(const ww_problem *problem, unsigned needs, int64_t *kept, int64_t *passing)
{
    const int64_t units = problem->tiling.local_units;
    const int64_t shared = problem->grid.tiling.local_units;
    *kept = *passing = 0;
    if (!is_needed(problem, needs))
        return;
    *kept = (int64_t)sizeof(ww_origin);
    for (int set = 0; set < WW_ORIGIN_SETS; set++) {
        if (!ww_origin_keeps_patterns(problem, needs, set))
            continue;
        const int64_t block = ww_block_size(samples_of(problem, set)->count, 0);
        *kept += problem->depth * shared * words_of(problem, set) * (int64_t)sizeof(uint64_t);
        if (problem->depth > 1) // one layer's are made in the room of surveys
            *passing = larger(*passing, ww_layered_block_bytes(problem, block, false) +
                                            ww_output_sum_bytes(problem, block));
    }
    if (problem->depth == 1)
        *kept += ww_gathering_bytes(problem, ww_survey_looks_at(problem, needs));
    if (keeps_weights(needs))
        *kept += units * columns_before(problem, problem->depth + 1) *
                 (int64_t)(is_single(problem) ? sizeof(float) : sizeof(double));
    if (needs & WW_NEED_NEAREST) {
        int64_t bytes = 0;
        double flops = 0.0;
        ww_separation_cost(problem->data->train.count, problem->dimension, problem->parallel->size,
                           &bytes, &flops);
        *passing = larger(*passing, bytes);
    }
}

static ww_status allocate(ww_origin *origin, unsigned needs, ww_error *error)
{
    const ww_problem *problem = origin->problem;
    const int64_t units = problem->tiling.local_units;
    for (int set = 0; set < WW_ORIGIN_SETS; set++) {
        if (!ww_origin_keeps_patterns(problem, needs, set))
            continue;
        int64_t rows = 0;
        int64_t words = 0;
        origin->words[set] = words_of(problem, set);
        WW_TRY(ww_multiply(problem->depth, problem->grid.tiling.local_units,
                           "the activation patterns", &rows, error));
        WW_TRY(ww_multiply(rows, origin->words[set], "the activation patterns", &words, error));
        origin->patterns[set] = ww_allocate((size_t)words, sizeof *origin->patterns[set],
                                            "the activation patterns at t = 0", error);
        if (origin->patterns[set] == NULL)
            return WW_FAILED;
    }
    if (problem->depth == 1) {
        origin->room = ww_allocate(1, sizeof *origin->room, "a survey", error);
        if (origin->room == NULL)
            return WW_FAILED;
        WW_TRY(
            ww_gathering_create(origin->room, problem, ww_survey_looks_at(problem, needs), error));
    }
    if (!keeps_weights(needs))
        return WW_OK;
    static const char what[] = "the copy of the weights at t = 0, for spectral distances";
    int64_t weights = 0;
    WW_TRY(ww_multiply(units, columns_before(problem, problem->depth + 1), what, &weights, error));
    if (is_single(problem))
        origin->floats = ww_allocate((size_t)weights, sizeof *origin->floats, what, error);
    else
        origin->doubles = ww_allocate((size_t)weights, sizeof *origin->doubles, what, error);
    return origin->floats != NULL || origin->doubles != NULL ? WW_OK : WW_FAILED;
}

static void copy_weights(ww_origin *origin, ww_engine *engine)
{
    const ww_problem *problem = origin->problem;
    const ww_tiling *tiling = &problem->tiling;
    for (int64_t layer = 1; layer <= problem->depth; layer++) {
        const int64_t columns = ww_layer_columns(problem, layer);
        for (int64_t tile = 0; tile < tiling->local_tiles; tile++) {
            const int64_t global = tiling->first_tile + tile;
            const int64_t count = ww_tile_size(tiling, global) * columns;
            const int64_t first = columns_before(problem, layer) * tiling->local_units +
                                  tile * tiling->tile_units * columns;
            const double *weights = ww_engine_layer_tile(engine, layer, global);
            if (origin->doubles != NULL)
                memcpy(origin->doubles + first, weights, (size_t)count * sizeof *weights);
            for (int64_t i = 0; origin->floats != NULL && i < count; i++)
                origin->floats[first + i] = (float)weights[i];
        }
    }
}

static uint64_t *row_of(const ww_origin *origin, int set, int64_t layer, int64_t unit)
{
    const int64_t row = (layer - 1) * origin->problem->grid.tiling.local_units + unit;
    return origin->patterns[set] + row * origin->words[set];
}

// Eight patterns, bytes of 0 and 1, as bits. The product puts the last bit of byte i at bit 56 + i;
// no two terms meet, so nothing is carried.
static uint64_t pack_byte(const uint8_t patterns[CHAR_BIT])
{
    uint64_t bytes = 0;
    for (int i = 0; i < CHAR_BIT; i++)
        bytes |= (uint64_t)patterns[i] << (CHAR_BIT * i);
    return (bytes * UINT64_C(0x0102040810204080)) >> 56;
}

// Up to 64 patterns as bits.
static uint64_t pack(const uint8_t *patterns, int64_t count)
{
    uint64_t word = 0;
    int64_t s = 0;
    for (; s + CHAR_BIT <= count; s += CHAR_BIT)
        word |= pack_byte(patterns + s) << s;
    for (; s < count; s++)
        word |= (uint64_t)patterns[s] << s;
    return word;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

// Patterns of one unit on one block of samples.
static void keep_row(uint64_t *words, const uint8_t *patterns, int64_t samples)
{
    for (int64_t s = 0; s < samples; s += WORD)
        words[s / WORD] = pack(patterns + s, least(WORD, samples - s));
}

// Blocks of samples begin at whole words.
static void keep_block(ww_origin *origin, int set, const ww_layered_block *block, int64_t start,
                       int64_t samples)
{
    for (int64_t layer = 1; layer <= origin->problem->depth; layer++) {
        const uint8_t *patterns = ww_layered_patterns(block, layer);
        for (int64_t unit = 0; unit < origin->problem->tiling.local_units; unit++)
            keep_row(row_of(origin, set, layer, unit) + start / WORD, patterns + unit * samples,
                     samples);
    }
}

static ww_status keep_patterns(ww_origin *origin, ww_engine *engine, int set, ww_error *error)
{
    const ww_problem *problem = origin->problem;
    const ww_samples *samples = samples_of(problem, set);
    const int64_t most = ww_block_size(samples->count, 0);
    ww_layered_block *block = NULL;
    ww_output_sum sum = {0}; // outputs are made, but not asked for
    ww_status status = ww_layered_block_create(problem, most, false, &block, error);
    if (status == WW_OK)
        status = ww_output_sum_create(&sum, problem, most, error);
    status = ww_agree(problem->parallel, status, error);
    for (int64_t start = 0; status == WW_OK && start < samples->count; start += most) {
        const int64_t count = ww_block_size(samples->count, start);
        ww_output_sum_restart(&sum, count);
        status =
            ww_layered_forward(ww_engine_network(engine), block,
                               samples->inputs + start * problem->dimension, count, &sum, 0, error);
        if (status == WW_OK)
            keep_block(origin, set, block, start, count);
    }
    ww_output_sum_free(&sum);
    ww_layered_block_free(block);
    return status;
}

void ww_origin_keep(const ww_origin *origin, int set, int64_t unit, int64_t start, int64_t samples,
                    const uint8_t *patterns)
{
    keep_row(row_of(origin, set, 1, unit) + start / WORD, patterns, samples);
}

// Patterns of t = 0 of one tile on the samples that are arranged.
typedef struct drawing {
    const ww_origin *origin;
    int set;
    int64_t first, count;
} drawing;

static void draw_patterns_of_tile(void *context, int number, int64_t tile)
{
    const drawing *now = context;
    const ww_problem *problem = now->origin->problem;
    const ww_tiling *tiling = &problem->grid.tiling;
    const ww_samples *samples = samples_of(problem, now->set);
    const ww_gathering *room = now->origin->room;
    ww_gathering_worker *worker = &room->workers[number];
    const int64_t units = ww_tile_size(tiling, tiling->first_tile + tile);
    const double *weights =
        ww_origin_tile(NULL, problem, 1, tiling->first_tile + tile, worker->initial);
    for (int64_t start = now->first; start < now->first + now->count; start += WW_SAMPLE_BLOCK) {
        const int64_t block = ww_block_size(samples->count, start);
        ww_product_preactivations(&room->workers[0].inputs, start - now->first, weights, units,
                                  worker->preactivations);
        ww_patterns(worker->preactivations, (size_t)(units * block), worker->active);
        for (int64_t unit = 0; unit < units; unit++)
            ww_origin_keep(now->origin, now->set, tile * tiling->tile_units + unit, start, block,
                           worker->active + unit * block);
    }
}

void ww_origin_draw_patterns(const ww_origin *origin, int set)
{
    const ww_problem *problem = origin->problem;
    const ww_part_of_samples part = ww_gathering_part(problem, set);
    drawing now = {.origin = origin, .set = set};
    for (int64_t first = part.first; first < part.first + part.count; first += now.count) {
        ww_gathering_arrange(problem, &origin->room->workers[0].inputs, samples_of(problem, set),
                             part, first, &now.first, &now.count);
        ww_for_each(problem->parallel, problem->grid.tiling.local_tiles, draw_patterns_of_tile,
                    &now);
    }
}

static ww_status fill(ww_origin *origin, ww_engine *engine, unsigned needs, ww_error *error)
{
    const ww_problem *problem = origin->problem;
    if (needs & WW_NEED_NEAREST) {
        ww_separation separation;
        WW_TRY(ww_separation_measure(&problem->data->train, problem->dimension,
                                     problem->data->components, problem->parallel, &separation,
                                     error));
        if (problem->data->train.count > 1)
            origin->nearest = separation.nearest;
    }
    // Those of one hidden layer come with the first survey, mostly at t = 0, whose products they
    // are.
    for (int set = 0; set < WW_ORIGIN_SETS; set++)
        if (origin->patterns[set] != NULL && problem->depth > 1)
            WW_TRY(keep_patterns(origin, engine, set, error));
    if (keeps_weights(needs))
        copy_weights(origin, engine);
    return WW_OK;
}

ww_status ww_origin_create_for(const ww_problem *problem, ww_engine *engine, unsigned needs,
                               ww_origin **origin, ww_error *error)
{
    *origin = NULL;
    if (!is_needed(problem, needs))
        return WW_OK;
    WW_ASSERT(ww_engine_steps(engine) == 0);
    ww_origin *made = ww_allocate(1, sizeof *made, "what is kept of t = 0", error);
    ww_status status = WW_FAILED;
    if (made != NULL) {
        made->problem = problem;
        made->nearest = (double)NAN;
        status = allocate(made, needs, error);
    }
    status = ww_agree(problem->parallel, status, error);
    if (status == WW_OK)
        status = fill(made, engine, needs, error);
    if (status != WW_OK) {
        ww_origin_free(made);
        return status;
    }
    *origin = made;
    return WW_OK;
}

ww_status ww_origin_create(const ww_measure_plan *plan, const ww_problem *problem,
                           ww_engine *engine, ww_origin **origin, ww_error *error)
{
    return ww_origin_create_for(problem, engine, plan->needs, origin, error);
}

void ww_origin_free(ww_origin *origin)
{
    if (origin == NULL)
        return;
    for (int set = 0; set < WW_ORIGIN_SETS; set++)
        free(origin->patterns[set]);
    free(origin->doubles);
    free(origin->floats);
    if (origin->room != NULL)
        ww_gathering_free(origin->room);
    free(origin->room);
    free(origin);
}

int64_t ww_origin_changes(const ww_origin *origin, int set, int64_t layer, int64_t unit,
                          int64_t start, int64_t samples, const uint8_t *patterns)
{
    const uint64_t *words = row_of(origin, set, layer, unit) + start / WORD;
    int64_t changed = 0;
    for (int64_t s = 0; s < samples; s += WORD) {
        const uint64_t now = pack(patterns + s, least(WORD, samples - s));
        changed += __builtin_popcountll(now ^ words[s / WORD]);
    }
    return changed;
}

void ww_origin_patterns(const ww_origin *origin, int set, int64_t layer, int64_t unit,
                        int64_t start, int64_t samples, uint8_t *patterns)
{
    const uint64_t *words = row_of(origin, set, layer, unit) + start / WORD;
    for (int64_t s = 0; s < samples; s++)
        patterns[s] = words[s / WORD] >> (s % WORD) & 1;
}

bool ww_origin_has_patterns(const ww_origin *origin, int set)
{
    return origin != NULL && set < WW_ORIGIN_SETS && origin->patterns[set] != NULL;
}

ww_gathering *ww_origin_room(const ww_origin *origin)
{
    return origin != NULL ? origin->room : NULL;
}

const double *ww_origin_tile(const ww_origin *origin, const ww_problem *problem, int64_t layer,
                             int64_t tile, double *room)
{
    const ww_tiling *tiling = &problem->tiling;
    const int64_t columns = ww_layer_columns(problem, layer);
    const int64_t units = ww_tile_size(tiling, tile);
    if (origin == NULL || (origin->doubles == NULL && origin->floats == NULL)) {
        ww_initial_layer_weights(&problem->initial, layer, columns, tile * tiling->tile_units,
                                 units, room);
        return room;
    }
    const int64_t first = columns_before(problem, layer) * tiling->local_units +
                          (tile - tiling->first_tile) * tiling->tile_units * columns;
    if (origin->doubles != NULL)
        return origin->doubles + first;
    for (int64_t i = 0; i < units * columns; i++)
        room[i] = (double)origin->floats[first + i];
    return room;
}

double ww_origin_nearest(const ww_origin *origin)
{
    return origin != NULL ? origin->nearest : (double)NAN;
}
