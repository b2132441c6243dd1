/// What the engine `lazy` knows exactly: patterns of all pairs of a unit and a train sample, the
/// sums of updates, and with them any pre-activation at any step.
///
/// For output weights a_r that stay. With one output and a_r = +-c: with f =
/// -eta times the derivative of the loss by the outputs, R the sum of f over all steps so far, K =
/// X X^T and s' the derivative of the activation (1 where p >= 0, else the slope), a step moves
/// unit r by a_r sum_j s'_rj f_j x_j. So
///
///     p_ri = p_ri(0) + a_r (slope q_i + (1 - slope) sum_j K_ij (s_rj R_j + o_rj)),  q = K R,
///
/// with patterns s, and offsets o that are written to only where a pattern changes: they take up
/// what s_rj R_j jumps by. With several outputs, or output weights of several magnitudes
/// (`is_weighed`), each unit has its own sum g_rj = sum_k a_rk R_kj in place of a_r R_j, and its
/// offsets have a_r in them:
///
///     p_ri = p_ri(0) + slope sum_k a_rk q_ki + (1 - slope) sum_j K_ij (s_rj g_rj + o_rj).
///
/// Terms are added in an order that depends on the pair alone: the same
/// bits on any number of ranks, after any restart, and whichever other pairs are looked at.
#ifndef WIDTHWISE_TRAIN_LAZY_PAIRS_H
#define WIDTHWISE_TRAIN_LAZY_PAIRS_H

#include "train/lazy_offsets.h"
#include "train/rows.h"
#include "train/sample_products.h"

#include <math.h>

/// What every look at a unit reads besides its patterns: half a line of a cache.
typedef struct ww_lazy_unit {
    ww_lazy_list offsets;
    double factor; ///< what totals and offsets are to be multiplied by: a_r; 1 if it is weighed ...
    double length; ///< ... and then ||a_r||_2, else 1
} ww_lazy_unit;

typedef struct ww_lazy_pairs {
    const ww_problem *problem;
    int64_t samples;     ///< n
    int64_t outputs;     ///< k
    bool is_weighed;     ///< output weights are not all +-c of one output
    int64_t stride;      ///< n rounded up to whole words of patterns; numbers beyond n are 0
    int64_t words;       ///< of the patterns of a unit
    bool is_full;        ///< steps are full ones (lazy_full.h): offsets of all pairs are in `start`
    double *start;       ///< p(0) [local units, stride]
    uint64_t *patterns;  ///< [local units, words], a bit a sample
    ww_lazy_unit *units; ///< [local units]
    ww_lazy_offsets offsets; ///< the memory of those of all units
    double *scales;          ///< a [local units, k]
    const double *products;  ///< K [n, stride], of the problem
    double *totals;          ///< R [k, stride]
    double *weighed;         ///< K_ij R_j [threads, k, stride], of the sample i that each looks at
    double *wholes;          ///< and q_i [threads, k], or 0 where the slope is
    bool is_short;           ///< there was no memory for what was put (ww_lazy_put_unit)
} ww_lazy_pairs;

/// At the start. Free with ww_lazy_pairs_free, also after a failure. Not collective.
ww_status ww_lazy_pairs_create(const ww_problem *problem, ww_lazy_pairs *pairs, ww_error *error);
void ww_lazy_pairs_free(ww_lazy_pairs *pairs);
/// Bytes that it takes, but for offsets; and of these what takes the place of weights. Pure.
int64_t ww_lazy_pairs_bytes(const ww_problem *problem);
int64_t ww_lazy_pairs_weight_bytes(const ww_problem *problem);

/// Whether output weights are not all +-c of one output. Pure.
bool ww_lazy_is_weighed(const ww_problem *problem);

/// Whether each step is of all samples, in their order. Pure.
static inline bool ww_lazy_is_full_batch(const ww_problem *problem)
{
    return problem->config->training.method == WW_METHOD_GD;
}

/// What of totals [k, stride] is of a unit, on sample j: totals_j, of which a_r is not a part; or
/// where output weights are weighed sum_k a_rk totals_kj.
static inline double ww_lazy_total(const ww_lazy_pairs *pairs, const double *totals, int64_t unit,
                                   int64_t j)
{
    if (!pairs->is_weighed)
        return totals[j];
    double sum = 0.0;
    for (int64_t k = 0; k < pairs->outputs; k++)
        sum += pairs->scales[unit * pairs->outputs + k] * totals[k * pairs->stride + j];
    return sum;
}

static inline const uint64_t *ww_lazy_patterns(const ww_lazy_pairs *pairs, int64_t unit)
{
    return pairs->patterns + unit * pairs->words;
}

static inline bool ww_lazy_is_active(const ww_lazy_pairs *pairs, int64_t unit, int64_t sample)
{
    return ww_pattern_has(ww_lazy_patterns(pairs, unit), sample);
}

/// R += f, f [k, stride].
void ww_lazy_pairs_add(ww_lazy_pairs *pairs, const double *factors);

/// The length of what values [k, stride] have for sample j, over all outputs: |values_j| of one.
static inline double ww_lazy_length(const ww_lazy_pairs *pairs, const double *values, int64_t j)
{
    if (pairs->outputs == 1)
        return fabs(values[j]);
    double square = 0.0;
    for (int64_t k = 0; k < pairs->outputs; k++)
        square += values[k * pairs->stride + j] * values[k * pairs->stride + j];
    return sqrt(square) * (1.0 + 1e-12);
}

/// outputs [n, k] of samples indices [count], into chosen [count, k].
void ww_lazy_choose(const double *outputs, const int64_t *indices, int64_t count, int64_t k,
                    double *chosen);
/// factors [k, stride] += -eta gradients, gradients [B, k] of samples indices [B]: one may be there
/// twice.
void ww_lazy_add_factors(const ww_lazy_pairs *pairs, const int64_t *indices,
                         const double *gradients, double *factors);

/// Soon a pre-activation of this unit is asked for, or rather sooner: what it is made of is
/// fetched.
void ww_lazy_expect(const ww_lazy_pairs *pairs, int64_t unit);
void ww_lazy_expect_now(const ww_lazy_pairs *pairs, int64_t unit);

/// From now on a thread asks for pre-activations of this sample.
void ww_lazy_look_at(ww_lazy_pairs *pairs, int worker, int64_t sample);
/// p of the unit on that sample, with patterns and offsets as they are, `start` its p(0). Threads
/// may ask at once.
double ww_lazy_preactivation(const ww_lazy_pairs *pairs, int worker, int64_t unit, int64_t sample,
                             double start);

/// The pattern of a pair becomes the other one; whether it was not marked as new yet. WW_FAILED:
/// memory is short.
ww_status ww_lazy_change(ww_lazy_pairs *pairs, int64_t unit, int64_t sample, bool *is_first,
                         ww_error *error);

/// Whether all that was put is there. WW_FAILED: memory was short.
ww_status ww_lazy_pairs_check(const ww_lazy_pairs *pairs, ww_error *error);

/// Offsets of a unit [n], and then its patterns, `packed` bits a number: out of it; and back, of
/// all units, as they are while steps are full ones.
void ww_lazy_get_unit(const ww_lazy_pairs *pairs, int64_t unit, double *values, int packed);
void ww_lazy_put_unit(ww_lazy_pairs *pairs, int64_t unit, const double *values, int packed);

/// Full steps begin: the offsets of all pairs take the place of p(0); and they are over: p(0) is
/// made anew. WW_FAILED: memory is short.
void ww_lazy_spread_offsets(ww_lazy_pairs *pairs);
ww_status ww_lazy_gather_offsets(ww_lazy_pairs *pairs, ww_error *error);

/// While steps are full ones: patterns of a unit become these, active [n]; how many have changed.
int64_t ww_lazy_see(ww_lazy_pairs *pairs, int64_t unit, const uint8_t *active);

/// Coefficients of a tile, so that W = W(0) + C X: [units, n], into `coefficients`; totals [k,
/// stride] are R as it is, or as it was when patterns were looked at last.
void ww_lazy_coefficients(const ww_lazy_pairs *pairs, const double *totals, ww_rows tile,
                          double *coefficients);

/// What the terms of these come to in magnitude, weighed by lengths [n], into reach [units].
void ww_lazy_reach(const ww_lazy_pairs *pairs, const double *totals, ww_rows tile,
                   const double *lengths, double *reach);

#endif
