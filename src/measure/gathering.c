#include "measure/gathering.h"

#include "parallel/workers.h"
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

enum { ROOM_ARRAYS = 11, SET_ARRAYS = 4, WORKER_ARRAYS = 12 };

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

static const char what[] = "a survey of the network";

static void list_room(const ww_problem *problem, unsigned needs, ww_allocation list[ROOM_ARRAYS])
{
    static const size_t offsets[WW_ORIGIN_SETS][SET_ARRAYS] = {
        [WW_ORIGIN_TRAIN] = SET_OFFSETS(WW_ORIGIN_TRAIN),
        [WW_ORIGIN_TEST] = SET_OFFSETS(WW_ORIGIN_TEST)};
    const size_t k = (size_t)problem->outputs;
    const size_t reach = needs & WW_NEED_TEST_REACH ? (size_t)problem->grid.tiling.local_units : 0;
    const size_t components = (size_t)(problem->data->classes * problem->data->components);
    const size_t sums = needs & WW_NEED_V_MAX ? (components + 1) * k : 0;
    const ww_allocation arrays[ROOM_ARRAYS - WW_ORIGIN_SETS * SET_ARRAYS] = {
        {offsetof(ww_gathering, reach), reach, sizeof(double), what},
        {offsetof(ww_gathering, terms), WW_TERMS * (size_t)problem->tiling.local_tiles,
         sizeof(double), what},
        {offsetof(ww_gathering, component_sums), sums, sizeof(double), what},
    };
    memcpy(list, arrays, sizeof arrays);
    for (int set = 0; set < WW_ORIGIN_SETS; set++)
        list_set(problem, needs, set, offsets[set],
                 list + (ROOM_ARRAYS - (WW_ORIGIN_SETS - set) * SET_ARRAYS));
}

static void list_worker(const ww_problem *problem, unsigned needs,
                        ww_allocation list[WORKER_ARRAYS])
{
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
    const size_t rows = has_gradients(needs) ? tile * d : 0;
    const size_t extras = needs & WW_NEED_TRAIN_MOVERS ? (size_t)block * WW_TALLY_COLUMNS : 0;
    const size_t outputs = ww_kernel_output_room(problem->pairs, block, problem->outputs);
    const size_t units = has_gradients(needs) ? tile : 0;
    const ww_allocation arrays[] = {
        {offsetof(ww_gathering_worker, initial), draws ? tile * d : 0, sizeof(double), what},
        {offsetof(ww_gathering_worker, preactivations), pairs, sizeof(double), what},
        {offsetof(ww_gathering_worker, early), compares ? pairs : 0, sizeof(double), what},
        {offsetof(ww_gathering_worker, partial), outputs, sizeof(double), what},
        {offsetof(ww_gathering_worker, rows), rows, sizeof(double), what},
        {offsetof(ww_gathering_worker, pseudo_rows), rows, sizeof(double), what},
        {offsetof(ww_gathering_worker, active), pairs, 1, what},
        {offsetof(ww_gathering_worker, early_active), compares ? pairs : 0, 1, what},
        {offsetof(ww_gathering_worker, equal), units, 1, what},
        {offsetof(ww_gathering_worker, extras), extras, sizeof(double), what},
        {offsetof(ww_gathering_worker, initial_output), of_weights != 0 ? tile * k : 0,
         sizeof(double), what},
        {offsetof(ww_gathering_worker, words), count_words(problem, needs), sizeof(int64_t), what},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == WORKER_ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
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

static void free_list(void *owner, const ww_allocation *list, int count)
{
    for (int i = 0; i < count; i++) {
        void *memory = NULL;
        memcpy(&memory, (char *)owner + list[i].offset, sizeof memory);
        free(memory);
    }
}

// Samples that a worker arranges: the first those of sets too.
static int64_t arranged_by(const ww_problem *problem, unsigned needs, int worker)
{
    return worker == 0 || has_gradients(needs) ? arranged_samples(problem, needs) : 0;
}

static void free_workers(ww_gathering *self)
{
    ww_allocation list[WORKER_ARRAYS];
    list_worker(self->problem, self->needs, list);
    for (int i = 0; self->workers != NULL && i < ww_workers_of(self->problem->parallel); i++) {
        ww_gathering_worker *worker = &self->workers[i];
        free_list(worker, list, WORKER_ARRAYS);
        ww_product_inputs_free(&worker->inputs);
        if (i > 0) // that of the first belongs to the batch
            ww_output_sum_free(&worker->sums[WW_ORIGIN_SETS].outputs);
    }
    free(self->workers);
}

void ww_gathering_free(ww_gathering *self)
{
    ww_allocation list[ROOM_ARRAYS];
    list_room(self->problem, self->needs, list);
    free_list(self, list, ROOM_ARRAYS);
    free_workers(self);
    for (int set = 0; set < WW_ORIGIN_SETS; set++)
        ww_product_inputs_free(&self->whole[set]);
    if (has_gradients(self->needs))
        ww_batch_room_free(&self->batch);
}

// Words of a set, from `words` on; returns where the next begin.
static int64_t *place_words(const ww_problem *problem, const ww_gathered_set *set,
                            ww_set_sums *sums, int64_t *words)
{
    const int64_t n = set->samples->count;
    if (set->wants & WW_NEED_TEST_OUTPUTS) {
        ww_output_sum_place(&sums->outputs, problem, n, words);
        words += sums->outputs.word_count;
    }
    if (set->wants & WW_NEED_PSEUDO_OUTPUTS) {
        ww_output_sum_place(&sums->pseudo, problem, n, words);
        words += sums->pseudo.word_count;
    }
    if (set->wants & WW_NEED_TRAIN_MOVERS) {
        sums->movers = words;
        words += n;
    }
    sums->counts = words;
    return words + WW_SET_COUNTS;
}

static void begin_set(ww_gathering *self, int which)
{
    const ww_problem *problem = self->problem;
    ww_gathered_set *set = &self->sets[which];
    set->samples = samples_of(problem, which);
    set->wants = ww_gathering_wants(self->needs, which);
    set->kept = which;
    set->part = ww_gathering_part(problem, which);
    for (int64_t i = 0; set->wants & WW_NEED_TEST_REACH && i < set->part.count; i++) {
        const int64_t sample = set->part.first + i;
        set->norms[sample] =
            ww_norm(set->samples->inputs + sample * problem->dimension, problem->dimension);
    }
}

static ww_status create_worker(ww_gathering *self, int number, ww_error *error)
{
    const ww_problem *problem = self->problem;
    ww_gathering_worker *worker = &self->workers[number];
    ww_allocation list[WORKER_ARRAYS];
    list_worker(problem, self->needs, list);
    WW_TRY(ww_allocate_all(worker, list, WORKER_ARRAYS, error));
    WW_TRY(ww_product_inputs_create(arranged_by(problem, self->needs, number), problem->dimension,
                                    &worker->inputs, error));
    int64_t *words = worker->words;
    for (int which = 0; which < WW_ORIGIN_SETS; which++)
        words = place_words(problem, &self->sets[which], &worker->sums[which], words);
    worker->term_words = words;
    if (!has_gradients(self->needs))
        return WW_OK;
    ww_output_sum *of_batch = &worker->sums[WW_ORIGIN_SETS].outputs;
    if (number > 0)
        return ww_output_sum_create(of_batch, problem, problem->batch, error);
    *of_batch = self->batch.sum;
    return WW_OK;
}

ww_status ww_gathering_create(ww_gathering *self, const ww_problem *problem, unsigned needs,
                              ww_error *error)
{
    const int workers = ww_workers_of(problem->parallel);
    *self = (ww_gathering){.problem = problem, .needs = needs};
    ww_allocation list[ROOM_ARRAYS];
    list_room(problem, needs, list);
    WW_TRY(ww_allocate_all(self, list, ROOM_ARRAYS, error));
    if (has_gradients(needs))
        WW_TRY(ww_batch_room_create(&self->batch, problem, error));
    for (int set = 0; set < WW_ORIGIN_SETS; set++) {
        WW_TRY(ww_product_inputs_create(whole_samples(problem, needs, set), problem->dimension,
                                        &self->whole[set], error));
        begin_set(self, set);
    }
    self->word_count = count_words(problem, needs);
    self->workers = ww_allocate((size_t)workers, sizeof *self->workers, what, error);
    if (self->workers == NULL)
        return WW_FAILED;
    for (int i = 0; i < workers; i++)
        WW_TRY(create_worker(self, i, error));
    return WW_OK;
}

int64_t ww_gathering_bytes(const ww_problem *problem, unsigned needs)
{
    const int workers = ww_workers_of(problem->parallel);
    ww_allocation list[ROOM_ARRAYS], of_worker[WORKER_ARRAYS];
    list_room(problem, needs, list);
    list_worker(problem, needs, of_worker);
    int64_t bytes =
        (int64_t)sizeof(ww_gathering) + ww_allocation_bytes(list, ROOM_ARRAYS) +
        workers *
            ((int64_t)sizeof(ww_gathering_worker) + ww_allocation_bytes(of_worker, WORKER_ARRAYS)) +
        ww_product_inputs_bytes(whole_samples(problem, needs, WW_ORIGIN_TRAIN),
                                problem->dimension) +
        ww_product_inputs_bytes(whole_samples(problem, needs, WW_ORIGIN_TEST), problem->dimension);
    for (int i = 0; i < workers; i++)
        bytes += ww_product_inputs_bytes(arranged_by(problem, needs, i), problem->dimension);
    if (has_gradients(needs))
        bytes += ww_batch_room_bytes(problem) +
                 (workers - 1) * ww_output_sum_bytes(problem, problem->batch);
    return bytes;
}

static void begin_worker(ww_gathering *self, ww_gathering_worker *worker)
{
    worker->row_movement = 0.0;
    worker->least_ratio = INFINITY;
    worker->largest_ratio = -INFINITY;
    worker->equal_units = worker->large_units = 0;
    worker->inputs.samples = 0; // batches are gathered in the same place again and again
    memset(worker->words, 0, self->word_count * sizeof *worker->words);
}

void ww_gathering_begin(ww_gathering *self, const ww_origin *origin, ww_engine *engine)
{
    self->origin = origin;
    self->engine = engine;
    ww_engine_settle(engine); // then threads may ask for tiles
    for (int i = 0; i < ww_workers_of(self->problem->parallel); i++)
        begin_worker(self, &self->workers[i]);
    for (int64_t unit = 0;
         self->needs & WW_NEED_TEST_REACH && unit < self->problem->grid.tiling.local_units; unit++)
        self->reach[unit] = 0.0;
    for (int set = 0; set < WW_ORIGIN_SETS; set++)
        if (self->sets[set].wants & WW_NEED_TEST_PATTERNS)
            memset(self->sets[set].changed, 0, (size_t)self->problem->grid.tiling.local_units);
}

void ww_gathering_arrange(const ww_problem *problem, ww_product_inputs *inputs,
                          const ww_samples *samples, ww_part_of_samples part, int64_t start,
                          int64_t *first, int64_t *count)
{
    const int64_t most = piece_samples(problem);
    *first = start - (start - part.first) % most;
    *count = least(part.first + part.count - *first, most);
    const double *values = samples->inputs + *first * problem->dimension;
    if (inputs->values != values || inputs->samples != *count)
        ww_product_inputs_set(inputs, values, *count);
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

// Words are sums of integers, whoever has added them.
static void join_workers(ww_gathering *self)
{
    ww_gathering_worker *all = &self->workers[0];
    for (int i = 1; i < ww_workers_of(self->problem->parallel); i++) {
        const ww_gathering_worker *worker = &self->workers[i];
        for (size_t word = 0; word < self->word_count; word++)
            all->words[word] += worker->words[word];
        all->row_movement = fmax(all->row_movement, worker->row_movement);
        all->least_ratio = fmin(all->least_ratio, worker->least_ratio);
        all->largest_ratio = fmax(all->largest_ratio, worker->largest_ratio);
    }
}

ww_status ww_gathering_join(ww_gathering *self, ww_error *error)
{
    join_workers(self);
    const ww_parallel *column = ww_engine_column(self->engine);
    const int64_t units = self->problem->grid.tiling.local_units;
    for (int which = 0; which < WW_ORIGIN_SETS; which++) {
        const ww_gathered_set *set = &self->sets[which];
        int64_t *counts = self->workers[0].sums[which].counts;
        if (!(set->wants & WW_NEED_TEST_PATTERNS))
            continue;
        if (column != NULL)
            WW_TRY(ww_any(column, set->changed, (size_t)units, error));
        // Once for each column, whose ranks have the same.
        for (int64_t unit = 0; (column == NULL || column->rank == 0) && unit < units; unit++)
            counts[WW_COUNT_UNITS] += set->changed[unit];
    }
    return WW_OK;
}
