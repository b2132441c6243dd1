/// How long a member will take, from what it needs and how fast the machine was seen to be.
#ifndef WIDTHWISE_APP_DURATION_H
#define WIDTHWISE_APP_DURATION_H

#include "app/calibrate.h"
#include "app/cost.h"

/// Seconds of the parts of a member; 0 where they are not known.
typedef struct ww_duration {
    double step, record, checkpoint; ///< of one
    double results, gram;
    double labels;      ///< of worst-case labels, by all ranks and before the rest; not in `total`
    double replica;     ///< of one, on one rank; 0: there are none
    double checkpoints; ///< number
    double total;
} ww_duration;

/// `ranks` will work on it. Pure.
ww_duration ww_duration_of(const ww_app_member *member, const ww_member_cost *cost,
                           const ww_calibration *rates, int ranks);

#endif
