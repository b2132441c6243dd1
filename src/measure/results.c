// Results at the end of a run.

#include "measure/gradient_regions.h"
#include "measure/neighbourhood.h"
#include "measure/network_kernel.h"
#include "measure/quantities.h"
#include "measure/spectrum.h"
#include "widthwise/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct weight_rows {
    const ww_problem *problem;
    ww_engine *engine;
    bool update; // W(T) - W(0) instead of W(T)
} weight_rows;

static ww_status copy_rows(void *context, int64_t tile, double *rows, ww_error *error)
{
    (void)error;
    const weight_rows *self = context;
    const ww_problem *problem = self->problem;
    const int64_t units = ww_tile_size(&problem->tiling, tile);
    const int64_t count = units * problem->dimension;
    const double *weights = ww_engine_tile(self->engine, tile);
    if (!self->update) {
        memcpy(rows, weights, (size_t)count * sizeof *rows);
        return WW_OK;
    }
    ww_initial_hidden_weights(&problem->initial, tile * problem->tiling.tile_units, units, rows);
    for (int64_t i = 0; i < count; i++)
        rows[i] = weights[i] - rows[i];
    return WW_OK;
}

static ww_status spectrum(const ww_problem *problem, ww_engine *engine, bool update, double *values,
                          ww_error *error)
{
    weight_rows rows = {.problem = problem, .engine = engine, .update = update};
    return ww_singular_values(&problem->tiling, problem->dimension, copy_rows, &rows,
                              problem->parallel, values, error);
}

static ww_status spectrum_cost(const ww_problem *problem, int64_t *bytes, double *flops,
                               ww_error *error)
{
    return ww_singular_values_cost(&problem->tiling, problem->dimension, problem->parallel, bytes,
                                   flops, error);
}

// How many values stand out, and by what factor. A ratio between neighbours counts only above the
// accuracy of the values, 1e-14 of the largest: below there is rounding.
static void find_gap(const double *values, int64_t count, double *outliers, double *gap)
{
    const double floor = 1e-14 * values[0];
    *outliers = 0.0;
    *gap = 1.0;
    for (int64_t i = 0; i + 1 < count && values[i] > floor; i++) {
        const double ratio = values[i] / fmax(values[i + 1], floor);
        if (ratio > *gap) {
            *gap = ratio;
            *outliers = (double)(i + 1);
        }
    }
}

static ww_status update_spectrum(const ww_problem *problem, ww_engine *engine, const double *carry,
                                 double *values, ww_error *error)
{
    (void)carry;
    const int64_t count =
        problem->tiling.width < problem->dimension ? problem->tiling.width : problem->dimension;
    WW_TRY(spectrum(problem, engine, true, values, error));
    find_gap(values, count, &values[count], &values[count + 1]);
    return WW_OK;
}

static ww_status weight_spectrum(const ww_problem *problem, ww_engine *engine, const double *carry,
                                 double *values, ww_error *error)
{
    (void)carry;
    return spectrum(problem, engine, false, values, error);
}

static ww_status accuracy_target(const ww_problem *problem, ww_engine *engine, const double *carry,
                                 double *values, ww_error *error)
{
    (void)problem, (void)engine, (void)error;
    values[0] = carry[WW_CARRY_TARGET_STEP];
    values[1] = carry[WW_CARRY_TARGET_DISTANCE];
    return WW_OK;
}

static ww_status separation(const ww_problem *problem, ww_engine *engine, const double *carry,
                            double *values, ww_error *error)
{
    (void)engine, (void)carry;
    ww_separation measured;
    WW_TRY(ww_separation_measure(&problem->data->train, problem->dimension,
                                 problem->data->components, problem->parallel, &measured, error));
    values[0] = measured.delta;
    values[1] = measured.diameter;
    values[2] = measured.lambda;
    values[3] = measured.lambda_limit;
    values[4] = measured.nearest;
    return WW_OK;
}

static ww_status separation_cost(const ww_problem *problem, int64_t *bytes, double *flops,
                                 ww_error *error)
{
    (void)error;
    ww_separation_cost(problem->data->train.count, problem->dimension, problem->parallel->size,
                       bytes, flops);
    return WW_OK;
}

static const char *const accuracy_target_requires[] = {"test_accuracy", "distance", NULL};

const ww_result ww_results[] = {
    {.name = "update_spectrum",
     .description = "singular values of W(T) - W(0), how many stand out and by what factor",
     .field_count = 3,
     .fields = {{.name = "update_spectrum",
                 .description = "Singular values of W(T) - W(0), falling; axis: index.",
                 .units = "1",
                 .source = "LL section 7, figure 1d",
                 .rank = 1,
                 .extent = {WW_EXTENT_SINGULAR}},
                WW_SCALAR_FIELD("update_outliers", "1", "LL section 7, figure 1d",
                                "Singular values of the update before the largest ratio of two "
                                "neighbours; means little where update_gap is near 1."),
                WW_SCALAR_FIELD("update_gap", "1", "LL section 7, figure 1d",
                                "That largest ratio of two neighbouring singular values.")},
     .cost = spectrum_cost,
     .compute = update_spectrum,
     .of_one_layer = true},
    {.name = "weight_spectrum",
     .description = "singular values of W(T)",
     .field_count = 1,
     .fields = {{.name = "weight_spectrum",
                 .description = "Singular values of W(T), falling; axis: index.",
                 .units = "1",
                 .source = "LL section 7, figure 1d",
                 .rank = 1,
                 .extent = {WW_EXTENT_SINGULAR}}},
     .cost = spectrum_cost,
     .compute = weight_spectrum,
     .of_one_layer = true},
    {.name = "accuracy_target",
     .description = "steps to measure.accuracy_target on the test set, and the distance there",
     .requires = accuracy_target_requires,
     .field_count = 2,
     .fields = {WW_SCALAR_FIELD("steps_to_accuracy", "steps", "LL section D.1, figure 4",
                                "First recorded step at which test accuracy is at least "
                                "measure.accuracy_target; NaN when it never was."),
                WW_SCALAR_FIELD("distance_at_accuracy", "1", "LL section D.1, figure 5",
                                "Relative distance from the start at that step.")},
     .compute = accuracy_target},
    {.name = "separation",
     .description = "empirical separation of the train set (LL A1)",
     .field_count = 5,
     .fields = {WW_SCALAR_FIELD("separation_delta", "1", "LL assumption A1",
                                "Smallest distance between train samples of different classes."),
                WW_SCALAR_FIELD("separation_diameter", "1", "LL assumption A1",
                                "Largest distance between two train samples of one component."),
                WW_SCALAR_FIELD("separation_lambda", "1", "LL assumption A1",
                                "Diameter over delta."),
                WW_SCALAR_FIELD("separation_lambda_limit", "1", "LL assumption A1",
                                "1 / (8 l): assumption A1 holds where lambda is not above it."),
                WW_SCALAR_FIELD("separation_nearest", "1", "ZG assumption 3.2",
                                "Smallest distance phi between any two train samples.")},
     .cost = separation_cost,
     .compute = separation,
     .of_all_inputs = true},
    {.name = "neighbourhood",
     .description = "whether W(T) is a local minimum of the train loss: gradient, flat ball, and "
                    "100 points nearby",
     .field_count = 5,
     .fields = {WW_SCALAR_FIELD("gradient_norm", "1", "BR theorem 8",
                                "Frobenius norm of the derivative of the whole train loss by the "
                                "hidden weights at the end; exactly 0 where no sample has a part "
                                "in it."),
                WW_SCALAR_FIELD("flat_radius", "1", "BR section 9.3.1",
                                "Frobenius radius of a ball around W(T) in which provably no "
                                "activation pattern changes and, with the hinge loss, no margin "
                                "passes 1; 0 where none is known."),
                WW_SCALAR_FIELD("neighbours", "1", "BR section 9.3.1",
                                "Points nearby that were "
                                "tried."),
                WW_SCALAR_FIELD("neighbour_radius", "1", "BR section 9.3.1",
                                "Distances of these points are spread evenly up to it: "
                                "flat_radius, or where that is 0 1e-6 of the norm of W(T)."),
                WW_SCALAR_FIELD("neighbour_lowest", WW_LOSS_UNITS, "BR section 9.3.1",
                                "Smallest L(W') - L(W(T)) over these points, in random directions "
                                "and, where the gradient is not 0, one along it downwards; not "
                                "below 0 at a local minimum.")},
     .cost = ww_neighbourhood_cost,
     .compute = ww_neighbourhood,
     .of_one_layer = true,
     .of_all_inputs = true},
    {.name = "network_kernel",
     .description = "both ends of the spectrum of the network's own kernel at t = 0, and of its "
                    "limit at infinite width, with the step sizes that they allow",
     .field_count = WW_KERNEL_VALUES,
     .fields =
         {[WW_KERNEL_LEAST] = WW_SCALAR_FIELD(
              "network_kernel_least", "1", "ZG section 4.2; AR section 3.4",
              "Smallest eigenvalue of the kernel K of the network at t = 0, over train samples and "
              "outputs: products of their gradients by all hidden layers."),
          [WW_KERNEL_GREATEST] =
              WW_SCALAR_FIELD("network_kernel_greatest", "1", "ZG section 4.2; AR section 3.4",
                              "Largest eigenvalue of that kernel."),
          [WW_KERNEL_EDGE] = WW_SCALAR_FIELD(
              "network_kernel_edge", "1", "ZG theorem 3.3",
              "Largest stable step size by that eigenvalue, 2 n / lambda_max (2 / lambda_max where "
              "losses are sums), for the squared loss; other losses are flatter by their largest "
              "curvature."),
          [WW_KERNEL_RATE] = WW_SCALAR_FIELD("network_kernel_rate", "1", "ZG theorem 3.3",
                                             "Step size over that one: stable below 1."),
          [WW_KERNEL_LIMIT_LEAST] = WW_SCALAR_FIELD(
              "limit_kernel_least", "1", "ZG proposition 3.6",
              "Smallest eigenvalue of what K tends to as the width grows; NaN where hidden weights "
              "are not drawn alike in all directions."),
          [WW_KERNEL_LIMIT_GREATEST] = WW_SCALAR_FIELD(
              "limit_kernel_greatest", "1", "ZG proposition 3.6", "Its largest eigenvalue."),
          [WW_KERNEL_LIMIT_EDGE] =
              WW_SCALAR_FIELD("limit_kernel_edge", "1", "ZG theorem 3.3",
                              "Largest stable step size by that eigenvalue, as network_kernel_edge "
                              "has it.")},
     .cost = ww_network_kernel_cost,
     .compute = ww_network_kernel_result,
     .of_layers = true,
     .of_all_inputs = true},
    {.name = "gradient_regions",
     .description = "units of the last hidden layer at t = 0 whose gradient one train sample alone "
                    "decides",
     .field_count = WW_REGION_VALUES,
     .fields =
         {[WW_REGION_SEPARATION] = WW_SCALAR_FIELD(
              "region_separation", "1", "ZG section 4.1",
              "Smallest distance phi, up to the sign, between the directions z_i of two train "
              "samples in front of the last hidden layer; NaN, as all that follows from it, where "
              "no "
              "two have one."),
          [WW_REGION_WIDTH] =
              WW_SCALAR_FIELD("region_width", "1", "ZG section 4.1",
                              "g = sqrt(pi) phi / (8 n): the region of sample i has the units w, "
                              "scaled to variance 1, with |<w, z_i>| <= g and |<w, z_j>| >= 2 g "
                              "for all others."),
          [WW_REGION_SINGLE] = WW_SCALAR_FIELD("region_single", "1", "ZG figure 1(b)",
                                               "Mean over samples of the share of units in one "
                                               "region."),
          [WW_REGION_UNION] = WW_SCALAR_FIELD("region_union", "1", "ZG figure 1(a)",
                                              "Share of units in any region."),
          [WW_REGION_OVERLAP] = WW_SCALAR_FIELD("region_overlap", "units", "ZG section 4.1",
                                                "Units in more than one region: they are disjoint "
                                                "where it is 0."),
          [WW_REGION_GAIN] =
              WW_SCALAR_FIELD("region_gain", "1", "ZG section 4.1",
                              "Union over single region, n where regions are disjoint; NaN where "
                              "no unit is in any."),
          [WW_REGION_SHARE] = WW_SCALAR_FIELD(
              "region_gradient_share", "1", "ZG section 4.1",
              "Share that units in any region have in the squared gradient of the train loss by "
              "the last hidden layer.")},
     .cost = ww_gradient_regions_cost,
     .compute = ww_gradient_regions,
     .of_layers = true,
     .needs_gaussian = true,
     .of_all_inputs = true},
};
const size_t ww_result_count = sizeof ww_results / sizeof ww_results[0];
