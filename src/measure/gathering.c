#include "measure/gathering.h"

#include "train/kernels.h"
#include "train/tally.h"
#include "widthwise/memory.h"
#include "widthwise/norm.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

// Inputs that are arranged at one time: few enough to stay in a cache, and, where there is an
// initial weight to draw for every piece, enough samples for that not to count.
enum { PIECE_BYTES = 4 << 20 };

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

// Samples of a piece: whole blocks.
static int64_t piece_samples(const ww_problem *problem)
{
    const int64_t fitting = PIECE_BYTES / ((int64_t)sizeof(double) * problem->dimension);
    return larger(fitting / WW_SAMPLE_BLOCK, 1) * WW_SAMPLE_BLOCK;
}

unsigned ww_gathering_wants(unsigned needs, int set)
{
    if (set == WW_ORIGIN_TEST)
        return needs & (unsigned)(WW_NEED_TEST_OUTPUTS | WW_NEED_TEST_PATTERNS |
                                  WW_NEED_PSEUDO_OUTPUTS | WW_NEED_TEST_REACH);
    return (needs & WW_NEED_TRAIN_OUTPUTS ? (unsigned)WW_NEED_TEST_OUTPUTS : 0U) |
           (needs & WW_NEED_TRAIN_PATTERNS ? (unsigned)WW_NEED_TEST_PATTERNS : 0U) |
           (needs & (unsigned)WW_NEED_TRAIN_MOVERS);
}

static const ww_samples *samples_of(const ww_problem *problem, int set)
{
    return set == WW_ORIGIN_TRAIN ? &problem->data->train : &problem->data->test;
}

static bool has_gradients(unsigned needs)
{
    return (needs & WW_NEED_GRADIENTS) != 0;
}

// Most samples that are looked at together, of either set or of the batch.
static int64_t most_samples(const ww_problem *problem, unsigned needs)
{
    int64_t most = has_gradients(needs) ? problem->batch : 0;
    for (int set = 0; set < WW_ORIGIN_SETS; set++)
        if (ww_gathering_wants(needs, set) != 0)
            most = larger(most, samples_of(problem, set)->count);
    return most;
}

// Words of a set before its counts.
static size_t set_words(const ww_problem *problem, unsigned wants, int64_t samples)
{
    const size_t outputs = ww_output_sum_words(problem, samples);
    return (wants & WW_NEED_TEST_OUTPUTS ? outputs : 0) +
           (wants & WW_NEED_PSEUDO_OUTPUTS ? outputs : 0) +
           (wants & WW_NEED_TRAIN_MOVERS ? (size_t)samples : 0);
}

static size_t count_words(const ww_problem *problem, unsigned needs)
{
    size_t words = (size_t)2 * WW_TERMS;
    for (int set = 0; set < WW_ORIGIN_SETS; set++)
        words += WW_SET_COUNTS + set_words(problem, ww_gathering_wants(needs, set),
                                           samples_of(problem, set)->count);
    return words;
}

enum { ROOM_ARRAYS = 22, SET_ARRAYS = 4 };

// Arrays of one set: those at these offsets.
static void list_set(const ww_problem *problem, unsigned needs, int set,
                     const size_t offsets[SET_ARRAYS], ww_allocation list[SET_ARRAYS])
{
    const unsigned wants = ww_gathering_wants(needs, set);
    const size_t n = (size_t)samples_of(problem, set)->count;
    const size_t values = n * (size_t)problem->outputs;
    const size_t units = (size_t)problem->grid.tiling.local_units;
    const size_t sizes[SET_ARRAYS] = {1, sizeof(double), sizeof(double), sizeof(double)};
    const size_t counts[SET_ARRAYS] = {
        wants & WW_NEED_TEST_PATTERNS ? units : 0,
        wants & WW_NEED_TEST_REACH ? n : 0,
        wants & WW_NEED_TEST_OUTPUTS ? values : 0,
        wants & WW_NEED_PSEUDO_OUTPUTS ? values : 0,
    };
    static const char *const names[SET_ARRAYS] = {"the units with changes", "norms of inputs",
                                                  "the outputs of the network",
                                                  "the outputs of the pseudo network"};
    for (int i = 0; i < SET_ARRAYS; i++)
        list[i] = (ww_allocation){offsets[i], counts[i], sizes[i], names[i]};
}

#define SET_OFFSETS(set)                                                                           \
    {                                                                                              \
        offsetof(ww_gathering, sets[set].changed), offsetof(ww_gathering, sets[set].norms),        \
            offsetof(ww_gathering, sets[set].values),                                              \
            offsetof(ww_gathering, sets[set].pseudo_values)                                        \
    }

static void list_room(const ww_problem *problem, unsigned needs, ww_allocation list[ROOM_ARRAYS])
{
    static const size_t offsets[WW_ORIGIN_SETS][SET_ARRAYS] = {
        [WW_ORIGIN_TRAIN] = SET_OFFSETS(WW_ORIGIN_TRAIN),
        [WW_ORIGIN_TEST] = SET_OFFSETS(WW_ORIGIN_TEST)};
    const int64_t block = ww_block_size(most_samples(problem, needs), 0);
    const size_t tile = (size_t)problem->tiling.tile_units;
    const size_t d = (size_t)problem->dimension;
    const size_t k = (size_t)problem->outputs;
    const size_t pairs = tile * (size_t)block;
    const bool compares =
        (needs & (unsigned)(WW_NEED_TRAIN_PATTERNS | WW_NEED_TEST_PATTERNS |
                            WW_NEED_PSEUDO_OUTPUTS | WW_NEED_TEST_REACH | WW_NEED_GRADIENTS)) != 0;
    const bool draws = compares || (needs & WW_NEED_MOVEMENT) != 0;
    const unsigned of_weights = needs & (unsigned)(WW_NEED_WEIGHTS | WW_NEED_OUTPUT_RATIO);
    const size_t reach = needs & WW_NEED_TEST_REACH ? (size_t)problem->grid.tiling.local_units : 0;
    const size_t rows = has_gradients(needs) ? tile * d : 0;
    const size_t extras = needs & WW_NEED_TRAIN_MOVERS ? (size_t)block * WW_TALLY_COLUMNS : 0;
    const size_t components = (size_t)(problem->data->classes * problem->data->components);
    const size_t sums = needs & WW_NEED_V_MAX ? (components + 1) * k : 0;
    const size_t outputs = ww_kernel_output_room(problem->pairs, block, problem->outputs);
    const char *what = "a survey of the network";
    const ww_allocation arrays[ROOM_ARRAYS - WW_ORIGIN_SETS * SET_ARRAYS] = {
        {offsetof(ww_gathering, initial), draws ? tile * d : 0, sizeof(double), what},
        {offsetof(ww_gathering, reach), reach, sizeof(double), what},
        {offsetof(ww_gathering, preactivations), pairs, sizeof(double), what},
        {offsetof(ww_gathering, early), compares ? pairs : 0, sizeof(double), what},
        {offsetof(ww_gathering, partial), outputs, sizeof(double), what},
        {offsetof(ww_gathering, rows), rows, sizeof(double), what},
        {offsetof(ww_gathering, pseudo_rows), rows, sizeof(double), what},
        {offsetof(ww_gathering, active), pairs, 1, what},
        {offsetof(ww_gathering, early_active), compares ? pairs : 0, 1, what},
        {offsetof(ww_gathering, terms), WW_TERMS * (size_t)problem->tiling.local_tiles,
         sizeof(double), what},
        {offsetof(ww_gathering, extras), extras, sizeof(double), what},
        {offsetof(ww_gathering, initial_output), of_weights != 0 ? tile * k : 0, sizeof(double),
         what},
        {offsetof(ww_gathering, component_sums), sums, sizeof(double), what},
        {offsetof(ww_gathering, words), count_words(problem, needs), sizeof(int64_t), what},
    };
    memcpy(list, arrays, sizeof arrays);
    for (int set = 0; set < WW_ORIGIN_SETS; set++)
        list_set(problem, needs, set, offsets[set],
                 list + (ROOM_ARRAYS - (WW_ORIGIN_SETS - set) * SET_ARRAYS));
}

static int64_t arranged_samples(const ww_problem *problem, unsigned needs)
{
    return least(most_samples(problem, needs), piece_samples(problem));
}

// Samples of a set that are all arranged at once; 0: they go in pieces, or are not looked at.
static int64_t whole_samples(const ww_problem *problem, unsigned needs, int set)
{
    return ww_gathering_goes_by_tiles(problem) && ww_gathering_wants(needs, set) != 0
               ? samples_of(problem, set)->count
               : 0;
}

void ww_gathering_free(ww_gathering *self)
{
    ww_allocation list[ROOM_ARRAYS];
    list_room(self->problem, self->needs, list);
    for (int i = 0; i < ROOM_ARRAYS; i++) {
        void *memory = NULL;
        memcpy(&memory, (char *)self + list[i].offset, sizeof memory);
        free(memory);
    }
    ww_product_inputs_free(&self->inputs);
    for (int set = 0; set < WW_ORIGIN_SETS; set++)
        ww_product_inputs_free(&self->whole[set]);
    if (has_gradients(self->needs))
        ww_batch_room_free(&self->batch);
}

// Words of a set, from `words` on; returns where the next begin.
static int64_t *place_words(const ww_problem *problem, ww_gathered_set *set, int64_t *words)
{
    const int64_t n = set->samples->count;
    if (set->wants & WW_NEED_TEST_OUTPUTS) {
        ww_output_sum_place(&set->outputs, problem, n, words);
        words += set->outputs.word_count;
    }
    if (set->wants & WW_NEED_PSEUDO_OUTPUTS) {
        ww_output_sum_place(&set->pseudo, problem, n, words);
        words += set->pseudo.word_count;
    }
    if (set->wants & WW_NEED_TRAIN_MOVERS) {
        set->movers = words;
        words += n;
    }
    set->counts = words;
    return words + WW_SET_COUNTS;
}

ww_status ww_gathering_create(ww_gathering *self, const ww_problem *problem, unsigned needs,
                              ww_error *error)
{
    *self = (ww_gathering){.problem = problem, .needs = needs};
    ww_allocation list[ROOM_ARRAYS];
    list_room(problem, needs, list);
    WW_TRY(ww_allocate_all(self, list, ROOM_ARRAYS, error));
    WW_TRY(ww_product_inputs_create(arranged_samples(problem, needs), problem->dimension,
                                    &self->inputs, error));
    for (int set = 0; set < WW_ORIGIN_SETS; set++)
        WW_TRY(ww_product_inputs_create(whole_samples(problem, needs, set), problem->dimension,
                                        &self->whole[set], error));
    self->word_count = count_words(problem, needs);
    int64_t *words = self->words;
    for (int which = 0; which < WW_ORIGIN_SETS; which++) {
        ww_gathered_set *set = &self->sets[which];
        set->samples = samples_of(problem, which);
        set->wants = ww_gathering_wants(needs, which);
        set->kept = which;
        set->part = ww_gathering_part(problem, which);
        words = place_words(problem, set, words);
        for (int64_t i = 0; set->wants & WW_NEED_TEST_REACH && i < set->part.count; i++) {
            const int64_t sample = set->part.first + i;
            set->norms[sample] =
                ww_norm(set->samples->inputs + sample * problem->dimension, problem->dimension);
        }
    }
    self->term_words = words;
    return has_gradients(needs) ? ww_batch_room_create(&self->batch, problem, error) : WW_OK;
}

int64_t ww_gathering_bytes(const ww_problem *problem, unsigned needs)
{
    ww_allocation list[ROOM_ARRAYS];
    list_room(problem, needs, list);
    return (int64_t)sizeof(ww_gathering) + ww_allocation_bytes(list, ROOM_ARRAYS) +
           ww_product_inputs_bytes(arranged_samples(problem, needs), problem->dimension) +
           ww_product_inputs_bytes(whole_samples(problem, needs, WW_ORIGIN_TRAIN),
                                   problem->dimension) +
           ww_product_inputs_bytes(whole_samples(problem, needs, WW_ORIGIN_TEST),
                                   problem->dimension) +
           (has_gradients(needs) ? ww_batch_room_bytes(problem) : 0);
}

void ww_gathering_begin(ww_gathering *self, const ww_origin *origin, ww_engine *engine)
{
    self->origin = origin;
    self->engine = engine;
    self->row_movement = 0.0;
    self->least_ratio = INFINITY;
    self->largest_ratio = -INFINITY;
    self->inputs.samples = 0; // batches are gathered in the same place again and again
    memset(self->words, 0, self->word_count * sizeof *self->words);
    for (int64_t unit = 0;
         self->needs & WW_NEED_TEST_REACH && unit < self->problem->grid.tiling.local_units; unit++)
        self->reach[unit] = 0.0;
    for (int set = 0; set < WW_ORIGIN_SETS; set++)
        if (self->sets[set].wants & WW_NEED_TEST_PATTERNS)
            memset(self->sets[set].changed, 0, (size_t)self->problem->grid.tiling.local_units);
}

void ww_gathering_arrange(ww_gathering *self, const ww_samples *samples, ww_part_of_samples part,
                          int64_t start, int64_t *first, int64_t *count)
{
    const int64_t most = piece_samples(self->problem);
    *first = start - (start - part.first) % most;
    *count = least(part.first + part.count - *first, most);
    const double *values = samples->inputs + *first * self->problem->dimension;
    if (self->inputs.values != values || self->inputs.samples != *count)
        ww_product_inputs_set(&self->inputs, values, *count);
}

ww_part_of_samples ww_gathering_part(const ww_problem *problem, int set)
{
    return set == WW_ORIGIN_TRAIN ? problem->grid.train : problem->grid.test;
}

bool ww_gathering_looks_back(unsigned wants, bool keeps_patterns)
{
    const unsigned compares = wants & (unsigned)(WW_NEED_TEST_PATTERNS | WW_NEED_PSEUDO_OUTPUTS);
    return (wants & WW_NEED_TEST_REACH) != 0 || (compares != 0 && !keeps_patterns);
}

bool ww_gathering_is_at_start(const ww_gathering *self)
{
    return ww_engine_steps(self->engine) == 0;
}

ww_status ww_gathering_share_reach(ww_gathering *self, ww_error *error)
{
    const ww_parallel *column = ww_engine_column(self->engine);
    if (column == NULL || !(self->needs & WW_NEED_TEST_REACH))
        return WW_OK;
    // Of each unit one rank knows it, and others have 0.
    return ww_maximum(column, self->reach, (size_t)self->problem->grid.tiling.local_units, error);
}

ww_status ww_gathering_join(ww_gathering *self, ww_error *error)
{
    const ww_parallel *column = ww_engine_column(self->engine);
    const int64_t units = self->problem->grid.tiling.local_units;
    for (int which = 0; which < WW_ORIGIN_SETS; which++) {
        ww_gathered_set *set = &self->sets[which];
        if (!(set->wants & WW_NEED_TEST_PATTERNS))
            continue;
        if (column != NULL)
            WW_TRY(ww_any(column, set->changed, (size_t)units, error));
        // Once for each column, whose ranks have the same.
        for (int64_t unit = 0; (column == NULL || column->rank == 0) && unit < units; unit++)
            set->counts[WW_COUNT_UNITS] += set->changed[unit];
    }
    return WW_OK;
}
