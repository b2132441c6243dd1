// A spurious local minimum of the ReLU loss (BR theorem 8 and section 9.3.1).
//
// With w* of y <w*, x> >= 1 and a direction w^ that has half of the samples or more on its negative
// side, all units of the first half have w = c w^ + w* and all of the second u = c w^ - w*, with c
// so large that c |<w^, x>| >= 2 |<w*, x>| on every sample. Where <w^, x> < 0 no unit is active:
// N(x) = 0, its loss is 1, and no weight has a part in it. Elsewhere all are: N(x) = 2 h v <w*, x>.
// Where that does not exceed 1 by enough both rows are made larger, so that the loss is 0 there. So
// the loss is that share of samples, 1/2 or more, and stays the same in a ball around the weights,
// since every inequality is strict. The paper takes c above ||w*|| / min |<w^, x>| for samples of
// norm 1 or less; this is the same for any norm. Of some directions the one is taken that needs the
// least c.

#include "construct/parts.h"

#include "widthwise/memory.h"

#include <math.h>
#include <stdlib.h>

enum { DIRECTIONS = 32 };

// What a margin is raised to where 1 is not exceeded by enough.
static const double MARGIN = 2.0;

static double product(const double *a, const double *b, int64_t count)
{
    double sum = 0.0;
    for (int64_t j = 0; j < count; j++)
        sum += a[j] * b[j];
    return sum;
}

// The c that a direction needs, and how many samples are on its negative side.
static double needed(const ww_dataset *data, const double *direction, int64_t *negative)
{
    const int64_t d = data->dimension;
    double most = 0.0;
    *negative = 0;
    for (int64_t i = 0; i < data->train.count; i++) {
        const double *input = data->train.inputs + i * d;
        const double place = product(direction, input, d);
        const double ratio = 2.0 * fabs(product(data->separator.weights, input, d)) / fabs(place);
        *negative += place < 0.0;
        if (!(ratio <= most))
            most = ratio;
    }
    return most;
}

// The best direction, with half of the samples or more on its negative side, times its c, into
// scaled [d].
static double choose_direction(const ww_config *config, const ww_dataset *data, double *drawn,
                               double *scaled)
{
    const int64_t d = data->dimension;
    double best = INFINITY;
    for (int64_t t = 0; t < DIRECTIONS; t++) {
        int64_t negative = 0;
        ww_normals(ww_construction_stream(config, WW_DIRECTIONS), (uint64_t)(t * d), (size_t)d,
                   drawn);
        const double factor = needed(data, drawn, &negative);
        if (!(factor < best))
            continue;
        best = factor;
        const double sign = 2 * negative >= data->train.count ? 1.0 : -1.0;
        for (int64_t j = 0; j < d; j++)
            scaled[j] = sign * factor * drawn[j];
    }
    return best;
}

static void put_rows(const ww_dataset *data, const double *scaled, double size,
                     ww_construction *made)
{
    for (int64_t j = 0; j < data->dimension; j++) {
        made->positive[j] = size * (scaled[j] + data->separator.weights[j]);
        made->negative[j] = size * (scaled[j] - data->separator.weights[j]);
    }
}

// Counts active and silent samples, and finds the least margin of the active ones. False where
// rounding could turn an inequality round.
static bool look(const ww_config *config, const ww_dataset *data, ww_construction *made)
{
    const int64_t d = data->dimension;
    made->samples = made->silent = 0;
    made->least_margin = INFINITY;
    bool holds = true;
    for (int64_t i = 0; i < data->train.count; i++) {
        const double *input = data->train.inputs + i * d;
        double bound = 0.0;
        const long double output = ww_construction_output(config, made, input, &bound);
        const double places[2] = {product(made->positive, input, d),
                                  product(made->negative, input, d)};
        // The bound is one of the whole output, of which a pre-activation is a part.
        const double share =
            bound / (ww_config_output_std(config, 1) * (double)config->network.width);
        if (places[0] < 0.0 && places[1] < 0.0) {
            holds = holds && -places[0] > 2.0 * share && -places[1] > 2.0 * share;
            made->silent++;
            continue;
        }
        const double margin = (double)output * ww_target_of_label(data->train.labels[i], 1, 0);
        holds = holds && places[0] > 2.0 * share && places[1] > 2.0 * share && margin - bound > 1.0;
        made->samples++;
        made->least_margin = fmin(made->least_margin, margin);
    }
    return holds && 2 * made->silent >= data->train.count;
}

static ww_status build(const ww_config *config, const ww_dataset *data, double *drawn,
                       double *scaled, ww_construction *made, ww_error *error)
{
    const double factor = choose_direction(config, data, drawn, scaled);
    made->attempts = DIRECTIONS;
    made->deviation = NAN;
    if (isfinite(factor)) {
        put_rows(data, scaled, 1.0, made);
        bool holds = look(config, data, made);
        if (made->samples > 0 && made->least_margin < MARGIN && made->least_margin > 0.0) {
            put_rows(data, scaled, MARGIN / made->least_margin, made);
            holds = look(config, data, made);
        }
        if (holds)
            return WW_OK;
    }
    return ww_fail(error, WW_FAILED,
                   "network.start: local-minimum found no direction among %d that leaves no train "
                   "sample too near to 0; choose another seed, or a train set with a larger margin",
                   DIRECTIONS);
}

ww_status ww_local_minimum_check(const ww_dataset *data, ww_error *error)
{
    if (!data->separator.sought)
        return ww_fail(error, WW_USAGE,
                       "network.start: local-minimum begins with a hyperplane that separates the "
                       "train set, which is looked for with loss: hinge; choose that loss");
    if (data->separator.weights == NULL)
        return ww_fail(error, WW_USAGE,
                       "network.start: local-minimum needs a train set that a hyperplane through 0 "
                       "separates, and none was found for this one; choose other data, such as "
                       "data.source: separable");
    return WW_OK;
}

ww_status ww_local_minimum_build(const ww_config *config, const ww_dataset *data,
                                 ww_construction *made, ww_error *error)
{
    const size_t d = (size_t)data->dimension;
    double *drawn = ww_allocate(d, sizeof *drawn, "a direction", error);
    double *scaled = ww_allocate(d, sizeof *scaled, "a direction", error);
    ww_status status = drawn != NULL && scaled != NULL ? WW_OK : WW_FAILED;
    if (status == WW_OK)
        status = build(config, data, drawn, scaled, made, error);
    free(drawn);
    free(scaled);
    return status;
}
