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

ww_status ww_incoming_create(const ww_parallel *parallel, ww_incoming *incoming, ww_error *error)
{
    *incoming = (ww_incoming){.routes = ww_allocate(4 * (size_t)parallel->size, sizeof(int),
                                                    "an exchange of words", error)};
    return incoming->routes != NULL ? WW_OK : WW_FAILED;
}

void ww_incoming_free(ww_incoming *incoming)
{
    free(incoming->words);
    free(incoming->routes);
}

// Parts of the routes, [size] each.
enum { COUNTS_OUT, PLACES_OUT, COUNTS_IN, PLACES_IN };

static int *part_of(const ww_parallel *parallel, const ww_incoming *incoming, int part)
{
    return incoming->routes + (ptrdiff_t)part * parallel->size;
}

// Numbers of words for each rank, from each; those that an int cannot hold as the largest that it
// can.
static ww_status find_counts(const ww_parallel *parallel, const int64_t *counts,
                             ww_incoming *incoming, ww_error *error)
{
    int *out = part_of(parallel, incoming, COUNTS_OUT);
    for (int rank = 0; rank < parallel->size; rank++) {
        const int64_t count = counts != NULL ? counts[rank] : 0;
        out[rank] = (int)(count < INT_MAX ? count : INT_MAX);
    }
    return ww_mpi_status(MPI_Alltoall(out, 1, MPI_INT, part_of(parallel, incoming, COUNTS_IN), 1,
                                      MPI_INT, parallel->communicator),
                         "numbers of words of ranks", error);
}

// Where the words for each rank are, or from each; how many there are.
static int64_t find_places(const int *counts, int size, int *places)
{
    int64_t sum = 0;
    for (int rank = 0; rank < size; rank++) {
        places[rank] = (int)(sum < INT_MAX ? sum : INT_MAX);
        sum += counts[rank];
    }
    return sum;
}

// Room for all that comes, which MPI counts by ints.
static ww_status make_places(const ww_parallel *parallel, ww_incoming *incoming, ww_error *error)
{
    const int size = parallel->size;
    const int64_t out = find_places(part_of(parallel, incoming, COUNTS_OUT), size,
                                    part_of(parallel, incoming, PLACES_OUT));
    const int64_t in = find_places(part_of(parallel, incoming, COUNTS_IN), size,
                                   part_of(parallel, incoming, PLACES_IN));
    if (out >= INT_MAX || in >= INT_MAX)
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
    incoming->room = incoming->count = 0;
    return WW_FAILED;
}

ww_status ww_exchange_words(const ww_parallel *parallel, ww_status status, const int64_t *words,
                            const int64_t *counts, ww_incoming *incoming, ww_error *error)
{
    WW_TRY(find_counts(parallel, status == WW_OK ? counts : NULL, incoming, error));
    if (status == WW_OK)
        status = make_places(parallel, incoming, error);
    WW_TRY(ww_agree(parallel, status, error));
    const int *out = part_of(parallel, incoming, COUNTS_OUT);
    const double began = ww_call_begin(parallel->profile);
    return ww_mpi_status(
        ww_call_end(parallel->profile, WW_CALL_EXCHANGE,
                    sum_of(out, parallel->size) * sizeof *words, began,
                    MPI_Alltoallv(words, out, part_of(parallel, incoming, PLACES_OUT), MPI_INT64_T,
                                  incoming->words, part_of(parallel, incoming, COUNTS_IN),
                                  part_of(parallel, incoming, PLACES_IN), MPI_INT64_T,
                                  parallel->communicator)),
        "words over ranks", error);
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
