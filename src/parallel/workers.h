/// Threads of a rank that share work on items, as tiles of units.
#ifndef WIDTHWISE_PARALLEL_WORKERS_H
#define WIDTHWISE_PARALLEL_WORKERS_H

#include "widthwise/parallel.h"

/// How many a rank is given by its environment: OMP_NUM_THREADS, and one where it is not set, since
/// ranks usually have a core each.
int ww_workers_given(void);

/// How many a rank has: at least 1. Pure.
int ww_workers_of(const ww_parallel *parallel);

/// Does work(context, worker, item) for each of `count` items, on all workers; each takes the next
/// item when it has done one, so that what comes of it must not depend on who does what, or when.
/// Nothing there may communicate. Returns when all is done.
void ww_for_each(const ww_parallel *parallel, int64_t count,
                 void (*work)(void *context, int worker, int64_t item), void *context);

/// The same of pieces of `piece` items, the last of what is left: work(context, worker, first, end)
/// does items first .. end - 1.
void ww_for_each_piece(const ww_parallel *parallel, int64_t count, int64_t piece,
                       void (*work)(void *context, int worker, int64_t first, int64_t end),
                       void *context);

#endif
