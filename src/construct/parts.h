/// The parts of ww_construct, which work on rank 0 alone.
#ifndef WIDTHWISE_CONSTRUCT_PARTS_H
#define WIDTHWISE_CONSTRUCT_PARTS_H

#include "widthwise/construct.h"
#include "widthwise/network.h"
#include "widthwise/random.h"

/// Substreams of WW_DRAW_CONSTRUCTION: directions, and for attempt t > 0 of a fit a permutation in
/// WW_GROUPINGS + t. Substream 1 is that of neighbours (measure).
enum { WW_DIRECTIONS = 0, WW_GROUPINGS = 2 };

static inline ww_stream ww_construction_stream(const ww_config *config, uint32_t substream)
{
    return (ww_stream){.seed = (uint64_t)config->seeds.weights,
                       .purpose = WW_DRAW_CONSTRUCTION,
                       .substream = substream};
}

/// Samples with the sign that is wanted of each, and what is known of their directions.
typedef struct ww_wanted {
    const ww_config *config;
    const ww_dataset *data;
    int64_t dimension;
    int64_t train; ///< the first so many are train samples, the rest test samples
    int64_t count;
    double *norms; ///< [count]
    /// Those that count: of samples on one line through 0 the shortest. Networks that are built
    /// have the same output on x and -x, and twice as much on 2 x.
    int64_t *chosen; ///< [chosen_count], rising
    int64_t chosen_count;
    int64_t rank; ///< r, of the space that they span
    /// [r, d], orthogonal rows that span it, scaled so that the samples as unit vectors have the
    /// mean square 1 along each: what is drawn in these coordinates suits data of any spread.
    double *basis;
} ww_wanted;

/// Input of sample `i`, [d].
const double *ww_wanted_input(const ww_wanted *wanted, int64_t i);
/// +1 or -1: the label, and of test samples its opposite.
double ww_wanted_sign(const ww_wanted *wanted, int64_t i);
/// "train sample 7", for messages.
void ww_wanted_name(const ww_wanted *wanted, int64_t i, char *text, size_t size);

/// Collects the samples of `config`, finds out which lie on one line and what they span. WW_USAGE:
/// a zero vector, or unlike signs on one line. Free with ww_wanted_free, also after a failure.
ww_status ww_wanted_collect(const ww_config *config, const ww_dataset *data, ww_wanted *wanted,
                            ww_error *error);
void ww_wanted_free(ww_wanted *wanted);

/// Groups of samples that a fit takes at least.
int64_t ww_fit_groups(const ww_wanted *wanted);

/// The fit, into `made`. WW_FAILED: not in general position.
ww_status ww_fit_build(const ww_wanted *wanted, ww_construction *made, ww_error *error);

/// Whether the train set has a hyperplane that separates it; else WW_USAGE.
ww_status ww_local_minimum_check(const ww_dataset *data, ww_error *error);
/// The local minimum, likewise; one row a half. WW_FAILED: rounding would turn an inequality round.
ww_status ww_local_minimum_build(const ww_config *config, const ww_dataset *data,
                                 ww_construction *made, ww_error *error);

/// Rows [rows, d] of both halves, zeroes, in place of those that are there.
ww_status ww_construction_allocate(int64_t rows, int64_t dimension, ww_construction *made,
                                   ww_error *error);

/// N(x) of the rows as they are, every unit of a half having the same row where they repeat, in
/// extended precision; and `*bound`, which the error of computing it in double precision does not
/// exceed, in whatever order sums are made.
long double ww_construction_output(const ww_config *config, const ww_construction *made,
                                   const double *input, double *bound);

#endif
