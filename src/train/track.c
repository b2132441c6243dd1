#include "train/track.h"

#include "train/product_norm.h"
#include "train/track_sums.h"
#include "widthwise/memory.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>

// Relative, of the squared norms.
static const double TOLERANCE = 1e-12;

// Kept from step to step, since what is large takes its time to be given, and ranks to agree on
// whether all got it.
typedef struct ww_track_room {
    ww_track_sums *sums;
    ww_product_norm *norm;
    // Of the inputs of layers that go by pairs: of the first, which stays the same when the batch
    // does, and of any other. NULL where there are none.
    ww_product_factor *first_factor, *factor;
    bool has_first_factor;
} ww_track_room;

static bool has_first_factor(const ww_problem *problem)
{
    return ww_track_by_pairs(problem, 1);
}

// Layers after the first are all of one shape.
static bool has_factor(const ww_problem *problem)
{
    return problem->depth > 1 && ww_track_by_pairs(problem, 2);
}

static void free_room(ww_track_room *room)
{
    if (room == NULL)
        return;
    ww_track_sums_free(room->sums);
    ww_product_norm_free(room->norm);
    ww_product_factor_free(room->first_factor);
    ww_product_factor_free(room->factor);
    free(room);
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
    ww_track_room *room = track->room;
    WW_TRY(ww_track_sums_create(problem, &room->sums, error));
    if (has_first_factor(problem))
        WW_TRY(ww_product_factor_create(problem->batch, &room->first_factor, error));
    if (has_factor(problem))
        WW_TRY(ww_product_factor_create(problem->batch, &room->factor, error));
    return ww_product_norm_create(ww_track_sums_order(problem), &room->norm, error);
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
    const int64_t factors = (has_first_factor(problem) ? 1 : 0) + (has_factor(problem) ? 1 : 0);
    *bytes = 2 * problem->depth * (int64_t)sizeof(double) + ww_track_sums_bytes(problem) +
             ww_product_norm_bytes(ww_track_sums_order(problem)) +
             factors * ww_product_factor_bytes(problem->batch);
    *flops = ww_track_sums_flops(problem);
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

// Trace of a matrix, or sum of the entries of the element-wise product of two, symmetric both and
// given by upper triangles: the squared Frobenius norm of a gradient.
static double sum_of_squares(int64_t order, const double *a, const double *c)
{
    double sum = 0.0;
    for (int64_t i = 0; i < order; i++) {
        const int64_t place = i * (order + 1);
        if (c == NULL)
            sum += a[place];
        else
            sum += a[place] * c[place] +
                   2.0 * cblas_ddot(ww_int(order - i - 1), a + place + 1, 1, c + place + 1, 1);
    }
    return sum;
}

typedef struct looks {
    ww_track *track;
    const ww_problem *problem;
} looks;

// What a step does to one layer; a ww_track_look. The same on all ranks.
static ww_status look(void *context, int64_t layer, int64_t order, const double *a, const double *c,
                      ww_error *error)
{
    const looks *self = context;
    ww_track_room *room = self->track->room;
    ww_product_factor *factor = c == NULL ? NULL : layer == 1 ? room->first_factor : room->factor;
    double largest = 0.0;
    if (factor != NULL && !(layer == 1 && room->has_first_factor))
        WW_TRY(ww_product_factor_find(factor, c, error));
    if (layer == 1)
        room->has_first_factor = self->problem->config->training.method == WW_METHOD_GD;
    WW_TRY(ww_product_norm_find(room->norm, order, a, factor, TOLERANCE, &largest, error));
    self->track->moves[layer - 1] = self->problem->learning_rate * sqrt(largest);
    self->track->gradient_squared += sum_of_squares(order, a, c);
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
    looks self = {.track = track, .problem = problem};
    track->gradient_squared = 0.0;
    WW_TRY(ww_track_sums_find(track->room->sums, network, blocks, look, &self, error));
    track->loss = loss;
    for (int64_t i = 0; i < problem->depth; i++)
        track->lengths[i] += track->moves[i];
    return WW_OK;
}
