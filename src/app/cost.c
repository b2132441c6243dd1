#include "app/cost.h"

#include "app/replicas.h"
#include "widthwise/gram_analysis.h"
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

ww_status ww_member_cost_of(const ww_app_member *member, const ww_dataset *shape, int rank,
                            int ranks, int64_t sharers, ww_member_cost *cost, ww_error *error)
{
    const ww_config *config = member->config;
    if (config->replicas > 1) { // each is one rank's, and all ranks have the same to do
        rank = 0;
        ranks = 1;
        sharers = ww_app_replicas_share_data(config) ? sharers : 1;
    }
    const ww_parallel parallel = {.communicator = MPI_COMM_NULL, .rank = rank, .size = ranks};
    ww_problem problem;
    ww_problem_describe(config, shape, &parallel, &problem);
    const ww_engine_cost engine = ww_engine_cost_of(&problem);
    ww_measure_cost measure;
    WW_TRY(ww_measure_cost_of(member->plan, &problem, &measure, error));
    const int64_t steps = config->training.steps;
    const int64_t every = config->output.checkpoint_every;
    *cost = (ww_member_cost){
        .tiling = problem.tiling,
        .data = ww_dataset_bytes(shape, sharers),
        .inputs = ww_dataset_input_bytes(shape),
        .sharers = sharers,
        .weights = engine.weights,
        .step = engine.work + ww_batches_bytes(&problem),
        .record = measure.record_bytes,
        .results = measure.final_bytes,
        .step_flops = engine.step_flops,
        .record_flops = measure.record_flops,
        .final_flops = measure.final_flops,
        .records = member->layout.records,
        .checkpoints_by_step = 1 + (every > 0 ? (steps - 1) / every : 0),
    };
    const int64_t theory = theory_bytes(member);
    if (member->layout.has_train_targets) { // before the file is made
        int64_t bytes = 0;
        double flops = 0.0;
        ww_gram_worst_case_cost(config, shape, ranks, &bytes, &flops);
        cost->results = bytes > cost->results ? bytes : cost->results;
        cost->gram_flops += flops;
    }
    if (member->gram != NULL) {
        int64_t gram_bytes = 0;
        double gram_flops = 0.0;
        ww_gram_work_cost(member->gram, config, shape, ranks, &gram_bytes, &gram_flops);
        cost->results = gram_bytes > cost->results ? gram_bytes : cost->results;
        cost->gram_flops += gram_flops;
    }
    cost->results = cost->results > theory ? cost->results : theory;
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

int64_t ww_member_peak(const ww_member_cost *cost)
{
    int64_t most = cost->record > cost->results ? cost->record : cost->results;
    most = cost->store.memory > most ? cost->store.memory : most;
    return cost->data + cost->weights + cost->step + most;
}

double ww_member_work(const ww_app_member *member, const ww_member_cost *cost)
{
    return (double)member->config->training.steps * cost->step_flops +
           (double)cost->records * cost->record_flops + cost->final_flops + cost->gram_flops;
}

int64_t ww_member_file_bytes(const ww_member_cost *cost)
{
    const ww_store_cost *store = &cost->store;
    return store->checkpoints + store->snapshots + store->record + store->results;
}
