/// The interface behind which engines stand.
#ifndef WIDTHWISE_TRAIN_ENGINE_H
#define WIDTHWISE_TRAIN_ENGINE_H

#include "train/layered.h"
#include "train/output_sum.h"
#include "train/rounding.h"
#include "train/tally.h"

/// What an engine does. `state` is its own. The meaning of each is that of ww_engine_* in train.h.
typedef struct ww_engine_methods {
    const char *name;
    bool takes_products; ///< there is K of all train samples in the problem (sample_products.h)
    ww_engine_cost (*cost)(const ww_problem *problem);
    /// `tally` and `track` are borrowed; NULL without.
    ww_status (*create)(const ww_problem *problem, ww_tally *tally, ww_track *track, void **state,
                        ww_error *error);
    void (*destroy)(void *state);
    ww_status (*step)(void *state, int64_t step, int64_t request, int64_t *requests,
                      double *batch_loss, ww_error *error);
    /// Brings all weights up to the last step; NULL: they are. Until the next step a tile may then
    /// be asked for by any worker of ww_for_each, valid until it asks for the next one.
    void (*settle)(void *state);
    const double *(*tile)(void *state, int worker, int64_t tile);
    const double *(*output_weights)(void *state);
    /// The outputs of other samples, made in the very shape in which a step makes them: how many at
    /// once, and the part of this rank, with the tally's numbers, added to `sum`, which is of so
    /// many; train samples indices [probe samples].
    int64_t (*probe_samples)(const ww_problem *problem);
    void (*probe)(void *state, const int64_t *indices, ww_output_sum *sum);
    /// As ww_rest_find, in an engine that knows the outputs on all train samples, exactly as its
    /// steps see them, once a step has changed nothing; NULL: they are looked for (rest.h). Not
    /// collective.
    void (*rests)(const void *state, int64_t quiet, ww_rest *rest);
    /// Columns of what it keeps beside the weights; NULL: none.
    int64_t (*kept_columns)(const ww_problem *problem);
    /// What it keeps of one tile, after `step` steps; NULL where it has no columns.
    const double *(*kept_tile)(void *state, int64_t step, int64_t tile);
    /// The network that is trained; NULL where an engine is of one hidden layer: then hidden
    /// weights of a tile are put by `put_tile`.
    ww_layered *(*network)(void *state);
    void (*put_tile)(void *state, int64_t tile, const double *values);
    double *(*output_storage)(void *state);
    /// NULL where it has no columns.
    void (*put_kept_tile)(void *state, int64_t tile, const double *values);
    /// Numbers that it keeps once, the same on all ranks, for a checkpoint; NULL: none.
    size_t (*words)(const ww_problem *problem);
    void (*save_words)(void *state, double *words);
    void (*load_words)(void *state, const double *words);
    /// All that was put, and written to the storage of output weights, is of `step`; so is what was
    /// kept beside the weights unless `has_kept` is false: then it is made anew from the weights.
    void (*restored)(void *state, int64_t step, bool has_kept);
    /// What the last step saw of its batch, or `look` (audit.h): the outputs [B, k], the same on
    /// all ranks, and which units were active, patterns [local units, stride bytes], a bit a
    /// sample. NULL where nobody asks: of several hidden layers.
    const double *(*outputs)(void *state);
    void (*patterns)(void *state, uint8_t *patterns, int64_t stride);
    /// How pre-activations after so many steps round; likewise.
    ww_rounding (*rounding)(const void *state, int64_t steps);
    /// The rest is NULL in engines that keep the weights. After `step` steps, looks at train
    /// samples indices [B] with the weights of `*seen` steps, which are those as they are, or those
    /// that the last step was made with where that is what patterns are of. No number of the run
    /// depends on it. Errors as of a step. Collective.
    ww_status (*look)(void *state, int64_t step, const int64_t *indices, int64_t *seen,
                      ww_error *error);
    /// After `settle`: the weights of a tile that were looked at, [tile units, d], as `tile`.
    const double *(*seen_tile)(void *state, int worker, int64_t tile);
    /// What the terms that weights of a tile are made of besides W(0) come to in magnitude, into
    /// reach [tile units]: sum_j |c_rj| ||x_j|| at least, lengths [n] of the train samples, but for
    /// what belongs to as many steps as its rounding has. From any worker.
    void (*reach)(void *state, int64_t tile, const double *lengths, double *reach);
} ww_engine_methods;

extern const ww_engine_methods ww_engine_dense;
extern const ww_engine_methods ww_engine_window;
extern const ww_engine_methods ww_engine_samples;
extern const ww_engine_methods ww_engine_lazy;
extern const ww_engine_methods ww_engine_layers;

/// What is inside an engine, and the problem of the row and the group of this rank that it works
/// on.
const ww_engine_methods *ww_engine_methods_of(const ww_engine *engine);
void *ww_engine_state_of(const ww_engine *engine);
const ww_problem *ww_engine_problem(const ww_engine *engine);

#endif
