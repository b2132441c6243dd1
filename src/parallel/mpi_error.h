/// What MPI returns, as a status with a sentence.
#ifndef WIDTHWISE_PARALLEL_MPI_ERROR_H
#define WIDTHWISE_PARALLEL_MPI_ERROR_H

#include "widthwise/error.h"

/// WW_FAILED with what MPI says of `code`, where it is not MPI_SUCCESS. `what` begins the sentence.
ww_status ww_mpi_status(int code, const char *what, ww_error *error);

#endif
