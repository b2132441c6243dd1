/// What one rank gathers during a survey, before anything is summed over ranks, and the room it
/// works in. Shared by the parts of the survey.
#ifndef WIDTHWISE_MEASURE_GATHERING_H
#define WIDTHWISE_MEASURE_GATHERING_H

#include "measure/survey.h"
#include "train/output_sum.h"

typedef struct ww_gathering {
    const ww_problem *problem;
    ww_engine *engine;
    unsigned needs;
    bool needs_initial;     ///< W(0) has to be drawn again
    double *initial;        ///< [tile units, d]
    double *difference;     ///< [tile units], ||w_r(t) - w_r(0)||
    double *preactivations; ///< [tile units, block]
    double *early;          ///< [tile units, block], pre-activations at t = 0
    double *partial;        ///< [block, k], twice with pairs
    double *rows;           ///< [tile units, d], gradients
    uint8_t *active;        ///< [tile units, block]
    uint8_t *early_active;  ///< [tile units, block]
    uint8_t *unit_changed;  ///< [tile units]
    double *movement_terms; ///< [local tiles, 2]: squared movement, squared initial norm
    double row_movement;
    double *extras;         ///< [block, WW_TALLY_COLUMNS]
    double *initial_output; ///< [tile units, k], output weights at t = 0
    double *weight_terms;   ///< [local tiles, 2]: squared norm, alignment with the separator
    double least_ratio, largest_ratio; ///< of output weights to those at t = 0
} ww_gathering;

/// Room for what `self->needs` asks for; frees it. A failed creation is freed too. Not collective.
ww_status ww_gathering_create(ww_gathering *self, ww_error *error);
void ww_gathering_free(ww_gathering *self);
/// Bytes of that room. Pure.
int64_t ww_gathering_bytes(const ww_gathering *self);

/// Adds the outputs of one tile of units on all of `set` to `outputs`; with the bits of `wants` (in
/// the terms of the test set) also compares patterns with t = 0 and sums the pseudo network's
/// outputs.
void ww_gather_samples(ww_gathering *self, int64_t local_tile, const double *weights, int64_t units,
                       unsigned wants, const double *input_norms, ww_surveyed_samples *set,
                       ww_output_sum *outputs, ww_output_sum *pseudo);

/// Looks at the weights of one tile themselves: norm, alignment, and output weights beside those
/// at t = 0, as far as `self->needs` asks for them.
void ww_gather_weights(ww_gathering *self, int64_t local_tile, const double *weights,
                       int64_t units);
/// Sums that over ranks, into `survey`. Collective.
ww_status ww_survey_weights(const ww_gathering *self, ww_survey *survey, ww_error *error);

/// The part of the survey on the batch of the coming step: its loss, and true and pseudo gradients
/// of all units. Collective.
ww_status ww_survey_gradients(ww_gathering *self, ww_batches *batches, ww_survey *survey,
                              ww_error *error);
/// Adds the bytes it allocates, and the additions and multiplications of its products. Pure.
void ww_survey_gradients_cost(const ww_problem *problem, int64_t *bytes, double *flops);

#endif
