/// What some samples do to all units by their patterns, a_r sum_j s'_rj v_j x_j with values v [n]
/// and vectors x_j, rows of K or inputs: by tables of patterns, where output weights are not
/// weighed (lazy_pairs.h). With s' = slope + (1 - slope) s it is made of blocks of samples, whose
/// vectors are taken times (1 - slope) v_j; and of the sum of all times slope.
#ifndef WIDTHWISE_TRAIN_LAZY_SUMS_H
#define WIDTHWISE_TRAIN_LAZY_SUMS_H

#include "train/lazy_pairs.h"
#include "train/panel_inputs.h"

typedef struct ww_lazy_sums {
    const ww_lazy_pairs *pairs;
    const double *vectors; ///< [n, columns]
    int64_t columns;
    double *room;            ///< [block, columns], a block of WW_SAMPLE_BLOCK samples at most
    ww_panel_inputs *inputs; ///< what is taken, in one precision or the other
    const void *scales;      ///< a [local units], in that precision
} ww_lazy_sums;

/// Takes the block of samples that begins with `first`; or what all do to units of a leaky
/// activation.
void ww_lazy_take_block(const ww_lazy_sums *sums, const double *values, int64_t first);
void ww_lazy_take_all(const ww_lazy_sums *sums, const double *values);

/// Adds to rows [units, columns] of a tile what has been taken: `tables` is of
/// WW_PATTERN_ROOM_BYTES, a thread's own.
void ww_lazy_add_block(const ww_lazy_sums *sums, ww_rows tile, int64_t first, void *rows,
                       void *tables);
void ww_lazy_add_all(const ww_lazy_sums *sums, ww_rows tile, void *rows);

#endif
