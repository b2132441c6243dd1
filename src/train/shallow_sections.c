// Updates by many samples: the gradient of a section of them (WW_SECTION_SAMPLES) is summed up in
// the precision of training, block by block, and sections are added as order-independent integers.
// So it does not matter which ranks of a column have which sections.
//
// Tiles go in bands: the inputs of a block are arranged for all tiles of a band, whose sums take
// a bounded memory, however many units there are.

#include "train/shallow.h"

#include "parallel/workers.h"
#include "train/kernels.h"
#include "widthwise/memory.h"

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

// At least enough that to arrange inputs takes about a hundredth of the time, at most enough for
// the threads of a rank, and between them what takes no more memory than this. The same on all
// ranks of a column.
enum { LEAST_TILES = 8, MOST_TILES = 16, BAND_BYTES = 64 << 20 };

// Ranges of sums: below the first their quanta would not be normal numbers, above the second
// infinite (sum.c).
enum { LEAST_RANGE = -800, MOST_RANGE = 1000 };

struct ww_section_sums {
    void *hidden;      // [band units, d], sums of a section in the precision of training
    void *output;      // [band units, k], where output weights are trained
    int64_t *words;    // of a tile [2 units (d + k)]: of hidden, then of output weights; at the
                       // end terms rejected
    double *values;    // [threads, tile units, d or k], widened
    int64_t *rejected; // [band tiles], terms
    int *ranges;       // [band tiles, 2], exponents of the terms' ranges
};

enum { ARRAYS = 6 };

static int64_t band_tiles(const ww_problem *problem)
{
    const ww_tiling *tiling = &problem->tiling;
    const int64_t tile = tiling->tile_units * problem->dimension * 3 * (int64_t)sizeof(double);
    const int64_t fitting = BAND_BYTES / tile;
    int64_t tiles = fitting < LEAST_TILES ? LEAST_TILES : fitting;
    tiles = tiles > MOST_TILES ? MOST_TILES : tiles;
    return tiling->local_tiles < tiles ? tiling->local_tiles : tiles;
}

// Columns that are summed: those of the hidden weights, and of the output weights if trained.
static int64_t output_columns(const ww_problem *problem)
{
    return problem->config->network.train_output ? problem->outputs : 0;
}

static size_t tile_words(const ww_problem *problem)
{
    return 2 *
           (size_t)(problem->tiling.tile_units * (problem->dimension + output_columns(problem)));
}

static void list_arrays(const ww_problem *problem, ww_allocation list[ARRAYS])
{
    static const char what[] = "the sums of sections of the train set";
    const size_t size = ww_activations_of(ww_problem_is_single(problem))->size;
    const size_t tiles = (size_t)band_tiles(problem);
    const size_t units = tiles * (size_t)problem->tiling.tile_units;
    const size_t d = (size_t)problem->dimension;
    const size_t k = (size_t)output_columns(problem);
    const size_t values = (size_t)ww_workers_of(problem->parallel) *
                          (size_t)problem->tiling.tile_units * (d > k ? d : k);
    const ww_allocation arrays[] = {
        {offsetof(ww_section_sums, hidden), units * d, size, what},
        {offsetof(ww_section_sums, output), units * k, size, what},
        {offsetof(ww_section_sums, words), tiles * tile_words(problem) + 1, sizeof(int64_t), what},
        {offsetof(ww_section_sums, values), values, sizeof(double), what},
        {offsetof(ww_section_sums, rejected), tiles, sizeof(int64_t), what},
        {offsetof(ww_section_sums, ranges), 2 * tiles, sizeof(int), what},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

int64_t ww_section_sums_bytes(const ww_problem *problem)
{
    ww_allocation list[ARRAYS];
    if (problem->sections <= 1)
        return 0;
    list_arrays(problem, list);
    return (int64_t)sizeof(ww_section_sums) + ww_allocation_bytes(list, ARRAYS);
}

ww_status ww_section_sums_create(const ww_problem *problem, ww_section_sums **sums, ww_error *error)
{
    *sums = NULL;
    if (problem->sections <= 1)
        return WW_OK;
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    *sums = ww_allocate(1, sizeof **sums, list[0].what, error);
    return *sums != NULL ? ww_allocate_all(*sums, list, ARRAYS, error) : WW_FAILED;
}

void ww_section_sums_free(ww_section_sums *sums)
{
    if (sums == NULL)
        return;
    free(sums->hidden);
    free(sums->output);
    free(sums->words);
    free(sums->values);
    free(sums->rejected);
    free(sums->ranges);
    free(sums);
}

// A band, and where in the samples it is.
typedef struct band {
    ww_shallow *self;
    int64_t first_tile; // of this rank's
    int64_t tiles;
    int64_t start, count; // block of samples
    bool begins;          // it is the first of a section
} band;

static ww_rows rows_of(const band *at, int64_t tile)
{
    return ww_tile_rows(at->self->problem, at->first_tile + tile);
}

// Where in the band's rows of `columns` numbers a tile has its own.
static void *place_of(const band *at, void *rows, int64_t tile, int64_t columns)
{
    return ww_place(at->self->methods, rows, tile * at->self->problem->tiling.tile_units * columns);
}

static int64_t *words_of(const band *at, int64_t tile)
{
    return at->self->sections->words + (size_t)tile * tile_words(at->self->problem);
}

static int64_t *output_words_of(const band *at, int64_t tile)
{
    return words_of(at, tile) + 2 * rows_of(at, tile).units * at->self->problem->dimension;
}

static double *values_of(const band *at, int worker)
{
    const ww_problem *problem = at->self->problem;
    const int64_t k = output_columns(problem);
    return at->self->sections->values +
           worker * problem->tiling.tile_units * (problem->dimension > k ? problem->dimension : k);
}

// Exponent of a power of two above `bound`, with room for rounding, between the possible ones.
static int range_above(double bound)
{
    int exponent = LEAST_RANGE;
    if (!(bound <= DBL_MAX))
        return MOST_RANGE;
    if (bound > 0.0)
        (void)frexp(bound, &exponent);
    exponent++;
    return exponent < LEAST_RANGE ? LEAST_RANGE : exponent > MOST_RANGE ? MOST_RANGE : exponent;
}

// Ranges of the terms of a tile: the sum over a section is below the number of its samples times
// the largest term there can be. They depend on this tile, and on all samples.
static void find_ranges(void *context, int worker, int64_t tile)
{
    const band *at = context;
    const ww_shallow *self = at->self;
    const ww_problem *problem = self->problem;
    const ww_step_bounds *bounds = &self->step.bounds;
    const ww_rows rows = rows_of(at, tile);
    const int64_t k = problem->outputs;
    const double slope = fmax(1.0, fabs(problem->negative_slope));
    const double each =
        (double)WW_SECTION_SAMPLES * problem->learning_rate * slope * bounds->gradient;
    double largest = 0.0;
    for (int64_t i = 0; i < rows.units * k; i++)
        largest = fmax(largest, fabs(self->output_weights[rows.first * k + i]));
    self->sections->ranges[2 * tile] = range_above(each * (double)k * largest * bounds->input);
    if (output_columns(problem) == 0)
        return;
    double *values = values_of(at, worker);
    const void *weights = self->keeper->tile(self->kept, worker, rows);
    double longest = 0.0; // squared
    self->methods->widen(weights, rows.units * problem->dimension, values);
    for (int64_t i = 0; i < rows.units; i++) {
        double square = 0.0;
        for (int64_t j = 0; j < problem->dimension; j++) {
            const double value = values[i * problem->dimension + j];
            square += value * value;
        }
        longest = fmax(longest, square);
    }
    self->sections->ranges[2 * tile + 1] = range_above(each * sqrt(longest) * bounds->input_length);
}

// A tile by a block of samples.
static void add_block(void *context, int worker, int64_t tile)
{
    const band *at = context;
    ww_shallow *self = at->self;
    ww_shallow_room *room = &self->rooms[worker];
    const ww_rows rows = rows_of(at, tile);
    const int64_t d = self->problem->dimension;
    const int64_t k = output_columns(self->problem);
    void *hidden = place_of(at, self->sections->hidden, tile, d);
    if (k > 0)
        ww_shallow_find_output_updates(self, room, rows, at->start, at->count, !at->begins,
                                       place_of(at, self->sections->output, tile, k));
    ww_shallow_find_coefficients(self, room, rows, at->start, at->count);
    if (at->begins)
        memset(hidden, 0, (size_t)(rows.units * d) * self->methods->size);
    self->keeper->move_rows(self->kept, rows, at->start, at->count, room->coefficients, hidden);
}

static ww_sum_format format_of(const ww_shallow *self, int64_t tile, int which)
{
    return ww_sum_format_make(self->problem->sections, self->sections->ranges[2 * tile + which]);
}

// Adds a section's sums of a tile to its words.
static void end_section(void *context, int worker, int64_t tile)
{
    const band *at = context;
    const ww_shallow *self = at->self;
    ww_section_sums *sums = self->sections;
    const int64_t units = rows_of(at, tile).units;
    const int64_t columns[] = {self->problem->dimension, output_columns(self->problem)};
    void *const rows[] = {sums->hidden, sums->output};
    int64_t *const words[] = {words_of(at, tile), output_words_of(at, tile)};
    double *values = values_of(at, worker);
    for (int which = 0; which < 2; which++) {
        const int64_t count = units * columns[which];
        const ww_sum_format format = format_of(self, tile, which);
        self->methods->widen(place_of(at, rows[which], tile, columns[which]), count, values);
        sums->rejected[tile] += ww_sum_add(&format, values, (size_t)count, words[which]);
    }
}

// The sums of all samples, as changes of the weights in the precision of training.
static void move_tile(void *context, int worker, int64_t tile)
{
    const band *at = context;
    ww_shallow *self = at->self;
    ww_section_sums *sums = self->sections;
    const ww_problem *problem = self->problem;
    const ww_rows rows = rows_of(at, tile);
    const int64_t columns[] = {problem->dimension, output_columns(problem)};
    void *const changes[] = {place_of(at, sums->hidden, tile, problem->dimension),
                             columns[1] > 0 ? ww_shallow_output_updates(self, rows) : NULL};
    const int64_t *const words[] = {words_of(at, tile), output_words_of(at, tile)};
    const bool is_lost = sums->words[(size_t)at->tiles * tile_words(problem)] > 0;
    double *values = values_of(at, worker);
    for (int which = 0; which < 2; which++) {
        const int64_t count = rows.units * columns[which];
        const ww_sum_format format = format_of(self, tile, which);
        ww_sum_values(&format, words[which], (size_t)count, values);
        for (int64_t i = 0; is_lost && i < count; i++)
            values[i] = NAN;
        if (count > 0)
            self->methods->narrow(values, count, changes[which]);
    }
    self->keeper->add_rows(self->kept, rows, changes[0]);
    ww_shallow_move_output_weights(self, rows);
}

static void for_band(const band *at, void (*work)(void *context, int worker, int64_t tile))
{
    band copy = *at; // to be handed on
    ww_for_each(at->self->problem->parallel, at->tiles, work, &copy);
}

static ww_status update_band(band *at, ww_error *error)
{
    ww_shallow *self = at->self;
    ww_section_sums *sums = self->sections;
    const ww_problem *problem = self->problem;
    const size_t word_count = (size_t)at->tiles * tile_words(problem) + 1;
    memset(sums->words, 0, word_count * sizeof *sums->words);
    memset(sums->rejected, 0, (size_t)at->tiles * sizeof *sums->rejected);
    for_band(at, find_ranges);
    for (at->start = 0; at->start < problem->batch; at->start += at->count) {
        at->count = ww_block_size(problem->batch, at->start);
        at->begins = at->start % WW_SECTION_SAMPLES == 0;
        self->keeper->take_block(self->kept, WW_PASS_UPDATE, at->start, at->count);
        for_band(at, add_block);
        const int64_t end = at->start + at->count;
        if (end % WW_SECTION_SAMPLES == 0 || end == problem->batch)
            for_band(at, end_section);
    }
    for (int64_t tile = 0; tile < at->tiles; tile++)
        sums->words[word_count - 1] += sums->rejected[tile];
    if (problem->column != NULL)
        WW_TRY(ww_sum_words(problem->column, sums->words, word_count, error));
    for_band(at, move_tile);
    return WW_OK;
}

ww_status ww_shallow_update_by_sections(ww_shallow *self, ww_error *error)
{
    const int64_t tiles = self->problem->tiling.local_tiles;
    const int64_t most = band_tiles(self->problem);
    band at = {.self = self};
    for (; at.first_tile < tiles; at.first_tile += at.tiles) {
        at.tiles = tiles - at.first_tile < most ? tiles - at.first_tile : most;
        WW_TRY(update_band(&at, error));
    }
    self->is_stale = false;
    self->keeper->moved(self->kept);
    return WW_OK;
}
