// widthwise list members.

#include "app/members.h"

#include "app/app.h"
#include "app/crew_tasks.h"
#include "app/experiment.h"
#include "app/options.h"
#include "widthwise/memory.h"
#include "widthwise/text.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct listing {
    const ww_parallel *parallel;
    ww_experiment experiment;
    int64_t ranks;          // of the run
    int64_t ranks_per_node; // 0: as many as this machine has processors
    double node_memory;     // gigabytes, 0: what is free on this machine
    ww_app_members members;
    ww_task *tasks; // [members]
    int *stage_of;  // [members]
    ww_division division;
    ww_crews_job job;
} listing;

static ww_status print_member(const listing *self, size_t i, ww_error *error)
{
    const ww_app_member *member = &self->members.list[i];
    const ww_stage *stage = &self->division.stages[self->stage_of[i]];
    ww_member_cost cost;
    char memory[32];
    char file[32];
    const ww_member_place place = ww_crews_place(&self->job, i, 0, stage->ranks);
    WW_TRY(ww_member_cost_of(member, &place, &cost, error));
    ww_bytes_text((double)ww_member_peak(&cost), memory, sizeof memory);
    ww_bytes_text((double)ww_member_file_bytes(&cost), file, sizeof file);
    printf("  run%04zu  %10.3g  %5d  %5d  %9s  %9s  %s%s\n", i, ww_task_work(&self->tasks[i]),
           self->stage_of[i] + 1, stage->ranks, memory, file,
           member->label[0] != '\0' ? member->label : member->config->name,
           self->tasks[i].fits ? "" : "  DOES NOT FIT");
    return WW_OK;
}

static ww_status print(const listing *self, ww_error *error)
{
    const size_t count = self->members.count;
    printf("%zu run%s on %lld rank%s; crews have work for %.1f%% of the time, as foreseen\n", count,
           count == 1 ? "" : "s", (long long)self->ranks, self->ranks == 1 ? "" : "s",
           100.0 * self->division.share);
    for (size_t s = 0; s < self->division.stage_count; s++) {
        const ww_stage *stage = &self->division.stages[s];
        const int crews = ww_crews_of(ww_int(self->ranks), stage->ranks);
        printf("  stage %zu: %d crew%s of %d rank%s%s, %zu run%s\n", s + 1, crews,
               crews == 1 ? "" : "s", stage->ranks, stage->ranks == 1 ? "" : "s",
               self->ranks % crews != 0 ? " or one more" : "", stage->count,
               stage->count == 1 ? "" : "s");
    }
    printf("\n  %-7s  %10s  %5s  %5s  %9s  %9s\n", "run", "work, flop", "stage", "ranks", "a rank",
           "in file");
    for (size_t i = 0; i < count; i++)
        WW_TRY(print_member(self, i, error));
    return WW_OK;
}

static ww_status divide(listing *self, ww_error *error)
{
    const size_t count = self->members.count;
    self->tasks = ww_allocate(count, sizeof *self->tasks, "the members", error);
    self->stage_of = ww_allocate(count, sizeof *self->stage_of, "the members", error);
    if (self->tasks == NULL || self->stage_of == NULL)
        return WW_FAILED;
    size_t tasks = 0;
    self->job = (ww_crews_job){
        .members = &self->members,
        .ranks = ww_int(self->ranks),
        .ranks_a_node = ww_crews_ranks_a_node(self->ranks_per_node, self->ranks),
        .memory = ww_crews_memory(self->node_memory, self->ranks_per_node, self->ranks)};
    WW_TRY(ww_crews_divide(&self->job, self->tasks, &tasks, &self->division, error));
    for (size_t s = 0; s < self->division.stage_count; s++)
        for (size_t i = 0; i < self->division.stages[s].count; i++)
            self->stage_of[self->division.order[self->division.stages[s].first + i]] = (int)s;
    return WW_OK;
}

static ww_status list(listing *self, ww_error *error)
{
    ww_status status = ww_app_members_prepare(&self->experiment, 0, self->experiment.count, NULL,
                                              NULL, self->parallel, &self->members, error);
    if (status == WW_OK && self->parallel->rank == 0) {
        status = divide(self, error);
        if (status == WW_OK)
            status = print(self, error);
    }
    return ww_agree(self->parallel, status, error);
}

ww_status ww_app_list_members(const ww_parallel *parallel, int count, char **words, ww_error *error)
{
    const char *operands[2] = {NULL}; // "members" and the configuration
    ww_option_texts settings = {0};
    listing self = {.parallel = parallel};
    const ww_option options[] = {
        {"--set", NULL, WW_OPTION_TEXTS, &settings},
        {"--ranks", "-n", WW_OPTION_INTEGER, &self.ranks},
        {"--ranks-per-node", NULL, WW_OPTION_INTEGER, &self.ranks_per_node},
        {"--memory-per-node", NULL, WW_OPTION_GIGABYTES, &self.node_memory},
    };
    ww_status status = ww_options_parse("list members", options, sizeof options / sizeof options[0],
                                        count, words, operands, 2, error);
    int checked = 0;
    if (self.ranks == 0)
        self.ranks = parallel->size;
    if (status == WW_OK)
        status = ww_to_int(self.ranks, "--ranks", &checked, error);
    status = ww_agree(parallel, status, error);
    if (status == WW_OK)
        status = ww_app_read_experiment(parallel, operands[1], &settings, &self.experiment, error);
    if (status == WW_OK)
        status = list(&self, error);
    ww_division_free(&self.division);
    ww_app_members_free(&self.members);
    ww_experiment_free(&self.experiment);
    free(self.tasks);
    free(self.stage_of);
    free(settings.texts);
    return status;
}
