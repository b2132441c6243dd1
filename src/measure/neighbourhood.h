/// Whether the weights at the end are a local minimum: the gradient, how far around nothing changes
/// sign, and the loss at points nearby.
#ifndef WIDTHWISE_MEASURE_NEIGHBOURHOOD_H
#define WIDTHWISE_MEASURE_NEIGHBOURHOOD_H

#include "widthwise/train.h"

/// Points nearby that are tried.
enum { WW_NEIGHBOURS = 100 };

/// Values in this order: gradient_norm, flat_radius, neighbours, neighbour_radius, neighbour_lowest
/// (results.c says what they are). Collective.
ww_status ww_neighbourhood(const ww_problem *problem, ww_engine *engine, const double *carry,
                           double *values, ww_error *error);

/// Bytes it allocates and additions and multiplications it makes on this rank. Pure.
ww_status ww_neighbourhood_cost(const ww_problem *problem, int64_t *bytes, double *flops,
                                ww_error *error);

#endif
