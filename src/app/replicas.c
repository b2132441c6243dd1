// Replicas are handed out one by one from a counter that the ranks of a crew share. They meet after
// as many as take about the time between two commits: then every replica that was handed out is
// done, so that those in the file are always the first so many.

#include "app/replicas.h"

#include "app/conditions.h"
#include "app/course.h"
#include "app/profile.h"
#include "widthwise/board.h"
#include "widthwise/clock.h"
#include "widthwise/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double SHORTEST_ROUND = 0.2;  // seconds
static const double GLANCE_SECONDS = 0.05; // between two looks at what else goes on

// What one rank keeps. Results of a round are rows of `words` words.
typedef struct replicas {
    const char *path;
    const ww_app_member *member;
    const ww_config *config;
    const ww_dataset *shared; // NULL: each replica has its own data
    const ww_parallel *crew;
    ww_parallel alone; // this rank for itself
    ww_ending *ending;
    ww_progress *progress;
    ww_board *board; // one word: handed out in this round
    ww_store *store; // on rank 0 of the crew
    int64_t words;   // of a row
    int64_t *rows;   // [capacity, words] of this rank, in the order in which they were done
    int64_t *numbers;
    int64_t count, capacity;
    int64_t *all; // [round, words] on rank 0: the round in order
    int64_t all_capacity;
    double *results;        // [final values]
    const double **columns; // [fields of the trajectory], in the row at hand
    ww_config replica;      // whose data set is in the cache
    ww_data_cache cache;
    int64_t done, first; // replicas in the file, now and at the start
    double longest;      // seconds of one replica
    double last_glance;  // time
    int64_t diverged;    // of all that are done
} replicas;

bool ww_app_replicas_share_data(const ww_config *config)
{
    return (config->replica_seeds & WW_SEED_DATA) == 0 || !ww_config_draws_data(config);
}

// Where the parts of a row begin.
static int64_t *trajectory_of(const replicas *self, int64_t *row)
{
    return row + 2 + self->member->layout.records;
}

static void blank_row(const replicas *self, int64_t *row)
{
    const double unknown = NAN;
    const int64_t records = self->member->layout.records;
    for (int64_t i = 0; i < 2 + records; i++)
        row[i] = -1;
    for (int64_t i = 2 + records; i < self->words; i++)
        memcpy(&row[i], &unknown, sizeof unknown);
}

// Takes the last record of the course into the row as record number `record`.
static void keep_record(const replicas *self, const ww_course *course, int64_t record, int64_t *row)
{
    const ww_member_layout *layout = &self->member->layout;
    WW_ASSERT(record < layout->records);
    row[2 + record] = ww_course_step(course);
    int64_t *columns = trajectory_of(self, row);
    const double *values = course->values;
    for (size_t i = 0; i < layout->trajectory_count; i++) {
        const int64_t size = ww_field_size(&layout->trajectory[i]);
        memcpy(columns + record * size, values, (size_t)size * sizeof *columns);
        columns += layout->records * size;
        values += size;
    }
}

// Results and predictions, behind the trajectory.
static ww_status keep_results(const replicas *self, const ww_course *course, int64_t records,
                              int64_t *row, ww_error *error)
{
    const ww_member_layout *layout = &self->member->layout;
    const int64_t final_values = ww_measure_final_values(self->member->plan);
    int64_t *trajectory = trajectory_of(self, row);
    int64_t *final = trajectory + layout->records * ww_measure_values(self->member->plan);
    const int before = ww_phase_enter(self->crew->profile, WW_PHASE_RESULTS);
    WW_TRY(ww_measure_finish(self->member->plan, &course->problem, course->origin, course->engine,
                             course->carry, NULL, NULL, self->results, error));
    memcpy(final, self->results, (size_t)final_values * sizeof *final);
    const int64_t *column = trajectory;
    for (size_t i = 0; i < layout->trajectory_count; i++) {
        self->columns[i] = (const double *)(const void *)column;
        column += layout->records * ww_field_size(&layout->trajectory[i]);
    }
    ww_zou_gu_data deep = {0};
    if (ww_theory_is_deep(&self->member->theory_plan))
        WW_TRY(ww_zou_gu_measure(course->problem.config, course->data, &self->alone,
                                 ww_theory_takes_kernels(&self->member->theory_plan), &deep,
                                 error));
    const ww_theory_inputs inputs = {.data = course->data,
                                     .rows = records,
                                     .steps = row + 2,
                                     .columns = self->columns,
                                     .deep = &deep};
    ww_theory_compute(&self->member->theory_plan, &inputs,
                      (double *)(void *)(final + final_values));
    ww_phase_leave(self->crew->profile, before);
    return WW_OK;
}

// Looks up now and then: whether this rank is asked to end (rank 0 knows of time, stop file and
// other crews), and at the boards, since others may need this rank for theirs.
static bool is_to_end(replicas *self)
{
    const double now = ww_seconds();
    if (ww_ending_signalled())
        return true;
    if (now - self->last_glance < GLANCE_SECONDS)
        return false;
    self->last_glance = now;
    (void)ww_board_look(self->board, 0);
    return ww_ending_asked(self->ending);
}

// Steps and records until the end. `*records` counts those kept.
static ww_status train(replicas *self, ww_course *course, int64_t *records, int64_t *row,
                       ww_error *error)
{
    WW_TRY(ww_course_settle(course, error));
    WW_TRY(ww_course_record(course, error));
    keep_record(self, course, (*records)++, row);
    while (!ww_course_is_over(course)) {
        int64_t wished = 0;
        if (is_to_end(self))
            return ww_fail(error, WW_STOPPED, "the job is to end");
        WW_TRY(ww_course_advance(course, 0, &wished, error));
        if (!ww_course_wants_record(course))
            continue;
        WW_TRY(ww_course_record(course, error));
        keep_record(self, course, (*records)++, row);
    }
    return WW_OK;
}

// Runs replica `number` into `row`. WW_STOPPED: a signal came in the middle.
static ww_status run_replica(replicas *self, int64_t number, int64_t *row, ww_error *error)
{
    const ww_config config = ww_config_replica(self->config, number);
    const ww_dataset *data = self->shared;
    if (data == NULL) {
        ww_data_cache_free(&self->cache);
        self->replica = config;
        WW_TRY(ww_data_cache_get(&self->cache, &self->replica, &self->alone, error));
        data = &self->cache.data;
    }
    ww_course course;
    int64_t records = 0;
    blank_row(self, row);
    ww_status status =
        ww_course_create(self->path, self->member, &config, data, &self->alone, &course, error);
    if (status == WW_OK)
        status = train(self, &course, &records, row, error);
    if (status == WW_OK)
        status = keep_results(self, &course, records, row, error);
    if (status == WW_OK || status == WW_DIVERGED) {
        row[0] = status == WW_OK ? WW_RUN_DONE : WW_RUN_DIVERGED;
        row[1] = ww_course_step(&course);
        status = WW_OK;
    }
    ww_course_free(&course);
    return status;
}

// Room for one more row of this rank.
static ww_status reserve(replicas *self, ww_error *error)
{
    if (self->count < self->capacity)
        return WW_OK;
    const int64_t capacity = self->capacity == 0 ? 16 : 2 * self->capacity;
    int64_t *rows = ww_allocate((size_t)capacity, (size_t)self->words * sizeof *rows,
                                "results of replicas", error);
    int64_t *numbers = ww_allocate((size_t)capacity, sizeof *numbers, "results of replicas", error);
    if (rows == NULL || numbers == NULL) {
        free(rows);
        free(numbers);
        return WW_FAILED;
    }
    if (self->count > 0) {
        memcpy(rows, self->rows, (size_t)(self->count * self->words) * sizeof *rows);
        memcpy(numbers, self->numbers, (size_t)self->count * sizeof *numbers);
    }
    free(self->rows);
    free(self->numbers);
    self->rows = rows;
    self->numbers = numbers;
    self->capacity = capacity;
    return WW_OK;
}

// This rank's part of the round that ends before replica `limit`.
static ww_status work(replicas *self, int64_t limit, ww_error *error)
{
    self->count = 0;
    while (!is_to_end(self)) {
        int64_t taken = 0;
        WW_TRY(ww_board_add(self->board, 0, 1, &taken, error));
        if (!ww_board_is_shared(self->board)) // without a common counter the ranks take turns
            taken = taken * self->crew->size + self->crew->rank;
        const int64_t number = self->done + taken;
        if (number >= limit)
            return WW_OK;
        WW_TRY(reserve(self, error));
        const double began = ww_seconds();
        const ww_status status =
            run_replica(self, number, self->rows + self->count * self->words, error);
        if (status == WW_STOPPED)
            return WW_OK; // it is not among those that are done
        if (status != WW_OK) {
            ww_error_prefix(error, "replica %lld: ", (long long)number);
            return status;
        }
        self->numbers[self->count++] = number;
        self->longest = fmax(self->longest, ww_seconds() - began);
    }
    return WW_OK;
}

static ww_status reserve_all(replicas *self, int64_t rows, ww_error *error)
{
    if (rows <= self->all_capacity)
        return WW_OK;
    free(self->all);
    self->all_capacity = 0;
    self->all = ww_allocate((size_t)rows, (size_t)self->words * sizeof *self->all,
                            "results of a round of replicas", error);
    if (self->all == NULL)
        return WW_FAILED;
    self->all_capacity = rows;
    return WW_OK;
}

// Rows of one rank to their places. Marks them in `there` [round].
static void place_rows(replicas *self, const int64_t *numbers, const int64_t *rows, int64_t count,
                       bool *there)
{
    for (int64_t i = 0; i < count; i++) {
        const int64_t place = numbers[i] - self->done;
        WW_ASSERT(place >= 0 && place < self->all_capacity);
        memcpy(self->all + place * self->words, rows + i * self->words,
               (size_t)self->words * sizeof *rows);
        there[place] = true;
    }
}

// What rank 0 needs to bring a round in order.
typedef struct ordering {
    bool *there;             // [round] replicas that are done
    int64_t *numbers, *rows; // [round], [round, words] of another rank
} ordering;

static void ordering_free(ordering *self)
{
    free(self->there);
    free(self->numbers);
    free(self->rows);
}

static ww_status ordering_make(replicas *self, int64_t round, ordering *made, ww_error *error)
{
    made->there = ww_allocate((size_t)round, sizeof *made->there, "a round of replicas", error);
    made->numbers = ww_allocate((size_t)round, sizeof *made->numbers, "a round of replicas", error);
    made->rows = ww_allocate((size_t)round, (size_t)self->words * sizeof *made->rows,
                             "a round of replicas", error);
    if (made->there == NULL || made->numbers == NULL || made->rows == NULL)
        return WW_FAILED;
    return reserve_all(self, round, error);
}

// Brings the rows of all ranks to rank 0, in order. `*whole` is how many follow those in the file
// without a gap.
static ww_status gather(replicas *self, int64_t round, int64_t *whole, ww_error *error)
{
    enum { TAG_COUNT, TAG_NUMBERS, TAG_ROWS };
    const ww_parallel *crew = self->crew;
    ordering order = {0};
    *whole = 0;
    // Nobody sends before rank 0 has the memory to receive.
    ww_status status = crew->rank == 0 ? ordering_make(self, round, &order, error) : WW_OK;
    status = ww_agree(crew, status, error);
    if (status == WW_OK && crew->rank != 0) {
        ww_send_words(crew, &self->count, 1, TAG_COUNT);
        ww_send_words(crew, self->numbers, self->count, TAG_NUMBERS);
        ww_send_words(crew, self->rows, self->count * self->words, TAG_ROWS);
    } else if (status == WW_OK) {
        place_rows(self, self->numbers, self->rows, self->count, order.there);
        for (int rank = 1; rank < crew->size; rank++) {
            int64_t count = -1;
            ww_receive_words(crew, &count, 1, rank, TAG_COUNT);
            ww_receive_words(crew, order.numbers, count, rank, TAG_NUMBERS);
            ww_receive_words(crew, order.rows, count * self->words, rank, TAG_ROWS);
            place_rows(self, order.numbers, order.rows, count, order.there);
        }
        while (*whole < round && order.there[*whole])
            ++*whole;
    }
    ordering_free(&order);
    return status;
}

// The ranks meet: what is done without a gap is committed.
static ww_status meet(replicas *self, int64_t round, ww_status worked, ww_error *error)
{
    WW_TRY(ww_agree(self->crew, worked, error));
    int64_t whole = 0;
    ww_status status = gather(self, round, &whole, error);
    for (int64_t i = 0; status == WW_OK && i < whole && self->crew->rank == 0; i++)
        self->diverged += self->all[i * self->words] == WW_RUN_DIVERGED;
    const int before = ww_phase_enter(self->crew->profile, WW_PHASE_WRITING);
    if (status == WW_OK && self->crew->rank == 0 && whole > 0)
        status = ww_store_append_replicas(self->store, whole, self->all, error);
    if (status == WW_OK && self->crew->rank == 0 && whole > 0)
        status = ww_store_commit_rows(self->store, error);
    WW_TRY(ww_phase_done(self->crew->profile, before, ww_agree(self->crew, status, error)));
    WW_TRY(ww_broadcast(self->crew, &whole, sizeof whole, 0, error));
    self->done += whole;
    int64_t handed_out = 0; // the counter begins at 0 again
    if (self->crew->rank == 0 || !ww_board_is_shared(self->board)) {
        status = ww_board_add(self->board, 0, 0, &handed_out, error);
        if (status == WW_OK)
            status = ww_board_add(self->board, 0, -handed_out, NULL, error);
    }
    WW_TRY(ww_agree(self->crew, status, error));
    return ww_maximum(self->crew, &self->longest, 1, error);
}

// How many replicas the next round has: as many as take the time between two commits.
static int64_t next_round(const replicas *self, double seconds, int64_t last_round)
{
    const int64_t ranks = self->crew->size;
    const int64_t left = self->config->replicas - self->done;
    const int64_t most = 1 + WW_REPLICA_ROUND_BYTES / (self->words * (int64_t)sizeof(int64_t));
    // Ranks meet a few times before the time is over.
    const double time_left = (self->ending->margin.deadline - ww_seconds()) / 4.0;
    const double wanted =
        fmax(SHORTEST_ROUND, fmin(time_left, self->config->output.commit_seconds));
    int64_t round = ranks;
    if (last_round > 0 && seconds > 0.0) // at most four times as many, should the first be short
        round = (int64_t)fmin(4.0 * (double)last_round, wanted / seconds * (double)last_round);
    round = round < ranks ? ranks : round;
    round = round > most && most >= ranks ? most : round;
    const int64_t until = self->ending->until;
    const int64_t room = until >= 0 && until - self->done < left ? until - self->done : left;
    return round < room ? round : room;
}

static ww_status run_rounds(replicas *self, ww_error *error)
{
    int64_t round = 0;
    double seconds = 0.0;
    while (self->done < self->config->replicas) {
        ww_margin_stepped(&self->ending->margin, self->longest);
        WW_TRY(ww_ending_agree(self->ending, self->crew, error));
        if (self->ending->agreed || (self->ending->until >= 0 && self->done >= self->ending->until))
            return WW_OK;
        round = next_round(self, seconds, round);
        WW_TRY(ww_broadcast(self->crew, &round, sizeof round, 0, error));
        const double began = ww_seconds();
        const ww_status worked = work(self, self->done + round, error);
        WW_TRY(meet(self, round, worked, error));
        seconds = ww_seconds() - began;
        ww_progress_replicas(self->progress, self->done, self->config->replicas);
    }
    return WW_OK;
}

// Rank 0 of the crew alone writes.
static ww_status open_file(replicas *self, const char *path, ww_error *error)
{
    char notice[WW_MESSAGE_SIZE] = "";
    ww_status status = WW_OK;
    const int before = ww_phase_enter(self->crew->profile, WW_PHASE_FILE);
    if (self->crew->rank == 0) {
        ww_member_layout layout = self->member->layout;
        layout.data_hash = self->shared != NULL ? self->shared->hash : 0;
        const ww_tiling tiling = ww_tiling_make(layout.width, 0, 1);
        status = ww_store_open(path, &layout, &self->alone, &tiling, &self->store, error);
        if (status == WW_OK)
            status = ww_store_restore_replicas(self->store, &self->done, &self->diverged, notice,
                                               sizeof notice, error);
    }
    WW_TRY(ww_phase_done(self->crew->profile, before, ww_agree(self->crew, status, error)));
    WW_TRY(ww_broadcast(self->crew, &self->done, sizeof self->done, 0, error));
    self->first = self->done;
    if (notice[0] != '\0')
        ww_progress_warn(self->progress, "warning: %s", notice);
    if (self->done > 0)
        ww_progress_say(self->progress, "going on after %lld of %lld replicas on %d rank%s",
                        (long long)self->done, (long long)self->config->replicas, self->crew->size,
                        self->crew->size == 1 ? "" : "s");
    return WW_OK;
}

static ww_status prepare(replicas *self, const char *path, ww_error *error)
{
    WW_TRY(ww_agree(self->crew, ww_parallel_create(MPI_COMM_SELF, &self->alone, error), error));
    self->alone.profile = self->crew->profile;
    WW_TRY(ww_board_create(self->crew, 1, &self->board, error));
    self->words = ww_store_replica_words(&self->member->layout);
    int64_t words = 0; // of a round in which each rank has one replica: in one message of MPI
    int checked = 0;
    WW_TRY(ww_multiply(self->words, self->crew->size, "the results of replicas", &words, error));
    WW_TRY(ww_to_int(words, "the results of a replica on each rank", &checked, error));
    const int64_t final_values = ww_measure_final_values(self->member->plan);
    self->results = ww_allocate((size_t)final_values, sizeof(double), "results", error);
    self->columns =
        ww_allocate(self->member->layout.trajectory_count, sizeof *self->columns, "results", error);
    const bool has_room = self->results != NULL && self->columns != NULL;
    WW_TRY(ww_agree(self->crew, has_room ? WW_OK : WW_FAILED, error));
    ww_ending_member(self->ending, 0.0, 0.0);
    WW_TRY(open_file(self, path, error));
    ww_progress_begin(self->progress, self->progress->name, self->done);
    if (self->progress->overview != NULL)
        ww_overview_found(self->progress->overview,
                          (double)self->done / (double)self->config->replicas);
    return WW_OK;
}

static ww_status finish(replicas *self, ww_error *error)
{
    const bool all = self->done == self->config->replicas;
    WW_TRY(ww_broadcast(self->crew, &self->diverged, sizeof self->diverged, 0, error));
    const bool none_is_good = all && self->diverged == self->done;
    static const char reason[] = "every replica diverged; a smaller training.rate may help";
    ww_status status = WW_OK;
    const int before = ww_phase_enter(self->crew->profile, WW_PHASE_WRITING);
    if (self->crew->rank == 0)
        status = ww_store_finish(self->store,
                                 none_is_good ? WW_RUN_DIVERGED
                                 : all        ? WW_RUN_DONE
                                              : WW_RUN_STOPPED,
                                 none_is_good ? reason : "", error);
    WW_TRY(ww_phase_done(self->crew->profile, before, ww_agree(self->crew, status, error)));
    if (self->diverged > 0)
        ww_progress_warn(self->progress, "%lld of %lld replicas diverged",
                         (long long)self->diverged, (long long)self->done);
    char duration[64];
    ww_duration_text(ww_seconds() - self->progress->began, duration, sizeof duration);
    if (none_is_good)
        return ww_fail(error, WW_DIVERGED, "%s", reason);
    if (all) {
        ww_progress_say(self->progress, "%lld replicas done in %s",
                        (long long)(self->done - self->first), duration);
        return WW_OK;
    }
    WW_TRY(ww_ending_share_reason(self->ending, self->crew, error));
    ww_progress_say(self->progress, "stopped after %lld of %lld replicas%s%s",
                    (long long)self->done, (long long)self->config->replicas,
                    self->ending->reason[0] != '\0' ? ": " : "", self->ending->reason);
    return ww_fail(error, WW_STOPPED, "stopped after %lld replicas", (long long)self->done);
}

ww_status ww_app_replicas_run(const char *path, const ww_app_member *member, const ww_dataset *data,
                              const ww_parallel *parallel, ww_ending *ending, ww_progress *progress,
                              bool *advanced, ww_error *error)
{
    replicas self = {.path = path,
                     .member = member,
                     .config = member->config,
                     .shared = data,
                     .crew = parallel,
                     .alone = {.communicator = MPI_COMM_NULL},
                     .ending = ending,
                     .progress = progress};
    ww_progress_begin(progress, member->label[0] != '\0' ? member->label : member->config->name, 0);
    ww_status status =
        data != NULL ? ww_conditions_warn(self.config, data, parallel, progress, error) : WW_OK;
    if (status == WW_OK)
        status = prepare(&self, path, error);
    if (status == WW_OK)
        status = run_rounds(&self, error);
    if (status == WW_OK)
        status = finish(&self, error);
    *advanced = self.done > self.first || status == WW_OK;
    ww_store_close(self.store);
    ww_board_free(self.board);
    ww_parallel_destroy(&self.alone);
    ww_data_cache_free(&self.cache);
    free(self.rows);
    free(self.numbers);
    free(self.all);
    free(self.results);
    free(self.columns);
    return status;
}
