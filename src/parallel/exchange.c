#include "widthwise/parallel.h"

#include "parallel/mpi_error.h"

#include "widthwise/memory.h"
#include "widthwise/profile.h"

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
