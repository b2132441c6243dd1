#include "train/layered_inside.h"

#include "parallel/workers.h"
#include "train/kernels.h"
#include "train/tally.h"
#include "widthwise/memory.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

// Bytes of the sums of derivatives that are made at once: more of them go through in groups.
static const int64_t MOST_SUM_BYTES = INT64_C(64) << 20;

const ww_layered_methods *ww_layered_methods_of(const ww_problem *problem)
{
    return problem->config->precision == WW_PRECISION_SINGLE ? &ww_layered_single
                                                             : &ww_layered_double;
}

int64_t ww_layered_first_row(const ww_problem *problem, int64_t layer)
{
    return layer == problem->depth ? 0 : problem->tiling.first_unit;
}

// ---- weights ------------------------------------------------------------------------------------

static int64_t hidden_count(const ww_problem *problem, int64_t layer)
{
    return problem->tiling.local_units * ww_layer_columns(problem, layer);
}

int64_t ww_layered_weight_bytes(const ww_problem *problem)
{
    const int64_t size = (int64_t)ww_layered_methods_of(problem)->size;
    const int64_t outputs = problem->tiling.local_units * problem->outputs;
    int64_t bytes =
        outputs * (int64_t)sizeof(double) + (ww_problem_is_single(problem) ? outputs * size : 0);
    for (int64_t layer = 1; layer <= problem->depth; layer++)
        bytes += hidden_count(problem, layer) * size;
    return bytes;
}

ww_status ww_layered_weights_create(const ww_problem *problem, ww_layered_weights *weights,
                                    ww_error *error)
{
    const size_t size = ww_layered_methods_of(problem)->size;
    const size_t outputs = (size_t)(problem->tiling.local_units * problem->outputs);
    *weights = (ww_layered_weights){0};
    weights->hidden = ww_allocate((size_t)problem->depth, sizeof(void *), "the layers", error);
    weights->output = ww_allocate(outputs, sizeof(double), "the output weights", error);
    if (weights->hidden == NULL || weights->output == NULL)
        return WW_FAILED;
    weights->narrow = ww_problem_is_single(problem)
                          ? ww_allocate(outputs, size, "the output weights", error)
                          : weights->output;
    if (weights->narrow == NULL)
        return WW_FAILED;
    for (int64_t layer = 1; layer <= problem->depth; layer++) {
        weights->hidden[layer - 1] = ww_allocate((size_t)hidden_count(problem, layer), size,
                                                 "the weights of a hidden layer", error);
        if (weights->hidden[layer - 1] == NULL)
            return WW_FAILED;
    }
    return WW_OK;
}

void ww_layered_weights_free(const ww_problem *problem, ww_layered_weights *weights)
{
    for (int64_t i = 0; weights->hidden != NULL && i < problem->depth; i++)
        free(weights->hidden[i]);
    free(weights->hidden);
    if (weights->narrow != (void *)weights->output)
        free(weights->narrow);
    free(weights->output);
    *weights = (ww_layered_weights){0};
}

// ---- the network --------------------------------------------------------------------------------

enum { ARRAYS = 11 };

// Samples of the largest block there may be.
static int64_t block_room(const ww_problem *problem)
{
    const int64_t batch = problem->batch;
    const int64_t train = problem->data->train.count;
    const int64_t test = problem->data->test.count;
    const int64_t most = batch > train ? batch : train;
    return ww_block_size(most > test ? most : test, 0);
}

int64_t ww_layered_pieces(const ww_problem *problem)
{
    const int64_t piece = ww_layered_methods_of(problem)->piece;
    return (problem->tiling.width + piece - 1) / piece;
}

int64_t ww_layered_piece_rows(const ww_problem *problem)
{
    const int64_t piece = ww_layered_methods_of(problem)->piece;
    return problem->tiling.width < piece ? problem->tiling.width : piece;
}

// Words of the sums of one piece at most.
static int64_t piece_words(const ww_problem *problem, int64_t samples)
{
    return ww_layered_piece_rows(problem) * ww_layered_methods_of(problem)->words * samples;
}

static int64_t word_room(const ww_problem *problem)
{
    const int64_t words = piece_words(problem, block_room(problem));
    const int64_t pieces = MOST_SUM_BYTES / (words * (int64_t)sizeof(int64_t));
    if (problem->depth == 1)
        return 0;
    return words * (pieces < 1                            ? 1
                    : pieces > ww_layered_pieces(problem) ? ww_layered_pieces(problem)
                                                          : pieces);
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

// Weights of the largest tile.
static int64_t tile_values(const ww_problem *problem)
{
    const ww_tiling *tiling = &problem->tiling;
    const int64_t columns = larger(problem->dimension, ww_layer_columns(problem, problem->depth));
    return (tiling->tile_units < tiling->width ? tiling->tile_units : tiling->width) * columns;
}

static void list_arrays(const ww_problem *problem, ww_allocation list[ARRAYS])
{
    const size_t size = ww_layered_methods_of(problem)->size;
    const size_t ranks = (size_t)problem->parallel->size;
    const int64_t block = block_room(problem);
    const int64_t tile = problem->tiling.tile_units < problem->tiling.width
                             ? problem->tiling.tile_units
                             : problem->tiling.width;
    const int64_t piece = problem->depth > 1 ? larger(tile, ww_layered_piece_rows(problem)) : tile;
    const int64_t outputs = (int64_t)ww_kernel_output_room(problem->pairs, block, problem->outputs);
    const ww_allocation arrays[] = {
        {offsetof(ww_layered, tile),
         (size_t)(ww_workers_of(problem->parallel) * tile_values(problem)), sizeof(double),
         "the weights of a tile"},
        {offsetof(ww_layered, partial), (size_t)larger(piece * block, outputs), size,
         "the products of a tile"},
        {offsetof(ww_layered, gradients), (size_t)(block * problem->outputs), size,
         "the output gradients of a block"},
        {offsetof(ww_layered, values), (size_t)(piece * block), sizeof(double),
         "the derivatives of some units"},
        {offsetof(ww_layered, outputs), (size_t)outputs, sizeof(double), "the outputs of a tile"},
        {offsetof(ww_layered, extras), (size_t)(block * ww_tally_extras(problem)), sizeof(double),
         "the tally of a tile"},
        {offsetof(ww_layered, largest), (size_t)block, sizeof(double), "the ranges of samples"},
        {offsetof(ww_layered, words), (size_t)word_room(problem), sizeof(int64_t),
         "the sums of derivatives"},
        {offsetof(ww_layered, row_counts), ranks, sizeof(int), "the units of ranks"},
        {offsetof(ww_layered, row_places), ranks, sizeof(int), "the units of ranks"},
        {offsetof(ww_layered, word_counts), ranks, sizeof(int), "the units of ranks"},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

int64_t ww_layered_work_bytes(const ww_problem *problem)
{
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    return ww_allocation_bytes(list, ARRAYS) + ww_column_format_bytes(block_room(problem));
}

// Weights at t = 0, tile by tile.
static void draw(ww_layered *network)
{
    const ww_problem *problem = network->problem;
    const ww_tiling *tiling = &problem->tiling;
    for (int64_t layer = 1; layer <= problem->depth; layer++)
        for (int64_t tile = 0; tile < tiling->local_tiles; tile++) {
            const ww_rows rows = ww_tile_rows(problem, tile);
            ww_initial_layer_weights(&problem->initial, layer, ww_layer_columns(problem, layer),
                                     tiling->first_unit + rows.first, rows.units, network->tile);
            ww_layered_put_tile(network, layer, tiling->first_tile + tile, network->tile);
        }
    ww_initial_output_weights(&problem->initial, tiling->first_unit, tiling->local_units,
                              network->weights.output);
    ww_layered_put_output_weights(network);
}

static ww_status make(const ww_problem *problem, ww_layered *network, ww_error *error)
{
    network->problem = problem;
    network->methods = ww_layered_methods_of(problem);
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    WW_TRY(ww_layered_weights_create(problem, &network->weights, error));
    WW_TRY(ww_allocate_all(network, list, ARRAYS, error));
    WW_TRY(ww_column_format_create(&network->format, block_room(problem),
                                   problem->tiling.tile_count, network->methods->words, error));
    network->word_room = word_room(problem);
    for (int rank = 0; rank < problem->parallel->size; rank++) {
        const ww_tiling tiling =
            ww_tiling_make(problem->tiling.width, rank, problem->parallel->size);
        network->row_counts[rank] = ww_int(tiling.local_units);
        network->row_places[rank] = ww_int(tiling.first_unit);
    }
    draw(network);
    return WW_OK;
}

ww_problem ww_layered_in_double(const ww_problem *problem, ww_config *config)
{
    ww_problem precise = *problem; // whose initial weights are those of the run: rounded as there
    *config = *problem->config;
    config->precision = WW_PRECISION_DOUBLE;
    precise.config = config;
    return precise;
}

ww_status ww_layered_create(const ww_problem *problem, ww_layered **network, ww_error *error)
{
    *network = NULL;
    ww_layered *made = ww_allocate(1, sizeof *made, "the network", error);
    if (made == NULL)
        return WW_FAILED;
    if (make(problem, made, error) != WW_OK) {
        ww_layered_free(made);
        return WW_FAILED;
    }
    *network = made;
    return WW_OK;
}

void ww_layered_free(ww_layered *network)
{
    if (network == NULL)
        return;
    ww_layered_weights_free(network->problem, &network->weights);
    ww_column_format_free(&network->format);
    free(network->tile);
    free(network->partial);
    free(network->gradients);
    free(network->values);
    free(network->outputs);
    free(network->extras);
    free(network->largest);
    free(network->words);
    free(network->row_counts);
    free(network->row_places);
    free(network->word_counts);
    free(network);
}

// Where a tile stands in the weights of its layer.
static void *tile_weights(const ww_layered *network, int64_t layer, int64_t tile, int64_t *count)
{
    const ww_tiling *tiling = &network->problem->tiling;
    WW_ASSERT(layer >= 1 && layer <= network->problem->depth);
    WW_ASSERT(tile >= tiling->first_tile && tile < tiling->first_tile + tiling->local_tiles);
    const ww_rows rows = ww_tile_rows(network->problem, tile - tiling->first_tile);
    const int64_t columns = ww_layer_columns(network->problem, layer);
    *count = rows.units * columns;
    return ww_layered_at(network->methods, network->weights.hidden[layer - 1],
                         rows.first * columns);
}

const double *ww_layered_tile(ww_layered *network, int worker, int64_t layer, int64_t tile)
{
    int64_t count = 0;
    const void *weights = tile_weights(network, layer, tile, &count);
    if (!ww_problem_is_single(network->problem))
        return weights;
    double *values = network->tile + worker * tile_values(network->problem);
    network->methods->numbers->widen(weights, count, values);
    return values;
}

void ww_layered_put_tile(ww_layered *network, int64_t layer, int64_t tile, const double *values)
{
    int64_t count = 0;
    void *weights = tile_weights(network, layer, tile, &count);
    network->methods->numbers->narrow(values, count, weights);
}

const double *ww_layered_preactivations(ww_layered *network, const ww_layered_block *block,
                                        int64_t layer, int64_t tile)
{
    const ww_problem *problem = network->problem;
    WW_ASSERT(layer >= 1 && layer <= problem->depth);
    const ww_rows rows = ww_tile_rows(problem, tile - problem->tiling.first_tile);
    network->methods->preactivate(network, block, layer, rows, network->partial);
    network->methods->numbers->widen(network->partial, rows.units * block->samples,
                                     network->values);
    return network->values;
}

double *ww_layered_output_weights(ww_layered *network)
{
    return network->weights.output;
}

// What is read of them is what the network has: in single precision they are rounded to it.
void ww_layered_put_output_weights(ww_layered *network)
{
    const int64_t count = network->problem->tiling.local_units * network->problem->outputs;
    if (!ww_problem_is_single(network->problem))
        return;
    network->methods->numbers->narrow(network->weights.output, count, network->weights.narrow);
    network->methods->numbers->widen(network->weights.narrow, count, network->weights.output);
}
