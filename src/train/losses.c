// Losses over sets of samples.
#include "widthwise/train.h"

#include <stddef.h>

ww_target ww_target_of(const ww_problem *problem, const ww_samples *samples, int64_t sample)
{
    return (ww_target){
        .label = samples->labels[sample],
        .values = samples->targets != NULL ? samples->targets + sample * problem->outputs : NULL};
}

double ww_loss_divisor(const ww_problem *problem, int64_t count)
{
    return problem->config->loss_reduction == WW_REDUCTION_SUM ? 1.0 : (double)count;
}

double ww_loss_sum(const ww_problem *problem, const ww_samples *samples, int64_t start,
                   int64_t count, const double *outputs)
{
    const int64_t k = problem->outputs;
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++)
        sum += problem->loss->value(outputs + i * k, k, ww_target_of(problem, samples, start + i));
    return sum;
}

double ww_loss_over(const ww_problem *problem, const ww_samples *samples, const double *outputs)
{
    return ww_loss_sum(problem, samples, 0, samples->count, outputs) /
           ww_loss_divisor(problem, samples->count);
}

void ww_batch_gradients(const ww_problem *problem, const double *outputs, const ww_samples *batch,
                        int64_t start, int64_t count, int64_t whole, double *gradients)
{
    const int64_t k = problem->outputs;
    const double divisor = ww_loss_divisor(problem, whole);
    for (int64_t i = 0; i < count; i++) {
        problem->loss->gradient(outputs + i * k, k, ww_target_of(problem, batch, start + i),
                                gradients + i * k);
        for (int64_t j = 0; j < k; j++)
            gradients[i * k + j] /= divisor;
    }
}

double ww_batch_loss(const ww_problem *problem, const double *outputs, const ww_samples *batch,
                     double *gradients)
{
    ww_batch_gradients(problem, outputs, batch, 0, batch->count, batch->count, gradients);
    return ww_loss_over(problem, batch, outputs);
}
