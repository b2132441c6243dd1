/// The interface behind which engines stand.
#ifndef WIDTHWISE_TRAIN_ENGINE_H
#define WIDTHWISE_TRAIN_ENGINE_H

#include "train/layered.h"
#include "train/output_sum.h"
#include "train/tally.h"

/// What an engine does. `state` is its own. The meaning of each is that of ww_engine_* in train.h.
typedef struct ww_engine_methods {
    const char *name;
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
} ww_engine_methods;

extern const ww_engine_methods ww_engine_dense;
extern const ww_engine_methods ww_engine_window;
extern const ww_engine_methods ww_engine_samples;
extern const ww_engine_methods ww_engine_lazy;
extern const ww_engine_methods ww_engine_layers;

#endif
