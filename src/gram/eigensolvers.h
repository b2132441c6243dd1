/// Eigensolvers behind one interface.
#ifndef WIDTHWISE_GRAM_EIGENSOLVERS_H
#define WIDTHWISE_GRAM_EIGENSOLVERS_H

#include "widthwise/gram.h"

#include <stdint.h>

/// Room for an eigensolver to work in, and afterwards for another matrix of the same shape.
typedef struct ww_eigen_work {
    double *work; ///< at least as many entries as the matrix has on this rank
    int work_size;
    int *integers;
    int integers_size;
} ww_eigen_work;

/// What there is of one solver.
typedef struct ww_eigensolver_functions {
    /// Sizes of the work, as integers of 64 bits, for the rank with the largest part of `matrix`.
    void (*sizes)(const ww_block_matrix *matrix, bool with_vectors, int64_t *work_size,
                  int64_t *integers_size);
    /// Eigenvalues, rising, into values [n]; eigenvectors as columns of `vectors` if not NULL.
    /// `matrix` holds the lower triangle and is destroyed. Collective over the ranks of its grid
    /// that have a place; `members` are those ranks alone.
    ww_status (*solve)(ww_block_matrix *matrix, double *values, ww_block_matrix *vectors,
                       const ww_eigen_work *work, MPI_Comm members, ww_error *error);
} ww_eigensolver_functions;

/// Functions of a solver, or NULL where it is not built in.
const ww_eigensolver_functions *ww_eigensolver_find(ww_eigensolver solver);

/// NULL where ELPA was not there when the program was built.
const ww_eigensolver_functions *ww_eigensolver_elpa(void);

#endif
