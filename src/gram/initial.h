/// Outputs of the network before training.
#ifndef WIDTHWISE_GRAM_INITIAL_H
#define WIDTHWISE_GRAM_INITIAL_H

#include "widthwise/train.h"

/// u(0) of the train set, `outputs` [n, k], the same bits as training has: `tile` gives the initial
/// hidden weights of this rank's tiles. Collective.
ww_status ww_initial_outputs(const ww_problem *problem,
                             const double *(*tile)(void *context, int64_t tile), void *context,
                             double *outputs, ww_error *error);

#endif
