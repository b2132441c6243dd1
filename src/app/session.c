#include "app/session.h"

#include "widthwise/memory.h"

#include <stdio.h>
#include <stdlib.h>

void ww_session_free(ww_session *self)
{
    for (size_t i = 0; self->members != NULL && i < self->count; i++)
        ww_app_member_release(&self->members[i]);
    free(self->members);
    ww_data_cache_free(&self->cache);
    ww_experiment_free(&self->experiment);
}

// Says in front of a sentence which member of a sweep it is about.
static void name_member(int64_t index, const char *label, ww_error *error)
{
    if (label[0] != '\0')
        ww_error_prefix(error, "member %lld (%s): ", (long long)index, label);
}

ww_status ww_session_prepare(ww_session *self, size_t first, size_t count, const int64_t *indices,
                             const bool *skip, ww_error *error)
{
    self->members = ww_allocate(count, sizeof *self->members, "the members", error);
    ww_status status = ww_agree(self->parallel, self->members != NULL ? WW_OK : WW_FAILED, error);
    for (size_t i = 0; status == WW_OK && i < count; i++) {
        const ww_config *config = &self->experiment.members[first + i];
        const char *label = self->experiment.labels[first + i];
        self->count++;
        if (skip != NULL && skip[i])
            continue;
        status = ww_data_cache_get(&self->cache, config, self->parallel, error);
        if (status == WW_OK)
            status = ww_agree(self->parallel,
                              ww_app_member_prepare(config, indices[i], label, &self->cache.data,
                                                    &self->members[i], error),
                              error);
        if (status != WW_OK)
            name_member(indices[i], label, error);
    }
    return status;
}

// The worse of two outcomes of members: a failure, then divergence, then stopped early.
static ww_status worse(ww_status a, ww_status b)
{
    static const ww_status order[] = {WW_FAILED, WW_USAGE, WW_DIVERGED, WW_STOPPED};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
        if (a == order[i] || b == order[i])
            return order[i];
    return WW_OK;
}

static bool is_outcome(ww_status status)
{
    return status == WW_OK || status == WW_DIVERGED || status == WW_STOPPED;
}

// Warns of more ranks than tiles: those left over idle.
static void warn_of_idle_ranks(const ww_session *self, ww_progress *progress)
{
    for (size_t i = 0; i < self->count; i++) {
        if (self->members[i].config == NULL) // skipped
            continue;
        const ww_tiling tiling = ww_tiling_make(self->members[i].layout.width, 0, 1);
        if (tiling.tile_count >= self->parallel->size)
            continue;
        if (progress->speaks)
            fprintf(stderr,
                    "widthwise: warning: width %lld has %lld tile%s of %lld units, so %lld of %d "
                    "ranks idle\n",
                    (long long)tiling.width, (long long)tiling.tile_count,
                    tiling.tile_count == 1 ? "" : "s", (long long)tiling.tile_units,
                    (long long)(self->parallel->size - tiling.tile_count), self->parallel->size);
        return;
    }
}

// What the last line says of the file as a whole.
static const char *outcome_text(ww_status outcome, bool some_stopped)
{
    if (outcome == WW_FAILED || outcome == WW_USAGE)
        return "a run failed, see above; `widthwise resume` tries again";
    if (outcome == WW_DIVERGED && some_stopped)
        return "a run diverged, others stopped early; `widthwise resume` goes on with those";
    if (outcome == WW_DIVERGED)
        return "a run diverged; its rows and checkpoints up to there are kept";
    return some_stopped ? "stopped early; `widthwise resume` goes on"
                        : "complete; `widthwise show` tells what it holds";
}

static ww_status run_member(ww_session *self, const ww_app_member *member, ww_progress *progress,
                            ww_error *error)
{
    WW_TRY(ww_data_cache_get(&self->cache, member->config, self->parallel, error));
    if (self->cache.data.hash != member->data_hash)
        return ww_fail(error, WW_FAILED, "the data files have changed since this job began");
    return ww_app_member_run(self->path, member, &self->cache.data, self->parallel, &self->ending,
                             progress, error);
}

ww_status ww_session_run(ww_session *self, const bool *skip, ww_status outcome, ww_error *error)
{
    ww_progress progress = {
        .speaks = self->parallel->rank == 0 && !self->quiet,
        .member_count = (int64_t)self->count,
    };
    warn_of_idle_ranks(self, &progress);
    bool some_stopped = false;
    for (size_t i = 0; i < self->count; i++) {
        progress.member = (int64_t)i + 1;
        if (skip != NULL && skip[i])
            continue;
        ww_error member_error = {0};
        if (!self->ending.agreed)
            (void)ww_ending_agree(&self->ending, self->parallel, &member_error);
        if (self->ending.agreed) { // this one and the rest wait for `resume`
            some_stopped = true;
            outcome = worse(outcome, WW_STOPPED);
            break;
        }
        const ww_status status = run_member(self, &self->members[i], &progress, &member_error);
        some_stopped = some_stopped || status == WW_STOPPED;
        if (!is_outcome(status))
            name_member(self->members[i].index, self->members[i].label, &member_error);
        if (!is_outcome(status) && self->count > 1 && self->parallel->rank == 0)
            fprintf(stderr, "widthwise: %s\n", member_error.message);
        else if (worse(outcome, status) != outcome)
            *error = member_error;
        outcome = worse(outcome, status);
    }
    ww_error ignored = {0};
    int64_t memory = ww_peak_memory();
    (void)ww_sum_words(self->parallel, &memory, 1, &ignored);
    if (self->parallel->rank == 0 && (is_outcome(outcome) || self->count > 1))
        printf("%s: %s (peak memory %.3g GB on %d rank%s)\n", self->path,
               outcome_text(outcome, some_stopped), (double)memory * 1e-9, self->parallel->size,
               self->parallel->size == 1 ? "" : "s");
    return outcome;
}
