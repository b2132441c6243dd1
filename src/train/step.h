/// What a step is in every engine, once its outputs are summed over units: loss, gradients by the
/// outputs, and whether weights change.
#ifndef WIDTHWISE_TRAIN_STEP_H
#define WIDTHWISE_TRAIN_STEP_H

#include "train/output_sum.h"
#include "train/tally.h"

#include <stdbool.h>

/// What bounds the terms of a gradient.
typedef struct ww_step_bounds {
    double gradient;            ///< largest |derivative by an output|
    double input, input_length; ///< largest |entry| and norm of an input of the train set
} ww_step_bounds;

typedef struct ww_step {
    const ww_problem *problem;
    ww_tally *tally; ///< borrowed; NULL: every step changes weights
    ww_output_sum sum;
    double *outputs;       ///< [B, k]
    double *extras;        ///< [B, extras of the tally]
    double *gradients;     ///< [B, k], derivative of the batch's loss by each output
    int64_t *column_words; ///< what a column brings together, by sections (ww_problem.sections)
    ww_step_bounds inputs; ///< there: those of the inputs of this group
    ww_step_bounds bounds; ///< and those of all groups, of the last step
} ww_step;

/// Not collective. Free with ww_step_free, also after a failure.
ww_status ww_step_create(ww_step *step, const ww_problem *problem, ww_tally *tally,
                         ww_error *error);
void ww_step_free(ww_step *step);
/// Bytes that it takes. Pure.
int64_t ww_step_bytes(const ww_problem *problem);

/// After one tile's activations on `samples` samples of the batch, from `start` on, a block or part
/// of one: adds its outputs [samples, k], and to the tally's numbers by way of `extras_room`
/// [samples, extras]. `output_weights` [units, k].
void ww_step_add(ww_output_sum *sum, int64_t start, const ww_tile_activations *tile,
                 const double *output_weights, const double *outputs, double *extras_room);

/// Ends the forward pass of step `number` on `batch`, train samples `indices` [B]: one Allreduce,
/// and where samples are divided over groups a second one over the column.
/// `*changes`: whether the step changes a weight, by `gradients`. Errors as ww_engine_step.
/// Collective.
ww_status ww_step_finish(ww_step *step, int64_t number, const int64_t *indices,
                         const ww_samples *batch, int64_t request, int64_t *requests,
                         double *batch_loss, bool *changes, ww_error *error);

#endif
