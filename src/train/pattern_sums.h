/// What the updates of full batches sum up to, where there is one output whose weights a_r stay:
/// the coefficient of sample j in unit r is a_r times the sum over steps of f_j s'(p_rj), with f_j
/// = -eta times the derivative of the loss by the output of j. As long as the pattern of a pair
/// stays, that is a_r (s'(p_rj) R_j + o_rj), with R_j the sum of all f_j so far: only o_rj of pairs
/// whose pattern changes is written to.
#ifndef WIDTHWISE_TRAIN_PATTERN_SUMS_H
#define WIDTHWISE_TRAIN_PATTERN_SUMS_H

#include "train/activations.h"
#include "train/rows.h"

typedef struct ww_pattern_sums {
    const ww_problem *problem;
    const ww_activation_methods *methods;
    int64_t samples;       ///< n
    int64_t pattern_bytes; ///< of one unit
    double *totals;        ///< R [n]
    double *factors;       ///< f [n], of the pending update
    double *drawn;         ///< a [local units]
    void *scales;          ///< the same in the precision of training
    uint8_t *active;       ///< [local units, pattern_bytes], patterns that the offsets are for
    void *offsets;         ///< o, by tile [n, units]
} ww_pattern_sums;

/// Whether coefficients are summed like that. Pure.
bool ww_has_pattern_sums(const ww_problem *problem);

/// Sums of no step. Free with ww_pattern_sums_free, also after a failure. Not collective.
ww_status ww_pattern_sums_create(const ww_problem *problem, ww_pattern_sums *sums, ww_error *error);
void ww_pattern_sums_free(ww_pattern_sums *sums);
/// Bytes that it takes. Pure.
int64_t ww_pattern_sums_bytes(const ww_problem *problem);

/// There is a pending update, with derivatives of the loss by the outputs gradients [n]; and later,
/// all tiles have had it.
void ww_pattern_sums_take(ww_pattern_sums *sums, const double *gradients);
void ww_pattern_sums_moved(ww_pattern_sums *sums);

/// Patterns [units, count] of samples start .. start + count - 1 of a tile, a bit a sample,
/// `stride` bytes apart, are those of the update to come: once before it, or more often. `start` is
/// a multiple of 8.
void ww_pattern_sums_note(const ww_pattern_sums *sums, ww_rows tile, int64_t start, int64_t count,
                          const uint8_t *patterns, int64_t stride);

/// The offsets of a tile, and its patterns, are these, offsets [units, n]; R and f are 0 or set.
void ww_pattern_sums_put(const ww_pattern_sums *sums, ww_rows tile, const void *offsets,
                         const uint8_t *patterns, int64_t stride);
/// Offsets of a tile, into offsets [units, n].
void ww_pattern_sums_offsets(const ww_pattern_sums *sums, ww_rows tile, void *offsets);

/// The coefficients of a tile, into coefficients [units, n].
void ww_pattern_sums_coefficients(const ww_pattern_sums *sums, ww_rows tile, void *coefficients);

/// Adds to reach [units] what these are made of, in magnitude and times lengths [n], of each unit.
void ww_pattern_sums_reach(const ww_pattern_sums *sums, ww_rows tile, const double *lengths,
                           double *reach);

/// Adds |c_jr| lengths[j] of coefficients by sample c [n, units] to reach [units].
void ww_add_magnitudes(const ww_activation_methods *methods, const void *coefficients,
                       int64_t samples, int64_t units, const double *lengths, double *reach);

/// Scales of a tile [units].
const void *ww_pattern_sums_scales(const ww_pattern_sums *sums, ww_rows tile);

#endif
