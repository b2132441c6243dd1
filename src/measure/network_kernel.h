/// The kernel of the finite network at t = 0 as a result of a run.
#ifndef WIDTHWISE_MEASURE_NETWORK_KERNEL_H
#define WIDTHWISE_MEASURE_NETWORK_KERNEL_H

#include "measure/quantities.h"
#include "widthwise/block_matrix.h"

/// Pairs of sample and output up to which the matrix stands, and its eigenvalues are found, on one
/// rank: then they have the same bits on any number of ranks. Larger ones lie on all ranks, and
/// eigenvalues may differ in their last digits.
enum { WW_KERNEL_ONE_RANK = 4096 };

/// The kernel K of a network at t = 0 on `samples`, of order n k. Row i k + c is output c on sample
/// i: K[(i,c),(j,c')] = sum_l <D_l,i,c , D_l,j,c'> <x_l-1,i , x_l-1,j>, with D_l,i,c the derivative
/// of output c on sample i by the pre-activations of layer l, and x_l-1,i the inputs of that layer.
/// In double precision whatever that of training.
/// A ww_gram_fill (gram.h); `context` is a const ww_network_kernel.
typedef struct ww_network_kernel {
    const ww_problem *problem;
    const ww_samples *samples;
} ww_network_kernel;
ww_status ww_network_kernel_fill(void *context, ww_block_matrix *matrix, ww_error *error);

/// Values of the result `network_kernel`, and their cost (quantities.h).
ww_status ww_network_kernel_result(const ww_problem *problem, ww_engine *engine,
                                   const double *carry, double *values, ww_error *error);
ww_status ww_network_kernel_cost(const ww_problem *problem, int64_t *bytes, double *flops,
                                 ww_error *error);
enum {
    WW_KERNEL_LEAST,
    WW_KERNEL_GREATEST,
    WW_KERNEL_EDGE,
    WW_KERNEL_RATE,
    WW_KERNEL_LIMIT_LEAST,
    WW_KERNEL_LIMIT_GREATEST,
    WW_KERNEL_LIMIT_EDGE,
    WW_KERNEL_VALUES
};

#endif
