/// What a step's gradient by each hidden layer, D_l X_{l-1}^T [m, columns], is known by: matrices
/// that are sums over all units, in one of two ways.
///
/// - By pairs of samples: A = D_l^T D_l and C = X_{l-1}^T X_{l-1}, [B, B]. The squared singular
///   values are the eigenvalues of A C, and the squared Frobenius norm is the sum of A_ij C_ij.
/// - By columns: the matrix multiplied with itself, [columns, columns], of which they are the
///   eigenvalues and the trace.
///
/// Each layer goes the way that costs less, which is a matter of the configuration alone and so the
/// same on any number of ranks. As many matrices as there is room for are summed in one Allreduce.
/// The ranges of their terms (column_sum.h) follow from what all ranks know already: the largest
/// derivative of each sample, and the inputs of each layer.
#ifndef WIDTHWISE_TRAIN_TRACK_SUMS_H
#define WIDTHWISE_TRAIN_TRACK_SUMS_H

#include "train/layered.h"

/// Whether layer `layer` goes by pairs. Pure.
bool ww_track_by_pairs(const ww_problem *problem, int64_t layer);

/// Room for all that. Not collective. Free with ww_track_sums_free.
typedef struct ww_track_sums ww_track_sums;
ww_status ww_track_sums_create(const ww_problem *problem, ww_track_sums **sums, ww_error *error);
void ww_track_sums_free(ww_track_sums *sums);
/// Bytes that it takes, and additions and multiplications of this rank in a step. Pure.
int64_t ww_track_sums_bytes(const ww_problem *problem);
double ww_track_sums_flops(const ww_problem *problem);
/// Largest order of a matrix. Pure.
int64_t ww_track_sums_order(const ww_problem *problem);

/// Is given each layer in turn: upper triangles of A and C, [order, order], the same on all ranks;
/// `c` is NULL by columns.
typedef ww_status (*ww_track_look)(void *context, int64_t layer, int64_t order, const double *a,
                                   const double *c, ww_error *error);

/// Finds the matrices of all layers, after the backward pass of all blocks of a batch. WW_DIVERGED:
/// an entry is not finite. Collective: `look` fails on all ranks or on none.
ww_status ww_track_sums_find(ww_track_sums *sums, ww_layered *network,
                             ww_layered_block *const *blocks, ww_track_look look, void *context,
                             ww_error *error);

#endif
