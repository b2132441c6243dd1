#include "train/lazy_share.h"

#include "widthwise/memory.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { ARRAYS = 3 };

int64_t ww_lazy_share_first_row(const ww_problem *problem, int rank)
{
    const int64_t samples = problem->data->train.count;
    const int64_t blocks = (samples + WW_LAZY_BLOCK - 1) / WW_LAZY_BLOCK;
    const int64_t row = blocks * rank / problem->parallel->size * WW_LAZY_BLOCK;
    return row < samples ? row : samples;
}

int64_t ww_lazy_share_most_rows(const ww_problem *problem)
{
    int64_t most = 0;
    for (int rank = 0; rank < problem->parallel->size; rank++) {
        const int64_t rows =
            ww_lazy_share_first_row(problem, rank + 1) - ww_lazy_share_first_row(problem, rank);
        most = rows > most ? rows : most;
    }
    return most;
}

static void list_arrays(const ww_problem *problem, ww_allocation list[ARRAYS])
{
    static const char what[] = "the samples of ranks";
    const size_t ranks = (size_t)problem->parallel->size;
    const ww_allocation arrays[] = {
        {offsetof(ww_lazy_share, counts), ranks, sizeof(int), what},
        {offsetof(ww_lazy_share, places), ranks, sizeof(int), what},
        {offsetof(ww_lazy_share, parts), ranks, sizeof(int), what},
    };
    _Static_assert(sizeof arrays / sizeof *arrays == ARRAYS, "none is left out");
    memcpy(list, arrays, sizeof arrays);
}

int64_t ww_lazy_share_bytes(const ww_problem *problem)
{
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    return ww_allocation_bytes(list, ARRAYS);
}

ww_status ww_lazy_share_create(const ww_problem *problem, ww_lazy_share *share, ww_error *error)
{
    const int own = problem->parallel->rank;
    *share = (ww_lazy_share){.problem = problem};
    ww_allocation list[ARRAYS];
    list_arrays(problem, list);
    WW_TRY(ww_allocate_all(share, list, ARRAYS, error));
    for (int rank = 0; rank < problem->parallel->size; rank++) {
        const int64_t first = ww_lazy_share_first_row(problem, rank);
        share->places[rank] = ww_int(first);
        share->counts[rank] = ww_int(ww_lazy_share_first_row(problem, rank + 1) - first);
    }
    share->first = share->places[own];
    share->rows = share->counts[own];
    return WW_OK;
}

void ww_lazy_share_free(ww_lazy_share *share)
{
    free(share->counts);
    free(share->places);
    free(share->parts);
}

int64_t ww_lazy_share_room(const ww_problem *problem, int64_t planes)
{
    const int64_t copies = problem->parallel->size > 1 ? 2 : 1; // to both ranks of an entry
    return copies * problem->data->train.count * WW_LAZY_BLOCK * planes;
}

// Sums of the block that begins with sample `first`, of so many words for each column: all of them
// to the rank that has the block, which come first, and then once more those of the columns that
// are rows of later ranks.
static ww_status send_block(const ww_lazy_share *share, int64_t first, int64_t words, int64_t *sums,
                            ww_error *error)
{
    const ww_parallel *parallel = share->problem->parallel;
    const int64_t n = share->problem->data->train.count;
    int64_t *copies = sums + (n - first) * words;
    for (int rank = 0; rank < parallel->size; rank++) {
        const bool is_later = share->places[rank] > first;
        share->parts[rank] = ww_lazy_share_has(share, rank, first) ? ww_int((n - first) * words)
                             : is_later ? ww_int(share->counts[rank] * words)
                                        : 0;
        if (is_later && share->counts[rank] > 0) {
            memcpy(copies, sums + (share->places[rank] - first) * words,
                   (size_t)(share->counts[rank] * words) * sizeof *sums);
            copies += share->counts[rank] * words;
        }
    }
    return ww_scatter_sums(parallel, sums, share->parts, error);
}

// What has come of a block.
static void put_block(const ww_lazy_share *share, const ww_lazy_symmetric *array, int64_t first,
                      int64_t rows)
{
    const int own = share->problem->parallel->rank;
    const int64_t n = share->problem->data->train.count;
    const bool has_block = ww_lazy_share_has(share, own, first);
    const int64_t begin = has_block ? first : share->first;
    const int64_t end = has_block ? n : share->first + share->rows;
    const int64_t *entry = array->room;
    for (int64_t j = begin; begin >= first && j < end; j++)
        for (int64_t i = first; i < first + rows; i++, entry += array->planes) {
            if (has_block)
                array->put(array->context, i - share->first, j, entry);
            if (ww_lazy_share_has(share, own, j))
                array->put(array->context, j - share->first, i, entry);
        }
}

ww_status ww_lazy_share_make(const ww_lazy_share *share, const ww_lazy_symmetric *array,
                             ww_error *error)
{
    const int64_t n = share->problem->data->train.count;
    int most = 0; // MPI counts words by ints
    if (share->problem->parallel->size > 1)
        WW_TRY(
            ww_to_int(ww_lazy_share_room(share->problem, array->planes),
                      "the number of words that training.engine: lazy (dense does not) sums over "
                      "ranks at once",
                      &most, error));
    for (int64_t first = 0; first < n; first += WW_LAZY_BLOCK) {
        const int64_t rows = n - first < WW_LAZY_BLOCK ? n - first : WW_LAZY_BLOCK;
        array->sum(array->context, first, rows, array->room);
        WW_TRY(send_block(share, first, rows * array->planes, array->room, error));
        put_block(share, array, first, rows);
    }
    return WW_OK;
}
