// The way back, and inner products between samples.

#include "train/layered_inside.h"

#include "widthwise/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

ww_status ww_layered_largest(const ww_layered *network, const void *values, int64_t rows,
                             int64_t samples, double *largest, ww_error *error)
{
    for (int64_t i = 0; i < samples; i++)
        largest[i] = 0.0;
    network->methods->find_largest(values, rows, samples, largest);
    WW_TRY(ww_maximum(network->problem->parallel, largest, (size_t)samples, error));
    for (int64_t i = 0; i < samples; i++)
        if (!(largest[i] < HUGE_VAL))
            return ww_fail(error, WW_DIVERGED,
                           "a derivative by a hidden unit is not finite; a smaller training.rate "
                           "may help");
    return WW_OK;
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
            rejected += network->methods->add_back(network, block, layer,
                                                   ww_layered_tile_rows(problem, tile),
                                                   columns.begin, count, words);
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
        const ww_layered_rows rows = {
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

// From the derivatives of layer `layer` to those of the one before. `rejected` counts terms left
// out on this rank.
static ww_status step_back(ww_layered *network, ww_layered_block *block, int64_t layer,
                           int64_t *rejected, ww_error *error)
{
    const ww_problem *problem = network->problem;
    const int64_t pieces = ww_layered_pieces(problem);
    const int64_t rows = ww_layered_piece_rows(problem);
    const int64_t at_once = network->word_room / (rows * network->methods->words * block->samples);
    const int64_t groups = (pieces + at_once - 1) / at_once;
    WW_TRY(ww_layered_largest(network, block->derivatives[layer - 1], problem->tiling.local_units,
                              block->samples, network->largest, error));
    ww_column_format_set(&network->format, block->samples, network->largest,
                         range_of_terms(problem));
    for (int64_t i = 0; i < groups; i++) {
        const group self = {.first_piece = i, .stride = groups, .pieces = pieces};
        *rejected += add_group(network, block, layer, &self);
        WW_TRY(scatter_group(network, block, &self, error));
        take_group(network, block, layer - 1, &self);
    }
    return WW_OK;
}

ww_status ww_layered_backward(ww_layered *network, ww_layered_block *block, const double *gradients,
                              ww_error *error)
{
    const ww_problem *problem = network->problem;
    WW_ASSERT(block->derivatives != NULL);
    network->methods->narrow(gradients, block->samples * problem->outputs, network->gradients);
    for (int64_t tile = 0; tile < problem->tiling.local_tiles; tile++)
        network->methods->begin_backward(network, block, ww_layered_tile_rows(problem, tile));
    if (problem->depth == 1) // of which every unit is one rank's own
        return WW_OK;
    int64_t rejected = 0;
    for (int64_t layer = problem->depth; layer > 1; layer--)
        WW_TRY(step_back(network, block, layer, &rejected, error));
    WW_TRY(ww_sum_words(problem->parallel, &rejected, 1, error));
    if (rejected > 0)
        return ww_fail(error, WW_DIVERGED,
                       "a derivative by a hidden unit is not finite or grows too fast from layer "
                       "to layer; a smaller training.rate may help");
    return WW_OK;
}

// ---- inner products -----------------------------------------------------------------------------

// Two arrays [rows, samples] of this rank, of the same units, tiles one after the other.
typedef struct factors {
    void *left, *right;
    int64_t left_samples, right_samples;
} factors;

typedef struct product_room {
    void *product;  // [left samples, right samples], of one tile
    double *values; // the same, widened
    int64_t *words; // of their sums, and the terms left out
    double *sizes;  // [left samples], largest of each
    ww_column_format format;
} product_room;

static ww_status make_room(const ww_layered *network, int64_t left, int64_t right,
                           product_room *room, ww_error *error)
{
    enum { WORDS = 2 };
    static const char what[] = "inner products between samples";
    const size_t count = (size_t)(left * right);
    *room = (product_room){.product = ww_allocate(count, network->methods->size, what, error),
                           .values = ww_allocate(count, sizeof(double), what, error),
                           .words = ww_allocate(WORDS * count + 1, sizeof(int64_t), what, error),
                           .sizes = ww_allocate((size_t)left, sizeof(double), what, error)};
    if (room->product == NULL || room->values == NULL || room->words == NULL || room->sizes == NULL)
        return WW_FAILED;
    return ww_column_format_create(&room->format, right, network->problem->tiling.tile_count, WORDS,
                                   error);
}

static void free_room(product_room *room)
{
    free(room->product);
    free(room->values);
    free(room->words);
    free(room->sizes);
    ww_column_format_free(&room->format);
}

// Multiplies row i by 2^(sign e_i) with e_i the exponent of sizes[i]: exact, and then all rows are
// in one range.
static void scale_rows(const double *sizes, int64_t rows, int64_t columns, int sign, double *values)
{
    for (int64_t row = 0; row < rows; row++) {
        int exponent = 0;
        (void)frexp(sizes[row], &exponent);
        const double factor = ldexp(1.0, sign * exponent);
        for (int64_t i = 0; i < columns; i++)
            values[row * columns + i] *= factor;
    }
}

// products = sum over all units left^T right. A term is one tile's part, so below the number of its
// units times the largest of both samples.
static ww_status sum_products(ww_layered *network, const factors *both, product_room *room,
                              double *products, ww_error *error)
{
    const ww_problem *problem = network->problem;
    const int64_t units = problem->tiling.local_units;
    const int64_t left = both->left_samples, right = both->right_samples;
    const int64_t count = left * right;
    WW_TRY(ww_layered_largest(network, both->left, units, left, room->sizes, error));
    WW_TRY(ww_layered_largest(network, both->right, units, right, network->largest, error));
    int exponent = 0;
    (void)frexp((double)problem->tiling.tile_units, &exponent);
    // One more, since rounding may lift a term above the product of its factors.
    ww_column_format_set(&room->format, right, network->largest, exponent + 1);
    const size_t words = (size_t)(room->format.words * count);
    memset(room->words, 0, (words + 1) * sizeof *room->words);
    int64_t *rejected = room->words + words; // summed along with the rest
    for (int64_t tile = 0; tile < problem->tiling.local_tiles; tile++) {
        const ww_layered_rows rows = ww_layered_tile_rows(problem, tile);
        network->methods->multiply(ww_layered_at(network->methods, both->left, rows.first * left),
                                   left,
                                   ww_layered_at(network->methods, both->right, rows.first * right),
                                   right, rows.units, room->product, room->values);
        scale_rows(room->sizes, left, right, -1, room->values);
        *rejected += ww_column_sum_add(&room->format, room->values, left, room->words);
    }
    WW_TRY(ww_sum_words(problem->parallel, room->words, words + 1, error));
    if (*rejected > 0)
        return ww_fail(error, WW_DIVERGED,
                       "an inner product of derivatives or activations of two samples is not "
                       "finite; a smaller training.rate may help");
    ww_column_sum_values(&room->format, room->words, left, products);
    scale_rows(room->sizes, left, right, 1, products);
    return WW_OK;
}

static ww_status find_products(ww_layered *network, const ww_layered_block *left,
                               const ww_layered_block *right, int64_t layer, product_room *room,
                               double *derivatives, double *inputs, ww_error *error)
{
    const ww_problem *problem = network->problem;
    factors both = {.left_samples = left->samples, .right_samples = right->samples};
    if (derivatives != NULL) {
        both.left = left->derivatives[layer - 1];
        both.right = right->derivatives[layer - 1];
        WW_TRY(sum_products(network, &both, room, derivatives, error));
    }
    if (inputs == NULL)
        return WW_OK;
    if (layer == 1) { // which every rank has in full
        network->methods->multiply_inputs(left, right, room->product, inputs);
        return WW_OK;
    }
    const int64_t own = ww_layered_first_row(problem, layer - 1);
    both.left = ww_layered_at(network->methods, left->activations[layer - 2], own * left->samples);
    both.right =
        ww_layered_at(network->methods, right->activations[layer - 2], own * right->samples);
    return sum_products(network, &both, room, inputs, error);
}

ww_status ww_layered_products(ww_layered *network, const ww_layered_block *left,
                              const ww_layered_block *right, int64_t layer, double *derivatives,
                              double *inputs, ww_error *error)
{
    WW_ASSERT(layer >= 1 && layer <= network->problem->depth);
    WW_ASSERT(derivatives == NULL || (left->derivatives != NULL && right->derivatives != NULL));
    product_room room;
    ww_status status = make_room(network, left->samples, right->samples, &room, error);
    status = ww_agree(network->problem->parallel, status, error);
    if (status == WW_OK)
        status = find_products(network, left, right, layer, &room, derivatives, inputs, error);
    free_room(&room);
    return status;
}
