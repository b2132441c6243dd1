/// Process grids, and matrices that lie on them in blocks, as ScaLAPACK wants them.
///
/// Ranks form a grid of `rows` x `columns`. A matrix is cut into square blocks of `block` rows and
/// columns; block (I, J) lies on the rank at (I mod rows, J mod columns) of the grid. What a rank
/// has is one local matrix, stored by columns. Ranks that the grid has no place for hold nothing,
/// but take part in every collective call.
///
/// ScaLAPACK counts in 32 bits: a local matrix of 2^31 entries or more is refused with the number
/// of ranks that would do.
#ifndef WIDTHWISE_BLOCK_MATRIX_H
#define WIDTHWISE_BLOCK_MATRIX_H

#include "widthwise/error.h"
#include "widthwise/parallel.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct ww_grid {
    ww_parallel parallel; ///< all ranks, those without a place included; borrowed
    int context;          ///< of BLACS; -1 on a rank without a place
    int system;           ///< BLACS's handle of the communicator
    int rows, columns;
    int row, column; ///< place of this rank; -1 without one
} ww_grid;

/// The shape that ww_grid_create chooses for so many ranks: rows <= columns <= 4 rows, as many
/// ranks as possible, the most square of such grids. Pure.
void ww_grid_shape(int ranks, int *rows, int *columns);

/// The same with sides of at most `longest` ranks. Pure.
void ww_grid_shape_within(int ranks, int64_t longest, int *rows, int *columns);

/// The grid that ww_grid_create would make, with the place of this rank of `parallel` on it but
/// without BLACS: to tell what lies where. Not to be freed, nor worked on. Pure.
ww_grid ww_grid_describe(const ww_parallel *parallel, int rows, int columns);

/// Makes a grid of `rows` x `columns` ranks of `parallel`, or of the shape above for 0, 0. Ranks
/// have places row by row, the last ones none. Several grids may exist, on any communicators.
/// `parallel` must live as long as the grid. WW_USAGE: fewer ranks than places. Collective.
ww_status ww_grid_create(const ww_parallel *parallel, int rows, int columns, ww_grid *grid,
                         ww_error *error);

/// Collective. A grid of zeroes, or one that could not be made, may be freed as well.
void ww_grid_free(ww_grid *grid);

/// Whether this rank has a place.
bool ww_grid_has_place(const ww_grid *grid);

/// Size of the blocks unless there is a reason for another.
enum { WW_BLOCK = 32 };

typedef struct ww_block_matrix {
    const ww_grid *grid;   ///< borrowed
    int64_t rows, columns; ///< of the whole matrix
    int64_t block;
    int64_t local_rows, local_columns; ///< of this rank; 0 without a place
    int64_t leading;                   ///< max(1, local_rows), from one column to the next
    double *entries;                   ///< [local_columns, leading]: entry (i, j) of the local
                                       ///< matrix is entries[j * leading + i]
    int descriptor[9];                 ///< of ScaLAPACK
} ww_block_matrix;

/// Shape of the part of this rank, without entries. WW_USAGE: a local matrix with more entries than
/// ScaLAPACK counts (on any rank: the same answer on all). Not collective.
ww_status ww_block_matrix_describe(const ww_grid *grid, int64_t rows, int64_t columns,
                                   int64_t block, ww_block_matrix *matrix, ww_error *error);

/// A matrix of zeroes. Errors as above, and WW_FAILED: memory is short. Collective.
ww_status ww_block_matrix_create(const ww_grid *grid, int64_t rows, int64_t columns, int64_t block,
                                 ww_block_matrix *matrix, ww_error *error);
void ww_block_matrix_free(ww_block_matrix *matrix);

/// Rows (or columns) of `count` that lie at place `place` of `places` along one side of a grid.
/// Pure.
int64_t ww_block_share(int64_t count, int64_t block, int place, int places);

/// Entries of a matrix [rows, columns] that lie on this rank. Pure.
int64_t ww_block_entries(const ww_grid *grid, int64_t rows, int64_t columns, int64_t block);

/// Global index of local row or column, and back. The way back holds for those of this rank alone;
/// ww_block_owns_row / _column tell which. Pure.
int64_t ww_block_global_row(const ww_block_matrix *matrix, int64_t local_row);
int64_t ww_block_global_column(const ww_block_matrix *matrix, int64_t local_column);
int64_t ww_block_local_row(const ww_block_matrix *matrix, int64_t row);
int64_t ww_block_local_column(const ww_block_matrix *matrix, int64_t column);
bool ww_block_owns_row(const ww_block_matrix *matrix, int64_t row);
bool ww_block_owns_column(const ww_block_matrix *matrix, int64_t column);

/// First local row (column) whose global index is at least `row` (`column`). Pure.
int64_t ww_block_local_row_from(const ww_block_matrix *matrix, int64_t row);
int64_t ww_block_local_column_from(const ww_block_matrix *matrix, int64_t column);

/// out [n, c] = S x for the symmetric S whose lower triangle is in `matrix` [n, n]; what is above
/// the diagonal is not read. x [n, c] row-major, both replicated; out has the same bits on all
/// ranks. n c doubles are allocated twice. Collective.
ww_status ww_block_symmetric_apply(const ww_block_matrix *matrix, const double *x, int64_t columns,
                                   double *out, ww_error *error);

/// Norms of the symmetric matrix whose lower triangle is given.
typedef struct ww_symmetric_norms {
    double frobenius;
    double spectral; ///< largest eigenvalue in magnitude
    double residual; ///< of its eigenvector: the eigenvalue is off by at most this
} ww_symmetric_norms;

/// Frobenius norm, and spectral norm by Lanczos' method, to 1e-10 of it or better. WW_FAILED:
/// entries are not finite. Collective.
ww_status ww_gram_norms(const ww_block_matrix *matrix, ww_symmetric_norms *norms, ww_error *error);

#endif
