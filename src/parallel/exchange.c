#include "widthwise/parallel.h"

#include "parallel/mpi_error.h"

#include "widthwise/memory.h"
#include "widthwise/profile.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static size_t sum_of(const int *counts, int size)
{
    size_t sum = 0;
    for (int rank = 0; rank < size; rank++)
        sum += (size_t)counts[rank];
    return sum;
}

ww_status ww_gather_rows(const ww_parallel *parallel, void *rows, size_t row_bytes,
                         const int *counts, const int *places, ww_error *error)
{
    if (parallel->size == 1 || row_bytes == 0)
        return WW_OK;
    // A row is one thing to MPI, so that counts stay small.
    MPI_Datatype row = MPI_DATATYPE_NULL;
    WW_TRY(ww_mpi_status(MPI_Type_contiguous(ww_int((int64_t)row_bytes), MPI_BYTE, &row),
                         "describing rows", error));
    ww_status status = ww_mpi_status(MPI_Type_commit(&row), "describing rows", error);
    const double began = ww_call_begin(parallel->profile);
    if (status == WW_OK)
        status =
            ww_mpi_status(ww_call_end(parallel->profile, WW_CALL_ROWS,
                                      sum_of(counts, parallel->size) * row_bytes, began,
                                      MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, rows,
                                                     counts, places, row, parallel->communicator)),
                          "gathering rows over ranks", error);
    MPI_Type_free(&row);
    return status;
}

ww_status ww_scatter_sums(const ww_parallel *parallel, int64_t *words, const int *counts,
                          ww_error *error)
{
    if (parallel->size == 1)
        return WW_OK;
    const double began = ww_call_begin(parallel->profile);
    return ww_mpi_status(ww_call_end(parallel->profile, WW_CALL_PARTED_SUM,
                                     sum_of(counts, parallel->size) * sizeof *words, began,
                                     MPI_Reduce_scatter(MPI_IN_PLACE, words, counts, MPI_INT64_T,
                                                        MPI_SUM, parallel->communicator)),
                         "sums over ranks", error);
}

// Numbers of words for each rank, from each, and where they are.
typedef struct routes {
    int *counts; // [4 size], all of these
    int *places, *counts_in, *places_in;
} routes;

static ww_status find_routes(const ww_parallel *parallel, const int *counts, routes *to,
                             ww_error *error)
{
    const size_t size = (size_t)parallel->size;
    to->counts = ww_allocate(4 * size, sizeof *to->counts, "an exchange of words", error);
    WW_TRY(ww_agree(parallel, to->counts != NULL ? WW_OK : WW_FAILED, error));
    to->places = to->counts + size;
    to->counts_in = to->places + size;
    to->places_in = to->counts_in + size;
    memcpy(to->counts, counts, size * sizeof *counts);
    return ww_mpi_status(
        MPI_Alltoall(to->counts, 1, MPI_INT, to->counts_in, 1, MPI_INT, parallel->communicator),
        "numbers of words of ranks", error);
}

// Room for all that comes, which MPI counts by ints.
static ww_status make_places(const ww_parallel *parallel, routes *to, ww_incoming *incoming,
                             ww_error *error)
{
    int64_t out = 0, in = 0;
    for (int rank = 0; rank < parallel->size; rank++) {
        to->places[rank] = (int)(out < INT_MAX ? out : INT_MAX);
        to->places_in[rank] = (int)(in < INT_MAX ? in : INT_MAX);
        out += to->counts[rank];
        in += to->counts_in[rank];
    }
    if (out > INT_MAX || in > INT_MAX)
        return ww_fail(error, WW_FAILED,
                       "ranks have more than 2^31 words for each other; use more ranks");
    incoming->count = in;
    if (in <= incoming->room)
        return WW_OK;
    free(incoming->words);
    incoming->room = 2 * in;
    incoming->words =
        ww_allocate((size_t)incoming->room, sizeof *incoming->words, "words of ranks", error);
    if (incoming->words != NULL)
        return WW_OK;
    *incoming = (ww_incoming){0};
    return WW_FAILED;
}

static ww_status exchange(const ww_parallel *parallel, const int64_t *words, routes *to,
                          ww_incoming *incoming, ww_error *error)
{
    WW_TRY(ww_agree(parallel, make_places(parallel, to, incoming, error), error));
    const double began = ww_call_begin(parallel->profile);
    return ww_mpi_status(ww_call_end(parallel->profile, WW_CALL_EXCHANGE,
                                     sum_of(to->counts, parallel->size) * sizeof *words, began,
                                     MPI_Alltoallv(words, to->counts, to->places, MPI_INT64_T,
                                                   incoming->words, to->counts_in, to->places_in,
                                                   MPI_INT64_T, parallel->communicator)),
                         "words over ranks", error);
}

ww_status ww_exchange_words(const ww_parallel *parallel, const int64_t *words, const int *counts,
                            ww_incoming *incoming, ww_error *error)
{
    routes to = {0};
    ww_status status = find_routes(parallel, counts, &to, error);
    if (status == WW_OK)
        status = exchange(parallel, words, &to, incoming, error);
    free(to.counts);
    return status;
}

void ww_send_words(const ww_parallel *parallel, const int64_t *words, int64_t count, int tag)
{
    const double began = ww_call_begin(parallel->profile);
    (void)ww_call_end(parallel->profile, WW_CALL_SEND, (size_t)count * sizeof *words, began,
                      MPI_Send(words, ww_int(count), MPI_INT64_T, 0, tag, parallel->communicator));
}

void ww_receive_words(const ww_parallel *parallel, int64_t *words, int64_t count, int rank, int tag)
{
    const double began = ww_call_begin(parallel->profile);
    (void)ww_call_end(parallel->profile, WW_CALL_RECEIVE, (size_t)count * sizeof *words, began,
                      MPI_Recv(words, ww_int(count), MPI_INT64_T, rank, tag, parallel->communicator,
                               MPI_STATUS_IGNORE));
}
