/// A miniature of a run, made to see how fast this machine is and what the program itself takes.
#ifndef WIDTHWISE_APP_CALIBRATE_H
#define WIDTHWISE_APP_CALIBRATE_H

#include "app/member.h"
#include "widthwise/data.h"
#include "widthwise/parallel.h"

#include <stdint.h>

/// Rates of one rank, measured on the ranks that take part at once. 0: not measured.
typedef struct ww_calibration {
    double step_rate;   ///< additions and multiplications of steps in a second
    double record_rate; ///< of records
    double final_rate;  ///< of results
    double gram_rate;   ///< of the Gram matrix, of at most 512 samples
    double write_rate;  ///< bytes of a checkpoint in a second, all ranks together
    int64_t overhead;   ///< bytes that a rank takes beside what is counted: program and libraries
    double seconds;     ///< that the calibration took
} ww_calibration;

/// Trains, measures and writes a piece of `member`: its dimension, outputs and batch, on drawn
/// samples, with a few tiles a rank, for about two seconds. `folder` is where the output will be: a
/// checkpoint is written to a file there, which is removed. WW_FAILED: memory is short. A folder
/// that cannot be written to leaves `write_rate` at 0. Collective.
ww_status ww_calibrate(const ww_app_member *member, const ww_dataset *shape, const char *folder,
                       const ww_parallel *parallel, ww_calibration *calibration, ww_error *error);

#endif
