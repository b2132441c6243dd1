// H(t) of the finite network. Ranks own units, and blocks of H: so each rank finds for a panel of
// its units on which side every sample is, a bit each; panels are sent to all one after the other,
// and every rank counts for the pairs of samples in its blocks. Counts are integers, and the inner
// products of samples have a fixed shape: the bits do not depend on the ranks.

#include "gram/blocks.h"
#include "gram/directions.h"
#include "gram/popcount.h"
#include "train/kernels.h"
#include "widthwise/gram.h"
#include "widthwise/memory.h"

#include <cblas.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { WORD = 64, PANEL_UNITS = 4096, COUNT_ROWS = 64 };

typedef struct counting {
    const ww_gram_network *network;
    ww_block_matrix *matrix;
    int64_t samples;        ///< n
    int64_t panel_tiles;    ///< tiles of a panel, of one rank
    int64_t panel_words;    ///< words of a sample in a panel
    uint64_t *own;          ///< [n, panel_words], patterns of this rank's panel
    uint64_t *panel;        ///< [n, panel_words], the panel that is counted
    double *preactivations; ///< [tile units, block of samples]
    uint64_t *words;        ///< [block of samples]
    int64_t *active;        ///< [n], units active on each sample
    ww_chunk *left, *right;
    double *values; ///< [WW_CHUNK, WW_CHUNK]
    double *counts; ///< the matrix's entries: first units active on both samples, whole numbers
    ww_common_bits common_bits;
} counting;

static int64_t panel_tiles_of(const ww_tiling *tiling)
{
    const int64_t tiles = PANEL_UNITS / tiling->tile_units;
    return tiles > 1 ? tiles : 1;
}

static ww_status allocate(counting *work, ww_error *error)
{
    const ww_tiling *tiling = &work->network->problem->tiling;
    const size_t panel = (size_t)(work->samples * work->panel_words);
    const size_t block = (size_t)ww_block_size(work->samples, 0);
    const char *what = "activation patterns";
    const ww_allocation list[] = {
        {offsetof(counting, own), panel, sizeof(uint64_t), what},
        {offsetof(counting, panel), panel, sizeof(uint64_t), what},
        {offsetof(counting, preactivations), (size_t)tiling->tile_units * block, sizeof(double),
         "pre-activations"},
        {offsetof(counting, words), block, sizeof(uint64_t), what},
        {offsetof(counting, active), (size_t)work->samples, sizeof(int64_t), what},
        {offsetof(counting, left), 1, sizeof(ww_chunk), "a chunk of samples"},
        {offsetof(counting, right), 1, sizeof(ww_chunk), "a chunk of samples"},
        {offsetof(counting, values), (size_t)WW_CHUNK * WW_CHUNK, sizeof(double), "a chunk of H"},
    };
    WW_TRY(ww_allocate_all(work, list, sizeof list / sizeof list[0], error));
    const int64_t d = work->network->problem->dimension;
    WW_TRY(ww_chunk_create(d, work->left, error));
    WW_TRY(ww_chunk_create(d, work->right, error));
    const size_t entries = (size_t)(work->matrix->leading * work->matrix->local_columns);
    work->counts = work->matrix->entries;
    memset(work->counts, 0, entries * sizeof(double));
    return WW_OK;
}

static void release(counting *work)
{
    free(work->own);
    free(work->panel);
    free(work->preactivations);
    free(work->words);
    free(work->active);
    if (work->left != NULL)
        ww_chunk_free(work->left);
    if (work->right != NULL)
        ww_chunk_free(work->right);
    free(work->left);
    free(work->right);
    free(work->values);
}

/// Patterns of one tile on all samples, as words `first_word` and following of this rank's panel.
static void pack_tile(counting *work, int64_t tile, int64_t first_word)
{
    const ww_problem *problem = work->network->problem;
    const int64_t units = ww_tile_size(&problem->tiling, tile);
    const double *weights = work->network->tile(work->network->tile_context, tile);
    for (int64_t start = 0; start < work->samples; start += WW_SAMPLE_BLOCK) {
        const int64_t samples = ww_block_size(work->samples, start);
        ww_kernel_preactivations(problem->pairs, weights, units,
                                 problem->data->train.inputs + start * problem->dimension, samples,
                                 problem->dimension, work->preactivations);
        for (int64_t first = 0; first < units; first += WORD) {
            const int64_t end = units - first < WORD ? units : first + WORD;
            memset(work->words, 0, (size_t)samples * sizeof *work->words);
            for (int64_t u = first; u < end; u++)
                for (int64_t s = 0; s < samples; s++)
                    work->words[s] |= (uint64_t)(work->preactivations[u * samples + s] >= 0.0)
                                      << (u - first);
            for (int64_t s = 0; s < samples; s++)
                work->own[(start + s) * work->panel_words + first_word + first / WORD] =
                    work->words[s];
        }
    }
}

/// Patterns of panel `round` of this rank.
static void pack_panel(counting *work, int64_t round)
{
    const ww_tiling *tiling = &work->network->problem->tiling;
    const int64_t begin = round * work->panel_tiles;
    memset(work->own, 0, (size_t)(work->samples * work->panel_words) * sizeof *work->own);
    for (int64_t t = 0; t < work->panel_tiles && begin + t < tiling->local_tiles; t++)
        pack_tile(work, tiling->first_tile + begin + t, t * tiling->tile_units / WORD);
}

/// Adds the units of the panel to the counts of a part.
static void count_part(counting *work, const ww_part *part)
{
    const ww_block_matrix *matrix = work->matrix;
    for (int64_t j = part->first_column; j < part->first_column + part->columns; j++) {
        const int64_t column = ww_block_global_column(matrix, j);
        const uint64_t *right = work->panel + column * work->panel_words;
        double *counts = work->counts + j * matrix->leading;
        const int64_t from = ww_block_local_row_from(matrix, column);
        int64_t i = from > part->first_row ? from : part->first_row;
        for (; i < part->first_row + part->rows; i++) {
            const uint64_t *left = work->panel + ww_block_global_row(matrix, i) * work->panel_words;
            counts[i] += (double)work->common_bits(left, right, work->panel_words);
        }
    }
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/// Counts the panel, for a few rows and columns at a time, whose patterns stay in the cache.
static void count_panel(counting *work)
{
    const ww_block_matrix *matrix = work->matrix;
    for (int64_t s = 0; s < work->samples; s++) {
        const uint64_t *patterns = work->panel + s * work->panel_words;
        work->active[s] += work->common_bits(patterns, patterns, work->panel_words);
    }
    for (int64_t c = 0; c < matrix->local_columns; c += COUNT_ROWS)
        for (int64_t r = ww_block_local_row_from(matrix, ww_block_global_column(matrix, c));
             r < matrix->local_rows; r += COUNT_ROWS) {
            const ww_part part = {.first_row = r,
                                  .rows = least(matrix->local_rows - r, COUNT_ROWS),
                                  .first_column = c,
                                  .columns = least(matrix->local_columns - c, COUNT_ROWS)};
            count_part(work, &part);
        }
}

/// Counts all units of all ranks.
static ww_status count_all(counting *work, ww_error *error)
{
    const ww_parallel *parallel = &work->matrix->grid->parallel;
    const int64_t width = work->network->problem->tiling.width;
    const size_t bytes = (size_t)(work->samples * work->panel_words) * sizeof(uint64_t);
    for (int64_t round = 0;; round++) {
        bool packed = false;
        for (int owner = 0; owner < parallel->size; owner++) {
            const ww_tiling tiling = ww_tiling_make(width, owner, parallel->size);
            if (round * work->panel_tiles >= tiling.local_tiles)
                continue;
            if (!packed) // all ranks at once, before the first panel is sent
                pack_panel(work, round);
            packed = true;
            if (owner == parallel->rank)
                memcpy(work->panel, work->own, bytes);
            WW_TRY(ww_broadcast(parallel, work->panel, bytes, owner, error));
            count_panel(work);
        }
        if (!packed)
            return WW_OK;
    }
}

/// sum_r s'_ri s'_rj from the number of units active on both, on either, and of all.
static double slope_sum(double slope, double both, double left, double right, double all)
{
    const double one = left + right - 2.0 * both;
    const double none = all - left - right + both;
    return both + slope * one + slope * slope * none;
}

/// From counts to H, in chunks.
static void finish(counting *work)
{
    const ww_problem *problem = work->network->problem;
    ww_block_matrix *matrix = work->matrix;
    const double slope = problem->negative_slope;
    const double all = (double)problem->tiling.width;
    int64_t rows[WW_CHUNK], columns[WW_CHUNK];
    for (int64_t c = 0; c < matrix->local_columns; c += WW_CHUNK) {
        ww_part part = {.first_column = c, .columns = ww_part_columns(matrix, c, columns)};
        ww_chunk_load_inputs(problem->data->train.inputs, problem->dimension, columns, part.columns,
                             work->right);
        part.first_row = ww_block_local_row_from(matrix, columns[0]);
        for (; part.first_row < matrix->local_rows; part.first_row += WW_CHUNK) {
            part.rows = ww_part_rows(matrix, part.first_row, rows);
            ww_chunk_load_inputs(problem->data->train.inputs, problem->dimension, rows, part.rows,
                                 work->left);
            ww_chunk_products(work->left, work->right, problem->dimension, work->values);
            for (int64_t j = 0; j < part.columns; j++) {
                double *values = work->values + j * WW_CHUNK;
                const double *counts = work->counts + (c + j) * matrix->leading + part.first_row;
                for (int64_t i = 0; i < part.rows; i++)
                    values[i] *= work->network->output_square *
                                 slope_sum(slope, counts[i], (double)work->active[rows[i]],
                                           (double)work->active[columns[j]], all);
                ww_part_column_set(matrix, &part, j, values);
            }
        }
    }
}

ww_status ww_gram_network_fill(void *context, ww_block_matrix *matrix, ww_error *error)
{
    const ww_gram_network *network = context;
    const ww_problem *problem = network->problem;
    const int64_t samples = problem->data->train.count;
    if (matrix->rows != samples || matrix->columns != samples)
        return ww_fail(error, WW_USAGE,
                       "the Gram matrix of %lld samples was asked for as %lld x %lld",
                       (long long)samples, (long long)matrix->rows, (long long)matrix->columns);
    WW_ASSERT(problem->parallel->size == matrix->grid->parallel.size &&
              problem->parallel->rank == matrix->grid->parallel.rank &&
              problem->tiling.tile_units % WORD == 0);
    openblas_set_num_threads(1); // one rank, one core
    counting work = {.network = network,
                     .matrix = matrix,
                     .samples = samples,
                     .panel_tiles = panel_tiles_of(&problem->tiling),
                     .common_bits = ww_common_bits_choose()};
    work.panel_words = work.panel_tiles * problem->tiling.tile_units / WORD;
    const ww_parallel *parallel = &matrix->grid->parallel;
    ww_status status = ww_agree(parallel, allocate(&work, error), error);
    if (status == WW_OK)
        status = count_all(&work, error);
    if (status == WW_OK)
        finish(&work);
    release(&work);
    return status;
}

void ww_gram_network_cost(int64_t samples, int64_t dimension, int64_t width, const ww_grid *grid,
                          int64_t *bytes, double *flops)
{
    const ww_tiling tiling = ww_tiling_make(width, grid->parallel.rank, grid->parallel.size);
    const int64_t words = panel_tiles_of(&tiling) * tiling.tile_units / WORD;
    const int64_t block = ww_block_size(samples, 0);
    *bytes = 8 * (2 * samples * words + tiling.tile_units * block + block + samples +
                  (2 * dimension + WW_CHUNK) * WW_CHUNK);
    const double n = (double)samples, d = (double)dimension;
    const double places = (double)grid->rows * (double)grid->columns;
    *flops = 2.0 * n * d * (double)tiling.local_units;
    if (ww_grid_has_place(grid))
        *flops += n * n * d / places + n * n * (double)width / (2.0 * WORD * places);
}
