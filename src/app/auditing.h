/// Audits of a run that the user asks for (widthwise/audit.h): what is said of them, and what
/// stands in the file.
#ifndef WIDTHWISE_APP_AUDITING_H
#define WIDTHWISE_APP_AUDITING_H

#include "app/course.h"
#include "app/progress.h"
#include "widthwise/audit.h"
#include "widthwise/store.h"

/// What the command line asks for.
typedef struct ww_audit_wish {
    bool at_end;   ///< --audit
    int64_t steps; ///< --check-steps, -1: none
} ww_audit_wish;

/// WW_USAGE where a member cannot have what is asked for. Pure.
ww_status ww_auditing_allowed(const ww_audit_wish *wish, const ww_app_member *member,
                              ww_error *error);

/// Whether a run of this configuration, whose engine is resolved, would be audited at its end: it
/// makes its weights. Pure.
bool ww_auditing_applies(const ww_audit_wish *wish, const ww_config *config);

/// The audits of one run. Pointers but for `check` are borrowed.
typedef struct ww_auditing {
    const ww_audit_wish *wish;
    ww_course *course;
    ww_store *store;
    ww_progress *progress;
    ww_check *check; ///< while steps are checked
    int64_t left;    ///< steps that are to be checked yet
} ww_auditing;

/// Makes ready before the first step of this start. Collective, as all that follows.
ww_status ww_auditing_begin(ww_auditing *auditing, ww_error *error);

/// After every step. WW_FAILED: it is not as `dense` has it, which the file says too.
ww_status ww_auditing_step(ww_auditing *auditing, ww_error *error);

/// At the end of training tells what was found of its steps, and audits the engine as it is.
/// WW_FAILED likewise.
ww_status ww_auditing_end(ww_auditing *auditing, ww_error *error);

/// A run that ends before with `outcome`, of which `error` tells, still has told what was found of
/// the steps that it made. Returns the outcome, or what else went wrong.
ww_status ww_auditing_end_early(ww_auditing *auditing, ww_status outcome, ww_error *error);

/// Not collective.
void ww_auditing_free(ww_auditing *auditing);

#endif
