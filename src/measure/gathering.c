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

// One tile on one block of samples.
typedef struct tile_block {
    int64_t tile;              // global index
    int64_t first_unit, units; // of those of the column
    int64_t start, samples;    // of the set
    bool looks_back;
    bool is_start;     // pre-activations are those of t = 0
    bool gives_origin; // its patterns
} tile_block;

// Counts patterns, in self->active, that are others than at t = 0.
static void compare_patterns(const ww_gathering *self, const tile_block *at, ww_gathered_set *set)
{
    for (int64_t unit = 0; unit < at->units; unit++) {
        const uint8_t *now = self->active + unit * at->samples;
        const uint8_t *then = self->early_active + unit * at->samples;
        int64_t changed = 0;
        if (at->looks_back)
            for (int64_t s = 0; s < at->samples; s++)
                changed += now[s] != then[s];
        else
            changed = ww_origin_changes(self->origin, set->kept, 1, at->first_unit + unit,
                                        at->start, at->samples, now);
        set->counts[WW_COUNT_PAIRS] += changed;
        if (changed > 0)
            set->changed[at->first_unit + unit] = 1;
    }
}

// Counts the pairs that the movement of their unit may have changed.
static void count_risky(const ww_gathering *self, const tile_block *at, ww_gathered_set *set)
{
    const double *norms = set->norms + at->start;
    for (int64_t unit = 0; unit < at->units; unit++)
        for (int64_t s = 0; s < at->samples; s++)
            set->counts[WW_COUNT_RISKY] += fabs(self->early[unit * at->samples + s]) <=
                                           self->reach[at->first_unit + unit] * norms[s];
}

// Units that samples would move, from their activations.
static void count_movers(const ww_gathering *self, const tile_block *at,
                         const double *output_weights, ww_gathered_set *set)
{
    const ww_tile_activations tile = {.values = self->preactivations,
                                      .active = self->active,
                                      .units = at->units,
                                      .samples = at->samples,
                                      .unit_stride = at->samples,
                                      .sample_stride = 1};
    ww_tally_extras_of(self->problem, &tile, output_weights, self->extras);
    for (int64_t s = 0; s < at->samples; s++)
        set->movers[at->start + s] += (int64_t)self->extras[s * WW_TALLY_COLUMNS + WW_TALLY_MOVERS];
}

// Outputs of activations [units, block] of one tile, added to a sum.
static void add_outputs(const ww_gathering *self, const tile_block *at, const double *activations,
                        const double *output_weights, ww_output_sum *sum)
{
    ww_kernel_outputs(self->problem->pairs, activations, output_weights, at->units, at->samples,
                      self->problem->outputs, self->partial);
    ww_output_sum_add(sum, at->start, at->samples, self->partial);
}

// Outputs of the pseudo network, from the pre-activations and the patterns at t = 0.
static void add_pseudo_outputs(const ww_gathering *self, const tile_block *at,
                               const double *output_weights, ww_gathered_set *set)
{
    for (int64_t unit = 0; unit < at->units && !at->looks_back; unit++)
        ww_origin_patterns(self->origin, set->kept, 1, at->first_unit + unit, at->start,
                           at->samples, self->early_active + unit * at->samples);
    ww_activate_by(self->problem->negative_slope, self->early_active, self->preactivations,
                   (size_t)(at->units * at->samples), self->early);
    add_outputs(self, at, self->early, output_weights, &set->pseudo);
}

// Patterns of t = 0, which are those of now.
static void give_origin(ww_gathering *self, const tile_block *at, const ww_gathered_set *set)
{
    ww_patterns(self->preactivations, (size_t)(at->units * at->samples), self->active);
    for (int64_t unit = 0; unit < at->units; unit++)
        ww_origin_keep(self->origin, set->kept, at->first_unit + unit, at->start, at->samples,
                       self->active + unit * at->samples);
}

// The inputs are arranged; the piece begins at sample `first`.
static void gather_block(ww_gathering *self, const tile_block *at, int64_t first,
                         const double *weights, ww_gathered_set *set)
{
    const ww_problem *problem = self->problem;
    const size_t pairs = (size_t)(at->units * at->samples);
    const double *output_weights = ww_engine_tile_output_weights(self->engine, at->tile);
    ww_product_preactivations(&self->inputs, at->start - first, weights, at->units,
                              self->preactivations);
    if (at->looks_back) {
        // Pre-activations at t = 0 by the same call as now, so that patterns agree exactly.
        if (at->is_start)
            memcpy(self->early, self->preactivations, pairs * sizeof *self->early);
        else
            ww_product_preactivations(&self->inputs, at->start - first, self->initial, at->units,
                                      self->early);
        ww_patterns(self->early, pairs, self->early_active);
        if (set->wants & WW_NEED_TEST_REACH)
            count_risky(self, at, set);
    }
    if (at->gives_origin)
        give_origin(self, at, set);
    if (set->wants & WW_NEED_PSEUDO_OUTPUTS)
        add_pseudo_outputs(self, at, output_weights, set);
    ww_activate(problem->negative_slope, self->preactivations, pairs, self->active);
    if (set->wants & WW_NEED_TEST_PATTERNS)
        compare_patterns(self, at, set);
    if (set->wants & WW_NEED_TRAIN_MOVERS)
        count_movers(self, at, output_weights, set);
    if (set->wants & WW_NEED_TEST_OUTPUTS)
        add_outputs(self, at, self->preactivations, output_weights, &set->outputs);
}

void ww_gather_set(ww_gathering *self, ww_gathered_set *set)
{
    const ww_tiling *tiling = &self->problem->grid.tiling;
    const ww_part_of_samples part = set->part;
    const bool keeps = ww_origin_has_patterns(self->origin, set->kept);
    const bool looks_back = ww_gathering_looks_back(set->wants, keeps);
    const bool is_start = ww_gathering_is_at_start(self);
    const bool lacks_patterns = keeps && !set->has_patterns;
    int64_t count = 0;
    if (lacks_patterns && !is_start) // after a restart
        ww_origin_draw_patterns(self->origin, set->kept);
    for (int64_t first = part.first; set->wants != 0 && first < part.first + part.count;
         first += count) {
        ww_gathering_arrange(self, set->samples, part, first, &first, &count);
        for (int64_t tile = 0; tile < tiling->local_tiles; tile++) {
            const int64_t global = tiling->first_tile + tile;
            const double *weights = ww_engine_tile(self->engine, global);
            tile_block at = {.tile = global,
                             .first_unit = tile * tiling->tile_units,
                             .units = ww_tile_size(tiling, global),
                             .looks_back = looks_back,
                             .is_start = is_start,
                             .gives_origin = lacks_patterns && is_start};
            if (looks_back && !is_start)
                ww_initial_hidden_weights(&self->problem->initial, global * tiling->tile_units,
                                          at.units, self->initial);
            for (at.start = first; at.start < first + count; at.start += at.samples) {
                at.samples = ww_block_size(set->samples->count, at.start);
                gather_block(self, &at, first, weights, set);
            }
        }
    }
    set->has_patterns = keeps;
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
