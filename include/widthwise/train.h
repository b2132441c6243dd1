/// Training: the problem, its batches, and the engines that make steps.
///
/// One step is W <- W - eta (1 / B) sum_s dL(W, x_s, y_s) / dW over a batch of B samples, without
/// the 1 / B where losses are sums (loss_reduction). Every
/// rank works on its own units; the ranks meet in one Allreduce of the outputs [B, k], written as
/// order-independent integers (sum.h), so trajectories have the same bits on any number of ranks.
#ifndef WIDTHWISE_TRAIN_H
#define WIDTHWISE_TRAIN_H

#include "widthwise/config.h"
#include "widthwise/data.h"
#include "widthwise/network.h"
#include "widthwise/parallel.h"
#include "widthwise/sum.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// The process grid width x samples. Ranks are in `groups` groups of which each has the whole
/// network on a part of the samples: rank p is in group p % groups, and number p / groups of those
/// there (its row of the grid). Ranks of one number (its column), which follow each other, have the
/// same units in common, of which each owns some (ww_problem.tiling): it writes these, and what is
/// asked of weights alone it answers for these. In steps and at records it works on all units of
/// its column with the samples of its group. With one group it is just so with its own units and
/// all samples.
typedef struct ww_sample_grid {
    int groups, group;              ///< of this rank
    ww_tiling tiling;               ///< of the units over a row; what this rank's column has
    ww_part_of_samples train, test; ///< of this group
} ww_sample_grid;

/// Train samples whose gradient is summed up by itself, before it is added to that of others as
/// order-independent integers (sum.h): so steps have the same bits on every grid.
enum { WW_SECTION_SAMPLES = 4096 };

/// What is trained, on what, by whom. Pointers are borrowed and outlive everything made from it.
typedef struct ww_problem {
    const ww_config *config;
    const ww_dataset *data;
    const ww_parallel *parallel;
    ww_tiling tiling;           ///< units over ranks
    int64_t dimension, outputs; ///< d, k
    int64_t batch;              ///< B: samples in a step; all of them for gd
    /// Sections (WW_SECTION_SAMPLES) that gradients are summed by: more than one in full batches of
    /// more samples by the engine `dense`, but for the hinge loss, whose steps are told apart by
    /// sample. Only these can be divided over groups. The same inside of an engine.
    int64_t sections;
    ww_sample_grid grid;   ///< of this rank in steps and at records
    double learning_rate;  ///< eta
    double negative_slope; ///< of the activation
    bool pairs;            ///< units 2r and 2r + 1 cancel at the start: kernels.h
    int64_t depth;         ///< L
    bool tracks_layers;    ///< a quantity asks for ww_track; ww_config_tracks_layers
    const ww_loss *loss;
    ww_initial initial;          ///< weights at t = 0
    ww_sum_format output_format; ///< of sums over tiles of outputs
    /// Inside of an engine `parallel`, `tiling` and `batch` are those of the row and the group of
    /// samples (ww_sample_grid); then there are besides:
    int64_t whole_batch;       ///< B of all groups; elsewhere the same as `batch`
    int64_t first_sample;      ///< of gd the first train sample of the group; elsewhere 0
    const ww_parallel *column; ///< the ranks with the same units; NULL: this one alone
    /// K of all train samples, where the engine takes it; else NULL.
    const struct ww_sample_products *products;
} ww_problem;

/// Checks that BLAS multiplies rightly on this processor (some builds of OpenBLAS do not on
/// processors newer than they are): once, before anything is trained. Collective.
ww_status ww_train_check(const ww_parallel *parallel, ww_error *error);

/// Checks that shapes fit the interfaces of BLAS. Collective.
ww_status ww_problem_make(const ww_config *config, const ww_dataset *data,
                          const ww_parallel *parallel, ww_problem *problem, ww_error *error);

/// The same without checks, on a data set of which only the shape needs to be known, for rank
/// `parallel->rank` of `parallel->size` whatever its communicator: to tell what a run will need.
/// Pure.
void ww_problem_describe(const ww_config *config, const ww_dataset *data,
                         const ww_parallel *parallel, ww_problem *problem);

/// The problem of a rank's row of the grid and its group of samples, as engines see it; `column` is
/// NULL where there is one group. Pure.
ww_problem ww_problem_of_group(const ww_problem *problem, const ww_parallel *row,
                               const ww_parallel *column);

/// Fills in the sections and the grid of a problem that is described otherwise (ww_problem_describe
/// does it). Groups are the largest common divisor of the ranks and `parallel->sample_groups`, or
/// where that is 0 one, unless there are more ranks than tiles: then as few as give work to all.
/// Never more than there are sections, and one where initial weights are read or built.
void ww_problem_divide(ww_problem *problem);

/// Parts that steps can be divided in, so that ranks beyond idle: tiles, for each of the groups
/// that there may be. Pure.
int64_t ww_sample_grid_parts(const ww_problem *problem);

/// Whether the inputs of this rank's group are in its memory (ww_dataset_load_parts). Pure.
bool ww_problem_has_inputs(const ww_problem *problem);

/// Samples of both sets that a node has at most where each has those of its ranks' groups alone,
/// with `ranks_a_node` ranks of the problem's on a node, and ranks of a group side by side. Pure.
int64_t ww_sample_grid_node_samples(const ww_problem *problem, int64_t ranks_a_node);

/// Whether training is in single precision. Pure.
bool ww_problem_is_single(const ww_problem *problem);

/// Which samples make the batch of a step: a pure function of (seed, step). Not collective.
typedef struct ww_batches ww_batches;
/// WW_USAGE: there are not as many permutations as the steps take epochs. Pure.
ww_status ww_batches_check(const ww_problem *problem, ww_error *error);
ww_status ww_batches_create(const ww_problem *problem, ww_batches **batches, ww_error *error);
void ww_batches_free(ww_batches *batches);
/// Bytes that they take. Pure.
int64_t ww_batches_bytes(const ww_problem *problem);
/// Indices of the train samples in the batch of step `step`, [B].
///   permutation: epoch e = step / (n / B) goes through a permutation drawn for e; what does not
///                fill a batch is dropped. replacement: B independent uniform draws.
///                sequential: sample after sample, the first again after the last. gd: 0 .. n
///                - 1.
void ww_batches_at(ww_batches *batches, int64_t step, int64_t *indices);
/// The batch of `step` itself: `indices` [B] is room to work in; the arrays of `batch` are filled,
/// inputs [B, d] (may be NULL), labels [B], and targets [B, k] where the data have them.
void ww_batches_gather(ww_batches *batches, const ww_problem *problem, int64_t step,
                       int64_t *indices, ww_samples *batch);

/// What sample `sample` of `samples` is compared with. Pure.
ww_target ww_target_of(const ww_problem *problem, const ww_samples *samples, int64_t sample);
/// What the sum of the losses of `count` samples is divided by: `count`, or 1 where losses are sums
/// (loss_reduction). Pure.
double ww_loss_divisor(const ww_problem *problem, int64_t count);
/// The sum of the losses of `count` samples from `start` on, with outputs [count, k]. Pure.
double ww_loss_sum(const ww_problem *problem, const ww_samples *samples, int64_t start,
                   int64_t count, const double *outputs);
/// Mean (or sum) of the losses of `samples` with `outputs` [n, k]. Pure.
double ww_loss_over(const ww_problem *problem, const ww_samples *samples, const double *outputs);
/// The same for a batch, and its derivative by each output in `gradients` [B, k].
double ww_batch_loss(const ww_problem *problem, const double *outputs, const ww_samples *batch,
                     double *gradients);
/// These derivatives alone, for `count` samples of `batch` from `start` on: outputs and gradients
/// [count, k]; `whole` samples are in all of the batch.
void ww_batch_gradients(const ww_problem *problem, const double *outputs, const ww_samples *batch,
                        int64_t start, int64_t count, int64_t whole, double *gradients);

/// What the steps have done, where there are steps that change nothing: with the hinge loss. The
/// same on all ranks.
typedef struct ww_tally {
    int64_t updates;     ///< steps that changed a weight: the non-zero updates of BR section 2
    int64_t last_change; ///< steps made when the weights became what they are; 0 at the start
    /// Largest <dL / dW, W*> of a step that changed a weight, with L the loss of its batch and the
    /// rows of W* those +-w* of the separator by the sign of v: below 0 by BR proposition 1.
    /// -infinity before the first; NaN without a separator.
    double descent;
    int64_t support; ///< train samples that had a part in some update
    uint8_t *used;   ///< [n], whether a train sample had
} ww_tally;

/// What the steps have done to each hidden layer, where a quantity asks for it
/// (ww_problem.tracks_layers). The same on all ranks.
typedef struct ww_track {
    double *lengths; ///< [L], sum over steps of ||W_l(t + 1) - W_l(t)||_2 (ZG equation 4.1)
    double *moves;   ///< [L], ||W_l(t) - W_l(t - 1)||_2 of the last step; NaN before the first
    double loss;     ///< on the batch of the last step, before it; NaN before the first
    /// ||dL / dW||_F^2 of that loss over all hidden layers; NaN before the first.
    double gradient_squared;
    struct ww_track_room *room; ///< what a step is looked at with; private to src/train
} ww_track;

/// Columns of the weights of hidden layer `layer`, 1 .. L: d, or m from the second on. Pure.
int64_t ww_layer_columns(const ww_problem *problem, int64_t layer);

/// An engine holds the state of training and makes steps. `dense` keeps W and is the reference.
typedef struct ww_engine ww_engine;

/// Draws the initial weights. Collective.
ww_status ww_engine_create(const ww_problem *problem, ww_engine **engine, ww_error *error);
/// Collective where samples are divided over groups.
void ww_engine_free(ww_engine *engine);

/// What an engine needs on this rank.
typedef struct ww_engine_cost {
    int64_t weights;   ///< bytes of hidden and output weights
    int64_t work;      ///< bytes of all else that it allocates
    int64_t shared;    ///< bytes that a node has once, for all its ranks
    double step_flops; ///< additions and multiplications of a step, those of matrix products
} ww_engine_cost;

/// The cost of the engine that ww_engine_create would make. Pure.
ww_engine_cost ww_engine_cost_of(const ww_problem *whole);

/// The engine that ww_engine_create would make: what `auto` stands for, where the configuration has
/// that. Of the data only the shape needs to be known. Pure: a model of costs (choice.c), no
/// measurement.
ww_engine_kind ww_engine_choice(const ww_problem *problem);

/// Whether that engine can train on data of this shape. WW_USAGE: it cannot. Pure.
ww_status ww_engine_check(const ww_problem *problem, ww_error *error);

/// Whether it is another engine than `dense`, the plain reference. Of the data only the shape needs
/// to be known. Pure.
bool ww_engine_is_special(const ww_problem *problem);

/// Whether it makes the weights of a tile anew whenever they are asked for, at the cost of a
/// product with all train samples. Pure, likewise.
bool ww_engine_makes_tiles(const ww_problem *problem);

/// "engine window" into `text` [size], with "(auto)" behind it where the configuration leaves the
/// choice, and then the precision where it is single. Pure, likewise.
void ww_engine_describe(const ww_problem *problem, char *text, size_t size);

/// Makes one step. `request` is any small number of this rank; `*requests` is the sum over ranks:
/// it travels with the outputs, so that ranks agree on a checkpoint or an end at no cost.
/// `*batch_loss` is the loss on the batch before the step. WW_DIVERGED when an output or the
/// loss is not finite or out of the range of sums. Collective.
ww_status ww_engine_step(ww_engine *engine, int64_t request, int64_t *requests, double *batch_loss,
                         ww_error *error);

/// Steps made so far.
int64_t ww_engine_steps(const ww_engine *engine);

/// Current hidden weights of tile `tile` (global index, of this rank or its column), [tile units,
/// d]. Valid until the next step. Not collective.
const double *ww_engine_tile(void *engine, int64_t tile);
/// The same for threads: worker `worker` of ww_for_each gets a tile, valid until it asks for the
/// next one, once ww_engine_settle has brought all weights up to the last step.
void ww_engine_settle(ww_engine *engine);
const double *ww_engine_tile_for(const ww_engine *engine, int worker, int64_t tile);

/// The same of hidden layer `layer`, 1 .. L: [tile units, ww_layer_columns]. Weights of single
/// precision are widened. Valid until the next step or the next such call. Not collective.
const double *ww_engine_layer_tile(void *engine, int64_t layer, int64_t tile);

/// Output weights of this rank's units as they are now, [local units, k]. Valid until the next
/// step. Not collective.
const double *ww_engine_output_weights(const ww_engine *engine);
/// The same of tile `tile` (global index, of this rank or its column), [tile units, k].
const double *ww_engine_tile_output_weights(const ww_engine *engine, int64_t tile);
/// The ranks that have this rank's column of the grid in common; NULL: this one alone.
const ww_parallel *ww_engine_column(const ww_engine *engine);

/// What the steps so far have done; NULL for losses under which every step changes all weights.
const ww_tally *ww_engine_tally(const ww_engine *engine);
/// What the steps did to each layer; NULL unless ww_problem.tracks_layers.
const ww_track *ww_engine_track(const ww_engine *engine);

/// Tally, track and what else an engine keeps once as doubles, for a checkpoint: their number (0
/// without either), out of the engine, and back into it before ww_engine_restored. Not collective.
size_t ww_engine_carry_words(const ww_problem *problem);
void ww_engine_carry_save(const ww_engine *engine, double *words);
void ww_engine_carry_load(ww_engine *engine, const double *words);

/// What is known of the end of steps that change something.
typedef struct ww_rest {
    bool rests;      ///< no train sample would change a weight any more
    int64_t lacking; ///< if so: samples with a margin below 1 that move no unit
    int64_t rounded; ///< and those whose margin is 1 in a step, but below it by rounding (less than
                     ///< 1e-9, or 1e-4 in single precision) in a product of large blocks, as
                     ///< records have it
} ww_rest;

/// Whether no train sample would change a weight any more: each has a margin of at least 1, or no
/// active unit (BR proposition 1, theorem 8). Then the engine goes back to the step at which the
/// weights became what they are (`last_change`), or to `not_before` where that is later, which lies
/// no further than the step at hand. Only with a tally. The engine `lazy` tells it once a step has
/// changed nothing. WW_DIVERGED as in a step. Collective.
ww_status ww_engine_rest(ww_engine *engine, int64_t not_before, ww_rest *rest, ww_error *error);

/// Columns of what an engine keeps for each unit beside its weights, in the middle of its work; 0
/// for `dense`. Pure.
int64_t ww_engine_state_columns(const ww_problem *problem);

/// What it keeps of tile `tile` (global index, of this rank), [tile units, columns], for a
/// checkpoint. Valid until the next call. Not collective.
const double *ww_engine_state_tile(void *engine, int64_t tile);

/// Where a checkpoint is read back to. Hidden weights are handed over tile by tile, values [tile
/// units, ww_layer_columns], and so is what else is kept, values [tile units, columns]; output
/// weights [local units, k] are written in place. After all of it, on all ranks, ww_engine_restored
/// tells the engine the step they belong to, and is collective; the others are not.
void ww_engine_put_layer_tile(void *engine, int64_t layer, int64_t tile, const double *values);
void ww_engine_put_state_tile(void *engine, int64_t tile, const double *values);
double *ww_engine_output_storage(ww_engine *engine);
ww_status ww_engine_restored(ww_engine *engine, int64_t step, ww_error *error);

#endif
