// Work of the engines of one hidden layer on tiles of units. A batch of several blocks of samples
// goes block by block through all tiles, first in the update and then in the forward pass: it has
// more to compute than to read.

#include "train/shallow.h"

#include "parallel/workers.h"
#include "train/kernels.h"

bool ww_shallow_is_one_block(const ww_problem *problem)
{
    return problem->batch <= WW_SAMPLE_BLOCK;
}

// What the threads do with tiles.
typedef struct task {
    ww_shallow *self;
    ww_output_sum *sum; // NULL where nothing is summed
    bool probes;        // outputs are only looked at: patterns stay those of the last step
    int64_t start, count;
} task;

static void *output_weights_of(const ww_shallow *self, ww_rows tile)
{
    void *all = self->methods->size == sizeof(double) ? self->output_weights : self->narrow_weights;
    return ww_place(self->methods, all, tile.first * self->problem->outputs);
}

void *ww_shallow_output_updates(const ww_shallow *self, ww_rows tile)
{
    return ww_place(self->methods, self->output_updates, tile.first * self->problem->outputs);
}

static uint8_t *patterns_of(const ww_shallow *self, ww_rows tile, int64_t start)
{
    return self->patterns + tile.first * self->pattern_bytes + start / 8;
}

static const void *gradients_of(const ww_shallow *self, int64_t start)
{
    return ww_place(self->methods, self->gradients, start * self->problem->outputs);
}

void ww_shallow_find_output_updates(ww_shallow *self, ww_shallow_room *room, ww_rows tile,
                                    int64_t start, int64_t count, bool adds, void *updates)
{
    const ww_problem *problem = self->problem;
    self->keeper->preactivate(self->kept, WW_PASS_UPDATE, tile, start, count, room->preactivations);
    self->methods->activate(problem->negative_slope, room->preactivations, tile.units * count,
                            room->active);
    self->methods->output_updates(-problem->learning_rate, room->preactivations,
                                  gradients_of(self, start), tile.units, count, problem->outputs,
                                  adds, updates);
}

// Those of a block of the pending batch, for the output weights of a tile: before its hidden
// weights move.
static void find_output_updates(const task *now, ww_shallow_room *room, ww_rows tile)
{
    ww_shallow_find_output_updates(now->self, room, tile, now->start, now->count, now->start > 0,
                                   ww_shallow_output_updates(now->self, tile));
}

// The gradients are already those of the batch's mean or sum.
void ww_shallow_find_coefficients(const ww_shallow *self, ww_shallow_room *room, ww_rows tile,
                                  int64_t start, int64_t count)
{
    const ww_problem *problem = self->problem;
    self->methods->derive(output_weights_of(self, tile), gradients_of(self, start), tile.units,
                          count, problem->outputs, room->coefficients);
    ww_unpack_patterns(patterns_of(self, tile, start), self->pattern_bytes, tile.units, count,
                       room->active);
    self->methods->mask(problem->negative_slope, room->active, tile.units * count,
                        room->coefficients);
}

static void find_coefficients(const task *now, ww_shallow_room *room, ww_rows tile)
{
    ww_shallow_find_coefficients(now->self, room, tile, now->start, now->count);
}

// Output weights that are trained move after the hidden ones: each of the two by the other as it
// was (BR section 5).
void ww_shallow_move_output_weights(ww_shallow *self, ww_rows tile)
{
    const int64_t k = self->problem->outputs;
    void *weights = output_weights_of(self, tile);
    if (!self->problem->config->network.train_output)
        return;
    self->methods->add(ww_shallow_output_updates(self, tile), tile.units * k, weights);
    self->methods->widen(weights, tile.units * k, self->output_weights + tile.first * k);
}

// Outputs of a tile on a block of the batch at hand, by its pre-activations.
static void add_outputs(const task *now, int worker, ww_rows tile)
{
    ww_shallow *self = now->self;
    const ww_problem *problem = self->problem;
    const ww_activation_methods *methods = self->methods;
    ww_shallow_room *room = &self->rooms[worker];
    ww_output_sum *sum = worker == 0 ? now->sum : &room->sum;
    const int64_t k = problem->outputs;
    methods->activate(problem->negative_slope, room->preactivations, tile.units * now->count,
                      room->active);
    methods->outputs(problem->pairs, room->preactivations, output_weights_of(self, tile),
                     tile.units, now->count, k, room->partial);
    const bool is_double = methods->size == sizeof(double);
    double *outputs = is_double ? room->partial : room->outputs;
    methods->widen(room->partial, now->count * k, outputs);
    double *values = is_double ? room->preactivations : room->values;
    if (sum->extras > 0)
        methods->widen(room->preactivations, tile.units * now->count, values);
    const ww_tile_activations activations = {
        .values = values,
        .active = room->active,
        .units = tile.units,
        .samples = now->count,
        .unit_stride = now->count,
        .sample_stride = 1,
    };
    ww_step_add(sum, now->start, &activations, self->output_weights + tile.first * k, outputs,
                room->extras);
}

// The rest of the forward pass of a tile, once it has its pre-activations.
static void end_forward(const task *now, int worker, ww_rows tile)
{
    const ww_shallow *self = now->self;
    add_outputs(now, worker, tile);
    if (now->probes)
        return;
    ww_pack_patterns(self->rooms[worker].active, tile.units, now->count,
                     patterns_of(self, tile, now->start), self->pattern_bytes);
}

// Moves the hidden weights of a tile by a block of the pending batch.
static void move_hidden_weights(const task *now, ww_shallow_room *room, ww_rows tile)
{
    const ww_shallow *self = now->self;
    if (self->by_patterns) {
        self->keeper->move_by_patterns(self->kept, tile, now->start, now->count,
                                       patterns_of(self, tile, now->start), self->pattern_bytes,
                                       room->tables);
        return;
    }
    find_coefficients(now, room, tile);
    self->keeper->move(self->kept, tile, now->start, now->count, room->coefficients);
}

static void update_tile(void *context, int worker, int64_t local_tile)
{
    const task *now = context;
    move_hidden_weights(now, &now->self->rooms[worker],
                        ww_tile_rows(now->self->problem, local_tile));
}

static void update_output_tile(void *context, int worker, int64_t local_tile)
{
    const task *now = context;
    find_output_updates(now, &now->self->rooms[worker],
                        ww_tile_rows(now->self->problem, local_tile));
}

static void move_output_tile(void *context, int worker, int64_t local_tile)
{
    const task *now = context;
    (void)worker;
    ww_shallow_move_output_weights(now->self, ww_tile_rows(now->self->problem, local_tile));
}

static void forward_tile(void *context, int worker, int64_t local_tile)
{
    const task *now = context;
    ww_shallow *self = now->self;
    const ww_rows tile = ww_tile_rows(self->problem, local_tile);
    self->keeper->preactivate(self->kept, WW_PASS_FORWARD, tile, now->start, now->count,
                              self->rooms[worker].preactivations);
    end_forward(now, worker, tile);
}

// Update and forward pass of a tile by batches of one block.
static void stream_tile(void *context, int worker, int64_t local_tile)
{
    const task *now = context;
    ww_shallow *self = now->self;
    ww_shallow_room *room = &self->rooms[worker];
    const ww_keeper *keeper = self->keeper;
    const ww_rows tile = ww_tile_rows(self->problem, local_tile);
    if (self->problem->config->network.train_output)
        find_output_updates(now, room, tile);
    if (keeper->advance != NULL) {
        find_coefficients(now, room, tile);
        keeper->advance(self->kept, tile, room->coefficients, room->preactivations);
    } else {
        move_hidden_weights(now, room, tile);
        keeper->preactivate(self->kept, WW_PASS_FORWARD, tile, 0, now->count, room->preactivations);
    }
    ww_shallow_move_output_weights(self, tile);
    end_forward(now, worker, tile);
}

static void for_all_tiles(const task *now, void (*work)(void *context, int worker, int64_t tile))
{
    const ww_problem *problem = now->self->problem;
    task copy = *now; // to be handed on
    ww_for_each(problem->parallel, problem->tiling.local_tiles, work, &copy);
}

// The same block by block of the batch.
static void for_all_blocks(const task *whole, ww_pass pass,
                           void (*work)(void *context, int worker, int64_t tile))
{
    const ww_shallow *self = whole->self;
    const ww_problem *problem = self->problem;
    for (int64_t start = 0; start < problem->batch; start += WW_SAMPLE_BLOCK) {
        task now = *whole;
        now.start = start;
        now.count = ww_block_size(problem->batch, start);
        if (!ww_shallow_is_one_block(problem))
            self->keeper->take_block(self->kept, pass, start, now.count);
        for_all_tiles(&now, work);
    }
}

// Brings together what threads have summed.
static void join_sums(ww_shallow *self, ww_output_sum *sum)
{
    for (int i = 1; i < ww_workers_of(self->problem->parallel); i++) {
        ww_output_sum_append(sum, 0, &self->rooms[i].sum);
        ww_output_sum_clear(&self->rooms[i].sum);
    }
}

static void end_update(ww_shallow *self)
{
    self->is_stale = false;
    self->keeper->moved(self->kept);
}

void ww_shallow_update(ww_shallow *self)
{
    const bool moves_output = self->problem->config->network.train_output;
    if (!self->is_stale)
        return;
    const task now = {.self = self};
    if (moves_output)
        for_all_blocks(&now, WW_PASS_UPDATE, update_output_tile);
    for_all_blocks(&now, WW_PASS_UPDATE, update_tile);
    if (moves_output)
        for_all_tiles(&now, move_output_tile);
    end_update(self);
}

void ww_shallow_pass(ww_shallow *self)
{
    const task now = {.self = self, .sum = &self->step.sum, .count = self->problem->batch};
    if (self->is_stale && ww_shallow_is_one_block(self->problem)) {
        for_all_tiles(&now, stream_tile);
        end_update(self);
    } else {
        ww_shallow_update(self);
        for_all_blocks(&now, WW_PASS_FORWARD, forward_tile);
    }
    join_sums(self, now.sum);
}

void ww_shallow_add_outputs(ww_shallow *self, ww_output_sum *sum, bool sees)
{
    WW_ASSERT(!self->is_stale);
    const task now = {.self = self, .sum = sum, .probes = !sees};
    for_all_blocks(&now, WW_PASS_FORWARD, forward_tile);
    join_sums(self, sum);
}
