/// What one rank gathers during a survey of one hidden layer, before anything is summed over ranks,
/// and the room it works in, which is kept from record to record. Shared by the parts of the
/// survey.
///
/// Samples go in pieces, whose inputs are arranged once (train/product_inputs.h) and then meet all
/// tiles of this rank, which its threads share. All that is summed over threads and ranks stands in
/// one array of words of each.
#ifndef WIDTHWISE_MEASURE_GATHERING_H
#define WIDTHWISE_MEASURE_GATHERING_H

#include "measure/batch_room.h"
#include "measure/origin.h"
#include "measure/survey.h"
#include "train/product_inputs.h"

/// Counts of a set of samples, of this rank and then of all.
enum { WW_COUNT_PAIRS, WW_COUNT_UNITS, WW_COUNT_RISKY, WW_SET_COUNTS };

/// Sums over tiles of what their weights are.
enum { WW_TERM_MOVED, WW_TERM_INITIAL, WW_TERM_SQUARES, WW_TERM_ALIGNED, WW_TERMS };

/// What is summed on one set of samples.
typedef struct ww_set_sums {
    ww_output_sum outputs; ///< with WW_NEED_TEST_OUTPUTS
    ww_output_sum pseudo;  ///< with WW_NEED_PSEUDO_OUTPUTS
    int64_t *movers;       ///< [n] with WW_NEED_TRAIN_MOVERS
    int64_t *counts;       ///< [WW_SET_COUNTS]
} ww_set_sums;

/// One set of samples.
typedef struct ww_gathered_set {
    const ww_samples *samples;
    ww_part_of_samples part; ///< of them, that this rank looks at
    unsigned wants;          ///< in the terms of the test set
    int kept;                ///< WW_ORIGIN_*: patterns that may be kept of it; WW_ORIGIN_SETS: the
                             ///< batch, of which none are
    bool has_patterns;       ///< the origin has been given those that it keeps
    uint8_t *changed;        ///< [column's units], whether any pattern differs; with patterns
    double *norms;           ///< [n] of inputs, with WW_NEED_TEST_REACH
    double *values;          ///< [n, k], outputs summed over ranks
    double *pseudo_values;   ///< [n, k]
} ww_gathered_set;

/// What one thread works in, a tile at a time, and what it has gathered.
typedef struct ww_gathering_worker {
    ww_product_inputs inputs; ///< a piece: of a set, for all threads; of the batch, for this one
    double *initial;          ///< [tile units, d], W(0)
    double *preactivations;   ///< [tile units, block]
    double *early;            ///< [tile units, block], those at t = 0
    double *partial;          ///< [block, k], twice with pairs
    double *rows;             ///< [tile units, d], gradients
    double *pseudo_rows;      ///< [tile units, d]
    uint8_t *active;          ///< [tile units, block]
    uint8_t *early_active;    ///< [tile units, block]
    uint8_t *equal;           ///< [tile units], whether both gradients are
    double *extras;           ///< [block, WW_TALLY_COLUMNS]
    double *initial_output;   ///< [tile units, k], output weights at t = 0
    double row_movement;
    double least_ratio, largest_ratio; ///< of output weights to those at t = 0
    int64_t equal_units, large_units;  ///< with equal gradients, with a large pseudo gradient
    int64_t *words; ///< by set: outputs, pseudo outputs, movers, counts; then those of the terms
    int64_t *term_words;                  ///< [2 WW_TERMS]
    ww_set_sums sums[WW_ORIGIN_SETS + 1]; ///< in these words; then that of the batch
} ww_gathering_worker;

typedef struct ww_gathering {
    const ww_problem *problem;
    unsigned needs;
    const ww_origin *origin;                 ///< of the record at hand; may be NULL
    ww_engine *engine;                       ///< likewise
    ww_product_inputs whole[WW_ORIGIN_SETS]; ///< where it goes by tiles: of all samples
    double *reach;                           ///< [column's units], ||w_r(t) - w_r(0)||
    double *terms;                           ///< [local tiles, WW_TERMS]
    double *component_sums;                  ///< [components k + k], room of v_max
    ww_gathered_set sets[WW_ORIGIN_SETS];
    ww_gathering_worker *workers; ///< [threads]; the first has what all have, once they are joined
    size_t word_count;
    ww_batch_room batch; ///< with WW_NEED_GRADIENTS
    ww_surveyed_layer layer;
} ww_gathering;

/// Room for what `needs` asks for. A failed creation is freed too. Not collective.
ww_status ww_gathering_create(ww_gathering *self, const ww_problem *problem, unsigned needs,
                              ww_error *error);
void ww_gathering_free(ww_gathering *self);
/// Bytes of that room. Pure.
int64_t ww_gathering_bytes(const ww_problem *problem, unsigned needs);

/// Begins a record with nothing gathered.
void ww_gathering_begin(ww_gathering *self, const ww_origin *origin, ww_engine *engine);

/// What of `needs` is wanted of a set (WW_ORIGIN_*), in the terms of the test set. Pure.
unsigned ww_gathering_wants(unsigned needs, int set);
/// Whether pre-activations at t = 0 have to be made anew for a set of which that is wanted: for the
/// reach of movements, and where its patterns are not kept. Pure.
bool ww_gathering_looks_back(unsigned wants, bool keeps_patterns);

/// The part of a set (WW_ORIGIN_*) that this rank looks at. Pure.
ww_part_of_samples ww_gathering_part(const ww_problem *problem, int set);

/// Whether the weights are still those of t = 0.
bool ww_gathering_is_at_start(const ww_gathering *self);

/// Goes over its part of the samples of a set with all tiles of its column: adds outputs, compares
/// patterns with t = 0, adds the pseudo network's outputs, counts movers, as the set wants. This
/// and what follows leaves with each thread what it has gathered.
void ww_gather_set(ww_gathering *self, ww_gathered_set *set);

/// Whether samples do not go in pieces, each through all tiles, but tiles, each through all samples
/// of both sets: where an engine makes the weights of a tile anew whenever they are asked for.
/// Pure.
bool ww_gathering_goes_by_tiles(const ww_problem *problem);
/// There: looks at the weights of all tiles, where `of_weights`, and gathers both sets.
void ww_gather_tiles(ww_gathering *self, bool of_weights);
/// Elsewhere: looks at the weights of all tiles.
void ww_gather_all_weights(ww_gathering *self);

/// Tells the ranks of a column how far its units have come, once the weights of all are gathered.
/// Collective over the column.
ww_status ww_gathering_share_reach(ww_gathering *self, ww_error *error);

/// Brings together what threads have gathered, and counts the units with changes, once all sets are
/// gone over. Collective over the column.
ww_status ww_gathering_join(ww_gathering *self, ww_error *error);

/// Arranges the piece of `part` of `samples` that sample `start` lies in, unless that is done, in
/// the inputs of a worker, and tells where it begins and how many samples it has.
void ww_gathering_arrange(const ww_problem *problem, ww_product_inputs *inputs,
                          const ww_samples *samples, ww_part_of_samples part, int64_t start,
                          int64_t *first, int64_t *count);

/// Looks at the weights of one tile themselves: movement, norm, alignment, and output weights
/// beside those at t = 0, as far as `self->needs` asks for them. `weights` may be NULL where
/// nothing but output weights is asked for.
void ww_gather_weights(ww_gathering *self, ww_gathering_worker *worker, int64_t local_tile,
                       const double *weights, int64_t units);
/// Takes the ratios into `survey`: of all ranks the largest of -least_ratio and of
/// largest_ratio, in this order. Pure.
void ww_survey_ratios(const double extremes[2], ww_survey *survey);

/// The part of the survey on the batch of the coming step: its loss, and true and pseudo gradients
/// of all units. Collective.
ww_status ww_survey_gradients(ww_gathering *self, ww_batches *batches, ww_survey *survey,
                              ww_error *error);
/// Adds the additions and multiplications of its products. Pure.
void ww_survey_gradients_cost(const ww_problem *problem, double *flops);

#endif
