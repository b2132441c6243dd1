/// The products of a step on one tile of units and one block of samples. Every call has a shape
/// that depends on global indices alone, never on the number of ranks: that fixes its bits.
///
/// With antisymmetric pairs (`pairs`) units 2r and 2r + 1 begin with the same hidden and opposite
/// output weights, and outputs are to be exactly 0. BLAS adds the terms of a sum in an order of its
/// own, in which a unit and its partner need not meet. So pre-activations and outputs are made by
/// two calls of the same shape, one for the even units and one for the odd ones, which do the same
/// operations on the same numbers up to the sign; the two outputs then cancel.
///
/// A single sample has kernels of its own (vectors.h): as a matrix of one column it is slow.
#ifndef WIDTHWISE_TRAIN_KERNELS_H
#define WIDTHWISE_TRAIN_KERNELS_H

#include "widthwise/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Samples in a block; blocks lie on the grid of sample indices, only the last is shorter.
enum { WW_SAMPLE_BLOCK = 512 };

/// Samples in the block of `samples` samples that begins at `start`.
int64_t ww_block_size(int64_t samples, int64_t start);

/// preactivations [units, samples] = weights [units, d] inputs^T, inputs [samples, d]. `units` is
/// even with pairs.
void ww_kernel_preactivations(bool pairs, const double *weights, int64_t units,
                              const double *inputs, int64_t samples, int64_t dimension,
                              double *preactivations);

/// outputs [samples, k] = activations^T output_weights, activations [units, samples],
/// output_weights [units, k]: this tile's part of the network's outputs. With pairs `outputs` has
/// room for ww_kernel_output_room values, of which the first [samples, k] are the result.
void ww_kernel_outputs(bool pairs, const double *activations, const double *output_weights,
                       int64_t units, int64_t samples, int64_t k, double *outputs);
/// Values that `outputs` needs room for.
size_t ww_kernel_output_room(bool pairs, int64_t samples, int64_t k);

/// coefficients [units, samples] = output_weights gradients^T, gradients [samples, k]: derivative
/// of the loss by each activation.
void ww_kernel_coefficients(const double *output_weights, const double *gradients, int64_t units,
                            int64_t samples, int64_t k, double *coefficients);

/// rows [units, d] = scale * coefficients [units, samples] inputs [samples, d] + keep * rows.
void ww_kernel_rows(double scale, const double *coefficients, const double *inputs, int64_t units,
                    int64_t samples, int64_t dimension, double keep, double *rows);

/// Compares a product by BLAS with a plain loop; WW_FAILED with what to do when they differ.
ww_status ww_kernel_check(ww_error *error);

#endif
