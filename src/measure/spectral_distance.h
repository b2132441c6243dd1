/// How far a layer has moved from its start in the spectral norm (ZG section 4.1).
#ifndef WIDTHWISE_MEASURE_SPECTRAL_DISTANCE_H
#define WIDTHWISE_MEASURE_SPECTRAL_DISTANCE_H

#include "measure/origin.h"

/// ||W_l(t) - W_l(0)||_2 of hidden layer `layer`, the same on all ranks and on any number of them;
/// 0 where nothing has moved. The largest eigenvalue of D'D, D = W_l(t) - W_l(0), by Lanczos'
/// method: vectors [columns] are replicated, each product reads D once, tile by tile, and its sum
/// over tiles is order-independent. It ends when the residual of the eigenvalue is below what
/// measure.spectral_tolerance allows, so that a singular value of D lies within that relative
/// distance. `origin` has the copy of W(0). WW_DIVERGED: a weight is not finite. WW_FAILED: the
/// tolerance was not reached. Collective.
ww_status ww_spectral_distance(const ww_problem *problem, ww_engine *engine,
                               const ww_origin *origin, int64_t layer, double *distance,
                               ww_error *error);

/// Bytes that it allocates for the largest layer, and about as many additions and multiplications
/// as it makes for all of them. Pure.
void ww_spectral_distance_cost(const ww_problem *problem, int64_t *bytes, double *flops);

#endif
