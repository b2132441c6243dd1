#include "train/product_inputs.h"

#include "train/kernels.h"
#include "widthwise/memory.h"

#include <stdlib.h>

// Panels of the samples before `start`, where blocks begin.
static size_t values_before(int64_t start, int64_t dimension)
{
    const size_t block = ww_panel_values(WW_SAMPLE_BLOCK, dimension, sizeof(double));
    return (size_t)(start / WW_SAMPLE_BLOCK) * block +
           ww_panel_values(start % WW_SAMPLE_BLOCK, dimension, sizeof(double));
}

ww_status ww_product_inputs_create(int64_t capacity, int64_t dimension, ww_product_inputs *inputs,
                                   ww_error *error)
{
    *inputs =
        (ww_product_inputs){.kernels = &ww_panel_double[ww_panel_best()], .dimension = dimension};
    inputs->panels = ww_allocate(values_before(capacity, dimension), sizeof(double),
                                 "the inputs of samples", error);
    return inputs->panels != NULL ? WW_OK : WW_FAILED;
}

void ww_product_inputs_free(ww_product_inputs *inputs)
{
    free(inputs->panels);
    inputs->panels = NULL;
}

int64_t ww_product_inputs_bytes(int64_t capacity, int64_t dimension)
{
    return (int64_t)(values_before(capacity, dimension) * sizeof(double));
}

void ww_product_inputs_set(ww_product_inputs *inputs, const double *values, int64_t samples)
{
    const int64_t d = inputs->dimension;
    inputs->values = values;
    inputs->samples = samples;
    for (int64_t start = 0; start < samples; start += WW_SAMPLE_BLOCK)
        inputs->kernels->fill_panels(values + start * d, ww_block_size(samples, start), d,
                                     inputs->panels + values_before(start, d));
}

void ww_product_preactivations(const ww_product_inputs *inputs, int64_t start,
                               const double *weights, int64_t units, double *preactivations)
{
    inputs->kernels->products(weights, units, inputs->dimension,
                              inputs->panels + values_before(start, inputs->dimension),
                              ww_block_size(inputs->samples, start), preactivations);
}
