#include "app/crew_tasks.h"

#include "widthwise/gram_ranks.h"
#include "widthwise/memory.h"

#include <math.h>
#include <unistd.h>

ww_member_place ww_crews_place(const ww_crews_job *job, size_t member, int rank, int crew)
{
    // All ranks load the data of the only member; of several each crew loads its own.
    const int sharing = job->members->count == 1 ? job->ranks : crew;
    return (ww_member_place){.rank = rank,
                             .ranks = crew,
                             .sample_groups = job->sample_groups,
                             .divided_over = job->divides_data ? job->ranks_a_node : 0,
                             .sharers = ww_crew_sharers(sharing, job->ranks, job->ranks_a_node),
                             .all_ranks = job->ranks,
                             .only_gram = job->only_gram != NULL && job->only_gram[member]};
}

ww_status ww_crews_peak(const ww_crews_job *job, size_t member, int crew, int64_t *peak,
                        ww_error *error)
{
    const ww_member_place place = ww_crews_place(job, member, 0, crew);
    ww_member_cost cost;
    WW_TRY(ww_member_cost_of(&job->members->list[member], &place, &cost, error));
    *peak = ww_member_peak(&cost);
    return WW_OK;
}

// Ranks that the Gram matrix cannot do without.
static int ranks_for_gram(const ww_app_member *member, int ranks)
{
    if (member->gram == NULL)
        return 1;
    const int least = ww_gram_least_ranks(member->gram, member->config);
    return least >= 1 && least < ranks ? least : ranks;
}

// Work in additions and multiplications. Steps, records, results and the Gram matrix differ in
// speed by small factors, which divides ranks well enough.
static ww_status describe_work(const ww_crews_job *job, size_t number, ww_task *task,
                               ww_error *error)
{
    const ww_app_member *member = &job->members->list[number];
    ww_member_place alone = ww_crews_place(job, number, 0, 1);
    ww_member_cost cost;
    alone.sharers = 1;
    WW_TRY(ww_member_cost_of(member, &alone, &cost, error));
    const int64_t replicas = member->config->replicas; // each is one rank's
    *task =
        (ww_task){.training = {.work = (double)replicas * ww_member_training_work(member, &cost),
                               .grain = replicas > 1 ? replicas : cost.parts},
                  .gram = {.work = cost.gram_flops, .grain = 1},
                  .least_ranks = ranks_for_gram(member, job->ranks)};
    if (member->gram != NULL)
        task->gram.grain = ww_gram_most_ranks(member->gram, member->config);
    return WW_OK;
}

static ww_status describe_task(const ww_crews_job *job, size_t number, ww_task *task,
                               ww_error *error)
{
    WW_TRY(describe_work(job, number, task, error));
    if (job->divides_data) // a rank has the inputs of its place among all alone
        task->least_ranks = job->ranks;
    int64_t peak = 0;
    int low = task->least_ranks;
    int high = job->members->list[number].config->replicas > 1 ? low : job->ranks;
    WW_TRY(ww_crews_peak(job, number, low, &peak, error));
    if (peak > job->memory) {
        while (low < high) { // memory of a rank falls with their number
            const int middle = low + (high - low) / 2;
            WW_TRY(ww_crews_peak(job, number, middle, &peak, error));
            if (peak <= job->memory)
                high = middle;
            else
                low = middle + 1;
        }
        task->least_ranks = high;
        WW_TRY(ww_crews_peak(job, number, high, &peak, error));
    }
    task->fits = peak <= job->memory;
    return WW_OK;
}

int64_t ww_crews_ranks_a_node(int64_t ranks_per_node, int64_t ranks)
{
    const int64_t processors = (int64_t)sysconf(_SC_NPROCESSORS_ONLN);
    const int64_t a_node = ranks_per_node > 0 ? ranks_per_node : processors;
    return a_node < ranks ? a_node : ranks;
}

int64_t ww_crews_memory(double node_gigabytes, int64_t ranks_per_node, int64_t ranks)
{
    const int64_t a_node = ww_crews_ranks_a_node(ranks_per_node, ranks);
    const double node = node_gigabytes > 0.0 ? 1e9 * node_gigabytes : (double)ww_available_memory();
    return (int64_t)fmin(9e18, WW_CREW_MEMORY_SHARE * node / (double)a_node);
}

ww_status ww_crews_divide(const ww_crews_job *job, ww_task *tasks, size_t *count,
                          ww_division *division, ww_error *error)
{
    const ww_app_members *members = job->members;
    *count = 0;
    *division = (ww_division){0};
    for (size_t i = 0; i < members->count; i++) {
        if (job->skip != NULL && job->skip[i])
            continue;
        const ww_status status = describe_task(job, i, &tasks[(*count)++], error);
        if (status != WW_OK) {
            ww_app_name_member(members->list[i].index, members->list[i].label, error);
            return status;
        }
    }
    return ww_division_make(tasks, *count, job->ranks, division, error);
}
