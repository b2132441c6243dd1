/// A network of L hidden layers, sharded by units: its weights, and what is made of them on blocks
/// of samples. The engine `layers` trains one; those who measure look through it, or at another one
/// that stays at t = 0.
///
/// Rank by rank a layer's units are rows of W_l [m, columns]: whole tiles by global index
/// (ww_tiling, the same for every layer). Forward, each rank makes the activations of its units,
/// and they are gathered: X_l [m, samples] stands on every rank, unit by unit, since every unit of
/// the next layer looks at all of them. Backward, each rank has the part of W_l^T D_l that its rows
/// give, for all units of the layer before; parts of tiles are added as order-independent integers
/// (sum.h), scaled by a power of two for each sample so that small derivatives lose nothing, and
/// each rank receives the sums of its own units. Every product has a shape that depends on global
/// indices alone. So all bits are the same on any number of ranks.
///
/// In single precision (config->precision) weights and products are float; sums over units, and
/// everything that goes in or out here, are double.
#ifndef WIDTHWISE_TRAIN_LAYERED_H
#define WIDTHWISE_TRAIN_LAYERED_H

#include "train/output_sum.h"
#include "widthwise/train.h"

/// Weights of all hidden layers and the output layer, of this rank's units.
typedef struct ww_layered ww_layered;

/// `problem` as it is in double precision, with the very weights at t = 0 that it has in its own:
/// for what is lost in single precision, such as a smallest eigenvalue. It borrows what `problem`
/// borrows, and `config`, where its configuration is put. Pure.
ww_problem ww_layered_in_double(const ww_problem *problem, ww_config *config);

/// A network at t = 0. Not collective.
ww_status ww_layered_create(const ww_problem *problem, ww_layered **network, ww_error *error);
void ww_layered_free(ww_layered *network);
/// Bytes of its weights on this rank, and of what it works with beside them. Pure.
int64_t ww_layered_weight_bytes(const ww_problem *problem);
int64_t ww_layered_work_bytes(const ww_problem *problem);

/// Weights of one tile (global index, of this rank) of hidden layer `layer`, [tile units, columns]:
/// read, widened, into a buffer that the next such call for this worker of ww_for_each uses again;
/// and set. Not collective.
const double *ww_layered_tile(ww_layered *network, int worker, int64_t layer, int64_t tile);
void ww_layered_put_tile(ww_layered *network, int64_t layer, int64_t tile, const double *values);
/// Output weights of this rank's units, [local units, k]; who writes to them calls
/// ww_layered_put_output_weights after it. Not collective.
double *ww_layered_output_weights(ww_layered *network);
void ww_layered_put_output_weights(ww_layered *network);

/// Samples that go through the network together, at most WW_SAMPLE_BLOCK (kernels.h), and what is
/// kept of them: activations and patterns of every layer, and derivatives if `backward`.
typedef struct ww_layered_block ww_layered_block;
ww_status ww_layered_block_create(const ww_problem *problem, int64_t samples, bool backward,
                                  ww_layered_block **block, ww_error *error);
void ww_layered_block_free(ww_layered_block *block);
int64_t ww_layered_block_bytes(const ww_problem *problem, int64_t samples, bool backward);

/// Outputs on inputs [samples, d], of which this rank's part is added to `sum` as the block of
/// samples that begins at `start`. `inputs` are borrowed until the block is used no more.
/// WW_DIVERGED is left to ww_output_sum_finish. Collective with several layers.
ww_status ww_layered_forward(ww_layered *network, ww_layered_block *block, const double *inputs,
                             int64_t samples, ww_output_sum *sum, int64_t start, ww_error *error);

/// After that, whether units of layer `layer` were on their positive side, [local units, samples].
const uint8_t *ww_layered_patterns(const ww_layered_block *block, int64_t layer);

/// After that, pre-activations of one tile (global index, of this rank) of layer `layer`, [tile
/// units, samples], made once more and widened: into a buffer that the next pass or the next such
/// call uses again. Not collective.
const double *ww_layered_preactivations(ww_layered *network, const ww_layered_block *block,
                                        int64_t layer, int64_t tile);

/// After that, derivatives by the pre-activations of every layer, given those by the outputs,
/// `gradients` [samples, k]; kept in the block, D_l [local units, samples]. WW_DIVERGED: one is not
/// finite or out of range. Collective.
ww_status ww_layered_backward(ww_layered *network, ww_layered_block *block, const double *gradients,
                              ww_error *error);

/// Room for inner products between samples of two blocks of at most `samples` each. Not collective.
typedef struct ww_layered_pairs ww_layered_pairs;
ww_status ww_layered_pairs_create(const ww_problem *problem, int64_t samples,
                                  ww_layered_pairs **pairs, ww_error *error);
void ww_layered_pairs_free(ww_layered_pairs *pairs);
/// Bytes that it takes. Pure.
int64_t ww_layered_pairs_bytes(const ww_problem *problem, int64_t samples);

/// After a pass back, inner products between samples of two blocks (which may be one): of
/// derivatives by the pre-activations of layer `layer`, over all units, `derivatives` [left
/// samples, right samples]; and of the layer's inputs, `inputs` of the same shape (either may be
/// NULL). Their element-wise product is what the samples' gradients by W_l have for inner products.
/// The same on all ranks. WW_DIVERGED: one is not finite. Collective.
ww_status ww_layered_products(ww_layered *network, ww_layered_pairs *pairs,
                              const ww_layered_block *left, const ww_layered_block *right,
                              int64_t layer, double *derivatives, double *inputs, ww_error *error);

/// The network that engine `layers` trains, as it is now; NULL of any other engine.
ww_layered *ww_engine_network(const ww_engine *engine);

#endif
