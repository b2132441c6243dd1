/// How a run tells how it goes: on a terminal one line that is rewritten, in a job log a plain line
/// every so often, and at the end of a member what was found.
#ifndef WIDTHWISE_APP_PROGRESS_H
#define WIDTHWISE_APP_PROGRESS_H

#include "app/overview.h"
#include "widthwise/measure.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct ww_progress {
    bool leads;            ///< rank 0 of its crew
    bool speaks;           ///< rank 0 of its crew, and not --quiet
    bool watches;          ///< of these the one that tells how it goes in between
    bool is_terminal;      ///< of standard error
    ww_overview *overview; ///< of all members, on rank 0 of each crew; NULL where there is one
    int64_t member, member_count; ///< which member of how many, from 1
    const char *name;             ///< name or label of the member
    int64_t first_step;           ///< step at which this start began
    double began, last;           ///< times: of the member's start, and of the last line
} ww_progress;

void ww_progress_begin(ww_progress *progress, const char *name, int64_t first_step);

/// Between members, and after the last of this crew: writes how the others are, when it is time to.
void ww_progress_wait(ww_progress *progress);

/// Called after every step; writes when it is time to. `values` are those of the last record, or
/// NULL.
void ww_progress_step(ww_progress *progress, int64_t step, int64_t steps,
                      const ww_measure_plan *plan, const double *values, double batch_loss);

/// The same for a member with replicas: so many are done.
void ww_progress_replicas(ww_progress *progress, int64_t done, int64_t replicas);

/// A line that stays also where no progress is to be told: what may be wrong.
void ww_progress_warn(ww_progress *progress, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/// A line that stays, printf style.
void ww_progress_say(ww_progress *progress, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/// Key numbers of a record: "loss 0.0123, test_accuracy 0.995", into `text` [size].
void ww_progress_numbers(const ww_measure_plan *plan, const double *values, char *text,
                         size_t size);

#endif
