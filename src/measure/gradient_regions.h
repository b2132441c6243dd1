/// The gradient regions of Zou & Gu, section 4.1, at t = 0, as a result of a run.
///
/// The paper says of the region W_i of sample i only what it must do: regions of two samples are
/// disjoint, and a unit of the last hidden layer in W_i has a gradient that sample i decides alone.
/// Here they are, with z_i = x_L-1,i / ||x_L-1,i|| the directions that the samples have in front of
/// the last hidden layer, phi the smallest distance between two of them up to the sign, and
/// g = sqrt(pi) phi / (8 n), all in double precision whatever that of training,
///
///   W_i = {w : |<w, z_i>| <= g, and |<w, z_j>| >= 2 g for every j other than i}.
///
/// They are disjoint by construction: w in W_i has |<w, z_i>| <= g, which W_j forbids it, since
/// g > 0 where phi > 0. And none is much smaller than the slab |<w, z_i>| <= g: for w ~ N(0, I),
/// given <w, z_i>, <w, z_j> is normal with standard deviation sin a, a the angle of z_i and z_j,
/// so that its density is at most 1 / (sqrt(2 pi) sin a) and
///   P(|<w, z_j>| < 2 g | <w, z_i>) <= 4 g / (sqrt(2 pi) sin a).
/// With p = 2 sin(a / 2) and q = 2 cos(a / 2) the distances of z_i from z_j and from -z_j, sin a =
/// p q / 2. The smaller of them is at least phi, and since p^2 + q^2 = 4 the larger one at least
/// sqrt 2: sin a >= phi / sqrt 2. So the n - 1 others together take away at most
///   n 4 g sqrt 2 / (sqrt(2 pi) phi) = n 4 g / (sqrt(pi) phi) = 1 / 2
/// of the slab's probability, and the union of the regions has at least n / 2 times that of a slab.
#ifndef WIDTHWISE_MEASURE_GRADIENT_REGIONS_H
#define WIDTHWISE_MEASURE_GRADIENT_REGIONS_H

#include "measure/quantities.h"

/// Values of the result `gradient_regions`, and their cost (quantities.h).
ww_status ww_gradient_regions(const ww_problem *problem, ww_engine *engine, const double *carry,
                              double *values, ww_error *error);
ww_status ww_gradient_regions_cost(const ww_problem *problem, int64_t *bytes, double *flops,
                                   ww_error *error);
enum {
    WW_REGION_SEPARATION,
    WW_REGION_WIDTH,
    WW_REGION_SINGLE,
    WW_REGION_UNION,
    WW_REGION_OVERLAP,
    WW_REGION_GAIN,
    WW_REGION_SHARE,
    WW_REGION_VALUES
};

#endif
