/// Sums of doubles that come out with the same bits on all ranks: added up on rank 0, then sent.
/// (MPI does not promise that much of an Allreduce.)
#ifndef WIDTHWISE_GRAM_REPLICATE_H
#define WIDTHWISE_GRAM_REPLICATE_H

#include "widthwise/parallel.h"

#include <stddef.h>

/// Sums `count` doubles over all ranks in place. Collective.
ww_status ww_replicate_sum(const ww_parallel *parallel, double *values, size_t count,
                           ww_error *error);

#endif
