/// Gram matrices of samples: assembly in blocks, spectrum, and solves.
///
/// H is n x n for n samples, symmetric, and lies in blocks over a process grid (block_matrix.h): no
/// rank ever holds it whole. What makes it is a ww_gram_fill, so that the limit of infinite width
/// and the finite network go the same ways; and since a solver destroys what it works on, H is
/// filled anew to check what came out. All functions are collective over all ranks of the grid's
/// communicator, those without a place included, and return the same status on all.
///
/// Sizes: the spectrum takes 4 n^2 / ranks doubles on a rank with eigenvectors, solves without the
/// spectrum n^2 / ranks.
#ifndef WIDTHWISE_GRAM_H
#define WIDTHWISE_GRAM_H

#include "widthwise/block_matrix.h"
#include "widthwise/error.h"
#include "widthwise/kernel.h"
#include "widthwise/train.h"

#include <stdbool.h>
#include <stdint.h>

/// Lower triangle of `matrix` [n, n], diagonal included = H. The matrix may hold anything before;
/// what is above the diagonal holds anything after. Collective over the ranks of the matrix's grid.
typedef ww_status (*ww_gram_fill)(void *context, ww_block_matrix *matrix, ww_error *error);

/// H of the infinitely wide network (kernel.h). Entries are right to 1e-14 of the largest one.
typedef struct ww_gram_limit {
    const ww_kernel *kernel;
    const double *inputs; ///< [n, d] row-major, replicated or shared by ranks: it is only read
    int64_t count;        ///< n
    int64_t dimension;    ///< d
} ww_gram_limit;

/// A ww_gram_fill; `context` is a const ww_gram_limit. WW_USAGE: a matrix of another order than
/// `count`, inputs so large or so small that H has no doubles.
ww_status ww_gram_limit_fill(void *context, ww_block_matrix *matrix, ww_error *error);

/// Takes H away from the lower triangle of `matrix`, diagonal included. Otherwise the same.
ww_status ww_gram_limit_subtract(const ww_gram_limit *limit, ww_block_matrix *matrix,
                                 ww_error *error);

/// H(t) of the finite network with one output, Z'Z of Arora et al. section 3.4:
/// H_ij = x_i.x_j sum_r a_r^2 s'(w_r.x_i) s'(w_r.x_j) over the training samples, for output weights
/// all of one magnitude. The derivative s' is 1 for w.x >= 0 and the activation's slope elsewhere.
/// Which side a sample is on is found by the very products that training makes of it, and units are
/// counted as integers: for one block size, H(t) has the same bits on any number of ranks.
typedef struct ww_gram_network {
    const ww_problem *problem; ///< samples, units over ranks; its communicator is that of the grid
    /// Hidden weights [tile units, d] of tile `tile` (global index, of this rank).
    const double *(*tile)(void *context, int64_t tile);
    void *tile_context;
    double output_square; ///< a_r^2, the same for all units (1 / m for signs over sqrt m)
} ww_gram_network;

/// A ww_gram_fill; `context` is a const ww_gram_network.
ww_status ww_gram_network_fill(void *context, ww_block_matrix *matrix, ww_error *error);

/// Bytes that a fill allocates on this rank of a grid (made or described), and additions and
/// multiplications that it makes there (of bits counted: one for 64). Pure.
void ww_gram_limit_cost(const ww_gram_limit *limit, const ww_grid *grid, int64_t *bytes,
                        double *flops);
void ww_gram_network_cost(int64_t samples, int64_t dimension, int64_t width, const ww_grid *grid,
                          int64_t *bytes, double *flops);

/// Whether a solver was built in.
bool ww_eigensolver_available(ww_eigensolver solver);

/// Eigenvalues and eigenvectors of H.
typedef struct ww_spectrum {
    int64_t order;  ///< n
    double *values; ///< [n], lambda_0 >= lambda_1 >= ..., replicated
    bool has_vectors;
    ww_block_matrix vectors; ///< [n, n]; column n - 1 - j belongs to values[j]: rising order. Each
                             ///< has norm 1 and an arbitrary sign
    double residual;         ///< max_j ||H v_j - lambda_j v_j||_2; NaN without vectors
    double orthogonality;    ///< largest entry of V'V - I in magnitude; NaN without vectors
    double fill_seconds, solve_seconds, check_seconds; ///< of the slowest rank
} ww_spectrum;

/// All eigenvalues of the H of order n = `order` that `fill` makes, and the eigenvectors if wanted:
/// then H is filled anew and all pairs are checked. `block` is the size of the matrix's blocks
/// (WW_BLOCK). WW_USAGE: the solver is not built in, or needs more entries on a rank than it can
/// count; the sentence names the number of ranks that would do. WW_FAILED: memory is short, or the
/// solver does not converge. `grid` must live as long as the spectrum. Collective.
ww_status ww_spectrum_compute(ww_gram_fill fill, void *context, const ww_grid *grid, int64_t order,
                              int64_t block, ww_eigensolver solver, bool with_vectors,
                              ww_spectrum *spectrum, ww_error *error);
void ww_spectrum_free(ww_spectrum *spectrum);

/// Bytes that ww_spectrum_compute allocates on this rank of a grid (made or described; the fill's
/// own not included), and additions and multiplications that it makes there. Pure.
void ww_spectrum_cost(int64_t order, int64_t block, ww_eigensolver solver, bool with_vectors,
                      const ww_grid *grid, int64_t *bytes, double *flops);

/// out [n, c] = V' Y for Y [n, c], row-major and replicated both: out[j] is v_j . Y, in the order
/// of the values. Collective.
ww_status ww_spectrum_project(const ww_spectrum *spectrum, const double *y, int64_t columns,
                              double *out, ww_error *error);

/// out [n, c] = V C for C [n, c], row j of C being the coefficients of v_j. Collective.
ww_status ww_spectrum_combine(const ww_spectrum *spectrum, const double *coefficients,
                              int64_t columns, double *out, ww_error *error);

/// Eigenvectors as slabs of rows, to be written to a file: rank `rank` of `ranks` has rows
/// *first .. *first + *count - 1 of [n, n] row-major, row j being v_j. Pure.
void ww_spectrum_slab(int64_t order, int rank, int ranks, int64_t *first, int64_t *count);

/// Copies the eigenvectors into `slab` [count, n] of this rank. Collective over all ranks.
ww_status ww_spectrum_to_slab(const ww_spectrum *spectrum, double *slab, ww_error *error);

/// Makes a spectrum from `values` [n] (falling, replicated) and slabs as above, for instance as
/// read from a file written by another number of ranks. `slab` is reordered meanwhile, and is as
/// before afterwards. Residual and orthogonality are NaN. Collective.
ww_status ww_spectrum_from_slab(const ww_grid *grid, int64_t order, int64_t block,
                                const double *values, double *slab, ww_spectrum *spectrum,
                                ww_error *error);

/// What can be had of H without its spectrum. Everything is replicated.
typedef struct ww_gram_solution {
    int64_t order;            ///< n
    int64_t columns;          ///< c
    bool positive_definite;   ///< not singular, as descent.h has it
    double shift;             ///< what was added to the diagonal before factoring, or 0
    double *solutions;        ///< [n, c] row-major, (H + shift I)^-1 Y
    double *quadratic_forms;  ///< [c], y' H^-1 y; where H is singular y' H^+ y for labels in its
                              ///< range, and +infinity for others (descent.h)
    double *residuals;        ///< [c], ||H x - y|| / ||y|| with the true H; 0 for y = 0
    double greatest;          ///< lambda_max
    double greatest_residual; ///< ||H v - lambda_max v||_2
    double least;             ///< lambda_min, v'Hv
    double *least_vector;     ///< [n], unit eigenvector of lambda_min, its largest entry positive
    double least_residual;    ///< ||H v - lambda_min v||_2
    double fill_seconds, factor_seconds, solve_seconds, check_seconds; ///< of the slowest rank
} ww_gram_solution;

/// Solves H x = y for each column of Y [n, c] (row-major, replicated; c may be 0) by Cholesky's
/// factorisation, and finds both ends of the spectrum by Lanczos' method, the lower one on H^-1. A
/// matrix that is not positive definite (samples that coincide) is factored with the least shift s
/// that makes it so, starting at n u lambda_max, and that is said in the result. Such a shift
/// changes the form of labels in the range of H by about s x'x, which is added back, and makes
/// something of size p^2 / s out of a part p outside: so a form of which s x'x is more than
/// WW_RANGE_SHARE is infinite. Then H is filled anew for the residuals. `block`: WW_SOLVE_BLOCK.
/// Errors as of ww_spectrum_compute. Collective.
ww_status ww_gram_solve(ww_gram_fill fill, void *context, const ww_grid *grid, int64_t order,
                        int64_t block, const double *y, int64_t columns, ww_gram_solution *solution,
                        ww_error *error);
void ww_gram_solution_free(ww_gram_solution *solution);

/// Size of the blocks at which Cholesky's factorisation is fastest here.
enum { WW_SOLVE_BLOCK = 64 };

/// Bytes that ww_gram_solve allocates on this rank of a grid (made or described; the fill's own not
/// included), and additions and multiplications that it makes there. Pure.
void ww_gram_solve_cost(int64_t order, int64_t block, int64_t columns, const ww_grid *grid,
                        int64_t *bytes, double *flops);

#endif
