#include "app/session.h"

#include "app/crews.h"
#include "widthwise/clock.h"
#include "widthwise/memory.h"

#include <stdio.h>
#include <stdlib.h>

void ww_session_free(ww_session *self)
{
    ww_app_members_free(&self->members);
    ww_data_cache_free(&self->cache);
    ww_experiment_free(&self->experiment);
}

ww_status ww_session_prepare(ww_session *self, size_t first, size_t count, const int64_t *indices,
                             const bool *skip, bool is_new, ww_error *error)
{
    WW_TRY(ww_app_members_prepare(&self->experiment, first, count, indices, skip, self->parallel,
                                  &self->members, error));
    const ww_app_member *first_to_run = NULL;
    size_t others = 0;
    for (size_t i = count; i-- > 0;) {
        if (self->members.list[i].config == NULL) // skipped
            continue;
        others += first_to_run != NULL;
        first_to_run = &self->members.list[i];
    }
    // In a file that is there already a member without its data fails for itself.
    if (first_to_run == NULL || (!is_new && others > 0))
        return WW_OK;
    const ww_status status =
        ww_data_cache_get(&self->cache, first_to_run->config, self->parallel, error);
    if (status != WW_OK)
        ww_app_name_member(first_to_run->index, first_to_run->label, error);
    return status;
}

// The last line about the file as a whole.
static void say_end(const ww_session *self, const ww_crews_result *result, ww_status outcome,
                    int64_t memory)
{
    const char *text =
        result->lost > 0 ? "the file is not there any more as this job made it, see above"
        : result->stopped > 0 && (result->failed > 0 || result->diverged > 0)
            ? "stopped early, and some runs failed or diverged, see above; "
              "`widthwise resume` goes on"
        : result->stopped > 0    ? "stopped early; `widthwise resume` goes on"
        : result->failed > 0     ? "a run failed, see above; `widthwise resume` tries again"
        : outcome == WW_DIVERGED ? "a run diverged; its rows and checkpoints up to there are kept"
                                 : "complete; `widthwise show` tells what it holds";
    printf("%s: %s (peak memory %.3g GB on %d rank%s)\n", self->path, text, (double)memory * 1e-9,
           self->parallel->size, self->parallel->size == 1 ? "" : "s");
}

ww_status ww_session_run(ww_session *self, const bool *skip, ww_status outcome, ww_error *error)
{
    ww_crews_result result;
    WW_TRY(ww_crews_run(self, skip, &result, error));
    if (result.stopped > 0 && result.by_time && result.advanced == 0)
        return ww_fail(
            error, WW_FAILED,
            "no step was made before the end of the wall time was near; give the job more "
            "time, "
            "then go on with `widthwise resume %s`",
            self->path);
    // The last look at what HDF5 reads: each member has looked at its own data.
    if (result.failed == 0 && ww_store_check_structure(self->path, self->parallel, error) != WW_OK)
        return error->status = WW_FAILED;
    if (result.lost > 0)
        outcome = WW_FAILED; // there is nothing to go on with
    else if (result.stopped > 0)
        outcome = WW_STOPPED;
    else if (result.failed > 0) // the only one says itself what kind of failure it was
        outcome = self->members.count == 1 && error->status == WW_USAGE ? WW_USAGE : WW_FAILED;
    else if (result.diverged > 0)
        outcome = WW_DIVERGED;
    ww_error ignored = {0};
    int64_t memory = ww_data_cache_peak(&self->cache);
    (void)ww_sum_words(self->parallel, &memory, 1, &ignored);
    if (self->parallel->rank == 0 && (result.failed == 0 || self->members.count > 1))
        say_end(self, &result, outcome, memory);
    return outcome;
}
