/// Predictions come in families, one file each.
#ifndef WIDTHWISE_THEORY_FAMILIES_H
#define WIDTHWISE_THEORY_FAMILIES_H

#include "widthwise/theory.h"

#include <math.h>

typedef struct ww_theory_family {
    /// Fields of the family for this plan, at most those left of WW_THEORY_FIELDS; their number.
    size_t (*fields)(const ww_theory_plan *plan, ww_field *fields);
    /// Their values, one array after the other; returns what comes behind the last.
    double *(*compute)(const ww_theory_plan *plan, const ww_theory_inputs *inputs, double *values);
    const char *const *columns; ///< measured quantities that it looks at, ended by NULL; or NULL
} ww_theory_family;

extern const ww_theory_family ww_theory_li_liang;
extern const ww_theory_family ww_theory_coupling;
extern const ww_theory_family ww_theory_arora;
extern const ww_theory_family ww_theory_brutzkus;
extern const ww_theory_family ww_theory_zou_gu;

/// The column of quantity `name` [rows]; NULL where it is not measured.
const double *ww_theory_column(const ww_theory_plan *plan, const ww_theory_inputs *inputs,
                               const char *name);

/// A prediction of one number.
#define WW_PREDICTION(name_, source_, description_)                                                \
    ((ww_field){.name = (name_), .description = (description_), .units = "1", .source = (source_)})
/// One for every record.
#define WW_PREDICTION_ALONG(records_, name_, source_, description_)                                \
    ((ww_field){.name = (name_),                                                                   \
                .description = (description_),                                                     \
                .units = "1",                                                                      \
                .source = (source_),                                                               \
                .rank = 1,                                                                         \
                .extent = {(records_)}})

#endif
