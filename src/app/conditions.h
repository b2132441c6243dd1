/// Warnings where a run does not meet a condition of the theory it is about.
#ifndef WIDTHWISE_APP_CONDITIONS_H
#define WIDTHWISE_APP_CONDITIONS_H

#include "app/progress.h"
#include "widthwise/config.h"
#include "widthwise/data.h"
#include "widthwise/parallel.h"

#include <stdio.h>

/// Looks at the train set and the step size of `config`, and prints a paragraph for each condition
/// that is not met, and for each that could not be looked at, to `report`; `*count` is their
/// number. WW_FAILED: memory is short. Not collective.
ww_status ww_conditions_print(const ww_config *config, const ww_dataset *data, FILE *report,
                              int *count, ww_error *error);

/// Warns where training may find no end by itself, which takes a hyperplane that separates the
/// train set, and where the data of a deep network are not as its theory has them. `progress` is
/// that of the run. WW_FAILED: memory is short. Collective.
ww_status ww_conditions_warn(const ww_config *config, const ww_dataset *data,
                             const ww_parallel *parallel, ww_progress *progress, ww_error *error);

#endif
