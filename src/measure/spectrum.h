/// Singular values of a tall matrix whose rows are divided over ranks.
///
/// They are accurate to 1e-14 of the largest one, which the Gram matrix (with errors of 1e-8) would
/// not give, and they have the same bits on any number of ranks: the matrix is cut into chunks of
/// whole tiles by global index, each is brought to triangular form by orthogonal transformations,
/// and the triangles are combined two by two along a binary tree over the chunks. The rank that
/// owns a chunk's first tile works on it.
///
/// Memory on a rank, beside the matrix: a chunk (about 2 d rows, or a tile if that is more), and d
/// rows or less for each level of the tree.
#ifndef WIDTHWISE_MEASURE_SPECTRUM_H
#define WIDTHWISE_MEASURE_SPECTRUM_H

#include "widthwise/error.h"
#include "widthwise/parallel.h"

#include <stdint.h>

/// Puts the rows of tile `tile` (global index, owned by this rank) into rows [tile units, d], by
/// rows. Called once for each tile of the rank, in any order. On failure: a sentence in `error`.
typedef ww_status (*ww_rows_function)(void *context, int64_t tile, double *rows, ww_error *error);

/// The min(m, d) singular values of the matrix [m, d] that `rows` gives, m = tiling->width (rows
/// distributed by tiles), into values [min(m, d)], falling, the same on all ranks. WW_FAILED with a
/// sentence when an entry is not finite, memory is short or `rows` fails: then on all ranks. BLAS
/// must be on one thread. Collective.
ww_status ww_singular_values(const ww_tiling *tiling, int64_t dimension, ww_rows_function rows,
                             void *context, const ww_parallel *parallel, double *values,
                             ww_error *error);

/// Bytes that ww_singular_values allocates on this rank, and about as many additions and
/// multiplications as it makes. `parallel` may be of ranks that are not there. WW_USAGE: too large
/// for LAPACK or MPI. Not collective.
ww_status ww_singular_values_cost(const ww_tiling *tiling, int64_t dimension,
                                  const ww_parallel *parallel, int64_t *bytes, double *flops,
                                  ww_error *error);

#endif
