#include "train/panel_inputs.h"

#include "train/vectors.h"
#include "widthwise/memory.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { ARRAYS = 2 };

static void list_arrays(bool single, int64_t capacity, int64_t dimension,
                        ww_allocation list[ARRAYS])
{
    const size_t size = single ? sizeof(float) : sizeof(double);
    const ww_allocation arrays[ARRAYS] = {
        {offsetof(ww_panel_inputs, panels), ww_panel_values(capacity, dimension, size), size,
         "the inputs of a batch"},
        {offsetof(ww_panel_inputs, strips), ww_strip_values(capacity, dimension, size), size,
         "the inputs of a batch"},
    };
    memcpy(list, arrays, sizeof arrays);
}

ww_status ww_panel_inputs_create(bool single, int64_t capacity, int64_t dimension,
                                 ww_panel_inputs *inputs, ww_error *error)
{
    const ww_panel_version version = ww_panel_best();
    *inputs = (ww_panel_inputs){
        .kernels = single ? &ww_panel_single[version] : &ww_panel_double[version],
        .size = single ? sizeof(float) : sizeof(double),
        .dimension = dimension,
    };
    ww_allocation list[ARRAYS];
    list_arrays(single, capacity, dimension, list);
    return ww_allocate_all(inputs, list, ARRAYS, error);
}

void ww_panel_inputs_free(ww_panel_inputs *inputs)
{
    free(inputs->panels);
    free(inputs->strips);
}

int64_t ww_panel_inputs_bytes(bool single, int64_t capacity, int64_t dimension)
{
    ww_allocation list[ARRAYS];
    list_arrays(single, capacity, dimension, list);
    return ww_allocation_bytes(list, ARRAYS);
}

// Strips of a single sample are the sample itself; of its one panel, most would be zeros.
static bool is_vector(const ww_panel_inputs *inputs)
{
    return inputs->samples == 1 && inputs->size == sizeof(double);
}

void ww_panel_inputs_set(ww_panel_inputs *inputs, const double *values, int64_t samples)
{
    inputs->samples = samples;
    if (!is_vector(inputs))
        inputs->kernels->fill_panels(values, samples, inputs->dimension, inputs->panels);
    inputs->kernels->fill_strips(values, samples, inputs->dimension, inputs->strips);
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

void ww_panel_move(const ww_panel_inputs *inputs, double scale, const void *coefficients,
                   int64_t units, void *weights)
{
    inputs->kernels->accumulate(scale, coefficients, inputs->strips, inputs->samples, units,
                                inputs->dimension, weights);
}
