/// What `widthwise plan` finds out, and the parts of what it tells. Private to src/app.
#ifndef WIDTHWISE_APP_PLAN_H
#define WIDTHWISE_APP_PLAN_H

#include "app/calibrate.h"
#include "app/crew_tasks.h"
#include "app/duration.h"
#include "app/member.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// What is asked, and all that is found out.
typedef struct ww_planning {
    const ww_parallel *parallel;
    ww_experiment experiment;
    int64_t ranks;          ///< of the run
    int64_t ranks_per_node; ///< 0: not said
    int64_t sample_groups;  ///< 0: left open
    bool divide_data;       ///< --divide-data
    int64_t ranks_a_node;   ///< taken for it
    bool is_here;           ///< it has the ranks that there are here, as they are here
    double node_memory;     ///< gigabytes, 0: not asked
    bool calibrates;
    double tune_seconds; ///< that engines are measured for, in place of all else; 0: they are not
    ww_app_members members;
    ww_crews_job job;
    ww_member_cost *costs; ///< [members]
    size_t largest;        ///< member with the highest peak of memory
    int *crew_ranks;       ///< [members] that will work on each
    double share;          ///< of the time that ranks will be at work
    ww_calibration calibration;
} ww_planning;

/// How long member `i` will take. Pure.
ww_duration ww_plan_duration(const ww_planning *plan, size_t i);

#define WW_GIGABYTE 1e9

/// Prints how many ranks have work, limits of the Gram matrix, and with the memory of nodes the
/// smallest number that fits.
ww_status ww_plan_print_ranks(const ww_planning *self, ww_error *error);

/// Prints the estimate of the time: of the largest member by its parts, and of all.
void ww_plan_print_time(const ww_planning *plan);

#endif
