/// What a run measures: quantities along the trajectory, and results at its end.
///
/// One registry (src/measure/registry.c) names every quantity with its field, formula, what it
/// needs and its function. At a record one *survey* goes over the tiles once and gathers all that
/// the chosen quantities need: outputs, patterns now and at t = 0, movement, gradients on the
/// batch. W(0) is drawn again tile by tile, never kept. Everything a quantity sees is the same on
/// all ranks, which meet once for it, or twice where weights are looked at.
#ifndef WIDTHWISE_MEASURE_H
#define WIDTHWISE_MEASURE_H

#include "widthwise/config.h"
#include "widthwise/field.h"
#include "widthwise/train.h"

#include <stdbool.h>
#include <stdio.h>

/// The quantities and results that one configuration asks for.
typedef struct ww_measure_plan ww_measure_plan;

/// Checks the names in measure.quantities, measure.final and training.stop (WW_USAGE with the line
/// and the nearest known name; what cross entropy cannot have; arrays with too many axes for
/// replicas) and makes the plan. Units and extents follow from the configuration and the shape of
/// the data. Quantities that a stop rule or a result needs are added. Not collective.
ww_status ww_measure_plan_make(const ww_config *config, const ww_dataset *shape,
                               ww_measure_plan **plan, ww_error *error);
void ww_measure_plan_free(ww_measure_plan *plan);

/// Fields of the trajectory, in the order of the registry; all their arrays together have
/// ww_measure_values(plan) doubles.
const ww_field *ww_measure_trajectory(const ww_measure_plan *plan, size_t *count);
int64_t ww_measure_values(const ww_measure_plan *plan);
/// Fields of the results at the end; together ww_measure_final_values(plan) doubles.
const ww_field *ww_measure_final(const ww_measure_plan *plan, size_t *count);
int64_t ww_measure_final_values(const ww_measure_plan *plan);
/// Doubles that cumulative quantities carry from record to record, and their values at the start.
size_t ww_measure_carry_count(const ww_measure_plan *plan);
void ww_measure_carry_start(const ww_measure_plan *plan, double *carry);

/// What measuring keeps: of the network at t = 0 the patterns on the samples looked at, a bit a
/// pair, and where spectral norms are asked for a copy of W(0). With one hidden layer also the room
/// that records work in, and patterns only where they are few beside the weights (at most a fourth
/// of the memory of W in double precision for a set): others are made again at every record, from
/// weights that are drawn again. All records are the same with an origin and without.
typedef struct ww_origin ww_origin;
/// Made while the engine is still at t = 0: after its creation, before a checkpoint is read; for
/// this problem, engine and rank alone. NULL where nothing of it is asked for. Collective.
ww_status ww_origin_create(const ww_measure_plan *plan, const ww_problem *problem,
                           ww_engine *engine, ww_origin **origin, ww_error *error);
void ww_origin_free(ww_origin *origin);

/// Measures at the engine's current step. `values` [ww_measure_values], `carry` is brought forward.
/// `batches` gives the batch of the coming step, for quantities on the batch. WW_DIVERGED when an
/// output or the train loss is not finite. Collective.
ww_status ww_measure_record(const ww_measure_plan *plan, const ww_problem *problem,
                            const ww_origin *origin, ww_engine *engine, ww_batches *batches,
                            double *carry, double *values, ww_error *error);

/// What measuring needs on this rank beside data and engine.
typedef struct ww_measure_cost {
    int64_t origin_bytes; ///< of the origin, kept all the while
    int64_t record_bytes; ///< most that a record, or making the origin, has allocated at one time
    double record_flops;  ///< additions and multiplications of its matrix products
    int64_t final_bytes;  ///< the same of the results at the end
    double final_flops;
} ww_measure_cost;

/// The cost of ww_measure_record and ww_measure_finish. Needs the shape of the problem only; its
/// `parallel` may be one of ranks that are not there. WW_USAGE: too large for BLAS or MPI. Not
/// collective.
ww_status ww_measure_cost_of(const ww_measure_plan *plan, const ww_problem *problem,
                             ww_measure_cost *cost, ww_error *error);

/// Value of the scalar quantity `name` among `values`, NAN when it is not measured. Pure.
double ww_measure_value(const ww_measure_plan *plan, const double *values, const char *name);

/// The stop rule that `values` fulfil, or NULL. Pure.
const ww_stop_rule *ww_measure_stop(const ww_measure_plan *plan, const ww_config *config,
                                    const double *values);

/// Whether a value of the scalar quantity `name` is at the threshold of a stop rule or beyond it.
/// False for other names. Pure.
bool ww_measure_reaches(const char *name, double value, double threshold);

/// A quantity or result for which a rank looks at the inputs of samples of other groups
/// (ww_sample_grid) as well; NULL: there is none. Pure.
const char *ww_measure_of_all_inputs(const ww_measure_plan *plan);

/// Computes the results at the end. `values` [ww_measure_final_values]. Some take long: `before`
/// (may be NULL) is called on all ranks before each, and what it returns other than WW_OK ends the
/// work. Collective.
typedef ww_status (*ww_measure_pause)(void *context, ww_error *error);
ww_status ww_measure_finish(const ww_measure_plan *plan, const ww_problem *problem,
                            const ww_origin *origin, ww_engine *engine, const double *carry,
                            ww_measure_pause before, void *context, double *values,
                            ww_error *error);

/// Names, units, formulas and sources. For `list quantities` and `list results`.
void ww_measure_print_quantities(FILE *stream);
void ww_measure_print_results(FILE *stream);

#endif
