// The neighbourhood of the final weights W: the gradient of the whole train loss, a ball in which
// provably no sign changes, and the loss at points of that ball.
//
// A pattern 1[<w_r, x> >= 0] stays while ||w_r' - w_r|| < |<w_r, x>| / ||x||, so all stay in a ball
// whose radius is the least of these. With the hinge loss the sign of 1 - y N(x) stays while
// ||v|| ||x|| ||W' - W||_F < |1 - y N(x)|, since s has slope 1 at most (Cauchy-Schwarz over units).
// What rounding may have done to a place or an output is taken off first, so that the ball is one
// of the exact network with these weights.
//
// Neighbour t of T lies at the distance radius (t + 1) / (T + 1), all units moved equally far, each
// in a direction drawn uniformly by WW_DRAW_CONSTRUCTION (1); where the gradient is not 0 the first
// goes along -gradient in place of a drawn direction.

#include "measure/neighbourhood.h"

#include "train/kernels.h"
#include "train/output_sum.h"
#include "widthwise/memory.h"
#include "widthwise/norm.h"
#include "widthwise/random.h"

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

// Where no ball is flat, neighbours are tried up to this distance, in units of ||W||_F.
static const double USUAL_DISTANCE = 1e-6;

enum { TERMS = 4 };
enum { TERM_HIDDEN, TERM_OUTPUT, TERM_BOTH, TERM_GRADIENT };

// Where a point nearby lies. Direction -1 is W itself.
typedef struct neighbour {
    int64_t number;  // of the drawn direction; -1: none
    double distance; // of the drawn direction
    double gradient; // what the gradient is subtracted with
} neighbour;

typedef struct neighbourhood {
    const ww_problem *problem;
    ww_engine *engine;
    double *norms;          // [n], of inputs
    double *outputs;        // [n, k]
    double *gradients;      // [n, k], derivative of the loss by each output, at W
    double *spare;          // [n, k], the same at a point nearby
    double *moved;          // [tile units, d]
    double *direction;      // [tile units, d]
    double *preactivations; // [tile units, block]
    double *partial;        // [block, k]
    double *terms;          // [local tiles, TERMS]
    double *row_norms;      // [tile units]
    uint8_t *active;        // [tile units, block]
    ww_output_sum sum;
    double sums[TERMS]; // ||W||^2, ||v||^2, sum_r ||v_r|| ||w_r||, ||dL / dW||^2
    double nearest;     // least |<w_r, x>| / ||x||, less rounding
    double loss;        // L(W)
} neighbourhood;

enum { ARRAYS = 11 };

static void list_arrays(const ww_problem *problem, ww_allocation list[ARRAYS])
{
    const size_t n = (size_t)problem->data->train.count;
    const size_t d = (size_t)problem->dimension;
    const size_t k = (size_t)problem->outputs;
    const size_t tile = (size_t)problem->tiling.tile_units;
    const size_t tiles = (size_t)problem->tiling.local_tiles;
    const char *what = "the neighbourhood of the weights";
    const ww_allocation arrays[] = {
        {offsetof(neighbourhood, norms), n, sizeof(double), what},
        {offsetof(neighbourhood, outputs), n * k, sizeof(double), what},
        {offsetof(neighbourhood, gradients), n * k, sizeof(double), what},
        {offsetof(neighbourhood, spare), n * k, sizeof(double), what},
        {offsetof(neighbourhood, moved), tile * d, sizeof(double), what},
        {offsetof(neighbourhood, direction), tile * d, sizeof(double), what},
        {offsetof(neighbourhood, preactivations), tile * WW_SAMPLE_BLOCK, sizeof(double), what},
        {offsetof(neighbourhood, partial),
         ww_kernel_output_room(problem->pairs, WW_SAMPLE_BLOCK, problem->outputs), sizeof(double),
         what},
        {offsetof(neighbourhood, terms), TERMS * tiles, sizeof(double), what},
        {offsetof(neighbourhood, row_norms), tile, sizeof(double), what},
        {offsetof(neighbourhood, active), tile * WW_SAMPLE_BLOCK, 1, what},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

static void release(neighbourhood *self)
{
    free(self->norms);
    free(self->outputs);
    free(self->gradients);
    free(self->spare);
    free(self->moved);
    free(self->direction);
    free(self->preactivations);
    free(self->partial);
    free(self->terms);
    free(self->row_norms);
    free(self->active);
    ww_output_sum_free(&self->sum);
}

ww_status ww_neighbourhood_cost(const ww_problem *problem, int64_t *bytes, double *flops,
                                ww_error *error)
{
    (void)error;
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    const int64_t n = problem->data->train.count;
    *bytes = ww_allocation_bytes(list, ARRAYS) + ww_output_sum_bytes(problem, n);
    const double pairs = (double)problem->tiling.local_units * (double)n;
    const double columns = (double)(problem->dimension + problem->outputs);
    // Forward for W and each neighbour; and the gradient, for its norm and for one neighbour.
    *flops = 2.0 * pairs * columns * (1.0 + WW_NEIGHBOURS) + 2.0 * 4.0 * pairs * columns;
    return WW_OK;
}

// What rounding may do to a product of `dimension` terms of vectors of norm 1, generously.
static double rounding(int64_t dimension)
{
    return (double)(dimension + 8) * DBL_EPSILON;
}

// Norms of the rows of a tile, and its terms of the sums over units.
static void look_at_rows(neighbourhood *self, int64_t local_tile, const double *weights,
                         int64_t units)
{
    const ww_problem *problem = self->problem;
    const double *output_weights = ww_engine_output_weights(self->engine) +
                                   local_tile * problem->tiling.tile_units * problem->outputs;
    double *terms = self->terms + TERMS * local_tile;
    memset(terms, 0, TERMS * sizeof *terms);
    for (int64_t unit = 0; unit < units; unit++) {
        const double hidden = ww_norm(weights + unit * problem->dimension, problem->dimension);
        const double output = ww_norm(output_weights + unit * problem->outputs, problem->outputs);
        self->row_norms[unit] = hidden;
        terms[TERM_HIDDEN] += hidden * hidden;
        terms[TERM_OUTPUT] += output * output;
        terms[TERM_BOTH] += hidden * output;
    }
}

// The least distance of a row of the tile from a sample's hyperplane. Zero vectors have none.
static void look_at_places(neighbourhood *self, int64_t units, int64_t start, int64_t samples)
{
    const double share = rounding(self->problem->dimension);
    for (int64_t unit = 0; unit < units; unit++) {
        const double slack = share * self->row_norms[unit];
        for (int64_t s = 0; s < samples; s++) {
            const double norm = self->norms[start + s];
            const double place = fabs(self->preactivations[unit * samples + s]);
            if (norm > 0.0 && !(place / norm - slack >= self->nearest))
                self->nearest = fmax(place / norm - slack, 0.0);
        }
    }
}

// Patterns and activations of a tile on a block of samples.
static void activate(neighbourhood *self, const double *weights, int64_t units, int64_t start,
                     int64_t samples, bool looks)
{
    const ww_problem *problem = self->problem;
    ww_kernel_preactivations(problem->pairs, weights, units,
                             problem->data->train.inputs + start * problem->dimension, samples,
                             problem->dimension, self->preactivations);
    if (looks)
        look_at_places(self, units, start, samples);
    ww_activate(problem->negative_slope, self->preactivations, (size_t)(units * samples),
                self->active);
}

// dL / dW of a tile into self->direction [units, d].
static void tile_gradient(neighbourhood *self, int64_t local_tile, const double *weights,
                          int64_t units)
{
    const ww_problem *problem = self->problem;
    const int64_t n = problem->data->train.count;
    const int64_t k = problem->outputs;
    const double *output_weights =
        ww_engine_output_weights(self->engine) + local_tile * problem->tiling.tile_units * k;
    for (int64_t start = 0; start < n; start += WW_SAMPLE_BLOCK) {
        const int64_t samples = ww_block_size(n, start);
        double *coefficients = self->preactivations;
        activate(self, weights, units, start, samples, false);
        ww_kernel_coefficients(output_weights, self->gradients + start * k, units, samples, k,
                               coefficients);
        for (int64_t pair = 0; pair < units * samples; pair++)
            if (!self->active[pair])
                coefficients[pair] *= problem->negative_slope;
        ww_kernel_rows(1.0, coefficients, problem->data->train.inputs + start * problem->dimension,
                       units, samples, problem->dimension, start == 0 ? 0.0 : 1.0, self->direction);
    }
}

// Rows of a tile at a point nearby, into self->moved.
static void move_tile(neighbourhood *self, const neighbour *at, int64_t local_tile,
                      const double *weights, int64_t units)
{
    const ww_problem *problem = self->problem;
    const int64_t d = problem->dimension;
    const int64_t first = (problem->tiling.first_tile + local_tile) * problem->tiling.tile_units;
    if (at->number < 0) {
        tile_gradient(self, local_tile, weights, units);
        for (int64_t i = 0; i < units * d; i++)
            self->moved[i] = weights[i] - at->gradient * self->direction[i];
        return;
    }
    const ww_stream stream = {.seed = (uint64_t)problem->config->seeds.weights,
                              .purpose = WW_DRAW_CONSTRUCTION,
                              .substream = 1};
    const double each = at->distance / sqrt((double)problem->tiling.width);
    ww_normals(stream, (uint64_t)((at->number * problem->tiling.width + first) * d),
               (size_t)(units * d), self->direction);
    for (int64_t unit = 0; unit < units; unit++) {
        const double *drawn = self->direction + unit * d;
        const double factor = each / ww_norm(drawn, d);
        for (int64_t j = 0; j < d; j++)
            self->moved[unit * d + j] = weights[unit * d + j] + factor * drawn[j];
    }
}

// The train loss at W (`at` NULL) or at a point nearby.
static ww_status loss_at(neighbourhood *self, const neighbour *at, double *loss, ww_error *error)
{
    const ww_problem *problem = self->problem;
    const ww_samples *train = &problem->data->train;
    const int64_t k = problem->outputs;
    ww_output_sum_clear(&self->sum);
    for (int64_t tile = 0; tile < problem->tiling.local_tiles; tile++) {
        const int64_t global = problem->tiling.first_tile + tile;
        const int64_t units = ww_tile_size(&problem->tiling, global);
        const double *weights = ww_engine_tile(self->engine, global);
        const double *output_weights =
            ww_engine_output_weights(self->engine) + tile * problem->tiling.tile_units * k;
        if (at == NULL)
            look_at_rows(self, tile, weights, units);
        else
            move_tile(self, at, tile, weights, units);
        for (int64_t start = 0; start < train->count; start += WW_SAMPLE_BLOCK) {
            const int64_t samples = ww_block_size(train->count, start);
            activate(self, at == NULL ? weights : self->moved, units, start, samples, at == NULL);
            ww_kernel_outputs(problem->pairs, self->preactivations, output_weights, units, samples,
                              k, self->partial);
            ww_output_sum_add(&self->sum, start, samples, self->partial);
        }
    }
    WW_TRY(ww_output_sum_finish(&self->sum, 0, NULL, self->outputs, error));
    *loss =
        ww_batch_loss(problem, self->outputs, train, at == NULL ? self->gradients : self->spare);
    return WW_OK;
}

// ||dL / dW||^2 as terms of the tiles.
static void add_gradient(neighbourhood *self)
{
    const ww_problem *problem = self->problem;
    for (int64_t tile = 0; tile < problem->tiling.local_tiles; tile++) {
        const int64_t global = problem->tiling.first_tile + tile;
        const int64_t units = ww_tile_size(&problem->tiling, global);
        tile_gradient(self, tile, ww_engine_tile(self->engine, global), units);
        double *term = &self->terms[TERMS * tile + TERM_GRADIENT];
        for (int64_t i = 0; i < units * problem->dimension; i++)
            *term += self->direction[i] * self->direction[i];
    }
}

// How far the margins let the weights go, with the hinge loss. `outputs` are those at W.
static double margin_radius(const neighbourhood *self, double radius)
{
    const ww_problem *problem = self->problem;
    const ww_samples *train = &problem->data->train;
    const double output_norm = sqrt(self->sums[TERM_OUTPUT]);
    const double share =
        rounding(problem->dimension + problem->tiling.tile_units) * self->sums[TERM_BOTH];
    const double quanta = (double)problem->tiling.tile_count * problem->output_format.low_quantum;
    for (int64_t i = 0; i < train->count; i++) {
        const double place = fabs(1.0 - train->targets[i] * self->outputs[i]);
        const double norm = self->norms[i];
        const double room = place - share * norm - quanta - DBL_EPSILON;
        if (!(room > 0.0))
            return 0.0;
        if (output_norm * norm > 0.0 && room / (output_norm * norm) < radius)
            radius = room / (output_norm * norm);
    }
    return radius;
}

static ww_status flat_radius(neighbourhood *self, double *radius, ww_error *error)
{
    double nearest = -self->nearest;
    WW_TRY(ww_maximum(self->problem->parallel, &nearest, 1, error));
    *radius = -nearest;
    if (self->problem->config->loss == WW_LOSS_HINGE)
        *radius = margin_radius(self, *radius);
    if (!(*radius > 0.0) || isinf(*radius)) // of no sample but zero vectors: nothing to go by
        *radius = 0.0;
    *radius *= 1.0 - 0x1p-40; // of rounding in norms and quotients
    return WW_OK;
}

static ww_status try_neighbours(neighbourhood *self, double gradient_norm, double radius,
                                double *lowest, ww_error *error)
{
    *lowest = INFINITY;
    for (int64_t t = 0; t < WW_NEIGHBOURS; t++) {
        const double distance = radius * (double)(t + 1) / (double)(WW_NEIGHBOURS + 1);
        neighbour at = {.number = t, .distance = distance};
        double loss = 0.0;
        if (t == 0 && gradient_norm > 0.0)
            at = (neighbour){.number = -1, .gradient = distance / gradient_norm};
        WW_TRY(loss_at(self, &at, &loss, error));
        *lowest = fmin(*lowest, loss - self->loss);
    }
    return WW_OK;
}

static ww_status measure(neighbourhood *self, double *values, ww_error *error)
{
    const ww_problem *problem = self->problem;
    self->nearest = INFINITY;
    for (int64_t i = 0; i < problem->data->train.count; i++)
        self->norms[i] =
            ww_norm(problem->data->train.inputs + i * problem->dimension, problem->dimension);
    WW_TRY(loss_at(self, NULL, &self->loss, error));
    add_gradient(self);
    WW_TRY(ww_sum_terms(problem->parallel, self->terms, problem->tiling.local_tiles, TERMS,
                        problem->tiling.tile_count, self->sums, error));
    const double gradient_norm = sqrt(self->sums[TERM_GRADIENT]);
    double radius = 0.0;
    double lowest = 0.0;
    WW_TRY(flat_radius(self, &radius, error));
    const double hidden_norm = sqrt(self->sums[TERM_HIDDEN]);
    const double usual = USUAL_DISTANCE * (hidden_norm > 0.0 ? hidden_norm : 1.0);
    const double tried = radius > 0.0 ? radius : usual;
    WW_TRY(try_neighbours(self, gradient_norm, tried, &lowest, error));
    values[0] = gradient_norm;
    values[1] = radius;
    values[2] = WW_NEIGHBOURS;
    values[3] = tried;
    values[4] = lowest;
    return WW_OK;
}

ww_status ww_neighbourhood(const ww_problem *problem, ww_engine *engine, const double *carry,
                           double *values, ww_error *error)
{
    (void)carry;
    neighbourhood self = {.problem = problem, .engine = engine};
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    ww_status status = ww_allocate_all(&self, list, ARRAYS, error);
    if (status == WW_OK)
        status = ww_output_sum_create(&self.sum, problem, problem->data->train.count, error);
    status = ww_agree(problem->parallel, status, error);
    if (status == WW_OK)
        status = measure(&self, values, error);
    release(&self);
    return status;
}
