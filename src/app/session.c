#include "app/session.h"

#include "app/crews.h"
#include "app/divided_data.h"
#include "app/gram_warnings.h"
#include "app/lock.h"
#include "app/profile.h"
#include "app/provenance.h"
#include "app/replicas.h"
#include "app/sample_groups.h"
#include "app/start.h"
#include "widthwise/clock.h"
#include "widthwise/gram_analysis.h"
#include "widthwise/gram_ranks.h"
#include "widthwise/memory.h"
#include "widthwise/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

ww_session ww_session_make(const ww_parallel *parallel)
{
    return (ww_session){.parallel = parallel,
                        .began = ww_seconds(),
                        .ending = {.until = -1},
                        .audit = {.steps = -1}};
}

static void begin_profile(ww_session *self)
{
    const double began = self->parallel->began;
    ww_profile_begin(&self->profile, began > 0.0 ? began : self->began, WW_PHASE_MPI);
    (void)ww_profile_switch(&self->profile, WW_PHASE_START, self->began);
    self->own.profile = &self->profile;
}

ww_status ww_session_begin(ww_session *self, const char *name, const ww_option *options,
                           size_t option_count, int count, char **words, const char **operands,
                           size_t most_operands, ww_error *error)
{
    self->command = ww_command_text(name, count, words, error);
    ww_status status = self->command != NULL ? WW_OK : WW_FAILED;
    if (status == WW_OK)
        status = ww_options_parse(name, options, option_count, count, words, operands,
                                  most_operands, error);
    int checked = 0;
    if (status == WW_OK)
        status = ww_to_int(self->sample_groups, "--sample-groups", &checked, error);
    self->own = *self->parallel;
    self->own.sample_groups = checked;
    self->parallel = &self->own;
    if (status == WW_OK && self->profile_path != NULL) {
        begin_profile(self);
        if (self->parallel->rank == 0)
            status = ww_app_profile_check(self->profile_path, error);
    }
    return ww_agree(self->parallel, status, error);
}

ww_status ww_session_hold(ww_session *self, const char *path, char *usual, ww_error *error)
{
    self->usual_path = usual;
    self->path = path != NULL ? path : usual;
    WW_TRY(ww_agree(self->parallel, self->path != NULL ? WW_OK : WW_FAILED, error));
    return ww_ending_begin(&self->ending, self->path, self->parallel, error);
}

void ww_session_end(ww_session *self)
{
    ww_ending_end(&self->ending);
    ww_app_members_free(&self->members);
    ww_data_cache_free(&self->cache);
    ww_experiment_free(&self->experiment);
    free(self->settings.texts);
    free(self->command);
    free(self->usual_path);
    if (self->is_ordered)
        ww_parallel_destroy(&self->own);
}

// Whether a member can be audited, and the ranks of the job do what it wants of the Gram matrix.
// Worst-case labels are computed for a new file, and read from one that is there.
static ww_status check_member(const ww_session *self, const ww_app_member *member, bool is_new,
                              ww_error *error)
{
    const int ranks = self->parallel->size;
    WW_TRY(ww_auditing_allowed(&self->audit, member, error));
    if (member->gram != NULL)
        WW_TRY(ww_gram_limits(member->gram, member->config, ranks, error));
    if (is_new && member->layout.has_train_targets)
        WW_TRY(ww_gram_worst_case_limits(member->config, &member->shape, ranks, error));
    return WW_OK;
}

static ww_status check_members(const ww_session *self, bool is_new, ww_error *error)
{
    for (size_t i = 0; i < self->members.count; i++) {
        const ww_app_member *member = &self->members.list[i];
        if (member->config == NULL) // skipped
            continue;
        const ww_status status = check_member(self, member, is_new, error);
        if (status != WW_OK) {
            ww_app_name_member(member->index, member->label, error);
            return status;
        }
    }
    return WW_OK;
}

// What is wrong with the weights that members of a new file begin with: of those that are built
// only the first can be looked at, whose data are there.
static ww_status check_starts(ww_session *self, const ww_app_member *first, ww_error *error)
{
    for (size_t i = 0; i < self->members.count; i++) {
        const ww_app_member *member = &self->members.list[i];
        if (member->config == NULL) // skipped
            continue;
        const ww_status status =
            ww_app_start_check(self->path, member->config, &member->shape,
                               member == first ? &self->cache.data : NULL, self->parallel, error);
        if (status != WW_OK) {
            ww_app_name_member(member->index, member->label, error);
            return status;
        }
    }
    return WW_OK;
}

// Whether the data are to be divided over nodes.
static ww_status divide_data(const ww_session *self, bool *divides, ww_error *error)
{
    int64_t rank_bytes = INT64_MAX;
    int64_t fullest = 1;
    if (self->sample_groups > 1) {
        WW_TRY(ww_memory_for_rank(self->parallel, &rank_bytes, error));
        WW_TRY(ww_nodes_fullest(self->parallel, &fullest, error));
    }
    const ww_data_wish wish = {.members = &self->members,
                               .sample_groups = self->sample_groups,
                               .divides = self->divide_data,
                               .node_bytes = rank_bytes < INT64_MAX / fullest ? rank_bytes * fullest
                                                                              : INT64_MAX};
    return ww_agree(self->parallel, ww_data_is_to_be_divided(&wish, divides, error), error);
}

// The data set of the only member, of which each node has the inputs of its groups.
static ww_status load_part(ww_session *self, ww_error *error)
{
    const ww_app_member *member = &self->members.list[0];
    ww_parallel ordered;
    WW_TRY(ww_order_by_groups(self->parallel, ww_int(self->sample_groups), &ordered, error));
    self->own = ordered; // what `parallel` is
    self->is_ordered = true;
    ww_problem problem;
    ww_problem_describe(member->config, &member->shape, self->parallel, &problem);
    const ww_status status = ww_data_cache_get_part(&self->cache, &problem, error);
    if (status != WW_OK)
        ww_app_name_member(member->index, member->label, error);
    return status;
}

ww_status ww_session_prepare(ww_session *self, size_t first, size_t count, const int64_t *indices,
                             const bool *skip, bool is_new, ww_error *error)
{
    WW_TRY(ww_app_members_prepare(&self->experiment, first, count, indices, skip, self->parallel,
                                  &self->members, error));
    WW_TRY(check_members(self, is_new, error));
    WW_TRY(
        ww_sample_groups_check(&self->members, self->sample_groups, self->parallel->size, error));
    bool divides = false;
    WW_TRY(divide_data(self, &divides, error));
    if (divides)
        return load_part(self, error);
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
    if (status != WW_OK) {
        ww_app_name_member(first_to_run->index, first_to_run->label, error);
        return status;
    }
    return is_new ? check_starts(self, first_to_run, error) : WW_OK;
}

// A member before `i` whose worst-case labels are the same.
static const ww_app_member *same_targets(const ww_session *self, size_t i)
{
    const ww_config *config = self->members.list[i].config;
    while (i-- > 0) {
        const ww_app_member *other = &self->members.list[i];
        if (other->config != NULL && other->train_targets != NULL &&
            ww_config_same_data(other->config, config) &&
            other->config->gram.depth == config->gram.depth &&
            other->config->gram.gradient == config->gram.gradient &&
            ww_negative_slope(other->config) == ww_negative_slope(config))
            return other;
    }
    return NULL;
}

static ww_status compute_member_targets(ww_session *self, size_t i, ww_error *error)
{
    ww_app_member *member = &self->members.list[i];
    const size_t count = (size_t)member->layout.train;
    const ww_app_member *other = same_targets(self, i);
    WW_TRY(ww_data_cache_get(&self->cache, member->config, self->parallel, error));
    double *targets = ww_allocate(count, sizeof *targets, "worst-case labels", error);
    member->train_targets = targets;
    WW_TRY(ww_agree(self->parallel, targets != NULL ? WW_OK : WW_FAILED, error));
    if (other != NULL) {
        memcpy(targets, other->train_targets, count * sizeof *targets);
    } else {
        ww_worst_case found;
        char warning[512];
        const int before = ww_phase_enter(self->parallel->profile, WW_PHASE_GRAM);
        WW_TRY(ww_gram_worst_case(member->config, &self->cache.data, self->parallel, targets,
                                  &found, error));
        ww_phase_leave(self->parallel->profile, before);
        ww_gram_worst_case_warning(&found, warning, sizeof warning);
        if (self->parallel->rank == 0 && warning[0] != '\0')
            (void)fprintf(stderr, "%s\n", warning);
    }
    ww_dataset_set_train_targets(&self->cache.data, targets);
    member->layout.train_targets = targets;
    member->layout.data_hash = self->cache.data.hash;
    return WW_OK;
}

static ww_status stop_before_file(ww_session *self, ww_error *error)
{
    WW_TRY(ww_ending_share_reason(&self->ending, self->parallel, error));
    if (self->parallel->rank == 0)
        printf("%s: stopped before the file was made (%s); the same command begins anew\n",
               self->path, self->ending.reason);
    return ww_fail(error, WW_STOPPED, "stopped before the file was made");
}

// Worst-case labels come from the Gram matrix of the data. They are computed once, before the file
// is made, and read from it ever after: their last bits depend on the number of ranks.
static ww_status compute_targets(ww_session *self, ww_error *error)
{
    for (size_t i = 0; i < self->members.count; i++) {
        const ww_app_member *member = &self->members.list[i];
        if (member->config == NULL || !member->layout.has_train_targets)
            continue;
        WW_TRY(ww_ending_agree(&self->ending, self->parallel, error));
        if (self->ending.agreed)
            return stop_before_file(self, error);
        const ww_status status = compute_member_targets(self, i, error);
        if (status != WW_OK) {
            ww_app_name_member(member->index, member->label, error);
            return status;
        }
    }
    return WW_OK;
}

ww_status ww_session_create_and_run(ww_session *self, int64_t chosen, bool force, ww_error *error)
{
    const size_t total = self->experiment.count;
    if (chosen != WW_ALL_MEMBERS && chosen >= (int64_t)total)
        return ww_fail(error, WW_USAGE,
                       "--member %lld: the experiment has %zu member%s, numbered from 0",
                       (long long)chosen, total, total == 1 ? "" : "s");
    const size_t first = chosen == WW_ALL_MEMBERS ? 0 : (size_t)chosen;
    const size_t count = chosen == WW_ALL_MEMBERS ? total : 1;
    ww_member_layout *layouts = ww_allocate(count, sizeof *layouts, "the members", error);
    ww_status status = ww_agree(self->parallel, layouts != NULL ? WW_OK : WW_FAILED, error);
    if (status == WW_OK)
        status = ww_session_prepare(self, first, count, NULL, NULL, true, error);
    if (status == WW_OK)
        status = compute_targets(self, error);
    for (size_t i = 0; status == WW_OK && i < count; i++)
        layouts[i] = self->members.list[i].layout;
    ww_provenance provenance;
    if (status == WW_OK)
        status = ww_provenance_make(self->parallel, self->command, (int64_t)first, 0, &provenance,
                                    error);
    const int before = ww_phase_enter(self->parallel->profile, WW_PHASE_FILE);
    if (status == WW_OK)
        status =
            ww_store_create(self->path, force, &provenance, layouts, count, self->parallel, error);
    free(layouts);
    ww_store_lock lock = {.descriptor = -1};
    if (status == WW_OK)
        status = ww_app_lock_take(self->path, 0, self->parallel, &lock, error);
    ww_phase_leave(self->parallel->profile, before);
    if (status == WW_OK)
        status = ww_session_run(self, NULL, WW_OK, error);
    ww_store_unlock(&lock);
    return status;
}

ww_status ww_session_load_data(ww_session *session, const ww_parallel *crew,
                               const ww_app_member *member, ww_error *error)
{
    WW_TRY(ww_data_cache_get(&session->cache, member->config, crew, error));
    if (!member->layout.has_train_targets)
        return WW_OK;
    const int64_t count = member->layout.train * member->layout.targets;
    double *targets = ww_allocate((size_t)count, sizeof *targets, "train targets", error);
    ww_status status = ww_agree(crew, targets != NULL ? WW_OK : WW_FAILED, error);
    const int before = ww_phase_enter(crew->profile, WW_PHASE_FILE);
    if (status == WW_OK)
        status =
            ww_store_read_train_targets(session->path, member->index, count, crew, targets, error);
    ww_phase_leave(crew->profile, before);
    if (status == WW_OK)
        ww_dataset_set_train_targets(&session->cache.data, targets);
    free(targets);
    return status;
}

bool ww_session_wants_only_gram(const ww_session *self, size_t position)
{
    return self->only_gram && !(self->is_over != NULL && self->is_over[position]);
}

ww_status ww_session_run_member(ww_session *session, const ww_parallel *crew, size_t position,
                                ww_progress *progress, bool *advanced, ww_error *error)
{
    const ww_app_member *member = &session->members.list[position];
    const bool has_replicas = member->config->replicas > 1;
    const ww_dataset *data = NULL;
    *advanced = false;
    if (!has_replicas || ww_app_replicas_share_data(member->config)) {
        WW_TRY(ww_session_load_data(session, crew, member, error));
        data = &session->cache.data;
    }
    if (has_replicas)
        return ww_app_replicas_run(session->path, member, data, crew, &session->ending, progress,
                                   advanced, error);
    if (ww_session_wants_only_gram(session, position))
        return ww_app_member_gram(session->path, member, data, crew, &session->ending, progress,
                                  advanced, error);
    return ww_app_member_run(session->path, member, data, crew, &session->audit, &session->ending,
                             progress, advanced, error);
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
        : self->only_gram && self->waiting > 0
            ? "the Gram matrix is in it; `widthwise resume` trains what is left"
            : "complete; `widthwise show` tells what it holds";
    char ranks[64];
    ww_ranks_text(self->parallel->size, self->parallel->threads, ranks, sizeof ranks);
    printf("%s: %s (peak memory %.3g GB on %s)\n", self->path, text, (double)memory * 1e-9, ranks);
}

// The sum of what the crews did.
static ww_status end_run(ww_session *self, const ww_crews_result *given, ww_status outcome,
                         ww_error *error)
{
    const ww_crews_result result = *given;
    if (result.stopped > 0 && result.by_time && result.advanced == 0)
        return ww_fail(
            error, WW_FAILED,
            "no step was made before the end of the wall time was near; give the job more "
            "time, "
            "then go on with `widthwise resume %s`",
            self->path);
    // The last look at what HDF5 reads: each member has looked at its own data.
    const int before = ww_phase_enter(self->parallel->profile, WW_PHASE_FILE);
    const ww_status structure =
        result.failed == 0 ? ww_store_check_structure(self->path, self->parallel, error) : WW_OK;
    ww_phase_leave(self->parallel->profile, before);
    if (structure != WW_OK)
        return error->status = WW_FAILED;
    // The only member says itself what kind of failure it was; ranks beside its crew do not know.
    int64_t is_usage =
        self->members.count == 1 && result.failed > 0 && error->status == WW_USAGE ? 1 : 0;
    WW_TRY(ww_sum_words(self->parallel, &is_usage, 1, error));
    if (result.lost > 0)
        outcome = WW_FAILED; // there is nothing to go on with
    else if (result.stopped > 0)
        outcome = WW_STOPPED;
    else if (result.failed > 0)
        outcome = is_usage > 0 ? WW_USAGE : WW_FAILED;
    else if (result.diverged > 0)
        outcome = WW_DIVERGED;
    ww_error ignored = {0};
    int64_t memory = ww_data_cache_peak(&self->cache);
    (void)ww_sum_words(self->parallel, &memory, 1, &ignored);
    if (self->parallel->rank == 0 && (result.failed == 0 || self->members.count > 1))
        say_end(self, &result, outcome, memory);
    return outcome;
}

ww_status ww_session_run(ww_session *self, const bool *skip, ww_status outcome, ww_error *error)
{
    ww_crews_result result;
    WW_TRY(ww_crews_run(self, skip, &result, error));
    const ww_status status = end_run(self, &result, outcome, error);
    ww_error ignored = {0}; // the job is done
    if (self->parallel->profile != NULL)
        (void)ww_app_profile_tell(self->parallel, self->command, self->profile_path, &ignored);
    return status;
}
