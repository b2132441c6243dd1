#include "gram/replicate.h"

#include "parallel/mpi_error.h"
#include "widthwise/profile.h"

#include <mpi.h>

/// Doubles of one message.
enum { MESSAGE = 1 << 26 };

ww_status ww_replicate_sum(const ww_parallel *parallel, double *values, size_t count,
                           ww_error *error)
{
    for (size_t done = 0; done < count;) {
        const size_t part = count - done < MESSAGE ? count - done : MESSAGE;
        double *place = values + done;
        const double began = ww_call_begin(parallel->profile);
        WW_TRY(ww_mpi_status(
            ww_call_end(parallel->profile, WW_CALL_REAL_SUM, part * sizeof *place, began,
                        MPI_Reduce(parallel->rank == 0 ? MPI_IN_PLACE : place, place, (int)part,
                                   MPI_DOUBLE, MPI_SUM, 0, parallel->communicator)),
            "a sum over ranks", error));
        done += part;
    }
    return ww_broadcast(parallel, values, count * sizeof *values, 0, error);
}
