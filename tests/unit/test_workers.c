// Threads that share items: each is done once, by a worker that there is, whatever their number.

#include "cmocka_all.h"
#include "parallel/workers.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { ITEMS = 1000 };

typedef struct work {
    int workers;
    int64_t piece; // of items, most
    atomic_int done[ITEMS];
    atomic_int strangers;     // workers, and pieces
    atomic_int at_once, most; // workers busy at the same time
} work;

static void do_item(void *context, int worker, int64_t item)
{
    work *self = context;
    const int busy = atomic_fetch_add(&self->at_once, 1) + 1;
    int most = atomic_load(&self->most);
    while (busy > most && !atomic_compare_exchange_weak(&self->most, &most, busy))
        ;
    if (worker < 0 || worker >= self->workers)
        atomic_fetch_add(&self->strangers, 1);
    atomic_fetch_add(&self->done[item], 1);
    atomic_fetch_sub(&self->at_once, 1);
}

static void share(int threads, int64_t items)
{
    const ww_parallel parallel = {.communicator = MPI_COMM_NULL, .size = 1, .threads = threads};
    work *self = calloc(1, sizeof *self);
    self->workers = ww_workers_of(&parallel);
    assert_int_equal(self->workers, threads > 1 ? threads : 1);
    ww_for_each(&parallel, items, do_item, self);
    for (int64_t i = 0; i < ITEMS; i++)
        assert_int_equal(self->done[i], i < items);
    assert_int_equal(self->strangers, 0);
    assert_true(self->most <= self->workers);
    free(self);
}

static void test_each_once(void **state)
{
    (void)state;
    static const int threads[] = {0, 1, 2, 3, 8};
    static const int64_t items[] = {0, 1, 2, 5, ITEMS};
    for (size_t t = 0; t < sizeof threads / sizeof threads[0]; t++)
        for (size_t i = 0; i < sizeof items / sizeof items[0]; i++)
            share(threads[t], items[i]);
}

static void do_items(void *context, int worker, int64_t first, int64_t end)
{
    work *self = context;
    for (int64_t i = first; i < end; i++)
        do_item(self, worker, i);
    if (end <= first || first % self->piece != 0 || end - first > self->piece)
        atomic_fetch_add(&self->strangers, 1);
}

static void test_pieces(void **state)
{
    (void)state;
    static const int64_t items[] = {0, 1, 6, 7, 8, 700, ITEMS};
    for (int threads = 1; threads <= 3; threads++)
        for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
            const ww_parallel parallel = {
                .communicator = MPI_COMM_NULL, .size = 1, .threads = threads};
            work *self = calloc(1, sizeof *self);
            self->workers = threads;
            self->piece = 7;
            ww_for_each_piece(&parallel, items[i], self->piece, do_items, self);
            for (int64_t k = 0; k < ITEMS; k++)
                assert_int_equal(self->done[k], k < items[i]);
            assert_int_equal(self->strangers, 0);
            free(self);
        }
}

static void test_given(void **state)
{
    (void)state;
    unsetenv("OMP_NUM_THREADS");
    assert_int_equal(ww_workers_given(), 1);
    setenv("OMP_NUM_THREADS", "1", 1); // read by OpenMP at its start: here only that it is set
    assert_true(ww_workers_given() >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_once),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
