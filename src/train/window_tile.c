#include "train/window.h"

#include "train/kernels.h"
#include "widthwise/memory.h"

#include <cblas.h>
#include <string.h>

ww_window_tile ww_window_tile_at(const ww_window *self, int64_t local_tile)
{
    const ww_problem *problem = self->problem;
    const int64_t first = local_tile * problem->tiling.tile_units;
    const int64_t units = ww_tile_size(&problem->tiling, problem->tiling.first_tile + local_tile);
    return (ww_window_tile){.local = local_tile,
                            .units = units,
                            .half_units = units / self->halves,
                            .weights = self->weights + first * problem->dimension,
                            .output_weights = self->output_weights + first * problem->outputs,
                            .preactivations = self->preactivations + first * self->samples,
                            .coefficients = self->coefficients + first * self->samples};
}

int64_t ww_window_unit_at(const ww_window *self, const ww_window_tile *part, int64_t place)
{
    return place % part->half_units * self->halves + place / part->half_units;
}

// Output weights of a tile in the order of a row of P, [units, k].
static const double *order_output_weights(const ww_window *self, const ww_window_tile *part)
{
    if (self->halves == 1)
        return part->output_weights;
    const size_t k = (size_t)self->problem->outputs;
    for (int64_t place = 0; place < part->units; place++)
        memcpy(self->ordered + (size_t)place * k,
               part->output_weights + (size_t)ww_window_unit_at(self, part, place) * k,
               k * sizeof *self->ordered);
    return self->ordered;
}

void ww_window_apply(ww_window *self, const ww_window_tile *part)
{
    const int64_t d = self->problem->dimension;
    int64_t *applied = &self->applied[part->local];
    const int64_t count = self->moved_count - *applied;
    if (count == 0)
        return;
    for (int64_t half = 0; half < self->halves; half++) {
        for (int64_t term = 0; term < count; term++) {
            const int64_t sample = self->moved[*applied + term];
            self->terms[term] = (ww_vector_term){
                .coefficients = part->coefficients + sample * part->units + half * part->half_units,
                .vector = self->inputs + sample * d};
        }
        ww_vector_accumulate(part->weights + half * d, part->half_units, self->halves * d, d,
                             self->terms, count);
    }
    *applied = self->moved_count;
}

void ww_window_correct(ww_window *self, const ww_window_tile *part, int64_t sample, int64_t count,
                       double *rows)
{
    const ww_problem *problem = self->problem;
    if (self->moved_count == 0)
        return;
    if (!self->has_products)
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, ww_int(self->samples),
                    ww_int(self->samples), ww_int(problem->dimension), 1.0, self->inputs,
                    ww_int(problem->dimension), self->inputs, ww_int(problem->dimension), 0.0,
                    self->products, ww_int(self->samples));
    self->has_products = true;
    for (int64_t term = 0; term < self->moved_count; term++)
        self->terms[term] = (ww_vector_term){
            .coefficients = self->products + self->moved[term] * self->samples + sample,
            .vector = part->coefficients + self->moved[term] * part->units};
    ww_vector_accumulate(rows, count, part->units, part->units, self->terms, self->moved_count);
}

void ww_window_multiply(const ww_window *self, const ww_window_tile *part, const double *inputs,
                        double *rows)
{
    const int64_t d = self->problem->dimension;
    for (int64_t half = 0; half < self->halves; half++)
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, ww_int(self->samples),
                    ww_int(part->half_units), ww_int(d), 1.0, inputs, ww_int(d),
                    part->weights + half * d, ww_int(self->halves * d), 0.0,
                    rows + half * part->half_units, ww_int(part->units));
}

// Outputs [samples, k] of a tile's activations [samples, units].
static void outputs_of(ww_window *self, const ww_window_tile *part, const double *output_weights,
                       const double *activations, int64_t samples, double *outputs)
{
    const int64_t k = self->problem->outputs;
    for (int64_t half = 0; half < self->halves; half++) {
        const double *values = activations + half * part->half_units;
        const double *weights = output_weights + half * part->half_units * k;
        double *sums = half == 0 ? outputs : self->odd;
        if (samples == 1)
            for (int64_t j = 0; j < k; j++)
                sums[j] = ww_vector_dot(values, 1, weights + j, k, part->half_units);
        else
            cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, ww_int(samples), ww_int(k),
                        ww_int(part->half_units), 1.0, values, ww_int(part->units), weights,
                        ww_int(k), 0.0, sums, ww_int(k));
    }
    for (int64_t i = 0; self->halves == 2 && i < samples * k; i++)
        outputs[i] += self->odd[i];
}

void ww_window_add_outputs(ww_window *self, ww_output_sum *sum, const ww_window_tile *part,
                           int64_t count, double *rows)
{
    const ww_problem *problem = self->problem;
    const int64_t piece = ww_block_size(problem->batch, 0);
    const double *output_weights = order_output_weights(self, part);
    for (int64_t start = 0; start < count; start += WW_SAMPLE_BLOCK) {
        const int64_t samples = ww_block_size(count, start);
        const ww_tile_activations tile = {.values = rows + start * part->units,
                                          .active = self->active,
                                          .units = part->units,
                                          .samples = samples,
                                          .unit_stride = 1,
                                          .sample_stride = part->units};
        ww_activate(problem->negative_slope, rows + start * part->units,
                    (size_t)(samples * part->units), self->active);
        for (int64_t done = 0; done < samples; done += piece)
            outputs_of(self, part, output_weights, tile.values + done * part->units,
                       samples - done < piece ? samples - done : piece,
                       self->partial + done * problem->outputs);
        ww_step_add(sum, start, &tile, output_weights, self->partial, self->extras);
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
static void find_coefficients(const ww_window *self, const double *output_weights,
                              const double *gradient, const double *preactivations, int64_t units,
                              double *coefficients)
{
    const ww_problem *problem = self->problem;
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
static void move_output_weights(ww_window *self, const ww_window_tile *part, int64_t sample)
{
    const ww_problem *problem = self->problem;
    const double slope = problem->negative_slope;
    const int64_t k = problem->outputs;
    for (int64_t place = 0; place < part->units; place++) {
        double *weights = part->output_weights + ww_window_unit_at(self, part, place) * k;
        for (int64_t j = 0; j < k; j++) {
            double sum = 0.0;
            for (int64_t i = 0; i < problem->batch; i++) {
                const double z = part->preactivations[(sample + i) * part->units + place];
                sum += self->step.gradients[i * k + j] * (z >= 0.0 ? z : slope * z);
            }
            weights[j] -= problem->learning_rate * sum;
        }
    }
}

void ww_window_take_updates(ww_window *self, const ww_window_tile *part, int64_t sample)
{
    const ww_problem *problem = self->problem;
    const int64_t k = problem->outputs;
    const double *output_weights = order_output_weights(self, part);
    for (int64_t i = 0; i < problem->batch; i++) {
        const int64_t row = (sample + i) * part->units;
        if (ww_window_has_gradient(self->step.gradients + i * k, k))
            find_coefficients(self, output_weights, self->step.gradients + i * k,
                              part->preactivations + row, part->units, part->coefficients + row);
    }
    if (problem->config->network.train_output)
        move_output_weights(self, part, sample);
}
