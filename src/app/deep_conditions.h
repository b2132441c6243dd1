/// What Zou & Gu ask of the data of a deep network.
#ifndef WIDTHWISE_APP_DEEP_CONDITIONS_H
#define WIDTHWISE_APP_DEEP_CONDITIONS_H

#include "widthwise/config.h"
#include "widthwise/data.h"
#include "widthwise/parallel.h"

#include <stdbool.h>
#include <stddef.h>

enum { WW_DEEP_CONDITIONS = 4, WW_DEEP_CONDITION_TEXT = 384 };

/// A sentence for each condition that is not met, or that was not looked at.
typedef struct ww_deep_conditions {
    size_t count;
    char lines[WW_DEEP_CONDITIONS][WW_DEEP_CONDITION_TEXT];
} ww_deep_conditions;

/// Looks whether all inputs have norm 1 and one last coordinate above 0 (ZG assumption 3.1), with
/// `distinct` whether no two are the same (3.2), and where a separation was asked for whether it is
/// there. Nothing for other models. The same on all ranks. WW_FAILED: memory is short. Collective.
ww_status ww_deep_conditions_find(const ww_config *config, const ww_dataset *data, bool distinct,
                                  const ww_parallel *parallel, ww_deep_conditions *found,
                                  ww_error *error);

#endif
