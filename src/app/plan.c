// widthwise plan.

#include "app/plan.h"

#include "app/divided_data.h"
#include "app/sample_groups.h"

#include "app/app.h"
#include "app/conditions.h"
#include "app/experiment.h"
#include "app/node_memory.h"
#include "app/options.h"
#include "app/tune.h"
#include "parallel/workers.h"
#include "widthwise/clock.h"
#include "widthwise/memory.h"
#include "widthwise/text.h"

#include <stdio.h>
#include <stdlib.h>

enum { MOST_LINES = 12 };                                // of members, told one by one
static const int64_t MOST_DATA_BYTES = (int64_t)2 << 30; // loaded to look at conditions

static void print_bytes(const char *what, double bytes)
{
    char text[32];
    ww_bytes_text(bytes, text, sizeof text);
    printf("  %-38s %9s\n", what, text);
}

static int64_t rank_bytes(const ww_planning *self, const ww_member_cost *cost)
{
    return ww_member_peak(cost) + self->calibration.overhead;
}

// How ranks will be divided among the members, and how well those fill them.
static ww_status foresee(ww_planning *self, ww_error *error)
{
    ww_division division;
    size_t count = 0;
    const size_t members = self->members.count;
    self->job = (ww_crews_job){
        .members = &self->members,
        .ranks = ww_int(self->ranks),
        .sample_groups = ww_int(self->sample_groups),
        .ranks_a_node = self->ranks_a_node,
        .memory = self->node_memory > 0.0
                      ? ww_crews_memory(self->node_memory, self->ranks_per_node, self->ranks)
                      : INT64_MAX};
    const ww_data_wish wish = {.members = &self->members,
                               .sample_groups = self->sample_groups,
                               .divides = self->divide_data,
                               .node_bytes = self->node_memory > 0.0
                                                 ? (int64_t)(self->node_memory * WW_GIGABYTE)
                                             : self->is_here ? ww_available_memory()
                                                             : INT64_MAX};
    WW_TRY(ww_data_is_to_be_divided(&wish, &self->job.divides_data, error));
    ww_task *tasks = ww_allocate(members, sizeof *tasks, "the plan", error);
    self->crew_ranks = ww_allocate(members, sizeof *self->crew_ranks, "the plan", error);
    ww_status status = tasks == NULL || self->crew_ranks == NULL ? WW_FAILED : WW_OK;
    if (status == WW_OK)
        status = ww_crews_divide(&self->job, tasks, &count, &division, error);
    if (status == WW_OK) {
        self->share = division.share;
        for (size_t s = 0; s < division.stage_count; s++)
            for (size_t i = 0; i < division.stages[s].count; i++)
                self->crew_ranks[division.order[division.stages[s].first + i]] =
                    division.stages[s].ranks;
        ww_division_free(&division);
    }
    free(tasks);
    return status;
}

static ww_status prepare(ww_planning *self, ww_error *error)
{
    const size_t count = self->experiment.count;
    self->costs = ww_allocate(count, sizeof *self->costs, "the plan", error);
    ww_status status = ww_agree(self->parallel, self->costs != NULL ? WW_OK : WW_FAILED, error);
    if (status == WW_OK)
        status = ww_app_members_prepare(&self->experiment, 0, count, NULL, NULL, self->parallel,
                                        &self->members, error);
    if (status == WW_OK)
        status = ww_sample_groups_check(&self->members, self->sample_groups, self->ranks, error);
    if (status == WW_OK)
        status = foresee(self, error);
    for (size_t i = 0; i < count && status == WW_OK; i++) {
        const ww_member_place place = ww_crews_place(&self->job, i, 0, self->crew_ranks[i]);
        status = ww_member_cost_of(&self->members.list[i], &place, &self->costs[i], error);
        if (status == WW_OK &&
            ww_member_peak(&self->costs[i]) > ww_member_peak(&self->costs[self->largest]))
            self->largest = i;
    }
    return ww_agree(self->parallel, status, error);
}

// What a rank has at its peak, by purpose.
static void print_purposes(const ww_planning *self)
{
    const ww_member_cost *cost = &self->costs[self->largest];
    const char *data = cost->sharers > 1 ? "data set, a rank's part of the node's" : "data set";
    if (self->job.divides_data)
        data = "data set, divided over nodes";
    const int64_t products = ww_member_products_part(cost);
    const int64_t beside =
        ww_member_peak(cost) - cost->weights - cost->data - products - cost->step;
    if (ww_member_peak(cost) == cost->data + cost->loading) {
        print_bytes(data, (double)cost->data);
        print_bytes("room to choose and separate, at first", (double)cost->loading);
        return;
    }
    if (ww_member_peak(cost) == cost->data + cost->labels) {
        print_bytes(data, (double)cost->data);
        print_bytes("room for worst-case labels, at first", (double)cost->labels);
        return;
    }
    if (ww_member_peak(cost) == cost->data + cost->start) {
        print_bytes(data, (double)cost->data);
        print_bytes("room to build weights, at first", (double)cost->start);
        return;
    }
    print_bytes("weights", (double)cost->weights);
    print_bytes(data, (double)cost->data);
    if (products > 0)
        print_bytes(cost->product_sharers > 1 ? "products of samples, a rank's part"
                                              : "products of samples",
                    (double)products);
    print_bytes("room for steps", (double)cost->step);
    const char *what = beside == cost->results && cost->results > cost->record
                           ? "room for results at the end"
                       : beside == cost->record ? "room for records"
                                                : "room for writing";
    print_bytes(what, (double)beside);
}

// Memory of so many ranks. What members on other ranks take meanwhile is not known: then it is what
// they take at most.
static ww_status memory_of(const ww_planning *self, int64_t ranks, double *bytes, ww_error *error)
{
    const size_t largest = self->largest;
    *bytes = (double)ranks * (double)rank_bytes(self, &self->costs[largest]);
    if (self->experiment.count > 1)
        return WW_OK;
    return ww_node_memory(&self->job, largest, self->crew_ranks[largest], ranks,
                          self->calibration.overhead, bytes, error);
}

// Memory of the fullest node and of all ranks.
static ww_status print_sums(const ww_planning *self, ww_error *error)
{
    char text[64];
    double node = 0.0;
    double all = 0.0;
    WW_TRY(memory_of(self, self->ranks_a_node, &node, error));
    WW_TRY(memory_of(self, self->ranks, &all, error));
    if (self->ranks_a_node > 1 && self->ranks_a_node < self->ranks) {
        (void)snprintf(text, sizeof text, "on a node of %lld ranks", (long long)self->ranks_a_node);
        print_bytes(text, node);
    }
    (void)snprintf(text, sizeof text, "on %lld ranks%s", (long long)self->ranks,
                   self->experiment.count == 1 ? "" : ", at most");
    print_bytes(text, all);
    return WW_OK;
}

// Says so where this machine has not the memory for its ranks, of a plan for the ranks that there
// are; of other machines nothing is known but by --memory-per-node.
static ww_status print_lack(const ww_planning *self, ww_error *error)
{
    double bytes = 0.0;
    char text[32];
    const double free_bytes = (double)ww_available_memory();
    if (!self->is_here || self->node_memory > 0.0)
        return WW_OK;
    WW_TRY(memory_of(self, self->ranks_a_node, &bytes, error));
    if (bytes <= free_bytes)
        return WW_OK;
    ww_bytes_text(free_bytes, text, sizeof text);
    printf("  %s: this machine has %s free; --memory-per-node tells how many nodes it takes\n",
           self->experiment.count == 1 ? "DOES NOT FIT" : "MAY NOT FIT", text);
    return WW_OK;
}

static ww_status print_memory(const ww_planning *self, ww_error *error)
{
    const ww_member_cost *cost = &self->costs[self->largest];
    printf("\nmemory of a rank at its peak%s%s\n", self->experiment.count > 1 ? ", for " : "",
           self->members.list[self->largest].label);
    print_purposes(self);
    if (self->calibrates)
        print_bytes("program and libraries, measured here", (double)self->calibration.overhead);
    print_bytes(self->calibrates ? "in all" : "in all, without program and libraries",
                (double)rank_bytes(self, cost));
    if (self->ranks > 1)
        WW_TRY(print_sums(self, error));
    return print_lack(self, error);
}

static void print_file(const ww_planning *self)
{
    ww_store_cost sum = {0};
    for (size_t i = 0; i < self->experiment.count; i++) {
        const ww_store_cost *store = &self->costs[i].store;
        sum.checkpoints += store->checkpoints;
        sum.snapshots += store->snapshots;
        sum.record += store->record;
        sum.results += store->results;
    }
    const int64_t common = ww_store_common_bytes();
    printf("\nfile, all of it reserved at the start\n");
    print_bytes(self->members.list[0].config->replicas > 1 ? "commit pages of each run"
                                                           : "two checkpoints of each run",
                (double)sum.checkpoints);
    if (sum.snapshots > 0)
        print_bytes("snapshots", (double)sum.snapshots);
    if (sum.record > 0)
        print_bytes("record for an outside check", (double)sum.record);
    print_bytes("trajectories, results, provenance", (double)(sum.results + common));
    const int64_t all = sum.checkpoints + sum.snapshots + sum.record + sum.results + common;
    print_bytes("in all", (double)all);
    const int64_t free_bytes = ww_store_free_bytes(".");
    if (all <= free_bytes)
        return;
    char text[32];
    ww_bytes_text((double)free_bytes, text, sizeof text);
    printf(
        "  DOES NOT FIT into this folder, whose file system has %s free; `run` takes another one "
        "with -o\n",
        text);
}

static ww_status print_work(const ww_planning *self, ww_error *error)
{
    const ww_member_cost *cost = &self->costs[self->largest];
    const double ranks = (double)cost->tiling.width / (double)cost->tiling.local_units;
    const ww_member_place alone = {.ranks = 1, .sharers = 1, .all_ranks = 1};
    ww_member_cost whole;
    WW_TRY(ww_member_cost_of(&self->members.list[self->largest], &alone, &whole, error));
    printf("\nwork in matrix products%s%s: %.3g flop a step, %.3g a record, %.3g for results\n",
           self->experiment.count > 1 ? ", for " : "", self->members.list[self->largest].label,
           cost->step_flops * ranks, cost->record_flops * ranks,
           cost->final_flops * ranks + whole.gram_flops + whole.labels_flops);
    return WW_OK;
}

static void print_members(const ww_planning *self)
{
    if (self->experiment.count == 1)
        return;
    printf("\n%zu runs, the first %d:\n", self->experiment.count,
           (int)(self->experiment.count < MOST_LINES ? self->experiment.count : MOST_LINES));
    for (size_t i = 0; i < self->experiment.count && i < MOST_LINES; i++) {
        char memory[32];
        char file[32];
        char time[32] = "";
        ww_bytes_text((double)rank_bytes(self, &self->costs[i]), memory, sizeof memory);
        ww_bytes_text((double)ww_member_file_bytes(&self->costs[i]), file, sizeof file);
        if (self->calibrates)
            ww_duration_text(ww_plan_duration(self, i).total, time, sizeof time);
        printf("  run%04zu  %9s a rank, %9s in the file, %9s  %s\n", i, memory, file, time,
               self->members.list[i].label);
    }
}

// Conditions of the theory, for the largest member: its data set has to be there.
static ww_status print_conditions(const ww_planning *self, ww_error *error)
{
    const ww_config *config = self->members.list[self->largest].config;
    const ww_dataset *shape = &self->members.list[self->largest].shape;
    const int64_t bytes = ww_dataset_bytes(shape, 1) + ww_dataset_loading_bytes(shape);
    int count = 0;
    printf("\nconditions of the theory%s%s:\n", self->experiment.count > 1 ? ", for " : "",
           self->members.list[self->largest].label);
    if (bytes > MOST_DATA_BYTES) {
        printf("  not looked at: the data set is larger than %.3g GB\n",
               (double)MOST_DATA_BYTES / WW_GIGABYTE);
        return WW_OK;
    }
    const ww_parallel alone = {.communicator = MPI_COMM_SELF, .rank = 0, .size = 1};
    ww_dataset data;
    WW_TRY(ww_dataset_load(config, &alone, &data, error));
    const ww_status status = ww_conditions_print(config, &data, stdout, &count, error);
    ww_dataset_free(&data);
    if (status == WW_OK && count == 0)
        printf("  step size, distinct samples and separation are as the papers ask%s\n",
               config->model == WW_MODEL_ZOU_GU ? "; for widths see `widthwise theory`" : "");
    return status;
}

static ww_status print_plan(const ww_planning *self, ww_error *error)
{
    const ww_dataset *shape = &self->members.list[self->largest].shape;
    const ww_config *config = self->members.list[self->largest].config;
    char ranks[64];
    ww_ranks_text(self->ranks, ww_workers_given(), ranks, sizeof ranks);
    printf("%s: %zu run%s on %s\n", config->name, self->experiment.count,
           self->experiment.count == 1 ? "" : "s", ranks);
    const ww_parallel alone = {.communicator = MPI_COMM_NULL, .rank = 0, .size = 1};
    ww_problem problem;
    char engine[64];
    ww_problem_describe(config, shape, &alone, &problem);
    ww_engine_describe(&problem, engine, sizeof engine);
    printf("%s", self->experiment.count > 1 ? "largest: " : "");
    if (config->network.depth > 1)
        printf("L = %lld, ", (long long)config->network.depth);
    printf("m = %lld, d = %lld, k = %lld, n = %lld train and %lld test samples, B = %lld, T = "
           "%lld, %s\n",
           (long long)config->network.width, (long long)shape->dimension, (long long)shape->outputs,
           (long long)shape->train.count, (long long)shape->test.count,
           (long long)self->members.list[self->largest].layout.batch,
           (long long)config->training.steps, engine);
    WW_TRY(print_memory(self, error));
    print_file(self);
    WW_TRY(print_work(self, error));
    if (self->calibrates)
        ww_plan_print_time(self);
    print_members(self);
    WW_TRY(ww_plan_print_ranks(self, error));
    return print_conditions(self, error);
}

static ww_status tune(const ww_planning *self, ww_error *error)
{
    char ranks[64];
    ww_ranks_text(self->ranks, ww_workers_given(), ranks, sizeof ranks);
    if (self->parallel->rank == 0)
        printf("%s: %zu run%s on %s, what steps take by each engine\n",
               self->members.list[0].config->name, self->experiment.count,
               self->experiment.count == 1 ? "" : "s", ranks);
    return ww_tune_members(self, self->tune_seconds, error);
}

static ww_status plan(ww_planning *self, ww_error *error)
{
    WW_TRY(prepare(self, error));
    if (self->tune_seconds > 0.0)
        return tune(self, error);
    if (self->calibrates)
        WW_TRY(ww_calibrate(&self->members.list[self->largest],
                            &self->members.list[self->largest].shape, ".", self->parallel,
                            &self->calibration, error));
    ww_status status = WW_OK;
    if (self->parallel->rank == 0)
        status = print_plan(self, error);
    return ww_agree(self->parallel, status, error);
}

// The run's ranks and how they lie on nodes: as here, where it has as many as there are here.
static ww_status check_ranks(ww_planning *self, int64_t fullest, ww_error *error)
{
    if (self->ranks == 0)
        self->ranks = self->parallel->size;
    self->is_here = self->ranks == self->parallel->size && self->ranks_per_node == 0;
    self->ranks_a_node =
        ww_crews_ranks_a_node(self->is_here ? fullest : self->ranks_per_node, self->ranks);
    int checked = 0;
    WW_TRY(ww_to_int(self->sample_groups, "--sample-groups", &checked, error));
    return ww_to_int(self->ranks, "--ranks", &checked, error);
}

// What is measured is what there is.
static ww_status check_tuning(const ww_planning *self, bool quick, ww_error *error)
{
    const char *other = self->ranks > 0            ? "--ranks"
                        : self->ranks_per_node > 0 ? "--ranks-per-node"
                        : self->node_memory > 0.0  ? "--memory-per-node"
                        : quick                    ? "--no-calibration"
                                                   : NULL;
    if (other == NULL)
        return WW_OK;
    return ww_fail(error, WW_USAGE,
                   "plan: --tune measures on the ranks that it is started on, as by mpirun -n 4 "
                   "widthwise plan CONFIG --tune; leave %s out",
                   other);
}

ww_status ww_app_plan(const ww_parallel *parallel, int count, char **words, ww_error *error)
{
    const char *operands[1] = {NULL};
    bool quick = false;
    double tuning = -1.0;
    ww_option_texts settings = {0};
    ww_parallel own = *parallel;
    ww_planning self = {.parallel = &own};
    const ww_option options[] = {
        {"--set", NULL, WW_OPTION_TEXTS, &settings},
        {"--ranks", "-n", WW_OPTION_INTEGER, &self.ranks},
        {"--ranks-per-node", NULL, WW_OPTION_INTEGER, &self.ranks_per_node},
        {"--sample-groups", NULL, WW_OPTION_INTEGER, &self.sample_groups},
        {"--divide-data", NULL, WW_OPTION_FLAG, &self.divide_data},
        {"--memory-per-node", NULL, WW_OPTION_GIGABYTES, &self.node_memory},
        {"--no-calibration", NULL, WW_OPTION_FLAG, &quick},
        {"--tune", NULL, WW_OPTION_MAYBE_SECONDS, &tuning},
    };
    ww_status status = ww_options_parse("plan", options, sizeof options / sizeof options[0], count,
                                        words, operands, 1, error);
    if (status == WW_OK && tuning >= 0.0)
        status = check_tuning(&self, quick, error);
    if (tuning >= 0.0)
        self.tune_seconds = tuning > 0.0 ? tuning : WW_TUNE_SECONDS;
    int64_t fullest = 1;
    if (status == WW_OK)
        status = ww_nodes_fullest(parallel, &fullest, error);
    if (status == WW_OK)
        status = check_ranks(&self, fullest, error);
    if (status == WW_OK)
        own.sample_groups = ww_int(self.sample_groups);
    self.calibrates = !quick;
    status = ww_agree(parallel, status, error);
    if (status == WW_OK)
        status = ww_app_read_experiment(parallel, operands[0], &settings, &self.experiment, error);
    if (status == WW_OK)
        status = plan(&self, error);
    ww_app_members_free(&self.members);
    free(self.costs);
    free(self.crew_ranks);
    free(settings.texts);
    ww_experiment_free(&self.experiment);
    return status;
}
