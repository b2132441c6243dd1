#include "app/tune.h"

#include "app/crew_tasks.h"
#include "app/division.h"
#include "app/replicas.h"
#include "widthwise/clock.h"
#include "widthwise/memory.h"
#include "widthwise/train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const double LEAST_SECONDS = 3.0; // for a kind of members

// Members whose steps and records have the same work.
typedef struct kind {
    size_t member; // the first of them
    size_t count;
    double work; // of all of them
} kind;

static bool is_alike(const ww_planning *plan, size_t a, size_t b)
{
    const ww_app_member *one = &plan->members.list[a];
    const ww_app_member *other = &plan->members.list[b];
    const ww_config *first = one->config;
    const ww_config *second = other->config;
    return plan->costs[a].step_flops == plan->costs[b].step_flops &&
           plan->costs[a].record_flops == plan->costs[b].record_flops &&
           ww_member_peak(&plan->costs[a]) == ww_member_peak(&plan->costs[b]) &&
           plan->crew_ranks[a] == plan->crew_ranks[b] && one->layout.width == other->layout.width &&
           one->layout.depth == other->layout.depth && one->layout.batch == other->layout.batch &&
           one->shape.dimension == other->shape.dimension &&
           one->shape.outputs == other->shape.outputs &&
           one->shape.train.count == other->shape.train.count &&
           one->shape.test.count == other->shape.test.count &&
           first->precision == second->precision && first->loss == second->loss &&
           first->training.method == second->training.method &&
           first->training.engine == second->training.engine &&
           first->training.sampling == second->training.sampling &&
           first->measure.every == second->measure.every &&
           first->network.activation.kind == second->network.activation.kind &&
           first->network.hidden.pairs == second->network.hidden.pairs;
}

static double work_of(const ww_planning *plan, size_t i)
{
    const ww_app_member *member = &plan->members.list[i];
    return ww_member_training_work(member, &plan->costs[i]) * (double)plan->crew_ranks[i] *
           (double)member->config->replicas;
}

static int by_falling_work(const void *a, const void *b)
{
    const kind *one = a;
    const kind *other = b;
    if (one->work != other->work)
        return one->work > other->work ? -1 : 1;
    return one->member < other->member ? -1 : 1;
}

// The kinds of members, those with the most work first. `kinds` [members].
static size_t find_kinds(const ww_planning *plan, kind *kinds)
{
    size_t count = 0;
    for (size_t i = 0; i < plan->members.count; i++) {
        size_t j = 0;
        while (j < count && !is_alike(plan, kinds[j].member, i))
            j++;
        if (j == count)
            kinds[count++] = (kind){.member = i};
        kinds[j].count++;
        kinds[j].work += work_of(plan, i);
    }
    qsort(kinds, count, sizeof *kinds, by_falling_work);
    return count;
}

static bool has_ways(const ww_tune *self)
{
    for (size_t i = 0; i < self->count; i++)
        if (self->ways[i].lack[0] == '\0')
            return true;
    return false;
}

// Loads the data set where anything is to be measured on it: on all ranks, or for replicas that
// draw their own on each.
static ww_status load(ww_tune *self, ww_data_cache *cache, ww_error *error)
{
    const ww_config *config = self->plan->members.list[self->member].config;
    if (!has_ways(self))
        return WW_OK;
    const bool draws = config->replicas > 1 && !ww_app_replicas_share_data(config);
    return ww_data_cache_get(cache, config, draws ? &self->crew : self->parallel, error);
}

static ww_status tune_member(ww_tune *self, ww_data_cache *cache, ww_error *error)
{
    const ww_parallel *all = self->parallel;
    WW_TRY(ww_agree(all, ww_tune_find_ways(self, error), error));
    WW_TRY(ww_parallel_split(all, ww_crew_of_rank(all->size, self->crew_ranks, all->rank),
                             &self->crew, error));
    ww_status status = ww_agree(all, load(self, cache, error), error);
    if (status == WW_OK && has_ways(self))
        status = ww_tune_measure(self, &cache->data, error);
    ww_parallel_destroy(&self->crew);
    if (status == WW_OK && all->rank == 0)
        ww_tune_print(self);
    return status;
}

static void print_rest(const ww_planning *plan, const kind *kinds, size_t count, size_t measured,
                       double seconds)
{
    char text[32];
    ww_duration_text(seconds, text, sizeof text);
    if (measured < count)
        printf("\nnot measured: %zu other kind%s of runs, of less work (the next: run%04zu, %s); "
               "--tune=%.0f measures all\n",
               count - measured, count - measured == 1 ? "" : "s", kinds[measured].member,
               plan->members.list[kinds[measured].member].label, LEAST_SECONDS * (double)count);
    printf("\nmeasured for %s; nothing was changed: a configuration alone says which engine it "
           "gets, and `auto` depends on no measurement\n",
           text);
}

static ww_status tune_kinds(const ww_planning *plan, const kind *kinds, size_t count,
                            double seconds, ww_tune *tune, ww_error *error)
{
    const double began = ww_seconds();
    const double room = seconds / LEAST_SECONDS;
    const size_t measured = room >= (double)count ? count : room < 1.0 ? 1 : (size_t)room;
    ww_data_cache cache = {0};
    int64_t memory = 0;
    WW_TRY(ww_memory_for_rank(plan->parallel, &memory, error));
    if (memory < INT64_MAX)
        memory = (int64_t)(WW_CREW_MEMORY_SHARE * (double)memory);
    WW_TRY(ww_train_check(plan->parallel, error));
    ww_status status = WW_OK;
    for (size_t i = 0; status == WW_OK && i < measured; i++) {
        const size_t member = kinds[i].member;
        *tune = (ww_tune){.plan = plan,
                          .parallel = plan->parallel,
                          .member = member,
                          .alike = kinds[i].count,
                          .crew_ranks = plan->members.list[member].config->replicas > 1
                                            ? 1
                                            : plan->crew_ranks[member],
                          .width = plan->members.list[member].layout.width,
                          .diverged = -1,
                          .changing = (double)NAN,
                          .seconds = seconds / (double)measured,
                          .memory = memory};
        status = tune_member(tune, &cache, error);
        if (status != WW_OK)
            ww_app_name_member((int64_t)member, plan->members.list[member].label, error);
    }
    ww_data_cache_free(&cache);
    if (status == WW_OK && plan->parallel->rank == 0)
        print_rest(plan, kinds, count, measured, ww_seconds() - began);
    return status;
}

ww_status ww_tune_members(const ww_planning *plan, double seconds, ww_error *error)
{
    kind *kinds = ww_allocate(plan->members.count, sizeof *kinds, "the kinds of runs", error);
    ww_tune *tune = ww_allocate(1, sizeof *tune, "what is measured", error);
    ww_status status =
        ww_agree(plan->parallel, kinds != NULL && tune != NULL ? WW_OK : WW_FAILED, error);
    if (status == WW_OK)
        status = tune_kinds(plan, kinds, find_kinds(plan, kinds), seconds, tune, error);
    free(kinds);
    free(tune);
    return status;
}
