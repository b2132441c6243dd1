#include "app/division.h"

#include "widthwise/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// Dividing one member over twice as many ranks costs about this share of their time.
static const double LOSS_OF_DOUBLING = 0.04;
enum { MOST_SIZES = 24, TARGETS = 40, MOST_ROUNDS = 16, MOST_MOVES = 32, MOST_TASKS_TRIED = 2048 };

// A crew at work in the model.
typedef struct simulated {
    int first, ranks;
    double free_at; // time
} simulated;

// The search for a division. `ranks_of` [count] has the chosen crew of each task.
typedef struct search {
    const ww_task *tasks;
    size_t count;
    int ranks;
    int sizes[MOST_SIZES]; // of crews, falling
    size_t size_count;
    int *ranks_of;     // [count] under trial
    int *best;         // [count]
    size_t *order;     // [count]
    simulated *crews;  // [ranks] a heap by free_at
    simulated *spread; // [ranks]
    int *first_rank;   // [count] of the crew of each task; NULL: not asked
    double best_end, best_busy;
} search;

double ww_task_work(const ww_task *task)
{
    return task->training.work + task->gram.work;
}

int ww_crews_of(int ranks, int crew)
{
    return ranks / crew > 0 ? ranks / crew : 1;
}

// First rank of crew `number` of `crews` that `ranks` ranks are spread over.
static int first_rank(int ranks, int crews, int number)
{
    const int each = ranks / crews;
    const int extra = ranks % crews;
    return number * each + (number < extra ? number : extra);
}

int ww_crew_of_rank(int ranks, int crew, int rank)
{
    const int crews = ww_crews_of(ranks, crew);
    int number = 0;
    while (number + 1 < crews && first_rank(ranks, crews, number + 1) <= rank)
        number++;
    return number;
}

// Its parts in rounds, and what division costs.
static double phase_time(const ww_task_phase *phase, int ranks)
{
    const double grain = (double)(phase->grain > 0 ? phase->grain : 1);
    const double used = fmin((double)ranks, grain);
    return phase->work * ceil(grain / used) / grain * (1.0 + LOSS_OF_DOUBLING * log2(used));
}

// Time that a task takes on a crew.
static double time_of(const ww_task *task, int ranks)
{
    return phase_time(&task->training, ranks) + phase_time(&task->gram, ranks);
}

// Ranks P, P/2, P/3, P/4, P/6, P/8, P/12 ... down to 1.
static void list_sizes(search *self)
{
    int divisor = 1;
    self->size_count = 0;
    while (self->size_count + 1 < MOST_SIZES && divisor < self->ranks) {
        const int size = self->ranks / divisor;
        if (self->size_count == 0 || self->sizes[self->size_count - 1] != size)
            self->sizes[self->size_count++] = size;
        const bool power = (divisor & (divisor - 1)) == 0;
        divisor = divisor == 1 ? 2 : power ? divisor / 2 * 3 : divisor / 3 * 4;
    }
    if (self->size_count == 0 || self->sizes[self->size_count - 1] != 1)
        self->sizes[self->size_count++] = 1;
}

// Whether `a` takes the next task before `b`.
static bool comes_before(const simulated *a, const simulated *b)
{
    return a->free_at < b->free_at || (a->free_at == b->free_at && a->ranks > b->ranks);
}

static void sift_down(simulated *heap, size_t count, size_t at)
{
    while (true) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2; child++)
            if (child < count && comes_before(&heap[child], &heap[least]))
                least = child;
        if (least == at)
            return;
        const simulated moved = heap[at];
        heap[at] = heap[least];
        heap[least] = moved;
        at = least;
    }
}

// Splits all crews into those of the next stage.
static size_t split_crews(search *self, size_t count, int size)
{
    size_t made = 0;
    for (size_t i = 0; i < count; i++) {
        const int crews = ww_crews_of(self->crews[i].ranks, size);
        for (int c = 0; c < crews; c++)
            self->spread[made++] = (simulated){
                .first = self->crews[i].first + first_rank(self->crews[i].ranks, crews, c),
                .ranks = first_rank(self->crews[i].ranks, crews, c + 1) -
                         first_rank(self->crews[i].ranks, crews, c),
                .free_at = self->crews[i].free_at};
    }
    memcpy(self->crews, self->spread, made * sizeof *self->crews);
    for (size_t i = made / 2; i-- > 0;)
        sift_down(self->crews, made, i);
    return made;
}

// Tasks by falling ranks, then by falling work, then by number.
typedef struct keyed {
    int ranks;
    double work;
    size_t number;
} keyed;

static int by_stage(const void *a, const void *b)
{
    const keyed *x = a;
    const keyed *y = b;
    if (x->ranks != y->ranks)
        return x->ranks > y->ranks ? -1 : 1;
    if (x->work != y->work)
        return x->work > y->work ? -1 : 1;
    return x->number < y->number ? -1 : 1;
}

static ww_status sort_tasks(const search *self, const int *ranks_of, size_t *order, ww_error *error)
{
    keyed *keys = ww_allocate(self->count, sizeof *keys, "the division of ranks", error);
    if (keys == NULL)
        return WW_FAILED;
    for (size_t i = 0; i < self->count; i++)
        keys[i] = (keyed){ranks_of[i], ww_task_work(&self->tasks[i]), i};
    qsort(keys, self->count, sizeof *keys, by_stage);
    for (size_t i = 0; i < self->count; i++)
        order[i] = keys[i].number;
    free(keys);
    return WW_OK;
}

// Works all tasks off as crews will, and keeps the trial where it ends sooner, by more than a
// hundredth: simpler divisions are tried first.
static ww_status try_division(search *self, ww_error *error)
{
    WW_TRY(sort_tasks(self, self->ranks_of, self->order, error));
    self->crews[0] = (simulated){.ranks = self->ranks};
    size_t crews = 1;
    int size = self->ranks;
    double end = 0.0;
    double busy = 0.0;
    for (size_t i = 0; i < self->count; i++) {
        const size_t number = self->order[i];
        if (self->ranks_of[number] < size) {
            size = self->ranks_of[number];
            crews = split_crews(self, crews, size);
        }
        if (self->first_rank != NULL)
            self->first_rank[number] = self->crews[0].first;
        const double time = time_of(&self->tasks[number], self->crews[0].ranks);
        busy += time * self->crews[0].ranks;
        self->crews[0].free_at += time;
        end = fmax(end, self->crews[0].free_at);
        sift_down(self->crews, crews, 0);
    }
    if (end < 0.99 * self->best_end) {
        self->best_end = end;
        self->best_busy = busy;
        memcpy(self->best, self->ranks_of, self->count * sizeof *self->best);
    }
    return WW_OK;
}

// The smallest crew that fits the memory and is done in time, or the fastest of those that fit.
static int smallest_in_time(const search *self, const ww_task *task, double target)
{
    int chosen = self->sizes[0];
    for (size_t s = 1; s < self->size_count && self->sizes[s] >= task->least_ranks; s++) {
        const double time = time_of(task, self->sizes[s]);
        if (time <= target || time <= time_of(task, chosen))
            chosen = self->sizes[s];
    }
    return chosen;
}

static ww_status try_targets(search *self, ww_error *error)
{
    double shortest = INFINITY;
    double longest = 0.0;
    for (size_t i = 0; i < self->count; i++) {
        shortest = fmin(shortest, time_of(&self->tasks[i], self->ranks));
        longest = fmax(longest, time_of(&self->tasks[i], 1));
    }
    longest = fmax(longest, 1e-300) * 1.001;
    shortest = fmax(shortest, 1e-9 * longest);
    for (int t = 0; t <= TARGETS; t++) {
        const double target = longest * pow(shortest / longest, (double)t / TARGETS);
        for (size_t i = 0; i < self->count; i++)
            self->ranks_of[i] = smallest_in_time(self, &self->tasks[i], target);
        WW_TRY(try_division(self, error));
    }
    return WW_OK;
}

// Equal members rarely fill all crews evenly: lets the last few have larger crews, before the rest.
// `start` [count] is the division that this is tried on.
static ww_status try_remainders(search *self, const int *start, ww_error *error)
{
    const size_t ranks = (size_t)self->ranks;
    const size_t stride = 1 + ranks / MOST_MOVES;
    size_t *order = ww_allocate(self->count, sizeof *order, "the division of ranks", error);
    ww_status status = order == NULL ? WW_FAILED : sort_tasks(self, start, order, error);
    for (size_t s = 0; s < self->size_count && status == WW_OK; s++) {
        // Members at the end of the order have the smallest crews: those are tried with larger
        // ones.
        for (size_t moved = 1; moved < self->count && moved <= ranks; moved += stride) {
            memcpy(self->ranks_of, start, self->count * sizeof *start);
            for (size_t j = 0; j < moved; j++) {
                const size_t number = order[self->count - 1 - j];
                if (self->ranks_of[number] < self->sizes[s])
                    self->ranks_of[number] = self->sizes[s];
            }
            status = try_division(self, error);
            if (status != WW_OK)
                break;
        }
    }
    free(order);
    return status;
}

// Tries it on the smallest crews that fit, and on the best division so far.
static ww_status try_all_remainders(search *self, ww_error *error)
{
    if (self->count > MOST_ROUNDS * (size_t)self->ranks || self->count > MOST_TASKS_TRIED ||
        self->count < 2) // then the end is of little weight, or the search of much
        return WW_OK;
    int *start = ww_allocate(self->count, sizeof *start, "the division of ranks", error);
    if (start == NULL)
        return WW_FAILED;
    memcpy(start, self->best, self->count * sizeof *start);
    ww_status status = try_remainders(self, start, error);
    for (size_t i = 0; i < self->count; i++)
        start[i] = smallest_in_time(self, &self->tasks[i], INFINITY);
    if (status == WW_OK)
        status = try_remainders(self, start, error);
    free(start);
    return status;
}

static ww_status list_stages(search *self, ww_division *division, ww_error *error)
{
    division->order = ww_allocate(self->count, sizeof *division->order, "a division", error);
    division->stages = ww_allocate(MOST_SIZES, sizeof *division->stages, "a division", error);
    division->first_rank =
        ww_allocate(self->count, sizeof *division->first_rank, "a division", error);
    if (division->order == NULL || division->stages == NULL || division->first_rank == NULL)
        return WW_FAILED;
    memcpy(self->ranks_of, self->best, self->count * sizeof *self->best);
    self->first_rank = division->first_rank;
    WW_TRY(try_division(self, error));
    WW_TRY(sort_tasks(self, self->best, division->order, error));
    for (size_t i = 0; i < self->count; i++) {
        const int ranks = self->best[division->order[i]];
        ww_stage *last =
            division->stage_count > 0 ? &division->stages[division->stage_count - 1] : NULL;
        if (last == NULL || last->ranks != ranks)
            division->stages[division->stage_count++] =
                (ww_stage){.ranks = ranks, .first = i, .count = 1};
        else
            last->count++;
    }
    division->share = self->best_end > 0.0 ? self->best_busy / (self->best_end * self->ranks) : 1.0;
    return WW_OK;
}

ww_status ww_division_make(const ww_task *tasks, size_t count, int ranks, ww_division *division,
                           ww_error *error)
{
    WW_ASSERT(ranks >= 1);
    *division = (ww_division){.ranks = ranks};
    search self = {.tasks = tasks, .count = count, .ranks = ranks, .best_end = INFINITY};
    list_sizes(&self);
    self.ranks_of = ww_allocate(count, sizeof *self.ranks_of, "the division of ranks", error);
    self.best = ww_allocate(count, sizeof *self.best, "the division of ranks", error);
    self.order = ww_allocate(count, sizeof *self.order, "the division of ranks", error);
    self.crews = ww_allocate((size_t)ranks, sizeof *self.crews, "the division of ranks", error);
    self.spread = ww_allocate((size_t)ranks, sizeof *self.spread, "the division of ranks", error);
    ww_status status = self.ranks_of == NULL || self.best == NULL || self.order == NULL ||
                               self.crews == NULL || self.spread == NULL
                           ? WW_FAILED
                           : WW_OK;
    if (status == WW_OK)
        status = try_targets(&self, error);
    if (status == WW_OK)
        status = try_all_remainders(&self, error);
    if (status == WW_OK)
        status = list_stages(&self, division, error);
    free(self.ranks_of);
    free(self.best);
    free(self.order);
    free(self.crews);
    free(self.spread);
    if (status != WW_OK)
        ww_division_free(division);
    return status;
}

void ww_division_free(ww_division *division)
{
    free(division->stages);
    free(division->order);
    free(division->first_rank);
    *division = (ww_division){0};
}
