/// Norms of the gradient by each hidden layer.
#ifndef WIDTHWISE_MEASURE_LAYER_GRADIENTS_H
#define WIDTHWISE_MEASURE_LAYER_GRADIENTS_H

#include "train/layered.h"

/// ||sum_s D_l,s x_l-1,s'||_F^2 of every hidden layer l into squares [L], the same on all ranks:
/// the squared gradient by W_l of a loss with the derivatives `gradients` [samples, k] by the
/// outputs on inputs [samples, d]. It is the sum over pairs of samples of products of derivatives
/// and of inputs of the layer, block by block, so that no gradient of the size of W_l is ever held;
/// with single precision it carries a relative error of about 1e-7 times the condition of that sum.
/// WW_DIVERGED as of ww_layered_backward. Collective.
ww_status ww_layer_gradients(const ww_problem *problem, ww_layered *network, const double *inputs,
                             int64_t samples, const double *gradients, double *squares,
                             ww_error *error);

/// Bytes that it allocates, and additions and multiplications of its products, on this rank. Pure.
void ww_layer_gradients_cost(const ww_problem *problem, int64_t samples, int64_t *bytes,
                             double *flops);

/// Additions and multiplications of one pass forward of one sample through the network, on this
/// rank; backward by the outputs to the first layer it is about as many. Pure.
double ww_layered_pass_flops(const ww_problem *problem);

#endif
