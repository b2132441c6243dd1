/// The inside of the engine `window`: its memory, and the work on one tile of units.
///
/// A tile's part of P is [samples, units]: what a step needs of it stands together. With pairs the
/// even units of a tile come first, then the odd ones: `halves` of the same shape.
#ifndef WIDTHWISE_TRAIN_WINDOW_H
#define WIDTHWISE_TRAIN_WINDOW_H

#include "train/step.h"
#include "train/vectors.h"

typedef struct ww_window {
    const ww_problem *problem;
    ww_batches *batches;
    int64_t steps, samples; ///< of a window: S, b = S B
    int64_t first;          ///< step at which the window in memory begins; -1: none is
    int64_t halves;         ///< 2 with pairs, else 1
    double *weights;        ///< [local units, d]
    double *output_weights; ///< [local units, k]
    double *preactivations; ///< P, by local tile [b, units]
    double *coefficients;   ///< c, by local tile [b, units]: rows of samples that made an update
    int64_t *moved;         ///< [b], those samples of the window, in order
    int64_t moved_count;
    int64_t *applied; ///< [local tiles], how many of them are in the hidden weights
    int64_t *indices; ///< [b], samples of the window
    int64_t *labels;  ///< [b]
    double *targets;  ///< [b, k], where the data have them
    double *inputs;   ///< X [b, d]
    double *products; ///< K [b, b], once there was an update; none for a window of one step
    bool has_products;
    ww_vector_term *terms; ///< [b]
    double *ordered;       ///< [tile units, k], output weights with the halves one after the other
    double *tile_room;     ///< [b, tile units]
    double *row;           ///< [tile units]
    double *partial, *odd; ///< [block, k], one tile's outputs, and those of the odd half
    double *extras;        ///< [block, extras]
    uint8_t *active;       ///< [block, tile units]
    ww_step step;
} ww_window;

/// What belongs to one tile of this rank.
typedef struct ww_window_tile {
    int64_t local, units, half_units;
    double *weights;        ///< [units, d]
    double *output_weights; ///< [units, k]
    double *preactivations; ///< [b, units]
    double *coefficients;   ///< [b, units]
} ww_window_tile;

ww_window_tile ww_window_tile_at(const ww_window *window, int64_t local_tile);

/// Unit of the tile that stands at `place` of a row of P.
int64_t ww_window_unit_at(const ww_window *window, const ww_window_tile *tile, int64_t place);

/// Brings the hidden weights of a tile up to date.
void ww_window_apply(ww_window *window, const ww_window_tile *tile);

/// Corrects rows [count, units], those of P of the window's samples from `sample` on as they were
/// made at the window's start, by all updates since.
void ww_window_correct(ww_window *window, const ww_window_tile *tile, int64_t sample, int64_t count,
                       double *rows);

/// rows [b, units] = inputs W^T for the hidden weights of a tile as they are, inputs [b, d].
void ww_window_multiply(const ww_window *window, const ww_window_tile *tile, const double *inputs,
                        double *rows);

/// Adds the outputs of a tile on `count` samples to `sum`. `rows` [count, units] are
/// pre-activations and become activations. All is done in pieces of the shape that a step has.
void ww_window_add_outputs(ww_window *window, ww_output_sum *sum, const ww_window_tile *tile,
                           int64_t count, double *rows);

/// Takes down for a tile what the step whose samples begin at `sample` changes, by the gradients in
/// window->step: coefficients for hidden weights; output weights that are trained move at once,
/// each of the two by the other as it was (BR section 5).
void ww_window_take_updates(ww_window *window, const ww_window_tile *tile, int64_t sample);

/// Whether a derivative [k] by the outputs moves anything. Pure.
bool ww_window_has_gradient(const double *gradient, int64_t k);

#endif
