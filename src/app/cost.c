#include "app/cost.h"

#include "app/replicas.h"
#include "app/start.h"
#include "parallel/workers.h"
#include "widthwise/gram_ranks.h"
#include "widthwise/measure.h"
#include "widthwise/train.h"

#include <math.h>

// Predictions are computed with a column of the trajectory and all their values.
static int64_t theory_bytes(const ww_app_member *member)
{
    const ww_member_layout *layout = &member->layout;
    return (ww_theory_values(layout->theory, layout->theory_count) + 5 * layout->records) *
           (int64_t)sizeof(double);
}

// Rows that wait for a commit at most: it comes with a checkpoint, or when its time is over.
// Replicas wait in rounds, once on their rank, once in order, and in both with the store.
static int64_t pending_rows(const ww_app_member *member)
{
    const int64_t replicas = member->config->replicas;
    if (replicas > 1) {
        const int64_t bytes = ww_store_replica_words(&member->layout) * (int64_t)sizeof(int64_t);
        const int64_t round = 1 + WW_REPLICA_ROUND_BYTES / bytes;
        return 3 * (replicas < round ? replicas : round);
    }
    static const double MOST_RECORDS_A_SECOND = 1000.0;
    const int64_t every = member->config->output.checkpoint_every;
    const double records = (double)member->layout.records;
    const int64_t records_between = every > 0 ? every / member->config->measure.every + 1 : 0;
    const double between = every > 0 ? (double)records_between : records;
    const double in_time = 16.0 + MOST_RECORDS_A_SECOND * member->config->output.commit_seconds;
    return (int64_t)fmin(records, fmin(between, in_time));
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

// The Gram matrix, at snapshots too where the member is trained.
static void add_gram(const ww_app_member *member, const ww_parallel *parallel, bool only_gram,
                     ww_member_cost *cost)
{
    const ww_config *config = member->config;
    if (member->gram == NULL)
        return;
    const ww_gram_cost work = ww_gram_work_cost(member->gram, config, &member->shape, parallel);
    cost->results = larger(cost->results, work.bytes);
    cost->gram_flops += work.flops;
    if (only_gram || !ww_app_has_gram_at_snapshots(member))
        return;
    const ww_gram_cost snapshot =
        ww_gram_snapshot_cost(member->gram, config, &member->shape, parallel);
    cost->results = larger(cost->results, snapshot.bytes);
    cost->gram_flops += (double)member->layout.snapshot_count * snapshot.flops;
}

// Worst-case labels: all ranks of the job compute them before the file is made.
static void add_labels(const ww_app_member *member, const ww_member_place *place,
                       ww_member_cost *cost)
{
    if (!member->layout.has_train_targets)
        return;
    const ww_parallel all = {
        .communicator = MPI_COMM_NULL, .rank = place->rank, .size = place->all_ranks};
    const ww_gram_cost labels = ww_gram_worst_case_cost(member->config, &member->shape, &all);
    cost->labels = labels.bytes;
    cost->labels_flops = labels.flops;
}

// What predictions of deep networks are made from.
static void add_deep_theory(const ww_app_member *member, int rank, int ranks, ww_member_cost *cost)
{
    int64_t bytes = 0;
    double flops = 0.0;
    if (!ww_theory_is_deep(&member->theory_plan))
        return;
    ww_zou_gu_measure_cost(member->config, &member->shape,
                           ww_theory_takes_kernels(&member->theory_plan), rank, ranks, &bytes,
                           &flops);
    cost->results = larger(cost->results, bytes);
    cost->final_flops += flops;
}

// Inputs that a node has.
static int64_t input_bytes(const ww_problem *problem, int64_t divided_over)
{
    if (divided_over == 0)
        return ww_dataset_input_bytes(problem->data);
    return ww_sample_grid_node_samples(problem, divided_over) * problem->dimension *
           (int64_t)sizeof(double);
}

ww_status ww_member_cost_of(const ww_app_member *member, const ww_member_place *place,
                            ww_member_cost *cost, ww_error *error)
{
    const ww_config *config = member->config;
    const ww_dataset *shape = &member->shape;
    int rank = place->rank;
    int ranks = place->ranks;
    int64_t sharers = place->sharers;
    if (config->replicas > 1) { // each is one rank's, and all ranks have the same to do
        rank = 0;
        ranks = 1;
        sharers = ww_app_replicas_share_data(config) ? sharers : 1;
    }
    const ww_parallel parallel = {.communicator = MPI_COMM_NULL,
                                  .rank = rank,
                                  .size = ranks,
                                  .threads = ww_workers_given(),
                                  .sample_groups = place->sample_groups};
    ww_problem problem;
    ww_problem_describe(config, shape, &parallel, &problem);
    const ww_engine_cost engine = ww_engine_cost_of(&problem);
    ww_measure_cost measure;
    WW_TRY(ww_measure_cost_of(member->plan, &problem, &measure, error));
    const int64_t steps = config->training.steps;
    const int64_t every = config->output.checkpoint_every;
    const int64_t inputs = input_bytes(&problem, place->divided_over);
    *cost = (ww_member_cost){
        .tiling = problem.tiling,
        .grid = problem.grid,
        .parts = ww_sample_grid_parts(&problem),
        .data = (inputs + sharers - 1) / sharers + ww_dataset_private_bytes(shape),
        .inputs = inputs,
        .sharers = sharers,
        .products = engine.shared,
        .product_sharers = config->replicas > 1 ? 1 : place->sharers,
        .weights = engine.weights + ww_app_start_bytes(&problem),
        .start = ww_app_start_bytes(&problem) + ww_app_start_work_bytes(&problem),
        .loading = rank == 0 ? ww_dataset_loading_bytes(shape) : 0,
        .step = engine.work + ww_batches_bytes(&problem) + measure.origin_bytes,
        .record = measure.record_bytes,
        .results = measure.final_bytes,
        .step_flops = engine.step_flops,
        .record_flops = measure.record_flops,
        .final_flops = measure.final_flops,
        .records = member->layout.records,
        .checkpoints_by_step = 1 + (every > 0 ? (steps - 1) / every : 0),
    };
    if (place->only_gram) {
        cost->weights = cost->step = cost->record = cost->results = cost->products = 0;
        cost->step_flops = cost->record_flops = cost->final_flops = 0.0;
        cost->records = cost->checkpoints_by_step = 0;
    } else {
        cost->results = larger(cost->results, theory_bytes(member));
        add_deep_theory(member, rank, ranks, cost);
    }
    add_gram(member, &parallel, place->only_gram, cost);
    add_labels(member, place, cost);
    return ww_store_cost_of(&member->layout, &problem.tiling, rank == 0 ? pending_rows(member) : 0,
                            &cost->store, error);
}

int64_t ww_crew_sharers(int64_t crew, int64_t ranks, int64_t ranks_a_node)
{
    const int64_t on_node = ranks < ranks_a_node ? ranks : ranks_a_node;
    if (crew >= ranks || crew % on_node == 0)
        return on_node;
    // Crews that a node can have a part of.
    const int64_t crews = on_node % crew == 0 ? on_node / crew : (on_node - 2) / crew + 2;
    return on_node / crews;
}

int64_t ww_member_products_part(const ww_member_cost *cost)
{
    return (cost->products + cost->product_sharers - 1) / cost->product_sharers;
}

int64_t ww_member_peak(const ww_member_cost *cost)
{
    const int64_t most = larger(larger(cost->record, cost->results), cost->store.memory);
    const int64_t training = cost->weights + ww_member_products_part(cost) + cost->step + most;
    return cost->data + larger(training, larger(larger(cost->labels, cost->loading), cost->start));
}

double ww_member_training_work(const ww_app_member *member, const ww_member_cost *cost)
{
    return (double)member->config->training.steps * cost->step_flops +
           (double)cost->records * cost->record_flops + cost->final_flops;
}

int64_t ww_member_file_bytes(const ww_member_cost *cost)
{
    const ww_store_cost *store = &cost->store;
    return store->checkpoints + store->snapshots + store->record + store->results;
}
