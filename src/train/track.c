#include "train/track.h"

#include "train/kernels.h"
#include "train/product_norm.h"
#include "widthwise/memory.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

// Relative, of the squared norms.
static const double TOLERANCE = 1e-12;

// Inner products of all samples of a batch, and what is made of them. Kept from step to step, since
// what is large takes its time to be given, and ranks to agree on whether all got it.
typedef struct ww_track_room {
    double *derivatives, *inputs;             // A and C, [B, B]
    double *block_derivatives, *block_inputs; // those of two blocks
    ww_layered_pairs *pairs;
    ww_product_norm *norm;
} ww_track_room;

enum { ARRAYS = 4 };

static void list_arrays(const ww_problem *problem, ww_allocation list[ARRAYS])
{
    static const char what[] = "inner products between the samples of a batch";
    const size_t batch = (size_t)problem->batch;
    const size_t block = (size_t)ww_block_size(problem->batch, 0);
    const ww_allocation arrays[ARRAYS] = {
        {offsetof(ww_track_room, derivatives), batch * batch, sizeof(double), what},
        {offsetof(ww_track_room, inputs), batch * batch, sizeof(double), what},
        {offsetof(ww_track_room, block_derivatives), block * block, sizeof(double), what},
        {offsetof(ww_track_room, block_inputs), block * block, sizeof(double), what},
    };
    memcpy(list, arrays, sizeof arrays);
}

static void free_room(ww_track_room *room)
{
    if (room == NULL)
        return;
    free(room->derivatives);
    free(room->inputs);
    free(room->block_derivatives);
    free(room->block_inputs);
    ww_layered_pairs_free(room->pairs);
    ww_product_norm_free(room->norm);
    free(room);
}

static ww_status make_room(const ww_problem *problem, ww_track_room *room, ww_error *error)
{
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    WW_TRY(ww_allocate_all(room, list, ARRAYS, error));
    WW_TRY(ww_layered_pairs_create(problem, ww_block_size(problem->batch, 0), &room->pairs, error));
    return ww_product_norm_create(problem->batch, &room->norm, error);
}

static ww_status make(const ww_problem *problem, ww_track *track, ww_error *error)
{
    const size_t depth = (size_t)problem->depth;
    track->lengths = ww_allocate(depth, sizeof(double), "the track of steps", error);
    track->moves = ww_allocate(depth, sizeof(double), "the track of steps", error);
    track->room = ww_allocate(1, sizeof *track->room, "the track of steps", error);
    if (track->lengths == NULL || track->moves == NULL || track->room == NULL)
        return WW_FAILED;
    for (size_t i = 0; i < depth; i++)
        track->moves[i] = (double)NAN;
    return make_room(problem, track->room, error);
}

ww_status ww_track_create(const ww_problem *problem, ww_track **track, ww_error *error)
{
    *track = NULL;
    ww_track *made = ww_allocate(1, sizeof *made, "the track of steps", error);
    if (made == NULL)
        return WW_FAILED;
    made->loss = (double)NAN;
    made->gradient_squared = (double)NAN;
    if (make(problem, made, error) != WW_OK) {
        ww_track_free(made);
        return WW_FAILED;
    }
    *track = made;
    return WW_OK;
}

void ww_track_free(ww_track *track)
{
    if (track == NULL)
        return;
    free(track->lengths);
    free(track->moves);
    free_room(track->room);
    free(track);
}

void ww_track_cost(const ww_problem *problem, int64_t *bytes, double *flops)
{
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    *bytes = 2 * problem->depth * (int64_t)sizeof(double) + ww_allocation_bytes(list, ARRAYS) +
             ww_layered_pairs_bytes(problem, ww_block_size(problem->batch, 0)) +
             ww_product_norm_bytes(problem->batch);
    // Each pair of blocks once: derivatives of every layer, and activations of all but the last.
    double pairs = 0.0;
    for (int64_t first = 0; first < problem->batch; first += WW_SAMPLE_BLOCK)
        pairs += (double)ww_block_size(problem->batch, first) * (double)(problem->batch - first);
    *flops = 2.0 * pairs * (double)(2 * problem->depth - 1) * (double)problem->tiling.local_units;
}

// For a checkpoint: two numbers, then those of each layer.
enum { WORD_LOSS, WORD_GRADIENT, FIRST_LENGTH };

size_t ww_track_words(const ww_problem *problem)
{
    return (size_t)FIRST_LENGTH + 2 * (size_t)problem->depth;
}

void ww_track_save(const ww_track *track, const ww_problem *problem, double *words)
{
    words[WORD_LOSS] = track->loss;
    words[WORD_GRADIENT] = track->gradient_squared;
    for (int64_t i = 0; i < problem->depth; i++) {
        words[FIRST_LENGTH + i] = track->lengths[i];
        words[FIRST_LENGTH + problem->depth + i] = track->moves[i];
    }
}

void ww_track_load(ww_track *track, const ww_problem *problem, const double *words)
{
    track->loss = words[WORD_LOSS];
    track->gradient_squared = words[WORD_GRADIENT];
    for (int64_t i = 0; i < problem->depth; i++) {
        track->lengths[i] = words[FIRST_LENGTH + i];
        track->moves[i] = words[FIRST_LENGTH + problem->depth + i];
    }
}

// Puts the products of two blocks where they belong, on both sides of the diagonal. Of a block with
// itself one half is taken, for the two may differ in their last bits.
static void place(const ww_problem *problem, int64_t first, int64_t second, const double *products,
                  double *whole)
{
    const int64_t batch = problem->batch;
    const int64_t rows = ww_block_size(batch, first), columns = ww_block_size(batch, second);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = first == second ? i : 0; j < columns; j++) {
            whole[(first + i) * batch + second + j] = products[i * columns + j];
            whole[(second + j) * batch + first + i] = products[i * columns + j];
        }
}

static ww_status fill_room(ww_track_room *self, ww_layered *network, const ww_problem *problem,
                           ww_layered_block *const *blocks, int64_t layer, ww_error *error)
{
    for (int64_t first = 0; first < problem->batch; first += WW_SAMPLE_BLOCK)
        for (int64_t second = first; second < problem->batch; second += WW_SAMPLE_BLOCK) {
            WW_TRY(ww_layered_products(network, self->pairs, blocks[first / WW_SAMPLE_BLOCK],
                                       blocks[second / WW_SAMPLE_BLOCK], layer,
                                       self->block_derivatives, self->block_inputs, error));
            place(problem, first, second, self->block_derivatives, self->derivatives);
            place(problem, first, second, self->block_inputs, self->inputs);
        }
    return WW_OK;
}

// What a step does to one layer, once inner products are there.
static ww_status look_at_layer(ww_track_room *self, const ww_problem *problem, double *move,
                               double *gradient_squared, ww_error *error)
{
    double largest = 0.0;
    const ww_status status = ww_product_norm_find(self->norm, self->derivatives, self->inputs,
                                                  TOLERANCE, &largest, error);
    *move = problem->learning_rate * sqrt(largest);
    for (int64_t i = 0; i < problem->batch * problem->batch; i++)
        *gradient_squared += self->derivatives[i] * self->inputs[i];
    return status;
}

static ww_status look(ww_track_room *self, ww_layered *network, const ww_problem *problem,
                      ww_layered_block *const *blocks, double *moves, double *gradient_squared,
                      ww_error *error)
{
    // The same on all ranks, up to memory for it: so all go through all layers, and agree once.
    ww_status status = WW_OK;
    *gradient_squared = 0.0;
    for (int64_t layer = 1; layer <= problem->depth; layer++) {
        WW_TRY(fill_room(self, network, problem, blocks, layer, error));
        if (status == WW_OK)
            status = look_at_layer(self, problem, &moves[layer - 1], gradient_squared, error);
    }
    return ww_agree(problem->parallel, status, error);
}

void ww_track_rest(ww_track *track, const ww_problem *problem, double loss)
{
    track->loss = loss;
    track->gradient_squared = 0.0;
    for (int64_t i = 0; i < problem->depth; i++)
        track->moves[i] = 0.0;
}

ww_status ww_track_step(ww_track *track, const ww_problem *problem, ww_layered *network,
                        ww_layered_block *const *blocks, double loss, ww_error *error)
{
    WW_TRY(
        look(track->room, network, problem, blocks, track->moves, &track->gradient_squared, error));
    track->loss = loss;
    for (int64_t i = 0; i < problem->depth; i++)
        track->lengths[i] += track->moves[i];
    return WW_OK;
}
