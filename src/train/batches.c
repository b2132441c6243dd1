#include "widthwise/memory.h"
#include "widthwise/random.h"
#include "widthwise/train.h"

#include <stdlib.h>
#include <string.h>

struct ww_batches {
    ww_method method;
    ww_sampling sampling;
    uint64_t seed;
    int64_t samples, batch;
    int64_t first;        // of gd
    int64_t epoch;        // whose permutation is in `permutation`; -1: none yet
    int64_t *permutation; // [samples], sampling by permutation only
};

// Epochs have permutations of their own by numbers of 32 bits.
ww_status ww_batches_check(const ww_problem *problem, ww_error *error)
{
    const ww_config *config = problem->config;
    if (config->training.method != WW_METHOD_SGD ||
        config->training.sampling != WW_SAMPLING_PERMUTATION || config->training.steps == 0)
        return WW_OK;
    const int64_t epoch = problem->data->train.count / problem->batch;
    const int64_t last = epoch > 0 ? (config->training.steps - 1) / epoch : 0;
    if (last <= UINT32_MAX)
        return WW_OK;
    char where[512];
    ww_config_where(config, "training.steps", where, sizeof where);
    return ww_fail(error, WW_USAGE,
                   "%s is %lld, which takes %lld permutations of the train set, but there are no "
                   "more than %lld; choose fewer steps, or training.sampling: replacement",
                   where, (long long)config->training.steps, (long long)last + 1,
                   (long long)UINT32_MAX + 1);
}

ww_status ww_batches_create(const ww_problem *problem, ww_batches **batches, ww_error *error)
{
    *batches = NULL;
    ww_batches *made = ww_allocate(1, sizeof *made, "the batches", error);
    if (made == NULL)
        return WW_FAILED;
    made->method = problem->config->training.method;
    made->sampling = problem->config->training.sampling;
    made->seed = (uint64_t)problem->config->seeds.batches;
    made->samples = problem->data->train.count;
    made->batch = problem->batch;
    made->first = problem->first_sample;
    made->epoch = -1;
    if (made->method == WW_METHOD_SGD && made->sampling == WW_SAMPLING_PERMUTATION) {
        made->permutation = ww_allocate((size_t)made->samples, sizeof *made->permutation,
                                        "the permutation of an epoch", error);
        if (made->permutation == NULL) {
            free(made);
            return WW_FAILED;
        }
    }
    *batches = made;
    return WW_OK;
}

int64_t ww_batches_bytes(const ww_problem *problem)
{
    const bool permutes = problem->config->training.method == WW_METHOD_SGD &&
                          problem->config->training.sampling == WW_SAMPLING_PERMUTATION;
    return permutes ? problem->data->train.count * (int64_t)sizeof(int64_t) : 0;
}

void ww_batches_free(ww_batches *batches)
{
    if (batches == NULL)
        return;
    free(batches->permutation);
    free(batches);
}

void ww_batches_at(ww_batches *batches, int64_t step, int64_t *indices)
{
    const int64_t batch = batches->batch;
    if (batches->method == WW_METHOD_GD) {
        for (int64_t i = 0; i < batch; i++)
            indices[i] = batches->first + i;
        return;
    }
    ww_stream stream = {.seed = batches->seed, .purpose = WW_DRAW_BATCHES};
    if (batches->sampling == WW_SAMPLING_REPLACEMENT) {
        ww_integers(stream, (uint64_t)(step * batch), (size_t)batch, batches->samples, indices);
        return;
    }
    if (batches->sampling == WW_SAMPLING_SEQUENTIAL) {
        for (int64_t i = 0; i < batch; i++) // step * batch may be more than 64 bits count
            indices[i] = (step % batches->samples * batch + i) % batches->samples;
        return;
    }
    const int64_t batches_per_epoch = batches->samples / batch;
    const int64_t epoch = step / batches_per_epoch;
    if (epoch != batches->epoch) {
        WW_ASSERT(epoch <= UINT32_MAX);
        stream.substream = (uint32_t)epoch;
        ww_permutation(stream, batches->samples, batches->permutation);
        batches->epoch = epoch;
    }
    memcpy(indices, batches->permutation + step % batches_per_epoch * batch,
           (size_t)batch * sizeof *indices);
}

void ww_batches_gather(ww_batches *batches, const ww_problem *problem, int64_t step,
                       int64_t *indices, ww_samples *batch)
{
    const ww_samples *train = &problem->data->train;
    const size_t dimension = (size_t)problem->dimension;
    const size_t k = (size_t)problem->outputs;
    ww_batches_at(batches, step, indices);
    for (size_t i = 0; i < (size_t)problem->batch; i++) {
        const size_t sample = (size_t)indices[i];
        batch->labels[i] = train->labels[sample];
        if (train->targets != NULL)
            memcpy(batch->targets + i * k, train->targets + sample * k, k * sizeof *batch->targets);
        if (batch->inputs != NULL)
            memcpy(batch->inputs + i * dimension, train->inputs + sample * dimension,
                   dimension * sizeof *batch->inputs);
    }
}
