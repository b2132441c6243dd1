#include "app/idle_ranks.h"

#include "widthwise/train.h"

#include <stdio.h>

// Ranks of a crew that have something to do in training.
static int working_ranks(const ww_app_member *member, const ww_task *task, int ranks,
                         int sample_groups)
{
    const ww_parallel crew = {
        .communicator = MPI_COMM_NULL, .rank = 0, .size = ranks, .sample_groups = sample_groups};
    ww_problem problem;
    if (member->config->replicas > 1)
        return task->training.grain < ranks ? (int)task->training.grain : ranks;
    ww_problem_describe(member->config, &member->shape, &crew, &problem);
    const int row = ranks / problem.grid.groups;
    const int64_t tiles = problem.tiling.tile_count;
    return (tiles < row ? (int)tiles : row) * problem.grid.groups;
}

// Less ranks that all have something to do, where those would be more than do now; 0: there are
// none.
static int better_ranks(const ww_app_member *member, const ww_task *task, int ranks, int working,
                        int sample_groups)
{
    for (int fewer = ranks - 1; fewer > working; fewer--)
        if (working_ranks(member, task, fewer, sample_groups) == fewer)
            return fewer;
    return 0;
}

bool ww_idle_ranks_text(const ww_app_member *member, const ww_task *task, int ranks,
                        int sample_groups, char *line, size_t size)
{
    const bool trains = task->training.work > 0.0;
    const int working = working_ranks(member, task, ranks, sample_groups);
    const int64_t in_training = ranks - working;
    const int64_t in_gram = task->gram.grain < ranks ? ranks - task->gram.grain : 0;
    if (member->config->replicas > 1) {
        (void)snprintf(line, size, "%lld replicas, so %lld of %d ranks idle",
                       (long long)task->training.grain, (long long)in_training, ranks);
        return in_training > 0;
    }
    if (trains) {
        const ww_tiling tiling = ww_tiling_make(member->layout.width, 0, 1);
        const int better = better_ranks(member, task, ranks, working, sample_groups);
        char hint[64] = "";
        if (better > 0)
            (void)snprintf(hint, sizeof hint, "; of %d ranks all would work", better);
        (void)snprintf(line, size,
                       "width %lld has %lld tile%s of %lld units, so %lld of %d ranks "
                       "idle%s%s",
                       (long long)tiling.width, (long long)tiling.tile_count,
                       tiling.tile_count == 1 ? "" : "s", (long long)tiling.tile_units,
                       (long long)in_training, ranks,
                       task->gram.work > 0.0 && in_gram < in_training
                           ? " in training, and work on the Gram matrix after it"
                           : "",
                       hint);
        return in_training > 0;
    }
    (void)snprintf(line, size,
                   "the Gram matrix of %lld samples is work for %lld rank%s, so %lld of "
                   "%d ranks idle",
                   (long long)member->layout.train, (long long)task->gram.grain,
                   task->gram.grain == 1 ? "" : "s", (long long)in_gram, ranks);
    return task->gram.work > 0.0 && in_gram > 0;
}
