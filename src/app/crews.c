#include "app/crews.h"

#include "app/idle_ranks.h"
#include "app/profile.h"
#include "widthwise/board.h"
#include "widthwise/clock.h"
#include "widthwise/memory.h"
#include "widthwise/store.h"
#include "widthwise/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SHARES_TOLD = 8 };
// Below this it is said beforehand that ranks will idle.
static const double LOW_SHARE = 0.6;

// What one rank knows of the work.
typedef struct crews {
    ww_session *session;
    ww_task *tasks;       // [count]
    size_t *positions;    // [count] of the tasks among the members
    size_t count;         // tasks
    double all_work;      // of all tasks
    ww_division division; // of ranks among them
    ww_crews_job job;
    bool *only_gram; // [members]
    bool has_queues; // common to all crews
    ww_overview overview;
    ww_progress progress;
    int64_t file_mark[2];   // what tells the file from others
    ww_crews_result result; // of members that this rank led
    double busy;            // seconds that this rank worked on members
    ww_error *error;        // of the only member
} crews;

// Members of which only the Gram matrix is wanted.
static ww_status list_only_gram(crews *self, ww_error *error)
{
    const ww_session *session = self->session;
    self->only_gram =
        ww_allocate(session->members.count, sizeof *self->only_gram, "the members", error);
    if (self->only_gram == NULL)
        return WW_FAILED;
    for (size_t i = 0; i < session->members.count; i++)
        self->only_gram[i] = ww_session_wants_only_gram(session, i);
    return WW_OK;
}

static ww_status plan(crews *self, const bool *skip, ww_error *error)
{
    ww_session *session = self->session;
    const ww_parallel *parallel = session->parallel;
    const size_t members = session->members.count;
    ww_crews_job *job = &self->job;
    *job = (ww_crews_job){.members = &session->members,
                          .skip = skip,
                          .ranks = parallel->size,
                          .sample_groups = parallel->sample_groups,
                          .divides_data = session->cache.data.is_divided};
    WW_TRY(ww_memory_for_rank(parallel, &job->memory, error));
    if (job->memory < INT64_MAX)
        job->memory = (int64_t)(WW_CREW_MEMORY_SHARE * (double)job->memory);
    WW_TRY(ww_nodes_fullest(parallel, &job->ranks_a_node, error));
    self->tasks = ww_allocate(members, sizeof *self->tasks, "the division of ranks", error);
    self->positions = ww_allocate(members, sizeof *self->positions, "the division of ranks", error);
    ww_status status = self->tasks == NULL || self->positions == NULL ? WW_FAILED : WW_OK;
    if (status == WW_OK)
        status = list_only_gram(self, error);
    job->only_gram = self->only_gram;
    if (status == WW_OK)
        status = ww_crews_divide(job, self->tasks, &self->count, &self->division, error);
    WW_TRY(ww_agree(parallel, status, error));
    size_t task = 0;
    for (size_t i = 0; i < members; i++)
        if (skip == NULL || !skip[i]) {
            self->all_work += ww_task_work(&self->tasks[task]);
            self->positions[task++] = i;
        }
    if (parallel->rank == 0)
        status = ww_store_identify(session->path, self->file_mark, error);
    WW_TRY(ww_agree(parallel, status, error));
    for (size_t i = 0; i < members; i++)
        session->members.list[i].layout.file_mark = self->file_mark;
    return ww_broadcast(parallel, self->file_mark, sizeof self->file_mark, 0, error);
}

// Warns of the first member that leaves ranks idle while it runs.
static void warn_of_idle_ranks(const crews *self)
{
    char line[256];
    for (size_t s = 0; s < self->division.stage_count; s++) {
        const ww_stage *stage = &self->division.stages[s];
        for (size_t i = stage->first; i < stage->first + stage->count; i++) {
            const size_t task = self->division.order[i];
            const ww_app_member *member = &self->session->members.list[self->positions[task]];
            // Beside the crew of the only one nobody has anything to do.
            const int ranks = self->count == 1 ? self->job.ranks : stage->ranks;
            if (!ww_idle_ranks_text(member, &self->tasks[task], ranks, self->job.sample_groups,
                                    line, sizeof line))
                continue;
            fprintf(stderr, "widthwise: warning: %s\n", line);
            return;
        }
    }
}

static bool is_outcome(ww_status status)
{
    return status == WW_OK || status == WW_DIVERGED || status == WW_STOPPED;
}

// Says that a member failed and marks it so. Rank 0 of the crew.
static void tell_failure(crews *self, const ww_app_member *member, const ww_error *reason)
{
    if (self->session->members.count > 1) {
        char line[WW_MESSAGE_SIZE + 16];
        (void)snprintf(line, sizeof line, "widthwise: %s\n", reason->message);
        fputs(line, stderr);
    }
    ww_error ignored = {0}; // what failed the member may fail this too; it is said all the same
    (void)ww_store_mark_failed(self->session->path, self->file_mark, member->index, reason->message,
                               &ignored);
}

// Whether the file is no more what this job began with: then nothing that is left to do has a
// place.
static bool is_lost(const crews *self)
{
    int64_t found[2] = {0};
    ww_error ignored = {0};
    return ww_store_identify(self->session->path, found, &ignored) != WW_OK ||
           memcmp(found, self->file_mark, sizeof found) != 0;
}

// What a member's end means for the crew and for the others: known on its rank 0.
typedef enum consequence {
    CREW_GOES_ON, // with the next member
    CREW_ENDS,    // its time is over; others have their own margins
    ALL_END       // somebody asked for it, or the file is lost
} consequence;

static consequence consequence_of(crews *self, ww_status status)
{
    const ww_ending *ending = &self->session->ending;
    if (!is_outcome(status) && is_lost(self)) {
        self->result.lost++;
        return ALL_END;
    }
    if (!ending->agreed)
        return CREW_GOES_ON;
    if (ending->lacks_room) // only the results of this member
        return CREW_GOES_ON;
    return ending->out_of_time ? CREW_ENDS : ALL_END;
}

// Brings it about. Collective over the crew.
static ww_status draw_consequence(crews *self, const ww_parallel *crew, consequence drawn,
                                  ww_error *error)
{
    ww_ending *ending = &self->session->ending;
    int64_t word = drawn;
    WW_TRY(ww_broadcast(crew, &word, sizeof word, 0, error));
    if (word == CREW_GOES_ON)
        ww_ending_go_on(ending);
    else
        ending->agreed = true;
    if (word == ALL_END && crew->rank == 0)
        ww_overview_end_all(&self->overview);
    return WW_OK;
}

// A member that would take the whole job down with it is not begun.
static ww_status fail_memory(const crews *self, size_t member, ww_error *error)
{
    const int ranks = self->job.ranks;
    int64_t peak = 0;
    char needs[32];
    char has[32];
    WW_TRY(ww_crews_peak(&self->job, member, ranks, &peak, error));
    ww_bytes_text((double)peak, needs, sizeof needs);
    ww_bytes_text((double)self->job.memory, has, sizeof has);
    return ww_fail(
        error, WW_FAILED,
        "it needs %s on a rank when %s%d rank%s work%s on it, and %s is free for each; give "
        "the job more nodes, or fewer ranks a node",
        needs, ranks == 1 ? "" : "all ", ranks, ranks == 1 ? "" : "s", ranks == 1 ? "s" : "", has);
}

// A run that is the only one is tried even so: what it takes is an upper estimate. Where that was
// none a system ends it without a word.
static void warn_of_memory(crews *self, size_t position)
{
    const ww_app_member *member = &self->session->members.list[position];
    ww_error lack = {0};
    (void)fail_memory(self, position, &lack);
    ww_progress_begin(&self->progress,
                      member->label[0] != '\0' ? member->label : member->config->name, 0);
    ww_progress_warn(&self->progress, "warning: %s", lack.message);
}

// Runs a task on the crew, and takes down what becomes of it.
static ww_status run_task(crews *self, const ww_parallel *crew, size_t task, ww_error *failure)
{
    ww_session *session = self->session;
    const ww_app_member *member = &session->members.list[self->positions[task]];
    const bool leads = crew->rank == 0;
    const double began = ww_seconds();
    ww_error error = {0};
    self->progress.member = (int64_t)self->positions[task] + 1;
    if (leads)
        ww_overview_begin(&self->overview, self->all_work > 0.0
                                               ? ww_task_work(&self->tasks[task]) / self->all_work
                                               : 0.0);
    if (leads && self->count == 1 && !self->tasks[task].fits)
        warn_of_memory(self, self->positions[task]);
    bool advanced = false;
    ww_profile *profile = crew->profile;
    const int before = ww_phase_enter(profile, WW_PHASE_OTHER);
    ww_profile beginning;
    if (profile != NULL)
        beginning = *profile;
    const ww_status status = self->tasks[task].fits || self->count == 1
                                 ? ww_session_run_member(session, crew, self->positions[task],
                                                         &self->progress, &advanced, &error)
                                 : fail_memory(self, self->positions[task], &error);
    ww_phase_leave(profile, before);
    if (profile != NULL && session->members.count > 1)
        ww_app_profile_tell_member(profile, &beginning, &self->progress);
    consequence drawn = CREW_GOES_ON;
    if (leads) {
        ww_overview_ended(&self->overview, status);
        drawn = consequence_of(self, status);
        if (!is_outcome(status)) {
            ww_app_name_member(member->index, member->label, &error);
            tell_failure(self, member, &error);
        }
        ww_crews_result *result = &self->result;
        int64_t *end = status == WW_OK         ? &result->done
                       : status == WW_DIVERGED ? &result->diverged
                       : status == WW_STOPPED  ? &result->stopped
                                               : &result->failed;
        ++*end;
        result->advanced += advanced;
    }
    if (!is_outcome(status) && session->members.count == 1)
        *self->error = error;
    self->busy += ww_seconds() - began;
    return draw_consequence(self, crew, drawn, failure);
}

// A crew in a stage.
typedef struct crew {
    ww_parallel parallel;
    int first_rank; // of all ranks
    size_t stage;
    size_t next; // place in the stage from which on the model's next task for it is looked for
} crew;

// Without a common queue each crew has the tasks that the model foresees for it: place in the
// stage, -1 for none.
static int64_t foreseen_task(const crews *self, crew *at)
{
    const ww_stage *stage = &self->division.stages[at->stage];
    while (at->next < stage->count) {
        const size_t place = at->next++;
        if (self->division.first_rank[self->division.order[stage->first + place]] == at->first_rank)
            return (int64_t)place;
    }
    return -1;
}

// The place in the stage of the next task for this crew, -1 when there is none, or when the job is
// to end.
static ww_status take_task(crews *self, crew *at, int64_t *taken, ww_error *error)
{
    const ww_parallel *parallel = &at->parallel;
    ww_ending *ending = &self->session->ending;
    ww_status status = WW_OK;
    *taken = -1;
    if (!ending->agreed) {
        WW_TRY(ww_ending_agree(ending, parallel, error));
        if (ending->agreed && parallel->rank == 0 && !ending->out_of_time)
            ww_overview_end_all(&self->overview);
    }
    if (ending->agreed)
        return WW_OK;
    if (!self->has_queues) {
        *taken = foreseen_task(self, at);
        return WW_OK;
    }
    if (parallel->rank == 0)
        status = ww_board_add(self->overview.board, WW_OVERVIEW_WORDS + at->stage, 1, taken, error);
    WW_TRY(ww_agree(parallel, status, error));
    WW_TRY(ww_broadcast(parallel, taken, sizeof *taken, 0, error));
    if (*taken >= (int64_t)self->division.stages[at->stage].count)
        *taken = -1;
    return WW_OK;
}

static ww_status work_stage(crews *self, crew *at, ww_error *error)
{
    const ww_stage *stage = &self->division.stages[at->stage];
    self->progress.leads = at->parallel.rank == 0;
    self->progress.speaks = at->parallel.rank == 0 && !self->session->quiet;
    ww_ending_divide(&self->session->ending, &at->parallel,
                     self->has_queues ? &self->overview : NULL);
    int64_t taken = -1;
    WW_TRY(take_task(self, at, &taken, error));
    while (taken >= 0) {
        WW_TRY(run_task(self, &at->parallel, self->division.order[stage->first + (size_t)taken],
                        error));
        WW_TRY(take_task(self, at, &taken, error));
    }
    return WW_OK;
}

// Splits the ranks into the crews of a stage, which work it off and go on to the next one.
static ww_status work(crews *self, const ww_parallel *ranks, int first_rank, size_t stage,
                      ww_error *error)
{
    if (stage == self->division.stage_count)
        return WW_OK;
    const int size = self->division.stages[stage].ranks;
    crew at = {.stage = stage};
    WW_TRY(ww_parallel_split(ranks, ww_crew_of_rank(ranks->size, size, ranks->rank), &at.parallel,
                             error));
    at.first_rank = first_rank + ranks->rank - at.parallel.rank;
    ww_status status = work_stage(self, &at, error);
    if (status == WW_OK && !self->session->ending.agreed)
        status = work(self, &at.parallel, at.first_rank, stage + 1, error);
    ww_parallel_destroy(&at.parallel);
    return status;
}

static void wait_and_tell(void *context)
{
    crews *self = context;
    ww_progress_wait(&self->progress);
    (void)ww_board_look(self->overview.board, 0); // others may need it
}

// Shares of the time since the start that ranks worked on members.
static ww_status say_busy(const crews *self, ww_error *error)
{
    const ww_parallel *parallel = self->session->parallel;
    const double share = self->busy / (ww_seconds() - self->session->began);
    double *shares = ww_allocate((size_t)parallel->size, sizeof *shares, "shares", error);
    WW_TRY(ww_agree(parallel, shares == NULL ? WW_FAILED : WW_OK, error));
    WW_ASSERT(shares != NULL);
    const double began = ww_call_begin(parallel->profile);
    const int code = ww_call_end(
        parallel->profile, WW_CALL_SHARES, sizeof share, began,
        MPI_Gather(&share, 1, MPI_DOUBLE, shares, 1, MPI_DOUBLE, 0, parallel->communicator));
    if (code == MPI_SUCCESS && parallel->rank == 0 && !self->session->quiet) {
        double sum = 0.0;
        int least = 0;
        for (int rank = 0; rank < parallel->size; rank++) {
            sum += shares[rank];
            least = shares[rank] < shares[least] ? rank : least;
        }
        printf("ranks were at work on runs for %.1f%% of the time", 100.0 * sum / parallel->size);
        if (parallel->size <= MOST_SHARES_TOLD)
            for (int rank = 0; rank < parallel->size; rank++)
                printf("%s%.1f%%%s", rank == 0 ? " (" : ", ", 100.0 * shares[rank],
                       rank + 1 == parallel->size ? ")" : "");
        else
            printf(", rank %d the least: %.1f%%", least, 100.0 * shares[least]);
        printf("\n");
    }
    free(shares);
    return WW_OK;
}

// What all ranks together did.
static ww_status gather(crews *self, ww_crews_result *result, ww_error *error)
{
    int64_t words[] = {self->result.done,     self->result.failed,
                       self->result.diverged, self->session->ending.by_time,
                       self->result.advanced, self->result.lost};
    const size_t count = sizeof words / sizeof words[0];
    WW_TRY(ww_sum_words(self->session->parallel, words, count, error));
    *result = (ww_crews_result){.done = words[0],
                                .failed = words[1],
                                .diverged = words[2],
                                .advanced = words[4],
                                .by_time = words[3] > 0,
                                .lost = words[5]};
    // Those that nobody took wait for `resume`.
    result->stopped = (int64_t)self->count - result->done - result->failed - result->diverged;
    return WW_OK;
}

static ww_status run(crews *self, const bool *skip, ww_crews_result *result, ww_error *error)
{
    const ww_parallel *parallel = self->session->parallel;
    WW_TRY(ww_train_check(parallel, error));
    WW_TRY(plan(self, skip, error));
    // One member needs no queue: rank 0 keeps its board for itself.
    const ww_parallel alone = {.communicator = MPI_COMM_SELF, .rank = 0, .size = 1};
    WW_TRY(ww_board_create(self->count > 1 ? parallel : &alone,
                           WW_OVERVIEW_WORDS + self->division.stage_count, &self->overview.board,
                           error));
    self->has_queues = self->count > 1 && ww_board_is_shared(self->overview.board);
    if (self->count > 1 && !self->has_queues && parallel->rank == 0)
        fprintf(stderr, "widthwise: warning: MPI has no one-sided communication between these "
                        "nodes, so runs are divided among ranks beforehand, by how long they are "
                        "expected to take\n");
    self->overview.members = (int64_t)self->count;
    self->overview.began = ww_seconds();
    self->progress = (ww_progress){.watches = parallel->rank == 0,
                                   .last = ww_seconds(),
                                   .member_count = (int64_t)self->session->members.count,
                                   .overview = self->has_queues ? &self->overview : NULL};
    if (parallel->rank == 0)
        warn_of_idle_ranks(self);
    if (parallel->rank == 0 && self->count > 1 && self->division.share < LOW_SHARE)
        fprintf(
            stderr,
            "widthwise: warning: these %zu runs are expected to keep %d ranks at work for %.0f%% "
            "of the time; fewer ranks would do\n",
            self->count, parallel->size, 100.0 * self->division.share);
    ww_profile *profile = parallel->profile;
    const int before = ww_phase_enter(profile, WW_PHASE_OTHER);
    const ww_status status = work(self, parallel, 0, 0, error);
    (void)ww_phase_enter(profile, WW_PHASE_WAITING);
    WW_TRY(ww_phase_done(profile, before, ww_wait_for_all(parallel, wait_and_tell, self, error)));
    WW_TRY(ww_agree(parallel, status, error));
    WW_TRY(gather(self, result, error));
    return self->count > 1 ? say_busy(self, error) : WW_OK;
}

ww_status ww_crews_run(ww_session *session, const bool *skip, ww_crews_result *result,
                       ww_error *error)
{
    *result = (ww_crews_result){0};
    crews self = {.session = session, .error = error};
    const ww_status status = run(&self, skip, result, error);
    ww_board_free(self.overview.board);
    ww_division_free(&self.division);
    free(self.tasks);
    free(self.positions);
    free(self.only_gram);
    return status;
}
