/// Crews of ranks that work the members of a session off.
#ifndef WIDTHWISE_APP_CREWS_H
#define WIDTHWISE_APP_CREWS_H

#include "app/crew_tasks.h"
#include "app/member.h"
#include "app/session.h"

/// Members by what became of them in this job. The same on all ranks.
typedef struct ww_crews_result {
    int64_t done, failed, diverged, stopped;
    int64_t advanced; ///< that came on by a step at least, or ended
    int64_t lost;     ///< that found the file removed or replaced
    bool by_time;     ///< the wall time ended the job
} ww_crews_result;

/// Works off all prepared members but those to `skip`. What a member comes to is said, and where it
/// failed marked in the file. WW_FAILED: the crews themselves could not be made, or the only member
/// failed, with its sentence in `error`. Collective.
ww_status ww_crews_run(ww_session *session, const bool *skip, ww_crews_result *result,
                       ww_error *error);

#endif
