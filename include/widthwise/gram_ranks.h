/// Ranks for the Gram matrix: the grid that they form, how many are needed and how many are of use,
/// and what the work takes on each.
///
/// H is n x n and lies over all ranks that work on a member, however few tiles its network has. So
/// its ranks are counted here, apart from those of training. Everything but ww_gram_grid_create is
/// pure: a plan can ask for any number of ranks. Of a `parallel` it then reads `rank` and `size`.
#ifndef WIDTHWISE_GRAM_RANKS_H
#define WIDTHWISE_GRAM_RANKS_H

#include "widthwise/gram.h"
#include "widthwise/gram_results.h"

/// The grid of ranks that gram.grid asks for, or else the one of ww_grid_shape; for ELPA, which
/// wants a block of the matrix on each rank, with sides no longer than there are blocks of
/// `samples` samples. WW_USAGE: gram.grid has more places than there are ranks. Collective. Free
/// with ww_grid_free.
ww_status ww_gram_grid_create(const ww_config *config, int64_t samples, const ww_parallel *parallel,
                              ww_grid *grid, ww_error *error);

/// That grid without BLACS. Where there are too few ranks for gram.grid, the one that would be
/// chosen stands for it. Not to be freed.
ww_grid ww_gram_grid_describe(const ww_config *config, int64_t samples,
                              const ww_parallel *parallel);

/// Whether `ranks` ranks can do all pieces of the work: gram.grid fits, ScaLAPACK's 32 bits count
/// what a rank has of each matrix and of the room to work in, and ELPA has a block for each rank.
/// WW_USAGE: one sentence names the piece that is too large, and the number of ranks that would do
/// for all of them.
ww_status ww_gram_limits(const ww_gram_plan *plan, const ww_config *config, int ranks,
                         ww_error *error);

/// The same of worst-case labels alone, which are computed before there is a file.
ww_status ww_gram_worst_case_limits(const ww_config *config, const ww_dataset *shape, int ranks,
                                    ww_error *error);

/// The least number of ranks that ww_gram_limits lets pass; 0: none does.
int ww_gram_least_ranks(const ww_gram_plan *plan, const ww_config *config);

/// Ranks that are of use: further ones would not make the work shorter. Assembly goes by chunks of
/// 256 x 256 samples, which take as long when they are not full, and solvers by blocks, so each
/// rank should have one of both; gram.grid sets the number itself.
int64_t ww_gram_most_ranks(const ww_gram_plan *plan, const ww_config *config);

/// What some work takes on a rank.
typedef struct ww_gram_cost {
    int64_t bytes; ///< allocated at one time, at most
    double flops;  ///< additions and multiplications
} ww_gram_cost;

/// Of all that is computed of H and H(0), snapshots not included.
ww_gram_cost ww_gram_work_cost(const ww_gram_plan *plan, const ww_config *config,
                               const ww_dataset *shape, const ww_parallel *parallel);

/// Of ww_gram_measure_network, once for each snapshot; the room that is there meanwhile included.
ww_gram_cost ww_gram_snapshot_cost(const ww_gram_plan *plan, const ww_config *config,
                                   const ww_dataset *shape, const ww_parallel *parallel);

/// Of ww_gram_worst_case.
ww_gram_cost ww_gram_worst_case_cost(const ww_config *config, const ww_dataset *shape,
                                     const ww_parallel *parallel);

#endif
