/// What a member will need: memory by purpose, work, bytes in the file. All of it is told by those
/// who allocate and work, so it is as true as they are.
#ifndef WIDTHWISE_APP_COST_H
#define WIDTHWISE_APP_COST_H

#include "app/member.h"
#include "widthwise/data.h"
#include "widthwise/store_cost.h"

#include <stdint.h>

/// Where a rank stands that works on a member.
typedef struct ww_member_place {
    int rank, ranks;   ///< of the crew
    int sample_groups; ///< wanted of the crew (ww_parallel)
    int64_t sharers;   ///< ranks of a node that share the inputs with each other
    int64_t
        divided_over; ///< where a node has the inputs of its groups alone: ranks on a node; else 0
    int all_ranks;    ///< of the job: all compute worst-case labels, before there are crews
    bool only_gram;   ///< of the member only the Gram matrix is wanted
} ww_member_place;

/// Of one rank; none has more than rank 0. Bytes but where said.
typedef struct ww_member_cost {
    ww_tiling tiling;
    ww_sample_grid grid;
    int64_t parts;           ///< that its steps can be divided in: further ranks idle
    int64_t data;            ///< data set, of its inputs the part of a rank
    int64_t inputs;          ///< those that stand once on a node
    int64_t sharers;         ///< ranks of a node that have them in common
    int64_t products;        ///< what the engine has once on a node besides
    int64_t product_sharers; ///< and for how many of its ranks
    int64_t weights;         ///< hidden and output weights, and those at t = 0 that are held
    int64_t start;           ///< most while those are built, before the engine is there
    int64_t loading; ///< most beside the data set while it is loaded, before anything else is there
    int64_t step;    ///< all else of the engine, the batches, and what is kept of t = 0
    int64_t record;  ///< most while a record is made
    int64_t results; ///< most while results and predictions are computed
    ww_store_cost store;
    double step_flops, record_flops, final_flops;
    double gram_flops; ///< of the Gram matrix, snapshots included
    int64_t labels;    ///< most while worst-case labels are computed, before anything else is there
    double labels_flops; ///< of that
    int64_t records;     ///< number
    int64_t checkpoints_by_step;
} ww_member_cost;

/// The cost of a member for a rank at that place, with as many threads as this one has. Work of a
/// member with replicas is that of one of them, on one rank. Where only the Gram matrix is wanted
/// there are no weights and no steps. Not collective.
ww_status ww_member_cost_of(const ww_app_member *member, const ww_member_place *place,
                            ww_member_cost *cost, ww_error *error);

/// How many ranks of a node share the inputs of a crew of `crew` of `ranks` ranks, `ranks_a_node`
/// of them on each node: where crews lie across nodes, the least that may be. Pure.
int64_t ww_crew_sharers(int64_t crew, int64_t ranks, int64_t ranks_a_node);

/// A rank's part of `products`. Pure.
int64_t ww_member_products_part(const ww_member_cost *cost);

/// Most bytes at one time, without program and libraries: training with the largest of record,
/// results and writing, or before that loading of the data set, worst-case
/// labels, or building of weights.
int64_t ww_member_peak(const ww_member_cost *cost);

/// Additions and multiplications of the member's training on this rank: steps, records and results
/// but for the Gram matrix.
double ww_member_training_work(const ww_app_member *member, const ww_member_cost *cost);

/// Bytes in the file.
int64_t ww_member_file_bytes(const ww_member_cost *cost);

#endif
