/// The inside of a network of hidden layers (layered.h): its memory, and what is done in the one
/// precision or the other. Arrays of that precision are void pointers here.
#ifndef WIDTHWISE_TRAIN_LAYERED_INSIDE_H
#define WIDTHWISE_TRAIN_LAYERED_INSIDE_H

#include "train/activations.h"
#include "train/layered.h"
#include "train/panel_inputs.h"
#include "train/rows.h"
#include "widthwise/column_sum.h"

typedef struct ww_layered_methods ww_layered_methods;

/// Weights of this rank's units.
typedef struct ww_layered_weights {
    void **hidden;  ///< [L], W_l [local units, columns]
    double *output; ///< V [local units, k]
    void *narrow;   ///< the same in the network's precision; `output` itself in double
} ww_layered_weights;

struct ww_layered {
    const ww_problem *problem;
    const ww_layered_methods *methods;
    ww_layered_weights weights;
    double *tile;            ///< [tile units, most columns], weights that are asked for
    void *partial;           ///< [piece or tile units, block] or outputs of a tile, of one product
    void *gradients;         ///< [block, k], derivatives by the outputs
    double *values;          ///< [piece, block], sums of derivatives; also activations of a tile
    double *outputs;         ///< [block, k], those of a tile
    double *extras;          ///< [block, extras]
    double *largest;         ///< [block], largest |derivative| of each sample
    int64_t *words;          ///< of the sums of some pieces
    int64_t word_room;       ///< how many there is room for
    ww_column_format format; ///< of these sums
    int *row_counts;         ///< [ranks], units of each
    int *row_places;         ///< [ranks], the first of them
    int *word_counts;        ///< [ranks], words of sums for each
};

struct ww_layered_block {
    const ww_problem *problem;
    const ww_layered_methods *methods;
    int64_t capacity, samples; ///< most samples, and those of the last forward pass
    const double *inputs;      ///< [samples, d], borrowed
    void *narrow_inputs;       ///< the same in the network's precision, unless that is double
    ww_panel_inputs panels;    ///< the same for the kernels of the first layer
    /// [L], X_l [units, samples]: of all units, but of the last layer of this rank's only.
    void **activations;
    uint8_t **patterns; ///< [L], [local units, samples]
    void **derivatives; ///< [L], D_l [local units, samples]; NULL without a backward pass
    /// [L, samples], largest |D_l| of each sample over all ranks, likewise; those of the first
    /// layer only with several layers.
    double *largest;
};

/// What is done in one precision. Layers count from 1.
struct ww_layered_methods {
    size_t size; ///< of a number
    const ww_activation_methods *numbers;
    int words; ///< of a sum of derivatives
    /// Columns of a layer whose derivatives are made by one product of each tile of the next layer:
    /// what a cache holds, sums included. Pieces lie on the grid of global indices.
    int64_t piece;
    /// Pre-activations [units, samples] of a tile.
    void (*preactivate)(const ww_layered *network, const ww_layered_block *block, int64_t layer,
                        ww_rows rows, void *preactivations);
    /// Activations and patterns of a tile.
    void (*activate)(const ww_layered *network, ww_layered_block *block, int64_t layer,
                     ww_rows rows);
    /// Outputs [samples, k] of a tile of the last layer, into network->outputs.
    void (*find_outputs)(ww_layered *network, const ww_layered_block *block, ww_rows rows);
    /// D_L of a tile, from network->gradients.
    void (*begin_backward)(ww_layered *network, ww_layered_block *block, ww_rows rows);
    /// Largest magnitude in each column of values [rows, columns]: infinite where one is not
    /// finite.
    void (*find_largest)(const void *values, int64_t rows, int64_t columns, double *largest);
    /// Adds a tile's part of the derivatives by activations first .. first + count - 1 of the layer
    /// before `layer` to `words`. Returns the terms that were left out.
    int64_t (*add_back)(ww_layered *network, const ww_layered_block *block, int64_t layer,
                        ww_rows rows, int64_t first, int64_t count, int64_t *words);
    /// Rows of D_l, from the derivatives by the activations, values [units, samples].
    void (*take_back)(ww_layered_block *block, int64_t layer, ww_rows rows, const double *values);
    /// products [left columns, right columns] of `units` rows, widened.
    void (*multiply)(const void *left, int64_t left_columns, const void *right,
                     int64_t right_columns, int64_t units, void *room, double *products);
    /// The same of an array with itself, values [units, columns]: the upper triangle of products
    /// [columns, columns].
    void (*square)(const void *values, int64_t columns, int64_t units, void *room,
                   double *products);
    /// The same of inputs [samples, d].
    void (*multiply_inputs)(const ww_layered_block *left, const ww_layered_block *right, void *room,
                            double *products);
    /// Moves a tile of a layer's weights, `hidden`, by -eta times the gradient of a block.
    void (*move)(const ww_layered *network, const ww_layered_block *block, int64_t layer,
                 ww_rows rows, void *hidden);
    /// The gradient of a block by a tile of a layer's weights, into gradient [units, columns], or
    /// added to it.
    void (*find_gradient)(const ww_layered_block *block, int64_t layer, ww_rows rows, bool adds,
                          void *gradient);
    /// sums [columns of the layer], to which is added for each of its inputs the sum over samples
    /// of sizes [samples] times the input's magnitude.
    void (*add_sizes)(const ww_layered_block *block, int64_t layer, const double *sizes,
                      double *sums);
    /// -eta times the gradient of a block by the output weights of a tile, from the derivatives by
    /// the outputs, gradients [samples, k], into updates [units, k], or added to them.
    void (*find_output_updates)(ww_layered *network, const ww_layered_block *block, ww_rows rows,
                                const double *gradients, bool adds, void *updates);
    /// Adds updates [units, k] to the output weights of a tile.
    void (*move_outputs)(ww_layered *network, ww_rows rows, const void *updates);
};

extern const ww_layered_methods ww_layered_double;
extern const ww_layered_methods ww_layered_single;

const ww_layered_methods *ww_layered_methods_of(const ww_problem *problem);

/// Place of number `index` in an array of the network's precision.
static inline void *ww_layered_at(const ww_layered_methods *methods, void *array, int64_t index)
{
    return ww_place(methods->numbers, array, index);
}

/// Where this rank's rows begin in the activations of a layer: those of the last are its own only.
int64_t ww_layered_first_row(const ww_problem *problem, int64_t layer);

/// Pieces of a layer, and rows of the largest of them. Pure.
int64_t ww_layered_pieces(const ww_problem *problem);
int64_t ww_layered_piece_rows(const ww_problem *problem);

/// Largest numbers of each sample over all ranks, of an array whose rows `values` [rows, samples]
/// are on this one, into largest [samples]. WW_DIVERGED: one is not finite. Collective.
ww_status ww_layered_largest(const ww_layered *network, const void *values, int64_t rows,
                             int64_t samples, double *largest, ww_error *error);

/// The end of that: largest [samples] as this rank has them, of some samples or all.
ww_status ww_layered_agree_largest(const ww_layered *network, int64_t samples, double *largest,
                                   ww_error *error);

/// Multiplies row i of values [rows, columns] by 2^(sign e_i) with e_i the exponent of sizes[i]:
/// exact, and with sign -1 all rows are in one range then. Of each row only columns from its own
/// number on if `upper`.
void ww_layered_scale_rows(const double *sizes, int64_t rows, int64_t columns, bool upper, int sign,
                           double *values);

/// A second set of weights, for a network to become.
ww_status ww_layered_weights_create(const ww_problem *problem, ww_layered_weights *weights,
                                    ww_error *error);
void ww_layered_weights_free(const ww_problem *problem, ww_layered_weights *weights);

#endif
