/// The problem that a run in a file trains, told without its data.
#ifndef WIDTHWISE_APP_RECORDED_PROBLEM_H
#define WIDTHWISE_APP_RECORDED_PROBLEM_H

#include "widthwise/config.h"
#include "widthwise/train.h"

/// A problem, and what it points to: stays where it is.
typedef struct ww_recorded_problem {
    ww_parallel alone; ///< one rank
    ww_dataset shape;  ///< dimension, outputs and number of train samples alone
    ww_problem problem;
} ww_recorded_problem;

/// Reads the shape of the data of run `index`, whose configuration is `config` (borrowed), and
/// describes its problem on one rank. WW_USAGE and WW_FAILED as ww_store_summarize. Not collective.
ww_status ww_recorded_problem_read(const char *path, int64_t index, const ww_config *config,
                                   ww_recorded_problem *recorded, ww_error *error);

#endif
