/// The quantities of a record, and the results of the end, as the registry sees them.
#ifndef WIDTHWISE_MEASURE_QUANTITIES_H
#define WIDTHWISE_MEASURE_QUANTITIES_H

#include "measure/survey.h"
#include "widthwise/field.h"
#include "widthwise/train.h"

/// Where a stop rule on a quantity fires.
typedef enum ww_direction {
    WW_RISES = 1, ///< once it is at or above the threshold
    WW_FALLS = -1 ///< once it is at or below
} ww_direction;

/// Cumulative values that go from record to record, and through checkpoints.
typedef enum ww_carry {
    WW_CARRY_V_MAX_SQUARES, ///< sum over records of v_max^2
    WW_CARRY_V_MAX_RECORDS, ///< records in that sum
    WW_CARRY_TARGET_STEP,   ///< first recorded step at the target accuracy, NaN before
    WW_CARRY_TARGET_DISTANCE,
    WW_CARRY_FIRST_OPTIONAL, ///< those from here on only where `contraction` is measured
    WW_CARRY_CONTRACTION_LOSS = WW_CARRY_FIRST_OPTIONAL, ///< train loss at the last record
    WW_CARRY_CONTRACTION_STEP,                           ///< its step, NaN before the first
    WW_CARRY_COUNT
} ww_carry;

/// Stands for the unit of the configuration's loss in the units of a field.
#define WW_LOSS_UNITS "unit of the loss"

/// Extents of fields that follow from the problem.
enum {
    WW_EXTENT_SINGULAR = -1, ///< min(m, d)
    WW_EXTENT_TRAIN = -2,    ///< train samples
    WW_EXTENT_TEST = -3,     ///< test samples
    WW_EXTENT_OUTPUTS = -4,  ///< k; the axis is left out where k is 1
    WW_EXTENT_LAYERS = -5    ///< L
};

/// One quantity of a record: a number, or an array, which `all` leaves out.
typedef struct ww_quantity {
    ww_field field;
    const char *formula;
    unsigned needs; ///< WW_NEED_*
    ww_direction direction;
    /// The value at this survey. `carry` [WW_CARRY_COUNT] may be read and brought forward. NULL for
    /// an array.
    double (*value)(const ww_survey *survey, double *carry);
    /// The values of an array.
    void (*fill)(const ww_survey *survey, double *values);
    bool needs_targets;   ///< a loss with targets
    bool needs_classes;   ///< samples with classes
    bool needs_hinge;     ///< the hinge loss
    bool is_of_margins;   ///< `all` has it with the hinge loss only
    bool may_lack;        ///< NaN or infinite where there is nothing to tell: no divergence
    bool of_one_layer;    ///< has no meaning for several hidden layers
    bool needs_layers;    ///< the engine `layers`
    bool needs_descent;   ///< gradient descent on the whole train set, of hidden weights alone
    const char *requires; ///< a quantity that is measured with it, later in the registry; or NULL
} ww_quantity;

/// Families of quantities, one file each; ended by an entry without a name.
extern const ww_quantity ww_quantities_outputs[];
extern const ww_quantity ww_quantities_coupling[];
extern const ww_quantity ww_quantities_movement[];
extern const ww_quantity ww_quantities_gradient[];
extern const ww_quantity ww_quantities_layers[];
extern const ww_quantity ww_quantities_residual[];
extern const ww_quantity ww_quantities_margin[];

enum { WW_RESULT_FIELDS = 8 };

/// One result of the end, of one or several fields.
typedef struct ww_result {
    const char *name; ///< as in measure.final
    const char *description;
    const char *const
        *requires; ///< quantities that must be measured for it, ended by NULL; or NULL
    size_t field_count;
    ww_field fields[WW_RESULT_FIELDS]; ///< WW_EXTENT_SINGULAR alone
    bool of_one_layer;                 ///< has no meaning for several hidden layers
    bool of_layers;                    ///< `all` has it with the engine `layers` only
    bool needs_gaussian;               ///< hidden weights that are drawn from a normal distribution
    bool of_all_inputs; ///< a rank looks at train inputs of other groups (ww_sample_grid) too
    /// Bytes it allocates and additions and multiplications it makes on this rank; NULL: next to
    /// none. Not collective.
    ww_status (*cost)(const ww_problem *problem, int64_t *bytes, double *flops, ww_error *error);
    /// Values of all fields one after the other. Collective.
    ww_status (*compute)(const ww_problem *problem, ww_engine *engine, const double *carry,
                         double *values, ww_error *error);
} ww_result;

extern const ww_result ww_results[];
extern const size_t ww_result_count;

/// A scalar field of pure number or `units`.
#define WW_SCALAR_FIELD(name_, units_, source_, description_)                                      \
    {                                                                                              \
        .name = (name_), .description = (description_), .units = (units_), .source = (source_),    \
        .rank = 0                                                                                  \
    }

#endif
