#include "train/panel_inputs.h"

#include "train/vectors.h"
#include "widthwise/memory.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { ARRAYS = 2 };

static void list_arrays(bool single, ww_panel_use use, int64_t capacity, int64_t dimension,
                        ww_allocation list[ARRAYS])
{
    const size_t size = single ? sizeof(float) : sizeof(double);
    const size_t panels =
        (use & WW_FOR_PRODUCTS) != 0 ? ww_panel_values(capacity, dimension, size) : 0;
    const size_t strips = (use & WW_FOR_SUMS) != 0 ? ww_strip_values(capacity, dimension, size) : 0;
    const ww_allocation arrays[] = {
        {offsetof(ww_panel_inputs, panels), panels, size, "the inputs of a batch"},
        {offsetof(ww_panel_inputs, strips), strips, size, "the inputs of a batch"},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

ww_status ww_panel_inputs_create(bool single, ww_panel_use use, int64_t capacity, int64_t dimension,
                                 ww_panel_inputs *inputs, ww_error *error)
{
    const ww_panel_version version = ww_panel_best();
    *inputs = (ww_panel_inputs){
        .kernels = single ? &ww_panel_single[version] : &ww_panel_double[version],
        .use = use,
        .size = single ? sizeof(float) : sizeof(double),
        .dimension = dimension,
    };
    ww_allocation list[ARRAYS];
    list_arrays(single, use, capacity, dimension, list);
    return ww_allocate_all(inputs, list, ARRAYS, error);
}

void ww_panel_inputs_free(ww_panel_inputs *inputs)
{
    free(inputs->panels);
    free(inputs->strips);
}

int64_t ww_panel_inputs_bytes(bool single, ww_panel_use use, int64_t capacity, int64_t dimension)
{
    ww_allocation list[ARRAYS];
    list_arrays(single, use, capacity, dimension, list);
    return ww_allocation_bytes(list, ARRAYS);
}

// Strips of a single sample are the sample itself; of its one panel, most would be zeros.
static bool is_vector(const ww_panel_inputs *inputs)
{
    return inputs->samples == 1 && inputs->size == sizeof(double) && inputs->use == WW_FOR_BOTH;
}

void ww_panel_inputs_set_columns(ww_panel_inputs *inputs, const double *values, int64_t samples,
                                 int64_t columns)
{
    inputs->samples = samples;
    inputs->dimension = columns;
    if ((inputs->use & WW_FOR_PRODUCTS) != 0 && !is_vector(inputs))
        inputs->kernels->fill_panels(values, samples, columns, inputs->panels);
    if ((inputs->use & WW_FOR_SUMS) != 0)
        inputs->kernels->fill_strips(values, samples, columns, inputs->strips);
}

void ww_panel_inputs_set(ww_panel_inputs *inputs, const double *values, int64_t samples)
{
    ww_panel_inputs_set_columns(inputs, values, samples, inputs->dimension);
}

void ww_panel_preactivations(const ww_panel_inputs *inputs, const void *weights, int64_t units,
                             void *preactivations)
{
    if (is_vector(inputs))
        ww_vector_products(weights, units, inputs->dimension, inputs->strips, inputs->dimension,
                           preactivations, 1);
    else
        inputs->kernels->products(weights, units, inputs->dimension, inputs->panels,
                                  inputs->samples, preactivations);
}

void ww_panel_add_products(const ww_panel_inputs *inputs, const void *rows, int64_t row_stride,
                           int64_t units, void *products)
{
    inputs->kernels->add_products(rows, row_stride, units, inputs->dimension, inputs->panels,
                                  inputs->samples, products, inputs->samples);
}

void ww_panel_move_by(const ww_panel_inputs *inputs, double scale, const void *coefficients,
                      int64_t stride, int64_t units, void *weights)
{
    inputs->kernels->accumulate(scale, coefficients, stride, inputs->strips, inputs->samples, units,
                                inputs->dimension, weights);
}

void ww_panel_move(const ww_panel_inputs *inputs, double scale, const void *coefficients,
                   int64_t units, void *weights)
{
    ww_panel_move_by(inputs, scale, coefficients, inputs->samples, units, weights);
}

void ww_panel_add_patterns(const ww_panel_inputs *inputs, const void *scales,
                           const uint8_t *patterns, int64_t stride, int64_t units, void *weights,
                           void *room)
{
    inputs->kernels->add_patterns(scales, patterns, stride, inputs->strips, inputs->samples, units,
                                  inputs->dimension, weights, room);
}
