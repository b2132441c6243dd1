/// The products of a step on one tile of units and one block of samples. Every call has a shape
/// that depends on global indices alone, never on the number of ranks: that fixes its bits.
///
/// With antisymmetric pairs (`pairs`) units 2r and 2r + 1 begin with the same hidden and opposite
/// output weights, and outputs are to be exactly 0. BLAS adds the terms of a sum in an order of its
/// own, in which a unit and its partner need not meet. So pre-activations and outputs are made by
/// two calls of the same shape, one for the even units and one for the odd ones, which do the same
/// operations on the same numbers up to the sign; the two outputs then cancel.
///
/// A single sample has kernels of its own (vectors.h, or products with vectors of BLAS): as a
/// matrix of one column it is slow.
///
/// Every kernel comes in double and in single precision, from one source (kernels_real.h).
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

/// Values that the outputs of a tile need room for: twice theirs with pairs.
size_t ww_kernel_output_room(bool pairs, int64_t samples, int64_t k);

/// preactivations [units, samples] = weights [units, d] inputs^T, inputs [samples, d]. `units` is
/// even with pairs.
void ww_kernel_preactivations(bool pairs, const double *weights, int64_t units,
                              const double *inputs, int64_t samples, int64_t dimension,
                              double *preactivations);
void ww_kernel_preactivations_single(bool pairs, const float *weights, int64_t units,
                                     const float *inputs, int64_t samples, int64_t dimension,
                                     float *preactivations);

/// preactivations [units, samples] = weights [units, columns] activations [columns, samples]: of a
/// layer after the first.
void ww_kernel_layer_preactivations(const double *weights, int64_t units, const double *activations,
                                    int64_t samples, int64_t columns, double *preactivations);
void ww_kernel_layer_preactivations_single(const float *weights, int64_t units,
                                           const float *activations, int64_t samples,
                                           int64_t columns, float *preactivations);

/// outputs [samples, k] = activations^T output_weights, activations [units, samples],
/// output_weights [units, k]: this tile's part of the network's outputs. With pairs `outputs` has
/// room for ww_kernel_output_room values, of which the first [samples, k] are the result.
void ww_kernel_outputs(bool pairs, const double *activations, const double *output_weights,
                       int64_t units, int64_t samples, int64_t k, double *outputs);
void ww_kernel_outputs_single(bool pairs, const float *activations, const float *output_weights,
                              int64_t units, int64_t samples, int64_t k, float *outputs);

/// coefficients [units, samples] = output_weights gradients^T, gradients [samples, k]: derivative
/// of the loss by each activation.
void ww_kernel_coefficients(const double *output_weights, const double *gradients, int64_t units,
                            int64_t samples, int64_t k, double *coefficients);
void ww_kernel_coefficients_single(const float *output_weights, const float *gradients,
                                   int64_t units, int64_t samples, int64_t k, float *coefficients);

/// rows [units, d] = scale * coefficients [units, samples] inputs [samples, d] + keep * rows.
void ww_kernel_rows(double scale, const double *coefficients, const double *inputs, int64_t units,
                    int64_t samples, int64_t dimension, double keep, double *rows);
void ww_kernel_rows_single(float scale, const float *coefficients, const float *inputs,
                           int64_t units, int64_t samples, int64_t dimension, float keep,
                           float *rows);

/// rows [units, columns] += scale * derivatives [units, samples] activations^T, activations
/// [columns, samples]: of a layer after the first.
void ww_kernel_layer_rows(double scale, const double *derivatives, const double *activations,
                          int64_t units, int64_t samples, int64_t columns, double *rows);
void ww_kernel_layer_rows_single(float scale, const float *derivatives, const float *activations,
                                 int64_t units, int64_t samples, int64_t columns, float *rows);

/// products [left columns, right columns] = left^T right over `units` rows; those of `left` lie
/// left_stride apart, of `right` right_columns.
void ww_kernel_products(const double *left, int64_t left_columns, int64_t left_stride,
                        const double *right, int64_t right_columns, int64_t units,
                        double *products);
void ww_kernel_products_single(const float *left, int64_t left_columns, int64_t left_stride,
                               const float *right, int64_t right_columns, int64_t units,
                               float *products);

/// The upper triangle of products [columns, columns] = values^T values over `units` rows, values
/// [units, columns]: half the work. What is below the diagonal stays as it is.
void ww_kernel_square(const double *values, int64_t columns, int64_t units, double *products);
void ww_kernel_square_single(const float *values, int64_t columns, int64_t units, float *products);

/// Whether every kernel multiplies rightly, on numbers of few bits: left and right
/// [WW_KERNEL_CHECK_SIZE], room for three times as many.
enum { WW_KERNEL_CHECK_SIZE = 259 * 259 };
bool ww_kernel_is_right(const double *left, const double *right, double *room);
bool ww_kernel_is_right_single(const double *left, const double *right, float *room);

/// Compares the products of BLAS with plain loops; WW_FAILED with what to do when they differ.
ww_status ww_kernel_check(ww_error *error);

#endif
