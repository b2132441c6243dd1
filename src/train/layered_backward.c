// The way back.

#include "train/layered_inside.h"

#include "widthwise/memory.h"

#include <math.h>
#include <string.h>

ww_status ww_layered_agree_largest(const ww_layered *network, int64_t samples, double *largest,
                                   ww_error *error)
{
    WW_TRY(ww_maximum(network->problem->parallel, largest, (size_t)samples, error));
    for (int64_t i = 0; i < samples; i++)
        if (!(largest[i] < HUGE_VAL))
            return ww_fail(error, WW_DIVERGED,
                           "a derivative by a hidden unit is not finite or grows too fast from "
                           "layer to layer; a smaller training.rate may help");
    return WW_OK;
}

ww_status ww_layered_largest(const ww_layered *network, const void *values, int64_t rows,
                             int64_t samples, double *largest, ww_error *error)
{
    for (int64_t i = 0; i < samples; i++)
        largest[i] = 0.0;
    network->methods->find_largest(values, rows, samples, largest);
    return ww_layered_agree_largest(network, samples, largest, error);
}

// Largest derivatives of a layer, in the block. Terms that were left out on this rank when these
// derivatives were summed, `rejected` of them, make the largest infinite: so all ranks learn of it.
static ww_status agree_on_layer(ww_layered *network, ww_layered_block *block, int64_t layer,
                                int64_t rejected, ww_error *error)
{
    double *largest = block->largest + (layer - 1) * block->samples;
    for (int64_t i = 0; i < block->samples; i++)
        largest[i] = rejected > 0 ? HUGE_VAL : 0.0;
    network->methods->find_largest(block->derivatives[layer - 1],
                                   network->problem->tiling.local_units, block->samples, largest);
    return ww_layered_agree_largest(network, block->samples, largest, error);
}

// Terms of the sums are products of a tile of weights with derivatives. Beside the largest
// derivative of a sample they have this range, which leaves weights room to grow far beyond where
// they began.
static int range_of_terms(const ww_problem *problem)
{
    enum { ROOM = 16 };
    const double size =
        ww_config_hidden_std(problem->config) * sqrt((double)problem->tiling.tile_units);
    int exponent = 0;
    (void)frexp(size, &exponent);
    return ROOM + (exponent > 0 ? exponent : 0);
}

// Columns of a layer whose derivatives are summed together: every `stride`-th piece, so that each
// group has some of every rank.
typedef struct group {
    int64_t first_piece, stride, pieces;
} group;

typedef struct span {
    int64_t begin, end;
} span;

static span piece_at(const ww_problem *problem, int64_t piece)
{
    const int64_t rows = ww_layered_methods_of(problem)->piece;
    const int64_t begin = piece * rows;
    const int64_t end = begin + rows;
    return (span){begin, end < problem->tiling.width ? end : problem->tiling.width};
}

static int64_t overlap(span a, int64_t begin, int64_t end)
{
    const int64_t from = a.begin > begin ? a.begin : begin;
    const int64_t to = a.end < end ? a.end : end;
    return to > from ? to - from : 0;
}

// This rank's parts of the sums of a group, one piece after the other. Returns the terms left out.
static int64_t add_group(ww_layered *network, const ww_layered_block *block, int64_t layer,
                         const group *self)
{
    const ww_problem *problem = network->problem;
    const int64_t row_words = network->methods->words * block->samples;
    int64_t *words = network->words;
    int64_t rejected = 0;
    for (int64_t piece = self->first_piece; piece < self->pieces; piece += self->stride) {
        const span columns = piece_at(problem, piece);
        const int64_t count = columns.end - columns.begin;
        memset(words, 0, (size_t)(count * row_words) * sizeof *words);
        for (int64_t tile = 0; tile < problem->tiling.local_tiles; tile++)
            rejected += network->methods->add_back(
                network, block, layer, ww_tile_rows(problem, tile), columns.begin, count, words);
        words += count * row_words;
    }
    return rejected;
}

// Hands every rank the sums of its own units.
static ww_status scatter_group(ww_layered *network, const ww_layered_block *block,
                               const group *self, ww_error *error)
{
    const ww_problem *problem = network->problem;
    const int64_t row_words = network->methods->words * block->samples;
    for (int rank = 0; rank < problem->parallel->size; rank++) {
        const int64_t begin = network->row_places[rank];
        int64_t rows = 0;
        for (int64_t piece = self->first_piece; piece < self->pieces; piece += self->stride)
            rows += overlap(piece_at(problem, piece), begin, begin + network->row_counts[rank]);
        network->word_counts[rank] = ww_int(rows * row_words);
    }
    return ww_scatter_sums(problem->parallel, network->words, network->word_counts, error);
}

// Derivatives by the pre-activations of layer `layer`, from their sums over units of the next.
static void take_group(ww_layered *network, ww_layered_block *block, int64_t layer,
                       const group *self)
{
    const ww_problem *problem = network->problem;
    const ww_tiling *tiling = &problem->tiling;
    const int64_t *words = network->words;
    for (int64_t piece = self->first_piece; piece < self->pieces; piece += self->stride) {
        const span columns = piece_at(problem, piece);
        const int64_t first =
            columns.begin > tiling->first_unit ? columns.begin : tiling->first_unit;
        const ww_rows rows = {
            .first = first - tiling->first_unit,
            .units = overlap(columns, tiling->first_unit, tiling->first_unit + tiling->local_units),
        };
        if (rows.units == 0)
            continue;
        ww_column_sum_values(&network->format, words, rows.units, network->values);
        network->methods->take_back(block, layer, rows, network->values);
        words += rows.units * network->methods->words * block->samples;
    }
}

// From the derivatives of layer `layer` to those of the one before.
static ww_status step_back(ww_layered *network, ww_layered_block *block, int64_t layer,
                           ww_error *error)
{
    const ww_problem *problem = network->problem;
    const int64_t pieces = ww_layered_pieces(problem);
    const int64_t rows = ww_layered_piece_rows(problem);
    const int64_t at_once = network->word_room / (rows * network->methods->words * block->samples);
    const int64_t groups = (pieces + at_once - 1) / at_once;
    int64_t rejected = 0;
    ww_column_format_set(&network->format, block->samples,
                         block->largest + (layer - 1) * block->samples, range_of_terms(problem));
    for (int64_t i = 0; i < groups; i++) {
        const group self = {.first_piece = i, .stride = groups, .pieces = pieces};
        rejected += add_group(network, block, layer, &self);
        WW_TRY(scatter_group(network, block, &self, error));
        take_group(network, block, layer - 1, &self);
    }
    return agree_on_layer(network, block, layer - 1, rejected, error);
}

ww_status ww_layered_backward(ww_layered *network, ww_layered_block *block, const double *gradients,
                              ww_error *error)
{
    const ww_problem *problem = network->problem;
    WW_ASSERT(block->derivatives != NULL);
    network->methods->numbers->narrow(gradients, block->samples * problem->outputs,
                                      network->gradients);
    for (int64_t tile = 0; tile < problem->tiling.local_tiles; tile++)
        network->methods->begin_backward(network, block, ww_tile_rows(problem, tile));
    if (problem->depth == 1) // of which every unit is one rank's own
        return WW_OK;
    WW_TRY(agree_on_layer(network, block, problem->depth, 0, error));
    for (int64_t layer = problem->depth; layer > 1; layer--)
        WW_TRY(step_back(network, block, layer, error));
    return WW_OK;
}
