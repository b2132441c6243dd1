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

typedef struct pieces {
    int64_t count, piece;
    void (*work)(void *context, int worker, int64_t first, int64_t end);
    void *context;
} pieces;

static void do_piece(void *context, int worker, int64_t number)
{
    const pieces *of = context;
    const int64_t first = number * of->piece, left = of->count - first;
    of->work(of->context, worker, first, first + (left < of->piece ? left : of->piece));
}

void ww_for_each_piece(const ww_parallel *parallel, int64_t count, int64_t piece,
                       void (*work)(void *context, int worker, int64_t first, int64_t end),
                       void *context)
{
    pieces of = {.count = count, .piece = piece, .work = work, .context = context};
    ww_for_each(parallel, (count + piece - 1) / piece, do_piece, &of);
}
