/// The plan that the registry makes of a configuration, and the registry itself, as the rest of
/// src/measure sees them.
#ifndef WIDTHWISE_MEASURE_PLAN_H
#define WIDTHWISE_MEASURE_PLAN_H

#include "measure/quantities.h"

enum { WW_MOST_QUANTITIES = 96, WW_MOST_FIELDS = 96 };

struct ww_measure_plan {
    size_t quantity_count;
    const ww_quantity *quantities[WW_MOST_QUANTITIES];
    ww_field trajectory[WW_MOST_QUANTITIES];
    int64_t position[WW_MOST_QUANTITIES]; ///< of its first value in a record
    int64_t values;                       ///< of a record
    size_t result_count;
    const ww_result *results[WW_MOST_FIELDS];
    size_t final_count;
    ww_field final[WW_MOST_FIELDS];
    unsigned needs;
    size_t carry_count;
    double accuracy_target;
};

/// All quantities, into [WW_MOST_QUANTITIES], in the order in which a record computes them; returns
/// their number.
size_t ww_all_quantities(const ww_quantity **quantities);

/// Whether it is an array, not a number.
bool ww_quantity_is_array(const ww_quantity *quantity);

#endif
