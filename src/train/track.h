/// What steps do to each hidden layer (ww_track), found out in the middle of a step.
///
/// A step moves W_l by -eta D_l X_{l-1}^T, a matrix of rank B at most and of no more columns than
/// the layer has: its norms are a matter of matrices of B x B, or of columns x columns, whatever
/// the width (track_sums.h).
#ifndef WIDTHWISE_TRAIN_TRACK_H
#define WIDTHWISE_TRAIN_TRACK_H

#include "train/layered.h"

/// A track of no step. Not collective. Free with ww_track_free.
ww_status ww_track_create(const ww_problem *problem, ww_track **track, ww_error *error);
void ww_track_free(ww_track *track);
/// Bytes that it takes, with room to find out what a step does, and additions and multiplications
/// of this rank for that in a step. Pure.
void ww_track_cost(const ww_problem *problem, int64_t *bytes, double *flops);

/// As ww_engine_carry_words, ww_engine_carry_save and ww_engine_carry_load.
size_t ww_track_words(const ww_problem *problem);
void ww_track_save(const ww_track *track, const ww_problem *problem, double *words);
void ww_track_load(ww_track *track, const ww_problem *problem, const double *words);

/// Takes down a step that changes no weight. `loss` is that of the batch. Not collective.
void ww_track_rest(ww_track *track, const ww_problem *problem, double loss);

/// Takes down a step, after the backward pass of all blocks of its batch, and before weights move.
/// `loss` is that of the batch. Collective.
ww_status ww_track_step(ww_track *track, const ww_problem *problem, ww_layered *network,
                        ww_layered_block *const *blocks, double loss, ww_error *error);

#endif
