#include "train/moves.h"

#include "widthwise/memory.h"

#include <cblas.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { ARRAYS = 6, COEFFICIENT_ARRAYS = 1 };

void ww_inner_products(const double *inputs, int64_t count, int64_t dimension, double *products)
{
    const int n = ww_int(count);
    const int d = ww_int(dimension);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, n, d, 1.0, inputs, d, inputs, d, 0.0,
                products, n);
}

// Columns that are there while a batch goes forward: none where one batch fills them.
static int64_t correcting(const ww_problem *problem, int64_t capacity)
{
    return capacity > problem->batch ? capacity : 0;
}

static void list_arrays(const ww_problem *problem, int64_t capacity, ww_allocation list[ARRAYS])
{
    const size_t batch = (size_t)problem->batch;
    const size_t columns = (size_t)capacity;
    const size_t corrects = (size_t)correcting(problem, capacity);
    const ww_allocation arrays[] = {
        {offsetof(ww_moves, coefficients), (size_t)problem->tiling.local_units * columns,
         ww_activations_of(ww_problem_is_single(problem))->size, "the updates of some steps"},
        {offsetof(ww_moves, samples), columns, sizeof(int64_t), "the samples of updates"},
        {offsetof(ww_moves, batch) + offsetof(ww_moves_batch, samples), batch, sizeof(int64_t),
         "the samples of a batch"},
        {offsetof(ww_moves, pending) + offsetof(ww_moves_batch, samples), batch, sizeof(int64_t),
         "the samples of a batch"},
        {offsetof(ww_moves, places), batch, sizeof(int64_t), "the samples of a batch"},
        {offsetof(ww_moves, room), batch * corrects, sizeof(double), "products of samples"},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

void ww_moves_bytes(const ww_problem *problem, int64_t capacity, int64_t *coefficients,
                    int64_t *rest)
{
    ww_allocation list[ARRAYS];
    list_arrays(problem, capacity, list);
    *coefficients = ww_allocation_bytes(list, COEFFICIENT_ARRAYS);
    *rest = ww_allocation_bytes(list + COEFFICIENT_ARRAYS, ARRAYS - COEFFICIENT_ARRAYS) +
            2 * ww_panel_inputs_bytes(ww_problem_is_single(problem), WW_FOR_PRODUCTS,
                                      problem->batch, correcting(problem, capacity));
}

ww_status ww_moves_create(const ww_problem *problem, int64_t capacity, ww_moves *moves,
                          ww_error *error)
{
    *moves = (ww_moves){.problem = problem,
                        .methods = ww_activations_of(ww_problem_is_single(problem)),
                        .capacity = capacity};
    const int64_t columns = correcting(problem, capacity);
    ww_allocation list[ARRAYS];
    list_arrays(problem, capacity, list);
    WW_TRY(ww_allocate_all(moves, list, ARRAYS, error));
    WW_TRY(ww_panel_inputs_create(ww_problem_is_single(problem), WW_FOR_PRODUCTS, problem->batch,
                                  columns, &moves->batch.inputs, error));
    return ww_panel_inputs_create(ww_problem_is_single(problem), WW_FOR_PRODUCTS, problem->batch,
                                  columns, &moves->pending.inputs, error);
}

void ww_moves_free(ww_moves *moves)
{
    free(moves->coefficients);
    free(moves->samples);
    free(moves->places);
    free(moves->room);
    free(moves->batch.samples);
    free(moves->pending.samples);
    ww_panel_inputs_free(&moves->batch.inputs);
    ww_panel_inputs_free(&moves->pending.inputs);
}

void ww_moves_take(ww_moves *moves, const int64_t *samples, const double *products, int64_t stride)
{
    const int64_t batch = moves->problem->batch;
    const int64_t columns = products != NULL ? moves->count : 0;
    WW_ASSERT(columns == 0 || moves->capacity > batch);
    memcpy(moves->batch.samples, samples, (size_t)batch * sizeof *samples);
    moves->batch.columns = columns;
    for (int64_t i = 0; i < batch; i++)
        for (int64_t j = 0; j < columns; j++)
            moves->room[i * columns + j] = products[samples[i] * stride + moves->samples[j]];
    if (columns > 0)
        ww_panel_inputs_set_columns(&moves->batch.inputs, moves->room, batch, columns);
}

static bool has_gradient(const double *gradient, int64_t k)
{
    for (int64_t j = 0; j < k; j++)
        if (gradient[j] != 0.0)
            return true;
    return false;
}

void ww_moves_remember(ww_moves *moves, const double *gradients)
{
    const int64_t k = moves->problem->outputs;
    const ww_moves_batch batch = moves->batch;
    moves->batch = moves->pending;
    moves->pending = batch;
    moves->first = moves->count;
    moves->moving = 0;
    for (int64_t i = 0; i < moves->problem->batch; i++)
        if (has_gradient(gradients + i * k, k)) {
            WW_ASSERT(moves->count < moves->capacity);
            moves->samples[moves->count++] = batch.samples[i];
            moves->places[moves->moving++] = i;
        }
}

const void *ww_moves_of(const ww_moves *moves, ww_rows tile, int64_t first)
{
    return ww_place(moves->methods, moves->coefficients, tile.first * moves->capacity + first);
}

void ww_moves_set(const ww_moves *moves, ww_rows tile, const void *coefficients)
{
    void *columns =
        ww_place(moves->methods, moves->coefficients, tile.first * moves->capacity + moves->first);
    const int64_t batch = moves->problem->batch;
    moves->methods->take_columns(-moves->problem->learning_rate, coefficients, batch,
                                 moves->moving < batch ? moves->places : NULL, moves->moving,
                                 tile.units, columns, moves->capacity);
}

void ww_moves_correct(const ww_moves *moves, const ww_moves_batch *batch, ww_rows tile,
                      void *preactivations)
{
    if (batch->columns > 0)
        ww_panel_add_products(&batch->inputs, ww_moves_of(moves, tile, 0), moves->capacity,
                              tile.units, preactivations);
}
