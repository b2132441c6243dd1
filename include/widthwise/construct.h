/// Weights that are built, not drawn: theorems of Brutzkus et al. 2018 (BR) that say "there are
/// weights such that" as weights. Networks have one output N(x) = sum_r v_r s(<w_r, x>) whose
/// output weights are +v in the first half of the units and -v in the second; the rows w_r are
/// built.
///
/// Everything is built on rank 0, from samples and seed alone: the same bits on any number of ranks
/// and after a restart.
#ifndef WIDTHWISE_CONSTRUCT_H
#define WIDTHWISE_CONSTRUCT_H

#include "widthwise/config.h"
#include "widthwise/data.h"
#include "widthwise/error.h"
#include "widthwise/parallel.h"

#include <stdbool.h>
#include <stdint.h>

/// What was built, and what is known of it. Starts as zeroes.
typedef struct ww_construction {
    int64_t dimension; ///< d
    int64_t rows;      ///< built for each half of the units
    bool repeats;      ///< all units of a half have its first row; else those beyond `rows` zeroes
    double *positive;  ///< [rows, d], rows of units with +v; the same on all ranks
    double *negative;  ///< [rows, d], with -v
    int64_t least_width; ///< units that it takes
    int64_t samples;     ///< that have their label: all of a fit, of a local minimum the active
    int64_t silent;      ///< train samples on which no unit is active; of a fit 0
    int64_t attempts;    ///< groupings of the samples, or directions, that were drawn
    double deviation;    ///< of a fit the largest |N(x) - y|; else NaN
    double least_margin; ///< the smallest y N(x) of those `samples`; infinite without one
} ww_construction;

/// Whether network.start asks for weights that are built.
bool ww_is_built(const ww_config *config);

/// Units that the construction of network.start takes on these data, an even number.
///
///   fit: for n samples in general position that span r dimensions 4 ceil(n / (r - 1)), or 4 where
///   they are independent (n = r). BR theorem 7 says 2 k = 4 ceil(n / (2 d - 2)) units, by way of
///   networks with a bias; without one it is twice as many here (fit.c has the derivation). Samples
///   on one line through 0 with the same label count once. bad-fit: the same of train and test
///   samples. local-minimum: 2.
///
///   Directions in which samples, as unit vectors, vary by less than 1e-5 of the most are left out
///   of r. More units than that are made use of where the fewest lie too badly (images do).
///
/// WW_USAGE: what is wrong with the samples, as below. Collective; rank 0 works.
ww_status ww_construct_width(const ww_config *config, const ww_dataset *data,
                             const ww_parallel *parallel, int64_t *width, ww_error *error);

/// WW_USAGE where the configuration has fewer units than that. Pure.
ww_status ww_construct_check_width(const ww_config *config, int64_t least, ww_error *error);

/// Builds.
///
///   fit (BR theorem 7): N(x) = y on every train sample, y = +1 for class 0 and -1 for class 1 as
///   trained on. With the hinge loss rows are then raised by the bound of all rounding errors, so
///   that no margin is below 1 in whatever order sums are made: the loss is exactly 0.
///   bad-fit (BR section 6.2): the same, and N(x) = -y on every test sample.
///   local-minimum (BR theorem 8): a spurious one of the ReLU loss: on half of the train samples or
///   more no unit is active, on the others margins are above 1.
///
/// WW_USAGE names samples that cannot be fitted (zero vectors; one direction and unlike labels), a
/// train set without separator, and a width that is too small, as ww_construct_width does;
/// WW_FAILED what shows only in building: samples that are not in general position, or too near to
/// a plane that is needed. Collective; rank 0 works. Free with ww_construction_free, also after a
/// failure.
ww_status ww_construct(const ww_config *config, const ww_dataset *data, const ww_parallel *parallel,
                       ww_construction *made, ww_error *error);
void ww_construction_free(ww_construction *made);

/// Rows of units first_unit .. first_unit + units - 1 of `width`, into out [units, d]. Pure.
void ww_construction_rows(const ww_construction *made, int64_t width, int64_t first_unit,
                          int64_t units, double *out);

/// Bytes that building allocates on a rank, for samples of that shape in general position. Pure.
int64_t ww_construct_bytes(const ww_config *config, const ww_dataset *shape, int rank);

#endif
