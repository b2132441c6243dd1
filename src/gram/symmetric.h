/// The largest eigenvalue of a block-cyclic matrix.
#ifndef WIDTHWISE_GRAM_SYMMETRIC_H
#define WIDTHWISE_GRAM_SYMMETRIC_H

#include "parallel/lanczos.h"
#include "widthwise/block_matrix.h"

/// As ww_lanczos, for the symmetric matrix whose lower triangle is given. Collective.
ww_status ww_lanczos_symmetric(const ww_block_matrix *matrix, double tolerance, ww_extreme *extreme,
                               ww_error *error);

#endif
