// The engine of any number of hidden layers, in either precision. A step is a forward pass of all
// blocks of the batch, one Allreduce for all of their outputs, a backward pass of all of them, and
// then every W_l <- W_l - eta D_l X_{l-1}^T, right into the weights.
//
// That takes the activations of the whole batch. Where they would take more than a copy of the
// weights does, blocks go through one at a time, and what the weights become is collected in such a
// copy: the same operations on the same numbers, so the bits do not depend on it.

#include "train/engine.h"
#include "train/kernels.h"
#include "train/layered_inside.h"
#include "train/step.h"
#include "train/track.h"
#include "widthwise/memory.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef struct layers {
    const ww_problem *problem;
    ww_track *track; // borrowed; NULL: nobody asks for it
    ww_layered *network;
    ww_batches *batches;
    ww_layered_block **blocks; // [blocks in memory]
    ww_layered_weights next;   // what the weights become, where blocks go through one at a time
    ww_output_sum block_sum;   // of one block, then
    double *block_gradients;   // [block, k], likewise
    double *block_outputs;     // [block, k], likewise
    int64_t *indices;          // [B], samples of the batch
    int64_t *labels;           // [B]
    double *targets;           // [B, k], where the data have them
    double *gathered;          // [B, d]; of gd inputs are used in place, but for a look at some
    void *output_updates;      // [local units, k], where output weights are trained
    ww_step step;
} layers;

static bool is_gd(const ww_problem *problem)
{
    return problem->config->training.method == WW_METHOD_GD;
}

static int64_t blocks_of(const ww_problem *problem)
{
    return (problem->batch + WW_SAMPLE_BLOCK - 1) / WW_SAMPLE_BLOCK;
}

// Whether blocks go through one at a time: by what all weights and all activations take, so that it
// is the same on any number of ranks. Who tracks steps looks at all pairs of samples of a batch.
static bool is_one_by_one(const ww_problem *problem)
{
    const ww_parallel one = {.communicator = MPI_COMM_NULL, .rank = 0, .size = 1};
    ww_problem whole = *problem;
    whole.parallel = &one;
    whole.tiling = ww_tiling_make(problem->tiling.width, 0, 1);
    return blocks_of(problem) > 1 && !problem->tracks_layers &&
           ww_layered_block_bytes(&whole, problem->batch, true) > ww_layered_weight_bytes(&whole);
}

static int64_t blocks_in_memory(const ww_problem *problem)
{
    return is_one_by_one(problem) ? 1 : blocks_of(problem);
}

static void layers_destroy(void *state)
{
    layers *self = state;
    for (int64_t i = 0; self->blocks != NULL && i < blocks_in_memory(self->problem); i++)
        ww_layered_block_free(self->blocks[i]);
    free(self->blocks);
    ww_layered_weights_free(self->problem, &self->next);
    ww_layered_free(self->network);
    ww_batches_free(self->batches);
    ww_output_sum_free(&self->block_sum);
    free(self->block_gradients);
    free(self->block_outputs);
    free(self->indices);
    free(self->labels);
    free(self->targets);
    free(self->gathered);
    free(self->output_updates);
    ww_step_free(&self->step);
    free(self);
}

enum { ARRAYS = 8 };

static void list_arrays(const ww_problem *problem, ww_allocation list[ARRAYS])
{
    const size_t batch = (size_t)problem->batch;
    const size_t k = (size_t)problem->outputs;
    const size_t block = is_one_by_one(problem) ? (size_t)ww_block_size(problem->batch, 0) * k : 0;
    const size_t targets = problem->data->has_targets ? batch * k : 0;
    const bool gathers = !is_gd(problem) || ww_tally_extras(problem) > 0;
    const size_t gathered = gathers ? batch * (size_t)problem->dimension : 0;
    const size_t updates =
        problem->config->network.train_output ? (size_t)problem->tiling.local_units * k : 0;
    const ww_allocation arrays[] = {
        {offsetof(layers, blocks), (size_t)blocks_in_memory(problem), sizeof(ww_layered_block *),
         "the blocks of a batch"},
        {offsetof(layers, block_gradients), block, sizeof(double),
         "the output gradients of a block"},
        {offsetof(layers, block_outputs), block, sizeof(double), "the outputs of a block"},
        {offsetof(layers, indices), batch, sizeof(int64_t), "the indices of a batch"},
        {offsetof(layers, labels), batch, sizeof(int64_t), "the labels of a batch"},
        {offsetof(layers, targets), targets, sizeof(double), "the targets of a batch"},
        {offsetof(layers, gathered), gathered, sizeof(double), "the inputs of a batch"},
        {offsetof(layers, output_updates), updates, ww_layered_methods_of(problem)->size,
         "the update of the output weights"},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

static ww_engine_cost layers_cost(const ww_problem *problem)
{
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    int64_t work = ww_allocation_bytes(list, ARRAYS) + ww_layered_work_bytes(problem) +
                   ww_batches_bytes(problem) + ww_step_bytes(problem);
    if (is_one_by_one(problem)) {
        const int64_t block = ww_block_size(problem->batch, 0);
        work += ww_layered_weight_bytes(problem) + ww_layered_block_bytes(problem, block, true) +
                ww_output_sum_bytes_with(problem, block, ww_tally_extras(problem));
    } else {
        work += ww_layered_block_bytes(problem, problem->batch, true);
    }
    // Forward and update are a product by the columns of each layer, backward by those of all but
    // the first; and what the output weights take.
    const double pairs = (double)problem->tiling.local_units * (double)problem->batch;
    double columns = 2.0 * (double)problem->dimension +
                     (problem->config->network.train_output ? 3.0 : 2.0) * (double)problem->outputs;
    for (int64_t layer = 2; layer <= problem->depth; layer++)
        columns += 3.0 * (double)ww_layer_columns(problem, layer);
    return (ww_engine_cost){.weights = ww_layered_weight_bytes(problem),
                            .work = work,
                            .step_flops = 2.0 * pairs * columns};
}

static ww_status make_blocks(layers *self, ww_error *error)
{
    const ww_problem *problem = self->problem;
    for (int64_t i = 0; i < blocks_in_memory(problem); i++)
        WW_TRY(ww_layered_block_create(problem, ww_block_size(problem->batch, i * WW_SAMPLE_BLOCK),
                                       true, &self->blocks[i], error));
    if (!is_one_by_one(problem))
        return WW_OK;
    WW_TRY(ww_layered_weights_create(problem, &self->next, error));
    return ww_output_sum_create_with(&self->block_sum, problem, ww_block_size(problem->batch, 0),
                                     ww_tally_extras(problem), error);
}

static ww_status make(layers *self, ww_tally *tally, ww_error *error)
{
    ww_allocation list[ARRAYS];
    list_arrays(self->problem, list);
    WW_TRY(ww_allocate_all(self, list, ARRAYS, error));
    WW_TRY(ww_batches_create(self->problem, &self->batches, error));
    WW_TRY(ww_step_create(&self->step, self->problem, tally, error));
    WW_TRY(ww_layered_create(self->problem, &self->network, error));
    return make_blocks(self, error);
}

static ww_status layers_create(const ww_problem *problem, ww_tally *tally, ww_track *track,
                               void **state, ww_error *error)
{
    layers *self = ww_allocate(1, sizeof *self, "the engine", error);
    if (self == NULL)
        return WW_FAILED;
    self->problem = problem;
    self->track = track;
    if (make(self, tally, error) != WW_OK) {
        layers_destroy(self);
        return WW_FAILED;
    }
    *state = self;
    return WW_OK;
}

// Where the inputs of sample `start` of the batch stand.
static const double *batch_inputs(const layers *self, int64_t start)
{
    const ww_problem *problem = self->problem;
    return (is_gd(problem) ? problem->data->train.inputs : self->gathered) +
           start * problem->dimension;
}

// Moves `hidden` by the gradient of one block, which begins at `start` of the batch; collects what
// output weights move by.
static void move_by(layers *self, const ww_layered_block *block, int64_t start,
                    const double *gradients, void *const *hidden)
{
    const ww_problem *problem = self->problem;
    const ww_layered_methods *methods = self->network->methods;
    for (int64_t layer = 1; layer <= problem->depth; layer++)
        for (int64_t tile = 0; tile < problem->tiling.local_tiles; tile++)
            methods->move(self->network, block, layer, ww_tile_rows(problem, tile),
                          hidden[layer - 1]);
    for (int64_t tile = 0;
         problem->config->network.train_output && tile < problem->tiling.local_tiles; tile++) {
        const ww_rows rows = ww_tile_rows(problem, tile);
        methods->find_output_updates(
            self->network, block, rows, gradients, start > 0,
            ww_layered_at(methods, self->output_updates, rows.first * problem->outputs));
    }
}

static void move_outputs(layers *self)
{
    const ww_problem *problem = self->problem;
    const ww_layered_methods *methods = self->network->methods;
    if (!problem->config->network.train_output)
        return;
    for (int64_t tile = 0; tile < problem->tiling.local_tiles; tile++) {
        const ww_rows rows = ww_tile_rows(problem, tile);
        methods->move_outputs(
            self->network, rows,
            ww_layered_at(methods, self->output_updates, rows.first * problem->outputs));
    }
}

// What a step is about.
typedef struct occasion {
    int64_t step, request;
    int64_t *requests;
    double *batch_loss;
    ww_samples batch;
} occasion;

static ww_status finish(layers *self, const occasion *now, bool *changes, ww_error *error)
{
    return ww_step_finish(&self->step, now->step, self->indices, &now->batch, now->request,
                          now->requests, now->batch_loss, changes, error);
}

static ww_status step_at_once(layers *self, const occasion *now, ww_error *error)
{
    const ww_problem *problem = self->problem;
    const int64_t blocks = blocks_of(problem);
    for (int64_t i = 0; i < blocks; i++) {
        const int64_t start = i * WW_SAMPLE_BLOCK;
        WW_TRY(ww_layered_forward(self->network, self->blocks[i], batch_inputs(self, start),
                                  ww_block_size(problem->batch, start), &self->step.sum, start,
                                  error));
    }
    bool changes = false;
    WW_TRY(finish(self, now, &changes, error));
    if (!changes && self->track != NULL)
        ww_track_rest(self->track, problem, *now->batch_loss);
    if (!changes)
        return WW_OK;
    for (int64_t i = 0; i < blocks; i++)
        WW_TRY(ww_layered_backward(self->network, self->blocks[i],
                                   self->step.gradients + i * WW_SAMPLE_BLOCK * problem->outputs,
                                   error));
    if (self->track != NULL)
        WW_TRY(ww_track_step(self->track, problem, self->network, self->blocks, *now->batch_loss,
                             error));
    for (int64_t i = 0; i < blocks; i++) {
        const int64_t start = i * WW_SAMPLE_BLOCK;
        move_by(self, self->blocks[i], start, self->step.gradients + start * problem->outputs,
                self->network->weights.hidden);
    }
    move_outputs(self);
    return WW_OK;
}

// One block there and back: into what the weights become.
static ww_status pass_block(layers *self, const occasion *now, int64_t start, ww_error *error)
{
    const ww_problem *problem = self->problem;
    const int64_t samples = ww_block_size(problem->batch, start);
    ww_layered_block *block = self->blocks[0];
    ww_output_sum_restart(&self->block_sum, samples);
    WW_TRY(ww_layered_forward(self->network, block, batch_inputs(self, start), samples,
                              &self->block_sum, 0, error));
    ww_output_sum_append(&self->step.sum, start, &self->block_sum);
    WW_TRY(ww_output_sum_finish(&self->block_sum, 0, NULL, self->block_outputs, error));
    ww_batch_gradients(problem, self->block_outputs, &now->batch, start, samples, now->batch.count,
                       self->block_gradients);
    WW_TRY(ww_layered_backward(self->network, block, self->block_gradients, error));
    move_by(self, block, start, self->block_gradients, self->next.hidden);
    return WW_OK;
}

static ww_status step_one_by_one(layers *self, const occasion *now, ww_error *error)
{
    const ww_problem *problem = self->problem;
    ww_layered_weights *weights = &self->network->weights;
    for (int64_t layer = 1; layer <= problem->depth; layer++)
        memcpy(self->next.hidden[layer - 1], weights->hidden[layer - 1],
               (size_t)(problem->tiling.local_units * ww_layer_columns(problem, layer)) *
                   self->network->methods->size);
    for (int64_t start = 0; start < problem->batch; start += WW_SAMPLE_BLOCK)
        WW_TRY(pass_block(self, now, start, error));
    bool changes = false;
    WW_TRY(finish(self, now, &changes, error));
    if (!changes)
        return WW_OK;
    void **swap = weights->hidden;
    weights->hidden = self->next.hidden;
    self->next.hidden = swap;
    move_outputs(self);
    return WW_OK;
}

static ww_status layers_step(void *state, int64_t step, int64_t request, int64_t *requests,
                             double *batch_loss, ww_error *error)
{
    layers *self = state;
    const ww_problem *problem = self->problem;
    occasion now = {.step = step,
                    .request = request,
                    .requests = requests,
                    .batch_loss = batch_loss,
                    .batch = {.count = problem->batch,
                              .inputs = is_gd(problem) ? NULL : self->gathered,
                              .labels = self->labels,
                              .targets = problem->data->has_targets ? self->targets : NULL}};
    ww_batches_gather(self->batches, problem, step, self->indices, &now.batch);
    ww_output_sum_clear(&self->step.sum);
    return is_one_by_one(problem) ? step_one_by_one(self, &now, error)
                                  : step_at_once(self, &now, error);
}

static const double *layers_tile(void *state, int worker, int64_t tile)
{
    layers *self = state;
    return ww_layered_tile(self->network, worker, 1, tile);
}

static const double *layers_output_weights(void *state)
{
    layers *self = state;
    return ww_layered_output_weights(self->network);
}

static int64_t layers_probe_samples(const ww_problem *problem)
{
    return problem->batch;
}

// Only asked of one hidden layer, for which the forward pass of a block takes no other rank.
static void layers_probe(void *state, const int64_t *indices, ww_output_sum *sum)
{
    layers *self = state;
    const ww_problem *problem = self->problem;
    const size_t d = (size_t)problem->dimension;
    WW_ASSERT(problem->depth == 1);
    for (int64_t i = 0; i < problem->batch; i++)
        memcpy(self->gathered + (size_t)i * d, problem->data->train.inputs + (size_t)indices[i] * d,
               d * sizeof *self->gathered);
    for (int64_t start = 0; start < problem->batch; start += WW_SAMPLE_BLOCK)
        (void)ww_layered_forward(self->network, self->blocks[0],
                                 self->gathered + start * problem->dimension,
                                 ww_block_size(problem->batch, start), sum, start, NULL);
}

static ww_layered *layers_network(void *state)
{
    layers *self = state;
    return self->network;
}

static double *layers_output_storage(void *state)
{
    layers *self = state;
    return ww_layered_output_weights(self->network);
}

static void layers_restored(void *state, int64_t step, bool has_kept)
{
    layers *self = state;
    (void)step;
    (void)has_kept;
    ww_layered_put_output_weights(self->network);
}

const ww_engine_methods ww_engine_layers = {
    .name = "layers",
    .cost = layers_cost,
    .create = layers_create,
    .destroy = layers_destroy,
    .step = layers_step,
    .tile = layers_tile,
    .output_weights = layers_output_weights,
    .probe_samples = layers_probe_samples,
    .probe = layers_probe,
    .network = layers_network,
    .output_storage = layers_output_storage,
    .restored = layers_restored,
};
