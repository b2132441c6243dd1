#include "train/track.h"

#include "train/kernels.h"
#include "train/product_norm.h"
#include "widthwise/memory.h"

#include <math.h>
#include <stdlib.h>

// Relative, of the squared norms.
static const double TOLERANCE = 1e-12;

ww_status ww_track_create(const ww_problem *problem, ww_track **track, ww_error *error)
{
    *track = NULL;
    ww_track *made = ww_allocate(1, sizeof *made, "the track of steps", error);
    if (made == NULL)
        return WW_FAILED;
    made->loss = (double)NAN;
    made->gradient_squared = (double)NAN;
    made->lengths =
        ww_allocate((size_t)problem->depth, sizeof(double), "the track of steps", error);
    made->moves = ww_allocate((size_t)problem->depth, sizeof(double), "the track of steps", error);
    if (made->lengths == NULL || made->moves == NULL) {
        ww_track_free(made);
        return WW_FAILED;
    }
    for (int64_t i = 0; i < problem->depth; i++)
        made->moves[i] = (double)NAN;
    *track = made;
    return WW_OK;
}

void ww_track_free(ww_track *track)
{
    if (track == NULL)
        return;
    free(track->lengths);
    free(track->moves);
    free(track);
}

int64_t ww_track_bytes(const ww_problem *problem)
{
    // A and C; inner products of two blocks, of which six numbers are kept at a time, and two go
    // out.
    const int64_t size = (int64_t)sizeof(double);
    const int64_t block = ww_block_size(problem->batch, 0);
    return size * (2 * problem->depth + 2 * problem->batch * problem->batch + 6 * block * block) +
           ww_largest_of_product_bytes(problem->batch);
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

// Inner products of all samples of a batch.
typedef struct gram {
    double *derivatives, *inputs;             // A and C, [B, B]
    double *block_derivatives, *block_inputs; // those of two blocks
} gram;

static void free_gram(gram *self)
{
    free(self->derivatives);
    free(self->inputs);
    free(self->block_derivatives);
    free(self->block_inputs);
}

static ww_status make_gram(const ww_problem *problem, gram *self, ww_error *error)
{
    static const char what[] = "inner products between the samples of a batch";
    const size_t batch = (size_t)(problem->batch * problem->batch);
    const int64_t most = ww_block_size(problem->batch, 0);
    const size_t block = (size_t)(most * most);
    *self = (gram){.derivatives = ww_allocate(batch, sizeof(double), what, error),
                   .inputs = ww_allocate(batch, sizeof(double), what, error),
                   .block_derivatives = ww_allocate(block, sizeof(double), what, error),
                   .block_inputs = ww_allocate(block, sizeof(double), what, error)};
    return self->derivatives != NULL && self->inputs != NULL && self->block_derivatives != NULL &&
                   self->block_inputs != NULL
               ? WW_OK
               : WW_FAILED;
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

static ww_status fill_gram(gram *self, ww_layered *network, const ww_problem *problem,
                           ww_layered_block *const *blocks, int64_t layer, ww_error *error)
{
    for (int64_t first = 0; first < problem->batch; first += WW_SAMPLE_BLOCK)
        for (int64_t second = first; second < problem->batch; second += WW_SAMPLE_BLOCK) {
            WW_TRY(ww_layered_products(network, blocks[first / WW_SAMPLE_BLOCK],
                                       blocks[second / WW_SAMPLE_BLOCK], layer,
                                       self->block_derivatives, self->block_inputs, error));
            place(problem, first, second, self->block_derivatives, self->derivatives);
            place(problem, first, second, self->block_inputs, self->inputs);
        }
    return WW_OK;
}

static ww_status look(gram *self, ww_layered *network, const ww_problem *problem,
                      ww_layered_block *const *blocks, double *moves, double *gradient_squared,
                      ww_error *error)
{
    *gradient_squared = 0.0;
    for (int64_t layer = 1; layer <= problem->depth; layer++) {
        double largest = 0.0;
        WW_TRY(fill_gram(self, network, problem, blocks, layer, error));
        // The same on all ranks, up to memory for it.
        WW_TRY(ww_agree(problem->parallel,
                        ww_largest_of_product(problem->batch, self->derivatives, self->inputs,
                                              TOLERANCE, &largest, error),
                        error));
        moves[layer - 1] = problem->learning_rate * sqrt(largest);
        for (int64_t i = 0; i < problem->batch * problem->batch; i++)
            *gradient_squared += self->derivatives[i] * self->inputs[i];
    }
    return WW_OK;
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
    gram self;
    ww_status status = ww_agree(problem->parallel, make_gram(problem, &self, error), error);
    if (status == WW_OK)
        status =
            look(&self, network, problem, blocks, track->moves, &track->gradient_squared, error);
    free_gram(&self);
    WW_TRY(status);
    track->loss = loss;
    for (int64_t i = 0; i < problem->depth; i++)
        track->lengths[i] += track->moves[i];
    return WW_OK;
}
