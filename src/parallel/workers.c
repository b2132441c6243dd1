#include "parallel/workers.h"

#include <omp.h>
#include <stdlib.h>

int ww_workers_given(void)
{
    return getenv("OMP_NUM_THREADS") != NULL ? omp_get_max_threads() : 1;
}

int ww_workers_of(const ww_parallel *parallel)
{
    return parallel->threads > 1 ? parallel->threads : 1;
}

void ww_for_each(const ww_parallel *parallel, int64_t count,
                 void (*work)(void *context, int worker, int64_t item), void *context)
{
    const int workers = ww_workers_of(parallel);
    if (workers == 1 || count < 2) {
        for (int64_t item = 0; item < count; item++)
            work(context, 0, item);
        return;
    }
#pragma omp parallel for num_threads(workers) schedule(dynamic, 1)
    for (int64_t item = 0; item < count; item++)
        work(context, omp_get_thread_num(), item);
}
