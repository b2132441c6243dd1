/// The inside of the engine `dense`: its memory, and the work on tiles of units.
#ifndef WIDTHWISE_TRAIN_DENSE_H
#define WIDTHWISE_TRAIN_DENSE_H

#include "train/panel_inputs.h"
#include "train/step.h"

typedef struct ww_dense {
    const ww_problem *problem;
    ww_batches *batches;
    int64_t pattern_bytes;  ///< bytes of one unit's patterns on a batch
    double *weights;        ///< [local units, d]
    double *output_weights; ///< [local units, k]
    uint8_t *patterns; ///< [local units, pattern_bytes], a bit a sample: active in the last forward
    int64_t *indices;  ///< [B], samples of the batch
    int64_t *labels;   ///< [B]
    double *targets;   ///< [B, k], where the data have them
    double *gathered;  ///< [B, d], inputs of the batch; for gd they are used in place
    double *previous;  ///< [B, d], those of the pending update, where there are several blocks
    ww_panel_inputs inputs, pending; ///< a block of the batch, and of that of the pending update
    double *preactivations;          ///< [tile units, block]
    double *coefficients;            ///< [tile units, block], of the pending update
    double *partial;                 ///< [block, k], one tile's outputs, twice with pairs
    double *extras;                  ///< [block, extras], those of a tile
    double *output_updates;          ///< [local units, k], where output weights are trained
    uint8_t *active;                 ///< [tile units, block]
    bool *stale;                     ///< [local tiles], whether the pending update is to be applied
    int64_t stale_tiles;
    ww_step step; ///< its gradients are those of the pending update, until the next sum
} ww_dense;

/// Whether the batch is of one block of samples (WW_SAMPLE_BLOCK). Pure.
bool ww_dense_is_one_block(const ww_problem *problem);

/// Applies the pending update to a tile of this rank, where it is still to be applied: to all tiles
/// where the batch is of several blocks.
void ww_dense_update(ww_dense *self, int64_t local_tile);

/// Applies the pending update to all tiles and adds their outputs on the batch to the step's sum.
void ww_dense_pass(ww_dense *self);

/// Adds the outputs of all tiles on other inputs [B, d] to `sum`, in the shape of a step.
void ww_dense_probe(ww_dense *self, const double *inputs, ww_output_sum *sum);

#endif
