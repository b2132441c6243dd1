/// The updates of the last steps, sample by sample, before they go into what a keeper keeps: sample
/// j of them moves unit r by c_rj x_j. Columns [local units, columns] of such c, in the order of
/// the updates, and what they do to pre-activations meanwhile, sum_j c_rj <x_j, x_i>.
#ifndef WIDTHWISE_TRAIN_MOVES_H
#define WIDTHWISE_TRAIN_MOVES_H

#include "train/activations.h"
#include "train/panel_inputs.h"
#include "train/rows.h"

/// products [count, count] = X X^T of inputs [count, d].
void ww_inner_products(const double *inputs, int64_t count, int64_t dimension, double *products);

/// Of a batch: its samples, and what corrects their pre-activations.
typedef struct ww_moves_batch {
    int64_t *samples;       ///< [B], as the keeper counts them
    ww_panel_inputs inputs; ///< [B, columns], products of the batch with the samples of columns
    int64_t columns;        ///< how many of them correct this batch
} ww_moves_batch;

typedef struct ww_moves {
    const ww_problem *problem;
    const ww_activation_methods *methods;
    int64_t capacity, count;       ///< columns
    int64_t *samples;              ///< [capacity], sample of each column
    void *coefficients;            ///< c [local units, capacity]
    ww_moves_batch batch, pending; ///< at hand, and that of the pending update
    int64_t *places;               ///< [B], samples of the pending batch that move something
    int64_t first, moving;         ///< their columns
    double *room;                  ///< [B, capacity]
} ww_moves;

/// Free with ww_moves_free, also after a failure.
ww_status ww_moves_create(const ww_problem *problem, int64_t capacity, ww_moves *moves,
                          ww_error *error);
void ww_moves_free(ww_moves *moves);
/// Bytes of coefficients, and of the rest. Pure.
void ww_moves_bytes(const ww_problem *problem, int64_t capacity, int64_t *coefficients,
                    int64_t *rest);

/// The batch at hand has these samples [B]. `products` [.., stride], <x_i, x_j> of the keeper's
/// samples; they correct by the columns that there are, by none where it is NULL.
void ww_moves_take(ww_moves *moves, const int64_t *samples, const double *products, int64_t stride);

/// The batch at hand becomes the pending one, and gets columns for those of its samples whose
/// gradients [B, k] are not 0.
void ww_moves_remember(ww_moves *moves, const double *gradients);

/// Sets the columns of a tile: -eta times derivatives by pre-activations, coefficients [units, B].
void ww_moves_set(const ww_moves *moves, ww_rows tile, const void *coefficients);

/// Adds the corrections of a batch to preactivations [units, B] of a tile.
void ww_moves_correct(const ww_moves *moves, const ww_moves_batch *batch, ww_rows tile,
                      void *preactivations);

/// Coefficients of a tile from column `first` on; rows lie `capacity` apart.
const void *ww_moves_of(const ww_moves *moves, ww_rows tile, int64_t first);

#endif
