#include "train/window.h"

#include "train/kernels.h"
#include "widthwise/memory.h"

#include <cblas.h>
#include <string.h>

ww_window_tile ww_window_tile_at(const ww_window *window, int64_t local_tile)
{
    const ww_problem *problem = window->problem;
    const int64_t first = local_tile * problem->tiling.tile_units;
    const int64_t units = ww_tile_size(&problem->tiling, problem->tiling.first_tile + local_tile);
    return (ww_window_tile){.local = local_tile,
                            .units = units,
                            .half_units = units / window->halves,
                            .weights = window->weights + first * problem->dimension,
                            .output_weights = window->output_weights + first * problem->outputs,
                            .preactivations = window->preactivations + first * window->samples,
                            .coefficients = window->coefficients + first * window->samples};
}

int64_t ww_window_unit_at(const ww_window *window, const ww_window_tile *tile, int64_t place)
{
    return place % tile->half_units * window->halves + place / tile->half_units;
}

// Output weights of a tile in the order of a row of P, [units, k].
static const double *order_output_weights(const ww_window *window, const ww_window_tile *tile)
{
    if (window->halves == 1)
        return tile->output_weights;
    const size_t k = (size_t)window->problem->outputs;
    for (int64_t place = 0; place < tile->units; place++)
        memcpy(window->ordered + (size_t)place * k,
               tile->output_weights + (size_t)ww_window_unit_at(window, tile, place) * k,
               k * sizeof *window->ordered);
    return window->ordered;
}

void ww_window_apply(ww_window *window, const ww_window_tile *tile)
{
    const int64_t d = window->problem->dimension;
    int64_t *applied = &window->applied[tile->local];
    const int64_t count = window->moved_count - *applied;
    if (count == 0)
        return;
    for (int64_t half = 0; half < window->halves; half++) {
        for (int64_t term = 0; term < count; term++) {
            const int64_t sample = window->moved[*applied + term];
            window->terms[term] = (ww_vector_term){
                .coefficients = tile->coefficients + sample * tile->units + half * tile->half_units,
                .vector = window->inputs + sample * d};
        }
        ww_vector_accumulate(tile->weights + half * d, tile->half_units, window->halves * d, d,
                             window->terms, count);
    }
    *applied = window->moved_count;
}

void ww_window_correct(ww_window *window, const ww_window_tile *tile, int64_t sample, int64_t count,
                       double *rows)
{
    const ww_problem *problem = window->problem;
    if (window->moved_count == 0)
        return;
    if (!window->has_products)
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, ww_int(window->samples),
                    ww_int(window->samples), ww_int(problem->dimension), 1.0, window->inputs,
                    ww_int(problem->dimension), window->inputs, ww_int(problem->dimension), 0.0,
                    window->products, ww_int(window->samples));
    window->has_products = true;
    for (int64_t term = 0; term < window->moved_count; term++)
        window->terms[term] = (ww_vector_term){
            .coefficients = window->products + window->moved[term] * window->samples + sample,
            .vector = tile->coefficients + window->moved[term] * tile->units};
    ww_vector_accumulate(rows, count, tile->units, tile->units, window->terms, window->moved_count);
}

void ww_window_multiply(const ww_window *window, const ww_window_tile *tile, const double *inputs,
                        double *rows)
{
    const int64_t d = window->problem->dimension;
    for (int64_t half = 0; half < window->halves; half++)
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, ww_int(window->samples),
                    ww_int(tile->half_units), ww_int(d), 1.0, inputs, ww_int(d),
                    tile->weights + half * d, ww_int(window->halves * d), 0.0,
                    rows + half * tile->half_units, ww_int(tile->units));
}

// Outputs [samples, k] of a tile's activations [samples, units].
static void outputs_of(ww_window *window, const ww_window_tile *tile, const double *output_weights,
                       const double *activations, int64_t samples, double *outputs)
{
    const int64_t k = window->problem->outputs;
    for (int64_t half = 0; half < window->halves; half++) {
        const double *values = activations + half * tile->half_units;
        const double *weights = output_weights + half * tile->half_units * k;
        double *sums = half == 0 ? outputs : window->odd;
        if (samples == 1)
            for (int64_t j = 0; j < k; j++)
                sums[j] = ww_vector_dot(values, 1, weights + j, k, tile->half_units);
        else
            cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, ww_int(samples), ww_int(k),
                        ww_int(tile->half_units), 1.0, values, ww_int(tile->units), weights,
                        ww_int(k), 0.0, sums, ww_int(k));
    }
    for (int64_t i = 0; window->halves == 2 && i < samples * k; i++)
        outputs[i] += window->odd[i];
}

void ww_window_add_outputs(ww_window *window, ww_output_sum *sum, const ww_window_tile *tile,
                           int64_t count, double *rows)
{
    const ww_problem *problem = window->problem;
    const int64_t piece = ww_block_size(problem->batch, 0);
    const double *output_weights = order_output_weights(window, tile);
    for (int64_t start = 0; start < count; start += WW_SAMPLE_BLOCK) {
        const int64_t samples = ww_block_size(count, start);
        const ww_tile_activations activations = {.values = rows + start * tile->units,
                                                 .active = window->active,
                                                 .units = tile->units,
                                                 .samples = samples,
                                                 .unit_stride = 1,
                                                 .sample_stride = tile->units};
        ww_activate(problem->negative_slope, rows + start * tile->units,
                    (size_t)(samples * tile->units), window->active);
        for (int64_t done = 0; done < samples; done += piece)
            outputs_of(window, tile, output_weights, activations.values + done * tile->units,
                       samples - done < piece ? samples - done : piece,
                       window->partial + done * problem->outputs);
        ww_step_add(sum, start, &activations, output_weights, window->partial, window->extras);
    }
}

bool ww_window_has_gradient(const double *gradient, int64_t k)
{
    for (int64_t j = 0; j < k; j++)
        if (gradient[j] != 0.0)
            return true;
    return false;
}

// c = -eta s'(z) <v, gradient> of one sample, by its row of P.
static void find_coefficients(const ww_window *window, const double *output_weights,
                              const double *gradient, const double *preactivations, int64_t units,
                              double *coefficients)
{
    const ww_problem *problem = window->problem;
    const double slope = problem->negative_slope;
    const int64_t k = problem->outputs;
    for (int64_t place = 0; place < units; place++) {
        double by_activation = output_weights[place * k] * gradient[0];
        for (int64_t j = 1; j < k; j++)
            by_activation += output_weights[place * k + j] * gradient[j];
        const double steepness = preactivations[place] >= 0.0 ? 1.0 : slope;
        coefficients[place] = -problem->learning_rate * steepness * by_activation;
    }
}

// Moves the output weights of a tile by the step whose samples begin at `sample`.
static void move_output_weights(ww_window *window, const ww_window_tile *tile, int64_t sample)
{
    const ww_problem *problem = window->problem;
    const double slope = problem->negative_slope;
    const int64_t k = problem->outputs;
    for (int64_t place = 0; place < tile->units; place++) {
        double *weights = tile->output_weights + ww_window_unit_at(window, tile, place) * k;
        for (int64_t j = 0; j < k; j++) {
            double sum = 0.0;
            for (int64_t i = 0; i < problem->batch; i++) {
                const double z = tile->preactivations[(sample + i) * tile->units + place];
                sum += window->step.gradients[i * k + j] * (z >= 0.0 ? z : slope * z);
            }
            weights[j] -= problem->learning_rate * sum;
        }
    }
}

void ww_window_take_updates(ww_window *window, const ww_window_tile *tile, int64_t sample)
{
    const ww_problem *problem = window->problem;
    const int64_t k = problem->outputs;
    const double *output_weights = order_output_weights(window, tile);
    for (int64_t i = 0; i < problem->batch; i++) {
        const int64_t row = (sample + i) * tile->units;
        if (ww_window_has_gradient(window->step.gradients + i * k, k))
            find_coefficients(window, output_weights, window->step.gradients + i * k,
                              tile->preactivations + row, tile->units, tile->coefficients + row);
    }
    if (problem->config->network.train_output)
        move_output_weights(window, tile, sample);
}
