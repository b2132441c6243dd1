/// The products of a step on one tile of units and one block of samples. Every call has a shape
/// that depends on global indices alone, never on the number of ranks: that fixes its bits.
#ifndef WIDTHWISE_TRAIN_KERNELS_H
#define WIDTHWISE_TRAIN_KERNELS_H

#include "widthwise/error.h"

#include <stdint.h>

/// Samples in a block; blocks lie on the grid of sample indices, only the last is shorter.
enum { WW_SAMPLE_BLOCK = 512 };

/// Samples in the block of `samples` samples that begins at `start`.
int64_t ww_block_size(int64_t samples, int64_t start);

/// preactivations [units, samples] = weights [units, d] inputs^T, inputs [samples, d].
void ww_kernel_preactivations(const double *weights, int64_t units, const double *inputs,
                              int64_t samples, int64_t dimension, double *preactivations);

/// outputs [samples, k] = activations^T output_weights, activations [units, samples],
/// output_weights [units, k]: this tile's part of the network's outputs.
void ww_kernel_outputs(const double *activations, const double *output_weights, int64_t units,
                       int64_t samples, int64_t k, double *outputs);

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
