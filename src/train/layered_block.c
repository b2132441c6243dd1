// Blocks of samples, and the way forward.

#include "train/layered_inside.h"

#include "train/kernels.h"
#include "train/step.h"
#include "widthwise/memory.h"

#include <stdlib.h>

// Units of which this rank has the activations.
static int64_t activation_rows(const ww_problem *problem, int64_t layer)
{
    return layer == problem->depth ? problem->tiling.local_units : problem->tiling.width;
}

static bool narrows_inputs(const ww_problem *problem)
{
    return problem->config->precision == WW_PRECISION_SINGLE;
}

int64_t ww_layered_block_bytes(const ww_problem *problem, int64_t samples, bool backward)
{
    const int64_t size = (int64_t)ww_layered_methods_of(problem)->size;
    const int64_t units = problem->tiling.local_units;
    const bool narrows = narrows_inputs(problem);
    int64_t bytes = (narrows ? samples * problem->dimension * size : 0) +
                    ww_panel_inputs_bytes(narrows, WW_FOR_BOTH, samples, problem->dimension);
    if (backward)
        bytes += problem->depth * samples * (int64_t)sizeof(double);
    for (int64_t layer = 1; layer <= problem->depth; layer++)
        bytes += samples *
                 (activation_rows(problem, layer) * size + units + (backward ? units * size : 0));
    return bytes;
}

static ww_status make(ww_layered_block *block, bool backward, ww_error *error)
{
    const ww_problem *problem = block->problem;
    const size_t samples = (size_t)block->capacity;
    const size_t units = (size_t)problem->tiling.local_units;
    const size_t depth = (size_t)problem->depth;
    const size_t size = block->methods->size;
    static const char what[] = "the activations of a block of samples";
    block->activations = ww_allocate(depth, sizeof(void *), what, error);
    block->patterns = ww_allocate(depth, sizeof(uint8_t *), what, error);
    block->derivatives = backward ? ww_allocate(depth, sizeof(void *), what, error) : NULL;
    block->largest =
        backward ? ww_allocate(depth * samples, sizeof(double), "the ranges of samples", error)
                 : NULL;
    if (block->activations == NULL || block->patterns == NULL ||
        (backward && (block->derivatives == NULL || block->largest == NULL)))
        return WW_FAILED;
    if (narrows_inputs(problem)) {
        block->narrow_inputs = ww_allocate(samples * (size_t)problem->dimension, size, what, error);
        if (block->narrow_inputs == NULL)
            return WW_FAILED;
    }
    WW_TRY(ww_panel_inputs_create(narrows_inputs(problem), WW_FOR_BOTH, block->capacity,
                                  problem->dimension, &block->panels, error));
    for (size_t i = 0; i < depth; i++) {
        const size_t rows = (size_t)activation_rows(problem, (int64_t)i + 1);
        block->activations[i] = ww_allocate(rows * samples, size, what, error);
        block->patterns[i] = ww_allocate(units * samples, 1, what, error);
        if (block->activations[i] == NULL || block->patterns[i] == NULL)
            return WW_FAILED;
        if (!backward)
            continue;
        block->derivatives[i] =
            ww_allocate(units * samples, size, "the derivatives of a block of samples", error);
        if (block->derivatives[i] == NULL)
            return WW_FAILED;
    }
    return WW_OK;
}

ww_status ww_layered_block_create(const ww_problem *problem, int64_t samples, bool backward,
                                  ww_layered_block **block, ww_error *error)
{
    WW_ASSERT(samples <= WW_SAMPLE_BLOCK);
    *block = NULL;
    ww_layered_block *made = ww_allocate(1, sizeof *made, "a block of samples", error);
    if (made == NULL)
        return WW_FAILED;
    made->problem = problem;
    made->methods = ww_layered_methods_of(problem);
    made->capacity = samples;
    if (make(made, backward, error) != WW_OK) {
        ww_layered_block_free(made);
        return WW_FAILED;
    }
    *block = made;
    return WW_OK;
}

void ww_layered_block_free(ww_layered_block *block)
{
    if (block == NULL)
        return;
    for (int64_t i = 0; i < block->problem->depth; i++) {
        if (block->activations != NULL)
            free(block->activations[i]);
        if (block->patterns != NULL)
            free(block->patterns[i]);
        if (block->derivatives != NULL)
            free(block->derivatives[i]);
    }
    free(block->activations);
    free(block->patterns);
    free(block->derivatives);
    free(block->largest);
    free(block->narrow_inputs);
    ww_panel_inputs_free(&block->panels);
    free(block);
}

// Outputs of one tile, and what the tally wants to know of it.
static void add_outputs(ww_layered *network, const ww_layered_block *block, ww_rows rows,
                        ww_output_sum *sum, int64_t start)
{
    const ww_problem *problem = network->problem;
    const int64_t own = ww_layered_first_row(problem, problem->depth) + rows.first;
    network->methods->find_outputs(network, block, rows);
    if (sum->extras > 0) // which wants activations in double
        network->methods->numbers->widen(ww_layered_at(network->methods,
                                                       block->activations[problem->depth - 1],
                                                       own * block->samples),
                                         rows.units * block->samples, network->values);
    const ww_tile_activations tile = {
        .values = network->values,
        .active = block->patterns[problem->depth - 1] + rows.first * block->samples,
        .units = rows.units,
        .samples = block->samples,
        .unit_stride = block->samples,
        .sample_stride = 1,
    };
    ww_step_add(sum, start, &tile, network->weights.output + rows.first * problem->outputs,
                network->outputs, network->extras);
}

ww_status ww_layered_forward(ww_layered *network, ww_layered_block *block, const double *inputs,
                             int64_t samples, ww_output_sum *sum, int64_t start, ww_error *error)
{
    const ww_problem *problem = network->problem;
    const ww_layered_methods *methods = network->methods;
    WW_ASSERT(samples <= block->capacity);
    block->samples = samples;
    block->inputs = inputs;
    if (block->narrow_inputs != NULL)
        methods->numbers->narrow(inputs, samples * problem->dimension, block->narrow_inputs);
    ww_panel_inputs_set(&block->panels, inputs, samples);
    for (int64_t layer = 1; layer <= problem->depth; layer++) {
        for (int64_t tile = 0; tile < problem->tiling.local_tiles; tile++)
            methods->activate(network, block, layer, ww_tile_rows(problem, tile));
        if (layer < problem->depth)
            WW_TRY(ww_gather_rows(problem->parallel, block->activations[layer - 1],
                                  (size_t)samples * methods->size, network->row_counts,
                                  network->row_places, error));
    }
    for (int64_t tile = 0; tile < problem->tiling.local_tiles; tile++)
        add_outputs(network, block, ww_tile_rows(problem, tile), sum, start);
    return WW_OK;
}

const uint8_t *ww_layered_patterns(const ww_layered_block *block, int64_t layer)
{
    WW_ASSERT(layer >= 1 && layer <= block->problem->depth);
    return block->patterns[layer - 1];
}
