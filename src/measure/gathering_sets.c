// Going over the samples of both sets with the tiles of a rank, which its threads share.
#include "measure/gathering.h"

#include "parallel/workers.h"
#include "train/kernels.h"
#include "train/tally.h"

#include <math.h>
#include <string.h>

// One tile on one block of samples, and the thread that is at it.
typedef struct tile_block {
    ww_gathering_worker *worker;
    ww_set_sums *sums;         // its own, of the set
    int64_t tile;              // global index
    int64_t first_unit, units; // of those of the column
    int64_t start, samples;    // of the set
    bool looks_back;
    bool is_start;     // pre-activations are those of t = 0
    bool gives_origin; // its patterns
} tile_block;

// Counts patterns, in the worker's `active`, that are others than at t = 0.
static void compare_patterns(const ww_gathering *self, const tile_block *at, ww_gathered_set *set)
{
    for (int64_t unit = 0; unit < at->units; unit++) {
        const uint8_t *now = at->worker->active + unit * at->samples;
        const uint8_t *then = at->worker->early_active + unit * at->samples;
        int64_t changed = 0;
        if (at->looks_back)
            for (int64_t s = 0; s < at->samples; s++)
                changed += now[s] != then[s];
        else
            changed = ww_origin_changes(self->origin, set->kept, 1, at->first_unit + unit,
                                        at->start, at->samples, now);
        at->sums->counts[WW_COUNT_PAIRS] += changed;
        if (changed > 0)
            set->changed[at->first_unit + unit] = 1;
    }
}

// Counts the pairs that the movement of their unit may have changed.
static void count_risky(const ww_gathering *self, const tile_block *at, const ww_gathered_set *set)
{
    const double *norms = set->norms + at->start;
    for (int64_t unit = 0; unit < at->units; unit++)
        for (int64_t s = 0; s < at->samples; s++)
            at->sums->counts[WW_COUNT_RISKY] += fabs(at->worker->early[unit * at->samples + s]) <=
                                                self->reach[at->first_unit + unit] * norms[s];
}

// Units that samples would move, from their activations.
static void count_movers(const ww_gathering *self, const tile_block *at,
                         const double *output_weights)
{
    double *extras = at->worker->extras;
    const ww_tile_activations tile = {.values = at->worker->preactivations,
                                      .active = at->worker->active,
                                      .units = at->units,
                                      .samples = at->samples,
                                      .unit_stride = at->samples,
                                      .sample_stride = 1};
    ww_tally_extras_of(self->problem, &tile, output_weights, extras);
    for (int64_t s = 0; s < at->samples; s++)
        at->sums->movers[at->start + s] += (int64_t)extras[s * WW_TALLY_COLUMNS + WW_TALLY_MOVERS];
}

// Outputs of activations [units, block] of one tile, added to a sum.
static void add_outputs(const ww_gathering *self, const tile_block *at, const double *activations,
                        const double *output_weights, ww_output_sum *sum)
{
    ww_kernel_outputs(self->problem->pairs, activations, output_weights, at->units, at->samples,
                      self->problem->outputs, at->worker->partial);
    ww_output_sum_add(sum, at->start, at->samples, at->worker->partial);
}

// Outputs of the pseudo network, from the pre-activations and the patterns at t = 0.
static void add_pseudo_outputs(const ww_gathering *self, const tile_block *at,
                               const double *output_weights, const ww_gathered_set *set)
{
    ww_gathering_worker *worker = at->worker;
    for (int64_t unit = 0; unit < at->units && !at->looks_back; unit++)
        ww_origin_patterns(self->origin, set->kept, 1, at->first_unit + unit, at->start,
                           at->samples, worker->early_active + unit * at->samples);
    ww_activate_by(self->problem->negative_slope, worker->early_active, worker->preactivations,
                   (size_t)(at->units * at->samples), worker->early);
    add_outputs(self, at, worker->early, output_weights, &at->sums->pseudo);
}

// Patterns of t = 0, which are those of now.
static void give_origin(const ww_gathering *self, const tile_block *at, const ww_gathered_set *set)
{
    ww_gathering_worker *worker = at->worker;
    ww_patterns(worker->preactivations, (size_t)(at->units * at->samples), worker->active);
    for (int64_t unit = 0; unit < at->units; unit++)
        ww_origin_keep(self->origin, set->kept, at->first_unit + unit, at->start, at->samples,
                       worker->active + unit * at->samples);
}

// The inputs are arranged; the piece begins at sample `first`.
static void gather_block(const ww_gathering *self, const ww_product_inputs *inputs,
                         const tile_block *at, int64_t first, const double *weights,
                         ww_gathered_set *set)
{
    const ww_problem *problem = self->problem;
    ww_gathering_worker *worker = at->worker;
    const size_t pairs = (size_t)(at->units * at->samples);
    const double *output_weights = ww_engine_tile_output_weights(self->engine, at->tile);
    ww_product_preactivations(inputs, at->start - first, weights, at->units,
                              worker->preactivations);
    if (at->looks_back) {
        // Pre-activations at t = 0 by the same call as now, so that patterns agree exactly.
        if (at->is_start)
            memcpy(worker->early, worker->preactivations, pairs * sizeof *worker->early);
        else
            ww_product_preactivations(inputs, at->start - first, worker->initial, at->units,
                                      worker->early);
        ww_patterns(worker->early, pairs, worker->early_active);
        if (set->wants & WW_NEED_TEST_REACH)
            count_risky(self, at, set);
    }
    if (at->gives_origin)
        give_origin(self, at, set);
    if (set->wants & WW_NEED_PSEUDO_OUTPUTS)
        add_pseudo_outputs(self, at, output_weights, set);
    ww_activate(problem->negative_slope, worker->preactivations, pairs, worker->active);
    if (set->wants & WW_NEED_TEST_PATTERNS)
        compare_patterns(self, at, set);
    if (set->wants & WW_NEED_TRAIN_MOVERS)
        count_movers(self, at, output_weights);
    if (set->wants & WW_NEED_TEST_OUTPUTS)
        add_outputs(self, at, worker->preactivations, output_weights, &at->sums->outputs);
}

// What is done with a set in a survey.
typedef struct set_pass {
    ww_gathered_set *set;
    const ww_product_inputs *inputs; // of samples first .. first + count - 1
    int64_t first, count;
    bool keeps, looks_back, is_start, lacks_patterns;
} set_pass;

static set_pass begin_set(ww_gathering *self, ww_gathered_set *set)
{
    set_pass pass = {.set = set,
                     .inputs = &self->workers[0].inputs,
                     .keeps = ww_origin_has_patterns(self->origin, set->kept),
                     .is_start = ww_gathering_is_at_start(self)};
    pass.looks_back = ww_gathering_looks_back(set->wants, pass.keeps);
    pass.lacks_patterns = pass.keeps && !set->has_patterns;
    if (pass.lacks_patterns && !pass.is_start) // after a restart
        ww_origin_draw_patterns(self->origin, set->kept);
    return pass;
}

static bool draws_weights(const set_pass *pass)
{
    return pass->looks_back && !pass->is_start;
}

// W(0) of a tile, into the worker's `initial`.
static void draw_tile(const ww_gathering *self, ww_gathering_worker *worker, int64_t tile)
{
    const ww_problem *problem = self->problem;
    ww_initial_hidden_weights(&problem->initial, tile * problem->tiling.tile_units,
                              ww_tile_size(&problem->tiling, tile), worker->initial);
}

// One tile (global index) on the samples that are arranged.
static void gather_tile(const ww_gathering *self, ww_gathering_worker *worker, const set_pass *pass,
                        int64_t tile, const double *weights)
{
    const ww_tiling *tiling = &self->problem->grid.tiling;
    tile_block at = {.worker = worker,
                     .sums = &worker->sums[pass->set->kept],
                     .tile = tile,
                     .first_unit = (tile - tiling->first_tile) * tiling->tile_units,
                     .units = ww_tile_size(tiling, tile),
                     .looks_back = pass->looks_back,
                     .is_start = pass->is_start,
                     .gives_origin = pass->lacks_patterns && pass->is_start};
    for (at.start = pass->first; at.start < pass->first + pass->count; at.start += at.samples) {
        at.samples = ww_block_size(pass->set->samples->count, at.start);
        gather_block(self, pass->inputs, &at, pass->first, weights, pass->set);
    }
}

// What threads do with tiles: those of the column where samples are gone over, of which each rank
// has a part, and of this rank where weights are looked at.
typedef struct task {
    ww_gathering *self;
    const ww_tiling *tiling;
    const set_pass *passes;
    int count;
    bool of_weights, draws;
} task;

static void visit_tile(void *context, int number, int64_t local_tile)
{
    const task *now = context;
    ww_gathering *self = now->self;
    ww_gathering_worker *worker = &self->workers[number];
    const int64_t tile = now->tiling->first_tile + local_tile;
    const double *weights = ww_engine_tile_for(self->engine, number, tile);
    if (now->of_weights)
        ww_gather_weights(self, worker, local_tile, weights, ww_tile_size(now->tiling, tile));
    if (now->draws)
        draw_tile(self, worker, tile);
    for (int pass = 0; pass < now->count; pass++)
        gather_tile(self, worker, &now->passes[pass], tile, weights);
}

static void visit_tiles(task *now)
{
    ww_for_each(now->self->problem->parallel, now->tiling->local_tiles, visit_tile, now);
}

void ww_gather_all_weights(ww_gathering *self)
{
    task now = {.self = self, .tiling = &self->problem->tiling, .of_weights = true};
    visit_tiles(&now);
}

void ww_gather_set(ww_gathering *self, ww_gathered_set *set)
{
    const ww_part_of_samples part = set->part;
    if (set->wants == 0)
        return;
    set_pass pass = begin_set(self, set);
    task now = {.self = self,
                .tiling = &self->problem->grid.tiling,
                .passes = &pass,
                .count = 1,
                .draws = draws_weights(&pass)};
    for (int64_t first = part.first; first < part.first + part.count; first += pass.count) {
        ww_gathering_arrange(self->problem, &self->workers[0].inputs, set->samples, part, first,
                             &pass.first, &pass.count);
        visit_tiles(&now);
    }
    set->has_patterns = pass.keeps;
}

bool ww_gathering_goes_by_tiles(const ww_problem *problem)
{
    return problem->grid.groups == 1 && ww_engine_makes_tiles(problem);
}

void ww_gather_tiles(ww_gathering *self, bool of_weights)
{
    set_pass passes[WW_ORIGIN_SETS];
    task now = {
        .self = self, .tiling = &self->problem->tiling, .passes = passes, .of_weights = of_weights};
    for (int which = 0; which < WW_ORIGIN_SETS; which++) {
        ww_gathered_set *set = &self->sets[which];
        ww_product_inputs *inputs = &self->whole[which];
        if (set->wants == 0)
            continue;
        set_pass *pass = &passes[now.count++];
        *pass = begin_set(self, set);
        pass->inputs = inputs;
        pass->count = set->samples->count;
        now.draws = now.draws || draws_weights(pass);
        if (inputs->samples == 0)
            ww_product_inputs_set(inputs, set->samples->inputs, pass->count);
    }
    if (now.count > 0 || of_weights)
        visit_tiles(&now);
    for (int pass = 0; pass < now.count; pass++)
        passes[pass].set->has_patterns = passes[pass].keeps;
}
