#include "widthwise/parallel.h"

#include "parallel/mpi_error.h"

#include "widthwise/memory.h"

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
    if (status == WW_OK)
        status = ww_mpi_status(MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, rows, counts,
                                              places, row, parallel->communicator),
                               "gathering rows over ranks", error);
    MPI_Type_free(&row);
    return status;
}

ww_status ww_scatter_sums(const ww_parallel *parallel, int64_t *words, const int *counts,
                          ww_error *error)
{
    if (parallel->size == 1)
        return WW_OK;
    return ww_mpi_status(MPI_Reduce_scatter(MPI_IN_PLACE, words, counts, MPI_INT64_T, MPI_SUM,
                                            parallel->communicator),
                         "sums over ranks", error);
}
