// Inner products between samples.

#include "train/layered_inside.h"

#include "train/kernels.h"
#include "widthwise/memory.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 2 };

struct ww_layered_pairs {
    int64_t samples; // that there is room for, of either block
    void *product;   // [left samples, right samples], of one tile
    double *values;  // the same, widened
    int64_t *words;  // of their sums, and the terms left out
    double *sizes;   // [left samples], largest of each
    ww_column_format format;
};

enum { ARRAYS = 4 };

static void list_arrays(const ww_problem *problem, int64_t samples, ww_allocation list[ARRAYS])
{
    static const char what[] = "inner products between samples";
    const size_t pairs = (size_t)samples * (size_t)samples;
    const ww_allocation arrays[] = {
        {offsetof(ww_layered_pairs, product), pairs, ww_layered_methods_of(problem)->size, what},
        {offsetof(ww_layered_pairs, values), pairs, sizeof(double), what},
        {offsetof(ww_layered_pairs, words), WORDS * pairs + 1, sizeof(int64_t), what},
        {offsetof(ww_layered_pairs, sizes), (size_t)samples, sizeof(double), what},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

int64_t ww_layered_pairs_bytes(const ww_problem *problem, int64_t samples)
{
    ww_allocation list[ARRAYS];
    list_arrays(problem, samples, list);
    return ww_allocation_bytes(list, ARRAYS) + ww_column_format_bytes(samples);
}

ww_status ww_layered_pairs_create(const ww_problem *problem, int64_t samples,
                                  ww_layered_pairs **pairs, ww_error *error)
{
    ww_allocation list[ARRAYS];
    list_arrays(problem, samples, list);
    *pairs = NULL;
    ww_layered_pairs *made = ww_allocate(1, sizeof *made, "inner products between samples", error);
    if (made == NULL)
        return WW_FAILED;
    made->samples = samples;
    ww_status status = ww_allocate_all(made, list, ARRAYS, error);
    if (status == WW_OK)
        status = ww_column_format_create(&made->format, samples, problem->tiling.tile_count, WORDS,
                                         error);
    if (status == WW_OK)
        *pairs = made;
    else
        ww_layered_pairs_free(made);
    return status;
}

void ww_layered_pairs_free(ww_layered_pairs *pairs)
{
    if (pairs == NULL)
        return;
    free(pairs->product);
    free(pairs->values);
    free(pairs->words);
    free(pairs->sizes);
    ww_column_format_free(&pairs->format);
    free(pairs);
}

// Two arrays [rows, samples] of this rank, of the same units, tiles one after the other.
typedef struct factors {
    void *left, *right;
    int64_t left_samples, right_samples;
} factors;

void ww_layered_scale_rows(const double *sizes, int64_t rows, int64_t columns, bool upper, int sign,
                           double *values)
{
    for (int64_t row = 0; row < rows; row++) {
        int exponent = 0;
        (void)frexp(sizes[row], &exponent);
        const double factor = ldexp(1.0, sign * exponent);
        for (int64_t i = upper ? row : 0; i < columns; i++)
            values[row * columns + i] *= factor;
    }
}

// products = sum over all units left^T right. A term is one tile's part, so below the number of its
// units times the largest of both samples.
static ww_status sum_products(ww_layered *network, const factors *both, ww_layered_pairs *room,
                              double *products, ww_error *error)
{
    const ww_problem *problem = network->problem;
    const int64_t units = problem->tiling.local_units;
    const int64_t left = both->left_samples, right = both->right_samples;
    const int64_t count = left * right;
    WW_TRY(ww_layered_largest(network, both->left, units, left, room->sizes, error));
    if (both->right == both->left) // a block with itself
        memcpy(network->largest, room->sizes, (size_t)left * sizeof *room->sizes);
    else
        WW_TRY(ww_layered_largest(network, both->right, units, right, network->largest, error));
    int exponent = 0;
    (void)frexp((double)problem->tiling.tile_units, &exponent);
    // One more, since rounding may lift a term above the product of its factors.
    ww_column_format_set(&room->format, right, network->largest, exponent + 1);
    const size_t words = (size_t)(room->format.words * count);
    memset(room->words, 0, (words + 1) * sizeof *room->words);
    int64_t *rejected = room->words + words; // summed along with the rest
    for (int64_t tile = 0; tile < problem->tiling.local_tiles; tile++) {
        const ww_rows rows = ww_tile_rows(problem, tile);
        network->methods->multiply(ww_layered_at(network->methods, both->left, rows.first * left),
                                   left,
                                   ww_layered_at(network->methods, both->right, rows.first * right),
                                   right, rows.units, room->product, room->values);
        ww_layered_scale_rows(room->sizes, left, right, false, -1, room->values);
        *rejected += ww_column_sum_add(&room->format, room->values, left, room->words);
    }
    WW_TRY(ww_sum_words(problem->parallel, room->words, words + 1, error));
    if (*rejected > 0)
        return ww_fail(error, WW_DIVERGED,
                       "an inner product of derivatives or activations of two samples is not "
                       "finite; a smaller training.rate may help");
    ww_column_sum_values(&room->format, room->words, left, products);
    ww_layered_scale_rows(room->sizes, left, right, false, 1, products);
    return WW_OK;
}

ww_status ww_layered_products(ww_layered *network, ww_layered_pairs *pairs,
                              const ww_layered_block *left, const ww_layered_block *right,
                              int64_t layer, double *derivatives, double *inputs, ww_error *error)
{
    const ww_problem *problem = network->problem;
    factors both = {.left_samples = left->samples, .right_samples = right->samples};
    WW_ASSERT(layer >= 1 && layer <= problem->depth);
    WW_ASSERT(left->samples <= pairs->samples && right->samples <= pairs->samples);
    WW_ASSERT(derivatives == NULL || (left->derivatives != NULL && right->derivatives != NULL));
    if (derivatives != NULL) {
        both.left = left->derivatives[layer - 1];
        both.right = right->derivatives[layer - 1];
        WW_TRY(sum_products(network, &both, pairs, derivatives, error));
    }
    if (inputs == NULL)
        return WW_OK;
    if (layer == 1) { // which every rank has in full
        network->methods->multiply_inputs(left, right, pairs->product, inputs);
        return WW_OK;
    }
    const int64_t own = ww_layered_first_row(problem, layer - 1);
    both.left = ww_layered_at(network->methods, left->activations[layer - 2], own * left->samples);
    both.right =
        ww_layered_at(network->methods, right->activations[layer - 2], own * right->samples);
    return sum_products(network, &both, pairs, inputs, error);
}
