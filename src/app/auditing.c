#include "app/auditing.h"

#include "app/profile.h"

ww_status ww_auditing_allowed(const ww_audit_wish *wish, const ww_app_member *member,
                              ww_error *error)
{
    const bool checks = wish->steps >= 0;
    if (!checks && !wish->at_end)
        return WW_OK;
    if (wish->steps == 0)
        return ww_fail(error, WW_USAGE,
                       "--check-steps 0 checks nothing; give a number of steps, or leave it out");
    if (member->config->replicas > 1)
        return ww_fail(
            error, WW_USAGE,
            "%s is not for a run with replicas, which keep no weights; take one of them, "
            "with replicas: 1 and its seeds",
            checks ? "--check-steps" : "--audit");
    if (!checks)
        return WW_OK;
    const ww_parallel alone = {.communicator = MPI_COMM_NULL, .rank = 0, .size = 1};
    ww_problem problem;
    ww_problem_describe(member->config, &member->shape, &alone, &problem);
    return ww_check_allowed(&problem, error);
}

bool ww_auditing_applies(const ww_audit_wish *wish, const ww_config *config)
{
    const ww_engine_kind engine = config->training.engine;
    return wish->at_end && config->replicas == 1 &&
           (engine == WW_ENGINE_SAMPLES || engine == WW_ENGINE_LAZY);
}

ww_status ww_auditing_begin(ww_auditing *auditing, ww_error *error)
{
    ww_profile *profile = auditing->course->parallel->profile;
    auditing->left = auditing->wish->steps;
    if (auditing->left <= 0 || ww_course_is_over(auditing->course))
        return WW_OK;
    const int before = ww_phase_enter(profile, WW_PHASE_AUDITS);
    return ww_phase_done(profile, before,
                         ww_check_create(auditing->course->engine, &auditing->check, error));
}

// Into the file, and where all is well to the user: what is not ends the run with a sentence.
static ww_status tell(ww_auditing *self, ww_audit_kind kind, const ww_audit *found, ww_error *error)
{
    char text[256];
    ww_profile *profile = self->course->parallel->profile;
    const int before = ww_phase_enter(profile, WW_PHASE_WRITING);
    WW_TRY(ww_phase_done(profile, before, ww_store_write_audit(self->store, kind, found, error)));
    if (found->verdict != WW_AUDIT_HOLDS)
        return WW_OK;
    ww_audit_text(found, text, sizeof text);
    if (kind == WW_AUDIT_AT_END)
        ww_progress_say(self->progress, "audit after %lld of %lld steps: %s",
                        (long long)found->last_step, (long long)ww_course_step(self->course), text);
    else
        ww_progress_say(self->progress, "steps %lld to %lld checked against the engine dense: %s",
                        (long long)found->first_step, (long long)found->last_step, text);
    return WW_OK;
}

// The sentence of a failure stays, whatever becomes of what the file is to say.
static ww_status tell_failure(ww_auditing *self, ww_audit_kind kind, const ww_audit *found)
{
    ww_error ignored = {0};
    if (found->verdict == WW_AUDIT_FAILS)
        (void)tell(self, kind, found, &ignored);
    return WW_FAILED;
}

// Tells what was found of steps, where there are no more of them.
static ww_status end_steps(ww_auditing *self, ww_error *error)
{
    ww_status status = WW_OK;
    if (self->check != NULL && ww_check_found(self->check)->verdict == WW_AUDIT_HOLDS)
        status = tell(self, WW_AUDIT_OF_STEPS, ww_check_found(self->check), error);
    ww_auditing_free(self);
    return status;
}

ww_status ww_auditing_step(ww_auditing *auditing, ww_error *error)
{
    // One that comes to rest goes back to a step before.
    if (auditing->check == NULL || auditing->course->rest.rests)
        return WW_OK;
    ww_profile *profile = auditing->course->parallel->profile;
    const int before = ww_phase_enter(profile, WW_PHASE_AUDITS);
    const ww_status status = ww_check_step(auditing->check, error);
    ww_phase_leave(profile, before);
    if (status != WW_OK)
        return tell_failure(auditing, WW_AUDIT_OF_STEPS, ww_check_found(auditing->check));
    return --auditing->left == 0 ? end_steps(auditing, error) : WW_OK;
}

ww_status ww_auditing_end(ww_auditing *auditing, ww_error *error)
{
    const ww_problem *problem = &auditing->course->problem;
    ww_profile *profile = problem->parallel->profile;
    ww_audit found;
    char text[64];
    WW_TRY(end_steps(auditing, error));
    if (!auditing->wish->at_end)
        return WW_OK;
    if (!ww_engine_makes_tiles(problem)) {
        ww_engine_describe(problem, text, sizeof text);
        ww_progress_say(auditing->progress,
                        "%s keeps the weights themselves, so there is nothing to audit", text);
        return WW_OK;
    }
    const int before = ww_phase_enter(profile, WW_PHASE_AUDITS);
    const ww_status status = ww_audit_engine(auditing->course->engine, &found, error);
    ww_phase_leave(profile, before);
    if (status != WW_OK)
        return tell_failure(auditing, WW_AUDIT_AT_END, &found);
    return tell(auditing, WW_AUDIT_AT_END, &found, error);
}

ww_status ww_auditing_end_early(ww_auditing *auditing, ww_status outcome, ww_error *error)
{
    ww_error failure = {0};
    const ww_status status = end_steps(auditing, &failure);
    if (status == WW_OK)
        return outcome;
    *error = failure;
    return status;
}

void ww_auditing_free(ww_auditing *auditing)
{
    ww_check_free(auditing->check);
    auditing->check = NULL;
}
