#include "measure/spectral_distance.h"

#include "parallel/lanczos.h"
#include "widthwise/memory.h"

#include <cblas.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

// Rows of D that are made at a time: they stay in the cache for both products. A part of a tile,
// so the same whoever owns it.
enum { ROWS = 16 };

// Products that a search usually takes: updates have few large singular values.
static const double USUAL_PRODUCTS = 24.0;

typedef struct difference {
    const ww_problem *problem;
    ww_engine *engine;
    const ww_origin *origin;
    int64_t layer;
    int64_t columns;
    double *initial; // [tile units, columns], room of ww_origin_tile
    double *rows;    // [ROWS, columns], of D
    double *images;  // [ROWS], of D x
    double *terms;   // [local tiles, columns], of D'D x
} difference;

enum { ARRAYS = 4 };

static void list_room(const ww_problem *problem, int64_t columns, ww_allocation list[ARRAYS])
{
    const ww_tiling *tiling = &problem->tiling;
    const size_t row = (size_t)columns;
    const char *what = "a spectral distance";
    const ww_allocation arrays[] = {
        {offsetof(difference, initial), (size_t)tiling->tile_units * row, sizeof(double), what},
        {offsetof(difference, rows), ROWS * row, sizeof(double), what},
        {offsetof(difference, images), ROWS, sizeof(double), what},
        {offsetof(difference, terms), (size_t)tiling->local_tiles * row, sizeof(double), what},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

// Adds D_r' D_r x of some rows D_r of a tile to `term` [columns].
static void add_rows(difference *self, const double *now, const double *then, int64_t count,
                     const double *x, double *term)
{
    const int columns = ww_int(self->columns);
    for (int64_t i = 0; i < count * self->columns; i++)
        self->rows[i] = now[i] - then[i];
    cblas_dgemv(CblasRowMajor, CblasNoTrans, (int)count, columns, 1.0, self->rows, columns, x, 1,
                0.0, self->images, 1);
    cblas_dgemv(CblasRowMajor, CblasTrans, (int)count, columns, 1.0, self->rows, columns,
                self->images, 1, 1.0, term, 1);
}

// out = D'D x; a ww_operator.
static ww_status apply(void *context, const double *x, double *out, ww_error *error)
{
    difference *self = context;
    const ww_problem *problem = self->problem;
    const ww_tiling *tiling = &problem->tiling;
    memset(self->terms, 0, (size_t)(tiling->local_tiles * self->columns) * sizeof *self->terms);
    for (int64_t tile = 0; tile < tiling->local_tiles; tile++) {
        const int64_t global = tiling->first_tile + tile;
        const int64_t units = ww_tile_size(tiling, global);
        const double *then =
            ww_origin_tile(self->origin, problem, self->layer, global, self->initial);
        const double *now = ww_engine_layer_tile(self->engine, self->layer, global);
        for (int64_t unit = 0; unit < units; unit += ROWS)
            add_rows(self, now + unit * self->columns, then + unit * self->columns,
                     units - unit < ROWS ? units - unit : ROWS, x,
                     self->terms + tile * self->columns);
    }
    return ww_sum_terms(problem->parallel, self->terms, tiling->local_tiles, (size_t)self->columns,
                        tiling->tile_count, out, error);
}

static ww_status search(difference *self, double *distance, ww_error *error)
{
    // A relative error of an eigenvalue s^2 is twice that of s.
    const double tolerance = self->problem->config->measure.spectral_tolerance;
    ww_extreme extreme;
    ww_status status = ww_lanczos(self->columns, apply, self, self->problem->parallel,
                                  2.0 * tolerance, &extreme, error);
    if (status == WW_OK && !(extreme.residual <= 2.0 * tolerance * fabs(extreme.value)))
        status = ww_fail(error, WW_FAILED,
                         "the spectral distance of layer %lld is known to %.3g only, relative to "
                         "it, after %lld products; raise measure.spectral_tolerance (%.3g)",
                         (long long)self->layer, 0.5 * extreme.residual / extreme.value,
                         (long long)extreme.products, tolerance);
    *distance = sqrt(fmax(extreme.value, 0.0));
    ww_extreme_free(&extreme);
    return status;
}

ww_status ww_spectral_distance(const ww_problem *problem, ww_engine *engine,
                               const ww_origin *origin, int64_t layer, double *distance,
                               ww_error *error)
{
    difference self = {.problem = problem,
                       .engine = engine,
                       .origin = origin,
                       .layer = layer,
                       .columns = ww_layer_columns(problem, layer)};
    ww_allocation list[ARRAYS];
    list_room(problem, self.columns, list);
    ww_status status =
        ww_agree(problem->parallel, ww_allocate_all(&self, list, ARRAYS, error), error);
    if (status == WW_OK)
        status = search(&self, distance, error);
    free(self.initial);
    free(self.rows);
    free(self.images);
    free(self.terms);
    return status;
}

void ww_spectral_distance_cost(const ww_problem *problem, int64_t *bytes, double *flops)
{
    *bytes = 0;
    double weights = 0.0;
    for (int64_t layer = 1; layer <= problem->depth; layer++) {
        const int64_t columns = ww_layer_columns(problem, layer);
        ww_allocation list[ARRAYS];
        list_room(problem, columns, list);
        const int64_t needed = ww_allocation_bytes(list, ARRAYS) + ww_lanczos_bytes(columns) +
                               3 * columns * (int64_t)sizeof(double); // of the sum over tiles
        *bytes = needed > *bytes ? needed : *bytes;
        weights += (double)problem->tiling.local_units * (double)columns;
    }
    *flops = 5.0 * USUAL_PRODUCTS * weights;
}
