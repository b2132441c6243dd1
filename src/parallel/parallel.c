#include "widthwise/parallel.h"

#include "parallel/mpi_error.h"
#include "parallel/workers.h"

#include "widthwise/memory.h"
#include "widthwise/profile.h"

#include <limits.h>
#include <time.h>

enum { BROADCAST_BYTES = 1 << 30, SUM_WORDS = 1 << 26 };

ww_status ww_mpi_status(int code, const char *what, ww_error *error)
{
    if (code == MPI_SUCCESS)
        return WW_OK;
    char text[MPI_MAX_ERROR_STRING + 1] = "";
    int length = 0;
    MPI_Error_string(code, text, &length);
    return ww_fail(error, WW_FAILED, "%s failed in MPI: %s", what, text);
}

ww_status ww_parallel_create(MPI_Comm parent, ww_parallel *parallel, ww_error *error)
{
    *parallel = (ww_parallel){.communicator = MPI_COMM_NULL, .threads = ww_workers_given()};
    WW_TRY(ww_mpi_status(MPI_Comm_dup(parent, &parallel->communicator),
                         "duplicating the communicator", error));
    MPI_Comm_set_errhandler(parallel->communicator, MPI_ERRORS_RETURN);
    MPI_Comm_rank(parallel->communicator, &parallel->rank);
    MPI_Comm_size(parallel->communicator, &parallel->size);
    return WW_OK;
}

void ww_parallel_destroy(ww_parallel *parallel)
{
    if (parallel->communicator != MPI_COMM_NULL)
        MPI_Comm_free(&parallel->communicator);
}

// Those that give the same number make a group, in the order of `place`.
static ww_status split(const ww_parallel *whole, int number, int place, ww_parallel *part,
                       ww_error *error)
{
    *part = (ww_parallel){.communicator = MPI_COMM_NULL,
                          .threads = whole->threads,
                          .sample_groups = whole->sample_groups,
                          .began = whole->began,
                          .profile = whole->profile};
    const double began = ww_call_begin(whole->profile);
    WW_TRY(ww_mpi_status(
        ww_call_end(whole->profile, WW_CALL_GROUP, 0, began,
                    MPI_Comm_split(whole->communicator, number, place, &part->communicator)),
        "dividing the ranks", error));
    MPI_Comm_set_errhandler(part->communicator, MPI_ERRORS_RETURN);
    MPI_Comm_rank(part->communicator, &part->rank);
    MPI_Comm_size(part->communicator, &part->size);
    return WW_OK;
}

ww_status ww_parallel_split(const ww_parallel *whole, int number, ww_parallel *part,
                            ww_error *error)
{
    return split(whole, number, whole->rank, part, error);
}

ww_status ww_parallel_order(const ww_parallel *whole, int place, ww_parallel *ordered,
                            ww_error *error)
{
    return split(whole, 0, place, ordered, error);
}

ww_status ww_wait_for_all(const ww_parallel *parallel, void (*meanwhile)(void *context),
                          void *context, ww_error *error)
{
    const struct timespec pause = {.tv_nsec = 2000000};
    MPI_Request request = MPI_REQUEST_NULL;
    ww_profile *profile = parallel->profile;
    const double began = ww_call_begin(profile);
    const double counted = profile != NULL ? profile->in_calls : 0.0;
    WW_TRY(ww_mpi_status(MPI_Ibarrier(parallel->communicator, &request), "waiting", error));
    int over = 0;
    while (true) {
        WW_TRY(ww_mpi_status(MPI_Test(&request, &over, MPI_STATUS_IGNORE), "waiting", error));
        if (over != 0) {
            // Calls that were made meanwhile have been counted.
            const double meantime = profile != NULL ? profile->in_calls - counted : 0.0;
            (void)ww_call_end(profile, WW_CALL_WAIT, 0, began + meantime, MPI_SUCCESS);
            return WW_OK;
        }
        if (meanwhile != NULL)
            meanwhile(context);
        (void)nanosleep(&pause, NULL);
    }
}

ww_status ww_memory_for_rank(const ww_parallel *parallel, int64_t *bytes, ww_error *error)
{
    MPI_Comm node = MPI_COMM_NULL;
    int ranks = 1;
    double began = ww_call_begin(parallel->profile);
    WW_TRY(
        ww_mpi_status(ww_call_end(parallel->profile, WW_CALL_GROUP, 0, began,
                                  MPI_Comm_split_type(parallel->communicator, MPI_COMM_TYPE_SHARED,
                                                      parallel->rank, MPI_INFO_NULL, &node)),
                      "finding the ranks of a node", error));
    MPI_Comm_size(node, &ranks);
    MPI_Comm_free(&node);
    *bytes = ww_available_memory() / ranks;
    began = ww_call_begin(parallel->profile);
    return ww_mpi_status(ww_call_end(parallel->profile, WW_CALL_MEMORY, sizeof *bytes, began,
                                     MPI_Allreduce(MPI_IN_PLACE, bytes, 1, MPI_INT64_T, MPI_MIN,
                                                   parallel->communicator)),
                         "agreeing on memory", error);
}

ww_status ww_agree_on(const ww_parallel *parallel, ww_status status, ww_error *error)
{
    const int mine = status == WW_OK ? INT_MAX : parallel->rank;
    int first = INT_MAX;
    if (parallel->size == 1) { // searches of one rank alone ask often
        if (status != WW_OK && error != NULL)
            error->status = status;
        return status;
    }
    double began = ww_call_begin(parallel->profile);
    WW_TRY(ww_mpi_status(
        ww_call_end(parallel->profile, WW_CALL_AGREEMENT, sizeof mine, began,
                    MPI_Allreduce(&mine, &first, 1, MPI_INT, MPI_MIN, parallel->communicator)),
        "agreeing on an error", error));
    if (first == INT_MAX)
        return WW_OK;
    ww_error agreed = {0};
    if (parallel->rank == first) {
        if (error != NULL)
            agreed = *error;
        agreed.status = status;
    }
    began = ww_call_begin(parallel->profile);
    WW_TRY(ww_mpi_status(ww_call_end(parallel->profile, WW_CALL_ERROR, sizeof agreed, began,
                                     MPI_Bcast(&agreed, (int)sizeof agreed, MPI_BYTE, first,
                                               parallel->communicator)),
                         "agreeing on an error", error));
    if (error != NULL)
        *error = agreed;
    return agreed.status;
}

ww_status ww_broadcast(const ww_parallel *parallel, void *data, size_t bytes, int root,
                       ww_error *error)
{
    char *position = data;
    if (parallel->size == 1)
        return WW_OK;
    while (bytes > 0) {
        const size_t part = bytes < BROADCAST_BYTES ? bytes : BROADCAST_BYTES;
        const double began = ww_call_begin(parallel->profile);
        WW_TRY(ww_mpi_status(
            ww_call_end(parallel->profile, WW_CALL_BROADCAST, part, began,
                        MPI_Bcast(position, (int)part, MPI_BYTE, root, parallel->communicator)),
            "a broadcast", error));
        position += part;
        bytes -= part;
    }
    return WW_OK;
}

ww_status ww_sum_words(const ww_parallel *parallel, int64_t *words, size_t count, ww_error *error)
{
    while (count > 0) {
        const size_t part = count < SUM_WORDS ? count : SUM_WORDS;
        const double began = ww_call_begin(parallel->profile);
        WW_TRY(
            ww_mpi_status(ww_call_end(parallel->profile, WW_CALL_SUM, part * sizeof *words, began,
                                      MPI_Allreduce(MPI_IN_PLACE, words, (int)part, MPI_INT64_T,
                                                    MPI_SUM, parallel->communicator)),
                          "a sum over ranks", error));
        words += part;
        count -= part;
    }
    return WW_OK;
}

ww_status ww_maximum(const ww_parallel *parallel, double *values, size_t count, ww_error *error)
{
    const double began = ww_call_begin(parallel->profile);
    return ww_mpi_status(ww_call_end(parallel->profile, WW_CALL_MAXIMUM, count * sizeof *values,
                                     began,
                                     MPI_Allreduce(MPI_IN_PLACE, values, ww_int((int64_t)count),
                                                   MPI_DOUBLE, MPI_MAX, parallel->communicator)),
                         "a maximum over ranks", error);
}

ww_status ww_any(const ww_parallel *parallel, uint8_t *flags, size_t count, ww_error *error)
{
    while (count > 0) {
        const size_t part = count < BROADCAST_BYTES ? count : BROADCAST_BYTES;
        const double began = ww_call_begin(parallel->profile);
        WW_TRY(ww_mpi_status(ww_call_end(parallel->profile, WW_CALL_MAXIMUM, part, began,
                                         MPI_Allreduce(MPI_IN_PLACE, flags, (int)part, MPI_UINT8_T,
                                                       MPI_MAX, parallel->communicator)),
                             "a maximum over ranks", error));
        flags += part;
        count -= part;
    }
    return WW_OK;
}
