/// What the steps have done (ww_tally), kept by every engine in the same way.
///
/// Whether a step changes a weight takes more than its outputs: a sample below its margin changes
/// none where no unit is active on it. So two numbers of each sample are summed over units beside
/// the outputs: openness, the sum of |v_r| s'(<w_r, x>), and movers, the number of units that a
/// gradient by this sample's output would move.
#ifndef WIDTHWISE_TRAIN_TALLY_H
#define WIDTHWISE_TRAIN_TALLY_H

#include "widthwise/train.h"

enum { WW_TALLY_OPENNESS, WW_TALLY_MOVERS, WW_TALLY_COLUMNS };

/// Numbers of a sample that are summed beside its outputs: 0 without a tally. Pure.
int64_t ww_tally_extras(const ww_problem *problem);

/// A tally of no step; NULL, and WW_OK, where the loss has none. Free with ww_tally_free.
ww_status ww_tally_create(const ww_problem *problem, ww_tally **tally, ww_error *error);
void ww_tally_free(ww_tally *tally);
/// Bytes that it takes. Pure.
int64_t ww_tally_bytes(const ww_problem *problem);

/// Activations of one tile on some samples; unit r on sample i stands at r * unit_stride + i *
/// sample_stride of both arrays.
typedef struct ww_tile_activations {
    const double *values;
    const uint8_t *active;
    int64_t units, samples;
    int64_t unit_stride, sample_stride;
} ww_tile_activations;

/// One tile's part of both numbers, into extras [samples, WW_TALLY_COLUMNS]. `output_weights`
/// [units]: there is one output. Pure.
void ww_tally_extras_of(const ww_problem *problem, const ww_tile_activations *tile,
                        const double *output_weights, double *extras);

/// Whether train sample `sample` with derivative `gradient` of its loss by its output, and these
/// extras, changes a weight. Pure.
bool ww_tally_moves(const ww_problem *problem, int64_t sample, double gradient,
                    const double *extras);

/// Takes down step `step` on train samples `indices` [B], with gradients [B] and extras of the
/// batch. Returns whether it changes a weight.
bool ww_tally_step(ww_tally *tally, const ww_problem *problem, int64_t step, const int64_t *indices,
                   const double *gradients, const double *extras);

/// As ww_engine_carry_words, ww_engine_carry_save and ww_engine_carry_load; 0 words without a
/// tally.
size_t ww_tally_words(const ww_problem *problem);
void ww_tally_save(const ww_tally *tally, const ww_problem *problem, double *words);
void ww_tally_load(ww_tally *tally, const ww_problem *problem, const double *words);

#endif
